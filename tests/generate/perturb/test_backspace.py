"""Actions with mistakes and backspaces: played, they give the source."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import negforge
from negforge.errors import UsageError
from negforge.generate.perturb.backspace import generate
from negforge.pieces import words
from tests import strategies
from tests.perturbed import LONG, ODD, made, reasons, rows, same_in_any_batching, table
from tests.shell import good

TITLE = "generate perturb.backspace"
TEXT = "The river rises in the hills, and flows to the sea."
BACK = "<backspace>"


def played(actions: Sequence[str], symbol: str = BACK) -> str:
    """What is left on the stack."""
    stack: list[str] = []
    for action in actions:
        if action == symbol:
            stack.pop()
        else:
            stack.append(action)
    return "".join(stack)


def check(row: dict[str, Any], text: str, longest: int = 3) -> None:
    """What holds for every row."""
    actions, losses = row["actions"], row["loss_mask"]
    assert played(actions) == text
    assert row["negative"] == "".join(action for action in actions if action != BACK) != text
    assert row["n_backspace"] == actions.count(BACK) == losses.count(0) > 0
    said = [text[start:end].casefold() for start, end in words(text)]
    stack: list[int] = []  # the loss of each
    run = 0
    for action, loss in zip(actions, losses, strict=True):
        if action == BACK:
            assert loss == 1
            assert stack.pop() == 0, "a backspace takes off a wrong word"
            run = 0
            continue
        if loss == 0:
            run += 1
            assert run <= longest
            place = len(stack)
            assert place >= len(said) or action.strip().casefold() != said[place]
            assert action.strip().casefold() in said
        stack.append(loss)
    assert 0 not in stack, "every wrong word is taken off"


def test_a_worked_case() -> None:
    """Two words, one mistake of one word: before the first, or before the second."""
    found = {tuple(zip(row["actions"], row["loss_mask"], strict=True)) for row in rows(TITLE, ["It, rains!"] * 30, longest=1, rate=0.001)}
    assert found == {
        (("rains ", 0), (BACK, 1), ("It, ", 1), ("rains!", 1)),
        (("It, ", 1), ("It ", 0), (BACK, 1), ("rains!", 1)),
    }
    assert {row["negative"] for row in rows(TITLE, ["我们"], longest=1, rate=1.0)} == {"们我我们"}


@settings(max_examples=200)
@given(st.one_of(strategies.texts, st.sampled_from(ODD)), st.floats(0.01, 1), st.integers(1, 5), st.integers(0, 3))
def test_the_replay_is_the_source(text: str, rate: float, longest: int, seed: int) -> None:
    """Whatever the text: wrong words carry no loss, are never right, and all are taken off."""
    for row in made(generate, [text], rate=rate, longest=longest, num_negatives=3, seed=seed).rows.to_dicts():
        check(row, text, longest)


def test_mistakes_come_at_the_rate() -> None:
    """Over 208,000 words within five standard deviations, with one to three wrong words each."""
    row = rows(TITLE, [LONG], rate=0.1)[0]
    mistakes = sum(action == BACK and after != BACK for action, after in pairwise(row["actions"]))
    count = len(words(LONG))
    assert abs(mistakes - 0.1 * count) < 5 * math.sqrt(count * 0.09) + 1
    assert row["n_backspace"] / mistakes == pytest.approx(2, abs=0.05)
    assert played(row["actions"]) == LONG


def test_draws_differ() -> None:
    """Distinct mistakes, in rows of unknown label."""
    found = rows(TITLE, [TEXT], num_negatives=6)
    assert len({row["negative"] for row in found}) == 6
    assert {(row["label"], row["opposition"], row["role"]) for row in found} == {("unknown", "noisy", "augmentation")}


@pytest.mark.parametrize(
    ("text", "options", "reason"),
    [
        ("...", {}, "no-word"),
        ("no no No", {}, "no-other-word"),
        ("press <backspace> now", {}, "has-symbol"),
        ("press # now", {"symbol": "#"}, "has-symbol"),
    ],
)
def test_refusals(text: str, options: dict[str, Any], reason: str) -> None:
    """Each reason why a text gives nothing."""
    assert reasons(TITLE, [text], **options) == [reason]


@settings(max_examples=60)
@given(st.lists(st.one_of(strategies.texts, st.sampled_from(ODD)), max_size=5, unique=True))
def test_any_batching_gives_the_same(texts: list[str]) -> None:
    """Rows do not depend on their neighbours, whatever the texts hold."""
    same_in_any_batching(generate, texts)


def test_faults() -> None:
    """Options out of bounds."""
    faults: list[dict[str, Any]] = [{"rate": 0}, {"longest": 0}, {"symbol": ""}]
    for wrong in faults:
        with pytest.raises(UsageError):
            negforge.run(TITLE, table([TEXT]), **wrong)


def test_the_command_line(tmp_path: Path) -> None:
    """Lists go out as lists; another symbol is taken."""
    table([TEXT]).write_parquet(tmp_path / "p.parquet")
    done = good("generate", "perturb.backspace", tmp_path / "p.parquet", "--symbol", "#", "--to", "jsonl")
    row = json.loads(done.out)
    assert played(row["actions"], "#") == TEXT
    assert "asked 1, emitted 1" in done.err


def test_real_solutions(real_data: Path) -> None:
    """Every solution of GSM8K, line breaks and calculator marks included, comes back from its actions."""
    lines = (real_data / "gsm8k" / "test.jsonl").read_text(encoding="utf-8").splitlines()
    found = negforge.run(TITLE, table([json.loads(line)["answer"] for line in lines])).kept
    assert found.height == len(lines)
    for row in found.to_dicts():
        check(row, row["positive"])
