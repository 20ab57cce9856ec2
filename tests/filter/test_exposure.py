"""How often a text, or a source, may appear."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import negforge
from negforge.errors import UsageError
from tests.shell import good
from tests.test_thresholds import kept, lost, scored

TITLE = "filter exposure"
ROWS = scored(
    ("1", "a", "hub", 0.0, 1.0), ("2", "b", "hub", 0.0, 1.0), ("3", "c", "Hub.", 0.0, 1.0), ("4", "c", "hub", 0.0, 1.0), ("5", "c", "other", 0.0, 1.0),
    rank=[3, 1, 2, 2, 1], source_id=["s1", "s1", "s2", "s2", "s2"],
)  # fmt: skip


def test_the_best_ranks_stay() -> None:
    """Of four rows of a text, however it is written, the two of the lowest rank, ties by id."""
    made = negforge.run(TITLE, ROWS, most=2)
    assert kept(made) == ["2", "3", "5"]
    assert lost(made) == {"4": ("beyond-table", "3 > 2"), "1": ("beyond-table", "4 > 2")}
    assert kept(negforge.run(TITLE, ROWS.reverse(), most=2, batch_size=2)) == ["2", "3", "5"]


def test_a_cap_for_each_anchor_comes_first() -> None:
    """What its anchor has too often takes no place in the table."""
    made = negforge.run(TITLE, ROWS, most=3, most_per_anchor=1)
    assert kept(made) == ["1", "2", "3", "5"]
    assert lost(made) == {"4": ("beyond-anchor", "2 > 1")}


def test_a_source_is_counted_by_its_id() -> None:
    """Two rows of each source; which negatives they are does not matter."""
    made = negforge.run(TITLE, ROWS, of="source", most=2)
    assert kept(made) == ["1", "2", "3", "5"]
    assert lost(made) == {"4": ("beyond-table", "3 > 2")}
    assert kept(negforge.run(TITLE, ROWS, of="source", most_per_anchor=1)) == ["1", "2", "5"]


def test_other_labels_pass_and_unranked_rows_come_last() -> None:
    """A proven false negative is no exposure; a row that no miner ranked gives way to one that is."""
    table = ROWS.with_columns(
        pl.Series("rank", [None, 1, 2, None, 1]), pl.Series("label", ["negative", "positive", "negative", "negative", "unknown"])
    )
    assert kept(negforge.run(TITLE, table, most=1)) == ["2", "3", "5"]
    assert kept(negforge.run(TITLE, ROWS.drop("rank"), most=1)) == ["1", "5"]


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("tuv"), st.integers(1, 3)), min_size=1, max_size=14),
    st.integers(1, 3),
    st.integers(1, 2),
)
def test_no_cap_is_passed_and_no_place_wasted(rows: list[tuple[str, str, int]], most: int, each: int) -> None:
    """Every text appears as often as both caps allow, never more, and a wider cap takes no row away."""
    table = scored(
        *((f"n{place:02d}", anchor, text, 0.0, 1.0) for place, (anchor, text, _) in enumerate(rows)), rank=[rank for _, _, rank in rows]
    )
    made = negforge.run(TITLE, table, most=most, most_per_anchor=each).kept
    there = Counter(table.select("negative", "anchor_id").rows())
    wanted = Counter[str]()
    for (text, _), number in there.items():
        wanted[text] += min(number, each)
    assert Counter(made["negative"]) == {text: min(number, most) for text, number in wanted.items()}
    assert max(Counter(made.select("negative", "anchor_id").rows()).values()) <= each
    assert {*made["id"]} <= {*negforge.run(TITLE, table, most=most + 1, most_per_anchor=each).kept["id"]}


@pytest.mark.parametrize("options", [{}, {"of": "source"}, {"most": 0}, {"most": 1, "of": "miner"}])
def test_a_wrong_call_is_a_fault(options: dict[str, Any]) -> None:
    """No cap, a cap of nothing, and what is not counted."""
    with pytest.raises(UsageError):
        negforge.run(TITLE, ROWS, **options)


def test_the_command_line(tmp_path: Path) -> None:
    """Data on stdout, counts on stderr."""
    ROWS.write_parquet(tmp_path / "n.parquet")
    done = good("filter", "exposure", tmp_path / "n.parquet", "--most", "2", "--to", "jsonl")
    assert sorted(json.loads(line)["id"] for line in done.out.splitlines()) == ["2", "3", "5"]
    assert "dropped 2: beyond-table 2 (rows)" in done.err


def test_a_hub_of_scifact_is_capped(real_data: Path, tmp_path: Path) -> None:
    """BM25's ten best of 200 claims: some passages come up for many; after the cap none more often than it allows."""
    good("ingest", "beir", real_data / "scifact", "--limit", "200", "-o", tmp_path / "pairs.parquet")
    good("ingest", "corpus", real_data / "scifact/corpus.jsonl.gz", "-o", tmp_path / "corpus.parquet")
    mine: list[str | Path] = ["generate", "mine.bm25", tmp_path / "pairs.parquet", "--corpus", tmp_path / "corpus.parquet"]
    good(*mine, "-n", "10", "-o", tmp_path / "mined.parquet")
    before = pl.read_parquet(tmp_path / "mined.parquet").filter(pl.col("label") == "negative")["negative"].value_counts()["count"]
    good("filter", "exposure", tmp_path / "mined.parquet", "--most", "3", "-o", tmp_path / "capped.parquet")
    after = pl.read_parquet(tmp_path / "capped.parquet").filter(pl.col("label") == "negative")["negative"].value_counts()["count"]
    assert (before > 3).any()
    assert after.to_list().count(3) >= int((before > 3).sum())
    assert int(before.clip(upper_bound=3).sum()) == int(after.sum())
