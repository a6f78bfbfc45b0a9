"""The example of the README: a transformers pipeline, run cold and warm."""

from __future__ import annotations

import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

from .harness import Project

EXAMPLES = Path(__file__).parents[2] / "examples"


def outcomes(file: Path) -> dict[str, list[str]]:
    cases = ElementTree.parse(file).iter("testcase")
    return {f"{case.get('classname')}::{case.get('name')}": [e.tag for e in case] for case in cases}


@pytest.mark.torch
def test_plain_first_and_warm_runs_agree(project: Project) -> None:
    shutil.copytree(
        EXAMPLES, project.root, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*", "__pycache__")
    )
    project.env["HF_HUB_OFFLINE"] = "1"
    project.plain("-q", "--junitxml=plain.xml", "test_ai_model.py").expect(0)
    for name in ("first", "warm"):
        project.stest("-q", f"--junitxml={name}.xml", "test_ai_model.py").expect(0)
    plain = outcomes(project.root / "plain.xml")
    assert len(plain) >= 3
    assert outcomes(project.root / "first.xml") == plain
    assert outcomes(project.root / "warm.xml") == plain
