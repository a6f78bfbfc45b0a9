"""The worker's side of the protocol, and its rules of preloading."""

from __future__ import annotations

import sys
import time
from typing import Any

import pytest

from .conftest import Site, StartWorker, Worker, read_all


def names(entries: list[dict[str, Any]]) -> list[str]:
    return [entry["name"] for entry in entries]


def test_greeting_tells_what_was_embedded(worker: Worker) -> None:
    assert worker.ready["type"] == "ready"
    assert worker.ready["protocol"] == 17
    assert worker.ready["executable"] == sys.executable
    assert worker.ready["python"] == ".".join(map(str, sys.version_info[:3]))
    assert worker.ready["preloaded"] == []


def test_run_reports_tests_and_result(worker: Worker) -> None:
    (worker.root / "test_it.py").write_text("def test_good(): pass\ndef test_bad(): assert 0\n")
    run = worker.run("-q")
    assert run.done["exit_code"] == 1
    assert run.done["phase"] == "returned"
    calls = {event["nodeid"]: event["outcome"] for event in run.events if event.get("when") == "call"}
    assert calls == {"test_it.py::test_good": "passed", "test_it.py::test_bad": "failed"}
    assert "1 failed, 1 passed" in run.text


def test_preloaded_module_is_shared_by_runs_and_its_file_is_told(worker: Worker, site: Site) -> None:
    site.add("heavy", "import threading; made_in = threading.get_native_id()")
    answer = worker.preload("heavy")
    assert names(answer["preloaded"]) == ["heavy"]
    assert str(site.folder / "heavy.py") in [file["path"] for file in answer["files"]]
    (worker.root / "test_it.py").write_text(
        f"import heavy\ndef test(): assert heavy.made_in == {worker.process.pid}\n"
    )
    assert worker.run().done["exit_code"] == 0


def test_ping_is_answered_while_a_run_goes_on(worker: Worker) -> None:
    (worker.root / "test_it.py").write_text("import time\ndef test(): time.sleep(60)")
    running = worker.begin()
    running.await_test()
    assert worker.receive()["type"] == "started"
    worker.send({"type": "ping", "id": running.id})
    assert worker.receive() == {"type": "pong", "id": running.id}
    worker.send({"type": "signal", "id": running.id, "signal": 9})
    assert worker.receive()["signal"] == 9
    read_all(running.out)
    running.events.close()


def test_run_tells_what_it_imported_itself(worker: Worker) -> None:
    (worker.root / "helper.py").write_text("import colorsys\n")
    (worker.root / "test_it.py").write_text("import helper\ndef test(): pass\n")
    imported = worker.run().imported
    assert "colorsys" in imported
    assert "helper" not in imported
    assert "test_it" not in imported


def test_project_code_is_not_preloaded(worker: Worker) -> None:
    (worker.root / "mine.py").write_text("")
    worker.env["PYTHONPATH"] += f":{worker.root}"
    answer = worker.preload("mine")
    assert names(answer["not_preloaded"]) == ["mine"]


def test_ignored_project_code_is_preloaded_from_where_runs_find_it(start_worker: StartWorker) -> None:
    worker = start_worker("--ignore", "mine.*")
    worker.write("src/mine/__init__.py", "import threading; made_in = threading.get_native_id()")
    file = worker.write("src/mine/part.py", "")
    answer = worker.preload("mine.part", path=(str(worker.root / "src"),))
    assert names(answer["preloaded"]) == ["mine.part"]
    ignored = {entry["path"]: entry["ignored"] for entry in answer["files"]}
    assert ignored[str(file)] is True
    assert list(ignored.values()).count(True) == 2
    worker.write("test_it.py", f"import mine.part\ndef test(): assert mine.made_in == {worker.process.pid}\n")
    assert worker.run("-o", "pythonpath=src").exit_code == 0


