"""Exact values of written arithmetic, and what two answers say of each other."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from negforge.arithmetic import compare, evaluate, final_answer, quantity

NUMBERS = st.integers(0, 999).map(str) | st.sampled_from(["1,200", "0.5", ".25", "3.0"])
SUMS = st.recursive(
    NUMBERS, lambda one: st.tuples(one, st.sampled_from([" + ", "-", "*", " - "]), one).map("".join) | one.map("({})".format), max_leaves=8
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("48/2", 24),
        ("1,000+1", 1001),
        ("2 + 3 * 4", 14),
        ("(2+3)*4", 20),
        ("-2^2", -4),
        ("2^-1", Fraction(1, 2)),
        ("2^3^2", 512),
        ("20%", Fraction(1, 5)),
        (".5*4", 2),
        ("5 \u00d7 6 \u2212 1", 29),
        ("1.5e3", 1500),
        ("--5", 5),
    ],
)
def test_arithmetic_has_its_exact_value(text: str, value: Fraction | int) -> None:
    """Precedence, signs, powers, percent and every way to write a number."""
    assert evaluate(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1/0",
        "9**9**9",
        "2^(2^20)",
        "x+1",
        "2 3",
        "(1",
        "1)",
        "1+",
        "1,00",
        "(" * 300 + "1",
        "-" * 401 + "1",
        "0^-1",
        "1**(1/2)",
        "5 apples",
    ],
)
def test_what_is_no_arithmetic_or_too_much_of_it_has_none(text: str) -> None:
    """Nothing is guessed, and nothing takes long."""
    assert evaluate(text) is None


@given(SUMS)
def test_values_are_those_of_another_evaluator(text: str) -> None:
    """As Python's own integers and fractions have it."""
    import re

    spelt = re.sub(r"[0-9.,]+", lambda match: f"Fraction('{match[0].replace(',', '')}')", text)
    assert evaluate(text) == eval(spelt, {"Fraction": Fraction})


@given(st.text("0123456789.,+-*/^()%$\\{} eEx"), st.text("0123456789.,+-*/^()%$ "), st.sampled_from(["en", "de"]))
def test_any_text_is_read_or_not_and_equals_itself(left: str, right: str, language: str) -> None:
    """Comparing is symmetric, and no answer is proven different from itself."""
    one, other = quantity(left, language), quantity(right, language)
    if one is not None:
        assert compare(one, one) != "negative"
        if other is not None:
            assert compare(one, other) == compare(other, one)


def test_where_the_answer_stands() -> None:
    """The last mark, box or phrase counts; prose without any has no answer."""
    assert final_answer("a\n#### 5\nb\n#### 6 ") == "6"
    assert final_answer(r"so $\boxed{\frac{1}{2}}$.") == r"\frac{1}{2}"
    assert final_answer("The answer is 1. No, the final answer is **7**.") == "7"
    assert final_answer("Die Antwort ist: 3,5.") == "3,5"
    assert final_answer("so 9 * 2 = 18\nA: $18.\n") == "$18"
    assert final_answer("A: 5\nB: 6") is None
    assert final_answer(" $18 ") == "$18"
    assert final_answer("She has 5 and gives 6.") is final_answer("####") is final_answer(r"\boxed{") is None
