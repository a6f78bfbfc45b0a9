"""Which Python runs the tests: stest's own, one that was chosen, and a word where another one is meant."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .environment import Environment
from .harness import BIN, PYTHON, STEST, WAITING_TEST, Finished, Project
from .modes import MODES

CONFIG_ERROR, UNSOUND = 102, 113  # include/stest/exit_code.hpp
VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"

PROBE = """
    import importlib.util, json, os, sys

    def test():
        with open("seen.json", "w") as file:
            found = [bool(importlib.util.find_spec(name)) for name in ("sprintest", "pytest")]
            json.dump([sys.prefix, sys.path, found, open("/proc/self/comm").read()], file)
"""


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """A virtual environment with pytest, and without stest."""
    return Environment(tmp_path_factory.mktemp("v"), ["pytest"], worker=None)


@pytest.fixture
def probe(project: Project) -> Project:
    project.write("test_it.py", PROBE)
    return project


def seen(project: Project) -> Any:
    return json.loads(project.read("seen.json"))


def own_prefix() -> str:
    code = "import sys; print(sys.prefix)"
    return subprocess.run([PYTHON, "-c", code], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def lines_about_another(finished: Finished) -> list[str]:
    return [line for line in finished.errors.splitlines() if "not in the environment of" in line]


# ---- a word


@pytest.mark.parametrize("way", ["VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT", ".venv", "PATH"])
def test_another_environment_is_named_once(probe: Project, other: Environment, way: str) -> None:
    if way == ".venv":
        (probe.root / ".venv").symlink_to(other.home)
    elif way == "PATH":
        probe.env["PATH"] = f"{other.bin}{os.pathsep}{probe.env['PATH']}"
    else:
        probe.env[way] = str(other.home)
    named = probe.root / ".venv" if way == ".venv" else other.home
    for _ in range(2):
        (line,) = lines_about_another(probe.stest().expect(0))
        assert way in line
        assert f"SPRINTEST_PYTHON={named}/bin/python" in line
        assert seen(probe)[0] == own_prefix()
    choice = next(word for word in line.split() if word.startswith("SPRINTEST_PYTHON="))
    assert not lines_about_another(probe.stest(env=dict([choice.split("=")])).expect(0))
    assert seen(probe)[0] == str(other.home)


def test_the_right_environment_is_not_named(probe: Project, other: Environment) -> None:
    probe.env["VIRTUAL_ENV"] = str(probe.home / "no/such/folder")
    (probe.root / ".venv/bin").mkdir(parents=True)
    assert not lines_about_another(probe.stest().expect(0))
    (probe.root / ".venv/bin").rmdir()
    (probe.root / ".venv").rmdir()
    (probe.root / ".venv").symlink_to(own_prefix())
    assert not lines_about_another(probe.stest().expect(0))
    probe.env["VIRTUAL_ENV"] = str(probe.root / ".venv")
    assert not lines_about_another(probe.stest(env={"UV_PROJECT_ENVIRONMENT": str(other.home)}).expect(0))


# ---- a choice


@pytest.mark.parametrize("mode", MODES)
def test_chosen_python_runs_the_tests(probe: Project, other: Environment, mode: str) -> None:
    probe.env.update(MODES[mode])
    probe.finish(probe.start("-m", "pytest", program=(str(other.python),))).expect(0)
    plain = seen(probe)
    for option in (str(other.home), str(other.python), os.path.relpath(other.bin / "python", probe.root)):
        finished = probe.stest("run", "--python", option, "-p", "no:cacheprovider").expect(0)
        assert not lines_about_another(finished)
        assert "replacing the daemon" not in finished.errors
        warm = seen(probe)
        assert warm[:3] == plain[:3]
        assert warm[0] == str(other.home)
        assert warm[3] == "stest-worker\n"
    assert probe.status()["python"] == str(other.bin / "python3")


def test_daemon_of_another_python_is_replaced(probe: Project, other: Environment) -> None:
    choices: list[tuple[dict[str, str | None], str]] = [
        ({"SPRINTEST_PYTHON": str(other.home)}, str(other.home)),
        ({"SPRINTEST_PYTHON": None}, own_prefix()),
    ]
    probe.stest().expect(0)
    for env, prefix in choices:
        finished = probe.stest(env=env).expect(0)
        assert "replacing the daemon" in finished.errors
        assert seen(probe)[0] == prefix
        assert "replacing the daemon" not in probe.stest(env=env).expect(0).errors


def test_relative_path_in_the_variable_counts_from_the_root(probe: Project, other: Environment) -> None:
    (probe.root / "env").symlink_to(other.home)
    probe.write("below/test_below.py", PROBE)
    probe.stest(cwd="below", env={"SPRINTEST_PYTHON": "env"}).expect(0)
    assert json.loads(probe.read("below/seen.json"))[0] == str(other.home)


def test_own_python_may_be_chosen(probe: Project, other: Environment) -> None:
    probe.stest().expect(0)
    env = {"SPRINTEST_PYTHON": str(PYTHON), "VIRTUAL_ENV": str(other.home)}
    assert probe.stest(env=env).expect(0).errors == ""


def test_cold_run_has_the_chosen_python(probe: Project, other: Environment) -> None:
    probe.stest("run", "--cold", "--python", str(other.home)).expect(0)
    assert seen(probe)[0] == str(other.home)
    assert "python" in seen(probe)[3]


def fake_python(project: Project, **facts: str) -> Path:
    """An interpreter that answers as one of another version does."""
    answer = json.dumps({"version": "3.1.4", "prefix": "/v", "pytest": "8.0", "tag": "cpython-31", **facts})
    python = project.write("env/bin/python", f"#!/bin/sh\necho '{answer}'\n")
    python.chmod(0o755)
    return python


@pytest.mark.parametrize("way", ["--python", "SPRINTEST_PYTHON"])
@pytest.mark.parametrize("problem", ["missing", "version", "pytest"])
def test_python_that_cannot_be_used(
    probe: Project, tmp_path_factory: pytest.TempPathFactory, problem: str, way: str
) -> None:
    probe.stest().expect(0)
    (daemon,) = probe.daemons()
    (probe.root / "seen.json").unlink()
    if problem == "pytest":
        python = str(Environment(tmp_path_factory.mktemp("v"), [], worker=None).python)
    else:
        python = str(fake_python(probe)) if problem == "version" else "no/such/python"
    args, env = (["run", way, python], {}) if way == "--python" else ([], {way: python})
    said = probe.stest(*args, env=env).expect(CONFIG_ERROR).errors
    words = {
        "missing": [way, "there is no Python at no/such/python"],
        "version": ["is Python 3.1.4", f"built for Python {VERSION}", "install stest in that environment"],
        "pytest": ["cannot import pytest", "Install pytest in that environment"],
    }
    assert all(word in said for word in words[problem]), said
    assert not (probe.root / "seen.json").exists()
    assert probe.daemons() == [daemon]
    for command in ("status", "--version", "stop"):
        probe.stest(command, env={"SPRINTEST_PYTHON": "no/such/python"}).expect(0)


def test_free_threaded_python_is_refused(probe: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Its modules are compiled for another interpreter, although the version is the same."""
    chosen = Environment(tmp_path_factory.mktemp("v"), ["pytest"], worker=None)
    says_so = "import sysconfig\nsysconfig.get_config_vars()['Py_GIL_DISABLED'] = 1\n"
    (chosen.site / "sitecustomize.py").write_text(says_so)
    said = probe.stest("run", "--python", str(chosen.python)).expect(CONFIG_ERROR).errors
    assert f"(cpython-{VERSION.replace('.', '')}t), but this stest was built for Python {VERSION}" in said


