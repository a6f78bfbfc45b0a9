"""Functions of the project sent to a process that must not import the project.

Sent is what a call depends on: the code, and those of its globals that it names. Functions of the project
go by value, each with its own globals; installed modules, and what lies in them, by name; data by value if
it is hashable: nobody can tell a copy of such data from the original. The bytes are equal where all of this
is, so that they also tell whether a value that was made from them is still what a call would give.
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
    """Why a function cannot be sent; reads on after its name."""


class Marker:
    """Lies among the globals of each function that was sent. As long as it lives, so does one of them."""


def serialize(call: Call, code: _modules.ProjectCode) -> tuple[bytes, list[str]]:
    """The call as bytes, and the files that warm functions which it uses name. Raises ``NotShippable``."""
    buffer = io.BytesIO()
    function, args, kwargs = call
    for number, argument in enumerate([*args, *kwargs.values()], 1):
        _check(argument, f"argument {number}")
    pickler = _Pickler(buffer, code)
    try:
        pickler.dump((function, args, kwargs))
    except NotShippable:
        raise
    except Exception as error:  # Pickling runs the code of what is pickled.
        raise NotShippable(f"it uses what cannot be pickled ({error})") from None
    return buffer.getvalue(), pickler.files


def rebuild(data: bytes, marker: Marker) -> Call:
    """The call again, in a process that has the installed modules loaded. Raises what unpickling raises."""
    unpickler = _Unpickler(io.BytesIO(data), marker)
    call: Call = unpickler.load()
    unpickler.memo.clear()  # Older Pythons' collector does not look into it (3.11.2): all of it would stay.
    return call


def _check(value: Any, what: str) -> None:
    if isinstance(value, (FunctionType, ModuleType, type, _Cached)):
        return
    try:
        hash(value)
    except TypeError:
        raise NotShippable(
            f"it uses {what}, a {type(value).__name__}: what a run does to that, a value that was loaded "
            "before would not show"
        ) from None


class _Module:
    """A module of the project, as far as one function can see it."""

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
        # What is hashed by identity is one thing, not a value; unless it has a name to find it by.
        by_identity: Any = object.__hash__
        if type(value).__hash__ is by_identity and not isinstance(value.__reduce_ex__(4), str):
            raise NotShippable(f"it uses a {type(value).__qualname__}: each run has its own")
        return NotImplemented

    def _is_projects(self, module: Any) -> bool:
        spec = getattr(module, "__spec__", None)
        return spec is None or self._code.is_kept_apart(spec)

    def visible(self, value: Any, what: str, attributes: set[str], known: dict[int, _Module]) -> Any:
        """What is sent in the place of a global variable."""
        _check(value, what)
        if not isinstance(value, ModuleType) or not self._is_projects(value):
            return value
        if hidden := attributes & _REACH_ATTRIBUTES:
            raise NotShippable(f"it uses the module {value.__name__}, and {min(hidden)}")
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
        # Version 2 has no references, of which there are more or fewer as the objects are shared.
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
            raise NotShippable(f"it uses {min(hidden)}: what it depends on cannot be known")
        return names, attributes | (names & _REACH_ATTRIBUTES)

    def _check_import(self, name: str, level: Any) -> None:
        package = name.partition(".")[0]
        module = sys.modules.get(name) or sys.modules.get(package)
        spec = module.__spec__ if module else _modules.find(package, None)
        if level or (spec is not None and self._code.is_kept_apart(spec)):
            raise NotShippable(f"it imports the project's {name} when called: do so at the top of its file")


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


# ---- on the other side


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
        # Nothing is imported for it: what is not loaded may be the project's.
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
