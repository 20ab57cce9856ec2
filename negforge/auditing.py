"""How often an operator's negatives are wrong, as they should be, and how often a verifier agrees with people: counts of judged rows.

What people, or whoever else, said is one of two files. A *judged sample* names rows of one generator by id: a JSON object that says of
which operator and version, how it was made, who judged it and when; then a line a row of `id`, `digest` (the first 16 hex digits of
`rng.blake` of the negative's text), `valid` and `note`. It holds no text. A *table of votes* has the texts, with people's votes on each.
Intervals are Wilson's, of 95 %.
Source: Wilson, Probable inference, the law of succession, and statistical inference, 1927; Parcalabescu et al., VALSE, 2022 (a foil is
valid when two of three annotators take the caption alone for true).
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from negforge import answers, registry, rng
from negforge.engine import machine_memory, temporary_scratch
from negforge.errors import InputError, UsageError, did_you_mean, listed
from negforge.inputs import open_input, sources_of
from negforge.labels import column_of
from negforge.options import Settings, check
from negforge.prepared import Prepared, prepare
from negforge.progress import Progress
from negforge.records import NEGATIVES, Negatives, Pairs, missing_column
from negforge.registry import Operator
from negforge.report import counted, reasons
from negforge.tables import Source, format_of, open_sources, pieces

Bound = Literal["estimate", "low"]
SHIPPED = "audited.json"  # what the judged samples of our own operators say, beside this file
_ROWS = 1 << 14
_Z = 1.959963984540054
_DIGEST = 16  # hex digits of a text's digest
_TELLS = {"true": True, "yes": True, "valid": True, "1": True, "false": False, "no": False, "invalid": False, "0": False}
_VERDICTS = ("positive", "negative", "unknown")
_MOST = 20  # lines of a table for people
_LARGEST = 1 << 28  # bytes of a judged sample, which is held in memory


def wilson(good: int, judged: int) -> tuple[float, float]:
    """Wilson's interval of a share, 95 %; of nothing judged, all that a share may be."""
    if not judged:
        return 0.0, 1.0
    share, spread = good / judged, _Z**2 / judged
    middle = (share + spread / 2) / (1 + spread)
    half = _Z * math.sqrt(share * (1 - share) / judged + spread / (4 * judged)) / (1 + spread)
    return max(0.0, round(middle - half, 6)), min(1.0, round(middle + half, 6))


@dataclass
class Share:
    """So many of so many."""

    judged: int = 0
    good: int = 0

    def add(self, good: int, judged: int) -> None:
        """Count more."""
        self.good, self.judged = self.good + good, self.judged + judged

    @property
    def estimate(self) -> float | None:
        """From 0 to 1; None of nothing."""
        return round(self.good / self.judged, 6) if self.judged else None

    def document(self, good: str = "valid", judged: str = "judged") -> dict[str, Any]:
        """As JSON, under these names."""
        low, high = wilson(self.good, self.judged)
        return {judged: self.judged, good: self.good, "estimate": self.estimate, "low": low, "high": high}

    def words(self) -> str:
        """The share and its interval, for people."""
        if not self.judged:
            return "nothing judged"
        low, high = wilson(self.good, self.judged)
        return f"{self.good:,} of {self.judged:,}, {self.estimate:.3f} ({low:.3f} to {high:.3f})"


@dataclass
class Sample:
    """A judged sample: what its first line says, and by id the digest of the text, whether it is valid, and the note."""

    name: str
    about: dict[str, Any]
    rows: dict[str, tuple[str, bool, str]]

    @property
    def share(self) -> Share:
        """The valid ones of all."""
        return Share(len(self.rows), sum(valid for _, valid, _ in self.rows.values()))


