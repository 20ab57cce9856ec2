"""Pairs of a span and the one after it, for the spans of the same texts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import negforge
from negforge.errors import InputError, OptionError

TITLE = "ingest continuations"


def documents(path: Path, *texts: str) -> str:
    """A file of documents."""
    path.write_text("".join(json.dumps({"id": f"d{place}", "text": text, "lang": "en"}) + "\n" for place, text in enumerate(texts)))
    return str(path)


def test_each_span_is_followed_by_its_positive(tmp_path: Path) -> None:
    """A pair for each two spans in a row of one text, never across texts; ids are those of the spans, other columns travel."""
    source = documents(tmp_path / "docs.jsonl", "One two. Three four. Five.", "Alone here.", "Six seven. Eight nine.", " ")
    made = negforge.run(TITLE, source, span_words=2)
    assert made.kept.select("id", "anchor_id", "anchor", "positive_id", "positive", "group", "lang").rows() == [
        ("d0-0001", "d0-0000", "One two.", "d0-0001", "Three four.", "d0", "en"),
        ("d0-0002", "d0-0001", "Three four.", "d0-0002", "Five.", "d0", "en"),
        ("d2-0001", "d2-0000", "Six seven.", "d2-0001", "Eight nine.", "d2", "en"),
    ]
    assert made.report.counts["skipped"] == {"no-span": 1, "one-span": 1}


def test_the_number_of_words_is_asked_for(tmp_path: Path) -> None:
    """Spans of a corpus and its pairs must be cut alike, so that no default stands for one of them."""
    with pytest.raises(OptionError, match="span-words"):
        negforge.run(TITLE, documents(tmp_path / "docs.jsonl", "x"))


def test_bad_rows_are_put_by_where_they_are_allowed(tmp_path: Path) -> None:
    """A document without a text stops the run, or becomes a dropped row; no other document's spans change."""
    path = tmp_path / "docs.jsonl"
    rows = [{"id": 1, "text": "One two. Three."}, {"id": 2, "text": None}, {"id": None, "text": "x"}, {"id": 4, "text": "Four five. Six."}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    for title in (TITLE, "ingest corpus"):
        with pytest.raises(InputError, match="null or blank"):
            negforge.run(title, str(path), span_words=2)
        made = negforge.run(title, str(path), span_words=2, max_bad_rows=2)
        assert sorted({*made.kept["group"]}) == ["1", "4"]
        assert sorted(made.dropped["drop_reason"]) == ["blank-id", "blank-text"]
        assert "skipped" not in made.report.counts


def test_the_whole_way_of_rankgen(real_data: Path, tmp_path: Path) -> None:
    """Of SQuAD's articles as long texts: spans, pairs and negatives of the same text that are neither the prefix nor what follows."""
    articles = json.loads((real_data / "squad2_sample" / "small.json").read_text(encoding="utf-8"))["data"]
    texts = ["\n\n".join(part["context"] for part in article["paragraphs"]) for article in articles]
    source = documents(tmp_path / "docs.jsonl", *texts)
    corpus = negforge.run("ingest corpus", source, span_words=60).kept
    pairs = negforge.run(TITLE, source, span_words=60).kept
    assert (corpus.height, pairs.height) == (184, 182)
    for row in corpus.to_dicts():
        assert texts[int(row["group"][1:])][row["start"] : row["end"]] == row["text"]
    for order in ("random", "nearest"):
        made = negforge.run("generate mine.same-group", pairs, corpus=corpus, num_negatives=3, order=order).kept
        assert made.height == 3 * 182
        spans = {row["id"]: row for row in corpus.to_dicts()}
        for row in made.to_dicts():
            negative = spans[row["negative_id"]]
            assert negative["group"] == spans[row["positive_id"]]["group"]
            for right in (spans[row["anchor_id"]], spans[row["positive_id"]]):
                assert negative["start"] >= right["end"] or negative["end"] <= right["start"]
        assert made["offset_distance"].null_count() == 0
