"""What a user does to a project between two runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Callable

from hypothesis import strategies as st

from . import doings, packages, projects, render
from .model import Module, World
from .projects import CONSTANTS, VARIABLES
from .tree import Tree

MAX_MODULES = 30


@dataclass
class Done:
    """One edit: its name; the modules that it touched; None where only constants changed."""

    what: str
    touched: set[str] | None = None
    clock: str = "now"  # Which time the rewritten files get: `Tree.sync`.


@dataclass
class Edits:
    """Edits the model, and as far as a model cannot show it the folder. Each edit is drawn."""

    world: World
    tree: Tree
    bytecode: bool  # Runs write bytecode beside the sources.
    env: dict[str, str | None] = field(default_factory=dict)

    def apply(self, draw: st.DrawFn, name: str) -> Done | None:
        """Makes the edit `name`, one of `EDITS`; None where this project has no place for it."""
        edit: Callable[[Edits, st.DrawFn], Done | None] = EDITS[name]
        return edit(self, draw)

    def _pick(self, draw: st.DrawFn, modules: Iterable[Module]) -> Module:
        return self.world.modules[draw(st.sampled_from([module.id for module in modules]))]

    # ---- plain edits: what is reloaded afterwards is known exactly

    def constants(self, draw: st.DrawFn) -> Done:
        clock = draw(st.sampled_from(["now", "older", "old"]))
        if self.bytecode and clock == "old":
            clock = "now"  # Bytecode is trusted by size and time: plain Python would not see that edit.
        for _ in range(draw(st.integers(1, 3))):
            self._pick(draw, self.world.code).constant = draw(CONSTANTS)
        return Done(f"constants, clock {clock}", None, clock)

    def touch(self, draw: st.DrawFn) -> Done:
        self.tree.touch(self._pick(draw, self.world.code).path, draw(st.booleans()))
        return Done("touch")

    def test_side(self, draw: st.DrawFn) -> Done:
        module = self._pick(draw, self.world.of_kind("test", "conftest"))
        module.constant = draw(CONSTANTS)
        return Done(module.kind)

    # ---- edits of what a module is

    def break_one(self, draw: st.DrawFn) -> Done | None:
        if self.world.ill:
            return None
        kind = draw(st.sampled_from(["code", "code", "code", "code", "test", "conftest"]))
        module = self._pick(draw, self.world.code if kind == "code" else self.world.of_kind(kind))
        module.broken = draw(st.sampled_from(["syntax", "raise"]))
        return Done(f"break-{module.broken} {module.name}", {module.name})

    def repair(self, _: st.DrawFn) -> Done | None:
        return Done("repair", self.world.heal()) if self.world.ill else None

    def add(self, draw: st.DrawFn) -> Done | None:
        if len(self.world.code) >= MAX_MODULES:
            return None
        module = projects.draw_module(draw, self.world)
        projects.draw_edge(draw, self.world, module, self.world.library)
        for _ in range(draw(st.integers(1, 2))):
            importer = self._pick(draw, self.world.own)
            projects.draw_edge(draw, self.world, importer, [module])
        importers = {one.name for one, edge in self.world.edges() if edge.target == module.id}
        return Done("add", {module.name} | importers)

    def imports(self, draw: st.DrawFn) -> Done:
        """One import more, or one less."""
        module = self._pick(draw, self.world.own)
        touched = {module.name}
        fewer: bool = draw(st.booleans())
        if fewer and module.edges:
            gone = module.edges.pop(draw(st.integers(0, len(module.edges) - 1)))
            touched |= self._end_export(module, gone.target)
        else:
            projects.draw_edge(draw, self.world, module, self.world.library + self.world.installed)
        return Done("imports", touched)

    def _end_export(self, package: Module, target: int) -> set[str]:
        """Who imports `target` through the package, which no longer has it, fails now."""
        users = set()
        for module, edge in self.world.edges():
            if edge.form == "re-export" and (edge.via, edge.target) == (package.id, target):
                edge.form, edge.via, edge.dangling = "from module", -1, package.name
                users.add(module.name)
        return users

    def _attempt(self, what: str, change: Callable[[World], set[str]]) -> Done | None:
        """Makes a change of structure, unless imports would be circular then."""
        touched: set[str] = set()
        changed = self.world.attempt(lambda world: touched.update(change(world)))
        if changed is None:
            return None
        self.world = changed
        return Done(what, touched)

    def delete(self, draw: st.DrawFn) -> Done | None:
        if len(self.world.library) <= 4:
            return None
        number = self._pick(draw, self.world.library).id
        dangling = draw(st.booleans())
        what = "delete-dangling" if dangling else "delete"
        return self._attempt(what, lambda world: projects.remove(world, world.modules[number], dangling))

    def move(self, draw: st.DrawFn) -> Done | None:
        module = self._pick(draw, self.world.library)
        above = [name for name in self.world.parents() if not f"{name}.".startswith(f"{module.name}.")]
        goal = draw(st.sampled_from(above))
        return self._attempt("move", lambda world: projects.move(world, world.modules[module.id], goal))

    def turn(self, draw: st.DrawFn) -> Done | None:
        """A module becomes a package, or the other way round."""
        childless = [module for module in self.world.library if not self.world.has_children(module)]
        if not childless:
            return None
        number = self._pick(draw, childless).id

        def change(world: World) -> set[str]:
            world.modules[number].package = not world.modules[number].package
            return {world.modules[number].name}

        return self._attempt("turn", change)

    def shadow(self, draw: st.DrawFn) -> Done | None:
        """Another module of the same name comes, or goes, earlier on sys.path."""
        tops = [module for module in self.world.library if "." not in module.name]
        if not tops or not render.can_shadow(self.world):
            return None
        module = self._pick(draw, tops)
        if module.name in self.world.shadows:
            del self.world.shadows[module.name]
        else:
            self.world.shadows[module.name] = draw(CONSTANTS)
        return Done("shadow", {module.name, *(one.name for one in self.world.below(module.name))})

    # ---- what modules read besides their own source

    def variable(self, draw: st.DrawFn) -> Done:
        name = draw(st.sampled_from(VARIABLES))
        values = [value for value in ("1", "20", None) if value != self.env.get(name)]
        self.env[name] = draw(st.sampled_from(values))
        readers = {module.name for module in self.world.modules.values() if module.variable == name}
        return Done("variable" if readers else "variable-unread", readers)

    def data(self, draw: st.DrawFn) -> Done | None:
        readers = [module for module in self.world.code if module.data]
        if not readers:
            return None
        module = self._pick(draw, readers)
        module.data = draw(CONSTANTS)
        return Done("data", {module.name})

    def make(self, draw: st.DrawFn) -> Done:
        """The runs write a module themselves before they import it: another one from now on, or no more."""
        made = self.world.modules.get(self.world.made)
        if made and draw(st.booleans()):
            self.world.made = 0
            return Done("make", {made.name})
        if not made:
            self.world.made = self._pick(draw, self.world.library).id
        # Of another length each: Python itself does not see an edit that keeps size and second.
        values = [value for value in ("1", "20", "300", "4000") if value != self.env.get("MADE")]
        self.env["MADE"] = draw(st.sampled_from(values))
        return Done("make", {self.world.modules[self.world.made].name})

    def sets(self, draw: st.DrawFn) -> Done:
        """conftest.py sets other variables before it imports anything."""
        readers = packages.draw_sets(draw, self.world)
        return Done("sets" if readers else "sets-unread", readers)

    def setting(self, draw: st.DrawFn) -> Done | None:
        """A file that somebody looks for: another one, or none."""
        lookers = [module for module in self.world.modules.values() if module.looks]
        return self._come_or_go(draw, "setting", lookers, self.world.settings)

    def optional(self, draw: st.DrawFn) -> Done | None:
        """A module that somebody searches: another one, or none."""
        seekers = [module for module in self.world.modules.values() if module.seeks]
        return self._come_or_go(draw, "optional", seekers, self.world.optional)

    def _come_or_go(
        self, draw: st.DrawFn, what: str, users: list[Module], there: dict[int, int]
    ) -> Done | None:
        if not users:
            return None
        user = self._pick(draw, users)
        if user.id in there and draw(st.booleans()):
            del there[user.id]
        else:
            there[user.id] = draw(CONSTANTS)
        return Done(what, {user.name, user.optional})

    # ---- what surrounds the project

    def upgrade(self, draw: st.DrawFn) -> Done | None:
        if not self.world.installed:
            return None
        module = self._pick(draw, self.world.installed)
        module.constant = draw(CONSTANTS)
        return Done("upgrade", {module.name})

    def install(self, draw: st.DrawFn) -> Done | None:
        if not packages.has_room(self.world):
            return None
        module = packages.draw_installed(draw, self.world)
        return Done("install", {module.name, *packages.draw_user(draw, self.world, module)})

    def uninstall(self, draw: st.DrawFn) -> Done | None:
        if not self.world.installed:
            return None
        number, dangling = self._pick(draw, self.world.installed).id, draw(st.booleans())
        what = "uninstall-dangling" if dangling else "uninstall"
        return self._attempt(what, lambda world: projects.remove(world, world.modules[number], dangling))

    def writes(self, draw: st.DrawFn) -> Done | None:
        """Somebody changes other installed modules when it is imported."""
        if not self.world.installed:
            return None
        module = self._pick(draw, self.world.modules.values())
        packages.draw_writes(draw, self.world, module)
        return Done("writes", {module.name})

    def fresh(self, draw: st.DrawFn) -> Done:
        """A module asks for the time or the like when it is imported, or no more."""
        module = self._pick(draw, self.world.code + self.world.installed)
        if module.fresh:
            module.fresh = ""
        else:
            packages.draw_fresh(draw, module)
        users = {user.name for user, edge in self.world.edges() if edge.target == module.id}
        return Done("fresh", {module.name, *users})

    def plugin(self, draw: st.DrawFn) -> Done | None:
        """A file that is loaded by its path: another constant, or a new one of these."""
        if "plugins" in doings.WITHOUT:
            return None
        plugins = self.world.of_kind("plugin")
        if not plugins or draw(st.integers(0, 3)) == 3:
            plugins = [packages.draw_plugin(draw, self.world)]
        plugin = self._pick(draw, plugins)
        plugin.constant = draw(CONSTANTS)
        users = {user.name for user, edge in self.world.edges() if edge.target == plugin.id}
        return Done("plugin", {plugin.name, *users})


EDITS = {
    "constants": Edits.constants,
    "touch": Edits.touch,
    "test side": Edits.test_side,
    "break": Edits.break_one,
    "repair": Edits.repair,
    "add": Edits.add,
    "imports": Edits.imports,
    "delete": Edits.delete,
    "move": Edits.move,
    "turn": Edits.turn,
    "shadow": Edits.shadow,
    "variable": Edits.variable,
    "data": Edits.data,
    "make": Edits.make,
    "sets": Edits.sets,
    "setting": Edits.setting,
    "optional": Edits.optional,
    "upgrade": Edits.upgrade,
    "install": Edits.install,
    "uninstall": Edits.uninstall,
    "writes": Edits.writes,
    "fresh": Edits.fresh,
    "plugin": Edits.plugin,
}
