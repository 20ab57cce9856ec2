"""The command line: verbs, whole pipelines and datasets. It holds no data logic and imports what it needs late."""

from __future__ import annotations

import contextlib
import logging
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from negforge import __version__, plugins, registry
from negforge.cli_audit import audit
from negforge.commands import FORMATS, GENERAL, SETTINGS, Command, Group, Root, keys, verb_group, versions
from negforge.errors import OptionError, UsageError, did_you_mean, listed, together
from negforge.exits import interruptible, say, whole_streams

app = typer.Typer(
    name="negforge",
    cls=Root,
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings=SETTINGS,
)


def _table(metavar: str, help_: str) -> Any:
    """An argument that names a table; versions of a dataset are completed."""
    return typer.Argument(metavar=metavar, help=help_, show_default=False, autocompletion=versions)


def _plugins(folders: list[str] | None) -> None:
    if folders:
        os.environ[plugins.ENVIRONMENT] = plugins.named(folders, registry.VERBS)


def _version(value: bool) -> None:
    if value:
        sys.stdout.write(f"negforge {__version__}\n")
        raise typer.Exit


_MaxMemory = Annotated[
    str | None, typer.Option("--max-memory", metavar="SIZE", help="Memory to stay below, such as 4GiB.", show_default=False)
]
_HELP = """Build negative datasets: every negative is checked, says why it may be believed, and keeps its lineage.

Stages read and write tables and pipe into each other:

\b
  negforge ingest pairs qa.jsonl \\
    | negforge generate mine.bm25 --corpus corpus.parquet -n 8 \\
    | negforge filter top --k 4 -o data
"""


