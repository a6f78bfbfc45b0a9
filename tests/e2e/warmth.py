"""Whether the next run finds the heavy module that the worker has imported, and the same worker."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .harness import Project

TEST = """
    import heavy

    def test_warm():
        print(f"LOADED {heavy.LOADED} END")
"""


class Warmth:
    """A project whose worker has preloaded a module that stands for torch."""

    def __init__(self, project: Project, env: Mapping[str, str] | None = None, settings: str = "") -> None:
        self._project = project
        self._env = env or {}
        project.install("heavy.py", "import threading\nLOADED = threading.get_native_id()\n")
        project.configure(sprintest=f'preload = ["heavy"]\n{settings}')
        project.write("test_warm.py", TEST)
        self._first = self._look()

    def _look(self) -> tuple[int, str]:
        finished = self._project.stest("-q", "-s", "test_warm.py", env=self._env).expect(0)
        assert "1 passed" in finished.text
        loaded = re.search(r"LOADED (\d+) END", finished.text)
        assert loaded, finished
        return self._project.status()["worker"]["pid"], loaded[1]

    def assert_kept(self) -> None:
        """The next run is right, and neither the worker nor the module is a new one."""
        assert self._look() == self._first


def settle(project: Project, *args: str, code: int = 0) -> None:
    """Two resident runs: what the first one teaches is preloaded, and the process of the second one stays."""
    project.stest(*args).expect(code)
    project.await_idle()
    project.stest(*args).expect(code)
