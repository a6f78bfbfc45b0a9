"""Where the daemon keeps its files, and what it leaves alone."""

from __future__ import annotations

import fcntl
import json
import os
import re
import stat
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from .harness import STEST, WAITING_TEST, Project, wait_for
from .modes import MODES

UNAVAILABLE, CANCELLED, NOT_RUNNING = 103, 107, 108  # include/stest/exit_code.hpp


@pytest.fixture
def fine(project: Project) -> Project:
    project.write("test_it.py", "def test(): pass")
    return project


def deep(project: Project) -> Path:
    return project.write("/".join(["a-rather-long-folder-name"] * 5) + "/pytest.ini", "[pytest]\n").parent


def test_socket_path_that_is_too_long_moves_to_the_runtime_folder(project: Project) -> None:
    folder = deep(project)
    (folder / "test_it.py").write_text("def test(): pass")
    cwd = str(folder.relative_to(project.root))
    project.stest(cwd=cwd).expect(0)
    status = json.loads(project.stest("status", "--json", cwd=cwd).expect(0).out)
    assert status["endpoint"]["socket"].startswith(project.env["XDG_RUNTIME_DIR"])
    project.stest("stop", cwd=cwd).expect(0)


def test_socket_path_that_is_too_long_moves_to_tmp(project: Project) -> None:
    del project.env["XDG_RUNTIME_DIR"]
    folder = deep(project)
    (folder / "test_it.py").write_text("def test(): pass")
    cwd = str(folder.relative_to(project.root))
    project.stest(cwd=cwd).expect(0)
    status = json.loads(project.stest("status", "--json", cwd=cwd).expect(0).out)
    place = Path(status["endpoint"]["socket"])
    assert place.parent == Path(f"/tmp/stest-{os.getuid()}")
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
    project.stest("stop", cwd=cwd).expect(0)
    wait_for(lambda: not place.exists(), "the removal of the socket")


@pytest.mark.parametrize("place", ["/proc/no/such/place", "pyproject.toml"])
def test_folder_that_cannot_be_made(fine: Project, place: str) -> None:
    finished = fine.stest(env={"SPRINTEST_DIR": place}).expect(0)
    assert "1 passed" in finished.text
    assert "running `python -m pytest` instead: cannot use the folder" in finished.errors
    assert "SPRINTEST_DIR" in fine.stest("start", env={"SPRINTEST_DIR": place}).expect(UNAVAILABLE).errors


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_project_works_with_sprintest_dir(fine: Project) -> None:
    fine.root.chmod(0o555)
    try:
        finished = fine.stest("-p", "no:cacheprovider").expect(0)
        assert "running `python -m pytest` instead" in finished.errors
        assert "SPRINTEST_DIR" in fine.stest("start").expect(UNAVAILABLE).errors
        elsewhere = {"SPRINTEST_DIR": str(fine.home / "state")}
        fine.stest("-p", "no:cacheprovider", env=elsewhere).expect(0)
        fine.stest("stop", env=elsewhere).expect(0)
    finally:
        fine.root.chmod(0o755)


def test_state_folder_elsewhere(fine: Project) -> None:
    fine.env["SPRINTEST_DIR"] = str(fine.home / "state")
    fine.stest().expect(0)
    assert (fine.home / "state/status.json").exists()
    assert not fine.state.exists()


def test_projects_have_daemons_of_their_own(fine: Project) -> None:
    fine.write("other/pytest.ini", "[pytest]\n")
    fine.write("other/test_it.py", "def test(): assert 0")
    fine.stest("test_it.py").expect(0)
    fine.stest(cwd="other").expect(1)
    assert len(fine.daemons()) == 2
    fine.stest("stop", cwd="other").expect(0)


# ---- manners


def test_daemon_does_not_hold_the_clients_descriptors(fine: Project) -> None:
    """`stest | cat` ends: end of file comes when the client does, though the daemon lives on."""
    reader, writer = os.pipe()
    with open(reader, "rb") as pipe:
        try:
            fine.finish(fine.start(pass_fds=(writer,))).expect(0)
        finally:
            os.close(writer)
        assert pipe.read() == b""
    (daemon,) = fine.daemons()
    workers = [one.pid for one in fine.processes("stest-worker")]  # One, and forks that find something out.
    assert workers
    for pid in (daemon, *workers):
        try:
            targets = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in (0, 1, 2)}
        except FileNotFoundError:  # Such a fork has found it out.
            assert pid not in (daemon, fine.status()["worker"]["pid"])
            continue
        assert "/dev/null" in targets
        assert not any(target.startswith("/dev/pts") for target in targets)


def test_daemon_has_a_session_of_its_own_and_the_root_as_folder(fine: Project) -> None:
    fine.stest().expect(0)
    (daemon,) = fine.daemons()
    assert os.getsid(daemon) == daemon
    assert os.readlink(f"/proc/{daemon}/cwd") in (str(fine.root), "/")