@dataclass
class Audit:
    """What was found. valid: of the judged rows that were looked at, those that people hold for right negatives.

    labels: judgements in the file; unjudged: rows of it on which nobody decided. absent, changed: judged rows that the table does not
    have, or has with another text. by: the same share by what stands beside the rows. notes: of the rows that are not valid.
    rows, sites, emitted, refused: of the generator's own rows in the table. verdicts: of a verifier, by verdict; agrees: of those that
    say something, the ones that people bear out; passed: the valid ones of what it would let pass.
    """

    operator: str
    version: int
    verb: str
    labels: str
    table: str = ""
    about: dict[str, Any] = field(default_factory=dict)
    judgements: int = 0
    unjudged: int = 0
    absent: int = 0
    changed: int = 0
    valid: Share = field(default_factory=Share)
    by: dict[str, dict[str, Share]] = field(default_factory=dict)
    notes: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    emitted: int = 0
    vetoed: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    verdicts: dict[str, Share] = field(default_factory=dict)
    bar: float = 0.0

    @property
    def agrees(self) -> Share:
        """Of the rows on which a verifier decides, those where people say the same."""
        vetoed, passed = (self.verdicts.get(name, Share()) for name in ("positive", "negative"))
        return Share(vetoed.judged + passed.judged, vetoed.judged - vetoed.good + passed.good)

    @property
    def passed(self) -> Share:
        """The valid ones of the rows that the verifier does not call positive."""
        rest = [share for name, share in self.verdicts.items() if name != "positive"]
        return Share(sum(one.judged for one in rest), sum(one.good for one in rest))

    @property
    def measure(self) -> Share:
        """What the operator is held to: a generator's valid rows, a verifier's agreement."""
        return self.agrees if self.verb == "verify" else self.valid

    def fails(self, under: float | None, bound: Bound) -> str:
        """Why this is to end with exit code 1, in words; empty where it is not."""
        if self.table and self.judgements and not self.valid.judged:
            return f"no judged row is in {self.table}: {self.absent:,} are not there, {self.changed:,} have another text"
        if under is None:
            return ""
        share = self.measure
        value = share.estimate if bound == "estimate" else wilson(share.good, share.judged)[0]
        if not share.judged or value is None:
            return f"nothing is judged, so that nothing shows {under:g}"
        return f"the {'share' if bound == 'estimate' else 'lower bound'} {value:.4f} is below {under:g}" if value < under else ""

    def document(self) -> dict[str, Any]:
        """As JSON."""
        found: dict[str, Any] = {"operator": self.operator, "version": self.version, "verb": self.verb, "labels": self.labels}
        found |= {"about": self.about} if self.about else {}
        found |= {"table": self.table} if self.table else {}
        found |= {"judgements": self.judgements, "unjudged": self.unjudged, "absent": self.absent, "changed": self.changed}
        found["validity"] = self.valid.document()
        if self.verb == "verify":
            found["verdicts"] = {name: {"valid": one.good, "invalid": one.judged - one.good} for name, one in self.verdicts.items()}
            found["agreement"] = self.agrees.document("agreed", "decided")
            found["passed"] = self.passed.document()
        elif self.table:
            silent = self.refused["no-site"]
            found |= {"rows": self.rows, "sites": self.rows - silent, "emitted": self.emitted, "vetoed": self.vetoed}
            found["refused"] = _largest(self.refused)
        if self.bar:
            found["bar"] = self.bar
        found["by"] = {name: {key: one.document() for key, one in shares.items()} for name, shares in self.by.items()}
        return {**found, "notes": _largest(self.notes)}


def _largest(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(((name, number) for name, number in counts.items() if number), key=lambda one: (-one[1], one[0])))


# -- what people said --------------------------------------------------------------------------------------------------


def read_sample(path: Path) -> Sample:
    """A judged sample. Raises InputError, with the line, for what is none."""
    data = b"".join(pieces(path, 1 << 20)) if path.is_file() and path.stat().st_size <= _LARGEST else b""
    lines = data.decode("utf-8", "replace").splitlines()
    mend = 'the first line says of which "operator", the others have "id", "digest", "valid" and "note"'
    rows: dict[str, tuple[str, bool, str]] = {}
    about: dict[str, Any] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            raise InputError("a line of a judged sample is no JSON", f"{path} line {number}", mend) from None
        if not about:
            if not (isinstance(found, dict) and isinstance(found.get("operator"), str)):
                raise InputError(f"{path} does not say of which operator it is", f"{path} line {number}", mend)
            about = found
            continue
        types = {"id": str, "digest": str, "valid": bool}
        wrong = [name for name, kind in types.items() if not isinstance(found, dict) or type(found.get(name)) is not kind]
        if wrong:
            raise InputError(f"a judged row has no {listed(wrong)} of the right type", f"{path} line {number}", mend)
        if found["id"] in rows:
            raise InputError(f"row {found['id']!r} is judged twice", f"{path} line {number}", "leave one of them out")
        rows[found["id"]] = (found["digest"], found["valid"], str(found.get("note") or ""))
    if not about:
        raise InputError(f"{path} is empty, or too large", mend=mend)
    return Sample(str(path), about, rows)


