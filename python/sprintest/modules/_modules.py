"""Tells by its path whether a module is project code, third-party, or the standard library's."""

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
    # Links in `.pth` files and overlays lead to site directories of other environments. Their contents tell.
    real += [folder for folder in map(os.path.realpath, sys.path) if _has_distributions(folder)]
    return list(dict.fromkeys(folder for folder in real if os.path.isdir(folder)))


#: The project's root, with a separator at its end. No folder below it counts as another environment.
_root: str | None = None


def _has_distributions(folder: str) -> bool:
    if _root is not None and (folder + os.sep).startswith(_root):
        return False
    try:
        return any(name.endswith(".dist-info") for name in os.listdir(folder))
    except OSError:  # It is an archive, or does not exist.
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
    """Whether ``path`` is in the standard library or in a site directory."""
    return _is_of_installed(path[: path.rfind(os.sep) + 1])


#: Contents of these folders change by themselves, and are not real files.
VOLATILE = ("/proc/", "/sys/", "/dev/")


class ProjectCode:
    """Tells project code from other code. It is below ``root`` and not installed there, or is editable.

    A virtual environment may be below the root too; its contents are third-party, and so are the folders in
    PYTHONPATH that are outside of the root. ``target`` is a further folder or file that is project code
    wherever it is, even in a site directory. ``ignore`` are patterns of modules that the user wants to be
    treated as third-party; ``torch.*`` includes ``torch``.
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
        """Whether it may change between runs: it is the target, or is not installed."""
        return self._is_target(path) or not is_installed(path)

    def _is_target(self, path: str) -> bool:
        return bool(self._target) and (_real_path(path) + os.sep).startswith(self._target)

    def is_ignored(self, name: str) -> bool:
        """Whether the setting ``ignore`` says that the module ``name`` is never unloaded."""
        return any(fnmatch.fnmatchcase(name, pattern) for pattern in self._ignore)

    def is_kept_apart(self, spec: Any) -> bool:
        """Whether the module cache keeps the module from run to run, and not ``sys.modules``."""
        return any(map(self.may_change, _places(spec))) and not self.is_ignored(spec.name)

    def owns_module(self, spec: Any) -> bool:
        """Whether a module is project code, and not treated as third-party."""
        return any(map(self.owns, _places(spec))) and not self.is_ignored(spec.name)

    def installed_folders(self) -> list[str]:
        """The folders that only an installation changes between runs; each with a separator at its end."""
        return [folder for folder in _installed() if not self._target.startswith(folder)]

    def unwatched(self) -> list[str]:
        """The folders where a look is not recorded: they do not change, or change by themselves."""
        return [*VOLATILE, *self.installed_folders()]

    def owns_package(self, name: str) -> bool:
        """Whether importing the module ``name`` would load project code; imports nothing."""
        spec = importlib.util.find_spec(name.partition(".")[0])
        if spec is None:
            raise ModuleNotFoundError(f"No module named {name!r}")
        return any(map(self.owns, filter(None, _places(spec))))


def _places(spec: Any) -> list[str]:
    """The file or folders of the module. One without a location is a namespace package, or built in."""
    return [spec.origin] if spec.has_location else folders(spec.submodule_search_locations)


def folders(path: Any) -> list[str]:
    """The entries of a package's ``__path__``."""
    try:
        return list(path or ())
    except KeyError:  # That of a namespace package looks for its parent, which may be hidden.
        return _private.namespace_path(path)
    except AttributeError:  # The parent is not a package any more.
        return []


def find(name: str, path: Any) -> Any:
    """The spec that the import system finds by that name in ``path`` now; ``None`` for none, or an error."""
    try:
        return _private.find_spec(name, path)
    except KeyError:  # A namespace package looks for its parent in `sys.modules`, which may not have it yet.
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

    Files of project code that is never unloaded are ``ignored``: a change is reported, and has no other
    effect. A file that changed after the imports began, at ``started_ns``, may have been read before or after
    that. It gets an impossible time, so that it counts as changed.
    """
    files = []
    for name, module in modules.items():
        path = file_of(module)
        if path is None:
            continue
        try:
            info = os.stat(path)
        except OSError:  # It is in a zip archive, or gone.
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
    """Unload project code that a third-party module has imported; see also ``forget_folders``."""
    for name, module in list(sys.modules.items()):
        if name in at_start or not (path := file_of(module)):
            continue
        if code.owns(path) and not code.is_ignored(name):
            unload(name)
    forget_folders(code)


def forget_folders(code: ProjectCode) -> None:
    """Forget which files the project's folders contain: their times do not show every change."""
    for folder in [folder for folder in sys.path_importer_cache if code.may_change(folder)]:
        del sys.path_importer_cache[folder]
