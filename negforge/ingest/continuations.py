"""Read long texts as pairs: a span of a text as the anchor, and the span that follows it as its positive.

Spans are those of `ingest corpus --span-words` with the same number of words: whole sentences, with the same ids, so that
`generate mine.same-group` finds the anchor and the positive among them and takes other spans of the text as negatives.
Paper: Krishna et al., RankGen, 2022 (prefix, true continuation, other spans of the same document).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import polars as pl
from pydantic import Field

from negforge.contract import Declares, Skipped
from negforge.records import Pairs, mapped
from negforge.spans import cut
from negforge.tables import Source

DECLARES = Declares(version=1, scope="row", writes=Pairs)


def ingest(
    source: Source,
    *,
    span_words: Annotated[int, Field(ge=1, examples=[20], description="The most words of a span; a longer sentence is cut between words.")],
    id: Annotated[str | None, Field(description="Column of the text's id; default `id`, else BEIR's `_id`.")] = None,  # noqa: A002
    text: Annotated[str, Field(description="Column of the text.")] = "text",
) -> Iterator[pl.DataFrame | Skipped]:
    """A pair for each span that has one after it in its text.

    Yields frames of n rows with `anchor_id`, `anchor`, `positive_id`, `positive`, `group` (the text's id) and the source's other
    columns; `id` is the positive's. A text of one span makes no pair and is counted as `one-span`, one of no word as `no-span`.
    """
    done = source.mark.rows
    for frame in source.batches(1 << 12):
        own = id or ("_id" if "_id" in frame.columns and "id" not in frame.columns else None)
        source.columns = {"text": text, **({"id": own} if own is not None else {})}
        bad = len(source.bad.rows)
        made = cut(mapped(frame, source.columns, source.name), span_words, source, done)
        done += frame.height
        follows = made["group"] == made["group"].shift(-1)
        follows &= made["start"] < made["start"].shift(-1)  # two texts of one id, one after the other
        follows = follows.fill_null(value=False)
        after = made.select(pl.col("id", "text").shift(-1))
        pairs = made.with_columns(
            made["id"].alias("anchor_id"),
            made["text"].alias("anchor"),
            after["id"].alias("positive_id"),
            after["text"].alias("positive"),
            after["id"].alias("id"),
        )
        yield pairs.filter(follows).drop("text", "start", "end")
        alone = made.height and int((made.group_by("group").len()["len"] == 1).sum())
        if alone:
            yield Skipped("one-span", alone)
        empty = frame.height - (len(source.bad.rows) - bad) - made["group"].n_unique()
        if empty:
            yield Skipped("no-span", empty)
