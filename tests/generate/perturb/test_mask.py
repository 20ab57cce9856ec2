"""Masked words: how many, where, and that the target and the words between stay."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import negforge
from negforge.errors import InputError, UsageError
from negforge.generate.perturb.mask import generate, masked_at
from negforge.pieces import spliced, words
from tests import strategies
from tests.perturbed import LONG, ODD, made, reasons, rows, same_in_any_batching, table
from tests.shell import good

TITLE = "generate perturb.mask"
TEXT = "First add 3 and 4, which is 7; then double it."


def test_a_worked_case() -> None:
    """Of two words one is masked at least, and the marks between them stand."""
    found = {(row["negative"], tuple(row["edit_mask"])) for row in rows(TITLE, ["It, rains!"] * 30, rate=0.01)}
    assert found == {("[MASK], rains!", (1, 0)), ("It, [MASK]!", (0, 1))}
    assert {row["negative"] for row in rows(TITLE, ["It, rains!"] * 9, rate=1.0, mark="_")} == {"_, _!"}
    assert {row["negative"] for row in rows(TITLE, ["It, rains!"] * 9, rate=1.0, fill="word")} == {"rains, It!"}


def test_the_least_chance_is_masked_where_none_is_below_the_rate() -> None:
    """By hand."""
    assert masked_at({0: 0.5, 3: 0.2, 4: 0.1}, 0.15) == {4}
    assert masked_at({0: 0.5, 3: 0.2, 4: 0.1}, 0.2) == {4}
    assert masked_at({0: 0.5, 3: 0.2, 4: 0.1}, 0.3) == {3, 4}
    assert masked_at({0: 0.5, 3: 0.2}, 0.1) == {3}


def test_stages_are_a_ramp() -> None:
    """Four stages of 0.4 have 0.1 to 0.4, and what is masked at one is masked at the next."""
    found = rows(TITLE, [TEXT * 5], stages=4, num_negatives=4)
    assert [(row["stage"], round(row["rate"], 6)) for row in found] == [(1, 0.1), (2, 0.2), (3, 0.3), (4, 0.4)]
    masks = [row["edit_mask"] for row in found]
    assert all(one <= two for before, after in pairwise(masks) for one, two in zip(before, after, strict=True))
    assert {row["role"] for row in found} == {"augmentation"}
    assert {(row["label"], row["opposition"]) for row in found} == {("unknown", "noisy")}
    assert {row["positive"] for row in found} == {TEXT * 5}


@pytest.mark.parametrize("rate", [0.05, 0.4, 0.9])
def test_the_share_is_binomial(rate: float) -> None:
    """Over 200,000 words within five standard deviations; a megabyte takes seconds at most."""
    mask = rows(TITLE, [LONG], rate=rate)[0]["edit_mask"]
    assert abs(sum(mask) - rate * len(mask)) < 5 * math.sqrt(len(mask) * rate * (1 - rate))


@settings(max_examples=150)
@given(st.one_of(strategies.texts, st.sampled_from(ODD)), st.sampled_from(["mark", "word"]), st.floats(0.01, 1), st.integers(0, 3))
def test_the_mask_says_what_was_changed(text: str, fill: str, rate: float, seed: int) -> None:
    """Words where it is 1 are gone, what lies between stands; a fill is another word."""
    spans = words(text)
    for row in made(generate, [text], rate=rate, fill=fill, num_negatives=4, seed=seed, stages=2).rows.to_dicts():
        mask = row["edit_mask"]
        assert len(mask) == len(spans)
        assert sum(mask) > 0
        kept = "".join(piece for place, piece in enumerate(_between(text)) if place % 2 == 0 or not mask[place // 2])
        if fill == "mark":
            assert row["negative"] == spliced(text, [(*spans[place], "[MASK]") for place, one in enumerate(mask) if one])
            assert row["negative"].replace("[MASK]", "") == kept.replace("[MASK]", "")
        assert row["negative"] != text


def _between(text: str) -> list[str]:
    """What stands before, in and between words, by turns."""
    pieces, at = [], 0
    for start, end in words(text):
        pieces += [text[at:start], text[start:end]]
        at = end
    return [*pieces, text[at:]]


def test_draws_differ_and_protected_words_stand() -> None:
    """Other words for another draw; numbers stay if they are to."""
    found = rows(TITLE, [TEXT], num_negatives=6, protect="[0-9]")
    assert len({row["negative"] for row in found}) == 6
    assert all([one for one in row["negative"] if one.isdigit()] == ["3", "4", "7"] for row in found)


@pytest.mark.parametrize(
    ("text", "options", "reason"),
    [("...", {}, "no-word"), ("it rains", {"protect": "[a-z]+"}, "protected"), ("no no No", {"fill": "word"}, "no-other-word")],
)
def test_refusals(text: str, options: dict[str, Any], reason: str) -> None:
    """Each reason why a text gives nothing."""
    assert reasons(TITLE, [text], **options) == [reason]


@settings(max_examples=60)
@given(st.lists(st.one_of(strategies.texts, st.sampled_from(ODD)), max_size=5, unique=True))
def test_any_batching_gives_the_same(texts: list[str]) -> None:
    """Rows do not depend on their neighbours, whatever the texts hold."""
    same_in_any_batching(generate, texts, fill="word", stages=2)


def test_faults() -> None:
    """A rate or a number of stages out of bounds, an empty mark, a column in the way."""
    faults: list[dict[str, Any]] = [{"rate": 0}, {"rate": 1.1}, {"stages": 0}, {"mark": ""}]
    for wrong in faults:
        with pytest.raises(UsageError):
            negforge.run(TITLE, table([TEXT]), **wrong)
    with pytest.raises(InputError):
        negforge.run(TITLE, table([TEXT], rate=[1]))


def test_the_command_line(tmp_path: Path) -> None:
    """Lists go out as lists."""
    table([TEXT]).write_parquet(tmp_path / "p.parquet")
    done = good("generate", "perturb.mask", tmp_path / "p.parquet", "--rate", "1", "--to", "jsonl")
    assert [json.loads(line)["edit_mask"] for line in done.out.splitlines()] == [[1] * 11]


def test_lists_and_roles_come_back_from_a_dataset(tmp_path: Path) -> None:
    """Written with the label `unknown`, list columns are read as they were."""
    table([TEXT, TEXT + " Done."]).write_parquet(tmp_path / "p.parquet")
    good("generate", "perturb.mask", tmp_path / "p.parquet", "--keep-labels", "unknown", "-o", tmp_path / "out")
    back = pl.read_parquet(tmp_path / "out" / "data" / "v1" / "*.parquet")
    assert back.height == 2
    assert all(sum(mask) >= 1 for mask in back["edit_mask"].to_list())


def test_real_solutions(real_data: Path) -> None:
    """Every solution of GSM8K can be masked, at about the rate asked for."""
    lines = (real_data / "gsm8k" / "test.jsonl").read_text(encoding="utf-8").splitlines()
    found = negforge.run(TITLE, table([json.loads(line)["answer"] for line in lines])).kept
    assert found.height == len(lines)
    share = found["edit_mask"].explode().mean()
    assert isinstance(share, float)
    assert 0.38 < share < 0.42
