"""Choose the texts nearest the anchor outside the cluster that its positive is in: of a neighbouring theme, not of its own.

The corpus's vectors are put into clusters by k-means, which draws nothing by the seed: the same corpus and vectors have the same
clusters. An anchor's own are those whose centroids are nearest its positives; of the others the `--near` nearest to the anchor give
their texts. The more clusters, the smaller and nearer they are, and the likelier a neighbour's text is right after all.
It costs at most 25 passes over 64 texts a cluster (16,384 at least), which are in memory, then one over the corpus, in blocks;
both multiply by the number of clusters, and are done once for a corpus, its vectors and that number.
Measured on 360 sentences with several right labels of which one was shown (skill extraction, MiniLM, 13,896 labels, 118 clusters,
8 negatives each): 3.1 % were right after all at a mean cosine of .420, 6.5 % of the nearest texts at .487; but 1.7 % of those of
ranks 13 to 20 at .420. It keeps themes apart; against false negatives alone, a window of ranks does more.
Paper: Theme Transformer, Shih et al., 2022 (texts of other clusters as negatives); Dahiya et al., NGAME, 2023 (near ones are hard).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import polars as pl
from pydantic import Field

from negforge import partitions, rng
from negforge.contract import Chosen, Declares, Refusal
from negforge.corpus import CorpusStore, cached
from negforge.mining import inside, scored_positives
from negforge.records import Batches, Corpus, Pairs
from negforge.vectors import AnchorVectors, CorpusPrompt, CorpusVectors, Model, Prompt, Similarity, Space, space

DECLARES = Declares(
    version=1,
    scope="anchor",
    reads=Pairs,
    cost="model",
    label="negative",
    opposition="unrelated",
    evidence=("not-known-positive",),
    verifiers=("known-positive",),
    any_of=("model", "corpus_vectors", "anchor_vectors"),
    least_rows=1024,
)
_MOST = 1024
_ROWS_A_CLUSTER = 64
_LEAST_ROWS = 1 << 14


@dataclass(frozen=True)
class State:
    """The corpus by row number, where its vectors and the anchors' are, and the folder of the clusters."""

    corpus: CorpusStore
    space: Space
    folder: Path

    @property
    def record(self) -> dict[str, str]:
        """What the vectors were made with."""
        return self.space.record


def prepare(
    corpus: Corpus,
    inputs: Batches,
    scratch: Path,
    max_memory: int,
    phase: Callable[[str], None],
    *,
    clusters: Annotated[
        int | None, Field(ge=2, description="How many clusters; by default the square root of the number of texts, at most 1,024.")
    ] = None,
    model: Model = None,
    anchor_prompt: Prompt = "",
    corpus_prompt: CorpusPrompt = "",
    corpus_vectors: CorpusVectors = None,
    anchor_vectors: AnchorVectors = None,
    similarity: Similarity = "cosine",
) -> State:
    """Encode what is not yet encoded, and put the corpus into clusters, or find it done."""
    store = CorpusStore.of(corpus, max_memory)
    where = space(
        inputs,
        ["positive"],
        store,
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
    size = clusters or min(_MOST, max(2, round(float(np.sqrt(store.size)))))
    phase(f"putting the corpus into {size:,} clusters")
    key = f"clusters-{rng.blake('clusters 1', where.key, str(size))}"
    return State(store, where, cached(key, lambda folder: _write(where, size, folder)))


def _write(where: Space, size: int, folder: Path) -> None:
    matrix = where.rows()
    wanted = min(len(matrix), max(_LEAST_ROWS, _ROWS_A_CLUSTER * size))
    centroids = partitions.k_means(matrix[partitions.spread(len(matrix), wanted)], size)
    group, _ = partitions.assigned(matrix, centroids)
    there, group = np.unique(group, return_inverse=True)
    partitions.write(folder, centroids[there], group.astype(np.int64))


def generate(
    batch: Pairs,
    state: State,
    *,
    num_negatives: int,
    near: Annotated[int, Field(ge=1, description="From how many of the nearest other clusters texts are taken.")] = 1,
    depth: Annotated[int, Field(ge=1, description="How many of their texts are candidates, known positives apart.")] = 100,
) -> Chosen:
    """The `depth` nearest texts of the clusters nearest each anchor that are none of its positives'.

    batch: whole anchors. Gives rows (anchor_id, corpus_row, rank, score_dense, negative_cluster, distance_cluster, miner), and for
    each pair the positives' scores and `positive_cluster`. Refusals: `no-vector`, of the anchor or of all its positives, and
    `only-cluster`.
    """
    known = partitions.opened(str(state.folder))
    positive, right = state.space.of_texts(batch.frame, "positive")
    own, _ = partitions.assigned(positive, known.centroids)
    own = np.where(right, own, -1)
    anchors = (
        batch.frame.with_columns(pl.Series("__own", own, dtype=pl.Int64))
        .group_by("anchor_id", maintain_order=True)
        .agg(pl.col("anchor").first(), pl.len().alias("positives"), "__own")
    )
    vectors, there = state.space.of_anchors(anchors)
    mine = [{one for one in some if one >= 0} for some in anchors["__own"].to_list()]
    lists = [*partitions.nearest(vectors, known.centroids, mine, near)]
    lone = "only-cluster" if len(known.centroids) else "no-candidate"
    refusals = [
        Refusal(anchor_id, lone if has and (some or not len(known.centroids)) else "no-vector")
        for anchor_id, has, some, others in zip(anchors["anchor_id"].to_list(), there.tolist(), mine, lists, strict=True)
        if not (has and some and others)
    ]
    stays = there & np.array([bool(some and others) for some, others in zip(mine, lists, strict=True)], dtype=np.bool_)
    rows = partitions.texts_of(
        anchors.filter(pl.Series(stays)),
        vectors[stays],
        state.space.rows(),
        known,
        [others for others, one in zip(lists, stays.tolist(), strict=True) if one],
        max(depth, 2 * num_negatives),
        "cluster",
    )
    pairs = scored_positives(batch.frame, state.space).drop("anchor_id")
    cluster = pl.Series("positive_cluster", own, dtype=pl.Int64)
    pairs = pairs.with_columns(cluster.set(pl.Series(~right), None))
    of_positives = batch.frame.select("anchor_id", pl.Series("group", own, dtype=pl.Int64)).filter(pl.col("group") >= 0)
    silent = [one for one, some in zip(anchors["anchor_id"].to_list(), mine, strict=True) if not some]
    closed = inside(of_positives, lambda some: partitions.of_rows(str(state.folder), state.corpus.size)[some], silent)
    return Chosen(rows.rename({"group": "negative_cluster", "distance": "distance_cluster"}), refusals, pairs=pairs, closed=closed)
