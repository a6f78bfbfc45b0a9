"""`sprintest.warm`: a value is loaded once for many runs, and never given to one that would load another."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import pytest

from .harness import Project, wait_for
from .modes import MODES, MODES_OF_LONG_TESTS
from .test_run_ahead import pid_of, waiting

LOADER = """
    import os, time
    import sprintest

    @sprintest.warm
    def load():
        return {"pid": os.getpid(), "born": time.monotonic_ns()}
"""
TEST = """
    import json, os
    from conftest import load

    def test():
        value = load()
        assert load() is value
        value["was_loaded_here"] = value["pid"] == os.getpid()
        with open("seen", "w") as file: json.dump(value, file)
"""


def run(project: Project, *args: str, **options: Any) -> Any:
    """What the test has seen, once the values that it had to load itself are held or given up."""
    project.stest(*args, **options).expect(0)
    wait_for(lambda: all(state not in ("wanted", "loading") for state, _ in values(project)), "the values")
    return json.loads(project.read("seen"))


def values(project: Project) -> list[tuple[str, str]]:
    return [(one["state"], one["reason"]) for one in project.status()["worker"]["values"]]


def test_value_is_loaded_once_for_all_runs(project: Project) -> None:
    project.write("conftest.py", LOADER)
    project.write("test_it.py", TEST)
    assert run(project)["was_loaded_here"]
    second, third = run(project), run(project)
    assert not second["was_loaded_here"]
    assert second == third  # Nor does a run see what the one before has done to its copy.
    assert values(project) == [("held", "")]
    assert "conftest.load(): 0.0" in project.stest("status").text
    project.plain().expect(0)
    assert json.loads(project.read("seen"))["was_loaded_here"]


@pytest.mark.parametrize("place", ["conftest.py", "test_it.py", "package/loading.py"])
def test_fixture_wherever_it_is_written(project: Project, place: str) -> None:
    project.write("package/__init__.py", "")
    fixture = "@pytest.fixture(scope='session')" if place != "package/loading.py" else ""
    source = (
        "import os, pathlib, pytest, sprintest\n"
        "HERE = pathlib.Path(__file__).parent\n"
        f"{fixture}\n@sprintest.warm(files=['data.txt'])\n"
        "def loaded():\n    return os.getpid(), (HERE / 'data.txt').read_text()\n"
    )
    project.write("package/data.txt" if "package" in place else "data.txt", "data")
    test = (
        "import json, os\ndef test(loaded):\n"
        "    assert loaded[1] == 'data'\n"
        "    open('seen', 'w').write(json.dumps(loaded[0] == os.getpid()))\n"
    )
    if "package" in place:
        test = "import pytest\nfrom package import loading\n" + test
        test += "@pytest.fixture\ndef loaded(): return loading.loaded()\n"
    project.write("test_it.py", test)
    project.write(place, source + (test if place == "test_it.py" else ""))
    assert [run(project), run(project)] == [True, False]
    project.plain().expect(0)


SOURCE = """
    import os
    import sprintest
    import settings
    from helper import prepare

    FACTOR = 2

    @sprintest.warm(files=["named", "folder"])
    def load(argument):
        with open("opened") as file:
            opened = file.read()
        asked = [os.path.getsize("asked"), os.path.exists("absent"), len(os.listdir("folder"))]
        parts = [prepare("x"), settings.SIZE * FACTOR, argument, opened, asked, os.environ.get("MODE")]
        return {"parts": parts, "pid": os.getpid()}
