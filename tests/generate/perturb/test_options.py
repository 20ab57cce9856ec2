"""Multiple choice: options parsed, wrong ones as the answer, orders with the key remapped; every reason to refuse."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import negforge
from negforge.cli import app
from negforge.errors import InputError
from negforge.generate.perturb.options import generate
from negforge.records import Pairs
from negforge.rng import Rng

TITLE = "generate perturb.options"
LINES = "Which is red?\n(A) blood\n(B) grass\n(C) coal\n(D) snow"


def run(anchor: str, positive: str, **options: Any) -> negforge.Result:
    """What one question gives."""
    frame = pl.DataFrame({"id": ["1"], "anchor": [anchor], "positive": [positive]})
    return negforge.run(TITLE, frame, workers=1, **options)


def rows(anchor: str, positive: str, **options: Any) -> list[dict[str, Any]]:
    """The kept rows of one question, in the order of draws."""
    return run(anchor, positive, **options).kept.sort("draw").to_dicts()


def refused(anchor: str, positive: str) -> str:
    """Why one question gives nothing."""
    return str(run(anchor, positive).dropped["drop_reason"][0])


@pytest.mark.parametrize(
    ("anchor", "positive", "negatives"),
    [
        (LINES, "A", {"B", "C", "D"}),
        (LINES, "(A)", {"(B)", "(C)", "(D)"}),
        (LINES, "a", {"b", "c", "d"}),
        (LINES, "The answer is (A).", {"The answer is (B).", "The answer is (C).", "The answer is (D)."}),
        (LINES, "blood", {"grass", "coal", "snow"}),
        (LINES, "Blood.", {"grass.", "coal.", "snow."}),
        (LINES, "(A) blood", {"(B) grass", "(C) coal", "(D) snow"}),
        (LINES, "A. blood.", {"B. grass.", "C. coal.", "D. snow."}),
        ("Which? A) one mile, B) two miles, or C) ten miles", "C", {"A", "B"}),
        ("Which? A) one mile, B) two miles, or C) ten miles", "ten miles", {"one mile", "two miles"}),
        ("Which?\n1. cat\n2. dog", "2", {"1"}),
        ("Which?\nA. cat\nB. dog\n", "dog", {"cat"}),
        ("Which?\na: cat\nb: dog", "(b)", {"(a)"}),
        ("I (A) like (B). Which?\n(A) cats\n(B) dogs", "B", {"A"}),
        ("Anything", "Which is it? (A) ice (B) fire Answer: B", {"Which is it? (A) ice (B) fire Answer: A"}),
        ("x", "Which?\nA) ice\nB) fire\nThe correct answer is A) ice", {"Which?\nA) ice\nB) fire\nThe correct answer is B) fire"}),
    ],
)
def test_wrong_options_stand_in_the_answers_place(anchor: str, positive: str, negatives: set[str]) -> None:
    """Each wrong option once, in the form of the answer: letter, words or both."""
    made = rows(anchor, positive, num_negatives=9)
    assert {one["negative"] for one in made} == negatives
    assert len(made) == len(negatives)
    assert all(one["label"] == "negative" for one in made)


@pytest.mark.parametrize(
    ("reason", "anchor", "positive"),
    [
        ("no-site", "Which is red?", "blood"),
        ("no-site", "See (A) for it.", "A"),
        ("no-site", "Which? (A) (B) (C)", "A"),
        ("no-answer", LINES, "E"),
        ("no-answer", LINES, "A rose"),
        ("no-answer", LINES, "A, B"),
        ("no-answer", LINES, "(A) grass"),
        ("duplicate-options", "Which?\n(A) blood\n(B) Blood.\n(C) coal", "C"),
        ("duplicate-options", "Which?\n(A) 1,000\n(B) 1000\n(C) 5", "C"),
        ("overlap", "Which?\n(A) Paris\n(B) Paris, France\n(C) Rome", "A"),
        ("all-or-none", "Which?\n(A) Paris\n(B) Rome\n(C) None of the above", "A"),
        ("all-or-none", "Which?\n(A) Paris\n(B) Rome\n(C) Both A and B", "A"),
        ("all-or-none", "Which?\n(A) Paris\n(B) Rome\n(C) All of them", "A"),
        ("all-or-none", "Welche?\n(A) Paris\n(B) Rom\n(C) Keine der Antworten", "A"),
        ("several", "Select all that are red.\n(A) Paris\n(B) Rome", "A"),
        ("too-long", "(A) x (B) y " + "z" * 60_000, "A"),
    ],
)
def test_a_question_is_refused_for_a_reason(reason: str, anchor: str, positive: str) -> None:
    """Where the key does not say that another option is wrong, or where options speak of one another."""
    assert refused(anchor, positive) == reason


@given(st.integers(2, 6), st.integers(0, 5), st.integers(0, 9), st.sampled_from(["({}) ", "{}) ", "{}. "]), st.booleans())
def test_the_answer_is_the_same_in_any_order(size: int, right: int, seed: int, mark: str, by_letter: bool) -> None:
    """Letters stay, words move, and the key moves with them: k orders, all distinct, the given one first."""
    right %= size
    words = ["red", "green blue", "x", "seven", "Ulysses", "north"][:size]
    anchor = "Which?\n" + "\n".join(mark.format("ABCDEF"[place]) + word for place, word in enumerate(words))
    positive = "ABCDEF"[right] if by_letter else words[right]
    batch = Pairs(pl.DataFrame({"id": ["1"], "anchor": [anchor], "positive": [positive]}))
    wanted = min(9, math.factorial(size))
    made = generate(batch, Rng(seed, TITLE), write="orders", num_negatives=wanted).rows.to_dicts()
    assert len({tuple(one["order"]) for one in made}) == len(made) == wanted
    assert made[0]["order"] == list(range(size))
    assert made[0]["prompt"] == anchor
    for one in made:
        assert one["options"] == [words[place] for place in one["order"]]
        assert one["options"][one["answer_index"]] == words[right]
        assert one["prompt"] == one["negative"]
        lines = one["prompt"].splitlines()[1:]
        assert lines == [mark.format("ABCDEF"[place]) + word for place, word in enumerate(one["options"])]
        assert one["prompt_answer"] == ("ABCDEF"[one["answer_index"]] if by_letter else words[right])
    for one in generate(batch, Rng(seed, TITLE), num_negatives=9).rows.to_dicts():
        place = "ABCDEF".index(one["prompt_negative"]) if by_letter else one["options"].index(one["prompt_negative"])
        assert place != one["answer_index"]
        old = "ABCDEF".index(one["negative"]) if by_letter else words.index(one["negative"])
        assert one["order"][place] == old != right


def test_a_reordered_question_is_no_negative() -> None:
    """With `--write orders` every row is labelled positive: it asks the same."""
    made = rows(LINES, "A", write="orders", num_negatives=5)
    assert {one["label"] for one in made} == {"positive"}
    assert len({one["negative"] for one in made}) == len(made) >= 5


def test_an_answer_by_the_letter_is_found() -> None:
    """Who always says A is right in some orders and wrong in others; who reads the words is right in all."""
    made = rows(LINES, "A", write="orders", num_negatives=12)
    assert len({one["prompt_answer"] == "A" for one in made}) == 2
    assert {one["options"][one["answer_index"]] for one in made} == {"blood"}


def test_fewer_slots_give_the_first_of_more() -> None:
    """What is wanted decides where the list ends."""
    three = rows(LINES, "A", num_negatives=3, seed=4)
    for wanted in (1, 2):
        few = rows(LINES, "A", num_negatives=wanted, seed=4)
        assert [(one["negative"], one["order"]) for one in few] == [(one["negative"], one["order"]) for one in three[:wanted]]


def test_a_column_in_the_way_is_told() -> None:
    """The source's own `options` is not written over."""
    frame = pl.DataFrame({"id": ["1"], "anchor": [LINES], "positive": ["A"], "options": ["mine"]})
    with pytest.raises(InputError, match="'options' is in the way"):
        negforge.run(TITLE, frame, workers=1)


