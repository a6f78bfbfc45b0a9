"""A module that was executed where others may have it, and what its execution did: see ``_cache``."""

from __future__ import annotations

import ast
import builtins
import contextlib
import itertools
import weakref
from collections.abc import Iterator
from importlib.machinery import ExtensionFileLoader
from types import FunctionType
from typing import Any

from sprintest.modules import _modules, _side_effects
from sprintest.modules._context import Place
from sprintest.modules._fingerprint import Fingerprint
from sprintest.modules._shape import Shape
from sprintest.process._own import open

#: Of all that modules do: one after the other.
order = itertools.count()

#: (its place in that order, kind, name, value)
SideEffect = tuple[int, str, str, Any]


class Member:
    """A module that was executed, and may be had again. ``is_own``: it is the project's."""

    def __init__(self, spec: Any, order: int, is_own: bool = False) -> None:
        self.name: str = spec.name
        self.is_own = is_own
        self.spec = spec
        self.loader = type(spec.loader)
        self.order = order
        self._module: Any = None
        #: Names of the modules that its execution imported, whoever had loaded them.
        self.imports: set[str] = set()
        #: Of modules that import each other, the one whose execution began first: where another one's does,
        #: each finds less of the others, or more.
        self.entry = ""
        #: Modules of which an import of its own was the first.
        self.brought: set[str] = set()
        #: What else its source imports: in functions, or where its execution did not get to.
        self.later: set[str] = set()
        #: What it was made from, and what it read.
        self.files: dict[str, Fingerprint] = {}
        #: Why no other run may have it: something in it happens only when it is executed. Empty if none.
        self.uncacheable = ""
        #: What it has warned of, or written to a log as a warning or worse, when it was executed.
        self.complaint = ""
        #: Names that it searched in vain.
        self.misses: set[str] = set()
        #: What it read and wrote of the process's tables.
        self.effects: list[SideEffect] = []
        #: What it looked at in the file system, in a way of ``_fingerprint.LOOKS``, and what it saw there.
        self.looks: set[tuple[str, str, Any]] = set()
        #: The lines in which it asked for what is another in each process, and what it did there.
        self.fresh: dict[int, str] = {}
        #: The same by its own functions, which may use up what they ask for.
        self.perhaps_fresh: dict[int, str] = {}
        #: What makes those of its variables anew that came of it, and nothing else.
        self.renewals: list[Renewal] | None = []
        #: What it held when it had been executed, where tests may change that.
        self.shape: Shape = None
        #: Of the project, in a process that stays: what the run had executed before it.
        self.context: Place | None = Place()
        #: Whether it has asked to be called after each fork.
        self.renews_itself = False
        #: Further names of ``sys.modules`` that it filled by itself.
        self.extras: dict[str, Any] = {}
        #: Whether it is the attribute of its package that bears its name.
        self.bound = False
        #: Whether importing its package brings it along; ``None`` where that has not been looked at.
        self.is_brought: bool | None = None

    @property
    def module(self) -> Any:
        """The module; ``None`` before it is there, and where it is no more."""
        return self._module() if type(self._module) is weakref.ref else self._module

    @module.setter
    def module(self, module: Any) -> None:
        self._module = module

    def let_go(self) -> None:
        """Keep it no longer alive than everybody else does."""
        with contextlib.suppress(TypeError):
            self._module = weakref.ref(self._module)

    @property
    def is_compiled(self) -> bool:
        return issubclass(self.loader, ExtensionFileLoader)

    @property
    def is_of_its_process(self) -> bool:
        """Whether it holds what is another in each process, and cannot be made anew for a run alone."""
        return bool(self.fresh) and self.renewals is None and not self.renews_itself

    def is_random(self, line: int) -> bool:
        return self.fresh.get(line) == _side_effects.FRESH[_side_effects.RANDOMNESS]

    @property
    def draws(self) -> bool:
        """Whether random numbers are among it."""
        return any(map(self.is_random, self.fresh))

    @property
    def kinds(self) -> set[str]:
        """What it has asked for that is another in each process."""
        return {*self.fresh.values(), *self.perhaps_fresh.values()}

    @property
    def asked(self) -> str:
        """What it did to come by that: "draws random numbers", say."""
        return next(iter(self.fresh.values()), "")

    def is_current(self) -> bool:
        """Whether every file that it was made from still holds the same bytes."""
        return all(file.is_current() for file in self.files.values())

    def leads_to(self, spec: Any) -> bool:
        """Whether ``spec`` leads to this very module."""
        if spec is None or type(spec.loader) is not self.loader or spec.origin != self.spec.origin:
            return False
        if self.is_own and not spec.has_location:
            return True  # A namespace package follows its search path by itself.
        places = (one.submodule_search_locations for one in (spec, self.spec))
        return _modules.folders(next(places)) == _modules.folders(next(places))

    def source(self) -> bytes | None:
        """What it was made from; ``None`` where nobody can read that."""
        if self.is_compiled or not self.spec.has_location:
            return None
        try:
            with open(self.spec.origin, "rb") as source:
                return source.read()
        except OSError:
            return None

    @property
    def package(self) -> str:
        return self.name.rpartition(".")[0]


