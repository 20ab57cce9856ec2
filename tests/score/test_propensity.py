"""Shares of judged texts by rank: by hand, falling, judged by a file or by label; what only the strong retriever finds weighs less."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import negforge
from negforge.cli import app
from negforge.errors import InputError
from negforge.score.propensity import falling


@pytest.fixture
def mined(pairs: pl.DataFrame, corpus: pl.DataFrame) -> pl.DataFrame:
    """Rows with ranks, known positives among them."""
    return negforge.run("generate mine.bm25", pairs, corpus=corpus, num_negatives=4).kept


def table(mined: pl.DataFrame, rows: list[tuple[str, str, int | None, bool]]) -> pl.DataFrame:
    """A row for each (anchor, text, rank, known to be right)."""
    anchors, texts, ranks, right = zip(*rows, strict=True)
    return mined[[at % mined.height for at in range(len(rows))]].with_columns(
        pl.Series("id", [str(at) for at in range(len(rows))]),
        pl.Series("anchor_id", anchors),
        pl.Series("negative", texts),
        pl.Series("negative_id", texts),
        pl.Series("rank", ranks, dtype=pl.Int64),
        pl.Series("label", ["positive" if one else "negative" for one in right]),
    )


ROWS: list[tuple[str, str, int | None, bool]] = [
    ("q1", "a", 1, True),
    ("q2", "b", 1, False),
    ("q1", "b", 2, True),
    ("q2", "c", 3, True),
    ("q1", "d", 3, False),
    ("q1", "d", 3, False),  # another pair of the anchor: one text
    ("q2", "e", 4, False),
    ("q2", "f", 7, True),
    ("q1", "g", 7, False),
    ("q1", "h", 5, False),
    ("q1", "i", None, False),
]


def test_by_hand(mined: pl.DataFrame) -> None:
    """1 of 2 and 2 of 3 rise, so that both bins have 3 of 5; then 1 of 4; not found, none."""
    made = negforge.run("score propensity", table(mined, ROWS)).kept.sort(pl.col("id").cast(pl.Int64))
    top, deep = 3 / 5, 1 / 4
    assert made["score_propensity"].to_list() == pytest.approx([top] * 6 + [deep] * 4 + [0.0])
    judged = [right for *_, right in ROWS]
    plain = [1.0] * 6 + [deep / top] * 4 + [0.05]
    assert made["score_propensity_weight"].to_list() == pytest.approx(
        [1.0 if is_judged else one for is_judged, one in zip(judged, plain, strict=True)]
    )
    floored = negforge.run("score propensity", table(mined, ROWS), floor=0.5).kept.sort(pl.col("id").cast(pl.Int64))
    assert floored["score_propensity_weight"][6] == floored["score_propensity_weight"][10] == 0.5


@pytest.mark.parametrize("form", ["qrels.tsv", "qrels.txt"])
def test_judged_by_a_file(mined: pl.DataFrame, tmp_path: Path, form: str) -> None:
    """Whatever the judgement says; anchors that it does not know are no part of the estimate, and get its weights."""
    rows: list[tuple[str, str, int | None, bool]] = [*ROWS, *((f"other{n}", "z", 1, True) for n in range(5))]
    seen = [(anchor, text, int(at % 2 == 0)) for at, (anchor, text, _, right) in enumerate(ROWS) if right]
    header = "query-id\tcorpus-id\tscore\n" if form.endswith("tsv") else ""
    lines = [f"{anchor}\t{text}\t{score}" if header else f"{anchor} 0 {text} {score}" for anchor, text, score in seen]
    (tmp_path / form).write_text(header + "\n".join(lines) + "\n", encoding="utf-8")
    made = negforge.run("score propensity", table(mined, rows), judged=str(tmp_path / form)).kept.sort(pl.col("id").cast(pl.Int64))
    alone = negforge.run("score propensity", table(mined, ROWS)).kept.sort(pl.col("id").cast(pl.Int64))
    names = ("score_propensity", "score_propensity_weight")
    assert made.head(len(ROWS)).select(names).equals(alone.select(names))
    assert made["score_propensity"].tail(5).to_list() == pytest.approx([3 / 5] * 5)


def test_planted_positives_of_the_strong_retriever_weigh_less(mined: pl.DataFrame, tmp_path: Path) -> None:
    """A judge saw nearly all of the weak one's first ten; what the strong one adds from far down, unlabelled and right, counts for little."""
    draw = np.random.default_rng(5)
    rows: list[tuple[str, str, int | None, bool]] = []
    planted, judged = set(), []
    for query in range(60):
        for rank in range(1, 41):
            text = f"{query}-weak-{rank}"
            right = bool(rank <= 10 and draw.random() < 0.8 / rank)
            if rank <= 10 and (right or draw.random() < 0.9):
                judged.append(f"q{query} 0 {text} {int(right)}")
            rows.append((f"q{query}", text, rank, right))
        for number in range(3):  # nobody knows of them: the weak list has them far down or not at all
            planted.add(f"{query}-strong-{number}")
            rows.append((f"q{query}", f"{query}-strong-{number}", [None, 400, 90][number], False))
    (tmp_path / "pool.trec").write_text("\n".join(judged) + "\n", encoding="utf-8")
    for options, least in (({"judged": str(tmp_path / "pool.trec")}, 0.1), ({}, 0.5)):
        made = negforge.run("score propensity", table(mined, rows), **options).kept.filter(pl.col("label") == "negative")
        hidden = made.filter(pl.col("negative").is_in([*planted]))["score_propensity_weight"]
        pool = made.filter(~pl.col("negative").is_in([*planted]), pl.col("rank") <= 10)["score_propensity_weight"]
        assert len(hidden) == 180
        assert float(hidden.sum()) / len(hidden) < least * float(pool.sum()) / len(pool)
        kept = negforge.run("filter where", made, keep="score_propensity_weight > 0.1").kept
        assert not {*kept["negative"]} & planted
        assert kept.height > 0


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=30))
def test_shares_fall_and_keep_their_sum(counts: list[tuple[int, int]]) -> None:
    """They never rise, lie between 0 and 1, and expect as many judged texts as there are."""
    shown, more = (np.array([one[at] for one in counts], dtype=float) for at in (0, 1))
    every = shown + more
    made = falling(shown, every)
    assert len(made) == len(counts)
    assert (np.diff(made) <= 1e-12).all()
    assert ((made >= 0) & (made <= 1)).all()
    assert (made * every).sum() == pytest.approx(shown.sum())


