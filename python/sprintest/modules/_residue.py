"""What executing modules leaves in others: seen, taken away again, and put back for runs that import them.

A module may register itself with another, patch it, or add to its variables. Nobody tells of that. So what
modules, their classes and their containers hold is compared with what they held before, value by value, by
identity; and what has changed is ascribed to those that may have done it.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import sys
import threading
from collections import OrderedDict
from collections.abc import Container, Iterable, Iterator, Mapping
from types import FunctionType, GetSetDescriptorType, ModuleType
from typing import Any, Callable
from weakref import WeakKeyDictionary, WeakValueDictionary, ref

from sprintest.modules import _graph
from sprintest.modules._member import Member
from sprintest.process import _private
from sprintest.process._own import runner
from sprintest.process._process_state import loggers

_CACHE = type(functools.lru_cache(repr))
#: What such a name has held, or holds: nothing.
_ABSENT: Any = object()
_FEW_WRITERS = 8
#: Larger containers are tables of data, or caches.
_LARGEST = 5000
_CONTAINERS = (OrderedDict, dict, list, set)
_WEAK_CONTAINERS = (WeakKeyDictionary, WeakValueDictionary)
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
_UNCOMPARED_NAMES = {
    "posix": {"environ"},
    "codecs": {"register"},
    "logging": {"_startTime"},
    "builtins": {"__import__", "_"},
    "os": {"environ", "environb", "register_at_fork"},
    "sys": {"argv", "last_exc", "last_traceback", "last_type", "last_value", "meta_path", "modules"}
    | {"orig_argv", "path", "path_hooks", "path_importer_cache"},
    "warnings": {"filters", "onceregistry", "_filters_version", "_onceregistry", "_showwarnmsg"}
    | {"_showwarnmsg_impl"},
}
#: In a run they are pytest's to change.
_OF_PYTEST = {
    "sys": {"stdin", "stdout", "stderr", "excepthook", "unraisablehook"},
    "threading": {"excepthook"},
}
_PYTEST = ("_pytest", "pytest", "pluggy")
#: Python itself keeps them in each class.
_OF_CLASSES = {"__abstractmethods__", "__dict__", "__doc__", "__module__", "__weakref__", "_abc_impl"}
#: What a logger is set to, and what a new one has.
_OF_LOGGERS: dict[str, Any] = {"level": logging.NOTSET, "propagate": True, "disabled": False}


class Change:
    """A variable, an attribute or an entry that has another value than before. ``old``, ``new``: these."""

    def __init__(self, holder: Any, name: Any, old: Any, new: Any) -> None:
        self._holder, self.name, self._old, self.new = holder, name, old, new
        #: Modules that may have made it.
        self.writers: frozenset[str] = frozenset()
        #: Whether one of these has made it: they all have access to where it was made.
        self.is_known = False
        self.is_there = True
        #: Whether it is about an object's attribute, or what one holds.
        self.is_of_object = False
        #: By how much it counts up or down, where that is all that it does.
        self.step: int | None = None

    @property
    def place(self) -> tuple[int, Any]:
        return id(self._holder), self.name

    def found(self) -> Any:
        """What there is now in its place."""
        return _get(self._holder, self.name)

    def builds_on(self, value: Any) -> bool:
        """Whether it can be made of this; a wrapper can not.

        Of nothing, or of a switch, nothing is made: a cache is filled, say.
        """
        if self._old is None or self._old is _ABSENT or type(self._old) is bool:
            return True
        if self.step is not None and type(value) is int:
            return True
        return any(value is one or _are_equal(value, one) for one in (self._old, self.new))

    def made_of(self, value: Any) -> Any:
        """What it makes of this."""
        return value + self.step if self.step is not None and type(value) is int else self.new

    def look_for_step(self, sources: Iterable[bytes | None]) -> None:
        """``sources``: of those who may have made it."""
        if type(self._old) is int and type(self.new) is int:
            found = [_graph.settings_of(source, self.name) if source else [False] for source in sources]
            settings = [is_step for one in found for is_step in one]
            if settings and all(settings):
                self.step = self.new - self._old

    def comes_after(self, before: _Before) -> bool:
        """Whether it is another one than those that were made before it."""
        self._old = before.values.get(self.place, self._old)
        return self._old is not self.new

    @property
    def is_single(self) -> bool:
        """Whether it is about one variable, attribute or entry. A logger is set to what it is set to."""
        return self.name is not None and not isinstance(self._holder, logging.Logger)

    def put(self, *, is_there: bool) -> None:
        """Make the change once more, or undo it."""
        if is_there == self.is_there:
            return
        self.is_there = is_there
        with contextlib.suppress(Exception):  # A class in C allows none.
            if self.step is not None:
                _put(self._holder, self.name, self._counted(is_there))
            elif is_there:
                _put(self._holder, self.name, self.new)
            elif self.name is None or _get(self._holder, self.name) is self.new:
                _put(self._holder, self.name, self._old)  # Else somebody has changed it since.

    def _counted(self, is_there: bool) -> Any:
        value = self.found()
        if is_there:
            self._old, self.new = value, self.made_of(value)  # What comes after it is told from this.
            return self.new
        return value - self.step if type(value) is int and self.step is not None else self._old


class _Added(Change):
    """What a list or a set holds that it did not hold before. ``name``: whether it was put in front."""

    is_single = False

    def comes_after(self, before: _Before) -> bool:
        known = before.added.get(self.place[0], ())
        self.new = [one for one in self.new if id(one) not in known]
        return bool(self.new)

    def put(self, *, is_there: bool) -> None:
        if is_there == self.is_there:
            return
        self.is_there = is_there
        holder: Any = self._holder
        for one in self.new:
            if isinstance(holder, set):
                (set.add if is_there else set.discard)(holder, one)
                continue
            items = list.copy(holder)
            if not is_there:
                place = next((place for place, value in enumerate(items) if value is one), len(items))
                list.__delitem__(holder, slice(place, place + 1))
            elif not any(value is one for value in items):
                list.insert(holder, 0 if self.name else len(items), one)


class _Before:
    """The changes that are there."""

    def __init__(self, changes: Iterable[Change]) -> None:
        self.values: dict[tuple[int, Any], Any] = {}
        #: By holder: the identities of what was added to it.
        self.added: dict[int, set[int]] = {}
        for change in changes:
            if type(change) is _Added:
                self.added.setdefault(change.place[0], set()).update(map(id, change.new))
            elif change.is_single:
                self.values[change.place] = change.new


def _are_equal(one: Any, other: Any) -> bool:
    """Whether nothing tells these from each other but who they are."""
    if type(one) is not type(other):
        return False
    if type(one) is tuple:
        return len(one) == len(other) and all(map(_are_equal, one, other))
    return type(one) in (bool, int, float, str, bytes) and bool(one == other)


def _put(holder: Any, name: Any, value: Any) -> None:
    if isinstance(holder, logging.Logger) and name == "level":
        if holder.level != value:  # Else all loggers would forget what they have found out.
            holder.setLevel(value)
    elif isinstance(holder, logging.Logger):
        setattr(holder, name, value)
    elif (base := _base(holder)) in (dict, OrderedDict):
        if value is _ABSENT:
            base.pop(holder, name, None)
        else:
            base.__setitem__(holder, name, value)
    elif base is list:
        list.__setitem__(holder, slice(None), value)
    elif base is set:
        set.clear(holder)
        set.update(holder, value)
    elif value is _ABSENT:
        type.__delattr__(holder, name)
    else:
        type.__setattr__(holder, name, value)


class _Known:
    """What one holder held. ``owner``: the name of the module, or logger, that it belongs to."""

    __slots__ = ("holder", "is_logger", "is_object", "owner", "values")

    def __init__(
        self, owner: str, holder: Any, values: Any, *, is_logger: bool = False, is_object: bool = False
    ) -> None:
        self.owner, self.holder, self.values = owner, holder, values
        self.is_logger, self.is_object = is_logger, is_object

    def has_changed(self) -> bool:
        """Of a logger; what the others hold is compared by the worker."""
        return bool(_copy(self.holder) != self.values)

    def changes(self) -> Iterator[Change]:
        now, before = _copy(self.holder), self.values
        if isinstance(now, dict):
            for name in {**before, **now}:
                old, new = before.get(name, _ABSENT), now.get(name, _ABSENT)
                if old is new or _is_dead(name) or _is_dead(old):
                    continue
                if not self._is_passed_over(name, old, new):
                    yield Change(self.holder, name, old, new)
        elif isinstance(now, set):
            if added := list(now - before) if before <= now else []:
                yield _Added(self.holder, False, (), added)
            elif not before <= now:
                yield Change(self.holder, None, before, now)
        elif [*map(id, now[: len(before)])] == [*map(id, before)]:
            yield _Added(self.holder, False, (), now[len(before) :])
        elif [*map(id, now[len(now) - len(before) :])] == [*map(id, before)]:
            yield _Added(self.holder, True, (), now[: len(now) - len(before)])
        else:
            yield Change(self.holder, None, before, now)

    def _is_passed_over(self, name: Any, old: Any, new: Any) -> bool:
        if isinstance(self.holder, logging.Logger):
            return False
        if isinstance(self.holder, type):
            return name in _OF_CLASSES
        if self.holder is not vars(sys.modules.get(self.owner, sys)) and "__name__" not in self.holder:
            return False  # The entry of a container.
        submodule = f"{self.owner}.{name}"  # Which the cache binds, and unbinds, itself.
        is_submodule = any(
            issubclass(type(one), ModuleType) and one.__name__ == submodule for one in (old, new)
        )
        return is_submodule or str(name).startswith("__") or name in _UNCOMPARED_NAMES.get(self.owner, ())


def _get(holder: Any, name: Any) -> Any:
    """What a logger, a class or a dictionary has by this name."""
    if isinstance(holder, logging.Logger):
        return getattr(holder, name)
    return vars(holder).get(name, _ABSENT) if _is_class(holder) else dict.get(holder, name, _ABSENT)


def _is_class(holder: Any) -> bool:
    return issubclass(type(holder), type)


def _copy(holder: Any) -> Any:
    """What it holds, in a dictionary, a list or a set that nothing else knows."""
    if issubclass(type(holder), logging.Logger):
        return {name: getattr(holder, name) for name in _OF_LOGGERS}
    if _is_class(holder):
        return vars(holder).copy()
    if type(holder) is not dict and issubclass(type(holder), dict):
        # `copy` would ask the class, which may make its values when it is asked for them.
        return dict(dict.items(holder))
    return _base(holder).copy(holder)


def _base(value: Any) -> Any:
    """The built-in class that holds what it contains; a class made of it may have other ideas. Or nothing."""
    kind = type(value)
    return next((one for one in _CONTAINERS if issubclass(kind, one)), None)


def _containers(names: Mapping[Any, Any]) -> Iterator[tuple[Any, Any]]:
    """Those in these variables or attributes, with a copy of what each holds."""
    for name, value in names.items():
        if type(value) in _WEAK_CONTAINERS:
            value = value.data
        base = _base(value)
        if base is not None and base.__len__(value) <= _LARGEST and not str(name).startswith("__"):
            yield value, _copy(value)


def _attributes(value: Any) -> dict[str, Any] | None:
    """As Python itself stores them: a stand-in shows what it stands for, and may load it."""
    if type(value) is threading.local:  # It has some for each thread.
        return vars(value)
    for one in type(value).__mro__:
        if (way := vars(one).get("__dict__")) is not None:
            return way.__get__(value) if type(way) is GetSetDescriptorType else None
    return None


def _objects(package: str, names: Mapping[Any, Any], depth: int = 3) -> Iterator[dict[str, Any]]:
    """The attributes of objects of the package's own classes; of those that these have, too.

    And what they keep for this thread.
    """
    for name, value in names.items():
        kind = type(value)
        if str(name).startswith("__") or issubclass(kind, (type, ModuleType, logging.Logger)):
            continue
        is_own = str(getattr(kind, "__module__", "")).partition(".")[0] == package
        attributes = _attributes(value) if is_own or kind is threading.local else None
        if attributes is not None:
            yield attributes
            if depth > 1:
                yield from _objects(package, attributes, depth - 1)


def _is_dead(one: Any) -> bool:
    """Whether it refers to what is no more; the entry of a weak dictionary goes by itself then."""
    return isinstance(one, ref) and one() is None


class Residue:
    """All changes that modules have made to others, in the order in which they were found."""

    def __init__(self, members: Mapping[str, Member]) -> None:
        """``members``: all modules that were executed, at any time."""
        self._members = members
        self._changes: list[Change] = []
        self._known: dict[int, _Known] = {}
        #: Functions that remember their answers, and how many they did.
        self._caches: list[tuple[Any, int]] = []
        self._forgets: Callable[[str], bool] = lambda name: False
        #: Of the changes of each writer their places in the list; made when they are needed.
        self._numbers: dict[str, list[int]] | None = None
        #: Of those that any of many may have made.
        self._shared_numbers: dict[frozenset[str], list[int]] = {}

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
        uncompared = _UNCOMPARED_NAMES.get(name, ())
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
        for container, values in _containers(names):
            self._take(owner, container, values)
        package = owner.partition(".")[0]
        if package in _private.STANDARD_LIBRARY:  # Loggers are followed by name.
            return
        for attributes in _objects(package, names):
            if id(attributes) not in self._known:  # Else a module's variable, or one that another has too.
                self._take(owner, attributes, attributes.copy(), is_object=True)
                for container, values in _containers(attributes):
                    self._take(owner, container, values, is_object=True)

    def _take_logger(self, logger: logging.Logger) -> None:
        self._take(logger.name, logger, _copy(logger), is_logger=True)
        for values in (logger.handlers, logger.filters):
            self._take(logger.name, values, _copy(values), is_logger=True)

    def _take(self, owner: str, holder: Any, values: Any, **kind: bool) -> None:
        self._known.setdefault(id(holder), _Known(owner, holder, values, **kind))

    def settle(self) -> None:
        """What has changed until now has to do with this process, and with no module."""
        for one in self._changed():
            if one.is_object:
                one.values = _copy(one.holder)

    def collect(self, candidates: Mapping[str, Member], brought: Callable[[str], Container[str]]) -> None:
        """Find what has changed, and undo it.

        ``candidates``: the modules that were executed since. ``brought``: what comes with a module whenever
        that is imported; what one of these does to it is part of it.
        """
        if not self._known or not candidates:
            return
        self._numbers = None
        changed = self._changed()
        self._ascribe(changed, candidates, brought, {})
        self.undo()
        for one in changed:
            one.values = _copy(one.holder)

    def record(self, candidates: Mapping[str, Member]) -> None:
        """Find what these, which have just been executed, have changed; it stays until it is undone."""
        if not candidates:
            return
        self._numbers = None
        self._ascribe(self._changed_by_modules(), candidates, lambda name: (), _OF_PYTEST)

    def writers_among(self, candidates: Mapping[str, Member]) -> set[str]:
        """Those of these that may have made a change that nobody has recorded."""
        if not candidates:
            return set()
        suspects, found = _Candidates(candidates, self._members), set[str]()
        for one, change in self._unrecorded(self._changed_by_modules(), _OF_PYTEST):
            found.update(suspects.writers(one.owner, change))
        return found

    def accept(self, holder: Any) -> None:
        """What a module's variables, or a class, hold now is theirs."""
        if (known := self._known.get(id(holder))) is not None:
            known.values = _copy(holder)

    def restore(self) -> None:
        """Undo whatever else has changed."""
        for one in self._changed():
            for change in one.changes():
                change.put(is_there=False)
        # "Do this once" is often written so; what it did may have been undone.
        for function, size in self._caches:
            if function.cache_info().currsize != size:
                function.cache_clear()

    def _changed(self) -> list[_Known]:
        found: list[_Known] = runner.changed_holders(self._known.values())
        return found

    def _changed_by_modules(self) -> list[_Known]:
        """In a run. Objects of pytest's are then pytest's to change."""
        return [one for one in self._changed() if not (one.is_object and one.owner.startswith(_PYTEST))]

    def _unrecorded(
        self, changed: list[_Known], passed_over: Mapping[str, Container[str]]
    ) -> Iterator[tuple[_Known, Change]]:
        """What these hold that is another than the recorded changes have made of it."""
        before = _Before(change for change in self._changes if change.is_there)
        for one in changed:
            for change in one.changes():
                if change.name not in passed_over.get(one.owner, ()) and change.comes_after(before):
                    change.is_of_object = one.is_object
                    yield one, change

    def _ascribe(
        self,
        changed: list[_Known],
        candidates: Mapping[str, Member],
        brought: Callable[[str], Container[str]],
        passed_over: Mapping[str, Container[str]],
    ) -> None:
        suspects = _Candidates(candidates, self._members)
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
                    for name, new in _OF_LOGGERS.items()
                    if name == "disabled"
                    or getattr(logger, name) != new  # Somebody may disable all there are.
                ),
                *(_Added(values, False, (), list(values)) for values in lists),
            ]
            top = logger.name.partition(".")[0]
            namesakes = frozenset(name for name in candidates if name.partition(".")[0] == top)
            for change in changes:
                change.writers = namesakes or frozenset(candidates)
            self._changes += changes
            self._take(logger.name, logger, dict(_OF_LOGGERS), is_logger=True)
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
        self._numbers = None
        without = functools.cache(lambda writers: writers - gone)
        for change in self._changes if gone else ():
            change.writers = without(change.writers)
        self._changes = [one for one in self._changes if one.writers]

    def entangled(self, names: set[str]) -> set[str]:
        """Modules that may have made a change which may be of one of these, too."""
        shared = [one.writers for one in self._changes if one.is_known and not names.isdisjoint(one.writers)]
        return set().union(*shared) - names

    def redo(self, adopted: Iterable[str]) -> None:
        """Put back what these modules have left in others."""
        for change in self._of(adopted):
            change.put(is_there=True)

    def other_base(self, adopted: Iterable[str]) -> Change | None:
        """What these would put back that was made of something else than there is now."""
        present: dict[tuple[int, Any], Any] = {}
        for change in self._of(adopted):
            if change.is_there or not change.is_single or not change.is_known:
                continue
            if not change.builds_on(present.get(change.place, change.found())):
                return change
            present[change.place] = change.made_of(present.get(change.place, change.found()))
        return None

    def _of(self, writers: Iterable[str]) -> list[Change]:
        """What these have changed, in order."""
        if self._numbers is None:
            self._numbers, self._shared_numbers = {}, {}
            for number, change in enumerate(self._changes):
                if len(change.writers) > _FEW_WRITERS:
                    self._shared_numbers.setdefault(change.writers, []).append(number)
                    continue
                for writer in change.writers:
                    self._numbers.setdefault(writer, []).append(number)
        numbers, names = self._numbers, set(writers)
        found = {number for name in names for number in numbers.get(name, ())}
        for some, shared in self._shared_numbers.items():
            if not some.isdisjoint(names):
                found.update(shared)
        return [self._changes[number] for number in sorted(found)]


