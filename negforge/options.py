"""One typed signature, three readers: command-line flags, pipeline keys and JSON Schema, all checked by one pydantic model."""

from __future__ import annotations

import functools
import inspect
import re
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import pydantic
from pydantic import ConfigDict, Field
from pydantic.fields import FieldInfo

from negforge.errors import UsageError, listed, near
from negforge.registry import Operator

SIZE = re.compile(r"(?i)^\s*([0-9]+(?:\.[0-9]+)?)\s*([kmgt]?)(i?)b?\s*$")


def size_bytes(value: object) -> int:
    """A size such as 512MB, 2GiB or 1000000 in bytes. K, M, G and T are powers of 1000, Ki and so on of 1024."""
    match = SIZE.match(str(value))
    if match is None:
        raise ValueError("not a size such as 512MB or 2GiB")
    unit = 1024 if match[3] else 1000
    return int(float(match[1]) * unit ** ("kmgt".index(match[2].lower()) + 1 if match[2] else 0))


Bytes = Annotated[int, pydantic.BeforeValidator(size_bytes)]


class Settings(pydantic.BaseModel):
    """How a stage runs: options every operator of a verb has, beside its own."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: Annotated[int, Field(description="The run's seed; recorded in the result.")] = 0
    limit: Annotated[int | None, Field(ge=1, description="Take only the first N anchors by id.")] = None
    num_negatives: Annotated[int, Field(ge=1, description="Negatives per source row, or per anchor when mining.")] = 1
    on: Annotated[typing.Literal["positive", "anchor"], Field(description="The text an edit is made in.")] = "positive"
    language: Annotated[str, Field(description="Language of the texts, for number words; `code` compares case and signs exactly.")] = "en"
    verify: Annotated[bool, Field(description="Run the free verifiers the operator declares; switching them off is recorded.")] = True
    keep_labels: Annotated[
        list[str], Field(description="Labels to write beside `negative`, which is always written: unknown, positive.")
    ] = []
    rename: Annotated[list[str], Field(description="Rename a source column first: OLD=NEW. Repeatable.")] = []
    shards: Annotated[int | None, Field(ge=1, description="Shards of a dataset: a power of two; default by size or as the parent.")] = None
    workers: Annotated[int | None, Field(ge=1, description="Worker processes; default one a core.")] = None
    batch_size: Annotated[int, Field(ge=1, description="Rows a batch. Changes no row.")] = 10_000
    max_memory: Annotated[Bytes | None, Field(description="Memory to stay below, such as 4GiB; default a quarter of the machine.")] = None


_EVERYWHERE = ("limit", "shards", "workers", "batch_size", "max_memory")
_BY_VERB: dict[str, tuple[str, ...]] = {
    "ingest": ("rename", "limit", "shards", "batch_size", "max_memory"),
    "generate": ("num_negatives", "seed", "language", "verify", "keep_labels", "rename", *_EVERYWHERE),
    "score": ("seed", "keep_labels", *_EVERYWHERE),
    "verify": ("seed", "language", "keep_labels", *_EVERYWHERE),
    "filter": ("seed", "keep_labels", *_EVERYWHERE),
    "dedupe": ("seed", "language", "keep_labels", *_EVERYWHERE),
    "schedule": ("seed", "keep_labels", *_EVERYWHERE),
    "export": ("keep_labels", *_EVERYWHERE),
}
# Options that change how a stage runs or where rows lie, never which rows there are.
UNRECORDED = ("workers", "batch_size", "max_memory", "shards")


def settings_of(operator: Operator) -> tuple[str, ...]:
    """The names of the settings an operator has on the command line and in a pipeline."""
    names = _BY_VERB[operator.verb]
    if operator.declared.get("edits"):
        names = (*names[:1], "on", *names[1:])
    return names


def hints(function: Callable[..., Any]) -> dict[str, Any]:
    """The evaluated type hints of a function, with their `Annotated` parts."""
    return typing.get_type_hints(function, include_extras=True)


def field_of(annotation: Any) -> FieldInfo:
    """The pydantic field inside an `Annotated` option, or an empty one."""
    for part in getattr(annotation, "__metadata__", ()):
        if isinstance(part, FieldInfo):
            return part
    return FieldInfo()


@functools.cache
def model_of(operator: Operator) -> type[pydantic.BaseModel]:
    """The one model that checks an operator's own options."""
    fields: dict[str, Any] = {
        name: (parameter.annotation, ... if parameter.default is parameter.empty else parameter.default)
        for name, parameter in operator.options().items()
    }
    return pydantic.create_model(
        re.sub(r"\W", "_", operator.title), __config__=ConfigDict(extra="forbid", frozen=True, protected_namespaces=()), **fields
    )


def declared_options(operator: Operator) -> dict[str, inspect.Parameter]:
    """Every option of an operator, its own first, then the settings of its verb."""
    found = dict(operator.options())
    types = hints(Settings)
    for name in settings_of(operator):
        default = Settings.model_fields[name].get_default(call_default_factory=True)
        found.setdefault(name, inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=types[name]))
    return found


def check(operator: Operator, given: Mapping[str, Any]) -> tuple[dict[str, Any], Settings, list[UsageError]]:
    """Split given options into the operator's own, complete and checked, and the settings; with every fault found.

    Unknown names, and names of settings the verb has no use for, are faults with the nearest known name.
    """
    own_names, setting_names = set(operator.options()), set(settings_of(operator))
    faults = []
    own: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    for name, value in given.items():
        if name in own_names:
            own[name] = value
        if name in setting_names:
            settings[name] = value
        if name not in own_names | setting_names:
            guess = near(name, [*own_names, *setting_names, *operator.sides])
            mend = f"did you mean {guess}?" if guess else f"negforge operators show {operator.name} lists them"
            faults.append(
                UsageError(f"{operator.title} has no option '{name}'", f"it has {listed(sorted(own_names | setting_names))}", mend)
            )
    checked: dict[str, Any] = {}
    try:
        model = model_of(operator)(**own)
        checked = {name: getattr(model, name) for name in operator.options()}
    except pydantic.ValidationError as error:
        faults += _faults(operator, error)
    result = Settings()
    try:
        result = Settings(**settings)
    except pydantic.ValidationError as error:
        faults += _faults(operator, error)
    return checked, result, faults


def _faults(operator: Operator, error: pydantic.ValidationError) -> list[UsageError]:
    found = []
    for one in error.errors(include_url=False):
        name = str(one["loc"][0]) if one["loc"] else ""
        options = declared_options(operator)
        mend = field_of(options[name].annotation).description or "" if name in options else ""
        if one["type"] == "missing":
            found.append(UsageError(f"{operator.title} needs --{name.replace('_', '-')}", mend=mend))
        else:
            found.append(UsageError(f"option '{name}' of {operator.title}: {one['msg']}", f"given {one['input']!r}", mend))
    return found


def json_schema(operator: Operator) -> dict[str, Any]:
    """The JSON Schema of an operator's options, as pipeline keys."""
    names = settings_of(operator)
    own = model_of(operator).model_json_schema()
    shared = Settings.model_json_schema()["properties"]
    properties = {**{name: shared[name] for name in names}, **own.get("properties", {})}
    for side, kind in operator.sides.items():
        properties[side] = {"type": "string", "description": f"Side input: a table of kind {kind.kind.name}."}
    required = [*own.get("required", []), *operator.sides]
    schema: dict[str, Any] = {"description": operator.summary, "type": "object", "properties": properties}
    return {**schema, "additionalProperties": False, **({"required": required} if required else {})}
