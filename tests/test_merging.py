"""`negforge merge`: the union of tables, whatever their order, with every judgement of a row and every reason kept."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from negforge.checking import check
from negforge.errors import InputError
from negforge.labels import labelled
from negforge.merging import Rules, merge
from negforge.records import DROP_NAMES, NEGATIVES, Kind
from negforge.report import Report
from negforge.sinks import FileSink, split_dropped
from negforge.store import Dataset, DatasetSink
from negforge.tables import open_sources
from tests.children import negatives, write
from tests.shell import call, good, shell

ROWS = 60
UNDROPPED = [pl.lit(None, pl.String).alias(name) for name in DROP_NAMES]


def table(path: Path, frame: pl.DataFrame, history: list[dict[str, Any]] | None = None) -> Path:
    """A file of negatives, as a stage writes it."""
    sink = FileSink(NEGATIVES, path, clustered=False)
    sink.write(frame)
    sink.finish(history or [], {})
    return path


def united(out: Path, *inputs: Path, scores: str = "error", kept_wins: bool = False, memory: int | None = None) -> Report:
    """Merge into a dataset, or into a file."""

    def make(kind: Kind, clustered: bool) -> FileSink | DatasetSink:
        if out.suffix:
            return FileSink(kind, out, clustered)
        return DatasetSink(kind, out, shards=None, keep_labels=[], max_memory=memory)

    return merge([str(one) for one in inputs], make, Rules(scores, kept_wins), output=str(out), max_memory=memory)


def read(path: Path) -> pl.DataFrame:
    """All rows of a table by id."""
    return pl.concat([one for source in open_sources(str(path)) for one in source.batches(7)], how="diagonal").sort("id")


def one_row(path: Path, name: str, **columns: Any) -> Path:
    """A table of one row, some of its cells given."""
    return table(path / name, negatives(1).drop("score_toy").with_columns(pl.lit(value).alias(column) for column, value in columns.items()))


# -- the union ---------------------------------------------------------------------------------------------------------


def test_rows_of_all_tables_once(tmp_path: Path) -> None:
    """Parts that overlap give the whole they were cut from: equal rows collapse, counted, and dropped rows travel with reasons.

    Answers ray-project/ray#55043 (rows lost) and MinishLab/semhash#49 (other columns of removed rows).
    """
    whole = negatives(ROWS).with_columns(own=pl.format("mine {}", pl.int_range(pl.len())))
    parts = [table(tmp_path / f"{n}.parquet", whole[start:end]) for n, (start, end) in enumerate([(0, 30), (20, 45), (45, 60), (0, 5)])]
    report = united(tmp_path / "set", *parts)
    assert report.counts["seen"] == 30 + 25 + 15 + 5
    assert report.counts["collapsed"] == 15
    found = read(tmp_path / "set")
    assert_frame_equal(found.select(sorted(found.columns)), whole.sort("id").select(sorted(whole.columns)))
    assert [finding for one in check(str(tmp_path / "set")) for finding in one.findings] == []


@given(data=st.data())
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_order_of_inputs_rows_and_memory_do_not_matter(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Three tables that judge common rows differently, in any order, spilled or not: the same rows, digests and parents."""
    folder = tmp_path_factory.mktemp("orders")
    whole = negatives(30).drop("score_toy")
    tables = []
    for name in "abc":
        some = whole.sample(20, seed=data.draw(st.integers(0, 99)), shuffle=True)
        verdicts = pl.Series(
            data.draw(st.lists(st.sampled_from(["negative", "positive", "unknown", None]), min_size=20, max_size=20)), dtype=pl.String
        )
        judged = labelled(
            some.with_columns(verdicts.alias(f"verdict_{data.draw(st.sampled_from(['x', 'y']))}"), score_n=pl.lit(None, pl.Float64))
        )
        keep = data.draw(st.booleans())
        tables.append(table(folder / f"{name}.parquet", judged.with_columns(UNDROPPED) if keep else judged))
    orders = [*itertools.permutations(tables)]
    first = None
    for number, order in enumerate([orders[0], data.draw(st.sampled_from(orders)), data.draw(st.sampled_from(orders))]):
        united(folder / f"set{number}", *order, memory=1 if number == 1 else None)
        manifest = Dataset(folder / f"set{number}").manifest(1)
        seen = {key: manifest[key] for key in ("digests", "parents", "stages", "columns", "rows")}
        first = first or seen
        assert seen == first
        assert [finding for one in check(str(folder / f"set{number}")) for finding in one.findings] == []


