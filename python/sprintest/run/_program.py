"""A program in a fork of the worker: what ``python ARGS`` does from its first line to its last.

The worker executes what ``prepare`` returns, so that no frame of stest's lies below those of the program.
"""

from __future__ import annotations

import contextlib
import io
import runpy
import stat
import sys
import warnings
from importlib.machinery import SourceFileLoader
from typing import Any, NamedTuple

from sprintest.modules import _side_effects
from sprintest.modules._cache import cache
from sprintest.modules._difference import Difference
from sprintest.modules._shadows import Shadows
from sprintest.preload import _learn
from sprintest.process import _own, _private
from sprintest.process._own import open, os, runner
from sprintest.run import _bytecode
from sprintest.run._finalisers import finalisers
from sprintest.run._runner import refresh_process_state
from sprintest.values import _warm

#: What is called, and its arguments.
Plan = tuple[Any, tuple[Any, ...]]


class Command(NamedTuple):
    """The arguments of ``python``. ``kind``: ``c``, ``m``, ``-`` for stdin, or ``f`` for a file."""

    kind: str
    what: str
    argv: list[str]
    flags: str
    filters: list[str]
    executable: str


_FLAGS = {"B": "dont_write_bytecode", "q": "quiet", "P": "safe_path"}


def parse(args: list[str]) -> Command | None:
    """``None``: they ask for something that only a fresh process can do, or are wrong."""
    flags, words, executable = "", list(args), sys.executable
    filters: list[str] = []
    if words[:1] == [runner.WARM_CHILDREN]:
        del words[0]
        executable = runner.client() + "-python"
    while words and words[0].startswith("-") and words[0] != "-":
        letters = words.pop(0)[1:]
        while letters:
            letter, letters = letters[0], letters[1:]
            if letter in "cmW":
                if not letters and not words:
                    return None
                value, letters = letters or words.pop(0), ""
                if letter != "W":
                    return Command(letter, value, ["-" + letter, *words], flags, filters, executable)
                filters.append(value)
            elif letter in "uBq" or (letter == "P" and hasattr(sys.flags, "safe_path")):
                flags += letter
            else:
                return None
    if not words or words[0] == "-":
        return Command("-", "", words or [""], flags, filters, executable)
    return Command("f", words[0], words, flags, filters, executable)


class _Program:
    """The one of this process."""

    def __init__(self) -> None:
        self.names: list[str] = []
        #: Python removes the name of the file once it has been executed.
        self.is_file = False
        self._pid = 0
        self._deed = ""
        self._writes = 0
        self._position: int | None = None

    def watch(self, source: str | None) -> None:
        """From now on notice what the program does that cannot be done again."""
        self._pid = os.getpid()
        self._writes = _count_writes()
        self._position = _position_of_stdin(source)
        runner.add_audit_listener(self._note, _side_effects.ACTS | {"open"})

    def _note(self, event: str, args: Any) -> None:
        if event != "open" or _side_effects.is_write(args[2]):
            self._deed = self._deed or event

    def _has_acted(self) -> bool:
        moved = self._position is None or _has_moved(self._position)
        return bool(self._deed) or moved or _count_writes() != self._writes

    def differs(self, difference: Difference, can_be_repeated: bool) -> bool:
        """Whether the program executes a module that was loaded ahead, instead of adopting it.

        If it cannot, a program that has only looked begins again, as plain Python.
        """
        if can_be_repeated or os.getpid() != self._pid:
            return can_be_repeated
        if not self._has_acted():
            runner.become_python()
        name = difference.member.name
        runner.differs(name, difference.variables, difference.is_outdated, can_be_repeated)
        reason = f"{difference.reason}, and this program has done something before that import"
        os.write(2, f"stest: {reason}; run it with `python`\n".encode())
        os._exit(runner.WORKER_FAILED)


_program = _Program()


def _count_writes() -> int:
    """How often this process has written, except to sockets."""
    with open("/proc/self/io", "rb") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(b"syscw"))


def _has_moved(position: int) -> bool:
    try:
        return position >= 0 and os.lseek(0, 0, os.SEEK_CUR) != position
    except OSError:  # The program has closed it.
        return True


def _position_of_stdin(source: str | None) -> int | None:
    """Where reading goes on; -1 if that is of no account, ``None`` if it cannot be found out."""
    mode = os.fstat(0).st_mode
    if stat.S_ISREG(mode):
        return os.lseek(0, 0, os.SEEK_CUR)
    if stat.S_ISCHR(mode):  # Of a terminal: whoever has typed something will be asked again.
        return -1
    return -1 if source is not None and "stdin" not in source else None


