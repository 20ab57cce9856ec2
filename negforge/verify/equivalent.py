"""Prove an edited text false as a negative when it still says the same: equal but for how it is written.

- Numbers: `1,000` is `1000`, `2.50` is `2.5`, `1/2` is `0.5`, `twelve` is `12`, `1.5 million` is `1500000`, `2 dozen` is `24`.
- Quantities, by exact factors: `1000 m` is `1 km`, `5 ft` is `60 in`, `20 \u00b0C` is `68 \u00b0F`, `5 percent` is `5 %`.
- Dates: `2020-05-06` is `6 May 2020` and `May 6th, 2020`; what may be two dates, such as `5/6/2020`, is not read.
- English contractions: `isn't` is `is not`, `they're` is `they are`.
- Not a quantity whose unit differs in case, `5 MW` and `5 mW`, nor a number after a name or a label, `Python 3.10` and `Python 3.1`.
- Lists without an order, by default those in braces: `{a, b, c}` is `{c, a, b}`.

Texts are normalised first. A text that differs in anything else proves nothing here.
Source: google-research-datasets/paws#16 (pairs labelled different that were the same); Vinyals et al., Order Matters,
arXiv:1511.06391 (a set in another order is the same set).
"""

from __future__ import annotations

import functools
import itertools
import math
import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Annotated

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from negforge import quantities, rng, text, units
from negforge.contract import Declares
from negforge.months import EVERY_NAME, NUMBER
from negforge.records import Negatives

DECLARES = Declares(version=2, scope="row", reads=Negatives, proves=("positive",), columns=("positive", "negative"))
# A number with thousands groups, decimals, or as a fraction; it begins at no letter or digit, and ends at no further group.
_NUMBER = re.compile(r"(?<![\w.,/])(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(?:/\d+(?:\.\d+)?)?(?![/\d]|[.,]\d)")
_SPACED_SIGN = re.compile(r"(\d) ([%\u00b0])")
# What a text has whose value differs from its letters: no decimals, no groups, no fraction, no leading zero, no `5 %`, no other digits.
_WRITTEN_OTHERWISE = r"\d[.,/]\d|(?:^|\D)0\d|\d [%\u00b0]|[\d--[0-9]]"
_SPELT = "|".join(sorted(map(re.escape, units.SMALL_SPELLINGS), key=lambda one: (-len(one), one)))
# A quantity with a unit, or a date: equal ones have it on both sides.
_MEASURED = (
    rf"[0-9][ -]?(?:[%\u00b0]|(?:{_SPELT}|in)\b)|[0-9](?:st|nd|rd|th)? (?:of )?(?:{EVERY_NAME})\b"
    rf"|\b(?:{EVERY_NAME}) [0-9]|[0-9]{{4}}-[0-9]{{2}}-[0-9]"
)
_CONTRACTED = (
    r"(?:\b(?:is|are|was|were|do|does|did|has|have|had|would|could|should|must|need|might|wo|ca|sha)n t"
    r"|\b(?:i m|let s|cannot|(?:you|we|they|who) re|(?:i|you|we|they|who|would|could|should|might|must) ve"
    r"|(?:i|you|he|she|it|we|they|that|there|who) ll|(?:he|she|it|that|there|what|who|where|how|here) s))\b"
)
_CONTRACTION = re.compile(_CONTRACTED)
_APOSTROPHE = "['\u2019]|(?i)cannot"
_TELLING = f"{_WRITTEN_OTHERWISE}|{_MEASURED}|dozen"
_TELLING_TOO = f"{_WRITTEN_OTHERWISE}|dozen"
_ODD_NOTS = {"won t": "will not", "can t": "can not", "shan t": "shall not", "cannot": "can not", "let s": "let us", "i m": "i am"}
_ENDINGS = {"re": "are", "ve": "have", "ll": "will", "s": "is"}
_WORDS_AROUND = 4
_MOST_DIGITS = 4000  # Python reads no longer number
_NEAR = 80  # letters before a number that are read for what it shares
_ROUNDS = 64  # eight bytes of every text in each
_LONGEST_CONTRACTION = 3  # letters that a contraction leaves out
_NOUGHTS = np.uint64(0x3030303030303030)
_FIRST = np.array([(1 << 8 * size) - 1 for size in range(9)], dtype=np.uint64)  # masks of so many bytes
_SHAPE = str.maketrans("123456789", "000000000")
_NO_DIGITS = str.maketrans("", "", "0123456789")
_LINKED = re.compile(r"\d[^ ]* ?(?:-|\u2013|to|and|or|x|by|:|\u00b1) ?$|between $")
_INCH = re.compile(r"[ -]in(?=$|[^\w]|ch)")
# A difference of temperatures is converted in another way than a temperature.
_DIFFERENCE = re.compile(
    r"(?:\b(?:by|up|down|within|every|each|per|another|rose|risen|fell|fallen|gained|lost|warmed|cooled|dropped|climbed)"
    r"|\b(?:of|difference|increase|decrease|rise|drop|change|error|margin|range|spread|accurate)(?: (?:of|is|was|to))?"
    r"|[\u0394\u03b4\u2206]t? ?(?:is|was|=)) $"
)
_DIFFERS = re.compile(
    r" (?:warm|cool|cold|hott)er\b| (?:higher|lower|above|below|increase|decrease|rise|drop|more|less|difference|change|per)\b"
)
_DATE = re.compile(
    rf"\b(?:(?P<year>[0-9]{{4}})-(?P<month>[0-9]{{2}})-(?P<day>[0-9]{{2}})(?![\w-])"
    rf"|(?:the )?(?P<day2>[0-9]{{1,2}})(?:st|nd|rd|th)? (?:of )?(?P<name2>{EVERY_NAME})(?:,? (?P<year2>[0-9]{{4}}))?(?![\w,.]\d|\d)"
    rf"|(?P<name3>{EVERY_NAME}) (?:the )?(?P<day3>[0-9]{{1,2}})(?:st|nd|rd|th)?(?:,? (?P<year3>[0-9]{{4}}))?(?![\d%:]|[.,]\d))"
)
# Symbols that differ in nothing but case from those of another unit, and what each says.
_CASED = {
    f"{prefix}{unit}": f"{prefix} {unit}" for prefix in "mMpP" for unit in ("W", "Wh", "Hz", "g", "V", "A", "J", "Pa", "eV", "m", "s", "L")
}
_CASED |= {f"{prefix}{unit}": f"{prefix.lower()} {unit[0]}" for prefix in "kKMGT" for unit in ("b", "B", "bps", "Bps", "b/s", "B/s")}
_CASED |= {"t": "tonne", "T": "tesla"}
_SYMBOL_AFTER = r"(?i)[0-9][ \u00a0-]?(?:[kmgtp](?:wh?|hz|g|v|a|j|pa|ev|m|s|l|b|bps|b/s)|t)(?:[^\w-]|$)"
_AFTER_DIGIT = re.compile(r"[0-9][ \u00a0-]?([A-Za-z]{1,4}(?:/s)?)(?![\w-])")
# A number whose digits are a name's: it stands after a name, a label or, as a time may, after `at`.
_LABELLED = re.compile(r"(?<![\w.])([^\W\d_]+\.?) ?[#-]? ?v?((?:[0-9]+,)*[0-9]+(?:\.[0-9]+)?)(?![\w/]|[.,][0-9]|,?[0-9])")
_LABELS = quantities.LABELS | {"release", "v", "ver"}
_NUMBERED = re.compile(r"\d|dozen")
_DOZENS = re.compile(r"\b(\d{1,9}|a) dozen\b")


