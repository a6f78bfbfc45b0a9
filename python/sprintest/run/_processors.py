"""How many processors are free: what ``pytest -n auto`` may use while other runs go on."""

from __future__ import annotations

from sprintest.process._own import open, os, runner

#: With these words execnet starts a worker of pytest-xdist.
_WORKER = b"exec(eval(sys.stdin.readline()))"


def free() -> int:
    """Those that this process may use, without those that other runs of this user hold; at least one."""
    return max(1, int(runner.usable_processors()) - held("/proc"))


def held(proc: str) -> int:
    """How many processors other runs keep busy.

    Each run and each program has a client, ``stest``, as long as it goes on: this run has one too. A run that
    has workers of pytest-xdist only waits for them.
    """
    clients, controllers = 0, set()
    for pid in os.listdir(proc):
        if not pid.isdigit():
            continue
        try:
            folder = f"{proc}/{pid}"
            with open(f"{folder}/stat", "rb") as file:
                stat = file.read()
            if not stat.partition(b"(")[2].startswith(b"stest)") or os.stat(folder).st_uid != os.getuid():
                continue
            with open(f"{folder}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
        except OSError:  # It has just ended.
            continue
        clients += words[1:2] != [b"logs"]
        if any(_WORKER in word for word in words):
            controllers.add(stat.rpartition(b") ")[2].split()[1])
    return max(0, clients - len(controllers) - 1)
