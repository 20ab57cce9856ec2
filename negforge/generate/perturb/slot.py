"""Replace what the question asks for in its answer (a date, number, name, title) by another of its kind, so that the answer is wrong.

The question (`anchor`) says what is asked: who, when, where, how many, which year, river, gender or occupation. The answer
(`positive`) has that slot in a shape of its own: a date, a number, a run of capitals, a title in quotes, a word of a closed class; what
stands in the question itself is not what it asks for. Dates and numbers change by value, a tenth or two years away at least; other
slots take a value of the same type: of a closed class (countries, planets, months), else an answer to another question of the data
that asks for the same type. No value is taken that shares a word with the old one, stands in the question or the answer, or answers
the same question or one that names the same things. Refused, by reason:
- `not-asked`: the question asks for no such slot (why, how, yes or no), or it is none;
- `open`: other answers may be right too (`which of these`, `can you name`, `known for its`);
- `no-slot`, `in-question`, `ambiguous`: the answer has no slot of the type, none that is new, or several;
- `hedged` or `bound` (`about 1990`, `over 20`; a hedged number changes by half instead), `list`, `repeated` (also in part), `negated`;
- `no-value`: the data has no other value of the type; `protected`; `too-long`.
Paper: Maini et al., TOFU, 2024 (perturbed answers); Zhang et al., Negative Preference Optimization, 2024.
Source: QData/TextAttack#752 (a name changed in one of two places), makcedward/nlpaug#296 (words to protect).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from negforge import slots
from negforge.contract import Declares, Edit, Refusal
from negforge.records import Batches, Pairs
from negforge.rng import Rng, blake

DECLARES = Declares(
    version=1,
    scope="row",
    reads=Pairs,
    edits=True,
    languages=("en",),
    label="negative",
    opposition="contradiction",
    evidence=("edit",),
    verifiers=("equivalent", "slot", "known-positive"),
    bar=0.95,
)
_POOL = 4096  # values kept of each type
_ROWS = 64  # rows a value may answer; what answers more is too common to say whose it is
_TRIES = 256  # values looked at for one row
_DATED = ("date", "year", "period")


@dataclass(frozen=True)
class State:
    """By type the values that answer a question of the data, each with the keys of those questions and of what they name."""

    pools: dict[str, dict[str, frozenset[str]]]


def prepare(whole: Batches) -> State:
    """Gather the values of each type: of more than 4,096 those with the least digests, whatever the order of rows."""
    found: dict[str, dict[str, set[str]]] = {}
    for frame in whole(1 << 14):
        for question, answer in frame.select("anchor", "positive").iter_rows():
            slot = _slot(question or "", answer or "")
            if isinstance(slot, slots.Slot) and slot.shape not in (*_DATED, "number", "word-number", "gender"):
                values = found.setdefault(slot.shape, {})
                keys = values.setdefault(slot.text, set())
                if len(keys) <= _ROWS:
                    keys |= _keys(question)
                if len(values) > 2 * _POOL:
                    found[slot.shape] = _least(values)
    return State(
        {
            kind: {value: frozenset(keys) for value, keys in sorted(_least(values).items()) if len(keys) <= 8 * _ROWS}
            for kind, values in sorted(found.items())
        }
    )


def _least(values: dict[str, set[str]]) -> dict[str, set[str]]:
    return {value: values[value] for value in sorted(values, key=blake)[:_POOL]}


def _keys(question: str) -> set[str]:
    """The question as a key, and what it names: a value that answers about the same things might be right here too."""
    named = {slots.folded(one.text) for one in slots.names(question)[:8]}
    return {blake(slots.folded(question), size_bytes=8)} | {blake("name", one, size_bytes=8) for one in named if one}


def generate(
    batch: Pairs,
    state: State,
    rng: Rng,
    *,
    protect: Annotated[str, Field(description="Leave slots alone that overlap a match of this regular expression.")] = r"(?!)",
    num_negatives: int = 1,
) -> Iterator[Edit | Refusal]:
    """Edit the asked slot of each `positive`, or say why not.

    batch: n rows of `id`, `anchor`, `positive`. Yields up to `num_negatives` edits of a row, each with another value.
    """
    protected = re.compile(protect)
    for row_id, question, answer in zip(batch["id"], batch["anchor"], batch["positive"], strict=True):
        slot = _slot(question or "", answer or "")
        if isinstance(slot, str):
            yield Refusal(row_id, slot)
            continue
        if slot.start < slot.end and any(one.start() < slot.end and slot.start < one.end() for one in protected.finditer(answer)):
            yield Refusal(row_id, "protected", slot.text)
            continue
        made = 0
        for new in _values(slot, question, answer, state, iter(rng.stream(row_id))):
            yield Edit(row_id, slot.start, slot.end, new)
            made += 1
            if made == num_negatives:
                break
        if not made:
            yield Refusal(row_id, "no-value", slot.text)


def _slot(question: str, answer: str) -> slots.Slot | str:
    """The slot of the answer that the question asks for, or the reason why there is none to replace."""
    wanted = slots.asked(question)
    if wanted is None:
        return "not-asked"
    if wanted.opened:
        return wanted.opened
    found, reason = slots.of_kind(wanted.kind, answer, question)
    if reason:
        return reason
    if len({slots.value_of(one) for one in found}) > 1:
        return "ambiguous"
    if len(found) > 1:
        return "repeated"
    slot = found[0]
    if slots.NEGATED.search(answer.replace(slot.text, "")):
        return "negated"
    return slots.refusal(slot, answer) or slot


def _values(slot: slots.Slot, question: str, answer: str, state: State, bits: Iterator[int]) -> Iterable[str]:
    """Other values of the slot's type, in an order drawn for the row."""
    if slot.shape in _DATED:
        said = {one[0] for one in re.finditer(r"[0-9]+", question + " " + answer)}
        return (new for new in slots.changed_date(slot, bits) if not _new_digits(slot.text, new) & said)
    if slot.shape in ("number", "word-number"):
        said = set(slots.folded(question + " " + answer).split())
        return (new for new in slots.changed_number(slot, bits, slots.hedged(slot, answer, question)) if slots.folded(new) not in said)
    if slot.shape == "gender":
        return [slots.gender_for(slot)]
    return _others(slot, question, answer, state, bits)


