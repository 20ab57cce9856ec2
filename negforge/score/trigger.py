"""Score how much a row's words give it away: the n-gram of the negative that stands far more in negatives than in positives.

Of each n-gram of one to three words it is counted in how many rows the negative has it and the positive has not, and the other way
round. Its log odds are log((n + 1) / (p + 1)); a trigger is one whose log odds stay above 0 after 3 standard deviations are taken off.
- `score_trigger`: the largest such lower bound among the n-grams that the negative alone has; `score_trigger_positive`: the same among
  those that the positive alone has. Null where there are none.
- `trigger_ngram`: that n-gram of the negative.

Above 0 the words alone tell the side: a fixed phrase in every rejected answer, `not` in every negated claim. The report and the manifest
name the table's worst. `filter where --keep "score_trigger < 0"` drops such rows; mending the generator is better. Three
deviations leave some chance findings in tables of many words; their bounds are near 0. Counts lie on disk. Rows that share a text count
each for itself.
Paper: Bagdasaryan and Shmatikov, Spinning Language Models, 2022 (an audit for trigger words); Monroe et al., Fightin' Words, 2008
(log odds with a prior, told by their deviation).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from negforge.contract import Declares
from negforge.keyed import Keyed
from negforge.ngrams import DECIMALS, Grams, Tally, Unit, counts_of, grams, pieces
from negforge.records import Batches, Negatives

DECLARES = Declares(version=1, scope="row", reads=Negatives)
Longest = Annotated[int, Field(ge=1, le=5, description="Tokens of the longest n-gram that is looked at.")]
_ROWS = 1 << 15
_DEVIATIONS = 3.0
_PRIOR = 1.0
_SHOWN = 10
_AT_ONCE = 1 << 20
I64 = NDArray[np.int64]


@dataclass(frozen=True)
class State:
    """In how many rows the negative alone, and the positive alone, has each n-gram. explained: the worst, in words."""

    counts: Keyed
    explained: dict[str, str] = field(default_factory=dict)


def prepare(
    inputs: Batches, scratch: Path, max_memory: int, phase: Callable[[str], None], *, longest: Longest = 3, unit: Unit = "word"
) -> State:
    """Count the n-grams that only one side of a row has; then find the texts of the worst."""
    phase("counting n-grams")
    sizes = range(1, longest + 1)
    tally = Tally(scratch / "grams", max_memory // 8, "negatives", "positives")
    for frame in inputs(_ROWS):
        for piece in pieces(_texts(frame)):
            sides = grams(piece["negative"], sizes, unit), grams(piece["positive"], sizes, unit)
            for one, other, side in ((*sides, 1), (*sides[::-1], 0)):
                places = one.only(other)
                share = np.full(len(places), side)
                tally.add(one.key[places], negatives=share, positives=1 - share)
    counts = tally.close()
    phase("naming the worst")
    worst = _worst(counts)
    names: dict[int, str] = {}
    for frame in inputs(_ROWS) if worst else ():
        if len(names) == len(worst):
            break
        wanted = np.array([key for key in worst if key not in names], dtype=np.uint64)
        for piece in pieces(_texts(frame)):
            found = grams(piece["negative"], sizes, unit)
            places = np.flatnonzero(np.isin(found.key, wanted))
            _, once = np.unique(found.key[places], return_index=True)
            names.update(zip(found.key[places[once]].tolist(), found.text(places[once]).to_list(), strict=True))
    told = [f"{names[key]!r} in {negatives:,} negatives, {positives:,} positives" for key, (_, negatives, positives) in worst.items()]
    return State(counts, {"triggers": "; ".join(told) if told else "no n-gram tells the side"})


def _texts(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(pl.col("label") != "positive").select("negative", "positive")


def bounds(negatives: I64, positives: I64) -> NDArray[np.float64]:
    """The lower bound of the log-odds that an n-gram stands on the negative's side."""
    n, p = negatives + _PRIOR, positives + _PRIOR
    return np.round(np.log(n / p) - _DEVIATIONS * np.sqrt(1 / n + 1 / p), DECIMALS)


def _worst(counts: Keyed) -> dict[int, tuple[float, int, int]]:
    """The keys of the largest bounds above 0, the largest first; of equal ones that of more rows, then of the smaller key."""
    keys, negatives, positives = (counts.column(name) for name in ("high", "negatives", "positives"))
    best: list[tuple[float, int, int, int]] = []
    for start in range(0, len(keys), _AT_ONCE):
        n, p = (np.asarray(column[start : start + _AT_ONCE]) for column in (negatives, positives))
        bound = bounds(n, p)
        place = np.flatnonzero(bound > 0)
        some = zip(
            bound[place].tolist(), n[place].tolist(), p[place].tolist(), (-1 - keys[start + place].astype(object)).tolist(), strict=True
        )
        best = heapq.nlargest(_SHOWN, [*best, *some])
    return {-1 - key: (bound, n, p) for bound, n, p, key in best}


def score(batch: Negatives, state: State, *, longest: Longest = 3, unit: Unit = "word") -> pl.DataFrame:
    """Two columns of log-odds, any number, and the n-gram; null where a text has nothing that the other has not.

    batch: n rows of `positive`, `negative`.
    """
    sizes = range(1, longest + 1)
    parts = []
    for piece in pieces(batch.frame.select("negative", "positive")):
        negative, positive = grams(piece["negative"], sizes, unit), grams(piece["positive"], sizes, unit)
        bound, place = _largest(negative, negative.only(positive), state, piece.height)
        beside, _ = _largest(positive, positive.only(negative), state, piece.height)
        named = np.flatnonzero(place >= 0)
        texts = pl.Series([None] * piece.height, dtype=pl.String).scatter(named, negative.text(place[named]))
        parts.append(pl.DataFrame({"score_trigger": bound, "score_trigger_positive": beside, "trigger_ngram": texts}))
    return pl.concat(parts)


def _largest(found: Grams, places: I64, state: State, rows: int) -> tuple[pl.Series, I64]:
    """By row the largest bound of the n-grams at these places, and where it is; of equal ones the shortest, then the first."""
    key = found.key[places]
    bound = bounds(counts_of(state.counts, key, "negatives"), counts_of(state.counts, key, "positives"))
    row = found.row[places]
    order = np.lexsort((found.at[places], found.size[places], -bound, row))
    first = np.ones(len(order), dtype=bool)
    first[1:] = row[order][1:] != row[order][:-1]
    chosen = order[first]
    place = np.full(rows, -1, dtype=np.int64)
    place[row[chosen]] = places[chosen]
    values = np.zeros(rows)
    values[row[chosen]] = bound[chosen]
    return pl.select(pl.when(pl.Series(place >= 0)).then(pl.Series(values))).to_series(), place
