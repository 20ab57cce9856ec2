"""Where a stage's rows go: each place is whole or not there, and an equal rerun leaves it alone."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import polars as pl
import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from negforge import sinks
from negforge.errors import InputError, StorageError, UsageError
from negforge.formats import METADATA
from negforge.options import Settings
from negforge.records import DROP_NAMES, NEGATIVES
from negforge.sinks import (
    Digests,
    FileSink,
    Outcome,
    ParquetShard,
    PipeSink,
    PreviewSink,
    Sink,
    TextSink,
    plain_schema,
    row_bytes,
    rows_as_text,
    sink_for,
    split_dropped,
)
from negforge.store import DatasetSink
from negforge.tables import open_sources
from tests.children import negatives

FORMS = ("parquet", "jsonl", "csv", "arrow")
HISTORY = [{"stage": "generate mine.toy", "version": 1, "counts": {}}]


def put(sink: Sink, frame: pl.DataFrame, batch: int = 7) -> Outcome:
    """Hand rows to a sink and end it."""
    for piece in frame.iter_slices(batch) if frame.height else [frame]:
        sink.write(piece)
    return sink.finish(HISTORY, {"seen": frame.height})


def put_file(path: Path, frame: pl.DataFrame, batch: int = 7) -> Outcome:
    """Write one file."""
    return put(FileSink(NEGATIVES, path, clustered=True), frame, batch)


def rows_of(path: Path) -> pl.DataFrame:
    """What a stage reads from a file, dropped rows included."""
    return pl.concat(open_sources(str(path))[0].batches(1000), how="diagonal")


def times(folder: Path) -> dict[str, tuple[int, int]]:
    """Modification time and inode of every file."""
    return {one.name: (one.stat().st_mtime_ns, one.stat().st_ino) for one in folder.iterdir()}


# -- one file ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_a_file_holds_the_kept_rows_and_its_twin_the_dropped(tmp_path: Path, form: str) -> None:
    """Rows of every label stand in the file, dropped ones with their reasons in the twin, and nothing else is left there."""
    frame = negatives(60)
    kept, dropped = split_dropped(frame)
    outcome = put_file(tmp_path / f"out.{form}", frame)
    assert (outcome.rows, outcome.dropped, outcome.unchanged) == (kept.height, dropped.height, False)
    assert {one.name for one in tmp_path.iterdir()} == {f"out.{form}", "out.dropped.parquet"}
    assert_frame_equal(pl.read_parquet(tmp_path / "out.dropped.parquet"), dropped)
    if form in ("parquet", "arrow"):  # these name their twin; a text format has no place for that
        assert_frame_equal(rows_of(tmp_path / f"out.{form}").select(frame.columns).sort("id"), frame.sort("id"))
    else:
        assert rows_of(tmp_path / f"out.{form}")["id"].to_list() == kept["id"].to_list()


@pytest.mark.parametrize("form", FORMS)
def test_an_equal_rerun_touches_no_file(tmp_path: Path, form: str) -> None:
    """Neither the file nor its twin is new or touched, and the outcome says so."""
    put_file(tmp_path / f"out.{form}", negatives(60))
    before = times(tmp_path)
    assert put_file(tmp_path / f"out.{form}", negatives(60)).unchanged
    assert times(tmp_path) == before


@pytest.mark.parametrize("form", ["parquet", "jsonl", "csv"])
def test_the_bytes_of_a_file_do_not_depend_on_batches(tmp_path: Path, form: str) -> None:
    """Nor does the file change when only the batches do."""
    put_file(tmp_path / f"out.{form}", negatives(60), batch=1)
    assert put_file(tmp_path / f"out.{form}", negatives(60), batch=60).unchanged


@pytest.mark.parametrize("form", FORMS)
def test_a_stale_twin_goes(tmp_path: Path, form: str) -> None:
    """A run that drops nothing removes the twin of the run before, and nobody else's file."""
    put_file(tmp_path / f"out.{form}", negatives(60))
    (tmp_path / "mine.dropped.parquet").touch()
    put_file(tmp_path / f"out.{form}", negatives(4))
    assert {one.name for one in tmp_path.iterdir()} == {f"out.{form}", "mine.dropped.parquet"}


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_the_twin_of_another_run_is_not_read(tmp_path: Path, form: str) -> None:
    """A writer killed between the two renames: the old file stands beside the new twin, and is read without it."""
    old, new = tmp_path / "old", tmp_path / "new"
    for folder, mark in ((old, "old"), (new, "new")):
        put_file(folder / f"out.{form}", negatives(60, mark))
    shutil.copy(new / "out.dropped.parquet", old / "out.dropped.parquet")
    assert_frame_equal(rows_of(old / f"out.{form}"), split_dropped(negatives(60, "old"))[0])
    (old / "out.dropped.parquet").unlink()
    assert rows_of(old / f"out.{form}").height == 48


