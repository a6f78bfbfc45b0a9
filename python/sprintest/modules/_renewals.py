"""What differs in each process, such as random numbers: made again for the runs that adopt a module."""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Callable, Iterable, Iterator, Set
from types import CodeType, FunctionType
from typing import Any

from sprintest.modules._closure import Closure
from sprintest.modules._member import Member
from sprintest.process._own import runner


class Renewals:
    """The variables that this run has made again, of the modules that it has adopted.

    ``accept`` is told of dictionaries and classes that change by this.
    """

    def __init__(self, accept: Callable[[Any], None]) -> None:
        self._accept = accept
        #: By module.
        self.done: dict[str, list[_Renewed]] = {}
        self._are_kept = False
        self.is_under_way = False
        #: Called before the variables of a member are made again.
        self.on_begin: Callable[[Member], None] = lambda member: None

    def are_kept(self, executed: Iterable[CodeType]) -> bool:
        """Whether the run may hold a random number that was drawn for it, or something made from one.

        A fork of the run would have the same, which no two runs may have. ``executed``: what the project has
        executed. It has nothing from a number that it does not name and nobody has taken over, and nothing
        from a generator that is in its first state. A function of the library may have made something from a
        number, and the project may have kept that: this is not seen.
        """
        self._look_for_kept()
        names = {one.name for one in self._drawn() if one.state is None}
        return self._are_kept or any(map(names.__contains__, _words(executed) if names else ()))

    def _drawn(self) -> Iterator[_Renewed]:
        return (one for of_module in self.done.values() for one in of_module if one.is_drawn)

    def _look_for_kept(self) -> None:
        self._are_kept = self._are_kept or any(one.has_spread() for one in self._drawn())

    def forget(self) -> None:
        """Another run begins."""
        self.done.clear()
        self._are_kept = False

    def do(self, closure: Closure, rest: Set[str]) -> None:
        """Make them again for those of ``rest``, also where others have taken them over."""
        self._look_for_kept()
        renewing = [one for name, one in closure.renewing if name in rest]
        for one in renewing:
            self.on_begin(one)
        self.is_under_way = True
        for one in renewing:
            self.done[one.name] = [_Renewed(one, renewal) for renewal in one.renewals or ()]
            for renewed in self.done[one.name]:
                renewed.renew(self._accept)
        self.is_under_way = False
        self._pass_on(closure, rest)
        self._look()

    def _pass_on(self, closure: Closure, rest: Set[str]) -> None:
        """Have those that have taken one over hold the new one."""
        for taker, one, taken in closure.takers if self.done else ():
            variables = getattr(one.module, "__dict__", {})
            if taker not in rest or not isinstance(variables, dict):
                continue  # A class in the module's place.
            for name in taken & self.done.keys():
                for renewed in self.done[name]:
                    renewed.replace_in(variables)
                self._accept(variables)

    def _look(self) -> None:
        for one in self._drawn():
            one.look()

    def repeat(self) -> None:
        """Make them again in a fork of the process that has adopted the modules."""
        self.is_under_way = True
        for of_module in self.done.values():
            for renewed in of_module:
                renewed.renew(self._accept)
        self.is_under_way = False
        self._look()


class _Renewed:
    """A variable of an adopted module, made again for this run, and those that have taken it over."""

    def __init__(self, member: Member, renewal: Renewal) -> None:
        self._renewal, self._module = renewal, member.module
        self.name = renewal.name
        self.is_drawn = member.draws
        #: What it held when the module was loaded, and what it holds now.
        self._loaded: Any = None
        self._value: Any = None
        self._is_renewed = False
        #: Who has taken it over: variables of a module, and the name there.
        self._takers: list[tuple[dict[str, Any], str]] = []
        #: Of a random generator; ``None`` if it is no such.
        self.state: Any = None
        self._holders = 0

    def renew(self, accept: Callable[[Any], None]) -> None:
        """Make it again, unless it is another since."""
        if self._is_renewed and self._renewal.value(self._module) is not self._value:
            return
        last, self._value = self._renewal.renew(self._module)
        accept(self._renewal.holder(self._module))
        if not self._is_renewed:
            self._is_renewed, self._loaded = True, last
        for variables, key in self._takers:
            if variables.get(key) is last:
                variables[key] = self._value
                accept(variables)

    def replace_in(self, variables: dict[str, Any]) -> None:
        """Put it in the place of what a module holds that was loaded with it."""
        if _is_everywhere(self._loaded):
            return  # Nothing tells where it comes from.
        for key in runner.names_of(variables, self._loaded):
            variables[key] = self._value
            self._takers.append((variables, key))

    def look(self) -> None:
        """Remember how it is now: other variables hold it by now, or are drawn from it."""
        self.state = _state(self._value)
        self._holders = sys.getrefcount(self._value)

    def has_spread(self) -> bool:
        """Whether somebody else may hold it since, or has drawn from it."""
        return (
            _is_everywhere(self._value)
            or sys.getrefcount(self._value) != self._holders
            or _state(self._value) != self.state
        )


