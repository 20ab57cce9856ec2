"""How rare an edit's words are in the data set."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import negforge
from tests.captions import rows_of, sugarcrepe
from tests.shell import good

TITLE = "score rarity"


def test_a_worked_case() -> None:
    """Four positives. `cat` stands in 1 of the other three, `a cat` too; `axolotl` in none, which counts as half of one."""
    table = rows_of(("a dog", "a cat"), ("a dog", "a cat"), ("a cat", "a cat"), ("the sun", "a axolotl"), ("a dog ran", "a dog ran"))
    made = negforge.run(TITLE, table).kept.sort("id")
    others = 3  # distinct positives: a dog, a cat, the sun, a dog ran
    assert made["score_rarity"].to_list()[0] == pytest.approx(math.log2(others / 1))
    # `dog` and `a dog` stand in one other positive.
    assert made["score_rarity_positive"].to_list()[0] == pytest.approx(math.log2(others / 1))
    assert made["score_rarity"].to_list()[2] is None
    # `a` stands in three, `axolotl` and `a axolotl` in none.
    assert made["score_rarity"].to_list()[3] == pytest.approx((math.log2(others / 3) + 2 * math.log2(others / 0.5)) / 3)
    # What the positive alone has is not counted for itself: in no other one, as far as anyone knows.
    assert made["score_rarity_positive"].to_list()[3] == pytest.approx(math.log2(others / 0.5))
    assert made["score_rarity"].to_list()[4] is None


def test_both_sides_are_measured_alike() -> None:
    """Words drawn from one list for both sides have the same mean surprise: the positive has no advantage of being counted."""
    words = np.random.default_rng(0).integers(0, 40, (800, 4))
    table = rows_of(*((f"x w{one} w{two}", f"x w{three} w{four}") for one, two, three, four in words.tolist()))
    made = negforge.run(TITLE, table).kept
    difference = (made["score_rarity"] - made["score_rarity_positive"]).mean()
    assert isinstance(difference, float)
    assert abs(difference) < 0.25


@pytest.mark.parametrize("bad", ["", " ", "😀\u0301", "\u202eabc", "\x00\x1b[1m", "x " * 500_000])
def test_bad_cells(bad: str) -> None:
    """Numbers or nothing, whatever the text."""
    made = negforge.run(TITLE, rows_of(("a dog", bad or "."), ("a cat", "a dog")).with_columns(pl.col("negative").replace(".", bad))).kept
    assert made.height == 2
    assert made["score_rarity"].drop_nulls().is_finite().all()


def test_the_command_line(tmp_path: Path) -> None:
    """By single letters too."""
    rows_of(("abc", "abd"), ("abe", "abc")).write_parquet(tmp_path / "n.parquet")
    done = good(*TITLE.split(), tmp_path / "n.parquet", "--unit", "character", "--to", "jsonl")
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert all({"score_rarity", "score_rarity_positive"} <= {*row} for row in rows)


def test_sugarcrepes_negatives_are_the_rarer_ones(real_data: Path) -> None:
    """Of replaced objects, before refinement, the rarer side is the negative in six rows of ten."""
    made = negforge.run(TITLE, sugarcrepe(real_data, "replace_obj", refined=False)).kept
    told = (made["score_rarity"] > made["score_rarity_positive"]).mean()
    assert isinstance(told, float)
    assert 0.58 < told < 0.7
