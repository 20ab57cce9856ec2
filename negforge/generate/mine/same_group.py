"""Choose other texts of the positive's own group in a corpus: further spans of its document, members of its class.

A candidate is passed over, and counted by its reason, when it is no negative: `overlap` with the anchor or with a positive, by
the characters where the corpus has offsets, and always by a shared run of words, as sliding windows have; `near-copy` of one,
by the word triples they share, as refrains and boilerplate have. A document that repeats itself gives fewer negatives, not copies.
Of 336 passages that people had edited (CondaQA) 335 are known as copies by the defaults, of 1,869 pairs of paragraphs of one
article (SQuAD) none. What a text says is not looked at: a passage that answers the question as well is not found out; of 100
negatives of SQuAD's questions read by hand none answered, and of the 58 in 1,172 that hold an answer's words about 4 did.
Paper: Krishna et al., RankGen, 2022; martiansideofthemoon/rankgen (other spans of the same document).
"""

from __future__ import annotations

import bisect
import functools
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from negforge import rng as keyed
from negforge import text
from negforge.contract import Chosen, Declares, Refusal
from negforge.corpus import CorpusStore, cached
from negforge.engine import Partitioner, storage
from negforge.errors import InputError, listed, near
from negforge.mining import inside
from negforge.records import Corpus, Pairs
from negforge.rng import U64, Rng, hash64

DECLARES = Declares(
    version=1,
    scope="anchor",
    reads=Pairs,
    label="negative",
    opposition="neutral",
    evidence=("no-overlap", "not-known-positive"),
    verifiers=("known-positive",),
)
Rows = NDArray[np.int64]
_NO_GROUP = np.uint64(0)
_WHOLE = 1024  # a group up to this size is shuffled whole; from a larger one rows are drawn
_WINDOW = 4096  # how many members before and after a positive `--order nearest` looks at
_TEXTS_AT_ONCE = 1024
_FAR = np.iinfo(np.int64).max
_WORD = re.compile(rf"[{text.CJK}]|[^\W{text.CJK}]+")


@dataclass(frozen=True)
class State:
    """The corpus by row number, and the folder of the groups' members. `placed`: whether spans have offsets."""

    corpus: CorpusStore
    groups: Path
    placed: bool


