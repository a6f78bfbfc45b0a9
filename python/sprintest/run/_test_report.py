"""A pytest plugin that writes down what pytest found, for the comparison of a warm and a cold run.

`stest verify` gives it to both by `-p sprintest.run._test_report`. It acts only if STEST_REPORT names a file,
and removes that variable, so that neither tests nor their child processes see it. In a run done ahead it
writes nothing before the request has come. PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any, Callable

import pytest

from sprintest.process._own import runner, time

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
        self._file = file
        self._fd: int | None = None
        self._held = b""
        self._selection: list[str] | None = json.loads(Path(selection).read_bytes()) if selection else None
        self._imports = _Imports() if runner is not None else None
        if not _is_ahead():
            self._flush()

    def _write(self, event: str, **fields: Any) -> None:
        self._held += json.dumps({"event": event, **fields}).encode() + b"\n"
        if not _is_ahead():
            self._flush()

    def _flush(self) -> None:
        if self._fd is None:
            self._fd = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(self._fd, self._held)
        self._held = b""

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: Any) -> None:
        self._keep_cache(config)
        if self._selection is None:
            return
        # A report about some of the tests would replace one about all: then all tests run.
        if not any(getattr(config.option, option, None) for option in _REPORTS):
            self._write("selected")
            setattr(config, _SELECTION, self._selection)

    def _keep_cache(self, config: Any) -> None:
        """Keep a copy of pytest's cache, and its place, in the first run: all begin with it (`--lf`)."""
        kept = self._file.with_name("cache")
        if kept.exists() or not config.pluginmanager.has_plugin("cacheprovider"):
            return
        from _pytest.cacheprovider import Cache

        values = Path(Cache.cache_dir_from_config(config, _ispytest=True), "v")
        kept.mkdir()
        (kept / "place").symlink_to(values)
        if values.is_dir():
            shutil.copytree(values, kept / "v")

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
        if self._imports is not None:
            for module, seconds in self._imports.seconds.items():
                self._write("imported", module=_clean(module), seconds=seconds)
        self._write("finished")

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        if self._imports is not None:
            self._imports.end()


class _Imports:
    """Measures what a warm run imports after its request has come."""

    def __init__(self) -> None:
        from sprintest.process import _private

        self.seconds: dict[str, float] = {}
        _, load, _ = _private.wrap_imports()

        def _load_unlocked(spec: Any) -> Any:
            begin, counts = time.perf_counter(), not _is_ahead()
            module = load(spec)
            if counts:
                self.seconds[spec.name] = time.perf_counter() - begin
            return module

        _private.wrap_imports(load_unlocked=_private.as_import_system(_load_unlocked))
        self.end: Callable[[], Any] = lambda: _private.wrap_imports(load_unlocked=load)


def _is_ahead() -> bool:
    """Whether the request for this run has not come yet."""
    return runner is not None and runner.is_snapshot()


def _clean(text: str) -> str:
    """`text` without lone surrogates, as the run's events have it."""
    return text.encode("utf-8", "backslashreplace").decode()


def _stable(text: str) -> str:
    """`text` without what differs from process to process: addresses, the pid, the number of `tmp_path`."""
    text = re.sub(r"\b0x[0-9a-fA-F]+", "0x…", text)
    text = re.sub(rf"\b{os.getpid()}\b|(?<=pid[=: ])\d+", "PID", text)
    return re.sub(r"\bpytest-\d+\b", "pytest-N", text)
