"""On a real terminal: what a person sees and types is as under plain pytest, and the terminal stays whole."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import signal
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pexpect
import pytest

from . import processes
from .harness import DEADLINE, PYTHON, STEST, WAITING_TEST, Project, wait_for
from .modes import MODES
from .sight import BORN
from .warmth import settle

PLAIN = (str(PYTHON), "-m", "pytest")
WARM = (str(STEST),)
IN_SHELL = shlex.join(WARM)
SIZE = (30, 100)

PROMPT = re.escape("(Pdb) ")


@pytest.fixture(params=MODES)
def any_mode(project: Project, request: pytest.FixtureRequest) -> Project:
    project.env.update(MODES[request.param])
    return project


@contextmanager
def terminal(
    project: Project,
    *args: str,
    program: tuple[str, ...] = WARM,
    env: dict[str, str] | None = None,
    size: tuple[int, int] = SIZE,
) -> Iterator[Any]:
    """A program on a terminal of its own; fails if it has not ended at the end."""
    variables = {**project.env, "TERM": "xterm-256color", **(env or {})}
    del variables["COLUMNS"]
    child: Any = pexpect.spawn(
        shlex.join([*program, *args]),  # A lone program pexpect would split at its spaces.
        cwd=str(project.root),
        env=variables,
        dimensions=size,
        timeout=DEADLINE,
        encoding="utf-8",
        codec_errors="backslashreplace",
    )
    try:
        yield child
    finally:
        child.close(force=True)


def fresh_modes() -> list[Any]:
    """Of a terminal to which nobody has done anything; of a child's own they might be read too late."""
    ours, theirs = os.openpty()
    try:
        return termios.tcgetattr(theirs)[:4]
    finally:
        os.close(ours)
        os.close(theirs)


def finish(child: Any) -> tuple[int, str]:
    """The exit code (a signal is negative), and what came until the end."""
    child.expect(pexpect.EOF)
    text: str = child.before
    child.wait()
    return (child.exitstatus if child.signalstatus is None else -child.signalstatus), text


def run(project: Project, *args: str, program: tuple[str, ...] = WARM, keys: str = "") -> tuple[int, str]:
    with terminal(project, *args, program=program) as child:
        child.send(keys)
        return finish(child)


def lines(text: str) -> list[str]:
    """What was shown, escapes and all, but for the times."""
    return re.sub(r"in \d+\.\d+s", "in N s", text).splitlines(keepends=True)


