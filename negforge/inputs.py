"""Opens a stage's inputs as one checked table: kinds, ids, renames, limits, side tables."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from negforge import rng
from negforge.badrows import PLACE, BadRows
from negforge.engine import NARROW_BYTES, Partitioner, Spool, storage
from negforge.errors import InputError, UsageError, did_you_mean, listed
from negforge.formats import fitted, merged, named, without_null
from negforge.journal import Kept
from negforge.records import Kind, Table, check_collisions, conform, typed_empty
from negforge.sinks import split_dropped
from negforge.tables import History, Source, open_sources

_GONE = "gone.npy"
_ROWS_A_GATHER = 1 << 14
_SHIFT = np.uint64(24)  # row numbers up to 2^40, in the top bits that partitions look at


@dataclass
class Input:
    """One table, of one kind, from one or several sources.

    batches: frames of the same columns, dropped rows inside. clustered: whether kept rows of an anchor stand together.
    history: complete once the batches were read. collapsed: equal rows of a foreign source that became one. rows: kept and
    dropped ones, where they are known before.
    """

    kind: Kind
    batches: Callable[[int], Iterator[pl.DataFrame]]
    clustered: bool = False
    history: History = field(default_factory=list)
    collapsed: int = 0
    rows: int | None = None

    def live(self, rows: int) -> Iterator[pl.DataFrame]:
        """Kept rows, without the drop block."""
        for frame in self.batches(rows):
            yield split_dropped(frame)[0]


def given(frame: pl.DataFrame, name: str = "the given frame") -> Source:
    """A frame in memory as a source."""
    frame = named(frame)
    return Source(name, lambda rows: frame.iter_slices(rows) if frame.height else iter([frame]))


def sources_of(inputs: Sequence[str | pl.DataFrame]) -> list[Source]:
    """The sources that inputs name; standard input is read once at most."""
    if sum(one == "-" for one in inputs if isinstance(one, str)) > 1:
        raise UsageError("standard input is named twice", mend="name the other input as a file")
    return [source for one in inputs for source in ([given(one)] if isinstance(one, pl.DataFrame) else open_sources(one))]


def renamed(source: Source, renames: Sequence[str]) -> Source:
    """The source with columns renamed: `OLD=NEW`. An OLD that is not there, or a NEW that is, is an error at the first batch."""
    names: dict[str, str] = {}
    for rename in renames:
        old, sign, new = rename.partition("=")
        if not (old and sign and new):
            raise UsageError(f"--rename {rename} is not OLD=NEW", mend="for example --rename label=source_label")
        if old in names or new in names.values():
            raise UsageError(f"--rename {rename} names a column for the second time", mend="rename each column once, to a name of its own")
        names[old] = new
    if not names:
        return source
    inner = source.batches

    def batches(rows: int) -> Iterator[pl.DataFrame]:
        for frame in inner(rows):
            for old, new in names.items():
                have = f"it has {listed(frame.columns)}"
                if old not in frame.columns:
                    mend = did_you_mean(old, frame.columns, "mend --rename; files that differ in it are ingested one by one")
                    raise InputError(f"column '{old}' is not in {source.name}", have, mend)
                if new in frame.columns and new not in names:
                    raise InputError(f"--rename {old}={new}: {source.name} has a column '{new}' already", have, "choose another name")
            yield frame.rename(names)

    return replace(source, batches=batches)


def behind_mark(source: Source) -> Source:
    """The source from its mark on, which may be set later; what cannot begin there is read up to it."""
    inner = source.batches

    def batches(rows: int) -> Iterator[pl.DataFrame]:
        over = source.mark.rows
        for frame in inner(rows):
            if over < frame.height or not over:
                yield frame[over:]
            over = max(0, over - frame.height)

    return source if source.goes_on else replace(source, batches=batches)


def located(source: Source, bad: BadRows) -> Source:
    """The source with its bad rows taken by `bad`; where some may be, a column says where each row stands."""
    source.bad = bad
    inner = source.batches

    def batches(rows: int) -> Iterator[pl.DataFrame]:
        done = source.mark.rows
        for frame in inner(rows):
            numbers = pl.int_range(done + 1, done + 1 + pl.len())
            done += frame.height
            places = pl.concat_str(pl.lit(f"{source.name} row "), numbers.cast(pl.String)).alias(PLACE)
            yield frame if PLACE in frame.columns else frame.with_columns(places)

    return replace(source, batches=batches) if bad.most else source


def open_input(sources: list[Source], kind: Kind, folder: Path | Kept, *, limit_bytes: int, twice: bool = False) -> Input:
    """The sources as one table of the kind.

    Foreign rows are conformed and their ids checked; so are the ids of several sources together. `twice` says that the
    table will be read more than once. folder: see `check_ids`. Raises InputError for another kind or an id with two contents.
    """
    refuse_kinds(sources, kind)
    if len(sources) == 1 and sources[0].kind:
        source = sources[0]
        one = Input(kind, _never_empty(source, kind), source.clustered, source.history, rows=source.rows)
        if not (twice and source.once):
            return one
        spool = Spool(_kept(folder).path / "input.arrow")
        for frame in one.batches(1 << 16):
            spool.add(frame)
        return Input(kind, _spooled(spool, kind), source.clustered, source.history, rows=spool.rows)
    names = [source.name for source in sources]
    parts = (_conformed(source, kind) for source in sources)
    return check_ids(parts, kind, folder, limit_bytes, [s.history for s in sources], names)


def _kept(folder: Path | Kept) -> Kept:
    return folder if isinstance(folder, Kept) else Kept(folder, lasts=False)


def refuse_kinds(sources: list[Source], kind: Kind) -> None:
    """Raise InputError for a source that negforge wrote as another kind."""
    for source in sources:
        if source.kind and not kind.takes(source.kind):
            raise InputError(f"{source.name} is a table of {source.kind}, not of {kind.name}", mend=f"make {kind.name} of it first")


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


@dataclass
class _Piece:
    """Rows of a source that have the same columns, on disk. first, row: the number of the first one among all, in its source."""

    spool: Spool
    schema: dict[str, pl.DataType]
    source: str
    first: int
    row: int

    @classmethod
    def left(cls, folder: Path, note: dict[str, Any]) -> _Piece:
        """The piece that `note` gave."""
        spool = Spool(folder / note["spool"], note["rows"])
        return cls(spool, dict(next(spool.batches(1)).schema), note["source"], note["first"], note["row"])

    def note(self) -> dict[str, Any]:
        """What JSON has of it."""
        return {"spool": self.spool.path.name, "rows": self.spool.rows, "source": self.source, "first": self.first, "row": self.row}

    def place(self, row: int) -> str:
        """A row's place in words."""
        return f"row {row - self.first + self.row + 1}" + (f" of {self.source}" if self.source else "")


