"""The opt-in index: what it finds is scored and ordered as by an exact search, what it misses is measured, recorded and printed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import negforge
from negforge import approximate
from negforge.approximate import index_of, nearest, recall
from negforge.errors import UsageError
from negforge.search import best
from negforge.store import Dataset
from tests.shell import call, good
from tests.test_search import vectors

pytest.importorskip("faiss")


def laid_out(rows: Any, folder: Path) -> Path:
    """Vectors in a file whose folder is named by their content."""
    folder.mkdir()
    np.save(folder / "rows.npy", rows)
    return folder / "rows.npy"


def test_what_is_found_is_scored_and_ordered_as_exactly(tmp_path: Path) -> None:
    """A search wider than the corpus finds all, ties by row; a query's list is the same alone or among others."""
    corpus, queries = vectors(400, 1, 16), vectors(30, 2, 16)
    corpus[100:140] = corpus[100]
    queries[0] = corpus[100]
    index = index_of(laid_out(corpus, tmp_path / f"matrix-{tmp_path.name}"), 1 << 30)
    whole, found = best(queries, corpus, 50), nearest(queries, corpus, 50, index, 1000)
    assert (found.rows == whole.rows).all()
    assert (found.scores == whole.scores).all()
    assert found.rows[0, :40].tolist() == list(range(100, 140))
    for start in range(0, 30, 7):
        assert (nearest(queries[start : start + 7], corpus, 50, index, 1000).rows == found.rows[start : start + 7]).all()
    assert nearest(queries[:0], corpus, 5, index, None).rows.shape == (0, 5)
    assert nearest(queries, corpus, 900, index, None).rows.shape == (30, 400)


def test_recall_is_the_share_of_the_exact_list(tmp_path: Path) -> None:
    """By hand from both lists; a wider search finds more."""
    corpus, queries = vectors(20_000, 3, 48), vectors(60, 4, 48)
    index = index_of(laid_out(corpus, tmp_path / f"matrix-{tmp_path.name}"), 1 << 30)
    whole, shares = best(queries, corpus, 20).rows, []
    for ef in (36, 64, None):
        found = nearest(queries, corpus, 20, index, ef).rows
        by_hand = np.mean([len({*one.tolist()} & {*other.tolist()}) / 20 for one, other in zip(found, whole, strict=True)])
        shares.append(recall(queries, corpus, 20, index, ef))
        assert shares[-1] == pytest.approx(float(by_hand))
    assert shares[0] < shares[1] < shares[2] <= 1


