"""Editable installs of every backend in common use are project code: an edit counts in the next run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from .environment import Environment, EnvironmentProject
from .modes import MODES

_BACKENDS = {
    "setuptools": ("setuptools>=64", "setuptools.build_meta", ""),
    "hatchling": ("hatchling", "hatchling.build", ""),
    "flit": ("flit_core>=3.2", "flit_core.buildapi", ""),
    "scikit-build-core": (
        "scikit-build-core",
        "scikit_build_core.build",
        "[tool.scikit-build]\nwheel.cmake = false\neditable.mode = 'redirect'\n",
    ),
    "uv": ("uv_build", "uv_build", "[tool.uv.build-backend]\nmodule-root = '{base}'\n"),
}
_DISTRIBUTIONS = (
    "pytest",
    "setuptools",
    "hatchling",
    "editables",
    "flit_core",
    "scikit-build-core",
    "uv_build",
)


@dataclass(frozen=True)
class Kind:
    """One way to make a folder importable without copying it."""

    backend: str = ""  # Empty: the installer needs none.
    base: str = "src"  # Where the package lies in its distribution's folder; empty: in the folder itself.
    inside: bool = False  # The test project's root is that folder.
    installer: str = "pip"  # "pip", "uv", "symlink" or "pth".
    options: tuple[str, ...] = ()  # Of pip.

    @property
    def links_files(self) -> bool:
        """Only the files that there were at installation can be imported."""
        return any(option.endswith("strict") for option in self.options)

    @property
    def id(self) -> str:
        layout = "inside" if self.inside else self.base or "flat"
        parts = [self.installer, self.backend, layout, *(option.split("=")[-1] for option in self.options)]
        return "-".join(part for part in parts if part)


#: One of each installer and layout, and the backends whose installs differ most; `--all` tries the others.
_IN_THE_GATE = {
    "pip-setuptools-src-strict",
    "pip-scikit-build-core-inside",
    "uv-hatchling-src",
    "uv-setuptools-flat",
    "symlink-flat",
    "pth-src",
}

KINDS = [
    *(Kind(backend, base) for backend in _BACKENDS for base in ("src", "")),
    *(Kind(backend, inside=True) for backend in _BACKENDS),
    Kind("setuptools", options=("--config-settings=editable_mode=strict",)),
    *(Kind(backend, installer="uv") for backend in _BACKENDS),
    Kind("setuptools", "", installer="uv"),
    *(Kind(base=base, installer=installer) for base in ("src", "") for installer in ("symlink", "pth")),
    *(Kind(inside=True, installer=installer) for installer in ("symlink", "pth")),
]


class Library:
    """A package `name` that is installed as `kind` says, and a project with a test that imports it."""

    def __init__(self, kind: Kind, home: Path, environment: Environment) -> None:
        self.kind = kind
        self.name = f"library_{kind.id.replace('-', '_')}"
        self.project = EnvironmentProject(home, environment)
        self.folder = self.project.root if kind.inside else home / "distribution"
        self.package = self.folder / kind.base / self.name
        self.package.mkdir(parents=True)
        (self.package / "__init__.py").write_text(f"'''A library.'''\nfrom {self.name}.part import VALUE\n")
        self.set_value("first")
        self._write_metadata(kind)
        self.project.write(
            "test_it.py",
            f"import {self.name} as library\ndef test(): open('seen', 'w').write(library.VALUE)\n",
        )
        self._install(kind, environment)

    def _write_metadata(self, kind: Kind) -> None:
        pytest_table = "[tool.pytest.ini_options]\n" if kind.inside else ""
        text = pytest_table
        if kind.backend:
            requires, backend, tables = _BACKENDS[kind.backend]
            text = (
                f"[build-system]\nrequires = [{requires!r}]\nbuild-backend = {backend!r}\n"
                f"[project]\nname = {self.name!r}\nversion = '1'\ndescription = 'A library.'\n"
                f"{tables.format(base=kind.base)}{pytest_table}"
            )
        (self.folder / "pyproject.toml").write_text(text)

    def _install(self, kind: Kind, environment: Environment) -> None:
        if kind.installer == "pip":
            environment.pip_install_editable(self.folder, *kind.options)
        elif kind.installer == "uv":
            environment.uv_install_editable(self.folder)
        elif kind.installer == "symlink":  # As `flit install --symlink` makes it.
            (environment.site / self.name).symlink_to(self.package, target_is_directory=True)
        else:
            (environment.site / f"{self.name}.pth").write_text(f"{self.folder / kind.base}\n")

    def set_value(self, value: str) -> None:
        (self.package / "part.py").write_text(f"VALUE = {value!r}\n")

    def add_module(self, value: str) -> None:
        """Another edit: of the package itself, which now has a module that it had not."""
        (self.package / "more.py").write_text(f"VALUE = {value!r}\n")
        (self.package / "__init__.py").write_text(f"'''A library.'''\nfrom {self.name}.more import VALUE\n")

    def remove_module(self) -> None:
        (self.package / "__init__.py").write_text(f"'''A library.'''\nfrom {self.name}.part import VALUE\n")
        (self.package / "more.py").unlink(missing_ok=True)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("v"), _DISTRIBUTIONS)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(kind, id=kind.id, marks=[] if kind.id in _IN_THE_GATE else pytest.mark.long)
        for kind in KINDS
    ],
)
def library(
    request: pytest.FixtureRequest, environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Library]:
    library = Library(request.param, tmp_path_factory.mktemp("e"), environment)
    yield library
    library.project.close()


class Session:
    """Runs of a library's project in one mode, with a daemon of its own."""

    def __init__(self, library: Library, mode: str) -> None:
        self.project = library.project
        self.project.env.update(MODES[mode], SPRINTEST_DIR=str(self.project.home / mode))
        library.remove_module()
        library.set_value("first")

    def seen(self) -> str:
        """What the test saw of the library in one more run."""
        (self.project.root / "seen").unlink(missing_ok=True)
        self.project.stest("-p", "no:cacheprovider").expect(0)
        return self.project.read("seen")

    def worker(self) -> int:
        pid: int = self.project.status()["worker"]["pid"]
        return pid

    def preloaded(self) -> set[str]:
        return {entry["module"].partition(".")[0] for entry in self.project.status()["worker"]["preloaded"]}


