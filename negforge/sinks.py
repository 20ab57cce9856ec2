"""Where a stage's rows go: a pipe, one file, a table on the terminal. Each ends whole or not at all."""

from __future__ import annotations

import contextlib
import filecmp
import hashlib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from negforge import rng
from negforge.badrows import placeless
from negforge.engine import Scratch, Spool, collect, evenly, storage, temporary_scratch
from negforge.errors import UsageError, listed
from negforge.formats import METADATA, History, as_type, entries
from negforge.options import Settings
from negforge.records import DROP_NAMES, Kind
from negforge.report import steerless
from negforge.tables import SIDECARS, beside_suffix, format_of, sidecar, taken

ROWS_A_GROUP = 50_000
_ROWS_A_BATCH = 10_000  # of an Arrow file
_PLAIN_NUMBERS = (pa.int32(), pa.int64(), pa.float32(), pa.float64())  # those that Parquet has itself
_STDOUT = Path("standard output")
BYTES_A_GROUP = 32_000_000  # of cells as `row_bytes` counts them: long texts make a row group of fewer rows


@dataclass
class Digests:
    """Counts and order-free digests of what was written. A digest is 32 hex digits.

    rows: of the kept rows over the kind's digest columns; the same on any engine and machine. content, dropped: of all
    columns of the kept and of the dropped rows, but for the line that a bad one stood in; the same with one set of versions.
    placed: the sum of the dropped rows with that line, as it was made at first.
    """

    kind: Kind
    kept: int = 0
    lost: int = 0
    sums: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("rows", "content", "dropped"), 0))
    placed: int = 0

    def add(self, kept: pl.DataFrame, dropped: pl.DataFrame) -> None:
        """Count rows in."""
        self.kept += kept.height
        self.lost += dropped.height
        if kept.height:
            known: dict[str, rng.Lanes] = {}
            self.sums["rows"] += rng.total128(rng.frame_lanes(kept, self.kind.digest or sorted(kept.columns), known))
            self.sums["content"] += rng.total128(rng.frame_lanes(kept, sorted(kept.columns), known))
        if dropped.height:
            names, bare = sorted(dropped.columns), placeless(dropped)
            total = rng.total128(rng.frame_lanes(bare, names))
            self.sums["dropped"] += total
            self.placed += total if bare is dropped else rng.total128(rng.frame_lanes(dropped, names))

    def named(self) -> dict[str, str]:
        """The digests by name."""
        return {f"{name}_digest": _digest(total) for name, total in self.sums.items()}

    def holds(self, name: str, digest: str) -> bool:
        """Whether a digest is that of these rows, also as an earlier version made it."""
        return digest == self.named().get(name) or (name == "dropped_digest" and digest == _digest(self.placed))


def _digest(total: int) -> str:
    return f"{total % (1 << 128):032x}"


@dataclass
class Outcome:
    """What became of a stage's rows: where they are, in words, and the figures of the manifest."""

    place: str
    rows: int
    dropped: int
    digests: dict[str, str]
    unchanged: bool = False
    version: int | None = None


