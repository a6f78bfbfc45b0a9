"""What was loaded ahead is hidden from a run until it imports it, and then what plain pytest loads."""

from __future__ import annotations

import json
import os
import textwrap

import pytest

from .harness import Finished, Project, wait_for
from .modes import MODES, MODES_OF_LONG_TESTS
from .sight import BORN, COMPILED, found, is_shared, preload, write_test
from .warmth import settle


@pytest.fixture(params=MODES_OF_LONG_TESTS)
def project(project: Project, request: pytest.FixtureRequest) -> Project:
    project.env |= MODES[request.param]
    return project


def test_nothing_is_in_sight_before_it_is_asked_for(project: Project) -> None:
    preload(project, heavy=BORN + "import _lsprof, wave\n", heavier="import heavy\n")
    watched = ["heavy", "heavier", "wave", "_lsprof"]
    body = f"before = [name for name in {watched} if name in sys.modules]\nimport heavy\n"
    write_test(project, body + f"found = [before, [name for name in {watched} if name in sys.modules]]")
    assert found(project) == [[], ["heavy", "wave", "_lsprof"]]
    assert is_shared(project, "heavy")


def test_modules_in_sight_are_those_of_plain_pytest(project: Project) -> None:
    """Neither stest's own, nor what it or anything that is loaded ahead has imported."""
    preload(project, heavy="import wave, pickle\n")
    write_test(project, "found = [seen, sorted(set(sys.modules) - set(seen))]", "seen = sorted(sys.modules)")
    seen, more = found(project)
    assert "pytest" in seen
    assert more == []
    write_test(project, "found = sorted(set(sys.modules) - seen)", "seen = set(sys.modules)\nimport heavy")
    assert {"heavy", "wave", "pickle"} <= set(found(project))
    write_test(
        project,
        "import sprintest\nfound = [callable(sprintest.warm), 'sprintest.modules' in sys.modules]",
    )
    assert found(project) == [True, False]


def test_a_submodule_that_nobody_imported_is_no_attribute(project: Project) -> None:
    preload(project, pack____init__="", pack__sub=BORN, pack__other="from pack import sub\n")
    write_test(
        project,
        "import pack\nbefore = hasattr(pack, 'sub')\nimport pack.other\n"
        "found = [before, hasattr(pack, 'sub')]",
    )
    assert found(project) == [False, True]


def test_file_that_a_test_writes_is_found_by_what_it_imports_then(project: Project) -> None:
    seeks = "import importlib.util\nFOUND = importlib.util.find_spec('extra') is not None\n"
    preload(project, other="", seeks=seeks)
    write_test(
        project,
        "import importlib, pathlib, other\nextra = pathlib.Path('extra.py')\nextra.touch()\n"
        "importlib.invalidate_caches()\nimport seeks\nextra.unlink()\nfound = seeks.FOUND",
    )
    assert found(project) is True


def test_stand_in_of_a_conftest_is_what_others_import(project: Project) -> None:
    user = "try:\n    import real\n    KIND = real.KIND\nexcept ImportError:\n    KIND = 'none'\n"
    preload(project, real="KIND = 'real'\n", user=user)
    project.write("mine.py", user)
    write_test(project, "found = [user.KIND, mine.KIND]", before="import user, mine")
    assert found(project) == ["real"] * 2
    stub = (
        "import sys, types\nstub = types.ModuleType('real')\nstub.KIND = 'stub'\nsys.modules['real'] = stub\n"
    )
    for conftest, kind in (
        (stub, "stub"),
        ("import sys\nsys.modules['real'] = None\n", "none"),
        ("", "real"),
    ):
        project.write("conftest.py", conftest)
        assert found(project) == [kind] * 2


PATCHES = {
    "a function of a library": "import base\nbase.kind = lambda: 'patched'\n",
    "a function of the standard library": "import colorsys\ncolorsys.rgb_to_hsv = lambda *rgb: 'patched'\n",
    "a builtin": "import builtins\nbuiltins.input = lambda: 'patched'\n",
    "a class": "import base\nclass Base:\n    name = 'patched'\nbase.Base = Base\n",
}


