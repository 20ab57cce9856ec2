"""Prove an edited text false as a negative when it still says the same: equal but for how its numbers are written.

`1,000` is `1000`, `2.50` is `2.5`, `1/2` is `0.5`, `twelve` is `12`, `5 %` is `5%`. Texts are normalised first. A text
that differs in anything else proves nothing here.
Source: google-research-datasets/paws#16 (pairs labelled different that were the same).
"""

from __future__ import annotations

import functools
import re
from fractions import Fraction

import polars as pl

from negforge.contract import Declares
from negforge.records import Negatives

DECLARES = Declares(version=1, scope="row", reads=Negatives, proves=("positive",), columns=("positive", "negative"))
# A number with thousands groups, decimals, or as a fraction; it begins and ends at no letter, digit or further group.
_NUMBER = re.compile(r"(?<![\w.,/])(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(?:/\d+(?:\.\d+)?)?(?![\w/]|[.,]\d)")
_SPACED_SIGN = re.compile(r"(\d) ([%°])")
# What a text has whose value differs from its letters: no decimals, no groups, no fraction, no leading zero, no `5 %`, no other digits.
_WRITTEN_OTHERWISE = r"\d[.,/]\d|(?:^|\D)0\d|\d [%°]|[\d--[0-9]]"


def verify(batch: Negatives, *, language: str) -> pl.Series:
    """`positive` where the negative says what the positive says, else `unknown`.

    batch: n rows of `positive`, `negative`.
    """
    negative, positive = batch.normalised("negative", language), batch.normalised("positive", language)
    same = (negative == positive).fill_null(value=False)
    if language != "code":
        # Two texts whose numbers are all plain are equal by their letters alone; others must have the same letters but for their numbers.
        otherwise = (negative.str.contains(_WRITTEN_OTHERWISE) | positive.str.contains(_WRITTEN_OTHERWISE)).fill_null(value=False)
        tried = (otherwise & ~same).arg_true()
        bare = r"[\d\s.,/%°]+"
        left, right = negative.gather(tried).str.replace_all(bare, ""), positive.gather(tried).str.replace_all(bare, "")
        tried = tried.filter((left == right).fill_null(value=False))
        if len(tried):
            both = zip(negative.gather(tried), positive.gather(tried), strict=True)
            equal = [_valued(one) == _valued(other) for one, other in both]
            same = same.scatter(tried, equal)
    return pl.select(pl.when(same).then(pl.lit("positive")).otherwise(pl.lit("unknown"))).to_series()


def _valued(text: str) -> str:
    """The text with each number in one form: its exact value as a fraction in lowest terms."""
    valued = _NUMBER.sub(lambda match: _value(match[0]), text)
    return _SPACED_SIGN.sub(r"\1\2", valued) if "%" in text or "°" in text else valued


@functools.lru_cache(maxsize=1 << 16)
def _value(number: str) -> str:
    over, _, under = number.replace(",", "").partition("/")
    if not under:
        return str(Fraction(over))
    return str(Fraction(over) / Fraction(under)) if Fraction(under) else number
