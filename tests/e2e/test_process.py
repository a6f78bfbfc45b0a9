"""The process of the tests is as if a shell had started it in the client's place."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from .harness import PYTHON, STEST, Finished, Project
from .modes import MODES, MODES_OF_LONG_TESTS

SHOW = """
    import multiprocessing, os, resource, signal

    def test_shown():
        limits = {name: getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")}
        ignored = [number for number in range(1, 32) if signal.getsignal(number) is signal.SIG_IGN]
        shown = {
            "affinity": sorted(os.sched_getaffinity(0)),
            "nice": os.nice(0),
            "policy": os.sched_getscheduler(0),
            "limits": {name: resource.getrlimit(number) for name, number in sorted(limits.items())},
            "ignored": ignored,
            "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
            "oom": open("/proc/self/oom_score_adj").read().strip(),
            "leads": (os.getpgrp() == os.getpid(), os.getsid(0) == os.getpid()),
            "parent": os.path.exists(f"/proc/{os.getppid()}"),
        }
        print("\\nSHOWN", shown)
    """

#: Before the program's name. Hard limits stay: who lowers one cannot take that back.
PREFIXES = [
    "ulimit -S -n 300; ulimit -S -s 4096; taskset -c 0 nice -n 5 ionice -c 3",
    "exec env --ignore-signal=HUP,INT,USR1 --block-signal=USR2",
    "chrt --batch 0 choom -n 200 --",
    "set -m;",
    "",
]


def shown(finished: Finished) -> str:
    lines = [line for line in finished.text.splitlines() if line.startswith("SHOWN")]
    assert lines, finished
    return lines[0]


def from_shell(project: Project, prefix: str, *program: str, **env: str) -> Finished:
    command = f"{prefix} {' '.join(program)} -s -q; exit $?"  # The shell stays, and leads.
    return project.finish(project.start("-c", command, program=("/bin/bash",), env=env))


@pytest.mark.parametrize("mode", MODES_OF_LONG_TESTS)
def test_a_client_s_attributes_are_those_of_its_run(project: Project, mode: str) -> None:
    """Each of these clients may find the daemon that another one has started."""
    project.write("test_it.py", SHOW)
    for prefix in PREFIXES:
        plain = shown(from_shell(project, prefix, str(PYTHON), "-m", "pytest"))
        warm = from_shell(project, prefix, str(STEST), **MODES[mode])
        if mode == "resident":  # That process could not go back for the next client.
            plain = re.sub(r"'leads': \(.*?\)", "'leads': (False, False)", plain)
        assert shown(warm) == plain, prefix
        assert "ran cold" not in warm.errors
    assert len(project.daemons()) == 1


def test_a_runner_forked_ahead_is_like_its_client(project: Project) -> None:
    del project.env["SPRINTEST_PRIME"]
    project.write("test_it.py", SHOW.replace("def test_shown", "AHEAD = os.nice(0)\n\n    def test_shown"))
    for _ in range(2):
        for prefix in ("nice -n 3", "nice -n 7"):
            expected = shown(from_shell(project, prefix, str(PYTHON), "-m", "pytest"))
            for _ in range(2):
                assert shown(from_shell(project, prefix, str(STEST))) == expected


GROUPS = """
    import functools, os, signal

    def isolated(function):
        @functools.wraps(function)
        def run():
            reader, writer = os.pipe()
            os.setpgrp()
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            if os.fork() == 0:
                function()
                os.write(writer, b"x")
                os._exit(0)
            assert os.read(reader, 1) == b"x"
            os.killpg(os.getpgrp(), signal.SIGTERM)
            os.wait()
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        return run

    @isolated
    def test_kills_its_group():
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def test_leads_its_group():
        assert os.getpgrp() == os.getpid()

    def test_child_leads_a_session():
        pid = os.fork()
        if pid == 0:
            os.setsid()
            os._exit(os.getsid(0) - os.getpid())
        assert os.waitpid(pid, 0)[1] == 0
    """


@pytest.mark.parametrize("mode", MODES_OF_LONG_TESTS)
def test_tests_may_move_to_a_group_or_session_of_their_own(project: Project, mode: str) -> None:
    project.write("test_it.py", GROUPS)
    project.write("test_session.py", "import os\ndef test(): os.setsid(); assert os.getsid(0) == os.getpid()")
    project.write(
        "test_left.py", "import os, subprocess\ndef test(): os.setsid(); subprocess.Popen(['sleep', '99'])"
    )
    for name, count in [("test_it.py", 3), ("test_session.py", 1), ("test_it.py", 3), ("test_left.py", 1)]:
        done = from_shell(project, "", str(STEST), name, **MODES[mode])
        assert f"{count} passed" in done.expect(0).text
    assert not project.processes("sleep")


FORGETS = """
    import os
    from multiprocessing import shared_memory

    def test_forgets():
        memory = shared_memory.SharedMemory(create=True, size=64, name=os.environ["BLOCK"])
        memory.close()
    """


@pytest.mark.parametrize("mode", MODES_OF_LONG_TESTS)
def test_forgotten_shared_memory_is_removed_and_told(project: Project, mode: str) -> None:
    project.write("test_it.py", FORGETS)
    block = f"stest-{os.getpid()}-{mode}"
    plain = project.plain("-s", env={"BLOCK": block}).expect(0).errors
    assert "leaked shared_memory" in plain
    for _ in range(2):
        done = project.stest("-s", env={"BLOCK": block, **MODES[mode]}).expect(0)
        assert not Path("/dev/shm", block).exists()
        told = "".join(line for line in done.errors.splitlines(True) if not line.startswith("stest: "))
        assert told == plain
    assert "have left" not in done.errors


@pytest.mark.torch
@pytest.mark.parametrize("mode", MODES_OF_LONG_TESTS)
def test_torch_s_shared_memory_and_threads(project: Project, mode: str) -> None:
    project.write(
        "test_it.py",
        """
        import os, torch, torch.multiprocessing

        def test_shares():
            torch.multiprocessing.set_sharing_strategy("file_system")
            torch.zeros(8).share_memory_()
            print("\\nSHOWN", torch.get_num_threads(), torch.zeros(9).sum().item())
        """,
    )
    before = set(os.listdir("/dev/shm"))
    for prefix in ("taskset -c 0", ""):
        plain = shown(from_shell(project, prefix, str(PYTHON), "-m", "pytest"))
        done = from_shell(project, prefix, str(STEST), **MODES[mode])
        assert shown(done) == plain
        assert "have left" not in done.errors
    project.stest("stop").expect(0)
    assert {name for name in os.listdir("/dev/shm") if name.startswith("torch_")} <= before


@pytest.mark.skipif("ASAN_OPTIONS" in os.environ, reason="a sanitizer's program needs terabytes of addresses")
def test_limited_memory_runs_cold(project: Project) -> None:
    """A warm process holds more than a fresh one: what fits there need not fit here."""
    project.write("test_it.py", SHOW)
    done = from_shell(project, "ulimit -v 4000000;", str(STEST)).expect(0)
    assert "memory is limited (ulimit -v)" in done.errors
    assert "ran cold" in done.errors
    assert not project.daemons()


def test_what_the_daemon_may_not_have_runs_cold(project: Project) -> None:
    """Without a right to it, a process that descends from one with a lower limit stays below that."""
    project.write("test_it.py", SHOW)
    bounded = "setpriv --bounding-set -sys_resource,-sys_nice"
    project.finish(
        project.start("-c", f"ulimit -n 300; exec {bounded} {STEST}", program=("/bin/bash",))
    ).expect(0)
    plain = shown(from_shell(project, "", str(PYTHON), "-m", "pytest"))
    done = from_shell(project, "", str(STEST))
    assert shown(done) == plain
    assert "the daemon was started with a hard limit of resources (nofile) of 300" in done.errors
    assert "`stest restart`" in done.errors


def test_the_http_api_takes_attributes(project: Project) -> None:
    project.write("test_it.py", SHOW)
    project.stest().expect(0)
    request: dict[str, Any] = project.request("-s", "-q")
    process = {"nice": 7, "ignored_signals": [signal.SIGHUP], "leads": "group"}
    text = project.api.post("/v1/test/run", {**request, "process": process}).json()["stdout"]
    assert "'nice': 7" in text
    assert "(True, False)" in text
    # Without any it has the daemon's, but leads nothing.
    assert "(False, False)" in project.api.post("/v1/test/run", request).json()["stdout"]
    refused = project.api.post("/v1/test/run", {**request, "process": {"niceness": 7}})
    assert refused.status == 400
