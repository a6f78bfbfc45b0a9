"""What modules do when they are imported, besides importing: as lines of their source.

They ask for what is another in each process, look for files and modules that the project may have, and
write into each other.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

from .model import Edge, Module, World

#: Kinds that are left out, so that others are tried: "project writes", "asks", "plugins",
#: "installed clocks", or one of the tables' below.
WITHOUT = frozenset(os.environ.get("STEST_FRESHNESS_WITHOUT", "").split(","))

#: What is another in each process, each as a number: the kind that `novelty` knows, and how it is asked for.
FRESH = {
    "time_ns": ("clock", "time.time_ns()"),
    "time": ("clock", "int(time.time() * 1e9)"),
    "datetime": ("clock", "int(datetime.datetime.now().timestamp() * 1e9)"),
    "clock_gettime": ("clock", "time.clock_gettime_ns(time.CLOCK_REALTIME)"),
    "monotonic": ("monotonic", "time.monotonic_ns()"),
    "perf_counter": ("monotonic", "int(time.perf_counter() * 1e9)"),
    "getpid": ("pid", "os.getpid()"),
    "uuid4": ("random", "uuid.uuid4().int"),
    "uuid1": ("random", "uuid.uuid1().int"),
    "getrandbits": ("random", "random.getrandbits(64)"),
    "urandom": ("random", "int.from_bytes(os.urandom(8), 'big')"),
    "secrets": ("random", "secrets.randbits(64)"),
    "generator": ("random", "random.Random()"),
    "bound method": ("random", "random.Random().getrandbits"),
}

#: How the number of a generator is drawn, when the test wants to know it.
_DRAWN = {"generator": ".getrandbits(64)", "bound method": "(64)"}

#: How a module `{n}` holds the value `{e}`: the statements that make it, and how to come by it later.
HELD = {
    "name": (["FRESH_{n} = {e}"], "FRESH_{n}"),
    "branch": (["if os.sep:", "    FRESH_{n} = {e}"], "FRESH_{n}"),
    "alias": (["first_{n} = {e}", "FRESH_{n} = first_{n}"], "FRESH_{n}"),
    "list": (["FRESH_{n} = [{e}]"], "FRESH_{n}[0]"),
    "dict": (["FRESH_{n} = dict(value={e})"], "FRESH_{n}['value']"),
    "class": (["class FRESH_{n}:", "    VALUE = {e}"], "FRESH_{n}.VALUE"),
    "default": (["def FRESH_{n}(value={e}):", "    return value"], "FRESH_{n}()"),
    "function": (["def make_{n}():", "    return {e}", "FRESH_{n} = make_{n}()"], "FRESH_{n}"),
    "partial": (["FRESH_{n} = functools.partial(lambda: {e})()"], "FRESH_{n}"),
    "closure": (["FRESH_{n} = (lambda value: lambda: value)({e})"], "FRESH_{n}()"),
}

FRESH_IMPORTS = ["import datetime, functools, random, secrets, time, uuid"]


def fresh(module: Module) -> list[str]:
    """The statements that ask."""
    if not module.fresh:
        return []
    _, asked = FRESH[module.fresh]
    statements, _ = HELD[module.held]
    return FRESH_IMPORTS + [line.format(n=module.id, e=asked) for line in statements]


def fresh_told(module: Module) -> list[str]:
    """Statements that print the value: what kind it is of, and a number."""
    if not module.fresh:
        return []
    kind, _ = FRESH[module.fresh]
    number = HELD[module.held][1].format(n=module.id) + _DRAWN.get(module.fresh, "")
    if kind == "pid":
        number += " - os.getpid()"
    return [f"print('FRESH', {module.id}, {kind!r}, {number})"]


#: Ways to read the file `{f}` of the current folder, into `LOOK_{n}`.
LOOKS = {
    "open": [
        "try: LOOK_{n} = int(pathlib.Path({f!r}).read_text())",
        "except FileNotFoundError: LOOK_{n} = 1",
    ],
    "exists": ["LOOK_{n} = int(pathlib.Path({f!r}).read_text()) if os.path.exists({f!r}) else 2"],
    "is_file": ["LOOK_{n} = 5 if pathlib.Path({f!r}).is_file() else 3"],
    "listdir": ["LOOK_{n} = 7 if {f!r} in os.listdir() else 4"],
}

#: Ways to search the module `{m}`, into `SOUGHT_{n}`.
SEEKS = {
    "from": ["try: from {m} import VALUE as SOUGHT_{n}", "except ImportError: SOUGHT_{n} = 1"],
    "import_module": [
        "try: SOUGHT_{n} = importlib.import_module({m!r}).VALUE",
        "except ModuleNotFoundError: SOUGHT_{n} = 2",
    ],
    "find_spec": ["SOUGHT_{n} = 5 if importlib.util.find_spec({m!r}) else 3"],
}


def looked(module: Module) -> list[str]:
    """The statements that look around in the project."""
    looks = LOOKS[module.looks] if module.looks else []
    seeks = SEEKS[module.seeks] if module.seeks else []
    return [line.format(n=module.id, f=module.setting, m=module.optional) for line in looks + seeks]


def looked_terms(module: Module) -> list[str]:
    """What came of that, as parts of the module's value."""
    found = [f"LOOK_{module.id}"] if module.looks else []
    return found + ([f"SOUGHT_{module.id}"] if module.seeks else [])


