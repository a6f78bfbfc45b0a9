"""stest under the tools that make environments or run commands in them, each from its own installation.

They install from a package index, so they need the network, and the wheel that tests/run has built.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .harness import Finished, Project

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
LIMIT = 600.0  # Seconds; most of it is the download.

TEST = """
    import os, sys

    def test():
        with open("seen", "w") as file:
            print(sys.prefix, os.readlink("/proc/self/exe"), file=file)
"""


@pytest.fixture(scope="module")
def wheel() -> Path:
    wheels = sorted((ROOT / "build/dist").glob("sprintest-2*.whl"), key=lambda file: file.stat().st_mtime)
    if not wheels:
        pytest.skip("no wheel in build/dist; tests/run builds it")
    return wheels[-1]


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs of an environment with all tools."""
    home = tmp_path_factory.mktemp("tools")
    subprocess.run([sys.executable, "-m", "venv", home], check=True)
    names = ("uv", "tox", "nox", "pipx", "pre-commit")
    subprocess.run([home / "bin/python", "-m", "pip", "install", "-q", *names], check=True)
    return home / "bin"


@pytest.fixture
def tooled(project: Project, tools: Path) -> Project:
    """A project in a shell that has the tools, and no stest."""
    names = ("uv", "tox", "nox", "pipx", "pre-commit")
    links = project.home / "links"
    links.mkdir()
    for name in names:
        (links / name).symlink_to(tools / name)
    # How to reach the package index.
    kept = [one for one in os.environ if one.startswith(("PIP_", "UV_", "SSL_")) or "proxy" in one.lower()]
    project.env.update({name: os.environ[name] for name in kept}, UV_PYTHON=sys.executable)
    project.env["PATH"] = f"{links}{os.pathsep}/usr/bin{os.pathsep}/bin"
    project.write("test_it.py", TEST)
    return project


def ran(project: Project, *command: str, code: int = 0) -> Finished:
    """The run of a tool that ends with this code."""
    return project.finish(project.start(program=command), LIMIT).expect(code)


def prefix(project: Project) -> Path:
    """The environment that the tests have just run in."""
    folder = project.read("seen").split()[0]
    (project.root / "seen").unlink()
    return Path(folder)


def is_silent(finished: Finished) -> bool:
    return "not in the environment of" not in finished.text + finished.errors


def describe_project(project: Project, wheel: Path) -> None:
    project.write(
        "pyproject.toml",
        f"""
        [project]
        name = "it"
        version = "1"
        requires-python = ">={sys.version_info.major}.{sys.version_info.minor}"
        [dependency-groups]
        dev = ["pytest", "sprintest @ {wheel.as_uri()}"]
        [tool.pytest.ini_options]
        """,
    )


def test_uv_run(tooled: Project, wheel: Path) -> None:
    describe_project(tooled, wheel)
    for _ in range(2):
        assert is_silent(ran(tooled, "uv", "run", "stest"))
        assert prefix(tooled) == tooled.root / ".venv"
    tooled.env["UV_PROJECT_ENVIRONMENT"] = "elsewhere"
    assert is_silent(ran(tooled, "uv", "run", "stest"))
    assert prefix(tooled) == tooled.root / "elsewhere"


def test_uv_run_with(tooled: Project, wheel: Path) -> None:
    """uv puts stest into an environment of its own, which does not see that of the project."""
    tooled.write("pyproject.toml", "[project]\nname = 'it'\nversion = '1'\ndependencies = ['pytest']\n")
    command = ("uv", "run", "--with", str(wheel), "stest")
    assert ran(tooled, *command).errors.count("not in the environment of VIRTUAL_ENV") == 1
    assert prefix(tooled) != tooled.root / ".venv"
    tooled.env["SPRINTEST_PYTHON"] = ".venv"
    for _ in range(2):
        finished = ran(tooled, *command)
        assert is_silent(finished)
        assert prefix(tooled) == tooled.root / ".venv"
    assert "the daemon" not in finished.errors


