"""Slots of a text: spans of a type (a date, a number, a name, a title, a word of a closed class), and which of them a question asks for.

The type comes from the question's words, the span from the answer's shape. Rules are English; dates, years and numbers in digits
are read in any language.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from negforge import months

LARGEST_TEXT = 20_000  # characters: what is longer is no answer


class Asked(NamedTuple):
    """What a question asks for: the type of the slot, and why an answer to it would not exclude another, if so."""

    kind: str
    opened: str = ""


class Slot(NamedTuple):
    """A span of a text. shape: `date`, `year`, `number`, `word-number`, `name`, `title`, or the closed class its text is of."""

    start: int
    end: int
    text: str
    shape: str


def _listed(words: str) -> tuple[str, ...]:
    return tuple(word.replace("_", " ") for word in words.split())


MONTHS = tuple(map(str.capitalize, months.NAMES["en"]))
CLOSED: dict[str, tuple[str, ...]] = {
    "country": _listed("""Afghanistan Albania Algeria Angola Argentina Armenia Australia Austria Azerbaijan Bahrain Bangladesh Belarus
        Belgium Bolivia Botswana Brazil Bulgaria Cambodia Cameroon Canada Chile China Colombia Croatia Cuba Cyprus Denmark Ecuador
        Egypt Eritrea Estonia Ethiopia Finland France Gabon Germany Ghana Greece Guatemala Haiti Honduras Hungary Iceland India
        Indonesia Iran Iraq Ireland Israel Italy Jamaica Japan Kazakhstan Kenya Kuwait Laos Latvia Lebanon Liberia Libya Lithuania
        Luxembourg Madagascar Malawi Malaysia Mali Malta Mexico Moldova Mongolia Morocco Mozambique Namibia Nepal Netherlands
        New_Zealand Nicaragua Nigeria Norway Oman Pakistan Panama Paraguay Peru Philippines Poland Portugal Qatar Romania Russia
        Rwanda Saudi_Arabia Senegal Serbia Singapore Slovakia Slovenia Somalia South_Africa South_Korea Spain Sri_Lanka Sudan Sweden
        Switzerland Syria Taiwan Tanzania Thailand Tunisia Turkey Uganda Ukraine United_Kingdom United_States Uruguay Venezuela
        Vietnam Yemen Zambia Zimbabwe"""),
    "continent": ("Africa", "Antarctica", "Asia", "Europe", "North America", "South America"),
    "state": _listed("""Alabama Alaska Arizona Arkansas California Colorado Connecticut Delaware Florida Hawaii Idaho Illinois Indiana
        Iowa Kansas Kentucky Louisiana Maine Maryland Massachusetts Michigan Minnesota Mississippi Missouri Montana Nebraska Nevada
        New_Hampshire New_Jersey New_Mexico North_Carolina North_Dakota Ohio Oklahoma Oregon Pennsylvania Rhode_Island
        South_Carolina South_Dakota Tennessee Texas Utah Vermont Virginia West_Virginia Wisconsin Wyoming"""),
    "planet": ("Mercury", "Venus", "Mars", "Jupiter", "Saturn", "Uranus", "Neptune"),
    "month": MONTHS,
    "language": _listed("""Arabic Bengali Bulgarian Catalan Chinese Czech Danish Dutch English Estonian Finnish French German Greek Hebrew
        Hindi Hungarian Icelandic Italian Japanese Korean Latvian Lithuanian Mandarin Norwegian Persian Polish Portuguese Romanian
        Russian Spanish Swahili Swedish Tamil Thai Turkish Ukrainian Urdu Vietnamese"""),
    "weekday": _listed("Monday Tuesday Wednesday Thursday Friday Saturday Sunday"),
    "gender": ("male", "female"),
    # Those of one line stand near each other: what replaces one is of another line.
    "occupation": _listed("""
        civil_engineer electrical_engineer mechanical_engineer architect
        doctor surgeon nurse dentist pharmacist paramedic midwife optometrist
        lawyer judge attorney
        teacher librarian
        chef baker butcher waiter bartender
        farmer fisherman gardener florist shepherd
        carpenter plumber electrician welder mason roofer
        pilot sailor truck_driver bus_driver flight_attendant
        accountant banker economist
        police_officer firefighter soldier detective
        painter sculptor photographer
        musician violinist pianist singer
        tailor hairdresser shoemaker jeweller
        chemist physicist astronomer geologist botanist zoologist marine_biologist meteorologist"""),
}
_NEAR = [
    {"civil engineer", "electrical engineer", "mechanical engineer", "architect", "carpenter", "plumber", "electrician", "welder", "mason"},
    {"doctor", "surgeon", "nurse", "dentist", "pharmacist", "paramedic", "midwife", "optometrist", "chemist"},
    {"lawyer", "judge", "attorney"},
    {"teacher", "librarian"},
    {"chef", "baker", "butcher", "waiter", "bartender"},
    {"farmer", "fisherman", "gardener", "florist", "shepherd", "botanist"},
    {"pilot", "sailor", "truck driver", "bus driver", "flight attendant", "soldier"},
    {"accountant", "banker", "economist"},
    {"police officer", "firefighter", "soldier", "detective"},
    {"painter", "sculptor", "photographer"},
    {"musician", "violinist", "pianist", "singer"},
    {"chemist", "physicist", "astronomer", "geologist", "botanist", "zoologist", "marine biologist", "meteorologist"},
]
_GENDERS = {"male": ("male", "man", "boy"), "female": ("female", "woman", "girl")}
_WORD_CLASSES = {word: kind for kind in CLOSED if kind not in ("occupation", "gender", "language") for word in CLOSED[kind]}
# Other names of the same thing: an answer that has one is of that class, and what it names is not put in its place.
ALIASES = {
    **dict.fromkeys(("USA", "U.S.A.", "U.S.", "US", "America", "United States of America"), "United States"),
    **dict.fromkeys(("UK", "U.K.", "Great Britain", "Britain", "England", "Scotland", "Wales", "Northern Ireland"), "United Kingdom"),
    **dict.fromkeys(("Soviet Union", "USSR"), "Russia"),
    "Holland": "Netherlands",
    "Burma": "Myanmar",
    "Tibet": "China",
    "Hong Kong": "China",
    "Persia": "Iran",
    "Mandarin": "Chinese",
    "Antarctic": "Antarctica",
    "Arctic": "Arctic",
}
_COUNTRY_ALIASES = frozenset(one for one, other in ALIASES.items() if other in CLOSED["country"])

_WITH_ARTICLE = frozenset(("United States", "United Kingdom", "Netherlands", "Philippines"))

# Nouns after `which` or `what`, and what they ask for.
_PEOPLE = frozenset(
    _listed("""author writer poet playwright novelist painter artist sculptor composer musician singer actor actress director president
    king queen emperor empress pharaoh leader prime_minister minister chancellor scientist physicist chemist mathematician
    philosopher explorer inventor astronaut cosmonaut general admiral person man woman god goddess player footballer detective
    architect engineer monarch pope""")
)
_NAMED = frozenset(
    _listed("""city town capital river ocean sea lake desert mountain volcano island empire dynasty currency museum monument landmark
    waterfall rainforest forest animal mammal bird ship satellite telescope newspaper company university airline airport bridge tower castle
    canal strait trench reef glacier battle war treaty operation civilization wall spaceflight address structure""")
)
_CLOSED_NOUNS = {
    **{kind: kind for kind in CLOSED},
    "nation": "country",
    "day": "weekday",
    "profession": "occupation",
    "job": "occupation",
}
_TITLED = frozenset(_listed("book novel play poem film movie song album painting opera symphony"))
_SINGULAR_ONLY = re.compile(r"\b(?:which|what) (?:are|were)\b|\b(?:who|what|which) (?:are|were) (?:some|the|any)\b|\bwho all\b")
# What has, or may have, more than one right answer.
_OPEN = re.compile(
    r"\b(?:some|any|one|an example|examples|a few|several) of\b|\bwhich of (?:the|these)\b|\bcan you (?:name|list|give|share|mention)\b"
    r"|\b(?:name|list|mention) (?:a|an|one|two|three|some|any)\b|\bsuch as\b|\b(?:what|which|who) (?:else|other)\b"
    r"|\b(?:famous|known) for (?:its|his|her|their|the|creating|constructing|producing)\b(?!.*'')|\bis an? example\b"
    r"|\b(?:what|which) (?:kind|kinds|type|types|sort)\b|\bbesides\b|\bapart from\b|\bcould\b|\bmight\b|\bmay (?!\d)[a-z]|\bshould\b"
    r"|\bnot\b|n't\b|\bnever\b|\bexcept\b"
)
_OPENING = re.compile(r"^(?:in |on |at |by |from |of |to |since |until |during )?(?:the )?")
_KINDS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), kind)
    for pattern, kind in (
        (r"\b(?:what|which) year\b|\byear of birth\b", "year"),
        (r"\b(?:what|which) (?:exact )?date\b|\b(?:what|which) (?:is|was) .*\bdate\b|\bdate of birth\b|\bbirth ?date\b", "date"),
        (r"\b(?:what|which) (?:month)\b", "month"),
        (r"\b(?:what|which) day of the week\b|\b(?:what|which) weekday\b", "weekday"),
        (r"\b(?:which|what) (?:century|decade|period|era)\b", "period"),
        (r"\bhow (?:many|much|old|long|tall|far|high|deep|fast|wide|heavy|large|big)\b", "number"),
        (r"\bwhat (?:is|was) the (?:number|percentage|population|height|length|depth|distance|age|speed)\b", "number"),
        (r"\b(?:what|which) (?:percentage|age|number)\b", "number"),
        (r"\bgender\b", "gender"),
        (r"\b(?:profession|occupation|job)\b|\bdo(?:es)? .* for a living\b", "occupation"),
        (r"\b(?:whom?|whose)\b|\bfull name\b|\bname of the (?:author|writer|person|man|woman)\b", "person"),
    )
)
_ASKING = re.compile(r"\b(?:which|what)\b((?:\s+[\w.'\u2019&-]+){1,9})")
_STOP = frozenset(_listed("is was are were did does do has had have will would can in of for on at by with from to that who which"))
_VERBS = re.compile(r"\b(?:is|was|were|are|has|had|have|did|does|wrote|won|became|lies|lived|died|built|made|born|published)\b")

_MONTH = "(?:" + "|".join((*MONTHS, *(month[:3] + r"\.?" for month in MONTHS if month != "May"), r"Sept\.?")) + ")"
_DATE = re.compile(
    rf"\b(?:{_MONTH} [0-3]?[0-9](?:st|nd|rd|th)?(?:, ?| )[12][0-9]{{3}}|[0-3]?[0-9](?:st|nd|rd|th)?(?: of)? {_MONTH},? [12][0-9]{{3}}"
    rf"|{_MONTH},? [12][0-9]{{3}}|[12][0-9]{{3}}-[01][0-9]-[0-3][0-9]|[0-3]?[0-9][/.][0-3]?[0-9][/.][12][0-9]{{3}})\b"
)
_DAY = re.compile(rf"\b(?:{_MONTH} [0-3]?[0-9](?:st|nd|rd|th)?|[0-3]?[0-9](?:st|nd|rd|th)?(?: of)? {_MONTH})\b")
_YEAR = re.compile(r"(?<![\w.,/$\u20ac\u00a3-])(?:1[0-9]|20)[0-9]{2}(?![\w%/-]|[.,][0-9])")
_PERIOD = re.compile(r"\b(?:1[0-9]|20)[0-9]0s\b|\b[12]?[0-9](?:st|nd|rd|th)[ -]century\b")
_NUMBER = re.compile(
    r"(?<![\w.,/:$\u20ac\u00a3\u2212-])(?<![#\u2116] )(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?(?![\w/:]|[.,][0-9]|-[0-9])"
)
NUMBER_WORDS = _listed("two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen")
_NUMBER_WORD = re.compile(rf"\b(?:{'|'.join(NUMBER_WORDS)})\b", re.IGNORECASE)
_TITLE = re.compile(
    r"\u201c([^\u201c\u201d\n]{2,120})\u201d|\"([^\"\n]{2,120})\"|(?<!\w)['\u2018]((?:[^'\u2018\u2019\n]|(?<=\w)['\u2019](?=\w)){2,120})['\u2019](?!\w)"
)
_WORD = re.compile(r"[^\W\d_][\w.'\u2019&-]*", re.UNICODE)
_LINKS = frozenset(_listed("of the and de da di do du dos das la le van von der den bin ibn ter wa y e"))
# What begins with a capital and is no name.
_NO_NAMES = frozenset(
    _listed("""
    The A An In On At By For From To Of It Its He She They We You I His Her Their Our This That These Those There Here
    One Two Three When While After Before During Since Until As Although Though If Because And But Or So Yes No Not
    What Who Where Which How Why Indeed Currently Among Some Many Most All Both Each Every Another Other Being With
    Without Within Under Over Between About Mr Mrs Dr Ms My Your First Second Also However Moreover Then Thus Only Just
    Her's Readers""")
)
_ENDING = re.compile(r"(?:['\u2019]s|[.'\u2019-])$")
_HEDGES = re.compile(
    r"\b(?:about|around|nearly|roughly|approximately|almost|circa|ca?\.|some|close to|early|late|mid|estimated)[ -](?:the )?$",
    re.IGNORECASE,
)
_BOUNDS = re.compile(
    r"\b(?:over|than|under|below|above|beyond|least|most|up to|maximum of|minimum of|before|after|since|until|by|between|from|to|or"
    r"|exceed\w*) (?:the )?$",
    re.IGNORECASE,
)
_OPEN_END = re.compile(
    r"^(?: [\w.]+){0,4} at (?:most|least)\b"
    r"|^ ?(?:\+|or (?:more|less|so|fewer)|and (?:over|above|older|more)|to [0-9]|-[0-9]|\u2013 ?[0-9]|plus\b)"
)
_LISTED_AFTER = re.compile(r"(?:,? (?:and|or|as well as) |, | ?/ ?| ?& )[A-Z\u00c0-\u00de'\"\u2018\u201c]")
_LISTED_BEFORE = re.compile(r"(?:\w,? (?:and|or) |[A-Z]\w+, |/ ?)['\"\u2018\u201c]?$")
NEGATED = re.compile(
    r"\b(?:not|never|no|none|neither|nor|nobody|nothing|without|unknown|unclear)\b|n['\u2019]t\b|\b(?:(?-i:may)|might|could|perhaps|possibly"
    r"|probably|reportedly|allegedly|believed)\b",
    re.IGNORECASE,
)


