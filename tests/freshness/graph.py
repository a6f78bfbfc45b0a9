"""Who imports whom, by name."""

from __future__ import annotations

from collections.abc import Iterable

Graph = dict[str, set[str]]  # Who imports (a name) → what it names.


def merged(*graphs: Graph) -> Graph:
    result: Graph = {}
    for graph in graphs:
        for name, targets in graph.items():
            result.setdefault(name, set()).update(targets)
    return result


def dependents(graph: Graph, changed: Iterable[str]) -> set[str]:
    """`changed`, and whoever names one of them, directly or not."""
    found = set(changed)
    while grown := {name for name, targets in graph.items() if targets & found} - found:
        found |= grown
    return found
