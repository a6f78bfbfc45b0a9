"""Packages in the folders of another environment, to which a `.pth` file leads, are installed as well."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from .environment import Environment, EnvironmentProject
from .harness import wait_for


@pytest.fixture(scope="module")
def overlay(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """stest alone; pytest and what it needs lie elsewhere."""
    environment = Environment(tmp_path_factory.mktemp("v"), ["pytest"])
    base = tmp_path_factory.mktemp("b") / "lib" / "site-packages"
    base.mkdir(parents=True)
    for entry in environment.site.iterdir():
        if entry.name != "sprintest":
            entry.rename(base / entry.name)
    (environment.site / "base.pth").write_text(f"import site; site.addsitedir({str(base)!r})\n")
    return environment


@pytest.fixture
def project(overlay: Environment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnvironmentProject]:
    project = EnvironmentProject(tmp_path_factory.mktemp("p"), overlay)
    yield project
    project.close()


def base_of(environment: Environment) -> Path:
    return Path((environment.site / "base.pth").read_text().split("'")[1])


def test_pytest_of_another_environment(project: EnvironmentProject) -> None:
    del project.env["SPRINTEST_PRIME"]
    project.write("test_it.py", "import os\ndef test(): os.write(2, b'it ran')\n")
    for turn in range(3):
        finished = project.stest("run", "--events", "--", "-s").expect(0)
        events = [json.loads(line) for line in finished.out.splitlines()]
        assert [event["outcome"] for event in events if event["event"] == "test"][1:] == ["passed"] * 3
        output = [event["data"] for event in events if event["event"] == "output"]
        assert "".join(output).count("it ran") == 1, turn
    worker = wait_for(lambda: project.status()["worker"], "the worker")
    assert any(row["module"].startswith("_pytest") for row in worker["preloaded"])
    project.ahead()

    # A change there is one of what is installed.
    package = base_of(project.environment) / "library-1.dist-info"
    package.mkdir()
    finished = project.stest().expect(0)
    assert "restarted worker: " in finished.errors
    assert "site-packages changed" in finished.errors
    package.rmdir()


def test_pytest_that_is_the_projects_own_runs_cold(project: EnvironmentProject) -> None:
    base = base_of(project.environment)
    copy = project.root / "src"
    for name in ("pytest", "_pytest"):
        shutil.copytree(base / name, copy / name)
    project.env["PYTHONPATH"] = str(copy)
    project.write("test_it.py", "import pytest\ndef test(): assert '/src/' in pytest.__file__\n")
    for _ in range(2):
        finished = project.stest("-p", "no:cacheprovider").expect(0)
        assert "pytest is project code, and not installed" in finished.errors
        assert finished.errors.count("ran cold") == 1