def test_the_twin_is_in_place_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The order of renames: a file never stands there whose dropped rows are still to come."""
    order = []
    inner = os.replace

    def noting(old: Path, new: Path) -> None:
        order.append(Path(new).name)
        inner(old, new)

    monkeypatch.setattr(os, "replace", noting)
    put_file(tmp_path / "out.parquet", negatives(60))
    assert order == ["out.dropped.parquet", "out.parquet"]


def test_an_interrupted_writer_leaves_the_old_file(tmp_path: Path) -> None:
    """Given up half-way: the file and its twin are those of the last run, and no stage is left."""
    put_file(tmp_path / "out.parquet", negatives(60, "old"))
    before = times(tmp_path)
    for form in FORMS:
        sink = FileSink(NEGATIVES, tmp_path / f"out.{form}", clustered=True)
        sink.write(negatives(30, "new"))
        sink.abort()
        sink.abort()
    assert times(tmp_path) == before


def test_the_stage_of_a_killed_writer_is_collected(tmp_path: Path) -> None:
    """The next writer of that file removes it; a living writer's, or another file's, it leaves."""
    path = tmp_path / "out.parquet"
    dead = tmp_path / ".out.parquet.stage-dead"
    other = tmp_path / ".else.parquet.stage-dead"
    for folder in (dead, other):
        folder.mkdir()
        (folder / "lock").touch()
        (folder / "main.parquet").write_bytes(b"half")
    living = FileSink(NEGATIVES, path, clustered=False)
    put_file(path, negatives(30))
    assert not dead.exists()
    assert other.exists()
    assert put(living, negatives(30)).rows == 24
    assert {one.name for one in tmp_path.iterdir()} == {"out.parquet", "out.dropped.parquet", other.name}


def test_a_file_says_what_made_it(tmp_path: Path) -> None:
    """Kind, clustering and history come back from Parquet and Arrow, whichever stage reads them next."""
    for form in ("parquet", "arrow"):
        put_file(tmp_path / f"{form}.{form}", negatives(12))
        (source,) = open_sources(str(tmp_path / f"{form}.{form}"))
        _ = [*source.batches(5)]
        assert (source.kind, source.clustered, source.history) == ("negatives", True, HISTORY)


@pytest.mark.parametrize("form", FORMS)
def test_no_row_is_a_file_with_columns(tmp_path: Path, form: str) -> None:
    """Empty in, empty out: a file that any reader opens; in JSON Lines, of no line."""
    outcome = put_file(tmp_path / f"out.{form}", negatives(3).clear())
    assert (outcome.rows, outcome.dropped) == (0, 0)
    assert [one.name for one in tmp_path.iterdir()] == [f"out.{form}"]
    if form == "jsonl":
        assert (tmp_path / "out.jsonl").read_bytes() == b""
    else:
        assert "negative" in rows_of(tmp_path / f"out.{form}").columns


def test_sidecars_lie_beside_the_file(tmp_path: Path) -> None:
    """Provenance and an export's drops are files of their own, the latter counted."""
    sink = FileSink(NEGATIVES, tmp_path / "out.jsonl", clustered=False)
    sink.write(split_dropped(negatives(4))[0])
    sink.aside("provenance", pl.DataFrame({"row": [0, 1, 2, 3]}))
    sink.aside("dropped", negatives(5)[4:])
    assert sink.finish(HISTORY, {}).dropped == 1
    assert {one.name for one in tmp_path.iterdir()} == {"out.jsonl", "out.provenance.parquet", "out.dropped.parquet"}
    assert pl.read_parquet(tmp_path / "out.provenance.parquet")["row"].to_list() == [0, 1, 2, 3]


@pytest.mark.parametrize("name", ["out.json", "out.tsv", "out.jsonl.gz", "out.parquet.zst"])
def test_formats_that_are_not_written_are_refused(tmp_path: Path, name: str) -> None:
    """Before anything is made."""
    with pytest.raises(UsageError, match="cannot write"):
        FileSink(NEGATIVES, tmp_path / name, clustered=False)
    assert [*tmp_path.iterdir()] == []


