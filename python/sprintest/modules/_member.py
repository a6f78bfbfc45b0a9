"""A member of the module cache: an executed module with its record. See ``_cache``."""

from __future__ import annotations

import contextlib
import itertools
import weakref
from collections.abc import Set
from importlib.machinery import ExtensionFileLoader
from typing import TYPE_CHECKING, Any

from sprintest.modules import _modules, _side_effects
from sprintest.modules._context import Place
from sprintest.modules._fingerprint import Fingerprint
from sprintest.modules._shape import Shape
from sprintest.process._own import open

if TYPE_CHECKING:
    from sprintest.modules._renewals import Renewal
    from sprintest.modules._taken import Taken

#: Numbers all that modules do, in order.
order = itertools.count()

#: (its number in that order, kind, name, value)
SideEffect = tuple[int, str, str, Any]


class Member:
    """An executed module that later runs may adopt. ``is_own``: it is project code."""

    def __init__(self, spec: Any, order: int, is_own: bool = False) -> None:
        self.name: str = spec.name
        self.is_own = is_own
        self.spec = spec
        self.loader = type(spec.loader)
        self.order = order
        self._module: Any = None
        #: Names of the modules that its execution imported, even if they were loaded already.
        self.imports: set[str] = set()
        #: The entry of its import cycle, whose execution began first; empty if it is in none. With another
        #: entry each module would find more or less of the others.
        self.entry = ""
        #: Modules that its execution was the first to import.
        self.brought: set[str] = set()
        #: What else its source imports: in functions, or in code that was not executed.
        self.later: set[str] = set()
        #: The files that it was made from, and those that it read.
        self.files: dict[str, Fingerprint] = {}
        #: Why it is uncacheable; empty if it is not.
        self.uncacheable = ""
        #: The first warning or log record, of level WARNING or higher, from its execution; else empty.
        self.complaint = ""
        #: Names that it searched without success.
        self.misses: set[str] = set()
        #: What it read and changed in the process.
        self.effects: list[SideEffect] = []
        #: Its looks at the file system: the kind (see ``_fingerprint.LOOKS``), the path, and what it saw.
        self.looks: set[tuple[str, str, Any]] = set()
        #: The lines in which it asked for a value that differs in each process, and what it did there.
        self.fresh: dict[int, str] = {}
        #: The same, if functions asked that its body called, which may not return the value.
        self.perhaps_fresh: dict[int, str] = {}
        #: Computes the variables again that hold such values; ``None`` if that is not possible.
        self.renewals: list[Renewal] | None = []
        #: Its contents right after its execution, if tests may change them.
        self.shape: Shape = None
        #: The context of a project module, in the resident process.
        self.context: Place | None = Place()
        #: The names that its execution used, until it is known what it has taken by them.
        self.names: Set[str] = frozenset()
        #: What it has taken out of other modules.
        self.taken: tuple[Taken, ...] = ()
        #: Whether it has registered a function that is called after each fork.
        self.renews_itself = False
        #: Further entries of ``sys.modules`` that it has made itself.
        self.extras: dict[str, Any] = {}
        #: Whether it is bound as an attribute of its package.
        self.bound = False
        #: Whether importing its package imports it too; ``None`` if that is not known yet.
        self.is_brought: bool | None = None

    @property
    def module(self) -> Any:
        """The module; ``None`` before it exists, and when it exists no longer."""
        return self._module() if type(self._module) is weakref.ref else self._module

    @module.setter
    def module(self, module: Any) -> None:
        self._module = module

    def let_go(self) -> None:
        """Keep only a weak reference to the module."""
        with contextlib.suppress(TypeError):
            self._module = weakref.ref(self._module)

    @property
    def is_compiled(self) -> bool:
        return issubclass(self.loader, ExtensionFileLoader)

    @property
    def is_of_its_process(self) -> bool:
        """Whether it holds a value that differs in each process and cannot be computed again for a run."""
        return bool(self.kinds) and self.renewals is None and not self.renews_itself

    def is_random(self, line: int) -> bool:
        return self.fresh.get(line) == _side_effects.FRESH[_side_effects.RANDOMNESS]

    @property
    def draws(self) -> bool:
        """Whether it has drawn random numbers."""
        return any(map(self.is_random, self.fresh))

    @property
    def kinds(self) -> list[str]:
        """What it did to get values that differ in each process, such as "draws random numbers"."""
        return [*self.fresh.values(), *self.perhaps_fresh.values()]

    def is_current(self) -> bool:
        """Whether every file that it was made from still has the same contents."""
        return all(file.is_current() for file in self.files.values())

    def leads_to(self, spec: Any) -> bool:
        """Whether ``spec`` leads to this module."""
        if spec is None or type(spec.loader) is not self.loader or spec.origin != self.spec.origin:
            return False
        if self.is_own and not spec.has_location:
            return True  # A namespace package follows its search path by itself.
        places = (one.submodule_search_locations for one in (spec, self.spec))
        return _modules.folders(next(places)) == _modules.folders(next(places))

    def source(self) -> bytes | None:
        """The contents of its source file; ``None`` if they cannot be read."""
        if self.is_compiled or not self.spec.has_location:
            return None
        try:
            with open(self.spec.origin, "rb") as source:
                return source.read()
        except OSError:
            return None

    @property
    def package(self) -> str:
        return self.name.rpartition(".")[0]
