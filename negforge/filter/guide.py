"""Drop negatives that a guide model puts above the anchor's positive: one of the two is labelled wrong, and likely this one.

A negative stays if neg <= pos - margin, where both are scores of the guide: equality keeps it. pos is that of the anchor's
weakest positive (`--reference row`: of the row's own, as in the paper). Rows proven `positive` pass untouched.
Paper: Solatorio, GISTEmbed, arXiv:2402.16829 (there it masks a batch while training, and leaves no record).
"""

from __future__ import annotations

from typing import Annotated

import polars as pl
from pydantic import Field

from negforge.contract import Declares
from negforge.records import Negatives
from negforge.thresholds import BY, AtLeast, Limit, Reference, Shortage, Unscored, column_of, judged, numbers, references

DECLARES = Declares(version=1, scope="anchor", reads=Negatives, needs={"shortage": "at_least"})


def filter(  # noqa: A001 - an operator's function is named after its verb
    batch: Negatives,
    *,
    by: Annotated[str, Field(description=BY)] = "guide",
    margin: Annotated[float, Field(description="How far below the positive a negative has to be, in units of the score.")] = 0.0,
    reference: Reference = "weakest",
    unscored: Unscored = "keep",
    at_least: AtLeast = None,
    shortage: Shortage = "short",
) -> pl.DataFrame:
    """Drop rows as `above-positive`, with score and limit as the value, as `no-score`, or as `anchor-short`.

    batch: whole anchors, with `score_x`, and `score_x_positive` or `score_x_weakest`. Raises InputError for a column that is not there.
    """
    frame = batch.frame
    limit = Limit("above-positive", references(frame, by, reference) - margin)
    return judged(frame, numbers(frame, column_of(by), by), [limit], unscored=unscored, at_least=at_least, shortage=shortage)