def verify(
    batch: Negatives,
    *,
    language: str,
    unordered: Annotated[
        str,
        Field(
            min_length=1,
            max_length=3,
            description="How a list without an order is written: its two brackets around the sign between items, or, where the "
            "whole text is one, that sign alone.",
            examples=["{,}"],
        ),
    ] = "{,}",
) -> pl.Series:
    """`positive` where the negative says what the positive says, else `unknown`.

    batch: n rows of `positive`, `negative`. Where two texts differ is looked for first, and only what stands around it is read.
    """
    negative, positive = batch.normalised("negative", language), batch.normalised("positive", language)
    same = (negative == positive).fill_null(value=False)
    if language != "code":
        same = same & ~_other_units(batch, same)
        tried = (_may_be_equal(negative, positive, batch, language) & ~same).arg_true()
        if len(tried):
            apart = _apart(negative.gather(tried), positive.gather(tried))
            equal = [row for row, one, other in apart if _equal(one, other, language)]
            equal = [row for row in equal if not _another_name(*(batch[name][int(tried[row])] for name in ("negative", "positive")))]
            same = same.scatter(tried.gather(equal), True) if equal else same
            same = same & ~_other_units(batch, same)
        listed = (_has_list(batch["negative"], unordered) & ~same).arg_true()
        if len(listed):
            one, other = (_in_order(batch[name].gather(listed), unordered, language) for name in ("negative", "positive"))
            same = same.scatter(listed, (one == other).fill_null(value=False))
    return pl.select(pl.when(same).then(pl.lit("positive")).otherwise(pl.lit("unknown"))).to_series()


