"""The local engine: scratch folders that clean up after the dead, hash partitions on disk, and an ordered process pool."""

from __future__ import annotations

import contextlib
import fcntl
import gc
import itertools
import multiprocessing
import multiprocessing.context
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, Literal, Self, TypeVar

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.ipc

from negforge.errors import NegforgeError, StorageError
from negforge.rng import U64

In = TypeVar("In")
Out = TypeVar("Out")

# Keys and row numbers are held no longer than sorting them in pieces is cheap: what is allowed would be used, and grow with the rows.
NARROW_BYTES = 1 << 24
_COLLECTIONS = (100_000, 50, 50)
_LOCK = "lock"
_THREADS = ("POLARS_MAX_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")
_OURS = "NEGFORGE_"
_SOCKET_PATH_BYTES = 70  # a socket's path has at most 107, of which the name in the temporary folder takes 32
_LOOK_SECONDS = 0.5  # how often a waiting parent looks whether its workers live
_LOCKED_SECONDS = 60.0  # by then a living owner has locked its folder
_SPLIT_BITS = 6  # a spilled table lies in 64 files; a file still too large is split again


class Scratch:
    """A folder for whatever a command makes before it publishes, locked while its owner lives.

    A folder of the same prefix whose lock can be taken belongs to a dead owner: `collect` removes it.
    """

    def __init__(self, parent: Path, prefix: str) -> None:
        self._lock: int | None = None
        while self._lock is None:
            self.path = parent / f"{prefix}{uuid.uuid4().hex}"
            self.path.mkdir(parents=True)
            try:
                self._lock = _own(self.path, wait=True)
            except OSError:
                shutil.rmtree(self.path, ignore_errors=True)
                raise

    def file(self, name: str) -> Path:
        """A path of that name in the folder, or of a variant not yet taken."""
        path, number = self.path / name, 1
        while path.exists():
            path, number = self.path / f"{number}-{name}", number + 1
        return path

    def folder(self, name: str) -> Path:
        """A new folder of about that name."""
        path = self.file(name)
        path.mkdir()
        return path

    def close(self) -> None:
        """Remove the folder."""
        if self._lock is not None:
            shutil.rmtree(self.path, ignore_errors=True)
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def collect(parent: Path, prefix: str, kept_seconds: float = 0.0) -> None:
    """Remove scratch folders that dead owners left; those of which something may be made only once they are so old."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for path in [*parent.iterdir()]:
            if path.name.startswith(prefix):
                with contextlib.suppress(OSError):  # of another user, or on a disk that is full
                    if kept_seconds and time.time() - path.stat().st_mtime < kept_seconds:
                        continue
                    lock = _own(path, wait=False)
                    if lock is not None:
                        shutil.rmtree(path, ignore_errors=True)
                        os.close(lock)


def is_left(folder: Path) -> bool:
    """Whether a scratch folder's owner is dead. Nothing is written and no lock is kept, so that a reader may ask."""
    try:
        handle = os.open(folder / _LOCK, os.O_RDONLY)
    except FileNotFoundError:
        return folder.is_dir() and time.time() - folder.stat().st_mtime > _LOCKED_SECONDS
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True


def _own(folder: Path, *, wait: bool) -> int | None:
    """The lock of a scratch folder, made if it is not there; None if another holds it or has removed the folder.

    A folder without a lock file is one whose owner is about to make it, or died before: whoever is first has it.
    """
    try:
        return hold(folder / _LOCK, wait=wait)
    except (FileNotFoundError, BlockingIOError):
        return None


def hold(path: Path, *, wait: bool = True, shared: bool = False) -> int:
    """Take the lock of a file and return its descriptor; the lock ends with the process. OSError if it is held.

    shared: others may hold it too, who share it.

    Whoever held it before may have removed the file meanwhile: the lock of a file that is gone guards nothing, and is taken anew.
    """
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), path.stat()):
                    return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def temporary_scratch() -> Scratch:
    """A scratch folder in the temporary directory, after removing those of dead owners."""
    parent = Path(tempfile.gettempdir())
    prefix = f"negforge-{os.getuid()}-"
    with storage(parent):
        collect(parent, prefix)
        return Scratch(parent, prefix)


@contextlib.contextmanager
def storage(path: Path) -> Iterator[None]:
    """Turn the operating system's refusal to write into a StorageError that names the path."""
    try:
        yield
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        raise StorageError(
            f"cannot write: {error.strerror or error}", str(error.filename or path), "free some space or choose another place"
        ) from error


def machine_memory() -> int:
    """Bytes of memory of the machine, or of the container if that is less."""
    size = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):
            size = min(size, int(Path(name).read_text(encoding="ascii")))
    return size


