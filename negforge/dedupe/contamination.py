"""Drop rows whose texts stand in an evaluation set, or nearly do, and name the text of it that they match.

What a model is evaluated on must not train it. Every anchor, positive and negative, or those of one --role, is compared with every
anchor, positive or passage of the evaluation set: equal after normalising (case, blanks, sentence punctuation, number words), or
near it from --threshold on, by the Jaccard similarity of their sets of three words in a row, as in `dedupe near`. At 1 only texts of
the same sets go. The index of the evaluation set lies on disk, and the rows may be any number.
Source: huggingface/datatrove#370 (which text matched), ChenghaoMou/text-dedup#88 (parameters told).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import Field

from negforge import minhash
from negforge.clusters import NEIGHBOURS, Column, Texts, TextsFile, mapped, near, similarities
from negforge.contract import Declares, drops
from negforge.engine import NARROW_BYTES, Partitioner, storage
from negforge.minhash import Bands, Numbers
from negforge.records import Evaluation, Negatives, full_text
from negforge.rng import U64

DECLARES = Declares(version=1, scope="row", reads=Negatives, fixed={"minhash": 1})
_THRESHOLD = 0.5
_ROLES = ("anchor", "positive", "negative")
Threshold = Annotated[
    float, Field(ge=0.1, le=1, description="Similarity from which two texts are near: Jaccard, of their sets of three words in a row.")
]


@dataclass(frozen=True)
class State:
    """Where the index of the evaluation set lies, and how texts are asked for."""

    folder: Path
    bands: Bands


class _Index(NamedTuple):
    """An opened index: keys in ascending order, the text of each, and the texts' ids."""

    keys: U64
    items: Numbers
    texts: Texts
    ids: pa.Table


def explain(*, threshold: Threshold = _THRESHOLD) -> dict[str, str]:
    """What follows from the threshold: bands, and the share of pairs found by their similarity."""
    return minhash.explained(threshold)


def prepare(against: Evaluation, scratch: Path, *, language: str, threshold: Threshold = _THRESHOLD) -> State:
    """Index the evaluation set: of texts with the same words one stands for all, that of the lowest id."""
    bands = minhash.bands_for(threshold)
    with storage(scratch):
        scratch.mkdir(parents=True, exist_ok=True)
    named = Partitioner(scratch / "named", NARROW_BYTES)
    for frame in against.batches(1 << 14):
        texts = [full_text(frame)] if "text" in frame.columns else [frame["anchor"], frame["positive"]]
        for column in texts:
            whole = minhash.hashed(column, minhash.SKETCH, language).whole
            named.add(pl.DataFrame({"id": frame["id"], "text": column, "whole": whole}), whole)
    stored, entries = TextsFile(scratch), Partitioner(scratch / "entries", NARROW_BYTES)
    count = 0
    with pa.OSFile(str(scratch / "ids"), "wb") as out, pa.ipc.new_file(out, pa.schema({"id": pa.large_string()})) as ids:
        for part, _ in named.parts():
            for piece in part.sort("whole", "id", "text").unique("whole", keep="first", maintain_order=True).iter_slices(1 << 14):
                hashed = minhash.hashed(piece["text"], minhash.slots_for(bands), language)
                stored.add(minhash.sketches(hashed.minima), hashed.cells, hashed.counts)
                keys = np.concatenate([minhash.band_keys(hashed.minima, bands), hashed.whole[:, None]], axis=1)
                items = np.repeat(np.arange(count, count + piece.height), keys.shape[1])
                entries.add(pl.DataFrame({"item": items}), keys.reshape(-1))
                ids.write_table(piece.select("id").to_arrow().cast(pa.schema({"id": pa.large_string()})))
                count += piece.height
    stored.close()
    all_keys, all_items = Column(scratch / "keys", np.uint64), Column(scratch / "items", np.int64)
    for part, keys in entries.parts():
        items = part["item"].to_numpy()
        order = np.lexsort((items, keys))
        all_keys.add(keys[order])
        all_items.add(items[order])
    all_keys.close()
    all_items.close()
    return State(scratch, bands)


