"""Numbers by 128-bit key on disk: what was written is found, and nothing else."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negforge.keyed import Writer, ordered, places

KEYS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5)), max_size=40)


def lanes(keys: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Keys as two columns."""
    made = np.array(keys, dtype=np.uint64).reshape(-1, 2)
    return made[:, 0].copy(), made[:, 1].copy()


@given(KEYS, KEYS)
def test_each_key_is_found_by_both_halves(known: list[tuple[int, int]], asked: list[tuple[int, int]]) -> None:
    """Many share their upper half, as no digests do: the lower one decides."""
    once = sorted({*known})
    found = places(*lanes(once), lanes(asked))
    assert found.tolist() == [once.index(key) if key in once else -1 for key in asked]


@given(KEYS)
def test_rows_come_by_key_and_then_by_more(keys: list[tuple[int, int]]) -> None:
    """The first of each key is marked."""
    more = np.arange(len(keys))[::-1]
    order, rows = ordered(*lanes(keys), more)
    assert order.tolist() == sorted(range(len(keys)), key=lambda at: (*keys[at], more[at]))
    assert int(rows.first.sum()) == len({*keys})


@pytest.mark.parametrize("keys", [[], [(1, 2), (1, 5), (9, 0)]])
def test_what_was_written_is_read_in_another_process(tmp_path: Path, keys: list[tuple[int, int]]) -> None:
    """Only the path travels; a folder written anew is read anew."""
    for factor in (1.0, 2.0):
        writer = Writer(tmp_path / "k", number=np.float64)
        writer.add(lanes(keys), number=np.arange(len(keys)) * factor)
        found = pickle.loads(pickle.dumps(writer.close()))
        assert found.find(lanes([*keys, (1, 3)])).tolist() == [*range(len(keys)), -1]
        assert found.column("number").tolist() == [at * factor for at in range(len(keys))]
