"""The resident process, which runs pytest run after run: for suites with costly state, such as a GPU's.

After each run its state is restored. If that is not possible, it ends as a fresh process does, and the next
run gets another fork of the zygote.
"""

from __future__ import annotations

import atexit
import contextlib
import inspect
import linecache
import random
import sys
import threading
from typing import Any, Callable

from sprintest.modules import _fingerprint, _modules
from sprintest.modules._cache import cache
from sprintest.preload import _learn, _preload
from sprintest.process import _cuda, _own, _private
from sprintest.process._own import all_threads, main_thread, open, os, runner
from sprintest.process._process_state import ProcessState
from sprintest.run import _runner
from sprintest.values import _warm

#: Descriptors that runs may leave open before the process ends.
_SPARE_DESCRIPTORS = 200


#: Modules with a process that removes what other processes leave when they end: shared memory, semaphores.
_TRACKERS = (
    "multiprocessing.resource_tracker",
    "joblib.externals.loky.backend.resource_tracker",
    "loky.backend.resource_tracker",
)


def _release_trackers() -> None:
    """Close the connections to these processes and to the fork server, as the end of this one would do.

    Each run starts its own.
    """
    for name in _TRACKERS:
        tracker: Any = getattr(sys.modules.get(name), "_resource_tracker", None)
        if getattr(tracker, "_fd", None) is not None:
            with contextlib.suppress(OSError):  # The tests may have closed it.
                os.close(tracker._fd)
            tracker._fd = tracker._pid = None
    server: Any = getattr(sys.modules.get("multiprocessing.forkserver"), "_forkserver", None)
    if getattr(server, "_forkserver_alive_fd", None) is not None:
        with contextlib.suppress(OSError):
            os.close(server._forkserver_alive_fd)
        server._forkserver_alive_fd = server._forkserver_pid = None


def _place() -> tuple[int, int]:
    """The group and the session of this process."""
    return os.getpgrp(), os.getsid(0)