BAD = st.one_of(st.text(), st.text(st.sampled_from("(AB)12. :\n\u05d0\U0001f600e\u0301\x00x")), st.just(LINES))


@settings(max_examples=200)
@given(BAD, st.one_of(BAD, st.sampled_from(["A", "B", "(1)", "blood"])))
def test_no_text_breaks_it(anchor: str, positive: str) -> None:
    """Whatever the texts, a wrong answer is another text than the answer, and the options are a permutation."""
    batch = Pairs(pl.DataFrame({"id": ["1"], "anchor": [anchor], "positive": [positive]}))
    for write in ("wrong", "orders"):
        for one in generate(batch, Rng(0, TITLE), write=write, num_negatives=3).rows.to_dicts():
            assert sorted(one["order"]) == list(range(len(one["options"])))
            assert write == "orders" or one["negative"] != positive


def test_command_line(tmp_path: Path) -> None:
    """Data on stdout, counts on stderr."""
    file = tmp_path / "pairs.jsonl"
    file.write_text("".join(json.dumps({"anchor": q, "positive": a}) + "\n" for q, a in [(LINES, "A"), (LINES, "no"), ("Why?", "so")]))
    result = CliRunner().invoke(app, ["generate", "perturb.options", str(file), "--to", "jsonl", "--num-negatives", "2"])
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 2)
    assert "no-answer 2" in result.stderr
    assert "no-site 2" in result.stderr


def test_real_questions(real_data: Path) -> None:
    """Each of BIG-Bench's 300 questions about swaps gives all its wrong options, and none that its key has for right."""
    path = real_data / "bigbench_mistake" / "tracking_shuffled_objects.jsonl"
    if not path.exists():
        pytest.skip(f"{path} is not there; set NEGFORGE_TEST_DATA")
    found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    frame = pl.DataFrame(
        {
            "id": [str(place) for place in range(len(found))],
            "anchor": [one["input"] for one in found],
            "positive": [one["target"] for one in found],
        }
    )
    result = negforge.run(TITLE, frame, workers=1, num_negatives=9)
    wrong = {str(place): one["input"].count("\n(") - 1 for place, one in enumerate(found)}
    assert dict(result.kept["source_id"].value_counts().iter_rows()) == wrong
    assert all(one["negative"] != one["positive"] for one in result.kept.to_dicts())
