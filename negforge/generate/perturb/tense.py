"""Put the main verb in a tense that a time in its own clause excludes: `It closed in 1950` becomes `It will close in 1950`.

A change of tense alone is a reformulation, no negative: `He lives there` and `He lived there` may both hold. So only a clause that
itself says when is edited, and only to a tense in which that time cannot lie: the past (`yesterday`, `last week`, `ago`, a year up to
2019) becomes the future with `will`; the future (`tomorrow`, `next week`) becomes the past. What is made contradicts its own time; it is
false whatever the facts, and a reader sees it from the text alone. Of a text of several sentences one is changed.
Refused, by reason of the first sentence: `question`, `exclamation`, `conditional`, `reported`, `quoted`, `short`, `imperative`, `hedged`,
`negated`; `no-anchor` (no such time, or in another clause), `two-anchors`, `since` (a time that reaches until now), `fits` (the tense is
not that of its time, or goes with it anyway), `verb-form`, `no-verb`, `opener`, `coordinated`, `several-verbs`, `inverted`, `idiom`; and
`protected`.
Source: Reichenbach, Elements of Symbolic Logic, 1947, section 51 (tenses and the time they are at).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Annotated, NamedTuple

from pydantic import Field

from negforge import clauses, tagging
from negforge.clauses import Clause, Sentence, Word
from negforge.contract import Declares, Edit, Refusal
from negforge.grammar import HEDGES, negated, unasserted
from negforge.records import Pairs
from negforge.rng import Rng
from negforge.words import inflected

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
    candidates=r"(?i)\b(?:yesterday|tomorrow|ago|last|next|1[0-9]{3}|20[01][0-9]|1[0-9]th|century)\b",
    bar=0.95,
)

_SENTENCES = 64  # of one text that are looked at
_SPAN = "(?:night|week|month|year|summer|winter|spring|autumn|fall|weekend|season|decade|century"
_SPAN += "|monday|tuesday|wednesday|thursday|friday|saturday|sunday)"
_PAST = re.compile(
    rf"(?i)\b(?:yesterday|(?<!the )last {_SPAN}|\w+ (?:years|weeks|months|days|centuries|decades|hours|minutes) ago"
    r"|(?:in|during|on|of)(?: the)?(?: (?:early|late|mid|spring|summer|autumn|fall|winter))?"
    r"(?: (?:[0-9]{1,2} )?(?:january|february|march|april|may|june|july|august|september|october|november|december)(?: [0-9]{1,2})?,?)?"
    r" (?:1[0-9]{3}|20[01][0-9])(?:'?s)?|in the (?:1[0-9]th|[a-z]+teenth) century)(?![\w-])"
)
_FUTURE = re.compile(rf"(?i)\b(?:tomorrow|(?<!the )next {_SPAN})\b")
_REACHING = re.compile(
    r"(?i)\b(?:since|until|till|by|from|every|each|always|now|today|currently|still|before|after|planned|scheduled|due)\b"
)
_QUOTES = re.compile('["\u201c\u201d\u00ab\u00bb]')
_LATER = {"is": "be", "are": "be", "am": "be", "was": "be", "were": "be", "has": "have", "have": "have", "had": "have"}


class _Made(NamedTuple):
    """Pieces of a text that become others; or the reason why there is none."""

    reason: str
    pieces: tuple[tuple[int, int, str], ...] = ()


def generate(
    batch: Pairs,
    rng: Rng,
    *,
    protect: Annotated[str, Field(description="Leave text alone that overlaps a match of this regular expression.")] = r"(?!)",
    num_negatives: int = 1,
) -> Iterator[Edit | Refusal]:
    """Edit each `positive` at one verb, or say why not.

    batch: n rows of `id`, `positive`, `positive_tags`. Yields up to `num_negatives` edits of a row (character offsets in `positive`), one a
    sentence, in an order drawn for the row; or one refusal, with the reason of the first sentence that is no `no-anchor`.
    """
    protected = None if protect == r"(?!)" else re.compile(protect)
    for row_id, text, tokens in zip(batch["id"].to_list(), batch["positive"].to_list(), tagging.tokens(batch), strict=True):
        spared = [match.span() for match in protected.finditer(text)] if protected is not None else []
        found: list[Edit] = []
        refused: Refusal | None = None
        quotes = 0
        for sentence in clauses.split(text, tokens)[:_SENTENCES]:
            made = _Made("quoted") if quotes % 2 else _made(text, sentence)
            quotes += len(_QUOTES.findall(text, sentence.start, sentence.end))
            reason = made.reason
            if not reason:
                edit = _edit(row_id, text, made.pieces)
                if not any(edit.start < end and start < edit.end for start, end in spared):
                    found.append(edit)
                    continue
                reason = "protected"
            if refused is None or refused.reason == "no-anchor":
                refused = Refusal(row_id, reason, text[sentence.start : sentence.end].strip()[:200])
        if found:
            yield from rng.shuffled(row_id, found)[:num_negatives]
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


def _made(text: str, sentence: Sentence) -> _Made:
    """What becomes of a sentence."""
    shown = text[sentence.start : sentence.end]
    past, future = ([*pattern.finditer(shown)] for pattern in (_PAST, _FUTURE))
    if not past and not future:
        return _Made("no-anchor")
    reason = unasserted(shown)
    if reason:
        return _Made(reason)
    if negated(shown):
        return _Made("negated")
    words = sentence.words
    if not HEDGES.isdisjoint(word.lower for word in words):
        return _Made("hedged")
    if past and future:
        return _Made("two-anchors")
    if _REACHING.search(shown):
        return _Made("since")
    clause = clauses.main_clause(words)
    if clause.reason:
        return _Made(clause.reason)
    if not _same_clause(words, clause, sentence.start + (past or future)[0].start()):
        return _Made("no-anchor")
    return _later(words, clause) if past else _earlier(words, clause)


def _same_clause(words: Sequence[Word], clause: Clause, start: int) -> bool:
    """Whether what begins at a place stands in the main clause: before its subject, or after its verb with no other clause between."""
    place = next((at for at, word in enumerate(words) if word.end > start), len(words))
    if place < clause.first:
        return True
    if place < clause.verb:
        return False
    between = words[clause.verb + 1 : place]
    return not any(
        word.lower in clauses.OPENING or word.lower in ("that", "and", "or", "but", "to") or word.text in ",;:()" or word.tag == "VBG"
        for word in between
    )


def _later(words: Sequence[Word], clause: Clause) -> _Made:
    """The verb in the future, of a clause whose time is past."""
    verb = words[clause.verb]
    if clause.kind == "verb":
        if clause.tag != "VBD":
            return _Made("fits")
        return _Made("", ((verb.start, verb.end, f"will {clause.base}"),))
    if clause.kind in ("be", "have") and verb.lower in ("was", "were"):
        after = words[clause.verb + 1] if clause.verb + 1 < len(words) else None
        if after is None or after.tag == "TO":
            return _Made("idiom")
        return _Made("", ((verb.start, verb.end, f"will {_LATER[verb.lower]}"),))
    return _Made("fits")


def _earlier(words: Sequence[Word], clause: Clause) -> _Made:
    """The verb in the past, of a clause whose time is to come."""
    verb = words[clause.verb]
    if clause.kind != "modal" or verb.lower not in ("will", "'ll") or clause.verb + 1 >= len(words):
        return _Made("fits")
    main = words[clause.verb + 1]
    if main.lower == "be":
        before = words[clause.verb - 1]
        made: str | None = (
            "were" if clause.subject in ("plural", "joined") or before.tag in ("NNS", "NNPS") or before.lower in _MANY else "was"
        )
    else:
        made = "had" if main.lower == "have" else inflected(main.lower, "VBD")
    if made is None or (main.lower != "be" and not any(form == (main.lower, "VBP") for form in clauses.verb_form(main.lower))):
        return _Made("verb-form")
    blank = " " if verb.lower == "'ll" else ""
    return _Made("", ((verb.start, main.end, blank + made),))


_MANY = frozenset(("we", "you", "they"))
