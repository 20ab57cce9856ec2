"""One typed signature, three readers: command-line flags, pipeline keys and JSON Schema, all checked by one pydantic model."""

from __future__ import annotations

import functools
import inspect
import re
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any

import pydantic
from pydantic import ConfigDict, Field
from pydantic.fields import FieldInfo

from negforge.errors import OptionError, UsageError, did_you_mean, listed, together
from negforge.registry import Operator

SIZE = re.compile(r"(?i)^\s*([0-9]+(?:\.[0-9]+)?)\s*([kmgt]?)(i?)b?\s*$")


def size_bytes(value: object) -> int:
    """A size such as 512MB, 2GiB or 1000000 in bytes. K, M, G and T are powers of 1000, Ki and so on of 1024."""
    match = SIZE.match(str(value))
    if match is None or (match[3] and not match[2]):
        raise ValueError("a size is written like 512MB or 2GiB")
    unit = 1024 if match[3] else 1000
    size = int(float(match[1]) * unit ** ("kmgt".index(match[2].lower()) + 1 if match[2] else 0))
    if size < 1:
        raise ValueError("a size is above zero")
    return size


Bytes = Annotated[
    int,
    pydantic.BeforeValidator(size_bytes),
    pydantic.WithJsonSchema(
        {"type": ["integer", "string"], "format": "size", "minimum": 1, "pattern": r"^\s*[0-9.]+\s*[kKmMgGtT]?i?[bB]?\s*$"}
    ),
]


def power_of_two(value: int) -> int:
    """The value, if it is 1, 2, 4, 8 and so on: shards are ranges of the top bits of a hash."""
    if value & (value - 1):
        raise ValueError(f"takes a power of two, not {value}")
    return value


Renaming = Annotated[str, Field(pattern=r"^[^=]+=[^=]+$", examples=["OLD=NEW"])]
# A text for the sinks, of which only these pass.
Label = Annotated[str, pydantic.GetPydanticSchema(lambda _, __: pydantic.TypeAdapter(typing.Literal["unknown", "positive"]).core_schema)]


class Settings(pydantic.BaseModel):
    """How a stage runs: options every operator of a verb has, beside its own."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    seed: Annotated[int, Field(ge=0, le=2**63 - 1, description="The run's seed; recorded in the result.")] = 0
    limit: Annotated[int | None, Field(ge=1, description="Take only the first N anchors by id.")] = None
    num_negatives: Annotated[int, Field(ge=1, description="Negatives per source row, or per anchor when mining.")] = 1
    on: Annotated[typing.Literal["positive", "anchor"], Field(description="The text an edit is made in.")] = "positive"
    when_short: Annotated[
        typing.Literal["short", "random"],
        Field(
            description="What becomes of an anchor that the miner leaves short: it has fewer negatives (`short`), or the rest is "
            "drawn from the corpus, but for what the miner keeps away from, with the miner `random` and `shortage` in the evidence "
            "(`random`)."
        ),
    ] = "short"
    language: Annotated[str, Field(description="Language of the texts, for number words; `code` compares case and signs exactly.")] = "en"
    verify: Annotated[bool, Field(description="Run the free verifiers the operator declares; switching them off is recorded.")] = True
    allow_exec: Annotated[bool, Field(description="Run code that stands in the data, in processes that are killed at their limits.")] = (
        False
    )
    below_bar: Annotated[
        bool, Field(description="Run an operator that is off since too few of its negatives were found valid; recorded.")
    ] = False
    round: Annotated[
        str | None,
        Field(
            min_length=1,
            description="A name for this round, such as the step of a checkpoint; recorded, and changes no row.",
        ),
    ] = None
    promote: Annotated[
        bool, Field(description="Take what a verifier of this stage finds right for its anchor for a further positive, which trainers get.")
    ] = False
    keep_labels: Annotated[
        list[Label], Field(description="A label to write into a dataset beside `negative`, which is always written. Repeatable.")
    ] = []
    rename: Annotated[list[Renaming], Field(description="Rename a source column first. Repeatable.")] = []
    max_bad_rows: Annotated[
        int, Field(ge=0, le=100_000, description="Drop up to N rows that cannot be read, with reason and place, before stopping.")
    ] = 0
    shards: Annotated[
        Annotated[int, Field(ge=1), pydantic.AfterValidator(power_of_two)] | None,
        Field(description="Shards of a dataset: a power of two; default by size or as the parent."),
    ] = None
    workers: Annotated[int | None, Field(ge=1, description="Worker processes; default one a core.")] = None
    batch_size: Annotated[int, Field(ge=1, description="Rows a batch, at most. Changes no row.")] = 50_000
    max_memory: Annotated[Bytes | None, Field(description="Memory to stay below, such as 4GiB; default a quarter of the machine.")] = None


_EVERYWHERE = ("limit", "shards", "workers", "batch_size", "max_memory")
_BY_VERB: dict[str, tuple[str, ...]] = {
    "ingest": ("rename", "max_bad_rows", "limit", "shards", "batch_size", "max_memory"),
    "generate": ("num_negatives", "seed", "language", "verify", "promote", "round", "keep_labels", "rename", *_EVERYWHERE),
    "score": ("keep_labels", *_EVERYWHERE),
    "verify": ("language", "promote", "keep_labels", *_EVERYWHERE),
    "filter": ("keep_labels", *_EVERYWHERE),
    "dedupe": ("language", "keep_labels", *_EVERYWHERE),
    "schedule": ("keep_labels", *_EVERYWHERE),
    "export": ("keep_labels", *_EVERYWHERE),
}
# Options that change how a stage runs or where rows lie, never which rows there are.
UNRECORDED = ("workers", "batch_size", "max_memory", "shards")


def settings_of(operator: Operator) -> tuple[str, ...]:
    """The names of the settings an operator has on the command line and in a pipeline: its verb's, and any other it reads."""
    names = _BY_VERB[operator.verb]
    if operator.reads_folder:
        names = tuple(name for name in names if name not in ("rename", "max_bad_rows"))
    if operator.declared.get("edits"):
        names = (*names[:1], "on", *names[1:])
    mines = operator.verb == "generate" and operator.declared.get("scope") == "anchor" and "corpus" in operator.sides
    if mines and operator.declared.get("draws", True):
        names = (*names[:1], "when_short", *names[1:])
    if operator.declared.get("cost") == "exec":
        names = ("allow_exec", *names)
    if operator.declared.get("below"):
        names = (*names, "below_bar")
    if "rng" in operator.parameters and "seed" not in names:
        names = ("seed", *names)
    return (*names, *(name for name in Settings.model_fields if name in operator.parameters and name not in names))


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
        re.sub(r"\W", "_", operator.title),
        __config__=ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, protected_namespaces=()),
        **fields,
    )


