"""One preposition of place replaced by its opposite: which ones, and every reason to leave one alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from negforge import grammar
from negforge.contract import Edit
from negforge.generate.perturb.replace_relation import _TABLE, generate
from tests import edits

TEXTS = edits.texts_of(
    """A the dog cat dogs couch box hill bowl is are not sitting on under in front of behind top inside to left right north up down running
    above with phone love Oslo Bergen , . ?"""
)


@pytest.mark.parametrize(
    ("text", "negative"),
    [
        ("A dog on a couch.", "A dog under a couch."),
        ("A dog is sitting on a couch.", "A dog is sitting under a couch."),
        ("Two cats under a table.", "Two cats on a table."),
        ("A cup on top of a shelf.", "A cup under a shelf."),
        ("A car in front of a house.", "A car behind a house."),
        ("A lamp above a bed.", "A lamp below a bed."),
        ("Flowers in a vase.", "Flowers outside a vase."),
        ("A bird flying over a river.", "A bird flying under a river."),
        ("A man skiing down a hill.", "A man skiing up a hill."),
        ("A dog jumping into the water.", "A dog jumping out of the water."),
        ("A cup to the left of a plate.", "A cup to the right of a plate."),
        ("Bergen is north of Stavanger.", "Bergen is south of Stavanger."),
        ("The cat is behind the couch.", "The cat is in front of the couch."),
        ("The Louvre is located inside the castle.", "The Louvre is located outside the castle."),
        ("A caf\u00e9 dog \U0001f600 and a cat on a couch", "A caf\u00e9 dog \U0001f600 and a cat under a couch"),
    ],
)
def test_a_relation_becomes_its_opposite(text: str, negative: str) -> None:
    """The preposition alone is changed, a phrase as a whole."""
    assert edits.negatives(generate, text) == [negative]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("A dog next to a couch.", "symmetric"),
        ("The game is on Monday.", "abstract"),
        ("The work is under way.", "abstract"),
        ("The couple is in love.", "abstract"),
        ("A dog in a meadow.", "abstract"),
        ("A man walking up a street.", "abstract"),
        ("A man on a phone.", "idiom"),
        ("A man on his feet.", "idiom"),
        ("A man puts on a hat.", "particle"),
        ("A man leaning over a railing.", "particle"),
        ("A dog barks on a couch.", "particle"),
        ("A plate on another plate.", "same-noun"),
        ("A dog on a couch under a lamp.", "second-relation"),
        ("On a couch is a dog.", "fronted"),
        ("Birds eat worms on branches.", "generic"),
        ("Is a dog on a couch?", "question"),
        ("A dog is on a couch!", "exclamation"),
        ("If a dog is on a couch it sleeps.", "conditional"),
        ("They said a dog is on a couch.", "reported"),
        ('A "dog" is on a couch.', "quoted"),
        ("On couches.", "short"),
        ("A dog is not on a couch.", "negated"),
        ("A dog must be on a couch.", "modal"),
    ],
)
def test_a_relation_is_left_alone_for_a_reason(text: str, reason: str) -> None:
    """Each use of a preposition whose opposite might be true as well, or means nothing, is refused by the name of its kind."""
    assert edits.refusal(generate, text) == reason


def test_the_table_goes_both_ways() -> None:
    """What replaces a relation is none of its near-synonyms, and its own opposite is no symmetric one."""
    for old, new in _TABLE.items():
        assert new not in (old, *grammar.SYMMETRIC_PREPOSITIONS)
        assert old not in grammar.SYMMETRIC_PREPOSITIONS
        assert _TABLE.get(new, "") != new


def test_protect_spares_relations() -> None:
    """A pattern of the caller protects prepositions, with what stands around them if it names that."""
    assert edits.refusal(generate, "A dog on a couch.", protect="on a couch") == "protected"


def test_two_draws_differ() -> None:
    """Each draw of a row edits another preposition."""
    text = "A cup on a table and a car behind a house."
    made = edits.negatives(generate, text)
    assert len({*made}) == len(made) == 2
    assert len({edits.negatives(generate, text, seed=seed)[0] for seed in range(20)}) == 2


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
    edits.check_long(generate, "A dog on a couch behind a box. ")


def test_command_line(tmp_path: Path) -> None:
    """The command writes the negative, and counts."""
    edits.check_command("generate perturb.replace-relation", "A dog on a couch.", "A dog under a couch.", tmp_path)


def test_real_texts(real_data: Path) -> None:
    """Captions and claims keep the laws, and a fair share of captions has an edit."""
    edits.check_real("generate perturb.replace-relation", generate, edits.captions(real_data), 0.1)
    edits.check_laws(edits.claims(real_data), edits.run(generate, edits.claims(real_data)))


def test_annotators_agree_with_the_conditions(real_data: Path) -> None:
    """Of published foils, those our conditions would make were found wrong by annotators more often than those they refuse."""
    rows = edits.votes(real_data)
    made = {int(one.row_id) for one in edits.run(generate, [row["caption"] for row in rows]) if isinstance(one, Edit)}
    like = [one for one in edits.run(generate, [row["caption"] for row in rows]) if isinstance(one, Edit)]
    ours = {int(one.row_id) for one in like if edits.apply(one, rows[int(one.row_id)]["caption"]) == rows[int(one.row_id)]["foil"]}
    assert len(made) > 100
    assert len(ours) > 20
    valid = [row["mturk"]["caption"] >= 2 for row in rows]
    others = [valid[place] for place in range(len(rows)) if place not in ours]
    assert sum(valid[place] for place in ours) / len(ours) >= sum(others) / len(others)
