"""Regular expressions that runs compile, compiled ahead in the zygote.

``re`` remembers what it has compiled, and nothing depends on that but time: compiling is a pure function of
pattern and flags, where it does not warn. But it remembers only 512, and building one transformers pipeline
takes twice as many. Here it remembers more, what earlier runs have compiled included.
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

#: How many ``re`` remembers.
_MOST = 4096

#: How many characters of patterns one run tells of, the latest ones.
_MOST_TOLD = 1 << 20

#: How many bytes the patterns that are compiled ahead may still take, with all that is made of them.
_room = 16 << 20

#: The keys that ``re`` remembered before any run began.
_known: set[Any] = set()

#: Installed modules that keep hundreds of patterns in a table of their own, which they make from constants
#: when it is first asked for: the variable that is ``None`` until then, and the function to ask.
_TABLES = [
    (
        "transformers.conversion_mapping",
        "_checkpoint_conversion_mapping_cache",
        "get_checkpoint_conversion_mapping",
    )
]


def compile_ahead(patterns: Sequence[str]) -> None:
    """Have ``re`` remember ``patterns``, which ``compiled()`` has told, for all forks of this process.

    One that warns or fails is not compiled ahead: it must do so in each run.
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
    """Take what ``re`` remembers now for no run's doing."""
    _known.update(_private.patterns or ())


def compiled() -> list[str]:
    """What this process has compiled since it was forked and is remembered, in order.

    Each is the ``ascii`` text of a tuple: the pattern, ``str`` or ``bytes``, and the flags.
    """
    patterns: list[str] = []
    room = _MOST_TOLD
    for key in reversed([key for key in list(_private.patterns or ()) if key not in _known]):
        _known.add(key)  # A resident process tells each once.
        kind, pattern, flags = key
        if kind in (str, bytes) and type(flags) is int:
            room -= len(pattern)
            if room < 0:
                break
            patterns.append(ascii((pattern, flags)))
    return patterns[::-1]
