"""A guide model vetoes what it puts above the positive."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import negforge
from negforge.errors import InputError
from tests.shell import good
from tests.test_thresholds import kept, lost, scored

TITLE = "filter guide"
# What a guide says of each pair, from a table: above, on and below the positive.
TABLE = scored(
    ("1", "a", "above", 0.75, 0.5), ("2", "a", "equal", 0.5, 0.5), ("3", "a", "below", 0.25, 0.5), ("4", "b", "above", -0.25, -0.5),
    name="score_guide",
)  # fmt: skip


def test_what_lies_strictly_above_the_positive_goes() -> None:
    """Equality keeps a row, as in GISTEmbed; below zero too."""
    made = negforge.run(TITLE, TABLE)
    assert kept(made) == ["2", "3"]
    assert lost(made) == {"1": ("above-positive", "0.75 > 0.5"), "4": ("above-positive", "-0.25 > -0.5")}


def test_a_margin_asks_for_distance() -> None:
    """With 0.25 a negative on the positive goes, and one 0.25 below it stays."""
    assert kept(negforge.run(TITLE, TABLE, margin=0.25)) == ["3"]
    assert kept(negforge.run(TITLE, TABLE, margin=-0.25)) == ["1", "2", "3", "4"]


def test_the_weakest_positive_is_the_guides_reference() -> None:
    """A negative above one of two positives goes; by the row's own positive, the paper's rule, in that pair alone."""
    table = scored(("1", "a", "x", 0.5, 0.75), ("2", "a", "x", 0.5, 0.25), name="score_guide")
    assert kept(negforge.run(TITLE, table)) == []
    assert kept(negforge.run(TITLE, table, reference="row")) == ["1"]


def test_any_score_may_guide_and_a_missing_one_is_named() -> None:
    """By default score_guide; without it the message names those there are."""
    assert kept(negforge.run(TITLE, TABLE.rename({"score_guide": "score_x", "score_guide_positive": "score_x_positive"}), by="x")) == [
        "2",
        "3",
    ]
    with pytest.raises(InputError) as error:
        negforge.run(TITLE, scored(("1", "a", "x", 0.5, 0.75)))
    assert "'score_guide_positive'" in error.value.what or "'score_guide'" in error.value.what
    assert error.value.mend == "pass --by x"


def test_the_command_line(tmp_path: Path) -> None:
    """Data on stdout, counts on stderr."""
    TABLE.write_parquet(tmp_path / "n.parquet")
    done = good("filter", "guide", tmp_path / "n.parquet", "--at-least", "2", "--to", "jsonl")
    assert sorted(json.loads(line)["id"] for line in done.out.splitlines()) == ["2", "3"]
    assert "dropped 2: above-positive 2 (rows)" in done.err
    assert "anchors with fewer than --at-least: 1, which lack 2 negatives" in done.err
