"""Choose from the lists of TREC run files, whatever made them: the candidates of an anchor are the docnos of its query, best first.

A run's `qid` is an `anchor_id` and its `docno` the `id` of a corpus text, both compared as text. A list is in the order of the
scores, as trec_eval takes it, equal scores by docno (trec_eval takes the higher docno first, and scores in single precision); the
second column and, unless `--order rank`, the ranks are not looked at. `rank` is the place in that list, `score_run` the run's score
as it stands, `miner` its tag. Where the list has the pair's own positive, by `positive_id`, `score_run_positive` is its score, and
`score_run_weakest` the least of the anchor's. A docno that is not in the corpus is passed over, `not-in-corpus`, and so is one that
the list has in a better place, `duplicate`; neither takes a slot.

With `--sampling near-positive` candidates whose score is near that of the anchor's best positive in the list are the likeliest; an
anchor none of whose positives is there takes its candidates from the end of the list.

Several runs are fused by reciprocal rank: `score_rrf` is the sum of 1 / (60 + rank) over the runs that have the text, each read
to its end, and `rank` the place by it, equal sums by id. `miners`, `ranks` and `run_scores` are lists of what each of those runs
says, in the order of `--run`, and `miner` joins the tags by `+`; a tag that a run before has too is numbered, `tag#2`.
Source: usnistgov/trec_eval; Cormack, Clarke and Buettcher, Reciprocal Rank Fusion, 2009; texttron/tevatron#87 (record what was mined).
"""

from __future__ import annotations

import itertools
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from negforge.contract import Chosen, Declares, Refusal
from negforge.corpus import CorpusStore
from negforge.errors import InputError, listed
from negforge.mining import Sampling, Sharpness, Shift, arranged
from negforge.records import Batches, Corpus, Pairs, free_name
from negforge.rng import Rng
from negforge.runs import Found, RunStore
from negforge.tables import content_digest

DECLARES = Declares(
    version=2,
    scope="anchor",
    reads=Pairs,
    label="negative",
    opposition="unrelated",
    evidence=("not-known-positive",),
    verifiers=("known-positive",),
    fixed={"rrf_k": 60},
)
Rows = NDArray[np.int64]
_RRF_K = 60
_LINES_AT_ONCE = 1 << 20  # of lists, which are read to their end
_OWN = ("miners", "ranks", "run_scores")  # columns of fused runs that no kind of table declares
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class State:
    """The corpus by row number, and the runs' lists with the names of their tags."""

    corpus: CorpusStore
    runs: tuple[RunStore, ...]
    names: tuple[tuple[str, ...], ...]
    digests: tuple[str, ...]

    @property
    def record(self) -> dict[str, list[str]]:
        """The runs by what they hold, packed or not, wherever they lie."""
        return {"run": [*self.digests]}


def prepare(
    corpus: Corpus,
    inputs: Batches,
    max_memory: int,
    phase: Callable[[str], None],
    *,
    run: Annotated[
        list[Annotated[Path, Field(examples=["run.trec"])]],
        Field(min_length=1, description="A TREC run file, also gz or zst; several are fused. Repeatable."),
    ],
    order: Annotated[
        Literal["score", "rank"], Field(description="What orders a list: the scores, as trec_eval has it, or the ranks the lines claim.")
    ] = "score",
) -> State:
    """Store the runs' lists, or find them stored, and tell what of them has no place here.

    Raises InputError for a malformed line, and for a run of which no docno is in the corpus.
    """
    store = CorpusStore.of(corpus, max_memory)
    runs = tuple(RunStore.of(file, corpus, store, order, max_memory, phase) for file in run)
    _tell(run, runs, store, inputs)
    used: Counter[str] = Counter()
    names = []
    for one in runs:
        used.update(one.facts.tags)
        names.append(tuple(tag if used[tag] == 1 else f"{tag}#{used[tag]}" for tag in one.facts.tags))
    return State(store, runs, tuple(names), tuple(map(content_digest, run)))