def asked(question: str) -> Asked | None:
    """What a question asks for, or None where that is no slot we know: why, how, what is it like."""
    lowered = question.lower().strip()
    if len(lowered) > 2000 or not lowered:
        return None
    # A quoted title says nothing of what is asked, and `'May'` is no modal.
    bare = _TITLE.sub("''", lowered)
    opened = "open" if _OPEN.search(bare) or _SINGULAR_ONLY.search(bare) else ""
    for pattern, kind in _KINDS:
        if pattern.search(bare):
            return Asked(kind, opened)
    for found in _ASKING.finditer(bare):
        kind = _of_noun(found[1].split())
        if kind:
            return Asked(kind, opened)
    if re.match(r"(?:and |so )?(?:from )?who\b|.*\bwho (?:is|was)\b.*\?", bare) and not re.match(
        r"(?:what|which|where|when|how|why)\b", bare
    ):
        return Asked("person", opened)
    if re.match(r"(?:from )?where\b", bare):
        return Asked("place", opened)
    if re.match(r"(?:since |until )?when\b", bare):
        return Asked("when", opened)
    return None


def _of_noun(words: list[str]) -> str:
    """What the noun after `which` or `what` asks for; after `what is the (name of the)` its noun."""
    if words[0] in ("is", "was"):
        words = words[1:]
        if words[:3] == ["the", "name", "of"] or words[:3] == ["the", "title", "of"]:
            words = words[3:]
        if words[:1] and words[0] in ("the", "a", "an"):
            words = words[1:]
    phrase: list[str] = []
    for raw in words:
        word = raw.strip(".,'\u2019")
        if word in _STOP and phrase:
            break
        phrase.append(word.removesuffix("'s"))
        if word in _PEOPLE or word in _NAMED or word in _CLOSED_NOUNS or word in _TITLED:
            if word in ("capital", "town", "city"):
                return "city"
            if word in _PEOPLE:
                return "person"
            return _CLOSED_NOUNS.get(word) or ("title" if word in _TITLED else "name:" + word)
    return ""


