"""sentence-transformers' layouts: texts alone, in column order, with their provenance beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest

import negforge
from negforge.errors import UsageError
from tests.verify.test_known_positive import negative

TITLE = "export sentence-transformers"


def frame() -> pl.DataFrame:
    """Two pairs of one anchor with three negatives each, and one of another with a single one."""
    rows = [
        {**negative(f"text {draw}", anchor="a", row=f"{source}{draw}"), "source_id": source, "positive": f"positive {source}", "draw": draw}
        for source in ("s1", "s2")
        for draw in (2, 0, 1)
    ]
    rows.append({**negative("lonely", anchor="b", row="x"), "source_id": "s3", "positive": "positive s3"})
    return pl.DataFrame(rows, schema_overrides={"negative_id": pl.String})


def test_triplets_are_texts_alone(tmp_path: Path) -> None:
    """Three columns in the order anchor, positive, negative, and no fourth that a trainer would take for an input."""
    path = tmp_path / "st.parquet"
    negforge.run(TITLE, frame(), output=str(path))
    schema = pq.read_schema(path)
    assert schema.names == ["anchor", "positive", "negative"]
    assert {str(kind) for kind in schema.types} == {"string"}
    rows, beside = pl.read_parquet(path), pl.read_parquet(tmp_path / "st.provenance.parquet")
    assert (rows.height, beside.height) == (7, 7)
    texts = dict(zip(frame()["id"], frame()["negative"], strict=True))
    assert [texts[one] for one in beside["id"]] == rows["negative"].to_list()


def test_n_tuples_put_the_best_negatives_first() -> None:
    """A row for each pair, its n negatives by draw; an anchor with two positives has two rows (huggingface/sentence-transformers#3205)."""
    made = negforge.run(TITLE, frame(), layout="n-tuple", n=2)
    assert made.kept.columns == ["anchor", "positive", "negative_1", "negative_2"]
    assert made.kept.sort("positive").select("positive", "negative_1", "negative_2").rows() == [
        ("positive s1", "text 0", "text 1"),
        ("positive s2", "text 0", "text 1"),
    ]
    assert made.asides["provenance"]["ids"].to_list() == [["s10", "s11"], ["s20", "s21"]]


def test_a_shortage_is_counted_in_rows_and_kept() -> None:
    """Pairs with too few negatives, and negatives beyond n, are dropped by name (huggingface/sentence-transformers#3504)."""
    made = negforge.run(TITLE, frame(), layout="n-tuple", n=2)
    assert made.report.counts["dropped"] == {"beyond-n": 2, "too-few": 1}
    assert made.report.counts["kept"] == 4
    assert sorted(made.dropped["id"]) == ["s12", "s22", "x"]


def test_layout_and_n_go_together() -> None:
    """An n-tuple without n, and n with triplets, are usage errors."""
    with pytest.raises(UsageError):
        negforge.run(TITLE, frame(), layout="n-tuple")
    with pytest.raises(UsageError):
        negforge.run(TITLE, frame(), n=2)


def test_labelled_pairs_hold_each_text_once() -> None:
    """Positives as 1, then negatives as 0; a text that an anchor has in a row for either positive stands once."""
    made = negforge.run(TITLE, frame(), layout="labeled-pair")
    assert made.kept.schema == {"anchor": pl.String, "text": pl.String, "label": pl.Int64}
    assert made.kept.filter(pl.col("anchor") == "anchor of a").select("text", "label").rows() == [
        ("positive s1", 1),
        ("positive s2", 1),
        ("text 0", 0),
        ("text 1", 0),
        ("text 2", 0),
    ]
    beside = made.asides["provenance"]
    assert (beside["id"].is_null() == (made.kept["label"] == 1)).all()
    assert made.report.counts["kept"] == 7


def test_labelled_lists_hold_an_anchor_a_row() -> None:
    """Query, its texts and their labels, as CrossEncoder's listwise losses take them."""
    made = negforge.run(TITLE, frame(), layout="labeled-list", n=2)
    assert made.kept.schema == {"query": pl.String, "docs": pl.List(pl.String), "labels": pl.List(pl.Int64)}
    assert made.kept.sort("query").rows() == [
        ("anchor of a", ["positive s1", "positive s2", "text 0", "text 1"], [1, 1, 0, 0]),
        ("anchor of b", ["positive s3", "lonely"], [1, 0]),
    ]
    assert made.report.counts["dropped"] == {"beyond-n": 2}


@pytest.mark.parametrize(("layout", "n"), [("labeled-pair", None), ("labeled-list", None), ("triplet", None), ("n-tuple", 2)])
def test_no_positive_of_the_anchor_goes_out_as_a_negative(layout: str, n: int | None) -> None:
    """The positive of one pair among the negatives of the other is dropped in every layout, whatever its case and spaces.

    It may come from another table, which no verifier of this one has seen.
    """
    made = negforge.run(TITLE, frame().with_columns(pl.col("negative").replace({"text 1": "POSITIVE  s2"})), layout=layout, n=n)
    assert made.report.counts["dropped"]["known-positive"] == 2
    assert made.dropped.filter(pl.col("drop_reason") == "known-positive")["negative"].to_list() == ["POSITIVE  s2"] * 2
    assert (
        not made.kept.select(pl.col(pl.String, pl.List(pl.String)).explode().str.contains("POSITIVE", literal=True).any())
        .row(0)
        .count(True)
    )


def test_rows_labelled_positive_are_1_when_asked_for() -> None:
    """`--keep-labels positive` writes texts proven true, as what they are."""
    proven = pl.when(pl.col("negative") == "text 1").then(pl.lit("positive")).otherwise("label").alias("label")
    made = negforge.run(TITLE, frame().with_columns(proven), layout="labeled-pair", keep_labels=["positive"])
    labels = dict(made.kept.filter(pl.col("anchor") == "anchor of a").select("text", "label").rows())
    assert labels == {"positive s1": 1, "positive s2": 1, "text 1": 1, "text 0": 0, "text 2": 0}


@pytest.mark.parametrize(
    ("options", "columns", "first"),
    [
        ({"layout": "triplet"}, ["anchor", "positive", "negative", "scores"], [0.5, 0.0]),
        ({"layout": "n-tuple", "n": 2}, ["anchor", "positive", "negative_1", "negative_2", "scores"], [0.5, 0.0, 0.125]),
        ({"layout": "labeled-pair"}, ["anchor", "text", "score"], 0.5),
        ({"layout": "labeled-list"}, ["query", "docs", "scores"], [0.5, 0.75, 0.0, 0.125, 0.25]),
    ],
)
def test_scores_as_mine_hard_negatives_writes_them(options: dict[str, Any], columns: list[str], first: object) -> None:
    """`scores` of the positive, then the negatives; in the labelled layouts they stand for the labels."""
    scored = frame().with_columns(
        (pl.col("draw") / 8).alias("score_x"), pl.when(pl.col("source_id") == "s2").then(0.75).otherwise(0.5).alias("score_x_positive")
    )
    made = negforge.run(TITLE, scored, scores="score_x", **options).kept
    assert made.columns == columns
    row = made.filter(pl.col(columns[0]) == "anchor of a").row(0, named=True)
    assert row[columns[-1]] == first


@pytest.mark.parametrize("options", [{"layout": "n-tuple", "n": 2}, {"layout": "labeled-pair"}, {"layout": "labeled-list"}])
def test_the_order_of_rows_is_that_of_no_batch(options: dict[str, Any], pairs: pl.DataFrame, corpus: pl.DataFrame) -> None:
    """Any batch size and worker count writes the same rows in the same order."""
    mined = negforge.run("generate mine.bm25", pairs, corpus=corpus, num_negatives=2).kept
    runs = [negforge.run(TITLE, mined.sample(fraction=1, shuffle=True, seed=size), batch_size=size, **options) for size in (3, 10_000)]
    assert runs[0].kept.equals(runs[1].kept)
    assert runs[0].asides["provenance"].equals(runs[1].asides["provenance"])


def test_a_dataset_folder_loads_as_it_is(tmp_path: Path) -> None:
    """An export into a folder is a dataset: load_dataset reads the three columns, provenance hidden beside them."""
    import datasets

    made = negforge.run(TITLE, frame(), output=str(tmp_path / "st"))
    loaded = datasets.load_dataset(str(tmp_path / "st"), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded.column_names == ["anchor", "positive", "negative"]
    assert loaded.num_rows == 7
    assert made.report.outcome.version == 1
    beside = next((tmp_path / "st" / ".negforge" / "v1" / "provenance").glob("*.parquet"))
    texts = dict(zip(frame()["id"], frame()["negative"], strict=True))
    assert [texts[one] for one in pl.read_parquet(beside)["id"]] == loaded["negative"][:]
