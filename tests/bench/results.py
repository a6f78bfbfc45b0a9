"""What came out: the samples of each case and rival, and what can be asked of them."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field

from cases import Sample


@dataclass
class Measurement:
    """All samples of one rival in one case."""

    case: str
    rival: str
    values: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)  # One per sample that is wrong, or why there is none.

    def add(self, sample: Sample) -> None:
        self.values.append(sample.value)
        if sample.problem:
            self.problems.append(sample.problem)

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def verdict(self) -> str:
        """What is wrong, with its frequency where it was not always so; nothing: every answer was right."""
        wrong, taken = len(self.problems), len(self.values)
        if not wrong:
            return ""
        return statistics.mode(self.problems) + (f" ({wrong} of {taken})" if wrong < taken else "")


class Results:
    """Measurements in the order in which they were begun."""

    def __init__(self) -> None:
        self._all: dict[tuple[str, str], Measurement] = {}

    def __iter__(self) -> Iterator[Measurement]:
        return iter(self._all.values())

    def of(self, case: str, rival: str) -> Measurement:
        return self._all.setdefault((case, rival), Measurement(case, rival))

    def case(self, name: str) -> list[Measurement]:
        return [m for m in self if m.case == name]

    def median(self, case: str, rival: str) -> float:
        """LookupError if it was not measured, or if any answer was wrong."""
        measurement = self._all[case, rival]
        if measurement.problems:
            raise LookupError(measurement.verdict)
        return measurement.median

    def best_other(self, case: str) -> float:
        """The lowest median of those besides stest and plain pytest whose every answer was right."""
        others = [m for m in self.case(case) if m.rival != "pytest" and not m.rival.startswith("stest")]
        right = [m.median for m in others if not m.problems]
        if not right:
            raise LookupError("no rival's answers were right")
        return min(right)
