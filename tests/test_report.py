"""Counts for people and as JSON, progress on a terminal, and text that cannot steer one."""

from __future__ import annotations

import io
import json
import logging
import shutil
import sys
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import negforge
from negforge.report import Counts, Progress, Report, counted, document, preview, printable
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


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """It is."""
        return True


def test_progress_is_one_line_that_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line longer than the terminal would wrap and could not be cleared; at the end nothing is left."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: __import__("os").terminal_size((40, 24)))
    progress = Progress("generate mine.bm25", show=True)
    progress._last -= 1
    progress.update(Counts(seen=123456, kept=1000, dropped=Counter({"a": 3})))
    progress.close()
    drawn = stream.getvalue().split("\r\x1b[K")
    assert drawn[-1] == ""
    assert drawn[1].startswith("generate mine.bm25: 123,456 rows, ")
    assert len(drawn[1]) < 40


def test_progress_is_silent_and_logs(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    """Off a terminal nothing is drawn; INFO is a line a stage, DEBUG one a batch."""
    with caplog.at_level(logging.DEBUG, logger="negforge"):
        progress = Progress("filter top", show=False)
        progress.update(Counts(seen=5, kept=4, dropped=Counter({"a": 1})))
        progress.close()
    assert capsys.readouterr().err == ""
    levels = [(one.levelname, one.getMessage()) for one in caplog.records]
    assert levels[1] == ("DEBUG", "filter top: seen 5, kept 4, dropped 1 rows so far")
    assert [level for level, _ in levels] == ["INFO", "DEBUG", "INFO"]


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
