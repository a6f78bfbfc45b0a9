"""Import third-party modules ahead of time, in the zygote, without a trace that a run could see.

A run that starts from a warm process must give the answer that a cold one gives. So everything that
an import does besides filling ``sys.modules`` is watched here:

* modules that pytest would rewrite (plugins) are rewritten here as well;
* a module that starts a thread or a process, opens a CUDA device, or fails is *not preloadable*: runs import
  it themselves, as plain pytest does;
* what else it does, warnings included, is recorded, and done again in each run that imports it;
* every environment variable that it reads is recorded, so that a change of it restarts the worker.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import importlib
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import pluggy
import pytest

from sprintest.modules import _modules
from sprintest.modules._cache import cache
from sprintest.preload import _target
from sprintest.preload._import_blocker import ImportBlocker
from sprintest.process import _private
from sprintest.process._child import in_child
from sprintest.process._own import (
    all_threads,
    environb,
    library,
    look_for_libraries,
    main_thread,
    runner,
    time,
)
from sprintest.process._process_state import limits
from sprintest.process._traces import TemporaryFiles, children, is_traced, touches_cuda


class Plugins:
    """What pytest's plugins are, by the entry points of the installed distributions."""

    def __init__(self) -> None:
        import importlib.metadata

        plugins = [
            (dist, entries)
            for dist in importlib.metadata.distributions()
            if (entries := [entry for entry in dist.entry_points if entry.group == "pytest11"])
        ]
        #: Modules that pytest imports when it starts, because an entry point names them.
        self.entry_modules = {entry.value.partition(":")[0] for _, entries in plugins for entry in entries}
        #: Top-level modules and packages in which pytest rewrites assertions.
        self.rewritten = _private.rewritable_modules(
            str(file) for dist, _ in plugins for file in dist.files or []
        )


_FAILS = "cannot be imported"
#: What a fork gets to import a module, in seconds. The daemon's own patience ends earlier.
_PATIENCE = 3600


def _failure(error: BaseException) -> str:
    return f"{_FAILS}: {type(error).__name__}: {error}"


