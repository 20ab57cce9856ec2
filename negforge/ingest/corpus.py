"""Read texts to choose negatives from: a BEIR folder's or any other file with an id and a text, a title if there is one.

The full text of a row is title, a space, text, wherever the tool reads it. A blank text is kept and never chosen. With
`--span-words` a long text becomes a row for each span of it: whole sentences, `group` the text's id, `start` and `end` its
characters; a title goes as `document_title`, part of no span. `ingest continuations` makes pairs of the same spans.
Source: Thakur et al., BEIR, 2021 (file layout).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import polars as pl
from pydantic import Field

from negforge.contract import Declares
from negforge.records import Corpus, mapped
from negforge.spans import cut
from negforge.tables import Source

DECLARES = Declares(version=1, scope="row", writes=Corpus)


def ingest(
    source: Source,
    *,
    id: Annotated[str | None, Field(description="Column of the id; default `id`, else BEIR's `_id`.")] = None,  # noqa: A002
    text: Annotated[str, Field(description="Column of the text.")] = "text",
    title: Annotated[str | None, Field(description="Column of the title; default `title` where there is one.")] = None,
    group: Annotated[str | None, Field(description="Column of the document or class; default `group`.")] = None,
    span_words: Annotated[
        int | None, Field(ge=1, description="Cut each text into spans of at most so many words, grouped by their text.")
    ] = None,
) -> Iterator[pl.DataFrame]:
    """Map the source's columns to those of `corpus`.

    Yields frames of n rows with `id`, `text` and the source's other columns. Raises InputError for a column that is not
    there, and where two columns claim one name.
    """
    done = source.mark.rows
    for frame in source.batches(1 << 14):
        own = id or ("_id" if "_id" in frame.columns and "id" not in frame.columns else None)
        given = {"id": own, "text": text, "title": title, "group": group}
        source.columns = {name: column for name, column in given.items() if column is not None}
        made = mapped(frame, source.columns, source.name)
        yield made if span_words is None else cut(made, span_words, source, done)
        done += frame.height
