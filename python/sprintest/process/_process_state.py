"""The process state, which a whole process shares. A run must find it as in a fresh process."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import builtins
import contextlib
import faulthandler
import gc
import locale
import logging
import random
import signal
import socket
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, Callable

from sprintest.process import _private
from sprintest.process._own import environ, environb, library, modules, os, time, unseen

with unseen():
    import resource

Getter = Callable[[], Any]
Setter = Callable[[Any], object]


def observed_state() -> tuple[object, ...]:
    """The state that modules are known to change while they are imported; cheap enough for each module.

    If two results are equal, the module in between has changed nothing of it.
    """
    root = logging.root
    return (
        tuple(sys.path),
        tuple(sys.meta_path),
        sys.excepthook,
        sys.getrecursionlimit(),
        tuple(warnings.filters),
        (root.level, tuple(root.handlers), root.manager.disable),
        threading.active_count(),
        _private.exit_functions(),
        random.getstate(),
        tempfile.tempdir,
        *(_MARKED[name]() for name in _marked()),
    )


def changed_state(before: tuple[object, ...], after: tuple[object, ...]) -> str:
    """What differs between two results of ``observed_state``, in words."""
    names = [*_MARKS, *_marked()]
    changed = [name for name, old, new in zip(names, before, after) if old != new]
    return changed[0] if changed else "a library's state"


_MARKS = (
    "sys.path",
    "sys.meta_path",
    "sys.excepthook",
    "the recursion limit",
    "the filters of warnings",
    "the root logger",
    "the number of threads",
    "what runs at exit",
    "the seed of random",
    "tempfile.tempdir",
)


def _numpy_seed() -> bytes:
    state: Any = library("numpy.random").get_state()
    return bytes(state[1].tobytes()) + repr(state[2:]).encode()


def _torch_marks() -> tuple[object, ...]:
    torch = library("torch")
    modes = (torch.get_default_dtype(), torch.is_grad_enabled(), torch.get_num_threads())
    return (torch.initial_seed(), torch.default_generator.get_state().tolist(), *modes)


_MARKED: dict[str, Callable[[], object]] = {"numpy.random": _numpy_seed, "torch": _torch_marks}


def _marked() -> list[str]:
    """Those libraries in ``_MARKED`` that are loaded completely. One may be the user's project."""
    return [name for name in _MARKED if library(name) is not None]


def _attribute(owner: Any, name: str) -> tuple[Getter, Setter]:
    return lambda: getattr(owner, name), lambda value: setattr(owner, name, value)


def _contents(values: list[Any]) -> tuple[Getter, Setter]:
    """The elements of a list to which other code has references."""
    return lambda: list(values), lambda old: values.__setitem__(slice(None), old)


#: The functions of ``signal`` would make an ``Enum`` of each number, each time.
_handler = _signal.getsignal
_NUMBERS = tuple(map(int, signal.valid_signals()))


def _signals() -> dict[int, Any]:
    return {number: _handler(number) for number in _NUMBERS}


def _set_signals(old: dict[int, Any]) -> None:
    for number, handler in old.items():
        if handler is not None and _handler(number) is not handler:
            with contextlib.suppress(OSError, ValueError):
                signal.signal(number, handler)
    signal.setitimer(signal.ITIMER_REAL, 0)


def _blocked_signals() -> set[int]:
    return set(signal.pthread_sigmask(signal.SIG_BLOCK, []))


def limits() -> dict[int, Any]:
    numbers = {value for name, value in vars(resource).items() if name.startswith("RLIMIT_")}
    return {number: resource.getrlimit(number) for number in numbers}


def _set_limits(old: dict[int, Any]) -> None:
    for number, limit in old.items():
        if resource.getrlimit(number) != limit:
            with contextlib.suppress(OSError, ValueError):
                resource.setrlimit(number, limit)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def loggers() -> list[logging.Logger]:
    """All loggers except the root logger."""
    return [one for one in logging.root.manager.loggerDict.values() if isinstance(one, logging.Logger)]


