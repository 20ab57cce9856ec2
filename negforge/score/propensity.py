"""Score how likely a row's text was ever shown to a judge, by its rank in the list of the retriever that the pool came from.

What nobody saw is unlabelled for another reason than being wrong: negatives that only a stronger retriever finds are often right.
- `score_propensity`: p(b) = distinct judged texts / distinct texts, over the table, of the row's bin b of ranks: 1, 2-3, 4-7, 8-15
  and so on; last, texts that the retriever did not find. Further down p never rises: neighbouring bins that would are one.
- `score_propensity_weight`: 1 for a judged text, else p(b) / p(first bin), no less than `--floor`: a factor for a loss or a sampler.

Judged is what `--judged` names, by the ids of anchors and negatives and whatever the judgement, over the anchors it knows; without
it, what is known to be right, the rows labelled `positive`, whose share falls faster than that of what was looked at.
`--rank-column` has the baseline's rank, from 1, null where it did not find the text; `generate mine.bm25` leaves one in `rank`.
`filter where --keep "score_propensity_weight > 0.1"` keeps what was likely looked at.
Paper: Cai et al., Hard Negatives or False Negatives, 2022 (CET); its coupled models are replaced by this estimate.
"""

from __future__ import annotations

from collections.abc import Callable
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
from negforge.errors import InputError, did_you_mean, listed
from negforge.keyed import Keyed, Writer, ordered
from negforge.qrels import judgements
from negforge.records import Batches, Negatives
from negforge.search import DECIMALS

DECLARES = Declares(version=1, scope="row", reads=Negatives)
_ROWS = 1 << 16
_BINS = 64  # by the bits of a rank; the last is of texts without one
F64 = NDArray[np.float64]
Flags = NDArray[np.bool_]
RankColumn = Annotated[str, Field(description="The column with the rank in the list of the retriever that the judged pool came from.")]


@dataclass(frozen=True)
class State:
    """The share of judged texts by bin, and which pairs are judged: by a file, or, without one, by their label."""

    shares: tuple[float, ...]
    judged: Keyed | None