def default_workers() -> int:
    """One worker a core that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Spool:
    """A table on disk, written once and read any number of times. rows: of one that was written before."""

    def __init__(self, path: Path, rows: int = 0) -> None:
        self.path, self.rows = path, rows
        self._writer: pa.ipc.RecordBatchStreamWriter | None = None
        self._schema: pa.Schema | None = None

    def add(self, frame: pl.DataFrame) -> None:
        """Append rows; all frames have the same columns."""
        table = frame.to_arrow()
        with storage(self.path):
            if self._writer is None:
                self._schema = table.schema
                self._writer = pa.ipc.new_stream(str(self.path), table.schema, options=pa.ipc.IpcWriteOptions(compression="lz4"))
            self._writer.write_table(table.cast(self._schema) if table.schema != self._schema else table)
        self.rows += frame.height

    def close(self) -> None:
        """Finish writing."""
        if self._writer is not None:
            with storage(self.path):
                self._writer.close()
            self._writer = None

    def batches(self, rows: int = 10_000) -> Iterator[pl.DataFrame]:
        """The rows in the order they came, in frames of at most `rows`; one empty frame, with its columns, if there are none."""
        self.close()
        if not self.path.exists():
            return
        with pa.OSFile(str(self.path)) as source, pa.ipc.open_stream(source) as reader:
            if self.rows == 0:
                yield pl.DataFrame(pl.from_arrow(reader.schema.empty_table()))
            for batch in reader:
                frame = pl.DataFrame(pl.from_arrow(batch))
                yield from frame.iter_slices(rows) if frame.height else ()


def evenly(frames: Iterable[pl.DataFrame], rows: int) -> Iterator[pl.DataFrame]:
    """The rows in frames of exactly `rows`, each in one piece, but for the last; of frames without rows, one."""
    held: list[pl.DataFrame] = []
    full = 0
    for frame in frames:
        held.append(frame)
        if sum(one.height for one in held) >= rows:
            whole = pl.concat(held)
            full = whole.height // rows * rows
            yield from (piece.rechunk() for piece in whole[:full].iter_slices(rows))
            held = [whole[full:]]
    if held and ((rest := pl.concat(held)).height or not full):
        yield rest.rechunk()


class Partitioner:
    """Rows gathered by the top bits of a 64-bit key, in memory until `limit_bytes`, then in files.

    `parts` gives the rows back as frames of ascending key ranges, none larger than memory unless a single key is, so that
    whatever is sorted within a part is sorted over all: any number of parts concatenates to the same order. `skipped_bits`
    are the leading bits that all keys have in common.
    """

    def __init__(self, folder: Path, limit_bytes: int, skipped_bits: int = 0) -> None:
        self._folder, self._limit, self._skipped = folder, limit_bytes, skipped_bits
        self._held: list[tuple[pa.Table, U64]] = []
        self._held_bytes = 0
        self._files: dict[int, Spool] = {}
        self._ranges: dict[int, tuple[int, int]] = {}
        self.rows = 0

    def add(self, frame: pl.DataFrame, key: U64) -> None:
        """Add rows with their keys."""
        # As Arrow, which copies: a few rows filtered out of a frame keep all its texts alive, and its estimated size hides it.
        table = frame.to_arrow()
        self._held.append((table, key))
        self._held_bytes += table.nbytes + key.nbytes
        self.rows += frame.height
        if self._held_bytes > self._limit and self._skipped < 64:
            self._spill()

    def _taken(self) -> tuple[pl.DataFrame, U64]:
        """What is held, held no longer."""
        tables, keys = zip(*self._held, strict=True)
        self._held, self._held_bytes = [], 0
        return pl.DataFrame(pl.from_arrow(pa.concat_tables(tables))), np.concatenate(keys)

    def _spill(self) -> None:
        frame, key = self._taken()
        if not frame.height:
            return
        # Bytes sort in one pass and in an eighth of the memory: what a spill takes comes on top of what was held.
        bucket = ((key << np.uint64(self._skipped)) >> np.uint64(64 - _SPLIT_BITS)).astype(np.uint8)
        order = np.argsort(bucket, kind="stable")
        counts = np.bincount(bucket, minlength=1 << _SPLIT_BITS)
        for number, rows in enumerate(np.split(order, np.cumsum(counts)[:-1])):
            if not len(rows):
                continue
            if number not in self._files:
                with storage(self._folder):
                    self._folder.mkdir(parents=True, exist_ok=True)
                self._files[number] = Spool(self._folder / f"{number:02d}.arrow")
            keys = key[rows]
            self._files[number].add(frame[rows].with_columns(pl.Series("__key", keys)))
            low, high = self._ranges.get(number, (int(keys[0]), int(keys[0])))
            self._ranges[number] = min(low, int(keys.min())), max(high, int(keys.max()))

    def parts(self) -> Iterator[tuple[pl.DataFrame, U64]]:
        """Frames with their keys, in ascending ranges of the key; each part is forgotten once given."""
        if not self._files:
            if self._held:
                yield self._taken()
            return
        if self._held:
            self._spill()
        for spool in self._files.values():
            spool.close()
        for number in sorted(self._files):
            spool = self._files.pop(number)
            low, high = self._ranges.pop(number)
            # Places and row numbers share many leading bits: splitting by those would copy the rows over and over.
            shared = 64 - (low ^ high).bit_length()
            inner = Partitioner(self._folder / f"{number:02d}", self._limit, 64 if low == high else min(shared, 64 - _SPLIT_BITS))
            for frame in spool.batches(1 << 16):
                inner.add(frame.drop("__key"), frame["__key"].to_numpy())
            spool.path.unlink()
            yield from inner.parts()


@contextlib.contextmanager
def rare_collections() -> Iterator[None]:
    """Look for cyclic garbage less often meanwhile: batches are made of many objects without it, and to look cost a tenth of a stage."""
    usual = gc.get_threshold()
    gc.set_threshold(*_COLLECTIONS)
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def _start_worker(environment: dict[str, str]) -> None:
    """A worker holds no stdout, leaves interrupts to its parent, and dies with it.

    environment: what the parent's says to negforge now; the server that workers come from keeps that of its own start.
    """
    for name in [name for name in os.environ if name.startswith(_OURS)]:
        del os.environ[name]
    os.environ.update(environment)
    gc.set_threshold(*_COLLECTIONS)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)

    def follow() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


@contextlib.contextmanager
def _starting(threads: int) -> Iterator[None]:
    """What helpers of the pool are to inherit while they start.

    Descriptor 1 is the null device: they must not keep a reader of our pipe waiting. Polars' threads and those of matrix products
    are shared out, since idle ones spin: both read their number as they are imported, which in a worker may be before any code of
    ours. Interrupts are blocked, which here only delays one, but which a worker stays: one that came before any code of ours ran
    there would print a traceback.
    """
    sys.stdout.flush()
    heard = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    kept, shares = os.dup(1), {name: os.environ.get(name) for name in _THREADS}
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
    os.environ.update(dict.fromkeys(_THREADS, str(threads)))
    try:
        yield
    finally:
        for name, share in shares.items():
            os.environ.pop(name)
            if share is not None:
                os.environ[name] = share
        os.dup2(kept, 1)
        os.close(kept)
        signal.pthread_sigmask(signal.SIG_SETMASK, heard)


def _start_method() -> Literal["forkserver", "spawn"]:
    """forkserver, never fork after Polars ran; spawn, slower to start, where the server's socket has too long a path."""
    return "forkserver" if len(os.fsencode(tempfile.gettempdir())) < _SOCKET_PATH_BYTES else "spawn"


