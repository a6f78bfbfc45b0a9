"""What makes a fork of the warm worker safe: the seven rules of docs/architecture.md."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from .harness import Project, wait_for

# A stand-in with the few functions of torch that matter to a fork.
FAKE_TORCH = {
    "torch/__init__.py": """
        import _ctypes as _C  # Only what has a compiled part is taken for torch, and not for a stub.
        from torch import cuda

        threads = 4

        def get_num_threads():
            return threads

        def initial_seed():
            return 1

        def set_num_threads(number):
            global threads
            threads = number
    """,
    "torch/cuda.py": """
        _initialized = False

        def init():
            global _initialized
            _initialized = True

        def is_initialized():
            return _initialized

        def empty_cache():
            pass
    """,
    "eager_gpu.py": """
        import torch

        torch.cuda.init()
    """,
}


def preload(project: Project, *modules: str) -> None:
    project.configure(sprintest=f"preload = {json.dumps(modules)}")


def run_inside(project: Project, body: str, **env: str) -> Any:
    """What `body` puts into `found` inside a test of a warm run."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    header = "import gc, json, os, random, sys, threading\n"
    footer = "    with open('found.json', 'w') as file: json.dump(found, file)\n"
    project.write("test_inside.py", f"{header}def test_inside():\n{lines}\n{footer}")
    project.stest("-q", "test_inside.py", env=env).expect(0)
    return json.loads(project.read("found.json"))


def not_preloaded(project: Project) -> dict[str, str]:
    return {entry["module"]: entry["reason"] for entry in project.status()["worker"]["not_preloaded"]}


def preloaded(project: Project) -> list[str]:
    return [entry["module"] for entry in project.status()["worker"]["preloaded"]]


def test_preloaded_module_is_warm_in_every_run(project: Project) -> None:
    project.install("heavy.py", "import threading\nborn_in = threading.get_native_id()")
    preload(project, "heavy")
    runs = [run_inside(project, "import heavy\nfound = [heavy.born_in, os.getpid()]") for _ in range(2)]
    assert "heavy" in preloaded(project)
    worker = project.status()["worker"]["pid"]
    assert [born for born, _ in runs] == [worker, worker]
    assert runs[0][1] != runs[1][1]


# ---- 1: OpenMP


@pytest.mark.torch
def test_openmp_works_with_as_many_threads_as_in_plain_python(project: Project) -> None:
    preload(project, "torch")
    plain = project.python("-c", "import torch; print(torch.get_num_threads())").expect(0)
    body = """
import torch
torch.nn.functional.layer_norm(torch.ones(512, 4096), [4096])
found = [torch.get_num_threads(), torch.get_num_interop_threads()]
torch.set_num_threads(2)
torch.nn.functional.layer_norm(torch.ones(512, 4096), [4096]).sum().item()
"""
    for _ in range(2):
        assert run_inside(project, body)[0] == int(plain.out)
    assert "torch" in preloaded(project)


# ---- 2: CUDA


@pytest.mark.torch
def test_zygote_leaves_cuda_alone(project: Project) -> None:
    preload(project, "torch")
    body = "import torch\nfound = [torch.cuda.is_initialized(), torch.cuda._is_in_bad_fork()]"
    assert run_inside(project, body) == [False, False]


def test_module_that_initialises_cuda_is_left_to_the_runs(project: Project) -> None:
    for file, source in FAKE_TORCH.items():
        project.install(file, source)
    project.install("calm.py", "")
    preload(project, "calm", "eager_gpu")
    body = "import torch\nbefore = torch.cuda.is_initialized()\nimport eager_gpu\n"
    assert run_inside(project, body + "found = [before, torch.cuda.is_initialized()]") == [False, True]
    assert "CUDA" in not_preloaded(project)["eager_gpu"]
    assert "calm" in preloaded(project)


# ---- 3: threads, and what hangs


THREADED = """
    import threading

    thread = threading.Thread(target=threading.Event().wait, daemon=True)
    thread.start()
"""


def test_module_that_starts_a_thread_is_not_preloadable(project: Project) -> None:
    project.install("threaded.py", THREADED)
    project.install("calm.py", "")
    preload(project, "threaded", "calm")
    assert run_inside(project, "import threaded\nfound = threaded.thread.is_alive()")
    assert "thread" in not_preloaded(project)["threaded"]
    assert "calm" in preloaded(project)
    assert "threaded" not in preloaded(project)


def test_module_not_preloaded_stays_out_after_a_restart(project: Project) -> None:
    project.install("threaded.py", THREADED)
    preload(project, "threaded")
    for _ in range(2):
        run_inside(project, "found = threading.active_count()")
        assert "thread" in not_preloaded(project)["threaded"]
        project.stest("restart").expect(0)


def test_many_modules_that_import_one_that_is_not_preloadable_cost_one_worker(project: Project) -> None:
    project.install("threaded.py", THREADED)
    users = [f"user{number}" for number in range(8)]
    for name in users:
        project.install(f"{name}.py", "import threaded")
    project.install("tolerant.py", "try: import threaded\nexcept Exception: threaded = None\n")
    project.install("package/__init__.py", "import threaded")
    project.install("package/part.py", "")
    project.install("calm.py", "import importlib.util\nfound = importlib.util.find_spec('threaded')\n")
    project.configure(sprintest='ignore = ["user?", "threaded", "tolerant", "package*", "calm"]')
    body = f"import {', '.join(users)}, tolerant, package.part, calm\nfound = tolerant.threaded is not None"
    not_preloadable = {"threaded", "tolerant", "package", *users}
    assert run_inside(project, body)
    wait_for(lambda: project.status()["worker"] is None, "the end of the worker that is spoilt")
    assert run_inside(project, body)
    wait_for(lambda: "calm" in preloaded(project), "the preloading")
    assert not_preloadable <= not_preloaded(project).keys()
    for _ in range(2):
        assert run_inside(project, body)
        assert "calm" in preloaded(project)
        assert not not_preloadable & set(preloaded(project))
        project.stest("restart").expect(0)
    log = (project.state / "daemon.log").read_text()
    assert log.count("will not be preloaded: ") == log.count(": lies in") + len(not_preloadable)
    workers = len(re.findall(r"worker \d+ started", log))
    assert workers == 3, "the first one, one for what is not preloadable, one for the restart"


