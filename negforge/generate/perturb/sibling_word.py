"""Replace a noun or a colour by another of its kind, `a dog` by `a horse`, where nothing is both.

Kinds are closed lists of things that exclude each other (animals, vehicles, food, furniture, instruments, colours, months, days,
languages, elements, sports); a word that is in no list but lies below one of its kind, as `poodle`, is of that kind too. What replaces a
word shares no sense with it, lies neither above nor below it by any path, has nothing below both, and neither name lies in the other. A
site is refused:
- whose word is another in its commonest sense (`sense`), is part of a name or a phrase (`phrase`, `name`), stands beside another noun
  (`modifier`), tells a role that others may have as well (`role`), or lies in `black and white` or `light blue` (`composed`);
- that another thing may keep true: `repeated`, `mentioned` (`a dog` beside `the puppy`), `list` (a bathroom with a toilet may have a tub),
  `place` (what stands next to a piano may stand next to a lamp, and the farm where a windmill is located may have a barn);
- not asserted of it: `question`, `exclamation`, `imperative`, `conditional`, `reported`, `quoted`, `short`, `negated`, `modal` (`seems to
  be` too), `downward` (under `every` or `without` it says something of others), and `generic`: a claim that dogs eat is true of horses
  too, so in claims only what a subject is said to be is changed, and months and days it is dated by; `no-value`, `protected`.
Source: Miller, WordNet, 1995; Parcalabescu et al., VALSE, 2022 (foils by WordNet relation: sibling 96 %, hypernym 50 % valid);
QData/TextAttack#752 (one mention of two changed).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from typing import Annotated, NamedTuple

from pydantic import Field

from negforge import grammar, reading
from negforge.contract import Declares, Edit, Refusal
from negforge.lexicon import lexicon
from negforge.reading import Sentence, Site, Word, listed
from negforge.records import Pairs
from negforge.rng import Rng
from negforge.words import inflected, recased, with_article

DECLARES = Declares(
    version=1,
    scope="row",
    reads=Pairs,
    languages=("en",),
    edits=True,
    tags=True,
    label="negative",
    opposition="contradiction",
    evidence=("edit",),
    verifiers=("equivalent", "known-positive"),
    candidates=r"(?i)[a-z]{3}",
    bar=0.95,
)

# Kinds whose members exclude each other, and the lexicographer's file in which a member has its first sense.
_KINDS: dict[str, tuple[str, frozenset[str]]] = {
    "animal": (
        "noun.animal",
        listed(
    """dog cat horse cow sheep goat pig elephant giraffe zebra bear lion tiger monkey rabbit fox wolf deer kangaroo camel squirrel owl
    eagle parrot penguin duck chicken shark whale snake turtle frog crocodile spider bee butterfly"""
),
    ),
    "vehicle": (
        "noun.artifact",
        listed("car bus truck train bicycle motorcycle airplane helicopter boat tractor skateboard sled surfboard wheelchair"),
    ),
    "furniture": ("noun.artifact", listed("bed bookcase bench couch desk wardrobe refrigerator oven toilet bathtub")),
    "vessel": ("noun.artifact", listed("bottle bowl vase suitcase bucket basket teapot barrel")),
    "utensil": ("noun.artifact", listed("fork knife spoon spatula")),
    "device": ("noun.artifact", listed("laptop camera clock telephone umbrella toothbrush hammer lamp mirror piano ladder")),
    "instrument": ("noun.artifact", listed("guitar piano violin trumpet drum flute harp accordion saxophone cello")),
    "building": ("noun.artifact", listed("barn lighthouse windmill castle bridge hospital")),
    "fruit": ("noun.food", listed("apple banana pear orange lemon strawberry pineapple watermelon grape cherry peach")),
    "vegetable": ("noun.food", listed("carrot broccoli onion potato tomato cucumber spinach celery cabbage")),
    "dish": ("noun.food", listed("pizza sandwich soup salad cake omelet doughnut pancake burrito cookie")),
    "drink": ("noun.food", listed("coffee beer milk wine tea lemonade")),
    "sport": ("noun.act", listed("tennis soccer baseball basketball golf hockey rugby volleyball cricket")),
    "month": (
        "noun.time",
        listed("january february april may june july august september october november december"),
    ),
    "day": ("noun.time", listed("monday tuesday wednesday thursday friday saturday sunday")),
    "language": (
        "noun.communication",
        listed("english french german spanish italian russian japanese chinese arabic hindi swedish finnish turkish greek polish"),
    ),
    "element": (
        "noun.substance",
        listed("hydrogen helium oxygen nitrogen carbon iron copper gold silver zinc lead tin mercury uranium sodium chlorine sulfur"),
    ),
    "polygon": ("noun.shape", listed("triangle pentagon hexagon octagon circle square")),
}  # fmt: skip
_CAPITAL = ("month", "day", "language")
_COLOURS = {
    "red": "blue green white black", "blue": "red yellow orange white", "green": "red blue white pink", "yellow": "blue purple black green",
    "orange": "blue green white purple", "pink": "green black blue yellow", "purple": "yellow green white orange",
    "brown": "blue green white pink", "black": "white red yellow green", "white": "black red blue green", "gray": "red yellow green pink",
    "grey": "red yellow green pink", "tan": "blue green black purple", "beige": "blue green black red",
}  # fmt: skip
_COLOUR_WORDS = frozenset(_COLOURS) | listed(
    "gold silver golden blonde blond dark light pale bright deep baby lime navy colored coloured multicolored"
)
# What nothing but the sight of it tells from another, so that a colour is no more than a habit of speech.
_COLOUR_OF_KIND = listed(
    "wine tea bread rice bean beans pepper peppers onion onions cabbage house board hole belt card light lights meat skin hair eyes"
)
_SUBJECTS = ("noun.person",)
_LISTING = listed("and or , & with including containing has have having features featuring plus contains includes")
_BESIDE = listed("near beside by alongside besides")  # `with` is in _LISTING
_FOUND = listed("located found situated")
_STAND = listed("stand stands sit sits lie lies hang hangs")
_SEEM = listed("seem seems seemed appear appears appeared look looks looked")
_DATED = listed("in on during of since by until")
_NEAR = ({"train", "car"}, {"couch", "bed"}, {"cake", "pancake"}, {"desk", "bench"}, {"couch", "bench"})
_KIND_OF = listed("type kind species breed sort form")
_GROUPS = listed("herd flock group bunch couple pack pair lot lots number line row several")
_COUNTS = listed("several some many few various these those")
_EACH = 4
_IN_COMPOUND = ("NN", "NNS", "NNP", "NNPS", "CD", "POS")


class _Member(NamedTuple):
    """A word's base form, the kind it is of, and the lexicographer's file of its first sense."""

    base: str
    kind: str
    reason: str = ""


def generate(
    batch: Pairs,
    rng: Rng,
    *,
    protect: Annotated[str, Field(description="Leave words alone that overlap a match of this regular expression.")] = reading.NOTHING,
    num_negatives: int = 1,
) -> Iterator[Edit | Refusal]:
    """Edit each `positive` at one noun or colour, or say why not.

    batch: n rows of `id`, `positive`, `positive_tags`. Yields up to `num_negatives` edits of a row, the first word for every site before
    the second for any, in an order drawn for the row; or one refusal, with the reason of the first word of a kind.
    """
    pattern = reading.compiled(protect)
    for row_id, text, sentences in reading.rows(batch):
        sites = [site for sentence in sentences for site in _sites(row_id, text, sentence, sentences, rng)]
        yield from reading.answered(row_id, text, sites, rng, pattern, num_negatives)


def _sites(row_id: str, text: str, sentence: Sentence, sentences: Sequence[Sentence], rng: Rng) -> Iterator[Site]:
    sentence_reason: str | None = None
    for place, word in enumerate(sentence.words):
        if word.tag[:2] not in ("NN", "JJ", "MD", "VB") or (member := _member(word.text, word.tag[:2])) is None:
            continue
        if member.kind in _CAPITAL and not text[word.start].isupper():
            continue
        if sentence_reason is None:
            sentence_reason = reading.not_asserted(sentence) or _sentence_reason(sentence)
        # A month may look like a modal: `may` alone is none.
        given = member.reason or sentence_reason or _reason(sentence, place, member, text)
        everywhere = [one for other in sentences for one in other.words]
        if member.kind not in ("", "colour", *_CAPITAL) and _said_of_subject(sentence.words, place):
            everywhere = sentence.words[place:]  # the subject may be a kind of it
        news = () if given else _news(row_id, member, everywhere, rng)
        if given or not news:
            yield Site(word.start, word.end, reason=given or _mentioned(member, everywhere) or "no-value")
        else:
            yield _site(text, word, news, many=_is_plural(sentence.words, place))


def _is_plural(words: Sequence[Word], place: int) -> bool:
    """Whether a noun is a plural by its tag, its form or, as in `a herd of sheep are`, by what stands beside it."""
    word = words[place]
    if word.tag in ("NNS", "NNPS") or (word.text.endswith("s") and reading.noun(word.text) != word.text):
        return True
    first, _ = reading.phrase_to(words, place) or (place, place)
    grouped = first > 1 and words[first - 1].text == "of" and words[first - 2].text in _GROUPS
    counted = words[first].text in _COUNTS or (words[first].tag == "CD" and words[first].text not in ("one", "1"))
    return grouped or counted or _next(words, place) == "are"


def _site(text: str, word: Word, news: Sequence[str], *, many: bool) -> Site:
    old = text[word.start : word.end]
    forms = [one if word.text in _COLOURS else inflected(one, "NNS" if many else "NN") or one for one in news]
    made = [with_article(text, word.start, one if text.isupper() else recased(one, old)) for one in forms]
    if text.isupper():  # `AN FBI`, but `A FOX`
        made = [(first, new.upper()) for first, new in made]
    start = min(first for first, _ in made)
    return Site(start, word.end, tuple(text[start:first] + new for first, new in made))


def _sentence_reason(sentence: Sentence) -> str:
    """Why a sentence tells of no thing that is there, or nothing."""
    words = sentence.words
    if any(word.text in grammar.DOWNWARD for word in words):
        return "downward"
    for word, after in pairwise(words):
        if word.text in _SEEM and after.text in ("to", "like", "as"):
            return "modal"
    at = next((place for place, word in enumerate(words) if word.tag != "RB" and word.text != "please"), 0)
    return "imperative" if words[at].tag == "VB" and _next(words, at) != "of" else ""  # `Pack of six elephants`


@functools.lru_cache(maxsize=1 << 15)
def _member(word: str, tag: str) -> _Member | None:
    """What kind a word is of, if of any."""
    if word in _COLOURS and tag in ("JJ", "NN"):
        return _Member(word, "colour")
    if tag != "NN" and not any(word in _KINDS[kind][1] for kind in _CAPITAL):
        return None
    lex = lexicon()
    base = reading.noun(word)
    for kind, (_, words) in _KINDS.items():
        if word in words or base in words:
            return _Member(word if word in words else base, kind)
    if not base or " " in base:
        return None
    senses = lex.senses(base, "n")
    first = senses[0].synset
    if lex.lexname(first) in _SUBJECTS:
        return _Member(base, "", "role")
    above = lex.ancestors(first)
    for kind, (lexname, words) in _KINDS.items():
        if lexname == lex.lexname(first) and any(_first_synset(one, lexname) in above for one in words):
            return _Member(base, kind)
    return None


@functools.lru_cache(maxsize=1 << 12)
def _first_synset(word: str, lexname: str) -> int:
    """The first sense of a word that is in a lexicographer's file; -1 where there is none."""
    lex = lexicon()
    return next((sense.synset for sense in lex.senses(word, "n") if lex.lexname(sense.synset) == lexname), -1)


