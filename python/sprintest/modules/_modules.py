"""Whose module is it: the project's, third-party, or the standard library's? Decided by path."""

from __future__ import annotations

import fnmatch
import functools
import importlib.machinery
import importlib.util
import site
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import ExtensionFileLoader
from types import ModuleType
from typing import Any

from sprintest.process import _private
from sprintest.process._own import OURS, at_start, os, unseen

with unseen():
    import sysconfig

# These caches are filled in the zygote, so that a run need not resolve thousands of folders again.


@functools.cache
def _real_folder(folder: str) -> str:
    return os.path.realpath(folder)


def _real_path(path: str) -> str:
    folder, name = os.path.split(path)
    return os.path.join(_real_folder(folder), name)


@functools.cache
def site_dirs() -> list[str]:
    """The folders into which packages are installed, real paths, without duplicates."""
    with unseen():
        paths = sysconfig.get_paths()
    folders = [paths["purelib"], paths["platlib"], *site.getsitepackages()]
    if site.ENABLE_USER_SITE:
        folders.append(site.getusersitepackages())
    real = [os.path.realpath(folder) for folder in folders]
    # Of other environments, as links in `.pth` files and overlays lead to them: told by what is in them.
    real += [folder for folder in map(os.path.realpath, sys.path) if _has_distributions(folder)]
    return list(dict.fromkeys(folder for folder in real if os.path.isdir(folder)))


#: The project's root, with a separator at its end: what it holds is no other environment.
_root: str | None = None


def _has_distributions(folder: str) -> bool:
    if _root is not None and (folder + os.sep).startswith(_root):
        return False
    try:
        return any(name.endswith(".dist-info") for name in os.listdir(folder))
    except OSError:  # An archive, or nothing at all.
        return False


@functools.cache
def _installed() -> tuple[str, ...]:
    with unseen():
        standard_library = os.path.realpath(sysconfig.get_paths()["stdlib"])
        # stest may be run from its own sources.
        ours = os.path.realpath(OURS)
    return tuple(folder + os.sep for folder in [standard_library, *site_dirs(), ours])


@functools.cache
def _is_of_installed(folder: str) -> bool:
    return (_real_folder(folder) + os.sep).startswith(_installed())


def is_installed(path: str) -> bool:
    """Whether ``path`` lies in the standard library or in a site directory."""
    return _is_of_installed(path[: path.rfind(os.sep) + 1])


#: What lies there changes by itself, and is no file.
VOLATILE = ("/proc/", "/sys/", "/dev/")


class ProjectCode:
    """Tells project code from the rest: what lies below a root and was not installed there, and what was
    installed to be edited in its own folder.

    A virtual environment may lie below the root as well; what it holds is third-party, and so is what
    PYTHONPATH leads to outside of the root. ``target`` is a further folder or file that is the project's
    wherever it lies, also where packages are installed. ``ignore`` are patterns of modules that the user
    wants to be treated as third-party; ``torch.*`` stands for ``torch`` too.
    """

    def __init__(self, root: str, target: str = "", ignore: Sequence[str] = ()) -> None:
        global _root
        self._root = _root = os.path.realpath(root).rstrip(os.sep) + os.sep
        search_path = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
        self._libraries = tuple(os.path.realpath(entry).rstrip(os.sep) + os.sep for entry in search_path)
        self._target = os.path.realpath(target).rstrip(os.sep) + os.sep if target else ""
        self._ignore = [*ignore, *(pattern[:-2] for pattern in ignore if pattern.endswith(".*"))]

    def owns(self, path: str) -> bool:
        """Whether the file or folder at ``path`` is project code."""
        real = _real_path(path)
        is_library = real.startswith(self._libraries) and not real.startswith(self._root)
        return self._is_target(path) or not (is_library or is_installed(path))

    def may_change(self, path: str) -> bool:
        """Whether it may change between runs: all that is not installed, wherever it lies."""
        return self._is_target(path) or not is_installed(path)

    def _is_target(self, path: str) -> bool:
        return bool(self._target) and (_real_path(path) + os.sep).startswith(self._target)

    def is_ignored(self, name: str) -> bool:
        """Whether the user said that the module ``name`` is never to be unloaded."""
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self._ignore)

    def is_kept_apart(self, spec: Any) -> bool:
        """Whether a module is the module cache's to keep, not ``sys.modules``' from run to run."""
        return any(map(self.may_change, _places(spec))) and not self.is_ignored(spec.name)

    def owns_module(self, spec: Any) -> bool:
        """Whether a module is project code, and not to be treated as third-party."""
        return any(map(self.owns, _places(spec))) and not self.is_ignored(spec.name)

    def installed_folders(self) -> list[str]:
        """Where nothing changes between runs but by an installation; each with a separator at its end."""
        return [folder for folder in _installed() if not self._target.startswith(folder)]

    def unwatched(self) -> list[str]:
        """Where a look is of no consequence: what every run finds as it is, or as it is at that moment."""
        return [*VOLATILE, *self.installed_folders()]

    def owns_package(self, name: str) -> bool:
        """Whether importing the module ``name`` would load project code; imports nothing."""
        spec = importlib.util.find_spec(name.partition(".")[0])
        if spec is None:
            raise ModuleNotFoundError(f"No module named {name!r}")
        return any(map(self.owns, filter(None, _places(spec))))


