"""Datasets: folders whose versions, once published, never change.

Every version lies in `data/vN` and `.negforge/vN`; renaming its manifest into place is the commit. Whatever a writer makes
before that lies in `.negforge/stage-*`, so that a writer killed at any moment leaves the last version as it was.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negforge import __version__, rng
from negforge.card import KEEP, card_text, feature
from negforge.contents import Contents
from negforge.engine import Partitioner, Scratch, collect, hold, is_left, machine_memory, storage
from negforge.errors import InputError, NewerFormatError, UsageError, did_you_mean
from negforge.formats import History, check_history, typed
from negforge.records import DROP_NAMES, Kind
from negforge.sinks import Outcome, ParquetShard, Sink, plain_schema, row_bytes, sha256, split_dropped, sync, write_atomically
from negforge.tables import Source, plain_batches

FORMAT = 1
SHARD_BYTES = 500_000_000  # of plain Arrow, when neither the user nor a parent version says how many shards
_STAGE = "stage-"
_ORDER = ("operator", "draw", "id")
_MANIFEST: dict[str, type] = {
    "kind": str,
    "created": str,
    "rows": int,
    "memory_bytes": int,
    "columns": list,
    "digests": dict,
    "keep_labels": list,
    "clustered": bool,
    "stages": list,
    "shards": list,
    "dropped": dict,
}
_FILE: dict[str, type] = {"path": str, "rows": int, "bytes": int, "sha256": str}
_MAY_BE: dict[str, type] = {"tool": dict, "report": dict, "contents": dict, "asides": list}
_IDENTITY = ("kind", "digests", "stages", "keep_labels", "rows")  # equal in two versions only if their rows are


class _Stage(Scratch):
    """A stage folder. A first writer that gave up leaves nothing of the dataset behind either."""

    def __init__(self, dataset: Dataset) -> None:
        super().__init__(dataset.inner, _STAGE)
        self._dataset = dataset

    def close(self) -> None:
        """Remove the folder."""
        super().close()
        self._dataset.forget()


class Dataset:
    """A dataset folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.inner = path / ".negforge"

    def versions(self) -> list[int]:
        """The committed versions, ascending."""
        entries: list[Path] = []
        with contextlib.suppress(FileNotFoundError):  # a first writer that gives up takes the folder away
            entries += self.inner.glob("v*/manifest.json")
        found = (re.fullmatch(r"v([0-9]+)", entry.parent.name) for entry in entries)
        return sorted(int(match[1]) for match in found if match)

    def newest(self) -> int | None:
        """The highest committed version, or None."""
        return max(self.versions(), default=None)

    def manifest(self, version: int) -> dict[str, Any]:
        """The manifest of a version. InputError if there is none, it is damaged, or of a newer format."""
        path = self.inner / f"v{version}" / "manifest.json"
        try:
            manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            form = manifest.get("format")
            if form == FORMAT:
                _check_types(manifest)
                for file in (*files_of(manifest), *manifest.get("asides", [])):
                    # Whoever sends a dataset must not choose what is read, or sent on, from elsewhere.
                    if not re.fullmatch(rf"(data|\.negforge)/v{version}(/[\w-][\w.-]*)+", file["path"]):
                        raise ValueError(f"{file['path']!r} is no file of v{version}")  # noqa: TRY301 - one door for all damage
        except FileNotFoundError:
            have = ", ".join(f"v{number}" for number in self.versions()) or "no version"
            raise InputError(f"{self.path} has no version v{version}", f"it has {have}", "name one of these") from None
        except (OSError, ValueError, AttributeError, KeyError, TypeError) as error:
            folder = path.parent
            raise InputError(
                f"the manifest of v{version} is damaged",
                f"{path}: {type(error).__name__}: {error}",
                f"restore it, or delete {folder} to give v{version} up",
            ) from error
        if form != FORMAT:
            raise NewerFormatError(f"v{version} has manifest format {form}; this negforge knows {FORMAT}", str(path), "upgrade negforge")
        return manifest

    def files(self, version: int) -> list[str]:
        """The paths of all files of a version but its manifest, as the manifest names them."""
        manifest = self.manifest(version)
        return [str(file["path"]) for file in (*files_of(manifest), *manifest.get("asides", []))]

    def source(self, version: int | None = None) -> Source:
        """A version's rows, kept and dropped. InputError if a file is not the one the manifest names."""
        version = self.newest() if version is None else version
        if version is None:
            raise InputError(f"{self.path} has no version yet", "its writer died, or is still at work", "run the command that makes it")
        manifest = self.manifest(version)
        files = files_of(manifest)
        for file in files:
            self._check_size(file, version)
        checked: set[str] = set()

        def batches(rows: int) -> Iterator[pl.DataFrame]:
            for file in files:
                path = self.path / file["path"]
                if file["path"] not in checked:
                    self._check_size(file, version)
                    found = sha256(path)
                    if found != file["sha256"]:
                        raise tampered(path, version, f"its sha256 begins {found[:12]}, not {file['sha256'][:12]}")
                    checked.add(file["path"])
                yield from plain_batches(path, rows)

        name = f"{self.path}@v{version}"
        rows = sum(file["rows"] for file in files)
        return Source(name, batches, manifest["kind"], manifest["clustered"], manifest["stages"], rows=rows)

    def _check_size(self, file: dict[str, Any], version: int) -> None:
        path = self.path / file["path"]
        try:
            size = path.stat().st_size
        except OSError as error:
            raise tampered(path, version, error.strerror or str(error)) from None
        if size != file["bytes"]:
            raise tampered(path, version, f"{size} bytes in place of {file['bytes']}")

    # -- writing ---------------------------------------------------------------------------------------------------

    def begin(self) -> Scratch:
        """A stage folder to write a version in, once what dead writers left is gone and HEAD and the card are right.

        A first writer so writes the card before anything else: until the version is there, the card names files that are
        not, and loading the folder fails, it never guesses. InputError for a manifest that cannot be read.
        """
        with storage(self.path):
            for version in self.versions():
                self.manifest(version)
            self.inner.mkdir(parents=True, exist_ok=True)
            collect(self.inner, _STAGE)
            stage = _Stage(self)
            try:
                with self._locked():
                    self._heal(stage)
            except BaseException:
                stage.close()
                raise
            return stage

    def forget(self) -> None:
        """Remove the folder of a first writer that gave up: no version, no claim, no other writer, no word of a person's."""
        with contextlib.suppress(OSError), self._locked():
            card, name = self.path / "README.md", self.path.resolve().name
            alone = {entry.name for entry in self.inner.iterdir()} <= {"lock"}
            alone = alone and {entry.name for entry in self.path.iterdir()} == {"README.md", ".negforge"}
            if alone and card.read_text(encoding="utf-8", errors=KEEP) == card_text(name, [], ""):
                # A writer who begins now finds its folder gone, or keeps it from going; then it writes the card anew.
                card.unlink()
                (self.inner / "lock").unlink()
                self.inner.rmdir()
                self.path.rmdir()

    def publish(self, stage: Scratch, manifest: dict[str, Any]) -> tuple[int, bool]:
        """Make the staged folder the next version; return its number, and whether HEAD was equal and stands as it was.

        Shards lie in the stage's folder `data`, all else the version has in `beside`; the manifest names both by these paths.
        """
        with storage(self.path), self._locked():
            head = self.newest()
            if head is not None and self._same(head, manifest):
                self._derive(stage)
                return head, True
            number = 1 + max([0, *self._claims()])
            manifest["version"], manifest["parent"] = number, head
            (self.inner / f"v{number}").mkdir()
            try:
                self._commit(stage, manifest, number)
            except BaseException:
                if number not in self.versions():  # a disk that is full should not stay so
                    self._empty(number, stage)
                raise
            self._derive(stage)
            return number, False

    def _commit(self, stage: Scratch, manifest: dict[str, Any], number: int) -> None:
        """Move what is staged to its places; the manifest's rename, the last step, makes it a version."""
        claim = self.inner / f"v{number}"
        for file in [*files_of(manifest), *manifest.get("asides", [])]:
            place, _, rest = file["path"].partition("/")
            file["path"] = f"data/v{number}/{rest}" if place == "data" else f".negforge/v{number}/{rest}"
        (self.path / "data").mkdir(exist_ok=True)
        (stage.path / "data").rename(self.path / "data" / f"v{number}")
        beside = stage.path / "beside"
        for folder in [*beside.iterdir()] if beside.is_dir() else []:
            sync(folder)
            folder.rename(claim / folder.name)
        for folder in (self.path / "data", claim, self.inner, self.path):
            sync(folder)
        write_atomically(claim / "manifest.json", (json.dumps(manifest, indent=1) + "\n").encode(), stage.file("manifest.json"))

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        handle = hold(self.inner / "lock")
        try:
            yield
        finally:
            os.close(handle)

    def _claims(self) -> list[int]:
        names = [entry.name for folder in (self.inner, self.path / "data") if folder.is_dir() for entry in folder.iterdir()]
        return [int(name[1:]) for name in names if re.fullmatch(r"v[0-9]+", name)]

    def _same(self, head: int, new: dict[str, Any]) -> bool:
        """Whether HEAD holds the same rows, made by the same stages, and all its files, byte for byte."""
        old = self.manifest(head)
        return same_rows(old, new) and all(self._is_whole(file) for file in files_of(old))

    def _is_whole(self, file: dict[str, Any]) -> bool:
        path = self.path / file["path"]
        return bool(path.is_file() and path.stat().st_size == file["bytes"] and sha256(path) == file["sha256"])

    def _heal(self, stage: Scratch) -> None:
        """Empty claims of writers that died, whose numbers stay taken, and derive HEAD and the card anew if they are stale."""
        for number in {*self._claims()} - {*self.versions()}:
            self._empty(number, stage)
        self._derive(stage)

    def _empty(self, number: int, stage: Scratch) -> None:
        """Remove what lies in a claim; the claim itself stays, also where a person deleted it."""
        claim, data = self.inner / f"v{number}", self.path / "data" / f"v{number}"
        claim.mkdir(exist_ok=True)
        if data.is_dir():
            # Away in one step: a reader whose card names this version must not see half of it.
            dead = data.rename(stage.file("dead"))
            shutil.rmtree(dead, ignore_errors=True)
        for entry in claim.iterdir():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()

    def _derive(self, stage: Scratch) -> None:
        """HEAD and the card follow from the manifests; a file that is right is not touched."""
        for path, text in self.derived():
            if text is None:
                path.unlink(missing_ok=True)
            else:
                _write_if_changed(path, text, stage)

    # -- what a check looks at -------------------------------------------------------------------------------------

    def derived(self) -> list[tuple[Path, str | None]]:
        """HEAD and the card, each with the text that it should have by the manifests; None where there should be no file."""
        versions = self.versions()
        card = self.path / "README.md"
        old = card.read_text(encoding="utf-8-sig", errors=KEEP) if card.exists() else ""
        text = card_text(self.path.resolve().name, [self.manifest(number) for number in versions], old)
        return [(self.inner / "HEAD", f"v{versions[-1]}\n" if versions else None), (card, text)]

    def stale(self) -> list[Path]:
        """HEAD and the card, whichever of them is not as the manifests say: a writer died before it brought them up to date.

        A writer who is publishing is waited for.
        """
        with contextlib.ExitStack() as held:
            with contextlib.suppress(OSError):  # a folder that was copied without the file, or is another's
                handle = os.open(self.inner / "lock", os.O_RDONLY)
                held.callback(os.close, handle)
                fcntl.flock(handle, fcntl.LOCK_SH)
            return [
                path
                for path, text in self.derived()
                if (path.read_bytes() if path.exists() else None) != (None if text is None else text.encode(errors=KEEP))
            ]

    def given_up(self) -> list[int]:
        """Numbers that were claimed and are no version: their writers died, or a person deleted the version. They stay taken."""
        return sorted({*self._claims()} - {*self.versions()})

    def leftovers(self) -> list[Path]:
        """What dead writers left, and the next one collects: stages nobody holds, and whatever lies in a number given up."""
        stages = [path for path in sorted(self.inner.glob(f"{_STAGE}*")) if is_left(path)]
        claims = [path for number in self.given_up() for path in (self.inner / f"v{number}", self.path / "data" / f"v{number}")]
        writing = any(path.name.startswith(_STAGE) for path in self.inner.iterdir() if path not in stages)
        # While a writer is at work, a claim may be its own.
        return stages + [path for path in claims if not writing and path.is_dir() and any(path.iterdir())]