class _Loggers:
    """All loggers and their settings. A logger cannot be removed, because modules have references to it."""

    _UNUSED: tuple[Any, ...] = (logging.NOTSET, [], [], True, False)

    def __init__(self) -> None:
        self._settings: dict[logging.Logger, tuple[Any, ...]] = {}
        self.learn()

    def learn(self) -> None:
        """Note the settings of new loggers: modules have made these when they were imported."""
        for logger in self._all():
            self._settings.setdefault(logger, self._get(logger))

    def are_current(self) -> bool:
        return all(self._get(one) == self._settings.get(one, self._UNUSED) for one in self._all())

    def restore(self) -> None:
        for logger in self._all():
            settings = self._settings.get(logger, self._UNUSED)
            if self._get(logger) != settings:
                level, handlers, filters, logger.propagate, logger.disabled = settings
                logger.handlers[:], logger.filters[:] = handlers, filters
                logger.setLevel(level)

    @staticmethod
    def _all() -> list[logging.Logger]:
        return [logging.root, *loggers()]

    @staticmethod
    def _get(logger: logging.Logger) -> tuple[Any, ...]:
        handlers, filters = list(logger.handlers), list(logger.filters)
        return (logger.level, handlers, filters, logger.propagate, logger.disabled)


def _put_environ_back() -> None:
    real: Any = modules["os"]
    real.environ, real.environb = environ, environb


def _set_warnings(old: list[Any]) -> None:
    if warnings.filters != old:
        warnings.filters[:] = old  # type: ignore[index]
        _private.filters_changed()


def variable(name: str) -> str | None:
    """The variable's value. It does not count as a read."""
    value = _private.value_in(environ, name)
    return None if value is None else os.fsdecode(value)


def set_variable(name: str, value: str | None) -> None:
    """Set or unset the variable. No code observes this."""
    key = _private.encode_key(name)
    if value is None:
        _private.environ_data.pop(key, None)
        os.unsetenv(name)
    else:
        _private.environ_data[key] = _private.encode_value(value)
        os.putenv(name, value)


def set_environment(env: dict[bytes, bytes]) -> None:
    """Make ``env`` the whole environment, for Python and for C code."""
    for name in [name for name in environb if name not in env]:
        del environb[name]
    for name, value in env.items():
        if environb.get(name) != value:
            environb[name] = value
    time.tzset()


def ignore_signals(numbers: list[int]) -> None:
    """Ignore these signals, as Python does if they are ignored at its start: Ctrl-C then raises nothing."""
    for number in numbers:
        with contextlib.suppress(OSError, ValueError):  # SIGKILL and signals of the C library cannot be.
            signal.signal(number, signal.SIG_IGN)


def _set_folder(old: str) -> None:
    with contextlib.suppress(OSError):
        os.chdir(old)


def _set_gc(old: tuple[bool, tuple[int, int, int], int]) -> None:
    (gc.enable if old[0] else gc.disable)()
    gc.set_threshold(*old[1])
    gc.set_debug(old[2])


def _stack_size() -> int:
    size = threading.stack_size()  # This call also sets it to the default of the system.
    threading.stack_size(size)
    return size


def _decimal_context() -> tuple[Any, ...] | None:
    if (decimal := modules.get("decimal")) is None:
        return None
    context = decimal.getcontext()
    flags = [tuple(kind for kind, is_on in of.items() if is_on) for of in (context.flags, context.traps)]
    return (*(getattr(context, name) for name in _OF_DECIMAL), *flags)


_OF_DECIMAL = ("prec", "rounding", "Emin", "Emax", "capitals", "clamp")


def _set_decimal_context(old: tuple[Any, ...] | None) -> None:
    if old is not None:
        *values, flags, traps = old
        context = modules["decimal"].getcontext()
        for name, value in zip(_OF_DECIMAL, values):
            setattr(context, name, value)
        for of, on in ((context.flags, flags), (context.traps, traps)):
            for kind in of:
                of[kind] = kind in on


