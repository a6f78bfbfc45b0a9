"""Fixtures of the end-to-end tests."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import pytest

from .harness import STEST, Project, private_project


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "torch: needs torch and transformers; slow")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if importlib.util.find_spec("torch") and importlib.util.find_spec("transformers"):
        return
    for item in items:
        if item.get_closest_marker("torch"):
            item.add_marker(pytest.mark.skip(reason="torch and transformers are not installed"))


@pytest.fixture(scope="session", autouse=True)
def binaries() -> None:
    assert STEST.exists(), f"{STEST} is missing: install stest, or set STEST_BIN_DIR to the built binaries"


@pytest.fixture
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """An empty project with a daemon of its own; in a module that `SHARES_A_DAEMON`, with one for all."""
    if getattr(request.module, "SHARES_A_DAEMON", False):
        shared: Project = request.getfixturevalue("shared_project")
        yield shared
        shared.reset()
        return
    # A short name: the socket's path must fit into 107 bytes, except where a test wants otherwise.
    with private_project(tmp_path_factory.mktemp("p")) as private:
        yield private


@pytest.fixture(scope="module")
def shared_project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """One project for the tests of a module that only look at the same run."""
    with private_project(tmp_path_factory.mktemp("m")) as private:
        yield private
