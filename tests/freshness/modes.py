"""Runs the project's suite: once cold, once in each mode of stest, all at the same time."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from e2e.environment import Environment, EnvironmentProject
from e2e.harness import Finished, wait_for
from e2e.modes import MODES

from .novelty import Moment

#: Those that keep project modules from run to run, and tell which of them they reloaded.
KEEPING = ("resident",)

_SUMMARY = re.compile(r"^(PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS) (.*)$", re.MULTILINE)
_SEEN = re.compile(r"SEEN .*$", re.MULTILINE)
_TOTALS = re.compile(r"^(.*) in [\d.]+s.*$", re.MULTILINE)


@dataclass(frozen=True)
class Answer:
    """What one run of the suite said; equal where a user would call it the same."""

    code: int
    outcomes: tuple[str, ...]  # pytest's summary: outcome, node id, reason.
    seen: tuple[str, ...]  # The lines that the tests printed.
    totals: tuple[str, ...]  # "2 passed, 1 warning".

    def lines(self) -> list[str]:
        return [f"exit code {self.code}", *self.outcomes, *self.seen, *self.totals]


@dataclass(frozen=True)
class Run:
    """An answer, the output that it was read from, and the modules that the notice calls reloaded."""

    answer: Answer
    output: str
    started: Moment  # The process began later.
    reloaded: frozenset[str] = frozenset()
    notices: tuple[str, ...] = ()


def chosen_modes() -> list[str]:
    names = [name for name in os.environ.get("STEST_FRESHNESS_MODES", "").split(",") if name] or list(MODES)
    unknown = set(names) - set(MODES)
    assert not unknown, f"STEST_FRESHNESS_MODES: no mode {unknown}; there are {list(MODES)}"
    return names


def _answer(code: int, text: str) -> Answer:
    outcomes = sorted(" ".join(found) for found in _SUMMARY.findall(text))
    return Answer(code, tuple(outcomes), tuple(_SEEN.findall(text)), tuple(_TOTALS.findall(text)))


def _bytes(data: Any) -> bytes:
    return base64.b64decode(data["base64"]) if isinstance(data, dict) else data.encode()


def _warm_run(finished: Finished, started: Moment) -> Run:
    events = [json.loads(line) for line in finished.out.splitlines()]
    output = b"".join(_bytes(event["data"]) for event in events if event["event"] == "output")
    text = output.decode(errors="backslashreplace") + finished.errors
    notices = [event for event in events if event["event"] == "notice"]
    reloaded = {name for event in notices for name in event.get("reloaded", ())}
    told = tuple(event["text"] for event in notices)
    return Run(_answer(finished.code, text), text, started, frozenset(reloaded), told)


class Suite:
    """A project, and a daemon of its own for each mode; `close` fails if anything of them is left."""

    def __init__(self, home: Path, environment: Environment, modes: list[str]) -> None:
        self.project = EnvironmentProject(home, environment)
        self._environment = environment
        del self.project.env["SPRINTEST_PRIME"]
        self.project.env["COLUMNS"] = "1000"  # Reasons are not to be shortened.
        self.project.env["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # They would cost more than all else here.
        self.modes = modes
        self._probe = home / "probe.json"
        self._bytecode = home.parent / "bytecode"  # For all projects: pytest is compiled once.

    def run(self, args: list[str], env: Mapping[str, str | None]) -> dict[str, Run]:
        """The runs by mode; "cold" is that of `python -m pytest`, in a fresh process without caches."""
        arguments = ["-p", "no:cacheprovider", "-q", "-rA", "-s", *args]
        now = Moment.now()
        started = {"cold": self._start_cold(arguments, env)}
        for mode in self.modes:
            settings = {**env, **self._settings(mode)}
            started[mode] = self._start_stest("run", "--events", "--", *arguments, env=settings)
        ended = {mode: self.project.finish(process) for mode, process in started.items()}
        cold = ended.pop("cold")
        runs = {"cold": Run(_answer(cold.code, cold.text), cold.text + cold.errors, now)}
        return {**runs, **{mode: _warm_run(finished, now) for mode, finished in ended.items()}}

    def _start_cold(self, arguments: list[str], env: Mapping[str, str | None]) -> subprocess.Popen[bytes]:
        """It may read no bytecode of the project: Python misses an edit that keeps size and second."""
        self._probe.unlink(missing_ok=True)
        shutil.rmtree(self._bytecode / self.project.root.relative_to("/"), ignore_errors=True)
        python = str(self._environment.python)
        own = {"FRESHNESS_PROBE": str(self._probe), "PYTHONPYCACHEPREFIX": str(self._bytecode)}
        settings = {**env, **own, "PYTHONDONTWRITEBYTECODE": None}
        return self.project.start("-m", "pytest", *arguments, program=(python,), env=settings)

    def loaded(self) -> dict[str, str] | None:
        """The modules that the last cold run had at its end, and their files; None if it did not tell."""
        if not self._probe.exists():
            return None
        files = json.loads(self._probe.read_text())
        return {name: file for name, file in files.items() if file}

    def settle(self) -> None:
        """Waits until nobody reads the project: what changes from now on changes between two runs, and
        after runners have been forked ahead for the next one."""
        for mode in self.modes:
            try:
                wait_for(partial(self._is_ready, mode), f"the worker of {mode}")
            except AssertionError as late:
                raise AssertionError(f"{late}: {self._stest(mode, 'status', '--json').text}") from None

    def _is_ready(self, mode: str) -> bool:
        status = json.loads(self._stest(mode, "status", "--json").expect(0).out)
        worker = status["worker"]
        if worker is None or worker["state"] != "ready":
            return worker is None
        return mode == "resident" or worker["snapshots"] != []

    def _settings(self, mode: str) -> dict[str, str]:
        return {**MODES[mode], "SPRINTEST_DIR": str(self.project.home / mode)}

    def _stest(self, mode: str, *args: str) -> Finished:
        return self.project.finish(self._start_stest(*args, env=self._settings(mode)))

    def _start_stest(self, *args: str, env: Mapping[str, str | None]) -> subprocess.Popen[bytes]:
        return self.project.start(*args, program=(str(self._environment.bin / "stest"),), env=env)

    def close(self) -> None:
        try:
            for mode in self.modes:
                self._stest(mode, "stop")
        finally:
            self.project.close()
