"""Reads one open file: jsonl, json, csv, tsv, txt, parquet, arrow. What is malformed is named with its line.

The frames of a text format may grow: a column may be new, one without a value yet is of type Null, and whole numbers may
turn into decimal ones. `merged` says what two types become, `fitted` takes a column there.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import IO, Any, AnyStr

import polars as pl
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
from polars.datatypes import DataTypeClass
from pydantic_core import from_json

from negforge.badrows import PLACE, TEXT, BadRows
from negforge.errors import InputError, listed

History = list[dict[str, Any]]
_STRICT = BadRows()

FORMATS = ("jsonl", "json", "csv", "tsv", "txt", "parquet", "arrow")
METADATA = b"negforge"
_ENDLESS = b"Infinity"  # as Python writes it into JSON
_NOTES: dict[str, type] = {"kind": str}
_END: dict[str, type] = {"rows": int, "history": list}
_MAY_BE: dict[str, type] = {
    "clustered": bool,
    "history": list,
    "suffix": str,
    **dict.fromkeys((f"{name}_digest" for name in ("rows", "content", "dropped")), str),
}
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_HELD_BYTES = 1 << 26  # a frame ends at so many rows or so many bytes, whatever comes first
_WORDS = {"String": "text", "Boolean": "true or false", "Float64": "a number", "List": "a list", "Struct": "an object"}
_NOTHING = pl.Null()
_DEEPEST = 32  # levels of lists and objects in a cell; Arrow takes no more than 64 of a table
_LONGEST = 1 << 28  # bytes or characters of one line: what a small packed file may unpack to is held in memory to its end
_LARGEST_JSON = 1 << 30  # bytes of a JSON document, which is parsed whole
_MOST_CELLS = 1 << 23  # of one line; as objects they take many times its bytes
_MOST_CELLS_JSON = 1 << 26  # of a JSON document
_MOST_ROWS = 1 << 30  # of a frame
_MOST_COLUMNS = 1 << 14  # and keys of a column's objects: names that rows make up would be a column each
csv.field_size_limit(1 << 30)
_EPOCH = date(1970, 1, 1).toordinal()
_FIRST_DAY, _LAST_DAY = date.min.toordinal() - _EPOCH, date.max.toordinal() - _EPOCH  # as Arrow counts them
_A_DAY = {"ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}


@dataclass
class Mark:
    """How far a source was read, at the end of a frame: rows, lines of a text and the types of its columns so far, rows made.

    made: the rows that a reader made of the source's. behind: whether to go on there; else what is read begins at the beginning.
    """

    rows: int = 0
    lines: int = 0
    made: int = 0
    types: dict[str, pl.DataType] = field(default_factory=dict)
    behind: bool = False

    def numbers(self) -> list[int]:
        """What JSON has of it, for `go_on`."""
        return [self.rows, self.lines, self.made]

    def go_on(self, numbers: list[int], types: dict[str, pl.DataType]) -> None:
        """Be the mark that another one was."""
        self.rows, self.lines, self.made = numbers
        self.types, self.behind = types, True


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


def entries(dtype: pl.Map) -> pl.List:
    """A map as the list of its entries."""
    return pl.List(pl.Struct({"key": as_type(dtype.key), "value": as_type(dtype.value)}))


def without_null(dtype: pl.DataType) -> pl.DataType:
    """The type for the end of reading: what never had a value is taken for text."""
    if isinstance(dtype, pl.List):
        return pl.List(without_null(as_type(dtype.inner)))
    if isinstance(dtype, pl.Struct):
        return pl.Struct({field.name: without_null(as_type(field.dtype)) for field in dtype.fields})
    return pl.String() if dtype == pl.Null else dtype


class _TooWideError(ValueError):
    """Of all rows together, not of one."""


def _type_of(values: Iterable[Any], level: int = 0) -> pl.DataType:
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
    if level == _DEEPEST and kinds <= {list, dict}:
        raise ValueError(f"values nested deeper than {_DEEPEST} levels")
    if kinds == {list}:
        return pl.List(_type_of(itertools.chain.from_iterable(values), level + 1))
    if kinds == {dict}:
        names = dict.fromkeys(itertools.chain.from_iterable(values))
        if len(names) > _MOST_COLUMNS:
            raise _TooWideError(f"objects with more than {_MOST_COLUMNS:,} different keys")
        if any("\0" in name for name in names):
            raise ValueError("a key with a NUL character, which no table has")
        return pl.Struct({name: _type_of([value.get(name) for value in values], level + 1) for name in names})
    raise ValueError("values of different types")


def column_of(name: str, values: list[Any], dtype: pl.DataType | None = None) -> pl.Series:
    """JSON values as a column, of the type given or their own. Raises ValueError where they have no common type.

    An object without keys is null, for Parquet has no place for it.
    """
    dtype = dtype or _type_of(values)
    if _holds_objects(dtype):
        values, dtype = [_fitting(value, dtype) for value in values], _storable(dtype)
    try:
        return pl.Series(name, values, dtype=dtype, strict=True)
    except (TypeError, OverflowError, pl.exceptions.PolarsError) as error:
        raise ValueError(str(error)) from error


def _holds_objects(dtype: pl.DataType) -> bool:
    return isinstance(dtype, pl.Struct) or (isinstance(dtype, pl.List) and _holds_objects(as_type(dtype.inner)))


def _holds_decimals(dtype: pl.DataType) -> bool:
    if isinstance(dtype, pl.Struct):
        return any(_holds_decimals(as_type(field.dtype)) for field in dtype.fields)
    return _holds_decimals(as_type(dtype.inner)) if isinstance(dtype, pl.List) else dtype == pl.Float64


def _is_endless(value: Any) -> bool:
    """Whether a JSON value holds an infinite number."""
    if isinstance(value, (list, dict)):
        return any(map(_is_endless, value.values() if isinstance(value, dict) else value))
    return isinstance(value, float) and math.isinf(value)


def _fitting(value: Any, dtype: pl.DataType) -> Any:
    """A value without its empty objects, and its whole numbers as decimals where the type is: Polars goes by the first of a list."""
    if isinstance(value, dict):
        types = {field.name: as_type(field.dtype) for field in dtype.fields} if isinstance(dtype, pl.Struct) else {}
        return {name: _fitting(part, types.get(name, _NOTHING)) for name, part in value.items()} or None
    if isinstance(value, list):
        inner = as_type(dtype.inner) if isinstance(dtype, pl.List) else _NOTHING
        return [_fitting(part, inner) for part in value]
    return float(value) if dtype == pl.Float64 and type(value) is int else value


def _storable(dtype: pl.DataType) -> pl.DataType:
    if isinstance(dtype, pl.List):
        return pl.List(_storable(as_type(dtype.inner)))
    if isinstance(dtype, pl.Struct):
        return pl.Struct({field.name: _storable(as_type(field.dtype)) for field in dtype.fields}) if dtype.fields else _NOTHING
    return dtype


def _words(dtype: pl.DataType) -> str:
    return "a whole number" if dtype.is_integer() else _WORDS.get(type(dtype).__name__, str(dtype))


# -- JSON --------------------------------------------------------------------------------------------------------------


def _jsonl(
    handle: IO[bytes], name: str, rows: int, _history: History, bad: BadRows = _STRICT, mark: Mark | None = None
) -> Iterator[pl.DataFrame]:
    mark = _begun(mark)
    types = mark.types
    held = _Held(name, bad)
    number = held_bytes = 0
    lines = enumerate(iter(lambda: handle.readline(_LONGEST + 1), b""), start=1)
    for number, line in itertools.islice(lines, mark.lines, None):
        data = line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line
        if data.isspace() or not data:
            continue
        _refuse_long(line, b",", name, number)
        try:
            row = from_json(data, cache_strings="keys")
        except ValueError:
            bad.take(*_malformed(name, number, line), f"{name}:{number}", _raw(line))
            continue
        if not isinstance(row, dict):
            error = InputError("a line is not a JSON object", f"{name} line {number}: {_shown(line)}", "one object a line, please")
            bad.take(error, "not-an-object", f"{name}:{number}", _raw(line))
            continue
        if line.count(b'":') != len(row) and (twice := _repeated_key(data)) is not None:
            error = InputError(f"key {twice!r} stands twice in an object", f"{name} line {number}: {_shown(line)}", "keep one of them")
            bad.take(error, "repeated-key", f"{name}:{number}", _raw(line))
            continue
        held.add(row, number, _raw(line) if bad.most else "", endless=_ENDLESS in line)
        held_bytes += len(line)
        if len(held.rows) >= rows or held_bytes >= _HELD_BYTES:
            mark.lines = number
            yield held.frame(types)
            held_bytes = 0
    mark.lines = max(mark.lines, number)
    if held.rows:
        yield held.frame(types)
    elif number and not types and not bad.rows:
        raise InputError(f"{name} holds nothing but white space", mend="fetch or make it again")


def _refuse_long(line: AnyStr, sign: AnyStr, name: str, number: int) -> None:
    """Raise InputError for a line that would take more memory than a row may."""
    where, mend = f"{name} line {number}", "is it a table at all? if so, cut its texts"
    if len(line) > _LONGEST:
        raise InputError(f"a line is longer than {_LONGEST >> 20} MiB", where, mend)
    if len(line) > _MOST_CELLS and line.count(sign) > _MOST_CELLS:
        raise InputError(f"a line holds more than {_MOST_CELLS:,} values", where, mend)


def _refuse_wide(names: Collection[str], name: str) -> None:
    if len(names) > _MOST_COLUMNS:
        mend = "write what rows name themselves as text in one column"
        raise InputError(f"{name} has more than {_MOST_COLUMNS:,} columns", f"among them {listed(list(names)[:3])}", mend)


def _begun(mark: Mark | None) -> Mark:
    """The mark to go on behind, which serves once, or one at the beginning."""
    if mark is None:
        return Mark()
    if not mark.behind:
        mark.lines, mark.types = 0, {}
    mark.behind = False
    return mark


def _malformed(name: str, number: int, line: bytes) -> tuple[InputError, str]:
    """The error for a line that is no JSON, and its reason as a dropped row."""
    try:
        line.decode()
    except UnicodeDecodeError as error:
        return _not_utf8(name, number, line, error.start), "not-utf8"
    try:
        # Without the line's end the parser counts characters from its beginning.
        from_json(line.strip())
        problem = "white space that JSON has not"
    except ValueError as error:
        problem = re.sub(r" at line 1 column ([0-9]+)$", r", at its character \1", str(error))
    return InputError(f"malformed JSON: {problem}", f"{name} line {number}: {_shown(line)}", "mend the line or remove it"), "malformed"


def _repeated_key(data: bytes) -> str | None:
    """A key that stands twice in an object of a JSON text; the parser would silently take its last value."""
    found: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in pairs]
        found.extend(name for name in names if names.count(name) > 1) if len({*names}) < len(names) else None

    json.loads(data, object_pairs_hook=look, parse_int=str)
    return found[0] if found else None


def _shown(line: bytes) -> str:
    return line.decode(errors="replace").strip()[:80]


def _raw(line: bytes) -> str:
    """The beginning of a line with every byte to be seen."""
    return line[:1000].decode(errors="backslashreplace").strip("\r\n")


def _refuse_bytes(name: str, number: int, line: bytes) -> None:
    try:
        line.decode()
    except UnicodeDecodeError as error:
        raise _not_utf8(name, number, line, error.start) from None


def _not_utf8(name: str, number: int, data: bytes, at: int) -> InputError:
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    mend = "mend that line, or drop it by --max-bad-rows 1; if all lines are so: iconv -f latin1 -t utf-8"
    mend = "convert it, for example: iconv -f utf-16 -t utf-8" if wide else mend
    return InputError(f"{name} is not UTF-8", f"line {number}: byte {data[at]:#04x} in {data[max(0, at - 20) : at + 10]!r}", mend)


class _Held:
    """Objects that wait to become a frame, with the line or row each stands in."""

    def __init__(self, name: str, bad: BadRows, unit: str = "line") -> None:
        self._name, self._bad, self._unit = name, bad, unit
        self.rows: list[dict[str, Any]] = []
        self.numbers: list[int] = []
        self.texts: list[str] = []
        self.endless: list[bool] = []

    def add(self, row: dict[str, Any], number: int, text: str, *, endless: bool) -> None:
        """Take one. endless: whether its text has the word for an infinite number."""
        self.rows.append(row)
        self.numbers.append(number)
        self.texts.append(text)
        self.endless.append(endless)

    def frame(self, types: dict[str, pl.DataType]) -> pl.DataFrame:
        """What is held as a frame, held no longer; `types`, those of the frames before, are widened to fit."""
        while True:
            names = dict.fromkeys([*types, *itertools.chain.from_iterable(dict.fromkeys(map(tuple, self.rows)))])
            _refuse_wide(names, self._name)
            columns: dict[str, pl.Series] = {}
            wider: dict[str, pl.DataType] = {}
            for name in names:
                values = [row.get(name) for row in self.rows]
                known = types.get(name, _NOTHING)
                try:
                    found = merged(known, _type_of(values))
                    columns[name] = column_of(name, values, found or known)
                except _TooWideError as error:
                    mend = "write them as text, or as lists of keys and values"
                    raise InputError(f"column '{name}' holds {error}", self._place(self.numbers[-1]), mend) from error
                except ValueError:
                    found = None
                else:
                    found = None if found is not None and _holds_decimals(found) and any(self._too_large(values)) else found
                if found is None:
                    self._put_by(name, values, known)
                    break
                wider[name] = found
            else:
                break
        types.update(wider)
        made = named(pl.DataFrame(columns), self._name)
        if self._bad.most:
            made = made.with_columns(pl.Series(PLACE, map(self._place, self.numbers), dtype=pl.String))
            made = made.with_columns(pl.Series(TEXT, self.texts, dtype=pl.String)) if self._unit == "line" else made
        self.rows, self.numbers, self.texts, self.endless = [], [], [], []
        return made

    def _too_large(self, values: list[Any]) -> Iterator[bool]:
        """Which of the rows' values hold a number too large for 64 bits, which the parser takes for an infinite one."""
        return (_is_endless(value) and not word for value, word in zip(values, self.endless, strict=True))

    def _place(self, number: int) -> str:
        return f"{self._name}:{number}" if self._unit == "line" else f"{self._name} {self._unit} {number}"

    def _put_by(self, name: str, values: list[Any], known: pl.DataType) -> None:
        """Put by the rows whose value in a column does not fit those before it; raise the first one's error if none may be."""
        place = f"{self._name} {self._unit}"
        wrong: set[int] = set()
        for row, (value, number, large) in enumerate(zip(values, self.numbers, [*self._too_large(values)], strict=True)):
            error, both = _misfit(name, value, known, f"{place} {number}")
            if large:
                told = f"{place} {number}{f': {self.texts[row][:80]}' if self.texts[row] else ''}"
                error = InputError(f"column '{name}' holds a number beyond 64 bits", told, "mend it, or write it as text")
            if error is None:
                known = both
                continue
            text = self.texts[row] or json.dumps(self.rows[row], ensure_ascii=False, default=str)
            self._bad.take(error, "too-large" if large else "mixed-types", self._place(number), text)
            wrong.add(row)
        if not wrong:
            where = f"{place} {self.numbers[0]} and after"
            raise InputError(f"column '{name}' holds values of different types", where, "make the values one type")
        keep = [row for row in range(len(values)) if row not in wrong]
        self.rows = [self.rows[row] for row in keep]
        self.numbers = [self.numbers[row] for row in keep]
        self.texts = [self.texts[row] for row in keep]
        self.endless = [self.endless[row] for row in keep]


