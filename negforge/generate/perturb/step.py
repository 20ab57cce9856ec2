"""Put a mistake into one step of a worked solution, and carry it through all steps that use its result.

Steps are calculator marks (`<<48/2=24>>24`) and plain sums (`48 / 2 = 24`), in any language; the question is the anchor. Faults:
`quantity` (another number of the question or an earlier result in place of one that is used), `operator`, and wrong results of right
sums: `carry` (a carry or borrow forgotten), `digit` (one digit off), `transposed` (two neighbours swapped), `off-by-one`. The first
two, which are what models do wrong, come first; without a question, or a word, the sum stays and `operator` is the result of another.
Sites, then faults, are drawn. Each later mention of a changed result, in digits or an English word, changes with it, so that the
chain is consistent and its final answer is another. With `--no-propagate` the one equation is wrong and all else stays, the answer
too: such a row is wrong by its step alone.
Written beside the text: `fault`; `first_wrong_step`, the line of the mistake among those that are not blank, from 1;
`final_answer`; `final_changed`; `edits`, which undone in the source's characters give it back.
Refused, by what most tries of a row came to: `ambiguous` (a value that may have come from elsewhere), `unexplained` (a later number
of unknown origin), `inexact` (a rounded or wrong equation), `unnatural` (below zero, no whole number where there was one, far off in
size, one or nothing), `singular`, `no-change`, `answer-stays`, `no-fault` (none of those asked for applies), `protected`, `too-long`.
Paper: Cobbe et al., Training Verifiers to Solve Math Word Problems, 2021; Lee et al., Teaching Arithmetic to Small Transformers, 2023.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice, zip_longest
from typing import Annotated, Any, Literal, NamedTuple

import polars as pl
from pydantic import Field

from negforge import chains
from negforge.chains import Chain, Equation, Refused
from negforge.contract import Chosen, Declares, Refusal
from negforge.records import Pairs
from negforge.rng import Rng

DECLARES = Declares(
    version=1,
    scope="row",
    reads=Pairs,
    label="negative",
    opposition="contradiction",
    evidence=("edit", "recomputed"),
    verifiers=("equivalent", "known-positive"),
    candidates=r"[0-9][^=\n]*=[^=\n]*[0-9]",
    bar=0.97,
)

Fault = Literal["quantity", "operator", "carry", "digit", "transposed", "off-by-one"]
_OTHERS = {"+": "-*", "-": "+", "*": "+/", "/": "*-"}
_SAME = {"x": "*", "\u00d7": "*", "\u00b7": "*", "\u00f7": "/", "\u2212": "-"}
_AS_WORDS = {
    Fraction(2): re.compile(r"(?i)\b(?:half|halves|twice|double[ds]?|both|pairs?)\b"),
    Fraction(3): re.compile(r"(?i)\b(?:triple[ds]?|thrice|thirds?)\b"),
}
_PROSE = re.compile(r"[^\W\d_]{2,}")
_LONGEST = 10_000
_MOST_EQUATIONS = 60
_MOST_TRIES = 1000
_FAR = 10  # times a quantity that takes another's place may be larger or smaller
_SCHEMA: dict[str, Any] = {
    "id": pl.String,
    "negative": pl.String,
    "fault": pl.String,
    "first_wrong_step": pl.Int64,
    "final_answer": pl.String,
    "final_changed": pl.Boolean,
    "edits": pl.List(pl.Struct({"start": pl.Int64, "end": pl.Int64, "old": pl.String, "new": pl.String})),
}


class _Try(NamedTuple):
    """A mistake in one equation: what changes in its sum, and its wrong result where the sum stays right."""

    place: int
    fault: str
    edits: dict[tuple[int, int], str]
    result: Fraction | None = None


def generate(
    batch: Pairs,
    rng: Rng,
    *,
    num_negatives: int,
    fault: Annotated[
        list[Fault],
        Field(min_length=1, description="A mistake that may be made; all of them where none is named. Repeatable.", examples=["operator"]),
    ] = ["quantity", "operator", "carry", "digit", "transposed", "off-by-one"],  # noqa: B006 - the contract's way to a list
    propagate: Annotated[
        bool,
        Field(description="Carry the mistake through the steps that use its result; else the one equation is wrong and the answer stays."),
    ] = True,
    protect: Annotated[
        str,
        Field(
            description="Leave equations alone whose line, from where the text about them begins, holds a match of this regular expression."
        ),
    ] = r"(?!)",
) -> Chosen:
    """Up to `num_negatives` wrong chains for each `positive`, or why there is none.

    batch: n rows of `id`, `anchor`, `positive`. A row without an equation is `no-site`.
    """
    rows, refusals = [], []
    guarded = re.compile(protect)
    for row_id, anchor, text in zip(batch["id"], batch["anchor"], batch["positive"], strict=True):
        if len(text) > _LONGEST:
            refusals.append(Refusal(row_id, "too-long", str(len(text))))
            continue
        chain = chains.read(text)
        if not 0 < len(chain.equations) <= _MOST_EQUATIONS:
            if chain.equations:
                refusals.append(Refusal(row_id, "too-long", f"{len(chain.equations)} equations"))
            continue
        question = anchor if anchor is not None and anchor != text else ""
        made: list[dict[str, object]] = []
        reasons: Counter[str] = Counter()
        sums = [(at, one) for at, one in enumerate(chain.equations) if len(one.operands) > 1]
        open_sites = [at for at, one in sums if not guarded.search(text[one.segment :].partition("\n")[0])]
        if sums and not open_sites:
            refusals.append(Refusal(row_id, "protected"))
            continue
        given = chains.values_of(question)
        implied = chains.implied_by(question) | chains.implied_by(text)
        told = bool(question) and _PROSE.search(text) is not None
        for one in islice(_tries(chain, given, open_sites, [*fault], rng, row_id, told=told), _MOST_TRIES):
            found = _carried(chain, one, given, implied, onward=propagate)
            if isinstance(found, str):
                reasons[found] += 1
                continue
            if any(found["negative"] == other["negative"] for other in made):
                continue
            made.append({"id": row_id, **found})
            if len(made) == num_negatives:
                break
        rows += made
        if not made:
            refusals.append(Refusal(row_id, max(reasons, key=lambda name: (reasons[name], name)) if reasons else "no-fault"))
    return Chosen(pl.DataFrame(rows, schema=_SCHEMA), refusals)


def _carried(chain: Chain, one: _Try, given: set[Fraction], implied: set[Fraction], *, onward: bool) -> dict[str, object] | str:
    """A row but for its id, or the reason why not."""
    try:
        changed = chains.carried(chain, one.place, one.edits, one.result, given, implied, onward=onward)
    except Refused as refused:
        return refused.reason
    if onward and changed.before == changed.after:
        return "answer-stays"
    negative = changed.apply(chain.text)
    if not _holds(chain, chains.read(negative), one, onward=onward):
        return "inexact"
    return {
        "negative": negative,
        "fault": one.fault,
        "first_wrong_step": chain.line(chain.equations[one.place].start),
        "final_answer": _plain(changed.after),
        "final_changed": changed.before != changed.after,
        "edits": [{"start": start, "end": end, "old": chain.text[start:end], "new": new} for start, end, new in changed.edits],
    }


def _holds(before: Chain, after: Chain, one: _Try, *, onward: bool) -> bool:
    """Whether the changed text, read anew, has the same equations, each as exact as it was but for the one whose result is wrong."""
    if len(before.equations) != len(after.equations):
        return False
    wrong = one.place if one.result is not None else -1
    return not onward or all(
        old.exact == new.exact or at == wrong for at, (old, new) in enumerate(zip(before.equations, after.equations, strict=True))
    )


def _plain(value: Fraction) -> str:
    if value.denominator == 1:
        return str(int(value))
    text = f"{float(value):.12g}"
    return text if Fraction(text) == value else str(value)


def _tries(
    chain: Chain, known: set[Fraction], places: list[int], faults: list[str], rng: Rng, row_id: str, *, told: bool
) -> Iterator[_Try]:
    """Mistakes in order of preference: what models do wrong before wrong arithmetic, each equation in its turn.

    told: whether a question and words say what the numbers are.
    """
    for some in (("quantity", "operator"), ("carry", "digit", "transposed", "off-by-one")):
        turns = []
        for place in rng.shuffled(f"{row_id} {some[0]}", places):
            kinds = [[*_of_kind(chain, place, kind, known, told=told)] for kind in some if kind in faults]
            drawn = [rng.shuffled(f"{row_id} {place} {some[0]} {at}", kind) for at, kind in enumerate(kinds)]
            turns.append([one for kind in zip_longest(*rng.shuffled(f"{row_id} {place}", drawn)) for one in kind if one is not None])
        for turn in zip_longest(*turns):
            yield from (one for one in turn if one is not None)


def _of_kind(chain: Chain, place: int, kind: str, known: set[Fraction], *, told: bool) -> Iterator[_Try]:
    equation = chain.equations[place]
    if not told:
        # A sum of other numbers, or with another operator, would be as true: what it gives is wrong instead.
        edits = _operators(chain, equation) if kind == "operator" and equation.exact else ()
        wrong = dict.fromkeys(chains.new_value(chain, equation, one) for one in edits)
        yield from (_Try(place, kind, {}, new) for new in wrong if new is not None and new != equation.value)
        if kind in ("quantity", "operator"):
            return
    if kind == "quantity":
        yield from (_Try(place, kind, edits) for edits in _quantities(chain, equation, known))
    elif kind == "operator":
        yield from (_Try(place, kind, edits) for edits in _operators(chain, equation))
    elif equation.exact:
        own = {written[0].value for written in equation.operands}
        results = dict.fromkeys(_RESULTS[kind](chain, equation))
        yield from (_Try(place, kind, {}, new) for new in results if new != equation.value and new not in own)


def _quantities(chain: Chain, equation: Equation, known: set[Fraction]) -> Iterator[dict[tuple[int, int], str]]:
    """Another number that stood before in place of one that is used, wherever this one's own text says it."""
    earlier = [one for one in chain.equations if one.end <= equation.segment or one.end <= equation.start]
    pool = sorted(known | {one.value for one in earlier if one is not equation})
    own = [written[0].value for written in equation.operands]
    text = chain.text
    for at, value in enumerate(own):
        if own.count(value) > 1 or value not in pool or value <= 0:
            continue
        prose = [
            one
            for one in chain.numbers
            if one.role in ("prose", "fixed") and equation.segment <= one.start < equation.end and one.value == value
        ]
        if len(prose) > 1 or any(one.role == "fixed" for one in prose):
            continue
        if value in _AS_WORDS and _AS_WORDS[value].search(text, equation.segment, equation.end):
            continue
        for other in pool:
            like = (other.denominator == 1) == (value.denominator == 1)
            if other in (0, 1) or other in own or not like or not value / _FAR <= other <= value * _FAR or other == equation.value:
                continue
            edits = {(one.start, one.end): chains.written(other, one, text) for one in (*equation.operands[at], *prose)}
            whole = {span: new for span, new in edits.items() if new is not None}
            if len(whole) == len(edits):
                yield whole


