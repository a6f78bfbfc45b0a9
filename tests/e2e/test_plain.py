"""Off a terminal nothing but text, unless colour is asked for; what tests print passes or is filtered."""

from __future__ import annotations

import re

import pytest

from .harness import Finished, Project

COLOURFUL = r"""
    import os

    TEXT = b"\x1b[31mred\x1b[0m \x1b]0;title\x07\xe2\x9c\x93\xff 0%\r50%\r100%\r\n\x1b]never ended"

    def test_it():
        os.write(1, TEXT)
        os.write(2, b"\x9b31merr\x1b[0m\n")
"""
PRINTED = b"\x1b[31mred\x1b[0m \x1b]0;title\x07\xe2\x9c\x93\xff 0%\r50%\r100%\r\n\x1b]never ended"
PLAIN = b"red \xe2\x9c\x93\xff 0%\n100%\r\n"
AGENT = {"CLAUDECODE": "1"}


def assert_plain(finished: Finished) -> None:
    for data in (finished.out, finished.err):
        assert not re.search(rb"[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f]|\r(?!\n)", data), finished


@pytest.fixture
def colourful(project: Project) -> Project:
    project.write("test_it.py", COLOURFUL)
    return project


def test_what_tests_print_passes_byte_for_byte(colourful: Project) -> None:
    finished = colourful.stest("-s").expect(0)
    assert PRINTED in finished.out
    assert b"\x9b31merr\x1b[0m\n" in finished.err


def test_plain_leaves_only_text(colourful: Project) -> None:
    finished = colourful.stest("run", "--plain", "--", "-s").expect(0)
    assert_plain(finished)
    assert PLAIN in finished.out
    assert b"never ended" in finished.out
    assert b"err\n" in finished.err


def test_an_agent_gets_plain_text(colourful: Project) -> None:
    finished = colourful.stest("-s", env=AGENT).expect(0)
    assert_plain(finished)
    assert PLAIN in finished.out


@pytest.mark.parametrize("colour", [("--color=yes", {}), ("-v", {"FORCE_COLOR": "1"})])
def test_an_agent_that_asks_for_colour_gets_it(
    colourful: Project, colour: tuple[str, dict[str, str]]
) -> None:
    option, env = colour
    assert PRINTED in colourful.stest("-s", option, env={**AGENT, **env}).expect(0).out


def test_plain_wins_over_a_wish_for_colour(colourful: Project) -> None:
    command = ("run", "--plain", "--", "-s", "--color=yes")
    assert_plain(colourful.stest(*command, env={"FORCE_COLOR": "1"}).expect(0))


def test_plain_output_arrives_at_once(project: Project) -> None:
    """The test goes on only after its progress has been seen."""
    project.write(
        "test_it.py",
        """
        import os, time

        def test_it():
            os.write(1, b"\\x1b[32mstep 0\\x1b[0m")
            while not os.path.exists("seen"):
                time.sleep(0.01)
        """,
    )
    client = project.start("run", "--plain", "--", "-s")
    assert client.stdout
    seen = b""
    while b"step 0" not in seen:
        piece = client.stdout.read1(4096)  # type: ignore[attr-defined]
        assert piece, project.finish(client)
        seen += piece
    project.write("seen", "")
    project.finish(client).expect(0)


def test_verify_is_plain_for_an_agent(colourful: Project) -> None:
    colourful.write("test_x.py", "import os\ndef test_x(): os.write(1, b'\\x1b[1mx\\r'); assert 0")
    assert_plain(colourful.stest("verify", "-s", env=AGENT).expect(0))


EVERYTHING = [
    (("--help",), 0),
    (("run", "--help"), 0),
    (("--version",), 0),
    (("status",), 108),
    (("start",), 0),
    (("-q",), 1),
    (("run", "--events", "--", "-q"), 1),
    (("status",), 0),
    (("status", "--json"), 0),
    (("logs",), 0),
    (("status", "--bogus"), 101),
    (("statsu",), 101),
    (("verify", "-q"), 0),
    (("restart",), 0),
    (("stop",), 0),
]


@pytest.mark.parametrize("env", [{}, {"NO_COLOR": "1"}, {"TERM": "xterm-256color", **AGENT}])
def test_nothing_through_pipes_has_an_escape(project: Project, env: dict[str, str]) -> None:
    project.write("test_it.py", "import warnings\ndef test_a(): warnings.warn('w')\ndef test_b(): assert 0\n")
    for command, code in EVERYTHING:
        assert_plain(project.stest(*command, env=env).expect(code))


def test_force_color_colours_stests_own_lines(project: Project) -> None:
    assert (
        b"\x1b[31mstest:\x1b[0m"
        in project.stest("status", "--bogus", env={"FORCE_COLOR": "1"}).expect(101).err
    )
    without = {"FORCE_COLOR": "1", "NO_COLOR": "1"}
    assert_plain(project.stest("status", "--bogus", env=without).expect(101))
