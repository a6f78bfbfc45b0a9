"""What is another in each process must be another in each run of stest, too."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

_TOLD = re.compile(r"FRESH (\d+) (\w+) (-?\d+)$", re.MULTILINE)
_ROUNDING_NS = 2000  # Of clocks that are read as a float.


@dataclass(frozen=True)
class Moment:
    """By the two clocks that the generated modules read."""

    clock: int
    monotonic: int

    @staticmethod
    def now() -> Moment:
        return Moment(time.time_ns(), time.monotonic_ns())


class Novelty:
    """Remembers the values of all runs, by mode and module."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], set[int]] = {}
        self.checks = 0

    def problems(self, mode: str, started: Moment, output: str) -> list[str]:
        """What this run of `mode` had that is of an earlier process, a line for each."""
        values: dict[tuple[str, str], set[int]] = {}
        for number, kind, value in _TOLD.findall(output):
            values.setdefault((number, kind), set()).add(int(value))
        self.checks += len(values)
        return sorted(line for told in values.items() for line in self._stale(mode, started, *told))

    def _stale(self, mode: str, started: Moment, told: tuple[str, str], values: set[int]) -> Iterator[str]:
        number, kind = told
        if kind == "pid" and values != {0}:
            yield f"module {number} holds the number of another process"
        elif kind in ("clock", "monotonic"):
            age = getattr(started, kind) - _ROUNDING_NS - min(values)
            if age > 0:
                yield f"module {number} holds a time ({kind}) of {age} ns before the run"
        elif kind == "random":
            seen = self._seen.setdefault((mode, number), set())
            if seen & values:
                yield f"module {number} holds the random numbers of an earlier run"
            seen |= values
