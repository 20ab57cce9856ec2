"""Reads and writes tables: jsonl, json, csv, tsv, parquet, arrow, each also gz and zst, pipes, folders and `hf://`."""

from __future__ import annotations

import csv
import glob
import gzip
import io
import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import polars as pl
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

from negforge.errors import InputError, UsageError, listed, near

History = list[dict[str, Any]]

FORMATS = ("jsonl", "json", "csv", "tsv", "parquet", "arrow")
_ALIASES = {"ndjson": "jsonl", "pq": "parquet", "feather": "arrow", "ipc": "arrow"}
METADATA = b"negforge"
_SAMPLE = 10_000  # rows that decide the type of an extra column in a text format
csv.field_size_limit(1 << 30)


@dataclass
class Source:
    """A table that can be read batch by batch.

    name: for messages. kind: what negforge wrote in it, empty for a foreign file. clustered: whether rows of an anchor stand
    together. history: the stages that made it; for a pipe, complete only once all batches were read. once: whether it can
    be read only once. batches: a function of the batch size. raw_rows: whether the file itself has row numbers people can find.
    """

    name: str
    batches: Callable[[int], Iterator[pl.DataFrame]]
    kind: str = ""
    clustered: bool = False
    history: History = field(default_factory=list)
    once: bool = False


def format_of(path: str) -> tuple[str, str]:
    """The format and the compression (`gz`, `zst` or empty) that a path's suffixes name; an unknown format is empty."""
    parts = Path(path).name.lower().split(".")
    packed = parts.pop() if parts[-1] in ("gz", "zst") else ""
    suffix = _ALIASES.get(parts[-1], parts[-1]) if len(parts) > 1 else ""
    return (suffix if suffix in FORMATS else "", packed)


def open_sources(spec: str) -> list[Source]:
    """The tables that an input names: a file, a glob, a dataset folder (`DIR`, `DIR@v2`), `hf://OWNER/NAME`, or `-`."""
    if spec == "-":
        return [_from_stdin()]
    if spec.startswith("hf://"):
        return [_from_hub(spec)]
    path = Path(spec)
    if not path.exists() and any(sign in spec for sign in "*?["):
        found = sorted(glob.glob(spec, recursive=True))
        if not found:
            raise InputError(f"no file matches {spec}", mend="check the pattern")
        return [source for name in found for source in open_sources(name)]
    if path.is_dir() or re.search(r"@v[0-9]+$", spec):
        return [_from_folder(spec)]
    if not path.exists():
        guess = near(path.name, [entry.name for entry in path.parent.iterdir()]) if path.parent.is_dir() else ""
        mend = f"did you mean {path.with_name(guess)}?" if guess else "check the path"
        if re.fullmatch(r"[\w.-]+/[\w.-]+", spec):
            mend += f"; a dataset on the Hub is hf://{spec}"
        raise InputError(f"there is no file {spec}", mend=mend)
    return [_from_file(path)]


def _from_file(path: Path) -> Source:
    kind, packed = format_of(path.name)
    if not kind:
        raise InputError(f"{path} has no known format", f"formats: {listed(FORMATS)}, each also .gz and .zst", "rename or convert the file")
    try:
        with path.open("rb") as handle:
            handle.read(1)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", mend="check its permissions") from error
    source = Source(str(path), lambda rows: _read(lambda: _unpacked(path, packed), kind, str(path), rows))
    if kind == "parquet" and not packed:
        _describe(source, _parquet_schema(path), path)
    elif kind == "arrow":
        with _unpacked(path, packed) as handle:
            _describe(source, _arrow_schema(handle, str(path)), path)
        source.batches = lambda rows: _arrow(_unpacked(path, packed), source, rows)
    return source


