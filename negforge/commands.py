"""Operators as Typer commands: flags made of their signatures, help in sections, near names for what is misspelt.

The three classes stand in for Typer's own. Its Click is vendored and not public, so contexts and commands are `Any` here.
"""

from __future__ import annotations

import inspect
import os
import shutil
import sys
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from negforge import plugins, registry
from negforge.errors import NegforgeError, UsageError, did_you_mean, listed
from negforge.exits import guarded, say, usage_error
from negforge.registry import Operator

Context = Any
WIDTH = 110  # a help page is no wider, however wide the terminal
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": WIDTH}
FORMATS = ("jsonl", "csv", "arrow")
GENERAL = ("output", "to", "json_", "dry_run", "as_stage", "quiet", "verbose")


class Command(TyperCommand):
    """A command whose help lists its flags in sections, and ends with what is in `more`: title, and rows or a line to type."""

    more: tuple[tuple[str, list[tuple[str, str]] | str], ...] = ()

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Parse; UsageError in our own words, also for an option given twice, of which Click would take the last."""
        if not ctx.resilient_parsing:
            self._refuse_twice(ctx, args)
        try:
            return super().parse_args(ctx, args)
        except typer.TyperException as error:
            raise usage_error(error, ctx) from None

    def _refuse_twice(self, ctx: Context, args: list[str]) -> None:
        options: list[Any] = [one for one in self.get_params(ctx) if one.param_type_name == "option"]
        single = {flag: one for one in options for flag in one.opts if not (one.is_flag or one.multiple)}
        seen: dict[str, str] = {}
        words = iter(args)
        for word in words:
            if word == "--":
                return
            flag, sign, value = word.partition("=") if word.startswith("--") else (word[:2], word[2:], word[2:])
            one = single.get(flag)
            if one is None:
                continue
            given = value if sign else next(words, "")
            if one.name in seen:
                raise UsageError(f"{flag} is given twice", f"{seen[one.name]!r} and {given!r}", "give one value")
            seen[one.name] = given

    def format_options(self, ctx: Context, formatter: Any) -> None:
        """The sections."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for one in self.get_params(ctx):
            record = one.get_help_record(ctx)
            if record is None:
                continue
            if one.param_type_name == "argument":
                record = (one.metavar or one.name, record[1])
            usual = "Arguments" if one.param_type_name == "argument" else "Other" if "Other" in sections else "Options"
            sections.setdefault(getattr(one, "rich_help_panel", None) or usual, []).append(record)
        for title, rows in [*sections.items(), *self.more]:
            with formatter.section(title):
                if isinstance(rows, str):
                    formatter.write(f"{'':{formatter.current_indent}}{rows}\n")
                else:
                    formatter.write_dl(rows)


class Group(TyperGroup):
    """A group of commands; suggests the nearest for a misspelt one."""

    def parse_args(self, ctx: Context, args: list[str]) -> list[str]:
        """Parse; UsageError in our own words, and the help page where nothing was typed."""
        if not args and self.no_args_is_help and not ctx.resilient_parsing:
            say(ctx.get_help())
            raise typer.Exit(2)
        try:
            return super().parse_args(ctx, args)
        except typer.TyperException as error:
            raise usage_error(error, ctx) from None

    def resolve_command(self, ctx: Context, args: list[str]) -> Any:
        """The command of that name."""
        names = self.list_commands(ctx)
        if args[0] not in names and not ctx.resilient_parsing:
            known = [] if ctx.parent else [one.title for one in registry.every_operator() if args[0] in (one.name, *one.name.split("."))]
            meant = [one for one in known if args[0] == one.split(" ")[1].rpartition(".")[2]] or known[:1]
            usual = " or ".join(f"{ctx.command_path} {one}" for one in meant) or f"{ctx.command_path} --help lists them"
            mend = f"did you mean {usual}?" if known else did_you_mean(args[0], names, usual)
            raise UsageError(f"there is no command '{ctx.command_path} {args[0]}'", f"commands: {listed(names, 30)}", mend)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: Context, formatter: Any) -> None:
        """Every command with its whole summary; Click would cut it."""
        found: list[tuple[str, Any]] = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, str(command.help).partition("\n")[0]) for name, command in found]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class Root(Group):
    """The app: every way a command can end passes here."""

    def main(self, args: Any = None, *_: Any, standalone_mode: bool = True, **__: Any) -> Any:
        """Run, and exit with the right code. Typer's own `main` has other ideas about pipes and interrupts."""
        words = list(sys.argv[1:] if args is None else args)
        self._main_shell_completion({}, "negforge")
        code = guarded(lambda: self._call(words))
        if not standalone_mode:
            return code
        sys.exit(code)

    def list_commands(self, ctx: Context) -> list[str]:
        """The verbs that have operators, in the order data flows, then the rest."""
        names = super().list_commands(ctx)
        return [name for name in registry.VERBS if registry.operators(name)] + [name for name in names if name not in registry.VERBS]

    def _call(self, words: list[str]) -> int:
        before = os.environ.get(plugins.ENVIRONMENT)
        try:
            with self.make_context("negforge", words) as ctx:
                return self.invoke(ctx) or 0
        finally:  # --plugins is for this command alone
            if before is None:
                os.environ.pop(plugins.ENVIRONMENT, None)
            else:
                os.environ[plugins.ENVIRONMENT] = before


