"""What stest says stands on lines of its own and helps, on a terminal and in a pipe."""

from __future__ import annotations

import json
import os
import re
import signal
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .environment import Environment, EnvironmentProject
from .harness import HOSTED, STEST, WAITING_TEST, WORKER, Finished, Project
from .test_terminal import finish, stripped, terminal, warm_up

UNAVAILABLE, CRASHED = 103, 105  # include/stest/exit_code.hpp

SILENCE = b"running test_it.py::test_waiting"
DOTS = "def test_first(): pass\n" + textwrap.dedent(WAITING_TEST)


@pytest.fixture
def waiting(project: Project) -> Project:
    """Its second test waits, after the dot of the first one."""
    project.write("test_it.py", DOTS)
    warm_up(project)
    project.env["SPRINTEST_STUCK_AFTER"] = "0.3s"
    return project


# ---- lines of stest


def test_no_line_of_stest_continues_one_of_pytest_in_a_pipe(waiting: Project) -> None:
    client = waiting.start(merge=True)
    seen = waiting.read_until(client, SILENCE)
    waiting.write("go on", "")
    waiting.finish(client).expect(0)
    assert re.search(rb"\.\nstest: no output for \d+ s; " + SILENCE, seen), seen


def test_no_line_of_stest_continues_one_of_pytest_on_a_terminal(waiting: Project) -> None:
    with terminal(waiting) as child:
        child.expect_exact(SILENCE.decode())
        seen = stripped(child.before)
        waiting.write("go on", "")
        assert finish(child)[0] == 0
    assert re.search(r"\.\r\nstest: no output for \d+ s; $", seen), seen


def test_no_line_of_stest_continues_one_of_the_tests_on_stderr(waiting: Project) -> None:
    waiting.write("test_it.py", DOTS.replace("with open", "os.write(2, b'half')\n    with open"))
    client = waiting.start("-s")
    waiting.await_file("started")
    assert client.stderr
    seen = b""
    while SILENCE not in seen:
        seen += os.read(client.stderr.fileno(), 4096)
    waiting.write("go on", "")
    waiting.finish(client).expect(0)
    assert re.search(rb"half\nstest: no output for \d+ s; " + SILENCE, seen), seen


def test_the_end_by_timeout_on_a_terminal(project: Project) -> None:
    project.write("test_it.py", DOTS)
    warm_up(project)
    with terminal(project, program=("timeout", "1000", str(STEST))) as child:
        project.await_file("started")
        child.expect_exact(".")
        os.kill(child.pid, signal.SIGTERM)
        text = stripped(finish(child)[1])
    assert re.search(
        r"^stest: SIGTERM after \d+ s, running test_it\.py::test_waiting for \d+ s\r\n"
        r"stest: its stack:\r\n(  .*\r\n)+?"
        r"    File .*test_it\.py\", line \d+ in test_waiting\r\n    … \d+ frames of pytest",
        text,
        re.MULTILINE,
    ), text


# ---- stacks

CRASH = "import ctypes\ndef test_first(): pass\ndef test_dies(): ctypes.string_at(0)\n"


def assert_folded(text: str) -> None:
    assert re.search(
        r'Fatal Python error: .*\n\n(.*\n)+  File ".*", line 3 in test_dies\n  … \d+ frames of pytest\n', text
    )
    assert "/_pytest/" not in text
    assert "\nstest: the tests' process died by SIGSEGV" in text


def test_the_stack_of_a_crash_is_folded(project: Project) -> None:
    project.write("test_it.py", CRASH)
    assert_folded(project.stest(merge=True).expect(CRASHED).text)
    assert_folded("\n" + project.stest().expect(CRASHED).errors)


def test_the_stack_of_a_crash_is_folded_on_a_terminal(project: Project) -> None:
    project.write("test_it.py", CRASH)
    warm_up(project)
    with terminal(project) as child:
        code, text = finish(child)
    assert code == CRASHED
    assert_folded(stripped(text).replace("\r\n", "\n"))


def test_a_stack_while_collecting_is_folded(project: Project) -> None:
    project.write("test_it.py", "import helper\ndef test(): pass\n")
    project.write("helper.py", "import os, time\nwhile not os.path.exists('go on'):\n    time.sleep(0.01)\n")
    client = project.start(merge=True, env={"SPRINTEST_STUCK_AFTER": "0.3s"})
    seen = project.read_until(client, b"helper.py")
    if b"frames of pytest" not in seen[seen.index(b"helper.py") :]:
        seen += project.read_until(client, b"frames of pytest")
    project.write("go on", "")
    project.finish(client).expect(0)
    shown = re.search(r"helper\.py\", line [23] in <module>\n((?:.*\n?)*)", seen.decode())
    assert shown, seen
    rest = shown[1].splitlines()
    assert re.fullmatch(r"    … \d+ frames of the import system", rest[0])
    assert 'test_it.py", line 1 in <module>' in rest[1]
    assert rest[2].startswith("    … ")


