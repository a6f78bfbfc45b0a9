"""The residue of modules, their changes in others: found, undone, and repeated for runs that adopt them.

A module may register itself with another one, patch it, or add to its variables. There is no event for that.
So the contents of modules, their classes and their containers are compared with the earlier ones, value by
value, by identity. Each change is attributed to the modules that may have made it.
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
#: Their variables are caches, or are observed elsewhere.
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
#: Variables that pytest changes in a run.
_OF_PYTEST = {
    "sys": {"stdin", "stdout", "stderr", "excepthook", "unraisablehook"},
    "threading": {"excepthook"},
}
_PYTEST = ("_pytest", "pytest", "pluggy")


class Residue:
    """All changes that modules have made in others, in the order in which they were found."""

    def __init__(self, members: Mapping[str, Member]) -> None:
        """``members``: all modules that were executed, at any time."""
        self._members = members
        self._changes: list[Change] = []
        self._known: dict[int, Known] = {}
        #: Functions with ``functools.lru_cache``, and the size of each cache.
        self._caches: list[tuple[Any, int]] = []
        self._forgets: Callable[[str], bool] = lambda name: False
        #: The changes of each writer; computed when they are needed.
        self._index: Index | None = None
        #: Those of them that depend on the present value.
        self._conditional: Index | None = None

    def begin(self, modules: Mapping[str, Any], forgets: Callable[[str], bool]) -> None:
        """Compare with the present contents from here on. ``modules``: all that are loaded.

        ``forgets``: for which modules ``restore`` empties the caches of their functions.
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
        """Note the contents of the module, which has been executed."""
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
        if package in _private.STANDARD_LIBRARY:  # Loggers are observed by name.
            return
        for attributes in objects(package, names):
            if id(attributes) not in self._known:  # Else variables of a module, or seen in another one.
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
        """Accept all changes in objects until now: they belong to this process, and to no module."""
        for one in self._changed():
            if one.is_object:
                one.values = contents(one.holder)

    def collect(self, candidates: Mapping[str, Member], brought: Callable[[str], Container[str]]) -> None:
        """Find the changes, and undo them.

        ``candidates``: the modules that were executed since. ``brought``: the modules that are always
        imported together with a module; their changes in it are part of it.
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
        """Find the changes of these, which have just been executed. They stay until ``undo``."""
        if not candidates:
            return
        self._index = None
        self._ascribe(self._changed_by_modules(), candidates, lambda name: (), _OF_PYTEST)

    def writers_among(self, candidates: Mapping[str, Member]) -> set[str]:
        """Those of these that may have made a change that is not recorded."""
        if not candidates:
            return set()
        suspects, found = Candidates(candidates, self._members), set[str]()
        for one, change in self._unrecorded(self._changed_by_modules(), _OF_PYTEST):
            found.update(suspects.writers(one.owner, change))
        return found

    def accept(self, holder: Any) -> None:
        """Accept the present contents of a module's variables, or of a class."""
        if (known := self._known.get(id(holder))) is not None:
            known.values = contents(holder)

    def restore(self) -> None:
        """Undo all other changes, and empty caches of functions."""
        for one in self._changed():
            for change in one.changes():
                change.put(is_there=False)
        # Such a function often does something only once, and that may have been undone.
        for function, size in self._caches:
            if function.cache_info().currsize != size:
                function.cache_clear()

    def _changed(self) -> list[Known]:
        found: list[Known] = runner.changed_holders(self._known.values())
        return found

    def _changed_by_modules(self) -> list[Known]:
        """The same in a run, without objects of pytest, which pytest itself changes."""
        return [one for one in self._changed() if not (one.is_object and one.owner.startswith(_PYTEST))]

    def _unrecorded(
        self, changed: list[Known], passed_over: Mapping[str, Container[str]]
    ) -> Iterator[tuple[Known, Change]]:
        """The changes in these holders that are not recorded."""
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
                continue  # It belongs to the process, its forks and threads; or it depends on time.
            if one.is_logger or not _is_part_of_owner(one, change, brought):
                self._changes.append(change)
        self.take_new_loggers(candidates)

    def take_new_loggers(self, candidates: Mapping[str, Member]) -> None:
        """Compare new loggers from here on. What has been done to them is a change of the candidates."""
        for logger in [one for one in loggers() if id(one) not in self._known]:
            lists = [values for values in (logger.handlers, logger.filters) if values]
            changes = [
                *(
                    Change(logger, name, new, getattr(logger, name))
                    for name, new in OF_LOGGERS.items()
                    if name == "disabled" or getattr(logger, name) != new  # Code may disable all loggers.
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
        """Undo all changes."""
        for change in reversed(self._changes):
            change.put(is_there=False)

    def leave_to(self, names: Iterable[str]) -> None:
        """Drop changes in objects that these may have made: each run executes these, and so makes them again.

        An example is a `conftest.py` that loads a profile. A change in an object is made by a method, and its
        writer need not name it. So even if there are other possible writers, it is attributed to these.
        """
        those = frozenset(names)
        self._changes = [one for one in self._changes if not (one.is_of_object and one.writers & those)]
        self.drop(those)

    def drop(self, names: Iterable[str]) -> None:
        """Forget the changes of these modules, which are gone or executed again. They must be undone."""
        gone = frozenset(names)
        self._index = None
        without = functools.cache(lambda writers: writers - gone)
        for change in self._changes if gone else ():
            change.writers = without(change.writers)
        self._changes = [one for one in self._changes if one.writers]

    def entangled(self, names: set[str]) -> set[str]:
        """Other modules that share a change with one of these: either may have made it."""
        shared = [one.writers for one in self._changes if one.is_known and not names.isdisjoint(one.writers)]
        return set().union(*shared) - names

    def places(self) -> set[tuple[int, Any]]:
        """The places of all changes."""
        return {change.place for change in self._changes}

    def puts(self, holder: Any, name: Any, value: Any) -> bool:
        """Whether one of the changes puts this value there."""
        place = (id(holder), name)
        return any(change.place == place and change.new is value for change in self._changes)

    def redo(self, adopted: Set[str]) -> None:
        """Repeat the changes of these modules."""
        for change in self.prepare()[0].of(adopted):
            change.put(is_there=True)

    def other_base(self, adopted: Set[str]) -> Change | None:
        """A change of these modules that cannot be repeated, because its place has another value now."""
        present: dict[tuple[int, Any], Any] = {}
        for change in self.prepare()[1].of(adopted):
            if change.is_there:
                continue
            if not change.builds_on(present.get(change.place, change.found())):
                return change
            present[change.place] = change.made_of(present.get(change.place, change.found()))
        return None

    def prepare(self) -> tuple[Index, Index]:
        """Make the tables in which the changes of a module are looked up: all, and those to be validated."""
        if self._index is None or self._conditional is None:
            ascribed = [one for one in self._changes if one.is_single and one.is_known]
            places = {one.place for one in ascribed if one.is_conditional}
            self._index = Index(self._changes)
            self._conditional = Index(one for one in ascribed if one.place in places)
        return self._index, self._conditional


class Index:
    """Changes, in order, by writer."""

    def __init__(self, changes: Iterable[Change]) -> None:
        self._changes = list(changes)
        #: Changes with few writers, by writer: indices in the list.
        self._by_writer: dict[str, list[int]] = {}
        #: Changes with many writers, by all of these.
        self._by_writers: dict[frozenset[str], list[int]] = {}
        for number, change in enumerate(self._changes):
            if len(change.writers) > _FEW_WRITERS:
                self._by_writers.setdefault(change.writers, []).append(number)
                continue
            for writer in change.writers:
                self._by_writer.setdefault(writer, []).append(number)

    def of(self, writers: Set[str]) -> list[Change]:
        """The changes of these, in order."""
        found = {number for name in self._by_writer.keys() & writers for number in self._by_writer[name]}
        for some, shared in self._by_writers.items():
            if not some.isdisjoint(writers):
                found.update(shared)
        return [self._changes[number] for number in sorted(found)]


def _is_part_of_owner(one: Known, change: Change, brought: Callable[[str], Container[str]]) -> bool:
    """Whether it is made whenever the owner, or its package, is imported."""
    package = one.owner.partition(".")[0]
    if any(writer in brought(package) for writer in change.writers):
        return True
    return one.is_object and any(writer in brought(one.owner) for writer in change.writers)
