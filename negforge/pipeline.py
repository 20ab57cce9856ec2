"""Pipeline files: the same stages as on the command line, written down in TOML and checked whole before any work."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import shlex
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from negforge import registry
from negforge.engine import temporary_scratch
from negforge.errors import NegforgeError, OptionError, PipelineError, UsageError, did_you_mean, listed, near
from negforge.inputs import sources_of
from negforge.journal import Journal
from negforge.options import Settings, check_settings, declared_options, plain_shape, settings_of
from negforge.options import json_schema as options_schema
from negforge.outputs import check_output, over_other, unread, unused
from negforge.records import Kind
from negforge.registry import Operator
from negforge.report import Report
from negforge.resuming import Entry, files_read, stage_key, trim
from negforge.runner import Stage, costs, plain, plan_of, run_stage, stage_of
from negforge.sinks import Sink, sink_for
from negforge.store import Dataset

_DEEPEST = 16  # levels of tables and lists in a file; three would do
_FLAT = "a file is a list of [[stage]], each of flat keys"
_OWN = ("name", "use", "input", "output")
# What a flag of `run` or a top-level key sets for every stage that has it; a limit never trims a side table.
SHARED = ("seed", "limit", "workers", "batch_size", "max_memory")
Values = Mapping[str, Any]


@dataclass(frozen=True)
class Step:
    """A stage of a pipeline: its name, the checked stage, its output if it names one, and where each value came from."""

    name: str
    stage: Stage
    output: str | None
    origins: dict[str, str]


# A faulty stage stands as None, so that references to it are not faults of their own.
Steps = dict[str, Step | None]


def load(path: str, overrides: Values, settings: list[str]) -> list[Step]:
    """Read and check a pipeline file.

    overrides: flags of `run` that hold for every stage. settings: `STAGE.KEY=VALUE` flags. Raises PipelineError with every
    fault, by stage and key, UsageError if the file cannot be read.
    """
    document = _document(path)
    faults = [_unknown(path, key, ["stage", *SHARED]) for key in document if key not in ("stage", *SHARED)]
    shared = {key: document[key] for key in SHARED if key in document}
    wrong_keys, wrong_flags = check_settings(shared, path)[1], check_settings(overrides, "negforge run")[1]
    faults += [*(_as_key(fault) for fault in wrong_keys), *wrong_flags]
    for fault in wrong_keys:
        shared.pop(fault.option)
    overrides = {key: value for key, value in overrides.items() if key not in [fault.option for fault in wrong_flags]}
    entries = document.get("stage", [])
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise PipelineError([*faults, UsageError(f"{path} has no [[stage]]", mend='each stage begins with a line "[[stage]]"')], path)
    names = [entry["name"] if isinstance(entry.get("name"), str) else f"number {place}" for place, entry in enumerate(entries, start=1)]
    faults += [UsageError(f"stage name '{name}' is used twice", path, "give each its own") for name, n in Counter(names).items() if n > 1]
    by_stage = _settings(settings, names, faults)
    steps: Steps = {}
    written: dict[Path, str] = {}  # what earlier stages write, faulty ones too
    for name, entry in zip(names, entries, strict=True):
        step, wrong = _step(name, entry, by_stage.get(name, {}), shared, overrides, steps, written)
        faults += [_of_stage(name, fault) for fault in wrong]
        steps[name] = step
        output = by_stage.get(name, {}).get("output", [entry.get("output")])[0]
        if isinstance(output, str):
            written[Path(output)] = name
    faults += _unused(entries, shared, overrides) + _together(steps)
    if faults:
        raise PipelineError(faults, path)
    return [step for step in steps.values() if step is not None]


def _document(path: str) -> dict[str, Any]:
    place = Path(path)
    try:
        with place.open("rb") as handle:
            document = tomllib.load(handle)
    except OSError as error:
        names = [one.name for one in place.parent.glob("*.toml")] if place.parent.is_dir() else []
        raise UsageError(f"cannot read {path}: {error.strerror}", mend=did_you_mean(place.name, names, "check the path")) from error
    except ValueError as error:
        raise UsageError(f"{path} is not TOML: {error}", mend="mend the file at that line") from None
    except RecursionError:
        raise UsageError(f"{path} nests tables or lists without end", mend=_FLAT) from None
    inner: list[Any] = [document]
    for _ in range(_DEEPEST):
        inner = [part for one in inner for part in (one.values() if isinstance(one, dict) else one) if isinstance(part, (dict, list))]
    if inner:
        raise UsageError(f"{path} nests tables or lists deeper than {_DEEPEST} levels", mend=_FLAT)
    return document


def _unknown(where: str, key: str, names: list[str]) -> UsageError:
    return UsageError(f"there is no key '{key}'", f"{where} may have {listed(names)}", did_you_mean(key, names, "remove it"))


def _as_key(fault: UsageError) -> UsageError:
    """A fault in a file's words: the option is a key."""
    return UsageError(f"key '{fault.option}' {fault.problem}", fault.where, fault.mend) if isinstance(fault, OptionError) else fault


