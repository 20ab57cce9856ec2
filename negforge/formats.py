"""Reads one open file: jsonl, json, csv, tsv, parquet, arrow. What is malformed is named with its line.

The frames of a text format may grow: a column may be new, one without a value yet is of type Null, and whole numbers may
turn into decimal ones. `merged` says what two types become, `fitted` takes a column there.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any

import polars as pl
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
from polars.datatypes import DataTypeClass
from pydantic_core import from_json

from negforge.errors import InputError

History = list[dict[str, Any]]
Reader = Callable[[IO[bytes], str, int, History], Iterator[pl.DataFrame]]

FORMATS = ("jsonl", "json", "csv", "tsv", "parquet", "arrow")
METADATA = b"negforge"
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_HELD_BYTES = 1 << 26  # a frame ends at so many rows or so many bytes, whatever comes first
_WORDS = {"String": "text", "Boolean": "true or false", "Float64": "a number", "List": "a list", "Struct": "an object"}
_NOTHING = pl.Null()
csv.field_size_limit(1 << 30)


# -- types of values ---------------------------------------------------------------------------------------------------


def merged(one: pl.DataType, other: pl.DataType) -> pl.DataType | None:
    """The type for values of both types, or None. Null goes with all, whole numbers with decimal ones, records gain fields."""
    if other in (one, pl.Null):
        return one
    if one == pl.Null:
        return other
    if one.is_integer() and other.is_integer():
        return pl.UInt64() if pl.UInt64 in (one, other) else pl.Int64()
    if (one.is_integer() or one.is_float()) and (other.is_integer() or other.is_float()):
        return pl.Float64()
    if isinstance(one, pl.List) and isinstance(other, pl.List):
        inner = merged(as_type(one.inner), as_type(other.inner))
        return None if inner is None else pl.List(inner)
    if isinstance(one, pl.Struct) and isinstance(other, pl.Struct):
        fields: dict[str, pl.DataType | None] = {field.name: as_type(field.dtype) for field in one.fields}
        for field in other.fields:
            fields[field.name] = merged(fields.get(field.name) or _NOTHING, as_type(field.dtype))
        return None if None in fields.values() else pl.Struct({name: dtype for name, dtype in fields.items() if dtype is not None})
    texts = (pl.String, pl.Categorical, pl.Enum)
    return pl.String() if one in texts and other in texts else None


def as_type(dtype: pl.DataType | DataTypeClass) -> pl.DataType:
    """A part of a nested type, which may be declared as a class."""
    return dtype if isinstance(dtype, pl.DataType) else dtype()


def fitted(values: pl.Series, dtype: pl.DataType) -> pl.Series:
    """A column as a type that `merged` gave. Raises a Polars or Arrow error for a value that does not fit."""
    if values.dtype == dtype:
        return values
    if not values.dtype.is_nested():
        return values.cast(dtype)
    # Polars casts a record only to one of the same fields; Arrow adds those that are missing.
    return pl.Series(values.name, values.to_arrow().cast(pl.Series([], dtype=dtype).to_arrow().type), dtype=dtype)


def without_null(dtype: pl.DataType) -> pl.DataType:
    """The type for the end of reading: what never had a value is taken for text."""
    if isinstance(dtype, pl.List):
        return pl.List(without_null(as_type(dtype.inner)))
    if isinstance(dtype, pl.Struct):
        return pl.Struct({field.name: without_null(as_type(field.dtype)) for field in dtype.fields})
    return pl.String() if dtype == pl.Null else dtype


def _type_of(values: Iterable[Any]) -> pl.DataType:
    """The type of JSON values. Raises ValueError, whose text goes on from `holds`, where they have no common one.

    Polars' own guess looks at the first values only: it cuts 1.5 to 1 after a 1, loses keys that come late, and reads a
    text letter by letter where lists came before.
    """
    values = [value for value in values if value is not None]
    kinds = set(map(type, values))
    if not kinds:
        return pl.Null()
    if kinds == {str}:
        return pl.String()
    if kinds == {bool}:
        return pl.Boolean()
    if kinds == {int}:
        if min(values) >= -(1 << 63) and max(values) < 1 << 63:
            return pl.Int64()
        if min(values) >= 0 and max(values) < 1 << 64:
            return pl.UInt64()
        raise ValueError("a whole number beyond 64 bits")
    if kinds <= {int, float}:
        return pl.Float64()
    if kinds == {list}:
        return pl.List(_type_of(itertools.chain.from_iterable(values)))
    if kinds == {dict}:
        names = dict.fromkeys(itertools.chain.from_iterable(values))
        return pl.Struct({name: _type_of([value.get(name) for value in values]) for name in names})
    raise ValueError("values of different types")


def column_of(name: str, values: list[Any], dtype: pl.DataType | None = None) -> pl.Series:
    """JSON values as a column, of the type given or their own. Raises ValueError where they have no common type.

    An object without keys is null, for Parquet has no place for it.
    """
    dtype = dtype or _type_of(values)
    if _holds_objects(dtype):
        values, dtype = [_without_empty(value) for value in values], _storable(dtype)
    try:
        return pl.Series(name, values, dtype=dtype, strict=True)
    except (TypeError, OverflowError, pl.exceptions.PolarsError) as error:
        raise ValueError(str(error)) from error


def _holds_objects(dtype: pl.DataType) -> bool:
    return isinstance(dtype, pl.Struct) or (isinstance(dtype, pl.List) and _holds_objects(as_type(dtype.inner)))


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_empty(part) for name, part in value.items()} or None
    return [_without_empty(part) for part in value] if isinstance(value, list) else value


def _storable(dtype: pl.DataType) -> pl.DataType:
    if isinstance(dtype, pl.List):
        return pl.List(_storable(as_type(dtype.inner)))
    if isinstance(dtype, pl.Struct):
        return pl.Struct({field.name: _storable(as_type(field.dtype)) for field in dtype.fields}) if dtype.fields else _NOTHING
    return dtype


def _words(dtype: pl.DataType) -> str:
    return "a whole number" if dtype.is_integer() else _WORDS.get(type(dtype).__name__, str(dtype))


# -- JSON --------------------------------------------------------------------------------------------------------------


def _jsonl(handle: IO[bytes], name: str, rows: int, _history: History) -> Iterator[pl.DataFrame]:
    types: dict[str, pl.DataType] = {}
    held: list[dict[str, Any]] = []
    numbers: list[int] = []
    number = held_bytes = 0
    for number, line in enumerate(handle, start=1):
        data = line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line
        if data.isspace() or not data:
            continue
        try:
            row = from_json(data, cache_strings="keys")
        except ValueError:
            raise _malformed(name, number, line) from None
        if not isinstance(row, dict):
            raise InputError("a line is not a JSON object", f"{name} line {number}: {_shown(line)}", "one object a line, please")
        held.append(row)
        numbers.append(number)
        held_bytes += len(line)
        if len(held) >= rows or held_bytes >= _HELD_BYTES:
            yield _typed(held, numbers, types, f"{name} line")
            held, numbers, held_bytes = [], [], 0
    if held:
        yield _typed(held, numbers, types, f"{name} line")
    elif number and not types:
        raise InputError(f"{name} holds nothing but white space", mend="fetch or make it again")


def _malformed(name: str, number: int, line: bytes) -> InputError:
    _refuse_bytes(name, number, line)
    try:
        # Without the line's end the parser counts characters from its beginning.
        from_json(line.strip())
        problem = "white space that JSON has not"
    except ValueError as error:
        problem = re.sub(r" at line 1 column ([0-9]+)$", r", at its character \1", str(error))
    return InputError(f"malformed JSON: {problem}", f"{name} line {number}: {_shown(line)}", "mend the line or remove it")


def _shown(line: bytes) -> str:
    return line.decode(errors="replace").strip()[:80]


def _refuse_bytes(name: str, number: int, line: bytes) -> None:
    try:
        line.decode()
    except UnicodeDecodeError as error:
        raise _not_utf8(name, number, line, error.start) from None


def _not_utf8(name: str, number: int, data: bytes, at: int) -> InputError:
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    mend = f"convert it, for example: iconv -f {'utf-16' if wide else 'latin1'} -t utf-8"
    return InputError(f"{name} is not UTF-8", f"line {number}: byte {data[at]:#04x} in {data[max(0, at - 20) : at + 10]!r}", mend)


def _typed(held: list[dict[str, Any]], numbers: list[int], types: dict[str, pl.DataType], place: str) -> pl.DataFrame:
    """Objects as a frame; `types`, those of the frames before, are widened to fit. place: the file, and what a number counts."""
    names = dict.fromkeys([*types, *itertools.chain.from_iterable(dict.fromkeys(map(tuple, held)))])
    columns = {}
    for name in names:
        values = [row.get(name) for row in held]
        known = types.get(name, _NOTHING)
        try:
            found = merged(known, _type_of(values))
            columns[name] = column_of(name, values, found or known)
        except ValueError:
            found = None
        if found is None:
            raise _mixed(name, values, numbers, known, place)
        types[name] = found
    return named(pl.DataFrame(columns))


def _mixed(name: str, values: list[Any], numbers: list[int], known: pl.DataType, place: str) -> InputError:
    """The error for a column whose values have no common type, naming the first that does not fit those before it."""
    for value, number in zip(values, numbers, strict=True):
        try:
            one = _type_of([value])
        except ValueError as error:
            return InputError(f"column '{name}' holds {error}", f"{place} {number}: {value!r:.80}", "mend it, or write it as text")
        both = merged(known, one)
        if both is None:
            found = f"{place} {number}: {_words(one)} where {_words(known)} stood before"
            mend = "write the single ones as lists too" if pl.List in (one, known) else "make the values one type"
            return InputError(f"column '{name}' holds values of different types", found, mend)
        known = both
    return InputError(f"column '{name}' holds values of different types", f"{place} {numbers[0]} and after", "make the values one type")


def _json(handle: IO[bytes], name: str, rows: int, _history: History) -> Iterator[pl.DataFrame]:
    """A JSON list of objects, an object of objects (its keys become the column `key`), or JSON Lines under the wrong name."""
    data = handle.read().removeprefix(BYTE_ORDER_MARK)
    if not data.strip():
        raise InputError(f"{name} is empty", mend="fetch or make it again; a table without rows is []")
    try:
        found = from_json(data, cache_strings="keys")
    except ValueError as error:
        if "trailing characters" in str(error):
            yield from _jsonl(io.BytesIO(data), name, rows, _history)
            return
        for number, line in enumerate(data.splitlines(), start=1):
            _refuse_bytes(name, number, line)
        problem, _, place = str(error).partition(" at line ")
        raise InputError(f"malformed JSON: {problem}", f"{name} line {place}", "mend the file") from None
    if isinstance(found, dict):
        parts = all(isinstance(value, dict) for value in found.values())
        found = [{"key": key, **value} for key, value in found.items()] if parts else [found]
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise InputError("the file is neither a list nor an object of JSON objects", name, "one object a row, please")
    if found:
        yield from _typed(found, [*range(1, len(found) + 1)], {}, f"{name} row").iter_slices(rows)


# -- delimited text ----------------------------------------------------------------------------------------------------


def _csv(handle: IO[bytes], name: str, rows: int, _history: History) -> Iterator[pl.DataFrame]:
    yield from _delimited(handle, name, rows, ",")


def _tsv(handle: IO[bytes], name: str, rows: int, _history: History) -> Iterator[pl.DataFrame]:
    yield from _delimited(handle, name, rows, "\t")


def _delimited(handle: IO[bytes], name: str, rows: int, sign: str) -> Iterator[pl.DataFrame]:
    """Separated text with a header line; every column is text and an empty cell is an empty text. Tabs go without quotes."""
    text = io.TextIOWrapper(handle, encoding="utf-8-sig", newline="")
    quoting: Any = csv.QUOTE_NONE if sign == "\t" else csv.QUOTE_MINIMAL
    reader = csv.reader(text, delimiter=sign, quoting=quoting, strict=sign != "\t")
    try:
        header = next((row for row in reader if row), [])
        if not any(cell.strip() for cell in header):
            raise InputError(f"{name} is empty", "it has no header line", "fetch or make it again")
        header = [column or nameless(place) for place, column in enumerate(header)]
        twice = next((column for column in header if header.count(column) > 1), None)
        if twice is not None:
            raise InputError(f"column '{twice}' stands twice in the header", name, "give each column its own name")
        held: list[list[str]] = []
        held_characters = 0
        some = False
        for row in reader:
            if not row:
                continue
            if len(row) != len(header):
                found = f"a row has {len(row)} cells, the header {len(header)}"
                raise InputError(found, f"{name} line {reader.line_num}", "quote cells that hold separators")
            held.append(row)
            held_characters += sum(map(len, row))
            if len(held) >= rows or held_characters >= _HELD_BYTES:
                yield _text_frame(header, held)
                held, held_characters, some = [], 0, True
        if held or not some:
            yield _text_frame(header, held)
    except csv.Error as error:
        raise InputError(f"malformed CSV: {error}", f"{name} line {reader.line_num}", "mend the line") from None
    except UnicodeDecodeError as error:
        number = reader.line_num + 1 + error.object[: error.start].count(b"\n")
        raise _not_utf8(name, number, error.object, error.start) from None


def _text_frame(header: list[str], held: list[list[str]]) -> pl.DataFrame:
    columns = zip(*held, strict=True) if held else [[]] * len(header)
    return pl.DataFrame([pl.Series(name, values, dtype=pl.String) for name, values in zip(header, columns, strict=True)])


# -- Parquet and Arrow -------------------------------------------------------------------------------------------------


def _parquet(handle: IO[bytes], name: str, rows: int, _history: History) -> Iterator[pl.DataFrame]:
    try:
        file = pq.ParquetFile(handle)
    except pa.ArrowInvalid as error:
        raise InputError(f"{name} is not a whole Parquet file", str(error).partition("\n")[0], "make it again") from error
    groups = (file.metadata.row_group(number) for number in range(file.metadata.num_row_groups))
    size = sum(group.total_byte_size for group in groups) // max(1, file.metadata.num_rows)
    if file.metadata.num_rows == 0:
        yield frame_of(file.schema_arrow.empty_table(), name)
    for batch in file.iter_batches(max(1, min(rows, _HELD_BYTES // max(1, size)))):
        yield frame_of(batch, name)


def _arrow(handle: IO[bytes], name: str, rows: int, history: History) -> Iterator[pl.DataFrame]:
    """An Arrow file or stream; a stream of ours fills `history` at its end."""
    try:
        file = pa.ipc.open_file(handle) if _is_arrow_file(handle) else None
        reader = pa.ipc.open_stream(handle) if file is None else None
    except (pa.ArrowInvalid, OSError) as error:
        raise cut_off(name) from error
    if reader is not None:
        yield from arrow_stream(reader, name, rows, history)
    if file is not None:
        if not file.num_record_batches:
            yield frame_of(file.schema.empty_table(), name)
        for number in range(file.num_record_batches):
            yield from _sliced(frame_of(file.get_batch(number), name), rows)


def arrow_stream(reader: pa.ipc.RecordBatchStreamReader, name: str, rows: int, history: History) -> Iterator[pl.DataFrame]:
    """The frames of a stream. One of ours must end as ours do: otherwise its producer died and nothing may be published."""
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
                yield from _sliced(frame_of(item.batch, name), rows)
    except (pa.ArrowInvalid, OSError) as error:
        raise cut_off(name) from error
    if read_notes(reader.schema) and (end is None or end["rows"] != seen):
        raise cut_off(name)
    if not seen:
        yield frame_of(reader.schema.empty_table(), name)
    if end is not None:
        history[:] = end["history"]


def _sliced(frame: pl.DataFrame, rows: int) -> Iterator[pl.DataFrame]:
    return frame.iter_slices(rows) if frame.height else iter([frame])


def read_notes(schema: pa.Schema) -> dict[str, Any]:
    """What negforge wrote in a schema's metadata, or nothing."""
    notes: dict[str, Any] = json.loads((schema.metadata or {}).get(METADATA, b"{}"))
    return notes


