"""At least as many steps as asked for, no difference. A failure prints the project and the edit.

Variables steer it: STEST_FRESHNESS_STEPS (500), STEST_FRESHNESS_MODES (fork,resident) and
STEST_FRESHNESS_SEED (random; each run prints its own). With STEST_FRESHNESS_SHRINK=no a failure is told
as it was found, not first reduced to few edits of a small project, which takes minutes.
STEST_FRESHNESS_WITHOUT leaves kinds out (`doings.WITHOUT`), so that others are found while a difference
waits for its repair.
"""

from __future__ import annotations

import os
import random

import pytest
from e2e.environment import Environment
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from .machine import Freshness
from .statistics import Counts

_STEPS_PER_PROJECT = 25
PARTS = 4  # So that pytest-xdist can spread them.


@pytest.mark.parametrize("part", range(PARTS))
def test_same_answers_after_any_edit(
    part: int, counts: Counts, environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> None:
    Freshness.environment = environment
    Freshness.base = tmp_path_factory.mktemp("f")
    number = int(os.environ.get("STEST_FRESHNESS_SEED") or random.SystemRandom().randrange(10**9)) + part
    print(f"STEST_FRESHNESS_SEED={number} repeats this in the first part")
    steps = -(-int(os.environ.get("STEST_FRESHNESS_STEPS") or 500) // PARTS)
    while (left := steps - counts["checks: all"]) > 0:
        _explore(number, left)
        number += 1


def _explore(number: int, steps: int) -> None:
    """Some projects, with about as many steps. The first that hypothesis makes is the simplest: no step."""
    shrink = os.environ.get("STEST_FRESHNESS_SHRINK") != "no"
    options = settings(
        phases=[Phase.generate, *([Phase.shrink] if shrink else [])],
        max_examples=2 + steps // _STEPS_PER_PROJECT,
        stateful_step_count=min(steps + 1, _STEPS_PER_PROJECT),
        deadline=None,
        database=None,
        print_blob=True,
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seed(number)(Freshness), settings=options)
