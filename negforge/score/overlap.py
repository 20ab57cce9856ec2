"""Score how many words the negative shares with the anchor and with its positive, and the positive with the anchor.

- `score_overlap`: the negative and the anchor; `score_overlap_positive`: the positive and the anchor. Where the first is far
  above or below the second, words alone give the negative away.
- `score_overlap_between`: the negative and the positive. Near 1 it is a copy of the positive, hardly a negative.

All are from 0, nothing shared, to 1, and compare sets of tokens after normalising; null where a text has no token. Languages
that write no spaces between words need `--unit character`. The least `score_overlap_positive` of an anchor's rows is that of
its weakest positive; a filter that sees whole anchors takes it from there, so that this score needs no more than the row.
Source: Jaccard, The distribution of the flora in the alpine zone, 1912; Szymkiewicz and Simpson's overlap coefficient
(`containment`); SugarCrepe, arXiv:2306.14610 (negatives that text alone gives away).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np
import polars as pl
from pydantic import Field

from negforge import text
from negforge.contract import Declares
from negforge.records import Negatives

DECLARES = Declares(version=1, scope="row", reads=Negatives)
# A number with decimals or groups is one word.
_WORD = r"\w+(?:[.,]\d+)*"
_PIECE_BYTES = 2 << 20  # tokens take some hundred times the memory of their text
_PAIRS = {
    "score_overlap": ("negative", "anchor"),
    "score_overlap_positive": ("positive", "anchor"),
    "score_overlap_between": ("negative", "positive"),
}


def score(
    batch: Negatives,
    *,
    language: str,
    measure: Annotated[
        Literal["jaccard", "containment"],
        Field(description="Tokens shared, of all tokens of both (`jaccard`), or of the text that has fewer (`containment`)."),
    ] = "jaccard",
    unit: Annotated[Literal["word", "character"], Field(description="What a token is made of.")] = "word",
    ngram: Annotated[int | None, Field(ge=1, le=16, description="Units in a row to a token; default 1 word or 3 characters.")] = None,
) -> pl.DataFrame:
    """Three columns of scores, from 0 to 1.

    batch: n rows of `anchor`, `positive`, `negative`. A text shorter than a token is one token.
    """
    size = ngram or {"word": 1, "character": 3}[unit]
    found = [_measured(piece, language, measure, unit, size) for piece in _pieces(batch.frame.select("anchor", "positive", "negative"))]
    return pl.concat(found)


def _pieces(texts: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """The rows in slices of bounded size, at least one."""
    sizes = texts.select(pl.sum_horizontal(pl.all().str.len_bytes()).cum_sum()).to_series().to_numpy()
    cuts = np.flatnonzero(np.diff(sizes // _PIECE_BYTES)) + 1
    for start, end in itertools.pairwise([0, *cuts.tolist(), len(texts)]):
        yield texts[start:end]


def _measured(texts: pl.DataFrame, language: str, measure: str, unit: str, size: int) -> pl.DataFrame:
    """The scores of a slice; each text is cut into tokens once."""
    every = pl.concat([texts[name].alias("text") for name in texts.columns]).unique(maintain_order=True)
    tokens = pl.DataFrame({"text": every, "tokens": _tokens(text.normalised(every, language=language), unit, size)})
    sets = [texts.select(name).join(tokens, left_on=name, right_on="text", how="left", maintain_order="left") for name in texts.columns]
    frame = pl.DataFrame({name: each["tokens"] for name, each in zip(texts.columns, sets, strict=True)})
    return frame.select(_share(*pair, measure).alias(name) for name, pair in _PAIRS.items())


def _share(one: str, other: str, measure: str) -> pl.Expr:
    shared = pl.col(one).list.set_intersection(pl.col(other)).list.len().cast(pl.Float64)
    left, right = (pl.col(name).list.len().cast(pl.Float64) for name in (one, other))
    whole = pl.min_horizontal(left, right) if measure == "containment" else left + right - shared
    return pl.when((left > 0) & (right > 0)).then(shared / whole)


def _tokens(texts: pl.Series, unit: str, size: int) -> pl.Series:
    """The distinct tokens of each of n distinct texts, as lists."""
    units = texts.str.extract_all(_WORD if unit == "word" else r"(?s).")
    if size == 1:
        return units.list.unique()
    flat = pl.DataFrame({"row": pl.int_range(len(units), eager=True), "unit": units}).explode("unit").drop_nulls("unit")
    row = pl.col("row")
    parts = [pl.when(row.shift(-place) == row).then(pl.col("unit").shift(-place)) for place in range(size)]
    token = pl.concat_str(parts, separator=" " if unit == "word" else "", ignore_nulls=True)
    # A token is whole, or the only one of a text shorter than that.
    whole = (row.shift(1 - size) == row) | (row.shift(1) != row).fill_null(value=True)
    found = flat.select("row", token.alias("token"), whole.fill_null(value=False).alias("whole")).filter("whole")
    lists = found.group_by("row").agg(pl.col("token").unique())
    rows = pl.DataFrame({"row": pl.int_range(len(units), eager=True)})
    return rows.join(lists, on="row", how="left", maintain_order="left")["token"].fill_null(pl.Series([[]], dtype=pl.List(pl.String)))