def frame_of(table: pa.RecordBatch | pa.Table, name: str) -> pl.DataFrame:
    """Arrow data as a frame. Raises InputError for text that is not UTF-8, a type that Polars has not, and two of a name."""
    for column, values in zip(table.schema.names, table.columns, strict=True):
        try:
            values.validate(full=True)
        except pa.ArrowInvalid as error:
            raise InputError(f"column '{column}' of {name} is damaged", str(error), "make the file again") from error
    try:
        return pl.DataFrame(pl.from_arrow(table))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        raise InputError(f"a column of {name} cannot be read", str(error).partition("\n")[0], "convert or leave out the column") from error


def nameless(place: int) -> str:
    """What a column without a name, such as the index pandas writes, is called: as Polars calls it when it reads Arrow."""
    return f"column_{place}"


def named(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with a name for each column."""
    return frame if "" not in frame.columns else frame.rename({"": nameless(frame.columns.index(""))})


def cut_off(name: str) -> InputError:
    """The error for a stream that ends before its end."""
    return InputError(f"{name} was cut off", "the command that wrote it died before its end", "look at its message and run it again")


READERS: dict[str, Reader] = {"jsonl": _jsonl, "json": _json, "csv": _csv, "tsv": _tsv, "parquet": _parquet, "arrow": _arrow}


def sniffed(head: bytes) -> str:
    """The format that the first bytes of a pipe tell; what tells none is comma separated text."""
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"ARROW1"):
        return "arrow"
    line, end, _ = head.removeprefix(BYTE_ORDER_MARK).lstrip().partition(b"\n")
    if line.startswith(b"["):
        return "json"
    if line.startswith(b"{"):
        return "json" if end and not _is_json(line) else "jsonl"
    return "tsv" if b"\t" in line and b"," not in line else "csv"


def _is_json(line: bytes) -> bool:
    try:
        from_json(line)
    except ValueError:
        return False
    return True


def schema_of(handle: IO[bytes], form: str) -> pa.Schema:
    """The schema of a Parquet or an Arrow file, with its metadata. Raises pyarrow's errors."""
    if form == "parquet":
        with pq.ParquetFile(handle) as file:
            return file.schema_arrow.with_metadata({**(file.schema_arrow.metadata or {}), **(file.metadata.metadata or {})})
    return (pa.ipc.open_file(handle) if _is_arrow_file(handle) else pa.ipc.open_stream(handle)).schema


def _is_arrow_file(handle: IO[bytes]) -> bool:
    head = handle.read(6)
    handle.seek(0)
    return head == b"ARROW1"
