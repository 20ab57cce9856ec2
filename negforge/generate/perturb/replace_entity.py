"""Replace an entity by another of its type from the data, where only the one can make the sentence true.

Who wrote a book, where someone was born, of what a town is the capital: relations that hold of one entity alone. The new name comes
from the names of the whole input, those a column or a file gives, and is of the same type (a person of the same gender, a city for a
city, an organisation), with `the` or without. All mentions change together, in one edit that spans them. Kept out of a name's place:
- what the data says there: every name that stands in the same text with the name cut out, or with another name of the text in any text;
- every name of the texts of the same anchor, and what may be the same or a part of the same (aliases, acronyms, places of another class).
Refused, by reason: `open-relation` (others may do so too: `wrote many poems`, `visited`, `lived in`), `type-unknown`, `topic` (the anchor
asks about it; with `--on anchor` it may change), `alias` (a part of the name stands alone elsewhere), `apposition` (`Dublin, Ireland`),
`coordinated`, `possessive`, `modifier`, `pronoun`, `generic` (`many ... were written by`), `negated`, `no-value`, `no-entity` (the
column's entity is not in the text), `protected`, and what a sentence does not assert: `question`, `conditional`, `reported`,
`exclamation`, `short`. A source that is not true gives negatives that may be: leave false claims out.
Source: QData/TextAttack#752 (one mention of two was changed), makcedward/nlpaug#143 (offsets), makcedward/nlpaug#296 (protected words);
Onoe et al., CREAK, 2021 (claims about entities).
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
import polars as pl
from pydantic import Field

from negforge import grammar, mentions, tagging
from negforge.contract import Declares, Edit, Refusal
from negforge.errors import UsageError, did_you_mean
from negforge.mentions import Mention
from negforge.records import Batches, Over, Pairs
from negforge.rng import U64, Rng, blake
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
    candidates=r"\p{Lu}\p{L}",
    bar=0.95,
)

Relations = Literal["exclusive", "any"]
_Column = Annotated[
    str | None, Field(description="A column that holds each row's entity: only this one is replaced, by others of the column.")
]
_File = Annotated[Path | None, Field(description="A text file of more names to choose from, one a line.", examples=["names.txt"])]
_POOL = 10_000  # names of one type that are kept, those of the least hashes
_TRIES = 64
_VALUES_EACH = 8
_ROWS = 10_000
_NAME, _FILLS, _WITH, _SAID = range(4)
_THE = re.compile(r"(?<![^\W_])[Tt]he $")
_QUALIFIER = re.compile(r"\s*\([^()]*\)$")
_NAMED = r"(?:[\"\u201c]|[A-Z])"
_LEADING = r"(?:[Tt]he )?(?:[a-z-]+ ){0,3}?"
_MANY = "many|several|some|a|an|numerous|various|most|few|other|different|one|two|three|countless|more|his|her|their|its|great"
_SOME = re.compile(rf"\b(?:{_MANY})\b", re.IGNORECASE)
_MADE = "founded|invented|discovered|wrote|directed|composed|painted|designed|created|established|authored|coined|patented|sculpted"
_MADE_BY = (
    "written|directed|composed|founded|invented|discovered|created|designed|painted|authored|established|assassinated|murdered|killed|"
    "sculpted|patented|coined|conceived"
)
_OFFICES = (
    "founder|author|inventor|creator|composer|discoverer|frontman|lead singer|lead guitarist|drummer|lead vocalist|capital|birthplace"
)
_KIN = "son|daughter|wife|husband|widow|widower|father|mother|brother|sister|nephew|niece|grandson|granddaughter|grandfather|grandmother"
_RANKS = r"first|second|third|fourth|fifth|last|only|\d+(?:st|nd|rd|th)"
_LEAD = r" (?:(?:later|also|first|originally|famously|[a-z]+ly) )?"
# What may be said of a name that opens its sentence, and then of no other.
_SUBJECT = tuple(
    re.compile(pattern)
    for pattern in (
        rf"{_LEAD}(?:{_MADE}) (?P<object>{_LEADING}){_NAMED}",
        rf"{_LEAD}(?:invented|discovered) (?:the [a-z]+|[a-z]+[^s\s.])[.]?$",
        r" (?:was born|died) on (?:[A-Z][a-z]+ \d{1,2}|\d{1,2} [A-Z][a-z]+),? \d{3,4}\b",
        rf" (?:is|was) (?:the|a) (?:[a-z]+ )?(?:{_KIN}) of (?:the )?[A-Z]",
        rf" (?:is|was) the (?:[a-z]+ )?(?:{_OFFICES}) of (?P<of>{_LEADING}){_NAMED}",
        rf" (?:is|was|became|served as) the (?:{_RANKS}) (?:[\w'-]+ ){{1,7}}?(?:of|in|to|on) ",
        r" is the (?!lat|great|b|w|fin|nic)(?:[a-z]+ )?[a-z]+est (?:[\w'-]+ ){1,5}?(?:of|in|on) (?:the )?(?:[A-Z]|world)",
        rf"{_LEAD}(?:married|assassinated|murdered|killed) (?:the [a-z]+ )?[A-Z]",
        rf"{_LEAD}(?:starred in|starred as|portrayed) (?P<part>(?:the )?(?:film |movie |series |show )?(?:the |The )?){_NAMED}",
    )
)
# What may stand before a name, and then before no other.
_WORKS = "film|movie|novel|song|album|book|play|opera|musical|painting|series|poem|single|sculpture|ballet|symphony|comedy|drama"
_AGENT = re.compile(
    rf"\b(?:(?:was|were|is|are|(?:has|had) been) (?:[a-z]+ly |first )?|(?:is|was) (?:a|an|the) (?:[\w'-]+ ){{0,6}}?(?:{_WORKS}) )"
    rf"(?:{_MADE_BY})(?: and (?:{_MADE_BY}))? by (?:the [a-z]+ ){{0,2}}$"
    rf"|\b(?:is|was) (?:a|an|the) (?:[\w'-]+ ){{0,4}}?(?:{_WORKS}) by $"
)
_EVENT = "took place|was held|is headquartered|was headquartered|is based|was founded|was established|was built"
_PLACED = re.compile(
    rf"^ (?:[a-z,]+ ){{0,4}}?(?:(?P<born>was born|died|was buried|is buried)|(?P<lies>(?:is|was) (?:located|situated)|lies|sits)"
    rf"|(?:{_EVENT}))"
    r" (?:on [A-Z][a-z]+ \d+, \d{4},? )?(?:in|at) (?:the )?(?:(?:city|town|state|country|province) of )?(?:the )?$"
)
_KINDS_OF_PLACE = "city|town|village|suburb|district|region|province|state|county|mountain|river|lake|port|municipality|country|island"
_IS_IN = re.compile(rf"^ (?:is|was) (?:a|an|the) (?:[\w-]+ ){{0,5}}?(?:{_KINDS_OF_PLACE}) (?:in|of) (?:the )?(?:[a-z]+ern )?$")
_HEADS = "king|queen|president|prime minister|emperor|empress|chancellor|premier|capital|tsar|sultan"
_HEAD_OF = re.compile(rf"^ (?:is|was|became) (?:a |an |the )?(?:[\w-]+ )?(?:{_HEADS}) of (?:the )?$", re.IGNORECASE)
_OPENING = re.compile(r"(?:(?:In|On|By) [^,]{1,30}, )?(?:[Tt]he )?")
_AND_OTHERS = re.compile(r"\s*(?:,? and (?![a-z]+ed )|,? or | & |,? as well as |,? along with |,? together with |,? with |/)")
_MORE_PLACE = re.compile(r",\s+(?:the )?[A-Z]|\s*\([A-Z]")
_MODAL = re.compile(r"\b(?:can|may|should|must|shall|will|(?i:if|maybe|perhaps|possibly|probably|allegedly|likely|once|almost|nearly))\b")


class _Group(NamedTuple):
    """What a name is to share with the one in whose place it comes."""

    kind: str
    place: str
    gender: str
    the: bool
    full: bool


@dataclass(frozen=True)
class State:
    """The names of the data by group, in order, and sorted 64-bit keys of what the data says of them."""

    pool: dict[_Group, list[str]]
    said: U64
    record: dict[str, Any] = field(default_factory=dict)

    def holds(self, *key: object) -> bool:
        """Whether the data says it."""
        wanted = np.uint64(_key(*key))
        place = int(np.searchsorted(self.said, wanted))
        return place < len(self.said) and bool(self.said[place] == wanted)


class _Site(NamedTuple):
    """A name of a text that may be replaced: all its mentions, its group, and the other names of the text."""

    name: str
    group: _Group
    spans: list[tuple[int, int]]
    others: tuple[str, ...]
    template: str


def prepare(whole: Batches, over: Over, *, entity: _Column = None, entities: _File = None, on: str = "positive") -> State:
    """Look through the whole input, whatever `--limit` leaves of it: n texts become a pool of names and a key for each thing said.

    Raises UsageError where the column is not there.
    """
    names: dict[_Group, set[str]] = defaultdict(set)
    told = ("name", "kind", "place", "gender", "the", "full")
    said = [np.zeros(0, dtype=np.uint64)]
    for made in over(functools.partial(_said, entity=entity, on=on), whole(_ROWS)):
        said.append(made.filter(pl.col("what") != _NAME)["key"].unique().to_numpy())
        for name, *group in made.filter(pl.col("what") == _NAME).select(told).unique().iter_rows():
            names[_Group(*group)].add(name)
    for line in entities.read_text(encoding="utf-8").splitlines() if entities is not None else ():
        name = line.strip()
        if name and (kind := mentions.kind_of(name)):
            bare = re.sub("^[Tt]he ", "", name)
            names[_group(Mention(0, len(bare), bare, kind, mentions.place_class(bare) if kind == "place" else ""), the=bare != name)].add(
                bare
            )
    pool = {
        group: sorted(found) if len(found) <= _POOL else sorted(sorted(found, key=lambda one: (_key(one), one))[:_POOL])
        for group, found in sorted(names.items())
    }
    keys = np.unique(np.concatenate(said))
    digest = blake(repr(sorted(pool.items())), keys.astype("<u8").tobytes().hex())
    return State(pool, keys, {"names": digest})


def _said(frame: pl.DataFrame, entity: str | None, on: str) -> pl.DataFrame:
    """What a batch says: its names, what fills a text, what stands beside what, and what texts of an anchor name."""
    if entity is not None and entity not in frame.columns:
        raise UsageError(
            f"there is no column {entity!r}",
            f"the input has {', '.join(frame.columns)}",
            did_you_mean(entity, frame.columns, "name one of them"),
        )
    texts = frame[on]
    tags = frame[tagging.COLUMN] if tagging.COLUMN in frame.columns and on == "positive" else tagging.tagged(texts)
    rows: list[tuple[Any, ...]] = []
    given = frame[entity].cast(pl.String).to_list() if entity is not None else [None] * frame.height
    columns = (texts.to_list(), tagging.tokens({tagging.COLUMN: tags}), frame["anchor_id"].to_list(), given)
    nothing = ("", "", "", "", False, False)
    for text, tokens, anchor, own in zip(*columns, strict=True):
        found = _names(text, tokens, own)
        plain = {mentions.plain(one.name) for one in found}
        rows += [(_SAID, _key(_SAID, anchor, one), *nothing) for one in plain]
        rows += [(_WITH, _key(_WITH, one, other), *nothing) for one in plain for other in plain if one != other]
        for one in {one.name: one for one in found}.values():
            rows.append((_FILLS, _key(_FILLS, _template(text, one.name), mentions.plain(one.name)), *nothing))
            if one.kind and (own is None or mentions.plain(own) == mentions.plain(one.name)):
                group = _group(one, the=_THE.search(text, 0, one.start) is not None)
                rows.append((_NAME, 0, one.name, *group))
    schema: dict[str, Any] = {
        "what": pl.Int8,
        "key": pl.UInt64,
        "name": pl.String,
        "kind": pl.String,
        "place": pl.String,
        "gender": pl.String,
    }
    schema |= {"the": pl.Boolean, "full": pl.Boolean}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _key(*parts: object) -> int:
    return int.from_bytes(hashlib.blake2b("\x00".join(map(str, parts)).encode(), digest_size=8).digest(), "little")


def _group(mention: Mention, *, the: bool) -> _Group:
    person = mention.kind == "person"
    return _Group(mention.kind, mention.place, mentions.gender_of(mention.name) if person else "", the, person and " " in mention.name)


def _template(text: str, name: str) -> str:
    """A text with the name cut out, in small letters."""
    return " ".join(re.sub(re.escape(name), "\x01", text).casefold().split())


def _names(text: str, tokens: Sequence[Token], own: str | None) -> list[Mention]:
    """The names of a text, and the entity that a column gives, as the text spells it."""
    found = mentions.mentions(text, tokens)
    if own is None:
        return found
    bare = _QUALIFIER.sub("", own)
    spelt = next((one for one in found if mentions.plain(one.name) == mentions.plain(bare)), None)
    if spelt is None and bare:
        match = re.search(rf"(?<![^\W_]){re.escape(bare)}(?![^\W_])", text, re.IGNORECASE)
        if match is not None:
            kind = mentions.kind_of(bare) if match[0][:1].isupper() else ""
            place = mentions.place_class(bare) if kind == "place" else ""
            found = [one for one in found if one.end <= match.start() or one.start >= match.end()]
            found = sorted([*found, Mention(match.start(), match.end(), match[0], kind, place)])
    return found


def generate(
    batch: Pairs,
    state: State,
    rng: Rng,
    *,
    entity: _Column = None,
    relations: Annotated[
        Relations,
        Field(
            description="Edit sentences whose relation can hold of one entity alone (`exclusive`), or all (`any`): for data that lists "
            "all that is true, so that what it does not say is false."
        ),
    ] = "exclusive",
    protect: Annotated[str, Field(description="Leave names alone that overlap a match of this regular expression.")] = r"(?!)",
    num_negatives: int = 1,
    on: str = "positive",
) -> Iterator[Edit | Refusal]:
    """Replace one entity of each `positive`, or say why not.

    batch: n rows of `id`, `anchor`, `positive`, `positive_tags`, and the column of entities. Yields up to `num_negatives` edits of a row,
    a first new name for each entity that fits before the second for any; or one refusal, with the reason of the first name.
    """
    protected = None if protect == r"(?!)" else re.compile(protect)
    ids, texts = batch["id"].to_list(), batch["positive"].to_list()
    anchors, anchor_ids = batch["anchor"].to_list(), batch["anchor_id"].to_list()
    given = batch[entity].cast(pl.String).to_list() if entity is not None else [None] * len(ids)
    for row_id, text, tokens, own, anchor, anchor_id in zip(ids, texts, tagging.tokens(batch), given, anchors, anchor_ids, strict=True):
        sites: list[_Site] = []
        refused = ("", "")
        topic = anchor if on == "positive" and anchor != text else ""
        for one, found in _asked(text, tokens, own):
            reason, site = _judged(text, tokens, one, found, topic, relations)
            if site is not None and protected is not None and _overlaps(protected.finditer(text), site.spans):
                reason, site = "protected", None
            if site is not None:
                sites.append(site)
            else:
                refused = refused if refused[0] else (reason, one.name)
        if own is not None and not sites and not refused[0]:
            refused = ("no-entity", own)
        edits = [*_edits(text, sites, state, rng, row_id, anchor_id, num_negatives)] if sites else []
        if edits:
            yield from edits
        elif sites or refused[0]:
            yield Refusal(row_id, *(refused if not sites else ("no-value", sites[0].name)))


def _overlaps(matches: Iterable[re.Match[str]], spans: list[tuple[int, int]]) -> bool:
    return any(match.start() < end and start < match.end() for match in matches for start, end in spans)


def _asked(text: str, tokens: Sequence[Token], own: str | None) -> Iterator[tuple[Mention, list[Mention]]]:
    """The first mention of each name that may be replaced, with all names of the text."""
    found = _names(text, tokens, own)
    seen = set()
    for one in found:
        name = mentions.plain(one.name)
        if name not in seen and (own is None or name == mentions.plain(_QUALIFIER.sub("", own))):
            seen.add(name)
            yield one, found


def _edits(text: str, sites: list[_Site], state: State, rng: Rng, row_id: str, anchor_id: str, wanted: int) -> Iterator[Edit]:
    """Edits by turns: a first new name for each site before the second for any."""
    order = rng.shuffled(row_id, sites)
    values = [_values(site, text, state, rng, f"{row_id}\x00{site.name}", anchor_id) for site in order]
    left = wanted
    for _ in range(min(wanted, _VALUES_EACH)):
        for site, new in zip(order, values, strict=True):
            name = next(new, None)
            if name is not None and left:
                left -= 1
                yield Edit(row_id, *mentions.replaced(text, [(start, end, name) for start, end in site.spans]))


def _values(site: _Site, text: str, state: State, rng: Rng, key: str, anchor_id: str) -> Iterator[str]:
    """Names that may come in a site's place, in an order drawn for the row."""
    pool = state.pool.get(site.group, [])
    if len(pool) <= _TRIES:
        drawn: Iterable[str] = rng.shuffled(key, pool)
    else:
        bits = rng.stream(key)
        drawn = dict.fromkeys(pool[number % len(pool)] for number, _ in zip(bits, range(_TRIES), strict=False))
    for name in drawn:
        plain = mentions.plain(name)
        if state.holds(_FILLS, site.template, plain) or state.holds(_SAID, anchor_id, plain):
            continue
        if any(state.holds(_WITH, plain, mentions.plain(other)) for other in site.others):
            continue
        if not any(mentions.alias(name, other) for other in (site.name, *site.others)) and not mentions.occurrences(text, name):
            yield name


