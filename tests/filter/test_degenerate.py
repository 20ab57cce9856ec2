"""Which negatives are dropped for their form, for what, and what is spared."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import negforge
from negforge.errors import UsageError
from tests import strategies
from tests.perturbed import ODD, table
from tests.score.test_wer import frame
from tests.shell import good

TITLE = "filter degenerate"
RIGHT = "It rises in the hills of Wales and flows to the sea."


def lost(*pairs: tuple[str, str], **options: Any) -> list[tuple[str, str | None]]:
    """Why each row is dropped, in their order; nothing for one that stays."""
    gone = negforge.run(TITLE, frame(*pairs), **options).dropped
    found = {row["id"]: (row["drop_reason"], row["drop_value"]) for row in gone.to_dicts()}
    return [found.get(f"{place:03d}", ("", None)) for place in range(len(pairs))]


@pytest.mark.parametrize(
    ("right", "wrong", "options", "reason", "value"),
    [
        (RIGHT, "", {}, "empty", None),
        (RIGHT, "...", {}, "empty", None),
        (RIGHT, "It rises in York it rises in York it rises in York", {}, "loop", "1.0 > 0.3"),
        (RIGHT, "in York and in York so in York and in York so", {"max_loop": 1, "max_repeated": 0.2}, "repeated", "0.4 > 0.2"),
        (RIGHT, "no no no no no no", {"max_loop": 1, "max_repeated": 1, "min_distinct": 0.2}, "few-words", "0.167 < 0.2"),
        (RIGHT, "Anchor of a1!", {}, "copied", "1.0 > 0.9"),
        (RIGHT, "York", {"min_length": 0.1}, "too-short", "0.083 < 0.1"),
        (RIGHT, f"{RIGHT} It is a long, old river that many know and few have seen", {"max_length": 2.0}, "too-long", "2.083 > 2.0"),
        (RIGHT, "It rises in the hills of", {"whole": True}, "broken-off", None),
        ("他出生在北京。", "他出生他出生他出生他出生", {}, "loop", "1.0 > 0.3"),
    ],
)
def test_each_reason(right: str, wrong: str, options: dict[str, Any], reason: str, value: str | None) -> None:
    """A row goes for the first limit that it breaks, with the measure and the limit."""
    assert lost((right, wrong), **options) == [(reason, value)]


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        (RIGHT, "It rises in the hills of York and flows to the lake."),
        (RIGHT, "York"),
        (RIGHT, "It rises in the hills of"),
        (RIGHT, "No, no, no."),
        ("la la la la la la", "lo lo lo lo lo lo"),
        ("...", ""),
        ("Anchor of a1.", "anchor of a1"),
        ("他出生在北京。", "他出生在上海。"),
    ],
)
def test_what_stays(right: str, wrong: str) -> None:
    """A plain wrong answer, a short one, a refrain like the positive's, and a wordless one beside a wordless positive."""
    assert lost((right, wrong)) == [("", None)]


def test_a_positive_beyond_a_limit_sets_it() -> None:
    """What the positive does too is no fault, but more of it is."""
    song = "la la la la la then it ends with other words"
    assert lost((song, "na na na na na and it goes on in words")) == [("", None)]
    assert lost((song, "na na na na na na na and it"))[0][0] == "loop"


def test_rows_that_are_meant_so_and_proven_positives_pass() -> None:
    """Unless the first are to go as well."""
    made = negforge.run("generate perturb.degenerate", table([RIGHT]), num_negatives=3).kept
    assert negforge.run(TITLE, made).dropped.height == 0
    assert negforge.run(TITLE, made, meant="drop").dropped.height >= 2
    proven = frame((RIGHT, "")).with_columns(pl.lit("positive").alias("label"), pl.lit("positive").alias("initial_label"))
    assert negforge.run(TITLE, proven).dropped.height == 0


@settings(max_examples=30)
@given(st.lists(st.one_of(strategies.texts, st.sampled_from(ODD)), max_size=6))
def test_a_wider_limit_never_drops_more(texts: list[str]) -> None:
    """Whatever the texts; and at the widest only empty ones go."""
    rows = frame(*(("a plain text", text) for text in texts)) if texts else frame(("a", "b")).clear()
    gone = [
        {*negforge.run(TITLE, rows, max_loop=limit, max_repeated=limit, max_copied=limit, min_distinct=1 - limit).dropped["id"]}
        for limit in (0.0, 0.3, 1.0)
    ]
    assert gone[0] >= gone[1] >= gone[2]
    assert {*negforge.run(TITLE, rows, max_loop=1, max_repeated=1, max_copied=1, min_distinct=0).dropped["drop_reason"]} <= {"empty"}


def test_faults() -> None:
    """Limits out of bounds."""
    faults: list[dict[str, Any]] = [{"max_loop": 1.5}, {"min_length": 0}, {"meant": "x"}]
    for wrong in faults:
        with pytest.raises(UsageError):
            negforge.run(TITLE, frame(("a", "b")), **wrong)


def test_the_command_line(tmp_path: Path) -> None:
    """Data on stdout, counts by reason on stderr."""
    frame((RIGHT, "York"), (RIGHT, ""), (RIGHT, "it goes it goes it goes it goes")).write_parquet(tmp_path / "n.parquet")
    done = good("filter", "degenerate", tmp_path / "n.parquet", "--max-loop", "0.5", "--to", "jsonl")
    assert [json.loads(line)["negative"] for line in done.out.splitlines()] == ["York"]
    assert "dropped 2: empty 1, loop 1 (rows)" in done.err


def test_real_answers(real_data: Path) -> None:
    """Of the solutions by four models beside the right one few go, and every one that goes loops or is empty to the eye."""
    with gzip.open(real_data / "gsm8k" / "example_model_solutions.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    models = [name for name in rows[0] if isinstance(rows[0][name], dict)]
    pairs = [(row["ground_truth"], row[name]["solution"]) for row in rows for name in models]
    made = negforge.run(TITLE, frame(*pairs))
    assert made.dropped.height < 0.005 * len(pairs)
    assert {*made.dropped["drop_reason"]} <= {"loop", "repeated", "few-words", "empty"}
