"""Keep negatives from one place to another of the miner's list: the first may be right after all, the last are too easy.

The rank is the one that the miner gave, counted from 1 before any filter: what other filters drop moves no other row. Rows
proven `positive` pass untouched; `--known skip` counts as if they were not in the list, as sentence-transformers does.
Source: Xiong et al., ANCE, arXiv:2007.00808, and SPN4CIR, arXiv:2404.11317 (a window of ranks); sentence-transformers 6.2.0, whose
`range_min` counts what its other filters left, so that good candidates are skipped twice.
"""

from __future__ import annotations

from typing import Annotated, Literal

import polars as pl
from pydantic import Field

from negforge.contract import Declares
from negforge.errors import InputError, UsageError, listed
from negforge.records import Negatives
from negforge.thresholds import AtLeast, Limit, Shortage, judged

DECLARES = Declares(version=1, scope="anchor", reads=Negatives, any_of=("first", "last"), needs={"shortage": "at_least"})


def filter(  # noqa: A001 - an operator's function is named after its verb
    batch: Negatives,
    *,
    first: Annotated[int | None, Field(ge=1, description="The first rank that stays.", examples=[2])] = None,
    last: Annotated[int | None, Field(ge=1, description="The last rank that stays.")] = None,
    unranked: Annotated[
        Literal["keep", "drop"], Field(description="What becomes of a row that no miner ranked: it is counted as `no-rank`.")
    ] = "keep",
    known: Annotated[
        Literal["count", "skip"], Field(description="Whether texts that are proven positive take a place in the miner's list.")
    ] = "count",
    at_least: AtLeast = None,
    shortage: Shortage = "short",
) -> pl.DataFrame:
    """Drop rows as `before-first`, `beyond-last` or `no-rank`, with rank and limit as the value, or as `anchor-short`.

    batch: whole anchors, with `rank`. Raises InputError where no row was ranked, UsageError where `first` comes after `last`.
    """
    if first is not None and last is not None and first > last:
        raise UsageError(f"no rank is from {first} to {last}", "filter rank-range --first --last", "give the lower one as --first")
    frame = batch.frame
    if "rank" not in frame.columns:
        raise InputError(
            "there is no column 'rank'", f"the table has {listed(frame.columns)}", "miners write it: negforge generate mine.bm25"
        )
    ends = [("before-first", first, False), ("beyond-last", last, True)]
    limits = [
        Limit(reason, pl.repeat(end, frame.height, dtype=pl.Int64, eager=True), above) for reason, end, above in ends if end is not None
    ]
    ranks = frame["rank"] if known == "count" else _without_known(frame)
    return judged(frame, ranks, limits, unscored=unranked, at_least=at_least, shortage=shortage, missing="no-rank")


def _without_known(frame: pl.DataFrame) -> pl.Series:
    """The ranks in the anchor's list without the texts that are proven positive. A text counts once, in however many pairs it stands."""
    known = frame.filter(pl.col("label") == "positive").select("anchor_id", "rank").drop_nulls().unique(maintain_order=True)
    known = known.sort("anchor_id", "rank").with_columns(pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("anchor_id").alias("before"))
    rows = frame.select("anchor_id", "rank").with_row_index("__row").sort("anchor_id", "rank", nulls_last=True)
    found = rows.join_asof(known, on="rank", by="anchor_id", strategy="backward", allow_exact_matches=False, check_sortedness=False)
    return found.sort("__row").select(pl.col("rank") - pl.col("before").fill_null(0)).to_series()
