"""`negforge check` finds each harm that can come to a version, names it, and finds nothing where nothing is wrong."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from negforge import checking
from negforge.checking import Finding, check
from negforge.formats import METADATA
from negforge.records import NEGATIVES
from negforge.sinks import FileSink
from negforge.store import FORMAT, Dataset
from tests.children import negatives, write
from tests.conftest import SAMPLE
from tests.shell import call, good, on_terminal
from tests.test_store import manifest_with, tree

ROWS = 60
EDIT = pl.Struct({"start": pl.Int64, "end": pl.Int64, "old": pl.String, "new": pl.String})


def found(path: Path | str, **options: Any) -> list[Finding]:
    """What a check finds."""
    return [finding for one in check(str(path), **options) for finding in one.findings]


def laws(path: Path | str, **options: Any) -> set[str]:
    """The laws that do not hold."""
    return {finding.law for finding in found(path, **options)}


def rewritten(path: Path, change: Callable[[pl.DataFrame], pl.DataFrame], number: int = 0, *, dropped: bool = False) -> None:
    """Change a file of the first version and have the manifest say that it was always so."""
    place = path / ".negforge" / "v1" / "manifest.json"
    manifest = json.loads(place.read_text(encoding="utf-8"))
    entry = (manifest["dropped"]["shards"] if dropped else manifest["shards"])[number]
    file = path / entry["path"]
    schema = pq.read_schema(file)
    table = change(pl.read_parquet(file)).to_arrow()
    pq.write_table(table.cast(schema) if table.schema.names == schema.names else table, file)
    entry |= {"bytes": file.stat().st_size, "sha256": hashlib.sha256(file.read_bytes()).hexdigest(), "rows": table.num_rows}
    place.write_text(json.dumps(manifest), encoding="utf-8")


# -- nothing wrong -----------------------------------------------------------------------------------------------------


@given(
    rows=st.integers(0, 90), shards=st.sampled_from([1, 2, 8]), memory=st.sampled_from([1, None]), labels=st.sampled_from([[], ["unknown"]])
)
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_was_written_is_clean(
    tmp_path_factory: pytest.TempPathFactory, rows: int, shards: int, memory: int | None, labels: list[str]
) -> None:
    """A version of any size, shards, labels and memory, scheduled or not, has nothing wrong; the check spills as well."""
    path = tmp_path_factory.mktemp("clean") / "set"
    write(path, negatives(rows), shards=shards, keep_labels=labels)
    write(path, negatives(rows).with_columns(position=-pl.int_range(pl.len())), shards=shards)
    before = tree(path)
    assert found(path, every=True, max_memory=memory) == []
    assert tree(path) == before


def test_a_file_of_ours_is_checked_with_its_twin(tmp_path: Path) -> None:
    """The digests in its metadata hold; rows that were dropped lie in the twin, and are missed where it is gone."""
    path = tmp_path / "rows.parquet"
    sink = FileSink(NEGATIVES, path, clustered=False)
    sink.write(negatives(ROWS))
    sink.finish([], {})
    assert found(path) == []
    assert check(str(path))[0].dropped == ROWS // 5
    (tmp_path / "rows.dropped.parquet").rename(tmp_path / "away.parquet")
    (finding,) = found(path)
    assert "should hold the dropped rows" in finding.what
    notes = {METADATA: pq.read_metadata(path).metadata[METADATA]}
    pq.write_table(pq.read_table(path).slice(1).replace_schema_metadata(notes), path)
    assert laws(path) == {"digest", "file"}


@pytest.mark.parametrize("end", ["", ".parquet", ".arrow"])
def test_rows_that_could_not_be_read_are_clean(tmp_path: Path, end: str) -> None:
    """What `--max-bad-rows` put by has no cell of its kind; no stage after it, in a dataset or a file, has anything wrong for that."""
    for name in "ab":
        lines = ["anchor,positive", *(f"{name} asks {one},{name} says {one}" for one in range(8)), ",", "ragged,row,here"]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "c.csv").write_text("text\n" + "".join(f"passage {one}\n" for one in range(9)), encoding="utf-8")
    good("ingest", "corpus", tmp_path / "c.csv", "-o", tmp_path / "c.parquet")

    def step(name: str, *words: str | Path) -> Path:
        made = tmp_path / f"{name}{end}"
        good(*words, "-o", made)
        (checked,) = check(str(made))
        assert (checked.findings, checked.notes) == ([], [])
        assert checked.dropped >= 2
        return made

    ends = []
    for name in "ab":
        made = step(f"{name}1", "ingest", "pairs", tmp_path / f"{name}.csv", "--max-bad-rows", "5")
        made = step(f"{name}2", "generate", "mine.random", made, "--corpus", tmp_path / "c.parquet", "-n", "2")
        made = step(f"{name}3", "filter", "where", made, "--keep", "negative not like '%3'")
        ends.append(step(f"{name}4", "dedupe", "exact", made))
    lost = check(str(step("both", "merge", *ends)))[0].dropped
    assert lost == sum(check(str(one))[0].dropped for one in ends)


@pytest.mark.parametrize("name", ["id", "drop_reason", "drop_value"])
def test_a_row_that_could_not_be_read_says_where_it_stood(tmp_path: Path, name: str) -> None:
    """Its id, why it was dropped and where it stood are all it has; the finding names the file that it lies in."""
    (tmp_path / "a.csv").write_text("anchor,positive\none,two\n,\n", encoding="utf-8")
    path = tmp_path / "a.parquet"
    twin = tmp_path / "a.dropped.parquet"
    good("ingest", "pairs", tmp_path / "a.csv", "--max-bad-rows", "5", "-o", path)
    table = pq.read_table(twin)
    place = table.schema.get_field_index(name)
    notes = {METADATA: pq.read_metadata(twin).metadata[METADATA]}
    harmed = table.set_column(place, pa.field(name, pa.string()), pa.nulls(table.num_rows, pa.string()))
    pq.write_table(harmed.replace_schema_metadata(notes), twin)
    hits = [finding for finding in found(path) if finding.law != "digest"]
    assert [(hit.law, f"{twin}, row 1" in hit.where) for hit in hits] == [("lineage" if name == "id" else "drop", True)]


def test_a_foreign_file_has_nothing_to_check(tmp_path: Path) -> None:
    """Exit 3: it carries no word of ours."""
    (tmp_path / "a.jsonl").write_text('{"anchor": "a", "positive": "b"}\n', encoding="utf-8")
    done = call("check", tmp_path / "a.jsonl")
    assert (done.code, "was not written by negforge" in done.err) == (3, True)


# -- files -------------------------------------------------------------------------------------------------------------


def flipped(file: Path) -> None:
    """One bit of the file's middle."""
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize(
    "harm", [flipped, Path.unlink, lambda file: file.write_bytes(file.read_bytes()[:-9]), lambda file: file.write_bytes(b"")]
)
@pytest.mark.parametrize("place", ["data/v1/train-00001-of-00002.parquet", ".negforge/v1/dropped/train-00000-of-00001.parquet"])
def test_a_harmed_file_is_named(tmp_path: Path, harm: Callable[[Path], Any], place: str) -> None:
    """Changed, gone, cut off or emptied: the finding names the file and how to mend it; no traceback, and exit 1.

    Answers huggingface/datatrove#301 (truncated files after a failed task) and ray-project/ray#55043 (files lost).
    """
    path = tmp_path / "set"
    write(path, negatives(ROWS), shards=2)
    harm(path / place)
    first = found(path)[0]
    assert first.law == "file"
    assert str(path / place) in first.what
    assert "restore it" in first.mend
    done = call("check", path)
    assert done.code == 1
    assert ("is missing" if harm is Path.unlink else "is not the file v1 was published with") in done.out
    assert done.err == ""