class Preloader:
    """One round of imports: ``with Preloader(path) as p: p.load(name) …``, then ``p.report()``.

    ``path`` is where to look for the modules beside ``sys.path``: project code that is preloaded because
    the user never wants it unloaded may lie where only a run's ``sys.path`` leads.
    """

    #: What torch would compute with in a process that nobody limited; ``None`` before torch is here.
    torch_threads: int | None = None
    #: The seed that torch had when it was imported.
    torch_seed: int | None = None

    #: As installed when this process started; the daemon restarts it when that changes.
    plugins: Plugins | None = None

    #: The file of each module that was imported here, as it was then.
    files: ClassVar[dict[str, dict[str, Any]]] = {}

    #: What is project code, here and in all processes forked from this one.
    code: _modules.ProjectCode | None = None

    #: The package under development, as it was found when this process started.
    target: _target.Target | None = None

    def __init__(self, path: Sequence[str] = (), not_preloadable: Mapping[str, str] | None = None) -> None:
        assert Preloader.code is not None
        # What cannot be imported here is no trap for what imports it: that finds out by itself, as anywhere.
        self._not_preloadable = {
            name: why for name, why in (not_preloadable or {}).items() if not why.startswith(_FAILS)
        }
        self._code = Preloader.code
        self._names: list[str] = []
        self._path = [entry for entry in path if entry not in sys.path]
        self._warnings = warnings.catch_warnings(record=True)
        # File times come from the kernel's coarse clock, which lags by up to a tick.
        self._started_ns = time.time_ns() - 20_000_000

    def __enter__(self) -> Preloader:
        sys.path.extend(self._path)
        with _private.unheard():
            Preloader.plugins = Preloader.plugins or Plugins()
            # As every pytest run has it: else it would warn "Module already imported so cannot be rewritten"
            # of each plugin package that another package had imported here.
            self._hook = _private.rewriting_hook(Preloader.plugins.rewritten)
        sys.meta_path.insert(0, self._hook)
        self._log: Any = self._warnings.__enter__()
        # What is shown of a warning is for the filters of each run to say.
        warnings.simplefilter("always")
        _private.show_warnings_to(self._take)
        self._children, self._limits = children(), limits()
        self._files = TemporaryFiles()
        self._files.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        cache.end()
        cache.prepare(self._names)
        self._files.__exit__()
        self._warnings.__exit__(None, None, None)
        with contextlib.suppress(ValueError):  # A module may have taken it out.
            sys.meta_path.remove(self._hook)
        sys.path[:] = [entry for entry in sys.path if entry not in self._path]
        _modules.forget_project(self._code)

    def _take(self, warning: Any) -> None:
        self._log.append(warning)
        cache.note_warning(warning)

    def load(self, name: str) -> tuple[str, bool, bool]:
        """Import ``name``.

        Returns why it is not preloaded (empty: it is warm now), whether that lasts, and
        whether the attempt has spoilt this process, which then must not serve runs.
        """
        self._names.append(name)
        if name in sys.modules or cache.knows(name):
            return "", False, False
        cache.begin(self._code, is_ahead=True)
        if self._not_preloadable:
            reason, is_lasting = self._try_out(name)
            cache.settle()
            if reason:
                return reason, is_lasting, False
        reason, is_spoilt = self._look_up(name)
        if reason:
            return reason, is_spoilt, is_spoilt
        reason = self._import_and_hide(name)
        return reason, bool(reason), bool(reason)

    def _import_and_hide(self, name: str) -> str:
        """Have it ready for runs; return why none may have it, empty if they may."""
        if reason := self._import(name):
            return reason
        look_for_libraries()
        cache.hide()
        return cache.cannot_be_fresh(name)

    def _import(self, name: str) -> str:
        """Import it; return what that has spoilt, empty if nothing."""
        before = set(sys.modules)
        try:
            importlib.import_module(name)
        except BaseException as error:  # a module may well raise SystemExit
            return _failure(error)
        self.limit_torch()
        if project := cache.imported_project():
            return f"imports {project}, which is the project's"
        return self.spoilt() or self._compiled_project(before)

    def _compiled_project(self, before: set[str]) -> str:
        """Whether it has brought a compiled module that runs load anew, which a process can do only once."""
        for name in [name for name in sys.modules if name not in before]:
            module = sys.modules[name]
            path = _modules.file_of(module) if _modules.is_compiled(module) else None
            if path is not None and self._code.owns(path) and not self._code.is_ignored(name):
                return f"loads {name}, a compiled module of the project"
        return ""

    def _look_up(self, name: str) -> tuple[str, bool]:
        """Why ``name`` is not to be imported (empty: it is), and whether asking has spoilt this process."""
        logged = len(self._log)
        try:
            if not self._code.is_ignored(name) and self._code.owns_package(name):
                return "project code: every run imports it fresh", False
        except ImportError as error:
            return _failure(error), False
        if len(self._log) > logged:  # Finders may: that of the package pynvml, say.
            return f"warns when it is looked for ({self.warning()})", True
        return "", False

    def _try_out(self, name: str) -> tuple[str, bool]:
        """Why ``name`` is not preloadable, as a fork of this process finds out, and whether that lasts.

        Where one module is not preloadable, neither is any that imports it. Each would cost a worker.
        """

        def work() -> tuple[str, bool]:
            reason, is_lasting = self._look_up(name)
            if reason:
                return reason, is_lasting
            blocker = ImportBlocker(self._not_preloadable)
            sys.meta_path.insert(0, blocker)
            reason = self._import_and_hide(name)
            return blocker.reason or reason, True

        parts = name.split(".")
        packages = [".".join(parts[:length]) for length in range(1, len(parts))]
        if not_preloadable := [package for package in packages if package in self._not_preloadable]:
            return f"lies in {not_preloadable[0]}", True
        failure, answer = in_child(work, _PATIENCE)
        reason, is_lasting = answer or (failure, True)
        if reason and is_lasting:
            self._not_preloadable[name] = reason
        return reason, is_lasting

    def spoilt(self) -> str:
        """What the imports did that forks of this process would inherit; empty if nothing."""
        extra = [t.name for t in all_threads() if t is not main_thread()]
        if extra:
            return f"starts a thread when imported ({extra[0]})"
        if call := runner.unknown_system_call():
            return f"calls the kernel by itself ({call}) when imported"
        if children() - self._children:
            return "starts a process when imported"
        if limits() != self._limits:
            return "changes the limits of resources when imported"
        if self._files.are_left():
            return "leaves a temporary file or folder when imported"
        if touches_cuda():
            return "initialises CUDA when imported"
        return ""

    def warning(self) -> str:
        """What was warned of; empty if nothing."""
        return "; ".join(f"{one.category.__name__}: {one.message}" for one in self._log[-1:])

    def limit_torch(self) -> None:
        """Keep torch to one thread in this process.

        A child of a process that ever ran a parallel region of GNU OpenMP hangs at its own first
        one: its pool's threads were not forked. With one thread there is never a pool here.
        """
        torch = library("torch")
        if torch is None or Preloader.torch_threads is not None:
            return
        Preloader.torch_threads, Preloader.torch_seed = torch.get_num_threads(), torch.initial_seed()
        torch.set_num_threads(1)

    def report(self) -> dict[str, Any]:
        """What the daemon compares with each request before it trusts this process."""
        # One that is known was read before it may have changed.
        loaded = cache.libraries()
        known = {name: file for name, file in Preloader.files.items() if name in loaded}
        found = {file["module"]: file for file in _modules.loaded_files(loaded, self._started_ns, self._code)}
        Preloader.files = {**found, **known}
        return {
            "python": ".".join(map(str, sys.version_info[:3])),
            "executable": sys.executable,
            "site_dirs": _modules.site_dirs(),
            "env_reads": cache.reads(),
            "files": list(Preloader.files.values()),
            "target": dataclasses.asdict(Preloader.target) if Preloader.target else None,
        }


