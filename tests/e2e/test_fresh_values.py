"""What differs in each process, such as times and random numbers: a run's own, whatever was loaded ahead."""

from __future__ import annotations

import json

import pytest

from .harness import Project
from .modes import MODES, MODES_OF_LONG_TESTS
from .sight import BORN, COMPILED, found, found_in_runs, is_shared, preload, write_test


@pytest.fixture(params=MODES_OF_LONG_TESTS)
def project(project: Project, request: pytest.FixtureRequest) -> Project:
    project.env |= MODES[request.param]
    return project


def test_class_in_the_place_of_a_module_that_imports_what_is_made_anew(project: Project) -> None:
    token = "import uuid\nTOKEN = uuid.uuid4().hex\n"
    odd = BORN + "import sys, token_maker\nclass Odd:\n    BORN = BORN\nsys.modules[__name__] = Odd\n"
    preload(project, token_maker=token, odd=odd)
    write_test(project, "import odd, token_maker\nfound = [odd.__name__, len(token_maker.TOKEN)]")
    assert found(project) == ["Odd", 32]
    assert is_shared(project, "odd")


def test_patch_of_a_flag_where_another_library_has_drawn_one(project: Project) -> None:
    """There is only one `True`, so that the coin holds it says nothing."""
    takes = "import coin\nfrom flags import YES, NO\nFOUND = [YES, NO]\n"
    coin = "import uuid\nHEADS = uuid.uuid4().int >= 0\nTAILS = uuid.uuid4().int < 0\n"
    preload(project, coin=coin, flags="YES, NO = True, False\n", takes=takes)
    write_test(
        project, "found = takes.FOUND", "import takes", "import flags\nflags.YES, flags.NO = False, True\n"
    )
    assert found(project) == [False, True]


def test_random_numbers_of_a_default_are_drawn_anew(project: Project) -> None:
    preload(
        project,
        default=COMPILED + BORN + "import random\n"
        "class Dice:\n    def throw(self, a=1, by=random.Random(), *, to=random.Random()):\n"
        "        return [by.random(), to.random()]\n",
    )
    write_test(
        project, "found = [default.Dice().throw(), default.BORN == os.getpid()]", before="import default"
    )
    seen = []
    for _ in range(3):
        project.stest("-q", "test_it.py").expect(0)
        numbers, is_executed = json.loads(project.read("found.json"))
        assert not is_executed
        seen += numbers
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize(
    "statement",
    [
        "def ask(): pass\nfor one in [ask]:\n    one.__doc__ = str(random.SystemRandom().random())",
        pytest.param("NUMBERS = [numpy.random.RandomState(0).rand()]", marks=pytest.mark.torch),
    ],
)
def test_random_numbers_that_nobody_keeps(project: Project, statement: str) -> None:
    imports = "import random, importlib.util\nif importlib.util.find_spec('numpy'): import numpy\n"
    preload(project, draws=imports + BORN + statement + "\n")
    assert is_shared(project, "draws")


@pytest.mark.parametrize(
    "ask",
    [
        *("random.Random().random()", "uuid.uuid4().hex", "uuid.uuid1().hex"),
        *("next(iter(time.time_ns, None))", "functools.partial(time.monotonic)()"),
        *("datetime.datetime.now().timestamp()", "own(time.time_ns)", "functools.partial(own, time.time)()"),
        *("random.random()", "[random.getrandbits(64)][0]", "own(random.random)"),
    ],
)
def test_what_is_another_in_each_process_is_new_in_each_run(project: Project, ask: str) -> None:
    imports = "import datetime, functools, random, time, uuid\ndef own(ask): return ask()\n"
    statement = f"NUMBER = {ask}\n" if "own" in ask else f"NUMBER, _ = {ask}, 0\n"
    preload(project, dice=imports + statement, user="from dice import NUMBER\n")
    write_test(project, "found = [dice.NUMBER, user.NUMBER]", before="import dice, user")
    numbers = set()
    for _ in range(3):
        assert "cold" not in project.stest("-q", "test_it.py").expect(0).errors
        dice, user = json.loads(project.read("found.json"))
        assert dice == user
        numbers.add(dice)
    assert len(numbers) == 3


