"""Score a negative, and its row's positive, against the anchor by BM25 with the statistics of a corpus.

- `score_bm25`: the negative; `score_bm25_positive`: the positive. Raw, from 0, no word of the anchor in the text, without an
  upper end; they compare within an anchor, not between anchors.

How rare a word is and how long a text is on average is what the corpus says; the text itself need not be in it. For one that is,
the score is that of `generate mine.bm25` with the same `--tokeniser` (but for single precision there), so that candidates of any
miner, edited texts and positives stand beside it. The index is the one that miner made, if it did. As there, a word that the
anchor repeats counts as often, and lengths above 40 words are rounded down to steps of at most 1/8.
Source: Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009; texttron/tevatron#43 (scores that can be rebuilt).
"""

from __future__ import annotations

import polars as pl

from negforge.contract import Declares
from negforge.lexical import Statistics, Tokeniser
from negforge.records import Corpus, Negatives

DECLARES = Declares(version=1, scope="row", reads=Negatives, fixed={"k1": 1.2, "b": 0.75})


def prepare(corpus: Corpus, max_memory: int, *, tokeniser: Tokeniser = "simple") -> Statistics:
    """Index the corpus and count its words, or find both made of the same content before."""
    return Statistics.of(corpus, max_memory, tokeniser)


def score(batch: Negatives, state: Statistics) -> pl.DataFrame:
    """Two columns of scores, from 0.

    batch: n rows of `anchor`, `positive`, `negative`. A text without a word scores 0, as does all against an anchor without one.
    """
    of = state.scorer().score
    rows = batch.frame.select("anchor", "negative", "positive").iter_rows()
    scores = [(of(anchor, negative), of(anchor, positive)) for anchor, negative, positive in rows]
    return pl.DataFrame(scores, schema={"score_bm25": pl.Float64, "score_bm25_positive": pl.Float64}, orient="row")
