"""Other texts of the same group: never the positive's words again, never an overlap, fewer rather than a false one."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import negforge
from negforge.errors import InputError

TITLE = "generate mine.same-group"


def sentence(number: int, words: int = 12) -> str:
    """A sentence of words that no other number's has."""
    return " ".join(f"w{number}x{place}" for place in range(words)) + "."


def corpus_of(texts: list[str], group: str | None = "d", **more: list[int]) -> pl.DataFrame:
    """A corpus of one document's passages."""
    rows = {"id": [f"{group}-{number:04d}" for number in range(len(texts))], "text": texts, "group": [group] * len(texts)}
    return pl.DataFrame({**rows, **more})


def pair(positive: str = sentence(0), positive_id: str | None = "d-0000", anchor: str = "What does it say?", **more: Any) -> pl.DataFrame:
    """One pair."""
    row = {"anchor_id": "a", "anchor": anchor, "positive": positive, "positive_id": positive_id, **more}
    return pl.DataFrame(row, schema_overrides={"positive_id": pl.String})


def chosen(made: negforge.Result) -> list[str]:
    """The ids of the rows labelled negative, in order of preference."""
    return made.kept.filter(pl.col("label") == "negative").sort("draw")["negative_id"].to_list()


def test_only_members_of_the_positives_group_are_chosen() -> None:
    """The group comes from the pair, else from the positive's row in the corpus; other documents give nothing."""
    corpus = pl.concat([corpus_of([sentence(number) for number in range(6)]), corpus_of([sentence(9), sentence(10)], "e")])
    assert sorted(chosen(negforge.run(TITLE, pair(), corpus=corpus, num_negatives=9))) == [f"d-000{number}" for number in range(1, 6)]
    named = pair(positive_id=None, positive="something else", group="e")
    assert sorted(chosen(negforge.run(TITLE, named, corpus=corpus, num_negatives=9))) == ["e-0000", "e-0001"]


@pytest.mark.parametrize(
    ("corpus", "pairs", "reason"),
    [
        (corpus_of([sentence(0), sentence(1)], None), pair(), "no-group"),
        (corpus_of([sentence(0), sentence(1)]), pair(positive_id="unheard-of"), "no-group"),
        (corpus_of([sentence(0), sentence(1)]), pair(group="another"), "group-not-in-corpus"),
        (corpus_of([sentence(0)]), pair(), "only-member"),
        (corpus_of([sentence(0), sentence(0).upper()]), pair(), "near-copy"),
        (corpus_of([sentence(0), sentence(1, 40) + " " + sentence(0)[:60]]), pair(), "overlap"),
    ],
)
def test_an_anchor_without_a_negative_says_why(corpus: pl.DataFrame, pairs: pl.DataFrame, reason: str) -> None:
    """Each refusal has its reason, is counted in slots, and stands as a dropped row."""
    corpus = pl.concat([corpus.with_columns(pl.col("id").str.replace("None", "d")), corpus_of([sentence(5)], "f")], how="vertical_relaxed")
    made = negforge.run(TITLE, pairs, corpus=corpus, num_negatives=3)
    assert made.report.counts["refused"] == {reason: 3}
    assert (made.kept.height, made.dropped["drop_reason"].to_list()) == (0, [reason])
    if reason in ("near-copy", "overlap"):
        assert made.dropped["drop_value"].to_list() == [f"{reason} 1"]
        assert made.report.counts["passed"] == {reason: 1}


def test_a_document_that_repeats_itself_gives_fewer_negatives() -> None:
    """Copies of the positive, re-cased, re-spaced or with words changed, are passed over and the shortage is counted (RankGen)."""
    refrain = sentence(0, 30)
    edited = " ".join("other" if place % 7 == 3 else word for place, word in enumerate(refrain.split()))
    texts = [refrain, sentence(1), refrain.upper(), "  ".join(refrain.split()), edited, sentence(2), f"“{refrain}”"]
    made = negforge.run(TITLE, pair(refrain), corpus=corpus_of(texts), num_negatives=5)
    assert sorted(chosen(made)) == ["d-0001", "d-0005"]
    counts = made.report.counts
    assert (counts["asked"], counts["emitted"], counts["short"], counts["passed"]) == (5, 2, 3, {"near-copy": 4})
    assert "candidates passed over: repeated 0, blank 0, near-copy 4" in "\n".join(made.report.lines())


