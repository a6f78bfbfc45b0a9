"""What executing modules leaves in others: seen, taken away again, and put back for runs that import them.

A module may register itself with another, patch it, or add to its variables. Nobody tells of that. So what
modules, their classes and their containers hold is compared with what they held before, value by value, by
identity; and what has changed is ascribed to those that may have done it.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Container, Iterable, Iterator, Mapping, Set
from types import ModuleType
from typing import Any, Callable

from sprintest.modules._member import Member
from sprintest.modules.residue._changes import Added, Before, Change
from sprintest.modules.residue._contents import OF_LOGGERS, containers, contents, objects
from sprintest.modules.residue._known import UNCOMPARED_NAMES, Known
from sprintest.modules.residue._writers import Candidates
from sprintest.process import _private
from sprintest.process._own import runner
from sprintest.process._process_state import loggers

_CACHE = type(functools.lru_cache(repr))
_FEW_WRITERS = 8
#: Their variables are caches, or are followed elsewhere.
_UNCOMPARED = {
    *(
        "__main__",
        "_frozen_importlib",
        "_frozen_importlib_external",
        "_stest_runner",
        "_thread",
        "_weakrefset",
    ),
    *("abc", "atexit", "functools", "importlib", "inspect", "linecache", "re", "regex", "site", "sprintest"),
    *("sre_compile", "sre_parse", "threading", "tokenize", "weakref", "zipimport"),
}
#: In a run they are pytest's to change.
_OF_PYTEST = {
    "sys": {"stdin", "stdout", "stderr", "excepthook", "unraisablehook"},
    "threading": {"excepthook"},
}
_PYTEST = ("_pytest", "pytest", "pluggy")


class Residue:
    """All changes that modules have made to others, in the order in which they were found."""

    def __init__(self, members: Mapping[str, Member]) -> None:
        """``members``: all modules that were executed, at any time."""
        self._members = members
        self._changes: list[Change] = []
        self._known: dict[int, Known] = {}
        #: Functions that remember their answers, and how many they did.
        self._caches: list[tuple[Any, int]] = []
        self._forgets: Callable[[str], bool] = lambda name: False
        #: The changes of each writer; made when they are needed.
        self._index: Index | None = None
        #: Of these, the ones that may not be made of what there is.
        self._conditional: Index | None = None

    def begin(self, modules: Mapping[str, Any], forgets: Callable[[str], bool]) -> None:
        """From here on changes are to be found. ``modules``: those that are there.

        ``forgets``: of which modules ``restore`` undoes what their functions have answered.
        """
        self.forget()
        self._forgets = forgets
        for name, module in modules.items():
            self.take(name, module)
        for logger in loggers():
            self._take_logger(logger)

    def forget(self) -> None:
        self._known, self._caches = {}, []

    def take(self, name: str, module: Any) -> None:
        """Take down what the module holds, now that it has been executed."""
        package = name.partition(".")[0]
        if package in _UNCOMPARED or not isinstance(module, ModuleType):
            return
        variables = vars(module)
        self._take(name, variables, dict(variables))
        uncompared = UNCOMPARED_NAMES.get(name, ())
        named = {key: value for key, value in variables.items() if key not in uncompared}
        self._take_contents(name, named)
        for value in list(variables.values()):
            if issubclass(type(value), type) and value.__module__ == name:
                attributes = vars(value).copy()
                self._take(name, value, attributes)
                self._take_contents(name, attributes)
        if self._forgets(name):
            caches = [value for value in named.values() if type(value) is _CACHE and value.__module__ == name]
            self._caches += [(one, one.cache_info().currsize) for one in caches]

    def _take_contents(self, owner: str, names: Mapping[str, Any]) -> None:
        for container, values in containers(names):
            self._take(owner, container, values)
        package = owner.partition(".")[0]
        if package in _private.STANDARD_LIBRARY:  # Loggers are followed by name.
            return
        for attributes in objects(package, names):
            if id(attributes) not in self._known:  # Else a module's variable, or one that another has too.
                self._take(owner, attributes, attributes.copy(), is_object=True)
                for container, values in containers(attributes):
                    self._take(owner, container, values, is_object=True)

    def _take_logger(self, logger: logging.Logger) -> None:
        self._take(logger.name, logger, contents(logger), is_logger=True)
        for values in (logger.handlers, logger.filters):
            self._take(logger.name, values, contents(values), is_logger=True)

    def _take(self, owner: str, holder: Any, values: Any, **kind: bool) -> None:
        self._known.setdefault(id(holder), Known(owner, holder, values, **kind))

    def settle(self) -> None:
        """What has changed until now has to do with this process, and with no module."""
        for one in self._changed():
            if one.is_object:
                one.values = contents(one.holder)

    def collect(self, candidates: Mapping[str, Member], brought: Callable[[str], Container[str]]) -> None:
        """Find what has changed, and undo it.

        ``candidates``: the modules that were executed since. ``brought``: what comes with a module whenever
        that is imported; what one of these does to it is part of it.
        """
        if not self._known or not candidates:
            return
        self._index = None
        changed = self._changed()
        self._ascribe(changed, candidates, brought, {})
        self.undo()
        for one in changed:
            one.values = contents(one.holder)

    def record(self, candidates: Mapping[str, Member]) -> None:
        """Find what these, which have just been executed, have changed; it stays until it is undone."""
        if not candidates:
            return
        self._index = None
        self._ascribe(self._changed_by_modules(), candidates, lambda name: (), _OF_PYTEST)

    def writers_among(self, candidates: Mapping[str, Member]) -> set[str]:
        """Those of these that may have made a change that nobody has recorded."""
        if not candidates:
            return set()
        suspects, found = Candidates(candidates, self._members), set[str]()
        for one, change in self._unrecorded(self._changed_by_modules(), _OF_PYTEST):
            found.update(suspects.writers(one.owner, change))
        return found

    def accept(self, holder: Any) -> None:
        """What a module's variables, or a class, hold now is theirs."""
        if (known := self._known.get(id(holder))) is not None:
            known.values = contents(holder)

    def restore(self) -> None:
        """Undo whatever else has changed."""
        for one in self._changed():
            for change in one.changes():
                change.put(is_there=False)
        # "Do this once" is often written so; what it did may have been undone.
        for function, size in self._caches:
            if function.cache_info().currsize != size:
                function.cache_clear()

    def _changed(self) -> list[Known]:
        found: list[Known] = runner.changed_holders(self._known.values())
        return found

    def _changed_by_modules(self) -> list[Known]:
        """In a run. Objects of pytest's are then pytest's to change."""
        return [one for one in self._changed() if not (one.is_object and one.owner.startswith(_PYTEST))]

    def _unrecorded(
        self, changed: list[Known], passed_over: Mapping[str, Container[str]]
    ) -> Iterator[tuple[Known, Change]]:
        """What these hold that is another than the recorded changes have made of it."""
        before = Before(change for change in self._changes if change.is_there)
        for one in changed:
            for change in one.changes():
                if change.name not in passed_over.get(one.owner, ()) and change.comes_after(before):
                    change.is_of_object = one.is_object
                    yield one, change

    def _ascribe(
        self,
        changed: list[Known],
        candidates: Mapping[str, Member],
        brought: Callable[[str], Container[str]],
        passed_over: Mapping[str, Container[str]],
    ) -> None:
        suspects = Candidates(candidates, self._members)
        for one, change in self._unrecorded(changed, passed_over):
            writers = suspects.writers(one.owner, change)
            change.is_known = bool(writers)
            if change.is_known and change.is_single:
                change.look_for_step(map(suspects.source, writers))
            change.writers = frozenset(writers or (name for name in candidates if name != one.owner))
            if change.is_of_object and not writers:
                continue  # It has to do with the process, its forks and threads; or with time.
            if one.is_logger or not _is_part_of_owner(one, change, brought):
                self._changes.append(change)
        self._take_new_loggers(candidates)

    def _take_new_loggers(self, candidates: Mapping[str, Member]) -> None:
        for logger in [one for one in loggers() if id(one) not in self._known]:
            lists = [values for values in (logger.handlers, logger.filters) if values]
            changes = [
                *(
                    Change(logger, name, new, getattr(logger, name))
                    for name, new in OF_LOGGERS.items()
                    if name == "disabled"
                    or getattr(logger, name) != new  # Somebody may disable all there are.
                ),
                *(Added(values, False, (), list(values)) for values in lists),
            ]
            top = logger.name.partition(".")[0]
            namesakes = frozenset(name for name in candidates if name.partition(".")[0] == top)
            for change in changes:
                change.writers = namesakes or frozenset(candidates)
            self._changes += changes
            self._take(logger.name, logger, dict(OF_LOGGERS), is_logger=True)
            for values in (logger.handlers, logger.filters):
                self._take(logger.name, values, [], is_logger=True)

    def undo(self) -> None:
        """Take all of it away."""
        for change in reversed(self._changes):
            change.put(is_there=False)

    def leave_to(self, names: Iterable[str]) -> None:
        """These are executed by each run, and do it again: a `conftest.py` that loads a profile, say.

        What changes an object does so by a method, and need not name what it changes: where others may have
        done it as well, it is taken for theirs alone.
        """
        those = frozenset(names)
        self._changes = [one for one in self._changes if not (one.is_of_object and one.writers & those)]
        self.drop(those)

    def drop(self, names: Iterable[str]) -> None:
        """These modules are no more, or are executed again; what they have left was undone."""
        gone = frozenset(names)
        self._index = None
        without = functools.cache(lambda writers: writers - gone)
        for change in self._changes if gone else ():
            change.writers = without(change.writers)
        self._changes = [one for one in self._changes if one.writers]

    def entangled(self, names: set[str]) -> set[str]:
        """Modules that may have made a change which may be of one of these, too."""
        shared = [one.writers for one in self._changes if one.is_known and not names.isdisjoint(one.writers)]
        return set().union(*shared) - names

    def redo(self, adopted: Set[str]) -> None:
        """Put back what these modules have left in others."""
        for change in self._prepared()[0].of(adopted):
            change.put(is_there=True)

    def other_base(self, adopted: Set[str]) -> Change | None:
        """What these would put back that was made of something else than there is now."""
        present: dict[tuple[int, Any], Any] = {}
        for change in self._prepared()[1].of(adopted):
            if change.is_there:
                continue
            if not change.builds_on(present.get(change.place, change.found())):
                return change
            present[change.place] = change.made_of(present.get(change.place, change.found()))
        return None

    def prepare(self) -> None:
        """Make the tables in which the changes of a module are looked up."""
        self._prepared()

    def _prepared(self) -> tuple[Index, Index]:
        if self._index is None or self._conditional is None:
            ascribed = [one for one in self._changes if one.is_single and one.is_known]
            places = {one.place for one in ascribed if one.is_conditional}
            self._index = Index(self._changes)
            self._conditional = Index(one for one in ascribed if one.place in places)
        return self._index, self._conditional


