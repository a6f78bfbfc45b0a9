"""What a run must say: the cold answer, and as reloaded just the dependents of what changed."""

from __future__ import annotations

import difflib
import os
from typing import Optional

from .graph import Graph, dependents, merged
from .model import World
from .modes import KEEPING, Run
from .novelty import Novelty
from .statistics import COUNTS
from .tree import Tree

#: A daemon's first runs may restart its worker, which has learned what to preload.
_WARM_AFTER = 2

Loaded = Optional[dict[str, str]]  # Modules and their files.


class Expectation:
    """Remembers what the run before had loaded, and from which bytes.

    Where only constants changed since a sound run, the set of reloaded modules is known exactly. After
    any other change it is bounded: by the dependents of all that was touched since the last sound run
    of the whole suite, before and after the change.
    """

    def __init__(self, world: World) -> None:
        self._runs = 0
        self._novelty = Novelty()
        self._plain = False  # Only plain edits since the run before.
        self._sound = False  # The run before was sound, and all that was touched before it is settled.
        self._was_whole = True  # So was the run before.
        self._touched: set[str] = set()
        self._graph: Graph = world.graph(lenient=True)
        self._files: dict[str, str] = {}
        self._loaded: dict[str, str] = {}
        self._has_made = False
        self._has_registered = False
        self._ever: set[str] = set()
        self._places: dict[str, set[str]] = {}  # Every file that a module was ever loaded from.

    def touch(self, world: World, names: set[str] | None) -> None:
        """Modules were touched, other than by a plain edit (None)."""
        self._graph = merged(self._graph, world.graph(lenient=True))
        if names is not None:
            self._plain = False
            self._touched |= names

    def problems(
        self, world: World, tree: Tree, runs: dict[str, Run], loaded: Loaded, whole: bool
    ) -> list[str]:
        """What is wrong with these runs, a line for each; remembers them for the next time.

        `whole`: the whole suite was run. What a part of it did not import may still wait to be reloaded.
        """
        self._graph = merged(self._graph, world.graph(lenient=True))
        found = self._differences(runs) + self._stale(runs)
        changed = self._changed(tree)
        # A module that the run before did not load may be held all the same.
        held = {
            name
            for name, files in self._places.items()
            if any(self._files.get(file) != tree.files.get(file) for file in files)
        }
        settled = self._plain and self._sound and not self._touched
        self._touched |= held
        made = world.modules.get(world.made)  # Others write it, too, while a run reads it.
        self._has_made |= made is not None
        self._has_registered |= _registers(world)
        self._touched |= {made.name} if made else set()
        simple = world.is_plain and not (world.shadows or made or self._has_registered)
        exact = settled and self._runs >= _WARM_AFTER and simple
        for mode in (mode for mode in KEEPING if mode in runs):
            reloaded = set(runs[mode].reloaded)
            found += (
                self._exactly(mode, world, changed, held, reloaded)
                if exact
                else self._within(mode, world, changed, reloaded)
            )
        COUNTS[f"checks: {'exact' if exact else 'bounded'} reload counts"] += 1
        if exact:
            COUNTS["checks: modules that must be reloaded"] += len(self._required(world, changed))
        self._remember(world, tree, runs["cold"], loaded, whole)
        return found

    @staticmethod
    def _differences(runs: dict[str, Run]) -> list[str]:
        cold = runs["cold"].answer
        return [
            f"{mode}: {line}"
            for mode, run in runs.items()
            for line in difflib.unified_diff(cold.lines(), run.answer.lines(), "cold", mode, n=0, lineterm="")
        ]

    def _stale(self, runs: dict[str, Run]) -> list[str]:
        """Values of an earlier run, where plain pytest has its own."""
        before = self._novelty.checks
        found = {mode: self._novelty.problems(mode, run.started, run.output) for mode, run in runs.items()}
        COUNTS["checks: fresh values"] += self._novelty.checks - before
        plain = found.pop("cold")
        return [f"{mode}: {line}" for mode, lines in found.items() for line in lines if line not in plain]

    def _changed(self, tree: Tree) -> set[str]:
        """Modules of the run before whose file holds other bytes now, or is gone."""
        return {name for name, file in self._loaded.items() if self._files.get(file) != tree.files.get(file)}

    def _required(self, world: World, changed: set[str]) -> set[str]:
        required = dependents(world.graph(lenient=False), changed) & self._loaded.keys()
        return required - self._unsure(world)

    def _unsure(self, world: World) -> set[str]:
        """Modules that each run may execute: what surrounds the project is among what they are made from."""
        unsure = {module.name for module in world.of_kind("installed", "plugin")}
        everyone = world.modules.values()
        unsure |= {module.name for module in everyone if module.fresh or module.variable in world.sets}
        return dependents(self._graph, unsure)

    def _after_conftest(self) -> set[str]:
        """What came after such a file, which writes a module or registers one, may have gone by that."""
        return self._ever_with_packages() if self._has_made or self._has_registered else set()

    def _after_part(self) -> set[str]:
        """Of what a test imported, files that were not in that run may be importers: before the tests."""
        return set() if self._was_whole else self._ever_with_packages()

    def _ever_with_packages(self) -> set[str]:
        """Every module that was ever loaded, and what it is in: a namespace package has no file."""
        return {name.rsplit(".", above)[0] for name in self._ever for above in range(name.count(".") + 1)}

    def _exactly(
        self, mode: str, world: World, changed: set[str], held: set[str], reloaded: set[str]
    ) -> list[str]:
        required = self._required(world, changed)
        allowed = dependents(world.graph(lenient=True), changed | held) & self._ever
        allowed |= self._unsure(world) | self._after_conftest()
        if required <= reloaded <= allowed:
            return []
        return [
            f"{mode}: changed {sorted(changed)}; not reloaded: {sorted(required - reloaded)}; "
            f"reloaded without need: {sorted(reloaded - allowed)}"
        ]

    def _within(self, mode: str, world: World, changed: set[str], reloaded: set[str]) -> list[str]:
        affected = dependents(self._graph, self._touched | changed)
        if any(module.name in affected for module in world.of_kind("test", "conftest")):
            return []  # Files that each run executes: what they do before an import is part of what it made.
        surplus = reloaded - affected - self._unsure(world) - self._after_conftest() - self._after_part()
        if not surplus:
            return []
        return [f"{mode}: touched {sorted(self._touched | changed)}; without need: {sorted(surplus)}"]

    def _remember(self, world: World, tree: Tree, cold: Run, loaded: Loaded, whole: bool) -> None:
        names = {module.name for module in world.code}
        root = str(tree.root)
        self._loaded = {
            name: os.path.relpath(file, root) for name, file in (loaded or {}).items() if name in names
        }
        self._files = dict(tree.files)
        self._ever |= self._loaded.keys()
        for name, file in self._loaded.items():
            self._places.setdefault(name, set()).add(file)
        self._runs += 1
        self._was_whole = whole
        sound = loaded is not None and cold.answer.code in (0, 1) and not world.ill
        self._sound = sound and (self._sound or whole)
        self._plain = True
        if self._sound:
            self._touched = set() if whole else set(filter(self._waits, self._touched))
        if self._sound and not self._touched:
            self._graph = world.graph(lenient=True)

    def _waits(self, name: str) -> bool:
        """Whether a touched module, or one that depends on it, was not in the run and may be loaded later."""
        return bool(dependents(self._graph, {name}) & self._ever - self._loaded.keys())


def _registers(world: World) -> bool:
    """Whether a test file, or a conftest.py, itself puts a module into `sys.modules`."""
    files = world.of_kind("test", "conftest")
    return any(edge.form == "by path, registered" for module in files for edge in module.edges)
