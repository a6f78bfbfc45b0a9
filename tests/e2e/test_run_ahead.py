"""A runner that was forked ahead serves the same request again, and no other."""

from __future__ import annotations

import json
import os
import re
import signal

import pytest

from . import processes
from .harness import Finished, Project, wait_for

PASSES = "def test(): pass\n"


@pytest.fixture(autouse=True)
def _switched_on(project: Project) -> None:
    del project.env["SPRINTEST_PRIME"]


def waiting(project: Project) -> set[int]:
    assert project.ahead()["reason"] == ""

    def found() -> set[int]:  # What `ahead` counts may have ended since, and others may still collect.
        pids = {process.pid for process in project.processes("stest-worker")}
        return {pid for pid in pids if processes.waits_for_its_request(pid) and processes.holds_output(pid)}

    return wait_for(found, "a runner forked ahead that waits")


def pid_of(finished: Finished) -> int:
    events = [json.loads(line) for line in finished.out.splitlines()]
    pid: int = next(event["pid"] for event in events if event["event"] == "started")
    return pid


def test_same_request_again(project: Project) -> None:
    project.write("subject.py", "value = 1\n")
    project.write("test_it.py", "import subject\ndef test(): assert subject.value == 1\n")
    for _ in range(2):
        project.stest("run", "--events").expect(0)
    known = waiting(project)
    assert pid_of(project.stest("run", "--events").expect(0)) in known
    known = waiting(project)
    project.write("subject.py", "value = 2\n")
    failed = project.stest("run", "--events").expect(1)
    assert pid_of(failed) not in known


@pytest.mark.parametrize("option", ["--lf", "--ff", "--nf"])
def test_an_option_that_reads_pytests_cache(project: Project, option: str) -> None:
    project.write("test_it.py", "def test_fails(): assert 0\ndef test_passes(): pass\n")
    for _ in range(3):  # A run that must be cold would have another exit code.
        project.stest("run", "--events", option).expect(1)
        waiting(project)


def test_nothing_is_collected_ahead_while_a_run_goes_on_in_another_process(project: Project) -> None:
    project.write("subject.py", "value = 1\n")
    project.write("test_slow.py", "import subject\nfor _ in range(2 * 10**7): pass\n" + PASSES)
    project.write(
        "test_alone.py",
        """
        import os, pathlib, time

        def children(pid):
            try:
                found = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            except OSError:
                return set()
            return set(found).union(*map(children, found))

        def test():
            begin = time.monotonic()
            first = seen = children(os.getppid())
            while time.monotonic() < begin + 1:  # The outdated ones end by themselves, and none follows.
                seen = seen | children(os.getppid())
                time.sleep(0.01)
            assert seen == first
        """,
    )
    for _ in range(2):
        project.stest("test_slow.py").expect(0)
        waiting(project)
    project.write("subject.py", "value = 22\n")
    project.stest("test_alone.py", env={"SPRINTEST_ISOLATION": "resident"}).expect(0)


def test_other_folder_or_variable(project: Project) -> None:
    project.write("sub/test_it.py", PASSES)
    project.stest("run", "--events").expect(0)
    waiting(project)
    for other in ({"cwd": project.root / "sub"}, {"env": {"NEW": "1"}}):
        project.stest(**other).expect(0)


TELLS = """
import sys
import pytest

def pytest_addoption(parser):
    parser.addoption("--level", type=int, default=1)

def pytest_configure(config):
    {configures}

def pytest_collection_finish(session):
    config = session.config
    print("TELLS", config.args, config.invocation_params.args, sys.argv[1:], sys.orig_argv[3:])
    print("TELLS", type(config.option).__name__, type(config.args).__name__, type(sys.argv).__name__)
    print("TELLS", config.rootpath.name, config.known_args_namespace.level, config.getoption("file_or_dir"))
"""
#: Each follows the one before.
OTHER_ARGUMENTS = [
    ["test_it.py"],
    ["test_it.py::test_one"],
    ["-k", "two"],
    ["test_it.py", "-x", "-m", "not slow"],
    ["-v", "test_it.py"],
    ["--level=2", "test_it.py"],
    ["sub/test_sub.py", "test_it.py"],
    ["own", "test_it.py"],
    ["-p", "no:doctest", "test_it.py"],
    ["--doctest-modules", "test_it.py"],
    ["--assert=plain", "test_it.py"],
    ["--nonsense"],
    ["--fixtures", "test_it.py"],
    [],
    ["absent.py"],
    ["test_it.py", "--deselect=test_it.py::test_one", "-rA"],
]


