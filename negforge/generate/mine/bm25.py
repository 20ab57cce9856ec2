"""Choose the best lexical matches of the anchor in a corpus: BM25 over an index on disk.

Ties are read to their end and cut by (score, id), so that the list is the same on any machine; the index has one writer,
fed in the order of ids, and is cached under the content it was made of. Scores are tantivy's BM25 with k1 1.2 and b 0.75,
which it does not let one change.

With `--sampling near-positive` the positives are scored by the same formula, `score_bm25_positive` of the row's and
`score_bm25_weakest` the least of the anchor's, and candidates that score near the anchor's best are the likeliest. BM25 scores
are some tens, not below 1: --sharpness 0.01 to 0.1 suits them.
Source: Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009; texttron/tevatron#87 (record the settings).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import polars as pl
from pydantic import Field

from negforge.contract import Chosen, Declares
from negforge.corpus import CorpusStore
from negforge.lexical import Index, Statistics, Tokeniser
from negforge.mining import Sampling, Sharpness, Shift, arranged, matches
from negforge.records import Corpus, Pairs
from negforge.rng import Rng

DECLARES = Declares(
    version=2,
    scope="anchor",
    reads=Pairs,
    label="negative",
    opposition="unrelated",
    evidence=("not-known-positive",),
    verifiers=("known-positive",),
    fixed={"k1": 1.2, "b": 0.75},
)


@dataclass(frozen=True)
class State:
    """The index of words, whose store holds the corpus, and what scores a positive, where candidates near it are wanted."""

    index: Index
    statistics: Statistics | None

    @property
    def corpus(self) -> CorpusStore:
        """The corpus by row number."""
        return self.index.corpus


def prepare(corpus: Corpus, max_memory: int, *, tokeniser: Tokeniser = "simple", sampling: Sampling = "top") -> State:
    """Index the corpus, or find the index made of the same content before; count its words, if positives are to be scored."""
    counted = Statistics.of(corpus, max_memory, tokeniser) if sampling == "near-positive" else None
    return State(Index.of(corpus, max_memory, tokeniser), counted)


def generate(
    batch: Pairs,
    state: State,
    rng: Rng,
    *,
    num_negatives: int,
    depth: Annotated[int, Field(ge=1, description="How many of the best matches are candidates, known positives apart.")] = 100,
    sampling: Sampling = "top",
    sharpness: Sharpness = 0.5,
    shift: Shift = 0.0,
) -> Chosen:
    """The `depth` best matches of each anchor, and as many more as it has positives, in the order in which they are to be taken.

    batch: whole anchors. Gives rows (anchor_id, corpus_row, rank from 1, score_bm25, miner); an anchor that shares no word with the
    corpus has none. Where candidates near the positive are wanted, score_bm25_positive and score_bm25_weakest of each pair.
    """
    rows = matches(batch.frame, state.index, max(depth, 2 * num_negatives))
    pairs = _positives(batch.frame, state.statistics) if state.statistics is not None else None
    scores = pl.DataFrame(schema={"anchor_id": pl.String, "score": pl.Float64})
    if pairs is not None:
        scores = pairs.group_by("anchor_id", maintain_order=True).agg(pl.col("score_bm25_positive").max().alias("score"))
    taken = arranged(rows, "score_bm25", scores, rng, sampling=sampling, sharpness=sharpness, shift=shift)
    return Chosen(taken, pairs=None if pairs is None else pairs.drop("anchor_id"))


def _positives(frame: pl.DataFrame, statistics: Statistics) -> pl.DataFrame:
    """`id`, `anchor_id`, the score of each row's positive and the least of its anchor's."""
    of = statistics.scorer().score
    scores = [of(anchor, positive) for anchor, positive in frame.select("anchor", "positive").iter_rows()]
    found = frame.select("id", "anchor_id").with_columns(pl.Series("score_bm25_positive", scores, dtype=pl.Float64))
    return found.with_columns(pl.col("score_bm25_positive").min().over("anchor_id").alias("score_bm25_weakest"))
