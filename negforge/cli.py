"""The command line: verbs and operators, streams, exit codes. It holds no data logic and imports what it needs late."""

from __future__ import annotations

import contextlib
import inspect
import json
import logging
import os
import signal
import sys
import traceback
import types
import typing
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from negforge import __version__, registry
from negforge.errors import NegforgeError, UsageError, listed, near

if TYPE_CHECKING:
    from negforge.report import Report

Context = Any  # Typer's own class of it is vendored and not public
_GENERAL = ("output", "to", "json_", "dry_run", "quiet", "verbose")


class Terminated(BaseException):
    """SIGTERM came: unwind, clean up, exit 143."""


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def _guarded(call: Callable[[], Any]) -> int:
    """Run a command; every way it can end becomes a message on stderr and an exit code."""
    try:
        with _terminable():
            result = call()
            sys.stdout.flush()
            return result if isinstance(result, int) and not isinstance(result, bool) else 0
    except NegforgeError as error:
        if error.exit_code == 70:
            _say(traceback.format_exc())
        _say(f"error: {error}")
        return error.exit_code
    except BrokenPipeError:
        # The reader of our pipe left: nothing is wrong. What is left in the buffer must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except KeyboardInterrupt:
        _say("interrupted: nothing half-written is left; the same command starts again")
        return 130
    except Terminated:
        _say("terminated: nothing half-written is left; the same command starts again")
        return 143
    except typer.Abort:
        return 130
    except Exception as error:  # noqa: BLE001 - the last door: whatever comes becomes a message and an exit code
        message = getattr(error, "format_message", None)
        if message is not None and getattr(error, "exit_code", None) == 2:
            _say(f"error: {message()}")
            context = getattr(error, "ctx", None)
            if context is not None:
                _say(f"  mend: {context.command_path} --help")
            return 2
        _say(traceback.format_exc())
        _say("error: this is a bug of negforge; please report it with the lines above")
        return 70


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise Terminated

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class Root(TyperGroup):
    """The app: every error of every command passes here."""

    def main(self, *args: Any, standalone_mode: bool = True, **more: Any) -> Any:
        """Run, and exit with the right code."""
        more["standalone_mode"] = False
        run = super().main
        code = _guarded(lambda: run(*args, **more))
        if not standalone_mode:
            return code
        sys.exit(code)

    def resolve_command(self, ctx: Context, args: list[str]) -> Any:
        """The command of that name; our own suggestion for a misspelt one."""
        if args and self.get_command(ctx, args[0]) is None:
            guess = near(args[0], self.list_commands(ctx))
            mend = f"did you mean {guess}?" if guess else "negforge --help lists the commands"
            raise UsageError(f"there is no command '{args[0]}'", f"commands: {listed(self.list_commands(ctx), 30)}", mend)
        return super().resolve_command(ctx, args)


class Verb(TyperGroup):
    """A verb: its commands are the operators found on disk, shown unimported and built when called."""

    verb = ""

    def list_commands(self, ctx: Context) -> list[str]:
        """The operators' names."""
        return list(registry.operators(self.verb))

    def get_command(self, ctx: Context, cmd_name: str) -> Any:
        """A stub with the summary line: help asks for every name."""
        operator = registry.operators(self.verb).get(cmd_name)
        return TyperCommand(cmd_name, help=operator.summary, rich_markup_mode=None) if operator is not None else None

    def resolve_command(self, ctx: Context, args: list[str]) -> Any:
        """The real command. UsageError with the nearest name for one that is not there."""
        if args and args[0].startswith("-"):
            return super().resolve_command(ctx, args)
        operator = registry.find(self.verb, args[0])
        return args[0], _command(operator), args[1:]


def _verb(name: str) -> type[Verb]:
    return type(f"{name.title()}Verb", (Verb,), {"verb": name})


