"""A change that a module has made in another one. It can be undone and repeated."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable
from typing import Any

from sprintest.modules import _graph
from sprintest.modules.residue._contents import ABSENT, get, put


class Change:
    """A variable, an attribute or an entry has another value, ``new``, than before, ``old``."""

    __slots__ = (
        *("_holder", "name", "_old", "new"),
        *("writers", "is_known", "is_there", "is_of_object", "step"),
    )

    def __init__(self, holder: Any, name: Any, old: Any, new: Any) -> None:
        self._holder, self.name, self._old, self.new = holder, name, old, new
        #: Modules that may have made it.
        self.writers: frozenset[str] = frozenset()
        #: Whether the writers are known to have access to its place; else they are all candidates.
        self.is_known = False
        self.is_there = True
        #: Whether it is in an attribute of an object, or in a container there.
        self.is_of_object = False
        #: The difference, if the change only counts up or down.
        self.step: int | None = None

    @property
    def place(self) -> tuple[int, Any]:
        return id(self._holder), self.name

    def found(self) -> Any:
        """The present value in its place."""
        return get(self._holder, self.name)

    def builds_on(self, value: Any) -> bool:
        """Whether it can be repeated if its place has ``value`` now. A wrapper of another value cannot.

        If the old value was nothing, or a switch, the change does not depend on it: it fills a cache, say.
        """
        if not self.is_conditional:
            return True
        if self.step is not None and type(value) is int:
            return True
        return any(value is one or are_equal(value, one) for one in (self._old, self.new))

    @property
    def is_conditional(self) -> bool:
        """Whether it depends on the present value; see ``builds_on``."""
        return not (self._old is None or self._old is ABSENT or type(self._old) is bool)

    def made_of(self, value: Any) -> Any:
        """The value that it puts in the place of ``value``."""
        return value + self.step if self.step is not None and type(value) is int else self.new

    def look_for_step(self, sources: Iterable[bytes | None]) -> None:
        """Set ``step`` if the change only counts. ``sources``: those of its writers."""
        if type(self._old) is int and type(self.new) is int:
            found = [_graph.settings_of(source, self.name) if source else [False] for source in sources]
            settings = [is_step for one in found for is_step in one]
            if settings and all(settings):
                self.step = self.new - self._old

    def comes_after(self, before: Before) -> bool:
        """Whether it is not among the changes that were made before."""
        self._old = before.values.get(self.place, self._old)
        return self._old is not self.new

    @property
    def is_single(self) -> bool:
        """Whether it changes one variable, attribute or entry. Settings of loggers do not count."""
        return self.name is not None and not isinstance(self._holder, logging.Logger)

    def put(self, *, is_there: bool) -> None:
        """Repeat the change, or undo it."""
        if is_there == self.is_there:
            return
        self.is_there = is_there
        with contextlib.suppress(Exception):  # A class in C allows no changes.
            if self.step is not None:
                put(self._holder, self.name, self._counted(is_there))
            elif is_there:
                put(self._holder, self.name, self.new)
            elif self.name is None or get(self._holder, self.name) is self.new:
                put(self._holder, self.name, self._old)  # Else other code has changed it since.

    def _counted(self, is_there: bool) -> Any:
        value = self.found()
        if is_there:
            self._old, self.new = value, self.made_of(value)  # Later changes are compared with this.
            return self.new
        return value - self.step if type(value) is int and self.step is not None else self._old


class Added(Change):
    """Elements that were added to a list or a set. ``name``: whether they were added in front."""

    __slots__ = ()
    is_single = False

    def comes_after(self, before: Before) -> bool:
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


class Before:
    """The known changes that are in effect."""

    def __init__(self, changes: Iterable[Change]) -> None:
        self.values: dict[tuple[int, Any], Any] = {}
        #: By holder: the identities of what was added to it.
        self.added: dict[int, set[int]] = {}
        for change in changes:
            if type(change) is Added:
                self.added.setdefault(change.place[0], set()).update(map(id, change.new))
            elif change.is_single:
                self.values[change.place] = change.new


def are_equal(one: Any, other: Any) -> bool:
    """Whether these differ in nothing but their identity."""
    if type(one) is not type(other):
        return False
    if type(one) is tuple:
        return len(one) == len(other) and all(map(are_equal, one, other))
    return type(one) in (bool, int, float, str, bytes) and bool(one == other)
