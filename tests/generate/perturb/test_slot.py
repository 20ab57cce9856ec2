"""What a question asks for, found in its answer and replaced by another of its kind; every reason to leave it."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import negforge
from negforge import slots
from negforge.cli import app
from negforge.generate.perturb.slot import State, generate, prepare
from negforge.records import Pairs
from negforge.rng import Rng

TITLE = "generate perturb.slot"
POOL = [
    ("Who wrote 'Ulysses'?", "James Joyce"),
    ("Who wrote 'Dune'?", "It was Frank Herbert."),
    ("Who wrote 'Emma'?", "Jane Austen"),
    ("What is the capital of Spain?", "Madrid"),
    ("In which city is the Acropolis?", "Athens"),
    ("Where is the Liberty Bell?", "It is in Philadelphia."),
    ("Which river flows through Paris?", "The Seine"),
    ("Which river flows through Vienna?", "the Danube"),
    ("Which book did Ada Bell write?", 'She wrote "Stones at Night" in May.'),
    ("Which book did Tom Reed write?", "He wrote 'A Cold Harbour'."),
]


def table(rows: list[tuple[str, str]]) -> pl.DataFrame:
    """Pairs of questions and answers."""
    return pl.DataFrame(
        {"id": [f"r{place:03d}" for place in range(len(rows))], "anchor": [q for q, _ in rows], "positive": [a for _, a in rows]}
    )


def run(question: str, answer: str, **options: Any) -> negforge.Result:
    """One question beside the pool's."""
    return negforge.run(TITLE, table([(question, answer), *POOL]), workers=1, **options)


def pieces(frame: pl.DataFrame, rows: int) -> Iterator[pl.DataFrame]:
    """A frame as the whole input."""
    return frame.iter_slices(rows)


def made(question: str, answer: str, **options: Any) -> list[str]:
    """The negatives of one answer."""
    return run(question, answer, **options).kept.filter(pl.col("source_id") == "r000")["negative"].to_list()


def refused(question: str, answer: str, **options: Any) -> str:
    """Why one answer gives nothing."""
    found = run(question, answer, **options).dropped.filter(pl.col("source_id") == "r000")["drop_reason"].to_list()
    assert len(found) == 1
    return str(found[0])


@pytest.mark.parametrize(
    ("question", "answer", "pattern"),
    [
        ("When was it built?", "It was built in 1889.", r"It was built in (?!1889)\d{4}\."),
        ("When was she born?", "She was born on 5 May 1901.", r"She was born on 5 May (?!1901)\d{4}\."),
        ("When is the feast?", "It is on March 4.", r"It is on (?!March)[A-Z][a-z]+ 4\."),
        ("In which decade did it rain?", "It rained in the 1920s.", r"It rained in the (?!1920)\d{3}0s\."),
        ("In what century was it made?", "It was made in the 12th century.", r"It was made in the (?!12th)\d+(st|nd|rd|th) century\."),
        ("How many bells has it?", "It has 40 bells.", r"It has (?!40)\d\d bells\."),
        ("How many sisters has she?", "She has three sisters.", r"She has (?!three)[a-z]+ sisters\."),
        ("How tall is it?", "It is about 1,200 m tall.", r"It is about (?!1,200)[\d,]+ m tall\."),
        ("Who wrote 'Omoo'?", "Herman Melville", "James Joyce|Frank Herbert|Jane Austen"),
        ("Who wrote 'Omoo'?", "'Omoo' was written by Herman Melville.", "'Omoo' was written by (James Joyce|Frank Herbert|Jane Austen)."),
        ("Which city has the bell?", "Boston", "Madrid|Athens"),
        ("Where is the arch?", "It is in Rome.", r"It is in Philadelphia\."),
        ("In which country is Rome?", "It is in Italy.", r"It is in (?!Italy)[A-Z][\w ]+\."),
        ("Which planet has the ring?", "Saturn has it.", r"(?!Saturn)[A-Z]\w+ has it\."),
        ("Which river is the longest?", "The Nile is the longest.", "The (Seine|Danube) is the longest."),
        ("Which novel did Jo Hart write?", 'Her novel is "The Last Tide".', 'Her novel is "(Stones at Night|A Cold Harbour)".'),
        ("In which language does she write?", "She writes in English.", r"She writes in (?!English)[A-Z][a-z]+\."),
        ("What gender is the author?", "The author is female.", r"The author is male\."),
        ("What is the profession of her father?", "Her father is a civil engineer.", r"Her father is a (?!civil)[a-z ]+\."),
        ("What is the job of her aunt?", "Her aunt is an optometrist.", r"Her aunt is an [aeio][a-z ]+\."),
    ],
)
def test_the_asked_slot_is_replaced_by_one_of_its_kind(question: str, answer: str, pattern: str) -> None:
    """Whatever the seed, the negative is the answer with another value of the type asked for."""
    found = {one for seed in range(5) for one in made(question, answer, seed=seed)}
    assert found
    assert all(re.fullmatch(pattern, one) for one in found), found


