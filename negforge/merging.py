"""Unites tables of one kind: equal rows become one, and one negative that was judged in several tables keeps every judgement.

What a row is about must be the same wherever its id is; what was found out about it is united. Kept negatives are verified
against the positives of all tables, for a text that one table chose may be right by another. Only narrow keys are held of
all rows; whole rows wait in partitions only where an id is in several tables with something to unite.
Source: Eventual-Inc/Daft#3112 (writes that may be repeated) and MinishLab/semhash#49 (other columns, and reasons, survive).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negforge import registry, rng
from negforge.engine import Partitioner, machine_memory
from negforge.errors import InputError, OptionError, UsageError, did_you_mean, listed, together
from negforge.formats import merged, without_null
from negforge.inputs import Input, aligned, open_input, sources_of
from negforge.labels import PREFIX, PROMOTED, column_of, labelled, without_refuted
from negforge.options import Settings, check
from negforge.outputs import check_output, for_datasets, over_input, replaced
from negforge.prepared import Prepared, prepare
from negforge.progress import Progress
from negforge.promoting import promoted
from negforge.records import DROP_NAMES, KINDS, NEGATIVES, Kind, Negatives, Pairs
from negforge.report import Counts, Report
from negforge.runner import MakeSink, map_batch
from negforge.sinks import Digests, scratch_for, split_dropped
from negforge.store import DatasetSink, order_frame
from negforge.tables import History, Source

SCORES = ("error", "higher", "lower")
_ROWS = 1 << 15
_ALONE, _REPEAT, _UNITE = range(3)
_SETS = ("evidence", "source_ids")  # lists that are united
_KNOWN = column_of("known-positive")
_VERDICTS = ("negative", "unknown", "positive")  # the later one stands: a text that may be right ships as no negative


@dataclass(frozen=True)
class Rules:
    """What stands where tables disagree. scores: of two values under one name. kept_wins: a row that one table keeps is kept."""

    scores: str = "error"
    kept_wins: bool = False


def merge_faults(
    inputs: Sequence[str | pl.DataFrame], output: str | None, rules: Rules, settings: Settings, *, to: str | None = None
) -> list[UsageError]:
    """What is wrong with where the rows of a merge would go, and with its options."""
    names = [one for one in inputs if isinstance(one, str)]
    faults = [*check_output(output, to), *over_input(output, names), *for_datasets(output, settings)]
    if rules.scores not in SCORES:
        mend = did_you_mean(rules.scores, SCORES, "")
        faults.append(OptionError("scores", f"takes one of {listed(SCORES)}, not {rules.scores!r}", mend=mend))
    return faults


@dataclass
class _Table:
    """An input, with what became known of it as it was read."""

    name: str
    input: Input
    digests: Digests
    seen: int = 0


@dataclass
class _Tally:
    """What became of the rows. Every row seen is kept, dropped, collapsed (equal to another) or united with one of its id."""

    collapsed: int = 0
    united: int = 0
    relabelled: int = 0
    dropped_elsewhere: int = 0
    schema: dict[str, pl.DataType] = field(default_factory=dict)


def merge(
    inputs: Sequence[str | pl.DataFrame],
    make_sink: MakeSink,
    rules: Rules,
    *,
    output: str | None = None,
    max_memory: int | None = None,
    show_progress: bool = False,
) -> Report:
    """Unite tables and publish the rows through the sink, whatever the order of the inputs.

    A row dropped in one table and kept in another is dropped, with its reason, unless `rules.kept_wins`. A verdict that proves
    is never withdrawn; of two that do not, the one that speaks more against the negative stands. A kept negative that is a
    positive of its anchor in any of the tables, in a dropped row too, or was promoted to one there, becomes `positive`. A
    schedule's `position` does not survive. InputError for an id with two contents, and for two values of one score unless
    `rules.scores` says which.
    """
    begun = time.monotonic()
    memory = max_memory or machine_memory() // 4
    limit = memory // 8
    progress = Progress("merge", show=show_progress)
    with scratch_for(output) as scratch:
        sink = None
        try:
            sources = sources_of(inputs)
            kind = kind_of(sources)
            _spare(output, kind)
            tables = [
                _Table(source.name, open_input([source], kind, scratch.path / f"in-{n}", limit_bytes=limit, twice=True), Digests(kind))
                for n, source in enumerate(sources)
            ]
            tally = _Tally()
            roles = _roles(tables, tally, kind, scratch.path, limit, progress)
            verifier = _verifier(tables, tally, scratch.path / "known", memory, progress) if kind is NEGATIVES else None
            sink = make_sink(kind, True)
            progress.expect(len(roles) - tally.collapsed)
            rows = _united(tables, roles, rules, tally, kind, Partitioner(scratch.path / "unite", limit))
            rows = rows if verifier is None else _verified(rows, verifier, tally)
            for frame in rows if isinstance(sink, DatasetSink) else _in_order(rows, kind, scratch.path, limit):
                sink.write(frame)
                progress.update(Counts(seen=sink.digests.kept + sink.digests.lost, kept=sink.digests.kept))
            progress.phase("writing")
            history, parents = _histories(tables)
            counts: dict[str, Any] = {"seen": len(roles), "kept": sink.digests.kept, "dropped": {}}
            counts |= {"dropped": {"before": sink.digests.lost}} if sink.digests.lost else {}
            counts |= {name: getattr(tally, name) for name in ("collapsed", "united", "relabelled", "dropped_elsewhere")}
            entry = {
                "stage": "merge",
                "version": 1,
                "options": {"scores": rules.scores, "kept_wins": rules.kept_wins},
                "seed": 0,
                "parents": parents,
                "counts": counts,
                "rows_digest": sink.digests.named()["rows_digest"],
            }
            outcome = sink.finish([*history, entry], counts)
        except BaseException:
            if sink is not None:
                sink.abort()
            raise
        finally:
            progress.close()
    return Report("merge", counts, outcome, time.monotonic() - begun)


def _spare(output: str | None, kind: Kind) -> None:
    if faults := replaced(output, kind):
        raise together(faults, "negforge merge")


def kind_of(sources: list[Source]) -> Kind:
    """The one kind of all inputs; rows of a foreign file are read as that kind."""
    kinds = {source.kind: source.name for source in sources if source.kind}
    if not kinds:
        raise InputError("none of the tables was written by negforge", listed(source.name for source in sources), "ingest them first")
    if len(kinds) > 1:
        there = listed(f"{name} is a table of {kind}" for kind, name in kinds.items())
        raise InputError("these are tables of several kinds", there, "name tables of one kind")
    (kind,) = kinds
    if kind not in KINDS:
        raise UsageError(
            f"{kinds[kind]} is an export", "a trainer's layout has no ids to know rows by", "name the negatives that it was made of"
        )
    return KINDS[kind]


# -- which rows have to do with each other -----------------------------------------------------------------------------


def _roles(tables: list[_Table], tally: _Tally, kind: Kind, folder: Path, limit: int, progress: Progress) -> NDArray[np.uint8]:
    """For each row: it has its id alone, repeats another row wholly, or is to be united with others of its id.

    (id hash, row number, hash of all columns) of each row is all that is compared.
    """
    narrow = Partitioner(folder / "ids", limit)
    done = 0
    for table in tables:
        for frame in _batches(table):
            _widen(tally.schema, frame, table.name)
            table.digests.add(*split_dropped(frame))
            table.seen += frame.height
            if frame.height:
                known: dict[str, rng.Lanes] = {}
                high, low = rng.frame_lanes(frame, ["id"], known)
                rows = {"low": low, "whole": rng.row_hashes(frame, known), "row": np.arange(done, done + frame.height)}
                narrow.add(pl.DataFrame(rows), high)
            done += frame.height
            progress.update(Counts(seen=done, kept=done))
    if any(name in tally.schema for name in DROP_NAMES):
        tally.schema |= dict.fromkeys(DROP_NAMES, pl.String())
    tally.schema = _ordered(tally.schema, kind)
    roles = np.zeros(done, dtype=np.uint8)
    for part, high in narrow.parts():
        ordered = part.with_columns(pl.Series("high", high)).sort("high", "low", "whole", "row")
        one = ordered["row"].to_numpy()
        same = np.zeros(ordered.height, dtype=bool)
        for name in ("high", "low"):
            cells = ordered[name].to_numpy()
            same[1:] = (cells[1:] == cells[:-1]) & (same[1:] | (name == "high"))
        whole = ordered["whole"].to_numpy()
        equal = same.copy()
        equal[1:] &= whole[1:] == whole[:-1]
        group = np.cumsum(~same) - 1
        contents = np.bincount(group, weights=~equal)
        roles[one[equal]] = _REPEAT
        roles[one[~equal & (contents[group] > 1)]] = _UNITE
    tally.collapsed = int((roles == _REPEAT).sum())
    return roles


def _batches(table: _Table) -> Iterator[pl.DataFrame]:
    """A table's rows. The places of a schedule are of one table alone: united, they would say nothing."""
    for frame in table.input.batches(_ROWS):
        yield frame.drop("position") if table.input.kind.column("position") and "position" in frame.columns else frame


