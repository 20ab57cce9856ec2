"""Keyed randomness, ids and digests: 64- and 128-bit hashes over whole columns, the same on every machine and version.

The column hash is our own, so that no library's upgrade can change a published id. It is not cryptographic: ids that
guard the user's content (`record_id`, options and files) use blake2b.
Source: the finaliser of splitmix64, Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators, 2014.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from negforge.repeats import FEW, in_runs

T = TypeVar("T")
U64 = NDArray[np.uint64]
Lanes = tuple[U64, U64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_LANES = (
    (np.uint64(0xD1342543DE82EF95), np.uint64(0x2545F4914F6CDD1D)),
    (np.uint64(0xDABA0B6EB09322E3), np.uint64(0x8CB92BA72F3D8DD7)),
)
_NULL = (np.uint64(0x6E756C6C00000001), np.uint64(0x6E756C6C00000002))
_WORDS_AT_ONCE = 1 << 16  # keeps the temporaries in the processor's cache
_MASK = (1 << 64) - 1
_FIRST_BYTES = np.array([(1 << (8 * size)) - 1 for size in range(9)], dtype=np.uint64)
_LAST = (1 << 63) - 1
_HEX = np.frombuffer(b"".join(b"%02x" % byte for byte in range(256)), dtype=np.uint8).reshape(256, 2)


def mix(values: U64) -> U64:
    """Scatter 64-bit values: the finaliser of splitmix64, a bijection."""
    mixed = values ^ (values >> np.uint64(30))
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(27)
    mixed *= np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


def blake(*parts: str | bytes, size_bytes: int = 16) -> str:
    """The blake2b digest, in hex, of length-prefixed parts, so that ("ab", "c") and ("a", "bc") differ."""
    return hashlib.blake2b(b"".join(map(_prefixed, parts)), digest_size=size_bytes).hexdigest()


def _prefixed(part: str | bytes) -> bytes:
    data = part.encode() if isinstance(part, str) else part
    return len(data).to_bytes(8, "little") + data


def _blaked(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def json_digest(value: object) -> str:
    """The 128-bit digest of a JSON value, whatever the order of its keys."""
    return blake(json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")))


def record_ids(kind: str, columns: Sequence[pl.Series]) -> pl.Series:
    """The ids of source rows that bring none: blake2b-128 of the kind and the row's required columns."""
    head = _prefixed(kind)
    rows = zip(*map(_parts, columns), strict=True)
    return pl.Series("id", [_blaked(head + b"".join(row)) for row in rows], dtype=pl.String)


def _parts(column: pl.Series) -> list[bytes]:
    """The length-prefixed bytes of each cell; what is no text is its JSON."""
    cells = column.to_list()
    if column.dtype != pl.String or column.null_count():
        cells = [cell if isinstance(cell, str) else json.dumps(cell, sort_keys=True, ensure_ascii=False) for cell in cells]
    return [len(data).to_bytes(8, "little") + data for data in map(str.encode, cells)]


def text_ids(texts: pl.Series) -> pl.Series:
    """The id of an anchor that brings none: the blake2b-128 digest of its exact text; null of null."""
    ids = pl.Series("anchor_id", list(map(_blaked, _parts(texts))), dtype=pl.String)
    return ids if not texts.null_count() else pl.select(pl.when(texts.is_not_null()).then(ids)).to_series().alias("anchor_id")


def _string_lanes(data: NDArray[np.uint8], offsets: NDArray[np.int64], lanes: int) -> list[U64]:
    """One or two 64-bit hashes of each byte string data[offsets[i]:offsets[i + 1]], from its 8-byte words."""
    lengths = np.diff(offsets)
    start, stop = int(offsets[0]), int(offsets[-1])
    padded = np.zeros(stop - start + 8, dtype=np.uint8)
    padded[:-8] = data[start:stop]
    # Every 8-byte window of the bytes, unaligned: no copy.
    windows: U64 = np.ndarray((padded.size - 7,), dtype="<u8", buffer=padded.data, strides=(1,))
    words = (lengths + 7) // 8
    place = _places(words)
    values = windows[np.repeat(offsets[:-1] - start, words) + 8 * place].astype(np.uint64)
    spare = (lengths % 8).astype(np.uint64)
    cut = spare > 0
    values[np.cumsum(words)[cut] - 1] &= (np.uint64(1) << (spare[cut] * np.uint64(8))) - np.uint64(1)
    return _summed([values] * lanes, words, lengths, place)


