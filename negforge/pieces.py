"""Cuts a text into words by their places in it, in any script, so that an edit splices and never joins words anew."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable
from itertools import pairwise

from negforge.errors import InputError
from negforge.records import Pairs, free_name
from negforge.rng import Rng
from negforge.text import CJK

Span = tuple[int, int]
# Scripts without blanks between words: each character, with the marks it carries, stands for a word.
_UNSPACED = rf"{CJK}\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\U00020000-\U0003ffff"
_JOINERS = "\u200c\u200d"


@functools.cache
def _marks() -> str:
    """The inside of a character class of all combining marks: Python's `re` knows no such class, and none is in its words."""
    runs: list[list[int]] = []
    for code in (*range(0x300, 0x1E950), *range(0xE0100, 0xE01F0)):
        if unicodedata.category(chr(code))[0] == "M":
            if runs and runs[-1][1] == code - 1:
                runs[-1][1] = code
            else:
                runs.append([code, code])
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in runs) + _JOINERS


@functools.cache
def _word() -> re.Pattern[str]:
    marks, letter = _marks(), rf"[^\W{_UNSPACED}]"
    part = rf"{letter}(?:{letter}|[{marks}])*"
    return re.compile(rf"[{_UNSPACED}][{marks}]*|{part}(?:['\u2019-]{part}|(?<=\d)[.,](?=\d){part})*")


@functools.cache
def _cluster() -> re.Pattern[str]:
    return re.compile(rf"(?s:.)(?:[{_marks()}]|(?<=\u200d).)*")


@functools.cache
def _unspaced() -> re.Pattern[str]:
    return re.compile(f"[{_UNSPACED}]")


def words(text: str) -> list[Span]:
    """The words of a text, as (start, end) in characters. A hyphen or apostrophe inside a word is of it, as is the mark in `3.5`.

    In scripts without blanks between words each character is one.
    """
    return [match.span() for match in _word().finditer(text)]


def clusters(word: str) -> list[str]:
    """The characters of a word as a reader counts them: each with the marks it carries."""
    return _cluster().findall(word)


def is_unspaced(text: str) -> bool:
    """Whether a text has a character of a script without blanks between words."""
    return _unspaced().search(text) is not None


def between(word: str) -> str:
    """What stands between a word that is put into a text and its neighbour: a blank, but in scripts that have none."""
    return "" if is_unspaced(word) else " "


def spliced(text: str, edits: Iterable[tuple[int, int, str]]) -> str:
    """The text with each stretch (start, end, new) replaced. Stretches do not overlap, and come in any order."""
    parts, at = [], 0
    for start, end, new in sorted(edits, key=lambda one: one[:2]):
        parts += [text[at:start], new]
        at = end
    return "".join([*parts, text[at:]])


def whole(text: str) -> list[str]:
    """The text in pieces that joined give it again: each a word with what stands before the next. The first has what stands before it."""
    starts = [start for start, _ in words(text)]
    if not starts:
        return [text] if text else []
    cuts = [0, *starts[1:], len(text)]
    return [text[one:two] for one, two in pairwise(cuts)]


class Draws:
    """Numbers drawn for one row and one purpose."""

    def __init__(self, rng: Rng, row_id: str, *purpose: object) -> None:
        # The row's id comes last: it may hold anything.
        self._stream = iter(rng.stream("\x1f".join([*map(str, purpose), row_id])))

    def below(self, high: int) -> int:
        """A whole number from 0 to high - 1."""
        return next(self._stream) % high

    def chance(self, share: float) -> bool:
        """True in that share of calls."""
        return next(self._stream) < share * 2.0**64

    def shares(self, count: int) -> list[float]:
        """So many numbers from 0 to below 1."""
        return [(next(self._stream) >> 11) * 2.0**-53 for _ in range(count)]

    def shuffled(self, items: Iterable[int]) -> list[int]:
        """The items in an order drawn."""
        order = list(items)
        for last in range(len(order) - 1, 0, -1):
            other = self.below(last + 1)
            order[last], order[other] = order[other], order[last]
        return order


def refuse_taken(batch: Pairs, names: Iterable[str], operator: str) -> None:
    """Raise InputError where the source has a column that the operator writes."""
    taken = [name for name in names if name in batch]
    if taken:
        what, where = f"column '{taken[0]}' is in the way", f"generate {operator} writes '{taken[0]}' itself"
        raise InputError(what, where, f"pass --rename {taken[0]}={free_name(taken[0])}")
