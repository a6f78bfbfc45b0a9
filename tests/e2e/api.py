"""The daemon's HTTP API, spoken over its Unix socket or TCP."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = connect(self._path, self.timeout)


def connect(path: str, timeout: float | None = 30) -> socket.socket:
    """A bare connection to a daemon's Unix socket."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(timeout)
    connection.connect(path)
    return connection


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def kind(self) -> str:
        return self.headers.get("Content-Type", "")

    def json(self) -> Any:
        return json.loads(self.body)


class Api:
    """Requests to one daemon; each opens its own connection. `endpoint` is as in status.json."""

    def __init__(self, endpoint: Mapping[str, Any], timeout: float = 90) -> None:
        self._endpoint = endpoint
        self._timeout = timeout

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        return self.send("GET", path, headers=headers)

    def post(self, path: str, body: object) -> Answer:
        return self.send("POST", path, json.dumps(body).encode())

    def send(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        connection = self._connection()
        try:
            connection.request(method, path, body, {**self._headers(), **(headers or {})})
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()

    def stream(self, body: object) -> Generator[dict[str, Any], None, None]:
        """The events of a run, each as it arrives; closing the generator drops the connection."""
        connection = self._connection()
        try:
            connection.request("POST", "/v1/test/run/stream", json.dumps(body).encode(), self._headers())
            for line in connection.getresponse():
                yield json.loads(line)
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        if "socket" in self._endpoint:
            return _UnixConnection(self._endpoint["socket"], self._timeout)
        return http.client.HTTPConnection("127.0.0.1", self._endpoint["port"], timeout=self._timeout)

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json"}
        if "token" in self._endpoint:
            headers["Authorization"] = f"Bearer {self._endpoint['token']}"
        return headers
