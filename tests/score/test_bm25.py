"""BM25 of any text: the miner's scores for texts of the corpus, the formula for others, lengths, statistics."""

from __future__ import annotations

import json
import math
import pickle
import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import negforge
from negforge import lexical
from negforge.cli import app
from negforge.lexical import Statistics
from negforge.records import Corpus
from tests import strategies
from tests.verify.test_known_positive import negative

TITLE = "score bm25"
MINE = "generate mine.bm25"
TOKENISERS = ("simple", "english", "whitespace")


def table(*texts: str) -> pl.DataFrame:
    """A corpus of these texts."""
    return pl.DataFrame({"id": [f"d{number:04d}" for number in range(len(texts))], "text": [*texts]})


def scored(anchor: str, positive: str, text: str, corpus: pl.DataFrame, **options: Any) -> tuple[float, float]:
    """The two scores of one row."""
    row = {**negative(text), "anchor": anchor, "positive": positive}
    frame = pl.DataFrame([row], schema_overrides={"negative_id": pl.String})
    return negforge.run(TITLE, frame, corpus=corpus, **options).kept.select("score_bm25", "score_bm25_positive").row(0)


def test_scores_follow_the_formula() -> None:
    """By hand, for texts that the corpus has and for one that it has not; a word that the anchor repeats counts twice."""
    corpus = table("red apple", "red red pear tree", "green apple", "blue plum")
    average = (2 + 4 + 2 + 2) / 4

    def part(holding: int, count: int, length: int) -> float:
        return math.log(1 + (4 - holding + 0.5) / (holding + 0.5)) * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * length / average))

    made = scored("red apple", "red red pear tree", "red apple", corpus)
    assert made == pytest.approx((part(2, 1, 2) + part(2, 1, 2), part(2, 2, 4)), rel=1e-6)
    made = scored("Red kiwi, red!", "a kiwi", "red, red: and no other word", corpus)
    assert made == pytest.approx((2 * part(2, 2, 6), part(0, 1, 2)), rel=1e-6)


def test_no_word_shared_scores_0() -> None:
    """Neither do a blank text, an anchor of marks, and a corpus of none."""
    corpus = table("one two", "three")
    assert scored("four", "five", "six", corpus) == (0.0, 0.0)
    assert scored("?!", "one", "two", corpus) == (0.0, 0.0)
    assert scored("one", "...", "", corpus) == (0.0, 0.0)


@pytest.mark.parametrize("tokeniser", TOKENISERS)
def test_a_corpus_without_words_still_has_scores(tokeniser: str) -> None:
    """All texts are as long as the average then."""
    expected = math.log(1 + (1 + 0.5) / 0.5) * 2.2 / (1 + 1.2)
    assert scored("a", "b", "a", table("   "), tokeniser=tokeniser) == pytest.approx((expected, 0.0))


LENGTHS = (1, 2, 23, 24, 39, 40, 41, 42, 43, 55, 56, 57, 63, 64, 65, 127, 128, 200, 999, 2500)


@pytest.mark.parametrize("tokeniser", TOKENISERS)
def test_texts_of_the_corpus_score_as_the_miner_has_it(tokeniser: str) -> None:
    """Short and long ones, repeated words, words that are stemmed: equal to 1e-6, the miner's single precision."""
    draw = random.Random(1)
    words = [f"{stem}{end}" for stem in ("walk", "cat", "Run", "łódź", "x9") for end in ("", "s", "ing", "ed", "-er", "\u0301")]
    corpus = table(*(" ".join(draw.choices(words, k=length)) for length in LENGTHS * 3))
    pairs = pl.DataFrame({"anchor": [" ".join(draw.choices(words, k=9)) for _ in range(20)], "positive": ["walking cats"] * 20})
    mined = negforge.run(MINE, pairs, corpus=corpus, num_negatives=60, tokeniser=tokeniser).kept
    made = negforge.run(TITLE, mined, corpus=corpus, tokeniser=tokeniser).kept
    assert mined.height > 800
    theirs = mined.select("id", theirs="score_bm25").join(made, on="id")
    assert ((theirs["score_bm25"] - theirs["theirs"]).abs() / theirs["theirs"]).max() < 1e-6  # type: ignore[operator]
    assert (made["score_bm25_positive"] > 0).any()


