"""Put another class label in place of a row's own: a share of the labels drawn at random, or the label set permuted for each task.

`--classes` names the column of the class: `positive` (texts whose right answer is a class, the default), `group`, or any other of
text. The classes are those of the whole table; the negative is the name of the wrong one.
- `--how another`: of the rows, exactly the share `--share` (rounded) gets another class, each equally likely; the others are refused
  as `not-drawn`. A share of 0 changes nothing.
- `--how permutation`: one permutation of the classes of each task (`--task`, a column; without it the table is one), never the
  identity; a row whose class it leaves in place is refused as `unchanged`.
Columns `label_noisy` (the wrong class), `rho` (the share) and `task_perm` (what the task's classes, sorted, become; null otherwise).
A class that the anchor has in another row is never its negative (`other-class` where there is no further one); one class alone gives
`one-class`, a row without one `no-class`. More than 10,000 classes are an error: that is no class label.
Paper: Kirsch et al., General-Purpose In-Context Learning by Meta-Learning Transformers, 2022; Zhang et al., Understanding Deep Learning
Requires Rethinking Generalization, 2017.
Source: amazon-science/recode#5 (seeds that changed nothing).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from negforge.contract import Chosen, Declares, Refusal
from negforge.errors import InputError
from negforge.records import Batches, Pairs, free_name, missing_column
from negforge.rng import U64, Rng, hash64, mix

DECLARES = Declares(
    version=1,
    scope="row",
    reads=Pairs,
    label="negative",
    opposition="contradiction",
    evidence=("not-known-positive",),
    verifiers=("known-positive",),
    bar=0.95,
)
_SHARING = "generate perturb.label share"
_PERMUTING = "generate perturb.label permutation"
_CLASSES = 10_000
_ROWS = 1 << 16
_FEW = 64  # classes that are shuffled whole for a row; of more, some are drawn
_SCHEMA: dict[str, Any] = {
    "id": pl.String,
    "negative": pl.String,
    "label_noisy": pl.String,
    "rho": pl.Float64,
    "task_perm": pl.List(pl.String),
}


@dataclass(frozen=True)
class State:
    """The sorted classes of each task, of one that has no name where there is one; what they become; the last key drawn.

    pairs: the file of sorted keys of all (anchor, class). below: a row whose key is at most that is drawn; None for no row.
    """

    classes: dict[str, tuple[str, ...]]
    images: dict[str, tuple[str, ...]]
    pairs: Path
    below: int | None

    def known(self) -> NDArray[np.uint64]:
        """The keys of what is right, in memory only as far as they are looked at."""
        return np.load(self.pairs, mmap_mode="r")  # type: ignore[no-any-return]


def prepare(
    whole: Batches,
    scratch: Path,
    *,
    seed: int,
    classes: Annotated[str, Field(description="Column of the class label, a text.")] = "positive",
    how: Annotated[
        Literal["another", "permutation"], Field(description="A share of the labels drawn anew, or the label set permuted.")
    ] = "another",
    share: Annotated[float, Field(ge=0, le=1, description="Share of the rows that get another label, from 0 to 1.")] = 1.0,
    task: Annotated[str | None, Field(description="Column of the task whose label set is permuted; default one for all rows.")] = None,
) -> State:
    """Gather the classes, the classes each anchor has, and which rows are drawn: the share with the least keys, counted over all rows.

    Three passes over the whole input; 8 bytes of memory for each distinct pair of an anchor and a class.
    Raises InputError for a column that is not there or holds no text, and for more than 10,000 classes.
    """
    found: dict[str, set[str]] = {}
    counts, pairs = np.zeros(1 << 16, dtype=np.int64), [np.zeros(0, dtype=np.uint64)]
    rng = Rng(seed, _SHARING)
    for frame in whole(_ROWS):
        labels, tasks = _column(frame, classes, "classes"), _tasks(frame, task)
        for one, name in pl.DataFrame({"label": labels, "task": tasks}).unique().drop_nulls().iter_rows():
            found.setdefault(name, set()).add(one)
        if sum(map(len, found.values())) > _CLASSES:
            raise InputError(f"column '{classes}' holds more than {_CLASSES:,} classes", "that is no class label", "pass --classes COLUMN")
        pairs.append(np.unique(np.concatenate([pairs.pop(), _pairs(frame["anchor_id"], labels)])))
        counts += np.bincount((rng.bits(frame["id"]) >> np.uint64(48)).astype(np.int64), minlength=1 << 16)
    path = scratch / "pairs.npy"
    np.save(path, np.unique(np.concatenate(pairs)))
    ordered = {name: tuple(sorted(found[name])) for name in sorted(found)}
    images = {name: _permuted(of, name, seed) for name, of in ordered.items()} if how == "permutation" else {}
    wanted = round(share * int(counts.sum()))
    return State(ordered, images, path, _last_drawn(whole, rng, counts, wanted))


def _last_drawn(whole: Batches, rng: Rng, counts: NDArray[np.int64], wanted: int) -> int | None:
    """The key of the last of the wanted rows, in the order of keys: found in its bucket alone, so that memory stays flat."""
    if not wanted:
        return None
    ends = np.cumsum(counts)
    bucket = int(np.searchsorted(ends, wanted))
    keys = [np.zeros(0, dtype=np.uint64)]
    for frame in whole(_ROWS):
        bits = rng.bits(frame["id"])
        keys.append(bits[(bits >> np.uint64(48)).astype(np.int64) == bucket])
    inside = np.sort(np.concatenate(keys))
    return int(inside[wanted - int(ends[bucket] - counts[bucket]) - 1])


def _column(frame: pl.DataFrame, name: str, flag: str) -> pl.Series:
    if name not in frame.columns:
        raise missing_column(flag, frame.columns, "the table", name)
    column = frame[name]
    if column.dtype not in (pl.String, pl.Categorical, pl.Boolean, pl.Null) and not column.dtype.is_integer():
        raise InputError(f"column '{name}' holds no labels", f"it is of {column.dtype}", "give a column of texts or whole numbers")
    return column.cast(pl.String)


def _tasks(frame: pl.DataFrame, task: str | None) -> pl.Series:
    return pl.Series("task", [""] * frame.height, dtype=pl.String) if task is None else _column(frame, task, "task").fill_null("")


def _pairs(anchors: pl.Series, labels: pl.Series) -> U64:
    """A key for each anchor with a class."""
    return mix(mix(hash64(anchors)) ^ hash64(labels))


def _permuted(classes: tuple[str, ...], task: str, seed: int) -> tuple[str, ...]:
    """Another order of the classes, drawn for the task: never the given one, but where there is no other."""
    rng = Rng(seed, _PERMUTING)
    for turn in range(64):
        order = tuple(rng.shuffled(f"{turn} {task}", classes))
        if order != classes or len(classes) < 2:
            return order
    return classes[1:] + classes[:1]


def generate(
    batch: Pairs,
    state: State,
    rng: Rng,
    *,
    seed: int,
    classes: str = "positive",
    share: float = 1.0,
    task: str | None = None,
    num_negatives: int = 1,
) -> Chosen:
    """A wrong class for each row that is drawn, or why none.

    batch: n rows of `id`, `anchor_id` and the class's column. Up to `num_negatives` classes a row; a permutation gives one.
    Raises InputError where a column of the answer's is in the way.
    """
    if taken := next((name for name in _SCHEMA if name not in ("id", "negative") and name in batch.frame.columns), None):
        mend = f"pass --rename {taken}={free_name(taken)}"
        raise InputError(f"column '{taken}' is in the way", "what becomes of the labels is written there", mend)
    labels, tasks = _column(batch.frame, classes, "classes"), _tasks(batch.frame, task)
    keys = Rng(seed, _SHARING).bits(batch["id"])
    drawn = keys <= np.uint64(state.below) if state.below is not None else np.zeros(len(batch), dtype=bool)
    rows: list[tuple[Any, ...]] = []
    refusals: list[Refusal] = []
    for row_id, anchor, label, name, takes in zip(batch["id"], batch["anchor_id"], labels, tasks, drawn.tolist(), strict=True):
        every = state.classes.get(name, ())
        if label is None:
            refusals.append(Refusal(row_id, "no-class"))
        elif len(every) < 2:
            refusals.append(Refusal(row_id, "one-class", label))
        elif not takes:
            refusals.append(Refusal(row_id, "not-drawn", label))
        else:
            image = state.images.get(name)
            others = [image[every.index(label)]] if image is not None else _others(row_id, every, label, rng, num_negatives)
            if others == [label]:
                refusals.append(Refusal(row_id, "unchanged", label))
                continue
            right = _are_known(state, anchor, others)
            wrong = [one for one, known in zip(others, right, strict=True) if not known][:num_negatives]
            if not wrong:
                refusals.append(Refusal(row_id, "other-class", label))
            rows += [(row_id, one, one, share, None if image is None else list(image)) for one in wrong]
    return Chosen(pl.DataFrame(rows, schema=_SCHEMA, orient="row"), refusals)


def _others(row_id: str, every: Sequence[str], label: str, rng: Rng, count: int) -> list[str]:
    """Other classes in an order drawn for the row: all of a few, of many some more than are asked for."""
    if len(every) <= _FEW:
        return [one for one in rng.shuffled(row_id, every) if one != label]
    return list(dict.fromkeys(_drawn(iter(rng.stream(row_id)), every, label, 4 * count + 32)))


def _drawn(bits: Iterator[int], every: Sequence[str], label: str, tries: int) -> Iterator[str]:
    for _ in range(tries):
        one = every[next(bits) % len(every)]
        if one != label:
            yield one


def _are_known(state: State, anchor: str, others: Sequence[str]) -> list[bool]:
    """Which of these classes the anchor has in some row."""
    known, keys = state.known(), _pairs(pl.Series([anchor] * len(others)), pl.Series(others))
    place = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    return (known[place] == keys).tolist()  # type: ignore[no-any-return]
