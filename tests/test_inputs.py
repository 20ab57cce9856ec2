"""Inputs as one checked table: ids, limits, anchors kept whole, decisions given back in order."""

from __future__ import annotations

import functools
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from negforge import rng
from negforge.api import run
from negforge.errors import InputError, UsageError
from negforge.inputs import Decisions, Input, by_anchor, check_ids, limited, open_input, renamed, side_table, sources_of
from negforge.inputs import given as source_of
from negforge.records import CORPUS, NEGATIVES, PAIRS, Corpus, Kind, conform
from negforge.tables import Source
from tests import shell, strategies

UNLIMITED = 1 << 40
TINY = 200  # bytes: a few rows spill
pytestmark = pytest.mark.usefixtures("own_scratch")


def rows(*cells: tuple[Any, ...], names: tuple[str, ...] = ("id", "anchor", "positive")) -> pl.DataFrame:
    return pl.DataFrame([dict(zip(names, row, strict=True)) for row in cells], schema_overrides={"id": pl.String}, infer_schema_length=None)


def checked(*frames: pl.DataFrame, kind: Kind = PAIRS, limit_bytes: int = UNLIMITED, size: int = 2) -> Input:
    """Foreign frames as one table, each read in pieces of `size`."""
    sources = [Source(f"part-{number}", functools.partial(pieces_of, frame, size)) for number, frame in enumerate(frames)]
    return open_input(sources, kind, Path(tempfile.mkdtemp()), limit_bytes=limit_bytes)


def iter_pieces(frame: pl.DataFrame, size: int) -> Iterator[pl.DataFrame]:
    return frame.iter_slices(size) if frame.height else iter([frame])


def pieces_of(frame: pl.DataFrame, size: int, _: int) -> Iterator[pl.DataFrame]:
    return iter_pieces(frame, size)


def whole(table: Input, batch: int = 3) -> pl.DataFrame:
    return pl.concat(table.batches(batch))


def refusal(call: Callable[[], object]) -> InputError:
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.exit_code == 3
    return caught.value


# -- ids ---------------------------------------------------------------------------------------------------------------

FEW_ROWS = st.lists(
    st.tuples(
        st.sampled_from(["1", "2", "3", "x"]), st.sampled_from(["a", "b"]), st.sampled_from(["p", "q"]), st.sampled_from([1, 2, None])
    ),
    max_size=8,
).map(lambda found: rows(*found, names=("id", "anchor", "positive", "n")).cast({"n": pl.Int64}) if found else rows(("1", "a", "p"))[:0])


@settings(max_examples=60)
@given(st.lists(FEW_ROWS, min_size=1, max_size=3), st.booleans())
def test_ids_are_checked_the_same_in_any_memory(frames: list[pl.DataFrame], with_ids: bool) -> None:
    """With partitions on disk and without, in pieces of one row and of all, the same rows stay or the same error comes."""
    if not with_ids:
        frames = [frame.drop("id") for frame in frames]
    found: list[object] = []
    for limit, size in ((UNLIMITED, 100), (TINY, 1)):
        try:
            table = checked(*frames, limit_bytes=limit, size=size)
            found.append((whole(table).to_dicts(), table.collapsed))
        except InputError as error:
            found.append((error.what, error.where))
    assert found[0] == found[1]
    together = pl.concat(frames, how="diagonal")
    contents = together.group_by("id").agg(pl.struct(pl.exclude("id")).n_unique()) if with_ids else None
    clash = contents is not None and bool((contents[contents.columns[1]] > 1).any())
    if clash:
        assert "has two contents" in str(found[0])
    else:
        key = ["id"] if with_ids else ["anchor", "positive"]
        assert isinstance(found[0], tuple)
        assert len(found[0][0]) == together.n_unique(key) if together.height else found[0] == ([], 0)
        assert found[0][1] == together.height - together.n_unique(key) if together.height else True


