"""What runs do with CUDA, with a stand-in for torch's calls; test_gpu.py has the real ones."""

from __future__ import annotations

import time

import pytest

from .harness import Project, wait_for
from .modes import MODES, MODES_OF_LONG_TESTS

STAND_IN = {
    "torch/__init__.py": """
        import _ctypes as _C  # Only what has a compiled part is taken for torch, and not for a stub.
        from torch import cuda

        def get_default_dtype(): return "float32"
        def get_num_threads(): return 1
        def initial_seed(): return 1
        def is_grad_enabled(): return True
        def set_num_threads(number): pass

        class default_generator:
            tolist = list
            get_state = classmethod(lambda cls: cls)
            seed = int
    """,
    "torch/cuda.py": """
        import os, time

        _queued_calls = []
        _since = None

        def is_initialized():
            return _since is not None

        def init():
            global _since
            if not is_initialized():
                for call, traceback in _queued_calls:
                    call()
                _since = time.monotonic()
                if "CUDA_WARNS" in os.environ:
                    import warnings
                    warnings.warn("an old device")

        def synchronize():
            init()
            empty_cache()

        def empty_cache():
            if "fails" in globals():
                raise RuntimeError("CUDA error: device-side assert triggered\\nand so on")

        def default_stream(): pass
        def device_count(): return 1
        def seed_all(): pass
        def set_device(number): pass
        def set_stream(stream): pass
        def reset_accumulated_memory_stats(device): pass
        def reset_peak_memory_stats(device): pass
    """,
}

INIT = "torch.cuda.init()\n    open('since', 'w').write(str(torch.cuda._since))"


@pytest.fixture(autouse=True)
def _switched_on(project: Project) -> None:
    del project.env["SPRINTEST_PRIME"]
    for path, text in STAND_IN.items():
        project.install(path, text)


def write(project: Project, body: str) -> None:
    project.write("test_it.py", f"import os, torch\n\ndef test_first():\n    {body}\n")


def run_and_wait(project: Project, code: int = 0) -> None:
    project.stest().expect(code)
    project.ahead()


def is_done_ahead(project: Project) -> bool:
    """Whether the next run finds CUDA initialised."""
    now = time.monotonic()
    project.stest().expect(0)
    return float(project.read("since")) < now


def test_first_use_is_done_ahead(project: Project) -> None:
    write(project, INIT)
    run_and_wait(project)
    assert is_done_ahead(project)
    run_and_wait(project)
    assert is_done_ahead(project), "what was done ahead still shows that it may be"


def test_not_after_an_edit(project: Project) -> None:
    write(project, INIT)
    run_and_wait(project)
    known = {process.pid for process in project.processes("stest-worker")}
    write(project, f"assert not torch.cuda.is_initialized()\n    {INIT}")
    wait_for(
        lambda: {process.pid for process in project.processes("stest-worker")} - known,
        "another runner forked ahead",
    )
    assert not is_done_ahead(project)


@pytest.mark.parametrize(
    "body",
    [
        "os.environ['CUDA_VISIBLE_DEVICES'] = '1'\n    " + INIT,
        "os.fork() or os._exit(0)\n    " + INIT,
        "pass\n\ndef test_second():\n    " + INIT,
    ],
    ids=["variable", "fork", "second"],
)
def test_not_where_it_can_be_told(project: Project, body: str) -> None:
    write(project, body)
    run_and_wait(project)
    assert not is_done_ahead(project)


def test_not_where_the_test_fails(project: Project) -> None:
    write(project, f"{INIT}\n    assert os.path.exists('passes')")
    run_and_wait(project, 1)
    project.write("passes", "")
    assert not is_done_ahead(project)


def test_not_where_it_warns(project: Project) -> None:
    project.env["CUDA_WARNS"] = "1"
    write(project, INIT)
    project.stest().expect(0)
    project.ahead()
    for _ in range(4):
        assert "1 warning" in project.stest().expect(0).text


@pytest.mark.parametrize("mode", MODES_OF_LONG_TESTS)
def test_failed_device_is_of_that_run_only(project: Project, mode: str) -> None:
    project.configure(sprintest='ignore = ["torch", "torch.*"]')
    project.env.update(MODES[mode], SPRINTEST_PRIME="no")
    write(project, "assert not hasattr(torch.cuda, 'fails')\n    torch.cuda.init()")
    project.write(
        "test_fails.py", "import torch\ndef test():\n    torch.cuda.init()\n    torch.cuda.fails = 1\n"
    )
    for _ in range(3):
        project.stest("test_fails.py").expect(0)
        project.stest("test_it.py").expect(0)
    if mode == "resident":
        assert "device-side assert triggered" in project.stest("test_fails.py").expect(0).errors


@pytest.mark.torch
def test_torch_has_what_it_is_watched_by(project: Project) -> None:
    project.write("test_it.py", "import torch\ndef test(): assert type(torch.cuda._queued_calls) is list")
    project.plain().expect(0)
