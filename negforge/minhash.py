"""How near two texts are, and which are worth comparing: MinHash over sets of three words in a row.

Two texts are as near as the Jaccard similarity of their sets of shingles, three words in a row each. A signature is the least hash
of a set in each of up to 128 orders; texts whose signatures agree in a whole band of slots are compared. They are compared by the
sets themselves, or of texts of more than 128 shingles by their 128 least hashes, which estimates the similarity with a standard error
of at most 0.044. Every hash is our own and fixed, so that no library's upgrade changes what is found.
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
from negforge.text import CJK, is_plain, normalised

SLOTS = 128
WORDS_A_SHINGLE = 3
LEAST = 128  # of the shingles of a longer text, those that it is compared by
RECALL = 0.95  # of the pairs at the threshold, the share that bands must bring together
VERSION = 1  # of the hash: raised when the same text gives another signature
SKETCH = 64  # slots of which a byte each is looked at before texts are compared
U32 = NDArray[np.uint32]
Numbers = NDArray[np.int64]
Sketches = NDArray[np.uint8]

_SEED = 0x6D69_6E68_6173_6831
_ORDER = tuple(np.uint64(odd) for odd in (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9))  # of the words in a shingle
_HALF = np.uint64(32)
_SCATTER = np.uint32(0x9E3779B1)
_CELLS_AT_ONCE = 1 << 15  # shingles: they and their products stay in the processor's cache
_BYTES_AT_ONCE = 1 << 19
_CHANCE = 1 / 256  # that a byte of two different minima is the same
PAIRS_AT_ONCE = 1 << 13  # as many as the bits of a key can tell apart
_PAIR_BITS = np.uint64(64 - 13)
# Scripts without blanks between words: each character, with the marks it carries, stands for a word.
_UNSPACED = rf"[{CJK}\p{{Thai}}\p{{Lao}}\p{{Khmer}}\p{{Myanmar}}]\p{{M}}*"
_IS_LETTER, _IS_DIGIT, _IS_BLANK, _IS_MARK, _IS_HYPHEN = range(1, 6)
_KINDS = np.zeros(256, dtype=np.uint8)
for _kind, _bytes in (
    (_IS_LETTER, b"abcdefghijklmnopqrstuvwxyz"),
    (_IS_DIGIT, b"0123456789"),
    (_IS_BLANK, b" \t\n\v\f\r"),
    (_IS_MARK, b".,;:!?\"'()[]"),
    (_IS_HYPHEN, b"-"),
):
    _KINDS[[*_bytes]] = _kind
CURVE = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


def _multipliers() -> U32:
    """An odd number a slot: by it a hash is multiplied, a bijection that orders shingles anew in each slot."""
    return (mix(np.arange(1, SLOTS + 1, dtype=np.uint64) * _ORDER[0] + np.uint64(_SEED)) >> _HALF).astype(np.uint32) | np.uint32(1)


_MULTIPLIERS = _multipliers()


class Bands(NamedTuple):
    """How the slots are cut: `bands` bands of `rows` slots each."""

    bands: int
    rows: int

    def met(self, similarity: float) -> float:
        """The chance that two texts of that similarity agree in a whole band, and are compared."""
        return 1 - (1 - similarity**self.rows) ** self.bands


def bands_for(threshold: float) -> Bands:
    """As many rows a band as let the slots bring 95 % of pairs at the threshold together, then as few bands as do.

    Rows part what is not near, and bands cost time and disk.
    """
    rows = next(rows for rows in range(SLOTS, 0, -1) if Bands(SLOTS // rows, rows).met(threshold) >= RECALL or rows == 1)
    most = SLOTS // rows
    return Bands(next((count for count in range(1, most) if Bands(count, rows).met(threshold) >= RECALL), most), rows)


def slots_for(bands: Bands) -> int:
    """How many slots a signature needs."""
    return max(SKETCH, bands.bands * bands.rows)


def doubtful(threshold: float) -> tuple[int, int]:
    """Of how many bytes two sketches agree, least and most, where they leave it open whether texts are at the threshold.

    Four standard errors below and above what the threshold makes likely: beyond, one pair of 30,000 at the threshold is on the other
    side, and fewer of any other similarity.
    """
    share = threshold + (1 - threshold) * _CHANCE
    error = 4 * math.sqrt(share * (1 - share) / SKETCH)
    return math.floor(SKETCH * (share - error) + 1e-9), math.ceil(SKETCH * (share + error) - 1e-9)


def explained(threshold: float) -> dict[str, str]:
    """What follows from a threshold, for the report: bands, and the S-curve."""
    bands = bands_for(threshold)
    curve = ", ".join(f"{one:g} {bands.met(one):.1%}" for one in CURVE)
    return {
        "estimated recall": f"{bands.met(threshold):.1%} of the pairs of similarity {threshold:g} "
        f"({bands.bands} bands of {bands.rows} slots, MinHash {VERSION})",
        "pairs compared, by similarity": curve,
    }


def folded(texts: pl.Series, language: str) -> pl.Series:
    """Texts as `words` takes them: those that normalise to the same give the same words. Most need only their case folded."""
    texts = texts.fill_null("")
    plain = is_plain(texts, language=language)
    other = (~plain).arg_true()
    lower = texts.str.to_lowercase() if len(other) < len(texts) else texts.clone()
    return lower.scatter(other, _apart(normalised(texts.gather(other), language=language))) if len(other) else lower


def _apart(texts: pl.Series) -> pl.Series:
    """Texts with a blank before and after each character of scripts that have none between words."""
    return texts.str.replace_all(_UNSPACED, " $0 ")


def words(texts: pl.Series, *, marks: bool) -> tuple[U64, Numbers]:
    """A hash of each word of folded texts, one after another, and how many each has: at least one, which may be all its marks.

    Words end at blanks and, unless marks have meaning, at what normalising drops: hyphens between letters, and sentence punctuation
    but for that before a digit.
    """
    data, offsets = rng.text_bytes(pl.select(pl.concat_str([texts, pl.lit(" ")])).to_series())
    data, offsets = data[offsets[0] : offsets[-1]], offsets - offsets[0]
    kinds = _KINDS[data]
    apart = kinds == _IS_BLANK
    if not marks:
        apart[:-1] |= (kinds[:-1] == _IS_MARK) & (kinds[1:] != _IS_DIGIT)
        apart[1:-1] |= (kinds[1:-1] == _IS_HYPHEN) & (kinds[:-2] == _IS_LETTER) & (kinds[2:] == _IS_LETTER)
    edges = np.flatnonzero(np.diff(apart, prepend=True))  # a word begins, it ends, the next begins ...
    starts, ends = edges[::2], edges[1::2]
    hashes = rng.slices64(data, starts, ends)
    counts = np.diff(np.searchsorted(starts, offsets))
    none = np.flatnonzero(counts == 0)
    if len(none):
        hashes = np.insert(hashes, (np.cumsum(counts) - counts)[none], rng.hash64(normalised(texts.gather(none))))
        counts[none] = 1
    return hashes, counts


def shingles(texts: pl.Series, *, marks: bool = False) -> tuple[U64, Numbers]:
    """A hash of each three words in a row of folded texts, one after another, and how many each text has: one if it is shorter."""
    first, counts = words(texts, marks=marks)
    last = np.cumsum(counts) - 1
    many = counts > 1
    second = np.concatenate([first[1:], first[:1]])
    third = np.concatenate([second[1:], second[:1]])
    second[last] = third[last] = third[last[many] - 1] = 0
    first *= _ORDER[0]
    second *= _ORDER[1]
    third *= _ORDER[2]
    first += second
    first += third
    keep = np.ones(len(first), dtype=bool)
    keep[last[many]] = keep[last[counts > 2] - 1] = False
    return mix(first[keep]), np.maximum(counts - WORDS_A_SHINGLE + 1, 1)


class Hashed(NamedTuple):
    """What is known of n texts. A text's part depends on nothing else.

    whole: a key of its shingles. minima: slots x n. cells: the shingles it is compared by, one text's after another's; counts: how
    many each has.
    """

    whole: U64
    minima: U32
    cells: U64
    counts: Numbers


def hashed(texts: pl.Series, slots: int, language: str) -> Hashed:
    """Texts, hashed in pieces of bounded size. slots: how many minima are wanted."""
    whole, minima = np.empty(len(texts), dtype=np.uint64), np.empty((slots, len(texts)), dtype=np.uint32)
    kept: list[tuple[U64, Numbers]] = [(np.zeros(0, np.uint64), np.zeros(0, np.int64))]
    done = 0
    for piece in _pieces(folded(texts, language)):
        cells, counts = shingles(piece, marks=language == "code")
        end = done + len(piece)
        whole[done:end] = mix(np.add.reduceat(cells, np.cumsum(counts) - counts))
        _minima((cells >> _HALF).astype(np.uint32), counts, minima[:, done:end])
        kept.append(_least(cells, counts))
        done = end
    cells, counts = (np.concatenate(one) for one in zip(*kept, strict=True))
    return Hashed(whole, minima, cells, counts)


def _pieces(texts: pl.Series) -> Iterator[pl.Series]:
    """The texts in pieces of bounded size, of one text at least."""
    ends = np.cumsum(texts.str.len_bytes().fill_null(0).to_numpy().astype(np.int64) + 1)
    first = 0
    while first < len(texts):
        before = int(ends[first - 1]) if first else 0
        last = max(first + 1, int(np.searchsorted(ends, before + _BYTES_AT_ONCE, side="right")))
        yield texts[first:last]
        first = last


def _minima(cells: U32, counts: Numbers, out: U32) -> None:
    """The least product of each text's shingles in each slot."""
    ends = np.cumsum(counts)
    first = 0
    while first < len(counts):
        begin = int(ends[first] - counts[first])
        last = max(first + 1, int(np.searchsorted(ends, begin + _CELLS_AT_ONCE, side="right")))
        some = cells[begin : int(ends[last - 1])]
        starts = ends[first:last] - counts[first:last] - begin
        products = np.empty_like(some)
        for slot, odd in enumerate(_MULTIPLIERS[: len(out)]):
            np.multiply(some, odd, out=products)
            np.minimum.reduceat(products, starts, out=out[slot, first:last])
        first = last


