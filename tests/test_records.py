"""Record kinds: what a foreign row becomes, what is refused, and that the JSON Schemas say the same."""

from __future__ import annotations

import math
from typing import Any

import jsonschema
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from negforge import rng
from negforge.errors import InputError
from negforge.records import (
    ANSWERS,
    CONCEPTS,
    CORPUS,
    DROP_NAMES,
    GRAPHS,
    KINDS,
    NEGATIVES,
    PAIRS,
    TRIPLES,
    Corpus,
    Kind,
    Pairs,
    check_collisions,
    conform,
    full_text,
    mapped,
    typed_empty,
)
from negforge.sinks import split_dropped
from tests import strategies


def made(kind: Kind, **columns: Any) -> pl.DataFrame:
    return conform(pl.DataFrame(columns), kind, "given.jsonl")


def refusal(kind: Kind, first_row: int = 0, **columns: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        conform(pl.DataFrame(columns), kind, "given.jsonl", first_row)
    assert caught.value.what and caught.value.where and caught.value.mend
    return caught.value


# -- what conforms -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", strategies.TABLES)
@settings(max_examples=15)
@given(data=st.data())
def test_a_conformed_table_conforms_to_itself(kind: str, data: st.DataObject) -> None:
    """Conforming twice is conforming once, for every kind, dropped rows inside."""
    frame = data.draw(strategies.TABLES[kind])
    again = conform(frame, KINDS[kind], "given")
    assert again.equals(frame)
    assert again.schema == frame.schema


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (pl.Series([1, 2], dtype=pl.Int64), ["1", "2"]),
        (pl.Series([2**64 - 1, 0], dtype=pl.UInt64), ["18446744073709551615", "0"]),
        (pl.Series(["x", "y"], dtype=pl.Categorical), ["x", "y"]),
        (pl.Series(["x", "y"], dtype=pl.Enum(["x", "y"])), ["x", "y"]),
        (pl.Series([" spaced ", "é"]), [" spaced ", "é"]),
    ],
)
def test_ids_become_text(values: pl.Series, expected: list[str]) -> None:
    """Whole numbers and categories are ids as well as text is; nothing is trimmed."""
    assert made(PAIRS, id=values, anchor=["a", "b"], positive=["c", "d"])["id"].to_list() == expected


@pytest.mark.parametrize(
    ("kind", "name", "values", "expected"),
    [
        (PAIRS, "relevance", pl.Series([1, 2]), [1.0, 2.0]),
        (PAIRS, "relevance", pl.Series([0.5, None], dtype=pl.Float32), [0.5, None]),
        (PAIRS, "relevance", pl.Series(["1.5", ""]), [1.5, None]),
        (PAIRS, "relevance", pl.Series(["-inf", "3"]), [-math.inf, 3.0]),
        (PAIRS, "group", pl.Series([7, None], dtype=pl.Int8), ["7", None]),
        (PAIRS, "group", pl.Series(["", "x"]), [None, "x"]),
        (PAIRS, "image", pl.Series([None, None]), [None, None]),
        (CONCEPTS, "parents", pl.Series([[1, 2], []]), [["1", "2"], []]),
        (CONCEPTS, "parents", pl.Series(['["a", "b"]', "[]"]), [["a", "b"], []]),
        (CONCEPTS, "parents", pl.Series([[], []], dtype=pl.List(pl.Null)), [[], []]),
        (CONCEPTS, "synonyms", pl.Series([["a", "b"], ["c", "d"]], dtype=pl.Array(pl.String, 2)), [["a", "b"], ["c", "d"]]),
        (CONCEPTS, "deprecated", pl.Series(["True", "false"]), [True, False]),
    ],
)
def test_declared_columns_take_their_type(kind: Kind, name: str, values: pl.Series, expected: list[Any]) -> None:
    """A column in a type that says the same, or as the text of a CSV cell, becomes the declared type; an empty cell is null."""
    base: dict[str, Any] = {"anchor": ["a", "b"], "positive": ["c", "d"]} if kind is PAIRS else {"name": ["a", "b"], "parents": [[], []]}
    found = made(kind, **{"id": ["1", "2"], **base, name: values})
    column = kind.column(name)
    assert column is not None
    assert (found[name].to_list(), found[name].dtype) == (expected, column.dtype)


