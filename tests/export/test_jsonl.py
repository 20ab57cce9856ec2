"""Plain records."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

import negforge
from negforge.errors import InputError
from tests.dedupe.test_exact import ROWS


def test_the_chosen_columns_in_their_order(tmp_path: Path) -> None:
    """One object a row, the columns asked for, in that order."""
    path = tmp_path / "out.jsonl"
    negforge.run("export jsonl", ROWS, columns=["negative", "anchor"], output=str(path))
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(rows) == ROWS.height
    assert list(rows[0]) == ["negative", "anchor"]


def test_all_columns_by_default(tmp_path: Path) -> None:
    """Without a choice every column goes out, lists as lists."""
    path = tmp_path / "out.jsonl"
    negforge.run("export jsonl", ROWS, output=str(path))
    row = json.loads(path.read_text(encoding="utf-8").splitlines()[0])
    assert list(row) == ROWS.columns or set(row) == set(ROWS.columns)
    assert row["evidence"] == ["not-known-positive"]


def test_other_labels_stay_unless_asked(tmp_path: Path) -> None:
    """Rows labelled unknown or positive go out only with --keep-labels, and the others lie beside with the reason."""
    rows = ROWS.with_columns(pl.Series("label", ["negative", "unknown", "positive", "negative", "negative"]))
    path = tmp_path / "out.jsonl"
    negforge.run("export jsonl", rows, output=str(path))
    assert len(path.read_text(encoding="utf-8").splitlines()) == 3
    beside = pl.read_parquet(tmp_path / "out.dropped.parquet")
    assert sorted(beside["drop_reason"]) == ["label-positive", "label-unknown"]
    negforge.run("export jsonl", rows, keep_labels=["unknown"], output=str(path))
    assert len(path.read_text(encoding="utf-8").splitlines()) == 4


def test_a_misspelt_column_is_an_error() -> None:
    """A column that is not there is named with the nearest."""
    with pytest.raises(InputError) as error:
        negforge.run("export jsonl", ROWS, columns=["negativ"])
    assert "negative" in error.value.mend
