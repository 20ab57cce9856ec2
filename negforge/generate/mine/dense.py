"""Choose the texts of a corpus whose vectors are nearest the anchor's: exact search, over a corpus larger than memory.

Vectors are made by `--model`, once for each text whatever it is used for, or brought by `--corpus-vectors` and `--anchor-vectors`.
Every candidate keeps its rank and raw score; the row's positive (`score_dense_positive`) and the anchor's weakest
(`score_dense_weakest`) are scored as well, so that thresholds are filters' business and cost no second search. An anchor with
many positives is mined once and looked at as far below them as any other.
Source: Karpukhin et al., DPR, 2020; huggingface/sentence-transformers#3164 (memory), #2848 (500 positives), #3338 (encode once).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import polars as pl
from pydantic import Field

from negforge.contract import Chosen, Declares
from negforge.corpus import CorpusStore
from negforge.mining import Ef, Engine, Sampling, Sharpness, Shift, arranged, indexed, nearest, scored_positives
from negforge.records import Batches, Corpus, Pairs
from negforge.rng import Rng
from negforge.vectors import AnchorVectors, CorpusPrompt, CorpusVectors, Model, Prompt, Similarity, Space, space

DECLARES = Declares(
    version=1,
    scope="anchor",
    reads=Pairs,
    cost="model",
    label="negative",
    opposition="unrelated",
    evidence=("not-known-positive",),
    verifiers=("known-positive",),
    any_of=("model", "corpus_vectors", "anchor_vectors"),
    least_rows=1024,
)

Depth = Annotated[int, Field(ge=1, description="How many of the nearest texts are candidates, known positives apart.")]


@dataclass(frozen=True)
class State:
    """The corpus by row number, and where its vectors and the anchors' are."""

    corpus: CorpusStore
    space: Space

    @property
    def record(self) -> dict[str, str]:
        """What the vectors were made with."""
        return self.space.record

    @property
    def explained(self) -> dict[str, str]:
        """What an approximate search misses."""
        return self.space.explained


def prepare(
    corpus: Corpus,
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
    engine: Engine = "exact",
    ef: Ef = None,
    depth: Depth = 100,
) -> State:
    """Store the corpus, encode what is not yet encoded, and lay the corpus's vectors out in one file."""
    store = CorpusStore.of(corpus, max_memory)
    where = space(
        inputs,
        ["positive"],
        store,
        scratch,
        max_memory,
        phase,
        corpus=corpus,
        model=model,
        anchor_prompt=anchor_prompt,
        corpus_prompt=corpus_prompt,
        corpus_vectors=corpus_vectors,
        anchor_vectors=anchor_vectors,
        similarity=similarity,
    )
    return State(store, indexed(where, engine, ef, inputs, depth, max_memory, phase))


def generate(
    batch: Pairs,
    state: State,
    rng: Rng,
    *,
    num_negatives: int,
    depth: Depth = 100,
    sampling: Sampling = "top",
    sharpness: Sharpness = 0.5,
    shift: Shift = 0.0,
) -> Chosen:
    """The `depth` nearest texts of each anchor, and as many more as it has positives.

    batch: whole anchors. Gives rows (anchor_id, corpus_row, rank from 1, score_dense, miner), best first for each anchor, and for
    each pair score_dense_positive, null where the positive has no vector, and score_dense_weakest. An anchor without a vector is
    refused: `no-vector`.
    """
    frame = batch.frame
    rows, refusals = nearest(frame, state.space, max(depth, 2 * num_negatives))
    pairs = scored_positives(frame, state.space)
    best = pairs.group_by("anchor_id", maintain_order=True).agg(pl.col("score_dense_positive").max().alias("score"))
    taken = arranged(rows, "score_dense", best, rng, sampling=sampling, sharpness=sharpness, shift=shift)
    return Chosen(taken, refusals, pairs=pairs.drop("anchor_id"))
