"""The wheel for other systems: `stest` is `python -m pytest`, `sprintest.warm` a plain cache."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from .environment import Environment

SOURCE = Path(__file__).parents[2]
SUITE = """
import sprintest

@sprintest.warm
def load(): return object()

def test_it(): assert load() is load()
def test_that_fails(): assert 0
"""


def wheel_with_programs(folder: Path) -> Path:
    """A stand-in for the wheel that the other is made from."""
    wheel = folder / f"sprintest-{importlib.metadata.version('sprintest')}-cp39-cp39-linux_x86_64.whl"
    info = "-".join(wheel.name.split("-")[:2]) + ".dist-info"
    package = SOURCE / "python"
    with zipfile.ZipFile(wheel, "w") as archive:
        for file in package.rglob("*.py*"):
            archive.write(file, file.relative_to(package))
        archive.write(package / "sprintest" / "py.typed", "sprintest/py.typed")
        metadata = importlib.metadata.distribution("sprintest").read_text("METADATA")
        archive.writestr(f"{info}/METADATA", str(metadata))
        archive.writestr(f"{info}/licenses/LICENSE", (SOURCE / "LICENSE").read_text())
    return wheel


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    folder = tmp_path_factory.mktemp("fallback")
    script = SOURCE / "cmake" / "fallback_wheel.py"
    subprocess.run([sys.executable, script, wheel_with_programs(folder), folder], check=True)
    (wheel,) = folder.glob("*-py3-none-any.whl")
    made = Environment(folder / "venv", ["pytest"], worker=None)
    pip = (sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", "--python", str(made.python))
    subprocess.run([*pip, "install", "--no-deps", "--no-index", str(wheel)], check=True)
    return made


@pytest.mark.parametrize("module", [False, True])
def test_pytest_runs_after_one_line(environment: Environment, tmp_path: Path, module: bool) -> None:
    (tmp_path / "test_it.py").write_text(SUITE)
    stest = [environment.python, "-m", "sprintest"] if module else [environment.bin / "stest"]

    def run(*args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*stest, *args], cwd=tmp_path, capture_output=True, text=True)

    for args in (["-q"], ["run", "-q"], ["run", "--cold", "-q"], ["run", "--", "-q"]):
        ran = run(*args)
        assert ran.returncode == 1
        assert "1 failed, 1 passed" in ran.stdout
        assert ran.stderr.startswith("stest: running python -m pytest: this is ")
        assert ran.stderr.count("\n") == 1
    assert run("--version").stdout.startswith("stest 2.")
    status = run("status")
    assert status.returncode == 101
    assert status.stderr.startswith("stest: no `stest status`: this is ")
