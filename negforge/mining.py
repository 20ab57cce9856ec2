"""What miners share: the nearest texts of an anchor and its positives' scores, and which candidates are taken first."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from negforge import approximate, search
from negforge.contract import Refusal
from negforge.errors import UsageError
from negforge.lexical import Index
from negforge.records import Batches
from negforge.rng import Rng, strings128
from negforge.search import F32
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
Engine = Annotated[
    Literal["exact", "hnsw"],
    Field(description="How vectors are searched: exact, any corpus; or an index in memory that finds most, whose recall is measured."),
]
Ef = Annotated[
    int | None, Field(ge=1, description="For `hnsw`: how many candidates a search keeps; more finds more. Default 256, or the depth.")
]
_SAMPLE = 200


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


def inside(
    own: pl.DataFrame, group_of: Callable[[NDArray[np.int64]], NDArray[Any]], silent: Iterable[str] = ()
) -> Callable[[pl.DataFrame], pl.Series]:
    """For `Chosen.closed`: which rows (anchor_id, corpus_row) are of a group of the anchor's own, or of an anchor of the silent ones.

    own: `anchor_id` and `group`. group_of: the groups of corpus rows. silent: anchors for which nothing is to be drawn.
    """
    marked = own.unique().with_columns(pl.lit(value=True).alias("own"))

    def closed(rows: pl.DataFrame) -> pl.Series:
        groups = pl.Series("group", group_of(rows["corpus_row"].to_numpy()), dtype=own.schema["group"])
        found = rows.select("anchor_id", groups).join(marked, on=["anchor_id", "group"], how="left", maintain_order="left")
        return found["own"].fill_null(value=False) | rows["anchor_id"].is_in([*silent])

    return closed


def _keys(rows: pl.DataFrame) -> pl.Series:
    return rows.select(pl.concat_str("anchor_id", pl.col("corpus_row").cast(pl.String), separator="\x1f")).to_series()


def matches(frame: pl.DataFrame, index: Index, depth: int) -> pl.DataFrame:
    """Of each anchor the `depth` best lexical matches, and as many more as it has positives, which are likely among the best.

    frame: whole anchors. The rows are anchor_id, corpus_row, rank from 1, score_bm25, miner; best first. An anchor that shares no word
    with the corpus has none.
    """
    anchors = frame.group_by("anchor_id", maintain_order=True).agg(pl.col("anchor").first(), pl.len().alias("positives"))
    found: dict[str, list[Any]] = {"anchor_id": [], "corpus_row": [], "rank": [], "score_bm25": []}
    for anchor_id, text, positives in anchors.iter_rows():
        hits = index.search(text, depth + positives)
        found["anchor_id"] += [anchor_id] * len(hits)
        found["corpus_row"] += [row for _, row in hits]
        found["rank"] += range(1, len(hits) + 1)
        found["score_bm25"] += [score for score, _ in hits]
    types = {"anchor_id": pl.String, "corpus_row": pl.Int64, "rank": pl.Int64, "score_bm25": pl.Float64}
    return pl.DataFrame(found, schema=types).with_columns(pl.lit("bm25").alias("miner"))


def indexed(where: Space, engine: str, ef: int | None, inputs: Batches, depth: int, max_memory: int, phase: Callable[[str], None]) -> Space:
    """The space with the index of an approximate search, if one is asked for, and the recall of 200 anchors in words.

    The anchors are those whose ids have the least digests, so that neither batches nor the order of rows has a say.
    """
    if engine == "exact":
        if ef is not None:
            raise UsageError("--ef is of an approximate search", mend="add --engine hnsw, or leave it out")
        return where
    if where.matrix is None:
        raise RuntimeError("there is no corpus")
    approximate.library()
    phase("indexing the corpus's vectors")
    found = replace(where, index=approximate.index_of(where.matrix, max_memory), ef=ef)
    phase("measuring the recall")
    sample = pl.DataFrame(schema={"anchor_id": pl.String, "anchor": pl.String})
    for frame in inputs(1 << 14):
        every = pl.concat([sample, frame.select(sample.columns)]).unique("anchor_id", keep="first", maintain_order=True)
        sample = every[np.argsort(strings128(every["anchor_id"])[0], kind="stable")[:_SAMPLE]]
    vectors, there = where.of_anchors(sample)
    share = approximate.recall(vectors[there], where.rows(), depth, found.index, ef) if found.index is not None else 1.0
    words = f"{share:.3f} of the {depth} nearest texts of {int(there.sum())} anchors are found; an exact search finds all"
    return replace(found, explained={"recall of hnsw": words})


def nearest(frame: pl.DataFrame, where: Space, depth: int) -> tuple[pl.DataFrame, list[Refusal]]:
    """Of each anchor the `depth` nearest texts, and as many more as it has positives; of one without a vector a refusal.

    frame: whole anchors. The rows are anchor_id, corpus_row, rank from 1, score_dense, miner; best first.
    """
    anchors = frame.group_by("anchor_id", maintain_order=True).agg(pl.col("anchor").first(), pl.len().alias("positives"))
    vectors, there = where.of_anchors(anchors)
    asked = anchors.filter(pl.Series(there))
    wanted = depth + asked["positives"].to_numpy().astype(np.int64)
    most = int(wanted.max(initial=0))
    if where.index is None:
        found = search.best(vectors[there], where.rows(), most)
    else:
        found = _approximate(vectors[there], where, where.index, wanted)
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


def _approximate(vectors: F32, where: Space, index: Path, wanted: NDArray[np.int64]) -> search.Found:
    """What an index finds for vectors of which each asks for its own number of texts, -1 where that is less than the most of them.

    How far a search goes hangs on what is asked for: what one anchor asks for has no say in what is found for another.
    """
    most = min(int(wanted.max(initial=0)), len(where.rows()))
    rows, scores = np.full((len(vectors), most), -1, dtype=np.int64), np.zeros((len(vectors), most))
    for depth in np.unique(wanted).tolist():
        some = np.flatnonzero(wanted == depth)
        part = approximate.nearest(vectors[some], where.rows(), depth, index, where.ef)
        rows[some, : part.rows.shape[1]], scores[some, : part.rows.shape[1]] = part.rows, part.scores
    return search.Found(rows, scores)


def scored_positives(frame: pl.DataFrame, where: Space) -> pl.DataFrame:
    """`id`, `anchor_id`, the score of each row's positive and the least of its anchor's; null where a vector is missing."""
    anchor, asked = where.of_anchors(frame)
    positive, there = where.of_texts(frame, "positive")
    scores = pl.Series(search.paired(anchor, positive)).set(pl.Series(~(asked & there)), None)
    found = frame.select("id", "anchor_id").with_columns(scores.alias("score_dense_positive"))
    return found.with_columns(pl.col("score_dense_positive").min().over("anchor_id").alias("score_dense_weakest"))
