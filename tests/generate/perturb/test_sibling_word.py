"""One noun or colour replaced by another of its kind: which ones, by what, and every reason to leave one alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from negforge.contract import Edit
from negforge.generate.perturb.sibling_word import _COLOURS, _KINDS, _apart, _siblings, generate
from negforge.lexicon import lexicon
from negforge.words import inflected
from tests import edits

TEXTS = edits.texts_of(
    """A the an dog dogs puppy poodle horse red apple owl bus car is are not a kind of sitting on in May 1945 born died without every black and
    white boat piano with playing tennis French , . ?"""
)


@pytest.mark.parametrize(
    ("text", "old", "kind"),
    [
        ("A dog on a mat.", "dog", "animal"),
        ("Two dogs on a mat.", "dogs", "animal"),
        ("A poodle on a mat.", "poodle", "animal"),
        ("Pack of elephants walking there.", "elephants", "animal"),
        ("A bus on a street.", "bus", "vehicle"),
        ("A man eating pizza.", "pizza", "dish"),
        ("The spaniel is a dog.", "dog", "animal"),
        ("The spaniel is a kind of dog.", "dog", "animal"),
        ("Two men playing tennis.", "tennis", "sport"),
        ("He was born in May 1950.", "May", "month"),
        ("He left on Monday.", "Monday", "day"),
        ("It was written in French.", "French", "language"),
    ],
)
def test_a_word_becomes_another_of_its_kind(text: str, old: str, kind: str) -> None:
    """Of the same kind, in the word's number and case, and nothing else changed but the article."""
    made = {one for seed in range(8) for one in edits.run(generate, [text], seed=seed) if isinstance(one, Edit)}
    words = {inflected(word, "NNS" if old.endswith("s") and kind == "animal" else "NN") for word in _KINDS[kind][1]}
    assert len(made) > 4
    for one in made:
        assert one.end == text.index(old) + len(old)
        assert one.new.split()[-1].lower() in words
        assert one.new.split()[-1][0].isupper() == old[0].isupper()


def test_the_article_goes_with_the_word() -> None:
    """`a dog` becomes `an owl`, and `an owl` becomes `a dog`."""
    made = {one for seed in range(40) for one in edits.negatives(generate, "A dog on a mat.", seed=seed)}
    assert {"An owl on a mat.", "A horse on a mat."} <= made
    assert not {"A owl on a mat.", "An horse on a mat."} & made


def test_capitals_and_colours_are_spelt_right() -> None:
    """`AN OWL` becomes `A FOX`, and a colour has no plural."""
    made = {one for seed in range(40) for one in edits.negatives(generate, "AN OWL ON A MAT", seed=seed)}
    assert "A FOX ON A MAT" in made
    assert not any(one.startswith("AN ") and one[3] not in "AEIOU" for one in made)
    assert all(" oranges " not in one for seed in range(30) for one in edits.negatives(generate, "Two blue benches here.", seed=seed))


