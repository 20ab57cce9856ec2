"""Score how rare the words of an edit are in the data set itself, alone and beside their neighbours, for negative and positive.

Of the words and pairs of words that only one of both texts has, the mean surprise in bits: -log2 of the share of the data's other
positives that have it. What no positive has counts as half a one.
- `score_rarity`: what the negative has and its positive has not; `score_rarity_positive`: what the positive alone has.

Null where there is nothing of the kind, as where words change places and each pair of them stands elsewhere, too. A negative far above
its positive is told by its strange words: `filter margin --by rarity --max-score 9` drops it. A positive is not counted for
itself, so that both are measured by the same texts. Counts lie on disk, each n-gram once a distinct positive.
Source: Shannon, A mathematical theory of communication, 1948; SugarCrepe, arXiv:2306.14610 (implausible negatives give themselves away).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from negforge import rng
from negforge.contract import Declares
from negforge.engine import Partitioner
from negforge.keyed import Keyed
from negforge.ngrams import DECIMALS, Grams, Tally, Unit, counts_of, grams, pieces
from negforge.records import Batches, Negatives

DECLARES = Declares(version=1, scope="row", reads=Negatives)
_ROWS = 1 << 15
_SIZES = (1, 2)


@dataclass(frozen=True)
class State:
    """In how many distinct positives each n-gram stands, and how many there are."""

    counts: Keyed
    positives: int


def prepare(inputs: Batches, scratch: Path, max_memory: int, phase: Callable[[str], None], *, unit: Unit = "word") -> State:
    """Count the n-grams of the table's distinct positives."""
    phase("counting words")
    texts = Partitioner(scratch / "texts", max_memory // 8)
    for frame in inputs(_ROWS):
        distinct = frame.select("positive").unique(maintain_order=True)
        texts.add(distinct, rng.hash64(distinct["positive"]))
    tally, positives = Tally(scratch / "grams", max_memory // 8, "texts"), 0
    for part, _ in texts.parts():
        for piece in pieces(part.unique(maintain_order=True)):
            found = grams(piece["positive"], _SIZES, unit)
            tally.add(found.key, texts=np.ones(len(found.key), np.int64))
            positives += piece.height
    return State(tally.close(), positives)


def score(batch: Negatives, state: State, *, unit: Unit = "word") -> pl.DataFrame:
    """Two columns of bits, 0 and above; null where a text has nothing that the other has not.

    batch: n rows of `positive`, `negative`.
    """
    found = [_scored(piece, state, unit) for piece in pieces(batch.frame.select("negative", "positive"))]
    return pl.concat(found)


def _scored(texts: pl.DataFrame, state: State, unit: str) -> pl.DataFrame:
    negative, positive = grams(texts["negative"], _SIZES, unit), grams(texts["positive"], _SIZES, unit)
    return pl.DataFrame(
        {
            "score_rarity": _surprise(negative, negative.only(positive), state, texts.height, own=0),
            "score_rarity_positive": _surprise(positive, positive.only(negative), state, texts.height, own=1),
        }
    )


def _surprise(found: Grams, places: np.ndarray, state: State, rows: int, own: int) -> pl.Series:
    """The mean surprise of the n-grams at these places, by row. own: how many of the counted texts are the row's positive itself."""
    others = max(state.positives - 1, 1)
    counts = np.maximum(counts_of(state.counts, found.key[places], "texts") - own, 0)
    bits = -np.log2(np.minimum(np.maximum(counts, 0.5) / others, 1.0))
    row = found.row[places]
    number = np.bincount(row, minlength=rows)
    mean = np.bincount(row, weights=bits, minlength=rows) / np.maximum(number, 1)
    return pl.select(pl.when(pl.Series(number > 0)).then(pl.Series(np.round(mean, DECIMALS) + 0.0))).to_series()
