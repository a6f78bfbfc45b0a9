"""Ctrl-C, a client that vanishes, a cancel over HTTP: the run ends and nothing stays behind."""

from __future__ import annotations

import os
import signal

import pytest

from .harness import STEST, WAITING_TEST, Finished, Project, wait_for
from .modes import MODES, MODES_OF_LONG_TESTS

CANCELLED, NO_SUCH_RUN, USAGE_ERROR = 107, 108, 101  # include/stest/exit_code.hpp

WAITS = """
    import os, subprocess, threading, time
    import pytest

    @pytest.fixture
    def resource():
        child = subprocess.Popen(["sleep", "1000"])
        yield
        child.kill()
        child.wait()
        with open("torn down", "w") as file:
            file.write("yes\\n")

    def test_waits(resource):
        with open("started", "w") as file:
            file.write("yes\\n")
        while not os.path.exists("go on"):
            time.sleep(0.01)

    def test_later():
        pass
"""

# Each signal is noted in a file, and ignored.
STUBBORN = """
    import signal, time

    def note(number, frame):
        with open(signal.Signals(number).name, "w") as file:
            file.write("yes\\n")

    def test_stubborn():
        signal.signal(signal.SIGINT, note)
        signal.signal(signal.SIGTERM, note)
        with open("started", "w") as file:
            file.write("yes\\n")
        while True:
            time.sleep(0.01)
"""


def assert_all_is_over(project: Project) -> None:
    """Daemon and worker stay, without a runner or anything that a test started; the queue goes on."""
    wait_for(lambda: not project.status()["runs"], "the end of all runs")
    wait_for(
        lambda: len(project.processes()) == 2, f"the end of a run's processes: {project.processes()}", 20
    )
    project.write("test_fine.py", "def test(): pass")
    project.stest("test_fine.py").expect(0)


def interrupt(project: Project, *args: str) -> Finished:
    client = project.start(*args)
    project.await_file("started")
    client.send_signal(signal.SIGINT)
    return project.finish(client)


def test_interrupt_tears_fixtures_down_like_pytest(project: Project) -> None:
    project.write("test_it.py", WAITS)
    finished = interrupt(project, "test_it.py").expect(2)
    assert "KeyboardInterrupt" in finished.text
    assert project.read("torn down") == "yes\n"
    assert_all_is_over(project)


def test_interrupt_keeps_reports_and_summary(project: Project) -> None:
    project.write("test_it.py", WAITS)
    finished = interrupt(project, "test_it.py", "--junitxml=report.xml").expect(2)
    assert "no tests ran in" in finished.text
    assert "<testsuites" in project.read("report.xml")


def test_interrupt_of_a_run_that_waits_in_the_queue(project: Project) -> None:
    project.configure("concurrency = 1")
    project.write("test_it.py", WAITS)
    first = project.start("test_it.py")
    project.await_file("started")
    second = project.start("test_it.py")
    wait_for(lambda: len(project.status()["runs"]) == 2, "the second run in the queue")
    second.send_signal(signal.SIGINT)
    assert project.finish(second).code != 0
    project.write("go on", "")
    project.finish(first).expect(0)
    assert_all_is_over(project)


def test_third_interrupt_ends_what_ignores_the_others(project: Project) -> None:
    project.write("test_it.py", STUBBORN)
    client = project.start("test_it.py")
    project.await_file("started")
    client.send_signal(signal.SIGINT)
    project.await_file("SIGINT")
    client.send_signal(signal.SIGINT)
    project.await_file("SIGTERM")
    client.send_signal(signal.SIGINT)
    assert project.finish(client).code in (2, CANCELLED, 128 + signal.SIGINT, -signal.SIGINT)
    assert_all_is_over(project)


