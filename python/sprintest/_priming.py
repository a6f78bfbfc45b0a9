"""May a runner configure pytest and collect the tests before anybody has asked for the run?

Only if nobody could tell. What it looks at is taken down (``file_reads`` in the worker) and compared when the
request comes. What it must not do before it is asked is watched for here, and ends it before it is done: it
writes a file, starts a process or a thread, connects to somebody; or project code or a plugin reads the
clock, which will say something else by then.
"""

from __future__ import annotations

import sys
import tempfile
from types import FrameType
from typing import Any

import _pytest
import _stest_runner as runner  # type: ignore[import-not-found]  # built into stest-worker
import pluggy

from sprintest import _deeds, _modules, _private
from sprintest._own import all_threads, main_thread, os

_STANDARD_LIBRARY = os.path.dirname(os.__file__) + os.sep
_SITE = os.path.join(_STANDARD_LIBRARY, "site-packages") + os.sep
_LOGGING = os.path.join(_STANDARD_LIBRARY, "logging") + os.sep
_OURS = os.path.dirname(__file__) + os.sep
_PYTEST = (os.path.dirname(_pytest.__file__) + os.sep, os.path.dirname(pluggy.__file__) + os.sep)
_CAPTURE = os.path.join(_PYTEST[0], "capture.py")
#: What executes modules: who asks within one is the module, or what it calls.
_IMPORTING = ("<frozen importlib", os.path.join(_PYTEST[0], "assertion") + os.sep)


class Priming:
    """The time from the fork to the last collected test."""

    def __init__(self, code: _modules.ProjectCode) -> None:
        self._code = code
        self.is_over = False
        self._is_busy = False

    def begin(self) -> None:
        self._allow_tests = _private.bar_tests()
        runner.watch_files(self._code.unwatched())
        runner.add_audit_listener(self._on_event, _deeds.ACTS | {"open", _deeds.CLOCK})

    def end(self) -> None:
        """Everything has been collected. Does not return if the process may not wait now."""
        runner.remove_audit_listener(self._on_event)
        self.is_over = True
        extra = [thread.name for thread in all_threads() if thread is not main_thread()]
        if extra:
            runner.cannot_prime(f"a thread was started ({extra[0]})")

    def has_been_asked(self) -> None:
        """The request has come."""
        self._allow_tests()

    # ---- what it does

    def _on_event(self, event: str, args: tuple[Any, ...]) -> None:
        if self._is_busy:
            return
        self._is_busy = True
        try:
            # Of an `open` only the first: the second is the mode, and a descriptor was opened before.
            if event == _deeds.CLOCK:
                return self._asks_the_time(_caller())
            named = args[:1] if event == "open" else args
            paths = [os.fsdecode(arg) for arg in named if isinstance(arg, (str, bytes, os.PathLike))]
            if event == "open":
                self._opens(paths, args[2])
            elif not self._is_bytecode(paths) and not self._is_pytests_capture():
                runner.cannot_prime(f"{self._who()} does {event} {' '.join(paths[:1])}".rstrip())
        finally:
            self._is_busy = False

    def _opens(self, paths: list[str], flags: Any) -> None:
        if not paths:
            return
        writes = _deeds.is_write(flags) and paths[0] != os.devnull
        if writes and not self._is_bytecode(paths) and not self._is_pytests_capture():
            runner.cannot_prime(f"{self._who()} writes {paths[0]}")
        if (
            paths[0].startswith(_modules.VOLATILE)
            and paths[0] != os.devnull
            and self._is_asked_by_own(_caller())
        ):
            runner.cannot_prime(f"{self._who()} reads {paths[0]}")

    @staticmethod
    def _is_bytecode(paths: list[str]) -> bool:
        prefix = sys.pycache_prefix
        return any(
            f"{os.sep}__pycache__" in path or (prefix is not None and path.startswith(prefix))
            for path in paths
        )

    @staticmethod
    def _is_pytests_capture() -> bool:
        """Whether it is the file in memory, or nearly so, into which pytest captures output."""
        frame = _caller()
        while frame is not None and frame.f_code.co_filename == tempfile.__file__:
            frame = frame.f_back
        return frame is not None and frame.f_code.co_filename == _CAPTURE

    def _who(self) -> str:
        """The nearest that is neither the standard library's nor pytest's."""
        frame = _caller()
        while frame is not None and _is_librarys(frame):
            frame = frame.f_back
        return frame.f_code.co_filename if frame is not None else "pytest"

    def _is_own(self, frame: FrameType | None) -> bool:
        return frame is not None and self._code.may_change(frame.f_code.co_filename)

    # ---- what it asks

    def _is_asked_by_own(self, frame: FrameType | None) -> bool:
        """Whether project code asks, by whatever library, and no package that is being imported."""
        while frame is not None and not frame.f_code.co_filename.startswith((*_PYTEST, *_IMPORTING)):
            if self._is_own(frame):
                return True
            frame = frame.f_back
        return False

    def _asks_the_time(self, frame: FrameType | None) -> None:
        """Who asks, counts. Pytest's own clocks are set anew; what a log record or the import of a package
        makes of the time is of no consequence."""
        asking = frame
        plugin = ""
        while asking is not None:
            file = asking.f_code.co_filename
            if file.startswith((*_IMPORTING, _LOGGING)) or (file.startswith(_OURS) and not plugin):
                return
            if file.startswith(_PYTEST):
                break
            if not _is_librarys(asking):
                plugin = plugin or file
                if self._is_own(asking):
                    break
            asking = asking.f_back
        if plugin:
            runner.cannot_prime(f"{plugin} reads the clock")


def _caller() -> FrameType | None:
    frame: FrameType | None = _private.current_frame(1)
    while frame is not None and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    return frame


def _is_librarys(frame: FrameType) -> bool:
    file = frame.f_code.co_filename
    is_standard = file.startswith(_STANDARD_LIBRARY) and not file.startswith(_SITE)
    return is_standard or file.startswith(("<frozen ", _OURS, *_PYTEST))