def is_sample(path: Path) -> bool:
    """Whether a file begins as a judged sample does."""
    if format_of(path.name)[0] not in ("jsonl", "json") or not path.is_file():
        return False
    head = next(iter(pieces(path, 1 << 16)), b"").lstrip().partition(b"\n")[0]
    try:
        found = json.loads(head)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and "operator" in found and "id" not in found and "negative" not in found


def cell(frame: pl.DataFrame, path: str, where: str) -> pl.Series:
    """A column by its name, or a field of a column of objects, such as `mturk.caption`."""
    if path in frame.columns:
        return frame[path]
    name, *fields = path.split(".")
    if name not in frame.columns:
        raise missing_column(path, frame.columns, where, has_flag=False)
    found = frame[name]
    for one in fields:
        have = [field.name for field in found.dtype.fields] if isinstance(found.dtype, pl.Struct) else []
        if one not in have:
            raise InputError(
                f"column '{path}' is not in {where}", f"'{name}' holds {listed(have) or 'no objects'}", did_you_mean(one, have, "")
            )
        found = found.struct.field(one)
    return found.alias(path)


def votes(values: pl.Series, at_least: float | None, name: str) -> pl.Series:
    """Which rows are valid: by true or false, by yes or no, or by so many votes; null where nobody said."""
    if values.dtype.is_numeric():
        if at_least is None:
            odd = values.filter(values.is_not_null() & ~values.is_in([0, 1]))
            if len(odd):
                what = f"'{name}' holds {odd[0]!r}, and nothing says from what number on a row is valid"
                raise UsageError(what, mend="for example --at-least 2: by two votes or more")
        return values.cast(pl.Float64) >= (1.0 if at_least is None else at_least)
    if at_least is not None:
        raise UsageError(f"--at-least is for numbers, and '{name}' holds {values.dtype}", mend="leave it out, or name a column of votes")
    if values.dtype in (pl.Boolean, pl.Null):
        return values.cast(pl.Boolean)
    text = values.cast(pl.String, strict=False).str.strip_chars().str.to_lowercase()
    odd = text.filter(text.is_not_null() & ~text.is_in([*_TELLS, ""]))
    if values.dtype.is_nested() or len(odd):
        held = f"holds {odd[0]!r}" if len(odd) else "holds lists or objects"
        raise InputError(
            f"'{name}' says of no row whether it is valid: it {held}", mend=f"it takes {listed(_TELLS)}, or numbers with --at-least"
        )
    return text.replace_strict(_TELLS, default=None, return_dtype=pl.Boolean)


# -- the audit ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Columns:
    """What a table of votes calls its columns. by: a column whose values the shares are told by."""

    anchor: str | None = None
    positive: str = "positive"
    negative: str = "negative"
    valid: str = "valid"
    at_least: float | None = None
    by: str | None = None


def found_operator(name: str) -> Operator:
    """The generator or verifier of that name, alone or behind its verb: `verify.equivalent`. Raises UsageError for any other."""
    verb, _, rest = name.partition(".") if " " not in name else name.partition(" ")
    with_verb = verb in registry.VERBS and rest in registry.operators(verb)
    every = [registry.find(verb, rest)] if with_verb else registry.named(name)
    usable = [one for one in every if one.verb in ("generate", "verify")]
    if not usable:
        raise UsageError(f"{every[0].title} makes no negatives and judges none", mend="name a generator or a verifier")
    if len(usable) > 1:
        raise UsageError(
            f"'{name}' is several operators", listed(one.title for one in usable), f"name one: {usable[-1].verb}.{usable[-1].name}"
        )
    return usable[0]


