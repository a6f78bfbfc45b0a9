"""`stest ps`, `stest stop --all`, and daemons that end because nothing is left that they could serve."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from . import processes
from .environment import Environment, EnvironmentProject
from .harness import PYTHON, STEST, WAITING_TEST, Finished, Project, private_project, wait_for

NAMESPACES = "-Urpf --mount-proc"


@pytest.fixture
def fine(project: Project) -> Project:
    project.write("test_it.py", "def test(): pass")
    return project


@pytest.fixture
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project in a folder with an unusual name."""
    home = tmp_path_factory.mktemp("p") / "ein Verzeichnis für alles"
    home.mkdir()
    with private_project(home) as private:
        private.write("test_it.py", "def test(): pass")
        yield private


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("v"), ["pytest"])


@pytest.fixture
def elsewhere(
    environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EnvironmentProject]:
    """A project of another installation."""
    project = EnvironmentProject(tmp_path_factory.mktemp("p"), environment)
    project.write("test_it.py", "def test(): pass")
    yield project
    project.close()


def ps(project: Project, *pids: int) -> list[dict[str, Any]]:
    """What `stest ps` says of these daemons, outside of any project; others may run on this machine."""
    answer = project.finish(project.start("ps", "--json", cwd="/")).expect(0)
    found = {daemon["pid"]: daemon for daemon in json.loads(answer.out)["daemons"]}
    return [found[pid] for pid in pids if pid in found]


def the_daemon(project: Project) -> int:
    (pid,) = project.daemons()
    return pid


def wake(pid: int) -> None:
    """Has the daemon look around now. It does so by itself twice a minute."""
    os.kill(pid, signal.SIGCHLD)


def await_end(pid: int) -> None:
    wait_for(lambda: not processes.identify(pid), f"the end of {pid}")


def test_daemons_of_all_projects(fine: Project, odd: Project) -> None:
    fine.stest().expect(0)
    odd.stest().expect(0)
    fine.await_idle()
    odd.await_idle()
    pids = the_daemon(fine), the_daemon(odd)
    for project, daemon in zip((fine, odd), ps(fine, *pids)):
        assert daemon["root"] == str(project.root)
        assert daemon["root_exists"]
        assert daemon["state"] == "idle"
        assert daemon["python"] == str(PYTHON)
        assert daemon["executable"] == str(STEST.resolve().with_name("stestd"))
        assert not daemon["executable_deleted"]
        assert daemon["processes"] >= 2
        assert 5e6 < daemon["bytes"] < 1e9
        assert abs(daemon["started_at"] - project.status()["started_at"]) <= 2
    text = fine.finish(fine.start("ps", cwd="/")).expect(0).text
    (line,) = (line for line in text.splitlines() if line.split()[0] == str(pids[1]))
    assert " idle for " in line
    assert line.endswith(f"  {odd.root}")


def test_memory_counts_every_process_once(fine: Project) -> None:
    fine.stest().expect(0)
    fine.await_idle()
    status = fine.status()
    (daemon,) = ps(fine, the_daemon(fine))
    assert sum(one["bytes"] for one in status["processes"]) == pytest.approx(daemon["bytes"], rel=0.2)
    resident = sum(processes.memory(one.pid, "VmRSS") for one in fine.processes())
    assert daemon["bytes"] <= resident


def test_state_folder_elsewhere(fine: Project) -> None:
    fine.stest("start", env={"SPRINTEST_DIR": str(fine.home / "state")}).expect(0)
    pid = the_daemon(fine)
    (daemon,) = ps(fine, pid)
    assert daemon["state"] == "idle"
    assert daemon["state_folder"] == str(fine.home / "state")
    fine.stest("stop", env={"SPRINTEST_DIR": str(fine.home / "state")}).expect(0)
    assert ps(fine, pid) == []


def test_daemon_that_was_started_by_hand(fine: Project) -> None:
    daemon = fine.start("--root", ".", program=(str(STEST.with_name("stestd")),))
    wait_for(lambda: (fine.state / "status.json").exists(), "the daemon")
    (found,) = ps(fine, daemon.pid)
    assert found["root"] == str(fine.root)
    assert found["state"] == "idle"
    fine.stest("stop").expect(0)
    fine.finish(daemon).expect(0)


def test_root_that_is_gone(fine: Project) -> None:
    fine.env["SPRINTEST_DIR"] = str(fine.home / "state")
    fine.stest("start").expect(0)
    pid = the_daemon(fine)
    shutil.rmtree(fine.root)
    try:
        (daemon,) = ps(fine, pid)
        assert not daemon["root_exists"]
        wake(pid)
        await_end(pid)
        log = (fine.home / "state" / "daemon.log").read_text()
        assert f"ending: {fine.root} does not exist any more" in log
        assert not (fine.home / "state" / "status.json").exists()
        assert not fine.root.exists()
    finally:
        fine.root.mkdir(exist_ok=True)


def test_root_that_was_made_anew(fine: Project) -> None:
    fine.stest().expect(0)
    old = the_daemon(fine)
    os.kill(old, signal.SIGSTOP)  # Else anything that wakes it could end it before `ps` sees it.
    shutil.rmtree(fine.root)
    fine.root.mkdir()
    fine.configure()
    fine.write("test_it.py", "def test(): pass")
    fine.stest().expect(0)
    (now,) = (pid for pid in fine.daemons() if pid != old)
    reachable = [daemon["state"] != "unreachable" for daemon in ps(fine, old, now)]
    assert reachable == [False, True]
    os.kill(old, signal.SIGCONT)
    wake(old)
    await_end(old)
    fine.stest().expect(0)
    assert fine.daemons() == [now]
    assert fine.status()["pid"] == now


