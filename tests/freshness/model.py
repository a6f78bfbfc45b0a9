"""A project as the test knows it: modules, who imports whom and in which form, without any files."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Callable

from .graph import Graph

#: How one module can import another. Which names the statement touches: `World.names`.
FORMS = (
    "import",  # import a.b
    "import as",  # import a.b as t
    "from module",  # from a.b import VALUE
    "from package",  # from a import b as t
    "relative from module",  # from .b import VALUE
    "relative from package",  # from . import b as t
    "import_module",  # importlib.import_module("a.b")
    "star",  # from a.b import *
    "re-export",  # from a import VALUE, which a's __init__ has from a.b
)

#: How the project executes a file of its own that nobody imports: under a name in sys.modules, or under none.
BY_PATH = ("by path", "by path, registered")


@dataclass
class Edge:
    """One import: of module `target`, at the top of the importer or, if lazy, in a function of it."""

    target: int
    form: str
    lazy: bool = False
    via: int = -1  # The package that a re-export goes through.
    dangling: str = ""  # The name that the target had before it went away; the import fails.
    writes: str = ""  # How the importer changes the installed module that it imports: `doings.WRITES`.
    asks: bool = False  # When imported, it asks the installed module what others have written into it.


@dataclass
class Module:
    """One module of the project, on its tests' side too."""

    id: int
    name: str  # Dotted.
    folder: str = ""  # The entry of sys.path that it lies under, relative to the root.
    kind: str = "module"  # Or "helper" (of the test files only), "plugin", "installed", "test", "conftest".
    package: bool = False
    constant: int = 100
    variable: str = ""  # The environment variable that it reads when imported.
    data: int = 0  # If not 0: what stands in the file beside it that it reads when imported.
    broken: str = ""  # "syntax" or "raise".
    fresh: str = ""  # What it asks for when imported that is another in each process: `doings.FRESH`.
    held: str = "name"  # How it holds that: `doings.HELD`.
    looks: str = ""  # How it reads a file of the current folder when imported: `doings.LOOKS`.
    seeks: str = ""  # How it searches a module that the project may have: `doings.SEEKS`.
    edges: list[Edge] = field(default_factory=list)

    @property
    def path(self) -> str:
        """Its file, relative to the root."""
        base = f"{self.folder}/" if self.folder else ""
        return base + self.name.replace(".", "/") + ("/__init__.py" if self.package else ".py")

    @property
    def data_path(self) -> str:
        return f"{self.path.rpartition('/')[0]}/data_{self.id}.txt".lstrip("/")

    @property
    def setting(self) -> str:
        """The file of the project's root that it looks for."""
        return f"setting_{self.id}.txt"

    @property
    def optional(self) -> str:
        """The project's module that it searches."""
        return f"opt_{self.id}"

    @property
    def context(self) -> str:
        """What a relative import starts from (`__package__`)."""
        return self.name if self.package else parent(self.name)


def parent(name: str) -> str:
    return name.rpartition(".")[0]


def prefixes(name: str) -> list[str]:
    """a.b.c: a, a.b, a.b.c."""
    parts = name.split(".")
    return [".".join(parts[: end + 1]) for end in range(len(parts))]


