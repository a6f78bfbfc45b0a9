"""Hypothesis draws a project: which modules there are, where they lie, who imports whom and how."""

from __future__ import annotations

from hypothesis import strategies as st

from .model import FORMS, Edge, Module, World

VARIABLES = ("FRESH_A", "FRESH_B")
CONSTANTS = st.integers(100, 999)  # All of one size.

_LAZY_FORMS = {"import": "import as", "star": "from module"}  # Not within a function, or not safely.


def draw_edge(draw: st.DrawFn, world: World, importer: Module, targets: list[Module]) -> bool:
    """Draws one more import for `importer`; False if it cannot have the one that was drawn."""
    known = {edge.target for edge in importer.edges} | {importer.id}
    fit = [module for module in targets if module.id not in known]
    if not fit:
        return False
    target = draw(st.sampled_from(fit))
    form, lazy = draw(st.sampled_from(FORMS)), draw(st.integers(0, 3)) == 3
    if lazy and importer.package:
        lazy = False  # Nobody calls the functions of a package that came along with its submodule.
    edge = Edge(target.id, _LAZY_FORMS.get(form, form) if lazy else form, lazy)
    if form == "re-export":
        exporters = [number for number in world.exporters(target.id) if number != importer.id]
        if exporters:
            edge.via = draw(st.sampled_from(exporters))
        else:
            edge.form = "from module"
    return world.add_edge(importer, edge)


def draw_module(draw: st.DrawFn, world: World) -> Module:
    """Adds a module, perhaps in a package that re-exports it, without imports."""
    number = world.new_id()
    above = draw(st.sampled_from(world.parents()))
    package = draw(st.integers(0, 3)) == 3
    leaf = f"{'p' if package else 'm'}{number}"
    module = Module(number, f"{above}.{leaf}" if above else leaf, world.source, package=package)
    module.constant = draw(CONSTANTS)
    world.modules[number] = module
    holder = world.by_name().get(above)
    if holder and draw(st.booleans()):
        world.add_edge(holder, Edge(number, "relative from module"))
    return module


def _draw_helper(draw: st.DrawFn, world: World) -> Module:
    name, folder = ("tests.helper", "") if world.tests_package else ("helper", world.tests)
    if world.importlib:  # The folder of the tests is not on sys.path.
        folder = ""
    helper = Module(world.new_id(), name, folder, kind="helper", constant=draw(CONSTANTS))
    world.modules[helper.id] = helper
    return helper


def _draw_test_side(draw: st.DrawFn, world: World) -> None:
    """conftest.py and the test files; a helper that only test files import."""
    helper = _draw_helper(draw, world)
    conftest_folder = draw(st.sampled_from(sorted({"", world.tests})))
    conftest = Module(world.new_id(), "conftest", conftest_folder, kind="conftest")
    world.modules[conftest.id] = conftest
    users = [helper, conftest]
    for _ in range(draw(st.integers(2, 4))):
        number = world.new_id()
        name = f"tests.test_{number}" if world.tests_package else f"test_{number}"
        folder = "" if world.tests_package else world.tests
        world.modules[number] = Module(number, name, folder, kind="test", constant=draw(CONSTANTS))
        users.append(world.modules[number])
    for user in users:
        for _ in range(draw(st.integers(2, 5))):
            draw_edge(draw, world, user, world.code if user.kind == "test" else world.library)


def draw_project(draw: st.DrawFn) -> World:
    """A project of 5 to 30 modules and 2 to 4 test files, without anything around it."""
    world = World()
    world.source = draw(st.sampled_from(["", "", "src"]))
    world.tests = draw(st.sampled_from(["tests", ""]))
    world.tests_package = world.tests == "tests" and draw(st.booleans())
    world.importlib = draw(st.integers(0, 2)) == 2
    world.namespaces = ["n1"]
    for index in range(draw(st.integers(5, 30))):
        module = draw_module(draw, world)
        if module.package and index < 8:
            world.namespaces.append(f"{module.name}.n{module.id}")
        for _ in range(draw(st.integers(0, 3))):
            draw_edge(draw, world, module, world.code)
        extra = draw(st.integers(0, 9))
        module.variable = VARIABLES[extra] if extra < len(VARIABLES) else ""
        module.data = 100 + extra if extra in (2, 3) else 0
    _draw_test_side(draw, world)
    return world


def move(world: World, module: Module, above: str) -> set[str]:
    """Renames the module, and all below it; returns the old and the new names. Importers follow."""
    old = module.name
    new_leaf = f"{old.rpartition('.')[2].partition('_')[0]}_{world.new_id()}"
    new = f"{above}.{new_leaf}" if above else new_leaf
    names = set()
    for moved in [module, *world.below(old)]:
        names.add(moved.name)
        moved.name = new + moved.name[len(old) :]
        names.add(moved.name)
    renamed = [name for name in world.namespaces if name.startswith(f"{old}.")]
    world.namespaces = [new + name[len(old) :] if name in renamed else name for name in world.namespaces]
    world.shadows.pop(old, None)
    return names


def remove(world: World, module: Module, dangling: bool) -> set[str]:
    """Deletes the module and all below it; imports of them dangle or go too. Returns the names."""
    names = set()
    for gone in [module, *world.below(module.name)]:
        names.add(gone.name)
        del world.modules[gone.id]
        world.detach(gone.id, gone.name, dangling)
        world.shadows.pop(gone.name, None)
        world.settings.pop(gone.id, None)
        world.optional.pop(gone.id, None)
    world.namespaces = [name for name in world.namespaces if not name.startswith(f"{module.name}.")]
    return names
