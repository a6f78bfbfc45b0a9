"""After an edit a run goes on from the snapshot before the edited module, and nobody can tell."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .harness import Project
from .sight import BORN

TEST = """
import json, os, random, threading
import base, leaf

def test():
    found = {"base": base.BORN, "leaf": leaf.BORN, "here": threading.get_native_id(), "value": leaf.VALUE}
    found["more"] = more()
    json.dump(found, open("found.json", "w"))

def more():
    return None
"""


@pytest.fixture(autouse=True)
def _switched_on(project: Project) -> None:
    del project.env["SPRINTEST_PRIME"]


class Edited:
    """A project whose leaf has been edited since the worker started: there is a snapshot before it."""

    def __init__(self, project: Project, base: str = "", leaf: str = "", more: str = "") -> None:
        self.project = project
        self._leaf = leaf
        self._edits = 0
        project.write("base.py", BORN + base)
        project.write("test_it.py", TEST.replace("return None", more or "return None"))
        self.edit()
        for _ in range(2):
            self.run()
            project.ahead()
            self.edit()

    def edit(self) -> None:
        self._edits += 1
        self.project.write("leaf.py", f"{BORN}VALUE = {self._edits}\n{self._leaf}")

    def run(self, *args: str) -> Any:
        """What the test finds; the leaf is the last one, always."""
        self.project.stest("-q", *args).expect(0)
        found = json.loads(self.project.read("found.json"))
        assert found["value"] == self._edits
        return found

    def after_edits(self, count: int = 3) -> list[Any]:
        """What it finds at once after each."""
        found = [self.run()]
        for _ in range(count - 1):
            self.edit()
            found.append(self.run())
        return found


def assert_gone_on_before_leaf(found: list[Any]) -> None:
    """By each run, or by a process ahead of it that has come farther meanwhile."""
    assert all(one["base"] not in (one["leaf"], one["here"]) for one in found), found
    assert len({one["leaf"] for one in found}) == len(found), found


def test_what_is_imported_before_the_edited_module_is_not_executed_again(project: Project) -> None:
    found = Edited(project).after_edits()
    assert len({one["base"] for one in found}) == 1
    assert_gone_on_before_leaf(found)


def test_other_options_select_from_the_tests_that_are_collected(project: Project) -> None:
    edited = Edited(project)
    for number, option in enumerate(("-knot nothing", "-mnot slow", "--deselect=nothing", "--maxfail=3")):
        edited.run()
        project.ahead()
        found = edited.run(f"{option}{number}")
        assert found["here"] not in (found["base"], found["leaf"]), option
        edited.edit()
        found = edited.run(f"{option}{number}0")
        assert found["base"] != found["leaf"], option


def test_an_option_that_was_read_while_tests_were_collected_is_that_of_the_run(project: Project) -> None:
    project.write(
        "conftest.py",
        "def pytest_pycollect_makemodule(parent):\n"
        "    parent.config.seen = parent.config.getoption('keyword')\n",
    )
    project.write(
        "test_it.py", "def test(request):\n    assert request.config.seen == request.config.option.keyword\n"
    )
    for number in range(3):
        project.stest("-q", "-k", f"not nothing{number}").expect(0)
        project.ahead()


def test_an_edit_of_what_comes_before_is_seen(project: Project) -> None:
    edited = Edited(project)
    edited.run()
    project.write("base.py", BORN + "BORN = 'new'\n")
    assert edited.run()["base"] == "new"
    project.ahead()
    assert edited.run()["base"] == "new"


def test_each_run_draws_its_own_random_numbers(project: Project) -> None:
    found = Edited(project, more="return [random.random(), os.urandom(8).hex()]").after_edits()
    assert len({repr(one["more"]) for one in found}) == len(found)


@pytest.mark.parametrize(
    "drawn",
    [
        "import random\nDRAWN = random.random()\n",
        "import uuid\nDRAWN = str(uuid.uuid4())\n",
        "import os\nDRAWN = os.getpid()\n",
    ],
)
def test_what_a_module_has_drawn_is_another_in_each_run(project: Project, drawn: str) -> None:
    edited = Edited(project, base=drawn, more="return [base.DRAWN, os.getpid()]")
    found = [one["more"] for one in edited.after_edits()]
    project.ahead()
    found += [edited.run()["more"] for _ in range(2)]
    assert len({drawn for drawn, _ in found}) == len(found)
    assert "getpid" not in drawn or all(pid == own for pid, own in found)


def test_a_seed_of_the_project_is_the_same_in_all_runs(project: Project) -> None:
    edited = Edited(project, base="import random\nrandom.seed(3)\n", more="return random.random()")
    found = {one["more"] for one in edited.after_edits()}
    project.plain("-q").expect(0)
    assert found == {json.loads(project.read("found.json"))["more"]}


def test_what_is_to_be_called_after_a_fork_is_not(project: Project) -> None:
    called = "CALLED = []\nos.register_at_fork(before=lambda: CALLED.append(1))\n"
    assert [one["more"] for one in Edited(project, called, more="return base.CALLED").after_edits()] == [
        []
    ] * 3


def test_an_open_file_has_its_own_position_in_each_run(project: Project) -> None:
    project.write("lines", "one\ntwo\nthree\n")
    edited = Edited(project, "LINES = open('lines')\nLINES.readline()\n", more="return base.LINES.read()")
    project.ahead()
    found = [one["more"] for one in [edited.run(), *edited.after_edits()]]
    assert found == ["two\nthree\n"] * len(found)


def test_what_a_module_prints_is_printed_by_each_run(project: Project) -> None:
    edited = Edited(
        project, "print('base says')\nos.system('echo so does a child')\n", "print('leaf says')\n"
    )
    for _ in range(3):
        edited.edit()
        said = project.stest("-q", "-s").expect(0).text
        assert said.count("base says") == said.count("so does a child") == said.count("leaf says") == 1
        assert said.index("base says") < said.index("leaf says")
        project.ahead()


@pytest.mark.parametrize("capture", ["-s", "--capture=fd", "--capture=sys", "--capture=tee-sys"])
def test_two_runs_from_one_snapshot_do_not_see_each_others_output(project: Project, capture: str) -> None:
    marks = project.root.parent / "marks"
    marks.mkdir()
    project.write("base.py", "print('base says')\n")
    project.write(
        "test_it.py",
        f"""
        import base, os, pathlib, time
        MARKS = pathlib.Path({str(marks)!r})

        def test():
            for number in range(200):
                os.write(1, f"{{os.getpid()}} writes\\n".encode())
            (MARKS / str(os.getpid())).touch()
            deadline = time.monotonic() + 60
            while len(os.listdir(MARKS)) < 2 and time.monotonic() < deadline:
                time.sleep(0.01)
            assert False
        """,
    )
    project.env["SPRINTEST_CONCURRENCY"] = "2"
    (marks / "alone").touch()
    for _ in range(2):
        project.stest("-q", capture).expect(1)
        project.ahead()
    for mark in marks.iterdir():
        mark.unlink()
    both = [project.start("-q", capture) for _ in range(2)]
    said = [project.finish(client).expect(1).text for client in both]
    writers = [{line.split()[0] for line in one.splitlines() if line.endswith("writes")} for one in said]
    assert len(writers[0]) == len(writers[1]) == 1
    assert writers[0] != writers[1]
    assert [one.count("base says") for one in said] == [
        0 if capture in ("--capture=fd", "--capture=sys") else 1
    ] * 2


def test_what_only_a_run_may_do_is_done_by_each_and_what_comes_before_it_ahead(project: Project) -> None:
    edited = Edited(project, leaf="open('written', 'a').write('x')\n")
    before = len(project.read("written"))
    found = edited.after_edits()
    assert len(project.read("written")) == before + len(found)
    assert_gone_on_before_leaf(found)


def test_what_failed_in_a_run_is_remembered_by_the_next(project: Project) -> None:
    edited = Edited(project, more="assert leaf.VALUE % 2 or leaf.VALUE < 4")
    for _ in range(4):
        edited.edit()
        warm = project.stest("-q").text
        remembered = project.state.parent / ".pytest_cache/v/cache/lastfailed"
        after_warm = remembered.read_text() if remembered.exists() else ""
        project.plain("-q")
        assert after_warm == (remembered.read_text() if remembered.exists() else ""), warm
        assert ("1 failed" in warm) == bool(json.loads(after_warm or "{}"))


def test_a_socket_is_no_two_runs(project: Project) -> None:
    pair = "import socket\nA, B = socket.socketpair()\nA.send(b'once')\n"
    edited = Edited(project, pair, more="return base.B.recv(9).decode()")
    assert [one["more"] for one in edited.after_edits()] == ["once"] * 3


def test_most_snapshots(project: Project) -> None:
    """Each takes memory."""
    names = [f"edited_{number}" for number in range(20)]
    project.write("test_it.py", "".join(f"import {name}\n" for name in names) + "def test(): pass\n")
    for _ in range(2):
        for name in names:
            project.write(f"{name}.py", "")
        project.stest("-q").expect(0)
        project.ahead()
    assert 8 < len(project.processes("stest-worker")) <= 12


def test_a_library_that_is_not_preloaded_is_changed_in_place(project: Project) -> None:
    project.write("base.py", "VALUE = 1\n")
    project.write("test_it.py", "import library\ndef test(): print('VALUE', library.VALUE)\n")
    project.install("library.py", "import base\nVALUE = base.VALUE + 10\n")
    for _ in range(2):
        assert "VALUE 11" in project.stest("-q", "-s").expect(0).text
        project.ahead()
    project.install("library.py", "import base\nVALUE = base.VALUE + 20\n")
    assert "VALUE 21" in project.stest("-q", "-s").expect(0).text
