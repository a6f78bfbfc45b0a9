"""Runners that are forked ahead of their request: what they may do for it, and what they must leave alone."""

from __future__ import annotations

import contextlib
import datetime
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from .conftest import Run, Worker

PASSES = "def test(): pass\n"


def prime(worker: Worker, waiting: int = 1) -> None:
    """Let the worker fork ahead, until so many wait."""
    settle(worker)
    worker.send({"type": "prime", "may": True})
    while (answer := ahead(worker))["waiting"] != waiting:
        assert not answer["refused"]


def refused(worker: Worker) -> str:
    """Let the worker fork ahead, which it cannot; return why."""
    settle(worker)
    worker.send({"type": "prime", "may": True})
    while not (reason := ahead(worker)["refused"]):
        pass
    return str(reason)


def ahead(worker: Worker) -> dict[str, Any]:
    """So many have collected their tests, and why one has not."""
    answer = worker.receive()
    assert answer["type"] == "snapshots", answer
    lines = answer["lines"]
    reasons = [line["reason"] for line in lines if line["reason"]]
    return {"waiting": sum(line["collected"] for line in lines), "refused": "".join(reasons[:1])}


def children(worker: Worker) -> list[int]:
    """Those that have collected tests; not those that have run them: the kernel may still be taking one down.

    What these print goes to files in memory, until their request comes.
    """
    pid = worker.process.pid
    found = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return [child for child in found if child not in worker.ran and holds_output(child)]


