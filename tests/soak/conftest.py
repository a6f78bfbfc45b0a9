"""The tables of the soak, at the end of pytest's output."""

from __future__ import annotations

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [
        report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, [])
    ]
    for report in reports:
        for name, lines in report.user_properties:  # They come home from pytest-xdist too.
            if name == "soak":
                terminalreporter.section(report.nodeid)
                for line in lines:
                    terminalreporter.line(line)
