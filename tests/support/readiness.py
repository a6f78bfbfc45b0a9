"""Waits until stest has done the next run ahead, as far as it can be. As a program: in the current folder."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from typing import Any


def done_ahead(ask: Callable[[], dict[str, Any]], deadline_s: float = 300) -> dict[str, Any]:
    """What the status, which ``ask`` returns, says of the last request once that is done ahead.

    On a busy machine the imports before that can take minutes.
    """
    end = time.monotonic() + deadline_s
    while time.monotonic() < end:
        status = ask()
        lines: list[dict[str, Any]] = (status.get("worker") or {}).get("snapshots", [])
        last = (status.get("last_result") or {}).get("id")
        if status["state"] == "idle" and (found := [line for line in lines if line["run"] == last]):
            return found[0]
        time.sleep(0.02)
    raise TimeoutError(f"nothing was done ahead within {deadline_s:g} s: {status}")


def _ask() -> dict[str, Any]:
    command = ["stest", "status", "--json"]
    answer = subprocess.run(command, stdout=subprocess.PIPE, check=False).stdout
    status: dict[str, Any] = json.loads(answer)
    return status


if __name__ == "__main__":
    done_ahead(_ask)
