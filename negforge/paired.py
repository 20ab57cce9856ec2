"""Scores of rows by vectors: the negative and the positive beside the anchor, under the name of whoever asks.

The weakest is the least score of the anchor's positives, so a batch has whole anchors. A score is null where a text has no vector.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negforge import search
from negforge.records import Batches
from negforge.vectors import AnchorVectors, CorpusPrompt, CorpusVectors, Model, Prompt, Similarity, Space, space


def prepare(
    inputs: Batches,
    scratch: Path,
    max_memory: int,
    phase: Callable[[str], None],
    *,
    model: Model = None,
    anchor_prompt: Prompt = "",
    corpus_prompt: CorpusPrompt = "",
    corpus_vectors: CorpusVectors = None,
    anchor_vectors: AnchorVectors = None,
    similarity: Similarity = "cosine",
) -> Space:
    """Encode what is not yet encoded."""
    return space(
        inputs,
        ["positive", "negative"],
        None,
        scratch,
        max_memory,
        phase,
        model=model,
        anchor_prompt=anchor_prompt,
        corpus_prompt=corpus_prompt,
        corpus_vectors=corpus_vectors,
        anchor_vectors=anchor_vectors,
        similarity=similarity,
    )


def compared(frame: pl.DataFrame, state: Space, name: str, *, between: bool = False) -> pl.DataFrame:
    """Columns `score_NAME`, `score_NAME_positive`, `score_NAME_weakest`, and with `between` the negative and the positive.

    frame: whole anchors, with `anchor`, `positive`, `negative`.
    """
    anchor, asked = state.of_anchors(frame)
    positive, right = state.of_texts(frame, "positive")
    negative, there = state.of_texts(frame, "negative")
    columns = {
        f"score_{name}": _scores(anchor, negative, asked & there),
        f"score_{name}_positive": _scores(anchor, positive, asked & right),
    }
    if between:
        columns[f"score_{name}_between"] = _scores(positive, negative, right & there)
    return with_weakest(columns, frame["anchor_id"], name)


def with_weakest(columns: dict[str, pl.Series], anchor_ids: pl.Series, name: str) -> pl.DataFrame:
    """The columns, and `score_NAME_weakest`: of each anchor the least `score_NAME_positive`. anchor_ids: of whole anchors."""
    weakest = pl.col(f"score_{name}_positive").min().over("anchor_id").alias(f"score_{name}_weakest")
    return pl.DataFrame({**columns, "anchor_id": anchor_ids}).with_columns(weakest).drop("anchor_id")


def _scores(left: search.F32, right: search.F32, there: NDArray[np.bool_]) -> pl.Series:
    return pl.Series(search.paired(left, right)).set(pl.Series(~there), None)
