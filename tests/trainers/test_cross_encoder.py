"""A cross-encoder of sentence-transformers, with drawn weights, through `score cross-encoder`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import negforge
from negforge.errors import InputError
from negforge.rerankers import Reranker
from tests.models import cross_encoder

pytestmark = pytest.mark.trainer
pytest.importorskip("sentence_transformers", reason="needs the `trainers` group")


@pytest.fixture
def mined(pairs: pl.DataFrame, corpus: pl.DataFrame) -> pl.DataFrame:
    """Some anchors with their negatives."""
    return negforge.run("generate mine.bm25", pairs.head(30), corpus=corpus, num_negatives=3).kept


def test_raw_scores_are_those_of_the_library(mined: pl.DataFrame, tmp_path: Path) -> None:
    """Without the sigmoid that the library puts behind a single output; with it where that is asked for."""
    import torch
    from sentence_transformers import CrossEncoder

    folder = str(cross_encoder(tmp_path / "m"))
    made = negforge.run("score cross-encoder", mined, reranker=folder).kept
    model = CrossEncoder(folder, trust_remote_code=False, local_files_only=True)
    for name, column in (("negative", "score_cross_encoder"), ("positive", "score_cross_encoder_positive")):
        expected = model.predict(made.select("anchor", name).rows(), activation_fn=torch.nn.Identity(), show_progress_bar=False)
        assert made[column].to_numpy() == pytest.approx(expected, abs=1e-4)
        assert np.ptp(expected) > 0.1
    through = negforge.run("score cross-encoder", mined, reranker=folder, activation="sigmoid").kept
    assert through["score_cross_encoder"].to_numpy() == pytest.approx(1 / (1 + np.exp(-made["score_cross_encoder"].to_numpy())))


def test_each_pair_is_scored_once_and_checkpoints_share_nothing(
    mined: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second run calls no model; other weights in the old place are another model; the same elsewhere are the same."""
    one = cross_encoder(tmp_path / "m", seed=1)
    first = negforge.run("score cross-encoder", mined, reranker=str(one)).kept
    before = Reranker(str(one)).fingerprint
    assert Reranker(str(cross_encoder(tmp_path / "elsewhere", seed=1))).fingerprint == before
    with monkeypatch.context() as patched:
        patched.setattr(Reranker, "score", lambda *_: pytest.fail("it was scored again"))
        assert negforge.run("score cross-encoder", mined.reverse(), reranker=str(one)).kept.sort("id").equals(first.sort("id"))
    cross_encoder(one, seed=2)
    assert Reranker(str(one)).fingerprint != before


def test_a_model_of_several_outputs(mined: pl.DataFrame, tmp_path: Path) -> None:
    """Which of three numbers would be the score? The error says how many there are."""
    with pytest.raises(InputError, match="no single score") as error:
        negforge.run("score cross-encoder", mined, reranker=str(cross_encoder(tmp_path / "m", outputs=3)))
    assert "3)" in error.value.where


def test_the_library_is_not_loaded_for_what_is_kept(mined: pl.DataFrame, tmp_path: Path) -> None:
    """Torch costs seconds; a table that is scored already costs none."""
    import subprocess

    folder = cross_encoder(tmp_path / "m", seed=7)
    mined.write_parquet(tmp_path / "n.parquet")
    command = (
        f"import negforge,sys; negforge.run('score cross-encoder', {str(tmp_path / 'n.parquet')!r}, reranker={str(folder)!r}, workers=1)"
    )
    for loaded in (True, False):
        done = subprocess.run(
            [sys.executable, "-c", f"{command}; print('torch' in sys.modules)"], capture_output=True, text=True, check=True
        )
        assert done.stdout.strip().splitlines()[-1] == str(loaded)