def _misfit(name: str, value: Any, known: pl.DataType, place: str) -> tuple[InputError | None, pl.DataType]:
    """The error for a value that does not go with those before it, or the type for both."""
    try:
        one = _type_of([value])
    except ValueError as error:
        return InputError(f"column '{name}' holds {error}", f"{place}: {value!r:.80}", "mend it, or write it as text"), known
    both = merged(known, one)
    if both is not None:
        return None, both
    mend = "write the single ones as lists too" if pl.List in (one, known) else "make the values one type"
    found = f"{place}: {_words(one)} where {_words(known)} stood before"
    return InputError(f"column '{name}' holds values of different types", found, mend), known


def _json(
    handle: IO[bytes], name: str, rows: int, _history: History, bad: BadRows = _STRICT, mark: Mark | None = None
) -> Iterator[pl.DataFrame]:
    """A JSON list of objects, an object of objects (its keys become the column `key`), or JSON Lines under the wrong name."""
    data = handle.read(_LARGEST_JSON + 1).removeprefix(BYTE_ORDER_MARK)
    if not data.strip():
        raise InputError(f"{name} is empty", mend="fetch or make it again; a table without rows is []")
    mend = "write an object a line, for example with jq -c '.[]', and name the file .jsonl"
    if len(data) > _LARGEST_JSON:
        raise InputError(f"{name} is larger than {_LARGEST_JSON >> 30} GiB", "a JSON document is read whole", mend)
    if data.count(b",") > _MOST_CELLS_JSON:
        raise InputError(f"{name} holds more than {_MOST_CELLS_JSON:,} values", "a JSON document is read whole", mend)
    try:
        found = from_json(data, cache_strings="keys")
    except ValueError as error:
        if "trailing characters" in str(error):
            yield from _jsonl(io.BytesIO(data), name, rows, _history, bad, mark)
            return
        for number, line in enumerate(data.splitlines(), start=1):
            _refuse_bytes(name, number, line)
        problem, _, place = str(error).partition(" at line ")
        raise InputError(f"malformed JSON: {problem}", f"{name} line {place}", "mend the file") from None
    if isinstance(found, dict):
        parts = all(isinstance(value, dict) for value in found.values())
        found = [{"key": key, **value} for key, value in found.items()] if parts else [found]
    if not isinstance(found, list) or not (bad.most or all(isinstance(row, dict) for row in found)):
        raise InputError("the file is neither a list nor an object of JSON objects", name, "one object a row, please")
    before = mark.rows if mark is not None else 0
    bad = BadRows(bad.most) if before else bad  # those of the whole file were taken with its first frame
    held = _Held(name, bad, "row")
    for number, row in enumerate(found, start=1):
        if isinstance(row, dict):
            held.add(row, number, "", endless=_ENDLESS in data)
        else:
            wrong = InputError("a row is not a JSON object", f"{name} row {number}", "one object a row, please")
            bad.take(wrong, "not-an-object", f"{name} row {number}", json.dumps(row))
    if data.count(b'":') != sum(map(len, held.rows)) and (twice := _repeated_key(data)) is not None:
        raise InputError(f"key {twice!r} stands twice in an object", name, "keep one of them")
    if held.rows:
        yield from held.frame({})[before:].iter_slices(rows)


