"""Would the import of what was loaded ahead go another way in this run? See ``_cache``."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Set
from typing import Any, Callable

from sprintest.modules import _modules
from sprintest.modules._closure import Closure
from sprintest.modules._effects import threading_variables
from sprintest.modules._fingerprint import LOOKS, UNKNOWN, State, file_state, is_settled
from sprintest.modules._member import Member
from sprintest.modules._taken import other_value
from sprintest.process import _private
from sprintest.process._own import os
from sprintest.process._process_state import variable


class Difference:
    """Why a module cannot be adopted: the import of ``member`` would go another way now."""

    def __init__(
        self,
        member: Member,
        reason: str,
        variables: dict[str, str | None] | None = None,
        is_outdated: bool = False,
        is_patch: bool = False,
    ) -> None:
        self.member = member
        self.reason = reason
        #: Those that have another value than when it was loaded, with the one that they have now.
        self.variables = variables or {}
        #: What was loaded is of no use to any run.
        self.is_outdated = is_outdated
        #: Something that it used has been replaced. While a test runs, that is for the test, and not for the
        #: module.
        self.is_patch = is_patch


class Comparison:
    """Of what closures went by when they were loaded, with what is there now.

    ``loaded``: the module of a name that was loaded ahead, or is every run's. ``puts``: whether a module that
    was loaded ahead puts this value into these variables.
    """

    def __init__(
        self, loaded: Callable[[str], Any], puts: Callable[[Mapping[str, Any], str, Any], bool]
    ) -> None:
        self._loaded, self._puts = loaded, puts
        self._finders: list[Any] = []
        self._hooks: list[Any] = []
        self._names_in: dict[str, tuple[State | None, frozenset[str]]] = {}

    def begin(self) -> None:
        """Modules are loaded from here on."""
        self._finders += sys.meta_path
        self._hooks += sys.path_hooks

    def learn(self, member: Member) -> None:
        """What it adds to the import system is known where it was loaded ahead."""
        for _, kind, name, value in member.effects:
            if kind in ("first", "last"):
                known = {"meta_path": self._finders, "path_hooks": self._hooks}
                known.get(name, []).append(value)

    def find(self, closure: Closure, rest: Set[str]) -> Difference | None:
        """The first difference that there is for ``rest``, the names of members that are to be adopted."""
        return (
            _other_process(closure, rest)
            or _other_variable(closure, rest)
            or _other_file(closure, rest)
            or _other_loggers(closure, rest)
            or _forbidden_warning(closure, rest)
            or _other_entry(closure, rest)
            or self._other_value(closure, rest)
            or self._other_finder(closure, rest)
            or self._other_place(closure, rest)
        )

    def _other_value(self, closure: Closure, rest: Set[str]) -> Difference | None:
        """Tests may have put something else in the place of what a module has taken."""
        if (found := other_value(closure.taken, rest, self._puts)) is None:
            return None
        one = closure.taking(*found, rest)
        of = ".".join(found)
        reason = f"{one.name if one else closure.member.name} uses {of} when imported, which is another now"
        return Difference(one or closure.member, reason, is_patch=True)

    def _other_finder(self, closure: Closure, rest: Set[str]) -> Difference | None:
        """New finders are asked about all that would be imported; a new hook may change any import."""
        if [one for one in sys.path_hooks if one not in self._hooks]:
            return Difference(closure.member, "sys.path_hooks has changed")
        known = self._finders
        finders = [one for one in sys.meta_path if one not in known and not _private.is_rewriting(one)]
        for one in closure.members if finders else ():
            path = getattr(self._loaded(one.package), "__path__", None)
            for finder in finders if one.name in rest and one is not closure.member else ():
                if _finds(finder, one.name, path):
                    return Difference(one, f"{finder!r} finds {one.name}")
        return None

    def _other_place(self, closure: Closure, rest: Set[str]) -> Difference | None:
        """A folder of this run's path may hold a namesake, or a module that was not found then."""
        there = self._names_on_path()
        for one in closure.members if closure.own or there & closure.sought else ():
            for name in {one.name, *one.misses} if one.name in rest else ():
                if name not in there and not one.is_own:
                    continue
                found = _modules.find(name, self._search_path(name))
                if found is not None if name in one.misses else not one.leads_to(found):
                    return Difference(one, f"an import of {name} leads elsewhere now")
        return None

    def _search_path(self, name: str) -> Any:
        """Where the import system looks for ``name``: ``None`` is ``sys.path``."""
        package = name.rpartition(".")[0]
        if not package:
            return None
        module = sys.modules.get(package) or self._loaded(package)
        if module is not None:
            return _modules.folders(getattr(module, "__path__", []))
        # A package that will be executed, and that sets its path itself only if it is odd.
        spec = _modules.find(package, self._search_path(package))
        return _modules.folders(getattr(spec, "submodule_search_locations", []))

    def _names_on_path(self) -> frozenset[str]:
        """What could be imported from folders of ``sys.path`` in which nothing is installed."""
        names: set[str] = set()
        for entry in sys.path:
            folder = os.path.join(entry, "") if isinstance(entry, str) else ""
            if folder and not _modules.is_installed(folder):
                names |= self._names_of(folder)
        return frozenset(names)

    def _names_of(self, folder: str) -> frozenset[str]:
        state, names = self._names_in.get(folder, (UNKNOWN, frozenset()))
        if (now := file_state(folder)) != state:
            names = frozenset(name for name, _ in _modules.modules_in(folder))
            self._names_in[folder] = (now if is_settled(now) else UNKNOWN, names)
        return names


