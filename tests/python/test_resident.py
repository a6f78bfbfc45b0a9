"""The process that runs tests again and again (``mode`` "resident")."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from .conftest import SLEEPER, Run, Worker

#: Counts, in the process, how often it was executed.
#: What is compared of the standard library would be taken back.
COUNTED = "import threading\nloads = threading.loads = getattr(threading, 'loads', 0) + 1\n"
#: A changed version of it fails: it refuses to be executed twice in a process.
ONCE = "import threading\nassert not hasattr(threading, 'was_here'), 'only once'\nthreading.was_here = True\n"


def run(worker: Worker, *args: str, memory_limit: int = 0, **env: str) -> Run:
    return worker.run("-q", *args, mode="resident", memory_limit=memory_limit, **env)


def await_end(pid: int) -> None:
    """Wait until a process lives no more, reaped or not."""
    deadline = time.monotonic() + 30
    while (state := state_of(pid)) not in ("", "Z"):
        assert time.monotonic() < deadline, f"process {pid} lives on ({state})"
        time.sleep(0.005)


def state_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def test_all_runs_are_in_one_process_each_with_its_own_result(worker: Worker) -> None:
    worker.write("test_it.py", "import os\ndef test(): assert os.environ['ANSWER'] == '42'\n")
    runs = [run(worker, *args, ANSWER="42") for args in ((), ("-k", "none"), ("--nonsense",))]
    runs.insert(1, run(worker, ANSWER="43"))
    assert [one.exit_code for one in runs] == [0, 1, 5, 4]
    assert {one.done["phase"] for one in runs} == {"returned"}
    assert len({one.pid for one in runs}) == 1
    assert "1 failed" in runs[1].text
    assert "1 failed" not in runs[2].text
    assert run(worker, ANSWER="42").pid == runs[0].pid


def test_each_run_reports_its_tests_and_that_it_has_settled(worker: Worker) -> None:
    worker.write("test_it.py", "def test(): pass\n")
    for _ in range(2):
        one = run(worker)
        told = [event["event"] for event in one.events]
        assert told == ["collected", "settled", *["test"] * 4, "imported"]


def test_process_is_not_that_of_clean_runs(worker: Worker) -> None:
    worker.write("test_it.py", "import sys\ndef test(): assert not hasattr(sys, 'trace_of_a_run')\n")
    worker.write("test_leaves.py", "import sys\ndef test(): sys.trace_of_a_run = 1\n")
    assert run(worker, "test_leaves.py").exit_code == 0
    assert worker.run("test_it.py").exit_code == 0


def test_module_of_the_project_is_executed_again_only_if_it_changed(worker: Worker) -> None:
    worker.write("counted.py", COUNTED)
    worker.write("user.py", "import counted\n")
    worker.write(
        "test_it.py",
        "import counted, os, user\ndef test(): assert counted.loads == int(os.environ['LOADS'])\n",
    )
    assert run(worker, LOADS="1").exit_code == 0
    again = run(worker, LOADS="1")
    assert (again.exit_code, again.notices) == (0, [])
    worker.write("counted.py", COUNTED + "# edited\n")
    edited = run(worker, LOADS="2")
    assert edited.exit_code == 0
    assert edited.notices == [("reloaded counted (+1 dependent)", ["counted", "user"])]


def test_module_that_the_run_itself_has_rewritten_is_executed_again(worker: Worker) -> None:
    worker.write("conftest.py", "import os\nopen('made.py', 'w').write('value = ' + os.environ['VALUE'])\n")
    worker.write("made.py", "value = 0")
    worker.write("test_it.py", "import os, made\ndef test(): assert str(made.value) == os.environ['VALUE']\n")
    runs = [run(worker, VALUE=value) for value in ("1", "22", "333")]
    assert [one.exit_code for one in runs] == [0, 0, 0]
    assert len({one.pid for one in runs}) == 1


def test_what_a_run_changes_in_the_process_is_put_back(worker: Worker, tmp_path: Path) -> None:
    worker.write(
        "test_it.py",
        "import os, sys, signal\n"
        "def test():\n"
        "    assert 'LEFT' not in os.environ and 'left' not in sys.path\n"
        "    assert os.getcwd() == os.environ['HERE'] and os.umask(0o77) == 0o22\n"
        "    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL\n"
        "    os.environ['LEFT'] = '1'; sys.path.append('left'); os.chdir('/')\n"
        "    signal.signal(signal.SIGUSR1, signal.SIG_IGN)\n",
    )
    first, second = (run(worker, HERE=str(worker.root)) for _ in range(2))
    assert (first.exit_code, second.exit_code) == (0, 0), second.text
    assert first.pid == second.pid


def test_processes_that_a_run_leaves_are_killed_at_its_end(worker: Worker) -> None:
    worker.write(
        "test_it.py",
        "import subprocess\ndef test(): print('child', subprocess.Popen(['sleep', '60']).pid)\n",
    )
    one = run(worker, "-s")
    child = int(one.text.partition("child ")[2].split()[0])
    await_end(child)
    assert run(worker, "-s").pid == one.pid


def test_functions_registered_with_atexit_are_called_at_the_end_of_the_run(worker: Worker) -> None:
    worker.write("test_it.py", "import atexit\ndef test(): atexit.register(print, 'good', 'bye')\n")
    first, second = run(worker), run(worker)
    assert [one.text.count("good bye") for one in (first, second)] == [1, 1]
    assert first.pid == second.pid


def test_signal_reaches_the_run_and_the_next_gets_a_new_process(worker: Worker) -> None:
    worker.write("test_it.py", SLEEPER)
    running = worker.begin(mode="resident")
    worker.await_file("in_body")
    worker.send({"type": "signal", "id": running.id, "signal": int(signal.SIGINT)})
    interrupted = worker.end(running)
    assert interrupted.exit_code == 2, interrupted.text
    assert "KeyboardInterrupt" in interrupted.text
    worker.write("test_it.py", "def test(): pass\n")
    after = run(worker)
    assert after.exit_code == 0
    assert after.pid != interrupted.pid


def test_signal_to_a_run_that_is_over_reaches_nobody(worker: Worker) -> None:
    worker.write("test_it.py", "def test(): pass\n")
    first = worker.end(worker.begin(mode="resident"))
    worker.send({"type": "signal", "id": first.done["id"], "signal": int(signal.SIGKILL)})
    assert run(worker).pid == first.pid


def test_signal_to_a_run_that_waits_drops_it(worker: Worker) -> None:
    worker.write("test_it.py", SLEEPER)
    first = worker.begin(mode="resident")
    second = worker.begin(mode="resident")
    first.await_test()
    worker.send({"type": "signal", "id": second.id, "signal": int(signal.SIGINT)})
    started, dropped = worker.receive(), worker.receive()
    assert started["id"] == first.id
    assert (dropped["type"], dropped["id"]) == ("done", second.id)
    assert "cancelled" in dropped["error"]
    worker.send({"type": "signal", "id": first.id, "signal": int(signal.SIGKILL)})
    done = worker.receive()
    assert (done["id"], done["signal"], done["nodeid"]) == (first.id, 9, "test_it.py::test")


ENDS = {
    "crash": ("import ctypes\ndef test(): ctypes.string_at(1)\n", {"signal": 11, "phase": "running"}),
    "exit": ("import os\ndef test(): os._exit(3)\n", {"exit_code": 3, "phase": "running"}),
    "zero": ("import os\ndef test(): os._exit(0)\n", {"exit_code": 0, "phase": "running"}),
    "descriptors": (
        "import os\ndef test(): os.closerange(3, 4000)\n",
        {"exit_code": 0, "phase": "returned"},
    ),
    "thread": (
        "import threading, time\n"
        "def wait(): time.sleep(60)\n"
        "def test(): threading.Thread(target=wait, daemon=True).start()\n",
        {"exit_code": 0, "phase": "returned"},
    ),
}


@pytest.mark.parametrize("kind", ENDS)
def test_end_of_the_process_costs_its_run_alone(worker: Worker, kind: str) -> None:
    source, expected = ENDS[kind]
    worker.write("test_good.py", "def test(): pass\n")
    worker.write("test_it.py", source)
    assert run(worker, "test_good.py").exit_code == 0
    ended = run(worker, "-s", "-p", "no:faulthandler", "-p", "no:logging", "test_it.py")
    assert {key: ended.done[key] for key in expected} == expected, ended.text
    if expected["phase"] == "running":
        assert ended.done["nodeid"] == "test_it.py::test"
    after = [run(worker, "test_good.py") for _ in range(2)]
    assert [one.exit_code for one in after] == [0, 0]
    assert after[0].pid == after[1].pid != ended.pid


def test_process_above_its_memory_limit_ends_after_the_run(worker: Worker) -> None:
    worker.write("test_it.py", "def test(): pass\n")
    first = run(worker, memory_limit=1 << 20)
    assert first.exit_code == 0
    assert [text for text, _ in first.notices] == [
        "the process that ran the tests has ended: it holds more than memory_limit allows (1 MiB)"
    ]
    second = run(worker, memory_limit=64 << 30)
    third = run(worker, memory_limit=64 << 30)
    assert second.pid != first.pid
    assert second.pid == third.pid
    assert third.notices == []


def test_changed_module_that_refuses_to_be_executed_twice_starts_the_run_over(worker: Worker) -> None:
    worker.write("once.py", ONCE)
    worker.write("test_it.py", "import once\ndef test(): pass\n")
    first = run(worker)
    assert first.exit_code == 0
    assert run(worker).pid == first.pid
    worker.write("once.py", ONCE + "# edited\n")
    given_up = run(worker)
    assert given_up.done["phase"] == "starts_over"
    assert given_up.done["nodeid"] == "once cannot be loaded a second time (AssertionError: only once)"
    assert not any(event["event"] in ("settled", "test") for event in given_up.events)
    after = run(worker)
    assert (after.exit_code, after.done["phase"]) == (0, "returned")
    assert after.pid != first.pid


def test_refusal_while_tests_run_starts_the_run_over_as_well(worker: Worker) -> None:
    worker.write("once.py", ONCE)
    source = "def test():\n    try:\n        import once\n    except AssertionError: pass\n"
    worker.write("test_it.py", source)
    assert run(worker).exit_code == 0
    worker.write("once.py", ONCE + "# edited\n")
    given_up = run(worker)
    assert given_up.done["phase"] == "starts_over"
    assert "once cannot be loaded a second time" in given_up.done["nodeid"]
    assert not any(event["event"] == "settled" for event in given_up.events)
    assert run(worker).exit_code == 0


def test_preloading_ends_the_process(worker: Worker) -> None:
    worker.write("test_it.py", "def test(): pass\n")
    first = run(worker)
    worker.preload("colorsys")
    assert run(worker).pid != first.pid
    await_end(first.pid)


def test_end_of_the_channel_ends_the_process(worker: Worker) -> None:
    worker.write("test_it.py", "def test(): pass\n")
    pid = run(worker).pid
    worker.close()
    await_end(pid)