# -- delimited text ----------------------------------------------------------------------------------------------------


def _csv(
    handle: IO[bytes], name: str, rows: int, _history: History, bad: BadRows = _STRICT, mark: Mark | None = None
) -> Iterator[pl.DataFrame]:
    yield from _delimited(handle, name, rows, ",", bad, _begun(mark))


def _tsv(
    handle: IO[bytes], name: str, rows: int, _history: History, bad: BadRows = _STRICT, mark: Mark | None = None
) -> Iterator[pl.DataFrame]:
    yield from _delimited(handle, name, rows, "\t", bad, _begun(mark))


def _txt(
    handle: IO[bytes], name: str, rows: int, _history: History, bad: BadRows = _STRICT, mark: Mark | None = None
) -> Iterator[pl.DataFrame]:
    """One text a line in the column `text`, without the blanks around it; a blank line is none."""
    mark = _begun(mark)
    held = _Held(name, bad)
    number = held_bytes = 0
    some = mark.lines > 0
    lines = enumerate(iter(lambda: handle.readline(_LONGEST + 1), b""), start=1)
    for number, line in itertools.islice(lines, mark.lines, None):
        _refuse_long(line, b"\0", name, number)
        data = line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line
        try:
            text = data.decode().strip()
        except UnicodeDecodeError as error:
            bad.take(_not_utf8(name, number, data, error.start), "not-utf8", f"{name}:{number}", _raw(line))
            continue
        if "\0" in text:
            mend = "convert it, for example: iconv -f utf-16le -t utf-8"
            wrong = InputError(f"{name} is no text", f"line {number} holds NUL bytes", mend)
            bad.take(wrong, "not-utf8", f"{name}:{number}", _raw(line))
            continue
        if not text:
            continue
        held.add({"text": text}, number, _raw(line) if bad.most else "", endless=False)
        held_bytes += len(line)
        if len(held.rows) >= rows or held_bytes >= _HELD_BYTES:
            mark.lines, some = number, True
            yield held.frame(mark.types)
            held_bytes = 0
    mark.lines = max(mark.lines, number)
    if held.rows:
        yield held.frame(mark.types)
    elif not some and not bad.rows:
        raise InputError(f"{name} holds nothing but white space", mend="fetch or make it again")


