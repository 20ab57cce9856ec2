"""Checks an operator that others wrote before it is used: every way in which its file can be wrong gets its own message."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any

import pydantic

from negforge import registry
from negforge.answers import place_of
from negforge.contract import Declares
from negforge.errors import NegforgeError, UsageError, did_you_mean, listed
from negforge.options import Settings, field_of, hints, model_of
from negforge.records import TABLES, Table
from negforge.registry import Operator

# What a function may have in place beside its first parameter, the batch; `prepare` takes side inputs as well.
_PLACED = ("state", "rng")
_PREPARED = ("scratch", "max_memory")
# Flags that every stage has.
_TAKEN = ("output", "to", "json", "json_", "dry_run", "quiet", "verbose", "help", "inputs", "input", "use", "name", "plugins")


@functools.cache
def check_operator(operator: Operator) -> None:
    """Import an operator and check its declaration, functions and options. Raises UsageError for the first fault."""
    fault = declaration_fault(operator)
    if fault is not None:
        raise fault
    module = _imported(operator)
    if not isinstance(getattr(module, "DECLARES", None), Declares):
        raise _fault(operator, "DECLARES is no negforge.contract.Declares", "from negforge.contract import Declares")
    declares = operator.declares
    wanted = "writes" if operator.verb == "ingest" else "reads"
    if getattr(declares, wanted) is None:
        raise _fault(operator, f"DECLARES does not say what it {wanted}", f"add {wanted}=Pairs, or another of {listed(TABLES)}")
    if declares.scope == "table" and not callable(getattr(module, "keys", None)):
        raise _fault(operator, "an operator of scope table has a function keys", "see negforge/dedupe/exact.py, or declare another scope")
    for name in ("prepare", "keys", operator.verb):
        function = getattr(module, name, None)
        if function is not None or name == operator.verb:
            _check_function(operator, name, function)
    _check_options(operator)
    known = registry.operators("verify")
    for name in declares.verifiers:
        if name not in known:
            raise _fault(
                operator, f"it declares a verifier '{name}', which is not there", did_you_mean(name, known, f"known: {listed(known)}")
            )


def declaration_fault(operator: Operator) -> UsageError | None:
    """What is wrong with the values of a declaration, read without importing the operator."""
    where = f"{operator.path}, line {operator.source.line}"
    names = [one.name for one in dataclasses.fields(Declares)]
    for name in operator.declared:
        if name not in names:
            mend = did_you_mean(name, names, f"it takes {listed(names, 30)}")
            return UsageError(f"{operator.title} declares '{name}', which Declares does not take", where, mend)
    for name in ("version", "scope"):
        if name not in operator.declared:
            return UsageError(f"{operator.title} declares no {name}", where, 'for example Declares(version=1, scope="row", reads=Pairs)')
    values = dict(operator.declared)
    for name in ("reads", "writes"):
        if name in values and values[name] not in TABLES:
            mend = did_you_mean(str(values[name]), TABLES, f"kinds: {listed(TABLES)}; from negforge.records import Pairs")
            return UsageError(f"{operator.title} {name} {values[name]!r}, which is no kind of table", where, mend)
        values |= {name: TABLES[values[name]]} if name in values else {}
    try:
        Declares(**values)
    except UsageError as error:
        return UsageError(f"{operator.title}: {error.what}", where, error.mend)
    return None


def _imported(operator: Operator) -> Any:
    try:
        return operator.module
    except ModuleNotFoundError as error:
        missing = str(error.name)
        if operator.path.with_name(f"{missing}.py").exists():
            mend = f"what lies beside it is imported as `from .{missing} import ...`"
        else:
            mend = f"install what holds {missing}"
        raise _failed(operator, error, mend) from error
    except NegforgeError as error:
        raise _failed(operator, error, error.mend or "mend the file") from error
    except (Exception, SystemExit) as error:
        raise _failed(operator, error, "mend the file") from error


def _failed(operator: Operator, error: BaseException, mend: str) -> UsageError:
    told = error.what if isinstance(error, NegforgeError) else f"{type(error).__name__}: {error}"
    return UsageError(f"{operator.title} cannot be imported: {told}", place_of(operator, error), mend)


def _fault(operator: Operator, problem: str, mend: str, function: Callable[..., Any] | None = None) -> UsageError:
    code = getattr(inspect.unwrap(function), "__code__", None) if function is not None else None
    where = f"{operator.path}, line {code.co_firstlineno}" if code is not None else str(operator.path)
    return UsageError(f"{operator.title}: {problem}", where, mend)


def _check_function(operator: Operator, name: str, function: Any) -> None:
    """Its parameters: the batch, then what the runner gives, then options by name alone."""
    if not callable(function):
        raise _fault(operator, f"{name} is no function", f"write def {name}(batch: ...)")
    try:
        types = hints(function)
        parameters = [*inspect.signature(function).parameters.values()]
    except Exception as error:
        raise _fault(operator, f"the annotations of {name} cannot be read: {error}", "import every name they use", function) from error
    given = {*_PLACED, *Settings.model_fields}
    if name == "prepare":
        given |= {*_PREPARED, *(one for one, kind in types.items() if isinstance(kind, type) and issubclass(kind, Table))}
    elif not parameters or parameters[0].kind not in (parameters[0].POSITIONAL_ONLY, parameters[0].POSITIONAL_OR_KEYWORD):
        raise _fault(operator, f"{name} takes no batch", f"write def {name}(batch: ...)", function)
    for one in parameters if name == "prepare" else parameters[1:]:
        if one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD):
            raise _fault(operator, f"{name} takes {one}", "name each parameter: flags and help are made of them", function)
        if one.kind is not one.KEYWORD_ONLY and one.name not in given:
            mend = f"an option stands after `*,`: def {name}(batch, *, {one.name}: Annotated[..., Field(description=...)])"
            raise _fault(operator, f"nobody gives {name} its '{one.name}'", mend, function)


def _check_options(operator: Operator) -> None:
    """Each option has a type, a sentence of help and a name of its own."""
    for name, parameter in operator.options().items():
        form = f'{name}: Annotated[..., Field(description="What it does.")]'
        if parameter.annotation is parameter.empty:
            raise _fault(operator, f"option '{name}' has no type", f"write {form}", operator.function)
        if not field_of(parameter.annotation).description:
            raise _fault(operator, f"option '{name}' has no help", f"write {form}", operator.function)
        if name in _TAKEN:
            raise _fault(
                operator, f"option '{name}' has the name of a flag that every stage has", "give it another name", operator.function
            )
    try:
        model_of(operator).model_json_schema()
    except (pydantic.PydanticUserError, pydantic.errors.PydanticInvalidForJsonSchema, TypeError) as error:
        problem = str(error).partition("\n")[0]
        raise _fault(
            operator, f"its options cannot be read: {problem}", "use texts, numbers, booleans, Literal or lists", operator.function
        ) from error
