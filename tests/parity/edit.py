"""An edit that changes no answer, and its undoing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def edited(file: Path) -> Iterator[None]:
    """`file` has one more line for a while."""
    content = file.read_bytes()
    file.write_bytes(content + b"\n# One more line.\n")
    try:
        yield
    finally:
        file.write_bytes(content)
