"""`negforge diff` and `negforge log`: what changed, row by row and option by option, between tables and along versions."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from negforge.comparing import HEADINGS, Difference, compare, stage_changes
from negforge.records import DROP_NAMES
from tests.children import negatives, write
from tests.models import static_model
from tests.shell import call, on_terminal, shell
from tests.test_merging import table

ROWS = 60
NOT_DROPPED = [pl.lit(None, pl.String).alias(name) for name in DROP_NAMES]
DROPPED = [pl.lit("filter x").alias("dropped_by"), pl.lit("far").alias("drop_reason"), pl.lit("9").alias("drop_value")]
# What is done to a row, and the heading it then stands under.
CHANGES: dict[str, list[pl.Expr]] = {
    "changed": [pl.lit("other").alias("negative"), pl.lit("positive").alias("label")],
    "relabelled": [pl.lit("positive").alias("label"), pl.lit("positive").alias("verdict_x")],
    "annotated": [pl.lit(0.5).alias("score_x")],
    "dropped": [*DROPPED, pl.lit("unknown").alias("label")],
}


def found(folder: Path, before: pl.DataFrame, after: pl.DataFrame, **options: Any) -> Difference:
    """The difference of two tables."""
    names = [str(table(folder / f"{name}.parquet", frame)) for name, frame in (("before", before), ("after", after))]
    return compare(*names, **options)


@given(data=st.data())
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_row_counts_once_under_what_was_done_to_it(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Whatever the order of rows, and spilled or not; the other way round, added is removed and dropped is restored."""
    folder = tmp_path_factory.mktemp("diff")
    before = negatives(30).with_columns(*NOT_DROPPED, verdict_x=pl.lit(None, pl.String), score_x=pl.lit(None, pl.Float64))
    fates = data.draw(st.lists(st.sampled_from(["same", "added", "removed", *CHANGES]), min_size=30, max_size=30))
    pieces = []
    for number, fate in enumerate(fates):
        row = before[number]
        pieces.append(row.with_columns(CHANGES[fate]) if fate in CHANGES else row)
    after = pl.concat([piece for piece, fate in zip(pieces, fates, strict=True) if fate != "removed"] or [before.clear()])
    before = pl.concat([before[number] for number, fate in enumerate(fates) if fate != "added"] or [before.clear()])
    # A label that was `positive` already is not another one.
    same_label = sum(fate == "relabelled" and number % 11 == 10 for number, fate in enumerate(fates))
    expected = Counter(fates)
    expected["relabelled"] -= same_label
    expected["annotated"] += same_label
    difference = found(folder, before.sample(fraction=1, shuffle=True, seed=1), after, max_memory=data.draw(st.sampled_from([1, None])))
    assert difference.rows == {name: expected[name] for name in (*HEADINGS, "same")}
    assert {name: sum(counts.values()) for name, counts in difference.by.items()} == {
        name: expected[name] for name in HEADINGS if expected[name]
    }
    assert difference.equal == (expected["same"] == 30)
    assert (difference.before.rows, difference.before.dropped) == (before.height, 0)
    assert (difference.after.rows, difference.after.dropped) == (after.height - expected["dropped"], expected["dropped"])
    back = found(folder, after, before)
    turned = {"added": "removed", "removed": "added", "dropped": "restored", "restored": "dropped"}
    assert back.rows == {name: difference.rows[turned.get(name, name)] for name in difference.rows}


def test_rows_are_told_by_operator_and_reason(tmp_path: Path) -> None:
    """Which operator made them, who dropped them and why, from which label to which.

    Answers huggingface/datatrove#370 (learn which row) and MinishLab/semhash#49 (removed rows with reasons).
    """
    before = negatives(12).with_columns(NOT_DROPPED)
    number = pl.int_range(pl.len())
    after = before.with_columns(
        pl.when(number == 0).then(pl.lit("unknown")).otherwise("label").alias("label"),
        *(
            pl.when(number == 1).then(one.meta.undo_aliases()).otherwise(one.meta.output_name()).alias(one.meta.output_name())
            for one in DROPPED
        ),
    )[:-1]
    difference = found(tmp_path, before, after)
    assert difference.by == {
        "removed": {"mine.toy negative": 1},
        "dropped": {"mine.toy filter x, far": 1},
        "relabelled": {"mine.toy negative to unknown": 1},
    }


def test_examples_are_the_first_rows_under_each_heading(tmp_path: Path) -> None:
    """As they were and as they are, with the columns that differ; of a table however large, only these are read as rows."""
    before = negatives(30).with_columns(NOT_DROPPED)
    after = before.with_columns(score_toy=pl.col("score_toy") + 1)[5:]
    difference = found(tmp_path, before, after, rows=2, max_memory=1)
    assert [one["before"]["id"] for one in difference.examples["removed"]] == ["a-0", "a-1"]
    assert [one["after"]["id"] for one in difference.examples["annotated"]] == ["a-5", "a-6"]
    assert difference.examples["annotated"][0]["columns"] == ["score_toy"]
    assert difference.examples["removed"][0]["after"] is None
    text = "\n".join(difference.lines())
    assert "a-5: negative 'wrong a 5" in text
    assert "score_toy 0.71" in text