def test_where_no_file_can_be_made_is_a_storage_error(tmp_path: Path) -> None:
    """A file stands where a folder should be: exit 5."""
    (tmp_path / "file").touch()
    with pytest.raises(StorageError) as error:
        FileSink(NEGATIVES, tmp_path / "file" / "out.parquet", clustered=False)
    assert error.value.exit_code == 5


def test_a_sink_that_was_given_no_frame_publishes_nothing(tmp_path: Path) -> None:
    """Columns are unknown: that is a bug of the stage, and the file there before stays."""
    put_file(tmp_path / "out.parquet", negatives(4))
    before = times(tmp_path)
    for sink in (FileSink(NEGATIVES, tmp_path / "out.parquet", clustered=False), PipeSink(NEGATIVES, clustered=False, stream=io.BytesIO())):
        with pytest.raises(RuntimeError, match="no frame"):
            sink.finish([], {})
        sink.abort()
    assert times(tmp_path) == before


# -- pipes and people --------------------------------------------------------------------------------------------------


def through_a_pipe(data: bytes, monkeypatch: pytest.MonkeyPatch) -> tuple[pl.DataFrame, Any]:
    """What a stage reads from standard input, and the source."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    (source,) = open_sources("-")
    return pl.concat(source.batches(1000)), source


def test_a_pipe_carries_dropped_rows_and_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """All rows in order, kind and clustering at the head, history and digests at the end."""
    stream = io.BytesIO()
    frame = negatives(60)
    outcome = put(PipeSink(NEGATIVES, clustered=True, stream=stream), frame)
    back, source = through_a_pipe(stream.getvalue(), monkeypatch)
    assert_frame_equal(back, frame)
    assert (source.kind, source.clustered, source.history) == ("negatives", True, HISTORY)
    reader = pa.ipc.open_stream(stream.getvalue())
    notes = [item.custom_metadata for item in reader.iter_batches_with_custom_metadata()]
    end = json.loads(notes[-1][METADATA])
    assert (end["rows"], end["report"]) == (60, {"seen": 60})
    assert {name: end[name] for name in outcome.digests} == outcome.digests
    assert notes[:-1] == [None] * (len(notes) - 1)


@pytest.mark.parametrize("rows", [0, 1])
def test_a_pipe_of_few_rows_is_whole(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also one without a row has its columns and its end."""
    stream = io.BytesIO()
    put(PipeSink(NEGATIVES, clustered=False, stream=stream), negatives(1)[:rows])
    assert_frame_equal(through_a_pipe(stream.getvalue(), monkeypatch)[0], negatives(1)[:rows])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0.05, 0.999))
def test_a_pipe_cut_anywhere_is_refused(share: float) -> None:
    """Its producer died: exit 3, whether between batches or within one."""
    stream = io.BytesIO()
    put(PipeSink(NEGATIVES, clustered=False, stream=stream), negatives(60))
    with pytest.MonkeyPatch.context() as patch, pytest.raises(InputError, match="was cut off") as error:
        through_a_pipe(stream.getvalue()[: int(len(stream.getvalue()) * share)], patch)
    assert error.value.exit_code == 3


