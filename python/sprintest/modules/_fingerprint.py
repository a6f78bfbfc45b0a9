"""Tells whether a file still has the contents that were read.

As in git's index, `stat` decides first, and the contents if `stat` is not reliable ("racily clean" entries).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sprintest.process._own import open, os, runner, time

State = tuple[int, int, int, int]

#: File times come from the kernel's coarse clock, whose tick is 1 to 10 ms. An edit within the same tick may
#: leave them as they are.
_TICK_NS = 20_000_000


def file_state(path: str) -> State | None:
    """The state of a file, for comparison; ``None`` if there is no such file.

    It contains the time of the inode's last change, which no program can set, unlike that of modification.
    """
    try:
        info = os.stat(path)
    except OSError:
        return None
    return (info.st_mtime_ns, info.st_ctime_ns, info.st_size, info.st_ino)


#: Folders that pytest and Python create themselves.
_LEFT_BY_RUNS = {"__pycache__", ".pytest_cache"}


def listing(path: str) -> frozenset[str] | None:
    """The names in a folder; ``None`` if there is no such folder. Names of folders end with a separator."""
    try:
        with os.scandir(path) as entries:
            return frozenset(
                entry.name + os.sep * entry.is_dir() for entry in entries if entry.name not in _LEFT_BY_RUNS
            )
    except OSError:
        return None


#: The kinds of looks at a file or a folder, and the function that returns what is seen.
LOOKS = {"file": file_state, "listing": listing}


def is_settled(state: State | None) -> bool:
    """Whether each later change of the file will show in its times."""
    return state is None or time.time_ns() - max(state[0], state[1]) > _TICK_NS


#: Larger files are compared by `stat` alone.
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


#: No file has this state.
UNKNOWN: State = (0, 0, 0, -1)


class Fingerprint:
    """The contents of a file when it was read.

    ``before`` is its state just before. A file that was written at that time never counts as current, because
    it is not known which bytes were read.
    """

    def __init__(self, path: str, before: State | None) -> None:
        self.path = path
        is_known = is_settled(before)
        self._digest = digest(path)
        #: A state in which the file has the contents that were read.
        self.state = before
        if not is_known or file_state(path) != before:
            self._digest, self.state = None, UNKNOWN

    def is_current(self) -> bool:
        """Whether the file has the same contents now, whatever its times are."""
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
    """The indices of ``files`` that are in another state, and may have changed. Faster than one by one."""
    found: list[int] = runner.in_other_state([file.path for file in files], [file.state for file in files])
    return found