def _other_process(closure: Closure, rest: Set[str]) -> Difference | None:
    """What cannot be loaded twice is used all the same, unless it is random."""
    for name, one in closure.of_process:
        if name in rest and (one.draws or closure.can_be_repeated(rest)):
            return Difference(one, f"{name} {one.kinds[0]} when it is imported")
    return None


def _other_file(closure: Closure, rest: Set[str]) -> Difference | None:
    for name, one in closure.made_of_files:
        if name in rest and not one.is_current():
            return Difference(one, f"{name} has changed")
    for (_, _, _, folder), name, one in closure.folders:
        if name in rest and os.getcwd() != folder:
            return Difference(one, f"{name} was loaded in the folder {folder}")
    for look in closure.looks:  # Thousands of modules have looked at the same few files.
        kind, path, state = look
        # A relative path is one of the folder of this very moment.
        if LOOKS[kind](path) != state and (looking := closure.looking(look, rest)):
            reason = f"{looking.name} has looked at {path}, which changed"
            return Difference(looking, reason, is_outdated=True)
    return None


def _other_loggers(closure: Closure, rest: Set[str]) -> Difference | None:
    """`basicConfig` does nothing where the root logger has a handler, as pytest has.

    What cannot be loaded twice is used all the same; then it does nothing indeed.
    """
    if logging.root.handlers and closure.can_be_repeated(rest):
        for effect, name, one in closure.effects:
            if effect[2] == "root" and name in rest:
                return Difference(one, f"{name} configures the root logger, which has handlers now")
    return None


def _other_entry(closure: Closure, rest: Set[str]) -> Difference | None:
    """Modules that import each other: does the same one begin?

    What cannot be loaded twice is used all the same.
    """
    for name, one, entry in closure.cycles:
        if name in rest and entry.name in rest and closure.can_be_repeated(rest):
            return Difference(one, f"{name} is imported before {entry.name} now")
    return None


def _forbidden_warning(closure: Closure, rest: Set[str]) -> Difference | None:
    for (_, kind, module, value), name, one in closure.effects:
        if kind == "warning" and name in rest:
            text, category = str(value.warning.message), value.warning.category
            if _private.action_for(text, category, module, value.warning.lineno) == "error":
                return Difference(one, f"{name} warns when it is imported, which is an error here")
    return None


def _other_variable(closure: Closure, rest: Set[str]) -> Difference | None:
    written: dict[str, str | None] = {}
    for (_, kind, name, value), reader, one in closure.environment:
        if reader not in rest:
            continue
        if kind == "write":
            written[name] = value
            continue
        if kind == "read":
            before, now = {name: value}, {name: written.get(name, variable(name))}
        else:
            prefixes = tuple(name.split())
            set_by_it = {
                one: new for one, new in written.items() if new is not None and one.startswith(prefixes)
            }
            before, now = value, {**threading_variables(prefixes), **set_by_it}
        changed = {name: now.get(name) for name in {**before, **now} if now.get(name) != before.get(name)}
        if changed:
            name = min(changed)
            return Difference(one, _describe(one, name, before.get(name), changed[name]), changed)
    return None


def _describe(member: Member, name: str, before: str | None, now: str | None) -> str:
    def shown(value: str | None) -> str:
        return "unset" if value is None else repr(value)

    return f"{member.name} was loaded when {name} was {shown(before)}; it is {shown(now)} now"


def _finds(finder: Any, name: str, path: Any) -> bool:
    try:
        return finder.find_spec(name, path, None) is not None
    except Exception:
        return True
