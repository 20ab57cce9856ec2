"""Cases that trainers' layouts stumble on, in each of those that keep an anchor's texts together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings

import negforge
from negforge.api import Result
from negforge.errors import InputError
from negforge.text import normalised
from tests import strategies
from tests.export.cases import HOSTILE, LAYOUTS, Held, row, rows_of, scored, table

pytestmark = pytest.mark.parametrize("layout", LAYOUTS)


def export(layout: str, frame: pl.DataFrame, **more: Any) -> tuple[Result, Held]:
    """What a layout makes of a table, and what its anchors hold."""
    title, options, read = LAYOUTS[layout]
    made = negforge.run(title, frame, **options, **more)
    return made, read(made)


def test_an_anchor_holds_all_its_positives_and_each_text_once(layout: str) -> None:
    """Negatives best first, in the order of their draws."""
    _, held = export(layout, scored())
    assert held == {
        "anchor of a": (["positive s1", "positive s2"], ["text 0", "text 1", "text 2"]),
        "anchor of b": (["positive s3"], ["lonely"]),
    }


def test_provenance_runs_row_for_row(layout: str) -> None:
    """The ids of an anchor's negatives, its sources, operators and ranks."""
    made, held = export(layout, scored())
    beside = {one["anchor_id"]: one for one in made.asides["provenance"].to_dicts()}
    assert beside["a"]["ids"] == ["a/s1/0/", "a/s1/1/", "a/s1/2/"]
    assert beside["a"]["source_ids"] == ["s1", "s2"]
    assert beside["a"]["operator"] == ["mine.bm25"] * 3
    assert (beside["a"]["ranks"], beside["b"]["ranks"]) == ([4, 5, 6], [None])
    assert [f"anchor of {one['anchor_id']}" for one in made.asides["provenance"].to_dicts()] == list(held)


def test_500_positives_of_an_anchor(layout: str) -> None:
    """As TREC-COVID has them (huggingface/sentence-transformers#2848): none is lost, and none is a negative."""
    rows = [row("a", f"text {at % 7}", source=f"s{at:03}", positive=f"positive {at:03}", draw=at % 7) for at in range(500)]
    rows += [row("a", "positive 499", source=f"s{at:03}", positive=f"positive {at:03}", draw=7) for at in range(3)]
    made, held = export(layout, table(*rows))
    assert held == {"anchor of a": ([f"positive {at:03}" for at in range(500)], [f"text {at}" for at in range(7)])}
    assert made.report.counts["dropped"] == {"known-positive": 3}


def test_an_anchor_with_no_negative_left_has_no_row(layout: str) -> None:
    """Its rows are dropped by name, and the others stand."""
    frame = table(row("a", "The  POSITIVE."), row("a", "the positive", source="t", draw=1), row("b", "other"))
    made, held = export(layout, frame)
    assert held == {"anchor of b": (["the positive"], ["other"])}
    assert made.report.counts["dropped"] == {"known-positive": 2}
    made, held = export(layout, frame.filter(pl.col("anchor_id") == "a"))
    assert held == {}
    assert made.asides["provenance"].height == 0


def test_what_has_the_id_of_a_positive_is_no_negative(layout: str) -> None:
    """With a title its text is another, and the document the same."""
    rows = [
        row("a", "Title the positive", source="s", draw=0, negative_id="d1", positive_id="d1"),
        row("a", "other", source="s", draw=1, negative_id="d2", positive_id="d1"),
        row("b", "Title a positive", source="u", positive="also", draw=0, negative_id="d3", positive_id="d4", label="positive"),
        row("b", "a positive", source="u", positive="also", draw=1, negative_id="d3", positive_id="d4"),
        row("b", "wrong", source="u", positive="also", draw=2, negative_id="d5", positive_id="d4"),
    ]
    made, held = export(layout, table(*rows))
    assert held == {"anchor of a": (["the positive"], ["other"]), "anchor of b": (["also"], ["wrong"])}
    assert made.report.counts["dropped"] == {"known-positive": 2, "label-positive": 1}


