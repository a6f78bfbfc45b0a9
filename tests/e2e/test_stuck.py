"""Silence is told to the user, with the test's node id, at growing intervals; the run goes on."""

from __future__ import annotations

import os
import re
from typing import Any

import pytest

from .harness import WAITING_TEST, Project, wait_for
from .modes import MODES

SHARES_A_DAEMON = True

CRASHED, HUNG = 105, 111  # include/stest/exit_code.hpp


@pytest.fixture
def impatient(project: Project) -> Project:
    project.env["SPRINTEST_STUCK_AFTER"] = "0.3s"
    project.write("test_it.py", WAITING_TEST)
    return project


def test_client_warns_with_the_node_id_and_the_run_passes(impatient: Project) -> None:
    client = impatient.start("test_it.py")
    assert client.stderr
    seen = b""
    while seen.count(b"test_it.py::test_waiting") < 3:
        piece = os.read(client.stderr.fileno(), 4096)
        assert piece, impatient.finish(client)
        seen += piece
    impatient.write("go on", "")
    assert "1 passed" in impatient.finish(client).expect(0).text


def test_intervals_grow(impatient: Project) -> None:
    impatient.stest("start").expect(0)
    times = []
    for event in impatient.api.stream(impatient.request("test_it.py")):
        # A loaded machine may be silent before the test begins, too.
        if event["event"] == "stuck" and event["nodeid"] == "test_it.py::test_waiting":
            times.append(event["seconds"])
        if len(times) == 4:
            impatient.write("go on", "")
    assert event["exit_code"] == 0
    gaps = [later - earlier for earlier, later in zip([0, *times], times)]
    assert times[0] >= 0.3
    assert all(later > earlier for earlier, later in zip(gaps[1:], gaps[2:]))


def test_threshold_comes_from_pyproject_too(project: Project) -> None:
    project.configure(sprintest="stuck_after = '0.3s'")
    project.write("test_it.py", WAITING_TEST)
    project.stest("start").expect(0)
    for event in project.api.stream(project.request("test_it.py")):
        if event["event"] == "stuck":
            project.write("go on", "")
    assert event["exit_code"] == 0
    assert (project.root / "go on").exists()


def test_silence_outside_of_tests_is_told_as_well(impatient: Project) -> None:
    impatient.write("conftest.py", "import os, time\nwhile not os.path.exists('go on'): time.sleep(0.01)")
    client = impatient.start("test_it.py")
    assert client.stderr
    seen = b""
    while b"\n" not in seen or b"stest" not in seen:
        piece = os.read(client.stderr.fileno(), 4096)
        assert piece, impatient.finish(client)
        seen += piece
    impatient.write("go on", "")
    impatient.finish(client).expect(0)


def test_a_test_that_writes_is_not_stuck(impatient: Project) -> None:
    """Output resets the clock: ten lines over three times the threshold, and no warning."""
    impatient.write(
        "test_it.py",
        """
        import time

        def test_talks():
            for line in range(20):
                print(line, flush=True)
                time.sleep(0.05)
        """,
    )
    assert "test_talks" not in impatient.stest("-s", "-q").expect(0).errors


# ---- the stack


def stuck_event(project: Project, nodeid: str) -> dict[str, Any]:
    """The first report about this test, which is then told to go on; the run must pass."""
    found: dict[str, Any] = {}
    for event in project.api.stream(project.request("test_it.py", "-p", "no:cacheprovider")):
        if event["event"] == "stuck" and event["nodeid"] == nodeid and not found:
            found = event
            project.write("go on", "")
    assert event["exit_code"] == 0, event
    (project.root / "go on").unlink()
    return found


@pytest.mark.parametrize("mode", MODES)
def test_report_has_the_stack_and_how_long_the_test_has_run(impatient: Project, mode: str) -> None:
    impatient.env |= MODES[mode]
    impatient.stest("start").expect(0)
    for _ in range(2):
        event = stuck_event(impatient, "test_it.py::test_waiting")
        assert re.search(r'test_it\.py", line [78] in test_waiting', event["stack"])
        assert event["stack"].startswith("Current thread") or "\nCurrent thread" in event["stack"]
        assert event["test_seconds"] >= event["seconds"] - 0.1


def test_every_thread_is_shown_even_while_one_holds_the_interpreter(impatient: Project) -> None:
    """Blocked in C with the interpreter's lock held: no Python code can run in that process."""
    os.mkfifo(impatient.root / "fifo")
    impatient.write(
        "test_it.py",
        """
        import ctypes, threading

        def idle_in_a_thread(event):
            event.wait()

        def test_waiting():
            event = threading.Event()
            thread = threading.Thread(target=idle_in_a_thread, args=[event])
            thread.start()
            assert ctypes.PyDLL(None).open(b"fifo", 0) > 0
            event.set()
            thread.join()
        """,
    )
    impatient.stest("start").expect(0)
    for event in impatient.api.stream(impatient.request("test_it.py")):
        if event["event"] == "stuck" and event["stack"] and "in test_waiting" in event["stack"]:
            assert "in idle_in_a_thread" in event["stack"]
            os.close(os.open(impatient.root / "fifo", os.O_WRONLY))
    assert event["exit_code"] == 0


def test_client_prints_the_stack_and_leaves_the_tests_output_alone(impatient: Project) -> None:
    client = impatient.start("test_it.py", "-s")
    assert client.stderr
    seen = b""
    while b"the same as before" not in seen:
        piece = os.read(client.stderr.fileno(), 4096)
        assert piece, impatient.finish(client)
        seen += piece
    impatient.write("go on", "")
    finished = impatient.finish(client).expect(0)
    text = seen.decode()
    assert "running test_it.py::test_waiting for " in text
    assert re.search("line [78] in test_waiting\n    … ", text)
    assert text.count("in test_waiting") == 1
    assert "thread" not in finished.text