def stripped(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m|\x1b\[K", "", text)


def warm_up(project: Project) -> None:
    """So that stest's own line about the start comes at no bad time."""
    project.stest("--collect-only", "-q")
    project.await_idle()


def test_output_is_that_of_plain_pytest(any_mode: Project) -> None:
    any_mode.write(
        "test_it.py",
        """
        import sys, os, shutil, pytest

        @pytest.mark.parametrize("number", range(200))
        def test_many(number):
            pass

        def test_terminal():
            for stream in (sys.__stdin__, sys.__stdout__, sys.__stderr__):
                assert stream.isatty()
            assert os.get_terminal_size(1) == (100, 30)
            assert os.ttyname(0) and os.tcgetpgrp(0) == os.getpgrp()
            with open("/dev/tty") as tty:
                assert os.isatty(tty.fileno())

        def test_fails():
            print("captured")
            assert [1, 2] == [1, 3]
        """,
    )
    warm_up(any_mode)
    plain, warm = run(any_mode, "-s", program=PLAIN), run(any_mode, "-s")
    assert plain[0] == warm[0] == 1
    assert "\x1b[31m" in warm[1]
    assert lines(warm[1]) == lines(plain[1])


def test_run_that_goes_on_from_a_snapshot(project: Project) -> None:
    """It has its own terminal, and what was printed while nobody had asked for it comes first."""
    del project.env["SPRINTEST_PRIME"]
    project.write(
        "test_it.py",
        BORN
        + """
import shutil, sys
print("imported", sys.stdout.isatty(), shutil.get_terminal_size(), os.tcgetpgrp(0) == os.getpgrp())

def test_terminal():
    own = os.open("/dev/tty", os.O_RDWR)
    os.write(own, b"to the terminal\\r\\n")
    assert os.isatty(0) and os.tcgetpgrp(own) == os.getpgrp()
    assert os.get_terminal_size(own) == os.get_terminal_size(1) == (100, 30)
    assert sys.stdin.readline() == "typed\\n"
    open("here", "a").write(f"{BORN != threading.get_native_id()} ")
""",
    )

    def answer(program: tuple[str, ...] = WARM) -> tuple[int, str]:
        """Typed when the test asks for it: before, the terminal itself would echo it."""
        with terminal(project, "-s", program=program) as child:
            child.expect("to the terminal")
            begin = child.before
            child.send("typed\r")
            code, end = finish(child)
            return code, begin + end

    plain = answer(PLAIN)
    warm_up(project)
    answer()
    project.write("here", "")
    for _ in range(2):
        project.ahead()
        warm = answer()
        assert warm[0] == plain[0] == 0, warm
        assert lines(warm[1]) == lines(plain[1])
    assert project.read("here") == "True True "


def test_terminal_of_another_size_is_another(project: Project) -> None:
    del project.env["SPRINTEST_PRIME"]
    project.write("test_it.py", "import os\nSIZE = os.get_terminal_size(0)\ndef test(): print(SIZE)\n")
    for _ in range(2):
        run(project, "-s")
        project.ahead()
    with terminal(project, "-s", size=(20, 90)) as child:
        assert "columns=90, lines=20" in finish(child)[1]


def test_a_terminal_opened_while_tests_are_collected_is_the_run_s(project: Project) -> None:
    del project.env["SPRINTEST_PRIME"]
    project.write(
        "test_it.py",
        """
        TTY = open("/dev/tty", "w")
        def test(): print("to the terminal", file=TTY, flush=True)
    """,
    )
    for _ in range(3):
        assert "to the terminal" in run(project)[1]
        assert "opens the terminal" in project.ahead()["reason"]


def test_run_that_starts_over_says_nothing_twice(project: Project) -> None:
    project.env.update(MODES["resident"])
    project.write(
        "registry.py",  # Nobody can look into it, and see that it has to be executed again as well.
        """
        def make():
            names = []
            def register(name):
                assert name not in names
                names.append(name)
            return register

        register = make()
        """,
    )
    source = "import registry\nregistry.register('model')\nVALUE = {}\n"
    project.write("model.py", source.format(1))
    project.write("test_it.py", "import model\ndef test(): assert model.VALUE == 2\n")
    settle(project, code=1)
    project.write("model.py", source.format(2))
    code, text = run(project)
    assert "started a clean process" in text
    assert code == 0, text
    assert text.count("test session starts") == 1, text
    assert "\x1b_" not in text


def test_run_that_is_done_cold_instead_says_nothing_twice(project: Project) -> None:
    """What pytest has loaded is hidden by a file that is first found while the tests are collected."""
    project.env.update(MODES["resident"])
    project.write("tests/test_it.py", "import argparse\ndef test(): pass\n")
    project.stest("-q").expect(0)
    project.await_idle()
    project.write("tests/argparse.py", "")
    shown: list[int] = []
    while len(shown) < 10 and 1 not in shown:  # Nothing is held back for longer than half a second.
        code, text = run(project)
        assert "ran cold" in text
        assert code == 0, text
        shown.append(text.count("test session starts"))
    assert 1 in shown, text


def test_a_job_of_a_shell_may_make_itself_its_group_s_leader(any_mode: Project) -> None:
    """It is that already. The runner leads a session, for its terminal; `setpgrp` must not fail for that."""
    any_mode.write(
        "test_it.py",
        "import os\ndef test(): os.setpgrp(); assert os.getpgrp() == os.getpid() == os.tcgetpgrp(0)\n",
    )
    warm_up(any_mode)
    for program in (PLAIN, WARM):
        job = f"set -m; {shlex.join(program)} -s -q; exit $?"
        code, text = run(any_mode, program=("/bin/bash", "-c", job))
        assert code == 0, text
        assert "1 passed" in text


def test_input_with_s(any_mode: Project) -> None:
    any_mode.write("test_it.py", "def test(): print(f\"<{input('name? ')}>\", flush=True)\n")
    warm_up(any_mode)
    for _ in range(2):
        with terminal(any_mode, "-s") as child:
            child.expect_exact("name? ")
            child.sendline("Ada")
            child.expect_exact("<Ada>")
            assert finish(child)[0] == 0


def test_pdb_at_a_failure(any_mode: Project) -> None:
    any_mode.write("test_it.py", "def test():\n    number = 6 * 7\n    assert number == 0\n")
    warm_up(any_mode)
    with terminal(any_mode, "--pdb") as child:
        child.expect(PROMPT)
        child.sendline("p number + 1")
        child.expect_exact("43")
        child.expect(PROMPT)
        child.sendline("continue")
        code, text = finish(child)
    assert code == 1
    assert "1 failed" in stripped(text)


def test_breakpoint_with_line_editing_and_history(any_mode: Project) -> None:
    any_mode.write("test_it.py", "def test():\n    value = 'here'\n    breakpoint()\n    print('on')\n")
    warm_up(any_mode)
    with terminal(any_mode) as child:
        child.expect(PROMPT)
        child.sendline("p valu\x7fue * 2")  # A key that erases.
        child.expect_exact("'herehere'")
        child.expect(PROMPT)
        child.send("\x1b[A\r")  # The line before.
        child.expect_exact("'herehere'")
        child.expect(PROMPT)
        child.sendline("continue")
        assert finish(child)[0] == 0


def test_ctrl_c_at_a_prompt_is_pdbs_own(any_mode: Project) -> None:
    """As often as one likes."""
    pid = "import os; print(os.getpid(), file=open('pid', 'w'))"
    any_mode.write("test_it.py", f"def test():\n    {pid}\n    value = 5\n    breakpoint()\n")
    warm_up(any_mode)
    with terminal(any_mode) as child:
        child.expect(PROMPT)
        tests = int(any_mode.read("pid"))
        for _ in range(5):
            # CPython shows the prompt, then waits. In between an interrupt goes unheard until the next key.
            wait_for(lambda: processes.state(tests) == "S", "a process that waits for a key")
            child.sendintr()
            child.expect_exact("--KeyboardInterrupt--")
            child.expect(PROMPT)
        child.sendline("p value + 1")
        child.expect_exact("6")
        child.expect(PROMPT)
        child.sendline("continue")
        assert finish(child)[0] == 0


def test_ipython_prompt(project: Project) -> None:
    pytest.importorskip("IPython")
    project.write("test_it.py", "def test():\n    value = 21\n    assert value == 0\n")
    warm_up(project)
    with terminal(project, "--pdb", "--pdbcls=IPython.terminal.debugger:TerminalPdb") as child:
        child.expect("ipdb>")
        child.send("p value * 2\r")
        child.expect("42")
        child.expect("ipdb>")
        child.send("q\r")
        finish(child)


def test_size_follows_the_window(any_mode: Project) -> None:
    any_mode.write(
        "test_it.py",
        """
        import os, signal, time

        def test():
            seen = []
            signal.signal(signal.SIGWINCH, lambda *_: seen.append(os.get_terminal_size(1)))
            print("ready", flush=True)
            while (44, 11) not in seen:
                time.sleep(0.01)
        """,
    )
    warm_up(any_mode)
    with terminal(any_mode, "-s") as child:
        child.expect_exact("ready")
        child.setwinsize(11, 44)
        assert finish(child)[0] == 0


def interrupt(times: int) -> Any:
    def act(child: Any, project: Project) -> None:
        for number in range(times):
            child.sendintr()
            if number < times - 1:
                # The rule is about a run that does not react.
                child.expect("terminating|killing") if number > 0 else time.sleep(0.3)

    return act


def kill_daemon(child: Any, project: Project) -> None:
    os.kill(project.daemons()[0], signal.SIGKILL)


def terminate_client(child: Any, project: Project) -> None:
    os.kill(child.pid, signal.SIGTERM)


STUBBORN = """
    import signal, time

    def test_stubborn():
        {}
        signal.signal(signal.SIGINT, lambda *_: None)  # An exception could come where nothing catches it.
        print("started", flush=True)
        while True:
            time.sleep(0.05)
"""
STARTED = "def test_x():\n    print('started', flush=True)\n"
STUBBORN_TERM = "signal.signal(signal.SIGTERM, signal.SIG_IGN)"


@pytest.mark.parametrize(
    ("test", "act", "code"),
    [
        (STARTED, None, 0),
        (f"{STARTED}    assert 0", None, 1),
        (
            "import os\ndef test_x():\n    print('started', flush=True)\n    os.kill(os.getpid(), 11)",
            None,
            105,
        ),
        ("import time\ndef test_x():\n    print('started', flush=True)\n    time.sleep(99)", interrupt(1), 2),
        (STUBBORN.format("pass"), interrupt(2), 107),
        (STUBBORN.format(STUBBORN_TERM), interrupt(3), 107),
        (STUBBORN.format("pass"), kill_daemon, 103),
        (STUBBORN.format("pass"), terminate_client, None),  # By the signal.
    ],
    ids=["pass", "fail", "crash", "ctrl-c", "ctrl-c twice", "ctrl-c thrice", "daemon killed", "terminated"],
)
def test_terminal_is_as_before(project: Project, test: str, act: Any, code: int | None) -> None:
    project.write("test_it.py", test)
    warm_up(project)
    with terminal(project, "-s") as child:
        child.expect_exact("started")
        if act:
            act(child, project)
        # The settings are of the terminal, and stay when the program has gone.
        while child.isalive():
            child.expect([pexpect.EOF, pexpect.TIMEOUT, ".+"], timeout=1)
        assert termios.tcgetattr(child.child_fd)[:4] == fresh_modes()
        child.wait()
        assert child.exitstatus == code
    project.stest("restart").expect(0)  # A daemon that was killed has left its files.


def test_settings_that_a_test_left_do_not_reach_ours(project: Project) -> None:
    project.write("test_it.py", "import os\ndef test(): os.system('stty raw -echo < /dev/tty')\n")
    warm_up(project)
    with terminal(project) as child:
        code, _ = finish(child)
        assert termios.tcgetattr(child.child_fd)[:4] == fresh_modes()
    assert code == 0


@contextmanager
def shell_on_terminal(project: Project) -> Iterator[Any]:
    program = ("bash", "--norc", "--noprofile", "-i")
    with terminal(project, program=program, env={"PS1": "shell> "}) as shell:
        shell.expect_exact("shell> ")
        yield shell


def test_stop_and_go_on(any_mode: Project) -> None:
    """Ctrl-Z gives the terminal back to the shell; `fg` goes on, with the keyboard."""
    any_mode.write("test_it.py", "def test(): print(f\"<{input('name? ')}>\", flush=True)\n")
    warm_up(any_mode)
    with shell_on_terminal(any_mode) as shell:
        shell.sendline(f"{IN_SHELL} -s")
        shell.expect_exact("name? ")
        shell.send("\x1a")
        shell.expect("Stopped")
        shell.expect_exact("shell> ")
        shell.sendline("echo $((6*7))")
        shell.expect("42")
        shell.sendline("fg")
        shell.expect_exact("-s")
        shell.sendline("Ada")
        shell.expect_exact("<Ada>")
        shell.expect_exact("shell> ")
        shell.sendline("exit")
        finish(shell)


def test_background_job_neither_stops_nor_takes_keys(project: Project) -> None:
    project.write("test_it.py", "def test(): open('done', 'w').write('yes\\n')\n")
    warm_up(project)
    with shell_on_terminal(project) as shell:
        shell.sendline(f'{IN_SHELL} -q & read line; echo "<$line>"')
        project.await_file("done")
        shell.sendline("for the shell")
        shell.expect_exact("<for the shell>")
        shell.sendline('wait $!; echo "code=$?"')
        shell.expect_exact("code=0")
        shell.sendline("exit")
        finish(shell)


def test_only_what_is_the_terminal_is_one(project: Project) -> None:
    """`stest > file`: the errors and the keys are the terminal's, the output is not."""
    project.write(
        "test_it.py",
        """
        import sys
        def test():
            kinds = [s.isatty() for s in (sys.__stdin__, sys.__stdout__, sys.__stderr__)]
            open("seen", "w").write(str(kinds))
        """,
    )
    warm_up(project)
    for redirect in ("> out", "2> err", "< /dev/null", "> out 2> err"):
        seen = []
        for program in (shlex.join(PLAIN), IN_SHELL):
            with terminal(project, "-c", f"{program} -s {redirect}", program=("sh",)) as child:
                assert finish(child)[0] == 0
            seen.append(project.read("seen"))
        assert seen[0] == seen[1], redirect


def test_much_output_right_before_the_end(any_mode: Project) -> None:
    any_mode.write(
        "test_it.py", "import os\ndef test():\n    for n in range(20000): os.write(1, b'line %d\\n' % n)\n"
    )
    warm_up(any_mode)
    code, text = run(any_mode, "-s", "-q")
    assert code == 0
    assert re.findall(r"line (\d+)", text) == [str(n) for n in range(20000)]


# ---- stdin that is no terminal


def pipe_in(project: Project, data: bytes, *args: str, program: tuple[str, ...] = WARM) -> tuple[int, bytes]:
    done = subprocess.run(
        [*program, *args],
        cwd=project.root,
        env=project.env,
        input=data,
        capture_output=True,
        timeout=DEADLINE,
    )
    return done.returncode, done.stdout + done.stderr


def test_stdin_from_a_pipe_and_from_a_file(any_mode: Project) -> None:
    any_mode.write(
        "test_it.py",
        """
        import hashlib, sys
        def test():
            data = sys.stdin.buffer.read()
            open("seen", "w").write(f"{len(data)} {hashlib.sha256(data).hexdigest()}")
        """,
    )
    warm_up(any_mode)
    data = os.urandom(300_000)
    expected = f"{len(data)} {hashlib.sha256(data).hexdigest()}"
    assert pipe_in(any_mode, data, "-s")[0] == 0
    assert any_mode.read("seen") == expected
    (any_mode.root / "data").write_bytes(data)
    with open(any_mode.root / "data", "rb") as file:
        file.read(1000)
        os.lseek(file.fileno(), 1000, os.SEEK_SET)
        subprocess.run(
            [*WARM, "-s"], cwd=any_mode.root, env=any_mode.env, stdin=file, check=True, capture_output=True
        )
    assert any_mode.read("seen") == f"{len(data) - 1000} {hashlib.sha256(data[1000:]).hexdigest()}"


def test_stdin_that_nobody_reads(project: Project) -> None:
    project.write("test_it.py", "def test(): pass\n")
    warm_up(project)
    assert pipe_in(project, b"x" * 10_000_000, "-q")[0] == 0


def test_what_a_run_does_not_read_is_left_to_the_next_program(project: Project) -> None:
    """As with plain pytest: `printf '…' | (stest -s; cat)`."""
    project.write("test_it.py", "import os\ndef test(): open('seen', 'wb').write(os.read(0, 6))\n")
    warm_up(project)
    command = f"printf 'first\\nsecond\\n' | ({IN_SHELL} -s -q > out 2>&1; cat)"
    done = subprocess.run(["sh", "-c", command], cwd=project.root, env=project.env, capture_output=True)
    assert project.read("seen") == "first\n"
    assert done.stdout == b"second\n"


def test_client_is_killed_on_a_terminal(project: Project) -> None:
    project.write("test_it.py", WAITING_TEST)
    warm_up(project)
    with terminal(project, "-s") as child:
        project.await_file("started")
        child.kill(signal.SIGKILL)
    wait_for(lambda: not project.status()["runs"], "the end of the run")