def of_kind(kind: str, answer: str, question: str = "") -> tuple[list[Slot], str]:
    """The slots of an answer that a question of this kind may ask for, without what the question has itself; and why none, if so."""
    if len(answer) > LARGEST_TEXT:
        return [], "too-long"
    if kind in ("when", "date", "year", "period"):
        found = _dates(answer, kind)
    elif kind == "number":
        found = _numbers(answer)
    elif kind in ("person", "city", "place") or kind.startswith("name:"):
        found = _names(answer, kind)
    elif kind == "title":
        found = [Slot(*_inner(one), "title") for one in _TITLE.finditer(answer)]
        if not found and (whole := _whole(answer)):
            found = [whole._replace(shape="title")]
    elif kind == "gender":
        found = [Slot(*one.span(), one[0], "gender") for one in re.finditer(r"\b(?:male|female|man|woman)\b", answer, re.IGNORECASE)]
    else:
        found = list(_of_class(kind, answer))
        if not found and kind in ("country", "continent", "state") and (whole := _whole(answer)):
            found = [whole._replace(shape=kind)]
    asked_words = folded(question)
    new = [one for one in found if not _said(one.text, asked_words)]
    if found and not new:
        return [], "in-question"
    return new, "" if new else "no-slot"


def _said(value: str, asked_words: str) -> bool:
    return bool(asked_words) and f" {folded(value)} " in f" {asked_words} "


