"""The state machine: edits of a generated project, and after each step the same answer from all modes."""

from __future__ import annotations

import difflib
import shutil
import tempfile
from pathlib import Path
from typing import Any

from e2e.environment import Environment
from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from . import packages, render
from .edits import EDITS, Done, Edits
from .expectation import Expectation
from .installation import Installation
from .model import World
from .modes import Suite, chosen_modes
from .statistics import COUNTS
from .tree import Tree

#: Rare kinds of edits are as likely as others, but for the plain one: it is what users do all day.
_NAMES = st.sampled_from(["constants"] * 3 + list(EDITS))
#: What is run after an edit: nearly always the whole suite; one file of it; nothing, more edits follow.
_RUNS = st.sampled_from(["all"] * 7 + ["one"] + ["none"] * 2)


class Freshness(RuleBasedStateMachine):
    """Edits the project as its user would, and runs its suite after each step."""

    base = Path()  # Where the projects of this test lie.
    environment: Environment  # Of their own: packages are installed into it.

    def __init__(self) -> None:
        super().__init__()
        self.suite: Suite | None = None
        self.pending: list[str] = []  # Edits since the last run.
        self.shown: dict[str, str] = {}  # The files as the last run had them.
        self.ill_for = 0

    @initialize(world=packages.worlds(), bytecode=st.booleans())
    def start(self, world: World, bytecode: bool) -> None:
        self.home = Path(tempfile.mkdtemp(dir=self.base))
        self.suite = Suite(self.home, self.environment, chosen_modes())
        self.installation = Installation(self.suite.project, world.site)
        if not bytecode:
            self.suite.project.env["PYTHONDONTWRITEBYTECODE"] = "1"
        self.edits = Edits(world, Tree(self.suite.project.root), bytecode)
        self.expectation = Expectation(world)
        self._sync("now")
        COUNTS.project(world)
        self.check([])

    def teardown(self) -> None:
        if self.suite:
            try:
                self.suite.close()
            finally:
                self.installation.close()
            shutil.rmtree(self.home)

    @rule(data=st.data(), name=_NAMES, run=_RUNS, file=st.integers(0, 9))
    def edit(self, data: Any, name: str, run: str, file: int) -> None:
        if self.ill_for >= 2:  # A project that stays broken tells little.
            name = "repair"
        done = self.edits.apply(data.draw, name)
        if done is None:
            return
        self._record(done)
        tests = self.edits.world.of_kind("test")
        if run != "none":
            self.check([tests[file % len(tests)].path] if run == "one" else [])

    def _record(self, done: Done) -> None:
        note(f"edit: {done}")
        COUNTS[f"edits: {done.what.partition(' ')[0].strip(',')}"] += 1
        self.pending.append(done.what)
        self.expectation.touch(self.edits.world, done.touched)
        self._sync(done.clock)

    def _sync(self, clock: str) -> None:
        self.edits.tree.sync(render.files(self.edits.world), clock)
        self.installation.sync(render.installed_files(self.edits.world))

    def check(self, args: list[str]) -> None:
        """Runs the suite, or the part of it that `args` name, in all modes and compares."""
        assert self.suite
        runs = self.suite.run(args, self.edits.env)
        COUNTS.runs(runs)
        world, tree = self.edits.world, self.edits.tree
        problems = self.expectation.problems(world, tree, runs, self.suite.loaded(), whole=not args)
        assert not problems, self._report(
            problems, {mode: "\n".join([run.output, *run.notices]) for mode, run in runs.items()}
        )
        self.suite.settle()
        self.ill_for = self.ill_for + 1 if world.ill else 0
        self.shown = self._files()
        self.pending.clear()

    def _files(self) -> dict[str, str]:
        installed = {f"site/{path}": text for path, text in self.installation.files.items()}
        return {**self.edits.tree.files, **installed}

    def _report(self, problems: list[str], outputs: dict[str, str]) -> str:
        """The project, the edits since the last run, and what each mode said."""
        told, world = "\n".join(problems), self.edits.world
        files = self._files()
        parts = [
            told,
            f"after: {self.pending}, environment {self.edits.env}, site {world.site}",
            "==== project",
        ]
        parts += [f"---- {path}\n{text}" for path, text in sorted(files.items())]
        parts += ["==== changes since the run before", *_diff(self.shown, files)]
        parts += [f"==== {mode}\n{output}" for mode, output in outputs.items()]
        return "\n".join([*parts, told])


def _diff(before: dict[str, str], after: dict[str, str]) -> list[str]:
    lines: list[str] = []
    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path, "").splitlines(), after.get(path, "").splitlines()
        lines += difflib.unified_diff(old, new, path, path, n=1, lineterm="")
    return lines
