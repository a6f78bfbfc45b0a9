"""`stest hook`: a coding agent's pytest commands become stest."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from .harness import STEST


def hook(event: str, tool: str, command: str) -> dict[str, Any] | None:
    request = {"hook_event_name": event, "tool_name": tool, "tool_input": {"command": command, "timeout": 5}}
    done = subprocess.run([STEST, "hook"], input=json.dumps(request), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    answer: dict[str, Any] | None = json.loads(done.stdout) if done.stdout else None
    return answer


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("pytest", "stest"),
        ("python -m pytest tests/test_x.py::test_y -x", "stest tests/test_x.py::test_y -x"),
        (
            "cd sub && python3 -m pytest -k 'a or b' 2>&1 | tail -20",
            "cd sub && stest -k 'a or b' 2>&1 | tail -20",
        ),
    ],
)
def test_pytest_becomes_stest(command: str, expected: str) -> None:
    answer = hook("PreToolUse", "Bash", command)
    assert answer
    specific = answer["hookSpecificOutput"]
    assert specific["hookEventName"] == "PreToolUse"
    assert specific["updatedInput"] == {"command": expected, "timeout": 5}


@pytest.mark.parametrize(
    "command",
    [
        "ls",
        "pip install pytest",
        "pytest-watch",
        "pytest; rm -rf x",
        "pytest $(x)",
        "pytest\nls",
        "pytest > f",
    ],
)
def test_others_go_on_as_they_are(command: str) -> None:
    assert hook("PreToolUse", "Bash", command) is None


def test_each_agent_gets_its_own_form() -> None:
    gemini = hook("BeforeTool", "run_shell_command", "pytest")
    assert gemini
    assert gemini["hookSpecificOutput"]["tool_input"]["command"] == "stest"
    cursor = hook("preToolUse", "Shell", "pytest")
    assert cursor
    assert cursor["updated_input"]["command"] == "stest"


def test_what_is_no_request_is_left_alone() -> None:
    done = subprocess.run([STEST, "hook"], input="no json", capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
