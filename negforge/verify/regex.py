"""Prove a negative right or wrong by whether it matches a regular expression: one for all rows, or each row's own.

For answers of a fixed form (`--pattern`), and for programs that are patterns (`--pattern-column`): what the program accepts is right
for it. With `--match right` (the default) a negative that matches is `positive`, one that does not is `negative`; with `wrong` it is
the other way round. `--only-match` leaves what does not match `unknown`. The pattern is Python's, over the whole text or, with
`--search`, anywhere in it.
A pattern from data runs no program, but it may run for ever: matching takes place in a process that is killed, and a text that takes
more than `--timeout-seconds` of computing is `unknown`, as is a row whose pattern is null, broken, longer than 10,000 characters, or
wants too much memory, and a text longer than 100,000.
Paper: Vaduguru et al., Generating Pragmatic Examples to Train Neural Program Synthesizers, 2024 (1 second a match).
"""

from __future__ import annotations

import functools
import math
from typing import Annotated, Literal

import polars as pl
from pydantic import Field

from negforge.contract import Declares
from negforge.errors import InputError, UsageError
from negforge.killable import Killable, Limits
from negforge.records import Negatives, missing_column

DECLARES = Declares(
    version=1,
    scope="row",
    reads=Negatives,
    proves=("positive", "negative"),
    columns=("negative",),
    any_of=("pattern", "pattern_column"),
)
_LONGEST_PATTERN = 10_000
_LONGEST_TEXT = 100_000
_TEXTS = 64  # of one call
_MEMORY = 1 << 29


def verify(
    batch: Negatives,
    *,
    pattern: Annotated[
        str | None, Field(description="The regular expression that every negative is compared with.", examples=["[0-9]+"])
    ] = None,
    pattern_column: Annotated[str | None, Field(description="Column of each row's own regular expression.", examples=["program"])] = None,
    match: Annotated[
        Literal["right", "wrong"], Field(description="What a match says of a negative: that it is right, or that it is wrong.")
    ] = "right",
    only_match: Annotated[bool, Field(description="No match says nothing.")] = False,
    search: Annotated[bool, Field(description="Look for the pattern anywhere in the text.")] = False,
    ignore_case: Annotated[bool, Field(description="Take capital and small letters for the same.")] = False,
    timeout_seconds: Annotated[float, Field(ge=0.01, le=60, description="Computing time of one match, at most.")] = 1.0,
) -> pl.Series:
    """`positive` or `negative` by the match, else `unknown`.

    batch: n rows of `negative` and, with `pattern_column`, that column. Raises UsageError for both or a broken `pattern`, InputError
    for a column that is not there or holds no texts.
    """
    texts = batch["negative"].to_list()
    if pattern is not None and pattern_column is not None:
        raise UsageError("--pattern and --pattern-column say the same thing twice", mend="pass one of them")
    if pattern_column is None:
        patterns = [pattern] * len(texts)
        if pattern is not None and (
            len(pattern) > _LONGEST_PATTERN or _matched(pattern, [""], not search, ignore_case, timeout_seconds) is None
        ):
            raise UsageError("--pattern is no regular expression of Python's", pattern[:80], "mend it, or write one such as '[0-9]+'")
    else:
        if pattern_column not in batch.frame.columns:
            raise missing_column("pattern-column", batch.frame.columns, "the table", pattern_column)
        column = batch.frame[pattern_column]
        if column.dtype not in (pl.String, pl.Null):
            raise InputError(f"column '{pattern_column}' holds no patterns", f"it is of {column.dtype}", "give a column of texts")
        patterns = column.cast(pl.String).to_list()
    said = ("positive", "negative") if match == "right" else ("negative", "positive")
    verdicts = ["unknown"] * len(texts)
    rows: dict[str, list[int]] = {}
    for row, (one, text) in enumerate(zip(patterns, texts, strict=True)):
        if one is not None and text is not None and len(one) <= _LONGEST_PATTERN and len(text) <= _LONGEST_TEXT:
            rows.setdefault(one, []).append(row)
    for one, members in rows.items():
        for start in range(0, len(members), _TEXTS):
            some = members[start : start + _TEXTS]
            found = _matched(one, [texts[row] for row in some], not search, ignore_case, timeout_seconds) or [None] * len(some)
            for row, matches in zip(some, found, strict=True):
                if matches is not None and (matches or not only_match):
                    verdicts[row] = said[0] if matches else said[1]
    return pl.Series("verdict", verdicts, dtype=pl.String)


def _matched(pattern: str, texts: list[str], full: bool, ignore_case: bool, seconds: float) -> list[bool | None] | None:
    """Whether each text matches, None for one that nobody can say of; None alone where the pattern is broken.

    A call has time for all its texts to run into the timer, so what is said of one hangs on no other. One that is killed all the same
    is asked again for each text alone.
    """
    answer = _matcher(math.ceil(seconds * len(texts)) + 2).call(pattern, texts, full, ignore_case, seconds)
    if answer.state == "done":
        found: list[bool | None] | None = answer.value
        return found
    if len(texts) == 1:
        return [None]
    return [one for text in texts for one in _matched(pattern, [text], full, ignore_case, seconds) or [None]]


@functools.lru_cache(maxsize=4)
def _matcher(cpu_seconds: int) -> Killable:
    limits = Limits(cpu_seconds=cpu_seconds, wall_seconds=10.0 + 4 * cpu_seconds, memory_bytes=_MEMORY)
    return Killable("negforge.matching:matches", limits)
