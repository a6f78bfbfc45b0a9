"""From the model to files: the source of every module."""

from __future__ import annotations

import os
from dataclasses import dataclass

from . import doings
from .model import Edge, Module, World, parent


@dataclass(frozen=True)
class Import:
    """An import statement, and what stands before a name of the imported module afterwards."""

    statement: str
    prefix: str = ""


def _relative(name: str, context: str) -> str:
    """`name` as seen from package `context`: dots and the rest; absolute if they share no package."""
    if not context or name.partition(".")[0] != context.partition(".")[0]:
        return name
    dots = "."
    while name != context and not name.startswith(f"{context}."):
        context = parent(context)
        dots += "."
    return dots + name[len(context) + 1 :]


def _names(world: World, edge: Edge) -> str:
    """What a `from` import takes of the module."""
    target = world.modules.get(edge.target)
    every = [f"{name}_{edge.target}" for name in ("MARK", "VALUE", "value")]
    return ", ".join(every + (doings.names(target) if target else []))


#: Executes a file as a module of its own: nobody else has that one.
_BY_PATH = (
    "f{n} = os.path.join(os.path.dirname(__file__), {path!r}); "
    "s{n} = importlib.util.spec_from_file_location({name!r}, f{n}); "
    "t{n} = importlib.util.module_from_spec(s{n}); {registered}s{n}.loader.exec_module(t{n})"
)


def _by_path(world: World, importer: Module, edge: Edge) -> Import:
    plugin, n = world.modules[edge.target], edge.target
    path = os.path.relpath(plugin.path, os.path.dirname(importer.path) or ".")
    registered = f"sys.modules[{plugin.name!r}] = t{n}; " if edge.form == "by path, registered" else ""
    statement = _BY_PATH.format(n=n, name=plugin.name, path=path, registered=registered)
    return Import(statement, f"t{n}.")


def _import(world: World, importer: Module, edge: Edge) -> Import:
    if edge.form.startswith("by path"):
        return _by_path(world, importer, edge)
    name, alias = world.name_of(edge), f"t{edge.target}"
    names = _names(world, edge)
    package, _, leaf = name.rpartition(".")
    if edge.form in ("from package", "relative from package") and package:
        start = _relative(package, importer.context) if edge.form.startswith("rel") else package
        return Import(f"from {start} import {leaf} as {alias}", f"{alias}.")
    if edge.form == "import_module":
        return Import(f"{alias} = importlib.import_module({name!r})", f"{alias}.")
    if edge.form == "import":
        return Import(f"import {name}", f"{name}.")
    if edge.form == "star":
        return Import(f"from {name} import *")
    if edge.form == "from module":
        return Import(f"from {name} import {names}")
    if edge.form == "relative from module":
        return Import(f"from {_relative(name, importer.context)} import {names}")
    if edge.form == "re-export":
        return Import(f"from {world.modules[edge.via].name} import {names}")
    return Import(f"import {name} as {alias}", f"{alias}.")


def _header(world: World, module: Module) -> list[str]:
    eager = [edge for edge in module.edges if not edge.lazy]
    eager.sort(key=lambda edge: edge.form != "star")  # A star may not overwrite what comes later.
    return [
        "import importlib, importlib.util",
        "import os",
        "import pathlib",
        "import sys",
        *(_import(world, module, e).statement for e in eager),
    ]


def _check(world: World, edge: Edge, prefix: str) -> list[str]:
    """There is one copy of each module, and everybody has that one."""
    if edge.form.startswith("by path"):
        return []
    place, target = f"sys.modules[{world.name_of(edge)!r}]", world.modules.get(edge.target)
    names = [f"MARK_{edge.target}"] + ([f"FRESH_{edge.target}"] if target and target.fresh else [])
    return [f"assert {place}.{name} == {prefix}{name}" for name in names]


def _sum_lines(world: World, module: Module) -> list[str]:
    """Statements that add up, in `total`, all that the module's imports lead to."""
    lines = []
    for edge in module.edges:
        found = _import(world, module, edge)
        lines += [found.statement] if edge.lazy else []
        lines += [*_check(world, edge, found.prefix), f"total += {found.prefix}value_{edge.target}(seen)"]
    return lines


def _value(world: World, module: Module) -> str:
    terms = [str(module.constant)]
    for edge in module.edges:
        prefix = _import(world, module, edge).prefix
        if not edge.lazy:
            terms.append(f"3 * {prefix}VALUE_{edge.target}")
        if edge.asks and doings.can_write(world, module, edge):
            terms.append(f"{prefix}written_{edge.target}()")
    terms += doings.looked_terms(module)
    if module.id == world.made:
        terms.append("MADE")
    if module.variable:
        terms.append(f"int(os.environ.get({module.variable!r}, '0'))")
    if module.data:
        file = os.path.basename(module.data_path)
        terms.append(f"int(pathlib.Path(__file__).with_name({file!r}).read_text())")
    return f"({' + '.join(terms)}) % 9973"


_BROKEN = {"": [], "syntax": ["def ("], "raise": ["raise RuntimeError('half-way')"]}


_MADE = "MADE = 0"


