"""A long life, fast: runs of every kind from several clients, edits, and deaths of worker and daemon.

STEST_SOAK_SECONDS says how long; STEST_SOAK_SEED repeats the choices, though not the timing.
"""

from __future__ import annotations

import os
import random
import re
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from e2e.harness import DEADLINE, Project, private_project, wait_for
from e2e.modes import MODES
from e2e.processes import memory

from .tally import Tally

SECONDS = float(os.environ.get("STEST_SOAK_SECONDS", "20"))
SEED = int(os.environ.get("STEST_SOAK_SEED", "0")) or random.randrange(1, 1 << 30)
CLIENTS = 4

CRASHED, KILLED, HUNG = 105, 106, 111
# What a client may answer instead when the daemon, the worker or the run was killed under it: never a 0.
DISTURBED = {103, 104, 105, 106, 107}

SUITES = {
    "passes": "import value\ndef test(): print(f'<{value.VALUE}>')",
    "fails": "import value\ndef test(): assert value.VALUE < 0",
    "crashes": "import os\ndef test(): os.abort()",
    "exits": "import os\ndef test(): os._exit(0)",
    # Where plain pytest does the run instead, nobody ends it.
    "leaves": "import subprocess\ndef test(): subprocess.Popen(['sleep', '10'])",
    "hangs": f"import time\ndef test(): time.sleep({DEADLINE / 2})",  # Plain pytest has to end.
    "is_cancelled": "import time\ndef test():\n    print('RUNS', flush=True)\n    time.sleep(1000)",
    "loses_client": "import time\ndef test():\n    print('RUNS', flush=True)\n    time.sleep(1000)",
}
EXPECTED = {
    "passes": {0},
    "fails": {1},
    "crashes": {CRASHED},
    "exits": {CRASHED},
    "leaves": {0},
    "hangs": {HUNG},
    "is_cancelled": {2},
    "loses_client": {-signal.SIGKILL},
}
#: Of plain pytest, which does the run when the daemon is killed before a test has begun.
INSTEAD = EXPECTED | {"crashes": {-signal.SIGABRT}, "exits": {0}, "hangs": {0}}