@functools.lru_cache(maxsize=1 << 14)
def _siblings(base: str, kind: str) -> tuple[str, ...]:
    """What may stand for a word: of its kind, and by the lexicon nothing that could be it."""
    if kind == "colour":
        return tuple(_COLOURS[base].split())
    lexname, words = _KINDS[kind]
    return tuple(one for one in sorted(words) if one != base and _apart(base, one, lexname))


def _apart(one: str, other: str, lexname: str) -> bool:
    """Whether two nouns share no sense of the kind, neither lies above the other, nothing lies below both, and no name holds the other."""
    lex = lexicon()
    left, right = _first_synset(one, lexname), _first_synset(other, lexname)
    if left < 0 or right < 0 or left == right or one in other or other in one:
        return False
    if left in lex.ancestors(right) or right in lex.ancestors(left):
        return False
    shared = {sense.synset for sense in lex.senses(one, "n")} & {sense.synset for sense in lex.senses(other, "n")}
    return not shared and {one, other} not in _NEAR and not _below(left) & _below(right)


@functools.lru_cache(maxsize=1 << 12)
def _below(synset: int) -> frozenset[int]:
    lex = lexicon()
    found: set[int] = set()
    todo = lex.below(synset)
    while todo:
        one = todo.pop()
        if one not in found:
            found.add(one)
            todo += lex.below(one)
    return frozenset(found)