def _set_streams(is_unbuffered: bool) -> None:
    """Open Python's own streams as its start does."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        old = getattr(sys, name)
        is_read = number == 0
        mode, size = ("rb", -1) if is_read else ("wb", 0 if is_unbuffered else -1)
        buffer: Any = open(number, mode, size, closefd=False)
        raw = getattr(buffer, "raw", buffer)
        raw.name = f"<{name}>"
        is_line = not is_unbuffered and (raw.isatty() or number == 2)
        stream: Any = io.TextIOWrapper(buffer, old.encoding, old.errors, "\n", is_line, is_unbuffered)
        stream.mode = "r" if is_read else "w"
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _set_options(command: Command, args: list[str]) -> None:
    sys.argv[:] = command.argv
    if hasattr(sys, "orig_argv"):
        own = args[1:] if args[:1] == [runner.WARM_CHILDREN] else args
        sys.orig_argv[:] = [sys.executable, *own]
    sys.executable = command.executable
    if "B" in command.flags:
        sys.dont_write_bytecode = True
    runner.set_flags({_FLAGS[one]: 1 for one in command.flags if one in _FLAGS})
    sys.warnoptions += command.filters


def _absolute(path: str) -> str:
    """As CPython makes the path of a program absolute: nothing is simplified."""
    return os.path.join(os.getcwd(), path)


def _is_importable(path: str) -> bool:
    """Whether it is a folder or an archive, whose ``__main__`` is the program."""
    for hook in sys.path_hooks:
        with contextlib.suppress(ImportError):
            hook(path)
            return True
    return False


def _plan(command: Command) -> tuple[Plan, str | None, str | None]:
    """What is to be executed, the first entry of ``sys.path``, and the source if it is known."""
    main = vars(sys.modules["__main__"])
    if command.kind == "m":
        return (runpy._run_module_as_main, (command.what, True)), os.getcwd(), None  # type: ignore[attr-defined]
    if command.kind == "c":
        return _code(command.what, "<string>"), "", command.what
    if command.kind == "-":
        main.update(__file__="<stdin>", __cached__=None)
        with open(0, "rb", closefd=False) as file:
            return _code(file.read(), "<stdin>"), "", None
    path = _absolute(command.what)
    if _is_importable(path):
        sys.path.insert(0, path)
        return (runpy._run_module_as_main, ("__main__", False)), None, None  # type: ignore[attr-defined]
    with open(path, "rb") as file:
        source = file.read()
    main.update(__file__=path, __loader__=SourceFileLoader("__main__", path), __cached__=None)
    return _code(source, path), os.path.dirname(os.path.realpath(path)), source.decode(errors="replace")


def _code(source: str | bytes, name: str) -> Plan:
    return exec, (_compile(source, name), vars(sys.modules["__main__"]))


def _compile(source: str | bytes, name: str) -> Any:
    with contextlib.suppress(Exception), warnings.catch_warnings(record=True) as heard:
        code = compile(source, name, "exec", 0, True)
        if not heard:
            return code
    return runner.become_python()  # Its parser says more than this function.


def prepare(args: list[str]) -> Plan:
    """Make this process one in which ``python ARGS`` has come to the program itself."""
    command = parse(args)
    if command is None or command.what.endswith(".pyc"):
        runner.become_python()
        raise AssertionError
    warnings._processoptions(command.filters)  # type: ignore[attr-defined]
    plan, first, source = _begin(command, args)
    with _private.unheard():
        _get_ready(command, plan, first)
    _program.watch(source)
    return plan


def _begin(command: Command, args: list[str]) -> tuple[Plan, str | None, str | None]:
    _warm.install(takes=True)
    refresh_process_state()
    _set_streams("u" in command.flags or sys.stdout.write_through)  # type: ignore[union-attr]
    _set_options(command, args)
    try:
        return _plan(command)
    except OSError:  # Python says so itself.
        runner.become_python()
        raise


def _get_ready(command: Command, plan: Plan, first: str | None) -> None:
    is_safe = getattr(sys.flags, "safe_path", False)
    if first is not None and not is_safe:
        sys.path.insert(0, first)
    _bytecode.distrust_younger_sources()
    _follow_imports()
    if plan[0] is not exec:
        __import__("runpy")
    _program.is_file = command.kind in "-f" and plan[0] is exec


def _follow_imports() -> None:
    _program.names = names = _learn.order.names
    if Shadows(names).find():  # A file of the program has the name of a module that is loaded.
        runner.become_python()
    _learn.order.begin(lambda: None)
    cache.begin_run(_program.differs, names)
    cache.hide_ours()
    cache.hide_given(_own.at_start)


def end() -> None:
    """Do what Python does before it writes its last output, and report what was imported."""
    if _program.is_file:
        for name in ("__file__", "__cached__"):
            vars(sys.modules["__main__"]).pop(name, None)
    _private.shut_threads_down()
    _private.run_exit_functions()
    with contextlib.suppress(Exception):  # The answer stands.
        _report()


def finalise() -> None:
    """Do what others can see of the end of the modules."""
    with contextlib.suppress(Exception):  # The objects may raise anything.
        names = [*_program.names, "__main__"]
        if finalisers.may_be_left(names):
            finalisers.run(names)


def _report() -> None:
    names = [name for name in _program.names if name not in cache.given]
    runner.imported(_learn.preloadable(names), [entry for entry in sys.path if entry])
