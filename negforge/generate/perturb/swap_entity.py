"""Swap two entities of the same type around a relation that holds one way only, so that both sentences cannot be true.

`Ben has 3 more than Ann` becomes `Ann has 3 more than Ben`. Names are found as `negforge/mentions.py` says, and move whole, with their
`the`, at every place of the text where either stands, in one edit that spans them. The words between the two must be one of:
- a comparison (`has 3 more than`, `is older than`, `twice as many as`), closed by what follows;
- kinship or office (`is the son of`, `was the teacher of`), or a thing done once (`founded`, `killed`, `succeeded`, `was named after`);
- a place in another (`is a town in`, `is the capital of`) or on a side of it (`lies north of`);
- beside a number or a year, what is not done twice just so: `owes $5 to`, `beat ... 3-1 ... in 1990`, `moved from ... to ... in 1990`.
Refused, by reason: `type-unknown`, `type-differs`, `coordinated`, `list`, `apposition`, `symmetric` (`met`, `is married to`,
`is next to`), `alias` (one names the other, or a part of a name stands alone elsewhere), `possessive`, `modifier`, `pronoun` and `gender`
(what would not agree), `open-relation` (both ways may be true: `loves`, `gave`, `wants to`), `negated`, and what a sentence does not
assert: `question`, `conditional`, `reported`, `quoted`, `exclamation`, `short`; and `protected`.
Source: QData/TextAttack#752 (one mention of two was changed), makcedward/nlpaug#143 (offsets), makcedward/nlpaug#296 (protected words);
Parcalabescu et al., VALSE, 2022 (91 % of swapped actors make a false caption).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Annotated, NamedTuple

from pydantic import Field

from negforge import grammar, mentions, tagging
from negforge.contract import Declares, Edit, Refusal
from negforge.mentions import Mention
from negforge.records import Pairs
from negforge.rng import Rng
from negforge.tagging import Token

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
    candidates=r"\p{Lu}\p{L}.*[^\p{L}]\p{Lu}\p{L}",
    bar=0.95,
)

_COUNT = r"(?:\d[\d,./]*|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)"
_TIMES = rf"(?:twice|thrice|half|double|triple|a (?:third|quarter|fifth) |{_COUNT} times|{_COUNT}%)"
_ADVERBS = r"(?:(?:later|soon|also|then|once|first|\w+ly) )*"
_HAD = r"(?:(?:has|have|had) )?"
_BE = r"(?:is|was|are|were|became|remained)"
_KIN = (
    "son|daughter|father|mother|wife|husband|widow|widower|grandson|granddaughter|grandfather|grandmother|nephew|niece|uncle|aunt|stepson|"
    "stepdaughter|stepfather|stepmother|parent|child|successor|predecessor|disciple|apprentice|pupil|student|teacher|mentor|tutor|"
    "protege|boss|employer|employee|assistant|servant|founder|subsidiary|owner|ancestor|descendant"
)
_GENDERED = re.compile(r"\b(?:son|daughter|father|mother|wife|husband|widow|widower|nephew|niece|uncle|aunt|(?:grand|step)\w+)\b")
# Done once to one: the other way round it would have to be another story.
_ONCE = (
    "founded|established|acquired|bought out|purchased|owns|owned|employs|employed|hired|fired|taught|tutored|mentored|coached|trained|"
    "raised|adopted|fathered|succeeded|preceded|replaced|killed|murdered|assassinated|executed|overthrew|deposed|conquered|annexed|colonized|"
    "colonised|ruled|governed|inherited|appointed|nominated|knighted|crowned|portrayed|directed|created|outlived|outsold|outscored|"
    "gave birth to|absorbed|took over"
)
_ONCE_DONE = (
    "founded|established|acquired|bought|purchased|owned|employed|hired|fired|taught|tutored|mentored|coached|trained|raised|adopted|fathered|"
    "succeeded|preceded|replaced|killed|murdered|assassinated|executed|overthrown|deposed|conquered|annexed|colonized|colonised|ruled|"
    "governed|appointed|nominated|knighted|crowned|portrayed|directed|created|absorbed|taken over|defeated"
)
_OWED = "owes|owed"
_WON = "defeated|beat|edged|thrashed|knocked out"
_PLACES = (
    "capital|city|town|village|located|situated|part|region|province|county|district|suburb|island|port|municipality|neighborhood|"
    "neighbourhood|borough|commune|seat|settlement|resort|community|river|mountain|peak|lake"
)
_SIDES = "(?:north|south|east|west|north-?east|north-?west|south-?east|south-?west)"
_OF_IT = rf" the (?:\w+ )?(?:state|province|county|country|city|region|heart|{_SIDES}(?:ern)?)(?: part)? of"
_WHERE = rf"(?:in|of|within|inside)(?:{_OF_IT}| {_SIDES}ern)?"
_RELATIONS: tuple[tuple[str, re.Pattern[str], bool], ...] = tuple(
    (name, re.compile(pattern), counted)
    for name, pattern, counted in (
        ("compared", r"[a-z]+(?: [\w$%.,/\u20ac\u00a3-]+){0,10}? (?:more|less|fewer|[a-z]{3,}er)(?: [\w-]+){0,5} than", False),
        ("compared", rf"[a-z]+(?: [\w$%.,/-]+){{0,8}}? {_TIMES} ?(?:as|the) (?:many|much|[a-z]+)(?: [\w-]+){{0,4}} (?:as|of)", False),
        ("kin", rf"{_ADVERBS}{_BE} {_ADVERBS}(?:the |a |an )?(?:[a-z-]+ ){{0,2}}(?:{_KIN}) (?:of|to)", False),
        ("once", rf"{_ADVERBS}{_HAD}{_ADVERBS}(?:{_ONCE})", False),
        ("once", rf"(?:is|was|were|(?:has|had|have) been) {_ADVERBS}(?:{_ONCE_DONE})(?: in \d+| on [\w ,]+\d)? by", False),
        ("once", r"(?:is|was|were) (?:re)?named (?:after|for|in honou?r of)", False),
        ("inside", rf"{_ADVERBS}(?:{_BE}|lies|lay|sits) {_ADVERBS}(?:[\w-]+ ){{0,6}}(?:{_PLACES})(?: \w+){{0,2}} {_WHERE}", False),
        (
            "inside",
            rf"(?:is|was|lies|lay|sits) (?:just |directly |[\w.,]+ (?:miles|km|kilometers|kilometres) )?(?:to the )?{_SIDES} of",
            False,
        ),
        ("owed", rf"{_ADVERBS}(?:{_OWED})", True),
        ("owed", rf"{_ADVERBS}(?:{_OWED}) [\w$%.,/ -]+ to", True),
        ("won", rf"{_ADVERBS}{_HAD}(?:{_WON})", True),
    )
)
_MOVED = re.compile(
    r"\b(?:moved|emigrated|immigrated|migrated|relocated|transferred)(?: (?:back|away|permanently|[a-z]+ly|with \w+ \w+))? from (?:the )?$"
)
_CLOSED = re.compile(r"\s*(?:(?:does|did|do|has|had|is|was|[a-z]{3,}(?:ed|[a-z]s))?(?: now| today)?\s*(?:$|[.;,:)])|(?:and|but|while)\b)")
_JOINED = re.compile(r"\s*(?:,|and|or|nor|&|,?\s+and|,\s*or|vs\.?|versus|as well as|/|-|\u2013)\s*(?:the\s+)?", re.IGNORECASE)
_BREAKS = mentions.listed(
    """and or but who which that while because when whose where although though not than before after until he she they it i we you
    what how so than"""
)
_TIMES_OF = "In|On|At|By|Of|During|After|Since|From|Today|Yesterday|Later|Then|Now"
_OPENS = re.compile(rf"(?:|(?:{_TIMES_OF})\b[^,;]{{0,50}}, |[A-Z][a-z]+ \w+ ago, |.*(?:; |, (?:and|but|while) ))(?:[Tt]he )?")
_THE = re.compile(r"(?<![^\W_])[Tt]he $")
_DETERMINED = re.compile(r"(?i)(?<![^\W_])(?:an?|this|that|each|every|his|her|their|its) $")
_MODAL = re.compile(r"\b(?:can|may|should|must|shall|will|(?i:if|maybe|perhaps|possibly|probably|allegedly|likely))\b")
_DATED = re.compile(r"\b\d{4}\b")
_INTENDED = re.compile(r"\b(?:wants?|wanted|plans?|planned|hopes?|hoped|needs?|needed|tries|tried|decides?|decided|likes?|liked) to\b")
_NUMBERED = re.compile(rf"\d|\b{_COUNT}\b")


class _Pair(NamedTuple):
    """Two mentions next to each other in a sentence, characters first to last of the text."""

    one: Mention
    two: Mention
    first: int
    last: int


def generate(
    batch: Pairs,
    rng: Rng,
    *,
    protect: Annotated[str, Field(description="Leave names alone that overlap a match of this regular expression.")] = r"(?!)",
    num_negatives: int = 1,
) -> Iterator[Edit | Refusal]:
    """Swap two mentions of each `positive`, or say why not.

    batch: n rows of `id`, `positive`, `positive_tags`. Yields up to `num_negatives` edits of a row, one for each pair of names that
    fits, in an order drawn for the row; or one refusal, with the reason of the first pair. A row with fewer than two names in any one
    sentence is `no-site`.
    """
    protected = None if protect == r"(?!)" else re.compile(protect)
    for row_id, text, tokens in zip(batch["id"].to_list(), batch["positive"].to_list(), tagging.tokens(batch), strict=True):
        pairs = _pairs(text, tokens)
        free: list[tuple[int, int, str]] = []
        refused = ("", "")
        for pair in pairs:
            reason = _reason(text, tokens, pair)
            if not reason:
                changes = _changes(text, pair)
                spared = protected is not None and any(
                    match.start() < end and start < match.end() for match in protected.finditer(text) for start, end, _ in changes
                )
                if not spared:
                    free.append(mentions.replaced(text, changes))
                    continue
                reason = "protected"
            refused = refused if refused[0] else (reason, text[pair.one.start : pair.two.end][:200])
        if free:
            yield from (Edit(row_id, *edit) for edit in rng.shuffled(row_id, dict.fromkeys(free))[:num_negatives])
        elif refused[0]:
            yield Refusal(row_id, *refused)


def _pairs(text: str, tokens: Sequence[Token]) -> list[_Pair]:
    """Pairs of names that no third one stands between, sentence by sentence."""
    found = mentions.mentions(text, tokens)
    if len(found) < 2:
        return []
    pairs = []
    for first, last in tagging.sentences(text):
        inside = [one for one in found if first <= one.start < last]
        pairs += [_Pair(one, two, first, last) for one, two in pairwise(inside)]
    return pairs


def _reason(text: str, tokens: Sequence[Token], pair: _Pair) -> str:
    """Why a pair cannot be swapped, or nothing."""
    one, two = pair.one, pair.two
    sentence = text[pair.first : pair.last]
    if not (one.kind and two.kind):
        return "type-unknown"
    if one.kind != two.kind:
        return "type-differs"
    if mentions.alias(one.name, two.name):
        return "alias"
    reason = grammar.unasserted(sentence)
    if reason or grammar.negated(sentence):
        return reason or "negated"
    words = set(grammar.lowered(sentence))
    between = text[one.end : two.start]
    if _JOINED.fullmatch(between):
        listed = between.strip() in (",", "/", "-", "\u2013") and not re.match(r",? (?:and|or) ", text[two.end :])
        return "apposition" if listed and between.strip() == "," else "coordinated" if between.strip() not in (",", "/") else "list"
    if between.strip() == "(":
        return "apposition"
    if text[one.end : one.end + 2] in ("'s", "\u2019s") or text[two.end : two.end + 2] in ("'s", "\u2019s", "' ", "\u2019 "):
        return "possessive"
    if _symmetric(between, words):
        return "symmetric"
    if _MODAL.search(sentence):
        return "conditional"
    return _related(text, tokens, pair, between) or _agreement(text, pair, between)


def _symmetric(between: str, words: set[str]) -> bool:
    """Whether the words between two names, or around them, say what holds both ways."""
    inner = grammar.lowered(between)
    bases = {word.rstrip("s") for word in inner} | {word.removesuffix("d") for word in inner} | {word.removesuffix("ed") for word in inner}
    if not grammar.SYMMETRIC_VERBS.isdisjoint({*inner, *bases}) or not {"met", "fought", "spoke"}.isdisjoint(inner):
        return True
    said = " ".join(inner)
    if any(re.search(rf"\b{one}\b", said) for one in grammar.SYMMETRIC_PREPOSITIONS - {"by", "with", "against", "around", "opposite"}):
        return True
    return not (grammar.SYMMETRIC_WORDS - {"between", "both", "respectively", "different"}).isdisjoint(inner) or "respectively" in words


def _related(text: str, tokens: Sequence[Token], pair: _Pair, between: str) -> str:
    """Why the words between two names are no relation that holds one way only, or nothing."""
    one, two = pair.one, pair.two
    the = _THE.search(between)
    said = " ".join((between[: the.start()] if the else between).split())
    sentence, before, after = text[pair.first : pair.last], text[pair.first : one.start], text[two.end : pair.last]
    if _DETERMINED.search(before) or _DETERMINED.search(between) or _followed_by_noun(text, tokens, two):
        return "modifier"
    if said in ("to", "to the") and _MOVED.search(before):
        return "" if _DATED.search(sentence) else "open-relation"
    if _INTENDED.search(said) or not _BREAKS.isdisjoint(set(grammar.lowered(re.sub(r"\bthan$", "", said)))):
        return "open-relation"
    lower = said.lower()
    for name, pattern, counted in _RELATIONS:
        if not pattern.fullmatch(lower) or (counted and not _NUMBERED.search(text[one.end : pair.last].lower())):
            continue
        if re.match(r"\s*(?:,|and|or|&)\s*(?:the )?[A-Z]", after) or re.search(r"[A-Z]\S*,? (?:and|or|&) (?:the )?$", before):
            return "coordinated"
        if not _OPENS.fullmatch(before) or (name == "compared" and not _CLOSED.match(after)):
            return "open-relation"
        if name == "won" and not _DATED.search(sentence):
            return "open-relation"
        if name == "inside" and (one.kind != "place" or re.search(r"\b(?:one|sister|twin)\b", lower)):
            return "open-relation"
        return ""
    return "open-relation"


def _followed_by_noun(text: str, tokens: Sequence[Token], mention: Mention) -> bool:
    """Whether a name stands before a noun that it belongs to, as in `the Chicago police`."""
    after = next((token for token in tokens if token.start >= mention.end), None)
    if after is None or text[mention.end : after.start] != " ":
        return False
    word = text[after.start : after.end].lower()
    return after.tag.startswith(("NN", "JJ")) and word not in grammar.AUXILIARIES and not word.endswith("ly")


def _agreement(text: str, pair: _Pair, between: str) -> str:
    """What of the rest of the text would not agree with the names in each other's places, or nothing."""
    one, two = pair.one, pair.two
    if mentions.said_otherwise(text, one.name) or mentions.said_otherwise(text, two.name):
        return "alias"
    if one.kind != "person":
        return ""
    genders = {mentions.gender_of(one.name), mentions.gender_of(two.name)}
    same = len(genders) == 1 and "" not in genders
    if mentions.pronouns(text) and not same:
        return "pronoun"
    return "gender" if _GENDERED.search(between) and not same else ""


def _changes(text: str, pair: _Pair) -> list[tuple[int, int, str]]:
    """Every mention of the two names, with its article, and what is put in its place."""
    with_the = {one.name: _THE.search(text, 0, one.start) is not None for one in (pair.one, pair.two)}
    starts = {first for first, _ in tagging.sentences(text)}
    changes = []
    for one, other in ((pair.one, pair.two), (pair.two, pair.one)):
        for start, end in mentions.occurrences(text, one.name):
            article = _THE.search(text, 0, start)
            begin = article.start() if article else start
            new = f"the {other.name}" if with_the[other.name] else other.name
            changes.append((begin, end, new[:1].upper() + new[1:] if begin in starts else new))
    return changes
