"""BEIR folders: judgements, queries and documents joined into pairs, and every way they may not fit."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from negforge.api import Result, run
from negforge.errors import InputError, UsageError
from tests import shell
from tests.conftest import SAMPLE

CORPUS = ({"_id": "d1", "title": "T", "text": "one"}, {"_id": "d2", "title": "", "text": "two"}, {"_id": "d3", "text": "three"})
QUERIES = ({"_id": "q1", "text": "first?"}, {"_id": "q2", "text": "second?"}, {"_id": "q3", "text": "third?"})
QRELS = "query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\td2\t2\nq2\td3\t0\n"


def beir(folder: Path, qrels: str = QRELS, corpus: Any = CORPUS, queries: Any = QUERIES) -> Path:
    for name, rows in (("corpus", corpus), ("queries", queries)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (folder / "qrels").mkdir()
    (folder / "qrels" / "train.tsv").write_text(qrels, encoding="utf-8")
    return folder


def ingest(folder: Path, **options: Any) -> Result:
    return run("ingest beir", str(folder), **options)


def refusal(folder: Path, **options: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        ingest(folder, **options)
    assert caught.value.what and caught.value.mend
    return caught.value


# -- what comes out ----------------------------------------------------------------------------------------------------


def test_judgements_become_pairs(tmp_path: Path) -> None:
    """A pair for each relevant judgement, with ids, texts and its relevance; the others are counted."""
    done = ingest(beir(tmp_path))
    assert done.kept.to_dicts() == [
        {"id": "q1-d1", "anchor_id": "q1", "anchor": "first?", "positive": "T one", "positive_id": "d1", "relevance": 1.0},
        {"id": "q1-d2", "anchor_id": "q1", "anchor": "first?", "positive": "two", "positive_id": "d2", "relevance": 2.0},
    ]
    assert done.report.counts["skipped"] == {"not-relevant": 1, "query-without-positive": 2}


def test_the_threshold_is_an_option(tmp_path: Path) -> None:
    """`--relevant 2` takes the highly relevant only; below 1 it is refused, since then every judgement would be relevant."""
    folder = beir(tmp_path)
    assert ingest(folder, relevant=2).kept["id"].to_list() == ["q1-d2"]
    assert ingest(folder, relevant=3).kept.height == 0
    with pytest.raises(UsageError):
        ingest(folder, relevant=0)


def test_a_query_with_an_empty_name_is_no_counter(tmp_path: Path) -> None:
    """Queries that nobody judged are counted whatever their ids are, and none is taken for the count."""
    queries = ({"_id": "q1", "text": "first?"}, {"_id": "", "text": "nameless"}, {"_id": None, "text": "null"})
    done = ingest(beir(tmp_path, "query-id\tcorpus-id\tscore\nq1\td1\t1\n", queries=queries))
    assert done.kept["anchor"].to_list() == ["first?"]
    assert done.report.counts["skipped"] == {"query-without-positive": 2}
    assert "skipped" not in ingest(tmp_path.parent / only_q1(tmp_path)).report.counts


def only_q1(folder: Path) -> Path:
    other = folder.with_name(folder.name + "-only")
    other.mkdir()
    return beir(other, "query-id\tcorpus-id\tscore\nq1\td1\t1\n", queries=QUERIES[:1])


@pytest.mark.parametrize("packed", [".gz", ".zst"])
def test_packed_parts_are_read(tmp_path: Path, packed: str) -> None:
    """Corpus, queries and judgements may each be gzipped or zstandard."""
    folder = beir(tmp_path)
    plain = ingest(folder).kept
    for path in (folder / "corpus.jsonl", folder / "queries.jsonl", folder / "qrels" / "train.tsv"):
        data = path.read_bytes()
        path.with_name(path.name + packed).write_bytes(
            gzip.compress(data) if packed == ".gz" else pa.compress(data, codec="zstd", asbytes=True)
        )
        path.unlink()
    assert ingest(folder).kept.equals(plain)


def test_ids_may_be_numbers(tmp_path: Path) -> None:
    """Whole numbers as ids in JSON are the text that stands in the judgements."""
    folder = beir(
        tmp_path, "query-id\tcorpus-id\tscore\n1\t31715818\t1\n", ({"_id": 31715818, "title": "", "text": "x"},), ({"_id": 1, "text": "q"},)
    )
    assert ingest(folder).kept.select("id", "anchor_id", "positive_id").row(0) == ("1-31715818", "1", "31715818")


def test_extra_columns_of_judgements_do_no_harm(tmp_path: Path) -> None:
    """A fourth column of the judgements, and columns in another order, are no fault."""
    folder = beir(tmp_path, "score\tcorpus-id\tquery-id\tnote\n1\td1\tq1\tx\n")
    assert ingest(folder).kept["id"].to_list() == ["q1-d1"]


def test_a_limit_and_equal_judgements(tmp_path: Path) -> None:
    """`--limit` takes the first queries by id; a judgement given twice is one pair."""
    folder = beir(tmp_path, QRELS.replace("q2\td3\t0", "q2\td3\t1\nq1\td1\t1"))
    done = ingest(folder, limit=1)
    assert done.kept["anchor_id"].unique().to_list() == ["q1"]
    assert done.report.counts["collapsed"] == 1


# -- what does not fit -------------------------------------------------------------------------------------------------


def test_a_missing_text_is_named(tmp_path: Path) -> None:
    """Judgements that name a query or a document that is not there say which, and how many more."""
    folder = beir(tmp_path, QRELS + "q1\td9\t1\nq1\td8\t1\n")
    error = refusal(folder)
    assert error.what == f"qrels/train.tsv names document 'd8' and 1 more, which {folder / 'corpus.jsonl'} does not have"
    assert error.mend == "remove the judgement or add the document"
    (folder / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\nq9\td1\t1\n")
    assert refusal(folder).what == f"qrels/train.tsv names query 'q9', which {folder / 'queries.jsonl'} does not have"
    (folder / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\nq9\td9\t0\nq1\td1\t1\n")
    assert ingest(folder).kept.height == 1, "what is not relevant need not be there"


@pytest.mark.parametrize("score", ["high", "", "1,5", "NaN", "inf", "1 2"])
def test_a_score_that_is_no_number_is_named(tmp_path: Path, score: str) -> None:
    """A judgement must be a finite number; the line says where."""
    folder = beir(tmp_path, QRELS + f"q3\td1\t{score}\n")
    error = refusal(folder)
    assert error.what == "a judgement is not a number"
    assert error.where == f"{folder / 'qrels' / 'train.tsv'} line 5: {score!r}"


def test_garbage_at_the_end_is_named(tmp_path: Path) -> None:
    """A broken last line, of too few or too many cells, is refused by line: a cut-off download is no short table."""
    for tail, cells in (("q3\td1", 2), ("q3\td1\t1\tx", 4), ("<html>", 1)):
        folder = tmp_path / str(cells)
        folder.mkdir()
        error = refusal(beir(folder, QRELS + tail))
        assert error.what == f"a row has {cells} cells, the header 3"
        assert error.where.endswith("train.tsv line 5")
    folder = tmp_path / "corpus"
    folder.mkdir()
    beir(folder)
    with (folder / "corpus.jsonl").open("a") as out:
        out.write('{"_id": "d4", "te')
    assert refusal(folder).where.startswith(f"{folder / 'corpus.jsonl'} line 4")


def test_a_blank_text_that_is_judged_is_named(tmp_path: Path) -> None:
    """A relevant document without title and text, and a blank query, are named; others may be blank."""
    blank = ({"_id": "d1", "title": "", "text": " "}, {"_id": "d2", "title": "T", "text": ""}, {"_id": "d3", "text": None})
    folder = beir(tmp_path, "query-id\tcorpus-id\tscore\nq1\td2\t1\n", corpus=blank)
    assert ingest(folder).kept["positive"].to_list() == ["T "]
    (folder / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\n")
    assert refusal(folder).what == "document 'd1' is blank"
    (folder / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td3\t1\n")
    assert refusal(folder).what == "document 'd3' is blank"


def test_one_id_with_two_texts_is_named(tmp_path: Path) -> None:
    """A document or query that is there twice with other texts is refused: nobody knows which was judged."""
    folder = beir(tmp_path, corpus=(*CORPUS, {"_id": "d1", "title": "T", "text": "uno"}))
    assert refusal(folder).what == "document 'd1' has two texts"


def test_a_judgement_with_two_scores_is_named(tmp_path: Path) -> None:
    """One pair judged 1 and 2 is one id with two contents."""
    error = refusal(beir(tmp_path, QRELS + "q1\td1\t2\n"))
    assert error.what == "id 'q1-d1' has two contents"
    assert "differ in relevance" in error.where


@pytest.mark.parametrize(
    ("qrels", "name", "mend"),
    [
        ("query_id\tcorpus_id\tscore\nq1\td1\t1\n", "query-id", "rename the column query_id to query-id"),
        ("q1\td1\t1\n", "query-id", "add the column query-id, or rename the one that it is"),
        ("query-id corpus-id score\nq1 d1 1\n", "query-id", "rename the column query-id corpus-id score to query-id"),
    ],
)
def test_judgements_without_the_header_are_refused(tmp_path: Path, qrels: str, name: str, mend: str) -> None:
    """TREC's layout, commas and other names are refused with the columns that are there; no flag is promised that is none."""
    error = refusal(beir(tmp_path, qrels))
    assert error.what == f"column '{name}' is not in {tmp_path / 'qrels' / 'train.tsv'}"
    assert "--" not in error.mend
    assert error.mend == mend or "rename" in error.mend