def prepare(
    inputs: Batches,
    scratch: Path,
    max_memory: int,
    phase: Callable[[str], None],
    *,
    judged: Annotated[Path | None, Field(description="Judgements by id: BEIR's .tsv, or a file in TREC's form.")] = None,
    rank_column: RankColumn = "rank",
) -> State:
    """Count the table's distinct texts of each anchor by their bin, and the judged ones among them."""
    pairs = anchors = None
    if judged is not None:
        phase("reading judgements")
        pairs, anchors = _pairs(judged, scratch / "judged", max_memory // 8)
    parts = Partitioner(scratch / "texts", max_memory // 8)
    seen = False
    for frame in inputs(_ROWS):
        seen |= frame.height > 0
        bins, selected = _bins(frame, rank_column), _selected(frame, pairs)
        high, low = rng.combine([rng.strings128(frame["anchor_id"]), rng.strings128(frame["negative"])])
        counted = anchors.find(rng.strings128(frame["anchor_id"])) >= 0 if anchors is not None else np.ones(len(bins), dtype=bool)
        narrow = pl.DataFrame({"low": low[counted], "bin": bins[counted], "selected": selected[counted]})
        parts.add(narrow, high[counted])
    every, shown = np.zeros(_BINS + 1), np.zeros(_BINS + 1)
    for part, high in parts.parts():
        order, rows = ordered(high, part["low"].to_numpy(), part["bin"].to_numpy())
        bins = part["bin"].to_numpy()[order][rows.first]  # of several ranks the best
        starts = np.flatnonzero(rows.first)
        selected = np.logical_or.reduceat(part["selected"].to_numpy()[order], starts) if len(starts) else np.zeros(0, dtype=bool)
        every += np.bincount(bins, minlength=_BINS + 1)
        shown += np.bincount(bins[selected], minlength=_BINS + 1)
    if seen and not shown.any():
        what = f"{judged} judges no negative of the table" if judged is not None else "no row of the table is labelled positive"
        mend = "ids compare as text: are they of the same source?" if judged is not None else "name judgements: --judged FILE"
        raise InputError(what, "of nothing judged no propensity can be estimated", mend)
    return State(tuple(falling(shown, every).tolist()), pairs)


def _pairs(path: Path, folder: Path, limit_bytes: int) -> tuple[Keyed, Keyed]:
    """The judged pairs by the digests of their ids, and the judged anchors."""
    written = []
    parts = {"pairs": Partitioner(folder / "of-pairs", limit_bytes), "anchors": Partitioner(folder / "of-anchors", limit_bytes)}
    for frame in judgements(str(path), "--judged"):
        anchor = rng.strings128(frame["query"])
        both = rng.combine([anchor, rng.strings128(frame["document"])])
        for name, (high, low) in (("pairs", both), ("anchors", anchor)):
            parts[name].add(pl.DataFrame({"low": low}), high)
    for name, some in parts.items():
        writer = Writer(folder / name)
        for part, high in some.parts():
            _, rows = ordered(high, part["low"].to_numpy())
            writer.add((rows.lanes[0][rows.first], rows.lanes[1][rows.first]))
        written.append(writer.close())
    return written[0], written[1]


def _bins(frame: pl.DataFrame, name: str) -> NDArray[np.int64]:
    """The bin of each row's rank. Raises InputError for a column that is not there or that holds none."""
    have = [one for one, dtype in frame.schema.items() if dtype.is_integer()]
    if name not in frame.columns or not (frame[name].dtype.is_numeric() or frame[name].dtype == pl.Null):
        mend = did_you_mean(name, have, "name the column of the baseline's ranks as --rank-column")
        raise InputError(f"there is no column of ranks '{name}'", f"the table has the numbers {listed(have) or '(none)'}", mend)
    ranks = frame[name].cast(pl.Float64)
    bad = (((ranks < 1) | (ranks != ranks.floor()) | ~ranks.is_finite()) & ranks.is_not_null()).arg_true()
    if len(bad):
        row = int(bad[0])
        where = f"row {frame['id'][row]!r}: {frame[name][row]}"
        raise InputError(f"column '{name}' holds no rank", where, "ranks are whole numbers from 1, or null")
    bits = np.frexp(ranks.fill_null(1.0).to_numpy())[1].astype(np.int64) - 1
    return np.where(ranks.is_null().to_numpy(), _BINS, np.minimum(bits, _BINS - 1))


def _selected(frame: pl.DataFrame, judged: Keyed | None) -> Flags:
    """Which rows are judged."""
    if judged is None:
        known: Flags = (frame["label"] == "positive").to_numpy()
        return known
    if "negative_id" not in frame.columns:
        raise InputError(
            "the negatives have no ids to look up in --judged", "there is no column 'negative_id'", "mine from a corpus with ids"
        )
    place = judged.find(rng.combine([rng.strings128(frame["anchor_id"]), rng.strings128(frame["negative_id"])]))
    found: Flags = (place >= 0) & frame["negative_id"].is_not_null().to_numpy()
    return found


def falling(shown: F64, every: F64) -> F64:
    """The shares of bins, made to fall: of adjacent bins that rise, the share of all of them together. A bin of nothing has that before."""
    blocks: list[list[float]] = []  # shown, every, bins
    for some, count in zip(shown.tolist(), every.tolist(), strict=True):
        blocks.append([some, count, 1])
        while len(blocks) > 1 and blocks[-1][0] * blocks[-2][1] >= blocks[-2][0] * blocks[-1][1]:
            last = blocks.pop()
            blocks[-1] = [left + right for left, right in zip(blocks[-1], last, strict=True)]
    return np.repeat([some / count if count else 0.0 for some, count, _ in blocks], [int(bins) for *_, bins in blocks])


def score(
    batch: Negatives,
    state: State,
    *,
    rank_column: RankColumn = "rank",
    floor: Annotated[float, Field(ge=0, le=1, description="The least weight of a text, however far down it stands.")] = 0.05,
) -> pl.DataFrame:
    """A share and a weight, both from 0 to 1.

    batch: any rows, with `anchor_id`, `negative_id` or `label`, and the column of ranks. Raises InputError where one is not there.
    """
    shares = np.array(state.shares)
    found = shares[_bins(batch.frame, rank_column)]
    weight = np.clip(found / (shares.max() or 1.0), floor, 1.0)
    weight[_selected(batch.frame, state.judged)] = 1.0
    return pl.DataFrame({"score_propensity": np.round(found, DECIMALS), "score_propensity_weight": np.round(weight, DECIMALS)})
