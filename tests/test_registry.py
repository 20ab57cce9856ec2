"""Operators are found by their files' paths and read without importing them."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from negforge import registry
from negforge.commands import GENERAL
from negforge.errors import UsageError
from negforge.options import declared_options
from negforge.plugins import Tree
from negforge.registry import Operator


def test_the_path_is_the_registration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in a verb's folder is an operator by its path; a name with an underscore in front is not."""
    for name in ("filter/near_twins.py", "filter/by/rank.py", "filter/_shared.py", "filter/_parts/piece.py", "filter/__init__.py"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            '"""Keep what is near."""\nDECLARES = Declares(version=1, scope="row", reads=Negatives)\ndef filter(batch): ...\n',
            encoding="utf-8",
        )
    monkeypatch.setattr(registry, "OURS", Tree(tmp_path, "negforge", foreign=False))
    found = registry.operators("filter")
    assert [(name, one.module_name) for name, one in found.items()] == [
        ("by.rank", "negforge.filter.by.rank"),
        ("near-twins", "negforge.filter.near_twins"),
    ]
    assert found["near-twins"].summary == "Keep what is near."


def test_operators_come_verb_by_verb() -> None:
    """The order is that in which data flows, and alphabetical within a verb."""
    titles = [(list(registry.VERBS).index(one.verb), one.name) for one in registry.every_operator()]
    assert titles == sorted(titles)


def test_reading_imports_no_operator() -> None:
    """Summaries and declarations are read from the source."""
    code = (
        "import sys; from negforge import registry\n"
        "for one in registry.every_operator(): assert one.summary and one.declared['version'] and one.doc\n"
        "print([name for name in sys.modules if name in ('polars', 'pyarrow', 'numpy', 'tantivy', 'pydantic')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("name", "mend"),
    [
        ("mine.bm52", "did you mean mine.bm25?"),
        ("bm25", "did you mean mine.bm25?"),
        ("Mine.BM25", "did you mean mine.bm25?"),
        ("mine_bm25", "did you mean mine.bm25?"),
        ("zzzz", "negforge operators lists them all"),
    ],
)
def test_a_misspelt_operator_gets_the_nearest(name: str, mend: str) -> None:
    """The last part alone is enough for a suggestion, and case does not count."""
    with pytest.raises(UsageError) as caught:
        registry.find("generate", name)
    assert (caught.value.what, caught.value.mend) == (f"there is no operator 'generate {name}'", mend)


def test_an_operator_of_another_verb_is_told() -> None:
    """The right verb is in the message."""
    with pytest.raises(UsageError) as caught:
        registry.find("filter", "mine.bm25")
    assert caught.value.mend == "type negforge generate mine.bm25"


def test_a_misspelt_verb_gets_the_nearest() -> None:
    """So is a verb of a pipeline file."""
    with pytest.raises(UsageError, match="there is no verb 'generat'") as caught:
        registry.find("generat", "mine.bm25")
    assert caught.value.mend == "did you mean generate?"


def test_a_name_may_come_with_its_verb() -> None:
    """`operators show` takes both forms."""
    assert registry.named("top") == registry.named("filter top") == [registry.find("filter", "top")]
    with pytest.raises(UsageError) as caught:
        registry.named("filter tpo")
    assert caught.value.mend == "did you mean filter top?"


@pytest.mark.parametrize("operator", registry.every_operator(), ids=lambda one: one.title.replace(" ", "-"))
def test_only_the_name_travels_to_a_worker(operator: Operator) -> None:
    """An operator pickles small and comes back as the same one."""
    data = pickle.dumps(operator)
    assert len(data) < 200
    assert pickle.loads(data) is registry.find(operator.verb, operator.name)


@pytest.mark.parametrize("operator", registry.every_operator(), ids=lambda one: one.title.replace(" ", "-"))
def test_an_operator_says_what_it_makes(operator: Operator) -> None:
    """Its kind follows from verb and declaration; its options take no name that every stage has."""
    kind = operator.makes
    wanted = {"export": None, "generate": "negatives", "ingest": str(operator.declared.get("writes")).lower()}
    assert (kind.name if kind is not None else None) == wanted.get(operator.verb, str(operator.declared.get("reads")).lower())
    taken = {"inputs", "input", "use", "name", "help", *GENERAL, "json"}
    assert not taken & {*declared_options(operator), *operator.sides}


def test_the_table_wraps_at_a_terminal_only() -> None:
    """Off a terminal an operator is one line, for grep; on one no line is wider than it."""
    assert len(registry.table(None)) == len(registry.every_operator())
    assert all(len(line) <= 80 for line in registry.table(80))
    assert len(registry.table(80)) > len(registry.table(None))