def test_edges_are_matched_by_name() -> None:
    """The fields of an edge may stand in any order, and in CSV as JSON."""
    turned = [[{"tail": "c", "head": "a", "relation": "b"}]]
    right = [[{"head": "a", "relation": "b", "tail": "c"}]]
    assert made(GRAPHS, anchor=["x"], edges=turned)["edges"].to_list() == right
    assert made(GRAPHS, anchor=["x"], edges=['[{"tail": "c", "relation": "b", "head": "a"}]'])["edges"].to_list() == right
    assert made(GRAPHS, anchor=["x"], edges=[[]])["edges"].dtype == GRAPHS.columns[2].dtype


def test_columns_are_put_in_order() -> None:
    """Declared columns come first in the kind's order, the others after them as they came."""
    found = made(PAIRS, z=[1], relevance=[1], positive=["p"], a=[[1]], anchor=["q"])
    assert found.columns == ["id", "anchor_id", "anchor", "positive", "relevance", "z", "a"]
    assert found.schema["a"] == pl.List(pl.Int64)


@given(strategies.pairs())
def test_made_ids_depend_on_the_row_alone(frame: pl.DataFrame) -> None:
    """Without ids, a row gets the same one in any order, batch and company; an anchor's is the digest of its exact text."""
    bare = frame.drop("id", "anchor_id")
    whole = conform(bare, PAIRS, "given")
    assert conform(bare.reverse(), PAIRS, "given").reverse().equals(whole)
    if frame.height:
        assert pl.concat(conform(one, PAIRS, "given") for one in bare.iter_slices(1)).equals(whole)
    assert whole["anchor_id"].to_list() == [rng.blake(text) for text in frame["anchor"].to_list()]
    assert whole["id"].to_list() == [rng.blake("pairs", anchor, positive) for anchor, positive in frame.select("anchor", "positive").rows()]


def test_ids_follow_the_kind() -> None:
    """The same texts are another row in another kind, and an answer is clustered by its prompt."""
    assert made(TRIPLES, head=["a"], relation=["b"], tail=["c"])["id"][0] == rng.blake("triples", "a", "b", "c")
    assert made(CORPUS, text=["a"])["id"][0] == rng.blake("corpus", "a")
    answer = made(ANSWERS, prompt=["p"], response=[""])
    assert answer["prompt_id"][0] == rng.blake("p")
    assert answer["response"][0] == ""


def test_blank_texts_of_a_corpus_are_kept() -> None:
    """Published corpora hold blank texts; they stay, to be chosen by nobody."""
    assert made(CORPUS, id=["1", "2"], text=["", "  "])["text"].to_list() == ["", "  "]
    assert refusal(CORPUS, id=["1"], text=pl.Series([None], dtype=pl.String)).what == "column 'text' is null or blank"


def test_dropped_rows_may_lack_texts() -> None:
    """A refusal without texts is no fault, a kept row without them is."""
    columns: dict[str, Any] = {name: ["x", "y"] for name in ("id", "anchor_id", "source_id", "operator", "options_digest")}
    columns |= {"label": ["negative"] * 2, "initial_label": ["negative"] * 2, "opposition": ["neutral"] * 2}
    lists: dict[str, Any] = {name: [["x"], ["y"]] for name in ("evidence", "source_ids")}
    numbers: dict[str, Any] = {name: [0, -1] for name in ("operator_version", "seed", "draw")}
    texts: dict[str, Any] = {name: ["t", None] for name in ("anchor", "positive", "negative")}
    found = made(NEGATIVES, **columns, **lists, **numbers, **texts, dropped_by=[None, "generate x"], drop_reason=[None, "no-site"])
    assert found["negative"].to_list() == ["t", None]
    error = refusal(NEGATIVES, **columns, **lists, **numbers, **texts, dropped_by=["", ""])
    assert error.what == "columns 'anchor' and 'positive' and 'negative' are null or blank"
    assert error.where == "given.jsonl: 'anchor' in row 2; 'positive' in row 2; 'negative' in row 2"
    without = {name: values for name, values in columns.items() if name != "anchor_id"}
    found = made(NEGATIVES, **without, **lists, **numbers, **texts, dropped_by=[None, "generate x"])
    assert found["anchor_id"].to_list() == [rng.blake("t"), None]
    for name in ("label", "initial_label", "opposition"):
        error = refusal(NEGATIVES, **{**columns, name: [columns[name][0], "bad"]}, **lists, **numbers, **texts, dropped_by=[None, "x"])
        assert (error.what, error.where) == (f"'bad' is no {name}", "given.jsonl row 2")


