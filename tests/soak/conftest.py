"""The table of the soak, at the end of pytest's output."""

from __future__ import annotations

import pytest

from .tally import REPORT


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if REPORT:
        terminalreporter.section("soak")
        for line in REPORT:
            terminalreporter.line(line)
