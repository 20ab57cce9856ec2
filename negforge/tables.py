"""Finds the tables an input names: files (each also gz and zst), globs, pipes, folders, datasets and `hf://`."""

from __future__ import annotations

import contextlib
import functools
import glob
import gzip
import hashlib
import io
import json
import os
import re
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import polars as pl
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

from negforge import formats
from negforge.badrows import BadRows
from negforge.engine import storage
from negforge.errors import InputError, UsageError, listed, near
from negforge.formats import FORMATS, read_notes

History = formats.History
METADATA = formats.METADATA
_ALIASES = {"ndjson": "jsonl", "pq": "parquet", "feather": "arrow", "ipc": "arrow"}
_OUT_OF_ORDER = ("parquet", "arrow")  # formats that say what they hold, and are not read from front to back
SIDECARS = ("dropped", "provenance", "corpus")
WRITTEN = ("parquet", "jsonl", "csv", "arrow")
TEXT = ("jsonl", "csv")
_MAGIC = {"parquet": (b"PAR1",), "arrow": (b"ARROW1", b"\xff\xff\xff\xff")}
_HEAD_BYTES = 4096  # of a pipe, that its format is told from

Opener = Callable[[], IO[bytes]]


@dataclass
class Source:
    """A table that can be read batch by batch.

    name: for messages. kind: what negforge wrote in it, empty for a foreign file. clustered: whether rows of an anchor stand
    together. history: the stages that made it; for a pipe, complete only once all batches were read. once: whether it can
    be read only once. rows: kept and dropped ones, where they are known before. batches: a function of the batch size; the
    frames of a foreign text format may grow (see `formats`).
    bad: takes rows that cannot be read. columns: what the source calls the columns of a kind, once a reader has mapped them.
    mark: how far it was read. goes_on: whether `batches` begin behind the mark by themselves.
    """

    name: str
    batches: Callable[[int], Iterator[pl.DataFrame]]
    kind: str = ""
    clustered: bool = False
    history: History = field(default_factory=list)
    once: bool = False
    rows: int | None = None
    bad: BadRows = field(default_factory=BadRows)
    columns: dict[str, str] = field(default_factory=dict)
    mark: formats.Mark = field(default_factory=formats.Mark)
    goes_on: bool = False


def format_of(path: str) -> tuple[str, str]:
    """The format and the compression (`gz`, `zst` or empty) that a path's suffixes name; an unknown format is empty."""
    parts = Path(path).name.lower().split(".")
    packed = parts.pop() if parts[-1] in ("gz", "zst") else ""
    suffix = _ALIASES.get(parts[-1], parts[-1]) if len(parts) > 1 else ""
    return (suffix if suffix in FORMATS else "", packed)


def open_sources(spec: str) -> list[Source]:
    """The tables that an input names: a file, a glob, a dataset folder (`DIR`, `DIR@v2`), `hf://OWNER/NAME`, or `-`."""
    try:
        return _named(spec)
    except OSError as error:  # a folder on the way is closed, a name is too long
        raise _unreadable(error.filename or spec, error) from error


def _named(spec: str) -> list[Source]:
    if spec == "-":
        return [_from_stdin()]
    if spec.startswith("hf://"):
        return [_from_hub(spec)]
    path = Path(spec)
    if path.is_dir():
        return [_from_folder(path, None)]
    if path.exists():
        return [_from_file(path)]
    if any(sign in spec for sign in "*?["):
        return [source for name in _matching(spec) for source in open_sources(name)]
    version = version_of(spec)
    if version is not None:
        return [_from_folder(*version)]
    absent = _absent(path)
    if re.fullmatch(r"[\w.-]+/[\w.-]+", spec):
        absent.mend += f"; a dataset on the Hub is hf://{spec}"
    raise absent


def _absent(path: Path) -> InputError:
    guess = near(path.name, [entry.name for entry in path.parent.iterdir()]) if path.parent.is_dir() else ""
    return InputError(f"there is no file {path}", mend=f"did you mean {path.with_name(guess)}?" if guess else "check the path")


def version_of(spec: str) -> tuple[Path, int] | None:
    """The folder and the version that `DIR@v2` names, or None for another input."""
    match = re.fullmatch(r"(.+)@v([1-9][0-9]*)", spec)
    return (Path(match[1]), int(match[2])) if match is not None else None


def _unreadable(path: str | Path, error: OSError) -> InputError:
    return InputError(f"cannot read {path}: {error.strerror}", mend="check its permissions")


def _matching(pattern: str) -> list[str]:
    """The files of a glob, without those that hold the dropped rows of another of them: these come with it."""
    found = sorted(glob.glob(pattern, recursive=True))
    twins = {str(dropped_twin(Path(name))) for name in found}
    kept = [name for name in found if name not in twins]
    if not kept:
        raise InputError(f"no file matches {pattern}", mend="check the pattern")
    return kept


