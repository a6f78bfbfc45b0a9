"""What stest is to reach, as ratios of medians of one run of the benchmark."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from results import Results

FORK, RESIDENT = "stest", "stest resident"


@dataclass(frozen=True)
class Goal:
    """A bound on a value; `value` raises LookupError where what it is made of was not measured."""

    what: str
    bound: float
    value: Callable[[Results], float]
    unit: str = "x"
    at_least: bool = True

    @property
    def wanted(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.bound:g} {self.unit}"

    def reached(self, results: Results) -> tuple[float, bool] | None:
        """The value, and whether it holds; None: not measured."""
        try:
            value = self.value(results)
        except LookupError:
            return None
        return value, value >= self.bound if self.at_least else value <= self.bound


def _faster(what: str, bound: float, case: str, rival: str, than: str) -> Goal:
    return Goal(what, bound, lambda r: r.median(case, than) / r.median(case, rival))


def _faster_than_others(what: str, bound: float, case: str, rival: str) -> Goal:
    return Goal(what, bound, lambda r: r.best_other(case) / r.median(case, rival))


def _at_most(what: str, bound: float, value: Callable[[Results], float], unit: str = "x") -> Goal:
    return Goal(what, bound, value, unit, at_least=False)


GOALS = (
    _faster("example, fork: than pytest", 40, "example", FORK, "pytest"),
    _faster("example, fork: than Sprintest", 5, "example", FORK, "sprintest"),
    _faster("example, fork: than pytest-fast", 2, "example", FORK, "pytest-fast"),
    _faster("example, resident: than pytest", 60, "example", RESIDENT, "pytest"),
    _faster("example, resident: than Sprintest", 8, "example", RESIDENT, "sprintest"),
    Goal(
        "example with `sprintest.warm`, fork: than pytest without",
        60,
        lambda r: r.median("example", "pytest") / r.median("example-warm", FORK),
    ),
    Goal(
        "example with `sprintest.warm`, fork: than pytest-fast without",
        3,
        lambda r: r.median("example", "pytest-fast") / r.median("example-warm", FORK),
    ),
    _at_most(
        "2 s after the edit of a leaf, fork: of unchanged",
        1.1,  # "As the unchanged case": what a quiet machine's noise may add.
        lambda r: r.median("leaf-2s", FORK) / r.median("one", FORK),
    ),
    _at_most(
        "2 s after the edit of a leaf, resident: of unchanged",
        1.1,
        lambda r: r.median("leaf-2s", RESIDENT) / r.median("one", RESIDENT),
    ),
    _faster("at once after the edit of a leaf, fork: than pytest", 20, "leaf", FORK, "pytest"),
    _faster_than_others("at once after the edit of a leaf, fork: than right rivals", 2.5, "leaf", FORK),
    _faster("at once after the edit of a leaf, resident: than pytest", 30, "leaf", RESIDENT, "pytest"),
    _faster_than_others("at once after the edit of a leaf, resident: than right rivals", 3, "leaf", RESIDENT),
    _at_most(
        "run done ahead over pytest's own durations", 30, lambda r: 1000 * r.median("overhead", FORK), "ms"
    ),
    _at_most(
        "first run, cold: of pytest",
        1.1,
        lambda r: r.median("cold", FORK) / r.median("cold", "pytest"),
    ),
    _at_most(
        "1,000 trivial tests: over what pytest reports for itself",
        30,
        lambda r: 1000 * (r.median("thousand", FORK) - r.median("thousand-own", "pytest")),
        "ms",
    ),
    _at_most("300 modules, unchanged", 45, lambda r: 1000 * r.median("big", FORK), "ms"),
    _faster("300 modules, at once after the edit of a leaf: than pytest", 10, "big-leaf", FORK, "pytest"),
    _faster("300 modules, after the edit of one in the middle", 2, "big-middle", FORK, "pytest"),
    _faster("300 modules, other arguments than last time", 4, "big-other", FORK, "pytest"),
    _at_most(
        "example, other arguments than last time: over the same ones",
        60,
        lambda r: 1000 * (r.median("other", FORK) - r.median("one", FORK)),
        "ms",
    ),
    _faster("no heavy import: than pytest", 5, "light", FORK, "pytest"),
    _faster("client alone (`status`): than Sprintest", 20, "status", FORK, "sprintest"),
    _at_most("idle daemon without worker", 12, lambda r: r.median("idle", FORK), "MB"),
)
