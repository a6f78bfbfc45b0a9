"""Whether a garbage collection could be noticed.

At the end of a run pytest collects garbage, so that it can report what finalisers raise. Then stest does, so
that the finalisers of the project's objects run as they do when an interpreter ends. With the objects of many
modules each collection takes tens of milliseconds, because it also copies the pages of memory that the
process shares with its snapshot. All that others can see of a collection is a finaliser that runs. So it is
left out where there is none: not among the objects of the snapshot, which are examined before the request
comes, and not among those of the run.

Not seen: an object of a type of an extension module, which the collector does not look at, and which the run
has put into a container that the snapshot has made.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from types import FrameType, ModuleType
from typing import Any

from sprintest.modules import _modules
from sprintest.preload import _preload
from sprintest.process import _own, _private
from sprintest.process._own import runner

#: The collector of CPython 3.14 has no such list.
_IS_INCREMENTAL = sys.version_info >= (3, 14)
#: Variables of `sys` that CPython drops before the modules.
_GONE_AT_THE_END = {
    *("modules", "meta_path", "path_hooks", "path_importer_cache"),
    *("last_type", "last_value", "last_traceback", "last_exc"),
}


class Finalisers:
    """The finalisers that this process may have to run."""

    def __init__(self) -> None:
        #: How often the older generations had been collected when the objects were examined last; nothing if
        #: they were not, or a finaliser was found.
        self._collections: list[int] = []
        #: The last object of the oldest generation at that time. What grows old later comes after it.
        self._last: list[Any] = []

    def look_ahead(self, names: list[str]) -> None:
        """Examine all objects: the tests are collected. ``names``: the modules that the run has imported."""
        objects, variables = _own.all_objects(), _own_variables(names)
        live = [*_locals(_private.current_frame(1)), *map(_variables_of, list(_own.modules.values()))]
        if runner.finalisers_are_only_in_use_elsewhere(objects, variables, live, Finalisers):
            del objects, variables, live
            _own.collect_garbage()  # Nobody can notice it.
            self._remember()

    def may_be_left(self, ending: Iterable[str] = ()) -> bool:
        """Whether a collection could run one, or the end of the modules ``ending``."""
        if not self._collections or self._collections[-1:] != (now := _collections())[-1:]:
            return True
        objects = [*_own.all_objects(generation=0), *_own.all_objects(generation=1)]
        if self._collections != now:  # Some of the run have grown old.
            if _IS_INCREMENTAL:
                return True
            objects += self._grown_old()
        if runner.finalisers_are_in(objects + _own_variables(ending), Finalisers):
            return True
        self._remember()
        return False

    def _remember(self) -> None:
        """No object has a finaliser until now. All become old; nobody can notice that."""
        self._last = []
        _own.collect_garbage(1)
        self._collections = _collections()

    def _grown_old(self) -> list[Any]:
        """Until all is collected, the collector adds to its list of old objects at the end only."""
        oldest = _own.all_objects(generation=2)
        after = len(oldest)
        while after and oldest[after - 1] is not self._last:
            after -= 1
        return oldest[after:]

    def run(self, names: list[str]) -> None:
        """Run them for the project's modules: files that are not written yet, ``__del__`` methods.

        As in CPython's ``finalize_modules`` the modules are dropped before, and emptied afterwards where
        references to them remain. Installed packages are left out: they are many, and not the run's own.
        """
        variables = _own_variables(names)
        for name in names:
            _own.modules.pop(name, None)
        oldest_first = [one for generation in (2, 1, 0) for one in _own.all_objects(generation=generation)]
        in_use = {name: value for name, value in vars(sys).items() if name not in _GONE_AT_THE_END}
        runner.run_finalisers(oldest_first, variables, [in_use], Finalisers)
        del oldest_first
        _own.collect_garbage()
        for one in variables:
            one.update({name: None for name in one if name != "__builtins__"})


finalisers = Finalisers()


def _own_variables(names: Iterable[str]) -> list[dict[str, Any]]:
    """The variables of those of the modules ``names`` that belong to the project."""
    code = _preload.Preloader.code
    assert code is not None
    found = ((name, _own.modules[name]) for name in dict.fromkeys(names) if name in _own.modules)
    return [
        vars(one)
        for name, one in found
        if name == "__main__" or ((path := _modules.file_of(one)) is not None and code.may_change(path))
    ]


def _collections() -> list[int]:
    return [generation["collections"] for generation in _own.collector_stats()[1:]]


def _locals(frame: FrameType | None) -> list[Any]:
    found = []
    while frame is not None:
        found.append(frame.f_locals)
        frame = frame.f_back
    return found


def _variables_of(module: Any) -> Any:
    """Without calling a lazy module's own methods; empty where it is no module."""
    return object.__getattribute__(module, "__dict__") if isinstance(module, ModuleType) else {}
