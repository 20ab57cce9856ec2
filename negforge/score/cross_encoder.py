"""Score the negative and the positive against the anchor by a cross-encoder, which reads both texts together.

- `score_cross_encoder`: the negative and the anchor; `score_cross_encoder_positive`: this row's positive and the anchor;
  `score_cross_encoder_weakest`: the least of the anchor's positives.

A local model's scores are its raw outputs: whatever activation it names is left out, since near its ends it hides differences; with
`--activation sigmoid` they become 1 / (1 + exp(-x)), at no new call of the model. A server's scores are as it gives them, often
after a sigmoid of its own. Each pair is scored once and kept: `filter margin --by cross-encoder` and `negforge calibrate` try
thresholds for nothing, and a run that was broken off goes on.
Source: NV-Retriever, arXiv:2407.15831, and RocketQA, arXiv:2010.08191 (candidates that a cross-encoder takes for right left out).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import polars as pl
from pydantic import Field

from negforge.contract import Declares
from negforge.errors import UsageError
from negforge.paired import with_weakest
from negforge.records import Batches, Negatives
from negforge.rerankers import RERANKS, Reranker, looked_up, scored

DECLARES = Declares(version=1, scope="anchor", reads=Negatives, cost="model", least_rows=1024)
_ROWS = 1 << 14


@dataclass(frozen=True)
class State:
    """Where scores are."""

    scores: Path
    record: dict[str, str]


def prepare(
    inputs: Batches,
    scratch: Path,
    max_memory: int,
    phase: Callable[[str], None],
    *,
    reranker: Annotated[
        str,
        Field(
            description="What scores: a folder or a Hub name of a sentence-transformers CrossEncoder, or http://HOST/v1#MODEL (rerank).",
            examples=["./ms-marco-MiniLM-L6-v2"],
            json_schema_extra=RERANKS,
        ),
    ],
    activation: Annotated[
        Literal["identity", "sigmoid"], Field(description="What a local model's outputs go through; a server's are left as they are.")
    ] = "identity",
) -> State:
    """Score the pairs that are not yet scored. Raises UsageError for an activation of what a server gives."""
    model = Reranker(reranker)
    if model.remote and activation != "identity":
        raise UsageError("--activation is for local models", f"{reranker} may apply one already", "leave it out")

    def pairs() -> Iterator[pl.DataFrame]:
        for frame in inputs(_ROWS):
            yield from (frame.select("anchor", pl.col(name).alias("text")) for name in ("positive", "negative"))

    return State(scored(model, pairs(), scratch / "pairs", max_memory // 8, phase), {"reranker": model.named})


def score(batch: Negatives, state: State, *, activation: str = "identity") -> pl.DataFrame:
    """Three columns of scores.

    batch: whole anchors, with `anchor`, `positive`, `negative`.
    """
    frame = batch.frame
    columns = {}
    for name, text in {"score_cross_encoder": "negative", "score_cross_encoder_positive": "positive"}.items():
        raw = looked_up(state.scores, frame["anchor"], frame[text])
        columns[name] = raw if activation == "identity" else _sigmoid(raw)
    return with_weakest(columns, frame["anchor_id"], "cross_encoder")


def _sigmoid(raw: pl.Series) -> pl.Series:
    with np.errstate(over="ignore"):
        return pl.Series(1 / (1 + np.exp(-raw.fill_null(0.0).to_numpy()))).set(raw.is_null(), None)
