"""The earlier contents of one holder, and how the present ones differ."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any
from weakref import ref

from sprintest.modules.residue._changes import Added, Change
from sprintest.modules.residue._contents import ABSENT, contents

UNCOMPARED_NAMES = {
    "posix": {"environ"},
    "codecs": {"register"},
    "logging": {"_startTime"},
    "builtins": {"__import__", "_"},
    "os": {"environ", "environb", "register_at_fork"},
    "sys": {"argv", "last_exc", "last_traceback", "last_type", "last_value", "meta_path", "modules"}
    | {"orig_argv", "path", "path_hooks", "path_importer_cache"},
    "warnings": {"filters", "onceregistry", "_filters_version", "_onceregistry", "_showwarnmsg"}
    | {"_showwarnmsg_impl"},
}
#: Python itself maintains these in each class.
_OF_CLASSES = {"__abstractmethods__", "__dict__", "__doc__", "__module__", "__weakref__", "_abc_impl"}


class Known:
    """The contents of one holder. ``owner``: the name of the module, or logger, that it belongs to."""

    __slots__ = ("holder", "is_logger", "is_object", "owner", "values")

    def __init__(
        self, owner: str, holder: Any, values: Any, *, is_logger: bool = False, is_object: bool = False
    ) -> None:
        self.owner, self.holder, self.values = owner, holder, values
        self.is_logger, self.is_object = is_logger, is_object

    def has_changed(self) -> bool:
        """Whether a logger has changed. The worker compares other holders."""
        return bool(contents(self.holder) != self.values)

    def changes(self) -> Iterator[Change]:
        now, before = contents(self.holder), self.values
        if isinstance(now, dict):
            for name in {**before, **now}:
                old, new = before.get(name, ABSENT), now.get(name, ABSENT)
                if old is new or _is_dead(name) or _is_dead(old):
                    continue
                if not self._is_passed_over(name, old, new):
                    yield Change(self.holder, name, old, new)
        elif isinstance(now, set):
            if added := list(now - before) if before <= now else []:
                yield Added(self.holder, False, (), added)
            elif not before <= now:
                yield Change(self.holder, None, before, now)
        elif [*map(id, now[: len(before)])] == [*map(id, before)]:
            yield Added(self.holder, False, (), now[len(before) :])
        elif [*map(id, now[len(now) - len(before) :])] == [*map(id, before)]:
            yield Added(self.holder, True, (), now[: len(now) - len(before)])
        else:
            yield Change(self.holder, None, before, now)

    def _is_passed_over(self, name: Any, old: Any, new: Any) -> bool:
        if isinstance(self.holder, logging.Logger):
            return False
        if isinstance(self.holder, type):
            return name in _OF_CLASSES
        if self.holder is not vars(sys.modules.get(self.owner, sys)) and "__name__" not in self.holder:
            return False  # It is an entry of a container.
        submodule = f"{self.owner}.{name}"  # The cache itself binds and unbinds it.
        is_submodule = any(
            issubclass(type(one), ModuleType) and one.__name__ == submodule for one in (old, new)
        )
        return is_submodule or str(name).startswith("__") or name in UNCOMPARED_NAMES.get(self.owner, ())


def _is_dead(one: Any) -> bool:
    """Whether it refers to an object that is gone; weak dictionaries remove such entries themselves."""
    return isinstance(one, ref) and one() is None