def test_a_passage_that_is_there_many_times_takes_one_slot() -> None:
    """Copies of one negative do not crowd out the only other one, wherever it comes in the order drawn."""
    corpus = corpus_of([sentence(0), *[sentence(1)] * 200, sentence(2)])
    for seed in range(3):
        made = negforge.run(TITLE, pair(), corpus=corpus, num_negatives=2, seed=seed)
        assert {*made.kept["negative"]} == {sentence(1), sentence(2)}
        assert (made.report.counts["emitted"], made.report.counts["short"]) == (2, 0)


def test_it_holds_without_verification_too() -> None:
    """The checks are the operator's own: `--no-verify` lets neither the positive nor a copy of it through."""
    texts = [sentence(0), sentence(0).upper(), sentence(1)]
    assert chosen(negforge.run(TITLE, pair(), corpus=corpus_of(texts), num_negatives=3, verify=False)) == ["d-0002"]


def test_a_copy_of_any_positive_of_the_anchor_is_no_negative() -> None:
    """Every positive of the anchor counts, of whatever pair; those of another anchor do not (sentence-transformers#2848)."""
    texts = [sentence(number) for number in range(4)]
    other = pair(sentence(2), "d-0002", "And what else?").with_columns(pl.lit("b").alias("anchor_id"))
    two = pl.concat([pair(), pair(sentence(1), None), other])
    made = negforge.run(TITLE, two, corpus=corpus_of(texts), num_negatives=3).kept.filter(pl.col("label") == "negative")
    assert set(made.filter(pl.col("anchor_id") == "a")["negative_id"]) == {"d-0002", "d-0003"}
    assert set(made.filter(pl.col("anchor_id") == "b")["negative_id"]) == {"d-0000", "d-0001", "d-0003"}


def test_the_thresholds_are_options() -> None:
    """A wider limit never adds a negative; at the loosest only texts with all triples in common are copies."""
    half = " ".join([*sentence(0).split()[:6], *sentence(1).split()[:6]])
    corpus = corpus_of([sentence(0), half])
    strict, usual, loose = (
        negforge.run(TITLE, pair(), corpus=corpus, near_copy=share, overlap_words=run) for share, run in ((0.2, 8), (0.3, 8), (1.0, 6))
    )
    assert (chosen(strict), strict.report.counts["refused"]) == ([], {"near-copy": 1})
    assert chosen(usual) == ["d-0001"]
    assert (chosen(loose), loose.report.counts["refused"]) == ([], {"overlap": 1})


def test_texts_without_blanks_compare_by_characters() -> None:
    """Chinese and Japanese have no word breaks: a copy with one character changed is still one."""
    texts = [
        "東京は日本の首都であり、人口が最も多い都市である。",
        "東京は日本の首都であり、人口が最も多い町である。",
        "富士山は静岡県と山梨県の間にある火山。",
    ]
    assert chosen(negforge.run(TITLE, pair(texts[0]), corpus=corpus_of(texts), num_negatives=2)) == ["d-0002"]


