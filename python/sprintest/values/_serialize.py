"""Serializes calls of project functions for a process that must not import the project.

A serialized call contains all that the call depends on: the code, and the globals that it names. Functions of
the project go by value, each with its own globals. Installed modules and objects in them go by name. Data go
by value if they are hashable, because a copy of such data cannot be told from the original. The bytes are
equal if all of this is. So they also show whether a value that was made from them is still current.
"""

from __future__ import annotations

import builtins
import dis
import functools
import io
import marshal
import sys
from collections.abc import Iterator
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any

from sprintest.modules import _modules
from sprintest.process._own import unseen

with unseen():
    import pickle

Call = tuple[FunctionType, tuple[Any, ...], dict[str, Any]]

_GLOBALS = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"}
_ATTRIBUTES = {"LOAD_ATTR", "LOAD_METHOD", "LOAD_SUPER_ATTR"}
#: By these a function can reach more than it names.
_REACH_ALL = {"eval", "exec", "globals", "__import__"}
_REACH_ATTRIBUTES = {"dir", "getattr", "hasattr", "vars"}
_Cached: Any = functools._lru_cache_wrapper


class NotShippable(Exception):
    """Why a function cannot be serialized; the text follows its name."""


class Marker:
    """Is among the globals of each rebuilt function. As long as it exists, so does one of the functions."""


def serialize(call: Call, code: _modules.ProjectCode) -> tuple[bytes, list[str]]:
    """The call as bytes, and the files named by warm functions that it uses. Raises ``NotShippable``."""
    buffer = io.BytesIO()
    function, args, kwargs = call
    for number, argument in enumerate([*args, *kwargs.values()], 1):
        _check(argument, f"argument {number}")
    pickler = _Pickler(buffer, code)
    try:
        pickler.dump((function, args, kwargs))
    except NotShippable:
        raise
    except Exception as error:  # Pickling runs code of the objects.
        raise NotShippable(f"it uses an object that cannot be pickled ({error})") from None
    return buffer.getvalue(), pickler.files


def rebuild(data: bytes, marker: Marker) -> Call:
    """Make the call again, in a process that has the installed modules loaded.

    Raises what unpickling raises.
    """
    unpickler = _Unpickler(io.BytesIO(data), marker)
    call: Call = unpickler.load()
    unpickler.memo.clear()  # In older Pythons (3.11.2) the garbage collector does not see its contents.
    return call


def _check(value: Any, what: str) -> None:
    if isinstance(value, (FunctionType, ModuleType, type, _Cached)):
        return
    try:
        hash(value)
    except TypeError:
        raise NotShippable(
            f"it uses {what}, a {type(value).__name__}: a value that is loaded before a run would not show "
            "what the run changes there"
        ) from None


