"""MinHash: how near two texts are, from 128 numbers a text, and which texts are worth comparing.

Two texts are as near as the Jaccard similarity of their sets of three words in a row. The share of 128 slots in which the minima
of two sets agree estimates it, with a standard error of at most 0.044. Slots are cut in bands: texts that agree in all rows of a
band are compared. Every hash is our own and fixed, so that no library's upgrade changes what is found.
Paper: Broder, On the resemblance and containment of documents, 1997; Leskovec, Rajaraman and Ullman, Mining of Massive Datasets,
chapter 3 (bands).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negforge import rng
from negforge.rng import U64, mix
from negforge.text import CJK

SLOTS = 128
BYTES_A_SKETCH = SLOTS
WORDS_A_SHINGLE = 3
RECALL = 0.95  # of the pairs at the threshold, the share that bands must bring together
VERSION = 1  # of the hash: raised when the same text gives another signature
U32 = NDArray[np.uint32]
Sketches = NDArray[np.uint8]

_SEED = 0x6D69_6E68_6173_6831
_ORDER = tuple(np.uint64(odd) for odd in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9))  # of the words in a shingle
_HALF = np.uint64(32)
_SCATTER = np.uint32(0x9E3779B1)
_CELLS_AT_ONCE = 1 << 15  # shingles: they and their products stay in the processor's cache
_BYTES_AT_ONCE = 1 << 22
_CHANCE = 1 / 256  # that a byte of two different minima is the same
# Scripts without blanks between words: each character, with the marks it carries, stands for a word.
_UNSPACED = rf"[{CJK}\p{{Thai}}\p{{Lao}}\p{{Khmer}}\p{{Myanmar}}]\p{{M}}*"
CURVE = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def _multipliers() -> U32:
    """An odd number a slot: by it a hash is multiplied, a bijection that orders shingles anew in each slot."""
    return (mix(np.arange(1, SLOTS + 1, dtype=np.uint64) * _ORDER[0] + np.uint64(_SEED)) >> _HALF).astype(np.uint32) | np.uint32(1)


_MULTIPLIERS = _multipliers()


class Bands(NamedTuple):
    """How the slots are cut: `count` bands of `rows` slots each."""

    count: int
    rows: int

    def met(self, similarity: float) -> float:
        """The chance that two texts of that similarity agree in a whole band, and are compared."""
        return 1 - (1 - similarity**self.rows) ** self.count


def bands_for(threshold: float) -> Bands:
    """As many rows a band as let the slots bring 95 % of pairs at the threshold together, then as few bands as do.

    Rows part what is not near, and bands cost time and disk.
    """
    rows = next(rows for rows in range(SLOTS, 0, -1) if Bands(SLOTS // rows, rows).met(threshold) >= RECALL or rows == 1)
    most = SLOTS // rows
    return Bands(next((count for count in range(1, most) if Bands(count, rows).met(threshold) >= RECALL), most), rows)


def least(threshold: float) -> int:
    """Of how many slots the bytes must agree for the estimate to reach the threshold."""
    return math.ceil(SLOTS * (threshold + (1 - threshold) * _CHANCE) - 1e-9)


def estimates(agreeing: NDArray[np.integer]) -> NDArray[np.float64]:
    """The similarity estimated from how many slots' bytes agree, 0 to 1."""
    return np.maximum(0, (agreeing / SLOTS - _CHANCE) / (1 - _CHANCE))


def found(similarity: float, threshold: float) -> float:
    """The chance that a pair of that similarity is found: brought together by a band, and estimated at the threshold or above."""
    share = similarity + (1 - similarity) * _CHANCE
    need = least(threshold)
    tail = sum(math.comb(SLOTS, agreeing) * share**agreeing * (1 - share) ** (SLOTS - agreeing) for agreeing in range(need, SLOTS + 1))
    return bands_for(threshold).met(similarity) * min(1.0, tail)


def explained(threshold: float) -> dict[str, str]:
    """What follows from a threshold, for the report: bands, and the S-curve."""
    bands = bands_for(threshold)
    curve = ", ".join(f"{one:g} {found(one, threshold):.0%}" for one in sorted({*CURVE, threshold}))
    return {
        "compared": f"texts that agree in one of {bands.count} bands of {bands.rows} of {SLOTS} slots: "
        f"{bands.met(threshold):.1%} of the pairs at the threshold (MinHash {VERSION})",
        "estimated recall by similarity": f"{curve}; at {threshold:g} itself, half the estimates fall below it",
    }


