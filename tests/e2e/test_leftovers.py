"""What tests leave running: ended with the run, or, where it has left the run's session, told and kept."""

from __future__ import annotations

import os
import signal

import pytest

from .harness import Project, wait_for
from .modes import MODES, MODES_OF_LONG_TESTS

# Each starts a process "sleep" that stays in the run's session.
STAYS = {
    "background": "subprocess.Popen(['sleep', '1000'])",
    "nohup": "subprocess.Popen(['nohup', 'sleep', '1000'], stdout=subprocess.DEVNULL)",
    "own-group": "subprocess.Popen(['sleep', '1000'], preexec_fn=os.setpgrp)",
    "orphan": "subprocess.run(['sh', '-c', 'sleep 1000 > /dev/null 2>&1 &'], check=True)",
    "orphan-in-own-group": "subprocess.run(['sh', '-c', 'sleep 1000 & exit'], preexec_fn=os.setpgrp)",
    "ignores-signals": "subprocess.Popen(['sh', '-c', 'trap \"\" TERM INT HUP; exec sleep 1000'])",
}
# Each starts one that has left it.
LEAVES = {
    "setsid": "subprocess.Popen(['sleep', '1000'], start_new_session=True)",
    "setsid-program": "subprocess.run(['sh', '-c', 'setsid sleep 1000 > /dev/null 2>&1 &'], check=True)",
    "daemon": "daemonise()",
    "trap": "subprocess.Popen(['sh', '-c', 'trap \"\" TERM; exec sleep 1000'], start_new_session=True)",
}

PRELUDE = '''\
import os, subprocess, time

def daemonise():
    if os.fork():
        os.wait()
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd)
    os.chdir("/")
    os.closerange(3, 2000)
    os.execvp("sleep", ["sleep", "1000"])

def is_sleep(pid):
    try:
        with open(f"/proc/{pid}/comm") as comm, open(f"/proc/{pid}/environ") as environ:
            return comm.read() == "sleep\\n" and os.environ["STEST_TEST_MARKER"] in environ.read()
    except OSError:
        return False

def await_sleep(count=1):
    """Until they have become what they are to be."""
    while sum(map(is_sleep, filter(str.isdigit, os.listdir("/proc")))) < count:
        time.sleep(0.01)

'''


def write_test(project: Project, statement: str) -> None:
    project.write("test_it.py", f"{PRELUDE}def test():\n    {statement}\n")
    project.write("test_fine.py", "def test(): pass\n")


@pytest.fixture(params=MODES_OF_LONG_TESTS)
def moded(request: pytest.FixtureRequest, project: Project) -> Project:
    project.env |= MODES[request.param]
    return project


def assert_alone(project: Project) -> None:
    """Nothing runs but the daemon and its worker, with a branch where the mode has one."""
    assert {process.name for process in project.processes()} <= {"stestd", "stest-worker"}


@pytest.mark.parametrize("start", STAYS.values(), ids=STAYS)
def test_what_stays_in_the_session_ends_with_the_run(moded: Project, start: str) -> None:
    write_test(moded, f"{start}; await_sleep()")
    finished = moded.stest("test_it.py").expect(0)
    # It is gone when the client says that the run is over, not some time later.
    assert not moded.processes("sleep")
    assert "have left" not in finished.errors
    assert moded.status()["left_behind"] == []
    assert "1 passed" in moded.stest("test_fine.py").expect(0).text


@pytest.mark.parametrize("start", LEAVES.values(), ids=LEAVES)
def test_a_daemon_is_told_once_and_ended_at_stop(moded: Project, start: str) -> None:
    write_test(moded, f"{start}; await_sleep()")
    finished = moded.stest("test_it.py").expect(0)
    (left,) = moded.processes("sleep")
    line = f"stest: the tests have left a process running: pid {left.pid} `sleep 1000`; `stest stop` ends it"
    assert line in finished.errors
    assert moded.status()["left_behind"] == [{"pid": left.pid, "command": "sleep 1000", "run": 1}]
    assert f"pid {left.pid} by run 1: sleep 1000" in moded.stest("status").expect(0).text

    again = moded.stest("test_fine.py").expect(0)
    assert "have left" not in again.errors
    assert moded.processes("sleep") == [left]
    moded.stest("stop").expect(0)
    assert not moded.processes()