def test_an_id_with_two_contents_is_named() -> None:
    """The id, both rows with their files, and the columns in which they differ."""
    one, other = rows(("7", "a", "p"), ("8", "b", "q")), rows(("9", "c", "r"), ("7", "a", "z"))
    error = refusal(lambda: checked(one, other))
    assert error.what == "id '7' has two contents"
    assert error.where == "row 1 of part-0 and row 2 of part-1 differ in positive"
    assert error.mend == "give each content its own id, or leave the id column out"
    error = refusal(lambda: checked(rows(("7", "a", "p"), ("x", "b", "q"), ("7", "b", "p"))))
    assert error.where == "row 1 of part-0 and row 3 of part-0 differ in anchor_id, anchor"


def test_an_annotation_is_part_of_a_given_id() -> None:
    """Rows of one given id that differ in an extra or optional column are two contents: none of them vanishes."""
    extra = rows(("7", "a", "p", 1), ("7", "a", "p", 2), names=("id", "anchor", "positive", "grade"))
    assert refusal(lambda: checked(extra)).where == "row 1 of part-0 and row 2 of part-0 differ in grade"
    apart = (rows(("7", "a", "p", 1.0), names=("id", "anchor", "positive", "relevance")), rows(("7", "a", "p")))
    assert refusal(lambda: checked(*apart)).where == "row 1 of part-0 and row 1 of part-1 differ in relevance"


def test_equal_rows_collapse_and_are_counted() -> None:
    """A row that is there three times stays once, at its first place; columns that a file lacks count as null."""
    one = rows(("1", "a", "p"), ("2", "b", "q"), ("1", "a", "p"))
    null = rows(("1", "a", "p", None), names=("id", "anchor", "positive", "n"))
    table = checked(one, null)
    assert table.collapsed == 2
    assert whole(table)["id"].to_list() == ["1", "2"]


@settings(max_examples=25)
@given(st.permutations([("a", "p", 1), ("a", "p", 2), ("a", "p", 3), ("b", "p", 1), ("a", "p", 2)]))
def test_rows_without_ids_collapse_to_the_same_one(order: list[tuple[str, str, int]]) -> None:
    """Rows that differ in an annotation only, where ids are made, leave the same one in any order."""
    table = checked(rows(*order, names=("anchor", "positive", "n")), size=2)
    again = checked(rows(*sorted(order), names=("anchor", "positive", "n")), size=5)
    assert whole(table).sort("id").equals(whole(again).sort("id"))
    assert table.collapsed == again.collapsed == 3


def test_columns_of_all_sources_are_kept() -> None:
    """A column that some sources lack is null there; whole and decimal numbers, and records, find a common type."""
    one = rows(("1", "a", "p", 1, {"x": 1}), names=("id", "anchor", "positive", "n", "m"))
    other = rows(("2", "b", "q", 1.5, {"y": ["z"]}, None), names=("id", "anchor", "positive", "n", "m", "nothing"))
    found = whole(checked(one, other, rows(("3", "c", "r"))))
    assert found["n"].to_list() == [1.0, 1.5, None]
    assert found["m"].to_list() == [{"x": 1, "y": None}, {"x": None, "y": ["z"]}, None]
    assert found["nothing"].null_count() == 3
    assert found["nothing"].dtype == pl.String


def test_a_column_of_two_types_names_both_sources() -> None:
    """Where no type holds both, the error says which source has which."""
    one, other = (
        rows(("1", "a", "p", 1), names=("id", "anchor", "positive", "n")),
        rows(("2", "b", "q", "x"), names=("id", "anchor", "positive", "n")),
    )
    error = refusal(lambda: checked(one, other))
    assert error.what == "column 'n' is Int64 in part-0 and String in part-1"


