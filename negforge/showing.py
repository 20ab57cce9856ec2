"""What `show` and `operators show` print: a table's state, an operator's manual. It imports late: help pages come here."""

from __future__ import annotations

import io
import shlex
import shutil
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from negforge.auditing import audited_words
from negforge.errors import UsageError
from negforge.giveaway import in_words
from negforge.options import declared_options, json_schema, metavar, plain_shape
from negforge.prepared import explained
from negforge.registry import Operator
from negforge.report import document, preview, printable, printed, reasons


def show_table(
    spec: str, *, rows: int, dropped: bool = False, as_json: bool = False, as_croissant: bool = False, show_progress: bool = False
) -> str:
    """A table's state and first rows as text; its manifest as JSON, or as Croissant. spec, rows, dropped: as `looking.look`."""
    from negforge.looking import look

    found = look(spec, rows=rows, dropped=dropped, show_progress=show_progress)
    manifest = found.manifest
    if as_croissant:
        if found.folder is None:
            raise UsageError("--croissant is for a dataset", f"{spec} is none", "name a dataset folder, or leave it out")
        return document(croissant_of(found.folder, manifest))
    if as_json:
        return document(manifest)
    lines = found.head[:1]
    lines += [line for one in [*found.head[1:], *_contents(manifest.get("contents", {}))] for line in wrapped(one, 2)]
    lines += ["  stages:"] if manifest["stages"] else []
    for stage in manifest["stages"]:
        third = {title: one.get("distribution", f"file {one['file']}") for title, one in stage.get("third_party", {}).items()}
        options = ", ".join(f"{key} {value}" for key, value in stage.get("options", {}).items() if value is not None)
        lines += wrapped(f"{stage['stage']}: seed {stage.get('seed', 0)}{', ' if options else ''}{options}", 4)
        lines += wrapped(_counts(stage.get("counts", {})), 6)
        lines += [f"      third party: {title} of {origin}" for title, origin in third.items()]
    text = io.StringIO()
    text.writelines(printable(line) + "\n" for line in lines)
    examples = found.dropped if dropped else found.kept
    if examples.height:
        text.write("\n")
        preview(examples, text, first=("drop_reason", "drop_value") if dropped else ())
    return text.getvalue()


def _contents(contents: dict[str, Any]) -> Iterator[str]:
    """How many rows of which operator have which label, and by which operator how many were dropped for which reason."""
    for name, by, what, words in (("labels", "operator", "label", "rows of"), ("drops", "by", "reason", "dropped by")):
        found: dict[str, dict[str, int]] = {}
        for one in contents.get(name, []):
            found.setdefault(one[by], {})[one[what]] = one["rows"]
        yield from (f"{words} {operator}: {reasons(counts)}" for operator, counts in found.items())
    yield from (f"told from their positives (chance is 0.5) {in_words(one)}" for one in contents.get("giveaway", []))


def croissant_of(path: Path, manifest: dict[str, Any]) -> dict[str, Any]:
    """A version's Croissant; the addresses in it are paths in the dataset folder."""
    from negforge.card import KEEP
    from negforge.croissant import croissant

    card = path / "README.md"
    return croissant(manifest, name=path.resolve().name, card=card.read_text(encoding="utf-8-sig", errors=KEEP) if card.is_file() else "")


def show_log(spec: str, *, as_json: bool) -> str:
    """The versions of a dataset, newest first."""
    from negforge.comparing import log, log_lines

    entries = log(spec)
    if as_json:
        return document(entries)
    blocks = [[head, *(line for text in more for line in wrapped(text, 4))] for head, more in map(log_lines, entries)]
    return printed("\n".join(block) for block in blocks)


def wrapped(text: str, indent: int) -> list[str]:
    """Text in lines that fit the terminal."""
    lead = " " * indent
    return textwrap.wrap(
        text, shutil.get_terminal_size().columns, initial_indent=lead, subsequent_indent=lead + "    ", break_on_hyphens=False
    )


def _counts(counts: dict[str, Any]) -> str:
    parts = []
    for key, value in counts.items():
        if key == "scores":
            parts += [f"{name} median {score['median']:g}" for name, score in value.items()]
        elif isinstance(value, dict):
            parts += [f"{key} " + ", ".join(f"{name} {number:,}" for name, number in value.items())] if value else []
        elif value or key in ("seen", "kept", "asked", "emitted"):
            parts.append(f"{key} {value:,}")
    return "; ".join(parts)


# -- manuals -----------------------------------------------------------------------------------------------------------


def manual(operator: Operator) -> str:
    """An operator's manual: its help page."""
    from negforge.commands import command_of

    command = command_of(operator, lambda *_: 0)
    page: str = command.get_help(command.context_class(command, info_name=f"negforge {operator.title}", **command.context_settings))
    defaults = {name: option.default for name, option in operator.options().items()}
    follows = [line for name, words in explained(operator, defaults).items() for line in wrapped(f"{name}: {words}", 2)]
    told, head, line = page.rpartition("Example:\n")
    more = "\n".join(["What follows from the defaults:", *follows, "", ""]) if follows else ""
    return f"{told}{more}{head}{line}\n"


