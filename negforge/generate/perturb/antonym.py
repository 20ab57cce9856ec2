"""Replace one word by its opposite, `a small dog` by `a large dog`, so that both sentences cannot be true.

The opposite is WordNet's direct antonym of the word's first sense, or of most of its tagged uses, in the word's form. A site is refused:
- whose opposites are no contraries in use (`not-contrary`: `other` and `same`), turn on their noun (`sense`: `short`, `old`), are
  two sides of one event (`relational`: `buy` and `sell`), or stand in a fixed phrase (`phrase`: `high school`);
- not asserted of it: `question`, `exclamation`, `conditional`, `reported`, `quoted`, `short`, `negated` (`not good` is no `bad`), `modal`,
  `quantified`, `degree` (`too small`, `fairly large`), `disjunction`;
- no claim of one definite thing: `no-claim` (an imperative, a headline, a piece of a sentence), `indefinite` (`the house has large rooms`
  may have small ones too; `boxes are empty`, `there are`);
- that another mention may make true: `repeated`, `second-antonym`, `mentioned` (`a man` beside `people`), `pronoun` (a text with `his`);
- and `generic`: in a claim only what its main verb says of a definite subject is changed (`the box is empty`, `he loves tea`). A caption
  tells of one scene, and all its words are open; `protected`.
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

_FINITE = ("VBZ", "VBD", "VBP", "MD")
_SEEN = reading.PHYSICAL | {"noun.group", "noun.location", "noun.shape"}
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
    alternate back strange familiar up upper free possible impossible legal illegal regular irregular instrumental esoteric theoretical
    arbitrary annual biennial minimum maximum quantitative qualitative proper dominant primary secondary minor major senior junior
    legitimate potted metallic married interested robust critical uncritical independent dependent limited unlimited
    relative absolute direct normal abnormal typical responsible"""
)
_SEEN_ADJECTIVES = listed(
    """small large big little huge tiny tall short long wide narrow thick thin high low young old new clean dirty empty full happy
    unhappy sad
    open closed hot cold wet dry bright dull dark fat lean heavy rough smooth sharp blunt messy neat tidy untidy busy quiet crowded
    uncrowded male female healthy unhealthy ripe unripe cooked raw uncooked sunny cloudy deep shallow grassy grassless attractive
    unattractive beautiful ugly colorful colorless rural urban wild tame strong weak asleep awake lit unlit calm modern living dead
    elegant inelegant bearded beardless straight curly crooked adult
    public private paved unpaved decorated undecorated furnished unfurnished comfortable uncomfortable energetic lethargic"""
)
_GROUPS = listed("group groups bunch herd flock pair row slice slices piece pieces shot view close image")
_NOUNS = listed(
    """man woman boy girl king queen prince princess father mother son daughter brother sister grandfather grandmother uncle aunt gentleman
    sunrise sunset victory defeat winner loser success failure majority minority advantage disadvantage increase decrease comedy
    tragedy"""
)
_SEXED = listed(
    """man woman boy girl king queen prince princess father mother son daughter brother sister grandfather grandmother uncle aunt gentleman
    lady"""
)
_KIN = listed("prince princess father mother son daughter brother sister grandfather grandmother uncle aunt")
_PRONOUNS = listed("he him his himself she her hers herself")
_ANYONE = listed("people person persons others someone other crowd couple group family another player players child children kid kids")
_RELATIONAL = listed(
    """buy sell lend borrow give take receive send teach learn lead follow precede come go parent child husband wife employer employee
    teacher student buyer seller lender borrower predecessor successor"""
)
_VERBS = listed(
    """love hate like dislike include exclude attract repel accept reject increase decrease agree disagree
    trust distrust approve disapprove strengthen weaken"""
)
_SEEN_VERBS = listed("sit stand pull push laugh cry")  # of a scene, with `-ing`
_ADVERBS = listed("quickly slowly indoors outdoors upward downward properly improperly successfully unsuccessfully")
_DEGREE = listed(
    """too so as more most less least rather somewhat fairly relatively how enough almost nearly half partly partially semi quite pretty
    only even just mostly slightly equally increasingly once over"""
)
_WEAK = grammar.QUANTIFIERS - listed("all every each both always") | listed(
    """some several many few most various variety number range lot lots majority plenty often usually sometimes generally typically
    frequently occasionally rarely normally mostly mainly partly largely"""
)
_WITH = {"agree": "with", "disagree": "with", "approve": "of", "disapprove": "of"}  # else they may be of what was not to be disputed
_DEFINITE = listed("the this that these those his her its their my our he she it they we i")
_JOINED = frozenset("\u00ad\u200b\u2060\u2010\u2011-_/@")
_CLAUSES = listed("who which that whose where when while although though because since if as until unless")
_CONTENTS = listed("full empty")
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
    at, to = word.start - sentence.start, word.end - sentence.start
    if "-" in (before, after) or sentence.text[to : to + 1] in _JOINED or (at and sentence.text[at - 1] in _JOINED):
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
    scene = _is_caption(sentence)
    if not scene and (reason := _claim_reason(words)):
        return reason
    if part == "a":
        return _adjective_reason(sentence, place, found, scene, everywhere)
    if part == "n":
        return _noun_reason(sentence, place, found, scene, everywhere)
    return _verb_reason(sentence, place, found, scene, part)


