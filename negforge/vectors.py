"""Vectors of texts: kept by what was encoded and by what encoded it, in shards that are whole or not there, or brought by the user.

An encoder's vectors lie in the cache under its fingerprint, each under the digest of its text: a text is encoded once, whatever
tables it stands in, and a kill loses a block at most, or five seconds of a local model's. Texts are encoded in the order of their
digests in blocks of 1,024, since what is beside a text changes the last bits of its vector; so neither batches nor workers have a
say. What other runs left in the cache has: a text that is there is not encoded, and others stand beside the next.
Source: huggingface/sentence-transformers#3338 (8 hours of encoding lost while margins were tuned), NVIDIA-NeMo/Automodel#2906.
"""

from __future__ import annotations

import functools
import logging
import os
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from negforge import rng
from negforge.corpus import CorpusStore, cache_root, cached, file_digest
from negforge.encoders import ENCODES, F32, Encoder
from negforge.engine import Partitioner, evenly, hold, storage
from negforge.errors import InputError, UsageError
from negforge.keyed import places
from negforge.records import Batches, Corpus
from negforge.search import forget

_log = logging.getLogger(__name__)

Model = Annotated[
    str | None,
    Field(
        description="What encodes: a folder or a Hub name of sentence-transformers or model2vec, or http://HOST/v1#MODEL.",
        examples=["./all-MiniLM-L6-v2"],
        json_schema_extra=ENCODES,
    ),
]
GivenModel = Annotated[
    str,
    Field(
        description="What encodes: a folder or a Hub name of sentence-transformers or model2vec, or http://HOST/v1#MODEL.",
        examples=["./all-MiniLM-L6-v2"],
        json_schema_extra=ENCODES,
    ),
]
Prompt = Annotated[str, Field(description="What the encoder is given before each anchor, such as `query: `.")]
CorpusPrompt = Annotated[str, Field(description="What the encoder is given before every other text, such as `passage: `.")]
CorpusVectors = Annotated[
    Path | None,
    Field(description="Vectors of the corpus, in place of a model: a table with id (or text) and vector, or .npy beside its .ids file."),
]
AnchorVectors = Annotated[
    Path | None, Field(description="Vectors of the anchors, by anchor_id (or text), as those of the corpus; needed with them.")
]
Similarity = Annotated[
    Literal["cosine", "dot"], Field(description="What a score is: the cosine of two vectors, or their inner product as they are.")
]

_BLOCK = 1024
_SHARD_SECONDS = 5.0
_SHARD_ROWS = 1 << 16
_ROWS_A_COPY = 1 << 14
_KEYS = ".keys.npy"
_HIGH, _LOW = "__high", "__low"
_ROWS = ".rows.npy"
_OF = "of"  # the digest of the .npy that a folder's vectors lie in


class _Keys:
    """128-bit keys and the place of each, sorted, so that many are looked up at once."""

    def __init__(self, high: rng.U64, low: rng.U64) -> None:
        self.order = np.lexsort((low, high))
        self.high, self.low = high[self.order], low[self.order]

    def find(self, lanes: rng.Lanes) -> NDArray[np.int64]:
        """The place of each key, -1 for one that is not there."""
        found = places(self.high, self.low, lanes)
        return np.where(found >= 0, self.order[found] if len(self.order) else -1, -1)


@dataclass(frozen=True)
class Lookup:
    """Vectors on disk by key: of an encoder's cache (`folder`), or of one file. Picklable: only paths travel.

    by: what a key is made of. similarity: with `cosine`, vectors are given with length 1.
    """

    folder: Path
    by: Literal["text", "id"]
    similarity: str

    def take(self, texts: pl.Series, ids: pl.Series | None) -> tuple[F32, NDArray[np.bool_]]:
        """A vector for each of n texts, or of their ids, and which have one; the others are zero."""
        keyed = texts if self.by == "text" else ids
        opened = _open(str(self.folder))
        if keyed is None:
            return np.zeros((len(texts), opened.dimensions), dtype=np.float32), np.zeros(len(texts), dtype=bool)
        rows, there = self.of(rng.strings128(keyed))
        return rows, there & keyed.is_not_null().to_numpy()

    def of(self, lanes: rng.Lanes) -> tuple[F32, NDArray[np.bool_]]:
        """As `take`, by the keys themselves."""
        opened = _open(str(self.folder))
        place = opened.keys.find(lanes)
        rows = opened.take(place)
        there = place >= 0
        if self.similarity == "cosine":  # what points nowhere is near nothing
            there &= rows.any(axis=1)
        return self.prepared(rows), there

    def prepared(self, rows: F32) -> F32:
        """Vectors as they are compared: of length 1, unless an inner product was asked for. A zero vector stays so."""
        if self.similarity == "dot":
            return rows
        length = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
        length[length == 0] = 1.0
        found: F32 = (rows / length[:, None]).astype(np.float32)
        return found

    @property
    def dimensions(self) -> int:
        """The length of a vector."""
        return _open(str(self.folder)).dimensions


