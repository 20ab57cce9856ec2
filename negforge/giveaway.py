"""How well text alone tells a row's negative from its positive, without the anchor: a fit of a few seconds, on pairs held out.

Of the two texts of a row a logistic model guesses which is the negative, from what only one of them has. It is fitted on the rows of
other anchors than those it judges, so that it learns no text by heart; 0.5 is chance, and what is far above it a model may
learn in place of the task. Everything follows from the rows' ids and texts: no draw, no order, no thread changes a digit.
Source: SugarCrepe, arXiv:2306.14610 (text-only models solve benchmarks of captions); Poliak et al., Hypothesis Only Baselines, 2018.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from negforge import ngrams, rng

Group = Literal["length", "words", "phrases", "cues", "signs"]
REPORTED = ("length", "words", "cues")  # what a report tells of, each alone
FOLDS = 5
LEAST_ROWS = 100  # of fewer, the share says too little to be told
_SAMPLE, _CHARACTERS = 5_000, 400  # rows that are looked at, and of each text; a report at publishing is to take a second or two
_MOST_OPERATORS = 8
_STEPS = 30
_RIDGE = 1.0
_DECIMALS = 9
_FAR = 40.0  # characters from which one text is just longer than another
F64 = NDArray[np.floating[Any]]
I64 = NDArray[np.int64]
# English words whose presence is the edit in many hand-made rules: negation, quantity, modality, focus.
_CUES = """no not never none nothing nobody nowhere neither nor without cannot can't don't doesn't didn't isn't aren't wasn't weren't
won't wouldn't couldn't shouldn't hasn't haven't hadn't all every each both any some many much most more few fewer less several only
just even also too always often sometimes seldom rarely hardly may might must can could should would will shall maybe perhaps and or
but except unless although instead rather than other another different same opposite non un"""


@dataclass(frozen=True)
class Features:
    """What tells the sides of n rows: row (ascending), key of the feature, and its value, above 0 where the negative has more of it."""

    rows: int
    row: I64
    key: rng.U64
    value: F64


def features(texts: pl.DataFrame, groups: Sequence[Group]) -> Features:
    """The features of rows of `negative` and `positive`, with `negative_size` and `positive_size` where the texts are cut."""
    texts = texts.with_columns(pl.col("negative", "positive").fill_null(""))
    parts: list[tuple[I64, rng.U64, F64]] = []
    words = {"words", "phrases", "cues"} & {*groups}
    if words:
        sizes = (1, 2) if "phrases" in groups else (1,)
        sides = ngrams.grams(texts["negative"], sizes), ngrams.grams(texts["positive"], sizes)
        for one, other, value in ((*sides, 1.0), (*sides[::-1], -1.0)):
            places = one.only(other)
            if words == {"cues"}:
                places = places[np.isin(one.key[places], _cue_keys())]
            parts.append((one.row[places], one.key[places], np.full(len(places), value)))
    columns: dict[str, F64] = {}
    if "length" in groups:
        size = [
            texts[f"{side}_size"] if f"{side}_size" in texts.columns else texts[side].str.len_chars() for side in ("negative", "positive")
        ]
        longer = size[0].cast(pl.Float64).to_numpy() - size[1].cast(pl.Float64).to_numpy()
        columns |= {"longer": np.sign(longer), "length": np.clip(longer / _FAR, -1.0, 1.0)}
    if "signs" in groups:
        columns |= _signs(texts)
    for name, cells in columns.items():
        some = np.flatnonzero(cells)
        parts.append((some, np.full(len(some), int.from_bytes(bytes.fromhex(rng.blake(name))[:8], "little"), np.uint64), cells[some]))
    row: I64 = np.concatenate([part[0] for part in parts])
    key: rng.U64 = np.concatenate([part[1] for part in parts])
    values: F64 = np.concatenate([part[2] for part in parts])
    order = np.lexsort((key, row))
    return Features(texts.height, row[order], key[order], values[order])


def _cue_keys() -> rng.U64:
    return ngrams.grams(pl.Series(_CUES.split()), (1,)).key


def _signs(texts: pl.DataFrame) -> dict[str, F64]:
    """Differences in characters: how a text begins and ends, and of which kinds it has more."""
    found: dict[str, F64] = {}
    counted = {"capital": r"\p{Lu}", "digit": r"\p{Nd}", "other": r"[^\x00-\x7f]", "space": r"\s"}
    counted |= {f"sign {sign}": f"\\{sign}" for sign in ".,;:!?-'\"()/%$&"}
    for name, pattern in counted.items():
        counts = [texts[side].str.count_matches(pattern).cast(pl.Float64).to_numpy() for side in ("negative", "positive")]
        found[name] = np.sign(counts[0] - counts[1])
    for name, pattern in {"begins small": r"^\s*\p{Ll}", "ends in a letter": r"[\p{L}\p{N}]\s*$"}.items():
        has = [texts[side].str.contains(pattern).cast(pl.Float64).to_numpy() for side in ("negative", "positive")]
        found[name] = has[0] - has[1]
    return found


@dataclass(frozen=True)
class Fit:
    """Weights of each fold's model, fitted on the rows of all other folds. keys: of the features, ascending."""

    keys: rng.U64
    weights: F64

    def margins(self, found: Features, fold: I64) -> F64:
        """How sure each row's model is that the negative is the negative: log-odds, below 0 where it is wrong."""
        if not len(self.keys):
            return np.zeros(found.rows)
        place = np.minimum(np.searchsorted(self.keys, found.key), len(self.keys) - 1)
        known = self.keys[place] == found.key
        weight = np.where(known, self.weights[fold[found.row], place], 0.0)
        sums: F64 = np.round(np.bincount(found.row, weights=weight * found.value, minlength=found.rows), _DECIMALS) + 0.0
        return sums


