"""Choose the best lexical matches of the anchor in a corpus: BM25 over an index on disk.

Ties are read to their end and cut by (score, id), so that the list is the same on any machine; the index has one writer,
fed in the order of ids, and is cached under the content it was made of. Scores are tantivy's BM25 with k1 1.2 and b 0.75,
which it does not let one change.
Source: Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009; texttron/tevatron#87 (record the settings).
"""

from __future__ import annotations

from typing import Annotated

import polars as pl
from pydantic import Field

from negforge.contract import Declares
from negforge.lexical import Index, Tokeniser
from negforge.mining import matches
from negforge.records import Corpus, Pairs

DECLARES = Declares(
    version=1,
    scope="anchor",
    reads=Pairs,
    label="negative",
    opposition="unrelated",
    evidence=("not-known-positive",),
    verifiers=("known-positive",),
    fixed={"k1": 1.2, "b": 0.75},
)


def prepare(corpus: Corpus, max_memory: int, *, tokeniser: Tokeniser = "simple") -> Index:
    """Index the corpus, or find the index made of the same content before."""
    return Index.of(corpus, max_memory, tokeniser)


def generate(
    batch: Pairs,
    state: Index,
    *,
    num_negatives: int,
    depth: Annotated[int, Field(ge=1, description="How many of the best matches are candidates.")] = 100,
) -> pl.DataFrame:
    """The `depth` best matches of each anchor.

    batch: whole anchors. Returns rows (anchor_id, corpus_row, rank from 1, score_bm25, miner), best first for each anchor;
    an anchor that shares no word with the corpus has none.
    """
    return matches(batch.frame, state, max(depth, 2 * num_negatives))
