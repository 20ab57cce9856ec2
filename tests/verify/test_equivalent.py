"""Equal but for how numbers are written."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negforge import registry
from negforge.records import Negatives

verify = registry.find("verify", "equivalent").function


def verdict(positive: str, negative: str, language: str = "en") -> str:
    """The verdict on one pair of texts."""
    return str(verify(Negatives(pl.DataFrame({"positive": [positive], "negative": [negative]})), language=language)[0])


@pytest.mark.parametrize(
    ("positive", "negative"),
    [
        ("It weighs 1,000 kg", "it weighs 1000 kg."),
        ("It weighs 2.50 kg", "It weighs 2.5 kg"),
        ("Mix 1/2 of it", "Mix 0.5 of it"),
        ("Twelve men", "12 men"),
        ("about 5 % of them", "about 5% of them"),
        ("12,345,678.90 in all", "12345678.9 in all"),
        ("2/4 of it", "1/2 of it"),
        ("the same text", "The same  text!"),
    ],
)
def test_the_same_quantity_is_the_same_text(positive: str, negative: str) -> None:
    """Thousands marks, trailing zeros, fractions, number words and spaces before a per cent sign change nothing."""
    assert verdict(positive, negative) == verdict(negative, positive) == "positive"


@pytest.mark.parametrize(
    ("positive", "negative"),
    [
        ("5 men", "6 men"),
        ("-5 degrees", "5 degrees"),
        ("1,5 and 2", "15 and 2"),
        ("section 2.10", "section 2.1.0"),
        ("C++ in 5 days", "C in 5 days"),
        ("1/0 of it", "2/0 of it"),
        ("5 < 6", "5 > 6"),
        ("10 men", "10 women"),
        ("5% of it", "5 of it"),
        ("12 3", "1 23"),
        ("", "5"),
    ],
)
def test_another_quantity_or_sign_proves_nothing(positive: str, negative: str) -> None:
    """Values, signs, operators and words that differ stay different."""
    assert verdict(positive, negative) == "unknown"


def test_code_is_compared_exactly() -> None:
    """In code only white space is put in order: `2.50` is not `2.5`, `X` is not `x`."""
    assert verdict("x = 2.50", "x = 2.5", "code") == "unknown"
    assert verdict("x = X", "x = x", "code") == "unknown"
    assert verdict("x  = 1", "x = 1", "code") == "positive"


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_whole_numbers_are_equal_exactly_when_their_values_are(left: int, right: int) -> None:
    """With and without thousands marks, equality is equality of value."""
    assert verdict(f"it has {left:,} parts", f"it has {right} parts") == ("positive" if left == right else "unknown")


@given(st.text(), st.text())
def test_any_text_gets_a_verdict(left: str, right: str) -> None:
    """No text is too strange, and a text is equivalent to itself."""
    assert verdict(left, right) in ("positive", "unknown")
    assert verdict(left, left) == "positive"
