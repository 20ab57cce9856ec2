"""`--promote`: a false negative that a verifier proves becomes a further positive of its anchor, everywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

import negforge
from negforge import promoting
from negforge.cli import app
from negforge.labels import labelled
from negforge.tables import open_sources
from tests.export.cases import LAYOUTS

ANSWERING = "The river Thames flows through London, and its tide is felt up to Teddington."
GOLD = "London lies on the river Thames."
OTHERS = [f"The river number {place} flows through a town of its own." for place in range(18)]
TEXTS = [GOLD, ANSWERING, *OTHERS]
CORPUS = pl.DataFrame({"id": [f"d{place:02d}" for place in range(len(TEXTS))], "text": TEXTS})
PAIRS = pl.DataFrame(
    {
        "id": ["p", "p2"],
        "anchor_id": ["q", "q2"],
        "anchor": ["Which river flows through London?", "Which river flows through a town?"],
        "positive": [GOLD, "The river number 3 flows through a town of its own."],
        "positive_id": ["d00", "d05"],
        "answers": [["Thames"], ["number 3"]],
    }
)


def mined(**more: Any) -> pl.DataFrame:
    """Six negatives of each question, kept rows of every label."""
    return negforge.run("generate mine.bm25", PAIRS, corpus=CORPUS, num_negatives=6, **more).kept


def checked(**more: Any) -> negforge.Result:
    """Those that hold the answer promoted."""
    return negforge.run("verify answer-match", mined(), promote=True, **more)


def test_a_document_that_answers_joins_the_positives() -> None:
    """AR2: of 20 documents one answers and is not gold; it leaves the negatives and stands behind the gold one."""
    made = checked()
    rows = made.kept.filter(pl.col("anchor_id") == "q")
    raised = rows.filter(pl.col("negative") == ANSWERING)
    assert raised.select("label", "verdict_answer_match", "verdict_promoted").rows() == [("positive", "positive", "positive")]
    assert rows.filter(pl.col("negative") != ANSWERING).filter(pl.col("label") == "negative").height == 5
    assert made.report.counts["promoted"] == {"answer-match": 1}
    lines = negforge.run("export dpr", made.kept, scores=None).kept.to_dicts()
    record = next(one for one in lines if one["q_id"] == "q")
    assert [one["text"] for one in record["positive_ctxs"]] == [GOLD, ANSWERING]
    assert [one["passage_id"] for one in record["positive_ctxs"]] == ["d00", "d01"]
    assert ANSWERING not in [one["text"] for one in record["hard_negative_ctxs"]]
    assert len(record["hard_negative_ctxs"]) == 5


def test_without_it_a_doubt_stays_a_doubt() -> None:
    """Nothing is promoted unless it is asked for, and then no layout shows it."""
    made = negforge.run("verify answer-match", mined())
    assert "promoted" not in made.report.counts
    assert made.kept.filter(pl.col("negative") == ANSWERING)["label"].to_list() == ["unknown"]
    record = next(one for one in negforge.run("export dpr", made.kept).kept.to_dicts() if one["q_id"] == "q")
    assert [one["text"] for one in record["positive_ctxs"]] == [GOLD]


@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_every_list_has_it_among_the_positives(layout: str) -> None:
    """Gold first, the promoted text behind it, and never among the negatives."""
    title, options, read = LAYOUTS[layout]
    held = read(negforge.run(title, checked().kept, **options))
    right, wrong = held[PAIRS["anchor"][0]]
    assert right == [GOLD, ANSWERING]
    assert ANSWERING not in wrong
    assert len(wrong) == 5


def test_flag_embedding_and_labelled_layouts() -> None:
    """FlagEmbedding's `pos`, and lists labelled 1 and 0."""
    kept = checked().kept
    row = negforge.run("export flag-embedding", kept).kept.row(0, named=True)
    line = next(one for one in negforge.run("export flag-embedding", kept).kept.to_dicts() if one["query"] == PAIRS["anchor"][0])
    assert line["pos"] == [GOLD, ANSWERING]
    assert set(row) == {"query", "pos", "neg"}
    lists = negforge.run("export sentence-transformers", kept, layout="labeled-list").kept.to_dicts()
    one = next(one for one in lists if one["query"] == PAIRS["anchor"][0])
    assert one["docs"][:2] == [GOLD, ANSWERING]
    assert one["labels"] == [1, 1, 0, 0, 0, 0, 0]


