"""The texts that an export's rows name by id, gathered from every batch and written once each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from negforge import rng
from negforge.engine import Partitioner
from negforge.errors import InputError

_SHOWN = 60  # characters of a text in a message


class Documents:
    """Rows of an id, in the first column, and a text. In memory until `limit_bytes`, then in files."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._parts = Partitioner(folder, limit_bytes)

    def add(self, frame: pl.DataFrame) -> None:
        """Take texts, each as often as it is named."""
        fresh = frame.unique(maintain_order=True)
        self._parts.add(fresh, rng.hash64(fresh.to_series(0)))

    def frames(self) -> Iterator[pl.DataFrame]:
        """Each text once, by the hash of its id, on any batching. Raises InputError for an id with two texts."""
        for frame, keys in self._parts.parts():
            name, text = frame.columns[:2]
            once = frame.with_columns(pl.Series("__key", keys)).unique().sort("__key", name, text)
            twice = once.filter(pl.col(name).is_duplicated())
            if twice.height:
                first, other = (f"{one[:_SHOWN]!r}" for one in twice[text].head(2))
                raise InputError(
                    f"the id {twice[name][0]!r} has two texts",
                    f"{first} and {other}",
                    "pass --docids text, which names each text by its digest; or make pairs and corpus hold the same texts",
                )
            yield once.drop("__key")
