"""Runs done ahead: a process configures pytest and collects the tests before the request comes.

It does so as long as nothing can be noticed. Its looks at files are recorded (``file_reads`` in the worker)
and compared when the request comes. This module observes side effects that only a run may have: the process
writes a file, starts a process or a thread, or connects; or project code or a plugin reads the clock, which
shows another time when the request comes. Before such a side effect the process waits for the request.

On its way it stays behind as a snapshot (``snapshot`` in the worker) before modules of the project, and when
all tests are collected. Several runs go on from one snapshot. A value that must differ between them makes the
process single-use.
"""

from __future__ import annotations

import stat
import sys
import tempfile
from types import CodeType, FrameType
from typing import Any, Callable

import _pytest
import pluggy

from sprintest.modules import _modules, _side_effects
from sprintest.modules._cache import cache
from sprintest.modules._effects import Registrations
from sprintest.preload import _learn
from sprintest.process import _cuda, _own, _private
from sprintest.process._own import OURS, all_threads, current_thread, main_thread, os, runner
from sprintest.process._traces import is_traced, touches_cuda
from sprintest.run._arguments import Arguments
from sprintest.run._finalisers import finalisers
from sprintest.run._kept_times import KeptTimes

_STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep
_SITE = os.path.join(_STANDARD_LIBRARY, "site-packages") + os.sep
_LOGGING = os.path.join(_STANDARD_LIBRARY, "logging") + os.sep
_PYTEST = (os.path.dirname(_pytest.__file__) + os.sep, os.path.dirname(pluggy.__file__) + os.sep)
_CAPTURE = os.path.join(_PYTEST[0], "capture.py")
#: The flags of a file that is opened with mode "w".
_ANEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
#: Code that executes modules: a question below it comes from the module, or from code that this calls.
_IMPORTING = ("<frozen importlib", os.path.join(_PYTEST[0], "assertion") + os.sep)


