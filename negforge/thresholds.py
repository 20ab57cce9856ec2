"""What filters by a threshold share: the score, what it is compared with, and what becomes of anchors left with too few.

A score that is null, NaN or infinite is no score: its row cannot be judged. Rows labelled `positive` are proven false negatives;
they pass, and take no place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import polars as pl
from pydantic import Field

from negforge.contract import RELAXED, drops
from negforge.errors import InputError, listed, near
from negforge.labels import PROMOTED
from negforge.promoting import promoted

NO_SCORE = "no-score"
BY = "Score to look at: `dense` is the column score_dense, with score_dense_positive beside it."
By = Annotated[str, Field(description=BY, examples=["dense"])]
Reference = Annotated[
    Literal["weakest", "row"],
    Field(description="Positive to compare with: the one of the anchor's that scores least, or that of the row."),
]
Unscored = Annotated[
    Literal["keep", "drop"], Field(description="What becomes of a row that has no score to judge it by: it is counted as `no-score`.")
]
AtLeast = Annotated[int | None, Field(ge=1, description="How many negatives an anchor is to have left; fewer are counted.")]
Shortage = Annotated[
    Literal["short", "drop", "relax"],
    Field(
        description="What becomes of an anchor left with fewer than --at-least: it has fewer (`short`), loses the rest (`drop`), or gets "
        "back what is nearest to its threshold, `relaxed` in its evidence (`relax`)."
    ),
]
ShortagePolicy = Literal["short", "drop", "relax"]


def column_of(by: str) -> str:
    """The column of a score by the score's name, or by its own."""
    return by if by.startswith("score_") else "score_" + by.replace("-", "_").replace(".", "_")


def numbers(frame: pl.DataFrame, name: str, by: str = "") -> pl.Series:
    """A column of scores, null where there is none. by: what the flag says. InputError for a column that is not there."""
    if name not in frame.columns or not frame[name].dtype.is_numeric():
        have = [one for one in frame.columns if one.startswith("score_") and frame[one].dtype.is_numeric()]
        plain = [one.removeprefix("score_") for one in have if not one.endswith(("_positive", "_weakest"))]
        usable = [one for one in plain if f"score_{one}_positive" in have] if name.endswith("_positive") else plain
        guess = near((by or name).removeprefix("score_"), usable) or next(iter(usable), "")
        scored = "score the positives as well: negforge score" if plain else "score the table first: negforge score"
        raise InputError(
            f"there is no column of numbers '{name}'",
            f"the table has {listed(have) or 'no score'}",
            f"pass --by {guess}" if guess else scored,
        )
    score = pl.col(name).cast(pl.Float64)
    return frame.select(pl.when(score.is_finite()).then(score).alias(name)).to_series()


def references(frame: pl.DataFrame, by: str, reference: str) -> pl.Series:
    """What each row's score is compared with, null where there is nothing.

    frame: whole anchors. `weakest` is the least `score_x_weakest` of the anchor's rows, or, of an anchor that has none, their
    least `score_x_positive`; a promoted row's own score counts as that of a positive.
    """
    name = column_of(by)
    if reference == "row":
        return numbers(frame, f"{name}_positive", by)
    names = [one for one in (f"{name}_weakest", f"{name}_positive") if one in frame.columns] or [f"{name}_positive"]
    scores = frame.select("anchor_id").with_columns(numbers(frame, one, by) for one in names)
    least = pl.coalesce(pl.col(one).min().over("anchor_id") for one in names)
    if PROMOTED not in frame.columns:
        return scores.select(least).to_series()
    raised = scores.with_columns(pl.select(pl.when(promoted(frame)).then(numbers(frame, name, by))).to_series().alias("raised"))
    return raised.select(pl.min_horizontal(least, pl.col("raised").min().over("anchor_id"))).to_series()


@dataclass(frozen=True)
class Limit:
    """A threshold a row: what lies beyond it is dropped for the reason. A row without a limit cannot be judged by it."""

    reason: str
    limit: pl.Series
    above: bool = True

    def beyond(self, score: pl.Series) -> pl.Series:
        """Which scores lie beyond; null where that cannot be told."""
        return score > self.limit if self.above else score < self.limit

    def distance(self, score: pl.Series) -> pl.Series:
        """How far beyond a score lies."""
        return (score - self.limit if self.above else self.limit - score).cast(pl.Float64)


