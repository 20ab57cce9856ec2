"""Keep the k best negatives of each anchor, by rank or by a score.

Only rows labelled `negative` compete, so that a vetoed candidate takes no place; rows of another label pass. A text that an
anchor with several positives has once for each pair takes one place. Ties are cut by id.
Source: huggingface/sentence-transformers#2848; FlagOpen/FlagEmbedding#1130 (by score, not only by rank).
"""

from __future__ import annotations

from typing import Annotated, Literal

import polars as pl
from pydantic import Field

from negforge.contract import Declares, drops
from negforge.errors import InputError, listed, near
from negforge.records import Negatives
from negforge.thresholds import column_of

DECLARES = Declares(version=1, scope="anchor", reads=Negatives)


def filter(  # noqa: A001 - an operator's function is named after its verb
    batch: Negatives,
    *,
    k: Annotated[int, Field(ge=1, description="How many negatives of each anchor stay.")],
    by: Annotated[str, Field(description="Column to order by: rank, draw, or a score; `dense` is score_dense.")] = "rank",
    order: Annotated[
        Literal["auto", "ascending", "descending"],
        Field(description="Which end is best; `auto` takes low ranks and draws and high scores."),
    ] = "auto",
) -> pl.DataFrame:
    """Drop negatives beyond the first k of their anchor as `beyond-k`, with their place as the value.

    batch: whole anchors. A null in the column comes last. Raises InputError for a column that is not there.
    """
    frame = batch.frame
    if by not in frame.columns and column_of(by) in frame.columns:
        by = column_of(by)
    if by not in frame.columns or not frame[by].dtype.is_numeric():
        numbers = [name for name, dtype in frame.schema.items() if dtype.is_numeric()]
        guess = next((name for name in numbers if name.endswith(f"_{by}")), near(by, numbers))
        raise InputError(
            f"there is no column of numbers '{by}' to order by",
            f"the table has {listed(numbers)}",
            f"pass --by {guess or ('rank' if 'rank' in numbers else 'draw')}",
        )
    down = order == "descending" or (order == "auto" and by.startswith("score_"))
    texts = frame.with_row_index("__row").filter(pl.col("label") == "negative")
    # One place for each text of an anchor, taken by its best row.
    texts = texts.select("__row", "anchor_id", "negative", "id", pl.col(by).cast(pl.Float64).fill_nan(None).alias("__by"))
    best = texts.sort("anchor_id", "__by", "id", descending=[False, down, False], nulls_last=[False, True, False])
    firsts = best.unique(["anchor_id", "negative"], keep="first", maintain_order=True)
    places = firsts.select("anchor_id", "negative", pl.int_range(1, pl.len() + 1).over("anchor_id").alias("place"))
    placed = texts.join(places, on=["anchor_id", "negative"], how="left", maintain_order="left").filter(pl.col("place") > k)
    beyond = pl.DataFrame({"__row": range(frame.height)}, schema={"__row": pl.UInt32}).join(
        placed.select("__row", "place"), on="__row", how="left", maintain_order="left"
    )["place"]
    return drops(pl.select(pl.when(beyond.is_not_null()).then(pl.lit("beyond-k"))).to_series(), beyond)
