"""A small suite for each of pytest's plugins: plain, first run, warm, and after an edit, in every mode.

    python tests/matrix/plugins.py [NAME...]

Makes an environment per plugin from PyPI (see `matrix.py`), and prints a table. Compared are exit code, outcomes,
number of warnings, lines of coverage, and what the tests print. Exit code 1 where an answer differs.
"""

# ruff: noqa: E501  # Lines of the tests that it writes.

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from matrix import NEWEST, answer, environment

MODES = {
    "default": {},
    "resident": {"SPRINTEST_ISOLATION": "resident"},
}
KINDS = ("first", "warm", "edited")

SUBJECT = "def double(value):\n    if value < 0:\n        return None\n    return 2 * value\n"
EDITED = SUBJECT.replace("2 * value", "value + value")
TEST = "import subject\ndef test_it(): assert subject.double(2) == 4\n"
#: What counts of a run's output.
COUNTED = re.compile(
    r"^(?:PASSED|FAILED|ERROR|SKIPPED|XFAIL|XPASS|RERUN|SUBPASS\w*|SUBFAIL\w*|TOTAL|V |subject|FAIL |Required|"
    r"\d+ snapshots?).*$",
    re.MULTILINE,
)
#: The warnings and tests of the last line, without the time.
SUMMARY = re.compile(
    r"\d+ (?:passed|failed|errors?|skipped|xfailed|xpassed|warnings?|rerun|deselected|subtests\w*)"
)


@dataclass(frozen=True)
class Case:
    """What is installed, the files, the arguments, and the variables of a run."""

    requirements: tuple[str, ...]
    files: dict[str, str]
    args: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)


WORKERS = ("-n", "2", "--dist=loadfile")

