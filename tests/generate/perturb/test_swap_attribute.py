"""The attributes of two things swapped: which ones, and every reason to leave them where they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from negforge.contract import Edit
from negforge.generate.perturb.swap_attribute import generate
from tests import edits

TEXTS = edits.texts_of(
    """A an the black white orange red small large old young wooden plastic cat dog apple car table and next to on is are not light blue
    Street cats , . ?"""
)


@pytest.mark.parametrize(
    ("text", "negative"),
    [
        ("A black cup and a white hat.", "A white cup and a black hat."),
        ("A cat in an orange box by a white hat.", "A cat in a white box by an orange hat."),
        ("Black chairs by a red car.", "Red chairs by a black car."),
        ("A small dog next to a large tree.", "A large dog next to a small tree."),
        ("A young man and an old dog.", "An old man and a young dog."),
        ("A wooden table and a plastic chair.", "A plastic table and a wooden chair."),
        ("A black furry cat by a shiny white cup.", "A white furry cat by a shiny black cup."),
        ("BLACK JARS BY A RED CUP", "RED JARS BY A BLACK CUP"),
        ("A \U0001f600 black cup, a white caf\u00e9 hat.", "A \U0001f600 white cup, a black caf\u00e9 hat."),
    ],
)
def test_two_attributes_change_places(text: str, negative: str) -> None:
    """In one edit, with their articles, and letter case where it was."""
    assert edits.negatives(generate, text) == [negative]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("A black cup and a big dog.", "one-attribute"),
        ("A red cup and a red hat.", "same-attribute"),
        ("A big cat and a huge dog.", "same-attribute"),
        ("A black cup and a white cup.", "same-noun"),
        ("A black hat and a white headdress.", "same-noun"),
        ("A black and white hat by a red car.", "composed"),
        ("A light blue cup by a red car.", "composed"),
        ("A white elephant in a red cup.", "phrase"),
        ("A red car by the White fence.", "name"),
        ("A red car by a white cup and a red jar.", "repeated"),
        ("A red car by a white cup and a car.", "repeated"),
        ("It has black cups, white jars and more.", "generic"),
        ("Is a black cup by a white hat?", "question"),
        ("A black cup by a white hat!", "exclamation"),
        ("If a black cup is by a white hat it runs.", "conditional"),
        ("They said a black cup is by a white hat.", "reported"),
        ('A "fine" black cup by a white jar.', "quoted"),
        ("A black cup is not by a white hat.", "negated"),
        ("A black cup must be by a white hat.", "modal"),
    ],
)
def test_attributes_are_left_alone_for_a_reason(text: str, reason: str) -> None:
    """Each pair whose swap might be true, or no sentence, is refused by the name of its kind."""
    assert edits.refusal(generate, text) == reason


def test_the_words_stay_the_same() -> None:
    """A swap makes a text of the same words but for articles, and swapping again gives the text."""
    text = "An orange cup and a white hat by a tall tree."
    (negative,) = edits.negatives(generate, text)
    assert {*negative.replace("An ", "A ").split()} == {*"A white cup and an orange hat by a tall tree.".split()}
    assert edits.negatives(generate, negative) == [text]


def test_protect_spares_pairs() -> None:
    """A pattern of the caller protects pairs that overlap it."""
    assert edits.refusal(generate, "A black cup and a white hat.", protect="cup") == "protected"


def test_two_draws_differ() -> None:
    """Each draw of a row swaps another pair."""
    text = "A black cup, a white hat and a red car."
    made = edits.negatives(generate, text)
    assert len({*made}) == len(made) == 3
    assert len({edits.negatives(generate, text, seed=seed)[0] for seed in range(20)}) == 3


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
    edits.check_long(generate, "A black cup and a white hat. ")


def test_command_line(tmp_path: Path) -> None:
    """The command writes the negative, and counts."""
    edits.check_command("generate perturb.swap-attribute", "A black cup by a white jar.", "A white cup by a black jar.", tmp_path)


def test_real_texts(real_data: Path) -> None:
    """Captions and claims keep the laws; few captions have two attributes of one class."""
    edits.check_real("generate perturb.swap-attribute", generate, edits.captions(real_data), 0.01)
    made = edits.run(generate, edits.claims(real_data))
    edits.check_laws(edits.claims(real_data), made)
    assert sum(isinstance(one, Edit) for one in made) < 10
