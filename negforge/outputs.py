"""Where rows may go, judged from the name alone, before any work is done."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from negforge.errors import OptionError, UsageError, listed, near
from negforge.options import Settings
from negforge.runner import Stage
from negforge.tables import dropped_twin, format_of

WRITTEN = ("parquet", "jsonl", "csv", "arrow")


def check_output(output: str | None, to: str | None, stage: Stage | None = None) -> list[UsageError]:
    """What is wrong with `-o` and `--to`: a format that is not written, a folder that is not ours, a stream to a terminal.

    stage: for options that only a dataset has a use for.
    """
    faults = _place(output, to)
    if stage is not None:
        read = [one for one in (*stage.inputs, *stage.sides.values()) if isinstance(one, str)]
        faults += unused(output, stage) + over_input(output, read) + unread(output, to, stage)
    return faults


def unread(output: str | None, to: str | None, stage: Stage) -> list[UsageError]:
    """A form of file that the trainer an exporter writes for does not read."""
    read = stage.operator.declares.formats
    form = to if output in (None, "-") else format_of(Path(str(output)).name)[0]
    if not read or form in read or (form is None and output in (None, "-")):
        return []
    given = f"--to {to}" if output in (None, "-") else f"-o {output}"
    where = f"the trainer reads {listed(f'.{one}' for one in read)} alone"
    return [UsageError(f"{stage.operator.title} does not write {given}", where, f"pass -o train.{read[0]}")]


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


def _place(output: str | None, to: str | None) -> list[UsageError]:
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
        if form not in WRITTEN or packed:
            where = "a file is written as .parquet, .jsonl, .csv or .arrow"
            faults.append(UsageError(f"cannot write {path}", where, "choose one of these, or a folder"))
        faults += _shared_twin(path)
    elif not path.exists() and (guess := near(path.suffix.removeprefix("."), WRITTEN)):
        faults.append(UsageError(f"{path} would be a folder", mend=f"did you mean {path.with_suffix(f'.{guess}')}?"))
    elif path.exists() and not path.is_dir():
        faults.append(UsageError(f"{path} is a file, not a folder", mend="name a folder, or a file with a known suffix"))
    elif path.is_dir() and not (path / ".negforge").is_dir() and any(path.iterdir()):
        faults.append(UsageError(f"{path} is not empty and not a dataset of negforge", mend="name a new or an empty folder"))
    return faults


def _shared_twin(path: Path) -> list[UsageError]:
    """`x.jsonl` beside `x.parquet` would take over the dropped rows of the other."""
    twin = dropped_twin(path)
    others = [other for form in WRITTEN if (other := path.with_suffix(f".{form}")) != path and other.exists()]
    if not (twin.exists() and others):
        return []
    return [UsageError(f"{twin} holds the dropped rows of {others[0]}", f"-o {path} would replace them", "choose another name")]
