"""A tagged text as rules look at it: scenes and claims, phrases, what nouns name."""

from __future__ import annotations

import pytest

from negforge import reading
from negforge.contract import Edit, Refusal
from negforge.reading import Sentence, Site
from negforge.rng import Rng
from tests import edits


def sentences(text: str) -> list[Sentence]:
    """The sentences of one text."""
    return [one for _, _, found in reading.rows(edits.batch([text])) for one in found]


@pytest.mark.parametrize(
    "text",
    [
        "A dog on a couch.",
        "Two men are riding horses.",
        "There is a cup on a table.",
        "A man sits on a bench.",
        "Two boys play tennis.",
        "Flowers in a vase.",
        "Black chairs by a car.",
        "The cat is on the table.",
    ],
)
def test_a_scene(text: str) -> None:
    """What has no finite verb but of posture, or `is` with a participle or a place."""
    assert reading.is_scene(sentences(text)[0])


@pytest.mark.parametrize(
    "text",
    [
        "A dog is an animal.",
        "Dogs eat bones.",
        "Small dogs eat bones.",
        "She rode home on a horse.",
        "A kayak traverses small lakes.",
        "The walrus lives in the sea.",
        "Many men ride horses.",
        "A dog can swim.",
        "Oslo is in Norway.",
        "The engineer designed the bridge.",
        "support of three young men from Norman",
        "10 best hotels in Paris",
        "modern cryptographic systems",
        "The rain that fed the glaciers also raised the rivers.",
        "Some important classes are the following:",
    ],
)
def test_no_scene(text: str) -> None:
    """Claims of kinds, of the past and of what is possible, whatever the tagger takes their verbs for."""
    assert not reading.is_scene(sentences(text)[0])


def test_sentences_keep_their_places() -> None:
    """Words lie where the text has them, also where small letters are more than large ones."""
    text = "The \u0130 dog sat. A cat\u2019s cup is red."
    found = sentences(text)
    assert [one.text for one in found] == ["The \u0130 dog sat. ", "A cat\u2019s cup is red."]
    assert all(text[word.start : word.end].lower().replace("\u2019", "'") == word.text for one in found for word in one.words)


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("dogs", "noun.animal"),
        ("table", "noun.artifact"),
        ("bowls", "noun.artifact"),
        ("men", "noun.person"),
        ("love", "noun.feeling"),
        ("qqq", ""),
    ],
)
def test_what_a_noun_names(word: str, kind: str) -> None:
    """By its first sense, or by its use in captions."""
    assert reading.kind(word) == kind


def test_akin() -> None:
    """The same, or one a kind of the other."""
    assert reading.akin("dog", "puppy")
    assert reading.akin("dog", "animal")
    assert not reading.akin("dog", "horse")


def test_noun_phrases() -> None:
    """From a determiner to the head, and back."""
    words = sentences("A small dog on two red car seats.")[0].words
    assert reading.phrase_from(words, 0) == (0, 2)
    assert reading.phrase_to(words, 2) == (0, 2)
    assert reading.phrase_from(words, 4) == (4, 7)
    assert reading.phrase_from(words, 3) is None
    assert reading.phrase_to(words, 3) is None


def test_sites_are_taken_by_turns() -> None:
    """The first of every site before the second of any; a row is refused with the reason of its first site."""
    rng = Rng(0, "tested")
    made = list(
        reading.answered("a", "one two", [Site(0, 3, ("1", "I")), Site(4, 7, ("2", "II")), Site(0, 7, reason="whole")], rng, None, 3)
    )
    assert {one.new for one in made[:2] if isinstance(one, Edit)} == {"1", "2"}
    assert len(made) == 3
    assert list(reading.answered("a", "one two", [Site(4, 7, reason="late"), Site(0, 3)], rng, None, 3)) == [Refusal("a", "late", "two")]
    assert list(reading.answered("a", "one two", [Site(0, 3)], rng, None, 3)) == [Refusal("a", "no-value", "one")]
    assert list(reading.answered("a", "one two", [], rng, None, 3)) == []
