"""`stest run --report=brief`, which coding agents get by default: few words, and all that counts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .harness import Finished, Project

GREEN = """
    import pytest

    @pytest.mark.parametrize("x", range(25))
    def test_green(x): print(x)
"""
RED = """
    def double(x): return 2 * x

    def test_ok(): pass

    def test_red():
        print("was here")
        assert double(1) == 3
"""
SAME = """
    import pytest
    from helper import load

    @pytest.mark.parametrize("x", range(25))
    def test_same(x): load(x)
"""
HELPER = """
    def load(x):
        raise ValueError(f"bad value {x}")
"""
DIFFERENT = "".join(
    f"def test_{i}():\n    value = {i}\n    assert value == {i} + 1, 'number {i}'\n" for i in range(25)
)
BRIEF = ("run", "--report=brief")


def tokens(finished: Finished) -> float:
    return len(finished.text) / 4


def brief(project: Project, *args: str) -> Finished:
    """The same report from a cold run, a first warm one and one from a snapshot."""
    plain = project.plain("-q", *args)
    texts = []
    for cold in (["--cold"], [], []):
        finished = project.stest(*BRIEF, *cold, "--", *args).expect(plain.code)
        texts.append(re.sub(r"\d+\.\d+s|\d+-\d+\.log", "N", finished.text))
    assert texts[0] == texts[1] == texts[2]
    return finished


def test_green_is_one_line(project: Project) -> None:
    project.write("test_green.py", GREEN)
    finished = brief(project)
    assert re.fullmatch(r"25 passed in \d+\.\d\ds\n", finished.text)
    assert tokens(finished) <= 12
    assert not (project.state / "logs").exists()


def test_a_failure_has_its_place_values_output_and_command(project: Project) -> None:
    project.write("test_red.py", RED)
    finished = brief(project)
    lines = finished.text.splitlines()
    assert re.fullmatch(r"exit 1: 1 failed, 1 passed in \d+\.\d\ds", lines[0])
    assert lines[1] == "test_red.py:8: assert 2 == 3"
    assert "  +  where 2 = double(1)" in lines
    assert lines[3:7] == [
        "  > assert double(1) == 3",
        "  test_red.py::test_red",
        "  stdout call:",
        "    was here",
    ]
    assert lines[7] == "again: stest test_red.py::test_red"
    assert tokens(finished) <= 110
    log = (project.root / lines[8].removeprefix("all: ")).read_text()
    assert "short test summary info" in log
    again = project.stest(*BRIEF, "--", "test_red.py::test_red").expect(1)
    assert "1 failed in" in again.text


def test_a_cause_is_shown_once(project: Project) -> None:
    project.write("helper.py", HELPER)
    project.write("test_same.py", SAME)
    finished = brief(project)
    assert "helper.py:3: ValueError: bad value 0\n" in finished.text
    assert "  from test_same.py:6\n" in finished.text
    assert "test_same.py::test_same[0], ::test_same[1]," in finished.text
    assert "and 20 more\n" in finished.text
    assert "again: stest --lf\n" in finished.text
    assert tokens(finished) <= 120


def test_different_causes_are_each_shown(project: Project) -> None:
    project.write("test_different.py", DIFFERENT)
    finished = brief(project)
    for number in range(25):
        assert f"AssertionError: number {number}\n" in finished.text
    assert tokens(finished) <= 1200


def test_an_error_of_a_library_is_shown_where_the_project_calls_it(project: Project) -> None:
    project.write("test_json.py", "import json\ndef test_json():\n    json.loads('{')\n")
    finished = brief(project)
    assert "test_json.py:3: json.decoder.JSONDecodeError: " in finished.text
    assert "  > json.loads('{')\n  raised at …/json/decoder.py:" in finished.text


def test_an_error_while_collecting(project: Project) -> None:
    project.write("test_green.py", GREEN)
    project.write("test_error.py", "import no_such_module\n")
    finished = brief(project)
    assert finished.text.startswith("exit 2: 1 error in ")
    assert "test_error.py:1: ModuleNotFoundError: No module named 'no_such_module'" in finished.text
    assert tokens(finished) <= 120


def test_what_was_not_run_and_why(project: Project) -> None:
    project.write("test_different.py", DIFFERENT)
    finished = brief(project, "-x")
    assert re.match(r"exit 1: 1 failed in .*s; 24 not run \(stopping after 1 failures\)\n", finished.text)


@pytest.mark.parametrize(
    "end", ["pytest.exit('no licence')", "raise KeyboardInterrupt", "config.no_such_attribute"]
)
def test_an_end_that_no_test_is_to_blame_for(project: Project, end: str) -> None:
    project.write(
        "conftest.py", f"import pytest\ndef pytest_runtest_setup(item):\n    config = item\n    {end}\n"
    )
    project.write("test_green.py", GREEN)
    plain = project.plain("-q")
    finished = project.stest(*BRIEF).expect(plain.code)
    reason = {"pytest": "no licence", "raise ": "KeyboardInterrupt", "config": "no_such_attribute"}[end[:6]]
    assert finished.text.startswith(f"exit {plain.code}: ")
    assert reason in finished.text


def test_a_crash(project: Project) -> None:
    project.write("test_crash.py", "import os\ndef test_ok(): pass\ndef test_crash(): os.abort()\n")
    project.stest(*BRIEF)
    finished = project.stest(*BRIEF)
    assert "test_crash.py::test_crash" in finished.errors
    assert len(finished.text + finished.errors) / 4 <= 150


def test_agents_get_it_unless_they_ask_for_more(project: Project) -> None:
    project.write("test_green.py", GREEN)
    agent = {"AI_AGENT": "somebody"}
    assert re.fullmatch(r"25 passed in .*\n", project.stest(env=agent).expect(0).text)
    for args, env in [(["-v"], {}), ([], {"SPRINTEST_REPORT": "full"})]:
        assert "test session starts" in project.stest(*args, env={**agent, **env}).expect(0).text


def test_tests_do_not_see_it(project: Project) -> None:
    project.write(
        "test_env.py",
        "import os, subprocess\ndef test_env():\n    assert 'STEST_BRIEF' not in os.environ\n"
        "    assert b'STEST_BRIEF' not in subprocess.check_output('env')\n",
    )
    brief(project)


def test_with_xdist(project: Project) -> None:
    project.write("test_red.py", RED)
    finished = project.stest(*BRIEF, "--", "-n", "2").expect(1)
    assert re.match(r"exit 1: 1 failed, 1 passed in .*\ntest_red.py:8: assert 2 == 3\n", finished.text)


def test_logs_are_bounded(project: Project) -> None:
    project.write("test_red.py", RED)
    logs: Path = project.state / "logs"
    logs.mkdir(parents=True)
    for number in range(30):
        (logs / f"{number}.log").touch()
    project.stest(*BRIEF).expect(1)
    assert len([*logs.iterdir()]) == 20


def test_a_long_run_of_trivial_tests_is_one_line(project: Project) -> None:
    project.write("test_many.py", GREEN.replace("25", "8000"))
    finished = project.stest(*BRIEF).expect(0)
    assert tokens(finished) <= 24