def _of_stage(name: str, fault: UsageError) -> UsageError:
    fault = _as_key(fault)
    return UsageError(f"stage '{name}': {fault.what}", fault.where, fault.mend)


def _settings(settings: list[str], names: list[str], faults: list[UsageError]) -> dict[str, dict[str, list[str]]]:
    """The values that `--set` gives, by stage and key."""
    found: dict[str, dict[str, list[str]]] = {}
    for setting in settings:
        place, sign, value = setting.partition("=")
        stage, dot, key = place.rpartition(".")
        if not (sign and dot and key):
            faults.append(UsageError(f"--set {setting} is not STAGE.KEY=VALUE", mend="for example --set mine.num_negatives=8"))
        elif stage not in names:
            mend = did_you_mean(stage, names, "name one of these")
            faults.append(UsageError(f"--set names stage '{stage}', which is not there", f"stages: {listed(names)}", mend))
        else:
            found.setdefault(stage, {}).setdefault(key.replace("-", "_"), []).append(value)
    return found


def _applies(operator: Operator, key: str) -> bool:
    """Whether a shared key is for a stage: it has the option, and a limit is for what generates."""
    return key in settings_of(operator) and (key != "limit" or operator.verb == "generate")


def _step(
    name: str,
    entry: Values,
    settings: Mapping[str, list[str]],
    shared: Values,
    overrides: Values,
    earlier: Steps,
    written: Mapping[Path, str],
) -> tuple[Step | None, list[UsageError]]:
    """One stage, or every fault found in it."""
    use = entry.get("use")
    if not isinstance(use, str):
        return None, [UsageError("there is no `use`", mend='for example use = "generate mine.bm25"')]
    verb, _, operator_name = use.partition(" ")
    try:
        operator = registry.find(verb, operator_name)
    except UsageError as error:
        return None, [error]
    faults = [] if isinstance(entry.get("name"), str) else [UsageError("there is no `name`", mend='for example name = "mine"')]
    values: dict[str, tuple[Any, str]] = {}
    for origin, source in (("file", shared), ("file", entry), ("flag", overrides), ("--set", _texts(operator, settings, faults))):
        applying = source.items() if source is not shared and source is not overrides else _only(operator, source).items()
        values |= {key: (value, origin) for key, value in applying}
    inputs, output = _inputs(values, faults), values.get("output", (None, ""))[0]
    if output is not None and (not isinstance(output, str) or output == "-"):
        faults.append(OptionError("output", "takes a file or a folder", mend="leave it out where only later stages read the rows"))
        output = None
    faults += [_as_key(fault) for fault in check_output(output, None, later=True)]
    given = {key: value for key, (value, _) in values.items() if key not in _OWN}
    for side in operator.sides:
        if side in given and not isinstance(given[side], str):
            faults.append(OptionError(side, f"takes one table, not {given[side]!r}", mend='a path, or "@" and an earlier stage'))
            given[side] = "-"
    stage, wrong = stage_of(use, inputs or ["missing"], given)
    if stage is not None:
        found = (*unused(output, stage), *unread(output, None, stage), *over_other(output, stage, heals=True))
        wrong += [_as_key(fault) for fault in found]
    faults += wrong
    reads = operator.declares.reads
    for spec in inputs:
        faults += _reference("input", spec, reads.kind if reads is not None else None, operator, earlier, written)
    for side, kind in operator.sides.items():
        if side in given:
            faults += _reference(side, given[side], kind.kind, operator, earlier, written)
    if stage is None or faults:
        return None, faults
    origins = {key: origin for key, (_, origin) in values.items()}
    return Step(name, stage, output, {**dict.fromkeys(declared_options(operator), "default"), **origins}), []


