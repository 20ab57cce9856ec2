"""Equal but for how numbers are written."""

from __future__ import annotations

import datetime as dt
import json
import random
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from negforge import registry, units
from negforge.cli import app
from negforge.records import Negatives

PARTS = (
    "5 km|5000 m|5-10 km|12|1,200|1200|2.50|2.5|1/2|0.5|isn't|is not|6 May 2020|2020-05-06|{a, b}|{b, a}|a dozen|twelve|20 \u00b0C|68 \u00b0F|"
    "of|and|by|-|\u00e9|\U0001f600|\u05d0|\u0665"
)
TEXTS = st.one_of(st.lists(st.sampled_from(PARTS.split("|")), max_size=8).map(" ".join), st.text())
verify = registry.find("verify", "equivalent").function


def verdict(positive: str, negative: str, language: str = "en", **options: str) -> str:
    """The verdict on one pair of texts."""
    return str(verify(Negatives(pl.DataFrame({"positive": [positive], "negative": [negative]})), language=language, **options)[0])


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
        ("1.5 million men came", "1,500,000 men came"),
        ("two dozen eggs in all", "24 eggs in all"),
        ("a dozen eggs in all", "twelve eggs in all"),
        ("She ran 1000 m on it.", "She ran 1 km on it."),
        ("It is 5 ft long.", "It is 60 in long."),
        ("It is 5 feet long", "It is sixty inches long"),
        ("A 1.5-mile walk it was", "A 7920-foot walk it was"),
        ("It was 20 \u00b0C there", "It was 68 \u00b0F there"),
        ("It was -40 \u00b0C there", "It was -40 \u00b0F there"),
        ("It rose 5 percent then", "It rose 5% then"),
        ("It took 2 hours in all.", "It took 120 minutes in all."),
        ("The child is 2 years old", "The child is 24 months old"),
        ("a 2.5 kg bag of it and more", "a 2500 g bag of it and more"),
        ("He died on 2020-05-06.", "He died on 6 May 2020."),
        ("He died on 6 May 2020 in Rome", "He died on May 6th, 2020 in Rome"),
        ("He died on the 6th of May 2020", "He died on 6 May 2020"),
        ("It isn't so.", "It is not so."),
        ("They won\u2019t go there", "They will not go there"),
        ("He cannot go", "He can't go"),
        ("He cannot go", "He can not go"),
        ("They're late and I'm here", "They are late and I'm here"),
        ("We've seen it", "We have seen it"),
        ("It makes 5 MW of power", "It makes 5.0 MW of power."),
        ("It makes 5 MW of power", "IT MAKES 5 MW OF POWER"),
        ("It weighs 5 kg now", "it weighs 5 KG now"),
        ("He came at 5 PM", "He came at 5 pm"),
        ("It holds 5 kB of it", "It holds 5 KB of it"),
        ("The Model sold 2.50 kg of it", "The Model sold 2.5 kg of it"),
        ("It was sold at 2.50 dollars each", "It was sold at 2.5 dollars each"),
        ("Of 2.50 parts all", "Of 2.5 parts all"),
        ("In Rome 1,000 men came", "In Rome 1000 men came"),
        ("Figure 2.10 weighs 1.50 kg", "Figure 2.10 weighs 1.5 kg"),
        ("the set {a, b, c} of it", "the set {c, a, b} of it"),
        ("{5, 7}", "{7, 5}"),
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
        ("1.5 million men came", "150,000 men came"),
        ("two dozen eggs", "25 eggs"),
        ("She ran 1000 m on it.", "She ran 1 mile on it."),
        ("She ran 1 km on it.", "She ran 1 mile on it."),
        ("It is 5-10 km away", "It is 5-10000 m away"),
        ("It is 5 to 10 km away", "It is 5 to 10000 m away"),
        ("between 5 and 10 km", "between 5 and 10000 m"),
        ("It rose by 10 \u00b0C then", "It rose by 50 \u00b0F then"),
        ("It is 10 \u00b0C warmer now", "It is 50 \u00b0F warmer now"),
        ("It holds 1 gallon", "It holds 3.785411784 liters"),
        ("It weighs 1 ton", "It weighs 1000 kg"),
        ("It took 1 year", "It took 365 days"),
        ("It cost 5 dollars", "It cost 500 cents"),
        ("It cost 5 pounds", "It cost 5 dollars"),
        ("It has 5m users", "It has 5 m users"),
        ("He died on 2020-05-06.", "He died on 5 June 2020."),
        ("He died on 5/6/2020.", "He died on 5 June 2020."),
        ("He died on 2020-05-06.", "He died on 6 May 2021."),
        ("It isn't so.", "It is so."),
        ("It isn't so.", "It was not so."),
        ("They'd go", "They had go"),
        ("the set {a, b, c}", "the set {a, b, d}"),
        ("the set {a, a, b}", "the set {a, b, b}"),
        ("the row [a, b, c]", "the row [c, a, b]"),
        ("a, b, c", "c, a, b"),
        ("They met on 2/4.", "They met on 1/2."),
        ("It was 120/80 mmHg then", "It was 150/100 mmHg then"),
        ("a 4/4 beat", "a 1 beat"),
        ("The entry a_{1,2} is 5", "The entry a_{2,1} is 5"),
        ("the pattern x{2,5}", "the pattern x{5,2}"),
        ("It fell 10 \u00b0C overnight", "It fell 50 \u00b0F overnight"),
        ("within 10 \u00b0C of it", "within 50 \u00b0F of it"),
        ("The error is 10 \u00b0C.", "The error is 50 \u00b0F."),
        ("It makes 5 MW of power", "It makes 5 mW of power"),
        ("It makes 5 MW of power", "It makes 5.0 mW of power"),
        ("It makes 5 MW of ten W", "It makes 5 mW of 10 W"),
        ("It runs at 5MHz now", "It runs at 5mHz now"),
        ("It holds 5 GB of it", "It holds 5 Gb of it"),
        ("It holds 5 MB/s of it", "It holds 5 Mb/s of it"),
        ("It weighs 5 mg now", "It weighs 5 Mg now"),
        ("It is 5 T now", "It is 5 t now"),
        ("It is 5-Pm long", "It is 5-pm long"),
        ("Python 3.10 is out", "Python 3.1 is out"),
        ("They use Python 3.10 now", "They use Python 3.1 now"),
        ("They use version 1.10 now", "They use version 1.1 now"),
        ("See Figure 2.10 there", "See Figure 2.1 there"),
        ("see fig. 2.10 there", "see fig. 2.1 there"),
        ("He is in Room 1.20 now", "He is in Room 1.2 now"),
        ("He is in Room 07 now", "He is in Room 7 now"),
        ("They met at 5.30 there", "They met at 5.3 there"),
        ("It has forty, five and six", "It has 45 and 6"),
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


