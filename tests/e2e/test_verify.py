"""`stest verify`, `stest run --cold` and `verify_failures`: a cold `python -m pytest` as the arbiter."""

from __future__ import annotations

import json
import os
import re
import signal
from typing import Any

import pytest

from .harness import PYTHON, STEST, Finished, Project, wait_for

USAGE_ERROR, CANCELLED, DIVERGED = 101, 107, 109  # include/stest/exit_code.hpp

# True in the daemon's runs only: their parent is stest-worker.
WARM = "open(f'/proc/{os.getppid()}/comm').read() == 'stest-worker\\n'"

MIXED = """
    import warnings
    import pytest

    def test_passes(): warnings.warn(f"an object at {object()}")
    def test_fails(): assert 0
    @pytest.mark.xfail
    def test_expected(): assert 0
    @pytest.mark.xfail
    def test_unexpected(): pass
    @pytest.mark.skip
    def test_skipped(): pass
    @pytest.fixture
    def broken(): raise ValueError
    def test_error(broken): pass
"""

FAILS_WARM = f"""
    import os

    def test_fine(): pass
    def test_differs(): assert not {WARM}
"""

# Waits in the run that is not the first, and notes how it ends.
WAITS_COLD = f"""
    import os, time
    import pytest

    @pytest.fixture
    def resource():
        yield
        open("torn down", "w").close()

    def test_waits(resource):
        if not {WARM}:
            with open("started", "w") as file:
                file.write("yes\\n")
            while True:
                time.sleep(0.01)
        assert not os.path.exists("fail")
"""


@pytest.fixture
def project(project: Project) -> Project:
    (project.home / "tmp").mkdir()
    project.env["TMPDIR"] = str(project.home / "tmp")
    return project


def assert_nothing_left(project: Project) -> None:
    assert not list((project.home / "tmp").glob("stest-verify-*"))
    left = [one for one in project.processes() if one.name not in ("stestd", "stest-worker")]
    assert not left


def assert_times(finished: Finished) -> None:
    seconds, speed = r" +\d+\.\d{3} s", r" +[\d.]+ times as fast\n"
    rows = f"  plain pytest{seconds}\n  first stest run{seconds}{speed}"
    rows += f"(    .* waiting for the worker; .*\n)?  warm stest run{seconds}{speed}"
    assert re.search(rows, finished.errors), finished


def agreement(project: Project, *args: str) -> Finished:
    finished = project.stest("verify", *args).expect(0)
    assert "stest: warm and cold agree: " in finished.errors
    assert_times(finished)
    assert_nothing_left(project)
    return finished


def divergence(project: Project, *args: str) -> Finished:
    finished = project.stest("verify", *args).expect(DIVERGED)
    assert_times(finished)
    assert "would make it warmer" not in finished.errors
    assert_nothing_left(project)
    return finished


# ---- verify


def test_agreement_on_success(project: Project) -> None:
    project.write("test_it.py", "def test_a(): pass\ndef test_b(): pass")
    finished = agreement(project, "-q")
    assert "agree: 2 passed\n" in finished.errors
    assert finished.text.count("2 passed") == 1


def test_agreement_on_failures_is_an_agreement(project: Project) -> None:
    project.write("test_it.py", MIXED)
    finished = agreement(project)
    assert "1 passed, 1 failed, 1 error, 1 skipped, 1 xfailed, 1 xpassed; both exit code 1" in finished.errors
    assert finished.text.count("= FAILURES =") == 1


@pytest.mark.parametrize(
    ("source", "args", "says"),
    [
        pytest.param("import nothing_of_that_name", [], "1 error; both exit code 2", id="collection-error"),
        pytest.param(
            "import os; os.kill(os.getpid(), 11)", [], "both died before", id="crash-while-collecting"
        ),
        pytest.param(
            "def test(): import os; os._exit(0)", [], "1 unfinished; both died before", id="os._exit"
        ),
        pytest.param("", [], "no tests; both exit code 5", id="no-tests"),
        pytest.param("def test(): pass", ["--no-such-option"], "both exit code 4", id="usage-error"),
        pytest.param("def test(): pass", ["-k", "other"], "both exit code 5", id="deselected"),
        pytest.param("import pytest\ndef test(): pytest.exit('x', 103)", [], "exit code 103", id="own-code"),
    ],
)
def test_agreement_on_every_kind_of_end(project: Project, source: str, args: list[str], says: str) -> None:
    project.write("test_it.py", source)
    assert says in agreement(project, *args).errors