def test_status_names_the_test(impatient: Project) -> None:
    client = impatient.start("test_it.py")
    impatient.await_file("started")
    wait_for(lambda: "test_it.py::test_waiting" in impatient.stest("status").text, "the test's name")
    impatient.write("go on", "")
    impatient.finish(client).expect(0)


def test_no_stack_where_the_tests_have_closed_its_pipe(impatient: Project) -> None:
    """Nor does it go into a file that has come to have the pipe's number."""
    impatient.write(
        "test_it.py",
        """
        import os, time

        def test_waiting():
            os.closerange(100, 2000)
            taken = os.open("taken", os.O_CREAT | os.O_WRONLY)
            for fd in range(880, 960):
                os.dup2(taken, fd)
            while not os.path.exists("go on"):
                time.sleep(0.01)
        """,
    )
    impatient.stest("start").expect(0)
    seen = []
    for event in impatient.api.stream(impatient.request("test_it.py")):
        if event["event"] == "stuck" and event["nodeid"]:
            seen.append(event["stack"])
            impatient.write("go on", "")
    assert event["exit_code"] == 0
    assert set(seen) == {""}
    assert impatient.read("taken") == ""


LOOKS = """
    import faulthandler, os, signal, threading

    def test_looks():
        stack_signal = signal.SIGRTMIN + 15
        with open("seen", "w") as file:
            print(faulthandler.is_enabled(), signal.getsignal(stack_signal), threading.active_count(),
                  len(os.listdir("/proc/self/task")), signal.pthread_sigmask(signal.SIG_BLOCK, []), file=file)
"""


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("args", [(), ("-p", "no:faulthandler")], ids=["usual", "no-faulthandler"])
def test_nothing_of_it_shows(project: Project, mode: str, args: tuple[str, ...]) -> None:
    project.env |= MODES[mode]
    project.write("test_it.py", LOOKS)
    project.plain(*args).expect(0)
    plain = project.read("seen")
    for _ in range(2):
        project.stest(*args).expect(0)
        assert project.read("seen") == plain


@pytest.mark.parametrize("mode", MODES)
def test_the_signal_is_the_tests_own_if_they_send_it(project: Project, mode: str) -> None:
    project.env |= MODES[mode]
    project.write(
        "test_it.py",
        """
        import os, signal, time

        def test_caught():
            got = []
            signal.signal(signal.SIGRTMIN + 15, lambda number, frame: got.append(number))
            os.kill(os.getpid(), signal.SIGRTMIN + 15)
            assert got == [signal.SIGRTMIN + 15]

        def test_child_dies():
            child = os.fork()
            if child == 0:
                signal.signal(signal.SIGRTMIN + 15, signal.SIG_DFL)
                os.kill(os.getpid(), signal.SIGRTMIN + 15)
                time.sleep(1000)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -(signal.SIGRTMIN + 15)
        """,
    )
    project.stest().expect(0)
    project.write("test_it.py", "import os, signal\ndef test(): os.kill(os.getpid(), signal.SIGRTMIN + 15)\n")
    assert "signal 49" in project.stest().expect(CRASHED).errors


# ---- hang_timeout

FINE = "def test(): pass\n"


def limit_when_warm(project: Project, timeout: str) -> None:
    """A first run imports pytest's plugins, in silence and, on a loaded machine, for seconds."""
    project.write("test_fine.py", FINE)
    project.stest("test_fine.py").expect(0)
    project.env["SPRINTEST_HANG_TIMEOUT"] = timeout


@pytest.mark.parametrize("mode", MODES)
def test_hung_run_is_ended_and_the_next_one_is_warm(project: Project, mode: str) -> None:
    project.env |= MODES[mode]
    limit_when_warm(project, "2s")
    worker = project.status()["worker"]["pid"]
    project.write("test_it.py", WAITING_TEST)
    hung = project.start("test_it.py")
    project.await_file("started")
    waiting = project.start("test_fine.py")
    finished = project.finish(hung).expect(HUNG)
    assert "in test_waiting" in finished.errors
    assert "while running test_it.py::test_waiting, longer than hang_timeout allows" in finished.errors
    assert "1 passed" in project.finish(waiting).expect(0).text
    assert project.status()["worker"]["pid"] == worker


def test_hung_run_that_ignores_signals_is_killed(project: Project) -> None:
    limit_when_warm(project, "2s")
    project.write(
        "test_it.py",
        """
        import signal, subprocess, time

        def test_stubborn():
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                signal.signal(number, signal.SIG_IGN)
            subprocess.Popen(["sleep", "1000"])
            while True:
                time.sleep(1)
        """,
    )
    answer = project.api.post("/v1/test/run", project.request("test_it.py")).json()
    assert (answer["outcome"], answer["exit_code"]) == ("hung", HUNG)
    assert "in test_stubborn" in answer["stuck"][-1]["stack"]
    assert project.status()["last_result"]["outcome"] == "hung"
    assert not project.processes("sleep")
    project.stest("test_fine.py").expect(0)


def test_hung_while_collecting(project: Project) -> None:
    limit_when_warm(project, "2s")
    project.write("test_it.py", "import time\ntime.sleep(1000)\n")
    finished = project.stest("test_it.py").expect(HUNG)
    assert "outside any test" in finished.errors
    assert "line 2 in <module>" in finished.errors


def test_a_run_that_talks_is_not_hung(project: Project) -> None:
    limit_when_warm(project, "2s")
    project.write(
        "test_it.py",
        """
        import time

        def test_talks():
            for line in range(30):
                print(line, flush=True)
                time.sleep(0.1)
        """,
    )
    project.stest("-s", "test_it.py").expect(0)