@pytest.mark.parametrize("place", ["data/v1/more.parquet", "data/v1/sub/x.parquet", ".negforge/v1/dropped/more.parquet"])
def test_a_file_that_is_not_of_the_version_is_told(tmp_path: Path, place: str) -> None:
    """A reader of the folder would take it for rows."""
    path = tmp_path / "set"
    write(path, negatives(ROWS))
    (path / place).parent.mkdir(exist_ok=True)
    (path / place).write_bytes(b"")
    (finding,) = found(path)
    assert finding.law == "extra"
    assert place in finding.what


@pytest.mark.parametrize("text", ["", "{", "null", '{"format": 1}'])
def test_a_damaged_manifest_is_a_finding(tmp_path: Path, text: str) -> None:
    """Of the version asked for, or of another one, which no writer could work beside."""
    path = tmp_path / "set"
    write(path, negatives(ROWS))
    write(path, negatives(ROWS, "b"))
    (path / ".negforge" / "v1" / "manifest.json").write_text(text, encoding="utf-8")
    assert laws(f"{path}@v1") == {"manifest"}
    assert len(found(path)) == 1


def test_a_newer_format_is_no_finding(tmp_path: Path) -> None:
    """Exit 3, as everywhere: this negforge is too old to say."""
    path = tmp_path / "set"
    write(path, negatives(ROWS))
    manifest_with(path, format=FORMAT + 1)
    done = call("check", path)
    assert done.code == 3
    assert "upgrade negforge" in done.err


