"""Modules that were executed before a run, and are hidden until the run itself imports them.

Such a module, loaded ahead or left by an earlier run, is in no run's ``sys.modules`` when the run begins,
and what loading it did to the process's tables (environment, paths, finders, filters of warnings, the root
logger) is undone. When the run first imports it, Python looks for it as ever. Only the last step, executing
it, is replaced: the run *adopts* the module with all that executing it would bring along, its *closure*,
and the tables change as they did then. It may, if all that the closure has looked at is the same at this
moment of this run; else the module is executed.

Where runs follow one another in one process, the project's modules are held in the same way. Those that have
changed, and all that import them, directly or not, are executed.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import sys
from collections.abc import Collection, Container, Iterable, Iterator, Set
from types import FunctionType, ModuleType
from typing import Any, Callable

from sprintest.modules import _fingerprint, _modules
from sprintest.modules._closure import Closure
from sprintest.modules._closures import Closures
from sprintest.modules._context import Context
from sprintest.modules._difference import Comparison, Difference
from sprintest.modules._effects import Tables, do_again, undo
from sprintest.modules._member import Member, order
from sprintest.modules._recorder import Recorder
from sprintest.modules._renewals import Renewals, replaced_values
from sprintest.modules._shape import shape_of
from sprintest.modules._taken import find_taken, variables_of
from sprintest.modules.residue._residue import Residue
from sprintest.process import _own, _private
from sprintest.process._traces import is_traced

#: The bytes that were executed, and what they raised.
_Failure = tuple[Any, str]


class Cache:
    """All of them, in one process and its forks."""

    def __init__(self) -> None:
        self._members: dict[str, Member] = {}
        self._adopted: set[str] = set()
        #: Those that are to be executed, and why.
        self._spoilt: dict[str, Difference] = {}
        #: What every run has: the interpreter's and pytest's modules.
        self._visible: dict[str, Any] = {}
        #: Of stest itself; what imports one has it.
        self._ours: dict[str, Any] = {}
        #: What only stest and pytest have imported, of a program that has not done so.
        self._given: dict[str, Any] = {}
        #: What the variables of each module come from. Found ahead: in a fork each look copies memory.
        self._origins: dict[str, set[str]] = {}
        #: The names of those that the program has asked for since.
        self.given: set[str] = set()
        self._is_following = False
        #: Where runs follow one another.
        self.context = Context(self._files_of)
        self._recorder: Recorder | None = None
        self._recursion_limit = 0
        self._residue = Residue(self._members)
        self._comparison = Comparison(self._loaded, self._residue.puts)
        self.renewals = Renewals(self._residue.accept)
        self._closures = Closures(
            self._members,
            self._visible,
            self._adopted,
            self._was_in_run,
            self._spoilt,
            self.renewals.done,
        )
        #: What was executed later than this is what a change may come from that is found next.
        self._collected = 0
        self._is_hiding = False
        self._rest = Tables()
        self._on_difference: Callable[[Difference, bool], bool] = lambda difference, is_pure: is_pure
        #: Of the project: what this process has executed before this run, and how it failed if it never
        #: succeeded, or what it complained of. A second time may fail because there was a first: a registry
        #: may refuse it, or warn.
        self._executed: dict[str, _Failure | str] = {}
        self._failures: dict[str, _Failure] = {}
        #: Modules of the project, in order, that this run has to execute though they were held.
        self.reloaded: list[str] = []
        #: Called with a module's name and the reason when a second execution fails.
        self.on_reload_failure: Callable[[str, str], None] = lambda name, reason: None
        #: Called when a module has been found, and is about to be executed or adopted.
        self.on_load: Callable[[Any], None] = lambda spec: None
        #: What was executed later than this, a run has executed itself.
        self._first = 0
        #: The names of what a run imports; those of adopted modules of the project are added.
        self._names: list[str] = []

    # ---- while modules are executed

    def begin(self, code: _modules.ProjectCode, *, is_ahead: bool) -> None:
        """Follow what is imported from here on, until ``end``; see ``Recorder``.

        ``is_ahead``: ahead of all runs. Else runs follow one another in this process.
        """
        if self._recorder is not None:
            return
        self._closures.forget()
        self._follow_imports()
        if is_ahead:  # To follow imports takes frames, and they may lie deep in each other.
            self._recursion_limit = sys.getrecursionlimit()
            sys.setrecursionlimit(2 * self._recursion_limit)
        self._visible.update((name, one) for name, one in sys.modules.items() if name not in self._members)
        self._comparison.begin()
        self._is_hiding = True
        self._rest = Tables()
        self._collected = next(order)
        self._residue.begin(self._all(), lambda name: not (is_ahead or code.is_ignored(name)))
        self._recorder = Recorder(
            code,
            self._members,
            self._add,
            self._failed,
            self.context.now,
            self._loaded,
            is_ahead=is_ahead,
        )

    def end(self) -> None:
        """The rest of this process's life is not recorded."""
        if self._recorder is not None:
            if self._recorder.is_ahead:
                sys.setrecursionlimit(self._recursion_limit)
            self._recorder.end()
            self._recorder = None
            self._residue.forget()

    def _follow_imports(self) -> None:
        if self._is_following:
            return
        self._is_following = True
        _, load, _ = _private.wrap_imports()

        def _load_unlocked(spec: Any) -> Any:
            self.on_load(spec)
            if spec.name in self._ours:
                return sys.modules.setdefault(spec.name, self._ours[spec.name])
            if self._is_given(spec) and self._give([spec.name]):
                return sys.modules[spec.name]
            member = self._members.get(spec.name) if self._is_hiding else None
            if member is not None and self._is_adopted(member, spec):
                return sys.modules[spec.name]
            if self._recorder is not None:
                return self._recorder.execute(spec, load)
            return load(spec)

        _private.wrap_imports(load_unlocked=_private.as_import_system(_load_unlocked))

    def hide(self) -> None:
        """Take what runs have not asked for out of sight, and undo what it did to the process."""
        hidden = []
        for name in [name for name in sys.modules if name not in self._visible]:
            member = self._members.get(name)
            if member is None and self._is_in_run():
                _modules.unload(name)
                continue
            module = sys.modules.pop(name)
            if member is None:
                self._give_to_owner(name, module)
                continue
            # A library may have put another one in its place; in a run, a test.
            if member.module is not module:
                self._closures.forget()
            if not self._is_in_run() or member.module is module:
                member.module = module
            hidden.append(member)
        for effect in [effect for one in hidden for effect in one.effects]:
            undo(effect)
        self._residue.undo()
        if self._recorder is not None and self._recorder.is_ahead:
            self._residue.collect(self._executed_since(), self._brought())
        self._unbind(hidden)
        self._adopted.clear()
        self.renewals.forget()
        self._is_hiding = True
        self._rest.restore()
        if self._recorder is not None:
            self._recorder.forget()

    def hide_ours(self) -> None:
        """Take stest's own modules out of sight. To import one gives it back."""
        self._follow_imports()
        for name in list(sys.modules):
            if name.partition(".")[0] in ("sprintest", "_stest_runner"):
                self._ours[name] = sys.modules.pop(name)

    def hide_given(self, at_start: Container[str]) -> None:
        """Take out of sight what a program has not imported, though stest and pytest have.

        To import one gives it back: the same module, lest two of one name meet.
        """
        for name in [name for name in sys.modules if name not in at_start and name != "__main__"]:
            self._given[name] = sys.modules.pop(name)

    def _is_given(self, spec: Any) -> bool:
        found = getattr(self._given.get(spec.name), "__spec__", None)
        return found is not None and found.origin == spec.origin and type(found.loader) is type(spec.loader)

    def _give(self, names: Iterable[str]) -> bool:
        """Give them back, with all that their variables come from; false if another copy of one is there."""
        found: dict[str, Any] = {}
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if name in found or name not in self._given:
                continue
            found[name] = self._given[name]
            waiting.append(name.rpartition(".")[0])
            waiting += self._origins.get(name, ())
        if any(name in sys.modules for name in found):
            return False
        sys.modules.update(found)
        self.given.update(found)
        for name in found:
            del self._given[name]
        return True

    def _give_needed(self, member: Member) -> None:
        """Give those back that the closure of a member needs, if it is adopted."""
        if self._given:
            self._give(self._closures.needed(member))

    def _is_in_run(self) -> bool:
        """Whether tests may have put something into ``sys.modules``, and not only libraries."""
        return self._recorder is not None and not self._recorder.is_ahead

    def _unbind(self, hidden: list[Member]) -> None:
        """Take those out of their packages that importing the package does not bring along."""
        brought: dict[str, Collection[str]] = {}
        for member in hidden:
            package = self._members.get(member.package)
            if package is not None and member.is_brought is None and not member.is_own:
                if package.name not in brought:
                    brought[package.name] = self._closures.reachable(package)[0].keys()
                member.is_brought = member.name in brought[package.name]
            if member.is_brought and not member.is_own:
                continue
            siblings = getattr(self._loaded(member.package), "__dict__", {})
            child = member.name.rpartition(".")[2]
            if siblings.get(child) is member.module:
                if not member.bound:
                    member.bound = True
                    self._closures.forget()
                del siblings[child]

    def _executed_since(self) -> dict[str, Member]:
        """What was executed since this was asked last."""
        last, self._collected = self._collected, next(order)
        return {name: one for name, one in self._members.items() if one.order > last}

    def settle(self) -> None:
        """This process has forked: libraries with objects that are about forks and locks have seen it."""
        self._residue.settle()

    def tests_begin(self) -> None:
        """What has changed until now was done by imports, in a process that stays."""
        self.context.tests_begin()
        executed = self._executed_since()
        # What the tests' files do is theirs: each run executes them, and `rest` undoes it.
        theirs = {name for name, one in executed.items() if _private.is_rewriting(one.spec.loader)}
        if theirs != executed.keys():  # Else no change need be found: this takes as long as many tests.
            self._residue.record(executed)
        elif executed:
            self._residue.take_new_loggers(executed)
        for name in self._residue.entangled({name for name, one in executed.items() if one.uncacheable}):
            self.make_uncacheable(name, "what it changes is not to be told from what another module does")
        self._residue.leave_to(theirs)

    def rest(self) -> None:
        """Undo what tests have changed of libraries, between two runs."""
        self._residue.restore()

    def _brought(self) -> Callable[[str], frozenset[str]]:
        """What comes with a module, by its name."""

        @functools.cache
        def brought(name: str) -> frozenset[str]:
            member = self._members.get(name)
            return frozenset(self._closures.reachable(member)[0]) if member is not None else frozenset()

        return brought

    def _give_to_owner(self, name: str, module: Any) -> None:
        """Somebody put it into ``sys.modules`` without an import: the package it lies in, as a rule."""
        recorder = self._recorder
        if recorder is None:
            return
        spec = getattr(module, "__spec__", None) if isinstance(module, ModuleType) else None
        if spec is not None and recorder.code.owns_module(spec):
            return  # Some module has imported the project's code, which makes it uncacheable.
        owner = name
        while owner and owner not in self._members:
            owner = owner.rpartition(".")[0]
        member = self._members.get(owner) or recorder.last
        if member is not None:
            member.extras[name] = module

    def _add(self, member: Member) -> None:
        if member.name in self._members:
            self._residue.drop([member.name])
        self._members[member.name] = member
        self._closures.forget()
        if not (member.is_own and self._is_in_run()):
            self._residue.take(member.name, member.module)
        else:
            if not member.uncacheable:
                member.shape = shape_of(member.module)
            if member.complaint and self._executed.get(member.name, member.complaint) != member.complaint:
                self.on_reload_failure(member.name, member.complaint)
        self._spoilt.pop(member.name, None)
        self._comparison.learn(member)

    def _failed(self, member: Member, error: BaseException) -> None:
        """It could not be executed. What was loaded for it holds on to a module that is no more."""
        for other in self._members.values():
            if other.is_own and other.order >= member.order:
                other.uncacheable = other.uncacheable or f"{member.name}, which imported it, has failed"
        source = _fingerprint.digest(member.spec.origin) if member.spec.has_location else None
        failure = self._failures[member.name] = (source, f"{type(error).__name__}: {error}")
        if self._executed.get(member.name, failure) != failure:
            self.on_reload_failure(member.name, failure[1])

    @contextlib.contextmanager
    def in_sight(self) -> Iterator[None]:
        """Everything is in sight: for what stest itself has a library do."""
        if not self._is_hiding:
            yield
            return
        self._is_hiding = False
        self._rest = Tables()
        if self._members:
            closure = Closure(next(iter(self._members.values())), self._members.values(), {})
            self._install(closure, closure.names, silently=True)
        try:
            yield
        finally:
            self.hide()

    def knows(self, name: str) -> bool:
        """Whether it was loaded ahead, and is not in every run's sight."""
        return self._is_hiding and name in self._members

    def libraries(self) -> dict[str, Any]:
        """All modules that this process has loaded, hidden or not, but those of the project that it holds."""
        hidden = {name: one.module for name, one in self._members.items() if not one.is_own}
        return {**hidden, **sys.modules}

    def _all(self) -> dict[str, Any]:
        return {**{name: one.module for name, one in self._members.items()}, **sys.modules}

    def find(self, name: str) -> Any:
        """The module of that name that this process has loaded, in sight or not."""
        member = self._members.get(name)
        return sys.modules.get(name) if member is None else member.module

    def cannot_be_fresh(self, name: str) -> str:
        """Why runs would have to load ``name`` a second time, where that cannot be; empty if not so."""
        member = self._members.get(name)
        found = self._closures.reachable(member)[0].values() if member is not None else ()
        drawing = [one for one in found if one.is_of_its_process and one.draws]
        if not drawing or not any(one.is_compiled for one in found):
            return ""
        first = min(drawing, key=lambda one: one.order)
        return f"{first.kinds[0]} when imported ({first.name})"

    def imported_project(self) -> str:
        """The first module of the project that what was loaded ahead has imported; empty if there is none."""
        return self._recorder.imported_project if self._recorder is not None else ""

    def reads(self) -> dict[str, str | None]:
        """The variables that were read by what was loaded ahead, and their values."""
        return dict(self._recorder.reads) if self._recorder is not None else {}

    def readers(self) -> dict[str, str]:
        """The first module that read each of them."""
        found: dict[str, str] = {}
        for member in sorted(self._members.values(), key=lambda one: one.order):
            for _, kind, name, _ in member.effects:
                if kind == "read":
                    found.setdefault(name, member.name)
        return found

    def note_warning(self, warning: Any) -> None:
        """Somebody warns."""
        if self._recorder is not None:
            self._recorder.warned(warning)

    # ---- while a run imports

    def begin_run(self, on_difference: Callable[[Difference, bool], bool], names: list[str]) -> None:
        """``on_difference`` says whether a module is to be executed because of it.

        It is told whether that can be done a second time in one process. ``names``: what the run imports.
        """
        self._on_difference, self._names = on_difference, names
        self._first = next(order)
        self.context.begin_run()
        self._rest = Tables()

    def _is_adopted(self, member: Member, spec: Any) -> bool:
        """Whether the run has the module now, without executing it."""
        if self._was_in_run(member):
            return False  # Once in a run: what has left `sys.modules` since is executed.
        self._give_needed(member)
        closure: Closure | None = None
        rest: Set[str] = frozenset()
        try:
            closure, rest, difference = self._closures.of(member)
            difference = self._spoilt.get(member.name) or difference or self._difference(closure, rest, spec)
        except Exception as error:
            difference = Difference(member, f"an error in stest itself: {type(error).__name__}: {error}")
        can_be_repeated = closure is None or closure.can_be_repeated(rest)
        if difference is not None and self._is_executed(member, difference, can_be_repeated):
            return False
        closure = closure or Closure(member, [member], {})
        self._adopted |= rest
        self._install(closure, rest)
        return True

    def _was_in_run(self, member: Member) -> bool:
        """Whether this run has adopted or executed it."""
        return member.name in self._adopted or (self._is_in_run() and member.order > self._first)

    def _is_executed(self, member: Member, difference: Difference, can_be_repeated: bool) -> bool:
        """Whether it is, because of that. Of what it imports each is then looked at by itself."""
        if member.is_own:
            if member.is_compiled:  # The file is a library that the process has already.
                self.on_reload_failure(member.name, "it is a compiled module")
            if not difference.member.is_own:
                difference = Difference(member, difference.reason)
        elif not self._on_difference(difference, can_be_repeated):
            return False
        if member.name not in self._spoilt:
            self._spoil(difference)
            self._spoilt[member.name] = difference
        return True

    def _spoil(self, difference: Difference) -> None:
        """A module is executed: whatever imports it is so as well, lest old and new ones meet."""
        for name in self._closures.dependents([difference.member.name]):
            if name not in self._spoilt:
                self._spoilt[name] = difference
                if self._members[name].is_own:
                    self.reloaded.append(name)

    def prepare(self, names: Iterable[str]) -> None:
        """No more is loaded ahead: make tables for runs that import these modules, in this order."""
        self._residue.prepare()
        installed = [one for one in self._members.values() if not one.is_own]
        replaced = replaced_values(installed)
        find_taken(installed, self._loaded, self._is_renewed, replaced, self._residue.places())
        self._closures.prepare(names)
        self._origins = {name: _origins(module) for name, module in sys.modules.items()}

    def _is_renewed(self, name: str) -> bool:
        member = self._members.get(name)
        return member is not None and bool(member.is_own or member.fresh or member.perhaps_fresh)

    def _difference(self, closure: Closure, rest: Set[str], spec: Any) -> Difference | None:
        member = closure.member
        if not member.leads_to(spec):
            return Difference(member, f"an import of {member.name} leads elsewhere now")
        if spoilt := self._spoilt.keys() & rest:
            return Difference(member, self._spoilt[min(spoilt)].reason)
        if member.is_own and is_traced():
            return Difference(member, "something watches which lines are executed")
        if member.is_own and _own.is_environ_replaced():
            return Difference(member, "os.environ is another object now")
        place = self.context.now() if member.is_own else None
        if place is not None and (found := [one for _, one in closure.own if one.context != place]):
            return Difference(found[0], "what the tests do before they import it is not the same")
        if change := self._residue.other_base(rest):
            return Difference(member, f"what {', '.join(sorted(change.writers))} changed is another now")
        if later := self._closures.later(closure):
            closure = Closure(member, [*closure.members, *later], {})
            rest = closure.names
        return self._comparison.find(closure, rest)

    def _install(self, closure: Closure, rest: Set[str], *, silently: bool = False) -> None:
        if len(rest) == len(closure.names):
            sys.modules.update(closure.modules)
        else:
            sys.modules.update((name, one) for name, one in closure.modules.items() if name in rest)
        for name, extras in closure.extras:
            if name in rest:
                sys.modules.update(extras)
        for name, one in closure.bound:
            if name in rest:
                setattr(self._loaded(one.package), name.rpartition(".")[2], one.module)
        if self._recorder is None or self._is_in_run():  # Else what is loaded ahead takes them over.
            self.renewals.do(closure, rest)
        may_log = not logging.root.handlers
        self._residue.redo(rest)
        for effect, name, _ in closure.effects:
            is_silent = silently and effect[1] == "warning"
            if name in rest and (may_log or effect[2] != "root") and not is_silent:
                do_again(effect, rest)
        self._names += [name for name, _ in closure.own]

    def end_run(self) -> str:
        """Hide what the run had, and drop what no other may have; why this process must end, or nothing."""
        executed = [one for one in self._members.values() if one.order > self._first]
        for one in executed:
            if one.is_own and not _private.is_rewriting(one.spec.loader):
                self._executed.setdefault(one.name, one.complaint)
        for name, failure in self._failures.items():
            self._executed.setdefault(name, failure)
        self._failures.clear()
        used = [*executed, *(self._members[name] for name in self._adopted if name in self._members)]
        passing = [one for one in used if one.uncacheable or (one.is_of_its_process and one.draws)]
        # What tests have imported may have changed others, or the tests have: it is not known, and not kept.
        writers = self._residue.writers_among(self._executed_since())
        passing += [one for one in used if one.name in writers]
        passing += [one for one in used if one.is_own and not one.uncacheable and self._was_changed(one)]
        passing += [one for one in used if self._has_gone(one)]
        spoilt = [name for name in self._spoilt if name in self._members and self._members[name].is_own]
        gone = [
            self._members[name]
            for name in self._closures.dependents([*(one.name for one in passing), *spoilt])
        ]
        for one in sorted(gone, key=lambda one: -one.name.count(".")):
            _modules.unload(one.name)
            del self._members[one.name]
            self._spoilt.pop(one.name, None)
        kept = [one for one in executed if one.is_own and one.name in self._members]
        for one, place in zip(kept, self.context.complete(one.context for one in kept)):
            one.context = place
        for one in used:
            getattr(one.module, "__dict__", {}).pop("__warningregistry__", None)
        self.hide()
        self._residue.drop(one.name for one in gone)
        compiled = [one.name for one in gone if one.is_compiled]
        return f"{compiled[0]} cannot be loaded a second time" if compiled else ""

    @staticmethod
    def _has_gone(member: Member) -> bool:
        """Whether nothing holds it, or tests have taken one of the project out of ``sys.modules``."""
        module = member.module
        return module is None or (member.is_own and sys.modules.get(member.name) is not module)

    @staticmethod
    def _was_changed(member: Member) -> bool:
        """Whether a module of the project holds something else than when it had been executed."""
        has_contents = isinstance(member.module, ModuleType) and member.spec.has_location
        return has_contents and (member.shape is None or shape_of(member.module) != member.shape)

    # ---- the project's modules

    def forget_changed(self) -> list[str]:
        """Have this run execute what has changed on disk, and what imports it; return what has changed."""
        self.reloaded = []
        owned = [one for one in self._members.values() if one.is_own]
        files = [(one, file) for one in owned for file in one.files.values()]
        places = _fingerprint.suspects([file for _, file in files])
        changed = [one for one in dict.fromkeys(files[i][0] for i in places) if not one.is_current()]
        for one in changed:
            self._spoil(Difference(one, f"{one.name} has changed"))
        return [one.name for one in changed]

    def _files_of(self, names: frozenset[str]) -> list[str]:
        """What modules of the project with these names are made from, and what they import of it."""
        found: dict[str, str] = {}
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            member = self._members.get(name)
            if member is not None and member.is_own and name not in found:
                found[name] = str(member.spec.origin)
                waiting += (*member.imports, *member.later)
        return sorted(found.values())

    def stale_extension(self) -> str:
        """The name of a compiled module that changed: a process cannot load another one in its place."""
        stale = (one.name for one in self._members.values() if one.is_own and one.is_compiled)
        return next((name for name in stale if not self._members[name].is_current()), "")

    def is_at_risk(self) -> bool:
        """Whether this run may yet have to execute something for the second time in this process."""
        return any(name not in self._members or name in self._spoilt for name in self._executed)

    def loading(self) -> Member | None:
        """The module of the project that this thread is executing."""
        return self._recorder.own_top() if self._recorder is not None else None

    def is_loading_library(self) -> bool:
        """Whether this thread is executing a module that is not the project's."""
        top = self._recorder.top() if self._recorder is not None else None
        return top is not None and not top.is_own

    def make_uncacheable(self, name: str, reason: str) -> None:
        """No other run may use the module ``name``."""
        if (member := self._members.get(name)) is not None:
            member.uncacheable = reason

    def _loaded(self, name: str) -> Any:
        member = self._members.get(name)
        return member.module if member is not None else self._visible.get(name)


# Read so, the attributes of a proxy run no code.
_dictionary_of: Any = vars(type)["__dict__"].__get__


def _origins(module: Any) -> set[str]:
    """The names of the modules that its variables come from."""
    if not issubclass(type(module), ModuleType):
        return set()
    return {origin for value in variables_of(module).values() if (origin := _origin(value))}


def _origin(value: Any) -> str:
    """The name of the module that a variable's value is, or comes from."""
    kind = type(value)
    if issubclass(kind, ModuleType):
        return str(variables_of(value).get("__name__", ""))
    if kind is FunctionType:
        return str(value.__module__)
    return str(_dictionary_of(value).get("__module__", "")) if issubclass(kind, type) else ""


cache = Cache()
