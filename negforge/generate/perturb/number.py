"""Change one quantity written in digits, so that both sentences cannot be true.

A number is left alone unless a change of it must make the text false. Refused, by reason:
- no quantity: `code` (versions, phone numbers, addresses, digits glued to letters), `name` (`Boeing 747`), `label`
  (`page 5`, `type 2`), `citation`, `list-marker`, `date` (bare years too), `time`, `ordinal`, `exponent`;
- fixed or left open by what stands beside it: `range`, `ratio`, `operand` (`3 x 4`), `statistic` (p-values, confidence
  intervals), `bound` (30 is at least 20 and at least 25), `rank` (`the first 20`), `repeated` (said twice, in digits or
  English words);
- not asserted of it: `question`, `conditional`, `modal`, `negated`, `quantified` (`some boxes hold 20`), `example`,
  `condition` (`after 5 days`, `those who own 3 cars`: what is said may hold of others too);
- and `zero`, `singular` (one of something: its noun would have to change), `no-value`, `protected`.
A hedged number (`about 500`) changes by at least half. Cue words are English, with the commonest of some other
languages; all else reads digits, signs and spaces in any language.
Source: Parcalabescu et al., VALSE, 2022 (foils by counting); Naik et al., Stress Test Evaluation for NLI, 2018.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from functools import lru_cache
from itertools import islice, repeat
from typing import Annotated, Literal

import polars as pl
from pydantic import Field

from negforge.contract import Declares, Edit, Refusal
from negforge.quantities import CUED, NUMBER, OPENED, STOPS, Number, Site, key_of, sites_of
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
    candidates=r"[0-9]",
)

_SITES = 8  # numbers of one text that are tried at most
_VALUES_EACH = 4
_TURNS = 6
_YEARS_WRITTEN, _NO_YEARS = range(1000, 2101), range(0)


def generate(
    batch: Pairs,
    rng: Rng,
    *,
    protect: Annotated[str, Field(description="Leave numbers alone that overlap a match of this regular expression.")] = r"(?!)",
    direction: Annotated[
        Literal["both", "up", "down"],
        Field(description="Which way to change; `up` suits captions, for where four dogs are there are also three."),
    ] = "both",
    min_change: Annotated[
        float, Field(ge=0.1, le=0.5, description="Least change, as a share of the number; hedged ones change by half.")
    ] = 0.1,
    num_negatives: int = 1,
    language: str = "en",
) -> Iterator[Edit | Refusal]:
    """Edit each `positive` at one number, or say why not.

    batch: n rows of `id`, `positive`. Yields up to `num_negatives` edits of a row (character offsets in `positive`) in
    order of preference, the first value of every site before the second of any; or one refusal, with the reason of the
    first number. New values keep sign, decimals, separators and roundness, stay on their side of one, lie
    between half and twice the old value (0.3 and 2.5 times if hedged) and stand nowhere else in the text; percentages
    stay between 0 and 100. A count of what there is (`There are 4 ...`, `4 dogs ...`) only grows, unless `direction` is
    `down`. language: in `en` a number after a noun is a `label`; in `de` a capital after one starts no name.
    """
    protected = None if protect == r"(?!)" else re.compile(protect)
    permille, each = round(1000 * min_change), min(_VALUES_EACH, num_negatives)
    texts = batch["positive"]
    draws = rng.integers(batch["id"], _SITES, 1 << 62)
    # What each text may hold, asked of the whole column: much faster than of one text after the other.
    # The first digit's place in bytes, where it is the only number and bytes are characters.
    one = (texts.str.count_matches("[0-9]+") == 1) & (texts.str.len_bytes() == texts.str.len_chars())
    first = pl.select(pl.when(one).then(texts.str.find("[0-9]"))).to_series().to_list()
    cued, opened, stopped = (texts.str.contains(pattern).to_list() for pattern in (CUED, OPENED, STOPS))
    rows = zip(batch["id"].to_list(), texts.to_list(), draws[:, 0].tolist(), first, cued, opened, stopped, strict=True)
    for place, (row_id, text, bits, digit, has_cues, ends_open, stops) in enumerate(rows):
        only = NUMBER.match(text, digit) if digit is not None else None
        found = [only] if only is not None else [*NUMBER.finditer(text)]
        if not found:
            continue
        sites, said = sites_of(text, found, language, has_cues, ends_open, stops)
        if protected is not None:
            sites = _spared(sites, [match.span() for match in protected.finditer(text)])
        free = [site for site in sites if not site.reason]
        if not free:
            yield Refusal(row_id, sites[0].reason, text[sites[0].start : sites[0].end])
            continue
        taken = {site.key for site in sites}
        if said:
            taken |= said
        if len(free) > 1:
            begin = bits % len(free)
            free = (free[begin:] + free[:begin])[:: -(-len(free) // _SITES)]
            values = [_values(text, *one, taken, direction, permille) for one in zip(free, draws[place].tolist(), strict=False)]
            turns = _by_turns(free, values, each)
        else:
            turns = zip(repeat(free[0]), islice(_values(text, free[0], bits, taken, direction, permille), each))
        left = num_negatives
        for site, new in turns:
            yield Edit(row_id, site.start, site.end, new)
            left -= 1
            if not left:
                break
        if left == num_negatives:
            yield Refusal(row_id, "no-value", text[free[0].start : free[0].end])


def _by_turns(sites: list[Site], values: list[Iterator[str]], each: int) -> Iterator[tuple[Site, str]]:
    """Up to `each` values of every site: the first of every site before the second of any."""
    for _ in range(each):
        for site, fits in zip(sites, values, strict=True):
            for new in fits:
                yield site, new
                break


def _spared(sites: list[Site], spans: list[tuple[int, int]]) -> list[Site]:
    """The sites, with those that overlap a span `protected`."""
    return [Site(*site[:3], "protected") if any(a < site.end and site.start < b for a, b in spans) else site for site in sites]


def _values(text: str, site: Site, draw: int, taken: AbstractSet[str], direction: str, permille: int) -> Iterator[str]:
    """New spellings of a number, as round as the old one, by turns above and below it: one drawn, others as far apart as can be."""
    written = text[site.start : site.end]
    number = site.number
    if number is None:
        raise RuntimeError("a site without a number has a reason")
    above, below = _ranges(number, site.hedged, site.below_hundred, permille)
    sides = [(above, draw >> 8)] if direction != "down" else []
    if direction == "down" or (direction == "both" and not site.rising):
        sides.insert(draw & 1, (below, draw >> 32))
    old, decimals, plain = number.digits, number.decimals, written.isdigit()
    years = _YEARS_WRITTEN if plain and not site.money else _NO_YEARS
    for turn in range(_TURNS):
        for (first, size, step), start in sides:
            if turn >= size:
                continue
            value = step * (first + (start + turn * max(1, size // _TURNS)) % size)
            if value in years or (decimals and old % 10 and value % 10 == 0):
                continue
            key = key_of(value, decimals) if decimals else str(value)
            if key not in taken:
                yield key if plain else _written(value, decimals, written)


@lru_cache(maxsize=1 << 14)
def _ranges(number: Number, hedged: bool, below_hundred: bool, permille: int) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """What a number may become, above it and below it, as multiples of a step: the first, how many, the step."""
    old, decimals = number.digits, number.decimals
    one = 10**decimals
    if hedged:
        least, low, high = -(-old // 2), -(-3 * old // 10), 5 * old // 2
    else:
        least, low, high = -(-old * permille // 1000), -(-old // 2), 2 * old
    low, high = max(low, number.floor), min(high, number.ceiling)
    if old > one:
        low = max(low, one + 1)
    else:
        high = min(high, one - 1)
    if below_hundred and old <= 100 * one:
        high = min(high, 100 * one - 1)
    step = _step(old, decimals)
    return _multiples(old + least, high, step), _multiples(low, old - least, step)


def _step(old: int, decimals: int) -> int:
    """The roundness to keep: 300 becomes 250 or 400 and 15 becomes 20, but 17 may become 14."""
    step = 1
    while old % (10 * step) == 0:
        step *= 10
    if step > 1:
        return step // 2 if old // step < 4 else step
    return 5 if old % 5 == 0 and old > 10 and not decimals else 1


def _multiples(low: int, high: int, step: int) -> tuple[int, int, int]:
    """The multiples of step from low to high, or the whole numbers if there are none."""
    first = -(-low // step)
    size = high // step - first + 1
    return (first, size, step) if size > 0 or step == 1 else _multiples(low, high, 1)


def _written(value: int, decimals: int, like: str) -> str:
    """A number in the spelling of another: its separators and decimals, counted from the right."""
    digits = [*str(value).zfill(decimals + 1)]
    out: list[str] = []
    for mark in reversed(like):
        if digits:
            out.append(digits.pop() if mark.isdigit() else mark)
    return "".join([*digits, *reversed(out)])
