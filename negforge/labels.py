"""The label of a negative: a pure function of its initial label and all its verdicts, whatever their order."""

from __future__ import annotations

import functools
from collections.abc import Iterable

import polars as pl

from negforge import registry

PREFIX = "verdict_"
PROMOTED = "verdict_promoted"  # of no verifier: see `promoting`


def column_of(verifier: str) -> str:
    """The column of a verifier's verdicts."""
    return PREFIX + verifier.replace("-", "_").replace(".", "_")


def standing(column: str, before: pl.Series, answer: pl.Series) -> pl.Series:
    """A verifier's second answer beside its first: a proof is never withdrawn by a side table that does not know it."""
    name = column.removeprefix(PREFIX)
    proves = next(
        (one.declared.get("proves", ()) for key, one in registry.operators("verify").items() if column_of(key) == PREFIX + name), ()
    )
    proven = before.is_in([*proves]).fill_null(value=False)
    return pl.select(pl.when(proven).then(before).otherwise(answer)).to_series().alias(column)


def without_refuted(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with no evidence `not-X` in a row that verifier X proved positive."""
    for name in [name for name in frame.columns if name.startswith(PREFIX)]:
        claim = "not-" + name.removeprefix(PREFIX).replace("_", "-")
        rest = pl.col("evidence").list.filter(pl.element() != claim)
        frame = frame.with_columns(pl.when(pl.col(name) == "positive").then(rest).otherwise(pl.col("evidence")).alias("evidence"))
    return frame


def _any(tests: Iterable[pl.Expr]) -> pl.Expr:
    return functools.reduce(lambda left, right: left | right, tests, pl.lit(value=False))


def labelled(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with `label` made anew.

    A proof decides: a verdict that its verifier declares it proves. Two proofs that contradict each other leave `unknown`.
    Without a proof the verdicts vote: agreement decides, disagreement is `unknown`. Without a vote a doubt, a verdict `positive`
    that its verifier declares to be no more, makes a negative `unknown`; without one the initial label stays.
    """
    verifiers = {column_of(name): operator.declared for name, operator in registry.operators("verify").items()}
    columns = [name for name in frame.columns if name.startswith(PREFIX)]

    def weight(name: str, verdict: str) -> str:
        declared = verifiers.get(name, {})
        return next((one for one in ("proves", "doubts") if verdict in declared.get(one, ())), "votes")

    def given(verdict: str, by: str) -> pl.Expr:
        return _any((pl.col(name) == verdict).fill_null(value=False) for name in columns if weight(name, verdict) == by)

    doubted = given("positive", "doubts") & (pl.col("initial_label") == "negative")
    rule = pl.when(doubted).then(pl.lit("unknown")).otherwise(pl.col("initial_label"))
    voted, proven = ({verdict: given(verdict, by) for verdict in ("positive", "negative")} for by in ("votes", "proves"))
    for found in (voted, proven):  # the later one wins
        rule = (
            pl.when(found["positive"] & found["negative"])
            .then(pl.lit("unknown"))
            .when(found["positive"])
            .then(pl.lit("positive"))
            .when(found["negative"])
            .then(pl.lit("negative"))
            .otherwise(rule)
        )
    return frame.with_columns(rule.alias("label"))
