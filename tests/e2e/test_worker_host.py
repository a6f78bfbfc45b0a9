"""A warm run is the environment's own Python, in `stest-worker` and hosted by `python`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .environment import Environment, EnvironmentProject
from .harness import EMBEDDING, HOSTED

PROBE = """
    import json, os, subprocess, sys

    def test():
        child = subprocess.run(["/usr/bin/env"], capture_output=True, text=True).stdout
        with open("/proc/self/environ") as file:
            at_start = file.read().split("\\0")
        found = {
            "executable": sys.executable,
            "prefix": [sys.prefix, sys.base_prefix, sys.exec_prefix],
            "flags": str(sys.flags),
            "options": [sys._xoptions, sys.warnoptions],
            "arguments": [sys.argv, getattr(sys, "orig_argv", None)],
            "path": sys.path,
            "builtin": sys.builtin_module_names,
            "encodings": [sys.getfilesystemencoding(), sys.stdout.encoding, sys.stderr.errors],
            "preloaded": [os.environ.get("LD_PRELOAD"), "LD_PRELOAD" in child],
            "preloaded at start": [one for one in at_start if one.startswith("LD_PRELOAD")],
        }
        with open("found.json", "w") as file:
            json.dump([found, os.readlink("/proc/self/exe")], file)
"""


@pytest.fixture(scope="module", params=[EMBEDDING, HOSTED], ids=["stest-worker", "python"])
def installed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EnvironmentProject]:
    if not request.param.exists():
        pytest.skip(f"{request.param.name} was not built")
    # With a space, which LD_PRELOAD cannot contain.
    environment = Environment(tmp_path_factory.mktemp("v") / "a b", ["pytest"], worker=request.param)
    project = EnvironmentProject(tmp_path_factory.mktemp("p"), environment)
    project.write("test_it.py", PROBE)
    yield project
    project.close()


def found(project: EnvironmentProject) -> Any:
    answer = json.loads(project.read("found.json"))
    (project.root / "found.json").unlink()
    return answer


@pytest.mark.parametrize("preload", ["", "libm.so.6"], ids=["", "preload"])
@pytest.mark.skipif("LD_PRELOAD" in os.environ, reason="a sanitizer wants to be the first library")
def test_a_run_is_that_python(installed: EnvironmentProject, preload: str) -> None:
    variables: dict[str, str | None] = {"LD_PRELOAD": preload or None, "PYTHONWARNINGS": "default"}
    python = (str(installed.environment.bin / "python3"),)  # The name that stest starts it by.
    installed.finish(installed.start("-m", "pytest", "-q", program=python, env=variables)).expect(0)
    plain, executable = found(installed)
    for _ in range(2):
        assert "ran cold" not in installed.stest("-q", env=variables).expect(0).errors
        warm, host = found(installed)
        assert warm == plain
        if installed.environment.worker.name == HOSTED.name:
            assert host == executable
        else:
            assert Path(host).name == "stest-worker"


def test_a_process_is_named_for_what_it_is(installed: EnvironmentProject) -> None:
    installed.stest("-q").expect(0)
    assert {one.name for one in installed.processes()} == {"stestd", "stest-worker"}


def test_fork_health_is_probed_in_the_same_host(installed: EnvironmentProject) -> None:
    """The culprit is found by workers that the worker starts."""
    code = "import os, time\nos.register_at_fork(after_in_child=lambda: time.sleep(10**6))\n"
    (installed.environment.site / "calm.py").write_text("")
    (installed.environment.site / "hangs.py").write_text(code)
    installed.configure(sprintest="preload = ['calm', 'hangs']")
    installed.stest("-q").expect(0)
    told = installed.status()["worker"]
    assert "hangs" in [one["module"] for one in told["not_preloaded"]]
    assert "calm" in [one["module"] for one in told["preloaded"]]
    installed.configure()


def test_doctor(installed: EnvironmentProject) -> None:
    checks = json.loads(installed.stest("doctor", "--json").expect(0).out)["checks"]
    (worker,) = [one["detail"] for one in checks if one["name"] == "worker"]
    assert worker.startswith("runs Python 3.")
