"""The laws as an operator's author meets them: found from the test file, only those that apply, each saying how to mend."""

from __future__ import annotations

import runpy
import tomllib
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from negforge import plugins
from negforge.testing import laws_of
from tests.conftest import ROOT, SAMPLE
from tests.test_plugins import HEAD, tree

LAWS = ROOT / "negforge" / "testing" / "laws.py"

LAWLESS = (
    HEAD.replace("Source: none.\n", "And on.\n").replace("own.", "own", 1)
    + '''
DECLARES = Declares(version=1, scope="row", reads=Pairs, edits=True)


def generate(batch: Pairs, *, word: Annotated[str, Field(description="A word.", examples=["well"])]) -> Iterator[Edit]:
    """Let the neighbours decide."""
    for row_id, text in zip(batch["id"], batch["positive"], strict=True):
        if "lighthouse" in text:
            yield Edit(row_id, 0, 0, f"{word} {len(batch)} ")
'''
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An operator that keeps few laws, and its test two folders below."""
    monkeypatch.setenv(plugins.ENVIRONMENT, "")
    tree(tmp_path, generate__perturb__lawless=LAWLESS)
    test = tmp_path / "tests" / "deep" / "test_lawless.py"
    test.parent.mkdir(parents=True)
    test.write_text(
        'from negforge.testing import laws_of\nTestLaws = laws_of("generate perturb.lawless", texts=["A lighthouse."] * 9)\n',
        encoding="utf-8",
    )
    return tmp_path


def laws(folder: Path) -> Any:
    """The class in the test file."""
    return runpy.run_path(str(folder / "tests" / "deep" / "test_lawless.py"))["TestLaws"]


def test_an_operator_above_the_test_is_found(folder: Path) -> None:
    """Nothing needs to be installed, named or configured; laws of other verbs are left out."""
    made = laws(folder)
    (operator,) = made.operators
    assert operator.path == folder / "generate" / "perturb" / "lawless.py"
    assert made.test_generate_conserves_slots_and_rows is not None
    assert made.test_an_export_writes_negatives_alone_and_says_where_each_came_from is None


def test_a_law_that_is_broken_says_what_to_do(folder: Path, corpus: pl.DataFrame) -> None:
    """The summary, the source, rows that hang on their neighbours, and a sample without work, in words."""
    made = laws(folder)
    (operator,) = made.operators
    own = made()
    with pytest.raises(AssertionError, match="the file's first line is its help, a sentence"):
        own.test_the_file_explains_itself(operator)
    pairs = pl.DataFrame({"id": [f"{n}" for n in range(9)], "anchor": [f"Of {n}?" for n in range(9)], "positive": ["A lighthouse."] * 9})
    pairs = pairs.with_columns(pl.lit("own").alias("topic"), pl.col("id").alias("anchor_id"))
    assert own.required(operator) == {"word": "well"}
    with pytest.raises(AssertionError):
        own.test_generate_ignores_batches_workers_and_row_order(operator, pairs, corpus)
    with pytest.raises(AssertionError, match="it found nothing to do in the sample"):
        own.test_generate_conserves_slots_and_rows(operator, pairs.with_columns(positive=pl.lit("A house.")), corpus)


def test_the_authors_texts_stand_among_the_samples(folder: Path) -> None:
    """Rows without a site are there too, as in life."""
    assert laws(folder).texts == ("A lighthouse.",) * 9


def test_a_reader_of_another_format_names_its_file(folder: Path, tmp_path: Path) -> None:
    """The sample holds the common formats alone; a reader of a folder takes whatever lies there."""
    claims = tmp_path / "claims"
    claims.mkdir()
    (claims / "all.txt").write_text("One.\nTwo.\n", encoding="utf-8")
    body = """DECLARES = Declares(version=1, scope="row", writes=Pairs)
def ingest(folder: Path):
    texts = (folder / "all.txt").read_text(encoding="utf-8").splitlines()
    yield pl.DataFrame({"anchor": texts, "positive": texts})
"""
    tree(folder, ingest__lines=HEAD + "from pathlib import Path\n" + body)
    code = f'from negforge.testing import laws_of\nTestLaws = laws_of("ingest lines", source={str(claims)!r})\n'
    (folder / "test_lines.py").write_text(code, encoding="utf-8")
    made = runpy.run_path(str(folder / "test_lines.py"))["TestLaws"]
    made().test_a_reader_makes_its_kind_of_the_sample(made.operators[0])


@pytest.mark.parametrize(
    ("title", "message"),
    [
        ("generate perturb.nowhere", "generate/perturb/nowhere.py lies in no folder above"),
        ("generat perturb.number", "there is no verb 'generat'"),
    ],
)
def test_a_title_that_is_not_there_is_one_message(title: str, message: str) -> None:
    """Pytest shows it as it stands, without a traceback of ours."""
    with pytest.raises(pytest.fail.Exception, match=message) as caught:
        laws_of(title)
    assert caught.value.pytrace is False


def test_the_sample_goes_into_the_wheel() -> None:
    """An author has no checkout: the tables that the laws run on are installed beside them."""
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    place = build["force-include"][SAMPLE.name]
    assert Path(place) == (LAWS.parent / "sample").relative_to(ROOT)
