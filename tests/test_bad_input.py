"""Input that is wrong in every way met in the wild: what, where, how to mend it, the exit code, and nothing half-written."""

from __future__ import annotations

import contextlib
import datetime as dt
import decimal
import gzip
import json
import os
import random
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from negforge import registry
from negforge.exits import Terminated
from tests.conftest import SAMPLE
from tests.shell import call, good, on_terminal, run

ONE = '{"anchor": "a", "positive": "p"}\n'
CSV = "anchor,positive\n"


def refused(path: Path, *more: str) -> str:
    """Ingest a file that must be refused; nothing is left beside it. What is said."""
    before = sorted(path.parent.rglob("*"))
    done = call("ingest", "pairs", path, *more, "-o", path.with_name("out.parquet"))
    assert (done.code, done.out) == (3, ""), done.err
    assert done.err.startswith("error: ")
    assert "Traceback" not in done.err
    assert sorted(path.parent.rglob("*")) == before
    return done.err


@pytest.mark.parametrize(
    ("name", "data", "what", "where", "mend"),
    [
        ("x.jsonl", ONE + '{"anchor": "b", "positive": ["q"]}\n', "column 'positive' holds values of different types", "line 2", "lists"),
        ("x.jsonl", '{"anchor": "b", "positive": ["q"]}\n' + ONE, "column 'positive' holds values of different types", "line 2", "lists"),
        ("x.jsonl", '{"anchor": ["a"], "positive": "p"}\n', "column 'anchor' holds lists, not text", "x.jsonl", "convert the column"),
        ("x.jsonl", ONE + '{"anchor": 5, "positive": "p"}', "column 'anchor' holds values of different types", "line 2", "one type"),
        ("x.csv", CSV + "a,b\nc\n", "a row has 1 cells, the header 2", "line 3", "quote cells"),
        ("x.csv", CSV + 'a,"b\nc,d\n', "malformed CSV", "line 3", "mend the line"),
        ("x.csv", (CSV + "café,b\n").encode("latin1"), "is not UTF-8", "line 2: byte 0xe9", "iconv -f latin1"),
        ("x.csv", "é,b\n".encode("latin1"), "is not UTF-8", "line 1", "iconv -f latin1"),
        ("x.jsonl", ONE.encode() + '{"anchor": "é"}'.encode("latin1"), "is not UTF-8", "line 2: byte 0xe9", "iconv -f latin1"),
        *((f"x.{form}", CSV.encode("utf-16"), "is not UTF-8", "line 1", "iconv -f utf-16") for form in ("csv", "tsv", "json", "jsonl")),
        ("x.csv", CSV.encode("utf-16-le"), "is not UTF-8", "NUL bytes", "iconv -f utf-16le"),
        ("x.csv", b"\0" * 5000, "is not UTF-8", "NUL bytes", "iconv"),
        ("x.jsonl", b"\0" * 5000, "malformed JSON", "line 1", "mend the line"),
        ("x.jsonl", ONE + '{"anchor": "a\0b"}', "malformed JSON: control character", "line 2", "mend the line"),
        ("x.csv", "", "is empty", "no header line", "fetch or make it again"),
        ("x.json", "", "is empty", "", "fetch or make it again"),
        ("x.parquet", "", "is not a whole Parquet file", "0 bytes", "make it again"),
        ("x.arrow", "", "is not an Arrow file", "", "make it again"),
        ("x.jsonl.gz", gzip.compress(ONE.encode() * 9, mtime=0)[:-9], "cannot read", "end-of-stream", "cut off or damaged"),
        ("x.jsonl.gz", b"", "is empty", "", "fetch or make it again"),
        ("x.json", "[" * 100_000 + "]" * 100_000, "malformed JSON: recursion limit exceeded", "line 1", "mend the file"),
        ("x.jsonl", '{"anchor": "a", "x": ' + "[" * 5000 + "]" * 5000 + "}", "recursion limit exceeded", "line 1", "mend the line"),
        ("x.jsonl", ONE + '{"x": ' + "[" * 100 + "]" * 100 + "}", "column 'x' holds values nested deeper than 32", "line 2", "as text"),
        ("x.jsonl", ONE + '{"x": ' + '{"a":' * 100 + "1" + "}" * 101, "column 'x' holds values nested deeper", "line 2", "as text"),
        ("x.jsonl", ONE + '{"x": ' + "9" * 30 + "}", "column 'x' holds a whole number beyond 64 bits", "line 2", "write it as text"),
        ("x.jsonl", ONE + '{"x": ' + "9" * 5000 + "}", "number out of range", "line 2", "mend the line"),
        ("x.jsonl", ONE + '{"x": 1e999}', "column 'x' holds a number beyond 64 bits", "line 2", "write it as text"),
        ("x.jsonl", ONE + '{"x": {"y": [1, -1e999]}}', "column 'x' holds a number beyond 64 bits", "line 2", "write it as text"),
        ("x.json", '[{"anchor": "a", "x": 1e400}]', "column 'x' holds a number beyond 64 bits", "row 1", "write it as text"),
        ("x.csv", "anchor,positive,relevance\na,b,1e999\n", "a value is not number", "column relevance: '1e999'", "mend the value"),
        ("x.jsonl", '{"anchor": NaN, "positive": "p"}', "column 'anchor' holds decimal numbers, not text", "x.jsonl", "convert"),
        ("x.jsonl", ONE + '{"anchor": "a", "anchor": "b"}', "key 'anchor' stands twice in an object", "line 2", "keep one of them"),
        ("x.json", '[{"anchor": "a", "m": {"k": 1, "k" : 2}}]', "key 'k' stands twice in an object", "x.json", "keep one of them"),
        ("x.jsonl", '{"anchor": "\\ud800", "positive": "p"}', "malformed JSON", "line 1", "mend the line"),
        ("x.csv", "anchor;positive\na;b\n", "separated by ';', not ','", "'anchor;positive'", "save it with commas"),
        ("x.csv", "anchor\tpositive\na\tb\n", "separated by '\\t', not ','", "header", "name it .tsv"),
        ("x.tsv", "anchor,positive\na,b\n", "separated by ',', not '\\t'", "header", "name it .csv"),
        ("x.csv", "anchor,anchor\na,b\n", "column 'anchor' stands twice in the header", "x.csv", "its own name"),
        ("x.jsonl", '{"": 1, "column_0": 2}', "a column without a name would be 'column_0'", "x.jsonl", "name it"),
        ("x.json", "5", "neither a list nor an object", "x.json", "one object a row"),
        ("x.json", "[" + ONE + ", 5]", "neither a list nor an object", "x.json", "one object a row"),
        ("x.jsonl", ONE + "[1]", "a line is not a JSON object", "line 2", "one object a line"),
        ("x.csv", "anchor,positive,seed\na,b,1\n", "column 'seed' has a reserved name", "x.csv", "--rename seed=source_seed"),
        ("x.csv", "anchor,positive,relevance\na,b,high\n", "a value is not number", "column relevance: 'high'", "mend the value"),
        ("x.csv", "id,anchor,positive\n1,a,b\n1,a,c\n", "id '1' has two contents", "row 1 of", "its own id"),
    ],
)
def test_a_bad_file_is_refused(name: str, data: str | bytes, what: str, where: str, mend: str, tmp_path: Path) -> None:
    """Each by its own words."""
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    said = refused(path)
    head, _, tail = said.partition("  mend: ")
    assert what in head
    assert where in head
    assert mend in tail
    assert len(said) < 1000