def _places(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """0 to n - 1 for each count n, one after another."""
    ends = np.cumsum(counts)
    return np.arange(int(ends[-1]) if len(ends) else 0, dtype=np.int64) - np.repeat(ends - counts, counts)


def _summed(values: Sequence[U64], counts: NDArray[np.int64], sizes: NDArray[np.int64], place: NDArray[np.int64]) -> list[U64]:
    """One hash for each run of `counts` values: each is scattered with its place in the run and summed, the size closes the sum.

    values: of one lane or of both. Whole-column operations, none per row.
    """
    place_key = (place.astype(np.uint64) + np.uint64(1)) * _GOLDEN
    full = counts > 0
    starts = (np.cumsum(counts) - counts)[full]
    lanes = []
    for cells, (multiplier, size_key) in zip(values, _LANES, strict=False):
        sums = np.zeros(len(counts), dtype=np.uint64)
        if len(starts):
            sums[full] = np.add.reduceat(mix(cells * multiplier + place_key), starts)
        lanes.append(mix(sums ^ (sizes.astype(np.uint64) + np.uint64(1)) * size_key))
    return lanes


def strings128(texts: pl.Series) -> Lanes:
    """A 128-bit hash of each text, as two columns of 64 bits. Null hashes to a fixed value that no text is given."""
    return _bytes128(texts.cast(pl.String))


def _bytes128(cells: pl.Series) -> Lanes:
    """As `strings128`, of a column of texts or of bytes."""
    high, low = _byte_lanes(cells, 2)
    return high, low


def _byte_lanes(cells: pl.Series, lanes: int) -> list[U64]:
    """The first lane or both of a column of texts or of bytes."""
    if (runs := in_runs(cells)) is not None:
        return [lane[runs.of_row] for lane in _byte_lanes(runs.cells, lanes)]
    array = cells.to_arrow()
    chunks = array.chunks if isinstance(array, pa.ChunkedArray) else [array]
    pieces = [_string_lanes(data, part, lanes) for data, offsets in map(_buffers, chunks) for part in _pieces(offsets)]
    return _nulled(cells, [np.concatenate(one) for one in zip(*pieces, strict=True)] or [np.zeros(0, np.uint64)] * lanes)


def _nulled(cells: pl.Series, lanes: list[U64]) -> list[U64]:
    if cells.null_count():
        null = cells.is_null().to_numpy()
        for lane, value in zip(lanes, _NULL, strict=False):
            lane[null] = value
    return lanes


def _buffers(array: pa.Array) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    array = array.cast(pa.large_binary())
    _, offsets, data = array.buffers()
    cells = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1] if offsets else np.zeros(1, np.int64)
    return np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8), cells


def _pieces(offsets: NDArray[np.int64]) -> Iterable[NDArray[np.int64]]:
    """Cut a column into pieces of about `_WORDS_AT_ONCE` words; a piece holds at least one row."""
    first, rows = 0, len(offsets) - 1
    while first < rows:
        last = int(np.searchsorted(offsets, offsets[first] + 8 * _WORDS_AT_ONCE, side="right")) - 1
        last = min(max(last, first + 1), rows, first + _WORDS_AT_ONCE)
        yield offsets[first : last + 1]
        first = last


def combine(columns: Sequence[Lanes]) -> Lanes:
    """One 128-bit hash a row from the hashes of several columns, in their order."""
    high = np.zeros(len(columns[0][0]), dtype=np.uint64)
    low = high.copy()
    for number, (left, right) in enumerate(columns, start=1):
        salt = mix(np.array([number], dtype=np.uint64) * _GOLDEN)
        high, low = mix(high + salt ^ left) + low, mix(low ^ right + salt) ^ high
    return mix(high ^ low * _LANES[0][1]), mix(low + high * _LANES[1][1])


def hex128(lanes: Lanes) -> pl.Series:
    """128-bit values as text of 32 hex digits."""
    rows = np.stack(lanes, axis=1).astype(">u8").view(np.uint8)
    text = _HEX[rows].reshape(-1)
    offsets = np.arange(0, 32 * (len(rows) + 1), 32, dtype=np.int64)
    array = pa.LargeStringArray.from_buffers(len(rows), pa.py_buffer(offsets), pa.py_buffer(text))
    return pl.Series("id", array)


