"""What is measured: each case says in which project, and takes one sample of one rival."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from arena import Arena, Run
from processes import PeakMemory
from projects import BIG, EXAMPLE, EXAMPLE_WARM, HAS_WARM, LIGHT, ONE_TEST, THOUSAND, Project
from rivals import PLAIN, STEST, Rival

SECONDS, MEGABYTES = "s", "MB"


@dataclass(frozen=True)
class Sample:
    """A number in the case's unit, and what is wrong with it; nothing: nothing."""

    value: float
    problem: str = ""


@dataclass(frozen=True)
class Case:
    """A rival that `refuse` has a reason against is not asked, and the reason is shown."""

    name: str
    title: str
    project: Project
    sample: Callable[[Arena], Sample]
    unit: str = SECONDS
    refuse: Callable[[Rival], str] = lambda rival: ""
    only: str = ""  # The requirement of those whom it is about; nothing: of all.


def _seconds(run: Run) -> Sample:
    return Sample(run.seconds, run.problem)


def _unchanged(arena: Arena) -> Sample:
    return _seconds(arena.run())


def _leaf_edited(arena: Arena) -> Sample:
    arena.copy.edit_leaf()
    return _seconds(arena.run())


def _leaf_edited_before(arena: Arena) -> Sample:
    """The two seconds are part of what is measured: a user's way from the editor to the terminal."""
    arena.copy.edit_leaf()
    time.sleep(2)
    return _seconds(arena.run())


def _middle_edited(arena: Arena) -> Sample:
    arena.copy.edit_middle()
    return _seconds(arena.run())


def _other_arguments(arena: Arena) -> Sample:
    return _seconds(arena.run(other_arguments=True))


def _leaf_edited_other_arguments(arena: Arena) -> Sample:
    arena.copy.edit_leaf()
    return _seconds(arena.run(other_arguments=True))


def _core_edited(arena: Arena) -> Sample:
    arena.copy.edit_core()
    return _seconds(arena.run())


def _cold(arena: Arena) -> Sample:
    arena.forget()
    return _seconds(arena.run())


def _peak_memory(arena: Arena) -> Sample:
    with PeakMemory(arena.family) as peak:
        run = arena.run()
    return Sample(peak.megabytes, run.problem)


def _reported(arena: Arena) -> Sample:
    """What pytest says that it took, from the start of its session to the summary."""
    run = arena.run()
    found = re.search(r" in ([\d.]+)s", run.output)
    return Sample(float(found[1]), run.problem) if found else Sample(0, run.problem or "no summary")


def _overhead(arena: Arena) -> Sample:
    """The whole run less the durations that pytest reports of the phases of all tests."""
    run = arena.run(arena.rival.events)
    events = [json.loads(line) for line in run.output.splitlines() if line.startswith("{")]
    return Sample(run.seconds - sum(e["duration_s"] for e in events if e["event"] == "test"), run.problem)


def _status(arena: Arena) -> Sample:
    return _seconds(arena.command(arena.rival.status))


def _idle_memory(arena: Arena) -> Sample:
    """Of a daemon that has no worker, or not any more."""
    arena.stop()
    arena.start(arena.rival.idle)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        arena.family.settle()
        if len(arena.family.pids()) == 1:
            return Sample(arena.family.pss())
    return Sample(0, "keeps its worker")


def _without_daemon(rival: Rival) -> str:
    if rival.serve:
        return "its daemon is started by hand"
    return "" if rival.daemon or rival is PLAIN else "has no daemon"


def _without_status(rival: Rival) -> str:
    return "" if rival.status else "has no such command"


def _without_idle(rival: Rival) -> str:
    return "" if rival.idle else "has no daemon apart from its worker" if rival.daemon else "has no daemon"


def _others(rival: Rival) -> str:
    return "" if rival.requirement == STEST else "has nothing like it"


EXAMPLE_WITH_WARM = Case(
    "example-warm", "The example with sprintest.warm", EXAMPLE_WARM, _unchanged, refuse=_others
)

# Cases of one project stand together, since its daemons serve them all; those that end a daemon come last.
CASES = (
    Case("example", "The example, unchanged", EXAMPLE, _unchanged),
    Case(
        "overhead",
        "The example, less the tests' durations",
        EXAMPLE,
        _overhead,
        only=STEST,
    ),
    Case("memory", "The example, all processes, peak memory (PSS)", EXAMPLE, _peak_memory, MEGABYTES),
    Case("status", "The client alone: status", EXAMPLE, _status, refuse=_without_status),
    Case("cold", "The example, first run, no daemon yet", EXAMPLE, _cold, refuse=_without_daemon),
    *([EXAMPLE_WITH_WARM] if HAS_WARM else []),
    Case("one", "One test, unchanged", ONE_TEST, _unchanged),
    Case("other", "One test, other arguments than last time", ONE_TEST, _other_arguments),
    Case("leaf", "One test, at once after the edit of a leaf module", ONE_TEST, _leaf_edited),
    Case("leaf-2s", "One test, 2 s after the edit of a leaf module", ONE_TEST, _leaf_edited_before),
    Case("core", "One test, at once after the edit of what all import", ONE_TEST, _core_edited),
    Case("thousand", "1,000 trivial tests", THOUSAND, _unchanged),
    Case(
        "thousand-own", "1,000 trivial tests, as pytest reports", THOUSAND, _reported, only=PLAIN.requirement
    ),
    Case("light", "No heavy import", LIGHT, _unchanged),
    Case(
        "idle",
        "Idle daemon without worker, memory (PSS)",
        LIGHT,
        _idle_memory,
        MEGABYTES,
        _without_idle,
    ),
    Case("big", "300 modules, 2 s of own imports, unchanged", BIG, _unchanged),
    Case("big-leaf", "300 modules, at once after the edit of a leaf module", BIG, _leaf_edited),
    Case("big-middle", "300 modules, at once after the edit of one in the middle", BIG, _middle_edited),
    Case("big-other", "300 modules, other arguments than last time", BIG, _other_arguments),
    Case(
        "big-leaf-other",
        "300 modules, other arguments, at once after the edit of a leaf module",
        BIG,
        _leaf_edited_other_arguments,
    ),
)