def holds_output(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return any("memfd:stdout" in os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir())
    return False


def run(worker: Worker, *args: str, **options: Any) -> Run:
    return worker.run("-p", "no:cacheprovider", *args, prime=True, **options)


def ready(worker: Worker, *args: str, **options: Any) -> int:
    """A first run; return the process that then waits for the second."""
    run(worker, *args, **options)
    return again(worker)


def again(worker: Worker) -> int:
    """The process that waits for the next request."""
    prime(worker)
    (child,) = children(worker)
    return child


def settle(worker: Worker) -> None:
    """Wait until what was written last is old enough to be told from a later edit by its time."""
    probe = worker.root.parent / "probe"
    written = max(file.stat().st_ctime_ns for file in worker.root.rglob("*"))
    while written + 30_000_000 > time.time_ns():
        probe.touch()


def text_of(answer: Run) -> str:
    """Its output without the seconds."""
    return answer.text.rpartition(" in ")[0]


# ---- what it is good for


def test_same_request_is_served_by_the_process_that_waits(worker: Worker) -> None:
    worker.write("test_it.py", PASSES)
    first = run(worker)
    waiting = again(worker)
    second = run(worker)
    assert second.pid == waiting
    assert (second.exit_code, text_of(second)) == (0, text_of(first))
    assert second.done["phase"] == "returned"


def test_it_is_there_again_for_the_next_run(worker: Worker) -> None:
    worker.write("test_it.py", PASSES)
    run(worker)
    for _ in range(3):
        waiting = again(worker)
        assert run(worker).pid == waiting


def test_two_requests_are_remembered(worker: Worker) -> None:
    worker.write("test_it.py", PASSES)
    ready(worker, "-q")
    run(worker, "-v")
    prime(worker, waiting=2)
    waiting = children(worker)
    assert run(worker, "-q").pid in waiting
    assert run(worker, "-v").pid in waiting


def test_saved_file_has_the_tests_collected_again(worker: Worker) -> None:
    worker.write("test_it.py", PASSES)
    old = ready(worker)
    worker.write("test_it.py", "def test_other(): assert 0\n")
    assert ahead(worker)["waiting"] == 0
    assert ahead(worker)["waiting"] == 1
    (new,) = children(worker)
    assert new != old
    answer = run(worker)
    assert (answer.pid, answer.exit_code) == (new, 1)
    assert "test_other" in answer.text


def test_bytecode_is_no_obstacle(worker: Worker) -> None:
    worker.write("helper.py", "value = 1\n")
    worker.write("test_it.py", "import helper\ndef test(): assert helper.value == 1\n")
    ready(worker)
    worker.write("helper.py", "value = 22\n")
    assert ahead(worker)["waiting"] == 0
    assert ahead(worker) == {"waiting": 1, "refused": ""}
    (bytecode,) = (worker.root / "__pycache__").glob("helper.*")
    assert b"\x16" in bytecode.read_bytes(), "compiled ahead"
    assert run(worker).exit_code == 1


def test_what_was_printed_early_comes_with_the_run(worker: Worker) -> None:
    worker.write("test_it.py", "import os\nprint('imported', flush=True)\nos.write(2, b'raw')\n" + PASSES)
    waiting = ready(worker, "-s")
    answer = run(worker, "-s")
    assert answer.pid == waiting
    assert answer.text.index("imported") < answer.text.index("raw") < answer.text.index("1 passed")


def test_its_streams_are_the_requests(worker: Worker) -> None:
    source = "import os, sys\ndef test(): os.write(1, b'<%s>' % sys.stdin.readline().encode())\n"
    worker.write("test_it.py", source)
    (worker.root / "input").write_text("hello")
    waiting = ready(worker, "-s")
    answer = run(worker, "-s", stdin=str(worker.root / "input"))
    assert answer.pid == waiting
    assert "<hello>" in answer.text


def test_captured_output_is_captured(worker: Worker) -> None:
    worker.write("test_it.py", "import os\ndef test():\n os.write(1, b'<by C>')\n assert 0\n")
    waiting = ready(worker)
    answer = run(worker)
    assert answer.pid == waiting
    assert "Captured stdout call" in answer.text
    assert answer.text.count("\n<by C>\n") == 1


def test_clocks_begin_with_the_request(worker: Worker) -> None:
    worker.write("test_it.py", PASSES)
    ready(worker, "--junitxml=report.xml")
    before = datetime.datetime.now().astimezone()
    run(worker, "--junitxml=report.xml")
    report = (worker.root / "report.xml").read_text()
    stamp = datetime.datetime.fromisoformat(report.partition('timestamp="')[2].partition('"')[0])
    assert stamp.astimezone() >= before


def test_signal_interrupts_it(worker: Worker) -> None:
    worker.write(
        "test_it.py",
        "import os, time\n"
        "def test():\n"
        "    print('begun', flush=True)\n"
        "    time.sleep(60 if os.path.exists('../long') else 0)\n",
    )
    waiting = ready(worker, "-s")
    (worker.root.parent / "long").touch()
    running = worker.begin("-p", "no:cacheprovider", "-s", prime=True)
    while b"begun" not in os.read(running.out, 65536):
        pass
    worker.send({"type": "signal", "id": running.id, "signal": signal.SIGINT})
    answer = worker.end(running)
    assert (answer.pid, answer.exit_code) == (waiting, 2)


# ---- what makes it useless


LOOKS_AROUND = """
import ctypes, os
import helper
try:
    import later as helper
except ImportError:
    pass
python = open("data").read() if os.path.exists("data") else "1"
libc, buffer = ctypes.CDLL(None), ctypes.create_string_buffer(8)
libc.fopen.restype = ctypes.c_void_p
if file := libc.fopen(b"c_data", b"r"):
    libc.fgets(buffer, 8, ctypes.c_void_p(file))
names = os.listdir("folder")
FACCESSAT = {"x86_64": 269, "aarch64": 48}[os.uname().machine]
is_there = libc.syscall(FACCESSAT, -100, b"call_data", os.F_OK) == 0
def test():
    assert (helper.value, python, buffer.value, names, is_there) == (1, "1", b"", ["other"], False)
"""


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("test_it.py", LOOKS_AROUND, "def test(): assert 0\n"),
        ("helper.py", "value = 1\n", "value = 0\n"),
        ("conftest.py", "value = 1\n", "def pytest_collection_modifyitems(items): items.clear()\n"),
        ("pytest.ini", "[pytest]\n", "[pytest]\npython_functions = check\n"),
        ("data", "1", "0"),
        ("data", None, "0"),
        ("data", "0", None),
        ("later.py", None, "value = 0\n"),
        ("later.py", "value = 0\n", None),
        ("test_more.py", None, "def test_more(): assert 0\n"),
        ("folder/test_more.py", None, "def test_more(): assert 0\n"),
        ("folder/data", None, "0"),
        ("c_data", "1", "0"),
        ("c_data", None, "0"),
        ("call_data", None, "0"),
    ],
)
def test_edit_is_never_missed(worker: Worker, file: str, before: str | None, after: str | None) -> None:
    sources = {"test_it.py": LOOKS_AROUND, "helper.py": "value = 1\n", "folder/other": "", file: before}
    for name, source in sources.items():
        if source is not None:
            worker.write(name, source)
    waiting = ready(worker)
    if after is None:
        (worker.root / file).unlink()
    else:
        worker.write(file, after)
    answer = run(worker)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    plain = subprocess.run(command, cwd=worker.root, env=worker.env, capture_output=True, text=True)
    assert (answer.exit_code, text_of(answer)) == (plain.returncode, plain.stdout.rpartition(" in ")[0])
    assert answer.pid != waiting


@pytest.mark.parametrize(
    ("args", "env"), [(["-v"], {}), ([], {"OTHER": "1"}), ([], {"PYTHONPATH": "/nowhere"})]
)
def test_another_request_is_another_process(worker: Worker, args: list[str], env: dict[str, str]) -> None:
    worker.write("test_it.py", PASSES)
    waiting = ready(worker)
    assert run(worker, *args, **env).pid != waiting