def _other_units(batch: Negatives, same: pl.Series) -> pl.Series:
    """Rows of those that are the same, where a symbol after a number is in its case another unit: `5 MW` and `5 mW`."""
    negative, positive = batch["negative"], batch["positive"]
    rows = (same & (negative != positive)).fill_null(value=False).arg_true()
    rows = rows.filter(negative.gather(rows).str.contains(_SYMBOL_AFTER))
    other = [row for row in rows if _cased(negative[row], positive[row])]
    return pl.zeros(len(same), dtype=pl.Boolean, eager=True).scatter(other, True)


def _cased(one: str, other: str) -> bool:
    """Whether two texts name other units where they differ in case; a text all in capitals names none."""
    if one.isupper() or other.isupper():
        return False
    left, right = (_AFTER_DIGIT.findall(words) for words in (one, other))
    # As many on either side are compared by place; else one has numbers in words.
    pairs = zip(left, right, strict=True) if len(left) == len(right) else itertools.product({*left}, {*right})
    return any(a in _CASED and b in _CASED and _CASED[a] != _CASED[b] and a.lower() == b.lower() for a, b in pairs)


def _another_name(one: str, other: str) -> bool:
    """Whether a number after a name or a label is written in other digits, as a version `1.10` and `1.1`."""
    left, right = _labelled(one), _labelled(other)
    pairs = (pair for label in left.keys() & right.keys() for pair in zip(left[label], right[label], strict=False))
    return any(a != b and ("." in a + b or "0" in (a[0], b[0])) for a, b in pairs)


def _labelled(words: str) -> dict[str, list[str]]:
    """By each label, the numbers after it; a quantity with a unit is none, unless the word is a label by itself."""
    found: dict[str, list[str]] = {}
    for match in _LABELLED.finditer(words):
        word = match[1].lower().rstrip(".")
        named = match[1][0].isupper() and word not in quantities.KNOWN and word not in NUMBER
        measured = units.unit_at(words, match.end()) is not None or words[match.end() : match.end() + 1] == "%"
        if word in _LABELS or ((named or word == "at") and not measured):
            found.setdefault(word, []).append(match[2].replace(",", ""))
    return found


def _may_be_equal(negative: pl.Series, positive: pl.Series, batch: Negatives, language: str) -> pl.Series:
    """Rows worth a closer look, found by whole columns: two texts whose numbers are all plain and bare are equal by their letters alone."""
    found = negative.str.contains(r"\d|dozen").fill_null(value=False)
    rows = found.arg_true()
    every = len(rows) == len(found)
    one, other = (negative, positive) if every else (negative.gather(rows), positive.gather(rows))
    numbers = one.str.contains(_TELLING) | other.str.contains(_TELLING_TOO)
    found = numbers.fill_null(value=False) if every else found.scatter(rows, numbers.fill_null(value=False))
    if language == "en":
        longer = negative.str.len_bytes().cast(pl.Int64) - positive.str.len_bytes().cast(pl.Int64)
        rows = (longer.abs().is_between(1, 3 * _LONGEST_CONTRACTION) & ~found).arg_true()
        # Of a contraction and its long form the short one has an apostrophe, unless it is `cannot`.
        shorter = pl.select(pl.when(longer.gather(rows) < 0).then(batch["negative"].gather(rows)).otherwise(batch["positive"].gather(rows)))
        rows = rows.filter(shorter.to_series().str.contains(_APOSTROPHE).fill_null(value=False))
        contracted = negative.gather(rows).str.contains(_CONTRACTED) | positive.gather(rows).str.contains(_CONTRACTED)
        found = found.scatter(rows.filter(contracted), True) if contracted.any() else found
    return found


def _equal(one: str, other: str, language: str) -> bool:
    """Whether the parts in which two texts differ say the same."""
    if one.translate(_SHAPE) == other.translate(_SHAPE) and "/" not in one:
        return False  # other digits in the same places are another number
    numbers = _NUMBERED.search(one) and _NUMBERED.search(other)
    if not numbers and not (_CONTRACTION.search(one) or _CONTRACTION.search(other)):
        return False
    if one.translate(_NO_DIGITS) == other.translate(_NO_DIGITS) and one.isascii() and not any(mark in one for mark in ".,/%"):
        # Whole numbers with the same words around them: `07` is `7`, and no others are equal.
        return _without_noughts(one) == _without_noughts(other)
    return _plain(one, language) == _plain(other, language)