def test_verify_needs_stest_in_the_chosen_environment(
    probe: Project, other: Environment, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Without its plugin both runs would end at once, and agree."""
    said = probe.stest("verify", env={"SPRINTEST_PYTHON": str(other.home)}).expect(CONFIG_ERROR).errors
    assert f"{other.bin / 'python3'} has no stest" in said
    complete = Environment(tmp_path_factory.mktemp("v"), ["pytest"])
    finished = probe.stest("verify", env={"SPRINTEST_PYTHON": str(complete.home)}).expect(0)
    assert "warm and cold agree: 1 passed" in finished.errors
    assert seen(probe)[0] == str(complete.home)


def test_failures_stay_where_they_cannot_be_checked(project: Project, other: Environment) -> None:
    project.write("test_it.py", "def test(): assert 0")
    env = {"SPRINTEST_PYTHON": str(other.home), "SPRINTEST_VERIFY_FAILURES": "yes"}
    assert "did not load stest's plugin" in project.stest(env=env).expect(1).errors


def test_request_for_another_python_is_refused(project: Project) -> None:
    project.write("test_it.py", WAITING_TEST)
    project.stest("start").expect(0)
    request = project.request()
    request["env"] = {**request["env"], "SPRINTEST_PYTHON": "/other/bin/python"}
    answer = project.api.post("/v1/test/run", request).json()
    assert answer["error"] == "config"
    assert "this daemon runs" in answer["message"]


# ---- stest doctor


def finding(project: Project, code: int, **env: str) -> dict[str, str]:
    checks = json.loads(project.stest("doctor", "--json", env=env).expect(code).out)["checks"]
    found: dict[str, str] = next(one for one in checks if one["name"] == "python")
    return found


def test_doctor_examines_the_chosen_python(probe: Project, other: Environment) -> None:
    assert str(other.python) in finding(probe, 0, SPRINTEST_PYTHON=str(other.home))["detail"]
    warned = finding(probe, 0, VIRTUAL_ENV=str(other.home))
    assert warned["grade"] == "warning"
    assert "not in the environment of VIRTUAL_ENV" in warned["detail"]
    unusable = finding(probe, UNSOUND, SPRINTEST_PYTHON=str(fake_python(probe)))
    assert unusable["grade"] == "failure"
    assert f"built for Python {VERSION}" in unusable["detail"]


# ---- an installation that another one leads to


def test_stest_that_a_link_leads_to(probe: Project, other: Environment) -> None:
    """As pipx and `uv tool` install it: a link in ~/.local/bin, and the project's own environment beside."""
    link = probe.home / "home/.local/bin/stest"
    link.parent.mkdir(parents=True)
    link.symlink_to(STEST)
    (probe.root / ".venv").symlink_to(other.home)
    probe.env["PATH"] = probe.env["PATH"].replace(f"{BIN}{os.pathsep}", f"{link.parent}{os.pathsep}")
    (line,) = lines_about_another(probe.stest(program=("stest",)).expect(0))
    assert "the project's .venv" in line
    probe.stest(program=("stest",), env={"SPRINTEST_PYTHON": ".venv"}).expect(0)
    assert seen(probe)[0] == str(other.home)