def test_ids_may_be_numbers_here_and_text_there(tmp_path: Path) -> None:
    """Ids are text: 7 in one file and "7" in another are the same."""
    (tmp_path / "a.jsonl").write_text('{"id": 7, "anchor": "a", "positive": "p"}\n{"id": 8, "anchor": "a", "positive": "q"}\n')
    (tmp_path / "b.jsonl").write_text('{"id": "7", "anchor": "a", "positive": "p"}\n{"id": "x", "anchor": "a", "positive": "r"}\n')
    done = run("ingest pairs", str(tmp_path / "a.jsonl"), str(tmp_path / "b.jsonl"))
    assert done.kept["id"].to_list() == ["7", "8", "x"]
    assert done.report.counts["collapsed"] == 1


def test_a_late_column_reaches_the_end(tmp_path: Path) -> None:
    """A column that appears after line 10,000, or is null until then, is a column of the result with its values."""
    path = tmp_path / "p.jsonl"
    with path.open("w") as out:
        for number in range(20_000):
            out.write(json.dumps({"anchor": f"a{number}", "positive": "p", "sparse": None, "mixed": number}) + "\n")
        out.write(json.dumps({"anchor": "last", "positive": "p", "sparse": {"k": [1]}, "late": "x", "mixed": 0.5}) + "\n")
    run("ingest pairs", str(path), output=str(tmp_path / "p.parquet"))
    found = pl.read_parquet(tmp_path / "p.parquet").filter(pl.col("anchor") == "last").to_dicts()[0]
    assert (found["sparse"], found["late"], found["mixed"]) == ({"k": [1]}, "x", 0.5)
    assert pl.read_parquet(tmp_path / "p.parquet").height == 20_001


def test_nothing_but_ids_is_held_in_memory(tmp_path: Path) -> None:
    """With a limit of 200 bytes the ids lie in partitions on disk, and the table is the same."""
    frame = rows(*((str(number % 700), f"a{number % 700}", "p") for number in range(1000)))
    tight = open_input([source_of(frame)], PAIRS, tmp_path / "tight", limit_bytes=TINY)
    assert any((tmp_path / "tight").iterdir())
    loose = open_input([source_of(frame)], PAIRS, tmp_path / "loose", limit_bytes=UNLIMITED)
    assert whole(tight, 99).equals(whole(loose, 1000))
    assert tight.collapsed == loose.collapsed == 300


# -- sources -----------------------------------------------------------------------------------------------------------


def test_an_empty_source_has_columns() -> None:
    """A table without rows still has its columns, declared and extra, whatever made it empty."""
    assert whole(checked(rows(("1", "a", "p", "x"), names=("id", "anchor", "positive", "lang"))[:0])).columns == [
        "id",
        "anchor_id",
        "anchor",
        "positive",
        "lang",
    ]
    nothing = Source("nothing", lambda _: iter(()))
    assert whole(open_input([nothing], PAIRS, Path(tempfile.mkdtemp()), limit_bytes=UNLIMITED)).columns == list(PAIRS.required)
    ours = Source("ours", lambda _: iter(()), kind="pairs")
    assert whole(open_input([ours], PAIRS, Path(tempfile.mkdtemp()), limit_bytes=UNLIMITED)).columns == list(PAIRS.required)


def test_what_can_be_read_once_is_kept() -> None:
    """A table of ours from a pipe that is needed twice is spooled, and keeps kind, clustering and history."""
    frame = conform(rows(("1", "a", "p"), ("2", "b", "q")), PAIRS, "x")
    pieces = frame.iter_slices(1)
    source = Source("pipe", lambda _: pieces, kind="pairs", clustered=True, history=[{"stage": "x"}], once=True)
    table = open_input([source], PAIRS, Path(tempfile.mkdtemp()), limit_bytes=UNLIMITED, twice=True)
    assert whole(table).equals(frame)
    assert whole(table).equals(frame)
    assert (table.clustered, table.history) == (True, [{"stage": "x"}])


def test_standard_input_is_named_once() -> None:
    """Two inputs cannot both be the pipe."""
    with pytest.raises(UsageError):
        sources_of(["-", "-"])