def test_client_does_not_link_python(fine: Project) -> None:
    linked = fine.finish(fine.start(str(STEST), program=("ldd",))).expect(0).text
    assert "libc.so" in linked
    assert "libpython" not in linked


def test_idle_worker_is_released_and_the_daemon_waits_longer(fine: Project) -> None:
    fine.configure(sprintest="idle_timeout = '3s'")
    fine.stest().expect(0)
    (daemon,) = fine.daemons()
    wait_for(lambda: not fine.processes("stest-worker"), "the end of the idle worker")
    assert fine.daemons() == [daemon]
    assert fine.status()["worker"] is None
    assert "nothing was loaded yet" in fine.stest().expect(0).errors
    assert fine.daemons() == [daemon]


def test_a_run_is_no_idle_time(fine: Project) -> None:
    fine.configure(sprintest="idle_timeout = '100ms'")
    fine.write("test_it.py", "import time\ndef test(): time.sleep(2)")
    fine.stest().expect(0)


@pytest.mark.parametrize("mode", MODES)
def test_stop_ends_everything_and_leaves_the_folder_clean(fine: Project, mode: str) -> None:
    """What stays: the log, what runs have taught, the lock's file, which nobody holds, and .gitignore."""
    fine.install("taught.py", "")
    fine.write("test_it.py", "import taught\ndef test(): pass")
    fine.stest(env=MODES[mode]).expect(0)
    fine.write("test_it.py", WAITING_TEST)
    client = fine.start(env=MODES[mode])
    fine.await_file("started")
    fine.stest("stop").expect(0)
    assert not fine.processes("stestd") + fine.processes("stest-worker") + fine.processes("python3")
    fine.finish(client).expect(CANCELLED)
    left = sorted(file.name for file in fine.state.iterdir())
    assert [name for name in left if not name.startswith("history.")] == [
        ".gitignore",
        "daemon.lock",
        "daemon.log",
        "preload.json",
    ]
    with open(fine.state / "daemon.lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


# ---- a full disk


@pytest.fixture
def tiny(fine: Project) -> Iterator[Path]:
    """A file system of 64 KiB, for the daemon's files."""
    folder = fine.home / "tiny"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("no file system can be mounted here")
    fine.env["SPRINTEST_DIR"] = str(folder)
    try:
        yield folder
    finally:
        fine.stest("stop")
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    ballast = folder / "ballast"
    with open(ballast, "wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    return ballast


def test_a_full_disk_is_told_and_nothing_is_left(fine: Project, tiny: Path) -> None:
    ballast = fill(tiny)
    finished = fine.stest().expect(0)
    assert "1 passed" in finished.text
    assert "running `python -m pytest` instead: " in finished.errors
    assert "No space left on device" in finished.errors
    errors = fine.stest("start").expect(UNAVAILABLE).errors
    assert f"stest: cannot write {tiny}/daemon.lock: No space left on device\nhint: Free disk space" in errors
    assert "SPRINTEST_DIR" in errors
    wait_for(lambda: not fine.processes(), "the end of the daemon that could not start")
    ballast.unlink()
    fine.stest().expect(0)


@pytest.mark.parametrize("files", [1, 2, 3])
def test_a_disk_without_room_for_another_file(fine: Project, tiny: Path, files: int) -> None:
    """One for the folder itself, then the lock, then the log."""
    subprocess.run(["mount", "-o", f"remount,nr_inodes={files}", str(tiny)], check=True)
    errors = fine.stest("start").expect(UNAVAILABLE).errors
    assert re.search(rf"^stest: .*{tiny}/.*: No space left on device\nhint: Free disk space", errors), errors
    assert "no daemon is running" in fine.stest("stop").expect(0).text
    assert "1 passed" in fine.stest().expect(0).text


def test_a_full_disk_for_the_output(fine: Project, tiny: Path) -> None:
    fine.stest().expect(0)
    fill(tiny)
    for command, code in (("status", UNAVAILABLE), ("", 1)):
        script = f"exec stest {command} > {tiny}/out"
        errors = fine.finish(fine.start("-c", script, program=("/bin/sh",))).expect(code).errors
        assert f"stest: the output is incomplete: cannot write {tiny}/out: No space left on device" in errors
        assert "hint: Free disk space" in errors


def test_a_disk_that_fills_up_does_not_change_an_answer(fine: Project, tiny: Path) -> None:
    fine.stest().expect(0)
    fill(tiny)
    for _ in range(3):
        fine.stest().expect(0)
    fine.write("test_it.py", "def test(): assert 0")
    fine.stest().expect(1)


def test_idle_daemon_leaves(fine: Project) -> None:
    fine.configure(sprintest="idle_timeout = '1s'")
    fine.stest().expect(0)
    wait_for(lambda: not fine.processes(), "the end of the idle daemon")
    fine.stest().expect(0)
