"""A tagged text as rules for edits look at it: words, sentences, noun phrases, what a noun names, and whether one scene is told.

A caption tells of one scene: `a black dog on a couch` is false of a scene with a white one. A claim may be of all dogs, and stay true of
white ones. What may be edited differs, so `is_scene` tells them apart by the verbs.
Source: Carlson, Reference to Kinds in English, 1977 (generic and episodic sentences); Parcalabescu et al., VALSE, 2022.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import polars as pl

from negforge import grammar, tagging
from negforge.contract import Edit, Refusal
from negforge.lexicon import lexicon
from negforge.records import Pairs
from negforge.rng import Rng


def listed(words: str) -> frozenset[str]:
    """The words of a list; an underscore is the space in a phrase."""
    return frozenset(word.replace("_", " ") for word in words.split())


NOTHING = r"(?!)"  # a pattern of the caller that matches nowhere
PEOPLE = frozenset(["noun.person"])
ANIMATE = PEOPLE | {"noun.animal"}
THINGS = frozenset(["noun.artifact", "noun.food", "noun.object", "noun.plant", "noun.substance", "noun.body"])
PHYSICAL = ANIMATE | THINGS
_NUMBERS = listed("one two three four five six seven eight nine ten eleven twelve several some many few")
_PRENOMINAL = ("JJ", "JJR", "JJS", "VBG", "VBN", "NN", "NNS", "CD")
# Verbs of posture, place and bearing: in the present tense they tell of a scene, where others may tell of a habit.
SCENIC = listed(
    """sit sits stand stands stood lie lies lay lays lean leans hang hangs rest rests walk walks ride rides pose poses perch perches hold
    holds wear wears wait waits stare stares look looks watch watches kneel kneels crouch crouches float floats lounge lounges
    surround surrounds gather gathers face faces appear appears stay stays display displays park parks await awaits carry carries"""
)
_OF_KINDS = listed("many most all every each any no few both in on at by for during")  # what begins a claim of many
_FINITE = ("VBZ", "VBD", "VBP", "MD")
_DETERMINERS = listed("a an the this that these those his her its their my our your another each every no both")


_ABSTRACT = listed(
    """noun.cognition noun.communication noun.attribute noun.state noun.relation noun.time noun.feeling noun.process noun.motive noun.act
    noun.event noun.possession noun.phenomenon"""
)
_PLACING = listed("in on at by with near under over of")  # in capitals they are tagged as nouns
_OPENING = ("DT", "JJ", "JJR", "CD", "NN", "NNS", "VBN", "VBG", "EX", "PRP$", "RB", "PDT", "VB", "VBP", "VBD", "VBZ")
# What a caption may open with though it names nothing that is seen.
_VIEWS = listed(
    "view views close closeup close-up shot shots scene scenes row rows line lines pair pairs set piece pieces slice slices display"
)

# Verbs of habits that look like nouns.
_HABITS = listed("feed play eat live like use need make love hunt cause help")
# What names a thing in use, and by WordNet's first sense something else: a `table` of figures, the `kite` of a cheque.
_IN_USE = {
    "noun.person": listed("person people someone man woman men women couple family crowd police"),
    "noun.animal": listed("animal herd flock"),
    "noun.artifact": listed(
        """table sign kite tv television racket racquet board book microwave desktop swing seat case church meter post brush cable platform
    path court light stop dish tie post tower chain package school picture painting photo photograph image model"""
    ),
    "noun.food": listed("food doughnut donut lettuce cream dessert"),
    "noun.object": listed("snow branch wave fire"),
    "noun.plant": listed("forest woods flower"),
}
_KINDS = {word: name for name, words in _IN_USE.items() for word in words}


class Word(NamedTuple):
    """A token of a text: characters start to end, its tag, and itself in small letters with straight apostrophes."""

    start: int
    end: int
    tag: str
    text: str


class Sentence(NamedTuple):
    """A sentence: its words, its text, and where that begins."""

    words: list[Word]
    text: str
    start: int


class Site(NamedTuple):
    """One place of a text with what may be put there, best first, or the reason why it is left alone. value: what condemned it."""

    start: int
    end: int
    news: tuple[str, ...] = ()
    reason: str = ""
    value: str = ""


def rows(batch: Pairs) -> Iterator[tuple[str, str, list[Sentence]]]:
    """The id, text and tagged sentences of each row of a batch that has the column `positive_tags`."""
    column = batch[tagging.COLUMN]
    starts, ends, tags = (column.list.eval(_field(name)).to_list() for name in ("start", "end", "tag"))
    for row_id, text, first, last, tag in zip(batch["id"].to_list(), batch["positive"].to_list(), starts, ends, tags, strict=True):
        if first:
            yield row_id, text, _sentences(text, [*zip(first, last, tag, strict=True)])


def _field(name: str) -> pl.Expr:
    return pl.element().struct.field(name)


def _sentences(text: str, tokens: Sequence[tuple[int, int, str]]) -> list[Sentence]:
    lower = text.lower().replace("\u2019", "'")
    plain = lower if len(lower) == len(text) else ""
    words: list[Word] = []
    for start, end, tag in tokens:
        bare = tag in ("VB", "VBP") and words and words[-1].tag == "JJ"  # `a clean sink`
        opening = tag == "NNPS" and not words and noun(text[start:end])  # `Flowers in a vase`
        sign = not text[start:end][-1:].isalnum() and tag.startswith("NN")  # an emoji
        words.append(
            Word(
                start,
                end,
                "SYM" if sign else "NN" if bare else "NNS" if opening else tag,
                plain[start:end] or text[start:end].lower().replace("\u2019", "'"),
            )
        )
    if len(words) > 1 and words[0].tag == "NNP" and words[1].tag in ("NN", "NNS") and lexicon().bases(words[0].text, "a"):
        words[0] = words[0]._replace(tag="JJ")  # `Black chairs`
    places = tagging.sentences(text)
    if len(places) == 1:
        return [Sentence(words, text, 0)]
    found, at = [], 0
    for start, end in places:
        upto = at
        while upto < len(words) and words[upto].start < end:
            upto += 1
        found.append(Sentence(words[at:upto], text[start:end], start))
        at = upto
    return found


def answered(
    row_id: str, text: str, sites: Sequence[Site], rng: Rng, protect: re.Pattern[str] | None, wanted: int
) -> Iterator[Edit | Refusal]:
    """The edits of a row by turns, the first of every site before the second of any; or the refusal of its first site.

    protect: sites that overlap a match of it are left alone.
    """
    if not sites:
        return
    free = [site for site in sites if site.news and not site.reason]
    if protect is not None and free:
        spans = [match.span() for match in protect.finditer(text)]
        spared = [site for site in free if any(start < site.end and site.start < end for start, end in spans)]
        free = [site for site in free if site not in spared]
        if not free:
            yield Refusal(row_id, "protected", text[spared[0].start : spared[0].end])
            return
    if not free:
        yield Refusal(row_id, sites[0].reason or "no-value", sites[0].value or text[sites[0].start : sites[0].end])
        return
    made = 0
    free = rng.shuffled(row_id, free)
    for turn in range(max(len(site.news) for site in free)):
        for site in free:
            if turn < len(site.news) and made < wanted:
                made += 1
                yield Edit(row_id, site.start, site.end, site.news[turn])


def compiled(protect: str) -> re.Pattern[str] | None:
    """The caller's pattern of what to leave alone, or None where it is none."""
    return None if protect == NOTHING else re.compile(protect)


