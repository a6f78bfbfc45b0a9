"""What modules and tests leave behind is there for no run but theirs."""

from __future__ import annotations

import pytest

from .harness import Project
from .modes import MODES, MODES_OF_LONG_TESTS
from .sight import COMPILED, found, preload, write_test

#: Statements of a library, and where their effect shows.
EFFECTS = {
    "limit": ("sys.setrecursionlimit(4321)", "sys.getrecursionlimit()"),
    "hook": ("sys.excepthook = print", "sys.excepthook is print"),
    "garbage": ("gc.disable()", "gc.isenabled()"),
    "seed": ("random.seed(7)", "random.random() == random.Random(7).random()"),
    "sockets": ("socket.setdefaulttimeout(3)", "socket.getdefaulttimeout()"),
    "umask": ("os.umask(0o27)", "[mask := os.umask(0), os.umask(mask)][0]"),
    "precision": ("decimal.getcontext().prec = 5", "decimal.getcontext().prec"),
    "name": ("builtins.stest_name = 1", "hasattr(builtins, 'stest_name')"),
    "attribute": ("json.stest_name = 1", "hasattr(json, 'stest_name')"),
    "method": ("json.JSONEncoder.default = print", "json.JSONEncoder.default is print"),
    "entry": ("copyreg.pickle(Kind, print)", "print in copyreg.dispatch_table.values()"),
    "item": ("urllib.parse.uses_netloc.append('stest')", "urllib.parse.uses_netloc[-1]"),
    "level": ("logging.addLevelName(25, 'NOTE')", "logging.getLevelName(25)"),
    "loggers": ("logging.setLoggerClass(StestLogger)", "logging.getLoggerClass().__name__"),
    "codec": ("codecs.register(search)", "bool(find('stest-codec'))"),
    "signal": ("signal.signal(signal.SIGUSR1, signal.SIG_IGN)", "signal.getsignal(signal.SIGUSR1)"),
    "folder": ("os.chdir('/')", "os.getcwd() == '/'"),
    "warnings": ("warnings.showwarning = print", "warnings.showwarning is print"),
}
IMPORTS = (
    "import builtins, codecs, copyreg, decimal, gc, json, logging, os, random, signal, socket, sys\n"
    "import urllib.parse, warnings\n"
)
NAMES = (
    "class Kind: pass\n"
    "class StestLogger(logging.Logger): pass\n"
    "def search(name): return codecs.lookup('utf-8') if 'stest' in name else None\n"
)
FIND = "def find(name):\n    try: return codecs.lookup(name)\n    except LookupError: return None\n"


@pytest.fixture(params=MODES_OF_LONG_TESTS)
def project(project: Project, request: pytest.FixtureRequest) -> Project:
    project.env |= MODES[request.param]
    return project


def test_what_a_library_does_to_the_process(project: Project) -> None:
    """It is done where a run imports the library, and not before."""
    # Compiled: it cannot simply be executed again.
    libraries = {f"eff_{name}": COMPILED + IMPORTS + NAMES + effect for name, (effect, _) in EFFECTS.items()}
    preload(project, **libraries)
    lines = [f"found['{name}'] = [{seen}]" for name, (_, seen) in EFFECTS.items()]
    after = [f"import eff_{name}\nfound['{name}'].append({seen})" for name, (_, seen) in EFFECTS.items()]
    back = "here = os.getcwd()"
    body = "\n".join([back, "found = {}", *lines, *after, "os.chdir(here)"])
    write_test(project, body, before=IMPORTS + FIND)
    first = found(project)
    assert [name for name, (before, after) in first.items() if before == after] == []
    assert found(project) == first
    write_test(project, "\n".join(["found = {}", *lines]), before=IMPORTS + FIND)
    assert found(project) == {name: before[:1] for name, before in first.items()}


def test_function_that_a_library_has_called_at_exit(project: Project) -> None:
    preload(project, leaves="import atexit\natexit.register(lambda: open('left', 'a').write('x'))\n")
    write_test(project, "found = 1")
    found(project)
    assert not (project.root / "left").exists()
    write_test(project, "found = 1", before="import leaves")
    found(project)
    assert project.read("left") == "xx"  # One by plain pytest.


