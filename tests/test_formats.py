"""Each format, read as it is: every value kept, and what is malformed named with its line."""

from __future__ import annotations

import datetime as dt
import gzip
import io
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from negforge.errors import InputError
from negforge.formats import READERS, fitted, merged, sniffed, without_null
from tests import strategies
from tests.conftest import ROOT

ROWS = 3  # a batch, so that small files have several


def read(form: str, data: bytes | str, rows: int = ROWS) -> list[pl.DataFrame]:
    handle = io.BytesIO(data if isinstance(data, bytes) else data.encode())
    return list(READERS[form](handle, f"given.{form}", rows, []))


def whole(form: str, data: bytes | str, rows: int = ROWS) -> pl.DataFrame:
    """All frames under the columns they come to have."""
    frames = read(form, data, rows)
    schema: dict[str, pl.DataType] = {}
    for frame in frames:
        for name, dtype in frame.schema.items():
            both = merged(schema.get(name, pl.Null()), dtype)
            assert both is not None
            schema[name] = both
    final = {name: without_null(dtype) for name, dtype in schema.items()}
    aligned = [
        frame.select(
            fitted(frame[name], dtype) if name in frame.columns else pl.lit(None, dtype).alias(name) for name, dtype in final.items()
        )
        for frame in frames
    ]
    return pl.concat(aligned) if aligned else pl.DataFrame()


def whole_or_refusal(data: str, rows: int) -> pl.DataFrame | InputError:
    try:
        return whole("jsonl", data, rows)
    except InputError as error:
        return error


def refusal(form: str, data: bytes | str, rows: int = ROWS) -> InputError:
    with pytest.raises(InputError) as caught:
        read(form, data, rows)
    error = caught.value
    assert error.what and error.mend, "an error says what is wrong and how to mend it"
    return error


def lines(*rows: object) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


# -- types -------------------------------------------------------------------------------------------------------------

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(max_size=3), parts, max_size=3),
    max_leaves=6,
)


def same(found: Any, given_value: Any) -> bool:
    """Whether a cell says what the JSON said: an absent key is null, a number may be decimal, an object of no keys null."""
    if isinstance(given_value, dict):
        if not any(not same(None, part) for part in given_value.values()):
            return found is None or all(same(part, None) for part in found.values())
        return isinstance(found, dict) and all(same(found.get(name), given_value.get(name)) for name in {*found, *given_value})
    if isinstance(given_value, list):
        return isinstance(found, list) and len(found) == len(given_value) and all(map(same, found, given_value))
    if given_value is None:
        return found is None or (isinstance(found, dict) and all(same(part, None) for part in found.values()))
    if isinstance(given_value, bool) or not isinstance(given_value, int):
        return type(found) is type(given_value) and bool(found == given_value)
    return not isinstance(found, bool) and bool(found == given_value or found == float(given_value))


@given(st.lists(JSON_VALUES, min_size=1, max_size=8), st.integers(1, 4))
def test_json_lines_lose_nothing_or_are_refused(values: list[Any], rows: int) -> None:
    """Whatever values a column holds, each comes back as it was written, or the file is refused by line."""
    data = lines(*({"n": number, "x": value} for number, value in enumerate(values)))
    found = whole_or_refusal(data, rows)
    if isinstance(found, InputError):
        assert found.what.startswith(("column 'x' holds values of different types", "column 'x' holds a key with a NUL character"))
        assert "line " in found.where
        return
    assert found["n"].to_list() == list(range(len(values)))
    for cell, value in zip(found["x"].to_list(), values, strict=True):
        assert same(cell, value)


def test_whole_numbers_and_decimals_go_together_inside_objects() -> None:
    """A box of `[0, 0.5]` is a list of decimals in an object as it is outside, whichever of them comes first."""
    boxes = [{"box": [0, 0.5]}, {"box": [0.5, 0], "rows": [[1], [2.5]]}, {"box": []}]
    found = whole_or_refusal(lines(*({"x": box} for box in boxes)), 2)
    assert isinstance(found, pl.DataFrame)
    expected = [{"box": [0, 0.5], "rows": None}, {"box": [0.5, 0], "rows": [[1], [2.5]]}, {"box": [], "rows": None}]
    assert found["x"].to_list() == expected