def _inner(match: re.Match[str]) -> tuple[int, int, str]:
    group = next(place for place in (1, 2, 3) if match[place] is not None)
    start, end = match.span(group)
    if match[group].endswith((",", ".")):
        end -= 1
    return start, end, match.string[start:end]


def _dates(answer: str, kind: str) -> list[Slot]:
    found = [Slot(*one.span(), one[0], "date") for one in _DATE.finditer(answer)]
    spans = [(one.start, one.end) for one in found]
    if kind != "year" and not found:
        days = [Slot(*one.span(), one[0], "date") for one in _DAY.finditer(answer)]
        found, spans = days, [(one.start, one.end) for one in days]
    for one in _YEAR.finditer(answer):
        inside = any(start <= one.start() and one.end() <= end for start, end in spans)
        if kind == "year" or not inside:
            found.append(Slot(*one.span(), one[0], "year"))
    if kind == "year":
        found = [one for one in found if one.shape == "year"]
    found += [Slot(*one.span(), one[0], "period") for one in _PERIOD.finditer(answer)]
    if not found and kind == "when" and len(answer.split()) <= 3:
        found = [one for word in ("month", "weekday") for one in _of_class(word, answer)]
    return sorted(found)


def _numbers(answer: str) -> list[Slot]:
    dates = [one.span() for pattern in (_DATE, _DAY, _PERIOD) for one in pattern.finditer(answer)]
    found = [Slot(*one.span(), one[0], "number") for one in _NUMBER.finditer(answer)]
    found += [Slot(*one.span(), one[0], "word-number") for one in _NUMBER_WORD.finditer(answer)]
    return sorted(one for one in found if not any(start <= one.start < end for start, end in dates))