def test_temporary_file_that_is_gone_after_the_import_does_no_harm(project: Project) -> None:
    project.install("probing.py", "import tempfile\nwith tempfile.TemporaryDirectory() as folder: pass\n")
    project.install("keeping.py", "import tempfile\nfolder = tempfile.TemporaryDirectory()\n")
    project.install("opening.py", "import os, tempfile\nfd, path = tempfile.mkstemp()\nos.unlink(path)\n")
    preload(project, "keeping", "opening", "probing")
    assert run_inside(project, "import probing\nfound = not os.path.exists(probing.folder)")
    assert preloaded(project) == ["probing"]
    assert not_preloaded(project).keys() == {"keeping", "opening"}


def test_runs_begin_with_one_thread(project: Project) -> None:
    project.install("calm.py", "")
    preload(project, "calm")
    assert run_inside(project, "found = [threading.active_count(), len(os.listdir('/proc/self/task'))]") == [
        1,
        1,
    ]


def test_module_whose_fork_hangs_is_found_and_not_preloaded(project: Project) -> None:
    source = "import os, time\nos.register_at_fork(after_in_child=lambda: time.sleep(10**6))\n"
    project.install("calm.py", "")
    project.install("hangs.py", source)
    preload(project, "calm", "hangs")
    assert run_inside(project, "import hangs\nfound = 1") == 1
    assert "hangs" in not_preloaded(project)
    assert "calm" in preloaded(project)


def test_module_that_kills_the_worker_is_found_and_not_preloaded(project: Project) -> None:
    project.install(
        "deadly.py",
        "import os\nif 'stest-worker' in open('/proc/self/comm').read(): os._exit(1)\n",
    )
    preload(project, "deadly")
    project.write("test_it.py", "def test(): pass")
    project.stest().expect(0)
    assert "deadly" in not_preloaded(project)


def test_module_that_cannot_be_imported_is_reported_and_costs_nothing(project: Project) -> None:
    preload(project, "no_such_module")
    project.write("test_it.py", "def test(): pass")
    project.stest().expect(0)
    assert "no_such_module" in not_preloaded(project)["no_such_module"]


# ---- 4: random numbers


def test_random_numbers_differ_between_runs(project: Project) -> None:
    preload(project, "random")
    assert run_inside(project, "found = random.random()") != run_inside(project, "found = random.random()")


def test_numpy_random_numbers_differ_between_runs(project: Project) -> None:
    pytest.importorskip("numpy")
    preload(project, "numpy")
    body = "import numpy\nfound = [numpy.random.rand(), numpy.random.default_rng().random()]"
    first, second = run_inside(project, body), run_inside(project, body)
    assert first[0] != second[0]
    assert first[1] != second[1]


@pytest.mark.torch
def test_torch_random_numbers_differ_between_runs(project: Project) -> None:
    """As between processes: torch takes its first seed from the system."""
    preload(project, "torch")
    body = "import torch\nfound = [torch.initial_seed(), torch.rand(2).tolist()]"
    first, second = run_inside(project, body), run_inside(project, body)
    assert first[0] != second[0]
    assert first[1] != second[1]


# ---- 5: plugins


def install_plugin(project: Project) -> None:
    """A distribution with a pytest plugin, as pip would leave it."""
    project.install("oddplug/__init__.py", "def check(value):\n    assert value == 1\n")
    project.install("oddplug/plugin.py", "import oddplug\n")
    info = "oddplug-1.0.dist-info"
    project.install(f"{info}/METADATA", "Metadata-Version: 2.1\nName: oddplug\nVersion: 1.0\n")
    project.install(f"{info}/entry_points.txt", "[pytest11]\noddplug = oddplug.plugin\n")
    project.install(f"{info}/RECORD", "oddplug/__init__.py,,\noddplug/plugin.py,,\n")


def test_preloaded_plugin_causes_no_warning_and_is_rewritten(project: Project) -> None:
    install_plugin(project)
    preload(project, "oddplug", "oddplug.plugin")
    project.write("test_it.py", "import oddplug\ndef test(): oddplug.check(2)\n")
    for _ in range(2):
        text = project.stest("-W", "error::pytest.PytestAssertRewriteWarning").expect(1).text
        assert "assert 2 == 1" in text
        assert "oddplug" in text
        assert "warning" not in text.lower()


def test_preloaded_anyio_causes_no_warning(project: Project) -> None:
    pytest.importorskip("anyio")
    del project.env["PYTEST_ADDOPTS"]  # anyio is to be a plugin as well.
    preload(project, "anyio")
    project.write("test_it.py", "import anyio\ndef test(): pass\n")
    for _ in range(2):
        finished = project.stest("-W", "error::pytest.PytestAssertRewriteWarning").expect(0)
        assert "warning" not in finished.text.lower()


# ---- 6: the garbage collector


def test_what_was_preloaded_is_frozen(project: Project) -> None:
    preload(project, "json")
    frozen, enabled = run_inside(project, "found = [gc.get_freeze_count(), gc.isenabled()]")
    assert frozen > 1000
    assert enabled
