"""A window of the miner's ranks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import negforge
from negforge.errors import InputError, UsageError
from tests.shell import good
from tests.test_thresholds import kept, lost, scored

TITLE = "filter rank-range"
# Ranks 1 to 6 of one anchor; the first two score above the positive.
ROWS = scored(
    *((f"n{rank}", "a", f"text {rank}", score, 0.7) for rank, score in enumerate((0.9, 0.8, 0.6, 0.5, 0.4, 0.3), start=1)),
    rank=[1, 2, 3, 4, 5, 6],
)


def test_a_window_keeps_both_its_ends() -> None:
    """From rank 2 to 4, each dropped row with its own end."""
    made = negforge.run(TITLE, ROWS, first=2, last=4)
    assert kept(made) == ["n2", "n3", "n4"]
    assert lost(made) == {"n1": ("before-first", "1 < 2"), "n5": ("beyond-last", "5 > 4"), "n6": ("beyond-last", "6 > 4")}
    assert kept(negforge.run(TITLE, ROWS, first=5)) == ["n5", "n6"]
    assert kept(negforge.run(TITLE, ROWS, last=1)) == ["n1"]


def test_ranks_are_counted_before_any_filter() -> None:
    """A margin takes ranks 1 and 2; to skip the first two ranks then takes nothing more.

    sentence-transformers 6.2.0 counts survivors: its `range_min=2` after such a margin skips ranks 3 and 4 as well.
    """
    near = negforge.run("filter margin", ROWS, by="x", absolute_margin=0.0).kept
    assert sorted(near["id"]) == ["n3", "n4", "n5", "n6"]
    both = negforge.run(TITLE, near, first=3).kept
    other = negforge.run("filter margin", negforge.run(TITLE, ROWS, first=3).kept, by="x", absolute_margin=0.0).kept
    assert sorted(both["id"]) == sorted(other["id"]) == ["n3", "n4", "n5", "n6"]


def test_a_row_that_no_miner_ranked_stays_and_is_counted() -> None:
    """Unless it is to go, as `no-rank`."""
    table = ROWS.with_columns(pl.Series("rank", [1, 2, None, None, 5, 6]))
    made = negforge.run(TITLE, table, last=2)
    assert (kept(made), made.report.counts["noted"]) == (["n1", "n2", "n3", "n4"], {"no-rank": 2})
    assert lost(negforge.run(TITLE, table, last=2, unranked="drop"))["n3"] == ("no-rank", None)


def test_a_short_anchor_gets_back_the_next_ranks() -> None:
    """Relaxed, by the fewest ranks: the window grows on both sides, ties by id."""
    made = negforge.run(TITLE, ROWS, first=3, last=3, at_least=3, shortage="relax")
    assert kept(made) == ["n2", "n3", "n4"]
    assert made.report.counts["noted"] == {"relaxed": 2}


@pytest.mark.parametrize("options", [{}, {"first": 4, "last": 3}, {"first": 0}])
def test_a_wrong_call_is_a_fault(options: dict[str, Any]) -> None:
    """No end, ends the wrong way round, and a rank that is none."""
    with pytest.raises(UsageError):
        negforge.run(TITLE, ROWS, **options)


def test_without_ranks_the_message_says_who_makes_them() -> None:
    """A table of written negatives has none."""
    with pytest.raises(InputError) as error:
        negforge.run(TITLE, ROWS.drop("rank"), first=2)
    assert "there is no column 'rank'" in error.value.what


def test_the_command_line(tmp_path: Path) -> None:
    """Data on stdout, counts on stderr."""
    ROWS.write_parquet(tmp_path / "n.parquet")
    done = good("filter", "rank-range", tmp_path / "n.parquet", "--first", "2", "--last", "3", "--to", "jsonl")
    assert [json.loads(line)["rank"] for line in done.out.splitlines()] == [2, 3]
    assert "before-first 1, beyond-last 3" in done.err or "beyond-last 3, before-first 1" in done.err


def test_known_positives_need_not_take_a_place() -> None:
    """Ranks 1 and 3 are proven positive: without them rank 2 is the first, 4 the second; a text of two pairs counts once."""
    table = ROWS.with_columns(pl.when(pl.col("rank").is_in([1, 3])).then(pl.lit("positive")).otherwise("label").alias("label"))
    twice = pl.concat([table, table.with_columns(pl.col("id") + "-b", positive=pl.lit("another"))])
    made = negforge.run(TITLE, twice, first=2, last=3, known="skip")
    assert [one for one in kept(made) if not one.endswith("-b")] == ["n1", "n3", "n4", "n5"]
    assert lost(made)["n2"] == ("before-first", "1 < 2")
    assert lost(made)["n6"] == ("beyond-last", "4 > 3")
