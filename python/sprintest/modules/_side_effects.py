"""Side effects of code, recognised by events of `sys.audit`: one table for all that is done ahead of runs.

A project module that has one when it is executed is executed in each run. Code that collects tests ahead or
loads a value may look at files: what it sees is recorded and compared.
"""

from __future__ import annotations

import shutil
from typing import Any

import _pytest.assertion.rewrite as _rewrite

from sprintest.process._own import OURS, os

#: The code lists a folder.
LISTS = {"os.listdir", "os.scandir"}
#: Code that lists all folders of the path for installed distributions, and ignores other files.
LOOKS_FOR_OTHERS = (
    "importlib/metadata/__init__.py",
    "importlib_metadata/__init__.py",
    "pkg_resources/__init__.py",
)
#: The code looks at more than it names.
LOOKS = LISTS | {"glob.glob"}

#: Events of the worker: code asks for the time, for random numbers, for the process id or the folder.
CLOCK, RANDOMNESS, IDENTITY = "stest.clock", "stest.randomness", "stest.identity"
FOLDER = "stest.folder"
#: An event of the worker: code makes a raw system call of unknown meaning.
SYSTEM_CALL = "a system call without the C library"
#: Questions for values that differ in each process, and what messages say of a module that asks them.
FRESH = {
    CLOCK: "reads the clock",
    RANDOMNESS: "draws random numbers",
    IDENTITY: "asks for its process id",
}
#: The same, found in the source of a module.
READS_COMMAND_LINE, LOOKS_AT_MAIN = "reads the command line", "looks at __main__"
#: The same, found in its bytecode: the limit is another one while modules are loaded ahead.
READS_LIMIT = "reads the recursion limit"
#: The code starts a process, which sees the whole environment.
STARTS_PROCESS = "starts a process"
PROCESS_STARTS = {"os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.system", "subprocess.Popen"}
#: Modules of the standard library that import `__main__`, and look at it when they complete a name.
LOOK_AT_MAIN_LATER = {"rlcompleter"}

#: Modules of the standard library that use such a value for a lock or a log record, and do not keep it.
USES_TIME_UP = {
    "asyncio",
    "concurrent",
    "logging",
    "multiprocessing",
    "queue",
    "selectors",
    "subprocess",
    "threading",
}

#: The code changes something outside of its own memory, or communicates.
ACTS = {
    SYSTEM_CALL,
    "_thread.start_joinable_thread",
    "_thread.start_new_thread",
    "builtins.input",
    "fcntl.flock",
    "fcntl.lockf",
    "os.chmod",
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.kill",
    "os.link",
    "os.mkdir",
    "os.posix_spawn",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.spawn",
    "os.startfile",
    "os.symlink",
    "os.system",
    "os.truncate",
    "os.utime",
    "pty.spawn",
    "shutil.rmtree",
    "signal.pthread_kill",
    "socket.bind",
    "socket.connect",
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "socket.sendmsg",
    "socket.sendto",
    "sqlite3.connect",
    "subprocess.Popen",
    "syslog.openlog",
    "syslog.syslog",
    "tempfile.mkdtemp",
    "tempfile.mkstemp",
    "urllib.Request",
}

#: The code changes the process state, which is compared where that matters.
MOVES = {"os.chdir"}

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


#: Programs that tell about the machine, and do nothing else.
_TELL = {"lscpu", "uname"}
_VERSION = (["--version"], ["-V"], ["-version"])


def only_tells(command: Any) -> bool:
    """Whether this command of a subprocess prints what stays as it is while the program's file does."""
    if not isinstance(command, (list, tuple)) or not all(isinstance(word, str) for word in command):
        return False
    program, *options = command
    if os.path.basename(program) not in _TELL and options not in _VERSION:
        return False
    return shutil.which(program) is not None  # Looks at the file, so that the snapshot ends if it changes.


def is_write(flags: Any) -> bool:
    """Whether a file that is opened with these flags is opened to be written."""
    return isinstance(flags, int) and bool(flags & _WRITES)


_EXEMPT = (
    "<frozen importlib",
    OURS,
    os.path.dirname(_rewrite.__file__) + os.sep,
)


def is_import_system(file: str) -> bool:
    return file.startswith(_EXEMPT[0])


def is_exempt(file: str) -> bool:
    """Whether the actions of this code belong to importing, and not to the execution of a module."""
    return file.startswith(_EXEMPT)