class _Opened:
    """The shards of a folder, memory-mapped, and all their keys."""

    def __init__(self, folder: Path) -> None:
        self.shards = []
        high, low = [np.zeros(0, np.uint64)], [np.zeros(0, np.uint64)]
        for path in sorted(folder.glob(f"*{_KEYS}")):
            keys, rows = _shard_of(path)
            high.append(keys[0])
            low.append(keys[1])
            self.shards.append(rows)
        self.keys = _Keys(np.concatenate(high), np.concatenate(low))
        self.starts = np.cumsum([0, *(len(one) for one in self.shards)])
        self.dimensions = int(self.shards[0].shape[1]) if self.shards else 0

    def take(self, places: NDArray[np.int64], dtype: type[np.floating] = np.float32) -> NDArray[Any]:
        """The vectors of places over all shards; zeros for -1."""
        found = np.zeros((len(places), self.dimensions), dtype=dtype)
        shard = np.searchsorted(self.starts, places, side="right") - 1
        for number in np.unique(shard[places >= 0]).tolist():
            here = shard == number
            found[here] = self.shards[number][places[here] - self.starts[number]]
            forget(self.shards[number])
        return found


@functools.lru_cache(maxsize=8)
def _open(folder: str) -> _Opened:
    return _Opened(Path(folder))


@dataclass(frozen=True)
class Space:
    """Where anchors and texts are compared. matrix: the corpus's vectors in the order of the store's rows, memory-mapped.

    record: the model by name and content, in place of a path. index, ef: of an approximate search. explained: what it misses, in words.
    """

    anchors: Lookup
    texts: Lookup
    matrix: Path | None = None
    record: dict[str, str] = field(default_factory=dict)
    index: Path | None = None
    ef: int | None = None
    explained: dict[str, str] = field(default_factory=dict)

    def rows(self) -> F32:
        """The corpus's vectors."""
        if self.matrix is None:
            raise RuntimeError("there is no corpus")
        return _matrix(str(self.matrix))

    @property
    def key(self) -> str:
        """What changes with the corpus's vectors."""
        return "" if self.matrix is None else self.matrix.parent.name

    def of_anchors(self, frame: pl.DataFrame) -> tuple[F32, NDArray[np.bool_]]:
        """The vectors of rows' anchors, and which have one."""
        return self.anchors.take(frame["anchor"], frame["anchor_id"])

    def of_texts(self, frame: pl.DataFrame, name: str) -> tuple[F32, NDArray[np.bool_]]:
        """The vectors of a column of texts, by the ids beside it where vectors have ids, and which have one."""
        return self.texts.take(frame[name], frame.get_column(f"{name}_id", default=None))


@functools.lru_cache(maxsize=4)
def _matrix(path: str) -> F32:
    found: F32 = np.load(path, mmap_mode="r", allow_pickle=False)
    return found