@app.callback(help=_HELP)
def _app(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
    folders: Annotated[
        list[str] | None,
        typer.Option(
            "--plugins",
            metavar="DIR",
            callback=_plugins,
            is_eager=True,
            help="A folder of operators of your own: DIR/generate/perturb/shout.py is `generate perturb.shout`. Repeatable.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Take the flags of the app."""


# -- stages ------------------------------------------------------------------------------------------------------------


def _stage(operator: registry.Operator, values: dict[str, Any]) -> int:
    """Run an operator as a stage. values: its flags, side inputs and inputs as they were given."""
    from negforge.hints import next_command
    from negforge.outputs import check_output
    from negforge.pipeline import as_stage
    from negforge.progress import drawable_now
    from negforge.report import document
    from negforge.runner import plan_of, run_stage, stage_of
    from negforge.sinks import Sink, sink_for

    interruptible()
    general = {name: values.pop(name) for name in GENERAL}
    output, to, quiet = general["output"], general["to"], general["quiet"]
    inputs = values.pop("inputs") or ["-"]
    given = {name: value for name, value in values.items() if value is not None and value != []}
    stage, faults = stage_of(operator.title, inputs, given)
    if to is not None and to not in FORMATS:
        faults.append(OptionError("to", f"takes one of {listed(FORMATS)}, not {to!r}", mend=did_you_mean(to, FORMATS, "")))
    else:
        faults += check_output(output, to, stage)
    if general["as_stage"] and to is not None:
        faults.append(UsageError("--to is for standard output", "a stage of a pipeline writes files and folders", "leave it out"))
    if general["json_"] and output in (None, "-") and not general["dry_run"]:
        faults.append(UsageError("--json and the rows both want standard output", mend="pass -o FILE or -o DIR"))
    if stage is None or faults:
        raise together(faults, "the command")
    if general["as_stage"]:
        sys.stdout.write(as_stage(stage, given, output))
        return 0
    if general["dry_run"]:
        sys.stdout.write(document({**plan_of(stage), "output": output or "standard output"}))
        return 0

    def make_sink(kind: Any, clustered: bool) -> Sink:
        return sink_for(output, to, kind, clustered=clustered, settings=stage.settings)

    with _logging(verbose=general["verbose"]):
        report = run_stage(stage, make_sink, output=output, show_progress=drawable_now(output, quiet=quiet))
    if general["json_"]:
        sys.stdout.write(document(report.document()))
    if not quiet:
        say("\n".join([*report.lines(), *(next_command(stage, output, report.counts) if report.outcome.rows else [])]))
    return 0


@contextlib.contextmanager
def _logging(*, verbose: bool) -> Iterator[None]:
    """What the library logs goes to stderr while a command runs."""
    logger = logging.getLogger("negforge")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if verbose else logging.WARNING)
    try:
        yield
    finally:
        logger.removeHandler(handler)


def _empty() -> None:
    """A verb does nothing by itself."""


# -- whole pipelines and datasets --------------------------------------------------------------------------------------


@app.command(cls=Command, context_settings=SETTINGS)
def run(
    file: Annotated[str, typer.Argument(metavar="FILE.toml", help="The pipeline file.", show_default=False)],
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="STAGE.KEY=VALUE",
            help="Set a key of one stage; beats the file. Repeatable.",
            show_default=False,
            autocompletion=keys,
        ),
    ] = None,
    seed: Annotated[str | None, typer.Option("--seed", metavar="N", help="Seed of every stage.", show_default=False)] = None,
    limit: Annotated[
        str | None, typer.Option("--limit", metavar="N", help="Generate for the first N anchors by id only.", show_default=False)
    ] = None,
    workers: Annotated[str | None, typer.Option("--workers", metavar="N", help="Worker processes.", show_default=False)] = None,
    batch_size: Annotated[str | None, typer.Option("--batch-size", metavar="N", help="Rows a batch.", show_default=False)] = None,
    max_memory: _MaxMemory = None,
    resume: Annotated[
        bool, typer.Option("--resume/--no-resume", help="Skip stages that nothing changed for; go on with one that was broken off.")
    ] = True,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print each effective value, its origin and what the run would cost; write nothing.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print the reports, or the plan, as one JSON document.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no summary.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log each batch.")] = False,
) -> int:
    """Run a pipeline file: its stages in order, checked whole before any work.

    A stage that was made before, from the same content with the same options, is skipped; one that was broken off, be it by
    kill -9, goes on where it was.
    """
    from negforge.hints import next_command
    from negforge.pipeline import load, plan, plan_lines, run_steps
    from negforge.report import Report, document, drawable, printable

    interruptible()
    flags = {"seed": seed, "limit": limit, "workers": workers, "batch_size": batch_size, "max_memory": max_memory}
    steps = load(file, {key: value for key, value in flags.items() if value is not None}, set_ or [])
    if dry_run:
        planned = plan(steps, resume=resume)
        sys.stdout.write(document(planned) if json_ else "".join(f"{printable(line)}\n" for line in plan_lines(planned)))
        return 0

    def done(step: Any, report: Report) -> None:
        if not quiet:
            say(f"[{step.name}] " + "\n".join(report.lines()))

    with _logging(verbose=verbose):
        reports = run_steps(steps, show_progress=drawable(sys.stderr) and not quiet, done=done, resume=resume)
    if json_:
        sys.stdout.write(document([{"name": step.name, **report.document()} for step, report in zip(steps, reports, strict=True)]))
    if not quiet:
        written = [step for step in steps if step.output is not None]
        say("\n".join(next_command(written[-1].stage, written[-1].output)))
    return 0


@app.command(cls=Command, context_settings=SETTINGS)
def show(
    table: Annotated[str, _table("TABLE", "A dataset folder (DIR, DIR@v2), a file, a glob, hf://OWNER/NAME, or - for standard input.")],
    rows: Annotated[int, typer.Option("--rows", metavar="N", min=0, help="How many rows to show.")] = 3,
    dropped: Annotated[bool, typer.Option("--dropped", help="Show dropped rows in place of kept ones: the first of each reason.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print the manifest, or of a file what would stand there, as JSON.")] = False,
    croissant: Annotated[bool, typer.Option("--croissant", help="Print a dataset's metadata as Croissant JSON-LD.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress.")] = False,
) -> int:
    """Show a dataset or any other table: versions, counts, reasons of what was dropped, stages and first rows."""
    from negforge.report import drawable
    from negforge.showing import show_table

    interruptible()
    show = drawable(sys.stderr) and not quiet
    sys.stdout.write(show_table(table, rows=rows, dropped=dropped, as_json=json_, as_croissant=croissant, show_progress=show))
    return 0