def test_triplets_and_tuples_have_a_pair_of_it() -> None:
    """A pair with every negative of its anchor; the provenance names the promoted row as the source."""
    kept = checked().kept
    row = kept.filter(pl.col("verdict_promoted") == "positive").row(0, named=True)
    made = negforge.run("export sentence-transformers", kept)
    of_it = made.kept.filter(pl.col("positive") == ANSWERING)
    assert of_it.height == 5
    assert ANSWERING not in made.kept["negative"].to_list()
    beside = made.asides["provenance"].filter(pl.Series(made.kept["positive"] == ANSWERING))
    assert beside["source_id"].unique().to_list() == [row["id"]]
    tuples = negforge.run("export sentence-transformers", kept, layout="n-tuple", n=4)
    assert tuples.kept.filter(pl.col("anchor") == PAIRS["anchor"][0])["positive"].sort().to_list() == sorted([GOLD, ANSWERING])
    counts = tuples.report.counts
    assert counts["seen"] == kept.height == counts["kept"] + sum(counts["dropped"].values())
    assert counts["dropped"] == {"beyond-n": 3, "label-positive": 2}
    assert {*tuples.dropped.columns} == {*kept.columns, "dropped_by", "drop_reason", "drop_value"}


def test_rows_depend_on_themselves_and_their_anchor() -> None:
    """Any batch and any order of rows gives the same, and a second run no more."""
    rows = mined()
    frames = [rows, rows.reverse(), rows.sample(fraction=1, shuffle=True, seed=3)]
    runs = [
        negforge.run("verify answer-match", frame, promote=True, batch_size=size, workers=workers)
        for frame, size, workers in zip(frames, (1, 3, 10_000), (1, 2, 1), strict=True)
    ]
    assert len({one.report.outcome.digests["content_digest"] for one in runs}) == 1
    again = negforge.run("verify answer-match", runs[0].kept, promote=True)
    assert again.report.outcome.digests["content_digest"] == runs[0].report.outcome.digests["content_digest"]
    assert runs[0].kept["label"].to_list() == labelled(runs[0].kept)["label"].to_list()
    exports = [negforge.run("export sentence-transformers", runs[0].kept, batch_size=size).kept for size in (1, 10_000)]
    assert exports[0].equals(exports[1])


def test_what_is_no_news_is_not_promoted() -> None:
    """The anchor itself, and what is its positive already, are known; the row stays as it was."""
    corpus = pl.DataFrame({"id": ["d00", "d01", "d02"], "text": [GOLD.upper(), "which river flows  through London", "The river Cam"]})
    made = negforge.run("generate mine.bm25", PAIRS.drop("positive_id"), corpus=corpus, num_negatives=2, promote=True)
    assert made.report.counts["vetoed"]["known-positive"] > 0
    assert made.report.counts["promoted"] == {}
    assert "  rows promoted to positives of their anchor: none that is not one already" in made.report.lines()
    assert made.kept.filter(pl.col("anchor_id") == "q", pl.col("label") == "positive")["verdict_promoted"].to_list() == ["unknown"] * 2


def test_right_for_the_same_question_under_another_id() -> None:
    """`generate` proves it by the default verifier, and promotes it: in a list of one question's answers the other's stand."""
    two = PAIRS.with_columns(pl.lit("Which river flows?").alias("anchor"))
    made = negforge.run("generate mine.bm25", two, corpus=CORPUS, num_negatives=19, promote=True)
    assert made.report.counts["promoted"] == {"known-positive": 2}
    raised = made.kept.filter(promoting.promoted(made.kept))
    assert {*raised.select("anchor_id", "negative_id").rows()} == {("q", "d05"), ("q2", "d00")}
    assert {*made.dropped.schema} >= {*made.kept.schema}
    lines = negforge.run("export flag-embedding", made.kept).kept.to_dicts()
    assert [{*one["pos"]} for one in lines] == [{*PAIRS["positive"]}] * 2
    assert all(not {*one["neg"]} & {*PAIRS["positive"]} for one in lines)
    plain = negforge.run("generate mine.bm25", two, corpus=CORPUS, num_negatives=19)
    assert plain.kept["id"].to_list() == made.kept["id"].to_list()


