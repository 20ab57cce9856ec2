"""A word in the place of another: its form, its case and its article."""

from __future__ import annotations

import pytest

from negforge import words


@pytest.mark.parametrize(
    ("lemma", "tag", "form"),
    [
        *(
            ("dog", "NNS", "dogs"),
            ("man", "NNS", "men"),
            ("ice cream", "NNS", "ice creams"),
            ("go", "VBD", "went"),
            ("take", "VBN", "taken"),
        ),
        *(
            ("lie", "VBG", "lying"),
            ("happy", "JJR", "happier"),
            ("careful", "JJR", None),
            ("swiffle", "VBD", "swiffled"),
            ("run", "VB", "run"),
        ),
    ],
)
def test_forms(lemma: str, tag: str, form: str | None) -> None:
    """Irregular ones too (marcotcr/checklist#43)."""
    assert words.inflected(lemma, tag) == form


@pytest.mark.parametrize(
    ("word", "like", "made"), [("cat", "Dog", "Cat"), ("cat", "DOG", "CAT"), ("Paris", "rome", "Paris"), ("cat", "I", "Cat")]
)
def test_letter_case(word: str, like: str, made: str) -> None:
    assert words.recased(word, like) == made


@pytest.mark.parametrize("word", "owl hour honest island MRI X-ray uncle unimportant 8-year-old umbrella".split())
def test_an(word: str) -> None:
    assert words.article(word) == "an"


@pytest.mark.parametrize("word", "dog user unit one European university union useful once ukulele".split())
def test_a(word: str) -> None:
    assert words.article(word) == "a"


@pytest.mark.parametrize(
    ("text", "start", "new", "made"),
    [
        ("He saw a dog", 9, "owl", (7, "an owl")),
        ("An apple", 3, "pear", (0, "A pear")),
        ("A dog", 2, "owl", (0, "An owl")),
        ("the dog", 4, "owl", (4, "owl")),
    ],
)
def test_the_article_before_an_edit(text: str, start: int, new: str, made: tuple[int, str]) -> None:
    assert words.with_article(text, start, new) == made