def audit(
    operator: str,
    table: str | pl.DataFrame | None = None,
    *,
    labels: str,
    columns: Columns | None = None,
    language: str = "en",
    max_memory: int | None = None,
    show_progress: bool = False,
) -> Audit:
    """Count how many of an operator's judged negatives are valid, or how often a verifier's verdicts are those of people.

    table: negatives, to find the judged rows in. labels: a judged sample, or a table of votes whose columns are `columns`. Raises
    UsageError for an operator that is neither, InputError for labels that are none, or of another operator.
    """
    one = found_operator(operator)
    name = table if isinstance(table, str) else "the given frame" if table is not None else ""
    found = Audit(one.name, one.declares.version, one.verb, labels, name, bar=float(one.declared.get("bar", 0.0)))
    memory = max_memory or machine_memory() // 4
    progress = Progress("audit", show=show_progress)
    try:
        with temporary_scratch() as scratch:
            if not is_sample(Path(labels)):
                if one.verb != "verify":
                    mend = (
                        "a judged sample names rows by id; its first line says of which operator it is. Tables of votes are for verifiers"
                    )
                    raise UsageError(f"{labels} is no judged sample of {one.name}", mend=mend)
                if table is not None:
                    raise UsageError("a table of votes has the rows itself", f"{labels}, beside {name}", "leave the second table out")
                _by_votes(found, _Verifier(one, language, scratch.path, memory), columns or Columns(), progress)
                return found
            if columns not in (None, Columns()):
                raise UsageError(
                    f"{labels} is a judged sample, which has its own columns", mend="leave out the options of a table of votes"
                )
            _by_sample(found, one, read_sample(Path(labels)), table, _Reading(scratch.path, memory, language, progress))
            return found
    finally:
        progress.close()


@dataclass(frozen=True)
class _Reading:
    scratch: Path
    memory: int
    language: str
    progress: Progress


