"""The command line as people type it: mistakes, help, the man page, and completions in real shells."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import termios
import time

import pytest

from .harness import BIN, DEADLINE, Project

SHARES_A_DAEMON = True

TEST = """
    import pytest

    @pytest.mark.parametrize("value", ["a b", "c"])
    def test_values(value):
        pass

    def test_one():
        pass
"""

# What a shell reads first, to know the completions of stest.
SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], 'eval "$(stest completions bash)"'),
    "zsh": (
        ["zsh", "-f", "-i"],
        'autoload -Uz compinit; compinit -u -D; eval "$(stest completions zsh)"',
    ),
    "fish": (["fish", "--no-config", "-i"], "stest completions fish | source"),
}


class Terminal:
    """A shell on a terminal, to which a test types."""

    def __init__(self, project: Project, shell: str) -> None:
        words, setup = SHELLS[shell]
        self._fd, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        env = {**project.env, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "TERM": "xterm"}
        process = subprocess.Popen(
            words,
            cwd=project.root,
            env=env,
            stdin=inner,
            stdout=inner,
            stderr=inner,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(inner)
        project.adopt(process)
        self._read_until_quiet()
        self._type(setup + "\r")

    def close(self) -> None:
        os.close(self._fd)

    def complete(self, line: str) -> list[str]:
        """The words after "stest " once the line has been typed, and the key Tab."""
        self._type(f"stest {line}\t")
        # What lies on the line becomes arguments of printf.
        seen = self._type("\x01printf '<%s>' \x05 END\r", until="<END>")
        return re.findall("<([^>]*)>", seen[seen.rindex("<stest>") :])[1:-1]

    def _type(self, keys: str, until: str = "") -> str:
        os.write(self._fd, keys.encode())
        end = time.monotonic() + DEADLINE
        seen = self._read_until_quiet()
        while until not in seen:
            assert time.monotonic() < end, seen
            seen += self._read_until_quiet()
        return seen

    def _read_until_quiet(self) -> str:
        seen = b""
        while select.select([self._fd], [], [], 0.5)[0]:
            seen += os.read(self._fd, 4096)
        return seen.decode(errors="replace")


def test_run_needs_no_dashes(project: Project) -> None:
    project.write("tests/test_it.py", TEST)
    project.write("test_other.py", "def test_other(): assert False")
    finished = project.stest("run", "--timings", "tests", "-q").expect(0)
    assert "3 passed" in finished.text
    assert "where the time went" in finished.errors
    assert "3 passed" in project.stest("run", "--timings", "--", "tests", "-q").expect(0).text
    assert "3 passed" in project.stest("run", "-q", "--tb=short", "tests").expect(0).text


def test_a_misspelt_command_runs_nothing(project: Project) -> None:
    finished = project.stest("statsu").expect(101)
    assert finished.errors == (
        "stest: stest has no command 'statsu'; did you mean `stest status`?\n"
        "hint: if this is an argument for pytest: stest run -- statsu\n"
    )
    assert not finished.out
    project.write("statsu/test_it.py", TEST)
    assert "3 passed" in project.stest("statsu").expect(0).text


def test_options_of_run_need_run(project: Project) -> None:
    finished = project.stest("--timings", "-k", "a or b").expect(101)
    assert "`--timings` is an option of `stest run`" in finished.errors
    assert "hint: stest run --timings -- -k 'a or b'\n" in finished.errors
    assert "did you mean `--timings`?" in project.stest("run", "--timing").expect(101).errors


def test_a_command_wins_over_a_folder_and_says_so(project: Project) -> None:
    project.write("status/test_it.py", TEST)
    finished = project.stest("status")
    assert finished.errors.startswith(
        "stest: `status` is a command of stest; to run the tests in the folder of that name: stest ./status\n"
    )
    assert "3 passed" in project.stest("./status").expect(0).text


def test_help_and_version_are_commands(project: Project) -> None:
    assert project.stest("help").expect(0).out == project.stest("--help").expect(0).out
    assert project.stest("help", "logs").expect(0).out == project.stest("logs", "--help").expect(0).out
    assert project.stest("version").expect(0).out == project.stest("--version").expect(0).out


@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
def test_the_man_page_is_correct_roff(project: Project) -> None:
    page = project.stest("man").expect(0).out
    groff = subprocess.run(["groff", "-man", "-Tutf8", "-ww"], input=page, capture_output=True, check=True)
    assert not groff.stderr
    assert b"--stuck-after" in re.sub(rb".\x08|\x1b\[\d*m", b"", groff.stdout)


@pytest.mark.parametrize("shell", SHELLS)
def test_completions_in_a_shell(project: Project, shell: str) -> None:
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    project.write("tests/test_it.py", TEST)
    project.stest("tests").expect(0)
    terminal = Terminal(project, shell)
    try:
        assert terminal.complete("stat") == ["status"]
        assert terminal.complete("status --js") == ["status", "--json"]
        assert terminal.complete("run --stu") == ["run", "--stuck-after"]
        assert terminal.complete("cancel --how ter") == ["cancel", "--how", "terminate"]
        assert terminal.complete("help comp") == ["help", "completions"]
        assert terminal.complete("tests/te") == ["tests/test_it.py"]
        assert terminal.complete("run -q tests/te") == ["run", "-q", "tests/test_it.py"]
        assert terminal.complete("tests/test_it.py::test_o") == ["tests/test_it.py::test_one"]
        assert terminal.complete("run tests/test_it.py::test_o") == ["run", "tests/test_it.py::test_one"]
        assert terminal.complete("-x tests/test_it.py::test_values\\[a") == [
            "-x",
            "tests/test_it.py::test_values[a b]",
        ]
    finally:
        terminal.close()


def test_node_ids_are_those_of_the_folder(project: Project) -> None:
    assert not project.stest("__nodeids", "t").expect(0).out
    project.write("tests/test_it.py", TEST)
    project.stest("tests").expect(0)
    below = project.stest("__nodeids", "test_it.py::test_o", cwd="tests").expect(0)
    assert below.out == b"test_it.py::test_one\n"
