"""What code does besides computing, told by events of `sys.audit`: one table for all that is done ahead.

A module of the project that does any of this when it is executed is executed in each run. What is collected
ahead, or loaded as a value, may look around: what it sees is taken down and compared.
"""

from __future__ import annotations

from typing import Any

import _pytest.assertion.rewrite as _rewrite

from sprintest.process._own import OURS, os

#: It looks at what a folder holds.
LISTS = {"os.listdir", "os.scandir"}
#: Who lists all folders of the path for distributions that are installed, and passes over the rest.
LOOKS_FOR_OTHERS = (
    "importlib/metadata/__init__.py",
    "importlib_metadata/__init__.py",
    "pkg_resources/__init__.py",
)
#: It looks at more than it names.
LOOKS = LISTS | {"glob.glob"}

#: Of the worker: somebody asks for the time, for random numbers, for the process's number or folder.
CLOCK, RANDOMNESS, IDENTITY = "stest.clock", "stest.randomness", "stest.identity"
FOLDER = "stest.folder"
#: Of the worker: somebody makes a system call without the C library, and what it does is not known.
SYSTEM_CALL = "a system call of its own"
#: What is another in each process, and what is said of a module that asks for it.
FRESH = {
    CLOCK: "reads the clock",
    RANDOMNESS: "draws random numbers",
    IDENTITY: "asks for the number of its process",
}
#: Of such a module's source.
READS_COMMAND_LINE, LOOKS_AT_MAIN = "reads the command line", "looks at __main__"

#: Of the standard library: what they ask for serves a lock or a record of a log, and is not kept.
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

#: It changes something outside of its own memory, or speaks with somebody.
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

#: It changes the process, which is compared where that matters.
MOVES = {"os.chdir"}

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


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
    """Whether what this code does is part of importing, not of a module's execution."""
    return file.startswith(_EXEMPT)
