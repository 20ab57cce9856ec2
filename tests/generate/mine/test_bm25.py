"""BM25 candidates: exact scores, ties by id, the index cache, vetoed positives."""

from __future__ import annotations

import json
import math
import os
import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import negforge
from tests.shell import Children

TITLE = "generate mine.bm25"


def table(*texts: str) -> pl.DataFrame:
    """A corpus of these texts, with ids in their order."""
    return pl.DataFrame({"id": [f"d{number:02d}" for number in range(len(texts))], "text": list(texts)})


def one_pair(anchor: str, positive: str = "something else") -> pl.DataFrame:
    """One pair."""
    return pl.DataFrame({"id": ["p"], "anchor_id": ["a"], "anchor": [anchor], "positive": [positive]})


def test_scores_follow_the_formula() -> None:
    """The score is the sum over words of idf times the saturated frequency, with k1 1.2 and b 0.75, worked by hand."""
    texts = ["red apple", "red red pear tree", "green apple", "blue plum"]
    made = negforge.run(TITLE, one_pair("red apple"), corpus=table(*texts), num_negatives=3).kept
    lengths = [len(text.split()) for text in texts]
    average = sum(lengths) / len(texts)

    def score(text: str) -> float:
        words, total = text.split(), 0.0
        for word in ("red", "apple"):
            holding = sum(word in other.split() for other in texts)
            idf = math.log(1 + (len(texts) - holding + 0.5) / (holding + 0.5))
            count = words.count(word)
            total += idf * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * len(words) / average))
        return total

    expected = {text: score(text) for text in texts if score(text)}
    assert made["negative"].to_list() == sorted(expected, key=lambda text: -expected[text])
    for row in made.to_dicts():
        assert row["score_bm25"] == pytest.approx(expected[row["negative"]], rel=1e-5)


def test_ties_are_cut_by_id_whatever_the_order_of_the_corpus() -> None:
    """Texts of one score come in the order of their ids, also where the depth cuts among them."""
    texts = [f"same words {'x' * 3} number{n}" for n in range(60)]
    frame = table(*texts)
    for corpus in (frame, frame.reverse(), frame.sample(fraction=1, shuffle=True, seed=8)):
        made = negforge.run(TITLE, one_pair("same words"), corpus=corpus, num_negatives=10, depth=10).kept
        assert made["negative_id"].to_list() == [f"d{number:02d}" for number in range(10)]


def test_a_list_of_equal_scores_longer_than_the_first_read_is_read_to_its_end() -> None:
    """With hundreds of ties around the cut, the ids chosen are still the lowest ones."""
    frame = pl.DataFrame({"id": [f"{number:04d}" for number in range(900)], "text": [f"tie w{number}" for number in range(900)]})
    made = negforge.run(TITLE, one_pair("tie"), corpus=frame.sample(fraction=1, shuffle=True, seed=1), num_negatives=5, depth=5).kept
    assert made["negative_id"].to_list() == ["0000", "0001", "0002", "0003", "0004"]


def test_a_positive_under_another_id_case_or_spacing_never_comes_out(pairs: pl.DataFrame, corpus: pl.DataFrame) -> None:
    """Copies of a positive in the corpus are vetoed and labelled positive (huggingface/sentence-transformers#1346, Dayallenr/RAG#10)."""
    made = negforge.run(TITLE, pairs, corpus=corpus, num_negatives=8)
    copies = {"q13": "d161", "q41": "d162"}
    rows = made.kept.filter(pl.col("negative_id").is_in(list(copies.values())))
    assert {(one["anchor_id"], one["negative_id"]) for one in rows.filter(pl.col("label") == "positive").to_dicts()} >= set(copies.items())
    for one in made.kept.filter(pl.col("label") == "negative").to_dicts():
        assert copies.get(one["anchor_id"]) != one["negative_id"]
    assert made.report.counts["vetoed"]["known-positive"] > 0
    assert made.report.counts["emitted"] + made.report.counts["short"] == 8 * 70


def test_without_verification_the_positives_do_come_out(pairs: pl.DataFrame, corpus: pl.DataFrame) -> None:
    """With the verifiers switched off the known positives stand as negatives, and no evidence is claimed."""
    made = negforge.run(TITLE, pairs, corpus=corpus, num_negatives=8, verify=False).kept
    own = made.filter(pl.col("negative_id") == pl.col("positive_id"))
    assert own.height > 60
    assert (own["label"] == "negative").all()
    assert set(made.filter(pl.col("anchor_id") == "q13")["negative_id"]) & {"d025", "d161"}
    assert made["evidence"].list.len().max() == 0
    assert not [name for name in made.columns if name.startswith("verdict_")]