def _widen(schema: dict[str, pl.DataType], frame: pl.DataFrame, name: str) -> None:
    for column, dtype in frame.schema.items():
        both = merged(schema.get(column, dtype), dtype)
        if both is None:
            there = f"{schema[column]} in an earlier table, {dtype} in {name}"
            raise InputError(f"column '{column}' is of two types", there, "convert one of them to the other's type")
        schema[column] = both


def _ordered(schema: dict[str, pl.DataType], kind: Kind) -> dict[str, pl.DataType]:
    """Columns in an order that no order of tables changes: the kind's, then the others by name."""
    declared = [column.name for column in kind.columns if column.name in schema]
    return {name: without_null(schema[name]) for name in [*declared, *sorted(schema.keys() - {*declared})]}


# -- the positives of all tables -----------------------------------------------------------------------------------------


class _Verifiers(NamedTuple):
    """`known-positive` over the rows' positives, and, where some were promoted, over these."""

    known: Prepared
    promoted: Prepared | None

    def verdict(self, frame: pl.DataFrame) -> pl.Series | None:
        """Which rows have what was promoted in another; it proves nothing of its own row, which has its verdicts."""
        if self.promoted is None:
            return None
        said = self.promoted.call(self.promoted.operator.function, Negatives(frame))
        found: pl.Series = (said == "positive") & (frame[PROMOTED] != "positive").fill_null(value=True)
        return found

    def find_some(self, frame: pl.DataFrame) -> bool:
        """Whether any row is right by a positive or by what was promoted."""
        again = self.verdict(frame)
        known = self.known.call(self.known.operator.function, Negatives(frame)) == "positive"
        return bool(known.any()) or (again is not None and bool(again.any()))


