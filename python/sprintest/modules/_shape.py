"""The shape of a project module: what it contains, to find out whether that has changed.

A shape keeps no object alive. It has the identity of each object, and the contents of those that may change.
"""

from __future__ import annotations

from types import FunctionType, ModuleType
from typing import Any, Optional

#: A module with more contents counts as changed.
_MOST = 20_000
_PLAIN = (str, bytes, int, float, complex, bool, type(None))
_LISTS = (list, tuple, set, frozenset)
#: Python itself fills these when they are first used.
_UNCOMPARED = {
    *("__abstractmethods__", "__annotations__", "__builtins__", "__cached__", "__dict__", "__doc__"),
    *("__warningregistry__", "__weakref__", "_abc_impl"),
}

#: ``None`` if it cannot be known.
Shape = Optional[tuple[Any, ...]]


def shape_of(module: Any) -> Shape:
    """The shape of the module's variables, of its classes, and of containers and objects in these."""
    seen: set[int] = set()
    found: list[Any] = []
    package = f"{module.__name__}."
    waiting: list[Any] = [
        # Without submodules: any module may import these and so bind them.
        {
            key: value
            for key, value in vars(module).items()
            if not (type(value) is ModuleType and value.__name__.startswith(package))
        }
    ]
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if len(found) > _MOST:
            return None
        parts = _parts(value)
        if parts is None:
            return None
        found.append((type(value).__name__, len(parts)))
        for part in parts:
            found.append(part if type(part) in _PLAIN else id(part))
            if _may_change(part, module.__name__):
                waiting.append(part)
    return tuple(found)


def _may_change(value: Any, name: str) -> bool:
    kind = type(value)
    if kind in _PLAIN or kind is ModuleType:
        return False
    if issubclass(kind, type):
        return bool(value.__module__ == name)
    if kind is FunctionType:
        return bool(
            value.__module__ == name and (value.__dict__ or value.__defaults__ or value.__kwdefaults__)
        )
    return kind in _LISTS or isinstance(value, dict) or _is_array(value) or type(_variables(value)) is dict


def _parts(value: Any) -> list[Any] | None:
    kind = type(value)
    if issubclass(kind, type):
        return _named(vars(value))
    if kind is FunctionType:
        return [*_named(value.__dict__), *(value.__defaults__ or ()), *_named(value.__kwdefaults__ or {})]
    if isinstance(value, dict):
        return _named(value)
    if kind in _LISTS:
        return list(value)
    if _is_array(value):
        return _of_array(value)
    return _named(_variables(value))


def _named(variables: Any) -> list[Any]:
    return [one for pair in variables.items() if pair[0] not in _UNCOMPARED for one in pair]


def _variables(value: Any) -> Any:
    """The object's own variables, without calling any of its code."""
    try:
        return object.__getattribute__(value, "__dict__")
    except Exception:
        return None


def _is_array(value: Any) -> bool:
    kind = type(value)
    is_of_library = kind.__module__ in ("numpy", "torch", "torch.nn.parameter")
    return is_of_library and (hasattr(kind, "_version") or hasattr(kind, "tobytes"))


def _of_array(value: Any) -> list[Any] | None:
    try:
        if hasattr(type(value), "_version"):
            return [value._version]
        return [value.tobytes()] if value.nbytes < 1 << 20 else None
    except Exception:
        return None
