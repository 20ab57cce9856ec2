"""Work once on cells that repeat: a table of mined rows names an anchor as often as it has candidates."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

FEW = 4  # what is worth the detour: one cell for at least so many rows
_LOOK = 1024


class Runs(NamedTuple):
    """The first cell of each run of equal cells, m of them, and of which run each of the n rows is."""

    cells: pl.Series
    of_row: NDArray[np.uint32]


def in_runs(texts: pl.Series) -> Runs | None:
    """The runs of a column of texts or bytes; None where they are short, or of null cells. Null is equal to null alone."""
    if len(texts) < FEW or _runs(texts[:_LOOK]) * FEW > min(len(texts), _LOOK):
        return None
    numbers = texts.rle_id()
    if (int(numbers[-1]) + 1) * FEW > len(texts):
        return None
    of_row = numbers.to_numpy()
    if not numbers[-1]:
        return Runs(texts[:1], of_row)
    first = np.flatnonzero(np.diff(of_row, prepend=np.uint32(1)))
    return Runs(texts.gather(first), of_row)


def _runs(texts: pl.Series) -> int:
    return int(texts.rle_id()[-1]) + 1
