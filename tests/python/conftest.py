"""Drives `stest-worker` alone, through its protocol (docs/protocol.md)."""

from __future__ import annotations

import array
import json
import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

BIN = Path(os.environ.get("STEST_BIN_DIR", Path(sys.executable).parent))
WATCH = BIN.parent / "lib" / "stest" / "libstest_watch.so"


#: For an answer of the worker; a worker that hangs must not hang the tests.
PATIENCE_S = 90

#: A test that makes the file `in_body` and goes on until a signal comes. Where an interrupt is to be pytest's
#: own affair it must not come earlier: at some instructions of pluggy and pytest, to which CPython gives no
#: line, an interrupt makes pytest fail in its report, with exit code 1.
SLEEPER = "import time\ndef test():\n    open('in_body', 'x').close()\n    time.sleep(60)\n"


class Worker:
    """A worker of our own, which has greeted. Owns the process and the socket."""

    def __init__(self, root: Path, env: dict[str, str], options: tuple[str, ...] = ()) -> None:
        self.root = root
        self.env = env
        self.ran: set[int] = set()  # Processes of runs that are over.
        self._last_id = 0
        ours, theirs = socket.socketpair()
        ours.settimeout(PATIENCE_S)
        self._socket = ours
        with theirs:
            fd = theirs.fileno()
            command = ["--channel-fd", str(fd), "--python", sys.executable, "--root", str(root), *options]
            host, variables = [str(BIN / "stest-worker")], {}
            if not (BIN / "stest-worker").exists():  # See src/common/os/worker_host.hpp.
                host, variables = [sys.executable, "--stest-worker"], {"LD_PRELOAD": str(WATCH)}
            self.process = subprocess.Popen(
                [*host, *command], pass_fds=[fd], env={**env, **variables}, cwd=root
            )
        self._lines = ours.makefile("r")
        self.ready = self.receive()

    def write(self, name: str, source: str) -> Path:
        """A file of the project."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
        return path

    def await_file(self, name: str) -> None:
        """Wait until a test has made this file."""
        deadline = time.monotonic() + PATIENCE_S
        while not (self.root / name).exists():
            assert time.monotonic() < deadline, f"there is no {name}"
            time.sleep(0.005)

    def send(self, message: dict[str, Any], fds: tuple[int, ...] = ()) -> None:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self._socket.sendmsg([json.dumps(message).encode() + b"\n"], rights)

    def receive(self) -> dict[str, Any]:
        while line := self._lines.readline():
            message: dict[str, Any] = json.loads(line)
            if message["type"] != "processes":  # They only tell the status what they are for.
                return message
        raise AssertionError("the worker closed its channel")

    def preload(self, *modules: str, path: tuple[str, ...] = ()) -> dict[str, Any]:
        """Ask for imports; return the answer that ends them."""
        self.send({"type": "preload", "modules": modules, "path": path, "not_preloadable": ()})
        answer = self.receive()
        while answer["type"] == "importing":
            answer = self.receive()
        return answer

    def begin(
        self,
        *args: str,
        mode: str = "fork",
        memory_limit: int = 0,
        prime: bool = False,
        stdin: str = os.devnull,
        **env: str,
    ) -> Running:
        """Ask for a run of pytest; variables of ``env`` are set for it."""
        self._last_id += 1
        (out, out_end), (events, events_end) = os.pipe(), os.pipe()
        message = {"type": "run_test", "id": self._last_id, "args": args, "cwd": str(self.root)}
        message |= {"umask": 0o22, "env": {**self.env, **env}, "mode": mode, "memory_limit": memory_limit}
        message |= {"prime": prime, "python": False, "gpus": []}
        with open(stdin, "rb") as input, open(os.devnull, "wb") as null:
            self.send(message, (input.fileno(), out_end, out_end, events_end, null.fileno()))
        os.close(out_end)
        os.close(events_end)
        return Running(self._last_id, out, events)

    def end(self, running: Running) -> Run:
        """Read what a run writes, and its end."""
        text = read_all(running.out)
        told = [json.loads(line) for line in running.events]
        running.events.close()
        started, done = self.receive(), self.receive()
        while started["type"] == "snapshots":
            started, done = done, self.receive()
        assert (started["type"], done["type"]) == ("started", "done")
        assert started["id"] == done["id"] == running.id
        self.ran.add(started["pid"])
        return Run(text, told, started["pid"], done)

    def run(self, *args: str, **options: Any) -> Run:
        """One run of pytest, to its end."""
        return self.end(self.begin(*args, **options))

    def close(self) -> None:
        self._lines.close()
        self._socket.close()
        self.process.wait(30)


def read_all(fd: int) -> str:
    """All up to the end of file, which must come."""
    data = b""
    with open(fd, "rb", buffering=0) as file:
        while select.select([file], [], [], PATIENCE_S)[0]:
            piece = file.read(65536)
            if not piece:
                return data.decode()
            data += piece
    raise AssertionError(f"a process holds the run's pipe: {data!r}")


class Running:
    """A run that has not ended, and our ends of its pipes."""

    def __init__(self, id: int, out: int, events: int) -> None:
        self.id, self.out, self.events = id, out, os.fdopen(events)

    def await_test(self) -> None:
        """Wait until a test has started."""
        for line in self.events:
            if json.loads(line).get("when") == "start":
                return
        raise AssertionError("no test has started")


class Run:
    """What a run left behind."""

    def __init__(self, text: str, events: list[dict[str, Any]], pid: int, done: dict[str, Any]) -> None:
        self.text, self.events, self.pid, self.done = text, events, pid, done
        self.exit_code: int | None = done["exit_code"]

    def _last(self, kind: str) -> dict[str, Any]:
        return next(event for event in reversed(self.events) if event["event"] == kind)

    @property
    def imported(self) -> list[str]:
        return list(self._last("imported")["modules"])

    @property
    def path(self) -> list[str]:
        return list(self._last("imported")["path"])

    @property
    def notices(self) -> list[tuple[str, list[str]]]:
        return [(event["text"], event["reloaded"]) for event in self.events if event["event"] == "notice"]


class Site:
    """A folder on PYTHONPATH, outside the project: what lies there is third-party."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, name: str, source: str) -> None:
        (self.folder / f"{name}.py").write_text(source)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    folder = tmp_path / "site"
    folder.mkdir()
    return Site(folder)


StartWorker = Callable[..., Worker]


@pytest.fixture
def start_worker(tmp_path: Path, site: Site) -> Iterator[StartWorker]:
    """Starts a worker, with further options of the command line."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "pytest.ini").write_text("[pytest]\n")
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "SPRINTEST_", "COV_"))}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    env["PYTEST_ADDOPTS"] = "-p no:hypothesispytest -p no:anyio"  # Of no use, and most of a run's time.
    paths = [str(site.folder), *filter(None, [env.get("PYTHONPATH")])]
    workers = []

    def start(*options: str) -> Worker:
        workers.append(Worker(root, {**env, "PYTHONPATH": os.pathsep.join(paths)}, options))
        return workers[-1]

    yield start
    for worker in workers:
        worker.close()


@pytest.fixture
def worker(start_worker: StartWorker) -> Worker:
    return start_worker()