def test_a_rename_is_checked() -> None:
    """An old name that is not there, a new one that is, a name used twice and a word without `=` are refused with what to do."""
    source = source_of(rows(("1", "a", "p", "x"), names=("id", "anchor", "positive", "label")))
    assert next(renamed(source, ["label=source_label"]).batches(9)).columns == ["id", "anchor", "positive", "source_label"]
    assert next(renamed(source, ["anchor=positive", "positive=anchor"]).batches(9)).columns == ["id", "positive", "anchor", "label"]
    error = refusal(lambda: next(renamed(source, ["lable=x"]).batches(9)))
    assert (error.what, error.mend) == ("column 'lable' is not in the given frame", "did you mean label?")
    error = refusal(lambda: next(renamed(source, ["label=anchor"]).batches(9)))
    assert error.what == "--rename label=anchor: the given frame has a column 'anchor' already"
    for words in (["label"], ["=x"], ["x="], ["a=x", "b=x"], ["a=x", "a=y"]):
        with pytest.raises(UsageError) as caught:
            renamed(source, words)
        assert caught.value.exit_code == 2


def test_a_reserved_name_is_mended_by_the_rename_it_suggests(tmp_path: Path) -> None:
    """The command that the error suggests works, and the column arrives at the end of generate under its new name."""
    path = tmp_path / "p.jsonl"
    path.write_text('{"anchor": "How many?", "positive": "There are 5 apples.", "label": "gold", "score_x": 1, "lang": "en"}\n')
    done = shell.call("ingest", "pairs", path, "-o", tmp_path / "p.parquet")
    assert done.code == 3
    assert "error: column 'label' has a reserved name" in done.err
    assert "mend: pass --rename label=source_label" in done.err
    shell.good(
        "ingest", "pairs", path, "--rename", "label=source_label", "--rename", "score_x=source_score_x", "-o", tmp_path / "p.parquet"
    )
    shell.good("generate", "perturb.number", tmp_path / "p.parquet", "-o", tmp_path / "n.parquet")
    row = pl.read_parquet(tmp_path / "n.parquet").to_dicts()[0]
    assert (row["source_label"], row["source_score_x"], row["lang"], row["label"]) == ("gold", 1, "en", "negative")
    shell.good("generate", "perturb.number", path, "--rename", "label=source_label", "--rename", "score_x=s", "-o", tmp_path / "m.parquet")
    assert pl.read_parquet(tmp_path / "m.parquet")["source_label"].to_list() == ["gold"]


# -- limits and side tables --------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(strategies.pairs(max_rows=8), st.integers(1, 5), st.integers(1, 9))
def test_a_limit_takes_the_first_anchors_by_id(frame: pl.DataFrame, limit: int, batch: int) -> None:
    """The first N anchors by id, with all their rows in their order, whatever the batches."""
    table = Input(PAIRS, lambda size: iter_pieces(frame, size))
    first = sorted(set(frame["anchor_id"].to_list()))[:limit]
    found = whole(limited(table, limit), batch)
    assert found.equals(frame.filter(pl.col("anchor_id").is_in(first)))
    assert limited(table, None) is table


def test_a_side_table_is_named_by_its_content(tmp_path: Path) -> None:
    """The digest of a side table is the same in any format and row order, another for another text, and skips dropped rows."""
    frame = rows(("1", "t", "x"), ("2", "u", ""), names=("id", "title", "text"))
    frame.write_ndjson(tmp_path / "c.jsonl")
    frame.reverse().write_parquet(tmp_path / "c.parquet")
    run("ingest corpus", str(tmp_path / "c.jsonl"), output=str(tmp_path / "ours.parquet"))
    digests = {
        side_table(Corpus, spec, Path(tempfile.mkdtemp()), UNLIMITED).digest
        for spec in (str(tmp_path / "c.jsonl"), str(tmp_path / "c.parquet"), str(tmp_path / "ours.parquet"), frame)
    }
    assert len(digests) == 1
    other = side_table(Corpus, frame.with_columns(text=pl.lit("y")), Path(tempfile.mkdtemp()), UNLIMITED)
    assert other.digest not in digests
    assert [piece.height for piece in other.batches(1)] == [1, 1]


