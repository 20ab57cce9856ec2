"""Say the same in another form at one place: hard positives beside hard negatives, so that no model learns `edited is wrong`.

- `12 men` and `twelve men`; `5 km` and `5000 m`, by exact factors; `6 May 2020` and `May 6, 2020`; `isn't` and `is not`;
- `a man and a woman are` and `a woman and a man are`, where nothing else belongs to one of the two.
A row is labelled `positive`, and no verifier has to prove that: `--keep-labels positive` writes it into a dataset, and with `--promote`
it is a further positive of its anchor where it is news, which trainers get beside the anchor's negatives. Its opposition to the source is
none of those there are; it is recorded as `neutral`. Refused, by reason: `name` (`8 Miles`), `range`, `list`, `compound`, `ratio` and other
numbers that are no quantity by themselves, `age` (who is 5 years old may be 63 months old), `inexact`, `order` (`respectively`, `the
former`), `attached` (`the roof of the house and the garage`), `inverted` (`Isn't it`), `protected`. Words are English.
Source: arXiv:2409.17958 (with hard negatives alone a model rejects true paraphrases); NIST Special Publication 811 (factors).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Annotated, NamedTuple

from pydantic import Field

from negforge import units
from negforge.contract import Declares, Edit, Refusal
from negforge.months import NAMES, NUMBER
from negforge.quantities import SENTENCE_END, Site, beginning, every_site, parsed, word_set
from negforge.records import Pairs
from negforge.rng import Rng

DECLARES = Declares(
    version=1,
    scope="row",
    reads=Pairs,
    edits=True,
    languages=("en",),
    label="positive",
    opposition="neutral",
    evidence=("paraphrase",),
    verifiers=("equivalent", "known-positive"),
    candidates=r"(?i)[0-9]|['\u2019](?:t|re|ve|ll|m)(?-u:\b)|(?-u:\b)(?:not|cannot|am|are|have|will|and|two|three|four|five|six|seven|eight|nine"
    r"|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty"
    r"|ninety)(?-u:\b)",
    bar=0.95,
)

_AT_A_CUT = 200  # characters whose sentence may go on after the part that is looked at
_SITES = 12  # places of one text at which it may be said otherwise, at most
_SMALL = [
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen"),
    *("fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_WORD_OF = {value: word for value, word in enumerate(_SMALL) if value > 1}
_WORD_OF |= {10 * ten: word for ten, word in enumerate(_TENS, start=2)}
_WORD_OF |= {10 * ten + unit: f"{word}-{_SMALL[unit]}" for ten, word in enumerate(_TENS, start=2) for unit in range(1, 10)}
_VALUE_OF = {word: value for value, word in _WORD_OF.items()}
_NUMBER_WORD = re.compile(
    r"(?<![\w'\u2019.-])(" + "|".join(sorted(_VALUE_OF, key=lambda word: (-len(word), word))) + r")(?![\w'\u2019])(-?)(\w*)"
)
_BESIDE_NUMBERS = word_set("""
    hundred thousand million billion trillion dozen score half halves third thirds quarter quarters fourths fifths sixths sevenths eighths
    ninths tenths one and or to percent point by oh o""") | {*_SMALL, *_TENS}
_AFTER_HYPHEN = word_set("year day week month hour minute second mile foot inch page part man person member story storey bedroom point")
_MARKS = re.compile(r"\b(?:respectively|former|latter|versus|vs|in that order|order)\b", re.IGNORECASE)

# -- contractions
_AUXILIARIES = "is are was were do does did has have had would could should"
_NOT = re.compile(rf"(?<![\w-])(?:({_AUXILIARIES.replace(' ', '|')})n['\u2019]t|(wo)n['\u2019]t|(ca)n['\u2019]t)(?![\w-])", re.IGNORECASE)
_IS_NOT = re.compile(rf"(?<![\w-])(?:({_AUXILIARIES.replace(' ', '|')}|will) not|can ?not)(?= [a-z])")
_SHORT = {"re": "are", "ve": "have", "ll": "will", "m": "am"}
_PRONOUN_SHORT = re.compile(r"(?<![\w-])(you|we|they|I|he|she|it)['\u2019](re|ve|ll|m)(?= [a-z])", re.IGNORECASE)
_PRONOUN_LONG = re.compile(r"(?<![\w-])(?:(I) (am)|(you|we|they) (are)|(I|you|he|she|it|we|they) (will))(?= [a-z])", re.IGNORECASE)
_SUBJECTS = word_set("i you he she it we they there this that these those the a an")
_SCOPED = word_set("only just merely simply all every each necessarily even both so to")

# -- conjuncts
_PAIR = re.compile(
    r"(?<![\w'\u2019-])(?P<one>(?P<the>[Tt]he|[Aa]n?) [a-z]{3,}) and (?P<two>(?:the|an?) [a-z]{3,})(?![\w'\u2019-])"
    r"|(?<![\w'\u2019-])(?P<name>[A-Z][a-z]{2,}) and (?P<other>[A-Z][a-z]{2,})(?![\w'\u2019-])"
)
_THEN = re.compile(r"(?= (?:are|were|have|had|both|will|went|came|met|met|share|shared|love|like)\b)|(?=[.]?$|[.;](?:\s|$))")
_OPENS = word_set("is are was were has have had between both include includes including contains shows there")

# -- dates
_DAY_FIRST = re.compile(
    r"(?<![\w.,/-])(?P<day>[0-9]{1,2})(?:st|nd|rd|th)? (?P<month>" + "|".join(NAMES["en"]) + r") (?P<year>[12][0-9]{3})(?![\w/-])",
    re.IGNORECASE,
)
_MONTH_FIRST = re.compile(
    r"(?<!\w)(?P<month>" + "|".join(NAMES["en"]) + r") (?P<day>[0-9]{1,2})(?:st|nd|rd|th)?, (?P<year>[12][0-9]{3})(?![\w/-])", re.IGNORECASE
)
_ISO = re.compile(r"(?<![\w.,/-])(?P<year>[12][0-9]{3})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})(?![\w/]|[-.][0-9])")

# A reason against a change of a number that is none against saying the same number otherwise.
_ASSERTION = word_set("""
    bound condition hedged question conditional modal negated quantified example repeated singular rank""")
_LARGEST, _DECIMALS = 9999, 1
_EACH = re.compile(r"[/\u00b7*^]|(?: \w+){0,3} (?:per|each|every|(?:a|an) (?:minute|hour|day|week|month|year))\b")
_PARTS_OF_A_DAY = word_set("second minute hour millisecond")
_AGES = word_set("old older younger age aged elder ages")


class _Saying(NamedTuple):
    """A place, and what stands there otherwise; with a reason it is left alone."""

    start: int
    end: int
    new: str
    reason: str = ""


def generate(
    batch: Pairs,
    rng: Rng,
    *,
    protect: Annotated[str, Field(description="Leave places alone that overlap a match of this regular expression.")] = r"(?!)",
    num_negatives: int = 1,
    language: str = "en",
) -> Iterator[Edit | Refusal]:
    """Say each `positive` otherwise at one place, or say why not.

    batch: n rows of `id`, `positive`. Yields up to `num_negatives` edits of a row (character offsets in `positive`), each at another
    place, in an order drawn for the row; or one refusal, with the reason of the first place. A converted quantity has four digits at
    most, one of them a decimal. Of a long text the first 8,000 characters are looked at.
    """
    protected = None if protect == r"(?!)" else re.compile(protect)
    texts = batch["positive"]
    for row_id, whole, sites in zip(batch["id"].to_list(), texts.to_list(), every_site(texts, language), strict=True):
        text = beginning(whole)
        found = [one for one in _sayings(text, sites) if len(text) == len(whole) or one.end + _AT_A_CUT < len(text)]
        if protected is not None:
            spans = [match.span() for match in protected.finditer(text)]
            found = [one._replace(reason="protected") if any(a < one.end and one.start < b for a, b in spans) else one for one in found]
        free = [one for one in found if not one.reason]
        for one in rng.shuffled(row_id, free[:_SITES])[:num_negatives]:
            yield Edit(row_id, one.start, one.end, one.new)
        if found and not free:
            first = found[0]
            yield Refusal(row_id, first.reason, text[first.start : first.end])


def _sayings(text: str, sites: list[Site]) -> list[_Saying]:
    """Every place at which a text may be said otherwise, in order; of two that overlap the first found."""
    found: list[_Saying] = []
    for one in (*_dates(text), *_quantities(text, sites), *_numbers(text, sites), *_words(text), *_contractions(text), *_pairs(text)):
        if not any(other.start < one.end and one.start < other.end for other in found):
            found.append(one)
    return sorted(found)


# -- numbers and quantities --------------------------------------------------------------------------------------------


def _numbers(text: str, sites: list[Site]) -> Iterator[_Saying]:
    """Whole numbers below a hundred, in digits."""
    for site in sites:
        written = text[site.start : site.end]
        if not written.isdigit() or len(written) > 2 or int(written) not in _WORD_OF or written[0] == "0":
            continue
        if site.reason and site.reason not in _ASSERTION:
            yield _Saying(site.start, site.end, "", site.reason)
            continue
        before, after = text[max(0, site.start - 1) : site.start], text[site.end : site.end + 1]
        following = re.match(r" ([a-z]{3,})", text[site.end :])
        if (
            before not in ("", " ", "(")
            or after != " "
            or following is None
            or following[1] in _BESIDE_NUMBERS
            or units.unit_at(text, site.end)
        ):
            continue
        word = _WORD_OF[int(written)]
        opens = site.start == 0 or any(match.end() == site.start for match in SENTENCE_END.finditer(text[: site.start + 1]))
        yield _Saying(site.start, site.end, word.capitalize() if opens else word)


def _words(text: str) -> Iterator[_Saying]:
    """Number words, in small letters, that are whole numbers by themselves."""
    for match in _NUMBER_WORD.finditer(text):
        before = re.search(r"([\w-]+)[ ]$", text[max(0, match.start() - 20) : match.start()])
        after = match[3] if match[2] else (re.match(r" ([\w-]+)", text[match.end(1) :]) or ["", ""])[1]
        beside = {before[1].lower() if before else "", after.lower(), after.lower().partition("-")[0]}
        if match[2] and match[3] not in _AFTER_HYPHEN:
            continue
        if (
            (not after and not match[2])
            or not beside.isdisjoint(_BESIDE_NUMBERS)
            or after[:1].isupper()
            or (before and before[1] in ("for", "in", "at"))
        ):
            continue
        yield _Saying(match.start(1), match.end(1), str(_VALUE_OF[match[1]]))


def _quantities(text: str, sites: list[Site]) -> Iterator[_Saying]:
    """Quantities in units that convert exactly to others."""
    measured = [(site, unit) for site in sites if (unit := units.unit_at(text, site.end)) is not None]
    for place, (site, unit) in enumerate(measured):
        if unit.unit.dimension in ("share", "currency"):
            continue
        reason = site.reason if site.reason not in _ASSERTION else ""
        spelt = text[unit.start : unit.end]
        around = [*measured[max(0, place - 1) : place], *measured[place + 1 : place + 2]]
        if not reason and any(_beside(text, (site, unit), other) for other in around):
            reason = "compound"
        if not reason and re.search(r"[0-9](?: and| or|,| to| x| by|-|\u2013) ?$", text[max(0, site.start - 6) : site.start]):
            reason = "list"
        if not reason and unit.form != "symbol" and spelt[0].isupper():
            reason = "name"
        if not reason and unit.unit.dimension == "time":
            after = re.findall(r"[^\W\d_]+", text[unit.end : unit.end + 24].lower())[:2]
            before = re.findall(r"[^\W\d_]+", text[max(0, site.start - 24) : site.start].lower())
            reason = "" if _AGES.isdisjoint([*after, *before]) else "age"
        if not reason and _EACH.match(text, unit.end):
            reason = "ratio"  # `48 hours a week` are no two days a week
        new = "" if reason else _converted(text, site, unit)
        yield _Saying(site.start, unit.end, new, reason or ("" if new else "inexact"))


def _beside(text: str, one: tuple[Site, units.Found], other: tuple[Site, units.Found]) -> bool:
    gap = text[min(one[1].end, other[1].end) : max(one[0].start, other[0].start)].strip()
    return one[1].unit.dimension == other[1].unit.dimension and gap in ("", "and", ",", "by", "x", "to", "or")


def _converted(text: str, site: Site, found: units.Found) -> str:
    """A quantity in the everyday unit in which its number is shortest, of those the nearest in size, or nothing."""
    number = parsed(text[site.start : site.end])
    if number is None or found.unit.dimension == "temperature":
        return ""
    value = Fraction(number.digits, 10**number.decimals)
    spelt, gap = text[found.start : found.end], text[site.end : found.start]
    fit: list[str] = []
    for other in units.siblings(found.unit):
        there = units.convert(value, found.unit, other)
        if there is None or not other.common or not 1 <= there <= _LARGEST:
            continue
        if other.dimension == "time" and (other.name in _PARTS_OF_A_DAY) != (found.unit.name in _PARTS_OF_A_DAY):
            continue  # a day of work has no 24 hours
        if (there * 10**_DECIMALS).denominator != 1 or (site.hedged and there.denominator != 1):
            continue
        form = found.form if found.form == "symbol" or gap == "-" else "singular" if there == 1 else "plural"
        new = units.spelt_like(other, form, spelt)
        if new is not None:
            fit.append((str(there) if there.denominator == 1 else f"{float(there):.{_DECIMALS}f}") + gap + new)
    return min(fit, key=lambda one: len(one.partition(gap)[0]) if gap else len(one), default="")


# -- dates -------------------------------------------------------------------------------------------------------------


def _dates(text: str) -> Iterator[_Saying]:
    """Whole dates: day first, month first, and ISO 8601."""
    for pattern in (_DAY_FIRST, _MONTH_FIRST, _ISO):
        for match in pattern.finditer(text):
            month = int(match["month"]) if pattern is _ISO else NUMBER[match["month"].lower()]
            try:
                date = dt.date(int(match["year"]), month, int(match["day"]))
            except ValueError:
                yield _Saying(*match.span(), "", "calendar")
                continue
            name = NAMES["en"][month - 1].capitalize()
            new = f"{name} {date.day}, {date.year}" if pattern is _DAY_FIRST else f"{date.day} {name} {date.year}"
            yield _Saying(*match.span(), new)


# -- contractions ------------------------------------------------------------------------------------------------------


def _contractions(text: str) -> Iterator[_Saying]:
    """Contractions written out, and long forms contracted."""
    for match in _NOT.finditer(text):
        short = match[1] or match[2] or match[3]
        following = re.match(r" (\w+)", text[match.end() :])
        inverted = following is not None and following[1].lower() in _SUBJECTS
        if inverted or (short[0].isupper() and short.lower() != "do") or following is None:
            yield _Saying(*match.span(), "", "inverted")
            continue
        word = {"wo": "will", "ca": "can"}.get(short.lower(), short.lower())
        new = "cannot" if word == "can" else f"{word} not"
        yield _Saying(*match.span(), new.capitalize() if short[0].isupper() else new)
    for match in _IS_NOT.finditer(text):
        following = re.match(r" (\w+)", text[match.end() :])
        if following is None or following[1] in _SCOPED or following[1] in _SUBJECTS:
            continue
        word = match[1] or "can"
        yield _Saying(*match.span(), {"will": "won't", "can": "can't"}.get(word, f"{word}n't"))
    for match in _PRONOUN_SHORT.finditer(text):
        if (match[1].lower() == "i") == (match[2] == "m") or (match[2] in ("ve", "ll") and match[1] in ("I", "i")):
            yield _Saying(match.start(), match.end(), f"{match[1]} {_SHORT[match[2]]}")
    for match in _PRONOUN_LONG.finditer(text):
        pronoun, verb = next((match[place], match[place + 1]) for place in (1, 3, 5) if match[place])
        ending = next(short for short, long in _SHORT.items() if long == verb.lower())
        asked = re.search(r"(?:than|as|what|who|which|where|how) $", text[: match.start()])
        if asked is None and verb.islower() and not text[match.end() :].startswith((" not ", " and", " or")):
            yield _Saying(match.start(), match.end(), f"{pronoun}'{ending}")


# -- conjuncts ---------------------------------------------------------------------------------------------------------


def _pairs(text: str) -> Iterator[_Saying]:
    """Two nouns with their articles, or two names, joined by `and`, of which nothing else in the sentence may belong to one alone."""
    for match in _PAIR.finditer(text):
        one, two = (match["one"], match["two"]) if match["one"] else (match["name"], match["other"])
        if match["one"] and (match["the"].lower() == "the") != two.startswith("the "):
            continue
        if _MARKS.search(text):
            yield _Saying(*match.span(), "", "order")
            continue
        opens = match.start() == 0 or any(end.end() == match.start() for end in SENTENCE_END.finditer(text[: match.start() + 1]))
        before = re.search(r"(\w+) $", text[: match.start()])
        led = before is not None and before[1].lower() in _OPENS and match["one"] is not None
        then = _THEN.match(text, match.end())
        if (
            not (opens or led)
            or then is None
            or (match["name"] and not text[match.end() :].startswith((" are ", " were ", " have ", " both ")))
        ):
            yield _Saying(*match.span(), "", "attached")
            continue
        if match["one"] and opens:
            one, two = one[0].lower() + one[1:], two[0].upper() + two[1:]
        yield _Saying(*match.span(), f"{two} and {one}")
