"""What xdist sends to a worker, for one on another machine: paths of the controller mean nothing there."""

from __future__ import annotations

import importlib.util
from typing import Any

if __name__ == "__channelexec__":
    receive = channel.receive  # type: ignore[name-defined] # noqa: F821

    def receive_once(timeout: float | None = None) -> tuple[Any, ...]:
        channel.receive = receive  # type: ignore[name-defined] # noqa: F821
        workerinput, args, options, _ = receive(timeout)
        options.pop("basetemp", None)
        return workerinput, args, options, None  # Without a path: the current folder is the first entry.

    channel.receive = receive_once  # type: ignore[name-defined] # noqa: F821
    spec: Any = importlib.util.find_spec("xdist.remote")
    exec(spec.loader.get_code("xdist.remote"), globals())