# -- anchors kept whole ------------------------------------------------------------------------------------------------


def negatives_of(sizes: list[int]) -> pl.DataFrame:
    """As many rows as sizes say of each anchor, of every kind of row, shuffled; each third one is dropped."""
    cells = [(f"a{anchor}", number) for anchor, size in enumerate(sizes) for number in range(size)]
    order = np.argsort(rng.hash64(pl.Series([f"{name}{number}" for name, number in cells], dtype=pl.String)))
    return pl.DataFrame(
        {
            "id": [f"{cells[place][0]}-{cells[place][1]}" for place in order],
            "anchor_id": [cells[place][0] for place in order],
            "operator": ["x"] * len(cells),
            "draw": [cells[place][1] for place in order],
            "dropped_by": [None if cells[place][1] % 3 else "filter top" for place in order],
            "drop_reason": [None] * len(cells),
            "drop_value": [None] * len(cells),
        },
        schema={
            name: pl.Int64 if name == "draw" else pl.String
            for name in ("id", "anchor_id", "operator", "draw", "dropped_by", "drop_reason", "drop_value")
        },
    )


@settings(max_examples=60)
@given(st.lists(st.integers(0, 9), max_size=9), st.integers(1, 12), st.booleans(), st.sampled_from([TINY, UNLIMITED]))
def test_every_anchor_comes_whole_and_once(sizes: list[int], batch: int, clustered: bool, limit: int) -> None:
    """In batches of any size each anchor lies in one batch, in hash order; dropped rows go aside, and no row is lost."""
    frame = negatives_of(sizes)
    if clustered:
        frame = frame.sort("anchor_id", "draw")
    table = Input(NEGATIVES, lambda size: iter_pieces(frame, size), clustered=clustered)
    aside: list[pl.DataFrame] = []
    found = list(by_anchor(table, Path(tempfile.mkdtemp()), limit, batch, aside.append))
    assert found, "a table without rows is one batch without rows"
    kept = pl.concat(found)
    home = [(anchor, number) for number, piece in enumerate(found) for anchor in piece["anchor_id"].unique().to_list()]
    assert max(Counter(anchor for anchor, _ in home).values(), default=1) == 1
    assert all(piece.height <= batch or piece["anchor_id"].n_unique() == 1 for piece in found)
    lost = pl.concat(aside) if aside else frame[:0]
    assert sorted([*kept["id"].to_list(), *lost["id"].to_list()]) == sorted(frame["id"].to_list())
    assert kept.columns == ["id", "anchor_id", "operator", "draw"]
    assert lost["dropped_by"].null_count() == 0
    if clustered:
        assert kept["id"].to_list() == frame.filter(pl.col("dropped_by").is_null())["id"].to_list()
    else:
        keys = rng.hash64(kept["anchor_id"])
        assert (np.diff(keys.astype(object)) >= 0).all()
        assert kept.equals(pl.concat(by_anchor(table, Path(tempfile.mkdtemp()), UNLIMITED, 1000, aside.append)))


def test_batches_of_anchors_are_nearly_full() -> None:
    """Small anchors share a batch: as many as go in."""
    frame = negatives_of([4] * 30).with_columns(dropped_by=pl.lit(None, pl.String))
    table = Input(NEGATIVES, lambda size: iter_pieces(frame, size))
    sizes = [piece.height for piece in by_anchor(table, Path(tempfile.mkdtemp()), UNLIMITED, 10, lambda _: None)]
    assert sizes == [8] * 15


def test_cutting_a_large_part_takes_one_look() -> None:
    """A part of many anchors is cut in batches without going over it again for each."""
    frame = negatives_of([1] * 30_000).with_columns(dropped_by=pl.lit(None, pl.String))
    table = Input(NEGATIVES, lambda size: iter_pieces(frame, size))
    pieces = list(by_anchor(table, Path(tempfile.mkdtemp()), UNLIMITED, 10, lambda _: None))
    assert len(pieces) == 3_000


