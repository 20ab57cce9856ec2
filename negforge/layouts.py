"""What trainers' layouts have in common: an anchor's positives and negatives, each text once, and the scores to go with them."""

from __future__ import annotations

from typing import Literal, NamedTuple

import polars as pl

from negforge import rng, text
from negforge.errors import InputError, listed, near
from negforge.records import DROP_NAMES, Negatives

_RAISED = "__raised"  # of a row that has a promoted text as its positive
_COLUMNS = ("anchor_id", "anchor", "id", "source_id", "operator", "draw")
Docids = Literal["given", "text"]


class Sides(NamedTuple):
    """Of whole anchors: `positives` and `negatives`, one row a text, and `lost`, rows that go nowhere, with reasons.

    Columns: anchor_id, anchor, text, id (null for a positive), source_id, operator, score, rank (of the row's negative,
    null where no miner gave one); `docid`, the text's id in a corpus, else its digest; `turn`, the place of the anchor, in the order
    of the rows; `place`, that of the text among the anchor's, from 1, by source for a positive, promoted ones last, by draw for others.
    """

    positives: pl.DataFrame
    negatives: pl.DataFrame
    lost: pl.DataFrame


def known_right(frame: pl.DataFrame, language: str) -> pl.Series:
    """Which rows of whole anchors have a negative that is right: equal, after normalising, to what any row of the anchor says is.

    A positive is right, and so is a negative that was proven so; rows of that label themselves are not meant. A negative of the
    same id in the corpus as one of them is right, too, whatever its text: with a title, say, that the pairs were made without.
    """
    proven = frame.filter(pl.col("label") == "positive").select("anchor_id", pl.col("negative").alias("text"))
    right = pl.concat([frame.select("anchor_id", pl.col("positive").alias("text")), proven]).unique(maintain_order=True)
    wrong = frame.select(pl.int_range(pl.len()).alias("row"), "anchor_id", pl.col("negative").alias("text"))
    wrong = wrong.filter(frame["label"] != "positive")
    found = _same(wrong, language).join(_same(right, language), on=["anchor_id", "same"], how="semi")
    rows = pl.concat([found["row"], _right_by_id(frame)]) if "negative_id" in frame.columns else found["row"]
    return pl.select(pl.int_range(frame.height).is_in(rows.implode())).to_series()


def _right_by_id(frame: pl.DataFrame) -> pl.Series:
    """The numbers of rows whose negative has the id of what is right for its anchor."""
    other = pl.col("label") != "positive"
    right = [frame.filter(~other).select("anchor_id", "negative_id")]
    if "positive_id" in frame.columns:
        right.append(frame.select("anchor_id", pl.col("positive_id").alias("negative_id")))
    wrong = frame.select(pl.int_range(pl.len()).alias("row"), "anchor_id", "negative_id", "label").filter(other)
    return wrong.join(pl.concat(right), on=["anchor_id", "negative_id"], how="semi")["row"]