@given(st.lists(JSON_VALUES, min_size=1, max_size=8), st.integers(1, 4), st.integers(1, 9))
@example([{"": [0, 0.0]}, []], 1, 2)
def test_batches_do_not_change_what_is_read(values: list[Any], rows: int, others: int) -> None:
    """A JSON Lines file gives the same table, or the same refusal, in batches of any size."""
    data = lines(*({"x": value} for value in values))
    one, other = whole_or_refusal(data, rows), whole_or_refusal(data, others)
    if isinstance(one, pl.DataFrame):
        assert isinstance(other, pl.DataFrame)
        assert one.equals(other)
        assert one.schema == other.schema
    else:
        assert isinstance(other, InputError)
        assert (one.what, one.where) == (other.what, other.where)


DTYPES: st.SearchStrategy[pl.DataType] = st.recursive(
    st.sampled_from([pl.Null(), pl.String(), pl.Int64(), pl.UInt64(), pl.Int32(), pl.Float64(), pl.Boolean(), pl.Categorical()]),
    lambda parts: parts.map(pl.List) | st.dictionaries(st.sampled_from("abc"), parts, min_size=1, max_size=3).map(pl.Struct),
    max_leaves=4,
)


@given(DTYPES, DTYPES)
def test_types_merge_alike_from_both_sides(one: pl.DataType, other: pl.DataType) -> None:
    """Which source comes first decides no type (but the order of a record's fields), and merging again changes nothing."""
    there, back = merged(one, other), merged(other, one)
    assert (there is None) == (back is None)
    assert merged(one, one) == one
    if there is not None and back is not None:
        assert merged(there, back) == there
        assert merged(there, one) == there
        assert fitted(pl.Series([None], dtype=one), without_null(there)).to_list() == [None]


def test_a_list_of_numbers_keeps_its_decimals() -> None:
    """[1] in one row does not cut [1.5] to [1] in the next, as Polars' own guess does."""
    assert whole("jsonl", lines({"x": [1]}, {"x": [1.5]}))["x"].to_list() == [[1.0], [1.5]]


def test_keys_that_come_late_are_kept() -> None:
    """An object's key that the first rows lack is not lost, in the same batch or a later one."""
    found = whole("jsonl", lines({"m": {"a": 1}}, {"m": {"b": [{"c": 2}]}}, {"m": {"b": [{"d": 3}]}}, {"m": {"z": 4}}), rows=2)
    assert found["m"].to_list() == [
        {"a": 1, "b": None, "z": None},
        {"a": None, "b": [{"c": 2, "d": None}], "z": None},
        {"a": None, "b": [{"c": None, "d": 3}], "z": None},
        {"a": None, "b": None, "z": 4},
    ]


def test_a_text_among_lists_is_not_read_letter_by_letter() -> None:
    """A positive given as text where lists stood before is refused with its line (FlagOpen/FlagEmbedding#470, #1194)."""
    for rows in (1, 9):
        error = refusal("jsonl", lines({"pos": ["one"]}, {"pos": "two"}), rows)
        assert error.what == "column 'pos' holds values of different types"
        assert error.where == "given.jsonl line 2: text where a list stood before"
        assert error.mend == "write the single ones as lists too"
        error = refusal("jsonl", lines({"pos": "one"}, {"pos": ["two"]}), rows)
        assert error.where == "given.jsonl line 2: a list where text stood before"


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (1, "1", "text where a whole number stood before"),
        (True, 1, "a whole number where true or false stood before"),
        (1, True, "true or false where a whole number stood before"),
        (1.5, True, "true or false where a number stood before"),
        ({"a": 1}, "x", "text where an object stood before"),
        ({"a": 1}, {"a": "x"}, "an object where an object stood before"),
        ([[1]], [["x"]], "a list where a list stood before"),
    ],
)
def test_mixed_types_are_refused(one: object, other: object, said: str) -> None:
    """Values of two types in a column stop the run at the line of the second, in the same batch and in a later one."""
    for rows in (1, 9):
        error = refusal("jsonl", lines({"x": None}, {"x": one}, {"x": other}), rows)
        assert error.where == f"given.jsonl line 3: {said}"


