"""What changed from one table to another: rows by id, each under one heading, and the options of the stages that made them.

Of each row only hashes are held: its id, what it is about, what was found out about it; with label, operator and reason as
numbers. Rows themselves are read again only where examples are asked for.
Source: huggingface/datatrove#370 (learn which row, not only how many) and MinishLab/semhash#49 (removed rows with reasons).
"""

from __future__ import annotations

import difflib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from negforge import rng
from negforge.engine import Partitioner, machine_memory, temporary_scratch
from negforge.errors import InputError, UsageError
from negforge.inputs import Input, open_input, sources_of
from negforge.merging import kind_of
from negforge.progress import Progress
from negforge.records import DROP_NAMES, Kind
from negforge.report import Counts, counted, reasons
from negforge.sinks import Digests, split_dropped
from negforge.store import Dataset, dataset_named
from negforge.tables import History

# Of a row that is in both tables, the first that holds says where it is counted.
HEADINGS = {
    "added": "in the second alone",
    "removed": "in the first alone",
    "changed": "other texts under the same id",
    "dropped": "kept before, dropped now",
    "restored": "dropped before, kept now",
    "relabelled": "another label",
    "annotated": "other scores, verdicts, evidence, place or own columns",
}
_ROWS = 1 << 15
_TEXT = 48  # characters of a text in an example
_LANES = ("high", "low")


@dataclass
class Side:
    """One of the two tables."""

    name: str
    rows: int = 0
    dropped: int = 0
    rows_digest: str = ""


@dataclass
class Difference:
    """What changed from `before` to `after`.

    rows: how many under each heading, and `same`. by: under each heading, how many by operator and what became of them.
    again: how many of the rows kept in the second alone have the texts of one kept in the first alone: a round of mining by another
    model gives the same negatives other ids. stages: see `stage_changes`. examples: rows under each heading, as they were and are.
    """

    before: Side
    after: Side
    rows: dict[str, int] = field(default_factory=dict)
    by: dict[str, dict[str, int]] = field(default_factory=dict)
    again: int = 0
    stages: list[dict[str, Any]] = field(default_factory=list)
    examples: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def equal(self) -> bool:
        """Whether the rows are the same."""
        return not any(self.rows[name] for name in HEADINGS)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        found = {"before": vars(self.before), "after": vars(self.after), "equal": self.equal, "rows": self.rows, "by": self.by}
        return {**found, "again": self.again, "stages": self.stages, **({"examples": self.examples} if self.examples else {})}

    def lines(self) -> Iterator[str]:
        """For people."""
        for sign, side in (("-", self.before), ("+", self.after)):
            yield f"{sign} {side.name}: {counted(side.rows, 'row')} kept, {side.dropped:,} dropped, rows_digest {side.rows_digest[:12]}"
        yield f"{counted(self.rows['same'], 'row')} the same" + (", and none other" if self.equal else "")
        for name, meaning in HEADINGS.items():
            if self.rows[name]:
                yield f"{name} {self.rows[name]:,} ({meaning}): {reasons(self.by[name])}"
                yield from (f"  {_example(one)}" for one in self.examples.get(name, []))
        if self.again:
            yield f"of the kept rows added, {self.again:,} have the texts of one removed, under another id"
        if self.stages:
            yield "stages:"
            yield from (f"  {told(change)}" for change in self.stages)


