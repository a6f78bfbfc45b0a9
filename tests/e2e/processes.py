"""What runs on this machine, read from /proc."""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """One living process; its start time tells it from a later one with the same pid."""

    pid: int
    start_time: int
    parent: int = field(compare=False)
    group: int = field(compare=False)
    name: str = field(compare=False)

    @property
    def command(self) -> str:
        return _read(self.pid, "cmdline").replace(b"\0", b" ").decode(errors="replace").strip()

    def has_variable(self, name: str, value: str) -> bool:
        """Whether the process was started with this variable in its environment."""
        return f"{name}={value}".encode() in _read(self.pid, "environ").split(b"\0")

    def kill(self) -> None:
        if identify(self.pid) == self:
            os.kill(self.pid, signal.SIGKILL)

    def kill_group(self) -> None:
        """Kills all of its process group: of a chain of forks, no process lives until it is killed."""
        if self.group != os.getpgrp():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.group, signal.SIGKILL)


def _read(pid: int, file: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{file}").read_bytes()
    except OSError:
        return b""


def identify(pid: int) -> Process | None:
    """The living process with this pid; a zombie does not count."""
    head, _, tail = _read(pid, "stat").rpartition(b") ")
    fields = tail.split()
    if not fields or fields[0] in (b"Z", b"X"):
        return None
    name = head.partition(b"(")[2].decode(errors="replace")
    return Process(pid, int(fields[19]), int(fields[1]), int(fields[2]), name)


def memory(pid: int, field: str) -> int:
    """VmRSS or VmHWM of a process, in bytes."""
    for line in _read(pid, "status").decode().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise AssertionError(f"process {pid} has no {field}")


def state(pid: int) -> str:
    """What a process does: "R" runs, "S" waits; see proc(5). Empty where there is none."""
    return _read(pid, "stat").rpartition(b") ")[2][:1].decode()


def waits_for_its_request(pid: int) -> bool:
    """Whether it is a runner that was forked ahead and waits: memory out, those go first."""
    return _read(pid, "oom_score_adj").strip() == b"500"


def holds_output(pid: int) -> bool:
    """Whether it is a runner that was forked ahead and has run something: its output is a file in memory."""
    with contextlib.suppress(OSError):
        open_files = [os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir()]
        return any(file.startswith(("/memfd:stdout", "/memfd:copy")) for file in open_files)
    return False


def living() -> list[Process]:
    found = (identify(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [process for process in found if process]


def family(variable: str, value: str) -> set[Process]:
    """The processes that carry the variable, and every descendant of theirs, whatever it carries."""
    everyone = living()
    members = {process for process in everyone if process.has_variable(variable, value)}
    while True:
        pids = {process.pid for process in members}
        grown = members | {process for process in everyone if process.parent in pids}
        if grown == members:
            return members
        members = grown
