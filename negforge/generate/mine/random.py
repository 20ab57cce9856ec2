"""Choose texts of a corpus at random, each at most once for an anchor: easy negatives, and the baseline for hard ones.

Draws are keyed by (seed, anchor id): neither the order of the rows nor the batch size changes them.
Source: huggingface/sentence-transformers#2768 (a corpus other than the positives), FlagOpen/FlagEmbedding#464 (a random
draw is checked against the positives like any other).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from negforge.contract import Declares
from negforge.corpus import CorpusStore
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
_WHOLE = 1024  # a corpus up to this size is shuffled whole; from a larger one rows are drawn first


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
    size = state.corpus.size
    wanted = 4 * num_negatives + 64
    drawn = [np.zeros((len(anchors), 0), np.int64)]
    # Whether rows are drawn may not hang on the slots, or the order would; what follows the draws may.
    if size > _WHOLE:
        drawn.append(rng.integers(anchors, min(wanted, size), size))
    if 0 < size <= max(_WHOLE, 16 * wanted):
        drawn.append(np.argsort(rng.integers(anchors, size, 1 << 62), axis=1, kind="stable"))
    rows = np.concatenate(drawn, axis=1)
    owner = np.repeat(np.arange(len(anchors)), rows.shape[1])
    found = pl.DataFrame({"owner": owner, "corpus_row": rows.reshape(-1).astype(np.int64)})
    found = found.unique(["owner", "corpus_row"], keep="first", maintain_order=True)
    return found.select(anchors.gather(found["owner"]).alias("anchor_id"), pl.col("corpus_row"), pl.lit("random").alias("miner"))
