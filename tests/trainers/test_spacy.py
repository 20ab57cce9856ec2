"""spaCy tags the tokens that the light tagger tags, and its parse and entities stand in the column."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

import negforge
from negforge import tagging

pytestmark = pytest.mark.trainer
pytest.importorskip("spacy", reason="needs the `trainers` group")

TEXTS = ["Ann Miller lives in Paris.", "The dog isn't chasing 2 cats, is it?", "", "He said: \u201cno\u201d \U0001f600."]


def test_both_taggers_tag_the_same_tokens() -> None:
    """Offsets agree, so that rows tagged by one are edited as those of the other (QData/TextAttack#435)."""
    light, parsed = (
        tagging.tokens(pl.DataFrame({tagging.COLUMN: tagging.tagged(pl.Series(TEXTS), tagger)})) for tagger in ("light", "spacy")
    )
    for one, other in zip(light, parsed, strict=True):
        assert [(token.start, token.end) for token in one] == [(token.start, token.end) for token in other]
    assert [token.tag for token in parsed[1][:5]] == ["DT", "NN", "VBZ", "RB", "VBG"]


def test_heads_and_entities() -> None:
    first = tagging.tokens(pl.DataFrame({tagging.COLUMN: tagging.tagged(pl.Series(TEXTS), "spacy")}))[0]
    text = TEXTS[0]
    entities = {text[token.start : token.end]: token.entity for token in first}
    assert (entities["Miller"], entities["Paris"], entities["lives"]) == ("PERSON", "GPE", "")
    root = next(place for place, token in enumerate(first) if token.head == place)
    assert text[first[root].start : first[root].end] == "lives"
    subject = next(token for token in first if token.relation == "nsubj")
    assert (text[subject.start : subject.end], subject.head) == ("Miller", root)


def test_the_column_is_read_back_from_a_file(tmp_path: Path) -> None:
    source = tmp_path / "pairs.jsonl"
    source.write_text('{"anchor": "q", "positive": "Ann lives in Paris."}\n')
    made = negforge.run("ingest tags", str(source), tagger="spacy").kept
    made.write_parquet(tmp_path / "tagged.parquet")
    assert tagging.checked(pl.read_parquet(tmp_path / "tagged.parquet")).to_list() == made[tagging.COLUMN].to_list()
    assert "GPE" in [one["entity"] for one in made[tagging.COLUMN][0]]
