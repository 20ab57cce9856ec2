"""Units of measure: how they are spelt, what they are of, and exact conversion.

A closed table of our own. English words, in American and British spelling, with their plurals; symbols in any language. Two
quantities are compared exactly only where their units belong to one `system`: a gallon is four quarts everywhere, but how many
litres it is depends on the country, and a year is twelve months but no fixed number of days. Between systems the factor is good
enough to say that two quantities differ by a tenth, never that they are equal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from typing import Literal, NamedTuple

Form = Literal["symbol", "singular", "plural"]


class Unit(NamedTuple):
    """A unit: `value * factor + offset` is the quantity in the dimension's base. loose: it has no fixed size at all.

    symbols, singulars and plurals are its spellings, the commonest first; common: it is one people use for everyday quantities.
    """

    name: str
    dimension: str
    system: str
    factor: Fraction
    offset: Fraction
    symbols: tuple[str, ...]
    singulars: tuple[str, ...]
    plurals: tuple[str, ...]
    common: bool


class Found(NamedTuple):
    """A unit in a text, between two places in it, and how it is spelt there."""

    unit: Unit
    start: int
    end: int
    form: Form


# dimension, system, factor, symbols (`-`: none), words. A factor is exact within its system. `+`: in everyday use.
_TABLE = """
length      si       1e-9              nm                       nanometer,nanometre
length      si       1e-6              \u00b5m,\u03bcm,um       micrometer,micrometre,micron
length      si       1/1000            +mm,MM                   millimeter,millimetre
length      si       1/100             +cm,CM                   centimeter,centimetre
length      si       1                 +m                       meter,metre
length      si       1000              +km,Km,KM                kilometer,kilometre
length      si       0.0254            +-                       inch
length      si       0.3048            +ft                      foot
length      si       0.9144            +yd,yds                  yard
length      si       1609.344          +mi                      mile
length      si       1852              -                        nautical mile
area        si       1e-6              mm\u00b2,mm2,mm^2        square millimeter,square millimetre
area        si       1e-4              +cm\u00b2,cm2,cm^2       square centimeter,square centimetre
area        si       1                 +m\u00b2,m2,m^2,sq_m     square meter,square metre
area        si       10000             +ha                      hectare
area        si       1000000           +km\u00b2,km2,km^2,sq_km square kilometer,square kilometre
area        si       0.00064516        sq_in                    square inch
area        si       0.09290304        +sq_ft,ft\u00b2,ft2      square foot
area        si       0.83612736        -                        square yard
area        si       4046.8564224      +-                       acre
area        si       2589988.110336    +sq_mi,mi\u00b2,mi2      square mile
volume      si       1e-6              \u00b5l,\u03bcl,\u00b5L,\u03bcL microliter,microlitre
volume      si       1/1000            +ml,mL,ML,cc,cm\u00b3,cm3,cm^3 milliliter,millilitre,cubic centimeter,cubic centimetre
volume      si       1/100             +cl,cL                   centiliter,centilitre
volume      si       1/10              +dl,dL                   deciliter,decilitre
volume      si       1                 +l,L                     liter,litre
volume      si       1000              m\u00b3,m3,m^3           cubic meter,cubic metre
volume      si       28.316846592      -                        cubic foot
volume      kitchen  0.00492892159375  +tsp                     teaspoon
volume      kitchen  0.01478676478125  +tbsp                    tablespoon
volume      kitchen  0.2365882365      +-                       cup
volume      kitchen  0.473176473       +-                       pint
volume      kitchen  0.946352946       +-                       quart
volume      kitchen  3.785411784       +gal                     gallon
volume      fluid    0.0295735295625   fl_oz                    fluid ounce
mass        si       1e-9              ng                       nanogram
mass        si       1e-6              \u00b5g,\u03bcg,ug,mcg   microgram
mass        si       1/1000            +mg                      milligram
mass        si       1                 +g                       gram,gramme
mass        si       1000              +kg,Kg,KG,kgs            kilogram,kilogramme,kilo
mass        si       1000000           +-                       tonne,metric ton
mass        si       28.349523125      +oz                      ounce
mass        si       453.59237         +lb,lbs                  pound
mass        si       6350.29318        -                        stone
mass        ton      907185            +-                       ton
time        clock    1e-9              ns                       nanosecond
time        clock    1e-6              \u00b5s,\u03bcs          microsecond
time        clock    1/1000            ms,msec                  millisecond
time        clock    1                 +s,sec,secs              second
time        clock    60                +min,mins                minute
time        clock    3600              +h,hr,hrs                hour
time        clock    86400             +-                       day
time        clock    604800            +-                       week
time        calendar 2629746           +-                       month
time        calendar 31556952          +yr,yrs                  year
time        calendar 315569520         -                        decade
time        calendar 3155695200        -                        century
speed       si       1                 +m/s                     meter per second,metre per second
speed       si       5/18              +km/h,kmh,kph,kmph       kilometer per hour,kilometre per hour,kilometer an hour,kilometre an hour
speed       si       0.44704           +mph                     mile per hour,mile an hour
speed       si       0.3048            -                        foot per second
speed       si       463/900           +-                       knot
temperature heat     1                 +\u00b0C,\u2103          degree Celsius,degree Centigrade,degree C
temperature heat     5/9               +\u00b0F,\u2109          degree Fahrenheit,degree F
temperature heat     1                 K                        kelvin,degree Kelvin
data        data     1/8               -                        bit
data        data     1                 -                        byte
data        data     1000              kB,KB                    kilobyte
data        data     1000000           +MB                      megabyte
data        data     1000000000        +GB                      gigabyte
data        data     1000000000000     +TB                      terabyte
data        data     1024              KiB                      kibibyte
data        data     1048576           MiB                      mebibyte
data        data     1073741824        GiB                      gibibyte
energy      si       1                 +J                       joule
energy      si       1000              +kJ                      kilojoule
energy      si       1000000           MJ                       megajoule
energy      si       3600              Wh                       watt-hour,watt hour
energy      si       3600000           kWh                      kilowatt-hour,kilowatt hour
energy      si       3600000000        MWh                      megawatt-hour,megawatt hour
energy      si       3600000000000     GWh                      gigawatt-hour,gigawatt hour
energy      food     4184              kcal                     kilocalorie
energy      loose    4184              -                        calorie
power       si       1                 +W                       watt
power       si       1000              +kW                      kilowatt
power       si       1000000           +MW                      megawatt
power       si       1000000000        GW                       gigawatt
power       loose    746               hp,bhp                   horsepower
pressure    si       1                 +Pa                      pascal
pressure    si       100               hPa,mbar                 hectopascal,millibar
pressure    si       1000              +kPa                     kilopascal
pressure    si       1000000           MPa                      megapascal
pressure    si       100000            +-                       bar
pressure    si       101325            atm                      -
pressure    gauge    6894757/1000      psi                      -
pressure    mercury  133322/1000       mmHg                     -
frequency   si       1                 +Hz                      hertz
frequency   si       1000              +kHz                     kilohertz
frequency   si       1000000           +MHz                     megahertz
frequency   si       1000000000        +GHz                     gigahertz
amount      molar    1e-12             pM                       picomolar
amount      molar    1e-9              +nM                      nanomolar
amount      molar    1e-6              +\u00b5M,\u03bcM,uM      micromolar
amount      molar    1/1000            +mM                      millimolar
share       share    1/100             %,pct                    percent,per cent
currency    dollar   1                 $,USD,usd                dollar,US dollar
currency    euro     1                 \u20ac,EUR,eur           euro
currency    sterling 1                 \u00a3,GBP,gbp           pound sterling
currency    yen      1                 \u00a5,JPY               yen
currency    rupee    1                 \u20b9,INR               rupee
currency    krone    1                 NOK,SEK,DKK,kr           krone,krona
currency    small    1/100             \u00a2                   cent
"""
_PLURALS = {
    "inch": "inches",
    "foot": "feet",
    "century": "centuries",
    "stone": "stone",
    "hertz": "hertz",
    "horsepower": "horsepower",
    "percent": "percent",
    "per cent": "per cent",
    "kelvin": "kelvins",
    "yen": "yen",
    "krone": "kroner",
    "krona": "kronor",
    "pound sterling": "pounds sterling",
    "kilohertz": "kilohertz",
    "megahertz": "megahertz",
    "gigahertz": "gigahertz",
}
_OFFSETS = {"\u00b0C": Fraction(27315, 100), "\u00b0F": Fraction(45967, 180)}


def _plural(word: str) -> str:
    first, _, rest = word.partition(" ")
    if word in _PLURALS:
        return _PLURALS[word]
    if rest and (rest.startswith(("per ", "an ")) or first == "degree"):
        return f"{_plural(first)} {rest}"
    if rest:
        return f"{first} {_plural(rest)}"
    return f"{word}s"


def _read() -> Iterator[Unit]:
    for line in _TABLE.strip().splitlines():
        dimension, system, factor, signs, words = line.split(None, 4)
        symbols = tuple(sign.replace("_", " ") for sign in signs.removeprefix("+").split(",") if sign != "-")
        singulars = tuple(word for word in words.split(",") if word != "-")
        offset = _OFFSETS.get(symbols[0], Fraction(0)) if symbols else Fraction(0)
        name = singulars[0] if singulars else symbols[0]
        plurals = tuple(map(_plural, singulars))
        yield Unit(name, dimension, system, Fraction(factor), offset, symbols, singulars, plurals, signs[0] == "+")


UNITS = [*_read()]
BY_NAME = {unit.name: unit for unit in UNITS}


def _spellings() -> dict[str, tuple[Unit, Form]]:
    found: dict[str, tuple[Unit, Form]] = {}
    for unit in UNITS:
        forms: tuple[tuple[Form, tuple[str, ...]], ...] = (
            ("symbol", unit.symbols),
            ("singular", unit.singulars),
            ("plural", unit.plurals),
        )
        for form, spellings in forms:
            for spelling in spellings:
                found.setdefault(spelling, (unit, form))
    return found


SPELLINGS = _spellings()
_WORDS = {spelling.lower(): known for spelling, known in SPELLINGS.items() if known[1] != "symbol"}
# In small letters, as normalised texts are, a symbol may be that of two units: neither is known there. A prefix of ten is the same
# for metres and for concentrations, so `5 nm` may be either.
_SMALL: dict[str, tuple[Unit, Form]] = {}
for _spelling, _known in SPELLINGS.items():
    _SMALL.setdefault(_spelling.lower(), _known)
_SMALL.pop("k", None)
SMALL_SPELLINGS = (*_SMALL,)  # as normalised texts have them


def _alternatives(spellings: Iterator[str]) -> str:
    return "|".join(re.escape(one).replace(r"\ ", "[ \u00a0.]{1,2}") for one in sorted({*spellings}, key=lambda one: (-len(one), one)))


_END = r"(?![\w^/\u00b2\u00b3\u00b7*\u0300-\u036f])"
_SYMBOL = re.compile(rf"(?:{_alternatives(iter([*SPELLINGS]))}){_END}")
_WORD = re.compile(rf"(?:{_alternatives(iter([*_WORDS]))}){_END}", re.IGNORECASE)
_SMALL_SPELT = re.compile(rf"(?:{_alternatives(iter([*_SMALL]))}){_END}")
_GAP = re.compile("[ \u00a0\u202f\u2009-]?")
_BLANKS = re.compile("[ \u00a0.]+")


def unit_at(text: str, end_of_number: int, *, small: bool = False) -> Found | None:
    """The unit that follows a number, after a blank or a hyphen or at once, or None.

    small: the text is in small letters throughout, so that symbols are known by those. A symbol of one letter touches no number:
    `5m` may be five million, and `90s` a decade.
    """
    gap = _GAP.match(text, end_of_number)
    start = gap.end() if gap else end_of_number
    hyphen = text[end_of_number:start] == "-"
    # No unit is longer than its words.
    found = _spelt(text[start : start + 40], small)
    if found is None:
        return None
    unit, form, length = found
    if length == 1 and start == end_of_number and text[start] not in "%$\u20ac\u00a3\u00a5\u20b9":
        return None
    if hyphen and form != "singular" and length < 2:
        return None
    return Found(unit, start, start + length, form)


@lru_cache(maxsize=1 << 14)
def _spelt(ahead: str, small: bool) -> tuple[Unit, Form, int] | None:
    if not ahead:
        return None
    for pattern, table, fold in ((_SMALL_SPELT, _SMALL, False),) if small else ((_SYMBOL, SPELLINGS, False), (_WORD, _WORDS, True)):
        match = pattern.match(ahead)
        if match is not None:
            spelling = _BLANKS.sub(" ", match[0]).strip()
            known = table.get(spelling.lower() if fold else spelling)
            if known is not None:
                return *known, len(match[0])
    return None


def base(value: Fraction, unit: Unit) -> Fraction:
    """A quantity in the base of its dimension."""
    return value * unit.factor + unit.offset


def convert(value: Fraction, unit: Unit, other: Unit) -> Fraction | None:
    """The value that the same quantity has in another unit, exactly, or None where it has none."""
    if (unit.dimension, unit.system) != (other.dimension, other.system) or "loose" in (unit.system, other.system):
        return (unit is other and value) or None
    return (base(value, unit) - other.offset) / other.factor


def apart(value: Fraction, unit: Unit, other: Unit) -> Fraction:
    """By which share of the larger one the quantities `value unit` and `value other` differ, from 0 to 1.

    Temperatures have no natural zero: their difference is a share of the larger reading in degrees Celsius.
    """
    one, two = base(value, unit), base(value, other)
    if unit.dimension == "temperature":
        zero = _OFFSETS["\u00b0C"]
        one, two = one - zero, two - zero
        return min(Fraction(1), abs(one - two) / max(abs(one), abs(two), Fraction(10)))
    largest = max(abs(one), abs(two))
    return abs(one - two) / largest if largest else Fraction(0)


def siblings(unit: Unit) -> list[Unit]:
    """The other units of a unit's dimension, the nearest in size first."""
    others = [one for one in UNITS if one.dimension == unit.dimension and one is not unit]

    def farness(other: Unit) -> Fraction:
        return max(other.factor / unit.factor, unit.factor / other.factor)

    return sorted(others, key=farness)


def spelt_like(unit: Unit, form: Form, like: str) -> str | None:
    """A unit's spelling of the form, British or American and in capitals as `like` is, or None if it has none."""
    spellings = {"symbol": unit.symbols, "singular": unit.singulars, "plural": unit.plurals}[form]
    if not spellings:
        return None
    british = re.search("met(re)|lit(re)|gramme", like.lower()) is not None
    pick = next((one for one in spellings if british and re.search("(?:met|lit)res?(?![a-z])", one)), spellings[0])
    if form != "symbol" and like[:1].isupper():
        pick = pick.upper() if like.isupper() and len(like) > 1 else pick[0].upper() + pick[1:]
    return pick
