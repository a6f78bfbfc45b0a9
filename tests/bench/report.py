"""Results as Markdown, which is the text on the terminal as well, and as JSON."""

from __future__ import annotations

import datetime
import os
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cases import SECONDS, Case
from goals import GOALS, Goal
from results import Measurement, Results
from rivals import Rival

BEGIN, END = "<!-- written by tests/bench/compare.py -->", "<!-- end -->"


def markdown(results: Results, rivals: list[Rival], cases: list[Case], conditions: dict[str, Any]) -> str:
    parts = [_conditions(conditions), "### Goals", _table(_goal_rows(results))]
    parts += ["### Who is compared", _table(_rival_rows(rivals))]
    for case in cases:
        parts += [f"### {case.title}", _table(_rows(case, results))]
    return "\n\n".join(parts) + "\n"


def as_json(results: Results, conditions: dict[str, Any]) -> dict[str, Any]:
    goals = [{"goal": goal.what, "wanted": goal.wanted, "reached": goal.reached(results)} for goal in GOALS]
    return {"conditions": conditions, "measurements": [asdict(m) for m in results], "goals": goals}


def conditions(versions: dict[str, str], repeat: int) -> dict[str, Any]:
    """What the numbers depend on."""
    return {
        "date": datetime.date.today().isoformat(),
        "machine": f"{_cpu()}, {os.cpu_count()} CPUs, Linux {platform.release()}",
        "python": platform.python_version(),
        "samples": repeat,
        "versions": versions,
    }


def write_between_marks(file: Path, text: str) -> None:
    """Replaces what stands between the two marks in `file`."""
    before, _, rest = file.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    file.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}")


def amount(value: float, unit: str) -> str:
    if unit == SECONDS:
        return f"{1000 * value:.0f} ms" if value < 1 else f"{value:.2f} s"
    return f"{value:.1f} {unit}" if value < 100 else f"{value:.0f} {unit}"


def _rows(case: Case, results: Results) -> list[list[str]]:
    measurements = results.case(case.name)
    faster = "times faster" if case.unit == SECONDS else "times smaller"
    base = next((m.median for m in measurements if m.rival == "pytest" and m.values), None)
    return [["", "median", "from .. to", faster], *(_row(m, case.unit, base) for m in measurements)]


def _row(m: Measurement, unit: str, base: float | None) -> list[str]:
    if not m.values:
        return [m.rival, m.verdict, "", ""]
    median = amount(m.median, unit)
    spread = f"{amount(min(m.values), unit)} .. {amount(max(m.values), unit)}"
    if m.problems:
        return [m.rival, f"**{m.verdict}**, {median}", spread, ""]
    return [m.rival, median, spread, f"{base / m.median:.3g}" if base else ""]


def _rival_rows(rivals: list[Rival]) -> list[list[str]]:
    rows = [["", "version", "used as", ""]]
    for rival in rivals:
        used = " ".join([*(f"{name}={value}" for name, value in rival.env.items()), rival.run])
        if rival.serve:
            used = f"{rival.serve} & {used}"
        rows.append([rival.name, rival.requirement, f"`{used}`", rival.note])
    return rows


def _goal_rows(results: Results) -> list[list[str]]:
    return [["", "wanted", "reached", "holds"], *(_goal_row(goal, results) for goal in GOALS)]


def _goal_row(goal: Goal, results: Results) -> list[str]:
    reached = goal.reached(results)
    if reached is None:
        return [goal.what, goal.wanted, "not measured", ""]
    value, holds = reached
    return [goal.what, goal.wanted, f"{value:.3g} {goal.unit}", "yes" if holds else "**no**"]


def _table(rows: list[list[str]]) -> str:
    """Padded, so that it is readable as it stands."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["| " + " | ".join(f"{cell:<{w}}" for cell, w in zip(row, widths)) + " |" for row in rows]
    lines.insert(1, "| " + " | ".join("-" * max(w, 3) for w in widths) + " |")
    return "\n".join(lines)


def _conditions(it: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in it["versions"].items())
    return f"{it['date']}: {it['machine']}; CPython {it['python']}; {versions}. {it['samples']} samples each."


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