#: Ways in which module `{n}` changes the installed module `{t}`, which is `{m}` and whose names follow `{p}`.
WRITES = {
    "registry": ["{p}REGISTRY_{t}[{n}] = VALUE_{n}"],
    "list": ["{p}ADDED_{t}.append(VALUE_{n})"],
    "class": ["{p}Kind_{t}.LEVEL += VALUE_{n}"],
    "object": ["{p}OBJECT_{t}.add({n}, VALUE_{n})"],
    "variable": ["{m}.EXTRA_{t} += VALUE_{n}"],
    "new variable": ["{m}.note_{n} = VALUE_{n}"],
    "patch": ["old_{t} = {m}.extra_{t}", "{m}.extra_{t} = lambda: 2 * old_{t}() + VALUE_{n}"],
}

#: What others change of an installed module, and the sum of it all.
_WRITABLE = """
REGISTRY_{n}, ADDED_{n}, EXTRA_{n} = {{}}, [], 0
class Kind_{n}:
    LEVEL = 0
    def __init__(self): self.sum, self.entries = 0, {{}}
    def add(self, name, value): self.entries[name] = value; self.sum = sum(self.entries.values())
OBJECT_{n} = Kind_{n}()
def extra_{n}():
    return 0
def written_{n}():
    notes = [value for name, value in list(globals().items()) if name.startswith('note_')]
    held = [OBJECT_{n}.sum, *OBJECT_{n}.entries.values(), Kind_{n}.LEVEL]
    return sum([*REGISTRY_{n}.values(), *ADDED_{n}, *notes, EXTRA_{n}, *held, extra_{n}()])
"""


def writable(module: Module) -> list[str]:
    return _WRITABLE.format(n=module.id).split("\n") if module.kind == "installed" else []


def writes(world: World, module: Module, edge: Edge, prefix: str) -> list[str]:
    """The statements by which an importer changes what it has imported."""
    if not edge.writes or edge.dangling:
        return []
    place = f"sys.modules[{world.name_of(edge)!r}]"
    return [line.format(n=module.id, t=edge.target, m=place, p=prefix) for line in WRITES[edge.writes]]


def can_write(world: World, module: Module, edge: Edge) -> bool:
    target = world.modules.get(edge.target)
    writers = {"installed"} if "project writes" in WITHOUT else {"installed", "module", "helper", "plugin"}
    return module.kind in writers and not edge.lazy and target is not None and target.kind == "installed"


def names(module: Module) -> list[str]:
    """What an importer takes by name, beside what every module has."""
    found = [f"FRESH_{module.id}"] if module.fresh else []
    if module.kind == "installed":
        found += [f"{name}_{module.id}" for name in ("REGISTRY", "ADDED", "OBJECT", "Kind", "written")]
    return found


#: Ways in which conftest.py changes a variable before it imports anything.
SETS = {
    "set 1": "os.environ[{name!r}] = '1'",
    "set 20": "os.environ[{name!r}] = '20'",
    "default": "os.environ.setdefault({name!r}, '300')",
    "unset": "os.environ.pop({name!r}, None)",
}


def sets(world: World) -> Iterator[str]:
    """The statements that do so."""
    if world.sets:
        yield "import os"
    for name, way in sorted(world.sets.items()):
        yield SETS[way].format(name=name)


def kinds(table: Iterable[str]) -> list[str]:
    """Those of a table that are tried."""
    return sorted(set(table) - WITHOUT)
