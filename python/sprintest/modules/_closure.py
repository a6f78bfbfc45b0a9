"""What importing a module would load, and everything that this went by: see ``_cache``."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sprintest.modules._member import Member
from sprintest.modules._taken import Table, table_of

#: Kinds of effects that only look at the process: they are compared, and not done again.
_LOOKED_AT = ("read", "threading", "folder")


class Closure:
    """The members that importing ``member`` would load, in order, and tables of what is to be compared.

    Immutable. All that concerns one of the members is next to its name, since some of them may be there
    already; ``rest`` is always the names of those that are not. A run that finds it made ahead reads these
    tables in place of the members, which lie on thousands of pages that a fork has to copy.
    """

    def __init__(
        self,
        member: Member,
        members: Iterable[Member],
        needed: Mapping[str, Any],
        renewed: Iterable[str] = (),
    ) -> None:
        """``needed``: the modules of every run that they import. ``renewed``: what the run has renewed."""
        self.member = member
        self.needed = dict(needed)
        self.members = sorted(members, key=lambda one: one.order)
        # The names are copies: they lie side by side, and are counted without another page of the fork's.
        named = [(one.name.encode().decode(), one) for one in self.members]
        self.modules = {name: one.module for name, one in named}
        self.names = frozenset(self.modules)
        self.own = [(name, one) for name, one in named if one.is_own]
        self.compiled = frozenset(name for name, one in named if one.is_compiled)
        self.extras = [(name, one.extras) for name, one in named if one.extras]
        self.bound = [(name, one) for name, one in named if one.bound]
        self.renewing = [(name, one) for name, one in named if one.renewals]
        #: Members that may have taken over something that is renewed, and of which modules.
        known = {*renewed, *(name for name, _ in self.renewing)}
        self.takers = [(name, one, taken) for name, one in named if (taken := one.imports & known)]
        self.of_process = [(name, one) for name, one in named if one.is_of_its_process]
        self.made_of_files = [(name, one) for name, one in named if one.files]
        self.looks = set[tuple[str, str, Any]]().union(*(one.looks for one in self.members))
        #: What would have to be searched: their names, and what they have searched in vain.
        self.sought = frozenset(self.names.union(*(one.misses for one in self.members)))
        effects = sorted(
            ((effect, name, one) for name, one in named for effect in one.effects),
            key=lambda of: of[0][0],
        )
        self.environment = [of for of in effects if of[0][1] in ("read", "write", "threading")]
        self.folders = [of for of in effects if of[0][1] == "folder"]
        self.effects = [of for of in effects if of[0][1] not in _LOOKED_AT]
        self.cycles = self._cycles()

    @functools.cached_property
    def taken(self) -> Table:
        """What the members have taken out of other modules."""
        return table_of(self.members)

    def _cycles(self) -> list[tuple[str, Member, Member]]:
        """Modules that import each other, of which another one would begin now, and which began."""
        entries = {one.name: one for one in self.members}
        found = []
        for name, one in zip(self.modules, self.members):
            entry = entries.get(one.entry)
            if entry is None or self.member is entry or self.member.order < entry.order:
                continue
            imports = self.member.imports
            if self.member is one or (one.name in imports and entry.name not in imports):
                found.append((name, one, entry))
        return found

    def can_be_repeated(self, rest: Collection[str]) -> bool:
        """Whether all of them can be executed a second time in one process."""
        return self.compiled.isdisjoint(rest)

    def taking(self, provider: str, key: str, rest: Collection[str]) -> Member | None:
        """The first member that has taken this out of a module."""
        of = (provider, key)
        found = (
            one
            for one in self.members
            if one.name in rest
            for taken in one.taken
            if (taken.provider, taken.key) == of
        )
        return next(found, None)

    def looking(self, look: Any, rest: Collection[str]) -> Member | None:
        """The first member that has looked at this."""
        return next((one for one in self.members if one.name in rest and look in one.looks), None)
