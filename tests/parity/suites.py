"""The suites that must get the same answers from stest as from plain pytest."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".venv-parity"  # A virtual environment of its own, with the sources unpacked beside it.
PYTHON = HOME / "bin" / "python"

PYTEST = (
    "pytest==8.4.2"  # The sources below are older than pytest 9, which the suites of this repository use.
)
TORCH = tuple((ROOT / "examples" / "requirements.txt").read_text().splitlines()[1:3])


@dataclass(frozen=True)
class Suite:
    """A test suite: a folder of this repository, or a source distribution from PyPI."""

    name: str
    folder: Path | None = None  # Here; nothing: `sdist`.
    sdist: str = ""  # "name==version"
    requirements: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)

    @property
    def cwd(self) -> Path:
        return self.folder or HOME / "suites" / self.sdist.replace("==", "-")

    @property
    def python(self) -> Path:
        return Path(sys.executable) if self.folder else PYTHON


SUITES = (
    Suite("example", folder=ROOT / "examples"),
    Suite("stest", folder=ROOT, args=("tests/python/test_worker.py",)),  # The rest is more of its kind.
    Suite(
        "einops",
        sdist="einops==0.8.1",
        requirements=("numpy", *TORCH),
        # torch.compile takes most of the time; test_ops.py has it too.
        args=("einops/tests", "--deselect=einops/tests/test_other.py::test_torch_compile"),
        env={"EINOPS_TEST_BACKENDS": "numpy,torch"},
    ),
    Suite(
        "attrs",
        sdist="attrs==25.3.0",
        requirements=("cloudpickle", "hypothesis", "pympler", "pytest-xdist[psutil]"),
        args=("tests", "--ignore=tests/test_funcs.py"),  # As test_make.py: property tests, and slow.
    ),
    Suite("click", sdist="click==8.1.8", args=("tests",)),
    Suite("flask", sdist="flask==3.1.1", requirements=("asgiref", "python-dotenv"), args=("tests",)),
)
