"""Random candidates: keyed, without replacement, never short while the corpus has texts."""

from __future__ import annotations

from collections import Counter

import polars as pl

import negforge

TITLE = "generate mine.random"


def corpus_of(size: int) -> pl.DataFrame:
    """A corpus of distinct texts."""
    return pl.DataFrame({"id": [f"{number:05d}" for number in range(size)], "text": [f"text number{number}" for number in range(size)]})


def anchors(count: int) -> pl.DataFrame:
    """Pairs with an anchor each."""
    return pl.DataFrame(
        {"anchor": [f"anchor {number}" for number in range(count)], "positive": [f"positive {number}" for number in range(count)]}
    )


def test_every_text_is_about_equally_likely() -> None:
    """Over many anchors no text of the corpus is favoured: a chi-squared of 49 degrees of freedom stays in bounds."""
    made = negforge.run(TITLE, anchors(2000), corpus=corpus_of(50), num_negatives=5, seed=1).kept
    found = Counter(made["negative_id"])
    expected = 2000 * 5 / 50
    assert len(found) == 50
    assert sum((count - expected) ** 2 / expected for count in found.values()) < 95


def test_a_large_corpus_is_drawn_from_evenly_too() -> None:
    """The path for corpora larger than the draws covers both halves alike and repeats nothing within an anchor."""
    made = negforge.run(TITLE, anchors(500), corpus=corpus_of(20_000), num_negatives=8).kept
    assert made.height == 4000
    assert made.select("anchor_id", "negative_id").is_unique().all()
    low = made.filter(pl.col("negative_id") < "10000").height
    assert abs(low - 2000) < 200


def test_an_anchor_is_short_only_when_the_corpus_is_exhausted() -> None:
    """With all but three texts known positives, three are found and the shortage is counted (FlagOpen/FlagEmbedding#464)."""
    corpus = corpus_of(40)
    pairs = pl.DataFrame({"anchor": ["one anchor"] * 37, "positive": corpus["text"][:37]})
    made = negforge.run(TITLE, pairs, corpus=corpus, num_negatives=5)
    counts = made.report.counts
    assert (counts["asked"], counts["emitted"], counts["short"]) == (5, 3, 2)
    negative = made.kept.filter(pl.col("label") == "negative")
    assert set(negative["negative"]) == set(corpus["text"][37:])


def test_seeds_differ_and_repeat() -> None:
    """One seed gives the same rows again, another gives others (huggingface/sentence-transformers mining had no seed)."""
    runs = {seed: negforge.run(TITLE, anchors(30), corpus=corpus_of(500), num_negatives=3, seed=seed).kept for seed in (0, 1)}
    again = negforge.run(TITLE, anchors(30), corpus=corpus_of(500), num_negatives=3, seed=0).kept
    assert again.equals(runs[0])
    assert set(runs[0]["negative_id"]) != set(runs[1]["negative_id"])
    assert set(runs[0]["id"]).isdisjoint(runs[1]["id"])


def test_an_empty_corpus_refuses_every_anchor() -> None:
    """No text to choose from leaves every anchor dropped with its reason."""
    made = negforge.run(TITLE, anchors(3), corpus=corpus_of(1).clear(), num_negatives=2)
    assert made.kept.height == 0
    assert made.report.counts["refused"] == {"no-candidate": 6}


def test_blank_texts_are_never_chosen() -> None:
    """Blank texts of a corpus are passed over and counted (sentence-transformers returned them as negatives)."""
    corpus = pl.DataFrame({"id": ["a", "b", "c", "d"], "text": ["", "  ", "real one", "real two"]})
    made = negforge.run(TITLE, anchors(4), corpus=corpus, num_negatives=2)
    assert set(made.kept["negative"]) == {"real one", "real two"}
    assert made.report.counts["emitted"] == 8


def test_the_number_of_slots_never_reorders_a_corpus() -> None:
    """About the size where shuffling ends and drawing begins, more slots begin with those that fewer give, to the last text."""
    for size in (1024, 1025, 1100, 1170):
        corpus = corpus_of(size)
        few, more, whole = (
            negforge.run(TITLE, anchors(1), corpus=corpus, num_negatives=k).kept.sort("draw")["negative_id"].to_list() for k in (1, 9, size)
        )
        assert (more[:1], whole[:9]) == (few, more), size
        assert len({*whole}) == size