@pytest.mark.parametrize("deadly", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_to_the_client_end_the_run(project: Project, deadly: signal.Signals) -> None:
    project.write("test_it.py", WAITS)
    client = project.start("test_it.py")
    project.await_file("started")
    client.send_signal(deadly)
    run = project.finish(client)
    assert run.code == {signal.SIGTERM: -signal.SIGTERM, signal.SIGHUP: CANCELLED}[deadly]
    if deadly == signal.SIGTERM:
        assert "running test_it.py::test_waits for" in run.errors
        assert "in test_waits\n" in run.errors
        assert "no test had failed before, 1 did not run\n" in run.errors
    assert_all_is_over(project)


def test_timeout_is_told_what_took_so_long(project: Project) -> None:
    """It sends SIGTERM twice: to its command, and to its process group. Asked to end, it does just that."""
    project.write("test_it.py", WAITS)
    client = project.start("test_it.py", program=("timeout", "1000", str(STEST)))
    project.await_file("started")
    client.send_signal(signal.SIGTERM)
    errors = project.finish(client).errors
    assert "running test_it.py::test_waits for" in errors
    assert "in test_waits\n" in errors
    assert_all_is_over(project)


def test_second_sigterm_leaves_at_once(project: Project) -> None:
    project.write("test_it.py", STUBBORN)
    client = project.start("test_it.py")
    project.await_file("started")
    client.send_signal(signal.SIGTERM)
    project.await_file("SIGTERM")  # The tests ignore it.
    client.send_signal(signal.SIGTERM)
    assert project.finish(client).code == -signal.SIGTERM
    assert_all_is_over(project)


def test_run_of_a_killed_client_ends_and_its_children_with_it(project: Project) -> None:
    project.write("test_it.py", WAITS)
    client = project.start("test_it.py")
    project.await_file("started")
    assert project.processes("sleep")
    client.kill()
    assert_all_is_over(project)
    assert not project.processes("sleep")


def test_run_of_a_killed_client_ends_even_if_it_ignores_signals(project: Project) -> None:
    project.write("test_it.py", STUBBORN)
    client = project.start("test_it.py")
    project.await_file("started")
    client.kill()
    assert_all_is_over(project)


def test_queue_goes_on_after_a_killed_client(project: Project) -> None:
    project.configure("concurrency = 1")
    project.write("test_it.py", WAITS)
    project.write("test_fine.py", "def test(): pass")
    first = project.start("test_it.py")
    project.await_file("started")
    second = project.start("test_fine.py")
    wait_for(lambda: len(project.status()["runs"]) == 2, "the second run in the queue")
    first.kill()
    assert "1 passed" in project.finish(second).expect(0).text
    assert_all_is_over(project)


def test_dropped_http_stream_ends_the_run(project: Project) -> None:
    project.write("test_it.py", WAITS)
    project.stest("--version").expect(0)
    project.stest("start").expect(0)
    events = project.api.stream(project.request("test_it.py"))
    next(event for event in events if event["event"] == "started")
    project.await_file("started")
    events.close()
    assert_all_is_over(project)


@pytest.mark.parametrize(("how", "code"), [("interrupt", 2), ("terminate", CANCELLED), ("kill", CANCELLED)])
def test_cancel_over_http(project: Project, how: str, code: int) -> None:
    project.write("test_it.py", WAITS)
    client = project.start("test_it.py")
    project.await_file("started")
    (run,) = project.status()["runs"]
    answer = project.api.post(f"/v1/test/run/{run['id']}/cancel", {"how": how})
    assert (answer.status, answer.json()["id"]) == (200, run["id"])
    project.finish(client).expect(code)
    assert_all_is_over(project)


def test_stop_ends_the_run_that_goes_on(project: Project) -> None:
    project.write("test_it.py", WAITS)
    client = project.start("test_it.py")
    project.await_file("started")
    project.stest("stop").expect(0)
    project.finish(client).expect(CANCELLED)
    wait_for(lambda: not project.processes(), "the end of all processes")


def test_interrupt_while_the_worker_warms_up(project: Project) -> None:
    """Preloading a slow module does not make Ctrl-C wait."""
    project.install(
        "slow.py",
        f"""
        import os, time
        from pathlib import Path

        Path({str(project.root / "started")!r}).write_text("yes\\n")
        while not Path({str(project.root / "go on")!r}).exists():
            time.sleep(0.01)
        """,
    )
    project.configure(sprintest="preload = ['slow']")
    project.write("test_it.py", "def test(): pass")
    assert interrupt(project).code != 0
    os.close(os.open(project.root / "go on", os.O_CREAT))
    project.stest().expect(0)


# ---- stest cancel


@pytest.mark.parametrize(("how", "code"), [("interrupt", 2), ("terminate", CANCELLED), ("kill", CANCELLED)])
@pytest.mark.parametrize("mode", MODES_OF_LONG_TESTS)
def test_cancel_from_another_terminal(project: Project, mode: str, how: str, code: int) -> None:
    project.env |= MODES[mode]
    project.write("test_it.py", WAITS)
    client = project.start("test_it.py")
    project.await_file("started")
    cancel = project.stest("cancel", "--how", how).expect(0)
    assert "ing run 1 (stest test_it.py)" in cancel.text
    finished = project.finish(client).expect(code)
    if code == CANCELLED:
        assert "stest: the run was cancelled before pytest finished" in finished.errors
    else:
        assert "KeyboardInterrupt" in finished.text
    wait_for(lambda: not project.status()["runs"], "the end of all runs")
    assert not project.processes("sleep")
    project.write("test_fine.py", "def test(): pass")
    assert "1 passed" in project.stest("test_fine.py").expect(0).text


def test_cancel_of_a_run_that_waits(project: Project) -> None:
    project.configure("concurrency = 1")
    project.write("test_it.py", WAITS)
    first = project.start("test_it.py")
    project.await_file("started")
    second = project.start("test_it.py", "-x")
    wait_for(lambda: len(project.status()["runs"]) == 2, "the second run in the queue")
    assert "run 2 (stest test_it.py -x)" in project.stest("cancel", "2").expect(0).text
    assert "cancelled before its tests began" in project.finish(second).expect(CANCELLED).errors
    # Without an id the one that runs is meant, whatever waits.
    third = project.start("test_it.py")
    wait_for(lambda: len(project.status()["runs"]) == 2, "the third run in the queue")
    project.stest("cancel").expect(0)
    project.finish(first).expect(2)
    project.write("go on", "")
    project.finish(third).expect(0)


def test_cancel_names_the_runs_that_it_cannot_choose_from(project: Project) -> None:
    project.env["SPRINTEST_CONCURRENCY"] = "2"
    project.write("test_it.py", WAITING_TEST)
    project.stest("start").expect(0)
    clients = [project.start("test_it.py", *args) for args in ([], ["-x"])]
    wait_for(lambda: [run["nodeid"] for run in project.status()["runs"]].count("") == 0, "both tests")
    wait_for(lambda: len(project.status()["runs"]) == 2, "both runs")
    errors = project.stest("cancel").expect(USAGE_ERROR).errors
    assert "there are several runs" in errors
    assert "stest cancel 1 " in errors
    assert "stest cancel 2 " in errors
    project.write("go on", "")
    for client in clients:
        project.finish(client).expect(0)


def test_cancel_where_there_is_nothing_to_cancel(project: Project) -> None:
    assert "no daemon is running" in project.stest("cancel").expect(NO_SUCH_RUN).errors
    project.stest("start").expect(0)
    assert "there is no run to cancel" in project.stest("cancel").expect(NO_SUCH_RUN).errors
    assert "there is no run 7" in project.stest("cancel", "7").expect(NO_SUCH_RUN).errors


# ---- a client killed with -9, in each phase

PHASES = {
    "collecting": ("conftest.py", "{wait}\n"),
    "setup": ("conftest.py", "import pytest\n@pytest.fixture(autouse=True)\ndef slow():\n    {wait}\n"),
    "running": ("test_it.py", "def test():\n    {wait}\n"),
    "teardown": (
        "conftest.py",
        "import pytest\n@pytest.fixture(autouse=True)\ndef slow():\n    yield\n    {wait}\n",
    ),
    "session-finish": ("conftest.py", "def pytest_sessionfinish():\n    {wait}\n"),
    "atexit": ("conftest.py", "import atexit\ndef slow():\n    {wait}\natexit.register(slow)\n"),
}
WAIT = "import time; file = open('started', 'w'); file.write('yes\\n'); file.close(); time.sleep(1000)"


@pytest.mark.parametrize("mode", MODES_OF_LONG_TESTS)
@pytest.mark.parametrize(("file", "text"), PHASES.values(), ids=PHASES)
def test_killed_client_in_each_phase(project: Project, mode: str, file: str, text: str) -> None:
    project.env |= MODES[mode]
    project.write("test_it.py", "def test(): pass")
    project.write(file, text.format(wait=WAIT))
    client = project.start("test_it.py")
    project.await_file("started")
    client.kill()
    wait_for(lambda: not project.status()["runs"], "the end of the run")
    assert project.status()["last_result"]["outcome"] == "cancelled"
    project.write("conftest.py", "")
    project.write("test_fine.py", "def test(): pass")
    assert "1 passed" in project.stest("test_fine.py").expect(0).text


def test_killed_client_that_waits_leaves_the_queue(project: Project) -> None:
    project.configure("concurrency = 1")
    project.write("test_it.py", WAITING_TEST)
    first = project.start("test_it.py")
    project.await_file("started")
    second = project.start("test_it.py")
    wait_for(lambda: len(project.status()["runs"]) == 2, "the second run in the queue")
    second.kill()
    wait_for(lambda: len(project.status()["runs"]) == 1, "its end")
    project.write("go on", "")
    project.finish(first).expect(0)


def test_killed_client_while_the_worker_warms_up(project: Project) -> None:
    project.install(
        "slow.py",
        f"""
        import time
        from pathlib import Path

        Path({str(project.root / "started")!r}).write_text("yes\\n")
        while not Path({str(project.root / "go on")!r}).exists():
            time.sleep(0.01)
        """,
    )
    project.configure(sprintest="preload = ['slow']")
    project.write("test_it.py", "def test(): pass")
    client = project.start("test_it.py")
    project.await_file("started")
    client.kill()
    wait_for(lambda: not project.status()["runs"], "the end of the run")
    project.write("go on", "")
    assert "1 passed" in project.stest().expect(0).text


@pytest.mark.parametrize("deadly", [signal.SIGTERM, signal.SIGHUP])
def test_signal_to_a_client_that_waits(project: Project, deadly: signal.Signals) -> None:
    project.configure("concurrency = 1")
    project.write("test_it.py", WAITING_TEST)
    first = project.start("test_it.py")
    project.await_file("started")
    second = project.start("test_it.py", merge=True)
    project.read_until(second, b"in the queue")
    second.send_signal(deadly)
    run = project.finish(second)
    assert run.code == -deadly
    if deadly == signal.SIGTERM:
        assert "while the run waited for its turn" in run.text
    wait_for(lambda: len(project.status()["runs"]) == 1, "its end")
    project.write("go on", "")
    project.finish(first).expect(0)
