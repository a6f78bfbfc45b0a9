"""A mistake in the configuration is named with file, line and what would be right."""

from __future__ import annotations

import json

import pytest

from .harness import WAITING_TEST, Project

CONFIG_ERROR = 102  # include/stest/exit_code.hpp


@pytest.fixture
def mistaken(project: Project) -> Project:
    project.write("test_it.py", "def test(): pass")
    return project


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        pytest.param("stuck_aftr = '30s'", "stuck_after", id="unknown-key"),
        pytest.param(
            "learn = ['modules']", "Accepted keys: ignore, preload, isolation", id="no-longer-a-key"
        ),
        pytest.param("isolation = 'thread'", "resident", id="unknown-value"),
        pytest.param("reload = 'sometimes'", "surgical", id="unknown-reload"),
        pytest.param("preload = 'torch'", "list", id="string-for-list"),
        pytest.param("preload = [1]", "list", id="list-of-numbers"),
        pytest.param("stuck_after = 'soon'", "30s", id="bad-duration"),
        pytest.param("concurrency = 0", "concurrency", id="too-small"),
        pytest.param("memory_limit = 'huge'", "memory_limit", id="bad-size"),
    ],
)
def test_mistake_in_pyproject(mistaken: Project, line: str, hint: str) -> None:
    mistaken.write("pyproject.toml", f"[tool.pytest.ini_options]\n\n[tool.sprintest]\n{line}\n")
    errors = mistaken.stest().expect(CONFIG_ERROR).errors
    assert "pyproject.toml:4: " in errors
    assert line.split()[0] in errors
    assert hint in errors


@pytest.mark.parametrize(
    ("variable", "value", "hint"),
    [
        ("SPRINTEST_ISOLATION", "thread", "fork"),
        ("SPRINTEST_STUCK_AFTER", "never ever", "30s"),
        ("SPRINTEST_PORT", "http", "SPRINTEST_PORT"),
        ("SPRINTEST_LOG_LEVEL", "LOUD", "WARNING"),
    ],
)
def test_mistake_in_a_variable(mistaken: Project, variable: str, value: str, hint: str) -> None:
    errors = mistaken.stest(env={variable: value}).expect(CONFIG_ERROR).errors
    assert variable in errors
    assert value in errors
    assert hint in errors


def test_syntax_error_names_its_line(mistaken: Project) -> None:
    mistaken.write("pyproject.toml", "[tool.sprintest]\n\npreload = [\n")
    assert "pyproject.toml:3: " in mistaken.stest().expect(CONFIG_ERROR).errors


def test_variable_wins_over_pyproject(mistaken: Project) -> None:
    mistaken.configure(sprintest="isolation = 'thread'")
    mistaken.stest().expect(CONFIG_ERROR)
    mistaken.configure(sprintest="stuck_after = '1h'")
    mistaken.write("test_it.py", WAITING_TEST)
    mistaken.env["SPRINTEST_STUCK_AFTER"] = "0.2s"
    mistaken.stest("start").expect(0)
    for event in mistaken.api.stream(mistaken.request()):
        if event["event"] == "stuck":
            mistaken.write("go on", "")
    assert event["exit_code"] == 0


def test_mistake_made_while_the_daemon_runs_is_told_by_the_next_run(mistaken: Project) -> None:
    mistaken.stest().expect(0)
    mistaken.configure(sprintest="isolaton = 'fork'")
    mistaken.stest().expect(CONFIG_ERROR)
    mistaken.configure()
    mistaken.stest().expect(0)


def test_changed_preload_list_takes_effect_at_the_next_run(mistaken: Project) -> None:
    mistaken.install("heavy.py", "")
    mistaken.stest().expect(0)
    mistaken.configure(sprintest="preload = ['heavy']")
    mistaken.stest().expect(0)
    assert "heavy" in [entry["module"] for entry in mistaken.status()["worker"]["preloaded"]]


def test_stop_and_status_work_with_a_broken_configuration(mistaken: Project) -> None:
    mistaken.stest().expect(0)
    mistaken.configure(sprintest="isolaton = 'fork'")
    mistaken.stest("status").expect(0)
    mistaken.stest("stop").expect(0)


def test_project_without_any_configuration(mistaken: Project) -> None:
    (mistaken.root / "pyproject.toml").unlink()
    mistaken.write("pytest.ini", "[pytest]")
    mistaken.stest().expect(0)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("STEST_ISOLATION", "SPRINTEST_ISOLATION"),
        ("SPRINTEST_ISOLATON", "SPRINTEST_ISOLATION"),
        ("SPRINTEST_SOMETHING_ELSE", "`stest --help`"),
    ],
)
def test_variable_that_is_no_setting_is_warned_about(mistaken: Project, name: str, meant: str) -> None:
    for _ in range(2):
        errors = mistaken.stest(env={name: "fork"}).expect(0).errors
        assert errors.count(f"{name} is not read; ") == 1
        assert meant in errors
    found = json.loads(mistaken.stest("doctor", "--json", env={name: "fork"}).expect(0).out)["checks"][1]
    assert (found["name"], found["grade"]) == ("configuration", "warning")
    assert meant in found["detail"]


def test_table_with_the_name_of_the_command_is_warned_about(mistaken: Project) -> None:
    mistaken.write("pyproject.toml", "[tool.pytest.ini_options]\n\n[tool.stest]\nisolation = 'fork'\n")
    errors = mistaken.stest().expect(0).errors
    assert errors.count("pyproject.toml:3: [tool.stest] is not read; stest's table is [tool.sprintest]") == 1


def test_variables_that_only_look_like_settings_are_not_warned_about(mistaken: Project) -> None:
    names = ("STEST_BIN_DIR", "STEST_", "SPRINTEST", "MY_SPRINTEST_PORT")
    assert "is not read" not in mistaken.stest(env=dict.fromkeys(names, "x")).expect(0).errors
