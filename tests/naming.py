"""Helpers for tests of operators that edit tagged texts with names in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import polars as pl

from negforge import tagging
from negforge.contract import Edit, Refusal
from negforge.records import Pairs
from negforge.tagging import Token


def tokens_of(text: str) -> list[Token]:
    """A text's tokens, by the light tagger."""
    return [Token(*one.values()) for one in tagging.tagged(pl.Series([text], dtype=pl.String)).to_list()[0]]


def batch(texts: Iterable[str], ids: Iterable[str] | None = None, **columns: list[Any]) -> Pairs:
    """Tagged pairs of the texts, with ids from 0 unless given."""
    rows = list(texts)
    names = [str(place) for place in range(len(rows))] if ids is None else list(ids)
    frame = pl.DataFrame({"id": names, "positive": rows}, schema={"id": pl.String, "positive": pl.String})
    return Pairs(frame.with_columns(tagging.tagged(frame["positive"]), *(pl.Series(name, cells) for name, cells in columns.items())))


def apply(edit: Edit, text: str) -> str:
    """The text with the edit."""
    return text[: edit.start] + edit.new + text[edit.end :]


def undone(edit: Edit, text: str) -> str:
    """The edited text of a text with the edit taken back."""
    changed = apply(edit, text)
    return apply(Edit(edit.row_id, edit.start, edit.start + len(edit.new), text[edit.start : edit.end]), changed)


def reason(run: Callable[..., Iterable[Edit | Refusal]], text: str, **options: Any) -> str:
    """The reason why one text gives nothing, `no-site` where nothing is said of it, or nothing if it gives edits."""
    made = [*run([text], **options)]
    if not made:
        return "no-site"
    return made[0].reason if isinstance(made[0], Refusal) else ""


def negatives(run: Callable[..., Iterable[Edit | Refusal]], text: str, **options: Any) -> Iterator[str]:
    """The texts that one text gives."""
    for one in run([text], **options):
        if isinstance(one, Edit):
            assert undone(one, text) == text
            yield apply(one, text)
