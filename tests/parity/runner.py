"""Runs one suite, under plain pytest or under stest."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from junit import Outcome, outcomes
from suites import Suite

READY_WITHIN = 120.0  # Seconds; with a large library on a busy machine.

LAST_LINE = re.compile(r"^.* in \d+\.\d\ds\b.*$", re.MULTILINE)
WARNINGS = re.compile(r"(\d+) warnings?")


@dataclass(frozen=True)
class Run:
    """One run of a suite."""

    name: str
    exit_code: int
    outcomes: list[Outcome]
    warnings: int
    seconds: float
    output: str
    said: str  # By stest, or by tests, on stderr.
    has_workers: bool = False


class Runner:
    """Runs with a daemon of their own, beside any that the user has there."""

    def __init__(self, suite: Suite, scratch: Path, mode: dict[str, str]) -> None:
        self._suite = suite
        self._report = scratch / "report.xml"
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("SPRINTEST_", "PYTEST_"))}
        waits = {"SPRINTEST_WAIT_FOR_WORKER": "yes"}  # What is compared is what warm runs answer.
        self._env = {**inherited, "SPRINTEST_DIR": str(scratch / "state"), **waits, **mode, **suite.env}
        self._stest = suite.python.parent / "stest"

    def plain(self, name: str) -> Run:
        return self._run(name, str(self._suite.python), "-m", "pytest")

    def warm(self, name: str) -> Run:
        self._wait_until_ready()
        return self._run(name, str(self._stest))

    def stop(self) -> None:
        self._command("stop")

    def _wait_until_ready(self) -> None:
        """What comes earlier is answered as well, but not by a warm process."""
        deadline = time.monotonic() + READY_WITHIN
        while time.monotonic() < deadline:
            if json.loads(self._command("status", "--json"))["state"] != "warming":
                break
            time.sleep(0.5)
        time.sleep(1)  # The next runner collects the tests.

    def _command(self, *args: str) -> bytes:
        command = [str(self._stest), *args]
        return subprocess.run(command, cwd=self._suite.cwd, env=self._env, capture_output=True).stdout

    def _run(self, name: str, *program: str) -> Run:
        self._report.unlink(missing_ok=True)
        begin = time.monotonic()
        done = subprocess.run(
            [*program, f"--junitxml={self._report}", *self._suite.args],
            cwd=self._suite.cwd,
            env=self._env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )
        seconds = time.monotonic() - begin
        output, said = (text.decode(errors="replace") for text in (done.stdout, done.stderr))
        found = outcomes(self._report)
        counts = (warnings_of(output), seconds, output, said)
        return Run(name, done.returncode, found, *counts, has_workers="-n" in self._suite.args)


def warnings_of(output: str) -> int:
    """The number of warnings in pytest's last line."""
    lines = LAST_LINE.findall(output)
    found = WARNINGS.search(lines[-1]) if lines else None
    return int(found[1]) if found else 0