@pytest.mark.parametrize("ahead", [False, True])
def test_all_runs_begin_with_the_cache_of_the_first(project: Project, ahead: bool) -> None:
    """Each empties pytest's list of last failures."""
    if ahead:
        del project.env["SPRINTEST_PRIME"]
    project.write("test_it.py", "import os\ndef test_a(): assert os.path.exists('go')\ndef test_b(): pass")
    project.stest().expect(1)
    project.write("go", "")
    assert "agree: 1 passed" in agreement(project, "--lf").errors


def test_neither_run_shows_the_tests_how_it_is_watched(project: Project) -> None:
    project.write("test_it.py", "import os\ndef test(): assert not [n for n in os.environ if 'VERDICT' in n]")
    agreement(project)


def test_a_test_that_only_fails_warm(project: Project) -> None:
    project.write("test_it.py", FAILS_WARM)
    finished = divergence(project, "-q")
    assert "  pytest: warm exit code 1, cold exit code 0\n" in finished.errors
    assert "  test_it.py::test_differs: warm failed, cold passed\n" in finished.errors
    assert "test_fine" not in finished.errors
    assert "stest: 2 differences between warm and cold" in finished.errors
    assert "2 passed" in finished.text, "the cold run's output is shown"


def test_other_differences(project: Project) -> None:
    project.write(
        "conftest.py",
        f"""
        import os

        def pytest_collection_modifyitems(config, items):
            if {WARM}:
                config.hook.pytest_deselected(items=[items.pop()])
        """,
    )
    project.write(
        "test_it.py",
        f"""
        import os, warnings
        import pytest

        def test_warns():
            if {WARM}:
                warnings.warn("only warm", FutureWarning)
            warnings.warn("both")

        @pytest.mark.xfail
        def test_expected(): assert {WARM}

        def test_last(): pass
        """,
    )
    project.write("test_broken.py", f"import os\nassert {WARM}")
    errors = divergence(project, "--continue-on-collection-errors").errors
    assert "  collection of test_broken.py: warm passed, cold failed\n" in errors
    assert "  FutureWarning of test_it.py::test_warns: only warm: warm 1 time, cold 0 times\n" in errors
    assert "  test_it.py::test_expected: warm xpassed, cold xfailed\n" in errors
    assert "  test_it.py::test_last: warm did not run, cold passed\n" in errors
    assert "  test_it.py::test_last: deselected warm only\n" in errors
    assert "stest: 6 differences" in errors
    assert "both" not in errors


@pytest.mark.parametrize(("args", "code"), [(["verify"], 100), ([], 1)])
def test_a_cold_run_without_the_plugin_is_an_error_and_no_divergence(
    project: Project, args: list[str], code: int
) -> None:
    project.configure(sprintest="verify_failures = true")
    project.install(
        "sitecustomize.py",
        """
        import sys

        if open("/proc/self/comm").read() != "stest-worker\\n":
            sys.modules["sprintest"] = None
        """,
    )
    project.write("test_it.py", "def test(): assert 0")
    finished = project.stest(*args).expect(code)
    assert "did not load stest's plugin" in finished.errors
    assert "fault" not in finished.errors
    assert_nothing_left(project)


def test_a_run_that_cannot_take_place_keeps_its_exit_code(project: Project) -> None:
    project.configure(sprintest="no_such_key = 1")
    project.write("test_it.py", "def test(): pass")
    assert "no_such_key" in project.stest("verify").expect(102).errors


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 2), (signal.SIGTERM, CANCELLED)])
def test_a_signal_ends_the_cold_part(project: Project, number: signal.Signals, code: int) -> None:
    project.write("test_it.py", WAITS_COLD)
    client = project.start("verify")
    project.await_file("started")
    client.send_signal(number)
    project.finish(client).expect(code)
    assert number != signal.SIGINT or (project.root / "torn down").exists()
    assert_nothing_left(project)


