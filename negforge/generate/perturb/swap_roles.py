"""Swap who does something and whom it is done to, `a man walking a dog` into `a dog walking a man`, so that both cannot be true.

Subject and object of a verb that goes one way only change places whole, in one edit that spans both; pronouns change their case, and the
verb agrees. Verbs of a closed list: in a scene what is done to a living thing (`feeding`, `chasing`), in a claim what cannot be done back
(`killed`, `founded`). A site is refused:
- whose verb holds both ways or may be done by both (`symmetric`: `marry`, `hug`, `watch`), is `passive`, `reflexive`, or of no list
  (`not-one-way`);
- whose two sides are not both persons or animals (`animacy`), joined to others (`coordinated`), of one sense (`same-noun`), named again
  (`repeated`), or no plain phrases at the sentence's beginning and after the verb (`attachment`);
- of which nothing is asserted: `question`, `exclamation`, `conditional`, `reported`, `quoted`, `short`, `negated`, `modal`, `quantified`,
  `generic` (lions hunt zebras); `protected`.
Source: Parcalabescu et al., VALSE, 2022 (actant swap: 91 % valid); Levin, English Verb Classes and Alternations, 1993 (reciprocal verbs);
google-research-datasets/paws#16, #15 (swaps that say the same).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Annotated, NamedTuple

from pydantic import Field

from negforge import grammar, reading
from negforge.contract import Declares, Edit, Refusal
from negforge.lexicon import lexicon
from negforge.reading import Sentence, Site, Word, listed
from negforge.records import Pairs
from negforge.rng import Rng
from negforge.words import inflected

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
    below="Of 18,000 captions and claims it edits 59, all 59 valid: fewer than the 100 that a bar is shown by.",
)

# Done to a living thing in a scene, and not by it at the same time.
_SEEN = listed(
    """ride feed carry walk lead chase pet herd pull push kick milk groom wash shear brush teach guide train lift bite lick pursue bathe
    throw spank stroke saddle steer tow drag cradle instruct rescue hunt examine treat serve scold tame"""
)
# Done once, and never back: whoever killed, founded or wrote another was not killed, founded or written by it.
_DONE = listed(
    """kill murder assassinate father succeed precede write compose paint invent discover found create direct design build own acquire
    conquer orbit colonize swallow devour inherit predate adopt sire illustrate author sculpt annex"""
)
_MUTUAL = listed(
    """watch see face greet meet fight touch photograph follow help love hate like know beat defeat attack visit call hear join surround
    approach pass oppose support respect trust miss admire embrace hug kiss hold cuddle"""
)
_PRONOUNS = {"i": "me", "he": "him", "she": "her", "we": "us", "they": "them"}
_OBJECTS = {other: one for one, other in _PRONOUNS.items()}
_GROUPS = ("group", "couple", "pair", "bunch", "crowd", "number")
_WITHIN = ("in", "with", "on", "wearing", "at", "from")
_PICTURES = ("picture", "photo", "photograph", "image", "painting", "drawing", "view", "shot")
_LIFELESS = listed(
    "bat bats controller controllers hotdog hotdogs stuffed toy plastic wooden statue plush fake"
)  # no animal, or none that lives
_PLURAL = ("they", "we", "them", "us")
_TENSES = ("VBZ", "VBP", "VBD")


class _Phrase(NamedTuple):
    """Words first to last of a sentence: a noun phrase, a name or a pronoun. many: a plural. noun: its head, the last word if -1."""

    first: int
    last: int
    sort: str
    many: bool
    noun: int = -1

    @property
    def head(self) -> int:
        return self.last if self.noun < 0 else self.noun


def generate(
    batch: Pairs,
    rng: Rng,
    *,
    protect: Annotated[str, Field(description="Leave pairs alone that overlap a match of this regular expression.")] = reading.NOTHING,
    num_negatives: int = 1,
) -> Iterator[Edit | Refusal]:
    """Swap subject and object of one verb of each `positive`, or say why not.

    batch: n rows of `id`, `positive`, `positive_tags`. Yields at most one edit a sentence, of its first verb, in an order drawn for the
    row, from the subject's first letter to the object's last; or one refusal, with the reason of the first verb that has an object.
    """
    pattern = reading.compiled(protect)
    for row_id, text, sentences in reading.rows(batch):
        sites = [site for sentence in sentences for site in _sites(text, sentence)]
        yield from reading.answered(row_id, text, sites, rng, pattern, num_negatives)


def _sites(text: str, sentence: Sentence) -> Iterator[Site]:
    words = sentence.words
    for place, word in enumerate(words):
        if not place or not (word.tag.startswith("VB") or word.tag == "NNS") or word.text in grammar.AUXILIARIES:
            continue
        verb = _base(word.text)
        if not verb or (word.tag == "NNS" and (verb not in _SEEN | _DONE or not _may_have_object(words, place))):
            continue
        if _next(words, place) == "by" and word.tag in ("VBN", "VBD"):
            yield Site(word.start, word.end, reason="passive")
            return
        right = _phrase_at(words, place + 1)
        if right is None:
            continue
        yield _site(text, sentence, place, verb, right)
        return


def _may_have_object(words: Sequence[Word], place: int) -> bool:
    return place + 1 < len(words) and (words[place + 1].tag in ("DT", "PRP$", "CD") or words[place + 1].tag.startswith("NNP"))


@functools.lru_cache(maxsize=1 << 14)
def _base(word: str) -> str:
    found = lexicon().bases(word, "v")
    listed_ = [one for one in found if one in _SEEN | _DONE]
    return listed_[0] if listed_ else found[-1] if found else ""


def _next(words: Sequence[Word], place: int) -> str:
    return words[place + 1].text if place + 1 < len(words) else ""


def _site(text: str, sentence: Sentence, place: int, verb: str, right: _Phrase) -> Site:
    """What becomes of the verb at a place of a sentence, whose object is known."""
    words = sentence.words
    start, end = words[place].start, words[place].end
    if words[right.last].text.endswith(("self", "selves")):
        return Site(start, end, reason="reflexive")
    if verb not in _SEEN | _DONE:
        mutual = verb in grammar.SYMMETRIC_VERBS or verb in _MUTUAL
        return Site(start, end, reason="symmetric" if mutual else "not-one-way")
    left = _subject(words, place)
    if left is None:
        return Site(start, end, reason="attachment")
    if reason := reading.not_asserted(sentence) or _reason(sentence, left, right, place, verb):
        return Site(start, end, reason=reason)
    return _swapped(text, words, left, right, place)


def _phrase_at(words: Sequence[Word], place: int) -> _Phrase | None:
    """The noun phrase, name or pronoun that begins at a place, or None."""
    if place >= len(words):
        return None
    word = words[place]
    if word.tag == "PRP":
        return _Phrase(place, place, "pronoun", word.text in _PLURAL)
    first = place + 1 if word.text == "the" else place
    last = first
    while last < len(words) and words[last].tag.startswith("NNP"):
        last += 1
    if last > first:
        return _Phrase(place, last - 1, "name", words[last - 1].tag == "NNPS")
    found = reading.phrase_from(words, place)
    return _Phrase(*found, "thing", _is_many(words, *found)) if found is not None else None


def _is_many(words: Sequence[Word], first: int, last: int) -> bool:
    return words[last].tag == "NNS" or words[last].text in ("people", "sheep", "cattle") or words[first].tag == "CD"


def _subject(words: Sequence[Word], verb: int) -> _Phrase | None:
    """What begins the sentence and ends before the verb, but for a form of `be`, or None."""
    at = verb - 1
    while at >= 0 and (words[at].text in grammar.FINITE_BE or words[at].text in ("that", "who")):
        at -= 1
    if at < 0:
        return None
    if words[at].tag == "PRP" and at == 0:
        return _Phrase(0, 0, "pronoun", words[0].text in _PLURAL)
    if words[at].tag.startswith("NNP"):
        first = at
        while first and words[first - 1].tag.startswith("NNP"):
            first -= 1
        first -= first == 1 and words[0].text == "the"
        return _Phrase(first, at, "name", words[at].tag == "NNPS") if first == 0 else None
    found = reading.phrase_to(words, at)
    head = at
    while found is not None and found[0] > 1:
        outer = reading.phrase_to(words, found[0] - 2)
        if outer is None or not _joins(words, found[0] - 1, outer[1]):
            break
        head = found[1] if words[found[0] - 1].text == "of" and head == at else outer[1]
        found = outer[0], at
    if found is None or not _begins(words, found[0]):
        return None
    return _Phrase(found[0], at, "thing", _is_many(words, found[0], head), head)


def _joins(words: Sequence[Word], place: int, head: int) -> bool:
    """Whether a preposition makes one phrase of two, as in `a group of people` and `a man in a suit`."""
    return words[place].text in _WITHIN or (words[place].text == "of" and words[head].text in _GROUPS)


def _begins(words: Sequence[Word], first: int) -> bool:
    """Whether a phrase begins what is told: at the beginning, after `there is`, or after `a picture of`."""
    before = [word.text for word in words[:first]]
    if not before or (len(before) == 2 and before[0] == "there" and before[1] in grammar.FINITE_BE):
        return True
    return before[-1] == "of" and len(before) <= 4 and before[-2] in _PICTURES


def _reason(sentence: Sentence, left: _Phrase, right: _Phrase, place: int, verb: str) -> str:
    """Why two sides are not swapped, or nothing."""
    words = sentence.words
    follows = words[right.last + 1] if right.last + 1 < len(words) else None
    if follows is not None and (follows.text in ("and", "or", ",", "of", "'s", "-", "/", "'", "&") or follows.tag.startswith("NN")):
        return "coordinated"
    if any(word.text in grammar.QUANTIFIERS - {"several", "some"} for word in words):
        return "quantified"
    if any(word.tag == "PRP$" for word in words[left.first : right.last + 1]):
        return "pronoun"
    sorts = {left.sort, right.sort}
    scene = words[place].tag == "VBG" or words[place].text in ("rides", "walks", "carries", "holds", "ride", "carry", "walk", "hold")
    if "name" not in sorts and "pronoun" not in sorts and scene and verb in _SEEN:
        if not reading.is_scene(sentence):
            return "generic"
    elif verb not in _DONE or not _is_past(words, place, sorts):
        return "generic"
    for phrase in (left, right):
        head = words[phrase.head]
        inside = words[phrase.first : phrase.head + 1]
        lifeless = reading.kind(head.text) not in reading.ANIMATE or any(word.text in _LIFELESS for word in inside)
        if phrase.sort == "thing" and (lifeless or (len(inside) > 1 and reading.is_phrase(inside[-2].text, head.text))):
            return "animacy"
        if phrase.sort == "pronoun" and head.text not in (*_PRONOUNS, *_OBJECTS):
            return "pronoun"
    return _same(words, left, right)


def _is_past(words: Sequence[Word], place: int, sorts: set[str]) -> bool:
    """Whether a verb of a claim is of the past, or stands between names."""
    tag = words[place].tag
    past = tag == "VBD" or (tag == "VBN" and words[place - 1].text not in grammar.AUXILIARIES)
    return past or (sorts == {"name"} and tag in ("VBZ", "NNS"))


def _same(words: Sequence[Word], left: _Phrase, right: _Phrase) -> str:
    one, two = words[left.head].text, words[right.head].text
    if left.sort == right.sort == "thing":
        bases = reading.noun(one), reading.noun(two)
        if reading.akin(*bases):
            return "same-noun"
    texts = [reading.noun(word.text) or word.text for word in words]
    again = any(texts.count(reading.noun(one_) or one_) > 1 for one_ in (one, two))
    return "repeated" if again or one == two else ""


def _swapped(text: str, words: Sequence[Word], left: _Phrase, right: _Phrase, verb: int) -> Site:
    """The two in each other's places: pronouns in the case of their new place, the verb in the number of its new subject."""
    start, end = words[left.first].start, words[right.last].end
    first, second = text[start : words[left.last].end], text[words[right.first].start : end]
    between = text[words[left.last].end : words[right.first].start]
    if left.first == 0 and not text.isupper():
        if left.sort != "name" or words[0].text == "the":
            first = first[:1].lower() + first[1:] if first != "I" else first
        second = second[:1].upper() + second[1:]
    if left.sort == "pronoun":
        first = _PRONOUNS.get(first.lower(), first)
    if right.sort == "pronoun":
        second = _OBJECTS.get(second.lower(), second)
        second = second[:1].upper() + second[1:] if left.first == 0 else second
    if left.many != right.many:
        agreed = _agreeing(words, left.last + 1, verb, many=right.many)
        there = left.first and words[left.first - 1].text in grammar.FINITE_BE
        if agreed is None or there:
            return Site(start, end, reason="agreement")
        at, old, new = agreed
        offset = words[at].start - words[left.last].end
        between = between[:offset] + new + between[offset + len(old) :]
    return Site(start, end, (second + between + first,))


def _agreeing(words: Sequence[Word], first: int, verb: int, *, many: bool) -> tuple[int, str, str] | None:
    """The place of the finite verb between subject and object, what it is and what it becomes; None where it can not be told."""
    pairs = {"is": "are", "was": "were"} if many else {"are": "is", "were": "was"}
    for at in range(first, verb + 1):
        word = words[at]
        if word.text in grammar.FINITE_BE:
            return (at, word.text, pairs[word.text]) if word.text in pairs else None
    word = words[verb]
    if word.tag in ("VBG", "VBD", "VBN"):
        return verb, word.text, word.text
    made = _base(word.text) if many else inflected(_base(word.text), "VBZ")
    return (verb, word.text, made) if made else None