def test_a_producer_that_gives_up_sends_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Aborted and forgotten, the stream is refused by its reader."""
    stream = io.BytesIO()
    sink = PipeSink(NEGATIVES, clustered=False, stream=stream)
    sink.write(negatives(10))
    sink.abort()
    del sink
    with pytest.raises(InputError, match="was cut off"):
        through_a_pipe(stream.getvalue(), monkeypatch)


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_text_shows_kept_rows_only(form: str) -> None:
    """One header, whatever the batches; drops are counted."""
    stream = io.BytesIO()
    frame = negatives(60)
    outcome = put(TextSink(NEGATIVES, form, stream), frame)
    kept = split_dropped(frame)[0]
    assert (outcome.rows, outcome.dropped) == (48, 12)
    text = stream.getvalue().decode()
    if form == "jsonl":
        assert [json.loads(line) for line in text.splitlines()] == kept.rows(named=True)
    else:
        back = pl.read_csv(io.StringIO(text))
        assert back.columns == kept.columns
        assert back["id"].to_list() == kept["id"].to_list()
        assert [json.loads(cell) for cell in back["evidence"]] == kept["evidence"].to_list()


@settings(deadline=None)
@given(
    name=st.text(min_size=1, max_size=5),
    cells=st.lists(
        st.none() | st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), max_size=4), max_size=3),
        min_size=1,
        max_size=5,
    ),
)
def test_lists_in_csv_are_json_whatever_the_columns_name(name: str, cells: list[list[str] | None]) -> None:
    """Quotes, braces and emoji in the name or in the cells do not shift them; null is an empty cell."""
    frame = pl.DataFrame({name: pl.Series(cells, dtype=pl.List(pl.String))})
    back = pl.read_csv(
        io.BytesIO(rows_as_text(frame, "csv", header=False)), has_header=False, new_columns=["c"], schema_overrides=[pl.String]
    )
    assert [None if cell is None else json.loads(cell) for cell in back["c"]] == cells


def test_a_terminal_gets_the_first_rows(capsys: pytest.CaptureFixture[str]) -> None:
    """Kept ones; the rest is counted."""
    outcome = put(PreviewSink(NEGATIVES), negatives(60))
    assert (outcome.rows, outcome.dropped) == (48, 12)
    shown = capsys.readouterr().out.splitlines()
    assert 2 <= len(shown) <= 10
    assert shown[1].startswith("question 0")


@pytest.mark.parametrize("make", [lambda out: PipeSink(NEGATIVES, False, out), lambda out: TextSink(NEGATIVES, "jsonl", out)])
def test_a_full_disk_behind_stdout_is_a_storage_error(make: Callable[[IO[bytes]], Sink]) -> None:
    """`> /dev/full`: exit 5 with the system's words."""
    with pytest.raises(StorageError, match="No space left") as error, open("/dev/full", "wb", buffering=0) as full:  # noqa: PTH123
        put(make(full), negatives(60))
    assert error.value.exit_code == 5
    assert error.value.where == "standard output"


@pytest.mark.parametrize("make", [lambda out: PipeSink(NEGATIVES, False, out), lambda out: TextSink(NEGATIVES, "jsonl", out)])
def test_a_reader_that_left_is_no_storage_error(make: Callable[[IO[bytes]], Sink]) -> None:
    """`| head`: the closed pipe is told as such, for the command to end quietly."""
    reader = subprocess.Popen([sys.executable, "-c", ""], stdin=subprocess.PIPE, bufsize=0)
    reader.wait()
    assert reader.stdin is not None
    with pytest.raises(BrokenPipeError):
        put(make(reader.stdin), negatives(600))


@pytest.mark.parametrize("make", [lambda: PipeSink(NEGATIVES, False, io.BytesIO()), lambda: TextSink(NEGATIVES, "csv", io.BytesIO())])
def test_a_stream_has_no_place_for_sidecars(make: Callable[[], Sink]) -> None:
    """Provenance is for files; an export's drops are counted."""
    sink = make()
    sink.aside("provenance", pl.DataFrame({"row": [0]}))
    assert sink.digests.lost == 0
    sink.aside("dropped", negatives(5)[4:])
    assert sink.digests.lost == 1


def test_the_name_decides_the_sink(tmp_path: Path) -> None:
    """A known suffix is a file, another name a dataset, also where a folder has a suffix; no name is standard output."""
    (tmp_path / "folder.parquet").mkdir()
    found: list[Sink] = []
    for output, to in (("out.parquet", None), ("out", None), ("folder.parquet", None), (None, "jsonl"), ("-", "csv"), (None, "arrow")):
        place = str(tmp_path / output) if output not in (None, "-") else output
        found.append(sink_for(place, to, NEGATIVES, clustered=False, settings=Settings()))
    assert [type(one) for one in found] == [FileSink, DatasetSink, DatasetSink, TextSink, TextSink, PipeSink]
    for sink in found:
        sink.abort()


# -- what is written ---------------------------------------------------------------------------------------------------


def test_digests_are_sums_over_rows() -> None:
    """The same in any order and any batches; another row, label or reason is another digest."""
    frame = negatives(60)

    def of(frame: pl.DataFrame, batch: int) -> dict[str, str]:
        digests = Digests(NEGATIVES)
        for piece in frame.iter_slices(batch):
            digests.add(*split_dropped(piece))
        return digests.named()

    whole = of(frame, 60)
    assert of(frame.reverse(), 7) == whole
    assert all(len(value) == 32 for value in whole.values())
    scored = of(frame.with_columns(score_toy=pl.lit(1.0)), 60)
    assert scored["rows_digest"] == whole["rows_digest"]
    assert scored["content_digest"] != whole["content_digest"]
    assert of(frame.with_columns(label=pl.lit("unknown")), 60)["rows_digest"] != whole["rows_digest"]
    assert of(frame.with_columns(drop_value=pl.lit("0")), 60)["dropped_digest"] != whole["dropped_digest"]
    assert of(frame.head(59), 60)["dropped_digest"] != whole["dropped_digest"]


