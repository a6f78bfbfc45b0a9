"""`stest -n`: pytest-xdist itself, with warm workers."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from .environment import Environment, EnvironmentProject
from .harness import Finished, Project, wait_for

pytest.importorskip("xdist")

#: Each test writes which process it ran in.
TESTS = """
    import os, pytest

    @pytest.mark.parametrize("number", range(6))
    def test_number(number, worker_id):
        with open(f"ran_{number}", "w") as file:
            file.write(f"{worker_id} {os.path.basename(os.readlink('/proc/self/exe'))}")
"""


def ran(project: Project) -> tuple[set[str], set[str]]:
    """In which workers of xdist, and in which programs, the tests ran."""
    words = [file.read_text().split() for file in project.root.glob("ran_*")]
    assert len(words) == 6
    return {name for name, _ in words}, {program for _, program in words}


def outcome(finished: Finished) -> tuple[int, str]:
    """The exit code, and the last line without times."""
    return finished.code, re.sub(r"in \d.*s", "", finished.text.rstrip().rpartition("\n")[2].strip("="))


@pytest.mark.parametrize("dist", ["load", "loadscope", "loadfile", "loadgroup", "worksteal", "each", "no"])
def test_workers_are_warm(project: Project, dist: str) -> None:
    project.write("test_it.py", TESTS)
    finished = project.stest("-n", "2", "--dist", dist).expect(0)
    assert outcome(finished) == outcome(project.plain("-n", "2", "--dist", dist))
    project.stest("-n", "2", "--dist", dist).expect(0)
    workers, programs = ran(project)
    assert workers <= {"gw0", "gw1"}
    assert programs == {"stest-worker"}


@pytest.mark.parametrize(
    "args",
    [
        ("-n", "2", "-x"),
        ("-n", "2", "--maxfail=2"),
        ("-n", "auto", "--maxprocesses=2"),
        ("-n", "2", "--max-worker-restart=0"),
        ("--tx", "2*popen", "--dist=load"),
        ("-n", "2", "-k", "nothing"),
        ("-n", "2", "--no-such-option"),
        ("-n", "0"),
        ("-p", "no:xdist"),
    ],
)
def test_options_mean_the_same(project: Project, args: tuple[str, ...]) -> None:
    project.write("test_it.py", TESTS + "\n    def test_fails():\n        assert 0\n")
    assert project.stest(*args).code == project.plain(*args).code


def test_addopts(project: Project) -> None:
    project.configure(pytest='addopts = "-n 2"')
    project.write("test_it.py", TESTS)
    project.stest().expect(0)
    assert ran(project) == ({"gw0", "gw1"}, {"stest-worker"})


def test_own_python_of_a_worker_stays(project: Project) -> None:
    project.write("test_it.py", TESTS)
    project.stest("--tx", "popen//python=python", "--dist=load").expect(0)
    assert "stest-worker" not in ran(project)[1]


def test_worker_that_dies_is_replaced(project: Project) -> None:
    text = """
        import os, pytest

        @pytest.mark.parametrize("number", range(4))
        def test_number(number):
            if number == 1:
                os.kill(os.getpid(), 9)
    """
    project.write("test_it.py", text)
    finished = project.stest("-n", "2")
    assert outcome(finished) == outcome(project.plain("-n", "2"))
    assert "replacing crashed worker" in finished.text


def test_what_workers_import_is_learned(project: Project) -> None:
    project.write("test_it.py", "def test_it():\n    import xml.sax\n")
    project.stest("-n", "2").expect(0)
    project.stest("-n", "2").expect(0)
    assert "xml.sax" in [one["module"] for one in project.status()["worker"]["preloaded"]]


def test_workers_are_forks_of_one_process(project: Project) -> None:
    project.install("heavy.py", "import threading\nLOADED = threading.get_native_id()\n")
    project.configure(sprintest='preload = ["heavy"]')
    text = """
        import heavy, os, pytest

        @pytest.mark.parametrize("number", range(6))
        def test_number(number, worker_id):
            assert heavy.LOADED != os.getpid()
    """
    project.write("test_it.py", text)
    project.stest("-n", "3").expect(0)


def test_values_are_shared(project: Project) -> None:
    """A worker does not load a value of `sprintest.warm` that is held."""
    text = """
        import os, pytest, sprintest

        @sprintest.warm
        def load():
            return os.getpid()

        @pytest.mark.parametrize("number", range(4))
        def test_number(number):
            with open(f"loaded_{number}", "w") as file:
                file.write(str(load() == os.getpid()))
    """
    project.write("test_it.py", text)

    def loaded() -> set[str]:
        project.stest("-n", "2").expect(0)
        return {file.read_text() for file in project.root.glob("loaded_*")}

    assert loaded() == {"True"}
    wait_for(lambda: loaded() == {"False"}, "the value to be held")


def test_session_fixture_is_made_once_for_all_workers_and_runs(project: Project) -> None:
    conftest = """
        import os, pytest, sprintest

        @sprintest.warm
        def load():
            return {"made by": os.getpid()}

        @pytest.fixture(scope="session")
        def value():
            return load()
    """
    text = """
        import pytest

        @pytest.mark.parametrize("number", range(4))
        def test_number(number, value, worker_id):
            open(f"maker_{worker_id}", "w").write(str(value["made by"]))
    """
    project.write("conftest.py", conftest)
    project.write("test_it.py", text)

    def makers() -> list[str]:
        project.stest("-n", "2", "--dist=each").expect(0)
        return [file.read_text() for file in project.root.glob("maker_*")]

    assert len(set(makers())) == 2
    wait_for(lambda: len(set(makers())) == 1, "the value to be held")
    assert makers() == makers()


def test_coverage_is_the_same(project: Project) -> None:
    pytest.importorskip("pytest_cov")
    project.write(
        "package.py", "def double(number):\n    if not number:\n        return 0\n    return 2 * number\n"
    )
    project.write("test_it.py", "import package\n\ndef test_it():\n    assert package.double(2) == 4\n")
    args = ("-n", "2", "--cov=package", "--cov-report=term-missing")

    def table(finished: Finished) -> list[str]:
        return [line for line in finished.text.splitlines() if line.startswith(("package.py", "TOTAL"))]

    plain = table(project.plain(*args).expect(0))
    assert plain
    assert [table(project.stest(*args).expect(0)) for _ in range(2)] == [plain, plain]


def test_without_xdist_a_line_says_how_to_get_it(tmp_path: Path) -> None:
    project = EnvironmentProject(tmp_path, Environment(tmp_path / "env", ["pytest"]))
    try:
        project.write("test_it.py", "def test_it():\n    pass\n")
        assert "pip install pytest-xdist" in project.stest("-n", "2").expect(4).errors
        assert "pytest-xdist" not in project.stest("--no-such-option").expect(4).errors
    finally:
        project.close()


def test_worker_that_only_a_fresh_process_can_be_is_never_stale(project: Project) -> None:
    project.install("heavy.py", "import os, sqlite3\nMODE = os.getenv('MODE')\n")
    project.configure(sprintest='preload = ["heavy"]')
    text = """
        import os
        os.environ["MODE"] = "fast"
        import heavy

        def test_it():
            assert heavy.MODE == "fast"
    """
    project.write("test_it.py", text)
    plain = outcome(project.plain("-n", "2"))
    first = project.stest("-n", "2")
    assert "a worker of pytest-xdist needs a fresh process" in first.errors
    assert outcome(first) == plain
    second = project.stest("-n", "2")  # It has been learned what the tests set.
    assert "fresh process" not in second.errors
    assert outcome(second) == plain


#: One test says that it runs, and goes on when it is told to; the other ends soon.
HALF = """
    import os, time, pytest

    @pytest.mark.parametrize("number", range(2))
    def test_number(number, worker_id):
        if number == 0:
            open("started", "w").write("yes\\n")
        while number == 0 and not os.path.exists("go on"):
            time.sleep(0.01)
