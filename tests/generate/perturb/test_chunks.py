"""A sentence's phrases in another order: which orders say the same, and a fact from its other end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import negforge
from negforge.cli import app
from negforge.errors import InputError, NegforgeError
from negforge.generate.perturb.chunks import generate
from negforge.records import Pairs
from negforge.rng import Rng

TITLE = "generate perturb.chunks"
TEXT = "The keeper of the tower in Oslo has painted the doors of the houses."


def run(text: str, role: str = "degenerate", **options: Any) -> negforge.Result:
    """What one text gives."""
    return negforge.run(TITLE, pl.DataFrame({"id": ["1"], "anchor": [text], "positive": [text]}), workers=1, role=role, **options)


def rows(text: str, role: str = "degenerate", **options: Any) -> list[dict[str, Any]]:
    """The rows of one text, in the order of draws."""
    return run(text, role, **options).kept.sort("draw").to_dicts()


def chunks(text: str) -> list[str]:
    """The phrases of a text."""
    return list(rows(text, "positive")[0]["chunks"])


@pytest.mark.parametrize(
    "expected",
    [
        ["The keeper ", "of the tower ", "has painted the doors ", "of the houses ", "in spring."],
        ["In 1911, ", "Ada Bell ", "sold boats ", "to Tom Reed ", "and others."],
        ["A dog ", "that barks ", "is kept ", "by the man ", "with the hat"],
        ["The book ", "of songs ", 'called "The Tale of the Sea and Sky" ', "was sold ", "in May"],
    ],
)
def test_phrases_begin_where_they_should(expected: list[str]) -> None:
    """Before verbs, prepositions, conjunctions and relatives, after commas; never inside quotes."""
    assert chunks("".join(expected)) == expected


def test_the_role_is_the_users_to_choose() -> None:
    """Without `--role` nothing runs; with it the label follows."""
    with pytest.raises(NegforgeError, match="role"):
        negforge.run(TITLE, pl.DataFrame({"id": ["1"], "anchor": [TEXT], "positive": [TEXT]}), workers=1)
    assert {(one["label"], one["opposition"]) for one in rows(TEXT)} == {("negative", "degenerate")}
    assert {one["label"] for one in rows(TEXT, "positive")} == {"positive"}


def test_reversed_and_permuted() -> None:
    """The share says how many rows begin with the reversed order, and the column says which it is."""
    assert {rows(TEXT, seed=seed, reversed_share=1.0)[0]["order"] for seed in range(9)} == {"reversed"}
    assert rows(TEXT, reversed_share=1.0)[0]["negative"] == "of the houses has painted the doors in Oslo of the tower The keeper."
    assert {rows(TEXT, seed=seed, reversed_share=0.0)[0]["order"] for seed in range(9)} == {"permuted"}


def test_marks_stay_where_they_are() -> None:
    """Commas and the last mark belong to the places, not to the phrases."""
    text = "In 1911, Ada Bell sold boats to Tom Reed and others."
    assert rows(text, "positive", reversed_share=1.0)[0]["negative"] == "and others, to Tom Reed sold boats Ada Bell In 1911."


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("few-chunks", "The dog barks."),
        ("few-chunks", "\u00e9"),
        ("symmetric", "Ann met Bo."),
        ("symmetric", "Paris is the capital of France."),
        ("free-order", "He slept in Oslo in 1911 at night before the war."),
        ("free-order", "In 1911 at night before the war Ann met Bo."),
        ("question", "Has the keeper of the tower painted the doors of the houses?"),
        ("sentences", "The keeper of the tower has gone. It is in spring."),
        ("quoted", 'The keeper of the tower has said "no to the man.'),
        ("too-long", TEXT * 20),
    ],
)
def test_a_text_is_refused_for_a_reason(reason: str, text: str) -> None:
    """Texts too short, or whose orders English allows."""
    assert run(text).dropped["drop_reason"].to_list() == [reason]


def test_an_order_that_english_allows_is_none() -> None:
    """Every order begins with what begins no sentence: neither a phrase of place, nor the subject, nor the verb alone before it."""
    kept = rows("The keeper of the tower has painted the doors in spring at night.", num_negatives=20)
    assert len(kept) > 5
    assert all(one["negative"].startswith(("of the tower ", "has painted the doors ")) for one in kept)
    assert not any(one["permutation"][:3] == [2, 0, 1] for one in kept)


def test_orders_differ_and_begin_alike() -> None:
    """No order twice, and one slot gives the first of three."""
    three = rows(TEXT, num_negatives=3)
    assert len({tuple(one["permutation"]) for one in three}) == len({one["negative"] for one in three}) == 3
    assert rows(TEXT)[0]["negative"] == three[0]["negative"]


def test_protect_keeps_a_phrase_whole() -> None:
    """What a pattern of the caller matches is never cut."""
    (one,) = rows(TEXT, "positive", protect="keeper of the tower")
    assert one["chunks"] == ["The keeper of the tower ", "in Oslo ", "has painted the doors ", "of the houses."]


@pytest.mark.parametrize(
    ("text", "backward", "query", "completion"),
    [
        ("Paris is the capital of France.", "The capital of France is Paris.", "The capital of France is", "Paris"),
        (
            "Ann Lee was the first president of Norway.",
            "The first president of Norway was Ann Lee.",
            "The first president of Norway was",
            "Ann Lee",
        ),
        ("Ann Lee wrote 'The Last Tide'.", "'The Last Tide' was written by Ann Lee.", "'The Last Tide' was written by", "Ann Lee"),
        (
            "Bo van Dahl founded the Tide Company",
            "The Tide Company was founded by Bo van Dahl",
            "The Tide Company was founded by",
            "Bo van Dahl",
        ),
    ],
)
def test_a_fact_is_said_from_its_other_end(text: str, backward: str, query: str, completion: str) -> None:
    """A backward fact is positive, and both ends can be asked for."""
    (one,) = rows(text, "backward")
    assert (one["negative"], one["query_backward"], one["completion_backward"], one["label"]) == (backward, query, completion, "positive")
    assert text.startswith(f"{one['query']} {one['completion']}")
    assert "".join(one["chunks"]) == text
    assert (one["order"], one["permutation"]) == ("reversed", [2, 1, 0])


@pytest.mark.parametrize(
    "text", ["Ann is a doctor.", "Ann is the friend of Bo.", "It rained.", "Ann Lee was the first to see it.", "Ann wrote letters."]
)
def test_what_names_nothing_alone_is_no_fact(text: str) -> None:
    """`the friend of Bo` may be others too."""
    assert run(text, "backward").dropped["drop_reason"].to_list() == ["no-fact"]


def test_a_column_in_the_way_is_told() -> None:
    """The source's own `order` is not written over."""
    with pytest.raises(InputError, match="'order' is in the way"):
        negforge.run(TITLE, pl.DataFrame({"id": ["1"], "anchor": ["x"], "positive": [TEXT], "order": [5]}), workers=1, role="positive")


