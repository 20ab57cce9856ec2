"""Real captions with compositional negatives as a table of negatives, and plain ones made by hand."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import polars as pl

from tests.verify.test_known_positive import negative


def rows_of(*texts: tuple[str, str], operator: str = "perturb.x") -> pl.DataFrame:
    """A row for each positive and negative, of an anchor of its own."""
    made = [{**negative(wrong, anchor=f"a{at}", row=f"r{at:05d}"), "positive": right} for at, (right, wrong) in enumerate(texts)]
    return pl.DataFrame(made).with_columns(pl.lit(operator).alias("operator"), pl.col("id").alias("source_id"))


def sugarcrepe(folder: Path, name: str, *, refined: bool) -> pl.DataFrame:
    """A part of SugarCrepe: as it was published, or before its own removal of what text alone tells."""
    path = folder / "sugarcrepe" / (f"{name}.json" if refined else f"unrefined/{name}.json.gz")
    data = path.read_bytes() if refined else gzip.decompress(path.read_bytes())
    found = json.loads(data)
    entries = found.values() if isinstance(found, dict) else found
    return rows_of(*((one["caption"], one["negative_caption"]) for one in entries), operator=f"perturb.{name.replace('_', '-')}")