def test_a_daemon_outlives_the_worker(project: Project) -> None:
    write_test(project, f"{LEAVES['daemon']}; await_sleep()")
    project.stest("test_it.py").expect(0)
    (left,) = project.processes("sleep")
    worker = project.status()["worker"]["pid"]
    os.kill(worker, signal.SIGKILL)
    wait_for(lambda: not project.status()["worker"], "the end of the worker")
    assert "restarted worker" in project.stest("test_fine.py").expect(0).errors
    assert project.status()["worker"]["pid"] != worker
    assert project.processes("sleep") == [left]
    assert [one["pid"] for one in project.status()["left_behind"]] == [left.pid]
    project.stest("stop").expect(0)
    assert not project.processes()


def test_one_that_ends_by_itself_is_forgotten(project: Project) -> None:
    write_test(project, f"{LEAVES['setsid']}; await_sleep()")
    project.stest("test_it.py").expect(0)
    (left,) = project.processes("sleep")
    os.kill(left.pid, signal.SIGTERM)
    wait_for(lambda: not os.path.exists(f"/proc/{left.pid}"), "the collection of the orphan")
    assert project.status()["left_behind"] == []


def test_every_daemon_is_told(project: Project) -> None:
    write_test(project, f"{LEAVES['setsid']}; {LEAVES['daemon']}; {STAYS['orphan']}; await_sleep(3)")
    finished = project.stest("test_it.py").expect(0)
    assert "the tests have left 2 processes running: pid " in finished.errors
    assert len(project.processes("sleep")) == len(project.status()["left_behind"]) == 2


def test_the_http_api_tells_it_as_a_notice(project: Project) -> None:
    write_test(project, f"{LEAVES['setsid']}; await_sleep()")
    project.stest("test_fine.py").expect(0)
    answer = project.api.post("/v1/test/run", project.request("test_it.py")).json()
    assert answer["notice"][-1].startswith("the tests have left a process running: pid ")


def test_processes_that_come_and_go_all_the_time(moded: Project) -> None:
    """A chain of forks, of which each lives only until it has forked the next one."""
    chain = "while os.fork() == 0: pass"
    write_test(moded, f"pid = os.fork()\n    if pid == 0:\n        {chain}\n        os._exit(0)")
    moded.stest("test_it.py").expect(0)
    assert_alone(moded)
    assert "1 passed" in moded.stest("test_fine.py").expect(0).text


@pytest.mark.parametrize("death", ["os._exit(3)", "os.kill(os.getpid(), 11)", "os.kill(os.getpid(), 9)"])
def test_a_run_that_dies_leaves_no_more(moded: Project, death: str) -> None:
    write_test(
        moded, f"{STAYS['orphan']}; {STAYS['background']}; {LEAVES['setsid']}; await_sleep(3); {death}"
    )
    finished = moded.stest("test_it.py")
    assert finished.code in (105, 106)
    (left,) = moded.processes("sleep")
    assert f"pid {left.pid} `sleep 1000`" in finished.errors
    assert "1 passed" in moded.stest("test_fine.py").expect(0).text


def test_runs_at_once_leave_each_other_alone(project: Project) -> None:
    project.env["SPRINTEST_CONCURRENCY"] = "2"
    project.write(
        "test_long.py",
        """
        import os, subprocess, time

        def test():
            child = subprocess.Popen(["sleep", "1000"])
            subprocess.run(["sh", "-c", "sleep 1001 > /dev/null 2>&1 &"], check=True)
            with open("started", "w") as file:
                file.write("yes\\n")
            while not os.path.exists("go on"):
                time.sleep(0.01)
            assert child.poll() is None
        """,
    )
    write_test(project, STAYS["orphan"])
    long = project.start("test_long.py")
    project.await_file("started")
    assert "have left" not in project.stest("test_it.py").expect(0).errors
    assert len(project.processes("sleep")) == 2
    project.write("go on", "")
    project.finish(long).expect(0)
    assert not project.processes("sleep")


def test_a_daemon_killed_with_minus_9_leaves_nothing(project: Project) -> None:
    write_test(project, f"{LEAVES['setsid']}; {LEAVES['daemon']}; await_sleep(2)")
    project.stest("test_it.py").expect(0)
    assert len(project.processes("sleep")) == 2
    os.kill(project.status()["pid"], signal.SIGKILL)
    wait_for(lambda: not project.processes(), "the end of all processes")
    (project.state / "status.json").unlink()
    (project.state / "daemon.sock").unlink()
