"""The daemon's HTTP API, spoken over its Unix socket."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


@dataclass(frozen=True)
class Answer:
    status: int
    kind: str  # The content type.
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Api:
    """Requests to one daemon; each opens its own connection."""

    def __init__(self, path: str, timeout: float = 90) -> None:
        self._path = path
        self._timeout = timeout

    def get(self, path: str) -> Answer:
        return self.send("GET", path)

    def post(self, path: str, body: object) -> Answer:
        return self.send("POST", path, json.dumps(body).encode())

    def send(self, method: str, path: str, body: bytes | None = None) -> Answer:
        connection = _Connection(self._path, self._timeout)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return Answer(response.status, response.getheader("Content-Type", ""), response.read())
        finally:
            connection.close()

    def stream(self, body: object) -> Generator[dict[str, Any], None, None]:
        """The events of a run, each as it arrives; closing the generator drops the connection."""
        connection = _Connection(self._path, self._timeout)
        try:
            connection.request("POST", "/v1/test/run/stream", json.dumps(body).encode())
            for line in connection.getresponse():
                yield json.loads(line)
        finally:
            connection.close()
