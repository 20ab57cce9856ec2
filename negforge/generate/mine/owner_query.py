"""Choose other questions' right answers that are near the anchor while the question they answer is least like it.

Candidates are the positives of the whole input, nearest first. Each stands for its owner: of the anchors whose positive it is the
one most like this anchor; an owner counts once, with its nearest text. Slot j takes, of the first `--pool` times j owners, the one
least like the anchor that no slot before took, so that a text which is near because it answers the same question comes last.
The paper sorts the pool of all slots at once; more slots would then change the first ones, which no miner here does. A text is
passed over, `shared-positive`, if one of its owners has a positive of the anchor, too. The reference's second pass over what no
cluster has used yet is left out: it depends on the order of the anchors. `rank` counts all texts, the anchor's positives among them.
Measured on 360 sentences with several right labels of which one was shown (skill extraction, MiniLM, 8 negatives each): of the
defaults' negatives 1.1 % were right after all at a mean cosine of .353, of the nearest positives of others 6.9 % at .411, and of
those of ranks 5 to 12 and 9 to 16 of that list 2.5 % at .361 and 1.5 % at .335. A whole corpus to choose from, where there is one, is
harder and safer: of 13,896 labels 0.9 % of ranks 25 to 32, at .394.
Paper: SaHa, in From Generator to Embedder, 2025; yeongjoonJu/Gen2Embed (pool of 3 owners a slot).
"""

from __future__ import annotations

import functools
import heapq
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from negforge import rng, search
from negforge.contract import Chosen, Declares, Refusal
from negforge.corpus import CorpusStore
from negforge.engine import storage
from negforge.errors import InputError
from negforge.mining import scored_positives
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
Rows = NDArray[np.int64]
_BATCH = 1 << 14
_SIGN = "\x00"  # between an id and the digest of its text, where an id has several, or a text none


def _user_id() -> pl.Expr:
    own = pl.col("id").str.split(_SIGN).list.first()
    return pl.when(own != "").then(own).alias("id")


@dataclass(frozen=True)
class _Positives:
    """The positives of the input by row number, in the order of their ids, then of their texts."""

    store: CorpusStore

    def take(self, rows: Rows) -> pl.DataFrame:
        """`id`, null where the input gives none, `text` and `body` of the rows."""
        return self.store.take(rows).with_columns(_user_id())

    def find(self, ids: pl.Series) -> Rows:
        """The row number of each id, -1 for one that no positive has."""
        return self.store.find(ids)


@dataclass(frozen=True)
class State:
    """The positives, where they and the anchors are compared, and the folder that says whose each is."""

    corpus: _Positives
    space: Space
    folder: Path
    record: dict[str, str] = field(default_factory=dict)


def prepare(
    whole: Batches,
    scratch: Path,
    max_memory: int,
    phase: Callable[[str], None],
    *,
    language: str,
    model: Model = None,
    anchor_prompt: Prompt = "",
    corpus_prompt: CorpusPrompt = "",
    corpus_vectors: CorpusVectors = None,
    anchor_vectors: AnchorVectors = None,
    similarity: Similarity = "cosine",
) -> State:
    """Gather the input's positives and whose they are, and encode what is not yet encoded.

    Texts stay on disk; ids and 64-bit keys, some 100 bytes a pair, are in memory once. Two are one if they are equal after
    normalising or have one id. `--limit` chooses among anchors, not among candidates.
    """
    phase("gathering the positives")
    narrow = pl.concat([pl.DataFrame(schema=_NARROW), *(_narrow(frame, language) for frame in whole(_BATCH))]).unique()
    chosen = narrow.select("id", "text", "key").unique().sort("id", "text", "key").unique(["id", "text"], keep="first", maintain_order=True)
    first = (pl.int_range(pl.len()).over("id") == 0) & (pl.col("id") != "")
    chosen = chosen.with_columns(
        pl.when(first).then("id").otherwise(pl.concat_str("id", pl.lit(_SIGN), pl.col("text").cast(pl.String).str.zfill(20))).alias("name")
    ).sort("name")
    digest = rng.blake("owners 1", *(rng.json_digest(part.to_dict(as_series=False)) for part in narrow.sort(*_NARROW).iter_slices(_BATCH)))
    corpus = Corpus(reader=lambda rows: _texts(whole(rows), chosen), digest=digest)
    store = CorpusStore.of(corpus, max_memory)
    where = space(
        whole,
        ["positive"],
        None,
        scratch,
        max_memory,
        phase,
        model=model,
        anchor_prompt=anchor_prompt,
        corpus_prompt=corpus_prompt,
        corpus_vectors=corpus_vectors,
        anchor_vectors=anchor_vectors,
        similarity=similarity,
    )
    folder = scratch / "owners"
    with storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _write(narrow, chosen, folder)
        _lay_out(whole, where, folder)
        _lay_out_texts(store, where, folder)
    return State(_Positives(store), where, folder, {**where.record, "positives": digest})


