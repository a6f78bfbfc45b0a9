"""The Python half of stest, the warm test runner: what must run inside the interpreter.

``warm`` is for tests. Nothing else here is: the worker (C++) drives these modules.
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

#: How a run under stest gets a value: ``(cached function, args, kwargs)``; ``None`` in any other process.
_load: Callable[[Any, tuple[Any, ...], dict[str, Any]], Any] | None = None

#: Of generators, coroutines and asynchronous generators (see ``inspect.CO_*``): what they return is used up.
_USED_UP = 0x20 | 0x80 | 0x200


@overload
def warm(function: _Function, /) -> _Function: ...
@overload
def warm(*, files: Iterable[_Path] = ()) -> Callable[[_Function], _Function]: ...


def warm(function: Any = None, /, *, files: Iterable[_Path] = ()) -> Any:
    """Let a function that loads something dear, a model or a data set, be called once for many runs.

    Under plain pytest this is ``functools.cache``: the first call in a process loads, later ones with the
    same arguments get the same object. Under stest a process that all runs are forked from holds the
    value as well, so that the first call of a run need not load it, for as long as its function, arguments
    and files are what they were. Each run has its own copy (copy-on-write): what one does to it no other
    sees.

    ``files``: files and folders that the value is made from, relative to the folder of the source file.
    Those that are looked at through the C library (glibc 2.33 and later) count unasked.

    What can be held, and what cannot, is in "Values that stay warm" in the README; ``stest status`` names
    what is held, and why something is not.

    Raises ``TypeError`` for what is not a plain function that returns its value.
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