def _is_caption(sentence: Sentence) -> bool:
    """Whether a sentence tells of one scene that opens with what is seen, and names nothing: `a model of growth` and titles are no such."""
    words = sentence.words
    if not reading.is_scene(sentence) or any(word.tag in ("NNP", "NNPS", ":") or word.text in "();:" for word in words):
        return False
    at = 2 if words[0].text in ("there", "this", "here") and len(words) > 1 and words[1].text in ("is", "are", "'s") else 0
    phrase = reading.phrase_from(words, at)
    head = words[phrase[1]].text if phrase is not None else ""
    if head in _GROUPS or (at == 0 and words[0].text in ("a", "an") and reading.kind(head) == "noun.body"):
        return True
    return head not in _WEAK and reading.kind(head) in _SEEN - {"noun.body"}


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
        if noun and found.base in _CONTENTS and reading.kind(noun) not in reading.THINGS:
            return "sense"
        if found.base not in _SEEN_ADJECTIVES or (noun and reading.kind(noun) not in _SEEN):
            return "generic"
        return "" if head is not None or _predicated(words, place) else "generic"
    if words[place].tag == "JJR" and "than" not in everywhere:
        return "degree"
    if words[place].tag == "JJS":
        return "" if words[place - 1].text == "the" and _predicated(words, place) else "generic"
    if head is not None or (place and words[place - 1].text in ("a", "an")):
        return "indefinite"
    if _tag(words, place + 1) in ("JJ", "VBN", "VBG", "NNP", "CD") or (_tag(words, place + 1) == "TO" and _tag(words, place + 2) == "VB"):
        return "phrase"
    if _tag(words, place + 1) == "IN" and words[place + 1].text == "that":
        return "reported"
    extraposed = words[_subject(words)].text == "it" and any(word.text in ("to", "that", "for", "when", "how") for word in words[place:])
    return "" if not extraposed and _predicated(words, place) else "generic"


def _claim_reason(words: Sequence[Word]) -> str:
    """Why a sentence that is no scene makes no claim of one definite thing, or nothing."""
    if words[0].tag in ("VB", "UH") or words[-1].text == ":" or not any(word.tag in _FINITE for word in words):
        return "no-claim"
    if any(word.text in _WEAK or word.text == "only" for word in words):
        return "quantified"
    first = words[_subject(words)]
    if first.text in _DEFINITE or (first.tag == "NNP" and not _is_kind(words, _subject(words))):
        return ""
    return "no-claim" if first.tag.startswith("VB") else "indefinite"


def _is_kind(words: Sequence[Word], place: int) -> bool:
    """Whether what is tagged as a name at the head of a sentence is of a kind: `Chinchillas`, `Mitochondrial fission`, `Team members`."""
    first = words[place].text
    if (first.endswith("s") and reading.noun(first) not in ("", first)) or lexicon().bases(first, "a"):
        return True
    head = words[place]
    for word in words[place + 1 :]:
        if not word.tag.startswith(("NN", "JJ")):
            break
        head = word
    return head.tag == "NNS"


def _subject(words: Sequence[Word]) -> int:
    """Where the subject begins: at the first word, or after a short phrase and a comma, as in `In 1990, he was happy`."""
    if words[0].tag in ("IN", "RB"):
        for place, word in enumerate(words[:9]):
            if word.text == "," and place + 1 < len(words):
                return place + 1
    return 0


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
    while at >= 0 and (words[at].tag in ("RB", "RBS", "DT", "PRP$") or (words[at].tag == "JJ" and words[place].tag.startswith("NN"))):
        at -= 1
    if at < 1 or words[at].text not in grammar.FINITE_BE:
        return False
    earlier = words[:at]
    return not any(
        word.text in grammar.OPENERS or word.text in _CLAUSES or word.tag in (*_FINITE, "VB", "WDT", "WP", "WRB") or word.text == "there"
        for word in earlier
    )


def _noun_reason(sentence: Sentence, place: int, found: _Opposite, scene: bool, everywhere: Sequence[str]) -> str:
    words = sentence.words
    if found.base in _SEXED and not _PRONOUNS.isdisjoint(everywhere):
        return "pronoun"
    if found.base in _SEXED and not _ANYONE.isdisjoint(everywhere):
        return "mentioned"
    if place + 1 < len(words) and (words[place + 1].tag.startswith("NN") or words[place + 1].text in ("'s", "'")):
        return "modifier"
    if scene:
        return "" if found.base in _SEXED else "generic"
    if found.base in _KIN:
        return "relational"
    return "" if _predicated(words, place) else "generic"


def _verb_reason(sentence: Sentence, place: int, found: _Opposite, scene: bool, part: Part) -> str:
    words = sentence.words
    tag = words[place].tag
    if part == "r":
        return "" if scene or (place and words[place - 1].tag in _FINITE[:3] and _leads(words, place - 1)) else "generic"
    if found.base in _SEEN_VERBS:
        if _tag(words, place + 1) in ("RP", "RB") or (place + 1 < len(words) and words[place + 1].text in ("down", "up", "out")):
            return "phrase"
        return "" if tag == "VBG" and scene and _one_animate_actor(words, place) else "generic"
    if found.base in _WITH and not (place + 1 < len(words) and words[place + 1].text == _WITH[found.base]):
        return "phrase"
    if found.base in ("include", "exclude") and tag != "VBZ":  # `the largest lakes include Baikal` names a few of them
        return "generic"
    return "" if tag in _FINITE[:3] and not scene and _leads(words, place) else "generic"


def _leads(words: Sequence[Word], place: int) -> bool:
    """Whether a verb is that of the main clause, and the first in it, behind its subject."""
    if not place or words[place].text in grammar.AUXILIARIES or words[place - 1].tag not in ("NN", "NNS", "NNP", "NNPS", "PRP", "RB"):
        return False
    return not any(word.text in grammar.OPENERS or word.text in _CLAUSES or word.tag in _FINITE for word in words[_subject(words) : place])


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
