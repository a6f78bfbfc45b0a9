"""After an edit, and after a change of the environment, the answer is always the new one."""

from __future__ import annotations

import os
from pathlib import Path

from .harness import Project

ASKS = "from subject import value\ndef test(): assert value() == 'new'\n"


def subject(value: str) -> str:
    return f"def value(): return '{value}'\n"


def worker(project: Project) -> int:
    pid: int = project.status()["worker"]["pid"]
    return pid


def test_edit_of_a_test_file(project: Project) -> None:
    for body, code in [("pass", 0), ("assert 0", 1), ("pass", 0)]:
        project.write("test_it.py", f"def test(): {body}\n")
        project.stest().expect(code)


def test_edit_of_a_project_module(project: Project) -> None:
    project.write("test_it.py", ASKS)
    for value, code in [("new", 0), ("old", 1), ("new", 0)]:
        project.write("subject.py", subject(value))
        project.stest().expect(code)


def test_edit_that_leaves_size_and_time_alike(project: Project) -> None:
    """Python's own .pyc files could not tell these two apart; they are off, as the editor is quick."""
    project.env["PYTHONDONTWRITEBYTECODE"] = "1"
    project.write("test_it.py", ASKS)
    for value, code in [("new", 0), ("old", 1), ("new", 0), ("odd", 1)]:
        file = project.write("subject.py", subject(value))
        os.utime(file, (1_700_000_000, 1_700_000_000))
        project.stest("-p", "no:cacheprovider").expect(code)


def test_edit_of_a_module_imported_by_a_module(project: Project) -> None:
    project.write("test_it.py", ASKS)
    project.write("subject/__init__.py", "from .deep.inner import value\n")
    project.write("subject/deep/__init__.py", "")
    for value, code in [("new", 0), ("older", 1), ("new", 0)]:
        project.write("subject/deep/inner.py", subject(value))
        project.stest().expect(code)


def test_edit_of_conftest(project: Project) -> None:
    project.write("test_it.py", "def test(answer): assert answer == 42\n")
    for answer, code in [(42, 0), (43, 1), (42, 0)]:
        project.write("conftest.py", f"import pytest\n@pytest.fixture\ndef answer(): return {answer}\n")
        project.stest().expect(code)


def test_edit_of_pytests_configuration(project: Project) -> None:
    project.write("test_it.py", "def test(): pass\n")
    project.write("check_it.py", "def test_one(): pass\ndef test_two(): pass\n")
    assert "1 passed" in project.stest().expect(0).text
    project.configure(pytest="python_files = ['check_*.py']")
    assert "2 passed" in project.stest().expect(0).text


def test_module_that_appears_and_vanishes(project: Project) -> None:
    project.write("test_it.py", "import pytest\ndef test(): import subject\n")
    project.stest().expect(1)
    file = project.write("subject.py", "")
    project.stest().expect(0)
    file.unlink()
    project.stest().expect(1)


def test_test_file_that_appears_and_vanishes(project: Project) -> None:
    project.stest().expect(5)
    file = project.write("test_it.py", "def test(): pass\n")
    project.stest().expect(0)
    file.unlink()
    project.stest().expect(5)


def test_module_that_becomes_a_package(project: Project) -> None:
    project.write("test_it.py", ASKS)
    file = project.write("subject.py", subject("old"))
    project.stest().expect(1)
    file.unlink()
    project.write("subject/__init__.py", subject("new"))
    project.stest().expect(0)


def test_edit_of_a_data_file(project: Project) -> None:
    project.write("test_it.py", "def test(): assert open('data').read() == 'new'\n")
    for value, code in [("new", 0), ("old", 1), ("new", 0)]:
        project.write("data", value)
        project.stest().expect(code)


def test_edit_of_a_project_module_named_in_preload(project: Project) -> None:
    project.configure(sprintest="preload = ['subject']")
    project.write("test_it.py", ASKS)
    for value, code in [("new", 0), ("older", 1), ("new", 0)]:
        project.write("subject.py", subject(value))
        project.stest().expect(code)


def test_edit_of_an_installed_package(project: Project) -> None:
    """What was preloaded from a site folder is warm; when its file changes the worker is not."""
    project.configure(sprintest="preload = ['subject']")
    project.write("test_it.py", ASKS)
    for value, code in [("new", 0), ("older", 1), ("new", 0)]:
        project.install("subject.py", subject(value))
        project.stest().expect(code)


def test_state_of_one_run_does_not_reach_the_next(project: Project) -> None:
    project.install("library.py", "seen = []\n")
    project.configure(sprintest="preload = ['library']")
    project.write(
        "test_it.py",
        """
        import os, sys, library

        def test():
            assert not library.seen and "LEAK" not in os.environ and "leak" not in sys.modules
            assert "/leak" not in sys.path
            library.seen.append(1)
            os.environ["LEAK"] = "1"
            sys.modules["leak"] = sys
            os.chdir("/")
            sys.path.append("/leak")
        """,
    )
    for _ in range(3):
        project.stest("-p", "no:cacheprovider").expect(0)


def test_variables_set_changed_and_unset_between_runs(project: Project) -> None:
    project.write(
        "test_it.py", "import os\ndef test(): open('seen', 'w').write(repr(os.environ.get('COLOUR')))\n"
    )
    for value in ("red", "", "blue", None, "red"):
        project.stest(env={"COLOUR": value}).expect(0)
        assert project.read("seen") == repr(value)


def test_variable_read_while_preloading_restarts_the_worker(project: Project) -> None:
    project.install("library.py", "import os\nmode = os.environ.get('LIBRARY_MODE', 'default')\n")
    project.configure(sprintest="preload = ['library']")
    project.write("test_it.py", "import library\ndef test(): open('seen', 'w').write(library.mode)\n")
    workers = []
    for value in (None, "fast", "fast", None):
        project.stest(env={"LIBRARY_MODE": value}).expect(0)
        assert project.read("seen") == (value or "default")
        workers.append(worker(project))
    assert workers[0] != workers[1] == workers[2] != workers[3]


def test_restart_is_told_in_the_notice(project: Project) -> None:
    project.write("test_it.py", "def test(): pass\n")
    project.stest().expect(0)
    before = worker(project)
    request = project.request()
    request["env"] = {**project.env, "OMP_NUM_THREADS": "1"}
    answer = project.api.post("/v1/test/run", request).json()
    assert answer["exit_code"] == 0
    assert any("OMP_NUM_THREADS" in text for text in answer["notice"])
    assert worker(project) != before


def test_folder_moved_away_and_replaced(project: Project) -> None:
    """The same path with other content is another project."""
    project.write("test_it.py", "def test(): pass\n")
    project.stest().expect(0)
    project.stest("stop").expect(0)
    Path(project.root).rename(project.home / "old")
    project.root.mkdir()
    project.configure()
    project.write("test_it.py", "def test(): assert 0\n")
    project.stest().expect(1)


def test_edit_of_a_preloaded_module_that_leaves_size_and_time_alike(project: Project) -> None:
    project.env["PYTHONDONTWRITEBYTECODE"] = "1"  # As above.
    project.configure(sprintest="preload = ['subject']")
    project.write("test_it.py", ASKS)
    for value, code in [("new", 0), ("old", 1), ("new", 0)]:
        file = project.site / "subject.py"
        state = file.stat() if file.exists() else None
        project.install("subject.py", subject(value))
        if state:
            os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
        project.stest("-p", "no:cacheprovider").expect(code)
