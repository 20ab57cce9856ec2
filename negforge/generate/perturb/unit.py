"""Change the unit of one quantity to another of the same kind, so that the text says another amount: `5 km` becomes `5 miles`.

The amount changes by more than a tenth, by half where it is hedged (`about 5 miles`); a yard for a metre would not do. Units are those
of a closed table: English words, and symbols in any language. A number is judged as `perturb.number` judges it, whose reasons are
given here too; and a unit is left alone, by reason:
- `percent`, `currency` (no other unit says it), `loose` (`bars`, `bits` and `feet` that may be no units; `pounds` that are money);
- `rate` (`5 km a day`, `5 mg per litre`), `compound` (`5 feet 6 inches`), `list` (`5 and 10 km`), `relative` (`5 years ago`, `in 5 years`);
- `name` (`8 Mile`, `the 100-metre dash`), `repeated` (the same amount in another unit nearby), `no-value`, `protected`.
Source: NIST Special Publication 811, Guide for the Use of the SI, 2008 (factors).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Annotated

from pydantic import Field

from negforge import units
from negforge.contract import Declares, Edit, Refusal
from negforge.quantities import Number, Site, every_site, word_set
from negforge.records import Pairs
from negforge.rng import Rng

DECLARES = Declares(
    version=1,
    scope="row",
    reads=Pairs,
    edits=True,
    label="negative",
    opposition="contradiction",
    evidence=("edit",),
    verifiers=("equivalent", "known-positive"),
    # A number and the beginning of a word or sign after it.
    candidates="[0-9][ \u00a0\u202f\u2009-]?[A-Za-z%\u00b0\u00b5\u03bc\u2103\u2109\u20ac\u00a3\u00a5\u20b9\u00a2$]",
    bar=0.97,
)

_SITES = 8  # quantities of one text that are tried at most
_LEAST, _LEAST_HEDGED = Fraction(1, 10), Fraction(1, 2)
_FARTHEST = 2000  # as many times larger or smaller is still an amount somebody might name
_NEAREST = 3  # units among which the first one is drawn
_NO_UNITS = word_set("bars bits knots bar bit knot")
_RATES = word_set("per each every daily weekly monthly yearly annually apiece")
_SPAN_WORDS = word_set("second minute hour day week month year night")
_MONEY = word_set(
    "paid pay pays cost costs price priced worth spend spent spends earn earns earned fee fine salary money borrowed owe owes"
)
_GARDEN = word_set("mow mowed mows mowing rake raked rakes raking lawn lawns fence fenced weeded")
_MEASURED = word_set("""
    tall long wide deep high thick away apart of above below from in by across square cubic off up down to at under over past
    behind between into along underwater per taller longer wider deeper higher shorter""")
_RELATIVE = word_set("ago hence earlier later from before after since")
_EVENT_NAMES = word_set("dash race relay freestyle backstroke butterfly sprint hurdles medley run marathon club rule walk")
_JOINS = frozenset((",", "and", "or", "&", ", and", ", or", "to", "-", "\u2013", "x", "by", "\u00d7"))
_WORD = re.compile(r"[^\W\d_]+")


def generate(
    batch: Pairs,
    rng: Rng,
    *,
    protect: Annotated[str, Field(description="Leave quantities alone that overlap a match of this regular expression.")] = r"(?!)",
    num_negatives: int = 1,
    language: str = "en",
) -> Iterator[Edit | Refusal]:
    """Edit each `positive` at the unit of one quantity, or say why not.

    batch: n rows of `id`, `positive`. Yields up to `num_negatives` edits of a row (character offsets in `positive`) in order of
    preference, the first unit of every site before the second of any; or one refusal, with the reason of the first quantity. A unit
    in everyday use comes first, one of the three nearest in size drawn, and none that is more than 2,000 times larger or smaller;
    word stays word and symbol stays symbol. Of what there is (`There are 5 gallons ...`) only more is said. Of a long
    text the first 8,000 characters are looked at.
    """
    protected = None if protect == r"(?!)" else re.compile(protect)
    draws = rng.bits(batch["id"]).tolist()
    texts = batch["positive"]
    for row_id, text, bits, sites in zip(batch["id"].to_list(), texts.to_list(), draws, every_site(texts, language), strict=True):
        found = [(site, unit) for site in sites if (unit := units.unit_at(text, site.end)) is not None]
        if not found:
            continue
        spans = [match.span() for match in protected.finditer(text)] if protected is not None else []
        reasons = [_reason(text, place, found, sites, spans) for place in range(len(found))]
        free = [one for one, reason in zip(found, reasons, strict=True) if not reason]
        if not free:
            yield Refusal(row_id, reasons[0], text[found[0][0].start : found[0][1].end])
            continue
        begin = bits % len(free)
        free = (free[begin:] + free[:begin])[:_SITES]
        choices = [_others(text, site, unit, bits >> 8) for site, unit in free]
        left = num_negatives
        for turn in range(max(map(len, choices))):
            for (_, unit), others in zip(free, choices, strict=True):
                if turn < len(others) and left:
                    yield Edit(row_id, unit.start, unit.end, others[turn])
                    left -= 1
        if left == num_negatives:
            yield Refusal(row_id, "no-value", text[free[0][0].start : free[0][1].end])


def _value(text: str, site: Site, number: Number) -> Fraction:
    """The value of a number, below zero after a minus sign."""
    value = Fraction(number.digits, 10**number.decimals)
    sign = text[site.start - 1 : site.start]
    return -value if sign and sign in "-\u2212" else value


def _reason(text: str, place: int, found: list[tuple[Site, units.Found]], sites: list[Site], spans: list[tuple[int, int]]) -> str:
    """Why the unit of a quantity is left alone, or nothing."""
    site, unit = found[place]
    if any(start < unit.end and site.start < end for start, end in spans):
        return "protected"
    if unit.unit.dimension in ("currency", "share"):
        return "currency" if unit.unit.dimension == "currency" else "percent"
    if site.reason or site.number is None:
        return site.reason or "code"
    spelt = text[unit.start : unit.end]
    if unit.form != "symbol" and spelt[0].isupper():
        return "name"
    before = [word.lower() for word in _WORD.findall(text[max(0, site.start - 60) : site.start])]
    after = [word.lower() for word in _WORD.findall(text[unit.end : unit.end + 40])]
    if reason := _linked(text, place, found, sites):
        return reason
    if _is_rate(text, unit, after):
        return "rate"
    if (after and after[0] in _RELATIVE) or (unit.unit.dimension == "time" and before[-1:] == ["in"]):
        return "relative"
    if text[site.end : unit.start] == "-" and any(word in _EVENT_NAMES for word in after[:1]):
        return "name"
    return "loose" if _is_loose(spelt.lower(), before, after) else ""


def _linked(text: str, place: int, found: list[tuple[Site, units.Found]], sites: list[Site]) -> str:
    """What the quantities around one make of it: part of a list or of a compound, or the same amount said again."""
    site, unit = found[place]
    index = sites.index(site)
    spelt = {other[0].start: other for other in found}
    if index and sites[index - 1].start not in spelt and text[sites[index - 1].end : site.start].strip() in _JOINS:
        return "list"
    for other, near in found[max(0, place - 1) : place] + found[place + 1 : place + 2]:
        gap = text[min(unit.end, near.end) : max(site.start, other.start)]
        if near.unit.dimension == unit.unit.dimension and gap.strip() in ("", "and", ",", ", and"):
            return "compound" if near.unit is not unit.unit else "list"
    if site.number is None:
        return "code"
    amount = abs(units.base(_value(text, site, site.number), unit.unit))
    for other, near in found:
        if other is not site and other.number is not None and near.unit.dimension == unit.unit.dimension:
            same = abs(units.base(_value(text, other, other.number), near.unit))
            if abs(same - amount) * 20 <= max(same, amount):
                return "repeated"
    return ""


def _is_rate(text: str, unit: units.Found, after: list[str]) -> bool:
    """Whether the quantity is one for each of something: `per`, `a day`, `every week`, at most four words on."""
    if text[unit.end : unit.end + 1] in ("/", "\u00b7", "*", "\u207b"):
        return True
    if not _RATES.isdisjoint(after[:4]):
        return True
    near = after[:4]
    return any(one in ("a", "an") and other in _SPAN_WORDS for one, other in pairwise(near))


def _is_loose(spelt: str, before: list[str], after: list[str]) -> bool:
    """Whether what is spelt like a unit may be something else."""
    if spelt in _NO_UNITS:
        return True
    if spelt in ("pound", "pounds"):
        return not _MONEY.isdisjoint(before)
    if spelt in ("yard", "yards"):
        return not _GARDEN.isdisjoint(before) or not _GARDEN.isdisjoint(after)
    if spelt in ("foot", "feet"):
        return (
            bool(before)
            and before[-1] in ("has", "have", "had", "with", "on", "his", "her", "its")
            and not (after and after[0] in _MEASURED)
        )
    return spelt in ("second", "seconds") and bool(before) and before[-1] in ("had", "ate", "served")


def _others(text: str, site: Site, found: units.Found, bits: int) -> list[str]:
    """Spellings of the units that may stand in place of one, in order of preference."""
    if site.number is None:
        return []
    value, spelt = _value(text, site, site.number), text[found.start : found.end]
    least = _LEAST_HEDGED if site.hedged else _LEAST
    fit: list[tuple[bool, str]] = []
    for other in units.siblings(found.unit):
        ratio = other.factor / found.unit.factor
        new = units.spelt_like(other, found.form, spelt)
        if (
            new is None
            or not Fraction(1, _FARTHEST) <= ratio <= _FARTHEST
            or units.apart(value, found.unit, other) <= least
            or (site.rising and ratio < 1)
            or (other.dimension == "temperature" and other.name == "kelvin")
        ):
            continue
        fit.append((not other.common, new))
    fit.sort(key=lambda one: one[0])
    names = [new for _, new in fit]
    common = sum(not rare for rare, _ in fit)
    turn = bits % min(_NEAREST, max(1, common or len(names)))
    return names[turn : turn + 1] + names[:turn] + names[turn + 1 :]
