"""Write what sentence-transformers' trainers read: triplets, tuples of n negatives, or texts labelled 1 and 0.

- `triplet`: anchor, positive, negative; a row for each negative.
- `n-tuple`: anchor, positive, negative_1 to negative_n; a row for each pair.
- `labeled-pair`: anchor, text, label; a row for each positive (1) and each negative (0) of an anchor.
- `labeled-list`: query, docs, labels; a row for each anchor, with its positives before its negatives.

With `--scores`, triplets and tuples end with `scores` (the positive's, then the negatives'), and labels give way to `score`
or `scores`. There the order of columns counts and their names do not, but for label, labels, score and scores, and an extra
column would be taken for an input: so the layout holds these alone, and ids and evidence lie row for row in a `provenance`
table beside it. A negative that is right for its anchor, by any row of the table, goes out in no layout (`known-positive`); in
the labelled ones each text of an anchor stands once.
Source: sentence-transformers 6.2, data collator and `mine_hard_negatives`; huggingface/sentence-transformers#3205 (how to lay
out several positives), #3504 (shortage counted in rows, named).
"""

from __future__ import annotations

from typing import Annotated, Literal

import polars as pl
from pydantic import Field

from negforge.contract import Declares, Exported
from negforge.errors import UsageError
from negforge.layouts import Sides, scores_of, sides
from negforge.records import Negatives

DECLARES = Declares(version=3, scope="anchor", reads=Negatives)


def export(
    batch: Negatives,
    *,
    language: str,  # noqa: ARG001 - of the texts, for which the runner leaves out negatives that are right
    layout: Annotated[
        Literal["triplet", "n-tuple", "labeled-pair", "labeled-list"],
        Field(description="A row is a negative (`triplet`), a pair (`n-tuple`), a text (`labeled-pair`) or an anchor (`labeled-list`)."),
    ] = "triplet",
    n: Annotated[int | None, Field(ge=1, description="Negatives in an n-tuple; in a labelled layout, the most of an anchor.")] = None,
    scores: Annotated[
        str | None, Field(description="A score_ column to write; the positive's comes from the one with _positive.", examples=["score_x"])
    ] = None,
) -> Exported:
    """Rows by layout, best negatives first (lowest draw), and the provenance of each row.

    batch: whole anchors. In an n-tuple, rows of a pair with fewer than n negatives are dropped as `too-few`, and those beyond n as
    `beyond-n`; in a labelled layout, texts of an anchor beyond n as `beyond-n`. Raises UsageError for an n-tuple without n, or n
    with triplets; InputError for a score that is not there or null.
    """
    if (layout == "n-tuple" and n is None) or (layout == "triplet" and n is not None):
        raise UsageError("--layout n-tuple and --n go together", f"layout {layout}, n {n}", "pass --layout n-tuple --n 4, or neither")
    if layout in ("labeled-pair", "labeled-list"):
        found = sides(batch, title="export sentence-transformers", n=n, scores=scores)
        return (_labelled_pairs if layout == "labeled-pair" else _labelled_lists)(found, scored=scores is not None)
    frame = scores_of(batch.frame, scores) if scores else batch.frame
    if layout == "triplet" or n is None:
        both = [pl.concat_list("__score_positive", "__score").alias("scores")] if scores else []
        lineage = frame.select("id", "anchor_id", "source_id", "operator", "label", "evidence")
        return Exported(frame.select("anchor", "positive", "negative", *both), lineage)
    return _tuples(frame, n, scored=scores is not None)


def _tuples(frame: pl.DataFrame, n: int, *, scored: bool) -> Exported:
    """A row for each pair: its first n negatives."""
    pair = ["anchor_id", "source_id"]
    place = pl.struct("draw", "operator", "id").rank("ordinal").over(pair)
    numbered = frame.with_row_index("__row").with_columns(place.alias("__place"), pl.len().over(pair).alias("__have"))
    too_few = pl.col("__have") < n
    beyond = pl.col("__place") > n
    lost = numbered.filter(too_few | beyond).with_columns(
        pl.lit("export sentence-transformers").alias("dropped_by"),
        pl.when(too_few).then(pl.lit("too-few")).otherwise(pl.lit("beyond-n")).alias("drop_reason"),
        pl.when(too_few).then(pl.col("__have")).otherwise(pl.col("__place")).cast(pl.String).alias("drop_value"),
    )
    # Anchors in the order of the rows, which no batch changes.
    turn = pl.col("__row").min().over("anchor_id")
    whole = numbered.filter(~(too_few | beyond)).sort(turn, "source_id", "__place").group_by(pair, maintain_order=True)
    firsts = ["anchor", "positive", *(["__score_positive"] if scored else [])]
    rows = whole.agg(pl.col(firsts).first(), pl.col("negative", "id", "operator", *(["__score"] if scored else [])))
    texts = [pl.col("negative").list.get(place).alias(f"negative_{place + 1}") for place in range(n)]
    every = [pl.concat_list("__score_positive", "__score").alias("scores")] if scored else []
    provenance = rows.select("anchor_id", "source_id", pl.col("id").alias("ids"), "operator")
    return Exported(
        rows.select("anchor", "positive", *texts, *every),
        provenance,
        lost.select([name for name in lost.columns if not name.startswith("__")]),
    )


def _labelled(found: Sides) -> pl.DataFrame:
    """Every text of every anchor once, its positives before its negatives."""
    parts = [side.with_columns(pl.lit(label, pl.Int64).alias("label")) for label, side in ((1, found.positives), (0, found.negatives))]
    return pl.concat(parts).sort("turn", "label", "place", descending=[False, True, False])


def _labelled_pairs(found: Sides, *, scored: bool) -> Exported:
    rows = _labelled(found)
    lineage = rows.select("anchor_id", "source_id", "id", "operator")
    return Exported(rows.select("anchor", "text", "score" if scored else "label"), lineage, found.lost)


def _labelled_lists(found: Sides, *, scored: bool) -> Exported:
    rows = _labelled(found).rename({"text": "docs", "label": "labels", "score": "scores", "id": "ids", "source_id": "source_ids"})
    lists = rows.group_by("anchor_id", maintain_order=True).agg(
        pl.col("anchor").first().alias("query"), "docs", "labels", "scores", "ids", "source_ids", "operator"
    )
    lineage = lists.select("anchor_id", "source_ids", "ids", "operator")
    return Exported(lists.select("query", "docs", "scores" if scored else "labels"), lineage, found.lost)
