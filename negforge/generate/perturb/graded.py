"""Replace some of a text's slots (dates, numbers, names, titles, countries), the more the less related: a grade from 4 down to 1.

A text of n slots (from 2, the first 12) gives one row for each k: k slots replaced, each k holding those of the k before, in an order
drawn for the row. `grade` is 5 - ceil(4 k / n): 5 would be the text itself, 1 has more than three in four replaced.
Columns `grade`, `n_slots`, `n_corrupted` and `edits` (start, end, old, new in characters of `positive`, in their order; applied from
the last to the first they give the negative). A stage takes what it wants from the one table: `filter where --keep "grade <= 1"`,
then `grade != 3`, and so on.
A row is labelled `negative` where no slot is left, and each sentence had one before its verb: it speaks of other things (opposition
`unrelated`). Any other is `unknown`: another
name may be right too, and who ran in 2015 may have run again.
A person is put for a person, a place for a place of its class, a title for a title. Slots that are hedged, bounded, of a list,
repeated, labels (`page 5`, `Three Stooges`) or names of no known type stay, and are not counted. Refused, by reason: `few-slots`,
`question`, `conditional`, `negated`, `no-value` (fewer than two slots have another value), `protected`, `too-long` (also of more than
200 slots).
Paper: Aman et al., MMTG, 2022 (Aman-4-Real/MMTG: ratings 1 to 5, by stage); slots as in Maini et al., TOFU, 2024.
Source: marcotcr/checklist#69 (how far stacked perturbations distort a text).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import Field

from negforge import clauses, mentions, slots
from negforge.contract import Chosen, Declares, Refusal
from negforge.errors import InputError
from negforge.grammar import AUXILIARIES
from negforge.records import Batches, Pairs, free_name
from negforge.rng import Rng, blake
from negforge.tagging import sentences

DECLARES = Declares(
    version=1,
    scope="row",
    reads=Pairs,
    languages=("en",),
    label="unknown",
    opposition="unrelated",
    evidence=("edit",),
    verifiers=("equivalent", "known-positive"),
    bar=0.95,
)
VERDICT = "verdict_graded"  # of no verifier: that no slot is left says it
_COUNTED = ("date", "year", "period", "number", "word-number")
_POOL = 4096
_MOST = 12
_LISTED = 200  # slots: what has more is a list or a table
_TURNS = 4  # times that the slots are gone through with other values
_TRIES = 64
_TAKEN = ("grade", "n_slots", "n_corrupted", "edits", VERDICT)
_SCHEMA: dict[str, Any] = {
    "id": pl.String,
    "negative": pl.String,
    "grade": pl.Int64,
    "n_slots": pl.Int64,
    "n_corrupted": pl.Int64,
    "edits": pl.List(pl.Struct({"start": pl.Int64, "end": pl.Int64, "old": pl.String, "new": pl.String})),
    VERDICT: pl.String,
}
_LABELLED = re.compile(
    r"(?:[A-Z][\w'-]*|\b(?:page|pages|figure|type|phase|stage|grade|chapter|section|version|number|no\.|nr|part|step|route|room)) $"
)
_ARTICLE_BEFORE = re.compile(r"\b(?:an?|the) $", re.IGNORECASE)
_NAME_BEFORE = re.compile(r"\b(?!(?:In|On|By|Since|Until|Last|Next|Every|Each|From|During) $)[A-Z][\w'-]* $")
_NUMBERED = re.compile(rf"(?:[0-9]|\b(?:{'|'.join(slots.NUMBER_WORDS)})) $", re.IGNORECASE)
_CONDITIONAL = re.compile(r"\b(?:if|unless|whether|suppose|assume|assuming|imagine|would)\b", re.IGNORECASE)


@dataclass(frozen=True)
class State:
    """Names and titles of the data, by type, sorted."""

    pools: dict[str, tuple[str, ...]]


def prepare(whole: Batches) -> State:
    """Gather the names and titles of all positives: of more than 4,096 of a kind those with the least digests."""
    found: dict[str, set[str]] = {}
    for frame in whole(1 << 14):
        for text in frame["positive"].drop_nulls():
            for one in slots.every(text):
                if one.shape in ("name", "title") and not _nameless(one, text) and (pool := _pool_of(one)):
                    values = found.setdefault(pool, set())
                    values.add(one.text)
                    if len(values) > 2 * _POOL:
                        found[pool] = {*sorted(values, key=blake)[:_POOL]}
    return State({kind: tuple(sorted(sorted(values, key=blake)[:_POOL])) for kind, values in sorted(found.items())})


def _pool_of(slot: slots.Slot) -> str:
    """A name's pool: people of as many words (one, two or more), places of a class, organisations. Nothing where its type is not known."""
    if slot.shape != "name":
        return slot.shape
    kind = mentions.kind_of(slot.text)
    return (
        f"{kind} {min(3, len(slot.text.split()))}"
        if kind == "person"
        else f"place {mentions.place_class(slot.text)}"
        if kind == "place"
        else kind
    )