@pytest.mark.parametrize("tool", ["pipx", "uv"])
def test_tool_with_an_environment_of_its_own(tooled: Project, wheel: Path, tool: str) -> None:
    ran(tooled, "uv", "venv", ".venv")
    ran(tooled, "uv", "pip", "install", "--python", ".venv", "pytest")
    ran(tooled, tool, *(["install"] if tool == "pipx" else ["tool", "install"]), str(wheel))
    stest = str(tooled.home / "home/.local/bin/stest")
    finished = ran(tooled, stest)
    assert finished.errors.count("not in the environment of the project's .venv") == 1
    assert prefix(tooled) != tooled.root / ".venv"
    for _ in range(2):
        assert is_silent(ran(tooled, stest, "run", "--python", ".venv"))
        assert prefix(tooled) == tooled.root / ".venv"


def test_tox(tooled: Project, wheel: Path) -> None:
    tooled.write(
        "tox.ini",
        f"""
        [tox]
        env_list = one
        [testenv]
        skip_install = true
        deps =
            {wheel}
        pass_env = SPRINTEST_*
            *MARKER
        set_env = SPRINTEST_DIR = {{env_dir}}/sprintest
        commands = stest {{posargs}}
        """,
    )
    for _ in range(2):
        assert is_silent(ran(tooled, "tox", "--", "-q"))
        assert prefix(tooled) == tooled.root / ".tox/one"
    state = str(tooled.root / ".tox/one/sprintest")
    tooled.finish(tooled.start("stop", program=(".tox/one/bin/stest",), env={"SPRINTEST_DIR": state})).expect(
        0
    )


def test_nox(tooled: Project, wheel: Path) -> None:
    tooled.write(
        "noxfile.py",
        f"""
        import nox

        @nox.session(reuse_venv=True)
        def tests(session):
            session.install({str(wheel)!r})
            session.run("stest", *session.posargs)
        """,
    )
    for _ in range(2):
        assert is_silent(ran(tooled, "nox", "--", "-q"))
        assert prefix(tooled) == tooled.root / ".nox/tests"


def test_pre_commit(tooled: Project, wheel: Path) -> None:
    """A hook of the system runs the stest that is first in PATH, in its environment."""
    ran(tooled, "uv", "venv", ".venv")
    ran(tooled, "uv", "pip", "install", "--python", ".venv", str(wheel))
    tooled.write(
        ".pre-commit-config.yaml",
        """
        repos:
          - repo: local
            hooks:
              - id: stest
                name: stest
                language: system
                entry: stest -q
                pass_filenames: false
                always_run: true
        """,
    )
    if not shutil.which("git"):
        pytest.skip("pre-commit needs git")
    ran(tooled, "git", "init", "-q")
    ran(tooled, "git", "add", ".pre-commit-config.yaml")
    tooled.env["PATH"] = f"{tooled.root / '.venv/bin'}{os.pathsep}{tooled.env['PATH']}"
    for _ in range(2):
        assert is_silent(ran(tooled, "pre-commit", "run", "--verbose", "--all-files"))
        assert prefix(tooled) == tooled.root / ".venv"


def test_pip_replaces_the_python_program(tooled: Project, wheel: Path) -> None:
    """Both are called sprintest, so neither leaves anything of the other behind."""
    ran(tooled, "uv", "venv", "--seed", ".venv")
    pip = (".venv/bin/python", "-m", "pip", "install", "-q")
    ran(tooled, *pip, "sprintest<2")
    assert (tooled.root / ".venv/bin/sprintest-daemon").exists()
    ran(tooled, *pip, str(wheel))
    assert not (tooled.root / ".venv/bin/sprintest-daemon").exists()
    ran(tooled, ".venv/bin/stest")
    assert prefix(tooled) == tooled.root / ".venv"
    assert "predecessor" not in ran(tooled, ".venv/bin/stest", "doctor").text