"""


def write_source(project: Project, module: str = "conftest") -> None:
    project.write("settings.py", "SIZE = 10\nOTHERS = {'not': 'used'}\n")
    project.write("helper.py", "def suffix(): return '!'\ndef prepare(text): return text + suffix()\n")
    project.write(f"{module}.py", SOURCE)
    project.write("test_it.py", TEST.replace("load()", "load('one')").replace("conftest", module))
    for name in ("opened", "asked", "named", "folder/inner"):
        project.write(name, f"{name}\n")


@pytest.mark.parametrize(
    ("file", "old", "new", "is_seen"),
    [
        ("conftest.py", "FACTOR = 2", "FACTOR = 3", True),
        ("conftest.py", "os.getpid()}", "os.getpid(), 'more': 1}", True),
        ("helper.py", "'!'", "'?'", True),
        ("settings.py", "10", "11", True),
        ("settings.py", "not", "yes", False),
        ("test_it.py", "'one'", "'two'", True),
        ("opened", "opened", "OPENED", True),
        ("asked", "asked", "longer", True),
        ("named", "named", "longer name", True),
        ("folder/inner", "inner", "longer", True),
    ],
)
def test_edit(project: Project, file: str, old: str, new: str, is_seen: bool) -> None:
    write_source(project)
    assert run(project)["was_loaded_here"]
    assert not run(project)["was_loaded_here"]
    project.write(file, project.read(file).replace(old, new))
    edited = run(project)
    assert edited["was_loaded_here"] == is_seen
    project.plain().expect(0)
    assert json.loads(project.read("seen"))["parts"] == edited["parts"]
    assert not run(project)["was_loaded_here"]


@pytest.mark.parametrize("name", ["folder/more", "absent"])
def test_new_file(project: Project, name: str) -> None:
    write_source(project)
    run(project)
    project.write(name, "")
    assert run(project)["was_loaded_here"]
    assert not run(project)["was_loaded_here"]


def test_variable_that_is_read(project: Project) -> None:
    write_source(project)
    run(project)
    for mode in ("fast", None):
        other = run(project, env={"MODE": mode})
        assert other["was_loaded_here"] == (mode is not None)
        assert other["parts"][-1] == mode
        if mode is not None:
            assert not run(project, env={"MODE": mode})["was_loaded_here"]
            run(project)
    assert not run(project, env={"UNRELATED": "1"})["was_loaded_here"]


def test_what_has_changed_is_told(project: Project) -> None:
    write_source(project)
    run(project)
    project.write("named", "other")
    told = project.stest().expect(0).errors
    assert f"conftest.load('one') is loaded again: {project.root}/named has changed" in told


def test_patched_helper_is_used(project: Project) -> None:
    write_source(project)
    run(project)
    project.write(
        "test_it.py",
        "import json, os, conftest\n"
        "def test(monkeypatch):\n"
        "    monkeypatch.setattr(conftest, 'prepare', lambda text: 'patched')\n"
        "    value = conftest.load('one')\n"
        "    value['was_loaded_here'] = value['pid'] == os.getpid()\n"
        "    with open('seen', 'w') as file: json.dump(value, file)\n",
    )
    first = run(project)
    assert first["was_loaded_here"]
    assert first["parts"][0] == "patched"


def run_ahead(project: Project) -> Any:
    """What the test has seen in a runner that had been forked ahead."""

    def is_taken() -> bool:  # Unless it is just being replaced by one that has the value.
        known = waiting(project)
        return pid_of(project.stest("run", "--events").expect(0)) in known

    wait_for(is_taken, "a run in a runner that was forked ahead")
    return json.loads(project.read("seen"))


def test_runner_forked_ahead_has_the_value(project: Project) -> None:
    del project.env["SPRINTEST_PRIME"]
    project.write("conftest.py", LOADER)
    project.write("test_it.py", TEST)
    assert run(project, "run", "--events")["was_loaded_here"]
    held = run_ahead(project)
    assert not held["was_loaded_here"]
    assert run_ahead(project) == held
    project.write("conftest.py", LOADER.replace("monotonic_ns()", "monotonic_ns(), 'edited': True"))
    edited = run(project, "run", "--events")
    assert edited["edited"]
    assert edited["was_loaded_here"]
    again = run_ahead(project)
    assert again["edited"]
    assert not again["was_loaded_here"]


def test_runner_forked_ahead_when_what_held_the_value_has_ended(project: Project) -> None:
    del project.env["SPRINTEST_PRIME"]
    project.write("conftest.py", LOADER)
    project.write("test_it.py", TEST)
    run(project, "run", "--events")
    held = run_ahead(project)
    gone = {held["pid"], *waiting(project)}  # It has forked these.
    os.kill(held["pid"], signal.SIGKILL)
    wait_for(lambda: gone.isdisjoint(one.pid for one in project.processes("stest-worker")), "their end")
    assert run_ahead(project)["pid"] != held["pid"]  # Its own, or that of the next one that holds it.
    wait_for(lambda: values(project) == [("held", "")], "the value")
    assert not run_ahead(project)["was_loaded_here"]


@pytest.mark.parametrize("file", ["opened", "asked", "helper.py"])
def test_value_that_is_used_while_tests_are_collected(project: Project, file: str) -> None:
    del project.env["SPRINTEST_PRIME"]
    write_source(project)
    source = project.read("test_it.py").replace("\ndef test", "\nVALUE = load('one')\n\ndef test")
    project.write("test_it.py", source.replace("value = load('one')", "value = VALUE"))
    assert run(project, "run", "--events")["was_loaded_here"]
    assert not run_ahead(project)["was_loaded_here"]
    waiting(project)
    project.write(file, project.read(file).replace("!", "?") + "\n")
    edited = run(project, "run", "--events")
    assert edited["was_loaded_here"]
    project.plain().expect(0)
    assert json.loads(project.read("seen"))["parts"] == edited["parts"]


def test_error_is_raised_in_each_run(project: Project) -> None:
    project.write("conftest.py", "import sprintest\n@sprintest.warm\ndef load(): raise ValueError('no')\n")
    project.write("test_it.py", "from conftest import load\ndef test(): load()\n")
    for _ in range(2):
        assert "ValueError: no" in project.stest().expect(1).text
    assert values(project) == []


@pytest.mark.parametrize(
    ("before", "body", "reason"),
    [
        ("class Thing: pass", "return Thing()", "the project's class Thing"),
        ("", "return lambda: 1", "refers to project code"),
        ("import copyreg", "copyreg.pickle(bytearray, lambda one: 1)", "refers to project code"),
        ("LABELS = {1: 2}", "return LABELS[1]", "LABELS, a dict"),
        ("COUNT = 0", "global COUNT; COUNT += 1", "sets the global variable COUNT"),
        ("", "return eval('1')", "eval"),
        (
            "import threading, time",
            "threading.Thread(target=time.sleep, args=(9,), daemon=True).start()",
            "thread",
        ),
        ("import subprocess", "subprocess.run(['true'])", "subprocess.Popen"),
        ("", "open('written', 'w').close()", "written"),
        ("import tempfile", "return tempfile.mkdtemp()", "temporary"),
        ("import random", "return random.random()", "the seed of random"),
        ("import warnings", "warnings.warn('careful')", "warns when called (UserWarning: careful)"),
        ("import os", "os.environ['LEFT'] = '1'", "it changes the process"),
        ("import sys", "sys.path.append('/somewhere')", "sys.path"),
        ("import logging", "logging.getLogger('mine').setLevel(10)", "it changes the process"),
        ("", "import inner", "imports the project's inner when called"),
        ("import importlib", "importlib.import_module('in' + 'ner')", "it imports inner"),
        ("import atexit", "atexit.register(print)", "what runs at exit"),
    ],
)
def test_what_cannot_be_held_is_loaded_by_each_run(
    project: Project, before: str, body: str, reason: str
) -> None:
    project.write("inner.py", "")
    project.write("conftest.py", f"import sprintest\n{before}\n@sprintest.warm\ndef load(): {body}\n")
    project.write(
        "test_it.py", "import conftest\ndef test(): conftest.load(); open('seen', 'w').write('1')\n"
    )
    for _ in range(2):
        run(project)
        [(state, why)] = values(project)
        assert state == "not_held"
        assert reason in why
    project.plain().expect(0)


def test_file_that_is_named_and_not_there(project: Project) -> None:
    project.write("conftest.py", LOADER.replace("warm", "warm(files=['nowhere'])"))
    project.write("test_it.py", TEST)
    run(project)
    assert values(project) == [("not_held", f"it names {project.root}/nowhere, which does not exist")]


def test_traced_run_executes_the_function(project: Project) -> None:
    """Coverage counts its lines in each run."""
    project.write("conftest.py", LOADER)
    project.write("test_it.py", TEST)
    run(project)
    project.write("plugin.py", "import sys\nsys.settrace(lambda *_: None)\n")
    assert run(project, "-p", "plugin")["was_loaded_here"]
    assert not run(project)["was_loaded_here"]


@pytest.mark.parametrize("mode", MODES_OF_LONG_TESTS)
@pytest.mark.parametrize("user", ["VALUE = None", "import loader\nVALUE = loader.load('one')"])
def test_every_mode_loads_what_a_plain_run_loads(project: Project, mode: str, user: str) -> None:
    write_source(project, module="loader")
    project.write("user.py", f"{user}\n")
    project.write(
        "test_user.py",
        "import loader, user\ndef test(): assert user.VALUE in (None, loader.load('one'))\n",
    )
    for file, old, new in [("named", "named", "longer name"), ("opened", "o", "O"), ("helper.py", "!", "?")]:
        for _ in range(2):
            parts = run(project, env=MODES[mode])["parts"]
            project.plain().expect(0)
            assert json.loads(project.read("seen"))["parts"] == parts
        project.write(file, project.read(file).replace(old, new))


@pytest.mark.torch
def test_torch_model(project: Project) -> None:
    project.configure(sprintest="preload = ['torch']")
    project.write(
        "conftest.py",
        """
        import os
        import sprintest, torch

        @sprintest.warm
        def draw():
            return torch.nn.Linear(2, 2)

        @sprintest.warm
        def load():
            with torch.random.fork_rng():
                torch.manual_seed(7)
                model = torch.nn.Linear(512, 512)
            model.pid = os.getpid()
            return model
        """,
    )
    project.write(
        "test_it.py",
        """
        import json, os, torch
        from conftest import draw, load

        def test():
            draw()
            torch.set_num_threads(2)
            model = load()
            numbers = torch.nn.functional.layer_norm(model(torch.ones(512, 512)), (512,))
            numbers.sum().backward()
            seen = [model.pid == os.getpid(), float(model.weight[0, 0]), float(numbers[0, 0])]
            with open("seen", "w") as file: json.dump(seen, file)
        """,
    )
    first, second = run(project), run(project)
    assert (first[0], second[0]) == (True, False)
    assert first[1:] == second[1:]
    assert sorted(values(project)) == [("held", ""), ("not_held", "it changes torch")]