def _nameless(slot: slots.Slot, text: str) -> bool:
    """Whether a person's name with an article names no person (`an Oscar`), or a month or weekday is part of a name (`Ann May Bell`)."""
    before = text[max(0, slot.start - 24) : slot.start]
    if slot.shape in ("month", "weekday"):
        return re.match(" [A-Z]", text[slot.end : slot.end + 2]) is not None or _NAME_BEFORE.search(before) is not None
    return slot.shape == "name" and _ARTICLE_BEFORE.search(before) is not None and mentions.kind_of(slot.text) == "person"


def generate(
    batch: Pairs,
    state: State,
    rng: Rng,
    *,
    protect: Annotated[str, Field(description="Leave slots alone that overlap a match of this regular expression.")] = r"(?!)",
    first: Annotated[
        Literal["near", "far"], Field(description="Which rows of a text come first: with one slot replaced, or with all.")
    ] = "near",
    num_negatives: int = 1,
) -> Chosen:
    """Texts with k of their n slots replaced, or why none.

    batch: n rows of `id`, `positive`. Up to `num_negatives` rows each: k = 1, 2, ... n, or from n down, then again with other values.
    Raises InputError where a column of the answer's is in the way.
    """
    if taken := next((name for name in _TAKEN if name in batch.frame.columns), None):
        mend = f"pass --rename {taken}={free_name(taken)}"
        raise InputError(f"column '{taken}' is in the way", "what is replaced is written there", mend)
    protected = re.compile(protect)
    rows: list[tuple[Any, ...]] = []
    refusals: list[Refusal] = []
    for row_id, text in zip(batch["id"], batch["positive"], strict=True):
        found = _free(text or "", protected)
        if isinstance(found, str):
            if found:
                refusals.append(Refusal(row_id, found))
            continue
        made = [*islice(_graded(row_id, text, *found, state, rng, first), num_negatives)]
        if not made:
            refusals.append(Refusal(row_id, "no-value"))
        rows += made
    return Chosen(pl.DataFrame(rows, schema=_SCHEMA, orient="row"), refusals)


def _free(text: str, protected: re.Pattern[str]) -> tuple[list[slots.Slot], bool] | str:
    """The slots of a text that may be replaced, and whether these are all; or why it is refused, nothing where it has none at all."""
    if len(text) > slots.LARGEST_TEXT:
        return "too-long"
    every = slots.every(text)
    if not every:
        return ""
    if len(every) > _LISTED:
        return "too-long"
    if re.search(r"[?\u061f\uff1f]", text):
        return "question"
    if _CONDITIONAL.search(text):
        return "conditional"
    if slots.NEGATED.search(text):
        return "negated"
    spans = [match.span() for match in protected.finditer(text)]
    spared = [one for one in every if any(start < one.end and one.start < end for start, end in spans)]
    free = [*islice((one for one in every if one not in spared and not _fixed(one, text)), _MOST)]
    if len(free) < 2:
        return "protected" if spared and len(free) + len(spared) > 1 else "few-slots"
    return free, len(free) == len(every) and all(_said_of(one, text, free) for one in sentences(text))


