"""Labelled demonstrations of a bank: nearest first, without leaks, and those of another label as negatives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

import negforge
from negforge.cli import app
from negforge.errors import InputError, UsageError
from negforge.labels import labelled
from tests.generate.mine.test_dense import circle

TITLE = "generate mine.demonstrations"
BANK = pl.DataFrame(
    {
        "id": ["b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7"],
        "text": [
            "Where is the Louvre?",  # the anchor, but for its spelling
            "Where is Oslo?",
            "Who was Ibsen?",
            "The Louvre is in Paris, is it not?",  # holds the answer
            "Who wrote Peer Gynt?",
            "How long is the Nile?",
            "What is a fjord?",
            "Parish registers, where are they?",  # does not: another word
        ],
        "kind": ["place", "place", "person", "place", "person", "number", None, "place"],
        "task": ["t1", "t1", "t2", "t2", "t2", "t3", "t3", "t2"],
    }
)
DEGREES = {one: 5.0 * place for place, one in enumerate(BANK["id"])}
PAIRS = pl.DataFrame(
    {
        "id": ["p"],
        "anchor_id": ["q"],
        "anchor": ["where is the  louvre"],
        "positive": ["place"],
        "kind": ["place"],
        "task": ["t1"],
        "answers": [["Paris"]],
    }
)


def mined(folder: Path, pairs: pl.DataFrame = PAIRS, bank: pl.DataFrame = BANK, **options: Any) -> negforge.Result:
    """Demonstrations on a circle, the first nearest the anchor."""
    anchors = circle(dict.fromkeys(pairs["anchor_id"].unique(maintain_order=True), 0.0) or {"q": 0.0}, folder / "a.parquet")
    given: dict[str, Any] = {"anchor_vectors": anchors, "corpus_vectors": circle(DEGREES, folder / "c.parquet"), "demo_label": "kind"}
    return negforge.run(TITLE, pairs, corpus=bank, **{"num_negatives": 8, **given, **options})


def ids(made: negforge.Result) -> list[str]:
    """The demonstrations in the order in which they were taken."""
    return made.kept.sort("source_id", "draw")["negative_id"].to_list()


def test_nearest_first_without_itself_or_its_answer(tmp_path: Path) -> None:
    """The anchor under another spelling, a text with the answer and one without a label are passed over, each by its name."""
    made = mined(tmp_path)
    assert ids(made) == ["b1", "b2", "b4", "b5", "b7"]
    assert made.report.counts["passed"] == {"answer": 1, "no-label": 1, "self": 1}
    assert made.kept.sort("draw")["demo_label"].to_list() == ["place", "person", "person", "number", "place"]
    assert made.kept.sort("draw")["rank"].to_list() == [2, 3, 5, 6, 8]
    scores = made.kept.sort("draw")["score_dense"].to_list()
    assert scores == sorted(scores, reverse=True)
    assert {*made.kept["label"]} == {"unknown"}


def test_those_of_another_label_are_negatives(tmp_path: Path) -> None:
    """With the anchor's label known, the others are wrong for it; the label follows from the verdict."""
    made = mined(tmp_path, label="kind")
    said = dict(made.kept.select("negative_id", "label").rows())
    assert said == {"b1": "positive", "b2": "negative", "b4": "negative", "b5": "negative", "b7": "positive"}
    assert labelled(made.kept)["label"].to_list() == made.kept["label"].to_list()
    wrong = mined(tmp_path, label="kind", which="wrong", num_negatives=2)
    assert (ids(wrong), {*wrong.kept["label"]}) == (["b2", "b4"], {"negative"})
    right = mined(tmp_path, label="kind", which="right")
    assert (ids(right), {*right.kept["label"]}) == (["b1", "b7"], {"positive"})
    lines = negforge.run("export flag-embedding", wrong.kept).kept.to_dicts()
    assert lines == [{"query": PAIRS["anchor"][0], "pos": ["place"], "neg": ["Who was Ibsen?", "Who wrote Peer Gynt?"]}]


def test_an_anchor_without_a_label_is_refused_where_one_is_wanted(tmp_path: Path) -> None:
    """`wrong` means nothing for it; with `any` it has its demonstrations, about which nothing is said."""
    bare = PAIRS.with_columns(pl.lit(None, pl.String).alias("kind"))
    assert mined(tmp_path, bare, label="kind", which="wrong").report.counts["refused"] == {"no-label": 8}
    assert {*mined(tmp_path, bare, label="kind").kept["label"]} == {"unknown"}
    two = pl.concat([PAIRS, PAIRS.with_columns(pl.lit("p2").alias("id"), pl.lit("person").alias("kind"))])
    assert {*mined(tmp_path, two, label="kind", which="wrong").kept["negative_id"]} == {"b5"}


