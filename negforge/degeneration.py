"""Measures of a text that fails in form: how far it repeats itself, loops, copies or breaks off."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negforge.pieces import words

NGRAM = 3
LONGEST_UNIT = 60  # words of what is looked for again and again; by it the cost is bounded
WINDOW = 200  # words in which different ones are counted, since their share falls with the length
_CLOSING = "\"')]}\u201d\u2019\u00bb\u300d\u300f\uff09 \t\r\n"
_END = re.compile(r"[.!?;:\u2026\u061f\u0964\u3002\uff01\uff1f]\Z")


class Measures(NamedTuple):
    """words: how many. repeated, loop, distinct: shares, the last None without a word. ended: whether it ends as a sentence does."""

    words: int
    repeated: float
    loop: float
    distinct: float | None
    ended: bool


def folded(text: str) -> list[str]:
    """The words of a text, in small letters."""
    return [text[start:end].casefold() for start, end in words(text)]


def measured(text: str) -> Measures:
    """The measures of one text.

    repeated: share of the runs of three words that stood there before. loop: share of the words that lie in the longest stretch of
    one to `LONGEST_UNIT` words said three times on end or more, of five words at least. distinct: share of different words among
    the first `WINDOW`.
    """
    found = folded(text)
    runs = max(len(found) - NGRAM + 1, 0)
    repeated = 1 - len(ngrams(found)) / runs if runs else 0.0
    first = found[:WINDOW]
    distinct = len({*first}) / len(first) if first else None
    ended = _END.search(text.rstrip(_CLOSING)) is not None
    return Measures(len(found), repeated, looped(found) if repeated else 0.0, distinct, ended)


def ngrams(found: Sequence[str]) -> set[tuple[str, ...]]:
    """The different runs of three words; of a shorter text it is itself the one run."""
    if len(found) < NGRAM:
        return {tuple(found)} if found else set()
    return {*zip(found, found[1:], found[2:], strict=False)}


def looped(found: Sequence[str]) -> float:
    """The share of the words that lie in the longest loop."""
    numbers: dict[str, int] = {}
    codes = np.array([numbers.setdefault(word, len(numbers)) for word in found], dtype=np.int64)
    longest = 0
    for unit in range(1, min(LONGEST_UNIT, len(codes) // 3) + 1):
        stretch = _longest_run(codes[unit:] == codes[:-unit]) + unit
        if stretch >= max(3 * unit, NGRAM + 2):
            longest = max(longest, stretch)
    return longest / len(codes) if longest else 0.0


def _longest_run(same: NDArray[np.bool_]) -> int:
    """The length of the longest run of True."""
    breaks = np.flatnonzero(~same)
    if not len(breaks):
        return len(same)
    return int(max(breaks[0], len(same) - 1 - breaks[-1], np.max(np.diff(breaks)) - 1 if len(breaks) > 1 else 0))


def copied(text: str, source: str) -> float | None:
    """The share of a text's runs of three words that stand in another text; None without a word."""
    own = ngrams(folded(text))
    if not own:
        return None
    return len(own & ngrams(folded(source))) / len(own)


def table(frame: pl.DataFrame) -> pl.DataFrame:
    """The measures of each row's negative and positive, a distinct text or pair of texts measured once.

    frame: n rows of `anchor`, `positive`, `negative`. Columns: `words`, `repeated`, `loop`, `distinct` and `ended`, `copied` (from the
    anchor), and each again with `_positive`.
    """
    names = ("words", "repeated", "loop", "distinct", "ended", "copied")
    known = {text: measured(text) for text in _distinct(frame["positive"], frame["negative"])}
    pairs: dict[tuple[str, str], float | None] = {}
    columns: dict[str, list[object]] = {f"{name}{of}": [] for of in ("", "_positive") for name in names}
    for anchor, positive, negative in frame.select("anchor", "positive", "negative").iter_rows():
        for text, of in ((negative, ""), (positive, "_positive")):
            if (text, anchor) not in pairs:
                pairs[text, anchor] = copied(text, anchor)
            for name, value in zip(names, (*known[text], pairs[text, anchor]), strict=True):
                columns[f"{name}{of}"].append(value)
    types = {"words": pl.Int64, "ended": pl.Boolean}
    return pl.DataFrame(
        {name: pl.Series(name, values, dtype=types.get(name.removesuffix("_positive"), pl.Float64)) for name, values in columns.items()}
    )


def _distinct(*columns: pl.Series) -> Iterable[str]:
    return {text for column in columns for text in column.to_list()}
