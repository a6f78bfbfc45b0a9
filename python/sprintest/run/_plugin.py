"""The pytest plugin of a run. It reports to the daemon which test runs and how each one ended."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any, Callable

import pytest

from sprintest.process import _own, _private
from sprintest.process._own import look_for_libraries, runner
from sprintest.run import _processors
from sprintest.run._details import details_of

#: As much of an error is shown.
_SHOWN = 200
#: Of so many tests the report has the whole failure.
_MOST_DETAILED = 200


@contextlib.contextmanager
def costing_no_answer() -> Iterator[None]:
    """Wrap stest's own work: if it fails before any test has begun, the run is done cold."""
    try:
        yield
    except Exception as error:
        if not runner.has_tested():
            first = next(iter(str(error).splitlines()), "")
            runner.give_up(f"an error in stest's plugin: {type(error).__name__}: {first[:_SHOWN]}")
        raise


class Reporter:
    """Is registered only in the run's own pytest session, and not in sessions that tests start."""

    def __init__(self) -> None:
        #: Whether the run cannot start over any more.
        self.settled = False
        #: Whether the run may still have to start over when its first test begins.
        self.is_at_risk: Callable[[], bool] = lambda: False
        #: Called with the configuration and the list of arguments, before pytest parses them.
        self.on_arguments: Callable[[Any, list[str]], None] = lambda config, args: None
        #: Called when they have been parsed.
        self.on_parsed: Callable[[], None] = lambda: None
        #: Called before the processors are counted that other runs leave free.
        self.on_processors: Callable[[], None] = lambda: None
        #: Called once pytest is configured, and has not written anything.
        self.on_configured: Callable[[], None] = lambda: None
        #: Called with each test file before its import, and with each plugin after its import.
        self.on_file: Callable[[str], None] = lambda path: None
        #: Called when all tests are collected, before some of them are selected.
        self.on_selection: Callable[[], None] = lambda: None
        #: Called when collection is over.
        self.on_collected: Callable[[], None] = lambda: None
        #: Called with the session before its first test.
        self.on_run: Callable[[Any], None] = lambda session: None
        #: Called when the session is over, or pytest cannot begin one.
        self.on_end: Callable[[], None] = lambda: None
        #: Called when the first test is over, with whether it has passed.
        self.on_first_test: Callable[[bool], None] = lambda has_passed: None
        #: ``sys.path`` when all test modules had been imported; pytest later removes what it has added.
        self.path: list[str] = []
        self.interrupted = False
        #: Set once pytest is configured.
        self.config: Any = None
        #: The reports from before the request.
        self._collected: list[Any] = []
        #: What could not be collected.
        self._not_collected: list[Any] = []
        self._detailed = 0
        self._is_first = True
        self._has_passed = True
        #: Of pytest-xdist: those that have begun a test.
        self._workers: dict[str, list[str]] = {}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self, nodeid: str) -> None:
        with costing_no_answer():
            if not self.settled and not self.is_at_risk():
                self._settle()
            workers = self._workers.get(nodeid)
            runner.test_started(nodeid, workers.pop(0) if workers else "")

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_parse(self, pluginmanager: Any, args: list[str]) -> None:
        self.on_arguments(pluginmanager.get_plugin("pytestconfig"), args)

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self) -> None:
        self.on_parsed()

    def pytest_configure(self, config: Any) -> None:
        self.config = config
        if runner.is_snapshot() and _private.is_cache_decisive(config):
            runner.count_pytest_cache()

    def pytest_plugin_registered(self, plugin: Any) -> None:
        if isinstance(plugin, ModuleType) and (path := getattr(plugin, "__file__", None)):
            self.on_file(path)

    def pytest_collectstart(self, collector: Any) -> None:
        if isinstance(collector, pytest.Module):
            self.on_file(str(collector.path))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        with costing_no_answer():
            self.on_configured()

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        runner.configured()

    def pytest_collectreport(self, report: Any) -> None:
        if runner.is_snapshot():
            self._collected.append(report)
        if report.failed:
            self._not_collected.append(report)

    @pytest.hookimpl(hookwrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self) -> Iterator[None]:
        with costing_no_answer():
            self.on_selection()
        yield

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: Any) -> None:
        with costing_no_answer():
            runner.collected()
            self._tell_collected(session.config, len(session.items))
            self.path = list(sys.path)
            self.on_collected()

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        self._tell_collected(node.config, len(ids))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self, specs: list[Any]) -> None:
        """Let workers of pytest-xdist on this machine be warm; all else is pytest-xdist's own."""
        for number, spec in enumerate(specs):
            if spec.popen and not spec.via and not spec.python:
                spec.python = shlex.join([runner.client(), "python"])
            if gpus := runner.gpus():
                spec.env.setdefault("CUDA_VISIBLE_DEVICES", gpus[number % len(gpus)])

    @pytest.hookimpl(optionalhook=True, hookwrapper=True)
    def pytest_xdist_auto_num_workers(self, config: Any) -> Iterator[None]:
        """Count the processors that are free, unless the project or a variable says how many workers."""
        outcome: Any = yield
        is_chosen = len(config.hook.pytest_xdist_auto_num_workers.get_hookimpls()) > 2
        if not is_chosen and not _own.os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS"):
            with costing_no_answer():
                self.on_processors()
                outcome.force_result(min(outcome.get_result(), _processors.free()))

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        def begins(nodeid: str) -> None:
            self._workers.setdefault(nodeid, []).append(node.gateway.id)

        _private.on_test_of_node(node, begins)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: Any) -> None:
        """Give the run up if a warm worker cannot be right. It cannot begin again: it has read its stdin."""
        popen = getattr(getattr(node.gateway, "_io", None), "popen", None)
        with contextlib.suppress(Exception):  # It may have closed its channel, and go on.
            if error and popen.wait(timeout=10) == runner.WORKER_FAILED:  # type: ignore[union-attr]
                runner.give_up("a worker of pytest-xdist needs a fresh process")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: Any) -> None:
        with costing_no_answer():
            self.on_run(session)
            look_for_libraries()

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logfinish(self) -> None:
        runner.test_finished()
        look_for_libraries()
        if self._is_first:
            self._is_first = False
            self.on_first_test(self._has_passed)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logreport(self, report: Any) -> None:
        self._has_passed = self._has_passed and bool(report.passed)
        # The report of a crash of a worker has no phase.
        self._tell(report, report.when if report.when in ("setup", "call") else "teardown")

    def _tell(self, report: Any, when: str) -> None:
        details = details_of(report, full=self._detailed < _MOST_DETAILED)
        self._detailed += details is not None
        node = getattr(report, "node", None)  # Of pytest-xdist.
        worker = node.gateway.id if node is not None else ""
        duration = float(getattr(report, "duration", 0))
        runner.report(report.nodeid, when, report.outcome, duration, worker, details)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        with costing_no_answer():
            self.on_end()
            self._settle()
            for report in self._not_collected:
                self._tell(report, "collect")
        # From here on the suite may choose the exit code, even by `os._exit`.
        runner.session_finished()

    @pytest.hookimpl(tryfirst=True)
    def pytest_unconfigure(self) -> None:
        self.on_end()

    def pytest_keyboard_interrupt(self) -> None:
        self.interrupted = True

    def begin_asked_run(self) -> None:
        """Begin the run for which the request has come."""
        if self.config is not None:
            _private.restart_session_clocks(self.config)
            _private.read_cache_again(self.config, self._collected)
        self._collected.clear()

    @staticmethod
    def _tell_collected(config: Any, count: int) -> None:
        """Report what the daemon needs if this process dies: the number of tests, and the file of `--lf`."""
        runner.collected_tests(count, _private.last_failed_file(config))

    def _settle(self) -> None:
        if not self.settled:
            self.settled = True
            runner.settled()
