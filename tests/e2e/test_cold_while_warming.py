"""No run waits for what it may not need: while the worker imports, plain pytest runs the tests."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from .harness import WAITING_TEST, Finished, Project, wait_for
from .processes import Process, identify, state, waits_for_its_request
from .test_progress import SLOW
from .test_terminal import finish, terminal

LIGHT = "def test_light(): pass\n"


@pytest.fixture
def gated(project: Project) -> tuple[Project, Callable[[], None]]:
    """A project whose worker imports a module that waits as long as the file `gate` is there."""
    del project.env["SPRINTEST_WAIT_FOR_WORKER"]
    gate = project.write("gate", "")
    project.install("heavy_thing.py", SLOW.format(gate=str(gate)))
    project.configure('preload = ["heavy_thing"]')
    project.write("test_light.py", LIGHT)
    project.write("test_heavy.py", "import heavy_thing\ndef test_heavy(): pass\n")
    return project, gate.unlink


def is_cold(finished: Finished) -> bool:
    return "ran cold" in finished.errors


def test_a_run_does_not_wait_for_imports(gated: tuple[Project, Callable[[], None]]) -> None:
    project, open_gate = gated
    first, second = (project.stest("-q", "test_light.py").expect(0) for _ in range(2))
    assert first.errors.startswith("stest: nothing was loaded yet, so this run is as slow as pytest; ")
    assert first.errors.endswith("the next ones will not be: ran cold\n")
    assert first.errors.count("\n") == 1
    assert re.search(r"stest: the worker (starts|imports heavy_thing) \([\d.]+ s\): ran cold", second.errors)
    assert project.status()["state"] == "warming"
    open_gate()
    project.await_idle()
    assert not is_cold(project.stest("-q").expect(0))


@pytest.mark.parametrize("on_terminal", [False, True])
def test_a_cold_run_is_done_ahead_once_the_worker_is_ready(
    gated: tuple[Project, Callable[[], None]], on_terminal: bool
) -> None:
    """So the first run that is not cold begins with all tests collected."""
    project, open_gate = gated
    del project.env["SPRINTEST_PRIME"]
    project.write("test_pid.py", "import os\ndef test_pid(): open('pid', 'w').write(str(os.getpid()))\n")

    def pid_of_run() -> int:
        if on_terminal:
            with terminal(project, "-q") as child:
                finish(child)
        else:
            project.stest("-q").expect(0)
        return int((project.root / "pid").read_text())

    (project.root / "test_heavy.py").unlink()
    pid_of_run()
    assert project.status()["state"] == "warming"
    open_gate()
    assert project.ahead()["collected"]
    known = {
        process.pid for process in project.processes("stest-worker") if waits_for_its_request(process.pid)
    }
    assert pid_of_run() in known


def test_a_run_with_another_variable_does_not_wait_for_the_next_worker(
    gated: tuple[Project, Callable[[], None]],
) -> None:
    project, open_gate = gated
    project.stest("-q", "test_light.py").expect(0)
    finished = project.stest("-q", "test_light.py", env={"OMP_NUM_THREADS": "3"}).expect(0)
    assert "started another worker: OMP_NUM_THREADS changed" in finished.errors
    assert is_cold(finished)
    open_gate()
    project.await_idle()
    assert not is_cold(project.stest("-q").expect(0))
    assert not is_cold(project.stest("-q", env={"OMP_NUM_THREADS": "3"}).expect(0))


def test_a_run_does_not_wait_until_others_need_their_workers_no_more(project: Project) -> None:
    del project.env["SPRINTEST_WAIT_FOR_WORKER"]
    project.configure("concurrency = 8")
    project.write(
        "test_waiting.py", WAITING_TEST.replace('"started"', "'started' + os.environ['OMP_NUM_THREADS']")
    )
    project.write("test_light.py", LIGHT)
    waiting = []
    for threads in "123":  # As many as there are workers.
        waiting.append(project.start("-q", "test_waiting.py", env={"OMP_NUM_THREADS": threads}))
        project.await_file(f"started{threads}")
    finished = project.stest("-q", "test_light.py", env={"OMP_NUM_THREADS": "4"}).expect(0)
    assert "this one needs another worker: OMP_NUM_THREADS changed from 3 to 4: ran cold" in finished.errors
    project.write("go on", "")
    for client in waiting:
        assert not is_cold(project.finish(client).expect(0))


def test_a_run_ends_the_trial_of_a_module(project: Project) -> None:
    """The worker serves it with what it has loaded, and tries out the rest afterwards."""
    del project.env["SPRINTEST_WAIT_FOR_WORKER"]
    gate = project.write("gate", "")
    project.install(
        "threaded.py", "import threading, time\nthreading.Thread(target=time.sleep, args=(9,)).start()\n"
    )
    project.install("heavy_thing.py", SLOW.format(gate=str(gate)))
    project.configure('preload = ["threaded", "colorsys", "heavy_thing"]')
    project.write("test_light.py", LIGHT)
    project.stest("-q").expect(0)
    wait_for(lambda: project.status()["worker"] is None, "the end of the worker that has imported `threaded`")
    project.stest("-q").expect(0)

    def imports(module: str) -> bool:
        worker = project.status()["worker"]
        return worker is not None and worker["importing"] == module

    def is_loaded(module: str) -> bool:
        return module in [one["module"] for one in project.status()["worker"]["preloaded"]]

    for _ in range(2):  # The trial begins anew after each run.
        wait_for(lambda: imports("heavy_thing"), "the trial")
        assert not is_cold(project.stest("-q").expect(0))
        assert is_loaded("colorsys")
    gate.unlink()
    wait_for(lambda: is_loaded("heavy_thing"), "the end of the trial")
    project.await_idle()
    assert not is_cold(project.stest("-q").expect(0))


@pytest.mark.parametrize("how", ["setting", "variable", "events", "verify", "api"])
def test_who_wants_to_wait_does(gated: tuple[Project, Callable[[], None]], how: str) -> None:
    project, open_gate = gated
    project.stest("-q", "test_light.py").expect(0)
    if how == "setting":
        project.configure('preload = ["heavy_thing"]\nwait_for_worker = true')
    env = {"SPRINTEST_WAIT_FOR_WORKER": "yes"} if how == "variable" else {}
    command = {"events": ["run", "--events", "--"], "verify": ["verify"]}.get(how, [])
    if how == "api":
        events = project.api.stream(project.request("-q"))
        assert any(event["event"] == "warming" for event in events)
        open_gate()
        assert [*events][-1]["exit_code"] == 0
        return
    client = project.start(*command, "-q", "test_light.py", env=env)
    wait_for(lambda: project.status()["runs"], "the run")
    open_gate()
    assert not is_cold(project.finish(client).expect(0))


@dataclass
class Paused:
    """A cold run needs more processors than it has, and the imports of the worker were stopped for it."""

    project: Project
    open_gate: Callable[[], None]
    program: tuple[str, ...]
    cold: subprocess.Popen[bytes]
    worker: Process

    def await_end(self) -> None:
        wait_for(lambda: state(self.worker.pid) != "T", "the end of the pause")


BUSY_TEST = """
    import hashlib, os, threading

    def work():
        while not os.path.exists("go on"):
            hashlib.pbkdf2_hmac("sha256", b"", b"salt", 10_000)

    def test_busy():
        with open("started", "w") as file:
            print("yes", file=file)
        threads = [threading.Thread(target=work) for _ in range(os.cpu_count() + 1)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
"""

#: stest with one processor.
CONFINED = ("taskset", "-c", str(min(os.sched_getaffinity(0))), "stest")


@pytest.fixture(params=["stest", "one processor"])
def paused(request: pytest.FixtureRequest, gated: tuple[Project, Callable[[], None]]) -> Paused:
    project, open_gate = gated
    project.write("test_busy.py", BUSY_TEST)
    program = ("stest",) if request.param == "stest" else CONFINED
    client = project.start("-q", "test_busy.py", program=program)
    project.await_file("started")
    worker = identify(project.status()["worker"]["pid"])
    assert worker
    wait_for(lambda: state(worker.pid) == "T", "the pause")
    return Paused(project, open_gate, program, client, worker)


def test_imports_give_way_to_a_run_that_needs_all_processors(paused: Paused) -> None:
    paused.project.write("go on", "")
    assert is_cold(paused.project.finish(paused.cold).expect(0))
    paused.await_end()
    paused.open_gate()
    paused.project.await_idle()


def test_a_run_that_waits_for_the_worker_ends_the_pause(paused: Paused) -> None:
    waiting = paused.project.start("run", "--events", "--", "-q", "test_light.py", program=paused.program)
    paused.await_end()
    paused.open_gate()
    paused.project.finish(waiting).expect(0)
    paused.project.write("go on", "")
    paused.project.finish(paused.cold).expect(0)


def test_the_pause_ends_with_the_cold_run_however_that_ends(paused: Paused) -> None:
    paused.cold.send_signal(signal.SIGKILL)
    paused.await_end()
    paused.open_gate()
    paused.project.await_idle()


def test_no_worker_is_started_again_and_again_in_vain(project: Project) -> None:
    """Each is outdated when it is ready: what it reads when it starts is written when it starts."""
    del project.env["SPRINTEST_WAIT_FOR_WORKER"]
    project.install("heavy_thing.py", "")
    project.configure('preload = ["heavy_thing"]')
    project.write("test_light.py", LIGHT)
    seen = project.home / "seen"
    project.install(
        "sitecustomize.py",
        f"with open({str(seen)!r}, 'a+') as file:\n    file.seek(0); file.read(); file.write('again')\n",
    )
    started = []
    for _ in range(6):
        finished = project.stest("-q").expect(0)
        assert is_cold(finished)
        started.append("nothing was loaded yet" in finished.errors)
        project.await_idle()
    assert not any(started[4:]), started
    assert "each new worker would have to be restarted" in finished.errors