def not_asserted(sentence: Sentence) -> str:
    """Why a sentence asserts nothing plainly, or nothing: as `grammar.unasserted`, or `negated`, `modal`."""
    if reason := grammar.unasserted(sentence.text):
        return reason
    if grammar.negated(sentence.text):
        return "negated"
    unsure = [word for word in sentence.words if word.text in grammar.MODALS or word.text in grammar.HEDGES]
    first = sentence.words[0]
    months = [word for word in unsure if sentence.text[word.start - sentence.start :].startswith("May") and word is not first]
    return "modal" if len(unsure) > len(months) else ""


def is_scene(sentence: Sentence) -> bool:
    """Whether a sentence tells of one scene, as a caption does: it has no finite verb but of posture, or `is` with a participle.

    `A dog on a couch`, `Two men are riding`, `There is a cup` do; `A dog is an animal`, `Dogs eat bones`, `She rode home` do not. Nor do
    what opens with an abstract thing (`support of three men`), a superlative (`10 best hotels in Paris`), or a bare list of things
    (`modern systems`): they are pieces of prose.
    """
    words = sentence.words
    if not words or words[0].tag in ("NNP", "NNPS", "PRP") or words[0].text in _OF_KINDS or not _is_pictured(words):
        return False
    opening = next((word.tag for word in words if word.tag not in ("JJ", "VBN", "VBG", "NN")), "")
    if opening == "NNS" and any(
        word.tag in _FINITE and word.text not in grammar.FINITE_BE for word in words
    ):  # `evergreen trees look green`
        return False
    counted = words[0].tag == "CD" or words[0].text in _NUMBERS
    for place, word in enumerate(words):
        if counted and word.tag in ("VBP", "VB") and word.text not in grammar.AUXILIARIES:  # `two men play`
            continue
        if word.text in grammar.FINITE_BE or (word.text == "'s" and word.tag == "VBZ"):
            if not _of_scene(words, place):
                return False
        elif word.text not in SCENIC and (
            word.tag in _FINITE
            or (word.tag == "VB" and place and words[place - 1].tag in ("NN", "NNS", "NNP", "NNPS", "RB"))
            or (word.text in _HABITS and place and words[place - 1].tag.startswith("NN"))
            or (word.tag == "VBN" and _is_past(words, place))
            or (word.tag == "NNS" and _is_verb(words, place))
        ):
            return False
    return True


