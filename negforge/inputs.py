"""Opens a stage's inputs as one checked table: kinds, ids, renames, limits, side tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from negforge import rng
from negforge.engine import Partitioner, Spool
from negforge.errors import InputError, UsageError, listed
from negforge.records import Kind, Table, check_collisions, conform, typed_empty
from negforge.sinks import split_dropped
from negforge.tables import History, Source, open_sources

_SHIFT = np.uint64(24)  # row numbers up to 2^40, in the top bits that partitions look at


@dataclass
class Input:
    """One table, of one kind, from one or several sources.

    batches: frames of the same columns, dropped rows inside. clustered: whether kept rows of an anchor stand together.
    history: complete once the batches were read. collapsed: equal rows of a foreign source that became one.
    """

    kind: Kind
    batches: Callable[[int], Iterator[pl.DataFrame]]
    clustered: bool = False
    history: History = field(default_factory=list)
    collapsed: int = 0

    def live(self, rows: int) -> Iterator[pl.DataFrame]:
        """Kept rows, without the drop block."""
        for frame in self.batches(rows):
            yield split_dropped(frame)[0]


def given(frame: pl.DataFrame, name: str = "the given frame") -> Source:
    """A frame in memory as a source."""
    return Source(name, frame.iter_slices)


def sources_of(inputs: Sequence[str | pl.DataFrame]) -> list[Source]:
    """The sources that inputs name; standard input is read once at most."""
    if sum(one == "-" for one in inputs if isinstance(one, str)) > 1:
        raise UsageError("standard input is named twice", mend="name the other input as a file")
    return [source for one in inputs for source in ([given(one)] if isinstance(one, pl.DataFrame) else open_sources(one))]


def renamed(source: Source, renames: Sequence[str]) -> Source:
    """The source with columns renamed: `OLD=NEW`. An OLD that is not there is an error at the first batch."""
    pairs = [rename.partition("=") for rename in renames]
    for old, sign, new in pairs:
        if not (old and sign and new):
            raise UsageError(f"--rename {old}{sign}{new} is not OLD=NEW", mend="for example --rename label=source_label")
    if not pairs:
        return source
    inner = source.batches

    def batches(rows: int) -> Iterator[pl.DataFrame]:
        for frame in inner(rows):
            for old, _, _ in pairs:
                if old not in frame.columns:
                    raise InputError(f"column '{old}' is not in {source.name}", f"it has {listed(frame.columns)}", "mend --rename")
            yield frame.rename({old: new for old, _, new in pairs})

    return Source(source.name, batches, source.kind, source.clustered, source.history, source.once)


def open_input(sources: list[Source], kind: Kind, folder: Path, *, limit_bytes: int, twice: bool = False) -> Input:
    """The sources as one table of the kind.

    Foreign rows are conformed and their ids checked; so are the ids of several sources together. `twice` says that the
    table will be read more than once. Raises InputError for another kind or an id with two contents.
    """
    for source in sources:
        if source.kind and source.kind != kind.name:
            raise InputError(f"{source.name} is a table of {source.kind}, not of {kind.name}", mend=f"make {kind.name} of it first")
    if len(sources) == 1 and sources[0].kind:
        source = sources[0]
        one = Input(kind, _never_empty(source, kind), source.clustered, source.history)
        if not (twice and source.once):
            return one
        folder.mkdir(parents=True, exist_ok=True)
        spool = Spool(folder / "input.arrow")
        for frame in one.batches(1 << 16):
            spool.add(frame)
        return Input(kind, _spooled(spool, kind), source.clustered, source.history)
    return check_ids((_conformed(source, kind) for source in sources), kind, folder, limit_bytes, [s.history for s in sources])


def _never_empty(source: Source, kind: Kind) -> Callable[[int], Iterator[pl.DataFrame]]:
    """Batches with at least one frame, so that columns are known."""

    def batches(rows: int) -> Iterator[pl.DataFrame]:
        some = False
        for frame in source.batches(rows):
            some = True
            yield frame
        if not some:
            yield typed_empty(kind, list(kind.required))

    return batches


def _spooled(spool: Spool, kind: Kind) -> Callable[[int], Iterator[pl.DataFrame]]:
    return _never_empty(Source("", spool.batches), kind)


def _conformed(source: Source, kind: Kind) -> Iterator[pl.DataFrame]:
    done = 0
    for frame in source.batches(1 << 16):
        if not source.kind:
            check_collisions(frame.columns, kind, source.name)
        yield conform(frame, kind, source.name, done)
        done += frame.height


def check_ids(parts: Iterator[Iterator[pl.DataFrame]], kind: Kind, folder: Path, limit_bytes: int, histories: list[History]) -> Input:
    """Conformed rows of several sources as one table: equal rows collapse to the first, an id with two contents is an error.

    Only (row number, id hash, content hash) is held, in partitions; the rows wait on disk.
    """
    folder.mkdir(parents=True, exist_ok=True)
    spools: list[Spool] = []
    narrow = Partitioner(folder / "ids", limit_bytes)
    done = 0
    for part in parts:
        spool = Spool(folder / f"source-{len(spools)}.arrow")
        spools.append(spool)
        for frame in part:
            spool.add(frame)
            high, low = rng.strings128(frame["id"])
            content = rng.frame_lanes(frame, kind.digest)
            rows = pl.DataFrame({"row": np.arange(done, done + frame.height), "low": low, "content": rng.mix(content[0] ^ content[1])})
            narrow.add(rows, high)
            done += frame.height
        spool.close()
    gone = np.zeros(done, dtype=bool)
    for rows, high in narrow.parts():
        ordered = rows.with_columns(pl.Series("high", high)).sort("high", "low", "row")
        again = (
            ordered.select((pl.col("high") == pl.col("high").shift()) & (pl.col("low") == pl.col("low").shift()))
            .to_series()
            .fill_null(value=False)
        )
        other = ordered.select(pl.col("content") != pl.col("content").shift()).to_series().fill_null(value=False)
        clash = (again & other).arg_true()
        if len(clash):
            raise _two_contents(spools, [int(ordered["row"][int(clash[0]) - 1]), int(ordered["row"][int(clash[0])])])
        gone[ordered.filter(again)["row"].to_numpy()] = True
    schema = _common_schema(spools)

    def batches(rows: int) -> Iterator[pl.DataFrame]:
        start, some = 0, False
        for spool in spools:
            for frame in spool.batches(rows):
                mask = gone[start : start + frame.height]
                start += frame.height
                kept = frame.filter(pl.Series(~mask)) if mask.any() else frame
                some = True
                yield _aligned(kept, schema)
        if not some:
            yield typed_empty(kind, list(kind.required))

    collapsed = int(gone.sum())
    shared = histories[0] if histories and all(history == histories[0] for history in histories) else []
    history = shared or [entry for one in histories for entry in one]
    return Input(kind, batches, False, history, collapsed)


def _two_contents(spools: list[Spool], rows: list[int]) -> InputError:
    found, start = [], 0
    for spool in spools:
        for frame in spool.batches():
            found += [frame.row(row - start, named=True) for row in rows if start <= row < start + frame.height]
            start += frame.height
    names = [name for name in found[0] if found[0].get(name) != found[1].get(name)]
    where = f"rows {rows[0] + 1} and {rows[1] + 1} differ in {listed(names)}"
    return InputError(f"id {found[0]['id']!r} has two contents", where, "give each content its own id, or leave the id column out")


def _common_schema(spools: list[Spool]) -> dict[str, pl.DataType]:
    schema: dict[str, pl.DataType] = {}
    for spool in spools:
        head = next(spool.batches(1), None)
        for name, dtype in (head.schema if head is not None else {}).items():
            known = schema.setdefault(name, dtype)
            if known != dtype and pl.Null not in (known, dtype):
                raise InputError(
                    f"column '{name}' is {known} in one source and {dtype} in another", mend="convert one of them, or --rename it"
                )
            if known == pl.Null:
                schema[name] = dtype
    return schema


def _aligned(frame: pl.DataFrame, schema: dict[str, pl.DataType]) -> pl.DataFrame:
    if dict(frame.schema) == schema:
        return frame
    return frame.select(
        (pl.col(name).cast(dtype) if name in frame.columns else pl.lit(None, dtype)).alias(name) for name, dtype in schema.items()
    )


def limited(table: Input, limit: int | None) -> Input:
    """The table's first `limit` anchors by id: a pass over one column, then a filter."""
    if limit is None:
        return table
    name = table.kind.clusters
    chosen = pl.Series(name, [], dtype=pl.String)
    for frame in table.batches(1 << 16):
        chosen = pl.concat([chosen, frame[name]]).unique().sort().head(limit)
    inner = table.batches

    def batches(rows: int) -> Iterator[pl.DataFrame]:
        for frame in inner(rows):
            yield frame.filter(pl.col(name).is_in(chosen.implode()))

    return Input(table.kind, batches, table.clustered, table.history, table.collapsed)