#: What modules may set for the whole process, and how to set it; cheap enough to read after each module.
SETTINGS: list[tuple[Getter, Setter]] = [
    (os.getcwd, _set_folder),
    (_umask, os.umask),
    (_signals, _set_signals),
    (sys.getrecursionlimit, sys.setrecursionlimit),
    (sys.getswitchinterval, sys.setswitchinterval),
    (lambda: (gc.isenabled(), gc.get_threshold(), gc.get_debug()), _set_gc),
    (faulthandler.is_enabled, lambda on: faulthandler.enable() if on else faulthandler.disable()),
    (lambda: locale.setlocale(locale.LC_ALL), lambda old: locale.setlocale(locale.LC_ALL, old)),
    (socket.getdefaulttimeout, socket.setdefaulttimeout),
    (lambda: logging.root.manager.disable, lambda old: setattr(logging.root.manager, "disable", old)),
    (_stack_size, threading.stack_size),
    (random.getstate, random.setstate),
    (_decimal_context, _set_decimal_context),
]
if hasattr(sys, "set_int_max_str_digits"):
    SETTINGS.append((sys.get_int_max_str_digits, sys.set_int_max_str_digits))


def leads_to(before: Any, after: Any) -> bool:
    """Whether drawing numbers, not too many, leads from one state of ``random`` to the other.

    The state consists of 624 words and a position. When all words have been drawn, all are computed again
    (Matsumoto and Nishimura, Mersenne Twister).
    """
    generator = random.Random()
    generator.setstate(before)
    for _ in range(100):
        if generator.getstate()[1][:-1] == after[1][:-1]:
            return True
        generator.getrandbits(32 * 624)
    return False


def _python_state(known: Mapping[str, Any]) -> Iterator[tuple[Getter, Setter]]:
    yield from (pair for pair in SETTINGS if pair[0] is not random.getstate)
    yield lambda: dict(environb), set_environment
    yield _blocked_signals, lambda old: signal.pthread_sigmask(signal.SIG_SETMASK, old)
    yield limits, _set_limits
    yield logging.getLoggerClass, logging.setLoggerClass
    yield lambda: list(warnings.filters), _set_warnings
    for name in _private.WARNING_FUNCTIONS:
        yield _attribute(warnings, name)
    for name in ("path", "meta_path", "path_hooks", "argv"):
        yield _attribute(sys, name)
        yield _contents(getattr(sys, name))
    for name in ("stdin", "stdout", "stderr", "displayhook", "excepthook", "unraisablehook"):
        yield _attribute(sys, name)
    yield _attribute(sys, "dont_write_bytecode")
    yield _attribute(sys, "pycache_prefix")
    yield _attribute(sys, "breakpointhook")
    yield sys.gettrace, sys.settrace
    yield sys.getprofile, sys.setprofile
    for name in ("print", "open", "input", "__import__", "exec", "eval"):
        yield _attribute(builtins, name)
    yield _attribute(threading, "excepthook")
    yield _attribute(tempfile, "tempdir")
    if hasattr(events := known.get("asyncio.events"), _private.EVENT_LOOP_POLICY):
        yield _attribute(events, _private.EVENT_LOOP_POLICY)


def _torch_state() -> Iterator[tuple[Getter, Setter]]:
    torch = library("torch")
    yield torch.get_default_dtype, torch.set_default_dtype
    yield _default_device, torch.set_default_device
    yield torch.is_grad_enabled, torch.set_grad_enabled
    yield torch.get_num_threads, torch.set_num_threads
    yield torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly
    yield _float32_precision, _set_float32_precision
    yield torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode
    for name in ("enabled", "benchmark", "deterministic"):
        yield _attribute(torch.backends.cudnn, name)
    for name in ("flash_sdp", "mem_efficient_sdp", "math_sdp"):  # Since torch 2.
        if is_enabled := getattr(torch.backends.cuda, f"{name}_enabled", None):
            yield is_enabled, getattr(torch.backends.cuda, f"enable_{name}")
    options = vars(torch._tensor_str.PRINT_OPTS)
    yield lambda: dict(options), options.update