def prepare(
    corpus: Corpus,
    max_memory: int,
    *,
    order: Annotated[
        Literal["random", "nearest"],
        Field(description="Which candidates come first: drawn at random, or nearest to a positive by the corpus' offsets."),
    ] = "random",
    start: Annotated[str, Field(description="Column of the corpus: the span's first character in its document.")] = "start",
    end: Annotated[str, Field(description="Column of the corpus: the character after the span's last one.")] = "end",
) -> State:
    """Index the groups' members, or find the index made of the same content before.

    Raises InputError for a corpus without groups, for offsets that are no whole numbers, and for `nearest` without offsets.
    """
    names = next(iter(corpus.batches(1)), pl.DataFrame()).schema
    if "group" not in names:
        mend = "make it by `ingest corpus` with --group COLUMN, or with --span-words N where rows are whole documents"
        raise InputError("column 'group' is not in the corpus", f"the corpus has {listed([*names])}", mend)
    placed = all(name in names and names[name].is_integer() for name in (start, end))
    if not placed and (order == "nearest" or (start, end) != ("start", "end")):
        lacks = next(name for name in (start, end) if name not in names or not names[name].is_integer())
        numbers = [name for name, dtype in names.items() if dtype.is_integer()]
        flag = f"--{'start' if lacks == start else 'end'} {near(lacks, numbers) or 'COLUMN'}"
        mend = f"pass {flag}, or cut whole documents by `ingest corpus` with --span-words N"
        raise InputError(f"the corpus has no column of offsets '{lacks}'", f"whole numbers are in {listed(numbers) or 'none'}", mend)
    store = CorpusStore.of(corpus, max_memory)
    offsets = (start, end) if placed else None
    key = f"groups-{keyed.blake('same-group index 1', corpus.digest, *(offsets or ()))}"
    return State(store, cached(key, lambda folder: _write(corpus, store, folder, offsets, max_memory // 8)), placed)


def _write(corpus: Corpus, store: CorpusStore, folder: Path, offsets: tuple[str, str] | None, limit_bytes: int) -> None:
    """Files of one column each: the group's key of each corpus row; keys and sizes of the groups; their members, group by group."""
    parts = Partitioner(folder / "scratch", limit_bytes)
    with storage(folder):
        group = _new(folder / "group.u64", np.uint64, store.size)
        spans = [_new(folder / f"{name}.i64", np.int64, store.size) for name in ("start", "end")] if offsets else []
        for batch in corpus.batches(1 << 16):
            row = store.find(batch["id"])
            key = _keys(batch["group"])
            group[row] = key
            for span, name in zip(spans, offsets or (), strict=True):
                span[row] = batch[name].cast(pl.Int64).fill_null(-1).to_numpy()
            first = batch[offsets[0]].cast(pl.Int64) if offsets else pl.Series([0], dtype=pl.Int64).new_from_index(0, batch.height)
            there = key != _NO_GROUP
            parts.add(pl.DataFrame({"row": row, "start": first}).filter(pl.Series(there)), key[there])
        with (
            (folder / "keys.u64").open("wb") as keys,
            (folder / "sizes.i64").open("wb") as sizes,
            (folder / "members.i64").open("wb") as out,
        ):
            for part, key in parts.parts():
                order = np.lexsort((part["row"].to_numpy(), part["start"].fill_null(-1).to_numpy(), key))
                numbers, counts = np.unique(key, return_counts=True)
                numbers.tofile(keys)
                counts.astype(np.int64).tofile(sizes)
                part["row"].to_numpy()[order].astype(np.int64).tofile(out)


def _new(path: Path, dtype: type, size: int) -> NDArray[Any]:
    return np.memmap(path, dtype=dtype, mode="w+", shape=(max(size, 1),))


def _keys(groups: pl.Series) -> U64:
    """The key of each group; null has none."""
    return np.where(groups.is_null().to_numpy(), _NO_GROUP, hash64(groups))


@dataclass(frozen=True)
class _Groups:
    """The opened index. member[first[i]:first[i + 1]] are the rows of the group with key[i], by their place in the document."""

    of_row: U64
    key: U64
    first: Rows
    member: Rows
    start: Rows
    end: Rows

    def members(self, key: int) -> slice:
        """Where the members of a group stand; nowhere for one that is not in the corpus."""
        place = int(np.searchsorted(self.key, np.uint64(key)))
        found = place < len(self.key) and int(self.key[place]) == key
        return slice(int(self.first[place]), int(self.first[place + 1])) if found else slice(0, 0)


@functools.lru_cache(maxsize=2)
def _open(folder: str) -> _Groups:
    def column(name: str, dtype: type) -> NDArray[Any]:
        path = Path(folder) / name
        there = path.exists() and path.stat().st_size
        return np.memmap(path, dtype=dtype, mode="r") if there else np.zeros(0, dtype=dtype)

    sizes = column("sizes.i64", np.int64)
    first = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    return _Groups(
        column("group.u64", np.uint64),
        column("keys.u64", np.uint64),
        first,
        column("members.i64", np.int64),
        column("start.i64", np.int64),
        column("end.i64", np.int64),
    )


@dataclass
class _Anchor:
    """An anchor, what it is compared with, and the members of its groups.

    texts: the anchor and its positives, as corpus and pairs have them. own: corpus rows that are one of them. spans: where those
    stand that the corpus knows, as (group, start, end); positives: those of them that are no anchor.
    """

    anchor_id: str
    groups: list[int]
    texts: list[str]
    own: list[int]
    spans: list[tuple[int, int, int]]
    positives: list[tuple[int, int, int]]
    candidates: Rows


def generate(
    batch: Pairs,
    state: State,
    rng: Rng,
    *,
    num_negatives: int,
    language: str,
    order: str = "random",
    overlap_words: Annotated[
        int, Field(ge=3, description="A run of so many words shared with the anchor or a positive is an overlap.")
    ] = 8,
    near_copy: Annotated[
        float, Field(gt=0, le=1, description="Share of common word triples, of all that both have, from which a text is a near-copy.")
    ] = 0.3,
) -> Chosen:
    """Members of each anchor's groups that are neither the anchor nor a positive, do not overlap them and copy neither.

    batch: whole anchors, with `group` or `positive_id` or both; an anchor's groups are those its pairs name, else those of
    its positives in the corpus. An anchor is a span of the corpus if its anchor_id is the id of one with its text. Yields
    rows (anchor_id, corpus_row, miner; offset_distance, in characters to the nearest positive, where the corpus has offsets),
    best first, and refusals: `no-group`, `group-not-in-corpus`, `only-member`, `no-position` (nearest without an offset of the
    positive), or why no member was left, `overlap` or `near-copy`. Raises InputError for pairs with neither column.
    """
    names = batch.frame.columns
    if "group" not in names and "positive_id" not in names:
        raise InputError(
            "no pair says which group it belongs to", f"the pairs have {listed(names)}", "ingest them with --group or --positive-id"
        )
    groups = _open(str(state.groups))
    anchors = batch.frame["anchor_id"].unique(maintain_order=True)
    want = 2 * num_negatives + 8  # some are vetoed later
    nearest, limits = order == "nearest", _Limits(overlap_words, near_copy)
    made = Chosen(_rows([], np.zeros(0, np.int64), np.zeros(0, np.int64), placed=state.placed), [], Counter())
    own: list[tuple[str, int]] = []
    for some in anchors.to_frame().iter_slices(max(1, _TEXTS_AT_ONCE // want)):
        pairs = batch.frame.join(some, on="anchor_id", how="semi", maintain_order="left")
        found = _anchors(pairs, some["anchor_id"], state, groups)
        _order(found, groups, rng, 4 * num_negatives + 64, nearest=nearest)
        part = _choose(found, state, groups, want, language, limits, nearest=nearest)
        made = Chosen(pl.concat([made.rows, part.rows]), [*made.refusals, *part.refusals], made.passed + part.passed)
        own += [(one.anchor_id, key) for one in found for key in one.groups]
    # What of its groups no anchor was given repeats what is right for it, or was looked at by nobody.
    whose = pl.DataFrame(own, schema={"anchor_id": pl.String, "group": pl.UInt64}, orient="row")
    return made._replace(closed=inside(whose, lambda rows: groups.of_row[rows]))


def _anchors(pairs: pl.DataFrame, ids: pl.Series, state: State, groups: _Groups) -> list[_Anchor]:
    """The anchors of some pairs, with all that is known of them but the order of their candidates."""
    store, none = state.corpus, pl.Series([None], dtype=pl.String).new_from_index(0, pairs.height)
    rows = store.find(pairs["positive_id"] if "positive_id" in pairs.columns else none)
    named = _keys(pairs["group"] if "group" in pairs.columns else none)
    group = np.where(named != _NO_GROUP, named, np.where(rows >= 0, groups.of_row[rows] if store.size else named, _NO_GROUP))
    texts: list[str | None] = [None] * pairs.height
    there = np.flatnonzero(rows >= 0)
    for place, body in zip(there.tolist(), store.take(rows[there])["body"], strict=True):
        texts[place] = body
    found = {one: _Anchor(one, [], [], [], [], [], np.zeros(0, np.int64)) for one in ids.to_list()}
    cells = zip(pairs["anchor_id"], pairs["anchor"], pairs["positive"], texts, rows.tolist(), group.tolist(), strict=True)
    for anchor_id, anchor, positive, passage, row, key in cells:
        one = found[anchor_id]
        one.texts += [part for part in (anchor, positive, passage) if part is not None and part not in one.texts]
        if key and key not in one.groups:
            one.groups.append(key)
        if row >= 0:
            one.positives += _own(one, row, groups)
    own = store.find(ids)
    spans = store.take(own[own >= 0])
    for anchor_id, row, body, full in zip(
        ids.filter(pl.Series(own >= 0)), own[own >= 0].tolist(), spans["body"], spans["text"], strict=True
    ):
        if {body, full} & {*found[anchor_id].texts}:
            _own(found[anchor_id], row, groups)
    for one in found.values():
        one.groups.sort()
    return [*found.values()]


def _own(anchor: _Anchor, row: int, groups: _Groups) -> list[tuple[int, int, int]]:
    """Note a corpus row that is the anchor or a positive of it, and where it stands, if that is known."""
    anchor.own.append(row)
    placed = len(groups.start) > 0 and groups.start[row] >= 0
    span = [(int(groups.of_row[row]), int(groups.start[row]), int(groups.end[row]))] if placed else []
    anchor.spans += span
    return span


def _order(anchors: list[_Anchor], groups: _Groups, rng: Rng, wanted: int, *, nearest: bool) -> None:
    """Set each anchor's candidates: in an order drawn for it, or nearest first, ties by id."""
    slices = [[groups.members(key) for key in one.groups] for one in anchors]
    drawn: dict[int, Rows] = {}
    if nearest:
        for number, (one, places) in enumerate(zip(anchors, slices, strict=True)):
            rows = _unique([part for place in places for part in _around(one, place, groups, max(wanted, _WINDOW))])
            away = _distance(one.positives, rows, groups)
            drawn[number] = rows[np.lexsort((rows, away))][: np.count_nonzero(away < _FAR)]
    else:
        sizes = np.array([sum(place.stop - place.start for place in places) for places in slices], dtype=np.int64)
        ids = pl.Series([one.anchor_id for one in anchors], dtype=pl.String)
        small, large = np.flatnonzero((sizes > 0) & (sizes <= _WHOLE)), np.flatnonzero(sizes > _WHOLE)
        if len(small):
            values = rng.integers(ids.gather(small), int(sizes[small].max()), 1 << 62)
            for place, number in enumerate(small.tolist()):
                drawn[number] = _taken(groups, slices[number], np.argsort(values[place, : sizes[number]], kind="stable"))
        if len(large):
            values = rng.integers(ids.gather(large), wanted, sizes[large])
            for place, number in enumerate(large.tolist()):
                order = [values[place]]
                if sizes[number] <= 16 * wanted:  # not much larger than what is wanted: nobody is short before it is exhausted
                    order.append(np.argsort(rng.integers(ids[number : number + 1], int(sizes[number]), 1 << 62)[0], kind="stable"))
                drawn[number] = _taken(groups, slices[number], _unique(order))
    for number, rows in drawn.items():
        anchors[number].candidates = rows[~np.isin(rows, anchors[number].own)]


def _taken(groups: _Groups, places: list[slice], order: Rows) -> Rows:
    """The members at some numbers, counted over several groups, none of which is read whole."""
    ends = np.cumsum([place.stop - place.start for place in places])
    shift = np.array([place.stop for place in places], dtype=np.int64) - ends
    return np.asarray(groups.member[order + shift[np.searchsorted(ends, order, side="right")]])


def _unique(rows: list[Rows]) -> Rows:
    """The rows without repeats, each at its first place."""
    whole = np.concatenate([np.zeros(0, np.int64), *rows])
    return whole[np.sort(np.unique(whole, return_index=True)[1])]


def _around(anchor: _Anchor, place: slice, groups: _Groups, window: int) -> Iterator[Rows]:
    """The members of a group that begin nearest to the anchor's positives, `window` before and after each."""
    members = groups.member[place]
    for key, start, _ in anchor.positives:
        if len(members) and int(groups.of_row[members[0]]) == key:
            middle = bisect.bisect_left(range(len(members)), start, key=lambda number: int(groups.start[members[number]]))
            yield np.asarray(members[max(0, middle - window) : middle + window])


def _distance(spans: list[tuple[int, int, int]], rows: Rows, groups: _Groups) -> Rows:
    """How many characters lie between each row and the nearest of the spans in its document; -1 for an overlap."""
    away = np.full(len(rows), _FAR, dtype=np.int64)
    if len(groups.start):
        group, start, end = groups.of_row[rows], groups.start[rows], groups.end[rows]
        for key, low, high in spans:
            gap = np.maximum(start - high, low - end)
            away = np.where((group == np.uint64(key)) & (start >= 0), np.minimum(away, np.where(gap < 0, -1, gap)), away)
    return away


@dataclass(frozen=True)
class _Limits:
    """The shared run of words that makes an overlap, and the share of common triples that makes a near-copy."""

    run: int
    share: float


def _choose(anchors: list[_Anchor], state: State, groups: _Groups, want: int, language: str, limits: _Limits, *, nearest: bool) -> Chosen:
    """The first `want` candidates of each anchor that pass, equal texts counted once; texts are read a window at a time."""
    known = _normalised(dict(enumerate(one.texts for one in anchors)), language)
    taken: list[list[int]] = [[] for _ in anchors]
    passed = [Counter[str]() for _ in anchors]
    tried = [0] * len(anchors)
    seen: list[set[str]] = [set() for _ in anchors]
    open_ = [number for number, one in enumerate(anchors) if len(one.candidates)]
    while open_:
        windows = {number: anchors[number].candidates[tried[number] : tried[number] + want] for number in open_}
        rows = np.unique(np.concatenate([*windows.values()]))
        texts = dict(zip(rows.tolist(), text.normalised(state.corpus.take(rows)["body"], language=language).to_list(), strict=True))
        for number, window in windows.items():
            overlaps = _distance(anchors[number].spans, window, groups) < 0
            for row, overlap in zip(window.tolist(), overlaps.tolist(), strict=True):
                if len(seen[number]) == want:
                    break
                reason = "overlap" if overlap else _reason(_Words(texts[row], language), known[number], limits)
                if reason:
                    passed[number][reason] += 1
                else:
                    taken[number].append(row)
                    seen[number].add(texts[row])
            tried[number] += len(window)
        open_ = [number for number in open_ if len(seen[number]) < want and tried[number] < len(anchors[number].candidates)]
    refusals = [_refusal(one, groups, why, nearest=nearest) for one, rows_, why in zip(anchors, taken, passed, strict=True) if not rows_]
    rows = np.array([row for one in taken for row in one], dtype=np.int64)
    owner = [one.anchor_id for one, rows_ in zip(anchors, taken, strict=True) for _ in rows_]
    away = [_distance(one.positives, np.array(rows_, dtype=np.int64), groups) for one, rows_ in zip(anchors, taken, strict=True)]
    return Chosen(_rows(owner, rows, np.concatenate(away), placed=state.placed), refusals, sum(passed, Counter[str]()))


def _normalised(texts: dict[int, list[str]], language: str) -> dict[int, list[_Words]]:
    """Each anchor's texts as words, all normalised in one go."""
    flat = text.normalised(pl.Series([one for some in texts.values() for one in some], dtype=pl.String), language=language).to_list()
    each = iter(flat)
    return {number: [_Words(next(each), language) for _ in some] for number, some in texts.items()}


class _Words:
    """A normalised text as words, in code as whatever stands between blanks; and the set of its word triples.

    A text of fewer words is one piece.
    """

    def __init__(self, normalised: str, language: str) -> None:
        self.words = normalised.split() if language == "code" else _WORD.findall(normalised)
        self.triples = self.runs(3) or {tuple(self.words)}

    def runs(self, length: int) -> set[tuple[str, ...]]:
        """Every run of so many words."""
        return {*zip(*(self.words[first:] for first in range(length)), strict=False)}


def _reason(candidate: _Words, known: list[_Words], limits: _Limits) -> str:
    """Why a text is no negative beside what is known to be right, or nothing."""
    reason = ""
    for other in known:
        shared = len(candidate.triples & other.triples)
        if shared and shared >= limits.share * (len(candidate.triples) + len(other.triples) - shared):
            return "near-copy"
        # A run of n words is n - 2 triples.
        if not reason and shared >= limits.run - 2 and candidate.runs(limits.run) & other.runs(limits.run):
            reason = "overlap"
    return reason


def _refusal(anchor: _Anchor, groups: _Groups, passed: Counter[str], *, nearest: bool) -> Refusal:
    """Why an anchor has no candidate; the value counts those passed over."""
    if passed:
        counts = sorted(passed.items(), key=lambda one: (-one[1], one[0]))
        return Refusal(anchor.anchor_id, counts[0][0], ", ".join(f"{reason} {count}" for reason, count in counts))
    if not anchor.groups:
        return Refusal(anchor.anchor_id, "no-group")
    places = [groups.members(key) for key in anchor.groups]
    if not any(place.stop > place.start for place in places):
        return Refusal(anchor.anchor_id, "group-not-in-corpus")
    return Refusal(anchor.anchor_id, "no-position" if nearest and not anchor.positives else "only-member")


def _rows(anchor_ids: list[str], rows: Rows, away: Rows, *, placed: bool) -> pl.DataFrame:
    """The chosen rows as the runner takes them."""
    frame = pl.DataFrame({"anchor_id": pl.Series(anchor_ids, dtype=pl.String), "corpus_row": rows}).with_columns(
        pl.lit("same-group").alias("miner")
    )
    distance = pl.Series("offset_distance", away, dtype=pl.Int64)
    known = pl.select(pl.when(distance < _FAR).then(distance)).to_series().alias("offset_distance")
    return frame.with_columns(known) if placed else frame
