"""Arguments of a run that takes the place of the one for which pytest was configured."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

CONFIGURED = """
import json, sys
from _pytest.config import get_config
from sprintest.run._arguments import Arguments

own, other = ["-q"], ["-q", "test_it.py"]
sys.argv = ["pytest", *own]
config, words = get_config(own), list(own)
arguments = Arguments(own)
arguments.watch(config, words)
config.parse(words)
arguments.parsed()
assert arguments.are_open() and arguments.prepare() and arguments.accept(other)
arguments.take({args})
print(json.dumps([config.args, config.invocation_params.args, sys.argv[1:]]))
"""


def taken(folder: Path, args: str) -> list[Any]:
    """What pytest goes on with once ``args`` are taken, where others were accepted before."""
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_it.py").touch()
    command = [sys.executable, "-c", CONFIGURED.format(args=args)]
    result: list[Any] = json.loads(
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE).stdout
    )
    return result


def test_those_that_came_are_taken(tmp_path: Path) -> None:
    assert taken(tmp_path, "other") == [["test_it.py"], ["-q", "test_it.py"], ["-q", "test_it.py"]]


def test_those_that_were_accepted_for_another_run_are_not(tmp_path: Path) -> None:
    own = [[str(tmp_path)], ["-q"], ["-q"]]
    assert taken(tmp_path, "own") == own
    assert taken(tmp_path, "None") == own
