"""The words of a sentence, its main clause's finite verb and what kind of subject stands before it, by tags alone: no parse.

English only, and cautious: a sentence in which another word might be the main verb, or might not belong to the main clause, has none,
and a reason. `The house that Jack built is old` has one, `The film directed by Ann was long` has `was`, `A man dressed in black` has none.
Source: label-safety of negation: on 4,000 sentences the first auxiliary is not the main clause's in 22 %.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from negforge.grammar import AUXILIARIES, MODALS, OPENERS, QUANTIFIERS, lowered
from negforge.tagging import Token, sentences


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


Kind = Literal["be", "have", "do", "modal", "verb"]
Subject = Literal["named", "pronoun", "definite", "indefinite", "plural", "mass", "there", "quantified", "joined"]

BE = frozenset(["am", "is", "are", "was", "were", "'m", "'re"])
HAVE = frozenset(["have", "has", "had", "'ve"])
DO = frozenset(["do", "does", "did"])
_MODALS = (MODALS - {"need", "dare", "ought"}) | {"ca", "wo", "sha", "'ll", "'d", "cannot"}
_NOMINATIVE = frozenset(["i", "you", "he", "she", "it", "we", "they"])
_DEFINITE = _words("the this that these those my your his her its our their")
_NOUNS = frozenset(("NN", "NNS", "NNP", "NNPS", "CD", "FW"))
_VERBS = frozenset(("VBD", "VBN", "VBZ", "VBP"))
_ADVERBS = frozenset(("RB", "RBR", "RBS"))
_BREAKS = frozenset((",", ";", ":", "\u2014", "\u2013", "(", ")", "-"))
_PAUSES = frozenset((",", "(", ")"))
# Openers that are no such thing between a subject and its verb, or that begin one.
_PLAIN = frozenset(("as", "than", "once", "so", "that"))
OPENING = OPENERS - _PLAIN  # what begins a clause of its own, wherever it stands
# A form in -ed after one of these is no finite verb: `a woman called Ann`.
_NAMING = _words("called named titled entitled known dubbed nicknamed based said born made used")
# `A number of dogs are`: how many is left open, or counted.
COUNTING = _words(
    "lot lots number couple few pair bunch variety majority minority percentage range dozen handful little third total series"
)


# Of an abstract: `RESULTS The dogs were asleep.`
HEADINGS = _words(
    """BACKGROUND METHODS METHOD RESULTS RESULT CONCLUSION CONCLUSIONS OBJECTIVE OBJECTIVES AIM AIMS PURPOSE INTRODUCTION DESIGN
    SETTING CONTEXT MEASURES FINDINGS INTERPRETATION PARTICIPANTS PATIENTS INTERVENTIONS OUTCOMES"""
)
_SHARES = ("third", "thirds", "quarter", "quarters", "fifth", "fifths", "tenth", "tenths", "half")


_ADJECTIVE = re.compile("(?:al|ic|ive|ous|ary|ory|able|ed|ing)$")


class Word(NamedTuple):
    """A token of a text: characters start to end, what it is, in lower case too, and its part of speech."""

    start: int
    end: int
    text: str
    lower: str
    tag: str


class Clause(NamedTuple):
    """The main clause of a sentence. verb: the place of its finite verb among the words; subject: where it begins, and its kind.

    tag: of the verb, VBZ, VBP or VBD, whatever the tagger said; base: what it is inflected of. With a reason there is no verb.
    """

    reason: str
    verb: int = -1
    kind: Kind = "verb"
    first: int = 0
    subject: Subject = "definite"
    tag: str = ""
    base: str = ""


class Sentence(NamedTuple):
    """Characters start to end of a text, with the words."""

    start: int
    end: int
    words: list[Word]


def split(text: str, tokens: Sequence[Token]) -> list[Sentence]:
    """The sentences of a tagged text, each with its words."""
    found, place = [], 0
    for start, end in sentences(text):
        words = []
        while place < len(tokens) and tokens[place].start < end:
            one = tokens[place]
            shown = text[one.start : one.end]
            words.append(Word(one.start, one.end, shown, shown.lower().replace("\u2019", "'"), one.tag))
            place += 1
        if words:
            found.append(Sentence(start, end, words))
    return found


@functools.lru_cache(maxsize=1 << 16)
def verb_form(word: str) -> tuple[tuple[str, str], ...]:
    """Base and tag of each finite form that a word in lower case may be: `walked` is (walk, VBD), `put` is (put, VBD) and (put, VBP)."""
    from lemminflect import getInflection

    from negforge.lexicon import lexicon

    found = []
    for base in lexicon().bases(word, "v"):
        for tag in ("VBZ", "VBD"):
            if word in getInflection(base, tag, inflect_oov=False):
                found.append((base, tag))
        if base == word:
            found.append((base, "VBP"))
    past = {base for base, tag in found if tag == "VBD"}
    # `found` is of `find` rather than the base of `founded`; `lay` is left open.
    return tuple(one for one in found if one[1] != "VBP" or word in past or not past or one[0] == word == "lay")


@functools.lru_cache(maxsize=1 << 16)
def is_participle(word: str) -> bool:
    """Whether a word may be a past participle."""
    from lemminflect import getInflection

    from negforge.lexicon import lexicon

    return any(word in getInflection(base, "VBN", inflect_oov=False) for base in lexicon().bases(word, "v"))


@functools.lru_cache(maxsize=1 << 16)
def is_plural(word: str) -> bool:
    """Whether a word in lower case is the plural of another noun."""
    from lemminflect import getInflection

    from negforge.lexicon import lexicon

    if word in ("people", "police", "cattle"):
        return True
    found = lexicon()
    used = {base: sum(sense.uses for sense in found.senses(base, "n")) for base in found.bases(word, "n")}
    own = used.pop(word, -1)  # `humans` and `means` are entries of their own
    return word in _ALSO_PLURAL or any(uses > own and word in getInflection(base, "NNS") for base, uses in used.items())


_ALSO_PLURAL = _words("people men women children glasses arms shorts clothes cattle police")


def main_clause(words: Sequence[Word]) -> Clause:
    """The finite verb of the main clause, or why there is none that is sure."""
    begin = next((at for at, word in enumerate(words) if word.text[0].isalnum()), len(words))
    if begin == len(words):
        return Clause("no-verb")
    if words[begin].text in HEADINGS and begin + 1 < len(words) and words[begin + 1].text[:1].isupper():
        begin += 1
    head = words[begin].lower
    if head in OPENERS - {"that", "once"}:
        return Clause("opener")
    first = begin
    if words[begin].tag in ("IN", "TO", "RB", "VBG", "VBN") and head not in ("that", "there"):
        comma = next((at for at in range(begin, len(words)) if words[at].text == ","), 0)
        verb = next((at for at in range(begin, len(words)) if words[at].text in AUXILIARIES or words[at].tag in ("VBZ", "VBD")), len(words))
        if comma and comma < verb:
            first = comma + 1
            while first < len(words) and words[first].tag in _ADVERBS | {","}:
                first += 1
        elif words[begin].tag == "RB" and begin + 1 < len(words) and words[begin + 1].tag in ("DT", "PRP", "NNP", "PRP$"):
            first = begin + 1
        elif words[begin].tag != "VBG":
            return Clause("inverted")
    if first >= len(words):
        return Clause("no-verb")
    if first > begin and not OPENERS.isdisjoint(
        word.lower for word in words[begin + 1 : first + 1] if word.lower not in ("as", "than", "so")
    ):
        return Clause("opener")
    if words[first].tag in ("VB", "VBP") and words[first].lower not in AUXILIARIES:
        return Clause("imperative")
    clause = _found(words, first)
    if clause.verb >= 0 and _put_before(words, begin, first, clause.verb):
        return Clause("opener")
    return clause


def _put_before(words: Sequence[Word], begin: int, first: int, verb: int) -> bool:
    """Whether what passed for the subject may be a phrase put before it: `A year before, the writer was`, but `Ann, a writer, was`."""
    commas = [at for at in range(first, verb) if words[at].text == ","]
    if not commas or any(word.tag == "CC" for word in words[commas[-1] + 1 : verb]):
        return bool(commas) and first > begin
    closed = all(word.tag in _ADVERBS for word in words[commas[-1] + 1 : verb])
    return first > begin or not closed or len(commas) % 2 == 1


def _found(words: Sequence[Word], first: int) -> Clause:
    """Walk from the subject's first word to its verb."""
    doubted = -1
    for at in range(first, len(words)):
        word = words[at]
        before = words[at - 1] if at > first else None
        if word.lower in OPENERS and word.lower not in _PLAIN and at > first:
            return Clause("opener")
        if word.lower == "that" and before is not None and before.tag not in ("IN", "CC"):
            return Clause("opener")
        if word.lower in _NOMINATIVE and before is not None and before.tag in _NOUNS:
            return Clause("opener")
        if word.lower == "as" and before is not None and not (before.lower in ("such", "well") or is_participle(before.lower)):
            return Clause("opener")  # `Stocks rise 2% as oil falls`: the first verb passed for a noun
        if word.text in (";", ":", '"'):
            return Clause("no-verb")
        kind = _auxiliary(words, at, first)
        if kind is not None:
            if at == first:
                return Clause("imperative" if kind == "do" else "inverted")
            if doubted >= 0 and not (words[doubted + 1].tag in ("IN", "TO") and words[doubted].lower not in ("said", "thought")):
                return Clause("verb-form")
            return _checked(words, at, kind, first)
        if word.tag in _VERBS or (word.tag == "VB" and before is not None and before.tag in ("NNS", "NNPS", "PRP")):
            if at == first:
                continue  # a participle, as in `Fried rice is`
            sure = _is_finite(words, at, first)
            if sure is None:
                if doubted >= 0:
                    return Clause("verb-form")
                doubted = at
            elif sure:
                if doubted >= 0:
                    return Clause("verb-form")
                return _checked(words, at, "verb", first)
    return Clause("verb-form" if doubted >= 0 else "no-verb")


