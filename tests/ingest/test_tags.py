"""Pairs with their tags, and what is made of them."""

from __future__ import annotations

from pathlib import Path

import pytest

import negforge
from negforge import tagging

TITLE = "ingest tags"


def test_each_positive_has_its_tags(tmp_path: Path) -> None:
    source = tmp_path / "pairs.jsonl"
    source.write_text('{"anchor": "q", "positive": "Two dogs bark.", "lang": "en"}\n')
    made = negforge.run(TITLE, str(source)).kept
    assert made.columns == ["id", "anchor_id", "anchor", "positive", "positive_tags", "lang"]
    assert [one["tag"] for one in made[tagging.COLUMN][0]] == ["CD", "NNS", "NN", "."] or made[tagging.COLUMN][0][0]["tag"] == "CD"
    again = negforge.run(TITLE, made).kept
    assert again.equals(made)


def test_negatives_do_not_carry_the_tags_of_their_source(tmp_path: Path) -> None:
    source = tmp_path / "pairs.jsonl"
    source.write_text('{"anchor": "q", "positive": "There are 20 dogs."}\n{"anchor": "r", "positive": "No site."}\n')
    made = negforge.run("generate perturb.number", negforge.run(TITLE, str(source)).kept)
    assert made.kept.height == 1
    assert tagging.COLUMN not in made.kept.columns
    assert tagging.COLUMN not in made.dropped.columns


def test_spacy_is_asked_for_by_name(tmp_path: Path) -> None:
    """Where it is installed it names entities; where it is not, the mend says what to install."""
    source = tmp_path / "pairs.jsonl"
    source.write_text('{"anchor": "q", "positive": "Ann lives in Paris."}\n')
    try:
        made = negforge.run(TITLE, str(source), tagger="spacy").kept
    except negforge.errors.UsageError as error:
        assert "negforge[nlp]" in error.mend or "en-core-web-sm" in error.mend
        pytest.skip("spaCy is not installed")
    assert "GPE" in [one["entity"] for one in made[tagging.COLUMN][0]]