def dataset_named(spec: str) -> tuple[Dataset, int | None]:
    """The dataset that `DIR` or `DIR@v2` names, and the version. InputError that says what there is instead of one."""
    folder, at, version = spec.rpartition("@v") if not Path(spec).is_dir() else (spec, "", "")
    folder = folder or spec
    if at and not version.isdecimal():
        raise UsageError(f"'{spec}' names no version", mend=f"for example {folder}@v1")
    path = Path(folder)
    if (path / ".negforge").is_dir():
        return Dataset(path), int(version) if version else None
    if not path.exists():
        names = [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []
        raise InputError(f"there is no folder {path}", mend=did_you_mean(path.name, names, "check the path"))
    if path.is_dir():
        raise InputError(f"{path} is not a dataset of negforge", "it has no .negforge folder", "make one: any stage with -o FOLDER does")
    raise InputError(f"{path} is a file, not a dataset folder", mend="any stage with -o FOLDER makes one")


def same_rows(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two versions hold the same rows, made by the same stages."""
    return all(one.get(key) == other.get(key) for key in _IDENTITY)


def _check_types(manifest: dict[str, Any]) -> None:
    """KeyError or TypeError for a manifest that lacks something or has it of another type than all readers of it expect."""
    typed(manifest, {**_MANIFEST, **{name: kind for name, kind in _MAY_BE.items() if name in manifest}}, "the manifest")
    typed(manifest["dropped"], {"rows": int, "other_labels": int, "shards": list}, "dropped")
    for file in (*files_of(manifest), *manifest.get("asides", [])):
        typed(file, _FILE, "a file")
    check_history(manifest["stages"])
    for column in manifest["columns"]:
        typed(column, {"name": str}, "a column")
    for name, value in [*manifest["digests"].items(), *(("a label", label) for label in manifest["keep_labels"])]:
        if not isinstance(value, str):
            raise TypeError(f"{name} is {value!r:.60}")


def files_of(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """The files of a version that hold its rows."""
    return [*manifest["shards"], *manifest["dropped"]["shards"]]


def tampered(path: Path, version: int, why: str) -> InputError:
    """The error for a file that is not the published one."""
    return InputError(f"{path} is not the file v{version} was published with", why, "restore it, or make the version again")


def _write_if_changed(path: Path, text: str, stage: Scratch) -> None:
    data = text.encode(errors=KEEP)
    if not path.exists() or path.read_bytes() != data:
        write_atomically(path, data, stage.file(path.name))


def order_frame(frame: pl.DataFrame, key: rng.U64, kind: Kind) -> tuple[pl.DataFrame, rng.U64]:
    """Rows in the order of a dataset: (key, cluster, operator, draw, id), with their keys."""
    by = ["__key", *(name for name in dict.fromkeys((kind.clusters, *_ORDER)) if name in frame.columns)]
    ordered = frame.with_columns(pl.Series("__key", key)).sort(by, nulls_last=False, maintain_order=True)
    return ordered.drop("__key"), ordered["__key"].to_numpy()


def ordered_before(frame: pl.DataFrame, key: rng.U64, kind: Kind, last: pl.DataFrame | None) -> tuple[NDArray[np.bool_], pl.DataFrame]:
    """Which rows stand before one they should follow in the order of a dataset; and the last row, for the next frame."""
    by = ["__key", *(name for name in dict.fromkeys((kind.clusters, *_ORDER)) if name in frame.columns)]
    rows = frame.select(by[1:]).with_columns(pl.Series("__key", key)).select(by)
    before = pl.concat([rows[:1] if last is None else last, rows[:-1]]).rename(lambda name: f"{name}_before")
    both = pl.concat([rows, before], how="horizontal")
    early = pl.lit(value=False)
    for name in reversed(by):
        now, then = pl.col(name), pl.col(f"{name}_before")
        early = (now < then) | (now.eq_missing(then) & early)
    return both.select(early.fill_null(value=False).alias("early"))["early"].to_numpy(), rows[-1:]


class DatasetSink(Sink):
    """Writes a version of a dataset. Kept rows of another label than `negative` and `keep_labels` lie with the dropped ones."""

    def __init__(self, kind: Kind, path: Path, *, shards: int | None, keep_labels: list[str], max_memory: int | None = None) -> None:
        super().__init__(kind)
        if shards is not None and shards & (shards - 1):
            raise UsageError(f"--shards {shards} is not a power of two", mend="take 1, 2, 4, 8 and so on")
        with storage(path):
            names: set[str] = set()
            try:
                names = {entry.name for entry in path.iterdir()}  # at once: another first writer may be giving up
            except FileNotFoundError:
                pass
            except NotADirectoryError:
                raise UsageError(f"{path} is a file, not a folder", mend="name a folder, or a file with a known suffix") from None
            if names and ".negforge" not in names:
                raise UsageError(f"{path} is not empty and not a dataset of negforge", mend="name a new or an empty folder")
            self._dataset = Dataset(path)
            self._stage = self._dataset.begin()
        self._shards, self._keep = shards, {"negative", *keep_labels}
        self._keep_labels = sorted(keep_labels)
        limit = (max_memory or machine_memory() // 4) // 8
        self._rows = Partitioner(self._stage.path / "scratch-rows", limit)
        self._rest = Partitioner(self._stage.path / "scratch-rest", limit)
        self._bytes = 0
        self._empty: pl.DataFrame | None = None
        self._asides: dict[str, ParquetShard] = {}
        self._contents = Contents(kind)

    def write(self, frame: pl.DataFrame) -> None:
        """Take rows."""
        kept, dropped = split_dropped(frame)
        self.digests.add(kept, dropped)
        if self._empty is None:
            self._empty = kept.clear()
        self._contents.add_dropped(dropped)
        everything = kept
        if "label" in kept.columns and self.kind.column("label") is not None:
            published = kept["label"].is_in([*self._keep]).fill_null(value=False)
            rest = pl.concat(
                [kept.filter(~published).with_columns(pl.lit(None, pl.String).alias(name) for name in DROP_NAMES), dropped], how="diagonal"
            )
            kept = kept.filter(published)
        else:
            rest = dropped
        self._contents.add(everything, kept)
        with storage(self._dataset.path):
            if kept.height:
                self._bytes += int(row_bytes(kept).sum())
                self._rows.add(kept, self._keys(kept))
            if rest.height:
                self._rest.add(rest, self._clusters(rest))

    def _keys(self, kept: pl.DataFrame) -> rng.U64:
        """What rows are ordered by first: their place, else the hash of their cluster."""
        if not self._placed(kept):
            return self._clusters(kept)
        if "position" in kept.columns:
            return rng.place_keys(kept["position"])
        return rng.place_keys(pl.Series(np.arange(self._rows.rows, self._rows.rows + kept.height, dtype=np.int64)))

    def _clusters(self, frame: pl.DataFrame) -> rng.U64:
        """The hash of each row's cluster; rows that an export dropped have one where the export itself has none."""
        name = next((name for name in (self.kind.clusters, "anchor_id", "id") if name in frame.columns), None)
        return rng.hash64(frame[name]) if name is not None else np.zeros(frame.height, dtype=np.uint64)

    def _placed(self, frame: pl.DataFrame) -> bool:
        """Whether rows are cut into shards by their place and not by a hash: by `position`, or a layout without ids as it came."""
        positioned = "position" in frame.columns and self.kind.column("position") is not None
        return positioned or self.kind.clusters not in frame.columns

    def aside(self, name: str, frame: pl.DataFrame) -> None:
        """Take rows of a sidecar."""
        if name == "dropped":
            self.digests.add(frame.clear(), frame)
            self._contents.add_dropped(frame)
            self._rest.add(frame, self._clusters(frame))
            return
        if name not in self._asides:
            self._asides[name] = ParquetShard(self._folder(name) / "train-00000-of-00001.parquet", frame.to_arrow().schema)
        self._asides[name].add(frame)

    def _folder(self, name: str) -> Path:
        path = self._stage.path / "beside" / name
        path.mkdir(parents=True)
        return path

    def finish(self, history: History, report: dict[str, Any]) -> Outcome:
        """Order, cut into shards, publish."""
        if self._empty is None:
            raise RuntimeError("a stage wrote no frame")
        with storage(self._dataset.path):
            shards = self._write_data(self._empty)
            dropped = self._write_rest()
            asides = []
            for shard in self._asides.values():
                shard.close()
                asides.append(self._describe(shard))
            rows, rest = sum(shard["rows"] for shard in shards), sum(shard["rows"] for shard in dropped)
            if rows + rest != self.digests.kept + self.digests.lost:
                raise RuntimeError(f"{self.digests.kept + self.digests.lost} rows came, {rows + rest} were written")
            manifest: dict[str, Any] = {
                "format": FORMAT,
                "kind": self.kind.name,
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
                "tool": {"negforge": __version__, **{name: metadata.version(name) for name in ("polars", "pyarrow")}},
                "rows": rows,
                "memory_bytes": sum(shard["memory_bytes"] for shard in shards),
                "columns": [feature(field) for field in plain_schema(self._empty.to_arrow().schema)],
                "shards": shards,
                "dropped": {"rows": self.digests.lost, "other_labels": rest - self.digests.lost, "shards": dropped},
                **({"asides": asides} if asides else {}),
                "digests": self.digests.named(),
                "keep_labels": self._keep_labels,
                # Rows of another label stand apart, so reading all rows does not meet an anchor's rows together.
                "clustered": rest == self.digests.lost and not self._placed(self._empty),
                "contents": self._contents.document(),
                "stages": history,
                **({"parents": history[-1]["parents"]} if history and "parents" in history[-1] else {}),
                "report": report,
            }
            number, unchanged = self._dataset.publish(self._stage, manifest)
            self._stage.close()
        return self._outcome(f"{self._dataset.path}@v{number}", unchanged=unchanged, version=number)

    def _write_data(self, empty: pl.DataFrame) -> list[dict[str, Any]]:
        """Write the shards one after the other, so that one alone is open."""
        count = self._shard_count()
        folder = self._stage.folder("data")
        pieces = self._pieces(count)
        place, frame = next(pieces, (count, empty))
        found = []
        for number in range(count):
            shard = ParquetShard(folder / f"train-{number:05d}-of-{count:05d}.parquet", empty.to_arrow().schema)
            while place == number:
                shard.add(frame)
                place, frame = next(pieces, (count, empty))
            shard.close()
            found.append(self._describe(shard))
        sync(folder)
        return found

    def _pieces(self, count: int) -> Iterator[tuple[int, pl.DataFrame]]:
        """Rows in their order, with the number of the shard they belong to."""
        done = 0
        bits = count.bit_length() - 1
        for part, part_key in self._rows.parts():
            frame, key = order_frame(part, part_key, self.kind)
            if self._placed(frame):
                shard = np.arange(done, done + frame.height) * count // self._rows.rows
            else:
                shard = (key >> np.uint64(64 - bits)).astype(np.int64) if bits else np.zeros(frame.height, dtype=np.int64)
            for number in np.unique(shard).tolist():
                start, end = np.searchsorted(shard, [number, number + 1]).tolist()
                yield number, frame[start:end]
            done += frame.height

    def _write_rest(self) -> list[dict[str, Any]]:
        shard: ParquetShard | None = None
        for part, key in self._rest.parts():
            frame, _ = order_frame(part, key, self.kind)
            if shard is None:
                shard = ParquetShard(self._folder("dropped") / "train-00000-of-00001.parquet", frame.to_arrow().schema)
            shard.add(frame)
        if shard is None:
            return []
        shard.close()
        return [self._describe(shard)]

    def _shard_count(self) -> int:
        if self._shards is not None:
            return self._shards
        head = self._dataset.newest()
        if head is not None:
            return len(self._dataset.manifest(head)["shards"])
        return 1 << max(0, math.ceil(math.log2(max(1, self._bytes) / SHARD_BYTES)))

    def _describe(self, shard: ParquetShard) -> dict[str, Any]:
        """A written file as the manifest names it; its path is that in the stage until it is published."""
        return {
            "path": str(shard.path.relative_to(self._stage.path)),
            "rows": shard.rows,
            "bytes": shard.path.stat().st_size,
            "sha256": sha256(shard.path),
            "memory_bytes": shard.memory_bytes,
        }

    def abort(self) -> None:
        """Remove the stage folder, and the whole folder if there is nothing in it yet but what this writer put there."""
        self._stage.close()
