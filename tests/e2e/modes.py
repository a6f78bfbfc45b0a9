"""The ways in which stest can run a suite; each gives the same answer."""

from __future__ import annotations

#: Settings of each mode, which is known by its key.
MODES = {
    "clean": {"SPRINTEST_ISOLATION": "fork", "SPRINTEST_RELOAD": "clean"},
    "surgical": {"SPRINTEST_ISOLATION": "fork", "SPRINTEST_RELOAD": "surgical"},
    "resident": {"SPRINTEST_ISOLATION": "resident"},
}
