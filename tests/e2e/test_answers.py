"""A worker that does not answer costs time, bounded by `worker_timeout`, and never the answer."""

from __future__ import annotations

import os
import signal

import pytest

from .harness import WAITING_TEST, Project
from .modes import MODES

# Long enough for a start on a loaded machine; nothing here waits for it twice.
TIMEOUT = "15s"

# A module that waits for ever when the worker imports it, and not when a run does.
DEADLOCKED = """
    import os, threading

    if "PYTEST_VERSION" not in os.environ:
        lock = threading.Lock()
        lock.acquire()
        lock.acquire()
    """


@pytest.fixture
def deadlocked(project: Project) -> Project:
    project.install("deadlocked.py", DEADLOCKED)
    project.install("healthy.py", "")
    project.configure(sprintest="preload = ['deadlocked', 'healthy']")
    project.write("test_it.py", "import deadlocked, healthy\ndef test(): pass")
    return project


def not_preloaded(project: Project) -> dict[str, str]:
    return {one["module"]: one["reason"] for one in project.status()["worker"]["not_preloaded"]}


def test_a_deadlocked_import_is_shown_and_ctrl_c_works(deadlocked: Project) -> None:
    client = deadlocked.start("run", "--events")
    deadlocked.read_until(client, b'"module":"deadlocked"')
    client.send_signal(signal.SIGINT)
    assert deadlocked.finish(client).code not in (0, 1, 5)
    assert deadlocked.status()["worker"]["state"] == "warming"


def test_a_deadlocked_import_is_given_up_and_left_to_the_run(deadlocked: Project) -> None:
    deadlocked.env["SPRINTEST_WORKER_TIMEOUT"] = TIMEOUT
    finished = deadlocked.stest().expect(0)
    assert "deadlocked cannot be preloaded: its import did not end within 15 s" in finished.errors
    assert "1 passed" in finished.text
    assert "did not end within 15 s" in not_preloaded(deadlocked)["deadlocked"]
    assert "healthy" in [one["module"] for one in deadlocked.status()["worker"]["preloaded"]]
    # It is remembered beyond the daemon's life, until preload.json is deleted.
    deadlocked.stest("restart").expect(0)
    assert "deadlocked" not in deadlocked.stest().expect(0).errors
    deadlocked.stest("stop").expect(0)
    (deadlocked.state / "preload.json").unlink()
    deadlocked.install("deadlocked.py", "")
    deadlocked.stest().expect(0)
    assert not not_preloaded(deadlocked)


@pytest.mark.parametrize("mode", MODES)
def test_a_worker_that_does_not_begin_the_run_is_replaced(project: Project, mode: str) -> None:
    project.env.update(MODES[mode], SPRINTEST_WORKER_TIMEOUT=TIMEOUT)
    project.write("test_it.py", "def test(): pass")
    project.stest().expect(0)
    project.await_idle()
    worker = project.status()["worker"]["pid"]
    os.kill(worker, signal.SIGSTOP)
    finished = project.stest().expect(0)
    assert "restarted worker: it did not answer for 15 s" in finished.errors
    assert "1 passed" in finished.text
    assert project.status()["worker"]["pid"] != worker
    assert "restarted" not in project.stest().expect(0).errors


def test_a_run_whose_worker_stops_answering_is_told_so(project: Project) -> None:
    project.env["SPRINTEST_WORKER_TIMEOUT"] = TIMEOUT
    project.write("test_it.py", WAITING_TEST)
    client = project.start()
    project.await_file("started")
    os.kill(project.status()["worker"]["pid"], signal.SIGSTOP)
    finished = project.finish(client).expect(104)
    expected = "did not answer for 15 s and was killed while running test_it.py::test_waiting"
    assert expected in finished.errors
    project.write("go on", "")
    project.stest().expect(0)


def test_stop_ends_a_worker_that_does_not_answer(project: Project) -> None:
    project.write("test_it.py", "def test(): pass")
    project.stest().expect(0)
    os.kill(project.status()["worker"]["pid"], signal.SIGSTOP)
    project.stest("stop").expect(0)
    assert not project.processes()
