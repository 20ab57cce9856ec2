"""Replace one word by its opposite, `a small dog` by `a large dog`, so that both sentences cannot be true.

The opposite is WordNet's direct antonym of the word's first sense, or of most of its tagged uses, in the word's form. A site is refused:
- whose opposites are no contraries in use (`not-contrary`: `other` and `same`), turn on their noun (`sense`: `short`, `old`), are
  two sides of one event (`relational`: `buy` and `sell`), or stand in a fixed phrase (`phrase`: `high school`);
- not asserted of it: `question`, `exclamation`, `conditional`, `reported`, `quoted`, `short`, `negated` (`not good` is no `bad`), `modal`,
  `quantified`, `degree` (`too small`, `fairly large`), `disjunction`;
- that another mention may make true: `repeated`, `second-antonym`, `mentioned` (`a man` beside `people`), `pronoun` (a text with `his`);
- and `generic`: in a claim only what is said of its subject is changed, for where small dogs bark large ones may bark too. A caption tells
  of one scene, and all its words are open; `protected`.
Source: Kaushik et al., Learning the Difference that Makes a Difference, 2020; GEM-benchmark/NL-Augmenter#222 (no guarantee that the
label flips), makcedward/nlpaug#78, #167 (words without an antonym picked first), #143 (tokens joined anew), #296 (protected words).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Annotated, NamedTuple

from pydantic import Field

from negforge import grammar, reading
from negforge.contract import Declares, Edit, Refusal
from negforge.lexicon import Part, lexicon
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
    bar=0.97,
)

_PARTS: dict[str, Part] = {"JJ": "a", "NN": "n", "VB": "v", "RB": "r"}


# Opposites that WordNet lacks, or has another word for than is in use.
_OWN: dict[tuple[str, str], str] = {
    **{("a", one): other for one, other in (("male", "female"), ("female", "male"), ("open", "closed"), ("closed", "open"))},
    **{("a", one): other for one, other in (("busy", "quiet"), ("ripe", "unripe"), ("dead", "living"), ("modern", "old-fashioned"))},
    **{("v", one): other for one, other in (("sit", "stand"), ("stand", "sit"))},
    ("n", "lady"): "gentleman",
}
# Antonyms that may both be true, or that the word in use is none of.
_NOT_CONTRARY = listed(
    """black white other same different many few past future ready unready multiple single whole colored clear first last most least more
    less much individual common net odd even overhead simple general specific due local standard natural current concrete separate
    native liquid sweet sour nuclear conventional organic former latter late cool loose compact tight right left covered bare light
    fresh actual potential proud humble ill well able unable likely unlikely similar dissimilar such certain own main real human
    close near far fit serious top bottom front rear clean-cut sure unsure interested faithful political national interior exterior
    special available potted little double next previous early gross fair commercial residential civil technical formal traditional
    spirited numerous residual positive negative finished unfinished live recent ordinary usual unusual wireless personal portable
    alternate back strange familiar"""
)
_NOUNS = listed(
    """man woman boy girl king queen prince princess father mother son daughter brother sister grandfather grandmother uncle aunt gentleman
    sunrise sunset victory defeat winner loser success failure majority minority advantage disadvantage increase decrease comedy
    tragedy"""
)
_SEXED = listed(
    """man woman boy girl king queen prince princess father mother son daughter brother sister grandfather grandmother uncle aunt gentleman
    lady"""
)
_PRONOUNS = listed("he him his himself she her hers herself")
_ANYONE = listed("people person persons others someone other crowd couple group family another player players child children kid kids")
_RELATIONAL = listed(
    """buy sell lend borrow give take receive send teach learn lead follow precede come go parent child husband wife employer employee
    teacher student buyer seller lender borrower predecessor successor"""
)
_VERBS = listed(
    """love hate like dislike include exclude attract repel accept reject increase decrease begin end open close rise fall agree disagree
    trust distrust approve disapprove strengthen weaken"""
)
_SEEN_VERBS = listed("sit stand pull push laugh cry")  # of a scene, with `-ing`
_ADVERBS = listed("quickly slowly indoors outdoors upward downward properly improperly successfully unsuccessfully")
_DEGREE = listed(
    """too so as more most less least rather somewhat fairly relatively how enough almost nearly half partly partially semi quite pretty
    only even just mostly slightly equally increasingly once over"""
)
_WEAK = grammar.QUANTIFIERS - listed("all every each both always")
_HAIR = listed("hair sleeve sleeves tail legs leg neck skirt shorts pants grass fur beard line lines trip walk trail")
_SCALES = (listed("big large huge small little tiny short tall long"), listed("old young new"))
_COLOURS = listed(
    "black white red green blue yellow orange pink purple brown gray grey tan beige gold silver golden blonde blond haired hair skinned"
)


class _Opposite(NamedTuple):
    """The opposite of a word in its base form, or the reason why it has none that will do."""

    base: str
    new: str = ""
    reason: str = ""


def generate(
    batch: Pairs,
    rng: Rng,
    *,
    protect: Annotated[str, Field(description="Leave words alone that overlap a match of this regular expression.")] = reading.NOTHING,
    num_negatives: int = 1,
) -> Iterator[Edit | Refusal]:
    """Edit each `positive` at one word that has an opposite, or say why not.

    batch: n rows of `id`, `positive`, `positive_tags`. Yields up to `num_negatives` edits of a row, each at another word, in an order drawn
    for the row, with the article before the word where that changes; or one refusal, with the reason of the first word.
    """
    pattern = reading.compiled(protect)
    for row_id, text, sentences in reading.rows(batch):
        sites = [site for sentence in sentences for site in _sites(text, sentence, sentences)]
        yield from reading.answered(row_id, text, sites, rng, pattern, num_negatives)


def _sites(text: str, sentence: Sentence, sentences: Sequence[Sentence]) -> Iterator[Site]:
    words = sentence.words
    sentence_reason: str | None = None
    for place, word in enumerate(words):
        part = _PARTS.get(word.tag[:2])
        if part is None or word.tag.startswith("NNP") or (found := _opposite(word.text, part)) is None:
            continue
        if sentence_reason is None:
            sentence_reason = reading.not_asserted(sentence)
        reason = found.reason or sentence_reason or _reason(sentence, place, found, part, sentences)
        new = "" if reason else _inflected(words, place, found, part)
        if reason or not new:
            yield Site(word.start, word.end, reason=reason or "no-form")
        else:
            start, put = with_article(text, word.start, recased(new, text[word.start : word.end]))
            yield Site(start, word.end, (put,))


@functools.lru_cache(maxsize=1 << 15)
def _opposite(word: str, part: Part) -> _Opposite | None:
    """What stands for a word's opposite, with a reason where it will not do; None where WordNet has none."""
    lex = lexicon()
    bases = lex.bases(word, part)
    if not bases:
        return None
    base = bases[-1] if part == "a" and word.endswith(("er", "est")) else bases[0]  # `larger` is an entry of its own
    if (part, base) in _OWN:
        return _Opposite(base, _OWN[part, base])
    new = _of_senses(base, part)
    if not new:
        return None
    if base in _RELATIONAL or word in _RELATIONAL:
        return _Opposite(base, new, "relational")
    open_ = {"n": _NOUNS, "v": _VERBS | _SEEN_VERBS, "r": _ADVERBS}.get(part)
    if base in _NOT_CONTRARY or new in _NOT_CONTRARY or (open_ is not None and base not in open_) or not new.isalpha():
        return _Opposite(base, new, "not-contrary")
    return _Opposite(base, new)


