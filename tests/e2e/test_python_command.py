"""`stest python`: the same as `python`, in a fork of the worker."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import textwrap
from collections.abc import Iterator
from typing import Any

import pytest

from .harness import PYTHON, STEST, Finished, Project, wait_for

SHARES_A_DAEMON = True

#: What tells a fork of the worker from a real `python`.
IS_WARM = "import os; print('warm:', os.readlink('/proc/self/exe').endswith('stest-worker'))"
WARM, REAL = "warm: True\n", "warm: False\n"


def run(project: Project, program: tuple[str, ...], *args: str, stdin: str = "", **options: Any) -> Finished:
    """Like `Project.stest`, with a stdin."""
    file = project.home / "stdin"
    file.write_text(stdin)
    with file.open() as read:
        client = subprocess.run(
            [*program, *args],
            cwd=project.root,
            env={**project.env, **options.get("env", {})},
            stdin=read,
            capture_output=True,
        )
    log = project.state / "daemon.log"
    return Finished(" ".join([*program, *args]), client.returncode, client.stdout, client.stderr, log)


def warm(project: Project, *args: str, **options: Any) -> Finished:
    return run(project, (str(STEST), "python"), *args, **options)


def same(project: Project, *args: str, **options: Any) -> Finished:
    """What `python` does with these arguments; fails if `stest python` does something else."""
    plain = run(project, (str(PYTHON),), *args, **options)
    found = warm(project, *args, **options)
    answers = [
        (one.code, *(re.sub("0x[0-9a-f]+", "0x", text) for text in (one.text, one.errors)))
        for one in (found, plain)
    ]
    assert answers[0] == answers[1]
    return found


@pytest.fixture(autouse=True)
def is_warm(project: Project) -> Iterator[None]:
    """A fork of the worker serves, before and after."""
    assert warm(project, "-c", IS_WARM).expect(0).text == WARM
    yield
    assert warm(project, "-c", IS_WARM).expect(0).text == WARM


NAMESPACE = """
import sys
print(sorted((name, str(value)) for name, value in globals().items() if name not in ("sys", "__builtins__")))
print(sys.argv, sys.path, sys.flags, sys.warnoptions, sys.dont_write_bytecode)
import warnings; print(warnings.filters)
print(getattr(sys, "orig_argv", [""])[1:])
print(sys.stdin.mode, sys.stdout.line_buffering, sys.stderr.line_buffering, sys.stdout.write_through)
print([(one.name, one.fileno(), one.encoding, one.errors) for one in (sys.stdin, sys.stdout, sys.stderr)])
"""


@pytest.mark.parametrize(
    "options", [(), ("-u",), ("-B", "-q"), ("-uB", "-W", "error", "-Wignore::UserWarning")]
)
def test_code(project: Project, options: tuple[str, ...]) -> None:
    same(project, *options, "-c", NAMESPACE, "a", "-b", "--help")


def test_file(project: Project) -> None:
    project.write("sub/program.py", NAMESPACE)
    (project.root / "link.py").symlink_to("sub/program.py")
    same(project, "sub/program.py", "x", "-y")
    same(project, "./link.py")
    same(project, str(project.root / "sub" / "program.py"))


def test_module_and_folder(project: Project) -> None:
    project.write("package/__init__.py", "print('init', __name__)\n")
    project.write("package/__main__.py", NAMESPACE)
    project.write("module.py", NAMESPACE)
    project.write("folder/__main__.py", NAMESPACE)
    same(project, "-m", "module", "x")
    same(project, "-m", "package")
    same(project, "folder", "x")
    same(project, "-m", "no_such_module")


def test_stdin(project: Project) -> None:
    same(project, stdin=NAMESPACE)
    same(project, "-", "x", stdin=NAMESPACE)
    same(project, "-c", "import sys; print(sys.stdin.read())", stdin="text\n")
    same(project, "-u", "-c", "import sys;exec(eval(sys.stdin.readline()))", stdin="'print(input())'\nnext\n")


def test_modules(project: Project) -> None:
    """Nothing that only stest or pytest has imported is in sight; what is imported comes with its own."""
    same(project, "-c", "import sys; print(sorted(sys.modules))")
    same(project, "-c", "import json, sys; print('pytest' in sys.modules, 'json.decoder' in sys.modules)")
    same(
        project,
        "-c",
        "import logging, inspect, re, pytest; print(pytest.Item, logging.root, inspect.Signature)",
    )


@pytest.mark.parametrize(
    "code",
    [
        "raise SystemExit(7)",
        "raise SystemExit('why')",
        "raise SystemExit(None)",
        "import sys; sys.exit(300)",
        "import os; os._exit(9)",
        "import os; os.kill(os.getpid(), 9)",
        "import os; os.abort()",
        "1 / 0",
        "raise KeyboardInterrupt",
        "syntax error",
        "def f():\n    import traceback; traceback.print_stack(); raise ValueError('x')\nf()",
        "import atexit; atexit.register(print, 'exit'); print('end')",
        "import atexit, sys; atexit.register(print, 'exit'); sys.exit(3)",
        "class A:\n    def __del__(self): print('del')\na = A()",
        "import threading\nthreading.Thread(target=lambda: print('thread')).start()",
        "import sys\nsys.excepthook = lambda *a: print('hook', a[0])\n1/0",
        "import sys; sys.stdout.write('no newline')",
        "import warnings; warnings.warn('careful')",
        "import warnings; print([one[0] for one in warnings.filters])",
        "import os; print(os.getcwd(), sorted(set(os.environ) - {'_', 'LINES', 'COLUMNS'}))",
        "import inspect; print(len(inspect.stack()))",
        "print(open(0).read())",
    ],
)
def test_ends_the_same(project: Project, code: str) -> None:
    same(project, "-c", code)


@pytest.mark.parametrize("way", ["fork", "spawn", "forkserver"])
def test_multiprocessing(project: Project, way: str) -> None:
    text = f"""
        import multiprocessing

        def double(number):
            return 2 * number

        if __name__ == "__main__":
            with multiprocessing.get_context("{way}").Pool(2) as pool:
                print(pool.map(double, range(3)))
    """
    project.write("pool.py", text)
    assert same(project, "pool.py").expect(0).text == "[0, 2, 4]\n"


@pytest.mark.parametrize(
    "args", [("-V",), ("--help",), ("-X", "dev", "-c", IS_WARM), ("-I", "-c", IS_WARM), ("-O", "-c", IS_WARM)]
)
def test_other_options_run_python_itself(project: Project, args: tuple[str, ...]) -> None:
    text = same(project, *args).expect(0).text
    assert IS_WARM not in args or text == REAL


def test_mistakes(project: Project) -> None:
    same(project, "no_such_file.py")
    same(project, "-c")
    same(project, "-c", "print('\\ud800')")
    project.write("broken.py", "x = (\n")
    same(project, "broken.py")
    project.write("escape.py", "x = '\\d'\nprint(x)\n")
    same(project, "escape.py")
    same(project, "-W", "error", "escape.py")
    same(project, "-W", "default", "escape.py")
    (project.root / "null.py").write_bytes(b"x = 1\0\n")
    same(project, "null.py")


def test_output_goes_where_the_client_writes(project: Project) -> None:
    """Also into the middle of a file that others write, with their position."""
    out = project.home / "out"
    command = f"(echo before; {STEST} python -c 'print(1)'; echo after) > {out} 2>&1"
    subprocess.run(command, shell=True, cwd=project.root, env=project.env, check=True)
    assert out.read_text() == "before\n1\nafter\n"


def test_other_descriptors_are_there(project: Project) -> None:
    command = [
        "bash",
        "-c",
        f"{STEST} python <(echo 'print(1)') && {STEST} python -c 'print(open(7).read())' 7< file",
    ]
    project.write("file", "text\n")
    done = subprocess.run(command, cwd=project.root, env=project.env, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("1\ntext\n\n", "")


def test_broken_pipe(project: Project) -> None:
    command = "%s -c 'print(1)' | true; echo ${PIPESTATUS[0]}"
    answers = [
        subprocess.run(
            ["bash", "-c", "sleep 0; " + (command % program)],
            cwd=project.root,
            env=project.env,
            capture_output=True,
        ).returncode
        for program in (PYTHON, f"{STEST} python")
    ]
    assert answers[0] == answers[1]


def _waiting(project: Project, code: str) -> subprocess.Popen[bytes]:
    client = project.start(
        "python", "-u", "-c", f"import os, signal, time\n{code}\nprint('ready')\ntime.sleep(60)"
    )
    project.read_until(client, b"ready\n")
    return client


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGQUIT])
def test_signals_reach_the_program(project: Project, number: int) -> None:
    caught = _waiting(project, f"signal.signal({int(number)}, lambda *_: (print('caught'), os._exit(5)))")
    caught.send_signal(number)
    assert project.finish(caught).expect(5).text == "caught\n"
    default = _waiting(project, "")
    default.send_signal(number)
    assert project.finish(default).code == -number


def test_interrupt(project: Project) -> None:
    client = _waiting(project, "")
    client.send_signal(signal.SIGINT)
    finished = project.finish(client)
    assert finished.code == -signal.SIGINT
    assert finished.errors.rstrip().endswith("KeyboardInterrupt")


def test_killed_client_takes_the_program_along(project: Project) -> None:
    client = _waiting(project, "print(os.getpid())")
    others = {one.pid for one in project.processes("stest-worker")}
    client.kill()
    client.wait()
    wait_for(lambda: len(project.processes("stest-worker")) < len(others), "the end of the program")


def test_process_that_a_program_leaves_lives_on(project: Project) -> None:
    code = "import subprocess; print(subprocess.Popen(['sleep', '60'], stdout=-3, stderr=-3).pid)"
    pid = int(warm(project, "-c", code).expect(0).text)
    os.kill(pid, 0)
    os.kill(pid, signal.SIGKILL)


def test_file_that_hides_a_loaded_module(project: Project) -> None:
    project.write("logging.py", "value = 'own'\n")
    project.write("main.py", f"import logging\nprint(logging.value)\n{IS_WARM}\n")
    assert same_but_warm(project, "main.py") == "own\n" + REAL


def test_other_copy_of_a_module_that_is_loaded(project: Project) -> None:
    """Nothing that belongs to the loaded one meets it."""
    code = """
        import sys, pytest, shutil, os
        for name in ("pytest", "_pytest"):
            shutil.copytree(os.path.dirname(__import__(name).__file__), name, dirs_exist_ok=True)
    """
    run(project, (str(PYTHON),), "-c", textwrap.dedent(code)).expect(0)
    program = "import pytest, xdist.plugin, _pytest.hookspec, sys; print(pytest.__file__, _pytest.hookspec)"
    same(project, "-c", f"{program}; print(xdist.plugin.pytest is pytest)")


def test_takes_what_is_loaded_ahead(project: Project) -> None:
    project.install(
        "heavy.py", "import os, threading\nLOADED = threading.get_native_id()\nMODE = os.getenv('MODE')"
    )
    project.configure(sprintest='preload = ["heavy"]')
    code = "import heavy; print(heavy.LOADED == os.getpid(), heavy.MODE)"
    assert warm(project, "-c", f"import os; {code}").expect(0).text == "False None\n"
    changed = f"import os; os.environ['MODE'] = 'fast'; {code}"
    assert warm(project, "-c", changed).expect(0).text == "True fast\n"


def test_what_cannot_be_loaded_twice_is_never_stale(project: Project) -> None:
    """A program that has done nothing yet begins again as `python`; another one ends."""
    project.install("heavy.py", "import os, sqlite3\nMODE = os.getenv('MODE')\n")
    project.configure(sprintest='preload = ["heavy"]')
    code = "import heavy; print(heavy.MODE)"
    assert warm(project, "-c", f"{IS_WARM}; {code}").expect(0).text == f"{WARM}None\n"
    changed = "import os; os.environ['MODE'] = 'fast'"
    assert warm(project, "-c", f"{changed}; {code}; {IS_WARM}").expect(0).text == f"fast\n{REAL}"
    for deed in ("print(1, flush=True)", "os.mkdir('made')", "open(0).read()", "open('new', 'w')"):
        changed = f"import os; os.environ['MODE'] = '{len(deed)}'"  # What is learned is another value.
        ended = warm(project, "-c", f"{changed}; {deed}; {code}", stdin="text").expect(104)
        assert "run it with `python`" in ended.errors
        assert "None" not in ended.text


def same_but_warm(project: Project, *args: str) -> str:
    return warm(project, *args).expect(0).text


#: Tells whether it is warm, and starts itself again, twice.
FAMILY = f"""
import subprocess, sys
{IS_WARM}
sys.stdout.flush()
if len(sys.argv) < 3:
    subprocess.run([sys.executable, __file__, *sys.argv[1:], 'x'])
