"""Numbers and arithmetic as people write them, with exact values: no rounding, no `eval`, and an end to what is taken on.

Source: the written forms are those of GSM8K (Cobbe et al., 2021) and of answers to MATH (Hendrycks et al., 2021).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

NUMBER = r"(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
_MOST_CHARACTERS, _MOST_DEPTH, _MOST_BITS, _MOST_EXPONENT = 400, 40, 4096, 400
_TOKEN = re.compile(rf"\s*(?:({NUMBER})([eE][+-]?[0-9]{{1,3}}(?![0-9.]))?|(\*\*|[-+*/^()%]))")
_SIGNS = str.maketrans({"\u2212": "-", "\u2013": "-", "\u00d7": "*", "\u00b7": "*", "\u22c5": "*", "\u00f7": "/", "\u2044": "/"})
# LaTeX that is nothing but arithmetic, as plain arithmetic.
_LATEX = (
    (re.compile(r"\\(?:left|right|displaystyle|,|;|!|:| )"), ""),
    (re.compile(r"\\[dtc]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}"), r"((\1)/(\2))"),
    (re.compile(r"\\[dtc]?frac\s*([0-9])\s*([0-9])"), r"(\1/\2)"),
    (re.compile(r"\\(?:cdot|times)(?![A-Za-z])"), "*"),
    (re.compile(r"\\div(?![A-Za-z])"), "/"),
    (re.compile(r"\^\{([^{}]*)\}"), r"^(\1)"),
    (re.compile(r"\{,\}"), ","),
    (re.compile(r"\\([%$])"), r"\1"),
)


class BeyondError(ValueError):
    """No arithmetic, or more of it than is taken on."""


def evaluate(text: str) -> Fraction | None:
    """The exact value of numbers, + - * / ^, parentheses and percent signs, or None for anything else and for what is too large."""
    if len(text) > _MOST_CHARACTERS:
        return None
    try:
        return _Reader(text.translate(_SIGNS)).value()
    except (BeyondError, ZeroDivisionError):
        return None


class _Reader:
    """Reads by descent: a sum of products of powers of signed numbers."""

    def __init__(self, text: str) -> None:
        self._tokens = [*_tokens(text), ""]
        self._at, self._depth = 0, 0

    def value(self) -> Fraction:
        found = self._sum()
        if self._tokens[self._at]:
            raise BeyondError
        return found

    def _next(self, *wanted: str) -> str:
        token = self._tokens[self._at]
        if not token or (wanted and token not in wanted):
            return ""
        self._at += 1
        return token

    def _sum(self) -> Fraction:
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise BeyondError
        found = self._product()
        while sign := self._next("+", "-"):
            found = _small(found + self._product() if sign == "+" else found - self._product())
        self._depth -= 1
        return found

    def _product(self) -> Fraction:
        found = self._signed()
        while sign := self._next("*", "/"):
            found = _small(found * self._signed() if sign == "*" else found / self._signed())
        return found

    def _signed(self) -> Fraction:
        sign = 1
        while mark := self._next("-", "+"):
            sign = -sign if mark == "-" else sign
        return sign * self._power()

    def _power(self) -> Fraction:
        found = self._single()
        if not self._next("^", "**"):
            return found
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise BeyondError
        exponent = self._signed()
        self._depth -= 1
        bits = max(found.numerator.bit_length(), found.denominator.bit_length())
        if exponent.denominator != 1 or abs(exponent) > _MOST_EXPONENT or bits * abs(exponent) > _MOST_BITS:
            raise BeyondError
        return found ** int(exponent)

    def _single(self) -> Fraction:
        word = self._next()
        if word == "(":
            found = self._sum()
            if not self._next(")"):
                raise BeyondError
        elif word and word[0] in ".0123456789":
            found = _small(Fraction(word.replace(",", "")))
        else:
            raise BeyondError
        return found / 100 if self._next("%") else found


def _tokens(text: str) -> Iterator[str]:
    at = 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise BeyondError
        yield (match[1] + (match[2] or "")) if match[1] else match[3]
        at = match.end()


def _small(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > _MOST_BITS:
        raise BeyondError
    return value


# -- answers -----------------------------------------------------------------------------------------------------------


class Quantity(NamedTuple):
    """What an answer says: the values it can be read as, whether in percent, the unit beside it, and its decimals (-1: exact)."""

    values: frozenset[Fraction]
    percent: bool
    unit: str
    decimals: int


_MARKED = re.compile(r"####[ \t]*([^\n]*)")
_SAID = re.compile(
    r"(?i)(?:\b(?:answer|antwort|r\u00e9ponse|respuesta|risposta|svar(?:et)?|antwoord|resposta)\b"
    r"\s*(?:ist|is|est|es|\u00e8|er|\u00e9)?\s*[:=]?|\u7b54\u6848(?:\u662f|\uff1a|:)?)[^\S\n]*(?=[^\s])"
)
_LAST_LINE = re.compile(r"(?:^|\n)[ \t]*A[ \t]*:[ \t]*([^\n]+?)\s*\Z")
_BOXED = re.compile(r"\\boxed\s*\{|\\fbox\s*\{")
# Units of which another stands for the same quantity, and words that are part of the number.
_SCALED = re.compile(
    r"(?i)(?:second|sec|minute|min|hour|hr|day|week|month|year|decade|mm|cm|dm|m|km|met(?:er|re)|kilomet(?:er|re)|centimet(?:er|re)|inch"
    r"|inches|foot|feet|ft|yard|yd|mile|mg|g|gram|kg|kilogram|ton|tonne|oz|ounce|lb|pound|ml|l|lit(?:er|re)|cup|pint|quart|gallon|cent|penny"
    r"|pennies|dime|nickel|quarter|dozen|pair|hundred|thousand|million|billion|degree|radian|am|pm|k|s|h)s?\b"
)
_MONEY = "$\u20ac\u00a3\u00a5\u20b9"
_UNIT = re.compile(r"(.*?[0-9)%])\s*((?:\\text\{)?[^\W\d_][^\d=+*/^]*\}?)", re.DOTALL)
_MIXED = re.compile(r"(-?)\s*([0-9]+)\s+([0-9]+)\s*/\s*([0-9]+)")
_COMMA = re.compile(r"(?<![0-9.,])([0-9]+),([0-9]+)(?![0-9.,])")
_POINT = re.compile(r"(?<![0-9.,])([0-9]{1,3})((?:\.[0-9]{3})+)(?:,([0-9]+))?(?![0-9.,])")
_SCIENTIFIC = re.compile(rf"({NUMBER})\s*(?:x|\*|\u00d7|\\times|\\cdot)\s*10\s*\^\s*\{{?\s*([-\u2212+]?[0-9]{{1,3}})\s*\}}?")


def final_answer(text: str) -> str | None:
    """What a text gives as its answer: after the last `####`, in the last box, in a last line `A: ...`, or after the last `answer is`.

    A text of one short line without any of these, which is a quantity as it stands, is its own answer. None where there is none.
    """
    if marked := _MARKED.findall(text):
        return str(marked[-1]).strip() or None
    if boxed := [*_BOXED.finditer(text)]:
        return _braced(text, boxed[-1].end())
    if line := _LAST_LINE.search(text):
        return _without_end(line[1]) or None
    if said := [*_SAID.finditer(text)]:
        return _without_end(text[said[-1].end() :].partition("\n")[0]) or None
    bare = text.strip()
    return bare if len(bare) <= 100 and "\n" not in bare and quantity(bare) is not None else None


def _braced(text: str, start: int) -> str | None:
    depth = 1
    for at in range(start, min(len(text), start + 2000)):
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        if not depth:
            return text[start:at].strip() or None
    return None


def _without_end(said: str) -> str:
    said = said.strip().strip("*_").strip()
    said = re.split(r"(?<=[^\s])[.\u3002;!](?=\s|$)", said, maxsplit=1)[0]
    return said.strip().strip("*_").strip().rstrip(",:")


def quantity(answer: str, language: str = "en") -> Quantity | None:
    """An answer that is a number, a fraction, a percentage, an amount of money or plain arithmetic, with a unit or without, or None.

    In another language than English `1,234` and `1.234` can be read in two ways; there `values` has both.
    """
    plain = answer.strip().strip("$").strip() if answer.count("$") > 1 else answer.strip()
    if not plain or len(plain) > _MOST_CHARACTERS:
        return None
    plain = re.sub(r"^\\\((.*)\\\)$|^\\\[(.*)\\\]$", lambda match: match[1] or match[2] or "", plain, flags=re.DOTALL).strip()
    plain = plain.rstrip(".").translate(_SIGNS)
    plain = re.sub(r"^(?:[A-Za-z]\w{0,2}\s*)?=\s*", "", plain)
    for pattern, new in _LATEX:
        plain = pattern.sub(new, plain)
    plain = _SCIENTIFIC.sub(r"(\1*10^(\2))", plain)
    unit = ""
    if match := _UNIT.fullmatch(plain):
        plain, unit = match[1], match[2].replace("\\text{", "").strip("} .").lower()
    for mark in _MONEY:
        if mark in plain:
            plain, unit = plain.replace(mark, ""), unit or ""
    plain = _MIXED.sub(r"\1(\2+\3/\4)", plain.strip())
    percent = plain.endswith("%") or unit in ("percent", "per cent", "prozent", "prosent", "pour cent", "por ciento")
    plain = plain.rstrip("% ")
    found = {value for one in _readings(plain, language) if (value := evaluate(one)) is not None}
    if not found:
        return None
    decimals = max((len(one.partition(".")[2]) for one in re.findall(r"[0-9]*\.[0-9]+", plain)), default=0)
    if "/" in plain or "*" in plain:
        decimals = -1
    return Quantity(frozenset(found), percent, "" if percent else unit, decimals)


def _readings(text: str, language: str) -> list[str]:
    # A comma in parentheses parts the members of a pair.
    if language == "en" or "(" in text:
        return [text]
    found = [text, _COMMA.sub(r"\1.\2", text)]
    return [*found, _POINT.sub(lambda match: match[1] + match[2].replace(".", "") + ("." + match[3] if match[3] else ""), text)]


def compare(one: Quantity, other: Quantity) -> str:
    """`positive` where both say the same value, `negative` where they cannot, `unknown` where it depends on how they are read.

    What is the same once rounded is not told apart, nor 50 from 50 %, nor quantities in different units.
    """
    units = {unit for unit in (one.unit, other.unit) if unit}
    alike = len(units) < 2 or len({unit.rstrip("s.") for unit in units}) < 2
    left, right = one.values, other.values
    if one.percent != other.percent:
        bare, share = (right, left) if one.percent else (left, right)
        if {value / 100 for value in share} == bare and len(bare) == 1:
            return "positive" if not units else "unknown"
        near = share & bare or {value / 100 for value in share} & bare
        return "unknown" if near or units else "negative"
    if not alike or (one.unit != other.unit and any(_SCALED.match(unit) for unit in units)):
        return "unknown"
    if left == right and len(left) == 1:
        return "positive"
    if left & right:
        return "unknown"
    if any(_rounded(a, b, one.decimals, other.decimals) for a in left for b in right):
        return "unknown"
    return "negative"


def _rounded(left: Fraction, right: Fraction, decimals: int, others: int) -> bool:
    """Whether one may be the other with fewer decimals."""
    known = [one for one in (decimals, others) if one >= 0]
    if not known or (decimals == others and decimals >= 0):
        return False
    return abs(left - right) <= Fraction(1, 2 * 10 ** min(known))