def _tell(files: list[Path], runs: tuple[RunStore, ...], store: CorpusStore, inputs: Batches) -> None:
    """Log what is odd about the runs. Raises InputError for one that has nothing to do with the corpus."""
    anchor, asked = "", [np.zeros(one.facts.queries + 1, dtype=np.bool_) for one in runs]
    for frame in inputs(1 << 16):
        ids = frame["anchor_id"].unique(maintain_order=True)
        anchor = anchor or next(iter(ids), "")
        for mark, one in zip(asked, runs, strict=True):
            mark[one.places(ids)] = True  # the last cell is for anchors that the run has not
    for file, one, mark in zip(files, runs, (mark[:-1] for mark in asked), strict=True):
        facts, queries = one.facts, one.queries()
        if facts.unknown == facts.lines - facts.repeated:
            here = next((repr(frame["id"][0]) for frame in store.batches() if frame.height), "which is empty")
            where = f"the run has {facts.first_unknown!r}, the corpus {here}"
            raise InputError(f"no docno of {file} is an id of the corpus", where, "name the corpus that was searched; ids compare as text")
        others = queries["qid"].filter(pl.Series(~mark))
        if len(others) == facts.queries and anchor:
            message = "%s: no query is an anchor_id of the input: the run has %r, the input %r; ids compare as text"
            _log.warning(message, file, others.min(), anchor)
        elif len(others) and anchor:
            message = "%s: %s of %s queries are no anchor_id of the input, the first is %r"
            _log.warning(message, file, f"{len(others):,}", f"{facts.queries:,}", others.min())
        if facts.unknown:
            lines = f"{facts.lines:,}"
            _log.warning(
                "%s: %s of %s docnos are not in the corpus, the first is %r", file, f"{facts.unknown:,}", lines, facts.first_unknown
            )
        if facts.repeated:
            _log.warning("%s: repeated docnos of a query: %s; the best one counts", file, f"{facts.repeated:,}")
        if len(facts.tags) > 1:
            _log.warning("%s holds %s tags: %s; it is taken as one run", file, f"{len(facts.tags):,}", listed(facts.tags))
        if facts.comments or facts.blank:
            _log.info("%s: no part of the run: comments %s, blank lines %s", file, f"{facts.comments:,}", f"{facts.blank:,}")