def check_ids(
    parts: Iterator[Iterator[pl.DataFrame]],
    kind: Kind,
    folder: Path | Kept,
    limit_bytes: int,
    histories: list[History],
    names: Sequence[str] = (),
    *,
    more: Callable[[], dict[str, Any]] = dict,
) -> Input:
    """Conformed rows of several sources as one table: equal rows collapse, an id with two contents is an error.

    What the kind is about is the content of an id; of an id that the source gave, the other columns are too. Rows whose ids
    were made may differ in these, and so may a corpus's, read from rows that repeat a text beside what is said of it: they
    collapse to the one of the smallest hash, whatever the order of the rows.
    Frames may differ in columns; the table has them all. names: of the sources, for messages.
    Only (row number, id hash, content hashes) is held, in partitions; the rows wait on disk. Where a run before left them whole,
    `parts` are not read. more: what the note about them is to say besides.
    """
    kept = _kept(folder)
    if kept.note is not None:
        pieces = [_Piece.left(kept.path, one) for one in kept.note["pieces"]]
        gone, histories = np.load(kept.path / _GONE), kept.note["histories"]
    else:
        pieces, gone = _checked(parts, kind, kept.path, limit_bytes, names)
        if kept.lasts:
            with storage(kept.path):
                np.save(kept.path / _GONE, gone)
            kept.leave({"pieces": [piece.note() for piece in pieces], "histories": histories, **more()})
    schema = _common_schema(pieces) or dict(typed_empty(kind, list(kind.required)).schema)

    def batches(rows: int) -> Iterator[pl.DataFrame]:
        some = False
        for piece in pieces:
            start = piece.first
            for frame in piece.spool.batches(rows):
                mask = gone[start : start + frame.height]
                start += frame.height
                once = frame.filter(pl.Series(~mask)) if mask.any() else frame
                if once.height:
                    some = True
                    yield aligned(once, schema)
        if not some:
            yield pl.DataFrame(schema=schema)

    shared = histories[0] if histories and all(history == histories[0] for history in histories) else []
    history = shared or [entry for one in histories for entry in one]
    collapsed = int(gone.sum())
    return Input(kind, batches, False, history, collapsed, len(gone) - collapsed)