def test_request_while_the_tests_are_collected(worker: Worker) -> None:
    worker.write("test_it.py", "import os\nwhile os.path.exists('slow'): pass\n" + PASSES)
    run(worker)
    (worker.root / "slow").touch()
    worker.send({"type": "prime", "may": True})
    (worker.root / "slow").unlink()
    assert run(worker).exit_code == 0


# ---- what it must not do


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("open('written', 'w').close()", "test_it.py writes "),
        ("import os; os.mkdir('written')", "test_it.py does os.mkdir"),
        ("import subprocess; subprocess.run(['touch', 'written'])", "test_it.py does subprocess.Popen"),
        ("import os\nif os.fork() == 0: os._exit(0)", "test_it.py does os.fork"),
        ("import tempfile; tempfile.mkdtemp(dir='.')", "test_it.py does "),
        ("import sqlite3; sqlite3.connect('written')", "test_it.py does sqlite3.connect"),
        ("import socket; socket.socket().bind(('127.0.0.1', 0))", "test_it.py does socket.bind"),
        ("import threading; threading.Timer(60, int).start()", "thread"),
        ("import time; now = time.time()", "test_it.py reads the clock"),
        ("import datetime; now = datetime.datetime.now()", "test_it.py reads the clock"),
        ("from datetime import date; now = date.today()", "test_it.py reads the clock"),
        ("import functools, time; now = functools.partial(time.time_ns)()", "test_it.py reads the clock"),
        ("import time; now = next(iter(time.perf_counter_ns, None))", "test_it.py reads the clock"),
        ("import time; now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)", "test_it.py reads the clock"),
        ("import os; now = os.times()", "test_it.py reads the clock"),
        ("import ctypes; now = ctypes.PyDLL(None).time(None)", "test_it.py reads the clock"),
        ("import pathlib; now = pathlib.Path('/proc/uptime').read_text()", "reads /proc/uptime"),
        ("memory = open('/proc/meminfo').read()", "test_it.py reads /proc/meminfo"),
        ("import os; os._exit(3)", "the process ended"),
        ("import ctypes; ctypes.string_at(1)", "the process ended"),
    ],
)
def test_deed_is_left_to_the_run(worker: Worker, source: str, reason: str) -> None:
    worker.write("test_quick.py", PASSES)
    run(worker, "test_quick.py")
    file = worker.write("test_it.py", PASSES)
    run(worker, "test_it.py")
    settle(worker)
    before = sorted(os.listdir(worker.root))
    file.write_text(source + "\n" + PASSES)
    assert reason in refused(worker)
    assert sorted(os.listdir(worker.root)) == before


@pytest.mark.parametrize(
    "source",
    [
        "import time\ndef test_time(): assert time.time()",
        "import logging; logging.warning('hello')",
        "import random; number = random.random()",
        "import numbers, statistics, wsgiref.simple_server",
        "import os; os.environ['HERE'] = '1'; os.chdir('/')",
    ],
)
def test_harmless_deed_is_no_obstacle(worker: Worker, source: str) -> None:
    worker.write("test_it.py", source + "\n" + PASSES)
    waiting = ready(worker)
    answer = run(worker)
    assert (answer.pid, answer.exit_code) == (waiting, 0)


def test_session_that_ends_early_is_not_ended_ahead(worker: Worker) -> None:
    worker.write(
        "conftest.py",
        """
import pytest
def pytest_collection_finish(): pytest.exit("enough")
def pytest_sessionfinish(): open("finished", "a").write("x")
""",
    )
    worker.write("test_it.py", PASSES)
    run(worker)
    assert "pytest ends before" in refused(worker)
    assert (worker.root / "finished").read_text() == "x"


def test_nothing_is_forked_ahead_where_that_is_off(worker: Worker) -> None:
    worker.write("test_it.py", PASSES)
    worker.run()
    worker.send({"type": "prime", "may": True})
    worker.send({"type": "ping", "id": 7})
    assert worker.receive() == {"type": "pong", "id": 7}
    assert children(worker) == []


def test_waiting_process_ends_with_the_worker(worker: Worker) -> None:
    worker.write("test_it.py", PASSES)
    waiting = ready(worker)
    worker.send({"type": "shutdown"})
    worker.process.wait(30)
    assert not Path(f"/proc/{waiting}").exists()


def test_preloading_ends_what_waits(worker: Worker) -> None:
    worker.write("test_it.py", PASSES)
    waiting = ready(worker)
    worker.preload("colorsys")
    assert run(worker).pid != waiting