_NARROW = {"anchor_id": pl.String, "anchor": pl.UInt64, "id": pl.String, "text": pl.UInt64, "key": pl.UInt64}


def _narrow(frame: pl.DataFrame, language: str) -> pl.DataFrame:
    """Of each pair the anchor's id, hashes of its text, of the positive and of its normalised form, and the positive's id."""
    keys = {
        "anchor": rng.hash64(frame["anchor"]),
        "text": rng.hash64(frame["positive"]),
        "key": rng.hash64(Pairs(frame).normalised("positive", language)),
    }
    return pl.DataFrame({"anchor_id": frame["anchor_id"], "id": _ids(frame), **keys}).select(*_NARROW)


def _ids(frame: pl.DataFrame) -> pl.Series:
    """The positive's id, empty where there is none."""
    if "positive_id" not in frame.columns:
        return pl.Series("id", [""], dtype=pl.String).new_from_index(0, frame.height)
    return frame["positive_id"].cast(pl.String).fill_null("").alias("id")


def _texts(frames: Iterator[pl.DataFrame], chosen: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Each positive once, as a corpus has texts; one that has several ids stands under each, as in a corpus."""
    done = np.zeros(chosen.height, dtype=np.bool_)
    wanted = chosen.select("id", "text", "name").with_row_index("place")
    for frame in frames:
        rows = pl.DataFrame({"id": _ids(frame), "text": rng.hash64(frame["positive"]), "positive": frame["positive"]})
        found = rows.join(wanted, on=["id", "text"], how="inner", maintain_order="left").unique("place", keep="first", maintain_order=True)
        place = found["place"].to_numpy()
        fresh = ~done[place]
        done[place] = True
        yield found.filter(pl.Series(fresh)).select(pl.col("name").alias("id"), pl.col("positive").alias("text"))


def _write(narrow: pl.DataFrame, chosen: pl.DataFrame, folder: Path) -> None:
    """The anchors' ids, which positive each key belongs to, and who owns each, all sorted."""
    anchors = narrow.select("anchor_id").unique().sort("anchor_id")
    anchors.write_ipc(folder / "anchors.arrow")
    keys = np.unique(narrow["key"].to_numpy())
    places = np.searchsorted(keys, narrow["key"].to_numpy())
    one = _joined(len(keys), places, narrow["id"])
    pairs = (
        pl.DataFrame({"key": one[places], "anchor": anchors["anchor_id"].search_sorted(narrow["anchor_id"])}).unique().sort("key", "anchor")
    )
    np.save(folder / "keys.npy", keys)
    np.save(folder / "one.npy", one)
    np.save(folder / "of_row.npy", one[np.searchsorted(keys, chosen["key"].to_numpy())])
    np.save(folder / "first.npy", np.searchsorted(pairs["key"].to_numpy(), np.arange(len(keys) + 1)))
    np.save(folder / "owner.npy", pairs["anchor"].to_numpy().astype(np.int64))


def _joined(size: int, keys: Rows, ids: pl.Series) -> Rows:
    """For each of `size` keys the least of those that are one positive with it, by an id in common, or by others between."""
    named = (ids != "").to_numpy()
    keys, own = keys[named], ids.filter(pl.Series(named)).rank("dense").to_numpy().astype(np.int64)
    least: Rows = np.arange(size, dtype=np.int64)
    while True:
        of_id = np.full(int(own.max(initial=0)) + 1, size, dtype=np.int64)
        np.minimum.at(of_id, own, least[keys])
        new = least.copy()
        np.minimum.at(new, keys, of_id[own])
        if (new == least).all():
            return least
        least = new


def _lay_out(whole: Batches, where: Space, folder: Path) -> None:
    """The anchors' vectors in the order of their ids, and which have one."""
    ids = _open(str(folder)).anchors
    size = max(len(ids), 1)
    made = np.lib.format.open_memmap(folder / "rows.npy", mode="w+", dtype=np.float32, shape=(size, where.anchors.dimensions))
    there = np.zeros(size, dtype=np.bool_)
    for frame in whole(_BATCH):
        once = frame.unique("anchor_id", keep="first", maintain_order=True)
        place = ids.search_sorted(once["anchor_id"]).to_numpy()
        made[place], there[place] = where.of_anchors(once)
    made.flush()
    np.save(folder / "there.npy", there)


def _lay_out_texts(store: CorpusStore, where: Space, folder: Path) -> None:
    """The positives' vectors in the order of the store."""
    made = np.lib.format.open_memmap(folder / "texts.npy", mode="w+", dtype=np.float32, shape=(max(store.size, 1), where.texts.dimensions))
    done = 0
    for batch in store.batches():
        for piece in batch.iter_slices(_BATCH):
            ids = piece.select(_user_id())["id"]
            rows, there = where.texts.take(piece["text"], ids)
            if where.texts.by == "id" and not there.all():
                place = int(np.flatnonzero(~there)[0])
                what = f"the positive {ids[place]!r} has no vector" if ids[place] else f"no id, so no vector: {piece['text'][place][:80]!r}"
                raise InputError(what, "--corpus-vectors", "give a vector for every positive_id, or vectors by text")
            made[done : done + piece.height] = rows
            done += piece.height
    made.flush()


class _Owners(NamedTuple):
    """owner[first[i]:first[i + 1]] are the anchors, by their place among the sorted ids, that have the positive i, the least of its keys.

    one: the positive of each of the sorted keys; of_row: that of each text.
    """

    anchors: pl.Series
    keys: rng.U64
    one: Rows
    of_row: Rows
    first: Rows
    owner: Rows

    def of(self, keys: Rows) -> tuple[Rows, Rows]:
        """The owners of some keys, and for each the place of its key among those asked for."""
        sizes = self.first[keys + 1] - self.first[keys]
        place = np.repeat(np.arange(len(keys)), sizes)
        within = np.arange(len(place)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return self.owner[self.first[keys][place] + within], place


@functools.lru_cache(maxsize=2)
def _open(folder: str) -> _Owners:
    here = Path(folder)
    parts = [np.load(here / f"{name}.npy", mmap_mode="r") for name in ("one", "of_row", "first", "owner")]
    return _Owners(pl.read_ipc(here / "anchors.arrow")["anchor_id"], np.load(here / "keys.npy"), *parts)


class _Near(NamedTuple):
    """An anchor's candidates of one owner each, nearest first: place in the list, owner, the owner's score; and what was passed over."""

    place: Rows
    owner: Rows
    score: search.F64
    passed: Counter[str]


def generate(
    batch: Pairs,
    state: State,
    *,
    num_negatives: int,
    language: str,
    pool: Annotated[int, Field(ge=1, description="How many owners more are looked at for each slot.")] = 3,
    owner_limit: Annotated[
        float | None,
        Field(description="An owner that scores so much or more with the anchor asks the same: `same-question`, its text is passed over."),
    ] = None,
) -> Chosen:
    """Of each anchor the positives of others, in the order that the owners decide.

    batch: whole anchors. Gives rows (anchor_id, corpus_row, rank, score_dense, score_owner, owner_id, miner) and for each pair the
    positives' scores, as `mine.dense`. Refusals: `no-vector`, and why nothing was left, `shared-positive` or `same-question`.
    """
    frame = batch.frame.with_columns(pl.Series("__key", rng.hash64(batch.normalised("positive", language))))
    anchors = frame.group_by("anchor_id", maintain_order=True).agg(pl.col("anchor").first(), "__key")
    vectors, there = state.space.of_anchors(anchors)
    owners = _open(str(state.folder))
    asked = anchors.filter(pl.Series(there))
    own = [_known(owners, one.to_numpy()) for one in asked["__key"]]
    queries = vectors[there]
    wanted = 2 * num_negatives * pool  # some are vetoed later
    found: dict[int, tuple[pl.DataFrame, Counter[str]]] = {}
    open_, depth = np.arange(asked.height), 2 * wanted + 16
    matrix = _texts_rows(str(state.folder))[: state.corpus.store.size]
    while len(open_):
        hits = search.best(queries[open_], matrix, depth)
        for place, number in enumerate(open_.tolist()):
            near = _owned(state, owners, queries[number : number + 1], own[number], hits.rows[place], wanted, owner_limit)
            if len(near.owner) >= wanted or depth >= len(matrix):
                taken = _order(near.score, pool, 2 * num_negatives)
                row = near.place[taken]
                columns = {
                    "anchor_id": [asked["anchor_id"][number]] * len(taken),
                    "corpus_row": hits.rows[place][row],
                    "rank": row + 1,
                    "score_dense": hits.scores[place][row],
                    "score_owner": near.score[taken],
                    "owner_id": owners.anchors.gather(near.owner[taken]),
                }
                found[number] = pl.DataFrame(columns, schema=_COLUMNS), near.passed
        open_ = np.array([number for number in open_.tolist() if number not in found], dtype=np.int64)
        depth *= 4
    rows = pl.concat([pl.DataFrame(schema=_COLUMNS), *(found[number][0] for number in range(asked.height))])
    refusals = [Refusal(one, "no-vector") for one in anchors["anchor_id"].filter(pl.Series(~there)).to_list()]
    for number, (made, passed) in found.items():
        if not made.height and passed:
            reason, times = max(sorted(passed.items()), key=lambda one: one[1])
            refusals.append(Refusal(asked["anchor_id"][number], reason, str(times)))
    pairs = scored_positives(batch.frame, state.space).drop("anchor_id")
    passed = sum((one for _, one in found.values()), Counter[str]())
    return Chosen(rows.with_columns(pl.lit("owner-query").alias("miner")), refusals, passed, pairs)


_COLUMNS = {
    "anchor_id": pl.String,
    "corpus_row": pl.Int64,
    "rank": pl.Int64,
    "score_dense": pl.Float64,
    "score_owner": pl.Float64,
    "owner_id": pl.String,
}


def _known(owners: _Owners, keys: rng.U64) -> Rows:
    """The positives that keys belong to, each once."""
    found: Rows = np.unique(owners.one[np.searchsorted(owners.keys, keys)])
    return found


def _owned(state: State, owners: _Owners, query: search.F32, own: Rows, rows: Rows, wanted: int, limit: float | None) -> _Near:
    """Of a list of texts those that stand for an owner, up to the `wanted`-th owner. own: the keys of the anchor's positives."""
    matrix, there = _vectors(str(state.folder))
    place = np.flatnonzero(rows >= 0)
    key = owners.of_row[rows[place]]
    other = ~np.isin(key, own)
    place, key = place[other], key[other]
    owner, of = owners.of(key)
    shared = np.zeros(len(place), dtype=np.bool_)
    shared[of[np.isin(owner, owners.of(own)[0])]] = True
    lives = there[owner] & ~shared[of]
    owner, of = owner[lives], of[lives]
    once, back = np.unique(owner, return_inverse=True)
    score = search.exact(query, matrix, np.zeros(len(once), dtype=np.int64), once)[back]
    # The owner most like the anchor, ties by id, is the one that a text stands for.
    order = np.lexsort((owner, -score, of))
    order = order[np.unique(of[order], return_index=True)[1]]
    owner, of, score = owner[order], of[order], score[order]
    same = score >= (np.inf if limit is None else limit)
    first = np.zeros(len(owner), dtype=np.bool_)
    first[np.unique(owner, return_index=True)[1]] = True
    stands = np.flatnonzero(first & ~same)[:wanted]
    end = of[stands[-1]] if len(stands) == wanted else len(place)  # what lies behind is no matter of this anchor
    counts = {"shared-positive": shared[:end].sum(), "same-question": same[of < end].sum(), "owner-again": (~first & ~same)[of < end].sum()}
    passed = Counter({reason: int(number) for reason, number in counts.items() if number})
    return _Near(place[of[stands]], owner[stands], score[stands], passed)


@functools.lru_cache(maxsize=2)
def _vectors(folder: str) -> tuple[search.F32, NDArray[np.bool_]]:
    return np.load(Path(folder) / "rows.npy", mmap_mode="r"), np.load(Path(folder) / "there.npy")


@functools.lru_cache(maxsize=2)
def _texts_rows(folder: str) -> search.F32:
    found: search.F32 = np.load(Path(folder) / "texts.npy", mmap_mode="r")
    return found


def _order(scores: search.F64, pool: int, slots: int) -> list[int]:
    """The places of owners in the order in which slots take them: each the least alike of `pool` more than the slot before had."""
    held: list[tuple[float, int]] = []
    taken: list[int] = []
    for slot in range(slots):
        for place in range(slot * pool, min((slot + 1) * pool, len(scores))):
            heapq.heappush(held, (float(scores[place]), place))
        if not held:
            break
        taken.append(heapq.heappop(held)[1])
    return taken
