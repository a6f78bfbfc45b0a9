"""Processes, found by a mark in their environment, which all that they start inherits."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

VARIABLE = "STEST_BENCH_MARK"
TICKS = os.sysconf("SC_CLK_TCK")  # Per second, in /proc/PID/stat.


class Family:
    """All processes whose environment holds a mark, or one that begins with it; daemons are found as well."""

    def __init__(self, mark: str) -> None:
        self.env = {VARIABLE: mark}
        self._needle = f"\0{VARIABLE}={mark}".encode()

    def pids(self) -> list[int]:
        everybody = (int(name) for name in os.listdir("/proc") if name.isdigit())
        return [pid for pid in everybody if self._needle in b"\0" + _read(pid, "environ")]

    def pss(self) -> float:
        """Memory in MB, pages that several processes share counted once."""
        return sum(_pss(pid) for pid in self.pids())

    def cpu(self) -> float:
        """Seconds of computing of the processes that live."""
        return sum(_cpu(pid) for pid in self.pids())

    def settle(self, quiet: float = 0.5, timeout: float = 60.0) -> None:
        """Waits until they have computed next to nothing for `quiet` seconds."""
        deadline = time.monotonic() + timeout
        before = self.cpu()
        while time.monotonic() < deadline:
            time.sleep(quiet)
            now = self.cpu()
            if abs(now - before) <= 0.05 * quiet:
                return
            before = now

    def end(self) -> None:
        """Kills what is left; asks first."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in self.pids():
                _signal(pid, number)
            deadline = time.monotonic() + 5
            while self.pids() and time.monotonic() < deadline:
                time.sleep(0.02)


class PeakMemory:
    """Samples a family's memory until the block ends; `megabytes` is the most that was seen."""

    def __init__(self, family: Family, interval: float = 0.02) -> None:
        self.megabytes = 0.0
        self._family = family
        self._interval = interval
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample)

    def __enter__(self) -> PeakMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._done.wait(self._interval):
            self.megabytes = max(self.megabytes, self._family.pss())


def _read(pid: int, name: str) -> bytes:
    """Nothing for a process that has ended, or is another user's."""
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""


def _pss(pid: int) -> float:
    for line in _read(pid, "smaps_rollup").splitlines():
        if line.startswith(b"Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _cpu(pid: int) -> float:
    fields = _read(pid, "stat").rpartition(b") ")[2].split()
    return sum(int(ticks) for ticks in fields[11:15]) / TICKS if fields else 0.0  # Its own, its children's.


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
