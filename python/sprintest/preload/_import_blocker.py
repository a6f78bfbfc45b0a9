"""Ends an import at the first module of those that must not be imported."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any


class _Tripped(BaseException):
    """Not to be taken for an error of the import, which many modules live with."""


class ImportBlocker:
    """First finder, then loader of modules that are not preloadable: they can be found, but not imported."""

    def __init__(self, not_preloadable: Mapping[str, str]) -> None:
        self._not_preloadable = not_preloadable
        self.reason = ""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name not in self._not_preloadable:
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        spec = next(filter(None, (finder.find_spec(name, path, target) for finder in others)), None)
        if spec is not None:
            spec.loader = self  # type: ignore[assignment]
        return spec

    def create_module(self, spec: Any) -> Any:
        self.reason = self.reason or f"imports {spec.name}, which is not preloadable"
        raise _Tripped(spec.name)

    def exec_module(self, module: Any) -> None:
        """For importlib, which wants one."""
