"""The example of the README: a transformers pipeline, run cold and warm."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from .harness import Project, wait_for
from .modes import MODES

EXAMPLES = Path(__file__).parents[2] / "examples"


def outcomes(file: Path) -> dict[str, list[str]]:
    cases = ElementTree.parse(file).iter("testcase")
    return {f"{case.get('classname')}::{case.get('name')}": [e.tag for e in case] for case in cases}


@pytest.fixture
def example(project: Project) -> Project:
    shutil.copytree(
        EXAMPLES, project.root, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*", "__pycache__")
    )
    project.env["HF_HUB_OFFLINE"] = "1"
    return project


@pytest.mark.long
@pytest.mark.torch
def test_model_that_stays_warm(example: Project) -> None:
    project = example
    for name in ("plain", "first", "warm"):
        program = project.plain if name == "plain" else project.stest
        program("-q", f"--junitxml={name}.xml", "test_ai_model_warm.py").expect(0)
        if name == "first":
            worker = wait_for_values(project)
            assert [(value["state"], value["reason"]) for value in worker["values"]] == [("held", "")]
    plain = outcomes(project.root / "plain.xml")
    assert len(plain) >= 3
    assert outcomes(project.root / "first.xml") == plain
    assert outcomes(project.root / "warm.xml") == plain
    assert project.status()["worker"]["values"][0]["state"] == "held"
    # Read by Rust; it is found all the same.
    tokenizer = project.root / "tiny-distilbert" / "tokenizer.json"
    tokenizer.write_text(tokenizer.read_text() + "\n")
    told = project.stest("-q", "test_ai_model_warm.py").expect(0).errors
    assert f"is loaded again: {tokenizer} has changed" in told


def wait_for_values(project: Project) -> dict[str, Any]:
    """The worker, once it holds the values that runs have told of, or has given them up."""

    def settled() -> dict[str, Any] | None:
        worker: dict[str, Any] = project.status()["worker"]
        values = worker["values"]
        return worker if values and all(one["state"] in ("held", "not_held") for one in values) else None

    worker = wait_for(settled, "the values")
    assert worker is not None
    return worker


@pytest.mark.long
@pytest.mark.torch
@pytest.mark.parametrize("mode", MODES)
def test_runs_agree_with_plain_and_an_edit_is_seen_with_torch_still_loaded(
    example: Project, mode: str
) -> None:
    example.env.update(MODES[mode])
    example.plain("-q", "--junitxml=plain.xml", "test_ai_model.py").expect(0)
    for name in ("first", "warm"):  # What the first run teaches is loaded after it.
        example.stest("-q", f"--junitxml={name}.xml", "test_ai_model.py").expect(0)
        example.await_idle()
    plain = outcomes(example.root / "plain.xml")
    assert len(plain) >= 3
    assert outcomes(example.root / "first.xml") == plain
    assert outcomes(example.root / "warm.xml") == plain
    worker = example.status()["worker"]["pid"]
    source = example.read("tinyai/score.py")
    wrong = "import itertools\nnumbers = itertools.count()\ndef signed(answer): return next(numbers)\n"
    for text, code in ((source + wrong, 1), (source, 0)):
        example.write("tinyai/score.py", text)
        run = example.stest("-q", "test_ai_model.py").expect(code)
        assert ("test_a_batch_gives_what_single_texts_give" in run.text) == (code == 1)
        notice = "\n".join(example.status()["last_result"]["notice"])
        assert notice == ("" if mode == "fork" else "reloaded tinyai.score")
        example.await_idle()
    assert example.status()["worker"]["pid"] == worker
    assert "torch" in {module["module"] for module in example.status()["worker"]["preloaded"]}
