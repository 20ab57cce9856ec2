"""An index that finds most of the nearest vectors for less than looking at all: opt-in, and what it misses is measured and said.

A graph of neighbours (HNSW), made by one thread, so that it is the same each time on one machine, and kept in the cache. What it
finds is scored again as an exact search does, so that scores and order are those of the texts that both find. It pays where both
are many: 25,000 vectors of 384 numbers took 12 CPU seconds to index, 1,000 queries 1.9 and exactly 0.35, so that with 1,000,000 texts
some 50,000 anchors break even.
Source: Malkov and Yashunin, Hierarchical navigable small world graphs, 2016; by faiss.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from negforge import rng
from negforge.corpus import cached
from negforge.engine import storage
from negforge.errors import UsageError
from negforge.search import DECIMALS, F32, F64, I64, Found, best, exact, forget

LINKS, BUILD_EF = 32, 80  # of a vector, and how many candidates are looked at for them
LEAST_EF = 256
_SPARE = 16
_ROWS = 1 << 14


def library() -> Any:
    """Faiss, or a UsageError that says what to install."""
    try:
        import faiss
    except ImportError:
        raise UsageError("--engine hnsw needs faiss", mend='pip install "negforge[faiss]", or leave out --engine') from None
    return faiss


def index_of(matrix: Path, max_memory: int) -> Path:
    """The index of the vectors in a file whose folder is named by their content, from the cache if it was made before.

    Raises UsageError where it would not fit: unlike an exact search, it is held in memory whole.
    """
    faiss = library()
    rows: F32 = np.load(matrix, mmap_mode="r", allow_pickle=False)
    size = len(rows) * (4 * rows.shape[1] + 8 * LINKS + 64)
    if size > max_memory:
        where = f"{len(rows):,} vectors of {rows.shape[1]} numbers take {size / 1e9:,.1f} GB, --max-memory is {max_memory / 1e9:,.1f} GB"
        raise UsageError("the index of --engine hnsw does not fit", where, "leave out --engine: an exact search takes any corpus")

    def build(folder: Path) -> None:
        threads = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(1)
        try:
            made = faiss.IndexHNSWFlat(rows.shape[1], LINKS, faiss.METRIC_INNER_PRODUCT)
            made.hnsw.efConstruction = BUILD_EF
            for part in _parts(rows):
                made.add(part)
            with storage(folder):
                faiss.write_index(made, str(folder / "hnsw.faiss"))
        finally:
            faiss.omp_set_num_threads(threads)

    key = rng.blake("hnsw 1", matrix.parent.name, str(LINKS), str(BUILD_EF), faiss.__version__)
    return cached(f"hnsw-{key}", build) / "hnsw.faiss"


def _parts(rows: F32) -> Iterator[F32]:
    for start in range(0, len(rows), _ROWS):
        yield np.ascontiguousarray(rows[start : start + _ROWS], dtype=np.float32)
        forget(rows)


@functools.lru_cache(maxsize=2)
def _open(path: str) -> Any:
    return library().read_index(path)


def nearest(queries: F32, corpus: F32, k: int, index: Path, ef: int | None) -> Found:
    """As `search.best`, of what the index finds. Rows are -1 where it finds fewer.

    ef: how many candidates a search keeps; a query is searched for by itself, so that batches have no say.
    """
    k = min(k, len(corpus))
    rows, scores = np.full((len(queries), k), -1, dtype=np.int64), np.zeros((len(queries), k))
    if not len(queries) or not k:
        return Found(rows, scores)
    wanted = min(k + _SPARE, len(corpus))
    asked = library().SearchParametersHNSW(efSearch=max(ef or LEAST_EF, wanted))
    found: I64 = _open(str(index)).search(np.ascontiguousarray(queries, dtype=np.float32), wanted, params=asked)[1].astype(np.int64)
    query, place = np.nonzero(found >= 0)
    row = found[query, place]
    every: F64 = exact(queries, corpus, query, row)
    order = np.lexsort((row, -every, query))
    query, row, every = query[order], row[order], every[order]
    rank = np.arange(len(query)) - np.searchsorted(query, query)
    keep = rank < k
    rows[query[keep], rank[keep]], scores[query[keep], rank[keep]] = row[keep], every[keep]
    return Found(rows, scores)


def recall(queries: F32, corpus: F32, k: int, index: Path, ef: int | None) -> float:
    """Of the k best of each query the share that the index finds, texts that tie with the last one for it."""
    whole, found = best(queries, corpus, k), nearest(queries, corpus, k, index, ef)
    if not whole.rows.size:
        return 1.0
    right = (found.rows >= 0) & (found.scores >= whole.scores[:, -1:] - 10.0**-DECIMALS)
    return float(right.sum() / whole.rows.size)
