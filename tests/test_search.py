"""The best vectors: exact, with ties by row, whatever the blocks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negforge import search
from negforge.search import DECIMALS, best
from tests.conftest import ROOT


def by_hand(queries: search.F32, corpus: search.F32, k: int) -> search.I64:
    """Every score in double precision, sorted whole."""
    scores = np.round((queries.astype(np.float64)[:, None, :] * corpus[None]).sum(axis=2), DECIMALS)
    return np.lexsort((np.broadcast_to(np.arange(len(corpus)), scores.shape), -scores), axis=1)[:, :k]


def vectors(rows: int, seed: int, dimensions: int = 8) -> search.F32:
    """Random vectors of length 1."""
    made = np.random.default_rng(seed).standard_normal((rows, dimensions)).astype(np.float32)
    scaled: search.F32 = made / np.linalg.norm(made, axis=1, keepdims=True)
    return scaled


@given(st.integers(0, 40), st.integers(0, 60), st.integers(1, 70), st.integers(1, 70), st.integers(0, 5), st.booleans())
def test_it_finds_what_a_whole_sort_finds(asked: int, size: int, k: int, block: int, seed: int, repeat: bool) -> None:
    """Any number of queries, texts and wanted ones, any block of the corpus, with and without texts that tie."""
    corpus, queries = vectors(size, seed), vectors(asked, seed + 1)
    if repeat and size:
        corpus[: size // 2 + 1] = corpus[0]
    found = best(queries, corpus, k, corpus_rows=block)
    assert found.rows.shape == (asked, min(k, size))
    assert (found.rows == by_hand(queries, corpus, k)).all()


def test_more_ties_than_are_looked_at_twice_are_cut_by_row() -> None:
    """500 copies of one text: the first rows stand, not those that a block happened to hold."""
    corpus = vectors(3000, 1, 64)
    corpus[1000:1500] = corpus[1000]
    found = best(corpus[1000:1001], corpus, 40, corpus_rows=700)
    assert found.rows[0].tolist() == list(range(1000, 1040))
    assert (found.scores[0] == found.scores[0, 0]).all()


@pytest.mark.parametrize("rows", [1, 7, 300])
def test_batches_have_no_say(rows: int) -> None:
    """A query's list and scores are the same to the last bit, alone or among others."""
    corpus, queries = vectors(20_000, 3, 48), vectors(600, 4, 48)
    whole = best(queries, corpus, 30)
    parts = [best(queries[start : start + rows], corpus, 30, corpus_rows=4096) for start in range(0, len(queries), rows)]
    assert (np.concatenate([part.rows for part in parts]) == whole.rows).all()
    assert (np.concatenate([part.scores for part in parts]) == whole.scores).all()


def test_inner_products_of_any_size_are_ordered() -> None:
    """Without length 1, too: what single precision may be off grows with the vectors."""
    corpus = vectors(5000, 5, 32) * 1000
    corpus[:60] = corpus[0] + np.linspace(0, 1e-3, 60, dtype=np.float32)[:, None]
    queries = vectors(20, 6, 32) * 50
    assert (best(queries, corpus, 25, corpus_rows=999).rows == by_hand(queries, corpus, 25)).all()


def test_what_single_precision_cannot_tell_apart_is_ordered_by_double() -> None:
    """300 texts whose scores differ by less than a product of blocks is off: none is missed and none stands out of place."""
    draw = np.random.default_rng(7)
    corpus = vectors(4000, 8, 64)
    middle = corpus[0].astype(np.float64)
    near = draw.permutation(4000)[:300]
    corpus[near] = (middle + 2e-7 * draw.standard_normal((300, 64))).astype(np.float32)
    queries = (middle + 0.3 * draw.standard_normal((8, 64))).astype(np.float32)
    for block in (4000, 333):
        assert (best(queries, corpus, 20, corpus_rows=block).rows == by_hand(queries, corpus, 20)).all()


def test_a_corpus_in_a_file_takes_little_memory(tmp_path: Path) -> None:
    """Of 300 MB a block at a time is resident, also where its vectors are looked up again (huggingface/sentence-transformers#3164)."""
    line = [sys.executable, "-m", "tests.children", "search_much", str(tmp_path / "x.npy")]
    done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 120


def test_depths_beyond_a_block_of_candidates() -> None:
    """So deep that few queries are searched for at once, down to the whole corpus."""
    corpus, queries = vectors(3000, 9, 16), vectors(5, 10, 16)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "_HELD", 4000)
        for k in (1990, 2990, 3000):
            assert (best(queries, corpus, k, corpus_rows=700).rows == by_hand(queries, corpus, k)).all()