def test_another_positive_of_the_same_anchor_never_comes_out() -> None:
    """An anchor with two positives gets neither of them for the other (huggingface/sentence-transformers#2848)."""
    corpus = table("cats purr softly", "cats purr at night", "cats sleep", "dogs bark")
    both = pl.DataFrame({"anchor": ["cats purr"] * 2, "positive": ["Cats purr softly.", "cats  purr at night"]})
    made = negforge.run(TITLE, both, corpus=corpus, num_negatives=4)
    negative = made.kept.filter(pl.col("label") == "negative")
    assert negative["negative"].to_list() == ["cats sleep", "cats sleep"]
    assert negative["positive"].to_list() != negative["positive"].reverse().to_list()
    assert made.report.counts["asked"] == 4
    assert (made.report.counts["emitted"], made.report.counts["short"]) == (1, 3)


def test_an_anchor_with_many_positives_is_mined_once() -> None:
    """Slots are counted per anchor, and each pair has a row for each text (huggingface/sentence-transformers#2848)."""
    corpus = table(*(f"topic word{n} filler" for n in range(30)))
    many = pl.DataFrame({"anchor": ["topic"] * 500, "positive": [f"right answer {n}" for n in range(500)]})
    made = negforge.run(TITLE, many, corpus=corpus, num_negatives=3)
    assert (made.report.counts["asked"], made.report.counts["emitted"]) == (3, 3)
    assert made.kept.height == 1500
    assert made.kept["negative"].n_unique() == 3
    assert made.kept["id"].is_unique().all()


def test_near_the_positive_by_the_same_formula() -> None:
    """SimANS: positives are scored as candidates are; a huge `a` takes those nearest the best of an anchor's."""
    corpus = table("red pear", "red red", "red apple tree on a hill", "red apple", "red red red", "apple")
    right = pl.DataFrame({"id": ["p", "r"], "anchor_id": ["a", "a"], "anchor": ["red"] * 2, "positive": ["Red apple!", "sky"]})
    given: dict[str, Any] = {"corpus": corpus, "num_negatives": 4, "sampling": "near-positive"}
    made = negforge.run(TITLE, right, **given, sharpness=1e6).kept
    plain = negforge.run(TITLE, right, corpus=corpus, num_negatives=4).kept
    rows = made.filter(pl.col("source_id") == "p").sort("draw")
    of_it = plain.filter(pl.col("negative") == "red apple")["score_bm25"][0]
    assert rows["score_bm25_positive"].to_list() == pytest.approx([of_it] * rows.height, rel=1e-5)
    assert {*rows["score_bm25_weakest"]} == {0.0}
    assert made.filter(pl.col("source_id") == "r")["score_bm25_positive"].unique().to_list() == [0.0]
    assert rows["negative"][0] == "red apple"  # the positive itself, which is vetoed
    assert rows["label"].to_list() == ["positive", *["negative"] * 4]
    far = (rows["score_bm25"] - of_it).abs().to_list()
    assert far == sorted(far)
    assert plain["draw"].to_list() != made["draw"].to_list() or plain["negative"].to_list() != made["negative"].to_list()
    assert "score_bm25_positive" not in plain.columns


@pytest.mark.parametrize("sampling", ["random", "near-positive"])
def test_a_sampled_run_depends_on_its_seed_alone(sampling: str, pairs: pl.DataFrame, corpus: pl.DataFrame) -> None:
    """Any batch and order of rows gives the same, another seed another; the best are not always first."""
    digests = [
        negforge.run(
            TITLE, rows, corpus=corpus, sampling=sampling, sharpness=0.01, num_negatives=3, seed=seed, batch_size=size
        ).report.outcome.digests["content_digest"]
        for rows, seed, size in ((pairs, 1, 10_000), (pairs.reverse(), 1, 3), (pairs, 2, 10_000))
    ]
    assert digests[0] == digests[1] != digests[2]


def test_no_shared_word_is_a_refusal_that_stays() -> None:
    """An anchor that shares no word with the corpus is dropped as `no-candidate`, its texts kept."""
    made = negforge.run(TITLE, one_pair("zzz qqq"), corpus=table("one", "two"), num_negatives=2)
    assert made.kept.height == 0
    assert made.dropped.select("source_id", "drop_reason", "anchor", "draw").rows() == [("p", "no-candidate", "zzz qqq", -1)]
    assert made.report.counts["refused"] == {"no-candidate": 2}


@pytest.mark.parametrize(
    "anchor", ['body:(a OR "b', "+must -not *:* [a TO b]", "^2 ~ \\ / AND", "\u202e\x00 emoji \U0001f600", "x" * 70_000]
)
def test_an_anchor_is_never_a_query_language(anchor: str) -> None:
    """Signs of a query syntax, control characters and very long words are just text."""
    made = negforge.run(TITLE, one_pair(anchor), corpus=table("a b must not and", "emoji x"), num_negatives=1)
    assert made.kept.height + made.dropped.height == 1


