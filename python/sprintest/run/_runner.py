"""One run: what ``python -m pytest ARGS`` does from its first line to its last."""

from __future__ import annotations

import contextlib
import importlib.util
import re
import runpy  # noqa: F401  # `python -m` loads it.
import sys
from typing import Any

from sprintest.modules._cache import cache
from sprintest.modules._difference import Difference
from sprintest.modules._shadows import Shadows
from sprintest.preload import _learn, _preload
from sprintest.process import _cuda, _own, _private
from sprintest.process._own import os, runner
from sprintest.process._traces import touches_cuda
from sprintest.run import _bytecode
from sprintest.run._arguments import Arguments
from sprintest.run._finalisers import finalisers
from sprintest.run._plugin import Reporter, costing_no_answer
from sprintest.run._snapshot import Snapshot
from sprintest.values import _warm

#: ``c10::detail::default_rng_seed_val``, the first seed of earlier versions of torch.
_CONSTANT_TORCH_SEED = 67280421310721
_USAGE_ERROR = 4


def _become_python_m_pytest(args: list[str]) -> None:
    """Give this process the identity that ``python -m pytest`` has (see ``runpy``)."""
    spec = importlib.util.find_spec("pytest.__main__")
    assert spec is not None
    assert spec.origin is not None
    main = sys.modules["__main__"]
    main.__file__, main.__package__, main.__spec__ = spec.origin, "pytest", spec
    main.__loader__ = spec.loader
    main.__cached__ = spec.cached  # type: ignore[attr-defined]
    sys.argv[:] = [spec.origin, *args]
    if hasattr(sys, "orig_argv"):
        sys.orig_argv[:] = [sys.executable, "-m", "pytest", *args]
    if not getattr(sys.flags, "safe_path", False):
        sys.path.insert(0, os.getcwd())


def refresh_process_state() -> None:
    """Renew what Python and its libraries draw from the system when a process starts.

    ``random`` does so itself after a fork. torch's first seed comes from the system since 2.13; in earlier
    versions it is a constant.
    """
    sys.stdout.reconfigure(line_buffering=sys.stdout.isatty())  # type: ignore[union-attr]
    _private.restart_log_clock()
    # Finalisers of the zygote's objects belong to the end of the zygote, not of each run.
    for finaliser in _private.finalisers:
        finaliser.atexit = False
    if (threads := _preload.Preloader.torch_threads) is not None:
        _own.library("torch").set_num_threads(threads)
    _renew_after_fork()


def _renew_after_fork() -> None:
    """Renew what differs in each process, and what was drawn from the system."""
    _private.renew_native_id()
    _private.renew_multiprocessing(cache.find("multiprocessing.process"), os.getcwd())
    if (random := _own.library("numpy.random")) is not None:
        random.seed()
    if (torch := _own.library("torch")) is not None and _preload.Preloader.torch_threads is not None:
        if _preload.Preloader.torch_seed == _CONSTANT_TORCH_SEED:
            torch.default_generator.manual_seed(_CONSTANT_TORCH_SEED)
        else:
            torch.default_generator.seed()


class Run:
    """One run of pytest in this process. ``stays``: it is the resident process, so modules stay loaded."""

    def __init__(self, args: list[str], stays: bool = False) -> None:
        self.reporter = Reporter()
        self.args = args
        self._stays = stays
        self._pid = os.getpid()

    def renew(self) -> None:
        """Must be called in a fork of the process in which the run has begun."""
        self._pid = os.getpid()
        _renew_after_fork()
        cache.renewals.repeat()

    def execute(self) -> tuple[int, list[str]]:
        """Run it; return the exit code of ``python -m pytest``, and what was imported, in order."""
        with _private.unheard():
            names = self._get_ready()
        exit_code = _run_pytest(self.reporter)
        runner.returned()
        if exit_code == _USAGE_ERROR:
            self._tell_xdist()
        with contextlib.suppress(Exception):  # The answer stands; only the next run lacks the observations.
            self._report(names)
        return exit_code, names

    def _tell_xdist(self) -> None:
        is_asked = any(re.match("-n|--numprocesses|--dist|--tx", one) for one in self.args)
        if is_asked and importlib.util.find_spec("xdist") is None:
            runner.notice("`-n` needs pytest-xdist: pip install pytest-xdist", [])

    def _get_ready(self) -> list[str]:
        # Nothing here may iterate over all modules: a look at an object copies a page of memory.
        if self._stays:
            self._begin()
        refresh_process_state()
        _become_python_m_pytest(self.args)
        _bytecode.distrust_younger_sources()
        names = self._follow_imports()
        cache.begin_run(self._differs, names)
        if _private.is_other_pytest():
            runner.give_up(
                "an import of pytest leads to another module than the one that the worker has loaded"
            )
        cache.hide_ours()
        return names

    def _follow_imports(self) -> list[str]:
        """Return the list to which the names of imported modules are added; look for shadowed modules."""
        names = _learn.order.names
        shadows = Shadows(names)

        def check() -> None:
            if hidden := shadows.find():
                self._is_hidden(hidden)

        _learn.order.begin(check)
        check()
        return names

    def _is_hidden(self, hidden: str) -> None:
        if self.reporter.settled:
            runner.notice(f"{hidden}; `stest verify` tells whether the answer depends on it", [])
        else:
            runner.give_up(hidden)

    def _differs(self, difference: Difference, can_be_repeated: bool) -> bool:
        """Whether this run executes a module that was loaded ahead, instead of adopting it."""
        if os.getpid() != self._pid:  # A child that a test has made reports nothing.
            return can_be_repeated
        if difference.is_patch and self.reporter.settled and not can_be_repeated:
            return False
        if not (self.reporter.settled and can_be_repeated):
            runner.differs(
                difference.member.name, difference.variables, difference.is_outdated, can_be_repeated
            )
        if not can_be_repeated:
            runner.give_up(
                difference.reason
            )  # Even in the middle of the tests: else the answer may be wrong.
        return True

    def _begin(self) -> None:
        if extension := cache.stale_extension():
            runner.start_over(f"{extension} is a compiled module and has changed")
        cache.on_reload_failure = self._reload_failed
        self.reporter.is_at_risk = cache.is_at_risk
        changed = cache.forget_changed()
        if cache.reloaded:
            runner.notice(_describe(changed, cache.reloaded), cache.reloaded)
        self._reloaded = len(cache.reloaded)

    def _reload_failed(self, name: str, reason: str) -> None:
        """Start over if a second execution in one process fails: it may succeed in a fresh process."""
        if not self.reporter.settled:
            runner.start_over(f"{name} cannot be loaded a second time ({reason})")

    def _report(self, names: list[str]) -> None:
        if self._stays and (again := cache.reloaded[self._reloaded :]):
            runner.notice(_describe(again[:1], again), again)
        runner.imported(_learn.preloadable(names), self.reporter.path or list(sys.path))