def test_code_of_the_target_path_is_not_preloaded(start_worker: StartWorker, site: Site) -> None:
    worker = start_worker("--target-path", str(site.folder))
    site.add("mine", "")
    assert names(worker.preload("mine")["not_preloaded"]) == ["mine"]


def test_missing_module_is_not_preloadable_and_spoils_nothing(worker: Worker) -> None:
    answer = worker.preload("no_such_module", "colorsys")
    assert answer["type"] == "ready"
    assert names(answer["not_preloaded"]) == ["no_such_module"]
    assert names(answer["preloaded"]) == ["colorsys"]


SPOILERS = {
    "thread": (
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()",
        "thread",
    ),
    "process": ("import subprocess\nchild = subprocess.Popen(['sleep', '60'])", "process"),
    "temporary": ("import tempfile\nfolder = tempfile.mkdtemp()", "temporary"),
    "failure": ("raise RuntimeError('not today')", "not today"),
    "exit": ("raise SystemExit(3)", "SystemExit"),
}


@pytest.mark.parametrize("kind", SPOILERS)
def test_module_that_leaves_a_trace_is_not_preloadable(worker: Worker, site: Site, kind: str) -> None:
    source, reason = SPOILERS[kind]
    site.add("spoiler", source)
    answer = worker.preload("colorsys", "spoiler")
    assert answer["type"] == "not_preloadable"
    assert answer["module"] == "spoiler"
    assert reason in answer["reason"]
    assert worker.process.wait(30) == 0


def test_variables_read_by_a_module_are_told_with_what_it_saw(worker: Worker, site: Site) -> None:
    site.add(
        "reader",
        "import os\nos.environ.get('UNSET_ONE'), os.getenv('HOME'), 'ASKED' in os.environ, os.environ.copy()",
    )
    reads = worker.preload("reader")["env_reads"]
    assert reads["UNSET_ONE"] is None
    assert reads["HOME"] == worker.env["HOME"]
    assert reads["ASKED"] is None
    assert "PATH" not in reads


def test_variable_set_by_a_module_is_set_when_a_run_imports_it(worker: Worker, site: Site) -> None:
    site.add("setter", "import os\nos.environ['SET_BY_IMPORT'] = 'yes'")
    worker.preload("setter")
    (worker.root / "test_it.py").write_text(
        "import os\n"
        "def test():\n"
        "    assert 'SET_BY_IMPORT' not in os.environ\n"
        "    import setter\n"
        "    assert os.environ['SET_BY_IMPORT'] == 'yes'\n"
    )
    assert worker.run().done["exit_code"] == 0


def test_filters_of_a_preloaded_module_do_not_hide_warnings_of_tests(worker: Worker, site: Site) -> None:
    site.add("silencer", "import warnings\nwarnings.simplefilter('ignore')")
    worker.preload("silencer")
    (worker.root / "test_it.py").write_text("import warnings\ndef test(): warnings.warn('seen')\n")
    assert "UserWarning: seen" in worker.run().text


def test_end_of_the_channel_ends_worker_and_run(worker: Worker) -> None:
    worker.close()
    assert worker.process.returncode == 0


def test_unknown_message_ends_the_worker(worker: Worker) -> None:
    worker.send({"type": "dance"})
    assert worker.process.wait(30) == 0


def test_file_is_told_as_it_was_when_it_was_read(worker: Worker, site: Site) -> None:
    site.add("heavy", "")
    site.add("gone", "")

    def told(answer: dict[str, Any]) -> list[dict[str, Any]]:
        return [file for file in answer["files"] if file["module"] in ("heavy", "gone")]

    time.sleep(0.05)  # A file younger than a tick of its clock counts as changed anyway.
    before = told(worker.preload("heavy", "gone"))
    assert all(file["mtime_ns"] for file in before)
    site.add("heavy", "edited = True")
    (site.folder / "gone.py").unlink()
    time.sleep(0.05)
    assert told(worker.preload("colorsys")) == before