def replaced_values(members: Iterable[Member]) -> set[int]:
    """The identities of the values that each run replaces, also where other modules have taken them over."""
    values = [one.value(member.module) for member in members for one in member.renewals or ()]
    return {id(value) for value in values if not _is_everywhere(value)}


def _is_everywhere(value: Any) -> bool:
    """Whether Python has only one such value, which anybody may hold for another reason."""
    return type(value) is bool or (type(value) is int and -5 <= value <= 256)


def _state(value: Any) -> Any:
    """The state of a random generator, or of the one that a method belongs to; else ``None``."""
    generator = getattr(value, "__self__", value)
    if type(generator).__name__ == "Random":
        return generator.getstate()
    bits = getattr(generator, "bit_generator", None)
    return repr(bits.state) if bits is not None else None


def _words(executed: Iterable[CodeType]) -> Iterator[str]:
    """All names and texts in code, and in the functions and classes in it."""
    for code in executed:
        yield from code.co_names
        yield from (one for one in code.co_consts if type(one) is str)
        yield from _words(one for one in code.co_consts if type(one) is CodeType)


class Renewal:
    """A statement ``NAME = …`` of a module, or of a class in it, whose value differs in each process."""

    #: The types that the value may have: only its holder knows such an object.
    KINDS = (
        *("bool", "str", "bytes", "int", "float", "UUID", "Random", "SystemRandom", "Generator"),
        *("datetime", "date", "time", "struct_time"),
        *("method", "builtin_function_or_method"),  # Methods of such a generator.
    )

    #: Values of these types count as kept if a function of the module has asked for one.
    TIMES = ("int", "float", "UUID", "datetime", "date", "time", "struct_time")

    def __init__(self, name: str, statement: ast.stmt, path: str, owner: str) -> None:
        self.name = name
        self._code = compile(ast.Module([statement], []), path, "exec")
        self._owner = owner

    def holder(self, module: Any) -> Any:
        """The module's variables, or the class in it, that hold the value."""
        return self._owned(module) if self._owner else vars(module)

    def _owned(self, module: Any) -> Any:
        return getattr(module, self._owner) if self._owner else module

    def value(self, module: Any) -> Any:
        """What it holds; ``None`` if it has gone."""
        return vars(self._owned(module)).get(self.name)

    def renew(self, module: Any) -> tuple[Any, Any]:
        """Return the old value and the new."""
        owner = self._owned(module)
        variables = dict(vars(owner))
        old = variables[self.name]
        exec(self._code, vars(module), variables)
        setattr(owner, self.name, variables[self.name])
        return old, variables[self.name]


class _DefaultRenewal(Renewal):
    """The default value of a function's parameter. ``place``: its number, or its name."""

    def __init__(self, function: FunctionType, place: int | str, value: ast.expr, owner: str) -> None:
        self._function, self._place, self._owner = function, place, owner
        self.name = function.__name__
        self._code = compile(ast.Expression(value), function.__code__.co_filename, "eval")

    def value(self, module: Any) -> Any:
        return self._defaults()[self._place]

    def renew(self, module: Any) -> tuple[Any, Any]:
        old, defaults = self.value(module), self._defaults()
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
    """Each default value of a function that is still the one from its definition."""
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
    """The renewals for all such values, and for what was made from them; ``None`` if that is impossible."""
    source = member.source()
    try:
        body = ast.parse(source).body if source is not None else None
    except (SyntaxError, ValueError):
        return None
    if body is None:  # It is in an archive, or there is only bytecode.
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
            if own and type(renewal.value(member.module)).__name__ in Renewal.KINDS:
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
                lines -= own  # It does not keep the value.
                continue
            if name is not None and not own and name not in getattr(holder, "__dict__", {}):
                continue  # The statement is in a branch that was not taken.
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
    """Code that draws random numbers and keeps none that matters.

    It sets a docstring, with numbers in an example, which no program uses. Or it makes numpy's `RandomState`
    with a seed, which draws a number before it takes the seed.
    """
    for node in (node for statement in statements for node in ast.walk(statement)):
        if isinstance(node, ast.Assign) and all(
            isinstance(one, ast.Attribute) and one.attr == "__doc__" for one in node.targets
        ):
            yield node
        if (
            isinstance(node, ast.Call)
            and getattr(node.func, "attr", getattr(node.func, "id", "")) == "RandomState"
        ):
            seeds = [one.value for one in node.args[:1] if isinstance(one, ast.Constant)]
            if any(seed is not None for seed in seeds):
                yield node


def _executed(statements: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a body in order, without functions and classes, which look up their names later."""
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
    """Whether all names in the statement still exist."""
    known = {*vars(module), *vars(builtins), *(vars(getattr(module, owner)) if owner else ())}
    return _names(statement) <= known
