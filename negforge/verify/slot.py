"""Prove a negative false when it gives the asked answer again, and right when it names another date, number or name in its place.

The question (`anchor`) says what is asked, as in `perturb.slot`; both texts are read for that slot. `positive`: the slot holds the
same value in both, and the negative speaks of the same things: what it has changed is not what was asked. `negative`: the texts are
equal but for the slot, and it holds two dates, numbers or names that exclude each other, on a question with one answer. All else is
`unknown`: another wording with another value, a question with several answers, a hedge, a bound, a class that overlaps (occupations).
Source: Maini et al., TOFU, 2024: of its perturbed answers some keep what is asked (a question for a period, with the field changed).
"""

from __future__ import annotations

import polars as pl

from negforge import slots
from negforge.contract import Declares
from negforge.records import Negatives

DECLARES = Declares(
    version=1,
    scope="row",
    reads=Negatives,
    languages=("en",),
    proves=("positive", "negative"),
    columns=("anchor", "positive", "negative"),
)
_EXCLUSIVE = ("date", "year", "period", "number", "word-number", "person", "city", "country", "continent", "state", "planet")
_ALIKE = 0.4  # share of words that two answers of one frame have in common at least
_SHORT = 3  # words of an answer that is the slot alone


def verify(batch: Negatives) -> pl.Series:
    """A verdict a row. batch: n rows of `anchor`, `positive`, `negative`."""
    rows = zip(batch["anchor"].to_list(), batch["positive"].to_list(), batch["negative"].to_list(), strict=True)
    return pl.Series([_verdict(*row) if all(row) else "unknown" for row in rows], dtype=pl.String)


def _verdict(question: str, positive: str, negative: str) -> str:
    wanted = slots.asked(question)
    if wanted is None or question == positive or max(len(positive), len(negative)) > slots.LARGEST_TEXT:
        return "unknown"
    right, _ = slots.of_kind(wanted.kind, positive, question)
    given, _ = slots.of_kind(wanted.kind, negative, question)
    if not right or not given:
        return "unknown"
    values, others = ({slots.value_of(one) for one in found} for found in (right, given))
    if values == others:
        return "positive" if _same_subject(question, positive, negative) else "unknown"
    if len(right) > 1 or len(given) > 1 or wanted.opened:
        return "unknown"
    one, two = right[0], given[0]
    if positive[: one.start] + positive[one.end :] != negative[: two.start] + negative[two.end :]:
        return "unknown"
    if slots.refusal(one, positive) or slots.refusal(two, negative) or slots.NEGATED.search(positive[: one.start] + positive[one.end :]):
        return "unknown"
    return "negative" if _exclude(one, two, slots.hedged(one, positive, question)) else "unknown"


def _same_subject(question: str, positive: str, negative: str) -> bool:
    """Whether the negative is the answer again: most of its words, and every name that question and answer share."""
    left, right = ({*slots.folded(text).split()} for text in (positive, negative))
    alone = len(left) <= _SHORT and left <= right and len(right) <= 2 * _SHORT  # `Paris`, `It is Paris`
    if not left or not right or not (alone or len(left & right) >= _ALIKE * len(left | right)):
        return False
    asked, said = f" {slots.folded(question)} ", f" {slots.folded(negative)} "
    held = [f" {slots.folded(one.text)} " for one in slots.names(positive)]
    if not all(one in said for one in held if one in asked):
        return False
    known = asked + f" {slots.folded(positive)} "
    return all(f" {slots.folded(one.text)} " in known for one in slots.names(negative))


def _exclude(one: slots.Slot, two: slots.Slot, loose: bool) -> bool:
    """Whether both cannot be true where one value is asked for."""
    if one.shape not in _EXCLUSIVE or two.shape != one.shape:
        return one.shape in ("number", "word-number") and two.shape in ("number", "word-number") and not loose
    left, right = slots.value_of(one), slots.value_of(two)
    if one.shape in ("date", "year", "period"):
        if one.shape == "period":  # a decade may lie in a century
            return left != right and left[0].endswith("s") == right[0].endswith("s")
        if len(left) != 3 or "numeric" in (left[0], right[0]):
            return False
        # Parts that only one of them says may be the other's: 1945 and May 1945 agree.
        return any(a != b for a, b in zip(left, right, strict=True) if a and b)
    if one.shape in ("number", "word-number"):
        a, b = float(left[0]), float(right[0])
        return abs(a - b) >= (0.5 if loose else 0.01) * max(abs(a), abs(b))
    return not slots.akin(one.text, two.text)