def _only(operator: Operator, shared: Values) -> Values:
    return {key: value for key, value in shared.items() if _applies(operator, key)}


def _texts(operator: Operator, settings: Mapping[str, list[str]], faults: list[UsageError]) -> dict[str, Any]:
    """Values of `--set` for a stage: a list where the key takes several, else the one text."""
    shapes = options_schema(operator)["properties"]
    found: dict[str, Any] = {}
    for key, texts in settings.items():
        if key in ("name", "use"):
            faults.append(UsageError(f"--set cannot change `{key}`", mend="write it in the file"))
        elif key == "input" or plain_shape(shapes.get(key, {})).get("type") == "array":
            found[key] = texts
        elif len(texts) > 1:
            faults.append(OptionError(key, "is set twice", f"--set {listed(texts)}", "give one value"))
        else:
            found[key] = texts[0]
    return found


def _inputs(values: Mapping[str, tuple[Any, str]], faults: list[UsageError]) -> list[str]:
    raw = values.get("input", (None, ""))[0]
    inputs = [raw] if isinstance(raw, str) else raw
    if isinstance(inputs, list) and inputs and all(isinstance(one, str) and one for one in inputs):
        return inputs
    wrong = "there is no `input`" if raw is None else f"key 'input' takes a path or a list of paths, not {raw!r}"
    faults.append(UsageError(wrong, mend='for example input = "pairs.parquet", or "@pairs" for what the stage of that name makes'))
    return []


def _reference(key: str, spec: str, kind: Kind | None, operator: Operator, earlier: Steps, written: Mapping[Path, str]) -> list[UsageError]:
    """Faults of one input: an unknown or later stage, a table of another kind, a path that is not there."""
    if spec == "-":
        return []
    if not spec.startswith("@"):
        return _path_faults(key, spec, kind, operator, written)
    name = spec[1:]
    if name not in earlier:
        guess = near(name, earlier)
        mend = f"did you mean @{guess}?" if guess else "name an earlier stage, or a path"
        return [UsageError(f"key '{key}': '{spec}' names no earlier stage", f"earlier: {listed(earlier) or 'none'}", mend)]
    step = earlier[name]
    makes = step.stage.operator.makes if step is not None else kind
    if step is not None and (makes is None or kind is None or not kind.takes(makes.name)):
        wanted = kind.name if kind is not None else "files"
        made = makes.name if makes is not None else "a trainer's layout"
        return [UsageError(f"key '{key}': '{spec}' makes {made}, not {wanted}", mend="name a stage that does")]
    return []


def _path_faults(key: str, spec: str, kind: Kind | None, operator: Operator, written: Mapping[Path, str]) -> list[UsageError]:
    path = Path(spec)
    if path in written:
        return [UsageError(f"key '{key}': {spec} is what stage '{written[path]}' writes", mend=f'write {key} = "@{written[path]}"')]
    if key == "input" and operator.reads_folder:
        if path.is_dir():
            return []
        names = [one.name for one in path.parent.iterdir() if one.is_dir()] if path.parent.is_dir() else []
        return [UsageError(f"key '{key}': there is no folder {spec}", mend=did_you_mean(path.name, names, "check the path"))]
    try:
        for source in sources_of([spec]):
            if kind is not None and source.kind and not kind.takes(source.kind):
                return [UsageError(f"key '{key}': {source.name} is a table of {source.kind}, not of {kind.name}")]
    except NegforgeError as error:
        return [UsageError(f"key '{key}': {error.what}", error.where, error.mend)]
    return []


