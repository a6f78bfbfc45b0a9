"""Side effects of modules on the process: recorded, undone, and repeated when a run adopts the module."""

from __future__ import annotations

import atexit
import codecs
import functools
import logging
import random
import sys
import warnings
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Callable, NamedTuple

from sprintest.modules import _side_effects
from sprintest.modules._member import SideEffect
from sprintest.process import _private
from sprintest.process._own import modules, open, os
from sprintest.process._process_state import SETTINGS, leads_to, set_variable, variable

#: Prefixes of the variables that C libraries read when they are loaded, without a call that is interposed.
_THREADING_LIBRARIES = {
    # Normally torch is the first that loads this library, and torch contains MKL.
    "gomp": ("OMP_", "GOMP_", "LIBGOMP", "MKL_"),
    "libomp": ("OMP_", "KMP_"),
    "iomp": ("OMP_", "KMP_"),
    "mkl": ("OMP_", "KMP_", "MKL_"),
    "openblas": ("OMP_", "OPENBLAS_", "GOTO_"),
    "blis": ("OMP_", "BLIS_"),
}


#: The index of the state of ``random`` in ``SETTINGS``.
_RANDOM = [get for get, _ in SETTINGS].index(random.getstate)


class Said(NamedTuple):
    """A warning from the execution of a module."""

    warning: warnings.WarningMessage
    #: The variables of the code that the warning names.
    place: dict[str, Any]
    #: Whether this code has imported the module.
    is_importers: bool


class Tables:
    """The parts of the process state that modules are known to change when imported, for comparison."""

    LISTS = ("path", "meta_path", "path_hooks", "filters")

    def __init__(self) -> None:
        self._lists = {name: list(_list(name)) for name in self.LISTS}
        root = logging.root
        self._level, self._handlers = root.level, list(root.handlers)
        self._environment = dict(_private.environ_data)
        self._settings = [get() for get, _ in SETTINGS]

    def changes_since(self, old: Tables) -> Iterator[tuple[str, str, Any]]:
        for name, values in self._lists.items():
            before = old._lists[name]
            size = len(values) - len(before)
            if values[size:] == before:
                yield from (("first", name, value) for value in reversed(values[: max(size, 0)]))
            elif values[: len(before)] == before:
                yield from (("last", name, value) for value in values[len(before) :])
            else:
                yield from (("last", name, value) for value in values if value not in before)
        if self._level != old._level:
            yield "level", "root", self._level
        for handler in self._handlers:
            if handler not in old._handlers:
                yield "handler", "root", handler
        if self._environment != old._environment:
            for key in {**self._environment, **old._environment}:
                if (value := self._environment.get(key)) != old._environment.get(key):
                    yield "write", os.fsdecode(key), None if value is None else os.fsdecode(value)

        for number, (now, before) in enumerate(zip(self._settings, old._settings)):
            if now != before:
                has_drawn = number == _RANDOM and leads_to(before, now)
                yield "drawn" if has_drawn else "setting", str(number), now

    def restore(self) -> None:
        for (get, put), value in zip(SETTINGS, self._settings):
            if get() != value:
                put(value)
        for name, values in self._lists.items():
            if (now := _list(name)) != values:
                now[:] = values
                _private.filters_changed()
        logging.root.handlers[:] = self._handlers
        if logging.root.level != self._level:
            logging.root.setLevel(self._level)
        for key in {**_private.environ_data, **self._environment}:
            if _private.environ_data.get(key) != (value := self._environment.get(key)):
                set_variable(os.fsdecode(key), None if value is None else os.fsdecode(value))


def _list(name: str) -> Any:
    return warnings.filters if name == "filters" else getattr(sys, name)


#: Functions by which modules register functions to be called later, and the kind of this side effect.
_REGISTERING = {("os", "register_at_fork"): "after a fork", ("atexit", "register"): "exit"}
if hasattr(codecs, "unregister"):  # Since Python 3.10.
    _REGISTERING[("codecs", "register")] = "codec"


class Registrations:
    """Calls ``take(kind, arguments, named arguments)`` at each such registration, until ``end``."""

    def __init__(self, take: Callable[[str, tuple[Any, ...], dict[str, Any]], None]) -> None:
        self._originals = [
            (vars(modules[owner]), name, vars(modules[owner])[name]) for owner, name in _REGISTERING
        ]
        for (variables, name, original), kind in zip(self._originals, _REGISTERING.values()):
            variables[name] = self._telling(original, kind, take)

    @staticmethod
    def _telling(original: Any, kind: str, take: Any) -> Any:
        @functools.wraps(original)
        def register(*args: Any, **named: Any) -> Any:
            take(kind, args, named)
            return original(*args, **named)

        return register

    def end(self) -> None:
        for variables, name, original in self._originals:
            variables[name] = original


def undo(effect: SideEffect) -> None:
    """Undo a side effect that ``Tables`` does not cover."""
    _, kind, _, value = effect
    if kind == "exit":
        atexit.unregister(value[0][0])
    elif kind == "codec":
        codecs.unregister(value[0][0])


def do_again(effect: SideEffect, adopted: Collection[str] = ()) -> None:
    """Repeat a side effect. ``adopted``: the modules that are adopted together with its module."""
    _, kind, name, value = effect
    if kind == "write":
        set_variable(name, value)
    elif kind in ("first", "last"):
        values = _list(name)
        if value not in values:
            values.insert(0 if kind == "first" else len(values), value)
            if name == "filters":
                _private.filters_changed()
    elif kind == "warning":
        _warn(value, name, name in adopted)
    elif kind == "exit":
        atexit.register(*value[0], **value[1])
    elif kind == "codec":
        codecs.register(*value[0])
    elif kind == "setting":
        SETTINGS[int(name)][1](value)
    elif kind == "level":
        logging.root.setLevel(value)
    elif kind == "handler" and value not in logging.root.handlers:
        logging.root.addHandler(value)


def _warn(said: Said, module: str, is_there: bool) -> None:
    warning, place = said.warning, said.place
    file, line = warning.filename, warning.lineno
    if said.is_importers and not is_there:  # Another module imports it now.
        frame: Any = _private.current_frame(1)
        while frame.f_back is not None and _side_effects.is_exempt(frame.f_code.co_filename):
            frame = frame.f_back
        file, line, place = frame.f_code.co_filename, frame.f_lineno, frame.f_globals
        module = str(place.get("__name__", ""))
    registry = place.setdefault("__warningregistry__", {})
    warnings.warn_explicit(warning.message, warning.category, file, line, module or None, registry)


def threading_libraries() -> set[str]:
    """The files of the threading libraries that this process has loaded."""
    with open("/proc/self/maps") as maps:
        files = {line.split()[-1] for line in maps if ".so" in line}
    return {file for file in files if any(name in os.path.basename(file) for name in _THREADING_LIBRARIES)}


def threading_prefixes(libraries: Iterable[str]) -> tuple[str, ...]:
    """The prefixes of the variables that these libraries read when they are loaded."""
    names = [os.path.basename(file) for file in libraries]
    found = [prefixes for one, prefixes in _THREADING_LIBRARIES.items() if any(one in name for name in names)]
    return tuple(sorted({prefix for prefixes in found for prefix in prefixes}))


def threading_variables(prefixes: tuple[str, ...]) -> dict[str, str | None]:
    names = map(os.fsdecode, _private.environ_data)
    return {name: variable(name) for name in names if name.startswith(prefixes)}
