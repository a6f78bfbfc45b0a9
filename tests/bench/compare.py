"""Times stest, its rivals and plain pytest on the same projects, side by side.

    python tests/bench/compare.py [--cases CASE…] [--rivals RIVAL…] [--repeat N] [--write]

What is measured, and how, is told in docs/benchmarks.md. It can be ended at any time and started again; all
that it started ends with it.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path

from arena import Arena
from cases import CASES, Case
from plot import svg
from processes import Family
from projects import Project
from report import as_json, conditions, markdown, write_between_marks
from results import Results
from rivals import RIVALS, Rival
from venvs import ROOT, newest_wheel, prepare

PAGE = ROOT / "docs" / "benchmarks.md"
PLOT = PAGE.with_suffix(".svg")
README_PLOT, README_CASES = PAGE.with_name("speed.svg"), ("example", "leaf")


class Benchmark:
    """Measures into `results`; everything lives in the folder `home`."""

    def __init__(self, home: Path, rivals: list[Rival], programs: dict[str, Path], repeat: int) -> None:
        self.results = Results()
        self._home = home
        self._rivals = rivals
        self._programs = programs
        self._repeat = repeat
        self._everybody = Family(f"{home}/")

    def measure(self, project: Project, cases: list[Case]) -> None:
        """All cases of one project: every rival is warmed up once, then they take turns."""
        with ExitStack() as stack:
            arenas = [stack.enter_context(self._arena(rival, project, cases)) for rival in self._rivals]
            for arena in arenas:
                _say(f"warming up {arena.rival.name} for: {', '.join(case.name for case in cases)}")
                arena.warm_up()
            for case in cases:
                for turn in range(self._repeat):
                    _say(f"{case.name}, {turn + 1} of {self._repeat}")
                    for arena in arenas:
                        self._sample(case, arena)

    def _arena(self, rival: Rival, project: Project, cases: list[Case]) -> Arena:
        home = self._home / f"{cases[0].name}-{rival.name.replace(' ', '-')}"
        return Arena(rival, project, self._programs[rival.name], home)

    def _sample(self, case: Case, arena: Arena) -> None:
        if case.only and case.only != arena.rival.requirement:
            return
        measurement = self.results.of(case.name, arena.rival.name)
        if reason := case.refuse(arena.rival) or arena.broken:
            measurement.problems.append(reason)
            return
        self._everybody.settle()
        sample = case.sample(arena)
        measurement.add(sample)
        if sample.problem:  # Whatever state it is in: the next sample is to be a fair one.
            arena.stop()
            arena.warm_up()


def _versions(python: Path) -> dict[str, str]:
    """Of what everybody has, as one environment knows them."""
    code = "import sys; from importlib.metadata import version; print(*map(version, sys.argv[1:]))"
    names = ("pytest", "torch", "transformers")
    done = subprocess.run([python, "-c", code, *names], stdout=subprocess.PIPE, check=True, text=True)
    return dict(zip(names, done.stdout.split()))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time stest, its rivals and plain pytest, side by side.")
    cases, rivals = {case.name: case for case in CASES}, {rival.name: rival for rival in RIVALS}
    for option, known in (("cases", cases), ("rivals", rivals)):
        every = list(known)
        parser.add_argument(f"--{option}", nargs="+", choices=every, default=every, help="default: all")
    parser.add_argument("--repeat", type=int, default=7, metavar="N", help="samples of each (default: 7)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample")
    parser.add_argument("--svg", type=Path, metavar="FILE", help="write a plot")
    parser.add_argument("--write", action="store_true", help="write docs/benchmarks.md and the plots")
    options = parser.parse_args()
    options.cases = [case for name, case in cases.items() if name in options.cases]
    options.rivals = [rival for name, rival in rivals.items() if name in options.rivals]
    return options


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def main() -> None:
    options = _options()
    wheel = newest_wheel()
    programs = {rival.name: prepare(rival, wheel) for rival in options.rivals}
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    with tempfile.TemporaryDirectory(prefix="stest-bench-") as home:
        benchmark = Benchmark(Path(home), options.rivals, programs, options.repeat)
        interrupted = False
        try:
            for project, cases in groupby(options.cases, key=lambda case: case.project):
                benchmark.measure(project, list(cases))
        except KeyboardInterrupt:
            _say("interrupted; this is what has been measured")
            interrupted = True
    circumstances = conditions(_versions(next(iter(programs.values())) / "python"), options.repeat)
    text = markdown(benchmark.results, options.rivals, options.cases, circumstances)
    print(text)
    if options.json:
        options.json.write_text(json.dumps(as_json(benchmark.results, circumstances), indent=2) + "\n")
    if options.svg:
        options.svg.write_text(svg(benchmark.results, options.cases))
    if interrupted:
        sys.exit(128 + signal.SIGINT)
    if options.write:
        write_between_marks(PAGE, f"![The medians as bars]({PLOT.name})\n\n{text}")
        PLOT.write_text(svg(benchmark.results, options.cases))
        shown = [case for case in options.cases if case.name in README_CASES]
        README_PLOT.write_text(svg(benchmark.results, shown, others=3))


if __name__ == "__main__":
    main()