def declared_options(operator: Operator) -> dict[str, inspect.Parameter]:
    """Every option of an operator, its own first, then the settings of its verb."""
    found = dict(operator.options())
    types = hints(Settings)
    for name in settings_of(operator):
        default = Settings.model_fields[name].get_default(call_default_factory=True)
        found.setdefault(name, inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=types[name]))
    return found


# -- JSON Schema, and what it says of an option ------------------------------------------------------------------------


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
    if some := operator.declared.get("any_of"):
        schema["anyOf"] = [{"required": [name]} for name in some]
    if needs := operator.declared.get("needs"):
        schema["dependentRequired"] = {name: [other] for name, other in needs.items()}
    return {**schema, "additionalProperties": False, **({"required": required} if required else {})}


def plain_shape(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of an option's value where it is given at all: without the `null` of an optional one."""
    given: list[Mapping[str, Any]] = [one for one in schema.get("anyOf", []) if one.get("type") != "null"]
    examples = {"examples": schema["examples"]} if "examples" in schema else {}
    return {**given[0], **examples} if given else schema


def metavar(schema: Mapping[str, Any]) -> str:
    """How an option's value is named in help."""
    shape = plain_shape(schema)
    if shape.get("type") == "array":
        return metavar(shape.get("items", {}))
    if choices(shape):
        return "[" + "|".join(choices(shape)) + "]"
    if shape.get("format") == "size":
        return "SIZE"
    if shape.get("type") == "string" and "examples" in shape and " " not in str(shape["examples"][0]):
        return str(shape["examples"][0])
    return {"integer": "N", "number": "NUMBER", "boolean": ""}.get(str(shape.get("type")), "TEXT")


def for_example(schema: Mapping[str, Any]) -> str:
    """A sentence with an example that is too long to name the value in help by."""
    example = str(plain_shape(schema).get("examples", [""])[0])
    return f' For example "{example}".' if " " in example else ""


def choices(schema: Mapping[str, Any]) -> list[str]:
    """The values of an option that takes one of a closed set."""
    shape = plain_shape(schema)
    return [str(one) for one in shape.get("enum", [shape["const"]] if "const" in shape else [])]


def takes(schema: Mapping[str, Any]) -> str:
    """What an option's value must be, in words."""
    shape = plain_shape(schema)
    if choices(shape):
        return "one of " + listed(choices(shape))
    if shape.get("format") == "size":
        return "a size such as 512MB or 2GiB"
    if shape.get("type") == "string" and "examples" in shape:
        return f"a text such as {shape['examples'][0]}"
    words = {"integer": "a whole number", "number": "a number", "boolean": "true or false", "array": "a list of texts"}
    bounds = " and ".join(f"{word} {shape[key]}" for key, word in _BOUNDS.items() if key in shape)
    return f"{words.get(str(shape.get('type')), 'a text')} {bounds}".rstrip()


_BOUNDS = {"minimum": "of at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}


# -- checking ----------------------------------------------------------------------------------------------------------


def check(operator: Operator, given: Mapping[str, Any]) -> tuple[dict[str, Any], Settings, list[UsageError]]:
    """Split given options into the operator's own, complete and checked, and the settings; with every fault found.

    Unknown names, and names of settings the verb has no use for, are faults with the nearest known name.
    """
    own_names, setting_names = set(operator.options()), set(settings_of(operator))
    known = own_names | setting_names
    faults: list[UsageError] = []
    for name in given:
        if name not in known:
            mend = did_you_mean(name, [*known, *operator.sides], f"negforge operators show {operator.name} lists them")
            faults.append(UsageError(f"{operator.title} has no option '{name}'", f"it has {listed(sorted(known))}", mend))
    own, wrong = _validated(model_of(operator), {name: value for name, value in given.items() if name in own_names}, operator.title)
    settings, wrong_settings = check_settings({name: given[name] for name in given if name in setting_names}, operator.title)
    checked = {name: getattr(own, name) for name in operator.options()} if own is not None else {}
    return checked, settings, [*faults, *wrong, *wrong_settings, *_apart(operator, given)]


def _apart(operator: Operator, given: Mapping[str, Any]) -> Iterator[UsageError]:
    """What is wrong with which options are given, each by itself being right."""
    shapes = _shapes(model_of(operator))
    if operator.declared.get("cost") == "exec" and given.get("allow_exec") is not True:
        yield UsageError(f"{operator.title} runs code that stands in the data", mend="say --allow-exec if that may be")
    some = operator.declared.get("any_of", ())
    if some and all(given.get(name) is None for name in some):
        flags = listed(f"--{name.replace('_', '-')}" for name in some)
        yield UsageError(f"{operator.title} is given none of {flags}", mend=_help(some[0], shapes[some[0]]))
    if (
        operator.verb == "generate"
        and given.get("promote") is True
        and not (given.get("verify", True) and operator.declared.get("verifiers"))
    ):
        yield OptionError("promote", "means nothing where nothing is verified", operator.title, "leave it out, or verify")
    if (known := operator.declared.get("languages")) and given.get("language", known[0]) not in known:
        what = f"is {given['language']!r}, and {operator.title} knows the grammar of {listed(known)} alone"
        yield OptionError("language", what, operator.title, "negforge operators --languages lists what works in any language")
    if operator.declared.get("below") and given.get("below_bar") is not True:
        yield OptionError(
            "below-bar",
            f"is needed: {operator.title} is off by default. {operator.declared['below']}",
            f"its bar is {operator.declared['bar']:g} of its negatives valid",
            "pass --below-bar (below_bar = true in a pipeline file) to run it all the same",
        )
    for name, other in operator.declared.get("needs", {}).items():
        if given.get(name) is not None and given.get(other) is None:
            yield OptionError(name, f"means nothing without --{other.replace('_', '-')}", operator.title, _help(other, shapes[other]))


def check_settings(given: Mapping[str, Any], where: str) -> tuple[Settings, list[OptionError]]:
    """The settings, and every fault found in the given ones; all defaults if there is one."""
    settings, faults = _validated(Settings, given, where)
    return settings if isinstance(settings, Settings) else Settings(), faults


def settings_given(where: str, **given: object) -> Settings:
    """The settings of a command that is no stage: those given that are not None. UsageError with every fault found."""
    settings, faults = check_settings({name: value for name, value in given.items() if value is not None}, where)
    if faults:
        raise together([*faults], where)
    return settings


@functools.cache
def _shapes(model: type[pydantic.BaseModel]) -> dict[str, Any]:
    properties: dict[str, Any] = model.model_json_schema().get("properties", {})
    return properties


def _validated(
    model: type[pydantic.BaseModel], given: Mapping[str, Any], where: str
) -> tuple[pydantic.BaseModel | None, list[OptionError]]:
    shapes = _shapes(model)
    # To pydantic `true` is the number 1.
    switched = [name for name, value in given.items() if isinstance(value, bool) and plain_shape(shapes[name]).get("type") != "boolean"]
    faults = [_fault(name, given[name], shapes[name], where) for name in switched]
    try:
        checked = model(**given)
    except pydantic.ValidationError as error:
        for one in error.errors(include_url=False):
            name, *inner = [str(part) for part in one["loc"]]
            if name in switched:
                continue
            shape = plain_shape(shapes[name])
            if one["type"] == "missing":
                faults.append(OptionError(name, "is missing", where, _help(name, shapes[name])))
            elif one["type"] == "value_error" and shape.get("format") != "size":
                faults.append(OptionError(name, f"{one['ctx']['error']}", where, _help(name, shapes[name])))
            else:
                is_item = bool(inner) and shape.get("type") == "array"
                faults.append(_fault(name, one["input"], shape.get("items", {}) if is_item else shapes[name], where, shapes[name]))
        return None, faults
    return (None if faults else checked), faults


def _fault(name: str, value: Any, shape: Mapping[str, Any], where: str, whole: Mapping[str, Any] | None = None) -> OptionError:
    mend = did_you_mean(str(value), choices(shape), _help(name, whole or shape))
    return OptionError(name, f"takes {takes(shape)}, not {value!r}", where, mend)


def _help(name: str, shape: Mapping[str, Any]) -> str:
    return f"--{name.replace('_', '-')} {metavar(shape)}: {shape.get('description', '')}{for_example(shape)}"
