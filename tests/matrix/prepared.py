"""Whether runs are prepared although a plugin or a library has side effects while pytest begins.

    python tests/matrix/prepared.py [NAME...]

Makes an environment per set-up from PyPI (see `matrix.py`), runs its suite until everything is warm, and
prints what `stest status` says of its snapshot, the median time of the next runs, and how that compares with
a suite without plugins. Exit code 1 where fewer set-ups are collected ahead than `GOAL`, or a run fails.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matrix import NEWEST, environment

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from support.readiness import done_ahead

#: How many set-ups must be collected ahead.
GOAL = 11
#: A warm run has at most this many times the duration of one without plugins.
MOST = 1.5
RUNS = 7

TEST = "import subject\ndef test_it(): assert subject.double(2) == 4\n"


@dataclass(frozen=True)
class Setup:
    requirements: tuple[str, ...]
    args: tuple[str, ...] = ()
    test: str = TEST


SETUPS = {
    "randomly": Setup(("pytest-randomly",)),
    "rerunfailures": Setup(("pytest-rerunfailures",), ("--reruns=2",)),
    "metadata": Setup(("pytest-metadata",)),
    "html": Setup(("pytest-html",), ("--html=report.html",)),
    "json-report": Setup(("pytest-json-report",), ("--json-report",)),
    "benchmark": Setup(
        ("pytest-benchmark",),
        ("--benchmark-disable",),
        "import subject\ndef test_it(benchmark): assert benchmark(subject.double, 2) == 4\n",
    ),
    "sugar": Setup(("pytest-sugar",)),
    "cov": Setup(("pytest-cov",), ("--cov=subject",)),
    "allure": Setup(("allure-pytest",), ("--alluredir=allure",)),
    "freezegun": Setup(
        ("freezegun", "python-dateutil"),
        test="import datetime, dateutil.parser, freezegun, subject\n"
        "@freezegun.freeze_time('2020-01-01')\ndef test_it(): assert datetime.date.today().year == 2020\n",
    ),
    "--lf": Setup((), ("--lf",)),
    "pandas": Setup(
        ("pandas",),
        test="import pandas, subject\ndef test_it(): assert pandas.Series([subject.double(1)]).sum() == 2\n",
    ),
    "sklearn": Setup(
        ("scikit-learn",),
        test="import subject\nfrom sklearn.linear_model import LinearRegression\n"
        "def test_it(): assert LinearRegression().fit([[0], [1]], [0, subject.double(1)]).coef_[0] > 1.9\n",
    ),
    "joblib": Setup(
        ("joblib",),
        test="import joblib, subject\nCORES = joblib.cpu_count(only_physical_cores=True)\n"
        "def test_it(): assert CORES and subject.double(2) == 4\n",
    ),
}


class Suite:
    def __init__(self, setup: Setup, test: str, args: tuple[str, ...], folder: Path) -> None:
        self._bin = environment(
            "prepared-" + "-".join(setup.requirements), [f"pytest=={NEWEST}", *setup.requirements]
        )
        self._root, self._args = folder, args
        (folder / "pytest.ini").write_text("[pytest]\n")
        (folder / "subject.py").write_text("def double(value): return 2 * value\n")
        (folder / "test_it.py").write_text(test)
        commit = ["-c", "user.name=n", "-c", "user.email=e", "commit", "-qm", "c"]
        for command in (["init", "-q"], ["add", "."], commit):
            subprocess.run(["git", *command], cwd=folder, check=True)

    def stest(self, *args: str) -> str:
        ours = ("PYTEST", "PYTHON", "SPRINTEST_")
        env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        env.update(SPRINTEST_WAIT_FOR_WORKER="yes", PATH=f"{self._bin}{os.pathsep}{env['PATH']}")
        done = subprocess.run(
            ["stest", *args], cwd=self._root, env=env, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"stest {args}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def snapshot(self) -> dict[str, Any]:
        """The state of the prepared run once it has come as far as it comes."""
        return done_ahead(lambda: json.loads(self.stest("status", "--json")))

    def run(self) -> float:
        begin = time.perf_counter()
        self.stest("test_it.py", *self._args)
        return time.perf_counter() - begin

    def measure(self) -> tuple[dict[str, Any], float]:
        """The last snapshot, and the median duration of warm runs in seconds."""
        try:
            for _ in range(3):
                self.run()
                self.snapshot()
            times = []
            for _ in range(RUNS):
                times.append(self.run())
                last = self.snapshot()
            return last, statistics.median(times)
        finally:
            self.stest("stop")


def main(names: list[str]) -> int:
    wanted = {name: SETUPS[name] for name in names or SETUPS}
    collected, failed = 0, False
    print(f"{'set-up':<14} {'ms':>6} {'x':>5}  snapshot")
    for name, setup in wanted.items():
        try:
            with tempfile.TemporaryDirectory() as own, tempfile.TemporaryDirectory() as other:
                snapshot, time_s = Suite(setup, setup.test, setup.args, Path(own)).measure()
                _, without_s = Suite(Setup(()), TEST, (), Path(other)).measure()
        except RuntimeError as error:
            failed = True
            print(f"{name:<14} {error}")
            continue
        collected += snapshot["collected"]
        failed = failed or (snapshot["collected"] and time_s > MOST * without_s + 0.01)
        state = "collected" if snapshot["collected"] else snapshot["reason"]
        print(f"{name:<14} {1000 * time_s:6.0f} {time_s / without_s:5.2f}  {state}", flush=True)
    print(f"{collected} of {len(wanted)} are collected ahead")
    return int(failed or collected < min(GOAL, len(wanted)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