@pytest.mark.parametrize(
    ("reason", "question", "answer"),
    [
        ("not-asked", "Why is it red?", "Because of Mars."),
        ("not-asked", "Did Jane Austen write it?", "Yes, in 1811."),
        ("not-asked", "Jane Austen wrote it.", "Jane Austen wrote it."),
        ("open", "Which city, one of the old ones, is it?", "Rome"),
        ("open", "Who is an example of a poet?", "Jane Austen"),
        ("open", "Which country is famous for its fjords?", "Norway"),
        ("no-slot", "When did it end?", "After the flood."),
        ("in-question", "In which city was the library of Alexandria?", "Alexandria"),
        ("ambiguous", "When did it happen?", "It was in 1911, or so one reads in a book of 1950."),
        ("ambiguous", "Who wrote it?", "It was by Ann Lee, with Bo Berg."),
        ("hedged", "When was it built?", "It was built about 1889."),
        ("bound", "How many bells has it?", "It has over 40 bells."),
        ("bound", "When was it built?", "It was built before 1889."),
        ("bound", "How deep is it?", "It is 90 m deep at most."),
        ("list", "Which city has it?", "Rome and Oslo"),
        ("repeated", "When was it built?", "It was built in 1889, yes, in 1889."),
        ("repeated", "Who wrote 'Omoo'?", "It was by Herman Melville (the Melville of the whale)."),
        ("negated", "When was it built?", "It was not built in 1889."),
        ("negated", "When was it built?", "It was probably built in 1889."),
        ("no-value", "Which volcano erupted?", "Mount Etna"),
        ("too-long", "When was it built?", "It was built in 1889. " * 2000),
    ],
)
def test_an_answer_is_left_alone_for_a_reason(reason: str, question: str, answer: str) -> None:
    """Each reason that the manual names."""
    assert refused(question, answer) == reason


def test_protect_spares_a_slot() -> None:
    """A pattern of the caller keeps the slot that it overlaps."""
    assert refused("When was it built?", "It was built in 1889.", protect="18[0-9]{2}") == "protected"


def test_a_hedged_number_changes_by_half() -> None:
    """`about 40` and `about 44` are both true; `about 80` is not."""
    values = {
        int(re.findall(r"\d+", one)[0]) for seed in range(20) for one in made("How many are there?", "There are about 40.", seed=seed)
    }
    assert values
    assert all(abs(value - 40) >= 20 for value in values)


