"""Margins and fixed limits over raw scores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import negforge
from negforge import registry
from negforge.errors import UsageError
from negforge.records import Negatives
from tests.shell import call, good, shell
from tests.test_thresholds import ROWS, kept, lost, margin, scored


def test_an_absolute_margin_keeps_equality() -> None:
    """A positive of 0.75 and a margin of 0.125: 0.625 is the last score that stays (binary fractions, so that it is exact)."""
    table = scored(("1", "a", "x", 0.625, 0.75), ("2", "a", "y", 0.6250001, 0.75), ("3", "a", "z", 0.5, 0.75))
    made = margin(table, absolute_margin=0.125)
    assert kept(made) == ["1", "3"]
    assert lost(made) == {"2": ("above-margin", "0.6250001 > 0.625")}


def test_a_relative_margin_is_a_share_of_the_positive() -> None:
    """NV-Retriever's 95 %: beside a positive of 0.8 the line is at 0.76."""
    table = scored(("1", "a", "x", 0.77, 0.8), ("2", "a", "y", 0.75, 0.8))
    assert kept(margin(table, relative_margin=0.05)) == ["2"]


def test_a_relative_margin_knows_signs() -> None:
    """Below zero the line lies below the positive too: -0.5 - 0.1 * 0.5 = -0.55 (huggingface/sentence-transformers#3819).

    Multiplied by 0.9 it would lie at -0.45, and -0.5, no easier than the positive, would stay.
    """
    table = scored(("1", "a", "x", -0.5, -0.5), ("2", "a", "y", -0.54, -0.5), ("3", "a", "z", -0.56, -0.5), ("4", "b", "z", 0.01, 0.0))
    made = margin(table, relative_margin=0.1)
    assert kept(made) == ["3"]
    assert lost(made)["4"][0] == "above-margin"


def test_a_negative_margin_is_permissive() -> None:
    """UniME: beside a positive of 0.5 and a margin of -0.1, of 0.65, 0.58 and 0.3 the last two stay."""
    table = scored(("1", "a", "x", 0.65, 0.5), ("2", "a", "y", 0.58, 0.5), ("3", "a", "z", 0.3, 0.5))
    assert kept(margin(table, absolute_margin=-0.1)) == ["2", "3"]


def test_fixed_limits_keep_what_lies_on_them() -> None:
    """At most the highest and at least the lowest; each with its own reason, value and limit."""
    made = margin(scored(*ROWS), max_score=0.7, min_score=0.3)
    assert kept(made) == ["a3", "a4", "b2"]
    assert lost(made) == {"a1": ("above-max", "0.9 > 0.7"), "a2": ("above-max", "0.8 > 0.7"), "b1": ("below-min", "0.1 < 0.3")}


def test_all_limits_hold_together() -> None:
    """The stricter of two margins counts; a row that breaks several limits goes for the first of them."""
    made = margin(scored(*ROWS), absolute_margin=0.1, relative_margin=0.5, max_score=0.85)
    assert kept(made) == ["a4", "b1"]
    assert {row: reason for row, (reason, _) in lost(made).items()} == dict.fromkeys(("a1", "a2", "a3", "b2"), "above-margin")
    assert lost(made)["a3"] == ("above-margin", "0.7 > 0.375")


def test_the_weakest_of_unequal_numbers_of_positives() -> None:
    """Anchors with two, one and three positives: each is judged by its own weakest one, whatever the order of the rows.

    A release of sentence-transformers shifted thresholds by the number of the positives of the anchor before (#2848).
    """
    table = scored(
        ("a1", "a", "x", 0.6, 0.9), ("a2", "a", "x", 0.6, 0.5), ("b1", "b", "x", 0.6, 0.7),
        ("c1", "c", "x", 0.6, 0.95), ("c2", "c", "x", 0.6, 0.65), ("c3", "c", "x", 0.6, 0.8),
    )  # fmt: skip
    for one in (table, table.reverse(), table.sample(fraction=1, shuffle=True, seed=3)):
        assert kept(margin(one, absolute_margin=0.0)) == ["b1", "c1", "c2", "c3"]
    assert kept(margin(table, absolute_margin=0.0, reference="row")) == ["a1", "b1", "c1", "c2", "c3"]


