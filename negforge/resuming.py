"""What lets a pipeline go on where it stopped: stages known by all that changes their rows, and journals of unfinished ones.

All of it lies in `stages/` of the cache and may be deleted at any time. A stage's key holds the content of its inputs, its
operator's version and source, its options and its seed, never batch size, workers or memory (distilabel #880).
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

from negforge import registry, rng
from negforge.corpus import cache_root, file_digest
from negforge.digests import input_digest
from negforge.encoders import ENCODES, Encoder
from negforge.engine import hold, storage
from negforge.errors import InputError, NegforgeError, UsageError, listed
from negforge.journal import Journal, sealed, unsealed
from negforge.options import UNRECORDED, field_of, settings_of, size_bytes
from negforge.registry import Operator
from negforge.report import Report
from negforge.rerankers import RERANKS, Reranker
from negforge.runner import Stage
from negforge.sinks import Outcome, write_atomically
from negforge.store import Dataset
from negforge.tables import SIDECARS, sidecar

_log = logging.getLogger(__name__)
_LIMIT = "50GiB"
_MADE_WITH = ("polars", "pyarrow", "numpy", "tantivy", "rapidfuzz", "datasets")
_ENCODES_WITH = ("model2vec", "sentence-transformers", "transformers", "torch", "faiss-cpu")


# -- what is known by its content --------------------------------------------------------------------------------------


@functools.cache
def _code(folder: Path = registry.OURS.folder) -> str:
    """The digest of our own source: who edits it, or takes a later one, sees what it does."""
    return rng.blake(*(part for path in sorted(folder.rglob("*.py")) for part in (str(path.relative_to(folder)), path.read_bytes())))


def stage_key(stage: Stage, outputs: Iterable[Path] = ()) -> str | None:
    """The digest of all that changes a stage's rows, or None where an input cannot be known before it is read."""
    operator = stage.operator
    named = {side: input_digest(spec, outputs) for side, spec in stage.sides.items()}
    read = [input_digest(spec, outputs) for spec in stage.inputs]
    files = {name: _file_option(value) for name, value in stage.options.items() if _paths(value)}
    for name, kind in models_of(operator).items():  # a folder whose checkpoint changes, a server that takes another one
        if (model := stage.options.get(name)) is not None:
            try:
                files[name] = kind(model).fingerprint
            except NegforgeError:  # the stage itself says what is wrong with it
                files[name] = None
    if None in (*named.values(), *read, *files.values()):
        return None
    settings = stage.settings.model_dump(mode="json")
    verifiers = [registry.find("verify", name) for name in operator.declares.verifiers] if operator.verb == "generate" else []
    return rng.json_digest(
        {
            "stage": operator.title,
            "operators": [[one.title, one.declares.version, one.provenance] for one in (operator, *verifiers)],
            "made_with": [_code(), *(_installed(name) for name in (*_MADE_WITH, *(_ENCODES_WITH if models_of(operator) else ())))],
            # A label is made anew by what each verifier says of its verdicts.
            "verifiers": {
                name: [one.declared.get(key) for key in ("proves", "doubts")] for name, one in registry.operators("verify").items()
            },
            "options": {name: files.get(name, value) for name, value in stage.options.items()},
            "settings": {name: settings[name] for name in settings_of(operator) if name not in UNRECORDED},
            "inputs": read,
            "sides": named,
        }
    )


def files_read(stage: Stage) -> dict[str, str | None]:
    """The digest of each file that a stage names. What it reads of a folder may grow meanwhile; a version of a dataset never changes."""
    named = [*stage.inputs, *stage.sides.values(), *(str(one) for value in stage.options.values() for one in _paths(value))]
    return {spec: input_digest(spec) for spec in named if isinstance(spec, str) and Path(spec).is_file()}


def _installed(name: str) -> str:
    """The version of a package, empty where it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _paths(value: Any) -> list[Path]:
    """The files that an option names."""
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, Path)]


def _file_option(value: Any) -> str | None:
    """The digest of what an option's files hold, or None where one cannot be read."""
    found = [input_digest(str(one)) for one in _paths(value)]
    return None if None in found else rng.json_digest(found)


def models_of(operator: Operator) -> dict[str, type[Encoder | Reranker]]:
    """The options that name a model, which is known by what it is and not by its name, with what it is a model of."""
    said = {name: field_of(one.annotation).json_schema_extra for name, one in operator.options().items()}
    return {name: Encoder if extra == ENCODES else Reranker for name, extra in said.items() if extra in (ENCODES, RERANKS)}


# -- stages that were made before --------------------------------------------------------------------------------------


