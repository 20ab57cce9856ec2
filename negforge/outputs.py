"""Where rows may go, judged before any work is done: from the name, and from the heads of the files that are there."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import pyarrow as pa

from negforge.errors import InputError, OptionError, UsageError, listed, near
from negforge.formats import read_notes, schema_of
from negforge.options import Settings
from negforge.records import KINDS, Kind, kinds_of
from negforge.runner import EXPORT, Stage
from negforge.tables import SIDECARS, WRITTEN, beside_suffix, format_of, sidecar, taken

_SUFFIX = re.compile(r".\.(?!v[0-9]+$)[A-Za-z][A-Za-z0-9]{0,4}$", re.ASCII)  # of a file; `set.v2` may well be a folder
_HEAD_BYTES = 1 << 24  # of a text file, that its columns are told from


def check_output(output: str | None, to: str | None, stage: Stage | None = None, *, later: bool = False) -> list[UsageError]:
    """What is wrong with `-o` and `--to`: a format that is not written, a folder that is not ours, a stream to a terminal.

    stage: for options that only a dataset has a use for. later: whether it is judged by `unread` what the stage writes.
    """
    faults = _place(output, to, whole=later or (stage is not None and "json" in _read(stage)))
    if stage is not None:
        read = [one for one in (*stage.inputs, *stage.sides.values()) if isinstance(one, str)]
        over = over_input(output, read) or over_other(output, stage)
        faults += unused(output, stage) + over + unread(output, to, stage)
    return faults


def over_other(output: str | None, stage: Stage, *, heals: bool = False) -> list[UsageError]:
    """As `replaced`, of a stage."""
    return replaced(output, stage.operator.makes or EXPORT, heals=heals)


def replaced(output: str | None, makes: Kind, *, heals: bool = False) -> list[UsageError]:
    """A file, or one beside it, that would be replaced though negforge did not write it as what is written, told from heads alone.

    An empty file may be replaced, a damaged one not. Text is known by its columns, and as an export by what lies beside it. heals:
    of a pipeline, before it is known what its stages made: the rest of a Parquet file may be an output of theirs that was harmed.
    """
    path = Path(str(output))
    form = format_of(path.name)[0]
    if output in (None, "-") or form not in (*WRITTEN, "json") or path.is_dir():
        return []
    wanted = makes.name if makes is not EXPORT else "a trainer's layout"
    what = {path: f"-o {output} would replace a file that negforge did not write as {wanted}"}
    beside = [sidecar(path, name) for name in (SIDECARS[:2] if makes is EXPORT else SIDECARS[:1])]
    what |= {one: f"-o {output} may replace {one}, which negforge did not write" for one in beside}
    found = {one: "" if heals and _is_broken(one) else _held(one, makes if one == path else None) for one in what}
    faults = [UsageError(what[one], holds, "name another file, or delete it first") for one, holds in found.items() if holds]
    return faults + (taken(path, "provenance") if makes is EXPORT else [])


def _held(path: Path, makes: Kind | None) -> str:
    """What a file holds, or nothing if it may be replaced: it is not there, empty, or ours. makes: as what; of any kind if None."""
    form = format_of(path.name)[0]
    if not path.is_file() or not path.stat().st_size:
        return ""
    if makes is EXPORT and form == "json":
        return "" if _is_export(path) else "no provenance beside it says that it is an export"
    try:
        with path.open("rb") as handle:
            if makes is not None and form in ("jsonl", "csv"):
                return _text_held(path, handle.readline(_HEAD_BYTES), form, makes)
            return _table_held(handle, form, makes)
    except (OSError, ValueError, RecursionError, csv.Error, pa.ArrowException, InputError) as error:
        return f"it cannot be read as {form}: {str(error).partition(chr(10))[0]}"


def _is_broken(path: Path) -> bool:
    """Whether a file begins as Parquet and ends as nothing that can be read."""
    if format_of(path.name) != ("parquet", "") or not path.is_file():
        return False
    begun = False
    try:
        with path.open("rb") as handle:
            begun = handle.read(4) == b"PAR1"
            schema_of(handle, "parquet")
    except (OSError, pa.ArrowException):
        return begun
    return False


def _table_held(handle: IO[bytes], form: str, makes: Kind | None) -> str:
    """What a Parquet or Arrow file holds, or nothing if it is a table of the kind."""
    schema = schema_of(handle, form)
    kind = read_notes(schema).get("kind")
    if kind and makes in (None, KINDS.get(kind, EXPORT)):
        return ""
    return f"it is a table of {kind}" if kind in KINDS else "it is an export" if kind else f"its columns: {listed(schema.names)}"


def _text_held(path: Path, line: bytes, form: str, makes: Kind) -> str:
    """What a text file with that first line holds, or nothing if it is a table of the kind."""
    names = _names(line, form)
    held = kinds_of(names)
    if makes in held if makes is not EXPORT else _is_export(path):
        return ""
    found = f"it is a table of {held[0].name}" if held else f"its columns: {listed(names)}" if names else "it is no table"
    return found + ("; no provenance beside it says that it is an export" if makes is EXPORT else "")


def _is_export(path: Path) -> bool:
    """Whether a file beside a file of text says that it is an export, and is of no other file: always one is there."""
    for name in SIDECARS:
        beside = sidecar(path, name)
        with contextlib.suppress(OSError, InputError, pa.ArrowException), beside.open("rb") as handle:
            if read_notes(schema_of(handle, "parquet")).get("kind") == EXPORT.name:
                return beside_suffix(beside) in ("", path.suffix) and not taken(path, name)
    return False


def _names(line: bytes, form: str) -> list[str]:
    """The columns that the first line of a text file names; ValueError and csv.Error for one that is damaged."""
    text = line.decode("utf-8-sig")
    if form == "csv":
        return next(csv.reader(io.StringIO(text, newline="")), [])
    row = json.loads(text)
    return list(row) if isinstance(row, dict) else []


def unread(output: str | None, to: str | None, stage: Stage) -> list[UsageError]:
    """A form of file that the trainer an exporter writes for does not read."""
    read = _read(stage)
    form = to if output in (None, "-") else format_of(Path(str(output)).name)[0]
    if not read and form == "json":
        return [_unwritten(str(output))]
    if not read or form in read or (form is None and output in (None, "-")):
        return []
    given = f"--to {to}" if output in (None, "-") else f"-o {output}"
    where = f"the trainer reads {listed(f'.{one}' for one in read)} alone"
    return [UsageError(f"{stage.operator.title} does not write {given}", where, f"pass -o train.{read[0]}")]


def _read(stage: Stage) -> tuple[str, ...]:
    """The forms of file that the trainer reads an exporter's layout in; none where it is not said."""
    declares = stage.operator.declares
    return declares.layouts.get(stage.options.get("layout", ""), declares.formats)


