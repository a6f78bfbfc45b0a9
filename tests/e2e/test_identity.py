"""Inside a test the process looks as it does under `python -m pytest`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .harness import Project

PROBE = """
import gc, json, locale, logging, os, resource, signal, site, subprocess, sys, threading, warnings
import __main__


def describe():
    return {
        "environment": dict(os.environ),
        "working directory": [os.getcwd(), os.environ.get("PWD")],
        "umask": [os.umask(0), os.umask(0o22)],
        "argv": sys.argv,
        "path": sys.path,
        "interpreter": [sys.executable, sys.version, sys.implementation.cache_tag],
        "prefixes": [sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix, sys.platlibdir],
        "flags": {
            name: getattr(sys.flags, name)
            for name in dir(sys.flags) if isinstance(getattr(sys.flags, name), int)
        },
        "site": [site.getsitepackages(), site.ENABLE_USER_SITE],
        "main": [
            __main__.__name__,
            __main__.__file__,
            __main__.__package__,
            __main__.__spec__.name,
            sys.modules["__main__"] is __main__,
        ],
        "signals": {number: str(signal.getsignal(number)) for number in signal.valid_signals()},
        "blocked signals": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "limits": {
            name: resource.getrlimit(getattr(resource, name))
            for name in dir(resource) if name.startswith("RLIMIT")
        },
        "threads": [
            threading.main_thread() is threading.current_thread(),
            threading.main_thread().name,
            threading.main_thread().native_id == os.getpid(),
            threading.active_count(),
            len(os.listdir("/proc/self/task")),
        ],
        "encodings": [
            sys.getfilesystemencoding(),
            sys.getfilesystemencodeerrors(),
            locale.setlocale(locale.LC_ALL),
            locale.getpreferredencoding(),
            sys.__stdout__.encoding,
            sys.__stdout__.errors,
            sys.__stderr__.encoding,
            sys.__stderr__.line_buffering,
        ],
        "warnings": [str(entry) for entry in warnings.filters],
        "x options": sys._xoptions,
        "warn options": sys.warnoptions,
        "garbage collector": [gc.isenabled(), gc.get_threshold(), gc.get_debug()],
        "logging": [logging.root.level, len(logging.root.handlers)],
        "inherited files": subprocess.check_output(["ls", "/proc/self/fd"], close_fds=False).decode().split(),
        "stdin": os.read(0, 1).decode(),
        "recursion limit": sys.getrecursionlimit(),
        "switch interval": sys.getswitchinterval(),
        "hooks": [sys.excepthook is sys.__excepthook__, sys.gettrace(), sys.getprofile()],
    }


def test_probe():
    with open("probe.json", "w") as file:
        json.dump(describe(), file)
"""

LOCALES: list[dict[str, str | None]] = [
    {},
    {"LANG": None},
    {"LANG": "C"},
    {"LC_ALL": "POSIX"},
    {"LANG": None, "LC_ALL": "C.UTF-8"},
    {"PYTHONUTF8": "1"},
    {"PYTHONCOERCECLOCALE": "0", "LANG": "C"},
]

PYTHON_VARIABLES: list[dict[str, str | None]] = [
    {"PYTHONHASHSEED": "7"},
    {"PYTHONDONTWRITEBYTECODE": "1"},
    {"PYTHONOPTIMIZE": "1"},
    {"PYTHONWARNINGS": "default::ImportWarning,ignore::ResourceWarning"},
    {"PYTHONDEVMODE": "1"},
    {"PYTHONUNBUFFERED": "1"},
    {"PYTHONNOUSERSITE": "1"},
    {"PYTHONSAFEPATH": "1"},
    {"PYTHONIOENCODING": "latin-1:replace"},
    {"PYTHONFAULTHANDLER": "1"},
    {"PYTHONPATH": "/nowhere:relative"},
]


def probe(project: Project, command: Any, **options: Any) -> dict[str, Any]:
    command("-q", "-p", "no:cacheprovider", "test_probe.py", **options).expect(0)
    found: dict[str, Any] = json.loads(project.read("probe.json"))
    (project.root / "probe.json").unlink()
    return found


@pytest.fixture(scope="module")
def probes(shared_project: Project) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the same test sees in a warm run of stest and under plain pytest."""
    shared_project.write("test_probe.py", PROBE)
    shared_project.env.update(EMPTY="", ODD="a=b\nc", UNICODE="ü")
    probe(shared_project, shared_project.stest)
    return probe(shared_project, shared_project.stest), probe(shared_project, shared_project.plain)


@pytest.mark.parametrize(
    "what",
    [
        "environment",
        "working directory",
        "umask",
        "argv",
        "path",
        "interpreter",
        "prefixes",
        "flags",
        "site",
        "main",
        "signals",
        "blocked signals",
        "limits",
        "threads",
        "encodings",
        "warnings",
        "x options",
        "warn options",
        "garbage collector",
        "logging",
        "inherited files",
        "stdin",
        "recursion limit",
        "switch interval",
        "hooks",
    ],
)
def test_same_as_plain(probes: tuple[dict[str, Any], dict[str, Any]], what: str) -> None:
    warm, plain = probes
    assert warm[what] == plain[what]


def test_every_probed_thing_is_compared(probes: tuple[dict[str, Any], dict[str, Any]]) -> None:
    (mark,) = (mark for mark in test_same_as_plain.pytestmark if mark.name == "parametrize")
    assert set(mark.args[1]) == set(probes[1])


@pytest.mark.parametrize("changes", [*LOCALES, *PYTHON_VARIABLES], ids=lambda changes: repr(changes)[1:-1])
def test_same_under_other_variables(project: Project, changes: dict[str, str | None]) -> None:
    """Each is changed between two runs of one daemon, so that nothing of the first run's remains."""
    project.write("test_probe.py", PROBE)
    probe(project, project.stest)
    warm = probe(project, project.stest, env=changes)
    assert warm == probe(project, project.plain, env=changes)


def test_virtual_environments_pth_files_count(shared_project: Project) -> None:
    """Modules come from the same files: site-packages, `.pth` files, `usercustomize` and all."""
    shared_project.write(
        "test_modules.py",
        """
        import json, sys

        def test():
            of_pytest = [name for name in sys.modules if name.startswith(("_pytest", "pluggy", "pytest"))]
            with open("modules.json", "w") as file:
                json.dump({name: getattr(sys.modules[name], "__file__", "") for name in of_pytest}, file)
        """,
    )
    shared_project.plain("test_modules.py").expect(0)
    plain = json.loads(shared_project.read("modules.json"))
    shared_project.stest("test_modules.py").expect(0)
    assert json.loads(shared_project.read("modules.json")).items() >= plain.items()


def test_subprocesses_find_the_same_interpreter(shared_project: Project) -> None:
    shared_project.write(
        "test_child.py",
        """
        import subprocess, sys

        def test():
            code = "import sys, pytest; print(sys.prefix); print(pytest.__file__)"
            found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
            import pytest
            assert found.stdout.splitlines() == [sys.prefix, pytest.__file__]
        """,
    )
    shared_project.stest("test_child.py").expect(0)


def test_multiprocessing_works_with_every_start_method(shared_project: Project) -> None:
    shared_project.write(
        "test_pool.py",
        """
        import multiprocessing, pytest

        @pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
        def test(method):
            with multiprocessing.get_context(method).Pool(2) as pool:
                assert pool.map(abs, [-1, 2, -3]) == [1, 2, 3]
                pool.close()
                pool.join()
        """,
    )
    shared_project.plain("test_pool.py").expect(0)
    assert "3 passed" in shared_project.stest("test_pool.py").expect(0).text