def test_a_rank_of_another_column(mined: pl.DataFrame) -> None:
    """The baseline's rank need not be the miner's; nobody found means null."""
    rows = table(mined, ROWS)
    other = rows.rename({"rank": "bm25_rank"}).with_columns(rank=pl.lit(1, pl.Int64))
    names = ("score_propensity", "score_propensity_weight")
    made = negforge.run("score propensity", other, rank_column="bm25_rank").kept.sort("id")
    assert made.select(names).equals(negforge.run("score propensity", rows).kept.sort("id").select(names))


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no column": ({"rank_column": "ranks"}, "no column of ranks 'ranks'"),
    "a text": ({"rank_column": "negative"}, "no column of ranks 'negative'"),
    "from 0": ({"rank_column": "zero"}, "holds no rank"),
    "half": ({"rank_column": "half"}, "holds no rank"),
}


@pytest.mark.parametrize("case", BAD)
def test_faults_of_ranks(mined: pl.DataFrame, case: str) -> None:
    """Each is told with column and row."""
    rows = table(mined, ROWS).with_columns(zero=pl.col("rank") - 1, half=pl.col("rank") / 2)
    options, what = BAD[case]
    with pytest.raises(InputError, match=what) as error:
        negforge.run("score propensity", rows, **options)
    assert error.value.mend


def test_where_nothing_is_judged(mined: pl.DataFrame, tmp_path: Path) -> None:
    """No label, a file of other anchors, a table without ids: an error, not a column of zeros."""
    rows = table(mined, [(*one[:3], False) for one in ROWS])
    with pytest.raises(InputError, match="no row of the table is labelled positive"):
        negforge.run("score propensity", rows)
    (tmp_path / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nz\ta\t1\n", encoding="utf-8")
    with pytest.raises(InputError, match="judges no negative of the table"):
        negforge.run("score propensity", rows, judged=str(tmp_path / "qrels.tsv"))
    with pytest.raises(InputError, match="no ids to look up in --judged"):
        negforge.run("score propensity", rows.drop("negative_id"), judged=str(tmp_path / "qrels.tsv"))
    with pytest.raises(InputError, match="there is no file"):
        negforge.run("score propensity", rows, judged=str(tmp_path / "absent.trec"))


def test_command_line(tmp_path: Path, mined: pl.DataFrame) -> None:
    """Quantiles on stderr, rows in the file."""
    mined.write_parquet(tmp_path / "n.parquet")
    out = tmp_path / "scored.parquet"
    result = CliRunner().invoke(app, ["score", "propensity", str(tmp_path / "n.parquet"), "-o", str(out)])
    assert result.exit_code == 0, result.stderr
    assert "score_propensity: min" in result.stderr
    assert pl.read_parquet(out)["score_propensity_weight"].is_between(0.05, 1).all()