def space(
    inputs: Batches,
    columns: Iterable[str],
    store: CorpusStore | None,
    scratch: Path,
    max_memory: int,
    phase: Callable[[str], None],
    *,
    corpus: Corpus | None = None,
    model: str | None,
    anchor_prompt: str,
    corpus_prompt: str,
    corpus_vectors: Path | None,
    anchor_vectors: Path | None,
    similarity: str,
) -> Space:
    """Where the rows of the input and the corpus are compared; what is not yet encoded is.

    inputs: the whole input, read once or twice. columns: of its texts beside the anchor, to be encoded. Raises UsageError where
    neither a model nor vectors are given, or both, and InputError for vectors that cannot be compared.
    """
    if model is not None and not (corpus_vectors is None and anchor_vectors is None):
        raise UsageError("both a model and vectors are given", mend="pass --model, or --corpus-vectors and --anchor-vectors")
    record: dict[str, str] = {}
    if model is None:
        if corpus_vectors is None or anchor_vectors is None:
            missing = "corpus" if corpus_vectors is None else "anchor"
            raise UsageError(f"vectors of the {missing} are missing", mend=f"pass --{missing}-vectors as well")
        anchors, texts = (_brought(path, similarity) for path in (anchor_vectors, corpus_vectors))
        if anchors.dimensions != texts.dimensions:
            where = f"{anchor_vectors} has {anchors.dimensions} numbers a vector, {corpus_vectors} {texts.dimensions}"
            raise InputError("the vectors of anchors and corpus differ in length", where, "take both from one model")
    else:
        text_side = Encoder(model, corpus_prompt)
        anchor_side = text_side if anchor_prompt == corpus_prompt else Encoder(model, anchor_prompt)
        record["model"] = text_side.named

        def asked() -> Iterator[pl.Series]:
            yield from (frame["anchor"] for frame in inputs(1 << 14))

        def others() -> Iterator[pl.Series]:
            for frame in inputs(1 << 14):
                yield from (frame[name].alias("text") for name in columns if name in frame.columns)
            if store is not None:
                yield from (batch["text"] for batch in store.batches())

        limit = max_memory // 8
        anchors = Lookup(encoded(anchor_side, asked(), scratch / "anchors", limit, phase), "text", similarity)
        texts = Lookup(encoded(text_side, others(), scratch / "texts", limit, phase), "text", similarity)
    if store is None or corpus is None:
        return Space(anchors, texts, record=record)
    phase("laying out the corpus's vectors")
    return Space(anchors, texts, _laid_out(store, corpus, texts), record)


# -- an encoder's cache --------------------------------------------------------------------------------------------------


def encoded(encoder: Encoder, texts: Iterable[pl.Series], scratch: Path, limit_bytes: int, phase: Callable[[str], None]) -> Path:
    """The folder of an encoder's vectors, with one for each of the texts. Null has none.

    phase: told how many texts there are to do.
    """

    def keyed() -> Iterator[Wanted]:
        for some in texts:
            once = some.drop_nulls().unique(maintain_order=True)
            lanes = rng.strings128(once)
            yield Wanted(pl.DataFrame({"text": once}), lanes, lanes[0])

    making = Making("vectors", encoder.fingerprint, "encoding, {} texts of at most {}", _BLOCK, paid=encoder.remote)
    return kept(making, keyed(), lambda block: encoder.encode(block["text"].to_list()), scratch, limit_bytes, phase)


class Wanted(NamedTuple):
    """Rows of which something is to be kept under their keys, in the order of another 64-bit key."""

    frame: pl.DataFrame
    lanes: rng.Lanes
    order: rng.U64


class Making(NamedTuple):
    """What is kept: its name, what makes it, words for how far it is, with two places for numbers, and how many rows are made at once.

    paid: every block is written down at once.
    """

    name: str
    fingerprint: str
    words: str
    block: int
    paid: bool


def kept(
    making: Making,
    rows: Iterable[Wanted],
    make: Callable[[pl.DataFrame], NDArray[np.floating]],
    scratch: Path,
    limit_bytes: int,
    phase: Callable[[str], None],
) -> Path:
    """The folder of what was made, with a row of numbers for each key: of a fingerprint, each key once and for all.

    make: called with blocks of rows whose keys are not there yet, in their order whatever that of the input. One makes at a time;
    another who wants the same waits, and finds it done.
    """
    folder = cache_root() / f"{making.name}-{rng.blake(f'{making.name} 1', making.fingerprint)}"
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = hold(folder / "lock")
    try:
        _swept(folder)
        known = _Opened(folder).keys
        parts = Partitioner(scratch, limit_bytes)
        for some in rows:
            fresh = known.find(some.lanes) < 0
            if fresh.any():
                high, low = (lane[fresh] for lane in some.lanes)
                frame = some.frame.filter(pl.Series(fresh)).with_columns(pl.Series(_HIGH, high), pl.Series(_LOW, low))
                parts.add(frame, some.order[fresh])
        _make(making, make, parts, folder, phase)
    finally:
        os.close(lock)
    _open.cache_clear()
    return folder