def _of_senses(base: str, part: Part) -> str:
    lex = lexicon()
    senses = lex.senses(base, part)
    if first := [one.word for one in lex.opposites(senses[0])] if senses else []:
        return first[0]
    uses: dict[str, int] = {}
    for sense in senses:
        for one in lex.opposites(sense):
            uses[one.word] = uses.get(one.word, 0) + sense.uses
    total = sum(sense.uses for sense in senses)
    return next((word for word, used in sorted(uses.items()) if 2 * used > total), "")


def _reason(sentence: Sentence, place: int, found: _Opposite, part: Part, sentences: Sequence[Sentence]) -> str:
    """Why a word is left alone, or nothing."""
    words = sentence.words
    word = words[place]
    before = words[place - 1].text if place else ""
    after = words[place + 1].text if place + 1 < len(words) else ""
    if before in _DEGREE or after == "enough":
        return "degree"
    person = found.base in ("young", "old") and reading.noun(after) in _SEXED  # `young man` is an entry, but means what it says
    if (before and reading.is_phrase(before, word.text)) or (after and not person and reading.is_phrase(word.text, after)):
        return "phrase"
    if "-" in (before, after):
        return "phrase"
    if "or" in (before, after) or (after in (",", "/") and place + 2 < len(words) and words[place + 2].text == "or"):
        return "disjunction"
    if place and sentence.text[word.start - sentence.start].isupper() and not sentence.text.isupper():
        return "name"
    everywhere = [one.text for other in sentences for one in other.words]
    if everywhere.count(word.text) > 1 or (found.base != word.text and found.base in everywhere):
        return "repeated"
    if found.new in everywhere or inflected(found.new, word.tag) in everywhere or _has_opposite(everywhere, found):
        return "second-antonym"
    scene = reading.is_scene(sentence)
    if part == "a":
        return _adjective_reason(sentence, place, found, scene, everywhere)
    if part == "n":
        return _noun_reason(sentence, place, found, scene, everywhere)
    return _verb_reason(sentence, place, found, scene, part)


