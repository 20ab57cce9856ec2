"""Box and whiskers over the negatives' scores."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import NormalDist

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import negforge
from negforge.errors import InputError, UsageError
from tests.shell import good
from tests.test_thresholds import kept, lost, scored

TITLE = "filter iqr"


def one_anchor(*scores: float | None) -> pl.DataFrame:
    """Texts of one anchor with these scores."""
    return scored(*((f"n{place:03d}", "a", f"text {place}", score, 1.0) for place, score in enumerate(scores)))


def test_a_worked_case() -> None:
    """Of eight scores Q1 is the third, 2, and Q3 the seventh, 6: whiskers at -4 and 12. On a whisker a score stays."""
    made = negforge.run(TITLE, one_anchor(12.0, -4.0, 2.0, 3.0, 4.0, 5.0, 6.0, 1.0), by="x")
    assert made.dropped.height == 0
    made = negforge.run(TITLE, one_anchor(12.5, -4.5, 2.0, 3.0, 4.0, 5.0, 6.0, 1.0), by="x")
    assert lost(made) == {"n000": ("above-whisker", "12.5 > 12.0"), "n001": ("below-whisker", "-4.5 < -4.0")}


def test_unpgs_case_both_ends_go_and_nothing_else() -> None:
    """A hundred scores as of N(0, 0.1) with one at 0.95 and one at -0.95: exactly these two go (methods, spec 2)."""
    usual = [NormalDist(0, 0.1).inv_cdf((place + 0.5) / 100) for place in range(100)]
    made = negforge.run(TITLE, one_anchor(*usual, 0.95, -0.95), by="x")
    assert {row: reason for row, (reason, _) in lost(made).items()} == {"n100": "above-whisker", "n101": "below-whisker"}


@pytest.mark.parametrize("scores", [(), (1.0,), (0.0, 9.0), (0.0, 0.0, 9.0)])
def test_fewer_than_four_scores_are_left_alone(scores: tuple[float, ...]) -> None:
    """No box can be made of them; that is no error."""
    table = (
        scored(*((f"n{place}", "a", f"t{place}", score, 1.0) for place, score in enumerate(scores))) if scores else one_anchor(1.0).clear()
    )
    assert negforge.run(TITLE, table, by="x").dropped.height == 0


def test_within_the_anchor_or_the_table() -> None:
    """A score that is usual in the table may stand out in its anchor, and the other way round."""
    rows = [(f"a{place}", "a", f"t{place}", 0.1, 1.0) for place in range(4)] + [("a9", "a", "far", 0.9, 1.0)]
    rows += [(f"b{place}", "b", f"t{place}", 0.9, 1.0) for place in range(5)]
    assert {*lost(negforge.run(TITLE, scored(*rows), by="x"))} == {"a9"}
    assert lost(negforge.run(TITLE, scored(*rows), by="x", within="table")) == {}
    rows = [(f"a{place}", "a", f"t{place}", 0.1, 1.0) for place in range(9)] + [("b1", "b", "far", 0.9, 1.0)]
    assert {*lost(negforge.run(TITLE, scored(*rows), by="x", within="table"))} == {"b1"}
    assert lost(negforge.run(TITLE, scored(*rows), by="x")) == {}


def test_a_text_of_several_pairs_counts_once() -> None:
    """Three texts, of which two stand in two pairs, are three scores, too few for a box; all rows of a text share its fate."""
    rows = [(f"{text}{pair}", "a", text, 0.0, 1.0) for text in "tu" for pair in range(2)]
    assert lost(negforge.run(TITLE, scored(*rows, ("v0", "a", "v", 9.0, 1.0)), by="x")) == {}
    rows += [(f"{text}{pair}", "a", text, 9.0 if text == "v" else 0.0, 1.0) for text in "vwxy" for pair in range(2)]
    assert {*lost(negforge.run(TITLE, scored(*rows), by="x"))} == {"v0", "v1"}


def test_proven_positives_pass_and_scoreless_rows_are_counted() -> None:
    """Neither moves the box."""
    table = one_anchor(0.0, 0.0, 0.0, 0.0, 9.0, None).with_columns(
        pl.Series("label", ["negative"] * 4 + ["positive", "negative"]),
    )
    made = negforge.run(TITLE, table, by="x")
    assert (lost(made), made.report.counts["noted"]) == ({}, {"no-score": 1})
    assert lost(negforge.run(TITLE, table, by="x", unscored="drop")) == {"n005": ("no-score", None)}


@settings(max_examples=25)
@given(st.lists(st.integers(-50, 50), min_size=1, max_size=20), st.integers(0, 3), st.integers(1, 3))
def test_it_is_the_papers_rule(scores: list[int], whisker: int, more: int) -> None:
    """The same rows as by the rule in plain Python; a longer whisker never drops more."""
    ordered = sorted(scores)
    low, high = ordered[int(0.25 * len(ordered))], ordered[int(0.75 * len(ordered))]
    reach = whisker * (high - low)
    wanted = [f"n{place:03d}" for place, score in enumerate(scores) if len(scores) < 4 or low - reach <= score <= high + reach]
    table = one_anchor(*map(float, scores))
    assert kept(negforge.run(TITLE, table, by="x", whisker=whisker)) == wanted
    assert {*wanted} <= {*kept(negforge.run(TITLE, table.reverse(), by="x", whisker=whisker + more))}


def test_faults() -> None:
    """A score that is not there, and a whisker below zero."""
    with pytest.raises(InputError):
        negforge.run(TITLE, one_anchor(0.0), by="z")
    with pytest.raises(UsageError):
        negforge.run(TITLE, one_anchor(0.0), by="x", whisker=-1)


def test_the_command_line(tmp_path: Path) -> None:
    """Data on stdout, counts on stderr."""
    one_anchor(0.0, 0.0, 0.0, 0.0, 9.0, None).write_parquet(tmp_path / "n.parquet")
    done = good("filter", "iqr", tmp_path / "n.parquet", "--by", "x", "--within", "table", "--to", "jsonl")
    assert [json.loads(line)["id"] for line in done.out.splitlines()] == ["n000", "n001", "n002", "n003", "n005"]
    assert "dropped 1: above-whisker 1 (rows)" in done.err
    assert "rows that stay all the same: no-score 1" in done.err
