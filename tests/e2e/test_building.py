"""What the programs need of a machine, and what the build says of a machine that lacks what it needs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from .environment import Environment
from .harness import BIN, PYTHON

SOURCE = Path(__file__).parents[2]
C_LIBRARY = {"libc", "libm", "libpthread", "libdl", "librt", "ld-linux-x86-64", "ld-linux-aarch64"}
MISSING = (
    *("a compiler for C++20", "nlohmann_json", "tl-expected", "CLI11", "tomlplusplus", "spdlog"),
    "cpp-httplib",
)


def needed_libraries(program: Path) -> set[str]:
    dynamic = subprocess.run(["readelf", "-d", program], check=True, capture_output=True, text=True).stdout
    return {name.split(".so")[0] for name in re.findall(r"\(NEEDED\).*\[(.+)\]", dynamic)}


@pytest.mark.skipif(not shutil.which("readelf"), reason="needs readelf")
@pytest.mark.parametrize("program", ["stest", "stestd"])
def test_program_needs_only_the_c_library(program: str) -> None:
    needed = needed_libraries(BIN / program)
    if any(name.endswith("san") for name in needed):
        pytest.skip("built with sanitizers")
    assert needed <= C_LIBRARY


needs_cmake = pytest.mark.skipif(
    not shutil.which("cmake") or not shutil.which("ninja"), reason="needs cmake and ninja"
)


def configure(build: Path, *options: str, path: str = os.environ["PATH"]) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PATH": path}
    for variable in ("CC", "CXX", "CMAKE_PREFIX_PATH", "CMAKE_CXX_COMPILER_LAUNCHER"):
        env.pop(variable, None)
    if OFFLINE in options:
        env["https_proxy"] = "http://127.0.0.1:9"
    tools = (f"-DCMAKE_MAKE_PROGRAM={shutil.which('ninja')}", f"-DPython_EXECUTABLE={PYTHON}")
    command = [
        str(shutil.which("cmake")),
        "-S",
        str(SOURCE),
        "-B",
        str(build),
        "-G",
        "Ninja",
        *tools,
        *options,
    ]
    return subprocess.run(command, env=env, capture_output=True, text=True)


#: No libraries in the usual folders.
OFFLINE = "-DCMAKE_FIND_USE_CMAKE_SYSTEM_PATH=OFF"


@needs_cmake
def test_all_that_is_missing_is_named_at_once(tmp_path: Path) -> None:
    """A machine without compiler, libraries and network."""
    options = (OFFLINE, "-DCMAKE_FIND_USE_SYSTEM_ENVIRONMENT_PATH=OFF", f"-DSTEST_THIRD_PARTY={tmp_path}")
    run = configure(tmp_path / "build", *options, path=str(tmp_path))
    assert run.returncode != 0
    assert run.stderr.count("CMake Error") == 1, run.stderr
    assert [name for name in MISSING if f"- {name}" not in run.stderr] == []
    for command in ("apt-get install g++ ", "dnf install gcc-c++ ", "pacman -S gcc ", "cxx-compiler "):
        assert command in run.stderr


@needs_cmake
@pytest.mark.skipif(not shutil.which("c++"), reason="needs a C++ compiler")
def test_headers_of_an_sdist_are_all_that_is_needed(tmp_path: Path) -> None:
    headers = tmp_path / "third_party"
    collected = configure(tmp_path / "first", f"-DSTEST_BUNDLE={headers}")
    assert collected.returncode == 0, collected.stderr
    run = configure(tmp_path / "second", OFFLINE, f"-DSTEST_THIRD_PARTY={headers}")
    assert run.returncode == 0, run.stderr
    assert run.stdout.count(str(headers)) == 7


@needs_cmake
@pytest.mark.skipif(not shutil.which("c++"), reason="needs a C++ compiler")
def test_free_threaded_python_is_refused(tmp_path: Path) -> None:
    environment = Environment(tmp_path / "v", [], worker=None)
    says_so = "import sysconfig\nsysconfig.get_config_vars()['Py_GIL_DISABLED'] = 1\n"
    (environment.site / "sitecustomize.py").write_text(says_so)
    run = configure(tmp_path / "build", f"-DPython_EXECUTABLE={environment.python}")
    assert run.returncode != 0
    assert "does not support free-threaded builds of Python" in run.stderr
