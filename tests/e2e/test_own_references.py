"""Whatever tests put in the place of torch, of `os.environ` or of the standard library's functions, and leave
there: stest itself works with what it had before."""

from __future__ import annotations

import pytest

from .harness import Project
from .modes import MODES, MODES_OF_LONG_TESTS

#: What a test does, and does not undo.
LEFT_BEHIND = {
    "stub of torch": """
        stub = types.ModuleType("torch")
        stub.cuda = types.SimpleNamespace(is_available=lambda: False)
        sys.modules["torch"] = sys.modules["numpy"] = sys.modules["numpy.random"] = stub
    """,
    "MagicMock for torch": """
        sys.modules["torch"] = sys.modules["numpy"] = mock.MagicMock()
    """,
    "None for torch": """
        sys.modules["torch"] = sys.modules["multiprocessing.process"] = None
    """,
    "dict for os.environ": """
        os.environ = {"NAME": "of the dict"}
    """,
    "MagicMock for os.environ": """
        os.environ = mock.MagicMock()
    """,
    "broken functions": """
        def broken(*args, **kwargs): raise OSError("broken by a test")
        for name in ("getcwd", "stat", "lstat", "listdir", "scandir", "readlink", "getpid", "fsdecode"):
            setattr(os, name, broken)
        os.path.exists = os.path.isdir = os.path.realpath = broken
        gc.get_objects = threading.enumerate = broken
    """,
    "another time": """
        time.time = time.monotonic = time.time_ns = lambda: 0
    """,
    "open": """
        builtins.open = mock.MagicMock()
    """,
    "other tables": """
        sys.path = list(sys.path)
        sys.modules = dict(sys.modules)
    """,
}

TEST = """
import builtins, gc, helper, os, sys, threading, time, types
from unittest import mock

def test_as_it_should_be():
    assert type(os.environ) is not dict and os.environ["NAME"] == helper.NAME == "real"
    assert time.time() > 0 and os.path.exists(os.getcwd()) and builtins.open is real_open
    assert type(sys.modules.get("torch")) is not types.ModuleType

real_open = open

def test_that_leaves_it():
"""


@pytest.mark.parametrize("mode", MODES_OF_LONG_TESTS)
def test_what_tests_leave_in_place_of_others(shared_project: Project, mode: str) -> None:
    project = shared_project
    project.env.update(MODES[mode], NAME="real")
    project.write("helper.py", "import os\nNAME = os.environ['NAME']\n")
    project.write("test_it.py", f"{TEST}    pass")
    for name, left in LEFT_BEHIND.items():
        (project.root / "test_it.py").write_text(f"{TEST}{left}")
        for turn in range(2):
            finished = project.stest("-p", "no:cacheprovider", "-p", "no:terminal")
            assert finished.code == 0, f"{name}, run {turn}: {finished}"
            assert "ran cold" not in finished.errors, f"{name}: {finished.errors}"


@pytest.mark.parametrize("mode", MODES_OF_LONG_TESTS)
def test_module_that_is_imported_under_another_environ_is_not_kept(
    shared_project: Project, mode: str
) -> None:
    project = shared_project
    project.env.update(MODES[mode], NAME="real")
    project.write("helper.py", "import os\nNAME = os.environ['NAME']\n")
    project.write(
        "test_it.py",
        """
        import importlib, os, sys

        def test_under_another(monkeypatch):
            monkeypatch.setattr(os, "environ", {"NAME": open("value").read()})
            import helper
            assert helper.NAME == open("value").read()
        """,
    )
    project.write("test_real.py", "import helper\ndef test(): assert helper.NAME == 'real'\n")
    for value in ("one", "one", "other"):
        project.write("value", value)
        project.stest("test_it.py").expect(0)
        project.stest("test_real.py").expect(0)


@pytest.mark.long
@pytest.mark.torch
@pytest.mark.parametrize("mode", MODES_OF_LONG_TESTS)
def test_real_torch_behind_a_stub(project: Project, mode: str) -> None:
    project.env.update(MODES[mode])
    project.configure(sprintest="preload = ['torch']")
    project.write(
        "test_it.py",
        """
        import sys, types, torch
        from unittest import mock

        def test_real():
            assert torch.ones(2).sum() == 2 and not torch.is_inference_mode_enabled()
            assert torch.get_default_dtype() is torch.float32

        def test_stub():
            torch.set_default_dtype(torch.float64)
            sys.modules["torch"] = mock.MagicMock() if len(sys.argv) > 2 else types.ModuleType("torch")
        """,
    )
    for args in ([], ["-v"], []):
        project.stest(*args).expect(0)
