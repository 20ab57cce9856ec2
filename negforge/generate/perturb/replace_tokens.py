"""Replace, swap and insert words, with a label for each word of what comes out, for models that detect them.

Labels: 0 the original, 1 replaced, 2 swapped with the next, 3 inserted. A word is labelled by what stands there: one that is
filled with itself, or swapped with its like, is the original. Fills are words drawn from the same text, the word itself among
them.

The label of the row is `unknown` and its opposition `noisy`: what is wrong is said word by word; `--keep-labels unknown` writes
such rows into a dataset. Columns, a value for each word of the negative: `tokens`, `token_starts` (characters), `token_labels`,
`token_originals` (the word of the positive there, empty for one put in); `corrupted_share`, the share of labels above 0; and
`role`, which is `augmentation`. Without what was put in, and with the originals in their places, the text is the positive again.
Refused: `no-word`, `protected`, `unchanged` (nothing came out otherwise, as in a text of one word). In scripts without blanks
each character is a word.
Paper: Clark et al., ELECTRA, arXiv:2003.10555 (15 % replaced; a fill equal to the original is the original); Chen et al.,
Multi-Perspective Course Learning, arXiv:2305.03981 (replaced, swapped and inserted tokens).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, NamedTuple

import polars as pl
from pydantic import Field

from negforge.contract import Chosen, Declares, Refusal
from negforge.pieces import Draws, Span, between, is_unspaced, refuse_taken, words
from negforge.records import Pairs
from negforge.rng import Rng

DECLARES = Declares(
    version=1,
    scope="row",
    reads=Pairs,
    label="unknown",
    opposition="noisy",
    evidence=("tokens",),
    verifiers=("equivalent", "known-positive"),
)
ORIGINAL, REPLACED, SWAPPED, INSERTED = range(4)
Fill = Callable[[int], str]

_COLUMNS: dict[str, Any] = {
    "id": pl.String,
    "negative": pl.String,
    "tokens": pl.List(pl.String),
    "token_starts": pl.List(pl.Int64),
    "token_labels": pl.List(pl.Int64),
    "token_originals": pl.List(pl.String),
    "corrupted_share": pl.Float64,
    "role": pl.String,
}
_ROUNDS = 16


class Token(NamedTuple):
    """A word of what comes out, what it is, and which word of the positive stands there; an inserted one comes before the next."""

    text: str
    label: int
    original: str


def generate(
    batch: Pairs,
    rng: Rng,
    *,
    protect: Annotated[str, Field(description="Leave words alone that overlap a match of this regular expression.")] = r"(?!)",
    replaced: Annotated[float, Field(ge=0, le=1, description="Share of the words that are filled anew.")] = 0.15,
    swapped: Annotated[float, Field(ge=0, le=1, description="Share of the words that change places with the next.")] = 0.05,
    inserted: Annotated[float, Field(ge=0, le=1, description="Share of the words before which one is put in.")] = 0.05,
    num_negatives: int = 1,
) -> Chosen:
    """Corrupt each `positive`, or say why not.

    batch: n rows of `id`, `positive`. A row's candidates are distinct.
    """
    refuse_taken(batch, [*_COLUMNS][2:], "perturb.replace-tokens")
    protected = None if protect == r"(?!)" else re.compile(protect)
    rows: list[tuple[Any, ...]] = []
    refusals: list[Refusal] = []
    for row_id, text in zip(batch["id"].to_list(), batch["positive"].to_list(), strict=True):
        spans = words(text)
        kept = [match.span() for match in protected.finditer(text)] if protected else []
        free = {place for place, (start, end) in enumerate(spans) if not any(a < end and start < b for a, b in kept)}
        seen = {text}
        for turn in range(_ROUNDS + num_negatives if free else 0):
            draws = Draws(rng, row_id, turn)
            tokens = corrupted(text, spans, free, draws, _filler(text, spans, draws), replaced, swapped, inserted)
            new, starts = written(text, spans, tokens)
            if new not in seen:
                seen.add(new)
                labels = [token.label for token in tokens]
                share = sum(map(bool, labels)) / len(labels)
                texts, originals = [token.text for token in tokens], [token.original for token in tokens]
                rows.append((row_id, new, texts, starts, labels, originals, share, "augmentation"))
            if len(seen) > num_negatives:
                break
        if len(seen) == 1:
            refusals.append(Refusal(row_id, "unchanged" if free else "protected" if spans else "no-word", text[:40]))
    return Chosen(pl.DataFrame(rows, schema=_COLUMNS, orient="row"), refusals)


def _filler(text: str, spans: Sequence[Span], draws: Draws) -> Fill:
    """Draws a word of the text for a place, of a script with blanks or without as the word there is."""
    sorts: dict[bool, list[str]] = {}
    for start, end in spans:
        sorts.setdefault(is_unspaced(text[start:end]), []).append(text[start:end])

    def fill(place: int) -> str:
        some = sorts[is_unspaced(text[slice(*spans[place])])]
        return some[draws.below(len(some))]

    return fill


def corrupted(
    text: str, spans: Sequence[Span], free: set[int], draws: Draws, fill: Fill, replaced: float, swapped: float, inserted: float
) -> list[Token]:
    """The words of a text corrupted, in order, one of them at least. fill: the word for a place, which may be the one there."""
    found: list[Token] = []
    # Of a short text chance may spare every word.
    forced = {REPLACED if replaced else SWAPPED if swapped else INSERTED: sorted(free)[draws.below(len(free))]}
    if not inserted:
        forced.pop(INSERTED, None)
    place = 0
    while place < len(spans):
        word = text[slice(*spans[place])]
        if place not in free:
            found.append(Token(word, ORIGINAL, word))
            place += 1
            continue
        if draws.chance(inserted) or place == forced.get(INSERTED):
            found.append(Token(fill(place), INSERTED, ""))
        after = text[slice(*spans[place + 1])] if place + 1 in free and place + 1 < len(spans) else None
        if after is not None and is_unspaced(after) is is_unspaced(word) and (draws.chance(swapped) or place == forced.get(SWAPPED)):
            label = SWAPPED if after != word else ORIGINAL
            found += [Token(after, label, word), Token(word, label, after)]
            place += 2
            continue
        new = fill(place) if draws.chance(replaced) or place == forced.get(REPLACED) else word
        found.append(Token(new, REPLACED if new != word else ORIGINAL, word))
        place += 1
    return found


def written(text: str, spans: Sequence[Span], tokens: Sequence[Token]) -> tuple[str, list[int]]:
    """The text with the tokens in the places of its words, and where each begins. One put in has a blank after it, if its script has."""
    parts: list[str] = []
    starts: list[int] = []
    size = at = place = 0
    for token in tokens:
        start, end = spans[place]
        gap = text[at:start]
        starts.append(size + len(gap))
        parts += [gap, token.text]
        size += len(gap) + len(token.text)
        at = start
        if token.label == INSERTED:
            parts.append(between(token.text))
            size += len(parts[-1])
        else:
            at, place = end, place + 1
    return "".join([*parts, text[at:]]), starts
