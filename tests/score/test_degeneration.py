"""Scores of failing in form, in columns."""

from __future__ import annotations

import json
from pathlib import Path

import negforge
from tests.score.test_wer import frame
from tests.shell import good

TITLE = "score degeneration"


def test_a_worked_row() -> None:
    """Every column by hand: five times one word against a sentence of four."""
    row = negforge.run(TITLE, frame(("It is so now.", "no no no no no"))).kept.row(0, named=True)
    assert {
        name: row[f"score_degeneration{name}"] for name in ("", "_positive", "_loop", "_distinct", "_length", "_copied", "_broken")
    } == {
        "": 1.0,
        "_positive": 0.0,
        "_loop": 1.0,
        "_distinct": 0.2,
        "_length": 5 / 4,
        "_copied": 0.0,
        "_broken": 1.0,
    }
    assert round(row["score_degeneration_repeated"], 6) == round(2 / 3, 6)


def test_a_text_without_words_is_at_its_worst() -> None:
    """Nothing to share, to differ or to compare with gives null."""
    row = negforge.run(TITLE, frame(("...", ""))).kept.row(0, named=True)
    assert (row["score_degeneration"], row["score_degeneration_positive"]) == (1.0, 1.0)
    assert [row[f"score_degeneration_{name}"] for name in ("distinct", "length", "copied")] == [None, None, None]


def test_a_copy_of_the_anchor() -> None:
    """The anchor's own words are copied in full, the positive's are not."""
    made = negforge.run(TITLE, frame(("the positive here", "anchor of a1"), ("the positive here", "anchor of a2"))).kept.sort("id")
    assert made["score_degeneration_copied"].to_list() == [1.0, 0.0]


def test_the_command_line(tmp_path: Path) -> None:
    """Data on stdout."""
    frame(("a b", "c c c c c")).write_parquet(tmp_path / "n.parquet")
    done = good("score", "degeneration", tmp_path / "n.parquet", "--to", "jsonl")
    assert [json.loads(line)["score_degeneration"] for line in done.out.splitlines()] == [1.0]


def test_what_people_wrote_is_not_degenerate(real_data: Path) -> None:
    """Claims hardly repeat a run of words; no wrong answer of GSM8K's models is empty."""
    lines = (real_data / "creak" / "dev.json").read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["sentence"] for line in lines]
    made = negforge.run(TITLE, frame(*((text, text) for text in texts))).kept
    assert made["score_degeneration"].max() < 0.3  # type: ignore[operator]
    assert (made["score_degeneration_loop"] == 0).all()