def _unused(entries: list[dict[str, Any]], shared: Values, overrides: Values) -> list[UsageError]:
    """Shared keys and flags that no stage has."""
    found = [registry.operators(verb).get(name) for verb, _, name in (str(entry.get("use", "")).partition(" ") for entry in entries)]
    used = {key for operator in found if operator is not None for key in SHARED if _applies(operator, key)}
    return [UsageError(f"key '{key}' is for no stage of this file", mend="remove it") for key in shared if key not in used] + [
        UsageError(f"--{key.replace('_', '-')} is for no stage of this file", mend="leave it out") for key in overrides if key not in used
    ]


def _together(steps: Steps) -> list[UsageError]:
    """Faults that stages have together: an output written twice, standard input read twice, rows that go nowhere."""
    whole = [step for step in steps.values() if step is not None]
    outputs = Counter(Path(step.output) for step in whole if step.output is not None)
    faults = [UsageError(f"two stages write {path}", mend="give each its own output") for path, number in outputs.items() if number > 1]
    read = [spec for step in whole for spec in (*step.stage.inputs, *step.stage.sides.values())]
    if sum(spec == "-" for spec in read if isinstance(spec, str)) > 1:
        faults.append(UsageError("standard input is read by two stages", mend="name a file in one of them"))
    if len(whole) == len(steps):
        for step in whole:
            if step.output is None and f"@{step.name}" not in read:
                mend = f'give it an output, or name it as "@{step.name}" in a later stage'
                faults.append(UsageError(f"stage '{step.name}' has no output and no later stage reads it", mend=mend))
    return faults


# -- as text -----------------------------------------------------------------------------------------------------------


def as_stage(stage: Stage, given: Iterable[str], output: str | None) -> str:
    """A command as a stage of a pipeline file: what was given, under its key. given: the names of options and side inputs.

    Raises UsageError for a text that no file can hold.
    """
    inputs = [_written(one) for one in stage.inputs]
    values: dict[str, Any] = {
        "name": stage.operator.name.replace(".", "-"),
        "use": stage.operator.title,
        "input": inputs[0] if len(inputs) == 1 else inputs,
        **{side: _written(spec) for side, spec in stage.sides.items()},
        **{key: value for key, value in stage.given.items() if key in given},
        **({"output": output} if output not in (None, "-") else {}),
    }
    return "".join(["[[stage]]\n", *(f"{key} = {_toml(value)}\n" for key, value in values.items())])


def _written(spec: Any) -> str:
    """A path as a pipeline file has it, where a leading @ would name a stage."""
    return f"./{spec}" if str(spec).startswith("@") else str(spec)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, (int, float)):
        return repr(value)
    try:
        str(value).encode()
    except UnicodeEncodeError:
        raise UsageError(f"{str(value)!r} is not UTF-8", "a pipeline file holds UTF-8 alone", "rename the file") from None
    # A JSON text is a TOML text but for one character.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def _command(step: Step, places: Mapping[str, str]) -> str:
    """The stage as a command line: what is not the default, under its flag."""

    def place(spec: Any) -> str:
        return places[spec[1:]] if str(spec).startswith("@") else str(spec)

    words = ["negforge", *step.stage.operator.title.split(), *map(place, step.stage.inputs)]
    for side, spec in step.stage.sides.items():
        words += [_flag(side), place(spec)]
    for key, value in step.stage.given.items():
        if step.origins.get(key, "default") == "default" or value is None:
            continue
        if isinstance(value, bool):
            words.append(_flag(key) if value else f"--no-{_flag(key)[2:]}")
        else:
            for one in value if isinstance(value, list) else [value]:
                words += [_flag(key), str(one)]
    return shlex.join([*words, "-o", places[step.name]])


def _flag(key: str) -> str:
    return "--" + key.replace("_", "-")


# -- plans and runs ----------------------------------------------------------------------------------------------------


