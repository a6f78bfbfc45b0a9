"""What the parts of the randomised test amounted to, at the end of pytest's output."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from e2e.environment import Environment

from .statistics import COUNTS, Counts


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """One that packages may be installed into, beside pytest and stest."""
    return Environment(tmp_path_factory.mktemp("v"), ["pytest"])


@pytest.fixture
def counts(record_property: Callable[[str, object], None]) -> Iterator[Counts]:
    """Those of one part. They travel with its report, which is all that pytest-xdist brings home."""
    COUNTS.clear()
    yield COUNTS
    record_property("freshness", dict(COUNTS))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    total = Counts()
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, counts in getattr(report, "user_properties", []):
                # A fixture's properties are in the report of the teardown; a failed test has one more.
                if name == "freshness" and report.when == "teardown":
                    total.update(counts)
    if total:
        terminalreporter.section("freshness")
        for line in total.lines():
            terminalreporter.line(line)
