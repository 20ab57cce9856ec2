"""Score the negative and the positive by a guide, a second model whose word on which is nearer `filter guide` takes.

- `score_guide`: the negative and the anchor; `score_guide_positive`: this row's positive and the anchor; `score_guide_weakest`:
  the least of the anchor's positives.

As `score dense`, under names of their own, so that the miner's scores stand beside the guide's. Cosines from -1 to 1, or inner
products; null where a text has no vector.
Paper: Solatorio, GISTEmbed, arXiv:2402.16829.
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
    """Three columns of scores.

    batch: whole anchors, with `anchor`, `positive`, `negative`.
    """
    return compared(batch.frame, state, "guide")
