"""Fuse lexical, vector and random candidates of an anchor in one run; each keeps every source, its rank and its score there.

A candidate's `score_rrf` is the sum of 1 / (60 + rank) over the lists it stands in; ties go by id. `miners` and `ranks` name
them, `score_bm25` and `score_dense` are raw, and null where that list has it not. Random candidates come last: easy negatives for
slots that the others leave, whatever these found, and in any `--sampling`. With `near-positive` candidates whose sum is near that of
the anchor's best positive, by `positive_id`, are the likeliest; an anchor none of whose positives is in the lists takes the last
of its candidates first. Sums are hundredths: --sharpness 10000 to 100000 suits them.
Source: Cormack et al., Reciprocal rank fusion, 2009; texttron/tevatron#87, #43 (nobody can rebuild negatives whose mixture was
never recorded); huggingface/sentence-transformers#2818.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import polars as pl
from pydantic import AfterValidator, Field

from negforge.contract import Chosen, Declares, Refusal
from negforge.corpus import CorpusStore
from negforge.errors import UsageError
from negforge.lexical import Index, Tokeniser
from negforge.mining import Ef, Engine, Sampling, Sharpness, Shift, arranged, indexed, matches, nearest, scored_positives
from negforge.records import Batches, Corpus, Pairs
from negforge.rng import Rng
from negforge.vectors import AnchorVectors, CorpusPrompt, CorpusVectors, Model, Prompt, Similarity, Space, space

DECLARES = Declares(
    version=2,
    scope="anchor",
    reads=Pairs,
    cost="model",
    label="negative",
    opposition="unrelated",
    evidence=("not-known-positive",),
    verifiers=("known-positive",),
    fixed={"k1": 1.2, "b": 0.75, "rrf": 60},
    least_rows=1024,
)
_RRF = 60
_COLUMNS = {"anchor_id": pl.String, "corpus_row": pl.Int64, "rank": pl.Int64, "miner": pl.String}


def _each_once(names: list[str] | None) -> list[str] | None:
    if names is not None and len({*names}) < len(names):
        raise ValueError("names each miner once")
    return names


Miners = Annotated[
    list[Literal["bm25", "dense", "random"]] | None,
    Field(min_length=1, description="The lists to fuse; default bm25, and dense if a model or vectors are given, else random. Repeatable."),
    AfterValidator(_each_once),
]

Depth = Annotated[int, Field(ge=1, description="How many of the best of each list are candidates.")]


@dataclass(frozen=True)
class State:
    """The lists to fuse, the index of words, whose store holds the corpus, and where the vectors are, if `dense` is among the lists."""

    miners: tuple[str, ...]
    index: Index
    space: Space | None

    @property
    def corpus(self) -> CorpusStore:
        """The corpus by row number."""
        return self.index.corpus

    @property
    def record(self) -> dict[str, str]:
        """What the vectors were made with."""
        return self.space.record if self.space is not None else {}

    @property
    def explained(self) -> dict[str, str]:
        """What an approximate search misses."""
        return self.space.explained if self.space is not None else {}


def prepare(
    corpus: Corpus,
    inputs: Batches,
    scratch: Path,
    max_memory: int,
    phase: Callable[[str], None],
    *,
    tokeniser: Tokeniser = "simple",
    model: Model = None,
    anchor_prompt: Prompt = "",
    corpus_prompt: CorpusPrompt = "",
    corpus_vectors: CorpusVectors = None,
    anchor_vectors: AnchorVectors = None,
    similarity: Similarity = "cosine",
    engine: Engine = "exact",
    ef: Ef = None,
    depth: Depth = 100,
    miners: Miners = None,
) -> State:
    """Index the corpus; for `dense` encode what is not yet encoded, and lay the corpus's vectors out in one file."""
    given = not (model is None and corpus_vectors is None and anchor_vectors is None)
    lists = tuple(miners or ("bm25", "dense" if given else "random"))
    index = Index.of(corpus, max_memory, tokeniser)
    if "dense" not in lists:
        if given:
            named = " ".join(f"--miners {one}" for one in lists)
            raise UsageError("vectors are given and not used", named, "add --miners dense, or leave the vectors out")
        if engine != "exact":
            raise UsageError(f"--engine {engine} searches vectors, and there are none", mend="add --miners dense, or leave it out")
        return State(lists, index, None)
    if not given:
        raise UsageError("`dense` is given neither a model nor vectors", mend="pass --model, or --corpus-vectors and --anchor-vectors")
    where = space(
        inputs,
        ["positive"],
        index.corpus,
        scratch,
        max_memory,
        phase,
        corpus=corpus,
        model=model,
        anchor_prompt=anchor_prompt,
        corpus_prompt=corpus_prompt,
        corpus_vectors=corpus_vectors,
        anchor_vectors=anchor_vectors,
        similarity=similarity,
    )
    return State(lists, index, indexed(where, engine, ef, inputs, depth, max_memory, phase))


