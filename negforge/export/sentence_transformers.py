"""Write what sentence-transformers' trainer reads: triplets, or an anchor, its positive and n negatives in a row.

There the order of columns counts and their names do not, and an extra column would be taken for an input: so the layout
holds texts alone, and ids and evidence lie row for row in a `provenance` table beside it.
Source: sentence-transformers 6.2, data collator; huggingface/sentence-transformers#3205 (how to lay out several positives),
#3504 (shortage counted in rows, named).
"""

from __future__ import annotations

from typing import Annotated, Literal

import polars as pl
from pydantic import Field

from negforge.contract import Declares, Exported
from negforge.errors import UsageError
from negforge.records import Negatives

DECLARES = Declares(version=1, scope="anchor", reads=Negatives)


def export(
    batch: Negatives,
    *,
    layout: Annotated[
        Literal["triplet", "n-tuple"],
        Field(description="`triplet`: a row for each negative; `n-tuple`: a row for each pair, with n negatives."),
    ] = "triplet",
    n: Annotated[int | None, Field(ge=1, description="Negatives in an n-tuple.")] = None,
) -> Exported:
    """Texts by layout, best negatives first (lowest draw), and the provenance of each row.

    batch: whole anchors. In an n-tuple, rows of a pair with fewer than n negatives are dropped as `too-few`, and those
    beyond n as `beyond-n`. Raises UsageError for an n-tuple without n, or n with triplets.
    """
    if (layout == "n-tuple") != (n is not None):
        raise UsageError("--layout n-tuple and --n go together", f"layout {layout}, n {n}", "pass --layout n-tuple --n 4, or neither")
    frame = batch.frame
    if layout == "triplet" or n is None:
        lineage = frame.select("id", "anchor_id", "source_id", "operator", "label", "evidence")
        return Exported(frame.select("anchor", "positive", "negative"), lineage)
    pair = ["anchor_id", "source_id"]
    place = pl.struct("draw", "operator", "id").rank("ordinal").over(pair)
    numbered = frame.with_columns(place.alias("__place"), pl.len().over(pair).alias("__have"))
    too_few = pl.col("__have") < n
    beyond = pl.col("__place") > n
    lost = numbered.filter(too_few | beyond).with_columns(
        pl.lit("export sentence-transformers").alias("dropped_by"),
        pl.when(too_few).then(pl.lit("too-few")).otherwise(pl.lit("beyond-n")).alias("drop_reason"),
        pl.when(too_few).then(pl.col("__have")).otherwise(pl.col("__place")).cast(pl.String).alias("drop_value"),
    )
    whole = numbered.filter(~(too_few | beyond)).sort("__place").group_by(pair, maintain_order=True)
    rows = whole.agg(pl.col("anchor", "positive").first(), pl.col("negative", "id", "operator"))
    rows = rows.sort("anchor_id", "source_id")
    texts = rows.select("anchor", "positive", *(pl.col("negative").list.get(place).alias(f"negative_{place + 1}") for place in range(n)))
    return Exported(texts, rows.select("anchor_id", "source_id", pl.col("id").alias("ids"), "operator"), lost.drop("__place", "__have"))
