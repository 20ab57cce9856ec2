"""Choose the texts nearest the anchor in the wrong class whose mean is nearest to it: what it is most easily taken for.

A class is a `group` of the corpus. The pairs' `group` says which is the anchor's own, else that of its positives in the corpus.
Distances are Euclidean, to the means of the classes' vectors, which `--similarity cosine` gives length 1 first. An anchor that is
nearer to a wrong mean than to its own may bear the wrong label, and is refused as `suspect-label` with its margin;
`--keep-suspects` lets it pass. Each pair gets `class_margin`, the distance to the nearest wrong mean less that to its own, and each
row `negative_group`, `distance_class` of that mean, and rank and raw score of the text among those of the classes it was taken from.
Source: the nearest-mean classifier as Janson et al. use it, A simple baseline that questions the use of pretrained models, 2022.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from negforge import partitions, rng, search
from negforge.contract import Chosen, Declares, Refusal
from negforge.corpus import CorpusStore, cached
from negforge.engine import storage
from negforge.errors import InputError, listed
from negforge.mining import inside, scored_positives
from negforge.records import Batches, Corpus, Pairs
from negforge.vectors import AnchorVectors, CorpusPrompt, CorpusVectors, Model, Prompt, Similarity, Space, space

DECLARES = Declares(
    version=1,
    scope="anchor",
    reads=Pairs,
    cost="model",
    label="negative",
    opposition="neutral",
    evidence=("not-known-positive",),
    verifiers=("known-positive",),
    any_of=("model", "corpus_vectors", "anchor_vectors"),
    least_rows=1024,
)


@dataclass(frozen=True)
class State:
    """The corpus by row number, where its vectors and the anchors' are, and the folder of the classes."""

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
    model: Model = None,
    anchor_prompt: Prompt = "",
    corpus_prompt: CorpusPrompt = "",
    corpus_vectors: CorpusVectors = None,
    anchor_vectors: AnchorVectors = None,
    similarity: Similarity = "cosine",
) -> State:
    """Encode what is not yet encoded, and take the means of the classes, or find them taken. Raises InputError for a corpus without groups.

    One pass over the corpus's vectors; a sum of a class in memory is 8 bytes a dimension, a text's class 8 bytes.
    """
    names = next(iter(corpus.batches(1)), pl.DataFrame()).columns
    if "group" not in names:
        raise InputError(
            "column 'group' is not in the corpus", f"the corpus has {listed(names)}", "make it by `ingest corpus` with --group COLUMN"
        )
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
    phase("taking the means of the classes")
    key = f"classes-{rng.blake('classes 1', corpus.digest, where.key)}"
    return State(store, where, cached(key, lambda folder: _write(corpus, store, where, folder)))


def _write(corpus: Corpus, store: CorpusStore, where: Space, folder: Path) -> None:
    names = pl.concat([pl.DataFrame(schema={"group": pl.String}), *(_groups(one).to_frame().unique() for one in corpus.batches(1 << 16))])
    classes = names["group"].drop_nulls().unique().sort()
    group = np.full(store.size, -1, dtype=np.int64)
    for batch in corpus.batches(1 << 16):
        group[store.find(batch["id"])] = _numbers(classes, _groups(batch))
    partitions.write(folder, partitions.means(where.rows(), group, len(classes)), group)
    with storage(folder):
        classes.to_frame("group").write_parquet(folder / "classes.parquet")
        np.save(folder / "of_row.npy", group, allow_pickle=False)


def _groups(frame: pl.DataFrame) -> pl.Series:
    return frame["group"].cast(pl.String)


def _numbers(classes: pl.Series, names: pl.Series) -> NDArray[np.int64]:
    """The number of each class by its name, -1 for null and for one that is not there."""
    known = pl.DataFrame({"group": classes}).with_row_index("number")
    found = names.to_frame("group").join(known, on="group", how="left", maintain_order="left")["number"]
    return found.cast(pl.Int64).fill_null(-1).to_numpy()


