"""What filters by a threshold share: references, rows that cannot be judged, anchors left with too few, and their counts."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import negforge
from negforge.api import Result
from negforge.errors import InputError, UsageError
from negforge.thresholds import column_of, references
from tests.shell import call, good
from tests.verify.test_known_positive import negative

TITLE = "filter margin"
# Of anchor a: 0.9, 0.8, 0.7 and 0.3 beside a positive of 0.75. Of b: one that is far, one that is near.
ROWS = (
    ("a1", "a", "one", 0.9, 0.75),
    ("a2", "a", "two", 0.8, 0.75),
    ("a3", "a", "three", 0.7, 0.75),
    ("a4", "a", "four", 0.3, 0.75),
    ("b1", "b", "one", 0.1, 0.5),
    ("b2", "b", "two", 0.6, 0.5),
)


def scored(*rows: tuple[str, str, str, float | None, float | None], name: str = "score_x", **more: list[Any]) -> pl.DataFrame:
    """Rows of (id, anchor, text, score, score of the positive), and columns of their own."""
    made = [
        {**negative(text, anchor=anchor, row=row), name: score, f"{name}_positive": positive} for row, anchor, text, score, positive in rows
    ]
    types: dict[str, Any] = {name: pl.Float64, f"{name}_positive": pl.Float64, "negative_id": pl.String}
    return pl.DataFrame(made, schema_overrides=types).with_columns(pl.Series(column, values) for column, values in more.items())


def kept(made: Result) -> list[str]:
    """Ids of the kept rows."""
    return sorted(made.kept["id"])


def lost(made: Result) -> dict[str, tuple[str, str | None]]:
    """Reason and value by the id of the dropped rows."""
    return {row["id"]: (row["drop_reason"], row["drop_value"]) for row in made.dropped.to_dicts()}


def margin(table: pl.DataFrame, **options: Any) -> Result:
    """Run the margin filter."""
    return negforge.run(TITLE, table, by="x", **options)


# -- the score and what it is compared with ----------------------------------------------------------------------------


def test_a_score_is_named_short_or_by_its_column() -> None:
    """`dense` is score_dense, `edit-distance` score_edit_distance, and score_dense is itself."""
    assert [column_of(name) for name in ("dense", "edit-distance", "score_dense")] == ["score_dense", "score_edit_distance", "score_dense"]
    assert kept(margin(scored(*ROWS), max_score=0.5)) == kept(negforge.run(TITLE, scored(*ROWS), by="score_x", max_score=0.5))


@pytest.mark.parametrize(
    ("drop", "by", "words", "mend"),
    [
        (["score_x"], "x", "'score_x'", "pass --by y"),
        (["score_x_positive"], "x", "'score_x_positive'", "pass --by y"),
        ([], "z", "'score_z'", "pass --by x"),
        (["score_x", "score_x_positive", "score_y", "score_y_positive"], "x", "'score_x'", "score the table first"),
        (["score_x_positive", "score_y", "score_y_positive"], "x", "'score_x_positive'", "score the positives as well"),
        ([], "operator", "'score_operator'", "pass --by"),
    ],
)
def test_a_score_that_is_not_there_is_named_with_what_is(drop: list[str], by: str, words: str, mend: str) -> None:
    """Whether the negative's or the positive's is missing, the message says which there are, and nothing is guessed."""
    table = scored(*ROWS, score_y=[0.0] * 6, score_y_positive=[1.0] * 6).drop(drop)
    with pytest.raises(InputError) as error:
        negforge.run(TITLE, table, by=by, absolute_margin=0.1)
    assert words in error.value.what
    assert mend in error.value.mend


def test_the_weakest_positive_is_the_least_of_the_anchors_rows() -> None:
    """Of all its pairs, unless a column says it; a pair without a score says nothing."""
    table = scored(("1", "a", "p", 0.0, 0.5), ("2", "a", "q", 0.0, 0.25), ("3", "a", "r", 0.0, None), ("4", "b", "s", 0.0, 0.75))
    assert references(table, "x", "weakest").to_list() == [0.25, 0.25, 0.25, 0.75]
    assert references(table, "x", "row").to_list() == [0.5, 0.25, None, 0.75]
    said = table.with_columns(score_x_weakest=pl.Series([0.125, None, None, None]))
    assert references(said, "x", "weakest").to_list() == [0.125, 0.125, 0.125, 0.75]


# -- rows that cannot be judged ----------------------------------------------------------------------------------------

ODD = scored(
    ("1", "a", "one", None, 0.5), ("2", "a", "two", math.nan, 0.5), ("3", "a", "three", -math.inf, 0.5), ("4", "b", "four", 0.1, None)
)


def test_a_row_without_a_score_stays_and_is_counted() -> None:
    """Null, NaN and infinite scores are none; a positive's too. No row is judged by what is not there, and none in silence."""
    made = margin(ODD, absolute_margin=0.1)
    assert (kept(made), made.report.counts["noted"]) == (["1", "2", "3", "4"], {"no-score": 4})
    assert "rows that stay all the same: no-score 4" in "\n".join(made.report.lines())
    assert all("no-score" not in one for one in made.kept["evidence"])