"""


def test_children_are_warm_if_asked_for(project: Project) -> None:
    project.write("family.py", FAMILY)
    assert same_but_warm(project, "--warm-children", "family.py") == 3 * WARM
    assert same_but_warm(project, "family.py") == WARM + 2 * REAL
    launched = run(project, (f"{STEST}-python",), "family.py").expect(0)
    assert launched.text == 3 * WARM


def test_option_for_children_is_not_the_programs(project: Project) -> None:
    code = "import sys; print(sys.argv, getattr(sys, 'orig_argv', [''])[1:])"
    plain = run(project, (str(PYTHON),), "-c", code, "--warm-children").expect(0)
    assert warm(project, "-c", code, "--warm-children").text == plain.text
    assert warm(project, "--warm-children", "-c", code, "--warm-children").text == plain.text
    assert warm(project, "--warm-children", "no_such_file.py").expect(2)
    assert warm(project, "--warm-children", "-X", "dev", "-c", IS_WARM).expect(0).text == REAL


def test_child_may_read_a_terminal_of_another_session(project: Project) -> None:
    call = f"[sys.executable, '-c', {IS_WARM!r}], stdin=pty.openpty()[1]"
    code = f"import os, pty, subprocess, sys; subprocess.run({call})"
    assert same_but_warm(project, "--warm-children", "-c", code) == WARM


@pytest.mark.torch
def test_workers_of_torch_are_warm(project: Project) -> None:
    text = f"""
        import torch, torch.distributed as dist

        dist.init_process_group("gloo")
        total = torch.ones(1) * (dist.get_rank() + 1)
        dist.all_reduce(total)
        dist.destroy_process_group()
        assert total.item() == 3
        {IS_WARM}
    """
    project.write("train.py", text)
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "train.py")
    assert warm(project, "--warm-children", *launcher).expect(0).text == 2 * WARM


def test_a_run_that_starts_a_program_need_not_wait_for_it(project: Project) -> None:
    project.configure(sprintest="concurrency = 1")
    text = f"""
        import subprocess, sys

        def test_program():
            command = [{str(STEST)!r}, "python", "-c", {IS_WARM!r}]
            assert subprocess.run(command, stdout=subprocess.PIPE, text=True).stdout == {WARM!r}
    """
    project.write("test_program.py", text)
    assert "1 passed" in project.stest("-q").expect(0).text


def test_learns(project: Project) -> None:
    """What a program has imported is loaded for all runs."""
    warm(project, "-c", "import xml.sax").expect(0)

    def has_learned() -> bool:
        return "xml.sax" in [one["module"] for one in project.status()["worker"]["preloaded"]]

    wait_for(has_learned, "the module to be loaded ahead")
    same(project, "-c", "import xml.sax, sys; print(xml.sax, sorted(sys.modules))")


def test_output_ends_with_the_program_where_a_value_is_held(project: Project) -> None:
    """The process that holds it, and has made the program, does not keep the program's pipe open."""
    project.write("conftest.py", "import sprintest\n\n@sprintest.warm\ndef load():\n    return 1\n")
    project.write("test_it.py", "from conftest import load\n\ndef test_it():\n    assert load()\n")
    project.stest().expect(0)
    wait_for(lambda: [one["state"] for one in project.status()["worker"]["values"]] == ["held"], "the value")
    assert project.stest("python", "-c", "print(1)").expect(0).text == "1\n"


def test_no_daemon(project: Project) -> None:
    """TCP carries no descriptors."""
    env = {"SPRINTEST_FORCE_TCP": "1", "SPRINTEST_PORT": "0", "SPRINTEST_DIR": str(project.home / "tcp")}
    assert warm(project, "-c", IS_WARM, env=env).expect(0).text == REAL
    project.stest("stop", env=env).expect(0)