def _is_pictured(words: Sequence[Word]) -> bool:
    """Whether a sentence opens with what can be seen, and says of it where it is, what it does or what is with it."""
    adverb = words[0].tag == "RB" and words[0].text not in _VIEWS and (len(words) < 2 or words[1].tag not in ("JJ", "VBN", "VBG"))
    if adverb or words[0].tag not in _OPENING or any(word.tag in ("JJS", "RBS") or word.text == "than" for word in words):
        return False
    if not words[0].text[:1].isalnum() or words[-1].text == ":":
        return False
    at = 2 if words[0].text in ("there", "this", "here") and len(words) > 1 and words[1].text in ("is", "are", "'s") else 0
    at += len(words) > at and words[at].tag == "RB"
    phrase = phrase_from(words, at)
    nouns = [word.text for word in words[phrase[0] : phrase[1] + 1] if word.tag.startswith("NN")] if phrase is not None else []
    if nouns and nouns[-1] not in _VIEWS and kind(nouns[-1]) in _ABSTRACT and PHYSICAL.isdisjoint(kind(one) for one in nouns):
        return False
    return words[at : at + 1] != [] and (
        at > 0
        or words[0].tag in ("DT", "CD")
        or any(word.tag in ("IN", "VBG", "VBN", "VBZ", "VBP", "RP", "RB") or word.text in _PLACING for word in words)
    )


def _is_past(words: Sequence[Word], place: int) -> bool:
    """Whether what is tagged as a participle is a verb in the past: a noun before it, and no preposition after it."""
    before, after = words[place - 1 : place], words[place + 1 : place + 2]
    if before and (before[0].text in ("that", "which", "who") or (before[0].tag == "RB" and after and after[0].tag in ("DT", "PRP$"))):
        return True
    return (
        bool(before and after)
        and (before[0].tag.startswith("NN") or before[0].text == ",")
        and after[0].tag in ("DT", "JJ", "PRP$", "PRP", "RB", "NN", "NNS", "NNP")
    )


def _of_scene(words: Sequence[Word], place: int) -> bool:
    """Whether a form of `be` in the present stands before a participle or a preposition, or after `there`."""
    if words[place].text in ("was", "were"):
        return False
    if place and words[place - 1].text in ("there", "that", "which", "who"):
        return True
    for word in words[place + 1 : place + 3]:
        if word.tag in ("VBG", "IN") or (word.tag == "VBN" and word.text in LOCATED):
            return True
        if word.tag not in ("RB", "CD", "DT") or word.text in ("a", "an", "the"):
            return False
    return False


