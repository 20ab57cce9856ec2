"""Tevatron's own reader takes what was exported: the tokens it makes are those of our texts. `pip install --no-deps tevatron==0.1.0`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

import negforge
from tests.export.cases import rows_of, scored

pytestmark = pytest.mark.trainer
tevatron = pytest.importorskip("tevatron.datasets", reason="needs tevatron 0.1.0 and transformers")


def tokenizer(texts: list[str]) -> Any:
    """A tokenizer of words, of the kind that the reader wants."""
    import tokenizers

    transformers: Any = pytest.importorskip("transformers")
    words = dict.fromkeys(["[UNK]", "[PAD]", *(word for text in texts for word in text.split())])
    raw = tokenizers.Tokenizer(tokenizers.models.WordLevel({word: at for at, word in enumerate(words)}, unk_token="[UNK]"))
    raw.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="[UNK]", pad_token="[PAD]")


@pytest.mark.parametrize("scores", [None, "score_x"])
def test_the_reader_makes_our_texts_of_each_passage(tmp_path: Path, scores: str | None) -> None:
    """`HFTrainDataset` with its `TrainPreProcessor`: query, positives and negatives in place, scores passed over."""
    from tevatron.arguments import DataArguments

    out = tmp_path / "train.parquet"
    negforge.run("export tevatron", scored(), scores=scores, output=out)
    rows = pl.read_parquet(out).to_dicts()
    words = tokenizer(
        [text for one in rows for text in (one["query"], *(each["text"] for each in one["positive_passages"] + one["negative_passages"]))]
    )
    arguments = DataArguments(dataset_name="parquet", dataset_proc_num=1)
    arguments.train_path = [str(out)]
    read = tevatron.HFTrainDataset(words, arguments, str(tmp_path / "cache")).process()
    assert len(read) == len(rows)
    for got, one in zip(read, rows, strict=True):
        assert words.decode(got["query"]) == one["query"]
        for side in ("positive", "negative"):
            assert [words.decode(each) for each in got[f"{side}s"]] == [each["text"] for each in one[f"{side}_passages"]]


def test_the_corpus_is_read_as_well(tmp_path: Path) -> None:
    """`CorpusPreProcessor`, over the documents that rows name by id."""
    import datasets

    out = tmp_path / "train.jsonl"
    negforge.run("export tevatron", scored(), layout="ids", output=out)
    corpus = datasets.load_dataset(str(tmp_path / "train.corpus"), split="train", cache_dir=str(tmp_path / "cache"))
    words = tokenizer(corpus["text"][:])
    made = [tevatron.CorpusPreProcessor(words)(one) for one in corpus]
    texts = {one["text_id"]: words.decode(one["text"]) for one in made}
    named = {docid for one in rows_of(out) for side in ("positive", "negative") for docid in one[f"{side}_document_ids"]}
    assert texts.keys() == named
    assert texts["n1"] == "text 1"
