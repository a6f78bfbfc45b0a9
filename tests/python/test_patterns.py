"""Regular expressions that are compiled ahead of the runs."""

from __future__ import annotations

import ast
import re
from typing import Any

import pytest
from sprintest.preload import _patterns

from .conftest import Worker

# Compiles, and notes what `re` did not remember.
PRELUDE = """
import re, pytest

compiler = getattr(re, "_compiler", None) or re.sre_compile  # Python 3.9 and 3.10

@pytest.fixture
def missed(monkeypatch):
    missed, compile = [], compiler.compile
    def noting(pattern, flags=0):
        missed.append(pattern)
        return compile(pattern, flags)
    monkeypatch.setattr(compiler, "compile", noting)
    return missed

"""

KINDS = [
    ("ab+", 0),
    (b"ab+", 0),
    ("ab+", int(re.IGNORECASE)),
    ("\udc80é", 0),
    (b"\xff(?i:a)", 0),
    (b"a", int(re.LOCALE)),
]


def told(run: Any) -> list[Any]:
    return [ast.literal_eval(text) for text in run.compiled]


def test_what_two_forks_compile_is_compiled_once(worker: Worker) -> None:
    patterns = [*KINDS, *((f"number {n}", 0) for n in range(600))]
    body = f"def test(missed):\n    for pattern in {patterns!a}: re.compile(*pattern)\n"
    worker.write("test_it.py", f"{PRELUDE}{body}    assert missed == []\n")
    first = worker.run("-q")
    assert first.exit_code == 1
    assert [pattern for pattern in told(first) if pattern in patterns] == patterns
    answer = worker.preload(patterns=first.compiled)
    assert answer["type"] == "ready"
    second = worker.run("-q")
    assert second.exit_code == 0, second.text
    assert not set(told(second)) & set(patterns)


def test_purge_forgets_what_was_compiled_ahead(worker: Worker) -> None:
    worker.preload(patterns=["('ab+', 0)"])
    body = "def test(missed):\n    re.purge()\n    re.compile('ab+')\n    assert missed == ['ab+']\n"
    worker.write("test_it.py", PRELUDE + body)
    assert worker.run("-q").exit_code == 0


def test_what_warns_or_fails_does_so_in_each_run(worker: Worker) -> None:
    bad = ["('[[a]', 0)", "('(', 0)", "('a', b'')", "no pattern", "('later', 0)"]
    assert worker.preload(patterns=bad)["type"] == "ready"
    body = """
def test(missed):
    with pytest.warns(FutureWarning, match="nested set"):
        re.compile("[[a]")
    with pytest.raises(re.error):
        re.compile("(")
    re.compile("later")
    assert [pattern for pattern in missed if pattern in ("[[a]", "(", "later")] == ["[[a]", "("]
"""
    worker.write("test_it.py", PRELUDE + body)
    for _ in range(2):
        run = worker.run("-q")
        assert run.exit_code == 0, run.text


def test_patterns_leave_the_resident_process_alone(worker: Worker) -> None:
    worker.write("test_it.py", "import re\ndef test(): re.compile('ab+')\n")
    first = worker.run("-q", mode="resident")
    assert ("ab+", 0) in told(first)
    worker.preload(patterns=first.compiled)
    second = worker.run("-q", mode="resident")
    assert second.pid == first.pid
    assert ("ab+", 0) not in told(second), "it has told so"


def test_memory_for_patterns_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(re, "_MAXCACHE", 512)
    monkeypatch.setattr(_patterns, "_room", 4096)
    re.purge()
    _patterns.compile_ahead([ascii((f"bounded {n}", 0)) for n in range(100)])
    cache: Any = vars(re)["_cache"]
    assert 0 < len([key for key in cache if str(key[1]).startswith("bounded")]) < 30


@pytest.mark.long
@pytest.mark.torch
def test_table_of_patterns_is_made_ahead_and_is_the_same(worker: Worker) -> None:
    module = "transformers.conversion_mapping"
    body = f"""
import {module} as owner

def test():
    made = owner._checkpoint_conversion_mapping_cache
    assert made is not None
    assert repr(made) == repr(owner._build_checkpoint_conversion_mapping())
"""
    worker.write("test_it.py", body)
    got = worker.preload(module)
    assert got["type"] == "ready", got
    assert worker.run("-q").exit_code == 1
    worker.preload(patterns=["('a', 0)"])
    second = worker.run("-q")
    assert second.exit_code == 0, second.text


def test_a_run_tells_its_latest_patterns_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    re.purge()
    monkeypatch.setattr(_patterns, "_known", set())
    monkeypatch.setattr(_patterns, "_MOST_TOLD", 6)
    for pattern in ("first", "ab", b"cd+"):
        re.compile(pattern)
    assert _patterns.compiled() == ["('ab', 0)", "(b'cd+', 0)"]