def found(folder: Path, lanes: rng.Lanes) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """What is kept in a folder under each of n keys, as rows of numbers, and which keys are there; the others are zero."""
    opened = _open(str(folder))
    place = opened.keys.find(lanes)
    return opened.take(place, np.float64), place >= 0


def _swept(folder: Path) -> None:
    """Remove what a kill or a harm left: vectors without keys, and shards that cannot be read; their texts are encoded again."""
    for path in [*folder.iterdir()]:
        if not path.name.endswith((_KEYS, "lock")) and not path.with_name(path.name.removesuffix(_ROWS) + _KEYS).exists():
            path.unlink()
    for path in [*folder.glob(f"*{_KEYS}")]:
        try:
            keys, rows = _shard_of(path)
            whole = keys.shape == (2, len(rows)) and keys.dtype == np.uint64 and rows.dtype.kind == "f" and rows.ndim == 2
        except (OSError, ValueError, EOFError):
            whole = False
        if not whole:
            _log.warning("%s is damaged and is made again", path)
            path.unlink()
            path.with_name(path.name.removesuffix(_KEYS) + _ROWS).unlink(missing_ok=True)


def _shard_of(keys: Path) -> tuple[rng.U64, F32]:
    """A shard's keys, and its vectors, memory-mapped."""
    rows = keys.with_name(keys.name.removesuffix(_KEYS) + _ROWS)
    return np.load(keys, allow_pickle=False), np.load(rows, mmap_mode="r", allow_pickle=False)


def _distinct(parts: Partitioner) -> Iterator[pl.DataFrame]:
    """Each key once, in order."""
    for part, order in parts.parts():
        once = part.with_columns(pl.Series("__order", order)).unique([_HIGH, _LOW], keep="first", maintain_order=True)
        yield once.sort("__order", _HIGH, _LOW).drop("__order")


def _make(
    making: Making, make: Callable[[pl.DataFrame], NDArray[np.floating]], parts: Partitioner, folder: Path, phase: Callable[[str], None]
) -> None:
    waiting: list[tuple[rng.Lanes, NDArray[np.floating]]] = []
    begun = time.monotonic()
    done, most = 0, parts.rows
    for block in evenly(_distinct(parts), making.block):
        if not block.height:
            continue
        phase(making.words.format(f"{done:,}", f"{most:,}"))
        lanes = block[_HIGH].to_numpy(), block[_LOW].to_numpy()
        waiting.append((lanes, make(block.drop(_HIGH, _LOW))))
        done += block.height
        # What a server makes is paid for.
        if making.paid or time.monotonic() - begun >= _SHARD_SECONDS or sum(len(one) for _, one in waiting) >= _SHARD_ROWS:
            _shard(folder, waiting)
            waiting, begun = [], time.monotonic()
    if waiting:
        _shard(folder, waiting)
    if done:
        _log.info("%s done", making.words.format(f"{done:,}", f"{most:,}"))


def _shard(folder: Path, parts: list[tuple[rng.Lanes, NDArray[np.floating]]]) -> None:
    """Write what was made; with its keys in place a shard is whole."""
    rows = np.concatenate([made for _, made in parts])
    if not rows.size:
        raise InputError("the model gave vectors of no numbers", mend="use another model")
    name = f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}"
    keys = np.concatenate([np.stack(lanes) for lanes, _ in parts], axis=1)
    with storage(folder):
        for suffix, data in ((_ROWS, rows), (_KEYS, keys)):
            part = folder / f"{name}{suffix}.part"
            with part.open("wb") as out:
                np.save(out, data, allow_pickle=False)
                out.flush()
                os.fsync(out.fileno())
            part.rename(folder / f"{name}{suffix}")


# -- vectors that the user brings -------------------------------------------------------------------------------------


