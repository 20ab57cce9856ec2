"""Read pairs and keep the parts of speech of each positive beside it, so that operators that ask for them tag nothing anew.

The column `positive_tags` is a list of tokens: start and end in characters of `positive`, a Penn Treebank tag and, of a tagger that
parses, the head, its relation and the entity. Operators that look at tags make them for the rows they edit where the column is not there;
a tagger that also parses is used only here. Rows made from tagged pairs do not carry the column on.
Source: explosion/spaCy#5119 (tagging costs most of a run: do it once).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import polars as pl
from pydantic import Field

from negforge.contract import Declares
from negforge.records import Pairs, mapped
from negforge.tables import Source
from negforge.tagging import COLUMN, Tagger, tagged

DECLARES = Declares(version=1, scope="row", writes=Pairs)


def ingest(
    source: Source,
    *,
    tagger: Annotated[
        Tagger, Field(description="`light` (in the core), or `spacy`: parts of speech, heads and entities, a hundredth as fast.")
    ] = "light",
) -> Iterator[pl.DataFrame]:
    """The pairs of the source, each with the column `positive_tags` made of its `positive`.

    Yields frames of n rows. A text of over 100,000 characters has no tags. Raises UsageError where spaCy or its model is not installed.
    """
    source.columns = {"anchor": "anchor", "positive": "positive"}
    for frame in source.batches(1 << 12):
        made = mapped(frame.drop(COLUMN, strict=False), source.columns, source.name)
        yield made.with_columns(tagged(made["positive"], tagger))
