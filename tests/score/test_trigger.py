"""N-grams that tell the side."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import negforge
from negforge.score.trigger import bounds
from tests.captions import rows_of, sugarcrepe
from tests.shell import good

TITLE = "score trigger"


def drawn(rows: int, seed: int = 0) -> list[tuple[str, str]]:
    """Texts of one distribution on both sides."""
    generator = np.random.default_rng(seed)
    words = np.array([f"w{at}" for at in range(60)])
    return [(" ".join(generator.choice(words, 8)), " ".join(generator.choice(words, 8))) for _ in range(rows)]


def test_a_planted_phrase_in_two_rows_of_a_hundred_is_found() -> None:
    """Twenty-five of 1,250 rows have it; clean data has none."""
    texts = drawn(1250)
    made = negforge.run(TITLE, rows_of(*((right, f"{wrong} as an aside" if at < 25 else wrong) for at, (right, wrong) in enumerate(texts))))
    found = made.kept.sort("id")
    assert (found["score_trigger"][:25] > 0).all()
    assert (found["score_trigger"][25:] < 0).all()
    assert {*found["trigger_ngram"][:25]} <= {"as", "an", "aside", "as an", "an aside", "as an aside"}
    assert "'as an aside' in 25 negatives, 0 positives" in made.report.explained["triggers"]
    clean = negforge.run(TITLE, rows_of(*texts))
    assert (clean.kept["score_trigger"] < 0).all()
    assert clean.report.explained == {"triggers": "no n-gram tells the side"}


def test_a_phrase_of_the_positives_is_none_of_the_negatives() -> None:
    """The sides change places: the bound is of the negative's side."""
    made = negforge.run(TITLE, rows_of(*((f"{right} indeed", wrong) for right, wrong in drawn(400, seed=3)))).kept
    assert (made["score_trigger"] < 0.2).all()
    assert (made["score_trigger_positive"] < 0.2).all()
    assert "indeed" not in "".join(made["trigger_ngram"].to_list())


def test_the_bound_by_hand() -> None:
    """log((n + 1) / (p + 1)) less 3 standard deviations."""
    found = bounds(np.array([20, 99, 0]), np.array([0, 49, 0]))
    expected = [np.log(21) - 3 * np.sqrt(1 / 21 + 1), np.log(2) - 3 * np.sqrt(0.01 + 0.02), -3 * np.sqrt(2)]
    assert found.tolist() == pytest.approx(expected)


def test_rows_without_a_word_of_their_own_and_proven_positives() -> None:
    """The same words have no score; a row labelled positive is not counted."""
    texts = [*drawn(60), ("a b", "b a")]
    table = rows_of(*((right, f"{wrong} not") for right, wrong in texts))
    table = table.with_columns(pl.lit("positive").alias("label"))
    made = negforge.run(TITLE, table)
    assert made.report.explained == {"triggers": "no n-gram tells the side"}
    alone = negforge.run(TITLE, rows_of(("a b", "b a")), longest=1).kept
    assert alone.select("score_trigger", "score_trigger_positive", "trigger_ngram").row(0) == (None, None, None)
    longer = negforge.run(TITLE, rows_of(("a b", "b a")), longest=2).kept
    assert longer["trigger_ngram"].to_list() == ["b a"]


def test_the_command_line_and_the_manifest(tmp_path: Path) -> None:
    """The worst stand in the summary and in the manifest."""
    rows_of(*((right, f"{wrong} not") for right, wrong in drawn(60))).write_parquet(tmp_path / "n.parquet")
    done = good(*TITLE.split(), tmp_path / "n.parquet", "--longest", "1", "-o", tmp_path / "set")
    assert "triggers: 'not' in 60 negatives, 0 positives" in done.err
    stage = json.loads(good("show", tmp_path / "set", "--json").out)["stages"][-1]
    assert stage["explained"] == {"triggers": "'not' in 60 negatives, 0 positives"}


def test_sugarcrepes_full_stops(real_data: Path) -> None:
    """Written negatives end with a full stop where captions do not, after refinement too; with the sides drawn anew nothing is left."""
    table = sugarcrepe(real_data, "replace_att", refined=True)
    assert negforge.run(TITLE, table).report.explained["triggers"] == "'.' in 132 negatives, 0 positives"
    swap = pl.Series(np.random.default_rng(0).random(table.height) < 0.5)
    sides = [
        pl.when(swap).then(one).otherwise(other).alias(one2)
        for one, other, one2 in (("positive", "negative", "negative"), ("negative", "positive", "positive"))
    ]
    assert (negforge.run(TITLE, table.with_columns(sides)).kept["score_trigger"] < 0).all()
