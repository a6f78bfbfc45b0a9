"""Hypothesis draws what surrounds a project's modules: installed packages, plugins, what conftest.py sets."""

from __future__ import annotations

from hypothesis import strategies as st

from . import doings, installation
from .model import BY_PATH, Edge, Module, World
from .projects import CONSTANTS, VARIABLES, draw_edge, draw_project

_MAX_INSTALLED = 8


def draw_fresh(draw: st.DrawFn, module: Module) -> None:
    sources = doings.kinds(doings.FRESH)
    if module.kind == "installed" and "installed clocks" in doings.WITHOUT:
        sources = [name for name in sources if doings.FRESH[name][0] not in ("clock", "monotonic")]
    module.fresh = draw(st.sampled_from(sources))
    module.held = draw(st.sampled_from(doings.kinds(doings.HELD)))


def draw_writes(draw: st.DrawFn, world: World, module: Module) -> None:
    """Has it change some of the installed modules that it imports, and ask others what was changed."""
    for edge in module.edges:
        if doings.can_write(world, module, edge):
            edge.writes = draw(st.sampled_from(["", *doings.kinds(doings.WRITES)]))
            asks = not edge.writes and draw(st.integers(0, 3)) == 3
            edge.asks = asks and "asks" not in doings.WITHOUT


def draw_installed(draw: st.DrawFn, world: World) -> Module:
    """Adds an installed module, perhaps in a package; one in three knows of the project."""
    number = world.new_id()
    packages = [module.name for module in world.installed if module.package]
    above = draw(st.sampled_from(["", *packages]))
    leaf = f"lib{number}"
    module = Module(number, f"{above}.{leaf}" if above else leaf, kind="installed")
    module.package, module.constant = draw(st.booleans()), draw(CONSTANTS)
    world.modules[number] = module
    for _ in range(draw(st.integers(0, 2))):
        draw_edge(draw, world, module, world.installed)
    if draw(st.integers(0, 3)) == 3:
        draw_edge(draw, world, module, world.library)
    _draw_doings(draw, world, module)
    return module


def _draw_doings(draw: st.DrawFn, world: World, module: Module) -> None:
    what = draw(st.sampled_from(["nothing", "variable", "variable", "looks", "seeks", "fresh", "fresh"]))
    if what == "variable":
        module.variable = draw(st.sampled_from(VARIABLES))
    elif what == "looks":
        # To see what exists is not followed in modules of the project, and these are held as such.
        kept_apart = world.site in ("editable", "PYTHONPATH")
        looks = ["open"] if kept_apart else doings.kinds(doings.LOOKS)
        module.looks = draw(st.sampled_from(looks))
    elif what == "seeks":
        module.seeks = draw(st.sampled_from(doings.kinds(doings.SEEKS)))
    elif what == "fresh":
        draw_fresh(draw, module)
    draw_writes(draw, world, module)


def draw_installation(draw: st.DrawFn, world: World) -> None:
    """The installed packages, and who of the project imports them."""
    world.site = draw(st.sampled_from(installation.PLACES))
    for _ in range(draw(st.sampled_from([0, 0, 2, 3, 5]))):
        module = draw_installed(draw, world)
        for _ in range(draw(st.integers(1, 3))):
            draw_user(draw, world, module)


def draw_user(draw: st.DrawFn, world: World, module: Module) -> set[str]:
    """Has a module of the project import an installed one; returns the importer's name."""
    user = world.modules[draw(st.sampled_from([one.id for one in world.own]))]
    draw_edge(draw, world, user, [module])
    draw_writes(draw, world, user)
    return {user.name}


def draw_plugin(draw: st.DrawFn, world: World) -> Module:
    """Adds a file that some module of the project executes by its path."""
    number = world.new_id()
    plugin = Module(number, f"plug_{number}", world.source, kind="plugin", constant=draw(CONSTANTS))
    world.modules[number] = plugin
    for _ in range(draw(st.integers(0, 2))):
        draw_edge(draw, world, plugin, world.library)
    users = [module.id for module in world.own if module.kind != "plugin"]
    user = world.modules[draw(st.sampled_from(users))]
    lazy = not user.package and draw(st.integers(0, 3)) == 3
    world.add_edge(user, Edge(number, draw(st.sampled_from(BY_PATH)), lazy))
    return plugin


def draw_surroundings(draw: st.DrawFn, world: World) -> None:
    """All of it, for a project whose own modules are there."""
    draw_installation(draw, world)
    for _ in range(draw(st.sampled_from([0, 0, 1, 2])) if "plugins" not in doings.WITHOUT else 0):
        draw_plugin(draw, world)
    if draw(st.booleans()):
        for module in world.of_kind("module", "helper", "plugin"):
            if draw(st.integers(0, 7)) == 7:
                draw_fresh(draw, module)
    if draw(st.integers(0, 2)) == 2:
        draw_sets(draw, world)


def draw_sets(draw: st.DrawFn, world: World) -> set[str]:
    """What conftest.py does to the variables; returns who reads what has changed."""
    before = world.sets
    world.sets = draw(st.dictionaries(st.sampled_from(VARIABLES), st.sampled_from(doings.kinds(doings.SETS))))
    changed = {name for name in VARIABLES if world.sets.get(name) != before.get(name)}
    return {module.name for module in world.modules.values() if module.variable in changed}


def has_room(world: World) -> bool:
    return len(world.installed) < _MAX_INSTALLED


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A project with all that surrounds it."""
    world = draw_project(draw)
    draw_surroundings(draw, world)
    return world
