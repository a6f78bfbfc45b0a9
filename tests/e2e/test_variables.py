"""A variable set for one run has the effect that it has under plain pytest, and no other run has it."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from .harness import Project
from .modes import MODES, MODES_OF_LONG_TESTS

#: What Python itself makes of its variables. A module of the project observes it while it is imported, and
#: the test once more.
PYTHON = """
    import os, sys

    try:
        from elsewhere import VALUE
    except ImportError:
        VALUE = None

    def observe():
        seeded = not sys.flags.hash_randomization
        return {
            "module": VALUE,
            "on the path": any(os.path.basename(entry) == "elsewhere" for entry in sys.path),
            "hash": hash("a word") if seeded else "random",
            "variables": [os.environ.get(name) for name in ("PYTHONHASHSEED", "COLOUR")],
        }
"""

LIBRARIES = """
    import os
    import huggingface_hub.constants, torch, transformers

    def observe():
        return {
            "offline": [huggingface_hub.constants.HF_HUB_OFFLINE, huggingface_hub.is_offline_mode()],
            "threads": torch.get_num_threads(),
            "devices": torch.cuda.device_count(),
            "variables": [
                os.environ.get(name) for name in ("HF_HUB_OFFLINE", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES")
            ],
        }
"""

TEST = """
    import json, library_of_ours
    before = library_of_ours.observe()

    def test():
        with open("seen", "w") as file:
            json.dump([library_of_ours.SEEN, before, library_of_ours.observe()], file)
"""

#: Each step sets these; what the step before has set is gone again.
PYTHON_STEPS: list[dict[str, str]] = [
    {},
    {"PYTHONHASHSEED": "0"},
    {"COLOUR": "red"},
    {"PYTHONPATH": "elsewhere"},
    {},
]
LIBRARY_STEPS: list[dict[str, str]] = [
    {},
    {"HF_HUB_OFFLINE": "1"},
    {"OMP_NUM_THREADS": "1"},
    {"OMP_NUM_THREADS": "3"},
    {"CUDA_VISIBLE_DEVICES": ""},
    {},
]


def observe(project: Project, cold: bool, env: dict[str, str]) -> Any:
    """What a run sees with these variables beside the usual ones."""
    if "PYTHONPATH" in env:
        env = {**env, "PYTHONPATH": str(project.home / env["PYTHONPATH"])}
    (project.root / "seen").unlink(missing_ok=True)
    run = project.plain if cold else project.stest
    run("-p", "no:cacheprovider", env=env).expect(0)
    return json.loads(project.read("seen"))


def prepare(project: Project, observer: str) -> None:
    Path(project.home / "elsewhere").mkdir()
    Path(project.home / "elsewhere" / "elsewhere.py").write_text("VALUE = 'from elsewhere'\n")
    project.write("library_of_ours.py", observer)
    with open(project.root / "library_of_ours.py", "a") as file:
        file.write("\nSEEN = observe()\n")
    project.write("test_it.py", TEST)


@cache
def _expectations() -> dict[str, Any]:
    return {}


def expected(project: Project, env: dict[str, str], kind: str) -> Any:
    """What plain pytest sees; found out once for all modes."""
    key = f"{kind} {sorted(env.items())}"
    if key not in _expectations():
        _expectations()[key] = observe(project, True, env)
    return _expectations()[key]


@pytest.mark.parametrize("mode", MODES_OF_LONG_TESTS)
def test_variables_of_python_have_their_effect_and_then_are_gone(project: Project, mode: str) -> None:
    check(project, mode, "python", PYTHON, PYTHON_STEPS)


@pytest.mark.long
@pytest.mark.torch
@pytest.mark.parametrize("mode", MODES_OF_LONG_TESTS)
def test_variables_of_libraries_have_their_effect_and_then_are_gone(project: Project, mode: str) -> None:
    check(project, mode, "libraries", LIBRARIES, LIBRARY_STEPS)


def check(project: Project, mode: str, kind: str, observer: str, steps: list[dict[str, str]]) -> None:
    prepare(project, observer)
    project.env.update(MODES[mode])
    seen = []
    for env in steps:
        plain = expected(project, env, kind)
        for _ in range(2):
            assert observe(project, False, env) == plain, env
        seen.append(json.dumps(plain))
    assert seen[0] == seen[-1]
    assert len(set(seen[:-1])) == len(steps) - 1, "each variable has an effect"
