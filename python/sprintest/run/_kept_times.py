"""Times that a plugin reads while pytest begins, and only keeps: ``self.start_time = time.time()``.

A process that is ahead of its request reads them too early. When the request has come, they are moved by the
time that has passed. Code that does more with a time than to keep it is not recognised here.
"""

from __future__ import annotations

import datetime
import dis
import time
from types import FrameType
from typing import Any

_CALLS = ("CALL", "CALL_FUNCTION", "CALL_METHOD", "CALL_KW", "CALL_FUNCTION_KW")
_EMPTY = ("CACHE", "NOP", "PRECALL")
#: A clock that code may have read, and how far a kept time may be from it to be one of this clock.
_CLOCKS = (time.time, time.monotonic, time.perf_counter)
_NEAR_S = 5.0


class KeptTimes:
    def __init__(self) -> None:
        #: The objects, the names of their attributes, and what each clock showed.
        self._kept: list[tuple[Any, str, list[float]]] = []
        #: The years that were read.
        self._years: set[int] = set()

    def keeps(self, frame: FrameType) -> bool:
        """Whether the code of ``frame``, which reads a clock now, only keeps the time, or its year."""
        found = list(dis.get_instructions(frame.f_code))
        call, *after = [one for one in found if one.offset >= frame.f_lasti and one.opname not in _EMPTY]
        is_year = after[:1] and (after[0].opname, after[0].argval) == ("LOAD_ATTR", "tm_year")
        words = after[1:3] if is_year else after[:2]
        if call.opname not in _CALLS or [one.opname[:9] for one in words] != ["LOAD_FAST", "STORE_ATT"]:
            return False
        load, store = words
        if is_year:
            self._years.add(time.localtime().tm_year)
        else:
            self._kept.append((frame.f_locals[load.argval], store.argval, [clock() for clock in _CLOCKS]))
        return True

    def are_unknown(self) -> bool:
        """Whether something is kept that cannot be moved, such as a text. Asked when the code has gone on."""
        values = [getattr(holder, name, None) for holder, name, _ in self._kept]
        return any(not isinstance(value, (float, int, datetime.datetime)) for value in values)

    def move(self) -> bool:
        """Move them to the present; whether that succeeds. It does not if another year has begun."""
        for holder, name, then in self._kept:
            value = getattr(holder, name)
            setattr(holder, name, _moved(value, then))
        self._kept.clear()
        return self._years <= {time.localtime().tm_year}


def _moved(value: Any, then: list[float]) -> Any:
    """``value`` after the time that has passed since; unchanged if it is no time of these clocks."""
    if isinstance(value, datetime.datetime):
        return value + datetime.timedelta(seconds=time.time() - then[0])
    seconds = value / 1e9 if isinstance(value, int) else value
    for clock, was in zip(_CLOCKS, then):
        if abs(seconds - was) < _NEAR_S:
            passed = clock() - was
            return value + (int(passed * 1e9) if isinstance(value, int) else passed)
    return value