class Index:
    """Changes, in order, by those that may have made them."""

    def __init__(self, changes: Iterable[Change]) -> None:
        self._changes = list(changes)
        #: By one of the few writers of each: places in the list.
        self._by_writer: dict[str, list[int]] = {}
        #: Of those that any of many may have made.
        self._by_writers: dict[frozenset[str], list[int]] = {}
        for number, change in enumerate(self._changes):
            if len(change.writers) > _FEW_WRITERS:
                self._by_writers.setdefault(change.writers, []).append(number)
                continue
            for writer in change.writers:
                self._by_writer.setdefault(writer, []).append(number)

    def of(self, writers: Set[str]) -> list[Change]:
        """What these have changed, in order."""
        found = {number for name in self._by_writer.keys() & writers for number in self._by_writer[name]}
        for some, shared in self._by_writers.items():
            if not some.isdisjoint(writers):
                found.update(shared)
        return [self._changes[number] for number in sorted(found)]


def _is_part_of_owner(one: Known, change: Change, brought: Callable[[str], Container[str]]) -> bool:
    """Whether it is made whenever the owner is imported, or its package."""
    package = one.owner.partition(".")[0]
    if any(writer in brought(package) for writer in change.writers):
        return True
    return one.is_object and any(writer in brought(one.owner) for writer in change.writers)
