"""Score a pair by its losses over the epochs of a training run: much lower or higher than those of others, the pair is suspect.

- `score_loss_history`: m = sum(w * loss) / sum(w) over the pair's epochs, w = 1 + epoch, so that late losses count the most.
- `loss_history_flag`: with the mean mu and the deviation sd of m over all pairs of the history, `noisy` where m <= mu - low * sd
  (alike without meaning it), `faulty` where m >= mu + high * sd (not alike at all), else `ok`; where all are equal, `ok`.
- `score_loss_history_weight`: 1 for `ok`, else the density of the normal distribution (mu, sd) at the pair's last loss, at most 1.

`--history` is a table of `id`, the pair's (`source_id` here), `epoch`, from 0, and `loss`. Without a training run `--columns` stands in:
scores of the rows by several scorers of one scale; m is then minus their mean over the pair's rows, and is the last loss too. Null
for a pair of which nothing is known. A bad positive makes noise of its good negatives: `filter where --keep "loss_history_flag = 'ok'"`.
Paper: Lan et al., Towards Enhancing Time Series Contrastive Learning: A Dynamic Bad Pair Mining Approach, ICLR 2024.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from negforge import rng
from negforge.contract import Declares
from negforge.engine import Partitioner
from negforge.errors import InputError, UsageError, did_you_mean, listed
from negforge.keyed import Keyed, Writer, ordered
from negforge.records import Batches, Negatives
from negforge.search import DECIMALS
from negforge.tables import open_sources

DECLARES = Declares(version=1, scope="row", reads=Negatives, any_of=("columns", "history"))
_ROWS = 1 << 16
F64 = NDArray[np.float64]
Deviations = Annotated[float, Field(gt=0, description="From how many deviations below the mean a pair is `noisy`.")]


@dataclass(frozen=True)
class State:
    """What is known of each pair, by the digest of its id, and of all of them."""

    pairs: Keyed
    mean: float
    deviation: float


def prepare(
    inputs: Batches,
    scratch: Path,
    max_memory: int,
    phase: Callable[[str], None],
    *,
    columns: Annotated[
        list[Annotated[str, Field(examples=["score_bm25"])]] | None,
        Field(description="Score columns that stand in for a history. Repeatable.", examples=[["score_bm25"]]),
    ] = None,
    history: Annotated[Path | None, Field(description="A table of id (the pair's), epoch and loss.")] = None,
) -> State:
    """Find the mean loss of each pair, then mean and deviation over them. What is held is bounded, whatever the rows."""
    if columns is not None and history is not None:
        raise UsageError("both --history and --columns are given", mend="scores stand in for a history where there is none: name one")
    parts = Partitioner(scratch / "losses", max_memory // 8)
    for frame in _recorded(history) if history is not None else _stand_in(inputs, columns or []):
        high, low = rng.strings128(frame["id"])
        parts.add(frame.with_columns(pl.Series("low", low)), high)
    writer = Writer(scratch / "pairs", mean=np.float64, last=np.float64)
    for part, high in parts.parts():
        phase("gathering losses")
        _gather(part, high, writer, str(history) if history is not None else "")
    pairs = writer.close()
    if history is not None:
        _some_known(inputs, pairs, history)
    means = pairs.column("mean")
    count = max(len(means), 1)
    mean = math.fsum(float(one.sum()) for one in _blocks(means)) / count
    deviation = math.sqrt(math.fsum(float(((one - mean) ** 2).sum()) for one in _blocks(means)) / count)
    return State(pairs, mean, deviation)


def _blocks(values: F64) -> Iterator[F64]:
    for start in range(0, len(values), _ROWS):
        yield values[start : start + _ROWS]


def _recorded(path: Path) -> Iterator[pl.DataFrame]:
    """Frames of `id`, `epoch` and `loss`. Raises InputError for what is none."""
    for source in open_sources(str(path)):
        done = 0
        for frame in source.batches(_ROWS):
            for name in ("id", "epoch", "loss"):
                if name not in frame.columns:
                    mend = did_you_mean(name, frame.columns, f"name the column so: {name}")
                    raise InputError(f"column '{name}' is not in {path}", f"it has {listed(frame.columns)}", mend)
            epoch, loss = (frame[name].cast(pl.Float64, strict=False) for name in ("epoch", "loss"))
            sound = frame["id"].is_not_null() & loss.is_finite() & epoch.is_finite() & (epoch >= 0) & (epoch == epoch.floor())
            bad = (~sound.fill_null(value=False)).arg_true()
            if len(bad):
                row = int(bad[0])
                said = ", ".join(f"{name} {frame[name][row]!r}" for name in ("id", "epoch", "loss"))
                mend = "an epoch is a whole number from 0, a loss a finite one"
                raise InputError("a row is no loss of an epoch", f"{path}, row {done + row + 1:,}: {said}", mend)
            done += frame.height
            yield pl.DataFrame({"id": frame["id"].cast(pl.String), "epoch": epoch, "loss": loss})


def _stand_in(inputs: Batches, columns: list[str]) -> Iterator[pl.DataFrame]:
    """Minus the mean of some scores of each row that has them all, as the loss of the only epoch."""
    for frame in inputs(_ROWS):
        for name in columns:
            if name not in frame.columns or not frame[name].dtype.is_numeric():
                have = [one for one, dtype in frame.schema.items() if one.startswith("score_") and dtype.is_numeric()]
                where = f"the table has {listed(have) or 'no score'}"
                mend = did_you_mean(name, have, "name columns of scores as --columns")
                raise InputError(f"there is no column of numbers '{name}'", where, mend)
        scores = frame.select(pl.col(name).cast(pl.Float64) for name in columns)
        whole = scores.select(pl.all_horizontal(pl.all().is_finite().fill_null(value=False))).to_series()
        loss = -scores.filter(whole).select(pl.mean_horizontal(pl.all())).to_series()
        yield pl.DataFrame({"id": frame["source_id"].filter(whole), "epoch": pl.repeat(0.0, len(loss), eager=True), "loss": loss})


def _gather(part: pl.DataFrame, high: rng.U64, writer: Writer, recorded: str) -> None:
    """Write the mean and the last loss of each pair of a part. recorded: the history's name; its pairs have one loss an epoch."""
    epoch, loss = part["epoch"].to_numpy(), part["loss"].to_numpy()
    order, rows = ordered(high, part["low"].to_numpy(), epoch, loss)
    epoch, loss, first = epoch[order], loss[order], rows.first
    if recorded:
        again = ~first[1:] & (epoch[1:] == epoch[:-1])
        two = np.flatnonzero(again & (loss[1:] != loss[:-1]))
        if len(two):
            at = int(two[0])
            where = f"{recorded}: pair {part['id'][int(order[at])]!r}, epoch {epoch[at]:.0f}: {loss[at]} and {loss[at + 1]}"
            raise InputError("a pair has two losses in one epoch", where, "give each pair one loss an epoch, such as their mean")
        once = np.concatenate([[True], ~again])
        epoch, loss, first = epoch[once], loss[once], first[once]
        lanes = rows.lanes[0][once][first], rows.lanes[1][once][first]
    else:
        lanes = rows.lanes[0][first], rows.lanes[1][first]
    starts = np.flatnonzero(first)
    weight = 1.0 + epoch
    mean = np.round(np.add.reduceat(weight * loss, starts) / np.add.reduceat(weight, starts), DECIMALS) + 0.0
    last = loss[np.append(starts[1:], len(loss)) - 1] if recorded else mean
    writer.add(lanes, mean=mean, last=last)


