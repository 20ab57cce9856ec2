"""The distinct texts of a column, each with the labels it stands under and its vector, on disk by the digests of the texts.

No text is held: rows are told by digests and row numbers. Texts are in the order of their digests, so that neither the order of the
rows nor how often a text stands among them has a say. A text without a label or without a direction is left out.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from negforge import rng
from negforge.clusters import Column, mapped
from negforge.encoders import F32, Encoder
from negforge.engine import Partitioner
from negforge.errors import InputError, did_you_mean, listed
from negforge.keyed import Keyed, Writer, ordered
from negforge.records import Batches
from negforge.vectors import Lookup, encoded

Label = Annotated[str, Field(description="The column that names each row's class.", examples=["topic"])]
F64 = NDArray[np.float64]
Rows = NDArray[np.int64]
_ROWS = 1 << 14
_BLOCK = 1 << 13


@dataclass(frozen=True)
class Labelled:
    """Where the texts lie. Picklable: only paths travel.

    labels: sorted. dimensions: of a vector. record: the model by name and content.
    """

    folder: Path
    labels: list[str]
    dimensions: int
    record: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.keys.column("end"))

    @property
    def keys(self) -> Keyed:
        """The texts by digest; of each its last label's end in `of_text`."""
        return Keyed(self.folder / "texts")

    @functools.cached_property
    def vectors(self) -> F32:
        """A vector of length 1 for each text, memory-mapped."""
        size = (self.folder / "vectors").stat().st_size // (4 * max(self.dimensions, 1))
        return mapped(self.folder / "vectors", np.dtype(np.float32), (size, max(self.dimensions, 1)), "r")

    @functools.cached_property
    def of_text(self) -> NDArray[np.int32]:
        """Numbers of labels, each text's together, ascending."""
        path = self.folder / "labels"
        return mapped(path, np.dtype(np.int32), (path.stat().st_size // 4,), "r")

    def spans(self, texts: Rows) -> tuple[Rows, Rows]:
        """Where each text's labels begin in `of_text`, and how many it has."""
        end = self.keys.column("end")
        start = np.where(texts > 0, end[np.maximum(texts - 1, 0)], 0)
        return start, end[texts] - start

    def labels_of(self, texts: Rows) -> tuple[Rows, Rows]:
        """All labels of some texts: the place of the text among those asked for, and the label's number."""
        start, count = self.spans(texts)
        asked = np.repeat(np.arange(len(texts)), count)
        place = np.arange(len(asked)) - np.repeat(np.cumsum(count) - count, count) + start[asked]
        return asked, self.of_text[place].astype(np.int64)

    def rows(self, frame: pl.DataFrame, column: str, label: str) -> tuple[Rows, Rows]:
        """The text of each row and the label it has there; -1 where there is none."""
        text = self.keys.find(rng.strings128(frame[column]))
        names = label_of(frame, label)
        known = pl.Series(self.labels, dtype=pl.String)
        number = np.minimum(known.search_sorted(names.fill_null("")).to_numpy().astype(np.int64), max(len(known) - 1, 0))
        same = (known.gather(number) == names).fill_null(value=False).to_numpy() if len(known) else np.zeros(len(names), dtype=bool)
        return np.where(frame[column].is_not_null().to_numpy(), text, -1), np.where(same, number, -1)

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("folder", "labels", "dimensions", "record")}


def label_of(frame: pl.DataFrame, label: str) -> pl.Series:
    """A row's class as text. Raises InputError that names the columns there are where it is none of them, or holds lists."""
    if label not in frame.columns:
        mend = did_you_mean(label, frame.columns, "name the column of classes as --label")
        raise InputError(f"there is no column '{label}' of classes", f"the table has {listed(frame.columns, 30)}", mend)
    if frame[label].dtype.is_nested():
        raise InputError(
            f"column '{label}' names no class", f"it is of {frame[label].dtype}", "name a column of texts or numbers as --label"
        )
    return frame[label].cast(pl.String)


def gather(
    inputs: Batches, columns: str, label: str, encoder: Encoder, scratch: Path, max_memory: int, phase: Callable[[str], None]
) -> Labelled:
    """Encode the texts of a column that are not yet encoded, and lay out the labelled ones. The input is read twice."""
    limit = max_memory // 8
    texts = (frame[columns].alias("text") for frame in _with_label(inputs, label))
    lookup = Lookup(encoded(encoder, texts, scratch / "texts", limit, phase), "text", "cosine")
    phase("gathering classes")
    numbers: dict[str, int] = {}
    parts = Partitioner(scratch / "labelled", limit)
    for frame in _with_label(inputs, label):
        pairs = pl.DataFrame({"text": frame[columns], "label": label_of(frame, label)}).drop_nulls().unique(maintain_order=True)
        for name in pairs["label"].unique(maintain_order=True).to_list():
            numbers.setdefault(name, len(numbers))
        high, low = rng.strings128(pairs["text"])
        number = pairs["label"].replace_strict(numbers, return_dtype=pl.Int32) if pairs.height else pl.Series([], dtype=pl.Int32)
        parts.add(pl.DataFrame({"low": low, "label": number}), high)
    # Numbered anew by name: in which order labels come depends on that of the rows.
    labels = pl.Series([*numbers], dtype=pl.String).sort().to_list()
    place = {name: at for at, name in enumerate(labels)}
    final = np.array([place[name] for name in numbers], dtype=np.int32)
    folder = scratch / "gathered"
    writer = Writer(folder / "texts", end=np.int64)
    vectors, of_text = Column(folder / "vectors", np.float32, lookup.dimensions), Column(folder / "labels", np.int32)
    for part, high in parts.parts():
        _lay_out(part, high, final, lookup, writer, vectors, of_text)
    writer.close()
    vectors.close()
    of_text.close()
    return Labelled(folder, labels, lookup.dimensions, {"model": encoder.named})


def _with_label(inputs: Batches, label: str) -> Iterator[pl.DataFrame]:
    for frame in inputs(_ROWS):
        label_of(frame, label)
        yield frame


def _lay_out(
    part: pl.DataFrame, high: rng.U64, final: NDArray[np.int32], lookup: Lookup, writer: Writer, vectors: Column, of_text: Column
) -> None:
    """Append the texts of a part: every (text, label) once, each text's vector once."""
    number = final[part["label"].to_numpy()]
    order, rows = ordered(high, part["low"].to_numpy(), number)
    number = number[order]
    fresh = rows.first.copy()
    fresh[1:] |= number[1:] != number[:-1]
    lanes = rows.lanes[0][fresh], rows.lanes[1][fresh]
    first, number = rows.first[fresh], number[fresh]
    starts = np.flatnonzero(first)
    counts = np.diff(starts, append=len(first))
    for begin in range(0, len(starts), _BLOCK):
        some = slice(begin, begin + _BLOCK)
        keys = lanes[0][starts[some]], lanes[1][starts[some]]
        found, there = lookup.of(keys)
        of_some = number[starts[begin] : starts[begin] + int(counts[some].sum())]
        kept = np.repeat(there, counts[some])
        writer.add((keys[0][there], keys[1][there]), end=np.cumsum(counts[some][there]) + of_text.items)
        vectors.add(found[there])
        of_text.add(of_some[kept])