def test_a_text_that_was_written_is_right_somewhere_not_here() -> None:
    """`6 men` may be the positive of another anchor: it is no positive of this one for that."""
    pairs = pl.DataFrame({"id": ["a", "b"], "anchor": ["How many came?", "How many went?"], "positive": ["5 men.", "6 men."]})
    made = negforge.run("generate perturb.number", pairs, num_negatives=9, promote=True)
    said = made.kept.filter(pl.col("verdict_known_positive") == "positive")
    assert said.height > 0
    assert {*said["verdict_promoted"]} == {"unknown"}


def test_a_proof_of_the_contrary_or_another_vote_takes_it_back() -> None:
    """The label is a function of all verdicts; where no verifier says any more that it is right, it is promoted no more."""
    kept = checked().kept
    row = kept.filter(pl.col("verdict_promoted") == "positive")
    judged = labelled(row.with_columns(pl.lit("negative").alias("verdict_judge")))
    assert (judged["label"][0], promoting.promoted(judged).to_list()) == ("unknown", [False])
    other = kept.with_columns(pl.Series("answers", [["Severn"]] * kept.height))
    again = negforge.run("verify answer-match", other).kept
    assert not promoting.promoted(again).any()
    assert {*again.filter(pl.col("negative") == ANSWERING)["label"]} == {"negative"}


def test_the_same_text_in_another_row_is_promoted_with_it() -> None:
    """The rest of the anchor is looked at again: a copy whose row has no answers of its own is no negative either."""
    rows = mined()
    copy = rows.filter(pl.col("negative") == ANSWERING).with_columns(
        pl.lit("copy").alias("id"),
        pl.col("negative").str.to_uppercase(),
        pl.Series("answers", [[]], dtype=pl.List(pl.String)),
    )
    made = negforge.run("verify answer-match", pl.concat([rows, copy]), promote=True)
    assert made.kept.filter(pl.col("id") == "copy").select("label", "verdict_promoted").rows() == [("positive", "positive")]
    assert made.report.counts["promoted"] == {"answer-match": 2}
    lines = negforge.run("export flag-embedding", made.kept).kept.to_dicts()
    assert len(next(one for one in lines if one["query"] == PAIRS["anchor"][0])["pos"]) == 2


def test_the_weakest_positive_counts_it() -> None:
    """A margin compares with the least of the anchor's positives, promoted ones among them."""
    kept = checked().kept.with_columns(
        pl.when(pl.col("negative") == ANSWERING).then(0.5).otherwise(0.6).alias("score_x"), pl.lit(0.9).alias("score_x_positive")
    )
    made = negforge.run("filter margin", kept, by="x", absolute_margin=0.0)
    assert {*made.kept.filter(pl.col("anchor_id") == "q")["negative"]} == {GOLD, ANSWERING}
    assert {*made.dropped["anchor_id"]} == {"q"}
    scored = negforge.run("export tevatron", kept, scores="score_x").kept.to_dicts()
    line = next(one for one in scored if one["query_id"] == "q")
    assert [one["score"] for one in line["positive_passages"]] == [0.9, 0.5]


def test_an_anchor_without_a_negative_says_so() -> None:
    """A promoted text with nothing to set against is dropped from the export, by name."""
    kept = checked().kept.filter(promoting.promoted(checked().kept))
    made = negforge.run("export flag-embedding", kept)
    assert made.kept.height == 0
    assert made.report.counts["dropped"] == {"no-negative": 1}


