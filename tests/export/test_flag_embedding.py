"""FlagEmbedding's lines: a query, its positives and its negatives."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings

import negforge
from negforge.errors import InputError, UsageError
from negforge.text import normalised
from tests import strategies
from tests.shell import call, good
from tests.verify.test_known_positive import negative

TITLE = "export flag-embedding"


def frame() -> pl.DataFrame:
    """An anchor with two positives and three texts, each a row for either; one with a single row, in file order reversed."""
    rows: list[dict[str, Any]] = [
        {
            **negative(f"text {draw}", anchor="a", row=f"{source}{draw}"),
            "source_id": source,
            "positive": f"positive {source}",
            "draw": draw,
            "score_x": draw / 8,
            "score_x_positive": 0.5 if source == "s1" else 0.75,
        }
        for source in ("s2", "s1")
        for draw in (2, 0, 1)
    ]
    rows.append(
        {**negative("lonely", anchor="b", row="x"), "source_id": "s3", "positive": "positive s3", "score_x": 1.0, "score_x_positive": 2.0}
    )
    return pl.DataFrame(rows, schema_overrides={"negative_id": pl.String})


def lines(table: pl.DataFrame, **options: Any) -> dict[str, dict[str, Any]]:
    """The lines by their query."""
    return {row["query"]: row for row in negforge.run(TITLE, table, **options).kept.to_dicts()}


def test_a_line_is_an_anchor_with_all_its_positives() -> None:
    """Lists of texts, each once, negatives best first (FlagOpen/FlagEmbedding#470: a string would be read letter by letter)."""
    assert lines(frame()) == {
        "anchor of a": {"query": "anchor of a", "pos": ["positive s1", "positive s2"], "neg": ["text 0", "text 1", "text 2"]},
        "anchor of b": {"query": "anchor of b", "pos": ["positive s3"], "neg": ["lonely"]},
    }


def test_the_file_is_what_the_trainer_reads(tmp_path: Path) -> None:
    """A JSON object a line with exactly these keys in this order, and provenance beside it, row for row."""
    out = tmp_path / "train.jsonl"
    negforge.run(TITLE, frame(), prompt="Find it: ", scores="score_x", output=out)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [list(row) for row in rows] == [["query", "pos", "neg", "pos_scores", "neg_scores", "prompt"]] * 2
    beside = pl.read_parquet(tmp_path / "train.provenance.parquet")
    texts = dict(zip(frame()["id"], frame()["negative"], strict=True))
    assert [[texts[one] for one in ids] for ids in beside["ids"]] == [row["neg"] for row in rows]
    assert [len(one) for one in beside["source_ids"]] == [len(row["pos"]) for row in rows]


def test_scores_stand_beside_their_texts() -> None:
    """For distillation: the score of each positive and of each negative."""
    row = lines(frame(), scores="score_x")["anchor of a"]
    assert (row["pos_scores"], row["neg_scores"]) == ([0.5, 0.75], [0, 1 / 8, 2 / 8])


def test_a_score_that_is_missing_is_told() -> None:
    """A column that is not there, and a null in it, are errors of the data."""
    with pytest.raises(InputError) as error:
        lines(frame(), scores="score_y")
    assert "--scores score_x" in error.value.mend
    with pytest.raises(InputError, match="a row has no score_x"):
        lines(frame().with_columns(pl.lit(None, pl.Float64).alias("score_x")), scores="score_x")


def test_at_most_n_negatives() -> None:
    """Texts beyond n are dropped by name, in rows; an anchor with fewer keeps what it has, which the trainer repeats."""
    made = negforge.run(TITLE, frame(), n=2)
    assert sorted(map(len, made.kept["neg"].to_list())) == [1, 2]
    assert made.report.counts["dropped"] == {"beyond-n": 2}
    assert sorted(made.dropped["id"]) == ["s12", "s22"]
    assert made.report.counts["kept"] == 5


def test_what_is_right_for_the_anchor_is_no_negative() -> None:
    """A positive of another pair, and a text proven true in a row of another label, are dropped (FlagOpen/FlagEmbedding#464)."""
    text = pl.col("negative").replace({"text 0": "Positive  S1."})
    first = negforge.run(TITLE, frame().with_columns(text))
    assert first.report.counts["dropped"] == {"known-positive": 2}
    proven = pl.when(pl.col("id") == "s20").then(pl.lit("positive")).otherwise("label").alias("label")
    second = negforge.run(TITLE, frame().with_columns(proven))
    assert second.report.counts["dropped"] == {"known-positive": 1, "label-positive": 1}
    assert all(made.kept.filter(pl.col("query") == "anchor of a")["neg"].to_list() == [["text 1", "text 2"]] for made in (first, second))


def test_an_anchor_without_negatives_has_no_line() -> None:
    """FlagEmbedding divides by the number of negatives."""
    text = pl.col("negative").replace({"lonely": "positive s3"})
    assert list(lines(frame().with_columns(text))) == ["anchor of a"]


def test_another_form_of_file_is_refused(tmp_path: Path) -> None:
    """The trainer passes over all but .json and .jsonl without a word; so nothing else is written."""
    for out in ("train.parquet", "folder"):
        with pytest.raises(UsageError) as error:
            negforge.run(TITLE, frame(), output=tmp_path / out)
        assert ".jsonl" in error.value.where
    source = tmp_path / "in.parquet"
    frame().write_parquet(source)
    assert call("export", "flag-embedding", source, "--to", "csv").code == 2
    assert len(good("export", "flag-embedding", source, "--to", "jsonl").out.splitlines()) == 2


@settings(max_examples=25)
@given(strategies.negatives())
def test_rows_add_up_and_no_positive_is_a_negative(table: pl.DataFrame) -> None:
    """Every kept row's text stands once under its anchor, no line is without a positive or a negative, and none holds a text twice."""
    made = negforge.run(TITLE, table, language="code")
    lost = {*made.dropped["id"]} if "id" in made.dropped.columns else set()
    rows = table.filter(pl.col("dropped_by").is_null() & (pl.col("label") == "negative") & ~pl.col("id").is_in(lost))
    written = [(one, text) for one, row in zip(made.asides["provenance"]["anchor_id"], made.kept["neg"], strict=True) for text in row]
    assert sorted(written) == sorted(set(rows.select("anchor_id", "negative").rows()))
    for row in made.kept.to_dicts():
        assert row["pos"]
        assert row["neg"]
        same = normalised(pl.Series([*row["pos"], *row["neg"]]), language="code").to_list()
        assert not {*same[: len(row["pos"])]} & {*same[len(row["pos"]) :]}
        assert len(row["neg"]) == len({*row["neg"]})


def test_a_pipeline_file_is_held_to_the_same_form(tmp_path: Path) -> None:
    """The fault is told with the pipeline's others, before any work."""
    file = tmp_path / "p.toml"
    file.write_text('[[stage]]\nname = "lines"\nuse = "export flag-embedding"\ninput = "none.parquet"\noutput = "train.parquet"\n')
    told = call("run", file)
    assert told.code == 2
    assert "stage 'lines': export flag-embedding does not write -o train.parquet" in told.err
