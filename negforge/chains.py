"""A worked solution as a chain of equations: which numbers each one uses, where its result is used again, and what follows from a change.

Read are calculator marks (`<<48/2=24>>24`, with the same sum before them or not) and plain sums (`48 / 2 = 24`), in any language.
A number is told by its value: two things of one value cannot be told apart, and what hangs on that is refused.
Source: the marks are those of GSM8K, Cobbe et al., 2021.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from negforge.arithmetic import NUMBER, evaluate

_OPERATORS = "-+*/x\u00d7\u00f7\u2212\u00b7"
_MARK = re.compile(r"<<([^<>=\n]{1,200})=([^<>=\n]{1,60})>>")
_TOKEN = re.compile(NUMBER)
_OPERAND = rf"[$\u20ac\u00a3]?-?{NUMBER}%?"
_PLAIN = re.compile(
    rf"\(*{_OPERAND}\)*(?:[ \t]*[-+*/x\u00d7\u00f7\u2212\u00b7][ \t]*\(*{_OPERAND}\)*){{1,30}}[ \t]*=[ \t]*(?P<result>{_OPERAND})"
)
_LABEL = re.compile(r"(?im)^[ \t]*(?:(?:step|schritt|paso|\u00e9tape|steg|stap)[ \t]*)?[0-9]{1,2}[ \t]*[.):](?=\s|$)")
_ANSWER = re.compile(r"####")
_MONEY = "$\u20ac\u00a3"
_FIRST_SAID = (
    "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty"
)
_SAID = {word: value for value, word in enumerate(_FIRST_SAID.split(), start=2)}
_WORD_OF = {value: word for word, value in _SAID.items()}
_WORDS = re.compile(rf"(?i)(?<![\w-])(?:{'|'.join(_SAID)})(?![\w-])")
# The same in other languages, where what is no English word: such a number is not changed, so nothing that it may repeat is.
_FOREIGN_SAID = """2 zwei deux duo dois duas twee tv\u00e5 3 drei trois tres tr\u00eas drie tre 4 vier quatre cuatro quattro quatro fyra
    5 f\u00fcnf cinq cinco cinque vijf fem 6 sechs seis sei zes seks 7 sieben sept siete sette sete zeven sju syv
    8 acht huit ocho otto oito \u00e5tta \u00e5tte otte 9 neun neuf nueve nove negen nio ni 10 zehn dix diez dieci dez tien tio ti
    11 elf onze undici elva elleve 12 zw\u00f6lf douze doce dodici doze twaalf tolv"""
_FOREIGN: dict[str, int] = {}
for _word in _FOREIGN_SAID.split():
    if _word.isdigit():
        _value_said = int(_word)
    else:
        _FOREIGN[_word] = _value_said
# What a text says without its number: any of these words may be where a sum has the value from.
_IMPLIED = {
    word: tuple(int(one) for one in values.split(","))
    for values, words in (
        ("2", "half halves twice double doubled doubles both pair pairs couple each"),
        ("3", "third thirds thrice triple tripled triples"),
        ("4", "quarter quarters quadruple fourth fourths"),
        ("5", "fifth fifths weekday weekdays workday workdays nickel nickels"),
        ("10", "tenth tenths dime dimes decade decades"),
        ("12", "dozen dozens foot feet inch inches"),
        ("7", "week weeks weekly"),
        ("24,7", "day days daily"),
        ("60", "hour hours hourly minute minutes second seconds"),
        ("12,30,4", "month months monthly"),
        ("12,365,52,4", "year years yearly annual annually season seasons"),
        ("100", "percent percentage cent cents dollar dollars meter meters hundred century"),
        ("1000", "thousand kilometer kilometers km kg gram grams ml"),
        ("25", "quarter quarters"),
        ("16", "ounce ounces pound pounds"),
        ("3", "yard yards"),
    )
    for word in words.split()
}
_FOREIGN_WORDS = re.compile(rf"(?i)(?<![\w-])(?:{'|'.join(_FOREIGN)})(?![\w-])")
_ANY_WORD = re.compile(r"[^\W\d_]+")


class Number(NamedTuple):
    """A number of a text. role: `operand` or `result` of an equation, `prose`, `fixed` (a part of a fraction, a percentage), `answer`."""

    start: int
    end: int
    value: Fraction
    role: str
    equation: int = -1
    word: bool = False
    marked: bool = False  # inside a calculator mark


@dataclass
class Equation:
    """A sum and its result. `operands` by place in it: where each is written, once or twice. `signs`: where each operator between
    neighbours is written, empty where that cannot be told. segment: from where the text about it begins.
    """

    segment: int
    start: int
    end: int
    sum_start: int
    sum_end: int
    value: Fraction
    operands: list[list[Number]] = field(default_factory=list)
    signs: list[list[tuple[int, int]]] = field(default_factory=list)
    exact: bool = False


@dataclass
class Chain:
    """A text with its numbers in order and its equations."""

    text: str
    numbers: list[Number]
    equations: list[Equation]
    answer: Number | None

    def line(self, position: int) -> int:
        """In which line that is not blank a position lies, from 1."""
        return sum(1 for line in self.text[:position].split("\n")[:-1] if line.strip()) + 1


class Refused(Exception):  # noqa: N818 - no error: a change that must not be made
    """Why a change cannot be carried through."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read(text: str) -> Chain:
    """The chain of a text; one without equations has none."""
    found: list[Equation] = []
    roles: dict[int, tuple[str, int]] = {}
    labels = {at for match in _LABEL.finditer(text) for at in range(match.start(), match.end())}
    tokens = [_signed(text, match.start(), match.end()) for match in _TOKEN.finditer(text)]
    tokens = [one for one in tokens if one[1] - one[0] <= 15]
    spans = [(match.start(), match.end(), match) for match in _MARK.finditer(text)]
    marks = [(start, end) for start, end, _ in spans]
    inside = _Inside(marks)
    for match in _PLAIN.finditer(text):
        if not inside.any(match.start(), match.end()) and _stands(text, match):
            spans.append((match.start(), match.end(), match))
    spans.sort(key=lambda one: one[:2])
    before = 0
    for start, end, match in spans:
        segment = max(before, text.rfind("\n", 0, start) + 1)
        marked = match.re is _MARK
        sum_start, sum_end = (match.span(1)) if marked else (start, text.rindex("=", start, end))
        equation = _equation(text, match, segment, (sum_start, sum_end), marked=marked)
        if equation is None:
            continue
        number = len(found)
        own = [one for one in tokens if sum_start <= one[0] and one[1] <= sum_end]
        equation.operands = [[Number(*one, "operand", number, marked=marked)] for one in own]
        equation.signs = [_signs(text, left[1], right[0]) for left, right in pairwise(own)]
        for one in own:
            roles[one[0]] = ("operand", number)
        result = next((one for one in tokens if one[0] >= sum_end and one[1] <= end), None)
        if result is None:
            continue
        roles[result[0]] = ("result", number)
        if marked:
            echo = next((one for one in tokens if one[0] >= end), None)
            if echo is not None and text[end : echo[0]].strip(" $\u20ac\u00a3") == "" and echo[2] == equation.value:
                roles[echo[0]] = ("result", number)
                equation.end = echo[1]
            _spoken(text, equation, [one for one in tokens if segment <= one[0] < start], start, number, roles)
        found.append(equation)
        before = equation.end
    answer_at = [match.end() for match in _ANSWER.finditer(text)]
    numbers = []
    for start, end, value in tokens:
        role, equation_of = roles.get(start, ("prose", -1))
        if role == "prose":
            if answer_at and start >= answer_at[-1]:
                role = "answer"
            elif start in labels or _glued(text, start, end):
                role = "fixed"
        numbers.append(Number(start, end, value, role, equation_of, marked=inside.any(start, end)))
    numbers += [
        Number(match.start(), match.end(), Fraction(_SAID[match[0].lower()]), "prose", word=True) for match in _WORDS.finditer(text)
    ]
    numbers += [
        Number(match.start(), match.end(), Fraction(_FOREIGN[match[0].lower()]), "fixed", word=True)
        for match in _FOREIGN_WORDS.finditer(text)
    ]
    numbers.sort(key=lambda one: one.start)
    answers = [one for one in numbers if one.role == "answer"]
    return Chain(text, numbers, found, answers[0] if answers else None)