class Renewal:
    """A statement ``NAME = …`` of a module, or of a class in it, whose value is another in each process."""

    #: Of what kinds the value may be: nothing knows of it but who has it.
    KINDS = (
        *("bool", "str", "bytes", "int", "float", "UUID", "Random", "SystemRandom", "Generator"),
        *("datetime", "date", "time", "struct_time"),
        *("method", "builtin_function_or_method"),  # Of such a generator.
    )

    #: Of these nothing is taken for used up, where a function of the module has asked.
    TIMES = ("int", "float", "UUID", "datetime", "date", "time", "struct_time")

    def __init__(self, name: str, statement: ast.stmt, path: str, owner: str) -> None:
        self._name = name
        self._code = compile(ast.Module([statement], []), path, "exec")
        self._owner = owner

    def holder(self, module: Any) -> Any:
        """The module's variables, or the class of it, that the value is in."""
        return self._owned(module) if self._owner else vars(module)

    def _owned(self, module: Any) -> Any:
        return getattr(module, self._owner) if self._owner else module

    def renew(self, module: Any) -> tuple[Any, Any]:
        """Return the old value and the new."""
        owner = self._owned(module)
        variables = dict(vars(owner))
        old = variables[self._name]
        exec(self._code, vars(module), variables)
        setattr(owner, self._name, variables[self._name])
        return old, variables[self._name]


class _DefaultRenewal(Renewal):
    """The default value of a function's parameter. ``place``: its number, or its name."""

    def __init__(self, function: FunctionType, place: int | str, value: ast.expr, owner: str) -> None:
        self._function, self._place, self._owner = function, place, owner
        self._code = compile(ast.Expression(value), function.__code__.co_filename, "eval")

    def value(self) -> Any:
        return self._defaults()[self._place]

    def renew(self, module: Any) -> tuple[Any, Any]:
        old, defaults = self.value(), self._defaults()
        defaults[self._place] = new = eval(self._code, vars(module), dict(vars(self._owned(module))))
        if isinstance(self._place, int):
            self._function.__defaults__ = tuple(defaults)
        else:
            self._function.__kwdefaults__ = defaults
        return old, new

    def _defaults(self) -> Any:
        function = self._function
        return list(function.__defaults__ or ()) if isinstance(self._place, int) else function.__kwdefaults__


def _of_defaults(
    statements: list[ast.stmt], owner: str, holder: Any
) -> Iterator[tuple[ast.expr, _DefaultRenewal]]:
    """Each default value of their functions that is still what the definition has made."""
    for function in statements:
        if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        made = getattr(holder, "__dict__", {}).get(function.name)
        if not isinstance(made, FunctionType) or function.decorator_list:
            continue
        arguments = function.args
        numbers: list[int | str] = [*range(len(arguments.defaults))]
        names = [one.arg for one in arguments.kwonlyargs]
        for place, value in zip([*numbers, *names], [*arguments.defaults, *arguments.kw_defaults]):
            if value is not None:
                yield value, _DefaultRenewal(made, place, value, owner)