def test_a_row_without_a_score_is_dropped_on_request() -> None:
    """With the reason `no-score`."""
    made = margin(ODD, absolute_margin=0.1, unscored="drop")
    assert lost(made) == dict.fromkeys("1234", ("no-score", None))
    assert "noted" not in made.report.counts


def test_what_one_limit_drops_another_need_not_judge() -> None:
    """A row beyond the highest score goes, though its positive has no score."""
    made = margin(scored(("1", "a", "one", 0.9, None), ("2", "a", "two", 0.5, None)), absolute_margin=0.1, max_score=0.8)
    assert lost(made) == {"1": ("above-max", "0.9 > 0.8")}
    assert made.report.counts["noted"] == {"no-score": 1}


def test_a_proven_false_negative_passes() -> None:
    """A row labelled positive is on record as such: it is neither dropped nor counted as left; one labelled unknown is judged."""
    table = scored(*ROWS).with_columns(pl.Series("label", ["positive", "unknown", "negative", "negative", "negative", "negative"]))
    made = margin(table, absolute_margin=0.0, at_least=3)
    assert kept(made) == ["a1", "a3", "a4", "b1"]
    assert made.report.counts["per_anchor"] == {"min": 1, "median": 1, "max": 2, "none": 0, "short": 2, "missing": 3}


# -- anchors left with too few -----------------------------------------------------------------------------------------


def test_fewer_are_fewer_and_counted_by_anchor() -> None:
    """By default nobody refills; anchors and missing negatives are counted each by its own name (sentence-transformers#3504)."""
    made = margin(scored(*ROWS), absolute_margin=0.0, at_least=3)
    assert kept(made) == ["a3", "a4", "b1"]
    assert made.report.counts["per_anchor"] == {"min": 1, "median": 1, "max": 2, "none": 0, "short": 2, "missing": 3}
    lines = "\n".join(made.report.lines())
    assert "negatives left to each anchor: min 1, median 1, max 2; with none: 0" in lines
    assert "anchors with fewer than --at-least: 2, which lack 3 negatives" in lines


def test_a_text_of_several_pairs_is_one_negative() -> None:
    """An anchor with three positives has each text three times, and one negative of it: no count is threefold (#3504)."""
    rows = [(f"{text}{pair}", "a", text, 0.1, 0.5) for text in ("one", "two") for pair in range(3)]
    made = margin(scored(*rows), absolute_margin=0.0, at_least=3)
    assert made.report.counts["per_anchor"] == {"min": 2, "median": 2, "max": 2, "none": 0, "short": 1, "missing": 1}


def test_an_anchor_left_with_none_is_counted() -> None:
    """It is short of all of them, and is left with none."""
    made = margin(scored(("1", "a", "one", 0.9, 0.5)), absolute_margin=0.0, at_least=2)
    assert made.report.counts["per_anchor"] == {"min": 0, "median": 0, "max": 0, "none": 1, "short": 1, "missing": 2}


def test_drop_takes_the_rest_of_a_short_anchor() -> None:
    """A tuple of exactly K negatives or none: what is left of the anchor goes as `anchor-short`, with how many there were."""
    made = margin(scored(*ROWS), absolute_margin=0.0, at_least=2, shortage="drop")
    assert kept(made) == ["a3", "a4"]
    assert lost(made)["b1"] == ("anchor-short", "1 < 2")
    assert lost(made)["b2"] == ("above-margin", "0.6 > 0.5")


def test_relax_brings_back_what_is_nearest() -> None:
    """Up to K, nearest to the threshold first, marked in the evidence and counted."""
    made = margin(scored(*ROWS), absolute_margin=0.0, at_least=3, shortage="relax")
    assert kept(made) == ["a2", "a3", "a4", "b1", "b2"]
    evidence = dict(zip(made.kept["id"], made.kept["evidence"].to_list(), strict=True))
    assert {row for row, said in evidence.items() if "relaxed" in said} == {"a2", "b2"}
    assert evidence["a2"] == ["not-known-positive", "relaxed"]
    assert evidence["a3"] == ["not-known-positive"]
    assert made.report.counts["noted"] == {"relaxed": 2}
    assert made.report.counts["per_anchor"]["short"] == 1


