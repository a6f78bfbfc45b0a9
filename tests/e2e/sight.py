"""What a test finds under stest, and under plain pytest, where libraries were loaded ahead."""

from __future__ import annotations

import json
from typing import Any

from .harness import Project

PREAMBLE = "import json, os, sys\n"
#: Of the standard library, compiled: what imports it cannot be executed twice in one process.
COMPILED = "import _lsprof\n"
#: Of the process that executes it, in a way that nothing takes for asking who that is.
BORN = "import os, threading\nBORN = threading.get_native_id()\n"


def preload(project: Project, **modules: str) -> None:
    for name, source in modules.items():
        project.install(f"{name.replace('__', '/')}.py", source)
    project.configure(sprintest=f"preload = {json.dumps([name.replace('__', '.') for name in modules])}")


def write_test(project: Project, body: str, before: str = "", conftest: str = "") -> None:
    """A test that leaves what `body` puts into `found`; `before` stands at the top of its module."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    project.write("conftest.py", conftest)
    project.write(
        "test_it.py",
        f"{PREAMBLE}{before}\ndef test():\n{lines}\n    json.dump(found, open('found.json', 'w'))\n",
    )


def found(project: Project, *, warm: bool | None = True, env: dict[str, str] | None = None) -> Any:
    """What the test finds; the same under stest and under plain pytest.

    `warm`: not in a fresh process. None: in whatever process.
    """
    plain = project.plain("-q", "test_it.py", env=env).expect(0)
    expected = json.loads(project.read("found.json"))
    finished = project.stest("-q", "test_it.py", env=env).expect(0)
    got = json.loads(project.read("found.json"))
    assert got == expected, (got, expected, plain, finished)
    assert warm is None or ("ran cold" in finished.errors) != warm, finished
    return expected


def found_in_runs(project: Project, count: int = 3) -> list[Any]:
    """What the test finds in each of so many runs."""
    values = []
    for _ in range(count):
        project.stest("-q", "test_it.py").expect(0)
        values.append(json.loads(project.read("found.json")))
    return values


def is_shared(project: Project, name: str, before: str = "") -> bool:
    """Whether a run is given what the worker has loaded, and does not load it itself."""
    body = f"import {name}\nfound = [{name}.BORN, os.getpid()]"
    write_test(project, body, before)
    ((born, run),) = found_in_runs(project, 1)
    return bool(born != run)
