"""Ends an import at the first module that is not preloadable."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any


class _Tripped(BaseException):
    """No ``Exception``, because many modules handle a failed import."""


class ImportBlocker:
    """Finder and loader of modules that are not preloadable: they can be found, but not imported."""

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
        """importlib requires this method."""
