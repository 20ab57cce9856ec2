"""`--when-short random`: what a miner leaves open is drawn from the corpus, for each anchor, and says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

import negforge
from negforge.cli import app
from tests.generate.mine.test_dense import mine

TEXTS = ["red apple", "red pear", "Red Plum", *(f"text number {place}" for place in range(30))]
CORPUS = pl.DataFrame({"id": [f"d{place:02d}" for place in range(len(TEXTS))], "text": TEXTS})
PAIRS = pl.DataFrame(
    {
        "id": ["p1", "p2", "p3"],
        "anchor_id": ["a", "a", "b"],
        "anchor": ["red?", "red?", "of nothing there"],
        "positive": ["red plum", "text number 7", "text number 8"],
        "positive_id": ["d02", None, "d11"],
    }
)
TITLE = "generate mine.bm25"


def mined(pairs: pl.DataFrame = PAIRS, **options: Any) -> negforge.Result:
    """Five negatives of each anchor, of which the first shares a word with three texts and the second with none."""
    return negforge.run(TITLE, pairs, corpus=CORPUS, **{"num_negatives": 5, "when_short": "random", **options})


def test_the_rest_is_drawn_and_says_so() -> None:
    """Every slot is filled; what the miner found comes first, and what was drawn has its miner and its evidence."""
    made = mined()
    counts = made.report.counts
    assert (counts["asked"], counts["emitted"], counts["short"], counts["filled"]) == (10, 10, 0, 8)
    rows = made.kept.filter(pl.col("label") == "negative")
    assert made.dropped.height == 0
    first = rows.filter(pl.col("source_id") == "p1").sort("draw")
    assert first["negative"].head(2).sort().to_list() == ["red apple", "red pear"]
    assert first["miner"].to_list() == ["bm25"] * 2 + ["random"] * 3
    assert first["evidence"].to_list() == [["not-known-positive"]] * 2 + [["not-known-positive", "shortage"]] * 3
    assert first["score_bm25"].null_count() == first["rank"].null_count() == 3
    assert rows.filter(pl.col("source_id") == "p2")["negative"].sort().to_list() == first["negative"].sort().to_list()
    assert made.kept["id"].is_unique().all()


@pytest.mark.parametrize("verify", [True, False])
def test_nothing_right_nor_chosen_is_drawn(verify: bool) -> None:
    """Positives by text and by id, the anchor's own text and what the miner gave stay out, also where nothing is verified."""
    corpus = pl.concat([CORPUS, pl.DataFrame({"id": ["e0", "e1"], "text": ["RED?", "Text  number 7."]})])
    made = negforge.run(TITLE, PAIRS, corpus=corpus, num_negatives=40, when_short="random", verify=verify)
    drawn = made.kept.filter(pl.col("miner") == "random")
    mine = drawn.filter(pl.col("source_id") == "p1")
    assert {*mine["negative"]} == {*TEXTS} - {"red apple", "red pear", "Red Plum", "text number 7"}
    assert "text number 8" not in drawn.filter(pl.col("anchor_id") == "b")["negative"].to_list()
    assert (drawn["label"] == "negative").all()
    assert made.report.counts["short"] == 80 - made.report.counts["emitted"]


def test_what_is_right_by_its_id_is_not_drawn() -> None:
    """A positive whose text in the corpus reads otherwise is known by its id, also where nothing is verified."""
    pairs = PAIRS.with_columns(pl.Series("positive_id", ["d20", None, "d11"]))
    made = mined(pairs, num_negatives=40, verify=False).kept.filter(pl.col("anchor_id") == "a")
    assert "d20" not in made["negative_id"].to_list()
    assert "d21" in made["negative_id"].to_list()


