"""Pairs from foreign files: every option, every way a positive is given, and what travels along."""

from __future__ import annotations

import csv
import gzip
import json
import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negforge import rng
from negforge.api import Result, run
from negforge.errors import InputError, UsageError
from tests import shell, strategies


def lines(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def ingest(*inputs: Path | pl.DataFrame, **options: Any) -> Result:
    return run("ingest pairs", *(one if isinstance(one, pl.DataFrame) else str(one) for one in inputs), **options)


def refusal(*inputs: Path | pl.DataFrame, **options: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        ingest(*inputs, **options)
    assert caught.value.what and caught.value.where and caught.value.mend
    return caught.value


# -- options -----------------------------------------------------------------------------------------------------------


def test_columns_are_named_by_options(tmp_path: Path) -> None:
    """Each column of a pair may have any name in the source; none of the others is lost."""
    path = lines(
        tmp_path / "p.jsonl", {"k": 7, "qid": "q1", "question": "Q?", "answer": "A.", "doc": 3, "topic": "t", "lang": "en", "n": [1]}
    )
    found = ingest(path, id="k", anchor="question", positive="answer", anchor_id="qid", positive_id="doc", group="topic")
    assert found.kept.to_dicts() == [
        {"id": "7", "anchor_id": "q1", "anchor": "Q?", "positive": "A.", "positive_id": "3", "group": "t", "lang": "en", "n": [1]}
    ]


def test_the_names_of_a_pair_need_no_option(tmp_path: Path) -> None:
    """A source in the tool's own names is read as it is."""
    row = {
        "id": "1",
        "anchor_id": "q",
        "anchor": "a",
        "positive": "p",
        "positive_id": "d",
        "group": "g",
        "relevance": 2.0,
        "image": "i.png",
    }
    assert ingest(lines(tmp_path / "p.jsonl", row)).kept.to_dicts() == [row]


def test_one_text_is_anchor_and_positive(tmp_path: Path) -> None:
    """`--text` takes claims or captions as both, and is refused beside the two it stands for."""
    path = lines(tmp_path / "p.jsonl", {"claim": "Five is odd.", "label": "true", "ex_id": "c1"})
    found = ingest(path, text="claim", id="ex_id", rename=["label=source_label"]).kept
    assert found.to_dicts() == [
        {"id": "c1", "anchor_id": rng.blake("Five is odd."), "anchor": "Five is odd.", "positive": "Five is odd.", "source_label": "true"}
    ]
    assert refusal(path, text="sentence").mend == "pass --text COLUMN"
    for other in ({"anchor": "ex_id"}, {"positive": "ex_id"}):
        with pytest.raises(UsageError) as caught:
            ingest(path, text="claim", **other)
        assert caught.value.exit_code == 2


@pytest.mark.parametrize("option", ["anchor", "positive", "id", "anchor_id", "positive_id", "group"])
def test_a_misspelt_column_is_refused(tmp_path: Path, option: str) -> None:
    """A column that is not there stops the run with the nearest name; the first column never stands in for it."""
    path = lines(tmp_path / "p.jsonl", {"anchor": "a", "positive": "p", "column_of_mine": "x"})
    error = refusal(path, **{option: "colum_of_mine"})
    assert error.what == f"column 'colum_of_mine' is not in {path}"
    assert error.where == f"{path} has anchor, positive, column_of_mine"
    assert error.mend == f"pass --{option.replace('_', '-')} column_of_mine, or rename the column"


@pytest.mark.parametrize(
    ("option", "taken"), [("anchor", "anchor"), ("positive", "positive"), ("id", "id"), ("group", "group"), ("text", "positive")]
)
def test_a_name_that_is_taken_is_refused(tmp_path: Path, option: str, taken: str) -> None:
    """An option never overwrites a column of the source that has the name already: the rename that mends it is told."""
    row = {"x": "a", "anchor": "a", "positive": "b", "id": "1", "group": "g"}
    if option == "text":
        row.pop("anchor")
    path = lines(tmp_path / "p.jsonl", row)
    error = refusal(path, **{option: "x"})
    assert error.what == f"two columns claim '{taken}'"
    free = "given_id" if taken == "id" else f"source_{taken}"
    assert error.mend == f"pass --rename {taken}={free}"
    found = ingest(path, **{option: "x"}, rename=[f"{taken}={free}"])
    assert found.kept[free].to_list() == [row[taken]]


def test_columns_may_change_places(tmp_path: Path) -> None:
    """Anchor and positive can be swapped, and one column can serve two ends."""
    path = lines(tmp_path / "p.jsonl", {"anchor": "a", "positive": "p"})
    assert ingest(path, anchor="positive", positive="anchor").kept.select("anchor", "positive").row(0) == ("p", "a")
    found = ingest(path, anchor="anchor", positive="anchor", id="positive", group="positive").kept
    assert found.to_dicts() == [{"id": "p", "anchor_id": rng.blake("a"), "anchor": "a", "positive": "a", "group": "p"}]


# -- ids ---------------------------------------------------------------------------------------------------------------


def test_made_ids_are_the_same_in_every_format_and_order(tmp_path: Path, pairs: pl.DataFrame) -> None:
    """Without ids, a pair has the same ids in JSON Lines, CSV and Parquet, shuffled or not, cut into files or not."""
    bare = pairs.select("anchor", "positive")
    order = list(range(bare.height))
    random.Random(0).shuffle(order)
    lines(tmp_path / "p.jsonl", *bare.to_dicts())
    bare[order].write_csv(tmp_path / "p.csv")
    bare[order].write_parquet(tmp_path / "p.parquet")
    lines(tmp_path / "x-1.jsonl", *bare[:30].to_dicts())
    (tmp_path / "x-2.json").write_text(json.dumps(bare[30:].to_dicts()))
    found = [ingest(tmp_path / name).kept.sort("id") for name in ("p.jsonl", "p.csv", "p.parquet", "x-*")]
    assert all(one.equals(found[0]) for one in found)
    assert found[0]["anchor_id"].to_list() == [rng.blake(text) for text in found[0]["anchor"].to_list()]
    assert found[0].height == bare.height


@given(st.lists(strategies.texts, min_size=2, max_size=4, unique=True))
def test_an_anchor_is_its_exact_text(texts: list[str]) -> None:
    """Anchors that differ in a space, a case or an invisible character are two; equal ones are one."""
    frame = pl.DataFrame({"anchor": [*texts, *texts], "positive": [f"p{number}" for number in range(2 * len(texts))]})
    found = ingest(frame).kept
    assert found["anchor_id"].to_list() == [rng.blake(text) for text in [*texts, *texts]]
    assert found["anchor_id"].n_unique() == len(texts)


@pytest.mark.parametrize("row_id", ["a\0b", "tab\there", "line\nbreak", "😀", "\u202e", " ", "x" * 10_000, "0", "null"])
def test_ids_may_hold_anything_but_nothing(tmp_path: Path, row_id: str) -> None:
    """Control characters, emoji and long ids go to the end of a pipeline; a blank id is refused."""
    path = lines(tmp_path / "p.jsonl", {"id": row_id, "anchor": "How many?", "positive": "There are 5."})
    if row_id == " ":
        assert refusal(path).what == "column 'id' is null or blank"
        return
    made = run("generate perturb.number", ingest(path).kept, output=str(tmp_path / "n.jsonl"))
    assert made.report.counts["emitted"] == 1
    assert run("filter top", str(tmp_path / "n.jsonl"), k=1, by="draw").kept["source_id"].to_list() == [row_id]


# -- positives ---------------------------------------------------------------------------------------------------------


def test_a_list_of_positives_is_a_row_each(tmp_path: Path) -> None:
    """Several positives of an anchor are several pairs with ids of their own (huggingface/sentence-transformers#2848)."""
    path = lines(
        tmp_path / "p.jsonl",
        {"id": 1, "anchor": "a", "positive": ["p", "q", "r"], "lang": "en"},
        {"id": 2, "anchor": "b", "positive": ["s"], "lang": "no"},
    )
    found = ingest(path).kept
    assert found.select("id", "anchor", "positive", "lang").rows() == [
        ("1-0", "a", "p", "en"),
        ("1-1", "a", "q", "en"),
        ("1-2", "a", "r", "en"),
        ("2", "b", "s", "no"),
    ]
    assert found["anchor_id"].n_unique() == 2


def test_what_is_said_of_each_positive_goes_with_it(tmp_path: Path) -> None:
    """Lists of ids, relevances and images beside the positives are taken apart with them; other lists stay whole."""
    row = {"anchor": "a", "positive": ["p", "q"], "positive_id": [1, 2], "relevance": [2, 0.5], "image": ["i", None], "tags": ["x", "y"]}
    found = ingest(lines(tmp_path / "p.jsonl", row)).kept
    assert found.select("positive", "positive_id", "relevance", "image").rows() == [("p", "1", 2.0, "i"), ("q", "2", 0.5, None)]
    assert found["tags"].to_list() == [["x", "y"], ["x", "y"]]


def test_rows_without_a_positive_are_counted(tmp_path: Path) -> None:
    """An empty or null list makes no pair and is told apart from rows."""
    path = lines(
        tmp_path / "p.jsonl", {"anchor": "a", "positive": []}, {"anchor": "b", "positive": None}, {"anchor": "c", "positive": ["p"]}
    )
    done = ingest(path)
    assert done.kept["anchor"].to_list() == ["c"]
    assert done.report.counts["skipped"] == {"no-positive": 2}
    assert done.report.counts["seen"] == done.report.counts["kept"] == 1
    nothing = ingest(lines(tmp_path / "q.jsonl", {"anchor": "a", "positive": [], "lang": "en"}))
    assert nothing.kept.columns == ["id", "anchor_id", "anchor", "positive", "lang"]
    assert nothing.report.counts["skipped"] == {"no-positive": 1}


@pytest.mark.parametrize(
    "others", [{"positive_id": "1"}, {"positive_id": ["1"]}, {"relevance": [1, 2, 3]}, {"positive_id": ["1", "2"], "image": []}]
)
def test_lists_that_do_not_match_are_refused(tmp_path: Path, others: dict[str, Any]) -> None:
    """Two positives with one id, or lists of other lengths, are refused with the row: no id goes to the wrong text."""
    path = lines(tmp_path / "p.jsonl", {"anchor": "x", "positive": ["y"]}, {"anchor": "a", "positive": ["p", "q"], **others})
    error = refusal(path)
    assert "do not go together" in error.what
    assert error.where.startswith(f"{path} row 2: ")


def test_ids_without_positives_are_refused(tmp_path: Path) -> None:
    """A list of ids beside no list of positives at all."""
    path = tmp_path / "p.jsonl"
    error = refusal(lines(path, {"anchor": "x", "positive": ["y"], "positive_id": ["1"]}, {"anchor": "a", "positive_id": ["1", "2"]}))
    assert error.where.startswith(f"{path} row 2: 0 positives beside ")


def test_an_unknown_list_beside_positives_is_null(tmp_path: Path) -> None:
    """Where some rows have no list of ids, or none at all, their positives have null ids."""
    rows = [
        {"anchor": "a", "positive": ["p", "q"], "positive_id": ["1", None]},
        {"anchor": "b", "positive": ["r", "s"], "positive_id": None},
    ]
    found = ingest(lines(tmp_path / "p.jsonl", *rows)).kept
    assert found.select("positive", "positive_id").rows() == [("p", "1"), ("q", None), ("r", None), ("s", None)]


def test_one_positive_may_have_one_id(tmp_path: Path) -> None:
    """A list of one positive beside a plain id is no fault."""
    found = ingest(lines(tmp_path / "p.jsonl", {"anchor": "a", "positive": ["p"], "positive_id": "d1", "relevance": 1})).kept
    assert found.select("positive", "positive_id", "relevance").row(0) == ("p", "d1", 1.0)


def test_a_text_where_a_list_is_meant_is_not_taken_apart(tmp_path: Path) -> None:
    """In one file it is refused with its line; files of either form go together (FlagOpen/FlagEmbedding#470)."""
    one = lines(tmp_path / "one.jsonl", {"anchor": "a", "positive": ["p", "q"]}, {"anchor": "b", "positive": "rst"})
    error = refusal(one)
    assert error.where == f"{one} line 2: text where a list stood before"
    lists = lines(tmp_path / "lists.jsonl", {"anchor": "a", "positive": ["p", "q"]})
    plain = lines(tmp_path / "plain.jsonl", {"anchor": "b", "positive": "rst"})
    for order in ((lists, plain), (plain, lists)):
        assert sorted(ingest(*order).kept["positive"].to_list()) == ["p", "q", "rst"]


@pytest.mark.parametrize("bad", [None, "", "  \n"])
def test_a_blank_positive_is_refused(tmp_path: Path, bad: str | None) -> None:
    """Null, empty and blank anchors and positives stop the run with the row, in a list too."""
    fine: dict[str, Any] = {"anchor": "a", "positive": "p"}
    for name in ("anchor", "positive"):
        path = lines(tmp_path / "p.jsonl", fine, {**fine, name: bad})
        assert refusal(path).what == f"column '{name}' is null or blank"
        assert refusal(path).where == f"{path} row 2"
    path = lines(tmp_path / "p.jsonl", {"anchor": "a", "positive": ["p"] * 5}, {"anchor": "b", "positive": ["q", bad]})
    assert (refusal(path).what, refusal(path).where) == ("column 'positive' is null or blank", f"{path} row 2")
    path = lines(tmp_path / "p.jsonl", {"anchor": "a", "positive": ["p"] * 5}, {"anchor": bad, "positive": ["q"]})
    assert (refusal(path).what, refusal(path).where) == ("column 'anchor' is null or blank", f"{path} row 2")


def test_lists_of_fixed_size_are_lists(tmp_path: Path) -> None:
    """Parquet's fixed-size lists, and lists of whole numbers, are taken apart like others."""
    frame = pl.DataFrame({"anchor": ["a"], "positive": pl.Series([["p", "q"]], dtype=pl.Array(pl.String, 2))})
    assert ingest(frame).kept["positive"].to_list() == ["p", "q"]
    assert ingest(pl.DataFrame({"anchor": ["a"], "positive": [[1, 2]]})).kept["positive"].to_list() == ["1", "2"]


# -- what travels along ------------------------------------------------------------------------------------------------


def test_extra_columns_keep_value_and_type(tmp_path: Path) -> None:
    """Annotations, graded relevance and nested records arrive as they were, types included (NVIDIA-NeMo/Nemotron#355)."""
    frame = pl.DataFrame(
        {
            "anchor": ["How many?", "How much?"],
            "positive": ["There are 5 apples.", "It costs 3 coins."],
            "small": pl.Series([1, None], dtype=pl.UInt8),
            "when": pl.Series(["2020-01-01", None]).str.to_date(),
            "weights": [[0.5, 1.5], []],
            "meta": [{"pages": [1, 2], "by": {"name": "é"}}, None],
            "flag": [True, None],
        }
    )
    frame.write_parquet(tmp_path / "p.parquet")
    ingest(tmp_path / "p.parquet", output=str(tmp_path / "q.parquet"))
    run("generate perturb.number", str(tmp_path / "q.parquet"), output=str(tmp_path / "n"))
    names = ["small", "when", "weights", "meta", "flag"]
    found = pl.read_parquet(tmp_path / "n" / "data" / "v1" / "*.parquet").sort("anchor")
    assert found.select(names).equals(frame.select(names))
    assert found.select(names).schema == frame.select(names).schema


def test_numbers_that_are_none_travel(tmp_path: Path) -> None:
    """NaN and infinity in an extra column reach the Parquet file."""
    path = tmp_path / "p.jsonl"
    path.write_text('{"anchor": "a", "positive": "p", "x": NaN}\n{"anchor": "b", "positive": "p", "x": -Infinity}\n')
    ingest(path, output=str(tmp_path / "q.parquet"))
    found = pl.read_parquet(tmp_path / "q.parquet").sort("anchor")["x"]
    assert found.is_nan().to_list() == [True, False]
    assert found[1] == float("-inf")


def test_a_cell_of_a_million_characters_travels(tmp_path: Path) -> None:
    """One long text goes through ingest and Parquet whole."""
    text = "ß" * 1_000_000
    ingest(lines(tmp_path / "p.jsonl", {"anchor": "a", "positive": text, "more": text}), output=str(tmp_path / "q.parquet"))
    assert pl.read_parquet(tmp_path / "q.parquet").select("positive", "more").row(0) == (text, text)


# -- whole runs --------------------------------------------------------------------------------------------------------


@given(st.permutations(range(8)), st.integers(1, 9))
def test_a_limit_is_by_anchor_id(order: list[int], limit: int) -> None:
    """`--limit N` takes the first N anchors by id with all their pairs, in whatever order the rows come."""
    rows = [{"anchor_id": f"q{number // 2}", "anchor": f"a{number // 2}", "positive": f"p{number}"} for number in order]
    found = ingest(pl.DataFrame(rows), limit=limit).kept
    assert set(found["anchor_id"].to_list()) == {f"q{number}" for number in range(min(limit, 4))}
    assert found.height == 2 * min(limit, 4)


def test_equal_pairs_collapse_and_are_told(tmp_path: Path) -> None:
    """Equal rows become one, counted on stderr, from the command line."""
    path = lines(tmp_path / "p.jsonl", *[{"anchor": "a", "positive": "p"}] * 3)
    done = shell.good("ingest", "pairs", path, "--to", "jsonl")
    assert len(done.out.splitlines()) == 1
    assert "collapsed: 2" in done.err


def test_one_id_for_two_pairs_is_refused(tmp_path: Path) -> None:
    """The id, the rows and the columns that differ are named, exit 3, and no file is left."""
    path = lines(tmp_path / "p.jsonl", {"id": "7", "anchor": "a", "positive": "p"}, {"id": 7, "anchor": "a", "positive": "q"})
    done = shell.call("ingest", "pairs", path, "-o", tmp_path / "q.parquet")
    assert done.code == 3
    assert "column 'id' holds values of different types" in done.err
    path = lines(tmp_path / "p.jsonl", {"id": "7", "anchor": "a", "positive": "p"}, {"id": "7", "anchor": "a", "positive": "q"})
    done = shell.call("ingest", "pairs", path, "-o", tmp_path / "q.parquet")
    assert done.code == 3
    assert "error: id '7' has two contents" in done.err
    assert "differ in positive" in done.err
    assert not (tmp_path / "q.parquet").exists()


def test_an_empty_file_makes_an_empty_table(tmp_path: Path) -> None:
    """No row in, no row out, exit 0, for JSON Lines of no line and a CSV of a header; not for a header of other columns."""
    (tmp_path / "a.jsonl").write_bytes(b"")
    (tmp_path / "b.csv").write_text("anchor,positive\n")
    (tmp_path / "c.csv").write_text("query,positive\n")
    for name in ("a.jsonl", "b.csv"):
        shell.good("ingest", "pairs", tmp_path / name, "-o", tmp_path / "out.parquet")
        assert pl.read_parquet(tmp_path / "out.parquet").height == 0
    done = shell.call("ingest", "pairs", tmp_path / "c.csv", "-o", tmp_path / "out.parquet")
    assert done.code == 3
    assert f"error: column 'anchor' is not in {tmp_path / 'c.csv'}" in done.err


# -- real files --------------------------------------------------------------------------------------------------------


def test_real_question_files(real_data: Path) -> None:
    """Questions with wrong answers beside them keep these as an extra column; a claims CSV and condaqa come in whole."""
    tofu = ingest(real_data / "tofu" / "real_authors_perturbed.json", anchor="question", positive="answer")
    assert tofu.kept.height == 100
    assert tofu.kept["perturbed_answer"].dtype == pl.List(pl.String)
    both = ingest(real_data / "tofu" / "*_perturbed.json", anchor="question", positive="answer")
    assert both.kept.height == 217
    creak = ingest(next((real_data / "creak").iterdir()), text="sentence", id="ex_id", rename=["label=source_label"])
    assert creak.kept.height == 1371


def test_real_claims_csv(real_data: Path) -> None:
    """SciFact's claims come several times, once for each document they cite: equal pairs collapse, none vanish."""
    path = real_data / "scifact" / "claims_train.csv"
    with path.open(encoding="utf-8", newline="") as handle:
        claims = [row["claim"] for row in csv.DictReader(handle)]
    done = ingest(path, text="claim", rename=["id=claim_id"])
    assert done.kept.height == len(set(claims))
    assert done.report.counts["collapsed"] == len(claims) - len(set(claims))


def test_real_captions(real_data: Path) -> None:
    """SugarCrepe's objects of objects keep their key, and gzip changes nothing."""
    path = min((real_data / "sugarcrepe").glob("*.json*"))
    done = ingest(path, text="caption")
    data = json.loads(gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes())
    assert done.kept.height + done.report.counts.get("collapsed", 0) == len(data)
    assert "key" in done.kept.columns
