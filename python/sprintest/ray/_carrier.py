"""The actor that starts a worker of pytest-xdist on a node, and carries its stdin and stdout.

The worker is ``stest python``: a fork of a daemon's worker there. Ray's own workers have threads, so they are
never forked.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import socket
import subprocess
import sys
from pathlib import Path

#: With these words execnet starts its gateways.
_BOOTSTRAP = "import sys;exec(eval(sys.stdin.readline()))"


class Carrier:
    """Of one worker."""

    def __init__(self, folder: str) -> None:
        self._client = str(Path(sys.executable).parent / "stest")
        self._env = {**os.environ, "SPRINTEST_PYTHON": sys.executable}
        os.chdir(folder)
        command = [self._client, "python", "-u", "-c", _BOOTSTRAP]
        pipe = subprocess.PIPE
        self._worker = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=self._env, bufsize=0)
        assert self._worker.stdin
        assert self._worker.stdout
        self._stdin, self._stdout = self._worker.stdin, self._worker.stdout.fileno()

    def facts(self) -> tuple[str, str, dict[str, str]]:
        """The node's id and name, and its versions."""
        import ray

        return ray.get_runtime_context().get_node_id(), socket.gethostname(), facts_here()

    def read(self) -> bytes:
        """What the worker has written; empty at its end."""
        return os.read(self._stdout, 1 << 20)

    def write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[self._stdin.write(rest) or 0 :]

    def close(self) -> None:
        self._stdin.close()

    def stop(self) -> None:
        """End the worker, and the daemon of this node."""
        with contextlib.suppress(OSError):
            self._stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._worker.wait(timeout=5)
        subprocess.run([self._client, "stop"], env=self._env, capture_output=True, check=False)


def facts_here() -> dict[str, str]:
    """The versions of Python and of what is installed."""
    found = {one.metadata["Name"]: one.version for one in importlib.metadata.distributions()}
    return {**found, "Python": platform.python_version()}


def differences(there: dict[str, str], here: dict[str, str]) -> list[str]:
    """What is not equal, a line each."""
    names = sorted(name for name in {*there, *here} if there.get(name) != here.get(name))
    return [f"{name} {there.get(name, 'is missing')} (here {here.get(name, 'none')})" for name in names]