_PUSH_HELP = """Publish a version of a dataset on the Hugging Face Hub, in one commit, tagged.

What goes up: the shards (data/vN), the manifest and the dropped rows (.negforge/vN), the card (README.md) and croissant.json.
The dropped rows hold texts, too; --no-dropped leaves them out. Versions that are there stay, and a published one never
changes. Of the card, words of a person stay. An interrupted push goes on where it was when it is called again.

The token is that of `hf auth login`, or HF_TOKEN; HF_ENDPOINT names another server than huggingface.co.
"""


@app.command(cls=Command, context_settings=SETTINGS, help=_PUSH_HELP)
def push(
    dataset: Annotated[str, _table("DIR", "A dataset folder; DIR@v2 for an older version.")],
    repo: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="The repository; made if it is not there.", show_default=False)],
    tag: Annotated[str | None, typer.Option("--tag", metavar="TAG", help="The tag [default: the version].", show_default=False)] = None,
    private: Annotated[bool, typer.Option("--private", help="Make the repository private if it is made.")] = False,
    dropped: Annotated[bool, typer.Option("--dropped/--no-dropped", help="Publish the dropped rows, too.")] = True,
    licence: Annotated[
        str | None,
        typer.Option("--licence", "--license", metavar="ID", help="The licence, if the card states none.", show_default=False),
    ] = None,
    replace_card: Annotated[
        bool, typer.Option("--replace-card", help="Take a person's words from DIR/README.md, not from the repository's card.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print what was done as one JSON document.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would go up; write nothing.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no summary.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log each step.")] = False,
) -> int:
    """Publish a version of a dataset on the Hugging Face Hub."""
    from negforge import hub
    from negforge.report import document, drawable

    interruptible()
    with _logging(verbose=verbose):
        done = hub.push(
            dataset,
            repo,
            tag=tag,
            private=private,
            dropped=dropped,
            licence=licence,
            replace_card=replace_card,
            dry_run=dry_run,
            progress=drawable(sys.stderr) and not quiet,
        )
    if json_:
        sys.stdout.write(document(done.document()))
    if not quiet:
        say("\n".join(done.lines()))
    return 0


@app.command(cls=Command, context_settings=SETTINGS)
def log(
    dataset: Annotated[str, _table("DIR", "A dataset folder; DIR@v2 for versions up to that one.")],
    json_: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
) -> int:
    """List the versions of a dataset, newest first: rows, digest, stages, and what changed against the version before.

    Numbers that were taken and are no version are told as well: their writers died, or somebody deleted the version.
    """
    from negforge.showing import show_log

    sys.stdout.write(show_log(dataset, as_json=json_))
    return 0


@app.command(cls=Command, context_settings=SETTINGS)
def diff(
    before: Annotated[str, _table("A", "A dataset, DIR@v1, or a file; alone: a version, against its parent.")],
    after: Annotated[str | None, _table("[B]", "What to compare it with.")] = None,
    rows: Annotated[int, typer.Option("--rows", metavar="N", min=0, help="How many rows to show under each heading.")] = 0,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit 1 if the rows differ.")] = False,
    max_memory: _MaxMemory = None,
    json_: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress.")] = False,
) -> int:
    """Show what changed from table A to table B: rows by id, and the options of the stages that made them.

    A row counts once, under the first that holds: added, removed, changed (other texts under its id), dropped, restored,
    relabelled, annotated (other scores, verdicts, evidence or own columns).
    """
    from negforge.comparing import compare
    from negforge.options import settings_given
    from negforge.report import document, drawable, printed

    interruptible()
    memory = settings_given("negforge diff", max_memory=max_memory).max_memory
    found = compare(before, after, rows=rows, max_memory=memory, show_progress=drawable(sys.stderr) and not quiet)
    sys.stdout.write(document(found.document()) if json_ else printed(found.lines()))
    return int(exit_code and not found.equal)


app.command("audit", cls=Command, context_settings=SETTINGS)(audit)


