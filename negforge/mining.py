"""What miners share: the nearest texts of an anchor and its positives' scores, and which candidates are taken first."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import polars as pl
from pydantic import Field

from negforge import search
from negforge.contract import Refusal
from negforge.lexical import Index
from negforge.rng import Rng
from negforge.vectors import Space

Sampling = Annotated[
    Literal["top", "random", "near-positive"],
    Field(description="Which candidates come first: the best; any, drawn for each anchor; or those drawn that score near the positive."),
]
Sharpness = Annotated[
    float,
    Field(
        ge=0,
        description="For `near-positive`: weights are exp(-a * (negative - positive + shift)^2), this is a; some 100 suit a cosine, less a "
        "score that goes further.",
    ),
]
Shift = Annotated[float, Field(description="For `near-positive`: how far below the positive, in scores, the likeliest candidate is.")]


def arranged(
    rows: pl.DataFrame, score: str, positives: pl.DataFrame, rng: Rng, *, sampling: str, sharpness: float, shift: float
) -> pl.DataFrame:
    """Candidates in the order they are to be taken in, each anchor's together, anchors as they came.

    rows: `anchor_id`, `corpus_row`, `rank` and the score, best first. positives: `anchor_id` and `score`, the anchor's best positive;
    an anchor without one takes its candidates from the end of the list, the lowest ranked first. Draws are keyed by (seed, anchor,
    corpus row), so neither batches nor other anchors change them, and the whole list is only put in another order: nothing is lost.
    Source: SimANS, Zhou et al., 2022 (weighted sampling without replacement, here by Efraimidis and Spirakis' keys).
    """
    if sampling == "top" or not rows.height:
        return rows
    # 53 bits, so that the logarithm is of a number strictly between 0 and 1.
    uniform = (rng.bits(_keys(rows)) >> np.uint64(11)).astype(np.float64) + 0.5
    drawn = np.log(-np.log(uniform / 2.0**53))
    if sampling == "near-positive":
        scores = rows[score].to_numpy().astype(np.float64)
        found = rows.select("anchor_id").join(positives, on="anchor_id", how="left", maintain_order="left")["score"]
        positive = found.cast(pl.Float64).fill_null(np.nan).to_numpy()
        # The logarithm of a weighted draw's key; the least comes first.
        drawn += sharpness * (scores - positive + shift) ** 2
        drawn = np.where(np.isnan(positive), -rows["rank"].to_numpy().astype(np.float64), drawn)
    turn = rows.select(pl.col("anchor_id").rle_id())["anchor_id"].to_numpy()
    return rows[np.lexsort((rows["rank"].to_numpy(), np.round(drawn, 9), turn))]


def _keys(rows: pl.DataFrame) -> pl.Series:
    return rows.select(pl.concat_str("anchor_id", pl.col("corpus_row").cast(pl.String), separator="\x1f")).to_series()


def matches(frame: pl.DataFrame, index: Index, depth: int) -> pl.DataFrame:
    """Of each anchor the `depth` best lexical matches: anchor_id, corpus_row, rank from 1, score_bm25, miner; best first.

    frame: whole anchors. One that shares no word with the corpus has none.
    """
    anchors = frame.unique("anchor_id", keep="first", maintain_order=True)
    found: dict[str, list[Any]] = {"anchor_id": [], "corpus_row": [], "rank": [], "score_bm25": []}
    for anchor_id, text in zip(anchors["anchor_id"], anchors["anchor"], strict=True):
        hits = index.search(text, depth)
        found["anchor_id"] += [anchor_id] * len(hits)
        found["corpus_row"] += [row for _, row in hits]
        found["rank"] += range(1, len(hits) + 1)
        found["score_bm25"] += [score for score, _ in hits]
    types = {"anchor_id": pl.String, "corpus_row": pl.Int64, "rank": pl.Int64, "score_bm25": pl.Float64}
    return pl.DataFrame(found, schema=types).with_columns(pl.lit("bm25").alias("miner"))


def nearest(frame: pl.DataFrame, where: Space, depth: int) -> tuple[pl.DataFrame, list[Refusal]]:
    """Of each anchor the `depth` nearest texts, and as many more as it has positives; of one without a vector a refusal.

    frame: whole anchors. The rows are anchor_id, corpus_row, rank from 1, score_dense, miner; best first.
    """
    anchors = frame.group_by("anchor_id", maintain_order=True).agg(pl.col("anchor").first(), pl.len().alias("positives"))
    vectors, there = where.of_anchors(anchors)
    asked = anchors.filter(pl.Series(there))
    wanted = depth + asked["positives"].to_numpy().astype(np.int64)
    found = search.best(vectors[there], where.rows(), int(wanted.max(initial=0)))
    owner, place = np.nonzero((found.rows >= 0) & (np.arange(found.rows.shape[1]) < wanted[:, None]))
    rows = pl.DataFrame(
        {
            "anchor_id": asked["anchor_id"].gather(owner),
            "corpus_row": found.rows[owner, place],
            "rank": place + 1,
            "score_dense": found.scores[owner, place],
            "miner": pl.Series(["dense"], dtype=pl.String).new_from_index(0, len(owner)),
        },
        schema_overrides={"corpus_row": pl.Int64, "rank": pl.Int64},
    )
    return rows, [Refusal(one, "no-vector") for one in anchors["anchor_id"].filter(pl.Series(~there)).to_list()]


def scored_positives(frame: pl.DataFrame, where: Space) -> pl.DataFrame:
    """`id`, `anchor_id`, the score of each row's positive and the least of its anchor's; null where a vector is missing."""
    anchor, asked = where.of_anchors(frame)
    positive, there = where.of_texts(frame, "positive")
    scores = pl.Series(search.paired(anchor, positive)).set(pl.Series(~(asked & there)), None)
    found = frame.select("id", "anchor_id").with_columns(scores.alias("score_dense_positive"))
    return found.with_columns(pl.col("score_dense_positive").min().over("anchor_id").alias("score_dense_weakest"))
