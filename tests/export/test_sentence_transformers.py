"""sentence-transformers' layouts: texts alone, in column order, with their provenance beside them."""

from __future__ import annotations

from pathlib import Path

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
