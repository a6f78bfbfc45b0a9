"""Runs wait their turn, or go side by side; the status tells the truth at any time."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import threading
import time
from typing import Any

import pytest

from .harness import STEST, WAITING_TEST, Project, wait_for
from .modes import MODES
from .test_terminal import finish, terminal

BUSY = 110
CLIENTS = 20


@pytest.fixture
def waiting(project: Project) -> Project:
    project.configure("concurrency = 1")
    project.write("test_waiting.py", WAITING_TEST)
    return project


def runs(project: Project) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = project.status()["runs"]
    return listed


def test_first_come_first_served(waiting: Project) -> None:
    """Each client starts when the one before it has its place in the queue."""
    waiting.write(
        "test_note.py", "import os\ndef test(): open('order', 'a').write(os.environ['ME'] + '\\n')\n"
    )
    first = waiting.start("test_waiting.py")
    waiting.await_file("started")
    clients = []
    for number in range(CLIENTS):
        clients.append(waiting.start("test_note.py", "-q", env={"ME": str(number)}))
        wait_for(lambda: len(runs(waiting)) == len(clients) + 1, "the next run in the queue")
    waiting.write("go on", "")
    for client in (first, *clients):
        waiting.finish(client).expect(0)
    assert waiting.read("order").split() == [str(number) for number in range(CLIENTS)]


def test_a_storm_of_clients_each_get_their_own_answer(project: Project) -> None:
    project.write(
        "test_it.py",
        """
        import os, sys

        def test_it():
            me = os.environ["ME"]
            assert not hasattr(sys, "someone"), "left by another run"
            sys.someone = me
            print(f"<{me}>")
            assert int(me) % 2 == 0
        """,
    )
    project.stest("start").expect(0)
    clients = [project.start("-s", "-q", env={"ME": str(number)}) for number in range(CLIENTS)]
    for number, client in enumerate(clients):
        finished = project.finish(client).expect(number % 2)
        assert re.findall(r"<\d+>", finished.text) == [f"<{number}>"]


def test_concurrent_runs_go_side_by_side(project: Project) -> None:
    """Each of three runs ends only once all three are running: one after another they would hang."""
    project.configure("concurrency = 3")
    project.write("helper.py", "import os\nWHO = os.environ['ME']\n")
    project.write(
        "test_it.py",
        """
        import os, time
        import helper

        def test_it():
            me = os.environ["ME"]
            assert helper.WHO == me
            print(f"<{me}>", flush=True)
            open(f"here {me}", "w").close()
            while not all(os.path.exists(f"here {other}") for other in "abc"):
                time.sleep(0.01)
            assert os.environ["ME"] == me
        """,
    )
    project.stest("start").expect(0)
    for _ in range(2):  # In the second round more has been loaded ahead.
        for name in "abc":
            (project.root / f"here {name}").unlink(missing_ok=True)
        clients = {name: project.start("-s", env={"ME": name}) for name in "abc"}
        for name, client in clients.items():
            finished = project.finish(client).expect(0)
            assert [other for other in "abc" if f"<{other}>" in finished.text] == [name]
        project.await_idle()


def test_no_more_runs_at_once_than_allowed(project: Project) -> None:
    project.configure("concurrency = 2")
    project.write("test_waiting.py", WAITING_TEST.replace('"started"', "f'started {os.getpid()}'"))
    clients = [project.start("test_waiting.py", "-q") for _ in range(3)]
    wait_for(lambda: len(list(project.root.glob("started *"))) == 2, "two runs")
    wait_for(lambda: [run["position"] for run in runs(project)] == [0, 0, 1], "the third in the queue")
    assert len(list(project.root.glob("started *"))) == 2
    project.write("go on", "")
    for client in clients:
        project.finish(client).expect(0)


def test_two_go_on_by_default(project: Project) -> None:
    project.write("test_waiting.py", WAITING_TEST)
    project.write("test_light.py", "def test(): pass\n")
    first = project.start("test_waiting.py")
    project.await_file("started")
    project.stest("test_light.py").expect(0)
    project.write("go on", "")
    project.finish(first).expect(0)


def test_a_run_that_has_been_silent_takes_no_place(waiting: Project) -> None:
    waiting.write("test_light.py", "def test(): pass\n")
    first = waiting.start("test_waiting.py", env={"SPRINTEST_STUCK_AFTER": "200ms"})
    waiting.await_file("started")
    waiting.stest("test_light.py").expect(0)
    waiting.write("go on", "")
    waiting.finish(first).expect(0)


CHILD = "subprocess.run([sys.executable, '-c', 'input(\\'prompt> \\')'], check=True)"


@pytest.mark.parametrize(
    ("args", "step", "answer"),
    [
        pytest.param([], "breakpoint()", "continue", id="breakpoint"),
        pytest.param(["--pdb"], "assert 0", "q", id="pdb"),
        pytest.param(["-s"], "input('prompt> ')", "", id="input"),
        pytest.param(["-s"], "print('prompt> ', end='', flush=True); os.read(0, 9)", "", id="read"),
        pytest.param(["-s"], CHILD, "", id="child"),
    ],
)
def test_a_run_at_a_prompt_takes_no_place(waiting: Project, args: list[str], step: str, answer: str) -> None:
    waiting.write("test_light.py", "def test(): pass\n")
    waiting.write("test_prompt.py", f"import os, subprocess, sys\ndef test():\n    {step}\n")
    with terminal(waiting, "test_prompt.py", *args) as child:
        child.expect(r"\(Pdb\) |prompt> ")
        assert "waiting" not in waiting.stest("test_light.py").expect(0).errors
        waiting.stest("run", "--no-wait", "test_light.py").expect(0)
        child.sendline(answer)
        finish(child)


def test_a_run_that_reads_its_stdin_takes_no_place_until_it_goes_on(waiting: Project) -> None:
    waiting.write("test_light.py", "def test(): pass\n")
    waiting.write("test_waiting.py", WAITING_TEST.replace("        with", "        input()\n        with", 1))
    os.mkfifo(waiting.root / "fifo")
    fifo = os.open(waiting.root / "fifo", os.O_RDWR)
    script = f"exec {shlex.quote(str(STEST))} -s test_waiting.py < fifo"
    waiting.stest("start").expect(0)
    first = waiting.start("-c", script, program=("/bin/sh",))
    wait_for(
        lambda: [run["nodeid"] for run in runs(waiting)] == ["test_waiting.py::test_waiting"], "its test"
    )
    waiting.stest("test_light.py").expect(0)
    os.write(fifo, b"an answer\n")
    os.close(fifo)
    waiting.await_file("started")
    second = waiting.start("test_light.py")
    wait_for(lambda: [run["position"] for run in runs(waiting)] == [0, 1], "the second in the queue")
    waiting.write("go on", "")
    for client in (first, second):
        waiting.finish(client).expect(0)


def test_a_silent_resident_run_keeps_its_place(project: Project) -> None:
    """There is one resident process, so the next run would only wait elsewhere, and look hung."""
    project.env |= {**MODES["resident"], "SPRINTEST_STUCK_AFTER": "100ms"}
    project.write("test_waiting.py", WAITING_TEST)
    project.write("test_light.py", "def test(): pass\n")
    first = project.start("test_waiting.py", merge=True)
    project.read_until(first, b"in test_waiting")
    second = project.start("test_light.py")
    wait_for(lambda: [run["position"] for run in runs(project)] == [0, 1], "the second in the queue")
    project.write("go on", "")
    for client in (first, second):
        project.finish(client).expect(0)


def test_no_wait_fails_at_once_when_busy(waiting: Project) -> None:
    first = waiting.start("test_waiting.py")
    waiting.await_file("started")
    refused = waiting.stest("run", "--no-wait", "--", "test_waiting.py").expect(BUSY)
    assert "run 1 (stest test_waiting.py)" in refused.errors
    assert "test_waiting.py::test_waiting" in refused.errors
    assert refused.out == b""
    answer = waiting.api.post("/v1/test/run", {**waiting.request(), "wait": False})
    assert answer.status == 409
    assert answer.json()["error"] == "busy"
    assert "run 1" in answer.json()["message"]
    waiting.write("go on", "")
    waiting.finish(first).expect(0)
    waiting.stest("run", "--no-wait", "--", "test_waiting.py").expect(0)


def test_status_tells_what_runs_and_what_waits(waiting: Project) -> None:
    before = int(time.time())
    first = waiting.start("test_waiting.py", "-v")
    waiting.await_file("started")
    second = waiting.start("-k", "nothing")
    wait_for(lambda: len(runs(waiting)) == 2, "the second run")
    wait_for(lambda: runs(waiting)[0]["nodeid"], "the node id")
    running, queued = runs(waiting)
    assert running["nodeid"] == "test_waiting.py::test_waiting"
    assert (running["state"], running["position"]) == ("running", 0)
    assert before <= running["since"] <= running["started_at"] <= running["test_started_at"] <= time.time()
    assert (queued["state"], queued["position"], queued["args"]) == ("queued", 1, ["-k", "nothing"])
    assert queued["started_at"] is None
    text = waiting.stest("status").expect(0).text
    assert "(stest test_waiting.py -v): test_waiting.py::test_waiting for " in text
    assert ", position 1 (stest -k nothing)" in text
    waiting.write("go on", "")
    waiting.finish(first).expect(0)
    waiting.finish(second).expect(5)
    status = waiting.status()
    assert status["runs"] == []
    assert (status["last_result"]["id"], status["last_result"]["exit_code"]) == (2, 5)


def test_status_file_is_whole_at_any_time(project: Project) -> None:
    project.write("test_it.py", "def test(): pass\n")
    project.stest("start").expect(0)
    over = threading.Event()
    seen: set[str] = set()
    broken: list[str] = []

    def read() -> None:
        while not over.is_set():
            text = (project.state / "status.json").read_text()
            try:
                seen.add(json.loads(text)["state"])
            except (ValueError, KeyError):
                broken.append(text)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for _ in range(5):
            project.stest("-q").expect(0)
    finally:
        over.set()
        reader.join()
    assert not broken
    assert "running" in seen
    assert json.loads(project.read(".sprintest/status.json"))["state"] in ("idle", "warming")


def test_a_dead_daemons_file_is_told_from_a_living_ones(project: Project) -> None:
    project.write("test_it.py", "def test(): pass\n")
    project.stest("-q").expect(0)
    [pid] = project.daemons()
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not project.daemons(), "the daemon's end")
    left = json.loads(project.read(".sprintest/status.json"))
    assert left["pid"] == pid
    assert "no daemon is running" in project.stest("status").expect(108).text
    assert json.loads(project.stest("status", "--json").expect(108).out)["state"] == "stopped"
    # Nor is another process taken for it that has got its number meanwhile.
    left["pid"] = os.getpid()
    project.write(".sprintest/status.json", json.dumps(left))
    project.stest("status").expect(108)
    project.stest("-q").expect(0)
    assert json.loads(project.read(".sprintest/status.json"))["pid"] == project.daemons()[0]