# ---- an installation that is not whole


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("e") / "venv", ["pytest"])


@pytest.fixture
def installed(
    environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EnvironmentProject]:
    project = EnvironmentProject(tmp_path_factory.mktemp("p"), environment)
    project.write("test_it.py", "def test(): pass\n")
    del project.env["SPRINTEST_WAIT_FOR_WORKER"]
    yield project
    project.close()


def aside(path: Path) -> Path:
    return path.rename(path.with_name(f"{path.name}.aside"))


def lines_of_stest(finished: Finished) -> list[str]:
    return [line for line in finished.errors.splitlines() if line.startswith("stest: ")]


def test_no_pytest(installed: EnvironmentProject) -> None:
    hidden = [aside(installed.environment.site / name) for name in ("pytest", "_pytest", "pluggy")]
    for _ in range(2):
        (line,) = lines_of_stest(installed.stest("-q").expect(1))
        assert "pytest is not installed in this environment" in line
        assert "`python -m pip install pytest`" in line
    for path in hidden:
        path.rename(path.with_suffix(""))


def test_a_wheel_for_another_python(installed: EnvironmentProject) -> None:
    """The environment's own Python finds no `sprintest`; or the library of that other Python is missing."""
    hidden = aside(installed.environment.site / "sprintest")
    (line,) = lines_of_stest(installed.stest("-q").expect(0))
    hidden.rename(hidden.with_suffix(""))
    installed.stest("stop").expect(0)
    assert "this stest was built for Python 3." in line
    assert "install stest again" in line

    worker = installed.environment.worker
    hidden = aside(worker)
    said = "libpython3.99.so.1.0: cannot open shared object file"
    worker.write_text(
        f"#!/bin/sh\necho '{worker}: error while loading shared libraries: {said}' >&2\nexit 127\n"
    )
    worker.chmod(0o755)
    (line,) = lines_of_stest(installed.stest("-q").expect(0))
    worker.unlink()
    hidden.rename(worker)
    assert (
        f"stest's worker cannot start: {f'{worker}: invalid ELF header' if WORKER == HOSTED else said}"
        in line
    )
    assert "install stest again" in line


def test_a_deleted_python(installed: EnvironmentProject) -> None:
    """No other one answers in its place."""
    links = {path: os.readlink(path) for path in installed.environment.bin.glob("python*")}
    for daemon in ("restart", "stop"):
        installed.stest(daemon).expect(0)
        for path in links:
            path.unlink()
            path.symlink_to("/nowhere/python3")
        for command in (["-q"], ["run", "--cold"], ["verify"], ["start"]):
            finished = installed.stest(*command).expect(UNAVAILABLE)
            assert finished.out == b""
            assert finished.errors == (
                f"stest: the Python of this environment is gone: {installed.environment.bin}/python3\n"
                "hint: Create the virtual environment again, and install stest in it.\n"
            )
        for path, target in links.items():
            path.unlink()
            path.symlink_to(target)


# ---- status and the first run


def test_status_lists_modules_only_if_asked(project: Project) -> None:
    project.install("heavy_thing.py", "")
    project.configure('preload = ["heavy_thing"]')
    project.write("test_it.py", "def test(): pass\n")
    project.stest("-q").expect(0)

    def worker(*options: str) -> Any:
        return json.loads(project.stest("status", "--json", *options).expect(0).out)["worker"]

    assert "preloaded" not in worker()
    assert {"module": "heavy_thing"}.items() <= worker("--modules")["preloaded"][-1].items()
    assert "heavy_thing" in project.stest("status").text
    assert "--json" in project.stest("status", "--modules").expect(101).errors


FIRST = "stest: nothing was loaded yet, so this run is as slow as pytest; the next ones will not be"


def test_the_first_line_that_a_new_user_reads(project: Project) -> None:
    del project.env["SPRINTEST_WAIT_FOR_WORKER"]
    project.write("test_it.py", "def test(): pass\n")
    assert project.stest("-q").expect(0).errors == f"{FIRST}\n"
    project.await_idle()
    assert project.stest("-q").expect(0).errors == ""


def test_the_first_line_on_a_terminal(project: Project) -> None:
    project.write("test_it.py", "def test(): pass\n")
    with terminal(project, "-q") as child:
        code, text = finish(child)
    assert code == 0
    before, _ = stripped(text).split("1 passed")
    assert before.count(f"{FIRST}\r\n") == 1, text
