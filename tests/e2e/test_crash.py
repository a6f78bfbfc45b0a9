"""A test process that dies is never a success, is named, and costs that run alone."""

from __future__ import annotations

import json

import pytest

from .harness import Project
from .modes import MODES, MODES_OF_LONG_TESTS
from .warmth import Warmth

SHARES_A_DAEMON = True

CRASHED, KILLED = 105, 106  # include/stest/exit_code.hpp

IMPORTS = "import ctypes, os, signal, sys, threading\n"
SEGFAULT = "ctypes.string_at(0)"
DEATHS = [
    pytest.param(SEGFAULT, CRASHED, "SIGSEGV", id="segfault"),
    pytest.param("os.abort()", CRASHED, "SIGABRT", id="abort"),
    pytest.param("os.kill(os.getpid(), signal.SIGBUS)", CRASHED, "SIGBUS", id="bus"),
    pytest.param("os.kill(os.getpid(), signal.SIGKILL)", KILLED, "SIGKILL", id="kill"),
    pytest.param("os.kill(os.getpid(), signal.SIGTERM)", CRASHED, "SIGTERM", id="term"),
    pytest.param("os._exit(0)", CRASHED, "0", id="exit-0"),
    pytest.param("os._exit(3)", CRASHED, "3", id="exit-3"),
    pytest.param(
        # Nested groups make regcomp of the C library recurse until its stack is used up.
        "ctypes.CDLL(None).regcomp(ctypes.create_string_buffer(4096), b'(' * 9_000_000, 1)",
        CRASHED,
        "SIGSEGV",
        id="stack-overflow-in-C",
    ),
    pytest.param(
        f"thread = threading.Thread(target=lambda: {SEGFAULT}); thread.start(); thread.join()",
        CRASHED,
        "SIGSEGV",
        id="segfault-in-a-thread",
    ),
]


def assert_next_run_works(project: Project) -> None:
    project.write("test_fine.py", "def test(): pass")
    assert "1 passed" in project.stest("test_fine.py").expect(0).text


@pytest.mark.parametrize(("death", "code", "named"), DEATHS)
def test_death_in_a_test(project: Project, death: str, code: int, named: str) -> None:
    project.write("test_it.py", f"{IMPORTS}def test_before(): pass\ndef test_dies():\n    {death}\n")
    finished = project.stest().expect(code)
    assert named in finished.errors
    assert "test_it.py::test_dies" in finished.errors
    assert_next_run_works(project)


@pytest.mark.parametrize("mode", MODES_OF_LONG_TESTS)
@pytest.mark.parametrize(("death", "code", "named"), DEATHS)
def test_the_next_run_after_a_death_is_warm(
    project: Project, death: str, code: int, named: str, mode: str
) -> None:
    """The zygote lives on, with all that it has imported, whatever process the tests were in."""
    warmth = Warmth(project, MODES[mode])
    project.write("test_it.py", f"{IMPORTS}def test_dies():\n    {death}\n")
    finished = project.stest("test_it.py", env=MODES[mode]).expect(code)
    assert named in finished.errors
    assert "test_it.py::test_dies" in finished.errors
    warmth.assert_kept()


@pytest.mark.parametrize("mode", MODES_OF_LONG_TESTS)
def test_endless_recursion_is_a_plain_failure(project: Project, mode: str) -> None:
    project.write("test_it.py", "def test_deep():\n    def f(): f()\n    f()\ndef test_after(): pass\n")
    assert "RecursionError" in project.plain().expect(1).text
    finished = project.stest(env=MODES[mode]).expect(1)
    assert "RecursionError" in finished.text
    assert "1 failed, 1 passed" in finished.text


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("os._exit(0)", id="collection"),
        pytest.param(
            "import pytest\n@pytest.fixture\ndef bad():\n    yield\n    os._exit(0)\ndef test(bad): pass",
            id="teardown",
        ),
        pytest.param("def setup_module(): os._exit(0)\ndef test(): pass", id="setup"),
        pytest.param("def test_one(): pass\ndef test_two(): os._exit(0)", id="second-test"),
    ],
)
def test_exit_0_before_the_end_is_never_0(project: Project, source: str) -> None:
    project.write("test_it.py", IMPORTS + source)
    assert project.stest().code not in (0, 5)
    assert_next_run_works(project)


