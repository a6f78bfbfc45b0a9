"""A sentiment classifier under test: a real transformers `pipeline`, loaded once per session.

python -m pytest test_ai_model.py      pays for importing torch and transformers each time
stest test_ai_model.py                 pays once
"""

from __future__ import annotations

import pytest
from tinyai import model, score
from transformers import TextClassificationPipeline, pipeline

TEXTS = ["I loved the film!", "The book was very dull.", "Not bad, but not great."]


@pytest.fixture(scope="session")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> TextClassificationPipeline:
    folder = str(model.make(tmp_path_factory.mktemp("tiny-distilbert")))
    return pipeline("sentiment-analysis", model=folder, tokenizer=folder, device="cpu")


def test_answers_have_a_known_label_and_a_probability(classifier: TextClassificationPipeline) -> None:
    for answer in classifier(TEXTS):
        assert answer["label"] in model.LABELS.values()
        assert 0.5 <= answer["score"] <= 1.0


def test_the_same_text_gets_the_same_answer(classifier: TextClassificationPipeline) -> None:
    assert classifier(TEXTS) == classifier(TEXTS)


def test_a_batch_gives_what_single_texts_give(classifier: TextClassificationPipeline) -> None:
    batch = classifier(TEXTS, batch_size=len(TEXTS))
    singles = [classifier(text)[0] for text in TEXTS]
    assert [score.signed(answer) for answer in batch] == pytest.approx(
        [score.signed(answer) for answer in singles], abs=1e-5
    )


def test_a_long_text_is_cut_to_what_the_model_takes(classifier: TextClassificationPipeline) -> None:
    start = "good " * (model.LONGEST - 2)  # [CLS] and [SEP] take two places.
    whole = score.mean(classifier(start + "bad " * 100, truncation=True))
    assert whole == pytest.approx(score.mean(classifier(start)), abs=1e-5)
