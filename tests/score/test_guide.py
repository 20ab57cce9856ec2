"""Scores by a guide: those of `score dense` with that model, beside the miner's, and what `filter guide` reads."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

import negforge
from negforge.cli import app
from tests.models import static_model

NAMES = ["score_guide", "score_guide_positive", "score_guide_weakest"]


@pytest.fixture
def guide(tmp_path: Path) -> str:
    """A model that is not the miner's."""
    return str(static_model(tmp_path / "guide", seed=7))


def test_scores_are_those_of_dense_by_the_guide(pairs: pl.DataFrame, corpus: pl.DataFrame, model: str, guide: str) -> None:
    """To the last digit, and the miner's own scores stay as they were."""
    mined = negforge.run("generate mine.dense", pairs, corpus=corpus, model=model, num_negatives=3).kept
    made = negforge.run("score guide", mined, model=guide).kept.sort("id")
    dense = negforge.run("score dense", mined.drop(pl.selectors.starts_with("score_dense")), model=guide).kept.sort("id")
    for name in NAMES:
        assert made[name].to_list() == dense[name.replace("guide", "dense")].to_list()
    assert "score_guide_between" not in made.columns
    assert made["score_dense"].to_list() == mined.sort("id")["score_dense"].to_list() != made["score_guide"].to_list()


def test_the_filter_reads_them(pairs: pl.DataFrame, corpus: pl.DataFrame, model: str, guide: str) -> None:
    """Exactly the negatives that the guide puts above the weakest positive go; what is proven positive passes."""
    mined = negforge.run("generate mine.dense", pairs, corpus=corpus, model=model, num_negatives=3).kept
    made = negforge.run("score guide", mined, model=guide).kept
    kept = negforge.run("filter guide", made).kept
    right = made.filter((pl.col("score_guide") <= pl.col("score_guide_weakest")) | (pl.col("label") == "positive"))
    assert 0 < right.height < made.height
    assert set(kept["id"]) == set(right["id"])


def test_command_line(tmp_path: Path, pairs: pl.DataFrame, corpus: pl.DataFrame, guide: str) -> None:
    """Quantiles of the scores on stderr, rows in the file."""
    negforge.run("generate mine.random", pairs, corpus=corpus, num_negatives=2).kept.write_parquet(tmp_path / "n.parquet")
    out = tmp_path / "scored.parquet"
    result = CliRunner().invoke(app, ["score", "guide", str(tmp_path / "n.parquet"), "--model", guide, "-o", str(out)])
    assert result.exit_code == 0, result.stderr
    assert "score_guide: min" in result.stderr
    assert pl.read_parquet(out)["score_guide"].null_count() == 0