@given(st.lists(st.text(st.characters(categories=["Ll", "Nd"]), min_size=1), min_size=2, max_size=6), st.randoms(use_true_random=False))
def test_a_list_without_an_order_is_the_same_in_any_order(items: list[str], random: random.Random) -> None:
    """Of a declared list only the items count, each as often as it stands there."""
    other = list(items)
    random.shuffle(other)
    assert verdict(f"take {{{', '.join(items)}}}", f"take {{{', '.join(other)}}}") == "positive"
    assert verdict(f"take [{', '.join(items)}]", f"take [{', '.join(other)}]", unordered="[,]") == "positive"
    assert verdict("; ".join(items), "; ".join(other), unordered=";") == "positive"
    assert verdict("; ".join(items), "; ".join([*other, "more"]), unordered=";") == "unknown"


@given(st.sampled_from(units.UNITS), st.data(), st.integers(1, 5000))
def test_a_quantity_is_equal_exactly_when_its_amount_is(unit: units.Unit, data: st.DataObject, value: int) -> None:
    """In any unit of its system, in words or symbols; another amount proves nothing."""
    other = data.draw(st.sampled_from([unit, *units.siblings(unit)]))
    spelt = [(one.plurals or one.symbols)[0] for one in (unit, other)]
    there = units.convert(Fraction(value), unit, other)
    if there is None or there.denominator != 1 or there < 0 or "dollar" in spelt[0] or unit.dimension == "currency":
        return
    text = f"There it had {value} {spelt[0]} in all of it"
    assert verdict(text, f"There it had {there} {spelt[1]} in all of it") == "positive"
    assert verdict(text, f"There it had {there + 1} {spelt[1]} in all of it") == "unknown"


@given(st.dates(), st.dates())
def test_dates_in_two_forms_are_equal_exactly_when_they_are_one_day(one: dt.date, other: dt.date) -> None:
    """ISO 8601 against day, month and year in words, either first."""
    month = other.strftime("%B")
    wanted = "positive" if one == other else "unknown"
    for written in (f"{other.day} {month} {other.year:04}", f"{month} {other.day}, {other.year:04}"):
        assert verdict(f"It was on {one.isoformat()} that it began", f"It was on {written} that it began") == wanted


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=6))
def test_what_a_row_gets_does_not_depend_on_its_neighbours(rows: list[tuple[str, str]]) -> None:
    """A verdict is of the row alone."""
    frame = pl.DataFrame(rows, schema={"positive": pl.String, "negative": pl.String}, orient="row")
    together = verify(Negatives(frame), language="en").to_list()
    assert together == [verdict(positive, negative) for positive, negative in rows]


def test_null_and_long_cells() -> None:
    """A null proves nothing, and a difference in the middle of a megabyte is found."""
    frame = pl.DataFrame(
        {"positive": [None, "a 5", None], "negative": ["5 km", None, None]}, schema={"positive": pl.String, "negative": pl.String}
    )
    assert verify(Negatives(frame), language="en").to_list() == ["unknown"] * 3
    assert verdict(f"{'5' * 9000}.0 km", f"{'5' * 9000} km") == "unknown"
    words = "It rained and rained. " * 25_000
    assert verdict(f"{words}It is 1 km. {words}", f"{words}It is 1000 m. {words}") == "positive"
    assert verdict(f"{words}It is 1 km. {words}", f"{words}It is 1001 m. {words}") == "unknown"
    quantities = "It is 320 km long. " * 20_000
    assert verdict(f"A 1 km way. {quantities} It is 1 km.", f"A 1000 m way. {quantities} It is 1000 m.") == "positive"


@pytest.mark.parametrize(("unordered", "code"), [("{,}", 0), ("", 2), ("{,};", 2)])
def test_command_line(tmp_path: Path, unordered: str, code: int) -> None:
    """`--unordered` takes two brackets around a sign, or a sign."""
    path = tmp_path / "pairs.jsonl"
    path.write_text(json.dumps({"anchor": "a", "positive": "She sold 24 apples."}) + "\n", encoding="utf-8")
    made = tmp_path / "made.jsonl"
    runner = CliRunner()
    assert runner.invoke(app, ["generate", "perturb.number", str(path), "-o", str(made)]).exit_code == 0
    result = runner.invoke(app, ["verify", "equivalent", str(made), "--unordered", unordered, "--to", "jsonl"])
    assert result.exit_code == code, result.stderr