def test_the_same_source_stays_out(tmp_path: Path) -> None:
    """Demonstrations of the anchor's own task are no news to it."""
    made = mined(tmp_path, source="task", demo_source="task")
    assert ids(made) == ["b2", "b4", "b5", "b7"]
    assert made.report.counts["passed"]["same-source"] == 1
    assert made.kept.sort("draw")["demo_source"].to_list() == ["t2", "t2", "t3", "t2"]


def test_what_is_evaluated_on_stays_out(tmp_path: Path) -> None:
    """A demonstration that is a question of the evaluation, or holds one of its answers, for every anchor."""
    file = tmp_path / "test.jsonl"
    rows = [{"anchor": "WHO was Ibsen", "positive": "a playwright"}, {"anchor": "How far?", "positive": "Nile", "answers": ["peer gynt"]}]
    file.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    made = mined(tmp_path, evaluation=str(file))
    assert ids(made) == ["b1", "b5", "b7"]
    assert made.report.counts["passed"]["evaluation"] == 2
    other = tmp_path / "moved.jsonl"
    other.write_bytes(file.read_bytes())
    assert mined(tmp_path, evaluation=str(other)).kept["id"].equals(made.kept["id"])


def test_a_list_is_read_as_far_as_it_takes(tmp_path: Path) -> None:
    """With all that is near of the wrong label, what is wanted is found far down, the same on any batch."""
    size = 1500
    bank = pl.DataFrame(
        {"id": [f"b{place:04d}" for place in range(size)], "text": [f"demonstration {place}" for place in range(size)]}
    ).with_columns(pl.when(pl.int_range(pl.len()) < 1400).then(pl.lit("near")).otherwise(pl.lit("far")).alias("kind"))
    vectors = circle({one: 90 * place / size for place, one in enumerate(bank["id"])}, tmp_path / "c.parquet")
    anchors = circle({"q": 0.0, "r": 45.0}, tmp_path / "a.parquet")
    pairs = pl.DataFrame({"anchor_id": ["q", "r"], "anchor": ["one", "two"], "positive": ["x1", "x2"], "kind": ["near", "far"]})
    given: dict[str, Any] = {"corpus": bank, "corpus_vectors": vectors, "anchor_vectors": anchors, "demo_label": "kind"}
    given |= {"label": "kind", "which": "wrong", "num_negatives": 3}
    runs = [negforge.run(TITLE, pairs, **given, batch_size=size) for size in (1, 100)]
    assert runs[0].kept.sort("id").equals(runs[1].kept.sort("id"))
    assert runs[0].report.counts["passed"] == runs[1].report.counts["passed"]
    first = runs[0].kept.filter(pl.col("anchor_id") == "q").sort("draw")
    assert first["negative_id"].to_list() == ["b1400", "b1401", "b1402"]
    assert first["rank"].to_list() == [1401, 1402, 1403]


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"demo_label": "knd"}, InputError, "kind"),
        ({"label": "knd"}, InputError, "kind"),
        ({"which": "wrong"}, UsageError, "--label"),
        ({"demo_source": "task"}, UsageError, "--source"),
    ],
)
def test_what_is_not_there_is_told(tmp_path: Path, options: dict[str, Any], error: type[Exception], words: str) -> None:
    """A column that is not there, with the nearest, and an option that means nothing alone."""
    with pytest.raises(error) as told:
        mined(tmp_path, **options)
    assert words in str(told.value) + str(getattr(told.value, "mend", ""))


def test_command_line(tmp_path: Path, model: str) -> None:
    """Rows on stdout, on stderr what was passed over."""
    PAIRS.write_parquet(tmp_path / "p.parquet")
    BANK.write_parquet(tmp_path / "b.parquet")
    line = [*TITLE.split(), str(tmp_path / "p.parquet"), "--corpus", str(tmp_path / "b.parquet"), "--model", model, "--demo-label", "kind"]
    result = CliRunner().invoke(app, [*line, "--label", "kind", "--which", "wrong", "-n", "2", "--to", "jsonl"])
    assert result.exit_code == 0, result.stderr
    assert "candidates passed over:" in result.stderr
    rows = [json.loads(one) for one in result.stdout.splitlines()]
    assert {one["demo_label"] for one in rows} <= {"person", "number"}
    assert {one["label"] for one in rows} == {"negative"}
