"""The Python half of stest, the warm test runner: the part that must run inside the interpreter.

``warm`` is for tests. Everything else is for the worker (C++), which drives these modules.
"""

from __future__ import annotations

import functools
import os
import types
from collections.abc import Iterable
from typing import Any, Callable, TypeVar, Union, overload

__all__ = ["warm"]

_Function = TypeVar("_Function", bound=Callable[..., Any])
_Path = Union[str, "os.PathLike[str]"]

#: Gets a value in a run under stest: ``(cached function, args, kwargs)``; ``None`` in other processes.
_load: Callable[[Any, tuple[Any, ...], dict[str, Any]], Any] | None = None

#: Flags (``inspect.CO_*``) of generators, coroutines and asynchronous generators: their results serve once.
_USED_UP = 0x20 | 0x80 | 0x200


@overload
def warm(function: _Function, /) -> _Function: ...
@overload
def warm(*, files: Iterable[_Path] = ()) -> Callable[[_Function], _Function]: ...


def warm(function: Any = None, /, *, files: Iterable[_Path] = ()) -> Any:
    """Call a function that loads a model or a data set only once for many runs.

    Under plain pytest this is ``functools.cache``: the first call in a process loads the value, and later
    calls with the same arguments return the same object. Under stest a process from which runs are forked
    holds the value too. So the first call of a run need not load it, unless the function, its arguments or
    its files have changed. Each run has its own copy (copy-on-write), and sees no changes of other runs.

    ``files``: files and folders that the value is made from, relative to the folder of the source file.
    Files that are looked at through the C library (glibc 2.33 and later) need not be named.

    "Values that stay warm" in the README says what can be held. ``stest status`` lists what is held, and why
    other values are not.

    Raises ``TypeError`` if ``function`` is not a plain function that returns its value.
    """
    if isinstance(files, (str, bytes, os.PathLike)):
        raise TypeError("sprintest.warm: `files` is a list of paths")
    if function is None:
        return functools.partial(warm, files=tuple(files))
    if not isinstance(function, types.FunctionType) or function.__code__.co_flags & _USED_UP:
        raise TypeError("sprintest.warm decorates a plain function that returns its value")
    folder = os.path.dirname(os.path.abspath(function.__code__.co_filename))

    @functools.cache
    def cached(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs) if _load is None else _load(cached, args, kwargs)

    result: Any = functools.update_wrapper(cached, function)
    result.warm_files = [os.path.normpath(os.path.join(folder, path)) for path in files]
    return result
