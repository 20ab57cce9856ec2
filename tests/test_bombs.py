"""Small files that unpack, nest or count to far more than a machine holds: a polite refusal, within a bound of memory."""

from __future__ import annotations

import gzip
import io
import json
import os
import resource
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.ipc
import pytest

import negforge
from negforge import formats
from negforge.errors import InputError, UsageError
from negforge.pipeline import load
from negforge.tables import open_sources
from tests.shell import call, good, run, start

ONE = b'{"anchor": "a", "positive": "p"}\n'
CSV = b"anchor,positive\n"


def zstd(*blocks: tuple[bytes, int], window: int = 17) -> bytes:
    """A frame of zstd by hand: each block is bytes as they are, or one byte that stands so many times. window: its size in bits."""
    frame = [b"\x28\xb5\x2f\xfd\x00", bytes([(window - 10) << 3])]
    for number, (data, times) in enumerate(blocks, start=1):
        size, kind = (times, 1) if times > 1 else (len(data), 0)
        frame += [struct.pack("<I", size << 3 | kind << 1 | (number == len(blocks)))[:3], data]
    return b"".join(frame)


def packed(data: bytes, form: str) -> bytes:
    """Data as gz or zst."""
    if form == "gz":
        return gzip.compress(data, mtime=0)
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return bytes(sink.getvalue())


def refused(path: Path, data: bytes, *more: str) -> str:
    """Ingest a file that must be refused, in this process; nothing is left beside it."""
    path.write_bytes(data)
    done = call("ingest", "pairs", path, *more, "-o", path.with_name("out.parquet"))
    assert done.code == 3, done.err
    assert done.err.startswith("error: ")
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    return done.err


# -- lines and documents without end -----------------------------------------------------------------------------------


