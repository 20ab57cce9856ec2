"""Prove a candidate false when it is a known positive: of its anchor, or, for a written text, of any anchor.

Texts compare after normalising (white space, case, sentence punctuation, number words), ids as they are. A candidate that
is the anchor itself counts as known, unless it is meant as a degenerate answer; so does what is right for an anchor of the same
text under another id, and a passage that without its title is a positive. The index holds 8 bytes a key on disk, sorted and memory-mapped.
Source: huggingface/sentence-transformers#1346 and taolei87/askubuntu#1 (published negatives that hold positives).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negforge.contract import EXCHANGING, WRITTEN, Declares
from negforge.engine import NARROW_BYTES, Partitioner
from negforge.records import Negatives, Over, Pairs
from negforge.rng import U64, hash64, mix

DECLARES = Declares(
    version=1,
    scope="row",
    reads=Negatives,
    proves=("positive",),
    columns=("anchor_id", "anchor", "negative", "negative_id", "operator", "opposition"),
)
_ANCHORS_TEXT, _ANY_TEXT, _ANCHORS_ID = (np.uint64(salt) for salt in (0x5A17_0001, 0x5A17_0002, 0x5A17_0003))
_QUERYS_TEXT, _QUERYS_ID = (np.uint64(salt) for salt in (0x5A17_0004, 0x5A17_0005))  # by the anchor's text, whatever its id


@dataclass(frozen=True)
class State:
    """The file of sorted 64-bit keys, and of which rows they can be asked: written ones, chosen ones, or both."""

    keys: Path
    written: bool
    chosen: bool


def prepare(positives: Pairs, scratch: Path, max_memory: int, over: Over, generator: str = "", *, language: str) -> State:
    """Index the positives: n pairs become up to six keys each, one where only what an operator wrote is to be verified.

    generator: the operator whose rows alone will be asked about; of any, where none is named.
    """
    written, chosen = (not generator or _wrote(generator) is one for one in (True, False))
    path = scratch / "known-positives.u64"
    if path.exists():
        return State(path, written, chosen)
    parts = Partitioner(scratch / "keys", min(max_memory // 8, NARROW_BYTES))
    nothing = pl.DataFrame({"none": []}, schema={"none": pl.Null})
    for made in over(functools.partial(_keys_of, language=language, written=written, chosen=chosen), positives.batches(1 << 16)):
        parts.add(nothing.clear(made.height), made["key"].to_numpy())
    with path.open("wb") as out:
        for _, keys in parts.parts():
            keys.sort()
            first = np.ones(len(keys), dtype=bool)
            first[1:] = keys[1:] != keys[:-1]
            keys[first].tofile(out)
    return State(path, written, chosen)


def _wrote(operator: str) -> bool:
    return operator.startswith(WRITTEN) and operator not in EXCHANGING


def _keys_of(frame: pl.DataFrame, language: str, *, written: bool, chosen: bool) -> pl.DataFrame:
    pairs = Pairs(frame)
    positive = hash64(pairs.normalised("positive", language))
    found = [mix(positive ^ _ANY_TEXT)] if written else []  # a positive of any anchor is one of its own, too
    if not chosen:
        return pl.DataFrame({"key": np.concatenate(found)})
    anchors, query = hash64(pairs["anchor_id"]), hash64(pairs.normalised("anchor", language))
    found += [_key(anchors, positive, _ANCHORS_TEXT), _key(anchors, query, _ANCHORS_TEXT), _key(query, positive, _QUERYS_TEXT)]
    if "positive_id" in pairs:
        ids = pairs["positive_id"]
        there = ids.is_not_null().to_numpy()
        found += [_key(anchors, hash64(ids), _ANCHORS_ID)[there], _key(query, hash64(ids), _QUERYS_ID)[there]]
    return pl.DataFrame({"key": np.concatenate(found)})


def _key(anchors: U64, values: U64, salt: np.uint64) -> U64:
    return mix(mix(anchors + salt) ^ values)


def verify(batch: Negatives, state: State, *, language: str) -> pl.Series:
    """`positive` where the negative is a known positive, else `unknown`: not being known proves nothing.

    batch: n rows of `anchor_id`, `anchor`, `negative`, `operator` and, if there is one, `opposition`; if mined, `negative_id`.
    """
    known = _open(str(state.keys))
    text = hash64(batch.normalised("negative", language))
    same = (batch.normalised("negative", language) == batch.normalised("anchor", language)).fill_null(value=False)
    # The question itself may be meant for an answer.
    degenerate = batch["opposition"] == "degenerate" if "opposition" in batch else pl.Series([False]).new_from_index(0, len(same))
    meant = (same & degenerate).fill_null(value=False).to_numpy()
    hit = same.to_numpy() & ~meant
    if state.written:
        names = batch["operator"]
        written = names.is_in([name for name in names.unique().to_list() if _wrote(name)]).to_numpy()
        hit = hit | written & _member(mix(text ^ _ANY_TEXT), known)
    if state.chosen:
        hit = hit | _chosen(batch, text, known, language) & ~meant
    return pl.Series("verdict", np.where(hit, "positive", "unknown"), dtype=pl.String)


def _chosen(batch: Negatives, text: U64, known: U64, language: str) -> NDArray[np.bool_]:
    """Which negatives are right for their anchor: by text, by the text without its title, by id. text: hashes of the negatives."""
    anchors, query = hash64(batch["anchor_id"]), hash64(batch.normalised("anchor", language))
    hit = _member(_key(anchors, text, _ANCHORS_TEXT), known) | _member(_key(query, text, _QUERYS_TEXT), known)
    if "__body" in batch:  # a passage whose pairs were made without its title
        body = hash64(batch.normalised("__body", language))
        hit |= _member(_key(anchors, body, _ANCHORS_TEXT), known) | _member(_key(query, body, _QUERYS_TEXT), known)
    if "negative_id" in batch:
        ids = batch["negative_id"]
        by_id = _member(_key(anchors, hash64(ids), _ANCHORS_ID), known) | _member(_key(query, hash64(ids), _QUERYS_ID), known)
        hit |= ids.is_not_null().to_numpy() & by_id
    return hit


def _member(keys: U64, known: U64) -> NDArray[np.bool_]:
    if not len(known):
        return np.zeros(len(keys), dtype=bool)
    order = np.argsort(keys)  # one pass over the file, not a search through all of it for each key
    place = np.minimum(np.searchsorted(known, keys[order]), len(known) - 1)
    found = np.empty(len(keys), dtype=bool)
    found[order] = known[place] == keys[order]
    return found


@functools.lru_cache(maxsize=4)
def _open(path: str) -> U64:
    return np.memmap(path, dtype=np.uint64, mode="r") if Path(path).stat().st_size else np.zeros(0, dtype=np.uint64)
