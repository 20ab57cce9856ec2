"""Answer strings in candidates: whole words, whatever the spelling; a doubt, never a proof."""

from __future__ import annotations

import gzip
import json
import unicodedata
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import negforge
from negforge.errors import InputError
from negforge.labels import labelled
from negforge.records import Negatives
from negforge.verify.answer_match import verify

TITLE = "verify answer-match"


def table(negatives: list[str], answers: pl.Series, name: str = "answers") -> pl.DataFrame:
    """A table of negatives with their answers."""
    size = len(negatives)
    fixed = {
        "anchor_id": "q",
        "anchor": "the question",
        "positive": "the positive",
        "label": "negative",
        "opposition": "unrelated",
        "source_id": "s",
        "initial_label": "negative",
        "operator": "mine.bm25",
        "options_digest": "x",
    }
    lists = [pl.Series(column, [["s"]] * size, dtype=pl.List(pl.String)) for column in ("source_ids", "evidence")]
    frame = pl.DataFrame({"id": [f"n{place:05d}" for place in range(size)], "negative": negatives, name: answers})
    frame = frame.with_columns(*(pl.lit(value).alias(column) for column, value in fixed.items()), *lists)
    return frame.with_columns(pl.lit(0).alias(column) for column in ("operator_version", "seed", "draw"))


def holds(negative: str, *answers: str, **options: Any) -> bool:
    """Whether a candidate is found to hold one of the answers."""
    made = negforge.run(TITLE, table([negative], pl.Series([[*answers]], dtype=pl.List(pl.String))), **options).kept
    found = bool(made["verdict_answer_match"][0] == "positive")
    assert made["label"].to_list() == ["unknown" if found else "negative"]
    return found


@pytest.mark.parametrize(
    ("negative", "answer"),
    [
        ("It was Paris, in France.", "paris"),
        ("He was born in 1997.", "1997"),
        ("the war (1997) and after", "1997"),
        ("from 1990–1995 he lived there", "1995"),
        ("It cost $5 million.", "5 million"),
        ("about 50% of it", "50 %"),
        ("\u201cNewton\u2019s law\u201d holds", "Newton"),
        ("a well-known U.S. city", "well known U.S. city"),
        ("THE  MOON\nrises", "the Moon rises"),
        ("so the Saint Lawrence River flows", "Saint Lawrence River"),
        ("the Great Lakes and Saint Lawrence River", "the Saint Lawrence River"),
        ("written in C++, they say", "C++"),
        ("ﬁne art", "fine art"),
        ("twelve hundred men", "1200 men"),
        ("東京は日本の首都である", "東京"),
    ],
)
def test_an_answer_is_found_however_it_is_written(negative: str, answer: str) -> None:
    """Case, spacing, punctuation, width, number words and a leading article do not hide an answer (DPR misses the last)."""
    assert holds(negative, "no such thing", answer)


@pytest.mark.parametrize(
    ("negative", "answer"),
    [
        ("a political party", "art"),
        ("it lay at -500 m", "500 m"),
        ("some 1,500 men", "500 men"),
        ("version 2.345", "345"),
        ("Paris of Troy", "Troy of Paris"),
        ("the year 19 97", "1997"),
        ("", "answer"),
        ("anything", ""),
        ("anything at all", "?"),
    ],
)
def test_part_of_a_word_or_number_is_no_answer(negative: str, answer: str) -> None:
    """An answer begins and ends where a word does, and signs and decimal marks are part of a number."""
    assert not holds(negative, answer)


@pytest.mark.parametrize("answer", ["no", "the", "5", "NP", "yes", "one", "None"])
def test_a_short_or_common_answer_counts_only_alone(answer: str) -> None:
    """What stands in nearly any text names nothing there, but a candidate that is nothing but it is the answer."""
    assert not holds(f"it is said that {answer} may be so", answer)
    assert holds(f"{answer}.", answer)


def test_the_length_is_an_option() -> None:
    """`--min-length 1` takes short answers wherever they stand."""
    assert holds("the class NP is meant", "NP", min_length=2)
    assert not holds("the class NPC is meant", "NP", min_length=1)