def negative_ids(source_ids: pl.Series, *, operator: str, options_digest: str, seed: int, draws: NDArray[np.int64]) -> pl.Series:
    """The ids of negatives: (source_id, operator, options_digest, seed, draw) mixed to 128 bits, 32 hex digits each."""
    base = bytes.fromhex(blake(operator, options_digest, str(seed)))
    constant = np.frombuffer(base, dtype="<u8").astype(np.uint64)
    rows = len(source_ids)
    run: Lanes = (np.full(rows, constant[0]), np.full(rows, constant[1]))
    step = mix(draws.astype(np.uint64) * _GOLDEN)
    return hex128(combine([strings128(source_ids), run, (step, mix(step + _GOLDEN))]))


def hash64(texts: pl.Series) -> U64:
    """A 64-bit hash of each text: what shards, partitions and keys are made of."""
    return _byte_lanes(texts.cast(pl.String), 1)[0]


def text_bytes(texts: pl.Series) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The bytes of all texts, and n + 1 offsets between which each text lies. Null is as the empty text."""
    data, offsets = _buffers(texts.cast(pl.String).fill_null("").rechunk().to_arrow())
    return data, offsets


def slices64(data: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]) -> U64:
    """A 64-bit hash of each slice of the bytes, wherever it lies: made for words, of which most have eight bytes or fewer."""
    padded = np.zeros(data.size + 8, dtype=np.uint8)
    padded[:-8] = data
    windows: U64 = np.ndarray((padded.size - 7,), dtype="<u8", buffer=padded.data, strides=(1,))
    left = ends - starts
    hashes = mix((windows[starts] & _FIRST_BYTES[np.minimum(left, 8)]) * _GOLDEN)
    some = np.flatnonzero(left > 8)
    begin, left = starts[some] + 8, left[some] - 8
    while len(some):  # the next eight bytes of those that have more
        hashes[some] = mix((windows[begin] & _FIRST_BYTES[np.minimum(left, 8)]) * _GOLDEN + hashes[some])
        more = np.flatnonzero(left > 8)
        some, begin, left = some[more], begin[more] + 8, left[more] - 8
    return hashes


def place_keys(positions: pl.Series) -> U64:
    """Keys in the order of whole numbers, which may be below zero; a row that has no place comes last."""
    return positions.cast(pl.Int64).fill_null(_LAST).to_numpy().view(np.uint64) ^ np.uint64(1 << 63)


def frame_lanes(frame: pl.DataFrame, columns: Iterable[str], known: dict[str, Lanes] | None = None) -> Lanes:
    """A 128-bit hash of each row over the named columns; a column the frame lacks counts as all null.

    known: the hashes of single columns, kept between calls with the same frame so that none is hashed twice.
    """
    return combine([_known_lanes(frame, name, known if known is not None else {}) for name in columns])


def row_hashes(frame: pl.DataFrame, known: dict[str, Lanes] | None = None) -> U64:
    """A 64-bit hash of each row over all its columns, whatever their order; a null cell counts as an absent one."""
    total = np.zeros(frame.height, dtype=np.uint64)
    names = frame.columns
    salts = strings128(pl.Series(names, dtype=pl.String))[0]
    for at, name in enumerate(names):
        high, low = _known_lanes(frame, name, known if known is not None else {})
        cell = mix(high ^ low * _LANES[0][1] ^ salts[at : at + 1])
        if frame[name].null_count():
            cell[frame[name].is_null().to_numpy()] = 0
        total += cell
    return total


def _known_lanes(frame: pl.DataFrame, name: str, known: dict[str, Lanes]) -> Lanes:
    if name not in known:
        column = frame.get_column(name, default=None)  # asking whether a wide frame has it is slow
        known[name] = _column_lanes(column if column is not None else pl.Series([None], dtype=pl.String).new_from_index(0, frame.height))
    return known[name]


def _column_lanes(column: pl.Series) -> Lanes:
    """A 128-bit hash of each cell. A number or a date is hashed as its text; lists and records are made of their parts' hashes."""
    dtype = column.dtype
    if dtype in (pl.String, pl.Binary):
        return _bytes128(column)
    if dtype.is_integer() and (span := _narrow(column)) is not None:
        high, low = strings128(pl.Series(np.arange(span[1] - span[0] + 1) + span[0]))
        place = (column.cast(pl.Int64) - span[0]).to_numpy()
        return high[place], low[place]
    if isinstance(dtype, pl.Struct):
        # The number of fields first: a record of none has a hash too.
        size = np.full(len(column), len(dtype.fields), dtype=np.uint64)
        high, low = combine([(size, size), *(_column_lanes(field) for field in column.struct.unnest().get_columns())])
        high, low = _nulled(column, [high, low])
        return high, low
    if isinstance(dtype, pl.Array):
        return _column_lanes(column.arr.to_list())
    if isinstance(dtype, pl.List):
        lengths = column.list.len().fill_null(0).to_numpy().astype(np.int64)
        items = _column_lanes(column.filter(lengths > 0).explode())
        high, low = _nulled(column, _summed(items, lengths, lengths, _places(lengths)))
        return high, low
    if isinstance(dtype, pl.Map):
        return _column_lanes(column.cast(pl.List(pl.Struct({"key": dtype.key, "value": dtype.value}))))
    return strings128(column.cast(pl.Int64) if dtype == pl.Duration else column)


