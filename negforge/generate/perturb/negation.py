"""Negate a main clause, or take its one negation away, so that both sentences cannot be true.

`insert` puts `not` after the finite auxiliary of the main clause, with `do` where it has none: `she ran`, `she did not run`. Where
`not` would leave open of whom it is said, the subject is denied: `A man is asleep`, `No man is asleep`; `There are dogs`,
`There are no dogs`. A text that contracts gets `isn't`. `remove` takes away the only cue of a sentence, be it `not`, `n't`, `cannot`,
`never`, `no`, `no longer`, `nobody`, `nothing`, `nowhere`, `neither ... nor`, `without`, `rarely`, `unable`, `lack` or `fail to`; what
stands well under a negation alone is changed too (`any` to `some`, `not yet` to `already`) or the sentence is left.
Of a text of several sentences one is changed. Refused, by reason of its first sentence:
- nothing asserted: `question`, `exclamation`, `conditional`, `reported`, `quoted`, `short`, `imperative`, `hedged`, `title`;
- not English: `foreign`; no main verb that is sure: `no-verb` (captions), `verb-form`, `several-verbs`, `coordinated`, `inverted`,
  `opener` (a clause before or inside the subject, or a phrase that passes for it), `idiom`;
- another scope: `quantified`, `focus`, `modal` (`may not` goes with `may`), `because`, `generic`, `joined` (`a man and a woman`);
- of cues: `negated` (one is there), `negated-twice`, `affirmative` (none is there), `pseudo-negation`, `polarity-item`, `scope` (a cue
  off the main verb), `contrast` (`not A but B`), `approximate` (`hardly`), `indefinite`, `article`,
  `ellipsis`; and `protected`.
Source: Horn, A Natural History of Negation, 1989; marcotcr/checklist#43 (bare verbs), marcotcr/checklist#69 (one edit at a time),
GEM-benchmark/NL-Augmenter#149, #174 (cues beyond `not`), GEM-benchmark/NL-Augmenter#222 (what an edit does to the label).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from negforge import clauses, tagging
from negforge.clauses import Clause, Sentence, Word
from negforge.contract import Declares, Edit, Refusal
from negforge.grammar import FOCUS, HEDGES, NEGATIONS, POLARITY_ITEMS, PSEUDO_NEGATIONS, QUANTIFIERS, lowered, unasserted
from negforge.records import Pairs
from negforge.rng import Rng
from negforge.words import article, inflected, recased


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


DECLARES = Declares(
    version=1,
    scope="row",
    reads=Pairs,
    edits=True,
    tags=True,
    languages=("en",),
    label="negative",
    opposition="contradiction",
    evidence=("edit",),
    verifiers=("equivalent", "known-positive"),
    candidates=r"[A-Za-z] +[A-Za-z]",
    bar=0.97,
)

_SENTENCES = 64  # of one text that are looked at
_REVERSED = {"not", "n't", "never", "cannot"}
_CONTRACTED = {"can": "can't", "will": "won't", "shall": "shan't", "am": "am not"}
_UNCONTRACTED = {"ca": "can", "wo": "will", "sha": "shall", "cannot": "can"}
# `may not` is no contrary of `may`.
_OPEN_MODALS = frozenset(["may", "might", "could", "would", "ought", "need", "dare", "'d"])
_AFTER_VERB = frozenset(["because", "until", "till", "unless", "lest"])
_LEAVES_OPEN = frozenset(
    (
        *FOCUS,
        "rather",
        "instead",
        "especially",
        "virtually",
        "practically",
        "essentially",
        "basically",
        "particularly",
        "specifically",
        "solely",
        "exactly",
        "exclusively",
    )
)
# `At one time it was so` and `At one time it was not so` may both hold.
_AT_SOME_TIME = re.compile(r"(?i)\b(?:once|formerly|at times|at (?:one|some) (?:time|point)|for a (?:time|while)|on occasion|one day)\b")
# `Dogs include poodles`: said of the kind, and of no dog.
_OF_KINDS = _words("include comprise consist range vary mean differ come outnumber number total")
# Written small in titles.
_SMALL = _words("a an the and or but nor of in on at to by for from with as is are was were be no not that into over vs n't 's 'm 're 've")
_QUOTES = re.compile('["\u201c\u201d\u00ab\u00bb]')
_INDEFINITES = {"nobody": "somebody", "nothing": "something", "nowhere": "somewhere", "none": "some"}
_FREQUENT = {"rarely": "often", "seldom": "often"}
_SOME = {"any": "some", "anyone": "someone", "anybody": "somebody", "anything": "something", "anywhere": "somewhere"}
# Nouns of which there is no `a`; of others than these and those of a countable kind it is left open.
_MASS = _words(
    """evidence water information money food air snow rain ice sand grass traffic furniture equipment luggage research advice work
    proof help damage progress power music homework knowledge smoke fire light electricity sunlight contact support sign_of"""
)
_COUNTED = _words(
    """effect impact role difference increase decrease change link association relationship correlation reason way chance problem limit
    answer solution end beginning need place name part risk benefit advantage disadvantage influence connection response cure
    treatment picture sign"""
)
_COUNTED_KINDS = frozenset(("noun.animal", "noun.artifact", "noun.person", "noun.plant"))


# `I guess that he is right`
_GUESSED = re.compile(r"(?i)\b(?:guess(?:es|ed)?|suppose[sd]?|reckon(?:s|ed)?)\b")
_OF_A_WORK = re.compile(
    r"\((?:[^()]{0,40}\W)?(?:film|movie|album|EP|LP|book|song|single|novel|novella"
    r"|play|musical|opera|poem|painting|comics?|magazine"
    r"|(?:TV |television |web |film |book )?(?:series|serial|show|episode|program|programme)|video game|game|soundtrack|manga|anime)\)$"
)


class _Made(NamedTuple):
    """A change of a text: pieces of it that become others, in order of place; or the reason why there is none."""

    reason: str
    pieces: tuple[tuple[int, int, str], ...] = ()


def generate(
    batch: Pairs,
    rng: Rng,
    *,
    kind: Annotated[
        Literal["insert", "remove", "both"], Field(description="Negate what is not negated, affirm what is negated, or do either.")
    ] = "both",
    protect: Annotated[str, Field(description="Leave text alone that overlaps a match of this regular expression.")] = r"(?!)",
    num_negatives: int = 1,
) -> Iterator[Edit | Refusal]:
    """Edit each `positive` at one of its sentences, or say why not.

    batch: n rows of `id`, `positive`, `positive_tags`. Yields up to `num_negatives` edits of a row (character offsets in `positive`),
    one a sentence, in an order drawn for the row; or one refusal, with the reason of the first sentence and the sentence itself.
    """
    protected = None if protect == r"(?!)" else re.compile(protect)
    rows = zip(batch["id"].to_list(), batch["positive"].to_list(), tagging.tokens(batch), strict=True)
    for row_id, text, tokens in rows:
        spared = [match.span() for match in protected.finditer(text)] if protected is not None else []
        found: list[Edit] = []
        refused: Refusal | None = None
        short = clauses.contracts(text)
        quoted = 0
        for sentence in clauses.split(text, tokens)[:_SENTENCES]:
            # A quotation may be longer than its sentence.
            made = _Made("quoted") if quoted % 2 else _made(text, sentence, kind, contracted=short)
            quoted += len(_QUOTES.findall(text, sentence.start, sentence.end))
            edit = _edit(row_id, text, made.pieces)
            reason = made.reason or ("protected" if any(edit.start < end and start < edit.end for start, end in spared) else "")
            if not reason:
                found.append(edit)
            elif refused is None:
                refused = Refusal(row_id, reason, text[sentence.start : sentence.end].strip()[:200])
        if found:
            yield from rng.shuffled(row_id, found)[:num_negatives]
        elif refused is not None:
            yield refused


def _edit(row_id: str, text: str, pieces: Sequence[tuple[int, int, str]]) -> Edit:
    """The pieces as one edit that spans them."""
    if not pieces:
        return Edit(row_id, 0, 0, "")
    ordered = sorted(pieces)
    start, new, at = ordered[0][0], "", ordered[0][0]
    for first, last, put in ordered:
        new += text[at:first] + put
        at = last
    return Edit(row_id, start, at, new)


def _made(text: str, sentence: Sentence, kind: str, *, contracted: bool) -> _Made:
    """What becomes of a sentence."""
    shown = text[sentence.start : sentence.end]
    reason = unasserted(shown)
    if reason:
        return _Made(reason)
    words = sentence.words
    if _is_title(shown.strip(), words):
        return _Made("title")
    if clauses.is_foreign(words):
        return _Made("foreign")
    cues = [at for at, word in enumerate(words) if word.lower in NEGATIONS]
    if cues and kind == "insert":
        return _Made("negated")
    if not cues and kind == "remove":
        return _Made("affirmative")
    lower = [word.lower for word in words]
    if not HEDGES.isdisjoint(lower) or _GUESSED.search(shown):
        return _Made("hedged")
    if not _AFTER_VERB.isdisjoint(lower):
        return _Made("because")
    if not _LEAVES_OPEN.isdisjoint(lower):
        return _Made("focus")
    if _AT_SOME_TIME.search(shown):
        return _Made("quantified")
    if cues:
        return _removed(text, sentence, cues)
    if not QUANTIFIERS.isdisjoint(lower):
        return _Made("quantified")
    return _inserted(words, contracted=contracted)


def _is_title(shown: str, words: Sequence[Word]) -> bool:
    """Whether a sentence without a full stop is the title of a work: `My Name Is Khan (film)`, `What We Saw from the Window`."""
    if shown.endswith((".", "\u2026", ";", ":", ",")) or shown.isupper():
        return False
    content = [word.text for word in words if word.text[0].isalpha() and (word.text[0].isupper() or word.lower not in _SMALL)]
    return _OF_A_WORK.search(shown) is not None or (len(content) > 1 and all(word[0].isupper() for word in content))


# -- insert ------------------------------------------------------------------------------------------------------------


def _inserted(words: Sequence[Word], *, contracted: bool) -> _Made:
    """The sentence with its main clause denied."""
    clause = clauses.main_clause(words)
    if clause.reason:
        return _Made(clause.reason)
    verb = words[clause.verb]
    if clause.kind == "modal" and verb.lower in _OPEN_MODALS:
        return _Made("modal")
    if clause.subject in ("quantified", "joined"):
        return _Made(clause.subject)
    if clause.subject == "there":
        return _no_there(words, clause)
    obliged = clause.kind == "modal" and verb.lower in ("must", "should", "shall")  # `no driver must stop` leaves them free to
    if clause.subject == "indefinite" and not obliged:
        head = words[clause.first]
        return _Made("", ((head.start, head.end, recased("no", head.text if len(head.text) > 1 else head.text + "x")),))
    if clause.subject == "plural" and not obliged:
        if clause.base in _OF_KINDS:
            return _Made("generic")
        return _no_plural(words, clause)
    return _not(words, clause, contracted=contracted)


def _no_there(words: Sequence[Word], clause: Clause) -> _Made:
    """`There is a dog`: `There is no dog`."""
    if clause.kind != "be" or clause.verb + 1 >= len(words):
        return _Made("idiom")
    after = words[clause.verb + 1]
    if after.lower in ("a", "an"):
        if clause.verb + 2 < len(words) and words[clause.verb + 2].lower in clauses.COUNTING:
            return _Made("quantified")
        if _joined(words, clause.verb + 1):
            return _Made("joined")
        return _Made("", ((after.start, after.end, recased("no", words[clause.verb].text)),))
    if after.tag in ("CD", "DT", "PRP$", "PRP", "NNP", "IN", "RB", "VBN"):
        return _Made("quantified")
    if _joined(words, clause.verb + 1):
        return _Made("joined")
    return _Made("", ((after.start, after.start, "no "),))


def _joined(words: Sequence[Word], first: int) -> bool:
    """Whether what is said to be there are several things: `a dog and a cat`."""
    return any(word.tag == "CC" or word.text == "," for word in words[first:])


def _no_plural(words: Sequence[Word], clause: Clause) -> _Made:
    """`Dogs are barking`: `No dogs are barking`."""
    head = words[clause.first]
    named = head.tag == "NNP" and clauses.uncapitalised(words, clause.first) == head.text
    if named or (clause.first + 1 < len(words) and words[clause.first + 1].lower in ("'s", "\u2019s", "'", "\u2019")):
        return _Made("scope")
    if any(word.text[0].isalnum() and word.text not in clauses.HEADINGS for word in words[: clause.first]):
        return _Made("", ((head.start, head.start, "no "),))
    put = "No " if head.text[0].isupper() else "no "
    return _Made("", ((head.start, head.end, put + clauses.uncapitalised(words, clause.first)),))


def _not(words: Sequence[Word], clause: Clause, *, contracted: bool) -> _Made:
    """The finite verb with `not`."""
    verb = words[clause.verb]
    lower = verb.lower
    if clause.kind == "verb":
        helper = {"VBZ": "does", "VBD": "did"}.get(clause.tag, "do") + ("n't" if contracted else " not")
        first = clause.verb
        while first - 1 > clause.first and words[first - 1].tag == "RB" and words[first - 1].lower.endswith("ly"):
            first -= 1
        pieces = ((words[first].start, words[first].start, helper + " "), (verb.start, verb.end, clause.base))
        return _Made("", pieces)
    if lower == "'d":
        return _Made("modal")
    if lower in ("'s", "'re", "'m"):
        return _Made("", ((verb.end, verb.end, " not"),))
    if lower in ("'ll", "'ve"):
        return _Made("", ((verb.start, verb.end, " won't" if lower == "'ll" else " haven't"),))
    if clause.kind == "do" and clause.verb + 1 < len(words):
        return _Made("", ((verb.end, verb.end, "n't" if contracted else " not"),))
    if lower == "can" and not contracted:
        return _Made("", ((verb.end, verb.end, "not"),))
    if contracted:
        return _Made("", ((verb.start, verb.end, recased(_CONTRACTED.get(lower, lower + "n't"), verb.text)),))
    return _Made("", ((verb.end, verb.end, " not"),))


# -- remove ------------------------------------------------------------------------------------------------------------


def _removed(text: str, sentence: Sentence, found: Sequence[int]) -> _Made:
    """The sentence without its only cue."""
    words = sentence.words
    shown = " ".join(lowered(text[sentence.start : sentence.end]))
    lower = [word.lower for word in words]
    if any(f" {one} " in f" {shown} " for one in PSEUDO_NEGATIONS):
        return _Made("pseudo-negation")
    cue = lower[found[0]]
    both = len(found) == 2 and (cue, lower[found[1]]) == ("neither", "nor")
    if len(found) > 1 and not both:
        return _Made("negated-twice")
    place = found[0]
    clause = clauses.main_clause(words)
    if clause.reason:
        return _Made(clause.reason)
    verb = words[clause.verb]
    if clause.kind == "modal" and verb.lower in _OPEN_MODALS:
        return _Made("modal")
    if any(word in QUANTIFIERS and at != place and word != "any" and lower[at - 1 : at] != ["at"] for at, word in enumerate(lower)):
        return _Made("quantified")
    if clause.subject in ("joined", "indefinite") or (clause.subject == "quantified" and place >= clause.verb):
        return _Made(clause.subject)
    if "but" in lower[place:] or ("nor" in lower[place:] and not both):
        return _Made("contrast")
    made = _affirmed(words, clause, place, found)
    if made.reason:
        return made
    rest = _without_polarity(words, place + 1)
    if rest is None:
        return _Made("polarity-item")
    return _Made("", (*made.pieces, *rest))


def _affirmed(words: Sequence[Word], clause: Clause, place: int, found: Sequence[int]) -> _Made:
    """What stands in the place of the cue."""
    cue = words[place]
    near = clause.verb - 2 <= place <= clause.verb + 2
    if cue.lower in ("not", "n't", "cannot"):
        return _without_not(words, clause, place)
    if cue.lower == "never":
        return _without_word(words, place, place) if near else _Made("scope")
    if cue.lower == "no":
        return _without_no(words, clause, place)
    if cue.lower in _INDEFINITES or cue.lower in _FREQUENT:
        if not near and place != clause.first and not (cue.lower in _INDEFINITES and place == clause.verb + 1):
            return _Made("scope")
        if cue.lower == "none" and not (place + 1 < len(words) and words[place + 1].lower == "of"):
            return _Made("idiom")
        return _Made("", ((cue.start, cue.end, recased({**_INDEFINITES, **_FREQUENT}[cue.lower], cue.text)),))
    if cue.lower == "neither" and len(found) == 2 and place == clause.verb + 1 and clause.kind == "be":
        nor = words[found[1]]
        if any(word.text == "," or word.tag in ("VBN", "VBG") for word in words[place : found[1]]):
            return _Made("coordinated")
        return _Made("", ((cue.start, cue.end, "both"), (nor.start, nor.end, "and")))
    if cue.lower == "without":
        return _with(words, clause, place)
    if cue.lower == "unable" and place == clause.verb + 1:
        return _Made("", ((cue.start, cue.end, "able"),))
    if cue.lower in ("lack", "lacks", "lacked") and place == clause.verb and clause.kind == "verb":
        return _Made("", ((cue.start, cue.end, {"lack": "have", "lacks": "has", "lacked": "had"}[cue.lower]),))
    if cue.lower in ("fail", "fails", "failed") and place == clause.verb and place + 1 < len(words) and words[place + 1].lower == "to":
        return _Made("", ((cue.start, cue.end, {"fail": "manage", "fails": "manages", "failed": "managed"}[cue.lower]),))
    if cue.lower in ("hardly", "barely", "scarcely"):
        return _Made("approximate")
    return _Made("scope" if cue.lower in _REVERSED else "idiom")


def _without_word(words: Sequence[Word], first: int, last: int) -> _Made:
    """The words first to last taken away, with one of the blanks beside them."""
    if first and words[first - 1].end < words[first].start:
        return _Made("", ((words[first - 1].end, words[last].end, ""),))
    if last + 1 < len(words):
        return _Made("", ((words[first].start, words[last + 1].start, ""),))
    return _Made("scope")


def _without_not(words: Sequence[Word], clause: Clause, place: int) -> _Made:
    """`is not` without `not`; `did not run` as `ran`."""
    verb = words[clause.verb]
    if words[place].lower == "cannot":
        return _Made("", ((verb.start, verb.end, recased("can", verb.text)),)) if place == clause.verb else _Made("scope")
    between = words[clause.verb + 1 : place]
    if place <= clause.verb or any(word.tag not in ("RB", "PRP") for word in between):
        return _Made("scope")
    if (place + 1 < len(words) and words[place + 1].text in (",", ".")) or place + 1 == len(words):
        return _Made("ellipsis")
    cut = (words[place - 1].end, words[place].end)
    if clause.kind == "do":
        at = place + 1
        while at < len(words) and words[at].tag in ("RB", "RBR"):
            at += 1
        if at == len(words):
            return _Made("verb-form")
        main = words[at]
        tag = {"does": "VBZ", "did": "VBD"}.get(verb.lower, "VBP")
        made = {"VBZ": "has", "VBD": "had"}.get(tag, "have") if main.lower == "have" else inflected(main.lower, tag)
        after = [words[one + 1] for one in range(at, len(words) - 1) if words[one].tag == "CC"]
        if any(word.tag in ("VB", "VBP") or word.lower == main.lower for word in after):
            return _Made("coordinated")
        if made is None or not any(form == (main.lower, "VBP") for form in clauses.verb_form(main.lower)):
            return _Made("verb-form")
        following = words[place + 1]
        return _Made("", ((verb.start, following.start, ""), (main.start, main.end, made)))
    if clause.kind == "verb":
        return _Made("scope")
    whole = _UNCONTRACTED.get(verb.lower)
    pieces = [(cut[0], cut[1], "")]
    if whole is not None:
        pieces.append((verb.start, verb.end, recased(whole, verb.text)))
    if place + 1 < len(words) and words[place + 1].lower == "yet":
        yet = words[place + 1]
        pieces.append((yet.start, yet.end, "already"))
    return _Made("", tuple(pieces))


def _without_no(words: Sequence[Word], clause: Clause, place: int) -> _Made:
    """`no dogs` as `dogs`, `no dog` as `a dog`, `no longer` as nothing."""
    no = words[place]
    if place + 1 >= len(words):
        return _Made("pseudo-negation")
    after = words[place + 1]
    if after.lower == "longer":
        return _without_word(words, place, place + 1) if clause.verb - 2 <= place <= clause.verb + 1 else _Made("scope")
    if after.tag in ("JJR", "RBR", "CC") or after.lower in ("one", "such", "other", "way", "means", "doubt") or after.text in (",", "."):
        return _Made("idiom")
    if place != clause.first and place != clause.verb + 1:
        return _Made("scope")
    end = place + 1
    while end < len(words) and words[end].tag in ("JJ", "RB", "NN", "NNS", "NNP", "VBN", "VBG", "CC") and end < place + 6:
        end += 1
        if words[end - 1].tag == "NNS":
            break
    nouns = [word for word in words[place + 1 : end] if word.tag in ("NN", "NNS", "NNP")]
    if (
        not nouns
        or any(word.tag == "CC" for word in words[place + 1 : end])
        or (end < len(words) and words[end].lower in ("or", "and", ","))
    ):
        return _Made("article")
    noun = nouns[-1].lower
    several = place > clause.verb and clause.subject == "there" and words[clause.verb].lower in ("are", "were", "'re")
    if not (several or clauses.is_plural(noun) or noun in _MASS):
        if not _countable(noun):
            return _Made("article")
        return _Made("", ((no.start, no.end, recased(article(after.text), no.text if len(no.text) > 1 else "No")),))
    follow = recased(after.text, no.text) if place == clause.first and no.text[0].isupper() else after.text
    return _Made("", ((no.start, after.end, follow),))


def _countable(noun: str) -> bool:
    """Whether there is surely an `a` of a noun."""
    from negforge.lexicon import lexicon

    if noun in _COUNTED:
        return True
    senses = lexicon().senses(noun, "n")
    return bool(senses) and lexicon().lexname(senses[0].synset) in _COUNTED_KINDS


def _with(words: Sequence[Word], clause: Clause, place: int) -> _Made:
    """`He left without a coat`: `with a coat`, of one who is named."""
    if place < clause.verb or place + 2 >= len(words) or clause.subject not in ("named", "pronoun", "definite"):
        return _Made("scope")
    after, noun = words[place + 1], words[place + 2]
    if after.lower not in ("a", "an", "the", "his", "her", "their", "its") or noun.tag not in ("NN", "NNS", "JJ"):
        return _Made("scope")
    if noun.tag == "NN" and not _countable(noun.lower):
        return _Made("idiom")
    return _Made("", ((words[place].start, words[place].end, "with"),))


def _without_polarity(words: Sequence[Word], first: int) -> tuple[tuple[int, int, str], ...] | None:
    """What becomes of the words that go with a negation; None where one of them goes with nothing else."""
    made: list[tuple[int, int, str]] = []
    at = first
    while at < len(words):
        word = words[at]
        if word.lower == "any" and at + 1 < len(words):
            if words[at + 1].lower in ("more", "longer", "other", "of") or words[at + 1].tag in ("JJR", "RBR"):
                return None
            made.append((word.start, word.end, "some"))
        elif word.lower in _SOME:
            made.append((word.start, word.end, _SOME[word.lower]))
        elif word.lower == "at" and at + 1 < len(words) and words[at + 1].lower == "all":
            made.append((words[at - 1].end, words[at + 1].end, ""))
        elif word.lower == "yet" and at == first:
            pass  # `not yet` has become `already`
        elif word.lower in POLARITY_ITEMS or word.lower in ("much", "long", "either", "anymore", "let"):
            return None
        at += 1
    return tuple(made)
