"""What others can leave something in: variables of modules and classes, loggers, containers, objects."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from types import GetSetDescriptorType, ModuleType
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary

#: What such a name has held, or holds: nothing.
ABSENT: Any = object()
#: Larger containers are tables of data, or caches.
_LARGEST = 5000
_CONTAINERS = (OrderedDict, dict, list, set)
_WEAK_CONTAINERS = (WeakKeyDictionary, WeakValueDictionary)
#: What a logger is set to, and what a new one has.
OF_LOGGERS: dict[str, Any] = {"level": logging.NOTSET, "propagate": True, "disabled": False}


def get(holder: Any, name: Any) -> Any:
    """What a logger, a class or a dictionary has by this name."""
    if isinstance(holder, logging.Logger):
        return getattr(holder, name)
    return vars(holder).get(name, ABSENT) if is_class(holder) else dict.get(holder, name, ABSENT)


def is_class(holder: Any) -> bool:
    return issubclass(type(holder), type)


def contents(holder: Any) -> Any:
    """What it holds, in a dictionary, a list or a set that nothing else knows."""
    if issubclass(type(holder), logging.Logger):
        return {name: getattr(holder, name) for name in OF_LOGGERS}
    if is_class(holder):
        return vars(holder).copy()
    if type(holder) is not dict and issubclass(type(holder), dict):
        # `copy` would ask the class, which may make its values when it is asked for them.
        return dict(dict.items(holder))
    return base_of(holder).copy(holder)


def base_of(value: Any) -> Any:
    """The built-in class that holds what it contains; a class made of it may have other ideas. Or nothing."""
    kind = type(value)
    return next((one for one in _CONTAINERS if issubclass(kind, one)), None)


def put(holder: Any, name: Any, value: Any) -> None:
    if isinstance(holder, logging.Logger) and name == "level":
        if holder.level != value:  # Else all loggers would forget what they have found out.
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
    """Those in these variables or attributes, with a copy of what each holds."""
    for name, value in names.items():
        if type(value) in _WEAK_CONTAINERS:
            value = value.data
        base = base_of(value)
        if base is not None and base.__len__(value) <= _LARGEST and not str(name).startswith("__"):
            yield value, contents(value)


def _attributes(value: Any) -> dict[str, Any] | None:
    """As Python itself stores them: a stand-in shows what it stands for, and may load it."""
    if type(value) is threading.local:  # It has some for each thread.
        return vars(value)
    for one in type(value).__mro__:
        if (way := vars(one).get("__dict__")) is not None:
            return way.__get__(value) if type(way) is GetSetDescriptorType else None
    return None


def objects(package: str, names: Mapping[Any, Any], depth: int = 3) -> Iterator[dict[str, Any]]:
    """The attributes of objects of the package's own classes; of those that these have, too.

    And what they keep for this thread.
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