app = typer.Typer(
    name="negforge",
    cls=Root,
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        sys.stdout.write(f"negforge {__version__}\n")
        raise typer.Exit


@app.callback()
def _app(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Build negative datasets: every negative is checked, says why it may be believed, and keeps its lineage.

    Stages read and write tables and pipe into each other:
    negforge ingest pairs qa.jsonl | negforge generate mine.bm25 --corpus corpus.parquet -n 8 | negforge filter top --k 4 -o data
    """


def _empty() -> None:
    """A verb does nothing by itself."""


for _name, _summary in registry.VERBS.items():
    if registry.operators(_name):
        _group = typer.Typer(cls=_verb(_name), help=_summary, rich_markup_mode=None, no_args_is_help=True)
        _group.callback(help=_summary)(_empty)
        app.add_typer(_group, name=_name)


# -- operators as commands ---------------------------------------------------------------------------------------------


def _shown(annotation: Any) -> tuple[str, bool, bool]:
    """How an option's type reads in help: its metavar, whether it may be given again, whether it is a switch."""
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        return _shown(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        inner = [one for one in typing.get_args(annotation) if one is not type(None)]
        return _shown(inner[0])
    if origin is typing.Literal:
        return "[" + "|".join(map(str, typing.get_args(annotation))) + "]", False, False
    if origin is list:
        return _shown(typing.get_args(annotation)[0])[0], True, False
    names = {str: "TEXT", int: "N", float: "NUMBER", bool: ""}
    return names.get(annotation, "VALUE"), False, annotation is bool


def _option(name: str, parameter: inspect.Parameter) -> inspect.Parameter:
    from negforge.options import field_of

    metavar, again, switch = _shown(parameter.annotation)
    flag = name.replace("_", "-")
    help_text = field_of(parameter.annotation).description or ""
    if parameter.default is parameter.empty:
        help_text += " [required]"
    elif parameter.default not in (None, [], ""):
        default = "on" if parameter.default is True else "off" if parameter.default is False else parameter.default
        help_text += f" [default: {', '.join(default) if isinstance(default, list) else default}]"
    short = ["-n"] if name == "num_negatives" else []
    flags = [f"--{flag}/--no-{flag}"] if switch else [f"--{flag}", *short]
    kind: Any = bool | None if switch else list[str] | None if again else str | None
    info = typer.Option(*flags, help=help_text, metavar=None if switch else metavar, show_default=False)
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind, info])


def _general() -> dict[str, inspect.Parameter]:
    """Options of every stage that say where rows go and what is printed."""
    options: dict[str, tuple[Any, Any, Any]] = {
        "output": (
            str | None,
            None,
            typer.Option(
                "--output",
                "-o",
                metavar="OUT",
                show_default=False,
                help="A file (.parquet, .jsonl, .csv, .arrow), a dataset folder, or - for an Arrow stream (the default in a pipe).",
            ),
        ),
        "to": (
            str | None,
            None,
            typer.Option(
                "--to",
                metavar="[jsonl|csv|arrow]",
                show_default=False,
                help="Format on standard output: kept rows for people, or the stream.",
            ),
        ),
        "json_": (
            bool,
            False,
            typer.Option("--json", show_default=False, help="Print the report as one JSON document on standard output; needs -o."),
        ),
        "dry_run": (bool, False, typer.Option("--dry-run", show_default=False, help="Print the plan and write nothing.")),
        "quiet": (bool, False, typer.Option("--quiet", "-q", show_default=False, help="Print no summary.")),
        "verbose": (bool, False, typer.Option("--verbose", "-v", show_default=False, help="Log each batch.")),
    }
    return {
        name: inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, info])
        for name, (kind, default, info) in options.items()
    }


def _command(operator: registry.Operator) -> TyperCommand:
    """An operator as a command: flags from its signature, its side inputs and the settings of its verb."""
    from negforge.options import declared_options

    parameters = {name: _option(name, parameter) for name, parameter in declared_options(operator).items()}
    sides = {}
    for side, kind in operator.sides.items():
        info = typer.Option(
            f"--{side.replace('_', '-')}", metavar="TABLE", show_default=False, help=f"Side input: a table of {kind.kind.name}. [required]"
        )
        sides[side] = inspect.Parameter(side, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[str | None, info])
    argument = Annotated[
        list[str] | None,
        typer.Argument(
            metavar="INPUT...", show_default=False, help="Files, a dataset folder (DIR, DIR@v2), hf://OWNER/NAME, or - for standard input."
        ),
    ]
    first = inspect.Parameter("inputs", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=argument)
    ordered = [first, *{**sides, **parameters, **_general()}.values()]

    def command(**values: Any) -> int:
        return _run_command(operator, values)

    setattr(command, "__signature__", inspect.Signature(ordered))  # noqa: B010 - mypy knows no such attribute
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in ordered}
    command.__name__ = operator.name
    single = typer.Typer(rich_markup_mode=None, add_completion=False, context_settings={"help_option_names": ["-h", "--help"]})
    single.command(operator.name, help="\b\n" + operator.doc.replace("\n\n", "\n\n\b\n"))(command)
    built: TyperCommand = typer.main.get_command(single)  # type: ignore[assignment]
    return built


def _run_command(operator: registry.Operator, values: dict[str, Any]) -> int:
    from negforge.runner import plan_of, run_stage, stage_of
    from negforge.sinks import Sink, sink_for

    general = {name: values.pop(name) for name in _GENERAL}
    inputs = values.pop("inputs") or ["-"]
    _logging(general)
    given = {name: value for name, value in values.items() if value is not None and value != []}
    stage, faults = stage_of(operator.title, inputs, given)
    if stage is None:
        raise faults[0] if len(faults) == 1 else UsageError("\n".join(f"- {fault}" for fault in faults))
    if general["dry_run"]:
        sys.stdout.write(json.dumps(plan_of(stage), indent=2, ensure_ascii=False) + "\n")
        return 0
    if general["json_"] and general["output"] in (None, "-"):
        raise UsageError("--json and the rows both want standard output", mend="pass -o FILE or -o DIR")

    def make_sink(kind: Any, clustered: bool) -> Sink:
        return sink_for(general["output"], general["to"], kind, clustered=clustered, settings=stage.settings)

    report = run_stage(stage, make_sink, show_progress=_draws(general))
    _tell(report, general)
    return 0


