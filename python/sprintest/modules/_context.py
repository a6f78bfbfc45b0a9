"""The context of a project module: what test files have done before it was imported.

A module may depend on what was set before its import: by ``torch.set_default_dtype`` in a ``conftest.py``, by
a hook there, by ``settings.DEBUG = True`` in a test module. stest cannot find out what a module depends on.
But it knows which files set such things: files that each run executes, in statements that do more than define
something. So a module that outlives its run is adopted only by runs that have executed the same files before.
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

#: Names that such a statement may use: they are compared in other ways, or no module depends on them.
_COMPARED = ("importlib", "os.environ", "print", "pytest", "sys.path", "warnings")
#: Hooks that do nothing that matters before the last module has been imported.
_LATE_HOOKS = (
    *("pytest_addoption", "pytest_collection_finish", "pytest_collection_modifyitems", "pytest_fixture_"),
    *("pytest_itemcollected", "pytest_report_", "pytest_runtest_", "pytest_sessionfinish"),
    *("pytest_terminal_summary", "pytest_unconfigure"),
)

#: A file that the run executes, and the line that it has reached.
_Step = tuple[str, int]
#: The contents of such a file and of the project modules that it imports, by path.
_Key = frozenset[tuple[str, Any]]


@dataclass(frozen=True)
class Place:
    """A context. Two are equal if the same files have done something before, with the same contents."""

    steps: tuple[_Step, ...] = field(default=(), compare=False)
    keys: list[_Key] = field(default_factory=list)


class _Acts(NamedTuple):
    """Says that a file does something when it is executed, from ``line`` on, perhaps by its ``imports``."""

    line: int
    imports: frozenset[str]


class Context:
    """Observes the context of one run after the other.

    ``files_of``: returns the files of the project modules with these names, and of what they import.
    """

    def __init__(self, files_of: Callable[[frozenset[str]], list[str]]) -> None:
        self._files_of = files_of
        self._known: dict[tuple[Any, str], tuple[_fingerprint.State | None, Any]] = {}
        #: Files that the run has executed; ``None`` once tests run.
        self._finished: list[_Step] | None = []
        self._keys_of_finished: list[_Key] = []
        self._last = ""

    def begin_run(self) -> None:
        self._finished, self._keys_of_finished, self._last = [], [], ""

    def tests_begin(self) -> None:
        """Say that from here on every import is made by a test."""
        self._finished = None

    def begins(self, path: str) -> None:
        """Say that the run executes this file now, or has executed it."""
        if self._finished is not None and path != self._last:
            self._finished.append((self._last, sys.maxsize))
            self._keys_of_finished += self._keys(self._finished[-1:])
            self._last = path

    def now(self) -> Place | None:
        """The present context; ``None`` while tests run."""
        if self._finished is None:
            return None
        executing = dict(_executing())
        last = (self._last, executing.pop(self._last, sys.maxsize))
        steps = [last, *executing.items()]
        return Place((*self._finished, *steps), [*self._keys_of_finished, *self._keys(steps)])

    def complete(self, places: Iterable[Place | None]) -> list[Place | None]:
        """Complete contexts at the end of the run, when all imports of their files are known.

        The result is ``None`` for a context whose files were edited meanwhile.
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
        """The keys of those files that have done something before the line that they have reached."""
        found = ((path, line, self._of(path, _acts)) for path, line in files if path)
        return [
            self._held((path, *self._files_of(acts.imports)))
            for path, line, acts in found
            if acts is not None and acts.line < line
        ]

    def _held(self, files: Iterable[str]) -> _Key:
        """The contents of the files; without those that are gone, which nothing imports any more."""
        held = ((file, self._of(file, _fingerprint.digest)) for file in files)
        return frozenset((file, digest) for file, digest in held if digest is not None)

    def _of(self, path: str, look: Callable[[str], Any]) -> Any:
        """The result of ``look`` for the file, which is read again only after a change."""
        state = _fingerprint.file_state(path)
        known = self._known.get((look, path))
        if known is None or known[0] != state:
            known = self._known[look, path] = (state, look(path))
        return known[1]


def _executing() -> Iterator[tuple[str, int]]:
    """The files that pytest has rewritten and that are being executed, with the line of each."""
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
    """The lines in which the statement does more than define something."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
        if statement.name.startswith("pytest_") and not statement.name.startswith(_LATE_HOOKS):
            yield 0  # pytest calls it before the next import, so the line does not matter.
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
        return True  # It imports a file.
    return f"{_text(node)}.".startswith(tuple(f"{one}{end}" for one in _COMPARED for end in (".", "[")))


def _text(node: ast.AST) -> str:
    """`a.b[].c` of `a.b[1].c`. `ast.unparse` imports a module, which tests would then find."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_text(node.value)}.{node.attr}"
    if isinstance(node, ast.Subscript):
        return f"{_text(node.value)}[]"
    return f"{_text(node.func)}()" if isinstance(node, ast.Call) else ""