def test_merging_is_associative_and_idempotent(tmp_path: Path) -> None:
    """(A + B) + C has the rows of A + (B + C), and A + A those of A."""
    whole = negatives(ROWS).drop("score_toy")
    a, b, c = (
        table(tmp_path / f"{name}.parquet", labelled(whole[start : start + 40].with_columns(pl.lit(verdict).alias("verdict_judge"))))
        for name, start, verdict in (("a", 0, "negative"), ("b", 10, "positive"), ("c", 20, "unknown"))
    )
    united(tmp_path / "ab.parquet", a, b)
    united(tmp_path / "bc.parquet", b, c)
    left = united(tmp_path / "left.parquet", tmp_path / "ab.parquet", c)
    right = united(tmp_path / "right.parquet", a, tmp_path / "bc.parquet")
    assert left.outcome.digests == right.outcome.digests
    assert_frame_equal(read(tmp_path / "left.parquet"), read(tmp_path / "right.parquet"))
    again = united(tmp_path / "twice.parquet", a, a)
    assert again.counts["collapsed"] == 40
    assert_frame_equal(read(tmp_path / "twice.parquet"), read(a), check_column_order=False)


def test_a_rerun_touches_nothing(tmp_path: Path) -> None:
    """The same tables give no second version, in another order either. Answers Eventual-Inc/Daft#3112 (idempotent writes)."""
    a, b = (table(tmp_path / f"{mark}.parquet", negatives(ROWS, mark)) for mark in "ab")
    assert united(tmp_path / "set", a, b).outcome.version == 1
    assert united(tmp_path / "set", b, a).outcome.unchanged
    assert united(tmp_path / "rows.parquet", a, b).outcome.unchanged is False
    assert united(tmp_path / "rows.parquet", b, a).outcome.unchanged


def test_a_new_version_may_unite_the_dataset_with_more(tmp_path: Path) -> None:
    """A dataset may be an input of its own next version."""
    write(tmp_path / "set", negatives(ROWS, "a"))
    more = table(tmp_path / "more.parquet", negatives(ROWS, "b"))
    assert united(tmp_path / "set", tmp_path / "set", more).outcome.version == 2
    assert read(tmp_path / "set").height == 2 * ROWS


def test_tables_of_another_kind_and_foreign_files_unite_too(tmp_path: Path) -> None:
    """Pairs unite like negatives; a foreign file is read as the kind of the others."""
    (tmp_path / "a.jsonl").write_text('{"id": "1", "anchor": "q", "positive": "p", "topic": "t"}\n', encoding="utf-8")
    (tmp_path / "b.jsonl").write_text(
        '{"id": "1", "anchor": "q", "positive": "p"}\n{"id": "2", "anchor": "r", "positive": "s"}\n', encoding="utf-8"
    )
    good("ingest", "pairs", tmp_path / "a.jsonl", "-o", tmp_path / "a.parquet", "-q")
    done = call("merge", tmp_path / "a.parquet", tmp_path / "b.jsonl", "--to", "jsonl")
    assert done.code == 0, done.err
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert len(rows) == 2
    assert next(row for row in rows if row["id"] == "1")["topic"] == "t"


# -- judgements --------------------------------------------------------------------------------------------------------


def test_one_row_keeps_the_verdicts_scores_and_evidence_of_all(tmp_path: Path) -> None:
    """Verified by X in one table and by Y in another, it has both, and the label that both make."""
    a = one_row(tmp_path, "a.parquet", verdict_x="negative", score_a=0.5)
    b = one_row(tmp_path, "b.parquet", verdict_y="positive", score_b=0.25, evidence=["y"], note="mine")
    report = united(tmp_path / "out.parquet", a, b)
    row = read(tmp_path / "out.parquet").row(0, named=True)
    assert (row["verdict_x"], row["verdict_y"], row["score_a"], row["score_b"], row["note"]) == ("negative", "positive", 0.5, 0.25, "mine")
    assert row["evidence"] == ["not-known-positive", "y"]
    assert row["label"] == "unknown"  # the two disagree
    assert {name: report.counts[name] for name in ("seen", "kept", "united", "relabelled")} == {
        "seen": 2,
        "kept": 1,
        "united": 1,
        "relabelled": 1,
    }


