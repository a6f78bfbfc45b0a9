"""Why tests have failed: each cause once, with the tests that share it. PYTEST_DONT_REWRITE"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from sprintest.process._own import os

#: How many lines of an exception, of captured output, and ids are shown, by level of detail.
_EXCEPTION, _CAPTURED, _IDS = (1, 4, 8), (0, 0, 6), (1, 3, 5)
_WIDTH = 160
_LIBRARY = "…/"
_OUTPUT = 400
_ENTRY = re.compile(r"^(\S.*?):(\d+): ")


class Cause:
    """What one or more failed tests have in common: the place of the exception."""

    def __init__(self, report: Any, root: str) -> None:
        self.ids: list[str] = []
        self._sections = [(name, text) for name, text in report.sections if name.startswith("Captured")]
        crash = getattr(report.longrepr, "reprcrash", None)
        if crash is not None:
            raised_at = f"{_short(crash.path, root)}:{crash.lineno}"
            self._message = crash.message.splitlines() or [""]
        else:
            raised_at, self._message = _from_text(report, root)
        frames = [one for one in _frames(report.longrepr, root) if not one[0].startswith(_LIBRARY)]
        #: The last place in the project's own code, and the way there.
        *self._way, (self._place, self._statement) = frames or [(raised_at, "")]
        self._library = raised_at if raised_at.startswith(_LIBRARY) and raised_at != self._place else ""
        #: A library raises the same exception at the same place for many reasons.
        self.key = (self._place, self._message[0]) if self._library else (self._place,)

    def lines(self, detail: int) -> list[str]:
        """Show it. ``detail``: from 0 (a line or two) to 2."""
        most = _EXCEPTION[detail]
        lines = [_cut(f"{self._place}: {self._message[0]}")]
        lines += [_cut(f"  {line.strip()}") for line in self._message[1:most] if line.strip()]
        if len(self._message) > max(most, 1) and detail:
            lines.append("  …")
        if detail and self._statement and self._statement not in self._message[0]:
            lines.append(_cut(f"  > {self._statement}"))
        if self._library and detail:
            lines.append(f"  raised at {self._library}")
        if self._way:
            lines.append(f"  from {', '.join(place for place, _ in self._way[-3:])}")
        lines.append(f"  {self._tests(detail)}")
        return lines + (list(self._captured(detail)) if _CAPTURED[detail] else [])

    def _tests(self, detail: int) -> str:
        most = _IDS[detail]
        first, *others = self.ids
        file = first.partition("::")[0]
        short = [one[len(file) :] if one.startswith(f"{file}::") else one for one in others[: most - 1]]
        more = len(others) - len(short)
        text = ", ".join([first, *short])
        return f"{_cut(text, 2 * _WIDTH)} and {more} more" if more else _cut(text, 2 * _WIDTH)

    def _captured(self, detail: int) -> Iterator[str]:
        for name, text in self._sections:
            lines = text[-_OUTPUT:].strip().splitlines()[-_CAPTURED[detail] :]
            yield f"  {name.removeprefix('Captured ')}:"
            yield from (_cut(f"    {line}") for line in lines)


def causes_of(stats: Mapping[str, list[Any]], root: str) -> list[Cause]:
    """The causes in the order of their first test. ``stats`` as pytest's terminal reporter has them."""
    causes: dict[tuple[str, ...], Cause] = {}
    for report in [*stats.get("error", ()), *stats.get("failed", ())]:
        cause = Cause(report, root)
        known = causes.setdefault(cause.key, cause)
        if report.nodeid not in known.ids:
            known.ids.append(report.nodeid)
    return list(causes.values())


def _short(path: str, root: str) -> str:
    """The path below the root; of a library only its end, after "…/"."""
    path = os.path.normpath(os.path.join(root, path))
    below = os.path.relpath(path, root)
    if not below.startswith("..") and "site-packages" not in below:
        return below
    tail = path.rpartition("site-packages/")[2] if "site-packages" in path else "/".join(path.split("/")[-2:])
    return f"{_LIBRARY}{tail}"


def _frames(longrepr: Any, root: str) -> list[tuple[str, str]]:
    """The place and the statement of each frame of the traceback, as far as pytest shows them."""
    entries = getattr(getattr(longrepr, "reprtraceback", None), "reprentries", ())
    return [
        (f"{_short(entry.reprfileloc.path, root)}:{entry.reprfileloc.lineno}", _statement(entry))
        for entry in entries
        if getattr(entry, "reprfileloc", None) is not None
    ]


def _statement(entry: Any) -> str:
    lines = [str(line) for line in getattr(entry, "lines", ())]
    return next((line[1:].strip() for line in lines if line.startswith(">")), "")


def _from_text(report: Any, root: str) -> tuple[str, list[str]]:
    """Place and exception of an error of which there is only a text: while collecting, of a doctest."""
    lines = str(report.longrepr).splitlines()
    places = [match for match in map(_ENTRY.match, lines) if match]
    place = f"{_short(places[-1][1], root)}:{places[-1][2]}" if places else report.nodeid
    exception = [line[1:].strip() for line in lines if line.startswith("E ")]
    return place, exception or [line for line in lines if line.strip()][-3:] or ["no error text"]


def _cut(line: str, most: int = _WIDTH) -> str:
    return line if len(line) <= most else line[: most - 1] + "…"
