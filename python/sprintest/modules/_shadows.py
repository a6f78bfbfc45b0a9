"""Finds shadowed modules: the run's ``sys.path`` leads to another module than the loaded one.

A file ``yaml.py`` in the folder of the tests hides the installed ``yaml`` from later imports. If the
installed one is loaded already, Python does not search for the file. Such a run needs a fresh process.
"""

from __future__ import annotations

import sys
from typing import Any

from sprintest.modules import _modules
from sprintest.modules._cache import cache
from sprintest.process._own import os


class Shadows:
    """Those of one run. ``own``: the names of the modules that it has imported itself; the list grows."""

    def __init__(self, own: list[str]) -> None:
        self._own = own
        self._path: list[Any] = []
        self._seen: set[str] = set()
        #: Loaded modules with a namesake in a folder of the path: name → path of the namesake.
        self._namesakes: dict[str, str] = {}

    def find(self) -> str:
        """Say in words which file hides a module that was loaded before the run; empty if no other one does.

        Cheap if ``sys.path`` has not changed since the last call.
        """
        if sys.path == self._path:
            return ""
        self._path = list(sys.path)
        for folder in self._path:
            if isinstance(folder, str) and folder not in self._seen:
                self._seen.add(folder)
                self._look_into(folder)
        for name, place in self._namesakes.items():
            if _leads_elsewhere(name):
                del self._namesakes[name]
                return f"{place} hides the module {name} that is loaded already"
        return ""

    def _look_into(self, folder: str) -> None:
        # Installed files were compared before the run.
        if _modules.is_installed(os.path.join(folder, "")):
            return
        for name, place in _modules.modules_in(folder):
            is_given = name in sys.modules and name not in self._own and not cache.knows(name)
            if is_given and name != "__main__":
                self._namesakes.setdefault(name, place)


def _leads_elsewhere(name: str) -> bool:
    loaded, found = getattr(sys.modules[name], "__spec__", None), _modules.find(name, None)
    return loaded is not None and found is not None and _place(found) != _place(loaded)


def _place(spec: Any) -> tuple[str | None, list[str]]:
    origin = spec.origin if spec.has_location else None
    return origin, _modules.folders(spec.submodule_search_locations)