class _Lines:
    """The lines of a text. taken: those since the last look, which can be given back but for the first."""

    def __init__(self, text: io.TextIOWrapper, name: str, sign: str) -> None:
        self._text, self._name, self._sign, self._again = text, name, sign, list[str]()
        self.number, self.taken, self._held = 0, list[str](), 0

    def next_row(self) -> int:
        """Begin a row; the number of its first line."""
        self.taken.clear()
        self._held = 0
        return self.number + 1

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.pop() if self._again else self._text.readline(_LONGEST + 1)
        if not line:
            raise StopIteration
        self.number += 1
        _refuse_long(line, self._sign, self._name, self.number)
        self.taken.append(line)
        self._held += len(line)
        if self._held > _LONGEST:
            raise csv.Error(f"a quote is not closed for {_LONGEST >> 20} MiB")
        return line

    def go_to(self, number: int) -> None:
        """Pass over lines up to that one."""
        while self.number < number:
            next(self)
            self.next_row()

    def give_back(self) -> None:
        """The lines after the first are to come again: a quote that opens nothing must not take them along."""
        self._again += reversed(self.taken[1:])
        self.number -= len(self.taken) - 1


def _delimited(handle: IO[bytes], name: str, rows: int, sign: str, bad: BadRows, mark: Mark) -> Iterator[pl.DataFrame]:
    """Separated text with a header line; every column is text and an empty cell is an empty text. Tabs go without quotes."""
    # A byte that is no UTF-8 must not end the run where its row may be dropped.
    text = io.TextIOWrapper(handle, encoding="utf-8-sig", newline="", errors="surrogateescape" if bad.most else "strict")
    quoting: Any = csv.QUOTE_NONE if sign == "\t" else csv.QUOTE_MINIMAL
    lines = _Lines(text, name, sign)
    reader = csv.reader(lines, delimiter=sign, quoting=quoting, strict=sign != "\t")
    try:
        header = _header(reader, lines, name, sign)
        held: list[list[str]] = []
        places: list[str] = []
        texts: list[str] = []
        held_characters = 0
        some = mark.lines > 0
        lines.go_to(mark.lines)
        while True:
            begun = lines.next_row()
            try:
                row = next(reader, None)
            except csv.Error as error:
                told = InputError(f"malformed CSV: {error}", f"{name} line {lines.number}", "mend the line")
                bad.take(told, "malformed", f"{name}:{begun}", _escaped(lines.taken[0]))
                lines.give_back()
                continue
            if row is None:
                break
            if not row:
                continue
            if bad.most and not _is_text("".join(lines.taken)):
                bad.take(_no_text(name, begun, "".join(lines.taken)), "not-utf8", f"{name}:{begun}", _escaped("".join(lines.taken)))
                continue
            if len(row) != len(header):
                found = f"a row has {len(row)} cells, the header {len(header)}"
                wrong = InputError(found, f"{name} line {lines.number}", "quote cells that hold separators, or pass --max-bad-rows N")
                bad.take(wrong, "ragged", f"{name}:{begun}", _escaped("".join(lines.taken)))
                continue
            held.append(row)
            if bad.most:
                places.append(f"{name}:{begun}")
                texts.append("".join(lines.taken)[:1000].rstrip("\r\n"))
            held_characters += sum(map(len, row))
            if len(held) >= rows or held_characters >= _HELD_BYTES:
                mark.lines = lines.number
                yield _text_frame(header, held, places, texts)
                held, places, texts, held_characters, some = [], [], [], 0, True
        mark.lines = lines.number
        if held or not some:
            yield _text_frame(header, held, places, texts, located=bool(bad.most))
    except UnicodeDecodeError as error:
        number = lines.number + 1 + error.object[: error.start].count(b"\n")
        raise _not_utf8(name, number, error.object, error.start) from None


