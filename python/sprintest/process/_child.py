"""Forks that try something out and end."""

from __future__ import annotations

import contextlib
import marshal
import select
import signal
from collections.abc import Iterator
from typing import Any, Callable, TypeVar

from sprintest.process._own import open, os, runner

T = TypeVar("T")


def in_child(work: Callable[[], T], seconds: float, messages: int = -1) -> tuple[str, T | None]:
    """Return why there is no answer (empty: there is one), and what ``work`` returned in a fork.

    ``seconds``: the time limit. The answer must consist of types that ``marshal`` knows. ``messages``: a
    descriptor; if it becomes readable first, there is neither an answer nor a reason.
    """
    with _answer_file() as answer:
        pid = os.fork()
        if pid == 0:
            _work_and_exit(work, answer)
        watch = os.pidfd_open(pid)
        try:
            first = select.select([watch, messages] if messages >= 0 else [watch], [], [], seconds)[0]
        finally:
            os.close(watch)
            with contextlib.suppress(ProcessLookupError):  # It may have no session yet.
                os.killpg(pid, signal.SIGKILL)
            os.kill(pid, signal.SIGKILL)
            status = os.waitpid(pid, 0)[1]
        if first == [messages]:
            return "", None
        if not first:
            return f"it did not end within {seconds:.0f} s", None
        if status != 0:
            return f"a fork of a process that loads it dies (wait status {status})", None
        with open(answer, "rb", closefd=False) as file:
            file.seek(0)
            return "", marshal.load(file)


@contextlib.contextmanager
def _answer_file() -> Iterator[int]:
    file = os.memfd_create("answer")
    try:
        yield file
    finally:
        os.close(file)


def _work_and_exit(work: Callable[[], Any], answer: int) -> None:
    code = 1
    try:
        runner.die_with_parent()
        os.setsid()
        os.write(answer, marshal.dumps(work()))
        code = 0
    finally:
        os._exit(code)
