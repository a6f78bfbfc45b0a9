"""What is installed and what is compiled: a change of it is seen at once, in every mode."""

from __future__ import annotations

import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from .environment import Environment, EnvironmentProject
from .harness import Project
from .modes import MODES, MODES_OF_LONG_TESTS

EXTENSION = """
#include <Python.h>
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "native", NULL, -1, NULL};
PyMODINIT_FUNC PyInit_native(void) {
  PyObject *module = PyModule_Create(&definition);
  if (module != NULL) PyModule_AddIntConstant(module, "VALUE", VALUE);
  return module;
}
"""
NATIVE = f"native{sysconfig.get_config_var('EXT_SUFFIX')}"
COMPILER = shutil.which("cc") or shutil.which("c++")
HEADERS = sysconfig.get_path("include")
needs_compiler = pytest.mark.skipif(
    not COMPILER or not Path(HEADERS, "Python.h").exists(), reason="needs a C compiler and Python's headers"
)


def compile_extension(project: Project, value: int, name: str = NATIVE) -> None:
    """Builds the project's module `native`, as a new file in the place of the old one."""
    source, built = project.home / "native.c", project.home / "native.so"
    source.write_text(EXTENSION)
    flags = ("-shared", "-fPIC", "-O0", f"-DVALUE={value}", f"-I{HEADERS}")
    subprocess.run([str(COMPILER), *flags, str(source), "-o", str(built)], check=True)
    built.replace(project.root / name)


def notices(project: Project) -> list[str]:
    texts: list[str] = project.status()["last_result"]["notice"]
    return texts


@needs_compiler
@pytest.mark.parametrize("mode", MODES_OF_LONG_TESTS)
def test_compiled_module_of_the_project_that_changed(project: Project, mode: str) -> None:
    project.env.update(MODES[mode])
    project.write("user.py", "import native\nVALUE = native.VALUE\n")
    project.write("test_it.py", "import user\ndef test(): open('seen', 'w').write(str(user.VALUE))\n")
    compile_extension(project, 1)
    for _ in range(3):
        project.stest().expect(0)
    worker = project.status()["worker"]["pid"]
    for value in (2, 1):
        compile_extension(project, value)
        run = project.stest().expect(0)
        assert project.read("seen") == str(value)
        assert run.text.count("test session starts") == 1
        if mode != "fork":
            assert "started a clean process: native is a compiled module and has changed" in notices(project)
        for _ in range(2):
            project.stest().expect(0)
            assert project.read("seen") == str(value)
        assert notices(project) == []
    assert project.status()["worker"]["pid"] == worker


@needs_compiler
@pytest.mark.parametrize("mode", MODES_OF_LONG_TESTS)
def test_compiled_module_that_the_run_itself_has_built(project: Project, mode: str) -> None:
    project.env.update(MODES[mode])
    project.write("conftest.py", f"import os\nif os.path.exists('new'): os.replace('new', '{NATIVE}')\n")
    project.write("test_it.py", "import native\ndef test(): open('seen', 'w').write(str(native.VALUE))\n")
    compile_extension(project, 1)
    for _ in range(3):
        project.stest().expect(0)
    for value in (2, 1):
        compile_extension(project, value, "new")
        project.stest().expect(0)
        assert project.read("seen") == str(value)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("v"), ["pytest"])


@pytest.fixture(params=MODES_OF_LONG_TESTS)
def project_with_environment(
    request: pytest.FixtureRequest, environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EnvironmentProject]:
    project = EnvironmentProject(tmp_path_factory.mktemp("p"), environment)
    project.env.update(MODES[request.param], PYTHONDONTWRITEBYTECODE="1")
    project.write("helper.py", "try:\n    from library import VALUE\nexcept ImportError:\n    VALUE = None\n")
    project.write(
        "test_it.py",
        """
        import helper, importlib.metadata

        def test():
            try:
                version = importlib.metadata.version("library")
            except importlib.metadata.PackageNotFoundError:
                version = None
            with open("seen", "w") as file:
                print(helper.VALUE, version, file=file)
        """,
    )
    yield project
    project.close()


def seen(project: EnvironmentProject) -> str:
    """What a warm run saw, which is what a cold one sees."""
    project.stest("-p", "no:cacheprovider").expect(0)
    warm = project.read("seen").strip()
    project.plain("-p", "no:cacheprovider").expect(0)
    assert warm == project.read("seen").strip()
    return warm


def install(environment: Environment, version: str) -> None:
    uninstall(environment)
    folder, info = environment.site / "library", environment.site / f"library-{version}.dist-info"
    folder.mkdir()
    info.mkdir()
    (folder / "__init__.py").write_text(f"VALUE = 'of {version}'\n")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: library\nVersion: {version}\n")


def uninstall(environment: Environment) -> None:
    for folder in environment.site.glob("library*"):
        shutil.rmtree(folder)


def test_distribution_installed_upgraded_and_removed(
    project_with_environment: EnvironmentProject, environment: Environment
) -> None:
    project = project_with_environment
    for _ in range(2):
        assert seen(project) == "None None"
        for version in ("1", "2"):
            install(environment, version)
            for _ in range(2):  # The second time it is preloaded.
                assert seen(project) == f"of {version} {version}"
        uninstall(environment)


def test_pth_file_that_appears_changes_and_vanishes(
    project_with_environment: EnvironmentProject, environment: Environment
) -> None:
    project = project_with_environment
    pth = environment.site / "more.pth"
    for name in ("one", "other"):
        folder = project.home / name
        folder.mkdir()
        (folder / "library.py").write_text(f"VALUE = {name!r}\n")
    assert seen(project) == "None None"
    for name in ("one", "other", "one"):
        pth.write_text(f"{project.home / name}\n")
        for _ in range(2):
            assert seen(project) == f"{name} None"
    pth.unlink()
    assert seen(project) == "None None"


ONCE = EXTENSION.replace(
    "  PyObject *module =",
    """  static int loaded = 0;
  if (loaded++) {
    PyErr_SetString(PyExc_ImportError, "cannot load module more than once per process");
    return NULL;
  }
  PyObject *module =""",
)


@needs_compiler
@pytest.mark.parametrize("mode", MODES_OF_LONG_TESTS)
def test_ignored_package_with_a_compiled_module_that_is_not(
    project: Project, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package would stay where it is, and what is compiled in it would be loaded a second time."""
    monkeypatch.setitem(globals(), "EXTENSION", ONCE)
    project.env.update(MODES[mode])
    project.configure(sprintest="ignore = ['heavy']")
    project.write("heavy/__init__.py", "from . import lower\n")
    project.write("heavy/lower.py", "from . import native\nVALUE = native.VALUE\n")
    compile_extension(project, 1, f"heavy/{NATIVE}")
    project.write(
        "test_it.py", "import heavy\ndef test():\n    from heavy.lower import VALUE\n    assert VALUE == 1\n"
    )
    for _ in range(3):
        project.stest().expect(0)
