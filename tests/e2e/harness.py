"""A project with its own daemon for one test, driven through the real binaries."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import textwrap
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, TypeVar

from support.readiness import done_ahead

from . import processes
from .api import Api
from .processes import Process

T = TypeVar("T")

BIN = Path(os.environ.get("STEST_BIN_DIR") or Path(sys.executable).parent)
STEST = BIN / "stest"
# The interpreter that stest takes for its own; see src/common/os/python_executable.hpp.
PYTHON = next((BIN / name for name in ("python3", "python") if (BIN / name).exists()), Path(sys.executable))

# Without `stest-worker` the worker is hosted by that interpreter.
EMBEDDING, HOSTED = BIN / "stest-worker", BIN.parent / "lib" / "stest" / "libstest_worker.so"
WORKER = EMBEDDING if EMBEDDING.exists() else HOSTED

DEADLINE = 90.0  # Seconds; nothing here takes that long, but a loaded machine is no failure.
MARKER = "STEST_TEST_MARKER"

# A test that tells when it runs, and ends when told to.
WAITING_TEST = """
    import os, time

    def test_waiting():
        with open("started", "w") as file:
            file.write("yes\\n")
        while not os.path.exists("go on"):
            time.sleep(0.01)
"""

# All that a project's processes inherit from the surrounding run, so that the tests do the same
# under pytest, under stest itself and in parallel.
_INHERITED = (
    "PATH",
    "TMPDIR",
    "TZ",
    "LD_LIBRARY_PATH",
    "ASAN_OPTIONS",
    "LSAN_OPTIONS",
    "TSAN_OPTIONS",
    "UBSAN_OPTIONS",
)

# No project here uses these, and they are four fifths of what a run of pytest with nothing to do costs.
UNUSED_PLUGINS = "-p no:hypothesispytest -p no:anyio"


def wait_for(condition: Callable[[], T], what: str, deadline: float = DEADLINE) -> T:
    """The first true value of `condition`; fails when the deadline passes."""
    end = time.monotonic() + deadline
    while not (value := condition()):
        assert time.monotonic() < end, f"waited {deadline:g} s for {what}"
        time.sleep(0.01)
    return value


@dataclass(frozen=True)
class Finished:
    """A program that ended: what it returned and wrote."""

    command: str
    code: int
    out: bytes
    err: bytes
    log: Path

    @property
    def text(self) -> str:
        return self.out.decode(errors="backslashreplace")

    @property
    def errors(self) -> str:
        return self.err.decode(errors="backslashreplace")

    def expect(self, code: int) -> Finished:
        assert self.code == code, f"{code} expected of {self}"
        return self

    def __repr__(self) -> str:
        log = self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""
        out, err = (data.decode(errors="replace")[-6000:] for data in (self.out, self.err))
        return f"{self.command} → {self.code}\n-- out\n{out}\n-- err\n{err}\n-- daemon.log\n{log}"


class Project:
    """A folder with a pytest configuration, and everything that runs in its name.

    Every process of it carries a unique variable; `close` stops the daemon and fails if any of them
    is left. `root` is the project, `site` a folder beside it for packages that count as installed.
    """

    def __init__(self, home: Path) -> None:
        self.home = home.resolve()
        self.root = self.home / "project"
        self.site = self.home / "site"
        self._marker = uuid.uuid4().hex
        self._clients: list[subprocess.Popen[bytes]] = []
        for folder in (self.root, self.site, self.home / "home", self.home / "run"):
            folder.mkdir()
        self._begin()

    def _begin(self) -> None:
        self.env = self._clean_environment()
        self.configure()

    def _clean_environment(self) -> dict[str, str]:
        env = {name: os.environ[name] for name in _INHERITED if name in os.environ}
        env["PATH"] = f"{BIN}{os.pathsep}{env.get('PATH', os.defpath)}"
        env["HOME"] = str(self.home / "home")
        env["XDG_RUNTIME_DIR"] = str(self.home / "run")
        env["PYTEST_ADDOPTS"] = UNUSED_PLUGINS
        env["SPRINTEST_PRIME"] = "no"  # Many tests count processes; those about that unset it.
        env["SPRINTEST_WAIT_FOR_WORKER"] = "yes"  # Most tests are about what a warm run does.
        return {**env, "LANG": "C.UTF-8", "COLUMNS": "80", MARKER: self._marker}

    # ---- files

    @property
    def state(self) -> Path:
        return self.root / ".sprintest"

    def configure(self, sprintest: str = "", pytest: str = "") -> None:
        """Writes pyproject.toml with these lines in its two tables."""
        tables = f"[tool.pytest.ini_options]\n{pytest}\n[tool.sprintest]\n{sprintest}\n"
        self.write("pyproject.toml", tables)

    def write(self, path: str, text: str) -> Path:
        return _write(self.root / path, text)

    def read(self, path: str) -> str:
        return (self.root / path).read_text()

    def install(self, path: str, text: str) -> Path:
        """Writes a file of a third-party package, which is importable from now on."""
        self.env["PYTHONPATH"] = str(self.site)
        return _write(self.site / path, text)

    def await_file(self, path: str) -> str:
        """The content of a file that a test writes, once it is there with a whole line."""
        file = self.root / path
        wait_for(lambda: file.exists() and file.read_text().endswith("\n"), path)
        return file.read_text()

    # ---- programs

    def start(
        self,
        *args: str,
        program: tuple[str, ...] = (str(STEST),),
        cwd: str = ".",
        env: Mapping[str, str | None] | None = None,
        merge: bool = False,
        umask: int = -1,
        pass_fds: tuple[int, ...] = (),
    ) -> subprocess.Popen[bytes]:
        """Starts `stest` (or another program); `env` adds variables, and unsets those with None."""
        changed = {**self.env, **(env or {})}
        client = subprocess.Popen(
            [*program, *args],
            cwd=self.root / cwd,
            env={name: value for name, value in changed.items() if value is not None},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merge else subprocess.PIPE,
            umask=umask,
            pass_fds=pass_fds,
            start_new_session=True,
        )
        self._clients.append(client)
        return client

    def adopt(self, client: subprocess.Popen[bytes]) -> None:
        """Has a process that was started by other means ended with the project."""
        self._clients.append(client)

    def read_until(self, client: subprocess.Popen[bytes], text: bytes) -> bytes:
        """What it writes to its stdout until `text` is in it; fails where that ends before."""
        assert client.stdout
        seen = b""
        while text not in seen:
            piece = os.read(client.stdout.fileno(), 4096)
            assert piece, self.finish(client)
            seen += piece
        return seen

    def await_idle(self) -> None:
        """Returns when no run goes on, and the worker has imported what it has learned."""
        wait_for(lambda: self.status()["state"] == "idle", "an idle daemon")

    def ahead(self) -> dict[str, Any]:
        """What the status says of the last request once that is done ahead, as far as it can be."""
        return done_ahead(self.status, DEADLINE)

    def finish(self, client: subprocess.Popen[bytes], deadline: float = DEADLINE) -> Finished:
        words = shlex.join(map(str, client.args))  # type: ignore[arg-type]
        command = os.fsencode(words).decode(errors="backslashreplace")
        log = self.state / "daemon.log"
        try:
            out, err = client.communicate(timeout=deadline)
        except subprocess.TimeoutExpired as late:
            seen = Finished(command, -1, late.stdout or b"", late.stderr or b"", log)
            raise AssertionError(f"not over after {deadline:g} s: {seen}\n{self.processes()}") from None
        return Finished(command, client.returncode, out, err or b"", log)

    def stest(self, *args: str, **options: Any) -> Finished:
        return self.finish(self.start(*args, **options))

    def plain(self, *args: str, **options: Any) -> Finished:
        """`python -m pytest` in the same folder and environment."""
        return self.python("-m", "pytest", *args, **options)

    def python(self, *args: str, **options: Any) -> Finished:
        return self.finish(self.start(*args, program=(str(PYTHON),), **options))

    # ---- the daemon

    def status(self) -> dict[str, Any]:
        """The status of the running daemon."""
        answer: dict[str, Any] = json.loads(self.stest("status", "--json", "--modules").expect(0).out)
        return answer

    @property
    def endpoint(self) -> dict[str, Any]:
        """How to reach the running daemon, with the token of TCP."""
        endpoint: dict[str, Any] = json.loads((self.state / "status.json").read_text())["endpoint"]
        return endpoint

    @property
    def api(self) -> Api:
        return Api(self.endpoint)

    def request(self, *args: str) -> dict[str, Any]:
        """The body of a run request for the HTTP API."""
        return {"args": args, "cwd": str(self.root), "env": self.env, "umask": 0o22, "merge_streams": False}

    def processes(self, name: str = "") -> list[Process]:
        """The living processes of this project, or those with this name."""
        everyone = processes.family(MARKER, self.env[MARKER])
        return sorted((one for one in everyone if not name or one.name == name), key=lambda one: one.pid)

    def daemons(self) -> list[int]:
        return [process.pid for process in self.processes("stestd")]

    def reset(self) -> None:
        """Makes it as new, but for a daemon that runs; fails if anything but that goes on."""
        self._end_clients()
        wait_for(lambda: not self._is_busy(), "the end of all runs and of preloading")
        for folder in (self.root, self.site):
            for entry in folder.iterdir():
                if entry != self.state:
                    _remove(entry)
        self._begin()

    def _is_busy(self) -> bool:
        """Whether a run goes on, or a process lives that is neither the daemon nor of its worker."""
        daemons = self.daemons()
        if daemons and self.status()["state"] != "idle":
            return True
        return any(one.pid not in daemons and one.name != "stest-worker" for one in self.processes())

    def _end_clients(self) -> None:
        for client in self._clients:
            _end(client)
        self._clients.clear()

    def close(self) -> None:
        """Stops the daemon; fails if a process, a socket or a status file stays behind."""
        self._end_clients()
        before = self.processes()
        try:
            self.stest("stop")
            wait_for(lambda: not self._living(before), "the end of all processes")
        finally:
            left = self._living(before)
            commands = [process.command for process in left]
            for process in left:
                process.kill_group()
                process.kill()
        assert not commands
        assert not [file for file in ("daemon.sock", "status.json") if (self.state / file).exists()]
        assert not list((self.home / "run").rglob("*.sock"))

    def _living(self, known: list[Process]) -> set[Process]:
        """Of the known processes and the marked ones; a known one may have dropped the marker."""
        return {one for one in known if processes.identify(one.pid) == one} | set(self.processes())


def _end(client: subprocess.Popen[bytes]) -> None:
    if client.poll() is None:
        client.kill()
    client.wait()
    for stream in (client.stdout, client.stderr):
        if stream:
            stream.close()


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry)
    else:
        entry.unlink()


def _write(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(textwrap.dedent(text))
    return file


@contextmanager
def private_project(home: Path) -> Iterator[Project]:
    project = Project(home)
    try:
        yield project
    finally:
        project.close()
