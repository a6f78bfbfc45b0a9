"""The workers of pytest-xdist on the nodes of a Ray cluster: ``stest run --ray``.

One pytest session on this machine, whose workers are warm Pythons elsewhere. execnet starts each of them as
a local process (``_stub.py``), which only passes its stdin and stdout to the plugin. The plugin passes them
to an actor (``_carrier.py``), which has started the worker on a node.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shlex
import socket
import sys
import tempfile
import threading
from collections import Counter
from typing import Any

import pytest

from sprintest.ray import _carrier, _stub

_LARGEST = 1 << 20


class Cluster:
    """A connection to Ray, and the carriers on its nodes."""

    def __init__(self, config: pytest.Config) -> None:
        import ray
        import ray.util.scheduling_strategies

        self._ray = ray
        root = config.rootpath
        address = config.getoption("ray_address")
        host, _, port = address.rpartition(":")
        if port.isdigit() and "/" not in host:  # Ray itself would try for minutes.
            socket.create_connection((host, int(port)), timeout=10).close()
        ray.init(
            address=address,
            # Ray leaves out what .gitignore names.
            runtime_env={
                "working_dir": str(root),
                "excludes": [".git", ".sprintest"],
                "env_vars": {"SPRINTEST_WAIT_FOR_WORKER": "yes"},
            },
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
        self._folder = os.path.relpath(config.invocation_params.dir, root)
        self.processors = max(1, int(ray.cluster_resources().get("CPU", 1)))
        self._gpus = config.getoption("ray_num_gpus")
        self._carriers: list[Any] = []
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()
        #: Nodes on which a worker has ended: they may be dying, and Ray takes them for alive for a while.
        self._failed: set[str] = set()
        self._checked: set[str] = set()
        self._place = tempfile.mkdtemp(prefix="stest-ray-")
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(f"{self._place}/socket")
        self._server.listen()

    def serve(self) -> str:
        """Begin to take stubs; return the command of one."""
        threading.Thread(target=self._accept, daemon=True).start()
        return shlex.join([sys.executable, "-I", "-S", _stub.__file__, f"{self._place}/socket"])

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # Closed.
            while True:
                stub, _ = self._server.accept()
                threading.Thread(target=self._carry, args=(stub,), daemon=True).start()

    def _carry(self, stub: socket.socket) -> None:
        """Begin a worker for this stub; the end of either is the end of the other."""
        node = self._choose_node()
        try:
            carrier, node = self._begin(node)
            threading.Thread(target=self._send, args=(stub, carrier), daemon=True).start()
            while data := self._ray.get(carrier.read.remote()):
                stub.sendall(data)
        except OSError:  # The session has ended it.
            pass
        except self._ray.exceptions.RayError as error:
            first = next(iter(str(error).splitlines()), "")
            print(f"stest: a worker on Ray has ended: {first}", file=sys.__stderr__)
        finally:
            self._failed.add(node)
            with contextlib.suppress(OSError):
                stub.shutdown(socket.SHUT_RDWR)

    def _choose_node(self) -> str:
        """The one with the fewest workers for its processors."""
        nodes: dict[str, Any] = {one["NodeID"]: one["Resources"] for one in self._ray.nodes() if one["Alive"]}
        able = [one for one in nodes if nodes[one].get("CPU") and nodes[one].get("GPU", 0) >= self._gpus]
        with self._lock:
            good = [one for one in able or nodes if one not in self._failed] or list(nodes)
            node = min(good, key=lambda one: (self._taken[one] + 1) / nodes[one].get("CPU", 1))
            self._taken[node] += 1
        return node

    def _begin(self, node: str) -> tuple[Any, str]:
        """A carrier, and the node on which it is."""
        # It reserves no processor: if a node dies, its tests go to those that are left, and all are taken.
        place = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node, soft=True)
        options = {"num_cpus": 0, "num_gpus": self._gpus, "max_concurrency": 2}
        remote = self._ray.remote(_carrier.Carrier)
        carrier = remote.options(scheduling_strategy=place, **options).remote(self._folder)
        self._carriers.append(carrier)
        node, host, facts = self._ray.get(carrier.facts.remote())
        if host not in self._checked:
            self._checked.add(host)
            for line in _carrier.differences(facts, _carrier.facts_here()):
                print(f"stest: node {host}: {line}", file=sys.__stderr__)
        return carrier, node

    def _send(self, stub: socket.socket, carrier: Any) -> None:
        with contextlib.suppress(self._ray.exceptions.RayError, OSError):
            while data := stub.recv(_LARGEST):
                self._ray.get(carrier.write.remote(data))
            carrier.close.remote()

    def close(self) -> None:
        """End the daemons on the nodes, and the connection."""
        self._server.close()
        ends = [carrier.stop.remote() for carrier in self._carriers]
        self._ray.wait(ends, num_returns=len(ends), timeout=10) if ends else None
        self._ray.shutdown()
        os.unlink(f"{self._place}/socket")
        os.rmdir(self._place)


class Workers:
    """The plugin of the session on this machine."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def pytest_xdist_getremotemodule(self) -> Any:
        from sprintest.ray import _remote

        return _remote

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        self._cluster.close()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("ray", "pytest-xdist on a Ray cluster")
    group.addoption(
        "--ray-address", default="auto", help="The address of the cluster; by default a local one."
    )
    group.addoption("--ray-num-gpus", type=float, default=0, help="So many GPUs for each worker.")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput") or config.getoption("collectonly"):
        return
    if not config.pluginmanager.hasplugin("xdist"):
        raise pytest.UsageError("`--ray` needs pytest-xdist and Ray: pip install 'sprintest[ray]'")
    try:
        cluster = Cluster(config)
    except ImportError:
        raise pytest.UsageError("`--ray` needs Ray: pip install 'sprintest[ray]'") from None
    except OSError as error:
        address = config.getoption("ray_address")
        raise pytest.UsageError(f"`--ray`: no Ray cluster at {address}: {error}") from None
    config.pluginmanager.register(Workers(cluster), "sprintest-ray-workers")
    option = config.option
    count = len(option.tx or ()) or cluster.processors
    option.tx = [f"popen//python={cluster.serve()}"] * count
    option.dist = "load" if option.dist == "no" else option.dist
