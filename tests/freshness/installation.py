"""Installed packages of a generated project: where they lie, and how they come onto `sys.path`."""

from __future__ import annotations

from pathlib import Path

from e2e.environment import EnvironmentProject

from .tree import Tree

#: In site-packages; in a folder that a `.pth` file leads to, with packages or to be edited; in PYTHONPATH.
PLACES = ("environment", "pth", "editable", "PYTHONPATH")

_LINK = "stest-freshness.pth"
_DISTRIBUTION = "installed-1.dist-info/METADATA"  # By which a folder is known as one of packages.


class Installation:
    """The packages of one project, and what leads to them; `close` leaves the environment as it was."""

    def __init__(self, project: EnvironmentProject, place: str) -> None:
        self._place = place
        site = project.environment.site
        self._link = Tree(site)
        self._tree = Tree(site if place == "environment" else project.site)
        if place == "PYTHONPATH":
            project.env["PYTHONPATH"] = str(project.site)
        elif place != "environment":
            self._link.sync({_LINK: f"{project.site}\n"})

    @property
    def root(self) -> Path:
        return self._tree.root

    @property
    def files(self) -> dict[str, str]:
        return self._tree.files

    def sync(self, texts: dict[str, str]) -> bool:
        """Installs, upgrades and uninstalls; False if there was nothing to do."""
        metadata = {_DISTRIBUTION: "Metadata-Version: 2.1\nName: installed\nVersion: 1\n"}
        return self._tree.sync({**texts, **(metadata if self._place == "pth" else {})}, "older")

    def close(self) -> None:
        self._tree.sync({})
        self._link.sync({})
