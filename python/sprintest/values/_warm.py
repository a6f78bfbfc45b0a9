"""Values of functions under ``sprintest.warm`` that a process holds for the runs that are forked from it.

A run that finds no value calls the function, and reports the call to the daemon in a form that needs no
project code (``_serialize``). While no run waits, a fork of the zygote makes the value from that. It does so
first in a child, where side effects do no harm. If there are none, the value is held. The next run uses it if
everything that it was made from is unchanged.
"""

from __future__ import annotations

import contextlib
import hashlib
import linecache
import marshal
import reprlib
import sys
import threading
import weakref
from collections.abc import Iterable, Iterator
from typing import Any, Callable, NamedTuple

import sprintest
from sprintest.modules import _modules, _side_effects
from sprintest.modules._cache import cache
from sprintest.modules._fingerprint import Fingerprint, file_state
from sprintest.modules._member import Member
from sprintest.preload import _fork_health, _preload
from sprintest.process import _private, _process_state
from sprintest.process._child import in_child
from sprintest.process._environment_reads import EnvironmentReads
from sprintest.process._own import collect_garbage, environ, open, os, runner, time
from sprintest.process._process_state import (
    ProcessState,
    changed_state,
    library_modes,
    observed_state,
    set_variable,
    variable,
)
from sprintest.process._traces import is_traced
from sprintest.values import _serialize


class _Request(NamedTuple):
    """All that a value is made from, except files and variables, which are known only when it is made."""

    call: bytes
    files: list[str]  # named by the function
    cwd: str
    modes: str


class _Held(NamedTuple):
    value: Any
    files: list[Fingerprint]
    env: dict[str, str | None]

    def changed(self) -> str:
        """What has changed; empty if the value is what a call would return."""
        for file in self.files:
            if not file.is_current():
                return file.path
        return next((name for name, value in self.env.items() if variable(name) != value), "")


_held: dict[str, _Held] = {}

#: The version of ``marshal`` whose bytes are equal if the values are.
_WITHOUT_REFERENCES = 2


# ---- in a run