@pytest.mark.parametrize("other", ["unknown", "negative", None])
def test_a_proof_is_never_withdrawn(tmp_path: Path, other: str | None) -> None:
    """Known as a positive in one table, the row is one, whatever a table with fewer positives says; its evidence goes."""
    a = one_row(tmp_path, "a.parquet", verdict_known_positive="positive", label="positive", evidence=[])
    b = one_row(tmp_path, "b.parquet", verdict_known_positive=other)
    for order in ((a, b), (b, a)):
        united(tmp_path / "out.parquet", *order)
        row = read(tmp_path / "out.parquet").row(0, named=True)
        assert (row["verdict_known_positive"], row["label"], row["evidence"]) == ("positive", "positive", [])


def test_of_two_votes_of_one_verifier_the_more_damning_stands(tmp_path: Path) -> None:
    """A text that may be right ships as no negative."""
    tables = [one_row(tmp_path, f"{n}.parquet", verdict_judge=said) for n, said in enumerate(["negative", "positive", "unknown"])]
    united(tmp_path / "out.parquet", *tables)
    assert read(tmp_path / "out.parquet")["verdict_judge"].to_list() == ["positive"]


def test_a_score_with_two_values_is_an_error_or_as_asked(tmp_path: Path) -> None:
    """The message names the id, the column, both tables and values, and the flag that mends it."""
    a, b = one_row(tmp_path, "a.parquet", score_x=0.5), one_row(tmp_path, "b.parquet", score_x=0.75)
    with pytest.raises(InputError, match="id 'a-0' has two values of one score") as error:
        united(tmp_path / "out.parquet", b, a)
    assert "a.parquet and" in error.value.where
    assert "differ in score_x: '0.5' and '0.75'" in error.value.where
    assert "--scores higher" in error.value.mend
    assert not (tmp_path / "out.parquet").exists()
    for rule, value in (("higher", 0.75), ("lower", 0.5)):
        united(tmp_path / "out.parquet", a, b, scores=rule)
        assert read(tmp_path / "out.parquet")["score_x"].to_list() == [value]


@pytest.mark.parametrize(("column", "value"), [("negative", "other"), ("split", "test"), ("source_id", "s9"), ("own", "b")])
def test_an_id_with_two_contents_is_an_error(tmp_path: Path, column: str, value: str) -> None:
    """Text, split, lineage and own columns say what the row is: two of them under one id are refused, exit 3, both tables named."""
    a = one_row(tmp_path, "a.parquet", split="train", own="a")
    b = one_row(tmp_path, "b.parquet", **{"split": "train", "own": "a", column: value})
    done = call("merge", b, a, "-o", tmp_path / "out")
    assert done.code == 3
    assert "id 'a-0' has two contents" in done.err
    assert "a.parquet" in done.err
    assert "b.parquet" in done.err
    assert f"differ in {column}" in done.err
    assert not (tmp_path / "out").exists()


def test_a_row_dropped_in_one_table_is_dropped_with_its_reason(tmp_path: Path) -> None:
    """Unless the one that keeps it is to win; both are counted."""
    a = one_row(tmp_path, "a.parquet", dropped_by="filter toy", drop_reason="low", drop_value="3")
    b = one_row(tmp_path, "b.parquet", score_new=1.0)
    report = united(tmp_path / "out.parquet", b, a)
    kept, lost = split_dropped(read(tmp_path / "out.parquet"))
    assert (kept.height, lost.select(DROP_NAMES).rows(), lost["score_new"].to_list()) == (0, [("filter toy", "low", "3")], [1.0])
    assert report.counts["dropped_elsewhere"] == 1
    united(tmp_path / "out.parquet", a, b, kept_wins=True)
    assert read(tmp_path / "out.parquet").height == 1
    assert (
        "dropped_by" not in read(tmp_path / "out.parquet").drop_nulls("id").columns
        or split_dropped(read(tmp_path / "out.parquet"))[0].height == 1
    )