def _auxiliary(words: Sequence[Word], at: int, first: int) -> Kind | None:
    """What auxiliary a word is, or None; `have` and `do` are so also as verbs of their own."""
    word = words[at]
    lower = word.lower
    before = words[at - 1] if at > first else None
    if len(lower) > 1 and word.text.isupper() and not words[first].text.isupper():
        return None  # a name: `(IS)`
    if lower in BE:
        # German has an `am`, as in `Er ist am Ende`, as have clock times.
        return "be" if lower != "am" or any(one.lower == "i" for one in words[first:at]) else None
    if lower in HAVE:
        return "have" if before is None or before.tag not in ("TO", "MD") else None
    if lower in DO:
        return "do"
    if lower == "'s" and before is not None and before.lower in ("he", "she", "it", "that", "there", "here"):
        return "be"
    if lower in _MODALS:
        noun = (before is not None and before.tag in ("DT", "PRP$", "JJ", "CD")) or (word.text[0].isupper() and at > first)
        return None if noun and lower in ("can", "will", "might", "may", "must") else "modal"
    return None


def _is_finite(words: Sequence[Word], at: int, first: int) -> bool | None:
    """Whether a word that is tagged as a verb is the finite one after its subject; None where that is open."""
    word, before = words[at], words[at - 1]
    forms = verb_form(word.lower)
    if not forms or (before.tag in ("TO", "MD", "DT", "PRP$", "JJ", "IN", "CC", "POS", "CD", "VBG")):
        return False
    back = at - 1
    while back > first and words[back].tag in _ADVERBS:
        back -= 1
    left = words[back]
    if left.tag not in _NOUNS | {"PRP", "DT", ")"} and left.text not in (",", ")"):
        return False
    tags = {tag for _, tag in forms}
    after = words[at + 1] if at + 1 < len(words) else None
    if "VBZ" in tags:
        if is_plural(word.lower):
            if after is None or not after.text[0].isalnum():
                return False  # `on train tracks.`
            if at >= 2 and before.tag in ("NN", "NNP") and words[at - 2].tag in ("IN", "NN", "JJ") and after.tag in ("IN", "TO", "CC"):
                return None
        return left.tag in ("NN", "NNP", "PRP", "FW", "CD", "NNS") or left.text in (")", ",")
    if tags == {"VBP"}:
        return left.tag in ("NNS", "NNPS", "PRP") and left.lower not in ("he", "she", "it") if word.tag != "VBN" else False
    if not is_participle(word.lower):
        return True
    if word.lower in _NAMING and left.tag != "PRP":
        return None
    if left.tag == "PRP":
        return True
    if left.tag in ("NNP", "NNPS") and left.text[0].isupper():
        return None if after is not None and after.tag in ("NN", "NNS", "NNP") else True  # `interferon stimulated genes`
    return True if after is not None and after.tag in ("DT", "PRP", "PRP$", "CD") and left.text != "," else None


