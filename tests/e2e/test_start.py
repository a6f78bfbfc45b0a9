"""What runs when Python starts, `sitecustomize` say, is what it would be for each run."""

from __future__ import annotations

import pytest

from .harness import Project
from .modes import MODES, MODES_OF_LONG_TESTS


@pytest.fixture(params=MODES_OF_LONG_TESTS)
def project(project: Project, request: pytest.FixtureRequest) -> Project:
    project.env |= MODES[request.param]
    return project


def seen(project: Project, **env: str) -> str:
    """What the test sees; the same under stest and under plain pytest."""
    project.plain("-q", env=env).expect(0)
    expected = project.read("seen")
    finished = project.stest("-q", env=env).expect(0)
    assert project.read("seen") == expected, finished
    return expected


def test_variable_that_is_read(project: Project) -> None:
    project.install(
        "sitecustomize.py", "import os; os.environ['STEST_SEEN'] = os.environ.get('STEST_MODE', 'none')\n"
    )
    project.write("test_it.py", "import os\ndef test(): open('seen', 'w').write(os.environ['STEST_SEEN'])\n")
    assert seen(project) == "none"
    for mode in ("one", "two", "two"):
        assert seen(project, STEST_MODE=mode) == mode
    assert seen(project) == "none"


def test_file_that_is_read(project: Project) -> None:
    read = "os.path.exists(path) and open(path).read()"
    path = str(project.root / "settings.txt")
    project.install("sitecustomize.py", f"import os, sys\npath = {path!r}\nsys.stest_seen = {read}\n")
    project.write("test_it.py", "import sys\ndef test(): open('seen', 'w').write(str(sys.stest_seen))\n")
    assert seen(project) == "False"
    for text in ("one", "two"):
        project.write("settings.txt", text)
        assert seen(project) == text
    (project.root / "settings.txt").unlink()
    assert seen(project) == "False"


def test_sitecustomize_of_the_project(project: Project) -> None:
    project.write("start/keep", "")
    found = "getattr(sys, 'stest_seen', 0), 'sitecustomize' in sys.modules"
    project.write("test_it.py", f"import sys\ndef test(): print({found}, file=open('seen', 'w'))\n")
    path = str(project.root / "start")
    assert seen(project, PYTHONPATH=path).startswith("0")
    for number in (1, 2):
        project.write("start/sitecustomize.py", f"import sys\nsys.stest_seen = {number}\n")
        assert seen(project, PYTHONPATH=path) == f"{number} True\n"


@pytest.mark.parametrize(
    ("start", "why"),
    [
        ("import sys; sys.settrace(lambda *_: None)", "traces"),
        (
            "import threading, time; threading.Thread(target=time.sleep, args=(600,), daemon=True).start()",
            "thread",
        ),
    ],
)
def test_what_nothing_can_be_forked_from(project: Project, start: str, why: str) -> None:
    project.install("sitecustomize.py", start + "\n")
    project.write("test_it.py", "def test(): pass\n")
    finished = project.stest("-q").expect(0)
    assert b"1 passed" in finished.out
    assert "ran cold" in finished.errors
    assert why in finished.errors


def test_start_that_is_logged(project: Project) -> None:
    """What is only written is no reason for another worker: each Python writes it."""
    log = str(project.root / "log.txt")
    code = f"import os\nopen({log!r}, 'a').write('started\\n')\nopen(f'{log}.{{os.getpid()}}', 'w').close()\n"
    project.install("sitecustomize.py", code)
    project.write("test_it.py", "def test(): pass\n")
    project.stest("-q").expect(0)
    worker = project.status()["worker"]["pid"]
    project.plain("-q").expect(0)
    assert "restarted" not in project.stest("-q").expect(0).err.decode()
    assert project.status()["worker"]["pid"] == worker


def test_start_that_is_another_each_time(project: Project) -> None:
    """No worker fits; that is found out once, and not by starting one after the other."""
    count = str(project.root / "count.txt")
    code = f"with open({count!r}, 'r+') as file:\n    n = int(file.read()) + 1\n"
    project.install("sitecustomize.py", f"{code}    file.seek(0)\n    file.write(str(n))\n")
    project.write("count.txt", "0")
    project.write("test_it.py", "def test(): pass\n")
    for _ in range(2):
        finished = project.stest("-q").expect(0)
        assert "ran cold" in finished.err.decode(), finished
        assert "each new worker would have to be restarted" in finished.err.decode(), finished
    assert int(project.read("count.txt")) < 8
    project.install("sitecustomize.py", "")
    project.stest("-q").expect(0)
    assert "ran cold" not in project.stest("-q").expect(0).err.decode()


def test_a_lazy_module_is_left_alone(project: Project) -> None:
    """To find what the variables of modules come from runs no code of theirs."""
    project.install(
        "sitecustomize.py",
        """
        import sys, types

        class Lazy(types.ModuleType):
            @property
            def __dict__(self):
                sys.modules["loaded"] = sys
                return {}

        class Proxy:
            @property
            def __class__(self):
                sys.modules["resolved"] = sys
                return Proxy

        proxy = Proxy()
        sys.modules["lazy_part"] = Lazy("lazy_part")
        """,
    )
    project.write("test_it.py", "import warnings\ndef test_it(): print('filters', warnings.filters)\n")
    shown = [run("-sq").expect(0).text.splitlines()[0] for run in (project.plain, project.stest)]
    assert shown[0] == shown[1]
    assert "RuntimeError" not in (project.state / "daemon.log").read_text()
