"""What an unfinished stage has made so far: results in order, in segments on disk that are whole or not there."""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar, cast

import polars as pl

from negforge import rng
from negforge.engine import Spool, ordered_map, storage
from negforge.errors import StorageError
from negforge.report import Counts
from negforge.sinks import sha256, sync, write_atomically

_SEGMENT_BYTES = 1 << 25
_SEGMENT_SECONDS = 5.0
_DIGEST = "digest"
Frames = tuple[pl.DataFrame | None, ...]
Made = TypeVar("Made", bound=pl.DataFrame | Frames)


def sealed(said: dict[str, Any]) -> bytes:
    """What is said of files, as JSON, with its own digest: they may be whole where it is not."""
    plain = json.loads(json.dumps(said))
    return json.dumps({**plain, _DIGEST: _digest(plain)}).encode()


def unsealed(path: Path) -> dict[str, Any]:
    """What was sealed in a file. Raises ValueError where it is not what was written, OSError where it is not there."""
    said = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(said, dict) or said.pop(_DIGEST, None) != _digest(said):
        raise ValueError(f"{path} is damaged")
    return said


def _digest(said: dict[str, Any]) -> str:
    return rng.blake(json.dumps(said, sort_keys=True))


class Result(NamedTuple):
    """What was made of some rows of the input: a frame or several, with counts, and a note as JSON has it."""

    rows_in: int
    made: pl.DataFrame | Frames
    counts: Counts
    note: dict[str, Any]