def _header(reader: Iterator[list[str]], lines: _Lines, name: str, sign: str) -> list[str]:
    """The names of the columns. Raises InputError for a file that is empty, no text, or separated by another sign."""
    try:
        header = next((row for row in reader if row), [])
    except csv.Error as error:
        raise InputError(f"malformed CSV: {error}", f"{name} line {lines.number}", "mend the line") from None
    if not any(cell.strip() for cell in header):
        raise InputError(f"{name} is empty", "it has no header line", "fetch or make it again")
    whole = "".join(lines.taken)
    if "\0" in whole or not _is_text(whole):
        mend = (
            "convert it, for example: iconv -f utf-16le -t utf-8" if "\0" in whole else "convert it, for example: iconv -f latin1 -t utf-8"
        )
        raise InputError(f"{name} is not UTF-8", f"its header line holds {'NUL' if chr(0) in whole else 'other'} bytes", mend)
    other = max(";\t|,", key=whole.count)
    if whole.count(other) > whole.count(sign) and len(header) == 1:
        mend = f"name it {'.tsv' if other == chr(9) else '.csv'}" if other in ",\t" else "save it with commas"
        raise InputError(f"the columns of {name} are separated by {other!r}, not {sign!r}", f"its header is {whole.strip()[:80]!r}", mend)
    header = [column or nameless(place) for place, column in enumerate(header)]
    twice = next((column for column, count in Counter(header).items() if count > 1), None)
    if twice is not None:
        raise InputError(f"column '{twice}' stands twice in the header", name, "give each column its own name")
    _refuse_wide(header, name)
    return header