def _verifier(tables: list[_Table], tally: _Tally, folder: Path, memory: int, progress: Progress) -> _Verifiers | None:
    """`known-positive` over the positives of all rows, kept and dropped, with its column among those of the rows.

    Texts compare in the language of the tables' stages, in English where these differ. None where no table has the verdicts
    and no kept row would be found: such rows stay as they are.
    """
    progress.phase("reading positives")

    def positives(rows: int) -> Iterator[pl.DataFrame]:
        for table in tables:
            for frame in table.input.batches(rows):
                names = [name for name in ("id", "anchor_id", "anchor", "positive", "positive_id") if name in frame.columns]
                yield frame.select(names).drop_nulls(["anchor_id", "anchor", "positive"])

    def raised(rows: int) -> Iterator[pl.DataFrame]:
        for table in tables:
            for frame in table.input.live(rows):
                names = {"id": "id", "anchor_id": "anchor_id", "anchor": "anchor", "negative": "positive", "negative_id": "positive_id"}
                there = {old: new for old, new in names.items() if old in frame.columns}
                yield frame.filter(promoted(frame)).select(*there).rename(there)

    def prepared(pairs: Callable[[int], Iterator[pl.DataFrame]], name: str) -> Prepared:
        (folder / name).mkdir(parents=True, exist_ok=True)
        return prepare(operator, check(operator, {})[0], settings, {"positives": Pairs(reader=pairs)}, folder / name, memory)

    said = {entry.get("options", {}).get("language") for table in tables for entry in table.input.history} - {None}
    operator = registry.find("verify", "known-positive")
    settings = Settings(language=str(said.pop()) if len(said) == 1 else "en")
    found = _Verifiers(prepared(positives, "known"), prepared(raised, "promoted") if PROMOTED in tally.schema else None)
    if _KNOWN not in tally.schema:
        live = (_aligned(frame, tally.schema) for table in tables for frame in table.input.live(_ROWS) if frame.height)
        if not any(found.find_some(frame) for frame in live):
            return None
        tally.schema = _ordered({**tally.schema, _KNOWN: pl.String()}, NEGATIVES)
    return found


