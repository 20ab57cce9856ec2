"""Golden rows: what a release writes for the sample, as rows and schema, and its Parquet files, readable for ever.

`pytest tests/test_golden.py --update-golden` writes the files anew; review the JSON Lines in the change.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import negforge
from negforge.sinks import plain_schema
from tests.conftest import SAMPLE

GOLDEN = Path(__file__).parent / "golden"
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "mine-bm25": ("generate mine.bm25", {"num_negatives": 2, "limit": 4}),
    "mine-run": ("generate mine.run", {"num_negatives": 2, "limit": 4, "run": [str(SAMPLE / "run.trec")]}),
    "mine-same-group": ("generate mine.same-group", {"num_negatives": 2, "limit": 4, "seed": 7}),
    "mine-random": ("generate mine.random", {"num_negatives": 2, "limit": 4, "seed": 7}),
    "perturb-number": ("generate perturb.number", {"num_negatives": 2, "limit": 12}),
}


def made(name: str, pairs: pl.DataFrame, corpus: pl.DataFrame) -> pl.DataFrame:
    """The rows of a case, kept and dropped, in the order of their ids."""
    title, options = CASES[name]
    corpus = corpus.with_columns((pl.int_range(pl.len()) // 8).alias("group")) if "same-group" in title else corpus
    sides: dict[str, Any] = {"corpus": corpus} if title.startswith("generate mine") else {}
    result = negforge.run(title, pairs, **sides, **options)
    return pl.concat([result.kept, result.dropped], how="diagonal").sort("id")


def as_lines(frame: pl.DataFrame) -> str:
    """The schema on the first line, then a row a line; scores in six digits."""
    schema = {field.name: str(field.type) for field in plain_schema(frame.to_arrow().schema)}
    rounded = frame.with_columns(pl.col(pl.Float64).round_sig_figs(6))
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in [schema, *rounded.to_dicts()]) + "\n"


@pytest.mark.parametrize("name", sorted(CASES))
def test_rows_are_those_of_the_release(name: str, pairs: pl.DataFrame, corpus: pl.DataFrame, request: pytest.FixtureRequest) -> None:
    """The same input, options and seed give the same rows as when the file was reviewed; else the operator's version must rise."""
    path = GOLDEN / f"{name}.jsonl"
    text = as_lines(made(name, pairs, corpus))
    if request.config.getoption("--update-golden"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text, "rows changed: raise the version, say so in CHANGELOG.md, then --update-golden"


def test_a_file_of_every_release_is_readable() -> None:
    """Parquet files written by earlier releases still pass through a stage, dropped rows and all."""
    paths = sorted(path for path in GOLDEN.glob("release-*.parquet") if ".dropped." not in path.name)
    assert paths
    for path in paths:
        result = negforge.run("filter top", str(path), k=1)
        before = pl.read_parquet(path.with_suffix(".dropped.parquet"))
        assert result.kept.height > 0
        assert set(before["id"]) < set(result.dropped["id"])
