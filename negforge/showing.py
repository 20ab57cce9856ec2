"""What `show` and `operators show` print: a dataset's state, an operator's manual."""

from __future__ import annotations

import io
import json
from pathlib import Path

import polars as pl

from negforge.errors import UsageError
from negforge.options import declared_options, field_of
from negforge.registry import Operator
from negforge.report import preview, printable
from negforge.store import Dataset


def show_dataset(spec: str, *, rows: int, as_json: bool) -> str:
    """A dataset's versions, counts, stages and first rows, as text or as its manifest."""
    folder, _, version = spec.partition("@v") if not Path(spec).is_dir() else (spec, "", "")
    if version and not version.isdecimal():
        raise UsageError(f"'{spec}' names no version", mend=f"for example {folder}@v1")
    dataset = Dataset(Path(folder))
    source = dataset.source(int(version) if version else None)
    number = int(source.name.rpartition("@v")[2])
    manifest = dataset.manifest(number)
    if as_json:
        return json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    have = ", ".join(f"v{one}" for one in dataset.versions())
    dropped = manifest["dropped"]
    lines = [
        f"{folder}: {manifest['kind']}, v{number} of {have}, made {manifest['created']}",
        f"  {manifest['rows']:,} rows in {len(manifest['shards'])} shard(s), data/v{number}; {dropped['rows']:,} dropped and "
        f"{dropped['other_labels']:,} of another label in .negforge/v{number}/dropped",
        f"  rows_digest {manifest['digests']['rows_digest']}",
        "  stages:",
    ]
    for stage in manifest["stages"]:
        options = ", ".join(f"{key}={value}" for key, value in stage["options"].items())
        lines.append(f"    {stage['stage']} (version {stage['version']}, seed {stage['seed']}) {printable(options)}")
        lines.append(f"      {_counts(stage['counts'])}")
    text = io.StringIO()
    text.write("\n".join(lines) + "\n")
    first = next(source.batches(max(rows, 1)), pl.DataFrame()).head(rows)
    if rows and first.height and manifest["rows"]:
        preview(first, text)
    return text.getvalue()


def _counts(counts: dict[str, object]) -> str:
    parts = []
    for key, value in counts.items():
        if isinstance(value, dict):
            parts += [f"{key} " + ", ".join(f"{name} {number}" for name, number in value.items())] if value else []
        else:
            parts.append(f"{key} {value}")
    return "; ".join(parts)


def manual(operator: Operator) -> str:
    """An operator's docstring, declaration, side inputs and options."""
    declared = ", ".join(f"{key}={value!r}" for key, value in operator.declared.items())
    lines = [f"negforge {operator.title}", "", operator.doc, "", f"Declares: {declared}", "", "Options:"]
    for side, kind in operator.sides.items():
        lines.append(f"  --{side.replace('_', '-')}: side input, a table of {kind.kind.name}. Required.")
    for name, parameter in declared_options(operator).items():
        default = "" if parameter.default in (None, [], parameter.empty) else f" Default {parameter.default}."
        lines.append(f"  --{name.replace('_', '-')}: {field_of(parameter.annotation).description}{default}")
    lines += ["", "Run:", f"  {example(operator)}", ""]
    return "\n".join(lines)


def example(operator: Operator) -> str:
    """A line to type."""
    sides = "".join(f" --{side.replace('_', '-')} {side}.parquet" for side in operator.sides)
    needed = "".join(
        f" --{name.replace('_', '-')} VALUE"
        for name, parameter in declared_options(operator).items()
        if parameter.default is parameter.empty
    )
    kind = {"ingest": "FILE", "generate": "pairs.parquet"}.get(operator.verb, "negatives.parquet")
    return f"negforge {operator.title} {kind}{sides}{needed} -o OUT"