def judged(
    frame: pl.DataFrame,
    score: pl.Series,
    limits: Sequence[Limit],
    *,
    unscored: Literal["keep", "drop"] = "keep",
    at_least: int | None = None,
    shortage: ShortagePolicy = "short",
    missing: str = NO_SCORE,
) -> pl.DataFrame:
    """Drop the rows whose score lies beyond any of the limits, each for the first that it breaks.

    frame: whole anchors, with a score a row. The value is the score and the limit. Rows that some limit cannot judge and no
    other drops are noted as `missing`, or dropped for it. at_least, shortage: of the distinct texts of an anchor that are
    labelled `negative`.
    """
    text = score.cast(pl.String)
    reason = value = pl.lit(None, pl.String)
    distance = pl.lit(None, pl.Float64)
    unknown = pl.lit(value=False)
    columns: dict[str, pl.Series] = {"score": text}
    for place, one in enumerate(limits):
        beyond = one.beyond(score)
        columns |= {f"beyond{place}": beyond.fill_null(value=False), f"unknown{place}": beyond.is_null()}
        columns |= {f"limit{place}": one.limit.cast(pl.String), f"distance{place}": one.distance(score)}
    for place, one in reversed([*enumerate(limits)]):
        broken = pl.col(f"beyond{place}")
        reason = pl.when(broken).then(pl.lit(one.reason)).otherwise(reason)
        words = pl.concat_str("score", pl.lit(" > " if one.above else " < "), f"limit{place}")
        value = pl.when(broken).then(words).otherwise(value)
        distance = pl.max_horizontal(pl.when(broken).then(pl.col(f"distance{place}")), distance)
        unknown = unknown | pl.col(f"unknown{place}")
    candidate = pl.lit(frame["label"] != "positive")
    rows = pl.DataFrame(columns).select(
        pl.when(candidate).then(reason).alias("reason"),
        pl.when(candidate).then(value).alias("value"),
        distance.alias("distance"),
        pl.when(candidate & unknown & reason.is_null()).then(pl.lit(missing)).alias("note"),
    )
    if unscored == "drop":
        rows = rows.with_columns(pl.coalesce("reason", "note").alias("reason"), pl.lit(None, pl.String).alias("note"))
    if at_least is not None and shortage != "short":
        rows = (_without_short if shortage == "drop" else _relaxed)(frame, rows, at_least)
    return drops(rows["reason"], rows["value"], rows["note"])


def _texts(frame: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """The distinct negatives of each anchor: whether some row of it stays, how near the nearest one is, and how many stay in all."""
    every = frame.select("anchor_id", "negative", "id", "label").hstack(rows.select("reason", "distance"))
    texts = every.filter(pl.col("label") == "negative").group_by("anchor_id", "negative", maintain_order=True)
    found = texts.agg(pl.col("reason").is_null().any().alias("stays"), pl.col("distance").min(), pl.col("id").min())
    return found.with_columns(pl.col("stays").sum().cast(pl.Int64).over("anchor_id").alias("left"))


def _without_short(frame: pl.DataFrame, rows: pl.DataFrame, at_least: int) -> pl.DataFrame:
    """Anchors left with too few lose the rest as `anchor-short`, with how many there were as the value."""
    left = _texts(frame, rows).group_by("anchor_id", maintain_order=True).agg(pl.col("left").first())
    of_row = frame.select("anchor_id", "label").join(left, on="anchor_id", how="left", maintain_order="left")
    short = pl.lit((of_row["left"].fill_null(0) < at_least) & (of_row["label"] != "positive")) & pl.col("reason").is_null()
    words = pl.lit(of_row["left"].fill_null(0).cast(pl.String)) + pl.lit(f" < {at_least}")
    return rows.with_columns(
        pl.when(short).then(pl.lit("anchor-short")).otherwise("reason").alias("reason"),
        pl.when(short).then(words).otherwise("value").alias("value"),
        pl.when(~short).then("note").alias("note"),
    )


def _relaxed(frame: pl.DataFrame, rows: pl.DataFrame, at_least: int) -> pl.DataFrame:
    """Anchors left with too few get back the texts that lie nearest to their thresholds, ties by id."""
    gone = _texts(frame, rows).filter(~pl.col("stays"), pl.col("distance").is_not_null()).sort("anchor_id", "distance", "id")
    gone = gone.with_columns(pl.int_range(1, pl.len() + 1).over("anchor_id").alias("place"))
    back = gone.filter(pl.col("place") + pl.col("left") <= at_least).select("anchor_id", "negative", pl.lit(True).alias("back"))
    of_row = frame.select("anchor_id", "negative", "label").join(back, on=["anchor_id", "negative"], how="left", maintain_order="left")
    # Of a row with no score, nobody can say how near it is.
    again = pl.lit(of_row["back"].fill_null(value=False) & (of_row["label"] == "negative")) & pl.col("distance").is_not_null()
    return rows.with_columns(
        pl.when(~again).then("reason").alias("reason"),
        pl.when(~again).then("value").alias("value"),
        pl.when(again).then(pl.lit(RELAXED)).otherwise("note").alias("note"),
    )