@app.command(cls=Command, context_settings=SETTINGS)
def calibrate(
    table: Annotated[str, _table("TABLE", "Scored negatives: a file, a dataset folder (DIR, DIR@v2), or - for standard input.")],
    by: Annotated[
        list[str] | None,
        typer.Option(
            "--by", metavar="NAME", help="A score: `dense` is score_dense. Repeatable [default: all with positives'].", show_default=False
        ),
    ] = None,
    reference: Annotated[
        str, typer.Option("--reference", metavar="[weakest|row]", help="Positive to compare with, as in filter margin.")
    ] = "weakest",
    qrels: Annotated[
        str | None,
        typer.Option("--qrels", metavar="FILE", help="Judgements by id: BEIR's .tsv, or a file in TREC's form.", show_default=False),
    ] = None,
    known: Annotated[
        str | None,
        typer.Option("--known", metavar="TABLE", help="Known pairs, by id and text.", show_default=False, autocompletion=versions),
    ] = None,
    language: Annotated[str, typer.Option("--language", metavar="TEXT", help="Language of the texts, for --known.")] = "en",
    max_memory: _MaxMemory = None,
    json_: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress.")] = False,
) -> int:
    """Show what each threshold of `filter margin` would drop, by score and miner, before anything is dropped.

    Beside it stands the mean score of the negatives that stay (hardness), how many anchors are left with none, and, by
    judgements or known pairs, what share of the negatives that stay is right: false negatives. Thresholds are round numbers and
    quantiles of the data. Nothing is written.
    """
    from negforge.calibrating import calibrate as calibrated
    from negforge.calibrating import lines
    from negforge.options import settings_given
    from negforge.report import document, drawable, printed

    interruptible()
    memory = settings_given("negforge calibrate", max_memory=max_memory).max_memory
    found = calibrated(
        table,
        by=by or (),
        reference=reference,
        qrels=qrels,
        known=known,
        language=language,
        max_memory=memory,
        show_progress=drawable(sys.stderr) and not quiet,
    )
    sys.stdout.write(document(found.document()) if json_ else printed(lines(found, shutil.get_terminal_size().columns)))
    return 0


@app.command(cls=Command, context_settings=SETTINGS)
def merge(
    tables: Annotated[list[str], _table("TABLE...", "Datasets, DIR@v2, files or - of one kind.")],
    output: Annotated[
        str | None, typer.Option("--output", "-o", metavar="OUT", help="A file or a dataset folder.", show_default=False)
    ] = None,
    to: Annotated[str | None, typer.Option("--to", metavar="FORMAT", help="Print rows as jsonl, csv or arrow.", show_default=False)] = None,
    scores: Annotated[str, typer.Option("--scores", metavar="RULE", help="Of two values of one score: error, higher or lower.")] = "error",
    kept_wins: Annotated[
        bool, typer.Option("--kept-wins/--dropped-wins", help="Keep a row that one table keeps and another dropped.")
    ] = False,
    shards: Annotated[
        str | None, typer.Option("--shards", metavar="N", help="Shards of a dataset: a power of two.", show_default=False)
    ] = None,
    keep_labels: Annotated[
        list[str] | None,
        typer.Option("--keep-labels", metavar="LABEL", help="A label to publish beside `negative`. Repeatable.", show_default=False),
    ] = None,
    max_memory: _MaxMemory = None,
    json_: Annotated[bool, typer.Option("--json", help="Print the report as one JSON document.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no summary.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log each batch.")] = False,
) -> int:
    """Unite tables of one kind: equal rows become one, and a row judged in several tables keeps every score and verdict.

    The label is made anew from all verdicts, and a proof is never withdrawn. Negatives are verified against the positives of all
    tables: one that is a positive of its anchor in another is labelled `positive`, and counted as relabelled. A row that one
    table dropped is dropped, with its reason, unless --kept-wins. An id with two contents is an error, and so are two values of
    one score unless --scores says which. The order of the tables does not matter. Equal texts under different ids stay: `dedupe
    exact` is for these.
    """
    from negforge.merging import Rules, merge_faults
    from negforge.merging import merge as merged
    from negforge.options import settings_given
    from negforge.progress import drawable_now
    from negforge.report import document
    from negforge.sinks import Sink, sink_for

    interruptible()
    settings = settings_given("negforge merge", shards=shards, keep_labels=keep_labels, max_memory=max_memory)
    rules = Rules(scores, kept_wins)
    faults = merge_faults(tables, output, rules, settings, to=to)
    if json_ and output in (None, "-"):
        faults.append(UsageError("--json and the rows both want standard output", mend="pass -o FILE or -o DIR"))
    if faults:
        raise together(faults, "negforge merge")

    def make_sink(kind: Any, clustered: bool) -> Sink:
        return sink_for(output, to, kind, clustered=clustered, settings=settings)

    with _logging(verbose=verbose):
        show = drawable_now(output, quiet=quiet)
        report = merged(tables, make_sink, rules, output=output, max_memory=settings.max_memory, show_progress=show)
    if json_:
        sys.stdout.write(document(report.document()))
    if not quiet:
        say("\n".join([*report.lines(), *([] if output in (None, "-") else [f"  next: negforge check {shlex.quote(str(output))}"])]))
    return 0