def test_an_index_in_several_parts_has_the_statistics_of_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large corpus is committed again and again; how many texts hold a word is counted over all parts."""
    monkeypatch.setenv("NEGFORGE_CACHE", str(tmp_path))
    monkeypatch.setattr(lexical, "_COMMIT_SECONDS", 0.0)
    monkeypatch.setattr(lexical, "_ROWS_A_LOOK", 50)
    draw = random.Random(2)
    corpus = table(*(" ".join(draw.choices("abcdefghijklmnop", k=draw.randrange(1, 90))) for _ in range(300)))
    mined = negforge.run(MINE, pl.DataFrame({"anchor": ["a b c", "p"], "positive": ["x", "y"]}), corpus=corpus, num_negatives=90).kept
    (index,) = tmp_path.glob("bm25-*")
    assert len(json.loads((index / "meta.json").read_text(encoding="utf-8"))["segments"]) > 1
    made = negforge.run(TITLE, mined, corpus=corpus).kept
    both = mined.select("id", theirs="score_bm25").join(made, on="id")
    assert both["score_bm25"].to_list() == pytest.approx(both["theirs"].to_list(), rel=1e-6)


def test_a_word_that_all_texts_hold_is_as_rare_as_the_miner_has_it() -> None:
    """Its weight is the rest of a sum in single precision, of which few digits are right; the same few here."""
    corpus = table(*(f"the w{number}" for number in range(3000)))
    mined = negforge.run(MINE, pl.DataFrame({"anchor": ["the"], "positive": ["x"]}), corpus=corpus, num_negatives=2).kept
    made = negforge.run(TITLE, mined, corpus=corpus).kept
    assert made["score_bm25"].to_list() == pytest.approx(mined["score_bm25"].to_list(), rel=1e-6)
    assert made["score_bm25"][0] != pytest.approx(math.log(1 + 0.5 / 3000.5), rel=1e-5)


def test_a_word_that_the_index_does_not_take_counts_nowhere() -> None:
    """Beyond 65,530 bytes a word is neither found nor part of a length, of the corpus or of the text."""
    long = "y" * 65_530
    corpus = table(f"a {long} b", f"a {long}y b", "c d e")
    mined = negforge.run(MINE, pl.DataFrame({"anchor": [f"a {long} {long}y"], "positive": ["c"]}), corpus=corpus, num_negatives=3).kept
    made = negforge.run(TITLE, mined, corpus=corpus).kept
    both = mined.select("id", theirs="score_bm25").join(made, on="id")
    assert both.height == 2
    assert both["score_bm25"].to_list() == pytest.approx(both["theirs"].to_list(), rel=1e-6)


def test_lengths_are_rounded_down_to_steps() -> None:
    """Exact to 40, then in steps of 2, 4, 8 and so on, each of eight at a time."""
    assert [lexical.step(length) for length in (0, 1, 23, 24, 39, 40, 41, 42, 55, 56, 59, 60, 88, 95, 96)] == [
        *(0, 1, 23, 24, 39, 40, 40, 42, 54, 56, 56, 60, 88, 88, 96)
    ]
    steps = [lexical.step(length) for length in range(20_000)]
    assert all(1 - step / length < 1 / 8 for length, step in enumerate(steps) if length)


@settings(max_examples=30)
@given(texts=st.lists(strategies.texts, min_size=1, max_size=8), tokeniser=st.sampled_from(TOKENISERS))
def test_words_are_counted_as_they_are_made(texts: list[str], tokeniser: str) -> None:
    """The number of words of a corpus is that of its words, whatever the texts hold."""
    corpus = Corpus(table(*texts), digest=repr((texts, tokeniser)))
    statistics = Statistics.of(corpus, 1 << 30, tokeniser)
    assert statistics.words == sum(len(lexical._analyser(tokeniser).analyze(text)) for text in texts)
    again = pickle.loads(pickle.dumps(statistics))
    assert again.scorer().score(texts[0], texts[-1]) == statistics.scorer().score(texts[0], texts[-1])


def test_the_index_of_the_miner_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One index for both; the words are counted once."""
    monkeypatch.setenv("NEGFORGE_CACHE", str(tmp_path))
    corpus = table("red apple", "green apple", "blue plum")
    mined = negforge.run(MINE, pl.DataFrame({"anchor": ["apple"], "positive": ["pear"]}), corpus=corpus).kept
    names = {path.name for path in tmp_path.glob("bm25-*")}
    negforge.run(TITLE, mined, corpus=corpus)
    more = {path.name for path in tmp_path.glob("bm25-*")} - names
    assert [name[:10] for name in more] == ["bm25-words"]
    monkeypatch.setattr(lexical, "_count", None)
    negforge.run(TITLE, mined, corpus=corpus.reverse())


