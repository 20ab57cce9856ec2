"""What a table is: its kind, counts, stages and a few rows. Of a dataset its manifest knows, any other table is read to its end."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from negforge.card import feature
from negforge.contents import Contents
from negforge.errors import InputError, listed
from negforge.formats import History, read_notes, schema_of
from negforge.progress import Progress
from negforge.records import KINDS, kinds_of
from negforge.report import Counts, counted
from negforge.runner import EXPORT
from negforge.sinks import Digests, plain_schema, split_dropped
from negforge.store import dataset_named
from negforge.tables import Source, dropped_twin, format_of, open_sources, plain_batches

_ROWS = 1 << 14
_MOST_REASONS = 20  # that rows are shown of


@dataclass
class Look:
    """What a look at a table found.

    manifest: that of a dataset; of another table what would stand in it: kind, rows, columns, digests, contents, stages. head:
    where it lies and how much it is, for people. kept, dropped: rows to look at. folder: of a dataset.
    """

    manifest: dict[str, Any]
    head: list[str]
    kept: pl.DataFrame
    dropped: pl.DataFrame
    folder: Path | None = None


def look(spec: str, *, rows: int = 3, dropped: bool = False, show_progress: bool = False) -> Look:
    """Look at what `DIR`, `DIR@v2`, a file, a glob, `hf://OWNER/NAME` or `-` names.

    rows: how many to take: the first ones kept, or, with `dropped`, the first dropped ones of each reason. InputError for what
    is no table.
    """
    path = Path(spec)
    is_folder = path.is_dir() or not (format_of(path.name)[0] or path.exists() or {*spec} & {*"*?["})
    if spec != "-" and not spec.startswith("hf://") and is_folder:
        return _dataset(spec, rows, dropped=dropped)
    progress = Progress("show", show=show_progress)
    try:
        return _table(spec, rows, progress)
    finally:
        progress.close()


def _dataset(spec: str, rows: int, *, dropped: bool) -> Look:
    dataset, version = dataset_named(spec)
    source = dataset.source(version)
    number = int(source.name.rpartition("@v")[2])
    manifest = dataset.manifest(number)
    have = ", ".join(f"v{one}" for one in dataset.versions())
    lost = manifest["dropped"]
    head = [
        f"{dataset.path}: {manifest['kind']}, v{number} of {have}, made {manifest['created']}",
        f"{counted(manifest['rows'], 'row')} in data/v{number}, in {counted(len(manifest['shards']), 'shard')}",
        f"{lost['rows']:,} dropped and {lost['other_labels']:,} of another label in .negforge/v{number}/dropped",
        f"rows_digest {manifest['digests']['rows_digest']}",
    ]
    first = _First(rows)
    if dropped:
        for file in lost["shards"]:
            for frame in plain_batches(dataset.path / file["path"], _ROWS):
                first.add(*split_dropped(frame))
    elif manifest["rows"]:
        first.add(next(source.batches(max(rows, 1))), pl.DataFrame())
    return Look(manifest, head, *first.rows(), dataset.path)


def _table(spec: str, rows: int, progress: Progress) -> Look:
    sources = open_sources(spec)
    kinds = {source.kind: source.name for source in sources if source.kind}
    if len(kinds) > 1:
        there = listed(f"{name} is a table of {kind}" for kind, name in kinds.items())
        raise InputError("these are tables of several kinds", there, "name tables of one kind")
    notes, twin = ({}, Path()) if kinds else _beside(spec)
    kind = next(iter(kinds), str(notes.get("kind", "")))
    tally = _Tally(Digests(KINDS.get(kind, EXPORT)), _First(rows), progress)
    for source in sources:
        for frame in source.batches(_ROWS):
            tally.add(frame)
    history = _common([source.history for source in sources])
    if notes and notes.get("rows_digest") == tally.digests.named()["rows_digest"]:
        history = notes.get("history", [])
        for frame in plain_batches(twin, _ROWS):
            tally.add(frame)
    elif notes:  # of another file
        kind = ""
    manifest: dict[str, Any] = {
        "name": spec if len(sources) > 1 else sources[0].name,
        "kind": kind or None,
        "rows": tally.digests.kept,
        "columns": [feature(field) for field in plain_schema(tally.empty.to_arrow().schema)],
        "dropped": {"rows": tally.digests.lost},
        **({"digests": tally.digests.named()} if kind else {}),
        "contents": tally.contents.document(),
        "stages": history,
    }
    return Look(manifest, _head(manifest, sources), *tally.first.rows())


def _head(manifest: dict[str, Any], sources: list[Source]) -> list[str]:
    """For people: what it is, also of a table that negforge did not write, which has no kind of its own."""
    names = [column["name"] for column in manifest["columns"]]
    rows, lost = counted(manifest["rows"], "row"), manifest["dropped"]["rows"]
    like = [one.name for one in kinds_of(names)]
    kind = manifest["kind"] or (f"{like[0]} by its columns, not written by negforge" if like else "not written by negforge")
    files = f", {counted(len(sources), 'file')}" if len(sources) > 1 else ""
    head = [f"{manifest['name']}: {'a trainer' + chr(39) + 's layout' if kind == EXPORT.name else kind}{files}"]
    head.append(f"{rows}, {f'{lost:,}' if lost else 'none'} dropped" if manifest["kind"] else rows)
    if "digests" in manifest:
        head.append(f"rows_digest {manifest['digests']['rows_digest']}")
    return [*head, f"columns: {listed(names, 40)}"]


class _Tally:
    """Counts, digests and first rows of frames as they come by. empty: the columns of kept rows."""

    def __init__(self, digests: Digests, first: _First, progress: Progress) -> None:
        self.digests, self.first, self._progress = digests, first, progress
        self.contents = Contents(digests.kind)
        self.empty = pl.DataFrame()

    def add(self, frame: pl.DataFrame) -> None:
        """Take rows."""
        kept, lost = split_dropped(frame)
        self.digests.add(kept, lost)
        self.contents.add(kept, kept)
        self.contents.add_dropped(lost)
        self.first.add(kept, lost)
        if kept.height or not self.empty.columns:
            self.empty = kept.clear()
        self._progress.update(Counts(seen=self.digests.kept + self.digests.lost, kept=self.digests.kept))


class _First:
    """The first rows kept, and the first dropped ones of each reason."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._kept = self._dropped = pl.DataFrame()

    def add(self, kept: pl.DataFrame, dropped: pl.DataFrame) -> None:
        """Take rows."""
        if self._kept.height < self._rows:
            self._kept = pl.concat([self._kept, kept.head(self._rows)], how="diagonal_relaxed").head(self._rows)
        if dropped.height and self._rows:
            both = pl.concat([self._dropped, self._of_each(dropped)], how="diagonal_relaxed")
            self._dropped = self._of_each(both).head(self._rows * _MOST_REASONS)

    def _of_each(self, dropped: pl.DataFrame) -> pl.DataFrame:
        return dropped.group_by("dropped_by", "drop_reason", maintain_order=True).head(self._rows).select(dropped.columns)

    def rows(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The rows kept and the rows dropped."""
        return self._kept, self._dropped


def _common(histories: list[History]) -> History:
    """The stages that all tables share, or those of one after the other."""
    return histories[0] if all(one == histories[0] for one in histories) else [entry for one in histories for entry in one]


def _beside(spec: str) -> tuple[dict[str, Any], Path]:
    """What the dropped rows beside a text file say of it: text itself has no place for kind and history."""
    path = Path(spec)
    twin = dropped_twin(path)
    if format_of(path.name)[0] not in ("jsonl", "csv") or not path.is_file() or not twin.is_file():
        return {}, twin
    try:
        with twin.open("rb") as handle:
            return read_notes(schema_of(handle, "parquet")), twin
    except (OSError, pa.ArrowException, InputError):
        return {}, twin