def _draws(general: dict[str, Any]) -> bool:
    return sys.stderr.isatty() and not general["quiet"]


def _logging(general: dict[str, Any]) -> None:
    level = logging.DEBUG if general["verbose"] else logging.WARNING
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    for noisy in ("urllib3", "httpx", "asyncio", "fsspec"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _tell(report: Report, general: dict[str, Any]) -> None:
    if general["json_"]:
        sys.stdout.write(json.dumps(report.document(), indent=2, ensure_ascii=False) + "\n")
    if not general["quiet"]:
        _say("\n".join(report.lines()))


# -- whole pipelines and datasets --------------------------------------------------------------------------------------


@app.command()
def run(
    file: Annotated[str, typer.Argument(metavar="FILE.toml", help="The pipeline file.", show_default=False)],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="STAGE.KEY=VALUE", help="Set a key of one stage; beats the file. Repeatable.", show_default=False),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Seed of every stage.", show_default=False)] = None,
    limit: Annotated[int | None, typer.Option("--limit", help="Generate for the first N anchors by id only.", show_default=False)] = None,
    workers: Annotated[int | None, typer.Option("--workers", help="Worker processes.", show_default=False)] = None,
    batch_size: Annotated[int | None, typer.Option("--batch-size", help="Rows a batch.", show_default=False)] = None,
    max_memory: Annotated[str | None, typer.Option("--max-memory", help="Memory to stay below, such as 4GiB.", show_default=False)] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print each effective value and its origin; write nothing.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print the reports as one JSON document.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no summary.")] = False,
) -> int:
    """Run a pipeline file: its stages in order, checked whole before any work."""
    from negforge.pipeline import load, run_steps

    flags = {"seed": seed, "limit": limit, "workers": workers, "batch_size": batch_size, "max_memory": max_memory}
    steps = load(file, {key: value for key, value in flags.items() if value is not None}, set_ or [])
    if dry_run:
        plan = [
            {
                "name": step.name,
                "use": step.stage.operator.title,
                "input": list(step.stage.inputs),
                "sides": step.stage.sides,
                "output": step.output,
                "options": {key: {"value": value, "origin": step.origins.get(key, "default")} for key, value in step.stage.given.items()},
            }
            for step in steps
        ]
        sys.stdout.write(json.dumps(plan, indent=2, ensure_ascii=False, default=str) + "\n")
        return 0

    def done(step: Any, report: Report) -> None:
        if not quiet:
            _say(f"[{step.name}] " + "\n".join(report.lines()))

    reports = run_steps(steps, show_progress=sys.stderr.isatty() and not quiet, done=done)
    if json_:
        documents = [{"name": step.name, **report.document()} for step, report in zip(steps, reports, strict=True)]
        sys.stdout.write(json.dumps(documents, indent=2, ensure_ascii=False) + "\n")
    return 0


@app.command()
def show(
    dataset: Annotated[str, typer.Argument(metavar="DIR", help="A dataset folder; DIR@v2 for an older version.", show_default=False)],
    rows: Annotated[int, typer.Option("--rows", min=0, help="How many rows to show.")] = 3,
    json_: Annotated[bool, typer.Option("--json", help="Print the manifest as JSON.")] = False,
) -> int:
    """Show a dataset: its versions, counts, stages and first rows."""
    from negforge.showing import show_dataset

    sys.stdout.write(show_dataset(dataset, rows=rows, as_json=json_))
    return 0


_operators = typer.Typer(rich_markup_mode=None, help="List the operators, or show one.")
app.add_typer(_operators, name="operators")


@_operators.callback(invoke_without_command=True)
def _list_operators(
    ctx: typer.Context,
    json_: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> None:
    """List the operators, or show one."""
    if ctx.invoked_subcommand is not None:
        return
    found = registry.every_operator()
    if json_:
        rows = [{"verb": one.verb, "name": one.name, "summary": one.summary, **one.declared} for one in found]
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
        return
    width = max(len(one.title) for one in found)
    sys.stdout.writelines(f"{one.title:<{width}}  {one.summary}\n" for one in found)


@_operators.command("show")
def _show_operator(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The operator, such as mine.bm25.", show_default=False)],
) -> int:
    """Print an operator's manual: what it does, its declaration, options and source."""
    from negforge.showing import manual

    found = [one for one in registry.every_operator() if name in (one.name, one.title)]
    if not found:
        names = [one.name for one in registry.every_operator()]
        guess = near(name, names)
        raise UsageError(f"there is no operator '{name}'", mend=f"did you mean {guess}?" if guess else "negforge operators lists them")
    sys.stdout.write("\n".join(manual(one) for one in found))
    return 0


def main() -> None:
    """The console script."""
    app()