def _is_part_of_owner(one: _Known, change: Change, brought: Callable[[str], Container[str]]) -> bool:
    """Whether it is made whenever the owner is imported, or its package."""
    package = one.owner.partition(".")[0]
    if any(writer in brought(package) for writer in change.writers):
        return True
    return one.is_object and any(writer in brought(one.owner) for writer in change.writers)


class _Candidates:
    """The modules that may have made a change."""

    def __init__(self, candidates: Mapping[str, Member], members: Mapping[str, Member]) -> None:
        """``members``: these, and all others, by which they may have come to what they changed."""
        self.names = frozenset(candidates)
        self.source = functools.cache(lambda name: candidates[name].source())
        self._importers = _by_import(candidates)
        self._all_importers = functools.cache(lambda: _by_import(members))
        self._leading_to = functools.cache(self._all_leading_to)
        #: By object: who named what was changed of it last.
        self._likely: dict[int, list[str]] = {}

    def writers(self, owner: str, change: Change) -> list[str]:
        """Who may have made it: where its value comes from; else who imports the owner and names the change.

        None: anybody.
        """
        values = change.new if isinstance(change, _Added) else [change.new]
        origins = {
            one.__module__ for one in values if type(one) is FunctionType or issubclass(type(one), type)
        }
        if named := [name for name in origins if name in self.names and name != owner]:
            return named
        importers = [name for name in self._importers.get(owner, ()) if name != owner]
        if change.is_of_object:
            return self._writers_of_object(owner, change, importers)
        return (self._naming(change, importers) if len(importers) > 1 else importers) or importers

    def _naming(self, change: Change, names: Iterable[str]) -> list[str]:
        """Those of these whose source names it, or is not known."""
        if not (change.is_single and isinstance(change.name, str)):
            return []
        word = change.name.encode(errors="surrogatepass")
        return [name for name in names if (text := self.source(name)) is None or word in text]

    def _writers_of_object(self, owner: str, change: Change, importers: list[str]) -> list[str]:
        """An object is reached without its module's name: ``matplotlib.colormaps`` is of ``matplotlib.cm``.

        Who has made one entry is likely to have made those that nobody names (``name + "_r"``).
        """
        holder = change.place[0]
        naming = self._naming(change, importers) or self._naming(change, self._leading_to(owner))
        package = owner.partition(".")[0]
        naming = [name for name in naming if name.partition(".")[0] == package] or naming
        if naming:
            self._likely[holder] = naming
        return naming or self._likely.get(holder, importers)

    def _all_leading_to(self, owner: str) -> list[str]:
        """Those that import it, directly or not."""
        found, waiting = {owner}, [owner]
        while waiting:
            new = [name for name in self._all_importers().get(waiting.pop(), ()) if name not in found]
            found.update(new)
            waiting += new
        return [name for name in self.names if name in found and name != owner]


def _by_import(members: Mapping[str, Member]) -> dict[str, list[str]]:
    """Who imports a module."""
    found: dict[str, list[str]] = {}
    for name, one in members.items():
        for imported in one.imports:
            found.setdefault(imported, []).append(name)
    return found
