"""Choose from a window of ranks of another miner's list, by BM25 or of a TREC run file: near enough to matter, too far to be right.

`--first 1000 --last 2000` leaves the best 999 matches alone and draws among the next thousand. A list is the whole list: ranks are
counted before anything is vetoed or passed over. `filter rank-range` drops rows that a miner wrote outside a range, so that it
reaches no deeper than the slots that were filled and leaves anchors short; here the slots are filled from the window.

`rank` and the raw score, `score_bm25` or `score_run`, are those of the list, and `miner` is who made it: `bm25`, or the run's tag.
Without `--run` the list is that of `mine.bm25`, with its `--tokeniser`; with it, that of `mine.run` by the scores.
Source: BUAADreamer/SPN4CIR (pairs drawn from similarity ranks 10,000 to 20,000); FlagOpen/FlagEmbedding#850 (ranks of negatives).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import polars as pl
from pydantic import Field

from negforge import lexical
from negforge.contract import Chosen, Declares, Refusal
from negforge.corpus import CorpusStore
from negforge.errors import OptionError
from negforge.lexical import Index
from negforge.mining import arranged, inside
from negforge.records import Corpus, Pairs
from negforge.rng import Rng
from negforge.runs import RunStore
from negforge.tables import content_digest

DECLARES = Declares(
    version=1,
    scope="anchor",
    reads=Pairs,
    label="negative",
    opposition="unrelated",
    evidence=("not-known-positive",),
    verifiers=("known-positive",),
)


@dataclass(frozen=True)
class State:
    """The corpus by row number, and the one or the other source of lists. record: which of them it is."""

    corpus: CorpusStore
    index: Index | None
    run: RunStore | None
    record: dict[str, Any]


def prepare(
    corpus: Corpus,
    max_memory: int,
    phase: Callable[[str], None],
    *,
    first: Annotated[int, Field(ge=1, examples=[2], description="The best rank of the window.")],
    last: Annotated[int, Field(ge=1, examples=[40], description="The last rank of the window.")],
    run: Annotated[Path | None, Field(description="A TREC run file, also gz or zst, whose lists to choose from; default BM25.")] = None,
    tokeniser: Annotated[
        Literal["simple", "english", "whitespace"] | None, Field(description="What words are for BM25, as in mine.bm25; default simple.")
    ] = None,
) -> State:
    """Index the corpus or store the run's lists, or find that stored.

    Raises OptionError for a window that ends before it begins, and for a tokeniser beside a run, which has no use for it.
    """
    if last < first:
        raise OptionError("last", f"is {last}, before --first {first}", mend="a window goes from --first to --last, both within it")
    store = CorpusStore.of(corpus, max_memory)
    if run is None:
        words = tokeniser or "simple"
        index = Index.of(corpus, max_memory, words)
        return State(store, index, None, {"tokeniser": words, "k1": lexical.K1, "b": lexical.B})
    if tokeniser is not None:
        raise OptionError("tokeniser", "is of no use beside --run", mend="leave one of them out")
    lists = RunStore.of(run, corpus, store, "score", max_memory, phase)
    return State(store, None, lists, {"run": content_digest(run)})


def generate(
    batch: Pairs,
    state: State,
    rng: Rng,
    *,
    first: int = 1,
    last: int = 1,
    sampling: Annotated[
        Literal["random", "top"], Field(description="Which candidates come first: any of the window, drawn for each anchor, or its best.")
    ] = "random",
) -> Chosen:
    """The candidates of each anchor's window.

    batch: whole anchors. Returns rows (anchor_id, corpus_row, rank, score, miner) in the order in which they are to be taken; docnos
    of a run that the corpus lacks are passed over, `not-in-corpus`. Refusals: `not-in-run`, and `short-list` where the list ends
    before the window, with its length as the value.
    """
    anchors = batch.frame.unique("anchor_id", keep="first", maintain_order=True)
    ids = anchors["anchor_id"]
    if state.index is not None:
        name, window = "score_bm25", _matches(state.index, anchors["anchor"], last)
        length = np.bincount(window["owner"].to_numpy(), minlength=len(ids))
        above = window.filter(pl.col("rank") < first).select("owner", "corpus_row")
        window, there = window.filter(pl.col("rank") >= first), np.ones(len(ids), dtype=np.bool_)
    elif state.run is not None:
        found, name = state.run.lists(ids, first, last), "score_run"
        miner = pl.Series("miner", state.run.facts.tags, dtype=pl.String).gather(found.tag)
        window = pl.DataFrame({"owner": found.owner, "corpus_row": found.row, "rank": found.rank, "score": found.score, "miner": miner})
        length, there = state.run.sizes(ids), found.there
        best = state.run.lists(ids, 1, first - 1)
        above = pl.DataFrame({"owner": best.owner, "corpus_row": best.row})
    else:
        raise RuntimeError("a window of no list")
    known = window.filter(pl.col("corpus_row") >= 0)
    rows = known.select(ids.gather(known["owner"]).alias("anchor_id"), "corpus_row", "rank", pl.col("score").alias(name), "miner")
    nobody = pl.DataFrame(schema={"anchor_id": pl.String, "score": pl.Float64})
    taken = arranged(rows, name, nobody, rng, sampling=sampling, sharpness=0.0, shift=0.0)
    having = {*known["owner"].unique().to_list()}
    refused = [
        Refusal(anchor_id, *_reason(int(size), first, in_run=bool(one)))
        for number, (anchor_id, size, one) in enumerate(zip(ids, length.tolist(), there.tolist(), strict=True))
        if number not in having
    ]
    passed = Counter({"not-in-corpus": window.height - known.height})
    nearer = above.select(ids.gather(above["owner"]).alias("anchor_id"), pl.col("corpus_row").cast(pl.Int64).alias("group"))
    return Chosen(taken, refused, +passed, closed=inside(nearer, lambda rows: rows))


def _reason(size: int, first: int, *, in_run: bool) -> tuple[str, str]:
    """Why an anchor has no candidate, and the value: of a list that ends before the window, its length."""
    if not in_run:
        return "not-in-run", ""
    return ("short-list", str(size)) if size < first else ("not-in-corpus", "")


def _matches(index: Index, texts: pl.Series, depth: int) -> pl.DataFrame:
    """The best `depth` matches of each text: owner, corpus_row, rank, score, miner."""
    hits = [index.search(text, depth) for text in texts.to_list()]
    sizes = [len(one) for one in hits]
    owner = np.repeat(np.arange(len(hits), dtype=np.int64), sizes)
    columns = {
        "owner": owner,
        "corpus_row": np.array([row for one in hits for _, row in one], dtype=np.int64),
        "rank": np.array([place for size in sizes for place in range(1, size + 1)], dtype=np.int64),
        "score": np.array([score for one in hits for score, _ in one], dtype=np.float64),
    }
    return pl.DataFrame(columns).with_columns(pl.lit("bm25").alias("miner"))