def _operators(chain: Chain, equation: Equation) -> Iterator[dict[tuple[int, int], str]]:
    for places in equation.signs:
        if not places:
            continue
        old = chain.text[places[0][0]]
        for new in _OTHERS.get(_SAME.get(old, old), ""):
            yield {span: _sign_like(chain.text[span[0]], new) for span in places}


def _sign_like(old: str, new: str) -> str:
    """An operator in the spelling of the one it takes the place of."""
    if old in "x\u00d7" and new == "/":
        return "/" if old == "x" else "\u00f7"
    return "\u00d7" if old == "\u00f7" and new == "*" else new


# -- wrong results of right sums ---------------------------------------------------------------------------------------


def _digits(value: Fraction) -> tuple[str, int] | None:
    """The digits of a value above zero, and how many of them are decimals; None where it is no decimal number."""
    for decimals in range(4):
        scaled = value * 10**decimals
        if scaled.denominator == 1:
            return str(int(scaled)), decimals
    return None


def _carry(chain: Chain, equation: Equation) -> Iterator[Fraction]:
    """A carry that is not added, or a borrow that is not taken: of sums and differences of two whole numbers."""
    if len(equation.operands) != 2 or len(equation.signs) != 1 or not equation.signs[0]:
        return
    one, other = (written[0].value for written in equation.operands)
    sign = chain.text[equation.signs[0][0][0]]
    if one.denominator != 1 or other.denominator != 1 or min(one, other) < 0 or _SAME.get(sign, sign) not in ("+", "-"):
        return
    left, right, carried = int(one), int(other), 0
    if sign == "+":
        for place in range(max(len(str(left)), len(str(right)))):
            unit = 10**place
            carried = (left // unit % 10 + right // unit % 10 + carried) // 10
            if carried:
                yield equation.value - 10 * unit
    elif left >= right:
        for place in range(len(str(left))):
            unit = 10**place
            carried = int(left // unit % 10 - right // unit % 10 - carried < 0)
            if carried:
                yield equation.value + 10 * unit


def _digit(_: Chain, equation: Equation) -> Iterator[Fraction]:
    """One digit a little off, but not the last by one, which is a fault of its own."""
    found = _digits(equation.value) if equation.value > 0 else None
    if found is None:
        return
    digits, decimals = found
    for at, digit in enumerate(digits):
        for step in (-2, -1, 1, 2, 3):
            new = int(digit) + step
            if 0 <= new <= 9 and (at or new) and not (at == len(digits) - 1 and abs(step) == 1):
                yield Fraction(int(f"{digits[:at]}{new}{digits[at + 1 :]}"), 10**decimals)


def _transposed(_: Chain, equation: Equation) -> Iterator[Fraction]:
    """Two neighbouring digits in each other's place."""
    found = _digits(equation.value) if equation.value > 0 else None
    if found is None:
        return
    digits, decimals = found
    for at in range(len(digits) - 1):
        if digits[at] != digits[at + 1] and (at or digits[1] != "0"):
            yield Fraction(int(f"{digits[:at]}{digits[at + 1]}{digits[at]}{digits[at + 2 :]}"), 10**decimals)


def _off_by_one(_: Chain, equation: Equation) -> Iterator[Fraction]:
    """One more or one less in the last place."""
    found = _digits(abs(equation.value))
    if found is not None:
        unit = Fraction(1, 10 ** found[1])
        yield equation.value - unit
        yield equation.value + unit


_RESULTS = {"carry": _carry, "digit": _digit, "transposed": _transposed, "off-by-one": _off_by_one}
