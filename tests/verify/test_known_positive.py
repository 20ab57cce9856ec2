"""Known positives: of the anchor, of any anchor for written texts, by id, after normalising."""

from __future__ import annotations

import polars as pl
import pytest

import negforge
from negforge.labels import labelled

TITLE = "verify known-positive"


def negative(
    text: str, *, operator: str = "mine.bm25", anchor: str = "a1", negative_id: str | None = None, row: str = "n1"
) -> dict[str, object]:
    """One row of negatives."""
    return {
        "id": row,
        "anchor_id": anchor,
        "anchor": f"anchor of {anchor}",
        "positive": "the positive",
        "negative": text,
        "label": "negative",
        "opposition": "unrelated",
        "evidence": ["not-known-positive"],
        "source_id": "s",
        "source_ids": ["s"],
        "initial_label": "negative",
        "operator": operator,
        "operator_version": 1,
        "options_digest": "x",
        "seed": 0,
        "draw": 0,
        "negative_id": negative_id,
    }


POSITIVES = pl.DataFrame(
    {
        "id": ["p1", "p2", "p3"],
        "anchor_id": ["a1", "a1", "a2"],
        "anchor": ["anchor of a1", "anchor of a1", "anchor of a2"],
        "positive": ["The Right answer.", "two dogs, barking", "other's answer"],
        "positive_id": ["d1", None, "d3"],
    }
)


def verdict(row: dict[str, object]) -> str:
    """The verdict on one row."""
    made = negforge.run(TITLE, pl.DataFrame([row], schema_overrides={"negative_id": pl.String}), positives=POSITIVES).kept
    assert made["label"][0] == ("positive" if made["verdict_known_positive"][0] == "positive" else "negative")
    return str(made["verdict_known_positive"][0])


@pytest.mark.parametrize(
    "text",
    [
        "The Right answer.",
        "the right answer",
        "  THE   right\tanswer",
        "\u201cthe right answer\u201d",
        "2 dogs barking",
        "Two dogs barking!",
        "anchor of A1",
    ],
)
def test_a_positive_of_the_anchor_is_proven_however_it_is_written(text: str) -> None:
    """Case, spacing, sentence punctuation and number words do not hide a positive, nor does being the anchor itself."""
    assert verdict(negative(text)) == "positive"


@pytest.mark.parametrize("text", ["the right answers", "-2 dogs barking", "three dogs barking", ""])
def test_another_text_proves_nothing(text: str) -> None:
    """What is not known stays `unknown`: it is no proof of being wrong."""
    assert verdict(negative(text)) == "unknown"


def test_a_chosen_text_may_be_another_anchors_positive_and_a_written_one_may_not() -> None:
    """A passage is compared with its anchor's positives, a text that was written with every positive of the data."""
    assert verdict(negative("Other's answer")) == "unknown"
    assert verdict(negative("Other's answer", operator="perturb.number")) == "positive"
    assert verdict(negative("Other's answer", operator="taxonomy.sibling")) == "unknown"


def test_a_degenerate_answer_may_be_the_anchor_itself_but_no_positive() -> None:
    """A copied question is what it is meant to be; a copied claim, or any positive, is proven right."""
    row = {**negative("Anchor of a1.", operator="perturb.degenerate"), "opposition": "degenerate"}
    assert verdict(row) == "unknown"
    assert verdict({**row, "opposition": "noisy"}) == "positive"
    assert verdict({**row, "negative": "The right answer"}) == "positive"
    claim = POSITIVES.with_columns(pl.when(pl.col("id") == "p3").then(pl.lit("anchor of a1")).otherwise("positive").alias("positive"))
    made = negforge.run(TITLE, pl.DataFrame([row], schema_overrides={"negative_id": pl.String}), positives=claim).kept
    assert made["verdict_known_positive"].to_list() == ["positive"]


def test_ids_prove_too() -> None:
    """A document judged relevant is known by its id even if its text was edited."""
    assert verdict(negative("a reworded text", negative_id="d1")) == "positive"
    assert verdict(negative("a reworded text", negative_id="d3")) == "unknown"
    assert verdict(negative("anchor of a1 at length", negative_id=None)) == "unknown"


def test_verdicts_do_not_depend_on_memory() -> None:
    """An index built in many small partitions says the same as one built in memory."""
    count = 3000
    positives = pl.DataFrame({"anchor": [f"anchor {n % 100}" for n in range(count)], "positive": [f"positive {n}" for n in range(count)]})
    rows = [negative(f"positive {n}", operator="perturb.x", row=str(n)) for n in range(0, 2 * count, 7)]
    small, large = (
        negforge.run(TITLE, pl.DataFrame(rows), positives=positives, max_memory=memory).kept for memory in (1_000_000, 1_000_000_000)
    )
    assert small.equals(large)
    assert small["verdict_known_positive"].to_list() == ["positive" if n < count else "unknown" for n in range(0, 2 * count, 7)]


