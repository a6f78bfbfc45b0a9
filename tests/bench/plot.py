"""Results as an SVG: bars per case, readable on light and on dark paper."""

from __future__ import annotations

from html import escape

from cases import Case
from report import amount
from results import Measurement, Results

WIDTH, LEFT, RIGHT = 760, 170, 170  # Names stand left of the bars, values right.
ROW, HEAD, GAP = 20, 26, 18

STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #24292f; }
  .head { font-weight: 600; font-size: 13px; }
  .bar { fill: #8c959f; } .own { fill: #0969da; } .wrong { fill: #cf222e; fill-opacity: .35; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; } .bar { fill: #6e7681; } .own { fill: #58a6ff; } .wrong { fill: #f85149; }
  }
"""


def svg(results: Results, cases: list[Case], others: int | None = None) -> str:
    """``others``: how many rivals are shown, the fastest with right answers; all by default."""
    y, body = 0, []
    for case in cases:
        measurements = _selected(results.case(case.name), others)
        body.append(f'<text class="head" x="0" y="{y + 14}">{escape(case.title)}</text>')
        longest = max((m.median for m in measurements if m.values), default=1) or 1
        for row, measurement in enumerate(measurements):
            body.append(_row(measurement, case.unit, y + HEAD + ROW * row, longest))
        y += HEAD + ROW * len(measurements) + GAP
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}">'
    return "\n".join([head, f"<style>{STYLE}</style>", *body, "</svg>\n"])


def _selected(measurements: list[Measurement], others: int | None) -> list[Measurement]:
    if others is None:
        return measurements
    own = [m for m in measurements if m.rival in ("pytest", "stest")]
    right = [m for m in measurements if m.values and not m.problems and not m.rival.startswith("stest")]
    fastest = sorted((m for m in right if m not in own), key=lambda m: m.median)[:others]
    return [m for m in measurements if m in own or m in fastest]


def _row(m: Measurement, unit: str, y: int, longest: float) -> str:
    length = (WIDTH - LEFT - RIGHT) * m.median / longest if m.values else 0.0
    kind = "wrong" if m.problems else "own" if m.rival.startswith("stest") else "bar"
    label = " ".join(([amount(m.median, unit)] if m.values else []) + ([m.verdict] if m.problems else []))
    return (
        f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(m.rival)}</text>'
        f'<rect class="{kind}" x="{LEFT}" y="{y + 1}" width="{length + 1:.1f}" height="{ROW - 6}" rx="2"/>'
        f'<text x="{LEFT + length + 6:.1f}" y="{y + 12}">{escape(label)}</text>'
    )
