"""One executed module: what it was made from, and what follows from that for others."""

from __future__ import annotations

import importlib.machinery
import math
from collections.abc import Iterable
from types import FunctionType, ModuleType
from typing import Any, Callable, Optional

from sprintest import _fingerprint, _graph, _private
from sprintest._fingerprint import Fingerprint
from sprintest._own import open
from sprintest._process_state import marks

#: The bytes that were executed, the kind and the text of what they raised.
Failure = tuple[Optional[bytes], type, str]


class Record:
    """One executed (or namespace) module, and what it was made from."""

    def __init__(self, spec: Any, order: int) -> None:
        self.name: str = spec.name
        self.order = order
        self.spec = spec
        self.place = place(spec)
        self.module: Any = None
        #: Why no other run may use it: something in it happens only when it is executed. Empty if none.
        self.fleeting = ""
        #: Whether its execution failed, or that of a module that it may hold on to.
        self.failed = False
        #: What its own execution raised, and from which bytes.
        self.failure: Failure | None = None
        #: Whether it is what its name stands for: in the stash or in the present run.
        self.alive = True
        #: Whether it was the attribute of its package that bears its name.
        self.bound = False
        self.imports: set[Record] = set()
        self.later_imports: set[Record] = set()
        self.names: _graph.Names = set()
        self.later_names: _graph.Names = set()
        self.misses: set[str] = set()
        self.env_reads: dict[str, str | None] = {}
        self.env_writes: dict[str, str | None] = {}
        self.files: dict[str, Fingerprint] = {}
        self.marks = marks()
        self._before = _fingerprint.file_state(spec.origin) if spec.has_location else None

    def complete(self, module: Any) -> None:
        """Take down what it is made of, once it has been executed."""
        self.module = module
        if not self.spec.has_location:
            return
        self.files[self.spec.origin] = Fingerprint(self.spec.origin, self._before)
        now, later = _graph.imported_names(_source(self.spec.origin), self.spec.parent or "")
        self.names |= now
        self.later_names |= later

    def is_current(self) -> bool:
        """Whether every file that it was made from still holds the same bytes."""
        return all(file.is_current() for file in self.files.values())

    def is_extension(self) -> bool:
        return isinstance(self.spec.loader, importlib.machinery.ExtensionFileLoader)


def origin(value: Any) -> str:
    """The module that a global variable's value is, or comes from, however it was imported."""
    if isinstance(value, ModuleType):
        name = getattr(value, "__name__", "")
    else:
        name = getattr(value if isinstance(value, (type, FunctionType)) else type(value), "__module__", "")
    return name if isinstance(name, str) else ""


def _source(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read() if path.endswith((".py", ".pyw")) else b""
    except OSError:
        return b""


def place(spec: Any) -> tuple[object, ...]:
    """Where a module comes from. A namespace package has no place: it follows its search path itself."""
    if spec is None or not spec.has_location:
        return (None, spec is not None and spec.submodule_search_locations is not None)
    return (type(spec.loader), spec.origin, list(spec.submodule_search_locations or ()))


def is_rewritten(spec: Any) -> bool:
    return _private.is_rewriting(spec.loader)


def dependents(records: Iterable[Record], among: Iterable[Record]) -> list[Record]:
    """``records``, and those ``among`` others that import them, directly or not; the nearest first."""
    found = dict.fromkeys(records)
    if not found:
        return []
    importers: dict[Record, list[Record]] = {}
    for record in among:
        for target in record.imports | record.later_imports:
            importers.setdefault(target, []).append(record)
    waiting = list(found)
    while waiting:
        for importer in importers.get(waiting.pop(0), ()):
            if importer not in found:
                found[importer] = None
                waiting.append(importer)
    return list(found)


def _never(record: Record) -> bool:
    return False


def closure(
    record: Record, *, later: bool, beyond: Callable[[Record], bool] = _never, most: float = math.inf
) -> set[Record]:
    """What ``record`` imports, directly or not, and itself; with ``later``, in functions too.

    Without those that are ``beyond`` it, and what only they import. If there are more than ``most``, only
    some, but more than that.
    """
    seen = {record}
    waiting = [record]
    while waiting and len(seen) <= most:
        one = waiting.pop()
        for target in (one.imports | one.later_imports) if later else one.imports:
            if target not in seen and not beyond(target):
                seen.add(target)
                waiting.append(target)
    return seen