CASES = {
    "cov": Case(
        ("pytest-cov",), {"test_it.py": TEST}, ("--cov=subject", "--cov-branch", "--cov-fail-under=50")
    ),
    "cov, too little": Case(("pytest-cov",), {"test_it.py": TEST}, ("--cov=subject", "--cov-fail-under=99")),
    "cov, subprocess": Case(
        ("pytest-cov",),
        {
            "test_it.py": "import subprocess, sys\n"
            "def test_it(): subprocess.run([sys.executable, '-c', 'import subject; subject.double(2)'], check=True)\n",
            ".coveragerc": "[run]\npatch = subprocess\nparallel = true\nsource = .\n",
        },
        ("--cov",),
    ),
    "xdist": Case(("pytest-xdist",), {"test_it.py": TEST + "def test_two(): pass\n"}, ("-n", "1")),
    "asyncio": Case(
        ("pytest-asyncio",),
        {
            "test_it.py": "import asyncio, pytest, subject\n"
            "@pytest.mark.asyncio\nasync def test_it():\n    await asyncio.sleep(0)\n    assert subject.double(2) == 4\n"
        },
    ),
    "anyio": Case(
        ("anyio", "trio"),
        {
            "test_it.py": "import anyio, pytest, subject\n"
            "@pytest.mark.anyio\nasync def test_it():\n    await anyio.sleep(0)\n    assert subject.double(2) == 4\n"
        },
    ),
    "django": Case(
        ("pytest-django", "django"),
        {
            "site_settings.py": "SECRET_KEY = 'x'\nINSTALLED_APPS = ['django.contrib.auth', "
            "'django.contrib.contenttypes']\n"
            "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': ':memory:'}}\nUSE_TZ = True\n",
            "test_it.py": "import pytest, subject\nfrom django.contrib.auth.models import User\n"
            "@pytest.mark.django_db\ndef test_it():\n    User.objects.create(username=str(subject.double(2)))\n"
            "    assert User.objects.count() == 1\n",
            "pytest.ini": "[pytest]\nDJANGO_SETTINGS_MODULE = site_settings\n",
        },
    ),
    "hypothesis": Case(
        ("hypothesis",),
        {
            "test_it.py": "import subject\nfrom hypothesis import given, strategies as st\n"
            "@given(st.integers(0, 9))\ndef test_it(value): assert subject.double(value) == 2 * value\n"
            "@given(st.integers())\ndef test_fails(value): assert value < 100\n"
        },
    ),
    "mock": Case(
        ("pytest-mock",),
        {
            "test_it.py": "import subject\ndef test_it(mocker):\n    mocker.patch('subject.double', return_value=1)\n"
            "    assert subject.double(2) == 1\ndef test_after(): assert subject.double(2) == 4\n"
        },
    ),
    "randomly": Case(
        ("pytest-randomly",),
        {"test_it.py": TEST + "import random\ndef test_number(): print('V', random.random())\n"},
        ("-p", "randomly", "-p", "no:cacheprovider", "-p", "randomly", "--randomly-seed=7"),
    ),
    "timeout, signal": Case(
        ("pytest-timeout",),
        {"test_it.py": TEST + "import time\ndef test_slow(): time.sleep(9)\n"},
        ("--timeout=0.4", "--timeout-method=signal"),
    ),
    "timeout, thread": Case(
        ("pytest-timeout",), {"test_it.py": TEST}, ("--timeout=9", "--timeout-method=thread")
    ),
    "rerunfailures": Case(
        ("pytest-rerunfailures",),
        {"test_it.py": TEST + "SEEN = []\ndef test_flaky():\n    SEEN.append(1)\n    assert len(SEEN) > 1\n"},
        ("--reruns=2",),
    ),
    # With workers of pytest-xdist; one file is one worker's, so that the order is the same.
    "cov, -n 2": Case(
        ("pytest-cov", "pytest-xdist"),
        {
            "test_it.py": TEST,
        },
        ("--cov=subject", "--cov-branch", *WORKERS),
    ),
    "randomly, -n 2": Case(
        ("pytest-randomly", "pytest-xdist"),
        {
            "test_it.py": "import random, pytest\n@pytest.mark.parametrize('i', range(5))\n"
            "def test_number(i): print('V', i, random.random())\n"
        },
        ("--randomly-seed=7", *WORKERS),
    ),
    "timeout, -n 2": Case(
        ("pytest-timeout", "pytest-xdist"),
        {"test_it.py": TEST + "import time\ndef test_slow(): time.sleep(9)\n"},
        ("--timeout=0.4", *WORKERS),
    ),
    "rerunfailures, -n 2": Case(
        ("pytest-rerunfailures", "pytest-xdist"),
        {
            "test_it.py": TEST
            + "SEEN = []\ndef test_flaky():\n    SEEN.append(1)\n    assert len(SEEN) > 1\n"
            "def test_fails(): assert 0\n"
        },
        ("--reruns=2", *WORKERS),
    ),
    "benchmark": Case(
        ("pytest-benchmark",),
        {"test_it.py": "import subject\ndef test_it(benchmark): assert benchmark(subject.double, 2) == 4\n"},
        ("--benchmark-min-rounds=1", "--benchmark-max-time=0.01"),
    ),
    "syrupy": Case(
        ("syrupy",),
        {
            "test_it.py": "import subject\ndef test_it(snapshot): assert subject.double(2) == snapshot\n",
            "__snapshots__/test_it.ambr": "# serializer version: 1\n# name: test_it\n  4\n# ---\n",
        },
    ),
    "json-report": Case(("pytest-json-report",), {"test_it.py": TEST}, ("--json-report",)),
    "html": Case(("pytest-html",), {"test_it.py": TEST}, ("--html=report.html",)),
    "allure": Case(("allure-pytest",), {"test_it.py": TEST}, ("--alluredir=allure",)),
    "subtests": Case(
        ("pytest-subtests",),
        {
            "test_it.py": "import subject\ndef test_it(subtests):\n    for value in range(3):\n"
            "        with subtests.test(value=value): assert subject.double(value) < 4\n"
        },
    ),
    "bdd": Case(
        ("pytest-bdd",),
        {
            "it.feature": "Feature: it\n  Scenario: doubles\n    Given two\n    Then it is four\n",
            "test_it.py": "import subject\nfrom pytest_bdd import given, scenarios, then\nscenarios('it.feature')\n"
            "@given('two', target_fixture='two')\ndef two(): return 2\n"
            "@then('it is four')\ndef four(two): assert subject.double(two) == 4\n",
        },
    ),
    "env": Case(
        ("pytest-env",),
        {
            "pytest.ini": "[pytest]\nenv =\n    STEST_KIND=set\n",
            "test_it.py": "import os, subject\ndef test_it(): print('V', os.environ['STEST_KIND'])\n",
        },
    ),
    "order": Case(
        ("pytest-order",),
        {
            "test_it.py": "import pytest\nSEEN = []\n@pytest.mark.order(2)\ndef test_b(): assert SEEN == ['a']\n"
            "@pytest.mark.order(1)\ndef test_a(): SEEN.append('a')\n"
        },
    ),
    "testmon": Case(("pytest-testmon",), {"test_it.py": TEST}, ("--testmon",)),
    "socket": Case(
        ("pytest-socket",),
        {
            "test_it.py": "import socket, subject, pytest_socket, pytest\n"
            "def test_it():\n    with pytest.raises(pytest_socket.SocketBlockedError): socket.socket()\n"
        },
        ("--disable-socket",),
    ),
    "freezegun": Case(
        ("freezegun",),
        {
            "test_it.py": "import datetime, freezegun, subject\n@freezegun.freeze_time('2020-01-02')\n"
            "def test_it(): assert datetime.date.today().isoformat() == '2020-01-02'\n"
            "def test_after(): assert datetime.date.today().year > 2020\n"
        },
    ),
    "time-machine": Case(
        ("time-machine",),
        {
            "test_it.py": "import datetime, time_machine, subject\n@time_machine.travel('2020-01-02')\n"
            "def test_it(): assert datetime.date.today().isoformat() == '2020-01-02'\n"
        },
    ),
    "typeguard": Case(
        ("typeguard",),
        {
            "typed.py": "def twice(value: int) -> int: return value * 2\n",
            "test_it.py": "import pytest, typed, typeguard, subject\n"
            "def test_it():\n    with pytest.raises(typeguard.TypeCheckError): typed.twice('a')\n",
        },
        ("--typeguard-packages=typed",),
    ),
    "beartype": Case(
        ("beartype", "pytest-beartype"),
        {
            "typed/__init__.py": "def twice(value: int) -> int: return value * 2\n",
            "test_it.py": "import pytest, typed, beartype.roar, subject\n"
            "def test_it():\n    with pytest.raises(beartype.roar.BeartypeCallHintViolation): typed.twice('a')\n",
        },
        ("--beartype-packages=typed",),
    ),
    "jaxtyping": Case(
        ("jaxtyping", "typeguard<3", "numpy"),
        {
            "typed.py": "import numpy\nfrom jaxtyping import Float\n"
            "def twice(value: Float[numpy.ndarray, '2']) -> Float[numpy.ndarray, '2']: return value * 2\n",
            "test_it.py": "import numpy, pytest, typed, subject\n"
            "def test_it():\n    with pytest.raises(Exception): typed.twice(numpy.zeros(3))\n",
        },
        ("--jaxtyping-packages=typed,typeguard.typechecked",),
    ),
}