def test_what_a_library_leaves_in_another(project: Project) -> None:
    preload(
        project,
        owner="REG = []\nKINDS = {}\nSET = {1}\nclass Base:\n    value = 1\ndef ask(): return 'own'\n",
        guest=COMPILED + "import owner\nowner.REG.append('guest')\nowner.KINDS['guest'] = 1\n"
        "owner.SET.add(2)\nowner.more = 1\nowner.Base.value = 2\nowner.ask = lambda: 'guest'\n",
    )
    holds = "owner.REG, owner.KINDS, sorted(owner.SET)"
    seen = f"[{holds}, hasattr(owner, 'more'), owner.Base.value, owner.ask()]"
    alone, together = [[], {}, [1], False, 1, "own"], [["guest"], {"guest": 1}, [1, 2], True, 2, "guest"]
    for before in ("import owner", "import owner, guest", "import guest, owner", "import owner"):
        write_test(project, f"found = {seen}", before=before)
        assert found(project) == (together if "guest" in before else alone)
    write_test(
        project,
        f"found = [copy.deepcopy({seen})]\nimport guest\nfound.append({seen})",
        before="import owner, copy",
    )
    assert found(project) == [alone, together]


def test_what_the_projects_modules_leave_in_each_other(project: Project) -> None:
    project.write("owner.py", "REG = []\nclass Base:\n    value = 1\n")
    project.write("guest.py", "import owner\nowner.REG.append('guest')\nowner.Base.value = 2\n")
    for before in ("import owner, guest", "import owner", "import guest, owner", "import owner"):
        write_test(project, "found = [owner.REG, owner.Base.value]", before=before)
        for _ in range(2):
            assert found(project) == ([["guest"], 2] if "guest" in before else [[], 1])


def test_modules_that_import_each_other(project: Project) -> None:
    preload(
        project,
        one="import sys\nSEEN = 'two' in sys.modules\nimport two\n",
        two="import sys\nSEEN = 'one' in sys.modules\nimport one\n",
    )
    for before, seen in (("import one, two", [False, True]), ("import two, one", [True, False])) * 2:
        write_test(project, "found = [one.SEEN, two.SEEN]", before=before)
        assert found(project) == seen


def test_logging_that_is_configured_before_a_library_is_imported(project: Project) -> None:
    """`dictConfig` switches off all loggers that there are."""
    preload(
        project,
        talks=COMPILED + "import logging\nlog = logging.getLogger(__name__)\nlog.setLevel(20)\n"
        "other = logging.getLogger('talks.other')\n",
    )
    write_test(
        project,
        "import talks\nfound = [talks.log.level, talks.log.disabled, talks.other.disabled]",
        conftest="import logging.config\nlogging.config.dictConfig({'version': 1})\n"
        "logging.getLogger('talks').setLevel(40)\n",
    )
    for _ in range(2):
        assert found(project) == [20, False, False]


STATE = """
CACHE, LIST, SET, NESTED, COUNT = {}, [], set(), {"in": []}, 0
class Holder:
    total = 0
    def __init__(self): self.number = 0
HOLDER = Holder()
def ask(answer=[]): return len(answer)
def change():
    global COUNT
    COUNT += 1
    Holder.total += 1
    HOLDER.number += 1
    CACHE["x"] = 1
    LIST.append(1)
    SET.add(1)
    NESTED["in"].append(1)
    ask.__defaults__[0].append(1)
def view():
    nested = len(NESTED["in"])
    return [COUNT, Holder.total, HOLDER.number, len(CACHE), len(LIST), len(SET), nested, ask()]
"""


def test_state_of_the_projects_modules(project: Project) -> None:
    project.write("state.py", STATE)
    project.write("user.py", "import state\n")
    write_test(project, "found = user.state.view()\nstate.change()", before="import state, user")
    for _ in range(3):
        assert found(project) == [0] * 8


def test_patches_that_tests_leave(project: Project) -> None:
    library = "CACHE = {}\nCOUNT = 0\nclass Kind:\n    total = 0\ndef ask(): return 'own'\n"
    preload(project, library=library)
    seen = "library.COUNT, library.CACHE, library.Kind.total, library.ask(), hasattr(os, 'stest_name')"
    std = "json.JSONEncoder.default is print, logging.Logger.info.__name__, len(logging.root.handlers)"
    write_test(
        project,
        f"found = json.loads(json.dumps([{seen}, {std}]))\n"
        "library.COUNT += 1\nlibrary.CACHE['x'] = 1\nlibrary.Kind.total += 1\n"
        "library.ask = lambda: 'patched'\nos.stest_name = 1\njson.JSONEncoder.default = print\n"
        "logging.Logger.info = print\nlogging.root.addHandler(logging.NullHandler())",
        before="import library, logging",
    )
    first = found(project)
    for _ in range(2):
        assert found(project) == first


