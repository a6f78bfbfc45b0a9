"""``python -m sprintest`` is ``stest``. Where stest does not run, both are ``python -m pytest``.

The wheel for other systems has this module and ``sprintest.warm``, and nothing else.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
import sysconfig

_HAS_WORKER = os.path.isdir(os.path.join(os.path.dirname(__file__), "run"))
_USAGE_ERROR = 101
_COMMANDS = (
    "cancel",
    "completions",
    "doctor",
    "logs",
    "man",
    "ps",
    "restart",
    "start",
    "status",
    "stop",
    "verify",
)


def _program() -> str:
    """The program ``stest`` that was installed for this Python; empty if there is none."""
    of_user = sysconfig.get_path("scripts", f"{os.name}_user")
    for folder in (os.path.dirname(sys.executable), sysconfig.get_path("scripts"), of_user):
        program = os.path.join(folder, "stest")
        if os.access(program, os.X_OK):
            return program
    return ""


def _run_stest(args: list[str]) -> int:
    program = _program()
    if not program:
        print("stest: the program `stest` is missing; install sprintest again", file=sys.stderr)
        return 1
    if os.path.dirname(program) != os.path.dirname(sys.executable):
        os.environ.setdefault("SPRINTEST_PYTHON", sys.executable)
    os.execv(program, [program, *args])


def _why() -> str:
    build = "free-threaded " if sysconfig.get_config_var("Py_GIL_DISABLED") else ""
    this = f"{build}{platform.python_implementation()} {platform.python_version()} on {platform.system()}"
    details = " ".join(filter(None, (platform.machine(), *platform.libc_ver())))
    return (
        f"this is {this} ({details}); stest is for CPython with the GIL on Linux x86_64, glibc 2.28 or newer"
    )


def _run_pytest(args: list[str]) -> int:
    why = _why()
    if args[:1] in (["version"], ["--version"]):
        print(f"stest {importlib.metadata.version('sprintest')}, plain pytest: {why}")
        return 0
    if args and args[0] in _COMMANDS:
        print(f"stest: no `stest {args[0]}`: {why}", file=sys.stderr)
        return _USAGE_ERROR
    if args[:1] == ["run"]:
        args = args[1:]
    args = args[args[:1] == ["--cold"] :]
    args = args[args[:1] == ["--"] :]
    print(f"stest: running python -m pytest: {why}", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "pytest", *args]
    if os.name == "posix":
        os.execv(command[0], command)
    return subprocess.call(command)


def main() -> int:
    """The command ``stest`` where the program does not run."""
    return (_run_stest if _HAS_WORKER else _run_pytest)(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