class Verb(Group):
    """A verb: its commands are the operators found on disk, shown unimported and built when called."""

    verb = ""
    run: Callable[[Operator, dict[str, Any]], int]

    def list_commands(self, ctx: Context) -> list[str]:
        """The operators' names."""
        return list(registry.operators(self.verb))

    def get_command(self, ctx: Context, cmd_name: str) -> Any:
        """A stub with the summary line: help asks for every name."""
        operator = registry.operators(self.verb).get(cmd_name)
        return Command(cmd_name, help=operator.summary, rich_markup_mode=None) if operator is not None else None

    def resolve_command(self, ctx: Context, args: list[str]) -> Any:
        """The real command. UsageError with the nearest name for one that is not there."""
        if ctx.resilient_parsing and args[0] not in self.list_commands(ctx):
            return None, None, []
        if args[0] not in self.list_commands(ctx) and "--plugins" in args:
            raise plugins.misplaced(f"negforge --plugins DIR {self.verb} {args[0]}")
        operator = registry.find(self.verb, args[0])
        return args[0], command_of(operator, type(self).run), args[1:]


def verb_group(name: str, run: Callable[[Operator, dict[str, Any]], int]) -> type[Verb]:
    """The class of a verb's group; `run` gets the operator and the flags as they were given."""
    return type(f"{name.title()}Verb", (Verb,), {"verb": name, "run": staticmethod(run)})


def command_of(operator: Operator, run: Callable[[Operator, dict[str, Any]], int]) -> Any:
    """An operator as a command: flags from its signature, its side inputs and the settings of its verb."""
    from negforge.options import declared_options, json_schema
    from negforge.showing import example, facts, reflowed

    shapes = json_schema(operator)["properties"]
    sides = {
        side: _parameter(
            side,
            str | None,
            typer.Option(
                _flag(side), metavar="TABLE", help=f"A table of {kind.kind.name}. [required]", autocompletion=versions, **_in("Inputs")
            ),
        )
        for side, kind in operator.sides.items()
    }
    options = {name: _option(name, parameter, shapes[name]) for name, parameter in declared_options(operator).items()}
    help_text = "A folder." if operator.reads_folder else "Files, a dataset folder (DIR, DIR@v2), hf://OWNER/NAME, or - for standard input."
    inputs = _parameter(
        "inputs", list[str] | None, typer.Argument(metavar="INPUT", help=help_text, autocompletion=versions, **_in("Inputs"))
    )
    ordered = [inputs, *{**sides, **options, **_general()}.values()]

    def command(**values: Any) -> int:
        return run(operator, values)

    setattr(command, "__signature__", inspect.Signature(ordered))  # noqa: B010 - mypy knows no such attribute
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in ordered}
    command.__name__ = operator.name
    columns = min(shutil.get_terminal_size().columns, WIDTH) - 4
    single = typer.Typer(rich_markup_mode=None, add_completion=False, context_settings=SETTINGS)
    single.command(operator.name, cls=Command, help=reflowed(operator.doc, columns), context_settings=SETTINGS)(command)
    built: Any = typer.main.get_command(single)
    built.more = (("About", facts(operator)), ("Example", example(operator)))
    return built


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _in(section: str) -> dict[str, Any]:
    return {"rich_help_panel": section, "show_default": False}


def _parameter(name: str, kind: Any, info: Any, default: Any = None) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, info])


