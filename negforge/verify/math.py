"""Prove a negative right or wrong by its final answer: the value it gives, beside the one that the reference gives.

The reference is the column `reference` where a row has one, else the positive. The answer is what follows the last `####`, stands
in the last box (LaTeX) or a last line `A: ...`, or follows `answer is`; a text that is nothing but a quantity is its own answer, and
`--answer` finds it otherwise. Numbers, fractions, percentages, money, thousands marks, powers of ten and plain arithmetic compare by
exact value.
`positive`: the same value, so the negative's answer is right. `negative`: proven another. `unknown`: one of them has no answer
or cannot be read, the units differ, one may be the other rounded, or the limit was reached. With `--symbolic` what is not plain
arithmetic is compared by an algebra system in a process that is killed after 3 seconds of computing. An answer that is right says
nothing of the steps to it.
Paper: Cobbe et al., Training Verifiers to Solve Math Word Problems, 2021.
Source: huggingface/Math-Verify.
"""

from __future__ import annotations

import functools
import importlib.util
import re
from typing import Annotated

import polars as pl
from pydantic import Field

from negforge import arithmetic
from negforge.contract import Declares
from negforge.errors import UsageError
from negforge.killable import Killable, Limits
from negforge.records import Negatives

DECLARES = Declares(version=1, scope="row", reads=Negatives, proves=("positive", "negative"), columns=("reference", "positive", "negative"))
_LIMITS = Limits(cpu_seconds=3, wall_seconds=15.0)
_LONGEST = 2000  # characters of an answer that an algebra system is asked about


def prepare(
    *,
    answer: Annotated[
        str | None,
        Field(description="A regular expression whose first group is the answer; the last match counts.", examples=["Result: (.*)"]),
    ] = None,
    symbolic: Annotated[bool, Field(description="Compare what is not plain arithmetic by algebra; needs the extra `math`.")] = False,
) -> None:
    """Look whether the options can be obeyed. Raises UsageError."""
    if answer is not None:
        try:
            groups = re.compile(answer).groups
        except re.error as error:
            raise UsageError(f"--answer is no regular expression: {error}", answer, "write one such as 'Result: (.*)'") from None
        if not groups:
            raise UsageError("--answer has no group", answer, "put the answer in parentheses, as in 'Result: (.*)'")
    if symbolic and importlib.util.find_spec("math_verify") is None:
        raise UsageError("--symbolic needs math-verify, which is not installed", mend='pip install "negforge[math]"')


def verify(batch: Negatives, *, answer: str | None, symbolic: bool, language: str) -> pl.Series:
    """`positive` where the final answer is right, `negative` where it is proven wrong, else `unknown`.

    batch: n rows of `positive`, `negative` and, if they have one, `reference`.
    """
    right = batch["positive"]
    if "reference" in batch:
        right = pl.select(pl.coalesce(batch["reference"].cast(pl.String), right)).to_series()
    both = zip(right.to_list(), batch["negative"].to_list(), strict=True)
    return pl.Series("verdict", [_verdict(one, other, answer, symbolic, language) for one, other in both], dtype=pl.String)


def _verdict(right: str | None, given: str | None, answer: str | None, symbolic: bool, language: str) -> str:
    one, other = (None if text is None else _answer(text, answer) for text in (right, given))
    if one is None or other is None:
        return "unknown"
    return _compared(one, other, symbolic, "en" if language == "code" else language)


def _answer(text: str, pattern: str | None) -> str | None:
    if pattern is None:
        return arithmetic.final_answer(text)
    found: list[str | None] = [match[1] for match in re.finditer(pattern, text)]
    return (found[-1] or "").strip() or None if found else None


@functools.lru_cache(maxsize=1 << 14)
def _compared(one: str, other: str, symbolic: bool, language: str) -> str:
    left, right = arithmetic.quantity(one, language), arithmetic.quantity(other, language)
    if left is not None and right is not None:
        return arithmetic.compare(left, right)
    if one == other:
        return "positive"
    if not symbolic or max(len(one), len(other)) > _LONGEST:
        return "unknown"
    made = _algebra().call(one.strip("$"), other.strip("$"))
    return made.value if made.state == "done" and made.value in ("positive", "negative") else "unknown"


@functools.cache
def _algebra() -> Killable:
    return Killable("negforge.symbolic:equal", _LIMITS)
