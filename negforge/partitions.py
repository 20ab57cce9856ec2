"""Texts of a corpus in classes or clusters: the centroid of each, its members, and the nearest texts in the groups nearest an anchor.

Centroids are means in double precision, summed in the order of the corpus's rows, and compared in single precision by Euclidean
distance: of x to c it grows as x.c - |c|^2 / 2 falls, which is an inner product once x has a 1 behind it. So the exact search finds
the nearest of them, ties by number, and neither batches nor machines have a say.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negforge import rng, search
from negforge.engine import storage

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Rows = NDArray[np.int64]

_BLOCK = 1 << 13
_ROUNDS = 25


class Groups(NamedTuple):
    """Of g groups the centroids (g x (d + 1), as `with_one` vectors are compared with them) and members: member[first[i]:first[i + 1]]."""

    centroids: F32
    first: Rows
    member: Rows

    def size(self, group: int) -> int:
        """How many members a group has."""
        return int(self.first[group + 1] - self.first[group])


class Members:
    """Some rows of a matrix as a matrix of their own, read where they are wanted; a row may stand there twice."""

    def __init__(self, matrix: F32, rows: Rows) -> None:
        self.matrix, self.rows = matrix, rows

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, int]:
        """As of a matrix."""
        return len(self.rows), self.matrix.shape[1]

    def __getitem__(self, some: slice | Rows) -> F32:
        found: F32 = self.matrix[self.rows[some]]
        return found


@functools.lru_cache(maxsize=4)
def opened(folder: str) -> Groups:
    """The groups that `write` left in a folder, memory-mapped."""
    parts = [np.load(Path(folder) / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in ("centroids", "first", "member")]
    return Groups(*parts)


@functools.lru_cache(maxsize=2)
def of_rows(folder: str, size: int) -> Rows:
    """The group of each of `size` rows of the corpus, -1 for none."""
    known = opened(folder)
    found = np.full(size, -1, dtype=np.int64)
    found[known.member] = np.repeat(np.arange(len(known.centroids)), np.diff(known.first))
    return found


def write(folder: Path, centroids: F32, group: Rows) -> None:
    """Leave groups in a folder. group: of each row of the corpus, -1 for none."""
    order = np.argsort(group, kind="stable")
    first = np.searchsorted(group[order], np.arange(len(centroids) + 1))
    with storage(folder):
        np.save(folder / "centroids.npy", centroids, allow_pickle=False)
        np.save(folder / "first.npy", first - first[0], allow_pickle=False)
        np.save(folder / "member.npy", order[first[0] :], allow_pickle=False)


def with_one(vectors: F32) -> F32:
    """Vectors as centroids are compared with them."""
    return np.concatenate([vectors, np.ones((len(vectors), 1), dtype=np.float32)], axis=1)


def means(matrix: F32, group: Rows, size: int) -> F32:
    """The centroids of groups 0 to `size` - 1, as `averages`, in single precision and with what they are compared by."""
    return _compared(averages(matrix, group, size))


def averages(matrix: F32 | Members, group: Rows, size: int) -> F64:
    """The means of groups 0 to `size` - 1; zero for one without members. group: of each row of the matrix, -1 for none."""
    sums = np.zeros((size, matrix.shape[1]))
    counts = np.bincount(group[group >= 0], minlength=size)
    for start in range(0, len(matrix), _BLOCK):
        some = group[start : start + _BLOCK]
        rows = np.argsort(some, kind="stable")[np.count_nonzero(some < 0) :]
        if len(rows):
            numbers, first = np.unique(some[rows], return_index=True)
            sums[numbers] += np.add.reduceat(np.asarray(matrix[start : start + _BLOCK])[rows].astype(np.float64), first, axis=0)
    found: F64 = sums / np.maximum(counts, 1)[:, None]
    return found


def _compared(centroids: F64) -> F32:
    half = np.round((centroids**2).sum(axis=1) / 2, search.DECIMALS)
    return np.concatenate([centroids, -half[:, None]], axis=1).astype(np.float32)


def distance(vectors: F32, scores: F64) -> F64:
    """How far vectors are from the centroids with which they have these scores; one score, or one row of them, a vector."""
    lengths = (vectors.astype(np.float64) ** 2).sum(axis=1)
    squares = lengths.reshape(-1, *[1] * (scores.ndim - 1)) - 2 * scores
    found: F64 = np.round(np.sqrt(np.maximum(squares, 0.0)), search.DECIMALS - 3)
    return found


def nearest(vectors: F32, centroids: F32, own: list[set[int]], count: int) -> Iterator[list[tuple[int, float]]]:
    """For each of n vectors the `count` nearest groups that are not its own, with their distances, nearest first."""
    depth = count + max((len(one) for one in own), default=0)
    found = search.best(with_one(vectors), centroids, depth)
    away = distance(vectors, found.scores)
    for rows, some, mine in zip(found.rows.tolist(), away.tolist(), own, strict=True):
        yield [(row, one) for row, one in zip(rows, some, strict=True) if row >= 0 and row not in mine][:count]


def texts_of(
    anchors: pl.DataFrame, vectors: F32, matrix: F32, groups: Groups, lists: list[list[tuple[int, float]]], depth: int, miner: str
) -> pl.DataFrame:
    """The `depth` texts nearest each anchor in the groups it is given, and as many more as it has positives.

    anchors: `anchor_id` and `positives`, their number; vectors: theirs; lists: the groups of each, with distances. Rows are
    anchor_id, group, distance, corpus_row, rank from 1, score_dense, miner; best first, ties by corpus row.
    """
    wanted = depth + anchors["positives"].to_numpy().astype(np.int64)
    asked: dict[int, list[tuple[int, float]]] = {}
    for number, some in enumerate(lists):
        for group, away in some:
            asked.setdefault(group, []).append((number, away))
    parts: list[tuple[Rows, Rows, F64, Rows, F64]] = []
    for group, who in sorted(asked.items()):
        members = groups.member[groups.first[group] : groups.first[group + 1]]
        numbers, distances = np.array([one for one, _ in who], dtype=np.int64), np.array([one for _, one in who])
        found = search.best(vectors[numbers], cast("F32", Members(matrix, members)), int(wanted[numbers].max()))
        at, place = np.nonzero(found.rows >= 0)
        parts.append((numbers[at], np.full(len(at), group), distances[at], members[found.rows[at, place]], found.scores[at, place]))
    types = {"owner": pl.Int64, "group": pl.Int64, "distance": pl.Float64, "corpus_row": pl.Int64, "score_dense": pl.Float64}
    found_ = pl.concat([pl.DataFrame(schema=types), *(pl.DataFrame(dict(zip(types, one, strict=True)), schema=types) for one in parts)])
    ranked = found_.sort("owner", -pl.col("score_dense"), "corpus_row")
    ranked = ranked.with_columns((pl.int_range(pl.len()).over("owner") + 1).alias("rank"))
    kept = ranked.filter(pl.col("rank") <= pl.Series(wanted).gather(ranked["owner"]))
    names = anchors["anchor_id"].gather(kept["owner"])
    return kept.select(names, "group", "distance", "corpus_row", "rank", "score_dense", pl.lit(miner).alias("miner"))


# -- clusters ------------------------------------------------------------------------------------------------------------


def assigned(matrix: F32, centroids: F32) -> tuple[Rows, F64]:
    """The nearest centroid of each row, -1 where there is none, and its score; in blocks."""
    parts = [_of_block(np.asarray(matrix[start : start + _BLOCK]), centroids) for start in range(0, len(matrix), _BLOCK)]
    group, score = zip(*parts, strict=True) if parts else ([np.zeros(0, np.int64)], [np.zeros(0)])
    return np.concatenate(group), np.concatenate(score)


def _of_block(rows: F32, centroids: F32) -> tuple[Rows, F64]:
    found = search.best(with_one(rows), centroids, 1)
    if not len(centroids):
        return np.full(len(rows), -1, dtype=np.int64), np.zeros(len(rows))
    return found.rows[:, 0], found.scores[:, 0]


def spread(size: int, count: int) -> Rows:
    """Row numbers, `count` of `size`, evenly apart."""
    return np.unique(np.linspace(0, max(size - 1, 0), min(size, count)).astype(np.int64))


def k_means(rows: F32, size: int) -> F32:
    """At most `size` centroids of n rows, by Lloyd's rounds until nothing moves, 25 at most: nothing is drawn at random.

    The first are k-means++'s: rows drawn by the square of their distance to those drawn before, by numbers that are hashes of their
    count, among 16 rows a cluster, as evenly spread over the rows as there are. A cluster that loses its last row begins anew at the
    row that is furthest from its centroid, ties by row; one that cannot, since there are fewer different rows, is left out.
    """
    centroids = _begun(rows[spread(len(rows), 16 * size)], size)
    before = np.full(len(rows), -1, dtype=np.int64)
    for _ in range(_ROUNDS):
        group, score = assigned(rows, centroids)
        empty = np.flatnonzero(np.bincount(group, minlength=len(centroids)) == 0)
        if len(empty):
            away = distance(rows, score)
            furthest = np.lexsort((np.arange(len(rows)), -away))[: len(empty)]
            moved = furthest[away[furthest] > 0]
            group[moved] = empty[: len(moved)]
        if (group == before).all():
            break
        before = group
        there, group = np.unique(group, return_inverse=True)
        centroids = means(rows, group, len(there))
        before = group
    return centroids


def _begun(rows: F32, size: int) -> F32:
    exact = rows.astype(np.float64)
    uniform = (rng.mix(np.arange(1, size + 1, dtype=np.uint64)) >> np.uint64(11)).astype(np.float64) / 2.0**53
    chosen: list[int] = []
    square = np.full(len(rows), np.inf)
    for number in range(min(size, len(rows))):
        total = np.cumsum(np.round(square, search.DECIMALS) if number else np.ones(len(rows)))
        if total[-1] <= 0:  # all that is left equals one that was drawn
            break
        chosen.append(int(np.searchsorted(total, uniform[number] * total[-1], side="right")))
        square = np.minimum(square, ((exact - exact[chosen[-1]]) ** 2).sum(axis=1))
    return _compared(exact[chosen])
