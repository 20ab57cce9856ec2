"""Texts of a corpus in classes or clusters: the centroid of each, its members, and the nearest texts in the groups nearest an anchor.

Centroids are means in double precision, summed in the order of the corpus's rows, and compared in single precision by Euclidean
distance: of x to c it grows as x.c - |c|^2 / 2 falls, which is an inner product once x has a 1 behind it. So the exact search finds
the nearest of them, ties by number, and neither batches nor machines have a say.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
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


class _Members:
    """Some rows of a matrix as a matrix of their own, read where they are wanted."""

    def __init__(self, matrix: F32, rows: Rows) -> None:
        self.matrix, self.rows = matrix, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, some: slice | Rows) -> F32:
        found: F32 = self.matrix[self.rows[some]]
        return found


@functools.lru_cache(maxsize=4)
def opened(folder: str) -> Groups:
    """The groups that `write` left in a folder, memory-mapped."""
    parts = [np.load(Path(folder) / f"{name}.npy", mmap_mode="r", allow_pickle=False) for name in ("centroids", "first", "member")]
    return Groups(*parts)


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
    """The centroids of groups 0 to `size` - 1; zero for one without members. group: of each row of the matrix, -1 for none."""
    sums = np.zeros((size, matrix.shape[1]))
    counts = np.bincount(group[group >= 0], minlength=size)
    for start in range(0, len(matrix), _BLOCK):
        some = group[start : start + _BLOCK]
        rows = np.flatnonzero(some >= 0)
        # One row after another: a group's sum may not depend on how many of its rows stand side by side.
        np.add.at(sums, some[rows], np.asarray(matrix[start : start + _BLOCK])[rows].astype(np.float64))
    return _compared(sums / np.maximum(counts, 1)[:, None])


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
    """For each of n vectors the `count` nearest groups that are not its own, with scores, nearest first."""
    depth = count + max((len(one) for one in own), default=0)
    found = search.best(with_one(vectors), centroids, depth)
    for rows, scores, mine in zip(found.rows.tolist(), found.scores.tolist(), own, strict=True):
        yield [(row, score) for row, score in zip(rows, scores, strict=True) if row >= 0 and row not in mine][:count]


def texts_of(
    anchors: pl.DataFrame, vectors: F32, matrix: F32, groups: Groups, wrong: list[list[int]], depth: int, miner: str
) -> pl.DataFrame:
    """The `depth` texts nearest each anchor in the groups it is given, and as many more as it has positives.

    anchors: `anchor_id` and `positives`, their number; vectors: theirs. Rows are anchor_id, group, corpus_row, rank from 1,
    score_dense, miner; best first, ties by corpus row.
    """
    wanted = depth + anchors["positives"].to_numpy().astype(np.int64)
    asked: dict[int, list[int]] = {}
    for number, some in enumerate(wrong):
        for group in some:
            asked.setdefault(group, []).append(number)
    parts: list[tuple[Rows, Rows, Rows, F64]] = [(*[np.zeros(0, dtype=np.int64)] * 3, np.zeros(0))]  # type: ignore[list-item]
    for group, numbers in sorted(asked.items()):
        members = groups.member[groups.first[group] : groups.first[group + 1]]
        who = np.array(numbers, dtype=np.int64)
        found = search.best(vectors[who], cast("F32", _Members(matrix, members)), int(wanted[who].max()))
        owner, place = np.nonzero(found.rows >= 0)
        parts.append((who[owner], np.full(len(owner), group), members[found.rows[owner, place]], found.scores[owner, place]))
    owner, group_, row, score = (np.concatenate(one) for one in zip(*parts, strict=True))
    order = np.lexsort((row, -score, owner))
    owner, group_, row, score = owner[order], group_[order], row[order], score[order]
    rank = np.arange(len(owner)) - np.searchsorted(owner, owner) + 1
    keep = rank <= wanted[owner]
    columns = {"anchor_id": anchors["anchor_id"].gather(owner[keep]), "group": group_[keep], "corpus_row": row[keep]}
    types = {"anchor_id": pl.String, "group": pl.Int64, "corpus_row": pl.Int64, "rank": pl.Int64, "score_dense": pl.Float64}
    frame = pl.DataFrame({**columns, "rank": rank[keep], "score_dense": score[keep]}, schema=types)
    return frame.with_columns(pl.lit(miner).alias("miner"))


# -- clusters ------------------------------------------------------------------------------------------------------------


def assigned(matrix: F32, centroids: F32) -> tuple[Rows, F64]:
    """The nearest centroid of each row, and its score; in blocks."""
    parts = [_of_block(np.asarray(matrix[start : start + _BLOCK]), centroids) for start in range(0, len(matrix), _BLOCK)]
    group, score = zip(*parts, strict=True) if parts else ([np.zeros(0, np.int64)], [np.zeros(0)])
    return np.concatenate(group), np.concatenate(score)


def _of_block(rows: F32, centroids: F32) -> tuple[Rows, F64]:
    found = search.best(with_one(rows), centroids, 1)
    return found.rows[:, 0], found.scores[:, 0]


def k_means(rows: F32, size: int) -> F32:
    """At most `size` centroids of n rows, by Lloyd's rounds until nothing moves, 25 at most: nothing is drawn at random.

    The first are k-means++'s: rows drawn by the square of their distance to those drawn before, by numbers that are hashes of their
    count, among 16 rows a cluster, as evenly spread over the rows as there are. A cluster that loses its last row begins anew at the
    row that is furthest from its centroid, ties by row; one that cannot, since there are fewer different rows, is left out.
    """
    centroids = _begun(rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), 16 * size)).astype(np.int64))], size)
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
    square = np.ones(len(rows))
    for number in range(min(size, len(rows))):
        total = np.cumsum(np.round(square, search.DECIMALS))
        if total[-1] <= 0:  # all that is left equals one that was drawn
            break
        chosen.append(int(np.searchsorted(total, uniform[number] * total[-1], side="right")))
        square = np.minimum(square, ((exact - exact[chosen[-1]]) ** 2).sum(axis=1))
    return _compared(exact[chosen])
