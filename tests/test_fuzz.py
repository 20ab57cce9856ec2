"""Damaged files, pipelines and options: only errors that a user can act on come out, and nothing is written.

A few hundred examples each; `make fuzz` runs tens of thousands. What was found stands as a plain test where it was mended.
Should the interpreter itself end, the file that ended it is left in the temporary directory.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import decimal
import gzip
import io
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import negforge
from negforge import registry
from negforge.checking import check as check_table
from negforge.errors import InputError, NegforgeError
from negforge.options import check, settings_of
from negforge.pipeline import load
from negforge.tables import open_sources
from tests.conftest import ROOT

EXAMPLES = int(os.environ.get("NEGFORGE_FUZZ", "0"))
ROWS = [
    {"id": f"{number}", "anchor": f"who wrote number {number}?", "positive": f"it was {number} é", "relevance": float(number), "n": number}
    for number in range(12)
]
LISTS = [
    {"anchor": "a", "positive": ["p", "q"], "positive_id": ["1", "2"], "m": {"k": [1, None], "b": b"\xff"}},
    {"anchor": "b", "positive": []},
]
_NOW = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
RICH = pa.table(
    {
        "anchor": [f"a{number % 7}" for number in range(30)],
        "positive": pa.array([f"p{number}é" for number in range(30)]).dictionary_encode(),
        "id": pa.array([str(number) for number in range(30)], pa.large_string()),
        "n": pa.array(range(30)),
        "decimal": [decimal.Decimal("1.25")] * 30,
        "moment": pa.array([_NOW] * 30, pa.timestamp("us", "UTC")),
        "day": [_NOW.date()] * 30,
        "time": [_NOW.time()] * 30,
        "took": [dt.timedelta(1)] * 30,
        "flag": [number % 2 == 0 for number in range(30)],
        "lists": [["x"] * (number % 3) if number % 4 else None for number in range(30)],
        "records": [{"a": number, "b": [_NOW.date()] * (number % 2)} for number in range(30)],
        "bytes": pa.array([b"abcd"] * 30, pa.binary(4)),
        "nulls": pa.nulls(30),
        "both": pa.array([[1, 2]] * 30, pa.list_(pa.int32(), 2)),
        "map": pa.array([[("k", number)] for number in range(30)], pa.map_(pa.string(), pa.int64())),
    }
)
UNUSUAL = pa.table(
    {
        "anchor": pa.array(["a", "b" * 20, "c", None], pa.string_view()),
        "positive": ["p"] * 4,
        "runs": pa.RunEndEncodedArray.from_arrays(pa.array([2, 4], pa.int32()), pa.array(["x", "y"])),
        "views": pa.array([[1], [2], [], None], pa.list_view(pa.int8())),
    }
)
TOKENS = [b"\0", b"\xff", b"\xff\xfe", b'"', b",", b"\n", b"\r", b"{", b"}", b"[", b"]", b"\\", b"null", b"NaN", b"1e999", b"-", b"9" * 30]
TOKENS += [
    b'"anchor":',
    b'"positive"',
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80",
    b"[" * 70,
    b'{"a":' * 40,
    b"PAR1",
    b"ARROW1",
    b"\x1f\x8b",
    b";",
    b"\t",
]
_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
_OFTEN = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture, HealthCheck.large_base_example]


def many(usual: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """So many examples, or as many as asked for."""
    return settings(max_examples=EXAMPLES or usual, deadline=None, suppress_health_check=_OFTEN)


def written(form: str) -> list[bytes]:
    """Tables in a format: plain, with lists and bytes, and without a row."""
    frames = [pl.DataFrame(ROWS), pl.DataFrame(LISTS), pl.DataFrame(ROWS).clear()]
    found = []
    if form == "parquet":
        found += [_parquet(RICH, compression=codec) for codec in ("none", "snappy", "gzip", "brotli", "zstd", "lz4")]
        found += [_parquet(RICH, compression="none", data_page_version="2.0", use_dictionary=False), _parquet(RICH, write_page_index=True)]
        codes = {"anchor": "DELTA_BYTE_ARRAY", "id": "DELTA_LENGTH_BYTE_ARRAY", "n": "DELTA_BINARY_PACKED"}
        found.append(_parquet(RICH.select([*codes, "positive"]), use_dictionary=False, column_encoding=codes, compression="none"))
    if form in ("arrow", "stream"):
        found += [_arrow(RICH, form, compression=codec) for codec in (None, "lz4", "zstd")]
        found.append(_arrow(UNUSUAL, form))
    for frame in frames:
        handle = io.BytesIO()
        if form in ("jsonl", "json"):
            rows = frame.drop("m", strict=False).to_dicts()
            text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows) if form == "jsonl" else json.dumps(rows, indent=1)
            handle.write(text.encode())
        elif form == "txt":
            handle.write("".join(f"{text}\n" for text in [*frame[frame.columns[0]], "one more"]).encode())
        elif form in ("csv", "tsv"):
            plain = frame.select(name for name, dtype in frame.schema.items() if not dtype.is_nested())
            plain.write_csv(handle, separator="," if form == "csv" else "\t", quote_style="never" if form == "tsv" else "necessary")
        elif form == "parquet":
            frame.write_parquet(handle)
        else:
            frame.write_ipc(handle) if form == "arrow" else frame.write_ipc_stream(handle)
        found.append(handle.getvalue())
    return found


def _parquet(table: pa.Table, **more: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, row_group_size=20, **more)
    return sink.getvalue()


def _arrow(table: pa.Table, form: str, **more: Any) -> bytes:
    sink = io.BytesIO()
    make = pa.ipc.new_file if form == "arrow" else pa.ipc.new_stream
    with make(sink, table.schema, options=pa.ipc.IpcWriteOptions(**more)) as writer:
        writer.write_table(table, max_chunksize=20)
    return sink.getvalue()


FORMS = {form: written(form) for form in ("jsonl", "json", "csv", "tsv", "txt", "parquet", "arrow")}
FORMS["arrow"] += written("stream")


@st.composite
def damaged(draw: st.DrawFn, seeds: list[bytes]) -> bytes:
    """A file with bytes changed, cut out, put in, moved or cut off."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        end = min(len(data), at + draw(st.integers(0, 40)))
        kind = draw(st.sampled_from(["flip", "token", "cut", "copy", "end", "bytes"]))
        if kind == "flip" and at < len(data):
            data[at] ^= 1 << draw(st.integers(0, 7))
        elif kind == "token":
            data[at:at] = draw(st.sampled_from(TOKENS))
        elif kind == "cut":
            del data[at:end]
        elif kind == "copy":
            data[at:at] = data[at:end] * draw(st.integers(1, 3))
        elif kind == "end":
            del data[at:]
        else:
            data[at:end] = draw(st.binary(max_size=12))
    return bytes(data)


