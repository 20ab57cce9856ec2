"""Two things swapped around a relation of place: which ones, and every reason to leave them where they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from negforge.contract import Edit
from negforge.generate.perturb.swap_object import generate
from tests import edits

TEXTS = edits.texts_of(
    """A the two dog dogs couch cat table plate is are sits sitting on under in behind next to and of his group with there white , . ?"""
)


@pytest.mark.parametrize(
    ("text", "negative"),
    [
        ("A dog on a couch.", "A couch on a dog."),
        ("A small dog is sitting on a red couch.", "A red couch is sitting on a small dog."),
        ("Two dogs are sitting on a couch.", "A couch is sitting on two dogs."),
        ("A cup sits on two plates.", "Two plates sit on a cup."),
        ("There is a dog under a table.", "There is a table under a dog."),
        ("A dog on top of a couch by a lamp", "A couch on top of a dog by a lamp"),
        ("A DOG ON A COUCH", "A COUCH ON A DOG"),
        ("a dog behind a couch. \U0001f600", "a couch behind a dog. \U0001f600"),
    ],
)
def test_two_things_change_places(text: str, negative: str) -> None:
    """With determiners, attributes and number; the verb agrees, and the first letter stays large."""
    assert edits.negatives(generate, text) == [negative]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("A dog next to a couch.", "symmetric"),
        ("A dog in front of a couch.", "symmetric"),
        ("A dog and a cat on a couch.", "coordinated"),
        ("A dog on a couch and a chair.", "coordinated"),
        ("A dog on Monday.", "abstract"),
        ("A dog in a mood.", "abstract"),
        ("A group of dogs on a couch.", "attachment"),
        ("A group on a couch.", "measure"),
        ("A man rides a horse on a couch.", "attachment"),
        ("A dog on a beach.", "place"),
        ("A man in a red hat.", "worn"),
        ("A cat on a man's head.", "coordinated"),
        ("A cat on a head.", "part"),
        ("A dog on his couch.", "pronoun"),
        ("A plate on a plate.", "same-noun"),
        ("A dog on a couch by another dog.", "repeated"),
        ("There is a dog under two tables.", "agreement"),
        ("Dogs sleep and eat on couches.", "coordinated"),
        ("Each dog on a couch sleeps.", "generic"),
        ("Several dogs on both couches.", "quantified"),
        ("Is a dog on a couch?", "attachment"),
        ("A dog is on a couch?", "question"),
        ("A dog is on a couch!", "exclamation"),
        ("A dog is on a couch if it sleeps.", "conditional"),
        ("A dog is on a couch they said.", "reported"),
        ('A dog is on a couch by a "cup".', "quoted"),
        ("A dog on a couch that never sleeps.", "negated"),
        ("A dog on a couch must sleep.", "modal"),
    ],
)
def test_things_are_left_alone_for_a_reason(text: str, reason: str) -> None:
    """Each pair whose swap might be true, or no sentence, is refused by the name of its kind."""
    assert edits.refusal(generate, text) == reason


def test_swapping_again_gives_the_text() -> None:
    """The edit is its own inverse."""
    for text in ("A dog on a couch.", "Two dogs are sitting on a couch.", "A dog on top of a couch by a lamp"):
        (negative,) = edits.negatives(generate, text)
        assert edits.negatives(generate, negative) == [text]


def test_protect_spares_pairs() -> None:
    """A pattern of the caller protects pairs that overlap it."""
    assert edits.refusal(generate, "A dog on a couch.", protect="couch") == "protected"


def test_two_draws_differ() -> None:
    """Each draw of a row swaps another pair."""
    made = edits.negatives(generate, "A dog on a couch. A cup on a plate.")
    assert {*made} == {"A couch on a dog. A cup on a plate.", "A dog on a couch. A plate on a cup."}


@given(TEXTS)
def test_no_text_breaks_it(text: str) -> None:
    """Whatever the text, an edit spans what it changes and can be undone."""
    edits.check_laws([text], edits.run(generate, [text]))


@given(st.lists(TEXTS, max_size=5), st.integers(0, 9))
def test_rows_do_not_depend_on_their_neighbours(texts: list[str], seed: int) -> None:
    """Any batching and order give the same rows."""
    edits.check_neighbours(generate, texts, seed)


def test_a_megabyte_in_a_cell() -> None:
    """Long cells are passed over or edited, and end."""
    edits.check_long(generate, "A dog on a couch. ")


def test_command_line(tmp_path: Path) -> None:
    """The command writes the negative, and counts."""
    edits.check_command("generate perturb.swap-object", "A dog on a couch.", "A couch on a dog.", tmp_path)


def test_real_texts(real_data: Path) -> None:
    """Captions and claims keep the laws, and some captions have an edit."""
    edits.check_real("generate perturb.swap-object", generate, edits.captions(real_data), 0.03)
    made = edits.run(generate, edits.claims(real_data))
    edits.check_laws(edits.claims(real_data), made)
    assert sum(isinstance(one, Edit) for one in made) < 10
