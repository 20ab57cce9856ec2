"""Draws texts of a corpus for anchors: each at most once for an anchor, whatever other anchors there are."""

from __future__ import annotations

import numpy as np
import polars as pl

from negforge.rng import Rng

_WHOLE = 1024  # a corpus up to this size is shuffled whole; from a larger one rows are drawn first


def drawn(anchors: pl.Series, size: int, rng: Rng, wanted: int) -> pl.DataFrame:
    """About `wanted` rows of a corpus of `size` texts for each anchor id: `owner`, the anchor's place, and `corpus_row`, in order.

    A corpus not much larger than what is wanted is given whole. More that are wanted begin with what fewer give.
    """
    found = [np.zeros((len(anchors), 0), np.int64)]
    # Whether rows are drawn may not hang on the slots, or the order would; what follows the draws may.
    if size > _WHOLE:
        found.append(rng.integers(anchors, min(wanted, size), size))
    if 0 < size <= max(_WHOLE, 16 * wanted):
        found.append(np.argsort(rng.integers(anchors, size, 1 << 62), axis=1, kind="stable"))
    rows = np.concatenate(found, axis=1)
    owner = np.repeat(np.arange(len(anchors)), rows.shape[1])
    frame = pl.DataFrame({"owner": owner, "corpus_row": rows.reshape(-1).astype(np.int64)})
    return frame.unique(["owner", "corpus_row"], keep="first", maintain_order=True)