# -- decisions ---------------------------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(st.data(), st.sampled_from([TINY, UNLIMITED]))
def test_decisions_come_back_to_their_rows(data: st.DataObject, limit: int) -> None:
    """Decisions about rows, taken in any order and portion, are given back with the frame that has the row, once each."""
    size = data.draw(st.integers(0, 40))
    chosen = data.draw(st.lists(st.integers(0, max(size - 1, 0)), unique=True, max_size=size))
    decisions = Decisions(Path(tempfile.mkdtemp()), limit)
    schema = {"row": pl.Int64, "drop_reason": pl.String, "drop_value": pl.String, "note": pl.String}
    while chosen:
        portion, chosen = chosen[:3], chosen[3:]
        decisions.add(
            pl.DataFrame(
                {
                    "row": portion,
                    "drop_reason": ["r"] * len(portion),
                    "drop_value": [str(row) for row in portion],
                    "note": [None] * len(portion),
                },
                schema=schema,
            )
        )
        data.draw(st.none())
    decided = {int(value) for frame, found in windows(decisions, size, data) for value in found["drop_value"].to_list()}
    assert decided == set(range(size)) & decided
    assert len(decided) == decisions._parts.rows


def windows(decisions: Decisions, size: int, data: st.DataObject) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """The frames of 0 to size - 1, cut anyhow, with their decisions, each checked to be about a row of the frame."""
    frames, start = [], 0
    while start < size:
        step = data.draw(st.integers(0, 7))
        frames.append(pl.DataFrame({"n": range(start, min(start + step, size))}, schema={"n": pl.Int64}))
        start += step
    start = 0
    for frame, found in decisions.windows(iter(frames)):
        assert found.schema == {"row": pl.Int64, "drop_reason": pl.String, "drop_value": pl.String, "note": pl.String}
        assert found["row"].is_sorted()
        for row, value in found.select("row", "drop_value").rows():
            assert 0 <= row < frame.height
            assert row + start == int(value)
        start += frame.height
        yield frame, found


# -- counts of the whole -----------------------------------------------------------------------------------------------


def test_one_history_for_equal_ones() -> None:
    """Tables made by the same stages have that history once; others have all stages."""
    frames = [conform(rows((str(number), "a", "p")), PAIRS, "x") for number in range(2)]
    for histories, expected in (([[{"s": 1}], [{"s": 1}]], [{"s": 1}]), ([[{"s": 1}], [{"s": 2}]], [{"s": 1}, {"s": 2}])):
        table = check_ids((iter([frame]) for frame in frames), PAIRS, Path(tempfile.mkdtemp()), UNLIMITED, histories)
        assert table.history == expected


def test_a_corpus_keeps_one_row_of_each_text() -> None:
    """Rows that repeat a text under one id beside what is said of it are one text, counted; two texts are an error."""
    names = ("id", "text", "question")
    asked = rows(("d1", "a", "q1"), ("d1", "a", "q2"), ("d2", "b", "q3"), names=names)
    assert whole(checked(asked, kind=CORPUS)).height == 2
    assert whole(checked(asked, kind=CORPUS)).sort("id").equals(whole(checked(asked.reverse(), kind=CORPUS)).sort("id"))
    two = rows(("d1", "a", "q1"), ("d1", "b", "q1"), names=names)
    assert refusal(lambda: checked(two, kind=CORPUS)).where == "row 1 of part-0 and row 2 of part-0 differ in text"
    table = checked(rows(("a",), ("b",), ("a",), names=("text",)), kind=CORPUS)
    assert (whole(table)["text"].to_list(), table.collapsed) == (["a", "b"], 1)


def test_an_input_read_from_memory_is_not_changed() -> None:
    """A frame handed over in Python stays as it was, columns without a name included."""
    frame = pl.DataFrame({"": [1], "anchor": ["a"], "positive": ["p"]})
    found = run("ingest pairs", frame).kept
    assert found["column_0"].to_list() == [1]
    assert frame.columns == ["", "anchor", "positive"]