class _Exits:
    """Functions that runs register with `atexit`: they are called at the end of the run, not of the process.

    Functions that installed packages register while they are imported belong to the process.
    """

    def __init__(self) -> None:
        self._functions: list[tuple[Callable[..., Any], Any, Any]] = []
        self._register, self._unregister = atexit.register, atexit.unregister
        atexit.register = self.register  # type: ignore[assignment]
        atexit.unregister = self.unregister
        os.register_at_fork(after_in_child=self._give_back)

    def register(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        if cache.is_loading_library():
            return self._register(function, *args, **kwargs)
        if (member := cache.loading()) is not None:
            member.uncacheable = "it registers a function with atexit"
        self._functions.append((function, args, kwargs))
        return function

    def unregister(self, function: Any) -> None:
        self._functions = [entry for entry in self._functions if entry[0] != function]
        self._unregister(function)

    def _give_back(self) -> None:
        """A process that a test forks calls them when it exits. Since 3.13 those of `multiprocessing` do."""
        atexit.register, atexit.unregister = self._register, self._unregister
        for function, args, kwargs in self._functions:
            self._register(function, *args, **kwargs)

    def run(self) -> None:
        """Call them as the interpreter does: the last one first, whatever the others raise."""
        while self._functions:
            function, args, kwargs = self._functions.pop()
            try:
                function(*args, **kwargs)
            except SystemExit:
                pass
            except BaseException:
                sys.excepthook(*sys.exc_info())


def _renew_stdin() -> None:
    """Give this run a new ``sys.stdin``, as Python makes it: the last one may have read ahead."""
    old: Any = sys.__stdin__
    new: Any = open(0, encoding=old.encoding, errors=old.errors, newline="\n", closefd=False)
    new.buffer.raw.name = old.name
    new.mode = old.mode
    sys.stdin = sys.__stdin__ = new  # type: ignore[misc]
    if "readline" in sys.modules:
        sys.modules["readline"].clear_history()


class Resident:
    """One per process; ``run`` is called for each run, in the environment of its request.

    ``memory_limit``: bytes of resident memory above which the process ends after a run; 0 is no limit.
    """

    def __init__(self, memory_limit: int) -> None:
        code = _preload.Preloader.code
        assert code is not None
        self._code = code
        self._limit = memory_limit
        self._exits = _Exits()
        self._state = ProcessState(cache.libraries())
        self._descriptors = len(os.listdir("/proc/self/fd"))
        self._packages: dict[str, _fingerprint.State | None] = {}
        cache.begin(code, is_ahead=False)
        # Tests may change a value, and there is no copy of it here: each run loads its own.
        self._forget_values = _warm.install(takes=False)
        _preload.freeze()

    def _refusal(self) -> str:
        """Why this process cannot give a right answer; empty if it can."""
        for path, state in self._packages.items():
            if _fingerprint.file_state(path) != state:
                return f"{path} changed"
        return ""

    def run(self, args: list[str]) -> tuple[int, bool]:
        """Run pytest; returns its exit code, and whether this process must end now."""
        if reason := self._refusal():
            runner.start_over(reason)
        modules = dict(sys.modules)
        variables = dict(vars(modules["__main__"]))
        with _private.unheard():
            run = self._prepare(args)
        place = _place()
        exit_code, names = run.execute()
        sys.modules = _own.modules
        self._note_packages(modules)
        if reason := self._must_end(run, place) or self._begin_anew(modules, variables):
            runner.notice(f"the process that ran the tests has ended: {reason}", [])
            _runner.finish(names)
            return exit_code, True
        return exit_code, False

    def rest(self) -> None:
        """Do the work that need not be done before the answer of the run."""
        cache.rest()

    def _begin_anew(self, modules: dict[str, Any], variables: dict[str, Any]) -> str:
        """Restore the state from before the run; return why that is not possible, empty if it is."""
        try:
            self._exits.run()
            _release_trackers()
            _private.forget_start_method(cache.find("multiprocessing.context"))
            if reason := self._clean_up(modules):
                return reason
            main = vars(modules["__main__"])
            main.clear()
            main.update(variables)
            _own.collect_garbage()
            _cuda.release()
            _cuda.renew()
            _runner.flush()
            self._state.restore()
        except Exception as error:
            return f"its state cannot be restored ({type(error).__name__}: {error})"
        return ""

    def _prepare(self, args: list[str]) -> _runner.Run:
        self._forget_values()
        random.seed()
        _renew_stdin()
        run = _runner.Run(args, stays=True)
        run.reporter.on_collected = self._imported
        run.reporter.on_file = self._begins
        return run

    def _begins(self, path: str) -> None:
        if self._code.may_change(path):
            cache.context.begins(path)

    def _imported(self) -> None:
        """Note the imports of the run: all modules are imported, and no test has run yet."""
        self._state.learn_imported()
        cache.tests_begin()

    def _must_end(self, run: Any, place: tuple[int, int]) -> str:
        """Why the process must end after the run, which began in ``place``; empty if it need not."""
        if run.reporter.interrupted:
            return "the run was interrupted"
        if failure := _cuda.failure():
            return f"its GPU no longer works ({failure})"
        if _place() != place:
            return "the tests moved it to another process group or session"
        for thread in all_threads():
            if thread is not main_thread() and (not thread.daemon or self._is_own(thread)):
                return f"the tests left a thread ({thread.name})"
        if self._limit and _resident_memory() > self._limit:
            return f"it holds more than memory_limit allows ({self._limit >> 20} MiB)"
        if len(os.listdir("/proc/self/fd")) > self._descriptors + _SPARE_DESCRIPTORS:
            return "the tests left many files open"
        return ""

    def _is_own(self, thread: threading.Thread) -> bool:
        """Whether it executes project code, or unknown code, such as a function in C."""
        function = _private.thread_function(thread)
        path = getattr(getattr(function, "__code__", None), "co_filename", "")
        return not path or self._code.may_change(path)

    def _note_packages(self, before: dict[str, Any]) -> None:
        """Note the installed modules that this run has loaded: they stay until their files change."""
        for name in dict.fromkeys(_learn.order.names):
            path = _modules.file_of(sys.modules.get(name))
            if path and name not in before and not self._code.may_change(path):
                self._packages[path] = _fingerprint.file_state(path)

    @staticmethod
    def _clean_up(before: dict[str, Any]) -> str:
        reason = cache.end_run()
        sys.modules.update(before)
        linecache.clearcache()
        for name in ("modulesbyfile", "_filesbymodname"):
            getattr(inspect, name, {}).clear()
        for name in ("last_type", "last_value", "last_traceback", "last_exc"):
            with contextlib.suppress(AttributeError):
                delattr(sys, name)
        return reason


def _resident_memory() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