PIECES = st.lists(
    st.sampled_from(
        [
            *TEXT.split(),
            "and",
            "which",
            "met",
            "that",
            "\U0001f600",
            "e\u0301",
            "\u05d0\u05d1",
            "\x00",
            ",",
            "(a",
            "b)",
            '"',
            "\n",
            "\u00a0",
            "\u2013",
        ]
    ),
    max_size=24,
)


@settings(max_examples=300)
@given(st.one_of(PIECES.map(" ".join), st.text()), st.integers(0, 9), st.sampled_from(["degenerate", "positive", "backward"]))
def test_any_text_keeps_the_laws(text: str, seed: int, role: Any) -> None:
    """Chunks concatenate to the source, the permutation is one and can be undone, and a batch of two gives what two batches give."""
    frame = pl.DataFrame({"id": ["1", "2"], "positive": [text, TEXT]})
    made = generate(Pairs(frame), Rng(seed, TITLE), role=role, num_negatives=3).rows
    alone = [generate(Pairs(frame[place : place + 1]), Rng(seed, TITLE), role=role, num_negatives=3).rows for place in (0, 1)]
    assert made.equals(pl.concat(alone))
    for one in made.filter(pl.col("id") == "1").to_dicts():
        assert "".join(one["chunks"]) == text
        assert sorted(one["permutation"]) == list(range(len(one["chunks"])))
        if role != "backward":
            assert sorted(one["negative"].split()) == sorted(text.split()) or any(mark in text for mark in ",;:.!\u2026\u2013-")
            assert one["negative"] != text


def test_command_line(tmp_path: Path) -> None:
    """Data on stdout, counts on stderr."""
    file = tmp_path / "texts.jsonl"
    file.write_text("".join(json.dumps({"anchor": one, "positive": one}) + "\n" for one in (TEXT, "It rained.")))
    result = CliRunner().invoke(app, ["generate", "perturb.chunks", str(file), "--role", "degenerate", "--to", "jsonl"])
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 1)
    assert "few-chunks 1" in result.stderr


def test_real_claims(real_data: Path) -> None:
    """Of SciFact's claims a fair share has four phrases or more, and every row's chunks are its source."""
    path = real_data / "scifact" / "queries.jsonl"
    if not path.exists():
        pytest.skip(f"{path} is not there; set NEGFORGE_TEST_DATA")
    texts = [json.loads(line)["text"] for line in path.read_text(encoding="utf-8").splitlines()]
    frame = pl.DataFrame({"id": [str(place) for place in range(len(texts))], "anchor": texts, "positive": texts})
    kept = negforge.run(TITLE, frame, workers=1, role="degenerate", num_negatives=2).kept
    assert kept["source_id"].n_unique() > 0.25 * len(texts)
    assert all("".join(one["chunks"]) == one["positive"] for one in kept.to_dicts())