def install(takes: bool) -> Callable[[], None]:
    """Answer calls of warm functions in this process. Return a function that forgets their results.

    ``takes``: use values that this process was forked with, and report other calls to the daemon.
    """
    environment = dict(environ)
    called: weakref.WeakSet[Any] = weakref.WeakSet()

    def load(cached: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if (importing := cache.loading()) is not None:
            _note_in_module(importing, cached)
        elif takes and not is_traced():
            return _take_or_teach(cached, args, kwargs, environment)
        else:
            called.add(cached)
        return cached.__wrapped__(*args, **kwargs)

    def forget() -> None:
        for cached in called:
            cached.cache_clear()
        called.clear()

    sprintest._load = load
    return forget


def _note_in_module(importing: Member, cached: Any) -> None:
    """Note that ``importing``, which later runs may adopt, is made from this value."""
    for path in _spread(cached.warm_files):
        importing.files.setdefault(path, Fingerprint(path, file_state(path)))
    if importing.name != cached.__module__:  # The files are noted there, but the value is cached here.
        cache.make_uncacheable(cached.__module__, f"its value was loaded while {importing.name} was imported")


def _take_or_teach(
    cached: Any, args: tuple[Any, ...], kwargs: dict[str, Any], environment: dict[str, str]
) -> Any:
    function = cached.__wrapped__
    name = _describe(function, args, kwargs)
    assert _preload.Preloader.code is not None
    try:
        call, files = _serialize.serialize((function, args, kwargs), _preload.Preloader.code)
        request = _Request(call, [*cached.warm_files, *files], os.getcwd(), library_modes())
    except (_serialize.NotShippable, OSError) as refusal:
        runner.loaded(name, "", "", str(refusal))
        return function(*args, **kwargs)
    data = marshal.dumps(tuple(request), _WITHOUT_REFERENCES)
    key = hashlib.blake2b(data, digest_size=16).hexdigest()
    held = _held.pop(key, None)  # Only once: a call that the cache does not answer makes a new object.
    if held is not None:
        if not (changed := held.changed()):
            return held.value
        runner.notice(f"{name} is loaded again: {changed} has changed", [])
    # When the value is made later, these are set first.
    path, changes = list(sys.path), _changes(environment)
    start = time.monotonic()
    value = function(*args, **kwargs)
    blob = marshal.dumps((data, path, changes, time.monotonic() - start))
    runner.loaded(name, key, blob.hex(), "")
    return value


def _changes(before: dict[str, str]) -> dict[str, str | None]:
    """The changes that the run has made to the environment."""
    now = dict(environ)
    return {name: now.get(name) for name in {*before, *now} if before.get(name) != now.get(name)}


def _describe(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    shown = [reprlib.repr(value) for value in args]
    shown += [f"{name}={reprlib.repr(value)}" for name, value in kwargs.items()]
    return f"{function.__module__}.{function.__qualname__}({', '.join(shown)})"


def _spread(paths: Iterable[str]) -> list[str]:
    """The paths, and everything in those of them that are folders."""
    found = []
    for path in paths:
        found.append(path)
        for folder, folders, files in os.walk(path):
            found += [os.path.join(folder, name) for name in [*folders, *files]]
    return found


# ---- in the process that holds values


def hold(wanted: list[tuple[str, str]], environment: dict[bytes, bytes]) -> list[dict[str, Any]]:
    """Load the values ``wanted``, pairs of a key and the request that ``runner.loaded`` got with it.

    Returns for each its key, and the seconds and bytes that it costs, or the reason why it is not held.
    """
    state = ProcessState()
    assert _preload.Preloader.code is not None
    _modules.forget_folders(_preload.Preloader.code)
    report = []
    for key, blob in wanted:
        data, path, changes, seconds = marshal.loads(bytes.fromhex(blob))
        request = _Request(*marshal.loads(data))
        sys.path[:] = path
        _process_state.set_environment(environment)
        for name, value in changes.items():
            set_variable(name, value)
        with cache.in_sight():
            failure, answer = in_child(lambda: _try_out(request), _PATIENCE + 5 * seconds)  # noqa: B023
            reason, files = answer or (failure, [])
            cost = {"seconds": 0.0, "bytes": 0} if reason else _load(key, request, files)
        report.append({"key": key, "reason": reason, **cost})
        state.restore()
    linecache.clearcache()
    _preload.freeze()
    return report


#: The time, in seconds, that a child gets in addition to what it should need.
_PATIENCE = 20


def _load(key: str, request: _Request, files: list[str]) -> dict[str, Any]:
    """Hold the value. Raises ``RuntimeError`` if that fails here; then this process must not serve."""
    prints = [Fingerprint(path, file_state(path)) for path in files]
    memory = _resident_memory()
    made = _make(request, contextlib.nullcontext())
    reason = made.reason or next((f"{one.path} changes" for one in prints if not one.is_current()), "")
    if reason:
        raise RuntimeError(f"a value cannot be held, although the trial in a child succeeded: {reason}")
    _held[key] = _Held(made.value, prints, made.env or {})
    return {"seconds": made.seconds, "bytes": max(_resident_memory() - memory, 0)}


def _try_out(request: _Request) -> tuple[str, list[str]]:
    """In a child: why the value cannot be held, or which files it is made from."""
    missing = [path for path in request.files if not os.path.exists(path)]
    if missing:
        return f"it names {missing[0]}, which does not exist", []
    start_ns = time.time_ns()
    maps, shared = _maps()
    threads, files, watch = _threads(), _open_files(), _Watch()
    assert _preload.Preloader.code is not None
    # This includes looks of C code. Folders do not count, because imports list them too.
    runner.watch_files(_preload.Preloader.code.unwatched())
    made = _make(request, watch)  # Its value lives until the end of this process.
    looked_at = runner.watched_files()
    reason = made.reason
    if not reason and watch.effects:
        reason = f"it {watch.effects[0]}"
    if not reason and _more_threads_than(threads):
        reason = "it starts a thread"
    # Runs would share these: positions in files, and contents of shared memory.
    if not reason and _open_files() != files:
        reason = "it leaves a file open"
    mapped, more_shared = _maps()
    mapped -= maps
    if not reason and more_shared - shared:
        reason = "it makes shared memory"
    # Mapped files are known only after they were read: they must not have changed since the start.
    fresh = [path for path in mapped if (state := file_state(path)) is None or max(state[:2]) >= start_ns]
    if not reason and fresh:
        reason = f"{fresh[0]} changes"
    if not reason:
        reason = in_child(_fork_health.check_fork_health, _PATIENCE)[0]
    return reason, sorted({*_spread(request.files), *watch.files, *mapped, *looked_at})


class _Made(NamedTuple):
    reason: str  # A side effect, or why it could not be made; else empty.
    value: Any = None
    seconds: float = 0
    env: dict[str, str | None] | None = None


def _make(request: _Request, watch: contextlib.AbstractContextManager[Any]) -> _Made:
    """Call the function; ``watch`` is entered during the call."""
    if library_modes() != request.modes:
        return _Made("the run had changed a mode of torch or numpy before the call")
    with contextlib.suppress(OSError):
        os.chdir(request.cwd)
    with (
        _preload.Preloader() as preloader,
        EnvironmentReads(lambda name, value: None, lambda: None) as environment,
    ):
        state, before, modules = ProcessState(), observed_state(), set(sys.modules)
        finalisers = len(_private.finalisers)
        marker = _serialize.Marker()
        is_let_go = weakref.ref(marker)
        try:
            function, args, kwargs = _serialize.rebuild(request.call, marker)
            start = time.monotonic()
            with watch, _preload.torch_threads_of_runs(), _harmless_tqdm():
                value = function(*args, **kwargs)
            seconds = time.monotonic() - start
        except BaseException as error:
            return _Made(f"loading it ahead raises {type(error).__name__}: {error}")
        del marker, function, args, kwargs
        if new := sorted(set(sys.modules) - modules):
            return _Made(f"it imports {new[0]}, which is not warm", value)
        if reason := preloader.spoilt():
            return _Made("it " + reason.replace("when imported", "when called"), value)
        if warning := preloader.warning():
            return _Made(f"it warns when called ({warning})", value)
        if before != (now := observed_state()):
            return _Made(f"it changes {changed_state(before, now)}", value)
        if len(_private.finalisers) > finalisers:
            return _Made("it registers a finaliser", value)
        if not state.is_current():
            return _Made("it changes the process (folder, environment, logging, modes …)", value)
        collect_garbage()
        if is_let_go() is not None:
            return _Made("its value, or something that it has registered, refers to project code", value)
    return _Made("", value, seconds, environment.reads)


@contextlib.contextmanager
def _harmless_tqdm() -> Iterator[None]:
    """Let progress bars leave nothing: neither a thread that monitors them, nor a lock in shared memory.

    A run that is killed would leave that lock locked for all others.
    """
    tqdm: Any = getattr(sys.modules.get("tqdm"), "tqdm", None)
    if tqdm is None or hasattr(tqdm, "_lock"):
        yield
        return
    interval, tqdm.monitor_interval, tqdm._lock = tqdm.monitor_interval, 0, threading.RLock()
    try:
        yield
    finally:
        tqdm.monitor_interval = interval
        del tqdm._lock


_READS = {"open", "os.listdir", "os.scandir"}
_DEEDS = _side_effects.ACTS | _side_effects.MOVES


class _Watch:
    """The files and folders that Python code reads while this is entered, and its side effects."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.effects: list[str] = []

    def __enter__(self) -> None:
        runner.add_audit_listener(self._hook, _DEEDS | _READS)

    def __exit__(self, *_: object) -> None:
        runner.remove_audit_listener(self._hook)

    def _hook(self, event: str, args: Any) -> None:
        reads = event in _READS
        if _side_effects.is_exempt(_private.current_frame(1).f_code.co_filename):
            return
        if reads:
            self._note(args[0], args[2] if event == "open" else 0)
        else:
            self.effects.append(f"does {event}")

    def _note(self, name: Any, flags: int) -> None:
        if isinstance(name, int):
            return
        path = os.path.abspath(os.fsdecode(name or "."))
        assert _preload.Preloader.code is not None
        if path.startswith(_modules.VOLATILE):
            return
        if _side_effects.is_write(flags):
            self.effects.append(f"writes {path}")
        elif _preload.Preloader.code.may_change(path):
            self.files.add(path)


def _maps() -> tuple[set[str], set[str]]:
    """The mapped files that may change, and the addresses of memory that forks share."""
    code = _preload.Preloader.code
    assert code is not None
    files, shared = set(), set()
    with open("/proc/self/maps") as maps:
        for line in maps:
            addresses, modes, _, _, inode, *path = line.rstrip("\n").split(maxsplit=5)
            if "w" in modes and "s" in modes:
                shared.add(addresses)
            if path and inode != "0" and code.may_change(path[0]):
                files.add(path[0])
    return files, shared


def _open_files() -> list[str]:
    return sorted(os.listdir("/proc/self/fd"))


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))


def _more_threads_than(number: int) -> bool:
    """Whether there are more threads, of any kind. A joined thread is still listed for a moment."""
    deadline = time.monotonic() + 1
    while _threads() > number:
        if time.monotonic() > deadline:
            return True
        time.sleep(0.01)
    return False


def _resident_memory() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