def _apart(one: pl.Series, other: pl.Series) -> Iterator[tuple[int, str, str]]:
    """The rows of two columns that may be equal after all: their place, and the parts in which they differ with a few words around.

    Left out are those where nothing but digits differ, some on each side: another number is never the same.
    """
    (data, starts), (more, others) = (_padded(column) for column in (one, other))
    sizes, lengths = np.diff(starts), np.diff(others)
    most = np.minimum(sizes, lengths)
    front = _alike(data, more, starts[:-1], others[:-1], most, forward=True)
    back = _alike(data, more, starts[1:], others[1:], most - front, forward=False)
    numbers = _digits(data, starts[:-1] + front, sizes - front - back) & _digits(more, others[:-1] + front, lengths - front - back)
    left, right = data.tobytes(), more.tobytes()
    for row in np.flatnonzero(~numbers).tolist():
        begin, end, offset, size = int(starts[row]), int(starts[row + 1]), int(others[row]), int(lengths[row])
        first, stop = begin + int(front[row]), end - int(back[row])
        for _ in range(_WORDS_AROUND):
            first = max(left.rfind(b" ", begin, first), begin)
            stop = left.find(b" ", stop + 1, end)
            stop = stop if stop >= 0 else end
        yield row, left[first:stop].decode(), right[offset + first - begin : offset + size - (end - stop)].decode()


def _padded(texts: pl.Series) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The bytes of all texts with eight before and after them, and the places between which each text lies."""
    data, offsets = rng.text_bytes(texts)
    first, last = int(offsets[0]), int(offsets[-1])
    room = np.zeros(8, dtype=np.uint8)
    return np.concatenate([room, data[first:last], room]), offsets - first + 8


def _eights(data: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """The eight bytes from each place on, as one number whose lowest byte is the first."""
    return np.ndarray((data.size - 7,), dtype="<u8", buffer=data.data, strides=(1,))


def _alike(
    data: NDArray[np.uint8],
    more: NDArray[np.uint8],
    places: NDArray[np.int64],
    others: NDArray[np.int64],
    most: NDArray[np.int64],
    *,
    forward: bool,
) -> NDArray[np.int64]:
    """How many bytes, of as many at most, are alike from two places on, or before them."""
    ones, twos = _eights(data), _eights(more)
    found = np.zeros(len(places), dtype=np.int64)
    rows = np.arange(len(places))
    for _ in range(_ROUNDS):
        if not len(rows):
            return found
        step = found[rows] if forward else -8 - found[rows]
        differ = ones[places[rows] + step] ^ twos[others[rows] + step]
        if not forward:
            differ = differ.byteswap()
        lowest = differ & (~differ + np.uint64(1))
        alike = np.where(differ == 0, 8, np.log2(np.maximum(lowest, 1).astype(np.float64)).astype(np.int64) // 8)
        found[rows] = np.minimum(found[rows] + alike, most[rows])
        rows = rows[(differ == 0) & (found[rows] < most[rows])]
    for row in rows.tolist():  # long texts, one by one
        size = int(most[row])
        begin, other = int(places[row]) - (0 if forward else size), int(others[row]) - (0 if forward else size)
        differs = np.flatnonzero(data[begin : begin + size] != more[other : other + size])
        found[row] = size if not len(differs) else differs[0] if forward else size - 1 - differs[-1]
    return found


def _digits(data: NDArray[np.uint8], places: NDArray[np.int64], sizes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Where one to eight bytes from a place on are all digits."""
    mask = _FIRST[np.clip(sizes, 0, 8)]
    eight = (_eights(data)[places] & mask) | (_NOUGHTS & ~mask)
    high = np.uint64(0xF0F0F0F0F0F0F0F0)
    digits = ((eight & high) == _NOUGHTS) & (((eight + np.uint64(0x0606060606060606)) & high) == _NOUGHTS)
    found: NDArray[np.bool_] = digits & (sizes >= 1) & (sizes <= 8)
    return found


def _without_noughts(words: str) -> str:
    return re.sub(r"(?<![\w.,/])0+(?=\d)", "", words)