def _news(row_id: str, member: _Member, everywhere: Sequence[Word], rng: Rng) -> tuple[str, ...]:
    """What is put there, in an order drawn for the row: nothing that the text names, or names something below of."""
    if _mentioned(member, everywhere):
        return ()
    named = {reading.noun(word.text) or word.text for word in everywhere} | {word.text for word in everywhere}
    order = rng.shuffled(row_id + member.base, _siblings(member.base, member.kind))
    free = (one for one in order if one not in named and not (member.kind != "colour" and _any_related(one, named)))
    return tuple(_spelt(one, member.kind) for one in islice(free, _EACH))


def _spelt(word: str, kind: str) -> str:
    return word.capitalize() if kind in _CAPITAL else word


def _any_related(word: str, named: set[str]) -> bool:
    return any(_is_below(one, word) for one in named)


@functools.lru_cache(maxsize=1 << 16)
def _is_below(one: str, above: str) -> bool:
    """Whether a word names by its first sense what is a kind of another, as `puppy` of `dog`, or what that is a kind of."""
    lex = lexicon()
    senses, others = lex.senses(one, "n"), lex.senses(above, "n")
    if not senses or not others:
        return False
    left, right = senses[0].synset, {other.synset for other in others}
    return left in right or bool(right & lex.ancestors(left)) or left in lex.ancestors(others[0].synset)


