"""The Python calls: the same stages, options and checks as the command line."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from negforge import auditing, calibrating, checking, comparing, looking, merging
from negforge.auditing import Audit
from negforge.calibrating import Calibration
from negforge.checking import Checked
from negforge.comparing import Difference
from negforge.errors import UsageError, together
from negforge.formats import History
from negforge.options import settings_given
from negforge.outputs import check_output
from negforge.records import Kind
from negforge.report import Report
from negforge.runner import run_stage, stage_of
from negforge.sinks import Outcome, Sink, sink_for, split_dropped


@dataclass
class Result:
    """What a stage made. `kept` and `dropped` are its rows when no output was named, `report` its counts and digests."""

    report: Report
    kept: pl.DataFrame = field(default_factory=pl.DataFrame)
    dropped: pl.DataFrame = field(default_factory=pl.DataFrame)
    asides: dict[str, pl.DataFrame] = field(default_factory=dict)


class MemorySink(Sink):
    """Keeps the rows."""

    def __init__(self, kind: Kind) -> None:
        super().__init__(kind)
        self._frames: list[tuple[pl.DataFrame, pl.DataFrame]] = []
        self.asides: dict[str, list[pl.DataFrame]] = {}

    def write(self, frame: pl.DataFrame) -> None:
        """Keep rows."""
        self._frames.append(split_dropped(frame))
        self.digests.add(*self._frames[-1])

    def aside(self, name: str, frame: pl.DataFrame) -> None:
        """Keep rows of a sidecar."""
        if name == "dropped":
            self.digests.add(frame.clear(), frame)
        self.asides.setdefault(name, []).append(frame)

    def finish(self, history: History, report: dict[str, Any]) -> Outcome:
        """Nothing is left to do."""
        return self._outcome("memory")

    def fill(self, result: Result) -> Result:
        """Hand the rows over; what an export left out stands beside it as dropped rows."""
        asides = {name: pl.concat(frames) for name, frames in self.asides.items()}
        result.kept = pl.concat([kept for kept, _ in self._frames])
        result.dropped = asides.pop("dropped") if "dropped" in asides else pl.concat([dropped for _, dropped in self._frames])
        result.asides = asides
        return result


Named = str | os.PathLike[str]
Given = Named | pl.DataFrame


def run(title: str, /, *inputs: Given, output: str | os.PathLike[str] | None = None, **options: Any) -> Result:
    """Run a stage and hand back its rows or where they are.

    For example: run("generate mine.bm25", "pairs.parquet", corpus="corpus.parquet", num_negatives=8).

    inputs: files, folders or frames. output: as `-o`; without it the rows come back in the result. Raises UsageError with
    every fault of the options, InputError for bad data, StorageError when nothing can be written.
    """
    if not inputs:
        raise UsageError("there is no input", mend="name a file or give a frame")
    stage, faults = stage_of(title, [_plain(one) for one in inputs], {name: _plain(value) for name, value in options.items()})
    output = os.fspath(output) if output is not None else None
    faults += check_output(output, None, stage)
    if stage is None or faults:
        raise together(faults, "the call")
    held: list[MemorySink] = []

    def make_sink(kind: Kind, clustered: bool) -> Sink:
        if output is not None:
            return sink_for(output, None, kind, clustered=clustered, settings=stage.settings)
        held.append(MemorySink(kind))
        return held[-1]

    report = run_stage(stage, make_sink, output=output)
    return held[0].fill(Result(report)) if held else Result(report)


def merge(
    *tables: Given,
    output: str | os.PathLike[str] | None = None,
    scores: str = "error",
    kept_wins: bool = False,
    shards: int | None = None,
    keep_labels: list[str] | None = None,
    max_memory: int | str | None = None,
) -> Result:
    """Unite tables of one kind, whatever their order, and hand back the rows or where they are.

    tables: files, datasets (`DIR`, `DIR@v2`) or frames; one at least was written by negforge. The options are those of `negforge
    merge`. Raises UsageError for a wrong option, InputError for an id with two contents.
    """
    inputs = [_plain(one) for one in tables]
    if not inputs:
        raise UsageError("there is no input", mend="name a file or give a frame")
    place = os.fspath(output) if output is not None else None
    settings = settings_given("the call", shards=shards, keep_labels=keep_labels, max_memory=max_memory)
    rules = merging.Rules(scores, kept_wins)
    if faults := merging.merge_faults(inputs, place, rules, settings):
        raise together(faults, "the call")
    held: list[MemorySink] = []

    def make_sink(kind: Kind, clustered: bool) -> Sink:
        if place is not None:
            return sink_for(place, None, kind, clustered=clustered, settings=settings)
        held.append(MemorySink(kind))
        return held[-1]

    report = merging.merge(inputs, make_sink, rules, output=place, max_memory=settings.max_memory)
    return held[0].fill(Result(report)) if held else Result(report)


def check(table: Named, *, every: bool = False, max_memory: int | str | None = None) -> list[Checked]:
    """Check a version of a dataset, every one of them, or a file; nothing is wrong where `findings` is empty.

    Raises InputError where there is nothing to check. Nothing is written.
    """
    settings = settings_given("the call", max_memory=max_memory)
    return checking.check(os.fspath(table), every=every, max_memory=settings.max_memory)


def diff(before: Named, after: Named | None = None, *, rows: int = 0, max_memory: int | str | None = None) -> Difference:
    """What changed from one table to another, or to a version from its parent. rows: examples under each heading."""
    settings = settings_given("the call", max_memory=max_memory)
    other = os.fspath(after) if after is not None else None
    return comparing.compare(os.fspath(before), other, rows=rows, max_memory=settings.max_memory)


def calibrate(
    table: Given,
    *,
    by: Sequence[str] | str = (),
    reference: str = "weakest",
    qrels: Named | None = None,
    known: Given | None = None,
    language: str = "en",
    max_memory: int | str | None = None,
) -> Calibration:
    """What each threshold of `filter margin` would drop, and with judgements or known pairs how many that are right it leaves.

    table: scored negatives. by: a score or several; without one all that have the positives' beside them. Nothing is written.
    """
    settings = settings_given("the call", max_memory=max_memory)
    return calibrating.calibrate(
        _plain(table),
        by=[by] if isinstance(by, str) else by,
        reference=reference,
        qrels=_plain(qrels),
        known=_plain(known),
        language=language,
        max_memory=settings.max_memory,
    )


def audit(
    operator: str,
    table: Given | None = None,
    *,
    labels: Named,
    anchor: str | None = None,
    positive: str = "positive",
    negative: str = "negative",
    valid: str = "valid",
    at_least: float | None = None,
    by: str | None = None,
    language: str = "en",
    max_memory: int | str | None = None,
) -> Audit:
    """How many of a generator's judged negatives are valid, or how far people agree with a verifier, with Wilson's intervals.

    table: negatives, to find the judged rows in. labels: a judged sample, or for a verifier a table of texts and votes, whose columns
    the other options name. Nothing is written.
    """
    settings = settings_given("the call", max_memory=max_memory)
    return auditing.audit(
        operator,
        _plain(table),
        labels=_plain(labels),
        columns=auditing.Columns(anchor, positive, negative, valid, at_least, by),
        language=language,
        max_memory=settings.max_memory,
    )


def log(dataset: Named) -> list[dict[str, Any]]:
    """The versions of a dataset, newest first: rows, digest, stages, and what changed against the version before."""
    return comparing.log(os.fspath(dataset))


def show(table: Named) -> dict[str, Any]:
    """What a table is: a dataset's manifest, or what would stand in one: kind, counts, columns, contents, digests, stages."""
    return looking.look(os.fspath(table), rows=0).manifest


def _plain(value: Any) -> Any:
    return os.fspath(value) if isinstance(value, os.PathLike) else value
