"""Tables found and read back: files of every format, packed or not, globs, pipes, folders and addresses of the Hub."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from negforge import tables
from negforge.api import run
from negforge.errors import InputError, UsageError
from negforge.inputs import Input, open_input
from negforge.records import KINDS, PAIRS, Kind
from negforge.sinks import FileSink, PipeSink, split_dropped
from negforge.tables import format_of, open_sources
from tests import shell, strategies

UNLIMITED = 1 << 40
pytestmark = pytest.mark.usefixtures("own_scratch")
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    ".gz": gzip.compress,
    ".zst": lambda data: bytes(pa.compress(data, codec="zstd", asbytes=True)),
}


def opened(*specs: Path | str, kind: Kind = PAIRS, twice: bool = False) -> Input:
    found = [source for spec in specs for source in open_sources(str(spec))]
    return open_input(found, kind, Path(tempfile.mkdtemp()), limit_bytes=UNLIMITED, twice=twice)


def table(*specs: Path | str, kind: Kind = PAIRS) -> pl.DataFrame:
    return pl.concat(opened(*specs, kind=kind).batches(3), how="diagonal")


def cells(frame: pl.DataFrame) -> list[dict[str, Any]]:
    return frame.to_dicts()


def refusal(*specs: Path | str, kind: Kind = PAIRS) -> InputError:
    with pytest.raises(InputError) as caught:
        table(*specs, kind=kind)
    assert caught.value.exit_code == 3
    assert caught.value.what and caught.value.mend
    return caught.value


# -- writers of every format that are not ours -------------------------------------------------------------------------


def as_jsonl(frame: pl.DataFrame) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in frame.to_dicts()).encode()


def as_json(frame: pl.DataFrame) -> bytes:
    return json.dumps(frame.to_dicts(), indent=1).encode()


def as_csv(frame: pl.DataFrame) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(frame.columns)
    writer.writerows([["" if cell is None else cell for cell in row] for row in frame.rows()])
    return out.getvalue().encode()


def as_tsv(frame: pl.DataFrame) -> bytes:
    rows = ["\t".join(frame.columns), *("\t".join("" if cell is None else str(cell) for cell in row) for row in frame.rows())]
    return "".join(row + "\n" for row in rows).encode()


def as_parquet(frame: pl.DataFrame) -> bytes:
    out = io.BytesIO()
    pq.write_table(frame.to_arrow(), out, row_group_size=2)
    return out.getvalue()


def as_arrow(frame: pl.DataFrame) -> bytes:
    out = io.BytesIO()
    with pa.ipc.new_file(out, frame.to_arrow().schema) as writer:
        writer.write_table(frame.to_arrow(), max_chunksize=2)
    return out.getvalue()


def as_stream(frame: pl.DataFrame) -> bytes:
    out = io.BytesIO()
    with pa.ipc.new_stream(out, frame.to_arrow().schema) as writer:
        writer.write_table(frame.to_arrow(), max_chunksize=2)
    return out.getvalue()


WRITERS: dict[str, tuple[str, Callable[[pl.DataFrame], bytes]]] = {
    "jsonl": ("jsonl", as_jsonl),
    "json": ("json", as_json),
    "csv": ("csv", as_csv),
    "tsv": ("tsv", as_tsv),
    "parquet": ("parquet", as_parquet),
    "arrow file": ("arrow", as_arrow),
    "arrow stream": ("arrow", as_stream),
}


def bare(frame: pl.DataFrame) -> pl.DataFrame:
    """A table without what tab-separated text cannot hold."""
    return frame.with_columns(pl.col(pl.String).str.replace_all(r"[\t\n\r\"]", "_"))


# -- what is written is read -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packed", PACKED)
@pytest.mark.parametrize("form", WRITERS)
@settings(max_examples=6)
@given(data=st.data())
def test_every_format_gives_the_same_table(form: str, packed: str, data: st.DataObject) -> None:
    """Pairs that another tool wrote are the same pairs in each format, plain, gzipped or zstandard."""
    suffix, write = WRITERS[form]
    frame = data.draw(strategies.pairs(more=form not in ("csv", "tsv")))
    frame = bare(frame) if form == "tsv" else frame
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"pairs.{suffix}{packed}"
        path.write_bytes(PACKED[packed](write(frame)))
        found = table(path)
    if frame.height:
        assert cells(found.select(sorted(found.columns))) == cells(frame.select(sorted(frame.columns)))
    if form not in ("jsonl", "json", "csv", "tsv"):
        assert found.schema == frame.schema


@pytest.mark.parametrize("form", ["parquet", "arrow", "jsonl", "csv"])
@pytest.mark.parametrize("kind", strategies.TABLES)
@settings(max_examples=6)
@given(data=st.data())
def test_what_negforge_writes_it_reads(kind: str, form: str, data: st.DataObject) -> None:
    """Writing a table of any kind to a file and reading it gives every row; Parquet and Arrow the dropped ones and types too."""
    frame = data.draw(strategies.TABLES[kind])
    kept, dropped = split_dropped(frame)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"table.{form}"
        sink = FileSink(KINDS[kind], path, clustered=False)
        for piece in frame.iter_slices(2) if frame.height else [frame]:
            sink.write(piece)
        sink.finish([{"stage": "x"}], {})
        source = open_sources(str(path))[0]
        found, lost = split_dropped(pl.concat(opened(path, kind=KINDS[kind]).batches(2), how="diagonal"))
    if form in ("parquet", "arrow"):
        assert (source.kind, source.clustered) == (kind, False)
        assert cells(found) == cells(kept)
        assert found.schema == kept.schema
        assert cells(lost) == cells(dropped)
    else:
        declared = [name for name in found.columns if form == "jsonl" or KINDS[kind].column(name) is not None]
        assert cells(found.select(declared)) == cells(kept.select(declared)) or not kept.height


@pytest.mark.parametrize("kind", strategies.TABLES)
@settings(max_examples=6)
@given(data=st.data())
def test_a_pipe_carries_the_whole_table(kind: str, data: st.DataObject) -> None:
    """A table sent down a pipe arrives with kind, history, dropped rows and types."""
    frame = data.draw(strategies.TABLES[kind])
    out = io.BytesIO()
    sink = PipeSink(KINDS[kind], clustered=True, stream=out)
    for piece in frame.iter_slices(2) if frame.height else [frame]:
        sink.write(piece)
    sink.finish([{"stage": "x"}], {})
    source = tables._from_stream(io.BytesIO(out.getvalue()), "standard input")
    assert (source.kind, source.clustered, source.once) == (kind, True, True)
    found = pl.concat(source.batches(2))
    assert found.equals(frame)
    assert found.schema == frame.schema
    assert source.history == [{"stage": "x"}]


def test_files_of_one_table_may_differ_in_format(tmp_path: Path, pairs: pl.DataFrame) -> None:
    """Several inputs are one table, whatever the format of each, and so are the files of a glob."""
    for number, (form, packed) in enumerate([("jsonl", ".gz"), ("csv", ""), ("parquet", ".zst"), ("arrow file", "")]):
        suffix, write = WRITERS[form]
        (tmp_path / f"part-{number}.{suffix}{packed}").write_bytes(PACKED[packed](write(pairs[number * 9 : number * 9 + 9])))
    found = table(tmp_path / "part-*")
    assert cells(found.select(pairs.columns)) == cells(pairs[:36])
    files = sorted(tmp_path.glob("part-*"))
    assert cells(table(*files)) == cells(found)


def test_packed_files_of_ours_are_ours(tmp_path: Path, pairs: pl.DataFrame) -> None:
    """Gzipping a Parquet or Arrow file does not make a stranger of it."""
    for form in ("parquet", "arrow"):
        run("ingest pairs", pairs, output=str(tmp_path / f"p.{form}"))
        for packed, pack in PACKED.items():
            path = tmp_path / f"q.{form}{packed}"
            path.write_bytes(pack((tmp_path / f"p.{form}").read_bytes()))
            source = open_sources(str(path))[0]
            assert source.kind == "pairs"
            for _ in range(2):
                assert sum(frame.height for frame in source.batches(7)) == pairs.height
            assert source.history[0]["stage"] == "ingest pairs"


def test_several_packed_pieces_are_one_file(tmp_path: Path) -> None:
    """Gzip and zstandard files may be concatenated, as logs and crawls are."""
    for packed, pack in PACKED.items():
        path = tmp_path / f"p.jsonl{packed}"
        path.write_bytes(pack(b'{"anchor": "a", "positive": "b"}\n') + pack(b'{"anchor": "c", "positive": "d"}\n'))
        assert table(path)["anchor"].to_list() == ["a", "c"]


# -- dropped rows of a single file -------------------------------------------------------------------------------------


def write_negatives(path: Path, dropped: int) -> None:
    frame = pl.DataFrame(
        {
            **{name: ["x", "y", "z"] for name in ("id", "anchor_id", "anchor", "positive", "negative", "label", "opposition")},
            "evidence": [["edit"]] * 3,
            **{name: ["x"] * 3 for name in ("source_id", "initial_label", "operator", "options_digest")},
            "source_ids": [["x"]] * 3,
            **{name: [1] * 3 for name in ("operator_version", "seed", "draw")},
            "dropped_by": [None] * (3 - dropped) + ["filter top"] * dropped,
            "drop_reason": [None] * (3 - dropped) + ["rank"] * dropped,
            "drop_value": [None] * 3,
        },
        schema_overrides={"dropped_by": pl.String, "drop_reason": pl.String, "drop_value": pl.String},
    )
    sink = FileSink(KINDS["negatives"], path, clustered=False)
    sink.write(frame)
    sink.finish([], {})


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_dropped_rows_come_with_their_file(tmp_path: Path, form: str) -> None:
    """The twin is read with its file, not with another of that name, and once only when a glob finds both."""
    write_negatives(tmp_path / f"n.{form}", 2)
    negatives = KINDS["negatives"]
    assert table(tmp_path / f"n.{form}", kind=negatives)["dropped_by"].null_count() == 1
    assert table(str(tmp_path / "n.*"), kind=negatives).height == 3
    assert opened(tmp_path / "n.*", kind=negatives).collapsed == 0
    write_negatives(tmp_path / f"other.{form}", 1)
    (tmp_path / "other.dropped.parquet").replace(tmp_path / "n.dropped.parquet")
    assert table(tmp_path / f"n.{form}", kind=negatives).height == 1


def test_two_tables_with_dropped_rows_are_one(tmp_path: Path) -> None:
    """Tables of ours whose dropped rows lack texts go together: a refusal without a negative is no blank row."""
    pairs = [
        {"id": f"{name}{number}", "anchor": f"anchor {number}", "positive": text} for name in "ab" for number, text in enumerate(TEXTS)
    ]
    for name in "ab":
        rows = pl.DataFrame([row for row in pairs if str(row["id"]).startswith(name)])
        run("generate perturb.number", run("ingest pairs", rows).kept, output=str(tmp_path / f"{name}.parquet"))
    found = table(tmp_path / "a.parquet", tmp_path / "b.parquet", kind=KINDS["negatives"])
    assert found["drop_reason"].to_list().count("no-site") == 2
    assert found.height >= 4


TEXTS = ("There are 5 apples on the table.", "No number is here.")


# -- what is not there, or not readable --------------------------------------------------------------------------------


def test_a_missing_file_suggests_its_neighbour(tmp_path: Path) -> None:
    """A misspelt file names the nearest in the folder; an address of the Hub its prefix."""
    (tmp_path / "pairs.jsonl").write_text("")
    error = refusal(tmp_path / "pair.jsonl")
    assert error.what == f"there is no file {tmp_path / 'pair.jsonl'}"
    assert error.mend == f"did you mean {tmp_path / 'pairs.jsonl'}?"
    assert refusal("nowhere/at-all").mend == "check the path; a dataset on the Hub is hf://nowhere/at-all"
    assert refusal(tmp_path / "*.csv").what == f"no file matches {tmp_path / '*.csv'}"


def test_a_file_may_have_signs_of_a_glob_in_its_name(tmp_path: Path) -> None:
    """A file that exists is that file, whatever its name looks like."""
    for name in ("a[1].jsonl", "b@v2.jsonl", "hf:x.jsonl", "c d.JSONL"):
        (tmp_path / name).write_text('{"anchor": "a", "positive": "b"}')
        assert table(tmp_path / name).height == 1


def test_an_unknown_format_is_named(tmp_path: Path) -> None:
    """A suffix that says nothing is refused with the known ones."""
    (tmp_path / "pairs.docx").write_text("a")
    error = refusal(tmp_path / "pairs.docx")
    assert "jsonl, json, csv, tsv, txt, parquet, arrow" in error.where
    assert format_of("A.NDJSON.GZ") == ("jsonl", "gz")
    assert format_of("pairs.feather") == ("arrow", "")
    assert format_of("parquet") == ("", "")


def test_a_file_without_permission_is_named() -> None:
    """A file that may not be read is an input error that says so."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        path, hidden = Path(folder) / "pairs.jsonl", Path(folder) / "hidden" / "pairs.jsonl"
        path.write_text('{"anchor": "a", "positive": "b"}')
        path.chmod(0)
        hidden.parent.mkdir(mode=0)
        Path(folder).chmod(0o755)
        # Root may read everything: then the rest is done by nobody.
        code = f"""if True:
            import os
            from negforge.tables import open_sources
            import negforge.store
            from negforge.errors import InputError
            os.getuid() or os.setuid(65534)
            for path in ({str(path)!r}, {str(hidden)!r}, {str(hidden.parent)!r}):
                try:
                    open_sources(path)
                except InputError as error:
                    print(error)
        """
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.count("Permission denied") == done.stdout.count("check its permissions") == 3, done.stderr
    assert f"cannot read {path}: Permission denied" in done.stdout


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet", "arrow stream"])
@pytest.mark.parametrize("packed", [".gz", ".zst"])
def test_a_damaged_packed_file_is_named(tmp_path: Path, form: str, packed: str) -> None:
    """Cut off, corrupted, with garbage behind, of another packing, or of no byte: an input error, never rows."""
    suffix, write = WRITERS[form]
    frame = pl.DataFrame({"anchor": [f"a {number * number}" for number in range(4000)], "positive": ["b"] * 4000})
    whole = PACKED[packed](write(frame))
    path = tmp_path / f"p.{suffix}{packed}"
    corrupt = bytearray(whole)
    for place in range(1000, 1200):
        corrupt[place] ^= 0x5A
    # Only gzip has a checksum in every file.
    damaged = (whole[: len(whole) // 2], whole[:-1], whole + b"garbage", b"plain text", b"", *([bytes(corrupt)] if packed == ".gz" else []))
    for data in damaged:
        path.write_bytes(data)
        error = refusal(path)
        assert str(path) in error.what


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_a_file_that_is_not_what_it_says(tmp_path: Path, form: str) -> None:
    """Text under the name of a binary format, or half a file, is refused by name."""
    path = tmp_path / f"p.{form}"
    whole = WRITERS["parquet" if form == "parquet" else "arrow file"][1](pl.DataFrame({"anchor": ["a"] * 99, "positive": ["b"] * 99}))
    for data in (b"anchor,positive\na,b\n", whole[: len(whole) // 2], b""):
        path.write_bytes(data)
        assert str(path) in refusal(path).what


def test_a_kind_that_does_not_fit_is_named(tmp_path: Path, pairs: pl.DataFrame) -> None:
    """A table of ours says what it is, so that a corpus is never read as negatives."""
    run("ingest pairs", pairs, output=str(tmp_path / "p.parquet"))
    error = refusal(tmp_path / "p.parquet", kind=KINDS["negatives"])
    assert error.what == f"{tmp_path / 'p.parquet'} is a table of pairs, not of negatives"


# -- folders -----------------------------------------------------------------------------------------------------------


def test_a_dataset_is_read_by_version(tmp_path: Path, pairs: pl.DataFrame) -> None:
    """DIR is the newest version, DIR@v1 an older one; an `@v` in the path itself is no version."""
    folder = tmp_path / "my@vault" / "data"
    run("ingest pairs", pairs[:5], output=str(folder))
    run("ingest pairs", pairs[:9], output=str(folder))
    assert (table(folder).height, table(f"{folder}@v1").height, table(f"{folder}@v2").height) == (9, 5, 9)
    assert "has no version v7" in refusal(f"{folder}@v7").what
    assert refusal(f"{tmp_path}/nothing@v1").what == f"there is no folder {tmp_path}/nothing"
    assert "there is no file" in refusal(f"{folder}@v0").what
    assert "is not a dataset of negforge" in refusal(f"{tmp_path}@v1").what


def test_a_folder_of_datasets_is_read(tmp_path: Path, pairs: pl.DataFrame) -> None:
    """What `save_to_disk` wrote is a table, of types and order as they are, also when empty, filtered or shuffled."""
    made = datasets.Dataset.from_dict(
        {"anchor": pairs["anchor"].to_list(), "positive": pairs["positive"].to_list(), "n": [*range(pairs.height)]}
    )
    made.save_to_disk(tmp_path / "plain")
    assert cells(table(tmp_path / "plain").select("anchor", "positive", "n")) == list(made)
    chosen = made.select([5, 3, 1])
    chosen.save_to_disk(tmp_path / "chosen")
    assert table(tmp_path / "chosen")["n"].to_list() == [5, 3, 1]
    made.select([]).save_to_disk(tmp_path / "empty")
    assert table(tmp_path / "empty").columns == ["id", "anchor_id", "anchor", "positive", "n"]


def test_a_folder_of_splits_names_them(tmp_path: Path) -> None:
    """A DatasetDict is several tables: the error says which, and how to name one."""
    split = datasets.Dataset.from_dict({"anchor": ["a"], "positive": ["b"]})
    datasets.DatasetDict({"train": split, "test": split}).save_to_disk(tmp_path / "both")
    error = refusal(tmp_path / "both")
    assert error.what == f"{tmp_path / 'both'} holds several splits: test, train"
    assert str(tmp_path / "both" / "test") in error.mend
    assert table(tmp_path / "both" / "train").height == 1


def test_a_damaged_folder_of_datasets_is_named(tmp_path: Path) -> None:
    """A state file without its data is an input error, not a stack of the library's."""
    datasets.Dataset.from_dict({"anchor": ["a"], "positive": ["b"]}).save_to_disk(tmp_path / "made")
    for file in (tmp_path / "made").glob("*.arrow"):
        file.unlink()
    assert refusal(tmp_path / "made").what == f"cannot read {tmp_path / 'made'}"


def test_any_other_folder_is_no_table(tmp_path: Path) -> None:
    """A folder of files says what it holds and how to name one."""
    (tmp_path / "a.jsonl").write_text("")
    (tmp_path / "notes.txt").write_text("")
    error = refusal(tmp_path)
    assert error.where == "it holds a.jsonl, notes.txt"
    assert error.mend == f"name its files, for example {tmp_path / 'a.jsonl'}"


# -- the Hub -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "asked"),
    [
        ("hf://a/b", ("a/b", None, None, "train")),
        ("hf://datasets/a/b", ("a/b", None, None, "train")),
        ("hf://a/b/config:test", ("a/b", "config", None, "test")),
        ("hf://a-b/c.d_e@refs/pr/3:dev", ("a-b/c.d_e", None, "refs/pr/3", "dev")),
        ("hf://a/b/c@v1.0", ("a/b", "c", "v1.0", "train")),
    ],
)
def test_addresses_of_the_hub(monkeypatch: pytest.MonkeyPatch, spec: str, asked: tuple[str | None, ...]) -> None:
    """An address names owner, name, configuration, revision and split; the split is `train` unless named."""
    found: list[tuple[str | None, ...]] = []

    def load(name: str, config: str | None, *, revision: str | None, split: str, streaming: bool) -> datasets.IterableDataset:
        found.append((name, config, revision, split))
        assert streaming
        return datasets.Dataset.from_dict({"anchor": ["a", "b"], "positive": ["c", "d"]}).to_iterable_dataset()

    monkeypatch.setattr(datasets, "load_dataset", load)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)  # whether it is one of ours is not to be asked
    assert table(spec)["anchor"].to_list() == ["a", "b"]
    assert found == [asked]


@pytest.mark.parametrize("spec", ["hf://", "hf://name", "hf://a/b/c/d", "hf://a/b:", "hf://a/b@", "hf://a b/c"])
def test_a_wrong_address_is_a_fault_of_the_command(spec: str) -> None:
    """What is no address says how one looks."""
    with pytest.raises(UsageError) as caught:
        open_sources(spec)
    assert caught.value.mend == "hf://OWNER/NAME[/CONFIG][@REVISION][:SPLIT]"


def test_the_hub_out_of_reach_is_an_input_error() -> None:
    """Offline, an address is named with what to check, exit 3."""
    done = shell.run("ingest", "pairs", "hf://nobody/nothing", "--to", "jsonl", env={"HF_HUB_OFFLINE": "1"})
    assert done.code == 3
    assert "error: cannot read hf://nobody/nothing" in done.err
    assert "mend: check the name, the split and the connection" in done.err
    assert not done.out


# -- pipes -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", WRITERS)
def test_standard_input_tells_its_format(form: str, pairs: pl.DataFrame) -> None:
    """Each format is recognised on a real pipe, without a flag."""
    done = shell.run("ingest", "pairs", "--to", "jsonl", data=WRITERS[form][1](bare(pairs)))
    assert done.code == 0, done.err
    assert cells(pl.read_ndjson(io.StringIO(done.out)).select(pairs.columns)) == cells(bare(pairs))


@pytest.mark.parametrize("form", WRITERS)
@pytest.mark.parametrize("packed", PACKED)
def test_a_stream_tells_its_format_and_packing(form: str, packed: str, pairs: pl.DataFrame) -> None:
    """A stream that comes byte by byte, packed or not, is the same table."""
    data = PACKED[packed](WRITERS[form][1](bare(pairs)))

    class Slow(io.RawIOBase):
        place = 0

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            size = min(len(buffer), 1 if self.place < 50 else 700, len(data) - self.place)
            buffer[:size] = data[self.place : self.place + size]
            self.place += size
            return size

    source = tables._from_stream(io.BufferedReader(Slow(), 16), "standard input")
    assert source.once
    found = pl.concat(source.batches(7), how="diagonal")
    assert cells(found.select(pairs.columns)) == cells(bare(pairs))


def test_two_stages_in_a_pipe(tmp_path: Path, pairs: pl.DataFrame) -> None:
    """A pipe of two commands carries kind and history, and a shell's <(command) is a pipe as well."""
    (tmp_path / "p.jsonl").write_bytes(as_jsonl(pairs))
    (tmp_path / "p.jsonl.gz").write_bytes(gzip.compress(as_jsonl(pairs)))
    done = shell.shell("negforge ingest pairs p.jsonl -q | negforge generate perturb.number -o n.parquet", tmp_path)
    assert done.code == 0, done.err
    assert [stage["stage"] for stage in open_sources(str(tmp_path / "n.parquet"))[0].history] == ["ingest pairs", "generate perturb.number"]
    done = shell.shell("negforge ingest pairs <(zcat p.jsonl.gz) <(cat p.jsonl.gz) -o twice.parquet", tmp_path)
    assert done.code == 0, done.err
    assert "equal rows collapsed: 80" in done.err


def test_a_named_pipe_is_read_once(tmp_path: Path) -> None:
    """A named pipe is read as standard input is: no byte of it is lost to a look at the file."""
    path = tmp_path / "pipe.jsonl"
    os.mkfifo(path)
    threading.Thread(target=lambda: path.write_bytes(b'{"anchor": "a", "positive": "b"}\n'), daemon=True).start()
    assert table(path)["anchor"].to_list() == ["a"]


def test_an_empty_pipe_is_refused() -> None:
    """Nothing on standard input means that the command before failed."""
    done = shell.run("ingest", "pairs", "--to", "jsonl")
    assert done.code == 3
    assert "error: standard input is empty\n  at:   the command before may have failed" in done.err


def test_a_stream_of_ours_must_end(pairs: pl.DataFrame) -> None:
    """A stream whose producer died is refused wherever it was cut, and no row of it is published."""
    whole = shell.start("ingest", "pairs", "-")
    data, _ = whole.communicate(as_jsonl(pairs))
    reader = pa.ipc.open_stream(data)
    ends = [place for place in range(len(data)) if data.startswith(b"\xff\xff\xff\xff", place)]
    assert reader.schema.names[0] == "id"
    for cut in (*ends[1:-1], len(data) // 2, 3, 200, ends[-2] + 9):  # the last is Arrow's own end marker
        done = shell.run("ingest", "pairs", "--to", "jsonl", data=data[:cut]) if cut in (200, ends[-2]) else None
        with pytest.raises(InputError) as caught:
            list(tables._from_stream(io.BytesIO(data[:cut]), "standard input").batches(10))
        assert caught.value.what in ("standard input was cut off", "standard input is not UTF-8")
        if done is not None:
            assert (done.code, done.out) == (3, "")
            assert "standard input was cut off" in done.err


def test_a_stream_of_a_stranger_need_not_end() -> None:
    """An Arrow stream of another tool without its end marker is a table: only ours promise one."""
    data = as_stream(pl.DataFrame({"anchor": ["a", "b"], "positive": ["c", "d"]}))
    source = tables._from_stream(io.BytesIO(data[:-8]), "standard input")
    assert pl.concat(source.batches(10))["anchor"].to_list() == ["a", "b"]