def side_table(kind: type[Table], spec: str | pl.DataFrame, folder: Path, limit_bytes: int) -> Table:
    """A side input, read as often as wanted, with the digest of its content."""
    folder.mkdir(parents=True, exist_ok=True)
    opened = open_input(sources_of([spec]), kind.kind, folder, limit_bytes=limit_bytes, twice=True)
    return table_of(kind, opened)


def table_of(kind: type[Table], opened: Input) -> Table:
    """An input as a side table: its kept rows, and the order-free digest of them."""
    total = 0
    for frame in opened.live(1 << 16):
        if frame.height:
            total += rng.total128(rng.frame_lanes(frame, kind.kind.digest))
    return kind(reader=opened.live, digest=f"{total % (1 << 128):032x}")


def by_anchor(table: Input, folder: Path, limit_bytes: int, rows: int, aside: Callable[[pl.DataFrame], None]) -> Iterator[pl.DataFrame]:
    """Kept rows in batches that hold every anchor whole, in hash order; dropped rows go to `aside` as they come.

    A clustered table is cut at anchors' ends; another goes through partitions on disk.
    """
    name = table.kind.clusters

    def live() -> Iterator[pl.DataFrame]:
        for frame in table.batches(rows):
            kept, dropped = split_dropped(frame)
            if dropped.height:
                aside(dropped)
            yield kept

    if table.clustered:
        yield from _whole_anchors(live(), name, rows)
        return
    parts = Partitioner(folder / "anchors", limit_bytes)
    empty = None
    for frame in live():
        empty = frame.clear()
        if frame.height:
            parts.add(frame, rng.hash64(frame[name]))
    if parts.rows == 0:
        if empty is not None:
            yield empty
        return
    from negforge.store import order_frame

    yield from _whole_anchors((order_frame(part, key, table.kind)[0] for part, key in parts.parts()), name, rows)


