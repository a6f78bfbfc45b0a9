"""Follows the imports of a process, and lets a stash answer them.

Functions of the import system itself are wrapped, not its lists: tests look at ``sys.meta_path`` and
``builtins.__import__``. The wrappers bear the file name of the import system, so that CPython removes
them from tracebacks with the rest of it.
"""

from __future__ import annotations

import importlib.machinery
from typing import Any, Callable

import _pytest.assertion.rewrite as _rewrite

from sprintest import _fingerprint, _preload, _private
from sprintest._own import environ, os

_find_spec = _private.find_spec

#: The names of modules in the order in which their imports began, since the run began.
names: list[str] = []


def _nothing() -> None:
    pass


#: Called before each of these imports.
on_find: Callable[[], None] = _nothing

#: What third-party modules read of the environment while they were imported.
env_reads: dict[str, str | None] = {}

#: Events of `sys.audit` that tell of something that only executing a module does.
DEEDS = {
    "glob.glob",
    "os.chdir",
    "os.chmod",
    "os.fork",
    "os.kill",
    "os.link",
    "os.listdir",
    "os.mkdir",
    "os.posix_spawn",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.scandir",
    "os.symlink",
    "os.system",
    "os.truncate",
    "os.utime",
    "shutil.rmtree",
    "signal.pthread_kill",
    "socket.bind",
    "socket.connect",
    "subprocess.Popen",
    "tempfile.mkdtemp",
    "tempfile.mkstemp",
    "urllib.Request",
}


def note(name: str) -> None:
    """A module of the stash was used."""
    names.append(name)


def find(name: str, path: Any) -> Any:
    """What the import system finds by that name now; ``None`` for nothing, or an error."""
    try:
        return _find_spec(name, path)
    except (
        KeyError
    ):  # A namespace package looks for its parent in `sys.modules`, which need not be there yet.
        namespace: Any = importlib.machinery.ModuleSpec(name, None)
        places = (os.path.join(entry, name.rpartition(".")[2]) for entry in path)
        namespace.submodule_search_locations = [place for place in places if os.path.isdir(place)]
        return namespace
    except Exception:
        return None


def install(stash: Any) -> None:
    """Let ``stash`` follow and answer the imports of this process from now on; to be called once."""
    _follow_imports(stash, _Environment(stash))
    _follow_files(stash)


def _follow_imports(stash: Any, environment: _Environment) -> None:
    _, load, gcd_import = _private.wrap_imports()
    resolve = _private.resolve_name
    begin, end, failed = stash.begin, stash.end, stash.failed
    enter, leave = environment.enter, environment.leave

    def _find_and_note(name: str, path: Any, target: Any = None) -> Any:
        on_find()
        spec = _find_spec(name, path, target)
        names.append(name)
        if spec is None:
            stash.missed(name)
        return spec

    def _load_unlocked(spec: Any) -> Any:
        module = begin(spec)
        if module is not None:
            return module
        enter()
        try:
            module = load(spec)
        except BaseException as error:
            leave()
            failed(error)
            raise
        leave()
        end(module)
        return module

    def _gcd_import(name: str, package: Any = None, level: int = 0) -> Any:
        importer = _private.current_frame(2).f_globals.get("__name__", "")
        stash.imported(importer, resolve(name, package, level) if level and package else name)
        return gcd_import(name, package, level)

    _private.wrap_imports(*map(_private.as_import_system, (_find_and_note, _load_unlocked, _gcd_import)))


class _Environment(_preload.EnvironmentReads):
    """Notes what modules read and write of the environment, while any is being executed."""

    def __init__(self, stash: Any) -> None:
        super().__init__()
        self.reads = env_reads
        self._stash = stash
        self._depth = 0

    def enter(self) -> None:
        self._depth += 1
        if self._depth == 1:
            self.__enter__()
            cls: Any = type(environ)
            self._originals.update(__setitem__=cls.__setitem__, __delitem__=cls.__delitem__)
            set_item, delete_item = cls.__setitem__, cls.__delitem__

            def __setitem__(environ: Any, key: Any, value: Any) -> None:
                set_item(environ, key, value)
                self._note_write(key, value)

            def __delitem__(environ: Any, key: Any) -> None:
                delete_item(environ, key)
                self._note_write(key, None)

            cls.__setitem__, cls.__delitem__ = __setitem__, __delitem__

    def leave(self) -> None:
        self._depth -= 1
        if self._depth == 0:
            self.__exit__()

    def note(self, name: str, value: str | None) -> None:
        record = self._stash.loading()
        if record is None:
            super().note(name, value)
        elif name not in record.env_writes:
            record.env_reads.setdefault(name, value)

    def scanned(self) -> None:
        if (record := self._stash.loading()) is not None:
            record.fleeting = "it looks through the whole environment when imported"

    def _note_write(self, key: Any, value: Any) -> None:
        record = self._stash.loading()
        if record is not None:
            record.env_writes[os.fsdecode(key)] = None if value is None else os.fsdecode(value)


def _follow_files(stash: Any) -> None:
    import _stest_runner as runner  # type: ignore[import-not-found]  # built into stest-worker

    busy = False

    def hook(event: str, args: Any) -> None:
        nonlocal busy
        if busy:
            return
        record = stash.loading()
        if record is None or is_exempt(_private.current_frame(1).f_code.co_filename):
            return
        busy = True
        try:
            if event != "open":
                record.fleeting = f"it does {event} when imported"
            elif not isinstance(args[0], int):
                _note_file(record, os.fsdecode(args[0]), args[2])
        finally:
            busy = False

    runner.add_audit_listener(hook, DEEDS | {"open"})


def _note_file(record: Any, path: str, flags: int) -> None:
    if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC):
        record.fleeting = f"it writes {path} when imported"
        return
    path = os.path.abspath(path)
    record.files.setdefault(path, _fingerprint.Fingerprint(path, _fingerprint.file_state(path)))


_EXEMPT = (
    "<frozen importlib",
    os.path.dirname(__file__) + os.sep,
    os.path.dirname(_rewrite.__file__) + os.sep,
)


def is_exempt(file: str) -> bool:
    """Whether what this code does is part of importing, not of a module's execution."""
    return file.startswith(_EXEMPT)
