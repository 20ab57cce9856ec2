"""Score how far the negative is from its positive: the edits of characters between them, as a share of the longer text.

`score_edit_distance` is Levenshtein's distance divided by the length of the longer text in characters: 0 for equal texts, 1
where nothing is left of one in the other. Texts are compared as they stand: case, accents and spaces count. Rows near 0 are
copies of the positive with a blemish; for an edited text, a large distance says that more than one thing was changed.

The cost is the product of both lengths, so that a pair of two very long texts could take minutes: one that has a text above
`--max-characters` gets null.
Paper: Levenshtein, Binary codes capable of correcting deletions, insertions and reversals, 1966. Source: rapidfuzz 3.14,
`process.cpdist`; Self-Explore, arXiv:2404.10346 (pairs by edit distance).
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
import polars as pl
from pydantic import Field
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cpdist

from negforge.contract import Declares
from negforge.records import Negatives

DECLARES = Declares(version=1, scope="row", reads=Negatives)


def score(
    batch: Negatives,
    *,
    max_characters: Annotated[
        int, Field(ge=1, description="Longest text to compare: two that long and unlike each other take about 20 ms by default.")
    ] = 20_000,
) -> pl.DataFrame:
    """One column of scores, from 0 to 1; each distinct pair of texts is compared once.

    batch: n rows of `positive`, `negative`.
    """
    texts = batch.frame.select("positive", "negative")
    short = [(pl.col(name).str.len_chars() <= max_characters).fill_null(value=False) for name in texts.columns]
    pairs = texts.filter(short).unique(maintain_order=True)
    distances = cpdist(
        pairs["positive"].to_list(), pairs["negative"].to_list(), scorer=Levenshtein.normalized_distance, dtype=np.float64, workers=1
    )
    scored = pairs.with_columns(pl.Series("score_edit_distance", distances, dtype=pl.Float64))
    return texts.join(scored, on=texts.columns, how="left", maintain_order="left").select("score_edit_distance")