@contextlib.contextmanager
def torch_threads_of_runs() -> Iterator[None]:
    """Let modules see as many threads as torch has in a run; here it keeps to one (see ``Preloader``)."""
    torch = library("torch")
    threads = Preloader.torch_threads
    if torch is None or threads is None:
        yield
        return
    ask = torch.get_num_threads
    is_over = False

    def get_num_threads() -> int:  # Modules may hold on to it: `from torch import get_num_threads`.
        number: int = ask()
        return threads if number == 1 and not is_over else number

    torch.get_num_threads = get_num_threads
    try:
        yield
    finally:
        is_over = True
        torch.get_num_threads = ask


def set_project(root: str, target: str, target_path: str, ignore: Sequence[str]) -> None:
    """Say what is project code, once and for all; see ``ProjectCode``.

    ``target`` and ``target_path`` are what the user has configured. A package that was found without that
    is no reason to distrust what is installed.
    """
    if is_traced():
        raise RuntimeError("something traces Python from its start (COVERAGE_PROCESS_START is one way)")
    if call := runner.unknown_system_call():
        raise RuntimeError(f"something calls the kernel by itself ({call}) when Python starts")
    if len(all_threads()) > 1:
        raise RuntimeError("a thread runs from Python's start (a .pth file has started it, say)")
    Preloader.target = found = _target.find(root, target, target_path)
    is_configured = found is not None and found.how == "configured"
    Preloader.code = _modules.ProjectCode(root, found.path if found and is_configured else "", ignore)
    for package in (pytest, pluggy):
        if Preloader.code.may_change(str(package.__file__)):
            raise ImportError(f"{package.__name__} is not installed, but the project's ({package.__file__})")


def environment() -> dict[bytes, bytes]:
    """What Python code sees as the environment. C code may have set more (GNU readline does)."""
    return dict(environb)


def freeze() -> None:
    """Move all that lives into the permanent generation: collections of a run then skip it.

    pytest collects several times at exit, and each collection would touch, and so copy, every page
    that the runner shares with this process.
    """
    gc.collect()
    gc.freeze()
    sys.stdout.flush()
    sys.stderr.flush()
