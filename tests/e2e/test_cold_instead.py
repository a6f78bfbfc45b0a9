"""Where stest itself fails before the first test `python -m pytest` does the run, and one line says why."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from .environment import Environment, EnvironmentProject
from .modes import MODES

#: What is wrong with stest: the module, what is added to it, and the modes in which that shows.
BEFORE = {
    "a private name is missing": (
        "_private",
        "raise ImportError('pytest has no _pytest.name, which this version of stest needs')",
        MODES,
    ),
    "the worker ends": ("_preload", "import os; os._exit(3)", ["fork"]),
    "the worker crashes": ("_preload", "import os; os.abort()", ["fork"]),
    "the runner": ("_runner", "Run._get_ready = lambda self: 1 / 0", MODES),
    "its preparation": ("_runner", "_prepare = lambda *args: 1 / 0", ["fork"]),
    "the resident process": ("_resident", "ProcessState = None", ["resident"]),
    "the cache": ("_cache", "Cache.forget_changed = lambda self: 1 / 0", ["resident"]),
    "the plugin at the first test": ("_plugin", "Reporter._settle = lambda self: 1 / 0", MODES),
    "the plugin": (
        "_plugin",
        "Reporter.pytest_collection_finish.__globals__['list'] = lambda path: 1 / 0",
        ["fork"],
    ),
}

#: The same when pytest has given its answer.
AFTER = {
    "what was learned": ("_learn", "preloadable = lambda names: 1 / 0"),
    "the GPU": ("_cuda", "_in_use = lambda: 1 / 0"),
    "the modules": ("_runner", "_finalise_modules = lambda names: 1 / 0"),
}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("v"), ["pytest"])


@pytest.fixture
def project(
    environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EnvironmentProject]:
    project = EnvironmentProject(tmp_path_factory.mktemp("p"), environment)
    project.write(
        "test_it.py",
        "import os\ndef test(): os.write(1, b'ran once')\ndef test_fails(): assert os.getcwd() == ''\n",
    )
    yield project
    project.close()


@pytest.fixture
def broken(request: pytest.FixtureRequest, environment: Environment) -> Iterator[None]:
    module, line, *_ = request.param
    (file,) = (environment.site / "sprintest").rglob(f"{module}.py")
    text = file.read_text()
    file.write_text(f"{text}\n{line}\n")
    yield
    file.write_text(text)


@pytest.mark.parametrize(
    ("broken", "mode"),
    [pytest.param(case, mode, id=f"{name}-{mode}") for name, case in BEFORE.items() for mode in case[2]],
    indirect=["broken"],
)
@pytest.mark.usefixtures("broken")
def test_failure_before_the_first_test_costs_no_answer(project: EnvironmentProject, mode: str) -> None:
    project.env.update(MODES[mode])
    workers = set()
    for _ in range(3):
        finished = project.stest("-s").expect(1)
        assert finished.text.count("ran once") == 1
        assert "1 failed, 1 passed" in finished.text
        said = [line for line in finished.errors.splitlines() if line.startswith("stest: ")]
        assert said[-1].endswith(": ran cold")
        assert len(said) <= 2
        log = (project.state / "daemon.log").read_text()
        workers.add(len(re.findall(r"worker \d+ started", log)))
    assert len(workers) == 1, "a worker was started again, to the same end"


@pytest.mark.parametrize(
    "broken", [pytest.param(case, id=name) for name, case in AFTER.items()], indirect=True
)
@pytest.mark.usefixtures("broken")
def test_failure_after_the_last_test_changes_no_answer(project: EnvironmentProject) -> None:
    finished = project.stest("-s").expect(1)
    assert finished.text.count("ran once") == 1
    assert "ran cold" not in finished.errors
    assert "internal error" not in finished.errors


def test_worker_that_is_not_there(project: EnvironmentProject) -> None:
    program = project.environment.worker
    aside = Path(f"{program}.aside")
    program.rename(aside)
    try:
        finished = project.stest("-s").expect(1)
        assert finished.text.count("ran once") == 1
        assert finished.errors.count(": ran cold") == 1
    finally:
        aside.rename(program)
    assert "ran cold" not in project.stest().expect(1).errors
