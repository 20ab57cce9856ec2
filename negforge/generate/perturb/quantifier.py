"""Put a quantifier's contrary in its place, so that both sentences cannot be true.

Only contraries and contradictories are used: `all`, `every`, `each` and `no`; `some`, `many`, `several`, `most` and `no` or `few`;
`always`, `often` and `never`; `everyone` and `no one`; `both` and `neither`; `at least n` and `fewer than n`; `more than n` and
`at most n`; `more ... than` and `less ... than`; `the most` and `the least`; `must` and `must not`. The noun and the verb are made to
agree: `both dogs are`, `neither dog is`. Of a text of several sentences one is changed.
Refused, by reason of the first sentence that has a quantifier:
- nothing asserted: `question`, `exclamation`, `conditional`, `reported`, `quoted`, `short`, `imperative`, `hedged`; `foreign`;
- compatible with its other: `subcontrary` (`some` and `not all`, `may` and `may not`);
- beside something that turns it round: `negated`, `several` quantifiers, `focus`, `approximate` (`almost all`), `because`;
- no site that is sure: `scope` (inside the subject), `opener`, `coordinated`, `several-verbs`, `verb-form`, `no-verb`, `inverted`,
  `indefinite` (of whom it is said is open), `idiom` (`at all`), `event` (`have never met`), `temporal` (`every day`), `floating`
  (`they all`), `agreement`, `range`, `polarity-item`; and `protected`.
Source: Horn, A Natural History of Negation, 1989 (the square of opposition); GEM-benchmark/NL-Augmenter#222 (is the label flipped?).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain, islice, zip_longest
from typing import Annotated, NamedTuple

from pydantic import Field

from negforge import clauses, tagging
from negforge.clauses import Clause, Sentence, Word
from negforge.contract import Declares, Edit, Refusal
from negforge.grammar import FOCUS, HEDGES, NEGATIONS, POLARITY_ITEMS, PSEUDO_NEGATIONS, QUANTIFIERS, lowered, unasserted
from negforge.records import Pairs
from negforge.rng import Rng
from negforge.words import inflected, recased


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
    candidates=(
        r"(?i)\b(?:all|every|each|no|none|some|many|several|numerous|most|few|both|neither|always|never|often|usually|frequently"
        r"|sometimes|everyone|everybody|everything|everywhere|nobody|nothing|nowhere"
        r"|more|less|fewer|at least|at most|must|may|might|could)\b"
    ),
    bar=0.95,
)

_SENTENCES = 64  # of one text that are looked at
_PLURAL_ONLY = {
    "all": ("no",), "some": ("no",), "many": ("no", "few"), "several": ("no",), "numerous": ("no",),
    "most": ("few", "no"), "few": ("many", "most"),
}  # fmt: skip
_SINGULAR = {"every": ("no",), "each": ("no",)}
_ADVERBS = {
    "always": ("never", "rarely"), "never": ("always", "often"), "often": ("never", "rarely"), "usually": ("never", "rarely"),
    "frequently": ("never", "rarely"), "sometimes": ("never",),
}  # fmt: skip
_PRONOUNS = {
    "everyone": "no one", "everybody": "nobody", "everything": "nothing", "everywhere": "nowhere", "nobody": "everybody",
    "nothing": "everything", "nowhere": "everywhere", "no one": "everyone",
}  # fmt: skip
_OPEN = frozenset(("may", "might", "could"))
_NEGATIVE = frozenset(("no", "none", "never", "neither", "nobody", "nothing", "nowhere"))
_APPROXIMATE = _words(
    """almost nearly virtually practically hardly not just only about roughly quite very so too how as far slightly well little much bit
    somewhat considerably significantly substantially"""
)
_TIMES = _words(
    """day days night nights year years week weeks month months time times hour hours minute minutes second seconds morning evening
    afternoon summer winter spring autumn fall season decade century moment monday tuesday wednesday thursday friday saturday sunday
    january february march april may june july august september october november december"""
)
_AFTER_IDIOM = _words("but in over about right along around of kinds sorts else well too")
_BEFORE_IDIOM = _words("at of for after above in with by on")
_AFTER_VERB = frozenset(["because", "until", "till", "unless", "lest", "but", "except"])
# What one does, or has done to one, once.
_ONCE_ONLY = _words(
    """meet die marry bear divorce graduate retire publish release complete finish found establish build discover invent happen occur
    become return adopt ratify convict execute elect appoint arrest kill murder"""
)
_STATIVE = _words("know live want like love own belong believe exist possess remain contain lack hate trust need resemble doubt enjoy seem")
_MEASURES = _TIMES | _words(
    """% percent km kilometers kilometres m meters metres miles mile feet foot inches cm mm kg g mg grams kilograms pounds pound tons
    ounces dollars euros cents degrees liters litres acres hectares mph points million billion thousand"""
)
_ONCE = {"is": "are", "was": "were", "has": "have", "does": "do"}
_MANY = {many: one for one, many in _ONCE.items()}
_FINITE = clauses.BE | clauses.HAVE | clauses.DO | {"'s"}
_QUOTES = re.compile('["\u201c\u201d\u00ab\u00bb]')
_CUES = frozenset((*_PLURAL_ONLY, *_SINGULAR, *_ADVERBS, *_PRONOUNS, *_NEGATIVE, *_OPEN, "both", "more", "less", "fewer", "least", "must"))


class _Site(NamedTuple):
    """Each value is a list of pieces of the text that become others; or the reason why there is none."""

    reason: str
    values: tuple[tuple[tuple[int, int, str], ...], ...] = ()


def generate(
    batch: Pairs,
    rng: Rng,
    *,
    protect: Annotated[str, Field(description="Leave text alone that overlaps a match of this regular expression.")] = r"(?!)",
    num_negatives: int = 1,
) -> Iterator[Edit | Refusal]:
    """Edit each `positive` at one quantifier, or say why not.

    batch: n rows of `id`, `positive`, `positive_tags`. Yields up to `num_negatives` edits of a row (character offsets in `positive`), the
    first value of each sentence before the second of any, in an order of sentences drawn for the row; or one refusal.
    """
    protected = None if protect == r"(?!)" else re.compile(protect)
    for row_id, text, tokens in zip(batch["id"].to_list(), batch["positive"].to_list(), tagging.tokens(batch), strict=True):
        spared = [match.span() for match in protected.finditer(text)] if protected is not None else []
        found: list[list[Edit]] = []
        refused: Refusal | None = None
        quotes = 0
        for sentence in clauses.split(text, tokens)[:_SENTENCES]:
            quoted = quotes % 2
            quotes += len(_QUOTES.findall(text, sentence.start, sentence.end))
            if _CUES.isdisjoint(word.lower for word in sentence.words):
                continue
            site = _Site("quoted") if quoted else _site(text, sentence)
            edits = [_edit(row_id, text, pieces) for pieces in site.values]
            free = [edit for edit in edits if not any(edit.start < end and start < edit.end for start, end in spared)]
            if free:
                found.append(free)
            elif refused is None:
                reason = site.reason or "protected"
                refused = Refusal(row_id, reason, text[sentence.start : sentence.end].strip()[:200])
        if found:
            turns = chain.from_iterable(zip_longest(*rng.shuffled(row_id, found)))
            yield from islice((edit for edit in turns if edit is not None), num_negatives)
        elif refused is not None:
            yield refused


def _edit(row_id: str, text: str, pieces: Sequence[tuple[int, int, str]]) -> Edit:
    """The pieces as one edit that spans them."""
    ordered = sorted(pieces)
    start, new, at = ordered[0][0], "", ordered[0][0]
    for first, last, put in ordered:
        new += text[at:first] + put
        at = last
    return Edit(row_id, start, at, new)


def _site(text: str, sentence: Sentence) -> _Site:
    """What becomes of a sentence that has a cue."""
    shown = text[sentence.start : sentence.end]
    words = sentence.words
    lower = [word.lower for word in words]
    reason = unasserted(shown)
    if reason:
        return _Site("subcontrary" if reason == "conditional" and not _OPEN.isdisjoint(lower) else reason)
    if clauses.is_foreign(words):
        return _Site("foreign")
    if not _OPEN.isdisjoint(lower):
        return _Site("subcontrary")
    if not HEDGES.isdisjoint(lower):
        return _Site("hedged")
    if not _AFTER_VERB.isdisjoint(lower):
        return _Site("because")
    if any(f" {one} " in f" {' '.join(lowered(shown))} " for one in PSEUDO_NEGATIONS):
        return _Site("idiom")
    places = _places(words)
    if not places:
        return _Site("subcontrary" if not _OPEN.isdisjoint(lower) else "idiom")
    own = {at for first, last in places for at in range(first, last + 1)}
    if any(word in NEGATIONS for at, word in enumerate(lower) if at not in own):
        return _Site(
            "subcontrary" if any(lower[at] in ("all", "every", "always") and lower[at - 1 : at] == ["not"] for at in own) else "negated"
        )
    if len(places) > 1 or any(word in QUANTIFIERS for at, word in enumerate(lower) if at not in own):
        return _Site("several")
    first, last = places[0]
    if first and lower[first - 1] in _APPROXIMATE:
        return _Site("approximate")
    if any(word in FOCUS for at, word in enumerate(lower) if at not in own):
        return _Site("focus")
    clause = clauses.main_clause(words)
    if clause.reason:
        return _Site(clause.reason)
    if any((word.lower in clauses.OPENING or word.lower == "that") and at > clause.first for at, word in enumerate(words[:first])):
        return _Site("opener")
    if clause.verb + 1 < len(words) and words[clause.verb + 1].lower in ("i", "you", "he", "she", "we", "they"):
        return _Site("inverted")
    if first < clause.first and lower[first] not in _ADVERBS:
        return _Site("scope")
    if clause.first < first < clause.verb and lower[first] not in _ADVERBS:
        return _Site("scope")
    if first >= clause.verb and clause.subject in ("indefinite", "plural", "quantified", "joined"):
        return _Site("indefinite")
    return _opposed(words, clause, first, last)


def _places(words: Sequence[Word]) -> list[tuple[int, int]]:
    """Where quantifiers stand, first word to last."""
    found: list[tuple[int, int]] = []
    at = 0
    while at < len(words):
        lower, after = words[at].lower, words[at + 1].lower if at + 1 < len(words) else ""
        last = at
        if (
            (lower == "at" and after in ("least", "most"))
            or (lower in ("more", "less", "fewer") and after == "than")
            or (lower == "a" and after == "few")
            or (lower == "no" and after == "one")
            or (lower == "the" and after == "most" and at + 2 < len(words) and words[at + 2].tag in ("JJ", "RB", "VBN"))
        ):
            last = at + 1
        elif lower in ("more", "less", "fewer"):
            if not any(word.lower == "than" for word in words[at + 1 : at + 7]):
                at += 1
                continue
        elif lower == "must":
            last = at + 1 if after == "not" else at
        elif lower not in _CUES or lower in _OPEN or lower == "least":
            at += 1
            continue
        found.append((at, last))
        at = last + 1
        if lower == "neither" and (nor := next((one for one in range(at, len(words)) if words[one].lower == "nor"), 0)):
            found[-1] = (found[-1][0], nor)
            at = nor + 1
    return found


def _opposed(words: Sequence[Word], clause: Clause, first: int, last: int) -> _Site:
    """The contraries of the quantifier at first to last."""
    cue = " ".join(word.lower for word in words[first : last + 1]) if last - first < 2 else words[first].lower
    if words[first].lower in ("at", "more", "less", "fewer") and last > first:
        return _bound(words, first, last)
    if cue in ("more", "less", "fewer"):
        return _compared(words, first)
    if cue == "the most":
        return _site_of(words, last, last, ("least",))
    if cue in ("must", "must not"):
        if first != clause.verb:
            return _Site("scope")
        return _site_of(words, first, last, ("must not",) if cue == "must" else ("must",))
    if cue in _ADVERBS:
        if not clause.verb - 2 <= first <= clause.verb + 2:
            return _Site("scope")
        if cue == "never" and _of_an_event(words, first):
            return _Site("event")
        return _positive(words, first, cue) or _site_of(words, first, last, _ADVERBS[cue])
    if cue in _PRONOUNS:
        if words[first - 1].lower in ("of", "for") and first:
            return _Site("idiom")
        return _positive(words, last, cue) or _site_of(words, first, last, (_PRONOUNS[cue],))
    if cue in ("both", "neither"):
        return _pair(words, clause, first)
    return _determiner(words, clause, first, last, cue)


def _of_an_event(words: Sequence[Word], never: int) -> bool:
    """Whether `never` is said of what happens once, of which there is no `always`: `They have never met`, `She never married`."""
    from negforge.lexicon import lexicon

    group = [word.lower for word in words[never + 1 : never + 4] if word.tag[:2] in ("VB", "NN", "JJ")][:2]
    bases = [set(lexicon().bases(word, "v")) for word in group]
    if any(not _ONCE_ONLY.isdisjoint(one) for one in bases[:1]) or (group[:1] and group[0] in clauses.BE | {"been"} and _any_once(bases)):
        return True
    perfect = any(word.lower in clauses.HAVE | {"having"} for word in words[max(0, never - 2) : never])
    if not perfect or not group:
        return False
    after = next((at for at in range(never + 1, len(words)) if words[at].lower == group[0]), never) + 1
    if group[0] == "been":  # `been told`, `been to Rome`
        return after < len(words) and (words[after].lower == "to" or (len(group) > 1 and clauses.is_participle(group[1])))
    return group[0] != "had" and _STATIVE.isdisjoint(bases[0])


def _any_once(bases: Sequence[set[str]]) -> bool:
    return any(not _ONCE_ONLY.isdisjoint(one) for one in bases)


def _site_of(words: Sequence[Word], first: int, last: int, values: Sequence[str]) -> _Site:
    """The words first to last as each of the values, in their letter case."""
    start, end, shown = words[first].start, words[last].end, words[first].text
    return _Site(
        "", tuple(((start, end, recased(one, shown if len(shown) > 1 else "Aa" if shown.isupper() else shown)),) for one in values)
    )


def _positive(words: Sequence[Word], place: int, cue: str) -> _Site | None:
    """A refusal, where the words after a negative cue go with a negation alone."""
    if cue in _NEGATIVE | {"no one"} and any(word.lower in POLARITY_ITEMS or word.lower == "or" for word in words[place + 1 :]):
        return _Site("polarity-item")
    return None


def _bound(words: Sequence[Word], first: int, last: int) -> _Site:
    """`at least 3 dogs`: `fewer than 3 dogs`."""
    kind = f"{words[first].lower} {words[last].lower}"
    at = last + 1
    if at < len(words) and words[at].text in "$\u20ac\u00a3":
        at += 1
    if at >= len(words) or words[at].tag != "CD":
        return _Site("idiom")
    end = at
    while end + 1 < len(words) and (words[end + 1].tag == "CD" or words[end + 1].lower in ("million", "billion", "thousand", "hundred")):
        end += 1
    after = words[end + 1] if end + 1 < len(words) else None
    if after is not None and (after.text in ("-", "\u2013", "/", ":") or after.lower in ("to", "or", "and")):
        return _Site("range")
    if words[at].lower == "one" and kind in ("at least", "fewer than", "less than"):
        if kind != "at least" or after is None or after.tag not in ("NN", "JJ"):
            return _Site("idiom")
        return _site_of(words, first, at, ("no",))
    counted = (
        after is not None and after.tag in ("NNS", "JJ") and after.lower not in _MEASURES and words[at - 1].text not in "$\u20ac\u00a3"
    )
    below = "fewer than" if counted else "less than"
    return _site_of(
        words, first, last, {"at least": (below,), "at most": ("more than",), "more than": ("at most",)}.get(kind, ("at least",))
    )


def _compared(words: Sequence[Word], first: int) -> _Site:
    """`more careful than`: `less careful than`; `more dogs than`: `fewer dogs than`."""
    cue = words[first].lower
    after = words[first + 1]
    if after.tag not in ("JJ", "RB", "NN", "NNS", "VBN") or (
        first and words[first - 1].lower in ("once", "any", "or", "and", "the", "no", "what")
    ):
        return _Site("idiom")
    than = next(at for at in range(first + 1, len(words)) if words[at].lower == "than")
    if cue != "more":
        return _site_of(words, first, first, ("more",))
    noun = next((word for word in words[first + 1 : than] if word.tag in ("NN", "NNS")), after)
    counted = after.tag not in ("RB", "VBN") and noun.tag == "NNS" and clauses.is_plural(noun.lower)
    return _site_of(words, first, first, ("fewer" if counted else "less",))


def _pair(words: Sequence[Word], clause: Clause, first: int) -> _Site:
    """`both dogs are`: `neither dog is`; `neither A nor B`: `both A and B`."""
    cue, put = words[first], "neither" if words[first].lower == "both" else "both"
    pieces = [(cue.start, cue.end, recased(put, cue.text))]
    link, other = ("and", "nor") if put == "neither" else ("nor", "and")
    joined = next((at for at in range(first + 1, min(len(words), first + 8)) if words[at].lower == link), 0)
    subject = first == clause.first
    if joined and not (subject and joined > clause.verb):
        if not subject and (words[first + 1].tag == "NNS" or any(word.lower in _FINITE for word in words[joined:])):
            return _Site("agreement")  # `in both groups and overall`
        if any(word.text == "," for word in words[first:joined]) or any(word.tag == "CC" for word in words[joined + 1 :]):
            return _Site("coordinated")
        pieces.append((words[joined].start, words[joined].end, other))
    elif first + 1 < len(words) and words[first + 1].lower == "of":
        pass
    elif first + 1 < len(words) and words[first + 1].tag in ("NNS", "NN", "JJ") and subject:
        noun = next((word for word in words[first + 1 : clause.verb][::-1] if word.tag in ("NN", "NNS")), None)
        inside = words[first + 1 : clause.verb]
        if noun is None or any(word.tag in ("IN", "CC", ",") for word in inside) or noun is not inside[-1]:
            return _Site("agreement")
        number = _singular(noun.lower) if put == "neither" else inflected(noun.lower, "NNS")
        if number is None:
            return _Site("agreement")
        pieces.append((noun.start, noun.end, number))
    else:
        return _Site("floating")
    nearest = words[clause.verb - 1]
    if subject and not (joined and put == "neither" and nearest.tag in ("NNS", "NNPS")):
        agreed = _agreed(words[clause.verb], clause, many=put == "both")
        if agreed is None:
            return _Site("agreement")
        pieces += agreed
    return _Site("", (tuple(pieces),))


def _singular(noun: str) -> str | None:
    """The one base that a plural noun is of, or None."""
    from negforge.lexicon import lexicon

    if not clauses.is_plural(noun) or noun in ("people", "police", "cattle"):
        return None
    bases = [one for one in lexicon().bases(noun, "n") if one != noun and inflected(one, "NNS") == noun]
    return bases[0] if len(bases) == 1 else None


def _agreed(verb: Word, clause: Clause, *, many: bool) -> list[tuple[int, int, str]] | None:
    """What must change of a verb for a subject of one or of many; None where that cannot be told."""
    table = _ONCE if many else _MANY
    if verb.lower in table:
        return [(verb.start, verb.end, recased(table[verb.lower], verb.text))]
    if clause.kind == "modal" or clause.tag == "VBD" or verb.lower in table.values() or verb.lower == "had":
        return []
    if clause.kind != "verb" or not clause.base:
        return None
    made = clause.base if many else inflected(clause.base, "VBZ")
    return [(verb.start, verb.end, made)] if made else None


def _determiner(words: Sequence[Word], clause: Clause, first: int, last: int, cue: str) -> _Site:
    """`all dogs`: `no dogs`; `all the dogs`: `none of the dogs`."""
    if last + 1 >= len(words):
        return _Site("floating")
    after = words[last + 1]
    before = words[first - 1].lower if first else ""
    if before in (
        "of",
        "for",
        "at",
        "after",
        "above",
        "the",
        "a",
        "this",
        "his",
        "her",
        "their",
        "its",
        "my",
        "your",
        "our",
        "these",
        "those",
    ):
        return _Site("idiom")
    if first and (words[first - 1].tag in ("POS", "CD", "PRP$") or before.endswith(("'s", "'"))):
        return _Site("idiom")
    if first > clause.verb and _listed(words, first, last):
        return _Site("coordinated")
    if before in ("between", "among", "than", "like"):
        return _Site("idiom")
    if cue in _SINGULAR and (
        before == "with" or (after.lower.endswith("th") and after.tag in ("JJ", "NN")) or after.lower in ("other", "second", "third")
    ):
        return _Site("idiom")
    if cue in _SINGULAR and first != clause.first and words[first - 1].tag not in ("IN", "TO") and first != clause.verb + 1:
        # `two bags each day`: said of each, not the object of the verb.
        return _Site("floating")
    if after.lower in _TIMES | {"last", "next"} or (
        after.lower in ("other", "single", "the") and last + 2 < len(words) and words[last + 2].lower in _TIMES
    ):
        return _Site("temporal")
    subject = first == clause.first
    if cue in ("no", "none"):
        return _negative(words, clause, first, last, cue) if subject else _Site("scope")
    after_be = before in clauses.BE and clause.subject != "there"
    if after_be or (first and words[first - 1].tag in ("PRP", "NNS", "NNP") and words[first - 1].text != ","):
        return _Site("floating")
    if clause.subject == "there" and cue in ("all", "every", "each", "most", "few"):
        return _Site("idiom")
    values = _PLURAL_ONLY.get(cue) or _SINGULAR.get(cue) or ("no",)  # `a few`
    joined = [words[at + 1].tag for at in range(last + 1, clause.verb) if words[at].tag == "CC"] if subject else []
    if not {"DT", "CD", "PRP$", "NNP"}.isdisjoint(joined):
        return _Site("coordinated")  # `several cows and a horse`
    if after.lower == "of":
        noun = next((word for word in words[last + 2 :] if word.tag in ("NN", "NNS", "NNP", "NNPS", "PRP")), None)
        if noun is None or ("few" in values and not (clauses.is_plural(noun.lower) or noun.tag == "PRP")):
            return _Site("agreement")
        return _site_of(words, first, last, tuple("none" if one == "no" else one for one in values))
    if after.tag in ("DT", "PRP$", "CD") and cue == "all" and after.lower not in ("that", "this", "these", "those", "each", "another"):
        if after.tag == "CD" and last + 2 < len(words) and words[last + 2].lower == "of":
            return _Site("agreement")
        put = "none of" if after.tag != "CD" else "none of the"
        return _site_of(words, first, last, (put,))
    if after.lower in _AFTER_IDIOM or after.tag not in ("NN", "NNS", "NNP", "NNPS", "JJ", "VBN", "VBG"):
        return _Site("idiom")
    noun = next((word for word in words[last + 1 :] if word.tag in ("NN", "NNS", "NNPS", "NNP")), None)
    if noun is None:
        return _Site("idiom")
    at = words.index(noun)
    while at + 1 < len(words) and words[at + 1].tag in ("NN", "NNS"):
        at += 1
    plural = "few" in values or cue in ("some", "many", "several", "a few", "few", "numerous")
    if plural and not clauses.is_plural(words[at].lower):
        return _Site("agreement")
    return _site_of(words, first, last, values if subject or cue != "few" else values[:1])


def _listed(words: Sequence[Word], first: int, last: int) -> bool:
    """Whether an object is one of several: `took Ioannina and some towns`, `took some towns and Ioannina`."""
    if words[first - 1].tag == "CC" or words[first - 1].text in (",", "&"):
        return True
    for at in range(last + 1, len(words) - 1):
        word = words[at]
        if word.text == "," or word.tag == "CC":
            return words[at + 1].tag in ("DT", "CD", "PRP$", "NNP")
        if word.tag not in ("NN", "NNS", "JJ", "VBN", "VBG", "NNP"):
            break
    return False


def _negative(words: Sequence[Word], clause: Clause, first: int, last: int, cue: str) -> _Site:
    """`no dog is`: `every dog is`; `none of the dogs is`: `all of the dogs are`."""
    verb = words[clause.verb]
    refused = _positive(words, last, cue)
    if refused is not None:
        return refused
    if cue == "none":
        agreed = _agreed(verb, clause, many=True) if words[last + 1].lower == "of" else None
        if agreed is None:
            return _Site("agreement")
        return _Site("", (((words[first].start, words[first].end, recased("all", words[first].text)), *agreed),))
    noun = next((word for word in words[first + 1 : clause.verb] if word.tag in ("NN", "NNS")), None)
    if noun is None or words[first + 1].lower in ("such", "other", "doubt", "longer", "matter"):
        return _Site("idiom")
    at = words.index(noun)
    while at + 1 < clause.verb and words[at + 1].tag in ("NN", "NNS"):
        at += 1
    if verb.lower in _MANY or verb.lower in _ONCE:
        return _site_of(words, first, last, ("all",) if verb.lower in _MANY else ("every",))
    return _site_of(words, first, last, ("all",) if clauses.is_plural(words[at].lower) else ("every",))