def _mentioned(member: _Member, everywhere: Sequence[Word]) -> str:
    """Why another word of the text keeps the old one true, or nothing."""
    same = sum(word.text == member.base or (reading.noun(word.text) == member.base and word.tag.startswith("NN")) for word in everywhere)
    if same > 1:
        return "repeated"
    if member.kind == "colour":
        return ""
    # A noun at the end may be tagged as an adjective: `a cat by a feline`.
    tags = [*(word.tag[:2] for word in everywhere[1:]), ""]
    last = {word.text for word, tag in zip(everywhere, tags, strict=True) if word.tag == "JJ" and tag not in ("NN", "JJ")}
    others = {word.text for word in everywhere if word.tag.startswith("NN")} | last
    bases = {reading.noun(word) for word in others} - {member.base, ""}
    return "mentioned" if any(_is_below(one, member.base) for one in bases) else ""


def _reason(sentence: Sentence, place: int, member: _Member, text: str) -> str:
    """Why a word is left alone, or nothing."""
    words = sentence.words
    before = words[place - 1] if place else None
    after = words[place + 1] if place + 1 < len(words) else None
    if member.kind == "colour":
        return _colour_reason(sentence, place, text)
    year = after is not None and member.kind == "month" and after.tag == "CD"
    if (
        after is not None
        and not year
        and (after.tag in (*_IN_COMPOUND, "JJ") or after.text in ("-", "/") or reading.is_phrase(words[place].text, after.text))
    ):
        return "modifier"
    if before is not None and (
        before.tag in _IN_COMPOUND[:4] or before.text in ("-", "/") or reading.is_phrase(before.text, words[place].text)
    ):
        dated = member.kind in ("month", "day") and before.tag == "CD"
        if not dated and not (before.tag == "CD" and not before.text.isdigit()):
            return "phrase"
    if member.kind in _CAPITAL:
        return _name_reason(sentence, place, member)
    if place and text[words[place].start].isupper() and not sentence.text.isupper():
        return "name"
    lex = lexicon()
    if lex.lexname(lex.senses(member.base, "n")[0].synset) != _KINDS[member.kind][0] and member.base not in _KINDS[member.kind][1]:
        return "sense"
    if member.kind == "sport" and before is not None and before.text not in ("playing", "of"):
        return "generic"
    if _in_list(words, place):
        return "list"
    if _is_placed(words, place):
        return "place"
    if reading.is_scene(sentence):
        return "" if member.kind != "element" else "generic"
    return "" if _said_of_subject(words, place) else "generic"