def generate(
    batch: Pairs,
    state: State,
    rng: Rng,
    *,
    num_negatives: int,
    depth: Depth = 100,
    sampling: Sampling = "top",
    sharpness: Sharpness = 0.5,
    shift: Shift = 0.0,
) -> Chosen:
    """The candidates of all lists, by the sum of their reciprocal ranks, in the order in which they are to be taken.

    batch: whole anchors. Gives rows (anchor_id, corpus_row, rank, score_rrf, score_bm25, score_dense, miner, miners, ranks); and for
    each pair score_dense_positive and score_dense_weakest. An anchor without a vector has the candidates of the other lists; it is
    refused as `no-vector` where there is none.
    """
    frame, deep = batch.frame, max(depth, 2 * num_negatives)
    lists: list[pl.DataFrame] = []
    refusals: list[Refusal] = []
    if "bm25" in state.miners:
        lists.append(matches(frame, state.index, deep))
    if state.space is not None:
        found, refusals = nearest(frame, state.space, deep)
        lists.append(found)
    if "random" in state.miners:
        lists.append(_drawn(frame, state.index.corpus.size, rng, 2 * num_negatives + 16))
    rows = _fused(lists, frame)
    known = set(rows["anchor_id"].unique().to_list())
    pairs = scored_positives(frame, state.space).drop("anchor_id") if state.space is not None else None
    near = rows.filter(pl.col("score_rrf") > 0)
    best = _best(frame, near, state.corpus)
    taken = pl.concat(
        [
            arranged(near, "score_rrf", best, rng, sampling=sampling, sharpness=sharpness, shift=shift),
            rows.filter(pl.col("score_rrf") == 0),
        ]
    )
    return Chosen(taken, [one for one in refusals if one.row_id not in known], pairs=pairs)


def _best(frame: pl.DataFrame, rows: pl.DataFrame, store: CorpusStore) -> pl.DataFrame:
    """`anchor_id` and the greatest sum of one of its positives that the lists have."""
    if "positive_id" not in frame.columns:
        return pl.DataFrame(schema={"anchor_id": pl.String, "score": pl.Float64})
    own = frame.select("anchor_id", pl.Series("corpus_row", store.find(frame["positive_id"]))).unique(maintain_order=True)
    found = own.join(rows, on=["anchor_id", "corpus_row"], how="inner", maintain_order="left")
    return found.group_by("anchor_id", maintain_order=True).agg(pl.col("score_rrf").max().alias("score"))


def _drawn(frame: pl.DataFrame, size: int, rng: Rng, wanted: int) -> pl.DataFrame:
    """Some texts for each anchor, drawn for it; a rank is a place in the draw."""
    anchors = frame["anchor_id"].unique(maintain_order=True)
    rows = rng.integers(anchors, min(wanted, size), size) if size else None
    if rows is None:
        return pl.DataFrame(schema=_COLUMNS)
    place = pl.int_range(1, rows.shape[1] + 1, dtype=pl.Int64, eager=True)
    drawn = pl.DataFrame(
        {
            "anchor_id": anchors.gather(pl.int_range(len(anchors), eager=True).repeat_by(rows.shape[1]).explode()),
            "corpus_row": rows.reshape(-1),
            "rank": pl.concat([place] * len(anchors)),
        }
    )
    return drawn.unique(["anchor_id", "corpus_row"], keep="first", maintain_order=True).with_columns(pl.lit("random").alias("miner"))


def _fused(lists: list[pl.DataFrame], frame: pl.DataFrame) -> pl.DataFrame:
    """One row for each text of an anchor, with what every list says of it."""
    order = frame.select(pl.col("anchor_id").unique(maintain_order=True)).with_row_index("turn")
    every = pl.concat(lists, how="diagonal")
    every = every.with_columns(pl.lit(None, pl.Float64).alias(name) for name in ("score_bm25", "score_dense") if name not in every.columns)
    # A random text that another list has too is that list's; alone it stands behind all others.
    part = pl.when(pl.col("miner") == "random").then(0.0).otherwise(1.0 / (_RRF + pl.col("rank")))
    fused = every.group_by("anchor_id", "corpus_row", maintain_order=True).agg(
        part.sum().round(12).alias("score_rrf"),
        pl.col("score_bm25").max(),
        pl.col("score_dense").max(),
        pl.col("miner").alias("miners"),
        pl.col("rank").alias("ranks"),
    )
    drawn = pl.when(pl.col("score_rrf") == 0).then(pl.col("ranks").list.first()).otherwise(0)
    fused = fused.join(order, on="anchor_id", how="left").with_columns(drawn.alias("drawn"))
    fused = fused.sort("turn", "score_rrf", "drawn", "corpus_row", descending=[False, True, False, False])
    return fused.select(
        "anchor_id",
        "corpus_row",
        pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("anchor_id").alias("rank"),
        "score_rrf",
        "score_bm25",
        "score_dense",
        pl.col("miners").list.join("+").alias("miner"),
        "miners",
        "ranks",
    )