def folds_of(anchors: pl.Series) -> I64:
    """The fold of each row, which all rows of an anchor share."""
    return (rng.hash64(anchors) % np.uint64(FOLDS)).astype(np.int64)


def fitted(found: Features, fold: I64) -> Fit:
    """Fit a model for each fold on the rows of the others. The rows' order counts only in the last bits: sort them."""
    keys, column, counts = np.unique(found.key, return_inverse=True, return_counts=True)
    shared = counts > 1  # what one row alone has tells nothing of others
    number = np.cumsum(shared) - 1
    some = shared[column]
    row, column, value = found.row[some], number[column[some]], found.value[some]
    weights = np.zeros((FOLDS, int(shared.sum())))
    for one in range(FOLDS):
        train = (fold != one)[row]
        weights[one] = _minimised(row[train], column[train], value[train], found.rows, weights.shape[1])
    return Fit(keys[shared], weights)


def _minimised(row: I64, column: I64, value: F64, rows: int, columns: int) -> F64:
    """Weights of least logistic loss with a ridge, by accelerated steps that each bound the curvature of every weight by itself."""
    size = np.abs(value)
    curvature = 0.25 * np.bincount(column, weights=size * np.bincount(row, weights=size, minlength=rows)[row], minlength=columns) + _RIDGE
    here: F64 = np.zeros(columns)
    ahead: F64 = here
    pace = 1.0
    for _ in range(_STEPS):
        margin = np.bincount(row, weights=ahead[column] * value, minlength=rows)
        push = 1.0 / (1.0 + np.exp(np.clip(margin, -30.0, 30.0)))
        slope = np.bincount(column, weights=value * push[row], minlength=columns) - _RIDGE * ahead
        before = here
        here = ahead + slope / curvature
        pace, last = (1.0 + (1.0 + 4.0 * pace * pace) ** 0.5) / 2.0, pace
        ahead = here + (last - 1.0) / pace * (here - before)
    return here


def accuracy(margins: F64) -> float:
    """The share of rows whose sides are told apart; where nothing tells them, half a row."""
    return float(np.round(((margins > 0).sum() + (margins == 0).sum() / 2) / max(len(margins), 1), 6))


class Sample:
    """The rows of the smallest hashes of ids, so many at most, whatever the order they come in; their texts are cut."""

    def __init__(self, rows: int = _SAMPLE, characters: int = _CHARACTERS) -> None:
        self._rows, self._characters = rows, characters
        self._held: list[pa.Table] = []
        self._count = 0
        self._bound: int | None = None

    def add(self, frame: pl.DataFrame) -> None:
        """Take rows of `id`, `anchor_id`, `operator`, `positive`, `negative`."""
        key = rng.hash64(frame["id"])
        some = np.ones(len(key), dtype=bool) if self._bound is None else key <= np.uint64(self._bound)
        if not some.any():
            return
        taken = frame.select("id", "anchor_id", "operator", "positive", "negative").filter(pl.Series(some))
        cut = [pl.col(side).str.head(self._characters) for side in ("positive", "negative")]
        sizes = [pl.col(side).str.len_chars().alias(f"{side}_size") for side in ("positive", "negative")]
        # As Arrow, which copies: texts that are filtered and cut keep the whole ones alive.
        self._held.append(taken.with_columns(*sizes, pl.Series("__key", key[some])).with_columns(cut).to_arrow())
        self._count += taken.height
        if self._count > 2 * self._rows:
            self._shrink()

    def _shrink(self) -> pl.DataFrame:
        """What is held, no more of it than there is to be, sorted."""
        held = pl.DataFrame(pl.from_arrow(pa.concat_tables(self._held))).sort("__key", "id").head(self._rows)
        self._held, self._count = [held.to_arrow()], held.height
        if held.height == self._rows:
            self._bound = int(held["__key"][-1])
        return held

    def frame(self) -> pl.DataFrame:
        """The rows, in an order of their own."""
        return self._shrink().drop("__key") if self._held else pl.DataFrame()


def report(rows: pl.DataFrame) -> list[dict[str, Any]]:
    """What tells the sides of a sample's rows apart: of each operator with enough of them, how far length, words and cue words do, alone.

    Accuracies from 0 to 1 by group of features; 0.5 is chance. Of several operators there is a line for all as well.
    """
    if rows.height < LEAST_ROWS:
        return []
    counts = sorted(rows["operator"].value_counts().iter_rows(), key=lambda one: (-one[1], one[0]))
    parts = [(name, rows.filter(pl.col("operator") == name)) for name, count in counts[:_MOST_OPERATORS] if count >= LEAST_ROWS]
    every = [*parts, *([("", rows)] if len(counts) > 1 else [])]
    return [{**({"operator": name} if name else {}), "rows": part.height, **_told(part)} for name, part in every]


def in_words(told: dict[str, Any]) -> str:
    """A line of a report, for people."""
    names = {"length": "length", "words": "words", "cues": "cue words"}
    shares = ", ".join(f"by {names.get(name, name)} alone {told[name]:.2f}" for name in REPORTED if name in told)
    return f"{shares} of {told['operator']}" if "operator" in told else f"{shares} of all"


def _told(rows: pl.DataFrame) -> dict[str, float]:
    fold = folds_of(rows["anchor_id"])
    words = features(rows, ("words",))
    cue = np.isin(words.key, _cue_keys())
    cues = Features(words.rows, words.row[cue], words.key[cue], words.value[cue])
    found = {"length": features(rows, ("length",)), "words": words, "cues": cues}
    return {name: accuracy(fitted(one, fold).margins(one, fold)) for name, one in found.items()}