def test_equal_tables_have_no_difference(tmp_path: Path) -> None:
    """Whatever the format, the order of rows, columns without a value; exit 0, also where asked for the code."""
    frame = negatives(ROWS)
    write(tmp_path / "set", frame)
    a = table(tmp_path / "a.parquet", frame.reverse().with_columns(own=pl.lit(None, pl.String)))
    done = call("diff", tmp_path / "set", a, "--exit-code", "--json")
    assert done.code == 0
    document = json.loads(done.out)
    assert document["equal"]
    assert document["rows"]["same"] == ROWS
    assert document["before"]["rows_digest"] == document["after"]["rows_digest"]


def test_a_version_alone_is_compared_with_its_parent(tmp_path: Path) -> None:
    """`diff DIR` and `diff DIR@v2`; the first version has none, and is told so with exit 2."""
    path = tmp_path / "set"
    for mark in "abc":
        write(path, negatives(ROWS, mark), mark=mark)
    assert "@v2: " in call("diff", path).out.splitlines()[0]
    assert "@v1: " in call("diff", f"{path}@v2").out.splitlines()[0]
    done = call("diff", f"{path}@v1")
    assert (done.code, "has no parent" in done.err) == (2, True)
    assert call("diff", path, "--exit-code").code == 1
    assert call("diff", path).code == 0


def test_one_side_may_be_a_pipe(tmp_path: Path) -> None:
    """What a stage would change is seen without writing it."""
    table(tmp_path / "a.parquet", negatives(ROWS).with_columns(NOT_DROPPED))
    done = shell("negforge filter top a.parquet -k 1 -q | negforge diff a.parquet - -q", tmp_path)
    assert done.code == 0, done.err
    assert "filter top, beyond-k" in done.out
    assert "added filter top: k 1" in done.out


@pytest.mark.parametrize(("words", "code"), [(["nowhere"], 3), (["a.parquet"], 2), (["set@v9"], 3), (["set", "p.jsonl"], 3)])
def test_what_cannot_be_compared_has_its_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int) -> None:
    """And a mend."""
    monkeypatch.chdir(tmp_path)
    write(Path("set"), negatives(3))
    table(Path("a.parquet"), negatives(3))
    Path("p.jsonl").write_text('{"anchor": "q"}\n', encoding="utf-8")
    done = call("diff", *words)
    assert done.code == code
    assert "mend:" in done.err


# -- stages ------------------------------------------------------------------------------------------------------------


def entry(stage: str, seed: int = 0, version: int = 1, **options: Any) -> dict[str, Any]:
    """An entry of a history."""
    return {"stage": stage, "version": version, "seed": seed, "options": options, "counts": {"seen": seed}, "rows_digest": str(seed)}


def test_options_seeds_and_versions_are_told_stage_by_stage() -> None:
    """Old and new value of each; counts and digests are no options; stages that came or went are told whole."""
    before = [entry("ingest pairs"), entry("generate mine.x", k=8, a=None), entry("dedupe exact", within="pair")]
    after = [entry("ingest pairs"), entry("generate mine.x", seed=3, version=2, k=4), entry("filter top", k=2)]
    assert stage_changes(before, after) == [
        {"stage": "generate mine.x", "option": "operator_version", "old": 1, "new": 2},
        {"stage": "generate mine.x", "option": "seed", "old": 0, "new": 3},
        {"stage": "generate mine.x", "option": "k", "old": 8, "new": 4},
        {"stage": "dedupe exact", "removed": {"operator_version": 1, "seed": 0, "within": "pair"}},
        {"stage": "filter top", "added": {"operator_version": 1, "seed": 0, "k": 2}},
    ]
    assert stage_changes(before, before) == []


def test_a_stage_that_ran_as_before_stands_for_itself() -> None:
    """Where one of another option was put before it, as in a union of histories, that one is new and nothing changed."""
    before = [entry("ingest pairs"), entry("filter top", k=4)]
    after = [entry("ingest pairs"), entry("filter top", k=3), entry("filter top", k=4), entry("merge")]
    assert [(one["stage"], "added" in one) for one in stage_changes(before, after)] == [("filter top", True), ("merge", True)]


# -- log ---------------------------------------------------------------------------------------------------------------