def test_it_depends_on_the_anchor_and_the_seed_alone() -> None:
    """Any batch, workers and order of rows and corpus; alone an anchor draws the same; fewer slots are the first of more."""
    digests = {
        mined(rows, batch_size=size, workers=workers).report.outcome.digests["content_digest"]
        for rows, size, workers in ((PAIRS, 1, 1), (PAIRS.reverse(), 2, 2), (PAIRS, 10_000, 1))
    }
    assert len(digests) == 1
    whole, alone = mined().kept, mined(PAIRS.filter(pl.col("anchor_id") == "b")).kept
    assert whole.filter(pl.col("anchor_id") == "b")["negative"].to_list() == alone["negative"].to_list()
    assert mined(seed=1).kept["negative"].to_list() != whole["negative"].to_list()
    two = mined(num_negatives=3).kept
    assert {*two.select("source_id", "negative").rows()} <= {*whole.select("source_id", "negative").rows()}


def test_without_it_rows_are_as_ever() -> None:
    """The option is in the lineage only where it is used; the columns are those of any run."""
    plain = mined(when_short="short")
    assert plain.report.counts["refused"] == {"no-candidate": 5}
    assert "filled" not in plain.report.counts
    assert plain.kept["id"].to_list() == negforge.run(TITLE, PAIRS, corpus=CORPUS, num_negatives=5).kept["id"].to_list()
    assert mined().kept.columns == plain.kept.columns
    assert mined(PAIRS.clear()).kept.schema == mined().kept.schema