def _judged(
    text: str, tokens: Sequence[Token], one: Mention, found: list[Mention], topic: str, relations: Relations
) -> tuple[str, _Site | None]:
    """Why a name cannot be replaced, or what is to be known of it."""
    first, last = next(span for span in tagging.sentences(text) if span[0] <= one.start < span[1])
    reason = _reason(text, tokens, one, found, (first, last), relations)
    if not reason and topic and mentions.occurrences(topic, one.name):
        reason = "topic"
    if reason:
        return reason, None
    the = _THE.search(text, 0, one.start) is not None
    others = tuple(dict.fromkeys(other.name for other in found if other.name != one.name))
    group = _group(one, the=the)
    return "", _Site(one.name, group, mentions.occurrences(text, one.name), others, _template(text, one.name))


def _reason(text: str, tokens: Sequence[Token], one: Mention, found: list[Mention], sentence: tuple[int, int], relations: Relations) -> str:
    first, last = sentence
    said = text[first:last]
    if not one.kind or (one.kind == "place" and not one.place):
        return "type-unknown"
    reason = grammar.unasserted(said)
    if reason and reason != "quoted":
        return reason
    if grammar.negated(said):
        return "negated"
    if _MODAL.search(said):
        return "conditional"
    before, after = text[first : one.start], text[one.end : last]
    if after.startswith(("'s", "\u2019s")):
        return "possessive"
    if _AND_OTHERS.match(after) or re.search(r"(?:[A-Z]\S*,? (?:and|or|&)|,) (?:the )?$", before):
        return "coordinated"
    if one.kind == "place" and _MORE_PLACE.match(after):
        return "apposition"
    if re.search(r"(?i)(?<![^\W_])an? $", before) or _before_noun(text, tokens, one):
        return "modifier"
    if relations == "exclusive" and (reason := _open(before, after, one, [other for other in found if first <= other.start < one.start])):
        return reason
    if mentions.said_otherwise(text, one.name):
        return "alias"
    # A new name is of the same gender: only where the old one shows none may a pronoun disagree.
    return "pronoun" if one.kind == "person" and not mentions.gender_of(one.name) and mentions.pronouns(text) else ""