def _as_sentence_transformers(table: pl.DataFrame, absolute: float | None, relative: float | None) -> list[str]:
    """The ids that its formulas keep, each row's positive being the weakest of its query's, in plain Python."""
    rows = table.to_dicts()
    weakest = {row["anchor_id"]: min(one["score_x_positive"] for one in rows if one["anchor_id"] == row["anchor_id"]) for row in rows}
    found = []
    for row in rows:
        positive = weakest[row["anchor_id"]]
        removed = absolute is not None and row["score_x"] + absolute > positive
        removed |= relative is not None and row["score_x"] > positive - abs(positive) * relative
        found += [] if removed else [row["id"]]
    return sorted(found)


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(-16, 16), st.integers(-16, 16)), min_size=1, max_size=12),
    st.none() | st.integers(-4, 8),
    st.none() | st.integers(0, 4),
)
def test_parity_with_sentence_transformers(rows: list[tuple[str, int, int]], absolute: int | None, relative: int | None) -> None:
    """Equal scores and options keep what `mine_hard_negatives` 6.2.0 keeps, with one and with several positives, and below zero.

    It adds the margin to the negative, we take it from the positive: that is equal but for rounding, of which eighths and
    quarters have none. Beyond it, we keep its masked rows with a reason, and judge no row that has no score.
    """
    table = scored(
        *((f"n{place:02d}", anchor, f"t{place}", score / 8, positive / 8) for place, (anchor, score, positive) in enumerate(rows))
    )
    margins = {"absolute_margin": absolute, "relative_margin": relative}
    options = {name: value / 4 for name, value in margins.items() if value is not None}
    if options:
        assert kept(margin(table, **options)) == _as_sentence_transformers(
            table, options.get("absolute_margin"), options.get("relative_margin")
        )


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=1, max_size=8), st.floats(-1, 1), st.floats(0, 1))
def test_a_wider_margin_never_adds_negatives(rows: list[tuple[float, float]], least: float, more: float) -> None:
    """Whatever the scores and signs."""
    table = scored(*((f"n{place}", "a", f"t{place}", score, positive) for place, (score, positive) in enumerate(rows)))
    function = registry.find("filter", "margin").function
    for name in ("absolute_margin", "relative_margin"):
        narrow, wide = (function(Negatives(table), by="x", **{name: margin})["drop_reason"].is_null() for margin in (least, least + more))
        assert (~wide | narrow).all()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, ["is given none of --absolute-margin, --relative-margin, --max-score, --min-score"]),
        ({"reference": "row", "at_least": 2}, ["is given none of"]),
        ({"min_score": 0.5, "max_score": 0.25}, ["no score is from 0.5 to 0.25"]),
        ({"absolute_margin": "wide"}, ["--absolute-margin takes a number"]),
        ({"absolute_margin": float("nan")}, ["--absolute-margin"]),
        ({"max_score": 1.0, "at_least": 0}, ["--at-least"]),
    ],
)
def test_a_wrong_call_is_a_fault(options: dict[str, Any], words: list[str]) -> None:
    """No limit, limits that leave nothing, and values that are none, each named."""
    with pytest.raises(UsageError) as error:
        margin(scored(*ROWS), **options)
    assert all(word in str(error.value) for word in words), str(error.value)


def test_faults_are_told_together(tmp_path: Path) -> None:
    """A misspelt option and no limit at all: both at once, before anything is read."""
    done = call("filter", "margin", tmp_path / "no.parquet", "--by", "x", "--shortage", "drop", "--reference", "strongest")
    assert (done.code, done.out) == (2, "")
    assert all(word in done.err for word in ("none of --absolute-margin", "--at-least", "--reference")), done.err


def test_a_pipeline_without_a_limit_is_refused_before_any_work(tmp_path: Path) -> None:
    """The fault stands with the stage's name, though the input is not there yet."""
    (tmp_path / "p.toml").write_text(
        '[[stage]]\nname = "near"\nuse = "filter margin"\ninput = "n.parquet"\nby = "x"\noutput = "o.parquet"\n', encoding="utf-8"
    )
    done = call("run", tmp_path / "p.toml")
    assert (done.code, done.out) == (2, "")
    assert "near" in done.err
    assert "none of --absolute-margin" in done.err.replace("\n", " ")


def test_the_command_line(tmp_path: Path) -> None:
    """Data on stdout, counts on stderr; the formula stands in the help."""
    scored(*ROWS).write_parquet(tmp_path / "n.parquet")
    done = good("filter", "margin", tmp_path / "n.parquet", "--by", "x", "--absolute-margin", "0", "--to", "jsonl")
    assert sorted(json.loads(line)["id"] for line in done.out.splitlines()) == ["a3", "a4", "b1"]
    assert "seen 6, kept 3, dropped 3: above-margin 3 (rows)" in done.err
    help_text = " ".join(good("filter", "margin", "--help").out.split())
    assert "neg <= pos - m * abs(pos)" in help_text
    assert "neg <= pos - m." in help_text


def test_scifact_is_judged_the_same_from_a_pipe_and_from_a_file(real_data: Path, tmp_path: Path) -> None:
    """BM25's negatives of 60 claims, scored by shared words: any order of stages gives the same rows, and each has its reason."""
    good("ingest", "beir", real_data / "scifact", "--limit", "60", "-o", tmp_path / "pairs.parquet")
    good("ingest", "corpus", real_data / "scifact/corpus.jsonl.gz", "-o", tmp_path / "corpus.parquet")
    mine: list[str | Path] = ["generate", "mine.bm25", tmp_path / "pairs.parquet", "--corpus", tmp_path / "corpus.parquet"]
    good(*mine, "-n", "8", "-o", tmp_path / "mined.parquet")
    good("score", "overlap", tmp_path / "mined.parquet", "-o", tmp_path / "scored.parquet")
    words = "--by overlap --absolute-margin 0.01"
    good("filter", "margin", tmp_path / "scored.parquet", *words.split(), "-o", tmp_path / "file.parquet")
    done = shell(
        f"negforge filter where scored.parquet --keep 'rank > 0' -q | negforge filter margin {words} --batch-size 7 -o pipe.parquet",
        tmp_path,
    )
    assert done.code == 0, done.err
    made, piped = (pl.read_parquet(tmp_path / f"{name}.parquet").sort("id") for name in ("file", "pipe"))
    assert made.equals(piped.select(made.columns))
    every = pl.read_parquet(tmp_path / "scored.parquet")
    weakest = every.group_by("anchor_id").agg(pl.col("score_overlap_positive").min().alias("weakest"))
    by_hand = every.join(weakest, on="anchor_id").filter(
        (pl.col("label") == "positive") | (pl.col("score_overlap") <= pl.col("weakest") - 0.01)
    )
    assert sorted(made["id"]) == sorted(by_hand["id"])
    assert 0 < made.height < every.height
    lost_rows = pl.read_parquet(tmp_path / "file.dropped.parquet").filter(pl.col("dropped_by") == "filter margin")
    assert lost_rows["drop_reason"].unique().to_list() == ["above-margin"]
    assert negforge.run("filter margin", made, by="overlap", absolute_margin=0.01).dropped.height == 0
