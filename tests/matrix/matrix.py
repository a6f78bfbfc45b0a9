"""The same small suite under each version of pytest and of Python: plain, cold, warm and edited.

    python tests/matrix/matrix.py [--quick | NAME...] [--python PYTHON...]

Makes an environment per version from PyPI (`uv` must be importable) in build/matrix, with stest as it is
installed beside this Python, and prints a table. Exit code 1 where an answer differs, or a run is not warm.
`--quick`: the oldest version, one that keeps its configuration elsewhere, and the newest.
`--python`: each of these instead of this Python, with the wheels of `bash cmake/wheels`.
"""

from __future__ import annotations

import argparse
import difflib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

BUILD = Path(__file__).parents[2] / "build"
HOME = BUILD / "matrix"
WHEELS = BUILD / "wheels" / "dist"
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

HELPER = "def double(value): return 2 * value\n"
SUITE = {
    "pytest.ini": "[pytest]\nlog_level = INFO\naddopts = --doctest-modules\n",
    "helper.py": HELPER,
    "conftest.py": """
import pytest
@pytest.fixture
def three(): return 3
@pytest.fixture(scope="module")
def opened():
    print("opened")
    yield "value"
    print("closed")
def pytest_report_header(): return "a header"
""",
    "crash.py": "import os\ndef test_crash(): os.abort()\n",
    "test_it.py": """
import asyncio, dataclasses, logging, multiprocessing, subprocess, sys, unittest, warnings
import helper, pytest

@dataclasses.dataclass
class Point:
    x: int
    y: "Unknown" = 0

def documented():
    '''
    >>> helper.double(4)
    8
    '''

def test_filters(): print("V", [one[:3] for one in warnings.filters])
@pytest.mark.parametrize("value", [1, 2])
def test_parameter(value, three, tmp_path): assert helper.double(value) < three and tmp_path.exists()
def test_rewriting(): assert {"a": [1, 2]} == {"a": [1, 3]}, "a message"
def test_warns():
    with pytest.warns(UserWarning): warnings.warn("here")
    warnings.warn("shown", stacklevel=1)
def test_capture(capsys, caplog, opened):
    print("out")
    logging.info("logged")
    assert capsys.readouterr().out == "out\\n" and caplog.messages == ["logged"]
@pytest.mark.skip(reason="why not")
def test_skipped(): pass
@pytest.mark.xfail(strict=True)
def test_xfails(): assert 0
def test_error(no_such_fixture): pass
def test_patched(monkeypatch):
    monkeypatch.setattr(helper, "double", lambda value: value)
    assert helper.double(1) == 1
def test_annotations():
    def later(value: Point, key: str = "") -> list: ...
    print("V", later.__annotations__, Point.__annotations__, dataclasses.fields(Point)[1].type)
class TestCase(unittest.TestCase):
    def test_sub(self):
        with self.subTest("one"): self.assertEqual(helper.double(0), 0)
def test_loop():
    async def value(): return 3
    assert asyncio.run(value()) == 3
def child(queue): queue.put(helper.double(5))
def test_processes():  # Whatever the default is: fork, or forkserver since Python 3.14.
    queue = multiprocessing.Queue()
    process = multiprocessing.Process(target=child, args=(queue,))
    process.start()
    print("V", multiprocessing.get_start_method(), queue.get(timeout=60))
    process.join()
def test_program(): print("V", subprocess.check_output([sys.executable, "-c", "print(3)"]))
""",
}

#: Ways to run it: arguments and variables.
WAYS: list[tuple[list[str], dict[str, str]]] = [
    (["-rA"], {}),
    (["-rA"], {"PYTHONWARNINGS": "error"}),
    (["-rA"], {"SPRINTEST_ISOLATION": "resident"}),
]


def environment(name: str, requirements: list[str], base: str = sys.executable) -> Path:
    """The folder of programs of the environment, which is made once; stest in it is new each time."""
    home = HOME / name
    uv, python = [sys.executable, "-m", "uv"], home / "bin" / "python"
    stamp = home / "made"
    if not stamp.exists() or stamp.read_text() != " ".join(requirements):
        shutil.rmtree(home, ignore_errors=True)
        subprocess.run([*uv, "venv", "-q", "-p", base, str(home)], check=True)
        install = [*uv, "pip", "install", "-q", "-p", str(python), *requirements]
        subprocess.run(install, check=True, stderr=subprocess.PIPE, text=True)
        stamp.write_text(" ".join(requirements))
    if base == sys.executable:
        copy_own(python)
    else:
        wheel = [*uv, "pip", "install", "-q", "-p", str(python), "--no-index", "--no-deps", "--reinstall"]
        subprocess.run([*wheel, "--find-links", str(WHEELS), "sprintest"], check=True)
    return home / "bin"