@pytest.mark.parametrize("title", ["generate mine.fused", "generate mine.same-group", "generate mine.window"])
def test_every_miner_of_a_corpus_has_it(title: str, pairs: pl.DataFrame, corpus: pl.DataFrame) -> None:
    """One mechanism: all slots are filled, whatever the miner found."""
    given: dict[str, Any] = {"corpus": corpus.with_columns((pl.int_range(pl.len()) // 8).cast(pl.String).alias("group"))}
    given |= {"miners": ["bm25"]} if title.endswith("fused") else {}
    given |= {"first": 2, "last": 3} if title.endswith("window") else {}
    pairs = pairs.with_columns(pl.lit("3").alias("group")) if title.endswith("group") else pairs
    made = negforge.run(title, pairs, **given, num_negatives=120, when_short="random")
    counts = made.report.counts
    assert counts["filled"] > 0
    assert counts["asked"] == counts["emitted"] == 120 * pairs["anchor_id"].n_unique()
    drawn = made.kept.filter(pl.col("evidence").list.contains("shortage"))
    assert {*drawn["miner"]} == {"random"}
    assert drawn.height >= counts["filled"]


def test_an_anchor_that_was_refused_is_filled_too(tmp_path: Path) -> None:
    """Without a vector an anchor has no near texts; it has drawn ones, and is no refusal any more."""
    texts = {one: 3.0 * place for place, one in enumerate(CORPUS["id"])}
    made = mine(PAIRS, CORPUS, {"a": 0.0}, texts, tmp_path, num_negatives=4)
    assert made.report.counts["refused"] == {"no-vector": 4}
    made = mine(PAIRS, CORPUS, {"a": 0.0}, texts, tmp_path, num_negatives=4, when_short="random")
    assert (made.report.counts["refused"], made.report.counts["filled"], made.dropped.height) == ({}, 4, 0)
    assert {*made.kept.filter(pl.col("anchor_id") == "b")["miner"]} == {"random"}


def test_to_dpr_it_is_no_hard_negative() -> None:
    """What was drawn goes to `negative_ctxs`."""
    record = next(one for one in negforge.run("export dpr", mined().kept).kept.to_dicts() if one["q_id"] == "a")
    assert {one["text"] for one in record["hard_negative_ctxs"]} == {"red apple", "red pear"}
    assert len(record["negative_ctxs"]) == 3


def test_command_line(tmp_path: Path) -> None:
    """The summary tells how many slots were filled at random; an operator without a corpus has no such option."""
    PAIRS.write_parquet(tmp_path / "p.parquet")
    CORPUS.write_parquet(tmp_path / "c.parquet")
    command = ["generate", "mine.bm25", str(tmp_path / "p.parquet"), "--corpus", str(tmp_path / "c.parquet"), "-n", "5", "--to", "jsonl"]
    result = CliRunner().invoke(app, [*command, "--when-short", "random"])
    assert result.exit_code == 0, result.stderr
    assert "filled at random, for want of a better candidate: 8 (slots)" in result.stderr
    assert len(result.stdout.splitlines()) == 17
    result = CliRunner().invoke(app, ["generate", "perturb.number", str(tmp_path / "p.parquet"), "--when-short", "random"])
    assert result.exit_code == 2


def test_what_a_miner_keeps_away_from_is_not_drawn(tmp_path: Path) -> None:
    """Better ranks than a window's, the anchor's own class, cluster and document: what may be right there is drawn by nobody."""
    colours = {"red": [1.0, 0.0, 0.0], "blue": [0.1, 1.0, 0.0], "green": [0.0, 0.0, 1.0]}
    group = [colour for colour in colours for _ in range(20)]
    texts = [f"{colour} number {place}" for place, colour in enumerate(group)]
    corpus = pl.DataFrame({"id": [f"d{place}" for place in range(60)], "text": texts, "group": group})
    pairs = pl.DataFrame({"id": ["p"], "anchor_id": ["a"], "anchor": ["red?"], "positive": ["red number 3"], "positive_id": ["d3"]})
    corpus.select("id", pl.Series("vector", [colours[one] for one in group])).write_parquet(tmp_path / "c.parquet")
    pl.DataFrame({"id": ["a"], "vector": [colours["red"]]}).write_parquet(tmp_path / "a.parquet")
    vectors = {"corpus_vectors": str(tmp_path / "c.parquet"), "anchor_vectors": str(tmp_path / "a.parquet")}
    best = negforge.run("generate mine.bm25", pairs, corpus=corpus, num_negatives=8, verify=False).kept
    red = {*texts[:20]}
    miners: dict[str, tuple[dict[str, Any], set[str]]] = {
        "window": ({"first": 9, "last": 12}, {*best.sort("rank")["negative"].head(8)}),
        "same-group": ({}, red),
        "nearest-class": (vectors, red),
        "cluster": ({"clusters": 3, **vectors}, red),
    }
    for name, (options, closed) in miners.items():
        made = negforge.run(f"generate mine.{name}", pairs, corpus=corpus, num_negatives=50, when_short="random", **options).kept
        drawn = made.filter(pl.col("miner") == "random")
        assert drawn.height > 0
        assert not {*drawn["negative"]} & closed, name
        assert {tuple(one) for one in drawn["evidence"]} == {("not-known-positive", "shortage")}


def test_a_refusal_for_a_doubtful_class_stands(tmp_path: Path) -> None:
    """Of an anchor whose class is not known, or may be wrong, nobody knows which texts are wrong."""
    corpus = pl.DataFrame({"id": ["x", "y", "z"], "text": ["x x", "y y", "z z"], "group": ["1", "1", "2"]})
    pairs = pl.DataFrame(
        {"id": ["p", "q"], "anchor": ["one", "two"], "anchor_id": ["p", "q"], "positive": ["is 1", "is 2"], "group": ["1", "9"]}
    )
    vectors = {"x": [1.0, 0.0], "y": [0.9, 0.1], "z": [0.0, 1.0]}
    pl.DataFrame({"id": [*vectors], "vector": [*vectors.values()]}).write_parquet(tmp_path / "c.parquet")
    pl.DataFrame({"id": ["p", "q"], "vector": [[0.0, 1.0]] * 2}).write_parquet(tmp_path / "a.parquet")
    given = {"corpus_vectors": str(tmp_path / "c.parquet"), "anchor_vectors": str(tmp_path / "a.parquet")}
    made = negforge.run("generate mine.nearest-class", pairs, corpus=corpus, num_negatives=2, when_short="random", **given)
    assert made.kept.height == 0
    assert made.dropped.sort("source_id")["drop_reason"].to_list() == ["suspect-label", "group-not-in-corpus"]


def test_demonstrations_that_leak_are_not_drawn(tmp_path: Path) -> None:
    """Whoever is short there has seen the whole bank: there is no such option."""
    with pytest.raises(negforge.NegforgeError, match="no option 'when_short'"):
        negforge.run("generate mine.demonstrations", PAIRS, corpus=CORPUS, demo_label="text", model="m", when_short="random")
