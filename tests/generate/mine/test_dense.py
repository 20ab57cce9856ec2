"""The nearest texts by vectors: order, scores, what an anchor's positives cost, sampling, and the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import negforge
from negforge.cli import app
from negforge.mining import arranged
from negforge.rng import Rng


def circle(degrees: dict[str, float], path: Path) -> str:
    """Vectors on a circle, by id: what is near is plain to see."""
    turned = [[float(np.cos(np.radians(one))), float(np.sin(np.radians(one)))] for one in degrees.values()]
    pl.DataFrame({"id": list(degrees), "vector": turned}).write_parquet(path)
    return str(path)


def mine(
    pairs: pl.DataFrame, corpus: pl.DataFrame, anchors: dict[str, float], texts: dict[str, float], folder: Path, **options: Any
) -> Any:
    """A run on vectors on a circle."""
    folder.mkdir(exist_ok=True)
    given = {"anchor_vectors": circle(anchors, folder / "a.parquet"), "corpus_vectors": circle(texts, folder / "c.parquet")}
    return negforge.run("generate mine.dense", pairs, corpus=corpus, **given, **options)


def many(positives: int, others: int) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, float]]:
    """One anchor with so many positives, all nearer than the other texts."""
    ids = [f"p{number:04d}" for number in range(positives)] + [f"n{number:04d}" for number in range(others)]
    corpus = pl.DataFrame({"id": ids, "text": [f"text of {one}" for one in ids]})
    pairs = corpus.head(positives).select(
        "id", pl.lit("q").alias("anchor_id"), pl.lit("which?").alias("anchor"), pl.col("text").alias("positive"), positive_id="id"
    )
    return pairs, corpus, {one: 60 * place / len(ids) for place, one in enumerate(ids)}


def test_500_positives_of_one_anchor_are_no_hindrance(tmp_path: Path) -> None:
    """It is mined once, as deep below them as any other (huggingface/sentence-transformers#2848, #3872)."""
    pairs, corpus, texts = many(500, 30)
    made = mine(pairs, corpus, {"q": 0.0}, texts, tmp_path, num_negatives=5, depth=10)
    counts = made.report.counts
    assert (counts["asked"], counts["emitted"], counts["vetoed"]["known-positive"]) == (5, 5, 500)
    negatives = made.kept.filter(pl.col("label") == "negative")
    assert negatives["negative_id"].unique().sort().to_list() == [f"n{number:04d}" for number in range(5)]
    assert negatives.height == 5 * 500
    assert negatives["rank"].unique().sort().to_list() == [501, 502, 503, 504, 505]
    weakest = np.cos(np.radians(texts["p0499"]))
    assert negatives["score_dense_weakest"].to_numpy() == pytest.approx(weakest, abs=1e-6)
    assert negatives.filter(pl.col("source_id") == "p0000")["score_dense_positive"].to_numpy() == pytest.approx(1.0, abs=1e-6)


def test_texts_of_equal_vectors_are_ordered_by_id(tmp_path: Path) -> None:
    """Identical texts under different ids tie; the order is that of ids, whatever the batch."""
    corpus = pl.DataFrame({"id": ["d9", "d1", "d5", "d0"], "text": ["same", "same", "same", "right"]})
    pairs = pl.DataFrame({"anchor_id": ["q"], "anchor": ["which?"], "positive": ["right"], "positive_id": ["d0"]})
    texts = {"d9": 20.0, "d1": 20.0, "d5": 20.0, "d0": 0.0}
    made = mine(pairs, corpus, {"q": 0.0}, texts, tmp_path, num_negatives=3)
    negatives = made.kept.filter(pl.col("label") == "negative")
    assert negatives["negative_id"].to_list() == ["d1"]  # one text, one slot
    assert (made.report.counts["repeated"], made.report.counts["short"]) == (2, 2)


def test_every_candidate_is_known_and_right(tmp_path: Path) -> None:
    """An anchor of which nothing is left is short, and its vetoed rows say why."""
    pairs, corpus, texts = many(3, 0)
    made = mine(pairs, corpus, {"q": 0.0}, texts, tmp_path, num_negatives=2)
    assert (made.report.counts["emitted"], made.report.counts["short"]) == (0, 2)
    assert made.kept["label"].unique().to_list() == ["positive"]


ROWS = pl.DataFrame(
    {
        "anchor_id": ["a"] * 40 + ["b"] * 40,
        "corpus_row": [*range(40), *range(40)],
        "rank": [*range(1, 41), *range(1, 41)],
        "score": [1 - place / 40 for place in range(40)] * 2,
    }
)
POSITIVES = pl.DataFrame({"anchor_id": ["a", "b"], "score": [0.5, None]}, schema_overrides={"score": pl.Float64})


def order(sampling: str, seed: int = 0, rows: pl.DataFrame = ROWS, **options: float) -> dict[str, list[int]]:
    """The ranks of each anchor's candidates in the order they are taken in."""
    given = {"sharpness": 0.5, "shift": 0.0, **options}
    made = arranged(rows, "score", POSITIVES, Rng(seed, "x"), sampling=sampling, **given)
    return {str(key[0]): group["rank"].to_list() for key, group in made.group_by("anchor_id", maintain_order=True)}


def test_sampling_near_the_positive() -> None:
    """A huge `a` takes the scores nearest the positive, `shift` moves the place; without a positive's score the lowest come first.

    SimANS: weights exp(-a (negative - positive + b)^2).
    """
    near = order("near-positive", sharpness=1e6)
    assert near["a"][:3] == [21, 20, 22] or near["a"][:3] == [21, 22, 20]
    assert sorted(near["a"]) == list(range(1, 41))
    assert near["b"] == list(range(40, 0, -1))
    assert order("near-positive", sharpness=1e6, shift=0.25)["a"][0] == 31
    mild = [order("near-positive", seed, sharpness=40.0)["a"][0] for seed in range(200)]
    assert 18 < float(np.mean(mild)) < 24
    assert len(set(mild)) > 10


def test_random_sampling_is_drawn_for_each_anchor() -> None:
    """Seeded, the same beside other anchors or alone, and no rank is likelier (sentence-transformers drew from a global generator)."""
    drawn = order("random", 3)
    assert drawn == order("random", 3)
    assert drawn["a"] != drawn["b"]
    assert order("random", 3, ROWS.filter(pl.col("anchor_id") == "b"))["b"] == drawn["b"]
    assert drawn != order("random", 4)
    firsts = [order("random", seed)["a"][0] for seed in range(400)]
    assert 17 < float(np.mean(firsts)) < 24
    assert order("top") == {"a": list(range(1, 41)), "b": list(range(1, 41))}


@pytest.mark.parametrize("sampling", ["random", "near-positive"])
def test_a_sampled_run_depends_on_its_seed_alone(sampling: str, pairs: pl.DataFrame, corpus: pl.DataFrame, model: str) -> None:
    """Any batch and order of rows gives the same, another seed another."""
    given: dict[str, Any] = {"corpus": corpus, "model": model, "sampling": sampling, "num_negatives": 3, "depth": 40}
    digests = [
        negforge.run("generate mine.dense", rows, **given, seed=seed, batch_size=size).report.outcome.digests["rows_digest"]
        for rows, seed, size in ((pairs, 1, 10_000), (pairs.reverse(), 1, 3), (pairs, 2, 10_000))
    ]
    assert digests[0] == digests[1] != digests[2]


def test_more_slots_begin_with_fewer(pairs: pl.DataFrame, corpus: pl.DataFrame, model: str) -> None:
    """The hardest k of n are the hardest k."""
    found = []
    for k in (2, 6):
        made = negforge.run("generate mine.dense", pairs, corpus=corpus, model=model, num_negatives=k).kept
        texts = made.filter(pl.col("label") == "negative").sort("source_id", "rank").group_by("source_id", maintain_order=True)
        found.append(dict(texts.agg(pl.col("negative").head(2)).iter_rows()))
    assert found[0] == found[1]


def test_command_line(tmp_path: Path, model: str, pairs: pl.DataFrame, corpus: pl.DataFrame) -> None:
    """Rows on stdout; on stderr the counts, and no library's progress."""
    pairs.write_parquet(tmp_path / "p.parquet")
    corpus.write_parquet(tmp_path / "c.parquet")
    line = ["generate", "mine.dense", str(tmp_path / "p.parquet"), "--corpus", str(tmp_path / "c.parquet"), "--model", model]
    result = CliRunner().invoke(app, [*line, "--to", "jsonl", "--limit", "5"])
    assert result.exit_code == 0, result.stderr
    assert "asked 5, emitted 5" in result.stderr
    assert '"score_dense_weakest"' in result.stdout
    assert "it/s" not in result.stderr
    result = CliRunner().invoke(app, line[:-2])
    assert result.exit_code == 2
    assert "is given none of --model, --corpus-vectors" in result.stderr
    assert "--model" in result.stderr
