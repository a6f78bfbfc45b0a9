"""The pytest plugin of a run: tells the daemon which test runs and how each one ended."""

from __future__ import annotations

import os
import sys
from typing import Any, Callable

import _stest_runner as runner  # type: ignore[import-not-found]  # built into stest-worker
import pytest


class Reporter:
    """Registered in the run's own pytest session only; sessions that tests start have none."""

    def __init__(self) -> None:
        #: Whether the run can no longer be given up and started anew elsewhere.
        self.settled = False
        #: Whether something may still come up that the run would have to be given up for.
        self.is_at_risk: Callable[[], bool] = lambda: False
        #: Called when collection is over.
        self.on_collected: Callable[[], None] = lambda: None
        #: Called with the session before its first test.
        self.on_run: Callable[[Any], None] = lambda session: None
        #: Called when the session is over, or pytest cannot begin one.
        self.on_end: Callable[[], None] = lambda: None
        #: Called when the first test is over, with whether it has passed.
        self.on_first_test: Callable[[bool], None] = lambda has_passed: None
        #: ``sys.path`` when all test modules had been imported; pytest takes back what it added.
        self.path: list[str] = []
        self.interrupted = False
        self._is_first = True
        self._has_passed = True

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self, nodeid: str) -> None:
        if not self.settled and not self.is_at_risk():
            self._settle()
        runner.test_started(nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        runner.configured()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: Any) -> None:
        runner.collected()
        self._tell_collected(session.config, len(session.items))
        self.path = list(sys.path)
        self.on_collected()

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        self._tell_collected(node.config, len(ids))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: Any) -> None:
        self.on_run(session)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logfinish(self) -> None:
        runner.test_finished()
        if self._is_first:
            self._is_first = False
            self.on_first_test(self._has_passed)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        self._has_passed = self._has_passed and bool(report.passed)
        runner.report(report.nodeid, report.when or "", report.outcome, float(report.duration))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        self.on_end()
        self._settle()
        # From here on an exit code is the suite's own choice, even one made by `os._exit`.
        runner.session_finished()

    @pytest.hookimpl(tryfirst=True)
    def pytest_unconfigure(self) -> None:
        self.on_end()

    def pytest_keyboard_interrupt(self) -> None:
        self.interrupted = True

    @staticmethod
    def _tell_collected(config: Any, count: int) -> None:
        """Should this process die, the daemon says how many did not run, and completes `--lf`'s file."""
        runner.collected_tests(count, _last_failed_file(config))

    def _settle(self) -> None:
        if not self.settled:
            self.settled = True
            runner.settled()


def _last_failed_file(config: Any) -> str:
    """Where pytest is going to remember what has failed; empty where it is not."""
    folder = getattr(getattr(config, "cache", None), "_cachedir", None)
    if folder is None or not config.pluginmanager.hasplugin("lfplugin"):
        return ""
    return os.path.join(str(folder), "v", "cache", "lastfailed")