def ordered_map(function: Callable[[In], Out], items: Iterable[In], workers: int) -> Iterator[Out]:
    """function(item) for each item, in order, over `workers` processes; a bounded number of items is in flight.

    One worker, or a single item, runs in this process. Raises NegforgeError when a worker is killed.
    """
    source = iter(items)
    head = list(itertools.islice(source, 2))
    if workers == 1 or len(head) < 2:
        for item in head:
            yield function(item)
        del head
        for item in source:
            yield function(item)
        return
    context = multiprocessing.get_context(_start_method())
    threads = max(1, default_workers() // workers)
    environment = {name: value for name, value in os.environ.items() if name.startswith(_OURS)}
    with _starting(threads):  # the pool starts a tracker of its semaphores
        pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(environment,))
    waiting: deque[Future[Out]] = deque()

    def submit(item: In) -> None:
        with _starting(threads):
            waiting.append(pool.submit(function, item))

    try:
        for item in head:
            submit(item)
        head.clear()
        for item in source:
            submit(item)
            if len(waiting) > workers + 1:
                yield _result(pool, waiting.popleft())
        while waiting:
            yield _result(pool, waiting.popleft())
    except BrokenProcessPool as error:
        _end(pool)
        raise NegforgeError(
            "a worker process was killed",
            "the operating system may have run out of memory",
            'try fewer --workers or a smaller --batch-size; a script calls negforge below if __name__ == "__main__":',
        ) from error
    except BaseException:
        _end(pool)
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _result(pool: ProcessPoolExecutor, future: Future[Out]) -> Out:
    """The future's result. BrokenProcessPool also where a worker was killed while it sent one.

    The executor then goes on reading for ever: it sees a dead worker only between two results.
    """
    while not future.done():
        wait([future], timeout=_LOOK_SECONDS)
        if not future.done() and any(process.exitcode is not None for process in _processes(pool)):
            wait([future], timeout=_LOOK_SECONDS)  # a worker that failed to start is the executor's to report
            if not future.done():
                raise BrokenProcessPool
    return future.result()


def _processes(pool: ProcessPoolExecutor) -> list[Any]:
    """The pool's processes; Python has no public way to them."""
    return [*(getattr(pool, "_processes", None) or {}).values()]


def _end(pool: ProcessPoolExecutor) -> None:
    """End the workers now, and the pool's wait for what they were sending."""
    for process in _processes(pool):
        process.terminate()
    results = getattr(pool, "_result_queue", None)
    if results is not None:
        results._writer.close()  # noqa: SLF001 - our end of the pipe: while it is open, its reader waits
