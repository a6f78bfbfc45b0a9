"""Virtual environments, one per rival, in `.venv-bench`. Every step is done once."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from rivals import PYTEST, STEST, Rival

ROOT = Path(__file__).resolve().parents[2]
HOME = ROOT / ".venv-bench"
REQUIREMENTS = ROOT / "examples" / "requirements.txt"


def prepare(rival: Rival, wheel: Path) -> Path:
    """The folder of the programs of an environment with `rival` and what the example needs."""
    home = HOME / rival.environment
    content = _content(rival, wheel)
    stamp = home / "stamp"
    done = stamp.read_text() if stamp.exists() else ""
    if done != content:
        print(f"preparing {home.relative_to(ROOT)}", file=sys.stderr, flush=True)
        if not done.startswith(sys.version):  # Interrupted, or of another Python.
            _run(sys.executable, "-m", "venv", "--clear", str(home))
        _pip(home, PYTEST, "-r", str(REQUIREMENTS))
        for requirement in rival.requirement.split():
            if requirement == STEST:
                _pip(home, "--force-reinstall", "--no-deps", str(wheel))  # A new build has no new version.
            else:
                _pip(home, requirement)
        stamp.write_text(content)
    return home / "bin"


def newest_wheel() -> Path:
    """What tests/run or examples/run built last."""
    wheels = sorted((ROOT / "build" / "dist").glob("sprintest-*.whl"), key=lambda file: file.stat().st_mtime)
    if not wheels:
        sys.exit("no wheel of stest in build/dist; examples/run builds it")
    return wheels[-1]


def _content(rival: Rival, wheel: Path) -> str:
    parts = [sys.version, PYTEST, REQUIREMENTS.read_text(), rival.requirement]
    if STEST in rival.requirement.split():
        parts.append(hashlib.sha256(wheel.read_bytes()).hexdigest())
    return "\n".join(parts)


def _pip(home: Path, *args: str) -> None:
    _run(str(home / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", *args)


def _run(*command: str) -> None:
    """Runs a command in silence; its output is shown if it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-4000:]}")
