"""A window of ranks of another miner's list: which ranks, drawn how, and who is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

import negforge
from negforge.cli import app
from negforge.errors import OptionError
from tests.conftest import SAMPLE
from tests.generate.mine.test_run import asked, table, written

TITLE = "generate mine.window"
RUN = "".join(f"{qid} Q0 d{number:02d} 0 {50 - number}.5 dense\n" for qid in "qr" for number in range(30)) + "short Q0 d00 1 2 dense\n"
CORPUS = table(*(f"d{number:02d}" for number in range(30)))


def windowed(folder: Path, *ids: str, **options: Any) -> pl.DataFrame:
    """What a window of the run gives."""
    given = {"corpus": CORPUS, "run": written(folder, RUN), "num_negatives": 99, **options}
    return negforge.run(TITLE, asked(*ids), **given).kept.sort("anchor_id", "draw")


def test_a_window_holds_its_ranks_and_no_other(tmp_path: Path) -> None:
    """Both ends included; rank, raw score and tag are the list's; drawn in another order for each anchor, by the seed."""
    made = windowed(tmp_path, "q", "r", first=11, last=20)
    orders = {}
    for (anchor,), rows in made.group_by("anchor_id"):
        assert sorted(rows["rank"].to_list()) == [*range(11, 21)]
        assert all(one["negative_id"] == f"d{one['rank'] - 1:02d}" and one["score_run"] == 51.5 - one["rank"] for one in rows.to_dicts())
        orders[anchor] = rows["rank"].to_list()
    assert {*made["miner"]} == {"dense"}
    assert orders["q"] != orders["r"]
    assert orders["q"] != sorted(orders["q"])
    assert windowed(tmp_path, "q", first=11, last=20)["rank"].to_list() == orders["q"]
    assert windowed(tmp_path, "q", first=11, last=20, seed=1)["rank"].to_list() != orders["q"]


def test_draws_are_spread_over_the_window(tmp_path: Path) -> None:
    """Of 400 anchors with one slot each, every rank of ten is drawn by 20 to 65."""
    ids = [f"a{number}" for number in range(400)]
    text = "".join(f"{one} Q0 d{number:02d} 0 {50 - number} t\n" for one in ids for number in range(15))
    made = negforge.run(TITLE, asked(*ids), corpus=CORPUS, run=written(tmp_path, text), first=3, last=12)
    counts = dict(made.kept["rank"].value_counts().iter_rows())
    assert sorted(counts) == [*range(3, 13)]
    assert all(20 <= count <= 65 for count in counts.values())


def test_the_top_of_a_window_is_its_best_rank(tmp_path: Path) -> None:
    """Without drawing, in the order of the list."""
    assert windowed(tmp_path, "q", first=5, last=9, sampling="top", num_negatives=3)["rank"].to_list() == [5, 6, 7]


def test_by_bm25_the_list_is_that_of_the_miner(pairs: pl.DataFrame, corpus: pl.DataFrame) -> None:
    """The same ranks, ids and scores as mine.bm25 has between the two, before anything is vetoed."""
    corpus = corpus.filter(~pl.col("id").is_in(["d161", "d162"]))  # copies: a text that a rank before has takes no slot there
    for tokeniser in ("simple", "english"):
        options: dict[str, Any] = {"corpus": corpus, "tokeniser": tokeniser, "verify": False, "num_negatives": 20}
        window = negforge.run(TITLE, pairs, first=4, last=9, **options).kept
        mined = negforge.run("generate mine.bm25", pairs, **options).kept.filter(pl.col("rank").is_between(4, 9))
        names = ["source_id", "rank", "negative_id", "score_bm25", "miner"]
        assert window.select(names).sort(names).equals(mined.select(names).sort(names))
        assert window.height > 300


def test_ranks_are_counted_before_any_veto(tmp_path: Path) -> None:
    """A known positive within the window is vetoed and keeps its rank; the window does not grow for it."""
    right = asked("q").with_columns(pl.lit("the text of d01").alias("positive"))
    made = negforge.run(TITLE, right, corpus=CORPUS, run=written(tmp_path, RUN), first=1, last=3, num_negatives=5, sampling="top")
    assert made.kept.sort("draw").select("rank", "label").rows() == [(1, "negative"), (2, "positive"), (3, "negative")]
    assert made.report.counts["short"] == 3


def test_who_has_no_window_is_refused_by_reason(tmp_path: Path) -> None:
    """A list that ends before the window, with its length; no list; only docnos that the corpus lacks."""
    text = RUN + "lost Q0 gone1 1 2 t\nlost Q0 gone2 2 1 t\n"
    made = negforge.run(TITLE, asked("q", "short", "none", "lost"), corpus=CORPUS, run=written(tmp_path, text), first=2, last=9)
    assert made.dropped.sort("source_id").select("source_id", "drop_reason", "drop_value").rows() == [
        ("p-lost", "not-in-corpus", None),
        ("p-none", "not-in-run", None),
        ("p-short", "short-list", "1"),
    ]
    assert made.report.counts["passed"] == {"not-in-corpus": 1}
    made = negforge.run(TITLE, asked("zzz"), corpus=CORPUS, first=2, last=9)
    assert made.dropped.select("drop_reason", "drop_value").rows() == [("short-list", "0")]


def test_windows_and_sources_that_cannot_be(tmp_path: Path) -> None:
    """An end before its beginning, and an option that the run has no use for."""
    with pytest.raises(OptionError, match="--last is 3, before --first 9"):
        windowed(tmp_path, "q", first=9, last=3)
    with pytest.raises(OptionError, match="--tokeniser is of no use beside --run"):
        windowed(tmp_path, "q", first=1, last=3, tokeniser="simple")


def test_command_line(tmp_path: Path) -> None:
    """Data on stdout, counts on stderr; the record says which list it was."""
    ingest = ["ingest", "corpus", str(SAMPLE / "beir" / "corpus.jsonl"), "--id", "_id", "-o", str(tmp_path / "corpus.parquet")]
    assert CliRunner().invoke(app, ingest).exit_code == 0
    given = [
        "generate",
        "mine.window",
        str(SAMPLE / "pairs.jsonl"),
        "--corpus",
        str(tmp_path / "corpus.parquet"),
        "--first",
        "3",
        "--last",
        "8",
    ]
    result = CliRunner().invoke(app, [*given, "--limit", "2", "-n", "2", "--to", "jsonl"])
    assert result.exit_code == 0
    assert all(3 <= json.loads(line)["rank"] <= 8 for line in result.stdout.splitlines())
    assert "asked 4, emitted 4" in result.stderr
    for more, known in (([], {"k1": 1.2, "tokeniser": "simple"}), (["--run", str(SAMPLE / "run.trec")], {"first": 3, "last": 8})):
        assert CliRunner().invoke(app, [*given, *more, "-o", str(tmp_path / "d")]).exit_code == 0
        stage = negforge.show(str(tmp_path / "d"))["stages"][-1]
        assert known.items() <= stage["options"].items()
