"""Drop negatives that nearly repeat another one, and say which row stays and how near it is.

Two texts are as near as the sets of three words in a row that they share: the Jaccard similarity. MinHash finds which texts
to compare; the sets themselves decide, of long texts their 128 least hashes. Texts are normalised first (case, blanks,
sentence punctuation, number words). A text below three words is one such set by itself; in scripts without blanks each
character is a word. Bands are computed from --threshold, and the report tells what share of pairs of which similarity is
found. Rows joined by near pairs are a cluster, of which one row stays: the one labelled `negative` with the lowest draw, then
the lowest id, or by --keep the longest, or that of the best score; labels come first in any case.
The scope knows the roles: negatives are compared with those of the same pair, of the same anchor (the default), or of the whole
table. They are not compared with anchors and positives, for a good negative is a near-copy of them by design; where it is not,
--against positives drops near-copies of a positive of their own anchor, promoted ones among them, as `near-positive`. What was
promoted to a positive stays, whatever is near it.
One word changed of n is a similarity of (n - 5) / (n + 1): in a text of ten words 0.45, of fifty 0.88. Drafts of one edit are near
each other by design; raise --threshold, or leave them to `dedupe exact`.
Source: ekzhu/datasketch#207 (an index larger than memory), huggingface/datatrove#370 (which row matched), #107 (parameters told),
MinishLab/semhash#46 (inside a group), datajuicer/data-juicer#971 (twins on two workers).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import Field

from negforge import minhash, promoting, rng
from negforge.clusters import Clusters, Column, TextsFile, blocks, candidates, grouped, near, similarities, zeros
from negforge.contract import Declares
from negforge.engine import NARROW_BYTES, Partitioner, Spool
from negforge.errors import InputError, UsageError, did_you_mean, listed
from negforge.minhash import Numbers
from negforge.records import Negatives
from negforge.rng import U64, mix

DECLARES = Declares(version=1, scope="table", reads=Negatives, fixed={"minhash": 1})
# From here a change of one word in ten of a longer text leaves it a near-copy (0.57), and of one in five does not (0.34).
_THRESHOLD = 0.5
_COMPARED = {"keys", "whole", "scope", "role", "anchor"}
_FACTS = ("row", "other", "rank", "draw", "id")
Threshold = Annotated[
    float, Field(ge=0.1, le=1, description="Similarity from which two texts are near: Jaccard, of their sets of three words in a row.")
]


def explain(*, threshold: Threshold = _THRESHOLD) -> dict[str, str]:
    """What follows from the threshold: bands, and the share of pairs found by their similarity."""
    return minhash.explained(threshold)


def keys(
    batch: Negatives,
    *,
    language: str,
    threshold: Threshold = _THRESHOLD,
    within: Annotated[
        Literal["pair", "anchor", "table"],
        Field(description="Where near-copies may stand once: among the negatives of a pair, of an anchor, or of the table."),
    ] = "anchor",
    against: Annotated[
        Literal["none", "positives"], Field(description="`positives`: also drop near-copies of a positive of their own anchor.")
    ] = "none",
    keep: Annotated[
        Literal["first", "longest", "best-score"],
        Field(description="Which row of a cluster stays: the lowest draw, the longest text, or the highest score."),
    ] = "first",
    by: Annotated[str | None, Field(description="The score that --keep best-score goes by; default the only one there is.")] = None,
) -> pl.DataFrame:
    """The narrow table: for each negative its keys, its sketch and what decides which row stays; and, if asked, each positive's.

    A positive stands in it once a batch and anchor, with role 1.
    """
    scopes = {"table": [], "anchor": ["anchor_id"], "pair": ["anchor_id", "positive"]}
    columns = [rng.strings128(batch[name]) for name in scopes[within]]
    scope = rng.combine(columns)[0] if columns else np.zeros(len(batch), dtype=np.uint64)
    scope = promoting.set_apart(batch.frame, scope, "id")
    facts = {
        "row": np.arange(len(batch)),
        "other": (batch["label"] != "negative").cast(pl.Int8),
        "rank": _rank(batch, keep, by),
        "draw": batch["draw"],
        "id": batch["id"],
    }
    bands = minhash.bands_for(threshold)
    made = _texts(batch["negative"], bands, language).with_columns(role=pl.lit(0, pl.UInt8), scope=pl.Series(scope))
    made = pl.concat([pl.DataFrame(facts, schema_overrides={"row": pl.Int64, "rank": pl.Float64}), made], how="horizontal")
    if against == "none":
        return made
    anchor = rng.hash64(batch["anchor_id"])
    made = made.with_columns(anchor=pl.Series(promoting.set_apart(batch.frame, anchor, "id")))
    right, raised = (pl.DataFrame({"anchor": anchor, "text": batch[name]}).with_row_index() for name in ("positive", "negative"))
    named = pl.concat([right, raised.filter(promoting.promoted(batch.frame))])
    first = named.unique(["anchor", "text"], keep="first", maintain_order=True)
    positives = _texts(first["text"], bands, language).with_columns(
        anchor=first["anchor"], role=pl.lit(1, pl.UInt8), scope=pl.lit(0, pl.UInt64), row=first["index"].cast(pl.Int64)
    )
    return pl.concat([made, positives], how="diagonal")


def _texts(texts: pl.Series, bands: minhash.Bands, language: str) -> pl.DataFrame:
    hashed = minhash.hashed(texts, minhash.slots_for(bands), language)
    ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(hashed.counts)])
    cells = pa.LargeListArray.from_arrays(pa.array(ends), pa.array(hashed.cells))
    return pl.DataFrame(
        {
            "whole": hashed.whole,
            "keys": pl.Series(minhash.band_keys(hashed.minima, bands), dtype=pl.Array(pl.UInt64, bands.bands)),
            "sketch": pl.Series(minhash.sketches(hashed.minima), dtype=pl.Array(pl.UInt8, minhash.SKETCH)),
            "cells": pl.Series(cells),
        }
    )


def _rank(batch: Negatives, keep: str, by: str | None) -> pl.Series:
    """What goes before draw and id when a row is to stay: the lowest."""
    frame = batch.frame
    if keep == "longest":
        return -batch["negative"].str.len_chars().cast(pl.Float64)
    if keep == "first":
        if by is not None:
            raise UsageError(f"--by {by} is for --keep best-score", mend="add --keep best-score, or leave --by out")
        return pl.Series([0.0]).new_from_index(0, frame.height)
    scores = [name for name, dtype in frame.schema.items() if name.startswith("score_") and dtype.is_numeric()]
    if by is None:
        scores = [name for name in scores if not name.endswith(("_positive", "_weakest"))]
    found = by or (scores[0] if len(scores) == 1 else "")
    if found not in frame.columns or not frame[found].dtype.is_numeric():
        what = f"there is no column of numbers '{by}'" if by else f"there {'is no score' if not scores else 'are several scores'}"
        raise InputError(
            f"{what} to keep the best by",
            f"the table has {listed(scores)}" if scores else "no column is named score_",
            did_you_mean(by or "", scores, f"pass --by {scores[0]}") if scores else "score the rows first, or leave --keep out",
        )
    return -frame[found].cast(pl.Float64).fill_nan(None).fill_null(-np.inf)


class _Items:
    """The narrow table on disk: what is compared as arrays, what decides in rows."""

    def __init__(self, narrow: Negatives, scratch: Path) -> None:
        self._scratch = scratch
        self._facts = Spool(scratch / "facts.arrow")
        texts = TextsFile(scratch)
        columns: dict[str, Column] = {}
        for frame in narrow.batches():
            self._facts.add(frame.select(_FACTS))
            cells = frame["cells"]
            texts.add(frame["sketch"].to_numpy(), cells.explode().to_numpy(), cells.list.len().to_numpy().astype(np.int64))
            for name in _COMPARED & {*frame.columns}:
                values = frame[name].to_numpy()
                if name not in columns:
                    columns[name] = Column(scratch / name, values.dtype.type, values.shape[1] if values.ndim == 2 else 1)
                columns[name].add(values)
        self._facts.close()
        self.texts = texts.close()
        mapped = {name: column.close() for name, column in columns.items()}
        self.keys, self.whole, self.scope, self.role = (mapped.get(name, np.zeros(0)) for name in ("keys", "whole", "scope", "role"))
        self.anchor = mapped.get("anchor")
        self.count = len(self.role)

    def equal(self, scope: U64, gone: NDArray[np.uint8]) -> Iterator[tuple[Numbers, U64]]:
        """Items of one scope and the same words, by their keys."""

        def entries() -> Iterator[tuple[Numbers, U64]]:
            for items in self._left(gone):
                yield items, mix(self.whole[items] ^ scope[items])

        yield from grouped(entries, self.count, self._scratch / "equal", NARROW_BYTES)

    def banded(self, scope: U64, gone: NDArray[np.uint8]) -> Iterator[tuple[Numbers, U64]]:
        """Items of one scope that agree in a band, by the band's key."""

        def entries() -> Iterator[tuple[Numbers, U64]]:
            for items in self._left(gone):
                found = mix(self.keys[items] ^ scope[items][:, None])
                yield np.repeat(items, found.shape[1]), found.reshape(-1)

        yield from grouped(entries, self.keys.size, self._scratch / "bands", NARROW_BYTES)

    def _left(self, gone: NDArray[np.uint8]) -> Iterator[Numbers]:
        for items in blocks(self.count):
            yield items[gone[items] == 0]

    def facts(self, chosen: NDArray[np.uint8] | NDArray[np.float32]) -> Iterator[pl.DataFrame]:
        """What decides about the chosen items, and their numbers."""
        done = 0
        for frame in self._facts.batches(1 << 16):
            some = np.flatnonzero(chosen[done : done + frame.height])
            yield frame[some].with_columns(item=pl.Series(some + done, dtype=pl.Int64))
            done += frame.height


