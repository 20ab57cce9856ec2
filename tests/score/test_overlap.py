"""Words and characters that texts share."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings

import negforge
from negforge.score import overlap
from tests import strategies
from tests.verify.test_known_positive import negative

TITLE = "score overlap"
COLUMNS = ["score_overlap", "score_overlap_positive", "score_overlap_between"]


def scored(anchor: str, positive: str, text: str, **options: Any) -> tuple[float | None, ...]:
    """The three scores of one row."""
    row = {**negative(text), "anchor": anchor, "positive": positive}
    frame = pl.DataFrame([row], schema_overrides={"negative_id": pl.String})
    return negforge.run(TITLE, frame, **options).kept.select(COLUMNS).row(0)


def test_jaccard_is_words_shared_of_all_words() -> None:
    """By hand: 1 of 5 words, 2 of 4, 1 of 6; case and sentence punctuation do not count."""
    assert scored("Red car, fast", "a red CAR", "the red dog.") == (1 / 5, 2 / 4, 1 / 5)


def test_containment_is_words_shared_of_the_shorter_text() -> None:
    """A short query that stands whole in a long passage scores 1."""
    found = scored("red car", "my old red car stands in the yard", "a red bus", measure="containment")
    assert found == (1 / 2, 1.0, 1 / 3)


def test_a_copy_of_the_positive_scores_1() -> None:
    """Equal texts, whatever their case and spaces, share everything."""
    assert scored("x", "Two dogs bark", "two  DOGS bark!")[2] == 1.0


def test_numbers_are_words() -> None:
    """A decimal is one word, and one spelt out is the same."""
    assert scored("3.5 cats", "3.6 cats", "three dogs and 3.5 cats")[:2] == (2 / 5, 1 / 3)


@pytest.mark.parametrize("text", ["日本語の文章を比べる", "การเปรียบเทียบข้อความ"])
def test_languages_without_spaces_compare_by_characters(text: str) -> None:
    """By words such a text is one token; by runs of characters a changed one shares most of it."""
    changed = text[:-1] + "x"
    assert scored(text, text, changed)[0] == 0.0
    by_characters = scored(text, text, changed, unit="character", ngram=2)[0]
    assert by_characters is not None
    assert by_characters > 0.6


def test_runs_of_words_and_characters() -> None:
    """By hand: `a b`, `b c` share one of three with `b c`, `c d`; abc, bcd share one of three with bcd, cde."""
    assert scored("a b c", "b c d", "b c d", ngram=2)[0] == 1 / 3
    assert scored("abcd", "bcde", "bcde", unit="character")[0] == 1 / 3


def test_a_text_shorter_than_a_token_is_one() -> None:
    """Two characters in trigrams are one token, not none."""
    assert scored("ab", "ab", "ab", unit="character") == (1.0, 1.0, 1.0)
    assert scored("ab", "ab", "b", unit="character")[0] == 0.0


def test_a_text_without_tokens_has_no_score() -> None:
    """A blank text, or one of marks alone, shares neither nothing nor everything: null."""
    assert scored("x", "y", "") == (None, 0.0, None)
    assert scored("x", "y", "+++") == (None, 0.0, None)


def test_slices_change_nothing(monkeypatch: pytest.MonkeyPatch, pairs: pl.DataFrame, corpus: pl.DataFrame) -> None:
    """Texts are cut into tokens in slices of bounded size; a slice of any size gives the same scores."""
    mined = negforge.run("generate mine.bm25", pairs, corpus=corpus, num_negatives=3).kept
    runs = []
    for size in (1, 1000, 1 << 30):
        monkeypatch.setattr(overlap, "_PIECE_BYTES", size)
        runs.append(negforge.run(TITLE, mined, unit="character", workers=1).kept.select("id", *COLUMNS))
    assert runs[0].equals(runs[1])
    assert runs[0].equals(runs[2])


def tokens(text: str, unit: str) -> set[str]:
    """Words as the engine finds them, whose letters carry marks that Python's do not; trigrams by slicing."""
    if unit == "word":
        return {*pl.Series([text]).str.extract_all(overlap._WORD).item()}
    return {text[at : at + 3] for at in range(max(len(text) - 2, 1))} - {""}


def naive(one: str, other: str, measure: str, unit: str) -> float | None:
    """The definition, as plain Python."""
    left, right = tokens(one, unit), tokens(other, unit)
    if not left or not right:
        return None
    return len(left & right) / (min(len(left), len(right)) if measure == "containment" else len(left | right))


@pytest.mark.parametrize("unit", ["word", "character"])
@pytest.mark.parametrize("measure", ["jaccard", "containment"])
@settings(max_examples=25)
@given(table=strategies.negatives())
def test_scores_are_those_of_the_definition(unit: str, measure: str, table: pl.DataFrame) -> None:
    """Every score is the share of shared tokens, from 0 to 1, whatever the texts hold."""
    from negforge.text import normalised

    made = negforge.run(TITLE, table, unit=unit, measure=measure).kept
    texts = {name: normalised(made[name]) for name in ("anchor", "positive", "negative")}
    for column, (one, other) in overlap._PAIRS.items():
        expected = [naive(left, right, measure, unit) for left, right in zip(texts[one], texts[other], strict=True)]
        assert made[column].to_list() == expected


def test_on_captions_hardly_a_word_differs(real_data: Any) -> None:
    """SugarCrepe's hard captions share most words with the right one: overlap with the positive is high, and never of copies."""
    import json

    rows = [*json.loads((real_data / "sugarcrepe" / "replace_att.json").read_text()).values()]
    frame = pl.DataFrame(
        [{**negative(one["negative_caption"], row=str(place)), "positive": one["caption"]} for place, one in enumerate(rows)],
        schema_overrides={"negative_id": pl.String},
    )
    between = negforge.run(TITLE, frame).kept["score_overlap_between"]
    assert len(between) == 788
    assert between.median() == pytest.approx(0.8, abs=0.05)