def _describe(source: Source, schema: pa.Schema, path: Path) -> None:
    """Take over what negforge wrote into a file's metadata, and the twin that holds its dropped rows."""
    notes = read_notes(schema)
    if not notes:
        return
    source.kind, source.clustered, source.history = notes["kind"], notes.get("clustered", False), notes.get("history", [])
    twin = dropped_twin(path)
    if notes.get("dropped_digest") and twin.exists():
        twin_notes = read_notes(_parquet_schema(twin))
        if twin_notes.get("dropped_digest") == notes["dropped_digest"]:
            main = source.batches

            def both(rows: int) -> Iterator[pl.DataFrame]:
                yield from main(rows)
                yield from _read(lambda: twin.open("rb"), "parquet", str(twin), rows)

            source.batches = both


def read_notes(schema: pa.Schema) -> dict[str, Any]:
    """What negforge wrote in a schema's metadata, or nothing."""
    notes: dict[str, Any] = json.loads((schema.metadata or {}).get(METADATA, b"{}"))
    return notes


def dropped_twin(path: Path) -> Path:
    """Where the dropped rows of a single file lie."""
    name = path.name.removesuffix(".gz").removesuffix(".zst")
    return path.with_name(f"{name.rpartition('.')[0]}.dropped.parquet")


def _parquet_schema(path: Path) -> pa.Schema:
    try:
        with pq.ParquetFile(path) as file:
            return file.schema_arrow.with_metadata({**(file.schema_arrow.metadata or {}), **(file.metadata.metadata or {})})
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path} is not a whole Parquet file", str(error).partition("\n")[0], "make it again") from error


def _arrow_schema(handle: IO[bytes], name: str) -> pa.Schema:
    try:
        head = handle.read(8)
        handle.seek(0)
        return (pa.ipc.open_file(handle) if head.startswith(b"ARROW1") else pa.ipc.open_stream(handle)).schema
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{name} is not an Arrow file", str(error), "make it again") from error


def _unpacked(path: Path, packed: str) -> IO[bytes]:
    if packed == "gz":
        return gzip.open(path, "rb")  # type: ignore[return-value]
    if packed == "zst":
        return pa.input_stream(str(path), compression="zstd")  # type: ignore[no-any-return]
    return path.open("rb")


def _read(opener: Callable[[], IO[bytes]], kind: str, name: str, rows: int) -> Iterator[pl.DataFrame]:
    readers = {"jsonl": _jsonl, "json": _json, "csv": _csv, "tsv": _csv, "parquet": _parquet}
    try:
        with opener() as handle:
            if kind == "arrow":
                yield from _arrow(handle, Source(name, lambda _: iter(())), rows)
            else:
                yield from readers[kind](handle, name, rows)
    except (OSError, EOFError, pa.ArrowInvalid) as error:
        raise InputError(f"cannot read {name}: {error}", mend="the file is cut off or damaged; fetch or make it again") from error


def _lines(handle: IO[bytes], name: str) -> Iterator[tuple[int, str]]:
    """Numbered lines as text, the byte order mark removed. Raises InputError where the bytes are not UTF-8."""
    stream = io.BufferedReader(handle) if isinstance(handle, pa.NativeFile) else handle
    for number, line in enumerate(stream, start=1):
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InputError(
                f"{name} is not UTF-8",
                f"line {number}, byte {error.start} of the line: {line[error.start]:#04x}",
                "convert it, for example: iconv -f latin1 -t utf-8",
            ) from None
        yield number, text.removeprefix("\ufeff") if number == 1 else text


def _jsonl(handle: IO[bytes], name: str, rows: int) -> Iterator[pl.DataFrame]:
    types: dict[str, pl.DataType] = {}
    held: list[dict[str, Any]] = []
    numbers: list[int] = []
    for number, line in _lines(handle, name):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise InputError(
                f"malformed JSON: {error}", f"{name} line {number}: {line.strip()[:80]}", "mend the line or remove it"
            ) from None
        if not isinstance(row, dict):
            raise InputError("a line is not a JSON object", f"{name} line {number}: {line.strip()[:80]}", "one object a line, please")
        held.append(row)
        numbers.append(number)
        if len(held) >= (rows if types else max(rows, _SAMPLE)):
            yield from _typed(held, numbers, types, name).iter_slices(rows)
            held, numbers = [], []
    if held:
        yield from _typed(held, numbers, types, name).iter_slices(rows)


