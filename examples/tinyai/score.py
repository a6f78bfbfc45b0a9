"""Turns a classifier's answers into one number per text. Edit this file and run the tests again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

SIGN = {"POSITIVE": 1.0, "NEGATIVE": -1.0}


def signed(answer: dict[str, Any]) -> float:
    """The answer's score in [-1, 1]: positive texts above zero, negative ones below."""
    return SIGN[answer["label"]] * float(answer["score"])


def mean(answers: Iterable[dict[str, Any]]) -> float:
    """The mood of several texts; 0.0 for none."""
    scores = [signed(answer) for answer in answers]
    return sum(scores) / len(scores) if scores else 0.0