def test_what_answers_the_same_question_is_no_value() -> None:
    """Of a question with two answers neither takes the other's place, nor does one that names the same things in another question."""
    rows = [
        ("Who wrote 'Omoo'?", "Ann Lee"),
        ("Who wrote 'Omoo'?", "Bo Berg"),
        ("Who lives with Kim Dahl?", "Cy Roe"),
        ("Who met Kim Dahl?", "Di Fox"),
    ]
    kept = negforge.run(TITLE, table(rows), workers=1, num_negatives=9).kept
    by = {name: {*kept.filter(pl.col("source_id") == name)["negative"]} for name in ("r000", "r001", "r002", "r003")}
    assert by == {
        "r000": {"Cy Roe", "Di Fox"},
        "r001": {"Cy Roe", "Di Fox"},
        "r002": {"Ann Lee", "Bo Berg"},
        "r003": {"Ann Lee", "Bo Berg"},
    }


def test_draws_differ_and_begin_alike() -> None:
    """Two negatives of a row differ, and one slot gives the first of two."""
    two = made("Who wrote 'Omoo'?", "Herman Melville", num_negatives=2)
    assert len({*two}) == 2
    assert made("Who wrote 'Omoo'?", "Herman Melville") == [two[0]] or made("Who wrote 'Omoo'?", "Herman Melville")[0] in two


def test_the_pool_does_not_depend_on_row_order() -> None:
    """The values are gathered from the whole input, in whatever order it comes."""
    frame = table(POOL)
    one, two = (prepare(functools.partial(pieces, one)) for one in (frame, frame.reverse()))
    assert one == two
    assert set(one.pools["person"]) == {"James Joyce", "Frank Herbert", "Jane Austen"}


BAD = st.one_of(
    st.text(),
    st.sampled_from(
        [
            "\U0001f600 1889",
            "e\u0301te\u0301 1889",
            "\u05e9\u05dc\u05d5\u05dd 1889",
            "\x00\x07 1889",
            "",
            "Why?",
            "A Title Of 1889",
            "1889" * 9,
        ]
    ),
)


@settings(max_examples=200)
@given(st.sampled_from(["When was it?", "Who was it?", "How many?", "Which book?", "Where is it?", "What gender?", "", "\x00"]), BAD)
def test_no_text_breaks_it(question: str, answer: str) -> None:
    """Whatever the texts, an edit replaces what it says it does and leaves the rest."""
    batch = Pairs(pl.DataFrame({"id": ["1"], "anchor": [question], "positive": [answer]}))
    state = State({"person": {"Ann Lee": frozenset()}, "place": {"Rome": frozenset()}})
    for one in generate(batch, state, Rng(0, TITLE), num_negatives=3):
        if isinstance(one, negforge.contract.Edit):
            assert 0 <= one.start < one.end <= len(answer)
            assert answer[one.start : one.end] != one.new


def test_a_cell_of_a_megabyte_is_refused_at_once() -> None:
    """What is that long is no answer."""
    assert refused("When was it?", "x 1889 " * 150_000) == "too-long"
    assert slots.asked("when was it " * 100_000) is None


def test_command_line(tmp_path: Path) -> None:
    """Data on stdout, counts on stderr."""
    file = tmp_path / "pairs.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in table([("When was it built?", "In 1889."), ("Why?", "So.")]).to_dicts()))
    result = CliRunner().invoke(app, ["generate", "perturb.slot", str(file), "--to", "jsonl"])
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 1)
    assert "not-asked 1" in result.stderr


def test_tofu(real_data: Path) -> None:
    """Of TOFU's 217 short answers three in four get another of their kind, and none that the file itself has for right."""
    rows = []
    for name in ("world_facts_perturbed.json", "real_authors_perturbed.json"):
        path = real_data / "tofu" / name
        if not path.exists():
            pytest.skip(f"{path} is not there; set NEGFORGE_TEST_DATA")
        rows += [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    result = negforge.run(TITLE, table([(row["question"], row["answer"]) for row in rows]), workers=1)
    assert result.kept.height >= 0.75 * len(rows)
    assert (result.kept["label"] == "negative").all()
    right = {row["question"]: slots.folded(row["answer"]) for row in rows}
    assert all(slots.folded(row["negative"]) != right[row["anchor"]] for row in result.kept.to_dicts())
