"""Records what modules do while they are executed: see ``_cache``."""

from __future__ import annotations

import builtins
import contextlib
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from inspect import CO_OPTIMIZED
from types import FunctionType, ModuleType
from typing import Any, Callable

from sprintest.modules import _effects, _graph, _modules, _side_effects
from sprintest.modules._context import Place
from sprintest.modules._effects import (
    Said,
    Tables,
    threading_libraries,
    threading_prefixes,
    threading_variables,
)
from sprintest.modules._fingerprint import file_state, listing
from sprintest.modules._fresh_values import FreshValues, take_fresh
from sprintest.modules._member import Member, order
from sprintest.modules._project_record import ProjectRecord, complete, note_barred, source_of
from sprintest.modules._renewals import renewals
from sprintest.modules._taken import names_of
from sprintest.process import _private
from sprintest.process._environment_reads import EnvironmentReads
from sprintest.process._own import os, runner
from sprintest.process._process_state import observed_state


class Recorder:
    """Records what modules do while they are executed.

    ``members``: the modules that were executed, by name. ``add`` is called for each, and ``failed`` for each
    project module whose execution fails. ``place`` returns the present context, and ``loaded`` the module of
    a name that was loaded ahead, or is every run's. ``is_ahead``: the recorder works ahead of all runs, and
    sees each import statement and each look at a file. In a run it sees only imports that execute a module,
    and Python code that opens a file. Project modules are recorded only in runs.
    """

    def __init__(
        self,
        code: _modules.ProjectCode,
        members: Mapping[str, Member],
        add: Callable[[Member], None],
        failed: Callable[[Member, BaseException], None],
        place: Callable[[], Place | None],
        loaded: Callable[[str], Any],
        *,
        is_ahead: bool,
    ) -> None:
        self.code = code
        self.last: Member | None = None
        self.imported_project = ""
        self._members, self._add, self._failed, self._place = members, add, failed, place
        self._loaded = loaded
        self.is_ahead = is_ahead
        self._libraries = threading_libraries()
        self._loading = threading.local()
        self._tables = Tables()
        self._environment = EnvironmentReads(self.read, self._scanned)
        self._depth = 0
        self._exempt = code.unwatched()
        self._fresh_values = FreshValues(self.top)
        self._project = ProjectRecord(self.own_top)
        if not is_ahead:
            self._project.begin()
        # In a run these are the warnings that its filters show; ahead of runs all come (see ``_preload``).
        self._end_noticing: Callable[[], None] = lambda: None
        if not is_ahead:
            self._end_noticing = _private.notice_warnings(self._warned_in_run)
        self._imports = _private.wrap_imports()
        self._follow_imports()
        self._real_import: Any = builtins.__import__
        self._noting_import = self._make_noting_import()
        if is_ahead:
            runner.watch_files(self._exempt)
            runner.add_audit_listener(self._on_listing, _side_effects.LISTS)
            builtins.__import__ = self._noting_import
            self._end_noting_names = _private.wrap_code(self._make_noting_get_code)
            self._registrations = _effects.Registrations(self._registers)

    def _follow_imports(self) -> None:
        find_spec, gcd_import = _private.bootstrap._find_spec, _private.bootstrap._gcd_import

        def _find_spec(name: str, path: Any, target: Any = None) -> Any:
            spec = find_spec(name, path, target)
            if spec is None and (top := self.top()) is not None:
                top.misses.add(name)
            return spec

        def _gcd_import(name: str, package: Any = None, level: int = 0) -> Any:
            asking = _private.current_frame(2).f_globals.get("__name__", "")
            module = gcd_import(name, package, level)
            self._note_import(full := _private.resolve_name(name, package, level) if level else name)
            self._note_later(asking, full)
            return module

        hide = _private.as_import_system
        _private.wrap_imports(find_spec=hide(_find_spec), gcd_import=hide(_gcd_import))

    def _make_noting_import(self) -> Any:
        real_import = self._real_import

        def __import__(
            name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0
        ) -> Any:
            try:
                module = real_import(name, globals, locals, fromlist, level)
            except ImportError:
                if (top := self.top()) is not None:
                    note_barred(top, [_absolute(name, globals or {}, level)])
                raise
            if self.top() is not None:
                self._note_import(_absolute(name, globals or {}, level))
                for item in fromlist or ():
                    self._note_item(module, str(item))
            return module

        return _private.as_import_system(__import__)

    def _make_noting_get_code(self, get_code: Any) -> Any:
        def noting_get_code(loader: Any, name: str) -> Any:
            code = get_code(loader, name)
            top = self.top()
            if top is not None and top.name == name and not top.is_own and code is not None:
                top.names = frozenset(names_of(code))
                if "getrecursionlimit" in top.names:
                    take_fresh(top, 0, _side_effects.READS_LIMIT)
            return code

        return _private.as_import_system(noting_get_code)

    @contextlib.contextmanager
    def _statements(self, is_own: bool) -> Iterator[None]:
        """In a run only installed modules may see that the function for import statements is ours."""
        before, wanted = builtins.__import__, self._real_import if is_own else self._noting_import
        if self.is_ahead or before not in (self._real_import, self._noting_import):
            yield
            return
        builtins.__import__ = wanted
        try:
            yield
        finally:
            if builtins.__import__ is wanted:
                builtins.__import__ = before

    def end(self) -> None:
        self._end_noticing()
        if not self.is_ahead:
            self._project.end()
        find_spec, _, gcd_import = self._imports
        _private.wrap_imports(find_spec=find_spec, gcd_import=gcd_import)
        if self.is_ahead:
            runner.remove_audit_listener(self._on_listing)
            runner.stop_watching_files()
            builtins.__import__ = self._real_import
            self._end_noting_names()
            self._registrations.end()

    # ---- which module it is

    def stack(self) -> list[Member | None]:
        """The modules that this thread is executing, each for the one before."""
        try:
            stack: list[Member | None] = self._loading.stack
        except AttributeError:
            stack = self._loading.stack = []
        return stack

    def top(self) -> Member | None:
        """The module that this thread is executing."""
        stack = self.stack()
        return stack[-1] if stack else None

    def own_top(self) -> Member | None:
        top = self.top()
        return top if top is not None and top.is_own else None

    # ---- what it imports

    def _note_import(self, name: str) -> None:
        if (top := self.top()) is None or name == top.name:
            return
        top.imports.add(name)
        self._note_entry(name, self.stack())

    @staticmethod
    def _note_entry(name: str, executing: Iterable[Member | None]) -> None:
        """Note the entry of an import cycle: the last of these imports ``name``, perhaps one of them."""
        stack = [one for one in executing if one is not None]
        place = next((place for place, one in enumerate(stack) if one.name == name), len(stack))
        if (
            place < len(stack)
            and stack[-1].is_own
            and stack[place].spec.submodule_search_locations is not None
        ):
            return  # It imports a package of the project, normally for a module in it.
        for one in stack[place + 1 :]:
            if not one.entry and not one.name.startswith(f"{name}."):  # Its package always begins first.
                one.entry = name

    def _note_later(self, asking: str, name: str) -> None:
        """Note that a function of ``asking`` has imported ``name`` by ``importlib.import_module``."""
        member = self._members.get(asking)
        if member is not None and member.name != name:
            member.later.add(name)

    def _note_item(self, module: Any, item: str) -> None:
        """Note ``from module import item``: a submodule, or something that another module has made."""
        name = f"{getattr(module, '__name__', '')}.{item}"
        if name in sys.modules:
            return self._note_import(name)
        value = getattr(module, "__dict__", {}).get(item)
        if type(value) in (type, FunctionType) and (origin := _origin(value)) in sys.modules:
            self._note_import(origin)
        return None

    @_private.as_import_system
    def execute(self, spec: Any, load: Callable[[Any], Any]) -> Any:
        """Execute the module, and record what it does."""
        self.look(spec)
        stack = self.stack()
        if (top := self.top()) is not None:
            (top.brought if top.is_own else top.imports).add(spec.name)
        is_own = (self.code.owns_module if self.is_ahead else self.code.is_kept_apart)(spec)
        is_held = is_own and not self.is_ahead
        member = Member(spec, next(order), is_own) if is_held or not is_own else None
        if member is None and stack:
            self.imported_project = self.imported_project or spec.name
        before = file_state(spec.origin) if is_own and spec.has_location else None
        marked = observed_state() if is_held else ()
        if member is not None and is_held:
            member.context = self._place()
        stack.append(member)
        logged = _private.log_of_warnings(self._complains) if is_held else contextlib.nullcontext()
        try:
            with self._reads(), self._statements(is_own), logged:
                module = load(spec)
        except BaseException as error:
            self.look(spec)
            stack.pop()
            if member is not None and is_own:
                self._failed(member, error)
            raise
        self.look(spec)
        stack.pop()
        if member is None:
            return module
        member.module = module
        self._note_contents(member)
        self._note_source(member)
        if is_own:
            executing = [*self.stack(), member]
            complete(member, before, marked, lambda name: self._note_entry(name, executing))
        elif member.fresh or member.perhaps_fresh:
            member.renewals = renewals(member)
        if not is_own and not self.is_ahead and self._imports_own(member):
            member.uncacheable = "it imports the project's code"  # Its looks at files there are not recorded.
        if not self.is_ahead:
            self._look_for_stubs(member)
            member.let_go()  # A test may check that it is freed.
        self._add(member)
        self.last = member
        return module

    def _look_for_stubs(self, member: Member) -> None:
        """What has imported something that tests have put into ``sys.modules`` is of no use to other runs."""
        executing = {one.name for one in self.stack() if one is not None}
        for name in member.imports - executing:
            package = name.partition(".")[0]
            if sys.modules.get(name) in (None, self._loaded(name)):
                continue
            # Else it is the package's, as a rule.
            if package == name or sys.modules.get(package) is not self._loaded(package):
                member.uncacheable = f"it imports {name}, which no import has loaded"

    def _imports_own(self, member: Member) -> bool:
        found = (self._members.get(name) for name in member.imports)
        return any(one.is_own for one in found if one is not None)

    def _note_contents(self, member: Member) -> None:
        """Find in the variables what the module has imported.

        Imports of C code cannot be observed. A submodule does not count: its import, by any module, makes it
        an attribute of its package.
        """
        if not member.is_compiled and not member.is_own:
            return
        if member.is_compiled and (libraries := threading_libraries()) != self._libraries:
            prefixes = threading_prefixes(libraries - self._libraries)
            self._libraries = libraries
            member.effects.append(
                (next(order), "threading", " ".join(prefixes), threading_variables(prefixes))
            )
        for key, value in list(getattr(member.module, "__dict__", {}).items()):
            name = _origin(value)
            if name in sys.modules and name not in (member.name, f"{member.name}.{key}"):
                member.imports.add(name)

    def _note_source(self, member: Member) -> None:
        """Find in the source what the module takes from its process without a call that is observed."""
        if not member.spec.has_location:
            return
        if line := _graph.names_argv(source_of(member.spec.origin)):
            take_fresh(member, line, _side_effects.READS_COMMAND_LINE)
        if "__main__" in member.imports and member.name not in _side_effects.LOOK_AT_MAIN_LATER:
            take_fresh(member, 0, _side_effects.LOOKS_AT_MAIN)

    def _scanned(self) -> None:
        if (top := self.own_top()) is not None:
            top.uncacheable = "it looks through the whole environment when imported"

    # ---- what it reads

    @contextlib.contextmanager
    def _reads(self) -> Iterator[None]:
        """Observe reads of variables, clocks and the like while a module is executed."""
        self._depth += 1
        if self._depth == 1:
            self._environment.__enter__()
            self._fresh_values.begin()
        try:
            yield
        finally:
            self._depth -= 1
            if self._depth == 0:
                self._fresh_values.end()
                self._environment.__exit__()

    @property
    def reads(self) -> dict[str, str | None]:
        """All variables that were read, each with its value at the first read."""
        return self._environment.reads

    def read(self, name: str, value: str | None) -> None:
        self.look()  # The module may have set the variable itself.
        if (top := self.top()) is not None:
            top.effects.append((next(order), "read", name, value))

    def warned(self, warning: Any) -> None:
        """Record a warning. The filters of each run decide whether it is shown."""
        top = self.top()
        if top is None:
            return
        frame: Any = _private.current_frame(1)
        is_importers = False
        while frame and (frame.f_code.co_filename, frame.f_lineno) != (warning.filename, warning.lineno):
            is_body = not frame.f_code.co_flags & CO_OPTIMIZED
            is_importers |= is_body and frame.f_globals.get("__name__") == top.name
            frame = frame.f_back
        if frame is None and warning.filename == top.spec.origin and not sys.dont_write_bytecode:
            return  # It comes from the compiler, which no other process calls: there is bytecode now.
        place = frame.f_globals if frame else vars(sys)
        said = Said(warning, place, is_importers)
        top.effects.append((next(order), "warning", str(place.get("__name__", "")), said))

    def _warned_in_run(self, warning: Any) -> None:
        for member in self.stack():
            if member is not None:
                member.uncacheable = "it warns when imported"
        self._complains(f"{warning.category.__name__}: {warning.message}")

    def _complains(self, text: str) -> None:
        if (top := self.own_top()) is not None:
            top.complaint = top.complaint or text

    def _registers(self, kind: str, args: tuple[Any, ...], named: dict[str, Any]) -> None:
        """Record a function that is registered to be called later.

        If it is called after a fork, it computes values again that differ in each process.
        """
        if (top := self.top()) is None:
            return
        if kind == "after a fork":
            top.renews_itself |= "after_in_child" in named
        else:
            top.effects.append((next(order), kind, "", (args, named)))

    def look(self, spec: Any = None) -> None:
        """Attribute the changes since the last call to the module that is being executed.

        The file of ``spec`` does not count: the import system itself has looked at it.
        """
        now = Tables()
        top = self.top()
        if top is not None:
            for kind, name, value in now.changes_since(self._tables):
                if kind == "drawn":  # It has drawn random numbers, and not only set a seed.
                    take_fresh(top, 0, _side_effects.FRESH[_side_effects.RANDOMNESS])
                else:
                    top.effects.append((next(order), kind, name, value))
        if self.is_ahead and (files := runner.watched_files()):
            runner.watch_files(self._exempt)
            if top is not None and not top.is_own:
                for file in files:
                    # The import system looks at entries of the path, which lead nowhere if they are files.
                    if file != getattr(spec, "origin", None) and file not in sys.path:
                        top.looks.add(("file", _from_here(file), file_state(file)))
        self._tables = now

    def _on_listing(self, _: str, args: Any) -> None:
        """Record the listing of a folder. Those by the import system itself do not count."""
        top, asking = self.top(), _private.current_frame(1).f_code.co_filename
        if (
            top is None
            or top.is_own
            or _side_effects.is_exempt(asking)
            or asking.endswith(_side_effects.LOOKS_FOR_OTHERS)
        ):
            return
        folder = args[0] if args[0] is not None else "."
        if isinstance(folder, int):
            folder = f"/proc/self/fd/{folder}"
        path = os.path.realpath(os.fsdecode(folder))
        if not os.path.join(path, "").startswith(tuple(self._exempt)):
            top.looks.add(("listing", _from_here(path), listing(path)))

    def forget(self) -> None:
        """Take the present state of the process as unchanged."""
        self._tables = Tables()


def _from_here(path: str) -> str:
    """The path, relative to the current folder if it is in there."""
    here = os.getcwd()
    return "." if path == here else path.removeprefix(os.path.join(here, ""))


def _origin(value: Any) -> str:
    """The name of the module that the value is, or comes from."""
    if type(value) is ModuleType:
        name = getattr(value, "__name__", "")
    else:
        name = getattr(value if isinstance(value, (type, FunctionType)) else type(value), "__module__", "")
    return name if isinstance(name, str) else ""


def _absolute(name: str, variables: dict[str, Any], level: int) -> str:
    """The absolute name for ``name`` in an import statement of a module with these variables."""
    if not level:
        return name
    package = variables.get("__package__")
    if package is None:
        package = str(variables.get("__name__", ""))
        if "__path__" not in variables:
            package = package.rpartition(".")[0]
    return str(_private.resolve_name(name, package, level))