def _has_opposite(everywhere: Sequence[str], found: _Opposite) -> bool:
    """Whether another word of the text has the same opposite, or is one: `big` beside `small` or `large`."""
    near = listed("big large huge small little tiny short tall long old young new")
    return (found.base in near or found.new in near) and any(
        one in near
        and one != found.base
        and {one, found.base} not in ({"old", "small"}, {"young", "small"})
        and _same_scale(one, found.base)
        for one in everywhere
    )


def _same_scale(one: str, other: str) -> bool:
    scales = (listed("big large huge small little tiny short tall long"), listed("old young new"))
    return any(one in scale and other in scale for scale in scales)


def _adjective_reason(sentence: Sentence, place: int, found: _Opposite, scene: bool, everywhere: Sequence[str]) -> str:
    words = sentence.words
    head = _head_after(words, place)
    noun = words[head].text if head is not None else ""
    if found.base == "open" and noun and reading.kind(noun) != "noun.artifact":
        return "sense"
    if found.base in ("old", "short", "long", "dark", "young", "new", "high", "low") and not _fits(found, noun):
        return "sense"
    if scene:
        if head is not None and words[head].tag.startswith("NNP"):
            return "name"
        if noun and everywhere.count(noun) > 1:
            return "repeated"
        return "" if head is not None or _predicated(words, place) else "generic"
    if any(word.text in _WEAK for word in words):
        return "quantified"
    if words[place].tag == "JJR" and "than" not in everywhere:
        return "degree"
    return "" if _predicated(words, place) else "generic"


def _fits(found: _Opposite, noun: str) -> bool:
    """Whether the opposite is that of the sense which the noun calls for."""
    kind = reading.kind(noun) if noun else ""
    if found.base in ("old", "young"):
        return kind in reading.ANIMATE if found.base == "young" or found.new == "young" else False
    if found.base in ("short", "long"):
        return noun in _HAIR or (found.base == "long" and kind in ("noun.artifact", "noun.object", "noun.animal"))
    if found.base == "dark":
        return noun in _COLOURS or any(noun.startswith(colour) for colour in ("hair",)) or noun in ("room", "sky", "wood", "background")
    if found.base == "new":
        return kind in ("noun.artifact", "")
    return kind in ("noun.artifact", "noun.object", "noun.quantity", "noun.attribute", "")


