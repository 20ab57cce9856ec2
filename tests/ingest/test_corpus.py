"""Corpora from foreign files: ids, titles, groups, and blank texts that stay."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from negforge import rng
from negforge.api import Result, run
from negforge.corpus import CorpusStore
from negforge.errors import InputError
from negforge.records import Corpus, full_text
from tests import shell
from tests.conftest import SAMPLE


def lines(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def ingest(*inputs: Path | pl.DataFrame, **options: Any) -> Result:
    return run("ingest corpus", *(one if isinstance(one, pl.DataFrame) else str(one) for one in inputs), **options)


def refusal(*inputs: Path | pl.DataFrame, **options: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        ingest(*inputs, **options)
    assert caught.value.what and caught.value.where and caught.value.mend
    return caught.value


def test_the_id_of_beir_is_taken(tmp_path: Path) -> None:
    """`_id` is the id where there is no `id`; where both are, `id` is and `_id` travels along."""
    assert ingest(lines(tmp_path / "c.jsonl", {"_id": 4983, "title": "T", "text": "x"})).kept.to_dicts() == [
        {"id": "4983", "text": "x", "title": "T"}
    ]
    assert ingest(lines(tmp_path / "c.jsonl", {"_id": "a", "id": "b", "text": "x"})).kept.to_dicts() == [
        {"id": "b", "text": "x", "_id": "a"}
    ]


def test_columns_are_named_by_options(tmp_path: Path) -> None:
    """Id, text, title and group may have any name; the others travel along with their types."""
    path = lines(tmp_path / "c.jsonl", {"pid": 1, "body": "x", "head": "T", "doc": "d", "n": [1.5], "label": "any name is free"})
    assert ingest(path, id="pid", text="body", title="head", group="doc").kept.to_dicts() == [
        {"id": "1", "text": "x", "title": "T", "group": "d", "n": [1.5], "label": "any name is free"}
    ]


@pytest.mark.parametrize("option", ["id", "text", "title", "group"])
def test_a_misspelt_column_is_refused(tmp_path: Path, option: str) -> None:
    """A column that is not there stops the run, with the nearest name and the flag."""
    path = lines(tmp_path / "c.jsonl", {"id": 1, "text": "x", "passage": "y"})
    error = refusal(path, **{option: "pasage"})
    assert error.what == f"column 'pasage' is not in {path}"
    assert error.mend == f"pass --{option} passage, or rename the column"


def test_a_name_that_is_taken_is_refused(tmp_path: Path) -> None:
    """An option never overwrites a column that has the name already."""
    path = lines(tmp_path / "c.jsonl", {"id": 1, "text": "x", "passage": "y"})
    assert refusal(path, text="passage").what == "two columns claim 'text'"
    found = ingest(path, text="passage", rename=["text=source_text"]).kept
    assert found.to_dicts() == [{"id": "1", "text": "y", "source_text": "x"}]


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_blank_texts_stay(tmp_path: Path, form: str) -> None:
    """A blank text, of which published corpora have some, is a row in every format; a missing one is refused."""
    frame = pl.DataFrame({"id": ["1", "2", "3"], "title": ["T", "", None], "text": ["", "  ", "x"]})
    path = tmp_path / f"c.{form}"
    if form == "jsonl":
        frame.write_ndjson(path)
    elif form == "csv":
        frame.write_csv(path)
    else:
        frame.write_parquet(path)
    found = ingest(path).kept
    assert found.select("id", "text", "title").rows() == [("1", "", "T"), ("2", "  ", None), ("3", "x", None)]
    assert full_text(found).to_list() == ["T ", "  ", "x"]
    error = refusal(lines(tmp_path / "d.jsonl", {"id": 1, "text": "x"}, {"id": 2, "text": None}))
    assert (error.what, error.where) == ("column 'text' is null or blank", f"{tmp_path / 'd.jsonl'} row 2")


def test_titles_are_joined_the_same_everywhere(tmp_path: Path) -> None:
    """What a miner finds and what a pair has as positive is title, a space, text, in one spelling."""
    path = lines(tmp_path / "c.jsonl", {"_id": "1", "title": "T", "text": "x"}, {"_id": "2", "title": "", "text": "y"})
    done = ingest(path).kept
    store = CorpusStore.of(Corpus(done, digest="test-titles"))
    assert store.take(store.find(pl.Series(["1", "2"])))["text"].to_list() == ["T x", "y"] == full_text(done).to_list()
    (tmp_path / "qrels").mkdir()
    path.rename(tmp_path / "corpus.jsonl")
    lines(tmp_path / "queries.jsonl", {"_id": "q", "text": "?"})
    (tmp_path / "qrels" / "train.tsv").write_text("query-id\tcorpus-id\tscore\nq\t1\t1\nq\t2\t1\n")
    assert sorted(run("ingest beir", str(tmp_path)).kept["positive"].to_list()) == ["T x", "y"]


def test_ids_are_made_of_texts(tmp_path: Path) -> None:
    """A corpus without ids gets the digests of its texts, the same in any order; equal texts are one."""
    path = lines(tmp_path / "c.jsonl", {"text": "x"}, {"text": "y"}, {"text": "x"})
    done = ingest(path)
    assert done.kept["id"].to_list() == [rng.blake("corpus", "x"), rng.blake("corpus", "y")]
    assert done.report.counts["collapsed"] == 1


def test_one_id_for_two_texts_is_refused(tmp_path: Path) -> None:
    """Two texts, or two titles, under one id are two contents; a blank title is none."""
    path = lines(tmp_path / "c.jsonl", {"id": 1, "title": "S", "text": "x"}, {"id": 1, "title": "T", "text": "x"})
    assert "differ in title" in refusal(path).where
    same = ingest(lines(tmp_path / "d.jsonl", {"id": 1, "title": "", "text": "x"}, {"id": 1, "text": "x"}))
    assert (same.kept.height, same.report.counts["collapsed"]) == (1, 1)


def test_a_limit_takes_the_first_ids(tmp_path: Path) -> None:
    """`--limit N` keeps the N first ids as text sorts them."""
    path = lines(tmp_path / "c.jsonl", *({"id": number, "text": f"t{number}"} for number in (10, 9, 2, 1)))
    assert sorted(ingest(path, limit=2).kept["id"].to_list()) == ["1", "10"]


def test_pairs_become_a_corpus(tmp_path: Path) -> None:
    """The positives of a table of pairs are a corpus by naming their columns: one that several anchors share is one text."""
    rows = [{"anchor": f"a{number}", "positive": f"p{number % 2}", "positive_id": f"d{number % 2}"} for number in range(4)]
    run("ingest pairs", str(lines(tmp_path / "p.jsonl", *rows)), output=str(tmp_path / "p.parquet"))
    done = run("ingest corpus", str(tmp_path / "p.parquet"), text="positive", id="positive_id", rename=["id=pair_id"])
    assert done.kept.select("id", "text").sort("id").rows() == [("d0", "p0"), ("d1", "p1")]
    assert done.report.counts["collapsed"] == 2


def test_the_sample_corpus_on_the_command_line(tmp_path: Path) -> None:
    """The sample's passages, plain and gzipped, are the same table; counts go to stderr."""
    source = SAMPLE / "beir" / "corpus.jsonl"
    rows = source.read_text(encoding="utf-8").splitlines()
    done = shell.good("ingest", "corpus", source, "-o", tmp_path / "a.parquet")
    assert f"kept {len(rows)}" in done.err
    (tmp_path / "corpus.jsonl.gz").write_bytes(gzip.compress(source.read_bytes()))
    shell.good("ingest", "corpus", tmp_path / "corpus.jsonl.gz", "-o", tmp_path / "b.parquet")
    assert pl.read_parquet(tmp_path / "a.parquet").equals(pl.read_parquet(tmp_path / "b.parquet"))


def test_the_real_corpus_of_scifact(real_data: Path) -> None:
    """All 5,183 abstracts of SciFact, titles apart from texts."""
    done = ingest(real_data / "scifact" / "corpus.jsonl.gz")
    assert (done.kept.height, done.report.counts.get("collapsed", 0)) == (5183, 0)
    assert done.kept["title"].null_count() == 0
    assert done.kept.columns[:3] == ["id", "text", "title"]


def test_made_ids_are_told(tmp_path: Path) -> None:
    """Whoever means to name passages by id learns that the source has none, and equal texts become one."""
    (tmp_path / "c.jsonl").write_text('{"text": "one"}\n{"text": "two"}\n{"text": "one"}\n', encoding="utf-8")
    said = shell.good("ingest", "corpus", tmp_path / "c.jsonl", "-o", tmp_path / "c.parquet").err
    assert "  the source has no ids: they are made of the rows' content\n  equal rows collapsed: 1\n" in said
    assert "no ids" not in shell.good("ingest", "corpus", tmp_path / "c.parquet", "-o", tmp_path / "again.parquet").err
