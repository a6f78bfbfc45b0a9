"""What a project module is made from, and why a later run may not have it. See ``_recorder``."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

from sprintest.modules import _graph, _side_effects
from sprintest.modules._fingerprint import Fingerprint, State, file_state
from sprintest.modules._member import Member
from sprintest.process import _private
from sprintest.process._own import is_environ_replaced, open, os, runner
from sprintest.process._process_state import changed_state, observed_state


class ProjectRecord:
    """Records files and side effects of project modules. ``top``: the one that is being executed."""

    def __init__(self, top: Callable[[], Member | None]) -> None:
        self._top = top
        self._is_busy = False

    def begin(self) -> None:
        events = _side_effects.ACTS | _side_effects.LOOKS | _side_effects.MOVES | {"open"}
        runner.add_audit_listener(self._on_event, events)

    def end(self) -> None:
        runner.remove_audit_listener(self._on_event)

    def _on_event(self, event: str, args: Any) -> None:
        top = None if self._is_busy else self._top()
        if top is None:
            return
        asking = _private.current_frame(1).f_code.co_filename
        if _side_effects.is_exempt(asking) and not (
            event == "open" and _side_effects.is_import_system(asking)
        ):
            return
        self._is_busy = True
        try:
            if _side_effects.is_exempt(asking):
                _imports_by_path(top, args)
            elif event != "open":
                top.uncacheable = f"it does {event} when imported"
            elif not isinstance(args[0], int):
                path = os.path.abspath(os.fsdecode(args[0]))
                if _side_effects.is_write(args[2]):
                    top.uncacheable = f"it writes {path} when imported"
                elif path not in top.files:
                    top.files[path] = Fingerprint(path, file_state(path))
        finally:
            self._is_busy = False


def complete(
    member: Member,
    before: State | None,
    marked: tuple[object, ...],
    note_entry: Callable[[str], None],
) -> None:
    """Record what a project module was made from, and why it is uncacheable, if it is.

    ``before``: the state of its file, ``marked``: that of the process, before the execution. ``note_entry``
    is called with each name that its source imports.
    """
    if member.spec.has_location:
        path = member.spec.origin
        member.files[path] = Fingerprint(path, before)
        now = note_source_imports(member, path, member.spec.parent or "")
        note_barred(member, now)
        for name in now:
            note_entry(name)
    # It has nothing from packages that were executed only for the sake of a module in them.
    names = member.imports | member.brought
    passed = {name.rpartition(".")[0] for name in names}
    passed |= {
        ".".join(name.split(".")[:count]) for name in passed for count in range(1, name.count(".") + 1)
    }
    member.imports |= member.brought - passed
    # A module that warns must warn in each run, and one that changes its process must change it in each.
    if type(member.module) is not ModuleType:
        member.uncacheable = "it replaces its module object, or the class of that"
    elif any(kind == "warning" for _, kind, _, _ in member.effects):
        member.uncacheable = "it warns when imported"
    elif is_environ_replaced():
        member.uncacheable = "os.environ has been replaced by another object"
    elif marked != (now_marked := observed_state()):
        member.uncacheable = f"it changes {changed_state(marked, now_marked)} when imported"
    elif _private.is_rewriting(member.spec.loader):
        member.uncacheable = "pytest rewrites it"


def _imports_by_path(top: Member, args: Any) -> None:
    """Note the file if it is not the module's source: a loader executes it for the module."""
    if isinstance(args[0], int) or _side_effects.is_write(args[2]):
        return
    path = os.path.abspath(os.fsdecode(args[0]))
    with contextlib.suppress(ValueError):
        path = importlib.util.source_from_cache(path)
    if path != top.spec.origin and path not in top.files and os.path.isfile(path):
        top.files[path] = Fingerprint(path, file_state(path))
        note_source_imports(top, path, "")


def note_barred(member: Member, names: Iterable[str]) -> None:
    """Note an import that ``None`` in ``sys.modules`` blocks, which only this run may have put there."""
    if any(sys.modules.get(name, member) is None for name in names):
        member.uncacheable = "`None` in sys.modules blocks one of its imports"


def source_of(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read() if path.endswith((".py", ".pyw")) else b""
    except OSError:
        return b""


def note_source_imports(member: Member, path: str, package: str) -> _graph.Names:
    """Add the imports in the file to those of ``member``; return the names imported during execution."""
    now, later = _graph.imported_names(source_of(path), package)
    member.imports |= now - {member.name}
    member.later |= later - {member.name}
    return now