# -- the positives of all tables -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("flags", [[], ["--no-verify"]])
def test_a_positive_of_another_table_is_no_negative(tmp_path: Path, flags: list[str]) -> None:
    """A text chosen where its anchor had another positive is labelled once the tables meet, whether or not they were verified."""
    (tmp_path / "c.jsonl").write_text(
        "".join(json.dumps({"text": text}) + "\n" for text in ("alpha one text", "beta two text", "gamma three text")), encoding="utf-8"
    )
    good("ingest", "corpus", tmp_path / "c.jsonl", "-o", tmp_path / "c.parquet", "-q")
    for name, positive in (("a", "alpha one text"), ("b", "beta two text")):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"anchor": "q", "positive": positive}) + "\n", encoding="utf-8")
        good("ingest", "pairs", tmp_path / f"{name}.jsonl", "-o", tmp_path / f"{name}.parquet", "-q")
        corpus: tuple[str | Path, ...] = ("--corpus", tmp_path / "c.parquet", "-n", "3", *flags)
        good("generate", "mine.random", tmp_path / f"{name}.parquet", *corpus, "-o", tmp_path / f"mn{name}", "-q")
    for number, order in enumerate([("mna", "mnb"), ("mnb", "mna")]):
        out = tmp_path / f"mm{number}"
        done = call("merge", *(tmp_path / one for one in order), "-o", out)
        assert done.code == 0, done.err
        assert f"relabelled: {4 if flags else 2}" in done.err
        kept = split_dropped(read(out))[0].filter(pl.col("label") == "negative")
        assert kept["negative"].to_list() == ["gamma three text"] * 2
        assert call("check", out).code == 0
    assert Dataset(tmp_path / "mm0").manifest(1)["digests"] == Dataset(tmp_path / "mm1").manifest(1)["digests"]
    wrong = read(tmp_path / "mm0").filter(pl.col("negative") == "beta two text", pl.col("positive") == "alpha one text")
    assert wrong.select("label", "verdict_known_positive").unique().rows() == [("positive", "positive")]
    assert "not-known-positive" not in wrong["evidence"].explode().to_list()


def test_a_positive_of_a_dropped_row_is_known(tmp_path: Path) -> None:
    """A row that was dropped says what is right for its anchor all the same, and passes as it is."""
    a = one_row(tmp_path, "a.parquet", negative="beta two text")
    b = one_row(
        tmp_path, "b.parquet", id="b-0", positive="Beta two text.", dropped_by="filter toy", drop_reason="low", negative="other text"
    )
    report = united(tmp_path / "out.parquet", a, b)
    assert report.counts["relabelled"] == 1
    assert read(tmp_path / "out.parquet")["label"].to_list() == ["positive", "negative"]
    assert read(tmp_path / "out.parquet")["verdict_known_positive"].to_list() == ["positive", None]
    again = united(tmp_path / "again.parquet", tmp_path / "out.parquet", a, b)
    assert_frame_equal(read(tmp_path / "again.parquet"), read(tmp_path / "out.parquet"))
    assert again.outcome.digests["rows_digest"] == report.outcome.digests["rows_digest"]


def test_what_is_known_by_all_does_not_depend_on_what_met_first(tmp_path: Path) -> None:
    """(A + B) + C has the rows of A + (B + C) where B's or C's positives are A's negatives; nor does memory matter."""
    whole = negatives(ROWS).drop("score_toy", *DROP_NAMES)
    right = whole["negative"].shift(1)
    b, c = (
        table(
            tmp_path / f"{mark}.parquet",
            negatives(ROWS, mark).drop("score_toy", *DROP_NAMES).with_columns(positive=text)[start : start + 30],
        )
        for mark, start, text in (("b", 1, right), ("c", 20, whole["negative"]))
    )
    a = table(tmp_path / "a.parquet", whole)
    united(tmp_path / "ab", a, b)
    united(tmp_path / "bc.parquet", b, c)
    turned = [
        united(tmp_path / "left.parquet", tmp_path / "ab", c),
        united(tmp_path / "right.parquet", a, tmp_path / "bc.parquet"),
        united(tmp_path / "all.parquet", c, b, a, memory=1),
    ]
    assert turned[2].counts["relabelled"] > 20
    assert turned[0].outcome.digests == turned[1].outcome.digests == turned[2].outcome.digests
    assert_frame_equal(read(tmp_path / "left.parquet"), read(tmp_path / "right.parquet"))
    assert [finding for one in check(str(tmp_path / "left.parquet")) for finding in one.findings] == []


