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

from sprintest import _bytecode, _modules, _preload, _process_state, _warm
from sprintest._cache import cache
from sprintest._difference import Difference
from sprintest._own import os
from sprintest._process_state import ProcessState

#: What this process depends on; see ``Preloader.report``.
report: dict[str, Any] = {}


def hold(names: list[str], path: list[str], cwd: str, environment: dict[bytes, bytes]) -> dict[str, str]:
    """Import the project's modules ``names`` as a run did, for the runs to adopt.

    ``path`` is the run's ``sys.path``, ``cwd`` its folder, ``environment`` its whole environment.
    Returns those that this process must not hold, and why. If there are any, it has been spoilt, and
    must end.
    """
    global report
    code = _preload.Preloader.code
    assert code is not None
    state = ProcessState()
    _modules.forget_folders(code)
    _bytecode.distrust_younger_sources()
    sys.path[:] = path
    with contextlib.suppress(OSError):  # A folder that is gone is the runs' to complain of.
        os.chdir(cwd)
    _process_state.set_environment(environment)
    with _preload.Preloader() as preloader, _preload.torch_threads_of_runs():
        cache.begin(code, takes_own=True)
        cache.begin_run(_differs, [])
        _warm.install(takes=False)
        for name in names:
            with contextlib.suppress(BaseException):  # A run that imports it will see why it fails.
                importlib.import_module(name)
            preloader.limit_torch()
        if reason := preloader.spoilt():
            return cache.unfit() or dict.fromkeys(names, f"importing it {reason}")
        if unfit := cache.unfit():
            return unfit
        cache.end_run()
        # What its modules have read is compared when a run imports them.
        report = {**preloader.report(), "env_reads": {}}
    state.restore()
    linecache.clearcache()
    _preload.freeze()
    return {}


def _differs(difference: Difference, can_be_repeated: bool) -> bool:
    """Whether an installed module is to be executed here: what imports it has set something it goes by."""
    if not can_be_repeated and (importer := cache.loading()) is not None:
        importer.unfit = difference.reason
    return can_be_repeated