def _brought(path: Path, similarity: str) -> Lookup:
    """The vectors of a file, by id or by text. Read once for each content; an .npy is mapped where it lies."""
    if not path.is_file():
        raise InputError(f"there is no file {path}", mend="check the path")
    npy = path.suffix == ".npy"
    ids = path.with_suffix(".ids") if npy else path
    if not ids.is_file():
        raise InputError(f"{path} has no ids", f"{ids} is not there", "write the ids of its rows there, one a line, in their order")
    digests = {one: file_digest(one) for one in (path, ids)}
    key = rng.blake("brought 2", digests[path], digests[ids], str(path.resolve()) if npy else "")

    def write(new: Path) -> None:
        if npy:
            _write_npy(path, ids, new)
            (new / _OF).write_text(digests[path], encoding="ascii")
        else:
            _write_table(path, new)
        for one, digest in digests.items():
            _refuse_changed(one, digest)

    folder = cached(f"vectors-{key}", write)
    by: Literal["text", "id"] = "text" if (folder / "by-text").exists() else "id"
    if similarity == "cosine" and (folder / "zero").exists():
        where = f"{path}: {(folder / 'zero').read_text(encoding='utf-8')}"
        raise InputError("a vector is zero and has no direction", where, "leave the row out, or pass --similarity dot where there is one")
    return Lookup(folder, by, similarity)


def _refuse_changed(path: Path, digest: str) -> None:
    """Raise InputError for a file of vectors that is no longer the one with the digest, under which others would take what was read."""
    if file_digest(path) != digest:
        mend = "run the command again when nothing writes there; write a file elsewhere and rename it"
        raise InputError("vectors changed while they were read", str(path.resolve()), mend)


def _write_npy(path: Path, ids: Path, folder: Path) -> None:
    try:
        rows = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(f"{path} is not readable as .npy", str(error), "write it by numpy.save, without objects") from error
    if rows.ndim != 2 or rows.dtype.kind != "f":
        raise InputError(f"{path} holds no vectors", f"an array of {rows.dtype}, shape {rows.shape}", "a row a text, of floats")
    try:
        names = ids.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{ids} is not UTF-8", str(error), "write the ids as UTF-8, one a line") from error
    if len(names) != len(rows):
        raise InputError("vectors and ids differ in number", f"{path} has {len(rows):,} rows, {ids} {len(names):,} lines", "mend either")
    _checked(rows, pl.Series(names, dtype=pl.String), str(path), folder)
    with storage(folder):
        (folder / f"0{_ROWS}").symlink_to(path.resolve())
        np.save(folder / f"0{_KEYS}", np.stack(rng.strings128(pl.Series(names, dtype=pl.String))), allow_pickle=False)
    _each_once(folder, path)


def _write_table(path: Path, folder: Path) -> None:
    """Copy a table's vectors into shards. One that has both an id and a text is known by its id."""
    from negforge.tables import open_sources

    width = number = done = 0
    for source in open_sources(str(path)):
        for frame in source.batches(_ROWS_A_COPY):
            by = next((name for name in ("id", "_id", "text") if name in frame.columns), None)
            if by is None or "vector" not in frame.columns:
                missing = "vector" if by is not None else "id"
                raise InputError(f"column '{missing}' is not in {path}", f"it has {', '.join(frame.columns)}", "name it so: id, vector")
            if not frame.height:
                continue
            keys = frame[by].cast(pl.String)
            rows = _numbers(frame["vector"], keys, str(path), width)
            width = rows.shape[1]
            _checked(rows, keys, str(path), folder, done)
            done += frame.height
            if by == "text":
                (folder / "by-text").touch()
            lanes = rng.strings128(keys)
            with storage(folder):
                np.save(folder / f"{number:06d}{_ROWS}", rows, allow_pickle=False)
                np.save(folder / f"{number:06d}{_KEYS}", np.stack(lanes), allow_pickle=False)
            number += 1
    if not number:
        raise InputError(f"{path} holds no vectors", mend="give a row for each text")
    _each_once(folder, path)


