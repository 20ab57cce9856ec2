"""Checks a version of a dataset, or a file of ours, against its manifest and against the laws that its rows were made under.

What a reader elsewhere could not know is found here: a shard that changed on the disk, a row that is there twice, a negative
that is a positive of its anchor. Rows are streamed once; what is compared across rows is 128-bit keys in partitions.
Source: ray-project/ray#55043 (files lost in silence), huggingface/datatrove#301 (truncated files after a failed task) and
MinishLab/semhash#49 (what was removed, and why, must stay to be looked at).
"""

from __future__ import annotations

import functools
import glob
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from negforge import rng, text
from negforge.card import feature
from negforge.engine import Partitioner, Scratch, is_left, machine_memory, temporary_scratch
from negforge.errors import InputError, NegforgeError, NewerFormatError, UsageError
from negforge.formats import History, read_notes
from negforge.labels import labelled
from negforge.progress import Progress
from negforge.promoting import promoted
from negforge.records import DROP_NAMES, KINDS, NEGATIVES, Kind
from negforge.report import Counts, counted
from negforge.runner import EXPORT
from negforge.sinks import Digests, sha256, split_dropped
from negforge.store import Dataset, dataset_named, files_of, ordered_before
from negforge.tables import SIDECARS, beside_suffix, dropped_twin, format_of, open_sources, plain_batches, sidecar

_AGAIN = "make the version again; if it comes back, it is a bug of negforge"
_RESTORE = "restore it from a copy, or make the version again"
_ROWS = 1 << 15


@dataclass(frozen=True)
class Finding:
    """What a check found. law: one word for what does not hold, such as `file`, `digest` or `label`."""

    law: str
    what: str
    where: str
    mend: str

    def __str__(self) -> str:
        return f"{self.what}\n    at:   {self.where}\n    mend: {self.mend}"


@dataclass
class Checked:
    """What was checked, and what was found. notes: what is as it should be after a writer's death, and told all the same."""

    name: str
    rows: int = 0
    dropped: int = 0
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "seconds": round(self.seconds, 3)}

    def __str__(self) -> str:
        found = counted(len(self.findings), "finding") if self.findings else "nothing wrong"
        seen = f"{counted(self.rows, 'row')} and {self.dropped:,} dropped" if self.rows or self.dropped else "no row"
        head = f"{self.name}: {seen}, {found} ({self.seconds:.1f} s)"
        return "\n".join([head, *(f"  {one}" for one in self.findings), *(f"  note: {one}" for one in self.notes)])


