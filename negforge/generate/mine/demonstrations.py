"""Attach the nearest labelled demonstrations of a bank to each anchor, without leaks: those of another label are its negatives.

The corpus is the bank: a text is a demonstration, `--demo-label` the column of its label. A row is an anchor with a demonstration, in
`negative`, with `demo_label`, its rank among all texts of the bank, and `score_dense`. Where `--label` names the column of the
anchor's own label, `verdict_demo_label` says whether the two differ (`negative`) or not (`positive`), and with it the row's label;
without, a row is `unknown`: nobody has said that its demonstration is wrong. `--which wrong` takes only those that differ: negative
context, the nearer the harder; `--which right` only the others.

A demonstration is passed over, and counted, that is the anchor (`self`), is of its source (`same-source`), has no label (`no-label`),
holds one of the anchor's answers (`answer`: the column `--answers`, or the positive where that is not there), or is an anchor of the
`--evaluation` or holds an answer of it (`evaluation`). Texts are normalised, and an answer is a run of whole words; one below three
characters counts only where the demonstration is nothing else. As many texts of the bank are looked at as it takes.
Source: Min et al., MetaICL: Learning to Learn In Context, 2022; Rubin et al., Learning To Retrieve Prompts for In-Context Learning, 2022.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import polars as pl
from pydantic import Field

from negforge import text
from negforge.contract import Chosen, Declares, Refusal
from negforge.corpus import CorpusStore
from negforge.errors import InputError
from negforge.mining import nearest
from negforge.records import Batches, Corpus, Pairs, free_name, missing_column
from negforge.tables import open_sources
from negforge.vectors import AnchorVectors, CorpusPrompt, CorpusVectors, Model, Prompt, Similarity, Space, space

DECLARES = Declares(
    version=1,
    scope="anchor",
    reads=Pairs,
    cost="model",
    label="unknown",
    opposition="unrelated",
    evidence=("not-known-positive",),
    verifiers=("known-positive",),
    any_of=("model", "corpus_vectors", "anchor_vectors"),
    needs={"which": "label", "source": "demo_source", "demo_source": "source"},
    least_rows=1024,
    draws=False,  # whoever is short has been shown the whole bank: what is left of it is what leaks
)
_SHORT = 3  # characters from which an answer counts wherever it stands
_FIRST, _FURTHER = 64, 4  # texts of the bank that are looked at first, and how many times as many then
_OWN = ("demo_label", "demo_source")


@dataclass(frozen=True)
class State:
    """The bank by row number, where its vectors and the anchors' are, and the file of what each row is: label, source, leaks."""

    corpus: CorpusStore
    space: Space
    bank: Path

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
    language: str,
    demo_label: Annotated[str, Field(description="Column of the bank: the label of each demonstration.", examples=["group"])],
    demo_source: Annotated[str | None, Field(description="Column of the bank: the source or task of each demonstration.")] = None,
    evaluation: Annotated[
        Path | None, Field(description="A file of pairs to be evaluated on: what is in it, or holds an answer of it, is left out.")
    ] = None,
    answers: Annotated[
        str, Field(description="Column of the accepted answers, a text or a list of texts; where there is none, the positive.")
    ] = "answers",
    model: Model = None,
    anchor_prompt: Prompt = "",
    corpus_prompt: CorpusPrompt = "",
    corpus_vectors: CorpusVectors = None,
    anchor_vectors: AnchorVectors = None,
    similarity: Similarity = "cosine",
) -> State:
    """Store the bank, note what each demonstration is, and encode what is not yet encoded.

    Raises InputError for a column that is not there.
    """
    store = CorpusStore.of(corpus, max_memory)
    path = scratch / "bank.arrow"
    if not path.exists():
        _bank(corpus, store, demo_label, demo_source, _tested(evaluation, answers, language), language).write_ipc(path)
    where = space(
        inputs,
        [],
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
    return State(store, where, path)


def _bank(
    corpus: Corpus, store: CorpusStore, label: str, source: str | None, tested: tuple[pl.Series, pl.Series], language: str
) -> pl.DataFrame:
    """`label`, `source` and `leaks` of each row of the store, in their order."""
    asked, held = tested
    long, short = held.filter(held.str.len_chars() >= _SHORT), held.filter(held.str.len_chars() < _SHORT)
    parts = []
    for batch in corpus.batches(1 << 14):
        for name in (label, *([source] if source is not None else [])):
            if name not in batch.columns:
                raise missing_column("demo_label" if name == label else "demo_source", batch.columns, "the bank", name)
        rows = store.find(batch["id"])
        texts = store.take(rows)
        same = text.normalised(texts["text"], language=language)
        leaks = same.is_in(asked.implode()) | same.is_in(short.implode())
        if len(long):
            leaks |= (" " + same + " ").str.contains_any((" " + long + " ").to_list())
        own = batch.select(
            pl.Series("row", rows),
            pl.col(label).cast(pl.String).alias("label"),
            (pl.col(source).cast(pl.String) if source is not None else pl.lit(None, pl.String)).alias("source"),
            pl.Series("leaks", leaks).fill_null(value=False),
        )
        parts.append(own)
    none = pl.DataFrame(schema={"row": pl.Int64, "label": pl.String, "source": pl.String, "leaks": pl.Boolean})
    return pl.concat([none, *parts]).sort("row")


def _tested(evaluation: Path | None, answers: str, language: str) -> tuple[pl.Series, pl.Series]:
    """What the evaluation asks and what it answers, normalised, each once."""
    asked, held = [pl.Series([], dtype=pl.String)], [pl.Series([], dtype=pl.String)]
    for source in open_sources(str(evaluation)) if evaluation is not None else ():
        for frame in source.batches(1 << 14):
            for name in ("anchor", "positive"):
                if name not in frame.columns:
                    raise missing_column("evaluation", frame.columns, source.name, name)
            asked.append(text.normalised(frame["anchor"].cast(pl.String), language=language))
            held.append(_answers(frame.with_columns(pl.lit("").alias("anchor_id")), answers, language)["answer"])
    return pl.concat(asked).drop_nulls().unique(), pl.concat(held).unique()


def _answers(frame: pl.DataFrame, name: str, language: str) -> pl.DataFrame:
    """`anchor_id` and `answer`: the accepted answers, normalised, each once; of rows that have none, the positive."""
    given = pl.lit(None, pl.List(pl.String))
    if name in frame.columns:
        dtype = frame[name].dtype
        inner = dtype.inner if isinstance(dtype, pl.List) else dtype
        if not (inner in (pl.String, pl.Null) or (isinstance(inner, pl.DataType) and inner.is_integer())):
            raise InputError(f"column '{name}' holds no answers", f"it is of {dtype}", "give texts, or lists of texts")
        column = pl.col(name).cast(pl.List(pl.String)) if isinstance(dtype, pl.List) else pl.col(name).cast(pl.String)
        given = column if isinstance(dtype, pl.List) else pl.concat_list(column)
    some = given.list.drop_nulls()
    found = frame.select("anchor_id", pl.when(some.list.len() > 0).then(some).otherwise(pl.concat_list("positive")).alias("answer"))
    found = found.explode("answer").drop_nulls()
    found = found.with_columns(text.normalised(found["answer"], language=language))
    return found.filter(pl.col("answer").str.strip_chars() != "").unique(maintain_order=True)


@functools.lru_cache(maxsize=4)
def _read(path: str) -> pl.DataFrame:
    return pl.scan_ipc(path).collect()


def generate(
    batch: Pairs,
    state: State,
    *,
    num_negatives: int,
    language: str,
    answers: str = "answers",
    label: Annotated[str | None, Field(description="Column of the input: the anchor's own label.")] = None,
    source: Annotated[str | None, Field(description="Column of the input: the anchor's source, whose demonstrations stay out.")] = None,
    which: Annotated[
        Literal["any", "wrong", "right"],
        Field(description="Which demonstrations are attached: all, those whose label is not the anchor's, or those whose label it is."),
    ] = "any",
) -> Chosen:
    """The nearest demonstrations of each anchor that are allowed it.

    batch: whole anchors; one with several labels, or sources, has all of them. Gives rows (anchor_id, corpus_row, rank from 1,
    score_dense, miner, demo_label, verdict_demo_label; demo_source where sources are named), nearest first. Refusals: `no-vector`,
    and `no-label` where wrong or right ones are wanted of an anchor without.
    """
    frame = batch.frame
    for name, column in (("label", label), ("source", source)):
        if column is not None and column not in frame.columns:
            raise missing_column(name, frame.columns, "the input", column)
    if taken := next((name for name in _OWN if name in frame.columns), None):
        mend = f"pass --rename {taken}={free_name(taken)}"
        raise InputError(f"column '{taken}' is in the way", "what is found out about a demonstration is written there", mend)
    own = _own(frame, label, source)
    refusals: list[Refusal] = []
    if which != "any":
        bare = own.filter(pl.col("labels").list.len() == 0)["anchor_id"]
        refusals += [Refusal(one, "no-label") for one in bare]
        frame = frame.filter(~pl.col("anchor_id").is_in(bare.implode()))
    accepted = _answers(frame, answers, language)
    asked = text.normalised(frame["anchor"], language=language)
    own = own.join(frame.select("anchor_id", pl.lit(asked).alias("asked")).unique("anchor_id"), on="anchor_id", how="inner")
    depth, found, passed = _FIRST + 2 * num_negatives, [], Counter[str]()
    while True:
        rows, silent = nearest(frame, state.space, depth)
        refusals += silent
        rows = _looked_at(rows, own, accepted, state, language, which)
        allowed = rows.filter(pl.col("why").is_null())
        ready = allowed.group_by("anchor_id").len().filter(pl.col("len") >= 2 * num_negatives)["anchor_id"]
        whole = depth >= state.corpus.size
        rest = frame.filter(~pl.col("anchor_id").is_in([*ready.to_list(), *(one.row_id for one in silent)]) & (not whole))
        waits = pl.col("anchor_id").is_in(rest["anchor_id"].unique().implode())
        passed.update(rows.filter(~waits)["why"].drop_nulls().to_list())
        found.append(allowed.filter(~waits).drop("why"))
        if not rest.height:
            break
        frame, depth = rest, depth * _FURTHER
    taken_rows = pl.concat(found)
    return Chosen(taken_rows if source is not None else taken_rows.drop("demo_source"), refusals, passed)


def _own(frame: pl.DataFrame, label: str | None, source: str | None) -> pl.DataFrame:
    """`anchor_id`, its ids, labels and sources, as texts."""
    columns = {"labels": label, "sources": source}
    lists = [
        (pl.col(column).cast(pl.String).drop_nulls().unique() if column is not None else pl.lit([], pl.List(pl.String)).first()).alias(name)
        for name, column in columns.items()
    ]
    return frame.group_by("anchor_id", maintain_order=True).agg(pl.col("id").alias("ids"), *lists)


def _looked_at(rows: pl.DataFrame, own: pl.DataFrame, accepted: pl.DataFrame, state: State, language: str, which: str) -> pl.DataFrame:
    """The rows with what the bank says of them, the verdict, and `why` they are passed over, if they are."""
    bank = _read(str(state.bank))[rows["corpus_row"]]
    texts = state.corpus.take(rows["corpus_row"].to_numpy())
    same = text.normalised(texts["text"], language=language).alias("same")
    wide = pl.concat([rows, bank.drop("row"), texts.select(pl.col("id").alias("demo_id")), same.to_frame()], how="horizontal")
    wide = wide.join(own, on="anchor_id", how="left", maintain_order="left").with_row_index("at")
    pairs = wide.select("at", "anchor_id", "same").join(accepted, on="anchor_id", how="inner")
    inside = (" " + pl.col("same") + " ").str.contains(" " + pl.col("answer") + " ", literal=True)
    whole = pl.col("same") == pl.col("answer")
    holding = pairs.filter(pl.when(pl.col("answer").str.len_chars() < _SHORT).then(whole).otherwise(inside))["at"].unique()
    known = (pl.col("labels").list.len() > 0) & pl.col("label").is_not_null()
    right = pl.col("labels").list.contains(pl.col("label"))
    itself = (
        (pl.col("same") == pl.col("asked")) | (pl.col("demo_id") == pl.col("anchor_id")) | pl.col("ids").list.contains(pl.col("demo_id"))
    )
    reasons = {
        "self": itself,
        "no-label": pl.col("label").is_null(),
        "same-source": pl.col("sources").list.contains(pl.col("source")) & pl.col("source").is_not_null(),
        "answer": pl.col("at").is_in(holding.implode()),
        "evaluation": pl.col("leaks"),
        "right-label": known & right & (which == "wrong"),
        "wrong-label": known & ~right & (which == "right"),
    }
    why = pl.coalesce(pl.when(test).then(pl.lit(name)) for name, test in reasons.items())
    verdict = pl.when(~known).then(pl.lit("unknown")).when(right).then(pl.lit("positive")).otherwise(pl.lit("negative"))
    return wide.select(
        "anchor_id",
        "corpus_row",
        "rank",
        "score_dense",
        pl.lit("demonstrations").alias("miner"),
        pl.col("label").alias("demo_label"),
        pl.col("source").alias("demo_source"),
        verdict.alias("verdict_demo_label"),
        why.alias("why"),
    )