def _by_sample(found: Audit, operator: Operator, sample: Sample, table: str | pl.DataFrame | None, reading: _Reading) -> None:
    found.about, found.judgements = sample.about, len(sample.rows)
    if operator.verb == "generate" and sample.about["operator"] not in (operator.name, operator.title):
        raise InputError(
            f"{sample.name} is not of {operator.name}", f"it is of {sample.about['operator']}", "name that operator, or another file"
        )
    if table is None:
        if operator.verb == "verify":
            raise UsageError("a judged sample holds no texts to verify", sample.name, "name the table of negatives, too")
        found.valid = sample.share
        found.notes.update(note or "(no note)" for _, valid, note in sample.rows.values() if not valid)
        return
    verifier = _Verifier(operator, reading.language, reading.scratch, reading.memory) if operator.verb == "verify" else None
    maker = operator.name if verifier is None else str(sample.about["operator"]).removeprefix("generate ")
    opened = open_input(sources_of([table]), NEGATIVES, reading.scratch / "in", limit_bytes=reading.memory // 8)
    judged = pl.DataFrame(
        [(row, digest, valid, note) for row, (digest, valid, note) in sample.rows.items()],
        schema={"id": pl.String, "__digest": pl.String, "__valid": pl.Boolean, "__note": pl.String},
        orient="row",
    )
    seen = 0
    sources = [np.zeros(0, np.uint64)]
    for frame in opened.batches(_ROWS):
        made = frame.filter(pl.col("operator") == maker)
        sources.append(np.unique(rng.hash64(made["source_id"])))
        _slots(found, made)
        rows = made.join(judged, on="id", how="inner", maintain_order="left").filter(pl.col("negative").is_not_null())
        digests = pl.Series([rng.blake(text)[:_DIGEST] for text in rows["negative"]], dtype=pl.String)
        same = rows.filter(digests == rows["__digest"])
        found.changed += rows.height - same.height
        seen += rows.height
        _take(found, same, same["__valid"], _edits(same), "edit")
        if verifier is not None:
            _confuse(found, verifier.verdicts(same.drop("__digest", "__valid", "__note")), same["__valid"])
        found.notes.update(note or "(no note)" for note in same.filter(~pl.col("__valid"))["__note"].to_list())
        reading.progress.phase(f"looking for judged rows, {counted(seen, 'row')} found")
    found.absent = found.judgements - seen
    found.rows = len(np.unique(np.concatenate(sources)))


def _slots(found: Audit, made: pl.DataFrame) -> None:
    """Count what the operator emitted and refused. A row that a later stage dropped was emitted."""
    found.emitted += int((made["draw"] >= 0).sum())
    if "dropped_by" in made.columns:
        refused = made.filter((pl.col("draw") < 0) & pl.col("drop_reason").is_not_null())
        found.refused.update(dict(refused["drop_reason"].value_counts().iter_rows()))
    found.vetoed += int(((made["draw"] >= 0) & (made["label"] == "positive")).sum())


def _edits(rows: pl.DataFrame) -> pl.Series:
    """What kind of change each row's edit is; of rows without one, their opposition."""
    if "edit" not in rows.columns:
        return rows["opposition"]
    old, new = pl.col("edit").struct.field("old"), pl.col("edit").struct.field("new")
    digits = old.str.contains("[0-9]") & new.str.contains("[0-9]")
    several = old.str.strip_chars().str.contains(r"\s") | new.str.strip_chars().str.contains(r"\s")
    kind = (
        pl.when(pl.col("edit").is_null()).then("opposition")
        .when(old.str.len_bytes() == 0).then(pl.lit("inserted"))
        .when(new.str.len_bytes() == 0).then(pl.lit("removed"))
        .when(digits & (_numbers(new) > _numbers(old))).then(pl.lit("number raised"))
        .when(digits & (_numbers(new) < _numbers(old))).then(pl.lit("number lowered"))
        .when(several).then(pl.lit("words replaced"))
        .otherwise(pl.lit("word replaced"))
    )  # fmt: skip
    return rows.select(kind.alias("edit")).to_series()


def _numbers(text: pl.Expr) -> pl.Expr:
    return text.str.replace_all(",", "").str.extract(r"([0-9]+(?:\.[0-9]+)?)").cast(pl.Float64, strict=False)


def _take(found: Audit, rows: pl.DataFrame, valid: pl.Series, keys: pl.Series | None, name: str) -> None:
    """Count rows, and by what stands beside them."""
    found.valid.add(int(valid.sum()), rows.height)
    if keys is not None and rows.height:
        shares = found.by.setdefault(name, {})
        counts = (
            pl.DataFrame({"key": keys.cast(pl.String).fill_null("(none)"), "valid": valid})
            .group_by("key")
            .agg(pl.len(), pl.col("valid").sum())
        )
        for key, judged, good in counts.sort("key").iter_rows():
            shares.setdefault(key, Share()).add(good, judged)


def _confuse(found: Audit, verdicts: pl.Series, valid: pl.Series) -> None:
    for name in _VERDICTS:
        said = verdicts == name
        found.verdicts.setdefault(name, Share()).add(int((said & valid).sum()), int(said.sum()))


class _Verifier:
    """A verifier, run on rows as they come. The positives that it may want to see are those of the rows themselves."""

    def __init__(self, operator: Operator, language: str, scratch: Path, memory: int) -> None:
        self.operator, self._language, self._folder, self._memory = operator, language, scratch / "verify", memory
        others = [name for name, kind in operator.sides.items() if kind is not Pairs]
        own, faults = check(operator, {})[0], check(operator, {})[2]
        if others or faults or operator.declares.cost != "free":
            why = f"it needs {listed(others)}" if others else faults[0].what if faults else "it calls a model or executes data"
            column = column_of(operator.name)
            raise UsageError(f"{operator.title} cannot be run by itself", why, f"run it first; {column} is then in the table")
        self._options, self._calls = own, 0

    def verdicts(self, rows: pl.DataFrame) -> pl.Series:
        """A verdict a row, by what stands in the row alone."""
        if not rows.height:
            return pl.Series([], dtype=pl.String)
        self._calls += 1
        folder = self._folder / str(self._calls)  # what it prepares for these rows is for no others
        folder.mkdir(parents=True)
        pairs = Pairs(rows.select("id", "anchor_id", "anchor", "positive"))
        settings = Settings(language=self._language)
        sides = dict.fromkeys(self.operator.sides, pairs)
        prepared: Prepared = prepare(self.operator, self._options, settings, sides, folder, self._memory)
        return answers.verdicts(self.operator, prepared.call(self.operator.function, Negatives(rows)), rows.height)


def _sources(labels: str, wanted: set[str]) -> list[Source]:
    """The tables of votes. Of one JSON document only the columns that are wanted are taken: others may hold what makes no column."""
    path = Path(labels)
    if format_of(path.name)[0] == "json" and path.is_file():
        data = b"".join(pieces(path, 1 << 24))
        with contextlib.suppress(ValueError, RecursionError, TypeError, pl.exceptions.PolarsError):
            document = json.loads(data)
            rows: list[dict[str, Any]] = [{"key": key, **row} for key, row in document.items()] if isinstance(document, dict) else document
            tops = {name for row in rows for name in wanted & row.keys()} | {name.partition(".")[0] for name in wanted}
            narrow = [{name: value for name, value in row.items() if name in tops} for row in rows]
            return sources_of([pl.DataFrame(narrow, infer_schema_length=None)])
    return open_sources(labels)  # which also says what is wrong with it


def _by_votes(found: Audit, verifier: _Verifier, columns: Columns, progress: Progress) -> None:
    wanted = [one for one in (columns.anchor, columns.positive, columns.negative, columns.valid, columns.by) if one is not None]
    for source in _sources(found.labels, {*wanted, *verifier.operator.declares.columns}):
        done = 0
        for frame in source.batches(_ROWS):
            texts = {
                name: cell(frame, column, source.name)
                for name, column in (
                    ("anchor", columns.anchor or columns.positive),
                    ("positive", columns.positive),
                    ("negative", columns.negative),
                )
            }
            odd = [one.name for one in texts.values() if one.dtype not in (pl.String, pl.Null)]
            if odd:
                raise InputError(
                    f"column '{odd[0]}' holds no texts", f"{source.name}: {frame.schema.get(odd[0])}", "name a column of texts"
                )
            said = votes(cell(frame, columns.valid, source.name), columns.at_least, columns.valid)
            keys = cell(frame, columns.by, source.name) if columns.by is not None else None
            rows = frame.drop([name for name in ("id", "anchor_id", "label", *texts) if name in frame.columns])
            number = (pl.int_range(frame.height, eager=True) + done).cast(pl.String)
            rows = rows.with_columns(
                number.alias("id"), number.alias("anchor_id"), *(one.cast(pl.String).alias(name) for name, one in texts.items())
            ).with_columns(
                pl.lit("negative").alias("label"), pl.lit("people").alias("operator"), pl.lit("contradiction").alias("opposition")
            )
            whole = said.is_not_null() & texts["positive"].is_not_null() & texts["negative"].is_not_null() & texts["anchor"].is_not_null()
            found.judgements += frame.height
            found.unjudged += int((~whole).sum())
            rows, said = rows.filter(whole), said.filter(whole)
            _take(found, rows, said, keys.filter(whole) if keys is not None else None, columns.by or "")
            _confuse(found, verifier.verdicts(rows), said)
            done += frame.height
            progress.phase(f"verifying, {counted(done, 'row')}")


# -- for people --------------------------------------------------------------------------------------------------------


def lines(found: Audit, width: int) -> Iterator[str]:
    """What was found, in lines no wider than the width where words allow it."""
    if found.verb == "verify":
        yield f"verify {found.operator}, version {found.version}: of the judged negatives {found.valid.words()} are valid"
    else:
        yield f"{found.operator}, version {found.version}: {found.valid.words()} of the judged negatives are valid"
    yield from (line for text in _about(found) for line in textwrap.wrap(text, width, initial_indent="  ", subsequent_indent="    "))
    if found.verb == "verify":
        yield ""
        yield from _table(
            ["verdict", "valid", "not valid"], [[n, f"{s.good:,}", f"{s.judged - s.good:,}"] for n, s in found.verdicts.items()]
        )
        yield f"  people agree where it decides: {found.agrees.words()}"
        yield f"  valid of what it lets pass: {found.passed.words()}"
    elif found.table:
        silent = found.refused["no-site"]
        yield f"  {counted(found.rows, 'source row')}, {found.rows - silent:,} with a site, {found.emitted:,} emitted"
        if found.refused:
            yield from textwrap.wrap(
                f"refused: {reasons(dict(_largest(found.refused)))}",
                width,
                initial_indent="  ",
                subsequent_indent="    ",
                break_on_hyphens=False,
            )
    for name, shares in found.by.items():
        yield ""
        ordered = sorted(shares.items(), key=lambda one: (-one[1].judged, one[0]))
        rows = [[key, f"{one.judged:,}", f"{one.good:,}", *_interval(one)] for key, one in ordered[:_MOST]]
        yield from _table([name, "judged", "valid", "share", "95 %"], rows)
    if found.notes:
        yield ""
        yield from _table(["why not valid", "rows"], [[note, f"{number:,}"] for note, number in [*_largest(found.notes).items()][:_MOST]])


def _about(found: Audit) -> Iterator[str]:
    about = found.about
    if about:
        said = [f"judged by {about['judge']}" if "judge" in about else "", str(about.get("date", "")), str(about.get("source", ""))]
        yield "; ".join(one for one in said if one)
        if about.get("version") not in (None, found.version) and found.verb == "generate":
            yield f"judged at version {about['version']}, which is not this one's: judge a new sample"
    if found.table and found.judgements:
        where = f"of {counted(found.judgements, 'judged row')} {found.valid.judged:,} are in {found.table} with that text"
        yield where + (f"; {found.absent:,} are not there, {found.changed:,} have another text" if found.absent or found.changed else "")
    if found.unjudged:
        yield f"nobody decided on {counted(found.unjudged, 'row')}"
    if found.bar:
        yield f"the bar it is to reach: {found.bar:g}"


def _interval(share: Share) -> list[str]:
    low, high = wilson(share.good, share.judged)
    return [f"{share.estimate:.3f}" if share.estimate is not None else "-", f"{low:.3f}-{high:.3f}"]


def _table(head: list[str], rows: Sequence[list[str]]) -> Iterator[str]:
    widths = [max(len(row[at]) for row in (head, *rows)) for at in range(len(head))]
    for row in (head, *rows):
        cells = [row[0].ljust(widths[0]), *(one.rjust(size) for one, size in zip(row[1:], widths[1:], strict=True))]
        yield f"  {'  '.join(cells)}".rstrip()


# -- what is shipped ---------------------------------------------------------------------------------------------------


def audited(folder: Path) -> dict[str, Any]:
    """What the judged samples of a folder say, by operator: the table that is shipped."""
    found: dict[str, Any] = {}
    for path in sorted(folder.glob("*.jsonl")):
        sample = read_sample(path)
        name = str(sample.about["operator"]).removeprefix("generate ")
        share = sample.share
        about = {key: sample.about[key] for key in ("version", "source", "command", "judge", "date") if key in sample.about}
        found[name] = {"judged": share.judged, "valid": share.good, **about}
    return found


def shipped(operator: str) -> tuple[Share, dict[str, Any]] | None:
    """What the shipped table says of an operator, or None where nothing of it was judged."""
    text = resources.files("negforge").joinpath(SHIPPED)
    every: dict[str, Any] = json.loads(text.read_text(encoding="utf-8")) if text.is_file() else {}
    one = every.get(operator)
    return None if one is None else (Share(one["judged"], one["valid"]), one)


def audited_words(operator: Operator) -> str:
    """What is known of an operator's validity, in words; empty where nothing is."""
    if operator.tree.foreign or operator.verb != "generate":
        return ""
    known = shipped(operator.name)
    if known is None:
        return ""
    share, about = known
    stale = about.get("version") != operator.declared.get("version")
    by = re.sub(r"[;,].*", "", str(about.get("judge", "")))
    return f"{share.words()} valid, judged by {by}" + (f" at version {about.get('version')}" if stale else "")
