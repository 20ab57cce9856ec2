"""The command `negforge audit`: its flags and what it prints."""

from __future__ import annotations

import shutil
import sys
from typing import Annotated

import typer

from negforge.commands import versions
from negforge.errors import UsageError, did_you_mean
from negforge.exits import interruptible, say


def audit(
    operator: Annotated[str, typer.Argument(metavar="OPERATOR", help="A generator or a verifier: verify.equivalent.", show_default=False)],
    rows: Annotated[
        str | None,
        typer.Argument(
            metavar="[ROWS]",
            help="Negatives to find judged rows in: a file, a dataset folder, or -; none for a table of votes.",
            show_default=False,
            autocompletion=versions,
        ),
    ] = None,
    labels: Annotated[
        str,
        typer.Option("--labels", metavar="FILE", help="A judged sample, or a table of texts with votes. [required]", show_default=False),
    ] = "",
    positive: Annotated[str, typer.Option("--positive", metavar="COLUMN", help="In a table of votes: the right text.")] = "positive",
    negative: Annotated[str, typer.Option("--negative", metavar="COLUMN", help="In a table of votes: the wrong one.")] = "negative",
    anchor: Annotated[
        str | None,
        typer.Option("--anchor", metavar="COLUMN", help="In a table of votes: the anchor [default: the positive].", show_default=False),
    ] = None,
    valid: Annotated[
        str, typer.Option("--valid", metavar="COLUMN", help="In a table of votes: whether the row is valid, or how many say so.")
    ] = "valid",
    at_least: Annotated[
        float | None, typer.Option("--at-least", metavar="N", help="Votes from which a row is valid.", show_default=False)
    ] = None,
    by: Annotated[
        str | None, typer.Option("--by", metavar="COLUMN", help="In a table of votes: tell the shares by this column.", show_default=False)
    ] = None,
    fail_under: Annotated[
        float | None,
        typer.Option("--fail-under", metavar="SHARE", min=0, max=1, help="Exit 1 if the share is below this.", show_default=False),
    ] = None,
    bound: Annotated[
        str, typer.Option("--bound", metavar="[estimate|low]", help="What --fail-under looks at: the share, or its lower bound.")
    ] = "estimate",
    language: Annotated[str, typer.Option("--language", metavar="TEXT", help="Language of the texts, for a verifier.")] = "en",
    max_memory: Annotated[
        str | None, typer.Option("--max-memory", metavar="SIZE", help="Memory to stay below, such as 4GiB.", show_default=False)
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no progress.")] = False,
) -> int:
    """Audit an operator on judged rows: how many of a generator's negatives are valid, how far people agree with a verifier.

    Shares come with Wilson's interval of 95 %, by kind of edit, with the reasons of what is not valid; of a generator whose ROWS are
    given, also how many sites it found, emitted and refused, by reason. A judged sample is JSON Lines: first an object with `operator`,
    `version`, `source`, `command`, `judge` and `date`, then a line a row of `id`, `digest` (16 hex digits of the text's digest), `valid`
    and `note`. Rows that ROWS lacks or has with another text are counted; exit 1 if none is there. A table of votes is for verifiers:
    `--positive caption --negative foil --valid mturk.caption --at-least 2`. Nothing is written.
    """
    from negforge.auditing import Columns, lines
    from negforge.auditing import audit as audited
    from negforge.options import settings_given
    from negforge.report import document, drawable, printed

    interruptible()
    if not labels:
        raise UsageError("negforge audit needs --labels", "a judged sample, or a table of texts with votes", "pass --labels FILE")
    if bound not in ("estimate", "low"):
        raise UsageError(f"--bound takes estimate or low, not {bound!r}", mend=did_you_mean(bound, ("estimate", "low"), ""))
    memory = settings_given("negforge audit", max_memory=max_memory).max_memory
    found = audited(
        operator,
        rows,
        labels=labels,
        columns=Columns(anchor, positive, negative, valid, at_least, by),
        language=language,
        max_memory=memory,
        show_progress=drawable(sys.stderr) and not quiet,
    )
    sys.stdout.write(document(found.document()) if json_ else printed(lines(found, shutil.get_terminal_size().columns)))
    failed = found.fails(fail_under, "low" if bound == "low" else "estimate")
    if failed:
        say(f"failed: {failed}")
    return int(bool(failed))