def renewals(member: Member) -> list[Renewal] | None:
    """For all lines in which it asked for such values, and what was made of these; or ``None``."""
    source = member.source()
    try:
        body = ast.parse(source).body if source is not None else None
    except (SyntaxError, ValueError):
        return None
    if body is None:  # An archive, or bytecode alone.
        return None
    found: list[Renewal] = []
    idle = [*_idle(body)]
    lines = {line for line in member.fresh if not any(_contains(one, line) for one in idle)}
    for owner, statements in [
        ("", body),
        *((one.name, one.body) for one in body if type(one) is ast.ClassDef),
    ]:
        holder = getattr(member.module, owner, None) if owner else member.module
        drawn: set[str] = set()
        renewed: set[int] = set()
        for value, renewal in _of_defaults(statements, owner, holder):
            own = {line for line in lines if _contains(value, line)}
            if own and type(renewal.value()).__name__ in Renewal.KINDS:
                found.append(renewal)
                renewed |= own
        lines -= renewed
        for statement in _executed(statements):
            own = {line for line in lines if _contains(statement, line)}
            name = _assigned(statement)
            if not own and drawn.isdisjoint(_names(statement)):
                if not any(_contains(statement, line) for line in member.perhaps_fresh):
                    continue
                if name is None or not _is_one_of(Renewal.TIMES, name, holder):
                    continue
            if isinstance(statement, ast.Expr) and not any(map(member.is_random, own)):
                lines -= own  # What it has asked for is used up.
                continue
            if name is not None and not own and name not in getattr(holder, "__dict__", {}):
                continue  # Of a branch that was not taken.
            if (
                name is None
                or not _is_one_of(Renewal.KINDS, name, holder)
                or not _is_there(statement, member.module, owner)
            ):
                return None
            found.append(Renewal(name, statement, str(member.spec.origin), owner))
            drawn.add(name)
            lines -= own
    return None if lines else found


def _idle(statements: list[ast.stmt]) -> Iterator[ast.stmt | ast.expr]:
    """What draws random numbers and keeps none of them.

    That is who writes docstrings, of which no program makes anything: an example has its numbers. And numpy's
    `RandomState` with a seed: it draws one before it takes that.
    """
    for node in (node for statement in statements for node in ast.walk(statement)):
        if isinstance(node, ast.Assign) and all(
            isinstance(one, ast.Attribute) and one.attr == "__doc__" for one in node.targets
        ):
            yield node
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "RandomState":
            seeds = [one.value for one in node.args[:1] if isinstance(one, ast.Constant)]
            if any(seed is not None for seed in seeds):
                yield node


def _executed(statements: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Those of a body one after the other; what functions and classes name is looked up later."""
    for statement in statements:
        if isinstance(statement, (ast.If, ast.Try, ast.With)):
            heads = [*ast.iter_child_nodes(statement)]
            yield from (
                ast.copy_location(ast.Expr(head), head) for head in heads if isinstance(head, ast.expr)
            )
            handlers = [one.body for one in getattr(statement, "handlers", [])]
            bodies = [getattr(statement, name, []) for name in ("body", "orelse", "finalbody")]
            for body in [*bodies, *handlers]:
                yield from _executed(body)
        elif not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield statement


def _names(statement: ast.stmt) -> set[str]:
    return {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}


def _assigned(statement: ast.stmt) -> str | None:
    """The one name that it assigns a value to."""
    target = statement.targets[0] if isinstance(statement, ast.Assign) else None
    return target.id if isinstance(target, ast.Name) else None


def _is_one_of(kinds: tuple[str, ...], name: str, holder: Any) -> bool:
    return type(getattr(holder, "__dict__", {}).get(name)).__name__ in kinds


def _contains(node: ast.stmt | ast.expr, line: int) -> bool:
    return node.lineno <= line <= (node.end_lineno or 0)


def _is_there(statement: ast.stmt, module: Any, owner: str) -> bool:
    """Whether all that it names was left where it was."""
    known = {*vars(module), *vars(builtins), *(vars(getattr(module, owner)) if owner else ())}
    return _names(statement) <= known