@pytest.mark.parametrize("what", PATCHES)
def test_patch_of_a_conftest_is_what_a_library_takes(project: Project, what: str) -> None:
    preload(
        project,
        base="class Base:\n    name = 'real'\ndef kind(): return 'real'\n",
        takes="import base, colorsys\nfrom base import kind\nhsv = colorsys.rgb_to_hsv\n"
        "class Taker(base.Base):\n    ask = input\nASK = input\n",
    )
    write_test(
        project,
        "found = [takes.kind(), takes.hsv(1, 0, 0), takes.ASK.__name__, takes.Taker.name]",
        before="import takes",
    )
    real = found(project)
    for _ in range(2):
        project.write("conftest.py", PATCHES[what])
        assert found(project) != real
    project.write("conftest.py", "")
    assert found(project) == real


@pytest.mark.parametrize("when", ["in a conftest", "in a test"])
def test_patch_of_what_something_takes_that_cannot_be_loaded_twice(project: Project, when: str) -> None:
    """A patch of a test is for that test: the run goes on with what was loaded ahead."""
    patch = "import base\nbase.kind = lambda: 'patched'\n"
    preload(project, base="def kind(): return 'real'\n", takes=COMPILED + "from base import kind\n")
    if when == "in a conftest":
        write_test(project, "found = takes.kind()", before="import takes", conftest=patch)
        assert found(project, warm=False) == "patched"
        return
    write_test(project, patch + "import takes\nfound = takes.__name__", before="def test_before(): pass\n")
    assert found(project) == "takes"


def test_what_a_library_names_like_a_builtin_is_its_own(project: Project) -> None:
    preload(project, opens=BORN + COMPILED + "def open(): return 1\nVALUE = open()\n")
    patch = "import builtins\nreal = open\nbuiltins.open = lambda *args, **named: real(*args, **named)\n"
    write_test(project, "found = opens.VALUE", before="import opens", conftest=patch)
    assert found(project) == 1


def test_process_that_a_library_starts_sees_the_variables_of_the_run(project: Project) -> None:
    asks = "import subprocess\nMODE = subprocess.check_output(['sh', '-c', 'echo $MODE'], text=True)\n"
    preload(project, asks=asks)
    write_test(project, "found = asks.MODE", before="import asks")
    for mode in ("one", "two"):
        assert found(project, env={"MODE": mode}) == f"{mode}\n"


def test_recursion_limit_that_a_library_reads(project: Project) -> None:
    preload(project, limit="import sys\nLIMIT = sys.getrecursionlimit()\n")
    write_test(project, "found = limit.LIMIT", before="import limit")
    assert found(project) == 1000


def test_variable_that_a_conftest_sets_is_what_a_library_reads(project: Project) -> None:
    preload(
        project, reads="import os\nMODE = os.environ.get('MODE', 'none')\n", user="from reads import MODE\n"
    )
    write_test(project, "found = [reads.MODE, user.MODE]", before="import reads, user")
    assert found(project) == ["none", "none"]
    for value in ("one", "two", "one"):
        project.write("conftest.py", f"import os\nos.environ['MODE'] = {value!r}\n")
        assert found(project) == [value, value]
    project.write("conftest.py", "")
    assert found(project) == ["none", "none"]


def test_value_that_is_always_set_is_warm_from_the_second_worker_on(project: Project) -> None:
    """What cannot be loaded twice is loaded by a fresh process once, and then ahead with that very value."""
    preload(project, steady=COMPILED + BORN + "STEADY = os.environ.get('STEADY', 'none')\n")
    write_test(
        project,
        "found = steady.STEADY",
        before="import steady",
        conftest="import os\nos.environ['STEADY'] = 'set'\n",
    )
    assert found(project, warm=False) == "set"
    assert found(project) == "set"
    assert found(project) == "set"
    project.write(
        "test_it.py",
        "import steady, os\ndef test(): assert steady.BORN != os.getpid() and steady.STEADY == 'set'\n",
    )
    project.stest("-q").expect(0)
    project.write(
        "test_sight.py",
        "import os\nos.environ.pop('STEADY')\ndef test():\n    assert 'STEADY' not in os.environ\n",
    )
    project.stest("-q", "test_sight.py").expect(0)


