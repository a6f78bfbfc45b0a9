"""How much was tried, so that a green run can be seen to mean something."""

from __future__ import annotations

from collections import Counter

from .model import World
from .modes import KEEPING, Run


class Counts(Counter[str]):
    """Counters "group: what"; groups become lines."""

    def project(self, world: World) -> None:
        self["projects: all"] += 1
        self["projects: modules"] += len(world.code)
        self["projects: imports"] += len(list(world.edges()))
        self["projects: with importlib"] += world.importlib
        self["around them: installed modules"] += len(world.installed)
        self["around them: plugins"] += len(world.of_kind("plugin"))
        self["around them: fresh values"] += sum(bool(module.fresh) for module in world.modules.values())
        self["around them: writes"] += sum(bool(edge.writes) for _, edge in world.edges())

    def runs(self, runs: dict[str, Run]) -> None:
        cold = runs["cold"].answer
        self["checks: all"] += 1
        self[f"exit codes: {cold.code}"] += 1
        self["tests: seen"] += len(cold.outcomes)
        for outcome in cold.outcomes:
            self[f"tests: {outcome.partition(' ')[0]}"] += 1
        for mode in set(runs) & set(KEEPING):
            self[f"reloaded: {mode}"] += len(runs[mode].reloaded)

    def lines(self) -> list[str]:
        groups: dict[str, list[str]] = {}
        for key, number in sorted(self.items()):
            group, _, what = key.partition(": ")
            groups.setdefault(group, []).append(f"{what} {number}")
        return [f"{group}: {', '.join(parts)}" for group, parts in groups.items()]


COUNTS = Counts()
