"""The end of a run does what the end of `python -m pytest` does; the seventh rule of a safe fork."""

from __future__ import annotations

import ctypes
import os
import signal

import pytest

from .harness import Project, wait_for

SHARES_A_DAEMON = True

END = "def end():\n    with open('end', 'w') as file: file.write('done')\n"
ENDINGS = {
    "atexit": "atexit.register(end)",
    "thread": "threading.Thread(target=lambda: (threading.main_thread().join(), end())).start()",
    "finalizer": "global kept; kept = Kept(); weakref.finalize(kept, end)",
    "logging": "log = logging.getLogger('x');"
    " log.addHandler(logging.handlers.MemoryHandler(9, target=logging.FileHandler('end')));"
    " log.warning('done')",
    "executor": "concurrent.futures.ThreadPoolExecutor().submit(end)",
    "unclosed file": "global file; file = open('end', 'w'); file.write('done')",
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_exit_does_what_python_does(project: Project, ending: str) -> None:
    imports = "import atexit, concurrent.futures, logging.handlers, tempfile, threading, weakref\n"
    project.write("test_it.py", f"{imports}class Kept: pass\n{END}def test():\n    {ENDINGS[ending]}\n")
    for command in (project.plain, project.stest, project.stest):
        command("-q").expect(0)
        assert "done" in project.read("end"), command
        (project.root / "end").unlink()


def test_exit_removes_temporary_folders(project: Project) -> None:
    project.write(
        "test_it.py",
        """
        import tempfile

        def test():
            global folder
            folder = tempfile.TemporaryDirectory(dir=".")
            open("name", "w").write(folder.name)
        """,
    )
    project.stest("-q", "-W", "ignore").expect(0)
    assert not (project.root / project.read("name")).exists()


@pytest.mark.parametrize(
    "last",
    [
        "assert 0",
        "sys.exit()",
        "raise KeyboardInterrupt",
        "threading.Thread(target=lambda: 1 / 0).start()",
    ],
)
def test_unclosed_file_is_written_however_the_test_ends(project: Project, last: str) -> None:
    """Tracebacks that are kept hold the test's module, and with it the file."""
    project.write(
        "test_it.py",
        f"""
        import sys, threading

        def test():
            global file
            file = open("end", "w")
            file.write("done")
            {last}
        """,
    )
    plain = project.plain("-q")
    for _ in ("first run", "warm run"):
        project.write("end", "")
        project.stest("-q").expect(plain.code)
        assert project.read("end") == "done"


PTRACE_CONT, PTRACE_DETACH, PTRACE_SEIZE = 7, 17, 0x4206
PTRACE_O_TRACEEXIT, PTRACE_EVENT_EXIT = 0x40, 6


def ptrace(request: int, pid: int, data: int = 0) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]
    libc.ptrace.restype = ctypes.c_long
    if libc.ptrace(request, pid, None, data) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")


@pytest.mark.parametrize("code", [0, 1])
def test_nobody_waits_while_the_kernel_takes_a_process_down(project: Project, code: int) -> None:
    """As a tracer holds it, before it is reaped: the client has its answer, and the next run comes."""
    project.write(
        "test_it.py",
        f"""
        import ctypes, os, pathlib, time

        def test():
            ctypes.CDLL(None).prctl(0x59616d61, ctypes.c_ulong(-1), 0, 0, 0)  # Anybody may trace.
            pathlib.Path("pid").write_text(str(os.getpid()))
            while not os.path.exists("go"):
                time.sleep(0.01)
            os.unlink("go")
            assert {code} == 0
        """,
    )
    client = project.start("-q")
    wait_for(lambda: (project.root / "pid").exists() and project.read("pid"), "the test")
    pid = int(project.read("pid"))
    ptrace(PTRACE_SEIZE, pid, PTRACE_O_TRACEEXIT)
    try:
        project.write("go", "")
        project.finish(client).expect(code)
        stop = wait_for(lambda: os.waitpid(pid, os.WNOHANG)[1], "the end of the process")
        assert stop >> 8 == signal.SIGTRAP | PTRACE_EVENT_EXIT << 8
        project.write("test_other.py", "def test(): pass\n")
        other = project.stest("-q", "test_other.py").expect(0)
        assert str(pid) not in other.errors, "it is no process that tests have left"
    finally:
        ptrace(PTRACE_DETACH, pid)
    wait_for(lambda: not os.path.exists(f"/proc/{pid}"), "the process to be gone")
