"""Score how much nearer the row's positive is to the centre of its own class than to that of the nearest other class.

- `score_class_margin`: the distance to the nearest wrong centroid less that to the row's own. Below 0 the label is suspect.
- `class_margin_nearest`: the label of that wrong class.

A centroid is the mean of the vectors of a class's distinct positives, of length 1 each; distances are Euclidean. Null without
a label or a vector, and where there is one class only. A row's own vector is part of its centroid, which favours small classes.
Paper: Janson et al., A Simple Baseline that Questions the Use of Pretrained-Models in Continual Learning, 2022.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import polars as pl
from pydantic import Field

from negforge import search
from negforge.contract import Declares
from negforge.encoders import Encoder
from negforge.records import Batches, Negatives
from negforge.vectors import CorpusPrompt, Lookup, encoded

DECLARES = Declares(version=1, scope="row", reads=Negatives, cost="model", least_rows=1024)
_ROWS = 1 << 14


@dataclass(frozen=True)
class State:
    """Where vectors are, and the classes, sorted, with their centroids."""

    texts: Lookup
    labels: list[str]
    centroids: search.F64
    record: dict[str, str]


def prepare(
    inputs: Batches,
    scratch: Path,
    max_memory: int,
    phase: Callable[[str], None],
    *,
    model: Annotated[
        str,
        Field(
            description="What encodes: a folder or a Hub name of sentence-transformers or model2vec, or http://HOST/v1#MODEL.",
            examples=["./all-MiniLM-L6-v2"],
        ),
    ],
    corpus_prompt: CorpusPrompt = "",
    label: Annotated[str, Field(description="The column of classes.")] = "group",
) -> State:
    """Encode the positives that are not yet encoded, and find the centroid of each class."""
    encoder = Encoder(model, corpus_prompt)
    positives = (frame["positive"].alias("text") for frame in inputs(_ROWS))
    texts = Lookup(encoded(encoder, positives, scratch / "texts", max_memory // 8, phase), "text", "cosine")
    found = [_labelled(frame, label).drop_nulls().unique() for frame in inputs(_ROWS)]
    every = pl.concat(found).unique().sort("label", "positive")  # a fixed order of sums
    labels: list[str] = []
    sums: list[search.F64] = []
    for part in every.partition_by("label", maintain_order=True):
        rows, there = texts.take(part["positive"], None)
        if there.any():
            labels.append(part["label"][0])
            sums.append(rows[there].astype(np.float64).sum(axis=0) / int(there.sum()))
    centroids = np.stack(sums) if sums else np.zeros((0, texts.dimensions))
    return State(texts, labels, centroids, {"model": encoder.named})


def score(batch: Negatives, state: State, *, label: str = "group") -> pl.DataFrame:
    """A margin and the wrong class.

    batch: any rows, with `positive` and the column of classes; without that all is null.
    """
    frame = _labelled(batch.frame, label)
    rows, there = state.texts.take(frame["positive"], None)
    place = {name: at for at, name in enumerate(state.labels)}
    own = np.array([place.get(name, -1) for name in frame["label"].to_list()], dtype=np.int64)
    known = there & (own >= 0) & (len(state.labels) > 1)
    margin, nearest = np.zeros(frame.height), np.zeros(frame.height, dtype=np.int64)
    for at in np.flatnonzero(known).tolist():
        away = state.centroids - rows[at].astype(np.float64)
        distance = np.round(np.sqrt((away * away).sum(axis=1)), search.DECIMALS)
        mine = distance[own[at]]
        distance[own[at]] = np.inf
        nearest[at] = distance.argmin()
        margin[at] = np.round(distance[nearest[at]] - mine, search.DECIMALS) + 0.0
    names = [state.labels[at] if is_known else None for at, is_known in zip(nearest.tolist(), known.tolist(), strict=True)]
    return pl.DataFrame(
        {
            "score_class_margin": pl.Series(margin, dtype=pl.Float64).set(pl.Series(~known), None),
            "class_margin_nearest": pl.Series(names, dtype=pl.String),
        }
    )


def _labelled(frame: pl.DataFrame, label: str) -> pl.DataFrame:
    found = pl.col(label).cast(pl.String) if label in frame.columns else pl.lit(None, pl.String)
    return frame.select(found.alias("label"), "positive")