class Entry:
    """A stage's place in the cache: its report once it is done, the rows of one without an output, a journal until then.

    read: the digests of the files that the stage names, as the key has them.
    """

    def __init__(self, key: str, output: str | None, read: dict[str, str | None]) -> None:
        self.output, self._read = output, read
        self.path = cache_root() / "stages" / rng.blake(key, str(Path(output).resolve()) if output is not None else "")
        self._record = self.path / "record.json"

    @property
    def rows(self) -> Path:
        """Where the rows of a stage without an output lie."""
        return self.path / "rows.parquet"

    def begun(self) -> bool:
        """Whether the stage was made here before, wholly or in part."""
        return self._record.exists() or (self.path / "part").exists()

    @contextlib.contextmanager
    def held(self, name: str) -> Iterator[None]:
        """Be the only one who makes the stage; another run of it is waited for."""
        with storage(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            try:
                lock = hold(self.path / "lock", wait=False)
            except BlockingIOError:
                _log.warning("stage '%s' is being made by another run; waiting for it", name)
                lock = hold(self.path / "lock")
        try:
            yield
        finally:
            os.close(lock)

    def used(self) -> int:
        """Keep the entry from being removed while a run has use for it, and for as long as may be afterwards: it was used last.

        Returns the descriptor that ends the first when closed.
        """
        with storage(self.path):
            held = hold(self.path / "used", shared=True)
            os.utime(held)
        return held

    def report(self) -> Report | None:
        """The report of the run that made the stage, if what it wrote is still there, byte for byte."""
        try:
            record = unsealed(self._record)
            version = record["outcome"]["version"]
            there = self._written(version)
            whole = set(record["files"]) == set(there) and all(record["files"][name] == file_digest(path) for name, path in there.items())
            if not whole or (version is not None and Dataset(Path(str(self.output))).newest() != version):
                return None
            return Report(record["stage"], record["counts"], Outcome(**record["outcome"]), record["seconds"], skipped=True)
        except (OSError, ValueError, KeyError, TypeError, InputError):
            return None

    def save(self, report: Report) -> None:
        """Remember that the stage is done, and forget its journal."""
        files = {name: file_digest(path) for name, path in self._written(report.outcome.version).items()}
        record = {"stage": report.stage, "counts": report.counts, "seconds": report.seconds, "outcome": asdict(report.outcome)}
        write_atomically(self._record, sealed({**record, "files": files}))
        shutil.rmtree(self.path / "part", ignore_errors=True)

    def journal(self) -> Journal:
        """The journal of the unfinished stage."""
        return Journal(self.path / "part")

    def refuse_changed(self, stage: Stage) -> None:
        """Raise InputError where a file that the stage named is not what it was: rows of both are not remembered as those of either."""
        now = files_read(stage)
        changed = [spec for spec, digest in self._read.items() if now.get(spec) != digest]
        if changed:
            shutil.rmtree(self.path / "part", ignore_errors=True)
            mend = "run it again when nothing writes there; write a file elsewhere and rename it"
            raise InputError("an input changed while the stage read it", listed(changed), mend)

    def _written(self, version: int | None) -> dict[str, Path]:
        """The files that hold the stage's rows, by name."""
        if version is not None:
            dataset = Dataset(Path(str(self.output)))
            return {path: dataset.path / path for path in dataset.files(version)}
        main = Path(self.output) if self.output is not None else self.rows
        beside = [sidecar(main, name) for name in SIDECARS]
        return {path.name: path for path in (main, *(one for one in beside if one.exists()))}


def trim() -> None:
    """Remove the entries used longest ago until the stages fit NEGFORGE_CACHE_LIMIT; none that a run has use for."""
    try:
        limit = size_bytes(os.environ.get("NEGFORGE_CACHE_LIMIT") or _LIMIT)
    except ValueError as error:
        raise UsageError(f"NEGFORGE_CACHE_LIMIT: {error}", os.environ["NEGFORGE_CACHE_LIMIT"], "for example 20GiB") from None
    with contextlib.suppress(OSError):
        entries = []
        for path in (cache_root() / "stages").iterdir():
            stats = [one.stat() for one in path.rglob("*") if one.is_file()]
            entries.append((max((one.st_mtime for one in stats), default=0.0), sum(one.st_size for one in stats), path))
        total = sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries):
            if total <= limit:
                return
            locks: list[int] = []
            try:
                for name in ("lock", "used"):
                    locks.append(hold(path / name, wait=False))
                shutil.rmtree(path, ignore_errors=True)
                total -= size
            except OSError:
                continue
            finally:
                for lock in locks:
                    os.close(lock)
