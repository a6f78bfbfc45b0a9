"""Silence is told to the user, with the test's node id, at growing intervals; the run goes on."""

from __future__ import annotations

import os

import pytest

from .harness import WAITING_TEST, Project


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
