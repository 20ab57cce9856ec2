"""N-grams of texts, and counts of them on disk."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negforge.ngrams import Tally, counts_of, grams, pieces

WORDS = st.lists(st.sampled_from(["a", "b", "Ab", "été", "12", ".", "\u0661", "😀"]), max_size=8).map(" ".join)


def plain(texts: list[str], sizes: tuple[int, ...]) -> set[tuple[int, str]]:
    """The same, in the slow way."""
    found = set()
    for row, text in enumerate(texts):
        words = text.lower().split()
        found |= {(row, " ".join(words[at : at + size])) for size in sizes for at in range(len(words) - size + 1)}
    return found


@given(st.lists(WORDS, max_size=5), st.sampled_from([(1,), (2,), (1, 2), (1, 2, 3), (3,)]))
def test_each_ngram_once_a_text(texts: list[str], sizes: tuple[int, ...]) -> None:
    """Row and text of each, as counted by hand, in the order of rows."""
    found = grams(pl.Series(texts, dtype=pl.String), sizes)
    every = found.text(np.arange(len(found.key))).to_list()
    assert {*zip(found.row.tolist(), every, strict=True)} == plain(texts, sizes)
    assert len(every) == len(plain(texts, sizes))
    assert (np.diff(found.row) >= 0).all()
    of_text: dict[int, str] = {}
    assert all(of_text.setdefault(key, text) == text for key, text in zip(found.key.tolist(), every, strict=True))


def test_what_only_one_has() -> None:
    """Row by row."""
    one, other = grams(pl.Series(["a b", "c d", ""]), (1,)), grams(pl.Series(["b x", "", "c"]), (1,))
    assert one.text(one.only(other)).sort().to_list() == ["a", "c", "d"]
    assert one.row[one.only(other)].tolist() == [0, 1, 1]


def test_signs_and_letters() -> None:
    """A sign is a token; letters one by one for languages without spaces; nothing of a null."""
    found = grams(pl.Series(["It's 3.5!", None, " \u200b"]), (1,))
    assert {*found.text(np.arange(len(found.key))).to_list()} == {"it's", "3", ".", "5", "!", "\u200b"}
    assert {*grams(pl.Series(["犬 です"]), (2,), "character").text(np.arange(2)).to_list()} == {"犬 で", "で す"}


@pytest.mark.parametrize("limit", [1 << 8, 1 << 24])
def test_counts_add_up_in_any_order_and_out_of_core(tmp_path: Path, limit: int) -> None:
    """A key that is not there counts 0."""
    generator = np.random.default_rng(1)
    keys = generator.integers(0, 1 << 63, 50, dtype=np.uint64) * np.uint64(2)
    tally, expected = Tally(tmp_path, limit, "some", "more"), Counter[int]()
    for _ in range(20):
        drawn = generator.choice(keys, 30)
        tally.add(drawn, some=np.ones(30), more=np.full(30, 2))
        expected.update(drawn.tolist())
    counts = tally.close()
    assert counts_of(counts, keys, "some").tolist() == [expected[key] for key in keys.tolist()]
    assert counts_of(counts, keys, "more").tolist() == [2 * expected[key] for key in keys.tolist()]
    assert counts_of(counts, np.array([1], np.uint64), "some").tolist() == [0]
    assert counts_of(Tally(tmp_path / "none", limit, "some").close(), keys[:2], "some").tolist() == [0, 0]


def test_large_cells_are_taken_apart() -> None:
    """Slices hold a few megabytes, or one row."""
    texts = pl.DataFrame({"a": ["x" * (1 << 20)] * 5 + [""], "b": [""] * 6})
    assert [piece.height for piece in pieces(texts)] == [1, 2, 2, 1] or sum(piece.height for piece in pieces(texts)) == 6
    assert sum(1 for _ in pieces(texts)) > 1
    assert [piece.height for piece in pieces(texts.clear())] == [0]
