"""Cap how often one text serves as a negative, or one source row gives negatives, over the table and for each anchor.

A text that is near everything is mined for every anchor, and a trainer sees it hundreds of times. Rows are counted, of equal texts
after normalising; an anchor with three positives has a row for each. Those that stay have the lowest rank, then the lowest id.
Rows that are not labelled `negative` pass and take no place.
Source: Radovanovic et al., Hubs in space, 2010; Hernandez et al., Scaling laws and interpretability of learning from repeated
data, arXiv:2205.10487; NVIDIA's hard-negatives 0.1.10, in whose lists passages of several queries crowd out all others.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import polars as pl
from pydantic import Field

from negforge import rng
from negforge.contract import Declares
from negforge.records import Negatives

DECLARES = Declares(version=1, scope="table", reads=Negatives, any_of=("most", "most_per_anchor"))


def keys(
    batch: Negatives,
    *,
    language: str,
    of: Annotated[
        Literal["text", "source"], Field(description="What is counted: the negative's text, or the row that it came from.")
    ] = "text",
) -> pl.DataFrame:
    """The narrow table: `group` and `key`, the 128 bits of what is counted; `anchor`, and what decides which rows stay."""
    high, low = rng.strings128(batch.normalised("negative", language) if of == "text" else batch["source_id"])
    ranks = batch["rank"] if "rank" in batch else pl.repeat(None, len(batch), dtype=pl.Int64, eager=True)
    return pl.DataFrame(
        {
            "group": np.asarray(high),
            "key": low,
            "anchor": rng.hash64(batch["anchor_id"]),
            "counts": batch["label"] == "negative",
            "rank": ranks,
            "id": batch["id"],
        }
    )


def filter(  # noqa: A001 - an operator's function is named after its verb
    narrow: Negatives,
    *,
    most: Annotated[int | None, Field(ge=1, description="Rows of one text, or source, in the table.", examples=[8])] = None,
    most_per_anchor: Annotated[int | None, Field(ge=1, description="Rows of one text, or source, of one anchor.")] = None,
) -> pl.DataFrame:
    """Decide: rows beyond the cap of their anchor go as `beyond-anchor`, of the others those beyond the table's as `beyond-table`.

    The value is the row's place and the cap. Groups come whole.
    """
    ordered = narrow.frame.filter("counts").sort("group", "key", "rank", "id", nulls_last=True)
    place = pl.int_range(1, pl.len() + 1)
    found = ordered.with_columns(place.over("group", "key", "anchor").alias("of_anchor"))
    over = pl.lit(value=False) if most_per_anchor is None else pl.col("of_anchor") > most_per_anchor
    left = found.filter(~over).with_columns(place.over("group", "key").alias("of_table"))
    parts = [_gone(found.filter(over), "of_anchor", most_per_anchor, "beyond-anchor")]
    parts += [_gone(left.filter(pl.col("of_table") > most), "of_table", most, "beyond-table")] if most is not None else []
    return pl.concat(parts)


def _gone(rows: pl.DataFrame, place: str, cap: int | None, reason: str) -> pl.DataFrame:
    words = pl.concat_str(pl.col(place), pl.lit(f" > {cap}"))
    return rows.select("row", pl.lit(reason).alias("drop_reason"), words.alias("drop_value"))
