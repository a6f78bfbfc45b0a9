"""Prepares the virtual environment in which the suites from PyPI run. Every step is done once."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Callable

from suites import HOME, PYTEST, PYTHON, Suite


def prepare(suite: Suite, wheel: Path) -> None:
    """Installs what `suite` needs, and stest from `wheel`; unpacks its sources."""
    if suite.folder:
        return
    _once("venv", sys.version, lambda: _run(sys.executable, "-m", "venv", "--clear", str(HOME)))
    needed = (suite.sdist, PYTEST, *suite.requirements)
    _once(suite.name, " ".join(needed), lambda: _pip("install", *needed))
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    _once("stest", digest, lambda: _pip("install", "--force-reinstall", "--no-deps", str(wheel)))
    if not suite.cwd.exists():
        _unpack(suite)


def _once(step: str, content: str, act: Callable[[], None]) -> None:
    stamp = HOME / "stamps" / step
    if stamp.exists() and stamp.read_text() == content:
        return
    print(f"preparing {step}", flush=True)
    act()
    stamp.parent.mkdir(exist_ok=True)
    stamp.write_text(content)


def _unpack(suite: Suite) -> None:
    """Downloads the source distribution; the folder appears at once and whole."""
    name = suite.sdist.partition("==")[0]
    suite.cwd.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=suite.cwd.parent) as folder:
        _pip("download", "--no-deps", "--no-binary", name, "--dest", folder, suite.sdist)
        (archive,) = Path(folder).glob("*.tar.gz")
        with tarfile.open(archive) as file:
            file.extractall(folder)
        shutil.move(str(archive).removesuffix(".tar.gz"), suite.cwd)


def _pip(*args: str) -> None:
    _run(str(PYTHON), "-m", "pip", "--disable-pip-version-check", *args)


def _run(*command: str) -> None:
    """Runs a command in silence; its output is shown if it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-4000:]}")