def test_module_of_the_project_that_registers_with_a_library(project: Project) -> None:
    preload(project, library=COMPILED + "REG = {}\n")
    project.write("mine.py", "import library\ndef ask(): pass\nlibrary.REG['mine'] = ask\n")
    for before in ("import mine, library", "import library", "import mine, library", "import library") * 2:
        write_test(project, "found = [sorted(library.REG)]", before=before)
        assert found(project) == ([["mine"]] if "mine" in before else [[]])
    project.write("mine.py", "import library\ndef ask(): pass\nlibrary.REG['edited'] = ask\n")
    write_test(project, "found = [sorted(library.REG)]", before="import mine, library")
    for _ in range(2):
        assert found(project) == [["edited"]]


def test_what_a_module_changes_that_each_run_executes(project: Project) -> None:
    """It is not another one's that imports the same library, and is done once."""
    preload(project, library="NUMBER = 0\n")
    project.write("each.py", "import library, time\nBORN = [time.monotonic_ns()]\nlibrary.NUMBER += 5\n")
    project.write("quiet.py", "import library\n")
    write_test(project, "found = library.NUMBER", before="import quiet, each, library")
    assert [found(project) for _ in range(4)] == [5] * 4


def test_what_a_conftest_changes_in_a_library_is_done_by_each_run(project: Project) -> None:
    """Variables, attributes of classes and of objects, entries: what hypothesis makes of a profile."""
    kinds = "class Kinds:\n    CURRENT = 'none'\n    KNOWN = {}\n    def __init__(self): self.value = 0\n"
    preload(project, library=COMPILED + kinds + "CHOSEN = Kinds()\n")
    project.write("mine.py", "from library import Kinds\n")
    look = "[library.Kinds.CURRENT, sorted(library.Kinds.KNOWN), library.CHOSEN.value]"
    act = "library.Kinds.CURRENT = 'mine'\nlibrary.Kinds.KNOWN['mine'] = 1\nlibrary.CHOSEN.value += 1\n"
    write_test(
        project,
        "import conftest\nfound = [conftest.BEFORE, conftest.AFTER]",
        conftest=f"import library, mine\nBEFORE = {look}\n{act}AFTER = {look}\n",
    )
    assert [found(project) for _ in range(4)] == [[["none", [], 0], ["mine", ["mine"], 1]]] * 4


def test_counter_that_the_tests_have_counted_up_before(project: Project) -> None:
    preload(project, counter="N = 0\n", down=COMPILED + "import counter\ncounter.N -= 1\n")
    write_test(project, "import down\nfound = counter.N", before="import counter\ncounter.N += 5\n")
    assert [found(project) for _ in range(3)] == [4] * 3


def test_what_a_library_does_once_it_does_in_each_run(project: Project) -> None:
    once = "import functools\nREG = {}\n@functools.lru_cache(None)\ndef load(): import plug\n"
    preload(project, once=once, plug=COMPILED + "import once\nonce.REG['plug'] = 1\n")
    write_test(project, "once.load()\nfound = sorted(once.REG)", before="import once")
    assert [found(project) for _ in range(4)] == [["plug"]] * 4


def test_what_is_registered_with_an_object_of_a_library(project: Project) -> None:
    """Its attributes, and what its dictionaries, lists and sets hold, are the library's."""
    registry = (
        "import threading\nclass Registry:\n    last = None\n"
        "    def __init__(self): self.names, self.all, self.here = {}, [], threading.local()\n"
    )
    add = (
        "    def add(self, name):\n        self.last = self.names[name] = self.here.name = name\n"
        "        self.all.append(name)\n"
    )
    plug = "import library\nlibrary.REGISTRY.add('plug')\n"
    library = f"{registry}{add}REGISTRY = Registry()\nvars(REGISTRY)[1] = 'no name'\n"
    preload(project, library=library, plug=COMPILED + plug)
    look = "[REG.last, getattr(REG.here, 'name', None), *REG.names, *REG.all]"
    act = "REG.add('test')\n"
    body = f"REG = library.REGISTRY\nbefore = {look}\n{act}found = [before, {look}]"
    write_test(project, body, before="import library")
    assert [found(project) for _ in range(3)] == [[[None] * 2, ["test"] * 4]] * 3
    write_test(project, body, before="import library, plug")
    both = ["plug", "test"] * 2
    assert [found(project) for _ in range(3)] == [[["plug"] * 4, ["test"] * 2 + both]] * 3
    assert project.status()["worker"]["not_preloaded"] == []


