"""Inputs known by what they hold, not by where they lie."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from negforge import rng
from negforge.corpus import file_digest, files_in
from negforge.errors import InputError
from negforge.store import Dataset
from negforge.tables import dropped_twin, format_of, version_of


def input_digest(spec: Any, outputs: Iterable[Path] = ()) -> str | None:
    """The digest of what an input holds; None for what cannot be known before it is read: a pipe, a frame, the Hub.

    outputs: of the pipeline, which are no part of a folder that it reads.
    """
    if not isinstance(spec, str) or spec == "-" or spec.startswith("hf://"):
        return None
    path = Path(spec)
    try:
        folder, version = (path, None) if path.exists() else version_of(spec) or (path, None)
        if (folder / ".negforge").is_dir():
            return _dataset_digest(Dataset(folder), version)
        if path.is_dir():
            written = {one.resolve() for one in outputs}
            inside = [one for one in files_in(path) if not {one.resolve(), *one.resolve().parents} & written]
            return rng.json_digest([[str(one.relative_to(path)), file_digest(one)] for one in inside])
        if path.exists():
            return _table_digest(path) if path.is_file() else None
        found = [input_digest(name, outputs) for name in sorted(glob.glob(spec, recursive=True))]
    except (OSError, InputError):  # the stage itself says what is wrong with it
        return None
    return rng.json_digest(found) if found and None not in found else None


def _table_digest(path: Path) -> str:
    twin = dropped_twin(path)
    return rng.json_digest([*format_of(path.name), file_digest(path), *_beside(path), file_digest(twin) if twin.is_file() else ""])


def _dataset_digest(dataset: Dataset, version: int | None) -> str | None:
    number = dataset.newest() if version is None else version
    if number is None:
        return None
    manifest = dataset.manifest(number)
    files = [file_digest(dataset.path / path) for path in dataset.files(number)]
    return rng.json_digest([*(manifest[key] for key in ("kind", "clustered", "digests", "stages")), files])


def option_digest(path: Path) -> str:
    """The digest of what an option's path names, wherever it lies: a file, a glob, a dataset. The path itself for what is not there."""
    if path.is_file():
        beside = _beside(path)
        return rng.json_digest([file_digest(path), *beside]) if beside else file_digest(path)
    return input_digest(str(path)) or str(path)


def _beside(path: Path) -> list[str]:
    """The digest of the ids beside vectors in .npy, which say whose they are."""
    ids = path.with_suffix(".ids")
    return [file_digest(ids)] if path.suffix == ".npy" and ids.is_file() else []
