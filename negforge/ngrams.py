"""N-grams of texts as 64-bit keys, and tables of how often a data set has each, out of core.

A token is a word, case aside, or any other sign that is no white space. A text has each n-gram once.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from negforge import rng
from negforge.engine import Partitioner
from negforge.keyed import Keyed, Writer

Unit = Annotated[Literal["word", "character"], Field(description="What an n-gram is made of; languages without spaces need `character`.")]
DECIMALS = 9
_TOKEN = {"word": r"\w+(?:['\u2019]\w+)*|[^\w\s]", "character": r"\S"}
_PIECE_BYTES = 2 << 20  # tokens take some hundred times the memory of their text
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
I64 = NDArray[np.int64]


def pieces(texts: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Rows of texts in slices of bounded size, at least one slice."""
    sizes = texts.select(pl.sum_horizontal(pl.all().str.len_bytes().fill_null(0)).cum_sum()).to_series().to_numpy()
    cuts = np.flatnonzero(np.diff(sizes // _PIECE_BYTES)) + 1
    for start, end in itertools.pairwise([0, *cuts.tolist(), len(texts)]):
        yield texts[start:end]


@dataclass(frozen=True)
class Grams:
    """The n-grams of n texts, each once a text, by row and key: the row, the key, the first token's place, the number of tokens."""

    row: I64
    key: rng.U64
    at: I64
    size: I64
    tokens: pl.Series

    def text(self, places: I64) -> pl.Series:
        """The n-grams at these places, as text."""
        words = self.tokens
        found = [
            " ".join(words[at : at + size].to_list()) for at, size in zip(self.at[places].tolist(), self.size[places].tolist(), strict=True)
        ]
        return pl.Series(found, dtype=pl.String)

    def only(self, other: Grams) -> I64:
        """The places of those that the same row of another has not."""
        both = rng.mix(self.row.astype(np.uint64) * _GOLDEN) ^ self.key
        return np.flatnonzero(~np.isin(both, rng.mix(other.row.astype(np.uint64) * _GOLDEN) ^ other.key))


def grams(texts: pl.Series, sizes: Sequence[int], unit: str = "word") -> Grams:
    """The n-grams of each text, of each of the sizes."""
    listed = texts.fill_null("").str.to_lowercase().str.extract_all(_TOKEN[unit])
    counts = listed.list.len().to_numpy().astype(np.int64)
    tokens = listed.filter(counts > 0).explode()
    row = np.repeat(np.arange(len(texts), dtype=np.int64), counts)
    single = rng.hash64(tokens.cast(pl.String))
    rows, keys, places, lengths = [], [], [], []
    key = single
    for size in range(1, max(sizes) + 1):
        if size > 1:
            key = (
                rng.mix(key[: len(single) - size + 1] * _GOLDEN + single[size - 1 :] + np.uint64(size))
                if len(single) >= size
                else single[:0]
            )
        if size in sizes and len(key):
            at = np.flatnonzero(row[: len(key)] == row[size - 1 :])
            rows.append(row[at])
            keys.append(key[at])
            places.append(at)
            lengths.append(np.full(len(at), size, dtype=np.int64))
    if not rows:
        none = np.zeros(0, dtype=np.int64)
        return Grams(none, single[:0], none, none, tokens)
    every = np.concatenate(rows), np.concatenate(keys)
    order = np.lexsort((np.concatenate(places), every[1], every[0]))
    of_row, of_key = every[0][order], every[1][order]
    first = np.ones(len(order), dtype=bool)
    first[1:] = (of_row[1:] != of_row[:-1]) | (of_key[1:] != of_key[:-1])
    order = order[first]
    return Grams(of_row[first], of_key[first], np.concatenate(places)[order], np.concatenate(lengths)[order], tokens)


class Tally:
    """Counts by key, gathered in any order and laid out sorted, in memory that does not grow with the keys."""

    def __init__(self, folder: Path, limit_bytes: int, *columns: str) -> None:
        self._folder, self._columns = folder, columns
        self._parts = Partitioner(folder / "parts", limit_bytes)

    def add(self, key: rng.U64, **counts: NDArray[np.generic]) -> None:
        """Add to the counts of keys; a key may come several times."""
        frame = pl.DataFrame({"key": key, **{name: np.asarray(counts[name]).astype(np.int64) for name in self._columns}})
        summed = frame.group_by("key").sum()
        self._parts.add(summed.drop("key"), summed["key"].to_numpy())

    def close(self) -> Keyed:
        """All counts, sorted by key."""
        writer = Writer(self._folder / "counts", **dict.fromkeys(self._columns, np.int64))
        for part, key in self._parts.parts():
            order = np.argsort(key, kind="stable")
            ordered = key[order]
            starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])) if len(ordered) else np.zeros(0, np.int64)
            sums = {name: np.add.reduceat(part[name].to_numpy()[order], starts) for name in self._columns} if len(starts) else {}
            if sums:
                writer.add((ordered[starts], np.zeros(len(starts), np.uint64)), **sums)
        return writer.close()


def counts_of(counts: Keyed, key: rng.U64, name: str) -> I64:
    """A count of each key, 0 of one that is not there."""
    place = counts.find((key, np.zeros(len(key), np.uint64)))
    column = counts.column(name)
    found = np.zeros(len(key), dtype=np.int64)
    there = place >= 0
    found[there] = column[place[there]]
    return found
