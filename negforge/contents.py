"""What a version holds, for its card: counts by operator, label, evidence and reason, what gives it away, and rows to look at.

Gathered batch by batch, whatever their order, in memory that does not grow with rows.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import polars as pl

from negforge import giveaway, rng
from negforge.records import Kind

_MOST_KEYS = 10_000  # names in a column of counts; with more of them it is no such column
_MOST_OPERATORS = 8  # that rows are shown of
_SHOWN = 3
_TEXT_CHARACTERS = 300
_TEXTS = ("anchor", "positive", "negative", "prompt", "response", "chosen", "rejected", "head", "relation", "tail", "title", "text", "name")
_JUDGED = ("id", "anchor_id", "operator", "positive", "negative")  # what a look at give-aways takes
_COUNTED = {"labels": ("operator", "label"), "evidence": ("evidence",), "drops": ("by", "reason")}


class Contents:
    """Counts of all rows, of each operator's published rows those whose ids have the smallest hashes, and a sample of all."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._counts: dict[str, Counter[tuple[str, ...]]] = {name: Counter() for name in _COUNTED}
        self._first: pl.DataFrame | None = None
        self._sample = giveaway.Sample()

    def add(self, kept: pl.DataFrame, published: pl.DataFrame) -> None:
        """Take rows that were kept, and those of them that are published."""
        if self._kind.column("operator") is not None and {"operator", "label"} <= {*kept.columns}:
            self._count("labels", kept.select(pl.col("operator", "label").cast(pl.String)))
            if kept.schema.get("evidence") == pl.List(pl.String):
                self._count("evidence", published.select(pl.col("evidence").explode(empty_as_null=False)).drop_nulls())
        self._choose(published)
        if {*_JUDGED} <= {*published.columns} and all(published.schema[name] == pl.String for name in _JUDGED):
            self._sample.add(published.filter(pl.col("label") == "negative") if "label" in published.columns else published)

    def add_dropped(self, dropped: pl.DataFrame) -> None:
        """Take rows that were dropped."""
        if {"dropped_by", "drop_reason"} <= {*dropped.columns}:
            self._count("drops", dropped.select("dropped_by", "drop_reason"))

    def _count(self, name: str, frame: pl.DataFrame) -> None:
        counts = self._counts[name]
        if len(counts) <= _MOST_KEYS:
            for *key, rows in frame.group_by(frame.columns).len().iter_rows():
                counts[tuple("" if one is None else one for one in key)] += rows

    def _choose(self, frame: pl.DataFrame) -> None:
        texts = [name for name, dtype in frame.schema.items() if dtype == pl.String and (name in _TEXTS or name.startswith("negative_"))]
        texts = [name for name in texts if name != "negative_id"]
        texts.sort(key=lambda name: _TEXTS.index(name) if name in _TEXTS else len(_TEXTS))
        if not texts or not frame.height:
            return
        key = pl.col("id") if frame.schema.get("id") == pl.String else pl.concat_str(texts, separator="\0", ignore_nulls=True)
        operator = pl.col("operator").fill_null("") if frame.schema.get("operator") == pl.String else pl.lit("")
        hashes = pl.Series("__key", rng.hash64(frame.select(key).to_series()))
        ranked = frame.select(operator.alias("__operator"), hashes, pl.int_range(pl.len()).alias("__row"))
        first = ranked.sort("__key").group_by("__operator", maintain_order=True).head(_SHOWN)
        shown = frame[first["__row"]].select(pl.col(texts).str.head(_TEXT_CHARACTERS))
        chosen = first.drop("__row").hstack(shown)
        both = chosen if self._first is None else pl.concat([self._first, chosen])
        both = both.sort("__operator", "__key", *texts, nulls_last=False).group_by("__operator", maintain_order=True).head(_SHOWN)
        self._first = both.filter(pl.col("__operator").rank("dense") <= _MOST_OPERATORS)

    def document(self) -> dict[str, Any]:
        """For the manifest: counts, the largest first, and the rows to show, one of each operator before the second of one."""
        found: dict[str, Any] = {}
        for name, columns in _COUNTED.items():
            counts = self._counts[name]
            if counts and len(counts) <= _MOST_KEYS:
                ordered = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
                found[name] = [{**dict(zip(columns, key, strict=True)), "rows": rows} for key, rows in ordered]
        if told := giveaway.report(self._sample.frame()):
            found["giveaway"] = told
        if self._first is not None:
            turn = pl.int_range(pl.len()).over("__operator")
            shown = self._first.with_columns(turn.alias("__turn")).sort("__turn", "__operator", maintain_order=True)
            shown = shown.head(max(_SHOWN, shown["__operator"].n_unique()))
            rows = shown.drop("__turn", "__key").rename({"__operator": "operator"})
            found["examples"] = [{name: value for name, value in row.items() if value} for row in rows.iter_rows(named=True)]
        return found