@pytest.mark.parametrize(
    ("changes", "law"),
    [
        ({"rows": 1}, "counts"),
        ({"dropped": "rows"}, "counts"),
        ({"columns": []}, "schema"),
        ({"digests": {"rows_digest": "0" * 32}}, "digest"),
        ({"digests": {"content_digest": "0" * 32}}, "digest"),
        ({"digests": {"dropped_digest": "0" * 32}}, "digest"),
        ({"clustered": True}, "clustered"),
        ({"parent": 7}, "parent"),
        ({"parent": 1}, "parent"),
        ({"parent": True}, "parent"),
        ({"version": 2}, "version"),
        ({"report": {"seen": 3, "kept": 2, "dropped": {}}}, "counts"),
    ],
)
def test_a_manifest_that_is_not_true_is_told(tmp_path: Path, changes: dict[str, Any], law: str) -> None:
    """Counts, columns and digests are made anew from the rows."""
    path = tmp_path / "set"
    write(path, negatives(ROWS))
    if changes.get("dropped"):
        changes = {"dropped": {**Dataset(path).manifest(1)["dropped"], "rows": 2}}
    manifest_with(path, **changes)
    assert law in laws(path)


@pytest.mark.parametrize("name", ["rows_digest", "content_digest", "dropped_digest"])
def test_a_digest_that_is_missing_in_a_manifest_is_told(tmp_path: Path, name: str) -> None:
    """Whoever alters rows might leave out what would tell."""
    path = tmp_path / "set"
    write(path, negatives(ROWS))
    digests = Dataset(path).manifest(1)["digests"]
    manifest_with(path, digests={one: value for one, value in digests.items() if one != name})
    assert f"{name} is not there, it would be {digests[name]}" in [one.what for one in found(path)]


def test_a_version_names_the_one_before_as_its_parent(tmp_path: Path) -> None:
    """Neither an older one, nor none; where versions were deleted it may be one of these."""
    path = tmp_path / "set"
    for mark in "abc":
        write(path, negatives(ROWS), mark=mark)
    assert [found(f"{path}@v{number}") for number in (1, 2, 3)] == [[], [], []]
    place = path / ".negforge" / "v3" / "manifest.json"
    manifest = json.loads(place.read_text(encoding="utf-8"))
    for parent in (1, None):
        place.write_text(json.dumps({**manifest, "parent": parent}), encoding="utf-8")
        (finding,) = [one for one in found(path) if one.law == "parent"]
        assert finding.what == f"the parent of v3 is {parent!r} by its manifest, not v2"
    place.write_text(json.dumps(manifest), encoding="utf-8")
    shutil.rmtree(path / ".negforge" / "v2")
    assert "parent" not in laws(path)


