"""A virtual environment with stest that a test may install into; made without a network."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from .harness import BIN, PYTHON, WORKER, Finished, Project


class Environment:
    """A copy of some of the packages of the surrounding one: really installed, in a folder of its own."""

    def __init__(self, home: Path, distributions: Iterable[str], worker: Path | None = WORKER) -> None:
        self.home = home
        self.bin = home / "bin"
        self.python = self.bin / PYTHON.name
        _run(str(PYTHON), "-m", "venv", "--without-pip", str(home))
        code = "import sysconfig; print(sysconfig.get_path('purelib'))"
        self.site = Path(_run(str(self.python), "-c", code).strip())
        for name in _with_requirements(distributions):
            self._copy_distribution(name)
        if worker:
            self.worker = home / worker.relative_to(BIN.parent)
            self._copy_stest(worker)

    def _copy_distribution(self, name: str) -> None:
        distribution = importlib.metadata.distribution(name)
        for file in distribution.files or ():
            source, target = Path(str(distribution.locate_file(file))), self.site / file
            if source.is_file() and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)  # A link would change the state of the file that is linked.

    def _copy_stest(self, worker: Path) -> None:
        spec = importlib.util.find_spec("sprintest")
        assert spec
        assert spec.submodule_search_locations
        shutil.copytree(next(iter(spec.submodule_search_locations)), self.site / "sprintest")
        for program in ("stest", "stestd"):
            shutil.copy2(BIN / program, self.bin / program)
        libraries = self.home / "lib" / "stest"
        shutil.copytree(BIN.parent / "lib" / "stest", libraries, ignore=lambda *_: ["libstest_worker.so"])
        shutil.copy2(worker, self.worker)

    def pip_install_editable(self, folder: Path, *options: str) -> None:
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(self.python))
        flags = ("--no-build-isolation", "--no-deps", "--no-index", *options)
        _run(*pip, "install", *flags, "-e", str(folder), path=self.bin)

    def uv_install_editable(self, folder: Path) -> None:
        flags = ("--no-build-isolation", "--no-deps", "--offline", "--no-cache")
        uv = (sys.executable, "-m", "uv", "pip", "install", "--python", str(self.python))
        _run(*uv, *flags, "-e", str(folder), path=self.bin)


class EnvironmentProject(Project):
    """A project whose stest and python are those of an environment."""

    def __init__(self, home: Path, environment: Environment) -> None:
        self.environment = environment
        super().__init__(home)
        self.env["PATH"] = f"{environment.bin}{os.pathsep}{self.env['PATH']}"

    def stest(self, *args: str, **options: Any) -> Finished:
        return super().stest(*args, program=(str(self.environment.bin / "stest"),), **options)

    def python(self, *args: str, **options: Any) -> Finished:
        return self.finish(self.start(*args, program=(str(self.environment.python),), **options))


def _with_requirements(names: Iterable[str]) -> set[str]:
    """The distributions, and all that they require here."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        requirements = map(Requirement, importlib.metadata.requires(name) or ())
        waiting += [one.name for one in requirements if not one.marker or one.marker.evaluate({"extra": ""})]
    return found


def _run(*command: str, path: Path | None = None) -> str:
    """Runs a program that must succeed; returns its output."""
    search = f"{path}{os.pathsep}{os.environ.get('PATH', os.defpath)}" if path else os.environ["PATH"]
    env = {**os.environ, "PATH": search}
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}"
    return done.stdout