def test_blank_cells_are_told_together_under_the_users_names(tmp_path: Path) -> None:
    """Every column with its first row, as the source calls them."""
    path = tmp_path / "x.csv"
    path.write_text("question,answer\na,b\n,c\nd,\n,e\n")
    said = refused(path, "--anchor", "question", "--positive", "answer")
    assert "columns 'question' and 'answer' are null or blank" in said
    assert "'question' in row 2, and 1 of the 2 rows after it; 'answer' in row 3" in said
    path.write_text("claim\na\n \n")
    assert "column 'claim' is null or blank" in refused(path, "--text", "claim")


def test_one_option_takes_one_column(tmp_path: Path) -> None:
    """Two names with a comma between are not two columns."""
    path = tmp_path / "x.csv"
    path.write_text("title,body,positive\na,b,c\n")
    assert "mend: --anchor takes one column" in refused(path, "--anchor", "title,body")


@pytest.mark.parametrize(
    ("name", "data", "rows"),
    [
        ("x.csv", CSV, 0),
        ("x.jsonl", "", 0),
        ("x.json", "[]", 0),
        ("x.csv", CSV + '"a\nb","c\r\nd"\n', 1),
        ("x.csv", CSV + "a\0b,c\n", 1),
        ("x.jsonl", '{"anchor": "a", "positive": "p", "x": NaN, "y": -Infinity}', 1),
        ("x.jsonl", '{"id": "\\u001b[2J\\u0000😀\\u202e", "anchor": "a", "positive": "p"}', 1),
        ("x.jsonl", json.dumps({"anchor": "a" * 1_000_000, "positive": "p" * 1_000_000}), 1),
        ("x.csv", f"{CSV}{'a' * 1_000_000},p\n", 1),
        ("x.csv", ",".join(["anchor", "positive", *map(str, range(9_998))]) + "\n" + ",".join("x" * 10_000) + "\n", 1),
        ("x.jsonl", json.dumps({"anchor": "a", "positive": "p", **{str(number): number for number in range(9_998)}}), 1),
    ],
    ids=["header", "no-line", "no-row", "breaks", "nul", "nan", "controls", "million", "million-csv", "wide-csv", "wide-jsonl"],
)
def test_odd_files_are_read(name: str, data: str, rows: int, tmp_path: Path) -> None:
    """What is unusual and not wrong is taken as it is."""
    path = tmp_path / name
    path.write_bytes(data.encode())
    done = good("ingest", "pairs", path, "-o", tmp_path / "out.parquet")
    assert pl.read_parquet(tmp_path / "out.parquet").height == rows
    assert "\x1b" not in done.err