def plan(steps: list[Step], *, resume: bool = True) -> list[dict[str, Any]]:
    """Every effective value with its origin (flag, --set, file or default), what a run would cost, and each stage as a command.

    rows_in: of the stage's input, an estimate where it is not there yet: a filter may drop rows, and candidates proven true
    come on top of a generator's slots; null where nobody can know, as of a pipe. skipped: a run before made the stage, and
    nothing it depends on has changed. Reads inputs, writes nothing.
    """
    found: list[dict[str, Any]] = []
    makes: dict[str, int | None] = {}
    made: dict[str, str] = {}
    commands = {step.name: step.output or re.sub(r"\W", "_", step.name) + ".parquet" for step in steps}

    def told(step: Step, values: Values) -> dict[str, Any]:
        return {key: {"value": plain(value), "origin": step.origins.get(key, "default")} for key, value in values.items()}

    for step in steps:
        report = _made_before(step, made, steps) if resume else None
        estimate = _estimate(step, makes, report)
        makes[step.name] = estimate["rows_out"]
        found.append(
            {
                "name": step.name,
                "use": step.stage.operator.title,
                **told(step, {"input": list(step.stage.inputs), "output": step.output}),
                "sides": told(step, step.stage.sides),
                "options": told(step, step.stage.given),
                **estimate,
                "skipped": report is not None,
                "command": _command(step, commands),
            }
        )
    return found


def _made_before(step: Step, made: dict[str, str], steps: list[Step]) -> Report | None:
    """The report of the run that made a stage, if all it reads was made; its place goes into `made`."""
    read = [*step.stage.inputs, *step.stage.sides.values()]
    if any(isinstance(one, str) and one.startswith("@") and one[1:] not in made for one in read):
        return None
    entry = _entry(step, _resolved(step, made), steps)
    report = entry.report() if entry is not None else None
    if entry is not None and report is not None:
        made[step.name] = _place(step, entry.rows, report)
    return report


def _estimate(step: Step, makes: Mapping[str, int | None], report: Report | None) -> dict[str, Any]:
    """Rows in and out, slots, and what the stage would cost."""
    stage = step.stage
    if report is not None:
        rows: int | None = report.counts["seen"]
        slots = report.counts.get("asked")
        out: int | None = report.outcome.rows
    else:
        earlier = [one[1:] for one in stage.inputs if isinstance(one, str) and one.startswith("@")]
        known = [makes[name] for name in earlier]
        if not earlier and "-" not in stage.inputs:
            whole = plan_of(replace(stage, sides={}))
            rows, slots = whole["rows_in"], whole.get("slots")
        else:
            rows = None if None in known or len(earlier) < len(stage.inputs) else sum(one for one in known if one is not None)
            most = rows if rows is None or stage.settings.limit is None else min(rows, stage.settings.limit)
            slots = None if most is None or stage.operator.verb != "generate" else most * stage.settings.num_negatives
        out = slots if stage.operator.verb == "generate" else rows
    generates = {"slots": slots} if stage.operator.verb == "generate" else {}
    return {"rows_in": rows, "rows_out": out, **generates, **costs(stage)}


def plan_lines(planned: list[dict[str, Any]]) -> list[str]:
    """A plan for people: a block for each stage, a line for each value."""
    lines = []
    for step in planned:
        values = {"input": step["input"], **step["sides"], **step["options"], "output": step["output"]}
        lines.append(f"[{step['name']}] {step['use']}{': would be skipped, nothing it depends on has changed' if step['skipped'] else ''}")
        rows = [(key, _shown(one["value"]), one["origin"]) for key, one in values.items()]
        widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
        lines += [f"  {key:<{widths[0]}}  {value:<{min(widths[1], _WIDE)}}  {origin}" for key, value, origin in rows]
        about = "" if step["skipped"] else "about "
        counts = [f"rows in: {about}{step['rows_in']:,}" if step["rows_in"] is not None else "rows in: not known before they come"]
        counts += [f"slots: {about}{step['slots']:,}"] if step.get("slots") is not None else []
        counts += [f"{name.replace('_', ' ')}: {'not known' if step[name] is None else step[name]}" for name in ("model_calls", "cost")]
        lines += [f"  {', '.join(counts)}", f"  {step['command']}", ""]
    return lines[:-1]


_WIDE = 44


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "-"
    return "-" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _resolved(step: Step, places: Mapping[str, str]) -> Stage:
    """The stage with the places of earlier stages for their names."""

    def place(spec: Any) -> Any:
        return places[spec[1:]] if isinstance(spec, str) and spec.startswith("@") else spec

    sides = {side: place(one) for side, one in step.stage.sides.items()}
    return replace(step.stage, inputs=tuple(place(one) for one in step.stage.inputs), sides=sides)


