"""Finds the package under development: as configured, else by the conventions of Python projects.

Nothing is imported: the package is project code, which each run imports itself.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from sprintest.modules import _modules
from sprintest.process import _private

#: Packages at a project's root that support the one under development.
_BESIDES = {"benchmarks", "docs", "examples", "scripts", "test", "testing", "tests", "tools"}


@dataclass(frozen=True)
class Target:
    """The package (or module) under development. ``path`` is empty if it is configured but not found."""

    name: str
    path: str
    how: str  # "configured", "project.name", "src" or "root"


def find(root: str, name: str = "", path: str = "") -> Target | None:
    """The package that is developed in the folder ``root``.

    ``name`` and ``path`` are configured by the user; empty if they are not.
    """
    if path:
        return Target(name or os.path.basename(path.rstrip(os.sep)), path, "configured")
    if name:
        is_name = all(part.isidentifier() for part in name.split("."))
        found = (_in_sources(root, name) or _importable(name)) if is_name else ""
        return Target(name, found, "configured")
    return (
        _of_metadata(root) or _only_package(os.path.join(root, "src"), "src") or _only_package(root, "root")
    )


def _in_sources(root: str, name: str) -> str:
    """The folder or file of the module ``name`` in the project; empty if there is none."""
    parts = name.split(".")
    for place in (os.path.join(root, "src", *parts), os.path.join(root, *parts)):
        if os.path.isdir(place):
            return place
    module = os.path.join(root, *parts) + ".py"
    return module if os.path.isfile(module) else ""


def _importable(name: str) -> str:
    """The folder or file that importing ``name`` would lead to; empty if the import would fail."""
    places: list[str] | None = None  # This means `sys.path`.
    parts = name.split(".")
    # `importlib.util.find_spec` would import the packages of a module.
    for count in range(1, len(parts) + 1):
        places = _look_up(".".join(parts[:count]), places)
        if not places:
            return ""
    return places[0] if places else ""


def _look_up(name: str, places: list[str] | None) -> list[str]:
    """The folders of the package ``name``, or the file of the module, as the import system finds it."""
    try:
        spec = _private.find_spec(name, places)
    except KeyError:  # A namespace package looks for its parent, which is not in `sys.modules`.
        inside = (os.path.join(place, name.rpartition(".")[2]) for place in places or ())
        return [folder for folder in inside if os.path.isdir(folder)]
    except Exception:  # The finder of an editable install may fail if its folder is gone.
        return []
    if spec is None:
        return []
    return _modules.folders(spec.submodule_search_locations) or ([spec.origin] if spec.has_location else [])


def _of_metadata(root: str) -> Target | None:
    """The package of ``project.name`` in ``pyproject.toml``: in the sources, or installed as editable."""
    project_name = _project_name(os.path.join(root, "pyproject.toml"))
    for name in _module_names(project_name):
        if path := _in_sources(root, name):
            return Target(name, path, "project.name")
    if project_name and _is_editable(project_name):
        for name in _module_names(project_name):
            if path := _importable(name):
                return Target(name, path, "project.name")
    return None


def _project_name(file: str) -> str:
    if not os.path.isfile(file):
        return ""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib  # pytest requires it there.
    try:
        with open(file, "rb") as document:
            name = tomllib.load(document)["project"]["name"]
    except (OSError, ValueError, KeyError, TypeError):
        return ""
    return name if isinstance(name, str) else ""


def _module_names(project_name: str) -> list[str]:
    """Possible names for the package of a distribution: that of `Tiny-AI` is `Tiny_AI` or `tiny_ai`."""
    name = project_name.replace("-", "_")
    return list(dict.fromkeys([name, name.lower()])) if name else []


def _is_editable(project_name: str) -> bool:
    try:
        text = importlib.metadata.distribution(project_name).read_text("direct_url.json")
        return bool(json.loads(text or "{}").get("dir_info", {}).get("editable"))
    except (importlib.metadata.PackageNotFoundError, OSError, ValueError, AttributeError):
        return False


def _only_package(folder: str, how: str) -> Target | None:
    """The package in ``folder``, if there is only one that may be the target."""
    packages = list(_packages(folder))
    if len(packages) != 1:
        return None
    return Target(packages[0], os.path.join(folder, packages[0]), how)


def _packages(folder: str) -> Iterator[str]:
    if not os.path.isdir(folder):
        return
    for name in sorted(os.listdir(folder)):
        is_package = os.path.isfile(os.path.join(folder, name, "__init__.py"))
        if is_package and name.isidentifier() and name not in _BESIDES:
            yield name
