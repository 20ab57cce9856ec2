"""Counts for people and as JSON, progress on a terminal, and text that cannot steer one."""

from __future__ import annotations

import io
import json
import math
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import negforge
from negforge.report import Counts, Report, counted, document, preview, printable, score_steps
from negforge.sinks import Outcome

GENERATED: dict[str, Any] = {
    "seen": 4, "kept": 6, "dropped": {"no-site": 1}, "labels": {"negative": 5, "positive": 1}, "asked": 8, "emitted": 5,
    "refused": {"no-site": 2}, "short": 1, "vetoed": {"known-positive": 1}, "repeated": 2, "blank": 0,
    "per_source": {"min": 0, "median": 2, "max": 2, "none": 1},
}  # fmt: skip


def report(stage: str, counts: dict[str, Any], place: str = "out/x.parquet", **more: Any) -> Report:
    """A finished stage."""
    outcome = Outcome(place, counts["kept"], more.pop("dropped", 0), {"rows_digest": "ab", "content_digest": "cd"}, **more)
    return Report(stage, counts, outcome, 0.26)


def test_a_generator_counts_slots() -> None:
    """A slot is emitted, refused or short, each by name, and what each anchor or row got."""
    assert report("generate perturb.number", GENERATED, dropped=1).lines() == [
        "generate perturb.number: asked 8, emitted 5, no-site 2, short 1 (slots)",
        "  negatives of each source row: min 0, median 2, max 2; left with none: 1",
        "  candidates proved true, labelled positive: known-positive 1",
        "  candidates passed over: repeated 2, blank 0",
        "  labels of the kept rows: negative 5, positive 1",
        "  wrote 6 rows to out/x.parquet, beside them 1 dropped (0.3 s)",
        "  rows_digest ab",
    ]
    assert "negatives of each anchor" in report("generate mine.bm25", GENERATED).lines()[1]


def test_another_stage_counts_rows() -> None:
    """A row is kept, dropped for a reason, or was dropped before."""
    counts = {"seen": 9, "kept": 1, "dropped": {"before": 3, "beyond-k": 5}}
    assert report("filter top", counts, dropped=8).lines() == [
        "filter top: seen 9, kept 1, dropped 5: beyond-k 5; dropped before 3 (rows)",
        "  wrote 1 row to out/x.parquet, beside them 8 dropped (0.3 s)",
        "  rows_digest ab",
    ]


def test_a_reader_names_what_it_left_out() -> None:
    """Lines that make no row and equal rows that collapsed are counted apart."""
    counts = {"seen": 3, "kept": 3, "dropped": {}, "skipped": {"no-positive": 2}, "collapsed": 4}
    assert report("ingest pairs", counts, unchanged=True).lines()[1:4] == [
        "  source lines that make no row: no-positive 2",
        "  equal rows collapsed: 4",
        "  unchanged: out/x.parquet has these 3 rows (0.3 s)",
    ]


@pytest.mark.parametrize("place", ["a pipe", "standard output", "the terminal", "@mine", "memory"])
def test_rows_that_pass_on_need_no_digest(place: str) -> None:
    """The digest is printed for what lies somewhere."""
    lines = report("filter top", {"seen": 2, "kept": 2, "dropped": {}}, place).lines()
    assert len(lines) == 2
    assert place in lines[1] or "the first of them shown" in lines[1]


def test_a_dataset_counts_what_trainers_read(tmp_path: Path, pairs: pl.DataFrame, corpus: pl.DataFrame) -> None:
    """The rows in its shards, those of another label, and the dropped ones are three counts."""
    mined = negforge.run("generate mine.bm25", pairs, corpus=corpus, num_negatives=3)
    made = negforge.run("filter top", mined.kept, k=2, output=tmp_path / "set")
    manifest = json.loads((tmp_path / "set/.negforge/v1/manifest.json").read_text(encoding="utf-8"))
    other, dropped = manifest["dropped"]["other_labels"], manifest["dropped"]["rows"]
    wanted = f"  wrote {manifest['rows']} rows to {tmp_path}/set@v1, beside them {other} of another label and {dropped} dropped ("
    assert made.report.lines()[-2].startswith(wanted)
    assert min(other, dropped) > 0


def test_the_document_is_the_same_counts() -> None:
    """The JSON document has every count, the digests and the place."""
    found = json.loads(document(report("generate mine.bm25", GENERATED).document()))
    assert found["counts"] == GENERATED
    assert (found["stage"], found["output"], found["rows"], found["rows_digest"]) == ("generate mine.bm25", "out/x.parquet", 6, "ab")