class _Inside:
    def __init__(self, spans: list[tuple[int, int]]) -> None:
        self._spans = spans

    def any(self, start: int, end: int) -> bool:
        return any(start < last and first < end for first, last in self._spans)


def _signed(text: str, start: int, end: int) -> tuple[int, int, Fraction]:
    value = Fraction(text[start:end].replace(",", ""))
    if start and text[start - 1] in "-\u2212":
        before = text[: start - 1].rstrip(" \t")
        apart = start < 2 or text[start - 2] in " \t\n(=*/+-<>$"
        if apart and (not before or not (before[-1].isdigit() or before[-1] in ")%")):
            return start - 1, end, -value
    return start, end, value


def _stands(text: str, match: re.Match[str]) -> bool:
    """Whether a plain sum is whole: nothing before or after it belongs to it."""
    before, after = text[: match.start()].rstrip(" \t"), text[match.end() :]
    touching = text[match.start() - 1 : match.start()]
    if before and (
        before[-1] in _OPERATORS.replace("x", "") + "(^%" or before[-1].isdigit() or touching.isalnum() or touching in (".", ",")
    ):
        return False
    if re.match(r"[0-9]|[.,][0-9]|\w|[ \t]*[=^*/+\u00d7\u00f7]|[ \t]*[-\u2212x][ \t]*[0-9(]", after):
        return False
    return match[0].count("(") == match[0].count(")")