def _is_text(text: str) -> bool:
    """Whether a text that was read with `surrogateescape` had no byte to escape."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _no_text(name: str, number: int, text: str) -> InputError:
    raw = text.encode(errors="surrogateescape")
    ends = (raw[: at + 1].decode(errors="surrogateescape")[-1:] for at in range(len(raw)))
    return _not_utf8(name, number, raw, next(at for at, end in enumerate(ends) if not _is_text(end)))


def _escaped(text: str) -> str:
    return text[:1000].rstrip("\r\n").encode(errors="surrogateescape").decode(errors="backslashreplace")


def _text_frame(header: list[str], held: list[list[str]], places: list[str], texts: list[str], *, located: bool = False) -> pl.DataFrame:
    columns = zip(*held, strict=True) if held else [[]] * len(header)
    made = [pl.Series(name, values, dtype=pl.String) for name, values in zip(header, columns, strict=True)]
    if places or located:
        made += [pl.Series(PLACE, places, dtype=pl.String), pl.Series(TEXT, texts, dtype=pl.String)]
    return pl.DataFrame(made)


# -- Parquet and Arrow -------------------------------------------------------------------------------------------------


def _parquet(
    handle: IO[bytes], name: str, rows: int, _history: History, _bad: BadRows = _STRICT, mark: Mark | None = None
) -> Iterator[pl.DataFrame]:
    try:
        # Read ahead, Arrow keeps the bytes of every row group until the file is closed.
        file = pq.ParquetFile(handle, pre_buffer=False)
    except pa.ArrowInvalid as error:
        raise InputError(f"{name} is not a whole Parquet file", str(error).partition("\n")[0], "make it again") from error
    groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
    size = sum(group.total_byte_size for group in groups) // max(1, file.metadata.num_rows)
    if file.metadata.num_rows == 0:
        yield frame_of(file.schema_arrow.empty_table(), name)
    over, first = mark.rows if mark is not None else 0, 0
    while first < len(groups) and over >= groups[first].num_rows:
        over -= groups[first].num_rows
        first += 1
    for batch in file.iter_batches(max(1, min(rows, _HELD_BYTES // max(1, size))), row_groups=range(first, len(groups))):
        if over < batch.num_rows:
            yield frame_of(batch[over:], name)
        over = max(0, over - batch.num_rows)


def _arrow(
    handle: IO[bytes], name: str, rows: int, history: History, _bad: BadRows = _STRICT, _mark: Mark | None = None
) -> Iterator[pl.DataFrame]:
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
            yield from _frames(file.get_batch(number), name, rows)


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
                end = _notes(item.custom_metadata[METADATA], _END)
                continue
            seen += item.batch.num_rows
            if item.batch.num_rows:
                yield from _frames(item.batch, name, rows)
    except (pa.ArrowInvalid, OSError) as error:
        raise cut_off(name) from error
    if read_notes(reader.schema) and (end is None or end["rows"] != seen):
        raise cut_off(name)
    if not seen:
        yield frame_of(reader.schema.empty_table(), name)
    if end is not None:
        history[:] = end["history"]


def _frames(batch: pa.RecordBatch, name: str, rows: int) -> Iterator[pl.DataFrame]:
    """A batch as frames; columns of nulls alone may say that it has more rows than a frame holds."""
    for start in range(0, max(1, batch.num_rows), _MOST_ROWS):
        frame = frame_of(batch.slice(start, _MOST_ROWS) if batch.num_rows > _MOST_ROWS else batch, name)
        yield from frame.iter_slices(rows) if frame.height else iter([frame])


def read_notes(schema: pa.Schema) -> dict[str, Any]:
    """What negforge wrote in a schema's metadata, or nothing. Raises InputError where it is damaged."""
    data = (schema.metadata or {}).get(METADATA)
    return {} if data is None else _notes(data, _NOTES)