@pytest.mark.parametrize(
    "statement",
    [
        "import asked\nNUMBER = asked.now()\n",
        "import asked\nNUMBER = asked.now()\nNEXT = NUMBER + 1\nassert NEXT\n",
        "import runpy, os\nasks = os.path.dirname(__file__) + '/asks.py'\n"
        "NUMBER = runpy.run_path(asks)['NUMBER']\n",
    ],
    ids=["function", "what is made from it", "file"],
)
def test_time_that_another_library_reads_is_that_of_the_run(project: Project, statement: str) -> None:
    project.install("asks.py", "import time\nNUMBER = time.time_ns()\n")
    preload(project, asked="import time\ndef now(): return time.time_ns()\n", asking=statement)
    write_test(project, "found = asking.NUMBER", before="import asking")
    assert len(set(found_in_runs(project))) == 3


def test_what_uses_a_generator_that_another_has_taken_over_is_warm(project: Project) -> None:
    """As transformers does with sympy's: each run makes it anew, and that is no patch."""
    dice = "import random\nrng = random.Random()\nroll = rng.random\n"
    user = BORN + "import taker\nassert taker.roll\n"
    preload(project, dice=dice, taker="from dice import roll\n", user=user)
    assert is_shared(project, "user", before="import taker")


@pytest.mark.parametrize("ask", ["SELF = os.getpid()", "SELF, _ = os.getpid(), 0"])
def test_number_of_the_process_is_the_runs(project: Project, ask: str) -> None:
    preload(project, names=f"import os\n{ask}\n", user="from names import SELF\n")
    body = "found = [names.SELF == os.getpid(), user.SELF == os.getpid()]"
    write_test(project, body, before="import names, user")
    for _ in range(2):
        assert found(project) == [True, True]


def test_library_that_looks_after_itself_after_a_fork(project: Project) -> None:
    itself = "import os\nSELF = [0]\ndef renew(): SELF[0] = os.getpid()\n"
    preload(
        project,
        aware=COMPILED + BORN + itself + "SELF = [os.getpid()]\nos.register_at_fork(after_in_child=renew)\n",
    )
    write_test(project, "found = [aware.SELF == [os.getpid()]]", before="import aware")
    assert found(project) == [True]
    assert found(project) == [True]
    assert is_shared(project, "aware")


def test_numbers_in_a_variable_are_drawn_again(project: Project) -> None:
    """Where nothing but that variable knows of them; and in whoever has copied it."""
    dice = COMPILED + BORN + "import uuid, random\nTOKEN = uuid.uuid4().hex\nDICE = random.Random()\n"
    preload(project, dice=dice, user="from dice import TOKEN, DICE\n")
    body = "found = [dice.TOKEN, dice.DICE.random(), dice.BORN == os.getpid()]\nimport user\n"
    same = "assert user.TOKEN is dice.TOKEN and user.DICE is dice.DICE"
    write_test(project, body + same, before="import dice")
    seen = []
    for _ in range(3):
        assert "cold" not in project.stest("-q", "test_it.py").expect(0).errors
        seen.append(json.loads(project.read("found.json")))
    assert len({token for token, _, _ in seen}) == len({number for _, number, _ in seen}) == 3
    assert not any(is_own for _, _, is_own in seen)


def test_numbers_in_what_cannot_be_loaded_twice(project: Project) -> None:
    preload(project, dice=COMPILED + "import uuid\nNUMBERS = [uuid.uuid4().hex]\n")
    write_test(project, "found = dice.NUMBERS[0]", before="import dice")
    assert len(set(found_in_runs(project))) == 3
    not_preloaded = {one["module"]: one["reason"] for one in project.status()["worker"]["not_preloaded"]}
    assert "draws random numbers" in not_preloaded["dice"]
