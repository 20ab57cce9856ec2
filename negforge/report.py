"""Counts of a stage, as a document and for people, and its progress on the terminal."""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    import polars as pl

    from negforge.sinks import Outcome


@dataclass
class Counts:
    """What happened to the rows of a stage. Every count is of rows, but for a generator's slots.

    A generator is asked for k slots per source row (per anchor when mining): asked = emitted + refused + short.
    vetoed: candidates that a verifier proved true, by verifier; they stand as rows labelled `positive`, outside the slots.
    repeated, blank: candidates passed over because the row has that text already, or it is empty.
    per_unit: how many source rows (anchors) got how many negatives.
    """

    seen: int = 0
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    collapsed: int = 0
    asked: int = 0
    emitted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    short: int = 0
    vetoed: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
    blank: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    per_unit: Counter[int] = field(default_factory=Counter)

    def add(self, other: Counts) -> None:
        """Add another batch's counts."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    def document(self, *, generates: bool) -> dict[str, Any]:
        """The counts as JSON: only those that the stage's verb has, reasons in alphabetical order."""
        found: dict[str, Any] = {"seen": self.seen, "kept": self.kept, "dropped": _sorted(self.dropped)}
        for name in ("skipped", "labels"):
            if getattr(self, name):
                found[name] = _sorted(getattr(self, name))
        if self.collapsed:
            found["collapsed"] = self.collapsed
        if generates:
            found |= {
                "asked": self.asked,
                "emitted": self.emitted,
                "refused": _sorted(self.refused),
                "short": self.short,
                "vetoed": _sorted(self.vetoed),
                "repeated": self.repeated,
                "blank": self.blank,
                "per_source": self._spread(),
            }
        return found

    def _spread(self) -> dict[str, int]:
        """Smallest, median and largest number of negatives that a source row (anchor) got, and how many got none."""
        total = sum(self.per_unit.values())
        if not total:
            return {"none": 0}
        ordered = sorted(self.per_unit.items())
        passed, median = 0, 0
        for value, count in ordered:
            passed += count
            if passed * 2 >= total:
                median = value
                break
        return {"min": ordered[0][0], "median": median, "max": ordered[-1][0], "none": self.per_unit[0]}


def _sorted(counter: Counter[str]) -> dict[str, int]:
    return {name: counter[name] for name in sorted(counter) if counter[name]}


@dataclass
class Report:
    """A finished stage: its name, counts, seconds, and where its rows are."""

    stage: str
    counts: dict[str, Any]
    outcome: Outcome
    seconds: float
    vetoed_examples: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """The report as one JSON document."""
        outcome = self.outcome
        return {
            "stage": self.stage,
            "output": outcome.place,
            "version": outcome.version,
            "unchanged": outcome.unchanged,
            "rows": outcome.rows,
            "dropped_rows": outcome.dropped,
            "counts": self.counts,
            **outcome.digests,
            "seconds": round(self.seconds, 3),
        }

    def lines(self) -> list[str]:
        """The report for people."""
        counts, outcome = self.counts, self.outcome
        lines = []
        if "asked" in counts:
            refused = counts["refused"]
            parts = [f"asked {counts['asked']:,}", f"emitted {counts['emitted']:,}"]
            parts += [f"{reason} {number:,}" for reason, number in refused.items()]
            parts += [f"short {counts['short']:,}"] if counts["short"] else []
            lines.append(", ".join(parts) + " (slots)")
            if counts["vetoed"]:
                lines.append("vetoed candidates, labelled positive: " + _reasons(counts["vetoed"]))
            if counts["repeated"] or counts["blank"]:
                lines.append(f"passed over: {counts['repeated']:,} repeated, {counts['blank']:,} blank candidates")
            spread = counts["per_source"]
            if "median" in spread:
                lines.append(
                    f"negatives per source row or anchor: min {spread['min']}, median {spread['median']}, max {spread['max']}; "
                    f"{spread['none']:,} left with none"
                )
        else:
            dropped = sum(counts["dropped"].values())
            tail = f": {_reasons(counts['dropped'])}" if dropped else ""
            lines.append(f"seen {counts['seen']:,}, kept {counts['kept']:,}, dropped {dropped:,}{tail} (rows)")
        if counts.get("labels"):
            lines.append("labels of the kept rows: " + _reasons(counts["labels"]))
        if counts.get("skipped"):
            lines.append("source lines that make no row: " + _reasons(counts["skipped"]))
        if counts.get("collapsed"):
            lines.append(f"equal rows collapsed: {counts['collapsed']:,}")
        state = "unchanged" if outcome.unchanged else "written"
        lines.append(
            f"{outcome.rows:,} rows, {outcome.dropped:,} dropped ones beside them -> {outcome.place} ({state}, {self.seconds:.1f} s)"
        )
        lines.append(f"rows_digest {outcome.digests['rows_digest']}")
        return [f"{self.stage}: {lines[0]}", *(f"  {line}" for line in lines[1:])]


def _reasons(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {number:,}" for name, number in counts.items())


class Progress:
    """One line on stderr while a stage runs: rows, rows a second, kept and dropped. Silent off a terminal."""

    def __init__(self, stage: str, *, show: bool) -> None:
        self._stage, self._show, self._stream = stage, show, sys.stderr
        self._begun = self._last = time.monotonic()

    def update(self, counts: Counts) -> None:
        """Draw, at most ten times a second."""
        now = time.monotonic()
        if not self._show or now - self._last < 0.1:
            return
        self._last = now
        rate = counts.seen / max(now - self._begun, 1e-9)
        dropped = sum(counts.dropped.values())
        self._stream.write(f"\r\x1b[K{self._stage}: {counts.seen:,} rows, {rate:,.0f}/s, kept {counts.kept:,}, dropped {dropped:,}")
        self._stream.flush()

    def close(self) -> None:
        """Clear the line."""
        if self._show:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def printable(text: str) -> str:
    """Text that cannot steer a terminal: control characters become visible."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def preview(frame: pl.DataFrame, stream: TextIO) -> None:
    """The first rows as a table that fits the terminal."""
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    shown = [name for name in ("anchor", "positive", "negative", "label", "text", "title", "id") if name in frame.columns][:4]
    table = RichTable(box=None, pad_edge=False)
    for name in shown or frame.columns[:4]:
        table.add_column(name, overflow="ellipsis", no_wrap=True, ratio=1 if name != "label" else None)
    for row in frame.select(shown or frame.columns[:4]).rows():
        table.add_row(*(Text(printable(str(cell))) for cell in row))
    console = Console(file=stream)
    table.expand = True
    console.print(table)
