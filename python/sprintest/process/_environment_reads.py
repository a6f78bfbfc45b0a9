"""Records which environment variables Python code reads.

The worker executes this source right after the interpreter has started, so it may need only modules that are
loaded by then: ``os`` and ``sys``.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

#: ``_private`` checks that these exist.
_environ_class, _fsdecode, _current_frame = type(os.environ), os.fsdecode, sys._getframe


class EnvironmentReads:
    """Records which variables Python code reads while it is entered, with the value it saw (``None``: unset).

    A copy of the whole environment (``dict(os.environ)``, ``os.environ.copy()``) does not count as reading
    all of it: it is nearly always made for a child process. ``on_read`` is called for each read, and
    ``on_scan`` when code iterates over the environment.
    """

    def __init__(self, on_read: Callable[[str, str | None], None], on_scan: Callable[[], None]) -> None:
        self.reads: dict[str, str | None] = {}
        self._on_read, self._on_scan = on_read, on_scan
        self._originals: dict[str, Any] = {}

    def __enter__(self) -> EnvironmentReads:
        cls: Any = _environ_class
        original_get = cls.__getitem__
        original_iter = cls.__iter__
        self._originals = {"__getitem__": original_get, "__iter__": original_iter}
        scan: tuple[int, int] | None = None

        def caller() -> tuple[int, int]:
            frame: Any = _current_frame(2)
            while frame.f_globals.get("__name__") == "collections.abc":  # a view's iterator
                frame = frame.f_back
            return id(frame), frame.f_lasti

        def __iter__(environ: Any) -> Any:
            nonlocal scan
            scan = caller()
            self._on_scan()
            return original_iter(environ)

        def __getitem__(environ: Any, key: Any) -> Any:
            # A copy iterates and reads from the same instruction of its caller.
            if scan is None or caller() != scan:
                data = environ._data.get(environ.encodekey(key))
                name, value = _fsdecode(key), None if data is None else _fsdecode(data)
                self.reads.setdefault(name, value)
                self._on_read(name, value)
            return original_get(environ, key)

        cls.__getitem__ = __getitem__
        cls.__iter__ = __iter__
        return self

    def __exit__(self, *_: object) -> None:
        for name, function in self._originals.items():
            setattr(_environ_class, name, function)
