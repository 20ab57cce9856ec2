"""Memory of the commands on whole datasets: bounded by `--max-memory`, and flat in rows."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from negforge.records import NEGATIVES
from negforge.store import DatasetSink
from tests.children import negatives
from tests.test_store import peak_bytes

BATCH = 20_000


def dataset(path: Path, marks: range) -> Path:
    """A dataset of a batch for each mark, no two of them of one anchor."""
    sink = DatasetSink(NEGATIVES, path, shards=None, keep_labels=[], max_memory=64_000_000)
    for mark in marks:
        frame = negatives(BATCH, f"m{mark}", words=40)
        sink.write(
            frame.with_columns(anchor_id=pl.format("{}-{}", "anchor_id", pl.lit(mark)), anchor=pl.format("{} {}", "anchor", pl.lit(mark)))
        )
    sink.finish([], {})
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Datasets of two, four and eight batches, each of which holds the smaller ones."""
    folder = tmp_path_factory.mktemp("large")
    for batches in (2, 4, 8):
        dataset(folder / f"set{batches}", range(batches))
    return folder


@pytest.mark.parametrize("command", ["check", "diff", "merge"])
def test_memory_is_flat_in_rows(folder: Path, command: str) -> None:
    """Twice the rows, all of them spilled, add little to the memory held.

    Answers pola-rs/polars#25607 (streaming that still runs out of memory) and ekzhu/datasketch#207 (an index larger than memory).
    """
    small, large = (peak_bytes(["look_after", str(folder), command, f"set{size} set{size // 2}"]) for size in (4, 8))
    assert large < 1.35 * small
    assert large < 500_000_000
