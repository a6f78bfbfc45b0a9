"""Finds the imports of a module in its source, so that imports that have not run count too."""

from __future__ import annotations

import ast
import contextlib
import importlib.util

Names = set[str]


def imported_names(source: bytes, package: str) -> tuple[Names, Names]:
    """The absolute names of what ``source`` may import: while it is executed, and later, in functions.

    ``package`` is the package for relative imports. ``from a import b`` gives ``a`` and ``a.b``, whether
    ``b`` is a module or not: the caller knows which modules there are. Source that cannot be parsed imports
    nothing.
    """
    finder = _Finder(package)
    try:
        finder.visit(ast.parse(source))
    except (SyntaxError, ValueError, RecursionError):
        return set(), set()
    return finder.now, finder.later


def names_argv(source: bytes) -> int:
    """The line in which a module names ``sys.argv`` while it is executed; 0 if there is none."""
    if b"argv" not in source:
        return 0
    try:
        waiting: list[ast.AST] = [ast.parse(source)]
    except (SyntaxError, ValueError, RecursionError):
        return 0
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "__name__" in _named(node.test):
            continue  # This is for execution as a program.
        if isinstance(node, ast.Attribute) and node.attr == "argv" and "sys" in _named(node.value):
            return node.lineno
        names = [alias.name for alias in node.names] if isinstance(node, ast.ImportFrom) else []
        if "argv" in names and getattr(node, "module", "") == "sys":
            return int(getattr(node, "lineno", 0))
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            waiting += ast.iter_child_nodes(node)
    return 0


def settings_of(source: bytes, name: str) -> list[bool]:
    """For each statement that sets a variable or an attribute of this name: whether it adds, or subtracts."""
    try:
        nodes = [*ast.walk(ast.parse(source))]
    except (SyntaxError, ValueError, RecursionError):
        return [False]
    steps = {
        id(node.target)
        for node in nodes
        if isinstance(node, ast.AugAssign) and isinstance(node.op, (ast.Add, ast.Sub))
    }
    return [
        id(node) in steps
        for node in nodes
        if isinstance(node, (ast.Name, ast.Attribute))
        and isinstance(node.ctx, ast.Store)
        and name == (node.id if isinstance(node, ast.Name) else node.attr)
    ]


def _named(expression: ast.expr) -> set[str]:
    return {node.id for node in ast.walk(expression) if isinstance(node, ast.Name)}


class _Finder(ast.NodeVisitor):
    def __init__(self, package: str) -> None:
        self.now: Names = set()
        self.later: Names = set()
        self._package = package
        self._depth = 0

    def _add(self, *names: str) -> None:
        (self.later if self._depth else self.now).update(names)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            parts = alias.name.split(".")
            self._add(*(".".join(parts[:count]) for count in range(1, len(parts) + 1)))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        try:
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), self._package)
        except ImportError:  # beyond the top-level package: fails when executed
            return
        self._add(base, *(f"{base}.{alias.name}" for alias in node.names if alias.name != "*"))

    def visit_If(self, node: ast.If) -> None:
        names = {getattr(part, "id", getattr(part, "attr", "")) for part in ast.walk(node.test)}
        self._depth += "TYPE_CHECKING" in names
        self.generic_visit(node)
        self._depth -= "TYPE_CHECKING" in names

    def visit_Call(self, node: ast.Call) -> None:
        # Calls count even if they have not happened yet. A call with a computed name is seen when it happens.
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        is_import = name in ("__import__", "import_module")
        if is_import and node.args and isinstance(node.args[0], ast.Constant):
            with contextlib.suppress(ImportError):
                self._add(importlib.util.resolve_name(str(node.args[0].value), self._package))
        self.generic_visit(node)

    def _visit_function(self, node: ast.AST) -> None:
        self._depth += 1
        self.generic_visit(node)
        self._depth -= 1

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = _visit_function
