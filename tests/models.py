"""Small models, made on the spot of the words of the sample and of numbers drawn for them, no download."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np

from tests.conftest import SAMPLE


def words() -> list[str]:
    """Every word of the sample, in small letters."""
    texts = [(SAMPLE / "pairs.jsonl").read_text(encoding="utf-8"), (SAMPLE / "beir" / "corpus.jsonl").read_text(encoding="utf-8")]
    found = [json.loads(line) for text in texts for line in text.splitlines()]
    return sorted({word for row in found for value in row.values() for word in re.findall(r"\w+", str(value).lower())})


def static_model(folder: Path, *, seed: int = 0, dimensions: int = 32) -> Path:
    """A model2vec model in the folder: texts with words in common are near each other."""
    from model2vec import StaticModel
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    vocabulary = ["[PAD]", "[UNK]", *words()]
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(vocabulary)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    vectors = np.random.default_rng(seed).standard_normal((len(vocabulary), dimensions)).astype(np.float32)
    StaticModel(vectors, tokenizer).save_pretrained(str(folder))
    return folder


def cross_encoder(folder: Path, *, seed: int = 0, outputs: int = 1) -> Path:
    """A cross-encoder in the folder: one layer of BERT with drawn weights, large enough that scores differ. Needs torch."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    vocabulary = [*special, *words()]
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(vocabulary)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token"), special, strict=True))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=64, **names).save_pretrained(str(folder))
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        num_labels=outputs,
        initializer_range=0.5,
    )
    BertForSequenceClassification(config).save_pretrained(str(folder))
    return folder
