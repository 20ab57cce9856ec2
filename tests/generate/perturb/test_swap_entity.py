"""Two names swapped around a relation that holds one way only: which, whole, all mentions together, and every reason to leave them."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import negforge
from negforge.cli import app
from negforge.contract import Edit, Refusal
from negforge.generate.perturb.swap_entity import generate
from negforge.records import Pairs
from negforge.rng import Rng
from tests.naming import apply, batch, negatives, reason, undone


def run(texts: Iterable[str], *, seed: int = 0, num_negatives: int = 4, **options: Any) -> list[Edit | Refusal]:
    """What the operator yields for the texts."""
    return [*generate(batch(texts), Rng(seed, "generate perturb.swap-entity"), num_negatives=num_negatives, **options)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Ben has 3 more apples than Ann.", "Ann has 3 more apples than Ben."),
        ("Ben is older than Ann.", "Ann is older than Ben."),
        ("Ben picked twice as many pears as Ann did. Ann was tired.", "Ann picked twice as many pears as Ben did. Ben was tired."),
        ("Carl Emmanuel was the son of Johann Bach.", "Johann Bach was the son of Carl Emmanuel."),
        ("Alice Smith founded it. John Brown murdered Alice Smith.", "John Brown founded it. Alice Smith murdered John Brown."),
        ("John Brown was appointed in 1990 by Alice Smith.", "Alice Smith was appointed in 1990 by John Brown."),
        (
            "Dublin is the capital and a port.  Dublin is the capital of Ireland.",
            "Ireland is the capital and a port.  Ireland is the capital of Dublin.",
        ),
        ("The United States is north of Mexico.", "Mexico is north of the United States."),
        ("Ben owes 5 crowns to Ann.", "Ann owes 5 crowns to Ben."),
        ("Ben Hill beat Jon Moe 3-1 in 1990.", "Jon Moe beat Ben Hill 3-1 in 1990."),
        ("They moved from Dublin to London in 1990.", "They moved from London to Dublin in 1990."),
        ("Ann's dog barked. Ben has more dogs than Ann.", "Ben's dog barked. Ann has more dogs than Ben."),
        # Names are whole: runs with `of`, dots of titles and of initials.
        ("Dr. Smith taught H. P. Lovecraft.", "H. P. Lovecraft taught Dr. Smith."),
    ],
)
def test_two_names_change_places(text: str, wanted: str) -> None:
    """Every mention of both, with articles and capitals where sentences begin (QData/TextAttack#752, marcotcr/checklist#69)."""
    assert [*negatives(run, text)] == [wanted]


REFUSED = {
    "type-unknown": "Antonin Scalia was a Justice of the Supreme Court.|Today Weng has 3 more than Ann.|Today Ergine beat the Admiral 3-1.",
    "type-differs": "Ben Jones lives in Dublin.|Ann founded Trinity College.",
    "coordinated": "Ann and Ben left.|Ann or Ben left.|Carl and Ann have 3 more than Ben.|Ann is older than Ben and Carl.",
    "list": "Ann, Ben, and Carl left together today.",
    "apposition": "They saw Dublin, Ireland there.|They went to Dublin (Ireland) then.",
    "symmetric": "Ann met Ben.|Ann is married to Ben.|Ann lives next to Ben.|Dublin is a sister city in Ireland.|Ann is the sister of Ben.|Ann is as old and the same as Ben.",
    "alias": "Ann Smith has 3 more than Ann.|Ann Smith has 3 more than Ben. Smith left.",
    "possessive": "Ann's brother has more than Ben.|Ann is older than Ben's sister.",
    "modifier": "A Dublin is a town in Ireland.|Dublin is a city in Ireland town records.",
    "pronoun": "Ann has 3 more than Ben. She left.|Robin Smith has 3 more than Ann. He left.",
    "gender": "Ben was the son of Ann.",
    "open-relation": """Ann loves Ben.|Ann gave 5 apples to Ben.|Ann wants to buy half as many pens as Ben.|Ben Hill beat Jon Moe 3-1.|Ann owes money to Ben.|Ann visited Ben.|Ann gave apples to Ben.|Ben Jones beat John Smith.|Dublin is one town in Ireland.
        |They moved from Dublin to London.|Ann has as many as Ben.|Ann has 3 more on Monday than Ben has on Sunday.|Ann left before Ben.
        |Ann is happy because she is older than Ben.""",
    "negated": "Ann has no more than Ben.|Ann isn't older than Ben.",
    "conditional": "If Ann has 3 more than Ben, all is well.|Ann may be older than Ben.|Perhaps Ann is older than Ben.",
    "question": "Is Ann older than Ben?|Has Ann 3 more than Ben?",
    "reported": "They said Ann is older than Ben.",
    "quoted": 'They sang "Ann is older than Ben".',
    "exclamation": "Ann is older than Ben!",
    "no-site": "Ann left.|Dogs bark.||The dog ran. Ann left. Ben came.|\U0001f600|UNDER THE BRIDGE",
}  # fmt: skip


@pytest.mark.parametrize(("why", "text"), [(why, text.strip()) for why, texts in REFUSED.items() for text in texts.split("|")])
def test_a_pair_is_left_alone_for_a_reason(why: str, text: str) -> None:
    """What may be true the other way round too, or cannot be said so, is refused by name."""
    assert reason(run, text) == why


def test_protected_names_stay() -> None:
    """A pattern protects a pair when it overlaps any of its mentions."""
    text = "Ben has 3 more than Ann. Carl has 4 more than Dan. Eve likes Dan."
    assert len([*negatives(run, text)]) == 2
    assert [*negatives(run, text, protect="Eve likes Dan")] == ["Ann has 3 more than Ben. Carl has 4 more than Dan. Eve likes Dan."]
    assert reason(run, "Ben has 3 more than Ann.", protect="Ann") == "protected"


def test_draws_differ_and_fewer_slots_give_the_first_of_more() -> None:
    """One edit a pair, in an order that the row's key draws."""
    text = "Ben has 3 more than Ann. Carl has 4 more than Dan."
    for seed in range(8):
        two = run([text], seed=seed)
        assert len({one.new for one in two if isinstance(one, Edit)}) == 2
        assert run([text], seed=seed, num_negatives=1) == two[:1]
    assert len({run([text], seed=seed, num_negatives=1)[0] for seed in range(16)}) == 2


NAMES = st.sampled_from(
    ["Ann", "Ben", "Carl Smith", "Dublin", "the United States", "Weng", "Trinity College", "\u05d0\u05d1", "\U0001f600"]
)
WORDS = st.sampled_from(
    [
        "has 3 more than",
        "is older than",
        "is a city in",
        "met",
        "and",
        ",",
        ".",
        "?",
        "'s",
        "He",
        "was the son of",
        "gave 5 to",
        "A",
        "\u0301",
        "\n",
    ]
)
TEXTS = st.one_of(st.lists(st.one_of(NAMES, WORDS), max_size=12).map(" ".join), st.text())


@given(TEXTS, st.integers(0, 3))
def test_an_edit_keeps_the_words_and_can_be_undone(text: str, seed: int) -> None:
    """Either one refusal or edits that put the same words in another order, and back."""
    made = run([text], seed=seed)
    assert len(made) < 2 or all(isinstance(one, Edit) for one in made)
    for one in made:
        if isinstance(one, Edit):
            assert undone(one, text) == text
            changed = apply(one, text)
            assert changed != text
            assert sorted(set(changed.lower().split())) == sorted(set(text.lower().split()))


@given(st.lists(TEXTS, max_size=6))
def test_rows_do_not_look_at_each_other(texts: list[str]) -> None:
    """In one batch as one by one."""
    ids = [f"r{place}" for place in range(len(texts))]
    together = [*generate(batch(texts, ids), Rng(0, "x"), num_negatives=3)]
    alone = [one for row, text in zip(ids, texts, strict=True) for one in generate(batch([text], [row]), Rng(0, "x"), num_negatives=3)]
    assert together == alone


def test_a_long_cell_and_control_characters() -> None:
    """A megabyte has no tags, and so no site; control characters are no names."""
    assert run(["Ben has 3 more than Ann. " * 50_000]) == []
    assert reason(run, "\x00\x1b[0m \u202e Ann \u200b") == "no-site"


def test_command_line(tmp_path: Path) -> None:
    """Data on stdout, counts on stderr."""
    path = tmp_path / "texts.jsonl"
    rows = ["Ben has 3 more apples than Ann.", "Ann met Ben.", "No name at all."]
    path.write_text("\n".join(json.dumps({"anchor": f"q{place}", "positive": row}) for place, row in enumerate(rows)), encoding="utf-8")
    result = CliRunner().invoke(app, ["generate", "perturb.swap-entity", str(path), "--to", "jsonl"])
    assert result.exit_code == 0, result.stderr
    made = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(one["negative"], one["edit"]["old"], one["edit"]["new"]) for one in made] == [
        ("Ann has 3 more apples than Ben.", "Ben has 3 more apples than Ann", "Ann has 3 more apples than Ben")
    ]
    assert "asked 3, emitted 1, no-site 1, symmetric 1" in result.stderr


def test_real_questions(real_data: Path) -> None:
    """GSM8K: names change places and nothing else does; every emitted text holds a comparison or a transfer."""
    with gzip.open(real_data / "gsm8k" / "train.jsonl.gz", "rt", encoding="utf-8") as file:
        texts = [json.loads(line)["question"] for _, line in zip(range(1500), file, strict=False)]
    pairs = Pairs(pl.DataFrame({"id": [str(place) for place in range(len(texts))], "anchor": texts, "positive": texts}))
    made = negforge.run("generate perturb.swap-entity", pairs.frame, num_negatives=2).kept
    assert made.height >= 15
    for row in made.to_dicts():
        assert sorted(row["negative"].lower().split()) != [] and len(row["negative"].split()) == len(row["positive"].split())
        assert row["negative"] != row["positive"]
        assert any(word in row["positive"] for word in ("than", "as ", "owes", "owed"))
