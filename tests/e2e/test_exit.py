"""The end of a run does what the end of `python -m pytest` does; the seventh rule of a safe fork."""

from __future__ import annotations

import pytest

from .harness import Project

END = "def end():\n    with open('end', 'w') as file: file.write('done')\n"
ENDINGS = {
    "atexit": "atexit.register(end)",
    "thread": "threading.Thread(target=lambda: (threading.main_thread().join(), end())).start()",
    "finalizer": "global kept; kept = Kept(); weakref.finalize(kept, end)",
    "logging": "log = logging.getLogger('x');"
    " log.addHandler(logging.handlers.MemoryHandler(9, target=logging.FileHandler('end')));"
    " log.warning('done')",
    "executor": "concurrent.futures.ThreadPoolExecutor().submit(end)",
    "unclosed file": "global file; file = open('end', 'w'); file.write('done')",
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_exit_does_what_python_does(project: Project, ending: str) -> None:
    imports = "import atexit, concurrent.futures, logging.handlers, tempfile, threading, weakref\n"
    project.write("test_it.py", f"{imports}class Kept: pass\n{END}def test():\n    {ENDINGS[ending]}\n")
    for command in (project.plain, project.stest, project.stest):
        command("-q").expect(0)
        assert "done" in project.read("end"), command
        (project.root / "end").unlink()


def test_exit_removes_temporary_folders(project: Project) -> None:
    project.write(
        "test_it.py",
        """
        import tempfile

        def test():
            global folder
            folder = tempfile.TemporaryDirectory(dir=".")
            open("name", "w").write(folder.name)
        """,
    )
    project.stest("-q", "-W", "ignore").expect(0)
    assert not (project.root / project.read("name")).exists()


@pytest.mark.parametrize(
    "last",
    [
        "assert 0",
        "sys.exit()",
        "raise KeyboardInterrupt",
        "threading.Thread(target=lambda: 1 / 0).start()",
    ],
)
def test_unclosed_file_is_written_however_the_test_ends(project: Project, last: str) -> None:
    """Tracebacks that are kept hold the test's module, and with it the file."""
    project.write(
        "test_it.py",
        f"""
        import sys, threading

        def test():
            global file
            file = open("end", "w")
            file.write("done")
            {last}
        """,
    )
    plain = project.plain("-q")
    for _ in ("first run", "warm run"):
        project.write("end", "")
        project.stest("-q").expect(plain.code)
        assert project.read("end") == "done"
