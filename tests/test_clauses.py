"""The main clause of a sentence by its tags: which word is its finite verb, and where that is not sure."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negforge import clauses, tagging
from negforge.tagging import Token


def sentences(text: str) -> list[clauses.Sentence]:
    """The sentences of a text."""
    row = tagging.tagged(pl.Series([text])).to_list()[0]
    return clauses.split(text, [Token(*one.values()) for one in row])


def found(text: str) -> tuple[str, str, str]:
    """The verb, its kind and the kind of its subject; or the reason, and nothing."""
    words = sentences(text)[0].words
    clause = clauses.main_clause(words)
    return (clause.reason, "", "") if clause.reason else (words[clause.verb].text, clause.kind, clause.subject)


@pytest.mark.parametrize(
    ("text", "verb", "kind", "subject"),
    [
        ("She ran home.", "ran", "verb", "pronoun"),
        ("They know the answer.", "know", "verb", "pronoun"),
        ("The film directed by Ann was long.", "was", "be", "definite"),
        ("A man is asleep.", "is", "be", "indefinite"),
        ("Dogs are barking.", "are", "be", "plural"),
        ("There are dogs in the park.", "are", "be", "there"),
        ("Two men are asleep.", "are", "be", "quantified"),
        ("In 1995, she moved to Rome.", "moved", "verb", "pronoun"),
        ("Muddy water is wet.", "is", "be", "mass"),
        ("A man and a woman are asleep.", "are", "be", "joined"),
        ("Ann has a red car.", "has", "verb", "named"),
        ("Ann has seen the car.", "has", "have", "named"),
        ("The cat does sleep.", "does", "do", "definite"),
        ("The cat did the work.", "did", "verb", "definite"),
    ],
)
def test_the_verb_of_the_main_clause(text: str, verb: str, kind: str, subject: str) -> None:
    """The finite verb, whether an auxiliary, and what kind of subject it has."""
    assert found(text) == (verb, kind, subject)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("A man dressed in black.", "verb-form"),
        ("A dog on a red sofa.", "no-verb"),
        ("The house that Jack built is old.", "opener"),
        ("The book he wrote is long.", "opener"),
        ("When it rained, she ran.", "opener"),
        ("In the house, which was old, she slept.", "opener"),
        ("Go home and take the bus.", "imperative"),
        ("On the table is a cat.", "inverted"),
        ("She ran home and slept.", "coordinated"),
        ("She saw the dog was asleep.", "several-verbs"),
        ("He used to live here.", "idiom"),
    ],
)
def test_where_no_verb_is_sure(text: str, reason: str) -> None:
    """Titles, clauses before or inside the subject, and sentences with more than one candidate have none."""
    assert found(text) == (reason, "", "")


def test_forms_and_plurals() -> None:
    """A form's base and tag; what is a plural of something else."""
    assert clauses.verb_form("ran") == (("run", "VBD"),)
    assert clauses.verb_form("knows") == (("know", "VBZ"),)
    assert set(clauses.verb_form("put")) == {("put", "VBD"), ("put", "VBP")}
    assert clauses.verb_form("found") == (("find", "VBD"),)
    assert clauses.is_plural("dogs") and clauses.is_plural("people") and clauses.is_plural("women")
    assert clauses.is_plural("humans") and clauses.is_plural("cows")
    assert not any(map(clauses.is_plural, ("gas", "physics", "species", "means", "news")))
    assert not clauses.is_plural("paris") and not clauses.is_plural("bus")
    assert clauses.is_participle("written") and not clauses.is_participle("wrote")


def test_a_name_keeps_its_capital() -> None:
    """A first word is written small inside a sentence, unless it is a name or begins one."""
    shown = [clauses.uncapitalised(sentences(text)[0].words, 0) for text in ("Dogs bark.", "Las Vegas shows are long.", "DNA is long.")]
    assert shown == ["dogs", "Las", "DNA"]


def test_contractions() -> None:
    """A text contracts its auxiliaries where one of them is."""
    assert clauses.contracts("They don\u2019t know.") and clauses.contracts("We're here.")
    assert not clauses.contracts("Ann's dog is here.")


@given(st.text(st.sampled_from("aA .,!?'\u2019n\u00e9\U0001f600\n\u202e")))
def test_any_text(text: str) -> None:
    """Whatever the text, words lie in it in order, and a clause has a verb or a reason."""
    for sentence in sentences(text):
        assert all(text[word.start : word.end] == word.text for word in sentence.words)
        clause = clauses.main_clause(sentence.words)
        assert bool(clause.reason) != (0 <= clause.verb < len(sentence.words))
