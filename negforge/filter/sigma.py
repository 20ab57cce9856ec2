"""Drop the negatives of bad pairs: a positive that is far too near its anchor, or far too far from it, makes noise of its negatives.

Each pair has one value, the mean of its positive's scores, later ones weighing more: 1, 2, 3 and so on in the order they are
named, as with the epochs of a training. mu and sd are mean and standard deviation over the pairs of the table.

- `noisy`: the pair is learnt too easily, at or below mu - 2 sd of a loss.
- `faulty`: the pair is never learnt, at or above mu + 3 sd of a loss: the positive may belong to another anchor.

Of similarities, which are high where a loss is low, both ends change places. One pair, or pairs that are all alike, are left alone.
Run again over what it kept, it takes narrower bounds. Memory grows with the rows, by some 100 bytes each.
Paper: Lan et al., Dynamic Bad Pair Mining, arXiv:2302.03357 (beta 2 and 3, losses weighted by epoch).
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

import polars as pl
from pydantic import AfterValidator, Field

from negforge import rng
from negforge.contract import Declares
from negforge.records import Negatives
from negforge.thresholds import NO_SCORE, Unscored, column_of, numbers

DECLARES = Declares(version=1, scope="table", reads=Negatives, fits=True)


def _some(names: list[str]) -> list[str]:
    """The names, if there is one; ValueError for none, or one twice."""
    if not names or len({*names}) < len(names):
        raise ValueError("names each score once, and one at least")
    return names


def keys(
    batch: Negatives,
    *,
    by: Annotated[
        list[Annotated[str, Field(examples=["dense"])]],
        Field(description="Score whose column score_NAME_positive is looked at, the latest last. Repeatable."),
        AfterValidator(_some),
    ],
) -> pl.DataFrame:
    """The narrow table: one `group`, a 128-bit key of the pair, its `value`, null where it has no score, and what passes."""
    scores = [numbers(batch.frame, f"{column_of(name)}_positive", name).alias(str(place)) for place, name in enumerate(by)]
    weights = [pl.when(pl.col(one.name).is_not_null()).then(float(place)) for place, one in enumerate(scores, start=1)]
    total = pl.sum_horizontal(pl.col(one.name) * weight for one, weight in zip(scores, weights, strict=True))
    weight = pl.sum_horizontal(weights)
    high, low = rng.strings128(batch["source_id"])
    value = pl.DataFrame(scores).select(pl.when(weight > 0).then(total / weight)).to_series()
    group = pl.repeat(0, len(batch), dtype=pl.UInt64, eager=True)
    return pl.DataFrame({"group": group, "high": high, "low": low, "value": value, "passes": batch["label"] == "positive"})


def filter(  # noqa: A001 - an operator's function is named after its verb
    narrow: Negatives,
    *,
    measure: Annotated[
        Literal["similarity", "loss"], Field(description="What the scores are: high for a good pair, or high for a bad one.")
    ] = "similarity",
    noisy: Annotated[float, Field(gt=0, description="Standard deviations to the easy side from which a pair is `noisy`.")] = 2.0,
    faulty: Annotated[float, Field(gt=0, description="Standard deviations to the hard side from which a pair is `faulty`.")] = 3.0,
    unscored: Unscored = "keep",
) -> pl.DataFrame:
    """Decide: every row of a bad pair goes as `noisy` or `faulty`, with the pair's value and the bound as the value."""
    rows = narrow.frame
    # A positive has one score, in all rows of its pair; of one that has not, the least.
    pairs = rows.group_by("high", "low").agg(pl.col("value").min().alias("of_pair"))
    values = pairs["of_pair"].drop_nulls().to_numpy()
    # Sums that round once do not depend on the order of the rows, nor on the machine.
    mean = math.fsum(values) / max(len(values), 1)
    spread = math.sqrt(math.fsum((values - mean) ** 2) / max(len(values), 1))
    found = rows.filter(~pl.col("passes")).join(pairs, on=["high", "low"], how="left", maintain_order="left")
    below, above = (noisy, faulty) if measure == "loss" else (faulty, noisy)
    names = ("noisy", "faulty") if measure == "loss" else ("faulty", "noisy")
    low, high = mean - below * spread, mean + above * spread
    beneath, beyond = (pl.col("of_pair") <= low, pl.col("of_pair") >= high) if spread > 0 else (pl.lit(value=False), pl.lit(value=False))
    reason = pl.when(beneath).then(pl.lit(names[0])).when(beyond).then(pl.lit(names[1]))
    missing = pl.when(pl.col("of_pair").is_null()).then(pl.lit(NO_SCORE))
    bound = pl.when(beneath).then(pl.lit(f" <= {low}")).otherwise(pl.lit(f" >= {high}"))
    return found.select(
        "row",
        (reason.otherwise(missing) if unscored == "drop" else reason).alias("drop_reason"),
        pl.when(beneath | beyond).then(pl.concat_str(pl.col("of_pair"), bound)).alias("drop_value"),
        (missing if unscored == "keep" else pl.lit(None, pl.String)).alias("note"),
    ).filter(pl.col("drop_reason").is_not_null() | pl.col("note").is_not_null())
