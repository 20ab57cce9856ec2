"""NeMo Automodel's own loader reads what was exported: its examples hold our texts. `pip install --no-deps nemo-automodel==0.7.0`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

import negforge
from tests.export.cases import HOSTILE, row, scored, table

pytestmark = pytest.mark.trainer
retrieval = pytest.importorskip(
    "nemo_automodel.components.datasets.llm.retrieval_dataset", reason="needs nemo-automodel 0.7.0, torch, transformers and pillow"
)


def hostile() -> pl.DataFrame:
    """An anchor whose texts are hard to write down."""
    return table(*(row("a", text, draw=at, source=f"s{at}", positive=f"{text} +") for at, text in enumerate(HOSTILE)))


@pytest.mark.parametrize("options", [{}, {"scores": "score_x"}, {"docids": "text"}], ids=lambda one: "-".join(one) or "plain")
@pytest.mark.parametrize("layout", ["inline", "corpus"])
def test_an_example_holds_a_positive_and_our_negatives(layout: str, options: dict[str, Any], tmp_path: Path) -> None:
    """`make_retrieval_dataset`: the question, its first positive, then its negatives in order; too few are repeated."""
    out = tmp_path / f"train.{'jsonl' if layout == 'inline' else 'json'}"
    negforge.run("export automodel", scored(), layout=layout, output=out, **options)
    read = retrieval.make_retrieval_dataset(str(out), n_passages=4)
    held = {one["question"]: one["doc_text"] for one in (read[at] for at in range(len(read)))}
    assert held == {
        "anchor of a": ["positive s1", "text 0", "text 1", "text 2"],
        "anchor of b": ["positive s3", "lonely", "lonely", "lonely"],
    }


@pytest.mark.parametrize("layout", ["inline", "corpus"])
def test_hostile_texts_arrive(layout: str, tmp_path: Path) -> None:
    """Character by character."""
    out = tmp_path / f"train.{'jsonl' if layout == 'inline' else 'json'}"
    negforge.run("export automodel", hostile(), layout=layout, language="code", output=out)
    read = retrieval.make_retrieval_dataset(str(out), n_passages=1 + len(HOSTILE), cycle_positive_docs=True)
    for epoch, text in enumerate(HOSTILE):
        read.set_epoch(epoch)
        assert read[0]["doc_text"] == [f"{text} +", *HOSTILE]


def test_instructions_come_from_the_corpus(tmp_path: Path) -> None:
    """`use_dataset_instruction` takes them from the metadata; two files of two names are trained on together."""
    places = []
    for name in ("one", "two"):
        places.append(str(tmp_path / f"{name}.json"))
        negforge.run("export automodel", scored(), layout="corpus", corpus_id=name, query_instruction=f"{name}: ", output=places[-1])
    read = retrieval.make_retrieval_dataset(places, n_passages=2, use_dataset_instruction=True)
    assert [read[at]["query_instruction"] for at in range(len(read))] == ["one: "] * 2 + ["two: "] * 2
