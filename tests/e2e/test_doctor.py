"""`stest doctor` says what is broken and how to mend it, and leaves all as it was."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from .environment import Environment, EnvironmentProject
from .harness import PYTHON, Project

UNSOUND = 113  # include/stest/exit_code.hpp
CHECKS = [
    "programs",
    "configuration",
    "python",
    "pytest",
    "worker",
    "fork safety",
    "state folder",
    "socket",
    "disk",
    "daemon",
    "proc",
    "memory",
    "open files",
    "inotify",
]


@pytest.fixture
def broken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnvironmentProject]:
    """A project with an installation of its own, which the test breaks."""
    environment = Environment(tmp_path_factory.mktemp("v"), ["pytest"])
    project = EnvironmentProject(tmp_path_factory.mktemp("p"), environment)
    yield project
    if not (environment.bin / "stest").exists():
        return
    project.close()


def findings(project: Project, code: int, **options: Any) -> dict[str, dict[str, str]]:
    answer = json.loads(project.stest("doctor", "--json", **options).expect(code).out)
    assert answer["sound"] == (code == 0)
    found = {one["name"]: one for one in answer["checks"]}
    assert all(one["remedy"] for one in found.values() if one["grade"] != "ok"), found
    return found


def failed(project: Project, name: str, **options: Any) -> str:
    """The detail and the remedy of the check that fails, as the only one."""
    found = findings(project, UNSOUND, **options)
    assert [one["name"] for one in found.values() if one["grade"] == "failure"] == [name]
    return f"{found[name]['detail']} → {found[name]['remedy']}"


def test_a_sound_installation(project: Project) -> None:
    found = findings(project, 0)
    assert list(found) == CHECKS
    assert found["daemon"]["detail"] == "none runs; the first run starts one"
    assert not project.processes()
    text = project.stest("doctor").expect(0).text
    assert all(f" {name}" in text for name in CHECKS)
    assert not project.processes()


def test_a_running_daemon_is_not_disturbed(project: Project) -> None:
    project.install("taught.py", "")
    project.configure(sprintest="preload = ['taught']")
    project.write("test_it.py", "import taught\ndef test(): pass")
    project.stest().expect(0)
    project.await_idle()
    before = project.status()
    found = findings(project, 0)
    assert found["daemon"]["detail"] == f"pid {before['pid']} answers"
    assert found["fork safety"]["detail"].startswith("forks are healthy with ")
    after = project.status()
    assert (after["pid"], after["worker"]["pid"]) == (before["pid"], before["worker"]["pid"])
    assert project.stest().expect(0).errors == ""


def test_a_module_that_spoils_forks(project: Project) -> None:
    thread = "threading.Thread(target=time.sleep, args=[9]).start()"
    project.install("threading_one.py", f"import threading, time\n{thread}")
    project.configure(sprintest="preload = ['threading_one']")
    found = findings(project, 0)
    assert found["fork safety"]["grade"] == "warning"
    assert "threading_one starts a thread when imported" in found["fork safety"]["detail"]


def test_a_bad_configuration(project: Project) -> None:
    project.configure(sprintest="stuck = 3")
    assert "unknown key 'stuck'" in failed(project, "configuration")


def test_a_state_folder_that_others_may_write(project: Project) -> None:
    project.state.mkdir()
    project.state.chmod(0o777)
    assert "other users have access to it" in failed(project, "state folder")


def test_a_state_folder_that_takes_no_socket(project: Project) -> None:
    found = findings(project, UNSOUND, env={"SPRINTEST_DIR": "/proc/self/task"})
    worst = found["state folder"]
    if worst["grade"] == "ok":  # root may write everywhere, or so it seems
        worst = found["socket"]
    assert worst["grade"] == "failure"
    assert "SPRINTEST_DIR" in worst["remedy"]


def test_a_daemon_that_does_not_answer(project: Project) -> None:
    project.write("test_it.py", "def test(): pass")
    project.stest().expect(0)
    (daemon,) = project.daemons()
    os.kill(daemon, signal.SIGSTOP)
    try:
        assert "stest restart" in failed(project, "daemon")
    finally:
        os.kill(daemon, signal.SIGCONT)


def test_few_descriptors(project: Project) -> None:
    script = "ulimit -n 100; exec stest doctor --json"
    finished = project.finish(project.start("-c", script, program=("/bin/sh",))).expect(0)
    found = {one["name"]: one for one in json.loads(finished.out)["checks"]}
    assert found["open files"]["grade"] == "warning"
    assert "ulimit -n" in found["open files"]["remedy"]


def test_a_missing_program(broken: EnvironmentProject) -> None:
    broken.environment.worker.unlink()
    found = findings(broken, UNSOUND)
    assert "libstest_worker.so is missing" in found["programs"]["detail"]
    assert "from where you had it" in found["programs"]["remedy"]


def test_programs_of_different_versions(broken: EnvironmentProject) -> None:
    program = broken.environment.bin / "stestd"
    program.unlink()
    program.write_text("#!/bin/sh\necho 0.0.1\n")
    program.chmod(0o755)
    assert "stestd has 0.0.1" in failed(broken, "programs")


def test_pytest_is_missing(broken: EnvironmentProject) -> None:
    shutil.rmtree(broken.environment.site / "pytest")
    assert "pip install pytest" in failed(broken, "pytest")


def test_pytest_is_too_old(broken: EnvironmentProject) -> None:
    init = broken.environment.site / "pytest" / "__init__.py"
    text = init.read_text()
    init.unlink()  # It may be a link to the surrounding environment's own.
    init.write_text(f"{text}\n__version__ = '6.2.5'\n")
    assert "6.2.5 is older than 7" in failed(broken, "pytest")


def test_the_interpreter_does_not_start(broken: EnvironmentProject) -> None:
    for name in ("python3", "python"):
        program = broken.environment.bin / name
        if program.exists() or program.is_symlink():
            program.unlink()
            program.write_text("#!/bin/sh\necho No module named encodings >&2\nexit 1\n")
            program.chmod(0o755)
    assert "No module named encodings" in failed(broken, "python")


def test_the_python_half_of_stest_is_missing(broken: EnvironmentProject) -> None:
    shutil.rmtree(broken.environment.site / "sprintest")
    assert "No module named 'sprintest'" in failed(broken, "worker")


# ---- the Python program sprintest, which stest succeeds


def test_the_predecessor_is_installed(broken: EnvironmentProject) -> None:
    info = broken.environment.site / "sprintest-1.1.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: sprintest\nVersion: 1.1.1\n")
    found = findings(broken, 0)["predecessor"]
    assert f"version 1.1.1 is installed in {broken.environment.home}" in found["detail"]
    assert "pip uninstall sprintest" in found["remedy"]
    info.rename(info.with_name("sprintest-2.0.0.dist-info"))
    (info.with_name("sprintest-2.0.0.dist-info") / "METADATA").write_text("Name: sprintest\nVersion: 2.0.0\n")
    assert "predecessor" not in findings(broken, 0)


def test_the_predecessors_daemon_and_file(project: Project) -> None:
    library = project.home / "library/sprintest"
    library.mkdir(parents=True)
    (library / "__init__.py").write_text("")
    (library / "daemon.py").write_text("import time\nprint(flush=True)\ntime.sleep(1000)\n")
    env = {"PYTHONPATH": str(library.parent)}
    daemon = project.start("-m", "sprintest.daemon", program=(str(PYTHON),), env=env)
    project.read_until(daemon, b"\n")
    project.state.mkdir()
    (project.state / "status.json").write_text(json.dumps({"pid": daemon.pid, "version": "1.1.1"}))
    found = findings(project, 0)["predecessor"]
    assert f"its daemon runs here, pid {daemon.pid}; " in found["detail"]
    assert "status.json is its file" in found["detail"]
    assert f"kill {daemon.pid}" in found["remedy"]
    daemon.kill()
    project.finish(daemon)
    project.write("test_it.py", "def test(): pass")
    project.stest().expect(0)
    assert "predecessor" not in findings(project, 0)
