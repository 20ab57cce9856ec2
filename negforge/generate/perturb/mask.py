"""Mask words of an answer at a fixed rate, as input whose target stays the answer itself: an augmentation, no negative.

Each word is masked by chance, at the rate of the row's stage: of `--stages` N, stage s has s / N of `--rate`, so that a ramp over
a training is a column to take rows by. What is masked at a stage is masked at each later one too, and one word at least is. The
prompt is not touched, and `positive` is the target. With `--fill word` another word of the same text stands for a masked one.

The label is `unknown` and the opposition `noisy`: nothing says that the text is wrong; `--keep-labels unknown` writes such rows
into a dataset. Columns: `edit_mask` (1 for each masked word of the positive, 0 for the others), `rate`, `stage`, and `role`,
which is `augmentation`. Refused: `no-word`, `protected`, and `no-other-word` (to fill with). In scripts without blanks each
character is a word.
Paper: Chen et al., Masked Thought, arXiv:2403.02178 (rate 0.4, reached in a linear ramp). Source: ChangyuChen347/MaskedThought.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import polars as pl
from pydantic import Field

from negforge.contract import Chosen, Declares, Refusal
from negforge.pieces import Draws, Span, refuse_taken, spliced, words
from negforge.records import Pairs
from negforge.rng import Rng

DECLARES = Declares(
    version=1,
    scope="row",
    reads=Pairs,
    label="unknown",
    opposition="noisy",
    evidence=("mask",),
    verifiers=("equivalent", "known-positive"),
)
_COLUMNS: dict[str, Any] = {
    "id": pl.String,
    "negative": pl.String,
    "edit_mask": pl.List(pl.Int64),
    "rate": pl.Float64,
    "stage": pl.Int64,
    "role": pl.String,
}
_ROUNDS = 8  # other masks at the same rates


def generate(
    batch: Pairs,
    rng: Rng,
    *,
    protect: Annotated[str, Field(description="Leave words alone that overlap a match of this regular expression.")] = r"(?!)",
    rate: Annotated[float, Field(gt=0, le=1, description="Share of the words that are masked, at the last stage.")] = 0.4,
    stages: Annotated[int, Field(ge=1, le=1000, description="Steps from nothing to the rate; a row's masks take them in turn.")] = 1,
    fill: Annotated[
        Literal["mark", "word"], Field(description="What stands for a masked word: --mark, or another word of the text.")
    ] = "mark",
    mark: Annotated[str, Field(min_length=1, description="What stands for a masked word.")] = "[MASK]",
    num_negatives: int = 1,
) -> Chosen:
    """Mask each `positive`, or say why not.

    batch: n rows of `id`, `positive`. A row's candidates are distinct: one of each stage, then others.
    """
    refuse_taken(batch, [*_COLUMNS][2:], "perturb.mask")
    protected = None if protect == r"(?!)" else re.compile(protect)
    rows: list[tuple[str, str, list[int], float, int, str]] = []
    refusals: list[Refusal] = []
    for row_id, text in zip(batch["id"].to_list(), batch["positive"].to_list(), strict=True):
        spans = words(text)
        kept = [match.span() for match in protected.finditer(text)] if protected else []
        free = [place for place, (start, end) in enumerate(spans) if not any(a < end and start < b for a, b in kept)]
        filled = [place for place in free if fill == "mark" or _others(text, spans, place)]
        seen = {text}
        for turn in range(_ROUNDS if filled else 0):
            draws = Draws(rng, row_id, turn)
            chances = dict(zip(filled, draws.shares(len(filled)), strict=True))
            fills = {place: mark if fill == "mark" else _another(text, spans, place, draws) for place in filled}
            for stage in range(1, stages + 1):
                share = rate * stage / stages
                masked = masked_at(chances, share)
                new = spliced(text, [(*spans[place], fills[place]) for place in masked])
                if new not in seen:
                    seen.add(new)
                    mask = [int(place in masked) for place in range(len(spans))]
                    rows.append((row_id, new, mask, share, stage, "augmentation"))
                if len(seen) > num_negatives:
                    break
            if len(seen) > num_negatives:
                break
        if len(seen) == 1:
            reason = "no-word" if not spans else "protected" if not free else "no-other-word"
            refusals.append(Refusal(row_id, reason, text[:40]))
    return Chosen(pl.DataFrame(rows, schema=_COLUMNS, orient="row"), refusals)


def masked_at(chances: dict[int, float], rate: float) -> set[int]:
    """The places whose chance lies below the rate; the least of them where none does."""
    return {place for place, chance in chances.items() if chance < rate} or {min(chances, key=chances.__getitem__)}


def _others(text: str, spans: list[Span], place: int) -> bool:
    """Whether a text has a word unlike the one at a place."""
    word = text[slice(*spans[place])].casefold()
    return any(text[start:end].casefold() != word for start, end in spans)


def _another(text: str, spans: list[Span], place: int, draws: Draws) -> str:
    """A word of the text unlike the one at a place."""
    word, first = text[slice(*spans[place])].casefold(), draws.below(len(spans))
    for at in range(first, first + len(spans)):
        start, end = spans[at % len(spans)]
        if text[start:end].casefold() != word:
            return text[start:end]
    raise RuntimeError("a text of one word has no other")
