"""The reports of earlier runs: `stest last`, `stest history`, `stest run --failed`, `--report=json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from .harness import Project

SCHEMA = json.loads((Path(__file__).parents[2] / "docs/report.schema.json").read_text())
TESTS = """
    import os, pytest

    def test_green(): pass

    def test_red():
        print("was here")
        value = 2
        assert value == 3

    @pytest.fixture
    def broken(): raise ValueError("no fixture")

    def test_error(broken): pass

    @pytest.mark.skip(reason="not today")
    def test_skipped(): pass

    @pytest.mark.xfail(reason="known")
    def test_xfailed(): assert False

    @pytest.mark.xfail(reason="known")
    def test_xpassed(): pass
"""
OUTCOMES = {
    "test_all.py::test_green": "passed",
    "test_all.py::test_red": "failed",
    "test_all.py::test_error": "error",
    "test_all.py::test_skipped": "skipped",
    "test_all.py::test_xfailed": "xfailed",
    "test_all.py::test_xpassed": "xpassed",
}


def checked(text: bytes) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(text)
    jsonschema.validate(report, SCHEMA)
    return report


def outcomes(report: dict[str, Any]) -> dict[str, str]:
    return {test["nodeid"]: test["outcome"] for test in report["tests"]}


def test_last_has_the_whole_report(project: Project) -> None:
    project.write("test_all.py", TESTS)
    for _ in range(2):  # From a first run, and from a warm one.
        project.stest("-q").expect(1)
        report = checked(project.stest("last", "--json").expect(0).out)
        assert outcomes(report) == OUTCOMES
        assert (report["exit_code"], report["outcome"], report["args"]) == (1, "failed", ["-q"])
        red = report["tests"][1]["details"][0]
        assert red["message"] == "assert 2 == 3"
        assert (red["file"], red["line"]) == (str(project.root / "test_all.py"), 9)
        assert ">       assert value == 3" in red["longrepr"]
        assert red["output"] == "--- Captured stdout call ---\nwas here\n"
        assert report["tests"][3]["details"][0]["message"] == "Skipped: not today"
    text = project.stest("last").expect(0).text
    assert "exit 1: 1 failed, 1 error, 1 passed, 1 skipped, 1 xfailed, 1 xpassed in " in text
    assert f"failed test_all.py::test_red\n  {project.root}/test_all.py:9: assert 2 == 3\n" in text
    failed = project.stest("last", "--failed").expect(0).text
    assert ">       assert value == 3" in failed
    assert "was here" in failed
    assert checked(project.stest("last", "--json", "1").expect(0).out)["id"] == 1


def test_report_json_is_the_same(project: Project) -> None:
    project.write("test_all.py", TESTS)
    report = checked(project.stest("run", "--report=json").expect(1).out)
    kept = checked(project.stest("last", "--json").expect(0).out)
    assert report["tests"] == kept["tests"]
    events = [json.loads(line) for line in project.stest("run", "--report=ndjson").expect(1).out.splitlines()]
    details = [event["details"]["message"] for event in events if "details" in event]
    assert "assert 2 == 3" in details


def test_a_file_that_cannot_be_collected(project: Project) -> None:
    project.write("test_broken.py", "import no_such_module\n")
    for _ in range(2):
        project.stest().expect(2)
        report = checked(project.stest("last", "--json").expect(0).out)
        assert outcomes(report) == {"test_broken.py": "error"}
        assert "No module named 'no_such_module'" in report["tests"][0]["details"][0]["longrepr"]


def test_a_crash(project: Project) -> None:
    project.write("test_crash.py", "import os\ndef test_ok(): pass\ndef test_crash(): os.abort()\n")
    project.stest().expect(105)
    report = checked(project.stest("last", "--json").expect(0).out)
    assert outcomes(report) == {"test_crash.py::test_ok": "passed", "test_crash.py::test_crash": "unfinished"}
    assert "SIGABRT" in report["message"]


def test_a_cold_run_is_said_and_not_the_one_before(project: Project) -> None:
    assert "no run is on record" in project.stest("last").expect(108).errors
    project.write("test_all.py", "def test_green(): pass\n")
    project.stest().expect(0)
    project.stest("run", "--cold").expect(0)
    errors = project.stest("last").expect(108).errors
    assert "was cold, so its report is not on record" in errors
    assert "exit 0: 1 passed" in project.stest("last", "1").expect(0).text
    assert "was cold" in project.stest("run", "--failed").expect(108).errors
    assert "cold, so its report is not on record" in project.stest("history").expect(0).text


def test_failed_runs_what_failed(project: Project) -> None:
    project.write("sub/test_all.py", TESTS)
    project.write("sub/test_other.py", "def test_other(): pass\n")
    project.stest("run", "--", "-q").expect(1)
    again = project.stest("run", "--failed", "--report=json", "-k", "red", cwd="sub").expect(1)
    assert outcomes(checked(again.out)) == {"sub/test_all.py::test_red": "failed"}
    project.stest("sub/test_other.py").expect(0)
    assert "nothing failed in run 3" in project.stest("run", "--failed").expect(108).errors


def test_history_knows_what_is_flaky(project: Project) -> None:
    test = "import os\ndef test_it(): assert not os.path.exists('red')\n"
    project.write("test_it.py", test)
    for state in (False, True, False, True):
        (project.root / "red").unlink(missing_ok=True)
        if state:
            project.write("red", "")
        project.stest().expect(int(state))
    text = project.stest("history", "test_it").expect(0).text
    first, *runs = text.splitlines()
    assert first.startswith("test_it.py::test_it: 2 failed, 2 passed; first failed in run 2, ")
    assert first.endswith("; flaky: it changed 3 times")
    assert [line.split(":")[1].split()[0] for line in runs] == ["failed", "passed", "failed", "passed"]
    assert "no test whose id contains 'other'" in project.stest("history", "other").expect(108).errors


def test_a_store_that_cannot_be_written_costs_no_answer(project: Project) -> None:
    project.write("test_all.py", "def test_green(): pass\n")
    project.stest().expect(0)
    project.stest("last").expect(0)
    for file in project.state.glob("history.db*"):
        file.unlink()
    (project.state / "history.db").mkdir()
    project.stest().expect(0)
    assert "the history of runs cannot be used" in project.stest("last").expect(100).errors


@pytest.mark.parametrize("count", [205])
def test_only_the_last_200_runs_are_kept(project: Project, count: int) -> None:
    project.write("test_all.py", "def test_green(): pass\n")
    project.stest().expect(0)
    python = (
        "import sqlite3; db = sqlite3.connect('.sprintest/history.db');"
        f"[db.execute('INSERT INTO runs(report) SELECT report FROM runs LIMIT 1') for _ in range({count})];"
        "db.commit()"
    )
    project.python("-c", python).expect(0)
    project.stest().expect(0)
    assert "no run 1 is on record" in project.stest("last", "1").expect(108).errors
    assert checked(project.stest("last", "--json").expect(0).out)["id"] == count + 2