class Journal:
    """Results in order. Each says how many rows of the input it covers, so that other batches, workers or memory may go on.

    A stage killed at any moment loses its last segment at most: five seconds of work, or one batch that takes longer.
    rows: of the input, that were covered before.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._segments: list[dict[str, Any]] = []
        self._spools: dict[int, Spool] = {}  # of the open segment, by the frame's place in a result
        self._schemas: dict[int, pl.Schema] = {}
        self._results: list[dict[str, Any]] = []
        self._bytes = 0
        self._begun = 0.0
        with storage(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for number in itertools.count():
                segment = self._whole(number)
                if segment is None:
                    break
                self._segments.append(segment)
            numbered = enumerate(self._segments)
            kept = {path for number, one in numbered for path in (self._said(number), *(self._table(number, at) for at in one["tables"]))}
            for path in folder.iterdir():
                if path not in kept and not path.is_dir():
                    path.unlink()
        self.rows = sum(result["rows_in"] for segment in self._segments for result in segment["results"])

    def part(self, name: str) -> Journal:
        """The journal of a part of the stage, which lies in this one's folder."""
        return Journal(self._folder / name)

    def kept(self, name: str) -> Kept:
        """What the stage makes once and needs to its end, in this one's folder."""
        return Kept(self._folder / name)

    def _table(self, number: int, place: int | str) -> Path:
        return self._folder / f"{number:05d}-{place}.arrow"

    def _said(self, number: int) -> Path:
        return self._folder / f"{number:05d}.json"

    def _whole(self, number: int) -> dict[str, Any] | None:
        """A segment whose rows are those it was written with, or None."""
        try:
            segment = unsealed(self._said(number))
            whole = all(sha256(self._table(number, place)) == one["sha256"] for place, one in segment["tables"].items())
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return segment if whole else None

    def mapped(
        self, work: Callable[[pl.DataFrame], tuple[Made, Counts]], batches: Iterable[pl.DataFrame], workers: int
    ) -> Iterator[tuple[Made, Counts]]:
        """work(batch) for each batch, in order: what was made before is read back, the rest is made and written down."""
        source, done, covered = iter(batches), 0, 0
        rest: list[pl.DataFrame] = []
        for result in self.made():
            covered += result.rows_in
            while done < covered:
                rest = [next(source)]
                done += rest[0].height
            yield cast("Made", result.made), result.counts
        over = done - self.rows
        fresh = itertools.chain([rest[0].tail(over)] if over else [], source)
        with self.writing():
            for rows_in, (made, counts) in ordered_map(functools.partial(_measured, work), fresh, workers):
                self.add(Result(rows_in, made, counts, {}))
                yield made, counts

    def made(self) -> Iterator[Result]:
        """The results that were written down before."""
        for number, segment in enumerate(self._segments):
            frames = {
                int(place): pl.concat(Spool(self._table(number, place), one["rows"]).batches(1 << 20))
                for place, one in segment["tables"].items()
            }
            starts = dict.fromkeys(frames, 0)
            for result in segment["results"]:
                found: list[pl.DataFrame | None] = []
                rows_out = result["rows_out"]
                for place, rows in enumerate(rows_out if isinstance(rows_out, list) else [rows_out]):
                    found.append(None if rows is None else frames[place][starts[place] : starts[place] + rows])
                    starts[place] = starts.get(place, 0) + (rows or 0)
                made = tuple(found) if isinstance(rows_out, list) else cast("pl.DataFrame", found[0])
                yield Result(result["rows_in"], made, Counts.of(result["counts"]), result["note"])

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Results may be added; at the end, however it comes, those that were are written down."""
        try:
            yield
        except StorageError:
            for spool in self._spools.values():  # half a segment is of no use, and the disk may be full of it
                spool.path.unlink(missing_ok=True)
            self._spools, self._results = {}, []
            raise
        finally:
            self._close()

    def add(self, result: Result) -> None:
        """Take a result; its frames have any columns."""
        frames = (result.made,) if isinstance(result.made, pl.DataFrame) else result.made
        there = {place: frame for place, frame in enumerate(frames) if frame is not None}
        if any(self._schemas.get(place, frame.schema) != frame.schema for place, frame in there.items()):
            self._close()
        if not self._results:
            self._begun = time.monotonic()
        with storage(self._folder):
            for place, frame in there.items():
                if place not in self._spools:
                    self._spools[place] = Spool(self._table(len(self._segments), place))
                    self._schemas[place] = frame.schema
                self._spools[place].add(frame)
        sizes = [None if frame is None else frame.height for frame in frames]
        rows_out = sizes[0] if isinstance(result.made, pl.DataFrame) else sizes
        self._results.append({"rows_in": result.rows_in, "rows_out": rows_out, "counts": result.counts.plain(), "note": result.note})
        self._bytes += sum(int(frame.estimated_size()) for frame in there.values())
        if self._bytes >= _SEGMENT_BYTES or time.monotonic() - self._begun >= _SEGMENT_SECONDS:
            self._close()

    def _close(self) -> None:
        """End the segment; with its description in place it is whole."""
        if not self._results:
            return
        with storage(self._folder):
            tables = {}
            for place, spool in self._spools.items():
                spool.close()
                sync(spool.path)
                tables[str(place)] = {"sha256": sha256(spool.path), "rows": spool.rows}
            segment = {"tables": tables, "results": self._results}
            write_atomically(self._said(len(self._segments)), sealed(segment))
        self._segments.append(segment)
        self._spools, self._schemas, self._results, self._bytes = {}, {}, [], 0


class Kept:
    """A folder that is filled once, by this run or by one that was broken off: it is empty, or whole, byte for byte.

    note: what was said of it when it was left as whole, as JSON has it; None until then. lasts: whether another run may find it.
    """

    def __init__(self, path: Path, *, lasts: bool = True) -> None:
        self.path, self.lasts = path, lasts
        self._said = path / "whole.json"
        self.note: dict[str, Any] | None = self._found() if lasts else None
        with storage(path):
            if lasts and self.note is None and path.exists():
                shutil.rmtree(path)
            path.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None and self.note is None and self.lasts:  # half of it is of no use, and the disk may be full of it
            shutil.rmtree(self.path, ignore_errors=True)

    def leave(self, note: dict[str, Any]) -> None:
        """Say that all is there."""
        self.note = note
        if self.lasts:
            with storage(self.path):
                for path in self._files():
                    sync(path)
                write_atomically(self._said, sealed({"files": self._digests(), "note": note}))

    def _files(self) -> list[Path]:
        return sorted(path for path in self.path.rglob("*") if path.is_file() and path != self._said)

    def _digests(self) -> dict[str, str]:
        return {str(path.relative_to(self.path)): sha256(path) for path in self._files()}

    def _found(self) -> dict[str, Any] | None:
        """The note of a folder whose files are those that it was left with, or None."""
        try:
            said = unsealed(self._said)
            note: dict[str, Any] = said["note"]
            return note if said["files"] == self._digests() else None
        except (OSError, ValueError, KeyError, TypeError):
            return None


def _measured(work: Callable[[pl.DataFrame], tuple[Made, Counts]], batch: pl.DataFrame) -> tuple[int, tuple[Made, Counts]]:
    return batch.height, work(batch)