def _numbers(column: pl.Series, keys: pl.Series, path: str, width: int) -> F32:
    """A column of lists as rows of numbers, all as long as `width`, if that is above 0."""
    if isinstance(column.dtype, pl.Array):
        column = column.arr.to_list()
    if not isinstance(column.dtype, pl.List) or not (column.dtype.inner.is_numeric() or column.dtype.inner == pl.Null):
        raise InputError(f"column 'vector' of {path} holds no vectors", f"it is of {column.dtype}", "write each as a list of numbers")
    sizes = column.list.len().fill_null(0)
    wanted = width or int(sizes[0])
    odd = (sizes != wanted).arg_true() if wanted else pl.Series([0])
    if len(odd):
        row = int(odd[0])
        where = f"{path}, row of {keys[row]!r}: {sizes[row]}, where {wanted} are expected" if wanted else f"{path}, row of {keys[row]!r}"
        raise InputError("a vector has another length" if wanted else "a vector is empty", where, "encode all texts by one model")
    flat = column.explode()
    if flat.null_count():
        row = int(flat.is_null().arg_true()[0]) // wanted
        raise InputError("a vector holds a null", f"{path}, row of {keys[row]!r}", "mend or leave out the row")
    return flat.cast(pl.Float32).to_numpy().reshape(-1, wanted)


def _each_once(folder: Path, path: Path) -> None:
    """Raise InputError where one id, or text, has two vectors; equal ones are one."""
    opened = _Opened(folder)
    keys = opened.keys
    again = np.flatnonzero((keys.high[1:] == keys.high[:-1]) & (keys.low[1:] == keys.low[:-1]))
    for start in range(0, len(again), _ROWS_A_COPY):
        first, second = (keys.order[again[start : start + _ROWS_A_COPY] + step] for step in (0, 1))
        other = np.flatnonzero((opened.take(first) != opened.take(second)).any(axis=1))
        if len(other):
            one, two = sorted((int(first[other[0]]) + 1, int(second[other[0]]) + 1))
            raise InputError("one id has two vectors", f"{path}, rows {one:,} and {two:,}", "give each text its own id, or leave one out")


def _checked(rows: F32, keys: pl.Series, path: str, folder: Path, done: int = 0) -> None:
    """Raise InputError for a vector with NaN or infinity, and write down the first that is zero. done: rows before these."""
    for start in range(0, len(rows), _ROWS_A_COPY):
        part = np.asarray(rows[start : start + _ROWS_A_COPY], dtype=np.float32)
        sound = np.isfinite(part).all(axis=1)
        if not sound.all():
            row = start + int(np.flatnonzero(~sound)[0])
            where = f"{path}, row {done + row + 1:,}, of {keys[row]!r}"
            raise InputError("a vector holds NaN or infinity", where, "mend or leave out the row")
        forget(rows)
        zero = ~part.any(axis=1)
        if zero.any() and not (folder / "zero").exists():
            row = start + int(np.flatnonzero(zero)[0])
            (folder / "zero").write_text(f"row {done + row + 1:,}, of {keys[row]!r}", encoding="utf-8")


# -- the corpus in one piece -------------------------------------------------------------------------------------------


def _laid_out(store: CorpusStore, corpus: Corpus, texts: Lookup) -> Path:
    """The vectors of a corpus in the order of its rows, as they are compared, in one file that is memory-mapped."""
    key = rng.blake("matrix 1", corpus.digest, texts.folder.name, texts.similarity)
    return cached(f"matrix-{key}", lambda folder: _lay_out(store, texts, folder)) / "rows.npy"


def _lay_out(store: CorpusStore, texts: Lookup, folder: Path) -> None:
    width, descr = texts.dimensions, np.lib.format.dtype_to_descr(np.dtype(np.float32))
    with storage(folder), (folder / "rows.npy").open("wb") as out:
        np.lib.format.write_array_header_1_0(out, {"descr": descr, "fortran_order": False, "shape": (store.size, width)})
        for batch in store.batches():
            for piece in batch.iter_slices(_ROWS_A_COPY):
                rows, there = texts.take(piece["text"], piece["id"])
                if texts.by == "id" and not there.all():
                    missing = piece["id"][int(np.flatnonzero(~there)[0])]
                    raise InputError(f"the corpus's text {missing!r} has no vector", "--corpus-vectors", "give one for every text")
                out.write(np.ascontiguousarray(rows, dtype=np.float32).data)
    if (texts.folder / _OF).exists():  # mapped where it lies
        _refuse_changed(texts.folder / f"0{_ROWS}", (texts.folder / _OF).read_text(encoding="ascii"))
