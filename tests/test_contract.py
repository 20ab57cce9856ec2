"""The laws of `negforge.testing` over every operator of ours, and the rules of this repository. An author edits nothing here."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path

import pytest

from negforge import registry
from negforge.registry import Operator
from negforge.testing import laws_of
from tests.conftest import ROOT
from tests.models import static_model
from tests.reranking import Reranking

EVERY = registry.every_operator()
MODEL = static_model(Path(tempfile.mkdtemp(prefix="negforge-test-model-")))
atexit.register(shutil.rmtree, MODEL, ignore_errors=True)

# What some operators have something to do in, and the sample has not.
TEXTS = (
    "Which of them is the longest river? (A) the Rhine (B) the Danube (C) the Elbe Answer: B",
    "She sold 48 / 2 = 24 clips in May, and 48 + 24 = 72 altogether.",
    "def larger(one, other):\n    return one if one > other else other + 0\n",
    "A black dog on a white couch.",
    "A dog chasing a cat.",
    "Ben has 3 more apples than Ann.",
    "Dublin is the capital of Ireland.",
    "Oslo is the capital of Norway.",
    "Alice Smith wrote The Silent Harbour.",
    "John Brown wrote The Second Winter.",
)
TestLaws = laws_of(*(one.title for one in EVERY), texts=TEXTS, options={"model": str(MODEL), "reranker": Reranking().spec})


@pytest.mark.parametrize("operator", EVERY, ids=lambda one: one.title.replace(" ", "-"))
def test_there_is_a_test_at_the_mirrored_path(operator: Operator) -> None:
    """Adding an operator is one file and one test."""
    inside = operator.path.relative_to(ROOT / "negforge")
    assert (ROOT / "tests" / inside.parent / f"test_{inside.name}").is_file()