def _whole_anchors(frames: Iterator[pl.DataFrame], name: str, rows: int) -> Iterator[pl.DataFrame]:
    held: pl.DataFrame | None = None
    for frame in frames:
        held = frame if held is None or not held.height else pl.concat([held, frame]) if frame.height else held
        while held.height > rows:
            cells = held[name]
            # The last anchor may go on in the next frame; the cut is where an anchor begins.
            starts = (cells != cells.shift()).fill_null(value=True).arg_true().to_numpy()
            cut = starts[np.searchsorted(starts, rows, side="right") - 1] or (starts[1] if len(starts) > 1 else 0)
            if cut == 0:
                break
            yield held[: int(cut)]
            held = held[int(cut) :]
    if held is not None:
        yield held


class Decisions:
    """What a stage of table scope decided about rows, by row number, given back in the order of the rows."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._parts = Partitioner(folder / "decisions", limit_bytes)

    def add(self, decided: pl.DataFrame) -> None:
        """Take decisions: columns `row`, `drop_reason`, `drop_value`."""
        if decided.height:
            self._parts.add(decided, decided["row"].to_numpy().astype(np.uint64) << _SHIFT)

    def windows(self, frames: Iterator[pl.DataFrame]) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
        """Each frame with the decisions about its rows, their `row` counted from the frame's first."""
        parts = (part.sort("row") for part, _ in self._parts.parts())
        waiting: pl.DataFrame | None = next(parts, None)
        start = 0
        for frame in frames:
            end = start + frame.height
            found = []
            while waiting is not None:
                cut = int(waiting["row"].search_sorted(end))
                found.append(waiting[:cut])
                if cut < waiting.height:
                    waiting = waiting[cut:]
                    break
                waiting = next(parts, None)
            empty = pl.DataFrame(schema={"row": pl.Int64, "drop_reason": pl.String, "drop_value": pl.String})
            decided = pl.concat(found) if found else empty
            yield frame, decided.with_columns((pl.col("row") - start).cast(pl.Int64))
            start = end
