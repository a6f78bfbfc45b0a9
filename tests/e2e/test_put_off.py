"""What plugins do to files while pytest begins waits for the request; what changes nothing is just done."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator
from textwrap import dedent, indent

import pytest

from .environment import Environment, EnvironmentProject
from .processes import waits_for_its_request

ARGS = ("-q", "-p", "some_plugin")


@pytest.fixture
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnvironmentProject]:
    """Its plugin is really installed. Runs are done ahead."""
    environment = Environment(tmp_path_factory.mktemp("v") / "venv", ["pytest"])
    made = EnvironmentProject(tmp_path_factory.mktemp("p"), environment)
    del made.env["SPRINTEST_PRIME"]
    yield made
    made.close()


def install(project: EnvironmentProject, configures: str, finishes: str = "pass", test: str = "pass") -> None:
    """A plugin, which is not the project's code, and a test that notes which process runs it."""
    body = indent(dedent(configures).strip(), "        ")
    (project.environment.site / "some_plugin.py").write_text(
        "import datetime, os, subprocess, time\n\n"
        "class State:\n"
        f"    def begin(self):\n{body}\n\n"
        "STATE = State()\n"
        "def pytest_configure(config): STATE.begin()\n"
        f"def pytest_sessionfinish(session):\n{indent(dedent(finishes).strip(), '    ')}\n",
    )
    project.write(
        "test_it.py",
        "import os, some_plugin\nfrom some_plugin import STATE\n"
        "def test_it():\n    open('pid', 'w').write(str(os.getpid()))\n"
        f"{indent(dedent(test).strip(), '    ')}\n",
    )


def prepare(project: EnvironmentProject) -> set[int]:
    """The processes that wait with all tests collected, after two runs."""
    for _ in range(2):
        project.stest(*ARGS).expect(0)
    assert project.ahead()["reason"] == ""
    return {
        process.pid for process in project.processes("stest-worker") if waits_for_its_request(process.pid)
    }


def run_from(project: EnvironmentProject, known: set[int]) -> None:
    project.stest(*ARGS).expect(0)
    assert int((project.root / "pid").read_text()) in known


def test_a_removed_file_is_there_until_the_request_comes(project: EnvironmentProject) -> None:
    result = project.write("result.txt", "of the last run")
    install(
        project,
        """
        os.remove("result.txt")
        self.seen = os.listdir(".")
        """,
        "open('result.txt', 'w').write('of this run')",
        """
        assert not os.path.exists("result.txt")
        assert "result.txt" not in STATE.seen
        assert "test_it.py" in STATE.seen
        """,
    )
    known = prepare(project)
    assert result.read_text() == "of this run"
    run_from(project, known)


def test_a_written_file_is_as_before_until_the_request_comes(project: EnvironmentProject) -> None:
    install(
        project,
        """
        with open("seed.txt", "w") as file:
            file.write("begun")
        self.log = open("log.txt", "w")
        print("begun", file=self.log, flush=True)
        """,
        """
        print("ended", file=STATE.log)
        STATE.log.close()
        open("seed.txt", "a").write(" and ended")
        """,
        "assert open('seed.txt').read() == 'begun' and open('log.txt').read() == 'begun\\n'",
    )
    known = prepare(project)
    assert (project.root / "seed.txt").read_text() == "begun and ended"
    assert (project.root / "log.txt").read_text() == "begun\nended\n"
    run_from(project, known)
    assert (project.root / "seed.txt").read_text() == "begun and ended"
    assert (project.root / "log.txt").read_text() == "begun\nended\n"


def test_a_file_is_new_only_when_the_request_has_come(project: EnvironmentProject) -> None:
    (project.root / "build").mkdir()  # pytest does not list it.
    install(
        project,
        "open('build/new.txt', 'w').close()",
        "os.remove('build/new.txt')",
        "assert os.path.exists('build/new.txt')",
    )
    known = prepare(project)
    assert not (project.root / "build" / "new.txt").exists()
    run_from(project, known)


@pytest.mark.parametrize(
    "configures",
    [
        "os.remove('result.txt'); self.exists = os.path.exists('result.txt')",
        "open('result.txt', 'w').write('x'); self.text = open('result.txt').read()",
    ],
)
def test_a_look_at_such_a_file_ends_the_process(project: EnvironmentProject, configures: str) -> None:
    """It is not what it should be. The answer comes from the run itself."""
    project.write("result.txt", "old")
    install(
        project,
        configures,
        "open('result.txt', 'w').write('old')",
        "assert getattr(STATE, 'exists', False) is False and getattr(STATE, 'text', 'x') == 'x'",
    )
    for _ in range(2):
        project.stest(*ARGS).expect(0)
    assert "looked at after a plugin has removed or written it" in project.ahead()["reason"]
    project.stest(*ARGS).expect(0)


def test_the_project_itself_writes_only_in_a_run(project: EnvironmentProject) -> None:
    project.write("test_it.py", "open('seed.txt', 'w').write('x')\ndef test_it(): pass\n")
    for _ in range(2):
        project.stest("-q").expect(0)
    assert "writes" in project.ahead()["reason"]


@pytest.mark.parametrize(
    "clock", ["time.time()", "time.monotonic()", "time.time_ns()", "datetime.datetime.now()"]
)
def test_a_time_that_a_plugin_keeps_is_that_of_the_run(project: EnvironmentProject, clock: str) -> None:
    install(project, f"self.begin = {clock}", f"open('times', 'w').write(repr((STATE.begin, {clock})))")
    known = prepare(project)
    issued = {"time_ns": time.time_ns(), "monotonic": time.monotonic()}.get(clock[5:-2], time.time())
    run_from(project, known)
    begin, end = eval((project.root / "times").read_text())
    if isinstance(begin, datetime.datetime):
        begin, end = begin.timestamp(), end.timestamp()
    assert issued < begin < end


def test_a_year_that_a_plugin_keeps_is_that_of_the_run(project: EnvironmentProject) -> None:
    install(
        project,
        "self.year = time.localtime().tm_year",
        test="import time; assert STATE.year == time.localtime().tm_year",
    )
    run_from(project, prepare(project))


@pytest.mark.parametrize(
    "configures", ["self.name = 'report-%d' % time.time()", "self.now = lambda: time.time(); self.now()"]
)
def test_a_time_that_is_used_belongs_to_the_run(project: EnvironmentProject, configures: str) -> None:
    install(project, configures)
    for _ in range(2):
        project.stest(*ARGS).expect(0)
    assert "reads the clock" in project.ahead()["reason"]


@pytest.mark.parametrize(
    "configures",
    [
        "self.system = subprocess.check_output(['uname', '-s'], text=True)",
        "self.version = subprocess.check_output(['git', '--version'], text=True)",
        "os.makedirs('folder/below', exist_ok=True)",
    ],
)
def test_what_changes_nothing_is_done_ahead(project: EnvironmentProject, configures: str) -> None:
    (project.root / "folder" / "below").mkdir(parents=True)
    install(project, configures, test="assert 'Linux' in getattr(STATE, 'system', 'Linux')")
    run_from(project, prepare(project))


def test_other_programs_start_in_the_run(project: EnvironmentProject) -> None:
    install(project, "subprocess.run(['true'])")
    for _ in range(2):
        project.stest(*ARGS).expect(0)
    assert "subprocess.Popen true" in project.ahead()["reason"]