def test_the_order_of_verifiers_never_matters() -> None:
    """The label follows from all verdicts: running two verifiers in either order gives the same labels and evidence."""
    frame = pl.DataFrame([negative("The right answer"), negative("THE POSITIVE", row="n2"), negative("wrong", row="n3")])
    one = negforge.run("verify equivalent", negforge.run(TITLE, frame, positives=POSITIVES).kept).kept
    two = negforge.run(TITLE, negforge.run("verify equivalent", frame).kept, positives=POSITIVES).kept
    assert one.select(sorted(one.columns)).equals(two.select(sorted(two.columns)))
    assert one["label"].to_list() == ["positive", "positive", "negative"]


@pytest.mark.parametrize(
    ("initial", "verdicts", "label"),
    [
        ("negative", {}, "negative"),
        ("unknown", {}, "unknown"),
        ("negative", {"known_positive": "unknown"}, "negative"),
        ("unknown", {"known_positive": "unknown"}, "unknown"),
        ("negative", {"known_positive": "positive"}, "positive"),
        ("negative", {"known_positive": "positive", "judge": "negative"}, "positive"),
        ("unknown", {"judge": "negative"}, "negative"),
        ("negative", {"judge": "positive"}, "positive"),
        ("negative", {"judge": "positive", "nli": "negative"}, "unknown"),
        ("negative", {"judge": "unknown", "nli": "unknown"}, "negative"),
        ("unknown", {"judge": "negative", "nli": None}, "negative"),
    ],
)
def test_the_label_is_a_function_of_the_verdicts(initial: str, verdicts: dict[str, str | None], label: str) -> None:
    """A proof decides, models vote, disagreement is unknown, silence leaves the initial label."""
    frame = pl.DataFrame({"initial_label": [initial], **{f"verdict_{name}": [value] for name, value in verdicts.items()}})
    assert labelled(frame)["label"].to_list() == [label]


def test_an_anchor_of_the_same_text_under_another_id_shares_its_positives() -> None:
    """Duplicate queries with ids of their own do not get each other's positives as negatives."""
    pairs = pl.DataFrame(
        {
            "anchor_id": ["q1", "q2"],
            "anchor": ["What is aspirin?", "what is aspirin"],
            "positive": ["Aspirin is a drug.", "Aspirin dulls pain."],
        }
    )
    corpus = pl.DataFrame({"id": ["d1", "d2", "d3"], "text": ["Aspirin is a drug.", "Aspirin dulls pain.", "Aspirin is white."]})
    made = negforge.run("generate mine.bm25", pairs, corpus=corpus, num_negatives=2).kept
    assert set(made.filter(pl.col("label") == "negative")["negative_id"]) == {"d3"}


def test_a_passage_is_known_without_its_title() -> None:
    """Pairs made of bodies meet a corpus with titles: the positive's own passage is no negative."""
    pairs = pl.DataFrame({"anchor": ["largest city of Norway"], "positive": ["Oslo is the capital and largest city."]})
    corpus = pl.DataFrame(
        {
            "id": ["d1", "d2"],
            "title": ["Norway", "Sweden"],
            "text": ["Oslo is the capital and largest city.", "Stockholm is the largest city."],
        }
    )
    made = negforge.run("generate mine.bm25", pairs, corpus=corpus, num_negatives=2).kept
    assert dict(zip(made["negative_id"], made["label"], strict=True)) == {"d1": "positive", "d2": "negative"}
    assert made.filter(pl.col("label") == "positive")["evidence"].to_list() == [[]]
    assert "__body" not in made.columns


def test_a_proof_is_never_withdrawn() -> None:
    """Verified again with a table that does not know it, a known positive stays one."""
    frame = pl.DataFrame([negative("The right answer")], schema_overrides={"negative_id": pl.String})
    once = negforge.run(TITLE, frame, positives=POSITIVES).kept
    again = negforge.run(TITLE, once, positives=POSITIVES.with_columns(pl.lit("nothing like it").alias("positive"))).kept
    assert again["label"].to_list() == once["label"].to_list() == ["positive"]
    assert again["evidence"].to_list() == [[]]


def test_a_table_made_elsewhere_is_compared_by_the_text_of_its_anchors_too() -> None:
    """Where ids of anchors differ between two tables, an anchor of the same text still has its positives."""
    row = {**negative("the right answer", anchor="another id"), "anchor": "Anchor  of A1"}
    assert verdict(row) == "positive"
    assert verdict({**row, "anchor": "anchor of nobody"}) == "unknown"
