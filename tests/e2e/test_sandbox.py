"""Where no daemon can be used (sandbox, other namespace, full disk) plain pytest answers, at once."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .confine import NO_FILTER
from .harness import PYTHON, STEST, Finished, Project, wait_for

UNAVAILABLE, UNSOUND = 103, 113  # include/stest/exit_code.hpp
CONFINE = str(Path(__file__).with_name("confine.py"))
COLD = "running `python -m pytest` instead: "

# What denies everything that a daemon could be reached by.
NO_SOCKETS = [f"{call}=EPERM" for call in ("socket", "connect", "bind", "sendto", "sendmsg", "socketpair")]


@pytest.fixture(scope="module")
def suite(shared_project: Project) -> Project:
    shared_project.write("test_it.py", "def test_good(): pass")
    shared_project.write("bad/test_bad.py", "def test_bad(): assert 0")
    return shared_project


@pytest.fixture
def quiet(suite: Project) -> Iterator[Project]:
    """Without a daemon, before and after."""
    suite.stest("stop").expect(0)
    yield suite
    suite.stest("stop").expect(0)


def confined(
    project: Project, rules: list[str], *args: str, program: Path = STEST, **options: Any
) -> Finished:
    words = (str(PYTHON), CONFINE, *rules, "--", str(program))
    finished = project.finish(project.start(*args, program=words, **options))
    if finished.code == NO_FILTER:
        pytest.skip(f"no seccomp filter can be made here: {finished.errors}")
    return finished


def inside(project: Project, flags: str, script: str, **options: Any) -> Finished:
    """A shell script in other namespaces."""
    words = ("unshare", *flags.split(), "sh", "-c", script)
    return project.finish(project.start(program=words, **options))


def needs(flags: str) -> None:
    if subprocess.run(["unshare", *flags.split(), "true"], capture_output=True).returncode != 0:
        pytest.skip(f"`unshare {flags}` is not allowed here")


def reason(finished: Finished) -> str:
    """Why plain pytest answered, which one line says; empty where it did not."""
    lines = [line for line in finished.errors.splitlines() if COLD in line]
    assert len(lines) <= 1, finished
    return lines[0].partition(COLD)[2] if lines else ""


def assert_cold(finished: Finished, why: str) -> None:
    assert why in reason(finished.expect(0)), finished
    assert "1 passed" in finished.text
    assert reason(finished).endswith("; `stest doctor` says more")


# ---- seccomp: the daemon is outside


def test_a_daemon_outside_the_filter_is_left_alone(suite: Project) -> None:
    suite.stest("test_it.py").expect(0)
    before = suite.status()["pid"]
    for rules in (["socket:unix=EPERM"], ["connect=EACCES"], ["sendto=ENOSYS"], ["socket=KILL"], NO_SOCKETS):
        finished = confined(suite, rules, "test_it.py")
        assert_cold(finished, "runs in another sandbox (another seccomp mode")
    failed = confined(suite, NO_SOCKETS, "bad").expect(1)
    assert "1 failed" in failed.text
    assert reason(failed)
    assert suite.status()["pid"] == before
    assert suite.stest("test_it.py").expect(0).errors == ""


def test_what_cannot_be_answered_cold_is_a_clear_error(suite: Project) -> None:
    suite.stest("test_it.py").expect(0)
    events = confined(suite, NO_SOCKETS, "run", "--events", "--", "test_it.py").expect(UNAVAILABLE)
    assert "runs in another sandbox" in events.errors
    assert "stest restart" in events.errors
    status = confined(suite, ["connect=EPERM"], "status").expect(UNAVAILABLE)
    assert "cannot connect to the daemon: Operation not permitted" in status.errors
    assert "stest doctor" in status.errors


# ---- seccomp: the daemon is started inside


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("socket:unix=EPERM", ""),  # TCP does.
        ("sendto=ENOSYS", ""),  # write(2) does.
        ("socket=EACCES", "cannot listen at 127.0.0.1"),
        ("bind=EPERM", "cannot listen at 127.0.0.1"),
        ("listen=EPERM", "cannot listen at 127.0.0.1"),
        ("connect=EACCES", "cannot connect to the daemon: Permission denied"),
        ("connect=ENOSYS", "cannot connect to the daemon: Function not implemented"),
        ("accept4=EPERM", "no daemon can be used here"),
        ("socketpair=EPERM", "cannot make a socket pair: Operation not permitted"),
        ("sendmsg=EPERM", "cannot send on the channel: Operation not permitted"),
        ("recvmsg=EPERM", "cannot receive on the channel: Operation not permitted"),
        ("socket=KILL", "was ended by SIGSYS"),
        ("connect=KILL", "a client was ended by SIGSYS"),
        ("sendto=KILL", "no daemon can be used here"),
        ("flock=EPERM", "cannot lock "),
        ("prctl=EPERM", "Operation not permitted"),
        ("memfd_create=EPERM", ""),
        ("inotify_init1=EPERM", ""),
    ],
)
def test_a_daemon_inside_the_filter(quiet: Project, rule: str, why: str) -> None:
    finished = confined(quiet, [rule], "test_it.py").expect(0)
    assert "1 passed" in finished.text
    if not why:
        assert not reason(finished), finished
        return
    assert_cold(finished, why)
    wait_for(lambda: not quiet.processes(), "the end of a daemon of no use")


def test_everything_is_denied(quiet: Project) -> None:
    for what in ("EPERM", "EACCES", "ENOSYS", "KILL"):
        rules = [f"{rule.partition('=')[0]}={what}" for rule in NO_SOCKETS]
        assert_cold(confined(quiet, rules, "test_it.py"), "")
    start = confined(quiet, NO_SOCKETS, "start").expect(UNAVAILABLE)
    assert "the daemon cannot work here: cannot make a socket pair" in start.errors
    wait_for(lambda: not quiet.processes(), "the end of a daemon of no use")


def test_no_threads(quiet: Project) -> None:
    """The client starts some, and plain pytest none."""
    finished = confined(quiet, ["clone3=EPERM", "clone=EPERM"], "test_it.py")
    assert_cold(finished, "")


def test_stdin_is_left_to_plain_pytest(quiet: Project) -> None:
    quiet.write("test_reads.py", "import sys\ndef test(): assert sys.stdin.read() == 'all of it'")
    script = """
        import socket, subprocess, sys
        ours, theirs = socket.socketpair()
        client = subprocess.Popen(sys.argv[1:], stdin=theirs)
        theirs.close()
        ours.sendall(b"all of it")
        ours.close()
        sys.exit(client.wait())
    """
    quiet.write("feed.py", "\n".join(line[8:] for line in script.splitlines()))
    words = [str(PYTHON), CONFINE, *NO_SOCKETS, "--", str(STEST), "-s", "test_reads.py"]
    finished = quiet.python("feed.py", *words)
    if finished.code == NO_FILTER:
        pytest.skip("no seccomp filter can be made here")
    assert_cold(finished, "")


# ---- namespaces


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("-r", "user namespace"),
        ("-rn", "network namespace and user namespace"),
        ("-rm", "mount namespace and user namespace"),
        ("-rpf", "PID namespace and user namespace"),
        ("-rpf --mount-proc", "PID namespace, mount namespace and user namespace"),
        ("-n", "network namespace"),
        ("-m", "mount namespace"),
        ("-pf", "PID namespace"),
        ("-pf --mount-proc", "PID namespace and mount namespace"),
        ("-iu", "IPC namespace and UTS namespace"),
    ],
)
def test_a_daemon_in_other_namespaces_is_left_alone(suite: Project, flags: str, words: str) -> None:
    needs(flags)
    suite.stest("test_it.py").expect(0)
    files = {name: (suite.state / name).stat().st_ino for name in ("daemon.sock", "daemon.lock")}
    script = f"{STEST} test_it.py; echo code $?; {STEST} stop 2>&1; echo code $?"
    if "PID" not in words:
        script = f"{STEST} test_it.py; echo code $?"
    finished = inside(suite, flags, script)
    assert f"(another {words})" in reason(finished), finished
    assert "1 passed" in finished.text
    if "PID" in words:
        assert "SPRINTEST_DIR=FOLDER" in finished.text
        assert re.findall(r"code (\d+)", finished.text) == ["0", str(UNAVAILABLE)]
    assert {name: (suite.state / name).stat().st_ino for name in files} == files
    assert suite.stest("test_it.py").expect(0).errors == ""


def test_a_daemon_that_died_with_its_namespace_is_replaced(quiet: Project) -> None:
    flags = "-rpf --mount-proc"
    needs(flags)
    finished = inside(quiet, flags, f"{STEST} test_it.py").expect(0)
    assert "1 passed" in finished.text
    assert not reason(finished), finished
    assert (quiet.state / "status.json").exists()
    finished = quiet.stest("test_it.py").expect(0)
    assert not reason(finished)
    assert len(quiet.daemons()) == 1


def test_a_foreign_proc(quiet: Project) -> None:
    needs("-rpf")
    assert_cold(inside(quiet, "-rpf", f"{STEST} test_it.py"), "/proc belongs to another PID namespace")


def test_no_proc(quiet: Project) -> None:
    flags = "-rm"
    needs(flags)
    script = f"umount -l /proc 2>/dev/null || mount -t tmpfs none /proc; exec {STEST} test_it.py"
    assert_cold(inside(quiet, flags, script), "/proc")


# ---- file systems


def on_tmpfs(project: Project, folder: str, then: str, variables: dict[str, str]) -> Finished:
    """With a file system of 64 KiB at `folder`, `then` done to it, in a mount namespace."""
    needs("-rm")
    place = project.home / folder
    place.mkdir(exist_ok=True)
    quoted = shlex.quote(str(place))
    script = (
        f"mount -t tmpfs -o size=64k,mode=700 tmpfs {quoted}; {then.format(quoted)}; exec {STEST} test_it.py"
    )
    return inside(project, "-rm", script, env=variables)


FILL = "cat /dev/zero > {}/ballast 2>/dev/null"


def test_a_full_state_folder(quiet: Project) -> None:
    finished = on_tmpfs(quiet, "full", FILL, {"SPRINTEST_DIR": str(quiet.home / "full")})
    assert_cold(finished, "No space left on device")


def test_a_read_only_state_folder(quiet: Project) -> None:
    finished = on_tmpfs(
        quiet, "ro", "mount -o remount,ro {}", {"SPRINTEST_DIR": str(quiet.home / "ro/state")}
    )
    assert_cold(finished, "Read-only file system")


def test_a_full_runtime_folder_and_a_full_tmpdir(quiet: Project) -> None:
    finished = on_tmpfs(quiet, "run", FILL, {"TMPDIR": str(quiet.home / "run")}).expect(0)
    assert "1 passed" in finished.text


def test_a_read_only_project(quiet: Project) -> None:
    """Nor does anything else change: the same words as plain pytest's."""
    needs("-rm")
    root = shlex.quote(str(quiet.root))
    mounts = f"mount --bind {root} {root} && mount -o remount,ro,bind {root} && cd {root}"
    quiet.write("new/pytest.ini", "[pytest]\n")
    quiet.write("new/test_new.py", "def test_good(): pass")
    finished = inside(quiet, "-rm", f"{mounts}/new && exec {STEST} -p no:cacheprovider")
    assert_cold(finished, "Read-only file system")
    plain = inside(quiet, "-rm", f"{mounts}/new && exec {PYTHON} -m pytest -p no:cacheprovider").expect(0)
    times = re.compile(r"[\d.]+s")
    assert times.sub("", finished.text) == times.sub("", plain.text)


# ---- what the doctor says


def test_the_doctor_names_what_is_denied(suite: Project) -> None:
    suite.stest("test_it.py").expect(0)
    for rule, said in (
        ("socket:unix=EPERM", "(socket: Operation not permitted)"),
        ("connect=EACCES", "(connect: Permission denied)"),
        ("sendmsg=KILL", "(sendmsg: SIGSYS)"),
    ):
        finished = confined(suite, [rule], "doctor", "--json").expect(UNSOUND)
        found = {one["name"]: one for one in json.loads(finished.out)["checks"]}
        assert said in found["socket"]["detail"]
        assert "allow socket(AF_UNIX), bind" in found["socket"]["remedy"]
        assert "another seccomp mode" in found["daemon"]["detail"]
        assert "python -m pytest" in found["daemon"]["remedy"]


def test_the_doctor_names_the_namespace(suite: Project) -> None:
    needs("-rpf")
    suite.stest("test_it.py").expect(0)
    finished = inside(suite, "-rpf", f"{STEST} doctor --json").expect(UNSOUND)
    found = {one["name"]: one for one in json.loads(finished.out)["checks"]}
    assert "another PID namespace" in found["daemon"]["detail"]
    assert "/proc belongs to another PID namespace" in found["proc"]["detail"]