def test_a_list_of_two_types_is_refused() -> None:
    """One list that mixes types is named with what it holds."""
    error = refusal("jsonl", lines({"x": [1]}, {"x": [1, "a"]}))
    assert error.what == "column 'x' holds values of different types"
    assert error.where == "given.jsonl line 2: [1, 'a']"


def test_whole_numbers_of_64_bits_are_exact() -> None:
    """Hashes used as ids, signed or unsigned, come back to the last digit; longer ones are refused."""
    assert whole("jsonl", lines({"x": 2**63 - 1}, {"x": -(2**63)}))["x"].to_list() == [2**63 - 1, -(2**63)]
    assert whole("jsonl", lines({"x": 2**64 - 1}, {"x": 5}), rows=1)["x"].to_list() == [2**64 - 1, 5]
    assert refusal("jsonl", lines({"x": 1}, {"x": 2**64})).what == "column 'x' holds a whole number beyond 64 bits"
    assert refusal("jsonl", lines({"x": 2**64 - 1}, {"x": -1})).what == "column 'x' holds values of different types"


def test_numbers_that_are_none_are_kept() -> None:
    """NaN and infinities, which Python writes into JSON, are numbers here too."""
    found = whole("jsonl", '{"x": NaN}\n{"x": Infinity}\n{"x": -Infinity}\n{"x": 1}\n')["x"].to_list()
    assert math.isnan(found[0])
    assert found[1:] == [math.inf, -math.inf, 1.0]


def test_objects_without_keys_are_null() -> None:
    """An empty object, for which Parquet has no place, is read as null at any depth."""
    found = whole("jsonl", lines({"x": {}, "y": [{}], "z": {"a": {}}}, {"x": {"k": 1}, "y": [], "z": {"a": None}}), rows=1)
    assert found["x"].to_list() == [None, {"k": 1}]
    assert found["y"].to_list() == [[None], []]
    assert found.schema["z"] == pl.Struct({"a": pl.String})


def test_a_column_may_begin_late() -> None:
    """A column that appears, or first has a value, after line 10,000 is a column like any other."""
    rows = [{"a": number, "late": None} for number in range(12_000)]
    found = whole("jsonl", lines(*rows, {"a": 1, "late": ["x"], "new": {"k": 1.5}}), rows=4_000)
    assert found.height == 12_001
    assert found["late"][-1].to_list() == ["x"]
    assert found["late"].null_count() == found["new"].null_count() == 12_000
    assert found["new"][-1] == {"k": 1.5}


def test_a_column_without_a_value_is_text() -> None:
    """A column that is null throughout is of type text."""
    assert whole("jsonl", lines({"x": None, "y": [], "z": 1}, {"x": None, "y": [None], "z": 2})).schema == {
        "x": pl.String,
        "y": pl.List(pl.String),
        "z": pl.Int64,
    }


# -- JSON and JSON Lines -----------------------------------------------------------------------------------------------


@given(st.lists(strategies.texts, min_size=1, max_size=5))
def test_texts_come_back_as_written(texts: list[str]) -> None:
    """Line breaks, quotes, emoji, control characters and long texts survive each text format."""
    table = [{"a": text, "b": "x"} for text in texts]
    assert whole("jsonl", lines(*table))["a"].to_list() == texts
    assert whole("jsonl", "\n".join(json.dumps(row) for row in table))["a"].to_list() == texts
    assert whole("json", json.dumps(table, indent=2))["a"].to_list() == texts
    quoted = "a,b\n" + "".join('"' + text.replace('"', '""') + '",x\n' for text in texts)
    assert whole("csv", quoted)["a"].to_list() == texts


