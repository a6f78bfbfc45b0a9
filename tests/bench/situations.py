"""No run is slower than plain pytest: the situations of a day, each beside plain pytest.

    python tests/bench/situations.py [--rounds N] [--only NAME…]

For the example and for two suites from PyPI (those of tests/parity, which must be prepared: run
`python tests/parity/parity.py click einops` once). Each suite is copied to a folder of its own. Prints the
median wall time of stest and of plain pytest with the same arguments, and their ratio; in one row of stest
and of stest whose runs copy the pages that they write to themselves. Exit code 1 where stest takes more than
1.1 times the time of plain pytest and 50 ms more.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1]))
sys.path.append(str(Path(__file__).resolve().parents[1] / "parity"))
from suites import SUITES, Suite
from support.readiness import done_ahead

MOST, MORE_S = 1.1, 0.05
DEADLINE_S = 300
#: A second test file beside that of the suite: another request.
LIGHT = "def test_light(): pass\n"
THREADED = "import threading, time\nthreading.Thread(target=time.sleep, args=(999,), daemon=True).start()\n"
PROMPT = "def test_prompt(): input()\n"
#: A madvise(2) without MADV_POPULATE_WRITE, as in Linux before 5.14: see worker/snapshot/written_pages.
NO_COPIES = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
int madvise(void *begin, size_t size, int advice) {
  int (*next)(void *, size_t, int) = (int (*)(void *, size_t, int))dlsym(RTLD_NEXT, "madvise");
  if (advice == 23) { errno = EINVAL; return -1; }
  return next(begin, size, advice);
}
"""


@dataclass(frozen=True)
class Subject:
    name: str
    suite: Suite
    args: tuple[str, ...]


SUBJECTS = [
    Subject("example", next(one for one in SUITES if one.name == "example"), ("test_ai_model.py",)),
    Subject("einops", next(one for one in SUITES if one.name == "einops"), ("einops/tests/test_packing.py",)),
    Subject("click", next(one for one in SUITES if one.name == "click"), ("tests/test_basic.py",)),
]


