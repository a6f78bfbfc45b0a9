"""Clients that are slow, silent, too many, too large, malformed or somebody else's: a JSON error, and nothing
that a run or another client would notice."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .api import connect
from .harness import WAITING_TEST, Project, wait_for

MIB = 1 << 20
HEAD = b"POST /v1/test/run HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture
def served(project: Project) -> Project:
    project.write("test_it.py", "def test(): pass")
    project.stest("start").expect(0)
    return project


def talk(project: Project, request: bytes) -> tuple[int, dict[str, str]]:
    """Sends raw bytes; status and JSON of the answer. The daemon may answer before it has read all."""
    with connect(project.endpoint["socket"]) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(request)
        return answer_of(connection)


def answer_of(connection: socket.socket) -> tuple[int, dict[str, str]]:
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while data := connection.recv(1 << 16):
            received += data
    head, _, body = received.partition(b"\r\n\r\n")
    error: dict[str, str] = json.loads(body)
    assert set(error) == {"error", "message", "hint"}
    return int(head.split()[1]), error


def head_with(*headers: str) -> bytes:
    return HEAD + "".join(f"{header}\r\n" for header in headers).encode() + b"\r\n"


def body(content: bytes) -> bytes:
    return head_with(f"Content-Length: {len(content)}") + content


def chunk(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content)


def still_runs(project: Project) -> None:
    project.stest().expect(0)


REFUSED = {
    "no-host": (400, b"GET /v1/status HTTP/1.1\r\n\r\n"),
    "two-hosts": (400, b"GET /v1/status HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    "no-http": (400, b"NONSENSE\r\n\r\n"),
    "tls": (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n"),
    "unknown-method": (405, b"BREW /v1/status HTTP/1.1\r\nHost: a\r\n\r\n"),
    "unknown-method-and-path": (404, b"BREW /coffee HTTP/1.1\r\nHost: a\r\n\r\n"),
    "other-method": (405, b"PUT /v1/status HTTP/1.1\r\nHost: a\r\n\r\n"),
    "connect": (405, b"CONNECT /v1/status HTTP/1.1\r\nHost: a\r\n\r\n"),
    "other-version": (400, b"GET /v1/status HTTP/9.9\r\nHost: a\r\n\r\n"),
    "odd-path": (404, b"GET /%2e%2e/%00%ff HTTP/1.1\r\nHost: a\r\n\r\n"),
    "post-nowhere-without-a-body": (404, b"POST /nowhere HTTP/1.1\r\nHost: a\r\n\r\n"),
    "long-path": (414, b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"),
    "long-id": (404, b"POST /v1/test/run/" + b"7" * 7000 + b"/cancel HTTP/1.1\r\nHost: a\r\n\r\n"),
    "many-headers": (431, HEAD + b"X: y\r\n" * 20_000 + b"\r\n"),
    "long-header": (431, HEAD + b"X: " + b"y" * 100_000 + b"\r\n\r\n"),
    "no-end-of-headers": (431, HEAD + b"x" * MIB),
    "length-no-number": (400, head_with("Content-Length: ten")),
    "length-negative": (400, head_with("Content-Length: -1")),
    "length-huge": (413, head_with("Content-Length: " + "9" * 40)),
    "two-lengths": (400, head_with("Content-Length: 1", "Content-Length: 2")),
    "length-and-chunks": (400, head_with("Content-Length: 2", "Transfer-Encoding: chunked")),
    "unknown-coding": (400, head_with("Transfer-Encoding: gzip")),
    "malformed-chunks": (400, head_with("Transfer-Encoding: chunked") + b"xyz\r\n"),
    "multipart": (400, head_with("Content-Type: multipart/form-data; boundary=x", "Content-Length: 0")),
    "nested-lists": (400, body(b"[" * 100_000)),
    "nested-objects": (400, body(b'{"args":' * 100_000)),
    "not-utf-8": (400, body(b'{"args": ["\xff"], "cwd": "/", "env": {}}')),
}


@pytest.mark.parametrize("name", REFUSED)
def test_request_that_is_refused(served: Project, name: str) -> None:
    status, request = REFUSED[name]
    answered, error = talk(served, request)
    assert answered == status, error
    assert error["error"] in ("bad_request", "not_found")
    assert error["message"]
    assert served.api.get("/v1/status").status == 200


def test_body_that_is_too_large(served: Project) -> None:
    announced = head_with(f"Content-Length: {64 * MIB + 1}") + b" " * (64 * MIB + 1)
    chunks = head_with("Transfer-Encoding: chunked") + chunk(b" " * MIB) * 65 + chunk(b"")
    for request in (announced, chunks):
        status, error = talk(served, request)
        assert (status, error["error"]) == (413, "bad_request")
        assert "64 MiB" in error["message"]
    assert served.api.get("/v1/status").status == 200


def test_brackets_in_a_string_are_no_nesting(served: Project) -> None:
    request = {**served.request("-q", "-k", '"[[' + "[{" * 100 + "\\"), "cwd": "x"}
    assert "'cwd'" in served.api.post("/v1/test/run", request).json()["message"]


RUN = {"args": [], "cwd": "/", "env": {}}


@pytest.mark.parametrize(
    ("path", "request_body"),
    [
        ("/v1/test/run", RUN),
        ("/v1/test/run/stream", RUN),
        ("/v1/test/run/1/cancel", {"how": "kill"}),
        ("/v1/stop", {"when": "now"}),
    ],
)
def test_unknown_field_is_named(served: Project, path: str, request_body: dict[str, object]) -> None:
    answer = served.api.post(path, {**request_body, "umsak": 1})
    assert answer.status == 400
    assert "'umsak'" in answer.json()["message"]


def test_wrong_method_names_the_right_one(served: Project) -> None:
    answer = served.api.send("DELETE", "/v1/stop")
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")


def test_body_in_chunks_and_in_single_bytes(served: Project) -> None:
    content = json.dumps(served.request("-q")).encode()
    chunks = b"".join(chunk(content[at : at + 7]) for at in range(0, len(content), 7)) + chunk(b"")
    with connect(served.endpoint["socket"]) as connection:
        for byte in head_with("Transfer-Encoding: chunked") + chunks:
            connection.send(bytes([byte]))
        received = b""
        while data := connection.recv(1 << 16):
            received += data
    assert received.startswith(b"HTTP/1.1 200")
    assert b"1 passed" in received


# ---- slow and many


def resources(pid: int) -> tuple[int, int]:
    """How many descriptors and threads a process has."""
    return len(os.listdir(f"/proc/{pid}/fd")), len(os.listdir(f"/proc/{pid}/task"))


def resources_at_rest(pid: int) -> tuple[int, int]:
    """The same, once the connection of the last request is closed: ten looks see no change."""
    seen = [resources(pid)]

    def is_stable() -> bool:
        seen.append(resources(pid))
        return len(seen) >= 10 and len(set(seen[-10:])) == 1

    wait_for(is_stable, "a daemon at rest")
    return seen[-1]


@contextlib.contextmanager
def idle_connections(project: Project, count: int, said: bytes = b"") -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(connect(project.endpoint["socket"])).sendall(said)
        yield


@pytest.mark.parametrize("said", [b"", HEAD], ids=["silent", "half-a-head"])
def test_two_hundred_idle_connections(served: Project, said: bytes) -> None:
    still_runs(served)
    served.await_idle()
    pid = served.status()["pid"]
    before = resources_at_rest(pid)
    with idle_connections(served, 200, said):
        wait_for(lambda: resources(pid)[0] >= before[0] + 200, "two hundred connections")
        threads = resources(pid)[1]
        assert threads <= before[1] + 2  # One for a request that just ends.
        still_runs(served)
        assert served.api.get("/v1/status").status == 200
    wait_for(lambda: resources(pid) <= before, f"no more than {before}")


def test_more_idle_connections_than_the_daemon_keeps(served: Project) -> None:
    with idle_connections(served, 600):
        still_runs(served)


def trickle(connection: socket.socket, stop: threading.Event) -> None:
    """A header that never ends, byte by byte."""
    with contextlib.suppress(OSError):
        connection.sendall(HEAD + b"X: ")
        while not stop.wait(0.05):
            connection.sendall(b"y")


def test_trickling_client_stalls_no_run_and_is_ended(served: Project) -> None:
    served.write("test_it.py", WAITING_TEST)
    client = served.start()
    served.await_file("started")
    stop = threading.Event()
    with connect(served.endpoint["socket"], 60) as slow:
        thread = threading.Thread(target=trickle, args=(slow, stop))
        thread.start()
        try:
            served.write("go on", "")
            served.finish(client).expect(0)
            status, error = answer_of(slow)
        finally:
            stop.set()
            thread.join()
    assert (status, error["error"]) == (408, "bad_request")


def test_silent_client_is_ended(served: Project) -> None:
    with connect(served.endpoint["socket"], 60) as silent:
        begin = time.monotonic()
        assert silent.recv(1) == b""
    assert time.monotonic() - begin > 5  # A client on a loaded machine is not cut off.


# ---- somebody else

CONNECT_AS_NOBODY = """
import os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
connection.sendall(b"GET /v1/status HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
while data := connection.recv(4096):
    sys.stdout.write(data.decode())
"""


def connect_as_nobody(path: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", CONNECT_AS_NOBODY, path]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd="/", check=False)


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that everybody may enter; pytest's own are private."""
    folder = Path("/tmp") / f"stest-test-{os.getpid()}"
    folder.mkdir()
    try:
        yield folder
    finally:
        folder.rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_another_user_is_kept_out_by_the_files_and_else_by_the_daemon(
    served: Project, reachable: Path
) -> None:
    path = Path(served.endpoint["socket"])
    assert "PermissionError" in connect_as_nobody(str(path)).stderr
    opened = reachable / "s"
    os.link(path, opened)
    try:
        assert "PermissionError" in connect_as_nobody(str(opened)).stderr
        opened.chmod(0o666)
        answer = connect_as_nobody(str(opened))
    finally:
        opened.unlink()
    assert answer.stdout.startswith("HTTP/1.1 403 "), answer
    assert json.loads(answer.stdout.partition("\n\n")[2])["error"] == "forbidden"
    still_runs(served)


@pytest.mark.parametrize("kind", ["link", "writable"])
def test_state_folder_that_others_could_use_is_refused(project: Project, kind: str) -> None:
    elsewhere = project.home / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    if kind == "link":
        project.state.symlink_to(elsewhere)
    else:
        project.state.mkdir()
        project.state.chmod(0o777)
    errors = project.stest("start").expect(103).errors
    assert str(project.state) in errors
    assert "SPRINTEST_DIR" in errors