def test_blank_lines_and_a_byte_order_mark_are_passed_over() -> None:
    """A mark at the start, blank lines, Windows line ends and a missing last line end are no fault."""
    data = b'\xef\xbb\xbf{"a": 1}\r\n\r\n   \n{"a": 2}'
    assert whole("jsonl", data)["a"].to_list() == [1, 2]
    assert whole("json", b'\xef\xbb\xbf[{"a": 1}]')["a"].to_list() == [1]
    assert whole("csv", b"\xef\xbb\xbfa,b\r\n1,2\r\n\r\n").rows() == [("1", "2")]
    assert whole("txt", b'\xef\xbb\xbfone, "a"\r\n\r\n  two\tthree  ').rows() == [('one, "a"',), ("two\tthree",)]


def test_lines_are_counted_as_an_editor_counts_them() -> None:
    """Blank lines count, and a Unicode line separator inside a text ends no line."""
    error = refusal("jsonl", '{"a": "x\u2028y"}\n\n\n{"a": \n')
    assert error.what.startswith("malformed JSON: EOF while parsing a value, at its character ")
    assert error.where == 'given.jsonl line 4: {"a":'


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"a": 1,}', "trailing comma"),
        ("{'a': 1}", "key must be a string"),
        ('{"a": "b', "EOF while parsing a string"),
        ('{"a": 1} {"a": 2}', "trailing characters"),
        ("not json", "expected ident"),
        ('{"a": "\\ud800"}', "hex escape"),
        ('{"a": ' + "[" * 300 + "]" * 300 + "}", "recursion limit"),
    ],
)
def test_a_malformed_line_is_named(line: str, problem: str) -> None:
    """What is wrong, at which line and character, and the line's beginning."""
    error = refusal("jsonl", lines({"a": 1}) + line + "\n")
    assert error.what.startswith("malformed JSON: ")
    assert problem in error.what
    assert error.where == f"given.jsonl line 2: {line[:80]}"
    assert error.mend == "mend the line or remove it"


@pytest.mark.parametrize("line", ["[1, 2]", '"text"', "5", "null", "true"])
def test_a_line_that_is_no_object_is_named(line: str) -> None:
    """A row must be an object."""
    error = refusal("jsonl", lines({"a": 1}) + line)
    assert (error.what, error.where) == ("a line is not a JSON object", f"given.jsonl line 2: {line}")


def test_json_has_three_shapes() -> None:
    """A list of objects, an object of objects whose keys become a column, and JSON Lines under the wrong name."""
    assert whole("json", '[{"a": 1}, {"a": 2}]').rows() == [(1,), (2,)]
    assert whole("json", '{"x": {"a": 1}, "y": {"a": 2}}').rows(named=True) == [{"key": "x", "a": 1}, {"key": "y", "a": 2}]
    assert whole("json", '{"a": 1}\n{"a": 2}\n').rows() == [(1,), (2,)]
    assert whole("json", '{"a": 1, "b": {"c": 2}}').rows(named=True) == [{"a": 1, "b": {"c": 2}}]
    assert read("json", "[]") == []


def test_real_json_lines_named_json(real_data: Path) -> None:
    """The tofu questions are JSON Lines with the suffix .json."""
    for name, rows in (("world_facts_perturbed", 117), ("real_authors_perturbed", 100)):
        found = whole("json", (real_data / "tofu" / f"{name}.json").read_bytes(), rows=50)
        assert found.height == rows
        assert found.schema["perturbed_answer"] == pl.List(pl.String)


def test_malformed_json_is_named() -> None:
    """The line in the file, in a list of objects or in lines under the wrong name; and the row whose value does not fit."""
    error = refusal("json", '[\n  {"a": 1},\n  {"a" 2}\n]')
    assert error.what == "malformed JSON: expected `:`"
    assert error.where == "given.json line 3 column 8"
    assert refusal("json", '{"a": 1}\n{"a" 2}\n').where == 'given.json line 2: {"a" 2}'
    assert refusal("json", "[1, 2]").what == "the file is neither a list nor an object of JSON objects"
    assert refusal("json", "5").what == "the file is neither a list nor an object of JSON objects"
    assert refusal("json", '[{"a": 1}, {"a": "x"}]').where == "given.json row 2: text where a whole number stood before"


