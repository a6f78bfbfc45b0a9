"""A memory cgroup of a test's own, of either version."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

_MOUNT = Path("/sys/fs/cgroup")


def _parents() -> Iterator[Path]:
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            yield _MOUNT / "memory" / path.lstrip("/")
        elif not controllers:
            yield _MOUNT / path.lstrip("/")
            yield _MOUNT


def _make(limit: int) -> Path | None:
    for parent in _parents():
        folder = parent / f"stest-{uuid.uuid4().hex}"
        with suppress(OSError):
            folder.mkdir()
            for name in ("memory.limit_in_bytes", "memory.max"):
                if (folder / name).exists():
                    (folder / name).write_text(str(limit))
                    return folder
        with suppress(OSError):
            folder.rmdir()
    return None


@contextmanager
def memory_cgroup(limit: int) -> Iterator[Path]:
    """Skips the test where none can be made, as for a user who is not root."""
    folder = _make(limit)
    if folder is None:
        pytest.skip("no memory cgroup can be made here")
    try:
        yield folder
    finally:
        for _ in range(1000):  # Its last processes are just ending.
            with suppress(OSError):
                folder.rmdir()
                break
            time.sleep(0.01)