def reflowed(doc: str, columns: int) -> str:
    """A docstring as Click wraps it: a paragraph a line, the source in one of its own; a list is wrapped here, to the columns."""
    blocks: list[str] = []
    for line in doc.splitlines():
        last = blocks[-1] if blocks else ""
        in_list = last.startswith(_AS_IT_IS)
        if line.startswith("- "):
            blocks[-1:] = [f"{last}\n{line}"] if in_list else [last, f"{_AS_IT_IS}\n{line}"]
        elif in_list and line.startswith("  "):
            blocks[-1] += f" {line.strip()}"
        elif not last or not line or in_list or line.startswith(("Paper: ", "Source: ")):
            blocks.append(line)
        else:
            blocks[-1] += f" {line}"
    return "\n\n".join(_filled(one, columns) if one.startswith(_AS_IT_IS) else one for one in blocks if one)


_AS_IT_IS = "\b"  # Click leaves the lines of such a paragraph alone


def _filled(block: str, columns: int) -> str:
    return "\n".join(textwrap.fill(item, columns, subsequent_indent="  ", break_on_hyphens=False) for item in block.split("\n"))


def facts(operator: Operator) -> list[tuple[str, str]]:
    """What an operator's declaration says, by the words people ask in."""
    declared, makes = operator.declared, operator.makes
    sides = [f"{kind.kind.name} (--{name.replace('_', '-')})" for name, kind in operator.sides.items()]
    reads = "a folder" if operator.reads_folder else str(declared.get("reads", "a source file")).lower()
    writes = makes.name if makes is not None else "a trainer's layout"
    if operator.verb == "generate":
        writes += f", labelled {declared.get('label', 'negative')}, {declared.get('opposition', 'neutral')}"
    origin = [("From", f"{operator.tree}, no part of negforge")] if operator.tree.foreign else []
    found = [*origin, ("Reads", ", ".join([reads, *sides])), ("Writes", writes), ("Scope", declared["scope"])]
    rows = {
        "evidence": "Evidence",
        "verifiers": "Verified by",
        "proves": "Proves",
        "doubts": "Doubts",
        "languages": "Languages",
        "fixed": "Fixed",
    }
    for key, title in rows.items():
        value = operator.languages if key == "languages" else declared.get(key)
        if value:
            found.append(
                (title, ", ".join(f"{name} {one}" for name, one in value.items()) if isinstance(value, dict) else ", ".join(value))
            )
    found += [("Bar", f"{declared['bar']:g} of its negatives valid")] if declared.get("bar") else []
    found += [("Audited", words)] if (words := audited_words(operator)) else []
    found += [("Off by default", f"{declared['below']} --below-bar runs it.")] if declared.get("below") else []
    cost = {"model": "calls a model", "exec": "executes data: needs --allow-exec"}.get(str(declared.get("cost")))
    return [*found, *([("Cost", cost)] if cost else []), ("Version", str(declared["version"]))]


def example(operator: Operator) -> str:
    """A line to type."""
    shapes = json_schema(operator)["properties"]
    words = [f"negforge {operator.title}"]
    reads = str(operator.declared.get("reads", "")).lower()
    words.append("FOLDER" if operator.reads_folder else f"{reads}.parquet" if reads else "FILE")
    words += [f"--{side.replace('_', '-')} {(kind.kind.either or (kind.kind,))[0].name}.parquet" for side, kind in operator.sides.items()]
    for name, parameter in declared_options(operator).items():
        if parameter.default is parameter.empty:
            words.append(f"--{name.replace('_', '-')} {_plausible(shapes[name])}")
    for name in operator.declared.get("any_of", ())[:1]:
        words.append(f"--{name.replace('_', '-')} {_plausible(shapes[name])}")
    words += ["--below-bar"] if operator.declared.get("below") else []
    words += ["-n 4"] if operator.verb == "generate" else []
    words += ["--allow-exec"] if operator.declared.get("cost") == "exec" else []
    makes = operator.makes
    if makes is None:
        form = next(iter(operator.declared.get("formats", ())), "parquet")
        words.append(f"-o train.{form}")
    else:
        words.append(f"-o {makes.name if reads != makes.name else operator.verb}.parquet")
    return " ".join(words)


def _plausible(schema: dict[str, Any]) -> str:
    shape = plain_shape(schema)
    if shape.get("type") == "array":
        return _plausible(shape["items"])
    if shape.get("type") == "integer":
        return str(max(4, int(shape.get("minimum", 4))))
    if "examples" in shape:
        return shlex.quote(str(shape["examples"][0]))
    return str(shape["enum"][0]) if "enum" in shape else metavar(shape)
