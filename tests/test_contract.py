"""The laws of `negforge.testing` over every operator of ours, and the rules of this repository. An author edits nothing here."""

from __future__ import annotations

import pytest

from negforge import registry
from negforge.registry import Operator
from negforge.testing import laws_of
from tests.conftest import ROOT

EVERY = registry.every_operator()

TestLaws = laws_of(*(one.title for one in EVERY))


@pytest.mark.parametrize("operator", EVERY, ids=lambda one: one.title.replace(" ", "-"))
def test_there_is_a_test_at_the_mirrored_path(operator: Operator) -> None:
    """Adding an operator is one file and one test."""
    inside = operator.path.relative_to(ROOT / "negforge")
    assert (ROOT / "tests" / inside.parent / f"test_{inside.name}").is_file()