def _unwritten(output: str) -> UsageError:
    return UsageError(f"cannot write {output}", "a file is written as .parquet, .jsonl, .csv or .arrow", "choose one of these, or a folder")


def over_input(output: str | None, read: Sequence[str]) -> list[UsageError]:
    """A file that is an input of its own command would be replaced, with the dropped rows beside it."""
    if output in (None, "-") or not format_of(Path(str(output)).name)[0]:
        return []
    if Path(str(output)).resolve() not in {Path(one).resolve() for one in read if one != "-"}:
        return []
    return [UsageError(f"-o {output} is also an input", "it would be replaced, and the dropped rows beside it", "name another file")]


def unused(output: str | None, stage: Stage) -> list[UsageError]:
    """Options that only a dataset has a use for, given to another output of a stage."""
    return for_datasets(output, stage.settings, exports=stage.operator.verb == "export")


def for_datasets(output: str | None, settings: Settings, *, exports: bool = False) -> list[UsageError]:
    """As `unused`, of any command. exports: whether labels say what goes out, also into a file."""
    if output not in (None, "-") and not format_of(Path(str(output)).name)[0]:
        return []
    faults: list[UsageError] = []
    if settings.shards is not None:
        faults.append(OptionError("shards", "is for a dataset folder", mend="pass -o DIR, or leave it out"))
    if settings.keep_labels and not exports:
        faults.append(OptionError("keep_labels", "is for a dataset folder", "a file or a pipe has rows of every label", "leave it out"))
    return faults


def _place(output: str | None, to: str | None, *, whole: bool) -> list[UsageError]:
    if output in (None, "-"):
        if output == "-" and to in (None, "arrow") and sys.stdout.isatty():
            return [UsageError("an Arrow stream is not for a terminal", mend="pipe it on, pass -o FILE, or --to jsonl")]
        return []
    faults = []
    if to is not None:
        faults.append(UsageError("--to is for standard output", f"-o is {output}", "let the file's name say the format"))
    path = Path(str(output))
    if re.search(r"@v[0-9]+$", path.name):
        return [
            *faults,
            UsageError(f"-o {output} names a version, and a version never changes", mend=f"pass -o {str(path).rpartition('@')[0]}"),
        ]
    form, packed = format_of(path.name)
    if form and not path.is_dir():
        if form not in (*WRITTEN, *(["json"] if whole else [])) or packed:
            faults.append(_unwritten(str(path)))
        faults += taken(path, "dropped")
    elif not path.exists() and not str(output).endswith("/") and (guess := near(path.suffix.removeprefix("."), WRITTEN)):
        faults.append(UsageError(f"{path} would be a folder", mend=f"did you mean {path.with_suffix(f'.{guess}')}?"))
    elif not path.exists() and not str(output).endswith("/") and _SUFFIX.search(path.name):
        mend = "name it .parquet, .jsonl, .csv or .arrow; or end it with / to make a folder of that name"
        faults.append(UsageError(f"{path} has no known format", mend=mend))
    elif path.exists() and not path.is_dir():
        faults.append(UsageError(f"{path} is a file, not a folder", mend="name a folder, or a file with a known suffix"))
    elif path.is_dir() and not (path / ".negforge").is_dir() and any(path.iterdir()):
        faults.append(UsageError(f"{path} is not empty and not a dataset of negforge", mend="name a new or an empty folder"))
    return faults