@pytest.mark.parametrize("form", ["jsonl", "json", "csv", "tsv", "txt"])
def test_bytes_that_are_no_utf8_are_named(form: str) -> None:
    """Latin-1 is refused with the line, the byte and the command that converts it; so is UTF-16."""
    rows = {
        "jsonl": '{"a": "ok"}\n{"a": "café"}\n',
        "json": '[\n{"a": "café"}]',
        "csv": "a,b\ncafé,1\n",
        "tsv": "a\tb\ncafé\t1\n",
        "txt": "a\ncafé\n",
    }
    error = refusal(form, rows[form].encode("latin1"))
    assert error.what == f"given.{form} is not UTF-8"
    assert "line 2: byte 0xe9 in b'" in error.where
    assert error.mend == "mend that line, or drop it by --max-bad-rows 1; if all lines are so: iconv -f latin1 -t utf-8"
    assert "iconv -f utf-16" in refusal(form, rows[form].encode("utf-16")).mend


def test_the_line_of_a_bad_byte_is_right_far_down() -> None:
    """In a long CSV the line of the byte is exact, though text is decoded block by block."""
    data = b"a,b\n" + b"x,y\n" * 20_000 + b"caf\xe9,y\n" + b"x,y\n" * 100
    assert "line 20002:" in refusal("csv", data, rows=10_000).where


# -- delimited text ----------------------------------------------------------------------------------------------------


def test_csv_cells_hold_anything() -> None:
    """Line breaks, doubled quotes, separators and quotes inside bare cells are text; numbers stay as written."""
    data = 'a,b,c\n"line one\nline two","say ""x"", he said",007\nbare "quote",,1.50\n'
    assert whole("csv", data).rows() == [("line one\nline two", 'say "x", he said', "007"), ('bare "quote"', "", "1.50")]


def test_tsv_cells_are_bare() -> None:
    """Quotes in tab-separated text are text, as BEIR's judgements and knowledge graphs have them."""
    assert whole("tsv", 'a\tb\n"one\ttwo"\nit\'s, "x"\t\n').rows() == [('"one', 'two"'), ('it\'s, "x"', "")]


@pytest.mark.parametrize(
    ("data", "what", "where"),
    [
        ("a,b\n1,2\n1,2,3\n", "a row has 3 cells, the header 2", "given.csv line 3"),
        ('a,b\n"x\ny",2\n1\n', "a row has 1 cells, the header 2", "given.csv line 4"),
        ('a,b\n1,2\n"open,3\n4,5\n', "malformed CSV: unexpected end of data", "given.csv line 4"),
        ('a,b\n"x"y,2\n', "malformed CSV: ',' expected after '\"'", "given.csv line 2"),
        ("a,b,a\n1,2,3\n", "column 'a' stands twice in the header", "given.csv"),
    ],
)
def test_a_crooked_csv_is_refused(data: str, what: str, where: str) -> None:
    """Too many cells, too few, an open quote, text after a quote and doubled names are refused by line, never padded."""
    error = refusal("csv", data)
    assert (error.what, error.where) == (what, where)


def test_a_column_without_a_name_gets_one() -> None:
    """The nameless index column that pandas writes is a column like any other, called by its place in every format."""
    assert whole("csv", ",a\n0,x\n").rows(named=True) == [{"column_0": "0", "a": "x"}]
    assert whole("jsonl", '{"a": "x", "": 0}').rows(named=True) == [{"a": "x", "column_1": 0}]
    for form, write in (("parquet", as_parquet), ("arrow", as_stream)):
        assert whole(form, write(pa.table({"a": ["x"], "": [0]}))).rows(named=True) == [{"a": "x", "column_1": 0}]
    assert refusal("csv", ",column_0\n0,x\n").what == "column 'column_0' stands twice in the header"


