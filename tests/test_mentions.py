"""Where a text names something, of which type, and which names are those of one thing."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from negforge import mentions
from negforge.tagging import Token
from tests.naming import tokens_of


def found(text: str) -> list[tuple[str, str]]:
    """Names and types in a text."""
    made = mentions.mentions(text, tokens_of(text))
    assert all(text[one.start : one.end] == one.name for one in made)
    return [(one.name, one.kind) for one in made]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            "Jonathan Swift attended Trinity College in Dublin.",
            [("Jonathan Swift", "person"), ("Trinity College", "organisation"), ("Dublin", "place")],
        ),
        ("Antonin Scalia was a Justice of the Supreme Court.", [("Antonin Scalia", "person"), ("Justice of the Supreme Court", "")]),
        ("H. P. Lovecraft wrote it.", [("H. P. Lovecraft", "person")]),
        ("Dr. Smith met Mrs. Jones in St. Louis.", [("Dr. Smith", "person"), ("Mrs. Jones", "person"), ("St. Louis", "place")]),
        ("In May, the United States left Paris.", [("United States", "place"), ("Paris", "place")]),
        (
            "They saw Ludwig van Beethoven and the Bank of England.",
            [("Ludwig van Beethoven", "person"), ("Bank of England", "organisation")],
        ),
        ("They saw Apollo 13 and Dublin 4 there.", [("Apollo", "person"), ("Dublin", "")]),
        ("They watched Dawson's Creek there.", [("Dawson", ""), ("Creek", "")]),
        ("They like Norman Italy best.", [("Norman Italy", "")]),
        ("They like Georgia best.", [("Georgia", "")]),  # a state, a country and a girl
        ("They paid US$40 for it.", [("US", "")]),
        ("Soup is hot. Koi swim. The dog ran.", []),
        ("Yesterday it rained on Monday.", []),
        ("Weng saw it. We like Weng.", [("Weng", ""), ("Weng", "")]),
        ("Ann swam across Lake Erie.", [("Ann", "person"), ("Lake Erie", "place")]),
    ],
)
def test_names_are_found_whole_and_typed_where_they_show_it(text: str, wanted: list[tuple[str, str]]) -> None:
    """Runs of capitals with what joins them; a type only where there is one."""
    assert found(text) == wanted


def test_a_parsers_entities_decide_the_type() -> None:
    """The types of spaCy are taken where all tokens of a name have the same."""
    text = "They saw Weng Li in Xyz."
    tokens = tokens_of(text)
    typed = [one._replace(entity={"Weng": "PERSON", "Li": "PERSON", "Xyz": "GPE"}.get(text[one.start : one.end], "")) for one in tokens]
    assert [(one.name, one.kind) for one in mentions.mentions(text, typed)] == [("Weng Li", "person"), ("Xyz", "place")]
    mixed = [one._replace(entity={"Weng": "PERSON", "Li": "GPE"}.get(text[one.start : one.end], "")) for one in tokens]
    assert [(one.name, one.kind) for one in mentions.mentions(text, mixed)] == [("Weng Li", ""), ("Xyz", "")]


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        *(("France", "country"), ("the United States", "country"), ("Texas", "state"), ("Asia", "continent"), ("Dublin", "city")),
        *(("Nile", "river"), ("Lake Erie", "lake"), ("Mount Everest", "mountain"), ("Xyzzy", ""), ("New York", ""), ("", "")),
    ],
)
def test_places_have_a_class_where_they_are_of_one_only(name: str, wanted: str) -> None:
    """A country is not taken for a city; what may be two has none."""
    assert mentions.place_class(name) == wanted


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        *(("UK", "United Kingdom", True), ("U.S.", "the United States", True), ("Swift", "Jonathan Swift", True), ("NASA", "Nasa", True)),
        *(("World Health Organization", "WHO", True), ("Ann's", "Ann", True), ("Ann", "Anna", False), ("Paris", "Rome", False)),
        *(("Mark Twain", "Samuel Langhorne Clemens", True), ("John Lennon", "John Adams", False), ("", "Ann", True)),
    ],
)
def test_two_names_of_one_thing_are_told(one: str, other: str, *, same: bool) -> None:
    """By case, article, dots, parts, first letters, synonyms; the same either way round."""
    assert mentions.alias(one, other) is same
    assert mentions.alias(other, one) is same


def test_gender_and_pronouns() -> None:
    """By title or first name; pronouns of one gender, of both, of none."""
    names = ("Ann", "Mr. Ann", "Mrs. Smith", "Dr. Ann Lee", "Dr. Smith", "Alex", "Zq", "")
    assert [mentions.gender_of(name) for name in names] == ["f", "m", "f", "f", "", "", "", ""]
    assert [mentions.pronouns(text) for text in ("he hid his", "She herself", "he saw her", "it is theirs")] == ["m", "f", "both", ""]


def test_what_would_be_left_behind_is_told() -> None:
    """A part of a name, or its acronym, that stands alone; not the name itself, and not a part of a longer word."""
    assert mentions.said_otherwise("John Smith came. Smith left.", "John Smith") == "Smith"
    assert mentions.said_otherwise("The World Bank lent. The WB left.", "World Bank") == "WB"
    assert mentions.said_otherwise("John Smith came. John Smith left, a smithy.", "John Smith") == ""
    assert mentions.said_otherwise("Ann came. ANN left.", "Ann") == "ANN"
    assert mentions.occurrences("Ann and Anna, Ann-Marie, O'Ann, Ann's", "Ann") == [(0, 3), (32, 35)]


def test_several_changes_make_one_edit() -> None:
    """It spans them and keeps what lies between."""
    assert mentions.replaced("a b c d", [(4, 5, "Y"), (0, 1, "XX")]) == (0, 5, "XX b Y")


@given(st.one_of(st.text(), st.text(st.sampled_from("AaBb .,'\"?!Éé\u0301\U0001f600\u05d0\u200f\n")), st.text("Ab ", max_size=3)))
def test_any_text_gives_whole_ordered_names(text: str) -> None:
    """Names do not overlap, and stand where they say."""
    made = mentions.mentions(text, tokens_of(text))
    assert all(text[one.start : one.end] == one.name and one.name for one in made)
    assert all(one.end <= two.start for one, two in pairwise(made))


def test_tokens_of_another_text_are_no_trap() -> None:
    """A lone token at the end opens a name without looking beyond it."""
    assert mentions.mentions("Ann", [Token(0, 3, "NNP")]) == [mentions.Mention(0, 3, "Ann", "person", "")]
