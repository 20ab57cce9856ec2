"""Score how far an operator's negatives lie from its positives as a whole: by their lengths and by their words.

Every row of an operator has the same values, from 0, the same distribution, to 1, nothing in common:
- `score_shift_length`: between the lengths of the negatives and of the positives, in tokens;
- `score_shift_words`: between how often each token stands in them, in how many of the texts;
- `score_shift`: the larger of both.

Each is the Jensen-Shannon divergence in bits. A large one is a shortcut: a model tells the sides by length or topic alone. It is for
comparing operators of one table, or one operator before and after a filter: of few rows words differ by chance as well. Rows labelled
`positive` are not counted; they have the value of their operator.
Paper: Cao et al., When to Pre-Train Graph Neural Networks? (W2PGNN), 2023 (how near data lies to what it is for); its graph bases are
replaced by this distance. Lin, Divergence measures based on the Shannon entropy, 1991.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negforge import rng
from negforge.contract import Declares
from negforge.keyed import Keyed
from negforge.ngrams import DECIMALS, Tally, Unit, grams, pieces
from negforge.records import Batches, Negatives

DECLARES = Declares(version=1, scope="row", reads=Negatives)
_ROWS = 1 << 15
_AT_ONCE = 1 << 20
_MEASURES = ("length", "words")
I64 = NDArray[np.int64]


@dataclass(frozen=True)
class State:
    """Of each operator the two distances."""

    shifts: dict[str, tuple[float, float]]
    explained: dict[str, str]


def prepare(inputs: Batches, scratch: Path, max_memory: int, phase: Callable[[str], None], *, unit: Unit = "word") -> State:
    """Count lengths and tokens of both sides, by operator."""
    phase("counting words")
    tallies: dict[tuple[str, str], Tally] = {}
    for frame in inputs(_ROWS):
        live = frame.filter(pl.col("label") != "positive").select("negative", "positive", "operator")
        for piece in pieces(live):
            for (operator,), rows in piece.group_by(["operator"], maintain_order=True):
                for measure in _MEASURES:
                    if (operator, measure) not in tallies:
                        folder = scratch / f"{rng.blake(str(operator))[:16]}-{measure}"
                        tallies[operator, measure] = Tally(folder, max_memory // 32, "negatives", "positives")
                for side, name in enumerate(("positive", "negative")):
                    _count(rows[name], side, tallies[operator, "length"], tallies[operator, "words"], unit)
    found: dict[str, tuple[float, float]] = {}
    for operator in sorted({name for name, _ in tallies}):
        found[operator] = _divergence(tallies[operator, "length"].close()), _divergence(tallies[operator, "words"].close())
    told = [f"{name} length {length:.3g}, words {words:.3g}" for name, (length, words) in found.items()]
    return State(found, {"shift": "; ".join(told) if told else "there is no row"})


def _count(texts: pl.Series, side: int, lengths: Tally, words: Tally, unit: str) -> None:
    found = grams(texts, (1,), unit)
    size = texts.str.count_matches(r"\S+" if unit == "word" else r"\S").fill_null(0).to_numpy().astype(np.uint64)
    for tally, key in ((lengths, rng.mix(size)), (words, found.key)):
        share = np.full(len(key), side)
        tally.add(key, negatives=share, positives=1 - share)


def _divergence(counts: Keyed) -> float:
    """Jensen-Shannon divergence in bits, whatever the order of the keys: the sum rounds once."""
    every = [counts.column(name) for name in ("negatives", "positives")]
    totals = [sum(int(np.asarray(one[start : start + _AT_ONCE]).sum()) for start in range(0, len(one), _AT_ONCE)) for one in every]
    if not all(totals):
        return 0.0

    def terms() -> Iterator[float]:
        for start in range(0, len(every[0]), _AT_ONCE):
            p, q = (np.asarray(one[start : start + _AT_ONCE]) / total for one, total in zip(every, totals, strict=True))
            middle = (p + q) / 2
            for share in (p, q):
                some = share > 0
                yield from (share[some] * np.log2(share[some] / middle[some]) / 2).tolist()

    return round(min(max(math.fsum(terms()), 0.0), 1.0), DECIMALS)


def score(batch: Negatives, state: State) -> pl.DataFrame:
    """Three columns, from 0 to 1; null for an operator of which every row is labelled `positive`.

    batch: n rows of `operator`.
    """
    columns = {}
    for place, measure in enumerate(_MEASURES):
        known = {name: shifts[place] for name, shifts in state.shifts.items()}
        columns[f"score_shift_{measure}"] = batch["operator"].replace_strict(known, default=None, return_dtype=pl.Float64)
    frame = pl.DataFrame(columns)
    return frame.select(pl.max_horizontal(pl.all()).alias("score_shift"), pl.all())