def _entry(step: Step, stage: Stage, steps: list[Step]) -> Entry | None:
    """The stage's place in the cache; None for one that reads what cannot be known before, such as a pipe."""
    read = files_read(stage)
    key = stage_key(stage, [Path(one.output) for one in steps if one.output is not None])
    return Entry(key, step.output, read) if key is not None else None


def _place(step: Step, rows: Path, report: Report) -> str:
    """What later stages read. Another writer may publish a version in the meantime; they read this one."""
    output, version = step.output or str(rows), report.outcome.version
    return output if version is None else f"{output}@v{version}"


def run_steps(
    steps: list[Step], *, show_progress: bool = False, done: Callable[[Step, Report], None] | None = None, resume: bool = True
) -> list[Report]:
    """Run the stages in order. `done` sees each report.

    A stage that a run before made, from the same content with the same options, is skipped; one that was broken off goes on.
    Rows of a stage without an output lie in the cache. A stage that fails ends the run: what earlier stages wrote stays,
    later ones write nothing. resume: without it, every stage is made anew and nothing is kept.
    """
    reports = []
    if resume:
        trim()
    with temporary_scratch() as scratch, contextlib.ExitStack() as uses:
        places: dict[str, str] = {}
        for step in steps:
            stage = _resolved(step, places)
            entry = _entry(step, stage, steps) if resume else None
            rows = entry.rows if entry is not None else scratch.file(re.sub(r"\W", "_", step.name) + ".parquet")
            try:
                if step.output is not None and not (entry is not None and entry.begun()):
                    for fault in over_other(step.output, stage):
                        raise fault  # what is damaged there was never ours to heal
                if entry is None:
                    report = _run_step(step, stage, rows, show_progress=show_progress)
                else:
                    with entry.held(step.name):
                        uses.callback(os.close, entry.used())
                        report = entry.report() or _resume_step(step, stage, entry, show_progress=show_progress)
            except NegforgeError as error:
                error.what = f"stage '{step.name}': {error.what}"
                raise
            if report.skipped and report.outcome.version is not None:
                Dataset(Path(str(step.output))).begin().close()  # a card or HEAD that is gone or stale is made anew
            places[step.name] = _place(step, rows, report)
            if step.output is None:
                report.outcome.place = f"@{step.name}"
            reports.append(report)
            if done is not None:
                done(step, report)
    return reports


def _run_step(
    step: Step, stage: Stage, rows: Path, *, show_progress: bool, journal: Journal | None = None, last: Callable[[], None] | None = None
) -> Report:
    output = step.output or str(rows)

    def make_sink(kind: Kind, clustered: bool) -> Sink:
        return sink_for(output, None, kind, clustered=clustered, settings=stage.settings)

    return run_stage(stage, make_sink, output=output, show_progress=show_progress, journal=journal, last=last)


def _resume_step(step: Step, stage: Stage, entry: Entry, *, show_progress: bool) -> Report:
    journal = entry.journal()
    last = functools.partial(entry.refuse_changed, stage)
    report = _run_step(step, stage, entry.rows, show_progress=show_progress, journal=journal, last=last)
    report.resumed = journal.rows
    entry.save(report)
    return report


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a pipeline file: one shape of stage for each operator."""
    shapes = []
    for operator in registry.our_operators():
        schema = options_schema(operator)
        place = {"type": "string"}
        own = {
            "name": {"type": "string", "description": "The stage's name, for @name."},
            "use": {"const": operator.title},
            "input": {"anyOf": [place, {"type": "array", "items": place}], "description": "A path, or @ and an earlier stage's name."},
            "output": {"type": "string", "description": "A file or a dataset folder; without it the rows feed later stages only."},
        }
        schema["properties"] = {**own, **schema["properties"]}
        schema["required"] = ["name", "use", "input", *schema.get("required", [])]
        shapes.append(schema)
    settings = Settings.model_json_schema()["properties"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "negforge pipeline",
        "type": "object",
        "properties": {"stage": {"type": "array", "items": {"anyOf": shapes}}, **{key: settings[key] for key in SHARED}},
        "required": ["stage"],
        "additionalProperties": False,
    }
