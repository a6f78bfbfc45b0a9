"""`isolation = "resident"`: which of the project's modules stay for the next run, and which do not."""

from __future__ import annotations

import pytest

from .harness import Project
from .warmth import settle

SHARES_A_DAEMON = True


@pytest.fixture
def project(project: Project) -> Project:
    project.configure(sprintest="isolation = 'resident'")
    return project


def notices(project: Project) -> list[str]:
    texts: list[str] = project.status()["last_result"]["notice"]
    return texts


def test_modules_are_executed_once(project: Project) -> None:
    project.write("leaf.py", "BORN = object()\n")
    project.write("middle.py", "import leaf\n")
    project.write(
        "test_it.py",
        """
        import leaf, middle

        def test():
            with open("seen", "a") as file:
                print(id(leaf.BORN), id(middle), file=file)
        """,
    )
    settle(project)
    for _ in range(2):
        project.stest().expect(0)
    seen = project.read("seen").splitlines()
    assert seen[1] == seen[2] == seen[3]


def test_edit_reloads_what_it_must_and_is_held_anew(project: Project) -> None:
    project.write("leaf.py", "VALUE = 1\n")
    project.write("middle.py", "import leaf\nVALUE = leaf.VALUE\n")
    project.write("other.py", "BORN = object()\n")
    source = "import middle, other\ndef test(): open('seen', 'w').write(f'{middle.VALUE} {id(other.BORN)}')\n"
    project.write("test_it.py", source)
    settle(project)
    _, born = project.read("seen").split()
    project.write("leaf.py", "VALUE = 2\n")
    project.stest().expect(0)
    assert project.read("seen").split() == ["2", born]
    assert notices(project) == ["reloaded leaf (+1 dependent)"]
    project.stest().expect(0)
    assert project.read("seen").split()[0] == "2"
    assert notices(project) == []


def test_package_between_a_package_and_what_it_imports(project: Project) -> None:
    """`outer` may be had again only once `outer.inner` was executed, and importing that imports `outer`."""
    project.write("outer/__init__.py", "from outer.inner.low import BORN\n")
    project.write("outer/inner/__init__.py", "VALUE = 1\n")
    project.write("outer/inner/low.py", "BORN = object()\n")
    source = "import outer.inner as i\ndef test(): open('seen', 'w').write(f'{i.VALUE} {id(outer.BORN)}')\n"
    project.write("test_it.py", "import outer\n" + source)
    settle(project)
    _, born = project.read("seen").split()
    project.write("outer/inner/__init__.py", "VALUE = 2\n")
    project.stest().expect(0)
    assert project.read("seen").split() == ["2", born]


@pytest.mark.parametrize(
    "deed",
    [
        "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,), daemon=True).start()",
        "import subprocess\nsubprocess.run(['true'])",
        "open('written', 'a').write('x')",
        "import warnings\nwarnings.warn('careful')",
        "import sys\nsys.path.append('/somewhere')",
        "import logging\nlogging.basicConfig(level=10)",
        "import random\nrandom.seed(7)",
        "import atexit\natexit.register(print, 'bye')",
        "import os\nos.environ['EVERYTHING'] = repr(sorted(os.environ.items()))",
    ],
)
def test_what_only_a_run_may_do_is_done_by_each(project: Project, deed: str) -> None:
    project.write("harmless.py", "")
    project.write("deed.py", f"{deed}\n")
    project.write("user.py", "import deed\n")
    project.write(
        "test_it.py",
        "import harmless, user, logging, random, sys, threading\n"
        "def test():\n"
        "    seeded = random.getstate() == random.Random(7).getstate()\n"
        "    print(sys.path[-1], logging.root.level, threading.active_count(), seeded)\n",
    )
    settle(project)
    for _ in range(2):
        warm = project.stest("-q", "-s", "--durations=0").expect(0)
        plain = project.plain("-q", "-s", "--durations=0").expect(0)
        assert summary(warm.text) == summary(plain.text)


def summary(text: str) -> list[str]:
    """The output without what differs from one plain run to the next."""
    lines = [line for line in text.splitlines() if "passed" not in line or "warning" in line]
    return [
        line.rpartition(" in ")[0] or line
        for line in lines
        if not any(word in line for word in ("setup", "call", "teardown", "durations"))
    ]


def test_environment_that_a_module_reads(project: Project) -> None:
    project.write("reads.py", "import os\nMODE = os.environ.get('MODE')\nos.environ['SEEN'] = str(MODE)\n")
    project.write(
        "test_it.py",
        "import os, reads\ndef test(): open('seen', 'w').write(f\"{reads.MODE} {os.environ['SEEN']}\")\n",
    )
    settle(project)
    worker = project.status()["worker"]["pid"]
    for mode in ("fast", None, "slow", "slow"):
        project.stest(env={"MODE": mode}).expect(0)
        assert project.read("seen") == f"{mode} {mode}"
    assert project.status()["worker"]["pid"] == worker


