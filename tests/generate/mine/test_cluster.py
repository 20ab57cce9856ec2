"""Texts of neighbouring clusters: never of the positive's, how many clusters, who is refused, and the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import negforge
from negforge.cli import app

# Four themes on a circle, each of five texts two degrees apart.
CENTRES = {"n": 0, "e": 50, "s": 120, "w": 230}
TEXTS = {f"{name}{place}": centre + 2 * place for name, centre in CENTRES.items() for place in range(5)}
CORPUS = pl.DataFrame({"id": [*TEXTS], "text": [f"T {one}" for one in TEXTS]})


def circle(degrees: dict[str, Any], path: Path) -> str:
    """Vectors on a circle, by id."""
    turned = [[float(np.cos(np.radians(one))), float(np.sin(np.radians(one)))] for one in degrees.values()]
    pl.DataFrame({"id": list(degrees), "vector": turned}).write_parquet(path)
    return str(path)


def mine(pairs: list[tuple[str, str]], anchors: dict[str, int], folder: Path, **options: Any) -> Any:
    """A run over (anchor, positive) by id."""
    rows = [
        {"id": f"{one}-{text}", "anchor_id": one, "anchor": f"Q {one}", "positive": f"T {text}", "positive_id": text} for one, text in pairs
    ]
    where = {"anchor_vectors": circle(anchors, folder / "a.parquet"), "corpus_vectors": circle(TEXTS, folder / "c.parquet")}
    return negforge.run("generate mine.cluster", pl.DataFrame(rows), corpus=CORPUS, **where, **options)


def test_the_nearest_texts_of_the_nearest_other_cluster(tmp_path: Path) -> None:
    """An anchor at 20 degrees, right of n: its negatives are e's, nearest first, though n's other texts are nearer."""
    made = mine([("q", "n0")], {"q": 20}, tmp_path, clusters=4, num_negatives=5).kept.sort("rank")
    assert made["negative_id"].to_list() == ["e0", "e1", "e2", "e3", "e4"]
    assert made["score_dense"].to_numpy() == pytest.approx(np.cos(np.radians([30, 32, 34, 36, 38])), abs=1e-6)
    assert made["negative_cluster"].n_unique() == made["positive_cluster"].n_unique() == 1
    assert made["negative_cluster"][0] != made["positive_cluster"][0]
    mean = np.mean([[np.cos(np.radians(one)), np.sin(np.radians(one))] for one in range(50, 60, 2)], axis=0)
    wanted = np.linalg.norm(mean - [np.cos(np.radians(20)), np.sin(np.radians(20))])
    assert made["distance_cluster"].to_numpy() == pytest.approx(wanted, abs=1e-5)


def test_no_cluster_of_any_positive_gives_texts(tmp_path: Path) -> None:
    """With positives in n and in e the next is s; with `--near 2` also w."""
    pairs = [("q", "n0"), ("q", "e3")]
    made = mine(pairs, {"q": 20}, tmp_path, clusters=4, num_negatives=9)
    assert {one[0] for one in made.kept["negative_id"]} == {"s"}
    assert made.report.counts["short"] == 4
    both = mine(pairs, {"q": 20}, tmp_path, clusters=4, near=2, num_negatives=9)
    assert {one[0] for one in both.kept["negative_id"]} == {"s", "w"}
    of_pair = dict(both.kept.select("source_id", "positive_cluster").unique().iter_rows())
    assert of_pair["q-n0"] != of_pair["q-e3"]


def test_a_positive_in_every_cluster_leaves_none(tmp_path: Path) -> None:
    """It is refused, as is one of whose positives no vector is known."""
    made = mine([("q", f"{name}0") for name in CENTRES] + [("r", "x9")], {"q": 20, "r": 20}, tmp_path, clusters=4)
    assert {*made.dropped.select("anchor_id", "drop_reason").rows()} == {("q", "only-cluster"), ("r", "no-vector")}


def test_a_corpus_of_one_text_or_none(tmp_path: Path) -> None:
    """There is no other cluster, or no candidate."""
    pairs = pl.DataFrame({"anchor_id": ["q"], "anchor": ["Q"], "positive": ["T n0"], "positive_id": ["n0"]})
    where = {"anchor_vectors": circle({"q": 20}, tmp_path / "a.parquet"), "corpus_vectors": circle(TEXTS, tmp_path / "c.parquet")}
    for size, reason in ((1, "only-cluster"), (0, "no-candidate")):
        made = negforge.run("generate mine.cluster", pairs, corpus=CORPUS.head(size), **where)
        assert made.dropped["drop_reason"].to_list() == [reason]


def test_the_seed_draws_no_clusters(pairs: pl.DataFrame, corpus: pl.DataFrame, model: str) -> None:
    """Another seed gives the same texts; another number of clusters others."""
    found = [
        negforge.run("generate mine.cluster", pairs, corpus=corpus, model=model, num_negatives=3, seed=seed, clusters=clusters).kept
        for seed, clusters in ((0, 5), (9, 5), (0, 30))
    ]
    texts = [{*one.select("source_id", "negative").rows()} for one in found]
    assert texts[0] == texts[1] != texts[2]
    assert (found[0]["negative_cluster"] != found[0]["positive_cluster"]).all()


def test_command_line(tmp_path: Path, model: str, pairs: pl.DataFrame, corpus: pl.DataFrame) -> None:
    """Rows on stdout, counts on stderr; one cluster is none."""
    pairs.write_parquet(tmp_path / "p.parquet")
    corpus.write_parquet(tmp_path / "c.parquet")
    line = ["generate", "mine.cluster", str(tmp_path / "p.parquet"), "--corpus", str(tmp_path / "c.parquet"), "--model", model]
    result = CliRunner().invoke(app, [*line, "--to", "jsonl", "--limit", "5"])
    assert result.exit_code == 0, result.stderr
    assert "asked 5, emitted 5" in result.stderr
    assert '"positive_cluster"' in result.stdout
    result = CliRunner().invoke(app, [*line, "--clusters", "1"])
    assert result.exit_code == 2
    assert "clusters" in result.stderr
