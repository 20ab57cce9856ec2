"""Several miners in one run: every source of a candidate is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

import negforge
from negforge.cli import app
from negforge.errors import UsageError

TITLE = "generate mine.fused"


def test_candidates_are_those_of_the_lists_with_their_ranks_and_scores(pairs: pl.DataFrame, corpus: pl.DataFrame, model: str) -> None:
    """By hand from the two miners' own runs: the sum of 1 / (60 + rank), and each list's rank and raw score (texttron/tevatron#87)."""
    made = negforge.run(TITLE, pairs, corpus=corpus, model=model, num_negatives=6, depth=30).kept
    alone = {
        name: negforge.run(f"generate mine.{name}", pairs, corpus=corpus, num_negatives=30, depth=30, **more).kept
        for name, more in (("bm25", {}), ("dense", {"model": model}))
    }
    known = {name: {(row["anchor_id"], row["negative_id"]): row for row in frame.to_dicts()} for name, frame in alone.items()}
    for row in made.head(60).to_dicts():
        key = row["anchor_id"], row["negative_id"]
        assert row["score_rrf"] == pytest.approx(sum(1 / (60 + rank) for rank in row["ranks"]), abs=1e-9)
        assert row["miner"] == "+".join(row["miners"])
        for name, rank in zip(row["miners"], row["ranks"], strict=True):
            if key in known[name]:
                assert known[name][key]["rank"] == rank
                assert known[name][key][f"score_{name}"] == row[f"score_{name}"]
        for name in {"bm25", "dense"} - {*row["miners"]}:
            assert row[f"score_{name}"] is None
    order = made.sort("source_id", "rank").group_by("source_id", maintain_order=True).agg("score_rrf")
    assert all(scores == sorted(scores, reverse=True) for scores in order["score_rrf"].to_list())
    assert made["miner"].n_unique() == 3


def test_random_candidates_fill_what_the_others_leave(pairs: pl.DataFrame, corpus: pl.DataFrame, model: str) -> None:
    """An anchor that shares no word with the corpus gets texts drawn for it; others get theirs last."""
    odd = pl.DataFrame({"anchor_id": ["x"], "anchor": ["zzz qqq"], "positive": ["nothing of the kind"]})
    rows = pl.concat([pairs.select("anchor_id", "anchor", "positive").head(5), odd])
    made = negforge.run(TITLE, rows, corpus=corpus, miners=["bm25", "random"], num_negatives=4, depth=5)
    assert made.kept.filter(pl.col("anchor_id") == "x")["miner"].to_list() == ["random"] * 4
    assert made.report.counts["short"] == 0
    first = made.kept.filter(pl.col("rank") == 1, pl.col("anchor_id") != "x")
    assert first["miner"].str.contains("bm25").all()


def test_sampling_leaves_random_candidates_for_the_end(pairs: pl.DataFrame, corpus: pl.DataFrame) -> None:
    """Drawn among those of the lists, seeded; near the positive a huge `a` takes its neighbours by the sum; chance comes last."""
    given: dict[str, Any] = {"corpus": corpus, "miners": ["bm25", "random"], "num_negatives": 6}
    runs = [negforge.run("generate mine.fused", pairs, **given, sampling="random", batch_size=size).kept for size in (2, 10_000)]
    assert runs[0].sort("id").equals(runs[1].sort("id"))
    for _, rows in runs[0].sort("draw").group_by("source_id", maintain_order=True):
        chance = (rows["score_rrf"] == 0).to_list()
        assert chance == sorted(chance)
    assert runs[0].sort("source_id", "draw")["rank"].to_list() != sorted(runs[0]["rank"].to_list())
    one = pairs.head(1)
    near = negforge.run("generate mine.fused", one, **given, sampling="near-positive", sharpness=1e12).kept.sort("draw")
    listed = near.filter(pl.col("score_rrf") > 0)
    own = near.filter(pl.col("negative_id") == one["positive_id"][0])
    assert own["draw"].to_list() == [0]
    far = (listed["score_rrf"] - own["score_rrf"][0]).abs().to_list()
    assert far == sorted(far)


def test_vectors_and_the_list_that_wants_them_go_together(pairs: pl.DataFrame, corpus: pl.DataFrame, model: str) -> None:
    """Without either, words and chance; a model given to no list, or a list given none, is a fault."""
    made = negforge.run(TITLE, pairs, corpus=corpus, num_negatives=3).kept
    assert set(made["miners"].explode().unique()) == {"bm25", "random"}
    assert made["score_dense"].null_count() == made.height
    assert "score_dense_positive" not in made.columns
    with pytest.raises(UsageError, match="given and not used"):
        negforge.run(TITLE, pairs, corpus=corpus, model=model, miners=["bm25"])
    with pytest.raises(UsageError, match="neither a model nor vectors"):
        negforge.run(TITLE, pairs, corpus=corpus, miners=["dense"])


def test_a_miner_is_named_once(pairs: pl.DataFrame, corpus: pl.DataFrame, model: str) -> None:
    """Twice is a fault, and so is one that is none."""
    for miners in (["bm25", "bm25"], ["sparse"], []):
        with pytest.raises(UsageError):
            negforge.run(TITLE, pairs, corpus=corpus, model=model, miners=miners)


def test_command_line(tmp_path: Path, model: str, pairs: pl.DataFrame, corpus: pl.DataFrame) -> None:
    """Lists are named one by one."""
    pairs.write_parquet(tmp_path / "p.parquet")
    corpus.write_parquet(tmp_path / "c.parquet")
    line = ["generate", "mine.fused", str(tmp_path / "p.parquet"), "--corpus", str(tmp_path / "c.parquet"), "--model", model]
    result = CliRunner().invoke(app, [*line, "--miners", "dense", "--miners", "random", "--to", "jsonl", "--limit", "3"])
    assert result.exit_code == 0, result.stderr
    assert "asked 3, emitted 3" in result.stderr
    assert '"miners"' in result.stdout
