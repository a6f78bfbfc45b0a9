"""What newer versions of Python have changed: answers and state are those of plain pytest."""

from __future__ import annotations

import sys

import pytest

from .harness import Project


def since(minor: int) -> pytest.MarkDecorator:
    return pytest.mark.skipif(sys.version_info < (3, minor), reason=f"needs Python 3.{minor}")


def shown(project: Project, *args: str) -> list[str]:
    """The lines that the tests print, which are the same plain, in the first run, and in warm ones."""
    runs = [project.plain("-sq", *args), *(project.stest("-sq", *args) for _ in range(3))]
    lines = [[line for line in run.expect(0).text.splitlines() if "V " in line] for run in runs]
    assert "ran cold" not in runs[-1].errors
    assert lines[0]
    assert lines[1:] == lines[:1] * 3
    return lines[0]


# ---- 3.13


def test_child_process_in_resident_mode(project: Project) -> None:
    """`multiprocessing` relies on `atexit` to send what is still to be sent."""
    project.env["SPRINTEST_ISOLATION"] = "resident"
    project.write(
        "test_it.py",
        """
        import multiprocessing, time

        class Slow:
            def __reduce__(self):
                time.sleep(0.2)
                return (int, (3,))

        def child(queue): queue.put(Slow())

        def test_it():
            context = multiprocessing.get_context("fork")
            queue = context.Queue()
            process = context.Process(target=child, args=(queue,))
            process.start()
            print("V", queue.get(timeout=9), process.join(), process.exitcode)
        """,
    )
    assert shown(project) == ["V 3 None 0"]


def test_doctest_that_fails_in_resident_mode(project: Project) -> None:
    """`doctest` imports `pdb`, and that imports `rlcompleter`, which imports `__main__`."""
    project.env["SPRINTEST_ISOLATION"] = "resident"
    project.configure(pytest='addopts = "--doctest-modules"')
    project.write("one.py", 'VALUE = 1\n\ndef it():\n    """\n    >>> VALUE\n    2\n    """\n')
    for value in (1, 11):
        project.write("one.py", project.read("one.py").replace("VALUE = 1", f"VALUE = {value}"))
        runs = [project.plain("one.py"), *(project.stest("one.py") for _ in range(2))]
        failures = [run.expect(1).text.partition(" FAILURES ")[2].partition("= short")[0] for run in runs]
        assert "Expected:" in failures[0]
        assert failures[1:] == failures[:1] * 2


# ---- 3.14


@since(14)
@pytest.mark.parametrize("isolation", ["fork", "resident"])
def test_default_start_method(project: Project, isolation: str) -> None:
    """That is `forkserver`: the server ends with the run."""
    project.env["SPRINTEST_ISOLATION"] = isolation
    project.write("helper.py", "def child(queue): queue.put(3)\n")
    project.write(
        "test_it.py",
        """
        import multiprocessing
        import helper

        def test_it():
            queue = multiprocessing.Queue()
            process = multiprocessing.Process(target=helper.child, args=(queue,))
            process.start()
            print("V", multiprocessing.get_start_method(), queue.get(timeout=60), process.join())
        """,
    )
    assert shown(project) == ["V forkserver 3 None"]


@since(14)
def test_annotations_are_evaluated_when_asked_for(project: Project) -> None:
    project.install(
        "library.py",
        """
        EVALUATED = []
        def note(what): EVALUATED.append(what); return int
        class Record:
            value: note("class")
        def function(value: note("function")): ...
        def late() -> Later: ...
        variable: note("module") = 1
        """,
    )
    project.write(
        "test_it.py",
        """
        import library

        def test_nothing_is_evaluated():
            print("V", library.EVALUATED)

        def test_asked():
            print("V", library.Record.__annotations__, library.function.__annotations__, library.EVALUATED)
            library.Later = str
            print("V", library.late.__annotations__)
        """,
    )
    assert "V []" in shown(project)[0]


# ---- 3.15


@since(15)
def test_collector_measures_its_time(project: Project) -> None:
    """That says nothing about the module that is imported meanwhile: it stays loaded."""
    code = "import threading\nLOADED = threading.get_native_id()\nKEPT = [[one] for one in range(100_000)]\n"
    project.install("heavy.py", code)
    project.configure(sprintest='preload = ["heavy"]')
    project.write("test_it.py", "import heavy\ndef test_it(): print('V', heavy.LOADED)\n")
    first, *later = (project.stest("-sq").expect(0).text.partition("\n")[0] for _ in range(3))
    assert first.startswith("V ")
    assert later == [first] * 2


@since(15)
def test_modules_that_python_imports_when_used(project: Project) -> None:
    """`ast.unparse` imports a module: stest does not use it."""
    project.write("test_it.py", "import sys\ndef test_it(): print('V', '_ast_unparse' in sys.modules)\n")
    assert shown(project) == ["V False"]


@pytest.fixture
def lazy(project: Project) -> Project:
    project.install("part.py", "NAMES = ['loaded']\n")
    project.install("unused.py", "raise ImportError('never asked for')\n")
    project.install("library.py", "lazy import part, unused\ndef names(): return part.NAMES\n")
    project.write("own.py", "VALUE = 1\n")
    project.write(
        "test_it.py",
        """
        import sys
        import library
        lazy import own

        def loaded(): return [name in sys.modules for name in ("library", "part", "unused")]

        def test_nothing_is_loaded():
            print("V", loaded(), type(vars(library)["part"]).__name__)

        def test_reified():
            print("V", own.VALUE, loaded())
            print("V", library.names(), loaded(), type(vars(library)["part"]).__name__)
        """,
    )
    return project


@since(15)
def test_lazy_imports(lazy: Project) -> None:
    before, value, names = shown(lazy)
    assert before.endswith("V [True, False, False] lazy_import")
    assert value == ".V 1 [True, False, False]"
    assert names == "V ['loaded'] [True, True, False] module"
    lazy.write("own.py", "VALUE = 333\n")
    assert shown(lazy)[1].startswith(".V 333")


@since(15)
def test_what_is_learned_is_what_was_reified(project: Project) -> None:
    project.install("library.py", "lazy import colorsys, netrc\ndef use(): colorsys.ONE_THIRD\n")
    project.write("test_it.py", "import library\ndef test_nothing(): pass\ndef test_used(): library.use()\n")

    def preloaded(*args: str) -> set[str]:
        for _ in range(2):
            project.stest(*args).expect(0)
            project.await_idle()
        modules = {one["module"] for one in project.status()["worker"]["preloaded"]}
        return modules & {"colorsys", "netrc"}

    assert preloaded("-k", "nothing") == set()
    assert preloaded() == {"colorsys"}