def generate(
    batch: Pairs,
    state: State,
    *,
    num_negatives: int,
    classes: Annotated[int, Field(ge=1, description="From how many of the nearest wrong classes texts are taken.")] = 1,
    depth: Annotated[int, Field(ge=1, description="How many of their texts are candidates, known positives apart.")] = 100,
    keep_suspects: Annotated[bool, Field(description="Whether anchors that are nearer to a wrong class than to their own stay.")] = False,
) -> Chosen:
    """The `depth` nearest texts of each anchor's nearest wrong classes.

    batch: whole anchors. Refusals: `no-vector`, `no-group`, `group-not-in-corpus`, `only-class`, `suspect-label` with the margin.
    """
    known = partitions.opened(str(state.folder))
    names = pl.read_parquet(state.folder / "classes.parquet")["group"]
    frame = _own(batch.frame, state, names)
    anchors = frame.group_by("anchor_id", maintain_order=True).agg(
        pl.col("anchor").first(), pl.len().alias("positives"), "__own", pl.col("__named").any()
    )
    vectors, there = state.space.of_anchors(anchors)
    own = [{one for one in some if one >= 0} for some in anchors["__own"].to_list()]
    refusals: list[Refusal] = []
    margins: dict[str, float] = {}
    lists = [*partitions.nearest(vectors, known.centroids, own, classes)]
    stays = np.zeros(anchors.height, dtype=np.bool_)
    cells = zip(anchors["anchor_id"].to_list(), anchors["__named"].to_list(), own, lists, there.tolist(), strict=True)
    for number, (anchor_id, named, mine, others, has) in enumerate(cells):
        if not has or not mine or not others:
            reason = "no-vector" if not has else "only-class" if mine else "group-not-in-corpus" if named else "no-group"
            refusals.append(Refusal(anchor_id, reason))
            continue
        vector = vectors[number : number + 1]
        score = search.exact(partitions.with_one(vector), known.centroids, np.zeros(len(mine), np.int64), np.array(sorted(mine)))
        margin = round(others[0][1] - float(partitions.distance(vector, score[None]).min()), 6)
        margins[anchor_id] = margin
        stays[number] = margin >= 0 or keep_suspects
        if not stays[number]:
            refusals.append(Refusal(anchor_id, "suspect-label", f"{margin:.6f}"))
    kept = [one for one, stay in zip(lists, stays.tolist(), strict=True) if stay]
    some = anchors.filter(pl.Series(stays))
    wanted = max(depth, 2 * num_negatives)
    rows = partitions.texts_of(some, vectors[stays], state.space.rows(), known, kept, wanted, "nearest-class")
    rows = rows.with_columns(names.gather(rows["group"]).alias("negative_group")).rename({"distance": "distance_class"})
    pairs = scored_positives(batch.frame, state.space)
    margin_of = pl.DataFrame(
        {"anchor_id": [*margins], "class_margin": [*margins.values()]}, schema={"anchor_id": pl.String, "class_margin": pl.Float64}
    )
    pairs = pairs.join(margin_of, on="anchor_id", how="left", maintain_order="left").drop("anchor_id")
    classes_of = frame.select("anchor_id", pl.col("__own").alias("group")).filter(pl.col("group") >= 0)
    # Of an anchor whose class is not known, or doubted, nobody knows what is wrong.
    silent = {one.row_id for one in refusals if one.reason != "no-vector"}
    silent |= {one for one, some_ in zip(anchors["anchor_id"].to_list(), own, strict=True) if not some_}
    of_row = np.load(state.folder / "of_row.npy", mmap_mode="r")
    return Chosen(rows.drop("group"), refusals, pairs=pairs, closed=inside(classes_of, lambda some: of_row[some], silent))


def _own(frame: pl.DataFrame, state: State, names: pl.Series) -> pl.DataFrame:
    """The pairs with the number of their own class, -1 for none, and whether a class was named."""
    none = pl.Series([None], dtype=pl.String).new_from_index(0, frame.height)
    said = _groups(frame) if "group" in frame.columns else none
    row = state.corpus.find(frame["positive_id"] if "positive_id" in frame.columns else none)
    of_row = np.load(state.folder / "of_row.npy", mmap_mode="r")
    there = said.is_not_null().to_numpy()
    found = np.where(row >= 0, of_row[row], -1) if len(of_row) else np.full(frame.height, -1)
    own = np.where(there, _numbers(names, said), found)
    return frame.with_columns(pl.Series("__own", own, dtype=pl.Int64), pl.Series("__named", there))
