"""Where rows may go, judged from the name alone, before any work is done."""

from __future__ import annotations

import sys
from pathlib import Path

from negforge.errors import UsageError, near
from negforge.tables import format_of

WRITTEN = ("parquet", "jsonl", "csv", "arrow")


def check_output(output: str | None, to: str | None) -> list[UsageError]:
    """What is wrong with `-o` and `--to`: a format that is not written, a folder that is not ours, a stream to a terminal."""
    if output in (None, "-"):
        if output == "-" and to in (None, "arrow") and sys.stdout.isatty():
            return [UsageError("an Arrow stream is not for a terminal", mend="pipe it on, pass -o FILE, or --to jsonl")]
        return []
    faults = []
    if to is not None:
        faults.append(UsageError("--to is for standard output", f"-o is {output}", "let the file's name say the format"))
    path = Path(str(output))
    form, packed = format_of(path.name)
    if form and not path.is_dir():
        if form not in WRITTEN or packed:
            where = "a file is written as .parquet, .jsonl, .csv or .arrow"
            faults.append(UsageError(f"cannot write {path}", where, "choose one of these, or a folder"))
    elif not path.exists() and (guess := near(path.suffix.removeprefix("."), WRITTEN)):
        faults.append(UsageError(f"{path} would be a folder", mend=f"did you mean {path.with_suffix(f'.{guess}')}?"))
    elif path.exists() and not path.is_dir():
        faults.append(UsageError(f"{path} is a file, not a folder", mend="name a folder, or a file with a known suffix"))
    elif path.is_dir() and not (path / ".negforge").is_dir() and any(path.iterdir()):
        faults.append(UsageError(f"{path} is not empty and not a dataset of negforge", mend="name a new or an empty folder"))
    return faults
