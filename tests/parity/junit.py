"""What a JUnit XML file says of every test."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

KINDS = ("failure", "error", "skipped")


class Outcome(NamedTuple):
    """One report: a test id, and "passed" or what went otherwise ("error+failure" for both)."""

    test: str
    result: str


def outcomes(file: Path) -> list[Outcome]:
    """Every report, in the order of the tests; empty if pytest wrote no file."""
    if not file.exists():
        return []
    return [_outcome(case) for case in ElementTree.parse(file).iter("testcase")]


def _outcome(case: ElementTree.Element) -> Outcome:
    seen = sorted(_kind(child) for child in case if child.tag in KINDS)
    return Outcome(f"{case.get('classname')}::{case.get('name')}", "+".join(seen) or "passed")


def _kind(child: ElementTree.Element) -> str:
    return "xfailed" if child.get("type") == "pytest.xfail" else child.tag
