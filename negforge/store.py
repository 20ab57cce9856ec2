"""Datasets: folders whose versions, once published, never change.

Every version lies in `data/vN` and `.negforge/vN`; renaming its manifest into place is the commit. Whatever a writer makes
before that lies in `.negforge/stage-*`, so that a writer killed at any moment leaves the last version as it was.
"""

from __future__ import annotations

import contextlib
import hashlib
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
import pyarrow as pa
import pyarrow.parquet as pq

from negforge import rng
from negforge.engine import Partitioner, Scratch, collect, hold, machine_memory, storage
from negforge.errors import InputError, UsageError
from negforge.records import DROP_NAMES, Kind
from negforge.sinks import Outcome, ParquetShard, Sink, split_dropped, sync
from negforge.tables import History, Source, plain_batches

FORMAT = 1
SHARD_BYTES = 500_000_000  # of plain Arrow, when neither the user nor a parent version says how many shards
_STAGE = "stage-"
_CARD_BEGIN, _CARD_END = "<!-- negforge: begin -->", "<!-- negforge: end -->"
_ORDER = ("operator", "draw", "id")


class Dataset:
    """A dataset folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.inner = path / ".negforge"

    def versions(self) -> list[int]:
        """The committed versions, ascending."""
        found = (re.fullmatch(r"v([0-9]+)", entry.parent.name) for entry in self.inner.glob("v*/manifest.json"))
        return sorted(int(match[1]) for match in found if match)

    def newest(self) -> int | None:
        """The highest committed version, or None."""
        return max(self.versions(), default=None)

    def manifest(self, version: int) -> dict[str, Any]:
        """The manifest of a version. InputError if there is none, it is damaged, or of a newer format."""
        path = self.inner / f"v{version}" / "manifest.json"
        try:
            manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            have = ", ".join(f"v{number}" for number in self.versions()) or "no version"
            raise InputError(f"{self.path} has no version v{version}", f"it has {have}", "name one of these") from None
        except (OSError, ValueError) as error:
            raise InputError(
                f"the manifest of v{version} is damaged", f"{path}: {error}", "restore it, or make the version again"
            ) from error
        if manifest.get("format") != FORMAT:
            found = manifest.get("format")
            raise InputError(f"v{version} has manifest format {found}; this negforge knows {FORMAT}", str(path), "upgrade negforge")
        return manifest

    def source(self, version: int | None = None) -> Source:
        """A version's rows, kept and dropped. InputError if a file is not the one the manifest names."""
        version = version or self.newest()
        if version is None:
            raise InputError(f"{self.path} has no version yet", "its writer died, or is still at work", "run the command that makes it")
        manifest = self.manifest(version)
        files = [*manifest["shards"], *manifest["dropped"]["shards"]]
        for file in files:
            path = self.path / file["path"]
            if not path.exists() or path.stat().st_size != file["bytes"]:
                size = f"{path.stat().st_size} bytes" if path.exists() else "nothing"
                raise InputError(
                    f"{path} is not the file v{version} was published with", f"{size} in place of {file['bytes']} bytes", "restore it"
                )

        def batches(rows: int) -> Iterator[pl.DataFrame]:
            for file in files:
                yield from plain_batches(self.path / file["path"], rows)

        name = f"{self.path}@v{version}"
        return Source(name, batches, manifest["kind"], manifest["clustered"], manifest["stages"])

    # -- writing ---------------------------------------------------------------------------------------------------

    def begin(self) -> Scratch:
        """A stage folder to write a version in. A first writer writes the card before anything else.

        Until the version is there, the card names files that are not: loading the folder fails, it never guesses.
        """
        with storage(self.path):
            self.inner.mkdir(parents=True, exist_ok=True)
            if not (self.path / "README.md").exists() and self.newest() is None:
                first = {"config_name": "v1", "default": True, "data_files": [{"split": "train", "path": "data/v1/train-*"}]}
                _write_atomically(self.path / "README.md", _front_matter({"configs": [first]}))
            collect(self.inner, _STAGE)
            return Scratch(self.inner, _STAGE)

    def publish(self, stage: Scratch, manifest: dict[str, Any]) -> tuple[int, bool]:
        """Make the staged folder the next version; return its number, and whether HEAD was equal and stands as it was."""
        with storage(self.path), self._locked():
            self._heal()
            head = self.newest()
            if head is not None and _same(self.manifest(head), manifest):
                return head, True
            number = 1 + max([0, *self._claims()])
            claim = self.inner / f"v{number}"
            claim.mkdir()
            manifest["version"], manifest["parent"] = number, head
            for file in manifest["shards"]:
                file["path"] = f"data/v{number}/{file['path']}"
            for file in manifest["dropped"]["shards"] + manifest.get("asides", []):
                file["path"] = f".negforge/v{number}/{file['path']}"
            (self.path / "data").mkdir(exist_ok=True)
            (stage.path / "data").rename(self.path / "data" / f"v{number}")
            for folder in stage.path.iterdir():
                if folder.is_dir():
                    folder.rename(claim / folder.name)
            sync(self.path / "data")
            sync(claim)
            _write_atomically(claim / "manifest.json", json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")
            self._derive()
            return number, False

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

    def _heal(self) -> None:
        """Empty claims of writers that died, whose numbers stay taken, and derive HEAD and the card anew if they are stale."""
        committed = set(self.versions())
        for number in self._claims():
            if number not in committed:
                shutil.rmtree(self.path / "data" / f"v{number}", ignore_errors=True)
                for entry in (self.inner / f"v{number}").glob("*"):
                    shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        if committed:
            self._derive()

    def _derive(self) -> None:
        """HEAD and the card follow from the manifests; a file that is right is not touched."""
        newest = self.newest()
        _write_if_changed(self.inner / "HEAD", f"v{newest}\n")
        card = self.path / "README.md"
        old = card.read_text(encoding="utf-8") if card.exists() else ""
        _write_if_changed(card, card_text(self.path.name, [self.manifest(number) for number in self.versions()], old))


def _same(head: dict[str, Any], new: dict[str, Any]) -> bool:
    keys = ("kind", "digests", "stages", "keep_labels")
    return all(head.get(key) == new.get(key) for key in keys) and head["rows"] == new["rows"]


def _write_if_changed(path: Path, text: str) -> None:
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        _write_atomically(path, text)


def _write_atomically(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    with fresh.open("w", encoding="utf-8") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    fresh.rename(path)
    sync(path.parent)


def order_frame(frame: pl.DataFrame, key: rng.U64, kind: Kind) -> tuple[pl.DataFrame, rng.U64]:
    """Rows in the order of a dataset: (key, cluster, operator, draw, id), with their keys."""
    by = ["__key", *(name for name in dict.fromkeys((kind.clusters, *_ORDER)) if name in frame.columns)]
    ordered = frame.with_columns(pl.Series("__key", key)).sort(by, nulls_last=False, maintain_order=True)
    return ordered.drop("__key"), ordered["__key"].to_numpy()


class DatasetSink(Sink):
    """Writes a version of a dataset. Kept rows of another label than `negative` and `keep_labels` lie with the dropped ones."""

    def __init__(self, kind: Kind, path: Path, *, shards: int | None, keep_labels: list[str], max_memory: int | None = None) -> None:
        super().__init__(kind)
        if shards is not None and shards & (shards - 1):
            raise UsageError(f"--shards {shards} is not a power of two", mend="take 1, 2, 4, 8 and so on")
        if path.exists() and not path.is_dir():
            raise UsageError(f"{path} is a file, not a folder", mend="name a folder, or a file with a known suffix")
        if path.is_dir() and any(path.iterdir()) and not (path / ".negforge").is_dir():
            raise UsageError(f"{path} is not empty and not a dataset of negforge", mend="name a new or an empty folder")
        self._dataset = Dataset(path)
        self._shards, self._keep = shards, {"negative", *keep_labels}
        self._keep_labels = sorted(keep_labels)
        self._stage = self._dataset.begin()
        limit = (max_memory or machine_memory() // 4) // 4
        self._rows = Partitioner(self._stage.path / "scratch-rows", limit)
        self._rest = Partitioner(self._stage.path / "scratch-rest", limit)
        self._empty: pl.DataFrame | None = None
        self._asides: dict[str, ParquetShard] = {}

    def write(self, frame: pl.DataFrame) -> None:
        """Take rows."""
        kept, dropped = split_dropped(frame)
        self.digests.add(kept, dropped)
        if self._empty is None:
            self._empty = kept.clear()
        if "label" in kept.columns and self.kind.column("label") is not None:
            published = kept["label"].is_in([*self._keep])
            rest = pl.concat(
                [kept.filter(~published).with_columns(pl.lit(None, pl.String).alias(name) for name in DROP_NAMES), dropped], how="diagonal"
            )
            kept = kept.filter(published)
        else:
            rest = dropped
        if kept.height:
            self._rows.add(kept, self._keys(kept, positioned="position" in kept.columns))
        if rest.height:
            self._rest.add(rest, self._keys(rest, positioned=False))

    def _keys(self, frame: pl.DataFrame, *, positioned: bool) -> rng.U64:
        if positioned and frame["position"].null_count() == 0:
            # 40 bits of places, in the top bits that partitions look at.
            return frame["position"].to_numpy().astype(np.uint64) << np.uint64(24)
        if self.kind.clusters in frame.columns:
            return rng.hash64(frame[self.kind.clusters])
        # A layout without ids keeps the order it came in.
        return np.arange(self._rows.rows, self._rows.rows + frame.height, dtype=np.uint64) << np.uint64(24)

    def _placed(self, columns: list[str]) -> bool:
        """Whether rows are cut into shards by their place and not by a hash."""
        return "position" in columns or self.kind.clusters not in columns

    def aside(self, name: str, frame: pl.DataFrame) -> None:
        """Take rows of a sidecar."""
        if name not in self._asides:
            folder = self._stage.folder(name)
            self._asides[name] = ParquetShard(folder / "train-00000-of-00001.parquet", frame.to_arrow().schema)
        self._asides[name].add(frame)

    def finish(self, history: History, report: dict[str, Any]) -> Outcome:
        """Order, cut into shards, publish."""
        if self._empty is None:
            raise RuntimeError("a stage wrote no frame")
        with storage(self._dataset.path):
            shards = self._write_data(self._empty)
            dropped = self._write_rest()
            asides = []
            for name, shard in self._asides.items():
                shard.close()
                asides.append(_describe(shard, f"{name}/{shard.path.name}"))
            rest = sum(shard["rows"] for shard in dropped)
            manifest: dict[str, Any] = {
                "format": FORMAT,
                "kind": self.kind.name,
                "created": datetime.now(UTC).isoformat(timespec="seconds"),
                "tool": {name: metadata.version(name) for name in ("negforge", "polars", "pyarrow")},
                "rows": sum(shard["rows"] for shard in shards),
                "memory_bytes": sum(shard.pop("memory_bytes") for shard in shards),
                "columns": _columns(self._stage.path / "data" / shards[0]["path"]),
                "shards": shards,
                "dropped": {"rows": self.digests.lost, "other_labels": rest - self.digests.lost, "shards": dropped},
                **({"asides": asides} if asides else {}),
                "digests": self.digests.named(),
                "keep_labels": self._keep_labels,
                # Rows of another label stand apart, so reading all rows does not meet an anchor's rows together.
                "clustered": rest == self.digests.lost and not self._placed(self._empty.columns),
                "stages": history,
                "report": report,
            }
            for file in [*dropped, *asides]:
                file.pop("memory_bytes")
            number, unchanged = self._dataset.publish(self._stage, manifest)
            self._stage.close()
        return self._outcome(f"{self._dataset.path}@v{number}", unchanged=unchanged, version=number)

    def _write_data(self, empty: pl.DataFrame) -> list[dict[str, Any]]:
        count = self._shard_count()
        folder = self._stage.folder("data")
        schema = empty.to_arrow().schema
        shards = [ParquetShard(folder / f"train-{number:05d}-of-{count:05d}.parquet", schema) for number in range(count)]
        done, placed = 0, self._placed(empty.columns)
        for part, part_key in self._rows.parts():
            frame, key = order_frame(part, part_key, self.kind)
            places = (
                (np.arange(done, done + frame.height) * count // self._rows.rows).astype(np.int64)
                if placed
                else (key >> np.uint64(64 - int(math.log2(count)))).astype(np.int64)
                if count > 1
                else np.zeros(frame.height, dtype=np.int64)
            )
            for number in np.unique(places).tolist():
                start, end = np.searchsorted(places, [number, number + 1]).tolist()
                shards[number].add(frame[start:end])
            done += frame.height
        for shard in shards:
            shard.close()
        sync(folder)
        return [_describe(shard, shard.path.name) for shard in shards]

    def _write_rest(self) -> list[dict[str, Any]]:
        shard: ParquetShard | None = None
        for part, key in self._rest.parts():
            frame, _ = order_frame(part, key, self.kind)
            if shard is None:
                shard = ParquetShard(self._stage.folder("dropped") / "train-00000-of-00001.parquet", frame.to_arrow().schema)
            shard.add(frame)
        if shard is None:
            return []
        shard.close()
        return [_describe(shard, f"dropped/{shard.path.name}")]

    def _shard_count(self) -> int:
        if self._shards is not None:
            return self._shards
        head = self._dataset.newest()
        if head is not None:
            return len(self._dataset.manifest(head)["shards"])
        return 1 << max(0, math.ceil(math.log2(max(1, self._rows.bytes) / SHARD_BYTES)))

    def abort(self) -> None:
        """Remove the stage folder."""
        self._stage.close()


def _describe(shard: ParquetShard, path: str) -> dict[str, Any]:
    with shard.path.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    return {"path": path, "rows": shard.rows, "bytes": shard.path.stat().st_size, "sha256": digest, "memory_bytes": shard.memory_bytes}


def _columns(path: Path) -> list[dict[str, Any]]:
    return [_feature(field) for field in pq.read_schema(path)]


def _feature(field: pa.Field) -> dict[str, Any]:
    """A column as the card's `dataset_info` writes it."""
    return {"name": field.name, **_feature_type(field.type)}


def _feature_type(kind: pa.DataType) -> dict[str, Any]:
    if pa.types.is_list(kind):
        inner = _feature_type(kind.value_type)
        return {"list": inner["dtype"] if "dtype" in inner else inner.get("struct", inner)}
    if pa.types.is_struct(kind):
        return {"struct": [_feature(field) for field in kind]}
    names = {"double": "float64", "float": "float32", "halffloat": "float16"}
    return {"dtype": names.get(str(kind), str(kind))}


# -- the card ----------------------------------------------------------------------------------------------------------


def card_text(name: str, manifests: list[dict[str, Any]], old: str) -> str:
    """The dataset's README: `configs` and true `dataset_info` for every version, and what it is; a person's own words stay."""
    front, body = _parse_card(old)
    newest = manifests[-1]
    configs, infos = [], []
    for manifest in reversed(manifests):
        version = f"v{manifest['version']}"
        default = {"default": True} if manifest is newest else {}
        configs.append({"config_name": version, **default, "data_files": [{"split": "train", "path": f"data/{version}/train-*"}]})
        size = sum(shard["bytes"] for shard in manifest["shards"])
        split = {"name": "train", "num_bytes": manifest["memory_bytes"], "num_examples": manifest["rows"]}
        infos.append(
            {
                "config_name": version,
                "features": manifest["columns"],
                "splits": [split],
                "download_size": size,
                "dataset_size": manifest["memory_bytes"],
            }
        )
    front |= {"configs": configs, "dataset_info": infos}
    return _front_matter(front) + _with_block(body or f"\n# {name}\n", _summary(newest))


def _summary(manifest: dict[str, Any]) -> str:
    version, rows, dropped = manifest["version"], manifest["rows"], manifest["dropped"]
    lines = [
        f"A table of kind `{manifest['kind']}`: {rows:,} rows in version v{version}." + (" It has no kept rows." if rows == 0 else ""),
        f"Dropped rows, each with its reason, lie in `.negforge/v{version}/dropped`: {dropped['rows']:,}; "
        f"rows of another label beside them: {dropped['other_labels']:,}.",
        "",
        "| stage | version | seed | counts |",
        "|---|---|---|---|",
    ]
    for stage in manifest["stages"]:
        counts = ", ".join(f"{key} {value}" for key, value in stage.get("counts", {}).items() if not isinstance(value, dict))
        lines.append(f"| `{stage['stage']}` | {stage['version']} | {stage.get('seed', '')} | {counts} |")
    lines += [
        "",
        "```python",
        "from datasets import load_dataset",
        "",
        'newest = load_dataset("PATH", split="train")',
        f'this_one = load_dataset("PATH", "v{version}", split="train")',
        "```",
    ]
    return "\n".join(lines)


def _with_block(body: str, block: str) -> str:
    block = f"{_CARD_BEGIN}\n{block}\n{_CARD_END}"
    if _CARD_BEGIN in body and _CARD_END in body:
        before, _, rest = body.partition(_CARD_BEGIN)
        return before + block + rest.partition(_CARD_END)[2]
    return f"{body.rstrip()}\n\n{block}\n"


def _parse_card(text: str) -> tuple[dict[str, Any], str]:
    import yaml

    match = re.match(r"---\n(.*?)\n---\n?", text, re.DOTALL)
    if match is None:
        return {}, text
    try:
        front = yaml.safe_load(match[1])
    except yaml.YAMLError:
        return {}, text[match.end() :]
    return front if isinstance(front, dict) else {}, text[match.end() :]


def _front_matter(front: dict[str, Any]) -> str:
    import yaml

    return f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True, width=120)}---\n"
