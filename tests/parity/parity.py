"""Compares stest with plain pytest: every test's outcome and the exit code, suite by suite.

    python tests/parity/parity.py [SUITE…]

Each suite runs under `python -m pytest`, then twice under `stest` (first run, warm run), all with
`--junitxml`. Exit code 0 only if nothing differs.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from environment import prepare
from junit import Outcome, differences, outcomes
from suites import ROOT, SUITES, Suite

SHOWN = 20  # Differences a run; a suite that does not start at all differs in every test.


@dataclass(frozen=True)
class Run:
    """One run of a suite."""

    name: str
    exit_code: int
    outcomes: Counter[Outcome]
    seconds: float
    output: str


class Runner:
    """Runs one suite, with a daemon of its own beside any that the user has there."""

    def __init__(self, suite: Suite, scratch: Path) -> None:
        self._suite = suite
        self._scratch = scratch
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("SPRINTEST_", "PYTEST_"))}
        self._env = {**inherited, "SPRINTEST_DIR": str(scratch / "state"), **suite.env}
        self._stest = suite.python.parent / "stest"

    def plain(self) -> Run:
        return self._run("plain pytest", str(self._suite.python), "-m", "pytest")

    def warm(self, name: str) -> Run:
        return self._run(name, str(self._stest))

    def stop(self) -> None:
        subprocess.run([self._stest, "stop"], cwd=self._suite.cwd, env=self._env, capture_output=True)

    def _run(self, name: str, *program: str) -> Run:
        report = self._scratch / f"{name}.xml"
        begin = time.monotonic()
        done = subprocess.run(
            [*program, f"--junitxml={report}", *self._suite.args],
            cwd=self._suite.cwd,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        seconds = time.monotonic() - begin
        output = done.stdout.decode(errors="replace")
        return Run(name, done.returncode, outcomes(report), seconds, output)


def compare(expected: Run, got: Run) -> list[str]:
    """What differs, one line each."""
    lines = differences(expected.outcomes, got.outcomes)
    if expected.exit_code != got.exit_code:
        lines.append(f"exit code: plain pytest {expected.exit_code}, stest {got.exit_code}")
    return lines


def summary(run: Run) -> str:
    counts = Counter(result for _, result in run.outcomes.elements())
    tests = ", ".join(f"{count} {result}" for result, count in sorted(counts.items())) or "no tests"
    return f"  {run.name:<18}{run.seconds:7.2f} s  exit {run.exit_code}  {tests}"


def check(suite: Suite) -> bool:
    """Whether stest and plain pytest agree on `suite`; prints what they say."""
    print(suite.name, flush=True)
    with tempfile.TemporaryDirectory(prefix="stest-parity-") as scratch:
        runner = Runner(suite, Path(scratch))
        plain = runner.plain()
        print(summary(plain), flush=True)
        if not plain.outcomes:
            print(f"  plain pytest ran no test:\n{plain.output[-3000:]}")
            return False
        try:
            runs = [runner.warm("stest, first run"), runner.warm("stest, warm run")]
        finally:
            runner.stop()
        return [_agrees(plain, run) for run in runs] == [True, True]


def _agrees(plain: Run, run: Run) -> bool:
    print(summary(run), flush=True)
    different = compare(plain, run)
    for line in different[:SHOWN]:
        print(f"    {line}")
    if different[SHOWN:]:
        print(f"    and {len(different) - SHOWN} more")
    if different:
        print(f"    the end of its output:\n{run.output[-3000:]}")
    return not different


def newest_wheel() -> Path:
    wheels = sorted((ROOT / "build" / "dist").glob("stest-*.whl"), key=lambda file: file.stat().st_mtime)
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
    parser.add_argument("suites", nargs="*", help=f"of: {', '.join(suite.name for suite in SUITES)}")
    wheel = newest_wheel()
    agreed = []
    for suite in chosen(parser.parse_args().suites):
        prepare(suite, wheel)
        agreed.append(check(suite))
    print(f"{agreed.count(True)} suites agree, {agreed.count(False)} differ")
    sys.exit(0 if all(agreed) else 1)


if __name__ == "__main__":
    main()