def test_variable_that_a_test_sets_before_it_imports_a_library(project: Project) -> None:
    """The run cannot execute it a second time, and another can only begin before the first test."""
    preload(project, late=COMPILED + "import os\nVALUE = os.environ.get('LATE', 'none')\n")
    write_test(
        project,
        "os.environ['LATE'] = 'set'\nimport late\nfound = late.VALUE",
        before="def test_before(): pass\n",
    )
    assert found(project, warm=False) == "set"
    assert found(project) == "set"
    assert found(project) == "set"


HOOK = """
import sys, importlib.machinery as machinery
class Loader(machinery.SourceFileLoader): pass
sys.path_hooks.insert(0, machinery.FileFinder.path_hook((Loader, ['.py'])))
sys.path_importer_cache.clear()
"""


def test_what_is_imported_under_a_hook_of_the_project_is_not_learned(project: Project) -> None:
    """It finds no compiled modules, and so a plugin's library, which the worker could import, fails."""
    files = {"plug.py": "", "halves/__init__.py": "import halves.first, needs", "halves/first.py": ""}
    about = {
        "METADATA": "Name: halves\nVersion: 1\n",
        "entry_points.txt": "[pytest11]\nhalves = plug\n",
        "RECORD": "".join(f"{name},,\n" for name in files),
    }
    files |= {f"halves-1.dist-info/{name}": text for name, text in about.items()}
    for name, text in {**files, "needs.py": COMPILED}.items():
        project.install(name, text)
    body = "try: import halves; found = 'there'\nexcept ModuleNotFoundError as error: found = error.name"
    write_test(project, body, before=HOOK)
    for _ in range(3):
        assert found(project) == "_lsprof"
        settle(project)


@pytest.mark.torch
def test_variable_of_a_threading_library_that_is_not_loaded(project: Project) -> None:
    """scikit-learn sets it when it is imported, and what was loaded before has other libraries."""
    project.configure(sprintest="preload = ['numpy']")
    write_test(
        project,
        "found = numpy.__name__",
        before="import numpy",
        conftest="import os\nos.environ['KMP_INIT_AT_FORK'] = 'FALSE'\n",
    )
    assert found(project) == "numpy"
    write_test(project, "found = numpy.__name__", before="os.environ['OMP_NUM_THREADS'] = '1'\nimport numpy")
    assert found(project, warm=False) == "numpy"


def test_values_that_go_to_and_fro_are_left_to_the_runs(project: Project) -> None:
    preload(project, toggled=COMPILED + "import os\nTOGGLED = os.environ.get('TOGGLED', 'none')\n")
    write_test(project, "found = toggled.TOGGLED", before="import toggled")
    for value in ("a", "b", "c", "d", "e", "f"):
        project.write("conftest.py", f"import os\nos.environ['TOGGLED'] = {value!r}\n")
        project.stest("-q", "test_it.py").expect(0)
        assert json.loads(project.read("found.json")) == value
    assert found(project) == "f"
    not_preloaded = {one["module"]: one["reason"] for one in project.status()["worker"]["not_preloaded"]}
    assert "different values of TOGGLED" in not_preloaded["toggled"]


def test_variable_that_a_library_sets_is_set_when_it_is_imported(project: Project) -> None:
    sets = "import os\nos.environ.setdefault('SET_BY_IT', 'it')\nSEEN = os.environ['SET_BY_IT']\n"
    preload(project, sets=sets)
    write_test(
        project,
        "found = [BEFORE, os.environ.get('SET_BY_IT')]",
        before="BEFORE = os.environ.get('SET_BY_IT')\nimport sets",
    )
    assert found(project) == [None, "it"]
    assert found(project, env={"SET_BY_IT": "client"}) == ["client", "client"]


def test_finder_of_a_conftest_is_asked(project: Project) -> None:
    finder = """
        import importlib.abc, importlib.machinery, sys
        class Loader(importlib.abc.Loader):
            def create_module(self, spec): return None
            def exec_module(self, module): module.KIND = 'found'
        class Finder(importlib.abc.MetaPathFinder):
            def find_spec(self, name, path, target=None):
                return importlib.machinery.ModuleSpec(name, Loader()) if name == 'real' else None
        sys.meta_path.insert(0, Finder())
    """
    preload(project, real="KIND = 'real'\n", user="from real import KIND\n")
    write_test(project, "found = user.KIND", before="import user")
    assert found(project) == "real"
    project.write("conftest.py", finder)
    assert found(project) == "found"