def _before_noun(text: str, tokens: Sequence[Token], one: Mention) -> bool:
    after = next((token for token in tokens if token.start >= one.end), None)
    return (
        after is not None
        and text[one.end : after.start] == " "
        and after.tag in ("NN", "NNS", "JJ")
        and not _verbal(text[after.start : after.end])
    )


def _verbal(word: str) -> bool:
    """Whether a word that is tagged as a noun may be the verb of the sentence: `invented`, `lies`, `is`."""
    return word.endswith(("ed", "es", "ly")) or word in grammar.AUXILIARIES or word in ("wrote", "lies", "sits", "stars", "plays")


def _open(before: str, after: str, one: Mention, earlier: list[Mention]) -> str:
    """Why another name may make the sentence true too, or nothing where the relation holds of one alone."""
    if _OPENING.fullmatch(before):
        after = after.rstrip()
        for pattern in _SUBJECT:
            match = pattern.match(after)
            if match is None:
                continue
            thing = next((text for text in match.groupdict().values() if text), "")
            if _SOME.search(thing):
                return "generic"
            return ""
        return "open-relation"
    if one.kind in ("person", "organisation"):
        made = _AGENT.search(before)
        if made is None:
            return "open-relation"
        return "generic" if _SOME.match(before) or not re.match(_NAMED, before) else ""
    return _place_open(before, one, earlier[0]) if earlier else "open-relation"


def _place_open(before: str, one: Mention, subject: Mention) -> str:
    """The same of a place that the first name of the sentence is in, or is the head of."""
    opening = before.find(subject.name)
    if not _OPENING.fullmatch(before[:opening]):
        return "open-relation"
    between = before[opening + len(subject.name) :]
    placed = _PLACED.match(between)
    if placed is not None:
        if placed["born"] and subject.kind != "person":
            return "open-relation"
        return "open-relation" if placed["lies"] and subject.kind != "place" else ""
    if _IS_IN.match(between):
        return "" if subject.kind in ("place", "") else "open-relation"
    return "" if _HEAD_OF.match(between) and one.place == "country" else "open-relation"