def _equation(text: str, match: re.Match[str], segment: int, bounds: tuple[int, int], *, marked: bool) -> Equation | None:
    written = match[2] if marked else match["result"]
    value = _value(written)
    if value is None or not _TOKEN.search(match[1] if marked else match[0]):
        return None
    made = Equation(segment, match.start(), match.end(), *bounds, value)
    made.exact = _value(text[bounds[0] : bounds[1]]) == value
    return made


def _value(expression: str) -> Fraction | None:
    return evaluate(re.sub(r"[$\u20ac\u00a3]", "", expression).replace("x", "*"))


def _signs(text: str, start: int, end: int) -> list[tuple[int, int]]:
    between = text[start:end]
    at = [place for place, mark in enumerate(between) if mark in _OPERATORS and (mark != "x" or not between.replace("x", "", 1).strip())]
    return [(start + at[0], start + at[0] + 1)] if len(at) == 1 else []


def _spoken(
    text: str, equation: Equation, tokens: list[tuple[int, int, Fraction]], start: int, number: int, roles: dict[int, tuple[str, int]]
) -> None:
    """Join a sum that stands before its calculator mark, units and all, to the mark's."""
    size = len(equation.operands)
    last = tokens[-size:] if size else []
    if len(last) < size or "=" not in text[last[-1][1] : start] or any(one[0] in roles for one in last):
        # Said in prose alone: where the operator stands cannot be told, but the mark's own is all there is.
        return
    if [one[2] for one in last] != [written[0].value for written in equation.operands]:
        equation.signs = [[] for _ in equation.signs] if "=" in text[equation.segment : start] else equation.signs
        return
    for place, one in enumerate(last):
        equation.operands[place].append(Number(*one, "operand", number))
        roles[one[0]] = ("operand", number)
    for place, (left, right) in enumerate(pairwise(last)):
        spoken = _signs(text, left[1], right[0])
        equation.signs[place] = equation.signs[place] + spoken if spoken and equation.signs[place] else []


def _glued(text: str, start: int, end: int) -> bool:
    """Whether a number is part of something else: a fraction, a percentage, a time, a name."""
    before, after = text[start - 1 : start], text[end : end + 1]
    return before.isalpha() or before in ("/", ":", "#", "_") or after.isalpha() or after in ("/", "%", ":", "_", "\u00b0")


# -- what else a value may come from -----------------------------------------------------------------------------------


def values_of(text: str) -> set[Fraction]:
    """The values that a text gives in digits or words."""
    found = {Fraction(match[0].replace(",", "")) for match in _TOKEN.finditer(text) if match.end() - match.start() <= 15}
    return found | {Fraction(_SAID[match[0].lower()]) for match in _WORDS.finditer(text)}


def implied_by(text: str) -> set[Fraction]:
    """The values that words of a text may stand for: 60 where it speaks of hours."""
    words = {match[0].lower() for match in _ANY_WORD.finditer(text)}
    return {Fraction(one) for word in words for one in _IMPLIED.get(word, ())} | ({Fraction(100)} if "%" in text else set())


# -- a change and what follows from it ---------------------------------------------------------------------------------


