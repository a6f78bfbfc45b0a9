"""The projects whose tests are timed: written into an empty folder, each with modules to edit.

Every project has a test that writes down what it sees of them, so that a run which is fast because
it is stale is found out.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
WARM = "test_ai_model_warm.py"
HAS_WARM = (EXAMPLES / WARM).exists()  # Not yet.

SETTINGS = "CORE = {core}  # {padding}\n"  # A module that every other one imports.
MIDDLE = "MIDDLE = {middle}  # {padding}\n"
ANSWER = """
from {package}.settings import CORE
from {package}.{module} import MIDDLE


def answer() -> str:
    return f"{leaf} {{CORE}} {{MIDDLE}}"  # {padding}
"""
WRITES_ANSWER = """
from pathlib import Path

from {package} import {leaf}


def test_answer({fixture}) -> None:
    Path(__file__).with_name("answer.txt").write_text({leaf}.answer())
"""
PYTEST = '[tool.pytest.ini_options]\npythonpath = ["."]\n'


@dataclass(frozen=True)
class Project:
    """How to write a project, and which of its modules are edited."""

    package: str
    leaf: str  # Module of the package that nothing else of it imports; has `answer()`.
    write: Callable[[Path], None]
    tests: str  # The argument that selects them.
    middle: str = "middle"  # Module of the package that half of what is imported comes before.


class Copy:
    """One copy of a project in a folder of its own."""

    def __init__(self, project: Project, folder: Path) -> None:
        self.folder = folder
        self.tests = project.tests
        self._package = folder / project.package
        self._middle = project.middle
        project.write(folder)
        self._originals: dict[str, str] = {}
        self._templates = {"settings": SETTINGS, project.middle: MIDDLE, project.leaf: ANSWER}
        self._leaf = project.leaf
        self._values = {"leaf": 0, "core": 0, "middle": 0}
        for module in self._templates:
            self._write(module)

    @property
    def answer(self) -> str:
        """What a run must see."""
        return " ".join(str(self._values[name]) for name in ("leaf", "core", "middle"))

    def edit_leaf(self) -> None:
        self._values["leaf"] += 1
        self._write(self._leaf)

    def edit_middle(self) -> None:
        self._values["middle"] += 1
        self._write(self._middle)

    def edit_core(self) -> None:
        self._values["core"] += 1
        self._write("settings")

    def take_answer(self) -> str:
        """What the last run saw; nothing if it wrote no answer. The next one starts without."""
        file = self.folder / "answer.txt"
        answer = file.read_text() if file.exists() else ""
        file.unlink(missing_ok=True)
        return answer

    def _write(self, module: str) -> None:
        file = self._package / f"{module}.py"
        if module not in self._originals:
            self._originals[module] = file.read_text() if file.exists() else ""
        words = {"package": self._package.name, "module": self._middle, **self._values}
        # Every edit changes the size: Python's bytecode cache goes by it, and by whole seconds.
        padding = "x" * sum(self._values.values())
        file.write_text(self._originals[module] + self._templates[module].format(padding=padding, **words))


def _writes_answer(package: str, leaf: str, fixture: str = "") -> str:
    return WRITES_ANSWER.format(package=package, leaf=leaf, fixture=fixture)


def _append(file: Path, text: str) -> None:
    with file.open("a") as it:
        it.write(text)


def _example(test_file: str) -> Callable[[Path], None]:
    """The example, as it is but for the modules to edit."""

    def write(folder: Path) -> None:
        shutil.copytree(EXAMPLES / "tinyai", folder / "tinyai", ignore=shutil.ignore_patterns("__pycache__"))
        for file in (EXAMPLES / "pyproject.toml", *EXAMPLES.glob("test_*.py")):
            shutil.copy(file, folder)
        _append(folder / "tinyai" / "model.py", "\n\nfrom tinyai.settings import CORE\n")
        _append(folder / test_file, _writes_answer("tinyai", "score", "classifier"))

    return write


def _small(tests: int) -> Callable[[Path], None]:
    """Tests that do nothing, of a package that imports nothing."""

    def write(folder: Path) -> None:
        (folder / "small").mkdir(parents=True)
        (folder / "small" / "__init__.py").touch()
        (folder / "pyproject.toml").write_text(PYTEST)
        trivial = "".join(f"def test_{n}() -> None:\n    assert True\n\n\n" for n in range(tests - 1))
        (folder / "test_small.py").write_text(trivial + _writes_answer("small", "scores"))

    return write


MODULES = 300
RECORDS = """
from __future__ import annotations

from dataclasses import dataclass

from big.settings import CORE
{parent}
"""
RECORD = """

@dataclass(frozen=True, order=True)
class Record{n}:
    name: str
    size: int = CORE
    owner: str = ""
    tags: tuple[str, ...] = ()
"""


def _big(folder: Path) -> None:
    """A tree of modules: each imports its parent and makes some data classes, about 7 ms of work."""
    package = folder / "big"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (folder / "pyproject.toml").write_text(PYTEST)
    records = "".join(RECORD.format(n=n) for n in range(6))
    for n in range(MODULES):
        parent = f"from big import m{(n - 1) // 2}" if n else ""
        (package / f"m{n}.py").write_text(RECORDS.format(parent=parent) + records)
    imports = "".join(f"from big import m{n}\n" for n in range(MODULES))
    tests = f"{imports}\n\ndef test_records() -> None:\n    assert m7.Record0('a') < m7.Record0('b')\n"
    (folder / "test_big.py").write_text(tests + _writes_answer("big", "scores"))


EXAMPLE = Project("tinyai", "score", _example("test_ai_model.py"), "test_ai_model.py")
EXAMPLE_WARM = Project("tinyai", "score", _example(WARM), WARM)
ONE_TEST = Project("tinyai", "score", EXAMPLE.write, "test_ai_model.py::test_answer")
THOUSAND = Project("small", "scores", _small(1000), "test_small.py")
LIGHT = Project("small", "scores", _small(5), "test_small.py")
BIG = Project("big", "scores", _big, "test_big.py", middle=f"m{MODULES // 2}")
