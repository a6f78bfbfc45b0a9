"""Whose module is it: the project's, third-party, or the standard library's? Decided by path."""

from __future__ import annotations

import functools
import importlib.util
import os
import site
import sys
import sysconfig
from collections.abc import Iterable
from types import ModuleType
from typing import Any

# Both caches are filled in the zygote, so that a run need not resolve thousands of folders again.


@functools.cache
def _real_folder(folder: str) -> str:
    return os.path.realpath(folder)


def _real_path(path: str) -> str:
    folder, name = os.path.split(path)
    return os.path.join(_real_folder(folder), name)


@functools.cache
def site_dirs() -> list[str]:
    """The folders into which packages are installed, real paths, without duplicates."""
    paths = sysconfig.get_paths()
    folders = [paths["purelib"], paths["platlib"], *site.getsitepackages()]
    if site.ENABLE_USER_SITE:
        folders.append(site.getusersitepackages())
    real = (os.path.realpath(folder) for folder in folders)
    return list(dict.fromkeys(folder for folder in real if os.path.isdir(folder)))


@functools.cache
def _installed() -> tuple[str, ...]:
    standard_library = os.path.realpath(sysconfig.get_paths()["stdlib"])
    return tuple(folder + os.sep for folder in [standard_library, *site_dirs()])


def is_installed(path: str) -> bool:
    """Whether ``path`` lies in the standard library or in a site directory."""
    return _real_path(path).startswith(_installed())


class ProjectCode:
    """Tells project code from the rest: what lies below a root and was not installed there.

    A virtual environment may lie below the root as well; what it holds is third-party.
    """

    def __init__(self, root: str) -> None:
        self._root = os.path.realpath(root).rstrip(os.sep) + os.sep

    def owns(self, path: str) -> bool:
        """Whether the file or folder at ``path`` is project code."""
        return _real_path(path).startswith(self._root) and not is_installed(path)

    def owns_package(self, name: str) -> bool:
        """Whether importing the module ``name`` would load project code; imports nothing."""
        spec = importlib.util.find_spec(name.partition(".")[0])
        if spec is None:
            raise ModuleNotFoundError(f"No module named {name!r}")
        places = [spec.origin] if spec.has_location else spec.submodule_search_locations
        return any(self.owns(place) for place in places or [] if place)


def file_of(module: Any) -> str | None:
    """The file that ``module`` was loaded from, if it came from one."""
    spec = getattr(module, "__spec__", None) if isinstance(module, ModuleType) else None
    if spec is None or not getattr(spec, "has_location", False):
        return None
    return str(spec.origin)


def loaded_files(started_ns: int) -> list[dict[str, Any]]:
    """Each imported module's file, with the state in which it was read.

    A file that changed while the imports ran (they began at ``started_ns``) may have been read
    before or after: it gets an impossible time, so that it counts as changed.
    """
    files = []
    for name, module in list(sys.modules.items()):
        path = file_of(module)
        if path is None:
            continue
        try:
            info = os.stat(path)
        except OSError:  # inside a zip archive, or gone
            continue
        settled = max(info.st_mtime_ns, info.st_ctime_ns) < started_ns
        files.append(
            {
                "module": name,
                "path": path,
                "mtime_ns": info.st_mtime_ns if settled else 0,
                "size": info.st_size,
                "inode": info.st_ino,
            }
        )
    return files


def unload(names: Iterable[str]) -> None:
    """Remove modules from this process, so that the next import of them reads their files anew."""
    for name in names:
        module = sys.modules.pop(name, None)
        parent, _, child = name.rpartition(".")
        if module is not None and getattr(sys.modules.get(parent), child, None) is module:
            delattr(sys.modules[parent], child)


def forget_project(code: ProjectCode) -> None:
    """Unload project code that some third-party module has imported, and what was seen of its folders."""
    unload([name for name, module in sys.modules.items() if (path := file_of(module)) and code.owns(path)])
    for folder in [folder for folder in sys.path_importer_cache if code.owns(folder)]:
        del sys.path_importer_cache[folder]
