"""Edits of characters between the negative and its positive."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings

import negforge
from tests import strategies
from tests.verify.test_known_positive import negative

TITLE = "score edit-distance"


def scored(*pairs: tuple[str, str], **options: Any) -> list[float | None]:
    """The scores of pairs of a positive and a negative."""
    rows = [{**negative(text, row=str(place)), "positive": positive} for place, (positive, text) in enumerate(pairs)]
    frame = pl.DataFrame(rows, schema_overrides={"negative_id": pl.String})
    return negforge.run(TITLE, frame, **options).kept["score_edit_distance"].to_list()


def test_edits_as_a_share_of_the_longer_text() -> None:
    """By hand: kitten to sitting is 3 edits of 7 characters; nothing in common is 1, equality 0."""
    assert scored(("kitten", "sitting"), ("abc", "xyz"), ("same", "same"), ("ab", "")) == [3 / 7, 1.0, 0.0, 1.0]


def test_case_accents_and_spaces_count() -> None:
    """Texts are compared as they stand, in characters, not bytes."""
    assert scored(("Éa", "éa"), ("a b", "ab"), ("日本語", "日本人")) == [1 / 2, 1 / 3, 1 / 3]


def test_a_text_above_the_limit_has_no_score() -> None:
    """The cost is quadratic: texts above the limit get null, and one at it a score."""
    assert scored(("abcd", "abce"), ("abc", "abd"), ("abcde", ""), max_characters=4) == [1 / 4, 1 / 3, None]


def test_a_megabyte_of_text_costs_nothing() -> None:
    """With the default limit two texts of a million characters are not compared (they would take minutes)."""
    assert scored(("ab" * 500_000, "cd" * 500_000), ("a", "b")) == [None, 1.0]


def naive(one: str, other: str) -> float:
    """The definition, as plain Python."""
    row = list(range(len(other) + 1))
    for place, left in enumerate(one, 1):
        before, row[0] = row[0], place
        for at, right in enumerate(other, 1):
            before, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, before + (left != right))
    return row[-1] / max(len(one), len(other), 1)


@settings(max_examples=25)
@given(strategies.negatives())
def test_scores_are_those_of_the_definition(table: pl.DataFrame) -> None:
    """Symmetric, 0 for equal texts alone, and equal to the textbook's table, whatever the texts hold."""
    made = negforge.run(TITLE, table).kept
    turned = negforge.run(TITLE, table.rename({"positive": "negative", "negative": "positive"})).kept
    assert made.sort("id")["score_edit_distance"].to_list() == turned.sort("id")["score_edit_distance"].to_list()
    for row in made.to_dicts():
        assert (row["score_edit_distance"] == 0) == (row["positive"] == row["negative"])
        if len(row["positive"]) + len(row["negative"]) < 200:
            assert row["score_edit_distance"] == naive(row["positive"], row["negative"])


def test_on_captions_one_attribute_is_few_characters(real_data: Path) -> None:
    """SugarCrepe's replaced attributes are near the right caption, and none of them is equal to it."""
    rows = [*json.loads((real_data / "sugarcrepe" / "replace_att.json").read_text()).values()]
    found = pl.Series(scored(*((one["caption"], one["negative_caption"]) for one in rows)))
    assert found.null_count() == 0
    assert found.min() > 0  # type: ignore[operator]
    assert found.median() == pytest.approx(0.1, abs=0.03)