def test_an_index_is_the_same_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made anew from the same vectors, in another cache, byte for byte."""
    matrix, made = laid_out(vectors(6000, 5, 32), tmp_path / "matrix-x"), []
    for name in ("a", "b"):
        monkeypatch.setenv("NEGFORGE_CACHE", str(tmp_path / name))
        made.append(index_of(matrix, 1 << 30).read_bytes())
    assert made[0] == made[1]


@pytest.fixture
def given(pairs: pl.DataFrame, corpus: pl.DataFrame, model: str) -> dict[str, Any]:
    """The sample, to mine in."""
    return {"corpus": corpus, "model": model, "num_negatives": 3, "depth": 20}


@pytest.mark.parametrize("miner", ["dense", "fused"])
def test_rows_depend_on_neither_batches_nor_order(miner: str, pairs: pl.DataFrame, given: dict[str, Any]) -> None:
    """The same digest on any; over a corpus this small the index finds all, and the negatives are those of an exact search."""
    title = f"generate mine.{miner}"
    made = [
        negforge.run(title, *one, **given, engine="hnsw", batch_size=size) for one, size in (((pairs,), 50_000), ((pairs.reverse(),), 7))
    ]
    assert made[0].report.outcome.digests["rows_digest"] == made[1].report.outcome.digests["rows_digest"]
    assert made[0].report.explained == made[1].report.explained
    assert made[0].report.explained["recall of hnsw"].startswith("1.000 of the 20 nearest texts of ")
    exact = negforge.run(title, pairs, **given)
    assert exact.report.explained == {}
    key = ["anchor_id", "rank", "negative_id", "score_dense"]
    assert made[0].kept.sort(key).select(key).equals(exact.kept.sort(key).select(key))


def test_what_one_anchor_asks_for_changes_no_other(tmp_path: Path) -> None:
    """An anchor with many positives asks for more texts, and a search for more goes further: it goes so far for nobody else."""
    corpus, anchors = vectors(3000, 5, 96), vectors(12, 6, 96)
    texts = pl.DataFrame({"id": [f"d{place}" for place in range(3000)]}).with_columns(pl.col("id").alias("text"))
    rows = [(f"q{place}", f"d{place * 9 + more}") for place in range(12) for more in range(500 if place == 5 else 1)]
    pairs = pl.DataFrame(rows, schema=["anchor_id", "positive"], orient="row").with_columns(anchor="anchor_id", positive_id="positive")
    texts.select("id", pl.Series("vector", corpus.tolist())).write_parquet(tmp_path / "c.parquet")
    ids = [f"q{place}" for place in range(12)]
    pl.DataFrame({"id": ids, "vector": anchors.tolist()}).write_parquet(tmp_path / "a.parquet")
    given: dict[str, Any] = {
        "corpus_vectors": str(tmp_path / "c.parquet"),
        "anchor_vectors": str(tmp_path / "a.parquet"),
        "engine": "hnsw",
        "ef": 20,
    }
    few = pairs.filter(pl.col("anchor_id") != "q5")
    alone, among = (
        negforge.run("generate mine.dense", some, corpus=texts, num_negatives=20, **given).kept.filter(pl.col("anchor_id") != "q5")
        for some in (few, pairs)
    )
    assert alone.select("id", "negative_id", "rank").equals(among.select("id", "negative_id", "rank"))


def test_the_recall_is_printed_and_recorded(tmp_path: Path, pairs: pl.DataFrame, corpus: pl.DataFrame, model: str) -> None:
    """On stderr, and in the manifest beside the options; no part of a row's id."""
    pairs.write_parquet(tmp_path / "p.parquet")
    corpus.write_parquet(tmp_path / "c.parquet")
    line = ("generate", "mine.dense", tmp_path / "p.parquet", "--corpus", tmp_path / "c.parquet", "--model", model)
    done = good(*line, "--engine", "hnsw", "--ef", "64", "--depth", "10", "-o", tmp_path / "out")
    assert "recall of hnsw: " in done.err
    stage = Dataset(tmp_path / "out").manifest(1)["stages"][-1]
    assert (stage["options"]["engine"], stage["options"]["ef"]) == ("hnsw", 64)
    assert stage["explained"]["recall of hnsw"].endswith("are found; an exact search finds all")
    assert "recall" not in str(stage["options"])


def test_faults(tmp_path: Path, pairs: pl.DataFrame, given: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """An index larger than memory, an option of another engine, an engine with nothing to search, a library that is not there."""
    with pytest.raises(UsageError, match="does not fit") as error:
        index_of(laid_out(vectors(6000, 6, 32), tmp_path / "matrix-y"), 1 << 20)
    assert "6,000 vectors of 32 numbers" in error.value.where
    with pytest.raises(UsageError, match="--ef is of an approximate search"):
        negforge.run("generate mine.dense", pairs, **given, ef=300)
    with pytest.raises(UsageError, match="searches vectors, and there are none"):
        negforge.run("generate mine.fused", pairs, corpus=given["corpus"], engine="hnsw")
    monkeypatch.setitem(sys.modules, "faiss", None)
    approximate._open.cache_clear()
    with pytest.raises(UsageError, match="needs faiss") as error:
        negforge.run("generate mine.dense", pairs, **given, engine="hnsw")
    assert 'pip install "negforge[faiss]"' in error.value.mend
    assert call("generate", "mine.dense", "x.parquet", "--corpus", "y.parquet", "--engine", "flat").code == 2
