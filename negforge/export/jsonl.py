"""Write negatives as plain records for any reader: the chosen columns, one object a row.

Source: pykeen/pykeen#1124 (negatives as files).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from negforge.contract import Declares, Exported
from negforge.errors import UsageError
from negforge.records import Negatives, missing_column

DECLARES = Declares(version=1, scope="anchor", reads=Negatives)


def export(
    batch: Negatives,
    *,
    columns: Annotated[list[str] | None, Field(description="Columns to write, in this order; default all. Repeatable.")] = None,
) -> Exported:
    """The chosen columns of each row; ids and operator in its provenance.

    batch: whole anchors. Raises InputError for a column that is not there.
    """
    if len(set(columns or [])) < len(columns or []):
        raise UsageError("--columns names a column twice", ", ".join(columns or []), "name each once")
    for name in columns or []:
        if name not in batch:
            raise missing_column("columns", batch.frame.columns, "the table", name)
    if not columns:
        return Exported(batch.frame)
    return Exported(batch.frame.select(columns), batch.frame.select("anchor_id", "source_id", "id", "operator"))
