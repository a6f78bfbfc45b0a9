"""System calls that code makes by an instruction of its own, without the C library."""

from __future__ import annotations

import ctypes
import os
import platform
from typing import Any

import pytest

from .conftest import Site, StartWorker, Worker
from .test_run_ahead import PASSES, again, ready, refused, settle
from .test_run_ahead import run as run_ahead

_SET_DISPATCH = 59  # PR_SET_SYSCALL_USER_DISPATCH
pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64"
    or ctypes.CDLL(None).prctl(_SET_DISPATCH, 0, 0, 0, 0) != 0
    or "ASAN_OPTIONS" in os.environ,
    reason="the kernel does not tell of such calls here",
)

#: `call(number, …)`, by an instruction in memory of its own, or by the C library's function.
RAW = """
import ctypes, mmap
page = mmap.mmap(-1, mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, 7)
page.write(bytes.fromhex("4889f8 4889f7 4889d6 4889ca 4d89c2 0f05 c3"))
call = ctypes.PYFUNCTYPE(*6 * [ctypes.c_long])(ctypes.addressof(ctypes.c_char.from_buffer(page)))
"""
BY_LIBRARY = """
import ctypes
call = ctypes.PyDLL(None).syscall
call.restype, call.argtypes = ctypes.c_long, 5 * [ctypes.c_long]
"""
ASKS = """
buffer = ctypes.create_string_buffer(64)
at = ctypes.addressof(buffer)
def clock():
    call(228, 1, at, 0, 0)
    return int.from_bytes(buffer[:16], "little")
def number():
    call(318, at, 8, 0, 0)
    return int.from_bytes(buffer[:8], "little")
def process(): return call(39, 0, 0, 0, 0)
def read(path):
    name = ctypes.create_string_buffer(path.encode())
    file = call(257, -100, ctypes.addressof(name), 0, 0)
    if file < 0: return "nothing"
    size = call(0, file, at, 64, 0)
    call(3, file, 0, 0, 0)
    return buffer[:size].decode()
def socket(): return call(41, 1, 1, 0, 0)
"""
BORN = "import threading\nBORN = threading.get_native_id()\n"
#: In a test: nothing is left of it.
IS_OFF = """
import os, re, signal
def test_process():
    status = open("/proc/self/status").read()
    caught = int(re.search("SigCgt:\\\\s*(.*)", status)[1], 16)
    assert not caught >> signal.SIGSYS - 1 & 1
    assert signal.getsignal(signal.SIGSYS) is signal.SIG_DFL
    assert process() == os.getpid()
    os.close(socket())
"""
WAYS = pytest.mark.parametrize("way", [RAW, BY_LIBRARY], ids=["raw", "library"])


@WAYS
def test_file_that_a_module_has_read(worker: Worker, site: Site, way: str) -> None:
    data = worker.root.parent / "data"
    data.write_text("one")
    site.add("reads", way + ASKS + BORN + f"DATA = read({str(data)!r})\nNONE = read('/no/such/file')\n")
    assert worker.preload("reads")["type"] == "ready"
    worker.write(
        "test_it.py",
        "import os, reads\ndef test(): print(reads.DATA, reads.NONE, reads.BORN == os.getpid())\n",
    )
    assert "one nothing False" in worker.run("-s").text
    data.write_text("two")
    done = worker.run("-s").done  # It cannot be loaded twice: `ctypes` is compiled.
    assert (done["phase"], str(data) in done["nodeid"]) == ("needs_cold", True), done


@WAYS
@pytest.mark.parametrize("ask", ["clock", "number", "process"])
def test_what_is_another_in_each_process(worker: Worker, site: Site, way: str, ask: str) -> None:
    site.add("dice", f"{way}{ASKS}{BORN}NUMBER = {ask}()\n")
    site.add("user", "from dice import NUMBER\n")
    assert worker.preload("dice", "user")["type"] == "ready"
    worker.write(
        "test_it.py",
        "import os, dice, user\n"
        "def test(): print(f'<{dice.NUMBER} {user.NUMBER == dice.NUMBER} {dice.BORN == os.getpid()}>')\n",
    )
    told = [worker.run("-s").text.partition("<")[2].partition(">")[0].split() for _ in range(3)]
    assert len({number for number, _, _ in told}) == 3
    assert {tuple(rest) for _, *rest in told} == {("True", "False")}


def test_module_that_makes_a_socket(worker: Worker, site: Site) -> None:
    site.add("spoiler", RAW + ASKS + "assert socket() >= 0\n")
    answer = worker.preload("colorsys", "spoiler")
    assert (answer["type"], answer["module"]) == ("not_preloadable", "spoiler")
    assert answer["reason"] == "makes a system call without the C library (socket) when imported"
    assert worker.process.wait(30) == 0


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("call(1, 2, 0, 0, 0) == 0", "write"),
        ("call(13, 31, 0, 0, 8) == 0", "rt_sigaction"),
        ("call(999, 0, 0, 0, 0) == -38", "number 999"),
    ],
)
def test_module_is_tried_out_in_a_fork(worker: Worker, site: Site, source: str, reason: str) -> None:
    site.add("spoiler", f"{RAW}assert {source}\n")
    site.add("imports", "import spoiler")
    modules, not_preloadable = ["spoiler", "imports", "colorsys"], [{"name": "other", "reason": "fails"}]
    worker.send(
        {
            "type": "preload",
            "modules": modules,
            "path": (),
            "not_preloadable": not_preloadable,
        }
    )
    answers: list[dict[str, Any]] = []
    while not answers or answers[-1]["type"] != "ready":
        answers.append(worker.receive())
    told = {one["module"]: one["reason"] for one in answers if one["type"] == "not_preloadable"}
    assert told["spoiler"] == f"makes a system call without the C library ({reason}) when imported"
    assert told["imports"] == "imports spoiler, which is not preloadable"
    assert [one["name"] for one in answers[-1]["preloaded"]] == ["colorsys"]