def _some_known(inputs: Batches, pairs: Keyed, history: Path) -> None:
    """Raise InputError if the history has none of the table's pairs."""
    example = None
    for frame in inputs(_ROWS):
        if (pairs.find(rng.strings128(frame["source_id"])) >= 0).any():
            return
        example = example or next(iter(frame["source_id"]), None)
    if example is not None:
        where = f"the first pair of the table, by source_id, is {example!r}"
        raise InputError(f"{history} has no pair of the table", where, "ids compare as text: are they of the same pairs?")


def score(
    batch: Negatives,
    state: State,
    *,
    low: Deviations = 2.0,
    high: Annotated[float, Field(gt=0, description="From how many deviations above the mean a pair is `faulty`.")] = 3.0,
) -> pl.DataFrame:
    """A mean loss, a weight from 0 to 1, and a flag.

    batch: any rows, with `source_id`.
    """
    place = state.pairs.find(rng.strings128(batch["source_id"]))
    there = pl.Series(place >= 0)
    mean, last = (_taken(state.pairs.column(name), place) for name in ("mean", "last"))
    spread = state.deviation
    noisy = (mean <= state.mean - low * spread) & (spread > 0)
    faulty = (mean >= state.mean + high * spread) & (spread > 0)
    away = (last - state.mean) / (spread or 1.0)
    density = np.minimum(1.0, np.exp(-0.5 * away**2) / ((spread or 1.0) * math.sqrt(2 * math.pi)))
    flag = pl.select(pl.when(pl.Series(noisy)).then(pl.lit("noisy")).when(pl.Series(faulty)).then(pl.lit("faulty")).otherwise(pl.lit("ok")))
    return pl.DataFrame(
        {
            "score_loss_history": pl.Series(mean).set(~there, None),
            "score_loss_history_weight": pl.Series(np.where(noisy | faulty, density, 1.0)).set(~there, None),
            "loss_history_flag": flag.to_series().set(~there, None) if len(there) else pl.Series([], dtype=pl.String),
        }
    )


def _taken(values: F64, place: NDArray[np.int64]) -> F64:
    return values[np.maximum(place, 0)] if len(values) else np.zeros(len(place))