@st.composite
def windows(draw: st.DrawFn) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A document cut into windows that overlap, some of its paragraphs repeated, and a pair of two windows that follow."""
    numbers = draw(st.lists(st.integers(0, 12), min_size=6, max_size=20))
    words = [word for number in numbers for word in sentence(number, 8).split()]
    ends = [0]
    for word in words:
        ends.append(ends[-1] + len(word) + 1)
    size, step = draw(st.integers(6, 24)), draw(st.integers(2, 24))
    cuts = [(place, min(place + size, len(words))) for place in range(0, len(words), step)]
    rows: list[dict[str, Any]] = [
        {"id": f"s{low:04d}", "text": " ".join(words[low:high]), "group": "doc", "start": ends[low], "end": ends[high] - 1}
        for low, high in cuts
    ]
    first = draw(st.integers(0, len(rows) - 1))
    after = next((row for row in rows if row["start"] >= rows[first]["end"]), rows[0])
    anchor = rows[first]
    pairs = pl.DataFrame(
        {"anchor_id": [anchor["id"]], "anchor": [anchor["text"]], "positive": [after["text"]], "positive_id": [after["id"]]}
    )
    return pl.DataFrame(rows), pairs


@settings(max_examples=25)  # each runs a whole stage
@given(windows(), st.sampled_from(["random", "nearest"]), st.integers(1, 6))
def test_offsets_never_overlap_and_no_copy_is_chosen(made_of: tuple[pl.DataFrame, pl.DataFrame], order: str, k: int) -> None:
    """Over any windows of any document no negative touches the anchor or the positive, or holds a run of eight of their words."""
    corpus, pairs = made_of
    made = negforge.run(TITLE, pairs, corpus=corpus, num_negatives=k, order=order)
    places = {row["id"]: row for row in corpus.to_dicts()}
    anchor, positive = places[pairs["anchor_id"][0]], places[pairs["positive_id"][0]]
    for row in made.kept.filter(pl.col("label") == "negative").to_dicts():
        span = places[row["negative_id"]]
        for right in (anchor, positive):
            assert span["start"] >= right["end"] or span["end"] <= right["start"]
            words = right["text"].split()
            assert not any(" ".join(words[at : at + 8]) in span["text"] for at in range(len(words) - 7))
        gap = max(span["start"] - positive["end"], positive["start"] - span["end"])
        assert row["offset_distance"] == gap
    counts = made.report.counts
    assert counts["asked"] == counts["emitted"] + counts["short"] + sum(counts["refused"].values()) == k


def test_the_nearest_come_first() -> None:
    """With `--order nearest` negatives go by their distance from the positive, to both sides of it."""
    texts = [sentence(number) for number in range(9)]
    starts = [100 * number for number in range(9)]
    corpus = corpus_of(texts, start=starts, end=[start + 90 for start in starts])
    made = negforge.run(TITLE, pair(texts[4], "d-0004"), corpus=corpus, num_negatives=4, order="nearest")
    assert chosen(made) == ["d-0003", "d-0005", "d-0002", "d-0006"]
    assert made.kept.sort("draw")["offset_distance"].to_list() == [10, 10, 110, 110]
    unplaced = negforge.run(TITLE, pair(texts[4], None, group="d"), corpus=corpus, order="nearest")
    assert unplaced.report.counts["refused"] == {"no-position": 1}


def test_columns_of_offsets_may_have_other_names() -> None:
    """Offsets are found under the names given, and a name that is not there is an error with the nearest one."""
    texts = [sentence(number) for number in range(3)]
    corpus = corpus_of(texts, begin=[0, 90, 50], stop=[100, 200, 60])
    made = negforge.run(TITLE, pair(), corpus=corpus, start="begin", end="stop", num_negatives=2)
    assert (made.report.counts["refused"], made.report.counts["passed"]) == ({"overlap": 2}, {"overlap": 2})
    with pytest.raises(InputError, match="no column of offsets 'beginn'") as error:
        negforge.run(TITLE, pair(), corpus=corpus, start="beginn", end="stop")
    assert "--start begin," in str(error.value)


def test_a_missing_group_is_an_error_before_any_work() -> None:
    """A corpus without groups, and pairs that name neither a group nor a positive_id, are refused with the flag that mends it."""
    with pytest.raises(InputError, match="'group' is not in the corpus"):
        negforge.run(TITLE, pair(), corpus=corpus_of([sentence(0)]).drop("group"))
    with pytest.raises(InputError, match="no pair says which group"):
        negforge.run(TITLE, pair().drop("positive_id"), corpus=corpus_of([sentence(0)]))


def test_another_grouping_is_another_corpus() -> None:
    """The same texts in other groups give other rows and another options_digest: the cached index is that of the content."""
    texts = [sentence(number) for number in range(4)]
    one = corpus_of(texts)
    other = one.with_columns(pl.Series("group", ["d", "e", "d", "e"]))
    first, second = (negforge.run(TITLE, pair(), corpus=corpus, num_negatives=3).kept for corpus in (one, other))
    assert (first.height, second["negative_id"].to_list()) == (3, ["d-0002"])
    assert set(first["options_digest"]).isdisjoint(second["options_digest"])


def test_a_huge_class_is_drawn_from_and_never_read_whole() -> None:
    """Of 20,000 members some are drawn, each about as likely, and more slots begin with those that fewer slots give."""
    size = 20_000
    corpus = pl.DataFrame(
        {"id": [f"{n:06d}" for n in range(size)], "text": [f"text number{n}" for n in range(size)], "group": ["c"] * size}
    )
    pairs = pl.DataFrame({"anchor": [f"anchor {n}" for n in range(300)], "positive": ["a positive"] * 300, "group": ["c"] * 300})
    few, many = (negforge.run(TITLE, pairs, corpus=corpus, num_negatives=k).kept for k in (2, 5))
    assert (few.height, many.height) == (600, 1500)
    assert set(few.select("anchor_id", "negative_id").rows()) <= set(many.select("anchor_id", "negative_id").rows())
    assert many.select("anchor_id", "negative_id").is_unique().all()
    low = many.filter(pl.col("negative_id") < f"{size // 2:06d}").height
    assert abs(low - 750) < 100


def test_the_number_of_slots_never_reorders_a_group() -> None:
    """About the size where shuffling a group ends and drawing begins, k and k + 3 negatives still agree on the first k."""
    for size in (1023, 1024, 1025, 1100):
        corpus = corpus_of([sentence(number, 3) for number in range(size)])
        few, many, whole = (chosen(negforge.run(TITLE, pair(sentence(0, 3)), corpus=corpus, num_negatives=k)) for k in (3, 6, size - 1))
        assert (many[:3], whole[:6]) == (few, many), size
        assert len({*whole}) == size - 1


def test_real_paragraphs_of_one_article(real_data: Path) -> None:
    """Of SQuAD's paragraphs every question gets its four, all of its own article, none of them a paragraph it is asked of."""
    articles = json.loads((real_data / "squad2_sample" / "small.json").read_text(encoding="utf-8"))["data"]
    rows, pairs = [], []
    for article in articles:
        for number, part in enumerate(article["paragraphs"]):
            rows.append({"id": f"{article['title']}-{number}", "text": part["context"], "group": article["title"]})
            pairs += [
                {"anchor_id": one["id"], "anchor": one["question"], "positive": part["context"], "positive_id": rows[-1]["id"]}
                for one in part["qas"]
                if not one["is_impossible"]
            ]
    made = negforge.run(TITLE, pl.DataFrame(pairs), corpus=pl.DataFrame(rows), num_negatives=4)
    assert made.report.counts["emitted"] == 4 * len(pairs) == 1172
    groups = {row["id"]: row["group"] for row in rows}
    assert all(groups[one] == groups[other] != "" for one, other in made.kept.select("negative_id", "positive_id").rows())
    assert (made.kept["negative_id"] != made.kept["positive_id"]).all()


def test_real_copies_are_known(real_data: Path) -> None:
    """Of 336 passages of CondaQA that people paraphrased or edited, beside the one they were made from, one passes as another text."""
    with gzip.open(real_data / "condaqa" / "condaqa_dev.json.gz", "rt", encoding="utf-8") as lines:
        found = {(row["PassageID"], int(row["PassageEditID"])): row["sentence1"] for row in map(json.loads, lines)}
    edits = {key: text for key, text in found.items() if (key[0], 0) in found}
    corpus = pl.DataFrame([{"id": f"{one}-{edit}", "text": text, "group": str(one)} for (one, edit), text in edits.items()])
    pairs = pl.DataFrame(
        [{"anchor": f"passage {one}", "positive": text, "positive_id": f"{one}-0"} for (one, edit), text in edits.items() if edit == 0]
    )
    made = negforge.run(TITLE, pairs, corpus=corpus, num_negatives=3)
    assert corpus.height - pairs.height == 336
    assert (sum(made.report.counts["passed"].values()), made.kept.height) == (335, 1)
