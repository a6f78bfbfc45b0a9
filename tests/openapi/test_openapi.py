"""The OpenAPI document that the daemon serves is what the daemon does: schemathesis tries it, over TCP.

In a virtual environment of its own: schemathesis is a pytest plugin, and a large one, that every test of
tests/e2e would load, in each of its processes.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from e2e.harness import Project, private_project
from hypothesis import HealthCheck, settings

SOURCE = Path(__file__).parents[2]
BOUNDED = settings(
    max_examples=10, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)
schema = schemathesis.openapi.from_path(SOURCE / "src/daemon/http/openapi.json")


@schemathesis.deserializer("application/x-ndjson")
def lines(_: schemathesis.DeserializationContext, response: schemathesis.Response) -> Any:
    return [json.loads(line) for line in response.content.splitlines()]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    with private_project(tmp_path_factory.mktemp("o")) as project:
        project.write("test_it.py", "def test(): pass")
        project.env["SPRINTEST_FORCE_TCP"] = "1"
        project.stest().expect(0)
        yield project


def is_bytes(value: Any) -> bool:
    """Whether it stands for bytes, as the daemon takes them; NUL, which no process takes, aside."""
    if isinstance(value, str):
        return "\0" not in value
    try:
        base64.b64decode(value["base64"], validate=True)
    except (TypeError, ValueError, KeyError):
        return False
    return len(value) == 1


def is_environment(env: Any) -> bool:
    rows = env.items() if isinstance(env, dict) else env
    return isinstance(env, (dict, list)) and all(
        isinstance(row, (tuple, list)) and len(row) == 2 and all(map(is_bytes, row)) for row in rows
    )


def spelled_whole(value: Any) -> Any:
    """2.0 is an integer for JSON Schema, not for the daemon: the same value, written as it takes it."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [spelled_whole(item) for item in value]
    if isinstance(value, dict):
        return {key: spelled_whole(item) for key, item in value.items()}
    return value


def harmless(body: Any, project: Project) -> Any:
    """What is right in a run request stays right, and is a run in the project that ends at once."""
    if not isinstance(body, dict) or "cwd" not in body:
        return body
    changed = dict(body)
    if is_bytes(body["cwd"]) and (isinstance(body["cwd"], dict) or body["cwd"].startswith("/")):
        changed["cwd"] = str(project.root)
    for name in ("stdin", "terminal"):
        file = body.get(name)
        # A schema cannot say that what is encoded begins with "/".
        if isinstance(file, dict) and isinstance(file.get("path"), dict) and is_bytes(file["path"]):
            changed[name] = {**file, "path": {"base64": "L/8="}}
    if isinstance(body.get("args"), list) and all(map(is_bytes, body["args"])):
        args = [f"missing/{arg}" if isinstance(arg, str) else {"base64": "L/8="} for arg in body["args"]]
        changed["args"] = ["missing", *args]
    if is_environment(body.get("env")):
        is_list = isinstance(body["env"], list)
        changed["env"] = [*project.env.items(), ({"base64": "/w=="}, "")] if is_list else project.env
    return changed


def call(case: schemathesis.Case[Any], project: Project) -> None:
    endpoint = project.endpoint
    case.body = spelled_whole(harmless(case.body, project))
    case.call_and_validate(
        base_url=f"http://127.0.0.1:{endpoint['port']}",
        headers={"Authorization": f"Bearer {endpoint['token']}"},
    )


# /v1/stop would end the daemon that the others need.
@schema.exclude(path="/v1/stop").parametrize()
@BOUNDED
def test_daemon_does_what_it_describes(case: schemathesis.Case[Any], served: Project) -> None:
    call(case, served)
