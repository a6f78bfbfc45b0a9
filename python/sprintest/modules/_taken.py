"""What modules have taken out of others when they were executed: by ``from X import y`` or ``X.y``.

If tests put another value in its place first, as a patch in a ``conftest.py`` does, a module that is executed
takes that one. The same goes for builtins. There is no event for taking. But the names are in the bytecode of
the module and of its classes: what they name in a module that they import counts as taken.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Set
from inspect import CO_OPTIMIZED
from types import CodeType, ModuleType
from typing import Any, Callable, NamedTuple

from sprintest.modules._member import Member
from sprintest.modules.residue._changes import are_equal
from sprintest.modules.residue._known import UNCOMPARED_NAMES
from sprintest.process._own import runner

#: Code that is executed where it stands, though it is compiled as a function.
_AT_ONCE = ("<dictcomp>", "<genexpr>", "<listcomp>", "<setcomp>")
#: Their variables belong to the process or to each run, and are observed in other ways.
_UNCOMPARED = ("atexit", "sys", "warnings")
_OF_PYTEST = ("_pytest", "pluggy", "pytest")
#: pytest replaces them in each run.
_PATCHED_BY_PYTEST = {("pdb", "set_trace"), ("threading", "excepthook")}

variables_of: Any = vars(ModuleType)["__dict__"].__get__  # Runs no code of a lazy module.


class Taken(NamedTuple):
    """The variable ``key`` of the module ``provider``, whose variables are ``variables``, is ``value``."""

    provider: str
    variables: dict[str, Any]
    key: str
    value: Any


#: By provider: its variables, and those of them that were taken.
Table = list[tuple[str, dict[str, Any], dict[str, Any]]]


def names_of(code: CodeType) -> set[str]:
    """The names that are used when a module with this code is executed, without those in its functions."""
    names = {name for name in code.co_names if not name.startswith("__")}
    for const in code.co_consts:
        if type(const) is CodeType and (not const.co_flags & CO_OPTIMIZED or const.co_name in _AT_ONCE):
            names |= names_of(const)
    return names


def find_taken(
    members: Iterable[Member],
    provided: Callable[[str], Any],
    is_renewed: Callable[[str], bool],
    replaced: Container[int],
    changed: Container[tuple[int, Any]],
) -> None:
    """Set what the members have taken, as it is now, when all of them are hidden.

    ``provided``: the module of a name, or ``None``. ``is_renewed``: whether each run gives it other values.
    ``replaced``: the identities of values that each run replaces, whoever holds them. ``changed``: the places
    that modules change in others.
    """
    shared: dict[tuple[str, str], Taken] = {}
    for member in members:
        found = []
        is_usual = member.names and issubclass(type(member.module), ModuleType)
        waiting = ["builtins", *member.imports] if is_usual else []
        seen = {member.name, *_UNCOMPARED}
        for provider in waiting:  # It grows.
            module = provided(provider) if provider not in seen else None
            seen.add(provider)
            if not issubclass(type(module), ModuleType) or is_renewed(provider):
                continue
            variables = variables_of(module)
            names = member.names & variables.keys()
            if provider == "builtins":
                names -= variables_of(member.module).keys()  # Its own variables, named like builtins.
            for key in names - UNCOMPARED_NAMES.get(provider, set()):
                value = variables[key]
                if issubclass(type(value), ModuleType):
                    waiting.append(str(variables_of(value).get("__name__")))
                elif (provider, key) in _PATCHED_BY_PYTEST or id(value) in replaced:
                    continue
                elif value is not None and (id(variables), key) not in changed:  # Else it may be a cache.
                    taken = Taken(provider, variables, key, value)
                    found.append(shared.setdefault((provider, key), taken))
        member.taken = (*member.taken, *found)
        member.names = frozenset()


def table_of(members: Iterable[Member]) -> Table:
    """All that these have taken."""
    found: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {}
    for member in members:
        for provider, variables, key, value in member.taken:
            found.setdefault(provider, (provider, variables, {}))[2][key] = value
    return list(found.values())


def other_value(
    table: Table, adopted: Set[str], puts: Callable[[Mapping[str, Any], str, Any], bool]
) -> tuple[str, str] | None:
    """The provider and the name of a variable that is another one now.

    ``adopted``: providers of which it does not matter, since they are adopted at the same time. ``puts``:
    whether a module that was loaded ahead puts this value there.
    """
    for provider, variables, values, key in runner.changed_values(table, adopted):
        now = variables.get(key)
        if not (provider.startswith(_OF_PYTEST) or are_equal(values[key], now) or puts(variables, key, now)):
            return provider, key
    return None
