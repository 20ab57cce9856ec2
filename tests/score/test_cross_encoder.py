"""Scores of pairs by a reranker: each pair once, kept; a server's faults are told, and what was scored before them stays."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

import negforge
from negforge import rerankers, vectors
from negforge.cli import app
from negforge.errors import InputError, RemoteError, UsageError
from negforge.rerankers import Reranker
from negforge.score import cross_encoder
from tests.reranking import Reranking, shared


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reranking]:
    """A server, and a cache in which nothing is scored yet."""
    monkeypatch.setenv("NEGFORGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("openai._constants.INITIAL_RETRY_DELAY", 0.0)
    running = Reranking()
    yield running
    running.close()


@pytest.fixture
def mined(pairs: pl.DataFrame, corpus: pl.DataFrame) -> pl.DataFrame:
    """Anchors with one positive and with two, some texts in several rows."""
    return negforge.run("generate mine.bm25", pairs, corpus=corpus, num_negatives=3).kept


def of_pairs(server: Reranking) -> list[tuple[str, str]]:
    """Every pair that the server was asked about, without those that tell one model from another."""
    return [(query, text) for query, texts in server.asked if query != rerankers._PROBE[0] for text in texts]


def test_scores_of_both_and_of_the_weakest(server: Reranking, mined: pl.DataFrame) -> None:
    """The server's numbers as they are, whatever order it answers in."""
    made = negforge.run("score cross-encoder", mined, reranker=server.spec).kept
    weakest: dict[str, float] = {}
    for row in made.to_dicts():
        assert row["score_cross_encoder"] == shared(row["anchor"], row["negative"])
        assert row["score_cross_encoder_positive"] == shared(row["anchor"], row["positive"])
        weakest[row["anchor_id"]] = min(weakest.get(row["anchor_id"], math.inf), row["score_cross_encoder_positive"])
    assert made["score_cross_encoder_weakest"].to_list() == [weakest[one] for one in made["anchor_id"]]
    assert (made["score_cross_encoder_weakest"] < made["score_cross_encoder_positive"]).any()


def test_each_pair_is_scored_once(server: Reranking, mined: pl.DataFrame) -> None:
    """However many rows it stands in, on this run and on later ones; an anchor's texts go in one request."""
    wanted = {(row["anchor"], row[name]) for row in mined.to_dicts() for name in ("positive", "negative")}
    half = mined.filter(pl.col("anchor_id").hash(seed=1) % 2 == 0)
    first = negforge.run("score cross-encoder", half, reranker=server.spec).kept
    assert 0 < len(of_pairs(server)) < len(wanted)
    again = negforge.run("score cross-encoder", mined, reranker=server.spec).kept
    assert sorted(of_pairs(server)) == sorted(wanted)
    assert again.filter(pl.col("id").is_in(first["id"].implode())).select(first.columns).sort("id").equals(first.sort("id"))
    requests = len(server.asked)
    filtered = negforge.run("filter margin", again, by="cross-encoder", absolute_margin=0.5)
    assert 0 < filtered.kept.height < again.height
    negforge.run("score cross-encoder", mined, reranker=server.spec)
    assert len(server.asked) == requests + 1  # what tells one model from another
    assert requests < 1.5 * mined["anchor"].n_unique() + 4


def test_a_server_that_is_busy_is_asked_again(server: Reranking, mined: pl.DataFrame) -> None:
    """503, then the answer."""
    server.refused = 2
    made = negforge.run("score cross-encoder", mined.head(5), reranker=server.spec).kept
    assert made["score_cross_encoder"].null_count() == 0


