"""The package under development: told, and the project's wherever it lies."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .environment import Environment, EnvironmentProject
from .harness import Project
from .modes import MODES

SEES = "import package\ndef test(): open('seen', 'w').write(package.VALUE)\n"


def test_what_is_found_is_told(project: Project) -> None:
    project.write("test_it.py", "def test(): pass\n")
    project.stest().expect(0)
    assert project.status()["worker"]["target"] is None
    assert "target" not in project.stest("status").text
    folder = project.write("src/package/__init__.py", "").parent
    project.stest("restart").expect(0)
    project.stest().expect(0)
    expected = {"name": "package", "path": str(folder), "how": "src"}
    assert project.status()["worker"]["target"] == expected
    assert f"target         package, {folder} (src)\n" in project.stest("status").text


def test_folder_that_does_not_exist_is_an_error(project: Project) -> None:
    project.configure(sprintest="target_path = 'src/package'")
    project.write("test_it.py", "def test(): open('ran', 'w')\n")
    errors = project.stest().expect(102).errors
    assert "target_path is not a folder: src/package" in errors
    assert not (project.root / "ran").exists()
    project.write("src/package/__init__.py", "")
    project.stest().expect(0)
    target = project.status()["worker"]["target"]
    assert target["name"] == "package"
    assert target["how"] == "configured"


def test_name_of_nothing_is_told_once(project: Project) -> None:
    project.write("test_it.py", "def test(): pass\n")
    env = {"SPRINTEST_TARGET_PKG": "lost"}
    assert (
        "the target lost is neither in the project nor installed" in project.stest(env=env).expect(0).errors
    )
    assert "lost" not in project.stest(env=env).expect(0).errors
    expected = {"name": "lost", "path": "", "how": "configured"}
    assert project.status()["worker"]["target"] == expected
    assert "lost, not found (configured)" in project.stest("status").text


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("v"), ["pytest"])


@pytest.fixture
def installed(
    environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EnvironmentProject]:
    """A project with a package that lies in the site directory, as one that is mounted there may."""
    project = EnvironmentProject(tmp_path_factory.mktemp("p"), environment)
    project.write("test_it.py", SEES)
    yield project
    project.close()


def set_value(environment: Environment, value: str) -> None:
    folder = environment.site / "package"
    folder.mkdir(exist_ok=True)
    (folder / "part.py").write_text(f"VALUE = {value!r}\n")
    (folder / "__init__.py").write_text("from package.part import VALUE\n")


@pytest.mark.parametrize("setting", ["SPRINTEST_TARGET_PKG", "SPRINTEST_TARGET_PKG_PATH"])
@pytest.mark.parametrize("mode", MODES)
def test_configured_target_in_a_site_directory(
    installed: EnvironmentProject, environment: Environment, mode: str, setting: str
) -> None:
    target = "package" if setting.endswith("PKG") else str(environment.site / "package")
    installed.env.update(MODES[mode], **{setting: target})
    set_value(environment, "first")
    for _ in range(3):  # Now it has learned what it can.
        installed.stest().expect(0)
    worker = installed.status()["worker"]
    assert worker["target"] == {
        "name": "package",
        "path": str(environment.site / "package"),
        "how": "configured",
    }
    assert "package" not in [entry["module"] for entry in worker["preloaded"]]
    for value in ("other", "newer", "longer than before"):
        set_value(environment, value)
        installed.stest().expect(0)
        assert installed.read("seen") == value
    assert installed.status()["worker"]["pid"] == worker["pid"]


def test_target_that_is_only_found_stays_installed(
    installed: EnvironmentProject, environment: Environment
) -> None:
    """The project bears the name of a package whose copy is installed: that copy is as third-party as any."""
    set_value(environment, "first")
    pyproject = installed.read("pyproject.toml")
    installed.write("pyproject.toml", f"[project]\nname = 'package'\n{pyproject}")
    for _ in range(3):
        installed.stest().expect(0)
    worker = installed.status()["worker"]
    assert worker["target"] is None
    assert "package" in [entry["module"] for entry in worker["preloaded"]]
    set_value(environment, "another")
    assert "restarted worker" in installed.stest().expect(0).errors
    assert installed.read("seen") == "another"