@given(st.lists(st.integers(0, 9), max_size=30), st.lists(st.integers(0, 9), max_size=30))
def test_batches_add_up(left: list[int], right: list[int]) -> None:
    """Counting two batches and adding is counting them as one; min, median and max are those of the sorted list."""
    whole, part = Counts(seen=len(left)), Counts(seen=len(right), dropped=Counter({"x": len(right)}))
    whole.per_unit.update(left)
    part.per_unit.update(right)
    whole.add(part)
    every = sorted(left + right)
    assert whole.seen == len(every)
    spread = whole.document(generates=True)["per_source"]
    if every:
        assert spread == {"min": every[0], "median": every[(len(every) - 1) // 2], "max": every[-1], "none": every.count(0)}
    else:
        assert spread == {"none": 0}


def test_counts_have_units() -> None:
    """One row, two rows, thousands apart."""
    assert (counted(1, "row"), counted(2, "row"), counted(1_000_000, "row")) == ("1 row", "2 rows", "1,000,000 rows")


@given(st.text())
def test_printable_text_cannot_steer_a_terminal(text: str) -> None:
    """No control, format or unassigned character is left, and what can be read stays as it is."""
    shown = printable(text)
    assert all(char.isprintable() and unicodedata.category(char) not in ("Cc", "Cf") for char in shown)
    if text.isprintable():
        assert shown == text


@given(st.recursive(st.text() | st.integers() | st.none() | st.booleans(), lambda one: st.lists(one) | st.dictionaries(st.text(), one)))
def test_a_document_is_json_and_harmless(value: Any) -> None:
    """Whatever is in it, the document parses to the same value, and only line ends are not printable."""
    text = document(value)
    assert json.loads(text) == value
    assert text.replace("\n", "").isprintable() or text == "\n"


def test_a_preview_fits_and_is_harmless(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts are cut to the width, in the order anchor, positive, negative, label, and escapes in them are shown as such."""
    monkeypatch.setenv("COLUMNS", "60")
    text = io.StringIO()
    evil = "\x1b[31mred\x1b]0;title\x07 \u202edrow"
    preview(pl.DataFrame({"label": ["negative"], "negative": [evil * 9], "anchor": ["a"], "positive": [None], "extra": ["x"]}), text)
    lines = text.getvalue().splitlines()
    assert lines[0].split() == ["anchor", "positive", "negative", "label"]
    assert all(len(line) <= 60 and line.isprintable() for line in lines)
    assert "\\x1b[31m" in lines[1]


# -- scores ------------------------------------------------------------------------------------------------------------


@given(
    st.lists(st.one_of(st.none(), st.floats(-1e9, 1e9), st.sampled_from([0.0, -0.0, float("nan"), float("inf")])), max_size=60),
    st.integers(1, 9),
)
def test_quantiles_of_scores_are_within_a_hundredth_whatever_the_batches(values: list[float | None], size: int) -> None:
    """Smallest, quartiles and largest of the finite scores; batches in any order add up to the same."""
    frame = pl.DataFrame({"score_a b": pl.Series(values, dtype=pl.Float64), "score_text": ["x"] * len(values)})
    counts, backwards = Counts(), Counts()
    pieces = [*frame.iter_slices(size)]
    for piece in pieces:
        counts.add(Counts(scores=score_steps(piece)))
    for piece in reversed(pieces):
        backwards.add(Counts(scores=score_steps(piece)))
    assert counts == backwards
    finite = sorted(value for value in values if value is not None and math.isfinite(value))
    found = counts.document(generates=False).get("scores", {})
    assert [*found] == (["score_a b"] if finite else [])
    for word, share in {"min": 0.0, "p25": 0.25, "median": 0.5, "p75": 0.75, "max": 1.0}.items() if finite else ():
        exact = finite[max(1, math.ceil(share * len(finite))) - 1]
        assert found["score_a b"][word] == pytest.approx(exact, rel=0.011)


def test_scores_are_told_in_the_summary() -> None:
    """A line a score."""
    counts = Counts(seen=2, kept=2, scores=score_steps(pl.DataFrame({"score_x": [1.0, 3.0]})))
    report = Report("score x", counts.document(generates=False), Outcome("x.parquet", 2, 0, {"rows_digest": "0"}), 1.0)
    assert "  score_x: min 1, p25 1, median 1, p75 3, max 3" in "\n".join(report.lines()).replace("2.99", "3").replace("3.01", "3")
