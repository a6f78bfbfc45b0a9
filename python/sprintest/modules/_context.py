"""What a run has executed before it imports a module of the project.

A module may compute from what was set before it was imported: by ``torch.set_default_dtype`` in a
``conftest.py``, by a hook in it, by ``settings.DEBUG = True`` in a test module. Nobody can tell what it went
by. But who does such things is known: files that each run executes, in statements that do more than to define
something. So a module that outlives its run is had again only by runs that have executed the same ones
before it.
"""

from __future__ import annotations

import ast
import functools
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Callable, NamedTuple

from sprintest.modules import _fingerprint, _graph
from sprintest.process import _private
from sprintest.process._own import open

#: What such a statement may speak of, for it is compared in other ways, or no module goes by it.
_COMPARED = ("importlib", "os.environ", "print", "pytest", "sys.path", "warnings")
#: Hooks that do nothing before the last module has been imported.
_LATE_HOOKS = (
    *("pytest_addoption", "pytest_collection_finish", "pytest_collection_modifyitems", "pytest_fixture_"),
    *("pytest_itemcollected", "pytest_report_", "pytest_runtest_", "pytest_sessionfinish"),
    *("pytest_terminal_summary", "pytest_unconfigure"),
)

#: A file that the run executes, and the line that it has come to.
_Step = tuple[str, int]
#: What it and the modules of the project that it imports held.
_Key = frozenset[tuple[str, Any]]


@dataclass(frozen=True)
class Place:
    """Equal where the same files have done something, and were the same."""

    steps: tuple[_Step, ...] = field(default=(), compare=False)
    keys: list[_Key] = field(default_factory=list)


class _Acts(NamedTuple):
    """That a file does something when it is executed: from ``line`` on, with functions of what it imports."""

    line: int
    imports: frozenset[str]


class Context:
    """Of one run after the other. ``files_of``: those of the project's modules with these names, and of what
    they import.
    """

    def __init__(self, files_of: Callable[[frozenset[str]], list[str]]) -> None:
        self._files_of = files_of
        self._known: dict[tuple[Any, str], tuple[_fingerprint.State | None, Any]] = {}
        #: Files that the run has executed; ``None`` once it tests.
        self._finished: list[_Step] | None = []
        self._keys_of_finished: list[_Key] = []
        self._last = ""

    def begin_run(self) -> None:
        self._finished, self._keys_of_finished, self._last = [], [], ""

    def tests_begin(self) -> None:
        """From here on whatever is imported is imported by a test."""
        self._finished = None

    def begins(self, path: str) -> None:
        """The run executes this file now, or has done so."""
        if self._finished is not None and path != self._last:
            self._finished.append((self._last, sys.maxsize))
            self._keys_of_finished += self._keys(self._finished[-1:])
            self._last = path

    def now(self) -> Place | None:
        """``None`` while tests run."""
        if self._finished is None:
            return None
        executing = dict(_executing())
        last = (self._last, executing.pop(self._last, sys.maxsize))
        steps = [last, *executing.items()]
        return Place((*self._finished, *steps), [*self._keys_of_finished, *self._keys(steps)])

    def complete(self, places: Iterable[Place | None]) -> list[Place | None]:
        """The same at the end of the run, when all is known that those files import; ``None`` where they were
        edited meanwhile.
        """
        keys = functools.cache(lambda step: self._keys([step]))
        return [place and self._completed(place, keys) for place in places]

    @staticmethod
    def _completed(place: Place, keys_of: Callable[[_Step], list[_Key]]) -> Place | None:
        now = [key for step in place.steps for key in keys_of(step)]
        keys = [before | key for before, key in zip(place.keys, now)]
        was_edited = len(now) != len(place.keys) or any(len(dict(key)) != len(key) for key in keys)
        return None if was_edited else Place(place.steps, keys)

    def _keys(self, files: list[_Step]) -> list[_Key]:
        """Of those of the files that have done something before the line in which they are."""
        found = ((path, line, self._of(path, _acts)) for path, line in files if path)
        return [
            self._held((path, *self._files_of(acts.imports)))
            for path, line, acts in found
            if acts is not None and acts.line < line
        ]

    def _held(self, files: Iterable[str]) -> _Key:
        """What they hold; a module whose file has gone is known for a while, and imported by nobody."""
        held = ((file, self._of(file, _fingerprint.digest)) for file in files)
        return frozenset((file, digest) for file, digest in held if digest is not None)

    def _of(self, path: str, look: Callable[[str], Any]) -> Any:
        """What ``look`` finds in the file, which it reads again only if that was written."""
        state = _fingerprint.file_state(path)
        known = self._known.get((look, path))
        if known is None or known[0] != state:
            known = self._known[look, path] = (state, look(path))
        return known[1]


def _executing() -> Iterator[tuple[str, int]]:
    """The files that pytest rewrites and whose execution goes on, with the line."""
    frame: Any = _private.current_frame(1)
    while frame is not None:
        if frame.f_code.co_name == "<module>" and _private.is_rewriting(frame.f_globals.get("__loader__")):
            yield frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back


def _acts(path: str) -> _Acts | None:
    try:
        with open(path, "rb") as file:
            source = file.read()
        body = ast.parse(source).body
    except (OSError, SyntaxError, ValueError, RecursionError):
        return None
    lines = [line for statement in body for line in _lines(statement)]
    if not lines:
        return None
    now, later = _graph.imported_names(source, "")
    return _Acts(min(lines), frozenset(now | later))


def _lines(statement: ast.stmt) -> Iterator[int]:
    """Those in which it does more than to define something."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
        if statement.name.startswith("pytest_") and not statement.name.startswith(_LATE_HOOKS):
            yield 0  # Called before the next module is imported, whatever stands below it.
    elif isinstance(statement, ast.Expr):
        if isinstance(statement.value, ast.Call) and not _is_compared(statement.value.func):
            yield statement.lineno
    elif isinstance(statement, (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Delete)):
        targets = getattr(statement, "targets", None) or [getattr(statement, "target", None)]
        if any(isinstance(one, (ast.Attribute, ast.Subscript)) and not _is_compared(one) for one in targets):
            yield statement.lineno
    elif not isinstance(statement, ast.ClassDef):
        for inner in ast.iter_child_nodes(statement):
            for one in [inner] if isinstance(inner, ast.stmt) else getattr(inner, "body", ()):
                yield from _lines(one) if isinstance(one, ast.stmt) else ()


def _is_compared(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute) and node.attr == "exec_module":
        return True  # An import of a file.
    if isinstance(node, (ast.Name, ast.Attribute, ast.Subscript, ast.Call)):
        name = ast.unparse(node) + "."
        return name.startswith(tuple(f"{one}{end}" for one in _COMPARED for end in (".", "[")))
    return False
