"""Swap two things around a relation of place, `a dog on a couch` into `a couch on a dog`, so that both cannot be true.

The noun phrases change places whole, with determiners, attributes and number, in one edit that spans both. A site is refused:
- whose relation holds both ways (`symmetric`: `next to`, `with`; `in front of`, `behind`: who looks decides) or of no place (`abstract`);
- whose things are joined to others (`coordinated`), are parts (`part`), places or persons' clothes (`place`, `worn`), of one sense
  (`same-noun`), or stand after `of` (`measure`: `a group of dogs`);
- whose first phrase does not begin the sentence, so that the relation may be another's (`attachment`), or whose second has a pronoun;
- of which nothing is asserted of one scene: `generic`, `question`, `exclamation`, `conditional`, `reported`, `quoted`, `short`, `negated`,
  `modal`, `quantified`; `repeated`, `protected`.
Source: Yuksekgonul et al., When and Why Vision-Language Models Behave like Bags-of-Words, 2023; Hu et al., DeGLA, 2025 (noun swap);
mertyg/vision-language-models-are-bows#13 (no code that makes such negatives), google-research-datasets/paws#16 (swaps that say the same).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

from pydantic import Field

from negforge import grammar, reading
from negforge.contract import Declares, Edit, Refusal
from negforge.reading import Sentence, Site, Word, listed
from negforge.records import Pairs
from negforge.rng import Rng

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
    candidates=r"(?i)\b(on|in|over|under|underneath|beneath|above|below|atop|inside|behind|front|next|near|beside|with|between|and)\b",
    bar=0.95,
)

_ASYMMETRIC = listed("on in under above below over beneath underneath atop inside on_top_of inside_of")
_SYMMETRIC = listed("next near beside with between alongside among adjacent opposite front behind and")
_FIRST_WORDS = frozenset(relation.split()[0] for relation in _ASYMMETRIC)
_PLACES = listed(
    """field street road beach room sky air park city court hill slope mountain water ocean sea river lake ground floor grass snow sand
    yard bathroom kitchen bedroom restaurant station airport runway track tracks sidewalk highway lot area forest woods zoo stadium
    office shop store market garden wall ceiling desert meadow pasture trail path rail rails platform intersection corner background
    foreground middle center side front back top bottom edge end cellphone telephone horseback bicycle_lane picture photo photograph
    image painting scene view day night dark rain sun phone line row rows enclosure pen lawn dirt wild shade town village house
    building home school church barn hillside countertop"""
)
_PARTS = listed(
    """hand hands arm arms head face leg legs foot feet lap shoulder shoulders mouth neck back hair nose eye eyes ear ears tail wing wings
    paw paws handle wheel wheels lid roof seat top side leash screen button"""
)
_WORN = listed(
    """shirt hat jacket coat suit tie dress skirt pants shorts jeans glasses sunglasses helmet uniform gloves boots shoes socks cap vest
    scarf sweater costume outfit wetsuit gear clothes clothing apron bikini swimsuit robe gown skis ski snowboard"""
)
_MEASURES = listed(
    "group pair couple bunch number lot lots piece slice herd flock row line set variety pile stack kind type close view front"
)
_POSTURES = reading.POSTURES - listed("dancing growing landing hiding")
_LONGEST = 3


def generate(
    batch: Pairs,
    rng: Rng,
    *,
    protect: Annotated[str, Field(description="Leave pairs alone that overlap a match of this regular expression.")] = reading.NOTHING,
    num_negatives: int = 1,
) -> Iterator[Edit | Refusal]:
    """Swap two noun phrases of each `positive`, or say why not.

    batch: n rows of `id`, `positive`, `positive_tags`. Yields at most one edit a sentence, since the first thing of it is swapped, in an
    order drawn for the row, from the first phrase to the end of the second; or one refusal, with the reason of the first relation.
    """
    pattern = reading.compiled(protect)
    for row_id, text, sentences in reading.rows(batch):
        sites = [site for sentence in sentences for site in _sites(text, sentence)]
        yield from reading.answered(row_id, text, sites, rng, pattern, num_negatives)


def _sites(text: str, sentence: Sentence) -> Iterator[Site]:
    words = sentence.words
    place = 0
    while place < len(words):
        if words[place].text in _SYMMETRIC and place:
            yield Site(words[place].start, words[place].end, reason="coordinated" if words[place].text == "and" else "symmetric")
        if words[place].text == "in" and place + 1 < len(words) and words[place + 1].text == "front":
            place += 1
            continue
        size = _relation(words, place)
        if size:
            yield _site(text, sentence, place, place + size)
        place += max(1, size)


def _relation(words: Sequence[Word], place: int) -> int:
    """How many words from a place are a relation of the table; 0 where none are."""
    if words[place].text not in _FIRST_WORDS:
        return 0
    for size in range(min(_LONGEST, len(words) - place), 0, -1):
        if " ".join(word.text for word in words[place : place + size]) in _ASYMMETRIC:
            return size
    return 0


def _site(text: str, sentence: Sentence, first: int, after: int) -> Site:
    """What becomes of the relation that stands in words `first` to `after` of a sentence."""
    words = sentence.words
    start, end = words[first].start, words[after - 1].end
    right = reading.phrase_from(words, after)
    left = _subject(words, first)
    if right is None:
        return Site(start, end, reason="abstract")
    if left is None:
        return Site(start, end, reason="attachment")
    if reason := reading.not_asserted(sentence) or _reason(sentence, left, right):
        return Site(start, end, reason=reason)
    return _swapped(text, words, left, right, first)


def _subject(words: Sequence[Word], relation: int) -> tuple[int, int] | None:
    """The noun phrase that begins the sentence, if the relation is its own: between them are a form of `be` and a posture at most."""
    at = relation - 1
    while at >= 0 and (
        words[at].text in grammar.FINITE_BE or words[at].text in _POSTURES or words[at].text in ("that", "which", "directly")
    ):
        at -= 1
    left = reading.phrase_to(words, at)
    if left is None:
        return None
    before = [word.text for word in words[: left[0]]]
    return left if not before or (before[0] == "there" and len(before) == 2 and before[1] in grammar.FINITE_BE) else None


def _reason(sentence: Sentence, left: tuple[int, int], right: tuple[int, int]) -> str:
    """Why two things are not swapped, or nothing."""
    words = sentence.words
    one, two = words[left[1]], words[right[1]]
    bases = [reading.noun(word.text) for word in (one, two)]
    if not reading.is_scene(sentence):
        return "generic"
    if any(word.text in grammar.QUANTIFIERS - {"several", "some"} for word in words[left[0] : right[1] + 1]):
        return "quantified"
    if words[right[0]].tag == "PRP$" or any(word.tag in ("PRP", "PRP$") for word in words[left[0] : right[1]]):
        return "pronoun"
    follows = words[right[1] + 1].text if right[1] + 1 < len(words) else ""
    if follows in ("and", "or", ",", "of", "'s", "-", "/") or "," in {word.text for word in words[left[0] : right[1]]}:
        return "coordinated" if follows != "of" else "measure"
    if follows and words[right[1] + 1].tag in ("NN", "NNS", "NNP", "VB", "VBP", "VBN") and words[right[1] + 1].text not in _POSTURES:
        return "part"
    bare = right[0] == right[1] or words[right[0]].tag not in ("DT", "CD")
    if bare and reading.is_verb(two.text):  # `the goalkeeper in orange grabs the ball`
        return "attachment"
    if not {one.text, *bases[:1]}.isdisjoint(_MEASURES):
        return "measure"
    if not {one.text, two.text, *bases}.isdisjoint(_PLACES):
        return "place"
    if not {one.text, two.text, *bases}.isdisjoint(_WORN):
        return "worn"
    if not {one.text, two.text, *bases}.isdisjoint(_PARTS):
        return "part"
    if any(reading.kind(word.text) not in reading.ANIMATE | {"noun.artifact", "noun.food", "noun.plant"} for word in (one, two)):
        return "abstract"
    if reading.akin(bases[0], bases[1]):
        return "same-noun"
    named = [reading.noun(word.text) for word in words if word.tag in ("NN", "NNS")]
    return "repeated" if named.count(bases[0]) > 1 or named.count(bases[1]) > 1 else ""


def _swapped(text: str, words: Sequence[Word], left: tuple[int, int], right: tuple[int, int], relation: int) -> Site:
    """The phrases in each other's places; the first letter of the sentence is as it was, and the verb agrees with what is now before it."""
    start, end = words[left[0]].start, words[right[1]].end
    first, second = text[start : words[left[1]].end], text[words[right[0]].start : end]
    between = text[words[left[1]].end : words[right[0]].start]
    many = [words[at].tag == "NNS" or _counted(words, phrase) for phrase in (left, right) for at in (phrase[1],)]
    verbs = [word for word in words[left[1] + 1 : relation] if word.text in _AGREE]
    there = left[0] and words[left[0] - 1].text in grammar.FINITE_BE
    if many[0] != many[1] and (verbs or there):
        if there or len(verbs) > 1:
            return Site(start, end, reason="agreement")
        at = verbs[0].start - words[left[1]].end
        between = between[:at] + _AGREE[verbs[0].text] + between[at + len(verbs[0].text) :]
    if left[0] == 0 and first[:1].isupper() and not text.isupper():
        second, first = second[:1].upper() + second[1:], first[:1].lower() + first[1:]
    return Site(start, end, (second + between + first,))


_STANDS = ("sit", "stand", "lie", "lean", "hang", "rest", "sleep")
_AGREE = {
    "is": "are",
    "are": "is",
    "was": "were",
    "were": "was",
    **{one: f"{one}s" for one in _STANDS},
    **{f"{one}s": one for one in _STANDS},
}


def _counted(words: Sequence[Word], phrase: tuple[int, int]) -> bool:
    return words[phrase[0]].text in ("two", "three", "four", "five", "several", "some")
