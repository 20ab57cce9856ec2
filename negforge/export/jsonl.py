"""Write negatives as plain records for any reader: the chosen columns, one object a row.

Source: DESIGN of the tool; pykeen/pykeen#1124 (negatives as files).
"""

from __future__ import annotations

from typing import Annotated

import polars as pl
from pydantic import Field

from negforge.contract import Declares, Exported
from negforge.records import Negatives, missing_column

DECLARES = Declares(version=1, scope="anchor", reads=Negatives)


def export(
    batch: Negatives,
    *,
    columns: Annotated[list[str], Field(description="Columns to write, in this order; default anchor, positive, negative. Repeatable.")] = [
        "anchor",
        "positive",
        "negative",
    ],
) -> Exported:
    """The chosen columns of each row, and id, source and evidence of the row as its provenance.

    batch: whole anchors. Raises InputError for a column that is not there.
    """
    for name in columns:
        if name not in batch:
            raise missing_column("columns", batch.frame.columns, "the table", name)
    return Exported(batch.frame.select(columns), provenance(batch.frame))


def provenance(frame: pl.DataFrame) -> pl.DataFrame:
    """Where each exported row came from."""
    return frame.select("id", "anchor_id", "source_id", "operator", "label", "evidence")