@pytest.mark.parametrize("hook", ["runtest_logfinish", "configure", "collection_finish"])
def test_exit_0_in_a_hook_before_all_tests_reported_is_never_0(project: Project, hook: str) -> None:
    project.write("conftest.py", f"import os\ndef pytest_{hook}(): os._exit(0)")
    project.write("test_it.py", "def test_one(): pass\ndef test_two(): assert 0")
    project.stest().expect(CRASHED)
    project.write("conftest.py", "")
    assert_next_run_works(project)


@pytest.mark.parametrize("hook", ["sessionfinish", "unconfigure"])
@pytest.mark.parametrize(("body", "code"), [("pass", 0), ("assert 0", 1)])
def test_exit_after_every_test_reported_keeps_its_code(
    project: Project, hook: str, body: str, code: int
) -> None:
    """Suites with stubborn native threads leave through os._exit when all is told."""
    project.write("conftest.py", f"import os\ndef pytest_{hook}(): os._exit({code})")
    project.write("test_it.py", f"def test(): {body}")
    project.plain().expect(code)
    project.stest().expect(code)


def test_exit_in_a_fork_of_the_test_is_the_forks_affair(project: Project) -> None:
    project.write(
        "test_it.py",
        """
        import os

        def test():
            child = os.fork()
            if child == 0:
                os._exit(9)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
        """,
    )
    project.stest().expect(0)


@pytest.mark.parametrize("call", ["sys.exit(0)", "raise SystemExit(3)", "exit()", "quit(0)"])
def test_sys_exit_in_a_test_is_a_plain_failure(project: Project, call: str) -> None:
    project.write("test_it.py", f"{IMPORTS}def test_exits(): {call}\ndef test_after(): pass\n")
    project.plain().expect(1)
    assert "1 failed, 1 passed" in project.stest().expect(1).text


def test_output_before_the_crash_is_shown(project: Project) -> None:
    project.write("test_it.py", f"{IMPORTS}def test():\n    os.write(1, b'last words'); {SEGFAULT}\n")
    finished = project.stest("-s").expect(CRASHED)
    assert "last words" in finished.text
    assert "Fatal Python error: Segmentation fault" in finished.errors


def test_crash_is_an_outcome_of_the_http_api(project: Project) -> None:
    project.write("test_fine.py", "def test(): pass")
    project.stest("test_fine.py").expect(0)
    project.write("test_it.py", f"{IMPORTS}def test_dies(): {SEGFAULT}\n")
    answer = project.api.post("/v1/test/run", project.request("test_it.py")).json()
    assert (answer["outcome"], answer["exit_code"]) == ("crashed", CRASHED)
    assert "SIGSEGV" in answer["message"]
    assert "test_it.py::test_dies" in answer["message"]


def test_zygote_survives_the_crash(project: Project) -> None:
    project.write("test_it.py", f"{IMPORTS}def test_dies(): {SEGFAULT}\n")
    project.stest().expect(CRASHED)
    worker = project.status()["worker"]["pid"]
    project.stest().expect(CRASHED)
    assert project.status()["worker"]["pid"] == worker


@pytest.mark.parametrize("death", [SEGFAULT, "os._exit(0)", "os.kill(os.getpid(), 9)"])
def test_what_failed_before_a_death_is_told_and_known_to_lf(shared_project: Project, death: str) -> None:
    """Also where the cache lies elsewhere; pytest itself writes its file at the end only."""
    project = shared_project
    project.write(
        "test_it.py",
        f"{IMPORTS}def test_fails(): assert 0\ndef test_passes(): pass\ndef test_dies():\n    {death}\n"
        "def test_not_run(): pass\ndef test_nor_this(): pass\n",
    )
    cache = ("-o", "cache_dir=elsewhere")
    errors = project.stest("test_it.py", *cache).errors
    assert "1 test had failed before, 2 did not run; `stest --lf` runs what failed" in errors
    assert "\n  test_it.py::test_fails\n" in errors
    assert "-X faulthandler" not in errors
    for run in (project.stest, project.plain):
        chosen = run("test_it.py", "--lf", "--co", "-q", *cache).expect(0).text
        assert "::test_fails" in chosen
        assert "::test_dies" in chosen
        assert "2/5 tests collected" in chosen
    done = json.loads(project.stest("run", "--events", "--", "test_it.py", *cache).text.splitlines()[-1])
    assert done["unfinished"] == {
        "failed": ["test_it.py::test_fails"],
        "nodeid": "test_it.py::test_dies",
        "not_run": 2,
        "last_failed": True,
    }
    errors = project.stest("test_it.py", "-p", "no:cacheprovider").errors
    assert "1 test had failed before, 2 did not run\n" in errors
    assert not (project.root / ".pytest_cache").exists()
