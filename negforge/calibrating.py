"""What each threshold of `filter margin` would drop, before anything is dropped: by miner, and with judgements how many are right.

The table is read once. Of each row a few numbers go to disk: its score, that of the positive it is compared with, its anchor, its
miner, and whether it is known to be right. Thresholds are round numbers and quantiles, found by counting in steps of 1 %; what each
drops is then counted exactly, with the filter's own comparisons.
Source: huggingface/sentence-transformers#3279 (one margin of 5 % drops 8 % for one model and 84 % for another).
"""

from __future__ import annotations

import math
import re
import shlex
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negforge import registry
from negforge.engine import Spool, machine_memory, temporary_scratch
from negforge.errors import InputError, UsageError, listed
from negforge.inputs import Input, by_anchor, open_input, side_table, sources_of
from negforge.options import Settings, check
from negforge.prepared import Prepared, prepare
from negforge.progress import Progress
from negforge.qrels import judgements
from negforge.records import DROP_NAMES, NEGATIVES, Negatives, Pairs
from negforge.report import Counts, counted
from negforge.rng import U64, hash64, mix
from negforge.tables import format_of
from negforge.thresholds import column_of, numbers, references

Measure = Literal["absolute_margin", "relative_margin", "max_score"]
_MEASURES: tuple[Measure, ...] = ("absolute_margin", "relative_margin", "max_score")
_SHARES = (0.02, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9)  # of the rows, that thresholds by quantile drop
_GRID = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)  # of margins, where scores are of the size of 1
_LEAST_APART = 0.02  # of the rows: a quantile that drops about what a round number drops says nothing new
_ROWS = 1 << 15
_STEP = math.log(1.01)
_MIDDLE = 80_000  # steps from the smallest number there is to 1
_FIFTH = 0.2  # of what is right, that the suggested threshold leaves at most
_QUARTER = 0.255  # of the rows, that it drops at most where nobody knows what is right


@dataclass
class Line:
    """A threshold and what it would do. Shares are from 0 to 1.

    dropped: share of the rows; by: the same of each miner's. kept: rows. hardness: the mean score of the kept ones that have one.
    right: of the kept rows, the share known to be right, where judgements were given. left_with_none: anchors.
    """

    measure: Measure | None
    threshold: float | None
    dropped: float
    by: dict[str, float]
    kept: int
    hardness: float | None
    right: float | None
    left_with_none: int


@dataclass
class Scored:
    """One score: how many rows have it, and what thresholds over it would do. before: what there is without any."""

    by: str
    rows: int
    positives: int
    before: Line
    lines: list[Line] = field(default_factory=list)


@dataclass
class Calibration:
    """What was found. miners: rows of each. judged: anchors that the judgements know; right: rows known to be right."""

    name: str
    rows: int
    anchors: int
    reference: str
    miners: dict[str, int]
    judgements: str = ""
    judged: int = 0
    right: int = 0
    scores: list[Scored] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """As JSON."""
        found = {name: value for name, value in vars(self).items() if name != "scores"}
        if not self.judgements:
            found = {name: value for name, value in found.items() if name not in ("judgements", "judged", "right")}
        scores = [{**vars(one), "before": vars(one.before), "lines": [vars(line) for line in one.lines]} for one in self.scores]
        choice = self.suggested()
        return {**found, "scores": scores, "suggested": None if choice is None else {"by": choice[0].by, **vars(choice[1])}}

    def suggested(self) -> tuple[Scored, Line] | None:
        """A threshold to begin from, of the first score.

        With judgements the mildest that leaves at most a fifth of the share that is right, or else the least of it. Without, the
        strictest margin that drops at most a quarter of the rows, or of a score without positives the strictest highest score.
        """
        for score in self.scores:
            if self.right and score.before.right:
                enough = [line for line in score.lines if (line.right or 0.0) <= score.before.right * _FIFTH and line.kept]
                if enough:
                    return score, min(enough, key=lambda line: line.dropped)
                some = [line for line in score.lines if line.kept]
                return (score, min(some, key=lambda line: (line.right or 0.0, line.dropped))) if some else None
            few = [line for line in score.lines if line.dropped <= _QUARTER]
            margins = [line for line in few if line.measure == "absolute_margin"]
            if few:
                return score, max(margins or few, key=lambda line: line.dropped)
        return None

    def why(self, line: Line) -> str:
        """Why a threshold is suggested, in words."""
        share = f"drops {_percent(line.dropped)} % of the rows"
        if self.right:
            return f"{share}; of those it leaves {_percent(line.right or 0.0, 2)} % are known to be right"
        return f"{share}; --qrels or --known would tell how many it leaves that are right"