def test_relax_cuts_ties_by_id_and_brings_back_no_more_than_asked() -> None:
    """Equal distances: the lowest id comes back, in any order of the rows."""
    table = scored(("3", "a", "x", 0.9, 0.5), ("1", "a", "y", 0.9, 0.5), ("2", "a", "z", 0.9, 0.5))
    for one in (table, table.reverse()):
        assert kept(margin(one, absolute_margin=0.0, at_least=2, shortage="relax")) == ["1", "2"]


def test_relax_knows_no_way_back_for_what_has_no_score() -> None:
    """A row that was dropped because it has no score, and a proven false negative, are no refill."""
    table = scored(("1", "a", "x", None, 0.5), ("2", "a", "y", 0.9, 0.5), ("3", "a", "z", 0.1, 0.5))
    made = margin(table, absolute_margin=0.0, at_least=3, shortage="relax", unscored="drop")
    assert kept(made) == ["2", "3"]


def test_a_policy_without_a_number_is_a_fault() -> None:
    """An option that would mean nothing is refused, with the one it goes with."""
    with pytest.raises(UsageError) as error:
        margin(scored(*ROWS), absolute_margin=0.0, shortage="relax")
    assert "--shortage means nothing without --at-least" in error.value.what


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("uvwxyz"), st.integers(-9, 9), st.integers(-9, 9)), min_size=1, max_size=12),
    st.integers(1, 4),
    st.integers(-3, 3),
)
def test_the_policies_agree_where_they_must(rows: list[tuple[str, str, int, int]], least: int, gap: int) -> None:
    """`drop` keeps a part of what `short` keeps, and `relax` that and more; none leaves an anchor between 1 and K, or above, wrongly."""
    table = scored(
        *((f"n{place:02d}", anchor, text, score / 8, positive / 8) for place, (anchor, text, score, positive) in enumerate(rows))
    )
    found = {}
    for policy in ("short", "drop", "relax"):
        made = margin(table, absolute_margin=gap / 8, at_least=least, shortage=policy)
        found[policy] = made.kept.select("id", "anchor_id", "negative")
        assert made.kept.height + made.dropped.height == table.height
    ids = {policy: {*frame["id"]} for policy, frame in found.items()}
    assert ids["drop"] <= ids["short"] <= ids["relax"]
    texts = {policy: dict(frame.group_by("anchor_id").agg(pl.col("negative").n_unique()).rows()) for policy, frame in found.items()}
    assert all(number >= least for number in texts["drop"].values())
    for anchor, number in dict(table.group_by("anchor_id").agg(pl.col("negative").n_unique()).rows()).items():
        assert texts["relax"].get(anchor, 0) == max(texts["short"].get(anchor, 0), min(least, number))


# -- command line ------------------------------------------------------------------------------------------------------


def test_the_command_line_says_what_stays_all_the_same(tmp_path: Path) -> None:
    """Data on stdout or in the file, counts on stderr, and as JSON by their names."""
    scored(*ROWS, ("c1", "c", "one", None, 0.5)).write_parquet(tmp_path / "n.parquet")
    limits = ("--by", "x", "--absolute-margin", "0", "--at-least", "3", "--shortage", "relax")
    words: list[str | Path] = ["filter", "margin", tmp_path / "n.parquet", *limits]
    done = good(*words, "-o", tmp_path / "out.parquet", "--json")
    counts = json.loads(done.out)["counts"]
    assert counts["noted"] == {"no-score": 1, "relaxed": 2}
    assert counts["per_anchor"] == {"min": 1, "median": 2, "max": 3, "none": 0, "short": 2, "missing": 3}
    assert "rows that stay all the same: no-score 1, relaxed 2" in done.err
    done = good(*words, "--to", "jsonl")
    assert [json.loads(line)["id"] for line in done.out.splitlines()].count("a2") == 1


def test_a_policy_is_one_of_three() -> None:
    """A misspelt one is suggested."""
    done = call("filter", "margin", "n.parquet", "--by", "x", "--max-score", "1", "--at-least", "2", "--shortage", "relaxed")
    assert (done.code, done.out) == (2, "")
    assert "did you mean relax?" in done.err