# -- where it came from ------------------------------------------------------------------------------------------------


def test_parents_and_histories_of_all_are_recorded(tmp_path: Path) -> None:
    """Each stage once; each parent with its digests, rows and the places of its stages."""
    shared = {"stage": "ingest pairs", "version": 1, "options": {}, "seed": 0, "counts": {}}
    own = [{"stage": f"generate mine.{name}", "version": 1, "options": {}, "seed": 0, "counts": {}} for name in "ab"]
    a, b = (table(tmp_path / f"{mark}.parquet", negatives(ROWS, mark), [shared, own[n]]) for n, mark in enumerate("ab"))
    united(tmp_path / "set", a, b)
    manifest = Dataset(tmp_path / "set").manifest(1)
    assert len(manifest["stages"]) == 4
    assert manifest["stages"][3]["stage"] == "merge"
    parents = {Path(one["name"]).stem: one for one in manifest["parents"]}
    for n, mark in enumerate("ab"):
        stages = [manifest["stages"][place] for place in parents[mark]["stages"]]
        assert stages == [shared, own[n]]
        assert parents[mark]["rows"] == 48
        assert len(parents[mark]["rows_digest"]) == 32


# -- the command -------------------------------------------------------------------------------------------------------


def test_kinds_do_not_mix(tmp_path: Path) -> None:
    """Nor do exports, nor files without a kind: each is told with what to do."""
    write(tmp_path / "set", negatives(ROWS))
    (tmp_path / "p.jsonl").write_text('{"anchor": "q", "positive": "p"}\n', encoding="utf-8")
    good("ingest", "pairs", tmp_path / "p.jsonl", "-o", tmp_path / "p.parquet", "-q")
    good("export", "sentence-transformers", tmp_path / "set", "--layout", "triplet", "-o", tmp_path / "e.parquet", "-q")
    for words, code, said in (
        (["set", "p.parquet"], 3, "tables of several kinds"),
        (["e.parquet"], 2, "is an export"),
        (["p.jsonl"], 3, "ingest them first"),
    ):
        done = call("merge", *(tmp_path / one for one in words), "-o", tmp_path / "out")
        assert (done.code, said in done.err) == (code, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--scores", "hihger"], "did you mean higher?"),
        (["--shards", "3"], "power of two"),
        (["-o", "a.parquet"], "is also an input"),
        (["--json"], "both want standard output"),
        (["-o", "x.parquet", "--keep-labels", "unknown"], "is for a dataset folder"),
    ],
)
def test_wrong_flags_are_told_before_any_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], said: str) -> None:
    """Exit 2, and nothing written."""
    monkeypatch.chdir(tmp_path)
    table(Path("a.parquet"), negatives(3))
    done = call("merge", "a.parquet", *words)
    assert (done.code, said in done.err) == (2, True)
    assert {one.name for one in tmp_path.iterdir()} == {"a.parquet"}


def test_it_stands_in_a_pipe(tmp_path: Path) -> None:
    """Standard input is one of the tables, and the rows go on to the next command; the summary is on stderr."""
    whole = negatives(ROWS).with_columns(UNDROPPED)
    a, b = table(tmp_path / "a.parquet", whole[:40]), table(tmp_path / "b.parquet", whole[20:])
    done = shell(f"negforge filter top {a} -k 9 -q | negforge merge - {b} | negforge dedupe exact -o set -q", tmp_path)
    assert done.code == 0, done.err
    assert "equal rows collapsed: 20" in done.err
    assert read(tmp_path / "set").height == ROWS