def generate(
    batch: Pairs,
    state: State,
    rng: Rng,
    *,
    num_negatives: int,
    depth: Annotated[int, Field(ge=1, description="How many of the best of an anchor's list are candidates, known positives apart.")] = 100,
    sampling: Sampling = "top",
    sharpness: Sharpness = 0.5,
    shift: Shift = 0.0,
) -> Chosen:
    """The best of each anchor's list, or of its fused lists, in the order in which they are to be taken.

    batch: whole anchors. Returns rows (anchor_id, corpus_row, rank from 1, score_run or score_rrf, miner; of several runs the lists
    miners, ranks and run_scores), best first for each anchor, and refusals: `not-in-run`, or `not-in-corpus` where the corpus has
    no docno of its lists; the value counts them.
    """
    taken = next((name for name in _OWN if name in batch.frame.columns), None) if len(state.runs) > 1 else None
    if taken is not None:
        mend = f"pass --rename {taken}={free_name(taken)}"
        raise InputError(f"column '{taken}' is in the way", "fused runs write what each of them says there", mend)
    anchors = batch.frame["anchor_id"].unique(maintain_order=True)
    depth = max(depth, 2 * num_negatives)
    lines = np.cumsum(sum((one.sizes(anchors) for one in state.runs), np.zeros(len(anchors), dtype=np.int64)))
    cuts = [0, *(np.flatnonzero(np.diff(lines // _LINES_AT_ONCE)) + 1).tolist(), len(anchors)]
    parts = []
    for start, end in itertools.pairwise(cuts):
        some = anchors[start:end]
        pairs = batch.frame if len(cuts) == 2 else batch.frame.filter(pl.col("anchor_id").is_in(some.implode()))
        parts.append(_chosen(pairs, some, state, depth))
    name = "score_rrf" if len(state.runs) > 1 else "score_run"
    pairs = pl.concat([part.pairs for part in parts if part.pairs is not None])
    ids = batch.frame.select("id", "anchor_id").join(pairs, on="id", how="inner", maintain_order="left")
    best = ids.group_by("anchor_id", maintain_order=True).agg(pl.col(f"{name}_positive").max().alias("score"))
    rows = pl.concat([part.rows for part in parts])
    return Chosen(
        arranged(rows, name, best, rng, sampling=sampling, sharpness=sharpness, shift=shift),
        [refusal for part in parts for refusal in part.refusals],
        sum((part.passed for part in parts), Counter[str]()),
        pairs,
    )


def _chosen(pairs: pl.DataFrame, anchors: pl.Series, state: State, depth: int) -> Chosen:
    """The best of the lists of some anchors, as many as are held in memory together; pairs: theirs."""
    found = [one.lists(anchors) for one in state.runs]
    whole = _fused(found, state.names) if len(found) > 1 else _single(found[0], state.names[0])
    own = anchors.to_frame("anchor_id").join(pairs.group_by("anchor_id").len(), on="anchor_id", how="left", maintain_order="left")["len"]
    owner = whole["owner"].to_numpy()
    made = whole.filter(pl.Series(_place(owner) < depth + own.to_numpy().astype(np.int64)[owner]))
    unknown = sum((np.bincount(one.owner[one.row < 0], minlength=len(anchors)) for one in found), np.zeros(len(anchors), np.int64))
    there = np.any([one.there for one in found], axis=0)
    empty = np.ones(len(anchors), dtype=np.bool_)
    empty[made["owner"].to_numpy()] = False
    refusals = [
        Refusal(anchor_id, "not-in-corpus", f"{number:,} docnos") if known else Refusal(anchor_id, "not-in-run")
        for anchor_id, number, known in zip(anchors.filter(pl.Series(empty)), unknown[empty].tolist(), there[empty].tolist(), strict=True)
    ]
    passed = Counter({"not-in-corpus": int(unknown.sum()), "duplicate": int(sum(one.repeated.sum() for one in found))})
    rows = made.select(anchors.gather(made["owner"]).alias("anchor_id"), pl.all().exclude("owner"))
    name = "score_rrf" if len(found) > 1 else "score_run"
    return Chosen(rows, refusals, +passed, _positives(pairs, anchors, state.corpus, whole, name))


def _single(found: Found, names: tuple[str, ...]) -> pl.DataFrame:
    """The lines of each list whose docno the corpus has."""
    columns = {"owner": found.owner, "corpus_row": found.row, "rank": found.rank, "score_run": found.score, "miner": found.tag}
    frame = pl.DataFrame(columns).filter(pl.col("corpus_row") >= 0)
    return frame.with_columns(_named(frame["miner"], names))


def _place(owner: Rows) -> Rows:
    """The place of each row among those of its owner, from 0, where they stand together."""
    return np.arange(len(owner), dtype=np.int64) - np.searchsorted(owner, owner, side="left")


def _named(tags: pl.Series, names: tuple[str, ...]) -> pl.Series:
    return pl.Series(tags.name, names, dtype=pl.String).gather(tags)


def _fused(found: list[Found], names: tuple[tuple[str, ...], ...]) -> pl.DataFrame:
    """The texts of several lists by the sum of their reciprocal ranks."""
    parts = [
        pl.DataFrame({"owner": one.owner, "corpus_row": one.row, "rank": one.rank, "score": one.score}).with_columns(
            _named(pl.Series("miner", one.tag), own), pl.lit(number).alias("run")
        )
        for number, (one, own) in enumerate(zip(found, names, strict=True))
    ]
    lines = pl.concat(parts).filter(pl.col("corpus_row") >= 0)
    # Summed from the best rank on, so that equal sets of ranks tie to the last bit, in whatever runs they are.
    lines = lines.sort("owner", "corpus_row", "rank", "run")
    owner, row = lines["owner"].to_numpy(), lines["corpus_row"].to_numpy()
    first = np.ones(len(lines), dtype=np.bool_)
    first[1:] = (owner[1:] != owner[:-1]) | (row[1:] != row[:-1])
    group = np.cumsum(first) - 1
    total = np.zeros(int(first.sum()))
    np.add.at(total, group, 1.0 / (_RRF_K + lines["rank"].to_numpy()))
    best = np.lexsort((row[first], -total, owner[first]))
    order = np.empty(len(total), dtype=np.int64)
    order[best] = np.arange(len(best))
    kept = lines.with_columns(pl.Series("text", order[group])).sort("text", "run")
    lists = kept.group_by("text", maintain_order=True).agg(
        pl.col("owner", "corpus_row").first(),
        pl.col("miner").alias("miners"),
        pl.col("rank").alias("ranks"),
        pl.col("score").alias("run_scores"),
    )
    fused = [
        pl.Series("rank", _place(owner[first][best]) + 1),
        pl.Series("score_rrf", total[best]),
        lists["miners"].list.join("+").alias("miner"),
    ]
    return lists.with_columns(fused).select("owner", "corpus_row", "rank", "score_rrf", "miner", *_OWN)


def _positives(pairs: pl.DataFrame, anchors: pl.Series, store: CorpusStore, lists: pl.DataFrame, name: str) -> pl.DataFrame:
    """What the lists say of each pair's own positive, and the least they say of one of its anchor; null where they have none."""
    own = store.find(pairs["positive_id"]) if "positive_id" in pairs.columns else np.full(pairs.height, -1, dtype=np.int64)
    numbers = pl.DataFrame({"anchor_id": anchors, "owner": np.arange(len(anchors), dtype=np.int64)})
    rows = pairs.select("id", "anchor_id").join(numbers, on="anchor_id", how="left", maintain_order="left")
    rows = rows.with_columns(pl.Series("corpus_row", own))
    scores = lists.select("owner", "corpus_row", pl.col(name).alias(f"{name}_positive"))
    found = rows.join(scores, on=["owner", "corpus_row"], how="left", maintain_order="left")
    return found.select("id", f"{name}_positive", pl.col(f"{name}_positive").min().over("owner").alias(f"{name}_weakest"))