def _proven(verifiers: _Verifiers, frame: pl.DataFrame) -> pl.DataFrame:
    made = map_batch(verifiers.known, frame)[0]
    again = verifiers.verdict(made)
    if again is None or not again.any():
        return made
    return without_refuted(labelled(made.with_columns(pl.when(again).then(pl.lit("positive")).otherwise(_KNOWN).alias(_KNOWN))))


def _aligned(frame: pl.DataFrame, schema: dict[str, pl.DataType]) -> pl.DataFrame:
    return aligned(frame.select(name for name in schema if name in frame.columns), schema)


def _verified(rows: Iterator[pl.DataFrame], verifiers: _Verifiers, tally: _Tally) -> Iterator[pl.DataFrame]:
    """The rows, each kept one with the verdict, label and evidence that `verify known-positive` makes; dropped ones as they are."""
    for whole in rows:
        for frame in whole.iter_slices(_ROWS) if whole.height else (whole,):
            kept, lost = split_dropped(frame)
            if kept.height:
                made = _proven(verifiers, kept)
                tally.relabelled += int((made["label"] != kept["label"]).sum())
                kept = made
            yield pl.concat([_aligned(part, tally.schema) for part in (kept, lost)])


# -- rows --------------------------------------------------------------------------------------------------------------


def _united(
    tables: list[_Table], roles: NDArray[np.uint8], rules: Rules, tally: _Tally, kind: Kind, waiting: Partitioner
) -> Iterator[pl.DataFrame]:
    """Every row once: those alone as they are, then the united ones."""
    done = 0
    yield pl.DataFrame(schema=tally.schema)
    for number, table in enumerate(tables):
        for frame in _batches(table):
            role = roles[done : done + frame.height]
            done += frame.height
            alone = frame if not role.any() else frame.filter(pl.Series(role == _ALONE))
            if alone.height:
                yield aligned(alone, tally.schema)
            if (role == _UNITE).any():
                several = aligned(frame.filter(pl.Series(role == _UNITE)), tally.schema)
                waiting.add(several.with_columns(pl.lit(number, pl.Int64).alias("__source")), rng.hash64(several["id"]))
    names = [table.name for table in tables]
    for part, _ in waiting.parts():
        yield _unite(part, rules, tally, kind, names)


def _unite(part: pl.DataFrame, rules: Rules, tally: _Tally, kind: Kind, names: list[str]) -> pl.DataFrame:
    """One row of each id: what it is about, which must be the same, with all that was found out about it."""
    has_drops = "dropped_by" in part.columns
    rows = part.sort("id", *(DROP_NAMES if has_drops else ()), "__source", nulls_last=not rules.kept_wins, maintain_order=True)
    content, agreed = [], []
    for name in tally.schema:
        if name == "id" or name in DROP_NAMES or (name == "label" and kind.column("initial_label") is not None):
            continue
        if name.startswith(PREFIX) and kind.column(name) is not None:
            order = _standing(name)
            ranks = pl.col(name).replace_strict(order, list(range(len(order))), default=None, return_dtype=pl.Int64)
            chosen = ranks.max().replace_strict(list(range(len(order))), order, default=None, return_dtype=pl.String)
            agreed.append(chosen.alias(name))
        elif name in _SETS and kind.column(name) is not None:
            agreed.append(pl.col(name).drop_nulls().explode(empty_as_null=False).unique().sort().alias(name))
        elif name == "operator_version" and kind.column(name) is not None:
            agreed.append(pl.col(name).max())
        elif name.startswith("score_") and kind.column(name) is not None and rules.scores != "error":
            agreed.append(pl.col(name).max() if rules.scores == "higher" else pl.col(name).min())
        else:
            content.append(name)
    _refuse(rows, content, names)
    one = rows.group_by("id", maintain_order=True).agg(
        *(pl.col(name).drop_nulls().first() for name in content),
        *agreed,
        *(pl.col(name).first() for name in (DROP_NAMES if has_drops else ())),
        *([pl.col("label").drop_nulls().unique().alias("__labels")] if "label" in rows.columns else []),
        *([(pl.col("dropped_by").is_null().n_unique() > 1).alias("__both")] if has_drops else []),
        pl.len().alias("__rows"),
    )
    if kind.column("initial_label") is not None:
        one = without_refuted(labelled(one))
        tally.relabelled += int((one["__labels"].list.len() > 1).sum()) + int(
            ((one["__labels"].list.len() == 1) & (one["__labels"].list.first() != one["label"])).sum()
        )
    if has_drops:
        tally.dropped_elsewhere += int(one["__both"].sum())
    tally.united += int(one["__rows"].sum()) - one.height
    return one.select(pl.col(name).cast(dtype) for name, dtype in tally.schema.items())