def _of_class(kind: str, text: str) -> Iterator[Slot]:
    """Words of a closed class, the longest first where one lies in another; a country's other names too."""
    words = CLOSED.get(kind, ())
    more = _COUNTRY_ALIASES if kind == "country" else ()
    pattern = _class_pattern(tuple(sorted((*words, *more), key=lambda one: (-len(one), one))), kind == "occupation")
    for one in pattern.finditer(text):
        yield Slot(*one.span(), one[0], kind)


_PATTERNS: dict[tuple[str, ...], re.Pattern[str]] = {}


def _class_pattern(words: tuple[str, ...], any_case: bool) -> re.Pattern[str]:
    if words not in _PATTERNS:
        inner = "|".join(map(re.escape, words)) or r"(?!)"
        # No part of a longer name or of a compound: `New Mexico` is not Mexico, `software-engineer` no engineer.
        _PATTERNS[words] = re.compile(rf"(?<![\w-])(?<!New )(?<!Equatorial )(?:{inner})(?![\w-])", re.IGNORECASE if any_case else 0)
    return _PATTERNS[words]


def _whole(answer: str) -> Slot | None:
    """The answer as one slot, where it is nothing but one: a few words, none a verb, without a stop inside."""
    start, end = len(answer) - len(answer.lstrip()), len(answer.rstrip())
    if answer[start:end].endswith(".") and not re.search(r"\b[A-Z]\.$", answer[start:end]):
        end -= 1
    text = answer[start:end]
    plain = 0 < len(text) <= 60 and len(text.split()) <= 6 and not _VERBS.search(text) and not re.search(r"[\n?!;:]|\. [a-z]", text)
    if not plain or not (text[0].isupper() or text[0].isdigit()):
        return None
    words = text.split()
    rest = [word for word in words[1:] if word not in _LINKS and not (word[:1].isupper() or word[:1].isdigit())]
    return None if rest else Slot(start, end, text, "name")


