"""Counts of a stage, as a document and for people, and what may be printed on a terminal."""

from __future__ import annotations

import bisect
import itertools
import json
import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from negforge import registry

if TYPE_CHECKING:
    import polars as pl

    from negforge.sinks import Outcome


@dataclass
class Counts:
    """What happened to the rows of a stage. Every count is of rows, but for a generator's slots.

    A generator is asked for k slots per source row (per anchor when mining): asked = emitted + refused + short.
    vetoed: candidates that a verifier proved true, by verifier; they stand as rows labelled `positive`, outside the slots.
    repeated, blank: candidates passed over because the row has that text already, or it is empty; passed: for a miner's own reason.
    promoted: rows that are further positives of their anchor from here on, by the verifier that found them right.
    filled: slots, of those emitted, that were filled at random.
    unmatched: pairs whose positive_id the corpus does not have, so that their passage is not known by its text.
    noted: rows that stay although something spoke against them, by what it was. short_units: anchors that a filter left with fewer
    negatives than there are to be, of which `short` are missing.
    per_unit: how many source rows (anchors) got, or have left, how many negatives. scores: how many rows have which step of a score, by the
    score's column and the step, of which `score_steps` tells what they are. seconds: of CPU that the work took, in no document.
    """

    seen: int = 0
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    collapsed: int = 0
    asked: int = 0
    emitted: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    short: int = 0
    vetoed: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
    blank: int = 0
    passed: Counter[str] = field(default_factory=Counter)
    filled: int = 0
    promoted: Counter[str] = field(default_factory=Counter)
    unmatched: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    per_unit: Counter[int] = field(default_factory=Counter)
    scores: Counter[str] = field(default_factory=Counter)
    noted: Counter[str] = field(default_factory=Counter)
    short_units: int = 0
    seconds: float = 0.0

    def add(self, other: Counts) -> None:
        """Add another batch's counts."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)

    def plain(self) -> dict[str, Any]:
        """All counts as JSON has them, for `of`."""
        named = vars(self).items()
        return {name: {str(key): one for key, one in value.items()} if isinstance(value, Counter) else value for name, value in named}

    @classmethod
    def of(cls, plain: dict[str, Any]) -> Counts:
        """The counts that `plain` gave."""
        found = cls()
        for name, value in plain.items():
            setattr(found, name, Counter(value) if isinstance(value, dict) else value)
        found.per_unit = Counter({int(key): one for key, one in plain["per_unit"].items()})
        return found

    def document(self, *, generates: bool) -> dict[str, Any]:
        """The counts as JSON: only those that the stage's verb has, reasons in alphabetical order."""
        found: dict[str, Any] = {"seen": self.seen, "kept": self.kept, "dropped": _sorted(self.dropped)}
        if self.scores:
            found["scores"] = quantiles(self.scores)
        for name in ("skipped", "labels", "noted", "promoted"):
            if getattr(self, name):
                found[name] = _sorted(getattr(self, name))
        if self.collapsed:
            found["collapsed"] = self.collapsed
        if self.per_unit and not generates:
            found["per_anchor"] = {**self._spread(), "short": self.short_units, "missing": self.short}
        if generates:
            found |= {
                "asked": self.asked,
                "emitted": self.emitted,
                "refused": _sorted(self.refused),
                "short": self.short,
                "vetoed": _sorted(self.vetoed),
                "repeated": self.repeated,
                "blank": self.blank,
                **({"passed": _sorted(self.passed)} if self.passed else {}),
                **({"filled": self.filled} if self.filled else {}),
                **({"unmatched": self.unmatched} if self.unmatched else {}),
                "per_source": self._spread(),
            }
        return found

    def _spread(self) -> dict[str, int]:
        """Smallest, median and largest number of negatives that a source row (anchor) got, and how many got none."""
        total = sum(self.per_unit.values())
        if not total:
            return {"none": 0}
        ordered = sorted(self.per_unit.items())
        passed, median = 0, 0
        for value, count in ordered:
            passed += count
            if passed * 2 >= total:
                median = value
                break
        return {"min": ordered[0][0], "median": median, "max": ordered[-1][0], "none": self.per_unit[0]}


_STEP = math.log(1.01)  # a step is 1 % of the score


