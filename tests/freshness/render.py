"""From the model to files: the source of every module, and a folder that is made to hold just that."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

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


def _import(world: World, importer: Module, edge: Edge) -> Import:
    name, alias = world.name_of(edge), f"t{edge.target}"
    names = f"MARK_{edge.target}, VALUE_{edge.target}, value_{edge.target}"
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
        "import importlib",
        "import os",
        "import pathlib",
        "import sys",
        *(_import(world, module, e).statement for e in eager),
    ]


def _check(world: World, edge: Edge, prefix: str) -> str:
    """There is one copy of each module, and everybody has that one."""
    return f"assert sys.modules[{world.name_of(edge)!r}].MARK_{edge.target} is {prefix}MARK_{edge.target}"


def _sum_lines(world: World, module: Module) -> list[str]:
    """Statements that add up, in `total`, all that the module's imports lead to."""
    lines = []
    for edge in module.edges:
        found = _import(world, module, edge)
        lines += [found.statement] if edge.lazy else []
        lines += [_check(world, edge, found.prefix), f"total += {found.prefix}value_{edge.target}(seen)"]
    return lines


def _value(world: World, module: Module) -> str:
    terms = [str(module.constant)]
    for edge in module.edges:
        if not edge.lazy:
            terms.append(f"3 * {_import(world, module, edge).prefix}VALUE_{edge.target}")
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
        f"VALUE_{number} = {_value(world, module)}",
        f"def value_{number}(seen):",
        f"    if {number} in seen: return 0",
        f"    seen.add({number})",
        f"    total = VALUE_{number}",
        *(f"    {line}" for line in _sum_lines(world, module)),
        "    return total % 9973",
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


_RENDER = {"module": _code, "helper": _code, "test": _test, "conftest": _conftest}


def _text(world: World, module: Module) -> str:
    return "\n".join(_RENDER[module.kind](world, module)) + "\n"


def _shadow(world: World, name: str) -> tuple[str, str]:
    """A module without imports that takes the place of the top-level module `name`."""
    module = world.by_name()[name]
    stand_in = Module(module.id, name, shadow_folder(world), constant=world.shadows[name])
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
    return first == shadow_folder(world) != world.source


def files(world: World) -> dict[str, str]:
    """Every file of the project: its path and text."""
    options = "pythonpath = ['src']" if world.source else ""
    texts = {"pyproject.toml": f"[tool.pytest.ini_options]\n{options}\n"}
    if world.tests_package:
        texts[f"{world.tests}/__init__.py"] = ""
    for module in world.modules.values():
        texts[module.path] = _text(world, module)
        if module.data:
            texts[module.data_path] = f"{module.data}\n"
    texts.update(_shadow(world, name) for name in world.shadows)
    return texts


class Tree:
    """The project's folder: written, moved and deleted as an editor or git would."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files: dict[str, str] = {}
        self._age = 0

    def sync(self, texts: dict[str, str], clock: str = "now") -> None:
        """Makes the folder hold these files. `clock`: the time that rewritten files get (`_set_time`)."""
        gone = {path: text for path, text in self.files.items() if path not in texts}
        for path, text in texts.items():
            if self.files.get(path) == text:
                continue
            twin = next((old for old in gone if path not in self.files and gone[old] == text), None)
            if twin is None:
                self._write(path, text, clock)
            else:
                del gone[twin]
                self._move(twin, path)
        for path in gone:
            (self.root / path).unlink()
        self._prune()
        self.files = dict(texts)

    def touch(self, path: str, rewrite: bool) -> None:
        """The same bytes, with a new time."""
        if rewrite:
            (self.root / path).write_text(self.files[path])
        else:
            os.utime(self.root / path)

    def _move(self, old: str, new: str) -> None:
        (self.root / new).parent.mkdir(parents=True, exist_ok=True)
        (self.root / old).rename(self.root / new)

    def _write(self, path: str, text: str, clock: str) -> None:
        file = self.root / path
        before = file.stat().st_mtime_ns if file.exists() else None
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        if before is not None:
            self._set_time(file, before, clock)

    def _set_time(self, file: Path, before: int, clock: str) -> None:
        """As before ("old"), or one that no file ever had, an hour and more ago ("older")."""
        if clock == "old":
            os.utime(file, ns=(before, before))
        elif clock == "older":
            self._age += 1
            older = file.stat().st_mtime_ns - (3600 + 10 * self._age) * 10**9
            os.utime(file, ns=(older, older))

    def _prune(self) -> None:
        """Folders that hold nothing but bytecode go, as when git deletes their last file."""
        for folder, _, names in os.walk(self.root, topdown=False):
            here = Path(folder)
            if here.name == "__pycache__" or here == self.root or names:
                continue
            if all(child.name == "__pycache__" for child in here.iterdir()):
                for file in here.glob("__pycache__/*"):
                    file.unlink()
                for child in here.iterdir():
                    child.rmdir()
                here.rmdir()