def _places(spec: Any) -> list[str]:
    """Where the module lies: one without a location is a namespace package, or built in."""
    return [spec.origin] if spec.has_location else folders(spec.submodule_search_locations)


def folders(path: Any) -> list[str]:
    """What a package's ``__path__`` holds."""
    try:
        return list(path or ())
    except KeyError:  # A namespace package's asks its parent, which need not be in `sys.modules`.
        return _private.namespace_path(path)
    except AttributeError:  # And that is no package any more.
        return []


def find(name: str, path: Any) -> Any:
    """What the import system finds by that name now, in ``path``; ``None`` for nothing, or an error."""
    try:
        return _private.find_spec(name, path)
    except KeyError:  # A namespace package looks for its parent in `sys.modules`, where it need not be yet.
        namespace = importlib.machinery.ModuleSpec(name, None)
        places = (os.path.join(entry, name.rpartition(".")[2]) for entry in path)
        namespace.submodule_search_locations = [place for place in places if os.path.isdir(place)]
        return namespace
    except Exception:
        return None


def is_standard(module: Any) -> bool:
    """Whether ``module`` is the standard library's."""
    if not isinstance(module, ModuleType) or vars(module).get("__spec__") is None:
        return False
    path = file_of(module)
    if path is None:
        return vars(module)["__spec__"].origin in ("built-in", "frozen")
    standard, *others = _installed()
    return _real_path(path).startswith(standard) and not _real_path(path).startswith(tuple(others))


def file_of(module: Any) -> str | None:
    """The file that ``module`` was loaded from, if it came from one."""
    spec = getattr(module, "__spec__", None) if isinstance(module, ModuleType) else None
    if spec is None or not getattr(spec, "has_location", False):
        return None
    return str(spec.origin)


def is_compiled(module: Any) -> bool:
    spec = getattr(module, "__spec__", None) if isinstance(module, ModuleType) else None
    return isinstance(getattr(spec, "loader", None), ExtensionFileLoader)


def loaded_files(modules: dict[str, Any], started_ns: int, code: ProjectCode) -> list[dict[str, Any]]:
    """The file of each of the ``modules``, with the state in which it was read.

    Those of project code that is never unloaded are ``ignored``: a change is told, and no more. A file
    that changed while the imports ran (they began at ``started_ns``) may have been read before or
    after: it gets an impossible time, so that it counts as changed.
    """
    files = []
    for name, module in modules.items():
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
                "state": (info.st_mtime_ns if settled else 0, info.st_ctime_ns, info.st_size, info.st_ino),
                "ignored": code.is_ignored(name) and code.may_change(path),
            }
        )
    return files


def modules_in(folder: str) -> Iterator[tuple[str, str]]:
    """The names of what could be imported from ``folder``, and the file or folder of each."""
    suffixes = importlib.machinery.all_suffixes()
    try:
        entries = os.listdir(folder)
    except OSError:
        return
    for entry in entries:
        suffix = next((suffix for suffix in suffixes if entry.endswith(suffix)), "")
        yield entry[: len(entry) - len(suffix)], os.path.join(folder, entry)


def unload(name: str) -> None:
    """Remove a module from this process and its package, so that the next import of it reads its file."""
    module = sys.modules.pop(name, None)
    parent, _, child = name.rpartition(".")
    siblings = getattr(sys.modules.get(parent), "__dict__", {})
    if module is not None and siblings.get(child) is module:
        delattr(sys.modules[parent], child)


def forget_project(code: ProjectCode) -> None:
    """Unload project code that some third-party module has imported, and what was seen of its folders."""
    for name, module in list(sys.modules.items()):
        if name in at_start or not (path := file_of(module)):
            continue
        if code.owns(path) and not code.is_ignored(name):
            unload(name)
    forget_folders(code)


def forget_folders(code: ProjectCode) -> None:
    """Forget which files the project's folders hold: their times do not tell of every change."""
    for folder in [folder for folder in sys.path_importer_cache if code.may_change(folder)]:
        del sys.path_importer_cache[folder]
