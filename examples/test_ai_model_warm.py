"""`test_ai_model.py` with a model that stays in memory between runs: see `sprintest.warm`.

python -m pytest test_ai_model_warm.py      loads the model each time
stest test_ai_model_warm.py                 loads it once, and again after an edit of what it is made from
"""

from __future__ import annotations

from pathlib import Path

import pytest
import sprintest
from test_ai_model import (  # noqa: F401  The fixture below takes the place of theirs.
    test_a_batch_gives_what_single_texts_give,
    test_a_long_text_is_cut_to_what_the_model_takes,
    test_answers_have_a_known_label_and_a_probability,
    test_the_same_text_gets_the_same_answer,
)
from tinyai import model
from transformers import TextClassificationPipeline, pipeline

FOLDER = Path(__file__).parent / "tiny-distilbert"


@sprintest.warm
def load() -> TextClassificationPipeline:
    return pipeline("sentiment-analysis", model=str(FOLDER), tokenizer=str(FOLDER), device="cpu")


@pytest.fixture(scope="session")
def classifier() -> TextClassificationPipeline:
    if not FOLDER.exists():
        model.make(FOLDER)
    return load()
