"""A small static model, made on the spot: a vector drawn for each word of the sample, no download."""

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