def test_finder_of_a_library_is_its_own(project: Project) -> None:
    """As six has one, for modules that it makes up."""
    six = """
        import importlib.machinery, sys
        class Loader:
            def create_module(self, spec): return None
            def exec_module(self, module): module.KIND = 'moved'
        class Finder:
            def find_spec(self, name, path, target=None):
                return importlib.machinery.ModuleSpec(name, Loader()) if name == 'moves' else None
        sys.meta_path.append(Finder())
    """
    preload(project, sixth=textwrap.dedent(six), mover=BORN + "import sixth\nfrom moves import KIND\n")
    write_test(project, "import sixth, mover\nfound = [mover.KIND, mover.BORN == os.getpid()]")
    finished = project.stest("-q").expect(0)
    assert json.loads(project.read("found.json")) == ["moved", False], finished


def test_module_of_the_project_that_a_library_looks_for(project: Project) -> None:
    preload(
        project,
        optional="try:\n    from local_settings import VALUE\nexcept ImportError:\n    VALUE = None\n",
    )
    write_test(project, "found = optional.VALUE", before="import optional")
    assert found(project) is None
    project.write("local_settings.py", "VALUE = 1\n")
    assert found(project) == 1
    project.write("local_settings.py", "VALUE = 22\n")
    assert found(project) == 22
    (project.root / "local_settings.py").unlink()
    assert found(project) is None


def test_module_of_the_project_that_a_library_imports(project: Project) -> None:
    project.write("proj.py", "class Base: pass\nVALUE = 1\n")
    preload(project, third="import proj\nclass Sub(proj.Base): pass\nVALUE = proj.VALUE\n")
    write_test(
        project, "import proj\nfound = [third.VALUE, issubclass(third.Sub, proj.Base)]", before="import third"
    )
    assert found(project) == [1, True]
    project.write("proj.py", "class Base: pass\nVALUE = 22\n")
    assert found(project) == [22, True]


@pytest.mark.parametrize(
    "how", ["open('settings.txt').read()", "__import__('pathlib').Path('settings.txt').read_text()"]
)
def test_file_of_the_project_that_a_library_reads(project: Project, how: str) -> None:
    source = f"import os\nVALUE = {how} if os.path.exists('settings.txt') else 'none'\n"
    preload(project, reads=source)
    write_test(project, "found = reads.VALUE", before="import reads")
    assert found(project) == "none"
    for text in ("one", "two"):
        project.write("settings.txt", text)
        assert found(project) == text
    (project.root / "settings.txt").unlink()
    assert found(project) == "none"


@pytest.mark.parametrize(
    "how",
    [
        "os.listdir()",
        "[entry.name for entry in os.scandir('.')]",
        "os.listdir(os.open('.', os.O_RDONLY))",
        "glob.glob('*')",
        "[path.name for path in pathlib.Path.cwd().iterdir()]",
    ],
)
def test_folder_of_the_project_that_a_library_lists(project: Project, how: str) -> None:
    """The import system lists it too, for its own ends: it is in ``sys.path``."""
    preload(project, lists=f"import glob, os, pathlib\nVALUE = sorted({how})\n")
    write_test(project, "found = [name for name in lists.VALUE if 'settings' in name]", before="import lists")
    assert found(project) == []
    project.write("settings.txt", "")
    assert found(project) == ["settings.txt"]
    (project.root / "settings.txt").unlink()
    assert found(project) == []


def test_library_that_looks_for_a_distribution_is_warm_whatever_lies_here(project: Project) -> None:
    """It lists all folders of the path, and this one changes all the time."""
    look = "[one.version for one in importlib.metadata.distributions(name='other')]"
    preload(project, asks=f"import importlib.metadata\n{BORN}FOUND = {look}\n")
    for name in ("one", "two"):
        project.write(f"{name}.txt", "")
        assert is_shared(project, "asks")


def test_folder_that_a_library_adds_to_the_path(project: Project) -> None:
    project.install("vendored/inner.py", "")
    preload(
        project, adds="import os, sys\nsys.path.append(os.path.join(os.path.dirname(__file__), 'vendored'))\n"
    )
    write_test(project, "found = [path for path in sys.path if path.endswith('vendored')] != []")
    assert found(project) is False
    write_test(
        project, "import adds, inner\nfound = [path for path in sys.path if path.endswith('vendored')] != []"
    )
    assert found(project) is True


