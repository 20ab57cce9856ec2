"""Read pairs of an anchor and a positive from jsonl, json, csv, tsv, parquet, arrow, a `datasets` folder or the Hub.

A column of lists of positives is exploded, one row a positive. A source with one text column (`--text`: claims, captions)
has it as anchor and positive. Every other column travels along untouched.
Source: huggingface/sentence-transformers#2848 (several positives per query), FlagOpen/FlagEmbedding#470 (a positive given
as text where a list was meant is not read letter by letter).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import polars as pl
from pydantic import Field

from negforge.contract import Declares, Skipped
from negforge.errors import InputError, UsageError
from negforge.records import Pairs, missing_column
from negforge.tables import Source

DECLARES = Declares(version=1, scope="row", writes=Pairs)


def ingest(
    source: Source,
    *,
    anchor: Annotated[str, Field(description="Column of the anchor.")] = "anchor",
    positive: Annotated[str, Field(description="Column of the positive: a text, or a list of texts.")] = "positive",
    text: Annotated[str | None, Field(description="The one text column, taken as anchor and positive.")] = None,
    id: Annotated[str | None, Field(description="Column of the row's id; default `id` where there is one.")] = None,  # noqa: A002
    anchor_id: Annotated[str | None, Field(description="Column of the anchor's id; default `anchor_id`.")] = None,
    positive_id: Annotated[str | None, Field(description="Column of the positive's id in the corpus; default `positive_id`.")] = None,
    group: Annotated[str | None, Field(description="Column of the document, class or concept; default `group`.")] = None,
) -> Iterator[pl.DataFrame | Skipped]:
    """Map the source's columns to those of `pairs`.

    Yields frames of n rows with `anchor`, `positive` and the source's other columns. A row whose list of positives is
    empty or null makes no pair and is counted as `no-positive`. Raises InputError for a column that is not there.
    """
    if text is not None and (anchor, positive) != ("anchor", "positive"):
        raise UsageError("--text stands for both --anchor and --positive", mend="pass --text alone, or the two others")
    wanted = {
        "anchor": text or anchor,
        "positive": text or positive,
        "id": id,
        "anchor_id": anchor_id,
        "positive_id": positive_id,
        "group": group,
    }
    for frame in source.batches(1 << 14):
        for name, column in wanted.items():
            if column is not None and column not in frame.columns:
                raise missing_column(name if text is None else "text", frame.columns, source.name, column)
        renames = {column: name for name, column in wanted.items() if column not in (None, name) and name != "positive"}
        taken = set(renames.values()) & set(frame.columns)
        if taken:
            name = min(taken)
            raise InputError(f"two columns claim '{name}'", f"{source.name} has one of that name", f"pass --rename {name}=source_{name}")
        positives = frame[wanted["positive"] or ""]
        made = frame.rename(renames)
        if wanted["positive"] not in ("positive", wanted["anchor"]):
            made = made.drop(wanted["positive"] or "")
        made = made.with_columns(positives.alias("positive"))
        if positives.dtype == pl.List:
            yield from _exploded(made, source.name)
        else:
            yield made


def _exploded(frame: pl.DataFrame, where: str) -> Iterator[pl.DataFrame | Skipped]:
    """One row for each positive of a list; ids of several gain the place in the list, so that each row has its own."""
    without = frame.filter(pl.col("positive").list.len().fill_null(0) == 0)
    if without.height:
        yield Skipped("no-positive", without.height)
    frame = frame.filter(pl.col("positive").list.len().fill_null(0) > 0)
    together = [name for name in ("positive", "positive_id") if name in frame.columns and frame[name].dtype == pl.List]
    if len(together) > 1 and (frame["positive"].list.len() != frame["positive_id"].list.len()).any():
        raise InputError("lists of positives and of their ids differ in length", where, "give each positive its id")
    places = frame.select(pl.int_ranges(pl.col("positive").list.len()).alias("__place"))
    many = frame["positive"].list.len() > 1
    frame = frame.with_columns(places["__place"], many.alias("__many")).explode([*together, "__place"])
    if "id" in frame.columns:
        numbered = pl.concat_str(pl.col("id").cast(pl.String), pl.lit("-"), pl.col("__place").cast(pl.String))
        frame = frame.with_columns(pl.when(pl.col("__many")).then(numbered).otherwise(pl.col("id").cast(pl.String)).alias("id"))
    yield frame.drop("__place", "__many")