@contextmanager
def session_in(mode: str, library: Library) -> Iterator[Session]:
    session = Session(library, mode)
    try:
        yield session
    finally:
        session.project.stest("stop")
        for name in (*MODES[mode], "SPRINTEST_DIR"):
            del session.project.env[name]


def test_edit_is_seen_at_once_by_the_same_worker(library: Library) -> None:
    for mode in MODES:  # In one test: the installation takes longest.
        with session_in(mode, library) as session:
            check_edits(library, session)


def check_edits(library: Library, session: Session) -> None:
    for _ in range(3):  # Now it has learned what it can.
        assert session.seen() == "first"
    worker = session.worker()
    for value in ("other", "newer", "first", "longer than before"):
        library.set_value(value)
        assert session.seen() == value
    if not library.kind.links_files:
        library.add_module("from a new module")
        assert session.seen() == "from a new module"
    assert session.worker() == worker
    assert library.name not in session.preloaded()


def test_library_named_in_preload_is_refused_as_project_code(library: Library) -> None:
    project = library.project
    named = f"[tool.sprintest]\npreload = [{library.name!r}]\n"
    text = project.read("pyproject.toml")
    project.write("pyproject.toml", text.replace("[tool.sprintest]\n", "") + named)
    try:
        project.stest().expect(0)
        worker = project.status()["worker"]
    finally:
        project.write("pyproject.toml", text)
        project.stest("stop")
    assert library.name not in [entry["module"] for entry in worker["preloaded"]]
    assert library.name in [entry["module"] for entry in worker["not_preloaded"]]