def split_dropped(frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Kept rows without the drop block, and dropped rows with it."""
    if "dropped_by" not in frame.columns:
        return frame, frame.clear()
    lost = frame["dropped_by"].is_not_null()
    return frame.filter(~lost).drop(DROP_NAMES), frame.filter(lost)


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """A schema of plain types: `string` and `list`, which every reader knows, for what Polars makes.

    Polars writes `large_string` and `large_list`, on which `datasets` and others stumble (datasets #6834, #7765); categories
    become text, and so does a column without a value.
    """
    return pa.schema([pa.field(field.name, _plain(field.type), field.nullable) for field in schema])


def _plain(kind: pa.DataType) -> pa.DataType:
    types = pa.types
    if types.is_large_string(kind) or types.is_string_view(kind) or types.is_null(kind):
        return pa.string()
    if types.is_large_binary(kind) or types.is_binary_view(kind):
        return pa.binary()
    if types.is_dictionary(kind):
        return _plain(kind.value_type)
    if types.is_large_list(kind) or types.is_list(kind):
        return pa.list_(_plain(kind.value_type))
    if types.is_fixed_size_list(kind):
        return pa.list_(_plain(kind.value_type))  # `datasets` knows no other name for it
    if types.is_struct(kind):
        return pa.struct([pa.field(one.name, _plain(one.type)) for one in kind])
    return kind


def row_bytes(frame: pl.DataFrame) -> NDArray[np.int64]:
    """The size of each row: bytes of its texts and bytes, those in lists and records too, and 8 for any other value.

    Of the row alone: what is decided by it does not depend on how rows came in batches.
    """
    sizes = np.zeros(frame.height, dtype=np.int64)
    for column in frame.get_columns():
        sizes += _sizes(column)
    return sizes


def _sizes(values: pl.Series) -> NDArray[np.int64]:
    """The size of each cell."""
    dtype = values.dtype
    if dtype == pl.String:
        return values.str.len_bytes().fill_null(0).to_numpy().astype(np.int64)
    if dtype == pl.Binary:
        return values.bin.size().fill_null(0).to_numpy().astype(np.int64)
    if isinstance(dtype, pl.Struct):
        return row_bytes(values.struct.unnest())
    if isinstance(dtype, pl.Array):
        values = values.arr.to_list()
    if isinstance(dtype, pl.Map):
        values = values.cast(entries(dtype))
    if isinstance(values.dtype, pl.List):
        lengths = values.list.len().fill_null(0).to_numpy().astype(np.int64)
        ends = np.concatenate([[0], np.cumsum(_sizes(values.filter(pl.Series(lengths > 0)).explode()))])
        last = np.cumsum(lengths)
        sizes: NDArray[np.int64] = ends[last] - ends[last - lengths]
        return sizes
    return np.full(len(values), 8, dtype=np.int64)


class ParquetShard:
    """One Parquet file, its row groups cut by the rows alone, so that equal rows give equal bytes however they come.

    zstd and content-defined chunks: a version that differs little shares most of its bytes with the last. A file with no
    rows has no row group, since an empty one breaks `load_dataset`. memory_bytes: what `datasets` counts as the rows' size.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path, self.rows, self.memory_bytes = path, 0, 0
        self._schema = plain_schema(schema)
        self._held: list[tuple[pa.Table, NDArray[np.int64]]] = []
        self._waiting_rows = self._waiting_bytes = 0
        self._first_group = 0
        with storage(path):
            self._writer = pq.ParquetWriter(path, self._schema, compression="zstd", use_content_defined_chunking=True)

    def add(self, frame: pl.DataFrame) -> None:
        """Append rows."""
        for piece in frame.iter_slices(ROWS_A_GROUP):
            sizes = row_bytes(piece)
            # As Arrow, which copies: a frame's filtered or sliced rows keep all its texts in memory.
            self._held.append((piece.to_arrow(), sizes))
            self._waiting_rows += piece.height
            self._waiting_bytes += int(sizes.sum())
            if self._waiting_rows >= ROWS_A_GROUP or self._waiting_bytes >= BYTES_A_GROUP:
                self._cut()

    def _cut(self) -> None:
        """Write the groups that are full: of `ROWS_A_GROUP` rows, or fewer that reach `BYTES_A_GROUP`."""
        tables, sizes = zip(*self._held, strict=True)
        table, size = pa.concat_tables(tables), np.concatenate(sizes)
        ends = np.concatenate([[0], np.cumsum(size)])
        start = 0
        while (end := min(start + ROWS_A_GROUP, int(np.searchsorted(ends, ends[start] + BYTES_A_GROUP)))) <= len(size):
            self._write(table[start:end])
            start = end
        self._held = [(table[start:], size[start:])]
        self._waiting_rows, self._waiting_bytes = len(size) - start, int(ends[-1] - ends[start])

    def _write(self, table: pa.Table) -> None:
        group = table.cast(self._schema).combine_chunks()
        self._first_group = self._first_group or group.num_rows
        self.rows += group.num_rows
        # `datasets` reads a file in batches as long as its first row group.
        self.memory_bytes += sum(_read_bytes(group, at, self._first_group) for at in range(0, group.num_rows, self._first_group))
        with storage(self.path):
            self._writer.write_table(group, row_group_size=group.num_rows)

    def close(self, notes: dict[str, Any] | None = None) -> None:
        """Write what waits and the footer."""
        if self._waiting_rows:
            self._write(pa.concat_tables(table for table, _ in self._held))
            self._held, self._waiting_rows, self._waiting_bytes = [], 0, 0
        with storage(self.path):
            if notes is not None:
                self._writer.add_key_value_metadata({METADATA: json.dumps(notes).encode()})
            self._writer.close()
            sync(self.path)


def _read_bytes(group: pa.Table, at: int, rows: int) -> int:
    """The size of some rows of a row group once they are read back from Parquet."""
    piece = group[at : at + rows]
    more = [_more_bytes(whole.chunk(0), part.chunk(0)) for whole, part in zip(group.columns, piece.columns, strict=True)]
    return int(piece.nbytes) + sum(more)


def _more_bytes(group: pa.Array, piece: pa.Array) -> int:
    """What bitmaps add: read back, they begin with the row group; plain numbers always have one, others where there are nulls."""
    kind = group.type
    if pa.types.is_struct(kind):
        return sum(_more_bytes(group.field(number), piece.field(number)) for number in range(kind.num_fields))
    inner = _more_bytes(_items(group), _items(piece)) if pa.types.is_list(kind) else 0
    here, there = (_bitmap_bytes(offset, len(piece)) for offset in (piece.offset, piece.offset - group.offset))
    wanted = bool(kind in _PLAIN_NUMBERS or pa.types.is_timestamp(kind) or group.null_count)
    values = there - here if pa.types.is_boolean(kind) else 0
    return inner + values + wanted * there - (piece.buffers()[0] is not None) * here


def _items(lists: pa.ListArray) -> pa.Array:
    return lists.values[lists.offsets[0].as_py() : lists.offsets[-1].as_py()]


def _bitmap_bytes(offset: int, length: int) -> int:
    return (offset % 8 + length + 7) // 8


def sync(path: Path) -> None:
    """Force a file, or a folder's entries, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_atomically(path: Path, data: bytes, fresh: Path | None = None) -> None:
    """Write a file that is whole or not there. fresh: where it is made; on the same disk, beside the file unless given."""
    fresh = fresh or path.with_name(f".{path.name}")
    with storage(path), fresh.open("wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
    with storage(path):
        fresh.replace(path)
        sync(path.parent)


def sha256(path: Path) -> str:
    """The sha256 of a file's bytes. Raises OSError."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


class Sink:
    """Takes frames, all with the same columns, and publishes them at `finish`; `abort` leaves nothing behind.

    gathers: whether frames may wait for others; on a stream somebody waits for them. document, beside: of an exporter, as it
    declares them: what stands around its rows in a .json, and the files beside the texts that they name.
    """

    gathers = True
    document = "{rows}"
    beside: Mapping[str, str] = MappingProxyType({})

    def __init__(self, kind: Kind) -> None:
        self.kind, self.digests = kind, Digests(kind)

    def write(self, frame: pl.DataFrame) -> None:
        """Take rows, kept and dropped."""
        raise NotImplementedError

    def finish(self, history: History, report: dict[str, Any]) -> Outcome:
        """Publish."""
        raise NotImplementedError

    def aside(self, name: str, frame: pl.DataFrame) -> None:
        """Take rows of a sidecar: rows that an export dropped, where its rows came from, or the texts that they name."""
        if name == "corpus":
            raise UsageError("rows that name texts by id need a place for the texts", "a stream has none", "pass -o FILE")
        if name == "dropped":  # on a stream there is no place for a sidecar: dropped rows are counted
            self.digests.add(frame.clear(), frame)

    def abort(self) -> None:
        """Give up; nothing is published."""

    def _outcome(self, place: str, **more: Any) -> Outcome:
        return Outcome(place, self.digests.kept, self.digests.lost, self.digests.named(), **more)


class ArrowStream:
    """An Arrow stream whose header carries `notes`, and which ends with an empty batch that says it is whole."""

    def __init__(self, notes: dict[str, Any], stream: IO[bytes]) -> None:
        self._notes, self._stream = notes, stream
        self._writer: pa.ipc.RecordBatchStreamWriter | None = None
        self._schema: pa.Schema | None = None
        self._rows = 0

    def write(self, frame: pl.DataFrame) -> None:
        """Send rows; all frames have the same columns."""
        table = frame.to_arrow()
        if self._writer is None:
            self._schema = table.schema.with_metadata({METADATA: json.dumps(self._notes).encode()})
            self._writer = pa.ipc.new_stream(self._stream, self._schema)
        self._writer.write_table(table.cast(self._schema))
        self._rows += frame.height

    def finish(self, history: History, report: dict[str, Any], digests: dict[str, str]) -> None:
        """Send the end."""
        if self._writer is None or self._schema is None:
            raise RuntimeError("a stage wrote no frame")
        end = {"rows": self._rows, "history": history, "report": report, **digests}
        last = pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in self._schema], schema=self._schema)
        self._writer.write_batch(last, custom_metadata={METADATA: json.dumps(end).encode()})
        self._writer.close()
        self._stream.flush()