def _new_digits(old: str, new: str) -> set[str]:
    return {*re.findall(r"[0-9]+", new)} - {*re.findall(r"[0-9]+", old)}


def _others(slot: slots.Slot, question: str, answer: str, state: State, bits: Iterator[int]) -> Iterator[str]:
    """Values of a closed class or of the data, without those that might be right."""
    pool = state.pools.get(slot.shape, {})
    values = sorted({*slots.CLOSED.get(slot.shape, ()), *(pool if slot.shape not in slots.CLOSED else ())})
    keys, said = _keys(question), f" {slots.folded(question)} {slots.folded(answer)} "
    article = re.search(r"(?:^|\W)(an?) $", answer[max(0, slot.start - 4) : slot.start], re.IGNORECASE)
    for _ in range(min(_TRIES, len(values))):
        new = values.pop(next(bits) % len(values))
        same = not keys.isdisjoint(pool.get(new, frozenset()))
        if same or slots.akin(slot.text, new) or f" {slots.folded(new)} " in said:
            continue
        if not slots.article_fits(slot, answer, new):
            continue
        if slot.shape == "occupation" and slots.near_jobs(slot.text, new):
            continue
        if article and (new[:1].lower() in "aeio") is not (article[1].lower() == "an"):
            continue
        yield _dressed(new, slot, answer)


def _dressed(new: str, slot: slots.Slot, answer: str) -> str:
    """The value without the article that stands before the slot, or with the old one's; a capital where the old one has it."""
    bare = re.sub(r"^(?:The|the) ", "", new)
    if re.search(r"\b[Tt]he $", answer[max(0, slot.start - 4) : slot.start]):
        return bare
    if slot.shape == "occupation":
        return bare.capitalize() if slot.text[:1].isupper() else bare
    if slot.start and new.startswith("The ") and slot.shape != "title":
        return "the " + bare
    return new
