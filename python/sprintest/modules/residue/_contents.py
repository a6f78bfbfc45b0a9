"""What other modules can change: variables of modules and classes, loggers, containers, objects."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from types import GetSetDescriptorType, ModuleType
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

#: The value of a name that does not exist.
ABSENT: Any = object()
#: Larger containers are tables of data or caches, and are not compared.
_LARGEST = 5000
_CONTAINERS = (OrderedDict, dict, list, set)
_WEAK_CONTAINERS = (WeakKeyDictionary, WeakValueDictionary)
#: The settings of a logger, and their values in a new one.
OF_LOGGERS: dict[str, Any] = {"level": logging.NOTSET, "propagate": True, "disabled": False}


def get(holder: Any, name: Any) -> Any:
    """The value of this name in a logger, a class or a dictionary."""
    if isinstance(holder, logging.Logger):
        return getattr(holder, name)
    return vars(holder).get(name, ABSENT) if is_class(holder) else dict.get(holder, name, ABSENT)


def is_class(holder: Any) -> bool:
    return issubclass(type(holder), type)


def contents(holder: Any) -> Any:
    """A copy of its contents: a dictionary, a list or a set."""
    if issubclass(type(holder), logging.Logger):
        return {name: getattr(holder, name) for name in OF_LOGGERS}
    if is_class(holder):
        return vars(holder).copy()
    if type(holder) is not dict and issubclass(type(holder), dict):
        # `copy` would call methods of the class, which may make values on demand.
        return dict(dict.items(holder))
    return base_of(holder).copy(holder)


def base_of(value: Any) -> Any:
    """The built-in container class of the value, whose methods a subclass may replace; ``None`` if none."""
    kind = type(value)
    return next((one for one in _CONTAINERS if issubclass(kind, one)), None)


def put(holder: Any, name: Any, value: Any) -> None:
    if isinstance(holder, logging.Logger) and name == "level":
        if holder.level != value:  # Else all loggers would lose their caches.
            holder.setLevel(value)
    elif isinstance(holder, logging.Logger):
        setattr(holder, name, value)
    elif (base := base_of(holder)) in (dict, OrderedDict):
        if value is ABSENT:
            base.pop(holder, name, None)
        else:
            base.__setitem__(holder, name, value)
    elif base is list:
        list.__setitem__(holder, slice(None), value)
    elif base is set:
        set.clear(holder)
        set.update(holder, value)
    elif value is ABSENT:
        type.__delattr__(holder, name)
    else:
        type.__setattr__(holder, name, value)


def containers(names: Mapping[Any, Any]) -> Iterator[tuple[Any, Any]]:
    """The containers in these variables or attributes, each with a copy of its contents."""
    for name, value in names.items():
        if type(value) in _WEAK_CONTAINERS:
            value = value.data
        base = base_of(value)
        if base is not None and base.__len__(value) <= _LARGEST and not str(name).startswith("__"):
            yield value, contents(value)


def _attributes(value: Any) -> dict[str, Any] | None:
    """The attributes as Python stores them. A proxy would show those of its target, and may load that."""
    if type(value) is threading.local:  # It has attributes for each thread.
        return vars(value)
    for one in type(value).__mro__:
        if (way := vars(one).get("__dict__")) is not None:
            return way.__get__(value) if type(way) is GetSetDescriptorType else None
    return None


def objects(package: str, names: Mapping[Any, Any], depth: int = 3) -> Iterator[dict[str, Any]]:
    """The attributes of objects of the package's own classes, and of such objects in these attributes.

    Values of this thread (``threading.local``) count as well.
    """
    for name, value in names.items():
        kind = type(value)
        if str(name).startswith("__") or issubclass(kind, (type, ModuleType, logging.Logger)):
            continue
        is_own = str(getattr(kind, "__module__", "")).partition(".")[0] == package
        attributes = _attributes(value) if is_own or kind is threading.local else None
        if attributes is not None:
            yield attributes
            if depth > 1:
                yield from objects(package, attributes, depth - 1)
