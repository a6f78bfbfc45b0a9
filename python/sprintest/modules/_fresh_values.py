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
        if event != _side_effects.RANDOMNESS and not _is_kept(frame, top):
            if (line := _line_of_own_call(frame, top)) and not top.is_own:
                top.perhaps_fresh[line] = _side_effects.FRESH[event]
            elif line:
                take_fresh(top, line, _side_effects.FRESH[event])
            return
        line = 0
        while frame is not None:
            if frame.f_globals.get("__name__") == "tempfile":
                return  # It draws names of files, and does so again in a fork.
            # In the body of the module, or of a class in it. What a function draws belongs to its caller.
            if frame.f_globals.get("__name__") == top.name and not frame.f_code.co_flags & CO_OPTIMIZED:
                line = line or frame.f_lineno
            elif frame.f_globals.get("__name__") == top.name:
                line = 0
            frame = frame.f_back
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
        if _is_kept(frame, top):
            top.effects.append((next(order), "folder", "", os.getcwd()))


def _is_kept(frame: Any, top: Member) -> bool:
    """Whether the module's own body asks, perhaps by way of the standard library.

    Functions normally do not keep the answer: they wait for a lock, or find out that there was no fork.
    """
    while frame is not None and (name := frame.f_globals.get("__name__")) != top.name:
        is_used_up = str(name).partition(".")[0] in _side_effects.USES_TIME_UP
        if is_used_up or not _modules.is_standard(sys.modules.get(name)):
            return False
        frame = frame.f_back
    return frame is not None and not frame.f_code.co_flags & CO_OPTIMIZED


def _line_of_own_call(frame: Any, top: Member) -> int:
    """The line in which the module's body calls one of its functions that asks; 0 if another one asks."""
    while frame is not None:
        name = frame.f_globals.get("__name__")
        if name == top.name and not frame.f_code.co_flags & CO_OPTIMIZED:
            line: int = frame.f_lineno
            return line
        if name != top.name and (
            str(name).partition(".")[0] in _side_effects.USES_TIME_UP
            or not _modules.is_standard(sys.modules.get(name))
        ):
            return 0
        frame = frame.f_back
    return 0


def take_fresh(member: Member, line: int, effect: str) -> None:
    """Record that the module asks in this line for a value that differs in each process."""
    member.fresh[line] = effect
    if member.is_own:
        member.uncacheable = f"it {effect} when imported"
