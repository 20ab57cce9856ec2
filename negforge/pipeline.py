"""Pipeline files: the same stages as on the command line, written down in TOML and checked whole before any work."""

from __future__ import annotations

import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from negforge import registry
from negforge.errors import InputError, PipelineError, UsageError, listed, near
from negforge.options import Settings, declared_options, settings_of
from negforge.records import Kind
from negforge.report import Report
from negforge.runner import Stage, run_stage, stage_of
from negforge.sinks import Sink, sink_for

_OWN = ("name", "use", "input", "output")
# What a flag of `run` or a top-level key sets for every stage that has it; a limit never trims a side table.
SHARED = ("seed", "limit", "workers", "batch_size", "max_memory")


@dataclass(frozen=True)
class Step:
    """A stage of a pipeline: its name, the checked stage, its output if it names one, and where each value came from."""

    name: str
    stage: Stage
    output: str | None
    origins: dict[str, str]


def load(path: str, overrides: Mapping[str, Any], settings: list[str]) -> list[Step]:
    """Read and check a pipeline file.

    overrides: flags of `run` that hold for every stage. settings: `STAGE.KEY=VALUE` flags. Raises PipelineError with every
    fault, by stage and key, InputError if the file cannot be read.
    """
    document = _document(path)
    faults: list[UsageError] = []
    for key in document.keys() - {"stage", *SHARED}:
        faults.append(_unknown(path, key, ["stage", *SHARED]))
    entries = document.get("stage", [])
    if not isinstance(entries, list) or not entries or not all(isinstance(entry, dict) for entry in entries):
        raise PipelineError([*faults, UsageError(f"{path} has no [[stage]]", mend="see pipelines/quickstart.toml")], path)
    by_stage = _settings(settings, [str(entry.get("name", "")) for entry in entries], faults)
    shared = {key: document[key] for key in SHARED if key in document}
    steps: dict[str, Step] = {}
    for number, entry in enumerate(entries, start=1):
        name = str(entry.get("name") or f"stage {number}")
        if name in steps:
            faults.append(UsageError(f"stage name '{name}' is used twice", path, "give each stage its own"))
        step, wrong = _step(name, entry, by_stage.get(name, {}), shared, overrides, steps)
        faults += [UsageError(f"stage '{name}': {fault.what}", fault.where, fault.mend) for fault in wrong]
        if step is not None:
            steps[name] = step
        elif name not in steps:
            steps[name] = _broken(name)
    if faults:
        raise PipelineError(faults, path)
    return list(steps.values())


def _document(path: str) -> dict[str, Any]:
    try:
        with Path(path).open("rb") as handle:
            return tomllib.load(handle)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", mend="check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}", mend="mend the file at that line") from None


def _unknown(where: str, key: str, names: list[str]) -> UsageError:
    guess = near(key, names)
    return UsageError(f"there is no key '{key}'", f"{where} may have {listed(names)}", f"did you mean {guess}?" if guess else "remove it")


def _broken(name: str) -> Step:
    """Stands for a faulty stage, so that references to it are not faults of their own."""
    operator = registry.operators("export")["jsonl"]
    return Step(name, Stage(operator, (), {}, {}, Settings()), None, {"": "broken"})


