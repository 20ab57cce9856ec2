"""Pairs with their tags, and what is made of them."""

from __future__ import annotations

from importlib import util
from pathlib import Path

import polars as pl
import pytest

import negforge
from negforge import tagging
from negforge.errors import UsageError

TITLE = "ingest tags"


def test_each_positive_has_its_tags(tmp_path: Path) -> None:
    source = tmp_path / "pairs.jsonl"
    source.write_text('{"anchor": "q", "positive": "Two dogs bark.", "lang": "en"}\n')
    made = negforge.run(TITLE, str(source)).kept
    assert made.columns == ["id", "anchor_id", "anchor", "positive", "positive_tags", "lang"]
    assert [(one["start"], one["end"], one["tag"]) for one in made[tagging.COLUMN][0]][:2] == [(0, 3, "CD"), (4, 8, "NNS")]
    again = negforge.run(TITLE, made).kept
    assert again.equals(made)


def test_negatives_do_not_carry_the_tags_of_their_source(tmp_path: Path) -> None:
    source = tmp_path / "pairs.jsonl"
    source.write_text('{"anchor": "q", "positive": "There are 20 dogs."}\n{"anchor": "r", "positive": "No site."}\n')
    made = negforge.run("generate perturb.number", negforge.run(TITLE, str(source)).kept)
    assert made.kept.height == 1
    assert tagging.COLUMN not in made.kept.columns
    assert tagging.COLUMN not in made.dropped.columns


@pytest.mark.skipif(util.find_spec("spacy") is not None, reason="spaCy is installed")
def test_spacy_that_is_not_installed_is_named() -> None:
    with pytest.raises(UsageError) as caught:
        tagging.tagged(pl.Series(["Ann lives in Paris."]), "spacy")
    assert "negforge[nlp]" in caught.value.mend
