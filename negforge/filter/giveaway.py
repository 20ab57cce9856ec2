"""Drop negatives until text alone tells them from their positives no better than chance: the more given away, the more go.

Two models guess a row's negative without its anchor, each fitted on other anchors' rows: one by words and pairs of words, one by length,
cue words and signs (full stops, capitals, digits, other alphabets). Each gives a gap from -1, the positive looks like the negative, to 1.
The gaps lie in a grid; of each cell and its mirror image, where the sides change places, as many rows stay, drawn by id: the rest goes
as `giveaway` with both gaps. Rows that neither model tells apart stay.

Each operator is balanced by itself, with models of its own where a sample of 20,000 rows has twenty of it. What gives every row
away is not mended by leaving rows out: of negatives that are longer in 99 % of rows it leaves 2 %, and the generator is to be mended.
A fresh model finds less than before but something: run again over what it kept, it drops more. `negforge show` says what is left.
Rows labelled `positive` pass. Memory grows with an operator's rows, by some 60 bytes each.
Paper: Hsieh et al., SugarCrepe, 2023 (a grid of 50 by 50 over the gaps of two text-only models).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import polars as pl
from pydantic import Field

from negforge import giveaway, rng
from negforge.contract import Declares
from negforge.giveaway import Fit, Group
from negforge.ngrams import pieces
from negforge.records import Batches, Negatives

DECLARES = Declares(version=1, scope="table", reads=Negatives, fits=True)
_ROWS = 1 << 15
_SAMPLE = 20_000
_LEAST_ROWS = 20  # of an operator, for models of its own
_MODELS: dict[str, tuple[Group, ...]] = {"words": ("phrases",), "form": ("length", "cues", "signs")}
_REST = ""


@dataclass(frozen=True)
class State:
    """The models of each operator that has its own, and those of all rows for the others."""

    fits: Mapping[str, Mapping[str, Fit]]


def prepare(inputs: Batches, phase: Callable[[str], None]) -> State:
    """Fit both models on a sample of the table."""
    phase("fitting what tells the sides")
    sample = giveaway.Sample(_SAMPLE, characters=2000)
    for frame in inputs(_ROWS):
        sample.add(frame.filter(pl.col("label") != "positive"))
    rows = sample.frame()
    if not rows.height:
        return State({_REST: {name: _none() for name in _MODELS}})
    counts = dict(rows["operator"].value_counts().iter_rows())
    own = sorted(name for name, count in counts.items() if count >= _LEAST_ROWS)
    return State({name: _fits(rows if name == _REST else rows.filter(pl.col("operator") == name)) for name in [_REST, *own]})


def _none() -> Fit:
    return Fit(np.zeros(0, np.uint64), np.zeros((giveaway.FOLDS, 0)))


def _fits(rows: pl.DataFrame) -> dict[str, Fit]:
    fold = giveaway.folds_of(rows["anchor_id"])
    return {name: giveaway.fitted(giveaway.features(rows, groups), fold) for name, groups in _MODELS.items()}


def keys(batch: Negatives, state: State) -> pl.DataFrame:
    """The narrow table: `group` (the operator), both gaps, a key by which rows are drawn, and what passes."""
    frame = batch.frame
    gaps = {name: np.zeros(frame.height) for name in _MODELS}
    texts = frame.select("negative", "positive", "operator", "anchor_id").with_row_index("__row")
    for piece in pieces(texts.select("negative", "positive")) if frame.height else ():
        rows = texts.head(piece.height)
        texts = texts.tail(-piece.height)
        for (operator,), some in rows.group_by(["operator"], maintain_order=True):
            fits = state.fits.get(str(operator), state.fits[_REST])
            fold = giveaway.folds_of(some["anchor_id"])
            for name, groups in _MODELS.items():
                margin = fits[name].margins(giveaway.features(some, groups), fold)
                gaps[name][some["__row"].to_numpy()] = np.round(np.tanh(margin / 2), 6)
    return pl.DataFrame(
        {
            "group": rng.hash64(frame["operator"]),
            **gaps,
            "key": rng.hash64(frame["id"]),
            "id": frame["id"],
            "passes": frame["label"] == "positive",
        }
    )


def filter(  # noqa: A001 - an operator's function is named after its verb
    narrow: Negatives,
    *,
    grid: Annotated[int, Field(ge=2, le=1000, multiple_of=2, description="Cells a side of the grid, from -1 to 1; an even number.")] = 50,
) -> pl.DataFrame:
    """Decide: of each cell and its mirror image as many rows stay; the others go as `giveaway`, with both gaps as the value."""
    rows = narrow.frame.filter(~pl.col("passes"))
    # Away from zero on both sides, so that a gap and its opposite lie in mirrored cells; none at all lies in a cell of its own.
    words, form = (((pl.col(name).abs() * (grid / 2)).ceil() * pl.col(name).sign()).cast(pl.Int64) for name in _MODELS)
    side = pl.when(pl.col("one") != 0).then(pl.col("one").sign()).otherwise(pl.col("other").sign())
    cells = rows.with_columns(words.alias("one"), form.alias("other")).with_columns(side.alias("side"))
    cells = cells.with_columns(pl.col("one") * pl.col("side"), pl.col("other") * pl.col("side"))
    cell = ["group", "one", "other"]
    cells = cells.sort(*cell, "side", "key", "id").with_columns(pl.int_range(pl.len()).over(*cell, "side").alias("place"))
    sides = cells.group_by(cell).agg((pl.col("side") > 0).sum().alias("right"), (pl.col("side") < 0).sum().alias("wrong"))
    both = cells.join(sides, on=cell, how="left", maintain_order="left")
    goes = both.filter((pl.col("side") != 0) & (pl.col("place") >= pl.min_horizontal("right", "wrong")))
    value = pl.concat_str(pl.lit("words "), pl.col("words").round(2), pl.lit(", form "), pl.col("form").round(2))
    return goes.select("row", pl.lit("giveaway").alias("drop_reason"), value.alias("drop_value"))
