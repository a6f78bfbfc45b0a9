"""Does a file still hold the bytes that a module was made of? The idea is git's index: `stat` first,
content where `stat` cannot be trusted ("racily clean" entries)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sprintest.process._own import open, os, runner, time

State = tuple[int, int, int, int]

#: File times come from the kernel's coarse clock, whose tick is 1 to 10 ms: within it an edit may leave
#: no trace in them.
_TICK_NS = 20_000_000


def file_state(path: str) -> State | None:
    """What tells one state of a file from another; ``None`` where there is no such file.

    The time of the inode's last change is part of it: unlike the time of modification, nobody can set
    that to what it was.
    """
    try:
        info = os.stat(path)
    except OSError:
        return None
    return (info.st_mtime_ns, info.st_ctime_ns, info.st_size, info.st_ino)


#: What pytest and Python leave in a folder themselves.
_LEFT_BY_RUNS = {"__pycache__", ".pytest_cache"}


def listing(path: str) -> frozenset[str] | None:
    """What a folder holds; ``None`` where there is no such folder. Names of folders end with a separator."""
    try:
        with os.scandir(path) as entries:
            return frozenset(
                entry.name + os.sep * entry.is_dir() for entry in entries if entry.name not in _LEFT_BY_RUNS
            )
    except OSError:
        return None


#: Of each kind of look at a file or a folder: what was seen.
LOOKS = {"file": file_state, "listing": listing}


def is_settled(state: State | None) -> bool:
    """Whether whoever changes the file from now on leaves a trace in its times."""
    return state is None or time.time_ns() - max(state[0], state[1]) > _TICK_NS


#: Larger files are told apart by `stat` alone.
_LARGEST = 16 << 20


def digest(path: str) -> bytes | None:
    """A hash of the file's content; ``None`` if it cannot be read, or is too large for that."""
    try:
        if os.path.getsize(path) > _LARGEST:
            return None
        with open(path, "rb") as file:
            return hashlib.blake2b(file.read(), digest_size=16).digest()
    except OSError:
        return None


#: Of no file.
UNKNOWN: State = (0, 0, 0, -1)


class Fingerprint:
    """What a file held while it was read.

    ``before`` is its state from before that. A file that was written at that very time never counts as
    current: which bytes were read cannot be known.
    """

    def __init__(self, path: str, before: State | None) -> None:
        self.path = path
        is_known = is_settled(before)
        self._digest = digest(path)
        #: In this one it holds what was read.
        self.state = before
        if not is_known or file_state(path) != before:
            self._digest, self.state = None, UNKNOWN

    def is_current(self) -> bool:
        """Whether the file holds the same bytes now, whatever its times say."""
        state = file_state(self.path)
        if state == self.state:
            return True
        settled = is_settled(state)
        if self._digest is None or digest(self.path) != self._digest or file_state(self.path) != state:
            return False
        if settled:
            self.state = state
        return True


def suspects(files: Sequence[Fingerprint]) -> list[int]:
    """The places in ``files`` of those that are not current, or in another state; quicker than one by one."""
    found: list[int] = runner.in_other_state([file.path for file in files], [file.state for file in files])
    return found
