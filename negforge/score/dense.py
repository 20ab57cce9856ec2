"""Score how near the negative's vector is to the anchor's, and the positive's with it.

- `score_dense`: the negative and the anchor; `score_dense_positive`: this row's positive and the anchor; `score_dense_weakest`:
  the least of the anchor's positives.
- `score_dense_between`: the negative and the positive. Near 1 it says the same.

Cosines from -1 to 1, or inner products; raw, never thresholds, and null where a text has no vector. Texts are encoded once by
`--model` and kept, or looked up by id in vectors that are brought (`negative_id`, `positive_id` in those of the corpus).
Source: huggingface/sentence-transformers#3430, #3506 (scores in the output); Thakur et al., Augmented SBERT, 2021.
"""

from __future__ import annotations

import polars as pl

from negforge.contract import Declares
from negforge.paired import compared, prepare  # noqa: F401 - of this operator, too
from negforge.records import Negatives
from negforge.vectors import Space

DECLARES = Declares(
    version=1, scope="anchor", reads=Negatives, cost="model", any_of=("model", "corpus_vectors", "anchor_vectors"), least_rows=1024
)


def score(batch: Negatives, state: Space) -> pl.DataFrame:
    """Four columns of scores.

    batch: whole anchors, with `anchor`, `positive`, `negative`.
    """
    return compared(batch.frame, state, "dense", between=True)
