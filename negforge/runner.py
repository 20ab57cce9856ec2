"""Runs one stage: opens its inputs, calls the operator by scope, collects drops and counts, and hands rows to a sink."""

from __future__ import annotations

import contextlib
import functools
import inspect
import itertools
import json
import logging
import os
import re
import shlex
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from negforge import answers, promoting, registry
from negforge.badrows import PLACE, TEXT, BadRow, BadRows
from negforge.contract import RELAXED, Exported, Skipped
from negforge.documents import Documents
from negforge.engine import NARROW_BYTES, Spool, default_workers, machine_memory, ordered_map, rare_collections, temporary_scratch
from negforge.errors import InputError, UsageError
from negforge.formats import Mark
from negforge.generating import Generation, generate_batch
from negforge.inputs import (
    Decisions,
    Input,
    behind_mark,
    by_anchor,
    check_ids,
    limited,
    located,
    open_input,
    refuse_kinds,
    renamed,
    side_table,
    sources_of,
)
from negforge.journal import Journal, Kept, Made, Result
from negforge.labels import PROMOTED, column_of, labelled, standing, without_refuted
from negforge.layouts import known_right, with_promoted
from negforge.options import Settings, check, settings_of
from negforge.prepared import Prepared, explained, prepare, recorded
from negforge.progress import Progress
from negforge.records import DROP_NAMES, NEGATIVES, Kind, Negatives, Pairs, Table, check_collisions, conform
from negforge.registry import Operator
from negforge.report import Counts, Report, counted, score_steps
from negforge.sinks import BYTES_A_GROUP, ROWS_A_GROUP, Sink, scratch_for, split_dropped
from negforge.tables import History, Source, left_behind

_log = logging.getLogger(__name__)
MakeSink = Callable[[Kind, bool], Sink]
_HELD_FRAMES = 100
_BATCH_SECONDS = 1.0
_FEW_ROWS = 10_000  # to start more processes for them costs more than it saves
_FIRST_ROWS = 64  # of which the first tells what a row costs
EXPORT = Kind("export", "A trainer's layout.", (), (), clusters="", digest=())


@dataclass(frozen=True)
class Stage:
    """A stage to run: an operator, its inputs and side inputs, its own options and the settings of the run."""

    operator: Operator
    inputs: tuple[str | pl.DataFrame, ...]
    sides: dict[str, str | pl.DataFrame]
    options: dict[str, Any]
    settings: Settings

    @property
    def given(self) -> dict[str, Any]:
        """Every effective option by name, settings the verb has included."""
        settings = self.settings.model_dump()
        return {**self.options, **{name: settings[name] for name in settings_of(self.operator)}}


def stage_of(title: str, inputs: Sequence[str | pl.DataFrame], given: Mapping[str, Any]) -> tuple[Stage | None, list[UsageError]]:
    """A checked stage from what a flag line, a pipeline file or a Python call gives, or every fault found in it.

    title: verb and operator, such as `generate mine.bm25`. given: options, settings and side inputs by name.
    """
    verb, _, name = title.partition(" ")
    try:
        operator = registry.find(verb, name)
    except UsageError as error:
        return None, [error]
    sides = {side: value for side, value in given.items() if side in operator.sides and value is not None}
    options, settings, faults = check(operator, {key: value for key, value in given.items() if key not in operator.sides})
    faults += [
        UsageError(f"{title} needs --{side.replace('_', '-')}", f"a table of {kind.kind.name}", "name a file, a folder or -")
        for side, kind in operator.sides.items()
        if side not in sides
    ]
    named = [*sides.values(), *(inputs or ["-"])]
    if sum(isinstance(one, str) and one == "-" for one in named) > 1:
        faults.append(UsageError("standard input is named twice", mend="name one of the inputs as a file"))
    return (None, faults) if faults else (Stage(operator, tuple(inputs) or ("-",), sides, options, settings), [])


def run_stage(
    stage: Stage,
    make_sink: MakeSink,
    *,
    output: str | None = None,
    show_progress: bool = False,
    journal: Journal | None = None,
    last: Callable[[], None] | None = None,
) -> Report:
    """Run a stage and publish its rows through the sink. Nothing is published if it fails.

    output: where the rows go, as `-o`; what the stage spools lies with what a writer of a dataset stages. journal: of a
    run that was broken off, with which this one goes on. last: called when all was read, before anything is published.
    """
    begun = time.monotonic()
    progress = Progress(stage.operator.title, show=show_progress)
    with rare_collections(), scratch_for(output) as scratch:
        run = _Run(stage, scratch.path, progress, journal)
        sink: Sink | None = None
        try:
            kind, clustered, frames = run.plan()
            sink = make_sink(kind, clustered)
            sink.document, sink.beside = stage.operator.declares.document, _beside(stage)
            run.aside = sink.aside
            for frame in _gathered(_watched(frames, progress, run.counts)) if sink.gathers else _watched(frames, progress, run.counts):
                sink.write(frame)
            if last is not None:
                last()
            progress.phase("writing")
            counts = run.counts.document(generates=stage.operator.verb == "generate")
            if stage.settings.promote:
                counts.setdefault("promoted", {})  # that nothing was is said as well
            digests = sink.digests.named()
            entry = {**run.entry, "counts": counts, "rows_digest": digests["rows_digest"]}
            outcome = sink.finish([*run.history(), entry], counts)
        except BaseException:
            if sink is not None:
                sink.abort()
            raise
        finally:
            progress.close()
    words = run.entry.get("explained", {})
    return Report(stage.operator.title, counts, outcome, time.monotonic() - begun, makes_ids=run.makes_ids, explained=words)


