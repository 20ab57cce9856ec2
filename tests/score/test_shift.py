"""How far an operator's negatives lie from its positives as a whole."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import negforge
from tests.captions import rows_of, sugarcrepe
from tests.shell import good

TITLE = "score shift"


def test_a_worked_case_by_operator() -> None:
    """Nothing in common: 1. The same words and lengths: 0. Half of the mass shared: 0.5, of lengths that are the same."""
    table = pl.concat(
        [
            rows_of(("a a", "b b b"), operator="perturb.apart"),
            rows_of(("a b", "b a"), operator="perturb.alike"),
            rows_of(("a b", "a c"), operator="perturb.half"),
        ]
    ).with_columns(pl.int_range(pl.len()).cast(pl.String).alias("id"))
    made = negforge.run(TITLE, table)
    assert made.kept.sort("id").select("score_shift", "score_shift_length", "score_shift_words").rows() == [
        (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (pytest.approx(0.5), 0.0, pytest.approx(0.5)),
    ]  # fmt: skip
    assert made.report.explained["shift"].startswith("perturb.alike length 0, words 0; perturb.apart length 1, words 1")


def test_proven_positives_are_not_counted() -> None:
    """An operator of which nothing else is left has no value."""
    table = rows_of(("a", "b"), ("a", "a"))
    some = table.with_columns(pl.when(pl.col("id") == "r00000").then(pl.lit("positive")).otherwise("label").alias("label"))
    assert negforge.run(TITLE, some).kept["score_shift"].to_list() == [0.0, 0.0]
    every = table.with_columns(pl.lit("positive").alias("label"))
    assert negforge.run(TITLE, every).kept["score_shift"].to_list() == [None, None]


def test_the_command_line(tmp_path: Path) -> None:
    """Empty cells and odd signs are texts, too; letters one by one."""
    rows_of((".", "\u202e😀"), ("a", "")).write_parquet(tmp_path / "n.parquet")
    done = good(*TITLE.split(), tmp_path / "n.parquet", "--unit", "character", "--to", "jsonl")
    assert '"score_shift":1.0' in done.out


def test_sugarcrepes_additions_shift_lengths(real_data: Path) -> None:
    """What adds an object is longer; what replaces an attribute is not."""
    added, replaced = (
        negforge.run(TITLE, sugarcrepe(real_data, name, refined=True)).kept["score_shift_length"][0] for name in ("add_obj", "replace_att")
    )
    assert added > 0.3
    assert replaced < 0.02