def test_real_csv_with_mark_and_line_breaks(real_data: Path) -> None:
    """The astronomy thesaurus opens with a byte order mark; ESCO's cells hold line breaks."""
    found = whole("csv", (real_data / "uat_skos" / "UAT.csv").read_bytes(), rows=1000)
    assert found.height == 3297
    assert found.columns[0] == "level 1"
    occupations = whole("csv", gzip.decompress((real_data / "esco_1.2.0" / "occupations_en.csv.gz").read_bytes()), rows=1000)
    assert occupations.height == 3039
    assert any("\n" in cell for cell in occupations["altLabels"].to_list())


# -- nothing to read ---------------------------------------------------------------------------------------------------


def test_a_header_alone_is_an_empty_table() -> None:
    """A CSV with a header and no row has its columns; so has an empty Parquet and an empty Arrow stream."""
    assert whole("csv", "a,b\n").columns == ["a", "b"]
    assert whole("tsv", "a\tb").columns == ["a", "b"]
    table = pa.table({"a": pa.array([], pa.string())})
    for form, data in (("parquet", as_parquet(table)), ("arrow", as_stream(table)), ("arrow", as_arrow_file(table))):
        assert (whole(form, data).columns, whole(form, data).height) == (["a"], 0)


def test_no_line_at_all_is_an_empty_table_in_json_lines_only() -> None:
    """Zero bytes are what JSON Lines of no row are; every other format needs something."""
    assert read("jsonl", "") == []
    assert refusal("json", "").what == "given.json is empty"
    assert refusal("csv", "").where == "it has no header line"
    assert refusal("txt", "").what == "given.txt holds nothing but white space"
    assert refusal("txt", "a\n\0b\n").where == "line 2 holds NUL bytes"
    assert refusal("parquet", "").what == "given.parquet is not a whole Parquet file"
    assert refusal("arrow", "").what == "given.arrow was cut off"


@pytest.mark.parametrize("form", ["jsonl", "json", "csv", "tsv", "txt"])
@pytest.mark.parametrize("data", [" ", "\n\n", " \n  \r\n"])
def test_white_space_alone_is_refused(form: str, data: str) -> None:
    """No writer makes a file of white space: something went wrong before."""
    assert "empty" in refusal(form, data).what or "nothing but white space" in refusal(form, data).what


# -- Parquet and Arrow -------------------------------------------------------------------------------------------------


def as_parquet(table: pa.Table) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out)
    return out.getvalue()


def as_stream(table: pa.Table) -> bytes:
    out = io.BytesIO()
    with pa.ipc.new_stream(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


def as_arrow_file(table: pa.Table) -> bytes:
    out = io.BytesIO()
    with pa.ipc.new_file(out, table.schema) as writer:
        writer.write_table(table)
    return out.getvalue()


WRITERS = {"parquet": as_parquet, "stream": as_stream, "file": as_arrow_file}


@pytest.mark.parametrize("writer", WRITERS)
def test_columns_of_every_type_are_read(writer: str) -> None:
    """Dates, bytes, decimals, maps, categories and nested columns keep their values."""
    table = pa.table(
        {
            "text": pa.array(["a", None, "b", "c"], pa.string()),
            "category": pa.array(["x", "y", None, "x"]).dictionary_encode(),
            "bytes": [b"\xff", None, b"", b"x"],
            "time": pa.array([0, 1, None, 3], pa.timestamp("us", "UTC")),
            "date": pa.array([dt.date(2020, 1, 1), None, None, None]),
            "pairs": pa.array([[("k", 1)], None, [], [("l", 2)]], pa.map_(pa.string(), pa.int64())),
            "nested": [[{"a": [1.5]}], [], None, [None]],
            "two": pa.array([[1, 2], None, [3, 4], [5, 6]], pa.list_(pa.int32(), 2)),
            "nothing": pa.nulls(4),
            "small": pa.array([1, 2, 3, None], pa.uint8()),
        }
    )
    found = pl.concat(read("parquet" if writer == "parquet" else "arrow", WRITERS[writer](table)))
    assert found.columns == table.column_names
    assert found["bytes"].to_list() == [b"\xff", None, b"", b"x"]
    assert found["category"].cast(pl.String).to_list() == ["x", "y", None, "x"]
    assert found["nested"].to_list() == [[{"a": [1.5]}], [], None, [None]]
    assert found["two"].to_list() == [[1, 2], None, [3, 4], [5, 6]]
    assert found["date"].to_list()[0] == dt.date(2020, 1, 1)
    assert [frame.height for frame in read("parquet" if writer == "parquet" else "arrow", WRITERS[writer](table))] == [3, 1]


def test_a_type_that_cannot_be_read_is_named() -> None:
    """A type Polars has not, and two columns of one name, are errors and no crash."""
    odd = pa.table({"x": pa.array([(1, 2, 3)], pa.month_day_nano_interval())})
    assert refusal("arrow", as_stream(odd)).what == "a column of given.arrow cannot be read"
    twice = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["x", "x"])
    assert refusal("parquet", as_parquet(twice)).what == "a column of given.parquet cannot be read"