def _is_verb(words: Sequence[Word], place: int) -> bool:
    """Whether what is tagged as a plural is the verb of a claim: `a kayak traverses lakes`, `the walrus lives in the sea`."""
    if place == 0 or not is_verb(words[place].text):
        return False
    before, after = words[place - 1], words[place + 1].tag if place + 1 < len(words) else ""
    if before.tag in ("RB", "NNP") or (before.tag == "NN" and after in ("DT", "JJ", "PRP$", "TO", "PRP")):
        return True
    first, _ = phrase_to(words, place) or (place, place)
    return before.tag == "NN" and (words[first].text in ("a", "an") or all(word.tag != "VBG" for word in words))


@functools.lru_cache(maxsize=1 << 15)
def is_verb(word: str) -> bool:
    """Whether a word may be a verb's form in `-s`."""
    return any(word in (base + "s", base + "es", base[:-1] + "ies") for base in lexicon().bases(word, "v"))


# Participles that say where something is.
LOCATED = listed(
    """parked seated placed stacked piled mounted perched hung draped gathered lined set laid located situated displayed arranged tied
    covered filled surrounded topped scattered spread dressed served positioned posed propped tucked huddled sprawled stuck"""
)
POSTURES = LOCATED | listed(
    """sitting standing lying laying leaning hanging resting sleeping perching sits stands lies lays leans hangs rests sleeps perches sit
    stand lie lean hang rest sleep perch walking running jumping crouching kneeling floating flying posing lounging relaxing waiting
    stopped balancing swimming grazing napping climbing crawling hiding landing growing dancing"""
)


@functools.lru_cache(maxsize=1 << 15)
def noun(word: str) -> str:
    """The base form of a noun, or nothing where WordNet has none: `dogs` is `dog`, and `bowls` is `bowl`, though it is a game too."""
    found = lexicon().bases(word, "n")
    return found[-1] if found else ""


@functools.lru_cache(maxsize=1 << 15)
def kind(word: str) -> str:
    """What a noun names by its first sense, such as `noun.animal`, or by its use in captions; nothing where WordNet has none."""
    base = noun(word)
    return _KINDS.get(base) or (lexicon().lexname(lexicon().senses(base, "n")[0].synset) if base else "")


@functools.lru_cache(maxsize=1 << 15)
def is_phrase(one: str, two: str) -> bool:
    """Whether two words beside each other are an entry of the lexicon, as they stand or in their base forms."""
    lex = lexicon()
    return lex.is_phrase(one, two) or lex.is_phrase(one, noun(two) or two)


@functools.lru_cache(maxsize=1 << 15)
def akin(one: str, other: str) -> bool:
    """Whether two nouns, in base form, name by their first senses the same, or one a kind of the other: `dog` and `puppy`."""
    lex = lexicon()
    left, right = lex.senses(one, "n"), lex.senses(other, "n")
    if one == other or not left or not right:
        return one == other
    first, second = left[0].synset, right[0].synset
    return first == second or first in lex.ancestors(second) or second in lex.ancestors(first)


def phrase_from(words: Sequence[Word], place: int) -> tuple[int, int] | None:
    """The noun phrase that begins at a place: first and last word, the last its head; None where none does. Names are none."""
    at = place
    if at < len(words) and (words[at].tag in ("DT", "PRP$", "CD") or words[at].text in _NUMBERS):
        at += 1
    last = -1
    while at < len(words) and words[at].tag in _PRENOMINAL:
        if words[at].tag in ("NN", "NNS"):
            last = at
        elif last >= 0 and words[at].tag != "CD":
            break
        at += 1
    return (place, last) if last >= 0 else None


def phrase_to(words: Sequence[Word], head: int) -> tuple[int, int] | None:
    """The noun phrase that ends at a head: first and last word; None where the head is no noun."""
    if head < 0 or words[head].tag not in ("NN", "NNS"):
        return None
    first = head
    while first and words[first - 1].tag in ("JJ", "JJR", "JJS", "NN", "NNS", "VBN"):
        first -= 1
    if first and (words[first - 1].tag in ("DT", "PRP$", "CD") or words[first - 1].text in _NUMBERS):
        first -= 1
    return first, head


def count(words: Iterable[Word], text: str) -> int:
    """How often a word stands among the words, in this form."""
    return sum(word.text == text for word in words)
