"""Choose texts of a corpus at random, each at most once for an anchor: easy negatives, and the baseline for hard ones.

Draws are keyed by (seed, anchor id): neither the order of the rows nor the batch size changes them.
Source: huggingface/sentence-transformers#2768 (a corpus other than the positives), FlagOpen/FlagEmbedding#464 (a random
draw is checked against the positives like any other).
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from negforge.contract import Declares
from negforge.corpus import CorpusStore
from negforge.drawing import drawn
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
)


@dataclass(frozen=True)
class State:
    """The corpus by row number."""

    corpus: CorpusStore


def prepare(corpus: Corpus, max_memory: int) -> State:
    """Store the corpus, or find it stored."""
    return State(CorpusStore.of(corpus, max_memory))


def generate(batch: Pairs, state: State, rng: Rng, *, num_negatives: int) -> pl.DataFrame:
    """Rows of the corpus in an order drawn for each anchor, several times as many as are wanted.

    batch: whole anchors. Returns rows (anchor_id, corpus_row, miner). A corpus not much larger than what is wanted is given
    whole, so that an anchor is short only when the corpus is exhausted. More slots begin with what fewer slots give.
    """
    anchors = batch.frame.unique("anchor_id", keep="first", maintain_order=True)["anchor_id"]
    found = drawn(anchors, state.corpus.size, rng, 4 * num_negatives + 64)
    return found.select(anchors.gather(found["owner"]).alias("anchor_id"), pl.col("corpus_row"), pl.lit("random").alias("miner"))