class PipeSink(Sink):
    """An Arrow stream; dropped rows travel inside. Rows go as they come: where batches end, and dropped rows stand, means nothing."""

    gathers = False

    def __init__(self, kind: Kind, clustered: bool, stream: IO[bytes]) -> None:
        super().__init__(kind)
        self._arrow = ArrowStream({"kind": kind.name, "clustered": clustered}, stream)

    def write(self, frame: pl.DataFrame) -> None:
        """Send rows."""
        self.digests.add(*split_dropped(frame))
        with storage(_STDOUT):
            self._arrow.write(frame)

    def finish(self, history: History, report: dict[str, Any]) -> Outcome:
        """Send the end."""
        with storage(_STDOUT):
            self._arrow.finish(history, report, self.digests.named())
        return self._outcome("a pipe")


class TextSink(Sink):
    """Kept rows as JSON Lines or CSV on a stream, for people and `jq`."""

    gathers = False

    def __init__(self, kind: Kind, form: str, stream: IO[bytes]) -> None:
        super().__init__(kind)
        self._form, self._stream, self._begun = form, stream, False

    def write(self, frame: pl.DataFrame) -> None:
        """Print kept rows."""
        kept, dropped = split_dropped(frame)
        self.digests.add(kept, dropped)
        text = rows_as_text(kept, self._form, header=not self._begun)
        with storage(_STDOUT):
            self._stream.write(steerless(text.decode()).encode() if self._stream.isatty() else text)
        self._begun = True

    def finish(self, history: History, report: dict[str, Any]) -> Outcome:
        """End."""
        with storage(_STDOUT):
            self._stream.flush()
        return self._outcome("standard output")