def test_ctrl_c_in_the_warm_part_ends_it_all(project: Project) -> None:
    project.write("test_it.py", WAITS_COLD.replace(f"not {WARM}", WARM))
    client = project.start("verify")
    project.await_file("started")
    client.send_signal(signal.SIGINT)
    finished = project.finish(client).expect(2)
    assert "agree" not in finished.errors
    assert_nothing_left(project)


def test_the_cold_part_does_not_outlive_the_client(project: Project) -> None:
    project.write("test_it.py", WAITS_COLD)
    client = project.start("verify")
    project.await_file("started")
    client.kill()
    python = PYTHON.resolve().name[:15]
    wait_for(lambda: not [one for one in project.processes() if one.name.startswith(python)], "its end")


# ---- what would make it warmer


@pytest.fixture
def trial(project: Project) -> Project:
    del project.env["SPRINTEST_PRIME"]
    project.write("test_it.py", "def test(): pass")
    return project


def advice(project: Project) -> list[str]:
    """What is advised, without the times."""
    found = agreement(project, "-q").errors.partition("with the time that it costs in each run:\n")[2]
    lines = found.splitlines()
    assert all(re.match(r"  \d+\.\d\d s  \S", line) for line in lines[::2])
    assert all(re.match(r" {10}\S", line) for line in lines[1::2])
    return [line.split(maxsplit=2)[2] for line in lines[::2]]


def test_a_project_that_is_warm_needs_nothing(trial: Project) -> None:
    trial.write(
        "tests/test_more.py", "import json, decimal\ndef test(tmp_path): (tmp_path / 'x').write_text('')"
    )
    assert "stest: nothing would make it warmer\n" in agreement(trial).errors


#: Takes some time, and does not read a clock.
WORKS = "sum(range(10**7))"
STARTS_A_THREAD = "threading.Thread(target=threading.Event().wait, name='early', daemon=True).start()"


@pytest.mark.parametrize(
    ("does", "says"),
    [
        ("socket.socket().bind(('127.0.0.1', 0))", r"\S+/early_plugin\.py does socket\.bind"),
        ("time.time()", r"\S+/early_plugin\.py reads the clock"),
        (
            STARTS_A_THREAD,
            r"a thread was started \(early\)|\S+/early_plugin\.py does _thread\.start_.*",
        ),
    ],
)
def test_a_plugin_that_keeps_runs_from_being_prepared(trial: Project, does: str, says: str) -> None:
    trial.install(
        "early_plugin.py",
        f"""
        import socket, threading, time

        def pytest_configure():
            {does}
            {WORKS}
        """,
    )
    trial.configure(pytest='addopts = "-p early_plugin"')
    assert re.fullmatch(f"tests are not collected ahead of a run: ({says})", advice(trial)[0])


def test_a_module_that_cannot_be_loaded_ahead(trial: Project) -> None:
    """The worker that finds this out ends, and the next one is warm."""
    trial.install("busy.py", f"import threading\n{STARTS_A_THREAD}\n{WORKS}")
    trial.configure(sprintest='preload = ["busy"]')
    trial.write("test_it.py", "def test(): import busy")
    (found,) = advice(trial)
    assert found.startswith("each run imports busy, which cannot be loaded ahead: ")


def test_a_setting_that_costs_time(trial: Project) -> None:
    trial.configure(sprintest="prime = false")
    trial.write("conftest.py", WORKS)
    assert advice(trial) == ["no run is prepared: `prime` is false"]


@pytest.fixture
def clocked(trial: Project) -> Project:
    """No run of it is collected ahead, and a module of its own takes time."""
    trial.write("conftest.py", "import time\ntime.time()")
    trial.write("slow.py", f"{WORKS}\n{WORKS}")
    return trial


