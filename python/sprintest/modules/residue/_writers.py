"""Finds the writers of a change: the modules that may have made it."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from types import FunctionType

from sprintest.modules._member import Member
from sprintest.modules.residue._changes import Added, Change


class Candidates:
    """The modules among which the writers are."""

    def __init__(self, candidates: Mapping[str, Member], members: Mapping[str, Member]) -> None:
        """``members``: these and all others, through which they may have reached what they changed."""
        self.names = frozenset(candidates)
        self.source = functools.cache(lambda name: candidates[name].source())
        self._importers = _by_import(candidates)
        self._all_importers = functools.cache(lambda: _by_import(members))
        self._leading_to = functools.cache(self._all_leading_to)
        #: By object: the modules that name its last change.
        self._likely: dict[int, list[str]] = {}

    def writers(self, owner: str, change: Change) -> list[str]:
        """The modules that its value comes from; else those that import the owner and name the change.

        Empty: any candidate may have made it.
        """
        values = change.new if isinstance(change, Added) else [change.new]
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
        """Those of these modules whose source names the change, or is not known."""
        if not (change.is_single and isinstance(change.name, str)):
            return []
        word = change.name.encode(errors="surrogatepass")
        return [name for name in names if (text := self.source(name)) is None or word in text]

    def _writers_of_object(self, owner: str, change: Change, importers: list[str]) -> list[str]:
        """Code may reach an object by another name: ``matplotlib.colormaps`` is in ``matplotlib.cm``.

        A module that has made one entry has probably made those that no source names (``name + "_r"``).
        """
        holder = change.place[0]
        naming = self._naming(change, importers) or self._naming(change, self._leading_to(owner))
        package = owner.partition(".")[0]
        naming = [name for name in naming if name.partition(".")[0] == package] or naming
        if naming:
            self._likely[holder] = naming
        return naming or self._likely.get(holder, importers)

    def _all_leading_to(self, owner: str) -> list[str]:
        """The candidates that import it, directly or indirectly."""
        found, waiting = {owner}, [owner]
        while waiting:
            new = [name for name in self._all_importers().get(waiting.pop(), ()) if name not in found]
            found.update(new)
            waiting += new
        return [name for name in self.names if name in found and name != owner]


def _by_import(members: Mapping[str, Member]) -> dict[str, list[str]]:
    """The importers of each module."""
    found: dict[str, list[str]] = {}
    for name, one in members.items():
        for imported in one.imports:
            found.setdefault(imported, []).append(name)
    return found