def test_a_text_under_two_ids_stands_once_for_an_anchor(layout: str) -> None:
    """The one of the lower draw; for another anchor it may be the other."""
    rows = [
        row("a", "same", draw=0, negative_id="d1"),
        row("a", "same", draw=1, negative_id="d2"),
        row("b", "same", draw=0, negative_id="d2"),
    ]
    _, held = export(layout, table(*rows))
    assert held == {one: (["the positive"], ["same"]) for one in ("anchor of a", "anchor of b")}


def test_hostile_texts_come_back_as_they_are(layout: str, tmp_path: Path) -> None:
    """Through the file: quotes, breaks, control characters, braces, marks of direction."""
    title, options, _ = LAYOUTS[layout]
    frame = table(*(row("a", text, draw=at, source=f"s{at}", positive=f"{text} +") for at, text in enumerate(HOSTILE)))
    frame = frame.with_columns(pl.lit("\n".join(HOSTILE)).alias("anchor"))
    declares = negforge.registry.find("export", title.split()[1]).declares
    out = tmp_path / f"train.{declares.layouts.get(options.get('layout', ''), declares.formats)[0]}"
    negforge.run(title, frame, **options, language="code", output=out)
    made, held = export(layout, frame, language="code")
    assert rows_of(out) == made.kept.to_dicts()
    assert held == {"\n".join(HOSTILE): ([f"{text} +" for text in HOSTILE], HOSTILE)}


def test_ids_that_are_numbers_become_text(layout: str) -> None:
    """In the one file as in the other."""
    frame = table(row("a", "other", negative_id="7", positive_id="8")).with_columns(pl.col("negative_id", "positive_id").cast(pl.Int64))
    made, held = export(layout, frame)
    assert held == {"anchor of a": (["the positive"], ["other"])}
    if layout != "ms-swift":
        assert {"7", "8"} <= {one for frame in (made.kept, *made.asides.values()) for one in _texts(frame.to_dicts())}


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return _texts(list(value.values()))
    if isinstance(value, list):
        return [text for one in value for text in _texts(one)]
    return [value] if isinstance(value, str) else []


def test_a_score_that_is_missing_is_told(layout: str) -> None:
    """A column that is not there, a null in it, and an infinite value, which JSON has no number for."""
    if "scores" not in negforge.registry.find("export", LAYOUTS[layout][0].split()[1]).options():
        pytest.skip("its trainer takes no scores")
    with pytest.raises(InputError) as error:
        export(layout, scored(), scores="score_y")
    assert "--scores score_x" in error.value.mend
    with pytest.raises(InputError, match="a row has no score_x"):
        export(layout, scored().with_columns(pl.lit(None, pl.Float64).alias("score_x")), scores="score_x")
    with pytest.raises(InputError, match="a row has an infinite score_x_positive"):
        export(layout, scored().with_columns(pl.lit(-float("inf")).alias("score_x_positive")), scores="score_x")


def test_at_most_n_negatives(layout: str) -> None:
    """Texts beyond n are dropped by name, in rows."""
    made, held = export(layout, scored(), n=2)
    assert held["anchor of a"][1] == ["text 0", "text 1"]
    assert made.report.counts["dropped"] == {"beyond-n": 2}
    assert sorted(made.dropped["id"]) == ["a/s1/2/", "a/s2/2/"]


@settings(max_examples=15)
@given(frame=strategies.negatives())
def test_rows_add_up_and_no_positive_is_a_negative(layout: str, frame: pl.DataFrame) -> None:
    """Each kept row's text stands once under its anchor, and no anchor is without a positive or a negative."""
    named = "corpus" in negforge.run(LAYOUTS[layout][0], frame.clear(), **LAYOUTS[layout][1]).asides
    made, held = export(layout, frame, language="code", **({"docids": "text"} if named else {}))
    lost = {*made.dropped["id"]} if "id" in made.dropped.columns else set()
    rows = frame.filter(pl.col("dropped_by").is_null() & (pl.col("label") == "negative") & ~pl.col("id").is_in(lost))
    assert sorted((anchor, text) for anchor, sides in held.items() for text in sides[1]) == sorted(
        set(rows.select("anchor", "negative").rows())
    )
    for positives, negatives in held.values():
        assert positives
        assert negatives
        same = [{*normalised(pl.Series(texts), language="code")} for texts in (positives, negatives)]
        assert not same[0] & same[1]
