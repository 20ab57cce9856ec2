"""What miners share: which of the candidates of an anchor are taken first."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import polars as pl
from pydantic import Field

from negforge.rng import Rng

Sampling = Annotated[
    Literal["top", "random", "near-positive"],
    Field(description="Which candidates come first: the best; any, drawn for each anchor; or those drawn that score near the positive."),
]
Sharpness = Annotated[
    float,
    Field(
        ge=0,
        description="For `near-positive`: weights are exp(-a * (negative - positive + shift)^2), this is a; some 100 suit a cosine.",
    ),
]
Shift = Annotated[float, Field(description="For `near-positive`: how far below the positive, in scores, the likeliest candidate is.")]


def arranged(
    rows: pl.DataFrame, score: str, positives: pl.DataFrame, rng: Rng, *, sampling: str, sharpness: float, shift: float
) -> pl.DataFrame:
    """Candidates in the order they are to be taken in, each anchor's together, anchors as they came.

    rows: `anchor_id`, `corpus_row`, `rank` and the score, best first. positives: `anchor_id` and `score`, the anchor's best positive;
    an anchor without one takes its candidates from the end of the list, the lowest ranked first. Draws are keyed by (seed, anchor,
    corpus row), so neither batches nor other anchors change them, and the whole list is only put in another order: nothing is lost.
    Source: SimANS, Zhou et al., 2022 (weighted sampling without replacement, here by Efraimidis and Spirakis' keys).
    """
    if sampling == "top" or not rows.height:
        return rows
    # 53 bits, so that the logarithm is of a number strictly between 0 and 1.
    uniform = (rng.bits(_keys(rows)) >> np.uint64(11)).astype(np.float64) + 0.5
    drawn = np.log(-np.log(uniform / 2.0**53))
    if sampling == "near-positive":
        scores = rows[score].to_numpy().astype(np.float64)
        found = rows.select("anchor_id").join(positives, on="anchor_id", how="left", maintain_order="left")["score"]
        positive = found.cast(pl.Float64).fill_null(np.nan).to_numpy()
        # The logarithm of a weighted draw's key; the least comes first.
        drawn += sharpness * (scores - positive + shift) ** 2
        drawn = np.where(np.isnan(positive), -rows["rank"].to_numpy().astype(np.float64), drawn)
    turn = rows.select(pl.col("anchor_id").rle_id())["anchor_id"].to_numpy()
    return rows[np.lexsort((rows["rank"].to_numpy(), np.round(drawn, 9), turn))]


def _keys(rows: pl.DataFrame) -> pl.Series:
    return rows.select(pl.concat_str("anchor_id", pl.col("corpus_row").cast(pl.String), separator="\x1f")).to_series()
