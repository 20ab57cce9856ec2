"""Error rates in words and characters, against dynamic programming written out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import negforge
from negforge.errorrates import cut, errors, joined, rates
from tests import strategies
from tests.perturbed import ODD
from tests.shell import good
from tests.verify.test_known_positive import negative

TITLE = "score wer"


def frame(*pairs: tuple[str, str]) -> pl.DataFrame:
    """Negatives of these positives and texts."""
    rows = [{**negative(wrong, row=f"{place:03d}"), "positive": right} for place, (right, wrong) in enumerate(pairs)]
    return pl.DataFrame(rows, schema_overrides={"negative_id": pl.String})


def scored(right: str, wrong: str, **options: Any) -> tuple[float | None, ...]:
    """Both rates of one row."""
    return negforge.run(TITLE, frame((right, wrong)), **options).kept.select("score_wer", "score_wer_cer").row(0)


def naive(one: Any, other: Any) -> int:
    """Levenshtein's distance by its recurrence."""
    row = list(range(len(other) + 1))
    for place, left in enumerate(one, start=1):
        before, row[0] = row[0], place
        for at, right in enumerate(other, start=1):
            before, row[at] = row[at], min(row[at] + 1, row[at - 1] + 1, before + (left != right))
    return row[-1]


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [
        ("the cat sat", "the cat sat", (0, 0)),
        ("the cat sat", "The  cat, sat!", (0, 0)),
        ("the cat sat", "the bat sat", (1 / 3, 1 / 11)),
        ("the cat sat", "the sat", (1 / 3, 4 / 11)),
        ("the cat sat", "the fat cat sat", (1 / 3, 4 / 11)),
        ("the cat sat", "", (1, 1)),
        ("no", "no no no", (2, 6 / 2)),
        ("我们走吧", "我们走", (1 / 4, 1 / 4)),
        ("e\u0301te\u0301", "ete", (1, 2 / 5)),
        ("3.5 cats", "3.6 cats", (1 / 2, 1 / 8)),
        ("...", "x", (None, None)),
    ],
)
def test_worked_cases(right: str, wrong: str, expected: tuple[float | None, float | None]) -> None:
    """By hand: substitutions, deletions and insertions by the words of the positive."""
    assert scored(right, wrong) == expected


def test_case_counts_if_asked_for() -> None:
    """`exact` takes Cat and cat for two words."""
    assert scored("the cat sat", "the Cat sat", case="exact") == (1 / 3, 1 / 11)


def test_a_text_that_is_too_long_has_no_rate() -> None:
    """Either side above the limit; on it there is one."""
    assert scored("a b", "a c d e", max_characters=6) == (None, None)
    assert scored("a b", "a c d e", max_characters=7) == (3 / 2, 5 / 3)


TEXTS = st.one_of(
    strategies.texts, st.sampled_from(ODD), st.lists(st.sampled_from("the a cat dog sat 我 们".split()), max_size=9).map(" ".join)
)


@settings(max_examples=200)
@given(TEXTS, TEXTS)
def test_rates_are_those_of_the_recurrence(right: str, wrong: str) -> None:
    """Whatever the texts; and nothing is wrong with a text against itself."""
    right, wrong = right[:300], wrong[:300]
    one, other = cut(right), cut(wrong)
    assert errors(one, other) == naive(one, other)
    if one:
        assert rates(right, wrong) == (naive(one, other) / len(one), naive(joined(one), joined(other)) / len(joined(one)))
        assert rates(right, right) == (0, 0)
    else:
        assert rates(right, wrong) == (None, None)


def test_each_distinct_pair_is_scored_alike() -> None:
    """Rows keep their order, repeated ones have equal scores."""
    made = negforge.run(TITLE, frame(("a b", "a c"), ("a b", "a b"), ("a b", "a c"))).kept.sort("id")
    assert made["score_wer"].to_list() == [0.5, 0, 0.5]


def test_the_command_line(tmp_path: Path) -> None:
    """Data on stdout."""
    frame(("a b", "a c")).write_parquet(tmp_path / "n.parquet")
    done = good("score", "wer", tmp_path / "n.parquet", "--case", "exact", "--to", "jsonl")
    assert [json.loads(line)["score_wer"] for line in done.out.splitlines()] == [0.5]


def test_captions_differ_in_a_word_or_two(real_data: Path) -> None:
    """SugarCrepe's foils that replace an attribute are a few words away."""
    rows = json.loads((real_data / "sugarcrepe" / "replace_att.json").read_text(encoding="utf-8")).values()
    made = negforge.run(TITLE, frame(*((one["caption"], one["negative_caption"]) for one in rows))).kept
    assert made["score_wer"].median() < 0.25  # type: ignore[operator]
    assert made["score_wer"].min() > 0  # type: ignore[operator]
