"""Project modules that outlive a run, and the proof that the next run may have them.

Between runs no project module is in ``sys.modules``: those that may be used again lie in the stash. A
run imports as ever: the import system looks for the module where this run's ``sys.path`` says. Only the
last step, executing it, is skipped where the stash holds that very module and everything that made it what it
is has stayed (see ``_proof``). In doubt it is executed.

What has changed on disk is found before the run starts: those modules, and all that import them,
directly or not, leave the stash. Test modules and ``conftest.py`` are never in it: pytest's loader
rewrites and executes them in each run.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import sys
import threading
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from sprintest import _fingerprint, _modules, _record, _watch
from sprintest._own import is_environ_replaced
from sprintest._process_state import changed_mark, marks, set_variable
from sprintest._proof import Prover
from sprintest._record import Failure, Record


class Stash:
    """The stash of one process. Its methods ``begin``, ``end`` and ``failed`` follow the imports of a
    run (see ``_watch``); ``begin_run`` and ``seal`` stand around the run."""

    def __init__(self, code: _modules.ProjectCode) -> None:
        self._code = code
        self._kept: dict[str, Record] = {}
        self._now: dict[str, Record] = {}
        self._prover = Prover(self._kept)
        self._loading = threading.local()
        self._adopting: list[Record] = []
        self._order = 0
        #: What earlier runs executed in this process, and how it failed if it never succeeded. A second
        #: time may fail because there was a first: a registry may refuse it.
        self._executed: dict[str, Failure | None] = {}
        #: Those of them that pytest imports itself, while it collects.
        self._rewritten: set[str] = set()
        #: Names, in order, that had to be executed again in this run, with what they took along.
        self.reloaded: list[str] = []
        #: Called with a module's name and the error when a second execution fails.
        self.on_reload_failure: Any = lambda name, error: None

    # ---- around a run

    def begin_run(self) -> list[str]:
        """Drop what changed on disk, and all that imports it; return the names of what changed."""
        self.reloaded = []
        self._now = {}
        self._prover.forget()
        _modules.forget_folders(self._code)
        files = [(record, file) for record in self._kept.values() for file in record.files.values()]
        suspects = _fingerprint.suspects([file for _, file in files])
        changed = [
            record
            for record in dict.fromkeys(files[place][0] for place in suspects)
            if not record.is_current()
        ]
        self._drop(changed)
        return [record.name for record in changed]

    def stale_extension(self) -> str:
        """The name of a compiled module that changed: a process cannot load another one in its place."""
        changed = (r.name for r in self._kept.values() if r.is_extension() and not r.is_current())
        return next(changed, "")

    def seal(self, names: Iterable[str]) -> None:
        """End a run that imported ``names``: its project modules leave ``sys.modules``."""
        self._link_all()
        for name, record in self._now.items():
            is_first = name not in self._executed or self._executed[name] is not None
            self._executed[name] = record.failure if is_first else None
            if _record.is_rewritten(record.spec):
                self._rewritten.add(name)
        mine = self._code.select(dict.fromkeys(names))
        for name, record in self._now.items():
            is_its_own = sys.modules.get(name) is record.module
            record.alive = is_its_own and not record.fleeting and not record.failed
        # What imports a module that each run executes is executed in each run as well.
        dead = [record for record in self._now.values() if not record.alive]
        for record in _record.dependents(dead, self._now.values()):
            record.alive = False
        for name, record in self._now.items():
            if record.alive:
                self._kept[name] = record
            else:
                self._kept.pop(name, None)
            mine.append(name)
        # Submodules first: they are attributes of their packages.
        for name in sorted(dict.fromkeys(mine), key=lambda n: -n.count(".")):
            bound = _modules.unload(name)
            if name in self._now and name in self._kept:
                self._kept[name].bound = bound
        self._now = {}

    def is_at_risk(self) -> bool:
        """Whether this run may yet have to execute something for the second time in this process."""
        at_rest = {**self._kept, **self._now}
        return any(name not in at_rest and name not in self._rewritten for name in self._executed)

    def modules(self) -> list[str]:
        """The names of what another process of this kind could hold, in the order of execution."""
        everything = {**self._kept, **self._now}.values()
        passing = [record for record in everything if record.fleeting or record.failed]
        lasting = set(everything).difference(_record.dependents(passing, everything))
        return [record.name for record in sorted(lasting, key=lambda record: record.order)]

    def unfit(self) -> dict[str, str]:
        """Those loaded in this run that no other run may have, and all that import them; each with why."""
        self._link_all()
        reasons = {name: record.fleeting for name, record in self._now.items() if record.fleeting}
        packages = tuple(f"{name}." for name in reasons)
        inside = [name for name in self._now if name.startswith(packages)]
        reasons = {**dict.fromkeys(inside, "it lies in a package that must not be held"), **reasons}
        names = ", ".join(reasons)
        for record in _record.dependents([self._now[name] for name in reasons], self._now.values()):
            reasons.setdefault(record.name, f"it imports, directly or not, what must not be held: {names}")
        return reasons

    # ---- while a run imports

    def begin(self, spec: Any) -> Any:
        """Before ``spec`` is executed: the module that makes it unnecessary, or ``None``."""
        if not self._code.is_kept_apart(spec):
            self._stack().append(None)
            return None
        known = self._kept.get(spec.name)
        # What it would read of another environment, nobody has looked at.
        if known is not None and not is_environ_replaced() and self._adopt(known, spec):
            return sys.modules[spec.name]
        if known is not None:
            if known.is_extension():  # The file is a library that the process has already.
                self.on_reload_failure(spec.name, ImportError("it is a compiled module"))
            if known.alive:  # It may have been dropped with what differs.
                self._drop([known])
        self._order += 1
        record = self._now[spec.name] = Record(spec, self._order)
        record.fleeting = "pytest rewrites it" if _record.is_rewritten(spec) else ""
        self._stack().append(record)
        return None

    def end(self, module: Any) -> None:
        """The module was executed."""
        record = self._stack().pop()
        if record is None:
            return
        record.complete(module)
        # What warns must warn in each run; what changes its process must change it in each run.
        own = getattr(module, "__dict__", {})
        if type(module) is not ModuleType:
            record.fleeting = "it makes itself another kind of module"
        if "__warningregistry__" in own:
            record.fleeting = "it warns when imported"
        if is_environ_replaced():
            record.fleeting = "os.environ is another object while it is imported"
        if record.marks != (now := marks()):
            record.fleeting = f"it changes {changed_mark(record.marks, now)} when imported"
        # However it came by them. A submodule is its package's attribute without the package's doing.
        origins = {key: _record.origin(value) for key, value in list(own.items())}
        record.names |= {
            name for key, name in origins.items() if name in self._now and name != f"{record.name}.{key}"
        }
        self._link(record)

    def failed(self, error: BaseException) -> None:
        """Its execution raised ``error``. What was loaded for it holds on to a module that is no more."""
        record = self._stack().pop()
        if record is None:
            return
        for other in list(self._now.values()):
            if other.order >= record.order:
                other.failed = True
        source = _fingerprint.digest(record.spec.origin) if record.spec.has_location else None
        record.failure = (source, type(error), str(error))
        if self._executed.get(record.name, record.failure) != record.failure:
            self.on_reload_failure(record.name, error)

    def missed(self, name: str) -> None:
        """The import system found nothing by that name."""
        if (record := self.loading()) is not None:
            record.misses.add(name)

    def imported(self, importer: str, name: str) -> None:
        """``importer`` called ``importlib.import_module`` for ``name``."""
        record = self._now.get(importer)
        if record is not None:
            (record.names if record.module is None else record.later_names).add(name)

    def loading(self) -> Record | None:
        """The module that is being executed by this thread, if it is the project's."""
        stack = self._stack()
        return stack[-1] if stack else None

    def make_fleeting(self, name: str, reason: str) -> None:
        """No other run may use the module ``name``."""
        if (record := self._now.get(name)) is not None:
            record.fleeting = reason

    def is_loading(self) -> bool:
        return bool(self._stack())

    def _stack(self) -> list[Record | None]:
        try:
            stack: list[Record | None] = self._loading.stack
        except AttributeError:
            stack = self._loading.stack = []
        return stack

    # ---- taking from it

    def _adopt(self, record: Record, spec: Any) -> bool:
        """Let the run have ``record`` and what executing it would have brought along, if it may.

        It may not if a package within it must be executed first: that imports ``record`` itself.
        """
        if record in self._adopting:
            return False
        self._adopting.append(record)
        try:
            while True:
                proof = self._prover.prove(record, spec)
                if proof.differs is not None:
                    if proof.differs.name not in sys.modules:
                        self._drop([proof.differs])
                    return False
                wanted, absent = self._gather(record)
                if not absent:
                    break
                importlib.import_module(absent)
                if record.name in sys.modules:
                    return True
        finally:
            self._adopting.remove(record)
        self._install(sorted(wanted, key=lambda one: one.order))
        self._prover.remember(proof)
        return True

    def _gather(self, record: Record) -> tuple[set[Record], str]:
        """What comes along with ``record``: what it imports, and the packages that all of this lies in.

        If one of these packages must be executed first, its name is the second result.
        """
        wanted: dict[str, Record] = {}
        waiting = self._absent(record)
        while waiting:
            wanted.update((one.name, one) for one in waiting)
            packages = {one.name.rpartition(".")[0] for one in waiting} - {""}
            waiting = []
            for package in packages:
                if package in wanted or package in sys.modules:
                    continue
                known = self._kept.get(package)
                if known is None or self._prover.prove(known).differs:
                    return set(), package
                waiting += self._absent(known)
        return set(wanted.values()), ""

    def _absent(self, record: Record) -> list[Record]:
        """What of ``record``, and all that it imports, is not loaded."""
        everything = _record.closure(record, later=False, beyond=self._prover.is_remembered)
        return [one for one in everything if one.name not in sys.modules]

    def _install(self, records: list[Record]) -> None:
        for record in records:
            sys.modules[record.name] = record.module
            self._now[record.name] = record
            _watch.note(record.name)
            self._apply_environment(record)
        for record in records:
            package, _, name = record.name.rpartition(".")
            if record.bound:
                setattr(sys.modules[package], name, record.module)

    @staticmethod
    def _apply_environment(record: Record) -> None:
        for name, value in record.env_writes.items():
            set_variable(name, value)

    # ---- the graph

    def _link(self, record: Record) -> None:
        """Let the names in its source lead to the modules that bear them now."""
        for names, records in ((record.names, record.imports), (record.later_names, record.later_imports)):
            for name in names:
                target = self._now.get(name)
                if target is not None and target is not record:
                    records.add(target)

    def _link_all(self) -> None:
        for record in self._now.values():
            self._link(record)

    def _drop(self, records: Iterable[Record]) -> None:
        """Take these and all that import them out of the stash."""
        for record in _record.dependents(records, self._kept.values()):
            record.alive = False
            if self._kept.pop(record.name, None) is not None:
                self.reloaded.append(record.name)
