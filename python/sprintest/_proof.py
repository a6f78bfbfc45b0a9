"""The proof that a module from the stash is what executing it now would make: all that made it what it is
has stayed, its bytes, the modules that it imports (and theirs), the names that it looked for in vain, the
variables and files that it read, each compared at that moment."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from sprintest import _modules, _private, _record, _watch
from sprintest._process_state import variable
from sprintest._record import Record

#: The environment, and ``sys.path``.
_Surroundings = tuple[dict[bytes, bytes], list[str]]


class Proof(NamedTuple):
    """What it was led with: each of these is as it was, but for one if it has failed."""

    differs: Record | None
    records: set[Record]
    #: What it holds in, if it is worth remembering.
    surroundings: _Surroundings | None


class Prover:
    """Leads it for modules in ``kept``, by name, one after the other as a run imports them.

    Where a module depends on many, most of these have been looked at before, for another. What is loaded
    has what it imports; only functions, called later, may import something else. So of all that was
    remembered only this is looked at again.
    """

    #: As many are looked at sooner than it is looked up what is remembered …
    _FEW = 50
    #: … and as many for each one that would have to be looked at again: loaded modules, most of them.
    _FEW_MORE = 7

    def __init__(self, kept: Mapping[str, Record]) -> None:
        self._kept = kept
        self.forget()

    def forget(self) -> None:
        """Another run begins."""
        self._loaded: set[Record] = set()
        #: What functions of these may import, directly or not.
        self._ahead: set[Record] = set()
        self._surroundings: _Surroundings | None = None

    def prove(self, record: Record, spec: Any = None) -> Proof:
        """Try it for ``record``; ``spec``: where it was found, if that is known."""
        few = self._FEW + self._FEW_MORE * len(self._ahead)
        records = _record.closure(record, later=True, most=few)
        surroundings = None
        if len(records) > few:
            surroundings = self._revise()
            records = _record.closure(record, later=True, beyond=self.is_remembered)
        environment: dict[str, str | None] = {}
        for one in sorted(records, key=lambda r: r.order):
            if not self._is_same(one, environment, spec if one is record else None):
                return Proof(one, records, None)
            if one.name not in sys.modules:
                environment.update(one.env_writes)
        return Proof(None, records, None if environment else surroundings)

    def _revise(self) -> _Surroundings:
        """Forget everything unless all of it holds now; return what it holds in."""
        now = (dict(_private.environ_data), list(sys.path))
        if now != self._surroundings or not all(self._is_same(one, {}) for one in self._ahead):
            self.forget()
            self._surroundings = now
        assert self._surroundings is not None
        return self._surroundings

    def remember(self, proof: Proof) -> None:
        """The module that ``proof`` is for has been loaded."""
        if proof.surroundings is None or proof.surroundings is not self._surroundings:
            return
        for one in proof.records:
            self._ahead |= one.later_imports
            if sys.modules.get(one.name) is one.module:
                self._loaded.add(one)
            else:
                self._ahead |= {one, *one.imports}

    def is_remembered(self, record: Record) -> bool:
        """Whether neither ``record`` nor what it imports need be looked at again by this proof."""
        return record in self._loaded and record.alive and sys.modules.get(record.name) is record.module

    def _is_same(self, one: Record, environment: dict[str, str | None], spec: Any = None) -> bool:
        """``environment``: what will be set by then."""
        if not one.alive:
            return False
        if one.name in sys.modules:
            return sys.modules[one.name] is one.module
        found = spec if spec is not None else _watch.find(one.name, self._search_path(one.name))
        return (
            _record.place(found) == one.place
            and one.is_current()
            and all(environment.get(n, variable(n)) == value for n, value in one.env_reads.items())
            and all(_watch.find(name, self._search_path(name)) is None for name in one.misses)
        )

    def _search_path(self, name: str) -> Any:
        """Where the import system looks for ``name``: ``None`` is ``sys.path``."""
        parent = name.rpartition(".")[0]
        if not parent:
            return None
        module = sys.modules.get(parent)
        if module is None and parent in self._kept:
            module = self._kept[parent].module
        if module is not None:
            return _modules.folders(getattr(module, "__path__", []))
        # A package that will be executed again, and that sets its path itself only if it is odd.
        spec = _watch.find(parent, self._search_path(parent))
        return _modules.folders(getattr(spec, "submodule_search_locations", []))