def _names(answer: str, kind: str) -> list[Slot]:
    whole = _whole(answer)
    if whole is not None:
        return [_placed(whole, kind)]
    found = [one for one in names(answer) if one.shape == "name"]
    if kind == "person":  # of Dresden, of the Hague: that is where from
        found = [
            Slot(one.start, one.start + len(name), name, one.shape) for one in found for name in [re.split(r" of | for ", one.text)[0]]
        ]
        found = [one for one in found if not re.search(r"\b[Tt]he $", answer[max(0, one.start - 4) : one.start])]  # the Welsh
    if kind == "place":
        found = [one for one in found if re.search(r"\b(?:in|at|near|from|to|is|was|of) (?:the )?$", answer[: one.start])]
    return [_placed(one, kind) for one in found]


def _placed(slot: Slot, kind: str) -> Slot:
    """A place by what it is: a country, a continent, a state, or any other."""
    if kind not in ("place", "city"):
        return slot._replace(shape=kind)
    bare = slot.text.removeprefix("The ").removeprefix("the ")
    shape = "country" if bare in _COUNTRY_ALIASES else _WORD_CLASSES.get(bare, "")
    if shape in ("country", "continent", "state"):
        return slot._replace(shape=shape)
    return slot._replace(shape=kind if "," not in slot.text else "place,")


def names(text: str) -> list[Slot]:
    """Runs of capitalised words outside quotes, without a first word that is no name.

    A sentence's first word alone counts only before a verb.
    """
    quoted = [one.span() for one in _TITLE.finditer(text)]
    runs: list[list[re.Match[str]]] = []
    last_end = -1
    for word in _WORD.finditer(text):
        if any(start <= word.start() < end for start, end in quoted):
            continue
        raw = word[0]
        gap = text[last_end : word.start()] if last_end >= 0 else "|"
        joined = bool(runs and runs[-1]) and gap == " "
        if raw[0].isupper():
            if joined:
                runs[-1].append(word)
            else:
                runs.append([word])
        elif joined and _links(raw, text[word.end() : word.end() + 2], runs[-1][-1][0]):
            runs[-1].append(word)
        else:
            runs.append([])
        last_end = word.end()
    found: list[Slot] = []
    for run in runs:
        while run and run[0][0] in _NO_NAMES:
            del run[0]
        while run and run[-1][0] in _LINKS:
            del run[-1]
        if not run:
            continue
        start, end = run[0].start(), run[-1].end()
        value = text[start:end]
        while (tail := _ENDING.search(value)) and not re.search(r"(?:^|[ .])[A-Z]\.$", value):
            value = value[: tail.start()]
            end = start + len(value)
        opens = re.search(r"(?:^|[.!?:]\s+|\n\s*)[\"'\u201c\u2018(]?$", text[max(0, start - 4) : start]) is not None
        if opens and len(run) == 1 and not _VERBS.match(text, end + 1):
            continue
        if value in MONTHS or value in CLOSED["weekday"]:
            continue
        if value:
            found.append(Slot(start, end, value, "name"))
    return found


def _links(word: str, following: str, before: str) -> bool:
    """Whether a small word stands inside a name: `Simone de Beauvoir`, `Bay of the Hague`."""
    if word == "the":
        return before == "of"
    return word in _LINKS and word != "and" and re.match(r" [A-Z\u00c0-\u00de]", following) is not None


def every(text: str) -> list[Slot]:
    """All slots of a text, none overlapping another: dates and years, numbers, titles, words of closed classes, other names."""
    if len(text) > LARGEST_TEXT:
        return []
    found = [one for one in _dates(text, "when") if one.shape in ("date", "year")]
    found += _numbers(text)
    found += [Slot(*_inner(one), "title") for one in _TITLE.finditer(text)]
    found += [one for kind in ("weekday", "month") for one in _of_class(kind, text)]
    # A country inside a longer name is none: `Beta Israel`, `Air France`.
    found += [one._replace(shape=_class_of(one.text)) for one in names(text)]
    free = bytearray(b"\1" * len(text))
    taken: list[Slot] = []
    for one in found:
        if all(free[one.start : one.end]):
            free[one.start : one.end] = bytes(one.end - one.start)
            taken.append(one)
    return sorted(taken)


def _class_of(name: str) -> str:
    """The closed class that a name is of, or `name`."""
    return "country" if name in _COUNTRY_ALIASES else _WORD_CLASSES.get(name, "name")


def article_fits(slot: Slot, text: str, new: str) -> bool:
    """Whether a country stands after `the` where that belongs to it, and nowhere else; a text that is the country alone needs none."""
    if slot.shape != "country" or not text[: slot.start].strip():
        return True
    return (re.search(r"\b[Tt]he $", text[max(0, slot.start - 4) : slot.start]) is not None) is (new in _WITH_ARTICLE)