def test_lock_that_is_deleted_during_a_run(project: Project) -> None:
    project.write("test_it.py", WAITING_TEST)
    client = project.start()
    project.await_file("started")
    pid = the_daemon(project)
    (project.state / "daemon.lock").unlink()
    wake(pid)
    (project.root / "go on").touch()
    assert "1 passed" in project.finish(client).expect(0).text
    await_end(pid)
    assert not (project.state / "status.json").exists()


def test_other_installation_that_is_removed(elsewhere: EnvironmentProject) -> None:
    elsewhere.stest().expect(0)
    pid = the_daemon(elsewhere)
    program = elsewhere.environment.bin / "stestd"
    (daemon,) = ps(elsewhere, pid)
    assert daemon["executable"] == str(program)
    assert daemon["python"].startswith(str(elsewhere.environment.bin))

    copy = program.with_name("copy")
    shutil.copy2(program, copy)
    copy.replace(program)
    (daemon,) = ps(elsewhere, pid)
    assert daemon["executable_deleted"]
    assert daemon["state"] != "unreachable"
    wake(pid)
    assert "another build" in elsewhere.stest().expect(0).errors  # A replaced one is the client's affair.

    pid = the_daemon(elsewhere)
    saved = program.rename(program.with_name("saved"))
    try:
        wake(pid)
        await_end(pid)
        assert f"{program} is not installed any more" in (elsewhere.state / "daemon.log").read_text()
    finally:
        saved.rename(program)


def test_status_says_what_holds_memory(project: Project) -> None:
    project.env["SPRINTEST_PRIME"] = "yes"
    waiting = WAITING_TEST.replace("import os, time", "import os, subprocess, time")
    child = '    subprocess.Popen(["sleep", "1000"])\n        with open("started"'
    project.write("test_it.py", waiting.replace('    with open("started"', child))
    client = project.start()
    project.await_file("started")
    found: dict[str, list[dict[str, Any]]] = {}
    for process in project.status()["processes"]:
        found.setdefault(process["role"], []).append(process)
    (daemon,) = found["daemon"]
    (worker,) = found["worker"]
    assert daemon["pid"] == the_daemon(project)
    assert worker["pid"] == project.status()["worker"]["pid"]
    assert {process["run"] for process in found["run"]} == {1}
    assert any(processes.identify(one["pid"]) in project.processes("sleep") for one in found["run"])
    text = project.stest("status").expect(0).text
    assert "MiB: the worker, which holds the loaded modules" in text
    assert "MiB: run 1 (2 processes)" in text
    (project.root / "go on").touch()
    project.finish(client).expect(0)


# ---- stest stop --all, where it finds no other daemons


def alone(project: Project, script: str) -> Finished:
    """A shell script where no other processes are visible; its processes end with it."""
    words = ("unshare", *NAMESPACES.split())
    if subprocess.run([*words, "true"], capture_output=True).returncode != 0:
        pytest.skip(f"`unshare {NAMESPACES}` is not allowed here")
    return project.finish(project.start(program=(*words, "sh", "-c", script)))


def test_stop_all(fine: Project, odd: Project, tmp_path: Path) -> None:
    """One has lost its root, one has been used, and one process only has the name of a daemon."""
    lost = tmp_path / "lost"
    lost.mkdir()
    imposter = tmp_path / "stestd"
    shutil.copy2(shutil.which("sleep") or "sleep", imposter)
    script = f"""
        set -e
        stest; (cd '{odd.root}'; stest start); (cd {lost}; stest start; rm -r {lost})
        {imposter} 1000 &
        cd /
        echo; stest ps; echo; stest stop --all; echo; stest ps; stest stop --all; echo
        ls /proc | grep -cx '[0-9]*'; kill -0 $!
    """
    finished = alone(fine, script).expect(0)
    _, before, stopped, after, left = finished.text.split("\n\n")[-5:]
    assert len(before.splitlines()) == 4
    assert sum("unreachable" in line and "(deleted)" in line for line in before.splitlines()) == 1
    assert len(stopped.splitlines()) == 3
    for root in (fine.root, odd.root, lost):
        assert sum(f"the daemon of {root} (pid " in line for line in stopped.splitlines()) == 1
    assert all(line.endswith(") has stopped") for line in stopped.splitlines())
    assert after.splitlines() == ["stest: no daemon of this user is running"] * 2
    assert left.split() == ["4"]  # The shell, the process with the name, ls and grep.


def test_stop_all_kills_what_does_not_answer(fine: Project) -> None:
    fine.write(
        "test_it.py", "import os, subprocess\ndef test(): subprocess.Popen(['setsid', 'sleep', '1000'])"
    )
    script = """
        stest; pid=$(pidof stestd); kill -STOP $pid
        cd /; stest stop --all; echo $?; stest ps; pidof stestd stest-worker sleep; echo $?
    """
    finished = alone(fine, script).expect(0)
    lines = finished.text.splitlines()[-4:]
    assert lines[0].endswith(") did not answer and was killed"), finished
    assert lines[1:] == ["0", "stest: no daemon of this user is running", "1"]
    assert not (fine.state / "status.json").exists()
