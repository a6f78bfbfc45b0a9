"""Regular expressions that runs compile, compiled ahead in the zygote.

``re`` caches what it has compiled, and that affects only time: compiling is a pure function of pattern and
flags, unless it warns. The cache has 512 entries, but one transformers pipeline needs twice as many. Here the
cache is larger, and contains what earlier runs have compiled.
"""

from __future__ import annotations

import ast
import contextlib
import re
import sys
import warnings
from collections.abc import Sequence
from typing import Any

from sprintest.modules._cache import cache
from sprintest.process import _private

#: The size of the cache of ``re``.
_MOST = 4096

#: How many characters of patterns one run reports. It reports the latest patterns.
_MOST_TOLD = 1 << 20

#: How many bytes the patterns that are compiled ahead may still take, including their compiled forms.
_room = 16 << 20

#: The keys in the cache of ``re`` that are not new in the present run.
_known: set[Any] = set()

#: Installed modules that have a table of hundreds of patterns, which they make from constants on demand: the
#: variable that is ``None`` until then, and the function that makes the table.
_TABLES = [
    (
        "transformers.conversion_mapping",
        "_checkpoint_conversion_mapping_cache",
        "get_checkpoint_conversion_mapping",
    )
]


def compile_ahead(patterns: Sequence[str]) -> None:
    """Compile ``patterns``, which ``compiled()`` has returned in runs, for all forks of this process.

    A pattern that warns or fails is not compiled ahead: it must do so in each run.
    """
    global _room
    _private.remember_patterns(_MOST)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for text in patterns:
            if _room <= 0:
                break
            with contextlib.suppress(Exception):
                pattern, flags = ast.literal_eval(text)
                _room -= sys.getsizeof(re.compile(pattern, flags)) + sys.getsizeof(pattern)
        for name, variable, function in _TABLES if patterns else ():
            module = cache.find(name)
            if module is not None and getattr(module, variable, "") is None:
                with contextlib.suppress(Exception), cache.in_sight():
                    getattr(module, function)("")
    settle()


def settle() -> None:
    """Note the present entries of the cache, which are not from the next run."""
    _known.update(_private.patterns or ())


def compiled() -> list[str]:
    """The patterns that this process has compiled since its fork and that are still cached, in order.

    Each is the ``ascii`` text of a tuple: the pattern, ``str`` or ``bytes``, and the flags.
    """
    patterns: list[str] = []
    room = _MOST_TOLD
    for key in reversed([key for key in list(_private.patterns or ()) if key not in _known]):
        _known.add(key)  # A resident process reports each pattern once.
        kind, pattern, flags = key
        if kind in (str, bytes) and type(flags) is int:
            room -= len(pattern)
            if room < 0:
                break
            patterns.append(ascii((pattern, flags)))
    return patterns[::-1]