def notes_with(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change what negforge wrote into a Parquet file, and nothing else."""
    table = pq.read_table(path)
    notes = json.loads(pq.read_metadata(path).metadata[METADATA])
    change(notes)
    pq.write_table(table.replace_schema_metadata({METADATA: json.dumps(notes)}), path)


@pytest.mark.parametrize("name", ["rows_digest", "content_digest", "dropped_digest"])
def test_a_digest_that_is_missing_in_a_file_is_told(tmp_path: Path, name: str) -> None:
    """A file without one of its digests is not what negforge wrote; nor is it with its dropped rows away as well."""
    good("ingest", "pairs", SAMPLE / "pairs.jsonl", "-o", tmp_path / "pairs.parquet")
    good("ingest", "corpus", SAMPLE / "beir/corpus.jsonl", "-o", tmp_path / "corpus.parquet")
    path = tmp_path / "n.parquet"
    good("generate", "mine.random", tmp_path / "pairs.parquet", "--corpus", tmp_path / "corpus.parquet", "-n", "3", "-o", path)
    good("filter", "where", path, "--keep", "length(negative) > 250", "-o", path.with_stem("f"))
    path = path.with_stem("f")
    assert found(path) == []
    notes_with(path, lambda notes: notes.pop(name))
    assert "digest" in laws(path)
    if name == "dropped_digest":
        (tmp_path / "f.dropped.parquet").unlink()
        assert laws(path) == {"counts"}


def test_a_file_that_says_its_anchors_stand_together_keeps_its_word(tmp_path: Path) -> None:
    """Where stages trust it, rows of an anchor would be taken for two anchors."""
    good("ingest", "pairs", SAMPLE / "pairs.jsonl", "-o", tmp_path / "pairs.parquet")
    path = tmp_path / "n.parquet"
    good("generate", "perturb.number", tmp_path / "pairs.parquet", "-n", "2", "-o", path)
    notes_with(path, lambda notes: notes.update(clustered=True))
    assert found(path) == []  # as it happens they do
    pq.write_table(pq.read_table(path).take([1, 2, *range(3, pq.read_metadata(path).num_rows), 0]), path)
    (finding,) = found(path)
    assert finding.law == "clustered"
    notes_with(path, lambda notes: notes.update(clustered=False))
    assert found(path) == []


def test_a_sidecar_is_checked_as_what_it_is(tmp_path: Path) -> None:
    """Named by a glob among the tables, dropped rows are held to their own digest, and a provenance to none."""
    good("ingest", "pairs", SAMPLE / "pairs.jsonl", "-o", tmp_path / "pairs.parquet")
    good("generate", "perturb.number", tmp_path / "pairs.parquet", "-n", "2", "-o", tmp_path / "n.parquet")
    good("filter", "where", tmp_path / "n.parquet", "--keep", "draw < 1", "-o", tmp_path / "d.parquet")
    good("export", "sentence-transformers", tmp_path / "d.parquet", "-o", tmp_path / "e.parquet")
    for one in sorted(tmp_path.glob("*.parquet")):
        assert found(one) == [], one
    twin = tmp_path / "d.dropped.parquet"
    notes = {METADATA: pq.read_metadata(twin).metadata[METADATA]}
    pq.write_table(pq.read_table(twin).slice(1).replace_schema_metadata(notes), twin)
    assert laws(twin) == {"digest"}


@pytest.mark.parametrize("change", [{"seed": 1}, {"version": 2}])
def test_a_stage_that_its_rows_disagree_with_is_told(tmp_path: Path, change: dict[str, int]) -> None:
    """Where one stage alone has made an operator's rows; rows of another stage may have come without their history."""
    path = tmp_path / "set"
    write(path, negatives(ROWS))
    (stage,) = Dataset(path).manifest(1)["stages"]
    manifest_with(path, stages=[stage | change])
    (finding,) = [one for one in found(path) if one.law == "stage"]
    assert "its rows have version 1 and seed 0" in finding.what
    assert finding.where == str(path / ".negforge" / "v1" / "manifest.json")
    manifest_with(path, stages=[stage, stage | change])
    assert "stage" not in laws(path)


# -- rows --------------------------------------------------------------------------------------------------------------

REVERSED = pl.all().reverse()
HARMS: dict[str, tuple[pl.Expr, str]] = {
    "order": (REVERSED, "order"),
    "digest": (pl.lit("other").alias("anchor"), "digest"),
    "label": (pl.lit("positive").alias("label"), "label"),
    "seed": (pl.lit(-1, pl.Int64).alias("seed"), "lineage"),
    "draw": (pl.lit(-1, pl.Int64).alias("draw"), "lineage"),
    "null": (pl.lit(None, pl.String).alias("options_digest"), "lineage"),
    "parents": (pl.lit(pl.Series([["x"]])).first().alias("source_ids"), "lineage"),
    "initial": (pl.lit("unknown").alias("initial_label"), "label"),
    "own positive": (pl.col("positive").str.to_uppercase().alias("negative"), "positive"),
}


@pytest.mark.parametrize("name", HARMS)
def test_a_row_that_breaks_a_law_is_found(tmp_path: Path, name: str) -> None:
    """Even where checksums were made to fit; the finding names file and row, and says how many there are."""
    change, law = HARMS[name]
    path = tmp_path / "set"
    write(path, negatives(ROWS), shards=2)
    rewritten(path, lambda frame: frame.select(change) if name == "order" else frame.with_columns(change), 1)
    hits = [finding for finding in found(path) if finding.law == law]
    assert hits
    assert law == "digest" or "data/v1/train-00001-of-00002.parquet, first row " in hits[0].where


def test_rows_in_the_shard_of_another_range_are_found(tmp_path: Path) -> None:
    """A shard is a range of the hash of anchors."""
    path = tmp_path / "set"
    write(path, negatives(ROWS), shards=2)
    files = sorted((path / "data" / "v1").iterdir())
    one, two = (pl.read_parquet(file) for file in files)
    rewritten(path, lambda _: two, 0)
    rewritten(path, lambda _: one, 1)
    assert {"shard", "order"} <= laws(path)


def test_an_id_that_is_there_twice_is_found(tmp_path: Path) -> None:
    """Also where one of the two was dropped, and however little memory there is."""
    path = tmp_path / "set"
    frame = negatives(ROWS)
    write(path, frame.with_columns(id=pl.when(pl.col("id") == "a-4").then(pl.lit("a-0")).otherwise("id")))
    assert laws(path, max_memory=1) == {"id"}


@pytest.mark.parametrize("same", ["anchor_id", "anchor"])
@pytest.mark.parametrize("memory", [1, None])
def test_a_negative_that_is_another_positive_of_its_anchor_is_found(tmp_path: Path, same: str, memory: int | None) -> None:
    """By the anchor's id or by its text, after normalising, also where the row of that positive was dropped.

    Answers taolei87/askubuntu#1 (published negatives that hold positives).
    """
    path = tmp_path / "set"
    frame = negatives(ROWS)
    other = "anchor" if same == "anchor_id" else "anchor_id"
    frame = frame.with_columns(
        pl.when(pl.col("id") == "a-0").then(pl.col("positive").get(4).str.to_uppercase()).otherwise("negative").alias("negative"),
        pl.when(pl.col("id") == "a-0").then(pl.col(same).get(4)).otherwise(same).alias(same),
        pl.when(pl.col("id") == "a-0").then(pl.lit("own")).otherwise(other).alias(other),
    )
    assert frame["dropped_by"][4] is not None
    write(path, frame)
    assert laws(path, max_memory=memory) == {"positive"}


def test_an_edit_that_does_not_give_its_row_is_found(tmp_path: Path) -> None:
    """Re-applied to the positive or the anchor it was made in, it gives the negative, or the row is told."""
    path = tmp_path / "set"
    frame = negatives(20).with_columns(
        positive=pl.lit("\U0001f600 all birds fly"),
        anchor=pl.format("all fish {}", pl.int_range(pl.len())),
        edit=pl.Series([{"start": 2, "end": 5, "old": "all", "new": "no"}] * 20, dtype=EDIT),
        negative=pl.lit("\U0001f600 no birds fly"),
    )
    write(path, frame)
    assert found(path) == []
    write(path, frame.with_columns(negative=pl.lit("\U0001f600 no bird flies")))
    assert laws(path) == {"edit"}


@pytest.mark.parametrize("name", ["drop_reason", "dropped_by"])
def test_a_dropped_row_says_why_and_by_whom(tmp_path: Path, name: str) -> None:
    """A row without one of these beside the dropped ones is told.

    Answers MinishLab/semhash#49 (whole rows of what was removed, and the reason).
    """
    path = tmp_path / "set"
    write(path, negatives(ROWS))
    rewritten(path, lambda frame: frame.with_columns(pl.lit(None, pl.String).alias(name)), dropped=True)
    assert "drop" in laws(path)


# -- the folder --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [".negforge/HEAD", "README.md"])
@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_text("---\nconfigs: []\n---\nv7\n", encoding="utf-8")])
def test_head_and_card_out_of_step_are_told_and_healed_by_the_next_writer(tmp_path: Path, name: str, harm: Callable[[Path], Any]) -> None:
    """A check writes nothing; an equal rerun, which adds no version, heals."""
    path = tmp_path / "set"
    write(path, negatives(ROWS))
    harm(path / name)
    before = tree(path)
    (finding,) = found(path)
    assert tree(path) == before
    assert (finding.law, name in finding.what, "heals it" in finding.mend) == ("derived", True, True)
    assert write(path, negatives(ROWS)).unchanged
    assert found(path) == []