def _notes(data: bytes, types: dict[str, type]) -> dict[str, Any]:
    """What negforge wrote somewhere. Raises InputError where it lacks something or has it of another type than its readers expect."""
    try:
        notes: dict[str, Any] = json.loads(data)
        typed(notes, {**types, **{name: kind for name, kind in _MAY_BE.items() if name in notes}}, "it")
        check_history(notes.get("history", []))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        why = f"{type(error).__name__}: {error}"
        raise InputError("what negforge wrote in a table's metadata is damaged", why, "make the table again") from error
    return notes


def check_history(history: History) -> None:
    """KeyError or TypeError for an entry that is no stage."""
    for stage in history:
        typed(stage, {"stage": str} | {name: dict for name in ("options", "counts") if name in stage}, "a stage")


def typed(found: Any, types: dict[str, type], where: str) -> None:
    """KeyError or TypeError for an object that lacks something or has it of another type."""
    if not isinstance(found, dict):
        raise TypeError(f"{where} is {found!r:.60}")
    for name, kind in types.items():
        if not isinstance(found[name], kind) or (kind is int and isinstance(found[name], bool)):
            raise TypeError(f"{where} has {name} {found[name]!r:.60}")


def frame_of(table: pa.RecordBatch | pa.Table, name: str) -> pl.DataFrame:
    """Arrow data as a frame. Raises InputError for text that is not UTF-8, a type that Polars has not, and two of a name.

    Of an extension type the values stay, as the type they are stored in.
    """
    columns = []
    for column, values in zip(table.schema.names, table.columns, strict=True):
        _refuse_type(values.type, column, name)
        try:
            values.validate(full=True)
            columns.append(values.cast(_stored(values.type)) if _stored(values.type) != values.type else values)
        except pa.ArrowNotImplementedError as error:
            raise _cannot(column, name, str(error)) from error
        except pa.ArrowInvalid as error:
            raise InputError(f"column '{column}' of {name} is damaged", str(error), "make the file again") from error
    try:
        plain = pa.Table.from_arrays(columns, names=table.schema.names) if columns else table
        frame = pl.DataFrame(pl.from_arrow(plain))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, pa.ArrowException) as error:
        raise InputError(f"a column of {name} cannot be read", str(error).partition("\n")[0], "convert or leave out the column") from error
    wrong = next((values.name for values in frame if _is_beyond_time(values)), None)
    if wrong is not None:
        raise _cannot(wrong, name, "it holds a date or a time beyond the years 1 to 9999")
    return frame


