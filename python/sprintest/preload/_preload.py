"""Imports third-party modules ahead of the runs, in the zygote, so that no run can notice.

A run in a warm process must give the same answer as a cold one. So everything that an import does besides
filling ``sys.modules`` is observed here:

* modules that pytest rewrites (plugins) are rewritten here too;
* a module that starts a thread or a process, opens a CUDA device, or fails is *not preloadable*: runs import
  it themselves, as plain pytest does;
* other side effects and warnings are recorded, and repeated in each run that adopts the module;
* environment variables that the module reads are recorded, because a change of them restarts the worker.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import importlib
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
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
    """pytest's plugins, as the entry points of the installed distributions name them."""

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
#: The time limit for a fork that imports a module, in seconds. That of the daemon is shorter.
_PATIENCE = 3600


def _failure(error: BaseException) -> str:
    return f"{_FAILS}: {type(error).__name__}: {error}"


class Preloader:
    """One round of imports: ``with Preloader(…) as p: p.load(name) …``, then ``p.report()``.

    ``path``: further folders in which to search for the modules. Project code that is preloaded because of
    the setting ``ignore`` may be in a folder that is only in the ``sys.path`` of a run. ``announce(name,
    is_trial)`` is called before each import, and returns whether a trial may begin. ``messages``: a
    descriptor; if it becomes readable, a trial ends. -1: there is none.
    """

    #: The number of threads of torch in a run; ``None`` before torch is loaded.
    torch_threads: int | None = None
    #: The seed that torch had when it was imported.
    torch_seed: int | None = None

    #: The plugins at the start of this process. If other ones are installed, the daemon restarts it.
    plugins: Plugins | None = None

    #: The file of each module that was imported here, with its state at that time.
    files: ClassVar[dict[str, dict[str, Any]]] = {}

    #: What is project code, here and in all processes forked from this one.
    code: _modules.ProjectCode | None = None

    #: The package under development, as found when this process started.
    target: _target.Target | None = None

    def __init__(
        self,
        path: Sequence[str] = (),
        not_preloadable: Mapping[str, str] | None = None,
        announce: Callable[[str, bool], bool] = lambda _name, _is_trial: True,
        messages: int = -1,
    ) -> None:
        assert Preloader.code is not None
        self._announce, self._messages = announce, messages
        # An import that fails needs no import blocker: the modules that import it find that out themselves.
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
            # Every pytest run has this hook. Without it, a run would warn "Module already imported so cannot
            # be rewritten" of each plugin package that another package has imported here.
            self._hook = _private.rewriting_hook(Preloader.plugins.rewritten)
        sys.meta_path.insert(0, self._hook)
        self._log: Any = self._warnings.__enter__()
        # The filters of each run decide whether a warning is shown.
        warnings.simplefilter("always")
        _private.show_warnings_to(self._take)
        self._children, self._limits = children(), limits()
        self._files = TemporaryFiles()
        self._files.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            cache.end()
            cache.prepare(self._names)
        finally:
            self._files.__exit__()
            self._warnings.__exit__(None, None, None)
            with contextlib.suppress(ValueError):  # A module may have removed it.
                sys.meta_path.remove(self._hook)
            sys.path[:] = [entry for entry in sys.path if entry not in self._path]
            _modules.forget_project(self._code)

    def _take(self, warning: Any) -> None:
        self._log.append(warning)
        cache.note_warning(warning)

    def load(self, name: str) -> tuple[str, bool, bool] | None:
        """Import ``name``.

        Returns why it is not preloaded (empty: it is), whether that lasts, and whether the attempt has spoilt
        this process, which then must not serve runs. ``None``: a message has ended the trial.
        """
        self._names.append(name)
        if name in sys.modules or cache.knows(name):
            return "", False, False
        cache.begin(self._code, is_ahead=True)
        if self._not_preloadable:
            tried = self._try_out(name) if self._announce(name, True) else None
            cache.settle()
            if tried is None:
                return None
            reason, is_lasting = tried
            if reason:
                return reason, is_lasting, False
        self._announce(name, False)
        reason, is_spoilt = self._look_up(name)
        if reason:
            return reason, is_spoilt, is_spoilt
        reason = self._import_and_hide(name)
        return reason, bool(reason), bool(reason)

    def _import_and_hide(self, name: str) -> str:
        """Import it, and hide it for the runs; return why no run may adopt it, empty if they may."""
        if reason := self._import(name):
            return reason
        look_for_libraries()
        cache.hide()
        return cache.cannot_be_fresh(name)

    def _import(self, name: str) -> str:
        """Import it; return why that has spoilt this process, empty if it has not."""
        before = set(sys.modules)
        try:
            importlib.import_module(name)
        except BaseException as error:  # A module may raise SystemExit.
            return _failure(error)
        self.limit_torch()
        if project := cache.imported_project():
            return f"imports {project}, which is project code"
        return self.spoilt() or self._compiled_project(before)

    def _compiled_project(self, before: set[str]) -> str:
        """Say if it has loaded a compiled module of the project, which a process can load only once."""
        for name in [name for name in sys.modules if name not in before]:
            module = sys.modules[name]
            path = _modules.file_of(module) if _modules.is_compiled(module) else None
            if path is not None and self._code.owns(path) and not self._code.is_ignored(name):
                return f"loads {name}, a compiled module of the project"
        return ""

    def _look_up(self, name: str) -> tuple[str, bool]:
        """Why ``name`` must not be imported (empty: it may), and whether the search spoilt this process."""
        logged = len(self._log)
        try:
            if not self._code.is_ignored(name) and self._code.owns_package(name):
                return "project code: every run imports it fresh", False
        except ImportError as error:
            return _failure(error), False
        if len(self._log) > logged:  # Finders may warn: that of the package pynvml does.
            return f"causes a warning when Python searches for it ({self.warning()})", True
        return "", False

    def _try_out(self, name: str) -> tuple[str, bool] | None:
        """Let a fork find out why ``name`` is not preloadable, and whether that lasts.

        If a module is not preloadable, neither are those that import it. Without forks each of them would
        cost a worker. ``None``: a message came first, probably for a run, which need not wait.
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
        failure, answer = in_child(work, _PATIENCE, self._messages)
        if not failure and answer is None:
            return None
        reason, is_lasting = answer or (failure, True)
        if reason and is_lasting:
            self._not_preloadable[name] = reason
        return reason, is_lasting

    def spoilt(self) -> str:
        """What the imports have done that forks of this process would inherit; empty if nothing."""
        extra = [t.name for t in all_threads() if t is not main_thread()]
        if extra:
            return f"starts a thread when imported ({extra[0]})"
        if call := runner.unknown_system_call():
            return f"makes a system call without the C library ({call}) when imported"
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
        """The last warning; empty if there was none."""
        return "; ".join(f"{one.category.__name__}: {one.message}" for one in self._log[-1:])

    def limit_torch(self) -> None:
        """Keep torch to one thread in this process.

        A fork of a process that has run a parallel region of GNU OpenMP hangs at its own first one, because
        the threads of the pool were not forked. With one thread there is no pool here.
        """
        torch = library("torch")
        if torch is None or Preloader.torch_threads is not None:
            return
        Preloader.torch_threads, Preloader.torch_seed = torch.get_num_threads(), torch.initial_seed()
        torch.set_num_threads(1)

    def report(self) -> dict[str, Any]:
        """What the daemon compares before each run, to find out whether this process is current."""
        # A known entry is kept: the file may have changed since then.
        loaded = cache.libraries()
        known = {name: file for name, file in Preloader.files.items() if name in loaded}
        found = {file["module"]: file for file in _modules.loaded_files(loaded, self._started_ns, self._code)}
        Preloader.files = {**found, **known}
        return {
            "python": ".".join(map(str, sys.version_info[:3])),
            "executable": sys.executable,
            "site_dirs": _modules.site_dirs(),
            "env_reads": cache.reads(),
            "env_readers": cache.readers(),
            "files": list(Preloader.files.values()),
            "target": dataclasses.asdict(Preloader.target) if Preloader.target else None,
        }


@contextlib.contextmanager
def torch_threads_of_runs() -> Iterator[None]:
    """Show modules the number of threads that torch has in a run; here it has one (see ``Preloader``)."""
    torch = library("torch")
    threads = Preloader.torch_threads
    if torch is None or threads is None:
        yield
        return
    ask = torch.get_num_threads
    is_over = False

    def get_num_threads() -> int:  # Modules may keep it: `from torch import get_num_threads`.
        number: int = ask()
        return threads if number == 1 and not is_over else number

    torch.get_num_threads = get_num_threads
    try:
        yield
    finally:
        is_over = True
        torch.get_num_threads = ask


def set_project(root: str, target: str, target_path: str, ignore: Sequence[str]) -> None:
    """Set what is project code in this process; see ``ProjectCode``.

    ``target`` and ``target_path`` are configured by the user. A target that is found by convention makes no
    installed module project code. Raises an error if this process cannot serve runs.
    """
    if is_traced():
        raise RuntimeError("something traces Python from the start (COVERAGE_PROCESS_START is one way)")
    if call := runner.unknown_system_call():
        raise RuntimeError(f"something makes a system call without the C library ({call}) when Python starts")
    if len(all_threads()) > 1:
        raise RuntimeError("a thread has been running since Python started (a .pth file may have started it)")
    Preloader.target = found = _target.find(root, target, target_path)
    is_configured = found is not None and found.how == "configured"
    Preloader.code = _modules.ProjectCode(root, found.path if found and is_configured else "", ignore)
    for package in (pytest, pluggy):
        if Preloader.code.may_change(str(package.__file__)):
            raise ImportError(f"{package.__name__} is project code, and not installed ({package.__file__})")


def environment() -> dict[bytes, bytes]:
    """What Python code sees as the environment. C code may have set more (GNU readline does)."""
    return dict(environb)


def freeze() -> None:
    """Move all objects into the permanent generation, so that collections in a run skip them.

    pytest collects several times at exit. Each collection would write to every page that the runner shares
    with this process, and so copy it.
    """
    gc.collect()
    gc.freeze()
    sys.stdout.flush()
    sys.stderr.flush()
