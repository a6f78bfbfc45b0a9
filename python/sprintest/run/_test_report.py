"""A pytest plugin that writes down what pytest found, for the comparison of a warm and a cold run.

`stest verify` gives it to both by `-p sprintest.run._test_report`. It acts only if STEST_REPORT names a file,
and removes that variable, so that neither tests nor their child processes see it. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

#: Options of pytest and of common plugins by which a run writes a report about all of its tests.
_REPORTS = ("xmlpath", "cov_source", "htmlpath", "json_report", "report_log", "allure_report_dir")
_SELECTION = "stest_selection"


def pytest_addoption(pluginmanager: Any) -> None:
    # This hook adds no options here. It is used because pytest calls it first.
    if file := os.environ.pop("STEST_REPORT", ""):
        selection = os.environ.pop("STEST_REPORT_ONLY", "")
        pluginmanager.register(TestReport(Path(file), selection), "stest_test_report")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: Any, items: list[Any]) -> None:
    """Keep the selected tests only; also in the processes of pytest-xdist, whose items the plugin sends."""
    selection = getattr(config, "workerinput", {}).get(_SELECTION) or getattr(config, _SELECTION, None)
    if selection is None:
        return
    chosen = set(selection)
    others = [item for item in items if _clean(item.nodeid) not in chosen]
    if others:
        items[:] = [item for item in items if _clean(item.nodeid) in chosen]
        config.hook.pytest_deselected(items=others)


class TestReport:
    """Writes one JSON line per finding to a file that it creates. Registered by the main process only."""

    def __init__(self, file: Path, selection: str) -> None:
        self._cache = file.with_name("cache")
        self._selection: list[str] | None = json.loads(Path(selection).read_bytes()) if selection else None
        self._fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def _write(self, event: str, **fields: Any) -> None:
        os.write(self._fd, json.dumps({"event": event, **fields}).encode() + b"\n")

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: Any) -> None:
        self._equal_caches(config)
        if self._selection is None:
            return
        # A report about some of the tests would replace one about all: then all tests run.
        if not any(getattr(config.option, option, None) for option in _REPORTS):
            self._write("selected")
            setattr(config, _SELECTION, self._selection)

    def _equal_caches(self, config: Any) -> None:
        """Let the later run of a comparison begin with the cache that the first one found (`--lf`)."""
        if not config.pluginmanager.has_plugin("cacheprovider"):
            return
        from _pytest.cacheprovider import Cache

        values = Path(Cache.cache_dir_from_config(config, _ispytest=True), "v")
        if not self._cache.exists():
            self._cache.mkdir()
            source, target = values, self._cache / "v"
        else:
            source, target = self._cache / "v", values
        shutil.rmtree(target, ignore_errors=True)
        if source.is_dir():
            shutil.copytree(source, target)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """A process of pytest-xdist is about to start."""
        node.workerinput[_SELECTION] = getattr(node.config, _SELECTION, None)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        self._write("session")

    def pytest_collectreport(self, report: Any) -> None:
        if not report.passed:
            self._write("collect", nodeid=_clean(report.nodeid), outcome=report.outcome)

    def pytest_deselected(self, items: list[Any]) -> None:
        self._write("deselected", nodeids=[_clean(item.nodeid) for item in items])

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._write("start", nodeid=_clean(nodeid))

    def pytest_runtest_logreport(self, report: Any) -> None:
        outcome = report.outcome
        if hasattr(report, "wasxfail"):
            outcome = {"skipped": "xfailed", "passed": "xpassed"}.get(outcome, outcome)
        self._write("test", nodeid=_clean(report.nodeid), when=report.when or "", outcome=outcome)

    def pytest_warning_recorded(self, warning_message: Any, nodeid: str) -> None:
        category = warning_message.category.__name__
        text = _stable(_clean(str(warning_message.message)))
        self._write("warning", nodeid=_clean(nodeid), category=category, text=text)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        self._write("finished")


def _clean(text: str) -> str:
    """`text` without lone surrogates, as the run's events have it."""
    return text.encode("utf-8", "backslashreplace").decode()


def _stable(text: str) -> str:
    """`text` without what differs from process to process: addresses, the pid, the number of `tmp_path`."""
    text = re.sub(r"\b0x[0-9a-fA-F]+", "0x…", text)
    text = re.sub(rf"\b{os.getpid()}\b|(?<=pid[=: ])\d+", "PID", text)
    return re.sub(r"\bpytest-\d+\b", "pytest-N", text)