def test_kept_and_dropped_rows_are_told_apart() -> None:
    """Every row is one or the other; a table without the block has none dropped."""
    kept, dropped = split_dropped(negatives(60))
    assert (kept.height, dropped.height) == (48, 12)
    assert not {*kept.columns} & {*DROP_NAMES}
    whole, none = split_dropped(kept)
    assert (whole.height, none.height) == (48, 0)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.lists(st.integers(0, 300), max_size=80),
    batches=st.tuples(st.integers(1, 80), st.integers(1, 80)),
    rows=st.integers(1, 30),
    size=st.integers(1, 2000),
)
def test_row_groups_are_cut_by_the_rows_alone(tmp_path: Path, sizes: list[int], batches: tuple[int, int], rows: int, size: int) -> None:
    """A group ends at so many rows or bytes, whichever comes first, and the bytes of the file do not depend on batches.

    Answers pola-rs/polars#22050 (control of row groups) and pola-rs/polars#25307 (large groups break streaming readers).
    """
    frame = pl.DataFrame(
        {"text": ["x" * size for size in sizes], "n": range(len(sizes)), "list": [["y"]] * len(sizes)}, schema_overrides={"text": pl.String}
    )
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sinks, "ROWS_A_GROUP", rows)
        patch.setattr(sinks, "BYTES_A_GROUP", size)
        for batch in batches:
            path = tmp_path / f"{batch}.parquet"
            shard = ParquetShard(path, frame.clear().to_arrow().schema)
            for piece in frame.iter_slices(batch):
                shard.add(piece)
            shard.close()
            found.append((path.read_bytes(), shard.rows, shard.memory_bytes))
    assert found[0] == found[1]
    assert_frame_equal(pl.read_parquet(path), frame, check_dtypes=bool(sizes))
    groups = [pq.read_metadata(path).row_group(number).num_rows for number in range(pq.read_metadata(path).num_row_groups)]
    start = 0
    for number, group in enumerate(groups):
        before_last = int(row_bytes(frame[start : start + group - 1]).sum())
        assert group <= rows
        assert before_last < size
        full = group == rows or before_last + int(row_bytes(frame[start + group - 1 : start + group])[0]) >= size
        assert full or number == len(groups) - 1
        start += group


CELLS: tuple[tuple[pl.DataType, st.SearchStrategy[Any]], ...] = (
    (pl.String(), st.text("x", max_size=3)),
    (pl.Int64(), st.integers(0, 9)),
    (pl.Boolean(), st.booleans()),
    (pl.List(pl.Float64()), st.lists(st.just(0.5), max_size=3)),
    (pl.List(pl.Struct({"head": pl.String, "n": pl.Int64})), st.lists(st.just({"head": "x", "n": 1}), max_size=2)),
    (pl.Struct({"start": pl.Int64, "old": pl.String}), st.just({"start": 1, "old": "x"})),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), rows=st.integers(1, 20), size=st.sampled_from([60, 200, 1 << 30]))
