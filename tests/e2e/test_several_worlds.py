"""A terminal, an agent and an editor have different variables, and each finds its worker warm."""

from __future__ import annotations

import os
import signal

import pytest

from .harness import WAITING_TEST, Finished, Project, wait_for
from .sight import preload
from .test_cold_while_warming import is_cold

ONE, TWO = {"OMP_NUM_THREADS": "1"}, {"OMP_NUM_THREADS": "2"}
TEST = "import os, mine\ndef test(): print('VALUE', mine.VALUE, os.environ['OMP_NUM_THREADS'])\n"


@pytest.fixture
def worlds(project: Project) -> Project:
    """A project with a warm worker for each of two values of a variable."""
    del project.env["SPRINTEST_PRIME"], project.env["SPRINTEST_WAIT_FOR_WORKER"]
    preload(project, library="import os\nMODE = os.environ.get('MODE')\n")
    project.write("mine.py", "VALUE = 1\n")
    project.write("test_it.py", TEST)
    for env in (ONE, TWO):
        project.stest("-s", env=env).expect(0)
        project.await_idle()
    return project


def said(finished: Finished) -> str:
    assert not is_cold(finished)
    assert "worker" not in finished.errors
    return next(line for line in finished.expect(0).text.splitlines() if "VALUE" in line)


def test_who_alternates_is_always_warm(worlds: Project) -> None:
    for value in range(1, 4):
        worlds.write("mine.py", f"VALUE = {value}\n")
        assert f"VALUE {value} 1" in said(worlds.stest("-s", env=ONE))
        assert f"VALUE {value} 2" in said(worlds.stest("-s", env=TWO))
    assert len(worlds.status()["other_workers"]) == 1
    assert "OMP_NUM_THREADS changed from 2 to 1" in worlds.stest("status").text


def test_the_notice_names_the_values_and_who_read_them(worlds: Project) -> None:
    finished = worlds.stest("-s", env={**TWO, "MODE": "fast"}).expect(0)
    assert "started another worker: MODE changed from unset to fast (library read it)\n" in finished.errors


def test_a_change_of_packages_concerns_each(worlds: Project) -> None:
    worlds.install("library.py", "MODE = None\n")
    for env in (ONE, TWO):
        finished = worlds.stest("-s", env=env).expect(0)
        assert "restarted worker: library changed" in finished.errors
        worlds.await_idle()
    for env in (ONE, TWO):
        said(worlds.stest("-s", env=env))


def test_the_end_of_one_does_not_concern_the_runs_of_another(worlds: Project) -> None:
    worlds.write("test_waiting.py", WAITING_TEST)
    client = worlds.start("test_waiting.py", env=ONE)
    worlds.await_file("started")
    (other,) = worlds.status()["other_workers"]
    os.kill(other["pid"], signal.SIGKILL)
    wait_for(lambda: not worlds.status()["other_workers"], "the end of the other")
    worlds.write("go on", "")
    worlds.finish(client).expect(0)
    assert "worker: it died by SIGKILL" in worlds.stest("-s", "test_it.py", env=TWO).expect(0).errors


def test_runs_of_both_go_side_by_side(worlds: Project) -> None:
    worlds.write("test_waiting.py", WAITING_TEST)
    client = worlds.start("test_waiting.py", env=ONE)
    worlds.await_file("started")
    assert "VALUE 1 2" in said(worlds.stest("-s", "test_it.py", env=TWO))
    worlds.write("go on", "")
    worlds.finish(client).expect(0)
