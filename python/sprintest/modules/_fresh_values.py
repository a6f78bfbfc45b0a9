"""What a module asks for that differs in each process: random numbers, times, the process id, the folder."""

from __future__ import annotations

import sys
from collections.abc import Callable
from inspect import CO_OPTIMIZED
from typing import Any

from sprintest.modules import _modules, _side_effects
from sprintest.modules._member import Member, order
from sprintest.process import _private
from sprintest.process._own import os, runner


class FreshValues:
    """Records such questions, between ``begin`` and ``end``. ``top``: the module that is being executed."""

    def __init__(self, top: Callable[[], Member | None]) -> None:
        self._top = top

    def begin(self) -> None:
        runner.add_audit_listener(self._on_fresh, set(_side_effects.FRESH))
        runner.add_audit_listener(self._on_folder, {_side_effects.FOLDER})
        runner.add_audit_listener(self._on_process, _side_effects.PROCESS_STARTS)

    def end(self) -> None:
        runner.remove_audit_listener(self._on_fresh)
        runner.remove_audit_listener(self._on_folder)
        runner.remove_audit_listener(self._on_process)

    def _on_fresh(self, event: str, _: Any) -> None:
        """Record a question for a value that differs in each process.

        Compiled modules do not count: they draw a seed for their tables when they are loaded.
        """
        top = self._top()
        if top is None or top.is_compiled or top.name in _private.RENEWED:
            return
        frame: Any = _private.current_frame(1)
        functions, body = _call(frame)
        if event != _side_effects.RANDOMNESS:
            if body is None or _use_it_up(functions, top):
                return
            if not _are_standard(functions, top):
                _take_returned(top, body, _side_effects.FRESH[event])
                return
        line = 0
        while frame is not None:
            if frame.f_globals.get("__name__") == "tempfile":
                return  # It draws names of files, and does so again in a fork.
            # In the body of the module, or of a class in it. What a function draws belongs to its caller.
            if _is_of(frame, top):
                line = 0 if _is_function(frame) else line or frame.f_lineno
            frame = frame.f_back
        if body is not None and not _is_of(body, top):
            line = 0  # It is in a file that the module executes.
        take_fresh(top, line, _side_effects.FRESH[event])

    def _on_process(self, event: str, args: Any) -> None:
        """Record that a library starts a process, unless what it says depends on the machine only.

        Of the project's modules ``ProjectRecord`` sees it.
        """
        top = self._top()
        if top is None or top.is_own or (event == "subprocess.Popen" and _side_effects.only_tells(args[1])):
            return
        frame: Any = _private.current_frame(1)
        while frame is not None and frame.f_globals.get("__name__") != top.name:
            if frame.f_globals.get("__name__") == "ctypes.util":
                return  # It looks for a library.
            frame = frame.f_back
        take_fresh(top, 0, _side_effects.STARTS_PROCESS)

    def _on_folder(self, *_: Any) -> None:
        """Record a question for the current folder."""
        top = self._top()
        frame = _private.current_frame(1)
        if top is None or top.name in _private.RENEWED or _side_effects.is_exempt(frame.f_code.co_filename):
            return
        functions, body = _call(frame)
        if body is not None and not _use_it_up(functions, top) and _are_standard(functions, top):
            top.effects.append((next(order), "folder", "", os.getcwd()))


def _is_function(frame: Any) -> bool:
    """Whether it is not the body of a module or a class."""
    return bool(frame.f_code.co_flags & CO_OPTIMIZED)


def _is_of(frame: Any, top: Member) -> bool:
    return bool(frame.f_globals.get("__name__") == top.name)


def _call(frame: Any) -> tuple[list[Any], Any]:
    """The functions that ask, innermost first, and the body on whose behalf: ``None`` in a thread.

    It is the body of the module, of a class in it, or of a file that it executes.
    """
    functions = []
    while frame is not None and _is_function(frame):
        functions.append(frame)
        frame = frame.f_back
    return functions, frame


def _use_it_up(functions: list[Any], top: Member) -> bool:
    """Whether one of them does not return the answer, such as stest's own."""
    return any(
        _side_effects.is_exempt(one.f_code.co_filename)
        or (_package(one) in _side_effects.USES_TIME_UP and not _is_of(one, top))
        for one in functions
    )


def _package(frame: Any) -> str:
    return str(frame.f_globals.get("__name__")).partition(".")[0]


def _are_standard(functions: list[Any], top: Member) -> bool:
    """Whether all are of the standard library, and none is the module's own: these return what they ask for.

    Others normally do not: they wait for a lock, or find out that there was no fork.
    """
    return not any(
        _is_of(one, top) or not _modules.is_standard(sys.modules.get(str(one.f_globals.get("__name__"))))
        for one in functions
    )


def _take_returned(top: Member, body: Any, effect: str) -> None:
    """Record that a body calls a function that asks, and perhaps returns the answer."""
    if not top.is_own and _is_of(body, top):
        top.perhaps_fresh[body.f_lineno] = effect
    else:
        take_fresh(top, 0, effect)


def take_fresh(member: Member, line: int, effect: str) -> None:
    """Record that the module asks in this line for a value that differs in each process."""
    member.fresh[line] = effect
    if member.is_own:
        member.uncacheable = f"it {effect} when imported"