def test_memory_bytes_are_those_of_the_rows_read_back(tmp_path: Path, data: st.DataObject, rows: int, size: int) -> None:
    """Read as `datasets` reads: by batches as long as the first row group, however unequal the groups are."""
    dtype, cell = data.draw(st.sampled_from(CELLS))
    frame = pl.DataFrame({"c": pl.Series(data.draw(st.lists(st.none() | cell, max_size=40)), dtype=dtype)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sinks, "ROWS_A_GROUP", rows)
        patch.setattr(sinks, "BYTES_A_GROUP", size)
        shard = ParquetShard(tmp_path / "out.parquet", frame.clear().to_arrow().schema)
        for piece in frame.iter_slices(data.draw(st.integers(1, 9))):
            shard.add(piece)
        shard.close()
    found = 0
    with pq.ParquetFile(tmp_path / "out.parquet") as file:
        groups = [file.read_row_group(number) for number in range(file.num_row_groups)]
    for group in groups:
        found += sum(batch.nbytes for batch in group.combine_chunks().to_batches(groups[0].num_rows))
    assert shard.memory_bytes == found


def test_a_shard_holds_copies_of_the_rows_it_waits_with(tmp_path: Path) -> None:
    """A few rows filtered out of many large batches do not keep the batches in memory."""
    before = pa.total_allocated_bytes()
    shard = ParquetShard(tmp_path / "out.parquet", pl.DataFrame(schema={"n": pl.Int64, "text": pl.String}).to_arrow().schema)
    for _ in range(20):
        frame = pl.DataFrame({"n": range(10_000)}).with_columns(text=pl.format("{} {}", pl.lit("long " * 50), pl.col("n")))
        shard.add(frame.filter(pl.col("n") % 1000 == 0))
    assert pa.total_allocated_bytes() - before < 1_000_000
    shard.close()
    assert pq.read_metadata(tmp_path / "out.parquet").num_rows == 200


def test_size_of_a_row_is_its_own() -> None:
    """Of its texts and bytes, those in lists and records too, and 8 for any other value, null or not."""
    frame = pl.DataFrame({"text": ["\u00e6\u00f8", None], "n": [1, None], "list": [["ab"], None]})
    assert row_bytes(frame).tolist() == [4 + 8 + 2, 8]
    nested = pl.DataFrame(
        {
            "bytes": [b"abc", None, b""],
            "lists": [[b"ab", None, b"c"], [], None],
            "deep": [[{"b": b"ab\xff", "n": [1, 2]}, None], None, []],
            "map": pl.Series([[[("k")], ["lm"]], None, [[]]], dtype=pl.List(pl.List(pl.String))),
            "fixed": pl.Series([["a", "bc"], None, ["", ""]], dtype=pl.Array(pl.String, 2)),
        }
    )
    assert row_bytes(nested).tolist() == [3 + 3 + (3 + 16) + 3 + 3, 0, 0]
    assert row_bytes(nested[1:]).tolist() == [0, 0]
    assert row_bytes(frame.clear()).tolist() == []


def test_every_type_has_a_plain_one() -> None:
    """Large and view types, categories and columns of nothing, also within lists and records.

    Answers huggingface/datasets#6834 and huggingface/datasets#7765.
    """
    frame = pl.DataFrame(
        {
            "categories": pl.Series(["x", None], dtype=pl.Categorical),
            "enums": pl.Series(["x", "y"], dtype=pl.Enum(["x", "y"])),
            "nothing": [None, None],
            "vectors": pl.Series([[1.0, 2.0], [3.0, 4.0]], dtype=pl.Array(pl.Float32, 2)),
            "records": [{"words": ["a"], "n": 1}, {"words": [], "n": 2}],
        }
    )
    schema = frame.to_arrow().schema
    assert plain_schema(schema) == pa.schema(
        [
            ("categories", pa.string()),
            ("enums", pa.string()),
            ("nothing", pa.string()),
            ("vectors", pa.list_(pa.float32())),
            ("records", pa.struct([("words", pa.list_(pa.string())), ("n", pa.int64())])),
        ]
    )
    assert plain_schema(pa.schema([("views", pa.string_view()), ("bytes", pa.large_binary())])).types == [pa.string(), pa.binary()]


@pytest.mark.parametrize("rows", [0, 3])
def test_tables_of_every_type_are_written(tmp_path: Path, rows: int) -> None:
    """What has a plain type is cast to it."""
    frame = pl.DataFrame(
        {
            "categories": pl.Series(["x", None, "y"], dtype=pl.Categorical),
            "nothing": [None, None, None],
            "vectors": pl.Series([[1.0, 2.0]] * 3, dtype=pl.Array(pl.Float32, 2)),
            "words": [["a"], None, []],
        }
    ).head(rows)
    shard = ParquetShard(tmp_path / "out.parquet", frame.clear().to_arrow().schema)
    shard.add(frame)
    shard.close()
    back = pl.read_parquet(tmp_path / "out.parquet")
    assert_frame_equal(
        back, frame.with_columns(pl.col("categories", "nothing").cast(pl.String), pl.col("vectors").cast(pl.List(pl.Float32)))
    )


def test_a_file_never_takes_over_the_dropped_rows_of_another(tmp_path: Path) -> None:
    """`x.jsonl` beside `x.parquet` with its dropped rows is refused, and a stranger's file of that name is never removed."""
    from negforge.outputs import check_output

    (tmp_path / "x.parquet").touch()
    (tmp_path / "x.dropped.parquet").write_text("not ours", encoding="utf-8")
    assert check_output(str(tmp_path / "x.jsonl"), None)
    assert not check_output(str(tmp_path / "x.parquet"), None)
