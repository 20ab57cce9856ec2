"""Score by the classes of the nearest texts of the table: the share of a text's neighbours that have its own label.

- `score_neighbours`: of its k nearest texts (`--neighbours`), itself left out, the share with the row's label, from 0 to 1. A low one
  says that the label is suspect. Classes of several modes do no harm: not all of a class need be near, only the nearest.
- `neighbours_majority`: the label that most of them have, ties by name.

Texts are the distinct ones of a column (`--text`); one that stands in many rows is one neighbour, with every label it has. The
search is exact, ties by the texts' digests. Null without a label or a vector, and where the table has no other text.
`filter where --keep "score_neighbours >= 0.5"` keeps suspect labels out.
Paper: Feng et al., Rethinking Supervised Pre-Training for Better Downstream Transferring (LOOK), arXiv:2110.06014.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import polars as pl
from pydantic import Field

from negforge import search
from negforge.clusters import Column, mapped
from negforge.contract import Declares
from negforge.encoders import Encoder
from negforge.labelled import Label, Labelled, Rows, gather
from negforge.records import Batches, Negatives, Over
from negforge.vectors import CorpusPrompt, GivenModel

DECLARES = Declares(version=1, scope="row", reads=Negatives, cost="model", least_rows=1024)
_TEXTS_AT_ONCE = 4096

Text = Annotated[Literal["positive", "anchor", "negative"], Field(description="The texts whose labels are looked at.")]
Neighbours = Annotated[int, Field(ge=1, le=1000, description="How many of the nearest texts are asked.")]


@dataclass(frozen=True)
class State:
    """The texts of the table, and of each the texts nearest to it, nearest first, -1 where there are no more."""

    texts: Labelled
    nearest: Path
    neighbours: int
    record: dict[str, str]


def prepare(
    inputs: Batches,
    scratch: Path,
    max_memory: int,
    over: Over,
    phase: Callable[[str], None],
    *,
    model: GivenModel,
    corpus_prompt: CorpusPrompt = "",
    label: Label,
    text: Text = "positive",
    neighbours: Neighbours = 20,
) -> State:
    """Encode the texts that are not yet encoded, and find the neighbours of each distinct one."""
    texts = gather(inputs, text, label, Encoder(model, corpus_prompt), scratch, max_memory, phase)
    nearest = Column(scratch / "nearest", np.int64, neighbours)
    size, done = len(texts), 0

    def blocks() -> Iterator[pl.DataFrame]:
        for start in range(0, size, _TEXTS_AT_ONCE):
            yield pl.DataFrame({"text": np.arange(start, min(start + _TEXTS_AT_ONCE, size))})

    for found in over(functools.partial(_nearest, texts=texts, neighbours=neighbours), blocks()):
        nearest.add(found["nearest"].to_numpy())
        done += found.height
        phase(f"searching, {done:,} of {size:,} texts")
    nearest.close()
    return State(texts, scratch / "nearest", neighbours, texts.record)


def _nearest(block: pl.DataFrame, texts: Labelled, neighbours: int) -> pl.DataFrame:
    """The neighbours of some texts."""
    own = block["text"].to_numpy()
    found = search.best(texts.vectors[own], texts.vectors, neighbours + 1).rows
    other = found != own[:, None]
    # Of more than k texts that tie with it a text may not be among its own nearest: then the last goes.
    order = np.argsort(~other, axis=1, kind="stable")[:, :neighbours]
    rows = np.full((len(own), neighbours), -1, dtype=np.int64)
    kept = np.where(np.take_along_axis(other, order, axis=1), np.take_along_axis(found, order, axis=1), -1)
    rows[:, : kept.shape[1]] = kept
    return pl.DataFrame({"nearest": pl.Series(rows, dtype=pl.Array(pl.Int64, neighbours))})


def score(batch: Negatives, state: State, *, label: str, text: str = "positive") -> pl.DataFrame:
    """A share, from 0 to 1, and a label.

    batch: any rows, with the texts and the column of classes. Raises InputError where that is not there.
    """
    texts = state.texts
    row, own = texts.rows(batch.frame, text, label)
    share, most = np.full(len(row), np.nan), np.full(len(row), -1)
    known = np.flatnonzero((row >= 0) & (own >= 0))
    if len(known):
        asked, place = np.unique(row[known], return_inverse=True)
        share[known], most[known] = _votes(texts, state, asked, place, own[known])
    names = pl.Series([*texts.labels, None], dtype=pl.String).gather(most % (len(texts.labels) + 1))
    return pl.DataFrame({"score_neighbours": pl.Series(share).fill_nan(None), "neighbours_majority": names})


def _votes(texts: Labelled, state: State, asked: Rows, place: Rows, own: Rows) -> tuple[search.F64, Rows]:
    """For each row, by the place of its text among those asked for: the share of neighbours with its own label, and the majority."""
    every = mapped(state.nearest, np.dtype(np.int64), (len(texts), state.neighbours), "r").reshape(len(texts), state.neighbours)
    near = every[asked]
    owner = np.nonzero(near >= 0)[0]
    voter, number = texts.labels_of(near[near >= 0])
    size = len(texts.labels)
    ballots, counts = np.unique(owner[voter] * size + number, return_counts=True)
    voters = np.bincount(owner, minlength=len(asked))[place]
    wanted = place * size + own
    at = np.minimum(np.searchsorted(ballots, wanted), max(len(ballots) - 1, 0))
    mine = np.where(ballots[at] == wanted, counts[at], 0) if len(ballots) else np.zeros(len(place))
    order = np.lexsort((ballots, -counts, ballots // size))
    first = order[np.unique(ballots[order] // size, return_index=True)[1]]
    most = np.full(len(asked), -1)
    most[ballots[first] // size] = ballots[first] % size
    share = np.where(voters > 0, mine / np.maximum(voters, 1), np.nan)
    return share, most[place]