def _least(cells: U64, counts: Numbers) -> tuple[U64, Numbers]:
    """The shingles that each text is compared by."""
    long = np.flatnonzero(counts > LEAST)
    if not len(long):
        return cells, counts
    ends = np.cumsum(counts)
    keep = np.repeat(counts <= LEAST, counts)
    kept = counts.copy()
    for text in long:
        first = ends[text] - counts[text]
        some = np.unique(cells[first : ends[text]])[:LEAST]
        cells[first : first + len(some)] = some
        keep[first : first + len(some)] = True
        kept[text] = len(some)
    return cells[keep], kept


def band_keys(minima: U32, bands: Bands, scope: U64 | None = None) -> U64:
    """A 64-bit key of each band of each text, as texts x bands: equal where the band's minima, its number and the scope are."""
    texts = minima.shape[1]
    keys = np.empty((texts, bands.bands), dtype=np.uint64)
    for band in range(bands.bands):
        slots = minima[band * bands.rows : (band + 1) * bands.rows]
        keys[:, band] = _folded(slots, np.uint64(band + 1), scope)
    return keys


def _folded(slots: U32, salt: np.uint64, scope: U64 | None) -> U64:
    key = mix(np.full(slots.shape[1], salt, dtype=np.uint64))
    for one in slots:
        key *= _ORDER[0]
        key += one
    key = mix(key)
    return key if scope is None else mix(key ^ scope)


