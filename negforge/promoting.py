"""Turns a false negative into a further positive of its anchor instead of only leaving it out.

A promoted row has the verdict `positive` in `verdict_promoted`, a vote like any other: it turns a doubt, such as an answer that a
passage holds, into a label, and gives way to a proof of the contrary. Its text stays where it stands, in `negative`, and the row
lies with those of its label; an export for a trainer makes it a positive, and filters by a margin compare with it.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import polars as pl

from negforge import rng, text
from negforge.contract import WRITTEN
from negforge.labels import PREFIX, PROMOTED, column_of

_SALT = np.uint64(0x5A17_0011)


def promoted(frame: pl.DataFrame) -> pl.Series:
    """Which rows stand as further positives of their anchor."""
    if PROMOTED not in frame.columns:
        return pl.Series([False]).new_from_index(0, frame.height)
    return ((frame["label"] == "positive") & (frame[PROMOTED] == "positive")).fill_null(value=False)


def set_apart(frame: pl.DataFrame, scopes: rng.U64, by: str) -> rng.U64:
    """The scopes in which rows are compared, where promoted rows are compared with none but promoted ones of the same cell in `by`.

    A right answer does not go because a negative, of another anchor or nearly of the same words, stands for it.
    """
    places = promoted(frame).arg_true()
    if not len(places):
        return scopes
    found: rng.U64 = np.array(scopes, dtype=np.uint64)
    found[places.to_numpy()] = rng.mix(rng.hash64(frame[by].gather(places)) ^ _SALT)
    return found


def taken(
    frame: pl.DataFrame, verifiers: Sequence[str], language: str, positives: pl.DataFrame | None, *, meant: bool = False
) -> pl.DataFrame:
    """The frame with `verdict_promoted`: `positive` where one of the verifiers found the negative right for its anchor.

    meant: the operator's rows are to be right, whether a verifier finds them so or not.

    positives: `anchor_id` and `positive` of whole anchors; None where rows come alone, each with its own positive. What is no news
    stays out: the anchor itself, and what is a positive of it already. Of a text that an operator wrote, `known-positive` only
    knows that it is right somewhere.
    """
    chosen = ~pl.any_horizontal(pl.col("operator").str.starts_with(one) for one in WRITTEN)
    found = [
        (pl.col(column_of(name)) == "positive").fill_null(value=False) & (chosen if name == "known-positive" else pl.lit(value=True))
        for name in verifiers
    ]
    rows = _rows(frame, language)
    known = (rows["same"] == text.normalised(frame["anchor"], language=language)).fill_null(value=True)
    right = text.normalised((frame if positives is None else positives)["positive"], language=language)
    if positives is None:
        known |= (rows["same"] == right).fill_null(value=True)
    else:
        known |= _among(rows, positives.select("anchor_id", pl.lit(right).alias("same")))
    right_ones = pl.col("initial_label") == "positive" if meant else pl.any_horizontal(found)
    news = frame.select(right_ones).to_series() & ~known
    before = pl.col(PROMOTED) if PROMOTED in frame.columns else pl.lit(None, pl.String)
    return frame.with_columns(pl.when(news).then(pl.lit("positive")).otherwise(before.fill_null("unknown")).alias(PROMOTED))


def spread(frame: pl.DataFrame, verifier: str, language: str) -> pl.DataFrame:
    """Whole anchors, in which a text promoted in one row is promoted in all: of the same text the verifier says the same."""
    rows = _rows(frame, language)
    right = _among(rows, rows.filter(frame[PROMOTED] == "positive"))
    names = (PROMOTED, column_of(verifier))
    return frame.with_columns(pl.when(right).then(pl.lit("positive")).otherwise(name).alias(name) for name in names)


def _rows(frame: pl.DataFrame, language: str) -> pl.DataFrame:
    return frame.select("anchor_id", pl.lit(text.normalised(frame["negative"], language=language)).alias("same"))


def _among(rows: pl.DataFrame, others: pl.DataFrame) -> pl.Series:
    """Which rows have the anchor and the text of one of the others."""
    marked = others.unique().with_columns(pl.lit(value=True).alias("there"))
    return rows.join(marked, on=["anchor_id", "same"], how="left", maintain_order="left")["there"].fill_null(value=False)


def still(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with no row promoted of which no verifier says any more that its negative is right."""
    if PROMOTED not in frame.columns:
        return frame
    others = [pl.col(name) == "positive" for name in frame.columns if name.startswith(PREFIX) and name != PROMOTED]
    meant = pl.col("initial_label") == "positive"  # by the operator: no verifier has to find it right
    right = functools.reduce(lambda left, one: left | one.fill_null(value=False), others, meant)
    kept = pl.when(right | (pl.col(PROMOTED) != "positive")).then(PROMOTED).otherwise(pl.lit("unknown"))
    return frame.with_columns(kept.alias(PROMOTED))
