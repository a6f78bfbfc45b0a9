"""Compares stest with plain pytest, suite by suite: outcomes and order of the tests, exit code, warnings.

    python tests/parity/parity.py [--all] [-n WORKERS] [SUITE…]

Each suite runs under `python -m pytest`, then under `stest`, first and warm, all with `--junitxml`. With
`--all` in every mode: first, three warm runs, and one after an edit. A suite to which plain pytest itself
gives two answers cannot be compared, and counts as a failure. Prints a table. Exit code 0 only if nothing
differs. With `-n` all run with so many workers of pytest-xdist, and the order of the tests is not compared.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from edit import edited
from environment import prepare
from junit import Outcome
from runner import Run, Runner
from suites import ROOT, SUITES, Suite

NOT_WARM = re.compile(r"stest: .*(?:ran cold|restarted|started again)")
SHOWN = 20  # Differences a run; a suite that does not start at all differs in every test.
WARM_RUNS = 3

MODES: dict[str, dict[str, str]] = {
    "default": {},
    "resident": {"SPRINTEST_ISOLATION": "resident"},
}


class Row(NamedTuple):
    """What came of a suite."""

    suite: Suite
    tests: int
    found: dict[str, str]  # By mode: "✓", or how much differs.


def compare(expected: Run, got: Run) -> list[str]:
    """What differs, one line each."""
    lines = _outcomes_differ(Counter(expected.outcomes), Counter(got.outcomes))
    if not lines and not expected.has_workers:
        lines = _order_differs(expected.outcomes, got.outcomes)
    for what in ("exit_code", "warnings"):
        if getattr(expected, what) != getattr(got, what):
            lines.append(f"{what}: plain pytest {getattr(expected, what)}, stest {getattr(got, what)}")
    return lines


def _outcomes_differ(expected: Counter[Outcome], got: Counter[Outcome]) -> list[str]:
    """One line per report that only one side has."""
    lines = [f"only plain pytest: {o.test} {o.result} ({n}x)" for o, n in sorted((expected - got).items())]
    lines += [f"only stest: {o.test} {o.result} ({n}x)" for o, n in sorted((got - expected).items())]
    return lines


def _order_differs(expected: list[Outcome], got: list[Outcome]) -> list[str]:
    """One line at most: the first place."""
    for number, (want, found) in enumerate(zip(expected, got), start=1):
        if want != found:
            return [f"order: test {number} is {want.test} under plain pytest, {found.test} under stest"]
    return []


def summary(run: Run) -> str:
    counts = Counter(result for _, result in run.outcomes)
    tests = ", ".join(f"{count} {result}" for result, count in sorted(counts.items())) or "no tests"
    why = [f"\n    {line}" for line in run.said.splitlines() if NOT_WARM.match(line)]
    return (
        f"  {run.name:<22}{run.seconds:7.2f} s  exit {run.exit_code}  {tests}, {run.warnings} warnings"
        + "".join(why)
    )


def plain_runs(suite: Suite, is_long: bool, scratch: Path) -> list[Run]:
    """Of plain pytest: one run, and one after the edit."""
    runner = Runner(suite, scratch, {})
    runs = [runner.plain("plain pytest")]
    print(summary(runs[0]), flush=True)
    if is_long:
        with edited(suite.cwd / suite.edited):
            runs.append(runner.plain("plain pytest, edited"))
        print(summary(runs[1]), flush=True)
    return runs


def warm_runs(suite: Suite, runner: Runner, mode: str, is_long: bool) -> Iterator[Run]:
    """Of stest: the first run, warm ones, and one after the edit."""
    yield runner.warm(f"{mode}, first")
    for _ in range(WARM_RUNS if is_long else 1):
        yield runner.warm(f"{mode}, warm")
    if is_long:
        with edited(suite.cwd / suite.edited):
            yield runner.warm(f"{mode}, edited")


def check(suite: Suite, is_long: bool) -> Row:
    """Compares a suite; prints what the runs say."""
    print(suite.name, flush=True)
    with tempfile.TemporaryDirectory(prefix="stest-parity-") as scratch:
        plain = plain_runs(suite, is_long, Path(scratch))
        if wrong := unsteady(plain):
            print("\n    ".join([f"  {suite.name} cannot be compared:", *wrong]))
            return Row(suite, len(plain[0].outcomes), {"default": "unsteady"})
        found = {mode: _checked(suite, mode, plain, is_long) for mode in (MODES if is_long else ["default"])}
        return Row(suite, len(plain[0].outcomes), found)


def unsteady(plain: list[Run]) -> list[str]:
    """Why nothing can be compared with it; empty: it can."""
    if not plain[0].outcomes:
        return [f"plain pytest ran no test:\n{plain[0].output[-3000:]}{plain[0].said[-3000:]}"]
    return compare(plain[0], plain[-1])


def _checked(suite: Suite, mode: str, plain: list[Run], is_long: bool) -> str:
    """How a mode came out, in a word."""
    differing = 0
    with tempfile.TemporaryDirectory(prefix="stest-parity-") as scratch:
        runner = Runner(suite, Path(scratch), MODES[mode])
        try:
            for run in warm_runs(suite, runner, mode, is_long):
                differing += _differs(plain[0], run)
        finally:
            runner.stop()
    return f"{differing} differences" if differing else "✓"


def _differs(plain: Run, run: Run) -> int:
    """The number of differences, which it prints."""
    print(summary(run), flush=True)
    different = compare(plain, run)
    for line in different[:SHOWN]:
        print(f"    {line}")
    if different[SHOWN:]:
        print(f"    and {len(different) - SHOWN} more")
    if different:
        print(f"    the end of its output:\n{run.output[-3000:]}{run.said[-3000:]}")
    return len(different)


def table(rows: list[Row]) -> str:
    modes = [mode for mode in MODES if any(mode in row.found for row in rows)]
    lines = [f"| suite | tests | {' | '.join(modes)} |", f"|{' --- |' * (2 + len(modes))}"]
    for suite, tests, found in rows:
        cells = [found.get(mode, "") for mode in modes]
        lines.append(f"| {' | '.join([suite.title, str(tests), *cells])} |")
    return "\n".join(lines)


def newest_wheel() -> Path:
    wheels = sorted((ROOT / "build" / "dist").glob("sprintest-*.whl"), key=lambda file: file.stat().st_mtime)
    if not wheels:
        sys.exit(
            "no wheel of stest in build/dist; tests/run builds it, or: pip wheel --no-deps -w build/dist ."
        )
    return wheels[-1]


def chosen(names: list[str]) -> list[Suite]:
    known = {suite.name: suite for suite in SUITES}
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"unknown suite {', '.join(unknown)}; known: {', '.join(known)}")
    return [known[name] for name in names] or list(SUITES)


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare stest with plain pytest, suite by suite.")
    parser.add_argument("--all", action="store_true", help="every mode, three warm runs, and an edit")
    parser.add_argument("-n", type=int, default=0, dest="workers", help="workers of pytest-xdist")
    parser.add_argument("suites", nargs="*", help=f"of: {', '.join(suite.name for suite in SUITES)}")
    options = parser.parse_args()
    wheel = newest_wheel()
    rows = []
    for suite in chosen(options.suites):
        if options.workers:
            suite = suite.with_workers(options.workers)
        prepare(suite, wheel)
        rows.append(check(suite, options.all))
    print(table(rows))
    sys.exit(0 if all(set(row.found.values()) == {"✓"} for row in rows) else 1)


if __name__ == "__main__":
    main()
