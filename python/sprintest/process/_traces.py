"""What imports leave in a process, and forks would share: files, a device, other processes."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

from sprintest.process._own import library, open, os, runner


class TemporaryFiles:
    """Finds temporary files that stay: the first run would delete at exit what later runs still use."""

    def __enter__(self) -> None:
        self._made: list[str] = []
        runner.add_audit_listener(self._note, {"tempfile.mkdtemp", "tempfile.mkstemp"})

    def __exit__(self, *_: object) -> None:
        runner.remove_audit_listener(self._note)

    def _note(self, _: str, args: tuple[Any, ...]) -> None:
        self._made.append(os.fsdecode(args[0]))

    def are_left(self) -> bool:
        """Whether one still exists, or is open. Others were only made to test the file system."""
        removed = {f"{path} (deleted)" for path in self._made}
        return bool(removed) and (
            any(map(os.path.lexists, self._made)) or not removed.isdisjoint(_open_paths())
        )


def touches_cuda() -> bool:
    """Whether this process has opened a CUDA device, by torch or otherwise."""
    torch = library("torch")
    with contextlib.suppress(Exception):  # Tests may have patched it.
        if torch is not None and torch.cuda.is_initialized() is True:
            return True
    return any(path.startswith("/dev/nvidia") for path in _open_paths())


def is_traced() -> bool:
    """Whether something traces which lines run: coverage, a debugger."""
    monitoring: Any = getattr(sys, "monitoring", None)
    tools = [monitoring.get_tool(number) for number in range(6)] if monitoring else []
    return bool(sys.gettrace() or sys.getprofile() or any(tools))


def _open_paths() -> list[str]:
    paths = []
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            paths.append(os.readlink(f"/proc/self/fd/{fd}"))
    return paths


def children() -> set[str]:
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        return set(file.read().split())
