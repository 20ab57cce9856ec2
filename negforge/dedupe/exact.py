"""Drop repeated negatives, equal after normalising, and say which row each repeats.

The scope knows the roles: within a pair (the same anchor and positive; the default), within an anchor, or over the table.
The row that stays is the one labelled `negative` with the lowest draw, then the lowest id, whatever the order of the rows.
Rows that were promoted to positives repeat only one another, within their anchor: no negative stands for a right answer.
Source: taolei87/askubuntu#1 (repeated negatives in one row), MinishLab/semhash#46 (grouped), huggingface/datatrove#370
(which row matched).
"""

from __future__ import annotations

from typing import Annotated, Literal

import polars as pl
from pydantic import Field

from negforge import promoting, rng
from negforge.contract import Declares
from negforge.records import Negatives

DECLARES = Declares(version=1, scope="table", reads=Negatives)


def keys(
    batch: Negatives,
    *,
    language: str,
    within: Annotated[
        Literal["pair", "anchor", "table"], Field(description="Where a negative may stand once: in its pair, its anchor, or the table.")
    ] = "pair",
) -> pl.DataFrame:
    """The narrow table: `group` (rows that may be equal share it), a 128-bit `key`, and what decides which row stays."""
    negative = rng.strings128(batch.normalised("negative", language))
    scopes = {"table": [], "anchor": ["anchor_id"], "pair": ["anchor_id", "positive"]}
    columns = [*(rng.strings128(batch[name]) for name in scopes[within]), negative]
    high, low = rng.combine(columns)
    high = promoting.set_apart(batch.frame, high, "anchor_id")
    return pl.DataFrame(
        {
            "group": high,
            "key": low,
            "other": (batch["label"] != "negative").cast(pl.Int8),
            "draw": batch["draw"],
            "id": batch["id"],
        }
    )


def dedupe(narrow: Negatives) -> pl.DataFrame:
    """Decide: rows (row, drop_reason `duplicate`, drop_value the id of the row that stays). Groups come whole."""
    ordered = narrow.frame.sort("group", "key", "other", "draw", "id")
    kept = ordered.with_columns(pl.col("id").first().over("group", "key").alias("drop_value"))
    again = kept.filter(pl.col("id") != pl.col("drop_value"))
    return again.select(pl.col("row"), pl.lit("duplicate").alias("drop_reason"), pl.col("drop_value"))
