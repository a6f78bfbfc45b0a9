"""The pytest plugin of a run: tells the daemon which test runs and how each one ended."""

from __future__ import annotations

from typing import Any

import _stest_runner as runner  # type: ignore[import-not-found]  # built into stest-worker
import pytest


class Reporter:
    """Registered in the run's own pytest session only; sessions that tests start have none."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self, nodeid: str) -> None:
        runner.test_started(nodeid)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logfinish(self) -> None:
        runner.test_finished()

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        runner.report(report.nodeid, report.when or "", report.outcome, float(report.duration))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        # From here on an exit code is the suite's own choice, even one made by `os._exit`.
        runner.session_finished()
