"""Learns which third-party modules a run imports itself, so that the zygote preloads them."""

from __future__ import annotations

import sys
from typing import Any, Callable

from sprintest.modules import _modules
from sprintest.preload import _preload
from sprintest.process import _private


class ImportOrder:
    """Records the names of modules in the order in which their imports began.

    The order of ``sys.modules`` is that of completion, and importing a leaf first can fail if packages import
    each other. A finder in ``sys.meta_path`` would be seen by tests.
    """

    def __init__(self) -> None:
        #: The names of the present run.
        self.names: list[str] = []
        #: Names that were searched while the run had other hooks in ``sys.path_hooks``: the zygote might find
        #: other modules.
        self.hooked: set[str] = set()
        self._hooks: list[Any] = []
        self._on_find: Callable[[], None] | None = None

    def begin(self, on_find: Callable[[], None]) -> None:
        """Begin a run; ``on_find`` is called before each of its imports."""
        self.names.clear()
        self.hooked.clear()
        self._hooks = list(sys.path_hooks)
        is_first, self._on_find = self._on_find is None, on_find
        if is_first:
            self._follow()

    def _follow(self) -> None:
        find_spec = _private.bootstrap._find_spec

        def _find_spec(name: str, path: Any, target: Any = None) -> Any:
            assert self._on_find is not None
            self._on_find()
            self.names.append(name)
            if sys.path_hooks != self._hooks:
                self.hooked.add(name)
            return find_spec(name, path, target)

        _private.wrap_imports(find_spec=_private.as_import_system(_find_spec))


order = ImportOrder()


def preloadable(names: list[str]) -> list[str]:
    """Those of the imported ``names`` that a zygote may import ahead of the next run.

    They are installed modules, and modules that the setting ``ignore`` names.
    """
    return [name for name in dict.fromkeys(names) if name not in order.hooked and _is_preloadable(name)]


def _is_preloadable(name: str) -> bool:
    module = sys.modules.get(name)
    path = _modules.file_of(module)
    if path is None or getattr(module, "__name__", None) != name:
        return False
    plugins, code = _preload.Preloader.plugins, _preload.Preloader.code
    assert plugins is not None
    assert code is not None
    package = name.partition(".")[0]
    # Some plugins act when pytest imports them (they draw a random seed, say), and must do so in each run.
    if package == "sprintest" or name in plugins.entry_modules:
        return False
    # The zygote does not rewrite modules that a conftest.py has registered for rewriting.
    if _is_rewritten(module) and package not in plugins.rewritten:
        return False
    return not code.may_change(path) or code.is_ignored(name)


def _is_rewritten(module: Any) -> bool:
    return _private.is_rewriting(getattr(module, "__loader__", None))
