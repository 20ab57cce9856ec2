"""Repeated negatives, by role."""

from __future__ import annotations

import polars as pl
import pytest

import negforge
from tests.verify.test_known_positive import negative

TITLE = "dedupe exact"


def row(name: str, text: str, *, anchor: str = "a", positive: str = "p", draw: int = 0, label: str = "negative") -> dict[str, object]:
    """One row."""
    return {**negative(text, anchor=anchor, row=name), "positive": positive, "draw": draw, "label": label}


ROWS = pl.DataFrame(
    [
        row("n1", "The text", draw=3),
        row("n2", "the  text.", draw=1),
        row("n3", "THE TEXT", positive="q"),
        row("n4", "the text", anchor="b"),
        row("n5", "another text"),
    ],
    schema_overrides={"negative_id": pl.String},
)


@pytest.mark.parametrize(("within", "ids"), [("pair", ["n2", "n3", "n4", "n5"]), ("anchor", ["n3", "n4", "n5"]), ("table", ["n3", "n5"])])
def test_the_scope_knows_the_roles(within: str, ids: list[str]) -> None:
    """A text may stand once in its pair, its anchor or the table (MinishLab/semhash#46)."""
    made = negforge.run(TITLE, ROWS, within=within)
    assert sorted(made.kept["id"]) == ids


def test_the_row_that_stays_is_named_by_those_that_go() -> None:
    """A dropped row says which row it repeats (huggingface/datatrove#370, MinishLab/semhash#49)."""
    made = negforge.run(TITLE, ROWS).dropped
    assert made.select("id", "dropped_by", "drop_reason", "drop_value", "negative").rows() == [("n1", TITLE, "duplicate", "n2", "The text")]


def test_a_row_labelled_negative_stays_before_one_of_another_label() -> None:
    """A vetoed copy never displaces a row that may train."""
    rows = pl.DataFrame([row("n1", "x", label="positive"), row("n2", "x", draw=9)], schema_overrides={"negative_id": pl.String})
    assert negforge.run(TITLE, rows).kept["id"].to_list() == ["n2"]


def test_twins_in_different_batches_and_workers_are_found() -> None:
    """Duplicates split over batches go all the same (datajuicer/data-juicer#971)."""
    rows = pl.DataFrame(
        [row(f"n{number:04d}", f"text {number % 500}") for number in range(2000)], schema_overrides={"negative_id": pl.String}
    )
    runs = [
        negforge.run(TITLE, frame, batch_size=size, max_memory=memory)
        for frame, size, memory in ((rows, 10_000, 10**9), (rows.reverse(), 3, 200_000))
    ]
    assert [sorted(one.kept["id"]) for one in runs] == [[f"n{number:04d}" for number in range(500)]] * 2
    assert runs[0].report.outcome.digests["dropped_digest"] == runs[1].report.outcome.digests["dropped_digest"]


def test_a_negative_one_word_away_is_no_duplicate() -> None:
    """Near-copies stay: a good negative is a near-copy of its positive by design."""
    rows = pl.DataFrame(
        [row("n1", "the cat sat on 3 mats"), row("n2", "the cat sat on 4 mats")], schema_overrides={"negative_id": pl.String}
    )
    assert negforge.run(TITLE, rows).kept.height == 2
