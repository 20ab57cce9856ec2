"""One step of a worked solution made wrong: which mistakes, what follows from them, and what is refused."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import negforge
from negforge import chains
from negforge.cli import app
from negforge.contract import Chosen
from negforge.generate.perturb.step import generate
from negforge.records import Negatives, Pairs
from negforge.rng import Rng
from negforge.verify import math

QUESTION = "Natalia sold clips to 48 of her friends in April, and then she sold half as many in May. How many did she sell altogether?"
CHAIN = "Natalia sold 48/2 = <<48/2=24>>24 clips in May.\nNatalia sold 48+24 = <<48+24=72>>72 clips altogether.\n#### 72"
ROUND = "He buys 3 packs of 20 pens, 3 * 20 = $<<3*20=60>>60.00 worth. Of the 60 he gives 15 away, 60 - 15 = <<60-15=45>>45.\n#### 45"


def made(text: str, question: str = "", *, seed: int = 0, num_negatives: int = 50, **options: Any) -> Chosen:
    """What the operator makes of one text."""
    batch = Pairs(pl.DataFrame({"id": ["a"], "anchor": [question or text], "positive": [text]}))
    return generate(batch, Rng(seed, "generate perturb.step"), num_negatives=num_negatives, **options)


def texts(text: str, question: str = "", **options: Any) -> set[str]:
    """All wrong chains of one text."""
    return {*made(text, question, **options).rows["negative"]}


def reason(text: str, question: str = "", **options: Any) -> str:
    """Why a text gives nothing, or nothing."""
    found = made(text, question, **options)
    assert bool(found.rows.height) != bool(found.refusals) or not found.refusals
    return found.refusals[0].reason if found.refusals else ""


def test_a_wrong_operator_goes_through_the_whole_chain() -> None:
    """The sum before the mark, the mark, its result, the later step that uses it and the answer; nothing else."""
    found = texts(CHAIN, QUESTION, fault=["operator"])
    assert "Natalia sold 48/2 = <<48/2=24>>24 clips in May.\nNatalia sold 48-24 = <<48-24=24>>24 clips altogether.\n#### 24" in found
    assert "Natalia sold 48-2 = <<48-2=46>>46 clips in May.\nNatalia sold 48+46 = <<48+46=94>>94 clips altogether.\n#### 94" in found


def test_a_wrong_quantity_is_one_that_stood_before() -> None:
    """Of the question or an earlier result, in the sum, the mark and the words about it."""
    question = "A pack has 20 pens. He buys 3 packs and gives 15 pens away."
    text = "He buys three packs, 3 * 20 = <<3*20=60>>60 pens.\n60 - 15 = <<60-15=45>>45 are left.\n#### 45"
    found = texts(text, question, fault=["quantity"])
    assert "He buys fifteen packs, 15 * 20 = <<15*20=300>>300 pens.\n300 - 15 = <<300-15=285>>285 are left.\n#### 285" in found
    assert "He buys three packs, 3 * 20 = <<3*20=60>>60 pens.\n20 - 15 = <<20-15=5>>5 are left.\n#### 5" in found
    assert not [one for one in found if "45 * 20" in one]  # not known yet


def test_every_mention_of_a_result_changes_with_it() -> None:
    """With its decimals, its thousands marks and its words."""
    found = texts(ROUND, "3 packs of 20 pens, 15 for her", fault=["operator"])
    assert (
        "He buys 3 packs of 20 pens, 3 + 20 = $<<3+20=23>>23.00 worth. Of the 23 he gives 15 away, 23 - 15 = <<23-15=8>>8.\n#### 8" in found
    )
    grouped = "It costs 1,500 * 2 = <<1500*2=3000>>3,000 in all, so half of that is 3,000 - 400 = <<3000-400=2600>>2,600.\n#### 2600"
    assert any(
        "<<1500+2=1502>>1,502 in all, so half of that is 1,502 - 400 = <<1502-400=1102>>1,102.\n#### 1102" in one
        for one in texts(grouped, "2 at 1,500, 400 off")
    )
    said = "There are 15 - 8 = <<15-8=7>>7 cups. The seven cups cost 7 * 20 = <<7*20=140>>140.\n#### 140"
    assert any(
        "= <<15+8=23>>23 cups. The 23 cups cost 23 * 20 = <<23*20=460>>460" in one for one in texts(said, "15 cups, 8 gone, 20 each")
    )


def test_wrong_results_of_right_sums() -> None:
    """Each by its name; the sum stays as it is, and what uses the result changes."""
    assert texts("95 + 5 = 100", fault=["carry"]) == {"95 + 5 = 90"}
    assert texts("187 + 45 = 232", fault=["carry"]) == {"187 + 45 = 222", "187 + 45 = 132"}
    assert texts("52 - 17 = 35", fault=["carry"]) == {"52 - 17 = 45"}
    assert texts("12 + 34 = 46", fault=["transposed"]) == {"12 + 34 = 64"}
    assert texts("12 + 34 = 46", fault=["off-by-one"]) == {"12 + 34 = 45", "12 + 34 = 47"}
    assert "12 + 34 = 56" in texts("12 + 34 = 46", fault=["digit"])
    assert "48/2 = <<48/2=23>>23 clips in May.\nNatalia sold 48+23 = <<48+23=71>>71" in "\n".join(
        texts(CHAIN, QUESTION, fault=["off-by-one"])
    )


def test_a_bare_sum_stays_the_same_sum() -> None:
    """`12 * 34 = 408` would be true, so with no words about it another operator shows in the result alone."""
    assert texts("12 + 34 = 46", fault=["operator"]) == {"12 + 34 = 408"}
    assert reason("12 + 34 = 46", fault=["quantity"]) == "no-fault"


def test_without_a_question_no_true_sum_is_made() -> None:
    """Nobody says what the numbers are, so `3*3=9` would be as true as what stood there."""
    found = texts("We know 2+2=4 and 3+3=6.")
    assert "We know 2+2=4 and 3+3=9." in found
    assert not [one for one in found if "2+2=4" in one and ("3+3=" not in one or "3+3=6" in one)]


def test_a_result_said_in_another_language_is_left_alone() -> None:
    """The French seven would contradict what it repeats."""
    text = "Il a 3 x 4 = 12 pommes, donc 12 - 5 = 7 restent. Il reste sept pommes."
    assert reason(text, "3 sacs de 4, 5 parties") == "ambiguous"
    assert texts(text.replace("sept", "7"), "3 sacs de 4, 5 parties", fault=["operator"]) >= {
        "Il a 3 x 4 = 12 pommes, donc 12 + 5 = 17 restent. Il reste 17 pommes."
    }


def test_every_sum_of_two_digits_is_answered_wrongly_by_each_fault() -> None:
    """All pairs: each answer is another number, a forgotten carry is off by a power of ten, and without a carry there is none."""
    pairs = [(one, other) for one in range(10, 100) for other in range(10, 100)]
    rows = [f"{one} + {other} = {one + other}" for one, other in pairs]
    batch = Pairs(pl.DataFrame({"id": [str(at) for at in range(len(rows))], "anchor": rows, "positive": rows}))
    for fault in ("carry", "digit", "transposed", "off-by-one", "operator"):
        found = generate(batch, Rng(0, "x"), num_negatives=9 if fault == "carry" else 1, fault=[fault])
        for row in found.rows.select("id", "negative", "final_answer").to_dicts():
            one, other = pairs[int(row["id"])]
            head, _, answer = row["negative"].partition(" = ")
            assert head == f"{one} + {other}"
            assert answer == row["final_answer"]
            assert int(answer) != one + other
            assert int(answer) > 0
            if fault == "carry":
                assert one + other - int(answer) in (10, 100)
        if fault == "carry":
            carries = {str(at) for at, (one, other) in enumerate(pairs) if one % 10 + other % 10 > 9 or one + other > 99}
            assert {*found.rows["id"]} <= carries
            assert {refusal.row_id for refusal in found.refusals} >= {str(at) for at in range(len(pairs))} - carries


@pytest.mark.parametrize(
    ("text", "question", "expected"),
    [
        ("10 / 3 = 3.33 and so on", "10 for 3", "inexact"),
        ("He has 5 - 4 = <<5-4=1>>1 cat", "", "singular"),
        ("So 20 - 20 = <<20-20=0>>0 are left", "", "unnatural"),
        ("A 4 + 2 = <<4+2=6>>6 more. That makes 17 of them.\n#### 17", "", "unexplained"),
        ("He has 20 + 4 = <<20+4=24>>24.\nIn 24 hours: 24 * 3 = <<24*3=72>>72.\n#### 72", "24 hours a day, 3 times", "ambiguous"),
        ("7 + 7 = 14 " * 2000, "", "too-long"),
        ("7 + 7 = 14\n" * 70, "", "too-long"),
    ],
)
def test_what_is_refused(text: str, question: str, expected: str) -> None:
    """Each with its reason: a value below zero or far off is none (reasoning-machines/pal#12)."""
    found = made(text, question, protect="hours")
    reasons = [one.reason for one in found.refusals]
    assert reasons == [expected]


def test_what_cancels_out_is_refused() -> None:
    """A step that the answer does not hang on leaves it as it was."""
    text = "He has 5 + 6 = <<5+6=11>>11 cats.\nHe has 20 - 3 = <<20-3=17>>17 dogs.\n#### 17"
    question = "5 black cats, 6 white ones, 20 dogs of which 3 leave"
    assert not [one for one in texts(text, question) if "#### 17" in one]
    assert reason(text, question, protect="dogs") == "answer-stays"
    assert reason(text, protect="dogs|cats") == "protected"
    assert reason("nothing = nothing 5 = 6") == ""


def test_without_propagation_one_step_is_wrong_and_the_answer_stays() -> None:
    """The columns say which step, and that the answer is right."""
    rows = made(CHAIN, QUESTION, propagate=False, fault=["operator"]).rows
    first = rows.filter(pl.col("first_wrong_step") == 1).row(0, named=True)
    assert first["negative"].endswith("Natalia sold 48+24 = <<48+24=72>>72 clips altogether.\n#### 72")
    assert (first["final_answer"], first["final_changed"]) == ("72", False)
    carried = made(CHAIN, QUESTION).rows
    assert carried["final_changed"].all()
    assert {*carried["first_wrong_step"]} == {1, 2}


PIECES = st.sampled_from(
    [
        "48/2 = <<48/2=24>>24 clips",
        "24 + 6 = 30",
        "So 30 are left",
        "seven",
        "<<7*30=210>>210",
        "\n",
        ". ",
        "#### 210",
        "5 \u00d7 6 = 30",
        "(2+3)*4 = 20",
        "1,500",
        "20%",
        "\U0001f600",
        "e\u0301",
        "\u05e9\u05dc\u05d5\u05dd",
        "\x00",
        "3.5 + 1.5 = 5",
        "-4 + 2 = -2",
        "<<",
        ">>",
        "x",
        "=",
        "\u0664+\u0665=\u0669",
    ]
)


@settings(max_examples=150)
@given(st.lists(PIECES, max_size=9).map(" ".join) | st.text("0123456789+-*/=<># \n.,()%x"), st.integers(0, 3))
def test_edits_undo_and_chains_add_up(text: str, seed: int) -> None:
    """The recorded edits give the negative and, undone, the source; negatives differ; the first of several is the one of one."""
    found = made(text, "How many of 48?", seed=seed, num_negatives=6)
    rows = found.rows.to_dicts()
    assert len({row["negative"] for row in rows} | {text}) == len(rows) + 1
    for row in rows:
        forward, back, shift = text, row["negative"], 0
        for edit in reversed(row["edits"]):
            assert text[edit["start"] : edit["end"]] == edit["old"]
            forward = forward[: edit["start"]] + edit["new"] + forward[edit["end"] :]
        for edit in row["edits"]:
            start = edit["start"] + shift
            shift += len(edit["new"]) - len(edit["old"])
            assert row["negative"][start : start + len(edit["new"])] == edit["new"]
        assert forward == row["negative"]
        before, after = chains.read(text), chains.read(back)
        wrong = [at for at, (old, new) in enumerate(zip(before.equations, after.equations, strict=True)) if old.exact and not new.exact]
        assert len(wrong) <= 1
    assert made(text, "How many of 48?", seed=seed, num_negatives=1).rows.to_dicts() == rows[:1]


def test_real_solutions(real_data: Path) -> None:
    """GSM8K: nine of ten solutions get a wrong chain, and each answer is proven another."""
    with gzip.open(real_data / "gsm8k" / "train.jsonl.gz", "rt", encoding="utf-8") as file:
        lines = [json.loads(line) for line in islice(file, 1500)]
    frame = pl.DataFrame(
        {
            "id": [str(at) for at in range(len(lines))],
            "anchor": [one["question"] for one in lines],
            "positive": [one["answer"] for one in lines],
        }
    )
    found = generate(Pairs(frame), Rng(0, "generate perturb.step"), num_negatives=1)
    assert found.rows.height > 0.9 * len(lines)
    assert {*Counter(one.reason for one in found.refusals)} <= {
        "unexplained",
        "ambiguous",
        "unnatural",
        "singular",
        "answer-stays",
        "inexact",
        "no-change",
        "no-fault",
    }
    both = found.rows.join(frame, on="id")
    assert {*math.verify(Negatives(both.select("positive", "negative")), answer=None, symbolic=False, language="en")} == {"negative"}
    assert all(Fraction(one) >= 0 for one in both["final_answer"])


def test_command_line(tmp_path: Path) -> None:
    """Rows with their columns; an unknown fault is refused with the nearest."""
    pl.DataFrame({"anchor": [QUESTION], "positive": [CHAIN]}).write_ndjson(tmp_path / "p.jsonl")
    negforge.run("ingest pairs", str(tmp_path / "p.jsonl"), output=tmp_path / "p.parquet")
    words = ["generate", "perturb.step", str(tmp_path / "p.parquet"), "--to", "jsonl", "--fault", "operator", "-n", "2"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.stderr
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(row["fault"], row["label"]) for row in rows] == [("operator", "negative")] * 2
    assert "asked 2, emitted 2" in result.stderr
    wrong = CliRunner().invoke(app, [*words, "--fault", "quantty"])
    assert wrong.exit_code == 2
    assert "quantity" in wrong.stderr