def _typed(held: list[dict[str, Any]], numbers: list[int], types: dict[str, pl.DataType], name: str) -> pl.DataFrame:
    """Rows of a text format as a frame. The first rows decide the types; a later value that does not fit is an error."""
    names = dict.fromkeys(types) if types else dict.fromkeys(key for row in held for key in row)
    columns = [_column(key, [row.get(key) for row in held], numbers, types.get(key), name) for key in names]
    if types:
        for row, number in zip(held, numbers, strict=True):
            extra = row.keys() - types.keys()
            if extra:
                raise InputError(
                    f"column '{min(extra)}' appears first at line {number}",
                    f"{name}; the first rows have {listed(types)}",
                    "give it in the first rows too, null where it is not known",
                )
    types.update({column.name: column.dtype for column in columns})
    return pl.DataFrame(columns)


def _column(key: str, values: list[Any], numbers: list[int], known: pl.DataType | None, name: str) -> pl.Series:
    try:
        if known is None and any(isinstance(value, float) for value in values):
            known = pl.Float64()
        series = pl.Series(key, values, dtype=known, strict=True)
        # A column with no value in the sample is taken for text.
        return series.cast(pl.String) if series.dtype == pl.Null else series
    except (TypeError, OverflowError, pl.exceptions.PolarsError):
        first = next((value for value in values if value is not None), None) if known is None else None
        expected = type(first).__name__ if known is None else str(known)
        for value, number in zip(values, numbers, strict=True):
            if value is not None and _misfit(value, first, known):
                raise InputError(
                    f"column '{key}' holds values of different types",
                    f"{name} line {number}: {type(value).__name__} after {expected}",
                    "make the values one type",
                ) from None
        raise InputError(f"column '{key}' holds values of different types", name, "make the values one type") from None


def _misfit(value: Any, first: Any, known: pl.DataType | None) -> bool:
    if known is None:
        return type(value) is not type(first)
    try:
        pl.Series([value], dtype=known, strict=True)
    except (TypeError, OverflowError, pl.exceptions.PolarsError):
        return True
    return False


def _json(handle: IO[bytes], name: str, rows: int) -> Iterator[pl.DataFrame]:
    """A JSON list of objects, an object of objects (its keys become the column `key`), or JSON Lines under the wrong name."""
    data = handle.read()
    try:
        found = json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is not UTF-8", f"byte {error.start}", "convert it, for example: iconv -f latin1 -t utf-8") from None
    except ValueError as error:
        if "Extra data" in str(error):
            yield from _jsonl(io.BytesIO(data), name, rows)
            return
        raise InputError(f"malformed JSON: {error}", name, "mend the file") from None
    if isinstance(found, dict) and found and all(isinstance(value, dict) for value in found.values()):
        found = [{"key": key, **value} for key, value in found.items()]
    elif isinstance(found, dict):
        found = [found]
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise InputError("the file is neither a list nor an object of JSON objects", name, "one object a row, please")
    if found:
        yield from _typed(found, [*range(1, len(found) + 1)], {}, name).iter_slices(rows)