def test_what_dead_writers_left_is_a_note(tmp_path: Path) -> None:
    """A stage nobody holds and a claim without a manifest harm no reader: they are told, exit 0, and the next writer removes them."""
    path = tmp_path / "set"
    write(path, negatives(ROWS))
    stage = path / ".negforge" / "stage-dead"
    stage.mkdir()
    (stage / "lock").touch()
    (path / "data" / "v2").mkdir()
    (path / "data" / "v2" / "train-00000-of-00001.parquet").touch()
    done = call("check", path)
    assert done.code == 0
    assert str(stage) in done.out
    assert str(path / "data" / "v2") in done.out
    write(path, negatives(ROWS, "b"))
    assert check(str(path))[0].notes == []


def test_what_a_dead_writer_of_a_file_left_is_a_note(tmp_path: Path) -> None:
    """Its stage lies beside the file; the next writer of the file removes it."""
    path = tmp_path / "rows.parquet"
    stage = tmp_path / ".rows.parquet.stage-dead"
    for left in (True, False):
        sink = FileSink(NEGATIVES, path, clustered=False)
        sink.write(negatives(ROWS))
        sink.finish([], {})
        if left:
            stage.mkdir()
            (stage / "lock").touch()
        assert [str(stage) in note for note in check(str(path))[0].notes] == [True] * left


