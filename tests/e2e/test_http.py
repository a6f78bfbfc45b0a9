"""The HTTP API as it is documented."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from .api import Api
from .harness import WAITING_TEST, Project

SOURCE = Path(__file__).parents[2]
DOCUMENT = SOURCE / "docs/http_api.md"


def curl_commands() -> list[str]:
    """The shell commands of the document, those over several lines joined."""
    blocks = re.findall(r"^```(?:sh|bash|console)\n(.*?)^```", DOCUMENT.read_text(), re.M | re.S)
    text = "\n".join(blocks).replace("\\\n", " ")
    return [line.removeprefix("$ ") for line in text.splitlines() if "curl" in line]


@pytest.fixture
def served(project: Project) -> Project:
    project.write("test_it.py", "def test_passes(): pass\ndef test_fails(): assert 0\n")
    project.stest("start").expect(0)
    return project


def assert_error(answer: Any, status: int, error: str) -> None:
    assert answer.status == status
    assert answer.kind.startswith("application/json")
    assert answer.json()["error"] == error
    assert answer.json()["message"]
    assert "hint" in answer.json()


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
@pytest.mark.parametrize("command", curl_commands())
def test_documented_curl_line(served: Project, command: str) -> None:
    served.write("tests/test_x.py", "def test_y(): pass")
    done = served.finish(served.start("-c", command, program=("/bin/bash",))).expect(0)
    if "/stream" in command:
        assert json.loads(done.text.splitlines()[-1])["event"] == "done"
    else:
        assert json.loads(done.text)


def test_document_shows_every_request() -> None:
    text = "\n".join(curl_commands())
    for path in (
        "/v1/openapi.json",
        "/v1/test/run/stream",
        "/v1/test/run ",
        "/cancel",
        "/v1/status",
        "/v1/stop",
    ):
        assert path in text.replace("'", " ").replace('"', " ") + " "


def test_openapi_document_is_served_and_names_what_the_page_for_people_names(served: Project) -> None:
    document = served.api.get("/v1/openapi.json").json()
    assert document == json.loads((SOURCE / "src/daemon/http/openapi.json").read_text())
    described = {
        f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods
    }
    assert described == set(re.findall(r"^\| `([A-Z]+ /v1/\S+)` \|", DOCUMENT.read_text(), re.M))


def test_stream_of_events(served: Project) -> None:
    events = list(served.api.stream(served.request("-q", "test_it.py")))
    kinds = [event["event"] for event in events]
    assert kinds.count("done") == 1
    assert kinds[-1] == "done"
    assert kinds.index("started") < kinds.index("test")
    reports = {(e["nodeid"], e["when"]): e["outcome"] for e in events if e["event"] == "test"}
    assert reports["test_it.py::test_passes", "start"] == ""
    assert reports["test_it.py::test_passes", "call"] == "passed"
    assert reports["test_it.py::test_fails", "call"] == "failed"
    output = "".join(e["data"] for e in events if e["event"] == "output")
    assert "1 failed, 1 passed" in output
    assert (events[-1]["exit_code"], events[-1]["outcome"]) == (1, "failed")


def test_run_as_one_answer(served: Project) -> None:
    answer = served.api.post("/v1/test/run", served.request("-q", "test_it.py"))
    assert answer.status == 200
    result = answer.json()
    assert (result["exit_code"], result["outcome"]) == (1, "failed")
    assert "1 failed, 1 passed" in result["stdout"]
    assert "1 failed" not in result["stderr"]
    assert {test["nodeid"] for test in result["tests"]} == {
        "test_it.py::test_passes",
        "test_it.py::test_fails",
    }
    assert 0 < result["duration_s"] < 90


def test_output_that_is_not_utf8_comes_as_base64(served: Project) -> None:
    served.write("test_it.py", "import os\ndef test(): os.write(1, b'\\xff\\xfe')")
    result = served.api.post("/v1/test/run", served.request("-s", "test_it.py")).json()
    assert set(result["stdout"]) == {"base64"}


@pytest.mark.parametrize("path", ["/", "/v1", "/v2/status", "/v1/test", "/v1/test/run/0/pause"])
def test_unknown_path(served: Project, path: str) -> None:
    assert_error(served.api.get(path), 404, "not_found")
    assert_error(served.api.post(path, {}), 404, "not_found")


def test_unknown_run(served: Project) -> None:
    assert_error(served.api.post("/v1/test/run/4711/cancel", {"how": "kill"}), 404, "not_found")


@pytest.mark.parametrize("path", ["/v1/test/run", "/v1/test/run/stream"])
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="half"),
        pytest.param(b"\xff\xfe", id="no-utf8"),
        pytest.param(b"[]", id="list"),
        pytest.param(b"{}", id="nothing-in-it"),
        pytest.param(b'{"args": "x", "cwd": "/", "env": {}}', id="args-no-list"),
        pytest.param(b'{"args": [1], "cwd": "/", "env": {}}', id="args-of-numbers"),
        pytest.param(b'{"args": [], "cwd": "/", "env": {"A": 1}}', id="env-of-numbers"),
    ],
)
def test_malformed_request(served: Project, path: str, body: bytes) -> None:
    assert_error(served.api.send("POST", path, body), 400, "bad_request")


@pytest.mark.parametrize(
    ("path", "body"), [("/v1/stop", {"when": "later"}), ("/v1/test/run/1/cancel", {"how": "nicely"})]
)
def test_unknown_word_in_a_request(served: Project, path: str, body: object) -> None:
    answer = served.api.post(path, body)
    assert answer.status in (400, 404)
    assert answer.json()["message"]


def test_folder_that_does_not_exist(served: Project) -> None:
    request = {**served.request("test_it.py"), "cwd": str(served.root / "nowhere")}
    answer = served.api.post("/v1/test/run", request)
    assert answer.json().get("exit_code", 100) >= 100
    assert "nowhere" in answer.body.decode()


def test_status_and_stop(served: Project) -> None:
    api: Api = served.api
    status = api.get("/v1/status").json()
    assert status["root"] == str(served.root)
    assert status["runs"] == []
    assert api.post("/v1/stop", {"when": "now"}).json() == {"stopping": True}


def test_stop_when_idle_lets_the_run_finish(served: Project) -> None:
    served.write("test_it.py", WAITING_TEST)
    client = served.start()
    served.await_file("started")
    assert served.api.post("/v1/stop", {"when": "idle"}).json() == {"stopping": True}
    served.write("go on", "")
    served.finish(client).expect(0)


def test_many_requests_on_one_daemon(served: Project) -> None:
    api = served.api
    for _ in range(300):
        assert api.get("/v1/status").status == 200