def test_what_is_registered_with_an_object_that_another_module_has_made(project: Project) -> None:
    """seaborn's colour maps, and their reversed ones, in matplotlib's; both are loaded by one import."""
    project.install("base/__init__.py", "from base.maps import MAPS\n")
    project.install("user/__init__.py", "from user import maps, more\n")
    preload(
        project,
        other="import base\n",
        base__maps="class Maps:\n    def __init__(self): self._maps = {'own': 1}\nMAPS = Maps()\n",
        base__more="import base\nbase.MAPS._maps['more'] = 1\n",
        user__compat="import base\ndef register(name): base.MAPS._maps[name] = 1\n",
        user__maps=COMPILED + "from user import compat\nfor name in ['rocket', 'mako']:\n"
        "    compat.register(name)\n    compat.register(name + '_r')\n",
        user__more="import other, base.more\n",
    )
    for before, expected in (
        ("import base", ["own"]),
        ("import other", ["own"]),
        ("import base.more", ["more", "own"]),
        ("import user", ["mako", "mako_r", "more", "own", "rocket", "rocket_r"]),
    ):
        write_test(project, "import base\nfound = sorted(base.MAPS._maps)", before=before)
        assert found(project) == expected


def test_what_a_library_remembers_of_objects_as_long_as_they_live(project: Project) -> None:
    """As `torch.jit` of what it has compiled. What a plugin registers in this way comes with the plugin."""
    weak = "import weakref\nclass Key: pass\nKEY, OTHER = Key(), Key()\n"
    memory = "KNOWN = weakref.WeakKeyDictionary()\nNAMES = weakref.WeakValueDictionary()\n"
    plug = "import library\nlibrary.KNOWN[library.OTHER] = 1\nlibrary.NAMES['plug'] = library.OTHER\n"
    preload(project, library=weak + memory, plug=COMPILED + plug)
    look = "[len(library.KNOWN), sorted(library.NAMES)]"
    act = (
        "library.KNOWN[library.KEY] = library.KNOWN[library.Key()] = 1\nlibrary.NAMES['test'] = library.KEY\n"
    )
    write_test(project, f"before = {look}\n{act}found = [before, {look}]", before="import library")
    assert [found(project) for _ in range(3)] == [[[0, []], [1, ["test"]]]] * 3
    write_test(project, f"before = {look}\n{act}found = [before, {look}]", before="import plug, library")
    assert [found(project) for _ in range(3)] == [[[1, ["plug"]], [2, ["plug", "test"]]]] * 3


def test_what_two_libraries_change_one_after_the_other(project: Project) -> None:
    """Each builds on what it finds; a run that imports one alone has nothing of the other's."""
    library = "NUMBER = 0\nNAMES = {}\nLIST = []\ndef ask(): return ''\n"
    changes = (
        "import library\nlibrary.NUMBER += %d\nlibrary.NAMES['%s'] = 1\nlibrary.LIST.append('%s')\n"
        "before = library.ask\nlibrary.ask = lambda: before() + '%s'\n"
    )
    preload(project, library=library, first=changes % (5, *"fff"), second=changes % (7, *"sss"))
    seen = "found = [library.NUMBER, list(library.NAMES), library.LIST, library.ask()]"
    for order in ("first, second", "second", "second, first", "first"):
        write_test(project, seen, before=f"import {order}, library")
        expected = [name[0] for name in order.split(", ")]
        assert found(project, warm=None)[1:3] == [expected, expected]


def test_change_is_of_the_module_that_names_what_it_changes(project: Project) -> None:
    preload(
        project,
        library="NUMBER = 0\n",
        both="import writes, reads\n",
        writes="import library\nlibrary.NUMBER += 5\n",
        reads="import library\n",
    )
    for name, number in (("both", 5), ("reads", 0), ("writes", 5)):
        write_test(project, "found = library.NUMBER", before=f"import {name}, library")
        assert found(project) == number


def test_function_that_a_library_takes_is_what_others_have(project: Project) -> None:
    """Nothing watches by standing in its place."""
    preload(project, takes=COMPILED + "from tempfile import mkdtemp, mkstemp\n")
    write_test(
        project,
        "found = [takes.mkdtemp is tempfile.mkdtemp, takes.mkstemp.__module__]",
        before="import takes, tempfile",
    )
    assert found(project) == [True, "tempfile"]


def test_file_that_is_loaded_by_its_path(project: Project) -> None:
    project.write("part.py", "VALUE = 1\n")
    project.write(
        "whole.py",
        """
        import importlib.util
        spec = importlib.util.spec_from_file_location("part", "part.py")
        part = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(part)
        """,
    )
    write_test(project, "found = whole.part.VALUE", before="import whole")
    for _ in range(3):
        assert found(project) == 1
    project.write("part.py", "VALUE = 2\n")
    for _ in range(2):
        assert found(project) == 2