def _plain(words: str, language: str) -> str:
    """A part of a text with each date, quantity and number in one form, and English contractions written out."""
    if language == "en":
        words = _CONTRACTION.sub(_written_out, words)
        words = _DOZENS.sub(lambda match: str(12 * int(match[1]) if match[1] != "a" else 12), words)
    words = _DATE.sub(_dated, words)
    out: list[str] = []
    done = 0
    for match in _NUMBER.finditer(words):
        if match.start() < done:
            continue
        before = words[done : match.start()]
        end = match.end()
        value = _value(match[0]) if _is_share(match[0]) or words.startswith(" of ", end) else None
        found = _measured(words, match, language)
        if found is not None and value is not None:
            said, end = found
            negative = before.endswith("-") and said.unit.dimension == "temperature"
            amount = units.base(-value if negative else value, said.unit)
            before = before[:-1] if negative else before
            written = f"{amount} {said.unit.dimension} {said.unit.system}" + ("" if said.unit.system != "loose" else said.unit.name)
        else:
            written = match[0] if value is None or words[end : end + 1].isalnum() else str(value)
        out += [before, written]
        done = end
    plain = "".join([*out, words[done:]])
    return _SPACED_SIGN.sub(r"\1\2", plain)


def _measured(words: str, match: re.Match[str], language: str) -> tuple[units.Found, int] | None:
    """The unit of a number and where it ends, or None where it has none, or is one of several that share it: `5-10 km`."""
    end = match.end()
    found = units.unit_at(words, end, small=True)
    if found is None and language == "en" and (inch := _INCH.match(words, end)) is not None and not words.startswith("ch", inch.end()):
        found = units.Found(units.BY_NAME["inch"], end + 1, inch.end(), "symbol")
    before = words[max(0, match.start() - _NEAR) : match.start()]
    if found is None or found.unit.dimension == "currency" or _LINKED.search(before):
        return None
    if words[found.end : found.end + 1] == "-" and words[found.end + 1 : found.end + 2].isdigit():
        return None
    if found.unit.dimension == "temperature" and (_DIFFERENCE.search(before) or _DIFFERS.match(words, found.end)):
        return None
    return found, found.end


def _written_out(match: re.Match[str]) -> str:
    """A contraction, whose apostrophe normalising made a blank, as its two words."""
    short = match[0]
    if short in _ODD_NOTS:
        return _ODD_NOTS[short]
    word, _, ending = short.rpartition(" ")
    return f"{word[:-1]} not" if ending == "t" else f"{word} {_ENDINGS[ending]}"


def _dated(match: re.Match[str]) -> str:
    """A date as ISO 8601 writes it; what is none stays."""
    parts = {name.rstrip("23"): value for name, value in match.groupdict().items() if value is not None}
    month = int(parts["month"]) if "month" in parts else NUMBER[parts["name"]]
    day, year = int(parts["day"]), parts.get("year", "-")
    return f"<{year}:{month}:{day}>" if 1 <= month <= 12 and 1 <= day <= 31 else match[0]


@functools.lru_cache(maxsize=1 << 16)
def _value(number: str) -> Fraction | None:
    if len(number) > _MOST_DIGITS:
        return None
    over, _, under = number.replace(",", "").partition("/")
    if not under:
        return Fraction(over)
    return Fraction(over) / Fraction(under) if Fraction(under) else None


def _is_share(number: str) -> bool:
    """No fraction, or one in lowest terms below one: `2/4` may be a date, `120/80` a blood pressure, `4/4` a beat."""
    over, _, under = number.partition("/")
    if not under or "." in number:
        return not under
    over = over.replace(",", "")
    return int(over) < int(under) and math.gcd(int(over), int(under)) == 1


# -- lists without an order --------------------------------------------------------------------------------------------


def _has_list(texts: pl.Series, unordered: str) -> pl.Series:
    """Which texts hold a list."""
    return texts.str.contains(unordered[0], literal=True).fill_null(value=False)


def _in_order(texts: pl.Series, unordered: str, language: str) -> pl.Series:
    """The texts, normalised, with the items of each list sorted."""
    if len(unordered) < 3:
        items = texts.str.split(unordered)
        each = text.normalised(items.list.explode(), language=language)
        rows = pl.DataFrame({"row": pl.Series(range(len(texts))).repeat_by(items.list.len()).explode(), "item": each})
        lists = rows.group_by("row", maintain_order=True).agg(pl.col("item").sort())
        return lists["item"].list.join("\n")
    opened, sign, closed = [*unordered]
    # Glued to a letter or a bracket it is no set: `a_{1,2}`, `x{2,5}`.
    inside = re.compile(rf"(?<![\w^}}\])]){re.escape(opened)}([^{re.escape(opened + closed)}]*){re.escape(closed)}")

    def ordered(match: re.Match[str]) -> str:
        items = sorted(" ".join(item.casefold().split()) for item in match[1].split(sign))
        return opened + f"{sign} ".join(items) + closed

    return text.normalised(
        pl.Series([inside.sub(ordered, one) if one is not None else None for one in texts], dtype=pl.String), language=language
    )