def _head_after(words: Sequence[Word], place: int) -> int | None:
    """The head noun of the phrase that an adjective stands in, or None where it stands alone."""
    head = None
    for at in range(place + 1, len(words)):
        tag = words[at].tag
        if tag.startswith("NN"):
            head = at
        elif head is not None or not (tag in ("JJ", "VBG", "VBN") or (words[at].text in ("and", ",") and _tag(words, at + 1) == "JJ")):
            break
    return head


def _tag(words: Sequence[Word], place: int) -> str:
    return words[place].tag if place < len(words) else ""


def _predicated(words: Sequence[Word], place: int) -> bool:
    """Whether an adjective is said of the subject of the main clause: only a determiner and other adjectives are between `is` and it."""
    at = place - 1
    while at >= 0 and (
        words[at].tag in ("JJ", "JJS", "RB", "RBS", "DT", "PRP$", "VBN") or words[at].text in ("one", "of", "the", ",", "and")
    ):
        at -= 1
    if at < 1 or words[at].text not in grammar.FINITE_BE:
        return False
    earlier = words[:at]
    return not any(word.text in grammar.OPENERS or word.tag in ("VBZ", "VBD", "VBP", "MD") or word.text == "there" for word in earlier)


def _noun_reason(sentence: Sentence, place: int, found: _Opposite, scene: bool, everywhere: Sequence[str]) -> str:
    words = sentence.words
    if found.base in _SEXED and not _PRONOUNS.isdisjoint(everywhere):
        return "pronoun"
    if found.base in _SEXED and not _ANYONE.isdisjoint(everywhere):
        return "mentioned"
    if place + 1 < len(words) and (words[place + 1].tag.startswith("NN") or words[place + 1].text in ("'s", "'")):
        return "modifier"
    if scene:
        return ""
    if any(word.text in _WEAK for word in words):
        return "quantified"
    return "" if _predicated(words, place) else "generic"


def _verb_reason(sentence: Sentence, place: int, found: _Opposite, scene: bool, part: Part) -> str:
    words = sentence.words
    tag = words[place].tag
    if part == "r":
        return "" if scene or not any(word.text in _WEAK for word in words) else "quantified"
    if found.base in _SEEN_VERBS:
        if _tag(words, place + 1) in ("RP", "RB") or (place + 1 < len(words) and words[place + 1].text in ("down", "up", "out")):
            return "phrase"
        return "" if tag == "VBG" and scene and _one_animate_actor(words, place) else "generic"
    if tag not in ("VBZ", "VBD", "VBP") or scene:
        return "generic"
    if any(word.text in _WEAK for word in words):
        return "quantified"
    if found.base in ("begin", "end") and words[place + 1 : place + 2] and words[place + 1].tag != "IN":
        return "generic"
    before = words[place - 1] if place else None
    if before is None or before.tag not in ("NN", "NNS", "NNP", "NNPS", "PRP", "RB"):
        return "generic"
    return "generic" if any(word.text in grammar.OPENERS or word.tag in ("VBZ", "VBD", "VBP", "MD") for word in words[:place]) else ""


def _one_animate_actor(words: Sequence[Word], place: int) -> bool:
    """Whether a person or an animal stands before the verb, of a kind of which no other is told."""
    at = place - 1
    while at >= 0 and (words[at].text in grammar.FINITE_BE or words[at].tag == "RB"):
        at -= 1
    return at >= 0 and words[at].tag in ("NN", "NNS") and reading.kind(words[at].text) in reading.ANIMATE and _alone(words, at)


def _alone(words: Sequence[Word], at: int) -> bool:
    return sum(reading.noun(word.text) == reading.noun(words[at].text) for word in words if word.tag in ("NN", "NNS")) == 1


def _inflected(words: Sequence[Word], place: int, found: _Opposite, part: Part) -> str:
    """The opposite in the word's form; nothing where it has none."""
    tag = words[place].tag
    if found.new == "living" and _head_after(words, place) is None:
        return "alive"
    if tag in ("JJR", "JJS") and len(found.new) > 6:
        return ""
    return inflected(found.new, tag) or "" if part != "r" else found.new
