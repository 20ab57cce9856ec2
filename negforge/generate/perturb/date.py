"""Move one date, year or clock time to another, so that what happened then cannot have happened as said.

Both times are read as intervals, which must not overlap; the form stays, and every date is one of the calendar. Only the time of
something that happens once is changed: the nearest verb must be of the listed kind (`born`, `was founded`, `opens at`), in English
or as it is said in German, French, Spanish, Italian, Dutch, Norwegian or Portuguese. Refused, by reason:
- `no-event` (who lived there in 1990 may have in 1995 too), `indefinite` (`released an album in 1990`: and another in 1995),
  `again` (`also`, `reissued`), `list` (`in 1990 and 1995`);
- `bound` (`before 1990`, `since May`, `by 5 pm`), `hedged` (but for years, which then move by decades), `recurring` (`on Mondays`);
- `range` whose ends cannot move together, `name` (`the 1996 Olympics`), `bare` (a year without `in`), `era` (`in 1200 BC`),
  `repeated`, `weekday` (a date with its day of the week), `calendar` (30 February);
- not asserted: `question`, `conditional`, `modal`, `negated`, `quantified`, `condition`; and `no-value`, `protected`.
Source: Naik et al., Stress Test Evaluation for NLI, 2018; Vendler, Verbs and Times, 1957 (which verbs happen at a time).
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Annotated, NamedTuple

from pydantic import Field

from negforge.contract import Declares, Edit, Refusal
from negforge.months import EVERY_NAME, LANGUAGES, NAMES, NUMBER
from negforge.quantities import SENTENCE_END, bearing, beginning, cues_of, word_set
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
    # Digits in the shape of a year or a clock, a century, a day of the week, or a number beside the beginning of a month's name.
    candidates=r"(?i)[0-9]{4}|[0-9]:[0-9]{2}|[0-9] ?[ap]\.?m|o.clock|century|(?:sun|mon|tues|wednes|thurs|fri|satur)day"
    r"|[0-9](?:st|nd|rd|th|er|\.|\u00ba)?(?: of| de| di)? "
    r"(?:jan|feb|f[e\u00e9]v|m[a\u00e4]r|apr|abr|avr|ma[agijy]|mei|jui?[nl]|giu|lug|aug|ao\u00fb|ag|sep|set|o[cku]t|ott|out|nov|d[ei\u00e9][cz]|des|gen|ene)"
    r"|(?:jan|feb|f[e\u00e9]v|m[a\u00e4]r|apr|abr|avr|ma[agijy]|mei|jui?[nl]|giu|lug|aug|ao\u00fb|ag|sep|set|o[cku]t|ott|out|nov|d[ei\u00e9][cz]|des"
    r"|gen|ene)[a-z\u00fb\u00e7]{0,7}\.? (?:the )?[0-9]",
    bar=0.97,
)

_SITES = 8  # times of one text that are tried at most
_AT_A_CUT = 200  # characters whose sentence may go on after the part that is looked at
_TRIES = 24
_GOLDEN, _MASK = 0x9E3779B97F4A7C15, (1 << 64) - 1
_FIRST_YEAR, _LAST_YEAR = 1000, 2025
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

_MONTH = rf"(?P<month>{EVERY_NAME})(?!\w)\.?"
_YEAR = r"(?P<year>1[0-9]{3}|20[0-9]{2})(?![\w%]|[.,][0-9])"
_CLOSED = r"(?![\w%/-]|[.,][0-9])"
_OPENED = r"(?<![\w.,:/$\u20ac\u00a3#+-])"
_HALF = r"(?P<half>a\.?m\b\.?|p\.?m\b\.?)"
# What a time is written like, the longest kinds first: where two overlap, the earlier one counts.
_KINDS = [
    ("day", rf"{_OPENED}(?P<year>1[0-9]{{3}}|20[0-9]{{2}})-(?P<number>0[1-9]|1[0-2])-(?P<day>[0-9]{{2}}){_CLOSED}"),
    (
        "day",
        rf"{_OPENED}(?P<day>[0-9]{{1,2}})(?P<suffix>st|nd|rd|th|er|\.|\u00ba)?(?: of| de| di)? {_MONTH}(?:,? (?:de |del |of )?{_YEAR})?",
    ),
    ("day", rf"(?<!\w){_MONTH} (?:the )?(?P<day>[0-9]{{1,2}})(?P<suffix>st|nd|rd|th)?(?![\w:%]|[.,][0-9])(?:,? {_YEAR})?"),
    (
        "years",
        rf"{_OPENED}(?P<year>1[0-9]{{3}}|20[0-9]{{2}})(?: ?[-\u2013] ?| to | until | through )"
        rf"(?P<end>1[0-9]{{3}}|20[0-9]{{2}}|[0-9]{{2}}){_CLOSED}",
    ),
    ("month", rf"(?<!\w){_MONTH},? (?:of |de |del )?{_YEAR}"),
    ("decade", rf"{_OPENED}(?P<year>1[0-9]{{2}}0|20[0-9]0)(?:s|'s|\u2019s)(?!\w)"),
    ("century", r"(?<!\w)(?P<century>[0-9]{1,2})(?P<suffix>st|nd|rd|th)[ -]century(?!\w)"),
    ("clock", rf"{_OPENED}(?P<hour>[0-9]{{1,2}})[:.](?P<minute>[0-5][0-9]) ?{_HALF}(?!\w)"),
    ("clock", rf"{_OPENED}(?P<hour>[0-9]{{1,2}}):(?P<minute>[0-5][0-9])(?![:\w%]|[.,][0-9])"),
    ("clock", rf"{_OPENED}(?P<hour>[0-9]{{1,2}})(?: ?{_HALF}| o['\u2019]clock)(?!\w)"),
    ("year", rf"{_OPENED}{_YEAR}(?![/-])"),
    ("weekday", rf"(?<!\w)(?P<weekday>{'|'.join(_DAYS)})(?P<many>s?)(?!\w)"),
]
_PATTERNS = [(kind, re.compile(pattern, re.IGNORECASE)) for kind, pattern in _KINDS]

_TOKEN = re.compile(r"[^\W_]+(?:[.'\u2019-][^\W_]+)*|[^\w\s]")
# What happens at a time, once: in the passive, in the active with what it happens to, and alone.
_ENGLISH_EVENTS = word_set("""
    founded established built constructed completed finished released published launched opened closed created discovered invented
    designed signed adopted ratified abolished introduced appointed born killed assassinated murdered executed beheaded buried
    destroyed demolished rebuilt renamed dissolved disbanded incorporated formed inaugurated ordained knighted crowned declared
    eradicated filmed written composed premiered patented enacted repealed annexed conquered merged erected unveiled dedicated
    consecrated chartered decommissioned discontinued cancelled canceled acquired captured liberated exiled christened baptized
    baptised married divorced isolated sequenced unearthed excavated sunk deposed overthrown drafted awarded fought occurred
    happened debuted died retired began begins started starts ended ends finishes graduated became joined left arrived arrives
    emigrated resigned collapsed seceded abdicated ascended sank crashed exploded landed surrendered defected drowned departs opens
    closes birthday deadline debut begun adjourned scheduled commenced commences expired expires capitulated announced approved
    recognized recognised named sentenced arrested convicted granted issued aired broadcast proposed moved entered enlisted
    succeeded replaced separated alleged extended derailed canonized canonised beatified naturalized naturalised interred unified
    commissioned delisted ousted reunited relocated rebranded""")
_FOREIGN_EVENTS = word_set("""
    geboren gestorben starb gegr\u00fcndet erbaut er\u00f6ffnet ver\u00f6ffentlicht ermordet begann endete n\u00e9 n\u00e9e mort
    morte d\u00e9c\u00e9d\u00e9 d\u00e9c\u00e9d\u00e9e fond\u00e9 fond\u00e9e construit construite inaugur\u00e9 inaugur\u00e9e
    publi\u00e9 publi\u00e9e mourut naquit naci\u00f3 muri\u00f3 fundado fundada construido construida inaugurado inaugurada
    publicado publicada falleci\u00f3 nacque nato nata mor\u00ec fondato fondata costruito costruita inaugurato inaugurata
    pubblicato pubblicata overleden overleed stierf gesticht opgericht gebouwd geopend gepubliceerd f\u00f8dt d\u00f8d d\u00f8de
    grunnlagt stiftet bygd bygget \u00e5pnet utgitt nasceu morreu constru\u00eddo constru\u00edda faleceu""")
_EVENTS = _ENGLISH_EVENTS | _FOREIGN_EVENTS
_WITHOUT_OBJECT = word_set("""
    born died retired began begins started starts ended ends finishes became arrived arrives birthday deadline occurred happened
    premiered debuted graduated opens closes departs resigned emigrated collapsed crashed landed surrendered drowned debut scheduled
    commenced commences expires expired appointed""")
_BE = word_set("is are was were be been being wurde wurden war fut est fue era es \u00e8 fu werd is ble blev foi s\u00e3o")
# German and Dutch put what happened after the time.
_LATE_VERB = word_set("wurde wurden werd werden ist is war hat heeft")
_LATE_PARTICIPLES = word_set("""
    geboren gestorben gegr\u00fcndet erbaut er\u00f6ffnet ver\u00f6ffentlicht ermordet overleden gesticht opgericht gebouwd geopend
    gepubliceerd""")
_VERBS = _BE | word_set("""
    has have had do does did can could may might must shall should will would go goes went come comes came take takes took make
    makes made give gave get got find found see saw keep kept hold held lead led lose lost win won run ran say said tell told know
    knew think thought feel felt spend spent wear wore meet met sit sat stand stood write wrote draw drew sing sang teach taught
    sell sold buy bought send sent set cut put let read rise rose grow grew fall fell lie lies lay lives works plays contains remain
    remains known used seen taken given shown born hat hatte avait avaient ten\u00eda aveva had heeft hadde tinha lebte""")
_NO_VERBS = word_set("""
    hundred spring king evening morning during building wing wedding opening red bed seed string ring thing nothing something
    anything everything need speed breed""")
_AGAIN = word_set("also again another once twice thrice reissued reopened re-elected re-released rereleased reprinted respectively")
_BARRIERS = (",", ";", ":", "(", ")", "and", "but")
_RECURRING = word_set("every each alternate weekly usually always generally normally often sometimes typically most")
_INDEFINITE = word_set("""
    a an another some several many few more most various numerous additional two three four five six seven eight nine ten twelve
    dozens hundreds thousands one other any no new""")
_DEFINITE = word_set("""
    the these those his her its their our my your both all they we you he she it him them this that to as in on at from into by with
    and off out up down president king queen emperor pope""")
_IN = word_set("""
    in on at during of um am im en le el il op om i em \u00e0 \u00e1s \u00e0s kl nel dans a om den o no na al ai dated""")
_AT = word_set("at um om kl klokka alle \u00e0 \u00e0s las")
_BOUND = word_set("""
    before after since until till by from to through prior between within past beyond vor nach seit bis ab avant apr\u00e8s depuis
    jusque antes despu\u00e9s desde hasta prima dopo dal fino voor sinds tot vanaf f\u00f8r etter siden fra depois at\u00e9 than
    following preceding""")
_HEDGED = word_set("""
    about around circa c c. ca ca. approximately roughly nearly almost environ etwa rund gegen cerca hacia vers verso omkring rundt
    ongeveer maybe near sometime""")
_SKIPPED = word_set("""
    early late mid the year summer winter spring autumn fall of month morning afternoon evening night day beginning end jahr jahre
    ann\u00e9e a\u00f1o anno ano jaar \u00e5r \u00e5ret""")
_AFTER_YEAR = word_set("""
    and but in on at by with for from to as when while after before the a an it he she they his her its their under against during
    near because due until of who which that where was were is under over through following along about within without between among
    via et und en og y e a i il la le die der das using had has became began did then there""")
_ERAS = ("bc", "bce", "b.c", "b.c.", "ad", "ce", "a.d", "bp")


class _When(NamedTuple):
    """A time in a text: its kind, where it is, its numbers, and where each of these stands."""

    start: int
    end: int
    kind: str
    year: int
    month: int
    day: int
    spans: dict[str, tuple[int, int]]


def generate(
    batch: Pairs,
    rng: Rng,
    *,
    protect: Annotated[str, Field(description="Leave times alone that overlap a match of this regular expression.")] = r"(?!)",
    num_negatives: int = 1,
    language: str = "en",
) -> Iterator[Edit | Refusal]:
    """Edit each `positive` at one date, year or time of day, or say why not.

    batch: n rows of `id`, `positive`. Yields up to `num_negatives` edits of a row (character offsets in `positive`) in order of
    preference, the first value of every site before the second of any; or one refusal, with the reason of the first time. A year
    moves by 3 to 20 years, or by 30 to 80 where it is hedged, and not beyond 2025; of a date one part moves: day, month or year; a
    clock by 2 to 5 hours. Of a long text the first 8,000 characters are looked at. language: whose months an unclear name is one of.
    """
    protected = None if protect == r"(?!)" else re.compile(protect)
    draws = rng.integers(batch["id"], _SITES, 1 << 62)
    for place, (row_id, whole) in enumerate(zip(batch["id"].to_list(), batch["positive"].to_list(), strict=True)):
        text = beginning(whole)
        found = [when for when in _found(text) if len(text) == len(whole) or when.end + _AT_A_CUT < len(text)]
        if not found:
            continue
        ends = [match.end() for match in SENTENCE_END.finditer(text)]
        spans = [match.span() for match in protected.finditer(text)] if protected is not None else []
        judged = [(when, _reason(text, when, found, ends, spans)) for when in found]
        free = [(when, reason == "hedged-year") for when, reason in judged if reason in ("", "hedged-year")]
        if not free:
            first, reason = judged[0]
            yield Refusal(row_id, reason, text[first.start : first.end])
            continue
        begin = int(draws[place, 0]) % len(free)
        free = (free[begin:] + free[:begin])[:_SITES]
        years = {when.year for when in found}
        moves = [_moves(text, *site, int(draw), years, language) for site, draw in zip(free, draws[place], strict=False)]
        left = num_negatives
        for start, end, new in _by_turns(moves):
            yield Edit(row_id, start, end, new)
            left -= 1
            if not left:
                break
        if left == num_negatives:
            yield Refusal(row_id, "no-value", text[free[0][0].start : free[0][0].end])


def _by_turns(moves: list[Iterator[tuple[int, int, str]]]) -> Iterator[tuple[int, int, str]]:
    while moves:
        rest = []
        for one in moves:
            move = next(one, None)
            if move is not None:
                rest.append(one)
                yield move
        moves = rest


# -- what is a time ----------------------------------------------------------------------------------------------------


def _found(text: str) -> list[_When]:
    """Every time of a text, in order; none overlaps another."""
    found: list[_When] = []
    for kind, pattern in _PATTERNS:
        for match in pattern.finditer(text):
            if not any(one.start < match.end() and match.start() < one.end for one in found):
                when = _read(kind, match)
                if when is not None:
                    found.append(when)
    return sorted(found)


def _read(kind: str, match: re.Match[str]) -> _When | None:
    """What a match says, or None where it is no time after all: `25:30`, `may 5`, `the 40th century`."""
    parts = {name: value for name, value in match.groupdict().items() if value is not None}
    spans = {name: match.span(name) for name in parts}
    year, month, day = int(parts.get("year", 0)), 0, int(parts.get("day", 0))
    if "number" in parts:
        month = int(parts["number"])
    elif "month" in parts:
        name = parts["month"].lower()
        month = NUMBER[name]
        if (
            name in ("may", "mar", "march", "jan", "sept", "dec", "mai", "mars")
            and parts["month"].islower()
            and "suffix" not in parts
            and not year
        ):
            return None
    if kind == "day" and not 1 <= day <= 31:
        return None
    if kind == "years":
        end = parts["end"]
        last = int(end) if len(end) == 4 else year // 100 * 100 + int(end)
        return _When(*match.span(), kind, year, last, 0, spans)
    if kind == "century":
        year = int(parts["century"])
        return _When(*match.span(), kind, year, 0, 0, spans) if 2 <= year <= 21 else None
    if kind == "clock":
        hour, minute = int(parts["hour"]), int(parts.get("minute", 0))
        fits = hour < 24 if "half" not in parts and "minute" in parts else 1 <= hour <= 12
        return _When(*match.span(), kind, 0, hour, minute, spans) if fits else None
    if kind == "weekday":
        number = _DAYS.index(parts["weekday"].lower())
        return _When(*match.span(), kind, 0, number, 0, spans) if parts["weekday"][0].isupper() else None
    return _When(*match.span(), kind, year, month, day, spans)


def _interval(when: _When) -> tuple[int, int] | None:
    """The first and the last day (hour and minute, day of the week) of a time; None where the calendar has no such day."""
    kind, year, month, day = when.kind, when.year, when.month, when.day
    if kind == "day":
        if not 1 <= month <= 12 or not 1 <= day <= calendar.monthrange(year or 2000, month)[1]:
            return None
        only = dt.date(year or 2000, month, day).toordinal()
        return only, only
    if kind == "month":
        return dt.date(year, month, 1).toordinal(), dt.date(year, month, calendar.monthrange(year, month)[1]).toordinal()
    if kind == "century":
        return 36525 * (year - 1), 36525 * year - 1
    if kind == "clock":
        # Without `am`, `pm` or a full clock, five may be five in the morning or in the afternoon.
        at = 60 * (month % 12) + day
        return at, at
    if kind == "weekday":
        return month, month
    last = {"years": month, "decade": year + 9}.get(kind, year)
    return dt.date(year, 1, 1).toordinal(), dt.date(last, 12, 31).toordinal()


# -- what speaks against a change --------------------------------------------------------------------------------------


def _reason(text: str, when: _When, found: list[_When], ends: list[int], spans: list[tuple[int, int]]) -> str:
    """Why a time is left alone, or nothing, or `hedged-year`: one that may move, but far."""
    if any(start < when.end and when.start < end for start, end in spans):
        return "protected"
    if _interval(when) is None:
        return "calendar"
    passed = bisect_right(ends, when.start)
    first, last = ends[passed - 1] if passed else 0, ends[passed] if passed < len(ends) else len(text)
    before, after = [*_TOKEN.finditer(text, first, when.start)], [*_TOKEN.finditer(text, when.end, last)]
    words = [token[0].lower() for token in before]
    lead, hedged = _lead(before)
    following = after[0][0].lower().rstrip(".") if after else ""
    if following in _ERAS or (before and words[-1] in ("ad", "bc")):
        return "era"
    if when.kind == "weekday" and (
        when.spans["many"][0] < when.spans["many"][1] or not _RECURRING.isdisjoint([*words, *(one[0].lower() for one in after)])
    ):
        return "recurring"
    if reason := _beside(text, when, found, words, lead, following):
        return reason
    cues = cues_of(text[first:last], calm=False)
    reason = bearing(cues, text[first : when.start]) if cues else ""
    if reason == "condition" and when.kind == "years":
        reason = ""  # `a writer who lived in Rome (1850-1920)`
    return (
        reason
        or _no_event(text, before, after, when, lead)
        or ("hedged-year" if hedged and when.kind == "year" else "hedged" if hedged else "")
    )


def _lead(before: list[re.Match[str]]) -> tuple[str, bool]:
    """The word that puts a time into its sentence (`in`, `since`, nothing), and whether it is hedged."""
    hedged = False
    for token in reversed(before[-5:]):
        word = token[0].lower()
        if word in _HEDGED:
            hedged = True
        elif word in _IN - {"of"} or word in _BOUND:
            return word, hedged
        elif word not in _SKIPPED and not word.startswith("mid"):
            break
    return "around" if hedged else "", hedged


def _beside(text: str, when: _When, found: list[_When], words: list[str], lead: str, following: str) -> str:
    """What stands beside a time that speaks against a change of it."""
    if (lead in _BOUND and when.kind != "years") or following in ("onwards", "onward", "or"):
        return "bound"
    place = found.index(when)
    for other in (*found[max(0, place - 1) : place], *found[place + 1 : place + 2]):
        gap = text[min(when.end, other.end) : max(when.start, other.start)].strip().lower()
        if gap in ("and", "or", "&", "to", "-", "\u2013", "/", "until", "through", "und", "et", "y", "e", "og", "en") or (
            gap == "," and when.kind == other.kind
        ):
            return "list"
        if "weekday" in (when.kind, other.kind) and len(gap) <= 4:
            return "weekday"
        if (
            other.kind in ("clock", "day", "weekday")
            and when.kind in ("clock", "day", "weekday")
            and gap in ("on", "at", ", at", "am", "um")
        ):
            return "weekday" if "weekday" in (when.kind, other.kind) else ""
    same = [one for one in found if one is not when and one[2:6] == when[2:6]]
    if same or (when.year and text.count(str(when.year)) > 1 and when.kind != "century"):
        return "repeated"
    if when.kind == "year":
        if words and words[-1] in ("the", "a", "an", "his", "her", "its", "their"):
            return "name"
        if following and text[when.end : when.end + 1] == " " and text[when.end + 1 : when.end + 2].isupper():
            return "name"
        if words and words[-1] in _LATE_VERB - {"is"}:
            return ""
        if not lead:
            return "bare"
        if following and following.isalpha() and following not in _AFTER_YEAR and not following.endswith("ly"):
            return "name"  # `in 1990 dollars`
    if when.kind in ("decade", "century") and following.isalpha() and following not in _AFTER_YEAR:
        return "name"  # `18th century music`
    if when.kind == "clock" and lead not in _AT:
        return "bare"  # `in a 16:10 ratio`
    return ""


def _no_event(text: str, before: list[re.Match[str]], after: list[re.Match[str]], when: _When, lead: str) -> str:
    """Why nothing that happens once is said of this time, or nothing, by the nearest verb."""
    words = [token[0].lower() for token in before]
    if not _AGAIN.isdisjoint(words) or not _AGAIN.isdisjoint(token[0].lower() for token in after[:8]):
        return "again"
    fronted = all(word in _IN or word in _SKIPPED or word in _HEDGED or not word[0].isalnum() for word in words)
    if when.kind == "years":
        return _no_span(text, when, before)
    if fronted:
        for place, token in enumerate(after[:24]):
            word = token[0].lower()
            if token[0] in _EVENTS and not (word in ("left", "closed", "opened") and place == 0):
                return _about(after, place)
            if word in ("who", "which", "that", "when", "where") or (_is_verb(token[0]) and word not in _BE):
                return "no-event"
        return "no-event"
    if not lead and not (words and words[-1] in _EVENTS | _LATE_VERB | {"(", ","}):
        return "bare"
    for back, token in enumerate(reversed(before[-14:]), start=1):
        word = token[0].lower()
        if token[0] in _EVENTS or (word in _EVENTS and back == len(before)):
            place = len(before) - back
            if word == "left" and not (place and words[place - 1] not in ("the", "his", "her", "its", "their", "to", "on")):
                return "no-event"
            return _about(before, place)
        if word in _LATE_VERB and not _LATE_PARTICIPLES.isdisjoint(one[0].lower() for one in after[:10]):
            return ""  # `wurde 1950 in Bonn geboren`
        if token[0] in ";:" or _is_verb(token[0]) or word in ("who", "which", "that", "where", "when", "than", "like"):
            return "no-event"
    return "no-event"


def _no_span(text: str, when: _When, before: list[re.Match[str]]) -> str:
    """Why a range of years is no life or reign: `Name (1850-1920)`, `reigned from 1850 to 1920`."""
    if not when.year < when.month <= _LAST_YEAR:
        return "range"
    opened = text[: when.start].rstrip()
    if opened.endswith("(") and text[when.end : when.end + 1] == ")" and len(before) > 1:
        # `calories (1500-2000)`
        years = when.month - when.year > 4 and (when.year % 10 or when.month % 10)
        return "" if years and before[-2][0].isalpha() and when.month > when.year else "range"
    words = [token[0].lower() for token in before]
    if words[-1:] == ["from"] and not {"reigned", "ruled", "governed", "reign", "presided"}.isdisjoint(words[-8:]):
        return ""
    return "range"


def _is_verb(raw: str) -> bool:
    word = raw.lower()
    if word in _VERBS:
        return True
    return raw[0].islower() and word.endswith(("ed", "ing")) and len(word) > 3 and word not in _NO_VERBS


def _about(tokens: list[re.Match[str]], place: int) -> str:
    """Nothing if the event at a place is of one certain thing: `indefinite` where there may be another such."""
    words = [token[0].lower() for token in tokens]
    if words[place] in _FOREIGN_EVENTS:
        return ""
    raw = [token[0] for token in tokens]
    back = place - 1
    while (back >= 0 and words[back].endswith("ly")) or (
        back >= 0 and words[back] in ("first", "originally", "later", "finally", "then", "been")
    ):
        back -= 1
    if back >= 0 and words[back] in _BE:
        start = back
        while start > 0 and words[start - 1] not in _BARRIERS:
            start -= 1
        subject = words[start:back]
        if subject and (subject[0] in _INDEFINITE or subject[0].isdigit()):
            return "indefinite"
        plural = words[back] in ("were", "are") and subject and subject[-1].endswith("s") and raw[back - 1].islower()
        if (
            subject
            and subject[0] not in _DEFINITE
            and (plural or (len(subject) == 1 and words[back] in ("were", "are") and subject[0].endswith("s")))
        ):
            return "indefinite"
        return ""
    start = place
    while start > 0 and words[start - 1] not in _BARRIERS:
        start -= 1
    if start < place and (words[start] in _INDEFINITE or words[start].isdigit()):
        return "indefinite"
    if words[place] in _WITHOUT_OBJECT:
        return ""
    follower = words[place + 1] if place + 1 < len(words) else ""
    if follower in _INDEFINITE or follower.isdigit():
        return "indefinite"
    certain = follower in _DEFINITE or not follower or not follower[0].isalnum() or raw[place + 1][0].isupper()
    return "" if certain else "indefinite"


# -- what a time becomes -----------------------------------------------------------------------------------------------


def _moves(text: str, when: _When, far: bool, draw: int, years: set[int], language: str) -> Iterator[tuple[int, int, str]]:
    """Edits of one time: spans with what they become, each a time that the old one does not overlap."""
    old = _interval(when)
    tried: set[tuple[int, int, str]] = set()
    for turn in range(_TRIES):
        bits = ((draw + turn * _GOLDEN) & _MASK) >> 13
        moved, span, new = _moved(text, when, far, bits, turn, language)
        new_interval = _interval(moved)
        if old is None or new_interval is None or not (new_interval[1] < old[0] or old[1] < new_interval[0]):
            continue
        if (moved.year != when.year and moved.year in years) or (when.kind == "weekday" and new in text):
            continue
        if (*span, new) not in tried:
            tried.add((*span, new))
            yield *span, new


def _moved(text: str, when: _When, far: bool, bits: int, turn: int, language: str) -> tuple[_When, tuple[int, int], str]:
    """One candidate for a new time, the span of what changes, and its new text."""
    kind, spans = when.kind, when.spans
    if kind == "clock":
        hour = when.month + (2 + bits % 4) * (-1 if bits >> 8 & 1 else 1)
        top = 24 if "half" not in spans and "minute" in spans and (when.month > 12 or text[spans["hour"][0]] == "0") else 12
        hour = hour % top if top == 24 else (hour - 1) % 12 + 1
        return when._replace(month=hour), spans["hour"], _padded(hour, text, spans["hour"])
    if kind == "weekday":
        number = (when.month + 1 + bits % 6) % 7
        return when._replace(month=number), spans["weekday"], _DAYS[number].capitalize()
    if kind == "century":
        number = when.year + (1 + bits % 3) * (-1 if bits >> 8 & 1 or when.year >= 19 else 1)
        span = spans["century"][0], spans["suffix"][1]
        return when._replace(year=max(number, 2)), span, f"{max(number, 2)}{_ordinal(max(number, 2))}"
    if kind == "decade":
        year = _year(when.year, 10 * (1 + bits % 4), bits)
        return when._replace(year=year), spans["year"], str(year)
    if kind == "years":
        length = when.month - when.year
        shift = length + 2 + bits % (length + 10)
        shift = -shift if bits >> 8 & 1 or when.month + shift > _LAST_YEAR else shift
        year, last = when.year + shift, when.month + shift
        end = str(last) if spans["end"][1] - spans["end"][0] == 4 else str(last % 100).zfill(2)
        crossed = len(end) == 2 and year // 100 != last // 100
        new = str(year) + text[spans["year"][1] : spans["end"][0]] + end
        return when._replace(year=when.year if crossed else year, month=last), (spans["year"][0], spans["end"][1]), new
    parts = [name for name in ("day", "month", "year") if name in spans or (name == "month" and "number" in spans)]
    part = parts[(bits + turn) % len(parts)]
    if part == "year":
        year = _year(when.year, 30 + bits % 51 if far else 3 + bits % 18, bits)
        return when._replace(year=year), spans["year"], str(year)
    if part == "day":
        day = (when.day - 1 + 3 + bits % 24) % 31 + 1
        span = spans["day"][0], spans.get("suffix", spans["day"])[1]
        suffix = text[spans["suffix"][0] : span[1]] if "suffix" in spans else ""
        suffix = _ordinal(day) if suffix.lower() in ("st", "nd", "rd", "th") else suffix
        if suffix == "er":
            day = when.day  # only the first of a month is `1er`
        return when._replace(day=day), span, f"{day:02}" if "number" in spans else _padded(day, text, spans["day"]) + suffix
    month = (when.month - 1 + 1 + bits % 11) % 12 + 1
    if "number" in spans:
        return when._replace(month=month), spans["number"], f"{month:02}"
    old = text[slice(*spans["month"])]
    name = _month_like(old, month, language)
    return when._replace(month=month) if name else when, spans["month"], name


def _year(old: int, shift: int, bits: int) -> int:
    """A year so many years from an old one, before or after it, and not beyond the last."""
    first, second = (old - shift, old + shift) if bits >> 8 & 1 else (old + shift, old - shift)
    return first if _FIRST_YEAR <= first <= _LAST_YEAR else second


def _padded(number: int, text: str, span: tuple[int, int]) -> str:
    """A number of as many digits as the old one where that begins with a nought, or where the old one has to."""
    return str(number).zfill(2) if text[span[0]] == "0" else str(number)


def _ordinal(number: int) -> str:
    return "th" if number in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")


def _month_like(old: str, month: int, language: str) -> str:
    """The name of another month in the case of an old one, or nothing where it is unclear in which language that is."""
    name = "sep" if old.lower() == "sept" else old.lower()
    wanted = LANGUAGES.get(language, language)
    own = [key for key in (wanted, "short" if len(name) == 3 and name != "may" else "en") if name in NAMES.get(key, ())]
    names = {NAMES[key][month - 1] for key in own[:1] or [key for key in NAMES if name in NAMES[key]]}
    new = names.pop()
    if names:
        return ""
    return new.upper() if old.isupper() else new.capitalize() if old[0].isupper() else new
