"""A process that holds the project's modules, so that the runs forked from it need not execute them.

It is a fork of the zygote and dies with the first edit that it cannot follow; nothing is ever loaded a
second time in it.
"""

from __future__ import annotations

import contextlib
import importlib
import linecache
import sys
from typing import Any

from sprintest import _bytecode, _modules, _preload, _process_state, _warm, _watch
from sprintest._cache import cache
from sprintest._own import os
from sprintest._process_state import ProcessState
from sprintest._stash import Stash

#: What this process holds; ``None`` in the zygote and in what is forked from it directly.
stash: Stash | None = None

#: What it depends on; see ``Preloader.report``.
report: dict[str, Any] = {}


def hold(names: list[str], path: list[str], cwd: str, environment: dict[bytes, bytes]) -> dict[str, str]:
    """Import the project's modules ``names`` as a run did, and put them into the stash.

    ``path`` is the run's ``sys.path``, ``cwd`` its folder, ``environment`` its whole environment.
    Returns those that this process must not hold, and why. If there are any, it has been spoilt, and
    must end.
    """
    global stash, report
    code = _preload.Preloader.code
    assert code is not None
    state = ProcessState()
    stash = Stash(code)
    _modules.forget_folders(code)
    _bytecode.distrust_younger_sources()
    sys.path[:] = path
    with contextlib.suppress(OSError):  # A folder that is gone is the runs' to complain of.
        os.chdir(cwd)
    _process_state.set_environment(environment)
    cache.reveal()
    with _preload.Preloader() as preloader, _preload.torch_threads_of_runs():
        _watch.install(stash)
        _warm.install(stash, takes=False)
        for name in names:
            with contextlib.suppress(BaseException):  # A run that imports it will see why it fails.
                importlib.import_module(name)
            preloader.limit_torch()
        if reason := preloader.spoilt():
            return stash.unfit() or dict.fromkeys(names, f"importing it {reason}")
        if unfit := stash.unfit():
            return unfit
        stash.seal(_watch.names)
        # Project modules answer for the variables that they read themselves.
        report = {**preloader.report(), "env_reads": dict(_watch.env_reads)}
    state.restore()
    _watch.names.clear()
    linecache.clearcache()
    _preload.freeze()
    return {}