@functools.lru_cache(maxsize=4)
def _opened(folder: Path) -> _Index:
    count = (folder / "keys").stat().st_size // 8
    keys, items = (mapped(folder / name, np.dtype(kind), (count,), "r") for name, kind in (("keys", np.uint64), ("items", np.int64)))
    return _Index(keys, items, Texts.stored(folder), pa.ipc.open_file(pa.memory_map(str(folder / "ids"))).read_all())


def dedupe(
    batch: Negatives,
    state: State,
    *,
    language: str,
    threshold: Threshold = _THRESHOLD,
    role: Annotated[
        Literal["any", "anchor", "positive", "negative"], Field(description="Which texts of a row are compared with the evaluation set.")
    ] = "any",
) -> pl.DataFrame:
    """Drop as `contaminated`; the value is the id in the evaluation set, a blank and the similarity: of the nearest, then lowest id.

    Where more than 64 texts of the set are alike in a band, the nearest is that of 64 of them; an equal one is found in any case.
    """
    index = _opened(state.folder)
    roles = [one for one in _ROLES if role in ("any", one)]
    texts = pl.concat([batch[one].alias("text") for one in roles]) if len(batch) else batch[roles[0]]
    distinct = pl.DataFrame({"text": texts}).unique(maintain_order=True).drop_nulls().with_row_index("place")
    found = [
        _matched(piece["text"], index, state, threshold, language).with_columns(pl.col("place") + int(piece["place"][0]))
        for piece in distinct.iter_slices(1 << 14)
        if piece.height
    ]
    if not found:
        return drops(pl.Series([None] * len(batch), dtype=pl.String))
    best = distinct.with_columns(pl.col("place").cast(pl.Int64)).join(pl.concat(found), on="place").drop("place")
    matched = pl.DataFrame({"text": texts, "row": np.tile(np.arange(len(batch)), len(roles))}).join(best, on="text")
    nearest = matched.sort("row", "similar", "id", descending=[False, True, False]).unique("row", keep="first", maintain_order=True)
    rows = pl.DataFrame({"row": np.arange(len(batch))}).join(nearest, on="row", how="left", maintain_order="left")
    value = pl.format("{} {}", "id", pl.col("similar").round(2))
    reason = pl.when(pl.col("id").is_not_null()).then(pl.lit("contaminated"))
    return drops(*(rows.select(one).to_series() for one in (reason, value)))


def _matched(texts: pl.Series, index: _Index, state: State, threshold: float, language: str) -> pl.DataFrame:
    """Of each text (place) that has a match the nearest one: its id and the similarity."""
    hashed = minhash.hashed(texts, minhash.slots_for(state.bands), language)
    keys = np.concatenate([minhash.band_keys(hashed.minima, state.bands), hashed.whole[:, None]], axis=1)
    own = Texts.of(hashed)
    asked, item = _candidates(keys, index)
    alike = near(own, index.texts, asked, item, threshold)
    asked, item = asked[alike], item[alike]
    found = pl.DataFrame(
        {"place": asked, "similar": similarities(own, index.texts, asked, item), "id": pl.Series(index.ids["id"].take(pa.array(item)))}
    )
    ordered = found.sort("place", "similar", "id", descending=[False, True, False])
    return ordered.unique("place", keep="first", maintain_order=True)


def _candidates(keys: U64, index: _Index) -> tuple[Numbers, Numbers]:
    """The pairs of a text asked about and one of the evaluation set that share a key, once each.

    Of a key that more of the set share than are compared, the first: which those are depends on the set alone.
    """
    order = np.argsort(keys, axis=None)  # one pass over the index, not a search through all of it for each key
    flat = keys.reshape(-1)[order]
    first, last = (np.searchsorted(index.keys, flat, side=side) for side in ("left", "right"))
    counts = np.minimum(last - first, NEIGHBOURS)
    hit = np.flatnonzero(counts)
    counts = counts[hit]
    places = np.repeat(first[hit] - (np.cumsum(counts) - counts), counts) + np.arange(int(counts.sum()))
    pairs = np.stack([np.repeat(order[hit] // keys.shape[1], counts), index.items[places]], axis=1)
    pairs = np.unique(pairs, axis=0)
    return pairs[:, 0], pairs[:, 1]
