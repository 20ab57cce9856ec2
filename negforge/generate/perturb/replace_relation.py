"""Replace a preposition of place by its opposite, `a dog on a couch` by `a dog under a couch`, so that both cannot be true.

Only prepositions with an opposite are touched, between things that have a place: `symmetric` ones (`next to`, `near`, `with`) are not.
A site is refused where its words are of time, abstract or in a fixed phrase (`abstract`, `idiom`: `on the phone`), where it belongs to a
verb (`particle`: `puts on`), where both sides are of one kind (`same-noun`: of two stacked plates either is under a plate), where the
opposite stands in the text as well (`second-relation`), and where nothing is asserted of one place: `question`, `exclamation`,
`conditional`, `reported`, `quoted`, `short`, `negated`, `modal`, `generic` (birds sit on trees and under them); `protected`.
Source: Parcalabescu et al., VALSE, 2022 (relations); RAIVNLab/sugar-crepe#6 (a relation that was wrong in the source).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, NamedTuple

from pydantic import Field

from negforge import grammar, reading
from negforge.contract import Declares, Edit, Refusal
from negforge.reading import Sentence, Site, Word, listed
from negforge.records import Pairs
from negforge.rng import Rng
from negforge.words import recased

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
    candidates=(
        r"(?i)\b(on|onto|over|under|underneath|beneath|above|below|atop|in|into|inside|outside|behind|up|down|front of|left of|right of"
        r"|(?:north|south|east|west) of|next to|near|beside|between|with)\b"
    ),
    bar=0.97,
)

_PLACES = listed(
    """on under above below over beneath underneath atop on_top_of inside outside in_front_of behind into onto up down inside_of outside_of
    to_the_left_of to_the_right_of to_the_north_of to_the_south_of to_the_east_of to_the_west_of north_of south_of east_of west_of
    left_of right_of"""
)
_TABLE = {relation: opposite for relation, opposite in grammar.OPPOSITE_PREPOSITIONS.items() if relation in _PLACES}
_TABLE |= {
    f"to the {one} of": f"to the {other} of" for one, other in (("north", "south"), ("south", "north"), ("east", "west"), ("west", "east"))
}
_TABLE["in"] = "outside"  # of a container alone
_DIRECTIONS = frozenset(f"{to}{one} of" for one in ("north", "south", "east", "west") for to in ("", "to the "))
_LONGEST = 4  # words of a relation
_FIRST_WORDS = frozenset(relation.split()[0] for relation in _TABLE)
_SYMMETRIC = listed("next near beside between with alongside among adjacent opposite")
_CONTAINERS = listed(
    """bowl box cup mug vase basket bag pot pan jar bottle glass cage crate bucket suitcase backpack purse car truck bus van taxi kitchen
    bathroom bedroom room house building garage barn stable closet cabinet drawer refrigerator fridge oven microwave sink tub
    bathtub toilet pool trailer tent store shop restaurant church library museum office gym stadium cart bin can carrier case
    container dish tray wagon"""
)
_SLOPES = listed(
    "hill hillside slope mountain mountainside stair stairs staircase stairway steps ramp ladder escalator rope tree pole cliff"
)
# What is named after a preposition in a phrase that is of no place.
_IDIOMS = listed(
    """phone telephone cellphone tv television screen monitor computer laptop internet web line sale display fire way side left right top
    bottom end edge corner back middle center centre vacation trip team market set duty camera film leash stage board menu list page
    foot feet knee knees leg legs hand hands air radio show map picture photo photograph image video background foreground distance
    row rows cover control construction pressure part half front rear date time day night morning piece pieces bite slice head face
    tour hold sun weather light shade rain arms arm shoulder shoulders toe toes stomach belly tail eye eyes mouth hip hips lap ear
    ears tiptoe"""
)
_MOTIONS = listed(
    """walking running jumping diving climbing going coming driving riding skiing sliding snowboarding skateboarding flying hopping
    stepping sledding skating heading rolling crawling falling moving leaping walks runs jumps climbs goes rides skis slides flies
    steps looking peering reaching pouring putting placing throwing traveling travelling"""
)
_TO_OR_FROM = listed("into onto up down")
_BENDS = listed("leaning bending looking bent leans looks bends turned turning falling hunched")


class _Relation(NamedTuple):
    """Words first to last of a sentence, as they stand in the table."""

    first: int
    last: int
    text: str


def generate(
    batch: Pairs,
    rng: Rng,
    *,
    protect: Annotated[str, Field(description="Leave words alone that overlap a match of this regular expression.")] = reading.NOTHING,
    num_negatives: int = 1,
) -> Iterator[Edit | Refusal]:
    """Edit each `positive` at one preposition of place, or say why not.

    batch: n rows of `id`, `positive`, `positive_tags`. Yields up to `num_negatives` edits of a row, each at another preposition, in an
    order drawn for the row; or one refusal, with the reason of the first preposition.
    """
    pattern = reading.compiled(protect)
    for row_id, text, sentences in reading.rows(batch):
        sites = [site for sentence in sentences for site in _sites(text, sentence)]
        yield from reading.answered(row_id, text, sites, rng, pattern, num_negatives)


def _sites(text: str, sentence: Sentence) -> Iterator[Site]:
    words = sentence.words
    sentence_reason: str | None = None
    for relation in _relations(words):
        start, end = words[relation.first].start, words[relation.last].end
        if sentence_reason is None:
            sentence_reason = reading.not_asserted(sentence)
        if reason := sentence_reason or _reason(sentence, relation):
            yield Site(start, end, reason=reason)
        else:
            yield Site(start, end, (recased(_TABLE[relation.text], text[start:end]),))


def _relations(words: Sequence[Word]) -> Iterator[_Relation]:
    place = 0
    while place < len(words):
        word = words[place].text
        if word in _SYMMETRIC:
            yield _Relation(place, place, word)
        elif word in _FIRST_WORDS:
            for size in range(min(_LONGEST, len(words) - place), 0, -1):
                text = " ".join(one.text for one in words[place : place + size])
                if text in _TABLE:
                    yield _Relation(place, place + size - 1, text)
                    place += size - 1
                    break
        place += 1


def _reason(sentence: Sentence, relation: _Relation) -> str:
    """Why a relation is left alone, or nothing."""
    words, (first, last, text) = sentence.words, relation
    if text not in _TABLE:
        return "symmetric"
    if f" {_TABLE[text]} " in f" {' '.join(word.text for word in words)} ":
        return "second-relation"
    if text in _DIRECTIONS:
        return _direction_reason(words, first, last)
    after = reading.phrase_from(words, last + 1)
    if after is None:
        return "abstract"
    thing = words[after[1]].text
    if reading.kind(thing) not in reading.PHYSICAL and thing not in _CONTAINERS | _SLOPES:
        return "abstract"
    following = words[after[1] + 1].text if after[1] + 1 < len(words) else ""
    if thing in _IDIOMS or reading.noun(thing) in _IDIOMS or following in ("'s", "-") or reading.is_phrase(words[last].text, thing):
        return "idiom"
    base = reading.noun(thing)
    if (text == "in" and base not in _CONTAINERS) or (text in ("up", "down") and not {thing, base} & _SLOPES):
        return "abstract"
    return _left_reason(sentence, first, text, base)


def _left_reason(sentence: Sentence, first: int, relation: str, thing: str) -> str:
    """Why what stands before a preposition does not let it be changed, or nothing."""
    words = sentence.words
    at = first - 1
    while at >= 0 and words[at].text in ("directly", "right", "just", "located", "up", "out", "down"):
        at -= 1
    if at < 0:
        return "fronted"
    before = words[at]
    if words[first - 1].text in ("up", "out", "down") and before.text not in reading.POSTURES and before.text not in _MOTIONS:
        return "particle"
    if before.text in reading.POSTURES or before.text in _MOTIONS:
        if relation == "over" and before.text in _BENDS:
            return "particle"
        if relation in _TO_OR_FROM and before.text not in _MOTIONS:
            return "particle"
        if before.text in _MOTIONS and relation in ("on", "in", "over") and before.text in _BENDS:
            return "particle"
    elif before.text in grammar.FINITE_BE:
        pass
    elif before.tag in ("NN", "NNS"):
        if relation in _TO_OR_FROM:
            return "particle"
        if reading.kind(before.text) not in reading.PHYSICAL or reading.is_phrase(before.text, words[first].text):
            return "abstract"
        if reading.noun(before.text) == thing:
            return "same-noun"
    else:
        return "particle" if before.tag.startswith("VB") else "abstract"
    if any(reading.noun(word.text) == thing for word in words[:first] if word.tag in ("NN", "NNS")):
        return "same-noun"
    return "" if reading.is_scene(sentence) or _located(words, at) else "generic"


def _located(words: Sequence[Word], at: int) -> bool:
    """Whether a form of `be` before the preposition is the first verb of a sentence about one thing."""
    if words[at].text in reading.LOCATED and at:
        at -= 1
    if words[at].text not in ("is", "was") or any(
        word.text in grammar.OPENERS or word.tag in ("VBZ", "VBD", "VBP", "MD") for word in words[:at]
    ):
        return False
    return words[0].tag.startswith("NNP") or words[0].text in ("the", "this", "that", "my", "our", "his", "her", "their")


def _direction_reason(words: Sequence[Word], first: int, last: int) -> str:
    """Of `north of` and its like, which stand between names as well."""
    after = words[last + 1 : last + 3]
    if not any(word.tag.startswith("NN") for word in after):
        return "abstract"
    before = words[first - 1] if first else None
    while before is not None and first and (before.tag == "RB" or before.tag in ("CD", "NNS") or before.text in reading.LOCATED):
        first -= 1
        before = words[first - 1] if first else None
    placed = before is not None and (before.text in grammar.FINITE_BE or before.text in ("lies", "sits", "stands"))
    return "" if placed and not any(word.text in grammar.OPENERS for word in words[: max(0, first - 1)]) else "abstract"