def test_empty_judgements(tmp_path: Path) -> None:
    """A header alone is no pair; no header is a fault."""
    folder = beir(tmp_path, "query-id\tcorpus-id\tscore\n")
    assert ingest(folder).kept.height == 0
    (folder / "qrels" / "train.tsv").write_text("")
    assert refusal(folder).what == f"{folder / 'qrels' / 'train.tsv'} is empty"


def test_a_missing_split_suggests_the_nearest(tmp_path: Path) -> None:
    """The splits that are there are listed, packed ones too."""
    folder = beir(tmp_path)
    (folder / "qrels" / "test.tsv.gz").write_bytes(gzip.compress(QRELS.encode()))
    error = refusal(folder, split="tran")
    assert (error.what, error.where, error.mend) == (
        "there is no split 'tran'",
        f"{folder / 'qrels'} has test, train",
        "did you mean train?",
    )
    assert refusal(folder, split="dev").mend == "name one of these"
    assert ingest(folder, split="test").kept.height == 2


def test_what_is_no_beir_folder(tmp_path: Path) -> None:
    """A folder that is not there, one of other files, and one without a part say what is missing."""
    assert refusal(tmp_path / "nothing").what == f"there is no folder {tmp_path / 'nothing'}"
    (tmp_path / "scifact").mkdir()
    assert refusal(tmp_path / "scifcat").mend == f"did you mean {tmp_path / 'scifact'}?"
    error = refusal(tmp_path / "scifact")
    assert error.what == f"{tmp_path / 'scifact'} is not a BEIR folder: queries.jsonl is not there"
    folder = beir(tmp_path / "scifact")
    (folder / "corpus.jsonl").unlink()
    assert "corpus.jsonl is not there" in refusal(folder).what
    (folder / "corpus.jsonl").write_text('{"id": "d1", "text": "x"}\n')
    assert refusal(folder).mend == "rename the column id to _id"