"""
CRASHED, CANCELLED, HUNG = 105, 107, 111


def start_half(project: Project, *args: str) -> Any:
    project.write("test_it.py", HALF)
    client = project.start(*args, "-n", "2")
    project.await_file("started")
    return client


def assert_all_is_over(project: Project) -> None:
    """Daemon and worker stay, and nothing of the run."""
    wait_for(lambda: len(project.processes()) == 2, f"the end of all: {project.processes()}")


def test_status_shows_what_each_worker_runs(project: Project) -> None:
    project.stest("start").expect(0)
    project.write("test_it.py", HALF.replace("while number == 0 and", "while"))
    client = project.start("-n", "2")

    def tests() -> list[tuple[str, str]]:
        runs = [run for run in project.status()["runs"] if not run["parent"]]
        return sorted((test["worker"], test["nodeid"]) for run in runs for test in run["tests"])

    expected = [("gw0", "test_it.py::test_number[0]"), ("gw1", "test_it.py::test_number[1]")]
    wait_for(lambda: tests() == expected, "both tests")
    text = project.stest("status").text
    assert "(stest -n 2)\n" in text
    assert "gw0: test_it.py::test_number[0] for " in text
    assert "gw1: test_it.py::test_number[1] for " in text
    assert "readline" not in text  # The workers are no runs of their own.
    run = next(run for run in project.status()["runs"] if not run["parent"])
    family = [one for one in project.status()["processes"] if one["run"] == run["id"]]
    assert len(family) > 2
    project.write("go on", "")
    project.finish(client).expect(0)
    assert_all_is_over(project)


def test_interrupt_ends_all(project: Project) -> None:
    client = start_half(project)
    client.send_signal(2)
    assert project.finish(client).code == 2
    assert_all_is_over(project)


@pytest.mark.parametrize(("how", "code"), [("interrupt", 2), ("terminate", CANCELLED), ("kill", CANCELLED)])
def test_cancel_ends_all(project: Project, how: str, code: int) -> None:
    client = start_half(project)
    run = next(run["id"] for run in project.status()["runs"] if not run["parent"])
    project.stest("cancel", "--how", how, str(run)).expect(0)
    assert project.finish(client).code == code
    assert_all_is_over(project)


def test_client_that_vanishes_takes_all_along(project: Project) -> None:
    client = start_half(project)
    client.kill()
    assert_all_is_over(project)


def test_hang_shows_the_stack_of_the_worker(project: Project) -> None:
    project.stest("start").expect(0)
    project.env["SPRINTEST_HANG_TIMEOUT"] = "2s"
    finished = project.finish(start_half(project)).expect(HUNG)
    assert "running test_it.py::test_number[0]" in finished.errors
    assert re.search(r'test_it\.py", line \d+ in test_number', finished.errors)
    assert "in pytest_runtest_loop" not in finished.errors.partition("in test_number")[0]
    assert_all_is_over(project)


def test_silent_run_goes_on(project: Project) -> None:
    project.env["SPRINTEST_STUCK_AFTER"] = "0.5s"
    client = start_half(project)
    seen = b""
    while b"in test_number" not in seen:
        piece = os.read(client.stderr.fileno(), 4096)
        assert piece, project.finish(client)
        seen += piece
    project.write("go on", "")
    assert "2 passed" in project.finish(client).expect(0).text
    assert_all_is_over(project)


def test_controller_that_dies_leaves_nothing(project: Project) -> None:
    client = start_half(project)
    run = next(run["id"] for run in project.status()["runs"] if not run["parent"])
    family = [one["pid"] for one in project.status()["processes"] if one["run"] == run]
    os.kill(family[0], 9)
    project.finish(client)
    assert_all_is_over(project)


def test_each_worker_gets_a_gpu(project: Project) -> None:
    """Before anything is imported that may look at it; without GPUs nothing is set."""
    project.install("heavy.py", "import os\nGPU = os.getenv('CUDA_VISIBLE_DEVICES')\n")
    project.configure(sprintest='preload = ["heavy"]\ngpus = "auto"')
    text = """
        import heavy, pytest

        @pytest.mark.parametrize("number", range(6))
        def test_number(number, worker_id):
            open(f"gpu_{worker_id}", "w").write(str(heavy.GPU))
    """
    project.write("test_it.py", text)

    def gpus(listed: str | None, *args: str) -> list[str]:
        for file in project.root.glob("gpu_*"):
            file.unlink()
        project.stest(*args, "--dist=each", env={"CUDA_VISIBLE_DEVICES": listed}).expect(0)
        return [file.read_text() for file in sorted(project.root.glob("gpu_*"))]

    assert gpus("5,GPU-a", "-n", "3") == ["5", "GPU-a", "5"]
    assert gpus("", "-n", "2") == ["", ""]
    assert gpus("5,6", "--tx", "popen//env:CUDA_VISIBLE_DEVICES=1", "--tx", "popen") == ["1", "6"]
    assert gpus("5,6", "-n", "0") == ["5,6"]
    project.configure(sprintest="gpus = 1")
    assert gpus("5,6", "-n", "2") == ["5", "5"]
    project.configure(sprintest='gpus = ["7", "8"]')
    assert gpus(None, "-n", "2") == ["7", "8"]


COUNT = """
    def test_count(request):
        count = request.config.workerinput["workercount"]
        open("count", "w").write(str(count))
