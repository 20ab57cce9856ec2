"""Margins between class centroids: by hand, null where nothing can be said, a wrong label below 0."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import negforge
from negforge import labelled, partitions
from negforge.cli import app
from negforge.encoders import Encoder
from negforge.errors import InputError
from negforge.score import class_margin


@pytest.fixture
def mined(pairs: pl.DataFrame, corpus: pl.DataFrame) -> pl.DataFrame:
    """Rows whose class is `topic`; some positives stand in one row, others in several."""
    rows = negforge.run("generate mine.random", pairs, corpus=corpus, num_negatives=3).kept.sort("positive", "id")
    place = pl.int_range(pl.len()).over("positive")
    return rows.filter((place == 0) | (pl.col("positive").rank("dense") % 2 == 0))


def by_hand(rows: pl.DataFrame, model: str) -> dict[tuple[str, str], tuple[float, str]]:
    """The margin and the nearest wrong class of each (label, text), one by one."""
    unit: dict[str, np.ndarray] = {}
    of_label: dict[str, list[str]] = {}
    for topic, text in rows.select("topic", "positive").drop_nulls().unique().sort("topic", "positive").iter_rows():
        vector = Encoder(model).encode([text])[0].astype(float)
        unit[text] = vector / np.linalg.norm(vector)
        of_label.setdefault(topic, []).append(text)
    means = {topic: np.mean([unit[text] for text in texts], axis=0) for topic, texts in of_label.items()}
    found = {}
    for topic, texts in of_label.items():
        for text in texts:
            away = {name: float(np.linalg.norm(unit[text] - mean)) for name, mean in means.items()}
            mine = away.pop(topic)
            found[topic, text] = min(away.values()) - mine, min(away, key=away.__getitem__)
    return found


@pytest.mark.parametrize("block", [3, 1 << 13])
def test_margins_by_hand(mined: pl.DataFrame, model: str, monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    """Means of distinct unit vectors, in blocks of any size; a positive that stands in many rows counts once."""
    monkeypatch.setattr(class_margin, "_BLOCK", block)
    monkeypatch.setattr(labelled, "_BLOCK", block)
    monkeypatch.setattr(partitions, "_BLOCK", block)
    monkeypatch.setattr(class_margin, "_CELLS_AT_ONCE", 4 * block)
    made = negforge.run("score class-margin", mined, model=model, label="topic", workers=1).kept
    expected = by_hand(mined, model)
    assert mined["topic"].n_unique() > 2
    for row in made.to_dicts():
        margin, nearest = expected[row["topic"], row["positive"]]
        assert row["score_class_margin"] == pytest.approx(margin, abs=1e-6)
        assert row["class_margin_nearest"] == nearest


def test_a_text_of_two_classes_is_a_member_of_both(mined: pl.DataFrame, model: str) -> None:
    """Each of its rows is scored under the label that it has there; labels may be numbers."""
    topics = mined["topic"].unique().sort()
    numbered = mined.with_columns(topic=pl.col("topic").replace_strict(topics, [str(at) for at in range(len(topics))]))
    again = numbered.filter(pl.col("topic") == "0").with_columns(pl.col("id") + "-again", topic=pl.lit("1"))
    rows = pl.concat([numbered, again]).with_columns(pl.col("topic").cast(pl.Int64))
    made = negforge.run("score class-margin", rows, model=model, label="topic").kept
    expected = by_hand(rows.with_columns(pl.col("topic").cast(pl.String)), model)
    for row in made.to_dicts():
        assert row["score_class_margin"] == pytest.approx(expected[str(row["topic"]), row["positive"]][0], abs=1e-6)
    both = made.filter(pl.col("id").str.ends_with("-again"))
    assert (both["class_margin_nearest"] != "1").all()


def test_a_wrong_label_is_below_zero(model: str, mined: pl.DataFrame) -> None:
    """A text alone in another's class is nearer to its own kind."""
    texts = ["the deep lake", "a deep lake", "deep lake water", "the old tower", "an old tower", "old tower stone"]
    rows = mined.head(7).with_columns(
        pl.Series("positive", [*texts, "the deep lake water"]), pl.Series("topic", ["lake"] * 3 + ["tower"] * 4)
    )
    made = negforge.run("score class-margin", rows, model=model, label="topic").kept
    wrong = made.filter(pl.col("positive") == "the deep lake water")
    assert wrong["class_margin_nearest"].item() == "lake"
    assert wrong["score_class_margin"].item() < 0
    assert (made.filter(pl.col("id") != wrong["id"].item())["score_class_margin"] > 0).all()
    kept = negforge.run("filter where", made, keep="score_class_margin >= 0").kept
    assert {*made["id"]} - {*kept["id"]} == {*wrong["id"]}


def test_equal_classes_tie_by_name(model: str, mined: pl.DataFrame) -> None:
    """Of two wrong classes with the same texts the first by name is nearest."""
    rows = mined.head(3).with_columns(pl.Series("positive", ["deep lake", "old tower", "old tower"]), pl.Series("topic", ["c", "b", "a"]))
    made = negforge.run("score class-margin", rows, model=model, label="topic").kept
    assert made.sort("topic")["class_margin_nearest"].to_list() == ["b", "a", "a"]
    assert made.filter(pl.col("topic") == "a")["score_class_margin"].item() == 0.0


def test_null_without_a_label_or_a_second_class(mined: pl.DataFrame, model: str) -> None:
    """No class is nearest where there is but one; a row without a class belongs to none."""
    for rows in (mined.with_columns(topic=pl.lit(None, pl.String)), mined.with_columns(topic=pl.lit("one"))):
        made = negforge.run("score class-margin", rows, model=model, label="topic").kept
        assert made["score_class_margin"].null_count() == made["class_margin_nearest"].null_count() == made.height > 0
    first = mined["positive"][0]
    some = mined.with_columns(topic=pl.when(pl.col("positive") != first).then("topic"))
    made = negforge.run("score class-margin", some, model=model, label="topic").kept
    assert made.filter(pl.col("score_class_margin").is_null())["positive"].unique().to_list() == [first]


def test_a_column_of_classes_that_is_not_there(mined: pl.DataFrame, model: str) -> None:
    """The columns there are, and the nearest name; lists are no classes."""
    with pytest.raises(InputError, match="no column 'topics' of classes") as error:
        negforge.run("score class-margin", mined, model=model, label="topics")
    assert error.value.mend == "did you mean topic?"
    assert "anchor_id" in error.value.where
    with pytest.raises(InputError, match="names no class"):
        negforge.run("score class-margin", mined, model=model, label="evidence")


def test_command_line(tmp_path: Path, mined: pl.DataFrame, model: str) -> None:
    """Quantiles on stderr, rows in the file."""
    mined.write_parquet(tmp_path / "n.parquet")
    out = tmp_path / "scored.parquet"
    words = ["score", "class-margin", str(tmp_path / "n.parquet"), "--model", model, "--label", "topic", "-o", str(out)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.stderr
    assert "score_class_margin: min" in result.stderr
    assert pl.read_parquet(out)["score_class_margin"].null_count() == 0