def compare(
    first: str, second: str | None = None, *, rows: int = 0, max_memory: int | None = None, show_progress: bool = False
) -> Difference:
    """Compare two tables of one kind, or a version with its parent where one alone is named.

    rows: how many examples to take under each heading, those that stand first. InputError for tables of two kinds.
    """
    if second is None:
        first, second = _parent_of(first)
    limit = (max_memory or machine_memory() // 4) // 8
    progress = Progress("diff", show=show_progress)
    try:
        with temporary_scratch() as scratch:
            specs = (first, second)
            sources = [sources_of([spec]) for spec in specs]
            kind = kind_of([source for side in sources for source in side])
            tables = [
                open_input(side, kind, scratch.path / f"in-{number}", limit_bytes=limit, twice=True) for number, side in enumerate(sources)
            ]
            before, after = (Side(", ".join(source.name for source in side)) for side in sources)
            found = Difference(before, after, dict.fromkeys((*HEADINGS, "same"), 0))
            narrow, moved = (Partitioner(scratch.path / name, limit) for name in ("ids", "moved"))
            wanted = _compare(tables, kind, found, narrow, moved, rows, progress)
            found.again = sum(_again(part.with_columns(pl.Series("about", about))) for part, about in moved.parts())
            if rows:
                found.examples = _examples(tables, wanted)
            found.stages = stage_changes(tables[0].history, tables[1].history)
            return found
    finally:
        progress.close()


def _parent_of(spec: str) -> tuple[str, str]:
    """A version and its parent, the older first."""
    if not Path(spec).is_dir() and Path(spec).exists():
        raise UsageError(f"{spec} is a file: there is no earlier one", mend=f"name two tables: negforge diff OLD {spec}")
    dataset, version = dataset_named(spec)
    version = dataset.newest() if version is None else version
    if version is None:
        raise InputError(f"{dataset.path} has no version yet", "its writer died, or is still at work", "run the command that makes it")
    parent = dataset.manifest(version).get("parent")
    if parent is None:
        raise UsageError(
            f"v{version} of {dataset.path} is the first: it has no parent", mend=f"name two: negforge diff OTHER {dataset.path}"
        )
    return f"{dataset.path}@v{parent}", f"{dataset.path}@v{version}"


# -- rows --------------------------------------------------------------------------------------------------------------


class _Codes:
    """Numbers for the few values of a column, the same for both tables."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    def of(self, frame: pl.DataFrame, name: str) -> pl.Series:
        """The numbers of a column's cells; of null, and of a column that is not there, the number of the empty text."""
        cells = frame[name].cast(pl.String).fill_null("") if name in frame.columns else pl.repeat("", frame.height, eager=True)
        for value in cells.unique(maintain_order=True).to_list():
            self._places.setdefault(value, len(self._places))
        return cells.replace_strict([*self._places], [*self._places.values()], return_dtype=pl.Int32)

    def names(self) -> list[str]:
        """The values, by number."""
        return [*self._places]


def _compare(
    tables: list[Input], kind: Kind, found: Difference, narrow: Partitioner, moved: Partitioner, examples: int, progress: Progress
) -> pl.DataFrame:
    """Count the rows under their headings; the rows to show: heading, and row number in each table. moved: takes those of one alone."""
    codes = {name: _Codes() for name in ("label", "operator", "dropped_by", "drop_reason")}
    seen = 0
    for side, (table, told_side) in enumerate(zip(tables, (found.before, found.after), strict=True)):
        digests, done = Digests(kind), 0
        for frame in table.batches(_ROWS):
            if frame.height:
                digests.add(*split_dropped(frame))
                narrow.add(*_narrow(frame, kind, codes, side, done))
            done += frame.height
            seen += frame.height
            progress.update(Counts(seen=seen, kept=digests.kept))
        told_side.rows, told_side.dropped, told_side.rows_digest = digests.kept, digests.lost, digests.named()["rows_digest"]
    progress.phase("comparing")
    wanted = pl.DataFrame(schema={"heading": pl.String, "row": pl.Int64, "row_after": pl.Int64})
    by: dict[str, Counter[str]] = {name: Counter() for name in HEADINGS}
    for part, high in narrow.parts():
        rows = _headed(part.with_columns(pl.Series("high", high)))
        found.rows["same"] += int((rows["heading"] == "same").sum())
        rows = rows.filter(pl.col("heading") != "same")
        for heading, end in (("removed", ""), ("added", "_after")):
            alone = rows.filter((pl.col("heading") == heading) & ~pl.col(f"is_dropped{end}"))
            marks = pl.Series("added", [heading == "added"]).new_from_index(0, alone.height)
            moved.add(marks.to_frame(), alone[f"about{end}"].to_numpy())
        for name, words, number in _named(rows, codes):
            found.rows[name] += number
            by[name][words] += number
        first = pl.concat([wanted, rows.select(wanted.columns)]).sort("heading", pl.coalesce("row_after", "row"))
        wanted = first.group_by("heading", maintain_order=True).head(examples).select(wanted.columns)
    found.by = {name: dict(sorted(counter.items(), key=lambda item: (-item[1], item[0]))) for name, counter in by.items() if counter}
    return wanted


def _again(part: pl.DataFrame) -> int:
    """How many of the rows of the second table have the texts of a row of the first."""
    return part.filter("added").join(part.filter(~pl.col("added")), on="about", how="semi").height


def _narrow(frame: pl.DataFrame, kind: Kind, codes: dict[str, _Codes], side: int, done: int) -> tuple[pl.DataFrame, rng.U64]:
    known: dict[str, rng.Lanes] = {}
    high, low = rng.frame_lanes(frame, ["id"], known)
    about = [name for name in kind.digest if name not in ("id", "label", "position")]
    left, right = rng.frame_lanes(frame, about, known)
    rest = frame.drop("id", "label", *about, *DROP_NAMES, strict=False)
    columns = {
        "low": pl.Series(low),
        "row": pl.Series(np.arange(done, done + frame.height)),
        "side": pl.repeat(side, frame.height, dtype=pl.Int8, eager=True),
        "about": pl.Series(rng.mix(left ^ right)),
        "found": pl.Series(rng.row_hashes(rest, known)),
        **{name: one.of(frame, name) for name, one in codes.items()},
        "is_dropped": frame["dropped_by"].is_not_null() if "dropped_by" in frame.columns else pl.repeat(False, frame.height, eager=True),
    }
    return pl.DataFrame(columns), high


def _headed(part: pl.DataFrame) -> pl.DataFrame:
    """Rows of both tables side by side, each with its heading. Of an id that a table has twice, the first row stands."""
    part = part.sort("high", "low", "side", "row").unique([*_LANES, "side"], keep="first", maintain_order=True)
    before, after = (part.filter(pl.col("side") == side).drop("side") for side in (0, 1))
    both = before.join(after, on=_LANES, how="full", suffix="_after", coalesce=True, maintain_order="left_right")
    now, then = pl.col("is_dropped_after"), pl.col("is_dropped")
    rules = {
        "added": pl.col("row").is_null(),
        "removed": pl.col("row_after").is_null(),
        "changed": pl.col("about") != pl.col("about_after"),
        "dropped": ~then & now,
        "restored": then & ~now,
        "relabelled": pl.col("label") != pl.col("label_after"),
        "annotated": (pl.col("found") != pl.col("found_after")) | (pl.col("drop_reason") != pl.col("drop_reason_after")),
    }
    heading: Any = pl
    for name, rule in rules.items():
        heading = heading.when(rule).then(pl.lit(name))
    return both.with_columns(heading.otherwise(pl.lit("same")).alias("heading"))


def _named(rows: pl.DataFrame, codes: dict[str, _Codes]) -> Iterator[tuple[str, str, int]]:
    """How many rows there are under each heading, by operator and by what became of them, in words."""
    columns = [f"{name}{end}" for name in codes for end in ("", "_after")]
    names = {name: one.names() for name, one in codes.items()}
    for row in rows.group_by("heading", *columns, maintain_order=True).len().iter_rows(named=True):
        before, after = (
            {name: "" if row[f"{name}{end}"] is None else names[name][row[f"{name}{end}"]] for name in codes} for end in ("", "_after")
        )
        heading = row["heading"]
        one = before if heading in ("removed", "restored") else after
        words = [one["operator"]]
        if heading == "relabelled":
            words.append(f"{before['label']} to {after['label']}")
        elif one["dropped_by"]:
            words.append(f"{one['dropped_by']}, {one['drop_reason']}")
        elif heading in ("added", "removed"):
            words.append(one["label"])
        yield heading, " ".join(word for word in words if word) or "rows", row["len"]


def _examples(tables: list[Input], wanted: pl.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """The rows to show, as they were and as they are, read in one more pass over each table."""
    found: list[dict[int, dict[str, Any]]] = []
    for table, name in zip(tables, ("row", "row_after"), strict=True):
        numbers = wanted[name].drop_nulls().sort().to_numpy()
        rows: dict[int, dict[str, Any]] = {}
        done = 0
        for frame in table.batches(_ROWS):
            start, end = np.searchsorted(numbers, [done, done + frame.height])
            rows |= zip(numbers[start:end].tolist(), frame[numbers[start:end] - done].iter_rows(named=True), strict=True)
            done += frame.height
        found.append(rows)
    examples: dict[str, list[dict[str, Any]]] = {}
    for heading, old, new in wanted.iter_rows():
        before, after = found[0].get(old), found[1].get(new)
        names = dict.fromkeys([*(before or {}), *(after or {})])
        differ = [name for name in names if before is not None and after is not None and before.get(name) != after.get(name)]
        examples.setdefault(heading, []).append({"before": before, "after": after, **({"columns": differ} if differ else {})})
    return {name: examples[name] for name in HEADINGS if name in examples}


def _example(one: dict[str, Any]) -> str:
    """A line for an example: what differs, or what is there of a row that is in one table alone."""
    before, after = one["before"], one["after"]
    row = after or before
    if before is not None and after is not None:
        differ = one.get("columns", [])
        cells = [f"{name} {_cell(row[name])}" for name in ("negative", "text") if row.get(name) is not None and name not in differ][:1]
        cells += [f"{name} {_cell(before.get(name))} to {_cell(after.get(name))}" for name in differ]
    else:
        shown = ("anchor", "positive", "negative", "text", "prompt", "response", "label", "drop_reason")
        cells = [f"{name} {_cell(row[name])}" for name in shown if row.get(name) is not None][:4]
    return f"{row['id']}: " + "; ".join(cells)


def _cell(value: Any) -> str:
    """A value, cut to what a line has room for; a text in quotes."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    text = text if len(text) <= _TEXT else f"{text[: _TEXT - 3]}..."
    return f"'{text}'" if isinstance(value, str) else text


# -- stages ------------------------------------------------------------------------------------------------------------


def stage_changes(before: History, after: History) -> list[dict[str, Any]]:
    """What changed in the stages: one entry an option, seed or version with its old and new value; stages that came or went whole.

    A stage that ran as before stands for itself; between those, one is known by its operator and its place.
    """
    changes: list[dict[str, Any]] = []
    for i, i_end, j, j_end in _others(
        [json.dumps([one["stage"], _settings(one)], default=str) for one in side] for side in (before, after)
    ):
        old, new = before[i:i_end], after[j:j_end]
        rest = [*_others([one["stage"] for one in side] for side in (old, new))]
        same = difflib.SequenceMatcher(None, [one["stage"] for one in old], [one["stage"] for one in new], autojunk=False)
        for block in same.get_matching_blocks():
            for one, two in zip(old[block.a : block.a + block.size], new[block.b : block.b + block.size], strict=True):
                was, now = _settings(one), _settings(two)
                changes += [
                    {"stage": two["stage"], "option": name, "old": was.get(name), "new": now.get(name)}
                    for name in dict.fromkeys([*was, *now])
                    if was.get(name) != now.get(name)
                ]
        for first, last, begin, end in rest:
            changes += [{"stage": one["stage"], "removed": _settings(one)} for one in old[first:last]]
            changes += [{"stage": one["stage"], "added": _settings(one)} for one in new[begin:end]]
    return changes


def _others(sides: Iterable[list[str]]) -> Iterator[tuple[int, int, int, int]]:
    """The ranges of two lists between what they have in common."""
    one, two = sides
    for what, *places in difflib.SequenceMatcher(None, one, two, autojunk=False).get_opcodes():
        if what != "equal":
            yield places[0], places[1], places[2], places[3]


def _settings(entry: dict[str, Any]) -> dict[str, Any]:
    """What an entry of a history says of how its stage ran, beside what it counted."""
    own = {key: value for key, value in entry.items() if key not in ("stage", "options", "counts", "rows_digest", "parents", "version")}
    own |= {key: value for key, value in entry["options"].items() if value is not None}
    return {"operator_version": entry["version"], **own}


def told(change: dict[str, Any]) -> str:
    """A change of a stage in words."""
    if "option" in change:
        return f"{change['stage']}: {change['option']} {_value(change['old'])} to {_value(change['new'])}"
    verb = "added" if "added" in change else "removed"
    options = {key: value for key, value in change[verb].items() if key not in ("operator_version", "seed")}
    return f"{verb} {change['stage']}" + (": " + ", ".join(f"{key} {_value(value)}" for key, value in options.items()) if options else "")


def _value(value: Any) -> str:
    return value if isinstance(value, str) and value else _cell(value)


# -- the versions of a dataset -----------------------------------------------------------------------------------------


def log(spec: str) -> list[dict[str, Any]]:
    """The versions of a dataset, newest first, each with what changed against its parent; and the numbers that are no version."""
    dataset, version = dataset_named(spec)
    versions = [number for number in dataset.versions() if version is None or number <= version]
    if not versions or (version is not None and version not in versions):
        dataset.source(version)  # says what there is instead
    manifests = {number: dataset.manifest(number) for number in dataset.versions()}
    entries = [_entry(dataset, manifests[number], manifests) for number in versions]
    gone = {*range(1, versions[-1]), *(dataset.given_up() if version is None else ())} - {*versions}
    return sorted([*entries, *({"version": number, "given_up": True} for number in gone)], key=lambda one: -int(one["version"]))


def _entry(dataset: Dataset, manifest: dict[str, Any], manifests: dict[int, dict[str, Any]]) -> dict[str, Any]:
    old = manifests.get(manifest.get("parent") or 0)
    figures: dict[str, Callable[[dict[str, Any]], int]] = {
        "rows": lambda one: one["rows"],
        "dropped": lambda one: one["dropped"]["rows"],
        "other_labels": lambda one: one["dropped"]["other_labels"],
    }
    return {
        "version": manifest["version"],
        "newest": manifest["version"] == dataset.newest(),
        "created": manifest["created"],
        "kind": manifest["kind"],
        **{name: figure(manifest) for name, figure in figures.items()},
        "rows_digest": manifest["digests"]["rows_digest"],
        "parent": manifest.get("parent"),
        "parents": [one["name"] for one in manifest.get("parents", [])],
        "stages": [stage["stage"] for stage in manifest["stages"]],
        "rounds": [stage["round"] for stage in manifest["stages"] if "round" in stage],
        **({"change": {name: figure(manifest) - figure(old) for name, figure in figures.items()}} if old else {}),
        "changes": stage_changes(old["stages"], manifest["stages"]) if old else [],
    }


def log_lines(entry: dict[str, Any]) -> tuple[str, list[str]]:
    """An entry of the log for people: its first line, and the ones below it."""
    if entry.get("given_up"):
        return f"v{entry['version']}  no version: its writer died, or it was deleted; the number is not used again", []
    change = entry.get("change", {})
    parts = []
    for name, unit in (("rows", "rows"), ("dropped", "dropped"), ("other_labels", "of another label")):
        moved = f" ({change[name]:+,})" if change.get(name) else ""
        if entry[name] or moved or name == "rows":
            parts.append(f"{entry[name]:,} {unit}{moved}")
    when = entry["created"].replace("T", " ")[:16]
    head = f"v{entry['version']}  {when}  {entry['rows_digest'][:12]}" + ("  newest" if entry["newest"] else "")
    lines = [", ".join(parts), *([" > ".join(entry["stages"])] if entry["stages"] else [])]
    lines += [f"round {', '.join(entry['rounds'])}"] if entry["rounds"] else []
    lines += [f"parents: {', '.join(entry['parents'])}"] if entry["parents"] else []
    if entry["parent"] is not None:
        same = "; other rows by the same stages" if any(change.values()) else "; the same stages"
        told_changes = "; ".join(told(one) for one in entry["changes"])
        lines.append(f"against v{entry['parent']}: {told_changes}" if told_changes else f"against v{entry['parent']}{same}")
    return head, lines
