"""Where the time of a run went: `stest run --timings`, and `timings` in the API."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest

from .harness import Finished, Project
from .modes import MODES

SHARES_A_DAEMON = True

DAEMON = ["queue", "worker", "fork", "configuration", "collection", "tests", "exit"]
ALL = ["client", "connect", *DAEMON, "transfer"]
HEAD = "stest: where the time went, in ms:\n"
PAUSE = 0.2
PAUSED = {
    "conftest.py": f"import time\ndef pytest_configure(): time.sleep({PAUSE})\n",
    "test_it.py": f"""
        import atexit, time

        time.sleep({PAUSE})
        atexit.register(time.sleep, {PAUSE})

        def test():
            time.sleep({PAUSE})
        """,
}


def table(run: Finished) -> tuple[list[str], list[Decimal], Decimal]:
    """The stages, their times and the total, in milliseconds."""
    rows = [line.rsplit(maxsplit=1) for line in run.errors.partition(HEAD)[2].splitlines()]
    *names, last = [name.strip() for name, _ in rows]
    *times, total = [Decimal(number) for _, number in rows]
    assert last == "total"
    return names, times, total


def test_stages_are_all_there_and_add_up(project: Project) -> None:
    project.write("test_it.py", "def test(): pass")
    for _ in ("cold daemon", "warm"):
        begin = time.monotonic()
        run = project.stest("run", "--timings", "--", "-q").expect(0)
        wall_ms = (time.monotonic() - begin) * 1000
        names, times, total = table(run)
        assert names == ALL
        assert sum(times) == total
        assert 0 < total <= wall_ms
        assert min(times) >= 0
    assert HEAD not in project.stest("run", "--", "-q").expect(0).errors


@pytest.mark.parametrize("mode", MODES)
def test_time_is_given_to_the_stage_that_took_it(project: Project, mode: str) -> None:
    project.env.update(MODES[mode])
    for path, text in PAUSED.items():
        project.write(path, text)
    project.stest("start").expect(0)
    *_, done = project.api.stream(project.request("-q"))
    stages = {stage["stage"]: stage["duration_s"] for stage in done["timings"]["stages"]}
    assert list(stages) == DAEMON
    for stage in ("configuration", "collection", "tests", "exit"):
        assert stages[stage] >= PAUSE, stages
    assert sum(stages.values()) == pytest.approx(done["duration_s"], rel=1e-6)
    assert done["timings"]["begin_s"] + done["duration_s"] <= time.monotonic()


def test_what_was_done_ahead_takes_no_time(project: Project) -> None:
    del project.env["SPRINTEST_PRIME"]
    project.write("test_it.py", "def test(): pass")
    project.stest("run", "--timings", "--", "-q").expect(0)
    project.ahead()
    names, times, _ = table(project.stest("run", "--timings", "--", "-q").expect(0))
    stages = dict(zip(names, times))
    assert list(stages) == ALL
    assert stages["configuration"] == stages["collection"] == 0
    assert stages["tests"] > 0


def test_crash_ends_in_its_stage(project: Project) -> None:
    project.write("test_it.py", f"import os, time\ndef test():\n    time.sleep({PAUSE})\n    os._exit(0)\n")
    names, times, total = table(project.stest("run", "--timings", "--", "-q").expect(105))
    stages = dict(zip(names, times))
    assert list(stages) == ALL
    assert stages["tests"] >= PAUSE * 1000
    assert sum(times) == total


def test_cold_check_of_failures_is_a_stage(project: Project) -> None:
    project.configure("verify_failures = true")
    project.write("test_it.py", "def test(): assert 0")
    names, times, total = table(project.stest("run", "--timings", "--", "-q").expect(1))
    assert names == [*ALL, "cold check"]
    assert sum(times) == total
