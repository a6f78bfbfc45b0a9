"""The closures of modules in the cache: which modules come with which. See ``_cache``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Container, Iterable, Mapping, Set
from typing import Any

from sprintest.modules._closure import Closure
from sprintest.modules._difference import Difference
from sprintest.modules._member import Member

#: How many members a closure has that is made ahead.
_WORTH_PREPARING = 64


class Closures:
    """Finds what importing a member would load in this run.

    ``visible``: the modules that every run has. ``adopted``: the names of members that this run has adopted.
    ``was_in_run``: whether it has adopted or executed a member. ``spoilt``: the members that it has to
    execute. ``renewed``: those of which it has renewed variables.
    """

    def __init__(
        self,
        members: Mapping[str, Member],
        visible: Mapping[str, Any],
        adopted: Set[str],
        was_in_run: Callable[[Member], bool],
        spoilt: Container[str],
        renewed: Iterable[str],
    ) -> None:
        self._members, self._visible = members, visible
        self._adopted, self._was_in_run = adopted, was_in_run
        self._spoilt, self._renewed = spoilt, renewed
        self._prepared: dict[str, Closure] = {}

    def forget(self) -> None:
        """The members change."""
        self._prepared.clear()

    def prepare(self, names: Iterable[str]) -> None:
        """Make the closures ahead of what a run imports that begins with these, in this order."""
        brought: set[str] = set()
        for name in names:
            member = self._members.get(name)
            if member is None or name in brought:
                continue
            found, needed, difference = self.reachable(member)
            brought |= found.keys()
            if difference is None and len(found) >= _WORTH_PREPARING:
                closure = self._prepared[name] = Closure(member, found.values(), needed)
                _ = closure.taken

    def of(self, member: Member) -> tuple[Closure, Set[str], Difference | None]:
        """What importing it would load, the names of what is not there yet, and what stands in its way."""
        prepared = self._prepared.get(member.name)
        if prepared is not None and (rest := self._rest_of(prepared)) is not None:
            return prepared, rest, None
        found, needed, difference = self.reachable(member)
        closure = Closure(member, found.values(), needed, self._renewed)
        return closure, closure.names, difference

    def needed(self, member: Member) -> Iterable[str]:
        """The names of modules of every run that importing it needs."""
        prepared = self._prepared.get(member.name)
        return prepared.needed if prepared is not None else self.reachable(member)[1]

    def _rest_of(self, closure: Closure) -> Set[str] | None:
        """The names of its members that are not there; ``None`` where these are not all that import them."""
        loaded = sys.modules
        there = closure.names & loaded.keys()
        rest = closure.names - there
        is_as_made = (
            not self._spoilt
            and there <= self._adopted
            and rest.isdisjoint(self._adopted)
            and all(loaded[name] is closure.modules[name] for name in there)
            and all(loaded.get(name) is one for name, one in closure.needed.items())
        )
        return rest if is_as_made else None

    def reachable(self, member: Member) -> tuple[dict[str, Member], dict[str, Any], Difference | None]:
        """What importing it would load in this run, modules of every run that it needs, and an obstacle."""
        loaded, members, visible = sys.modules, self._members, self._visible
        found = {member.name: member}
        needed: dict[str, Any] = {}
        waiting = [member]
        difference = None
        seen = {"", member.name}  # Most are imported by many.
        while waiting:
            one = waiting.pop()
            names = {*one.imports, one.package} - seen
            seen |= names
            for name in names:
                other = members.get(name)
                if other is None:
                    if name in visible:
                        needed[name] = visible[name]
                        if loaded.get(name) is not visible[name]:
                            difference = Difference(one, f"{name} is another module now")
                elif name in loaded:
                    if loaded[name] is other.module:
                        continue
                    if name in one.imports or not one.is_own:
                        difference = Difference(one, f"{name} is another module now")
                    else:  # To one of the project it is of no consequence in what package it lies.
                        seen.discard(name)
                elif self._was_in_run(other):
                    difference = Difference(one, f"{name} was imported before, and has gone")
                else:
                    found[name] = other
                    waiting.append(other)
        return found, needed, difference

    def dependents(self, names: Iterable[str]) -> list[str]:
        """Those of ``names`` that are here, and all that import them, directly or not; the nearest first."""
        importers: dict[str, list[str]] = {}
        for name, one in self._members.items():
            # A package of the project is not imported by what lies in it, unless that says so.
            for imported in (*one.imports, *one.later) if one.is_own else (*one.imports, one.package):
                importers.setdefault(imported, []).append(name)
        found = dict.fromkeys(name for name in names if name in self._members)
        waiting = list(found)
        for name in waiting:
            for importer in importers.get(name, ()):
                if importer not in found:
                    found[importer] = None
                    waiting.append(importer)
        return waiting

    def later(self, closure: Closure) -> list[Member]:
        """What else modules of the project may come by in the project, by functions that they call."""
        found: dict[str, Member] = {}
        waiting = [one for _, one in closure.own]
        seen = set(closure.names) if waiting else set()
        while waiting:
            for name in (one := waiting.pop()).later | one.imports:
                other = self._members.get(name)
                if other is not None and other.is_own and name not in seen and name not in sys.modules:
                    seen.add(name)
                    found[name] = other
                    waiting.append(other)
        return list(found.values())
