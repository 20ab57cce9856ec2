"""Final answers compared by value: what proves a negative right, what proves it wrong, and what is left open."""

from __future__ import annotations

import gzip
import importlib.util
import json
import time
from collections import Counter
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import negforge
from negforge.cli import app
from negforge.errors import UsageError
from negforge.records import Negatives
from negforge.verify import math as module

ALGEBRA = importlib.util.find_spec("math_verify") is not None


def verdict(positive: str, negative: str, *, symbolic: bool = False, language: str = "en", answer: str | None = None) -> str:
    """The verdict on one pair of texts."""
    batch = Negatives(pl.DataFrame({"positive": [positive], "negative": [negative]}))
    return str(module.verify(batch, answer=answer, symbolic=symbolic, language=language)[0])


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("18", "$18.00", "positive"),
        ("1,000", "1000", "positive"),
        ("1/2", "0.5", "positive"),
        ("2 1/2", "2.5", "positive"),
        (r"\frac{1}{2}", "50%", "positive"),
        (r"3 \times 10^{4}", "30,000", "positive"),
        ("x = 5", "5", "positive"),
        ("\u22125", "-5", "positive"),
        ("18 dollars", r"\$18", "positive"),
        ("12:30", "12:30", "positive"),
        ("18", "17", "negative"),
        ("-5", "5", "negative"),
        ("5 apples", "6 apples", "negative"),
        ("0.5", "0.25", "negative"),
        ("20%", "30%", "negative"),
        ("10^100", "10^101", "negative"),
        ("50%", "50", "unknown"),
        ("3.33", "10/3", "unknown"),
        ("3", "2.67", "unknown"),
        ("1 hour", "60 minutes", "unknown"),
        ("60", "1 hour", "unknown"),
        ("1 million", "1000000", "unknown"),
        ("5 apples", "6 pears", "unknown"),
        ("12:30", "12:31", "unknown"),
        ("(1,2)", "(2,1)", "unknown"),
        ("9**9**9", "1", "unknown"),
        ("(" * 300 + "1" + ")" * 300, "1", "unknown"),
        ("", "5", "unknown"),
    ],
)
def test_answers_by_value(one: str, other: str, expected: str) -> None:
    """Equal values prove right, other values wrong; what hangs on rounding, units or reading is left open. Either way round."""
    right, given = f"So.\n#### {one}", f"Hence.\n#### {other}"
    assert verdict(right, given) == verdict(given, right) == expected


def test_a_decimal_comma_is_read_by_language() -> None:
    """In German `1.234` may be either; where one reading is equal and the other not, nothing is proven."""
    assert verdict("#### 1,5", "#### 1.5", language="de") == "positive"
    assert verdict("#### 1.234", "#### 1,234", language="de") == "unknown"
    assert verdict("#### 1.234", "#### 77", language="de") == "negative"


def test_the_reference_counts_before_the_positive_and_a_pattern_before_the_marks() -> None:
    """Each row has its own reference; where it has none the positive stands in."""
    frame = pl.DataFrame({"positive": ["#### 1", "#### 1"], "negative": ["#### 2", "#### 2"], "reference": ["2", None]})
    assert module.verify(Negatives(frame), answer=None, symbolic=False, language="en").to_list() == ["positive", "negative"]
    assert verdict("Result: 5 (#### 1)", "Result: 5 (#### 2)", answer=r"Result: (\d+)") == "positive"
    assert verdict("no answer", "#### 2", answer=r"Result: (\d+)") == "unknown"


def test_prose_without_an_answer_proves_nothing() -> None:
    """The last number of a text is not taken for its answer."""
    assert verdict("He has 5 of 7.", "He has 5 of 8.") == "unknown"


@given(st.fractions(max_denominator=50), st.fractions(max_denominator=50))
def test_fractions_are_told_apart_exactly(left: Fraction, right: Fraction) -> None:
    """Equality of the verdict is equality of value."""
    found = verdict(f"#### {left}", f"#### {right}")
    assert found == "positive" if left == right else found in ("negative", "unknown")
    assert found != "unknown" or abs(left - right) <= Fraction(1, 2)  # a whole number may be the other rounded


