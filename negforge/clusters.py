"""Near pairs and their clusters, out of core: candidates from sorted keys, compared by sketches on disk, joined by union-find.

Items are numbered from 0 as they come. What is held in memory is bounded; a byte a slot of each item's sketch, its parent and a
flag lie in files that are mapped. Which items are joined depends on no order and no batching.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negforge import minhash
from negforge.engine import Partitioner, storage
from negforge.minhash import Sketches
from negforge.rng import U64

Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]
# All pairs of a group of keys up to this size are compared; of a larger one each item with so many that come next to it.
NEIGHBOURS = 64
_PAIRS_AT_ONCE = 1 << 14  # their sketches take 4 MiB
_ITEMS_AT_ONCE = 1 << 16


class Column:
    """Fixed-width cells on disk, appended to and then read by number."""

    def __init__(self, path: Path, dtype: type[np.generic], width: int = 1) -> None:
        self._path, self._dtype, self._width, self.items = path, np.dtype(dtype), width, 0
        with storage(path):
            self._file = path.open("wb")

    def add(self, cells: NDArray[np.generic]) -> None:
        """Append cells."""
        with storage(self._path):
            np.ascontiguousarray(cells, dtype=self._dtype).tofile(self._file)
        self.items += len(cells)

    def close(self) -> NDArray[np.generic]:
        """All cells, mapped: those wider than one as rows of an array."""
        with storage(self._path):
            self._file.close()
        shape = (self.items,) if self._width == 1 else (self.items, self._width)
        return np.memmap(self._path, dtype=self._dtype, mode="r", shape=shape) if self.items else np.zeros(shape, self._dtype)


def zeros(path: Path, items: int, dtype: type[np.generic]) -> NDArray[np.generic]:
    """So many zeros on disk, mapped, that may be written to."""
    if not items:
        return np.zeros(0, dtype)
    with storage(path):
        return np.memmap(path, dtype=dtype, mode="w+", shape=(items,))


class Clusters:
    """Items joined in pairs: a union-find whose parents lie on disk. A cluster is named by its lowest item."""

    def __init__(self, path: Path, items: int) -> None:
        self.items = items
        # The distance up to the parent, so that a file of zeros is one of items alone.
        self._up = zeros(path, items, np.int64)

    def find(self, items: Numbers) -> Numbers:
        """The lowest item of the cluster of each item."""
        found = items - self._up[items]
        while len(rising := np.flatnonzero(self._up[found])):
            found[rising] -= self._up[found[rising]]
        self._up[items] = items - found
        return found

    def join(self, left: Numbers, right: Numbers) -> None:
        """Put both items of each pair in one cluster."""
        while len(left):
            left, right = self.find(left), self.find(right)
            apart = left != right
            left, right = np.minimum(left, right)[apart], np.maximum(left, right)[apart]
            # Of several lower ones a root takes the lowest; the others are found to be apart in the next round.
            np.maximum.at(self._up, right, right - left)

    def crowded(self, path: Path) -> NDArray[np.uint8]:
        """For each item whether another is in its cluster, as a file that is mapped."""
        found = zeros(path, self.items, np.uint8)
        for items in blocks(self.items):
            roots = self.find(items)
            moved = roots != items
            found[items[moved]] = found[roots[moved]] = 1
        return found


def blocks(items: int) -> Iterator[Numbers]:
    """The numbers of so many items, in pieces."""
    for first in range(0, items, _ITEMS_AT_ONCE):
        yield np.arange(first, min(first + _ITEMS_AT_ONCE, items))


def grouped(entries: Iterator[tuple[Numbers, U64]], folder: Path, limit_bytes: int) -> Iterator[tuple[Numbers, U64]]:
    """The items whose key another item has, with their keys, sorted by it in parts that hold every key whole.

    entries: items with their keys, as many an item as it has.
    """
    gathered = Partitioner(folder, limit_bytes)
    for items, keys in entries:
        if len(items):
            gathered.add(pl.DataFrame({"item": items}), keys)
    for part, keys in gathered.parts():
        order = np.argsort(keys)
        ordered = keys[order]
        again = ordered[1:] == ordered[:-1]
        shared = np.zeros(len(ordered), dtype=bool)
        shared[1:] = again
        shared[:-1] |= again
        yield part["item"].to_numpy()[order[shared]], ordered[shared]


def candidates(items: Numbers, keys: U64, digests: U64) -> Iterator[tuple[Numbers, Numbers]]:
    """Pairs of items that share a key, nearest in order first. digests: of every item, by which large groups are put in order.

    items, keys: sorted by key.
    """
    if len(keys) > NEIGHBOURS and (keys[NEIGHBOURS:] == keys[:-NEIGHBOURS]).any():
        order = np.lexsort((digests[items], keys))
        items, keys = items[order], keys[order]
    for apart in range(1, NEIGHBOURS + 1):
        same = keys[apart:] == keys[:-apart]
        if not same.any():
            return
        yield items[:-apart][same], items[apart:][same]


def agreeing(sketches: Sketches, left: Numbers, right: Numbers) -> Numbers:
    """Of how many slots the sketches of both items of each pair agree."""
    found = np.empty(len(left), dtype=np.int64)
    for first in range(0, len(left), _PAIRS_AT_ONCE):
        some = slice(first, first + _PAIRS_AT_ONCE)
        found[some] = minhash.agreeing(sketches[left[some]], sketches[right[some]])
    return found
