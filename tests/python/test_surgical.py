"""The process that holds the project's modules for the runs forked from it (``mode`` "surgical")."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import SLEEPER, Run, Worker

#: Says in which process it was executed.
MARKED = "import threading\nmade_in = threading.get_native_id()\n"
#: Passes if the module `marked` was executed in the run's own process (FRESH=1), or in another.
TEST = (
    "import os, marked\ndef test(): assert (marked.made_in == os.getpid()) == (os.environ['FRESH'] == '1')\n"
)
#: Refuses to be executed twice in a process and its ancestors.
ONCE = "import threading\nassert not hasattr(threading, 'was_here'), 'only once'\nthreading.was_here = True\n"


def run(worker: Worker, *args: str, **env: str) -> Run:
    return worker.run("-q", *args, mode="surgical", **env)


def hold(worker: Worker, taught: Run) -> dict[str, Any]:
    """Have held what a run says."""
    return worker.hold(*taught.project, path=taught.path)


def test_run_tells_what_a_process_could_hold_and_the_next_has_it(worker: Worker) -> None:
    worker.write("marked.py", MARKED)
    worker.write("test_it.py", TEST)
    first = run(worker, FRESH="1")
    assert (first.exit_code, first.project, first.receipts) == (0, ["marked"], [])
    assert hold(worker, first)["project"] == ["marked"]
    for _ in range(2):
        held = run(worker, FRESH="0")
        assert (held.exit_code, held.project, held.receipts) == (0, ["marked"], []), held.text
        assert held.pid != worker.process.pid
    assert worker.run(FRESH="1").exit_code == 0, "a clean run has nothing of it"


def test_modules_come_in_the_order_of_execution_and_with_their_packages(worker: Worker) -> None:
    worker.write("pkg/__init__.py", "")
    worker.write("pkg/low.py", "")
    worker.write("pkg/high.py", "from pkg import low\n")
    worker.write("test_it.py", "import pkg.high\ndef test(): pass\n")
    taught = run(worker)
    assert taught.project == ["pkg", "pkg.high", "pkg.low"]
    assert hold(worker, taught)["project"] == taught.project
    assert run(worker).exit_code == 0


def test_changed_module_and_what_imports_it_are_executed_anew(worker: Worker) -> None:
    worker.write("marked.py", MARKED)
    worker.write("user.py", "import marked\n")
    worker.write("other.py", MARKED)
    worker.write(
        "test_it.py",
        "import os, marked, other, user\n"
        "def test(): assert marked.made_in == os.getpid() != other.made_in and marked.new\n",
    )
    hold(worker, run(worker))
    worker.write("marked.py", MARKED + "new = 1\n")
    edited = run(worker)
    assert edited.exit_code == 0, edited.text
    assert edited.receipts == [("reloaded marked (+1 dependent)", ["marked", "user"])]
    assert sorted(edited.project) == ["marked", "other", "user"]
    assert hold(worker, edited)["project"] == edited.project
    assert run(worker).exit_code == 1, "all of it is held again"


def test_module_that_the_run_itself_has_rewritten_is_not_the_one_that_is_held(worker: Worker) -> None:
    worker.write("conftest.py", "import os\nopen('made.py', 'w').write('value = ' + os.environ['VALUE'])\n")
    worker.write("made.py", "value = 0")
    worker.write("user.py", "from made import value\n")
    worker.write("test_it.py", "import os, user\ndef test(): assert str(user.value) == os.environ['VALUE']\n")
    hold(worker, run(worker, VALUE="1"))
    for value in ("22", "333"):
        rewritten = run(worker, VALUE=value)
        assert rewritten.exit_code == 0, rewritten.text
        assert rewritten.receipts == [("reloaded made (+1 dependent)", ["made", "user"])]


#: What a function imports, and what a run does with it before somebody calls that function.
LATE = {
    "rewritten": ("value = '1'\n", "open('late.py', 'w').write(f'value = {VALUE!r}')"),
    "reads a variable": ("import os\nvalue = os.environ.get('READ', '1')\n", "os.environ['READ'] = VALUE"),
    "replaced": ("value = '1'\n", "sys.modules['late'] = types.SimpleNamespace(value=VALUE)"),
}


@pytest.mark.parametrize("many", [0, 70])
@pytest.mark.parametrize("what", LATE)
def test_what_functions_may_import_is_looked_at_for_each_module(worker: Worker, what: str, many: int) -> None:
    late, change = LATE[what]
    names = ["os", *(f"other{number}" for number in range(many))]  # It is proven in another way then.
    for name in names[1:]:
        worker.write(f"{name}.py", "")
    worker.write("late.py", late)
    worker.write(
        "first.py", f"import {', '.join(names)}\ndef late():\n    import late\n    return late.value\n"
    )
    worker.write("second.py", "import first\nvalue = first.late()\n")
    worker.write(
        "test_it.py",
        "import os, sys, types, first\nVALUE = os.environ['VALUE']\n"
        f"if VALUE != '1': {change}\n"
        "import second\ndef test(): assert second.value == VALUE\n",
    )
    hold(worker, run(worker, VALUE="1"))
    for value in ("1", "22", "333"):
        assert run(worker, VALUE=value).exit_code == 0


def test_package_of_a_namespace_package_that_is_none_any_more(worker: Worker) -> None:
    worker.write("lib/top/__init__.py", "")
    worker.write("lib/top/space/low.py", "value = 1\n")
    worker.write("lib/user.py", "from top.space.low import value\n")
    worker.write(
        "test_it.py",
        "import sys\nsys.path.append('lib')\nimport top, pytest\n"
        "def test():\n"
        "    if hasattr(top, '__path__'):\n"
        "        import user\n"
        "    else:\n"
        "        pytest.raises(ModuleNotFoundError, __import__, 'user').match('not a package')\n",
    )
    hold(worker, run(worker))
    assert run(worker).exit_code == 0
    worker.write("top.py", "")
    hidden = run(worker)
    assert hidden.exit_code == 0, hidden.text


def test_many_modules_that_import_each_other(worker: Worker) -> None:
    worker.write("m0.py", "import m1, m99\n" + MARKED)
    for number in range(1, 100):
        worker.write(f"m{number}.py", f"import m{number - 1}, m{number // 2}\n" + MARKED)
    worker.write(
        "test_it.py",
        "import importlib, os\n"
        "modules = [importlib.import_module(f'm{i}') for i in range(100)]\n"
        "def test():\n"
        "    made = {m.made_in == os.getpid() for m in modules}\n"
        "    assert made == {os.environ['FRESH'] == '1'}\n",
    )
    hold(worker, run(worker, FRESH="1"))
    held = run(worker, FRESH="0")
    assert held.exit_code == 0, held.text
    worker.write("m77.py", "import m76\nnew = 1\n" + MARKED)
    assert run(worker, FRESH="1").exit_code == 0


NOT_HELD = {
    "writes a file": "open('trace', 'a').write('x')",
    "starts a thread": (
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()"
    ),
    "starts a process": "import subprocess\nsubprocess.run(['true'])",
    "changes sys.path": "import sys\nsys.path.append('elsewhere')",
    "warns": "import warnings\nwarnings.warn('each time')",
    "lists a folder": "import os\nos.listdir('.')",
}


@pytest.mark.parametrize("deed", NOT_HELD)
def test_module_that_does_something_when_imported_is_not_held(worker: Worker, deed: str) -> None:
    worker.write("deed.py", NOT_HELD[deed] + "\n")
    worker.write("marked.py", MARKED)
    worker.write("test_it.py", "import deed\n" + TEST)
    first = run(worker, FRESH="1")
    assert (first.exit_code, first.project) == (0, ["marked"]), first.text
    assert hold(worker, first)["project"] == ["marked"]
    assert run(worker, FRESH="0").exit_code == 0
    if deed == "writes a file":
        assert (worker.root / "trace").read_text() == "xx", "it is executed in each run, and only there"


def test_what_imports_such_a_module_is_not_held(worker: Worker) -> None:
    worker.write("deed.py", NOT_HELD["starts a thread"])
    worker.write("user.py", "import deed\n")
    worker.write("marked.py", MARKED)
    worker.write("test_it.py", "import user\n" + TEST)
    answer = hold(worker, run(worker, FRESH="1"))
    assert answer["project"] == ["marked"]
    assert run(worker, FRESH="0").exit_code == 0


@pytest.mark.parametrize(
    "importer",
    {
        "its package": ("pkg/__init__.py", "pkg/user.py", ""),
        "hidden": ("deed.py", "pkg/user.py", "exec('import deed', {})\n"),
    }.values(),
    ids=["its package", "hidden"],
)
def test_module_that_loads_such_a_module_unseen_is_not_held(
    worker: Worker, importer: tuple[str, str, str]
) -> None:
    deed, user, source = importer
    worker.write(deed, NOT_HELD["starts a thread"])
    worker.write(user, source)
    worker.write("marked.py", MARKED)
    worker.write("test_it.py", "import pkg.user\n" + TEST)
    first = run(worker, FRESH="1")
    assert first.exit_code == 0, first.text
    answer = hold(worker, first)
    assert answer["type"] == "ready"
    assert "pkg.user" not in answer["project"]
    assert run(worker, FRESH="0" if "marked" in answer["project"] else "1").exit_code == 0


def test_module_that_cannot_be_imported_there_is_the_runs_affair(worker: Worker) -> None:
    worker.write("marked.py", MARKED)
    worker.write("test_it.py", TEST)
    path = run(worker, FRESH="1").path
    assert worker.hold("no_such_module", "marked", path=path)["type"] == "ready"
    assert run(worker, FRESH="0").exit_code == 0


def test_new_list_takes_the_place_of_the_old_one(worker: Worker) -> None:
    worker.write("marked.py", MARKED)
    worker.write("other.py", "")
    worker.write("test_it.py", TEST)
    path = run(worker, FRESH="1").path
    assert worker.hold("marked", path=path)["project"] == ["marked"]
    assert worker.hold("other", path=path)["project"] == ["other"]
    assert run(worker, FRESH="1").exit_code == 0
    assert worker.hold(path=path)["project"] == []
    assert run(worker, FRESH="1").exit_code == 0


def test_preloading_ends_what_is_held(worker: Worker) -> None:
    worker.write("marked.py", MARKED)
    worker.write("test_it.py", TEST)
    hold(worker, run(worker, FRESH="1"))
    assert worker.preload("colorsys")["project"] == []
    assert run(worker, FRESH="1").exit_code == 0


def test_changed_module_that_refuses_to_be_executed_twice_makes_the_run_decline(worker: Worker) -> None:
    worker.write("once.py", ONCE)
    worker.write("test_it.py", "import once\ndef test(): pass\n")
    assert hold(worker, run(worker))["project"] == ["once"]
    assert run(worker).exit_code == 0
    worker.write("once.py", ONCE + "# edited\n")
    declined = run(worker)
    assert declined.done["phase"] == "declined"
    assert declined.done["nodeid"] == "once cannot be loaded a second time (AssertionError: only once)"
    assert not any(event["event"] in ("settled", "test") for event in declined.events)
    assert run(worker).exit_code == 0, "from now on without what was held"
    assert hold(worker, run(worker))["project"] == ["once"]
    assert run(worker).exit_code == 0


def test_crash_costs_its_run_alone(worker: Worker) -> None:
    worker.write("marked.py", MARKED)
    worker.write("test_it.py", TEST)
    worker.write("test_crash.py", "import ctypes\ndef test(): ctypes.string_at(1)\n")
    hold(worker, run(worker, "test_it.py", FRESH="1"))
    crashed = run(worker, "-p", "no:faulthandler", "test_crash.py", FRESH="0")
    assert (crashed.done["signal"], crashed.done["nodeid"]) == (11, "test_crash.py::test")
    assert run(worker, "test_it.py", FRESH="0").exit_code == 0


def test_signal_reaches_a_run_that_was_forked_there(worker: Worker) -> None:
    worker.write("marked.py", MARKED)
    worker.write("test_it.py", TEST)
    hold(worker, run(worker, "test_it.py", FRESH="1"))
    worker.write("test_slow.py", "import marked\n" + SLEEPER)
    running = worker.begin("test_slow.py", mode="surgical")
    worker.await_file("in_body")
    worker.send({"type": "signal", "id": running.id, "signal": 2})
    interrupted = worker.end(running)
    assert interrupted.exit_code == 2, interrupted.text
    assert run(worker, "test_it.py", FRESH="0").exit_code == 0