def _settings(settings: list[str], names: list[str], faults: list[UsageError]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for setting in settings:
        place, sign, value = setting.partition("=")
        stage, dot, key = place.rpartition(".")
        if not (sign and dot):
            faults.append(UsageError(f"--set {setting} is not STAGE.KEY=VALUE", mend="for example --set mine.num_negatives=8"))
        elif stage not in names:
            guess = near(stage, names)
            faults.append(
                UsageError(
                    f"--set names stage '{stage}', which is not there",
                    f"stages: {listed(names)}",
                    f"did you mean {guess}?" if guess else "",
                )
            )
        else:
            found.setdefault(stage, {})[key.replace("-", "_")] = value
    return found


def _step(
    name: str,
    entry: Mapping[str, Any],
    settings: Mapping[str, Any],
    shared: Mapping[str, Any],
    overrides: Mapping[str, Any],
    earlier: Mapping[str, Step],
) -> tuple[Step | None, list[UsageError]]:
    use = str(entry.get("use", ""))
    verb, _, operator_name = use.partition(" ")
    if not use:
        return None, [UsageError("there is no `use`", mend='for example use = "generate mine.bm25"')]
    try:
        operator = registry.find(verb, operator_name)
    except UsageError as error:
        return None, [error]
    values: dict[str, tuple[Any, str]] = {}
    known = settings_of(operator)
    for origin, source in (("file", shared), ("file", entry), ("flag", overrides), ("--set", settings)):
        for key, value in source.items():
            applies = source not in (shared, overrides) or (key in known and (key != "limit" or verb == "generate"))
            if applies:
                values[key.replace("-", "_")] = (value, origin)
    given = {key: value for key, (value, _) in values.items() if key not in _OWN}
    raw = values.get("input", ("", ""))[0]
    inputs = [str(one) for one in raw] if isinstance(raw, list) else [str(raw)] if raw else []
    faults = [] if inputs else [UsageError("there is no `input`", mend='a path, or "@" and the name of an earlier stage')]
    stage, wrong = stage_of(use, inputs or ["missing"], given)
    faults += wrong
    sides = {side: str(given[side]) for side in operator.sides if side in given}
    for one, kind in [*((one, operator.declares.reads) for one in inputs), *((path, operator.sides[side]) for side, path in sides.items())]:
        faults += _reference(one, kind.kind if kind is not None else None, earlier)
    output = values.get("output", (None, ""))[0]
    if stage is None or faults:
        return None, faults
    origins = {key: origin for key, (_, origin) in values.items()}
    for key in declared_options(operator):
        origins.setdefault(key, "default")
    return Step(name, stage, None if output is None else str(output), origins), []


def _reference(spec: str, kind: Kind | None, earlier: Mapping[str, Step]) -> list[UsageError]:
    """Faults of one input: an unknown or later stage, a stage of another kind, a path that is not there."""
    if not spec.startswith("@"):
        missing = (
            spec != "-"
            and not spec.startswith("hf://")
            and not any(sign in spec for sign in "*?[")
            and not Path(spec.split("@v", maxsplit=1)[0]).exists()
        )
        return [UsageError(f"there is no file {spec}", mend="check the path; it is taken from the current folder")] if missing else []
    step = earlier.get(spec[1:])
    if step is None:
        guess = near(spec[1:], earlier)
        return [
            UsageError(
                f"'{spec}' names no earlier stage", f"earlier: {listed(earlier) or 'none'}", f"did you mean @{guess}?" if guess else ""
            )
        ]
    if step.origins.get("") == "broken":
        return []
    made = _makes(step.stage)
    if made is None or kind is None or made != kind.name:
        wanted = kind.name if kind is not None else "files"
        return [UsageError(f"'{spec}' makes {made or 'a trainer layout'}, not {wanted}", mend="name a stage that does")]
    return []


def _makes(stage: Stage) -> str | None:
    verb, declares = stage.operator.verb, stage.operator.declares
    if verb == "export":
        return None
    table = declares.writes if verb == "ingest" else declares.reads
    return "negatives" if verb == "generate" else table.kind.name if table is not None else None


def run_steps(steps: list[Step], *, show_progress: bool, done: Any) -> list[Report]:
    """Run the stages in order; a stage without an output leaves its rows in a temporary folder. `done` sees each report."""
    reports = []
    with tempfile.TemporaryDirectory(prefix="negforge-run-") as folder:
        places: dict[str, str] = {}

        def resolved(spec: Any) -> Any:
            return places[spec[1:]] if isinstance(spec, str) and spec.startswith("@") else spec

        for number, step in enumerate(steps):
            stage = replace(
                step.stage,
                inputs=tuple(resolved(one) for one in step.stage.inputs),
                sides={side: resolved(one) for side, one in step.stage.sides.items()},
            )
            output = step.output or str(Path(folder) / f"{number:02d}.parquet")
            places[step.name] = output

            def make_sink(kind: Kind, clustered: bool, output: str = output, stage: Stage = stage) -> Sink:
                return sink_for(output, None, kind, clustered=clustered, settings=stage.settings)

            report = run_stage(stage, make_sink, show_progress=show_progress)
            reports.append(report)
            done(step, report)
    return reports


def json_schema() -> dict[str, Any]:
    """The JSON Schema of a pipeline file: one shape of stage for each operator."""
    from negforge.options import json_schema as options_schema

    shapes = []
    for operator in registry.every_operator():
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
