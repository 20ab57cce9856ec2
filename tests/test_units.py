"""Units: what a text spells, and exact conversion."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from negforge import units
from negforge.units import BY_NAME, UNITS, apart, convert, siblings, spelt_like, unit_at


@pytest.mark.parametrize(
    ("text", "name", "spelt"),
    [
        ("5 km away", "kilometer", "km"),
        ("5km", "kilometer", "km"),
        ("5 square miles", "square mile", "square miles"),
        ("5-mile walk", "mile", "mile"),
        ("5 sq. ft.", "square foot", "sq. ft"),
        ("5 \u00b0C", "degree Celsius", "\u00b0C"),
        ("5 degrees Fahrenheit", "degree Fahrenheit", "degrees Fahrenheit"),
        ("5 miles per hour", "mile per hour", "miles per hour"),
        ("5 Kilometres", "kilometer", "Kilometres"),
        ("5 mM of it", "millimolar", "mM"),
        ("5 mm of it", "millimeter", "mm"),
        ("5\u00a0kg", "kilogram", "kg"),
    ],
)
def test_a_unit_is_known_by_its_spelling(text: str, name: str, spelt: str) -> None:
    """Words in either case, symbols exactly, the longest one that fits."""
    found = unit_at(text, 1)
    assert found is not None
    assert (found.unit.name, text[found.start : found.end]) == (name, spelt)


@pytest.mark.parametrize(
    "text", ["5m people", "5 in the box", "5 kg/m", "5 \u00b5g/ml", "5 kmx", "5 kg\u00b2", "5 gadgets", "5", "5  km", "90s"]
)
def test_what_is_no_unit_of_the_table_is_none(text: str) -> None:
    """Letters glued to a number, longer words and compound units are not read."""
    assert unit_at(text, len(text.split(" ", maxsplit=1)[0].rstrip("ms"))) is None


@pytest.mark.parametrize(
    ("value", "unit", "other", "result"),
    [
        ("5", "foot", "inch", "60"),
        ("1", "mile", "kilometer", "1.609344"),
        ("1", "acre", "square foot", "43560"),
        ("1", "square mile", "acre", "640"),
        ("1", "pound", "ounce", "16"),
        ("1", "stone", "pound", "14"),
        ("1", "gallon", "cup", "16"),
        ("1", "cup", "tablespoon", "16"),
        ("1", "tablespoon", "teaspoon", "3"),
        ("100", "degree Celsius", "degree Fahrenheit", "212"),
        ("-40", "degree Fahrenheit", "degree Celsius", "-40"),
        ("0", "degree Celsius", "kelvin", "273.15"),
        ("2", "year", "month", "24"),
        ("2", "century", "decade", "20"),
        ("36", "kilometer per hour", "meter per second", "10"),
        ("1", "kilowatt-hour", "megajoule", "3.6"),
        ("1", "cubic meter", "liter", "1000"),
    ],
)
def test_conversion_is_exact(value: str, unit: str, other: str, result: str) -> None:
    """By definition of the units, with no rounding."""
    assert convert(Fraction(value), BY_NAME[unit], BY_NAME[other]) == Fraction(result)


@pytest.mark.parametrize(
    ("unit", "other"),
    [("gallon", "liter"), ("year", "day"), ("mile", "gram"), ("ton", "tonne"), ("calorie", "joule"), ("dollar", "cent")],
)
def test_what_depends_on_the_country_or_the_year_is_not_converted(unit: str, other: str) -> None:
    """Only units of one system have an exact factor."""
    assert convert(Fraction(5), BY_NAME[unit], BY_NAME[other]) is None


@given(st.sampled_from(UNITS), st.data(), st.fractions(min_value=-1000, max_value=1000))
def test_converting_there_and_back_gives_the_value(unit: units.Unit, data: st.DataObject, value: Fraction) -> None:
    """Conversion has an inverse, and equal quantities are no share apart."""
    other = data.draw(st.sampled_from([unit, *siblings(unit)]))
    there = convert(value, unit, other)
    if there is not None:
        assert convert(there, other, unit) == value
        assert units.base(there, other) == units.base(value, unit)


@given(st.sampled_from(UNITS), st.sampled_from(["symbol", "singular", "plural"]))
def test_every_spelling_is_read_as_its_unit(unit: units.Unit, form: units.Form) -> None:
    """What is written is found again, in capitals too where it is a word."""
    for like in ("metre", "meter", "Meter"):
        spelling = spelt_like(unit, form, like)
        if spelling is not None:
            found = unit_at(f"5 {spelling}.", 1)
            assert found is not None
            assert found.unit == unit


def test_how_far_two_units_are_apart() -> None:
    """A yard is less than a tenth from a metre, a mile far from a kilometre; temperatures are compared by their readings."""
    assert apart(Fraction(5), BY_NAME["yard"], BY_NAME["meter"]) < Fraction(1, 10)
    assert apart(Fraction(5), BY_NAME["mile"], BY_NAME["kilometer"]) > Fraction(3, 10)
    assert apart(Fraction(-40), BY_NAME["degree Celsius"], BY_NAME["degree Fahrenheit"]) == 0
    assert apart(Fraction(60), BY_NAME["degree Celsius"], BY_NAME["degree Fahrenheit"]) > Fraction(1, 2)
    assert apart(Fraction(0), BY_NAME["mile"], BY_NAME["kilometer"]) == 0


@given(st.text(), st.booleans())
def test_any_text_may_follow_a_number(text: str, small: bool) -> None:
    """A unit lies inside the text and after the number."""
    found = unit_at(f"5{text}", 1, small=small)
    assert found is None or 1 <= found.start < found.end <= len(text) + 1
