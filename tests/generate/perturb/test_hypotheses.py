"""Hypotheses of a transcript with exactly the errors asked for, against dynamic programming written out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import negforge
from negforge.errorrates import cut, rates
from negforge.errors import UsageError
from negforge.generate.perturb.hypotheses import generate
from tests import strategies
from tests.perturbed import LONG, ODD, made, reasons, rows, same_in_any_batching, table
from tests.score.test_wer import naive
from tests.shell import good

TITLE = "generate perturb.hypotheses"
TEXT = "the river rises in the hills of Wales and flows to the sea"


@pytest.mark.parametrize("wanted", [1, 2, 3, 7, 13, 20])
def test_the_rate_is_the_one_asked_for(wanted: int) -> None:
    """Errors by the words of the reference, above one included."""
    found = rows(TITLE, [TEXT], errors=[wanted], num_negatives=5)
    assert len(found) == 5
    for row in found:
        assert row["n_errors"] == wanted
        assert row["score_wer"] == wanted / 13 == naive(cut(TEXT), cut(row["negative"])) / 13
        assert row["negative"] != TEXT


@pytest.mark.parametrize(
    ("kind", "text", "least", "most"),
    [("substitute", "I can hear", 3, 3), ("insert", "I can hear", 4, 4), ("delete", "I can hear", 2, 2), ("delete", "我们走", 2, 2)],
)
def test_each_kind_alone(kind: str, text: str, least: int, most: int) -> None:
    """One error of a kind changes the number of words as that kind does."""
    found = {row["negative"] for row in rows(TITLE, [text] * 20, kind=[kind], errors=[1])}
    assert {least, most} == {len(cut(one)) for one in found}
    if kind == "delete":
        assert found <= {"can hear", "I hear", "I can", "们走", "我走", "我们"}
    if kind == "substitute":
        assert "I can here" in found


def test_numbers_come_in_turn() -> None:
    """As an n-best list has them; distinct texts."""
    found = rows(TITLE, [TEXT], errors=[2, 1, 4], num_negatives=6)
    assert [row["n_errors"] for row in found] == [2, 1, 4, 2, 1, 4]
    assert len({row["negative"] for row in found}) == 6
    assert {(row["label"], row["opposition"]) for row in found} == {("negative", "noisy")}


@settings(max_examples=150)
@given(st.one_of(strategies.texts.map(lambda text: text[:120]), st.sampled_from(ODD)), st.integers(1, 9), st.integers(0, 3))
def test_whatever_the_text_the_errors_are_exact(text: str, wanted: int, seed: int) -> None:
    """By the recurrence, in any script; the character rate is that of `score wer`."""
    for row in made(generate, [text], errors=[wanted], num_negatives=3, seed=seed).rows.to_dicts():
        assert naive(cut(text), cut(row["negative"])) == wanted
        assert (row["score_wer"], row["score_wer_cer"]) == rates(text, row["negative"])


def test_score_wer_says_the_same() -> None:
    """The score over the written rows gives the columns they have."""
    found = negforge.run(TITLE, table([TEXT, *ODD]), num_negatives=3).kept
    again = negforge.run("score wer", found).kept.sort("id")
    assert again.select("id", "score_wer", "score_wer_cer").equals(found.sort("id").select("id", "score_wer", "score_wer_cer"))


def test_protected_words_stand() -> None:
    """In their order, in every hypothesis without insertions of them."""
    for row in rows(TITLE, [TEXT] * 20, protect="Wales|river", errors=[9], kind=["substitute"]):
        assert cut(row["negative"])[1] == "river"
        assert "Wales" in row["negative"]


@pytest.mark.parametrize(
    ("text", "options", "reason"),
    [
        ("...", {}, "no-word"),
        ("river", {"protect": "r"}, "protected"),
        ("the river", {"errors": [3], "kind": ["substitute"]}, "too-short"),
        ("the river", {"errors": [2], "kind": ["delete"]}, "too-short"),
        ("5", {"kind": ["substitute"]}, "no-exact"),
        (LONG, {}, "too-long"),
    ],
)
def test_refusals(text: str, options: dict[str, Any], reason: str) -> None:
    """Each reason why a text gives nothing."""
    assert reasons(TITLE, [text], **options) == [reason]


@settings(max_examples=60)
@given(st.lists(st.one_of(strategies.texts.map(lambda text: text[:200]), st.sampled_from(ODD)), max_size=5, unique=True))
def test_any_batching_gives_the_same(texts: list[str]) -> None:
    """Rows do not depend on their neighbours, whatever the texts hold."""
    same_in_any_batching(generate, texts)


def test_faults() -> None:
    """No number, one below 1, no kind."""
    faults: list[dict[str, Any]] = [{"errors": []}, {"errors": [0]}, {"kind": []}]
    for wrong in faults:
        with pytest.raises(UsageError):
            negforge.run(TITLE, table([TEXT]), **wrong)


def test_the_command_line(tmp_path: Path) -> None:
    """Data on stdout, counts on stderr."""
    table([TEXT]).write_parquet(tmp_path / "p.parquet")
    done = good("generate", "perturb.hypotheses", tmp_path / "p.parquet", "--errors", "1", "--errors", "4", "-n", "2", "--to", "jsonl")
    assert [json.loads(line)["n_errors"] for line in done.out.splitlines()] == [1, 4]
    assert "asked 2, emitted 2" in done.err


def test_real_captions(real_data: Path) -> None:
    """Every caption of SugarCrepe takes one error and five."""
    texts = [row["caption"] for row in json.loads((real_data / "sugarcrepe" / "replace_att.json").read_text(encoding="utf-8")).values()]
    found = negforge.run(TITLE, table(texts), errors=[1, 5], num_negatives=2).kept
    assert found.height > 1.98 * len(texts)
    for row in found.to_dicts():
        assert round(row["score_wer"] * len(cut(row["positive"])), 6) == row["n_errors"]