def test_resident_mode_is_tried_where_it_may_help(clocked: Project) -> None:
    clocked.write("test_it.py", "import slow\ndef test(): pass")
    ahead, resident = advice(clocked)
    assert ahead.endswith("conftest.py reads the clock")
    assert resident.startswith("each run is a process of its own")


def test_resident_mode_is_not_advised_where_its_answer_differs(clocked: Project) -> None:
    clocked.write(
        "test_it.py",
        "import os, slow\ndef test(): assert os.environ.get('SPRINTEST_ISOLATION') != 'resident'",
    )
    (ahead,) = advice(clocked)
    assert ahead.endswith("conftest.py reads the clock")


def test_ctrl_c_while_stest_does_things_ahead(trial: Project) -> None:
    trial.write(
        "test_it.py",
        """
        import os

        while os.path.exists("wait"):
            pass

        def test():  # The cold run, and the first run of stest.
            open("wait" if os.path.exists("seen") else "seen", "w").close()
        """,
    )
    client = trial.start("verify")
    wait_for(lambda: (trial.root / "wait").exists(), "the first run")
    trial.await_idle()
    client.send_signal(signal.SIGINT)
    assert "agree" not in trial.finish(client).expect(2).errors
    assert_nothing_left(trial)


# ---- run --cold


def test_cold_is_python_m_pytest(project: Project) -> None:
    project.write(
        "test_it.py",
        """
        import json, os, signal, sys

        def test_it():
            environment = {name: value for name, value in os.environ.items() if name != "_"}
            signals = {number: str(signal.getsignal(number)) for number in signal.valid_signals()}
            files = sorted(os.listdir("/proc/self/fd"))
            process = [sys.argv, sys.executable, getattr(sys, "orig_argv", []), os.getcwd()]
            with open("seen", "w") as file:
                json.dump([sys.stdin.read(), process, environment, signals, files], file)
        """,
    )
    project.write("input", "typed")
    seen = []
    for words in ([STEST, "run", "--cold", "--"], [PYTHON, "-m", "pytest"]):
        from_input = ("/bin/sh", "-c", 'exec "$@" <input', "sh")
        client = project.start(*map(str, words), "-s", "-k", "it", program=from_input)
        project.finish(client).expect(0)
        seen.append(json.loads(project.read("seen")))
    assert seen[0] == seen[1]
    assert seen[0][0] == "typed"
    assert not project.daemons()


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("def test(): assert 0", 1),
        ("import os\ndef test(): os._exit(77)", 77),
        ("import os\ndef test(): os.kill(os.getpid(), 11)", -11),
    ],
)
def test_exit_codes_of_cold_are_the_process_s(project: Project, source: str, code: int) -> None:
    project.write("test_it.py", source)
    project.plain("-p", "no:faulthandler").expect(code)
    project.stest("run", "--cold", "--", "-p", "no:faulthandler").expect(code)


def test_cold_excludes_what_needs_the_daemon(project: Project) -> None:
    for options in (["--events"], ["--stuck-after", "5s"]):
        finished = project.stest("run", "--cold", *options).expect(USAGE_ERROR)
        assert "--cold" in finished.errors


# ---- verify_failures


@pytest.fixture
def careful(project: Project) -> Project:
    project.configure(sprintest="verify_failures = true")
    return project


def events(project: Project, code: int, *args: str) -> list[dict[str, Any]]:
    finished = project.stest("run", "--events", "--", *args).expect(code)
    return [json.loads(line) for line in finished.text.splitlines()]


# Notes each test that begins to run cold.
NOTES = f"""
    import os

    def pytest_runtest_logstart(nodeid):
        if not {WARM}:
            with open("ran cold", "a") as file:
                file.write(nodeid.partition("::")[2] + "\\n")
"""


def test_failures_are_confirmed_by_the_failed_tests_alone(careful: Project) -> None:
    careful.write("conftest.py", NOTES)
    careful.write("test_it.py", MIXED)
    finished = careful.stest().expect(1)
    assert "stest: verified: the 2 failures are the same in a cold process (" in finished.errors
    assert careful.read("ran cold") == "test_fails\ntest_error\n"
    assert finished.text.count("= FAILURES =") == 1
    assert_nothing_left(careful)