def tokens(texts: pl.Series) -> pl.Series:
    """Normalised texts with a blank between words, also in scripts that have none."""
    odd = texts.str.contains(_UNSPACED).fill_null(value=False)
    if not odd.any():
        return texts
    apart = texts.str.replace_all(_UNSPACED, " $0 ").str.replace_all(" +", " ").str.strip_chars(" ")
    return pl.select(pl.when(odd).then(apart).otherwise(texts)).to_series().alias(texts.name)


def shingles(texts: pl.Series) -> tuple[U32, NDArray[np.int64]]:
    """A 32-bit hash of each three words in a row, one after another, and how many each text has: one if it is shorter, or empty."""
    words, counts = rng.words64(tokens(texts))
    last = np.cumsum(counts) - 1
    many = counts > 1
    following = np.concatenate([words[1:], words[:1]])
    third = np.concatenate([following[1:], following[:1]])
    following[last] = third[last] = third[last[many] - 1] = 0
    mixed = mix(words * _ORDER[0] + following * _ORDER[1] + third * _ORDER[2])
    keep = np.ones(len(words), dtype=bool)
    keep[last[many]] = keep[last[counts > 2] - 1] = False
    return (mixed[keep] >> _HALF).astype(np.uint32), np.maximum(counts - WORDS_A_SHINGLE + 1, 1)


def signatures(texts: pl.Series) -> U32:
    """The minima of normalised texts: an array of slots x texts. A text's depend on nothing else."""
    made = np.empty((SLOTS, len(texts)), dtype=np.uint32)
    done = 0
    for piece in _pieces(texts):
        _minima(*shingles(piece), made[:, done : done + len(piece)])
        done += len(piece)
    return made


def _pieces(texts: pl.Series) -> Iterator[pl.Series]:
    """The texts in pieces of bounded size, of one text at least."""
    ends = np.cumsum(texts.str.len_bytes().fill_null(0).to_numpy().astype(np.int64) + 1)
    first = 0
    while first < len(texts):
        before = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(ends, before + _BYTES_AT_ONCE, side="right")))
        yield texts[first:last]
        first = last


def _minima(cells: U32, counts: NDArray[np.int64], out: U32) -> None:
    """The least product of each text's shingles in each slot."""
    ends = np.cumsum(counts)
    first = 0
    while first < len(counts):
        begin = int(ends[first] - counts[first])
        last = max(first + 1, int(np.searchsorted(ends, begin + _CELLS_AT_ONCE, side="right")))
        some = cells[begin : int(ends[last - 1])]
        starts = ends[first:last] - counts[first:last] - begin
        products = np.empty_like(some)
        for slot, odd in enumerate(_MULTIPLIERS):
            np.multiply(some, odd, out=products)
            np.minimum.reduceat(products, starts, out=out[slot, first:last])
        first = last


def band_keys(minima: U32, bands: Bands, scope: U64 | None = None) -> U64:
    """A 64-bit key of each band of each text, as texts x bands: equal where the band's minima, its number and the scope are."""
    texts = minima.shape[1]
    keys = np.empty((texts, bands.count), dtype=np.uint64)
    for band in range(bands.count):
        slots = minima[band * bands.rows : (band + 1) * bands.rows]
        keys[:, band] = _folded(slots, np.uint64(band + 1), scope)
    return keys


def whole_keys(minima: U32, scope: U64 | None = None) -> U64:
    """A 64-bit key of each text's whole signature and of its scope."""
    return _folded(minima, np.uint64(0), scope)


def _folded(slots: U32, salt: np.uint64, scope: U64 | None) -> U64:
    key = mix(np.full(slots.shape[1], salt, dtype=np.uint64))
    for one in slots:
        key *= _ORDER[0]
        key += one
    key = mix(key)
    return key if scope is None else mix(key ^ scope)


def sketches(minima: U32) -> Sketches:
    """A byte of each minimum, as texts x slots: what two texts are compared by, at a quarter of a signature's size."""
    return np.ascontiguousarray(((minima * _SCATTER) >> np.uint32(24)).astype(np.uint8).T)


def agreeing(left: Sketches, right: Sketches) -> NDArray[np.int64]:
    """Of how many slots the bytes agree, pair by pair."""
    bits = np.packbits(left == right, axis=1).view(np.uint64)
    return np.bitwise_count(bits).sum(axis=1, dtype=np.int64)


