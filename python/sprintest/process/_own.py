"""stest's own references to parts of Python and of libraries, made before any test could replace these.

Tests patch ``os.stat``, ``time.time`` or ``builtins.open``, replace ``os.environ``, put a stub of torch into
``sys.modules``, and do not always clean up. stest's modules import these names from here instead of from the
standard library, so that they keep the meaning that they had when the worker started.
"""

from __future__ import annotations

import builtins
import contextlib as _contextlib
import gc as _gc
import genericpath as _genericpath
import os as _os
import posixpath as _posixpath
import sys
import threading as _threading
import time as _time
from collections.abc import Iterator as _Iterator
from importlib import import_module
from importlib.machinery import ExtensionFileLoader, ModuleSpec
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

open = builtins.open
modules = sys.modules
#: stest's own Python code.
OURS = _os.path.dirname(_os.path.dirname(__file__)) + _os.sep
#: The worker's functions. They are imported here, because a later import would put them into `sys.modules`.
runner: Any = None
with _contextlib.suppress(ImportError):  # This process need not be the worker.
    runner = import_module("_stest_runner")
    sys.builtin_module_names = tuple(name for name in sys.builtin_module_names if name != "_stest_runner")
#: The modules that are loaded when Python starts: `sitecustomize`, what `.pth` files import. The code that
#: the worker observes this with imports one more.
at_start = frozenset(runner.modules_at_start() if runner else modules) - {"__future__"}
environ = _os.environ
environb = _os.environb
collect_garbage, all_objects, collector_stats = _gc.collect, _gc.get_objects, _gc.get_stats
all_threads = _threading.enumerate
main_thread, current_thread = _threading.main_thread, _threading.current_thread


@_contextlib.contextmanager
def unseen() -> _Iterator[None]:
    """Remove modules from ``sys.modules`` that are imported in this block: no run has imported them."""
    before = set(modules)
    try:
        yield
    finally:
        for name in [name for name in modules if name not in before]:
            del modules[name]


def _copy(module: ModuleType, **others: Any) -> Any:
    """A copy of the module, whose functions use the copy, and ``others``, instead of the original."""
    copy = ModuleType(module.__name__)
    variables = vars(copy)
    variables.update(vars(module), **others)
    for name, value in list(variables.items()):
        if isinstance(value, FunctionType) and value.__globals__ is vars(module):
            own = FunctionType(value.__code__, variables, name, value.__defaults__, value.__closure__)
            own.__kwdefaults__ = value.__kwdefaults__
            variables[name] = own
    return copy


_private_os = _copy(_os)
_private_generic = _copy(_genericpath, os=_private_os)
_from_generic = {
    name: getattr(_private_generic, name)
    for name in _genericpath.__all__
    if getattr(_posixpath, name, None) is getattr(_genericpath, name)
}
_private_os.path = _copy(_posixpath, os=_private_os, genericpath=_private_generic)
vars(_private_os.path).update(_from_generic)

if TYPE_CHECKING:
    import os as os
    import time as time
else:
    os, time = _private_os, _copy(_time)


def is_environ_replaced() -> bool:
    """Whether ``os.environ`` is another object than the one that stest uses."""
    return _os.environ is not environ


# ---- libraries

#: The libraries that stest uses, and where their compiled part is in different versions.
_PARTS = {
    "torch": ["_C"],
    "numpy": ["_core._multiarray_umath", "core._multiarray_umath"],
    "numpy.random": ["mtrand"],
}
_libraries: dict[str, Any] = {}


def library(name: str) -> Any:
    """torch, numpy or ``numpy.random``, if the process has loaded it, even if it has been replaced since.

    ``None`` if it is not loaded completely. A stub does not count, and neither does a package of the project
    with that name.
    """
    if name not in _libraries and _is_library(found := modules.get(name), name):
        _libraries[name] = found
    return _libraries.get(name)


def look_for_libraries() -> None:
    """Note the libraries that are loaded: one may be gone from ``sys.modules`` when it is needed.

    Must be called repeatedly while tests run.
    """
    for name in _PARTS:
        if name not in _libraries:
            library(name)


def _is_library(found: Any, name: str) -> bool:
    spec = vars(found).get("__spec__") if isinstance(found, ModuleType) else None
    if not isinstance(spec, ModuleSpec) or spec.name != name or getattr(spec, "_initializing", False):
        return False
    return any(_is_compiled(_attribute(found, path)) for path in _PARTS[name])


def _attribute(module: Any, path: str) -> Any:
    """The attribute that ``path`` leads to, without calling code: stubs have every attribute."""
    for name in path.split("."):
        module = vars(module).get(name) if isinstance(module, ModuleType) else None
    return module


def _is_compiled(module: Any) -> bool:
    spec = vars(module).get("__spec__") if isinstance(module, ModuleType) else None
    return isinstance(getattr(spec, "loader", None), ExtensionFileLoader)
