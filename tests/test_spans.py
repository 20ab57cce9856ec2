"""Spans of whole sentences: every word once, in order, none longer than asked."""

from __future__ import annotations

import re

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negforge.errors import InputError
from negforge.inputs import sources_of
from negforge.spans import cut, spans

PIECES = st.sampled_from(
    ["One word", "Dr. No", "is e.g. here", "ended. ", "Why? ", "so! ", "\n\n", " ", "3.5", "東京。", "x", "“Yes.” ", "…"]
)


def spans_of(frame: pl.DataFrame, first_row: int = 0) -> pl.DataFrame:
    """The spans of a frame's rows, of two words at most."""
    return cut(frame, 2, sources_of([frame])[0], first_row)


@given(st.one_of(st.lists(PIECES, max_size=30).map("".join), st.text(max_size=80)), st.integers(1, 9))
def test_spans_hold_every_word_once_and_are_short_enough(text: str, words: int) -> None:
    """Spans follow each other without overlap, leave nothing out but blanks, and have at most so many words."""
    found = spans(text, words)
    places = [place for span in found for place in span]
    assert places == sorted(places)
    outside = "".join(text[start:end] for start, end in zip([0, *places[1::2]], [*places[0::2], len(text)], strict=True))
    assert not outside.strip()
    for start, end in found:
        assert text[start:end] == text[start:end].strip() != ""
        assert len(re.findall(r"[\u3040-\u9fff]|[^\s\u3040-\u9fff]+", text[start:end])) <= words


@pytest.mark.parametrize(
    ("text", "words", "expected"),
    [
        ("One two. Three four. Five.", 4, ["One two. Three four.", "Five."]),
        ("One two. Three four. Five.", 3, ["One two.", "Three four. Five."]),
        ("Dr. No met J. Smith. He left.", 5, ["Dr. No met J. Smith.", "He left."]),
        ("He said “no.” She left! Why?", 4, ["He said “no.”", "She left! Why?"]),
        ("it is 3.5 m, e.g. here. Next", 6, ["it is 3.5 m, e.g. here.", "Next"]),
        ("A heading\n\nThe text below.", 4, ["A heading", "The text below."]),
        ("one two three four five", 2, ["one two", "three four", "five"]),
        ("東京は首都。大阪は西。", 6, ["東京は首都。", "大阪は西。"]),
        ("  \n ", 3, []),
    ],
)
def test_a_span_ends_where_a_sentence_does(text: str, words: int, expected: list[str]) -> None:
    """Abbreviations, initials and decimals end no sentence; only a sentence longer than a span is cut within."""
    assert [text[start:end] for start, end in spans(text, words)] == expected


def test_rows_become_spans_with_their_places() -> None:
    """Ids are the document's and a number, the group is the document, other columns are repeated, and no word gives no row."""
    frame = pl.DataFrame({"id": [7, 8], "text": ["One two. Three.", " "], "year": [1999, 2000], "title": ["T", "U"]})
    assert spans_of(frame).select("id", "group", "start", "end", "text", "year", "document_title").rows() == [
        ("7-0000", "7", 0, 8, "One two.", 1999, "T"),
        ("7-0001", "7", 9, 15, "Three.", 1999, "T"),
    ]
    assert "title" not in spans_of(frame).columns
    assert spans_of(frame.clear()).height == 0
    nameless = spans_of(frame.drop("id", "year"))
    assert nameless["group"].n_unique() == 1
    assert nameless["id"].str.starts_with(nameless["group"][0] + "-").all()


def test_columns_in_the_way_and_nulls_are_refused() -> None:
    """A source's own group would be lost, and a null is no text: both name the column."""
    frame = pl.DataFrame({"text": ["x"], "group": ["g"]})
    with pytest.raises(InputError, match="'group' is in the way"):
        spans_of(frame)
    with pytest.raises(InputError, match="'document_title' is in the way"):
        spans_of(pl.DataFrame({"text": ["x"], "title": ["t"], "document_title": ["d"]}))
    with pytest.raises(InputError, match="null") as error:
        spans_of(pl.DataFrame({"text": ["x", None]}), 10)
    assert "row 12" in str(error.value)