def _csv(handle: IO[bytes], name: str, rows: int) -> Iterator[pl.DataFrame]:
    """Comma or tab separated text with a header line; every column is text and an empty cell is an empty text."""
    text = io.TextIOWrapper(handle, encoding="utf-8-sig", newline="")
    tabs = format_of(name)[0] == "tsv"
    reader = csv.reader(text, delimiter="\t" if tabs else ",", quoting=csv.QUOTE_NONE if tabs else csv.QUOTE_MINIMAL, strict=not tabs)
    try:
        header = next(reader, None)
        if header is None:
            return
        twice = next((column for column in header if header.count(column) > 1), None)
        if twice is not None:
            raise InputError(f"column '{twice}' stands twice in the header", name, "give each column its own name")
        held: list[list[str]] = []
        for row in reader:
            if not row:
                continue
            if len(row) != len(header):
                raise InputError(
                    f"a row has {len(row)} cells, the header {len(header)}",
                    f"{name} line {reader.line_num}",
                    "quote cells that hold separators",
                )
            held.append(row)
            if len(held) >= rows:
                yield _text_frame(header, held)
                held = []
        if held:
            yield _text_frame(header, held)
    except csv.Error as error:
        raise InputError(f"malformed CSV: {error}", f"{name} line {reader.line_num}", "mend the line") from None
    except UnicodeDecodeError as error:
        place = f"after line {reader.line_num}, byte {error.start} of the block"
        raise InputError(f"{name} is not UTF-8", place, "convert it, for example: iconv -f latin1 -t utf-8") from None


def _text_frame(header: list[str], held: list[list[str]]) -> pl.DataFrame:
    columns = zip(*held, strict=True)
    return pl.DataFrame([pl.Series(name, values, dtype=pl.String) for name, values in zip(header, columns, strict=True)])


def _parquet(handle: IO[bytes], name: str, rows: int) -> Iterator[pl.DataFrame]:
    try:
        file = pq.ParquetFile(handle if handle.seekable() else pa.BufferReader(handle.read()))
        for batch in file.iter_batches(rows):
            yield _frame(batch)
    except pa.ArrowInvalid as error:
        raise InputError(f"{name} is not a whole Parquet file", str(error).partition("\n")[0], "make it again") from error


def _arrow(handle: IO[bytes], source: Source, rows: int) -> Iterator[pl.DataFrame]:
    """An Arrow file or stream."""
    try:
        if handle.seekable():
            head = handle.read(6)
            handle.seek(0)
            if head == b"ARROW1":
                file = pa.ipc.open_file(handle)
                for number in range(file.num_record_batches):
                    yield from _frame(file.get_batch(number)).iter_slices(rows)
                return
        reader = pa.ipc.open_stream(handle)
    except (pa.ArrowInvalid, OSError) as error:
        raise _cut_off(source) from error
    yield from _stream(reader, source, rows)


def _stream(reader: pa.ipc.RecordBatchStreamReader, source: Source, rows: int) -> Iterator[pl.DataFrame]:
    """A stream of ours must end as ours do: otherwise its producer died and nothing may be published."""
    seen, end = 0, None
    try:
        while True:
            try:
                item = reader.read_next_batch_with_custom_metadata()
            except StopIteration:
                break
            if item.custom_metadata is not None and METADATA in item.custom_metadata:
                end = json.loads(item.custom_metadata[METADATA])
                continue
            seen += item.batch.num_rows
            if item.batch.num_rows:
                yield from _frame(item.batch).iter_slices(rows)
    except (pa.ArrowInvalid, OSError) as error:
        raise _cut_off(source) from error
    if read_notes(reader.schema) and (end is None or end["rows"] != seen):
        raise _cut_off(source)
    if end is not None:
        source.history[:] = end["history"]


def _frame(batch: pa.RecordBatch) -> pl.DataFrame:
    return pl.DataFrame(pl.from_arrow(batch))


def _cut_off(source: Source) -> InputError:
    return InputError(f"{source.name} was cut off", "the command that wrote it died before its end", "look at its message and run it again")