def score_steps(frame: pl.DataFrame) -> Counter[str]:
    """The raw scores of rows in steps of 1 %, which add up over batches in any order to quantiles within 1 %."""
    import polars as pl

    found: Counter[str] = Counter()
    for name in frame.columns:
        if name.startswith("score_") and frame[name].dtype.is_numeric():
            score = pl.col(name).cast(pl.Float64)
            step = pl.when(score != 0).then((score.abs().log() / _STEP).round().cast(pl.Int64))
            sign = score.sign().cast(pl.Int8)
            steps = frame.filter(score.is_finite()).group_by(sign.alias("sign"), step.alias("step")).len()
            found.update({f"{name} {row[0]} {row[1] or 0}": row[2] for row in steps.rows()})
    return found


def quantiles(steps: Counter[str]) -> dict[str, dict[str, float]]:
    """Smallest, quartiles and largest of each score, to three digits."""
    by_name: dict[str, dict[float, int]] = {}
    for key, count in steps.items():
        name, sign, step = key.rsplit(" ", 2)
        by_name.setdefault(name, {})[int(sign) * math.exp(int(step) * _STEP)] = count
    found = {}
    for name, values in sorted(by_name.items()):
        ordered, total = sorted(values.items()), sum(values.values())
        ends = [*itertools.accumulate(count for _, count in ordered)]
        places = {"min": 0.0, "p25": 0.25, "median": 0.5, "p75": 0.75, "max": 1.0}
        at = {word: bisect.bisect_left(ends, max(1, math.ceil(share * total))) for word, share in places.items()}
        found[name] = {word: float(f"{ordered[place][0]:.3g}") for word, place in at.items()}
    return found


def _sorted(counter: Counter[str]) -> dict[str, int]:
    return {name: counter[name] for name in sorted(counter) if counter[name]}