class Snapshot:
    """The part of a run from the fork to the request.

    ``renew`` is called in each fork, and draws again what a process draws from the system. ``begin_run`` is
    called when the request has come.
    """

    def __init__(
        self,
        code: _modules.ProjectCode,
        renew: Callable[[], None],
        begin_run: Callable[[], None],
        arguments: Arguments,
    ) -> None:
        self._code = code
        self._renew = renew
        self._begin_run = begin_run
        self._arguments = arguments
        self.is_over = False
        self._is_busy = False
        #: Why the process is single-use; empty if it is not.
        self._single_use = ""
        #: The states of the random generators when pytest began, or after the last fork.
        self._seeds: list[Any] = []
        #: What the project has executed.
        self._executed: list[CodeType] = []
        self._is_forking = False
        self._times = KeptTimes()

    def begin(self) -> None:
        self._allow_tests = _private.bar_tests()
        self._registrations = Registrations(self._registers)
        cache.on_load = self._before
        cache.renewals.on_begin = self._renews
        runner.know_type_questions(*_private.type_questions())
        runner.watch_files(_modules.VOLATILE)
        runner.add_audit_listener(self._on_event, {*_side_effects.ACTS, *_side_effects.FRESH, "open", "exec"})

    def pytest_begins(self, config: Any, args: list[str]) -> None:
        """``args``: the list from which pytest will parse its options."""
        self._seeds = _seeds()
        self._arguments.watch(config, args)

    def wait(self, reason: str = "") -> None:
        """Return when the request has come. The process waits for ``reason``; empty: all tests are collected.

        Does not return if the process may not wait now.
        """
        self._refuse_if_seen_through()
        extra = [thread.name for thread in all_threads() if thread is not main_thread()]
        if extra or current_thread() is not main_thread():
            runner.cannot_go_on(reason or f"a thread was started ({extra[0]})")
        if not (self._is_forkable() and self._stay(is_pinned=True, is_open=False)):
            runner.remove_audit_listener(self._on_event)
            runner.await_request(_cuda.initialise, reason)
            self._has_been_asked()

    def _refuse_if_seen_through(self) -> None:
        """End this process if code may have noticed that it is ahead of its request."""
        if self._times.are_unknown():
            runner.cannot_go_on("a plugin keeps a time that cannot be moved")
        if runner.has_seen_unchanged():
            runner.cannot_go_on("a file is looked at after a plugin has removed or written it")

    def _has_been_asked(self, args: list[str] | None = None) -> None:
        """Begin the run: the request has come. ``args``: its arguments, if they may differ."""
        self.is_over = True
        runner.remove_audit_listener(self._on_event)  # It may be removed already.
        self._registrations.end()
        self._allow_tests()
        self._arguments.take(args)
        if not runner.carry_out_changes():
            runner.give_up("a file of a plugin cannot be written")
        if not self._times.move():
            runner.give_up("another year has begun since the tests were collected")
        self._begin_run()

    # ---- snapshots

    def configured(self) -> None:
        """Stay behind if pytest, which is configured, can go on with other arguments."""
        self._stay_open()

    def selects(self) -> None:
        """Stay behind when all tests are collected, before pytest selects some of them by its options."""
        if not self.is_over:
            finalisers.look_ahead(_learn.order.names)
            _private.collect_at_the_end_if(finalisers.may_be_left)
        self._stay_open()

    def _stay_open(self) -> None:
        """Stay behind if the run can go on with other arguments."""
        if self.is_over:
            return
        self._refuse_if_seen_through()
        if self._arguments.are_open() and self._is_forkable():
            self._stay(is_pinned=True)

    def _accepts(self, args: list[str]) -> bool:
        self._is_busy = True
        try:
            return self._arguments.accept(args)
        finally:
            self._is_busy = False

    def _prepares(self) -> bool:
        self._is_busy = True
        try:
            return self._arguments.prepare()
        finally:
            self._is_busy = False

    def _before(self, spec: Any) -> None:
        """Stay behind, if that is due, before a module is executed."""
        file = spec.origin
        if self.is_over or not isinstance(file, str) or not self._code.may_change(file):
            return
        if runner.is_snapshot_due(file) and self._is_forkable():
            self._stay(runner.is_edited(file))

    def _stay(self, is_pinned: bool, is_open: bool = True) -> bool:
        """Return in forks of this process only: whether the request has come.

        ``is_open``: it may have other arguments, if nothing has read those that differ.
        """
        accepts = self._accepts if is_open and self._arguments.are_open() and self._prepares() else None
        self._is_forking = True
        args: list[str] | None = runner.stay(is_pinned, accepts)
        self._is_forking = False
        self._renew()
        self._seeds = _seeds()
        if args is None:
            return False
        self._has_been_asked(args)
        return True

    def _is_forkable(self) -> bool:
        return not (
            self._single_use
            or cache.renewals.are_kept(self._executed)
            or len(os.listdir("/proc/self/task")) > 1
            or is_traced()
            or touches_cuda()
            or _private.has_timers()
            or _seeds() != self._seeds
            or runner.why_not_forkable()
        )

    def _renews(self, member: Any) -> None:
        """Wait if ``member``, which the run imports, has read the clock: it needs the time of the run."""
        if not self.is_over and _side_effects.FRESH[_side_effects.CLOCK] in member.kinds:
            self.wait(f"{member.name} reads the clock")

    def _registers(self, kind: str, *_: Any) -> None:
        if kind == "after a fork":
            self._single_use = "functions are registered that are called after a fork"

    def _is_individual(self, event: str) -> None:
        """Make the process single-use if code may keep the answer, which two runs must not share."""
        if cache.renewals.is_under_way or self._is_forking:  # What is called in each fork has its own answer.
            return
        frame = _caller()
        while frame is not None and _is_librarys(frame):
            if frame.f_code.co_filename.startswith((*_IMPORTING, *_PYTEST, OURS, _LOGGING)):
                return
            frame = frame.f_back
        if frame is not None:
            self._single_use = f"{frame.f_code.co_filename} {_side_effects.FRESH[event]}"

    # ---- what it does

    def _on_event(self, event: str, args: tuple[Any, ...]) -> None:
        if self._is_busy:
            return
        self._is_busy = True
        try:
            # Of an `open` only the first argument counts: the second is the mode.
            if event in _side_effects.FRESH:
                self._is_individual(event)
                return self._asks_the_time(_caller()) if event == _side_effects.CLOCK else None
            if event == "exec":
                return self._executes(args[0])
            named = args[:1] if event == "open" else args
            paths = [os.fsdecode(arg) for arg in named if isinstance(arg, (str, bytes, os.PathLike))]
            if event == "open":
                self._opens(paths, args[2])
            elif not self._changes_nothing(event, args, paths):
                self.wait(f"{self._who()} does {event} {' '.join(paths[:1])}".rstrip())
        finally:
            self._is_busy = False

    def _executes(self, code: Any) -> None:
        if cache.renewals.is_under_way or not isinstance(code, CodeType):
            return
        if self._code.may_change(code.co_filename):
            self._executed.append(code)

    def _opens(self, paths: list[str], flags: Any) -> None:
        if not paths:
            return
        path = paths[0]
        if path == "/dev/tty":
            self.wait(f"{self._who()} opens the terminal")
        elif path == os.devnull:
            return
        elif _side_effects.is_write(flags):
            if not (self._is_no_matter(paths) or (flags == _ANEW and self._puts_off(path))):
                self.wait(f"{self._who()} writes {path}")
        elif path.startswith(_modules.VOLATILE) and os.path.exists(path) and self._is_asked_by_own(_caller()):
            self.wait(f"{self._who()} reads {path}")

    def _changes_nothing(self, event: str, args: tuple[Any, ...], paths: list[str]) -> bool:
        if self._is_no_matter(paths):
            return True
        if event == "os.mkdir":  # It fails, and that the folder is there is a look at a file.
            return args[2] == -1 and os.path.lexists(args[0])
        if event == "subprocess.Popen":
            return not args[2] and _side_effects.only_tells(args[1])
        if event == "os.remove" and args[1] == -1:
            return not os.path.lexists(args[0]) or self._puts_off(args[0])
        return False

    def _puts_off(self, path: Any) -> bool:
        """Whether a file is removed, or written anew, only when the request has come, as if it were done now.

        Plugins remove what the run before has written, such as ``.coverage``.
        """
        is_file = stat.S_ISREG(os.lstat(path).st_mode) if os.path.lexists(path) else True
        folder = os.path.dirname(os.path.abspath(path))
        if not is_file or not os.access(folder, os.W_OK) or self._is_asked_by_own(_caller()):
            return False
        runner.put_off(os.fsdecode(path))
        return True

    def _is_no_matter(self, paths: list[str]) -> bool:
        return self._is_bytecode(paths) or self._is_pytests_capture()

    @staticmethod
    def _is_bytecode(paths: list[str]) -> bool:
        prefix = sys.pycache_prefix
        return any(
            f"{os.sep}__pycache__" in path or (prefix is not None and path.startswith(prefix))
            for path in paths
        )

    @staticmethod
    def _is_pytests_capture() -> bool:
        """Whether it is a temporary file into which pytest captures output."""
        frame = _caller()
        while frame is not None and frame.f_code.co_filename == tempfile.__file__:
            frame = frame.f_back
        return frame is not None and frame.f_code.co_filename == _CAPTURE

    def _who(self) -> str:
        """The file of the nearest code that belongs neither to the standard library nor to pytest."""
        frame = _caller()
        while frame is not None and _is_librarys(frame):
            frame = frame.f_back
        return frame.f_code.co_filename if frame is not None else "pytest"

    def _is_own(self, frame: FrameType | None) -> bool:
        return frame is not None and self._code.may_change(frame.f_code.co_filename)

    # ---- what it asks

    def _is_asked_by_own(self, frame: FrameType | None) -> bool:
        """Whether project code asks, perhaps through a library, and not a package that is being imported."""
        while frame is not None and not frame.f_code.co_filename.startswith((*_PYTEST, *_IMPORTING)):
            if self._is_own(frame):
                return True
            frame = frame.f_back
        return False

    def _asks_the_time(self, frame: FrameType | None) -> None:
        """Wait if project code or a plugin asks for the time.

        pytest's own clocks are restarted. Times in log records and in imports of the standard library do not
        matter.
        """
        if cache.renewals.is_under_way:
            return
        asking = frame
        plugin = ""
        while asking is not None:
            file = asking.f_code.co_filename
            if file.startswith(_LOGGING) or (file.startswith((*_IMPORTING, OURS)) and not plugin):
                return
            if file.startswith((*_PYTEST, *_IMPORTING)):
                break
            if not _is_librarys(asking):
                plugin = plugin or file
                if self._is_own(asking):
                    break
            asking = asking.f_back
        if plugin and not self._keeps_time(frame):
            self.wait(f"{plugin} reads the clock")

    def _keeps_time(self, frame: FrameType | None) -> bool:
        if frame is None or _is_librarys(frame) or self._is_own(frame):
            return False
        return self._times.keeps(frame)


def _seeds() -> list[Any]:
    """The states of all random generators that get a new seed in a fork."""
    states: list[Any] = []
    if (random := cache.find("random")) is not None:
        states.append(random.getstate())
    if (numpy := _own.library("numpy.random")) is not None:
        kind, words, *rest = numpy.get_state()
        states.append((kind, words.tobytes(), *rest))
    if (torch := _own.library("torch")) is not None:
        states.append(bytes(torch.default_generator.get_state().tolist()))
    return states


def _caller() -> FrameType | None:
    frame: FrameType | None = _private.current_frame(1)
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    return frame


def _is_librarys(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    is_standard = file.startswith(_STANDARD_LIBRARY) and not file.startswith(_SITE)
    return is_standard or file.startswith(("<frozen ", OURS, *_PYTEST))
