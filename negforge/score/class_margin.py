"""Score how much nearer the row's positive is to the centre of its own class than to that of the nearest other class.

- `score_class_margin`: the distance to the nearest wrong centroid less that to the row's own. Below 0 the label is suspect.
- `class_margin_nearest`: the label of that wrong class, ties by name: the one to take negatives from that are easily confused.

A centroid is the mean of the vectors, of length 1 each, of the distinct positives of a class; distances are Euclidean. A text that
stands in many rows counts once, and under every label it has. Null without a label or a vector, and where there is one class only.
A text's own vector is part of its centroid, which favours small classes.
Source: Mensink et al., Distance-Based Image Classification, 2013 (the nearest class mean).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negforge import search
from negforge.contract import Declares
from negforge.encoders import Encoder
from negforge.engine import storage
from negforge.labelled import F64, Label, Labelled, Rows, gather
from negforge.partitions import Members, averages
from negforge.records import Batches, Negatives
from negforge.vectors import CorpusPrompt, GivenModel

DECLARES = Declares(version=1, scope="row", reads=Negatives, cost="model", least_rows=1024)
_BLOCK = 1 << 13
_CELLS_AT_ONCE = 1 << 22
_SLACK = 1e-8  # of squared distances up to 4: beyond it lie both the product's last bits and what rounding makes equal


@dataclass(frozen=True)
class State:
    """The texts of the table, and the centroids of their classes: zero for a class none of whose texts has a vector."""

    texts: Labelled
    centroids: Path
    record: dict[str, str]


def prepare(
    inputs: Batches,
    scratch: Path,
    max_memory: int,
    phase: Callable[[str], None],
    *,
    model: GivenModel,
    corpus_prompt: CorpusPrompt = "",
    label: Label,
) -> State:
    """Encode the positives that are not yet encoded, and find the centroid of each class."""
    texts = gather(inputs, "positive", label, Encoder(model, corpus_prompt), scratch, max_memory, phase)
    path = scratch / "centroids.npy"
    with storage(path):
        place, number = texts.labels_of(np.arange(len(texts)))
        np.save(path, averages(Members(texts.vectors, place), number, len(texts.labels)), allow_pickle=False)
    return State(texts, path, texts.record)


def score(batch: Negatives, state: State, *, label: str) -> pl.DataFrame:
    """A margin, from -2 to 2, and the wrong class.

    batch: any rows, with `positive` and the column of classes. Raises InputError where that is not there.
    """
    texts = state.texts
    centroids: F64 = np.load(state.centroids, mmap_mode="r", allow_pickle=False)
    text, own = texts.rows(batch.frame, "positive", label)
    margin, nearest = np.full(len(text), np.nan), np.full(len(text), -1)
    known = np.flatnonzero((text >= 0) & (own >= 0))
    alive = np.zeros(len(texts.labels), dtype=bool)
    alive[texts.of_text] = True
    if len(known) and alive.sum() > 1:
        pairs, row = np.unique(np.stack([text[known], own[known]], axis=1), axis=0, return_inverse=True)
        step = max(1, _CELLS_AT_ONCE // len(alive))
        parts = [_margins(pairs[start : start + step], texts, centroids, alive) for start in range(0, len(pairs), step)]
        margin[known] = np.concatenate([one for one, _ in parts])[row]
        nearest[known] = np.concatenate([one for _, one in parts])[row]
    names = pl.Series([*texts.labels, None], dtype=pl.String).gather(nearest % (len(texts.labels) + 1))
    return pl.DataFrame({"score_class_margin": pl.Series(margin).fill_nan(None), "class_margin_nearest": names})


def _margins(pairs: Rows, texts: Labelled, centroids: F64, alive: NDArray[np.bool_]) -> tuple[F64, Rows]:
    """Of (text, its label) the margin and the nearest other class. The product finds candidates; only differences decide."""
    vectors = texts.vectors[pairs[:, 0]].astype(np.float64)
    squares = (centroids * centroids).sum(axis=1) - 2 * (vectors @ centroids.T)
    squares[:, ~alive] = np.inf
    squares[np.arange(len(pairs)), pairs[:, 1]] = np.inf
    at, candidate = np.nonzero(squares <= squares.min(axis=1, keepdims=True) + _SLACK)
    away = _distances(vectors, centroids, at, candidate)
    order = np.lexsort((candidate, away, at))
    first = order[np.searchsorted(at[order], np.arange(len(pairs)))]
    mine = _distances(vectors, centroids, np.arange(len(pairs)), pairs[:, 1])
    return np.round(away[first] - mine, search.DECIMALS) + 0.0, candidate[first]


def _distances(vectors: F64, centroids: F64, at: Rows, candidate: Rows) -> F64:
    found = np.empty(len(at))
    for start in range(0, len(at), _BLOCK):
        some = slice(start, start + _BLOCK)
        found[some] = np.sqrt(((vectors[at[some]] - centroids[candidate[some]]) ** 2).sum(axis=1))
    return np.round(found, search.DECIMALS)