def test_a_living_writers_stage_is_no_leftover(tmp_path: Path) -> None:
    """While it is held, neither it nor a number taken meanwhile is told."""
    path = tmp_path / "set"
    write(path, negatives(ROWS))
    with Dataset(path).begin():
        (path / "data" / "v2").mkdir()
        (path / "data" / "v2" / "x").touch()
        assert check(str(path))[0].notes == []


# -- the command -------------------------------------------------------------------------------------------------------


def test_all_versions_and_many_tables(tmp_path: Path) -> None:
    """`--all` checks each version; without it an older one's harm is not looked for; `--json` is one document."""
    path = tmp_path / "set"
    for mark in "ab":
        write(path, negatives(ROWS, mark))
    flipped(next((path / "data" / "v1").iterdir()))
    assert call("check", path).code == 0
    done = call("check", path, "--all", "--json")
    assert done.code == 1
    assert [one["name"] for one in json.loads(done.out)] == [f"{path}@v2", f"{path}@v1"]
    assert call("check", f"{path}@v1", path).code == 1
    assert call("check", path, "--quiet").out == ""


@pytest.mark.parametrize(
    ("words", "code"), [(["no-such"], 3), (["set@vx"], 2), (["set@v9"], 3), (["set@v1", "--all"], 2), (["set", "--max-memory", "much"], 2)]
)
def test_what_cannot_be_checked_has_its_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int) -> None:
    """1 is for what a check found, never for what it could not look at."""
    monkeypatch.chdir(tmp_path)
    write(Path("set"), negatives(ROWS))
    done = call("check", *words)
    assert done.code == code
    assert "mend:" in done.err


def test_text_from_data_cannot_steer_the_terminal(tmp_path: Path) -> None:
    """An id is printed with its control characters visible."""
    path = tmp_path / "set"
    write(path, negatives(ROWS).with_columns(id=pl.col("id") + "\x1b[31m", seed=pl.lit(-1, pl.Int64)))
    done = on_terminal(["check", path], columns=80)
    assert done.code == 1
    assert "\x1b[31m" not in done.out
    assert "\\x1b[31m" in done.out


def test_progress_is_drawn_on_a_terminal_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A long check says how far it is."""
    path = tmp_path / "set"
    write(path, negatives(ROWS))
    monkeypatch.setattr(checking, "_ROWS", 1)
    monkeypatch.setattr("negforge.progress._LEAST_SECONDS", 0.0)
    check(str(path))
    assert capsys.readouterr().err == ""
    check(str(path), show_progress=True)
    assert "check: 48 rows" in capsys.readouterr().err