class World:
    """All modules by number; folders without an `__init__` are only parts of names."""

    def __init__(self) -> None:
        self.modules: dict[int, Module] = {}
        self.namespaces: list[str] = []
        self.source = ""  # "src", or empty: the modules lie in the root itself.
        self.tests = ""  # The folder of the test files, or empty.
        self.tests_package = False
        self.made = 0  # The module that conftest.py writes anew in each run.
        self.shadows: dict[str, int] = {}  # The name of a top-level module → the shadow's constant.
        self.site = "environment"  # How installed packages come onto sys.path: `installation.PLACES`.
        self.importlib = False  # --import-mode=importlib
        self.settings: dict[int, int] = {}  # Who looks for a file → what stands in it, if it is there.
        self.optional: dict[int, int] = {}  # Who searches a module → its constant, if it is there.
        self.sets: dict[str, str] = {}  # Variables that conftest.py changes first of all: `doings.sets`.
        self._last = 0

    def new_id(self) -> int:
        self._last += 1
        return self._last

    def of_kind(self, *kinds: str) -> list[Module]:
        return [module for module in self.modules.values() if module.kind in kinds]

    @property
    def code(self) -> list[Module]:
        """What the project's modules are, but for test files, conftest.py and what is loaded by path."""
        return self.of_kind("module", "helper")

    @property
    def installed(self) -> list[Module]:
        return self.of_kind("installed")

    @property
    def own(self) -> list[Module]:
        """All that the project consists of."""
        return [module for module in self.modules.values() if module.kind != "installed"]

    @property
    def library(self) -> list[Module]:
        """What every module may import."""
        return self.of_kind("module")

    @property
    def importable(self) -> list[Module]:
        return self.of_kind("module", "helper", "plugin", "installed")

    @property
    def is_plain(self) -> bool:
        """Whether each run executes what has changed, and nothing else.

        An installed package that changes has the worker restarted, which then holds nothing.
        """
        return not (self.installed or self.sets or any(module.fresh for module in self.own))

    def by_name(self) -> dict[str, Module]:
        return {module.name: module for module in self.importable}

    def below(self, name: str) -> list[Module]:
        return [module for module in self.importable if module.name.startswith(f"{name}.")]

    def has_children(self, module: Module) -> bool:
        start = f"{module.name}."
        return bool(self.below(module.name)) or any(name.startswith(start) for name in self.namespaces)

    def parents(self) -> list[str]:
        """Where a module can lie: at the top, in a package, in a namespace."""
        return ["", *(module.name for module in self.code if module.package), *self.namespaces]

    def edges(self) -> Iterator[tuple[Module, Edge]]:
        for module in self.modules.values():
            for edge in module.edges:
                yield module, edge

    def name_of(self, edge: Edge) -> str:
        return edge.dangling or self.modules[edge.target].name

    def names(self, edge: Edge) -> tuple[set[str], set[str]]:
        """The modules that an import statement names; and those that it can be said to name."""
        name = self.name_of(edge)
        if edge.form == "re-export":
            return {self.modules[edge.via].name}, set()
        if edge.form in ("import", "import as"):
            return set(prefixes(name)), set()
        if edge.form in ("from package", "relative from package"):
            return {name, parent(name) or name}, set()
        if edge.form == "star":  # Submodules that are there already are among what it takes.
            return {name}, {module.name for module in self.below(name)}
        return {name}, set(prefixes(name)) if edge.form == "import_module" else set()

    def graph(self, lenient: bool) -> Graph:
        """Who names whom; lenient: doubtful cases count.

        One of these: a package imports a module within it. What lies between them is executed while it is.
        """
        graph: Graph = {}
        for module, edge in self.edges():
            sure, doubtful = self.names(edge)
            between = {name for name in prefixes(self.name_of(edge)) if name.startswith(f"{module.name}.")}
            graph.setdefault(module.name, set()).update(sure, doubtful | between if lenient else ())
        return graph

    # ---- imports that work in a cold process, whoever comes first

    def add_edge(self, importer: Module, edge: Edge) -> bool:
        """Adds an import, unless it would make a circle of imports at the top of modules."""
        importer.edges.append(edge)
        if not edge.lazy and not self._sound(importer, edge):
            importer.edges.pop()
            return False
        return True

    def _sound(self, importer: Module, edge: Edge) -> bool:
        used = self.modules[edge.via if edge.form == "re-export" else edge.target]
        return used.name not in prefixes(importer.name) and not self.circular()

    def circular(self) -> bool:
        """Whether some module, when imported, is executed while it is still being executed."""
        loads = self._loads()
        done: set[int] = set()
        path: set[int] = set()

        def visit(node: int) -> bool:
            if node in path:
                return True
            if node in done:
                return False
            path.add(node)
            found = any(visit(other) for other in loads[node])
            path.discard(node)
            done.add(node)
            return found

        return any(visit(node) for node in loads)

    def _loads(self) -> dict[int, set[int]]:
        """Which modules each module's top level loads; its own parent packages are there already."""
        by_name = self.by_name()
        loads: dict[int, set[int]] = {number: set() for number in self.modules}
        for module, edge in self.edges():
            if edge.lazy or edge.dangling:
                continue
            own = set(prefixes(module.name))
            used = prefixes(self.modules[edge.via if edge.form == "re-export" else edge.target].name)
            loads[module.id] |= {by_name[name].id for name in used if name in by_name and name not in own}
        return loads

    def exporters(self, target: int) -> list[int]:
        """Packages whose `__init__` hands the names of module `target` on."""
        return [
            module.id
            for module, edge in self.edges()
            if module.package
            and edge.target == target
            and not edge.lazy
            and edge.form in ("from module", "relative from module", "star")
        ]

    def attempt(self, change: Callable[[World], None]) -> World | None:
        """A changed copy of this world, or None if its imports would be circular."""
        changed = copy.deepcopy(self)
        change(changed)
        return None if changed.circular() else changed

    # ---- what is wrong with it

    def detach(self, target: int, name: str, keep: bool) -> None:
        """The module `target`, once called `name`, is gone: imports of it dangle, or are removed."""
        for module in self.modules.values():
            for edge in module.edges:
                if target in (edge.target, edge.via) and not edge.dangling:
                    edge.dangling = name
                    if edge.form == "re-export":
                        edge.form, edge.via = "from module", -1
            if not keep:
                module.edges = [edge for edge in module.edges if not edge.dangling]

    @property
    def ill(self) -> bool:
        dangling = any(edge.dangling for _, edge in self.edges())
        return dangling or any(module.broken for module in self.modules.values())

    def heal(self) -> set[str]:
        """Repairs everything; returns the names of what was repaired."""
        healed = {module.name for module, edge in self.edges() if edge.dangling}
        healed |= {module.name for module in self.modules.values() if module.broken}
        for module in self.modules.values():
            module.broken = ""
            module.edges = [edge for edge in module.edges if not edge.dangling]
        return healed