def _said_of(sentence: tuple[int, int], text: str, free: list[slots.Slot]) -> bool:
    """Whether a sentence names what it speaks of in a slot: one that is no number or date stands before its first finite verb."""
    start, end = sentence
    for word in re.finditer(r"\b[a-z]+\b", text[start:end]):
        if word[0] in AUXILIARIES or any(tag != "VBP" for _, tag in clauses.verb_form(word[0])):
            end = start + word.start()
            break
    return any(start <= one.start < end and one.shape not in _COUNTED for one in free)


def _fixed(slot: slots.Slot, text: str) -> bool:
    """Whether a slot is left alone: for what stands beside it, as the number of a thing with a name, or as a name of no known type."""
    if (
        not _pool_of(slot)
        or _nameless(slot, text)
        or slots.refusal(slot, text)
        or (slot.shape in ("number", "word-number") and slots.hedged(slot, text))
    ):
        return True
    if slot.shape not in ("number", "word-number", "year"):
        # A number beside a name is part of it, and the name stays with it.
        return (
            _NUMBERED.search(text[max(0, slot.start - 12) : slot.start]) is not None
            or re.match(" [0-9]", text[slot.end : slot.end + 2]) is not None
        )
    if re.match(r"['\u2019]?s\b| [A-Z]", text[slot.end : slot.end + 3]):  # the 90's, Three Stooges, 1948 Olympics
        return True
    return slot.shape != "year" and _LABELLED.search(text[max(0, slot.start - 24) : slot.start]) is not None


def _graded(row_id: str, text: str, free: list[slots.Slot], whole: bool, state: State, rng: Rng, first: str) -> Iterator[tuple[Any, ...]]:
    """Rows of a text, from one slot replaced to all of them, or from all to one; then the same with other values."""
    said = f" {slots.folded(text)} "
    values = {one: _values(one, text, said, state, iter(rng.stream(f"{row_id} {one.start}"))) for one in rng.shuffled(row_id, free)}
    total = 0
    for turn in range(_TURNS):
        drawn = [(one, new) for one, left in values.items() if (new := next(left, None)) is not None]
        total = total or len(drawn)
        if len(drawn) < max(2, total):  # a grade says what share of all was replaced
            return
        counts = range(1, total + 1) if first == "near" else range(total, 0, -1)
        for count in counts:
            # Over the turns every slot comes to be the one that is replaced alone.
            yield _row(row_id, text, (drawn[turn % total :] + drawn[: turn % total])[:count], total, whole)


def _row(row_id: str, text: str, edits: list[tuple[slots.Slot, str]], total: int, whole: bool) -> tuple[Any, ...]:
    negative = text
    for one, new in sorted(edits, reverse=True):
        negative = negative[: one.start] + new + negative[one.end :]
    written = [{"start": one.start, "end": one.end, "old": one.text, "new": new} for one, new in sorted(edits)]
    verdict = "negative" if whole and len(edits) == total else "unknown"
    return row_id, negative, 5 - -(-4 * len(edits) // total), total, len(edits), written, verdict


def _values(slot: slots.Slot, text: str, said: str, state: State, bits: Iterator[int]) -> Iterator[str]:
    """Other values of a slot, none that the text says already."""
    made: Iterator[str]
    if slot.shape in ("date", "year", "period"):
        made = slots.changed_date(slot, bits)
    elif slot.shape in ("number", "word-number"):
        made = slots.changed_number(slot, bits, loose=False)
    else:
        made = (new for new in _others(slot, state, bits) if slots.article_fits(slot, text, new))
    return (new for new in made if f" {slots.folded(new)} " not in said)


def _others(slot: slots.Slot, state: State, bits: Iterator[int]) -> Iterator[str]:
    values = [*(slots.CLOSED.get(slot.shape) or state.pools.get(_pool_of(slot), ()))]
    for _ in range(min(_TRIES, len(values))):
        new = values.pop(next(bits) % len(values))
        if not slots.akin(slot.text, new):
            yield new