def test_settings_are_recorded(tmp_path: Path, pairs: pl.DataFrame, corpus: pl.DataFrame) -> None:
    """k1, b, the tokeniser and the corpus stand in the stage's record (texttron/tevatron#87, #43)."""
    from negforge.store import Dataset

    mined = negforge.run(MINE, pairs, corpus=corpus).kept
    negforge.run(TITLE, mined, corpus=corpus, tokeniser="english", output=str(tmp_path / "d"))
    options = Dataset(tmp_path / "d").manifest(1)["stages"][-1]["options"]
    assert {"k1": 1.2, "b": 0.75, "tokeniser": "english"}.items() <= options.items()
    assert len(options["corpus"]) == 32


def test_command_line(tmp_path: Path, pairs: pl.DataFrame, corpus: pl.DataFrame) -> None:
    """Scores on stdout, their quantiles on stderr."""
    negforge.run("generate mine.random", pairs, corpus=corpus, limit=5, output=str(tmp_path / "n.parquet"))
    corpus.write_parquet(tmp_path / "c.parquet")
    given_ = ["score", "bm25", str(tmp_path / "n.parquet"), "--corpus", str(tmp_path / "c.parquet"), "--to", "jsonl"]
    result = CliRunner().invoke(app, given_)
    assert result.exit_code == 0
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert all(one["score_bm25"] >= 0 and one["score_bm25_positive"] >= 0 for one in rows)
    assert "score_bm25_positive: min" in result.stderr


def test_on_scifact_the_scores_are_those_of_the_miner(real_data: Path, tmp_path: Path) -> None:
    """All of SciFact's 6,472 negatives and its known positives that came up: equal to 1e-5; positives are scored as well."""
    folder = real_data / "scifact"
    negforge.run("ingest beir", str(folder), split="train", output=str(tmp_path / "pairs.parquet"))
    negforge.run("ingest corpus", str(folder / "corpus.jsonl.gz"), output=str(tmp_path / "corpus.parquet"))
    given_: dict[str, Any] = {"corpus": str(tmp_path / "corpus.parquet"), "tokeniser": "english"}
    mined = negforge.run(MINE, str(tmp_path / "pairs.parquet"), num_negatives=8, **given_).kept
    made = negforge.run(TITLE, mined, **given_).kept
    both = mined.select("id", theirs="score_bm25").join(made, on="id")
    assert both.height > 7000
    assert ((both["score_bm25"] - both["theirs"]).abs() / both["theirs"]).max() < 1e-5  # type: ignore[operator]
    # A row labelled positive holds the text of a positive of its anchor: that one's score is the row's.
    own = made.filter(pl.col("negative") == pl.col("positive"))
    assert own.height > 500
    assert own["score_bm25"].equals(own["score_bm25_positive"])