# -- what is refused ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["anchor", "positive", "id", "anchor_id"])
@pytest.mark.parametrize("cell", [None, "", " \t\n", "\u00a0"])
def test_null_and_blank_cells_are_named(name: str, cell: str | None) -> None:
    """A required cell that is null, empty or white space stops the run, naming column and row as the file counts it."""
    columns: dict[str, Any] = {column: ["x", "y", "z"] for column in ("id", "anchor_id", "anchor", "positive")}
    columns[name] = ["x", cell, "z"]
    error = refusal(PAIRS, 100, **columns)
    assert error.what == f"column '{name}' is null or blank"
    assert error.where == "given.jsonl row 102"
    assert error.mend == "give the value, or drop the row by --max-bad-rows N"


def test_how_many_rows_are_blank_is_told() -> None:
    """Beside the first, the number of such rows after it."""
    error = refusal(PAIRS, anchor=["a", "", "b", ""], positive=["x"] * 4)
    assert error.where == "given.jsonl row 2, and 1 of the 2 rows after it"


@pytest.mark.parametrize(
    ("kind", "name", "values", "said"),
    [
        (PAIRS, "anchor", [["a"], ["b"]], "holds lists, not text"),
        (PAIRS, "anchor", [True, False], "holds booleans, not text"),
        (PAIRS, "id", [1.0, 2.0], "holds decimal numbers, not text"),
        (PAIRS, "image", [{"bytes": b"", "path": "p"}, None], "holds records, not text"),
        (PAIRS, "relevance", [[1], [2]], "holds lists, not number"),
        (CONCEPTS, "parents", ["not a list", "[]"], "is not list of text"),
        (CONCEPTS, "parents", ['"text"', '"more"'], "holds text, not list of text"),
        (CONCEPTS, "parents", ['["a"]', "5"], "is not list of text"),
        (CONCEPTS, "deprecated", ["yes", "no"], "is not boolean"),
        (CONCEPTS, "deprecated", ["1", "0"], "not boolean"),
    ],
)
def test_another_type_is_refused(kind: Kind, name: str, values: list[Any], said: str) -> None:
    """A value of another type is never turned into its text, nor a text taken apart into letters."""
    base: dict[str, Any] = {"anchor": ["a", "b"], "positive": ["c", "d"]} if kind is PAIRS else {"name": ["a", "b"], "parents": [[], []]}
    error = refusal(kind, **{**base, name: values})
    assert said in error.what


def test_a_cell_that_cannot_be_parsed_is_named() -> None:
    """The row and the cell stand in the error, and so does the way out: another name."""
    error = refusal(PAIRS, 40, anchor=["a", "b"], positive=["c", "d"], relevance=["1", "high"])
    assert (error.what, error.where) == ("a value is not number", "given.jsonl row 42, column relevance: 'high'")
    error = refusal(PAIRS, anchor=["a"], positive=["c"], image=[{"path": "p"}])
    assert error.mend == "convert the column, or pass --rename image=source_image"


@pytest.mark.parametrize("edges", [[[{"head": "a", "tail": "b"}]], [[{"head": "a", "relation": "r", "tail": "b", "weight": 1}]]])
def test_edges_of_other_fields_are_refused(edges: list[Any]) -> None:
    """A field too few or too many is refused: nothing is filled in or lost."""
    assert refusal(GRAPHS, anchor=["x"], edges=edges).what == "column 'edges' holds lists, not list of edges"


def test_a_missing_column_is_named_with_the_nearest() -> None:
    """What the file has, and which column it might be."""
    error = refusal(PAIRS, anchor=["a"], postive=["b"], lang=["c"])
    assert error.what == "column 'positive' is not in given.jsonl"
    assert error.where == "given.jsonl has anchor, postive, lang"
    assert error.mend == "rename the column postive to positive"
    mend = refusal(PAIRS, zzz=["a"]).mend
    assert mend.startswith(
        "add the column anchor, or rename the one that it is; a file of other columns is read by negforge ingest pairs FILE"
    )


# -- names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [PAIRS, TRIPLES, CONCEPTS, GRAPHS, ANSWERS])
@pytest.mark.parametrize("name", ["label", "negative", "seed", "dropped_by", "score_mine", "source_id", "edit", "__key"])
def test_names_that_negforge_writes_are_reserved(kind: Kind, name: str) -> None:
    """A column that a later stage would overwrite is refused at the door, with the rename that mends it."""
    with pytest.raises(InputError) as caught:
        check_collisions(["id", name], kind, "given.jsonl")
    assert caught.value.what == f"column '{name}' has a reserved name"
    assert caught.value.mend == f"pass --rename {name}=source_{name}"
    check_collisions([f"source_{name}"] if name != "source_id" else ["source_source_id"], kind, "given.jsonl")


