"""`stest mcp`: the Model Context Protocol, by the official client in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .harness import STEST, WAITING_TEST, Project

ALL = """
    def test_green(): pass

    def test_red():
        print("was here")
        value = 2
        assert value == 3
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python with the package `mcp`; STEST_MCP_PYTHON names one that exists."""
    if known := os.environ.get("STEST_MCP_PYTHON"):
        return known
    home = tmp_path_factory.mktemp("mcp")
    subprocess.run([sys.executable, "-m", "venv", home], check=True)
    python = home / "bin" / "python"
    done = subprocess.run([python, "-m", "pip", "install", "-q", "mcp>=2"], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"the package mcp cannot be installed: {done.stderr.splitlines()[-1:]}")
    return str(python)


def drive(project: Project, python: str, scenario: str, mode: str) -> dict[str, Any]:
    script = str(Path(__file__).with_name("mcp_client.py"))
    done = project.finish(project.start(script, scenario, str(STEST), mode, program=(python,))).expect(0)
    answer: dict[str, Any] = json.loads(done.out)
    return answer


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_tools(project: Project, python: str, mode: str) -> None:
    project.write("test_all.py", ALL)
    answer = drive(project, python, "tools", mode)
    assert answer["tools"] == ["run_tests", "last_failures", "explain", "status", "list_tests"]
    assert answer["run"]["text"].startswith("exit 1: 1 failed, 1 passed in ")
    assert "test_all.py:7: assert 2 == 3" in answer["run"]["text"]
    assert not answer["run"]["is_error"]
    assert [2, "test_all.py::test_red"] in answer["progress"]
    assert "failed test_all.py::test_red" in answer["last_failures"]["text"]
    assert "was here" in answer["explain"]["text"]
    assert "failed, exit code 1" in answer["status"]["text"]
    assert answer["version"] == {"legacy": "2025-11-25", "auto": "2026-07-28"}[mode]
    assert "test_all.py::test_green" in answer["list_tests"]["text"]
    assert "test_red" not in answer["list_tests"]["text"]
    assert "short test summary info" in answer["log"]


def test_cancellation_ends_the_run_and_no_other(project: Project, python: str) -> None:
    project.write("test_all.py", "def test_green(): pass\n")
    project.write("test_waiting.py", WAITING_TEST)
    answer = drive(project, python, "cancelled", "legacy")
    assert answer["beside"]["text"].startswith("1 passed in ")
    assert not (project.root / "go on").exists()
    assert "cancelled" in answer["status"]


def test_only_json_is_written_and_mistakes_are_answered(project: Project) -> None:
    lines = ["no json", '{"jsonrpc": "2.0", "id": 1, "method": "nothing"}']
    lines.append('{"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "nothing"}}')
    done = subprocess.run(
        [STEST, "mcp"], input="\n".join(lines), capture_output=True, text=True, cwd=project.root
    )
    codes = [json.loads(line)["error"]["code"] for line in done.stdout.splitlines()]
    assert codes == [-32700, -32601, -32602]
    assert done.returncode == 0
