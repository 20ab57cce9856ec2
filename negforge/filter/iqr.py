"""Trim both ends of the negatives' scores, by box and whiskers: above may be right after all, below is too easy.

Within an anchor, or over the table, scores are sorted; Q1 stands at place int(0.25 n) and Q3 at int(0.75 n), from 0. What lies in
Q1 - w (Q3 - Q1) to Q3 + w (Q3 - Q1) stays. Fewer than four scores are left alone. A text that an anchor has in several pairs counts
once. Run again over what it kept, it takes narrower whiskers. Within `table` memory grows with the rows, by some 170 bytes each.
Paper: Jung et al., UNPG, arXiv:2203.11593 (w is 1.5).
"""

from __future__ import annotations

from typing import Annotated, Literal

import polars as pl
from pydantic import Field

from negforge import rng
from negforge.contract import Declares
from negforge.records import Negatives
from negforge.thresholds import NO_SCORE, By, Unscored, column_of, numbers

DECLARES = Declares(version=1, scope="table", reads=Negatives, fits=True)
_FEWEST = 4


def keys(
    batch: Negatives,
    *,
    by: By,
    within: Annotated[
        Literal["anchor", "table"], Field(description="Whose scores are sorted together: an anchor's, or those of all rows.")
    ] = "anchor",
) -> pl.DataFrame:
    """The narrow table: `group` (rows sorted together share it), `pair` (anchor and text) and `score`; proven positives have no pair."""
    anchor = rng.hash64(batch["anchor_id"])
    pair = pl.Series(rng.mix(rng.mix(anchor) ^ rng.hash64(batch["negative"])))
    group = pl.Series(anchor) if within == "anchor" else pl.repeat(0, len(batch), dtype=pl.UInt64, eager=True)
    frame = pl.DataFrame({"group": group, "pair": pair, "score": numbers(batch.frame, column_of(by), by)})
    return frame.with_columns(pl.when(pl.lit(batch["label"] != "positive")).then("pair").alias("pair"))


def filter(  # noqa: A001 - an operator's function is named after its verb
    narrow: Negatives,
    *,
    whisker: Annotated[float, Field(ge=0, description="Length of a whisker, in distances from Q1 to Q3.")] = 1.5,
    unscored: Unscored = "keep",
) -> pl.DataFrame:
    """Decide: rows below or above the whiskers go as `below-whisker` and `above-whisker`, with score and bound as the value."""
    rows = narrow.frame.filter(pl.col("pair").is_not_null())
    ordered = rows.drop_nulls("score").unique(["group", "pair", "score"]).sort("group", "score")
    count = pl.len()
    first, third = (pl.col("score").get((count * quarter) // 4) for quarter in (1, 3))
    boxes = ordered.group_by("group", maintain_order=True).agg(count.alias("count"), first.alias("q1"), third.alias("q3"))
    reach = whisker * (pl.col("q3") - pl.col("q1"))
    bounds = boxes.filter(pl.col("count") >= _FEWEST).select(
        "group", (pl.col("q1") - reach).alias("low"), (pl.col("q3") + reach).alias("high")
    )
    found = rows.join(bounds, on="group", how="left", maintain_order="left")
    below, above = pl.col("score") < pl.col("low"), pl.col("score") > pl.col("high")
    missing = pl.when(pl.col("score").is_null()).then(pl.lit(NO_SCORE))
    words = pl.concat_str(
        pl.col("score"), pl.when(below).then(pl.lit(" < ")).otherwise(pl.lit(" > ")), pl.when(below).then("low").otherwise("high")
    )
    reason = pl.when(below).then(pl.lit("below-whisker")).when(above).then(pl.lit("above-whisker"))
    return found.select(
        "row",
        (reason.otherwise(missing) if unscored == "drop" else reason).alias("drop_reason"),
        pl.when(below | above).then(words).alias("drop_value"),
        (missing if unscored == "keep" else pl.lit(None, pl.String)).alias("note"),
    ).filter(pl.col("drop_reason").is_not_null() | pl.col("note").is_not_null())
