"""Labels of the nearest texts: by hand, a class of two modes beside an intruder, texts that stand in many rows."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import negforge
from negforge import rng
from negforge.cli import app
from negforge.encoders import Encoder
from negforge.errors import InputError
from negforge.score import neighbours


@pytest.fixture
def mined(pairs: pl.DataFrame, corpus: pl.DataFrame) -> pl.DataFrame:
    """Rows whose class is `topic`, several of each positive."""
    return negforge.run("generate mine.random", pairs, corpus=corpus, num_negatives=3).kept


def rows_of(mined: pl.DataFrame, texts: dict[str, str]) -> pl.DataFrame:
    """A row for each positive, with its class."""
    return mined.head(len(texts)).with_columns(pl.Series("positive", [*texts]), pl.Series("topic", [*texts.values()]))


def by_hand(rows: pl.DataFrame, model: str, k: int, column: str = "positive") -> dict[tuple[str, str], tuple[float, str]]:
    """The share and the majority of each (text, label), from every cosine."""
    labels: dict[str, set[str]] = {}
    for text, label in rows.select(column, "topic").drop_nulls().iter_rows():
        labels.setdefault(text, set()).add(label)
    texts = [*labels]
    high, low = rng.strings128(pl.Series(texts))
    order = np.lexsort((low, high))
    texts = [texts[at] for at in order.tolist()]
    vectors = Encoder(model).encode(texts).astype(float)
    unit = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32).astype(float)
    found = {}
    for at, text in enumerate(texts):
        scores = np.round((unit * unit[at]).sum(axis=1), 9)
        nearest = [other for other in np.lexsort((np.arange(len(texts)), -scores)).tolist() if other != at][:k]
        votes = Counter(label for other in nearest for label in labels[texts[other]])
        most = min(votes, key=lambda label: (-votes[label], label))
        for label in labels[text]:
            found[text, label] = votes[label] / len(nearest), most
    return found


@pytest.mark.parametrize(("k", "column"), [(1, "positive"), (20, "positive"), (7, "negative"), (500, "anchor")])
def test_shares_by_hand(mined: pl.DataFrame, model: str, monkeypatch: pytest.MonkeyPatch, k: int, column: Any) -> None:
    """Of each distinct text the k nearest others, however often each stands, in blocks of any size; texts of several labels too."""
    monkeypatch.setattr(neighbours, "_TEXTS_AT_ONCE", 17)
    made = negforge.run("score neighbours", mined, model=model, label="topic", neighbours=k, text=column, workers=1).kept
    expected = by_hand(mined, model, k, column)
    assert any(share not in (0, 1) for share, _ in expected.values()) or k == 1
    for row in made.to_dicts():
        share, most = expected[row[column], row["topic"]]
        assert row["score_neighbours"] == pytest.approx(share)
        assert row["neighbours_majority"] == most


def test_two_modes_of_a_class_and_an_intruder(mined: pl.DataFrame, model: str) -> None:
    """Both modes agree with themselves; what stands among another class does not, though it may be nearer to its own centre."""
    lakes = dict.fromkeys(("the deep lake", "a deep lake", "deep lake water", "cold deep lake", "deep cold lake water"), "places")
    towers = dict.fromkeys(("the old tower", "an old tower", "old tower wide", "high old tower", "the high old tower"), "places")
    kings = dict.fromkeys(("first king", "a first king", "first king city", "first long king city", "king first wide"), "people")
    rows = rows_of(mined, {**lakes, **towers, **kings, "first long king": "places"})
    made = negforge.run("score neighbours", rows, model=model, label="topic", neighbours=3).kept
    found = {row["positive"]: (row["score_neighbours"], row["neighbours_majority"]) for row in made.to_dicts()}
    assert found["first long king"] == (0.0, "people")
    assert all(found[text] == (1.0, "places") for text in {**lakes, **towers})
    kept = negforge.run("filter where", made, keep="score_neighbours >= 0.5").kept
    assert {*made["positive"]} - {*kept["positive"]} == {"first long king"}


def test_more_copies_than_neighbours(mined: pl.DataFrame, model: str) -> None:
    """Texts that no cosine tells apart: none is its own neighbour, and each has as many as were asked for."""
    texts = {f"{gap.join(['deep', 'lake'])}": label for gap, label in ((" " * n, "ab"[n % 2]) for n in range(1, 9))}
    made = negforge.run("score neighbours", rows_of(mined, texts), model=model, label="topic", neighbours=2).kept
    expected = by_hand(rows_of(mined, texts), model, 2)
    assert {(row["positive"], row["topic"]): row["score_neighbours"] for row in made.to_dicts()} == {
        key: share for key, (share, _) in expected.items()
    }


def test_null_where_nobody_can_be_asked(mined: pl.DataFrame, model: str) -> None:
    """One text alone, or a row without a class."""
    one = rows_of(mined, {"deep lake": "a"})
    made = negforge.run("score neighbours", one, model=model, label="topic").kept
    assert made.select("score_neighbours", "neighbours_majority").row(0) == (None, None)
    some = rows_of(mined, {"deep lake": "a", "old tower": "a", "first king": "b"}).with_columns(
        topic=pl.when(pl.col("topic") == "a").then("topic")
    )
    made = negforge.run("score neighbours", some, model=model, label="topic").kept.sort("topic", nulls_last=True)
    assert made["score_neighbours"].to_list() == [1.0, 1.0, None]
    with pytest.raises(InputError, match="no column 'class'"):
        negforge.run("score neighbours", some, model=model, label="class")


def test_command_line(tmp_path: Path, mined: pl.DataFrame, model: str) -> None:
    """Quantiles on stderr, rows in the file; `filter where` reads the score."""
    mined.write_parquet(tmp_path / "n.parquet")
    out = tmp_path / "scored.parquet"
    words = ["score", "neighbours", str(tmp_path / "n.parquet"), "--model", model, "--label", "topic", "--neighbours", "5", "-o", str(out)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.stderr
    assert "score_neighbours: min" in result.stderr
    assert pl.read_parquet(out)["score_neighbours"].is_between(0, 1).all()
