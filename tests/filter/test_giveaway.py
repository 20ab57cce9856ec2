"""Negatives that text alone gives away, balanced by leaving rows out."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import negforge
from negforge.errors import UsageError
from negforge.filter.giveaway import filter as decide
from negforge.records import Negatives
from tests.captions import rows_of, sugarcrepe
from tests.score.test_trigger import drawn
from tests.shell import good
from tests.test_giveaway import sampled

TITLE = "filter giveaway"


def narrow(*gaps: tuple[float, float]) -> Negatives:
    """Rows with these gaps of words and form, drawn in this order."""
    rows = [{"row": at, "words": one, "form": other, "key": at, "id": f"{at:03d}"} for at, (one, other) in enumerate(gaps)]
    return Negatives(pl.DataFrame(rows).with_columns(pl.lit(1, pl.UInt64).alias("group"), pl.lit(value=False).alias("passes")))


def test_the_grid_by_hand() -> None:
    """Of a cell with three rows and a mirror with one, one each stays; a row without gaps stays, one alone in its cells goes."""
    gone = decide(narrow((0.5, 0.1), (0.49, 0.11), (0.5, 0.12), (-0.5, -0.1), (0.0, 0.0), (0.9, 0.0), (0.0, -0.3), (0.0, 0.3)), grid=4)
    assert gone["row"].to_list() == [1, 2, 5]
    assert gone.filter(pl.col("row") == 5).row(0) == (5, "giveaway", "words 0.9, form 0.0")
    # On a finer grid the cells are others, and the rule is the same.
    fine = decide(narrow((0.5, 0.1), (0.49, 0.11), (-0.5, -0.1)), grid=200)
    assert fine["row"].to_list() == [1]


def test_a_cell_and_its_mirror_keep_as_many() -> None:
    """Counted over drawn gaps: what stays is balanced in every cell."""
    gaps = np.round(np.random.default_rng(0).normal(0.2, 0.3, (3000, 2)).clip(-1, 1), 2)
    table = narrow(*map(tuple, gaps.tolist()))
    gone = {*decide(table, grid=10)["row"]}
    cells = Counter(
        tuple((np.sign(pair) * np.ceil(np.abs(pair) * 5)).astype(int).tolist()) for at, pair in enumerate(gaps) if at not in gone
    )
    assert 200 < len(gaps) - len(gone) < 2900
    assert all(count == cells[-one, -other] for (one, other), count in cells.items())


def test_a_planted_word_goes_and_what_is_left_is_at_chance() -> None:
    """Half of the rows have `indeed` in the negative, a tenth in the positive; the rest is of one distribution."""
    texts = [(f"{r} indeed", w) if at % 10 == 0 else (r, f"{w} indeed") if at % 2 else (r, w) for at, (r, w) in enumerate(drawn(1000))]
    made = negforge.run(TITLE, rows_of(*texts), grid=4)
    assert {*made.dropped["drop_reason"]} == {"giveaway"}
    wrong, right = (int(made.kept[name].str.contains("indeed").sum()) for name in ("negative", "positive"))
    assert abs(wrong - right) <= 0.25 * max(wrong, right)
    assert wrong < 200


def test_operators_are_balanced_apart_and_proven_positives_pass() -> None:
    """What gives one operator away says nothing of another."""
    table = pl.concat(
        [
            rows_of(*((r, f"{r} not") for r, _ in drawn(150)), operator="perturb.not"),
            rows_of(*((f"{r} not", r) for r, _ in drawn(150, 1)), operator="perturb.aff").with_columns((pl.col("id") + "b").alias("id")),
        ]
    )
    assert negforge.run(TITLE, table).kept.height == 0
    right = table.with_columns(pl.when(pl.int_range(pl.len()) % 2 == 0).then(pl.lit("positive")).otherwise("label").alias("label"))
    assert negforge.run(TITLE, right).kept.height == 150


@pytest.mark.parametrize("bad", ["", "😀\u0301", "\u202eabc", "\x00\x1b", "x " * 300_000])
def test_bad_cells(bad: str) -> None:
    """Every row comes out, kept or dropped."""
    made = negforge.run(TITLE, rows_of(*((right, bad + wrong) for right, wrong in drawn(30))))
    assert made.kept.height + made.dropped.height == 30


def test_the_command_line(tmp_path: Path) -> None:
    """Reason on stderr; an odd number of cells has a middle that mirrors itself, and is refused."""
    rows_of(*((right, f"{wrong} not") for right, wrong in drawn(200))).write_parquet(tmp_path / "n.parquet")
    done = good(*TITLE.split(), tmp_path / "n.parquet", "-o", tmp_path / "out.parquet")
    assert "giveaway" in done.err
    for grid in (3, 0, 1002):
        with pytest.raises(UsageError):
            negforge.run(TITLE, rows_of(("a", "b")), grid=grid)


def test_sugarcrepes_replacements_are_no_longer_told(real_data: Path) -> None:
    """Before its refinement words tell 82 % of the replaced attributes; of what this filter keeps, no more than chance does."""
    from negforge import giveaway

    table = sugarcrepe(real_data, "replace_att", refined=False)
    kept = negforge.run(TITLE, table).kept
    before, after = (giveaway.report(sampled(one))[0] for one in (table, kept))
    assert before["words"] > 0.8
    assert after["words"] < 0.55
    assert abs(after["length"] - 0.5) < 0.06
    assert 300 < kept.height < 600
    added = negforge.run(TITLE, sugarcrepe(real_data, "add_obj", refined=True)).kept
    assert added.height < 50