def test_numbers_and_texts_as_ids_are_one(tmp_path: Path) -> None:
    """Ids that are numbers in one file and text in the other name the same rows."""
    (tmp_path / "a.jsonl").write_text('{"id": 1, "anchor": "a", "positive": "p"}\n')
    (tmp_path / "b.jsonl").write_text('{"id": "1", "anchor": "a", "positive": "p"}\n')
    done = good("ingest", "pairs", tmp_path / "a.jsonl", tmp_path / "b.jsonl", "-o", tmp_path / "out.parquet")
    assert "equal rows collapsed: 1" in done.err


def test_a_folder_given_as_a_file(tmp_path: Path) -> None:
    """It names what lies in it; a folder may have the name of a file."""
    folder = tmp_path / "x.jsonl"
    folder.mkdir()
    (folder / "inner.csv").write_text(CSV)
    assert f"name its files, for example {folder}/inner.csv" in refused(folder)


# -- types of Arrow ----------------------------------------------------------------------------------------------------

TYPES: dict[str, pa.Array] = {
    "decimal": pa.array([decimal.Decimal("1.5")]),
    "duration": pa.array([dt.timedelta(days=1)]),
    "map": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())),
    "fixed bytes": pa.array([b"abcd"], pa.binary(4)),
    "bytes": pa.array([b"\xff\x00"]),
    "bytes in a list": pa.array([[b"ab", None]]),
    "bytes in a record": pa.array([{"b": b"\xff", "c": [b"x"]}]),
    "bytes in a map": pa.array([[{"m": [("a", b"x")]}]], pa.list_(pa.struct([("m", pa.map_(pa.string(), pa.binary()))]))),
    "bytes in a fixed list": pa.array([[b"1", b"2"]], pa.list_(pa.binary(), 2)),
    "dictionary": pa.array(["x"]).dictionary_encode(),
    "dictionary of numbers": pa.array([5]).dictionary_encode(),
    "uuid": pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"0" * 16], pa.binary(16))),
    "json": pa.ExtensionArray.from_storage(pa.json_(), pa.array(["{}"])),
    "bool8": pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1], pa.int8())),
    "time": pa.array([dt.time(1, 2)]),
    "zone": pa.array([dt.datetime(2020, 1, 1, tzinfo=dt.UTC)], pa.timestamp("us", "Europe/Oslo")),
    "half": pa.array([1.5], pa.float16()),
    "null": pa.nulls(1),
}