def test_success_is_not_run_again(careful: Project) -> None:
    careful.write("conftest.py", NOTES)
    careful.write("test_it.py", "def test(): pass")
    assert "verified" not in careful.stest().expect(0).errors
    assert not (careful.root / "ran cold").exists()


def test_without_the_key_nothing_is_run_again(project: Project) -> None:
    project.write("conftest.py", NOTES)
    project.write("test_it.py", "def test(): assert 0")
    assert "verified" not in project.stest().expect(1).errors
    assert not (project.root / "ran cold").exists()


def test_a_failure_of_the_warm_run_alone_is_stests_fault(careful: Project) -> None:
    careful.write("test_it.py", FAILS_WARM)
    finished = careful.stest().expect(0)
    assert "  test_it.py::test_differs: warm failed, cold passed\n" in finished.errors
    assert "stest's own fault" in finished.errors
    assert "2 passed" in finished.text
    assert_nothing_left(careful)


def test_a_failure_that_depends_on_other_tests_stays_one(careful: Project) -> None:
    careful.write("test_it.py", "seen = []\ndef test_a(): seen.append(1)\ndef test_b(): assert not seen")
    finished = careful.stest().expect(1)
    assert "verified: the same in a cold run of everything; some tests fail only together" in finished.errors
    assert "fault" not in finished.errors


def test_a_run_that_writes_a_report_is_run_again_as_a_whole(careful: Project) -> None:
    careful.write("test_it.py", MIXED)
    finished = careful.stest("--junitxml=report.xml").expect(1)
    assert "verified: the same in a cold run of everything (" in finished.errors
    assert 'tests="6"' in careful.read("report.xml")


def test_the_processes_of_xdist_run_the_failed_tests_alone_too(careful: Project) -> None:
    pytest.importorskip("xdist")
    careful.write("test_it.py", MIXED)
    finished = careful.stest("-n2").expect(1)
    assert "the 2 failures are the same in a cold process" in finished.errors
    assert_nothing_left(careful)


@pytest.mark.parametrize(
    ("source", "code"),
    [
        pytest.param("import nothing_of_that_name", 2, id="collection-error"),
        pytest.param("def test_a(): pass\ndef test(): import os; os._exit(0)", 105, id="crash"),
        pytest.param("import os; os._exit(0)", 105, id="crash-while-collecting"),
    ],
)
def test_other_failures_are_confirmed(careful: Project, source: str, code: int) -> None:
    careful.write("test_it.py", source)
    assert "stest: verified: " in careful.stest().expect(code).errors


def test_a_crash_of_the_warm_run_alone(careful: Project) -> None:
    careful.write("test_it.py", f"import os\ndef test():\n    if {WARM}: os._exit(3)")
    finished = careful.stest().expect(0)
    assert "  pytest: warm died before pytest finished, cold exit code 0\n" in finished.errors


def test_events_hold_the_end_back_until_it_is_verified(careful: Project) -> None:
    careful.write("test_it.py", FAILS_WARM)
    *_, output, verified, done = events(careful, 0)
    assert output["event"] == "output"
    assert "2 passed" in output["data"]
    assert (verified["event"], verified["agrees"]) == ("verified", False)
    assert "test_it.py::test_differs: warm failed, cold passed" in verified["differences"]
    assert (done["event"], done["exit_code"], done["outcome"]) == ("done", 0, "passed")


def test_events_of_a_confirmed_failure(careful: Project) -> None:
    careful.write("test_it.py", "def test(): assert 0")
    *_, verified, done = events(careful, 1)
    assert (verified["agrees"], verified["differences"]) == (True, [])
    assert (done["exit_code"], done["outcome"]) == (1, "failed")


def test_ctrl_c_during_the_check(careful: Project) -> None:
    careful.write("test_it.py", WAITS_COLD)
    os.close(os.open(careful.root / "fail", os.O_CREAT))
    client = careful.start()
    careful.await_file("started")
    client.send_signal(signal.SIGINT)
    assert "verified" not in careful.finish(client).expect(2).errors
    assert_nothing_left(careful)
