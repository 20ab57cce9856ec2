"""Negatives judged by a regular expression, in bounded time."""

from __future__ import annotations

import functools
import time
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import negforge
from negforge.errors import InputError, UsageError
from negforge.killable import Killable, Limits
from negforge.records import Negatives
from negforge.verify import regex as module
from negforge.verify.regex import verify

ENDLESS = "(a+)+$"
LETTERS = "a" * 40 + "!"


def said(texts: list[str | None], **options: Any) -> list[str]:
    """The verdicts on these texts."""
    return verify(Negatives(pl.DataFrame({"negative": texts}, schema={"negative": pl.String})), **options).to_list()


def said_of(pairs: list[tuple[str | None, str]], **options: Any) -> list[str]:
    """The verdicts on these texts, each by its own pattern."""
    frame = pl.DataFrame(pairs, schema={"program": pl.String, "negative": pl.String}, orient="row")
    return verify(Negatives(frame), pattern_column="program", **options).to_list()


def test_a_match_is_right_and_none_is_wrong() -> None:
    """The whole text is compared; null says nothing."""
    assert said(["12", "a12", "", None], pattern="[0-9]+") == ["positive", "negative", "negative", "unknown"]


@pytest.mark.parametrize(
    ("options", "verdicts"),
    [
        ({"match": "wrong"}, ["negative", "positive", "positive"]),
        ({"only_match": True}, ["positive", "unknown", "unknown"]),
        ({"match": "wrong", "only_match": True}, ["negative", "unknown", "unknown"]),
        ({"search": True}, ["positive", "positive", "negative"]),
        ({"ignore_case": True}, ["positive", "negative", "positive"]),
    ],
)
def test_what_a_match_says_is_an_option(options: dict[str, Any], verdicts: list[str]) -> None:
    """Right or wrong, with or without what does not match, whole or anywhere, in any case."""
    assert said(["ab", "xab", "AB"], pattern="ab", **options) == verdicts


def test_each_row_may_have_its_own_pattern() -> None:
    """What a program accepts is right for it; a broken one, a null or one too long says nothing."""
    rows: list[tuple[str | None, str]] = [
        ("a+", "aa"),
        ("a+", "ab"),
        ("(", "("),
        (None, "a"),
        ("b" * 10_001, "b"),
        ("(a{1,9}){1,9}", "aaa"),
    ]
    assert said_of(rows) == ["positive", "negative", "unknown", "unknown", "unknown", "positive"]


def test_an_endless_match_is_ended_and_others_are_not_lost() -> None:
    """A pattern that would take for ever on one text says unknown of it alone, in bounded time."""
    begun = time.monotonic()
    assert said(["aaa", LETTERS, "b", LETTERS], pattern=ENDLESS, timeout_seconds=0.1) == ["positive", "unknown", "negative", "unknown"]
    assert said_of([(ENDLESS, LETTERS), ("a.*", LETTERS)], timeout_seconds=0.1) == ["unknown", "positive"]
    assert time.monotonic() - begun < 30


def test_what_no_timer_ends_dies_with_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the timer is set too late the process is killed, and each text is asked about alone."""
    monkeypatch.setattr(module, "_matcher", functools.cache(lambda _: Killable("negforge.matching:matches", Limits(1, 20.0))))
    begun = time.monotonic()
    assert module._matched(ENDLESS, ["aaa", LETTERS, "b"], True, False, 60.0) == [True, None, False]
    assert time.monotonic() - begun < 60


def test_a_pattern_that_wants_the_machines_memory_is_unknown() -> None:
    """Nested repeats that unfold into a huge match end at the limit of memory or time, not with us."""
    assert said_of([("(?:(?:x{60000}){60000}){60000}", "x" * 1000)], timeout_seconds=0.2)[0] in ("unknown", "negative")


def test_a_text_of_a_megabyte_is_unknown() -> None:
    """What is longer than any answer is not looked at."""
    assert said(["7" * (1 << 20), "7"], pattern="[0-9]+") == ["unknown", "positive"]


def test_wrong_options_are_told() -> None:
    """Both patterns, none, a broken one, an absent column and one without texts."""
    frame = pl.DataFrame({"negative": ["a"], "n": [1]})
    with pytest.raises(UsageError, match="twice"):
        verify(Negatives(frame), pattern="a", pattern_column="negative")
    with pytest.raises(UsageError, match="no regular expression"):
        verify(Negatives(frame), pattern="(")
    with pytest.raises(InputError, match="progam"):
        verify(Negatives(frame), pattern_column="progam")
    with pytest.raises(InputError, match="holds no patterns"):
        verify(Negatives(frame), pattern_column="n")


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.text(st.sampled_from("ab*+?()[]|\\.{2}^$\U0001f600\u0301\x00"), max_size=12)), st.text(max_size=12)
        ),
        max_size=5,
    )
)
def test_rows_do_not_depend_on_their_neighbours(rows: list[tuple[str | None, str]]) -> None:
    """Any pattern on any text gives a verdict, the same alone and together."""
    together = said_of(rows, timeout_seconds=0.5)
    assert together == [said_of([row], timeout_seconds=0.5)[0] for row in rows]
    assert {*together} <= {"positive", "negative", "unknown"}


def test_the_label_follows(pairs: pl.DataFrame, corpus: pl.DataFrame) -> None:
    """A proof decides: mined passages with a year are taken for right here, and counted."""
    mined = negforge.run("generate mine.bm25", pairs, corpus=corpus, num_negatives=2).kept.filter(pl.col("label") == "negative")
    made = negforge.run("verify regex", mined, pattern="(1[0-9]|20)[0-9]{2}", search=True, only_match=True).kept
    years = made["negative"].str.contains("(1[0-9]|20)[0-9]{2}")
    assert 0 < years.sum() < made.height
    assert made["label"].to_list() == ["positive" if year else "negative" for year in years]
