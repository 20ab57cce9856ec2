"""Numbers by 128-bit key on disk, sorted, so that many keys are looked up at once and only what is asked for is in memory."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from negforge.clusters import Column, mapped
from negforge.rng import U64, Lanes

Places = NDArray[np.int64]
_HIGH, _LOW = "high", "low"


def places(high: U64, low: U64, lanes: Lanes) -> Places:
    """The place of each key among sorted ones, -1 for one that is not there."""
    asked_high, asked_low = lanes
    found = np.full(len(asked_high), -1, dtype=np.int64)
    place = np.searchsorted(high, asked_high)
    open_ = np.arange(len(asked_high))
    while len(open_):
        inside = place < len(high)
        open_, place = open_[inside], place[inside]
        same = high[place] == asked_high[open_]
        open_, place = open_[same], place[same]
        hit = low[place] == asked_low[open_]
        found[open_[hit]] = place[hit]
        open_, place = open_[~hit], place[~hit] + 1
    return found


@dataclass(frozen=True)
class Keyed:
    """What a `Writer` left in a folder. Picklable: only the path travels."""

    folder: Path

    def find(self, lanes: Lanes) -> Places:
        """The place of each key, -1 for one that is not there."""
        columns = _open(str(self.folder))
        return places(columns[_HIGH], columns[_LOW], lanes)

    def column(self, name: str) -> NDArray[Any]:
        """A column by place, memory-mapped."""
        return _open(str(self.folder))[name]


@functools.lru_cache(maxsize=8)
def _open(folder: str) -> dict[str, NDArray[Any]]:
    found = {}
    for path in Path(folder).glob("*.*"):
        dtype = np.dtype(path.suffix[1:])
        found[path.stem] = mapped(path, dtype, (path.stat().st_size // dtype.itemsize,), "r")
    return found


class Writer:
    """Keys in ascending order, each once, with a number of each column."""

    def __init__(self, folder: Path, **columns: type[np.generic]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        every: dict[str, type[np.generic]] = {_HIGH: np.uint64, _LOW: np.uint64, **columns}
        self._columns = {name: Column(folder / f"{name}.{np.dtype(dtype).str[1:]}", dtype) for name, dtype in every.items()}

    def add(self, lanes: Lanes, **numbers: NDArray[Any]) -> None:
        """Append keys, all above those before."""
        for name, cells in {_HIGH: lanes[0], _LOW: lanes[1], **numbers}.items():
            self._columns[name].add(cells)

    def close(self) -> Keyed:
        """What was written."""
        for column in self._columns.values():
            column.close()
        _open.cache_clear()
        return Keyed(self._folder)


class Sorted(NamedTuple):
    """Rows by key, in ascending order. first: whether a row is the first of its key."""

    lanes: Lanes
    first: NDArray[np.bool_]


def ordered(high: U64, low: U64, *more: NDArray[Any]) -> tuple[Places, Sorted]:
    """The order of rows by key and then by more, and what they are in it."""
    order = np.lexsort((*reversed(more), low, high))
    high, low = high[order], low[order]
    first = np.ones(len(high), dtype=bool)
    first[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
    return order, Sorted((high, low), first)
