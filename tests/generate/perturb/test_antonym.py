"""One word of a text replaced by its opposite: which words, by what, and every reason to leave one alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from negforge.generate.perturb.antonym import generate
from tests import edits

TEXTS = edits.texts_of(
    """A the small large black old young dog dogs man woman his is are not sitting on red open door X loves hates or too very high school
    in than larger buy quickly people , . ?"""
)


@pytest.mark.parametrize(
    ("text", "negative"),
    [
        ("A small dog on a couch.", "A large dog on a couch."),
        ("An empty bowl on a table.", "A full bowl on a table."),
        ("A happy couple cutting a cake.", "An unhappy couple cutting a cake."),
        ("Small dogs in a box", "Large dogs in a box"),
        ("A young man on a couch.", "An old man on a couch."),
        ("Two women on a couch.", "Two men on a couch."),
        ("A man sitting on a bench.", "A woman sitting on a bench."),
        ("A cat sitting on a bench.", "A cat standing on a bench."),
        ("Jupiter is the largest planet.", "Jupiter is the smallest planet."),
        ("Jupiter is larger than Mars.", "Jupiter is smaller than Mars."),
        ("The elephant is strong.", "The elephant is weak."),
        ("He is alive.", "He is dead."),
        ("In 1990, the pilot was successful.", "In 1990, the pilot was unsuccessful."),
        ("The results were significant (p < 0.05).", "The results were insignificant (p < 0.05)."),
        ("The album includes a song by Cher.", "The album excludes a song by Cher."),
        ("He agreed with the plan.", "He disagreed with the plan."),
        ("Popeye loves spinach.", "Popeye hates spinach."),
        ("The bamboo grows quickly in the sun.", "The bamboo grows slowly in the sun."),
        ("The caf\u00e9 \U0001f600 is empty.", "The caf\u00e9 \U0001f600 is full."),
    ],
)
def test_a_word_becomes_its_opposite(text: str, negative: str) -> None:
    """In the word's form and letter case, with the article that goes with it, and nothing else changed."""
    assert negative in {one for seed in range(6) for one in edits.negatives(generate, text, seed=seed)}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("A black cat in a box.", "not-contrary"),
        ("The other cat in a box.", "not-contrary"),
        ("A short cup on a table.", "sense"),
        ("An old cup on a table.", "sense"),
        ("She sells shells here.", "relational"),
        ("A high school in town.", "phrase"),
        ("Is the box empty?", "question"),
        ("The box is empty!", "exclamation"),
        ("If it is empty it is light.", "conditional"),
        ("They said the box is empty.", "reported"),
        ('The "box" is empty now.', "quoted"),
        ("Empty box.", "short"),
        ("The box is not empty.", "negated"),
        ("The box isn\u2019t empty.", "negated"),
        ("The box must be empty.", "modal"),
        ("Some boxes are empty.", "quantified"),
        ("The box is too large for it.", "degree"),
        ("The box is large or heavy.", "disjunction"),
        ("A small dog by a small cat.", "repeated"),
        ("A small dog by another dog.", "repeated"),
        ("A small dog by a large cat.", "second-antonym"),
        ("A small dog by a huge cat.", "second-antonym"),
        ("A man beside two people.", "mentioned"),
        ("A man with his cup.", "pronoun"),
        ("A cat sitting down on it.", "phrase"),
        ("A cat sitting by another cat.", "generic"),
        ("Small dogs eat meat at night.", "no-claim"),
        ("Elephants are strong animals.", "indefinite"),
        ("Chinchillas are popular as pets.", "indefinite"),
        ("It was a bad idea to go there.", "indefinite"),
        ("Rome is a successful rationally designed city.", "indefinite"),
        ("Five activists were dead by then.", "indefinite"),
        ("The house has large rooms upstairs.", "indefinite"),
        ("There were large rooms upstairs.", "indefinite"),
        ("A sign and a small house mark the border of reason.", "generic"),
        ("Some important classes of problems are the following.", "quantified"),
        ("There are a variety of ways to play on a larger board.", "quantified"),
        ("The water is cold in most places.", "quantified"),
        ("The pole is visible only from the south.", "quantified"),
        ("The war ended in 1945.", "not-contrary"),
        ("The story began in 2002 in Poland.", "not-contrary"),
        ("The shop opened in 2002 in Poland.", "not-contrary"),
        ("The museum is free for children.", "not-contrary"),
        ("The upper valley is in Syria.", "not-contrary"),
        ("It is possible that they differ.", "not-contrary"),
        ("They formed a legal entity in 1990.", "not-contrary"),
        ("He has a regular cafe in town.", "not-contrary"),
        ("The council approved a budget on Tuesday.", "phrase"),
        ("The producer agrees to the condition.", "phrase"),
        ("He is dead tired after work.", "phrase"),
        ("The word is soft\u00adhyphen here.", "phrase"),
        ("He is happy to see the hero.", "phrase"),
        ("Jane is the sister of Tom.", "relational"),
        ("It is important for us to eat at home.", "generic"),
        ("I am afraid that it is late.", "reported"),
        ("10 best hotels in Paris", "no-claim"),
        ("modern cryptographic systems", "no-claim"),
        ("constant factors and smaller terms", "no-claim"),
        ("Fix a small dent in my car", "no-claim"),
        ("play an important role in the safety of the world.", "no-claim"),
        ("support of three young victims from Norman, Oklahoma.", "no-claim"),
        ("The Sahrawi Democratic Republic is in Africa.", "name"),
        ("A man's cup on a table.", "modifier"),
    ],
)
def test_a_word_is_left_alone_for_a_reason(text: str, reason: str) -> None:
    """Each kind of word whose opposite might be true as well is refused by the name of its kind."""
    assert edits.refusal(generate, text) == reason


def test_protect_spares_words() -> None:
    """A pattern of the caller protects words, with those around them if it names those."""
    assert edits.refusal(generate, "A small dog on a couch.", protect="small") == "protected"
    assert edits.negatives(generate, "A small cup by a clean sink.", protect="small cup") == ["A small cup by a dirty sink."]


def test_two_draws_differ() -> None:
    """Each draw of a row edits another word, and the order is drawn for the row."""
    text = "A small cup by a clean sink and an empty box."
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
    edits.check_long(generate, "A small dog on a couch by an empty box. ")


def test_command_line(tmp_path: Path) -> None:
    """The command writes the negative, and counts."""
    edits.check_command("generate perturb.antonym", "A small cup on it.", "A large cup on it.", tmp_path)


def test_real_texts(real_data: Path) -> None:
    """Captions and claims keep the laws, and a fair share has an edit (makcedward/nlpaug#78, #167)."""
    edits.check_real("generate perturb.antonym", generate, edits.captions(real_data), 0.15)
    edits.check_laws(edits.claims(real_data), edits.run(generate, edits.claims(real_data)))