class Changed(NamedTuple):
    """A changed chain: edits in order, as start, end and new text; the answer before and after."""

    edits: list[tuple[int, int, str]]
    before: Fraction
    after: Fraction

    def apply(self, text: str) -> str:
        """The text with the edits."""
        parts, at = [], 0
        for start, end, new in self.edits:
            parts += [text[at:start], new]
            at = end
        return "".join([*parts, text[at:]])


def carried(
    chain: Chain,
    place: int,
    edits: Mapping[tuple[int, int], str],
    result: Fraction | None,
    given: AbstractSet[Fraction],
    implied: AbstractSet[Fraction],
    *,
    onward: bool,
) -> Changed:
    """Change one equation and all that follows from it.

    place: the equation. edits: what changes in its sum. result: what it wrongly gives; None for what the changed sum gives. given,
    implied: values that the question gives, and that words of question or text may stand for. onward: whether what uses the result is
    changed too, or the equation alone. Raises Refused: `unnatural`, `ambiguous`, `inexact`,
    `unexplained`, `singular`, `no-change`.
    """
    made = dict(edits)
    equation = chain.equations[place]
    if not equation.exact:
        raise Refused("inexact")
    new = new_value(chain, equation, made) if result is None else result
    if new is None:
        raise Refused("unnatural")
    if new == equation.value:
        raise Refused("no-change")
    state = _State(chain, made, given, implied)
    state.results(place, new)
    if onward:
        state.follow(place)
    last = chain.equations[-1]
    before = chain.answer.value if chain.answer is not None else last.value
    after = _after(chain, state, before)
    return Changed(sorted((start, end, text) for (start, end), text in made.items()), before, after)


def _after(chain: Chain, state: _State, before: Fraction) -> Fraction:
    if chain.answer is not None:
        new = state.made.get((chain.answer.start, chain.answer.end))
        return before if new is None else Fraction(new.replace(",", "").replace("\u2212", "-"))
    return state.new_results.get(len(chain.equations) - 1, before)


def new_value(chain: Chain, equation: Equation, made: Mapping[tuple[int, int], str]) -> Fraction | None:
    """What the sum of an equation gives once it is changed."""
    parts, at = [], equation.sum_start
    for (start, end), new in sorted(made.items()):
        if equation.sum_start <= start and end <= equation.sum_end:
            parts += [chain.text[at:start], new]
            at = end
    return _value("".join([*parts, chain.text[at : equation.sum_end]]))


