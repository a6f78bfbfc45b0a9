"""Makes a DistilBERT classifier with random weights on the spot: real code paths, nothing downloaded."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import DistilBertConfig, DistilBertForSequenceClassification, PreTrainedTokenizerFast

LABELS = {0: "NEGATIVE", 1: "POSITIVE"}
LONGEST = 32  # Tokens that the model takes; a longer text is cut.
SPECIAL = "[PAD] [UNK] [CLS] [SEP] [MASK]"
WORDS = "the a i film book was is not and but very good bad great dull love hate ##d . , !"
VOCABULARY = {word: number for number, word in enumerate(f"{SPECIAL} {WORDS}".split())}


def make(folder: Path, seed: int = 0) -> Path:
    """Writes model and tokenizer into `folder`, as `save_pretrained` lays them out; returns `folder`."""
    torch.manual_seed(seed)
    model = DistilBertForSequenceClassification(
        DistilBertConfig(
            vocab_size=len(VOCABULARY),
            max_position_embeddings=LONGEST,
            n_layers=2,
            n_heads=2,
            dim=32,
            hidden_dim=64,
            id2label=LABELS,
            label2id={label: number for number, label in LABELS.items()},
        )
    )
    model.save_pretrained(folder)
    _tokenizer().save_pretrained(folder)
    return folder


def _tokenizer() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.WordPiece(VOCABULARY, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(
        ("[SEP]", VOCABULARY["[SEP]"]), ("[CLS]", VOCABULARY["[CLS]"])
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=LONGEST,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )
