"""A corpus on disk, sorted by id and memory-mapped, and the cache that it and its indexes lie in."""

from __future__ import annotations

import contextlib
import functools
import glob
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.ipc
from numpy.typing import NDArray

from negforge import rng
from negforge.engine import Partitioner, collect, evenly, hold, machine_memory, storage
from negforge.errors import StorageError
from negforge.records import Corpus, full_text
from negforge.sinks import sha256

_ROWS_A_BATCH = 1 << 16
_BUILD = "build-"
_SETTLED_NS = 2_000_000_000  # a file changed so lately may change again within one tick of its clock
_KEPT_SECONDS = 7 * 86400.0  # a build that was killed and that nobody went on with for so long is removed


def cache_root() -> Path:
    """Where indexes are kept between runs: NEGFORGE_CACHE, else the user's cache folder. It may be deleted at any time."""
    own = os.environ.get("NEGFORGE_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(own) if own else Path(base) / "negforge"


def file_digest(path: Path) -> str:
    """The sha256 of a file's bytes. Remembered by path, size and times of change, so that a large input is read once."""
    before = _stamp(path)
    memo = cache_root() / "digests" / rng.blake(str(path.resolve()), str(before))
    with contextlib.suppress(OSError):
        known = memo.read_text(encoding="ascii")
        if len(known) == 64:
            return known
    found = sha256(path)
    if before == _stamp(path) and time.time_ns() - max(before[1:3]) > _SETTLED_NS:
        with contextlib.suppress(OSError):  # a memory that cannot be kept costs time alone
            memo.parent.mkdir(parents=True, exist_ok=True)
            memo.write_text(found, encoding="ascii")
    return found


def files_in(folder: Path) -> list[Path]:
    """Every file below a folder, in order, also where a folder in it is a link: what is read there is what the link leads to."""
    return sorted(
        path for one in glob.iglob("**", root_dir=folder, recursive=True, include_hidden=True) if (path := folder / one).is_file()
    )


def _stamp(path: Path) -> tuple[int, ...]:
    """What changes with a file's content: also the time that nobody can set, which an editor that restores the other one moves."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def cached(key: str, build: Callable[[Path], None], *, goes_on: bool = False) -> Path:
    """The folder of that content key, built by `build` if it is not there. One builds it; another who wants it waits.

    goes_on: what a build that was killed left is there when it is called again; else it begins with an empty folder. What is
    under the key is whole: it gets that name when `build` is done.
    """
    root = cache_root()
    place, begun = root / key, root / f"{_BUILD}{key}"
    with storage(root):
        while not place.is_dir():
            begun.mkdir(parents=True, exist_ok=True)
            try:
                lock = hold(begun / "lock")
            except FileNotFoundError:  # whoever built it in the meantime has removed the folder
                continue
            try:
                if not place.is_dir():
                    os.utime(begun)
                    collect(root, _BUILD, _KEPT_SECONDS)
                    _built(begun / "new", build, goes_on=goes_on).rename(place)
                shutil.rmtree(begun, ignore_errors=True)
            except (OSError, StorageError):  # half of it is of no use, and the disk may be full of it
                shutil.rmtree(begun, ignore_errors=True)
                raise
            finally:
                os.close(lock)
    return place


def _built(folder: Path, build: Callable[[Path], None], *, goes_on: bool) -> Path:
    if not goes_on:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(exist_ok=True)
    build(folder)
    return folder


class CorpusStore:
    """Texts of a corpus by row number, in the order of their ids. Picklable: only the path travels."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def of(cls, corpus: Corpus, max_memory: int | None = None) -> CorpusStore:
        """The store of a corpus, from the cache if its content was stored before."""
        key = f"corpus-{rng.blake('corpus store 2', corpus.digest)}"
        return cls(cached(key, lambda folder: _write(corpus, folder, (max_memory or machine_memory() // 4) // 4)) / "corpus.arrow")

    @property
    def _reader(self) -> pa.ipc.RecordBatchFileReader:
        return _open(str(self.path))

    @functools.cached_property
    def size(self) -> int:
        """The number of texts."""
        reader = self._reader
        whole = reader.num_record_batches - 1
        return whole * _ROWS_A_BATCH + int(reader.get_batch(whole).num_rows) if whole >= 0 else 0

    def take(self, rows: NDArray[np.int64]) -> pl.DataFrame:
        """`id`, `text` and `body`, the text without its title, of the rows, in the order asked."""
        reader = self._reader
        if not len(rows):
            return pl.DataFrame(schema={"id": pl.String, "text": pl.String, "body": pl.String})
        numbers, inverse = np.unique(rows, return_inverse=True)
        block = numbers // _ROWS_A_BATCH
        parts = [
            pl.DataFrame(pl.from_arrow(reader.get_batch(int(one)).take(pa.array(numbers[block == one] - one * _ROWS_A_BATCH))))
            for one in np.unique(block)
        ]
        return pl.concat(parts)[inverse].with_columns(pl.col("text").str.slice(pl.col("title")).alias("body")).drop("title")

    def find(self, ids: pl.Series) -> NDArray[np.int64]:
        """The row number of each id, -1 for one that is null or not in the corpus."""
        known = self._ids
        place = known.search_sorted(ids.fill_null("")).to_numpy().astype(np.int64)
        inside = np.minimum(place, max(len(known) - 1, 0))
        there = (known.gather(inside) == ids).fill_null(value=False).to_numpy() if len(known) else np.zeros(len(ids), dtype=bool)
        return np.where(there, inside, -1)

    @functools.cached_property
    def _ids(self) -> pl.Series:
        return pl.concat([batch["id"] for batch in self.batches()] or [pl.Series("id", [], dtype=pl.String)])

    def batches(self) -> Iterator[pl.DataFrame]:
        """All rows, in the order of their ids."""
        reader = self._reader
        for number in range(reader.num_record_batches):
            yield pl.DataFrame(pl.from_arrow(reader.get_batch(number)))

    def texts(self, first: int = 0) -> Iterator[str]:
        """The full texts from a row on."""
        reader = self._reader
        for number in range(first // _ROWS_A_BATCH, reader.num_record_batches):
            batch = pl.DataFrame(pl.from_arrow(reader.get_batch(number)))
            yield from batch["text"][max(0, first - number * _ROWS_A_BATCH) :].to_list()

    def __getstate__(self) -> dict[str, Path]:
        return {"path": self.path}


@functools.lru_cache(maxsize=8)
def _open(path: str) -> pa.ipc.RecordBatchFileReader:
    return pa.ipc.open_file(pa.memory_map(path))


def _write(corpus: Corpus, folder: Path, limit_bytes: int) -> None:
    ids = pl.concat([batch["id"] for batch in corpus.batches()] or [pl.Series("id", [], dtype=pl.String)])
    rank = np.empty(len(ids), dtype=np.uint64)
    rank[ids.arg_sort().to_numpy()] = np.arange(len(ids), dtype=np.uint64)
    bits = max(1, len(ids).bit_length())
    parts = Partitioner(folder / "scratch", limit_bytes)
    done = 0
    for batch in corpus.batches():
        text = full_text(batch)
        title = (text.str.len_chars() - batch["text"].str.len_chars()).cast(pl.Int64).alias("title")
        frame = pl.DataFrame([batch["id"], text.alias("text"), title])
        parts.add(frame, rank[done : done + batch.height] << np.uint64(64 - bits))
        done += batch.height
    # title: how many characters of the text are the title and the space after it.
    schema = pa.schema([("id", pa.large_string()), ("text", pa.large_string()), ("title", pa.int64())])
    with pa.OSFile(str(folder / "corpus.arrow"), "wb") as out, pa.ipc.new_file(out, schema) as writer:
        for piece in evenly((part[np.argsort(key, kind="stable")] for part, key in parts.parts()), _ROWS_A_BATCH):
            writer.write_table(piece.to_arrow().cast(schema).combine_chunks())
    shutil.rmtree(folder / "scratch", ignore_errors=True)