#: The backends and operations whose precision torch 2.9 and later can set.
_PRECISIONS = [("generic", "all")] + [
    (backend, operation) for backend in ("cuda", "mkldnn") for operation in ("all", "matmul", "conv", "rnn")
]


def _float32_precision() -> tuple[Any, ...]:
    """torch's precision of float32, as set by its two older functions, and by the newer ones.

    If the newer ones were used, torch refuses to return the settings of the older ones (None).
    """
    torch = library("torch")
    ask = getattr(torch._C, "_get_fp32_precision_getter", None)
    older: list[Any] = [None, None]
    with contextlib.suppress(RuntimeError):
        older[0] = torch.get_float32_matmul_precision()
    with contextlib.suppress(RuntimeError):
        older[1] = torch.backends.cudnn.allow_tf32
    return (*older, [ask(*of) for of in _PRECISIONS] if ask else None)


def _set_float32_precision(old: tuple[Any, ...]) -> None:
    torch = library("torch")
    matmul, allow_tf32, newer = old

    def set_newer() -> None:
        for of, precision in zip(_PRECISIONS, newer or ()):
            torch._C._set_fp32_precision_setter(*of, precision)

    set_newer()  # Else torch might refuse the older functions, which change some of it again.
    if matmul is not None:
        torch.set_float32_matmul_precision(matmul)
    if allow_tf32 is not None:
        torch.backends.cudnn.allow_tf32 = allow_tf32
    set_newer()


def _default_device() -> Any:
    context = library("torch")._GLOBAL_DEVICE_CONTEXT
    # Since torch 2.3 each thread has one.
    return getattr(getattr(context, "device_context", context), "device", None)


def _numpy_state() -> Iterator[tuple[Getter, Setter]]:
    numpy = library("numpy")
    yield numpy.geterr, lambda old: numpy.seterr(**old)
    yield numpy.geterrcall, numpy.seterrcall
    yield numpy.get_printoptions, lambda old: numpy.set_printoptions(**old)


def _is_same(value: Any, old: Any) -> bool:
    return bool(value == old) or repr(value) == repr(old)  # decimal's contexts cannot be compared


def library_modes() -> str:
    """The modes of torch and numpy on which their results may depend."""
    torch = library("torch")
    modes = [] if torch is None else [get() for get, _ in _torch_state() if get is not torch.get_num_threads]
    if torch is not None:
        modes.append(torch.is_inference_mode_enabled())
    if library("numpy") is not None:
        modes += [get() for get, _ in _numpy_state()]
    return repr(modes)


class ProcessState:
    """The state at the moment of construction; ``restore`` restores it.

    The list comes from what pytest's ``monkeypatch``, CPython's regression tests
    (``test.libregrtest.save_env``) and torch's test suite restore. It covers libraries that are loaded by
    then; ``known``: the modules by name. Random generators are not part of it: each run gives them a new
    seed, as a new process does.
    """

    def __init__(self, known: Mapping[str, Any] = modules) -> None:
        parts = [_python_state(known)]
        if library("torch") is not None:
            parts.append(_torch_state())
        if library("numpy") is not None:
            parts.append(_numpy_state())
        self._loggers = _Loggers()
        self._values = [(get, get(), put) for part in parts for get, put in part]

    def is_current(self) -> bool:
        """Whether nothing of it has changed."""
        return self._loggers.are_current() and all(_is_same(get(), value) for get, value, _ in self._values)

    def learn_imported(self) -> None:
        """Must be called when a run has imported its modules, and no test has run yet."""
        self._loggers.learn()

    def restore(self) -> None:
        sys.modules = modules
        _put_environ_back()
        self._loggers.restore()
        for get, value, put in self._values:
            if get() != value:
                put(value)
