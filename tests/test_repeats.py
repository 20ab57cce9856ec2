"""Cells that repeat are worked on once, and nothing shows it."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negforge import rng, text
from negforge.repeats import in_runs
from tests import strategies  # noqa: F401 - sets hypothesis up

_CELLS = st.lists(st.tuples(st.sampled_from(["A  b.", "a b", "Twenty-one", "é…", "", None]), st.integers(1, 40)), min_size=1, max_size=12)


@given(_CELLS)
def test_runs_give_back_the_column(runs: list[tuple[str | None, int]]) -> None:
    column = pl.Series("text", [cell for cell, times in runs for _ in range(times)], dtype=pl.String)
    found = in_runs(column)
    if found is not None:
        assert len(found.cells) * 4 <= len(column)
        assert found.cells.gather(found.of_row).equals(column, check_dtypes=True, check_names=True)


@given(_CELLS)
def test_hashes_and_normalised_texts_are_those_of_each_cell_alone(runs: list[tuple[str | None, int]]) -> None:
    column = pl.Series("text", [cell for cell, times in runs for _ in range(times)], dtype=pl.String)
    alone = [column[at : at + 1] for at in range(len(column))]
    assert rng.hash64(column).tolist() == [int(rng.hash64(one)[0]) for one in alone]
    for lane, others in zip(rng.strings128(column), zip(*map(rng.strings128, alone), strict=True), strict=True):
        assert lane.tolist() == np.concatenate(others).tolist()
    assert text.normalised(column).equals(pl.concat(map(text.normalised, alone)), check_names=True)


@given(st.lists(st.one_of(st.integers(-3, 3), st.integers(2**62, 2**63 - 1), st.none()), min_size=1, max_size=60))
def test_numbers_that_lie_close_together_are_hashed_as_each_alone(numbers: list[int | None]) -> None:
    column = pl.Series("rank", numbers, dtype=pl.Int64)
    alone = [rng.row_hashes(pl.DataFrame({"rank": column[at : at + 1]}))[0] for at in range(len(column))]
    assert rng.row_hashes(pl.DataFrame({"rank": column})).tolist() == list(map(int, alone))


@pytest.mark.parametrize("column", [["a"] * 3, list("abcdefgh"), []])
def test_short_runs_are_not_worth_it(column: list[str]) -> None:
    assert in_runs(pl.Series("text", column, dtype=pl.String)) is None