def with_promoted(rows: pl.DataFrame, frame: pl.DataFrame, raised: pl.Series, language: str) -> tuple[pl.DataFrame, pl.Series]:
    """The rows that go out, and of each promoted text a row with every negative of its anchor; and which promoted rows cannot.

    rows: those of `frame`, which holds whole anchors, that go out. raised: which rows of it are promoted. In a new row the text is
    the `positive`, its corpus id the `positive_id`, its scores those of the positive, and the promoted row is the source. The
    series has a reason for a promoted row that is a positive of its anchor already (`known-positive`) or whose anchor has no
    negative to go with it (`no-negative`), else null.
    """
    numbers = pl.int_range(pl.len(), dtype=pl.Int64).alias("__row")
    asked = _same(frame.with_columns(numbers, pl.col("negative").alias("text")).filter(raised), language)
    own = _same(frame.select("anchor_id", pl.col("positive").alias("text")).unique(), language)
    known = asked.join(own, on=["anchor_id", "same"], how="semi")["__row"]
    alone = asked.join(rows, on="anchor_id", how="anti")["__row"]
    is_known, is_alone = (pl.col("__row").is_in(one.implode()) for one in (known, alone))
    reason = pl.when(is_known).then(pl.lit("known-positive")).when(is_alone).then(pl.lit("no-negative"))
    refused = frame.select(numbers).select(reason.alias("drop_reason")).to_series()

    scores = [name for name in rows.columns if f"{name}_positive" in rows.columns and name.startswith("score_")]
    texts = asked.filter(pl.col("__row").is_in(refused.is_null().arg_true().cast(pl.Int64).implode())).sort("draw", "operator", "id")
    texts = texts.unique(["anchor_id", "same"], keep="first", maintain_order=True)
    more = {"negative": "positive", "id": "source_id", **{name: f"{name}_positive" for name in scores}}
    more |= {"negative_id": "positive_id"} if "negative_id" in rows.columns else {}
    texts = texts.select("anchor_id", *(pl.col(old).alias(f"__{new}") for old, new in more.items()))
    beside = rows.sort("source_id", "draw", "operator", "id").unique(["anchor_id", "negative"], keep="first", maintain_order=True)
    made = texts.join(beside, on="anchor_id", how="inner", maintain_order="left_right")
    made = made.with_columns(pl.col(f"__{new}").alias(new) for new in more.values())
    made = made.with_columns(pl.concat_list("source_ids", "source_id").alias("source_ids"), pl.lit(value=True).alias(_RAISED))
    every = pl.concat(
        [rows.with_columns(pl.lit(value=False).alias(_RAISED)), made.drop(f"__{new}" for new in more.values())], how="diagonal_relaxed"
    )
    turns = rows.select(pl.col("anchor_id").unique(maintain_order=True)).with_row_index("__turn")
    ordered = every.join(turns, on="anchor_id", how="left", maintain_order="left").sort("__turn", maintain_order=True)
    return ordered.drop("__turn"), refused


def sides(batch: Negatives, *, title: str, n: int | None, scores: str | None = None, docids: Docids | None = None) -> Sides:
    """Split whole anchors into their positives and negatives.

    batch: the rows to go out. Those labelled `positive`, which is to be asked for, count as positives. Texts beyond the first n of
    an anchor are dropped as `beyond-n`. Positives of an anchor left without negatives are left out. scores: a column to take
    scores from, and from its twin for positives. docids: what `docid` is: the id in the corpus if there is one, else the digest of
    the text; always the digest; or, where none is asked for, null.
    """
    frame = batch.frame.with_row_index("__row")
    turn = pl.col("__row").min().over("anchor_id").alias("turn")
    ids = [_found(frame, "negative_id", pl.String).alias("docid"), _found(frame, "positive_id", pl.String).alias("__docid_positive")]
    raised = _found(frame, _RAISED, pl.Boolean).fill_null(value=False).alias(_RAISED)
    more = [*ids, _found(frame, "rank", pl.Int64).alias("rank"), raised, *_scored(frame, scores)]
    rows = frame.select("__row", turn, *_COLUMNS, "label", "positive", pl.col("negative").alias("text"), *more)
    said = rows.with_columns(
        pl.col("positive").alias("text"),
        pl.col("__docid_positive").alias("docid"),
        pl.col("__score_positive").alias("__score"),
        pl.lit(None, pl.String).alias("id"),
    )
    true = rows.filter(pl.col("label") == "positive")
    positives = _once(pl.concat([said, true]), docids, _RAISED, "source_id", "draw")

    wrong = rows.filter(pl.col("label") != "positive")
    negatives = _once(wrong, docids, "draw", "operator", "id", _RAISED)
    last = pl.lit(True) if n is None else pl.col("place") <= n
    beyond = wrong.join(negatives.filter(~last), on=["anchor_id", "text"], how="semi").select(
        "__row", pl.lit("beyond-n").alias("drop_reason")
    )
    negatives = negatives.filter(last)
    lost = frame.drop(DROP_NAMES, strict=False).join(beyond, on="__row", how="inner", maintain_order="left")
    lost = lost.with_columns(pl.lit(title).alias("dropped_by"), pl.lit(None, pl.String).alias("drop_value"))
    lost = lost.select(*dict.fromkeys([*batch.frame.columns, *DROP_NAMES]))
    return Sides(positives.join(negatives, on="anchor_id", how="semi", maintain_order="left"), negatives, lost)