def test_import_by_a_computed_name(project: Project) -> None:
    project.write("leaf.py", "VALUE = 1\n")
    project.write("asker.py", "import importlib\nVALUE = importlib.import_module('le' + 'af').VALUE\n")
    project.write("test_it.py", "import asker\ndef test(): open('seen', 'w').write(str(asker.VALUE))\n")
    settle(project)
    for value in (2, 3):
        project.write("leaf.py", f"VALUE = {value}\n")
        run = project.stest().expect(0)
        assert project.read("seen") == str(value)
        assert notices(project) == ["reloaded leaf (+1 dependent)"], run


def test_data_file_that_a_module_reads(project: Project) -> None:
    project.write("data.txt", "one")
    project.write("reads.py", "VALUE = open('data.txt').read()\n")
    project.write("test_it.py", "import reads\ndef test(): open('seen', 'w').write(reads.VALUE)\n")
    settle(project)
    for value in ("two", "six", "three"):
        project.write("data.txt", value)
        project.stest().expect(0)
        assert project.read("seen") == value


def test_same_name_elsewhere_on_the_path(project: Project) -> None:
    """Two folders of tests, each with a module `helper` of its own."""
    for folder in ("one", "two"):
        project.write(f"{folder}/helper.py", f"NAME = '{folder}'\n")
        project.write(
            f"{folder}/test_{folder}.py", f"import helper\ndef test(): assert helper.NAME == '{folder}'\n"
        )
    for folder in ("one", "two", "one", "two"):
        project.stest(folder).expect(0)


def test_optional_module_appears(project: Project) -> None:
    project.write("chooser.py", "try:\n    import extra\nexcept ImportError:\n    extra = None\n")
    project.write(
        "test_it.py", "import chooser\ndef test(): open('seen', 'w').write(str(bool(chooser.extra)))\n"
    )
    settle(project)
    project.write("extra.py", "")
    project.stest().expect(0)
    assert project.read("seen") == "True"
    (project.root / "extra.py").unlink()
    project.stest().expect(0)
    assert project.read("seen") == "False"


def test_ignored_module_lives_in_the_worker_and_a_change_is_told_once(project: Project) -> None:
    project.configure(sprintest="ignore = ['heavy.*']")
    project.write("heavy/__init__.py", "import threading\nBORN = threading.get_native_id()\n")
    project.write("heavy/part.py", "")
    project.write("light.py", "VALUE = 1\n")
    project.write(
        "test_it.py",
        "import heavy.part, light\ndef test(): open('seen', 'w').write(f'{heavy.BORN} {light.VALUE}')\n",
    )
    settle(project)
    born = project.read("seen").split()[0]
    project.write("light.py", "VALUE = 2\n")
    project.stest().expect(0)
    assert project.read("seen").split() == [born, "2"]
    assert notices(project) == []
    project.write("heavy/__init__.py", "BORN = 0\n")
    told = project.stest().expect(0).errors
    assert "heavy changed, but `ignore` keeps the loaded copy" in told
    assert "stest restart" in told
    assert project.read("seen").split()[0] == born
    assert "ignore" not in project.stest().expect(0).errors
    project.stest("restart").expect(0)
    project.stest().expect(0)
    assert project.read("seen").split()[0] == "0"


#: What a run does before it imports a module that computes from it.
BEFORE = {
    "a library's setting": ("conftest.py", "import decimal\ndecimal.getcontext().prec = {}\n"),
    "a setting of the project's": ("conftest.py", "import settings\nsettings.LEVEL = {}\n"),
    "a hook": (
        "conftest.py",
        "import decimal\ndef pytest_configure(config):\n    decimal.getcontext().prec = {}\n",
    ),
    "a function of the project's": (
        "tools.py",
        "import decimal\ndef set_up(): decimal.getcontext().prec = {}\n",
    ),
    "the test's module": ("test_it.py", "import decimal\ndecimal.getcontext().prec = {}\n"),
    "by importlib": ("conftest.py", "import decimal\ndecimal.getcontext().prec = {}\n"),
}


@pytest.mark.parametrize("what", BEFORE)
def test_what_a_run_does_before_an_import(project: Project, what: str) -> None:
    file, act = BEFORE[what]
    project.write("settings.py", "LEVEL = 0\n")
    project.write("other.py", "")
    project.write(
        "derived.py", "import decimal, settings\nVALUE = (settings.LEVEL, decimal.getcontext().prec)\n"
    )
    if file == "tools.py":
        project.write("conftest.py", "import tools\ntools.set_up()\n")
    test = "import derived, other\ndef test(): open('seen', 'w').write(f'{derived.VALUE} {id(other)}')\n"
    args = ("--import-mode=importlib",) if what == "by importlib" else ()
    project.configure(sprintest="isolation = 'resident'", pytest="pythonpath = ['.']")
    project.write("test_it.py", test)
    kept = ""
    for level in (9, 9, 12, 12, 12):
        edited = act.format(level)
        project.write(file, edited + test if file == "test_it.py" else edited)
        project.plain(*args).expect(0)
        plain = project.read("seen").rpartition(" ")[0]
        project.stest(*args).expect(0)
        project.await_idle()
        seen, _, other = project.read("seen").rpartition(" ")
        assert seen == plain
        same, kept = other == kept, other
    assert same, "what is unchanged stays"