def _narrow(column: pl.Series) -> tuple[int, int] | None:
    """The least and the largest of whole numbers that lie close together, as ranks, draws and versions do."""
    if not len(column) or column.null_count() or column.dtype in (pl.UInt64, pl.Int128, pl.UInt128):
        return None
    least, most = int(column.min()), int(column.max())  # type: ignore[arg-type]
    return (least, most) if (most - least) * FEW <= len(column) else None


def total128(lanes: Lanes) -> int:
    """The sum modulo 2^128 of 128-bit values: the same in any order and any split."""
    total = 0
    for lane, shift in ((lanes[0], 64), (lanes[1], 0)):
        total += (int((lane >> np.uint64(32)).sum()) << (32 + shift)) + (int((lane & np.uint64(0xFFFFFFFF)).sum()) << shift)
    return total % (1 << 128)


class Rng:
    """Randomness keyed by (run seed, operator, row id, draw): no global state, so any batching gives the same values."""

    def __init__(self, seed: int, operator: str) -> None:
        self.seed, self.operator = seed, operator
        digest = bytes.fromhex(blake("rng", operator, str(seed)))
        self._base, self._key = int.from_bytes(digest[:8], "little"), digest

    def bits(self, ids: pl.Series, draw: int = 0) -> U64:
        """64 random bits a row, for the given draw."""
        salt = np.uint64((self._base + draw * int(_GOLDEN)) & _MASK)
        return mix(strings128(ids)[1] ^ salt)

    def integers(self, ids: pl.Series, count: int, high: int | NDArray[np.int64]) -> NDArray[np.int64]:
        """`count` whole numbers a row, each from 0 to high - 1, as an array of rows x count; `high` may differ by row.

        Raises ValueError where `high` is below 1: there is nothing to draw.
        """
        if np.any(np.less(high, 1)):
            raise ValueError("integers are drawn below a `high` of at least 1")
        base = self.bits(ids)
        draws = np.arange(1, count + 1, dtype=np.uint64) * _GOLDEN
        ceiling = np.asarray(high, dtype=np.uint64).reshape(-1, 1)
        # The bias of a remainder is below high / 2^64.
        return (mix(base[:, None] + draws[None, :]) % ceiling).astype(np.int64)

    def _scalar(self, row_id: str) -> int:
        return int.from_bytes(hashlib.blake2b(row_id.encode(), digest_size=8, key=self._key).digest(), "little")

    def shuffled(self, row_id: str, items: Iterable[T]) -> list[T]:
        """The items in an order drawn for this row."""
        order = list(items)
        if len(order) < 2:  # the common case costs no hash
            return order
        state = self._scalar(row_id)
        for last in range(len(order) - 1, 0, -1):
            state = (state + int(_GOLDEN)) & _MASK
            other = _mix_int(state) % (last + 1)
            order[last], order[other] = order[other], order[last]
        return order

    def stream(self, row_id: str) -> Iterable[int]:
        """An endless stream of 64-bit values for this row, for operators that draw as they go."""
        state = self._scalar(row_id)
        while True:
            state = (state + int(_GOLDEN)) & _MASK
            yield _mix_int(state)


def _mix_int(value: int) -> int:
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)
