"""A module of the project may bear the name of one that is loaded: pytest takes the first on the path."""

from __future__ import annotations

import json

import pytest

from .harness import Project
from .modes import MODES, MODES_OF_LONG_TESTS

SHARES_A_DAEMON = True

TEST = "import heavy\ndef test(): open('seen', 'w').write(heavy.__file__)\n"


@pytest.fixture(params=MODES_OF_LONG_TESTS)
def warm(project: Project, request: pytest.FixtureRequest) -> Project:
    """A project whose worker has loaded the installed module `heavy`."""
    project.env.update(MODES[request.param])
    project.configure(sprintest="preload = ['heavy']")
    project.install("heavy.py", "")
    project.write("test_it.py", TEST)
    for _ in range(2):
        project.stest("-q").expect(0)
        project.await_idle()
    assert "heavy" in {module["module"] for module in project.status()["worker"]["preloaded"]}
    return project


def seen(project: Project, *args: str) -> list[str]:
    """The file that the test saw, by stest and by plain pytest."""
    files = []
    for run in (project.stest, project.plain):
        run("-q", *args).expect(0)
        files.append(project.read("seen"))
    return files


def test_module_beside_the_tests_hides_an_installed_one(warm: Project) -> None:
    for place in ("heavy.py", "heavy/__init__.py"):
        file = warm.write(place, "")
        assert "cold" not in warm.stest("-q").expect(0).errors
        assert seen(warm) == [str(file)] * 2
        file.unlink()
    assert seen(warm) == [str(warm.site / "heavy.py")] * 2
    assert "cold" not in warm.stest("-q").expect(0).errors


def test_module_of_the_standard_library_is_hidden_likewise(warm: Project) -> None:
    file = warm.write("argparse.py", "raise RuntimeError('mine')\n")
    run, plain = warm.stest("-q"), warm.plain("-q")
    assert run.code == plain.code == 1
    assert "RuntimeError: mine" in run.errors
    file.unlink()
    warm.stest("-q").expect(0)


def test_folder_that_pytest_puts_on_the_path(warm: Project) -> None:
    """It does so while it collects: the run has begun by then."""
    warm.write("sub/test_there.py", TEST)
    assert seen(warm, "sub") == [str(warm.site / "heavy.py")] * 2
    file = warm.write("sub/heavy.py", "")
    assert seen(warm, "sub") == [str(file)] * 2
    assert warm.stest("sub").expect(0).text.count("test session starts") == 1


def test_folder_without_modules_hides_nothing(warm: Project) -> None:
    warm.write("heavy/data.txt", "")
    warm.write("__main__.py", "")
    assert "cold" not in warm.stest("-q").expect(0).errors
    assert warm.read("seen") == str(warm.site / "heavy.py")


def test_folder_that_a_test_puts_on_the_path_is_told(warm: Project) -> None:
    """Too late to begin again. What pytest itself has loaded is in every run's sight."""
    warm.write("data/argparse.py", "")
    warm.write("data/other.py", "")
    warm.write(
        "test_it.py",
        """
        def test(monkeypatch):
            monkeypatch.syspath_prepend("data")
            import other
        """,
    )
    assert "`stest verify` tells whether the answer depends on it" in warm.stest("-q").expect(0).errors


def test_tools_are_told_by_the_exit_code(warm: Project) -> None:
    warm.write("argparse.py", "")
    last = warm.stest("run", "--events", "--", "-q").expect(112).text.splitlines()[-1]
    assert "stest run --cold" in json.loads(last)["hint"]
    warm.stest("verify", "-q").expect(112)
