"""Modules that were loaded ahead, and are hidden until a run itself imports them.

A module that was loaded ahead is in no run's ``sys.modules`` when the run begins, and what loading it did
to the process's tables (environment, paths, finders, the root logger) is undone. When the run first imports
it, Python looks for it as ever. Only the last step, executing it, is replaced: the run *adopts* the module
with all that executing it would bring along, its *closure*, and the tables change as they did then. It may,
if all that the closure has looked at is the same at this moment of this run; else the module is executed.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any, Callable

from sprintest import _modules, _private
from sprintest._difference import Comparison, Difference, is_same_spec
from sprintest._effects import Tables, do_again
from sprintest._member import Member, can_be_repeated
from sprintest._recorder import Recorder


class Cache:
    """All of them, in one process and its forks."""

    def __init__(self) -> None:
        self._members: dict[str, Member] = {}
        self._adopted: set[str] = set()
        #: Those that are to be executed, and why.
        self._spoilt: dict[str, Difference] = {}
        #: What every run has: the interpreter's, pytest's and stest's own modules.
        self._visible: dict[str, Any] = {}
        #: By module: what its variables held when it was loaded, and what they hold in this run.
        self._renewed: dict[str, list[tuple[Any, Any]]] = {}
        self._comparison = Comparison(self._loaded)
        self._recorder: Recorder | None = None
        self._is_hiding = False
        self._rest = Tables()
        self._on_difference: Callable[[Difference, bool], bool] = lambda difference, is_pure: True

    # ---- while modules are loaded ahead

    def begin(self, code: _modules.ProjectCode) -> None:
        """Follow what is imported from here on, until ``end``."""
        if self._recorder is not None:
            return
        if not self._visible:
            self._visible = dict(sys.modules)
            self._follow_imports()
        self._comparison.begin()
        self._is_hiding = True
        self._rest = Tables()
        self._recorder = Recorder(self._add, code)

    def end(self) -> None:
        """The rest of this process's life is not recorded."""
        if self._recorder is not None:
            self._recorder.end()
            self._recorder = None

    def _follow_imports(self) -> None:
        _, load, _ = _private.wrap_imports()

        def _load_unlocked(spec: Any) -> Any:
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
            module = sys.modules.pop(name)
            member = self._members.get(name)
            if member is not None:
                member.module = module  # A library may have put another one in its place.
                hidden.append(member)
            elif self._recorder is not None:
                self._give_to_owner(name, module, self._recorder)
        self._unbind(hidden)
        self._adopted.clear()
        self._renewed.clear()
        self._is_hiding = True
        self._rest.restore()
        if self._recorder is not None:
            self._recorder.forget()

    def _unbind(self, hidden: list[Member]) -> None:
        """Take those out of their packages that importing the package does not bring along."""
        brought: dict[str, set[str]] = {}
        for member in hidden:
            package = self._members.get(member.package)
            if package is not None and member.is_brought is None:
                if package.name not in brought:
                    brought[package.name] = {one.name for one in self._closure(package)[0]}
                member.is_brought = member.name in brought[package.name]
            if member.is_brought:
                continue
            siblings = getattr(self._loaded(member.package), "__dict__", {})
            child = member.name.rpartition(".")[2]
            if siblings.get(child) is member.module:
                member.bound = True
                del siblings[child]

    def _give_to_owner(self, name: str, module: Any, recorder: Recorder) -> None:
        """Somebody put it into ``sys.modules`` without an import: the package it lies in, as a rule."""
        spec = getattr(module, "__spec__", None) if isinstance(module, ModuleType) else None
        if spec is not None and recorder.code.owns_module(spec):
            return  # Some module has imported the project's code, which makes it unfit.
        owner = name
        while owner and owner not in self._members:
            owner = owner.rpartition(".")[0]
        member = self._members.get(owner) or recorder.last
        if member is not None:
            member.extras[name] = module

    def _add(self, member: Member) -> None:
        self._members[member.name] = member
        self._comparison.learn(member)

    def reveal(self) -> None:
        """Put everything in sight, until ``hide``: for what does not look at one module after the other."""
        if self._is_hiding:
            self._is_hiding = False
            self._rest = Tables()
            self._install(sorted(self._members.values(), key=lambda member: member.order))

    @contextlib.contextmanager
    def in_sight(self) -> Iterator[None]:
        """For what stest itself has a library do."""
        was_hiding = self._is_hiding
        self.reveal()
        try:
            yield
        finally:
            if was_hiding:
                self.hide()

    def _write_environment(self) -> None:
        """Set the variables that modules set when they were loaded, in an environment that is new."""
        if not self._is_hiding:
            for deed in sorted(deed for one in self._members.values() for deed in one.deeds):
                if deed[1] == "write":
                    do_again(deed)

    def knows(self, name: str) -> bool:
        """Whether it was loaded ahead, and is not in every run's sight."""
        return self._is_hiding and name in self._members

    def everything(self) -> dict[str, Any]:
        """All modules that this process has loaded, hidden or not."""
        return {**{name: member.module for name, member in self._members.items()}, **sys.modules}

    def find(self, name: str) -> Any:
        """The module of that name that this process has loaded, in sight or not."""
        member = self._members.get(name)
        return sys.modules.get(name) if member is None else member.module

    def cannot_be_fresh(self, name: str) -> str:
        """The module for whose random numbers runs would have to load ``name`` a second time, but cannot."""
        member = self._members.get(name)
        closure = self._closure(member)[0] if member is not None else []
        drawn = [one.name for one in closure if one.draws and not one.renewals]
        return drawn[0] if drawn and not can_be_repeated(closure) else ""

    def imported_project(self) -> str:
        """The first module of the project that what was loaded ahead has imported; empty if there is none."""
        return self._recorder.imported_project if self._recorder is not None else ""

    def note_read(self, name: str, value: str | None) -> None:
        """The variable was read, and had this value."""
        if self._recorder is not None:
            self._recorder.read(name, value)

    # ---- while a run imports

    def begin_run(self, on_difference: Callable[[Difference, bool], bool]) -> None:
        """``on_difference`` says whether a module is to be executed because of it.

        It is told whether that can be done a second time in one process.
        """
        self._on_difference = on_difference
        self._comparison.begin_run()
        self._write_environment()

    def _is_adopted(self, member: Member, spec: Any) -> bool:
        """Whether the run has the module now, without executing it."""
        if member.name in self._adopted:
            return False  # Once in a run: what has left `sys.modules` since is executed.
        closure: list[Member] = []
        try:
            closure, difference = self._closure(member)
            difference = (
                self._spoilt.get(member.name) or difference or self._difference(member, spec, closure)
            )
        except Exception as error:
            difference = Difference(member, f"an error in stest itself: {type(error).__name__}: {error}")
        if difference is not None and self._on_difference(difference, can_be_repeated(closure)):
            self._spoil(difference)
            self._spoilt[member.name] = difference
            return False
        self._adopted.update(one.name for one in closure)
        self._install(closure)
        return True

    def _spoil(self, difference: Difference) -> None:
        """A module is executed: whatever imports it is so as well, lest old and new ones meet."""
        waiting = [difference.member.name]
        importers: dict[str, list[str]] = {}
        for name, one in self._members.items():
            for imported in (*one.imports, one.package):
                importers.setdefault(imported, []).append(name)
        while waiting:
            name = waiting.pop()
            if name not in self._spoilt:
                self._spoilt[name] = difference
                waiting += importers.get(name, [])

    def _closure(self, member: Member) -> tuple[list[Member], Difference | None]:
        """What importing it would load in this run, in order; and what stands in its way, if anything."""
        loaded, members, visible = sys.modules, self._members, self._visible
        found = {member.name: member}
        waiting = [member]
        difference = None
        while waiting:
            one = waiting.pop()
            for name in (*one.imports, one.package):
                if name in found or not name:
                    continue
                other = members.get(name)
                if other is None:
                    if name in visible and loaded.get(name) is not visible[name]:
                        difference = Difference(one, f"{name} is another module now")
                elif name in loaded:
                    if loaded[name] is not other.module:
                        difference = Difference(one, f"{name} is another module now")
                elif name in self._adopted:
                    difference = Difference(one, f"{name} was imported before, and has gone")
                else:
                    found[name] = other
                    waiting.append(other)
        return sorted(found.values(), key=lambda one: one.order), difference

    def _difference(self, member: Member, spec: Any, closure: list[Member]) -> Difference | None:
        if not is_same_spec(member, spec):
            return Difference(member, f"an import of {member.name} leads elsewhere now")
        for one in closure:
            if one.name in self._spoilt:
                return self._spoilt[one.name]
        return self._comparison.find(member, closure)

    def _install(self, closure: list[Member]) -> None:
        for one in closure:
            sys.modules[one.name] = one.module
            sys.modules.update(one.extras)
        for one in closure:
            if one.bound:
                setattr(self._loaded(one.package), one.name.rpartition(".")[2], one.module)
        if self._recorder is None:  # What is loaded ahead by means of it draws nothing itself.
            self._renew(closure)
        may_log = not logging.root.handlers
        for deed in sorted(deed for one in closure for deed in one.deeds):
            if may_log or deed[2] != "root":
                do_again(deed)

    def _renew(self, closure: list[Member]) -> None:
        """Have random numbers that modules drew drawn again, also where others have taken them over."""
        for one in closure:
            for renewal in one.renewals:
                self._renewed.setdefault(one.name, []).append(renewal.renew(one.module))
        for one in closure if self._renewed else ():
            for name in one.imports & self._renewed.keys():
                variables = getattr(one.module, "__dict__", {})
                for old, new in self._renewed[name]:
                    for key in [key for key, value in variables.items() if value is old]:
                        variables[key] = new

    def _loaded(self, name: str) -> Any:
        member = self._members.get(name)
        return member.module if member is not None else self._visible.get(name)


cache = Cache()
