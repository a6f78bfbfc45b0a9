"""Follows what modules do while they are loaded ahead: see ``_cache``."""

from __future__ import annotations

import builtins
import sys
from inspect import CO_OPTIMIZED
from types import FunctionType, ModuleType
from typing import Any, Callable

from sprintest import _modules, _private
from sprintest._effects import Tables, threading_libraries, threading_variables
from sprintest._fingerprint import file_state
from sprintest._member import Member, order, renewals
from sprintest._own import os


class Recorder:
    """Follows what modules do while they are executed."""

    def __init__(self, add: Callable[[Member], None], code: _modules.ProjectCode) -> None:
        self._add = add
        self.code = code
        self.last: Member | None = None
        self.imported_project = ""
        self._libraries = threading_libraries()
        self._stack: list[Member | None] = []
        self._tables = Tables()
        import _stest_runner as runner  # type: ignore[import-not-found]  # Of the worker; others import this too.

        self._runner = runner
        self._exempt = code.unwatched()
        runner.watch_files(self._exempt)
        runner.add_audit_listener(self._on_draw, {"stest.randomness"})
        self._imports = builtins.__import__, *_private.wrap_imports()
        find_spec, gcd_import = _private.find_spec, _private.bootstrap._gcd_import
        real_import: Any = builtins.__import__

        def _find_spec(name: str, path: Any, target: Any = None) -> Any:
            spec = find_spec(name, path, target)
            if spec is None and (top := self._top()) is not None:
                top.misses.add(name)
            return spec

        def _gcd_import(name: str, package: Any = None, level: int = 0) -> Any:
            module = gcd_import(name, package, level)
            self._note_import(_private.resolve_name(name, package, level) if level else name)
            return module

        def __import__(
            name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
        ) -> Any:
            module = real_import(name, globals, locals, fromlist, level)
            if self._top() is not None:
                self._note_import(_absolute(name, globals or {}, level))
                for item in fromlist or ():
                    self._note_item(module, str(item))
            return module

        hide = _private.as_import_system
        _private.wrap_imports(find_spec=hide(_find_spec), gcd_import=hide(_gcd_import))
        builtins.__import__ = hide(__import__)

    def end(self) -> None:
        self._runner.remove_audit_listener(self._on_draw)
        self._runner.stop_watching_files()
        builtins.__import__, find_spec, _, gcd_import = self._imports
        _private.wrap_imports(find_spec=find_spec, gcd_import=gcd_import)

    def _top(self) -> Member | None:
        return self._stack[-1] if self._stack else None

    def _note_import(self, name: str) -> None:
        if (top := self._top()) is not None and name != top.name:
            top.imports.add(name)

    def _note_item(self, module: Any, item: str) -> None:
        """``from module import item``: a submodule, or what another one has made."""
        name = f"{getattr(module, '__name__', '')}.{item}"
        if name in sys.modules:
            return self._note_import(name)
        value = getattr(module, "__dict__", {}).get(item)
        origin = getattr(value, "__module__", None) if type(value) in (type, FunctionType) else None
        if isinstance(origin, str) and origin in sys.modules:
            self._note_import(origin)
        return None

    def execute(self, spec: Any, load: Callable[[Any], Any]) -> Any:
        """Execute the module, and take down what it does."""
        self.look(spec)
        self._note_import(spec.name)
        member = None if self.code.owns_module(spec) else Member(spec, next(order))
        if member is None and self._stack:
            self.imported_project = self.imported_project or spec.name
        self._stack.append(member)
        try:
            module = load(spec)
        finally:
            self.look(spec)
            self._stack.pop()
        if member is not None:
            member.module = module
            self._note_contents(member)
            if member.draws:
                member.renewals = renewals(member)
            self._add(member)
            self.last = member
        return module

    def _note_contents(self, member: Member) -> None:
        """Code in C imports by functions that nobody can follow: what it has taken shows in its variables."""
        if not member.is_compiled:
            return
        if (libraries := threading_libraries()) != self._libraries:
            self._libraries = libraries
            member.deeds.append((next(order), "threading", "", threading_variables()))
        for value in list(getattr(member.module, "__dict__", {}).values()):
            name = value.__name__ if type(value) is ModuleType else getattr(type(value), "__module__", None)
            if isinstance(name, str) and name in sys.modules:
                member.imports.add(name)
        member.imports.discard(member.name)

    def read(self, name: str, value: str | None) -> None:
        self.look()  # It may have set it itself.
        if (top := self._top()) is not None:
            top.deeds.append((next(order), "read", name, value))

    def _on_draw(self, event: str, _: Any) -> None:
        """Somebody asks for random numbers. A library in C draws a seed for its tables when it is loaded."""
        top = self._top()
        if top is None or top.is_compiled or top.name in _private.RENEWED:
            return
        frame: Any = _private.current_frame(1)
        line = 0
        while frame is not None:
            if frame.f_globals.get("__name__") == "tempfile":
                return  # Names of files, which it draws anew in a fork.
            # Of the module's body, or of a class's in it; what a function draws is whoever's that calls it.
            if frame.f_globals.get("__name__") == top.name and not frame.f_code.co_flags & CO_OPTIMIZED:
                line = line or frame.f_lineno
            elif frame.f_globals.get("__name__") == top.name:
                line = 0
            frame = frame.f_back
        top.draws.append(line)

    def look(self, spec: Any = None) -> None:
        """Ascribe to the module that is being executed what has changed since it was last looked.

        The import system itself has looked at the file of ``spec``.
        """
        now = Tables()
        top = self._top()
        if top is not None:
            for kind, name, value in now.changes_since(self._tables):
                top.deeds.append((next(order), kind, name, value))
        if files := self._runner.watched_files():
            self._runner.watch_files(self._exempt)
            if top is not None:
                for file in files:
                    if file != getattr(spec, "origin", None):
                        self._note_file(top, file)
        self._tables = now

    @staticmethod
    def _note_file(member: Member, path: str) -> None:
        if path in sys.path:
            return  # What leads nowhere; the import system looked.
        here = os.path.join(os.getcwd(), "")
        name = path[len(here) :] if path.startswith(here) else path
        member.deeds.append((next(order), "file", name, file_state(path)))

    def forget(self) -> None:
        """The process's tables are at rest again."""
        self._tables = Tables()


def _absolute(name: str, variables: dict[str, Any], level: int) -> str:
    """What ``name`` means in a module with these variables, as the import statement has it."""
    if not level:
        return name
    package = variables.get("__package__")
    if package is None:
        package = str(variables.get("__name__", ""))
        if "__path__" not in variables:
            package = package.rpartition(".")[0]
    return str(_private.resolve_name(name, package, level))
