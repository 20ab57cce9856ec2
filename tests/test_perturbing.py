"""Laws of every operator that edits a text, over texts in which one or another of them finds something to do, and over bad input."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import negforge
from negforge import registry
from negforge.options import json_schema
from negforge.registry import Operator
from tests import edits
from tests.test_contract import TEXTS

ANSWERS = ("perturb.slot",)  # what edits an answer to the question in its anchor, which these rows do not have: see its own tests
EDITORS = [one for one in registry.operators("generate").values() if one.declared.get("edits") and one.name not in ANSWERS]
RICH = (
    *TEXTS,
    "She sold 24 apples, 36 pears and 57 plums.",
    "The ship left on 5 May 1990 and came back on 7 June 1991.",
    "A small black dog is sleeping under a large white table.",
    "All squares have four corners. Every triangle has three sides.",
    "The road is 20 km long and the bridge is 300 m wide.",
    "A boy in a blue shirt is standing in front of a tall girl in a red coat.",
    "Dublin is not the capital of Norway. The man did not open the door.",
    "Ann is 3 years older than Ben. Carl has twice as many pens as Dan.",
    "The shop was closed in 1950.",
    "The song was written by Paul Green. Jane Black wrote The Long Road.",
)
BAD = (
    "\U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467 5\ufe0f\u20e3",
    "e\u0301te\u0301 24 \u05d0\u05d1\u05d2 \u202e small dog",
    "\x01\x02 A small dog\x1b[0m is on a table.\x7f",
    "Is the small dog on 24 tables?",
    "The Small Dog on the Table",
    "Not never no dog isn't not on nothing.",
    "a" * 5000,
)
PIECES = st.one_of(st.sampled_from([*RICH, *BAD]), st.text(max_size=20), st.sampled_from([" ", ", ", ". ", "? ", " not ", "\n"]))
MIXED = st.lists(PIECES, min_size=1, max_size=4).map("".join).filter(str.strip)  # a blank text is no row

pytestmark = pytest.mark.parametrize("operator", EDITORS, ids=lambda one: one.name)


def pairs(texts: tuple[str, ...] | list[str]) -> pl.DataFrame:
    """A row a text, under an anchor that names nothing."""
    ids = [f"row-{place}" for place in range(len(texts))]
    return pl.DataFrame({"id": ids, "anchor": ids, "positive": texts}, schema=dict.fromkeys(("id", "anchor", "positive"), pl.String))


def run(operator: Operator, frame: pl.DataFrame, **options: Any) -> pl.DataFrame:
    """What the operator emits, with whatever it requires set to the first example."""
    schema = json_schema(operator)
    required = {name: schema["properties"][name]["examples"][0] for name in schema.get("required", []) if name in operator.options()}
    given: dict[str, Any] = {**required, **edits.allowed(operator.title), **options}
    return negforge.run(operator.title, frame, **given).kept


def spliced(text: str, start: int, end: int, new: str) -> str:
    """The text with characters start to end replaced."""
    return text[:start] + new + text[end:]


@settings(max_examples=4, suppress_health_check=[HealthCheck.too_slow])
@given(texts=st.lists(MIXED, min_size=1, max_size=6), seed=st.integers(0, 99))
def test_an_edit_is_the_only_change_and_can_be_undone(operator: Operator, texts: list[str], seed: int) -> None:
    """The recorded edit makes the negative of the source, and backwards the source of the negative; nothing is an edit that changes nothing."""
    for row in run(operator, pairs([*texts, *RICH[:4]]), num_negatives=2, seed=seed).to_dicts():
        edit, source, negative = row["edit"], row["positive"], row["negative"]
        assert source[edit["start"] : edit["end"]] == edit["old"] != edit["new"]
        assert spliced(source, edit["start"], edit["end"], edit["new"]) == negative
        assert spliced(negative, edit["start"], edit["start"] + len(edit["new"]), edit["old"]) == source


def test_draws_of_a_row_differ(operator: Operator) -> None:
    """No text twice of one source, draws numbered from 0 without an unexplained gap (IBM/unitxt#1726)."""
    made = run(operator, pairs(RICH), num_negatives=4, seed=3)
    assert made.height > 0, "tests/test_perturbing.py has no text for it: add one to RICH"
    texts = defaultdict(list)
    for row in made.filter(pl.col("label") == "negative").to_dicts():
        texts[row["source_id"]].append(row["negative"])
    assert all(len({*found}) == len(found) for found in texts.values())
    assert made.filter(pl.col("draw") == 0).height > 0


def test_seeds_and_rows_in_any_order_give_the_same(operator: Operator) -> None:
    """One seed gives the same rows backwards and one by one (RasaHQ/taipo#19, dsfsi/textaugment#13, facebookresearch/AugLy#119)."""
    frame = pairs(RICH)
    runs = [
        run(operator, given, num_negatives=3, seed=7, batch_size=size).select("id", "negative").sort("id")
        for given, size in ((frame, 10_000), (frame.reverse(), 1), (frame.reverse(), 5))
    ]
    assert runs[0].equals(runs[1])
    assert runs[0].equals(runs[2])


def test_what_is_protected_stays(operator: Operator) -> None:
    """With everything protected nothing is edited; with a word, no edit touches it (makcedward/nlpaug#296)."""
    assert "protect" in operator.options(), "an editor has `protect`"
    frame = pairs(RICH)
    assert run(operator, frame, num_negatives=2, protect=r"(?s).+").height == 0
    free = run(operator, frame, num_negatives=4, seed=1)
    old = free["edit"].struct.field("old").to_list()
    word = max((one.split()[0] for one in old if one.split()), key=len)
    for row in run(operator, frame, num_negatives=4, seed=1, protect=rf"\b{word}\b").to_dicts():
        assert row["negative"].count(word) >= row["positive"].count(word)


def test_bad_input_is_refused_or_edited_but_never_breaks(operator: Operator) -> None:
    """Emoji, combining marks, right-to-left, control characters, a question, a title, a megabyte: no run stops (QData/TextAttack#712)."""
    texts = [*BAD, "small dog 24 not all " * 50_000]
    given: dict[str, Any] = edits.allowed(operator.title)
    made = negforge.run(operator.title, pairs(texts), num_negatives=2, **given)
    assert {*made.kept["source_id"]} | {*made.dropped["source_id"]} == {f"row-{place}" for place in range(len(texts))}
    # An emoji and a question; what only says a question in other words may be a positive.
    assert not {"row-0", "row-3"} & {*made.kept.filter(pl.col("label") == "negative")["source_id"]}
