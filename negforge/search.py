"""The best of many vectors for each of some: exact, over a corpus larger than memory, the same on any batch, machine or library.

Blocks of the corpus are read once for a batch of queries and multiplied in single precision, which finds the candidates; these
are scored again one by one in double precision, rounded and ordered by (score, row). What a matrix product does to the last bits
depends on the shapes of its blocks and on the machine, so it decides nothing.
Source: texttron/tevatron#227 (a corpus searched shard by shard, with a running merge); huggingface/sentence-transformers#3164.
"""

from __future__ import annotations

import mmap
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

DECIMALS = 9  # of a score: double precision gives some 15, whatever the order of its sums
_QUERIES = 512
_FIRST_COLUMNS = 2048
_CORPUS_ROWS = 8192
_SPARE = 16  # candidates beyond those wanted, among which rounding of single precision may have changed the order
_SLACK = 1e-5  # what it may be off, relative to the lengths of both vectors
_HELD = 1 << 20  # candidates of a block of queries, at most
_RESCORED_BYTES = 1 << 19  # what stays in a processor's cache
_FORGOTTEN_STEPS = 4  # some 700 rows, each with what the system reads around it


class Found(NamedTuple):
    """Of n queries the k best rows of the corpus, best first, ties by row, with scores. Rows are -1 where there are fewer."""

    rows: I64
    scores: F64