@app.command(cls=Command, context_settings=SETTINGS)
def check(
    tables: Annotated[list[str], _table("DIR...", "Dataset folders, DIR@v2 for an older version, or files of ours.")],
    all_: Annotated[bool, typer.Option("--all", help="Check every version, not the newest alone.")] = False,
    max_memory: _MaxMemory = None,
    json_: Annotated[bool, typer.Option("--json", help="Print what was found as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing where nothing is wrong.")] = False,
) -> int:
    """Check a dataset: its files, counts, digests and order, and the laws that its rows keep. Exit 1 if something is wrong.

    Nothing is written. HEAD and the card, where a writer died before it brought them up to date, are healed by the next command
    that writes to the dataset, which also removes what the dead left; both are told here.
    """
    from negforge.checking import check as checked
    from negforge.options import settings_given
    from negforge.report import document, drawable, printed

    interruptible()
    memory = settings_given("negforge check", max_memory=max_memory).max_memory
    show = drawable(sys.stderr) and not quiet
    found = [one for table in tables for one in checked(table, every=all_, max_memory=memory, show_progress=show)]
    if json_:
        sys.stdout.write(document([one.document() for one in found]))
    else:
        sys.stdout.write(printed(str(one) for one in found if one.findings or not quiet))
    return int(any(one.findings for one in found))


for _name, _summary in registry.VERBS.items():
    _group = typer.Typer(
        cls=verb_group(_name, _stage), help=_summary, rich_markup_mode=None, no_args_is_help=True, context_settings=SETTINGS
    )
    _group.callback(help=_summary)(_empty)
    app.add_typer(_group, name=_name)


_operators = typer.Typer(cls=Group, rich_markup_mode=None, help="List the operators, or show one.", context_settings=SETTINGS)
app.add_typer(_operators, name="operators")


@_operators.callback(invoke_without_command=True)
def _list_operators(
    ctx: typer.Context,
    json_: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    languages: Annotated[bool, typer.Option("--languages", help="List those that change texts, with the languages they do it in.")] = False,
) -> None:
    """List the operators, or show one."""
    if ctx.invoked_subcommand is not None:
        return
    for problem in plugins.missing():
        say(f"warning: {problem}")
    if json_:
        from negforge.report import document

        sys.stdout.write(document([one.document() for one in registry.every_operator()]))
        return
    sys.stdout.writelines(f"{line}\n" for line in registry.table(_columns(), languages=languages))


def _columns() -> int | None:
    """The width that lines wrap at: the terminal's; none off a terminal, where tools want a line an operator."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


@_operators.command("show", cls=Command, context_settings=SETTINGS)
def _show_operator(
    name: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME",
            help="The operator, such as mine.bm25, also with its verb.",
            show_default=False,
            autocompletion=lambda incomplete: sorted({one.name for one in registry.every_operator() if one.name.startswith(incomplete)}),
        ),
    ],
) -> int:
    """Print an operator's manual: what it does, its options, declaration and source, and a line to type."""
    from negforge.showing import manual

    sys.stdout.write("\n".join(manual(one) for one in registry.named(" ".join(name))))
    return 0


def main() -> None:
    """The console script."""
    whole_streams()
    app()
