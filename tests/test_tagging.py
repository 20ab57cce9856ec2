"""Tokens by offsets, tags of each, and the column that keeps them."""

from __future__ import annotations

from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negforge import tagging
from negforge.errors import InputError
from tests import strategies

TEXTS = st.one_of(st.text(), st.sampled_from(strategies.ODD))


def tags(text: str) -> list[tuple[str, str]]:
    """Each token of a text and its tag."""
    rows = tagging.tokens(pl.DataFrame({tagging.COLUMN: tagging.tagged(pl.Series([text]))}))
    return [(text[token.start : token.end], token.tag) for token in rows[0]]


@given(TEXTS)
def test_tokens_are_the_text_but_for_blanks(text: str) -> None:
    """Nothing is lost, joined anew or in another order (makcedward/nlpaug#143, #171)."""
    spans = tagging.spans(text)
    assert "".join(text[start:end] for start, end in spans) == "".join(text.split())
    assert all(one[1] <= other[0] for one, other in pairwise(spans))


@given(TEXTS)
def test_sentences_cover_the_text(text: str) -> None:
    assert "".join(text[start:end] for start, end in tagging.sentences(text)) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The dog isn't barking.", [("The", "DT"), ("dog", "NN"), ("is", "VBZ"), ("n't", "RB"), ("barking", "VBG"), (".", ".")]),
        (
            "They must not have 2 cats.",
            [("They", "PRP"), ("must", "MD"), ("not", "RB"), ("have", "VB"), ("2", "CD"), ("cats", "NNS"), (".", ".")],
        ),
        ("This is a run.", [("This", "DT"), ("is", "VBZ"), ("a", "DT"), ("run", "NN"), (".", ".")]),
        ("We want to have it", [("We", "PRP"), ("want", "VBP"), ("to", "TO"), ("have", "VB"), ("it", "PRP")]),
    ],
)
def test_tags(text: str, expected: list[tuple[str, str]]) -> None:
    assert tags(text) == expected


def test_a_sentence_ends_at_no_abbreviation() -> None:
    text = 'Dr. A. Smith left. "So what?" It is 3.5 km. Yes!'
    assert [text[start:end].strip() for start, end in tagging.sentences(text)] == [
        "Dr. A. Smith left.",
        '"So what?"',
        "It is 3.5 km.",
        "Yes!",
    ]


def test_null_and_long_texts_have_no_tags() -> None:
    made = tagging.tagged(pl.Series([None, "word " * 30_000, "a dog"], dtype=pl.String))
    assert made.dtype == tagging.DTYPE
    assert made.list.len().to_list() == [None, 0, 2]


def test_tags_that_are_not_of_the_text_are_refused() -> None:
    """Of another type, or reaching beyond the text, they are of something else (QData/TextAttack#435)."""
    frame = pl.DataFrame({"id": ["a"], "positive": ["a dog"], tagging.COLUMN: tagging.tagged(pl.Series(["a dog barks"]))})
    with pytest.raises(InputError, match="beyond"):
        tagging.checked(frame)
    with pytest.raises(InputError, match="not what a tagger makes"):
        tagging.checked(pl.DataFrame({"id": ["a"], "positive": ["a dog"], tagging.COLUMN: [["x"]]}))