def taken(name: str, data: bytes, most: int) -> None:
    """Read a file through `ingest`: rows that are all accounted for, or an error with a mend, and no file left."""
    with tempfile.TemporaryDirectory(dir=_MEMORY) as folder:
        place = Path(folder)
        (place / name).write_bytes(data)
        try:
            made = negforge.run("ingest pairs", place / name, max_bad_rows=most, output=place / "out.parquet")
        except NegforgeError as error:
            assert error.exit_code in (2, 3), repr(error)
            assert error.what
            assert [one.name for one in place.iterdir()] == [name]
        else:
            counts = made.report.counts
            assert counts["seen"] == counts["kept"] + sum(counts["dropped"].values())
            assert pl.read_parquet(place / "out.parquet").height == counts["kept"]
            assert [one.findings for one in check_table(str(place / "out.parquet"))] == [[]]


@pytest.mark.parametrize("form", FORMS)
def test_a_damaged_file_is_read_or_refused(form: str) -> None:
    """Every format, with and without bad rows allowed."""

    @many(40)
    @given(damaged(FORMS[form]), st.sampled_from([0, 0, 3, 1000]))
    def run(data: bytes, most: int) -> None:
        taken(f"given.{form}", data, most)

    run()


@pytest.mark.parametrize("packed", ["gz", "zst"])
def test_a_damaged_packed_file_is_read_or_refused(packed: str) -> None:
    """What is packed may be damaged before, or after."""

    def pack(data: bytes) -> bytes:
        if packed == "gz":
            return gzip.compress(data, mtime=0)
        sink = pa.BufferOutputStream()
        with pa.CompressedOutputStream(sink, "zstd") as stream:
            stream.write(data)
        return bytes(sink.getvalue())

    seeds = [pack(data) for data in (*FORMS["jsonl"][:2], FORMS["csv"][0], FORMS["parquet"][0])]

    @many(60)
    @given(damaged(seeds), st.sampled_from(["jsonl", "csv", "json", "parquet", "arrow"]), st.sampled_from([0, 3]))
    def run(data: bytes, form: str, most: int) -> None:
        taken(f"given.{form}.{packed}", data, most)

    run()


