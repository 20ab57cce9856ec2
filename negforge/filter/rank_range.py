"""Keep negatives from one place to another of the miner's list: the first may be right after all, the last are too easy.

The rank is the one that the miner gave, counted from 1 before any filter: what other filters drop moves no other row. Rows
proven `positive` pass untouched.
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
    return judged(frame, frame["rank"], limits, unscored=unranked, at_least=at_least, shortage=shortage, missing="no-rank")
