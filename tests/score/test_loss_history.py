"""Losses over epochs: by hand, the paper's two kinds of bad pairs, scores in place of losses, every fault of a history told."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import negforge
from negforge.cli import app
from negforge.errors import InputError, UsageError


@pytest.fixture
def mined(pairs: pl.DataFrame, corpus: pl.DataFrame) -> pl.DataFrame:
    """Rows of pairs, some of which stand in several."""
    return negforge.run("generate mine.bm25", pairs, corpus=corpus, num_negatives=3).kept


def rows_of(mined: pl.DataFrame, ids: list[str]) -> pl.DataFrame:
    """A row for each pair."""
    again = mined[[at % mined.height for at in range(len(ids))]]
    return again.with_columns(pl.Series("source_id", ids), pl.Series("id", [f"row-{one}" for one in ids]))


def scored(rows: pl.DataFrame, history: pl.DataFrame, folder: Path, **options: Any) -> pl.DataFrame:
    """The rows, by a history in a file."""
    history.write_parquet(folder / "history.parquet")
    return negforge.run("score loss-history", rows, history=str(folder / "history.parquet"), **options).kept


def test_by_hand(mined: pl.DataFrame, tmp_path: Path) -> None:
    """Late epochs count more; epochs in any order, a row that repeats another once, a pair of the history that has no row."""
    history = pl.DataFrame(
        {
            "id": ["a", "a", "a", "b", "b", "b", "c", "d"],
            "epoch": [1, 0, 1, 0, 1, 2, 5, 0],
            "loss": [2.0, 5.0, 2.0, 1.0, 1.0, 4.0, 7.0, 3.0],
        }
    )
    means = {"a": (1 * 5 + 2 * 2) / 3, "b": (1 + 2 + 3 * 4) / 6, "c": 7.0, "d": 3.0}
    mu, sd = np.mean([*means.values()]), np.std([*means.values()])
    made = scored(rows_of(mined, ["a", "b", "c", "e"]), history, tmp_path, low=0.5, high=0.5).sort("source_id")
    assert made["score_loss_history"].to_list() == [pytest.approx(means["a"]), pytest.approx(means["b"]), 7.0, None]
    assert made["loss_history_flag"].to_list() == ["noisy" if means["a"] <= mu - sd / 2 else "ok", "noisy", "faulty", None]
    last = {"a": 2.0, "b": 4.0, "c": 7.0}
    for row in made.head(3).to_dicts():
        density = math.exp(-0.5 * ((last[row["source_id"]] - mu) / sd) ** 2) / (sd * math.sqrt(2 * math.pi))
        assert row["score_loss_history_weight"] == pytest.approx(1.0 if row["loss_history_flag"] == "ok" else density)
    assert made["score_loss_history_weight"][3] is None


def test_planted_bad_pairs_are_flagged_on_the_right_sides(mined: pl.DataFrame, tmp_path: Path) -> None:
    """1,000 losses of N(1, 0.1), 10 at 0.2 and 10 at 3, over four epochs."""
    draw = np.random.default_rng(3)
    kinds = {**{f"good-{n}": draw.normal(1, 0.1) for n in range(1000)}}
    kinds |= {**{f"low-{n}": 0.2 for n in range(10)}, **{f"high-{n}": 3.0 for n in range(10)}}
    history = pl.DataFrame([{"id": name, "epoch": epoch, "loss": loss} for epoch in (3, 0, 2, 1) for name, loss in kinds.items()])
    made = scored(rows_of(mined, [*kinds]), history, tmp_path)
    kind = pl.col("source_id").str.extract("^([a-z]+)")
    flags = {name: [*part["loss_history_flag"].unique()] for (name,), part in made.with_columns(kind.alias("kind")).group_by("kind")}
    assert flags["low"] == ["noisy"]
    assert flags["high"] == ["faulty"]
    assert made.filter(kind == "good", pl.col("loss_history_flag") != "ok").height < 10
    assert made.filter(kind == "good")["score_loss_history_weight"].min() == 1.0
    assert made.filter(kind == "high")["score_loss_history_weight"].max() < 1e-6  # type: ignore[operator]
    kept = negforge.run("filter where", made, keep="loss_history_flag = 'ok'").kept
    assert kept.filter(kind != "good").height == 0


def test_a_density_above_one_is_clipped(mined: pl.DataFrame, tmp_path: Path) -> None:
    """Of a small deviation the density near the mean is large; a weight is none the more."""
    history = pl.DataFrame({"id": ["a", "b", "c"] * 2, "epoch": [0] * 3 + [9] * 3, "loss": [0.1, 0.1, 0.9, 0.1, 0.1, 0.3]})
    made = scored(rows_of(mined, ["a", "b", "c"]), history, tmp_path, high=0.1, low=9).sort("source_id")
    assert made["loss_history_flag"].to_list() == ["ok", "ok", "faulty"]
    sd = np.std(made["score_loss_history"].to_numpy())
    assert sd < 0.2
    assert made["score_loss_history_weight"].to_list() == [1.0, 1.0, 1.0]


def test_equal_losses_flag_nobody(mined: pl.DataFrame, tmp_path: Path) -> None:
    """Without a deviation no pair is far from the others."""
    made = scored(rows_of(mined, ["a", "b"]), pl.DataFrame({"id": ["a", "b"], "epoch": [0, 0], "loss": [0.5, 0.5]}), tmp_path)
    assert made["loss_history_flag"].to_list() == ["ok", "ok"]
    assert made["score_loss_history_weight"].to_list() == [1.0, 1.0]


def test_scores_stand_in_for_losses(mined: pl.DataFrame) -> None:
    """Minus their mean, a pair counting once however many rows it has; low scores are high losses."""
    rows = mined.with_columns(
        pl.col("positive").str.len_chars().alias("score_one_positive"),
        pl.col("positive").str.len_bytes().sqrt().alias("score_two_positive"),
    )
    columns = ["score_one_positive", "score_two_positive"]
    made = negforge.run("score loss-history", rows, columns=columns, low=1, high=1).kept
    of_pair = made.group_by("source_id").agg(pl.col("score_loss_history").first(), pl.len())
    assert of_pair["len"].n_unique() > 1
    values = of_pair["score_loss_history"].to_numpy()
    mu, sd = values.mean(), values.std()
    for row in made.to_dicts():
        loss = -(row[columns[0]] + row[columns[1]]) / 2
        assert row["score_loss_history"] == pytest.approx(loss)
        assert row["loss_history_flag"] == ("noisy" if loss <= mu - sd else "faulty" if loss >= mu + sd else "ok")
    assert {*made["loss_history_flag"]} == {"noisy", "faulty", "ok"}
    some = rows.with_columns(pl.when(pl.col("source_id") != rows["source_id"][0]).then("score_two_positive").alias("score_two_positive"))
    partly = negforge.run("score loss-history", some, columns=columns).kept
    assert partly.filter(pl.col("score_loss_history").is_null())["source_id"].unique().to_list() == [rows["source_id"][0]]


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
def test_forms_of_a_history(mined: pl.DataFrame, tmp_path: Path, suffix: str) -> None:
    """Ids that are numbers in one file are text in the other."""
    path = tmp_path / f"history{suffix}"
    frame = pl.DataFrame({"id": [1, 2, 2], "epoch": [0, 0, 1], "loss": [0.5, 1.0, 2.5]})
    getattr(frame, {".parquet": "write_parquet", ".csv": "write_csv", ".jsonl": "write_ndjson"}[suffix])(path)
    made = negforge.run("score loss-history", rows_of(mined, ["1", "2"]), history=str(path)).kept.sort("source_id")
    assert made["score_loss_history"].to_list() == [0.5, 2.0]


BAD: dict[str, tuple[dict[str, list[Any]], str, str]] = {
    "no column": ({"id": ["a"], "epoch": [0], "losses": [1.0]}, "column 'loss' is not in", "losses"),
    "NaN": ({"id": ["a", "a"], "epoch": [0, 1], "loss": [1.0, math.nan]}, "no loss of an epoch", "row 2"),
    "null": ({"id": ["a"], "epoch": [0], "loss": [None]}, "no loss of an epoch", "row 1"),
    "an epoch below 0": ({"id": ["a"], "epoch": [-1], "loss": [1.0]}, "no loss of an epoch", "epoch -1"),
    "half an epoch": ({"id": ["a"], "epoch": [0.5], "loss": [1.0]}, "no loss of an epoch", "epoch 0.5"),
    "a text": ({"id": ["a"], "epoch": [0], "loss": ["high"]}, "no loss of an epoch", "'high'"),
    "no id": ({"id": [None, "a"], "epoch": [0, 0], "loss": [1.0, 1.0]}, "no loss of an epoch", "row 1"),
    "two losses": ({"id": ["b", "a", "a"], "epoch": [4, 4, 4], "loss": [1.0, 1.0, 2.0]}, "two losses in one epoch", "pair 'a', epoch 4"),
    "other pairs": ({"id": ["z"], "epoch": [0], "loss": [1.0]}, "has no pair of the table", "'a'"),
}


@pytest.mark.parametrize("case", BAD)
def test_faults_of_a_history(case: str, mined: pl.DataFrame, tmp_path: Path) -> None:
    """Each is told with its row or pair, exit code 3."""
    columns, what, where = BAD[case]
    with pytest.raises(InputError, match=what) as error:
        scored(rows_of(mined, ["a"]), pl.DataFrame(columns, strict=False), tmp_path)
    assert where in error.value.where
    assert error.value.mend


def test_faults_of_the_command(mined: pl.DataFrame, tmp_path: Path) -> None:
    """Neither or both, a column that is not there or holds no numbers, a file that is not there."""
    with pytest.raises(UsageError, match="none of --columns, --history"):
        negforge.run("score loss-history", mined)
    with pytest.raises(UsageError, match="both"):
        negforge.run("score loss-history", mined, columns=["score_bm25"], history=str(tmp_path / "h.csv"))
    with pytest.raises(InputError, match="'score_bm2'") as error:
        negforge.run("score loss-history", mined, columns=["score_bm2"])
    assert error.value.mend == "did you mean score_bm25?"
    with pytest.raises(InputError, match="'negative'"):
        negforge.run("score loss-history", mined, columns=["negative"])
    with pytest.raises(InputError):
        negforge.run("score loss-history", mined, history=str(tmp_path / "h.csv"))


def test_command_line(tmp_path: Path, mined: pl.DataFrame) -> None:
    """Quantiles on stderr, rows in the file; an option that may be repeated."""
    mined.with_columns(pl.col("score_bm25").alias("score_other")).write_parquet(tmp_path / "n.parquet")
    out = tmp_path / "scored.parquet"
    words = ["score", "loss-history", str(tmp_path / "n.parquet"), "--columns", "score_bm25", "--columns", "score_other"]
    result = CliRunner().invoke(app, [*words, "-o", str(out)])
    assert result.exit_code == 0, result.stderr
    assert "score_loss_history: min" in result.stderr
    assert pl.read_parquet(out)["loss_history_flag"].null_count() == 0
