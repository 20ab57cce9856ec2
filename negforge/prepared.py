"""An operator with its checked options and prepared side inputs: what a worker calls on a batch."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from negforge import rng
from negforge.answers import asked, blamed
from negforge.digests import option_digest
from negforge.options import UNRECORDED, Settings
from negforge.records import Over, Table
from negforge.registry import Operator


@dataclass(frozen=True)
class Prepared:
    """Picklable: the operator travels by name, the state as its `prepare` made it.

    digest: of every option that changes rows, and of the content of each side input. record: those options as the manifest has them.
    """

    operator: Operator
    options: dict[str, Any]
    settings: Settings
    state: Any
    digest: str
    record: dict[str, Any] = field(default_factory=dict)

    def call(self, function: Callable[..., Any], table: Table, **instead: Any) -> Any:
        """Call one of the operator's functions with a batch and with whatever else it has parameters for.

        instead: values in place of those of the settings.
        """
        offered = {
            **self.settings.model_dump(),
            **self.options,
            "state": self.state,
            "rng": rng.Rng(self.settings.seed, self.operator.title),
            **instead,
        }
        arguments = accepts(function, offered)
        return asked(self.operator, function, table, arguments) if self.operator.tree.foreign else function(table, **arguments)


def accepts(function: Callable[..., Any], offered: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the offered arguments that a function has parameters for."""
    names = inspect.signature(function).parameters
    return {name: value for name, value in offered.items() if name in names}


def explained(operator: Operator, options: Mapping[str, Any]) -> dict[str, str]:
    """What follows from an operator's options, in words, as its `explain` says: for the report, the manifest and the manual."""
    explain = getattr(operator.module, "explain", None)
    found: dict[str, str] = {} if explain is None or operator.tree.foreign else explain(**accepts(explain, options))
    return found


def prepare(
    operator: Operator,
    options: dict[str, Any],
    settings: Settings,
    sides: Mapping[str, Table],
    scratch: Path,
    memory: int,
    over: Over = map,
    **more: Any,
) -> Prepared:
    """Run an operator's `prepare`, if it has one, and take the digest of all that changes its rows.

    scratch: where it may leave files for its state. To one of ours it is empty, or as it left it when a run before had it
    prepare the same and was broken off later. more: what else a `prepare` may have parameters for: `generator`, the name of the one
    a verifier runs after; `inputs`, the whole input, as a function that gives its kept rows in frames of at most so many; `whole`,
    the same with what `--limit` leaves out; `phase`, told what is being done.
    """
    state = None
    if operator.prepare is not None:
        offered = {**settings.model_dump(), **options, **sides, "scratch": scratch, "max_memory": memory, "over": over, **more}
        with blamed(operator):
            state = operator.prepare(**accepts(operator.prepare, offered))
    # A model is recorded by what it is: the state alone knows that.
    record = recorded(operator, options, settings, sides) | getattr(state, "record", {})
    return Prepared(operator, options, settings, state, rng.json_digest(record), record)


def recorded(operator: Operator, options: dict[str, Any], settings: Settings, sides: Mapping[str, Table]) -> dict[str, Any]:
    """The options as lineage and manifest record them: its own, what a library fixes, the settings it reads, its side inputs."""
    reads = {"num_negatives", "language"} if operator.verb == "generate" else set()
    if operator.declared.get("edits"):
        reads.add("on")
    if settings.when_short == "random":  # by default it adds no row
        reads.add("when_short")
    names = sorted(name for name in {*Settings.model_fields} - {*UNRECORDED} if name in operator.parameters or name in reads)
    return {
        **{name: value for name, value in settings.model_dump(mode="json").items() if name in names and name != "seed"},
        **{name: _plain(value) for name, value in options.items()},
        **operator.declared.get("fixed", {}),
        **{side: table.digest for side, table in sides.items()},
    }


def _plain(value: Any) -> Any:
    """An option's value as it changes rows: of a file its content, wherever it lies."""
    return [_plain(one) for one in value] if isinstance(value, list) else option_digest(value) if isinstance(value, Path) else value
