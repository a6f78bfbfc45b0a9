"""TCP instead of a Unix socket: loopback only, with a token, at the port that was asked for."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from .harness import WAITING_TEST, Project, wait_for

UNAVAILABLE = 103  # include/stest/exit_code.hpp
ON = {"SPRINTEST_FORCE_TCP": "1"}


@pytest.fixture
def fine(project: Project) -> Project:
    project.write("test_it.py", "def test(): pass")
    return project


@pytest.fixture
def served(fine: Project) -> Project:
    fine.env.update(ON)
    fine.stest("start").expect(0)
    return fine


@contextlib.contextmanager
def occupied_port() -> Iterator[int]:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


def free_port() -> int:
    with occupied_port() as port:
        return port


def listening_addresses(pid: int) -> list[tuple[str, int]]:
    """The TCP addresses that a process listens at, as they stand in /proc."""
    inodes = {link.readlink().name for link in Path(f"/proc/{pid}/fd").iterdir()}
    rows = [
        row.split()
        for table in ("tcp", "tcp6")
        for row in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]
    ]
    local = [row[1].split(":") for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in inodes]
    return [(address, int(port, 16)) for address, port in local]


def test_runs_and_listens_on_loopback_alone(served: Project) -> None:
    served.write("test_it.py", "def test_passes(): pass\ndef test_fails(): assert 0\n")
    assert "1 failed, 1 passed" in served.stest().expect(1).text
    status = served.status()
    assert set(status["endpoint"]) == {"port"}
    assert listening_addresses(status["pid"]) == [("0100007F", served.endpoint["port"])]
    assert not (served.state / "daemon.sock").exists()
    assert stat.S_IMODE((served.state / "status.json").stat().st_mode) == 0o600


def test_events_arrive_as_they_happen_and_a_dropped_connection_ends_the_run(served: Project) -> None:
    served.write("test_it.py", WAITING_TEST)
    events = served.api.stream(served.request("-s"))
    for event in events:
        if event["event"] == "test":
            break
    served.await_file("started")
    events.close()
    wait_for(lambda: served.status()["last_result"], "the end of the run")
    assert served.status()["last_result"]["outcome"] == "cancelled"


def test_each_daemon_has_a_token_of_its_own(served: Project) -> None:
    first = served.endpoint["token"]
    served.stest("restart").expect(0)
    assert served.endpoint["token"] != first
    assert len(bytes.fromhex(first)) == 32
    assert first not in (served.state / "daemon.log").read_text()
    assert first not in served.stest("status", "--json").expect(0).text


def refused(served: Project, headers: dict[str, str]) -> tuple[int, str]:
    """Status and error of a request with these headers alone."""
    connection = http.client.HTTPConnection("127.0.0.1", served.endpoint["port"], timeout=30)
    connection.putrequest("POST", "/v1/test/run", skip_host=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    response = connection.getresponse()
    error: str = json.loads(response.read())["error"]
    connection.close()
    return response.status, error


@pytest.mark.parametrize("scheme", ["Bearer {}x", "Bearer ", "Bearer", "{}", "Basic {}", "Bearer  {}", ""])
def test_wrong_token(served: Project, scheme: str) -> None:
    token = served.endpoint["token"]
    headers = {"Host": f"127.0.0.1:{served.endpoint['port']}", "Authorization": scheme.format(token)}
    assert refused(served, headers) == (401, "unauthorized")
    assert refused(served, {"Host": headers["Host"]}) == (401, "unauthorized")


@pytest.mark.parametrize(
    "host", ["evil.example:{}", "127.0.0.1", "localhost:1", "127.0.0.1:{}.evil", "[::]:{}"]
)
def test_host_that_is_not_this_machine(served: Project, host: str) -> None:
    endpoint = served.endpoint
    headers = {"Host": host.format(endpoint["port"]), "Authorization": f"Bearer {endpoint['token']}"}
    assert refused(served, headers) == (403, "forbidden")


@pytest.mark.parametrize("host", ["127.0.0.1:{}", "localhost:{}", "LocalHost:{}", "[::1]:{}"])
def test_host_that_is_this_machine(served: Project, host: str) -> None:
    headers = {"Host": host.format(served.endpoint["port"])}
    assert served.api.get("/v1/status", headers).status == 200


def test_no_host(served: Project) -> None:
    assert refused(served, {}) == (400, "bad_request")


def test_asked_for_port(fine: Project) -> None:
    port = free_port()
    fine.stest(env={**ON, "SPRINTEST_PORT": str(port)}).expect(0)
    assert fine.endpoint["port"] == port


def test_asked_for_port_that_is_taken(fine: Project) -> None:
    with occupied_port() as port:
        taken = {**ON, "SPRINTEST_PORT": str(port)}
        assert "running `python -m pytest` instead: cannot listen" in fine.stest(env=taken).expect(0).errors
        errors = fine.stest("start", env=taken).expect(UNAVAILABLE).errors
    assert f"127.0.0.1:{port}" in errors
    assert "in use" in errors
    assert "SPRINTEST_PORT" in errors
    wait_for(lambda: not fine.daemons(), "the end of the daemon that could not start")


def test_usual_port_that_is_taken(fine: Project) -> None:
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # Taken already is as good.
            holder.bind(("127.0.0.1", 8000))
            holder.listen()
        fine.stest(env=ON).expect(0)
        assert fine.endpoint["port"] != 8000


def test_who_asks_for_tcp_gets_it_and_who_does_not_takes_what_is_there(fine: Project) -> None:
    fine.stest().expect(0)
    first = fine.status()["pid"]
    replaced = fine.stest(env=ON).expect(0)
    assert "does not serve TCP" in replaced.errors
    second = fine.status()["pid"]
    assert second != first
    fine.stest().expect(0)
    fine.stest(env=ON).expect(0)
    assert fine.status()["pid"] == second
    port = free_port()
    fine.stest(env={**ON, "SPRINTEST_PORT": str(port)}).expect(0)
    assert fine.endpoint["port"] == port
    fine.stest(env={"SPRINTEST_PORT": "1"}).expect(0)
    assert fine.endpoint["port"] == port


def test_tcp_where_no_unix_socket_can_be_made(fine: Project) -> None:
    fine.write(".sprintest/daemon.sock/in the way", "")
    fine.state.chmod(0o700)
    try:
        fine.stest().expect(0)
        assert "token" in fine.endpoint
    finally:
        fine.stest("stop")
        (fine.state / "daemon.sock/in the way").unlink()
        (fine.state / "daemon.sock").rmdir()


def test_stop_over_tcp(served: Project) -> None:
    answer = served.api.post("/v1/stop", {"when": "now"})
    assert answer.json() == {"stopping": True}
    wait_for(lambda: not served.daemons(), "the daemon's end")
