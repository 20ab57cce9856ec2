"""Scores by vectors: of the negative, of the positives, between them; null where a text has none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import negforge
from negforge.cli import app
from negforge.encoders import Encoder


def cosine(model: str, one: str, other: str) -> float:
    """The cosine of two texts, by hand."""
    left, right = Encoder(model).encode([one, other]).astype(float)
    return float(left @ right / np.linalg.norm(left) / np.linalg.norm(right))


def test_scores_are_those_of_the_model(pairs: pl.DataFrame, corpus: pl.DataFrame, model: str) -> None:
    """Each row's, and the weakest of its anchor's positives, whatever made the row."""
    mined = negforge.run("generate mine.bm25", pairs, corpus=corpus, num_negatives=3).kept
    made = negforge.run("score dense", mined, model=model).kept
    assert set(made["id"]) == set(mined["id"])
    for row in made.sort("id").head(12).to_dicts():
        assert row["score_dense"] == pytest.approx(cosine(model, row["anchor"], row["negative"]), abs=1e-5)
        assert row["score_dense_positive"] == pytest.approx(cosine(model, row["anchor"], row["positive"]), abs=1e-5)
        assert row["score_dense_between"] == pytest.approx(cosine(model, row["positive"], row["negative"]), abs=1e-5)
    weakest = made.group_by("anchor_id").agg(pl.col("score_dense_positive").min().alias("least"), pl.col("score_dense_weakest").unique())
    assert weakest["score_dense_weakest"].list.len().to_list() == [1] * weakest.height
    assert weakest["score_dense_weakest"].list.first().to_list() == weakest["least"].to_list()


def test_mined_scores_are_the_same_scores(pairs: pl.DataFrame, corpus: pl.DataFrame, model: str) -> None:
    """What mine.dense found out needs no scoring again: to the last digit."""
    mined = negforge.run("generate mine.dense", pairs, corpus=corpus, model=model, num_negatives=3).kept
    names = ["score_dense", "score_dense_positive", "score_dense_weakest"]
    again = negforge.run("score dense", mined.drop(names), model=model).kept
    assert again.sort("id").select("id", *names).equals(mined.sort("id").select("id", *names))


def test_a_text_without_a_vector_has_no_score(tmp_path: Path, pairs: pl.DataFrame, corpus: pl.DataFrame, model: str) -> None:
    """By id, of vectors that were brought; the others' scores stand."""
    mined = negforge.run("generate mine.dense", pairs, corpus=corpus, model=model, num_negatives=2).kept
    first = mined["negative_id"][0]
    anchors, texts = tmp_path / "a.parquet", tmp_path / "c.parquet"
    pl.DataFrame({"id": mined["anchor_id"].unique(), "vector": [[1.0, 0.5]] * mined["anchor_id"].n_unique()}).write_parquet(anchors)
    rest = corpus["id"].filter(corpus["id"] != first)
    pl.DataFrame({"id": rest, "vector": [[0.5, 1.0]] * len(rest)}).write_parquet(texts)
    made = negforge.run("score dense", mined.drop("score_dense"), anchor_vectors=str(anchors), corpus_vectors=str(texts)).kept
    missing = made["negative_id"] == first
    assert made.filter(missing)["score_dense"].null_count() == int(missing.sum()) > 0
    assert made.filter(~missing)["score_dense"].to_numpy() == pytest.approx(0.8, abs=1e-6)


def test_command_line(tmp_path: Path, pairs: pl.DataFrame, corpus: pl.DataFrame, model: str) -> None:
    """Quantiles of the scores on stderr, rows in the file."""
    negforge.run("generate mine.random", pairs, corpus=corpus, num_negatives=2).kept.write_parquet(tmp_path / "n.parquet")
    out = tmp_path / "scored.parquet"
    result = CliRunner().invoke(app, ["score", "dense", str(tmp_path / "n.parquet"), "--model", model, "-o", str(out)])
    assert result.exit_code == 0, result.stderr
    assert "score_dense_between: min" in result.stderr
    assert pl.read_parquet(out)["score_dense"].null_count() == 0
