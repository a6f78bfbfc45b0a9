"""CUDA in runs: memory is given back, and a process that waits for a request may initialise CUDA ahead.

The initialisation takes longer than many tests. But tests can notice that it was done ahead: by asking torch,
by a fork, in which torch then refuses to work, and by the variables that count at that moment. So it is done
only if an earlier run of the same files did it in its first test, which passed, and had not forked or changed
a variable before.
"""

from __future__ import annotations

import contextlib
import warnings
from typing import Any

from sprintest.process._own import environ, library, os, runner


class Watch:
    """Tells the worker if this run is such an earlier run."""

    def __init__(self) -> None:
        self._environment: dict[str, str] = {}
        self._is_over = True
        self._was_seen = False

    def begin(self) -> None:
        """Begin to watch; the first test is about to run."""
        cuda: Any = getattr(library("torch"), "cuda", None)
        calls = getattr(cuda, "_queued_calls", None)  # torch calls these when it has initialised CUDA.
        if not isinstance(calls, list) or cuda.is_initialized():
            return
        self._is_over = False
        self._environment = _environment()
        os.register_at_fork(before=self._stop)
        calls.append((self._see, []))

    def first_test_ended(self, has_passed: bool) -> None:
        self._stop()
        if has_passed and self._was_seen:
            runner.likes_cuda_ahead()

    def _see(self) -> None:
        self._was_seen = not self._is_over and _environment() == self._environment

    def _stop(self) -> None:
        self._is_over = True


def _environment() -> dict[str, str]:
    """The environment without pytest's variable for the running test."""
    return {name: value for name, value in environ.items() if name != "PYTEST_CURRENT_TEST"}


def initialise() -> None:
    """Initialise CUDA, as the first test will do. Errors are ignored: the test will get them too."""
    torch = library("torch")
    if torch is None:
        return
    with warnings.catch_warnings(record=True) as said, contextlib.suppress(Exception):
        warnings.simplefilter("always")
        torch.cuda.init()
        torch.cuda.synchronize()  # This makes the context, and allocates no memory.
    if said:
        runner.cannot_go_on("CUDA warns when it is initialised")


def release() -> None:
    """Give back the memory of the device that torch keeps for later use."""
    if (cuda := _in_use()) is not None:
        with contextlib.suppress(Exception):  # See `failure`.
            cuda.empty_cache()


def failure() -> str:
    """Why CUDA no longer works in this process; empty if it does.

    After an error of a kernel every later call fails, until the process ends ("sticky" errors: CUDA C++
    Programming Guide, Error Checking).
    """
    if (cuda := _in_use()) is not None:
        try:
            cuda.synchronize()
        except Exception as error:
            return str(error).partition("\n")[0]
    return ""


def renew() -> None:
    """Reset torch's state of the devices to that of a new process."""
    if (cuda := _in_use()) is not None:
        cuda.set_device(0)
        cuda.set_stream(cuda.default_stream())
        cuda.seed_all()
        for device in range(cuda.device_count()):
            cuda.reset_peak_memory_stats(device)
            cuda.reset_accumulated_memory_stats(device)


def _in_use() -> Any:
    """``torch.cuda`` if this process has initialised it, else ``None``."""
    cuda: Any = getattr(library("torch"), "cuda", None)
    with contextlib.suppress(Exception):  # Tests may have patched it.
        return cuda if cuda is not None and cuda.is_initialized() is True else None
    return None
