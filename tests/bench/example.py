"""Times the example under plain pytest and under stest, interleaved, on a copy of `examples/`.

    python tests/bench/example.py [--rounds 7] [--json]

Interleaved, because a machine's speed drifts; medians, because its noise is one-sided.
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
from dataclasses import asdict, dataclass
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
STEST = Path(sys.executable).parent / "stest"
TESTS = ["test_ai_model.py", "-q"]


@dataclass(frozen=True)
class Timing:
    """Wall times of one kind of run, in seconds."""

    name: str
    median: float
    fastest: float
    slowest: float
    rounds: int

    @classmethod
    def of(cls, name: str, seconds: list[float]) -> Timing:
        return cls(name, statistics.median(seconds), min(seconds), max(seconds), len(seconds))


class Bench:
    """A private copy of the example, with its own daemon; edits stay in the copy."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("SPRINTEST_")}

    def run(self, *command: str) -> float:
        """Wall seconds of a command that must succeed."""
        begin = time.perf_counter()
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        seconds = time.perf_counter() - begin
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)} → {done.returncode}\n{done.stdout.decode(errors='replace')}")
        return seconds

    def plain(self) -> float:
        return self.run(sys.executable, "-m", "pytest", *TESTS)

    def warm(self) -> float:
        return self.run(str(STEST), *TESTS)

    def edited(self) -> float:
        """A run right after a leaf module of the project changed."""
        with (self.folder / "tinyai" / "score.py").open("a") as file:
            file.write("\n# edited\n")
        return self.warm()

    def status(self) -> float:
        return self.run(str(STEST), "status")


@contextmanager
def private_copy() -> Iterator[Bench]:
    with tempfile.TemporaryDirectory(prefix="stest-bench-") as home:
        folder = Path(home) / "examples"
        ignored = shutil.ignore_patterns(".sprintest", ".pytest_cache", "__pycache__")
        shutil.copytree(EXAMPLES, folder, ignore=ignored)
        bench = Bench(folder)
        try:
            yield bench
        finally:
            bench.run(str(STEST), "stop")


def interleaved(kinds: dict[str, Callable[[], float]], rounds: int) -> list[Timing]:
    seconds: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(rounds):
        for name, run in kinds.items():
            seconds[name].append(run())
    return [Timing.of(name, times) for name, times in seconds.items()]


def measure(rounds: int) -> list[Timing]:
    """Plain pytest first, so that every timing is the ratio's base times something."""
    with private_copy() as bench:
        bench.plain()  # Fills the page cache and writes the bytecode; not counted.
        first = Timing.of("stest, first run", [bench.warm()])
        kinds = {"plain pytest": bench.plain, "stest, warm": bench.warm, "stest, after an edit": bench.edited}
        plain, *others = interleaved(kinds, rounds)
        status = Timing.of("stest status", [bench.status() for _ in range(3 * rounds)])
        return [plain, first, *others, status]


def table(timings: list[Timing]) -> str:
    plain = timings[0].median
    lines = [f"{'run':<22}{'median':>9}{'fastest':>9}{'slowest':>9}{'rounds':>8}{'faster':>9}"]
    for t in timings:
        times = "".join(f"{seconds:>8.3f}s" for seconds in (t.median, t.fastest, t.slowest))
        lines.append(f"{t.name:<22}{times}{t.rounds:>8}{plain / t.median:>8.1f}x")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the example under plain pytest and under stest.")
    parser.add_argument("--rounds", type=int, default=7, help="of each kind of run (default: 7)")
    parser.add_argument("--json", action="store_true", help="print the timings as JSON")
    options = parser.parse_args()
    timings = measure(options.rounds)
    print(json.dumps([asdict(t) for t in timings], indent=2) if options.json else table(timings))


if __name__ == "__main__":
    main()