# -- reading -----------------------------------------------------------------------------------------------------------


def calibrate(
    table: str | pl.DataFrame,
    *,
    by: Sequence[str] = (),
    reference: str = "weakest",
    qrels: str | None = None,
    known: str | pl.DataFrame | None = None,
    language: str = "en",
    max_memory: int | None = None,
    show_progress: bool = False,
) -> Calibration:
    """Look at what thresholds over the scores of a table of negatives would drop.

    by: scores, or every one that there is beside its positives'. qrels: a file of judgements, by the ids of anchors and negatives.
    known: pairs, by ids and texts. Rows labelled `positive` are left out, as the filter leaves them. Raises UsageError for a wrong
    option, InputError for a table without a score or a row, and for judgements that know none of its anchors.
    """
    if qrels is not None and known is not None:
        raise UsageError("--qrels and --known both say what is right", mend="name one of them; qrels of a BEIR folder are read by --qrels")
    if reference not in ("weakest", "row"):
        raise UsageError(f"--reference takes weakest or row, not {reference!r}", mend="--reference weakest: the anchor's weakest positive")
    memory = max_memory or machine_memory() // 4
    progress = Progress("calibrate", show=show_progress)
    try:
        with temporary_scratch() as scratch:
            judge: _Judge | None = None
            if qrels is not None:
                judge = _Qrels(qrels)
            elif known is not None:
                judge = _Known(known, scratch.path, memory, language)
            opened = open_input(sources_of([table]), NEGATIVES, scratch.path / "in", limit_bytes=memory // 8)
            frames = by_anchor(_slim(opened, judge), scratch.path, memory // 8, _ROWS, lambda _: None)
            name = table if isinstance(table, str) else "the given frame"
            return _Reading(name, tuple(by), reference, judge, Spool(scratch.path / "narrow.arrow"), progress).read(frames)
    finally:
        progress.close()


def _slim(table: Input, judge: _Judge | None) -> Input:
    """The table without the columns that nobody looks at."""
    wanted = {"id", "anchor_id", "label", "operator", "draw", "miner", *DROP_NAMES, *(judge.columns if judge else ())}

    def batches(rows: int) -> Iterator[pl.DataFrame]:
        for frame in table.batches(rows):
            yield frame.select(name for name in frame.columns if name in wanted or name.startswith("score_"))

    return replace(table, batches=batches)


def _miners(frame: pl.DataFrame) -> pl.Series:
    """Who found each row: its operator, with the miner where that is another name."""
    if "miner" not in frame.columns:
        return frame["operator"]
    other = pl.col("miner").is_not_null() & (pl.lit("mine.") + pl.col("miner") != pl.col("operator"))
    return frame.select(
        pl.when(other).then(pl.concat_str("operator", pl.lit(" "), "miner")).otherwise("operator").alias("miner")
    ).to_series()


class _Reading:
    """One pass over whole anchors, then one over the numbers that were taken down for each threshold."""

    def __init__(self, name: str, by: tuple[str, ...], reference: str, judge: _Judge | None, narrow: Spool, progress: Progress) -> None:
        self._by, self._judge, self._narrow, self._progress = by, judge, narrow, progress
        self._found = Calibration(name, 0, 0, reference, {})
        self._codes: dict[str, int] = {}
        self._steps: dict[tuple[int, Measure | Literal["positive"]], _Steps] = {}

    def read(self, frames: Iterable[pl.DataFrame]) -> Calibration:
        """All that was found."""
        names: tuple[str, ...] | None = None
        for frame in frames:
            if names is None:
                names = self._by or _scores_of(frame)
                if not names:
                    raise InputError(
                        f"{self._found.name} has no score", f"its columns: {listed(frame.columns)}", "score it first: negforge score"
                    )
                for name in names:  # a misspelt one is told, in an empty table too
                    numbers(frame, column_of(name), name)
            # Of all its pairs an anchor's weakest positive is taken, as the filter takes it; then what it would not judge is left out.
            beside = [_positives(frame, name, self._found.reference).alias(f"positive{place}") for place, name in enumerate(names)]
            self._take(frame.hstack(beside).filter(pl.col("label") != "positive"), names)
        if names is None or not self._found.rows:
            raise InputError(
                f"{self._found.name} has no negative to look at", "every row was dropped, or labelled positive", "name a table of negatives"
            )
        found = self._found
        found.miners = dict(sorted(found.miners.items(), key=lambda one: (-one[1], one[0])))
        if self._judge is not None:
            found.judgements, found.judged = self._judge.name, self._judge.anchors
            self._judge.check(found)
        self._progress.phase("counting what each threshold drops")
        found.scores = [self._scored(place, name) for place, name in enumerate(names)]
        return found

    def _take(self, frame: pl.DataFrame, names: tuple[str, ...]) -> None:
        """Count a frame of whole anchors, and take down the numbers of its rows."""
        found = self._found
        miners = _miners(frame)
        for name, rows in miners.value_counts().iter_rows():
            found.miners[name] = found.miners.get(name, 0) + rows
            self._codes.setdefault(name, len(self._codes))
        code = miners.replace_strict([*self._codes], [*self._codes.values()], return_dtype=pl.Int32)
        right = self._judge.right(frame) if self._judge is not None else np.zeros(frame.height, dtype=bool)
        anchor = frame["anchor_id"].rle_id().cast(pl.Int64) + found.anchors
        columns: dict[str, Any] = {"anchor": anchor, "miner": code, "right": right}
        for place, name in enumerate(names):
            columns[f"score{place}"] = numbers(frame, column_of(name), name).fill_null(math.nan)
            columns[f"positive{place}"] = frame[f"positive{place}"]
            score, positive = columns[f"score{place}"].to_numpy(), columns[f"positive{place}"].to_numpy()
            with np.errstate(divide="ignore", invalid="ignore"):
                gap = positive - score
                values: dict[Measure | Literal["positive"], NDArray[np.float64]] = {
                    "absolute_margin": gap, "relative_margin": gap / np.abs(positive), "max_score": score, "positive": positive,
                }  # fmt: skip
            for measure, value in values.items():
                self._steps.setdefault((place, measure), _Steps()).add(value)
        self._narrow.add(pl.DataFrame(columns))
        found.rows += frame.height
        found.anchors += frame["anchor_id"].n_unique()
        found.right += int(right.sum())
        self._progress.update(Counts(seen=found.rows, kept=found.rows))

    def _scored(self, place: int, name: str) -> Scored:
        """What thresholds over one score do, counted row by row."""
        scores, positives = self._steps[place, "max_score"], self._steps[place, "positive"]
        wanted: list[tuple[Measure | None, float | None]] = [(None, None)]
        for measure in _MEASURES:
            if measure == "max_score" or positives.count:
                wanted += [(measure, one) for one in _thresholds(measure, self._steps[place, measure], scores, positives)]
        tallies = [_Tally(len(self._codes)) for _ in wanted]
        for frame in self._narrow.batches(_ROWS):
            score, positive = frame[f"score{place}"].to_numpy(), frame[f"positive{place}"].to_numpy()
            anchor, miner, right = (frame[one].to_numpy() for one in ("anchor", "miner", "right"))
            for one, tally in zip(wanted, tallies, strict=True):
                tally.add(~_beyond(*one, score, positive), score, anchor, miner, right)
        lines = [self._line(*one, tally) for one, tally in zip(wanted, tallies, strict=True)]
        return Scored(column_of(name).removeprefix("score_"), scores.count, positives.count, lines[0], lines[1:])

    def _line(self, measure: Measure | None, threshold: float | None, tally: _Tally) -> Line:
        found = self._found
        by = {name: 1 - int(tally.miners[self._codes[name]]) / rows for name, rows in found.miners.items()}
        return Line(
            measure,
            threshold,
            (found.rows - tally.kept) / found.rows,
            by,
            tally.kept,
            _rounded(tally.total / tally.scored) if tally.scored else None,
            None if self._judge is None or not tally.kept else tally.right / tally.kept,
            found.anchors - tally.anchors,
        )


def _scores_of(frame: pl.DataFrame) -> tuple[str, ...]:
    """The scores to look at where none is named: those with their positives' beside them, or all if no one has."""
    have = [name for name, dtype in frame.schema.items() if name.startswith("score_") and dtype.is_numeric()]
    base = [name for name in have if not name.endswith(("_positive", "_weakest"))]
    return tuple([name for name in base if {f"{name}_positive", f"{name}_weakest"} & {*have}] or base)


def _positives(frame: pl.DataFrame, name: str, reference: str) -> pl.Series:
    """What each row's score is compared with, NaN where there is nothing."""
    column = column_of(name)
    if not {f"{column}_positive", f"{column}_weakest"} & {*frame.columns}:
        return pl.repeat(math.nan, frame.height, dtype=pl.Float64, eager=True)
    return references(frame, name, reference).fill_null(math.nan)


def _beyond(
    measure: Measure | None, threshold: float | None, score: NDArray[np.float64], positive: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which rows a threshold drops, by the filter's comparisons; what has no score it does not."""
    if measure is None or threshold is None:
        return np.zeros(len(score), dtype=bool)
    if measure == "max_score":
        return score > threshold
    return score > (positive - threshold if measure == "absolute_margin" else positive - threshold * np.abs(positive))


class _Tally:
    """What a threshold keeps: rows, rows of each miner, anchors, what is right, and the sum of the scores."""

    def __init__(self, miners: int) -> None:
        self.miners = np.zeros(miners, dtype=np.int64)
        self.kept = self.right = self.scored = self.anchors = 0
        self.total = 0.0
        self._last = -1

    def add(
        self,
        kept: NDArray[np.bool_],
        score: NDArray[np.float64],
        anchor: NDArray[np.int64],
        miner: NDArray[np.int32],
        right: NDArray[np.bool_],
    ) -> None:
        """Take rows, anchors in ascending order."""
        self.kept += int(kept.sum())
        self.right += int((kept & right).sum())
        self.miners += np.bincount(miner[kept], minlength=len(self.miners))
        with_score = kept & ~np.isnan(score)
        self.scored += int(with_score.sum())
        self.total += float(score[with_score].sum())
        some = anchor[kept]
        if len(some):
            self.anchors += int((some[1:] != some[:-1]).sum()) + int(some[0] != self._last)
            self._last = int(some[-1])


# -- thresholds --------------------------------------------------------------------------------------------------------


class _Steps:
    """How many numbers lie in each step of 1 %; memory does not grow with them."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.count = 0

    def add(self, values: NDArray[np.float64]) -> None:
        """Take numbers; what is none is left out."""
        values = values[np.isfinite(values)]
        size = np.log(np.abs(np.where(values == 0, 1.0, values)))
        steps = np.where(values == 0, 0, np.sign(values) * (np.round(size / _STEP) + _MIDDLE)).astype(np.int64)
        for step, count in zip(*(one.tolist() for one in np.unique(steps, return_counts=True)), strict=True):
            self._counts[step] = self._counts.get(step, 0) + count
        self.count += len(values)

    def _ordered(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        steps = np.array(sorted(self._counts), dtype=np.int64)
        values = np.where(steps == 0, 0.0, np.sign(steps) * np.exp((np.abs(steps) - _MIDDLE) * _STEP))
        return values, np.cumsum([self._counts[step] for step in steps.tolist()])

    def quantile(self, share: float) -> float:
        """The number below which about that share of them lies; there must be some."""
        values, ends = self._ordered()
        return float(values[np.searchsorted(ends, max(1, math.ceil(share * self.count)))])

    def below(self, value: float) -> float:
        """About the share of them that lies below a number."""
        values, ends = self._ordered()
        place = int(np.searchsorted(values, value))
        return float(ends[place - 1]) / self.count if place else 0.0


def _thresholds(measure: Measure, values: _Steps, scores: _Steps, positives: _Steps) -> list[float]:
    """Round thresholds of a measure from the mildest to the strictest, and those that drop about the usual shares."""
    if not values.count:
        return []
    mild = measure != "max_score"  # a higher margin drops more, a higher highest score less

    def share(threshold: float) -> float:
        return values.below(threshold) if mild else 1 - values.below(threshold)

    if measure == "relative_margin":
        grid = [*_GRID]
    else:
        middle = max(abs(values_.quantile(0.5)) for values_ in (scores, positives) if values_.count)
        unit = 10.0 ** math.ceil(math.log10(middle)) if middle else 1.0
        grid = [one * unit for one in (_GRID if mild else [place / 10 for place in range(1, 10)])]
    grid = [_rounded(one) for one in grid]
    usual = {"absolute_margin": 0.0, "relative_margin": 0.05}.get(measure)
    found = [one for one in grid if one in (0.0, usual) or (share(one) <= _SHARES[-1] + _LEAST_APART and (mild or share(one) > 0))]
    for wanted in _SHARES:
        one = _rounded(values.quantile(wanted if mild else 1 - wanted), 2)
        if all(abs(share(one) - share(other)) >= _LEAST_APART for other in found):
            found.append(one)
    return sorted(set(found), reverse=not mild)


def _rounded(value: float, digits: int = 6) -> float:
    return float(f"{value:.{digits}g}")


# -- judgements --------------------------------------------------------------------------------------------------------


class _Judge:
    """Who knows which negatives are right. anchors: how many of those that were asked about it knows."""

    name = ""
    columns: tuple[str, ...] = ()
    anchors = 0

    def right(self, frame: pl.DataFrame) -> NDArray[np.bool_]:
        """Which rows of whole anchors are right."""
        raise NotImplementedError

    def check(self, found: Calibration) -> None:
        """Raise InputError if it knows none of the anchors."""
        raise NotImplementedError


class _Qrels(_Judge):
    """Judgements by id: 8 bytes for each that says `relevant`, and for each query."""

    columns = ("negative_id",)

    def __init__(self, spec: str) -> None:
        self.name = spec
        self._example = ""
        pairs: list[U64] = []
        queries: list[U64] = []
        for frame in judgements(spec):
            query, document = hash64(frame["query"]), hash64(frame["document"])
            relevant = (frame["relevance"] > 0).to_numpy()
            pairs.append(_key(query, document)[relevant])
            queries.append(np.unique(query))
            self._example = self._example or (frame["query"][0] if frame.height else "")
        if not pairs:
            raise InputError(f"{spec} holds no judgement", mend="name a file of query-id, corpus-id and score")
        self._pairs, self._queries = np.unique(np.concatenate(pairs)), np.unique(np.concatenate(queries))

    def right(self, frame: pl.DataFrame) -> NDArray[np.bool_]:
        """Those whose id is judged relevant for their anchor's."""
        if "negative_id" not in frame.columns:
            mend = "mine from a corpus with ids, or name the pairs themselves: --known PAIRS compares texts too"
            raise InputError("the negatives have no ids to look up in --qrels", "there is no column 'negative_id'", mend)
        anchor, there = hash64(frame["anchor_id"]), frame["negative_id"].is_not_null().to_numpy()
        self.anchors += int(np.isin(np.unique(anchor), self._queries).sum())
        found: NDArray[np.bool_] = np.isin(_key(anchor, hash64(frame["negative_id"])), self._pairs) & there
        return found

    def check(self, found: Calibration) -> None:
        """Raise InputError if no anchor is a query of the file."""
        if not self.anchors:
            where = f"its first query-id is {self._example!r}; the table's anchor_id is another"
            raise InputError(f"{self.name} judges no anchor of {found.name}", where, "ids compare as text: are they of the same source?")


class _Known(_Judge):
    """Known pairs, by what `verify known-positive` proves of them."""

    columns = ("anchor", "negative", "negative_id")

    def __init__(self, known: str | pl.DataFrame, scratch: Path, memory: int, language: str) -> None:
        self.name = known if isinstance(known, str) else "the given pairs"
        operator = registry.find("verify", "known-positive")
        pairs = side_table(Pairs, known, scratch / "known", memory // 8)
        self._queries: U64 = np.unique(np.concatenate([hash64(frame["anchor_id"]) for frame in pairs.batches(1 << 16)]))
        folder = scratch / "verify"
        folder.mkdir()
        settings = Settings(language=language)
        self._prepared: Prepared = prepare(operator, check(operator, {})[0], settings, {"positives": pairs}, folder, memory)

    def right(self, frame: pl.DataFrame) -> NDArray[np.bool_]:
        """Those that are a positive of their anchor, by id or by text."""
        self.anchors += int(np.isin(np.unique(hash64(frame["anchor_id"])), self._queries).sum())
        verdict: pl.Series = self._prepared.call(self._prepared.operator.function, Negatives(frame))
        found: NDArray[np.bool_] = (verdict == "positive").to_numpy()
        return found

    def check(self, found: Calibration) -> None:
        """Raise InputError if no anchor is one of the pairs', by id, and nothing was found by its text."""
        if not self.anchors and not found.right:
            raise InputError(f"{self.name} has no anchor of {found.name}", "no anchor_id is in both", "are they of the same source?")


def _key(anchors: U64, documents: U64) -> U64:
    return mix(mix(anchors) ^ documents)


# -- for people --------------------------------------------------------------------------------------------------------

_BAR = "#"
_LEAST_BAR, _MOST_BAR = 8, 40
_OF_MINER = 7  # characters of a miner's column
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def lines(found: Calibration, columns: int) -> Iterator[str]:
    """The tables, with a bar for what each threshold drops, in plain characters and no wider than the columns."""
    yield f"{found.name}: {counted(found.rows, 'row')} of {counted(found.anchors, 'anchor')}"
    if found.judgements:
        right = f"{found.right:,} of the rows are right ({_percent(found.right / found.rows, 2)} %)"
        yield f"  by {found.judgements}, which knows {found.judged:,} of the anchors, {right}"
    several = [*zip(_LETTERS, found.miners.items(), strict=False)] if len(found.miners) > 1 else []
    yield from (f"  {letter}: {name}, {counted(rows, 'row')}" for letter, (name, rows) in several)
    for score in found.scores:
        yield ""
        yield from _table(found, score, columns, [(letter, name) for letter, (name, _) in several])
    choice = found.suggested()
    if choice is not None:
        yield ""
        yield f"next: {shlex.join(command(found, *choice))}"
        yield from _filled(found.why(choice[1]), columns)


def _table(found: Calibration, score: Scored, columns: int, several: list[tuple[str, str]]) -> Iterator[str]:
    """The thresholds of one score."""
    of = "the anchor's weakest positive" if found.reference == "weakest" else "the row's positive"
    beside = f", compared with {of}" if score.positives else "; of positives there is none, which margins need"
    yield f"filter margin --by {score.by}{beside}"
    if score.rows < found.rows:
        yield f"  {counted(found.rows - score.rows, 'row')} without a score would stay"
    every = [score.before, *score.lines]
    labels = ["  nothing" if line.measure is None else f"    {line.threshold:g}" for line in every]
    cells: list[tuple[str, list[str]]] = [("dropped %", [_percent(line.dropped) for line in every])]
    tail = [("hardness", ["-" if line.hardness is None else f"{line.hardness:.4g}" for line in every])]
    if found.judgements:
        tail.append(("right %", ["-" if line.right is None else _percent(line.right, 2) for line in every]))
    tail.append(("none left", [f"{line.left_with_none:,}" for line in every]))
    width = max(map(len, labels))
    room = columns - width - sum(max(len(head), *map(len, column)) + 2 for head, column in [*cells, *tail]) - 2
    of_miners = [(f"{letter} %", [_percent(line.by[name]) for line in every]) for letter, name in several]
    shown = of_miners[: max(0, (room - _LEAST_BAR - 2) // _OF_MINER)]
    cells += shown
    room = min(_MOST_BAR, room - _OF_MINER * len(shown))
    widths = [max(len(head), *map(len, column)) for head, column in [*cells, *tail]]
    heads = [head.rjust(size) for (head, _), size in zip([*cells, *tail], widths, strict=True)]
    bars = room >= _LEAST_BAR
    yield _row(" " * width, heads, len(cells), " " * room if bars else None)
    for place, (label, line) in enumerate(zip(labels, every, strict=True)):
        if place and line.measure != every[place - 1].measure:
            yield f"  --{str(line.measure).replace('_', '-')}"
        values = [column[place].rjust(size) for (_, column), size in zip([*cells, *tail], widths, strict=True)]
        yield _row(label.ljust(width), values, len(cells), (_BAR * round(line.dropped * room)).ljust(room) if bars else None)
    if len(shown) < len(several):
        rest = listed(letter for letter, _ in several[len(shown) :])
        yield from _filled(f"what is dropped of {rest} is in --json, or shown by a wider terminal", columns)


def _filled(text: str, columns: int) -> list[str]:
    return textwrap.wrap(text, columns, initial_indent="  ", subsequent_indent="  ")


def _row(label: str, values: list[str], before: int, bar: str | None) -> str:
    middle = [bar] if bar is not None else []
    return "  ".join([label, *values[:before], *middle, *values[before:]]).rstrip()


def _percent(share: float, digits: int = 1) -> str:
    """A share in percent; one above nothing is never 0.0, and one below all never 100.0."""
    least = 10.0**-digits
    if 0 < share * 100 < least / 2:
        return f"<{least:g}"
    if 100 - least / 2 <= share * 100 < 100:
        return f">{100 - least:g}"
    return f"{share * 100:.{digits}f}"


def command(found: Calibration, score: Scored, line: Line) -> list[str]:
    """What to type to filter by a threshold."""
    is_path = found.name not in ("-", "the given frame") and not re.search(r"[*?\[]|^hf://", found.name)
    path = Path(found.name)
    stem = path.name.partition("@")[0] if not format_of(path.name)[0] else path.name.partition(".")[0]
    out = str(path.parent / f"{stem}-filtered.parquet") if is_path else "filtered.parquet"
    words = ["negforge", "filter", "margin", found.name if found.name != "the given frame" else "TABLE", "--by", score.by]
    words += [f"--{str(line.measure).replace('_', '-')}", f"{line.threshold:g}"]
    words += ["--reference", "row"] if found.reference == "row" and line.measure != "max_score" else []
    return [*words, "-o", out]
