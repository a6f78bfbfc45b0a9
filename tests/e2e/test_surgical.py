"""`reload = "surgical"`: a process holds the project's modules; runs are forked from it."""

from __future__ import annotations

import pytest

from .harness import Project, wait_for

SHARES_A_DAEMON = True


@pytest.fixture
def project(project: Project) -> Project:
    project.configure(sprintest="reload = 'surgical'")
    return project


def await_ready(project: Project) -> list[str]:
    """The modules that the process holds, once it has them."""
    wait_for(lambda: project.status()["worker"]["state"] == "ready", "the project's modules")
    held: list[str] = project.status()["worker"]["project"]
    return sorted(held)


def receipts(project: Project) -> list[str]:
    texts: list[str] = project.status()["last_result"]["receipt"]
    return texts


def test_modules_are_executed_once(project: Project) -> None:
    """The time at which it was executed tells a module that a run has executed from one that it was given."""
    project.write("leaf.py", "import threading\nBORN = threading.get_native_id()\n")
    project.write("middle.py", "import leaf\n")
    project.write(
        "test_it.py",
        "import leaf, middle\ndef test():\n    with open('seen', 'a') as f: print(leaf.BORN, file=f)\n",
    )
    project.stest().expect(0)
    assert await_ready(project) == ["leaf", "middle"]
    for _ in range(3):
        project.stest().expect(0)
    seen = project.read("seen").split()
    assert seen[0] != seen[1] == seen[2] == seen[3]


def test_edit_reloads_what_it_must_and_is_held_anew(project: Project) -> None:
    project.write("leaf.py", "VALUE = 1\n")
    project.write("middle.py", "import leaf\nVALUE = leaf.VALUE\n")
    project.write("other.py", "import threading\nBORN = threading.get_native_id()\n")
    source = "import middle, other\ndef test(): open('seen', 'w').write(f'{middle.VALUE} {other.BORN}')\n"
    project.write("test_it.py", source)
    project.stest().expect(0)
    await_ready(project)
    project.stest().expect(0)
    _, born = project.read("seen").split()
    project.write("leaf.py", "VALUE = 2\n")
    project.stest().expect(0)
    assert project.read("seen").split() == ["2", born]
    assert receipts(project) == ["reloaded leaf (+1 dependent)"]
    await_ready(project)
    project.stest().expect(0)
    assert project.read("seen").split()[0] == "2"
    assert receipts(project) == []


def test_package_between_a_package_and_what_it_imports(project: Project) -> None:
    """`outer` may be had again only once `outer.inner` was executed, and importing that imports `outer`."""
    project.write("outer/__init__.py", "from outer.inner.low import BORN\n")
    project.write("outer/inner/__init__.py", "VALUE = 1\n")
    project.write("outer/inner/low.py", "import threading\nBORN = threading.get_native_id()\n")
    source = "import outer.inner as i\ndef test(): open('seen', 'w').write(f'{i.VALUE} {outer.BORN}')\n"
    project.write("test_it.py", "import outer\n" + source)
    project.stest().expect(0)
    assert await_ready(project) == ["outer", "outer.inner", "outer.inner.low"]
    project.stest().expect(0)
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
def test_what_only_a_run_may_do_is_not_held(project: Project, deed: str) -> None:
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
    project.stest().expect(0)
    assert await_ready(project) == ["harmless"]
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
    project.stest().expect(0)
    await_ready(project)
    worker = project.status()["worker"]["pid"]
    for mode in ("fast", None, "slow", "slow"):
        project.stest(env={"MODE": mode}).expect(0)
        assert project.read("seen") == f"{mode} {mode}"
    assert project.status()["worker"]["pid"] == worker


