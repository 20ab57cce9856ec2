"""Subject and object of a verb swapped: of which verbs, and every reason to leave them where they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from negforge import grammar
from negforge.contract import Edit
from negforge.generate.perturb.swap_roles import _DONE, _MUTUAL, _SEEN, generate
from tests import edits

TEXTS = edits.texts_of(
    """A the two man dogs dog horse riding rides feeding watching killed Brutus Caesar he him himself is are was by and a group of hot bat his
    , . ?"""
)


@pytest.mark.parametrize(
    ("text", "negative"),
    [
        ("A man walking a dog.", "A dog walking a man."),
        ("A man is feeding two giraffes by a fence.", "Two giraffes are feeding a man by a fence."),
        ("Two men are riding a horse.", "A horse is riding two men."),
        ("A boy rides a horse.", "A horse rides a boy."),
        ("A group of people riding elephants", "Elephants riding a group of people"),
        ("A man in a red suit riding a horse.", "A horse riding a man in a red suit."),
        ("A picture of a man walking a dog.", "A picture of a dog walking a man."),
        ("There is a man walking a dog.", "There is a dog walking a man."),
        ("Brutus killed Caesar.", "Caesar killed Brutus."),
        ("He killed Caesar.", "Caesar killed him."),
        ("She assassinated them.", "They assassinated her."),
        ("The Beatles wrote Jude in 1968.", "Jude wrote the Beatles in 1968."),
        ("A caf\u00e9 dog walking a man \U0001f600.", "A man walking a caf\u00e9 dog \U0001f600."),
    ],
)
def test_two_sides_change_places(text: str, negative: str) -> None:
    """With their determiners; pronouns change their case, and the verb agrees."""
    assert edits.negatives(generate, text) == [negative]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("A man hugging a dog.", "symmetric"),
        ("A man watching a dog.", "symmetric"),
        ("A man described a dog.", "not-one-way"),
        ("A dog was carried by a man.", "passive"),
        ("A man is washing himself.", "reflexive"),
        ("A man carrying a cup.", "animacy"),
        ("A man carrying a hot dog.", "animacy"),
        ("A man carrying a stuffed animal.", "animacy"),
        ("A man walking a dog and a cat.", "coordinated"),
        ("A man walking his dog.", "pronoun"),
        ("A boy carries a boy.", "same-noun"),
        ("A man walking a dog by a dog.", "repeated"),
        ("In a park a man feeds a dog.", "attachment"),
        ("A man feeds a dog at home.", "generic"),
        ("There is a man walking two dogs.", "agreement"),
        ("Many men are walking a dog.", "quantified"),
        ("A man is walking a dog?", "question"),
        ("A man is walking a dog!", "exclamation"),
        ("A man is walking a dog if it barks.", "conditional"),
        ("A man is walking a dog they said.", "reported"),
        ('A man is walking a dog by a "cup".', "quoted"),
        ("A man is not walking a dog.", "attachment"),
        ("A man is walking a dog that never barks.", "negated"),
        ("A man walking a dog must stop.", "modal"),
    ],
)
def test_sides_are_left_alone_for_a_reason(text: str, reason: str) -> None:
    """Each verb whose swap might be true, or no sentence, is refused by the name of its kind."""
    assert edits.refusal(generate, text) == reason


def test_no_verb_goes_both_ways() -> None:
    """What is swapped is none of the reciprocal verbs."""
    assert not (_SEEN | _DONE) & (grammar.SYMMETRIC_VERBS | _MUTUAL)


def test_swapping_again_gives_the_text() -> None:
    """The edit is its own inverse."""
    for text in ("A man walking a dog.", "Two men are riding a horse.", "Brutus killed Caesar."):
        (negative,) = edits.negatives(generate, text)
        assert edits.negatives(generate, negative) == [text]


def test_protect_spares_pairs() -> None:
    """A pattern of the caller protects pairs that overlap it."""
    assert edits.refusal(generate, "A man walking a dog.", protect="dog") == "protected"


def test_two_draws_differ() -> None:
    """Each draw of a row swaps in another sentence."""
    made = edits.negatives(generate, "A man walking a dog. Brutus killed Caesar.")
    assert {*made} == {"A dog walking a man. Brutus killed Caesar.", "A man walking a dog. Caesar killed Brutus."}


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
    edits.check_long(generate, "A man walking a dog. ")


def test_command_line(tmp_path: Path) -> None:
    """The command writes the negative, and counts."""
    edits.check_command("generate perturb.swap-roles", "A man walking a dog.", "A dog walking a man.", tmp_path)


def test_real_texts(real_data: Path) -> None:
    """Captions and claims keep the laws, and some captions have an edit."""
    edits.check_real("generate perturb.swap-roles", generate, edits.captions(real_data), 0.002)
    made = edits.run(generate, edits.claims(real_data))
    edits.check_laws(edits.claims(real_data), made)
    assert sum(isinstance(one, Edit) for one in made) < 20