# -- real folders ------------------------------------------------------------------------------------------------------


def test_the_sample_folder_on_the_command_line(tmp_path: Path) -> None:
    """The sample's judgements make its pairs; what was passed over is told on stderr."""
    done = shell.good("ingest", "beir", SAMPLE / "beir", "-o", tmp_path / "p.parquet")
    found = pl.read_parquet(tmp_path / "p.parquet")
    qrels = pl.read_csv(SAMPLE / "beir" / "qrels" / "train.tsv", separator="\t")
    assert found.height == qrels.filter(pl.col("score") >= 1).height
    assert f"kept {found.height}" in done.err
    wrong = shell.call("ingest", "beir", SAMPLE / "beir", "--split", "tain", "-o", tmp_path / "q.parquet")
    assert (wrong.code, (tmp_path / "q.parquet").exists()) == (3, False)
    assert "did you mean train?" in wrong.err


def test_real_scifact(real_data: Path, tmp_path: Path) -> None:
    """SciFact's train split has BEIR's own counts: 919 pairs of 809 claims, each with its relevance, corpus gzipped or not."""
    done = ingest(real_data / "scifact")
    assert (done.kept.height, done.kept["anchor_id"].n_unique()) == (919, 809)
    assert done.kept["relevance"].to_list() == [1.0] * 919
    assert "skipped" not in done.report.counts
    qrels = pl.read_csv(real_data / "scifact" / "qrels" / "train.tsv", separator="\t", infer_schema=False)
    assert set(done.kept.select("anchor_id", "positive_id").rows()) == set(qrels.select("query-id", "corpus-id").rows())
    folder = tmp_path / "plain"
    shutil.copytree(real_data / "scifact", folder)
    folder.chmod(0o755)
    (folder / "corpus.jsonl").write_bytes(gzip.decompress((folder / "corpus.jsonl.gz").read_bytes()))
    (folder / "corpus.jsonl.gz").unlink()
    assert ingest(folder).kept.equals(done.kept)
