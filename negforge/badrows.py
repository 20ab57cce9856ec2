"""Rows of a source that cannot be taken: the first one stops the run, or up to N of them are put by and become dropped rows."""

from __future__ import annotations

import json
from typing import NamedTuple

import polars as pl

from negforge import rng
from negforge.errors import InputError

PLACE, TEXT = "__bad_place", "__bad_text"  # columns that a source carries while bad rows are allowed: where a row stands, and its line
_SHOWN = 200  # characters of a line that a dropped row keeps


class BadRow(NamedTuple):
    """A row put by: why, where it stands, and how it begins."""

    reason: str
    place: str
    text: str


class BadRows:
    """Takes the bad rows of a stage's sources, at most `most`; one more raises InputError with all kinds of faults met.

    With none allowed the first one raises the error that tells of it.
    """

    def __init__(self, most: int = 0) -> None:
        self.most = most
        self.rows: list[BadRow] = []

    def take(self, error: InputError, reason: str, place: str, text: str) -> None:
        """Put one row by."""
        if not self.most:
            raise error
        self.rows.append(BadRow(reason, place, text[:_SHOWN]))
        if len(self.rows) > self.most:
            raise self._too_many(error)

    def sift(self, frame: pl.DataFrame, wrong: pl.Series, reason: str, error: InputError, where: str, first_row: int) -> pl.DataFrame:
        """The frame without its wrong rows. error: what to raise where none may be wrong."""
        numbers = wrong.fill_null(value=False).arg_true().to_list()
        if not numbers:
            return frame
        for number in numbers:
            row = frame.row(number, named=True)
            place, line = row.pop(PLACE, None), row.pop(TEXT, None)
            text = line if line is not None else json.dumps(row, ensure_ascii=False, default=str)
            self.take(error, reason, place or f"{where} row {first_row + number + 1}", text)
        return frame.filter(~wrong.fill_null(value=False))

    def _too_many(self, error: InputError) -> InputError:
        first: dict[str, str] = {}
        counts: dict[str, int] = {}
        for row in self.rows:
            first.setdefault(row.reason, row.place)
            counts[row.reason] = counts.get(row.reason, 0) + 1
        found = "; ".join(f"{reason} {count} (first {first[reason]})" for reason, count in counts.items())
        what = f"more than {self.most} bad row{'' if self.most == 1 else 's'}, the last of them: {error.what}"
        return InputError(what, found, "mend them, or allow more with --max-bad-rows")

    def dropped(self, title: str, schema: pl.Schema) -> pl.DataFrame:
        """The rows put by as dropped rows of a table with that schema, one a place and text.

        An id is made of the reason, the name of the file without its folders, the text and the how many-th of its like it is: rows
        in another order, or of a file that was moved, keep theirs.
        """
        rows = pl.DataFrame(self.rows, schema=dict.fromkeys(BadRow._fields, pl.String), orient="row").unique(maintain_order=True)
        rows = rows.with_columns(pl.col("place").str.replace(r"(?s)^.*/", ""))
        rows = rows.with_columns(pl.col("place").str.replace(r"(:| row )[0-9]+$", "").alias("file"))
        like = ["reason", "file", "text"]
        rows = rows.with_columns(pl.int_range(pl.len()).over(like).cast(pl.String).alias("turn"))
        rows = rows.select(
            rng.record_ids("bad row", [rows[name] for name in (*like, "turn")]),
            pl.lit(title).alias("dropped_by"),
            pl.col("reason").alias("drop_reason"),
            pl.concat_str("place", pl.lit(": "), "text").alias("drop_value"),
        )
        return rows.select(pl.col(name) if name in rows.columns else pl.lit(None, dtype).alias(name) for name, dtype in schema.items())


def placeless(dropped: pl.DataFrame) -> pl.DataFrame:
    """Dropped rows as their digest takes them: bad ones without the line they stood in, for their ids say all else of them.

    The frame itself where none is bad.
    """
    if not {"dropped_by", "drop_value"} <= {*dropped.columns}:
        return dropped
    bad = dropped["dropped_by"].str.starts_with("ingest ").fill_null(value=False)
    return dropped if not bad.any() else dropped.with_columns(pl.when(~bad).then(pl.col("drop_value")).alias("drop_value"))