def counted(done: tuple[int, str, str]) -> tuple[int, list[str], list[str]]:
    """Of a run: its exit code, its outcomes in order, the counts of its last line."""
    code, text, _ = done
    last = text.strip().splitlines()[-1] if text.strip() else ""
    return code, COUNTED.findall(text), SUMMARY.findall(last)


def follow(command: list[str], case: Case, root: Path, mode: dict[str, str]) -> list[tuple[int, str, str]]:
    """The runs, one for each of `KINDS`."""
    for file, text in {"pytest.ini": "[pytest]\n", "subject.py": SUBJECT, **case.files}.items():
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(text)
    args = [*command, "-rA", *case.args]
    runs = []
    for kind in KINDS:
        if kind == "edited":
            (root / "subject.py").write_text(EDITED)
        runs.append(answer(args, root, {**case.env, **mode}))
        time.sleep(1.5 if mode is not PLAIN else 0)  # A person thinks; the daemon gets ready.
    return runs


PLAIN: dict[str, str] = {}


def row(name: str) -> dict[str, str]:
    """By mode and kind of run how it was, in a word."""
    case = CASES[name]
    kind = name.replace(", -n 2", "-xdist").partition(",")[0]
    folder = environment(f"plugin-{kind}", [f"pytest=={NEWEST}", *case.requirements])
    found = {}
    with tempfile.TemporaryDirectory(prefix="plugin-") as scratch:
        (root := Path(scratch, "plain")).mkdir()
        plain = follow([str(folder / "python"), "-m", "pytest"], case, root, PLAIN)
        for mode, variables in MODES.items():
            (root := Path(scratch, mode)).mkdir()
            try:
                warm = follow([str(folder / "stest")], case, root, dict(variables))
            finally:
                subprocess.run([folder / "stest", "stop"], cwd=root, capture_output=True)
            for kind, want, got in zip(KINDS, plain, warm):
                is_same = counted(want) == counted(got)
                found[f"{mode} {kind}"] = "✓" if is_same else "DIFFERS"
                if not is_same:
                    print(
                        name,
                        mode,
                        kind,
                        counted(want),
                        counted(got),
                        got[1][-2000:],
                        got[2],
                        sep="\n",
                        file=sys.stderr,
                    )
    return found


def main() -> int:
    head = " | ".join(f"{mode}: {', '.join(KINDS)}" for mode in MODES)
    print(f"| plugin | {head} |\n|{' --- |' * (1 + len(MODES))}", flush=True)
    is_right = True
    for name in sys.argv[1:] or list(CASES):
        words = row(name)
        is_right = is_right and set(words.values()) == {"✓"}
        cells = [" ".join(words[f"{mode} {kind}"] for kind in KINDS) for mode in MODES]
        print("|", " | ".join([name, *cells]), "|", flush=True)
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
