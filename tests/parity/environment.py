"""Prepares for each suite from PyPI an environment of its own, and its sources. Every step is done once."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Callable

from suites import PYTEST, Suite

UV = (sys.executable, "-m", "uv", "--no-config")


def prepare(suite: Suite, wheel: Path) -> None:
    """Installs what `suite` needs, and stest from `wheel`; unpacks its sources."""
    if suite.folder:
        return
    needed = (suite.sdist, PYTEST, *suite.requirements)
    _once(suite, "requirements", f"{sys.version} {' '.join(needed)}", lambda: _install(suite, needed))
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    _once(suite, "stest", digest, lambda: _pip(suite, "--reinstall", "--no-deps", str(wheel)))
    if not suite.cwd.exists():
        _unpack(suite)
    _once(suite, "bytecode", f"{needed} {suite.args}", lambda: _compile(suite))


def _once(suite: Suite, step: str, content: str, act: Callable[[], None]) -> None:
    stamp = suite.home / "stamps" / step
    if stamp.exists() and stamp.read_text() == content:
        return
    print(f"preparing {suite.name}: {step}", flush=True)
    act()
    stamp.parent.mkdir(exist_ok=True)
    stamp.write_text(content)


def _install(suite: Suite, needed: tuple[str, ...]) -> None:
    shutil.rmtree(suite.home, ignore_errors=True)
    _run(*UV, "venv", "--python", sys.executable, str(suite.home))
    _pip(suite, "--compile-bytecode", *needed)


def _pip(suite: Suite, *args: str) -> None:
    # Where wheels lie on this machine is said to pip, if at all.
    links = [f"--find-links={folder}" for folder in os.environ.get("PIP_FIND_LINKS", "").split()]
    _run(*UV, "pip", "install", "--python", str(suite.python), *links, *args)


def _unpack(suite: Suite) -> None:
    """Downloads the source distribution; the folder appears at once and whole."""
    name = suite.sdist.partition("==")[0]
    suite.cwd.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=suite.cwd.parent) as folder:
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
        _run(*pip, "download", "--no-deps", "--no-binary", name, "--dest", folder, suite.sdist)
        (archive,) = Path(folder).glob("*.tar.gz")
        with tarfile.open(archive) as file:
            file.extractall(folder)
        shutil.move(str(archive).removesuffix(".tar.gz"), suite.cwd)


def _compile(suite: Suite) -> None:
    """Runs the suite for its bytecode: of some sources Python warns only when it compiles them."""
    command = [str(suite.python), "-m", "pytest", *suite.args]
    subprocess.run(command, cwd=suite.cwd, env={**os.environ, **suite.env}, capture_output=True)


def _run(*command: str) -> None:
    """Runs a command in silence; its output is shown if it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-4000:]}")