class Place:
    """A copy of a suite, with a daemon of its own."""

    def __init__(self, subject: Subject, folder: Path) -> None:
        self.subject, self.root = subject, folder / "project"
        shutil.copytree(subject.suite.cwd, self.root, ignore=shutil.ignore_patterns(".sprintest"))
        self.light = Path(subject.args[0]).parent / "test_light_one.py"
        (self.root / self.light).write_text(LIGHT)
        (self.root / self.light.with_name("test_prompt_one.py")).write_text(PROMPT)
        self._bin = subject.suite.python.parent
        ours = ("SPRINTEST_", "PYTEST", "VIRTUAL_ENV")
        env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        self._env = {**env, **subject.suite.env, "PATH": f"{self._bin}{os.pathsep}{env['PATH']}"}

    def command(self, program: str, args: tuple[str, ...]) -> list[str]:
        plain = [str(self._bin / "python"), "-m", "pytest"]
        return [*([str(self._bin / "stest")] if program == "stest" else plain), "-q", *args]

    def timed(self, program: str, args: tuple[str, ...], **env: str) -> float:
        begin = time.perf_counter()
        command, variables = self.command(program, args), {**self._env, **env}
        done = subprocess.run(
            command, cwd=self.root, env=variables, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            sys.exit(f"{program} {args}: {done.returncode}\n{done.stdout}{done.stderr}")
        return time.perf_counter() - begin

    def start(self, args: tuple[str, ...], program: str = "stest") -> subprocess.Popen[bytes]:
        quiet = subprocess.DEVNULL
        return subprocess.Popen(
            self.command(program, args),
            cwd=self.root,
            env=self._env,
            stdin=subprocess.PIPE,
            stdout=quiet,
            stderr=quiet,
        )

    def stest(self, *args: str) -> str:
        command = [str(self._bin / "stest"), *args]
        return subprocess.run(
            command, cwd=self.root, env=self._env, capture_output=True, text=True, check=False
        ).stdout

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = json.loads(self.stest("status", "--json"))
        return status

    def until(self, holds: Callable[[dict[str, Any]], Any]) -> None:
        end = time.monotonic() + DEADLINE_S
        while not holds(status := self.status()):
            if time.monotonic() > end:
                sys.exit(f"waited {DEADLINE_S} s: {status}")
            time.sleep(0.02)

    def stop(self) -> None:
        self.stest("stop")

    def fresh(self) -> None:
        self.stop()
        shutil.rmtree(self.root / ".sprintest", ignore_errors=True)

    def warm(self, **env: str) -> None:
        """Runs until the last run is done ahead, as far as it can be."""
        for _ in range(3):
            self.timed("stest", self.subject.args, **env)
            done_ahead(self.status)

    def edit(self) -> None:
        with (self.root / self.subject.suite.edited).open("a") as file:
            file.write("\n# One more line.\n")


@contextmanager
def another_run(place: Place, args: tuple[str, ...], answer: bytes = b"") -> Iterator[None]:
    """While it lasts, a run goes on in another terminal; it has begun."""
    other = place.start(args)
    try:
        place.until(lambda status: status["runs"] or other.poll() is not None)
        yield
    finally:
        other.communicate(answer)


#: A situation: prepares the place, and returns the arguments and variables of the run that is timed.
Situation = Callable[[Place], tuple[tuple[str, ...], dict[str, str]]]


def first(place: Place) -> tuple[tuple[str, ...], dict[str, str]]:
    place.fresh()
    return place.subject.args, {}


def importing(place: Place) -> tuple[tuple[str, ...], dict[str, str]]:
    first(place)
    place.timed("stest", place.subject.args)
    return place.subject.args, {}


def importing_light(place: Place) -> tuple[tuple[str, ...], dict[str, str]]:
    importing(place)
    return (str(place.light),), {}


def warm(place: Place) -> tuple[tuple[str, ...], dict[str, str]]:
    place.warm()
    return place.subject.args, {}


def after_edit(place: Place) -> tuple[tuple[str, ...], dict[str, str]]:
    place.warm()
    place.edit()
    return place.subject.args, {}


def other_file(place: Place) -> tuple[tuple[str, ...], dict[str, str]]:
    place.warm()
    return (str(place.light),), {}


def variable(place: Place) -> tuple[tuple[str, ...], dict[str, str]]:
    place.fresh()
    place.warm()
    return place.subject.args, {"OMP_NUM_THREADS": "1"}


def variable_back(place: Place) -> tuple[tuple[str, ...], dict[str, str]]:
    args, env = variable(place)
    place.timed("stest", args, **env)
    return args, {}


def alternating(place: Place) -> tuple[tuple[str, ...], dict[str, str]]:
    place.warm()
    place.warm(CI="1", OMP_NUM_THREADS="1")
    place.warm()
    return place.subject.args, {"CI": "1", "OMP_NUM_THREADS": "1"}


def installed(place: Place) -> tuple[tuple[str, ...], dict[str, str]]:
    """A distribution was installed: the worker is replaced."""
    place.warm()
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    python = str(place.subject.suite.python)
    site = Path(subprocess.check_output([python, "-c", code], text=True).strip())
    file = site / "situations_one.py"
    file.write_text("")
    file.unlink()  # The folder has changed.
    return place.subject.args, {}


def stopped(place: Place) -> tuple[tuple[str, ...], dict[str, str]]:
    place.warm()
    place.stop()
    return place.subject.args, {}


SITUATIONS: dict[str, Situation] = {
    "first run": first,
    "while the worker imports": importing,
    "another file while the worker imports": importing_light,
    "warm": warm,
    "right after an edit": after_edit,
    "another file": other_file,
    "after a variable changed": variable,
    "and back": variable_back,
    "agent and human alternating": alternating,
    "after pip install": installed,
    "after `stest stop`": stopped,
}


def measure(place: Place, situation: Situation, rounds: int) -> tuple[float, float]:
    times: dict[str, list[float]] = {"stest": [], "pytest": []}
    for _ in range(rounds):
        args, env = situation(place)
        times["stest"].append(place.timed("stest", args, **env))
        place.stop()
        times["pytest"].append(place.timed("pytest", args, **env))
    return statistics.median(times["stest"]), statistics.median(times["pytest"])


def beside(place: Place, other: tuple[str, ...], answer: bytes, rounds: int) -> tuple[float, float]:
    """Beside a run in another terminal; plain pytest then runs beside plain pytest."""
    times: dict[str, list[float]] = {"stest": [], "pytest": []}
    for _ in range(rounds):
        place.warm()
        with another_run(place, other, answer):
            times["stest"].append(place.timed("stest", place.subject.args))
        place.stop()
        plain = place.start(other, "pytest")
        times["pytest"].append(place.timed("pytest", place.subject.args))
        plain.communicate(answer)
    return statistics.median(times["stest"]), statistics.median(times["pytest"])


def copies(place: Place, rounds: int) -> tuple[float, float]:
    """Warm runs whose process has copied the pages ahead that it writes to, and those that copy them."""
    library = place.root / "no_copies.so"
    compiler = ["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", str(library)]
    subprocess.run(compiler, input=NO_COPIES, text=True, check=True)
    without = {"LD_PRELOAD": str(library)}
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for some, env in zip(times, ({}, without)):
            place.warm(**env)
            some.append(place.timed("stest", place.subject.args, **env))
    return statistics.median(times[0]), statistics.median(times[1])


def trying_out(subject: Subject, rounds: int) -> tuple[float, float]:
    """A module that cannot be preloaded has ended the worker: the next one tries out each in a fork."""

    def begin(place: Place) -> tuple[tuple[str, ...], dict[str, str]]:
        place.fresh()
        place.timed("stest", subject.args, **env)
        place.until(lambda status: status["worker"] is None)
        place.timed("stest", subject.args, **env)
        place.until(lambda status: status["worker"]["importing"] or status["state"] == "idle")
        return subject.args, env

    with tempfile.TemporaryDirectory() as folder:
        place = Place(subject, Path(folder))
        env = {"PYTHONPATH": folder}
        (Path(folder) / "threaded.py").write_text(THREADED)
        settings = place.root / "pyproject.toml"
        text = settings.read_text()
        if "[tool.sprintest]" not in text:
            text += "\n[tool.sprintest]\npreload = [\n]\n"
        settings.write_text(text.replace("preload = [", 'preload = ["threaded",'))
        try:
            return measure(place, begin, rounds)
        finally:
            place.stop()


def worktree(subject: Subject, rounds: int) -> tuple[float, float]:
    """The first run in a second copy, while the daemon of the first one is there."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        first_place, second = Place(subject, Path(one)), Place(subject, Path(two))
        first_place.warm()
        try:
            return measure(second, first, rounds)
        finally:
            first_place.stop()
            second.stop()


def main() -> int:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", default=[one.name for one in SUBJECTS])
    options = parser.parse_args()
    slower = 0
    for subject in (one for one in SUBJECTS if one.name in options.only):
        print(f"\n{subject.name:<40} {'stest':>8} {'pytest':>8} {'ratio':>7}", flush=True)

        def row(name: str, times: tuple[float, float]) -> None:
            nonlocal slower
            ours, theirs = times
            is_slower = ours > MOST * theirs + MORE_S
            slower += is_slower
            mark = "  slower" if is_slower else ""
            print(f"{name:<40} {ours:8.2f} {theirs:8.2f} {ours / theirs:7.2f}{mark}", flush=True)

        with tempfile.TemporaryDirectory() as folder:
            place = Place(subject, Path(folder))
            place.timed("pytest", subject.args)  # Files come from the disk once.
            try:
                for name, situation in SITUATIONS.items():
                    row(name, measure(place, situation, options.rounds))
                prompt = ("-s", str(place.light.with_name("test_prompt_one.py")))
                row("warm; beside it without copies ahead", copies(place, options.rounds))
                row("beside another run", beside(place, subject.args, b"", options.rounds))
                row("beside a run at a prompt", beside(place, prompt, b"\n", options.rounds))
            finally:
                place.stop()
        row("while modules are tried out", trying_out(subject, options.rounds))
        row("second worktree", worktree(subject, options.rounds))
    return int(slower > 0)


if __name__ == "__main__":
    sys.exit(main())
