"""Words by their places, in many scripts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from negforge.errorrates import cut, joined
from negforge.pieces import Draws, between, clusters, is_unspaced, spliced, whole, words
from negforge.rng import Rng
from negforge.sounds import SOUNDS
from tests import strategies
from tests.perturbed import ODD

TEXTS = st.one_of(strategies.texts, st.sampled_from(ODD), st.just(""))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Don't stop, it's 3.5 or 1,000!", "Don't stop it's 3.5 or 1,000"),
        ("a well-known (naïve) a_b v1.2.3 5th", "a well-known naïve a_b v1.2.3 5th"),
        ("C++ and -5", "C and 5"),
        ("end.Next one", "end Next one"),
        ("e\u0301te\u0301", "e\u0301te\u0301"),
        ("\u0939\u093f\u0928\u094d\u0926\u0940 \u092e\u0947\u0902", "\u0939\u093f\u0928\u094d\u0926\u0940 \u092e\u0947\u0902"),
        ("\u05e9\u05dc\u05d5\u05dd, \u05e2\u05d5\u05dc\u05dd", "\u05e9\u05dc\u05d5\u05dd \u05e2\u05d5\u05dc\u05dd"),
        ("我们ABC走。", "我 们 ABC 走"),
        ("ที่นี่", "ที่ นี่"),
        ("한국어 문장", "한국어 문장"),
        ("\U0001f600 ...", ""),
    ],
)
def test_words(text: str, found: str) -> None:
    """Marks stay with their letters; hyphens, apostrophes and decimal marks inside a word are of it; without blanks a character is one."""
    assert [text[start:end] for start, end in words(text)] == found.split()


@given(TEXTS)
def test_places_are_in_order_and_pieces_are_the_text(text: str) -> None:
    """Words do not overlap and hold no blank; the pieces joined are the text, a word in each."""
    spans = words(text)
    assert all(one < two for span in spans for one, two in [span])
    assert [place for span in spans for place in span] == sorted(place for span in spans for place in span)
    assert not any(one.isspace() for start, end in spans for one in text[start:end])
    assert "".join(whole(text)) == text
    assert len(whole(text)) == max(len(spans), 1 if text else 0)
    assert "".join(clusters(text)) == text


@given(TEXTS)
def test_splicing_words_back_is_the_text(text: str) -> None:
    """In any order of the edits."""
    edits = [(start, end, text[start:end]) for start, end in words(text)]
    assert spliced(text, edits) == spliced(text, edits[::-1]) == text
    assert spliced("a b c", [(4, 5, "z"), (0, 1, ""), (2, 2, "x ")]) == " x b z"


def test_clusters() -> None:
    """A letter with its marks is one, and so are people joined."""
    assert clusters("e\u0301te") == ["e\u0301", "t", "e"]
    assert clusters("\U0001f469\u200d\U0001f467x") == ["\U0001f469\u200d\U0001f467", "x"]


def test_blanks_between_words() -> None:
    """None where the script has none."""
    assert (between("dog"), between("走"), is_unspaced("a走"), is_unspaced("한")) == (" ", "", True, False)
    assert joined(["we", "走", "走", "now"]) == "we 走走now"
    assert cut("The 走!") == ["the", "走"]


def test_draws_are_of_a_row_and_a_purpose() -> None:
    """The same again for the same, others for another."""
    first = [Draws(Rng(0, "x"), "1", "a").below(1 << 40) for _ in range(2)]
    others = [Draws(Rng(0, "x"), "1", "b"), Draws(Rng(0, "x"), "2", "a"), Draws(Rng(1, "x"), "1", "a")]
    assert first[0] == first[1]
    assert len({first[0], *(draws.below(1 << 40) for draws in others)}) == 4
    draws = Draws(Rng(0, "x"), "1")
    assert sorted(draws.shuffled(range(9))) == list(range(9))
    assert all(0 <= share < 1 for share in draws.shares(100))
    assert 60 < sum(draws.chance(0.1) for _ in range(1000)) < 140


def test_words_that_sound_alike_are_two() -> None:
    """No word sounds like itself alone, and all are in small letters."""
    assert all(word != other and word.islower() and other.islower() for word, other in SOUNDS.items())
