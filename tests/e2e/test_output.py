"""What the tests write arrives: every byte, in order, at once."""

from __future__ import annotations

import hashlib
import os

import pytest

from .harness import Project

SHARES_A_DAEMON = True

WRITERS = {
    "print": "print('MARK', flush=True)",
    "os.write": "os.write(1, b'MARK')",
    "sys.__stdout__": "sys.__stdout__.write('MARK'); sys.__stdout__.flush()",
    "libc": "libc = ctypes.CDLL(None); libc.printf(b'MARK'); libc.fflush(None)",
    "libc-not-flushed": "ctypes.CDLL(None).printf(b'MARK')",
    "child": "subprocess.check_call(['printf', 'MARK'])",
    "grandchild": "subprocess.check_call('(printf MARK &) ; wait', shell=True)",
    "fork": "os.fork() or (os.write(1, b'MARK'), os._exit(0)); os.wait()",
    "atexit": "atexit.register(print, 'MARK')",
    "not-flushed": "sys.stdout.write('MARK')",
}
IMPORTS = "import atexit, ctypes, os, subprocess, sys\n"


@pytest.mark.parametrize("writer", WRITERS)
def test_every_way_of_writing_arrives(project: Project, writer: str) -> None:
    project.write("test_it.py", f"{IMPORTS}def test():\n    {WRITERS[writer]}\n")
    finished = project.stest("-s").expect(0)
    assert finished.text.count("MARK") == 1
    assert "MARK" not in finished.errors


def test_stderr_stays_apart(project: Project) -> None:
    project.write("test_it.py", f"{IMPORTS}def test():\n    os.write(2, b'ERR'); os.write(1, b'OUT')\n")
    finished = project.stest("-s").expect(0)
    assert "OUT" in finished.text
    assert "ERR" not in finished.text
    assert "ERR" in finished.errors
    assert "OUT" not in finished.errors


def test_warnings_at_start_up_reach_stderr_and_break_nothing(project: Project) -> None:
    project.write("conftest.py", "import os, sys\nprint('early', file=sys.stderr)\nos.write(2, b'raw\\n')")
    project.write("test_it.py", "def test(): pass")
    finished = project.stest("-s").expect(0)
    assert "early" in finished.errors
    assert "raw" in finished.errors


def test_order_is_kept_when_stdout_and_stderr_are_one(project: Project) -> None:
    lines = "\n".join(f"    os.write({1 + n % 2}, b'<{n}>')" for n in range(400))
    project.write("test_it.py", f"{IMPORTS}def test():\n{lines}\n")
    finished = project.stest("-s", merge=True).expect(0)
    assert "".join(f"<{n}>" for n in range(400)) in finished.text


def test_output_arrives_at_once(project: Project) -> None:
    """The test goes on only after its output has been seen, several times."""
    project.write(
        "test_it.py",
        """
        import os, time

        def test():
            for step in range(5):
                print(f"step {step}", flush=True)
                while not os.path.exists(f"seen {step}"):
                    time.sleep(0.01)
        """,
    )
    client = project.start("-s", "-q")
    for step in range(5):
        project.read_until(client, f"step {step}\n".encode())
        project.write(f"seen {step}", "")
    project.finish(client).expect(0)


def test_outcome_letters_of_pytest_arrive_at_once(project: Project) -> None:
    """A dot shows while a later test still runs."""
    project.write(
        "test_it.py",
        """
        import os, time

        def test_first():
            pass

        def test_second():
            while not os.path.exists("seen"):
                time.sleep(0.01)
        """,
    )
    client = project.start("-v")
    project.read_until(client, b"test_first PASSED")
    project.write("seen", "")
    project.finish(client).expect(0)


def test_all_bytes_pass_unchanged(project: Project) -> None:
    project.write(
        "test_it.py",
        f"{IMPORTS}def test():\n    for byte in range(256): os.write(1, bytes([byte, 255 - byte]) * 3)\n",
    )
    expected = b"".join(bytes([byte, 255 - byte]) * 3 for byte in range(256))
    assert expected in project.stest("-s").expect(0).out


def test_characters_split_between_writes_stay_whole(project: Project) -> None:
    project.write(
        "test_it.py",
        f"{IMPORTS}def test():\n    for byte in '名前ü'.encode(): os.write(1, bytes([byte]))\n",
    )
    assert "名前ü" in project.stest("-s").expect(0).text


def test_fifty_megabytes(project: Project) -> None:
    project.write(
        "test_it.py",
        """
        import os

        def test():
            for number in range(50):
                left = memoryview(bytes([number]) * (1 << 20))
                while left:
                    left = left[os.write(1, left):]
        """,
    )
    out = project.stest("-s", "-q").expect(0).out
    digest = hashlib.sha256(b"".join(bytes([number]) * (1 << 20) for number in range(50)))
    start = out.index(b"\0")
    assert hashlib.sha256(out[start : start + (50 << 20)]).digest() == digest.digest()


def test_reader_that_stops_early_ends_the_run_quietly(project: Project) -> None:
    """`stest | head -1`: no traceback, nothing left, as `close` checks."""
    project.write("test_it.py", "def test():\n    while True: print('line ' * 20)\n")
    client = project.start("-s", merge=True)
    assert client.stdout
    os.read(client.stdout.fileno(), 100)
    client.stdout.close()
    assert client.wait(60) != 0


def test_closed_stdout_and_stderr_do_not_stop_the_run(project: Project) -> None:
    project.write("test_it.py", "def test(): open('ran', 'w').write('yes\\n')")
    project.finish(project.start("-c", "exec stest >&- 2>&-", program=("/bin/sh",)))
    assert project.read("ran") == "yes\n"


def test_a_process_left_behind_does_not_hold_up_the_client(project: Project) -> None:
    """The child inherits the run's stdout; the run is over when pytest is."""
    project.write(
        "test_it.py",
        """
        import subprocess

        def test():
            subprocess.Popen(["sleep", "1000"])
        """,
    )
    project.stest("-s").expect(0)
    for sleeper in project.processes("sleep"):
        sleeper.kill()
