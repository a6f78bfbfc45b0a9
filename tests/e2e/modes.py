"""The ways in which stest can run a suite; each gives the same answer."""

from __future__ import annotations

import pytest

#: Settings of each mode, which is known by its key.
MODES = {
    "fork": {"SPRINTEST_ISOLATION": "fork"},
    "resident": {"SPRINTEST_ISOLATION": "resident"},
}

#: For tests that take long: the default mode is tried by the gate, the others by `bash tests/run --all`.
MODES_OF_LONG_TESTS = [
    mode if mode == "fork" else pytest.param(mode, marks=pytest.mark.long) for mode in MODES
]