def test_a_row_without_answers_is_unknown_and_columns_travel() -> None:
    """Null and empty lists say nothing; the column of answers comes out as it went in."""
    answers = pl.Series([None, [], [None], ["the text"]], dtype=pl.List(pl.String))
    made = negforge.run(TITLE, table(["the text"] * 4, answers)).kept
    assert made["verdict_answer_match"].to_list() == ["unknown", "unknown", "unknown", "positive"]
    assert made["answers"].equals(answers.alias("answers"))


@pytest.mark.parametrize(
    "answers",
    [
        pl.Series(["Paris", "Rome"]),
        pl.Series([["Paris", "x1"], ["Rome"]]),
        pl.Series([{"text": ["Paris"], "answer_start": [0]}, {"text": ["Rome", "x2"], "answer_start": [0, 1]}]),
        pl.Series([[{"text": "Paris", "answer_start": 0}], [{"text": "Rome", "answer_start": 2}]]),
    ],
)
def test_answers_come_as_texts_lists_and_squads_records(answers: pl.Series) -> None:
    """The layouts that data sets have are read as they are, under any name."""
    made = negforge.run(TITLE, table(["old Paris", "old Paris"], answers, "gold"), answers="gold").kept
    assert made["verdict_answer_match"].to_list() == ["positive", "unknown"]


def test_a_missing_or_wrong_column_is_an_error() -> None:
    """A column that is not there names the nearest; one of decimal numbers is no column of answers."""
    with pytest.raises(InputError, match="'answer' is not in the table") as error:
        negforge.run(TITLE, table(["x"], pl.Series(["y"])), answers="answer")
    assert "--answers answers" in str(error.value)
    with pytest.raises(InputError, match="holds no answers"):
        negforge.run(TITLE, table(["x"], pl.Series([0.5])))


def test_patterns_only_when_asked() -> None:
    """Answers are texts; with `--regex` they are patterns, in any case, as TREC's are."""
    assert not holds("in Paris", "par.s")
    assert holds("in Paris", r"\bpar.s$", regex=True)


@pytest.mark.parametrize("pattern", ["(", "a" * 1001, r"(\w{1000}){1000}"])
def test_a_pattern_is_bounded(pattern: str) -> None:
    """A pattern that is broken, too long or too large when compiled is an error that shows it, not a crash."""
    with pytest.raises(InputError, match="broken or too large"):
        holds("x", pattern, regex=True)


def test_a_hostile_pattern_takes_linear_time() -> None:
    """Patterns that make a backtracking engine run for years end at once."""
    assert not holds("a" * 20_000 + "b", r"^(a+)+$", r"^(a|aa)+$", regex=True)


def test_a_doubt_gives_way_to_a_vote_and_to_a_proof() -> None:
    """Alone it makes a negative unknown; a judge's vote decides either way, and so does a proof."""
    rows = [
        ("positive", None, None, "unknown"),
        ("positive", "negative", None, "negative"),
        ("positive", "positive", None, "positive"),
        ("positive", "negative", "positive", "positive"),
        ("unknown", None, None, "negative"),
        ("unknown", "positive", None, "positive"),
    ]
    names = ("verdict_answer_match", "verdict_some_judge", "verdict_known_positive")
    frame = pl.DataFrame([dict(zip(names, row, strict=False)) for row in rows], schema=dict.fromkeys(names, pl.String))
    assert labelled(frame.with_columns(pl.lit("negative").alias("initial_label")))["label"].to_list() == [row[3] for row in rows]
    already = frame.head(1).with_columns(pl.lit("positive").alias("initial_label"))
    assert labelled(already)["label"].to_list() == ["positive"]


