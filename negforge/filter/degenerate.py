"""Drop negatives that fail in form, so that no model learns to tell them by it: empty, looping, repetitive, copied or broken off.

Reasons, in this order, each with the measure and the limit as the value:
- `empty`: no word, where the positive has one;
- `loop`: more than `--max-loop` of the words lie in a stretch of up to 60 words said three times on end or more;
- `repeated`: more than `--max-repeated` of the runs of three words stood there before;
- `few-words`: less than `--min-distinct` of the first 200 words differ;
- `copied`: more than `--max-copied` of the runs of three words stand in the anchor;
- `too-short`, `too-long`: words by those of the positive, where `--min-length` or `--max-length` is given;
- `broken-off`: the positive ends as a sentence does and the negative does not, with `--whole`.

A positive sets a wider limit where it goes beyond one itself: a song has a refrain, and an answer may say its question again. Words
compare without case and punctuation; in scripts without blanks each character is one. Rows of the opposition `degenerate` are meant
to fail, and pass; so do rows labelled `positive`.
Paper: Holtzman et al., The Curious Case of Neural Text Degeneration, arXiv:1904.09751 (loops); Li et al., arXiv:1510.03055 (distinct
n-grams); Welleck et al., Neural Text Generation with Unlikelihood Training, arXiv:1908.04319 (repeated n-grams).
"""

from __future__ import annotations

from typing import Annotated, Literal

import polars as pl
from pydantic import Field

from negforge import degeneration
from negforge.contract import Declares, drops
from negforge.records import Negatives

DECLARES = Declares(version=1, scope="row", reads=Negatives)


def filter(  # noqa: A001 - an operator's function is named after its verb
    batch: Negatives,
    *,
    max_loop: Annotated[float, Field(ge=0, le=1, description="Largest share of the words in a loop.")] = 0.3,
    max_repeated: Annotated[float, Field(ge=0, le=1, description="Largest share of runs of three words that stood there before.")] = 0.5,
    min_distinct: Annotated[float, Field(ge=0, le=1, description="Least share of different words among the first 200.")] = 0.15,
    max_copied: Annotated[float, Field(ge=0, le=1, description="Largest share of runs of three words that stand in the anchor.")] = 0.9,
    min_length: Annotated[float | None, Field(gt=0, description="Least number of words, by those of the positive; default any.")] = None,
    max_length: Annotated[float | None, Field(gt=0, description="Largest number of words, by those of the positive; default any.")] = None,
    whole: Annotated[bool, Field(description="Drop what breaks off where the positive ends as a sentence does.")] = False,
    meant: Annotated[
        Literal["keep", "drop"], Field(description="What becomes of rows of the opposition `degenerate`, which are meant to fail.")
    ] = "keep",
) -> pl.DataFrame:
    """Drop rows for the first limit that they break.

    batch: n rows of `anchor`, `positive`, `negative`, `label`, `opposition`.
    """
    found = degeneration.table(batch.frame).with_columns(batch["label"], batch["opposition"])
    length = pl.when(pl.col("words_positive") > 0).then(pl.col("words") / pl.col("words_positive"))
    reason = value = pl.lit(None, pl.String)
    tests: list[tuple[str, pl.Expr, pl.Expr]] = [
        ("empty", (pl.col("words") == 0) & (pl.col("words_positive") > 0), pl.lit(None, pl.String)),
        *(_above(name, reason, limit) for name, reason, limit in (("loop", "loop", max_loop), ("repeated", "repeated", max_repeated))),
        _below("distinct", "few-words", min_distinct),
        _above("copied", "copied", max_copied),
    ]
    if min_length is not None:
        tests.append(("too-short", length < min_length, _told(length, "<", pl.lit(min_length))))
    if max_length is not None:
        tests.append(("too-long", length > max_length, _told(length, ">", pl.lit(max_length))))
    if whole:
        tests.append(("broken-off", pl.col("ended_positive") & ~pl.col("ended"), pl.lit(None, pl.String)))
    for name, broken, told in reversed(tests):
        reason = pl.when(broken).then(pl.lit(name)).otherwise(reason)
        value = pl.when(broken).then(told).otherwise(value)
    judged = pl.col("label") != "positive"
    if meant == "keep":
        judged = judged & (pl.col("opposition") != "degenerate")
    made = found.select(pl.when(judged).then(reason).alias("reason"), pl.when(judged).then(value).alias("value"))
    return drops(made["reason"], made["value"])


def _above(measure: str, name: str, limit: float) -> tuple[str, pl.Expr, pl.Expr]:
    """A measure above its limit, or above the positive's if that is higher."""
    most = pl.max_horizontal(pl.lit(limit), f"{measure}_positive")
    return name, pl.col(measure) > most, _told(pl.col(measure), ">", most)


def _below(measure: str, name: str, limit: float) -> tuple[str, pl.Expr, pl.Expr]:
    """A measure below its limit, or below the positive's if that is lower."""
    least = pl.min_horizontal(pl.lit(limit), f"{measure}_positive")
    return name, pl.col(measure) < least, _told(pl.col(measure), "<", least)


def _told(measure: pl.Expr, sign: str, limit: pl.Expr) -> pl.Expr:
    return pl.concat_str(measure.round(3), pl.lit(f" {sign} "), limit.round(3))