def test_a_packed_line_of_many_gigabytes_is_refused_in_little_memory(tmp_path: Path) -> None:
    """A megabyte that unpacks to a line of 32 GiB is given up after 256 MiB, with less than four times that in memory."""
    path = tmp_path / "bomb.jsonl.zst"
    path.write_bytes(zstd((ONE, 1), (b'{"anchor": "', 1), *[(b"a", 1 << 17)] * (1 << 18), (b'"}\n', 1)))
    assert path.stat().st_size < 2_000_000
    process = start("ingest", "pairs", path, "-o", tmp_path / "out.parquet")
    assert process.stderr is not None
    told = process.stderr.read().decode()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 3
    assert "a line is longer than 256 MiB" in told
    assert "bomb.jsonl.zst line 2" in told
    # A child's peak begins with what its parent held when it was started.
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert used.ru_maxrss <= max(held, (1 << 30) // (1 if sys.platform == "darwin" else 1024))
    assert [one.name for one in tmp_path.iterdir()] == ["bomb.jsonl.zst"]


@pytest.fixture
def _low(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits, lowered."""
    for name, value in {"_LONGEST": 2000, "_LARGEST_JSON": 3000, "_MOST_CELLS": 100, "_MOST_CELLS_JSON": 200, "_MOST_COLUMNS": 20}.items():
        monkeypatch.setattr(formats, name, value)


LIMITS = {
    "line": ("jsonl", ONE + b'{"anchor": "' + b"a" * 2000 + b'"}', "a line is longer than", "line 2"),
    "line-csv": ("csv", CSV + b"a" * 2001 + b",p\n", "a line is longer than", "line 2"),
    "line-tsv": ("tsv", b"anchor\tpositive\n" + b"a" * 2001, "a line is longer than", "line 2"),
    "header": ("csv", b"a" * 2001, "a line is longer than", "line 1"),
    "quote": ("csv", CSV + b'a,"' + b"x y z\n" * 400, "a quote is not closed", "line 33"),
    "cells": ("jsonl", ONE + b'{"x": [' + b"[]," * 120 + b"[]]}", "a line holds more than 100 values", "line 2"),
    "commas": ("csv", CSV + b"," * 120, "a line holds more than 100 values", "line 2"),
    "columns": ("csv", b",".join(b"c%d" % number for number in range(21)), "more than 20 columns", "c0, c1"),
    "keys": ("jsonl", b"".join(b'{"k%d": 1}\n' % number for number in range(21)), "more than 20 columns", "k0, k1"),
    "inner": ("jsonl", b"".join(b'{"m": {"k%d": 1}}\n' % number for number in range(21)), "more than 20 different keys", ":21\n"),
    "document": ("json", json.dumps([{"anchor": "a" * 3000}]).encode(), "is larger than", "read whole"),
    "values": ("json", json.dumps([{"x": [0] * 250}]).encode(), "holds more than 200 values", "read whole"),
}


@pytest.mark.usefixtures("_low")
@pytest.mark.parametrize("form", ["", "gz", "zst"])
@pytest.mark.parametrize("name", LIMITS)
def test_every_limit_is_told(name: str, form: str, tmp_path: Path) -> None:
    """The limit, and where it was met, whether the file is packed or not."""
    suffix, data, what, where = LIMITS[name]
    told = refused(tmp_path / f"x.{suffix}{'.' if form else ''}{form}", packed(data, form) if form else data)
    assert what in told
    assert where in told
    assert "mend: " in told


@pytest.mark.usefixtures("_low")
def test_what_is_within_the_limits_is_read(tmp_path: Path) -> None:
    """A value less, and a quoted text of many short lines that ends."""
    rows = [{"anchor": "a" * 1900, "positive": "p"}, {"anchor": "b", "positive": "p", "x": [[]] * 90}]
    (tmp_path / "x.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "x.csv").write_bytes(b"".join([CSV, *(b'a%d,"' % number + b"line\n" * 100 + b'"\n' for number in range(9))]))
    assert negforge.run("ingest pairs", tmp_path / "x.jsonl").kept.height == 2
    assert negforge.run("ingest pairs", tmp_path / "x.csv").kept.height == 9


@pytest.mark.usefixtures("_low")
def test_a_quote_that_is_not_closed_is_one_bad_row(tmp_path: Path) -> None:
    """Where bad rows may be, the lines after it are read as if it had not been."""
    (tmp_path / "x.csv").write_bytes(CSV + b'a,"b\n' + b"".join(b"c%d,d\n" % number for number in range(500)))
    made = negforge.run("ingest pairs", tmp_path / "x.csv", max_bad_rows=1)
    assert made.kept["anchor"].to_list() == [f"c{number}" for number in range(500)]
    assert made.dropped["drop_reason"].to_list() == ["malformed"]


# -- packed files of other shapes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["gz", "zst"])
def test_a_packed_file_of_several_parts_is_read_to_its_end(form: str, tmp_path: Path) -> None:
    """As `cat a.gz b.gz` makes it; no part is lost."""
    path = tmp_path / f"x.jsonl.{form}"
    path.write_bytes(packed(ONE, form) + packed(ONE.replace(b'"a"', b'"b"'), form) + packed(b"", form))
    assert negforge.run("ingest pairs", path).kept["anchor"].to_list() == ["a", "b"]


@pytest.mark.parametrize("form", ["gz", "zst"])
def test_what_follows_a_packed_file_is_not_ignored(form: str, tmp_path: Path) -> None:
    """Bytes after the last part are a sign of damage."""
    assert "cut off or damaged" in refused(tmp_path / f"x.jsonl.{form}", packed(ONE, form) + b"garbage")


def test_a_window_of_two_gigabytes_is_refused(tmp_path: Path) -> None:
    """What a frame of zstd may make its reader hold is bounded; an ordinary frame by hand is read."""
    assert "too much memory" in refused(tmp_path / "x.jsonl.zst", zstd((ONE, 1), window=31))
    (tmp_path / "x.jsonl.zst").write_bytes(zstd((ONE, 1)))
    assert good("ingest", "pairs", tmp_path / "x.jsonl.zst", "--to", "jsonl").out.count("\n") == 1


def test_a_packed_table_is_refused_by_its_first_bytes(tmp_path: Path) -> None:
    """What is no Parquet is not unpacked to the disk, however much it is."""
    path = tmp_path / "x.parquet.zst"
    path.write_bytes(zstd(*[(b"a", 1 << 17)] * (1 << 18)))
    with pytest.raises(InputError, match="is not a whole Parquet file"):
        open_sources(str(path))


# -- nesting without end -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [100, 100_000])
@pytest.mark.parametrize("form", ["jsonl", "json"])
def test_deep_json_is_refused(form: str, depth: int, tmp_path: Path) -> None:
    """Lists in lists and objects in objects, in a line and in a document, also where bad rows may be."""
    for begin, end in ((b"[", b"]"), (b'{"a":', b"}")):
        deep = b'{"anchor": "a", "positive": "p", "x": ' + begin * depth + b"1" + end * depth + b"}"
        told = refused(tmp_path / f"x.{form}", ONE + deep if form == "jsonl" else b"[" + deep + b"]")
        assert "nested deeper" in told or "recursion limit" in told
    (tmp_path / "x.jsonl").write_bytes(ONE + deep)
    assert negforge.run("ingest pairs", tmp_path / "x.jsonl", max_bad_rows=1).kept.height == 1


@pytest.mark.parametrize(
    "deep", ["x = " + "[" * 100_000 + "]" * 100_000, ".".join(["a"] * 2000) + " = 1", "[" + ".".join(["a"] * 500) + "]"]
)
@pytest.mark.parametrize("head", ["", '[[stage]]\nname = "a"\nuse = "ingest pairs"\ninput = "x"\n'])
def test_a_deep_pipeline_is_refused(deep: str, head: str, tmp_path: Path) -> None:
    """Lists, dotted keys and tables, at the top and in a stage."""
    path = tmp_path / "p.toml"
    path.write_text(head + deep)
    with pytest.raises(UsageError, match="nests tables or lists"):
        load(str(path), {}, [])


def test_a_number_of_many_digits_is_a_fault(tmp_path: Path) -> None:
    """Python refuses to read it as decimals, in TOML as in JSON."""
    (tmp_path / "p.toml").write_text("seed = " + "9" * 5000)
    with pytest.raises(UsageError, match="is not TOML"):
        load(str(tmp_path / "p.toml"), {}, [])
    for row in (b'{"anchor": "a", "positive": "p", "x": %s}', b'{"x": 1, "x": %s}'):
        for most in ("0", "1"):
            (tmp_path / "x.jsonl").write_bytes(ONE + row % (b"9" * 5000))
            done = call("ingest", "pairs", tmp_path / "x.jsonl", "--max-bad-rows", most, "-o", tmp_path / "out.jsonl")
            assert done.code == (0 if most == "1" else 3), done.err


# -- tables that say too much ------------------------------------------------------------------------------------------


def test_a_batch_of_more_rows_than_a_frame_holds_is_read_in_parts(tmp_path: Path) -> None:
    """500 bytes that say 2^40 rows of nulls: they are refused as nulls, at once."""
    schema, rows = pa.schema({"anchor": pa.null(), "positive": pa.null()}), 987_654_321
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, schema) as writer:
        writer.write_batch(pa.RecordBatch.from_arrays([pa.Array.from_buffers(pa.null(), rows, [None])] * 2, schema=schema))
    data = sink.getvalue().replace(rows.to_bytes(8, "little"), (1 << 40).to_bytes(8, "little"))
    assert "are null or blank" in refused(tmp_path / "x.arrow", data)


@pytest.mark.parametrize(
    "notes", [b"{", b"[]", b"null", b'{"kind": 1}', b"{}", b'{"kind": "pairs", "history": [{"stage": 1}]}', b"\xff", b"[" * 5000]
)
@pytest.mark.parametrize("form", ["parquet", "arrow", "pipe"])
def test_damaged_metadata_of_ours_is_told(form: str, notes: bytes, tmp_path: Path) -> None:
    """In a file and in a pipe."""
    frame = pa.table({"anchor": ["a"], "positive": ["p"]}).replace_schema_metadata({"negforge": notes})
    sink = io.BytesIO()
    if form == "parquet":
        pa.parquet.write_table(frame, sink)
        told = refused(tmp_path / "x.parquet", sink.getvalue())
    else:
        with (pa.ipc.new_file if form == "arrow" else pa.ipc.new_stream)(sink, frame.schema) as writer:
            writer.write_table(frame)
        if form == "arrow":
            told = refused(tmp_path / "x.arrow", sink.getvalue())
        else:
            done = call("ingest", "pairs", "-", "--to", "jsonl", data=sink.getvalue())
            assert done.code == 3
            told = done.err
    assert "what negforge wrote in a table's metadata is damaged" in told


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_a_stream_that_lacks_a_batch_is_cut_off(rows: int) -> None:
    """The end of a stream of ours says how many rows came before it; another number is no whole stream."""
    table = pa.table({"id": ["1"], "anchor_id": ["a"], "anchor": ["a"], "positive": ["p"]})
    table = table.replace_schema_metadata({"negforge": '{"kind": "pairs"}'})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
        end = json.dumps({"rows": rows, "history": []})
        writer.write_batch(_empty(table), custom_metadata={"negforge": end})
    done = call("ingest", "pairs", "-", "--to", "jsonl", data=sink.getvalue())
    assert done.code == (0 if rows == 1 else 3), done.err
    assert rows == 1 or "was cut off" in done.err


def _empty(table: pa.Table) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.nulls(0, field.type) for field in table.schema], schema=table.schema)


def _beyond() -> Iterator[tuple[str, pa.Array]]:
    day = 1 << 30
    yield "day", pa.array([day], pa.date32())
    yield "moment", pa.array([1 << 62], pa.timestamp("ms"))
    yield "before", pa.array([-(1 << 61)], pa.timestamp("us", "UTC"))
    yield "time", pa.array([-1], pa.int64()).view(pa.time64("ns"))
    yield "list", pa.array([[day]], pa.list_(pa.date32()))
    yield "record", pa.array([{"a": [{"b": day}]}], pa.struct({"a": pa.list_(pa.struct({"b": pa.date32()}))}))


@pytest.mark.parametrize(("name", "values"), [*_beyond()], ids=lambda one: one if isinstance(one, str) else "")
@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_a_date_that_no_calendar_has_is_refused(form: str, name: str, values: pa.Array, tmp_path: Path) -> None:
    """Polars would end in a panic where it writes it as text."""
    table = pa.table({"anchor": ["a"], "positive": ["p"], name: values})
    sink = io.BytesIO()
    if form == "parquet":
        pa.parquet.write_table(table, sink)
    else:
        with pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
    told = refused(tmp_path / f"x.{form}", sink.getvalue())
    assert f"column '{name}'" in told


def test_the_first_and_the_last_day_are_read(tmp_path: Path) -> None:
    """What Python's calendar has is data."""
    days = pl.select(pl.date(1, 1, 1).alias("first"), pl.date(9999, 12, 31).alias("last"), pl.lit(0).cast(pl.Time).alias("midnight"))
    pl.DataFrame({"anchor": ["a"], "positive": ["p"]}).hstack(days).write_parquet(tmp_path / "x.parquet")
    made = negforge.run("ingest pairs", tmp_path / "x.parquet").kept
    assert made.select(days.columns).equals(days)


def test_a_bomb_in_a_pipe(tmp_path: Path) -> None:
    """Standard input is packed too, or nested; the command ends all the same."""
    done = run("ingest", "pairs", "-", "-o", tmp_path / "out.parquet", data=packed(ONE + b"[" * 100_000, "gz"))
    assert (done.code, "recursion limit" in done.err) == (3, True)
    assert not any(tmp_path.iterdir())