def test_import_by_a_computed_name(project: Project) -> None:
    project.write("leaf.py", "VALUE = 1\n")
    project.write("asker.py", "import importlib\nVALUE = importlib.import_module('le' + 'af').VALUE\n")
    project.write("test_it.py", "import asker\ndef test(): open('seen', 'w').write(str(asker.VALUE))\n")
    project.stest().expect(0)
    for value in (2, 3):
        await_ready(project)
        project.write("leaf.py", f"VALUE = {value}\n")
        run = project.stest().expect(0)
        assert project.read("seen") == str(value)
        assert receipts(project) == ["reloaded leaf (+1 dependent)"], run


def test_data_file_that_a_module_reads(project: Project) -> None:
    project.write("data.txt", "one")
    project.write("reads.py", "VALUE = open('data.txt').read()\n")
    project.write("test_it.py", "import reads\ndef test(): open('seen', 'w').write(reads.VALUE)\n")
    project.stest().expect(0)
    for value in ("two", "six", "three"):
        await_ready(project)
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
        await_ready(project)


def test_optional_module_appears(project: Project) -> None:
    project.write("chooser.py", "try:\n    import extra\nexcept ImportError:\n    extra = None\n")
    project.write(
        "test_it.py", "import chooser\ndef test(): open('seen', 'w').write(str(bool(chooser.extra)))\n"
    )
    project.stest().expect(0)
    await_ready(project)
    project.write("extra.py", "")
    project.stest().expect(0)
    assert project.read("seen") == "True"
    await_ready(project)
    (project.root / "extra.py").unlink()
    project.stest().expect(0)
    assert project.read("seen") == "False"


def test_module_that_refuses_to_be_loaded_twice(project: Project) -> None:
    project.write("registry.py", "import types\nheld = types.SimpleNamespace(names=[])\n")
    source = "from registry import held\nassert not held.names\nheld.names.append(1)\nVALUE = {}\n"
    project.write("model.py", source.format(1))
    project.write("test_it.py", "import model\ndef test(): open('seen', 'w').write(str(model.VALUE))\n")
    project.stest().expect(0)
    await_ready(project)
    worker = project.status()["worker"]["pid"]
    project.write("model.py", source.format(2))
    run = project.stest().expect(0)
    assert project.read("seen") == "2"
    assert "started a clean process: model cannot be loaded a second time (AssertionError" in run.errors
    assert run.text.count("test session starts") == 1 or "does not count" in run.errors
    await_ready(project)
    project.stest().expect(0)
    assert receipts(project) == []
    assert project.status()["worker"]["pid"] == worker


def test_ignored_module_lives_in_the_worker_and_a_change_is_told_once(project: Project) -> None:
    project.configure(sprintest="ignore = ['heavy.*']")
    project.write("heavy/__init__.py", "import threading\nBORN = threading.get_native_id()\n")
    project.write("heavy/part.py", "")
    project.write("light.py", "VALUE = 1\n")
    project.write(
        "test_it.py",
        "import heavy.part, light\ndef test(): open('seen', 'w').write(f'{heavy.BORN} {light.VALUE}')\n",
    )
    project.stest().expect(0)
    await_ready(project)
    project.stest().expect(0)
    born = project.read("seen").split()[0]
    project.write("light.py", "VALUE = 2\n")
    project.stest().expect(0)
    assert project.read("seen").split() == [born, "2"]
    assert receipts(project) == []
    project.write("heavy/__init__.py", "BORN = 0\n")
    told = project.stest().expect(0).errors
    assert "heavy changed, but `ignore` keeps the loaded copy" in told
    assert "stest restart" in told
    assert project.read("seen").split()[0] == born
    assert "ignore" not in project.stest().expect(0).errors
    project.stest("restart").expect(0)
    project.stest().expect(0)
    assert project.read("seen").split()[0] == "0"


def test_resident_with_concurrency_is_refused(project: Project) -> None:
    project.configure(sprintest="isolation = 'resident'\nconcurrency = 2")
    project.write("test_it.py", "def test(): pass\n")
    assert "concurrency" in project.stest().expect(102).errors