def test_a_colour_becomes_another() -> None:
    """A colour of a thing becomes one that nothing is besides."""
    made = {one for seed in range(9) for one in edits.negatives(generate, "A red bench in a park.", seed=seed)}
    assert {"A blue bench in a park.", "A green bench in a park."} <= made
    for colour, others in _COLOURS.items():
        assert colour not in others.split()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("A plumber on a mat.", "role"),
        ("A dog house on a hill.", "modifier"),
        ("A police dog on a mat.", "phrase"),
        ("A hot dog on a mat.", "phrase"),
        ("She met Horse there.", "name"),
        ("A black and white cup.", "composed"),
        ("A light blue cup on it.", "composed"),
        ("A red idea in it.", "sense"),
        ("A dog by another dog.", "repeated"),
        ("A cat by an animal.", "mentioned"),
        ("A cat by a feline.", "mentioned"),
        ("The guitar stands next to the piano.", "place"),
        ("It is next to a piano.", "place"),
        ("It stood near the old bench.", "place"),
        ("They are sitting by a lamp.", "place"),
        ("They are standing beside a horse.", "place"),
        ("The windmill is located on the farm.", "place"),
        ("The owls are often found in the forest.", "place"),
        ("A castle is situated on a hill.", "place"),
        ("Fix a small dent in my car.", "imperative"),
        ("Put the apple in it.", "imperative"),
        ("Please put the apple in it.", "imperative"),
        ("Fix the red bench in it.", "imperative"),
        ("That seems to be a lot of sandwiches.", "modal"),
        ("A thing that looks like a guitar.", "modal"),
        ("A mat with a dog.", "list"),
        ("There is a dog here.", "list"),
        ("Dogs eat much meat.", "generic"),
        ("As of May 2018, the book had sold many copies.", "generic"),
        ("As of 7 June 2018, the cup was sold.", "generic"),
        ("Is a dog on a mat?", "question"),
        ("A dog is on a mat!", "exclamation"),
        ("If a dog is on a mat it sleeps.", "conditional"),
        ("They said a dog is on a mat.", "reported"),
        ('A "dog" is on a mat.', "quoted"),
        ("A dog.", "short"),
        ("A dog is not on a mat.", "negated"),
        ("A dog must be on a mat.", "modal"),
        ("Every dog is on a mat.", "downward"),
        ("A dog, horse, owl or bear.", "list"),
    ],
)
def test_a_word_is_left_alone_for_a_reason(text: str, reason: str) -> None:
    """Each kind of word whose sibling might be true as well is refused by the name of its kind."""
    assert edits.refusal(generate, text) == reason


def test_nothing_is_replaced_by_what_it_may_be() -> None:
    """Neither a hypernym, nor a hyponym, nor a word that the text holds."""
    assert "dog" not in _siblings("poodle", "animal")
    assert "whale" not in _siblings("orca", "animal")
    assert not _apart("dog", "dog", "noun.animal")
    assert edits.refusal(generate, "A dog by its puppy.") == "mentioned"
    made = {one for seed in range(40) for one in edits.negatives(generate, "A dog chasing a horse.", seed=seed)}
    assert made
    assert not {one for one in made if one.count("horse") > 1 or one.count("dog") > 1}


@pytest.mark.parametrize("kind", [*_KINDS])
def test_the_lists_are_of_their_kind(kind: str) -> None:
    """Each word of a list has a sense in the kind's lexicographer's file, and all but a few can stand for each other."""
    lexname, words = _KINDS[kind]
    lex = lexicon()
    for word in words:
        assert any(lex.lexname(sense.synset) == lexname for sense in lex.senses(word, "n")), word
        assert len(_siblings(word, kind)) >= len(words) // 2, word


def test_protect_spares_words() -> None:
    """A pattern of the caller protects words."""
    assert edits.refusal(generate, "A dog on a mat.", protect="dog") == "protected"


def test_two_draws_differ() -> None:
    """The draws of a row are other words."""
    made = edits.negatives(generate, "A dog on a bench.")
    assert len({*made}) == len(made) == 4
    assert len({tuple(edits.negatives(generate, "A dog on a mat.", seed=seed)) for seed in range(9)}) > 5


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
    edits.check_long(generate, "A dog on a red bench by a horse. ")


def test_command_line(tmp_path: Path) -> None:
    """The command writes the negative, and counts."""
    negative = edits.negatives_as_run("generate perturb.sibling-word", "A dog on it.")
    assert negative != "A dog on it."
    edits.check_command("generate perturb.sibling-word", "A dog on it.", negative, tmp_path)


def test_real_texts(real_data: Path) -> None:
    """Captions and claims keep the laws, and a fair share of captions has an edit."""
    edits.check_real("generate perturb.sibling-word", generate, edits.captions(real_data), 0.2)
    edits.check_laws(edits.claims(real_data), edits.run(generate, edits.claims(real_data)))