def dedupe(narrow: Negatives, scratch: Path, *, threshold: Threshold = _THRESHOLD) -> Iterator[pl.DataFrame]:
    """Decide: rows (row, drop_reason, drop_value).

    `near-duplicate`: the id of the row that stays, a blank and the similarity of both, which in a cluster of several pairs may be
    below the threshold. `near-positive`: the similarity to the nearest positive of the anchor.
    """
    items = _Items(narrow, scratch)
    gone = zeros(scratch / "gone", items.count, np.uint8)
    for some in blocks(items.count):
        gone[some] = items.role[some]
    if items.anchor is not None:
        nearest = _near_positives(items, items.anchor, threshold, scratch)
        for facts in items.facts(nearest):
            value = _told(nearest[facts["item"].to_numpy()])
            yield facts.select("row", pl.lit("near-positive").alias("drop_reason"), value.alias("drop_value"))
        for some in blocks(items.count):
            gone[some] |= nearest[some] > 0
    yield from _losers(items, _clusters(items, gone, threshold, scratch), scratch)


def _told(similarity: NDArray[np.floating]) -> pl.Series:
    return pl.select(pl.format("{}", pl.Series(similarity.astype(np.float64)).round(2))).to_series()


def _near_positives(items: _Items, anchor: U64, threshold: float, scratch: Path) -> NDArray[np.float32]:
    """Of each negative that is near a positive of its anchor, its similarity to the nearest; else 0."""
    nearest = zeros(scratch / "nearest", items.count, np.float32)
    none = zeros(scratch / "none", items.count, np.uint8)
    for some, group in items.equal(anchor, none):
        positive = items.role[some] == 1
        nearest[some[~positive & np.isin(group, group[positive])]] = 1
    for some, group in items.banded(anchor, none):
        for left, right in candidates(some, group, items.whole):
            mixed = items.role[left] != items.role[right]
            first = items.role[left] == 0
            negative, positive = np.where(first, left, right)[mixed], np.where(first, right, left)[mixed]
            alike = near(items.texts, items.texts, negative, positive, threshold)
            negative, positive = negative[alike], positive[alike]
            similar = similarities(items.texts, items.texts, negative, positive)
            np.maximum.at(nearest, negative, similar.astype(np.float32))
    return nearest


