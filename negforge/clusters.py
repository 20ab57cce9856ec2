"""Near pairs and their clusters, out of core: candidates from sorted keys, compared by sketches on disk, joined by union-find.

Items are numbered from 0 as they come. What is held in memory is bounded; a byte a slot of each item's sketch, its parent and a
flag lie in files that are mapped. Which items are joined depends on no order and no batching.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negforge import minhash
from negforge.engine import Partitioner, storage
from negforge.minhash import Numbers, Sketches
from negforge.rng import U64

Flags = NDArray[np.bool_]
# All pairs of a group of keys up to this size are compared; of a larger one each item with so many that come next to it.
NEIGHBOURS = 64
_ITEMS_AT_ONCE = 1 << 14
_KEYS_AT_ONCE = 1 << 16
_TABLE_BITS = 26


class Column:
    """Fixed-width cells on disk, appended to and then read by number."""

    def __init__(self, path: Path, dtype: type[np.generic], width: int = 1) -> None:
        self._path, self._dtype, self._width, self.items = path, np.dtype(dtype), width, 0
        with storage(path):
            self._file = path.open("wb")

    def add(self, cells: NDArray[Any]) -> None:
        """Append cells."""
        with storage(self._path):
            np.ascontiguousarray(cells, dtype=self._dtype).tofile(self._file)
        self.items += len(cells)

    def close(self) -> NDArray[Any]:
        """All cells, mapped: those wider than one as rows of an array."""
        with storage(self._path):
            self._file.close()
        shape = (self.items,) if self._width == 1 else (self.items, self._width)
        return mapped(self._path, self._dtype, shape, "r")


def zeros(path: Path, items: int, dtype: type[np.generic]) -> NDArray[Any]:
    """So many zeros on disk, mapped, that may be written to."""
    return mapped(path, np.dtype(dtype), (items,), "w+")


def mapped(path: Path, dtype: np.dtype[Any], shape: tuple[int, ...], mode: Literal["r", "w+"]) -> NDArray[Any]:
    """A file as an array. A plain one: each slice of numpy's own kind would cost more than what is done with it."""
    if not shape[0]:
        return np.zeros(shape, dtype)
    with storage(path):
        return np.asarray(np.memmap(path, dtype=dtype, mode=mode, shape=shape))


class Clusters:
    """Items joined in pairs: a union-find whose parents lie on disk. A cluster is named by its lowest item."""

    def __init__(self, path: Path, items: int) -> None:
        self.items = items
        # The distance up to the parent, so that a file of zeros is one of items alone.
        self._up = zeros(path, items, np.int64)

    def find(self, items: Numbers) -> Numbers:
        """The lowest item of the cluster of each item."""
        found: Numbers = items - self._up[items]
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


class Seen:
    """Tells keys that came once from most that came again, in a table of at most 64 MiB: most keys come once and need no sorting."""

    def __init__(self, keys: int) -> None:
        bits = min(max((8 * keys).bit_length(), 8), _TABLE_BITS)
        self._shift, self._counts = np.uint64(64 - bits), np.zeros(1 << bits, dtype=np.uint8)

    def add(self, keys: U64) -> None:
        """Take keys."""
        for first in range(0, len(keys), _KEYS_AT_ONCE):
            cells = np.sort((keys[first : first + _KEYS_AT_ONCE] >> self._shift).astype(np.uint32))
            self._counts[cells] = (self._counts[cells] > 0) + np.uint8(1)
            self._counts[cells[1:][cells[1:] == cells[:-1]]] = 2

    def again(self, keys: U64) -> Flags:
        """For each key whether it may have come more than once; true wherever it has."""
        found: Flags = self._counts[keys >> self._shift] > 1
        return found


def grouped(
    entries: Callable[[], Iterator[tuple[Numbers, U64]]], count: int, folder: Path, limit_bytes: int
) -> Iterator[tuple[Numbers, U64]]:
    """The items whose key another item has, with their keys, sorted by it in parts that hold every key whole.

    entries: items with their keys, as many an item as it has; it is read twice. count: about how many keys there are.
    """
    seen = Seen(count)
    for _, some in entries():
        seen.add(some)
    gathered = Partitioner(folder, limit_bytes)
    for items, some in entries():
        again = seen.again(some)
        if again.any():
            gathered.add(pl.DataFrame({"item": items[again]}), some[again])
    del seen
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


class Texts(NamedTuple):
    """What texts are compared by, each read by its number. ends: where the cells of each end."""

    sketches: Sketches
    cells: U64
    ends: Numbers

    def some(self, texts: Numbers) -> tuple[U64, Numbers]:
        """Cells and counts of some texts."""
        ends = self.ends[texts]
        counts = ends - np.where(texts > 0, self.ends[texts - 1], 0)
        places = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts - (ends - counts), counts)
        return self.cells[places], counts

    @classmethod
    def of(cls, hashed: minhash.Hashed) -> Texts:
        """Those of a batch."""
        return cls(minhash.sketches(hashed.minima), hashed.cells, np.cumsum(hashed.counts))

    @classmethod
    def stored(cls, folder: Path) -> Texts:
        """Those that a `TextsFile` wrote."""
        count, cells = ((folder / name).stat().st_size // 8 for name in ("ends", "cells"))
        return cls(
            mapped(folder / "sketches", np.dtype(np.uint8), (count, minhash.SKETCH), "r"),
            mapped(folder / "cells", np.dtype(np.uint64), (cells,), "r"),
            mapped(folder / "ends", np.dtype(np.int64), (count,), "r"),
        )


class TextsFile:
    """Texts on disk, appended to, and then read."""

    def __init__(self, folder: Path) -> None:
        self._sketches, self._cells = Column(folder / "sketches", np.uint8, minhash.SKETCH), Column(folder / "cells", np.uint64)
        self._ends = Column(folder / "ends", np.int64)

    def add(self, sketches: Sketches, cells: U64, counts: Numbers) -> None:
        """Append texts."""
        self._ends.add(np.cumsum(counts) + self._cells.items)
        self._sketches.add(sketches)
        self._cells.add(cells)

    def close(self) -> Texts:
        """What was appended."""
        return Texts(self._sketches.close(), self._cells.close(), self._ends.close())


def near(one: Texts, other: Texts, left: Numbers, right: Numbers, threshold: float) -> Flags:
    """Which pairs, of a text of one table and a text of another, are at the threshold or above."""
    found = np.zeros(len(left), dtype=bool)
    low, high = minhash.doubtful(threshold)
    for first in range(0, len(left), minhash.PAIRS_AT_ONCE):
        pairs = slice(first, first + minhash.PAIRS_AT_ONCE)
        alike = minhash.agreeing(one.sketches[left[pairs]], other.sketches[right[pairs]])
        found[pairs] = alike > high
        doubt = np.flatnonzero((alike >= low) & (alike <= high)) + first
        if len(doubt):
            found[doubt] = similarities(one, other, left[doubt], right[doubt]) >= threshold - 1e-9
    return found


def similarities(one: Texts, other: Texts, left: Numbers, right: Numbers) -> NDArray[np.float64]:
    """The similarity of each pair, of a text of one table and a text of another."""
    pieces = [slice(first, first + minhash.PAIRS_AT_ONCE) for first in range(0, len(left), minhash.PAIRS_AT_ONCE)]
    found = [minhash.similarities(one.some(left[pairs]), other.some(right[pairs])) for pairs in pieces]
    return np.concatenate([np.zeros(0), *found])
