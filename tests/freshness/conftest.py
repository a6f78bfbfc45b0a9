"""What the run of the randomised test amounted to, at the end of pytest's output."""

from __future__ import annotations

import pytest

from .statistics import COUNTS


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if COUNTS:
        terminalreporter.section("freshness")
        for line in COUNTS.lines():
            terminalreporter.line(line)
