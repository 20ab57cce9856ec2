"""ms-swift's messages: a pair a row for embeddings, an anchor a row for rerankers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

import negforge
from negforge.errors import UsageError
from tests.export.cases import row, rows_of, scored, table
from tests.shell import good

TITLE = "export ms-swift"


def said(role: str, *texts: str) -> list[list[dict[str, str]]]:
    """A list of messages for each text."""
    return [[{"role": role, "content": text}] for text in texts]


def test_an_embedding_row_is_a_pair(tmp_path: Path) -> None:
    """`_embedding_encode` of ms-swift 4.6.0 takes the first of several positives alone: each has a row of its own."""
    out = tmp_path / "train.jsonl"
    negforge.run(TITLE, scored(), output=out)
    rows = rows_of(out)
    negatives = said("user", "text 0", "text 1", "text 2")
    assert [one for one in rows if one["messages"] == said("user", "anchor of a")[0]] == [
        {"messages": said("user", "anchor of a")[0], "positive_messages": said("user", positive), "negative_messages": negatives}
        for positive in ("positive s1", "positive s2")
    ]
    assert [list(one) for one in rows] == [["messages", "positive_messages", "negative_messages"]] * 3
    beside = pl.read_parquet(tmp_path / "train.provenance.parquet")
    assert beside.columns == ["row", "anchor_id", "source_id", "ids", "operator", "ranks"]
    assert [f"positive {one}" for one in beside["source_id"]] == [one["positive_messages"][0][0]["content"] for one in rows]
    assert [len(one) for one in beside["ids"]] == [len(one["negative_messages"]) for one in rows]


def test_a_reranker_row_is_an_anchor() -> None:
    """`_reranker_encode` puts each passage behind the anchor's messages: it must be an answer, not a second question."""
    rows = negforge.run(TITLE, scored(), task="reranker").kept.to_dicts()
    (one,) = (each for each in rows if each["messages"] == said("user", "anchor of a")[0])
    assert one["positive_messages"] == said("assistant", "positive s1", "positive s2")
    assert one["negative_messages"] == said("assistant", "text 0", "text 1", "text 2")


@pytest.mark.parametrize("task", ["embedding", "reranker"])
def test_an_instruction_stands_before_the_anchor(task: str) -> None:
    """As the system's message, which the trainer takes from there."""
    rows = negforge.run(TITLE, scored(), task=task, prompt="Find it.").kept.to_dicts()
    assert all(one["messages"][0] == {"role": "system", "content": "Find it."} for one in rows)
    assert {one["messages"][1]["content"] for one in rows} == {"anchor of a", "anchor of b"}


def test_500_positives_are_500_pairs() -> None:
    """Each with all the anchor's negatives."""
    rows = [row("a", "wrong", source=f"s{at:03}", positive=f"positive {at:03}") for at in range(500)]
    made = negforge.run(TITLE, table(*rows))
    assert made.kept["positive_messages"].to_list() == [said("user", f"positive {at:03}") for at in range(500)]
    assert set(map(str, made.kept["negative_messages"].to_list())) == {str(said("user", "wrong"))}
    assert made.report.counts["kept"] == 500


@pytest.mark.parametrize("task", ["embedding", "reranker"])
def test_the_order_of_rows_is_that_of_no_batch(task: str, pairs: pl.DataFrame, corpus: pl.DataFrame) -> None:
    """Any batch size and worker count writes the same rows in the same order."""
    mined = negforge.run("generate mine.bm25", pairs, corpus=corpus, num_negatives=2).kept
    runs: list[Any] = [
        negforge.run(TITLE, mined.sample(fraction=1, shuffle=True, seed=size), task=task, batch_size=size) for size in (3, 10_000)
    ]
    assert runs[0].kept.equals(runs[1].kept)
    assert runs[0].asides["provenance"].equals(runs[1].asides["provenance"])


def test_command_line(tmp_path: Path) -> None:
    """Rows on stdout, counts on stderr; scores are not taken, nor is a form of file without lists of lists."""
    source = tmp_path / "in.parquet"
    scored().write_parquet(source)
    told = good("export", "ms-swift", source, "--to", "jsonl", "--task", "reranker")
    assert len(told.out.splitlines()) == 2
    assert "kept 7" in told.err
    with pytest.raises(UsageError):
        negforge.run(TITLE, scored(), scores="score_x")
    with pytest.raises(UsageError):
        negforge.run(TITLE, scored(), output=tmp_path / "train.csv")