def best(queries: F32, corpus: F32, k: int, *, corpus_rows: int = _CORPUS_ROWS) -> Found:
    """The k rows of the corpus with the greatest inner product for each query.

    queries: n x d; corpus: m x d, may be memory-mapped. corpus_rows: rows of it that are in memory at once.
    """
    size = len(corpus)
    k = min(k, size)
    if not len(queries) or not k:
        return Found(np.full((len(queries), k), -1, dtype=np.int64), np.zeros((len(queries), k)))
    wanted = min(k + _SPARE, size)
    queries = np.ascontiguousarray(queries, dtype=np.float32)
    each = max(1, min(_QUERIES, _HELD // wanted))
    blocks = [_Block(queries[start : start + each], wanted) for start in range(0, len(queries), each)]
    longest = 0.0
    room = np.empty((min(each, len(queries)), min(corpus_rows, size)), dtype=np.float32)  # made anew, its pages would cost a tenth of all
    for start in range(0, size, corpus_rows):
        part = np.ascontiguousarray(corpus[start : start + corpus_rows], dtype=np.float32)
        longest = max(longest, float(np.sqrt(np.einsum("ij,ij->i", part, part).max())))
        for block in blocks:
            block.look(part, start, room)
        forget(corpus)
    rows = np.full((len(queries), k), -1, dtype=np.int64)
    scores = np.zeros((len(queries), k))
    for number, block in enumerate(blocks):
        first = number * each
        for at, (found, exact) in enumerate(block.ranked(corpus, k)):
            rows[first + at], scores[first + at] = found, exact
        _widen(queries[first : first + each], corpus, block, rows[first:], scores[first:], k, longest, corpus_rows)
    return Found(rows, scores)


class _Block:
    """Some queries, and the best `wanted` rows of each so far."""

    def __init__(self, queries: F32, wanted: int) -> None:
        self.queries, self.wanted = queries, wanted
        self.least = np.full(len(queries), -np.inf, dtype=np.float32)
        self._held: list[tuple[I64, I64, F32]] = []
        self._count = 0

    def look(self, part: F32, start: int, room: F32) -> None:
        """See a part of the corpus, whose first row is `start`. room: where the scores may lie, at least as large."""
        scores = np.matmul(self.queries, part.T, out=room.reshape(-1)[: len(self.queries) * len(part)].reshape(-1, len(part)))
        if np.isneginf(self.least).any() and scores.shape[1] > self.wanted:
            few = scores[:, : max(2 * self.wanted, _FIRST_COLUMNS)]  # the best of some are no better than those of all
            cut = np.partition(few, few.shape[1] - self.wanted, axis=1)[:, few.shape[1] - self.wanted]
            self.least = np.maximum(self.least, cut)
        place = np.flatnonzero(scores >= self.least[:, None])  # much faster than in two dimensions
        query, column = np.divmod(place, scores.shape[1])
        self._held.append((query, column + start, scores.reshape(-1)[place]))
        self._count += len(query)
        if self._count > 4 * self.wanted * len(self.queries) or len(self._held) == 1:
            self._cut()

    def _cut(self) -> None:
        query, row, score = (np.concatenate(one) for one in zip(*self._held, strict=True))
        order = _sorted(query, score, (len(self.queries) - 1).bit_length())
        query, row, score = query[order], row[order], score[order]
        place = np.arange(len(query)) - np.searchsorted(query, np.arange(len(self.queries)))[query]
        keep = place < self.wanted
        last = place == self.wanted - 1
        self.least[query[last]] = score[last]
        self._held = [(query[keep], row[keep], score[keep])]
        self._count = int(keep.sum())

    def ranked(self, corpus: F32, k: int) -> list[tuple[I64, F64]]:
        """Of each query the k best of what was found, scored in double precision."""
        self._cut()
        query, row, _ = self._held[0]
        scores = exact(self.queries, corpus, query, row)
        order = np.lexsort((row, -scores, query))
        query, row, scores = query[order], row[order], scores[order]
        starts = np.searchsorted(query, np.arange(len(self.queries)))
        return [(row[start : start + k], scores[start : start + k]) for start in starts.tolist()]


def _sorted(query: I64, score: F32, bits: int) -> I64:
    """The order by query, a number of so many bits, then by score, the greatest first, then as they came.

    All three are put into one number a candidate, since those are sorted five times as fast as three columns.
    """
    score_bits = score.view(np.uint32)
    rising = np.where(score_bits >> 31, ~score_bits, score_bits | np.uint32(1 << 31))
    key = (query.astype(np.uint64) << np.uint64(64 - bits)) if bits else np.zeros(len(query), dtype=np.uint64)
    key |= (~rising).astype(np.uint64) << np.uint64(32 - bits)
    key |= np.arange(len(query), dtype=np.uint64)
    key.sort()
    return (key & np.uint64((1 << (32 - bits)) - 1)).astype(np.int64)


def _widen(queries: F32, corpus: F32, block: _Block, rows: I64, scores: F64, k: int, longest: float, corpus_rows: int) -> None:
    """Look again for queries of which more texts than there were spare ones may tie with the last that was found."""
    if block.wanted >= len(corpus):
        return
    lengths = np.sqrt(np.einsum("ij,ij->i", queries, queries, dtype=np.float64))
    slack = _SLACK * np.maximum(lengths * longest, 1e-30)
    floor = scores[: len(queries), k - 1] - slack
    for at in np.flatnonzero(block.least >= floor).tolist():
        query = queries[at : at + 1]
        found: list[I64] = []
        for start in range(0, len(corpus), corpus_rows):
            near = np.asarray(corpus[start : start + corpus_rows], dtype=np.float32) @ query[0]
            found.append(np.flatnonzero(near >= floor[at] - slack[at]) + start)
            forget(corpus)
        row = np.concatenate(found)
        every = exact(query, corpus, np.zeros(len(row), dtype=np.int64), row)
        order = np.lexsort((row, -every))[:k]
        rows[at], scores[at] = row[order], every[order]


def exact(queries: F32, corpus: F32, query: I64, row: I64) -> F64:
    """The score of each (query, row), in double precision, rounded."""
    found = np.empty(len(row))
    order = np.argsort(row, kind="stable")  # from one end of a file to the other
    step = max(1, _RESCORED_BYTES // (8 * max(1, queries.shape[1])))
    for start in range(0, len(row), step):
        some = order[start : start + step]
        found[some] = paired(queries[query[some]], corpus[row[some]])
        if start // step % _FORGOTTEN_STEPS == 0:
            forget(corpus)
    return found


def forget(rows: F32) -> None:
    """Let go of what was read of an array that lies in a file: pages that stay mapped count as ours, and are slow to take from us."""
    mapped = getattr(rows, "_mmap", None)
    if isinstance(rows, np.memmap) and mapped is not None and rows.mode == "r" and hasattr(mmap, "MADV_DONTNEED"):
        mapped.madvise(mmap.MADV_DONTNEED)


def paired(left: F32, right: F32) -> F64:
    """The inner product of each pair of rows, in double precision, rounded."""
    scores: F64 = np.round(np.multiply(left, right, dtype=np.float64).sum(axis=1), DECIMALS) + 0.0
    return scores