def _option(name: str, parameter: inspect.Parameter, shape: dict[str, Any]) -> inspect.Parameter:
    """A flag. Its value stays text here: the one model of `negforge.options` checks it."""
    from negforge.options import UNRECORDED, choices, for_example, metavar, plain_shape

    kind = str(plain_shape(shape).get("type"))
    flags = [f"{_flag(name)}/--no-{_flag(name)[2:]}"] if kind == "boolean" else [_flag(name)]
    flags += ["-n"] if name == "num_negatives" else [f"-{name}"] if len(name) == 1 else []
    help_text = str(shape.get("description", "")) + for_example(shape)
    if kind == "array" and "Repeatable." not in help_text:
        help_text += " Repeatable."
    values = choices(plain_shape(shape).get("items", shape))
    info: Any = typer.Option(
        *flags,
        help=help_text + _default(parameter),
        metavar=metavar(shape) or None,
        autocompletion=_completes(values),
        **_in("Output" if name in ("keep_labels", "shards") else "Resources, which change no row" if name in UNRECORDED else "Options"),
    )
    kinds: dict[str, Any] = {"boolean": bool | None, "array": list[str] | None}
    return _parameter(name, kinds.get(kind, str | None), info)


def _completes(values: Iterable[str]) -> Callable[[str], list[str]] | None:
    """For the shell: those of the values that begin with what was typed."""
    known = list(values)

    def starting(incomplete: str) -> list[str]:
        return [one for one in known if one.startswith(incomplete)]

    return starting if known else None


def versions(incomplete: str) -> list[str]:
    """For the shell: the versions of a dataset, once its name and an @ were typed."""
    folder, at, _ = incomplete.rpartition("@")
    found = [entry.parent.name for entry in (Path(folder) / ".negforge").glob("v*/manifest.json")] if at else []
    return [f"{folder}@{name}" for name in sorted(found, key=lambda name: (len(name), name)) if f"{folder}@{name}".startswith(incomplete)]


def keys(ctx: typer.Context, incomplete: str) -> list[str]:
    """For the shell: the stages of the pipeline file that was named, and the options of one, as `--set` takes them."""
    from negforge.options import declared_options

    try:
        file = ctx.params["file"] or ctx.args[0]  # where the last option has no value yet, arguments are not parsed
        stages = tomllib.loads(Path(file).read_text(encoding="utf-8"))["stage"]
        named = {str(one["name"]): str(one["use"]) for one in stages}
        stage = incomplete.partition(".")[0]
        if "." not in incomplete or stage not in named:
            return [f"{name}." for name in named if name.startswith(incomplete)]
        operator = registry.find(*named[stage].split(" ", 1))
        found = [f"{stage}.{name}=" for name in ("input", "output", *operator.sides, *declared_options(operator))]
    except (OSError, ValueError, LookupError, TypeError, NegforgeError):  # the shell asks while the file is being written
        return []
    return [one for one in found if one.startswith(incomplete)]


def _default(parameter: inspect.Parameter) -> str:
    default = parameter.default
    if default is parameter.empty:
        return " [required]"
    if default in (None, [], ""):
        return ""
    shown = {True: "on", False: "off"}.get(default, default) if isinstance(default, bool) else default
    return f" [default: {', '.join(map(str, shown)) if isinstance(shown, list) else shown}]"


def _general() -> dict[str, inspect.Parameter]:
    """Options of every stage that say where rows go and what is printed."""
    out = "A file (.parquet, .jsonl, .csv, .arrow), a dataset folder, or - for an Arrow stream (the default in a pipe)."
    to = typer.Option(
        "--to",
        metavar="[" + "|".join(FORMATS) + "]",
        help="Format on standard output: kept rows for people, or the stream.",
        autocompletion=_completes(FORMATS),
        **_in("Output"),
    )
    switches = {
        "json_": ("--json", "Print the report as one JSON document on standard output; needs -o.", "Output"),
        "dry_run": ("--dry-run", "Print the plan and write nothing.", "Other"),
        "as_stage": ("--as-stage", "Print this command as a stage of a pipeline file, and do nothing else.", "Other"),
        "quiet": ("--quiet", "-q", "Print no summary.", "Other"),
        "verbose": ("--verbose", "-v", "Log each batch.", "Other"),
    }
    found = {"output": _parameter("output", str | None, typer.Option("--output", "-o", metavar="OUT", help=out, **_in("Output")))}
    found["to"] = _parameter("to", str | None, to)
    for name, (*flags, text, section) in switches.items():
        found[name] = _parameter(name, bool, typer.Option(*flags, help=text, **_in(section)), default=False)
    return found