FAULTS: dict[str, tuple[Any, str]] = {
    "one too few": (lambda found: {"results": found[1:]}, "scores for"),
    "one too many": (lambda found: {"results": [*found, {"index": len(found), "relevance_score": 1.0}]}, "scores for"),
    "one twice": (lambda found: {"results": [{**one, "index": 0} for one in found]}, "scores of the texts"),
    "no index": (lambda found: {"results": [{"relevance_score": 1.0} for _ in found]}, "scores of the texts"),
    "an index as text": (lambda found: {"results": [{**one, "index": str(one["index"])} for one in found]}, "scores of the texts"),
    "an index as a truth": (lambda found: {"results": [{**one, "index": bool(one["index"])} for one in found]}, "scores of the texts"),
    "NaN": (lambda found: {"results": [{**one, "relevance_score": math.nan} for one in found]}, "no number"),
    "null": (lambda found: {"results": [{**one, "relevance_score": None} for one in found]}, "no number"),
    "text": (lambda found: {"results": [{**one, "relevance_score": "0.5"} for one in found]}, "no number"),
    "no results": (lambda found: {"data": found}, "has no results"),
    "a list": (lambda found: found, "has no results"),
    "no JSON": (lambda found: "<html>", "no JSON"),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_wrong_answer_is_told(server: Reranking, mined: pl.DataFrame, case: str) -> None:
    """Exit code 4, with the anchor it was asked about; no row gets a score of it."""
    server.answer, problem = FAULTS[case]
    with pytest.raises(RemoteError, match=problem) as error:
        negforge.run("score cross-encoder", mined, reranker=server.spec)
    assert error.value.exit_code == 4
    assert error.value.mend


def test_what_was_scored_before_a_fault_stays(server: Reranking, mined: pl.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that dies loses the block it was at; the next one asks for the rest."""
    monkeypatch.setattr(rerankers, "_BLOCK", 20)
    monkeypatch.setattr(vectors, "_SHARD_SECONDS", 0.0)
    Reranker(server.spec).fingerprint  # noqa: B018 - what follows is counted without it
    calls = []
    real = Reranker.score

    def dies(self: Reranker, some: pl.DataFrame) -> Any:
        calls.append(some.height)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(self, some)

    monkeypatch.setattr(Reranker, "score", dies)
    with pytest.raises(KeyboardInterrupt):
        negforge.run("score cross-encoder", mined, reranker=server.spec)
    before = {*of_pairs(server)}
    assert len(before) == 40
    made = negforge.run("score cross-encoder", mined, reranker=server.spec).kept
    assert made["score_cross_encoder"].null_count() == 0
    assert len(of_pairs(server)) == len({*of_pairs(server)})


def test_two_models_share_no_score(server: Reranking) -> None:
    """A server that takes another model under the old name is told by the scores of fixed pairs."""
    before = Reranker(server.spec).fingerprint
    assert Reranker(server.spec).fingerprint == before
    server.answer = lambda found: {"results": [{**one, "relevance_score": one["relevance_score"] + 1} for one in found]}
    assert Reranker(server.spec).fingerprint != before


def test_models_that_cannot_score(server: Reranking, mined: pl.DataFrame, model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An encoder of texts, a server without the model or that names none, an activation of what a server gives."""
    with pytest.raises(UsageError, match="is no cross-encoder"):
        negforge.run("score cross-encoder", mined, reranker=model)
    with pytest.raises(RemoteError, match="no model numbers"):
        negforge.run("score cross-encoder", mined, reranker=server.spec.replace("words", "numbers"))
    with pytest.raises(UsageError, match="names no model"):
        negforge.run("score cross-encoder", mined, reranker=server.spec.partition("#")[0])
    with pytest.raises(UsageError, match="for local models"):
        negforge.run("score cross-encoder", mined, reranker=server.spec, activation="sigmoid")
    monkeypatch.setattr(rerankers, "_local", lambda *_: lambda pairs: np.full(len(pairs), np.nan))
    with pytest.raises(InputError, match="not finite"):
        Reranker(model).score(pl.DataFrame({"anchor": ["a"], "text": ["b"]}))
    monkeypatch.setattr(rerankers, "_local", lambda *_: lambda pairs: np.zeros((len(pairs), 3)))
    with pytest.raises(InputError, match="no single score"):
        Reranker(model).score(pl.DataFrame({"anchor": ["a"], "text": ["b"]}))


def test_the_sigmoid_of_a_raw_score() -> None:
    """1 / (1 + exp(-x)), of any number; null stays."""
    made = cross_encoder._sigmoid(pl.Series([0.0, math.log(3), -1000.0, None]))
    assert made.to_list() == [0.5, pytest.approx(0.75), 0.0, None]


def test_command_line(server: Reranking, tmp_path: Path, mined: pl.DataFrame) -> None:
    """Quantiles on stderr, rows in the file; the model's name and fingerprint in its lineage."""
    mined.write_parquet(tmp_path / "n.parquet")
    out = tmp_path / "scored.parquet"
    result = CliRunner().invoke(app, ["score", "cross-encoder", str(tmp_path / "n.parquet"), "--reranker", server.spec, "-o", str(out)])
    assert result.exit_code == 0, result.stderr
    assert "score_cross_encoder_weakest: min" in result.stderr
    assert pl.read_parquet(out)["score_cross_encoder"].null_count() == 0
    calibrated = CliRunner().invoke(app, ["calibrate", str(out), "--by", "cross-encoder"])
    assert "--by cross_encoder" in calibrated.stdout