def _maker(world: World, conftest: Module) -> list[str]:
    """Statements that write the module `world.made` as a build does: whole, and whatever is there."""
    made = world.modules.get(world.made)
    if made is None:
        return []
    up = "../" * conftest.path.count("/")
    return [
        "import os, pathlib",
        f"made = pathlib.Path(__file__).parent / {up + made.path!r}",
        "new = made.with_name(f'made-{os.getpid()}.new')",
        f"new.write_text({_text(world, made)!r}.replace({_MADE!r}, 'MADE = ' + os.environ['MADE']))",
        "os.replace(new, made)",
    ]


def _code(world: World, module: Module) -> list[str]:
    number = module.id
    return [
        *_header(world, module),
        f"MARK_{number} = object()",
        *([_MADE] if number == world.made else []),
        *_BROKEN[module.broken],
        *doings.writable(module),
        *doings.fresh(module),
        *doings.looked(module),
        f"VALUE_{number} = {_value(world, module)}",
        *_writes(world, module),
        f"def value_{number}(seen):",
        f"    if {number} in seen: return 0",
        f"    seen.add({number})",
        *(f"    {line}" for line in doings.fresh_told(module)),
        f"    total = VALUE_{number}" + (f" + written_{number}()" if module.kind == "installed" else ""),
        *(f"    {line}" for line in _sum_lines(world, module)),
        "    return total % 9973",
    ]


def _writes(world: World, module: Module) -> list[str]:
    return [
        line
        for edge in module.edges
        if doings.can_write(world, module, edge)
        for line in doings.writes(world, module, edge, _import(world, module, edge).prefix)
    ]


def _test(world: World, module: Module) -> list[str]:
    return [
        *_header(world, module),
        *_BROKEN[module.broken],
        f"def test_{module.id}_sum():",
        "    seen, total = set(), 0",
        *(f"    {line}" for line in _sum_lines(world, module)),
        f"    print('SEEN', 'test_{module.id}_sum', total)",
        f"    assert (total + {module.constant}) % 7",
        f"def test_{module.id}_value():",
        f"    total = {_value(world, module)}",
        f"    print('SEEN', 'test_{module.id}_value', total)",
        "    assert total % 5",
    ]


# The names and files of all modules, where the test asks for them.
_PROBE = """
def pytest_unconfigure():
    if "FRESHNESS_PROBE" in os.environ:
        import json
        files = {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items())}
        with open(os.environ["FRESHNESS_PROBE"], "w") as file:
            json.dump(files, file)
"""


def _conftest(world: World, module: Module) -> list[str]:
    return [
        *doings.sets(world),
        *_maker(world, module),
        *_header(world, module),
        "import pytest",
        *_BROKEN[module.broken],
        "@pytest.fixture(autouse=True, scope='session')",
        "def shared():",
        "    seen, total = set(), 0",
        *(f"    {line}" for line in _sum_lines(world, module)),
        f"    print('SEEN', 'conftest', total + {_value(world, module)})",
        *_PROBE.splitlines(),
    ]


_RENDER = {"test": _test, "conftest": _conftest}


def _text(world: World, module: Module) -> str:
    return "\n".join(_RENDER.get(module.kind, _code)(world, module)) + "\n"


def _shadow(world: World, name: str) -> tuple[str, str]:
    """A module without imports that takes the place of the top-level module `name`."""
    module = world.by_name()[name]
    stand_in = Module(module.id, name, shadow_folder(world), constant=world.shadows[name])
    stand_in.fresh, stand_in.held = module.fresh, module.held  # Its importers take that by name.
    return stand_in.path, "\n".join(_code(world, stand_in)) + "\n"


def shadow_folder(world: World) -> str:
    """An entry of sys.path before the modules' own, if there is one."""
    if world.tests and not world.tests_package:
        return world.tests
    return ""


def can_shadow(world: World) -> bool:
    """Whether such an entry is there from the first import on, that of conftest.py."""
    (conftest,) = world.of_kind("conftest")
    first = "" if world.tests_package else conftest.folder
    return not world.importlib and first == shadow_folder(world) != world.source


def files(world: World) -> dict[str, str]:
    """Every file of the project: its path and text."""
    options = ["pythonpath = ['src']"] if world.source else []
    options += ["addopts = ['--import-mode=importlib']"] if world.importlib else []
    texts = {"pyproject.toml": "\n".join(["[tool.pytest.ini_options]", *options, ""])}
    if world.tests_package:
        texts[f"{world.tests}/__init__.py"] = ""
    for module in world.own:
        texts[module.path] = _text(world, module)
        if module.data:
            texts[module.data_path] = f"{module.data}\n"
    texts.update(_shadow(world, name) for name in world.shadows)
    return {**texts, **_looked_for(world)}


def _looked_for(world: World) -> dict[str, str]:
    """The files and modules that others look for, those that are there."""
    base = f"{world.source}/" if world.source else ""
    texts = {world.modules[number].setting: f"{value}\n" for number, value in world.settings.items()}
    for number, value in world.optional.items():
        texts[f"{base}{world.modules[number].optional}.py"] = f"VALUE = {value}\n"
    return texts


def installed_files(world: World) -> dict[str, str]:
    """Every file of the installed packages."""
    return {module.path: _text(world, module) for module in world.installed}
