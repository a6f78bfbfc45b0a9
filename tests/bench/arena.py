"""One rival in one project: its copy of the project, its environment, its daemon; and what a run brought."""

from __future__ import annotations

import os
import select
import shlex
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path

from processes import Family
from projects import Copy, Project
from rivals import Rival

TIMEOUT = 300.0  # Seconds after which a command is given up.
FOREIGN = ("SPRINTEST_", "PYTEST_", "PYTHON", "STEST_")  # The caller's variables that would change a run.


@dataclass(frozen=True)
class Run:
    """A command from start to exit: wall seconds, what it printed, and what is wrong; nothing: nothing."""

    seconds: float
    output: str
    problem: str = ""


class Arena:
    """A context manager: on exit nothing of it runs any more."""

    def __init__(self, rival: Rival, project: Project, programs: Path, home: Path) -> None:
        self.rival = rival
        self.family = Family(f"{home}/")
        self.broken = ""  # Why the rival cannot run this project at all; nothing: it can.
        self._home = home
        self._state = home / "state"
        self.copy = Copy(project, home / "project")
        self._others = 0
        self._words = {"state": str(self._state), "port": str(_free_port())}
        self._use(self.copy.tests)
        self._programs = programs

    def __enter__(self) -> Arena:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def warm_up(self) -> None:
        """Gives the rival all the runs and all the time that it wants to prepare itself."""
        self._state.mkdir(exist_ok=True)
        if self.rival.serve:
            self.start(self.rival.serve)
            self.family.settle(quiet=2)
        for _ in range(3 if self.rival.daemon else 1):  # One fills the page cache and writes the bytecode.
            run = self.run()
            self.family.settle()
        self.broken = run.problem

    def stop(self) -> None:
        """Ends the daemon, by the rival's own command if it has one, then whatever is left."""
        if self.rival.stop and self.family.pids():
            self.command(self.rival.stop)
        self.family.end()

    def forget(self) -> None:
        """Ends the daemon and removes what it has learned; bytecode stays, as it does for plain pytest."""
        self.stop()
        for folder in (self._state, self.copy.folder / ".sprintest"):
            shutil.rmtree(folder, ignore_errors=True)
        self._state.mkdir()

    def run(self, line: str = "", other_arguments: bool = False) -> Run:
        """Runs the project's tests, as the rival does or by another command line, and looks at the answer.

        `other_arguments`: ones that select the same tests, but were in no run before.
        """
        self.copy.take_answer()
        self._others += other_arguments
        self._use(self.copy.tests + f" -k 'not nothing{self._others}'" * other_arguments)
        run = self.command(line or self.rival.run)
        answer = self.copy.take_answer()
        if run.problem or answer == self.copy.answer:
            return run
        return replace(run, problem="wrong answer" if answer else "ran no test")

    def _use(self, tests: str) -> None:
        self._words |= {"args": f"-q {tests}", "tests": tests}

    def command(self, line: str) -> Run:
        """Runs a command to its end."""
        begin = time.perf_counter()
        process = self.start(line)
        if not _ends_within(TIMEOUT, process.pid):
            process.kill()
            process.wait()
            return Run(TIMEOUT, self._output(), f"no end after {TIMEOUT:.0f} s")
        seconds = time.perf_counter() - begin
        code = process.wait()
        return Run(seconds, self._output(), f"exit code {code}" if code else "")

    def start(self, line: str) -> subprocess.Popen[bytes]:
        """Starts a command. Its output goes to a file: daemons hold what they inherit, a pipe had no end."""
        with (self._home / "output").open("wb") as output:
            return subprocess.Popen(
                shlex.split(line.format(**self._words)),
                cwd=self.copy.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def _output(self) -> str:
        return (self._home / "output").read_text(errors="replace")

    def _environment(self) -> dict[str, str]:
        """As after `source activate`, with the rival's variables."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
        own = {k: v.format(**self._words) for k, v in self.rival.env.items()}
        path = {
            "PATH": f"{self._programs}:{os.environ['PATH']}",
            "VIRTUAL_ENV": str(self._programs.parent),
        }
        return {**inherited, **own, **self.family.env, **path}


def _ends_within(seconds: float, pid: int) -> bool:
    """Sees the end when it comes; `Popen.wait` with a timeout looks every 50 ms."""
    descriptor = os.pidfd_open(pid)
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)


def _free_port() -> int:
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
        port: int = it.getsockname()[1]
        return port