@pytest.mark.parametrize(
    "configures",
    [
        "pass",
        *(
            pytest.param(statement, marks=pytest.mark.long)
            for statement in (
                "config.level = config.option.level",
                "config.first = config.args[:1]",
                "config.words = sys.argv[1:]",
            )
        ),
    ],
)
def test_other_arguments(project: Project, configures: str) -> None:
    """Nobody can tell that pytest had been configured for others."""
    tells = TELLS.format(configures=configures)
    for name in ("level", "first", "words"):
        tells += f"    print('TELLS', getattr(config, {name!r}, None))\n"
    project.configure(pytest="markers = ['slow']\ntestpaths = ['test_it.py', 'sub']")
    project.write("conftest.py", tells)
    project.write(
        "test_it.py", "def test_one(): pass\ndef test_two(): assert False\ndef test_three(): pass\n"
    )
    project.write("sub/test_sub.py", PASSES)
    project.write("own/pytest.ini", "[pytest]\n")
    project.write("own/conftest.py", "def pytest_configure(config): print('TELLS of its own')\n")
    project.write("own/test_own.py", PASSES)
    project.stest("test_it.py")
    for args in OTHER_ARGUMENTS:
        plain = project.plain(*args)
        project.ahead()
        warm = project.stest(*args)
        assert warm.code == plain.code, args
        assert said(warm) == said(plain), args


def said(finished: Finished) -> str:
    return re.sub(r"in \d+\.\d+s|=+", "", finished.text)


def test_snapshot_that_is_killed_when_it_is_asked(project: Project) -> None:
    project.write("test_it.py", PASSES)
    project.stest().expect(0)
    waiting(project)
    ahead = {one.pid for one in project.processes("stest-worker") if processes.holds_output(one.pid)}
    for pid in ahead:
        os.kill(pid, signal.SIGSTOP)
    client = project.start("test_it.py")
    wait_for(lambda: project.status()["runs"], "the run")
    for pid in ahead:
        os.kill(pid, signal.SIGKILL)
    project.finish(client).expect(0)


def test_status_says_why_there_is_none(project: Project) -> None:
    project.write("test_it.py", "import time\nnow = time.time()\n" + PASSES)
    project.stest().expect(0)
    assert project.ahead()["reason"].endswith("test_it.py reads the clock")
    status = project.status()
    assert status["worker"]["snapshots"][0]["run"] == status["last_result"]["id"]
    assert "snapshots      stest, tests not collected: " in project.stest("status").expect(0).text


def test_switched_off(project: Project) -> None:
    project.write("test_it.py", PASSES)
    project.stest().expect(0)
    known = waiting(project)
    project.configure(sprintest="prime = false")
    assert pid_of(project.stest("run", "--events").expect(0)) not in known


def test_plugins_that_act_early_are_left_alone(project: Project) -> None:
    project.write("test_it.py", PASSES)
    for _ in range(2):
        project.stest("-n2").expect(0)
        assert project.ahead()["reason"]


def test_a_log_file_is_that_of_the_run(project: Project) -> None:
    """pytest opens it when it is configured, and writes to it in the run."""
    logs = "import logging, os\ndef test(): logging.getLogger().error(os.getpid())\n"
    project.write("test_it.py", logs)
    args = ("--log-file=log", "--log-file-format=%(message)s")
    for _ in range(2):
        project.stest(*args).expect(0)
        known = waiting(project)
    before = project.read("log")
    project.stest(*args).expect(0)
    assert project.read("log") != before
    assert int(project.read("log")) in known


#: Ways to the tests that do not lead past stest's plugin.
WAYS = {
    "without the plugin": """
        def pytest_collection_finish(session):
            manager = session.config.pluginmanager
            for plugin in list(manager.get_plugins()):
                if type(plugin).__module__ == "sprintest.run._plugin": manager.unregister(plugin)
    """,
    "the loop itself": """
        from _pytest.main import pytest_runtestloop
        def pytest_collection_finish(session): pytest_runtestloop(session)
    """,
    "test by test": """
        from _pytest.runner import runtestprotocol
        def pytest_collection_finish(session): runtestprotocol(session.items[0], log=False)
    """,
}


def test_no_way_leads_to_a_test_that_nobody_asked_for(project: Project) -> None:
    project.write("test_it.py", "def test(): open('ran', 'a').write('x')\n")
    for name, conftest in WAYS.items():
        project.write("conftest.py", conftest)
        project.write("ran", "")
        project.stest().expect(0)
        once = len(project.read("ran"))
        project.stest().expect(0)
        refused = project.ahead()["reason"]
        assert refused == "it would run tests before they were asked for", name
        assert len(project.read("ran")) == 2 * once > 0
