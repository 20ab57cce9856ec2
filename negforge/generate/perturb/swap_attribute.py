"""Swap the attributes of two things, `a black cat and a white dog` into `a white cat and a black dog`, so that both cannot be true.

Two adjectives of one class (colour, size, age, material, pattern, length) before different nouns change places, in one edit that spans
both. A site is refused whose two attributes or nouns are the same or of one sense (`same-attribute`, `same-noun`), one of whose nouns has
two attributes of the class (`composed`: `black and white`, `light blue`), whose adjective is part of a name or a phrase (`name`, `phrase`),
whose adjective stands a third time (`repeated`), or where nothing is asserted of one scene: `generic`, `question`, `exclamation`,
`conditional`, `reported`, `quoted`, `short`, `negated`, `modal`; `one-attribute` where only one thing has an attribute, `protected`.
Source: Yuksekgonul et al., When and Why Vision-Language Models Behave like Bags-of-Words, 2023; Hu et al., DeGLA, 2025 (adjective swap);
mertyg/vision-language-models-are-bows#13, #3 (no code that makes such negatives).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Annotated, NamedTuple

from pydantic import Field

from negforge import reading
from negforge.contract import Declares, Edit, Refusal
from negforge.reading import Sentence, Site, Word, listed
from negforge.records import Pairs
from negforge.rng import Rng
from negforge.words import recased, with_article

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

# Attributes of a class, in groups that may hold of one thing at once: of these no two are swapped.
_CLASSES = {
    "colour": """
        red,maroon,crimson/blue,navy,turquoise,teal/green,lime/yellow/orange/pink/purple,violet,lavender/brown,tan,beige/black/white
        /gray,grey,silver/golden,gold""",
    "size": "small,little,tiny,miniature/large,big,huge,giant,enormous,massive",
    "age": "young/old,elderly,aged",
    "material": """
        wooden/metal,steel,iron,metallic/plastic/glass/leather/brick/stone,concrete/paper,cardboard/woolen/marble/straw/rubber""",
    "pattern": "striped/plaid,checkered/spotted,polka-dot/floral,flowered",
    "length": "long/short",
    "wetness": "wet/dry",
    "cleanness": "clean/dirty",
    "fill": "empty/full",
    "opening": "open/closed",
}
_GROUP = {
    word.strip(): f"{name} {place}"
    for name, groups in _CLASSES.items()
    for place, group in enumerate(groups.split("/"))
    for word in group.split(",")
}
_CLASS = {word: group.split()[0] for word, group in _GROUP.items()}
_SHADES = listed("light dark pale bright deep hot off")
_FREE = ("JJ", "JJR", "JJS", "VBN", "VBG")
_MOST = 6  # attributes of a sentence that are looked at


class _Attribute(NamedTuple):
    """An adjective and the head noun that it is said of, as places in the sentence."""

    place: int
    head: int
    word: str


def generate(
    batch: Pairs,
    rng: Rng,
    *,
    protect: Annotated[str, Field(description="Leave pairs alone that overlap a match of this regular expression.")] = reading.NOTHING,
    num_negatives: int = 1,
) -> Iterator[Edit | Refusal]:
    """Swap two attributes of each `positive`, or say why not.

    batch: n rows of `id`, `positive`, `positive_tags`. Yields up to `num_negatives` edits of a row, each of another pair, in an order drawn
    for the row; an edit spans from the first of the two adjectives, or its article, to the second. Or one refusal, with the reason of the
    first pair.
    """
    pattern = reading.compiled(protect)
    for row_id, text, sentences in reading.rows(batch):
        sites = [site for sentence in sentences for site in _sites(text, sentence)]
        yield from reading.answered(row_id, text, sites, rng, pattern, num_negatives)


def _sites(text: str, sentence: Sentence) -> Iterator[Site]:
    words = sentence.words
    places = [place for place, word in enumerate(words) if word.text in _CLASS][:_MOST]
    if not places:
        return
    found = [one for one in (_attribute(words, place) for place in places) if one is not None]
    pairs = [(one, two) for one, two in combinations(found, 2) if _CLASS[one.word] == _CLASS[two.word]]
    if not pairs:
        yield Site(words[places[0]].start, words[places[0]].end, reason="one-attribute")
        return
    sentence_reason = reading.not_asserted(sentence) or ("" if reading.is_scene(sentence) else "generic")
    for one, two in pairs:
        start, end = words[one.place].start, words[two.place].end
        if reason := sentence_reason or _reason(text, words, one, two):
            yield Site(start, end, reason=reason)
        else:
            yield _swapped(text, words[one.place], words[two.place])


def _attribute(words: Sequence[Word], place: int) -> _Attribute | None:
    """The attribute at a place, or None where no noun follows it."""
    at = place + 1
    while at < len(words) and words[at].tag in _FREE:
        at += 1
    head = -1
    while at < len(words) and words[at].tag in ("NN", "NNS"):
        head = at
        at += 1
    return _Attribute(place, head, words[place].text) if head >= 0 else None


def _reason(text: str, words: Sequence[Word], one: _Attribute, two: _Attribute) -> str:
    """Why two attributes are not swapped, or nothing."""
    if _GROUP[one.word] == _GROUP[two.word]:
        return "same-attribute"
    for each in (one, two):
        if any(_CLASS.get(word.text) == _CLASS[each.word] for word in words[each.place + 1 : each.head]) or _joined(words, each.place):
            return "composed"
        following = words[each.place + 1].text
        if reading.is_phrase(each.word, following) and not (_CLASS[each.word] == "age" and reading.kind(following) in reading.PEOPLE):
            return "phrase"
        after = words[each.head + 1].tag if each.head + 1 < len(words) else ""
        if after.startswith("NNP") or (each.place and text[words[each.place].start].isupper() and not text.isupper()):
            return "name"
        if reading.count(words, each.word) > 1:
            return "repeated"
    left, right = (reading.noun(words[each.head].text) or words[each.head].text for each in (one, two))
    if reading.akin(left, right):
        return "same-noun"
    others = [reading.noun(word.text) for word in words if word.tag in ("NN", "NNS")]
    return "repeated" if others.count(left) > 1 or others.count(right) > 1 else ""


def _joined(words: Sequence[Word], place: int) -> bool:
    """Whether an adjective is joined to another of its class, or to a word that says which shade."""
    before = words[place - 1].text if place else ""
    if before in _SHADES or before in ("very", "-"):
        return True
    near = [word.text for word in words[max(0, place - 2) : place + 3] if word.text != words[place].text]
    joined = any(one in ("and", ",", "-", "or", "&", "/") for one in (before, words[place + 1].text))
    return joined and any(_CLASS.get(one) == _CLASS[words[place].text] for one in near)


def _swapped(text: str, one: Word, two: Word) -> Site:
    """The two adjectives in each other's places, letter case and articles."""
    first, last = text[one.start : one.end], text[two.start : two.end]
    start, left = with_article(text, one.start, recased(last.lower(), first))
    middle, right = with_article(text, two.start, recased(first.lower(), last))
    return Site(start, two.end, (left + text[one.end : middle] + right,))