# -- files -------------------------------------------------------------------------------------------------------------


def _from_file(path: Path) -> Source:
    if not path.is_file():  # a named pipe, or what a shell puts for <(command)
        return _from_stream(_open(path), str(path))
    form, packed = format_of(path.name)
    if not form:
        raise InputError(f"{path} has no known format", f"formats: {listed(FORMATS)}, each also .gz and .zst", "rename or convert the file")
    _open(path).close()
    if packed and path.stat().st_size == 0:
        raise InputError(f"{path} is empty", "even of nothing, a packed file has some bytes", "fetch or make it again")
    source = _source(lambda: _unpacked(path, form, packed), form, str(path), path)
    if form == "parquet" and not packed:
        source.rows = (source.rows or 0) + _parquet_rows(path)
    return source


def _parquet_rows(path: Path) -> int:
    with _whole(str(path)):
        return int(pq.read_metadata(path).num_rows)


def _open(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except OSError as error:
        raise _unreadable(path, error) from error


def _unpacked(path: Path, form: str, packed: str) -> IO[bytes]:
    if not packed:
        return _open(path)
    handle = _decompressed(_open(path), packed)
    if form not in _OUT_OF_ORDER:
        return handle
    if not handle.peek(1).startswith(_MAGIC[form]):  # else a small file of anything may fill the disk
        handle.close()
        raise _no_table(str(path), form, "it unpacks to something else")
    return _on_disk(handle)


def pieces(path: Path, size: int) -> Iterator[bytes]:
    """The bytes of a file that is no table, unpacked where its name ends in gz or zst, at most `size` at a time.

    Raises InputError for a file that is not there, cannot be read or is damaged.
    """
    if not path.exists():
        raise _absent(path)
    if not path.is_file():
        raise InputError(f"{path} is not a plain file", mend="name a file; it is read more than once")
    packed = format_of(path.name)[1]
    with _open(path) as plain, _decompressed(plain, packed) if packed else plain as handle:
        while True:
            with _whole(str(path)):
                data = handle.read(size)
            if not data:
                return
            yield data


def content_digest(path: Path) -> str:
    """The digest of what a file holds, packed or not. Raises what `pieces` raises."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        raise _absent(path) from None
    except OSError as error:
        raise _unreadable(path, error) from error
    return _content_digest(path, (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino))


@functools.lru_cache(maxsize=64)
def _content_digest(path: Path, _stamp: tuple[int, ...]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for data in pieces(path, 1 << 20):
        digest.update(data)
    return digest.hexdigest()


def _decompressed(handle: IO[bytes], packed: str) -> io.BufferedReader:
    stream: Any = gzip.GzipFile(fileobj=handle) if packed == "gz" else pa.CompressedInputStream(handle, "zstd")
    return io.BufferedReader(stream, 1 << 16)


def _on_disk(handle: IO[bytes]) -> IO[bytes]:
    """The bytes in a nameless temporary file, for formats that are read out of order."""
    folder = Path(tempfile.gettempdir())
    with storage(folder):
        copy = tempfile.TemporaryFile()  # noqa: SIM115 - its readers close it
    with handle:
        while piece := handle.read(1 << 20):
            with storage(folder):
                copy.write(piece)
    with storage(folder):
        copy.seek(0)
    return copy


def _source(opener: Opener, form: str, name: str, path: Path | None = None) -> Source:
    """A table of a known format, with what negforge wrote into its metadata."""
    source = Source(name, lambda rows: _read(opener, form, source, rows), goes_on=form != "arrow")
    if form in _OUT_OF_ORDER:
        _describe(source, _schema(opener, form, name), path)
    return source


def _read(opener: Opener, form: str, source: Source, rows: int) -> Iterator[pl.DataFrame]:
    with _whole(source.name), opener() as handle:
        yield from formats.READERS[form](handle, source.name, rows, source.history, source.bad, source.mark)


@contextlib.contextmanager
def _whole(name: str) -> Iterator[None]:
    """What libraries raise for a damaged file becomes an InputError."""
    try:
        yield
    except pa.ArrowNotImplementedError as error:  # a codec, an encryption or a type of Parquet
        raise InputError(
            f"cannot read {name}", str(error).partition("\n")[0], "write it in a plainer way, or leave out the column"
        ) from error
    except MemoryError as error:  # a length that was damaged, or in truth too large
        raise InputError(
            f"cannot read {name}", "it asks for more memory than there is", "is it whole? make it again, in smaller parts"
        ) from error
    except (OSError, EOFError, zlib.error, pa.ArrowException, UnicodeDecodeError) as error:
        mend = "the file is cut off or damaged; fetch or make it again"
        raise InputError(f"cannot read {name}", str(error).partition("\n")[0], mend) from error


def _schema(opener: Opener, form: str, name: str) -> pa.Schema:
    with _whole(name), opener() as handle:
        try:
            return formats.schema_of(handle, form)
        except pa.ArrowInvalid as error:
            raise _no_table(name, form, str(error).partition("\n")[0]) from error


def _no_table(name: str, form: str, why: str) -> InputError:
    return InputError(f"{name} is not {'a whole Parquet file' if form == 'parquet' else 'an Arrow file'}", why, "make it again")


def _describe(source: Source, schema: pa.Schema, path: Path | None) -> None:
    """Take over what negforge wrote into a file's metadata, and the twin that holds its dropped rows."""
    notes = read_notes(schema)
    if not notes:
        return
    source.kind, source.clustered, source.history = notes["kind"], notes.get("clustered", False), notes.get("history", [])
    if path is None or not notes.get("dropped_digest"):
        return
    twin = dropped_twin(path)
    if twin.exists() and read_notes(_schema(lambda: _open(twin), "parquet", str(twin))).get("dropped_digest") == notes["dropped_digest"]:
        main = source.batches

        def both(rows: int) -> Iterator[pl.DataFrame]:
            yield from main(rows)
            yield from plain_batches(twin, rows)

        source.batches = both
        source.goes_on = False
        source.rows = _parquet_rows(twin)


def left_behind(spec: object) -> bool:
    """Whether an input is text that negforge wrote, whose dropped rows lie beside it and are not read with it."""
    path = Path(spec) if isinstance(spec, str) else Path()
    return format_of(path.name)[0] in TEXT and bool(path.suffix) and beside_suffix(dropped_twin(path)) == path.suffix


def sidecar(path: Path, name: str) -> Path:
    """Where a sidecar of a single file lies: `dropped`, the rows dropped; or of an export's, `provenance`, where they came from.

    `corpus`, the texts that an export's rows name by id, is a folder, which trainers load by its name.
    """
    stem = path.name.removesuffix(".gz").removesuffix(".zst").rpartition(".")[0]
    if name == "corpus":
        return path.with_name(f"{stem}.corpus") / "train-00000-of-00001.parquet"
    return path.with_name(f"{stem}.{name}.parquet")


def dropped_twin(path: Path) -> Path:
    """Where the dropped rows of a single file lie."""
    return sidecar(path, "dropped")


def taken(path: Path, name: str) -> list[UsageError]:
    """What is wrong with a sidecar beside a file: it belongs to another file of that stem, which would lose it.

    Its metadata says the suffix of the file it belongs to; one of an earlier version belongs to any other file that is there.
    """
    beside = sidecar(path, name)
    suffix = beside_suffix(beside)
    owners = [] if suffix == path.suffix else [path.with_suffix(one) for one in ([suffix] if suffix else map(".{}".format, WRITTEN))]
    for owner in owners:
        if beside.exists() and owner != path and owner.exists():
            mend = "choose another stem, or write a folder"
            return [UsageError(f"{beside} belongs to {owner}", f"-o {path} would replace it", mend)]
    return []


def beside_suffix(path: Path) -> str:
    """The suffix of the file that a sidecar belongs to, as its metadata says; empty if that says nothing."""
    with contextlib.suppress(OSError, InputError, pa.ArrowException), path.open("rb") as handle:
        return str(read_notes(formats.schema_of(handle, "parquet")).get("suffix", ""))
    return ""


def plain_batches(path: Path, rows: int) -> Iterator[pl.DataFrame]:
    """The rows of a Parquet file of our own."""
    return _read(lambda: _open(path), "parquet", Source(str(path), lambda _: iter(())), rows)


# -- pipes -------------------------------------------------------------------------------------------------------------


class _Replayed(io.RawIOBase):
    """A stream whose first bytes were looked at, from its beginning."""

    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        """It can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer with what there is."""
        data = self._head[: len(buffer)] or self._rest.read1(len(buffer))  # type: ignore[attr-defined]
        self._head = self._head[len(data) :]
        buffer[: len(data)] = data
        return len(data)


def _from_stdin() -> Source:
    if sys.stdin.isatty():
        raise UsageError("there is no input", "standard input is a terminal", "name a file, or pipe a table in")
    return _from_stream(sys.stdin.buffer, "standard input")


def _from_stream(stream: IO[bytes], name: str) -> Source:
    """A pipe, of any format that its first bytes tell, packed or not."""
    with _whole(name):
        head = stream.read(_HEAD_BYTES)
        if not head:
            raise InputError(f"{name} is empty", "the command before may have failed", "look at its message")
        handle: IO[bytes] = io.BufferedReader(_Replayed(head, stream), 1 << 16)
        for magic, packed in ((b"\x1f\x8b", "gz"), (b"\x28\xb5\x2f\xfd", "zst")):
            if head.startswith(magic):
                return _from_stream(_decompressed(handle, packed), name)
        if head.startswith(b"\xff\xff\xff\xff"):
            return _from_arrow_stream(handle, name)
        form = formats.sniffed(head)
        source = _source(_again(_on_disk(handle)) if form in _OUT_OF_ORDER else lambda: handle, form, name)
    source.once = True
    return source


def _again(copy: IO[bytes]) -> Opener:
    def opener() -> IO[bytes]:
        handle = os.fdopen(os.dup(copy.fileno()), "rb")
        handle.seek(0)
        return handle

    return opener


def _from_arrow_stream(handle: IO[bytes], name: str) -> Source:
    try:
        reader = pa.ipc.open_stream(handle)
        _ = reader.schema.names
    except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as error:
        raise formats.cut_off(name) from error

    def batches(rows: int) -> Iterator[pl.DataFrame]:
        with _whole(name):
            yield from formats.arrow_stream(reader, name, rows, source.history)

    source = Source(name, batches, once=True)
    _describe(source, reader.schema, None)
    return source


# -- folders and the Hub -----------------------------------------------------------------------------------------------


def _from_folder(path: Path, version: int | None) -> Source:
    from negforge.store import Dataset

    if (path / ".negforge").is_dir():
        return Dataset(path).source(version)
    if not path.is_dir():
        raise InputError(f"there is no folder {path}", mend="check the path")
    if version is not None:
        raise InputError(f"{path} is not a dataset of negforge", f"it has no version v{version}", "leave out @v")
    if any((path / name).exists() for name in ("dataset_info.json", "state.json", "dataset_dict.json")):
        return _from_disk(path)
    names = sorted(one.name for one in path.iterdir())
    files = [name for name in names if format_of(name)[0]]
    mend = f"name its files, for example {path / files[0]}" if files else "name a file or a dataset folder"
    raise InputError(f"{path} is a folder, not a table", f"it holds {listed(names) or 'nothing'}", mend)


def _from_disk(path: Path) -> Source:
    """A folder that `save_to_disk` of `datasets` made."""
    if (path / "dataset_dict.json").exists():
        splits = sorted(one.name for one in path.iterdir() if one.is_dir())
        mend = f"name one folder, for example {path / splits[0]}" if splits else "save it again with save_to_disk"
        raise InputError(f"{path} holds several splits: {listed(splits)}", mend=mend)

    def batches(rows: int) -> Iterator[pl.DataFrame]:
        import datasets

        try:
            features = datasets.DatasetInfo.from_directory(str(path)).features
            # It saves a table without rows in a way that it cannot load.
            some = json.loads((path / "state.json").read_text(encoding="utf-8"))["_data_files"]
            found: Any = datasets.load_from_disk(str(path)) if some else ()
        except Exception as error:  # whatever the library raises for a folder that is damaged or of a later version
            raise InputError(f"cannot read {path}", str(error).partition("\n")[0], "save it again with save_to_disk") from error
        if not len(found):
            yield formats.frame_of(features.arrow_schema.empty_table(), str(path))
        else:
            for piece in found.with_format("arrow").iter(rows):
                yield formats.frame_of(piece, str(path))

    return Source(str(path), batches)


def _from_hub(spec: str) -> Source:
    """`hf://OWNER/NAME[/CONFIG][@REVISION][:SPLIT]`; the split is `train` unless named. What negforge did not push is streamed."""
    from negforge.hub import published

    match = re.fullmatch(r"hf://(?:datasets/)?([\w.-]+/[\w.-]+)(?:/([\w.-]+))?(?:@([\w./-]+))?(?::([\w.-]+))?", spec)
    if match is None:
        raise UsageError(f"{spec} is not an address of the Hub", mend="hf://OWNER/NAME[/CONFIG][@REVISION][:SPLIT]")
    name, config, revision, split = match.groups()
    pushed = published(spec, name, config, revision) if split in (None, "train") else None
    if pushed is not None:
        return pushed

    def batches(rows: int) -> Iterator[pl.DataFrame]:
        import datasets

        try:
            found = datasets.load_dataset(name, config, revision=revision, split=split or "train", streaming=True)
            for piece in found.with_format("arrow").iter(rows):
                yield formats.frame_of(piece, spec)
        except InputError:
            raise
        except Exception as error:  # the libraries below raise types of their own for network, login and name
            raise InputError(
                f"cannot read {spec}", str(error).partition("\n")[0], "check the name, the split and the connection"
            ) from error

    return Source(spec, batches)