def _checked(
    parts: Iterator[Iterator[pl.DataFrame]], kind: Kind, folder: Path, limit_bytes: int, names: Sequence[str]
) -> tuple[list[_Piece], NDArray[np.bool_]]:
    """The rows on disk, and which of them repeat another."""
    pieces: list[_Piece] = []
    narrow = Partitioner(folder / "ids", min(limit_bytes, NARROW_BYTES))
    done = 0
    for number, part in enumerate(parts):
        begun, schema = done, None
        for frame in part:
            if dict(frame.schema) != schema:
                schema = dict(frame.schema)
                spool = Spool(folder / f"source-{len(pieces)}.arrow")
                pieces.append(_Piece(spool, schema, names[number] if names else "", done, done - begun))
            pieces[-1].spool.add(frame)
            if frame.height:
                narrow.add(*_hashes(frame, kind, done))
            done += frame.height
    for piece in pieces:
        piece.spool.close()
    return pieces, _repeated(narrow, pieces, kind, done)


def _hashes(frame: pl.DataFrame, kind: Kind, done: int) -> tuple[pl.DataFrame, rng.U64]:
    """Row number, the lower half of the id's hash, and hashes of what the kind is about and of all columns; and the upper half."""
    known: dict[str, rng.Lanes] = {}
    high, low = rng.frame_lanes(frame, ["id"], known)
    left, right = rng.frame_lanes(frame, kind.digest, known)
    rows = {
        "row": np.arange(done, done + frame.height),
        "low": low,
        "content": rng.mix(left ^ right),
        "whole": rng.row_hashes(frame, known),
    }
    return pl.DataFrame(rows), high


def _repeated(narrow: Partitioner, pieces: list[_Piece], kind: Kind, count: int) -> NDArray[np.bool_]:
    """Which of the `count` rows repeat another. InputError for an id with two contents."""
    gone = np.zeros(count, dtype=bool)
    for rows, high in narrow.parts():
        ordered = rows.with_columns(pl.Series("high", high)).sort("high", "low", "whole", "row")
        pairs = ordered.with_columns(pl.all().shift().name.suffix("_before")).filter(
            pl.col("high") == pl.col("high_before"), pl.col("low") == pl.col("low_before")
        )
        other = pairs.select(pl.col("content") != pl.col("content_before")).to_series().to_numpy()
        annotated = pairs.select(pl.col("whole") != pl.col("whole_before")).to_series().to_numpy() & ~other
        if kind.name != "corpus":
            other[annotated] = _given_ids(pieces, kind, pairs["row"].to_numpy()[annotated])
        if other.any():
            first = pairs.row(int(np.argmax(other)), named=True)
            raise _two_contents(pieces, first["row_before"], first["row"])
        gone[pairs["row"].to_numpy()] = True
    return gone