def _beside(stage: Stage) -> dict[str, str]:
    """The files that an exporter declares beside the texts its rows name, by name."""
    options = {name: json.dumps(plain(value), ensure_ascii=False) for name, value in stage.options.items()}
    slots = re.compile("|".join(f"{{{name}}}" for name in options)) if options else None
    files = stage.operator.declares.beside
    return {name: slots.sub(lambda slot: options[slot[0][1:-1]], file) if slots else file for name, file in files.items()}


def _watched(frames: Iterator[pl.DataFrame], progress: Progress, counts: Counts) -> Iterator[pl.DataFrame]:
    for frame in frames:
        progress.update(counts)
        yield frame


def _gathered(frames: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The frames put together to about a row group: to take the digest of a frame and to write it cost the most per column."""
    held: list[pl.DataFrame] = []
    rows = size = 0
    for frame in frames:
        held.append(frame)
        if len(held) > _HELD_FRAMES:  # a frame of few rows costs more than they do
            held = [pl.concat(held, rechunk=True)]
        rows, size = rows + frame.height, size + int(frame.estimated_size())
        if rows >= ROWS_A_GROUP or size >= BYTES_A_GROUP:
            yield pl.concat(held)
            held, rows, size = [], 0, 0
    if held:
        yield pl.concat(held)


def plan_of(stage: Stage) -> dict[str, Any]:
    """What a run would do, for `--dry-run`: rows in, slots asked, options with side inputs. Reads inputs, writes nothing."""
    with temporary_scratch() as scratch:
        operator = stage.operator
        reads, writes = operator.declares.reads, operator.declares.writes
        sources = _sources(stage) if reads is not None else []
        refuse_swapped(stage, sources)
        for name, one in stage.sides.items():
            if isinstance(one, str) and one != "-":
                refuse_kinds(sources_of([one]), stage.operator.sides[name].kind)
        rows = units = 0
        if writes is not None:
            run = _Run(stage, scratch.path, Progress(operator.title, show=False), None)
            rows = sum(frame.height for place in run.places() for frame in run.read(place, writes.kind))
        if reads is not None:
            opened = open_input(sources, reads.kind, scratch.path / "in", limit_bytes=machine_memory() // 32, twice=True)
            table = limited(opened, stage.settings.limit)
            anchors: set[str] = set()
            for frame in table.live(1 << 16):
                rows += frame.height
                if operator.declares.scope == "anchor" and reads.kind.clusters in frame.columns:
                    anchors.update(frame[reads.kind.clusters].to_list())
            units = len(anchors) if operator.declares.scope == "anchor" else rows
        plan: dict[str, Any] = {
            "stage": operator.title,
            "inputs": [str(one) for one in stage.inputs],
            "sides": {k: str(v) for k, v in stage.sides.items()},
        }
        plan |= {"options": {name: plain(value) for name, value in stage.given.items()}, "rows_in": rows}
        plan |= {"slots": units * stage.settings.num_negatives} if operator.verb == "generate" else {}
        return plan | costs(stage)


def costs(stage: Stage) -> dict[str, int | None]:
    """Model calls, their tokens and their price: none where the operator declares itself free, else None, not known before."""
    free = stage.operator.declares.cost == "free"
    return dict.fromkeys(("model_calls", "tokens", "cost"), 0 if free else None)


def refuse_swapped(stage: Stage, sources: list[Source]) -> None:
    """Raise InputError for an input and a side input that stand in each other's place, with the command that is meant."""
    reads = stage.operator.declares.reads
    for name, kind in stage.operator.sides.items():
        side = stage.sides[name]
        wrong = reads is not None and reads is not kind and {source.kind for source in sources} == {kind.kind.name}
        if reads is None or not wrong or not isinstance(side, str) or side == "-":
            continue
        if {source.kind for source in sources_of([side])} == {reads.kind.name}:
            flag, given = f"--{name.replace('_', '-')}", shlex.join(str(one) for one in stage.inputs)
            where = f"{given} is a table of {kind.kind.name}, {flag} {side} one of {reads.kind.name}"
            raise InputError(
                "the inputs are swapped", where, f"type negforge {stage.operator.title} {shlex.quote(side)} {flag} {given} ..."
            )


def plain(value: Any) -> Any:
    """An option's value as JSON has it."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    return str(value) if isinstance(value, Path) else value


def _sources(stage: Stage, bad: BadRows | None = None) -> list[Source]:
    sources = sources_of(stage.inputs)
    return [renamed(located(behind_mark(source), bad) if bad is not None else source, stage.settings.rename) for source in sources]


class _Pace:
    """How many rows the next batch has, `most` at most: about a second's work, so that progress is seen to move.

    No row depends on it.
    """

    def __init__(self, most: int, least: int = 1) -> None:
        self._most, self._least = most, min(most, least)
        self.rows = min(most, max(_FIRST_ROWS, least))

    def took(self, rows: int, seconds: float) -> None:
        """Learn what a batch of so many rows took."""
        if rows:
            self.rows = max(self._least, min(self._most, int(rows * _BATCH_SECONDS / max(seconds, 1e-6)), 16 * self.rows))

    def cut(self, frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """The frame in batches; of no rows, one."""
        done = 0
        while True:
            piece = frame[done : done + self.rows]
            done += piece.height
            yield piece
            if done >= frame.height:
                return


def _timed(work: Callable[[pl.DataFrame], tuple[Made, Counts]], free: bool, frame: pl.DataFrame) -> tuple[Made, Counts]:
    """The work on a batch, with the seconds it took, in whatever process.

    free: of CPU, that of its own children included, but a tenth of the clock at least. By the clock, a machine busy with other
    things would ask for ever smaller batches, each of which costs something by itself; by CPU alone, what waits for another
    process would cost nothing. What calls a model or executes data is known to wait.
    """
    before = os.times()
    made, counts = work(frame)
    *cpu, clock = (after - begun for after, begun in zip(os.times(), before, strict=True))
    counts.seconds = max(sum(cpu), clock / 10) if free else clock
    return made, counts


class _Run:
    """One execution of a stage: `plan` says what comes out, and its frames do the work as they are read."""

    def __init__(self, stage: Stage, scratch: Path, progress: Progress, journal: Journal | None) -> None:
        self.stage, self.scratch, self.progress, self.journal = stage, scratch, progress, journal
        self.operator, self.settings = stage.operator, stage.settings
        self.memory = self.settings.max_memory or machine_memory() // 4
        self.limit_bytes = self.memory // 8
        self.workers = self.settings.workers or default_workers()
        self.counts = Counts()
        self.bad = BadRows(self.settings.max_bad_rows)
        self.aside: Callable[[str, pl.DataFrame], None] | None = None
        self.entry: dict[str, Any] = {}
        self.makes_ids = False
        self._input: Input | None = None

    def history(self) -> History:
        """The stages that made the input; complete once its rows were read."""
        return self._input.history if self._input is not None else []

    def plan(self) -> tuple[Kind, bool, Iterator[pl.DataFrame]]:
        """The kind of the output, whether it is clustered, and its frames."""
        verb, scope = self.operator.verb, self.operator.declares.scope
        if verb == "ingest":
            return self._ingest()
        table = self._open()
        if verb == "generate":
            return NEGATIVES, scope == "anchor" or table.clustered, self._generate(table)
        if verb == "export":
            return EXPORT, False, self._export(table)
        prepared = self._prepare(table)
        self._record(prepared.record)
        self._tell(prepared)
        if scope == "table":
            return table.kind, table.clustered, self._table(table, prepared)
        return table.kind, self._by_anchor or table.clustered, self._map(table, prepared)

    @property
    def _by_anchor(self) -> bool:
        """Whether rows come in whole anchors: what is promoted is compared with the positives of its anchor."""
        promotes = self.operator.verb == "verify" and self.settings.promote
        return self.operator.declares.scope == "anchor" or promotes

    def _over(
        self, work: Callable[[pl.DataFrame], tuple[Made, Counts]], batches: Iterable[pl.DataFrame], workers: int
    ) -> Iterator[tuple[Made, Counts]]:
        """work(batch) for each batch, in order, by processes of this machine; what the journal knows is not made again."""
        mapped = ordered_map if self.journal is None else self.journal.mapped
        return mapped(work, batches, workers)

    def _kept(self, name: str) -> Kept:
        """A folder of the stage, in which a run that goes on finds what was whole."""
        return Kept(self.scratch / name, lasts=False) if self.journal is None else self.journal.kept(name)

    # -- inputs ----------------------------------------------------------------------------------------------------

    def _open(self) -> Input:
        reads = self.operator.declares.reads
        if reads is None:
            raise RuntimeError(f"{self.operator.title} declares no kind to read")
        declares = self.operator.declares
        twice = self.settings.limit is not None or declares.scope == "table" or self.operator.verb == "generate"
        twice |= self.operator.prepare is not None and "inputs" in inspect.signature(self.operator.prepare).parameters
        sources = _sources(self.stage)
        refuse_swapped(self.stage, sources)
        for one in self.stage.inputs:
            if left_behind(one):
                _log.warning(
                    "%s is text: its dropped rows and its history are not read; between stages use .parquet, .arrow or a pipe", one
                )
        with self._kept("in") as kept:
            opened = open_input(sources, reads.kind, kept, limit_bytes=self.limit_bytes, twice=twice)
        self.counts.collapsed = opened.collapsed
        self._input = opened
        if self.settings.limit is None:
            self.progress.expect(opened.rows)
        return opened

    @functools.cache  # noqa: B019 - one run, one object
    def _sides(self) -> dict[str, Table]:
        if self.operator.sides:
            self.progress.phase("reading " + " and ".join(f"--{name.replace('_', '-')}" for name in self.operator.sides))
        tables = {}
        for name, kind in self.operator.sides.items():
            with self._kept(f"side-{name}") as kept:
                tables[name] = side_table(kind, self.stage.sides[name], kept, self.limit_bytes)
        return tables

    def _prepare(self, table: Input) -> Prepared:
        sides = self._sides()
        self.progress.phase("preparing")
        more = {"inputs": limited(table, self.settings.limit).live, "whole": table.live, "phase": self.progress.phase}
        return self._prepared(self.operator, self.stage.options, sides, "state", **more)

    def _prepared(self, operator: Operator, options: dict[str, Any], sides: Mapping[str, Table], name: str, **more: Any) -> Prepared:
        """An operator with its state; of one of ours, what was made of it before is not made again. name: of its folder."""
        if self.journal is None or operator.tree.foreign or operator.prepare is None:
            return prepare(operator, options, self.settings, sides, self._folder(name), self.memory, **more)
        part = functools.partial(self.journal.part, f"{name}-rows")  # opened where it is wanted

        def over(work: Callable[[pl.DataFrame], pl.DataFrame], batches: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
            return (made for made, _ in part().mapped(lambda batch: (work(batch), Counts()), batches, workers=1))

        with self.journal.kept(name) as kept:
            found = prepare(operator, options, self.settings, sides, kept.path, self.memory, over, **more)
            if kept.note is None:
                kept.leave({"unmatched": self.counts.unmatched})
            elif kept.note["unmatched"]:
                self.counts.unmatched = kept.note["unmatched"]
        return found

    def _rows_a_batch(self, made: int = 1) -> int:
        """As many rows as are asked for, or fewer: with `made` rows of 4 KiB for each they must fit the memory of every worker."""
        return max(1, min(self.settings.batch_size, self.limit_bytes // (self.workers * made * 4096)))

    def _folder(self, name: str) -> Path:
        path = self.scratch / name
        path.mkdir(parents=True, exist_ok=True)
        return path

    def _record(self, options: Mapping[str, Any], **more: Any) -> None:
        """What the manifest says of this stage: everything that changes rows, nothing else."""
        self.entry = {
            "stage": self.operator.title,
            "version": self.operator.declares.version,
            "options": dict(options),
            "seed": self.settings.seed,
            **({"limit": self.settings.limit} if self.settings.limit else {}),
            **({"rename": self.settings.rename} if self.settings.rename else {}),
            **({"round": self.settings.round} if self.settings.round else {}),
            **({"promote": True} if self.settings.promote else {}),
            **({"below_bar": True} if self.settings.below_bar else {}),
            **({"explained": words} if (words := explained(self.operator, self.stage.options)) else {}),
            **more,
            **self._third_party(more.get("verifiers", [])),
        }

    def _tell(self, prepared: Prepared) -> None:
        """Record what only the run can tell, such as a measured recall; no part of a row."""
        if found := getattr(prepared.state, "explained", {}):
            self.entry["explained"] = {**self.entry.get("explained", {}), **found}

    def _third_party(self, verifiers: Sequence[str]) -> dict[str, Any]:
        """Where the operators of this stage come from that are not ours. No part of a row: its id holds declared versions alone."""
        ran = [self.operator, *(registry.find("verify", name) for name in verifiers)]
        found = {one.title: one.provenance for one in ran if one.tree.foreign}
        return {"third_party": found} if found else {}

    # -- ingest ----------------------------------------------------------------------------------------------------

    def _ingest(self) -> tuple[Kind, bool, Iterator[pl.DataFrame]]:
        writes = self.operator.declares.writes
        if writes is None:
            raise RuntimeError(f"{self.operator.title} declares no kind to write")
        kind = writes.kind
        self._record(recorded(self.operator, self.stage.options, self.settings, {}))
        places = self.places()
        names = [place.name if isinstance(place, Source) else str(place) for place in places]
        with self._kept("in") as kept:
            if kept.note is not None:
                self.counts.add(Counts.of(kept.note["counts"]))
                self.bad.rows += [BadRow(*row) for row in kept.note["bad"]]
                self.makes_ids = kept.note["makes_ids"]
            table = check_ids(self._parts(places, kind), kind, kept, self.limit_bytes, [], names, more=self._said)
        self.counts.collapsed = table.collapsed
        if self.bad.rows:  # allowed and not made use of, it changes nothing
            self.entry["max_bad_rows"] = self.settings.max_bad_rows
        if self.settings.limit is None:
            self.progress.expect(table.rows)

        def frames() -> Iterator[pl.DataFrame]:
            block = [pl.lit(None, pl.String).alias(name) for name in DROP_NAMES] if self.bad.rows else []
            schema = pl.Schema()
            for frame in limited(table, self.settings.limit).batches(self._rows_a_batch()):
                self.counts.seen += frame.height
                self.counts.kept += frame.height
                made = frame.with_columns(block)
                schema = made.schema
                yield made
            if self.bad.rows:
                lost = self.bad.dropped(self.operator.title, schema)
                self.counts.seen += lost.height
                self.counts.dropped.update(lost["drop_reason"].to_list())
                yield lost

        return kind, False, frames()

    def _said(self) -> dict[str, Any]:
        """What reading found beside rows."""
        return {"counts": self.counts.plain(), "bad": self.bad.rows, "makes_ids": self.makes_ids}

    def places(self) -> list[Path] | list[Source]:
        """What a reader reads: whole folders, or tables."""
        return [Path(str(one)) for one in self.stage.inputs] if self.operator.reads_folder else _sources(self.stage, self.bad)

    def read(self, place: Path | Source, kind: Kind) -> Iterator[pl.DataFrame]:
        """The rows that a reader makes of a place."""
        call = Prepared(self.operator, self.stage.options, self.settings, None, "")
        name, mark = (place.name, place.mark) if isinstance(place, Source) else (str(place), Mark())
        for found in call.call(self.operator.function, place):  # type: ignore[arg-type]
            if isinstance(found, Skipped):
                self.counts.skipped[found.reason] += found.rows
                continue
            check_collisions([column for column in found.columns if column not in (PLACE, TEXT)], kind, name)
            called = place.columns if isinstance(place, Source) else {}
            self.makes_ids |= "id" not in found.columns and found.height > 0
            yield conform(found, kind, name, mark.made, bad=self.bad, called=called)
            mark.made += found.height
            self.progress.phase(f"reading {name}, {counted(mark.made, 'row')}")

    def _parts(self, places: Sequence[Path | Source], kind: Kind) -> Iterator[Iterator[pl.DataFrame]]:
        """The rows of each place. Of whole folders, and by readers of others, all are read anew: they may hold more than a row."""
        journal = self.journal if not self.operator.tree.foreign else None
        before = itertools.groupby(journal.made() if journal is not None else (), key=lambda one: int(one.note["place"]))
        number, known = next(before, (-1, iter(())))
        with journal.writing() if journal is not None else contextlib.nullcontext():
            for at, place in enumerate(places):
                if journal is None or isinstance(place, Path):
                    yield self.read(place, kind)
                elif at == number:
                    yield self._read_on(at, place, kind, journal, known)
                    number, known = next(before, (-1, iter(())))
                else:
                    yield self._read_on(at, place, kind, journal, iter(()))

    def _read_on(self, number: int, source: Source, kind: Kind, journal: Journal, known: Iterator[Result]) -> Iterator[pl.DataFrame]:
        """The rows of a source: those that the journal knows, then what stands behind them, which is written down."""
        mark = source.mark
        for result in known:
            *frames, types = result.made if isinstance(result.made, tuple) else ()
            yield from (frame for frame in frames if frame is not None)
            self.counts.add(result.counts)
            self.bad.rows += [BadRow(*row) for row in result.note["bad"]]
            self.makes_ids |= result.note["makes_ids"]
            mark.go_on(result.note["mark"], {} if types is None else dict(types.schema))
            if result.note["whole"]:
                return
        made: list[pl.DataFrame] = []
        bad, skipped = len(self.bad.rows), self.counts.skipped.copy()

        def write_down(rows: int, *, whole: bool) -> None:
            """All that the reader made since the last time."""
            nonlocal bad, skipped
            mark.rows += rows
            note = {"place": number, "mark": mark.numbers(), "bad": self.bad.rows[bad:], "makes_ids": self.makes_ids, "whole": whole}
            frames = (*made, pl.DataFrame(schema=mark.types))
            journal.add(Result(rows, frames, Counts(skipped=self.counts.skipped - skipped), note))
            made.clear()
            bad, skipped = len(self.bad.rows), self.counts.skipped.copy()

        def batches(rows: int) -> Iterator[pl.DataFrame]:
            for frame in source.batches(rows):
                yield frame
                # The reader asks for more: it has given all that it makes of this one.
                write_down(frame.height, whole=False)

        for frame in self.read(replace(source, batches=batches), kind):
            made.append(frame)
            yield frame
        write_down(0, whole=True)

    # -- generate --------------------------------------------------------------------------------------------------

    def _generate(self, table: Input) -> Iterator[pl.DataFrame]:
        generator = self._prepare(table)
        declares = self.operator.declares
        names = declares.verifiers if self.settings.verify else ()
        known = self._known_positives(table, generator) if names else None
        verifiers = []
        for name in names:
            verifier = registry.find("verify", name)
            sides: dict[str, Table] = {side: known for side in verifier.sides if known is not None}
            options = check(verifier, {})[0]
            verifiers.append(self._prepared(verifier, options, sides, f"verify-{name}", generator=self.operator.name))
        self._record(generator.record, verifiers=list(names))
        self._tell(generator)
        work = functools.partial(generate_batch, Generation(generator, tuple(verifiers)))
        source = limited(table, self.settings.limit)
        yield from self._mapped(work, source, self._rows_a_batch(self.settings.num_negatives))

    def _mapped(self, work: Callable[[pl.DataFrame], tuple[pl.DataFrame, Counts]], source: Input, rows: int) -> Iterator[pl.DataFrame]:
        """Batches of kept rows through the work, by scope; the rows dropped before come after all of them, on any batching."""
        passing = Spool(self.scratch / "passing.arrow")

        def aside(dropped: pl.DataFrame) -> None:
            self.counts.seen += dropped.height
            self.counts.dropped["before"] += dropped.height
            passing.add(dropped)

        def live() -> Iterator[pl.DataFrame]:
            for frame in source.batches(rows):
                kept, dropped = split_dropped(frame)
                if dropped.height:
                    aside(dropped)
                yield from pace.cut(kept)

        pace = _Pace(rows, self.operator.declares.least_rows)
        batches = by_anchor(source, self.scratch, self.limit_bytes, rows, aside, lambda: pace.rows) if self._by_anchor else live()
        free = self.operator.declares.cost == "free"
        few = free and self.settings.workers is None and source.rows is not None and source.rows <= _FEW_ROWS
        schema: dict[str, pl.DataType] = {}
        for frame, counts in self._over(functools.partial(_timed, work, free), batches, 1 if few else self.workers):
            self.counts.add(counts)
            pace.took(counts.seen, counts.seconds)
            schema = schema or dict(frame.schema)
            yield frame
        for frame in passing.batches(rows) if passing.rows else ():
            yield _fitted(frame, schema)

    def _known_positives(self, table: Input, generator: Prepared) -> Pairs:
        """The positives of the whole input, `--limit` notwithstanding; when mining, their texts in the corpus as well."""
        store = getattr(generator.state, "corpus", None)

        def batches(rows: int) -> Iterator[pl.DataFrame]:
            named = known = 0
            for frame in table.live(rows):
                yield frame
                if store is not None and "positive_id" in frame.columns:
                    found = store.find(frame["positive_id"])
                    there = found >= 0
                    named += frame.height - frame["positive_id"].null_count()
                    known += int(there.sum())
                    texts = store.take(found[there])
                    yield frame.filter(pl.Series(there)).with_columns(texts["text"].alias("positive"))
            self.counts.unmatched = named - known

        return Pairs(reader=batches)

    # -- score, verify, filter -------------------------------------------------------------------------------------

    def _map(self, table: Input, prepared: Prepared) -> Iterator[pl.DataFrame]:
        source = limited(table, self.settings.limit)
        yield from self._mapped(functools.partial(map_batch, prepared), source, self._rows_a_batch())

    # -- dedupe ----------------------------------------------------------------------------------------------------

    def _table(self, table: Input, prepared: Prepared) -> Iterator[pl.DataFrame]:
        """A narrow table of all kept rows is decided on, group by group or as a whole; a second pass applies the decisions."""
        source = limited(table, self.settings.limit)
        whole = "scratch" in inspect.signature(self.operator.function).parameters
        with self._kept("decisions") as kept:
            decided = Spool(kept.path / "decided.arrow", kept.note["rows"] if kept.note is not None else 0)
            if kept.note is None:
                for answer in self._decided_whole(prepared, source) if whole else self._decided(prepared, source):
                    decided.add(answers.decisions(self.operator, answer))
                decided.close()
                kept.leave({"rows": decided.rows})
        decisions = Decisions(self.scratch, self.limit_bytes)
        for frame in decided.batches(1 << 16):
            decisions.add(frame)
        yield from self._apply(source, decisions)

    def _narrow(self, prepared: Prepared, source: Input) -> Iterator[pl.DataFrame]:
        """The narrow table in frames, each row with the number of the row it is about, among all kept ones."""
        done = 0
        for keys, counts in self._over(functools.partial(keys_of, prepared), source.live(self._rows_a_batch()), workers=1):
            row = keys["row"] if "row" in keys.columns else pl.Series("row", np.arange(keys.height), dtype=pl.Int64)
            yield keys.with_columns(row + done)
            done += counts.seen
            self.progress.phase(f"comparing, {counted(done, 'row')}")

    def _decided(self, prepared: Prepared, source: Input) -> Iterator[Any]:
        from negforge.engine import Partitioner

        narrow = Partitioner(self.scratch / "narrow", min(self.limit_bytes, NARROW_BYTES))
        for keys in self._narrow(prepared, source):
            narrow.add(keys.drop("group"), keys["group"].to_numpy())
        for part, group in narrow.parts():
            yield prepared.call(self.operator.function, Negatives(part.with_columns(pl.Series("group", group))))

    def _decided_whole(self, prepared: Prepared, source: Input) -> Iterator[Any]:
        """By an operator whose rows have several keys each: it reads the narrow table once, to its end, and keeps what it needs."""
        given = {"scratch": self._folder("narrow"), "max_memory": self.memory}
        yield from prepared.call(self.operator.function, Negatives(reader=lambda _: self._narrow(prepared, source)), **given)

    def _apply(self, source: Input, decisions: Decisions) -> Iterator[pl.DataFrame]:
        before: list[pl.DataFrame] = []

        def live() -> Iterator[pl.DataFrame]:
            for frame in source.batches(self._rows_a_batch()):
                kept, dropped = split_dropped(frame)
                before.append(dropped)
                yield kept

        for frame, decided in decisions.windows(live()):
            reasons = (
                frame.with_row_index("row").select(pl.col("row").cast(pl.Int64)).join(decided, on="row", how="left", maintain_order="left")
            )
            made, counts = _with_drops(self.operator.title, frame, reasons.select("drop_reason", "drop_value", "note"))
            dropped = before.pop(0)
            counts.seen += dropped.height
            counts.dropped["before"] += dropped.height
            self.counts.add(counts)
            yield pl.concat([made, _fitted(dropped, dict(made.schema))]) if dropped.height else made

    # -- export ----------------------------------------------------------------------------------------------------

    def _export(self, table: Input) -> Iterator[pl.DataFrame]:
        """A trainer's rows; their provenance, row for row, the texts they name and the rows that did not fit go beside them."""
        prepared = self._prepare(table)
        self._record(prepared.record, keep_labels=sorted(self.settings.keep_labels))
        labels = {"negative", *self.settings.keep_labels}
        source = limited(table, self.settings.limit)
        rows = self._rows_a_batch()
        done = 0
        first = True
        before: list[pl.DataFrame] = []
        named = Documents(self.scratch / "named", self.limit_bytes)
        batches = by_anchor(source, self.scratch, self.limit_bytes, rows, before.append)
        work = functools.partial(export_batch, prepared, labels)
        for (made, provenance, lost, corpus), counts in self._over(work, batches, self.workers):
            self.counts.add(counts)
            if self.aside is not None and corpus is not None:
                if first:  # where there is no place for it, that is told before anything is written
                    self.aside("corpus", corpus.clear())
                named.add(corpus)
            if self.aside is not None and lost is not None:
                self.aside("dropped", lost)
            if self.aside is not None and provenance is not None and (made.height or first):
                numbered = provenance.with_columns(pl.Series("row", np.arange(done, done + made.height), dtype=pl.Int64))
                self.aside("provenance", numbered.select("row", pl.all().exclude("row")))
            done += made.height
            first = False
            yield made
        for frame in named.frames():
            if self.aside is not None:
                self.aside("corpus", frame)
        for frame in before:
            self.counts.seen += frame.height
            self.counts.dropped["before"] += frame.height


def _fitted(frame: pl.DataFrame, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Dropped rows with the columns of the rows they travel with."""
    return frame.select(
        (pl.col(name).cast(dtype) if name in frame.columns else pl.lit(None, dtype)).alias(name) for name, dtype in schema.items()
    )


def _with_drops(title: str, frame: pl.DataFrame, verdict: pl.DataFrame) -> tuple[pl.DataFrame, Counts]:
    """The frame with its drop block filled from a filter's answer."""
    reasons = verdict["drop_reason"]
    counts = Counts(seen=frame.height, kept=int(reasons.null_count()))
    for reason, number in reasons.drop_nulls().value_counts().iter_rows():
        counts.dropped[reason] += number
    if "note" in verdict.columns:
        frame = _noted(frame, verdict["note"], counts)
    lost = pl.Series("dropped_by", [title], dtype=pl.String).new_from_index(0, frame.height)
    block = [
        pl.select(pl.when(reasons.is_not_null()).then(lost)).to_series().alias("dropped_by"),
        reasons.cast(pl.String),
        verdict["drop_value"].cast(pl.String),
    ]
    return frame.with_columns(block), counts


def _noted(frame: pl.DataFrame, notes: pl.Series, counts: Counts) -> pl.DataFrame:
    """The frame with `relaxed` in the evidence of the rows that are noted so; what is noted of rows that stay is counted."""
    counts.noted.update(notes.drop_nulls().to_list())
    relaxed = (notes == RELAXED).fill_null(value=False)
    if not relaxed.any() or "evidence" not in frame.columns:
        return frame
    more = pl.when(relaxed).then(pl.lit([RELAXED])).otherwise(pl.lit([], dtype=pl.List(pl.String)))
    # Others keep the order of theirs.
    evidence = pl.when(relaxed).then(pl.col("evidence").list.concat(more).list.unique().list.sort()).otherwise(pl.col("evidence"))
    return frame.with_columns(evidence.alias("evidence"))


def _left(frame: pl.DataFrame, least: int, counts: Counts) -> None:
    """Count how many negatives each of whole anchors has left, a text once, and how many it lacks of those there are to be."""
    kept = pl.col("dropped_by").is_null() & (pl.col("label") == "negative")
    left = frame.group_by("anchor_id").agg(pl.col("negative").filter(kept).n_unique().alias("left"))["left"]
    counts.per_unit.update(left.to_list())
    counts.short_units += int((left < least).sum())
    counts.short += int((least - left.clip(upper_bound=least).cast(pl.Int64)).sum())


def map_batch(prepared: Prepared, frame: pl.DataFrame) -> tuple[pl.DataFrame, Counts]:
    """A batch of kept rows through a score, a verifier or a filter."""
    operator = prepared.operator
    answer = prepared.call(operator.function, Negatives(frame))
    if operator.verb in ("filter", "dedupe"):
        made, counts = _with_drops(operator.title, frame, answers.drop_block(operator, answer, frame.height))
        if operator.declares.scope == "anchor" and prepared.options.get("at_least") is not None:
            _left(made, prepared.options["at_least"], counts)
    else:
        made, counts = frame, Counts(seen=frame.height, kept=frame.height)
        if operator.verb == "verify":
            name = column_of(operator.name)
            if isinstance(answer, pl.DataFrame):
                made = frame = frame.with_columns(answer.drop("verdict", strict=False).get_columns())
            answer = answers.verdicts(operator, answer, frame.height)
            verdict = standing(name, frame[name], answer) if name in frame.columns else answer.alias(name)
            made = _verified(prepared, frame.with_columns(verdict), counts)
            witness = pl.when(pl.col(name) == "negative").then(pl.lit([operator.name])).otherwise(pl.lit([], dtype=pl.List(pl.String)))
            made = made.with_columns(pl.col("evidence").list.concat(witness).list.unique().list.sort())
            for label, number in made["label"].value_counts().iter_rows():
                counts.labels[label] += number
        else:
            made = frame.with_columns(answers.added(operator, answer, frame.height).get_columns())
            counts.scores.update(score_steps(answer))
        made = made.with_columns(pl.lit(None, pl.String).alias(name) for name in DROP_NAMES)
    return made.select(NEGATIVES.ordered(made.columns)), counts


def _verified(prepared: Prepared, frame: pl.DataFrame, counts: Counts) -> pl.DataFrame:
    """Rows with the verdict of a verifier, labelled anew, and promoted where that is asked for."""
    name, settings = prepared.operator.name, prepared.settings
    if settings.promote:
        frame = promoting.taken(frame, [name], settings.language, frame)
        frame = promoting.spread(frame, name, settings.language)
    made = without_refuted(labelled(promoting.still(frame)))
    if settings.promote:
        counts.promoted[name] += made.filter(promoting.promoted(made), pl.col(column_of(name)) == "positive").height
    return made


def export_batch(prepared: Prepared, labels: set[str], frame: pl.DataFrame) -> tuple[Exported, Counts]:
    """A batch of whole anchors in a trainer's layout. Rows of another label do not go out; they are dropped by that name.

    Of a layout that has a language, neither do negatives that are right for their anchor by any of its rows: `known-positive`. There
    the rows that were promoted are positives of their anchor.
    """
    operator, language = prepared.operator, prepared.settings.language
    guarded = "language" in operator.parameters
    right = known_right(frame, language) if guarded else pl.lit(value=False)
    raised = promoting.promoted(frame if guarded else frame.drop(PROMOTED, strict=False))
    other = pl.concat_str(pl.lit("label-"), pl.col("label"))
    unlike = pl.when(~pl.col("label").is_in([*labels])).then(other).when(right).then(pl.lit("known-positive"))
    reason = frame.select(pl.when(~raised).then(unlike).alias("drop_reason")).to_series()
    rows = frame.filter(reason.is_null() & ~raised)
    if raised.any():
        rows, refused = with_promoted(rows, frame, raised, language)
        reason = reason.zip_with(refused.is_null(), refused)
    block = [pl.lit(operator.title).alias("dropped_by"), reason.alias("drop_reason"), pl.lit(None, pl.String).alias("drop_value")]
    lost = frame.with_columns(block).filter(reason.is_not_null())
    made = answers.exported(operator, prepared.call(operator.function, Negatives(rows)))
    if raised.any() and made.dropped is not None:  # a negative beside a promoted text is a row beside its own positive already
        own = made.dropped.filter(~pl.col("source_id").is_in(frame["id"].filter(raised).implode()))
        made = made._replace(dropped=own.select(*dict.fromkeys([*frame.columns, *DROP_NAMES])))
    parts = [part for part in (lost, made.dropped) if part is not None and part.height]
    dropped = pl.concat(parts) if parts else None
    counts = Counts(seen=frame.height, kept=frame.height)
    if dropped is not None:
        counts.kept -= dropped.height
        counts.dropped.update(dropped["drop_reason"].to_list())
    return made._replace(dropped=dropped), counts


def keys_of(prepared: Prepared, frame: pl.DataFrame) -> tuple[pl.DataFrame, Counts]:
    """The narrow table of a batch of kept rows that a stage of table scope decides on. The counts say of how many rows it is."""
    answer = prepared.call(prepared.operator.keys, Negatives(frame))
    return answers.narrow(prepared.operator, answer, frame.height), Counts(seen=frame.height)
