"""Random numbers that a library has drawn when it was imported, in runs that go on from one snapshot."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .harness import Project
from .sight import BORN, COMPILED, preload

LARGE = (
    "import random, uuid\nTOKEN = uuid.uuid4().hex\nDICE = random.Random()\nthrow = DICE.random\n"
    "def token():\n    return TOKEN\n"
)
TEST = """
import json, threading, conftest, dice

def test():
    drawn, is_fork = dice.token(), conftest.BORN != threading.get_native_id()
    found = [is_fork, drawn, dice.DICE.random(), repr(conftest.kept), conftest.is_from(drawn)]
    json.dump(found, open("found.json", "w"))
"""
CONFTEST = """
import dice
kept = None
def is_from(token):
    return True
"""


@pytest.fixture(autouse=True)
def _switched_on(project: Project) -> None:
    del project.env["SPRINTEST_PRIME"]


def runs(project: Project, count: int) -> list[Any]:
    """What runs find that have different options, so that they could go on from one snapshot."""
    found = []
    for number in range(count):
        project.stest("-q", f"-knot nothing{number}").expect(0)
        found.append(json.loads(project.read("found.json")))
        project.ahead()
    return found


def numbers_of(project: Project, dice: str, conftest: str = "", count: int = 3) -> list[Any]:
    preload(project, dice=COMPILED + dice)
    project.write("conftest.py", BORN + CONFTEST + conftest)
    project.write("test_it.py", TEST)
    return runs(project, count)


def test_runs_go_on_from_a_snapshot_with_a_library_that_has_drawn_some(project: Project) -> None:
    found = [numbers for is_fork, *numbers in numbers_of(project, LARGE, count=6) if is_fork]
    assert len(found) > 1, "the worker learns from the first runs"
    for numbers in list(zip(*found))[:2]:
        assert len({*numbers}) == len(found)


@pytest.mark.parametrize(
    "conftest",
    [
        "from dice import TOKEN as kept\ndef is_from(token): return kept == token\n",
        "kept = [dice.token()]\ndef is_from(token): return kept == [token]\n",
        "kept = 'run-' + dice.TOKEN\ndef is_from(token): return kept == 'run-' + token\n",
        "kept = f'{getattr(dice, \"TOKEN\")}-1'\ndef is_from(token): return kept == token + '-1'\n",
        "def one(): return dice.TOKEN[:9]\nkept = one()\ndef is_from(token): return token.startswith(kept)\n",
        "kept = dice.throw()\n",
    ],
)
def test_no_run_has_what_the_project_has_made_of_anothers(project: Project, conftest: str) -> None:
    found = numbers_of(project, LARGE, conftest)
    assert not any(is_fork for is_fork, *_ in found)
    assert all(is_from for *_, is_from in found)
    assert len({kept for _, _, _, kept, _ in found}) == len(found)


def test_number_that_many_may_hold_is_not_told_from_others(project: Project) -> None:
    found = numbers_of(project, f"{LARGE}SMALL = random.Random().randint(0, 3)\n", "kept = dice.SMALL\n")
    assert not any(is_fork for is_fork, *_ in found)