class _State:
    """What changed so far: edits by place, and the new value of each old one."""

    def __init__(
        self, chain: Chain, made: dict[tuple[int, int], str], given: AbstractSet[Fraction], implied: AbstractSet[Fraction]
    ) -> None:
        self.chain, self.made, self.given, self.implied = chain, made, given, implied
        self.new_of: dict[Fraction, Fraction] = {}
        self.new_results: dict[int, Fraction] = {}

    def write(self, number: Number, new: Fraction) -> None:
        text = written(new, number, self.chain.text)
        if text is None:
            raise Refused("unnatural")
        self.made[number.start, number.end] = text

    def results(self, place: int, new: Fraction) -> None:
        """Give an equation another result, wherever it stands as such, and before the equation where its own text names it first."""
        chain, equation = self.chain, self.chain.equations[place]
        _natural(chain, equation.value, new)
        if self.new_of.get(equation.value, new) != new:
            raise Refused("ambiguous")
        self.new_of[equation.value] = new
        self.new_results[place] = new
        earlier = self._known_before(equation.segment)
        for number in chain.numbers:
            own = number.role == "result" and number.equation == place
            if own:
                self.write(number, new)
            elif number.role == "prose" and equation.segment <= number.start < equation.start and number.value == equation.value:
                if number.value in earlier or any(number.value == one[0].value for one in equation.operands):
                    raise Refused("ambiguous")
                self.write(number, new)

    def follow(self, place: int) -> None:
        """Change what uses a changed result, in the order of the text."""
        chain = self.chain
        end = chain.equations[place].end
        begun = [number for number in chain.numbers if number.start >= end]
        known = self._known_before(end)
        pending: dict[int, list[Number]] = {}
        for number in begun:
            if number.role == "operand":
                pending.setdefault(number.equation, []).append(number)
        done: set[int] = set()
        for number in begun:
            if number.role == "operand":
                if number.equation not in done:
                    done.add(number.equation)
                    self._equation(number.equation, pending[number.equation], known)
                known.add(number.value)
            elif number.role == "answer":
                if number is chain.answer:
                    self._answer(number)
            elif number.role == "prose":
                self._prose(number, known)
                known.add(number.value)
            elif number.role == "fixed":
                if number.value in self.new_of:
                    raise Refused("ambiguous")
                known.add(number.value)
            else:
                known.add(number.value)

    def _equation(self, place: int, operands: list[Number], known: set[Fraction]) -> None:
        equation = self.chain.equations[place]
        changed = False
        for number in operands:
            if number.value in self.new_of:
                self._sole(number)
                self.write(number, self.new_of[number.value])
                changed = True
        if not changed:
            own = {number.value for number in operands if number.value.denominator == 1} - {Fraction(0), Fraction(1), Fraction(100)}
            if own - known - self.given - self.implied:
                raise Refused("unexplained")
            return
        if not equation.exact:
            raise Refused("inexact")
        new = new_value(self.chain, equation, self.made)
        if new is None:
            raise Refused("unnatural")
        if new != equation.value:
            self.results(place, new)

    def _prose(self, number: Number, known: set[Fraction]) -> None:
        ahead = next((at for at, one in enumerate(self.chain.equations) if one.segment <= number.start < one.start), None)
        if ahead is not None and number.value == self.chain.equations[ahead].value and number.value not in known:
            return  # the result of the equation that follows, named first: it changes with that
        if number.value in self.new_of:
            self._sole(number)
            self.write(number, self.new_of[number.value])
        elif number.value not in known and number.value not in self.given and not number.word and number.value not in (0, 1, 100):
            raise Refused("unexplained")  # it may have been worked out from what changed

    def _answer(self, number: Number) -> None:
        last = len(self.chain.equations) - 1
        if self.chain.equations[last].value == number.value:
            if last in self.new_results:
                self.write(number, self.new_results[last])
        elif number.value in self.new_of:
            self._sole(number)
            self.write(number, self.new_of[number.value])
        elif all(one.value != number.value for one in self.chain.equations):
            raise Refused("unexplained")

    def _sole(self, number: Number) -> None:
        """See that a value can have come from the changed result alone."""
        value = number.value
        if value in self.given or (value in self.implied and number.role == "operand"):
            raise Refused("ambiguous")
        for at, equation in enumerate(self.chain.equations):
            if equation.start < number.start and equation.value == value and at not in self.new_results:
                raise Refused("ambiguous")
        own = [equation.segment for at, equation in enumerate(self.chain.equations) if at in self.new_results and equation.value == value]
        if any(one.value == value and one.start < min(own) for one in self.chain.numbers):
            raise Refused("ambiguous")

    def _known_before(self, position: int) -> set[Fraction]:
        return {*self.given} | {number.value for number in self.chain.numbers if number.start < position}


def _natural(chain: Chain, old: Fraction, new: Fraction) -> None:
    if old == 1:
        raise Refused("singular")
    below = any(number.value < 0 for number in chain.numbers)
    if (
        (new <= 0 and not below)
        or new in (0, 1)
        or (old.denominator == 1 and new.denominator != 1)
        or not abs(old) / 40 <= abs(new) <= 40 * abs(old)
    ):
        raise Refused("unnatural")


def written(value: Fraction, like: Number, text: str) -> str | None:
    """A value in the spelling of the number whose place it takes, or None where it has none of that kind."""
    old = text[like.start : like.end]
    if like.word:
        if value.denominator != 1 or value <= 0:
            return None
        word = _WORD_OF.get(int(value))
        if word is None:
            return f"{int(value):,}" if "," in text else str(int(value))
        return word.capitalize() if old[0].isupper() else word
    decimals = len(old.partition(".")[2])
    most = max(decimals, 2) if decimals else 0
    scaled = abs(value) * 10**most
    if scaled.denominator != 1:
        return None
    whole, rest = divmod(int(scaled), 10**most)
    tail = f"{rest:0{most}d}" if most else ""
    if decimals != 2 or like.marked:
        tail = tail.rstrip("0")
    grouped = "," in old or (
        whole >= 1000 and not like.marked and abs(like.value) < 1000 and re.search(r"[0-9],[0-9]{3}", text) is not None
    )
    digits = f"{whole:,}" if grouped else str(whole)
    if old.lstrip("-\u2212").startswith(".") and not whole and tail:
        digits = ""
    sign = "-" if value < 0 else ""
    return f"{sign}{digits}.{tail}" if tail else f"{sign}{digits}"