def test_what_is_nothing_but_an_answer_is_proven_by_known_positive(tmp_path: Path) -> None:
    """The answers read as positives prove a candidate equal to one of them, by the anchor's text, whatever ids it has."""
    source = tmp_path / "qa.jsonl"
    source.write_text(json.dumps({"question": "the question", "answers": ["Paris", "the city of Paris"]}) + "\n", encoding="utf-8")
    positives = negforge.run("ingest pairs", str(source), anchor="question", positive="answers").kept
    made = negforge.run("verify known-positive", table(["paris!", "in Paris"], pl.Series(["", ""])), positives=positives).kept
    assert made["label"].to_list() == ["positive", "negative"]


WORDS = ["paris", "rome", "the", "of", "12", "no", "東", "é", "sea"]


@settings(max_examples=60)
@given(st.lists(st.tuples(st.lists(st.sampled_from(WORDS), max_size=8), st.lists(st.sampled_from(WORDS), min_size=2, max_size=3))))
def test_it_is_the_run_of_whole_words_that_dpr_looks_for(rows: list[tuple[list[str], list[str]]]) -> None:
    """For texts of plain words the verdict is that of DPR's token search, the answer's leading article aside."""
    frame = table([" ".join(text) for text, _ in rows], pl.Series([" ".join(answer) for _, answer in rows], dtype=pl.String))
    made = verify(Negatives(frame), language="en", min_length=1).to_list()
    for (text, answer), found in zip(rows, made, strict=True):
        wanted = answer[1:] if answer[0] == "the" else answer
        if " ".join(wanted) in ("the", "of", "no"):
            continue
        inside = any(text[at : at + len(wanted)] == wanted for at in range(len(text) - len(wanted) + 1))
        assert found == ("positive" if inside else "unknown"), (text, answer)


@settings(max_examples=60)
@given(st.lists(st.text(max_size=20), min_size=1, max_size=5), st.text(max_size=10))
def test_any_text_is_read_and_spelling_changes_nothing(texts: list[str], answer: str) -> None:
    """No text breaks it, and blanks around a text or its composed form give the same verdicts."""

    def verdicts(spelling: list[str]) -> list[str]:
        return verify(Negatives(table(spelling, pl.Series([answer] * len(spelling), dtype=pl.String))), language="en").to_list()

    usual = verdicts(texts)
    assert verdicts([f"  {text}\n" for text in texts]) == usual
    assert verdicts([unicodedata.normalize("NFC", text) for text in texts]) == usual


def test_every_gold_passage_of_squad_holds_its_answers(real_data: Path) -> None:
    """Of 467 answers that people marked in a passage all are found in it but the 13 too short or too common to count."""
    found: list[tuple[str, str]] = []
    for article in json.loads((real_data / "squad2_sample" / "small.json").read_text(encoding="utf-8"))["data"]:
        for part in article["paragraphs"]:
            found += [(part["context"], text) for one in part["qas"] for text in sorted({each["text"] for each in one["answers"]})]
    made = verify(Negatives(table([text for text, _ in found], pl.Series([answer for _, answer in found]))), language="en")
    missed = sorted(answer for (_, answer), verdict in zip(found, made, strict=True) if verdict != "positive")
    assert len(found) == 467
    assert missed == ["#P", "21", "L", "NP", "NP", "NP", "P", "P", "P", "k", "two", "yes", "yes"]


def test_what_dpr_took_for_negatives(real_data: Path) -> None:
    """Of DPR's own negatives, which hold no answer by its check, three do: two behind an article, one as the end of a range of years."""
    with gzip.open(real_data / "dpr_nq_sample" / "sample.json.gz", "rt", encoding="utf-8") as file:
        questions = json.load(file)
    rows = [
        (kind, f"{one['title']} {one['text']}", question["answers"])
        for question in questions
        for kind in ("hard_negative_ctxs", "negative_ctxs")
        for one in question[kind]
    ]
    frame = table([text for _, text, _ in rows], pl.Series([answers for _, _, answers in rows]))
    made = verify(Negatives(frame), language="en").to_list()
    held = [(kind, answers) for (kind, _, answers), verdict in zip(rows, made, strict=True) if verdict == "positive"]
    assert len(rows) == 733
    assert held == [("hard_negative_ctxs", ["the Saint Lawrence River"])] * 2 + [("hard_negative_ctxs", ["2002"])]
