"""Means, distances and clusters: by hand, against brute force, and where there is little to put apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negforge import partitions


def blobs(count: int, each: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Points around well separated centres, shuffled, and whose each is."""
    draw = np.random.default_rng(seed)
    label = draw.permutation(np.repeat(np.arange(count), each))
    return (50 * np.eye(count, 6)[label] + draw.standard_normal((len(label), 6))).astype(np.float32), label


def test_means_and_distances_by_hand() -> None:
    """A mean is the mean of the members; a row without a class counts nowhere; an empty class is at zero."""
    rows = np.array([[0, 0], [2, 4], [9, 9], [4, 2]], dtype=np.float32)
    found = partitions.means(rows, np.array([0, 0, -1, 2]), 3)
    assert found.tolist() == [[1, 2, -2.5], [0, 0, 0], [4, 2, -10]]
    lists = [*partitions.nearest(np.array([[1, 6], [4, 6]], dtype=np.float32), found, [set(), {0}], 2)]
    assert [[one for one, _ in some] for some in lists] == [[0, 2], [2, 1]]
    assert [away for _, away in lists[0]] == pytest.approx([4.0, 5.0])
    assert [away for _, away in lists[1]] == pytest.approx([4.0, 52**0.5], abs=1e-6)


def test_means_over_more_rows_than_a_block() -> None:
    """Blocks add up."""
    draw = np.random.default_rng(1)
    rows, group = draw.standard_normal((20_000, 3)).astype(np.float32), draw.integers(-1, 5, 20_000)
    wanted = [rows[group == one].astype(np.float64).mean(axis=0) for one in range(5)]
    assert partitions.means(rows, group, 5)[:, :3] == pytest.approx(np.array(wanted), abs=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_separate_blobs_are_found(seed: int) -> None:
    """Four blobs, four clusters, each pure: NGAME's test."""
    rows, label = blobs(4, 30, seed)
    group, _ = partitions.assigned(rows, partitions.k_means(rows, 4))
    assert len({*zip(group.tolist(), label.tolist(), strict=True)}) == 4
    assert np.bincount(group).tolist() == [30] * 4


@given(size=st.integers(2, 9), seed=st.integers(0, 50), count=st.integers(1, 60))
def test_clusters_are_a_fixed_point_of_lloyds_rounds(size: int, seed: int, count: int) -> None:
    """Each row is nearest to its own centroid by brute force, and no centroid is without rows."""
    rows = np.random.default_rng(seed).integers(0, 4, (count, 2)).astype(np.float32)
    found = partitions.k_means(rows, size)
    assert found.tobytes() == partitions.k_means(rows.copy(), size).tobytes()
    assert 1 <= len(found) <= min(size, len(np.unique(rows, axis=0)))
    group, score = partitions.assigned(rows, found)
    away = np.sqrt(((rows[:, None].astype(np.float64) - found[None, :, :2]) ** 2).sum(axis=2))
    assert partitions.distance(rows, score) == pytest.approx(away.min(axis=1), abs=1e-3)
    assert np.allclose(away[np.arange(count), group], away.min(axis=1), atol=1e-6)
    assert len(np.unique(group)) == len(found)


def test_more_clusters_than_different_rows() -> None:
    """Copies make no cluster of their own."""
    rows = np.repeat(np.array([[1, 0], [0, 1]], dtype=np.float32), 20, axis=0)
    assert len(partitions.k_means(rows, 8)) == 2


def test_a_cluster_that_loses_its_rows_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begun with two centroids at one place, it ends with one in each blob."""
    rows, label = blobs(2, 10)
    monkeypatch.setattr(partitions, "_begun", lambda some, _: partitions._compared(np.zeros((2, 6)) + some[0]))
    group, _ = partitions.assigned(rows, partitions.k_means(rows, 2))
    assert np.bincount(group).tolist() == [10, 10]
    assert len({*zip(group.tolist(), label.tolist(), strict=True)}) == 2


def test_written_groups_are_read_as_they_were(tmp_path: Path) -> None:
    """Members by group, in the order of rows; those of none are left out."""
    partitions.write(tmp_path, np.zeros((3, 2), dtype=np.float32), np.array([2, -1, 0, 2, -1, 0]))
    found = partitions.opened(str(tmp_path))
    assert (found.first.tolist(), found.member.tolist()) == ([0, 2, 2, 4], [2, 5, 0, 3])


def test_each_anchor_gets_the_best_of_all_its_groups(tmp_path: Path) -> None:
    """As many as are wanted, and one more for each positive; equal scores by row; groups and distances beside them."""
    matrix = np.array([[1, 0], [5, 0], [3, 0], [5, 0], [4, 0]], dtype=np.float32)
    partitions.write(tmp_path, np.zeros((2, 3), dtype=np.float32), np.array([0, 1, 0, 0, 1]))
    anchors = pl.DataFrame({"anchor_id": ["b", "a"], "positives": [1, 2]})
    vectors = np.array([[1, 0], [-1, 0]], dtype=np.float32)
    groups = partitions.opened(str(tmp_path))
    found = partitions.texts_of(anchors, vectors, matrix, groups, [[(1, 0.5), (0, 0.7)], [(0, 0.9)]], 2, "miner")
    assert found.rows() == [
        ("b", 1, 0.5, 1, 1, 5.0, "miner"),
        ("b", 0, 0.7, 3, 2, 5.0, "miner"),
        ("b", 1, 0.5, 4, 3, 4.0, "miner"),
        ("a", 0, 0.9, 0, 1, -1.0, "miner"),
        ("a", 0, 0.9, 2, 2, -3.0, "miner"),
        ("a", 0, 0.9, 3, 3, -5.0, "miner"),
    ]
