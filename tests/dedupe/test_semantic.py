"""Near-duplicates by vectors: which row stays, chains, scopes, rows without vectors, brute force, and the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import negforge
from negforge.cli import app
from negforge.dedupe import semantic
from negforge.errors import UsageError
from tests.verify.test_known_positive import negative

TITLE = "dedupe semantic"


def circle(degrees: dict[str, float], path: Path) -> str:
    """Vectors on a circle, by id, of any length."""
    turned = [[3 * float(np.cos(np.radians(one))), 3 * float(np.sin(np.radians(one)))] for one in degrees.values()]
    pl.DataFrame({"id": list(degrees), "vector": turned}).write_parquet(path)
    return str(path)


def table(*rows: tuple[str, str, str, int, str]) -> pl.DataFrame:
    """Rows of (negative_id, anchor, positive, draw, label); a row's id is r and its place."""
    made = [
        {**negative(f"T {text}", anchor=anchor, row=f"r{place}"), "negative_id": text, "positive": right, "draw": draw, "label": label}
        for place, (text, anchor, right, draw, label) in enumerate(rows)
    ]
    return pl.DataFrame(made, schema_overrides={"negative_id": pl.String})


def near(frame: pl.DataFrame, degrees: dict[str, float], folder: Path, **options: Any) -> Any:
    """A run on vectors on a circle."""
    return negforge.run(TITLE, frame, vectors=circle(degrees, folder / "v.parquet"), **options)


ANGLES = {"a": 0.0, "b": 10.0, "c": 20.0, "d": 90.0, "e": 3.0}
CHAIN = table(*((name, "q", "p", draw, "negative") for draw, name in enumerate("abcd")))


def test_a_chain_loses_only_what_is_near_a_row_that_stays(tmp_path: Path) -> None:
    """Ten degrees are near: b goes for a; c, near b alone, stays."""
    made = near(CHAIN, ANGLES, tmp_path, threshold=0.97)
    assert sorted(made.kept["id"]) == ["r0", "r2", "r3"]
    assert made.dropped.select("id", "dropped_by", "drop_reason", "drop_value").rows() == [
        ("r1", TITLE, "near-meaning", f"r0 {np.cos(np.radians(10)):.4f}")
    ]


def test_a_row_goes_for_the_first_that_is_near(tmp_path: Path) -> None:
    """The lowest draw stays, whatever the order of the rows; a row labelled otherwise goes for a negative."""
    rows = table(("b", "q", "p", 2, "negative"), ("e", "q", "p", 1, "negative"), ("a", "q", "p", 0, "positive"))
    for frame in (rows, rows.reverse()):
        made = near(frame, ANGLES, tmp_path, threshold=0.9)
        assert made.kept["id"].to_list() == ["r1"]
        assert sorted(one.split()[0] for one in made.dropped["drop_value"]) == ["r1", "r1"]


@pytest.mark.parametrize(("within", "ids"), [("pair", "r0 r1 r2 r3"), ("anchor", "r0 r2 r3"), ("table", "r0 r3")])
def test_the_scope_knows_the_roles(within: str, ids: str, tmp_path: Path) -> None:
    """Texts are compared within a pair, an anchor or the table."""
    rows = table(
        ("a", "q", "p", 0, "negative"), ("e", "q", "o", 1, "negative"), ("e", "r", "p", 2, "negative"), ("d", "r", "p", 3, "negative")
    )
    assert sorted(near(rows, ANGLES, tmp_path, within=within).kept["id"]) == ids.split()


def test_equal_vectors_are_one_at_any_threshold(tmp_path: Path) -> None:
    """Rounding hides none: of a hundred copies in an odd direction one stays at threshold 1."""
    copies = table(*((f"x{place}", "q", "p", place, "negative") for place in range(100)))
    made = near(copies, {f"x{place}": 33.3 for place in range(100)}, tmp_path, threshold=1.0)
    assert made.kept["id"].to_list() == ["r0"]
    assert {*made.dropped["drop_value"]} == {"r0 1.0000"}


def test_a_row_without_a_vector_stays_and_is_counted(tmp_path: Path) -> None:
    """Of two rows whose id has no vector both stay."""
    rows = table(("a", "q", "p", 0, "negative"), ("x", "q", "p", 1, "negative"), ("x", "q", "p", 2, "negative"))
    made = near(rows, ANGLES, tmp_path)
    assert made.kept.height == 3
    assert "no-vector" in str(made.report.counts)


@settings(max_examples=30)
@given(
    seed=st.integers(0, 999), count=st.integers(0, 40), threshold=st.floats(0.1, 1.0), block=st.integers(1, 9), columns=st.integers(1, 9)
)
def test_it_is_the_greedy_rule_on_any_blocks(seed: int, count: int, threshold: float, block: int, columns: int) -> None:
    """By brute force; blocks change nothing; no two that stay are near."""
    rows = np.random.default_rng(seed).integers(-2, 3, (count, 2)).astype(np.float32)
    rows = rows[rows.any(axis=1)]
    unit = rows.astype(np.float64) / np.linalg.norm(rows.astype(np.float64), axis=1)[:, None]
    cosine = np.round(unit @ unit.T, 7)
    wanted: list[tuple[int, int]] = []
    stays: list[int] = []
    for place in range(len(rows)):
        first = next((one for one in stays if cosine[place, one] >= threshold), None)
        if first is None:
            stays.append(place)
        else:
            wanted.append((place, first))
    before = semantic._BLOCK, semantic._COLUMNS
    try:
        semantic._BLOCK, semantic._COLUMNS = block, columns
        found = [(goes, other) for goes, other, _ in semantic._near(rows, threshold)]
    finally:
        semantic._BLOCK, semantic._COLUMNS = before
    assert found == wanted


def test_a_model_encodes_the_negatives_alone(model: str, pairs: pl.DataFrame, corpus: pl.DataFrame) -> None:
    """A lower threshold drops more, and all that stay are further apart."""
    mined = negforge.run("generate mine.bm25", pairs, corpus=corpus, num_negatives=6).kept
    high, low = (negforge.run(TITLE, mined, model=model, threshold=one) for one in (0.9, 0.4))
    assert 0 < high.dropped.height < low.dropped.height
    assert {*low.kept["id"]} < {*high.kept["id"]}


def test_a_model_or_vectors(model: str, tmp_path: Path) -> None:
    """Both are refused, as is neither."""
    with pytest.raises(UsageError, match="both a model and vectors"):
        near(CHAIN, ANGLES, tmp_path, model=model)
    with pytest.raises(UsageError, match="none of"):
        negforge.run(TITLE, CHAIN)


def test_command_line(tmp_path: Path) -> None:
    """Rows on stdout, counts on stderr."""
    CHAIN.write_parquet(tmp_path / "n.parquet")
    line = ["dedupe", "semantic", str(tmp_path / "n.parquet"), "--vectors", circle(ANGLES, tmp_path / "v.parquet"), "--threshold", "0.97"]
    result = CliRunner().invoke(app, [*line, "--to", "jsonl"])
    assert result.exit_code == 0, result.stderr
    assert result.stdout.count("\n") == 3
    assert "near-meaning" in result.stderr
    result = CliRunner().invoke(app, [*line[:-1], "1.5"])
    assert result.exit_code == 2
