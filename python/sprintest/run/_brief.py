"""A pytest plugin that reports a run in few words, for readers who pay by the word (coding agents).

The client gives it to a warm and to a cold run alike by `-p sprintest.run._brief`. It acts only if
STEST_BRIEF names a folder, and removes that variable, so that neither tests nor their child processes see it.
What pytest shows goes into a file of that folder, if the run has failed. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import os
import shlex
from io import StringIO
from typing import Any

import pytest

from sprintest.process._own import open as open_file
from sprintest.process._own import os as own_os
from sprintest.process._own import time
from sprintest.run._causes import Cause, causes_of

#: The report has at most so many characters, and shows at most so many causes.
_MOST, _MOST_CAUSES = 4400, 40
_KEPT_LOGS = 20
#: In the order of pytest's last line.
_COUNTED = ("failed", "error", "passed", "skipped", "xfailed", "xpassed", "deselected", "rerun", "warnings")


def pytest_addoption(pluginmanager: Any) -> None:
    # This hook adds no options here. It is used because pytest calls it first.
    if folder := os.environ.pop("STEST_BRIEF", ""):
        pluginmanager.register(Brief(folder), "stest_brief")


class Brief:
    """Takes the terminal away from pytest's own reporter, and writes the report when pytest has ended."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._session: Any = None
        self._reporter: Any = None
        self._terminal: Any = None
        self._log = StringIO()
        self._began = time.perf_counter()
        self._finished = 0

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: Any) -> None:
        config = session.config
        self._reporter = config.pluginmanager.getplugin("terminalreporter")
        if self._reporter is None or hasattr(config, "workerinput") or config.option.collectonly:
            return
        self._session, self._terminal = session, self._reporter._tw
        self._reporter._tw = type(self._terminal)(self._log)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> None:
        self._began = time.perf_counter()

    def pytest_runtest_logfinish(self) -> None:
        self._finished += 1

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        if self._session is None:
            return
        seconds = time.perf_counter() - self._began
        self._reporter._tw = self._terminal
        self._terminal.write(self._text(seconds))
        self._terminal.flush()

    def _text(self, seconds: float) -> str:
        code = int(self._session.exitstatus)
        if code == 0:
            return f"{self._counts()} in {seconds:.2f}s\n"
        causes = causes_of(self._reporter.stats, str(self._session.config.rootpath))
        known = code == 1 or (code == 2 and causes)
        lines = [f"exit {code}: {self._counts()} in {seconds:.2f}s{self._not_run()}"]
        lines += _shown(causes) if known else self._end_of_log()
        if causes:
            lines.append(f"again: {self._again(causes)}")
        if log := self._keep_log():
            lines.append(f"all: {log}")
        return "\n".join(lines) + "\n"

    def _counts(self) -> str:
        stats = self._reporter.stats
        counts = [f"{len(stats[name])} {name}" for name in _COUNTED if stats.get(name)]
        return ", ".join(counts) or "no tests ran"

    def _not_run(self) -> str:
        missing = self._session.testscollected - self._finished
        why = self._session.shouldfail or self._session.shouldstop
        return f"; {missing} not run ({why})" if missing > 0 and why else ""

    def _end_of_log(self) -> list[str]:
        """What pytest says about an end that no test is to blame for."""
        lines = [line for line in self._log.getvalue().splitlines() if line.strip(" =")]
        return [line[:200] for line in lines[-12:]]

    def _again(self, causes: list[Cause]) -> str:
        ids = [shlex.quote(one) for cause in causes for one in cause.ids]
        config = self._session.config
        if len(ids) > 3 or config.rootpath != config.invocation_params.dir:
            return "stest --lf" if config.pluginmanager.has_plugin("cacheprovider") else "stest"
        return " ".join(["stest", *ids])

    def _keep_log(self) -> str:
        """Write what pytest has shown into a file; return its path, empty if that is not possible."""
        path = own_os.path
        try:
            own_os.makedirs(self._folder, exist_ok=True)
            for name in sorted(own_os.listdir(self._folder))[: -_KEPT_LOGS + 1]:
                own_os.unlink(path.join(self._folder, name))
            file = path.join(self._folder, f"{time.time_ns() // 1_000_000}-{own_os.getpid()}.log")
            with open_file(file, "w", encoding="utf-8", errors="backslashreplace") as log:
                log.write(self._log.getvalue())
        except OSError:
            return ""
        return path.relpath(file)


def _shown(causes: list[Cause]) -> list[str]:
    """The causes, each as fully as the number of them allows."""
    shown = causes[:_MOST_CAUSES]
    lines: list[str] = []
    for number, cause in enumerate(shown):
        text = cause.lines(detail=0 if len(causes) > 6 else 1 if len(causes) > 2 else 2)
        if sum(map(len, lines)) + sum(map(len, text)) > _MOST:
            shown = shown[:number]
            break
        lines += text
    if len(shown) < len(causes):
        lines.append(f"and {len(causes) - len(shown)} more causes")
    return lines