def test_names_of_the_user_are_free() -> None:
    """A corpus may call its columns anything, and pandas' index column passes everywhere."""
    check_collisions(["label", "score_x", "negative", "lang", "__index_level_0__"], CORPUS, "given")
    check_collisions(["lang", "Label", "split_of_mine", "__index_level_0__", "column_0"], PAIRS, "given")
    check_collisions(["verdict_math"], ANSWERS, "given")
    check_collisions([column.name for column in NEGATIVES.columns] + ["score_x", "verdict_y"], NEGATIVES, "given")


def test_columns_are_mapped_to_names() -> None:
    """Columns may change places, stand for two names, and keep their own; the others stay as they are."""
    frame = pl.DataFrame({"anchor": ["a"], "positive": ["p"], "n": [1]})
    assert mapped(frame, {"anchor": "positive", "positive": "anchor"}, "given").to_dicts() == [{"n": 1, "anchor": "p", "positive": "a"}]
    assert mapped(frame, {"anchor": "anchor", "id": "anchor"}, "given").to_dicts() == [{"positive": "p", "n": 1, "anchor": "a", "id": "a"}]
    assert mapped(frame, {"id": "n", "group": "n"}, "given").to_dicts() == [{"anchor": "a", "positive": "p", "id": 1, "group": 1}]
    with pytest.raises(InputError) as caught:
        mapped(frame, {"anchor": "n"}, "given")
    assert caught.value.what == "two columns claim 'anchor'"
    assert caught.value.mend == "pass --rename anchor=source_anchor"


# -- schemas -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", strategies.TABLES)
@settings(max_examples=15)
@given(data=st.data())
def test_rows_are_valid_by_their_schema(kind: str, data: st.DataObject) -> None:
    """Kept rows of every kind, as JSON, are valid by the JSON Schema of the kind, extra columns included."""
    validator = jsonschema.Draft202012Validator(KINDS[kind].json_schema())
    kept, _ = split_dropped(data.draw(strategies.TABLES[kind]))
    for row in kept.to_dicts():
        validator.validate(row)


@pytest.mark.parametrize("kind", strategies.TABLES)
def test_a_schema_refuses_what_conform_refuses(kind: str) -> None:
    """A missing or null required column, and a value of another type, are invalid; the schema itself is a schema."""
    schema = KINDS[kind].json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    examples: dict[str, Any] = {"text": "x", "list of text": ["x"], "integer": 1, "list of edges": []}
    row = {column.name: examples[column.type] for column in KINDS[kind].columns if column.required}
    assert validator.is_valid(row)
    for name in row:
        assert not validator.is_valid({key: value for key, value in row.items() if key != name})
        assert not validator.is_valid({**row, name: None})
        assert not validator.is_valid({**row, name: {"x": 1}})
    if KINDS[kind].families:
        assert not validator.is_valid({**row, "verdict_x": 1})
        assert validator.is_valid({**row, "verdict_x": None})


def test_the_drop_block_is_optional_in_negatives() -> None:
    """A kept row carries no drop block, or a null one."""
    names = [column.name for column in NEGATIVES.columns if not column.required]
    assert set(DROP_NAMES) < set(names)
    assert all(column.null for column in NEGATIVES.columns if not column.required)


# -- tables ------------------------------------------------------------------------------------------------------------


def test_a_corpus_text_has_its_title_before_it() -> None:
    """Title, a space, text; the text alone where the title is missing or blank."""
    frame = pl.DataFrame({"title": ["T", None, " ", " T "], "text": ["a", "b", "c", ""]})
    assert full_text(frame).to_list() == ["T a", "b", "c", "T "]
    assert full_text(frame.drop("title")).to_list() == ["a", "b", "c", ""]


def test_an_empty_table_has_its_types() -> None:
    """A table without rows has the columns of its kind in their types, and unknown ones as text."""
    assert typed_empty(CONCEPTS, ["id", "parents", "deprecated", "lang"]).schema == {
        "id": pl.String,
        "parents": pl.List(pl.String),
        "deprecated": pl.Boolean,
        "lang": pl.String,
    }


def test_a_table_is_read_piece_by_piece() -> None:
    """A side table gives a column, its pieces and its length, whether it lies in memory or is read anew."""
    frame = pl.DataFrame({"id": ["1", "2", "3"], "anchor": ["A b", "c", "d"], "positive": ["x", "y", "z"]})
    for table in (Pairs(frame), Pairs(reader=frame.iter_slices)):
        assert table["id"].to_list() == ["1", "2", "3"]
        assert [piece.height for piece in table.batches(2)] == [2, 1]
        assert len(table) == 3
        assert "anchor" in table
        assert table.normalised("anchor", "en").to_list() == ["a b", "c", "d"]
    assert Corpus.kind is CORPUS