def refusal(slot: Slot, text: str) -> str:
    """Why a slot must not be replaced where it stands, or nothing: hedged, bounded, one of a list, said twice."""
    before, after = text[max(0, slot.start - 40) : slot.start], text[slot.end : slot.end + 24]
    if slot.shape in ("number", "word-number", "year", "date", "period"):
        if _BOUNDS.search(before):
            return "bound"
        if _OPEN_END.search(after):
            return "bound"
        if slot.shape not in ("number", "word-number") and _HEDGES.search(before):
            return "hedged"
        if re.match(r"[ -](?:and|or|/|&|\u2013) ?[0-9]", after) or re.search(r"[0-9] (?:and|or|&) $", before):
            return "list"
    elif (_LISTED_AFTER.match(after) and slot.shape != "place,") or (
        _LISTED_BEFORE.search(before) and slot.shape not in ("occupation", "gender")
    ):
        return "list"
    if slot.shape not in ("word-number", "number") and re.search(r"\b(?:and|or|/)\b|/", slot.text):
        return "list"
    words = folded(text)
    each = folded(slot.text).split()
    if f" {words} ".count(f" {' '.join(each)} ") > 1:
        return "repeated"
    rest = {*folded(text[: slot.start] + " \u2020 " + text[slot.end :]).split()}
    if slot.shape in ("name", "person", "city", "place") and any(len(word) > 3 and word in rest for word in each):
        return "repeated"
    return ""


def hedged(slot: Slot, text: str, question: str = "") -> bool:
    """Whether a number is said to be about right."""
    return bool(_HEDGES.search(text[max(0, slot.start - 40) : slot.start]) or re.search(r"\b(?:about|approximately|roughly)\b", question))


def folded(text: str) -> str:
    """A text as lower-case words without accents, marks or the genitive's s, a blank between them; groups of digits joined."""
    plain = "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one)).casefold()
    plain = re.sub(r"(?<=\d),(?=\d{3})", "", plain)
    return " ".join(re.findall(r"\d+(?:\.\d+)?|[^\W\d_]+", re.sub(r"['\u2019](?:s\b)?", "", plain)))


def akin(one: str, other: str) -> bool:
    """Whether two values may name the same: a word of either is in the other, but for small ones and for kinds of places."""
    left, right = ({*folded(value).split()} - _SMALL for value in (one, other))
    if not left or not right:
        return True
    initials = "".join(word[0] for word in folded(one).split()), "".join(word[0] for word in folded(other).split())
    return (
        bool(left & right)
        or (ALIASES.get(one, one) == ALIASES.get(other, other))
        or folded(other) == initials[0]
        or folded(one) == initials[1]
    )


_SMALL = frozenset(_listed("the of and de la le el al a an in"))


def near_jobs(one: str, other: str) -> bool:
    """Whether one person may well be both: occupations of one field."""
    return any({one.lower(), other.lower()} <= field for field in _NEAR)


def value_of(slot: Slot) -> tuple[str, ...]:
    """The slot's value in one spelling: what two texts that say the same have equal."""
    if slot.shape in ("date", "year", "period"):
        return dated(slot.text)
    if slot.shape == "number":
        number = slot.text.replace(",", "")
        return (number.rstrip("0").rstrip(".") if "." in number else number,)
    if slot.shape == "word-number":
        return (str(NUMBER_WORDS.index(slot.text.lower()) + 2),)
    if slot.shape == "gender":
        return (next(gender for gender, words in _GENDERS.items() if slot.text.lower() in words),)
    if slot.shape == "country":
        bare = slot.text.removeprefix("The ").removeprefix("the ")
        return (folded(ALIASES.get(bare, bare)),)
    return (folded(slot.text).removeprefix("the "),)


def dated(written: str) -> tuple[str, ...]:
    """A date's parts that are said: year, month, day, or the period; the same whatever their order."""
    if _PERIOD.fullmatch(written):
        return (folded(written),)
    if plain := re.fullmatch(r"([12][0-9]{3})-([01][0-9])-([0-3][0-9])", written):
        return plain[1], str(int(plain[2])), str(int(plain[3]))
    if re.fullmatch(r"[0-9./]+", written) and not written.isdigit():
        return ("numeric", written)  # 05/11: the day or the month first, nobody knows
    month = next((str(place) for place, name in enumerate(MONTHS, 1) if re.search(rf"\b{name[:3]}", written)), "")
    year = re.search(r"[12][0-9]{3}", written)
    day = re.search(r"(?<![0-9])[0-3]?[0-9](?![0-9])", written)
    return year[0] if year else "", month, str(int(day[0])) if day else ""