def test_logging_that_a_library_configures(project: Project) -> None:
    preload(project, configures="import logging\nlogging.basicConfig(level=logging.INFO)\n")
    write_test(
        project, "import logging, configures\nfound = [logging.root.level, len(logging.root.handlers)]"
    )
    assert found(project)[0] == 30  # pytest has handlers there.
    write_test(project, "import logging\nfound = logging.root.level", conftest="import configures\n")
    assert found(project) == 20


@pytest.mark.parametrize(
    "look",
    [
        "sys.argv[1:]",
        "vars(__import__('__main__')).get('__name__'), os.path.basename(__main__.__file__)",
        "os.getcwd()",
        "os.path.relpath(os.sep)",
    ],
)
def test_what_a_library_sees_of_the_command_is_the_runs(project: Project, look: str) -> None:
    imports = "import os, sys\n" + ("import __main__\n" if "__main__" in look else "")
    preload(project, looks=f"{imports}SEEN = [{look}]\n")
    write_test(project, "found = looks.SEEN", before="import looks")
    first = found(project)
    assert found(project) == first
    project.write("sub/keep", "")
    for place in (project.root / "sub", project.root):
        test = os.path.relpath(project.root / "test_it.py", place)
        args = ("-q", "-p", "no:cacheprovider", test)
        project.plain(*args, cwd=place).expect(0)
        expected = (place / "found.json").read_text()
        project.stest(*args, cwd=place).expect(0)
        assert (place / "found.json").read_text() == expected


def test_what_is_imported_again_is_executed(project: Project) -> None:
    preload(project, heavy=BORN + "NUMBERS = []\n")
    body = "import importlib, heavy\nfirst = heavy.BORN == os.getpid()\nheavy.NUMBERS.append(1)\n"
    again = "del sys.modules['heavy']\nimport heavy\nfound = heavy.NUMBERS"
    write_test(project, body + again)
    assert found(project) == []
    write_test(project, body + "importlib.reload(heavy)\nfound = heavy.NUMBERS")
    assert found(project) == []


def test_child_of_a_test_may_import(project: Project) -> None:
    preload(project, heavy=BORN)
    body = """
        read, write = os.pipe()
        if os.fork() == 0:
            import heavy
            os.write(write, b"yes" if heavy.BORN else b"")
            os._exit(0)
        os.wait()
        found = os.read(read, 10).decode()
    """
    write_test(project, "\n".join(line[8:] for line in body.strip("\n").splitlines()))
    assert found(project) == "yes"


def test_threads_that_import_at_once_get_one_module(project: Project) -> None:
    preload(project, heavy=BORN, heavier="import heavy\n")
    body = """
        import threading
        got = []
        def load(name):
            __import__(name)
            got.append(id(sys.modules['heavy']))
        threads = [threading.Thread(target=load, args=(name,)) for name in ('heavy', 'heavier') * 8]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        found = [len(got), len(set(got))]
    """
    write_test(project, "\n".join(line[8:] for line in body.strip("\n").splitlines()))
    assert found(project) == [16, 1]


def test_traceback_of_a_library_shows_nothing_of_stest(project: Project) -> None:
    preload(project, heavy="def fail(): raise RuntimeError('mine')\n")
    project.write("test_it.py", "import heavy\ndef test(): heavy.fail()\n")

    def lines(run: Finished) -> list[str]:
        return [line for line in run.text.splitlines() if " in 0." not in line and "in 1." not in line]

    plain = project.plain("-q", "test_it.py").expect(1)
    wait_for(lambda: "cold" not in project.stest("-q", "test_it.py").expect(1).errors, "a warm run")
    assert lines(project.stest("-q", "test_it.py").expect(1)) == lines(plain)


def test_what_is_another_module_each_time_is_left_to_the_runs(project: Project) -> None:
    """Else each run would be a cold one."""
    preload(project, inner="KIND = 'real'\n", steady=COMPILED + "from inner import KIND\n")
    stub = "import sys, types\nsys.modules['inner'] = types.SimpleNamespace(KIND='stub')\n"
    write_test(project, "found = steady.KIND", before="import steady", conftest=stub)
    assert found(project, warm=False) == "stub"
    assert found(project, warm=False) == "stub"
    assert found(project) == "stub"
    assert found(project) == "stub"


