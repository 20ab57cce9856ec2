"""sentence-transformers' own miner beside ours, on the same vectors: the same negatives, but where its result is a defect."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import negforge

pytestmark = pytest.mark.trainer
sentence_transformers = pytest.importorskip("sentence_transformers", reason="needs the `trainers` group")
datasets = pytest.importorskip("datasets")
Triplets = set[tuple[str, str, str]]


def world(anchors: int, texts: int, positives: int, seed: int, *, below_zero: bool = False) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Pairs of so many positives an anchor, and a vector for each text. below_zero: every score is."""
    draw = np.random.default_rng(seed)
    vectors = {f"text {number:03d}": draw.standard_normal(6) for number in range(texts)}
    names = [*vectors]
    rows = []
    for number in range(anchors):
        chosen = draw.choice(names, positives, replace=False)
        middle = sum(vectors[one] for one in chosen) + 0.8 * draw.standard_normal(6)
        vectors[f"anchor {number:03d}"] = middle
        rows += [(f"anchor {number:03d}", str(one)) for one in chosen]
    if below_zero:  # one more direction, in which anchors and texts are far apart
        vectors = {name: np.append(one, 9.0 if name.startswith("text") else -9.0) for name, one in vectors.items()}
    vectors = {name: (one / np.linalg.norm(one)).astype(np.float32) for name, one in vectors.items()}
    return pl.DataFrame(rows, schema=["anchor", "positive"], orient="row"), vectors


def theirs(pairs: pl.DataFrame, vectors: dict[str, Any], **options: Any) -> Triplets:
    """What mine_hard_negatives returns."""
    from sentence_transformers.util import cos_sim, mine_hard_negatives, pairwise_cos_sim

    class Stub:
        """Looks vectors up."""

        device = "cpu"
        similarity, similarity_pairwise = staticmethod(cos_sim), staticmethod(pairwise_cos_sim)

        def encode_document(self, texts: list[str], **_: Any) -> Any:
            """Of texts."""
            return np.stack([vectors[one] for one in texts])

        encode_query = encode_document

    given = datasets.Dataset.from_dict(pairs.to_dict(as_series=False))
    corpus = [name for name in vectors if name.startswith("text")]
    made = mine_hard_negatives(given, Stub(), "anchor", "positive", corpus=corpus, sampling_strategy="top", verbose=False, **options)
    return {(row["anchor"], row["positive"], row["negative"]) for row in made}


def mined(pairs: pl.DataFrame, vectors: dict[str, Any], folder: Path, depth: int) -> pl.DataFrame:
    """Our candidates, all of them kept."""
    for name, sign in (("a", "anchor"), ("c", "text")):
        rows = {key: one.tolist() for key, one in vectors.items() if key.startswith(sign)}
        pl.DataFrame({"text": [*rows], "vector": [*rows.values()]}).write_parquet(folder / f"{name}.parquet")
    corpus = pl.DataFrame({"id": [name for name in vectors if name.startswith("text")]}).with_columns(text="id")
    given = {"anchor_vectors": str(folder / "a.parquet"), "corpus_vectors": str(folder / "c.parquet")}
    return negforge.run("generate mine.dense", pairs, corpus=corpus, depth=depth, num_negatives=depth, **given).kept


def triplets(rows: pl.DataFrame, k: int) -> Triplets:
    """The first k negatives of each pair."""
    top = negforge.run("filter top", rows, k=k).kept.filter(pl.col("label") == "negative")
    return set(top.select("anchor", "positive", "negative").iter_rows())


LIMITS: list[dict[str, Any]] = [
    {},
    {"max_score": 0.6},
    {"min_score": 0.3},
    {"absolute_margin": 0.1},
    {"relative_margin": 0.05},
    {"absolute_margin": -0.1},
    {"absolute_margin": 0.05, "relative_margin": 0.2, "max_score": 0.8, "min_score": 0.1},
]


@pytest.mark.parametrize("positives", [1, 3])
@pytest.mark.parametrize("limits", LIMITS, ids=str)
def test_the_same_negatives_for_the_same_limits(limits: dict[str, Any], positives: int, tmp_path: Path) -> None:
    """Scores, margins against the weakest positive, and limits, of one and of several positives; over the whole list, for how deep it is differs."""
    pairs, vectors = world(25, 150, positives, 1)
    expected = theirs(pairs, vectors, num_negatives=4, range_max=147, **limits)
    rows = mined(pairs, vectors, tmp_path, 150)
    kept = negforge.run("filter margin", rows, by="dense", **limits).kept if limits else rows
    assert triplets(kept, 4) == expected
    assert len(expected) > 60


@pytest.mark.parametrize(("first", "last"), [(0, 10), (3, 20), (5, 9)])
@pytest.mark.parametrize("positives", [1, 3])
def test_the_same_negatives_for_the_same_ranks(first: int, last: int, positives: int, tmp_path: Path) -> None:
    """A range of ranks without known positives, which it leaves out of the count."""
    pairs, vectors = world(25, 150, positives, 2)
    expected = theirs(pairs, vectors, num_negatives=4, range_min=first, range_max=last)
    rows = mined(pairs, vectors, tmp_path, 40)
    kept = negforge.run("filter rank-range", rows, first=first + 1, last=last, known="skip").kept
    assert triplets(kept, 4) == expected


def test_scores_below_zero_keep_their_order(tmp_path: Path) -> None:
    """A relative margin takes the positive's size, not its sign, here as there (huggingface/sentence-transformers#3819)."""
    pairs, vectors = world(20, 100, 1, 3, below_zero=True)
    expected = theirs(pairs, vectors, num_negatives=3, range_max=60, relative_margin=0.05)
    rows = mined(pairs, vectors, tmp_path, 60)
    assert rows["score_dense"].max() < 0  # type: ignore[operator]
    assert triplets(negforge.run("filter margin", rows, by="dense", relative_margin=0.05).kept, 3) == expected


def test_a_range_with_a_margin_differs_and_why(tmp_path: Path) -> None:
    """Its `range_min` counts what the margin left, so that good candidates are skipped twice: ours are more, and none of theirs is lost."""
    pairs, vectors = world(25, 150, 1, 4)
    counted = theirs(pairs, vectors, num_negatives=60, range_min=5, range_max=70, absolute_margin=0.1)
    rows = mined(pairs, vectors, tmp_path, 70)
    ranked = negforge.run("filter rank-range", rows, first=6, known="skip").kept
    ours = triplets(negforge.run("filter margin", ranked, by="dense", absolute_margin=0.1).kept, 70)
    assert counted < ours


def test_a_positive_written_otherwise_is_no_negative_here(tmp_path: Path) -> None:
    """It knows equal strings alone: a positive in other case or spacing comes back as its own negative."""
    pairs, vectors = world(1, 30, 1, 5)
    anchor, positive = pairs.row(0)
    twin = f"text  {positive.removeprefix('text ')}"
    vectors = {**vectors, positive: vectors[anchor], twin: vectors[anchor]}
    assert (anchor, positive, twin) in theirs(pairs, vectors, num_negatives=3)
    rows = mined(pairs, vectors, tmp_path, 20)
    assert (anchor, positive, twin) not in triplets(rows, 3)
    assert rows.filter(pl.col("negative") == twin)["label"].to_list() == ["positive"]


def test_a_column_that_is_not_there_is_an_error_here() -> None:
    """It takes the first column instead, and trains on the wrong text in silence."""
    with pytest.raises(negforge.NegforgeError, match="column 'question' is not in"):
        negforge.run("ingest pairs", pl.DataFrame({"anchor": ["a"], "positive": ["b"]}), anchor="question")
