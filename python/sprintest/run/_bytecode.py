"""Bytecode caches that cannot hide an edit.

A ``.pyc`` contains its source's size and time in whole seconds. An edit that keeps the size, within the
second in which the source was last compiled, is not seen: plain Python runs the old code. A cold start takes
longer than that second, but a warm one does not. So here the ``.pyc`` must also be younger than its source,
to the nanosecond. (git calls such index entries "racily clean".)
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from sprintest.preload import _preload
from sprintest.process import _private
from sprintest.process._own import os


def _may_be_stale(source: str, bytecode: str) -> bool:
    code = _preload.Preloader.code
    if code is not None and not code.may_change(source):
        return False  # Such code is not edited within a second, and compiling all of it takes long.
    try:
        info = os.stat(source)  # No program can set the time of the inode's last change.
        return os.stat(bytecode).st_mtime_ns <= max(info.st_mtime_ns, info.st_ctime_ns)
    except OSError:
        return False  # One of them is gone, which the caller finds out itself.


def distrust_younger_sources() -> None:
    """From now on compile sources again that may have been edited since they were compiled."""
    global _is_guarded
    if not _is_guarded:
        _is_guarded = True
        _private.wrap_validation(_guard_python)
        _private.wrap_reading_of_rewritten(_guard_pytest)


_is_guarded = False


def _guard_python(validate: Any) -> Any:
    def validate_timestamp_pyc(data: Any, mtime: Any, size: Any, name: str, details: dict[str, Any]) -> None:
        validate(data, mtime, size, name, details)
        bytecode = details["path"]
        if _may_be_stale(importlib.util.source_from_cache(bytecode), bytecode):
            raise ImportError(f"bytecode is not younger than its source for {name!r}", **details)

    return validate_timestamp_pyc


def _guard_pytest(read_pyc: Any) -> Any:
    def read_younger_pyc(source: Path, pyc: Path, *more: Any, **options: Any) -> Any:
        return None if _may_be_stale(str(source), str(pyc)) else read_pyc(source, pyc, *more, **options)

    return read_younger_pyc
