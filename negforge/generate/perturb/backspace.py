"""Write a text as actions with mistakes in it and their undoing: wrong words, a backspace for each, then the right words.

Played with a stack (an action is put on it, a backspace takes the last off) the actions give the positive exactly. Wrong words
carry loss 0: the model is not to learn them. Backspaces and all the rest carry loss 1. A wrong word is another of the same text,
and never the one that belongs where it stands. An action is a word with what stands before the next, so that actions joined give
the text.

`negative` is the text with the mistakes left in. The label of the row is `unknown` and its opposition `noisy`: it is a lesson in
correcting, and `--keep-labels unknown` writes it into a dataset. Columns: `actions`, `loss_mask`, `n_backspace`, and `role`,
which is `augmentation`. Refused: `no-word`, `no-other-word` (to err with), `has-symbol` (the text holds the symbol for a
backspace). In scripts without blanks each character is a word.
Paper: Cundy and Ermon, SequenceMatch, arXiv:2306.05426.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import polars as pl
from pydantic import Field

from negforge.contract import Chosen, Declares, Refusal
from negforge.pieces import Draws, between, refuse_taken, whole, words
from negforge.records import Pairs
from negforge.rng import Rng

DECLARES = Declares(
    version=1,
    scope="row",
    reads=Pairs,
    label="unknown",
    opposition="noisy",
    evidence=("backspace",),
    verifiers=("equivalent", "known-positive"),
)
_COLUMNS: dict[str, Any] = {
    "id": pl.String,
    "negative": pl.String,
    "actions": pl.List(pl.String),
    "loss_mask": pl.List(pl.Int64),
    "n_backspace": pl.Int64,
    "role": pl.String,
}
_ROUNDS = 8
_TRIES = 16  # draws for a wrong word, before all are looked through


def generate(
    batch: Pairs,
    rng: Rng,
    *,
    rate: Annotated[float, Field(gt=0, le=1, description="Share of the words before which a mistake is made, one at least.")] = 0.1,
    longest: Annotated[int, Field(ge=1, le=100, description="Most wrong words of a mistake; from 1 up to it, each as likely.")] = 3,
    symbol: Annotated[str, Field(min_length=1, description="What stands for a backspace among the actions.")] = "<backspace>",
    num_negatives: int = 1,
) -> Chosen:
    """Write actions for each `positive`, or say why not.

    batch: n rows of `id`, `positive`. A row's candidates are distinct.
    """
    refuse_taken(batch, [*_COLUMNS][2:], "perturb.backspace")
    rows: list[tuple[Any, ...]] = []
    refusals: list[Refusal] = []
    for row_id, text in zip(batch["id"].to_list(), batch["positive"].to_list(), strict=True):
        pieces, said = whole(text), [text[start:end] for start, end in words(text)]
        if reason := _hopeless(text, said, symbol):
            refusals.append(Refusal(row_id, reason, text[:40]))
            continue
        seen: set[str] = set()
        for turn in range(_ROUNDS + num_negatives):
            actions, losses = erring(pieces, said, Draws(rng, row_id, turn), rate, longest, symbol)
            new = "".join(action for action in actions if action != symbol)
            if new not in seen:
                seen.add(new)
                rows.append((row_id, new, actions, losses, actions.count(symbol), "augmentation"))
            if len(seen) == num_negatives:
                break
    return Chosen(pl.DataFrame(rows, schema=_COLUMNS, orient="row"), refusals)


def _hopeless(text: str, said: Sequence[str], symbol: str) -> str:
    """Why no mistake can be made in a text, or nothing."""
    if not said:
        return "no-word"
    if symbol in text:
        return "has-symbol"
    return "no-other-word" if len({word.casefold() for word in said}) < 2 else ""


def erring(pieces: Sequence[str], said: Sequence[str], draws: Draws, rate: float, longest: int, symbol: str) -> tuple[list[str], list[int]]:
    """The actions, and the loss of each. pieces: what joined gives the text. said: the word in each."""
    forced = draws.below(len(pieces))  # of a short text chance may spare every word
    actions: list[str] = []
    losses: list[int] = []
    for place, piece in enumerate(pieces):
        if draws.chance(rate) or place == forced:
            count = 1 + draws.below(longest)
            wrong = [_wrong(said, at, draws) for at in range(place, place + count)]
            actions += [*(word + between(word) for word in wrong), *[symbol] * count]
            losses += [0] * count + [1] * count
        actions.append(piece)
        losses.append(1)
    return actions, losses


def _wrong(said: Sequence[str], place: int, draws: Draws) -> str:
    """A word of the text that is not the one at a place; of a place past the end, any."""
    right = said[place].casefold() if place < len(said) else None
    for _ in range(_TRIES):
        word = said[draws.below(len(said))]
        if word.casefold() != right:
            return word
    return next(word for word in said if word.casefold() != right)
