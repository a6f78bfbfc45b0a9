"""One change that a module has made to another, which can be undone and made once more."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable
from typing import Any

from sprintest.modules import _graph
from sprintest.modules.residue._contents import ABSENT, get, put


class Change:
    """A variable, an attribute or an entry that has another value than before. ``old``, ``new``: these."""

    __slots__ = (
        *("_holder", "name", "_old", "new"),
        *("writers", "is_known", "is_there", "is_of_object", "step"),
    )

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
        return get(self._holder, self.name)

    def builds_on(self, value: Any) -> bool:
        """Whether it can be made of this; a wrapper can not.

        Of nothing, or of a switch, nothing is made: a cache is filled, say.
        """
        if not self.is_conditional:
            return True
        if self.step is not None and type(value) is int:
            return True
        return any(value is one or are_equal(value, one) for one in (self._old, self.new))

    @property
    def is_conditional(self) -> bool:
        """Whether it depends on what there is; see ``builds_on``."""
        return not (self._old is None or self._old is ABSENT or type(self._old) is bool)

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

    def comes_after(self, before: Before) -> bool:
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
                put(self._holder, self.name, self._counted(is_there))
            elif is_there:
                put(self._holder, self.name, self.new)
            elif self.name is None or get(self._holder, self.name) is self.new:
                put(self._holder, self.name, self._old)  # Else somebody has changed it since.

    def _counted(self, is_there: bool) -> Any:
        value = self.found()
        if is_there:
            self._old, self.new = value, self.made_of(value)  # What comes after it is told from this.
            return self.new
        return value - self.step if type(value) is int and self.step is not None else self._old


class Added(Change):
    """What a list or a set holds that it did not hold before. ``name``: whether it was put in front."""

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
    """The changes that are there."""

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
    """Whether nothing tells these from each other but who they are."""
    if type(one) is not type(other):
        return False
    if type(one) is tuple:
        return len(one) == len(other) and all(map(are_equal, one, other))
    return type(one) in (bool, int, float, str, bytes) and bool(one == other)