def _describe(changed: list[str], reloaded: list[str]) -> str:
    shown = ", ".join(changed[:3])
    notes = []
    if more := len(changed[3:]):
        notes.append(f"{more} more")
    if dependents := len(reloaded) - len(changed):
        notes.append(f"{dependents} dependent{'s' if dependents > 1 else ''}")
    return f"reloaded {shown}" + (f" (+{', '.join(notes)})" if notes else "")


def main(args: list[str]) -> int:
    """Run pytest with ``args`` in this fork; return the exit code that ``python -m pytest`` would have."""
    with _private.unheard():
        run = _prepare(args)
    exit_code, names = run.execute()
    with contextlib.suppress(Exception):  # The answer stands.
        if touches_cuda():
            runner.exit_matters()  # The device's memory is not free before this process has ended.
        _cuda.release()
    finish(names)
    return exit_code


def _prepare(args: list[str]) -> Run:
    _warm.install(takes=True)
    run = Run(args)
    cuda = _cuda.Watch()
    run.reporter.on_run = lambda session: cuda.begin()
    run.reporter.on_first_test = cuda.first_test_ended
    if runner.is_snapshot():
        _run_ahead(run)
    return run


def _run_ahead(run: Run) -> None:
    """Make the run wait for its request, at the latest when it has collected its tests."""
    assert _preload.Preloader.code is not None
    reporter = run.reporter
    on_run = reporter.on_run

    def begin() -> None:
        with costing_no_answer():
            _private.restart_log_clock()
            reporter.begin_asked_run()

    arguments = Arguments(run.args)
    snapshot = Snapshot(_preload.Preloader.code, run.renew, begin, arguments)

    def wait(session: Any) -> None:
        if not snapshot.is_over:
            snapshot.wait()
        on_run(session)

    def count() -> None:
        if not snapshot.is_over:
            snapshot.wait("`-n auto` counts the processors that other runs leave free")

    def give_up() -> None:
        if not snapshot.is_over:
            runner.cannot_go_on("pytest ends before it has collected the tests")

    reporter.on_arguments, reporter.on_parsed = snapshot.pytest_begins, arguments.parsed
    reporter.on_configured, reporter.on_selection = snapshot.configured, snapshot.selects
    reporter.on_run, reporter.on_end = wait, give_up
    reporter.on_processors = count
    snapshot.begin()


def _run_pytest(reporter: Reporter) -> int:
    """Execute ``pytest/__main__.py`` as ``__main__``; return the exit code that it leaves with."""
    main = sys.modules["__main__"]
    assert main.__spec__ is not None
    loader: Any = main.__spec__.loader
    _private.register_in_next_session(reporter)
    try:
        exec(loader.get_code("pytest.__main__"), main.__dict__)
    except SystemExit as error:
        return _system_exit_code(error)
    except KeyboardInterrupt:
        _print_exception()
        return 130
    except BaseException:  # As the interpreter does.
        _print_exception()
        return 1
    return 0


def _print_exception() -> None:
    with contextlib.suppress(BaseException):  # The streams may be gone.
        sys.excepthook(*sys.exc_info())


def _system_exit_code(error: SystemExit) -> int:
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    print(error.code, file=sys.stderr)
    return 1


def finish(imported: list[str]) -> None:
    """Do what others can see of ``Py_FinalizeEx``, in its order: threads, atexit, flush, objects.

    The rest of it only frees memory, which takes a tenth of a second or more with torch loaded.
    """
    _private.shut_threads_down()
    _private.run_exit_functions()
    flush()
    with contextlib.suppress(Exception):  # The objects may raise anything.
        if finalisers.may_be_left(imported):
            finalisers.run(imported)
    flush()


def flush() -> None:
    """Flush Python's own streams."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