def _holds_times(dtype: pl.DataType) -> bool:
    if isinstance(dtype, pl.Struct):
        return any(_holds_times(as_type(one.dtype)) for one in dtype.fields)
    if isinstance(dtype, pl.Map):
        return _holds_times(entries(dtype))
    return _holds_times(as_type(dtype.inner)) if isinstance(dtype, (pl.List, pl.Array)) else dtype.is_temporal() and dtype != pl.Duration


def _is_beyond_time(values: pl.Series) -> bool:
    """Whether a date or a time in a column, its lists and records, is one that Python has not; Polars cannot write it as text."""
    dtype = values.dtype
    if not _holds_times(dtype):
        return False
    if isinstance(dtype, pl.Map):
        return _is_beyond_time(values.cast(entries(dtype)))
    if isinstance(dtype, pl.Struct):
        return any(map(_is_beyond_time, values.struct.unnest()))
    if isinstance(dtype, (pl.List, pl.Array)):
        return _is_beyond_time(values.explode())
    day = 1 if dtype == pl.Date else _A_DAY[getattr(dtype, "time_unit", "ns")]
    low, high = (0, day) if dtype == pl.Time else (_FIRST_DAY * day, (_LAST_DAY + 1) * day)
    found = values.to_physical().drop_nulls()
    return len(found) > 0 and not low <= int(found.min()) <= int(found.max()) < high  # type: ignore[arg-type]


def _refuse_type(kind: pa.DataType, column: str, name: str, level: int = 0) -> None:
    """Raise InputError for what no frame holds: records without fields, lists of no width, nesting without end."""
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    if level > _DEEPEST:
        raise _cannot(column, name, f"it is nested deeper than {_DEEPEST} levels")
    if pa.types.is_struct(kind) and kind.num_fields == 0:
        raise _cannot(column, name, "it holds records without fields")
    if pa.types.is_fixed_size_list(kind) and kind.list_size == 0:
        raise _cannot(column, name, "it holds lists of size 0")
    if pa.types.is_nested(kind):
        for number in range(kind.num_fields):
            _refuse_type(kind.field(number).type, column, name, level + 1)


def _stored(kind: pa.DataType) -> pa.DataType:
    """The type without extension types, in lists and records too."""
    if isinstance(kind, pa.BaseExtensionType):
        return _stored(kind.storage_type)
    if pa.types.is_struct(kind):
        return pa.struct([one.with_type(_stored(one.type)) for one in kind])
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        make = pa.list_ if pa.types.is_list(kind) else pa.large_list
        return make(kind.value_field.with_type(_stored(kind.value_type)))
    return kind


def _cannot(column: str, name: str, why: str) -> InputError:
    return InputError(f"column '{column}' of {name} cannot be read", why, "convert or leave out the column")


def nameless(place: int) -> str:
    """What a column without a name, such as the index pandas writes, is called: as Polars calls it when it reads Arrow."""
    return f"column_{place}"


def named(frame: pl.DataFrame, where: str = "the given frame") -> pl.DataFrame:
    """The frame with a name for each column. Raises InputError where another column has the name already."""
    if "" not in frame.columns:
        return frame
    name = nameless(frame.columns.index(""))
    if name in frame.columns:
        raise InputError(f"a column without a name would be '{name}', which is there", f"{where} has {listed(frame.columns)}", "name it")
    return frame.rename({"": name})


def cut_off(name: str) -> InputError:
    """The error for a stream that ends before its end."""
    return InputError(f"{name} was cut off", "the command that wrote it died before its end", "look at its message and run it again")


READERS = {"jsonl": _jsonl, "json": _json, "csv": _csv, "tsv": _tsv, "txt": _txt, "parquet": _parquet, "arrow": _arrow}


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
    try:
        if form == "parquet":
            with pq.ParquetFile(handle) as file:
                schema = file.schema_arrow.with_metadata({**(file.schema_arrow.metadata or {}), **(file.metadata.metadata or {})})
        else:
            schema = (pa.ipc.open_file(handle) if _is_arrow_file(handle) else pa.ipc.open_stream(handle)).schema
        _ = schema.names  # which are bytes to pyarrow until they are asked for
    except UnicodeDecodeError as error:
        raise pa.ArrowInvalid(f"a name in it is not UTF-8: {error}") from error
    return schema


def _is_arrow_file(handle: IO[bytes]) -> bool:
    head = handle.read(6)
    handle.seek(0)
    return head == b"ARROW1"