"""


def test_auto_leaves_the_processors_of_other_runs_alone(project: Project) -> None:
    project.write("test_count.py", COUNT)
    usable = len(os.sched_getaffinity(0))
    client = start_half(project)
    project.stest("-n", "auto", "test_count.py").expect(0)
    assert 1 <= int(project.read("count")) <= max(1, usable - 2)
    project.stest("-n", "auto", "test_count.py", env={"PYTEST_XDIST_AUTO_NUM_WORKERS": "3"}).expect(0)
    assert project.read("count") == "3"
    project.write("conftest.py", "def pytest_xdist_auto_num_workers(config):\n    return 4\n")
    project.stest("-n", "auto", "test_count.py").expect(0)
    assert project.read("count") == "4"
    project.write("go on", "")
    project.finish(client).expect(0)


def test_auto_counts_when_the_run_begins(project: Project) -> None:
    """And not when it is done ahead."""
    project.env["SPRINTEST_PRIME"] = "yes"
    project.write("test_count.py", COUNT)
    project.stest("-n", "auto", "test_count.py").expect(0)
    assert "processors" in project.ahead()["reason"]
    project.stest("-n", "auto", "test_count.py").expect(0)


@pytest.mark.torch
def test_torch_has_the_threads_of_plain_workers(project: Project) -> None:
    project.configure(sprintest='preload = ["torch"]')
    text = """
        import torch

        def test_threads(worker_id):
            open(f"threads_{worker_id}", "w").write(str(torch.get_num_threads()))
    """
    project.write("test_it.py", text)

    def threads() -> list[str]:
        return [file.read_text() for file in sorted(project.root.glob("threads_*"))]

    project.plain("-n", "2", "--dist=each").expect(0)
    plain = threads()
    project.stest("-n", "2", "--dist=each").expect(0)
    assert threads() == plain
