"""Drop negatives whose vector is nearly that of another one, and say which row stays and how near it is.

Rows are gone through in the order of label (`negative` first), draw and id; one whose cosine with a row that stays is at least
--threshold goes, for the first such row. So no two that stay are near each other, and nobody goes for a row that went itself, as
in a chain of neighbours. The scope knows the roles: negatives of the same pair, of the same anchor (the default), or of the whole
table, which is compared row by row with all that stay: its vectors must fit into memory, and twice the rows cost four times as much.
Vectors are made by `--model`, once for each text whatever it is used for, or brought by `--vectors`, by negative_id or by text. A
row without one stays, and is counted as `no-vector`. So does one that was promoted to a positive, whatever is near it.
What is near depends on the model: look at what goes before a threshold is trusted. A changed number or a negation moves most
vectors little, so that edits of one text are near each other by design.
Source: MinishLab/semhash#46 (inside a group); Abbas et al., SemDeDup, 2023 (a threshold on cosines, one of each neighbourhood).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from negforge import promoting, rng, search
from negforge.contract import Declares
from negforge.errors import UsageError
from negforge.records import Batches, Negatives
from negforge.vectors import CorpusPrompt, Model, Space, space

DECLARES = Declares(version=1, scope="table", reads=Negatives, cost="model", any_of=("model", "vectors"))
_BLOCK = 1024
_COLUMNS = 1 << 14
_SLACK = 1e-4  # what a product in single precision may be off


def prepare(
    inputs: Batches,
    scratch: Path,
    max_memory: int,
    phase: Callable[[str], None],
    *,
    model: Model = None,
    corpus_prompt: CorpusPrompt = "",
    vectors: Annotated[
        Path | None, Field(description="Vectors in place of a model: a table with id (or text) and vector, or .npy beside its .ids file.")
    ] = None,
) -> Space:
    """Encode what is not yet encoded."""
    if model is not None and vectors is not None:
        raise UsageError("both a model and vectors are given", mend="pass --model or --vectors")

    def negatives(rows: int) -> Iterator[pl.DataFrame]:
        yield from (frame.select(pl.col("negative").alias("anchor")) for frame in inputs(rows))

    return space(
        negatives,
        [],
        None,
        scratch,
        max_memory,
        phase,
        model=model,
        anchor_prompt=corpus_prompt,
        corpus_prompt=corpus_prompt,
        corpus_vectors=vectors,
        anchor_vectors=vectors,
        similarity="cosine",
    )


def keys(
    batch: Negatives,
    state: Space,
    *,
    within: Annotated[
        Literal["pair", "anchor", "table"],
        Field(description="Where near-copies may stand once: among the negatives of a pair, of an anchor, or of the table."),
    ] = "anchor",
) -> pl.DataFrame:
    """The narrow table: `group` (rows that are compared share it), the vector, and what decides which row stays."""
    scopes = {"table": [], "anchor": ["anchor_id"], "pair": ["anchor_id", "positive"]}
    columns = [rng.strings128(batch[name]) for name in scopes[within]]
    group = rng.combine(columns)[0] if columns else np.zeros(len(batch), dtype=np.uint64)
    found, there = state.of_texts(batch.frame, "negative")
    if not found.shape[1]:  # nothing was ever encoded
        found = np.zeros((len(batch), 1), dtype=np.float32)
    return pl.DataFrame(
        {
            "group": promoting.set_apart(batch.frame, group, "id"),
            "vector": pl.Series(found, dtype=pl.Array(pl.Float32, found.shape[1])),
            "there": there,
            "other": (batch["label"] != "negative").cast(pl.Int8),
            "draw": batch["draw"],
            "id": batch["id"],
        }
    )


def dedupe(
    narrow: Negatives,
    *,
    threshold: Annotated[float, Field(gt=0, le=1, description="Cosine from which two texts are near.")] = 0.95,
) -> pl.DataFrame:
    """Decide: rows (row, drop_reason `near-meaning`, drop_value the id of the row that stays and the cosine). Groups come whole."""
    ordered = narrow.frame.sort("group", "other", "draw", "id")
    silent = ordered.filter(~pl.col("there"))
    ordered = ordered.filter(pl.col("there"))
    rows = np.ascontiguousarray(ordered["vector"].to_numpy(), dtype=np.float32)
    group = ordered["group"].to_numpy()
    starts = np.flatnonzero(np.concatenate([np.ones(min(1, len(group)), dtype=np.bool_), group[1:] != group[:-1]]))
    goes: list[int] = []
    stays: list[int] = []
    near: list[float] = []
    for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(group)], strict=False):
        for one, other, cosine in _near(rows[start:end], threshold):
            goes.append(start + one)
            stays.append(start + other)
            near.append(cosine)
    said = pl.Series(
        [f"{one} {cosine:.4f}" for one, cosine in zip(ordered["id"].gather(stays).to_list(), near, strict=True)], dtype=pl.String
    )
    place = ordered["row"].cast(pl.Int64).gather(goes)
    dropped = pl.DataFrame({"row": place, "drop_value": said}).select(
        "row", pl.lit("near-meaning").alias("drop_reason"), "drop_value", pl.lit(None, pl.String).alias("note")
    )
    nothing = [pl.lit(None, pl.String).alias(name) for name in ("drop_reason", "drop_value")]
    noted = silent.select(pl.col("row").cast(pl.Int64), *nothing, pl.lit("no-vector").alias("note"))
    return pl.concat([dropped, noted])


def _near(rows: search.F32, threshold: float) -> Iterator[tuple[int, int, float]]:
    """Of rows in their order those that go: the place, the place of the row that stays for it, and the cosine."""
    if len(rows) < 2:
        return
    length = np.sqrt(search.paired(rows, rows))
    stays: NDArray[np.bool_] = np.ones(len(rows), dtype=np.bool_)
    for start in range(0, len(rows), _BLOCK):
        block = rows[start : start + _BLOCK]
        before = np.concatenate([np.flatnonzero(stays[:start]), np.arange(start, start + len(block))])
        floor = (threshold - _SLACK) * length[start : start + len(block)][:, None]
        parts = [_maybe(block, rows, length, floor, start, before[first : first + _COLUMNS]) for first in range(0, len(before), _COLUMNS)]
        one, other = (np.concatenate(some) for some in zip(*parts, strict=True))
        order = np.lexsort((other, one))
        one, other = one[order], other[order]
        cosine = np.minimum(np.round(search.exact(rows, rows, one, other) / (length[one] * length[other]), 7), 1.0)
        sure = cosine >= threshold
        for goes, first, how in zip(one[sure].tolist(), other[sure].tolist(), cosine[sure].tolist(), strict=True):
            if stays[goes] and stays[first]:
                stays[goes] = False
                yield goes, first, how


def _maybe(
    block: search.F32, rows: search.F32, length: search.F64, floor: search.F64, start: int, before: search.I64
) -> tuple[search.I64, search.I64]:
    """Pairs of a row of the block, whose first is `start`, and one of `before` that stands before it and may be near it."""
    hit = block @ rows[before].T >= floor * length[before]
    one, place = np.nonzero(hit & (before < np.arange(start, start + len(block))[:, None]))
    return one + start, before[place]
