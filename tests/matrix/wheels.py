"""The wheels of `bash cmake/wheels`, each in a bare environment of its Python: cold, warm and edited.

    python tests/matrix/wheels.py [--torch] [PYTHON...]

PYTHON: interpreters, else those that `bash cmake/pythons` finds. Nothing but the environment is on PATH, so
that no compiler is needed. `--torch` installs torch as well, from PyPI, and tests with it. The time is from
`pip install sprintest` to the end of the first run.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
WHEELS = ROOT / "build" / "wheels" / "dist"
AUDITWHEEL = ROOT / "build" / "wheels" / "tools" / "bin" / "auditwheel"
HOMES = ROOT / "build" / "wheels" / "environments"

HELPER = "def value(): return {}\n"
SUITE = "{}import helper\ndef test_one(): print('value', helper.value())\ndef test_two(): assert 0\n"


def environment(python: str, packages: list[str]) -> Path:
    """The folder of programs of a new environment, without stest."""
    facts = "import sys; print('%d.%d' % sys.version_info[:2])"
    home = HOMES / subprocess.check_output([python, "-c", facts], text=True).strip()
    shutil.rmtree(home, ignore_errors=True)
    subprocess.run([python, "-m", "venv", str(home)], check=True)
    pip_install(home / "bin", *packages)
    return home / "bin"


def pip_install(programs: Path, *args: str) -> None:
    pip = [str(programs / "python"), "-m", "pip", "-q", "--disable-pip-version-check", "install"]
    subprocess.run([*pip, *args], check=True)


def wheel_of(python: str) -> list[str]:
    """The wheel's size, and its platform as auditwheel says."""
    tag = subprocess.check_output(
        [python, "-c", "import sys; print('cp%d%d' % sys.version_info[:2])"], text=True
    )
    wheel = next(WHEELS.glob(f"*-{tag.strip()}-*manylinux*.whl"))
    shown = subprocess.check_output([str(AUDITWHEEL), "show", str(wheel)], text=True)
    platforms = re.findall(r"manylinux_\d+_\d+_\w+", shown.partition("platform tag")[2])
    return [f"{wheel.stat().st_size / 1e6:.1f} MB", platforms[0]]


class Suite:
    """A project, and what stest says of it."""

    def __init__(self, programs: Path, root: Path, imports: str) -> None:
        self.stest, self.root = str(programs / "stest"), root
        self.env = {"PATH": str(programs), "HOME": os.environ["HOME"], "SPRINTEST_WAIT_FOR_WORKER": "yes"}
        (root / "test_it.py").write_text(SUITE.format(imports))
        self.edit(1)

    def edit(self, value: int) -> None:
        (self.root / "helper.py").write_text(HELPER.format(value))

    def run(self, value: int, *args: str) -> str:
        """In a word, how a run was that must print `value`."""
        run = self.call(*args, "-s", "-q")
        expected = (
            run.returncode == 1 and f"value {value}\n" in run.stdout and "1 failed, 1 passed" in run.stdout
        )
        if not expected or "ran cold" in run.stderr:
            print(run.stdout, run.stderr, sep="\n", file=sys.stderr)
            return "FAILED"
        return "✓"

    def call(self, *args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.stest, *args], cwd=self.root, env=self.env, capture_output=True, text=True
        )


def row(python: str, packages: list[str]) -> list[str]:
    imports = "".join(f"import {name}\n" for name in packages)
    programs = environment(python, ["pytest", *packages])
    with tempfile.TemporaryDirectory(prefix="wheel-") as folder:
        suite = Suite(programs, Path(folder), imports)
        try:
            begin = time.perf_counter()
            pip_install(
                programs, "--no-index", "--find-links", str(WHEELS), "--only-binary=:all:", "sprintest"
            )
            words = [f"{suite.run(1)} {time.perf_counter() - begin:.1f} s"]
            words += [suite.run(1, "run", "--cold"), suite.run(1)]
            suite.edit(22)
            return [*wheel_of(python), *words, suite.run(22)]
        finally:
            suite.call("stop")


def main() -> int:
    packages = ["torch"] if "--torch" in sys.argv else []
    pythons = [arg for arg in sys.argv[1:] if not arg.startswith("-")]
    found = subprocess.check_output(["bash", str(ROOT / "cmake" / "pythons")], text=True).split()
    print(
        "| Python | wheel | platform | first run | cold | warm | edited |\n" + "| --- " * 7 + "|",
        flush=True,
    )
    is_right = True
    for python in pythons or found:
        version = subprocess.check_output([python, "-V"], text=True).split()[1]
        words = row(python, packages)
        is_right = is_right and all(word.startswith("✓") for word in words[2:])
        print("|", " | ".join([version, *words]), "|", flush=True)
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