@given(st.text(), st.text())
def test_any_text_gets_a_verdict(left: str, right: str) -> None:
    """No text is too strange, and none is proven to differ from itself."""
    assert verdict(left, right) in ("positive", "negative", "unknown")
    assert verdict(left, left) != "negative"


@pytest.mark.parametrize("answer", ["(", "no group"])
def test_a_pattern_that_finds_nothing_is_refused(answer: str) -> None:
    """With what is wrong with it."""
    with pytest.raises(UsageError, match="--answer"):
        module.prepare(answer=answer)


def test_real_solutions(real_data: Path) -> None:
    """Four models' solutions of GSM8K: no verdict contradicts whoever checked them, and nearly all have one."""
    with gzip.open(real_data / "gsm8k" / "example_model_solutions.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    given = [(row["ground_truth"], one["solution"], one["is_correct"]) for row in rows for one in row.values() if isinstance(one, dict)]
    frame = pl.DataFrame({"positive": [one[0] for one in given], "negative": [one[1] for one in given]})
    found = module.verify(Negatives(frame), answer=None, symbolic=False, language="en").to_list()
    both = Counter((right, verdict) for (_, _, right), verdict in zip(given, found, strict=True))
    assert both[True, "negative"] == both[False, "positive"] == 0
    assert both[True, "unknown"] + both[False, "unknown"] <= 12
    assert sum(both.values()) == 3600


def test_command_line(tmp_path: Path) -> None:
    """The label follows: a right answer makes a negative positive."""
    pairs = pl.DataFrame({"id": ["a"], "anchor_id": ["a"], "anchor": ["q"], "positive": ["She bought 25 red apples."]})
    made = negforge.run("generate perturb.number", pairs).kept.with_columns(positive=pl.lit("2 + 3\n#### 5"))
    answers = {"right": "3 + 2\n#### 5.0", "wrong": "2 * 3\n#### 6", "none": "five"}
    rows = pl.concat([made.with_columns(id=pl.lit(name), negative=pl.lit(text)) for name, text in answers.items()])
    rows.write_parquet(tmp_path / "n.parquet")
    result = CliRunner().invoke(app, ["verify", "math", str(tmp_path / "n.parquet"), "-o", str(tmp_path / "out.parquet")])
    assert result.exit_code == 0, result.stderr
    found = dict(pl.read_parquet(tmp_path / "out.parquet").select("id", "label").iter_rows())
    assert found == {"right": "positive", "wrong": "negative", "none": "negative"}


@pytest.mark.skipif(ALGEBRA, reason="math-verify is there")
def test_algebra_names_its_extra() -> None:
    """What to type when it is not installed."""
    with pytest.raises(UsageError, match="math-verify") as told:
        module.prepare(symbolic=True)
    assert "negforge[math]" in told.value.mend


@pytest.mark.skipif(not ALGEBRA, reason="needs math-verify")
@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (r"\sqrt{8}", r"2\sqrt{2}", "positive"),
        (r"\sqrt{8}", r"2\sqrt{3}", "negative"),
        ("x^2-1", "(x-1)(x+1)", "positive"),
        ("x^2-1", "(x-1)(x+2)", "negative"),
        (r"\{1,2\}", r"\{2,1\}", "positive"),
        ("x+1", "y+1", "unknown"),
        ("listen", "silent", "unknown"),
        (r"\pi", "3.14159", "unknown"),
        (r"10^{10^{10^{10}}}x", "x", "unknown"),
        (r"2^{1000000000}\pi", r"\pi", "unknown"),
        (r"\frac{" * 300, r"\pi", "unknown"),
        (r"\sqrt{" * 400 + "2" + "}" * 400, r"\pi", "unknown"),
    ],
)
def test_algebra_in_a_process_that_is_killed(one: str, other: str, expected: str) -> None:
    """Equal, different and open; a bomb ends in `unknown` within the limit."""
    begun = time.monotonic()
    assert verdict(f"#### {one}", f"#### {other}", symbolic=True) == expected
    assert time.monotonic() - begun < 25