def _same(rows: pl.DataFrame, language: str) -> pl.DataFrame:
    """The rows with `same`: the form of the text that equal texts share."""
    return rows.with_columns(text.normalised(rows["text"], language=language).alias("same"))


def _once(rows: pl.DataFrame, docids: Docids | None, *order: str) -> pl.DataFrame:
    """One row for each text of an anchor, the first in order, with its place."""
    first = rows.sort("turn", *order, nulls_last=True).unique(["anchor_id", "text"], keep="first", maintain_order=True)
    place = pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("anchor_id").alias("place")
    return first.select("turn", place, *_COLUMNS, "text", pl.col("__score").alias("score"), "rank", _docids(first, docids))


def _docids(rows: pl.DataFrame, docids: Docids | None) -> pl.Series:
    """The id of each text: the given one, else its digest."""
    given = rows["docid"] if docids == "given" else pl.Series("docid", [None], dtype=pl.String).new_from_index(0, rows.height)
    if docids is None or not given.null_count():
        return given
    digests = rng.text_ids(rows.select(pl.when(given.is_null()).then("text")).to_series())
    return pl.select(pl.coalesce(given, digests)).to_series().alias("docid")


def _found(frame: pl.DataFrame, name: str, dtype: type[pl.DataType]) -> pl.Expr:
    """A column, or nulls where there is none."""
    return pl.col(name) if name in frame.columns else pl.lit(None, dtype)


def _scored(frame: pl.DataFrame, scores: str | None) -> list[pl.Expr]:
    """The score of each row's negative and of its positive; nulls where none was asked for."""
    if scores is None:
        return [pl.lit(None, pl.Float64).alias(name) for name in ("__score", "__score_positive")]
    for name in (scores, f"{scores}_positive"):
        if name not in frame.columns or not frame[name].dtype.is_numeric():
            have = [one for one in frame.columns if one.startswith("score_")]
            usable = [one for one in have if f"{one}_positive" in have]
            mend = f"pass --scores {near(scores, usable) or usable[0]}" if usable else "score negatives and positives first"
            raise InputError(f"there is no column of numbers '{name}'", f"the table has {listed(have) or 'no score'}", mend)
        bad = frame[name].is_null() | frame[name].is_nan() if frame[name].dtype.is_float() else frame[name].is_null()
        if bad.any():
            raise InputError(f"a row has no {name}", _rows_at(frame, bad), f'filter where --keep "{name} IS NOT NULL"')
        if (endless := frame[name].cast(pl.Float64).is_infinite()).any():  # JSON has no number for it, and no loss a use
            raise InputError(f"a row has an infinite {name}", _rows_at(frame, endless), f'filter where --keep "abs({name}) < 1e300"')
    return [pl.col(scores).cast(pl.Float64).alias("__score"), pl.col(f"{scores}_positive").cast(pl.Float64).alias("__score_positive")]


def _rows_at(frame: pl.DataFrame, bad: pl.Series) -> str:
    return f"row {frame['id'][int(bad.arg_true()[0])]}, and {int(bad.sum()) - 1} more"


def scores_of(frame: pl.DataFrame, scores: str) -> pl.DataFrame:
    """The frame with `__score` and `__score_positive`. Raises InputError for a column that is not there, or a null in it."""
    return frame.with_columns(_scored(frame, scores))


def lists(found: Sides, *more: pl.Expr) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A row an anchor, in the order of the rows, and the provenance of each.

    Columns: anchor_id, anchor; `text`, `docid`, `score` of its negatives and each of `more`, as lists, best first; the same of its
    positives as `positive_text` and so on. more: columns to make of a text's row first.
    """
    named = ["text", "docid", "score", *(one.meta.output_name() for one in more)]
    lineage = [pl.col("id").alias("ids"), pl.col("operator"), pl.col("rank").alias("ranks")]
    negatives, positives = (
        side.with_columns(more).group_by("anchor_id", maintain_order=True) for side in (found.negatives, found.positives)
    )
    wrong = negatives.agg(pl.col("anchor").first(), *named, *lineage)
    right = positives.agg(*(pl.col(name).alias(f"positive_{name}") for name in named), pl.col("source_id").alias("source_ids"))
    lines = wrong.join(right, on="anchor_id", maintain_order="left")
    return lines, lines.select("anchor_id", "source_ids", "ids", "operator", "ranks")