def rows_as_text(frame: pl.DataFrame, form: str, *, header: bool) -> bytes:
    """Rows as JSON Lines or CSV; bytes are base64, and in CSV lists and records are JSON in their cell."""
    frame = frame.with_columns(_in_base64(pl.col(name), dtype).alias(name) for name, dtype in frame.schema.items() if _holds_bytes(dtype))
    if form == "jsonl":
        return frame.write_ndjson().encode()
    nested = [name for name, dtype in frame.schema.items() if dtype.is_nested() or dtype == pl.Duration]
    frame = frame.with_columns(
        pl.when(pl.col(name).is_not_null())
        .then(pl.struct(pl.col(name).alias("c")).struct.json_encode().str.slice(len('{"c":')).str.head(-1))
        .alias(name)
        for name in nested
    )
    return frame.write_csv(include_header=header).encode()


def _holds_bytes(dtype: pl.DataType) -> bool:
    if isinstance(dtype, pl.Struct):
        return any(_holds_bytes(as_type(one.dtype)) for one in dtype.fields)
    if isinstance(dtype, pl.Map):
        return _holds_bytes(entries(dtype))
    return _holds_bytes(as_type(dtype.inner)) if isinstance(dtype, (pl.List, pl.Array)) else dtype == pl.Binary


def _in_base64(cell: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    """Cells with their bytes as text, which is what JSON and CSV have a place for."""
    if isinstance(dtype, pl.Struct):
        fields = [_in_base64(cell.struct.field(one.name), as_type(one.dtype)).alias(one.name) for one in dtype.fields]
        return pl.when(cell.is_not_null()).then(pl.struct(fields))
    if isinstance(dtype, pl.Map):
        return _in_base64(cell.cast(entries(dtype)), entries(dtype))
    if isinstance(dtype, pl.Array):
        return _in_base64(cell.arr.to_list(), pl.List(dtype.inner))
    if isinstance(dtype, pl.List):
        return cell.list.eval(_in_base64(pl.element(), as_type(dtype.inner)))
    return cell.bin.encode("base64") if dtype == pl.Binary else cell


class PreviewSink(Sink):
    """A short table for a terminal: the first kept rows."""

    def __init__(self, kind: Kind) -> None:
        super().__init__(kind)
        self._first: list[pl.DataFrame] = []

    def write(self, frame: pl.DataFrame) -> None:
        """Keep the first rows."""
        kept, dropped = split_dropped(frame)
        self.digests.add(kept, dropped)
        if sum(one.height for one in self._first) < 8 and kept.height:
            self._first.append(kept.head(8))

    def finish(self, history: History, report: dict[str, Any]) -> Outcome:
        """Print."""
        if self._first:
            from negforge.report import preview

            preview(pl.concat(self._first).head(8), sys.stdout)
        return self._outcome("the terminal")


class FileSink(Sink):
    """One file, renamed into place when whole, and `NAME.dropped.parquet` when rows were dropped.

    A file that would be the same to the byte is left alone, modification time included.
    """

    def __init__(self, kind: Kind, path: Path, clustered: bool) -> None:
        super().__init__(kind)
        self._path, self._clustered = path, clustered
        self._form, self._packed = format_of(path.name)
        unwritten = ("tsv",) if kind.name == "export" else ("json", "tsv")
        if not self._form or self._form in unwritten or self._packed:
            raise UsageError(
                f"cannot write {path}", "a file is written as .parquet, .jsonl, .csv or .arrow", "choose one of these, or a folder"
            )
        with storage(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            prefix = f".{path.name}.stage-"
            collect(path.parent, prefix)
            self._scratch = Scratch(path.parent, prefix)
        self._main = self._scratch.path / f"main.{self._form}"
        self._shard: ParquetShard | None = None
        self._spool: Spool | None = None
        self._text: IO[bytes] | None = None
        self._asides: dict[str, ParquetShard] = {}
        self._begun = self._listed = False

    def write(self, frame: pl.DataFrame) -> None:
        """Take rows."""
        kept, dropped = split_dropped(frame)
        self.digests.add(kept, dropped)
        if not self._begun:
            self._begin(kept)
        with storage(self._path):
            if self._shard is not None:
                self._shard.add(kept)
            elif self._spool is not None:
                self._spool.add(kept)
            elif self._text is not None and kept.height:
                self._text.write(self._json(kept) if self._form == "json" else rows_as_text(kept, self._form, header=False))
        if dropped.height:
            self._beside("dropped", dropped)

    def _begin(self, kept: pl.DataFrame) -> None:
        self._begun = True
        with storage(self._path):
            if self._form == "parquet":
                self._shard = ParquetShard(self._main, kept.clear().to_arrow().schema)
            elif self._form == "arrow":  # its header names the digests, which are known at the end
                self._spool = Spool(self._scratch.path / "rows.arrow")
            else:
                self._text = self._main.open("wb")
                self._text.write(self._around()[0] if self._form == "json" else rows_as_text(kept.clear(), self._form, header=True))

    def _around(self) -> tuple[bytes, bytes]:
        """What stands before the first row of a document of JSON, and behind the last."""
        before, _, behind = self.document.partition("{rows}")
        folder = json.dumps(sidecar(self._path, "corpus").parent.name, ensure_ascii=False)
        return before.replace("{corpus}", folder).encode() + b"[", b"\n]" + behind.replace("{corpus}", folder).encode() + b"\n"

    def _json(self, kept: pl.DataFrame) -> bytes:
        """Rows of a document, a line each."""
        lines = b"\n" + rows_as_text(kept, "jsonl", header=False).rstrip(b"\n").replace(b"\n", b",\n")
        comma = b"," if self._listed else b""
        self._listed = True
        return comma + lines

    def aside(self, name: str, frame: pl.DataFrame) -> None:
        """Take rows of a sidecar."""
        if name == "dropped":
            self.digests.add(frame.clear(), frame)
        self._beside(name, frame)

    def _beside(self, name: str, frame: pl.DataFrame) -> None:
        if name not in self._asides:
            if name == "corpus":
                self._refuse_folder(sidecar(self._path, name))
            self._asides[name] = ParquetShard(self._scratch.path / f"{name}.parquet", frame.to_arrow().schema)
        self._asides[name].add(frame)

    def _refuse_folder(self, beside: Path) -> None:
        """Raise UsageError for a folder in place of the corpus that is none of ours."""
        folder = beside.parent
        ours = beside_suffix(beside) or not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
        fault = next(iter(taken(self._path, "corpus")), None)
        if ours and fault is None:
            return
        where = f"-o {self._path} needs the folder for the texts that its rows name"
        raise fault or UsageError(f"{folder} was not written as the corpus of an export", where, "name another file, or delete it first")

    def finish(self, history: History, report: dict[str, Any]) -> Outcome:
        """Rename the sidecars, then the file."""
        if not self._begun:
            raise RuntimeError("a stage wrote no frame")
        digests = self.digests.named()
        notes = {"kind": self.kind.name, "clustered": self._clustered, "history": history, **digests}
        if "dropped" not in self._asides:
            notes.pop("dropped_digest")
        with storage(self._path):
            if self._shard is not None:
                self._shard.close(notes)
            if self._spool is not None:
                self._text = self._main.open("wb")
                stream = ArrowStream(notes, self._text)
                # Cut by rows alone: a run with other batches writes the same bytes.
                for frame in evenly(self._spool.batches(), _ROWS_A_BATCH):
                    stream.write(frame)
                stream.finish(history, report, digests)
            if self._text is not None:
                if self._form == "json":
                    self._text.write(self._around()[1])
                self._text.flush()
                os.fsync(self._text.fileno())
                self._text.close()
            if self._form in ("json", "jsonl", "csv") and self.kind.name == "export" and "provenance" not in self._asides:
                # By it text is known as ours when it is to be replaced.
                for start in range(0, max(1, self.digests.kept), ROWS_A_GROUP):
                    end = min(start + ROWS_A_GROUP, self.digests.kept)
                    self._beside("provenance", pl.select(pl.int_range(start, end, dtype=pl.Int64).alias("row")))
            for fault in [one for name in self._asides for one in taken(self._path, name)]:
                raise fault  # a stage of the same pipeline made it since the output was judged
            changed = False
            for name, shard in self._asides.items():
                files = self.beside if name == "corpus" else {}
                notes = {"kind": self.kind.name, "suffix": self._path.suffix, "history": history, **digests}
                shard.close({**notes, **({"files": [*files]} if files else {})})
                place = sidecar(self._path, name)
                place.parent.mkdir(exist_ok=True)
                changed |= _replace(shard.path, place)
                for file, written in files.items():
                    fresh = self._scratch.path / file
                    fresh.write_text(written, encoding="utf-8")
                    sync(fresh)
                    changed |= _replace(fresh, place.with_name(file))
            changed |= _replace(self._main, self._path)
            for name in {*SIDECARS} - self._asides.keys():
                stale = sidecar(self._path, name)
                if not taken(self._path, name) and (name != "corpus" or beside_suffix(stale) == self._path.suffix):
                    _remove_stale(stale)
            sync(self._path.parent)
            self._scratch.close()
        return self._outcome(str(self._path), unchanged=not changed)

    def abort(self) -> None:
        """Remove what was begun."""
        self._scratch.close()


def _remove_stale(path: Path) -> None:
    """Remove the sidecar of an earlier run; a file of that name that is not ours stays."""
    with contextlib.suppress(OSError, pa.ArrowInvalid):
        if METADATA in (notes := pq.read_metadata(path).metadata or {}):
            path.unlink()
            for file in json.loads(notes[METADATA]).get("files", []):
                path.with_name(file).unlink(missing_ok=True)
            if path.parent.suffix == ".corpus" and not any(path.parent.iterdir()):
                path.parent.rmdir()


def _replace(new: Path, old: Path) -> bool:
    """Rename `new` over `old` unless they are equal; whether anything changed."""
    if old.exists() and filecmp.cmp(new, old, shallow=False):
        return False
    new.replace(old)
    return True


def scratch_for(output: str | None) -> Scratch:
    """A scratch folder for a stage: a dataset's own stage folder, else one in the temporary directory."""
    if output in (None, "-") or (format_of(Path(str(output)).name)[0] and not Path(str(output)).is_dir()):
        return temporary_scratch()
    from negforge.store import Dataset

    return Dataset(Path(str(output))).begin()


def sink_for(output: str | None, to: str | None, kind: Kind, *, clustered: bool, settings: Settings) -> Sink:
    """The sink that `-o` and `--to` name: nothing or `-` is standard output, a known suffix one file, else a dataset."""
    if to is not None and to not in ("jsonl", "csv", "arrow"):
        raise UsageError(f"--to {to} is not known", f"it takes {listed(('jsonl', 'csv', 'arrow'))}")
    if output in (None, "-"):
        if to in ("jsonl", "csv"):
            return TextSink(kind, to, sys.stdout.buffer)
        if sys.stdout.isatty() and to is None:
            if output == "-":
                raise UsageError("an Arrow stream is not for a terminal", mend="pipe it on, pass -o FILE, or --to jsonl")
            return PreviewSink(kind)
        return PipeSink(kind, clustered, sys.stdout.buffer)
    if to is not None:
        raise UsageError("--to is for standard output", f"-o is {output}", "let the file's name say the format")
    path = Path(str(output))
    if format_of(path.name)[0] and not path.is_dir():
        return FileSink(kind, path, clustered)
    from negforge.store import DatasetSink

    return DatasetSink(kind, path, shards=settings.shards, keep_labels=settings.keep_labels, max_memory=settings.max_memory)