def check(spec: str, *, every: bool = False, max_memory: int | None = None, show_progress: bool = False) -> list[Checked]:
    """Check what `DIR`, `DIR@v2` or `NAME.parquet` names; every: all versions of the dataset, the newest first.

    InputError where there is nothing to check, or a newer negforge wrote it.
    """
    progress = Progress("check", show=show_progress)
    limit = (max_memory or machine_memory() // 4) // 16
    try:
        with temporary_scratch() as scratch:
            if format_of(spec)[0] and not Path(spec).is_dir():
                if every:
                    raise UsageError("--all is for the versions of a dataset", f"{spec} is a file", "leave it out")
                return [_timed(Checked(spec), lambda made: _file(Path(spec), made, scratch, limit, progress))]
            dataset, version = dataset_named(spec)
            if every and version is not None:
                raise UsageError("--all and a version exclude each other", spec, f"pass {dataset.path}, or leave --all out")
            versions = dataset.versions()
            if not versions:
                raise InputError(
                    f"{dataset.path} has no version yet", "its writer died, or is still at work", "run the command that makes it"
                )
            asked = versions[::-1] if every else [versions[-1] if version is None else version]
            found = []
            for number in asked:
                work = functools.partial(_version, dataset, number, scratch=scratch, limit=limit, progress=progress)
                found.append(_timed(Checked(f"{dataset.path}@v{number}"), work))
            _folder(dataset, found[0])
            return found
    finally:
        progress.close()


def _timed(checked: Checked, work: Callable[[Checked], None]) -> Checked:
    begun = time.monotonic()
    work(checked)
    checked.seconds = time.monotonic() - begun
    return checked


# -- a dataset ---------------------------------------------------------------------------------------------------------


def _folder(dataset: Dataset, made: Checked) -> None:
    """HEAD, the card, and what dead writers left."""
    damaged = False
    for number in dataset.versions():
        try:
            dataset.manifest(number)
        except NewerFormatError:
            raise
        except InputError as error:
            damaged = True
            finding = Finding("manifest", error.what, error.where, error.mend)
            if finding not in made.findings:
                made.findings.append(finding)
    if not damaged:
        for path in dataset.stale():
            what = f"{path} does not say what the versions are: the newest is v{dataset.newest()}"
            why = "its writer died after it had published, or the file was changed or removed"
            made.findings.append(Finding("derived", what, why, "the next command that writes to the dataset heals it"))
    for path in dataset.leftovers():
        made.notes.append(f"{path} is what a dead writer left; the next one removes it")


def _version(dataset: Dataset, number: int, made: Checked, *, scratch: Scratch, limit: int, progress: Progress) -> None:
    try:
        manifest = dataset.manifest(number)
    except NewerFormatError:
        raise
    except InputError as error:
        if number not in dataset.versions():
            raise
        made.findings.append(Finding("manifest", error.what, error.where, error.mend))
        return
    kind = KINDS.get(manifest["kind"], EXPORT)
    files = [_File(dataset.path / one["path"], one, kept=place < len(manifest["shards"])) for place, one in enumerate(files_of(manifest))]
    asides = [_File(dataset.path / one["path"], one, kept=False) for one in manifest.get("asides", [])]
    readable = []
    for file in [*files, *asides]:
        finding, opens = _whole(file, number, manifest)
        made.findings += finding
        if opens and file not in asides:
            readable.append(file)
    made.findings += _strangers(dataset, number, {file.path for file in (*files, *asides)})
    made.findings += _numbers(dataset, number, manifest)
    rows = _Rows(kind, manifest, scratch.folder(f"v{number}"), limit, progress)
    for file in readable:
        rows.read(file)
    made.rows, made.dropped = rows.digests.kept, rows.digests.lost
    made.findings += rows.findings()
    made.findings += rows.stages(str(dataset.inner / f"v{number}" / "manifest.json"))
    if len(readable) == len(files):  # else the digests differ for a reason that was told already
        where = str(dataset.inner / f"v{number}" / "manifest.json")
        made.findings += _digests(manifest["digests"], rows.digests, where, manifest, [*rows.digests.named()])
        made.findings += _counts(manifest, rows, kind, where)


@dataclass(frozen=True)
class _File:
    """A file of a version, as the manifest names it. kept: it lies in data/, where rows of the published labels alone belong."""

    path: Path
    entry: dict[str, Any]
    kept: bool


def _whole(file: _File, version: int, manifest: dict[str, Any]) -> tuple[list[Finding], bool]:
    """Whether a file is the one that was published, and whether it can be read at all."""
    what = f"{file.path} is not the file v{version} was published with"
    try:
        size = file.path.stat().st_size
        digest = sha256(file.path)
    except FileNotFoundError:
        return [Finding("file", f"{file.path} is missing", f"v{version} was published with it", _RESTORE)], False
    except OSError as error:
        return [Finding("file", what, error.strerror or str(error), _RESTORE)], False
    found = []
    if size != file.entry["bytes"]:
        found.append(Finding("file", what, f"{size:,} bytes in place of {file.entry['bytes']:,}", _RESTORE))
    elif digest != file.entry["sha256"]:
        found.append(Finding("file", what, f"its sha256 begins {digest[:12]}, not {file.entry['sha256'][:12]}", _RESTORE))
    try:
        schema, rows = pq.read_schema(file.path), pq.read_metadata(file.path).num_rows
    except (pa.ArrowException, OSError) as error:
        return found or [Finding("file", f"{file.path} cannot be read", str(error).partition("\n")[0], _RESTORE)], False
    if rows != file.entry["rows"]:
        found.append(Finding("rows", f"{file.path} has {rows:,} rows, the manifest says {file.entry['rows']:,}", what, _RESTORE))
    columns = {column["name"]: column for column in manifest["columns"]}
    have = {one.name: feature(one) for one in schema}
    wrong = [name for name in {**have, **columns} if have.get(name) != columns.get(name)]
    if not file.kept:  # dropped rows have columns of their own
        wrong = [name for name in wrong if name in have and name in columns]
    if wrong:
        found.append(Finding("schema", f"the columns of {file.path} are not those of the manifest", ", ".join(wrong), _RESTORE))
    return found, True


def _strangers(dataset: Dataset, version: int, known: set[Path]) -> Iterator[Finding]:
    """Files in a version's folders that its manifest does not name: every reader of data/ would read them as rows."""
    inner = dataset.inner / f"v{version}"
    for folder in (dataset.path / "data" / f"v{version}", inner):
        for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
            if path.is_file() and path not in known and path != inner / "manifest.json":
                harm = "readers of the folder take it for rows" if inner not in path.parents else "no reader looks at it"
                yield Finding("extra", f"{path} is no file of v{version}", harm, "move it away")


def _numbers(dataset: Dataset, version: int, manifest: dict[str, Any]) -> Iterator[Finding]:
    """Its number, and its parent's: the highest version that there was when it was published."""
    where = str(dataset.inner / f"v{version}" / "manifest.json")
    if manifest.get("version") != version:
        yield Finding("version", f"the manifest of v{version} says that it is version {manifest.get('version')!r}", where, _RESTORE)
    parent, before = manifest.get("parent"), [one for one in dataset.versions() if one < version]
    # Versions in between that are gone may have been the parent.
    fits = type(parent) is int and max(before, default=1) <= parent < version
    if not (fits or (parent is None and "parent" in manifest and not before)):
        right = f", not v{max(before)}" if before else ""
        yield Finding("parent", f"the parent of v{version} is {parent!r} by its manifest{right}", where, _RESTORE)


def _digests(wanted: dict[str, str], found: Digests, where: str, manifest: dict[str, Any], needed: Sequence[str]) -> Iterator[Finding]:
    """The digests that were written against those of the rows. needed: names that must be there."""
    named = found.named()
    for name in needed:
        if name not in wanted:
            yield Finding("digest", f"{name} is not there, it would be {named[name]}", where, _RESTORE)
    tool = manifest.get("tool", {})
    same_tools = all(tool.get(name) in (None, module.__version__) for name, module in (("polars", pl), ("pyarrow", pa)))
    for name, value in wanted.items():
        # How a number is written as text is a library's affair: only `rows_digest` is promised across versions.
        if not found.holds(name, value) and (name == "rows_digest" or same_tools):
            yield Finding("digest", f"{name} is {named.get(name)}, not {value}", where, _RESTORE)


def _counts(manifest: dict[str, Any], rows: _Rows, kind: Kind, where: str) -> Iterator[Finding]:
    """The manifest's counts against the rows, and the report's against each other; whether rows of an anchor stand together."""
    dropped = manifest["dropped"]
    names = {column["name"] for column in manifest["columns"]}
    together = kind.clusters in names and not ("position" in names and kind.column("position")) and not dropped["other_labels"]
    if manifest["clustered"] != together:
        word = "do not stand" if together else "stand"
        yield Finding("clustered", f"by the manifest rows of an anchor {word} together in all it holds", where, _RESTORE)
    for what, said, true in (
        ("rows", manifest["rows"], rows.published),
        ("dropped rows", dropped["rows"], rows.digests.lost),
        ("rows of another label", dropped["other_labels"], rows.digests.kept - rows.published),
    ):
        if said != true:
            yield Finding("counts", f"the manifest counts {said:,} {what}, there are {true:,}", where, _RESTORE)
    report, stages = manifest.get("report") or {}, manifest["stages"]
    if stages and report and stages[-1].get("counts") != report:
        yield Finding("counts", "the report and the last stage's counts differ", where, _RESTORE)
    verb = stages[-1]["stage"].partition(" ")[0] if stages else ""
    if verb in ("score", "verify", "filter", "dedupe", "schedule") and {"seen", "kept", "dropped"} <= report.keys():
        if report["seen"] != report["kept"] + sum(report["dropped"].values()):
            yield Finding("counts", "in the report, seen is not kept + dropped", where, _AGAIN)
        if report["kept"] != rows.digests.kept:
            yield Finding("counts", f"the report counts {report['kept']:,} kept rows, there are {rows.digests.kept:,}", where, _RESTORE)
    if verb == "merge" and report["seen"] != report["kept"] + sum(report["dropped"].values()) + report["collapsed"] + report["united"]:
        yield Finding("counts", "in the report, seen is not kept + dropped + collapsed + united", where, _AGAIN)
    if verb == "generate" and {"asked", "emitted", "refused", "short"} <= report.keys():
        slots = report["emitted"] + sum(report["refused"].values()) + report["short"]
        if report["asked"] != slots:
            yield Finding("counts", "in the report, asked is not emitted + refused + short", where, _AGAIN)


# -- one file ----------------------------------------------------------------------------------------------------------


def _file(path: Path, made: Checked, scratch: Scratch, limit: int, progress: Progress) -> None:
    """A file of ours against the digests in its own metadata, and its dropped twin."""
    (source,) = open_sources(str(path))
    if not source.kind:
        ours = any(beside_suffix(sidecar(path, name)) == path.suffix for name in SIDECARS)
        what = f"{path} {'is text, which carries no digest to check' if ours else 'was not written by negforge'}"
        raise InputError(what, "" if ours else "it carries no digest to check", "check a folder, or a .parquet or .arrow file of ours")
    if beside_suffix(path) and path.parent.suffix == ".corpus":
        made.notes.append("the texts that the rows of an export name: no digest is kept of them")
        return
    if _is_sidecar(path, "provenance"):
        made.notes.append("where the rows of an export came from: no digest is kept of it")
        return
    notes, within = _notes(path)
    twin = dropped_twin(path)
    kind = KINDS.get(source.kind, EXPORT)
    rows = _Rows(kind, {"stages": source.history, "clustered": source.clustered}, scratch.folder("file"), limit, progress)
    rows.begin(str(path))
    beside = False
    try:
        for frame in source.batches(_ROWS):
            if not (beside or within) and "dropped_by" in frame.columns:
                beside = True
                rows.begin(str(twin))
            rows.add(frame)
    except NegforgeError as error:
        made.findings.append(Finding("file", error.what, error.where, _RESTORE))
        return
    made.rows, made.dropped = rows.digests.kept, rows.digests.lost
    made.findings += rows.findings()
    made.findings += rows.stages(str(path))
    names = ["dropped_digest"] if _is_sidecar(path, "dropped") else ["rows_digest", "content_digest", "dropped_digest"]
    wanted = {name: notes[name] for name in names if notes.get(name)}
    if notes.get("dropped_digest") and not rows.digests.lost:
        there = twin.exists()
        why = "it holds the dropped rows of another file" if there else "it is not there"
        made.findings.append(Finding("file", f"{twin} should hold the dropped rows of {path}", why, _RESTORE))
        wanted.pop("dropped_digest")
    # In a stream that a shell wrote to a file they stand at its end, and were looked at as it was read.
    needed = names[:2] if wanted or path.suffix != ".arrow" else []
    if not notes.get("dropped_digest") and twin.exists() and wanted:
        other = _notes(twin)[0]
        needed += ["dropped_digest"] * all(other.get(name) == notes.get(name) for name in ("rows_digest", "content_digest"))
    made.findings += _digests(wanted, rows.digests, str(path), {}, needed)
    if not made.findings and len(names) > 1:
        made.findings += _last(source.history, rows, kind, str(path))
    for left in sorted(path.parent.glob(f".{glob.escape(path.name)}.stage-*")):
        if is_left(left):
            made.notes.append(f"{left} is what a dead writer left; the next one removes it")
    if not notes.get("dropped_digest") and "dropped_digest" not in needed and _notes(twin)[0]:
        made.notes.append(f"{twin} is not of this file: no row of it was dropped")


def _is_sidecar(path: Path, name: str) -> bool:
    return path.name.endswith(f".{name}.parquet")


def _last(history: History, rows: _Rows, kind: Kind, where: str) -> Iterator[Finding]:
    """The counts of the stage that wrote a file against its rows; an export's are of the rows it read."""
    counts = history[-1].get("counts", {}) if history else {}
    if kind is EXPORT or not {"kept", "dropped"} <= counts.keys():
        return
    for what, said, true in (("kept", counts["kept"], rows.digests.kept), ("dropped", sum(counts["dropped"].values()), rows.digests.lost)):
        if said != true:
            yield Finding("counts", f"its last stage counts {said:,} {what} rows, there are {true:,}", where, _RESTORE)


def _notes(path: Path) -> tuple[dict[str, Any], bool]:
    """What negforge wrote into a file's metadata, its end included, and whether dropped rows lie in the file itself."""
    from negforge import formats

    form = format_of(path.name)[0]
    try:
        with path.open("rb") as handle:
            schema = formats.schema_of(handle, form)
            return read_notes(schema), "dropped_by" in schema.names
    except (OSError, pa.ArrowException, InputError):
        return {}, False


# -- rows --------------------------------------------------------------------------------------------------------------


@dataclass
class _Broken:
    """A law that rows of one file break: how many do, and the first."""

    rows: int
    first: str


class _Rows:
    """The laws of rows, looked at as they stream by; what is compared across rows waits in partitions of narrow keys."""

    def __init__(self, kind: Kind, manifest: dict[str, Any], folder: Path, limit: int, progress: Progress) -> None:
        self.kind, self.digests, self.published = kind, Digests(kind), 0
        self._manifest, self._progress = manifest, progress
        self._labels = ["negative", *manifest.get("keep_labels", [])]
        self._broken: dict[tuple[str, str, str, str], _Broken] = {}
        self._ids = Partitioner(folder / "ids", limit)
        self._texts = Partitioner(folder / "texts", limit)
        self._starts = Partitioner(folder / "starts", limit)  # of runs of rows of one anchor
        self._anchor = pl.Series([None], dtype=pl.String)  # of the last row kept
        self._language = _language(manifest.get("stages", []))
        self._stages = _generators(manifest.get("stages", []))
        self._made: dict[str, list[Any]] = {}
        self._files: list[str] = []
        self._firsts: list[int] = []  # the number of the first row of each file
        self._done = 0
        self._last: pl.DataFrame | None = None
        self._shard = 0
        self._unreadable: list[Finding] = []

    def begin(self, where: str) -> None:
        """The rows that come now are of this file."""
        self._files.append(where)
        self._firsts.append(self._done)

    def read(self, file: _File) -> None:
        """Take the rows of a file of a version."""
        self.begin(str(file.path))
        try:
            for frame in plain_batches(file.path, _ROWS):
                if file.kept:
                    self._order(frame)
                    self.published += frame.height
                self.add(frame, kept=file.kept)
        except (InputError, pl.exceptions.PolarsError, pa.ArrowException) as error:
            why = str(error).partition("\n")[0]
            self._unreadable.append(Finding("file", f"{file.path} cannot be read to its end", why, _RESTORE))
        if file.kept:
            self._shard += 1

    def add(self, frame: pl.DataFrame, *, kept: bool | None = None) -> None:
        """Take rows. kept: whether they lie in data/, or beside it; None in a single file, where they may be of any label."""
        if not frame.height:
            return
        self.digests.add(*split_dropped(frame))
        for law, what, mend, bad in _laws(frame, self.kind, kept, self._labels):
            self._note(law, what, mend, bad, frame)
        if "id" in frame.columns and self.kind is not EXPORT:
            high, low = rng.strings128(frame["id"])
            self._ids.add(pl.DataFrame({"low": low, "row": np.arange(self._done, self._done + frame.height)}), high)
        if kept is None and self._manifest.get("clustered") and self.kind.clusters in frame.columns:
            self._stand_together(frame)
        if self.kind is NEGATIVES and {*_TEXTS} <= {*frame.columns}:
            self._compare(frame)
        if self.kind is NEGATIVES and self._stages and {*_MAKER} <= {*frame.columns}:
            self._made_by(frame)
        self._done += frame.height
        self._progress.update(Counts(seen=self._done, kept=self.digests.kept))

    def _note(self, law: str, what: str, mend: str, bad: NDArray[np.bool_], frame: pl.DataFrame) -> None:
        """A law that some rows of the frame break."""
        if bad.any():
            first = int(np.argmax(bad))
            row_id = f", id {frame['id'][first]}" if "id" in frame.columns else ""
            self._breaks(law, what, mend, len(self._files) - 1, int(bad.sum()), self._done + first, row_id)

    def _breaks(self, law: str, what: str, mend: str, file: int, rows: int, first: int, row_id: str = "") -> None:
        place = f"row {first - self._firsts[file] + 1}{row_id}"
        known = self._broken.setdefault((law, what, mend, self._files[file]), _Broken(0, place))
        known.rows += rows

    def _order(self, frame: pl.DataFrame) -> None:
        """Rows stand in the order of a dataset, and a shard holds the range of it that its number says."""
        placed = "position" in frame.columns and self.kind.column("position") is not None
        if not frame.height or not (placed or self.kind.clusters in frame.columns):
            return
        if placed:
            key = rng.place_keys(frame["position"])
        else:
            key = rng.hash64(frame[self.kind.clusters])
            bits = len(self._manifest["shards"]).bit_length() - 1
            shard = (key >> np.uint64(64 - bits)) if bits else np.zeros(frame.height, dtype=np.uint64)
            self._note("shard", "rows lie in the shard of another range", _AGAIN, shard != self._shard, frame)
        late, self._last = ordered_before(frame, key, self.kind, self._last)
        self._note("order", "rows do not stand in the order of a dataset", _AGAIN, late, frame)

    def _stand_together(self, frame: pl.DataFrame) -> None:
        """Where rows of an anchor begin, of a file that says they stand together: each anchor begins once."""
        numbers = pl.Series(np.arange(self._done, self._done + frame.height))
        live = frame["dropped_by"].is_null() if "dropped_by" in frame.columns else pl.Series([True]).new_from_index(0, frame.height)
        anchors = frame[self.kind.clusters].filter(live)
        begins = anchors.ne_missing(pl.concat([self._anchor, anchors.head(len(anchors) - 1)])) if len(anchors) else live.clear()
        high, low = rng.strings128(anchors.filter(begins))
        self._starts.add(pl.DataFrame({"low": low, "row": numbers.filter(live).filter(begins)}), high)
        self._anchor = anchors[-1:] if len(anchors) else self._anchor

    def _compare(self, frame: pl.DataFrame) -> None:
        """Keys of (anchor, text): of every positive, and of what is published as a negative. An anchor is its id, and its text."""
        rows = np.arange(self._done, self._done + frame.height)
        positive = text.normalised(frame["positive"], language=self._language)
        negative = text.normalised(frame["negative"], language=self._language)
        there = frame["negative"].is_not_null() & (frame["label"] == "negative")
        if "dropped_by" in frame.columns:
            there &= frame["dropped_by"].is_null()
        raised = promoted(frame) & frame["anchor"].is_not_null()
        anchors = (rng.hash64(frame["anchor_id"]), rng.hash64(text.normalised(frame["anchor"], language=self._language)))
        for number, anchor in enumerate(anchors):
            for texts, mask, is_negative in (
                (positive, frame["positive"].is_not_null() & frame["anchor"].is_not_null(), False),
                (negative, there & frame["anchor"].is_not_null(), True),
                (negative, raised, False),
            ):
                chosen = mask.fill_null(value=False).to_numpy()
                high, low = rng.strings128(texts.filter(mask.fill_null(value=False)))
                # A row's own positive stands for all equal ones of its anchor: one of each batch is enough.
                narrow = {
                    "anchor": anchor[chosen] + np.uint64(number),
                    "low": low,
                    "row": rows[chosen],
                    "negative": np.full(int(chosen.sum()), is_negative),
                }
                key = rng.mix(high ^ anchor[chosen])
                made = pl.DataFrame(narrow).with_columns(pl.Series("key", key))
                if not is_negative:
                    made = made.unique(["anchor", "low"], keep="first", maintain_order=True)
                self._texts.add(made.drop("key"), made["key"].to_numpy())

    def _made_by(self, frame: pl.DataFrame) -> None:
        """Version and seed of an operator's rows: those its stage says once one row has them, else others."""
        of_stages = frame.select(_MAKER).filter(pl.col("operator").cast(pl.String).is_in([*self._stages]))
        for operator, *made in of_stages.unique(maintain_order=True).iter_rows():
            if self._made.get(operator) != self._stages[operator]:
                self._made[operator] = made

    def stages(self, where: str) -> Iterator[Finding]:
        """Stages of the history that no row of their operator agrees with; tables without a history may have been united with it."""
        for operator, (version, seed) in self._made.items():
            said = self._stages[operator]
            if said != [version, seed]:
                what = f"the stage 'generate {operator}' is told to have version {said[0]} and seed {said[1]}"
                yield Finding("stage", f"{what}, its rows have version {version} and seed {seed}", where, _RESTORE)

    def findings(self) -> Iterator[Finding]:
        """What was found, once all rows were read."""
        yield from self._unreadable
        self._across()
        for (law, what, mend, where), broken in self._broken.items():
            count = "" if broken.rows == 1 else f"{counted(broken.rows, 'row')}: "
            yield Finding(law, count + what, f"{where}, {'' if broken.rows == 1 else 'first '}{broken.first}", mend)

    def _across(self) -> None:
        """Ids that are there twice, and negatives that are a positive of their anchor."""
        again, apart, wrong = (np.zeros(self._done, dtype=bool) for _ in range(3))
        for keys, twice in ((self._ids, again), (self._starts, apart)):
            for part, high in keys.parts():
                ordered = part.with_columns(pl.Series("high", high)).sort("high", "low", "row")
                same = (ordered["high"] == ordered["high"].shift()) & (ordered["low"] == ordered["low"].shift())
                twice[ordered.filter(same.fill_null(value=False))["row"].to_numpy()] = True
        for part, key in self._texts.parts():
            narrow = part.with_columns(pl.Series("key", key))
            right = narrow.filter(~pl.col("negative")).select("key", "anchor", "low").unique(maintain_order=True)
            found = narrow.filter(pl.col("negative")).join(right, on=["key", "anchor", "low"], how="semi", maintain_order="left")
            wrong[found["row"].to_numpy()] = True
        self._at("id", "an id is there twice", _AGAIN, again)
        self._at("clustered", "rows of an anchor do not stand together, though the file says so", _AGAIN, apart)
        mend = "run negforge merge over it, of one table, too: it labels them positive"
        self._at("positive", "a negative says the same as a positive of its anchor", mend, wrong)

    def _at(self, law: str, what: str, mend: str, bad: NDArray[np.bool_]) -> None:
        rows = np.flatnonzero(bad)
        file = np.searchsorted(self._firsts, rows, side="right") - 1
        for number in np.unique(file).tolist():
            some = rows[file == number]
            self._breaks(law, what, mend, number, len(some), int(some[0]))


def _language(stages: list[dict[str, Any]]) -> str:
    """The language that texts were compared in; where stages differ, `code`, which takes the fewest texts for equal."""
    languages = {stage.get("options", {}).get("language") for stage in stages} - {None}
    return str(languages.pop()) if len(languages) == 1 else "code" if languages else "en"


def _laws(frame: pl.DataFrame, kind: Kind, kept: bool | None, labels: list[str]) -> Iterator[tuple[str, str, str, NDArray[np.bool_]]]:
    """Every law that a row keeps by itself: its name, what is wrong where it is broken, the mend, and the rows that break it."""
    by = pl.col("dropped_by").cast(pl.String) if "dropped_by" in frame.columns else pl.lit(None, pl.String)
    live = by.is_null()
    # A row that could not be read (see `badrows`) has no cell of its kind: only its id, and who dropped it, why and where it stood.
    read = ~by.str.starts_with("ingest ").fill_null(value=False)
    rules: list[tuple[str, str, str, pl.Expr]] = []
    if kept and any(name in frame.columns for name in DROP_NAMES) and kind is not EXPORT:
        rules.append(("drop", "rows of data/ have columns of dropped ones", _AGAIN, pl.lit(value=True)))
    if "dropped_by" in frame.columns:
        reason, value = (pl.col(name).is_null() if name in frame.columns else pl.lit(value=True) for name in ("drop_reason", "drop_value"))
        rules.append(("drop", "dropped rows do not say why", _AGAIN, ~live & reason))
        rules.append(("drop", "rows that could not be read do not say where they stood", _AGAIN, ~read & value))
        rest = [pl.col(name).is_not_null() for name in DROP_NAMES if name in frame.columns]
        rules.append(("drop", "rows have a reason and no operator that dropped them", _AGAIN, live & pl.any_horizontal(rest)))
    for column in kind.columns:
        if column.required and column.name in frame.columns:
            needed = pl.lit(value=True) if column.name == "id" else read if column.name in _ALWAYS else live
            rules.append(("lineage", f"'{column.name}' is null", _AGAIN, needed & pl.col(column.name).is_null()))
        elif column.required and kind is not EXPORT:
            rules.append(("lineage", f"the column '{column.name}' is not there", _RESTORE, pl.lit(value=True)))
    if kind is NEGATIVES and {*kind.required} <= {*frame.columns}:
        rules += [(law, what, mend, read & rule) for law, what, mend, rule in _negatives(frame, live, kept, labels)]
    for law, what, mend, rule in rules:
        bad = frame.select((rule & pl.repeat(value=True, n=pl.len())).fill_null(value=False).alias("bad"))["bad"]
        yield law, what, mend, bad.to_numpy()


def _generators(stages: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Version and seed of the operators that generated in one stage only: another one's rows cannot be told apart."""
    made: dict[str, list[list[Any]]] = {}
    for stage in stages:
        verb, _, operator = stage["stage"].partition(" ")
        if verb == "generate":
            made.setdefault(operator, []).append([stage.get("version"), stage.get("seed")])
    return {operator: found[0] for operator, found in made.items() if len(found) == 1}


_MAKER = ("operator", "operator_version", "seed")
_TEXTS = ("anchor_id", "anchor", "positive", "negative", "label")
# What a dropped row has as well, even one without texts.
_ALWAYS = ("id", "anchor_id", "label", "source_id", "source_ids", "initial_label", "operator", "operator_version", "seed", "draw")


def _negatives(frame: pl.DataFrame, live: pl.Expr, kept: bool | None, labels: list[str]) -> Iterator[tuple[str, str, str, pl.Expr]]:
    published = pl.col("label").is_in(labels)
    if kept:
        yield "label", f"rows of data/ are labelled otherwise than {' or '.join(labels)}", _AGAIN, ~published
    if kept is False:
        yield "label", f"rows labelled {' or '.join(labels)} lie beside the dropped ones", _AGAIN, live & published
    made = labelled(frame.select("initial_label", *(name for name in frame.columns if name.startswith("verdict_"))))["label"]
    mend = "verify it again with this version of negforge"
    yield "label", "the label is not what the initial label and the verdicts make of it", mend, pl.col("label") != pl.lit(made)
    yield "lineage", "source_ids do not hold the source_id", _AGAIN, ~pl.col("source_ids").list.contains(pl.col("source_id"))
    yield "lineage", "the seed is below 0", _AGAIN, pl.col("seed") < 0
    yield "lineage", "the draw is not a place among candidates", _AGAIN, live & (pl.col("draw") < 0)
    yield "lineage", "a row with a negative has the draw of a refusal", _AGAIN, pl.col("negative").is_not_null() & (pl.col("draw") < 0)
    yield "lineage", "a row without a negative has the draw of a candidate", _AGAIN, pl.col("negative").is_null() & (pl.col("draw") >= 0)
    if "edit" in frame.columns:
        edit = pl.col("edit").struct
        start, end = edit.field("start"), edit.field("end")
        fits = []
        for source in (pl.col("positive"), pl.col("anchor")):
            new = source.str.slice(0, start) + edit.field("new") + source.str.slice(end)
            fits.append((source.str.slice(start, end - start) == edit.field("old")) & (new == pl.col("negative")))
        there = pl.col("edit").is_not_null() & start.is_not_null() & pl.col("negative").is_not_null()
        yield "edit", "the edit, applied to the source, does not give the negative", _AGAIN, there & ~pl.any_horizontal(fits)
