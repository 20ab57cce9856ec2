"""Shared fixtures: a cache of its own for each test session, small real tables, and the folder of larger real data."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from hypothesis import settings

from tests.shell import Children

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "sample_data"

# How long an example takes depends on what else the machine does; pytest's own time limit catches what hangs.
settings.register_profile("negforge", deadline=None)
settings.load_profile("negforge")


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Indexes of test corpora stay out of the user's cache; one folder a worker process."""
    os.environ["NEGFORGE_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def own_scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What the tests of a file spill lies in one folder, removed after them."""
    before, tempfile.tempdir = tempfile.tempdir, str(tmp_path_factory.mktemp("scratch"))
    yield
    shutil.rmtree(tempfile.tempdir)
    tempfile.tempdir = before


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real inputs that are not shipped."""
    folder = Path(os.environ.get("NEGFORGE_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"the real inputs are not at {folder}; set NEGFORGE_TEST_DATA")
    return folder


@pytest.fixture(scope="session")
def pairs() -> pl.DataFrame:
    """The sample's question-answer pairs; some questions have two."""
    return pl.read_ndjson(SAMPLE / "pairs.jsonl")


@pytest.fixture(scope="session")
def corpus() -> pl.DataFrame:
    """The sample's passages, with a re-cased and a re-spaced copy of a positive."""
    rows = [json.loads(line) for line in (SAMPLE / "beir" / "corpus.jsonl").read_text(encoding="utf-8").splitlines()]
    return pl.DataFrame(rows).rename({"_id": "id"})


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a small static model."""
    from tests.models import static_model

    return str(static_model(tmp_path_factory.mktemp("model")))


@pytest.fixture(scope="module")
def children() -> Iterator[Children]:
    """A server of children that can be killed at any moment."""
    server = Children()
    yield server
    server.close()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update-golden` writes the golden files anew."""
    parser.addoption("--update-golden", action="store_true", help="write tests/golden anew; review the change")