def _checked(words: Sequence[Word], verb: int, kind: Kind, first: int) -> Clause:
    """The clause with this verb, unless what follows may hold another main verb, or goes together with it."""
    lower = words[verb].lower
    after = verb + 1
    while after < len(words) and (words[after].tag in _ADVERBS or words[after].lower in ("not", "n't", "never")):
        after += 1
    tag, base = "", ""
    if kind == "have":
        following = words[after] if after < len(words) else None
        if following is None or not (following.lower in ("been", "had", "got") or is_participle(following.lower)):
            kind, tag, base = "verb", {"has": "VBZ", "had": "VBD"}.get(lower, "VBP"), "have"
        elif following.tag in ("NN", "NNS", "JJ") or (
            following.lower.endswith("ed") and after + 1 < len(words) and words[after + 1].tag in ("NN", "NNS")
        ):
            return Clause("verb-form")  # `has stuffed animals`
    elif kind == "do":
        following = words[after] if after < len(words) else None
        if following is None or not any(form[1] == "VBP" for form in verb_form(following.lower)) or following.tag in ("NNS", "DT", "PRP"):
            kind, tag, base = "verb", {"does": "VBZ", "did": "VBD"}.get(lower, "VBP"), "do"
    elif kind == "verb":
        forms = verb_form(lower)
        if lower == "used" and after < len(words) and words[after].tag == "TO":
            return Clause("idiom")
        if len(forms) > 1:
            left = words[verb - 1]
            forms = tuple(form for form in forms if form[1] == "VBD") if left.lower in ("he", "she", "it") or left.tag == "NN" else ()
        if len(forms) != 1:
            return Clause("verb-form")
        base, tag = forms[0]
    subject = _subject(words, first, verb, lower, tag)
    separated = paused = False
    for at in range(after if kind != "verb" else verb + 1, len(words)):
        word, before = words[at], words[at - 1]
        paused = paused or word.text in _PAUSES
        if (
            word.text in _BREAKS - _PAUSES
            or (word.lower in OPENERS and word.lower not in ("as", "than", "so", "once"))
            or word.lower == "that"
        ):
            separated = True
        finite = _auxiliary(words, at, first) is not None and before.tag not in ("MD", "TO")
        if not finite and word.tag in ("VBZ", "VBD", "VBP", "VBN"):
            tags = {one for _, one in verb_form(word.lower)}
            finite = bool(tags) and (
                not is_participle(word.lower) or (word.tag == "VBD" and kind == "verb" and before.tag in ("PRP", "NNP"))
            )
            finite = finite and (word.tag != "VBP" or before.tag in ("NNS", "PRP", "CC"))
        back = at - 1
        while back > verb and (words[back].tag in _ADVERBS or words[back].text == ","):
            back -= 1
        inflected = word.tag not in ("NNS", "NN", "JJ", "NNP") and any(one != "VBP" for _, one in verb_form(word.lower))
        if words[back].tag == "CC" and (finite or (kind == "verb" and (word.tag in _VERBS or inflected))):
            return Clause("coordinated")
        if finite and words[at - 1].tag == "CC":
            return Clause("coordinated")
        # What is parted from the verb by a mark alone: `The work Ann showed, in 1902, was a picture`.
        if finite and not separated and back >= verb and (paused or not (word.lower in HAVE | BE | DO and before.tag in _ADVERBS)):
            if _chained(words, at, verb):
                continue
            return Clause("several-verbs")
        if word.tag == "CC":
            separated = True
    return Clause("", verb, kind, first, subject, tag, base)