def arrow_file(path: Path, values: pa.Array) -> None:
    table = pa.table({"anchor": ["a"], "positive": ["p"], "x": values})
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write(table)


@pytest.mark.parametrize("name", TYPES)
def test_columns_of_any_type_travel(name: str, tmp_path: Path) -> None:
    """Into every format; bytes are base64 where there is only text."""
    arrow_file(tmp_path / "x.arrow", TYPES[name])
    for out in ("out.parquet", "out.jsonl", "out.csv", "out.arrow"):
        good("ingest", "pairs", tmp_path / "x.arrow", "-o", tmp_path / out)
        assert (tmp_path / out).stat().st_size > 0


def test_bytes_are_base64_in_text(tmp_path: Path) -> None:
    """In a list and a record too; null stays null."""
    arrow_file(tmp_path / "x.arrow", pa.array([{"b": b"\xff", "c": [b"x", None], "d": None}]))
    good("ingest", "pairs", tmp_path / "x.arrow", "-o", tmp_path / "out.jsonl")
    assert json.loads((tmp_path / "out.jsonl").read_text())["x"] == {"b": "/w==", "c": ["eA==", None], "d": None}


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (pa.array([decimal.Decimal("1.5")], pa.decimal256(50, 2)), "cannot be read"),
        (pa.array([pa.MonthDayNano([1, 2, 3])]), "cannot be read"),
        (pa.array([{}], pa.struct([])), "it holds records without fields"),
        (pa.array([[]], pa.list_(pa.int64(), 0)), "it holds lists of size 0"),
    ],
)
def test_a_type_that_no_frame_holds_is_refused(values: pa.Array, why: str, tmp_path: Path) -> None:
    """It is not told as a damaged file."""
    arrow_file(tmp_path / "x.arrow", values)
    said = refused(tmp_path / "x.arrow")
    assert why in said
    assert "mend: convert or leave out the column" in said


def test_an_encrypted_parquet_file_is_no_damaged_one(tmp_path: Path) -> None:
    """Its key is not known here: the words say that it is encrypted."""
    pq.write_table(pa.table({"anchor": ["a"], "positive": ["p"]}), tmp_path / "x.parquet")
    data = (tmp_path / "x.parquet").read_bytes()
    (tmp_path / "x.parquet").write_bytes(data[:-4] + b"PARE")
    said = refused(tmp_path / "x.parquet")
    assert "encrypted" in said


