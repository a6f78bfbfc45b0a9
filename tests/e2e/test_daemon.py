"""One daemon per project: started when needed, replaced when it is the wrong one, never in the way."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat

import pytest

from .harness import WAITING_TEST, Project, wait_for

NOT_RUNNING = 108  # include/stest/exit_code.hpp


@pytest.fixture
def fine(project: Project) -> Project:
    project.write("test_it.py", "def test(): pass")
    return project


def assert_one_daemon_and_worker(project: Project) -> None:
    """Nothing of an earlier daemon is left."""
    expected = {project.status()["pid"], project.status()["worker"]["pid"]}
    wait_for(lambda: {one.pid for one in project.processes()} == expected, f"{expected} alone")


def test_twenty_clients_at_once_get_one_daemon_and_their_own_answers(project: Project) -> None:
    for number in range(20):
        project.write(f"test_{number}.py", f"def test_number_{number}(): assert {number} % 3\n")
    clients = [project.start("-v", f"test_{number}.py") for number in range(20)]
    for number, client in enumerate(clients):
        finished = project.finish(client).expect(0 if number % 3 else 1)
        assert f"test_{number}.py::test_number_{number} " in finished.text
        assert finished.text.count("::test_number_") <= 2
    assert len(project.daemons()) == 1
    assert_one_daemon_and_worker(project)


def test_twenty_starts_at_once(project: Project) -> None:
    clients = [project.start("start") for _ in range(20)]
    for client in clients:
        project.finish(client).expect(0)
    assert project.daemons() == [project.status()["pid"]]


def test_daemon_serves_many_runs(fine: Project) -> None:
    pids = set()
    for _ in range(3):
        fine.stest().expect(0)
        pids.add((fine.status()["pid"], fine.status()["worker"]["pid"]))
    assert len(pids) == 1


# ---- deaths


def test_killed_daemon_stops_nothing(fine: Project) -> None:
    fine.stest().expect(0)
    os.kill(fine.status()["pid"], signal.SIGKILL)
    fine.stest().expect(0)
    assert_one_daemon_and_worker(fine)


def test_daemon_killed_during_a_run_is_told_and_nothing_stays(project: Project) -> None:
    project.write("test_it.py", WAITING_TEST)
    client = project.start()
    project.await_file("started")
    os.kill(project.status()["pid"], signal.SIGKILL)
    project.finish(client).expect(103)
    wait_for(lambda: not project.processes(), "the end of worker and runner")
    project.write("test_it.py", "def test(): pass")
    project.stest().expect(0)


def test_killed_worker_is_started_again_and_told(fine: Project) -> None:
    fine.stest().expect(0)
    worker = fine.status()["worker"]["pid"]
    os.kill(worker, signal.SIGKILL)
    answer = fine.api.post("/v1/test/run", fine.request()).json()
    assert answer["exit_code"] == 0, answer
    assert any("SIGKILL" in text for text in answer["notice"]), answer["notice"]
    assert fine.status()["worker"]["pid"] != worker
    assert_one_daemon_and_worker(fine)


def test_worker_killed_during_a_run_is_told_and_the_next_run_works(project: Project) -> None:
    project.write("test_it.py", WAITING_TEST)
    client = project.start()
    project.await_file("started")
    os.kill(project.status()["worker"]["pid"], signal.SIGKILL)
    finished = project.finish(client)
    assert finished.code in (104, 105, 106), finished
    assert "stest:" in finished.errors
    project.write("test_it.py", "def test(): pass")
    project.stest().expect(0)
    assert_one_daemon_and_worker(project)


def test_worker_killed_while_it_imports_is_started_again_and_no_module_is_blamed(fine: Project) -> None:
    fine.install(
        "slow.py",
        f"""
        import time
        from pathlib import Path

        folder = Path({str(fine.root)!r})
        (folder / "started").write_text("yes\\n")
        while not (folder / "go on").exists():
            time.sleep(0.01)
        """,
    )
    fine.configure(sprintest="preload = ['slow']")
    client = fine.start()
    fine.await_file("started")
    (worker,) = fine.processes("stest-worker")
    worker.kill()
    fine.write("go on", "")
    fine.finish(client).expect(0)
    status = fine.status()["worker"]
    assert "slow" in [entry["module"] for entry in status["preloaded"]]
    assert status["not_preloaded"] == []


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', '{"pid": "x", "endpoint": 3}'])
def test_damaged_status_file_is_ignored(fine: Project, content: str) -> None:
    fine.write(".sprintest/status.json", content)
    fine.stest().expect(0)


def test_status_file_of_a_process_that_is_no_daemon(fine: Project) -> None:
    """A pid that was given to somebody else is neither trusted nor killed."""
    fine.stest().expect(0)
    status = json.loads(fine.read(".sprintest/status.json"))
    fine.stest("stop").expect(0)
    fine.write(".sprintest/status.json", json.dumps({**status, "pid": os.getpid()}))
    fine.stest("status").expect(NOT_RUNNING)
    fine.stest().expect(0)
    assert fine.status()["pid"] != os.getpid()


def test_stale_socket_is_replaced(fine: Project) -> None:
    fine.state.mkdir()
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(fine.state / "daemon.sock"))
    fine.stest().expect(0)


@pytest.mark.parametrize("field", ["version", "build", "python"])
def test_daemon_of_another_installation_is_replaced(fine: Project, field: str) -> None:
    fine.stest().expect(0)
    fine.await_idle()
    before = fine.status()["pid"]
    status = json.loads(fine.read(".sprintest/status.json"))
    fine.write(".sprintest/status.json", json.dumps({**status, field: "another"}))
    fine.stest().expect(0)
    assert fine.status()["pid"] != before
    assert_one_daemon_and_worker(fine)


# ---- commands


def test_start_status_restart_stop(fine: Project) -> None:
    fine.stest("status").expect(NOT_RUNNING)
    fine.stest("start").expect(0)
    first = fine.status()["pid"]
    fine.stest("start").expect(0)
    assert fine.status()["pid"] == first
    fine.stest("restart").expect(0)
    assert fine.status()["pid"] != first
    assert str(fine.status()["pid"]) in fine.stest("status").expect(0).text
    fine.stest("stop").expect(0)
    assert not fine.processes()
    fine.stest("stop").expect(0)
    fine.stest("status", "--json").expect(NOT_RUNNING)


def test_restart_starts_a_daemon_where_none_was(fine: Project) -> None:
    fine.stest("restart").expect(0)
    assert len(fine.daemons()) == 1


def test_status_tells_of_daemon_worker_and_last_result(fine: Project) -> None:
    fine.stest().expect(0)
    fine.await_idle()
    status = fine.status()
    assert status["root"] == str(fine.root)
    assert status["runs"] == []
    assert status["endpoint"]["socket"] == str(fine.state / "daemon.sock")
    assert status["worker"]["state"] == "ready"
    assert (status["last_result"]["exit_code"], status["last_result"]["outcome"]) == (0, "passed")
    version = fine.stest("--version").expect(0).text
    assert status["version"] in version


def test_logs_show_what_happened(fine: Project) -> None:
    fine.stest("logs").expect(NOT_RUNNING)
    fine.stest().expect(0)
    assert fine.stest("logs").expect(0).text.count("\n") > 0


def test_state_folder_is_private_and_ignored_by_git(fine: Project) -> None:
    fine.stest().expect(0)
    assert stat.S_IMODE(fine.state.stat().st_mode) == 0o700
    assert stat.S_IMODE((fine.state / "status.json").stat().st_mode) == 0o600
    assert (fine.state / ".gitignore").read_text().strip() == "*"


def test_help_and_unknown_commands(fine: Project) -> None:
    assert "status" in fine.stest("--help").expect(0).text
    fine.stest("status", "--no-such-option").expect(101)