@dataclass
class Report:
    """A finished stage: its name, counts, seconds, and where its rows are.

    skipped: a run before made it, and nothing it depends on has changed; counts and seconds are of that run. resumed: of the
    input's rows, those that a run which was broken off had done. makes_ids: the source brought none. explained: what follows from
    the options, in words.
    """

    stage: str
    counts: dict[str, Any]
    outcome: Outcome
    seconds: float
    skipped: bool = False
    resumed: int = 0
    makes_ids: bool = False
    explained: Mapping[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The report as one JSON document."""
        outcome = self.outcome
        return {
            "stage": self.stage,
            "output": outcome.place,
            "version": outcome.version,
            "unchanged": outcome.unchanged or self.skipped,
            "skipped": self.skipped,
            "resumed_rows": self.resumed,
            "rows": outcome.rows,
            "dropped_rows": outcome.dropped,
            "counts": self.counts,
            **({"explained": dict(self.explained)} if self.explained else {}),
            **outcome.digests,
            "seconds": round(self.seconds, 3),
        }

    def lines(self) -> list[str]:
        """The report for people."""
        counts = self.counts
        if self.skipped:
            return [f"{self.stage}: skipped, nothing it depends on has changed: {self._place()}"]
        lines = self._slots() if "asked" in counts else [self._rows()]
        if self.resumed:
            lines.append(f"went on after {counted(self.resumed, 'row')} of a run that was broken off")
        if "per_anchor" in counts:
            left = counts["per_anchor"]
            lines.append(
                f"negatives left to each anchor: min {left['min']}, median {left['median']}, max {left['max']}; with none: {left['none']:,}"
            )
            lines.append(f"anchors with fewer than --at-least: {left['short']:,}, which lack {counted(left['missing'], 'negative')}")
        if counts.get("noted"):
            lines.append("rows that stay all the same: " + reasons(counts["noted"]))
        if "promoted" in counts:
            told = reasons(counts["promoted"]) if counts["promoted"] else "none that is not one already"
            lines.append(f"rows promoted to positives of their anchor: {told}")
        lines += [f"{name}: {words}" for name, words in self.explained.items()]
        if counts.get("labels"):
            lines.append("labels of the kept rows: " + reasons(counts["labels"]))
        for name, values in counts.get("scores", {}).items():
            lines.append(f"{name}: " + ", ".join(f"{word} {value:g}" for word, value in values.items()))
        if counts.get("skipped"):
            lines.append("source lines that make no row: " + reasons(counts["skipped"]))
        if self.makes_ids:
            lines.append("the source has no ids: they are made of the rows' content")
        if counts.get("collapsed"):
            lines.append(f"equal rows collapsed: {counts['collapsed']:,}")
        if "united" in counts:
            lines.append(
                f"rows united with others of their id: {counts['united']:,}; relabelled: {counts['relabelled']:,}; "
                f"kept in one table and dropped in another: {counts['dropped_elsewhere']:,}"
            )
        if self.stage.startswith("export ") and not self.outcome.rows:
            lines.append(self._nothing())
        lines += self._given_away()
        lines.append(self._place())
        if not self._passes:
            lines.append(f"rows_digest {self.outcome.digests['rows_digest']}")
        return [f"{self.stage}: {lines[0]}", *(f"  {line}" for line in lines[1:])]

    def _rows(self) -> str:
        """The rows of a stage that makes none: seen = kept + dropped + dropped before."""
        counts = self.counts
        here = {reason: number for reason, number in counts["dropped"].items() if reason != "before"}
        line = f"seen {counts['seen']:,}, kept {counts['kept']:,}, dropped {sum(here.values()):,}"
        line += f": {reasons(here)}" if here else ""
        before = counts["dropped"].get("before", 0)
        return line + (f"; dropped before {before:,}" if before else "") + " (rows)"

    def _given_away(self) -> list[str]:
        """How well text alone tells the sides of the version that was written, for each operator."""
        if self.outcome.version is None or self.skipped:
            return []
        from negforge.giveaway import in_words

        told = _published(self.outcome).get("contents", {}).get("giveaway", [])
        return [f"told from their positives (chance is 0.5) {in_words(one)}" for one in told if "operator" in one]

    def _nothing(self) -> str:
        """Why an export has no row: what was dropped here, by reason, or nothing came in."""
        counts = self.counts
        here = {reason: number for reason, number in counts["dropped"].items() if reason != "before"}
        if not here:
            return f"no row was written: {'every row of the input was dropped before' if counts['seen'] else 'the input has no rows'}"
        labels = any(reason.startswith("label-") for reason in here)
        more = "; rows labelled `negative` go out, others by --keep-labels" if labels else ""
        return f"no row was written: {reasons(here)} (rows){more}"

    def _slots(self) -> list[str]:
        """The slots of a generator: asked = emitted + refused + short."""
        counts = self.counts
        parts = [f"asked {counts['asked']:,}", f"emitted {counts['emitted']:,}"]
        parts += [f"{reason} {number:,}" for reason, number in counts["refused"].items()]
        parts += [f"short {counts['short']:,}"] if counts["short"] else []
        lines = [", ".join(parts) + " (slots)"]
        spread = counts["per_source"]
        if "median" in spread:
            unit = "anchor" if _scope(self.stage) == "anchor" else "source row"
            lines.append(
                f"negatives of each {unit}: min {spread['min']}, median {spread['median']}, max {spread['max']}; "
                f"left with none: {spread['none']:,}"
            )
        if counts["vetoed"]:
            lines.append("candidates proved true, labelled positive: " + reasons(counts["vetoed"]))
        if counts.get("filled"):
            lines.append(f"filled at random, for want of a better candidate: {counts['filled']:,} (slots)")
        if counts.get("unmatched"):
            none = "; it has none of them: are the ids those of another table?" if counts["unmatched"] >= counts["seen"] else ""
            lines.append(f"pairs whose positive_id is not in the corpus: {counts['unmatched']:,}{none}")
        before = counts["dropped"].get("before", 0)
        lines += [f"dropped before: {counted(before, 'row')}"] if before else []
        if counts["repeated"] or counts["blank"] or counts.get("passed"):
            passed = {"repeated": counts["repeated"], "blank": counts["blank"], **counts.get("passed", {})}
            lines.append("candidates passed over: " + reasons(passed))
        return lines

    def _place(self) -> str:
        """Where the rows are, and what lies beside them."""
        outcome = self.outcome
        if outcome.place == "the terminal":
            return f"{counted(outcome.rows, 'row')}, the first of them shown; -o FILE or -o FOLDER keeps all ({self.seconds:.1f} s)"
        rows, parts = outcome.rows, []
        if outcome.version is not None:
            published = _published(outcome)
            rows = published["rows"]
            parts += [f"{published['dropped']['other_labels']:,} of another label"] if published["dropped"]["other_labels"] else []
        here = sum(number for reason, number in self.counts["dropped"].items() if reason != "before")
        dropped = outcome.dropped or here
        parts += [f"{dropped:,} dropped"] if dropped and not self._passes else []
        beside = f", beside them {' and '.join(parts)}" if parts else ""
        if self.skipped:
            return f"{counted(rows, 'row')} in {outcome.place}{beside}"
        if outcome.unchanged:
            return f"unchanged: {outcome.place} has these {counted(rows, 'row')}{beside} ({self.seconds:.1f} s)"
        return f"wrote {counted(rows, 'row')} to {outcome.place}{beside} ({self.seconds:.1f} s)"

    @property
    def _passes(self) -> bool:
        """Whether the rows went on to a stream or a later stage and lie nowhere."""
        return self.outcome.place.startswith("@") or self.outcome.place in ("a pipe", "standard output", "the terminal", "memory")


def _published(outcome: Outcome) -> dict[str, Any]:
    """The manifest of the version that a stage wrote."""
    from negforge.store import Dataset

    return Dataset(Path(outcome.place.rpartition("@v")[0])).manifest(outcome.version or 0)


def counted(count: int, unit: str) -> str:
    """A count with its unit, such as `1 row` or `2,000 rows`."""
    return f"{count:,} {unit}{'' if count == 1 else 's'}"


def counted_bytes(count: int) -> str:
    """A size for people, such as `1.2 MB`."""
    if count < 1000:
        return counted(count, "byte")
    power = min(4, (len(str(count)) - 1) // 3)
    return f"{count / 1000**power:,.1f} {('kB', 'MB', 'GB', 'TB')[power - 1]}"


def _scope(stage: str) -> str:
    verb, _, name = stage.partition(" ")
    return str(registry.find(verb, name).declared.get("scope"))


def reasons(counts: Mapping[str, int]) -> str:
    """Counts by reason, in one line."""
    return ", ".join(f"{name} {number:,}" for name, number in counts.items())


CLEAR = "\r\x1b[K"


def drawable(stream: TextIO) -> bool:
    """Whether a line on the stream can be cleared and drawn anew."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def printable(text: str) -> str:
    """Text that cannot steer a terminal: control characters become visible."""
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def printed(texts: Iterable[str]) -> str:
    """Texts of one or more lines for standard output, in which nothing can steer a terminal."""
    return "".join(f"{printable(line)}\n" for text in texts for line in text.split("\n"))


def document(value: Any) -> str:
    """A JSON document for standard output, in which nothing can steer a terminal."""
    return steerless(json.dumps(value, indent=2, ensure_ascii=False, default=str)) + "\n"


def steerless(text: str) -> str:
    """Lines of JSON or CSV for a terminal: control characters become escapes, which in JSON mean the same."""
    return "".join(char if char.isprintable() or char == "\n" else _escape(char) for char in text)


def _escape(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else json.dumps(char)[1:-1]


def preview(frame: pl.DataFrame, stream: TextIO, first: tuple[str, ...] = ()) -> None:
    """The first rows as a table that fits the terminal. first: columns to begin with; of the others, those that hold anything."""
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    order = (
        ("anchor", "negative", "positive", "text", "id") if first else ("anchor", "positive", "negative", "label", "title", "text", "id")
    )
    shown = [*first, *(name for name in order if name in frame.columns and (not first or frame[name].null_count() < frame.height))][:4]
    # Without colour rich would still print bold.
    table = RichTable(box=None, pad_edge=False, header_style="none" if os.environ.get("NO_COLOR") else "table.header")
    for name in shown or frame.columns[:4]:
        table.add_column(name, overflow="ellipsis", no_wrap=True, ratio=1 if name not in ("label", "drop_reason") else None)
    for row in frame.select(shown or frame.columns[:4]).rows():
        table.add_row(*(Text(printable(str(cell))) for cell in row))
    console = Console(file=stream)
    table.expand = True
    if drawable(stream):
        stream.write(CLEAR)  # the progress of the stage is still on the line
    console.print(table)
