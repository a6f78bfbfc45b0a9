"""What an idle daemon holds: its memory shrinks in steps, and the status says what each process is for."""

from __future__ import annotations

from collections import Counter

import pytest

from .harness import Project, wait_for
from .modes import MODES
from .test_several_worlds import ONE, TWO, said, worlds
from .test_warm import LOADER, TEST, values
from .warmth import settle

__all__ = ["worlds"]

#: Snapshots end after 3 s, what else waits for runs after 6 s, and the worker after 12 s.
SOON = {"SPRINTEST_IDLE_TIMEOUT": "12s"}


def roles(project: Project) -> Counter[str]:
    return Counter(process["role"] for process in project.status()["processes"])


def test_snapshots_end_first_then_the_values_and_the_worker_stays(project: Project) -> None:
    del project.env["SPRINTEST_PRIME"]
    project.write("conftest.py", LOADER)
    project.write("test_it.py", TEST)
    project.stest().expect(0)
    wait_for(lambda: values(project) == [("held", "")], "the value")
    wait_for(lambda: roles(project)["snapshot"], "the snapshots")
    worker = project.status()["worker"]["pid"]
    text = project.stest("status").expect(0).text
    assert "MiB: snapshots, which make the next run sooner" in text
    assert "MiB: the process that holds the values of sprintest.warm" in text

    project.stest(env=SOON).expect(0)
    wait_for(lambda: "ends its snapshots" in (project.state / "daemon.log").read_text(), "the first step")
    wait_for(lambda: roles(project) == {"daemon": 1, "worker": 1, "values": 1}, "the end of the snapshots")
    wait_for(lambda: not roles(project)["values"], "the end of the value process")
    assert roles(project) == {"daemon": 1, "worker": 1}
    assert values(project) == [("wanted", "")]

    project.stest().expect(0)
    assert project.status()["worker"]["pid"] == worker
    wait_for(lambda: values(project) == [("held", "")], "the value again")
    wait_for(lambda: roles(project)["snapshot"], "the snapshots again")


def test_the_resident_process_ends_before_the_worker(project: Project) -> None:
    project.env |= MODES["resident"]
    project.write("test_it.py", "def test(): pass\n")
    settle(project)
    project.stest(env=SOON).expect(0)
    wait_for(lambda: roles(project) == {"daemon": 1, "worker": 1, "resident": 1}, "the resident process")
    assert "MiB: the resident process, which keeps what runs have loaded" in project.stest("status").text
    wait_for(lambda: not roles(project)["resident"], "the end of the resident process")
    assert roles(project) == {"daemon": 1, "worker": 1}
    project.stest().expect(0)


@pytest.mark.usefixtures("worlds")
def test_only_the_last_used_worker_stays_for_longer(project: Project) -> None:
    assert roles(project)["other_worker"] == 1
    (other,) = project.status()["other_workers"]
    assert "MiB: workers of runs with other variables" in project.stest("status").text
    last = project.status()["worker"]["pid"]
    project.stest(env={**TWO, **SOON}).expect(0)
    wait_for(lambda: not project.status()["other_workers"], "the end of the other worker")
    assert project.status()["worker"]["pid"] == last != other["pid"]
    assert "VALUE 1 2" in said(project.stest("-s", env=TWO))
    assert "started another worker" in project.stest(env=ONE).expect(0).errors