def _chained(words: Sequence[Word], at: int, verb: int) -> bool:
    """Whether a word belongs to the verb's own group: `have been`, `does have`."""
    return all(words[one].tag in _ADVERBS or words[one].lower in AUXILIARIES | {"not", "n't"} for one in range(verb + 1, at))


def _subject(words: Sequence[Word], first: int, verb: int, lower: str, tag: str) -> Subject:
    """What kind of subject stands before the verb."""
    head = words[first]
    between = words[first:verb]
    if head.lower == "there":
        return "there"
    counted = any(word.tag == "CD" or word.text == "%" or word.lower in COUNTING for word in between[:2])
    if head.lower.endswith(_SHARES) or (counted and head.lower not in _DEFINITE):
        return "quantified"
    if head.lower in ("another", "one", "such", "other", "others", "certain") or any(word.lower in QUANTIFIERS for word in between):
        return "quantified"
    if any(word.lower in ("or", "nor") for word in between):
        return "joined"
    if head.lower in ("a", "an"):
        return "joined" if any(word.tag == "CC" for word in between) else "indefinite"
    if head.tag == "PRP":
        return "pronoun"
    if head.lower in _DEFINITE:
        return "definite"
    noun = _head(between)
    plural = noun is not None and (noun.tag in ("NNS", "NNPS", "NNP") or noun.lower in _ALSO_PLURAL) and is_plural(noun.lower)
    if plural and lower not in ("is", "was", "has", "does", "'s") and tag != "VBZ" and (noun.text.islower() or noun is head):  # type: ignore[union-attr]
        return "joined" if any(word.tag == "CC" for word in between) else "plural"
    named = head.tag in ("NNP", "NNPS") or (head.text[:1].isupper() and not head.text[1:].islower())
    return "named" if named else "mass"


