"""Read pairs of an anchor and a positive from jsonl, json, csv, tsv, txt, parquet, arrow, a `datasets` folder or the Hub.

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
from negforge.records import Pairs, blank, mapped, refuse_blank
from negforge.tables import Source

DECLARES = Declares(version=1, scope="row", writes=Pairs)
_OF_A_POSITIVE = ("positive", "positive_id", "relevance", "image")


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
    empty or null makes no pair and is counted as `no-positive`. Raises InputError for a column that is not there, and for
    a list of positives beside an id that is one for all.
    """
    if text is not None and (anchor, positive) != ("anchor", "positive"):
        raise UsageError("--text stands for both --anchor and --positive", mend="pass --text alone, or the two others")
    given = {
        "anchor": text or anchor,
        "positive": text or positive,
        "id": id,
        "anchor_id": anchor_id,
        "positive_id": positive_id,
        "group": group,
    }
    columns = {name: column for name, column in given.items() if column is not None}
    flags = {"anchor": "text", "positive": "text"} if text is not None else {}
    source.columns = columns
    done = source.mark.rows
    for frame in source.batches(1 << 14):
        made = mapped(frame, columns, source.name, flags=flags)
        if isinstance(made["positive"].dtype, (pl.List, pl.Array)):
            yield from _exploded(made, source, done)
        else:
            yield made
        done += frame.height


def _exploded(frame: pl.DataFrame, source: Source, first_row: int) -> Iterator[pl.DataFrame | Skipped]:
    """One row for each positive of a list; ids of several gain the place in the list, so that each row has its own.

    What is said of each positive (its id, relevance, image) may be a list beside it.
    """
    lists = [name for name in _OF_A_POSITIVE if name in frame.columns and isinstance(frame[name].dtype, (pl.List, pl.Array))]
    frame = frame.with_columns(pl.col(name).arr.to_list() for name in lists if isinstance(frame[name].dtype, pl.Array))
    for name in ("anchor", "positive") if source.bad.most else ():
        error = InputError(f"column '{source.columns[name]}' is null or blank")
        frame = source.bad.sift(frame, _blank(frame, name), f"blank-{name}", error, source.name, first_row)
    refuse_blank({source.columns[name]: _blank(frame, name) for name in ("anchor", "positive")}, source.name, first_row)
    size = frame["positive"].list.len().fill_null(0)
    for name in lists[1:]:
        frame = _of_sizes(frame, name, frame[name].list.len() != size, source, first_row)
        size = frame["positive"].list.len().fill_null(0)
        unknown = pl.lit(None, frame[name].dtype.inner).repeat_by(size)  # type: ignore[attr-defined]
        frame = frame.with_columns(pl.when(pl.col(name).is_null()).then(unknown).otherwise(pl.col(name)).alias(name))
    if "positive_id" in frame.columns and "positive_id" not in lists:
        frame = _of_sizes(frame, "positive_id", (size > 1) & frame["positive_id"].is_not_null(), source, first_row)
        size = frame["positive"].list.len().fill_null(0)
    without = int((size == 0).sum())
    if without:
        yield Skipped("no-positive", without)
    place = pl.int_ranges(pl.col("positive").list.len())
    frame = frame.with_columns(place.alias("__place"), (size > 1).alias("__many")).filter(size > 0).explode([*lists, "__place"])
    if "id" in frame.columns:
        own = pl.col("id").cast(pl.String)
        numbered = pl.concat_str(own, pl.lit("-"), pl.col("__place").cast(pl.String))
        frame = frame.with_columns(pl.when(pl.col("__many")).then(numbered).otherwise(own).alias("id"))
    yield frame.drop("__place", "__many")


def _blank(frame: pl.DataFrame, name: str) -> pl.Series:
    """Which rows have a blank text, or one among the texts of a list."""
    cells = frame[name]
    if cells.dtype == pl.List(pl.String):
        return cells.list.eval(pl.element().str.strip_chars().fill_null("") == "").list.any().fill_null(value=False)
    return blank(cells) if cells.dtype == pl.String else pl.Series([False]).new_from_index(0, len(cells))


def _of_sizes(frame: pl.DataFrame, name: str, wrong: pl.Series, source: Source, first_row: int) -> pl.DataFrame:
    """The rows whose positives and what is said of them go together."""
    rows = wrong.fill_null(value=False).arg_true()
    if not len(rows):
        return frame
    row = int(rows[0])
    count = frame["positive"].list.len().fill_null(0)[row]
    found = f"{source.name} row {first_row + row + 1}: {count} positives beside {frame[name][row]!r:.80}"
    error = InputError(f"columns 'positive' and '{name}' do not go together", found, f"give each positive of a list its own {name}")
    return source.bad.sift(frame, wrong, "list-sizes", error, source.name, first_row)
