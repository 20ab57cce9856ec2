"""Drop negatives that score too near to a positive, or beyond fixed limits: thresholds over raw scores, re-applied at no cost.

A negative stays if all limits that are given hold:

- `--absolute-margin m`: neg <= pos - m. A margin below zero lets some through that score above the positive.
- `--relative-margin m`: neg <= pos - m * abs(pos), so that scores below zero keep their order; 0.05 is "95 % of the positive".
- `--max-score s`: neg <= s.
- `--min-score s`: neg >= s.

neg is the score of the negative with the anchor, pos that of the anchor's weakest positive (`--reference row`: of the row's
own). `negforge calibrate` shows beforehand what each threshold would drop. Rows proven `positive` pass untouched.
Source: huggingface/sentence-transformers#3819 (signs), #2848 (the weakest of several positives), #3504 (counts by anchor);
FlagOpen/FlagEmbedding#1130 (by score, not by rank); NV-Retriever, arXiv:2407.15831; UniME, arXiv:2504.17432 (a margin of -0.1).
"""

from __future__ import annotations

from typing import Annotated

import polars as pl
from pydantic import Field

from negforge.contract import Declares
from negforge.errors import UsageError
from negforge.records import Negatives
from negforge.thresholds import AtLeast, By, Limit, Reference, Shortage, Unscored, column_of, judged, numbers, references

DECLARES = Declares(
    version=1,
    scope="anchor",
    reads=Negatives,
    any_of=("absolute_margin", "relative_margin", "max_score", "min_score"),
    needs={"shortage": "at_least"},
)


def filter(  # noqa: A001 - an operator's function is named after its verb
    batch: Negatives,
    *,
    by: By,
    absolute_margin: Annotated[
        float | None, Field(description="Keep neg <= pos - m, in units of the score; below zero it is permissive.", examples=[0.05])
    ] = None,
    relative_margin: Annotated[
        float | None, Field(description="Keep neg <= pos - m * abs(pos); 0.05 asks for 5 % of the positive's score.")
    ] = None,
    max_score: Annotated[float | None, Field(description="Keep neg <= s: what scores higher may be right.")] = None,
    min_score: Annotated[float | None, Field(description="Keep neg >= s: what scores lower is too easy.")] = None,
    reference: Reference = "weakest",
    unscored: Unscored = "keep",
    at_least: AtLeast = None,
    shortage: Shortage = "short",
) -> pl.DataFrame:
    """Drop rows as `above-margin`, `above-max`, `below-min` or `no-score`, with score and limit as the value, or as `anchor-short`.

    batch: whole anchors, with `score_x`; for a margin, with `score_x_positive` or `score_x_weakest`. Of two margins the stricter
    one counts. Raises InputError for a column that is not there, UsageError where nothing can lie between the limits.
    """
    if max_score is not None and min_score is not None and min_score > max_score:
        raise UsageError(
            f"no score is from {min_score} to {max_score}", "filter margin --min-score --max-score", "give the lower one as --min-score"
        )
    frame = batch.frame
    score = numbers(frame, column_of(by), by)
    limits = []
    if absolute_margin is not None or relative_margin is not None:
        positive = references(frame, by, reference)
        margins = [] if absolute_margin is None else [positive - absolute_margin]
        margins += [] if relative_margin is None else [positive - relative_margin * positive.abs()]
        limits.append(Limit("above-margin", pl.select(pl.min_horizontal(*margins)).to_series()))
    if max_score is not None:
        limits.append(Limit("above-max", pl.repeat(max_score, frame.height, dtype=pl.Float64, eager=True)))
    if min_score is not None:
        limits.append(Limit("below-min", pl.repeat(min_score, frame.height, dtype=pl.Float64, eager=True), above=False))
    return judged(frame, score, limits, unscored=unscored, at_least=at_least, shortage=shortage)
