"""What runs do with a real GPU; skipped where there is none. test_cuda.py shows the same with a stand-in."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from .harness import Project, wait_for
from .modes import MODES
from .test_fork_rules import preloaded, run_inside
from .test_warm import values

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(not os.path.exists("/dev/nvidiactl"), reason="there is no NVIDIA GPU"),
]

modes = pytest.mark.parametrize("mode", MODES)


@pytest.fixture(autouse=True)
def _torch_is_warm(project: Project) -> None:
    project.configure(sprintest="preload = ['torch']")


def run_with_torch(project: Project, body: str, **env: str) -> Any:
    """What `body` puts into `found` inside a test."""
    return run_inside(project, f"import torch\n{body}", **env)


@modes
def test_tests_compute_on_the_device(project: Project, mode: str) -> None:
    project.env.update(MODES[mode])
    body = "x = torch.arange(100., device='cuda')\nfound = float(x @ x)"
    assert {run_with_torch(project, body) for _ in range(3)} == {328350.0}
    assert "torch" in preloaded(project)


@modes
@pytest.mark.parametrize("use", ["torch.cuda.is_available()", "torch.ones(1).cuda().item()"])
def test_modules_that_open_the_device_when_imported(project: Project, mode: str, use: str) -> None:
    """Once opened in a process, CUDA works in none of its forks."""
    project.env.update(MODES[mode])
    project.install("eager_gpu.py", f"import torch\nKNOWN = {use}\n")
    project.write("conftest.py", f"import torch\nKNOWN = {use}\n")
    project.write("helper.py", f"import torch\nKNOWN = {use}\n")
    body = (
        "import eager_gpu, helper\nfound = float((torch.ones(9, device='cuda') * int(eager_gpu.KNOWN)).sum())"
    )
    assert {run_with_torch(project, body) for _ in range(4)} == {9.0}


@modes
def test_variables_choose_the_devices_of_one_run(project: Project, mode: str) -> None:
    project.env.update(MODES[mode])
    body = "found = [torch.cuda.is_available(), torch.cuda.device_count()]"
    with_all = run_with_torch(project, body)
    assert with_all[0]
    assert run_with_torch(project, body, CUDA_VISIBLE_DEVICES="") == [False, 0]
    assert run_with_torch(project, body) == with_all


@modes
def test_memory_is_free_after_a_run(project: Project, mode: str) -> None:
    project.env.update(MODES[mode])
    body = (
        "found = torch.cuda.mem_get_info()[0]\nkeep = torch.empty(4 << 30, dtype=torch.uint8, device='cuda')"
    )
    free = [run_with_torch(project, body) for _ in range(4)]
    assert max(free) - min(free) < 1 << 30


@modes
def test_failed_kernel_is_of_that_run_only(project: Project, mode: str) -> None:
    project.env.update(MODES[mode])
    project.write(
        "test_fails.py",
        """
        import torch

        def test():
            index = torch.full((4,), 1000, device="cuda")
            torch.ones(2, device="cuda")[index].sum().item()
        """,
    )
    for _ in range(2):
        project.stest("test_fails.py").expect(1)
        assert run_with_torch(project, "found = float(torch.ones(7, device='cuda').sum())") == 7


def test_resident_process_keeps_its_context_and_models(project: Project) -> None:
    project.env.update(MODES["resident"])
    project.install("models.py", "import torch\nmodel = torch.nn.Linear(100, 100).cuda()\n")
    project.configure(sprintest="preload = ['torch']\nignore = ['models']")
    body = """
before = torch.cuda.is_initialized()
import models
found = [os.getpid(), models.model.weight.data_ptr(), before, torch.cuda.memory_allocated(),
         torch.cuda.max_memory_allocated() < 1 << 30, torch.cuda.memory_reserved() < 1 << 30,
         torch.backends.cuda.matmul.allow_tf32, torch.cuda.current_stream().stream_id]
big = torch.empty(2 << 30, dtype=torch.uint8, device="cuda")
big.itself = big
torch.backends.cuda.matmul.allow_tf32 = True
torch.cuda.set_stream(torch.cuda.Stream())
"""
    runs = [run_with_torch(project, body) for _ in range(5)]
    assert runs[2] == runs[3] == runs[4]
    assert [runs[4][number] for number in (2, 4, 5, 6)] == [True, True, True, False]


def test_seeds_are_those_of_a_new_process(project: Project) -> None:
    project.env.update(MODES["resident"])
    body = """
found = [torch.initial_seed(), torch.rand(1).item(), torch.rand(1, device="cuda").item()]
torch.manual_seed(1)
"""
    runs = [run_with_torch(project, body) for _ in range(4)]
    project.plain("test_inside.py").expect(0)
    plain = json.loads(project.read("found.json"))
    is_constant = plain[0] == 67280421310721  # Before torch 2.13.
    for number in range(2):
        assert len({run[number] for run in [*runs, plain]}) == (1 if is_constant else 5)
    assert len({run[2] for run in [*runs, plain]}) == 5


def test_first_use_is_done_ahead(project: Project) -> None:
    del project.env["SPRINTEST_PRIME"]
    body = "found = torch.cuda.is_initialized()\ntorch.ones(1, device='cuda')"
    seen = [run_with_torch(project, body)]
    for _ in range(3):
        project.ahead()
        project.stest("-q", "test_inside.py").expect(0)
        seen.append(json.loads(project.read("found.json")))
    assert not seen[0]
    assert seen[-2:] == [True, True]


@modes
def test_warm_value_on_the_device(project: Project, mode: str) -> None:
    """It cannot be held for forks; each run loads its own."""
    project.env.update(MODES[mode])
    project.write(
        "conftest.py",
        """
        import sprintest, torch

        @sprintest.warm
        def load():
            return torch.ones(5, device="cuda")
        """,
    )
    body = "from conftest import load\nfound = float(load().sum())"
    for _ in range(4):
        assert run_with_torch(project, body) == 5
        wait_for(
            lambda: all(state not in ("wanted", "loading") for state, _ in values(project)), "the values"
        )
