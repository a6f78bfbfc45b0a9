"""Long waits show progress: on a terminal a line that changes and goes away, elsewhere a few calm lines."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable

import pytest

from .harness import DEADLINE, STEST, WAITING_TEST, Project, wait_for

SLOW = """
    import os, time

    while os.path.exists({gate!r}):
        time.sleep(0.01)
"""


class TerminalRun:
    """`stest` with a terminal as its stderr, and a file as its stdout."""

    def __init__(self, project: Project, *args: str, **env: str) -> None:
        self.project = project
        self.text = ""
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
        self.out = project.home / "stdout"
        with self.out.open("wb") as out:
            self.client = subprocess.Popen(
                [STEST, *args],
                cwd=project.root,
                env={**project.env, "TERM": "xterm", **env},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=slave,
                start_new_session=True,
            )
        os.close(slave)
        project.adopt(self.client)

    def read(self) -> bool:
        """Reads what there is; false at the end."""
        if not select.select([self.master], [], [], 0.05)[0]:
            return True
        try:
            self.text += os.read(self.master, 4096).decode(errors="replace")
        except OSError:  # So a terminal says that its last user has gone.
            return False
        return True

    def await_text(self, pattern: str) -> re.Match[str]:
        def found() -> re.Match[str] | None:
            self.read()
            return re.search(pattern, self.text)

        match = wait_for(found, f"{pattern} in {self.text!r}")
        assert match
        return match

    def finish(self, code: int) -> None:
        end = time.monotonic() + DEADLINE
        while self.read():
            assert time.monotonic() < end, self.text
        os.close(self.master)
        assert self.client.wait(DEADLINE) == code, self.text


def shown_in_the_end(text: str) -> str:
    """What stays on the terminal: each line as it was after its last return and erasure."""
    lines = [line.split("\r\x1b[K")[-1].rstrip("\r") for line in text.split("\n")]
    return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(lines))


@pytest.fixture
def gated(project: Project) -> tuple[Project, Callable[[], None]]:
    """A project whose worker imports a module that waits as long as the file `gate` is there."""
    gate = project.write("gate", "")
    project.install("heavy_thing.py", SLOW.format(gate=str(gate)))
    project.configure('preload = ["heavy_thing"]')
    project.write("test_it.py", "import heavy_thing\ndef test(): pass\n")
    return project, gate.unlink


def test_imports_are_shown_on_the_terminal_and_wiped(gated: tuple[Project, Callable[[], None]]) -> None:
    project, open_gate = gated
    run = TerminalRun(project, "-q")
    run.await_text(r"\r\x1b\[K.{0,9}stest:.{0,4} importing heavy_thing, \d+\.\d s")
    open_gate()
    run.finish(0)
    assert "importing" not in shown_in_the_end(run.text)
    assert re.fullmatch(r"\..*\n1 passed in [\d.]+s\n", run.out.read_text(), re.S)


def test_the_time_that_is_expected_is_shown(gated: tuple[Project, Callable[[], None]]) -> None:
    project, open_gate = gated
    first = TerminalRun(project, "-q")
    first.await_text(r"importing heavy_thing, [2-9]")
    assert "of about" not in first.text
    open_gate()
    first.finish(0)
    project.await_idle()
    project.write("gate", "")
    second = TerminalRun(project, "-q", OMP_NUM_THREADS="3")  # Restarts the worker.
    second.await_text(r"importing heavy_thing, [\d.]+ s of about [\d.]+ s")
    (project.root / "gate").unlink()
    second.finish(0)


def test_nothing_moves_where_the_terminal_cannot(gated: tuple[Project, Callable[[], None]]) -> None:
    project, open_gate = gated
    run = TerminalRun(project, "-q", TERM="dumb")
    run.await_text(r"stest: importing heavy_thing, \d")
    open_gate()
    run.finish(0)
    assert "\x1b" not in run.text
    assert not re.search(r"\r(?!\n)", run.text)


def test_a_log_gets_calm_lines(gated: tuple[Project, Callable[[], None]]) -> None:
    project, open_gate = gated
    client = project.start("-q")
    assert client.stderr
    seen = b""
    while seen.count(b"importing heavy_thing") < 2:  # After 2 s and 8 s.
        piece = os.read(client.stderr.fileno(), 4096)
        assert piece, project.finish(client)
        seen += piece
    open_gate()
    project.finish(client).expect(0)
    lines = [line for line in seen.decode().splitlines() if "importing" in line]
    assert len(lines) == 2
    assert all(re.fullmatch(r"stest: importing heavy_thing, \d+\.\d s", line) for line in lines)


def test_the_queue_is_shown_with_what_runs(project: Project) -> None:
    project.configure("concurrency = 1")
    project.write("test_waiting.py", WAITING_TEST)
    project.write("test_fine.py", "def test(): pass\n")
    first = project.start("test_waiting.py", "-v")
    project.await_file("started")
    second = TerminalRun(project, "-q", "test_waiting.py")
    second.await_text(
        r"waiting \d+\.\d s for run 1 \(\d+\.\d s so far\); `stest run --cold` does not wait; next in the"
    )
    assert "1 passed" in project.stest("run", "--cold", "-q", "test_fine.py").expect(0).text
    project.write("go on", "")
    project.finish(first).expect(0)
    second.finish(0)
    assert "queue" not in shown_in_the_end(second.text)


def test_short_waits_are_not_mentioned(project: Project) -> None:
    project.write("test_it.py", "def test(): pass\n")
    project.stest("-q").expect(0)
    project.await_idle()
    assert project.stest("-q").expect(0).err == b""