SMALL = pa.table({"anchor": ["a"], "positive": ["p"], "x": pa.array([["q"]])}, metadata={"negforge": '{"kind": "pairs", "history": []}'})


@pytest.mark.parametrize("form", ["parquet", "arrow", "stream"])
def test_every_byte_of_a_file_may_be_damaged(form: str, tmp_path: Path) -> None:
    """Each byte turned over, each number made absurd, each end cut off: lengths, offsets, names and what we wrote in the metadata."""
    data = _parquet(SMALL, compression="none") if form == "parquet" else _arrow(SMALL, form)
    cases = [data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :] for at in range(len(data)) for mask in (0xFF, 1)]
    cases += [data[:at] + b"\xff\xff\xff\x7f" + data[at + 4 :] for at in range(0, len(data), 4)]
    cases += [data[:at] + (1 << 62).to_bytes(8, "little") + data[at + 8 :] for at in range(0, len(data), 8)]
    cases += [data[:at] for at in range(len(data))]
    path = tmp_path / f"given.{'arrow' if form == 'stream' else form}"
    read = 0
    for case in cases:
        path.write_bytes(case)
        with contextlib.suppress(InputError):
            read += sum(frame.height for source in open_sources(str(path)) for frame in source.batches(100)) > 0
    assert 0 < read < len(cases)


_CELLS: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=6),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(max_size=4), parts, max_size=3),
    max_leaves=5,
)
_NAMES = st.sampled_from(
    ["anchor", "positive", "id", "positive_id", "relevance", "image", "anchor_id", "group", "x", "", "column_1", "label"]
)


@many(150)
@given(st.lists(st.dictionaries(_NAMES, _CELLS, max_size=6), max_size=6), st.sampled_from(["jsonl", "json"]), st.sampled_from([0, 2, 99]))
def test_rows_of_any_shape_are_read_or_refused(rows: list[dict[str, Any]], form: str, most: int) -> None:
    """Whatever JSON holds, under the names of a kind and others."""
    whole = [{"anchor": "a", "positive": "p"}, *rows]
    text = "\n".join(map(json.dumps, whole)) if form == "jsonl" else json.dumps(whole)
    taken(f"given.{form}", text.encode(), most)


PIPELINES = [path.read_bytes() for path in sorted((ROOT / "pipelines").glob("*.toml"))]
KEYS = [
    b"[[stage]]",
    b"name",
    b"use",
    b"input",
    b"output",
    b"seed = -1",
    b'"@',
    b"[",
    b"]",
    b"{}",
    b"1979-05-27",
    b"inf",
    b"0x",
    b"true",
    b"[a.b]",
    b"\n",
    b"=",
]


@many(150)
@given(st.data())
def test_a_damaged_pipeline_is_refused(data: st.DataObject) -> None:
    """A pipeline file is whole, or its faults are told as such."""
    text = bytearray(data.draw(damaged(PIPELINES)))
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(text)))
        text[at:at] = data.draw(st.sampled_from(KEYS))
    with tempfile.TemporaryDirectory(dir=_MEMORY) as folder:
        path = Path(folder) / "given.toml"
        path.write_bytes(bytes(text))
        with contextlib.suppress(NegforgeError):
            load(str(path), {}, [])
        assert [one.name for one in Path(folder).iterdir()] == ["given.toml"]


_VALUES = st.one_of(_CELLS, st.sampled_from(["", "0", "-1", "1e9", "nan", "inf", "9" * 40, "a=b", "=", "1KiB", "🐙", "\0", "a\nb"]))


@many(300)
@given(st.sampled_from(registry.every_operator()), st.data())
def test_any_value_of_an_option_is_taken_or_refused(operator: registry.Operator, data: st.DataObject) -> None:
    """A value of any type for any option comes back checked, or as a fault that says what it takes."""
    names = [*operator.options(), *settings_of(operator)]
    chosen = data.draw(st.lists(st.sampled_from(names), unique=True, min_size=1, max_size=4))
    faults = check(operator, {name: data.draw(_VALUES) for name in chosen})[2]
    assert all(fault.exit_code == 2 and fault.what for fault in faults)