def _from_stdin() -> Source:
    stream = sys.stdin.buffer
    if sys.stdin.isatty():
        raise UsageError("there is no input", "standard input is a terminal", "name a file, or pipe a table in")
    handle = stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(stream)  # type: ignore[type-var]
    head = handle.peek(8)[:8]
    source = Source("standard input", lambda _: iter(()), once=True)
    if not head:
        raise InputError("standard input is empty", "the command before may have failed", "look at its message")
    if head[:4] == b"\xff\xff\xff\xff":
        try:
            reader = pa.ipc.open_stream(handle)
        except (pa.ArrowInvalid, OSError) as error:
            raise _cut_off(source) from error
        notes = read_notes(reader.schema)
        source.kind, source.clustered = notes.get("kind", ""), notes.get("clustered", False)
        source.batches = lambda rows: _stream(reader, source, rows)
        return source
    kind = (
        "parquet"
        if head[:4] == b"PAR1"
        else "arrow"
        if head[:6] == b"ARROW1"
        else "json"
        if head.lstrip(b"\xef\xbb\xbf \r\n")[:1] == b"["
        else "jsonl"
    )
    if kind == "jsonl" and head.lstrip(b"\xef\xbb\xbf \r\n")[:1] != b"{":
        kind = "csv"
    source.batches = lambda rows: _read(
        lambda: io.BytesIO(handle.read()) if kind in ("parquet", "arrow") else handle, kind, source.name, rows
    )
    return source


def _from_folder(spec: str) -> Source:
    from negforge.store import Dataset

    folder, _, version = spec.partition("@v") if not Path(spec).is_dir() else (spec, "", "")
    path = Path(folder)
    if (path / ".negforge").is_dir():
        return Dataset(path).source(int(version) if version else None)
    if not path.is_dir():
        raise InputError(f"there is no folder {folder}", mend="check the path")
    if any((path / name).exists() for name in ("dataset_info.json", "state.json", "dataset_dict.json")):
        return _from_disk(path)
    files = sorted(one.name for one in path.iterdir() if format_of(one.name)[0])
    mend = f"name its files, for example {path / files[0]}" if files else "name a file or a dataset folder"
    raise InputError(
        f"{folder} is a folder, not a table", f"it holds {listed(sorted(one.name for one in path.iterdir())) or 'nothing'}", mend
    )


def _from_disk(path: Path) -> Source:
    def batches(rows: int) -> Iterator[pl.DataFrame]:
        import datasets

        found = datasets.load_from_disk(str(path))
        if isinstance(found, datasets.DatasetDict):
            splits = listed(found)
            raise InputError(f"{path} holds several splits: {splits}", mend=f"name one folder, for example {path / next(iter(found))}")
        for piece in found.with_format("arrow").iter(rows):
            yield pl.DataFrame(pl.from_arrow(piece))

    return Source(str(path), batches)


def _from_hub(spec: str) -> Source:
    """`hf://OWNER/NAME[/CONFIG][@REVISION][:SPLIT]`, streamed; the split is `train` unless named."""
    match = re.fullmatch(r"hf://(?:datasets/)?([\w.-]+/[\w.-]+)(?:/([\w.-]+))?(?:@([\w./-]+))?(?::([\w.-]+))?", spec)
    if match is None:
        raise UsageError(f"{spec} is not an address of the Hub", mend="hf://OWNER/NAME[/CONFIG][@REVISION][:SPLIT]")
    name, config, revision, split = match.groups()

    def batches(rows: int) -> Iterator[pl.DataFrame]:
        import datasets

        try:
            found = datasets.load_dataset(name, config, revision=revision, split=split or "train", streaming=True)
            for piece in found.with_format("arrow").iter(rows):
                yield pl.DataFrame(pl.from_arrow(piece))
        except Exception as error:  # the libraries below raise types of their own for network, login and name
            raise InputError(f"cannot read {spec}: {error}", mend="check the name, the split and the connection") from error

    return Source(spec, batches)


def plain_batches(path: Path, rows: int) -> Iterator[pl.DataFrame]:
    """The rows of a Parquet file of our own."""
    return _read(lambda: path.open("rb"), "parquet", str(path), rows)
