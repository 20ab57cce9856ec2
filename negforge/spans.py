"""Cuts long texts into spans of whole sentences, with their places in the text."""

from __future__ import annotations

import re
from collections.abc import Iterator

import polars as pl

from negforge.errors import InputError
from negforge.records import CORPUS, conform, free_name
from negforge.tables import Source
from negforge.text import CJK

Span = tuple[int, int]
_WORD = re.compile(rf"[{CJK}]|[^\s{CJK}]+")
_CLOSING = "\"')\\]\u00bb\u2019\u201d"
# A full stop after a single letter or a title, or before a small letter, ends no sentence; a blank line always does.
_ABBREVIATION = r"(?<!\b[A-Za-z])(?<!\b(?:Mr|Ms|Dr|St|No|vs|cf|Jr|Sr))(?<!\b(?:Mrs|Fig|etc|Vol))(?<!\bProf)"
_END = re.compile(
    rf"(?:(?:{_ABBREVIATION}\.|[!?\u2026]|\.{{2,}})[{_CLOSING}]*\s+(?![a-z])|[\u3002\uff01\uff1f]+[\u300d\u300f]*\s*|\s*\n\s*\n\s*)"
)


def spans(text: str, words: int) -> list[Span]:
    """The spans of a text, as (start, end) in characters: as many whole sentences as have at most so many words together.

    A sentence with more is cut between words. Spans do not overlap, hold every word once, and begin and end with no blank.
    """
    found: list[Span] = []
    held = 0
    for start, end, size in _pieces(text, words):
        if found and held + size <= words:
            found[-1] = found[-1][0], end
            held += size
        else:
            found.append((start, end))
            held = size
    return found


def sentences(text: str, words: int) -> list[Span]:
    """The sentences of a text, as (start, end) in characters; one of more words than that is cut between words."""
    return [(start, end) for start, end, _ in _pieces(text, words)]


def _pieces(text: str, words: int) -> Iterator[tuple[int, int, int]]:
    """The sentences of a text, cut where they have more words: start, end, number of words."""
    ends = [match.end() for match in _END.finditer(text)]
    for start, end in zip([0, *ends], [*ends, len(text)], strict=True):
        places = [match.span() for match in _WORD.finditer(text, start, end)]
        for first in range(0, len(places), words):
            piece = places[first : first + words]
            yield piece[0][0], piece[-1][1], len(piece)


def cut(frame: pl.DataFrame, words: int, source: Source, first_row: int) -> pl.DataFrame:
    """Rows of a source with a `text`, as a row for each span of it.

    The document's id becomes `group`; a span's `id` is that and its number, `start` and `end` are characters of the text. A
    title goes as `document_title`: it is part of no span, and would tell one from another. Every other column is repeated. A
    text without a word has no span. Raises InputError for a column of one of those names, and what `conform` raises.
    """
    made_here = ("group", "start", "end", *(["document_title"] if "title" in frame.columns else []))
    taken = [name for name in made_here if name in frame.columns]
    if taken:
        raise InputError(
            f"column '{taken[0]}' is in the way",
            f"{source.name}: a span's {taken[0]} is made by --span-words",
            f"pass --rename {taken[0]}={free_name(taken[0])}",
        )
    frame = conform(frame, CORPUS, source.name, first_row, bad=source.bad, called=source.columns)
    ids = frame["id"]
    rows, starts, ends, parts, names = [], [], [], [], []
    for row, (document, text) in enumerate(zip(ids.to_list(), frame["text"].to_list(), strict=True)):
        for number, (start, end) in enumerate(spans(text, words)):
            rows.append(row)
            starts.append(start)
            ends.append(end)
            parts.append(text[start:end])
            names.append(f"{document}-{number:04d}")
    place = pl.Series(rows, dtype=pl.Int64)
    return (
        frame[place]
        .rename({"title": "document_title"}, strict=False)
        .with_columns(
            pl.Series("id", names, dtype=pl.String),
            pl.Series("text", parts, dtype=pl.String),
            pl.Series("group", ids.gather(place), dtype=pl.String),
            pl.Series("start", starts, dtype=pl.Int64),
            pl.Series("end", ends, dtype=pl.Int64),
        )
    )