# -- storage -----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _mounted(folder: Path, options: str) -> Iterator[Path]:
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], capture_output=True, check=False).returncode:
        pytest.skip("a small disk can be mounted by root only")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    with _mounted(tmp_path / "disk", "size=1m") as folder:
        yield folder


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pairs that no packing makes smaller than the small disk."""
    path = tmp_path_factory.mktemp("large") / "pairs.jsonl"
    sure = random.Random(1)
    rows = ({"anchor": f"question {number}", "positive": sure.randbytes(2000).hex()} for number in range(1500))
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.mark.parametrize("out", ["x.parquet", "x.jsonl", "x.csv", "x.arrow", "set"])
def test_a_full_disk_leaves_nothing(out: str, small_disk: Path, large: Path) -> None:
    """No room for the output: exit 5, and the disk is as it was."""
    done = run("ingest", "pairs", large, "-o", small_disk / out)
    assert (done.code, done.out) == (5, ""), done.err
    assert done.err.startswith("error: cannot write: ")
    assert "No space left on device" in done.err
    assert "mend: free some space" in done.err
    left = [path for path in small_disk.rglob("*") if path.is_file() and path.name not in ("README.md", "lock")]
    assert left == []


@pytest.mark.parametrize("name", ["TMPDIR", "NEGFORGE_CACHE"])
def test_a_full_scratch_or_cache_leaves_nothing(name: str, small_disk: Path, large: Path, tmp_path: Path) -> None:
    """No room for what a stage spools, or for an index: exit 5, no output, and the scratch is gone."""
    words: list[str | Path] = ["ingest", "pairs", large]
    if name == "NEGFORGE_CACHE":
        good("ingest", "corpus", large, "--text", "positive", "-o", tmp_path / "corpus.parquet")
        words = ["generate", "mine.bm25", SAMPLE / "pairs.jsonl", "--corpus", tmp_path / "corpus.parquet"]
    done = run(*words, "-o", tmp_path / "out.parquet", env={name: str(small_disk)})
    assert (done.code, done.out) == (5, ""), done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "out.parquet").exists()
    assert sum(path.stat().st_size for path in small_disk.rglob("*") if path.is_file()) < 100_000


@pytest.mark.parametrize("out", ["x.parquet", "set"])
def test_a_disk_that_is_read_only(out: str, tmp_path: Path) -> None:
    """No permission is a storage error that names the place."""
    with _mounted(tmp_path / "disk", "ro") as folder:
        done = call("ingest", "pairs", SAMPLE / "pairs.jsonl", "-o", folder / out)
    assert (done.code, done.out) == (5, "")
    assert "error: cannot write: Read-only file system" in done.err
    assert str(tmp_path / "disk") in done.err


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    """As a user without rights, whoever runs the tests."""
    if os.getuid() != 0:
        pytest.skip("only root can become another")
    path = tmp_path / "x.jsonl"
    path.write_text(ONE)
    path.chmod(0)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    good("ingest", "pairs", SAMPLE / "pairs.jsonl", "-o", tmp_path / "first.parquet")  # what it imports may be for root only
    os.seteuid(65534)
    try:
        done = call("ingest", "pairs", path, "--to", "jsonl")
    finally:
        os.seteuid(0)
    assert (done.code, done.out) == (3, ""), done.err
    assert f"error: cannot read {path}: Permission denied" in done.err


# -- datasets ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A dataset of pairs."""
    good("ingest", "pairs", SAMPLE / "pairs.jsonl", "-o", tmp_path / "set")
    return tmp_path / "set"


@pytest.mark.parametrize("fault", ["tampered", "truncated", "missing", "newer"])
def test_a_damaged_dataset_is_refused(fault: str, dataset: Path, tmp_path: Path) -> None:
    """A shard that is not the one of the manifest, and a manifest of a later version."""
    shard = next((dataset / "data/v1").glob("*.parquet"))
    data = shard.read_bytes()
    if fault == "newer":
        manifest = dataset / ".negforge/v1/manifest.json"
        manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "format": 99}))
    elif fault == "missing":
        shard.unlink()
    else:
        shard.write_bytes(data[:-9] if fault == "truncated" else data[:99] + bytes([data[99] ^ 1]) + data[100:])
    done = call("generate", "perturb.number", dataset, "-o", tmp_path / "out.parquet")
    assert (done.code, done.out) == (3, ""), done.err
    assert "Traceback" not in done.err
    assert "mend: " in done.err
    assert not (tmp_path / "out.parquet").exists()


def test_a_manifest_cannot_lead_out_of_its_folder(dataset: Path, tmp_path: Path) -> None:
    """A path in a manifest that leaves the dataset is not followed."""
    manifest = dataset / ".negforge/v1/manifest.json"
    found = json.loads(manifest.read_text())
    shard = next((dataset / "data/v1").glob("*.parquet"))
    (tmp_path / "outside.parquet").write_bytes(shard.read_bytes())
    for entry in found["shards"]:
        for key, value in entry.items():
            if isinstance(value, str) and value.endswith(".parquet"):
                entry[key] = "../../outside.parquet"
    manifest.write_text(json.dumps(found))
    done = call("generate", "perturb.number", dataset, "-o", tmp_path / "out.parquet")
    assert done.code == 3, done.err


# -- the last door -----------------------------------------------------------------------------------------------------


def test_a_panic_is_a_bug_with_an_exit_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Polars' panics are no `Exception`: they pass every other door."""

    def broken(*_: object, **__: object) -> None:
        raise pl.exceptions.PanicException("not yet implemented")

    monkeypatch.setattr("negforge.runner.run_stage", broken)
    done = call("ingest", "pairs", SAMPLE / "pairs.jsonl", "-o", tmp_path / "x.parquet")
    assert (done.code, done.out) == (70, "")
    assert "this is a bug of negforge" in done.err