class _Module:
    """The part of a project module that one function uses."""

    def __init__(self, module: ModuleType, attributes: set[str], known: dict[int, _Module]) -> None:
        known[id(module)] = self
        self.name = module.__name__
        self.contents: dict[str, Any] = {}
        self._attributes, self._known = attributes, known
        self._module = module

    def fill(self, pickler: _Pickler) -> None:
        for name in sorted(self._attributes.intersection(vars(self._module))):
            value = getattr(self._module, name)
            self.contents[name] = pickler.visible(value, f"{self.name}.{name}", self._attributes, self._known)


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, code: _modules.ProjectCode) -> None:
        super().__init__(file, protocol=4)
        self._code = code
        self.files: list[str] = []

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, FunctionType):
            is_own = self._code.may_change(value.__code__.co_filename)
            return self._function(value) if is_own else NotImplemented
        if isinstance(value, _Cached):
            function = value.__wrapped__
            self.files += getattr(value, "warm_files", ())
            return (_itself, (function,)) if isinstance(function, FunctionType) else NotImplemented
        if isinstance(value, _Module):
            return _stand_in, (value.name,), value.contents, None, None, _Fill.module
        if isinstance(value, ModuleType):
            return _loaded, (value.__name__,)
        if isinstance(value, type):
            if self._is_projects(sys.modules.get(value.__module__)):
                raise NotShippable(f"it uses the project's class {value.__qualname__}: each run has its own")
            return NotImplemented
        # An object that is hashed by identity cannot be copied, unless a name leads to it.
        by_identity: Any = object.__hash__
        if type(value).__hash__ is by_identity and not isinstance(value.__reduce_ex__(4), str):
            raise NotShippable(f"it uses a {type(value).__qualname__}: each run has its own")
        return NotImplemented

    def _is_projects(self, module: Any) -> bool:
        spec = getattr(module, "__spec__", None)
        return spec is None or self._code.is_kept_apart(spec)

    def visible(self, value: Any, what: str, attributes: set[str], known: dict[int, _Module]) -> Any:
        """What is serialized in place of a global variable."""
        _check(value, what)
        if not isinstance(value, ModuleType) or not self._is_projects(value):
            return value
        if hidden := attributes & _REACH_ATTRIBUTES:
            raise NotShippable(f"it uses the project's module {value.__name__}, and {min(hidden)}")
        if id(value) in known:
            return known[id(value)]
        module = _Module(value, attributes, known)
        module.fill(self)
        return module

    def _function(self, function: FunctionType) -> Any:
        names, attributes = self._names(function.__code__)
        known: dict[int, _Module] = {}
        variables = {
            name: self.visible(function.__globals__[name], name, attributes, known)
            for name in sorted(names.intersection(function.__globals__))
        }
        cells = [
            self.visible(_contents(cell), name, attributes, known)
            for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ())
        ]
        defaults = {**(function.__kwdefaults__ or {}), "": function.__defaults__}
        for name, value in defaults.items():
            _check(value, f"the default of {name}" if name else "a default")
        variables["__name__"] = function.__module__
        # Version 2 has no references, whose number depends on how objects are shared.
        code = marshal.dumps(function.__code__, 2)
        state = (function.__name__, function.__qualname__, variables, defaults, cells)
        return _shell, (code, len(cells)), state, None, None, _Fill.function

    def _names(self, code: CodeType) -> tuple[set[str], set[str]]:
        """The globals and the attributes that it names."""
        names: set[str] = set()
        attributes: set[str] = set()
        for one in _nested(code):
            last = [0, 0]
            for step in dis.get_instructions(one):
                if step.opname == "EXTENDED_ARG":
                    continue
                if step.opname in _GLOBALS:
                    names.add(step.argval)
                elif step.opname in _ATTRIBUTES:
                    attributes.add(step.argval)
                elif step.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
                    raise NotShippable(f"it sets the global variable {step.argval}")
                elif step.opname == "IMPORT_NAME":
                    self._check_import(step.argval, level=last[0])
                last = [last[1], step.argval]
        if hidden := names & _REACH_ALL:
            raise NotShippable(f"it uses {min(hidden)}, so stest cannot know what it depends on")
        return names, attributes | (names & _REACH_ATTRIBUTES)

    def _check_import(self, name: str, level: Any) -> None:
        package = name.partition(".")[0]
        module = sys.modules.get(name) or sys.modules.get(package)
        spec = module.__spec__ if module else _modules.find(package, None)
        if level or (spec is not None and self._code.is_kept_apart(spec)):
            raise NotShippable(
                f"it imports the project's {name} when called: import it at the top of the file"
            )


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)


def _contents(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        raise NotShippable("it uses a variable that is not set yet") from None


# ---- where calls are rebuilt


def _itself(value: Any) -> Any:
    return value


def _loaded(name: str) -> ModuleType:
    return sys.modules[name]


def _stand_in(name: str) -> ModuleType:
    return ModuleType(name)


def _shell(code: bytes, cells: int) -> FunctionType:
    """A function without its globals: they may lead back to it."""
    closure = tuple(CellType() for _ in range(cells)) or None
    return FunctionType(marshal.loads(code), {"__builtins__": builtins}, None, None, closure)


class _Fill:
    @staticmethod
    def module(module: ModuleType, contents: dict[str, Any]) -> None:
        vars(module).update(contents)

    @staticmethod
    def function(function: FunctionType, state: Any) -> None:
        function.__name__, function.__qualname__, variables, defaults, cells = state
        function.__globals__.update(variables)
        function.__module__ = variables["__name__"]
        function.__defaults__ = defaults.pop("")
        function.__kwdefaults__ = defaults or None
        for cell, value in zip(function.__closure__ or (), cells):
            cell.cell_contents = value


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, marker: Marker) -> None:
        super().__init__(file)
        self._marker = marker

    def find_class(self, module: str, name: str) -> Any:
        # Nothing is imported here: a module that is not loaded may be the project's.
        if module not in sys.modules:
            raise pickle.UnpicklingError(f"{module} is not loaded")
        found = super().find_class(module, name)
        if found is not _shell:
            return found
        return self._marked_shell

    def _marked_shell(self, code: bytes, cells: int) -> FunctionType:
        function = _shell(code, cells)
        function.__globals__["__stest_marker__"] = self._marker
        return function
