"""The k best negatives of an anchor."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import negforge
from negforge.errors import InputError
from tests.verify.test_known_positive import negative

TITLE = "filter top"


def frame(*rows: tuple[str, str, str, int, float | None]) -> pl.DataFrame:
    """Rows of (id, anchor, text, rank, score)."""
    made = [
        {**negative(text, anchor=anchor, row=row), "rank": rank, "score_x": score, "positive": f"p-{row[-1]}"}
        for row, anchor, text, rank, score in rows
    ]
    return pl.DataFrame(made, schema_overrides={"score_x": pl.Float64, "negative_id": pl.String})


ROWS = frame(
    ("n1", "a", "one", 1, 0.2),
    ("n2", "a", "two", 2, 0.9),
    ("n3", "a", "three", 3, None),
    ("n4", "b", "one", 5, -0.5),
    ("n5", "b", "two", 4, -0.1),
)


def kept(table: pl.DataFrame, **options: Any) -> list[str]:
    """Ids of the kept rows."""
    return sorted(negforge.run(TITLE, table, **options).kept["id"])


def test_low_ranks_and_high_scores_are_best() -> None:
    """By default the lowest ranks stay; by a score the highest, whatever its sign (huggingface/sentence-transformers#3819)."""
    assert kept(ROWS, k=1) == ["n1", "n5"]
    assert kept(ROWS, k=1, by="score_x") == ["n2", "n5"]
    assert kept(ROWS, k=1, by="score_x", order="ascending") == ["n1", "n4"]


def test_a_score_goes_by_its_short_name() -> None:
    """As `filter margin --by x` reads score_x; a column of that very name comes first."""
    assert kept(ROWS, k=1, by="x") == kept(ROWS, k=1, by="score_x") == ["n2", "n5"]
    assert kept(ROWS.with_columns(x=pl.col("rank")), k=1, by="x") == ["n1", "n5"]


def test_a_null_score_comes_last() -> None:
    """A row without a score stays only when places are left."""
    assert kept(ROWS, k=2, by="score_x") == ["n1", "n2", "n4", "n5"]
    assert kept(ROWS, k=3, by="score_x") == ["n1", "n2", "n3", "n4", "n5"]


def test_a_vetoed_row_takes_no_place() -> None:
    """Rows of another label pass untouched and do not compete."""
    vetoed = ROWS.with_columns(
        pl.when(pl.col("id") == "n1").then(pl.lit("positive")).otherwise("label").alias("label"),
    )
    assert kept(vetoed, k=1) == ["n1", "n2", "n5"]


def test_one_text_of_several_pairs_takes_one_place() -> None:
    """An anchor with two positives keeps k texts, with a row for each pair."""
    two = frame(("n1", "a", "one", 1, 0.1), ("n2", "a", "one", 1, 0.1), ("n3", "a", "two", 2, 0.1), ("n4", "a", "two", 2, 0.1))
    assert kept(two, k=1) == ["n1", "n2"]


def test_the_value_that_condemned_a_row_is_its_place() -> None:
    """A dropped row names the filter, the reason and its place."""
    made = negforge.run(TITLE, ROWS, k=1).dropped.sort("id")
    assert made.select("id", "dropped_by", "drop_reason", "drop_value").rows() == [
        ("n2", "filter top", "beyond-k", "2"),
        ("n3", "filter top", "beyond-k", "3"),
        ("n4", "filter top", "beyond-k", "2"),
    ]


def test_ties_are_cut_by_id() -> None:
    """Equal scores keep the lowest id, in any order of rows."""
    tied = frame(("n3", "a", "x", 1, 0.5), ("n1", "a", "y", 1, 0.5), ("n2", "a", "z", 1, 0.5))
    assert kept(tied, k=2) == kept(tied.reverse(), k=2) == ["n1", "n2"]


def test_a_wider_k_never_takes_rows_away() -> None:
    """Raising k adds rows only."""
    sizes = [set(kept(ROWS, k=k)) for k in (1, 2, 3)]
    assert sizes[0] < sizes[1] < sizes[2]


def test_a_misspelt_column_is_named_with_the_nearest() -> None:
    """Ordering by a column that is not there, or holds no numbers, says which there are."""
    with pytest.raises(InputError) as error:
        negforge.run(TITLE, ROWS, k=1, by="score_y")
    assert "score_x" in error.value.mend
    with pytest.raises(InputError):
        negforge.run(TITLE, ROWS, k=1, by="anchor")
