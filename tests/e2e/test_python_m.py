"""`python -m sprintest` is `stest`, and the version says what was installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .environment import Environment, EnvironmentProject
from .harness import WORKER, Project


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("v"), ["pytest"])


@pytest.fixture
def project(tmp_path: Path, environment: Environment) -> Iterator[EnvironmentProject]:
    project = EnvironmentProject(tmp_path, environment)
    yield project
    project.close()


def test_python_m_sprintest_is_stest(project: EnvironmentProject) -> None:
    project.write("test_it.py", "import sys\ndef test_it(): print(sys.executable); assert 0\n")
    program = (str(project.environment.python), "-m", "sprintest")
    first = Project.stest(project, "-q", program=program).expect(1)
    assert f"{project.environment.bin / 'python3'}\n" in first.text
    assert project.stest("-q").expect(1).text.count("1 failed") == 1
    for args in (("status",), ("--version",), ("--help",)):
        assert Project.stest(project, *args, program=program).expect(0).out == project.stest(*args).out


def test_a_program_that_is_missing_is_named(project: EnvironmentProject) -> None:
    stest = project.environment.bin / "stest"
    stest.rename(stest.with_name("moved"))
    try:
        program = (str(project.environment.python), "-m", "sprintest")
        run = Project.stest(project, program=program).expect(1)
    finally:
        stest.with_name("moved").rename(stest)
    assert run.errors == "stest: the program `stest` is missing; install sprintest again\n"


def test_version_names_program_worker_and_python(project: EnvironmentProject) -> None:
    environment = project.environment
    first, program, worker, python = project.stest("--version").expect(0).text.splitlines()
    assert first.startswith("stest 2.")
    assert program == f"program  {environment.bin / 'stest'}, from source"
    hosted = WORKER.suffix == ".so"
    host = (
        f"{environment.bin / 'python3'}, which loads stest"
        if hosted
        else f"{environment.worker}, which embeds Python"
    )
    assert worker == f"worker   {host}"
    assert python.endswith(f", {environment.bin / 'python3'}")