def _in_list(words: Sequence[Word], place: int) -> bool:
    """Whether a noun is one of several things, or one that something has, so that what replaces it may be there besides."""
    first, _ = reading.phrase_to(words, place) or (place, place)
    if first > 1 and words[first - 1].text == "of" and (outer := reading.phrase_to(words, first - 2)) is not None:
        first = outer[0]
    before = words[first - 1].text if first else ""
    there = first > 1 and words[first - 2].text == "there"
    return there or before in _LISTING or _next(words, place) in ("and", "or", ",", "&", "/")


def _is_placed(words: Sequence[Word], place: int) -> bool:
    """Whether a noun is what another thing is beside, or that of which only its place is told: another may be there as well."""
    first, _ = reading.phrase_to(words, place) or (place, place)
    before = words[first - 1].text if first else ""
    if before in _BESIDE or (first > 1 and before == "to" and words[first - 2].text in ("next", "close")):
        return True
    after = [word.text for word in words[place + 1 : place + 4] if word.tag != "RB"]
    if after[:1] and after[0] in grammar.FINITE_BE and after[1:2] and after[1] in _FOUND:
        return True
    return words[first].text == "the" and after[:1] != [] and after[0] in _STAND


def _colour_reason(sentence: Sentence, place: int, text: str) -> str:
    words = sentence.words
    near = {word.text for word in words[max(0, place - 2) : place + 3]} - {words[place].text}
    if near & _COLOUR_WORDS or (place and words[place - 1].text in ("and", "-")) or _next(words, place) in ("and", "-", ",", "or"):
        return "composed"
    head = next((word for word in words[place + 1 :] if not word.tag.startswith("JJ")), None)
    if head is None or not head.tag.startswith("NN"):
        return "modifier"
    if head.tag.startswith("NNP") or (place and text[words[place].start].isupper()):
        return "name"
    if head.text in _COLOUR_OF_KIND or reading.is_phrase(words[place].text, _next(words, place)):
        return "phrase"
    if reading.kind(head.text) not in reading.THINGS | reading.ANIMATE:
        return "sense"
    if reading.count(words, head.text) > 1:
        return "repeated"
    return "" if reading.is_scene(sentence) else "generic"


def _next(words: Sequence[Word], place: int) -> str:
    return words[place + 1].text if place + 1 < len(words) else ""


def _name_reason(sentence: Sentence, place: int, member: _Member) -> str:
    """Of a month, a day or a language: a date of what happened once is changed, and the language that something is in."""
    words = sentence.words
    at = place - 2 if place > 1 and words[place - 1].text.isdigit() else place - 1
    before = words[at].text if at >= 0 else ""
    if before == "of" and at and words[at - 1].text == "as":
        return "generic"  # what holds as of a day may hold as of another
    if member.kind == "language":
        return "" if before == "in" and place > 1 and words[place - 2].text in ("written", "wrote", "composed") else "generic"
    if before not in _DATED - {"by", "until", "since", "during"}:
        return "generic"
    past = any(word.tag in ("VBD", "VBN") for word in words) and not any(word.text in grammar.QUANTIFIERS for word in words)
    return "" if past else "generic"


def _said_of_subject(words: Sequence[Word], place: int) -> bool:
    """Whether a noun is what the subject of a claim is said to be: `is a`, `is a kind of`, with adjectives between at most."""
    at = place - 1
    while at >= 0 and words[at].tag in ("JJ", "DT", "RB"):
        at -= 1
    if at > 1 and words[at].text == "of" and words[at - 1].text in _KIND_OF:
        at -= 2
        while at >= 0 and words[at].tag in ("JJ", "DT", "RB"):
            at -= 1
    if at < 1 or words[at].text not in grammar.FINITE_BE:
        return False
    earlier = words[:at]
    return not any(
        word.text in grammar.OPENERS or word.text in grammar.QUANTIFIERS or word.tag in ("VBZ", "VBD", "VBP") for word in earlier
    )
