"""A folder that is made to hold given files, as an editor, git or pip would."""

from __future__ import annotations

import itertools
import os
import shutil
import time
from pathlib import Path

_EPOCH = time.time_ns() - 3600 * 10**9
_ages = itertools.count(1)


class Tree:
    """Files below a folder that may hold others, too: written, moved and deleted."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: dict[str, str] = {}

    def sync(self, texts: dict[str, str], clock: str = "now") -> bool:
        """Makes the folder hold these files. `clock`: the time that rewritten files get (`_set_time`).

        False if there was nothing to do.
        """
        gone = {path: text for path, text in self.files.items() if path not in texts}
        changed = {path: text for path, text in texts.items() if self.files.get(path) != text}
        left = list(gone)
        for path, text in changed.items():
            twin = next((old for old in gone if path not in self.files and gone[old] == text), None)
            if twin is None:
                self._write(path, text, clock)
            else:
                del gone[twin]
                self._move(twin, path)
        for path in gone:
            (self.root / path).unlink()
        for path in left:
            self._prune((self.root / path).parent)
        self.files = dict(texts)
        return bool(left or changed)

    def touch(self, path: str, rewrite: bool) -> None:
        """The same bytes, with a new time."""
        if rewrite:
            (self.root / path).write_text(self.files[path])
        else:
            os.utime(self.root / path)

    def _move(self, old: str, new: str) -> None:
        (self.root / new).parent.mkdir(parents=True, exist_ok=True)
        (self.root / old).rename(self.root / new)

    def _write(self, path: str, text: str, clock: str) -> None:
        file = self.root / path
        before = file.stat().st_mtime_ns if file.exists() else None
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        self._set_time(file, before, clock)

    @staticmethod
    def _set_time(file: Path, before: int | None, clock: str) -> None:
        """As before ("old"), or one that no file ever had: an hour and more ago ("older"), as pip does it.

        What is there for the first time is as old as it is, but for "older".
        """
        if clock == "older":
            older = _EPOCH - next(_ages) * 10**10
            os.utime(file, ns=(older, older))
        elif clock == "old" and before is not None:
            os.utime(file, ns=(before, before))

    def _prune(self, folder: Path) -> None:
        """Folders that hold nothing but bytecode go, as when git deletes their last file."""
        while folder != self.root and folder.exists():
            if any(child.name != "__pycache__" for child in folder.iterdir()):
                return
            shutil.rmtree(folder)
            folder = folder.parent
