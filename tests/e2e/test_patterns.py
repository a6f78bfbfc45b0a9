"""Regular expressions that run after run compiles are compiled ahead in the worker."""

from __future__ import annotations

import json
import re

import pytest

from .harness import Project, wait_for

# Compiles more than `re` remembers by itself; one of them warns.
HEAVY = """
    import re

    def build():
        return [re.compile(f"layer {n} .*") for n in range(900)]

    def warn():
        return re.compile("[[a]")
"""

TEST = """
    import colorsys
    import re
    import heavy

    compiler = getattr(re, "_compiler", None) or re.sre_compile  # Python 3.9 and 3.10

    def test_build(monkeypatch, tmp_path):
        compile, missed = compiler.compile, []
        monkeypatch.setattr(compiler, "compile", lambda *args: missed.append(args) or compile(*args))
        assert len(heavy.build()) == 900
        print(f"COMPILED {len(missed)} END")
        re.compile(re.escape(str(tmp_path)))

    def test_warn():
        heavy.warn()
"""


@pytest.fixture
def suite(project: Project) -> Project:
    # Where other tests' runs clean up too, pytest warns now and then of what has gone already.
    project.env["PYTEST_DEBUG_TEMPROOT"] = str(project.home)
    project.install("heavy.py", HEAVY)
    project.write("test_it.py", TEST)
    return project


def compiled(project: Project) -> int:
    """How many patterns a run had to compile; it warns as plain pytest does."""
    run = project.stest("-q", "-s").expect(0)
    assert "2 passed, 1 warning" in run.text, run
    assert "FutureWarning: Possible nested set" in run.text
    found = re.search(r"COMPILED (\d+) END", run.text)
    assert found
    return int(found[1])


def test_runs_compile_none_that_two_runs_have_compiled(suite: Project) -> None:
    assert "2 passed, 1 warning" in suite.plain("-q", "-s").expect(0).text
    assert [compiled(suite) for _ in range(2)] == [900, 900]
    wait_for(lambda: compiled(suite) == 0, "the patterns to be compiled ahead")
    learned = json.loads(suite.read(".sprintest/preload.json"))["patterns"]
    assert "('layer 0 .*', 0)" in learned
    assert not [pattern for pattern in learned if "test_build" in pattern], "of a run's own folder"
    suite.plain("-q", "-W", "error").expect(1)
    suite.stest("-q", "-W", "error").expect(1)
    suite.stest("restart").expect(0)
    assert compiled(suite) == 900, "a start is not held up by them"
    wait_for(lambda: compiled(suite) == 0, "the patterns to be compiled ahead")


def test_so_does_the_process_that_holds_values(suite: Project) -> None:
    suite.write(
        "conftest.py",
        "import os, pytest, sprintest\n"
        "@sprintest.warm\ndef load(): return os.getpid()\n"
        "@pytest.fixture(autouse=True)\n"
        "def is_held():\n"
        "    open('is_held', 'w').write(str(load() != os.getpid()))\n",
    )
    assert [compiled(suite) for _ in range(2)] == [900, 900]
    wait_for(lambda: (compiled(suite), suite.read("is_held")) == (0, "True"), "both to be there ahead")


def test_learning_can_be_turned_off(suite: Project) -> None:
    suite.configure(sprintest='learn = ["modules"]')
    assert [compiled(suite) for _ in range(4)] == [900] * 4
    preload = json.loads(suite.read(".sprintest/preload.json"))
    assert "colorsys" in preload["learned"]
    assert preload["patterns"] == []