def copy_own(python: Path) -> None:
    """Copies the stest of this Python into the environment of another one."""
    spec = importlib.util.find_spec("sprintest")
    assert spec
    assert spec.origin
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    site = Path(subprocess.check_output([str(python), "-c", code], text=True).strip())
    shutil.rmtree(site / "sprintest", ignore_errors=True)
    shutil.copytree(Path(spec.origin).parent, site / "sprintest")
    for program in BIN.glob("stest*"):
        shutil.copy2(program, python.parent / program.name)
    shutil.copytree(BIN.parent / "lib" / "stest", python.parents[1] / "lib" / "stest", dirs_exist_ok=True)


def answer(command: list[str], root: Path, variables: dict[str, str]) -> tuple[int, str, str]:
    """Exit code, what it wrote but for times, and what stest said."""
    ours = ("PYTEST", "PYTHON", "SPRINTEST_", "VIRTUAL_ENV")
    env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    env["SPRINTEST_WAIT_FOR_WORKER"] = "yes"  # What is compared is what warm runs answer.
    env.update(variables, PATH=f"{Path(command[0]).parent}{os.pathsep}{env['PATH']}", COLUMNS="80")
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True)
    text = re.sub(r"=+ (.*) in [0-9.]+s =+", r"\1", done.stdout)
    return done.returncode, re.sub(r"0x[0-9a-f]+|pytest-[0-9]+", "…", text), done.stderr


def compare(bin_folder: Path, args: list[str], variables: dict[str, str]) -> dict[str, str]:
    """In a word, how each kind of run was; nothing if plain pytest itself does not work here."""
    with tempfile.TemporaryDirectory(prefix="matrix-") as folder:
        root = Path(folder)
        for file, text in SUITE.items():
            (root / file).write_text(text)
        args = ["-p", "no:cacheprovider", *args]
        stest, python = str(bin_folder / "stest"), str(bin_folder / "python")
        found = {}
        try:
            for kind in ("cold", "first", "warm", "edited"):
                if kind == "edited":
                    (root / "helper.py").write_text(HELPER.replace("2 *", "value + value +"))
                if kind in ("cold", "edited"):
                    plain = answer([python, "-m", "pytest", *args], root, variables)
                if plain[0] != 1:
                    return {}
                command = [stest, "run", "--cold", "--", *args] if kind == "cold" else [stest, *args]
                code, text, said = answer(command, root, variables)
                found[kind] = "✓" if (code, text) == plain[:2] else f"DIFFERS ({code})"
                if kind != "cold" and "ran cold" in said:
                    found[kind] = "RAN COLD"
                if found[kind] != "✓":
                    differences = difflib.unified_diff(
                        plain[1].splitlines(), text.splitlines(), lineterm="", n=1
                    )
                    print(bin_folder, kind, args, variables, *differences, said, sep="\n", file=sys.stderr)
            code, _, said = answer([stest, *args, "crash.py"], root, variables)
            found["crash"] = "✓" if code == 105 and "SIGABRT" in said else f"DIFFERS ({code})"
        finally:
            subprocess.run([stest, "stop"], cwd=root, capture_output=True)
        return found


def cell(name: str, python: str) -> str:
    """✓, or what is not right; - where plain pytest itself cannot be installed, or does not work."""
    version = subprocess.check_output([python, "-V"], text=True).split()[1]
    try:
        bin_folder = environment(f"{version}-{name}", MATRIX[name], python)
    except subprocess.CalledProcessError as error:
        if "No solution found" in (error.stderr or ""):
            return "-"
        raise RuntimeError(error.stderr) from error
    results = [compare(bin_folder, *way) for way in WAYS]
    found = {kind: word for result in results for kind, word in result.items() if word != "✓"}
    return ", ".join(f"{kind}: {word}" for kind, word in found.items()) or ("✓" if any(results) else "-")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--python", nargs="+", default=[sys.executable])
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    versions = [subprocess.check_output([one, "-V"], text=True).split()[1] for one in options.python]
    print(f"| pytest | {' | '.join(versions)} |\n|{' --- |' * (1 + len(versions))}", flush=True)
    is_right = True
    for name in options.names or (QUICK if options.quick else MATRIX):
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            words = list(pool.map(lambda python, name=name: cell(name, python), options.python))
        is_right = is_right and {"✓"} <= set(words) <= {"✓", "-"}
        print("|", " | ".join([name, *words]), "|", flush=True)
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
