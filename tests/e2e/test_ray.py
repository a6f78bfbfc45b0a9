"""`stest run --ray`: one session here, and its workers on the nodes of a Ray cluster, one of which dies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import pytest

from .harness import MARKER, Project, wait_for

pytest.importorskip("xdist")
cluster_utils = pytest.importorskip("ray.cluster_utils")
pytestmark = pytest.mark.long


@pytest.fixture
def cluster(project: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Of three nodes with a processor each."""
    for name in ("PYTEST_ADDOPTS", "HOME", "XDG_RUNTIME_DIR", "PATH", MARKER):
        monkeypatch.setenv(name, project.env[name])
    made = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        for _ in range(2):
            made.add_node(num_cpus=1)
        yield made
    finally:
        made.shutdown()
        wait_for(lambda: len(project.daemons()) <= 1, "the end of the daemons on the nodes")


def test_one_session_on_three_nodes(project: Project, cluster: Any) -> None:
    text = """
        import os, pytest, time

        @pytest.mark.parametrize("number", range(12))
        def test_number(number, worker_id):
            print("in", worker_id, os.path.basename(os.readlink("/proc/self/exe")))
            time.sleep(0.2)
            assert number != 5
    """
    project.write("suite/test_it.py", text)
    args = ("run", f"--ray={cluster.address}", "--", "--junitxml=report.xml", "-rA", "suite")
    finished = project.stest(*args).expect(1)
    assert "1 failed, 11 passed" in finished.text
    assert "3 workers" in finished.text
    assert finished.text.count("stest-worker") == 12
    assert len({line for line in finished.text.splitlines() if line.startswith("in gw")}) == 3
    report = ElementTree.parse(project.root / "report.xml").getroot()
    assert len(report.findall(".//testcase")) == 12


def test_node_that_dies_costs_the_test_that_it_runs(project: Project, cluster: Any) -> None:
    text = """
        import os, pytest, time

        @pytest.mark.parametrize("number", range(30))
        def test_number(number):
            open(f"{os.environ['HOME']}/ran_{number}", "w").close()
            time.sleep(0.3)
    """
    project.write("suite/test_it.py", text)
    client = project.start("run", f"--ray={cluster.address}", "--", "suite")
    home = project.home / "home"
    wait_for(lambda: len(list(home.glob("ran_*"))) >= 6, "some tests")
    cluster.remove_node(cluster.list_all_nodes()[-1], allow_graceful=False)
    finished = project.finish(client)
    # It may have been between two tests, and a worker that takes over may die there as well.
    counts = {word: int(count) for count, word in re.findall(r"(\d+) (failed|passed)", finished.text)}
    failed = counts.get("failed", 0)
    assert finished.text.count("crashed while running") >= failed
    assert (finished.code, counts["passed"]) == (int(failed > 0), 30 - failed), finished
    assert failed <= 2
    assert len(list(home.glob("ran_*"))) == 30


def test_without_a_cluster_a_line_says_so(project: Project) -> None:
    project.write("test_it.py", "def test_it(): pass\n")
    finished = project.stest("run", "--ray=127.0.0.1:1", "--", "test_it.py").expect(4)
    assert "--ray" in finished.errors