def _standing(column: str) -> list[str]:
    """Verdicts of a verifier from the one that gives way to all others to the one that stands: proofs last."""
    proofs = next((one.declared.get("proves", ()) for name, one in registry.operators("verify").items() if column_of(name) == column), ())
    return [*(one for one in _VERDICTS if one not in proofs), *(one for one in _VERDICTS if one in proofs)]


def _refuse(rows: pl.DataFrame, content: list[str], names: list[str]) -> None:
    """InputError for an id of which a column has two values; a null says nothing."""
    hashes = [
        pl.select(pl.when(rows[name].is_not_null()).then(pl.Series(rng.frame_lanes(rows, [name])[0]))).to_series().alias(name)
        for name in content
    ]
    several = pl.DataFrame([rows["id"], *hashes]).group_by("id", maintain_order=True).agg(pl.col(content).drop_nulls().n_unique() > 1)
    wrong = several.filter(pl.any_horizontal(content)) if content else several.clear()
    if not wrong.height:
        return
    row_id = wrong["id"][0]
    columns = [name for name in content if wrong[name][0]]
    here = rows.filter(pl.col("id") == row_id)
    cells = here[columns[0]].to_list()
    first = next(place for place, cell in enumerate(cells) if cell is not None)
    other = next(place for place, cell in enumerate(cells) if cell is not None and cell != cells[first])
    one, two = sorted((names[here["__source"][place]], str(cells[place])) for place in (first, other))
    where = f"{one[0]} and {two[0]} differ in {listed(columns)}: {one[1][:60]!r} and {two[1][:60]!r}"
    if all(name.startswith("score_") for name in columns):
        raise InputError(f"id {row_id!r} has two values of one score", where, "pass --scores higher or --scores lower, or score again")
    raise InputError(f"id {row_id!r} has two contents", where, "give each content its own id, or merge the tables they came from")


def _in_order(rows: Iterator[pl.DataFrame], kind: Kind, folder: Path, limit: int) -> Iterator[pl.DataFrame]:
    """Rows in the order of a dataset, for a file or a pipe."""
    parts = Partitioner(folder / "order", limit)
    yield next(rows)
    for frame in rows:
        parts.add(frame, rng.hash64(frame[kind.clusters]))
    for part, key in parts.parts():
        yield order_frame(part, key, kind)[0]


# -- where the rows came from ------------------------------------------------------------------------------------------


def _histories(tables: list[_Table]) -> tuple[History, list[dict[str, Any]]]:
    """The stages of all tables, each once, and the tables, with the places of their stages in that list."""
    history: History = []
    places: dict[str, int] = {}
    parents: list[dict[str, Any]] = []
    for table in sorted(tables, key=lambda one: (one.digests.named()["content_digest"], one.name)):
        own = []
        for entry in table.input.history:
            text = json.dumps(entry, sort_keys=True, default=str)
            if text not in places:
                places[text] = len(history)
                history.append(entry)
            own.append(places[text])
        rows = {"rows": table.digests.kept, "dropped": table.digests.lost}
        parents.append({"name": table.name, **rows, **table.digests.named(), "stages": own})
    return history, parents
