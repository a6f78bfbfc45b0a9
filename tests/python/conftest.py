"""Drives `stest-worker` alone, through its protocol (docs/protocol.md)."""

from __future__ import annotations

import array
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BIN = Path(os.environ.get("STEST_BIN_DIR", Path(sys.executable).parent))


class Worker:
    """A worker of our own, which has greeted. Owns the process and the socket."""

    def __init__(self, root: Path, env: dict[str, str]) -> None:
        self.root = root
        self.env = env
        ours, theirs = socket.socketpair()
        self._socket = ours
        with theirs:
            fd = theirs.fileno()
            command = [BIN / "stest-worker", "--channel-fd", str(fd), "--python", sys.executable]
            self.process = subprocess.Popen([*command, "--root", root], pass_fds=[fd], env=env, cwd=root)
        self._lines = ours.makefile("r")
        self.ready = self.receive()

    def send(self, message: dict[str, Any], fds: tuple[int, ...] = ()) -> None:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        self._socket.sendmsg([json.dumps(message).encode() + b"\n"], rights)

    def receive(self) -> dict[str, Any]:
        line = self._lines.readline()
        assert line, "the worker closed its channel"
        message: dict[str, Any] = json.loads(line)
        return message

    def preload(self, *modules: str) -> dict[str, Any]:
        """Ask for imports; return the answer that ends them."""
        self.send({"type": "preload", "modules": list(modules)})
        answer = self.receive()
        while answer["type"] == "importing":
            answer = self.receive()
        return answer

    def run(self, *args: str, env: dict[str, str] | None = None, nuke: tuple[str, ...] = ()) -> Run:
        """One run of pytest, to its end."""
        (out, out_end), (events, events_end) = os.pipe(), os.pipe()
        with open(os.devnull, "rb") as null:
            message = {"type": "run_test", "id": 1, "args": args, "cwd": str(self.root), "umask": 0o22}
            message |= {"env": {**self.env, **(env or {})}, "nuke": nuke}
            self.send(message, (null.fileno(), out_end, out_end, events_end))
        os.close(out_end)
        os.close(events_end)
        with open(out) as file:
            text = file.read()
        with open(events) as file:
            told = [json.loads(line) for line in file]
        started, done = self.receive(), self.receive()
        assert (started["type"], done["type"]) == ("started", "done")
        return Run(text, told, done)

    def close(self) -> None:
        self._lines.close()
        self._socket.close()
        self.process.wait(30)


class Run:
    """What a run left behind."""

    def __init__(self, text: str, events: list[dict[str, Any]], done: dict[str, Any]) -> None:
        self.text, self.events, self.done = text, events, done

    @property
    def imported(self) -> list[str]:
        return list(self.events[-1]["modules"])


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


@pytest.fixture
def worker(tmp_path: Path, site: Site) -> Iterator[Worker]:
    root = tmp_path / "project"
    root.mkdir()
    (root / "pytest.ini").write_text("[pytest]\n")
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "SPRINTEST_", "COV_"))}
    paths = [str(site.folder), *filter(None, [env.get("PYTHONPATH")])]
    worker = Worker(root, {**env, "PYTHONPATH": os.pathsep.join(paths)})
    yield worker
    worker.close()
