"""How well text alone tells the sides of a data set."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import negforge
from negforge import giveaway
from tests.captions import rows_of, sugarcrepe
from tests.score.test_trigger import drawn
from tests.shell import good

ROWS = [(right, wrong) for right, wrong in drawn(400)]


def sampled(table: pl.DataFrame, rows: int = 10_000) -> pl.DataFrame:
    """The sample of a table."""
    sample = giveaway.Sample(rows)
    sample.add(table)
    return sample.frame()


def told(*texts: tuple[str, str]) -> dict[str, float]:
    """The report on these rows."""
    (found,) = giveaway.report(sampled(rows_of(*texts)))
    return {name: found[name] for name in giveaway.REPORTED}


def test_what_gives_nothing_away_is_near_chance() -> None:
    """Both sides of one distribution: no group tells them."""
    assert all(0.4 < value < 0.6 for value in told(*ROWS).values())


def test_each_group_finds_what_it_looks_at_and_no_more() -> None:
    """A longer negative, a word of its own, a negation."""
    longer = told(*((right[:20], right[:20] + wrong[:6].replace("w", "z")) for right, wrong in ROWS))
    assert longer["length"] == 1.0
    swapped = told(*((right.replace("w1", "x1"), right) for right, _ in ROWS if "w1" in right))
    assert swapped["words"] > 0.95
    assert swapped["cues"] == swapped["length"] == 0.5
    negated = told(*((f"it {right}", f"no {right}") for right, _ in ROWS))
    assert negated["cues"] == negated["words"] == 1.0
    assert negated["length"] == 0.5
    # The same sign on either side as often: a word that tells nothing.
    half = told(*((f"it {right}", f"no {right}") if at % 2 else (f"no {right}", f"it {right}") for at, (right, _) in enumerate(ROWS)))
    assert 0.35 < half["cues"] < 0.65


def test_a_model_never_judges_rows_of_an_anchor_it_saw() -> None:
    """Rows that repeat an anchor's texts and nothing else in common are at chance: by heart they would be told."""
    texts = [(f"p{at}x p{at}y", f"n{at}x n{at}y") for at in range(40) for _ in range(5)]
    table = rows_of(*texts).with_columns((pl.int_range(pl.len()) // 5).cast(pl.String).alias("anchor_id"))
    (found,) = giveaway.report(sampled(table))
    assert found["words"] == 0.5
    apart = table.with_columns(pl.col("id").alias("anchor_id"))
    assert giveaway.report(sampled(apart))[0]["words"] > 0.9


@settings(max_examples=15)
@given(st.integers(1, 50), st.integers(0, 5), st.integers(1, 200))
def test_the_sample_depends_on_no_order(batch: int, seed: int, rows: int) -> None:
    """Any batching and order gives the same rows in the same order, those of the smallest hashes."""
    table = rows_of(*drawn(120))
    first = sampled(table, rows)
    other = giveaway.Sample(rows)
    for frame in table.sample(fraction=1, shuffle=True, seed=seed).iter_slices(batch):
        other.add(frame)
    assert other.frame().equals(first)
    assert first.height == min(rows, 120)


def test_sides_that_change_places_give_the_opposite() -> None:
    """Every feature is a difference: with the columns exchanged each value has the other sign."""
    groups: tuple[giveaway.Group, ...] = ("length", "phrases", "cues", "signs")
    table = rows_of(*ROWS, ("A dog, 3 cats.", "a Dog"), ("é", "é!"))
    one = giveaway.features(table, groups)
    other = giveaway.features(table.rename({"positive": "negative", "negative": "positive"}), groups)
    assert (one.row == other.row).all()
    assert (one.key == other.key).all()
    assert (one.value == -other.value).all()


@pytest.mark.parametrize("bad", ["", "😀\u0301", "\u202eabc", "\x00\x1b", "x " * 300_000])
def test_bad_cells(bad: str) -> None:
    """A number from 0 to 1 whatever the text; a long one counts by its whole length."""
    found = told(*((right, bad + wrong) for right, wrong in ROWS[:120]))
    assert all(0 <= value <= 1 for value in found.values())
    assert found["length"] > 0.9 if len(bad) > 9 else True


# -- by default --------------------------------------------------------------------------------------------------------


def test_a_version_says_what_gives_its_negatives_away(tmp_path: Path) -> None:
    """In the manifest, the card, the summary and `show`, by operator; the same whatever the batching."""
    table = pl.concat(
        [
            rows_of(*((right, f"{right} not") for right, _ in ROWS[:150]), operator="perturb.not"),
            rows_of(*ROWS[150:300], operator="perturb.other").with_columns((pl.col("id") + "b").alias("id")),
        ]
    )
    found = []
    for at, size in enumerate((7, 10_000)):
        made = negforge.run("score edit-distance", table, output=tmp_path / f"set{at}", batch_size=size)
        found.append(
            json.loads((tmp_path / f"set{at}" / ".negforge" / "v1" / "manifest.json").read_text(encoding="utf-8"))["contents"]["giveaway"]
        )
    assert found[0] == found[1]
    by = {one.get("operator"): one for one in found[0]}
    assert set(by) == {"perturb.not", "perturb.other", None}
    assert (by["perturb.not"]["length"], by["perturb.not"]["words"], by["perturb.not"]["cues"], by["perturb.not"]["rows"]) == (
        1.0,
        1.0,
        1.0,
        150,
    )
    assert 0.35 < by["perturb.other"]["words"] < 0.65
    card = (tmp_path / "set0" / "README.md").read_text(encoding="utf-8")
    assert "| `perturb.not` | 150 | 1.00 | 1.00 | 1.00 |" in card
    words = "told from their positives (chance is 0.5) by length alone 1.00, by words alone 1.00, by cue words alone 1.00 of perturb.not"
    assert f"  {words}" in made.report.lines()
    assert words in " ".join(good("show", tmp_path / "set0").out.split())


def test_few_rows_and_other_kinds_have_no_report(tmp_path: Path) -> None:
    """Of fewer than a hundred the share would say nothing."""
    for name, rows in (("few", 99), ("enough", 100)):
        negforge.run("score edit-distance", rows_of(*ROWS[:rows]), output=tmp_path / name)
        manifest = json.loads((tmp_path / name / ".negforge" / "v1" / "manifest.json").read_text(encoding="utf-8"))
        assert ("giveaway" in manifest["contents"]) == (rows >= 100)
    negforge.run(
        "ingest pairs", pl.DataFrame({"anchor": ["a"] * 120, "positive": [f"p{at}" for at in range(120)]}), output=tmp_path / "pairs"
    )
    manifest = json.loads((tmp_path / "pairs" / ".negforge" / "v1" / "manifest.json").read_text(encoding="utf-8"))
    assert "giveaway" not in manifest["contents"]


def test_sugarcrepe_refined_and_not(real_data: Path) -> None:
    """Length tells additions, before and after its own refinement; of replacements that took some of what words told."""
    for name, low, high in (("add_obj", 0.98, 1.0), ("replace_att", 0.5, 0.6)):
        before, after = (giveaway.report(sampled(sugarcrepe(real_data, name, refined=refined)))[0] for refined in (False, True))
        assert low < after["length"] < high
        assert before["words"] > after["words"] > 0.7


def test_accuracy_counts_half_of_what_nothing_tells() -> None:
    """By hand."""
    assert giveaway.accuracy(np.array([1.0, 0.0, -1.0, 2.0])) == 0.625
    assert giveaway.accuracy(np.zeros(0)) == 0.0
