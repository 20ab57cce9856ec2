"""Doubt a negative that holds one of the question's accepted answers, word for word.

Both are normalised, and an answer counts only where it begins and ends with a word: `art` is not in `party`, `5` not in `-5`,
`3.5` or `1,500`. An answer too short or too common to name anything (`no`, `the`, `5`) counts only where the candidate is
nothing but that answer. A passage with the string need not answer the question: the verdict `positive` is a doubt, which
makes a negative `unknown`, so that it is not published, until a judge votes or a proof decides. A candidate without the
string proves nothing, for an answer can be put in other words. A title counts as part of its passage. What is nothing but an
answer is proven so by `known-positive`, with the answers as positives (`ingest pairs --positive answers`).
Paper: Karpukhin et al., Dense Passage Retrieval, 2020 (facebookresearch/DPR, `has_answer`); Rajpurkar et al., SQuAD, 2016;
Zhang et al., AR2, 2021 (passages that hold an answer leave the negatives).
"""

from __future__ import annotations

from typing import Annotated

import polars as pl
from pydantic import Field

from negforge import text
from negforge.contract import Declares
from negforge.errors import InputError
from negforge.records import Negatives, missing_column

DECLARES = Declares(version=1, scope="row", reads=Negatives, doubts=("positive",), columns=("negative",))
# Words that stand in nearly any text; number words are digits by then.
_COMMON = (
    r"^ (?:"
    "the|a|an|yes|no|not|none|true|false|both|all|any|some|other|more|most|many|few|same|right|left|up|down|in|out|on|off|"
    "at|by|for|from|of|to|and|or|but|as|is|are|was|were|be|been|has|have|had|do|does|did|can|could|will|would|may|it|its|he|"
    "him|his|she|her|they|them|their|we|us|our|you|your|i|me|my|this|that|these|those|there|here|who|what|when|where|which|"
    "why|how"
    ") $"
)
_LONGEST_PATTERN = 1000
# Chinese and Japanese have no blanks between words: each character is one.
_UNSPACED = r"([\p{Han}\p{Hiragana}\p{Katakana}])"
_MARKS = r"""[.,;:!?"'()\[\]\u{ab}\u{bb}\u{2013}\u{2014}]+"""
_STEPS = (
    (_UNSPACED, " $1 "),
    (r"([$€£¥%])", " $1 "),
    # Twice, for in `1-2-3` the first match consumes the digit that the second needs.
    (r"(\p{N})[-\u{2013}\u{2014}](\p{N})", "$1 $2"),
    (r"(\p{N})[-\u{2013}\u{2014}](\p{N})", "$1 $2"),
    (rf"{_MARKS}(?:\s+|$)", " "),
    (rf"(?:^|\s+){_MARKS}(\p{{L}}|\p{{N}})", " $1"),
    (r"\s{2,}", " "),
)
_ARTICLE = r"^ (?:a|an|the) (\S)"


def verify(
    batch: Negatives,
    *,
    language: str,
    answers: Annotated[
        str, Field(description="Column of the accepted answers: a text, a list of texts, or SQuAD's records with a `text`.")
    ] = "answers",
    min_length: Annotated[
        int, Field(ge=1, description="Characters from which an answer counts wherever it stands; a shorter one is compared whole.")
    ] = 3,
    regex: Annotated[
        bool, Field(description="The answers are regular expressions (Rust dialect, linear time), matched in any case.")
    ] = False,
) -> pl.Series:
    """`positive` where the negative holds an accepted answer, else `unknown`.

    batch: n rows of `negative` and the column of answers; a row without answers is `unknown`. Raises InputError for a column
    that is not there or holds something else, and for a pattern that is broken, longer than 1,000 characters or too large.
    """
    accepted = _accepted(batch.frame, answers)
    # One row for each answer; the texts are not copied.
    each = pl.DataFrame({"row": pl.int_range(batch.frame.height, eager=True), "answer": accepted}).explode("answer")
    each = each.filter(pl.col("answer").str.strip_chars().str.len_bytes() > 0)
    held = _matching(batch["negative"], each, answers) if regex else _holding(batch, each, language, min_length)
    found = pl.Series([False]).new_from_index(0, batch.frame.height).scatter(each["row"].filter(held).unique(), values=True)
    return pl.select(pl.when(found).then(pl.lit("positive")).otherwise(pl.lit("unknown"))).to_series()


def _accepted(frame: pl.DataFrame, column: str) -> pl.Series:
    """The accepted answers of each row as a list of texts."""
    if column not in frame.columns:
        raise missing_column("answers", frame.columns, "the table", column)
    found = frame[column]
    if isinstance(found.dtype, pl.Struct) and "text" in {field.name for field in found.dtype.fields}:
        found = found.struct.field("text")
    if isinstance(found.dtype, pl.Array):
        found = found.arr.to_list()
    if isinstance(found.dtype, pl.List):
        inner = found.dtype.inner
        if isinstance(inner, pl.Struct) and "text" in {field.name for field in inner.fields}:
            found = found.list.eval(pl.element().struct.field("text"))
    else:
        found = found.reshape((-1, 1)).arr.to_list() if len(found) else found.cast(pl.List(pl.String), strict=False)
    held = found.dtype.inner if isinstance(found.dtype, pl.List) else found.dtype
    if not (held in (pl.String, pl.Null, pl.Categorical) or held.is_integer()):
        raise InputError(f"column '{column}' holds no answers", f"it is of {frame[column].dtype}", "give texts, or lists of texts")
    return found.cast(pl.List(pl.String))


def _holding(batch: Negatives, each: pl.DataFrame, language: str, min_length: int) -> pl.Series:
    """Which answers their row's negative holds."""
    article, common = (_ARTICLE, _COMMON) if language == "en" else ("^()$", "^$")
    wanted = _words(text.normalised(each["answer"], language=language)).str.replace(article, " $1")
    held = _words(batch.normalised("negative", language)).gather(each["row"])
    whole = held.str.replace(article, " $1")
    weak = (wanted.str.len_chars() - 2 < min_length) | wanted.str.contains(common)
    pair = pl.DataFrame({"held": held, "wanted": wanted, "weak": weak, "whole": whole})
    inside = pl.col("held").str.contains(pl.col("wanted"), literal=True)
    same = pl.col("whole") == pl.col("wanted")
    return pair.select(pl.when("weak").then(same).otherwise(inside).fill_null(value=False) & (pl.col("wanted") != " ")).to_series()


def _words(normalised: pl.Series) -> pl.Series:
    """Texts as words with a blank before and after each, so that a run of whole words is a plain substring."""
    spaced = " " + normalised + " "
    for pattern, new in _STEPS:
        spaced = spaced.str.replace_all(pattern, new)
    return spaced


def _matching(texts: pl.Series, each: pl.DataFrame, column: str) -> pl.Series:
    """Which patterns match their row's negative. A pattern comes from data: it is bounded, and the engine never backtracks."""
    pair = pl.DataFrame({"held": texts.gather(each["row"]), "wanted": each["answer"]})
    fits = pl.col("wanted").str.len_chars() <= _LONGEST_PATTERN
    pattern = "(?im)" + pl.when(fits).then(pl.col("wanted"))
    found = pair.select(pl.col("held").fill_null("").str.contains(pattern, strict=False)).to_series()
    broken = found.is_null().arg_true()
    if len(broken):
        shown = pair["wanted"][int(broken[0])][:80]
        more = f", and {len(broken) - 1} more" if len(broken) > 1 else ""
        raise InputError(
            f"column '{column}' holds a pattern that is broken or too large", f"{shown!r}{more}", "mend it, or leave out --regex"
        )
    return found
