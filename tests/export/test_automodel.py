"""NeMo Automodel's records: a question with its documents, or with their ids in a corpus beside the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import negforge
from negforge.errors import UsageError
from negforge.rng import text_ids
from tests.export.cases import row, rows_of, scored, table
from tests.shell import call, good

TITLE = "export automodel"


def test_inline_documents_have_id_text_and_score(tmp_path: Path) -> None:
    """The keys that `retrieval_dataset_inline.load_datasets` of 0.7.0 looks up, and those it passes over."""
    out = tmp_path / "train.jsonl"
    negforge.run(TITLE, scored(), scores="score_x", output=out)
    rows = {one["question_id"]: one for one in rows_of(out)}
    assert rows["a"] == {
        "question_id": "a",
        "question": "anchor of a",
        "pos_doc": [{"id": f"p-s{at}", "text": f"positive s{at}", "score": score} for at, score in ((1, 0.5), (2, 0.75))],
        "neg_doc": [{"id": f"n{at}", "text": f"text {at}", "score": at / 8} for at in range(3)],
    }
    assert rows["b"]["neg_doc"] == [{"id": text_ids(pl.Series(["lonely"]))[0], "text": "lonely", "score": 1.0}]
    assert not (tmp_path / "train.corpus").exists()


def test_a_corpus_lies_beside_the_document(tmp_path: Path) -> None:
    """`corpus` names its folder from where the file lies; `merlin_metadata.json` says of which class and name it is."""
    out = tmp_path / "train.json"
    told = {"corpus_id": 'c"1 {query_instruction}', "query_instruction": "query: ", "passage_instruction": "über: "}
    negforge.run(TITLE, scored(), layout="corpus", scores="score_x", output=out, **told)
    whole = json.loads(out.read_text(encoding="utf-8"))
    assert list(whole) == ["corpus", "data"]
    assert whole["corpus"] == [{"path": "train.corpus"}]
    rows = {one["question_id"]: one for one in whole["data"]}
    assert rows["a"] == {
        "question_id": "a",
        "question": "anchor of a",
        "corpus_id": told["corpus_id"],
        "pos_doc": [{"id": "p-s1", "score": 0.5}, {"id": "p-s2", "score": 0.75}],
        "neg_doc": [{"id": f"n{at}", "score": at / 8} for at in range(3)],
    }
    assert json.loads((tmp_path / "train.corpus" / "merlin_metadata.json").read_text(encoding="utf-8")) == {
        "class": "TextQADataset",
        **told,
    }
    texts = dict(pl.read_parquet(tmp_path / "train.corpus" / "*.parquet").select("id", "text").rows())
    assert {one["id"] for row in rows.values() for one in row["pos_doc"] + row["neg_doc"]} == texts.keys()
    assert texts["n1"] == "text 1"


def test_a_score_is_always_a_number(tmp_path: Path) -> None:
    """Automodel's own miner writes -Infinity for what it rejected (NVIDIA-NeMo/Automodel#2906), which is no JSON."""
    negforge.run(TITLE, scored(), layout="corpus", output=tmp_path / "plain.json")
    assert {tuple(one) for row in rows_of(tmp_path / "plain.json") for one in row["pos_doc"] + row["neg_doc"]} == {("id",)}
    negforge.run(TITLE, scored(), layout="corpus", scores="score_x", output=tmp_path / "scored.json")
    text = (tmp_path / "scored.json").read_text()
    assert "Infinity" not in text
    assert "null" not in text


def test_each_layout_has_its_form_of_file(tmp_path: Path) -> None:
    """Automodel tells the two by the suffix, and would read one as the other."""
    source = tmp_path / "in.parquet"
    scored().write_parquet(source)
    for layout, name in (("inline", "train.json"), ("corpus", "train.jsonl"), ("corpus", "train.parquet"), ("inline", "folder")):
        told = call("export", "automodel", source, "--layout", layout, "-o", tmp_path / name)
        assert told.code == 2, name
        assert f"pass -o train.{'jsonl' if layout == 'inline' else 'json'}" in told.err
    assert call("export", "automodel", source, "--layout", "corpus", "--to", "jsonl").code == 2
    assert len(good("export", "automodel", source, "--to", "jsonl").out.splitlines()) == 2
    assert [one.name for one in tmp_path.iterdir()] == ["in.parquet"]


@pytest.mark.parametrize("name", ["corpus_id", "query_instruction", "passage_instruction"])
def test_what_is_said_of_a_corpus_needs_one(name: str) -> None:
    """An option that nothing would read is an error."""
    with pytest.raises(UsageError, match="said of a corpus"):
        negforge.run(TITLE, scored(), **{name: "x"})


def test_a_rerun_changes_nothing_and_another_layout_leaves_nothing(tmp_path: Path) -> None:
    """The metadata is part of what was written: another name is another output."""
    out = tmp_path / "train.json"

    def unchanged(**more: Any) -> bool:
        return bool(negforge.run(TITLE, scored(), layout="corpus", output=out, **more).report.outcome.unchanged)

    assert [unchanged(), unchanged(), unchanged(query_instruction="q"), unchanged(query_instruction="q")] == [False, True, False, True]
    negforge.run("export dpr", scored(), output=out)
    assert not (tmp_path / "train.corpus").exists()


@pytest.mark.parametrize("rows", [0, 1])
def test_a_document_of_few_rows_is_whole(tmp_path: Path, rows: int) -> None:
    """Brackets close, and the corpus is there."""
    out = tmp_path / "train.json"
    negforge.run(TITLE, table(row("a", "wrong")).head(rows), layout="corpus", output=out)
    assert len(json.loads(out.read_text())["data"]) == rows
    assert pl.read_parquet(tmp_path / "train.corpus" / "*.parquet").height == 2 * rows
