"""Scores by the part of the anchor a candidate is nearest to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import negforge
from negforge.cli import app
from negforge.encoders import Encoder
from negforge.score.span import spans_of

ANCHOR = "The bridge of the city is old. Crater Lake is deep"


def scored(model: str, rows: list[tuple[str, str, str]], **options: Any) -> pl.DataFrame:
    """Rows of (anchor, positive, negative), scored, in their order."""
    pairs = pl.DataFrame(
        [(f"p{n}", f"q-{anchor}", anchor, positive) for n, (anchor, positive, _) in enumerate(rows)],
        schema=["id", "anchor_id", "anchor", "positive"],
        orient="row",
    )
    corpus = pl.DataFrame({"id": [f"c{n}" for n in range(len(rows))], "text": [negative for *_, negative in rows]})
    mined = negforge.run("generate mine.random", pairs, corpus=corpus, num_negatives=len(rows), verify=False).kept
    wanted = pl.DataFrame(rows, schema=["anchor", "positive", "negative"], orient="row")
    made = negforge.run("score span", mined, model=model, **options).kept
    return wanted.join(made, on=["anchor", "positive", "negative"], how="left", maintain_order="left").unique(
        ["anchor", "positive", "negative"], keep="first", maintain_order=True
    )


def cosine(model: str, one: str, other: str) -> float:
    """The cosine of two texts, by hand."""
    left, right = Encoder(model).encode([one, other]).astype(float)
    return float(left @ right / np.linalg.norm(left) / np.linalg.norm(right))


def test_a_right_answer_to_one_part_is_found(model: str) -> None:
    """What two words of the anchor say scores 1, however far it is from the whole; and the words are named."""
    row = scored(model, [(ANCHOR, "old", "Crater Lake")]).to_dicts()[0]
    assert row["score_span"] == pytest.approx(1.0, abs=1e-6)
    assert row["span_matched"] == "Crater Lake"
    assert cosine(model, ANCHOR, "Crater Lake") < 0.8
    assert row["score_span_positive"] == pytest.approx(1.0, abs=1e-6)


def test_the_score_is_the_greatest_of_all_spans(model: str) -> None:
    """By hand, over every span of 1 to 6 words; fewer words give fewer spans."""
    row = scored(model, [(ANCHOR, "deep lake", "the height of the bridge in the city of Lake")]).to_dicts()[0]
    by_hand = {span: cosine(model, span, row["negative"]) for span in spans_of(ANCHOR, 6)}
    assert row["score_span"] == pytest.approx(max(by_hand.values()), abs=1e-5)
    assert row["span_matched"] == max(by_hand, key=by_hand.__getitem__)
    assert row["score_span_positive"] == pytest.approx(max(cosine(model, span, "deep lake") for span in by_hand), abs=1e-5)
    short = scored(model, [(ANCHOR, "deep lake", "the height of the bridge in the city of Lake")], max_words=1)
    assert short["score_span"][0] < row["score_span"]


def test_a_long_candidate_is_compared_by_sentence(model: str) -> None:
    """One sentence of a passage that says what the anchor's part says is enough."""
    passage = "It was built of stone and stands on the coast by the river. Crater Lake. There are many trees and animals in the park."
    assert scored(model, [(ANCHOR, "old", passage)])["score_span"][0] == pytest.approx(1.0, abs=1e-6)


def test_the_weakest_of_an_anchors_positives(model: str) -> None:
    """Over all rows of the anchor."""
    made = scored(model, [(ANCHOR, "old", "river"), (ANCHOR, "tall mountain", "river")])
    assert made["score_span_weakest"].to_list() == [made["score_span_positive"].min()] * 2


def test_a_text_without_a_word_has_no_score(model: str) -> None:
    """Neither an anchor of signs nor a negative of them; what is not to be compared is null, not 0."""
    made = scored(model, [("?!", "old", "river"), (ANCHOR, "old", "...")])
    assert made["score_span"].null_count() == 2
    assert made["span_matched"].null_count() == 2
    assert made["score_span_positive"].to_list() == [None, pytest.approx(1.0, abs=1e-6)]


@pytest.mark.parametrize(
    ("text", "words", "spans"),
    [
        ("HTML, C++ (and C#)", 2, ["HTML", "HTML, C++", "C++", "C++ (and", "and", "and C#", "C#"]),
        ("Use Node.js. Now!", 3, ["Use", "Use Node.js", "Node.js", "Now"]),
        ("日本 go", 2, ["日", "日本", "本", "本 go", "go"]),
        ("a a a", 2, ["a", "a a"]),
        ("- , ;", 6, []),
    ],
)
def test_spans(text: str, words: int, spans: list[str]) -> None:
    """Words without the signs around them, but with those that are theirs; none across a clause's end; each once."""
    assert spans_of(text, words) == spans


@given(st.text(), st.integers(1, 6))
def test_spans_stand_in_the_text(text: str, words: int) -> None:
    """Each span is a piece of the text, of at most so many runs."""
    for span in spans_of(text, words):
        assert span in text
        assert span.strip() == span != ""


def test_command_line(tmp_path: Path, model: str, pairs: pl.DataFrame, corpus: pl.DataFrame) -> None:
    """It needs a model, and says so."""
    negforge.run("generate mine.bm25", pairs, corpus=corpus, num_negatives=2).kept.write_parquet(tmp_path / "n.parquet")
    line = ["score", "span", str(tmp_path / "n.parquet"), "-o", str(tmp_path / "s.parquet")]
    result = CliRunner().invoke(app, line)
    assert result.exit_code == 2
    assert "--model" in result.stderr
    result = CliRunner().invoke(app, [*line, "--model", model])
    assert result.exit_code == 0, result.stderr
    assert "score_span_weakest: min" in result.stderr
    made = pl.read_parquet(tmp_path / "s.parquet")
    assert all(span in anchor for span, anchor in made.select("span_matched", "anchor").drop_nulls().iter_rows())