def _clusters(items: _Items, gone: NDArray[np.uint8], threshold: float, scratch: Path) -> Clusters:
    """Join what is near. gone: items that are not compared; those that equal another come to be among them."""
    found = Clusters(scratch / "parents", items.count)
    for some, group in items.equal(items.scope, gone):
        again = np.flatnonzero(group[1:] == group[:-1]) + 1
        found.join(some[again - 1], some[again])
        gone[some[again]] = 1
    for some, group in items.banded(items.scope, gone):
        for left, right in candidates(some, group, items.whole):
            for first in range(0, len(left), minhash.PAIRS_AT_ONCE):
                one, other = left[first : first + minhash.PAIRS_AT_ONCE], right[first : first + minhash.PAIRS_AT_ONCE]
                apart = found.find(one) != found.find(other)  # a pair may meet in many bands
                one, other = one[apart], other[apart]
                alike = near(items.texts, items.texts, one, other, threshold)
                found.join(one[alike], other[alike])
    return found


def _losers(items: _Items, found: Clusters, scratch: Path) -> Iterator[pl.DataFrame]:
    """All rows of each cluster but the one that stays."""
    parts = Partitioner(scratch / "clusters", NARROW_BYTES)
    for facts in items.facts(found.crowded(scratch / "crowded")):
        roots = found.find(facts["item"].to_numpy())
        parts.add(facts.with_columns(root=pl.Series(roots)), mix(roots.astype(np.uint64)))
    for part, _ in parts.parts():
        ordered = part.sort("root", "other", "rank", "draw", "id")
        named = ordered.with_columns(first=pl.col("item").first().over("root"), kept=pl.col("id").first().over("root"))
        lost = named.filter(pl.col("item") != pl.col("first"))
        again, first = lost["item"].to_numpy(), lost["first"].to_numpy()
        similar, other = np.ones(lost.height), items.whole[again] != items.whole[first]
        similar[other] = similarities(items.texts, items.texts, again[other], first[other])
        value = pl.concat_str(lost["kept"], _told(similar), separator=" ")
        yield lost.select("row", pl.lit("near-duplicate").alias("drop_reason"), value.alias("drop_value"))
