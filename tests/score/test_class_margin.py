"""Margins between class centroids: by hand, null where nothing can be said, a wrong label below 0."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import negforge
from negforge.cli import app
from negforge.encoders import Encoder


@pytest.fixture
def mined(pairs: pl.DataFrame, corpus: pl.DataFrame) -> pl.DataFrame:
    """Rows whose class is `topic`; some positives stand in one row, others in several."""
    rows = negforge.run("generate mine.random", pairs, corpus=corpus, num_negatives=3).kept.sort("positive", "id")
    place = pl.int_range(pl.len()).over("positive")
    return rows.filter((place == 0) | (pl.col("positive").rank("dense") % 2 == 0))


def test_margins_by_hand(mined: pl.DataFrame, model: str) -> None:
    """Means of distinct unit vectors; a positive that stands in many rows counts once."""
    made = negforge.run("score class-margin", mined, model=model, label="topic").kept
    units: dict[str, list[np.ndarray]] = {}
    unit = {}
    for topic, text in mined.select("topic", "positive").unique().sort("topic", "positive").iter_rows():
        vector = Encoder(model).encode([text])[0].astype(float)
        unit[text] = vector / np.linalg.norm(vector)
        units.setdefault(topic, []).append(unit[text])
    means = {topic: np.mean(vectors, axis=0) for topic, vectors in units.items()}
    assert len(means) > 1
    for row in made.to_dicts():
        away = {topic: float(np.linalg.norm(unit[row["positive"]] - mean)) for topic, mean in means.items()}
        mine = away.pop(row["topic"])
        assert row["score_class_margin"] == pytest.approx(min(away.values()) - mine, abs=1e-5)
        assert row["class_margin_nearest"] == min(away, key=away.__getitem__)


def test_null_without_a_label_or_a_second_class(mined: pl.DataFrame, model: str) -> None:
    """No class is nearest where there is but one."""
    for rows in (mined.with_columns(topic=pl.lit(None, pl.String)), mined.with_columns(topic=pl.lit("one"))):
        made = negforge.run("score class-margin", rows, model=model, label="topic").kept
        assert made["score_class_margin"].null_count() == made["class_margin_nearest"].null_count() == made.height > 0


def test_command_line(tmp_path: Path, mined: pl.DataFrame, model: str) -> None:
    """Quantiles on stderr, rows in the file."""
    mined.write_parquet(tmp_path / "n.parquet")
    out = tmp_path / "scored.parquet"
    words = ["score", "class-margin", str(tmp_path / "n.parquet"), "--model", model, "--label", "topic", "-o", str(out)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.stderr
    assert "score_class_margin: min" in result.stderr
    assert pl.read_parquet(out)["score_class_margin"].null_count() == 0
