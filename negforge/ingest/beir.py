"""Read a BEIR folder's judged pairs: corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv, plain or gzipped, as `pairs`.

The positive's text is joined in from the corpus: title, a space, text. Queries without a relevant document make no pair.
Source: Thakur et al., BEIR, 2021; allenai/scifact.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import polars as pl
from pydantic import Field

from negforge.contract import Declares, Skipped
from negforge.errors import InputError, listed, near
from negforge.records import Pairs, full_text, missing_column
from negforge.tables import Source, open_sources

DECLARES = Declares(version=1, scope="row", writes=Pairs)


def ingest(
    folder: Path,
    *,
    split: Annotated[str, Field(pattern=r"^[^/\\]+$", description="The split: the name of a file in qrels/.")] = "train",
    relevant: Annotated[int, Field(ge=1, description="Lowest judgement that makes a document a positive.")] = 1,
) -> Iterator[pl.DataFrame | Skipped]:
    """Join judgements, queries and documents into pairs.

    Yields frames of n rows with `id` (query and document id), `anchor_id`, `anchor`, `positive`, `positive_id`,
    `relevance`. Judgements below `relevant` are counted as `not-relevant`. Raises InputError for an absent file, a
    judgement that is no number, and one that names a query or document that is missing, blank or there with two texts.
    """
    qrels = _judgements(folder, split)
    low = qrels["relevance"] < relevant
    if low.any():
        yield Skipped("not-relevant", int(low.sum()))
    qrels = qrels.filter(~low)
    queries, unjudged = _texts(_part(folder, "queries"), set(qrels["query-id"].to_list()), "query", f"qrels/{split}.tsv")
    documents, _ = _texts(_part(folder, "corpus"), set(qrels["corpus-id"].to_list()), "document", f"qrels/{split}.tsv")
    if unjudged:
        yield Skipped("query-without-positive", unjudged)
    for piece in qrels.iter_slices(1 << 14):
        query, document = piece["query-id"].to_list(), piece["corpus-id"].to_list()
        yield pl.DataFrame(
            {
                "id": [f"{left}-{right}" for left, right in zip(query, document, strict=True)],
                "anchor_id": query,
                "anchor": [queries[one] for one in query],
                "positive": [documents[one] for one in document],
                "positive_id": document,
                "relevance": piece["relevance"],
            }
        )


def _part(folder: Path, name: str) -> Source:
    if not folder.is_dir():
        guess = near(folder.name, [one.name for one in folder.parent.iterdir()]) if folder.parent.is_dir() else ""
        raise InputError(f"there is no folder {folder}", mend=f"did you mean {folder.with_name(guess)}?" if guess else "check the path")
    for suffix in (".jsonl", ".jsonl.gz", ".jsonl.zst"):
        if (folder / f"{name}{suffix}").exists():
            return open_sources(str(folder / f"{name}{suffix}"))[0]
    here = listed(sorted(one.name for one in folder.iterdir()))
    raise InputError(f"{folder} is not a BEIR folder: {name}.jsonl is not there", f"it holds {here}", "see negforge operators show beir")


def _judgements(folder: Path, split: str) -> pl.DataFrame:
    place = folder / "qrels"
    path = next((place / f"{split}.tsv{packed}" for packed in ("", ".gz", ".zst") if (place / f"{split}.tsv{packed}").exists()), None)
    if path is None:
        _part(folder, "queries")  # is it a BEIR folder at all?
        have = sorted(one.name.partition(".tsv")[0] for one in place.glob("*.tsv*")) if place.is_dir() else []
        guess = near(split, have)
        raise InputError(
            f"there is no split '{split}'",
            f"{place} has {listed(have) or 'none'}",
            f"did you mean {guess}?" if guess else "name one of these",
        )
    qrels = pl.concat(open_sources(str(path))[0].batches(1 << 16))
    for name in ("query-id", "corpus-id", "score"):
        if name not in qrels.columns:
            raise missing_column(name, qrels.columns, str(path), has_flag=False)
    relevance = qrels["score"].cast(pl.Float64, strict=False)
    bad = (~relevance.is_finite().fill_null(value=False)).arg_true()
    if len(bad):
        raise InputError("a judgement is not a number", f"{path} line {int(bad[0]) + 2}: {qrels['score'][int(bad[0])]!r}", "mend the line")
    return qrels.select("query-id", "corpus-id").with_columns(relevance.alias("relevance"))


def _texts(source: Source, wanted: set[str], what: str, judged: str) -> tuple[dict[str, str], int]:
    """The texts of the wanted ids, and how many other rows there were."""
    found: dict[str, str] = {}
    others = 0
    for frame in source.batches(1 << 14):
        for name in ("_id", "text"):
            if name not in frame.columns:
                raise missing_column(name, frame.columns, source.name, has_flag=False)
        ids = frame["_id"].cast(pl.String)
        here = pl.Series([one in wanted for one in ids.to_list()], dtype=pl.Boolean)
        others += int((~here).sum())
        for own, text in zip(ids.filter(here).to_list(), full_text(frame.filter(here)).to_list(), strict=True):
            if not (text or "").strip():
                raise InputError(f"{what} {own!r} is blank", f"{source.name}; {judged} names it", f"give its text or remove the {what}")
            if found.setdefault(own, text) != text:
                raise InputError(f"{what} {own!r} has two texts", source.name, "give each text its own id")
    missing = sorted(wanted - found.keys())
    if missing:
        where = f"{judged} names {what} {missing[0]!r}" + (f" and {len(missing) - 1} more" if len(missing) > 1 else "")
        raise InputError(f"{where}, which {source.name} does not have", mend=f"remove the judgement or add the {what}")
    return found, others