def _head(words: Sequence[Word]) -> Word | None:
    """The last noun before a preposition, a mark or a verb."""
    found = None
    for word in words:
        if word.tag in ("IN", "TO", "VBG", "VBN", "VBD", "WDT") or word.text in (",", "("):
            break
        if word.tag in _NOUNS:
            found = word
    return found


def uncapitalised(words: Sequence[Word], at: int) -> str:
    """A sentence's first word as it is written inside one: a name keeps its capital."""
    word = words[at]
    after = words[at + 1].text if at + 1 < len(words) else ""
    if not word.text[1:].replace("-", "").islower() or (len(after) > 1 and after[0].isupper()):
        return word.text
    common = _is_common(word.lower)
    return word.lower if common or (common is None and _ADJECTIVE.search(word.lower)) else word.text


@functools.lru_cache(maxsize=1 << 16)
def _is_common(word: str) -> bool | None:
    """Whether a word is written small; None where the lexicon lacks it."""
    from negforge.lexicon import lexicon

    found = lexicon()
    senses = [sense for part in ("n", "a", "v") for base in found.bases(word, part) for sense in found.senses(base, part)]
    return any(sense.word.islower() for sense in senses) if senses else None


# Words that the lexicon lacks, or has as others alone.
_GRAMMATICAL = (
    AUXILIARIES
    | QUANTIFIERS
    | OPENERS
    | _NOMINATIVE
    | _DEFINITE
    | _words(
        """a an and or but nor for of to in on at by from with into onto upon about above below under over between among through during
    against within without toward towards across behind beyond near off out up down per via than me him us them mine yours hers ours
    theirs myself yourself himself herself itself ourselves themselves not no never none nothing nobody anybody anyone anything somebody
    someone something everybody everyone everything there here then thus yet also another other others either neither one two ones"""
    )
)


@functools.lru_cache(maxsize=1 << 16)
def _is_english(word: str) -> bool:
    """Whether a word in lower case is of the lexicon, by any of its forms, or one that holds sentences together."""
    from negforge.lexicon import lexicon

    found = lexicon()
    return word in _GRAMMATICAL or any(found.bases(word, part) for part in _PARTS)


_PARTS: tuple[Literal["n", "v", "a", "r"], ...] = ("n", "v", "a", "r")


def is_foreign(words: Sequence[Word]) -> bool:
    """Whether more than half of the words of a sentence are no English ones; neither names nor words of one or two letters are asked."""
    asked = [word.lower for word in words if len(word.text) > 2 and word.text.isalpha() and not word.text[0].isupper()]
    unknown = sum(not _is_english(word) for word in asked)
    return len(asked) > 1 and 2 * unknown > len(asked)


def contracts(text: str) -> bool:
    """Whether a text contracts its auxiliaries: `isn't`, `they're`."""
    return (
        any("n't" in word or word.endswith(("'re", "'ve", "'ll", "'m")) for word in lowered(text))
        if "'" in text or "\u2019" in text
        else False
    )