@pytest.mark.parametrize(("stop", "code"), [(KeyboardInterrupt, 130), (Terminated, 143)])
def test_a_signal_in_the_midst_of_polars_is_no_bug(stop: type, code: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It arrives as a panic that names it."""

    def broken(*_: object, **__: object) -> None:
        raise pl.exceptions.PanicException(f"called `Result::unwrap()` on an `Err` value: PyErr {{ type: {stop!r}, value: x }}")

    monkeypatch.setattr("negforge.runner.run_stage", broken)
    done = call("ingest", "pairs", SAMPLE / "pairs.jsonl", "-o", tmp_path / "x.parquet")
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith(("interrupted: ", "terminated: "))
    assert "Traceback" not in done.err


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_text_on_a_terminal_cannot_steer_it(form: str, tmp_path: Path) -> None:
    """A terminal gets escapes, which in JSON mean the same; a pipe gets the very characters."""
    text = "\x1b[2J\x07\x7f\x9b31m\u202e"
    (tmp_path / "x.jsonl").write_text(json.dumps({"anchor": text + "a", "positive": "p"}))
    shown = on_terminal(["ingest", "pairs", tmp_path / "x.jsonl", "--to", form, "-q"], 200).out
    assert not {"\x07", "\x7f", "\x9b", "\u202e"} & {*shown}
    assert "\x1b[2J" not in shown
    assert "\\u001b[2J\\u0007\\u007f" in shown
    piped = run("ingest", "pairs", tmp_path / "x.jsonl", "--to", form, "-q").out
    assert "\x7f\x9b31m\u202ea" in piped


@pytest.mark.parametrize(
    ("words", "mend"),
    [
        ("mine", "did you mean negforge generate mine."),
        ("bm25", "did you mean negforge generate mine.bm25 or negforge score bm25?"),
        ("generat", "did you mean generate?"),
        *((one.name, f"negforge {one.title}") for one in registry.our_operators() if one.name not in registry.VERBS),
        ("filter top --where", "did you mean negforge filter where?"),
    ],
)
def test_an_operator_typed_as_a_verb_is_suggested(words: str, mend: str) -> None:
    """Who forgets the verb is told it."""
    done = call(*words.split())
    assert done.code == 2
    assert mend in done.err


def test_swapped_inputs_are_told(tmp_path: Path) -> None:
    """A corpus given as pairs, and pairs as the corpus; a scorer's name is as good as its column."""
    good("ingest", "pairs", SAMPLE / "pairs.jsonl", "-o", tmp_path / "pairs.parquet")
    good("ingest", "corpus", SAMPLE / "beir/corpus.jsonl", "-o", tmp_path / "corpus.parquet")
    done = call("generate", "mine.bm25", tmp_path / "corpus.parquet", "--corpus", tmp_path / "pairs.parquet")
    assert done.code == 3
    command = f"negforge generate mine.bm25 {tmp_path}/pairs.parquet --corpus {tmp_path}/corpus.parquet"
    assert f"mend: type {command} ...\n" in done.err
    assert call(*shlex.split(command)[1:], "--dry-run").code == 0
    done = call("generate", "mine.bm25", tmp_path / "corpus.parquet", "--corpus", tmp_path / "pairs.parquet", "--dry-run")
    assert f"mend: type {command} ...\n" in done.err
    done = call("generate", "mine.bm25", tmp_path / "pairs.parquet", "--corpus", tmp_path / "pairs.parquet")
    assert (done.code, "mend: make corpus of it first" in done.err) == (3, True)
    good("generate", "mine.bm25", tmp_path / "pairs.parquet", "--corpus", tmp_path / "corpus.parquet", "-o", tmp_path / "mined.parquet")
    good("filter", "top", tmp_path / "mined.parquet", "--k", "1", "--by", "bm25", "-o", tmp_path / "top.parquet")
    done = call("filter", "top", tmp_path / "mined.parquet", "--k", "1", "--by", "bm52", "-o", tmp_path / "other.parquet")
    assert done.code == 3
    assert "mend: pass --by " in done.err