def test_what_has_gone_is_executed_for_others_too(project: Project) -> None:
    preload(project, inner="NUMBERS = []\n", outer="import inner\n")
    write_test(
        project,
        "import inner\ninner.NUMBERS.append(1)\ndel sys.modules['inner']\n"
        "import outer\nfound = outer.inner.NUMBERS",
    )
    assert found(project) == []


WARNS = BORN + "import warnings\nwarnings.warn('mine', DeprecationWarning)\n"
WARNS += "warnings.warn('of whoever imports it', FutureWarning, stacklevel=2)\n"


def warnings_in(finished: Finished) -> list[str]:
    """The summary of warnings: where, of what kind, and what for."""
    _, _, summary = finished.text.partition("warnings summary")
    return [line.strip() for line in summary.splitlines() if line.startswith("  ") or ".py:" in line]


def test_library_that_warns_does_so_in_each_run(project: Project) -> None:
    preload(project, warns=WARNS, user="import warns\n")
    project.configure(sprintest="preload = ['user']")
    for imported in ("warns", "user, warns"):
        write_test(project, "found = [warns.BORN, os.getpid()]", before=f"import {imported}")
        expected = warnings_in(project.plain("-q", "test_it.py").expect(0))
        assert len([line for line in expected if "Warning: " in line]) == 2
        for _ in range(3):
            assert warnings_in(project.stest("-q", "test_it.py").expect(0)) == expected
            born, run = json.loads(project.read("found.json"))
            assert born != run


def test_warning_of_the_compiler_comes_only_where_something_is_compiled(project: Project) -> None:
    preload(project, escape=BORN + "PATTERN = '\\d'\n")
    write_test(project, "found = [escape.BORN, os.getpid()]", before="import escape")
    for _ in range(3):
        finished = project.stest("-q", "test_it.py").expect(0)
    born, run = json.loads(project.read("found.json"))
    assert born != run
    assert warnings_in(finished) == warnings_in(project.plain("-q", "test_it.py").expect(0)) == []


def test_warning_that_is_an_error_in_this_run(project: Project) -> None:
    preload(project, warns=WARNS)
    write_test(
        project,
        "with pytest.raises(DeprecationWarning):\n    import warns\nfound = 'warns' in sys.modules",
        before="import pytest\npytestmark = pytest.mark.filterwarnings('error::DeprecationWarning')",
    )
    assert found(project) is False


def test_filter_that_a_library_adds(project: Project) -> None:
    preload(project, quiet="import warnings\nwarnings.filterwarnings('ignore', 'hush')\n")
    write_test(
        project,
        "before = any('hush' in str(one) for one in warnings.filters)\nimport quiet\n"
        "found = [before, any('hush' in str(one) for one in warnings.filters)]",
        before="import warnings",
    )
    assert found(project) == [False, True]


def test_module_that_a_test_drops_is_garbage(project: Project) -> None:
    project.write("late/gone.py", "")
    write_test(
        project,
        "sys.path.append('late')\nend = weakref.ref(importlib.import_module('gone'))\n"
        "del sys.modules['gone']\ngc.collect()\nfound = end() is None",
        before="import gc, importlib, weakref",
    )
    for _ in range(2):
        assert found(project) is True


def test_start_method_of_multiprocessing(project: Project) -> None:
    write_test(
        project,
        "found = mp.get_start_method(allow_none=True)\nmp.set_start_method('spawn')",
        before="import multiprocessing as mp",
    )
    for _ in range(3):
        assert found(project) is None


@pytest.mark.parametrize("how", ["importlib", "prepend"])
def test_modules_are_executed_in_each_run_as_pytest_imports_them(project: Project, how: str) -> None:
    """By path, or rewritten: neither goes by the last step of an import."""
    write_test(project, "found = VALUE", before="VALUE = 1")
    project.configure(pytest=f"addopts = '--import-mode={how}'")
    assert found(project) == 1
    for value in (22, 333):
        write_test(project, "found = VALUE", before=f"VALUE = {value}")
        assert found(project) == value