def _given_ids(pieces: list[_Piece], kind: Kind, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """For rows by their number, whether the source gave the id, or it was made of the row's content."""
    found = np.zeros(len(rows), dtype=bool)
    order = np.argsort(rows)
    for piece in pieces if len(rows) else ():
        start = piece.first
        for frame in piece.spool.batches(1 << 16):
            first, last = np.searchsorted(rows[order], [start, start + frame.height])
            some = frame[rows[order[first:last]] - start]
            made = rng.record_ids(kind.name, [some[name] for name in kind.identity])
            found[order[first:last]] = (made != some["id"]).to_numpy()
            start += frame.height
    return found


def _two_contents(pieces: list[_Piece], *rows: int) -> InputError:
    found, places = [], []
    for row in sorted(rows):
        piece = next(piece for piece in reversed(pieces) if piece.first <= row)
        start = piece.first
        for frame in piece.spool.batches():
            if start <= row < start + frame.height:
                found.append(frame.row(row - start, named=True))
                places.append(piece.place(row))
            start += frame.height
    one, other = found
    names = [name for name in dict.fromkeys([*one, *other]) if one.get(name) != other.get(name)]
    where = f"{places[0]} and {places[1]} differ in {listed(names)}"
    return InputError(f"id {one['id']!r} has two contents", where, "give each content its own id, or leave the id column out")


def _common_schema(pieces: list[_Piece]) -> dict[str, pl.DataType]:
    """The columns of all pieces, each of the type that holds what the pieces have in it."""
    schema: dict[str, pl.DataType] = {}
    sources: dict[str, str] = {}
    for piece in pieces:
        for name, dtype in piece.schema.items():
            both = merged(schema.get(name, dtype), dtype)
            if both is None:
                what = f"column '{name}' is {schema[name]} in {sources[name] or 'one source'} and {dtype} in {piece.source or 'another'}"
                raise InputError(what, mend="convert one of them to the other's type")
            schema[name] = both
            sources.setdefault(name, piece.source)
    return {name: without_null(dtype) for name, dtype in schema.items()}


def aligned(frame: pl.DataFrame, schema: dict[str, pl.DataType]) -> pl.DataFrame:
    """The frame with the columns and types of a schema, null where it has none. InputError for values that fit no such type."""
    if [*frame.schema.items()] == [*schema.items()]:
        return frame
    try:
        return frame.select(
            fitted(frame[name], dtype) if name in frame.columns else pl.lit(None, dtype).alias(name) for name, dtype in schema.items()
        )
    except (pl.exceptions.PolarsError, pa.ArrowException) as error:
        raise InputError("a column has values of several types that go into none", str(error).partition("\n")[0], "convert it") from error


def limited(table: Input, limit: int | None) -> Input:
    """The table's first `limit` anchors by id: a pass over one column, then a filter."""
    if limit is None:
        return table
    name = table.kind.clusters
    chosen = pl.Series(name, [], dtype=pl.String)
    for frame in table.batches(1 << 16):
        chosen = pl.concat([chosen, frame[name].drop_nulls()]).unique().sort().head(limit)
    inner = table.batches

    def batches(rows: int) -> Iterator[pl.DataFrame]:
        for frame in inner(rows):
            # A row that could not be read has no anchor, and none is left out.
            yield frame.filter(pl.col(name).is_in(chosen.implode()).fill_null(value=True))

    return Input(table.kind, batches, table.clustered, table.history, table.collapsed)


def side_table(kind: type[Table], spec: str | pl.DataFrame, folder: Path | Kept, limit_bytes: int) -> Table:
    """A side input, read as often as wanted, with the digest of its content."""
    sources = sources_of([spec])
    refuse_kinds(sources, kind.kind)
    found, sources = _one_kind(kind.kind, sources) if kind.kind.either else (kind.kind, sources)
    return table_of(kind, open_input(sources, found, folder, limit_bytes=limit_bytes, twice=True))


def _one_kind(kind: Kind, sources: list[Source]) -> tuple[Kind, list[Source]]:
    """Of which of several kinds sources are: as negforge wrote them, else by their columns."""
    first = sources[0]
    names = [source.kind for source in sources]
    if first.kind:
        return next(one for one in kind.either if one.name == names[0]), sources
    frames = first.batches(1 << 16)
    head = next(frames, pl.DataFrame())
    found = [one for one in kind.either if {*one.identity} <= {*head.columns}]
    if not found:
        needs = " or ".join(listed(one.identity) for one in kind.either)
        raise InputError(f"{first.name} is no table of {kind.name}", f"it has {listed(head.columns)}", f"it needs {needs}")
    again = replace(first, batches=lambda _: itertools.chain([head], frames))
    return found[0], [again if first.once else first, *sources[1:]]


def table_of(kind: type[Table], opened: Input) -> Table:
    """An input as a side table: its kept rows, and the order-free digest of them, whatever columns an operator may read."""
    total = 0
    for frame in opened.live(1 << 16):
        if frame.height:
            total += rng.total128(_whole_rows(frame, opened.kind))
    return kind(reader=opened.live, digest=f"{total % (1 << 128):032x}")


def _whole_rows(frame: pl.DataFrame, kind: Kind) -> rng.Lanes:
    """A 128-bit hash of each row: of the columns that the kind's digest names, and of the others where they hold anything."""
    own = rng.frame_lanes(frame, kind.digest)
    rest = rng.row_hashes(frame.drop(kind.digest, strict=False))
    both = rng.combine([own, (rest, rest)])
    return np.where(rest == 0, own[0], both[0]), np.where(rest == 0, own[1], both[1])


def by_anchor(
    table: Input,
    folder: Path,
    limit_bytes: int,
    rows: int,
    aside: Callable[[pl.DataFrame], None],
    size: Callable[[], int] | None = None,
) -> Iterator[pl.DataFrame]:
    """Kept rows in batches that hold every anchor whole, in hash order; dropped rows go to `aside` as they come.

    A clustered table is cut at anchors' ends; another goes through partitions on disk. size: asked how many rows the next
    batch is to have, where it is not always `rows`.
    """
    size = size or (lambda: rows)
    name = table.kind.clusters

    def live() -> Iterator[pl.DataFrame]:
        # A table that is not clustered is gathered whole anyway: tiny batches would only cost time.
        for frame in table.batches(rows if table.clustered else max(rows, _ROWS_A_GATHER)):
            kept, dropped = split_dropped(frame)
            if dropped.height:
                aside(dropped)
            yield kept

    if table.clustered:
        yield from _whole_anchors(live(), name, size)
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

    yield from _whole_anchors((order_frame(part, key, table.kind)[0] for part, key in parts.parts()), name, size)


def _whole_anchors(frames: Iterator[pl.DataFrame], name: str, size: Callable[[], int]) -> Iterator[pl.DataFrame]:
    """Frames cut anew into batches of whole anchors: about as many rows as `size` says, more only where one anchor has more."""
    held: pl.DataFrame | None = None
    for frame in frames:
        held = frame if held is None else pl.concat([held, frame])
        if held.height <= size():
            continue
        cells = held[name]
        starts = (cells != cells.shift()).fill_null(value=True).arg_true().to_numpy()
        first = 0
        while held.height - first > (rows := size()):
            place = int(np.searchsorted(starts, first + rows, side="right")) - 1
            if starts[place] == first:
                place += 1  # an anchor of more rows than a batch
            if place == len(starts):
                break  # it may go on in the next frame
            yield held[first : int(starts[place])]
            first = int(starts[place])
        held = held[first:]
    if held is not None:
        yield held


class Decisions:
    """What a stage of table scope decided about rows, by row number, given back in the order of the rows."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._parts = Partitioner(folder / "decisions", limit_bytes)

    def add(self, decided: pl.DataFrame) -> None:
        """Take decisions: columns `row`, `drop_reason`, `drop_value`, `note`."""
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
            empty = pl.DataFrame(schema={"row": pl.Int64, "drop_reason": pl.String, "drop_value": pl.String, "note": pl.String})
            decided = pl.concat(found) if found else empty
            yield frame, decided.with_columns((pl.col("row") - start).cast(pl.Int64))
            start = end