def test_the_log_lists_versions_newest_first_with_what_changed(tmp_path: Path) -> None:
    """Rows against the parent's, stages that changed, and numbers that are no version any more."""
    path = tmp_path / "set"
    write(path, negatives(ROWS), mark="1")
    write(path, negatives(ROWS // 2), mark="2")
    (path / ".negforge" / "v3").mkdir()
    write(path, negatives(ROWS), mark="2")
    entries = json.loads(call("log", path, "--json").out)
    assert [one["version"] for one in entries] == [4, 3, 2, 1]
    assert entries[1] == {"version": 3, "given_up": True}
    assert entries[0]["newest"]
    assert entries[0]["changes"] == []
    assert entries[0]["change"]["rows"] == -entries[2]["change"]["rows"] > 0
    assert entries[2]["changes"][0] == {"stage": "generate mine.toy1", "removed": {"operator_version": 1, "seed": 0}}
    assert entries[3]["parent"] is None
    text = call("log", path).out
    assert text.splitlines()[0].startswith("v4  ")
    assert "v3  no version: its writer died" in text
    assert [one["version"] for one in json.loads(call("log", f"{path}@v2", "--json").out)] == [2, 1]


@pytest.mark.parametrize(("words", "code"), [(["nowhere"], 3), (["set@v9"], 3), (["set@x"], 3), (["empty"], 3)])
def test_a_log_of_nothing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], code: int) -> None:
    """Exit 3, with what there is instead."""
    monkeypatch.chdir(tmp_path)
    write(Path("set"), negatives(3))
    Path("empty", ".negforge").mkdir(parents=True)
    done = call("log", *words)
    assert (done.code, "mend:" in done.err) == (code, True)


@pytest.mark.parametrize("command", ["log", "diff", "check"])
@pytest.mark.parametrize("columns", [80, 200])
def test_text_of_data_cannot_steer_the_terminal(tmp_path: Path, command: str, columns: int) -> None:
    """Options, ids and texts are printed with their control characters visible, in colour or not."""
    path = tmp_path / "set"
    for mark in "ab":
        write(path, negatives(6).with_columns(id=pl.col("id") + "\x1b[31m" + mark, operator=pl.lit("x\x1b[2J")), mark="\x1b]0;")
    done = on_terminal([command, path, *(["--rows", "2"] if command == "diff" else [])], columns=columns, env={"NO_COLOR": "1"})
    assert done.code == 0
    assert not any(sign in done.out for sign in ("\x1b[31m", "\x1b[2J", "\x1b]0;"))


ROUNDS = ("step-2000", "step-4000")


def test_refresh_rounds_are_versions(tmp_path: Path, pairs: pl.DataFrame, corpus: pl.DataFrame) -> None:
    """AR2 mines anew as the retriever learns: a round is a version, its checkpoint and its name are in the log, and what stayed is told.

    Answers texttron/tevatron#87 (which checkpoint made these negatives).
    """
    for seed, name in enumerate(ROUNDS):
        static_model(tmp_path / name, seed=seed)
    pairs.write_parquet(tmp_path / "pairs.parquet")
    corpus.write_parquet(tmp_path / "corpus.parquet")
    data = str(tmp_path / "data")

    def mine(name: str, round_name: str) -> None:
        mined = ["generate", "mine.dense", str(tmp_path / "pairs.parquet"), "--corpus", str(tmp_path / "corpus.parquet")]
        done = call(*mined, "--model", str(tmp_path / name), "-n", "3", "--round", round_name, "-o", data)
        assert done.code == 0, done.err

    for name in ROUNDS:
        mine(name, name)
    first, second = (json.loads((Path(data) / ".negforge" / f"v{number}" / "manifest.json").read_text()) for number in (1, 2))
    assert (first["parent"], second["parent"]) == (None, 1)
    assert [one["stages"][-1]["round"] for one in (first, second)] == [*ROUNDS]
    assert [one["stages"][-1]["options"]["model"].split()[0] for one in (first, second)] == [*ROUNDS]

    told = call("log", data).out
    assert "round step-4000" in told
    assert "generate mine.dense: round step-2000 to step-4000" in told
    assert "generate mine.dense: model step-2000" in " ".join(told.split())

    difference = compare(data)
    assert difference.rows["same"] == 0
    kept = [
        pl.concat([pl.read_parquet(one) for one in (Path(data)).rglob(f"*v{number}/**/train-*.parquet")], how="diagonal")
        for number in (1, 2)
    ]
    both = kept[0].join(kept[1], on=["anchor", "positive", "negative"], how="inner")
    assert 0 < difference.again == both.height < kept[1].height
    assert f"of the kept rows added, {difference.again:,} have the texts of one removed" in call("diff", data).out

    mine(ROUNDS[1], ROUNDS[1])
    assert not (Path(data) / "data" / "v3").exists()
    mine(ROUNDS[1], "step-6000")  # a round that finds the same is a round all the same
    assert compare(data).equal
    assert "round step-4000 to step-6000" in call("log", data).out