def sketches(minima: U32) -> Sketches:
    """A byte of each of the first minima, as texts x 64: they tell at a glance what is far from near."""
    return np.ascontiguousarray(((minima[:SKETCH] * _SCATTER) >> np.uint32(24)).astype(np.uint8).T)


def agreeing(left: Sketches, right: Sketches) -> Numbers:
    """Of how many bytes two sketches agree, pair by pair."""
    bits = np.packbits(left == right, axis=1).view(np.uint64)
    return np.bitwise_count(bits)[:, 0].astype(np.int64)


def similarities(left: tuple[U64, Numbers], right: tuple[U64, Numbers]) -> NDArray[np.float64]:
    """The Jaccard similarity of up to `PAIRS_AT_ONCE` pairs of texts. left, right: cells and counts, as `Hashed` has them.

    Exact where no text has more shingles than it is compared by; else estimated from the least of both.
    """
    pairs = len(left[1])
    sides = []
    for side, (cells, counts) in enumerate((left, right)):
        pair = np.repeat(np.arange(pairs, dtype=np.uint64), counts)
        sides.append((pair << _PAIR_BITS) | (cells >> np.uint64(13)) & ~np.uint64(1) | np.uint64(side))
    keys = np.sort(np.concatenate(sides))
    both = np.zeros(len(keys), dtype=bool)  # the last of a shingle's first side, if the second has it too
    both[:-1] = (keys[1:] ^ keys[:-1]) == 1
    new = np.ones(len(keys), dtype=bool)
    new[1:] = (keys[1:] >> np.uint64(1)) != (keys[:-1] >> np.uint64(1))
    pair = (keys >> _PAIR_BITS).astype(np.int64)
    if max(int(left[1].max(initial=0)), int(right[1].max(initial=0))) >= LEAST:
        place = np.cumsum(new)  # of a shingle among the different ones
        first = np.searchsorted(keys, np.arange(pairs, dtype=np.uint64) << _PAIR_BITS)
        cut = (np.maximum(left[1], right[1]) >= LEAST)[pair]
        beyond = cut & (place - place[first][pair] >= LEAST)
        both &= ~beyond
        new &= ~beyond
    shared, union = np.bincount(pair[both], minlength=pairs), np.bincount(pair[new], minlength=pairs)
    return shared / np.maximum(union, 1)
