"""The suites that must get the same answers from stest as from plain pytest."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".venv-parity"  # A virtual environment for each suite, and the sources.

PYTEST = (
    "pytest==8.4.2"  # The sources below are older than pytest 9, which the suites of this repository use.
)
TORCH = tuple((ROOT / "examples" / "requirements.txt").read_text().splitlines()[1:3])
JAX = "jax==0.10.2"
PANDAS = "pandas==3.1.1"
SKLEARN = "scikit-learn==1.9.1"


@dataclass(frozen=True)
class Suite:
    """A test suite: a folder of this repository, or a source distribution from PyPI."""

    name: str
    edited: str  # A file that the tests import.
    folder: Path | None = None  # Here; nothing: `sdist`.
    sdist: str = ""  # "name==version"
    requirements: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)

    def with_workers(self, count: int) -> Suite:
        requirements = (*self.requirements, "pytest-xdist")
        return replace(self, requirements=requirements, args=("-n", str(count), *self.args))

    @property
    def title(self) -> str:
        return self.sdist.replace("==", " ") or self.name

    @property
    def home(self) -> Path:
        return HOME / self.name

    @property
    def cwd(self) -> Path:
        return self.folder or HOME / "suites" / self.sdist.replace("==", "-")

    @property
    def python(self) -> Path:
        return Path(sys.executable) if self.folder else self.home / "bin" / "python"


def _files(pattern: str, names: str) -> tuple[str, ...]:
    return tuple(pattern.format(name) for name in names.split())


SUITES = (
    Suite("example", "tinyai/score.py", folder=ROOT / "examples"),
    # The rest is more of its kind.
    Suite("stest", "tests/python/conftest.py", folder=ROOT, args=("tests/python/test_worker.py",)),
    Suite(
        "einops",
        "einops/einops.py",
        sdist="einops==0.8.1",
        requirements=("numpy", *TORCH),
        # torch.compile takes most of the time; test_ops.py has it too.
        args=("einops/tests", "--deselect=einops/tests/test_other.py::test_torch_compile"),
        env={"EINOPS_TEST_BACKENDS": "numpy,torch"},
    ),
    Suite(
        "attrs",
        "tests/utils.py",
        sdist="attrs==25.3.0",
        requirements=("cloudpickle", "hypothesis", "pympler", "pytest-xdist[psutil]"),
        args=("tests", "--ignore=tests/test_funcs.py"),  # As test_make.py: property tests, and slow.
    ),
    Suite("click", "tests/conftest.py", sdist="click==8.1.8", args=("tests",)),
    Suite(
        "flask",
        "tests/conftest.py",
        sdist="flask==3.1.1",
        requirements=("asgiref", "click==8.1.8", "python-dotenv"),
        args=("tests",),
    ),
    # jax
    Suite(
        "chex",
        "chex/_src/dataclass.py",
        sdist="chex==0.1.92",
        requirements=(JAX, "cloudpickle==3.1.3", "dm-tree==0.1.10"),
        args=_files("chex/_src/{}_test.py", "dataclass dimensions variants restrict_backends warnings"),
    ),
    Suite(
        "optax",
        "optax/tree_utils/_tree_math.py",
        sdist="optax==0.2.8",
        requirements=(JAX, SKLEARN),
        args=("optax/tree_utils", *_files("optax/_src/{}_test.py", "base update")),
    ),
    Suite(
        "numpyro",
        "numpyro/util.py",
        sdist="numpyro==0.22.0",
        requirements=(JAX,),
        args=_files("test/test_{}.py", "constraints diagnostics"),
    ),
    # torch
    Suite(
        "gpytorch",
        "gpytorch/settings.py",
        sdist="gpytorch==1.15.2",
        requirements=TORCH,
        args=_files("test/{}", "means priors constraints distributions functions"),
    ),
    Suite(
        "accelerate",
        "tests/test_hooks.py",
        sdist="accelerate==1.15.0",
        requirements=(*TORCH, "parameterized==0.9.0"),
        args=_files("tests/test_{}.py", "hooks scheduler optimizer logging offload"),
    ),
    Suite(
        "skorch",
        "skorch/setter.py",
        sdist="skorch==1.4.0",
        requirements=(*TORCH, PANDAS, SKLEARN, "flaky==3.8.1", "pytest-cov==7.1.0"),
        args=_files("skorch/tests/test_{}.py", "setter scoring toy"),
    ),
    # scikit-learn and pandas
    Suite(
        "imbalanced-learn",
        "imblearn/base.py",
        sdist="imbalanced-learn==0.14.2",
        requirements=(PANDAS, SKLEARN),
        args=_files("imblearn/{}", "over_sampling utils"),
    ),
    Suite(
        "lifelines",
        "lifelines/utils/__init__.py",
        sdist="lifelines==0.30.3",
        requirements=("pandas==2.3.3", SKLEARN, "flaky==3.8.1"),
        args=_files("lifelines/tests/test_{}.py", "statistics npmle plotting"),
    ),
    Suite(
        "pandera",
        "pandera/api/checks.py",
        sdist="pandera==0.35.0",
        requirements=(PANDAS, "hypothesis==6.170.17", "pytest-asyncio==1.5.0"),
        args=_files("tests/pandas/test_{}.py", "schemas checks config errors typing model"),
    ),
    Suite(
        "seaborn",
        "seaborn/utils.py",
        sdist="seaborn==0.13.2",
        requirements=(PANDAS, "matplotlib==3.11.2"),
        args=("tests/_core", "tests/_stats", "tests/test_palettes.py", "--ignore=tests/_core/test_plot.py"),
    ),
    Suite(
        "xarray",
        "xarray/core/utils.py",
        sdist="xarray==2026.9.0",
        requirements=(PANDAS, "pytest-asyncio==1.5.0", "pytest-mypy-plugins==4.1.0"),
        args=_files(
            "xarray/tests/test_{}.py", "accessor_str concat merge indexes dtypes options formatting treenode"
        ),
    ),
)