def test_handler_of_a_module(worker: Worker, site: Site) -> None:
    """It sees nothing of ours, and ours is there all the same."""
    site.add(
        "handles",
        RAW
        + ASKS
        + BORN
        + "import signal\n"
        + "assert signal.signal(signal.SIGSYS, lambda *_: SEEN.append(1)) is signal.SIG_DFL\n"
        + "SEEN = []\nassert read('/no/such/file') == 'nothing'\nassert SEEN == []\n"
        + "signal.raise_signal(signal.SIGSYS)\nassert SEEN == [1]\n",
    )
    assert worker.preload("handles")["type"] == "ready"
    worker.write(
        "test_it.py",
        "import handles, os, signal\n"
        "def test():\n"
        "    assert handles.BORN != os.getpid()\n"
        "    signal.raise_signal(signal.SIGSYS)\n"
        "    assert handles.SEEN == [1, 1]\n",
    )
    answer = worker.run()
    assert answer.exit_code == 0, answer.text


def test_module_that_blocks_signals(worker: Worker, site: Site) -> None:
    site.add(
        "blocks",
        f"{RAW}{ASKS}import signal\n"
        "before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())\n"
        "import _lsprof\nassert read('/no/such/file') == 'nothing'\n"
        "assert len(signal.pthread_sigmask(signal.SIG_SETMASK, before)) > 30\n",
    )
    assert worker.preload("blocks")["type"] == "ready"


@pytest.mark.parametrize("mode", ["fork", "resident"])
def test_run_is_left_alone(worker: Worker, site: Site, mode: str) -> None:
    site.add("heavy", RAW + ASKS)
    assert worker.preload("heavy")["type"] == "ready"
    worker.write("test_it.py", "from heavy import process, socket\n" + IS_OFF)
    for _ in range(2):
        answer = worker.run(mode=mode)
        assert answer.exit_code == 0, answer.text


# ---- when Python starts


def test_file_that_a_sitecustomize_has_read(start_worker: StartWorker, site: Site) -> None:
    data = site.folder / "data"
    site.add("sitecustomize", f"{RAW}{ASKS}read({str(data)!r})\n")
    ready = start_worker().preload()
    assert str(data) in [file["path"] for file in ready["files"]]


def test_socket_of_a_sitecustomize(start_worker: StartWorker, site: Site) -> None:
    site.add("sitecustomize", f"{RAW}{ASKS}socket()\n")
    answer = start_worker().ready
    assert answer["type"] == "unable"
    reason = "something makes a system call without the C library (socket) when Python starts"
    assert reason in answer["reason"]


# ---- ahead of a request


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("socket()", "test_it.py does a system call without the C library"),
        ("now = clock()", "test_it.py reads the clock"),
    ],
)
def test_deed_is_left_to_the_run(worker: Worker, source: str, reason: str) -> None:
    worker.write("test_quick.py", PASSES)
    run_ahead(worker, "test_quick.py")
    file = worker.write("test_it.py", PASSES)
    run_ahead(worker, "test_it.py")
    settle(worker)
    file.write_text(RAW + ASKS + source + "\n" + IS_OFF)
    assert reason in refused(worker)
    answer = run_ahead(worker, "test_it.py")
    assert answer.exit_code == 0, answer.text


def test_process_that_waits_for_its_request_goes_on(worker: Worker) -> None:
    """The call that it had to wait before is made when the request has come, and all else as ever."""
    worker.write("test_it.py", RAW + ASKS + "FILE = socket()\nNOW = clock()\n" + IS_OFF)
    run_ahead(worker)
    settle(worker)
    reason = refused(worker)
    assert "a system call without the C library" in reason
    answer = run_ahead(worker)
    assert answer.exit_code == 0, answer.text


@WAYS
def test_edit_of_a_file_is_seen(worker: Worker, way: str) -> None:
    data = worker.write("data", "one")
    worker.write("test_it.py", f"{way}{ASKS}DATA = read({str(data)!r})\ndef test(): print(DATA)\n")
    settle(worker)
    waiting = ready(worker, "-s")
    data.write_text("two")
    answer = run_ahead(worker, "-s")
    assert (answer.pid == waiting, "two" in answer.text) == (False, True)
    assert again(worker) == run_ahead(worker, "-s").pid


def test_listing_of_a_folder_is_seen(worker: Worker) -> None:
    folder = worker.write("folder/one", "").parent
    lists = (
        f"{RAW}buffer, name = map(ctypes.create_string_buffer, [4096, {bytes(folder)!r}])\n"
        "folder = call(257, -100, ctypes.addressof(name), 0o200000, 0)\n"
        "NAMES = buffer[:call(217, folder, ctypes.addressof(buffer), 4096, 0)]\n"
        "def test(): print(b'two' in NAMES)\n"
    )
    worker.write("test_it.py", lists)
    settle(worker)
    waiting = ready(worker, "-s")
    worker.write("folder/two", "")
    answer = run_ahead(worker, "-s")
    assert (answer.pid == waiting, "True" in answer.text) == (False, True)
