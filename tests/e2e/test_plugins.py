"""Plugins that look deep into the process work as under plain pytest."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .harness import Project

SUBJECT = """
    import subprocess, sys, threading

    def branch(value):
        if value:
            return "yes"
        return "no"

    def in_a_thread(results):
        thread = threading.Thread(target=lambda: results.append(branch(0)))
        thread.start()
        thread.join()

    def never():
        return 1
"""


@pytest.fixture
def covered(project: Project) -> Project:
    pytest.importorskip("pytest_cov")
    project.write("subject.py", SUBJECT)
    project.write(
        "test_it.py",
        """
        import subject

        def test_branch():
            assert subject.branch(1) == "yes"

        def test_thread():
            results = []
            subject.in_a_thread(results)
            assert results == ["no"]
        """,
    )
    return project


def coverage_of(project: Project) -> Any:
    files = json.loads(project.read("coverage.json"))["files"]
    (project.root / "coverage.json").unlink()
    wanted = ("executed_lines", "missing_lines", "executed_branches", "missing_branches", "summary")
    return {file: {key: data.get(key) for key in wanted} for file, data in files.items()}


@pytest.mark.parametrize("more", [[], ["--cov-branch"]], ids=["lines", "branches"])
def test_pytest_cov_sees_the_same(covered: Project, more: list[str]) -> None:
    args = ("--cov=subject", "--cov-report=json", *more)
    covered.plain(*args).expect(0)
    plain = coverage_of(covered)
    for _ in ("first run", "warm run"):
        covered.stest(*args).expect(0)
        assert coverage_of(covered) == plain


def test_pytest_cov_threshold_fails_the_run(covered: Project) -> None:
    covered.stest("--cov=subject", "--cov-fail-under=99").expect(1)
    covered.stest("--cov=subject", "--cov-fail-under=10").expect(0)


@pytest.mark.parametrize(
    ("source", "code"),
    [
        pytest.param("def test(number): pass", 0, id="passed"),
        pytest.param("def test(number): assert number != 3", 1, id="failed"),
        pytest.param("", 5, id="none"),
    ],
)
def test_xdist_distributes(project: Project, source: str, code: int) -> None:
    pytest.importorskip("xdist")
    mark = "import pytest\npytestmark = pytest.mark.parametrize('number', range(8))\n" if source else ""
    project.write("test_it.py", mark + source)
    project.plain("-n", "2").expect(code)
    for _ in ("first run", "warm run"):
        project.stest("-n", "2").expect(code)


def test_xdist_worker_that_crashes_is_a_failure(project: Project) -> None:
    pytest.importorskip("xdist")
    project.write("test_it.py", "import os\ndef test_dies(): os._exit(0)\ndef test_fine(): pass\n")
    project.plain("-n", "2").expect(1)
    project.stest("-n", "2").expect(1)


def test_pytester_runs_pytest_within_the_run(project: Project) -> None:
    project.write("conftest.py", "pytest_plugins = ['pytester']\n")
    project.write(
        "test_it.py",
        """
        import pytest

        @pytest.mark.parametrize("how", ["runpytest_inprocess", "runpytest_subprocess"])
        def test_inner(pytester, how):
            pytester.makepyfile("def test_one(): pass\\ndef test_two(): assert 0\\n")
            result = getattr(pytester, how)("-p", "no:cacheprovider")
            result.assert_outcomes(passed=1, failed=1)
        """,
    )
    project.plain().expect(0)
    assert "2 passed" in project.stest().expect(0).text


def test_pytest_main_within_a_test_does_not_confuse_the_reports(project: Project) -> None:
    """Only the run's own session counts: the inner one finishes, and then the process dies."""
    project.write("inner/test_inner.py", "def test(): pass")
    project.write(
        "test_it.py",
        """
        import os, pytest

        def test_outer():
            assert pytest.main(["-q", "inner"]) == 0
            os._exit(0)
        """,
    )
    project.stest("test_it.py").expect(105)
