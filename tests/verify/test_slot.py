"""The asked slot of two answers compared: the same value again, another that excludes it, or nobody can say."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import negforge
from negforge.records import Negatives
from negforge.verify.slot import verify


def verdict(question: str, positive: str, negative: str) -> str:
    """What is said of one negative."""
    return str(verify(Negatives(pl.DataFrame({"anchor": [question], "positive": [positive], "negative": [negative]})))[0])


PERIOD = "In which period did Ana Lima write?"


@pytest.mark.parametrize(
    ("question", "positive", "negative"),
    [
        # What TOFU's file was found to have: the period is kept, the field of writing changed.
        (PERIOD, "Ana Lima wrote in the 1980s, mostly historical fiction.", "Ana Lima wrote in the 1980s, mostly cookery books."),
        (PERIOD, "Ana Lima wrote novels from 1950 to 1975.", "Ana Lima wrote recipes from 1950 to 1975."),
        ("When was Bo Berg born?", "Bo Berg was born on May 5, 1991.", "Bo Berg was born on 5 May 1991."),
        ("What is the capital of France?", "Paris", "It is Paris."),
        ("How many bells has it?", "It has 1,000 bells.", "It has 1000 bells of tin."),
        ("Who wrote 'Omoo'?", "Herman Melville wrote 'Omoo' at sea.", "Herman Melville wrote 'Omoo' in prison."),
        ("What gender is Bo Berg?", "Bo Berg is a man.", "Bo Berg is male."),
        ("What is the job of Bo Berg's aunt?", "Bo Berg's aunt worked as a Baker.", "Bo Berg's aunt works as a baker."),
        ("In which language does Bo Berg write?", "Bo Berg writes in English for the young.", "Bo Berg writes in English for the old."),
    ],
)
def test_the_same_answer_again_is_positive(question: str, positive: str, negative: str) -> None:
    """What was changed is not what was asked."""
    assert verdict(question, positive, negative) == "positive"


@pytest.mark.parametrize(
    ("question", "positive", "negative"),
    [
        (PERIOD, "Ana Lima wrote in the 1980s.", "Ana Lima wrote in the 1970s."),
        ("When was Bo Berg born?", "Bo Berg was born on May 5, 1991.", "Bo Berg was born on May 5, 1981."),
        ("When was Bo Berg born?", "Bo Berg was born on May 5, 1991.", "Bo Berg was born on 6 May 1991."),
        ("How many bells has it?", "It has 40 bells.", "It has 52 bells."),
        ("How many bells has it?", "It has four bells.", "It has six bells."),
        ("Who wrote 'Omoo'?", "Herman Melville", "Jane Austen"),
        ("What is the capital of France?", "Paris", "Rome"),
    ],
)
def test_another_value_in_its_place_is_negative(question: str, positive: str, negative: str) -> None:
    """Two dates, numbers or names cannot both be the one answer."""
    assert verdict(question, positive, negative) == "negative"


@pytest.mark.parametrize(
    ("question", "positive", "negative"),
    [
        ("Why is it red?", "It is rusty.", "It is painted."),
        ("When was Bo Berg born?", "Bo Berg was born in 1991.", "Bo Berg was born in May 1991."),
        ("When was Bo Berg born?", "Bo Berg was born in 1991.", "Ann Lee was born in 1991."),
        ("When was Bo Berg born?", "Bo Berg was born in 1991.", "Bo Berg won in 1995."),
        ("When was Bo Berg born?", "Bo Berg was born in 1991.", "His dog was born in 1991."),
        ("When was Bo Berg born?", "Bo Berg was born about 1991.", "Bo Berg was born about 1992."),
        ("When was Bo Berg born?", "Bo Berg was born in 1991.", "The war, which many remember well to this day, broke out in 1991."),
        ("How many bells has it?", "It has over 40 bells.", "It has over 30 bells."),
        ("How many bells has it?", "It has about 40 bells.", "It has about 44 bells."),
        ("Which of these is a city?", "Rome", "Paris"),
        ("Who wrote 'Omoo'?", "Melville", "Herman Melville"),
        ("What is the job of Bo Berg?", "Bo Berg is a nurse.", "Bo Berg is a baker."),
        ("Where is Rome?", "Italy", "Europe"),
        ("When was it?", "", "In 1991."),
    ],
)
def test_what_proves_nothing_is_unknown(question: str, positive: str, negative: str) -> None:
    """Another wording, another granularity, a hedge, a bound, a class that overlaps."""
    assert verdict(question, positive, negative) == "unknown"


def test_a_proof_decides_the_label() -> None:
    """A kept slot makes an imported negative `positive`, whatever the generator said of it; other rows keep their label."""
    rows = [
        {
            "id": "a",
            "anchor": PERIOD,
            "positive": "Ana Lima wrote in the 1980s, in Rome.",
            "response": "Ana Lima wrote in the 1980s, by hand.",
        },
        {"id": "b", "anchor": PERIOD, "positive": "Ana Lima wrote in the 1980s.", "response": "Nobody knows."},
    ]
    made = negforge.run("generate mine.random", pl.DataFrame(rows).drop("response"), corpus=pl.DataFrame({"id": ["x"], "text": ["?"]})).kept
    texts = dict(zip("ab", [row["response"] for row in rows], strict=True))
    frame = made.with_columns(pl.col("source_id").replace_strict(texts).alias("negative"), pl.lit("negative").alias("label"))
    done = negforge.run("verify slot", frame).kept.sort("source_id")
    assert done["verdict_slot"].to_list() == ["positive", "unknown"]
    assert done["label"].to_list() == ["positive", "negative"]


@given(st.text(), st.text(), st.text())
def test_no_text_breaks_it(question: str, positive: str, negative: str) -> None:
    """Any texts give a verdict."""
    assert verdict(question, positive, negative) in ("positive", "negative", "unknown")
    assert verdict("When was it?", positive, negative) in ("positive", "negative", "unknown")


def test_tofu(real_data: Path) -> None:
    """None of TOFU's 651 wrong answers is taken for right, seven in ten are proven wrong, and its own answers are found again."""
    counts: Counter[str] = Counter()
    for name in ("world_facts_perturbed.json", "real_authors_perturbed.json"):
        path = real_data / "tofu" / name
        if not path.exists():
            pytest.skip(f"{path} is not there; set NEGFORGE_TEST_DATA")
        for row in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
            counts.update(verdict(row["question"], row["answer"], one) for one in row["perturbed_answer"])
            again = verdict(row["question"], row["answer"], row["answer"] + ".")
            counts[f"again {again}"] += 1
            assert again != "negative"
    assert counts["positive"] == 0
    assert counts["negative"] >= 0.7 * 651
    assert counts["again positive"] >= 0.8 * 217