class Soak:
    """The project, its clients and what disturbs them."""

    def __init__(self, project: Project, seed: int) -> None:
        self.project = project
        self.random = random.Random(seed)
        self.tally = Tally()
        self.end = time.monotonic() + SECONDS
        self._values = [(0.0, 0)]  # When each value of the edited module was wholly written.
        self._number = 0
        for kind, text in SUITES.items():
            project.write(f"test_{kind}.py", text + "\n")
        self.edit()

    # ---- edits

    def edit(self) -> None:
        self._number += 1
        module = self.project.root / "value.py"
        beside = module.with_suffix(".new")
        beside.write_text(f"VALUE = {self._number}\n")
        beside.replace(module)
        self._values.append((time.monotonic(), self._number))

    def may_be_seen(self, value: int, since: float) -> bool:
        """Whether a run that began at `since` may have seen it: the last one before, or a later one."""
        before = [number for written, number in self._values if written <= since]
        return before[-1] <= value <= self._number

    # ---- clients

    def serve_client(self, seed: int) -> None:
        choices = random.Random(seed)
        while time.monotonic() < self.end:
            kind = choices.choices(list(SUITES), weights=[8, 4, 1, 1, 1, 0.5, 1, 1])[0]
            self.tally.start(kind)
            self.run(kind)

    def run(self, kind: str) -> None:
        began = time.monotonic()
        env = {"SPRINTEST_HANG_TIMEOUT": "3s"} if kind == "hangs" else {}
        client = self.project.start("-s", "-q", f"test_{kind}.py", env=env)
        ahead = b""
        try:
            if kind in ("is_cancelled", "loses_client"):
                ahead = self._read_until_runs(client)
                client.send_signal(signal.SIGINT if kind == "is_cancelled" else signal.SIGKILL)
            out, err = client.communicate(timeout=DEADLINE)
        except subprocess.TimeoutExpired:
            status = self.project.stest("status", "--json").text
            client.kill()
            out, err = client.communicate()
            self.tally.lose(f"{kind}: no answer within {DEADLINE:g} s\n{ahead + out!r}\n{err!r}\n{status}")
            return
        self._judge(kind, began, client.returncode, (ahead + out).decode(), err.decode())

    @staticmethod
    def _read_until_runs(client: subprocess.Popen[bytes]) -> bytes:
        """Waits for its turn in the queue, too."""
        assert client.stdout
        until = time.monotonic() + DEADLINE
        read = b""
        while b"RUNS" not in read:
            if not select.select([client.stdout], [], [], max(0.0, until - time.monotonic()))[0]:
                raise subprocess.TimeoutExpired(client.args, DEADLINE)
            piece = os.read(client.stdout.fileno(), 4096)
            if not piece:
                break
            read += piece
        return read

    def _judge(self, kind: str, began: float, code: int, out: str, err: str) -> None:
        was_plain = "running `python -m pytest` instead" in err or "ran cold" in err
        expected = code in (INSTEAD if was_plain else EXPECTED)[kind]
        if not expected and not (code in DISTURBED and "stest: " in err):
            self.tally.mistake(f"{kind}: exit code {code}\n{out}\n{err}")
        elif expected and kind == "passes":
            seen = re.search(r"<(\d+)>", out)
            if not seen or "1 passed" not in out or not self.may_be_seen(int(seen[1]), began):
                self.tally.mistake(f"{kind}: stale or incomplete, {self._number} is written\n{out}\n{err}")
        self.tally.answer(kind, disturbed=not expected)

    # ---- disturbances

    def disturb(self) -> None:
        """The daemon is killed in the first half only: what it keeps is measured after the second."""
        half = time.monotonic() + SECONDS / 2
        acts: list[Callable[[], None]] = [self.edit, self.edit, self.edit, self.kill_worker, self.kill_daemon]
        while (now := time.monotonic()) < self.end:
            self.random.choice(acts if now < half else acts[:-1])()
            time.sleep(self.random.uniform(0.1, 1.5))

    def kill_worker(self) -> None:
        """Or one of its forks: they have its name."""
        self._kill_one("stest-worker")

    def kill_daemon(self) -> None:
        self._kill_one("stestd")

    def _kill_one(self, name: str) -> None:
        found = self.project.processes(name)
        if found:
            self.random.choice(found).kill()

    def start(self) -> list[threading.Thread]:
        threads = [threading.Thread(target=self.disturb)]
        threads += [
            threading.Thread(target=self.serve_client, args=[self.random.random()]) for _ in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        return threads


def burden(project: Project) -> tuple[int, int]:
    """How many files the daemon has open, and its resident memory in KiB."""
    (pid,) = project.daemons()
    return len(os.listdir(f"/proc/{pid}/fd")), memory(pid, "VmRSS") // 1024


def idle_burden(project: Project) -> tuple[int, int]:
    project.stest("-q", "test_fails.py").expect(1)
    project.await_idle()
    return burden(project)


def strangers(project: Project, branches: int) -> list[str]:
    """Processes that are neither the daemon, nor its worker, nor its branches, while no run goes on."""
    status = project.status()
    everyone = project.processes()
    own = {status["pid"], status["worker"]["pid"]}
    forks = [process.pid for process in everyone if process.parent == status["worker"]["pid"]]
    own |= set(forks[:branches])
    return [process.command for process in everyone if process.pid not in own]


@pytest.fixture
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with private_project(tmp_path_factory.mktemp("s")) as private:
        yield private


@pytest.mark.parametrize("mode", MODES)
def test_soak(project: Project, mode: str, record_property: Callable[[str, object], None]) -> None:
    project.env |= MODES[mode]
    # In resident mode runs share a process.
    project.configure(sprintest="" if mode == "resident" else "concurrency = 2")
    branches = 0 if mode == "fork" else 1
    soak = Soak(project, SEED)
    fds, kib = idle_burden(project)
    for thread in soak.start():
        thread.join(SECONDS + 4 * DEADLINE)
        assert not thread.is_alive()
    fds_after, kib_after = idle_burden(project)
    with suppress(AssertionError):
        wait_for(lambda: not strangers(project, branches), "the end of all runs")
    orphans = strangers(project, branches)
    lines = [
        f"{SECONDS:g} s, {CLIENTS} clients, seed {SEED}",
        *soak.tally.lines(),
        f"orphans {len(orphans)}",
        f"the daemon's open files: {fds} at the start, {fds_after} at the end",
        f"the daemon's memory: {kib} KiB at the start, {kib_after} KiB at the end",
    ]
    record_property("soak", lines)
    assert not soak.tally.wrong, soak.tally.wrong[0]
    assert not soak.tally.lost, soak.tally.lost[0]
    assert not orphans
    assert fds_after <= fds + 2
    assert kib_after <= kib + 16 * 1024