def test_the_index_is_cached_under_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same texts in another order or file find the same index; one changed text or another tokeniser makes a new one."""
    monkeypatch.setenv("NEGFORGE_CACHE", str(tmp_path))
    frame = table("one apple", "two pears", "three plums")
    pair = one_pair("apple pears plum")

    def indexes() -> set[str]:
        return {path.name for path in tmp_path.glob("bm25-*")}

    negforge.run(TITLE, pair, corpus=frame)
    first = indexes()
    assert len(first) == 1
    negforge.run(TITLE, pair, corpus=frame.reverse(), depth=7)
    assert indexes() == first
    english = negforge.run(TITLE, pair, corpus=frame, tokeniser="english", num_negatives=3).kept
    assert english.height == 3  # stemming finds plums
    changed = frame.with_columns(pl.col("text").str.replace("three", "four"))
    negforge.run(TITLE, pair, corpus=changed)
    assert len(indexes()) == 3


def test_a_title_is_part_of_the_text() -> None:
    """A corpus text with a title is title, a space, text, for the search and in the row."""
    corpus = table("body words").with_columns(pl.lit("Rare Heading").alias("title"))
    made = negforge.run(TITLE, one_pair("rare"), corpus=corpus).kept
    assert made["negative"].to_list() == ["Rare Heading body words"]


def test_repeated_texts_under_other_ids_take_one_slot() -> None:
    """A corpus that holds a text twice gives it once for an anchor (taolei87/askubuntu#1)."""
    corpus = table("apple pie", "Apple  pie", "apple tart", "apple juice")
    made = negforge.run(TITLE, one_pair("apple"), corpus=corpus, num_negatives=3)
    assert made.kept["negative_id"].n_unique() == 3
    assert {"d00", "d01"} - set(made.kept["negative_id"])
    assert made.report.counts["repeated"] == 1


def test_settings_of_the_search_are_recorded(pairs: pl.DataFrame, corpus: pl.DataFrame, tmp_path: Path) -> None:
    """k1, b, tokeniser, depth and the corpus digest are in the stage's record (texttron/tevatron#87, #107)."""
    from negforge.store import Dataset

    negforge.run(TITLE, pairs, corpus=corpus, output=str(tmp_path / "d"))
    options = Dataset(tmp_path / "d").manifest(1)["stages"][-1]["options"]
    assert {"k1": 1.2, "b": 0.75, "tokeniser": "simple", "depth": 100}.items() <= options.items()
    assert len(options["corpus"]) == 32


def test_scifact_counts(real_data: Path, tmp_path: Path) -> None:
    """SciFact's 809 claims get 8 negatives each, none of them a judged document; the digest is the same in any batching."""
    folder = real_data / "scifact"
    negforge.run("ingest beir", str(folder), split="train", output=str(tmp_path / "pairs.parquet"))
    negforge.run("ingest corpus", str(folder / "corpus.jsonl.gz"), output=str(tmp_path / "corpus.parquet"))
    pairs, corpus = str(tmp_path / "pairs.parquet"), str(tmp_path / "corpus.parquet")
    made = negforge.run(TITLE, pairs, corpus=corpus, num_negatives=8)
    counts = made.report.counts
    assert (counts["seen"], counts["asked"], counts["emitted"], counts["short"]) == (919, 6472, 6472, 0)
    judged = set(pl.read_parquet(pairs).select("anchor_id", "positive_id").rows())
    wrong = made.kept.filter(pl.col("label") == "negative")
    assert not set(wrong.select("anchor_id", "negative_id").rows()) & judged
    # Every vetoed candidate is a judged document: SciFact's corpus holds no copies of them.
    assert set(made.kept.filter(pl.col("label") == "positive").select("anchor_id", "negative_id").rows()) <= judged
    other = pl.read_parquet(pairs).sample(fraction=1, shuffle=True, seed=3)
    again = negforge.run(TITLE, other, corpus=corpus, num_negatives=8, batch_size=97, workers=2)
    assert again.report.outcome.digests["rows_digest"] == made.report.outcome.digests["rows_digest"]


# -- killed while it indexes -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six hundred texts of the words of forty, many of them tied."""
    draw = random.Random(3)
    words = [f"word{number}" for number in range(40)]
    frame = pl.DataFrame({"id": [f"{n:03d}" for n in range(600)], "text": [" ".join(draw.choices(words, k=8)) for _ in range(600)]})
    path = tmp_path_factory.mktemp("texts") / "corpus.parquet"
    frame.write_parquet(path)
    return path


def test_an_index_killed_again_and_again_goes_on_and_finds_the_same(tmp_path: Path, texts: Path, children: Children) -> None:
    """Twenty kills -9: no half index is taken for whole, what was committed is not indexed again, and every score is the same."""
    job = {"job": "index", "corpus": str(texts)}
    (whole,) = children.run({**job, "path": tmp_path / "whole"})
    assert whole["fed"] == 600
    draw = random.Random(9)
    caches = [tmp_path / f"cache-{number}" for number in range(10)]
    done = dict.fromkeys(caches, 0)
    for _ in range(2):
        at = {cache: draw.randrange(1, 250) for cache in caches}
        assert all(died["killed"] for died in children.run(*({**job, "path": cache, "text": text} for cache, text in at.items())))
        for cache, text in at.items():
            assert not [*cache.glob("bm25-*")]
            done[cache] += max(0, text - 32)  # a commit each 32 texts
    for cache, last in zip(caches, children.run(*({**job, "path": cache} for cache in caches)), strict=True):
        assert last["code"] == 0
        assert last["fed"] <= 600 - done[cache]
        assert last["found"] == whole["found"]
        assert [path.name for path in cache.iterdir() if path.name.startswith("build-")] == []
        (index,) = cache.glob("bm25-*")
        known = {one["segment_id"].replace("-", "") for one in json.loads((index / "meta.json").read_text(encoding="utf-8"))["segments"]}
        assert {path.stem for path in index.iterdir() if path.suffix in (".term", ".idx", ".fast")} <= known


@pytest.mark.parametrize("delay", [0.3, 0.7])
def test_an_index_killed_while_it_commits(tmp_path: Path, texts: Path, children: Children, delay: float) -> None:
    """Killed by the clock, in the midst of whatever the library writes."""
    (whole,) = children.run({"job": "index", "corpus": str(texts), "path": tmp_path / "whole"})
    job = {"job": "index", "corpus": str(texts), "path": tmp_path / "cache"}
    for part in range(3):
        children.run({**job, "delay": delay * (1 + part / 7)})
    (last,) = children.run(job)
    assert (last["code"], last["found"]) == (0, whole["found"])


@pytest.mark.parametrize("harm", ["meta.json", ".fast", "all"])
def test_what_a_killed_build_left_damaged_is_built_anew(tmp_path: Path, texts: Path, children: Children, harm: str) -> None:
    """A disk may lose what a power cut interrupted; the cache is never a reason to fail."""
    job = {"job": "index", "corpus": str(texts), "path": tmp_path}
    children.run({**job, "text": 300})
    (begun,) = tmp_path.glob("build-bm25-*/new")
    for path in begun.iterdir():
        if harm in ("all", path.name, path.suffix):
            path.write_bytes(path.read_bytes()[:-9])
    (last,) = children.run(job)
    assert (last["code"], last["fed"]) == (0, 600)


def test_two_who_want_one_index_build_it_once(tmp_path: Path, texts: Path, children: Children) -> None:
    """The one waits for the other, and finds what it made."""
    job = {"job": "index", "corpus": str(texts), "path": tmp_path}
    done = children.run(*[job] * 4)
    assert sorted(one["fed"] for one in done) == [0, 0, 0, 600]
    assert len({json.dumps(one["found"]) for one in done}) == 1


def test_a_build_that_nobody_went_on_with_is_removed_after_a_week(tmp_path: Path, texts: Path, children: Children) -> None:
    """Another corpus may be wanted by then; a younger one is kept."""
    old, young = tmp_path / "build-bm25-old", tmp_path / "build-bm25-young"
    for folder in (old, young):
        (folder / "new").mkdir(parents=True)
    os.utime(old, (1, 1))
    children.run({"job": "index", "corpus": str(texts), "path": tmp_path})
    assert (old.exists(), young.exists()) == (False, True)


def test_five_hundred_positives_leave_candidates() -> None:
    """As many more are looked at as an anchor has positives: they stand before everything else in its list."""
    right = [f"tide tide tide number {place}" for place in range(500)]
    corpus = pl.DataFrame({"text": [*right, *(f"tide of another sort, the kind {place}" for place in range(40))]})
    corpus = corpus.with_columns(pl.int_range(pl.len()).cast(pl.String).alias("id"))
    pairs = pl.DataFrame({"id": [f"p{place}" for place in range(500)], "anchor_id": "a", "anchor": "tide", "positive": right})
    made = negforge.run("generate mine.bm25", pairs, corpus=corpus, num_negatives=5)
    assert (made.report.counts["emitted"], made.report.counts["short"]) == (5, 0)
    assert not {*made.kept.filter(pl.col("label") == "negative")["negative"]} & {*right}