def test_text_that_is_no_text_is_refused() -> None:
    """A text column whose bytes are not UTF-8, which Arrow and Parquet writers can make, is named and not handed on."""
    bad = pa.StringArray.from_buffers(1, pa.py_buffer(b"\0\0\0\0\x04\0\0\0"), pa.py_buffer(b"caf\xe9"))
    table = pa.table({"fine": ["x"], "broken": bad})
    for form, write in (("parquet", as_parquet), ("arrow", as_stream), ("arrow", as_arrow_file)):
        assert refusal(form, write(table)).what == f"column 'broken' of given.{form} is damaged"


def test_long_texts_come_in_smaller_frames() -> None:
    """A frame ends at its rows or at 64 MiB, so that a file of long texts needs no more memory than one of short ones."""
    row = lines({"a": "x" * (1 << 23)})
    assert [frame.height for frame in read("jsonl", row * 10, rows=1000)] == [8, 2]
    table = pa.table({"a": [chr(65 + number) * (1 << 23) for number in range(10)]})
    assert [frame.height for frame in read("parquet", as_parquet(table), rows=1000)] == [7, 3]
    cells = "a,b\n" + ("x" * (1 << 23) + ",y\n") * 9
    assert [frame.height for frame in read("csv", cells, rows=1000)] == [8, 1]


def test_a_cell_of_a_million_characters() -> None:
    """One long cell is a cell like any other."""
    text = "ö" * 1_000_000
    assert whole("jsonl", lines({"a": text}))["a"].to_list() == [text]
    assert whole("csv", f"a,b\n{text},1\n")["a"].to_list() == [text]


def test_formats_are_told_from_their_first_bytes() -> None:
    """What a pipe carries is seen from its beginning."""
    told = {
        b"PAR1...": "parquet",
        b"ARROW1\0\0": "arrow",
        b'{"a": 1}\n{"a": 2}\n': "jsonl",
        b'{"a": 1}': "jsonl",
        b'\xef\xbb\xbf {"a": 1}\n': "jsonl",
        b'[{"a": 1}]': "json",
        b'\n\n  [\n{"a": 1}]': "json",
        b'{\n  "x": {"a": 1}\n}': "json",
        b'{"x": {\n  "a": 1}\n}': "json",
        b"a,b\n1,2\n": "csv",
        b"a\tb\n1\t2\n": "tsv",
        b"a b,c\td\n": "csv",
    }
    assert {head: sniffed(head) for head in told} == told


def test_a_large_parquet_file_is_not_held_in_memory(tmp_path: Path) -> None:
    """What was read of it is let go: memory does not grow with the file (pola-rs/polars#25607, ray-project/ray#48104)."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.children", "read_much", str(tmp_path / "x.parquet")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) < 15