@pytest.mark.parametrize("complain", ["warnings.warn(f'{name} again')", "logging.error(f'{name} again')"])
def test_what_complains_of_a_second_time_starts_clean(project: Project, complain: str) -> None:
    """A registry that nobody can look into, as in C."""
    project.write(
        "registry.py",
        f"""
        import logging, warnings

        def make():
            known = set()
            def register(name):
                if name in known: {complain}
                known.add(name)
            return register

        register = make()
        """,
    )
    source = "import registry\nregistry.register('model')\nVALUE = {}\n"
    project.write("model.py", source.format(1))
    project.write("test_it.py", "import model\ndef test(): assert model.VALUE == 1\n")
    settle(project)
    project.write("model.py", source.format(22))
    run = project.stest("-q").expect(1)
    assert "a clean process: model cannot be loaded a second time" in run.errors
    assert "again" not in run.text


@pytest.mark.parametrize("holds", ["", "held = []"], ids=["dropped", "held"])
def test_module_that_tests_take_away_is_executed_again(project: Project, holds: str) -> None:
    """Flask's own tests do this for their small applications; with a library, too."""
    project.write("late/app.py", "import colorsys\napp = object()\n")
    project.write(
        "test_it.py",
        f"""
        import sys, pytest
        {holds}

        @pytest.fixture
        def late(monkeypatch):
            monkeypatch.syspath_prepend("late")
            before = set(sys.modules)
            yield
            for name in set(sys.modules) - before:
                module = sys.modules.pop(name)
                if "held" in globals(): held.append(module)

        @pytest.mark.parametrize("_", range(3))
        def test_app(late, _):
            from app import app, colorsys
            assert colorsys.rgb_to_hsv
            assert all(app is not getattr(one, "app", None) for one in globals().get("held", ()))
        """,
    )
    for _ in range(4):
        project.stest().expect(0)


BY_PATH = (
    "import importlib.util\nspec = importlib.util.spec_from_file_location('plug', 'plug.py')\n"
    "plug = importlib.util.module_from_spec(spec)\nspec.loader.exec_module(plug)\nVALUE = plug.VALUE\n"
)


@pytest.mark.parametrize(
    "source",
    [
        BY_PATH,
        "import runpy\nVALUE = runpy.run_path('plug.py')['VALUE']\n",
        "exec(open('plug.py').read())\n",
        "import helper\nVALUE = helper.now()\n",
        "import helper\nclass Settings:\n    started = helper.now()\nVALUE = Settings.started\n",
    ],
    ids=["by path", "runpy", "exec", "function of another", "in a class"],
)
def test_time_that_somebody_else_reads_for_a_module_is_that_of_the_run(project: Project, source: str) -> None:
    project.write(
        "plug.py", "import time\nclass Settings:\n    started = time.time_ns()\nVALUE = Settings.started\n"
    )
    project.write("helper.py", "import time\ndef now(): return time.time_ns()\n")
    project.write("held.py", source)
    project.write("test_it.py", "import held\ndef test(): print(held.VALUE, file=open('seen', 'a'))\n")
    settle(project)
    for _ in range(2):
        project.stest().expect(0)
    seen = project.read("seen").split()
    assert len(set(seen)) == len(seen)


def test_what_a_module_executes_by_path_counts_as_its_own_imports(project: Project) -> None:
    """What changes another library is executed by each run, and so is all that has it."""
    project.write("writer.py", "import sys, colorsys\nsys.modules['colorsys'].EXTRA = MARK = object()\n")
    project.write("plug.py", "from writer import MARK\n")
    project.write(
        "held.py",
        """
        import importlib.util, os
        path = os.path.join(os.path.dirname(__file__), "plug.py")
        spec = importlib.util.spec_from_file_location("plug", path)
        plug = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(plug)
        """,
    )
    project.write(
        "test_it.py",
        "import writer, held, colorsys\ndef test(): assert colorsys.EXTRA is writer.MARK is held.plug.MARK\n",
    )
    for _ in range(4):
        project.stest().expect(0)


def test_what_tests_import_late_is_no_difference_in_the_second_run(project: Project) -> None:
    project.write("held.py", "BORN = object()\n")
    project.write("late.py", "")
    project.write("test_a.py", "import colorsys\ncolorsys.rgb_to_hsv(1, 1, 1)\ndef test(): import late\n")
    project.write("test_b.py", "import held\ndef test(): print(id(held.BORN), file=open('seen', 'a'))\n")
    settle(project)
    project.stest("stop").expect(0)
    for _ in range(2):
        project.stest().expect(0)
    seen = project.read("seen").split()
    assert seen[-1] == seen[-2]
    assert notices(project) == []