def changed_number(slot: Slot, bits: Iterator[int], loose: bool) -> Iterator[str]:
    """Other values for a number, a tenth away at least (half, if loose), between half and twice as much, written alike."""
    if slot.shape == "word-number":
        place = NUMBER_WORDS.index(slot.text.lower())
        near = [other for other in range(max(0, (place + 2) // 2 - 2), min(len(NUMBER_WORDS), 2 * place + 3)) if other != place]
        if loose:
            near = [other for other in near if 2 * abs(other - place) >= place + 2]
        for other in _drawn(near, bits):
            word = NUMBER_WORDS[other]
            yield word.capitalize() if slot.text[0].isupper() else word
        return
    digits = int(re.sub(r"[^0-9]", "", slot.text))
    decimals = len(slot.text.partition(".")[2])
    zeros = len(str(digits)) - len(str(digits).rstrip("0")) if digits else 0
    step = 10 ** min(zeros, max(0, len(str(digits)) - 2))
    if slot.text[0] == "0" and "." not in slot.text:
        return
    least = digits // 2 if loose else -(-digits // 10)
    low, high = (max(1, digits // 3), int(2.5 * digits)) if loose else (max(2, digits // 2), 2 * digits)
    if digits < 2 and not decimals:
        return
    fits = [value for value in _spread(low, high, step) if abs(value - digits) >= max(least, 1) and value > 1]
    for value in _drawn(fits, bits):
        written = str(value).zfill(decimals + 1)
        whole, part = (written[:-decimals], "." + written[-decimals:]) if decimals else (written, "")
        if "," in slot.text or len(whole) > 4:
            whole = f"{int(whole):,}" if "," in slot.text else whole
        if part.endswith("0") and not slot.text.endswith("0"):
            continue
        yield whole + part


def _spread(low: int, high: int, step: int) -> list[int]:
    """Up to 64 multiples of a step from low to high, evenly apart."""
    first, last = -(-low // step), high // step
    stride = max(1, (last - first) // 64)
    return [place * step for place in range(first, last + 1, stride)]


def _drawn(values: list[int], bits: Iterator[int]) -> Iterator[int]:
    values = list(values)
    while values:
        yield values.pop(next(bits) % len(values))


def changed_date(slot: Slot, bits: Iterator[int]) -> Iterator[str]:
    """The date with another year (two to thirty away, none that is still to come), else with another month, else another day."""
    year = re.search(r"(?<![0-9])[12][0-9]{3}(?![0-9])", slot.text)
    if slot.shape == "period":
        yield from _changed_period(slot.text, bits)
        return
    if year:
        value = int(year[0])
        fits = [one for one in range(value - 30, min(value + 31, max(2025, value))) if abs(one - value) >= 2 and one >= 1000]
        for other in _drawn(fits, bits):
            yield slot.text[: year.start()] + str(other) + slot.text[year.end() :]
        return
    month = re.search(rf"\b(?:{'|'.join(MONTHS)})\b", slot.text)
    if month:
        for other in _drawn([place for place, name in enumerate(MONTHS) if name != month[0] and not name.startswith("Febr")], bits):
            if "31" in slot.text and other in (3, 5, 8, 10):
                continue
            yield slot.text[: month.start()] + MONTHS[other] + slot.text[month.end() :]


def _changed_period(written: str, bits: Iterator[int]) -> Iterator[str]:
    if written.endswith("s"):
        value = int(written[:-1])
        fits = [one for one in range(value - 50, min(value + 51, 2021), 10) if one != value and one >= 1000]
        for other in _drawn(fits, bits):
            yield f"{other}s"
        return
    number = re.match(r"[0-9]+", written)
    if number is None:
        return
    for other in _drawn([one for one in range(max(1, int(number[0]) - 5), min(21, int(number[0]) + 6)) if one != int(number[0])], bits):
        ending = {1: "st", 2: "nd", 3: "rd"}.get(other % 10, "th") if other not in (11, 12, 13) else "th"
        yield f"{other}{ending}{written[number.end() + 2 :]}"


def gender_for(slot: Slot) -> str:
    """The other gender, by a word of the same kind and case."""
    old = slot.text.lower()
    word = {"male": "female", "female": "male", "man": "woman", "woman": "man"}[old]
    return word.capitalize() if slot.text[0].isupper() else word
