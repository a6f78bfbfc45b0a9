"""The wheels of `bash cmake/wheels`, each in a bare environment of its Python: cold, warm and edited.

    python tests/matrix/wheels.py [--torch] [PYTHON...]

PYTHON: interpreters, else those that `bash cmake/pythons` finds. Nothing but the environment is on PATH, so
that no compiler is needed. `--torch` installs torch as well, from PyPI, and tests with it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
WHEELS = ROOT / "build" / "wheels" / "dist"
HOMES = ROOT / "build" / "wheels" / "environments"

HELPER = "def value(): return {}\n"
SUITE = "{}import helper\ndef test_one(): print('value', helper.value())\ndef test_two(): assert 0\n"


def environment(python: str, packages: list[str]) -> Path:
    """The folder of programs of a new environment with the wheel."""
    facts = "import sys; print('%d.%d' % sys.version_info[:2])"
    home = HOMES / subprocess.check_output([python, "-c", facts], text=True).strip()
    shutil.rmtree(home, ignore_errors=True)
    subprocess.run([python, "-m", "venv", str(home)], check=True)
    pip = [str(home / "bin" / "python"), "-m", "pip", "-q", "--disable-pip-version-check", "install"]
    subprocess.run([*pip, "pytest", *packages], check=True)
    subprocess.run(
        [*pip, "--no-index", "--find-links", str(WHEELS), "--only-binary=:all:", "sprintest"], check=True
    )
    return home / "bin"


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
    with tempfile.TemporaryDirectory(prefix="wheel-") as folder:
        suite = Suite(environment(python, packages), Path(folder), imports)
        version = suite.call("--version").stdout
        try:
            words = ["✓" if "from a wheel" in version else version, suite.run(1, "run", "--cold")]
            words += [suite.run(1), suite.run(1)]
            suite.edit(22)
            return [*words, suite.run(22)]
        finally:
            suite.call("stop")


def main() -> int:
    packages = ["torch"] if "--torch" in sys.argv else []
    pythons = [arg for arg in sys.argv[1:] if not arg.startswith("-")]
    found = subprocess.check_output(["bash", str(ROOT / "cmake" / "pythons")], text=True).split()
    print(
        "| Python | wheel | cold | first run | warm | edited |\n| --- | --- | --- | --- | --- | --- |",
        flush=True,
    )
    is_right = True
    for python in pythons or found:
        version = subprocess.check_output([python, "-V"], text=True).split()[1]
        words = row(python, packages)
        is_right = is_right and set(words) == {"✓"}
        print("|", " | ".join([version, *words]), "|", flush=True)
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
