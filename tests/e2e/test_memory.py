"""Out of memory: told by the kernel's own account, survived by the daemon; and what bounds memory."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from .cgroups import memory_cgroup
from .harness import STEST, Finished, Project
from .modes import MODES
from .warmth import Warmth

KILLED = 106  # include/stest/exit_code.hpp
LIMIT = 300 << 20

EATS = "def test_eats():\n    hoard = []\n    while True: hoard.append(bytearray(b'x') * (16 << 20))\n"


@pytest.fixture
def limited(project: Project) -> Iterator[Path]:
    """A cgroup; it must be empty at the end, and so outlives the daemon."""
    with memory_cgroup(LIMIT) as folder:
        yield folder
        project.stest("stop")


def stest_in(cgroup: Path, project: Project, *args: str, **options: object) -> Finished:
    """stest, and the daemon that it starts, in that cgroup."""
    words = shlex.join([str(STEST), *args])
    script = f"echo $$ > {cgroup}/cgroup.procs && exec {words}"
    return project.finish(project.start("-c", script, program=("/bin/sh",), **options))  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", MODES)
def test_an_oom_kill_is_told_and_the_next_run_is_warm(project: Project, limited: Path, mode: str) -> None:
    project.write("test_fine.py", "def test(): pass")
    stest_in(limited, project, "test_fine.py", env=MODES[mode]).expect(0)
    warmth = Warmth(project, MODES[mode])
    project.write("test_it.py", f"def test_before(): pass\n{EATS}")
    finished = project.stest("test_it.py", env=MODES[mode]).expect(KILLED)
    assert "SIGKILL while running test_it.py::test_eats; the kernel's OOM killer did it" in finished.errors
    assert f"the memory limit of {limited} is 300 MiB" in finished.errors
    warmth.assert_kept()


def test_any_other_kill_is_not_called_an_oom_kill(project: Project, limited: Path) -> None:
    project.write("test_it.py", "import os\ndef test(): os.kill(os.getpid(), 9)")
    finished = stest_in(limited, project, "test_it.py").expect(KILLED)
    assert "SIGKILL while running test_it.py::test; the usual cause is a lack of memory" in finished.errors
    assert "OOM killer did it" not in finished.errors


def test_a_worker_that_the_oom_killer_took_while_importing_is_told(project: Project, limited: Path) -> None:
    project.install("glutton.py", "hoard = []\nwhile True: hoard.append(bytearray(b'x') * (16 << 20))\n")
    # The worker has no score of its own: without this the kernel might as well take the daemon.
    project.install("first.py", "open('/proc/self/oom_score_adj', 'w').write('900')")
    project.configure(sprintest="preload = ['first', 'glutton']")
    project.write("test_it.py", "def test(): pass")
    finished = stest_in(limited, project, "test_it.py").expect(0)
    assert "ran cold" in finished.errors
    assert "the kernel's OOM killer did it" in finished.errors
    assert "while importing glutton" in finished.errors


@pytest.mark.parametrize("mode", MODES)
def test_memory_error_is_a_plain_failure(project: Project, mode: str) -> None:
    """Under RLIMIT_AS Python gets a null pointer and raises; the limit ends with the run."""
    warmth = Warmth(project, MODES[mode])
    project.write(
        "test_it.py",
        """
        import resource

        def test_too_much():
            used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
            _, hard = resource.getrlimit(resource.RLIMIT_AS)
            resource.setrlimit(resource.RLIMIT_AS, (used + (200 << 20), hard))
            bytearray(400 << 20)

        def test_after():
            pass
        """,
    )
    assert "MemoryError" in project.plain("test_it.py").expect(1).text
    finished = project.stest("test_it.py", env=MODES[mode]).expect(1)
    assert "MemoryError" in finished.text
    assert "1 failed, 1 passed" in finished.text
    warmth.assert_kept()


# ---- memory_limit


def test_a_worker_above_its_limit_is_replaced_between_runs(project: Project) -> None:
    project.install("large.py", "KEPT = bytearray(b'x') * (200 << 20)")
    project.configure(sprintest="preload = ['large']\nmemory_limit = '150MiB'")
    project.write("test_it.py", "import large\ndef test(): assert len(large.KEPT) == 200 << 20")
    project.stest().expect(0)
    project.await_idle()
    worker = project.status()["worker"]["pid"]
    finished = project.stest().expect(0)
    assert "memory_limit is 150 MiB" in finished.errors
    assert project.status()["worker"]["pid"] != worker


def test_a_resident_process_above_its_limit_ends_with_its_run(project: Project) -> None:
    project.env.update(MODES["resident"])
    project.install("cache.py", "KEPT = []")
    project.configure(sprintest="preload = ['cache']\nmemory_limit = '250MiB'")
    project.write(
        "test_it.py",
        """
        import cache, os

        def test():
            print(f"PID {os.getpid()} KEPT {len(cache.KEPT)} END")
            if os.environ.get("EAT"):
                cache.KEPT.append(bytearray(b"x") * (300 << 20))
        """,
    )
    project.stest("-q").expect(0)
    project.await_idle()  # What the first run taught is imported, which ends the resident process.
    first = project.stest("-s", "-q").expect(0).text
    worker = project.status()["worker"]["pid"]
    same = project.stest("-s", "-q", env={"EAT": "1"}).expect(0)
    assert pid_of(first) == pid_of(same.text)
    assert "memory_limit" in same.errors
    last = project.stest("-s", "-q").expect(0).text
    assert "KEPT 0 END" in last
    assert pid_of(last) != pid_of(first)
    assert project.status()["worker"]["pid"] == worker


def pid_of(text: str) -> str:
    return text.partition("PID ")[2].partition(" ")[0]
