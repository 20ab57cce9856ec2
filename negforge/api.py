"""The Python call: the same stages, options and checks as the command line."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from negforge.errors import UsageError, together
from negforge.formats import History
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


Given = str | os.PathLike[str] | pl.DataFrame


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


def _plain(value: Any) -> Any:
    return os.fspath(value) if isinstance(value, os.PathLike) else value