def test_in_a_dataset(tmp_path: Path) -> None:
    """data/ holds negatives alone; exports of the folder have the promoted text, `check` finds nothing, the log tells it."""
    mined().write_parquet(tmp_path / "mined.parquet")
    data = tmp_path / "data"
    command = ["verify", "answer-match", str(tmp_path / "mined.parquet"), "--promote", "-o", str(data)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.stderr
    assert "rows promoted to positives of their anchor: answer-match 1" in result.stderr
    assert pl.read_parquet(data / "data" / "v1")["label"].unique().to_list() == ["negative"]
    manifest = json.loads((data / ".negforge" / "v1" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["stages"][-1]["promote"] is True
    assert CliRunner().invoke(app, ["check", str(data)]).exit_code == 0
    out = tmp_path / "train.jsonl"
    assert CliRunner().invoke(app, ["export", "flag-embedding", str(data), "-o", str(out)]).exit_code == 0
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [GOLD, ANSWERING] in [line["pos"] for line in lines]


def test_it_means_nothing_where_nothing_is_verified(tmp_path: Path) -> None:
    """An option that does nothing is an error."""
    PAIRS.write_parquet(tmp_path / "p.parquet")
    CORPUS.write_parquet(tmp_path / "c.parquet")
    command = ["generate", "mine.bm25", str(tmp_path / "p.parquet"), "--corpus", str(tmp_path / "c.parquet"), "--no-verify", "--promote"]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    assert "--promote means nothing where nothing is verified" in result.stderr


@pytest.mark.parametrize("within", ["pair", "anchor", "table"])
@pytest.mark.parametrize("title", ["dedupe exact", "dedupe near", "dedupe semantic"])
def test_no_negative_stands_for_it(title: str, within: str, tmp_path: Path) -> None:
    """The same text is a negative of another anchor, and nearly the same one of its own: what was promoted stays all the same."""
    near = ANSWERING.replace("tide", "water")
    kept = checked().kept
    row = kept.filter(pl.col("negative") == ANSWERING, pl.col("anchor_id") == "q")
    unlike = [pl.lit("unknown").alias(name) for name in ("verdict_answer_match", "verdict_promoted")]
    more = row.with_columns(pl.lit("n").alias("id"), pl.lit(near).alias("negative"), pl.lit("negative").alias("label"), *unlike)
    other = more.with_columns(pl.lit("o").alias("id"), pl.lit("q2").alias("anchor_id"), pl.lit(ANSWERING).alias("negative"))
    rows = pl.concat([kept, more, other])
    assert rows.filter(pl.col("negative") == ANSWERING)["label"].sort().to_list() == ["negative", "positive"]
    options: dict[str, Any] = {}
    if title.endswith("semantic"):
        texts = rows["negative"].unique().sort()
        table = pl.DataFrame({"text": texts, "vector": [[1.0, 0.0] if "Thames" in one else [0.0, 1.0] for one in texts]})
        table.write_parquet(tmp_path / "v.parquet")
        options = {"vectors": str(tmp_path / "v.parquet")}
    made = negforge.run(title, rows, within=within, **options)
    assert made.kept.filter(promoting.promoted(made.kept))["negative"].to_list() == [ANSWERING]
    if title.endswith("near"):  # where negatives are to be unlike the positives, it counts as one
        made = negforge.run(title, rows, within=within, against="positives")
        assert made.dropped.filter(pl.col("id") == "n")["drop_reason"].to_list() == ["near-positive"]
        assert promoting.promoted(made.kept).sum() == 1


def test_another_table_has_it_as_a_negative(tmp_path: Path) -> None:
    """Merged, it is no negative of its anchor, whatever mined it; the row that was promoted stays what it was."""
    words = ["verify", "answer-match", "--promote"]
    for name, frame in {"p": PAIRS, "c": CORPUS}.items():
        frame.write_parquet(tmp_path / f"{name}.parquet")
    at = {name: str(tmp_path / f"{name}.parquet") for name in "pcmvr"}
    for command in (
        ["generate", "mine.bm25", at["p"], "--corpus", at["c"], "-n", "6", "-o", at["m"]],
        [*words, at["m"], "-o", at["v"]],
        ["generate", "mine.random", at["p"], "--corpus", at["c"], "-n", "19", "-o", at["r"]],
        ["merge", at["v"], at["r"], "-o", str(tmp_path / "data")],
        ["check", str(tmp_path / "data")],
        ["merge", at["r"], at["v"], "-o", str(tmp_path / "other")],
    ):
        result = CliRunner().invoke(app, command)
        assert result.exit_code == 0, result.output
    rows = pl.concat([source for one in open_sources(str(tmp_path / "data")) for source in one.batches(1 << 10)], how="diagonal")
    found = rows.filter(pl.col("negative") == ANSWERING, pl.col("anchor_id") == "q").sort("operator")
    assert found.select("operator", "label", "verdict_known_positive", "verdict_promoted").rows() == [
        ("mine.bm25", "positive", "unknown", "positive"),
        ("mine.random", "positive", "positive", "unknown"),
    ]
    digests = [
        json.loads((tmp_path / name / ".negforge/v1/manifest.json").read_text())["stages"][-1]["rows_digest"] for name in ("data", "other")
    ]
    assert digests[0] == digests[1]
