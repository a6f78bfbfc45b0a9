"""No layer calls upward: what `docs/architecture.md` says of folders is true of all includes and imports."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: Of each folder: what it may use besides itself.
PROGRAMS = {
    "include/stest": set[str](),
    "src/common": {"include/stest"},
    "src/client": {"include/stest", "src/common"},
    "src/cli": {"include/stest", "src/common", "src/client"},
    "src/daemon": {"include/stest", "src/common"},
    "worker/watch": {"include/stest", "src/common"},
    "worker": {"include/stest", "src/common", "worker/watch"},
}
#: Each may use those before it.
PACKAGES = ["process", "modules", "preload", "values", "run"]


def folder_of(file: str) -> str:
    """The longest of the folders that it lies in."""
    return max((folder for folder in PROGRAMS if file.startswith(folder + "/")), key=len, default="")


def includes(file: Path) -> Iterator[str]:
    """What it includes of stest's own, relative to the root."""
    for name in re.findall(r'^#include "(.+)"', file.read_text(), re.MULTILINE):
        if name.startswith("stest/"):
            yield f"include/{name}"
        elif not (ROOT / name).exists() and not name.startswith("worker/"):
            yield f"src/{name}"
        else:
            yield name


@pytest.mark.parametrize("folder", PROGRAMS)
def test_includes(folder: str) -> None:
    files = list((ROOT / folder).rglob("*.[ch]pp"))
    assert files
    allowed = PROGRAMS[folder] | {folder}
    wrong = [
        f"{file.relative_to(ROOT)} includes {name}"
        for file in files
        if folder_of(str(file.relative_to(ROOT))) == folder
        for name in includes(file)
        if folder_of(name) not in allowed
    ]
    assert not wrong


@pytest.mark.parametrize("package", PACKAGES)
def test_imports(package: str) -> None:
    files = list((ROOT / "python/sprintest" / package).glob("*.py"))
    assert files
    allowed = PACKAGES[: PACKAGES.index(package) + 1]
    wrong = [
        f"{file.name} imports {node.module}"
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sprintest.")
        if str(node.module).split(".")[1] not in allowed
    ]
    assert not wrong
