"""The same small suite under each version of pytest that stest supports: plain, cold and warm.

    python tests/matrix/matrix.py [--quick | NAME...]

Makes an environment per version from PyPI (`uv` must be importable) in build/matrix, with stest as it is
installed beside this Python, and prints a table. Exit code 1 where an answer differs, or a run is not warm.
`--quick`: the oldest version, one that keeps its configuration elsewhere, and the newest.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HOME = Path(__file__).parents[2] / "build" / "matrix"
BIN = Path(sys.executable).parent
NEWEST = "9.2.0"

#: By the name of the environment: what is installed. Each minor version, and two patches that changed much.
MATRIX = {
    version: [f"pytest=={version}"]
    for version in (
        *("7.0.1", "7.1.3", "7.2.2", "7.3.2", "7.4.4", "8.0.2", "8.1.2", "8.2.2", "8.3.5", "8.4.2"),
        *("9.0.0", "9.0.1", "9.0.2", "9.0.3", "9.1.1", NEWEST),
    )
}
MATRIX["plugins"] = [f"pytest=={NEWEST}", "jaxtyping", "typeguard", "pytest-xdist"]
QUICK = ["7.0.1", "9.0.2", NEWEST]

SUITE = {
    "pytest.ini": "[pytest]\n",
    "helper.py": "def double(value): return 2 * value\n",
    "conftest.py": "import pytest\n@pytest.fixture\ndef three(): return 3\n",
    "test_it.py": """
import warnings
import helper, pytest

def test_filters(): print("V", [one[:3] for one in warnings.filters])
@pytest.mark.parametrize("value", [1, 2])
def test_parameter(value, three, tmp_path): assert helper.double(value) < three and tmp_path.exists()
def test_rewriting(): assert {"a": [1, 2]} == {"a": [1, 3]}
def test_warns():
    with pytest.warns(UserWarning): warnings.warn("here")
    warnings.warn("shown", stacklevel=1)
def test_capture(capsys):
    print("out")
    assert capsys.readouterr().out == "out\\n"
@pytest.mark.skip(reason="why not")
def test_skipped(): pass
@pytest.mark.xfail(strict=True)
def test_xfails(): assert 0
def test_error(no_such_fixture): pass
""",
}

#: Ways to run it: arguments and variables.
WAYS: list[tuple[list[str], dict[str, str]]] = [
    (["-rA"], {}),
    (["-rA"], {"PYTHONWARNINGS": "error"}),
    (["-rA"], {"SPRINTEST_ISOLATION": "resident"}),
]


def environment(name: str, requirements: list[str]) -> Path:
    """The folder of programs of the environment, which is made once; stest in it is new each time."""
    home = HOME / name
    uv, python = [sys.executable, "-m", "uv"], home / "bin" / "python"
    stamp = home / "made"
    if not stamp.exists() or stamp.read_text() != " ".join(requirements):
        shutil.rmtree(home, ignore_errors=True)
        subprocess.run([*uv, "venv", "-q", "-p", sys.executable, str(home)], check=True)
        subprocess.run([*uv, "pip", "install", "-q", "-p", str(python), *requirements], check=True)
        stamp.write_text(" ".join(requirements))
    spec = importlib.util.find_spec("sprintest")
    assert spec
    assert spec.origin
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(subprocess.check_output([str(python), "-c", code], text=True).strip())
    shutil.rmtree(site / "sprintest", ignore_errors=True)
    shutil.copytree(Path(spec.origin).parent, site / "sprintest")
    for program in BIN.glob("stest*"):
        shutil.copy2(program, home / "bin" / program.name)
    shutil.copytree(BIN.parent / "lib" / "stest", home / "lib" / "stest", dirs_exist_ok=True)
    return home / "bin"


def answer(command: list[str], root: Path, variables: dict[str, str]) -> tuple[int, str, str]:
    """Exit code, what it wrote but for times, and what stest said."""
    ours = ("PYTEST", "PYTHON", "SPRINTEST_")
    env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    env["SPRINTEST_WAIT_FOR_WORKER"] = "yes"  # What is compared is what warm runs answer.
    env.update(variables, PATH=f"{Path(command[0]).parent}{os.pathsep}{env['PATH']}", COLUMNS="80")
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True)
    text = re.sub(r"=+ (.*) in [0-9.]+s =+", r"\1", done.stdout)
    return done.returncode, re.sub(r"0x[0-9a-f]+|pytest-[0-9]+", "…", text), done.stderr


def compare(bin_folder: Path, args: list[str], variables: dict[str, str]) -> dict[str, str]:
    """How each kind of run was, in a word."""
    with tempfile.TemporaryDirectory(prefix="matrix-") as folder:
        root = Path(folder)
        for file, text in SUITE.items():
            (root / file).write_text(text)
        args = ["-p", "no:cacheprovider", *args]
        stest = str(bin_folder / "stest")
        plain = answer([str(bin_folder / "python"), "-m", "pytest", *args], root, variables)
        found = {"plain": "✓" if plain[0] == 1 else f"exit code {plain[0]}"}
        try:
            for kind in ("cold", "first", "warm"):
                command = [stest, "run", "--cold", "--", *args] if kind == "cold" else [stest, *args]
                code, text, said = answer(command, root, variables)
                word = "✓" if (code, text) == plain[:2] else f"DIFFERS ({code})"
                found[kind] = "RAN COLD" if kind != "cold" and "ran cold" in said else word
                if found[kind] != "✓":
                    print(bin_folder, kind, args, variables, text, said, sep="\n", file=sys.stderr)
        finally:
            subprocess.run([stest, "stop"], cwd=root, capture_output=True)
        return found


def row(name: str) -> list[str]:
    bin_folder = environment(name, MATRIX[name])
    found: dict[str, set[str]] = {}
    for args, variables in WAYS:
        for kind, word in compare(bin_folder, args, variables).items():
            found.setdefault(kind, set()).add(word)
    return [", ".join(sorted(words)) for words in found.values()]


def main() -> int:
    names = sys.argv[1:] or list(MATRIX)
    if names == ["--quick"]:
        names = QUICK
    print("| pytest | plain | cold | first run | warm |\n| --- | --- | --- | --- | --- |", flush=True)
    is_right = True
    for name in names:
        words = row(name)
        is_right = is_right and set(words) == {"✓"}
        print("|", " | ".join([name, *words]), "|", flush=True)
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
