"""Tevatron's rows: a query with its passages, or with the ids of documents that lie in a corpus beside the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

import negforge
from negforge.errors import InputError, UsageError
from negforge.rng import text_ids
from tests.conftest import ROOT
from tests.export.cases import row, rows_of, scored, table
from tests.shell import call, good

TITLE = "export tevatron"


def digest(text: str) -> str:
    """The id of a text that has none."""
    return str(text_ids(pl.Series([text]))[0])


def test_passages_are_records_under_their_names(tmp_path: Path) -> None:
    """The keys Tevatron 0.1.0's `TrainPreProcessor` and main's `TrainDataset` look up, in this order; text is whole, title empty."""
    out = tmp_path / "train.jsonl"
    negforge.run(TITLE, scored(), output=out)
    rows = {one["query_id"]: one for one in rows_of(out)}
    assert list(rows["a"]) == ["query_id", "query", "positive_passages", "negative_passages"]
    assert rows["a"]["negative_passages"] == [{"docid": f"n{at}", "title": "", "text": f"text {at}"} for at in range(3)]
    assert [one["docid"] for one in rows["a"]["positive_passages"]] == ["p-s1", "p-s2"]
    assert rows["b"]["negative_passages"][0]["docid"] == digest("lonely")
    assert not (tmp_path / "train.corpus").exists()


def test_scores_stand_in_their_passages() -> None:
    """Each passage has its own."""
    rows = {one["query_id"]: one for one in negforge.run(TITLE, scored(), scores="score_x").kept.to_dicts()}
    assert [one["score"] for one in rows["a"]["positive_passages"]] == [0.5, 0.75]
    assert [one["score"] for one in rows["a"]["negative_passages"]] == [0, 1 / 8, 2 / 8]


def test_ids_name_documents_of_the_corpus_beside(tmp_path: Path) -> None:
    """Every id of a row is a docid there, once, and scores run beside the ids."""
    out = tmp_path / "train.jsonl"
    negforge.run(TITLE, scored(), layout="ids", scores="score_x", output=out)
    rows = {one["query_id"]: one for one in rows_of(out)}
    assert rows["a"] == {
        "query_id": "a",
        "query_text": "anchor of a",
        "positive_document_ids": ["p-s1", "p-s2"],
        "negative_document_ids": ["n0", "n1", "n2"],
        "positive_scores": [0.5, 0.75],
        "negative_scores": [0, 1 / 8, 2 / 8],
    }
    corpus = pl.read_parquet(tmp_path / "train.corpus" / "train-00000-of-00001.parquet")
    assert corpus.schema == {"docid": pl.String, "text": pl.String}
    assert dict(corpus.rows()) == {
        **{f"n{at}": f"text {at}" for at in range(3)},
        **{f"p-s{at}": f"positive s{at}" for at in (1, 2)},
        **{digest(text): text for text in ("positive s3", "lonely")},
    }


def test_the_corpus_loads_by_the_name_of_its_folder(tmp_path: Path) -> None:
    """`--dataset_name json --dataset_path train.jsonl --corpus_name train.corpus`: what main's `TrainDataset` hands to load_dataset.

    Then it looks each id up by the place of its docid.
    """
    import datasets

    out = tmp_path / "train.jsonl"
    negforge.run(TITLE, scored(), layout="ids", output=out)
    cache = str(tmp_path / "cache")
    train = datasets.load_dataset("json", data_files=str(out), split="train", cache_dir=cache)
    corpus = datasets.load_dataset(str(tmp_path / "train.corpus"), split="train", cache_dir=cache)
    place = {docid: at for at, docid in enumerate(corpus["docid"])}
    for one in train:
        for docid in one["positive_document_ids"] + one["negative_document_ids"]:
            assert corpus[place[docid]]["docid"] == docid
            assert isinstance(corpus[place[docid]]["text"], str)


def test_one_id_with_two_texts_is_told() -> None:
    """As when pairs leave out the titles of the corpus; digests of the texts are ids that tell them apart."""
    frame = table(
        row("a", "Title one text", negative_id="d1", positive_id="d9"),
        row("b", "other", positive="one text", negative_id="d2", positive_id="d1"),
    )
    with pytest.raises(InputError, match="the id 'd1' has two texts") as error:
        negforge.run(TITLE, frame, layout="ids")
    assert error.value.where == "'Title one text' and 'one text'"
    assert "--docids text" in error.value.mend
    made = negforge.run(TITLE, frame, layout="ids", docids="text")
    assert made.kept["negative_document_ids"].explode().sort().to_list() == sorted([digest("Title one text"), digest("other")])
    assert negforge.run(TITLE, frame).report.counts["kept"] == 2  # where rows hold their texts, there is nothing to mix up


@pytest.mark.parametrize("layout", ["passages", "ids"])
def test_the_order_of_rows_is_that_of_no_batch(layout: str, pairs: pl.DataFrame, corpus: pl.DataFrame, tmp_path: Path) -> None:
    """Any batch size, worker count and memory writes the same bytes, the corpus of what many anchors share included."""
    mined = negforge.run("generate mine.bm25", pairs, corpus=corpus, num_negatives=3).kept
    written = []
    for number, how in enumerate([{"batch_size": 3, "workers": 2}, {"batch_size": 10_000, "max_memory": 1}]):
        folder = tmp_path / str(number)
        rows = mined.sample(fraction=1, shuffle=True, seed=number)
        negforge.run(TITLE, rows, layout=layout, docids="text", output=folder / "train.jsonl", **how)
        beside = pl.read_parquet(folder / "train.provenance.parquet")
        texts = pl.read_parquet(folder / "train.corpus" / "*.parquet").rows() if layout == "ids" else []
        written.append(((folder / "train.jsonl").read_bytes(), beside.rows(), texts))
    assert written[0] == written[1]


def test_a_stream_has_no_place_for_a_corpus(tmp_path: Path) -> None:
    """It is refused before a row is written; passages go to a stream."""
    source = tmp_path / "in.parquet"
    scored().write_parquet(source)
    told = call("export", "tevatron", source, "--layout", "ids", "--to", "jsonl")
    assert (told.code, told.out) == (2, "")
    assert "pass -o FILE" in told.err
    assert len(good("export", "tevatron", source, "--to", "jsonl").out.splitlines()) == 2


def test_a_folder_of_others_is_not_written_into(tmp_path: Path) -> None:
    """What stands where the corpus would is not ours to replace."""
    (tmp_path / "train.corpus").mkdir()
    (tmp_path / "train.corpus" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"train\.corpus was not written as the corpus of an export"):
        negforge.run(TITLE, scored(), layout="ids", output=tmp_path / "train.jsonl")
    assert [one.name for one in tmp_path.iterdir()] == ["train.corpus"]
    negforge.run(TITLE, scored(), output=tmp_path / "train.jsonl")  # which needs none
    assert (tmp_path / "train.corpus" / "mine.txt").exists()


def test_a_corpus_of_the_users_own_stays(tmp_path: Path) -> None:
    """A table that another stage of ours wrote there is neither replaced nor taken for one that is no longer named."""
    own = tmp_path / "train.corpus" / "train-00000-of-00001.parquet"
    good("ingest", "corpus", ROOT / "sample_data" / "beir" / "corpus.jsonl", "-o", own)
    before = own.read_bytes()
    negforge.run(TITLE, scored(), output=tmp_path / "train.jsonl")
    with pytest.raises(UsageError, match=r"train\.corpus was not written as the corpus of an export"):
        negforge.run(TITLE, scored(), layout="ids", output=tmp_path / "train.jsonl")
    assert own.read_bytes() == before


def test_a_corpus_that_is_no_longer_named_goes(tmp_path: Path) -> None:
    """The same file written with its texts leaves no corpus of an earlier run; a rerun changes nothing."""
    out = tmp_path / "train.jsonl"
    made: list[Any] = [negforge.run(TITLE, scored(), layout="ids", output=out).report.outcome for _ in range(2)]
    assert [one.unchanged for one in made] == [False, True]
    assert [one.findings for one in negforge.check(tmp_path / "train.corpus" / "train-00000-of-00001.parquet")] == [[]]
    negforge.run(TITLE, scored(), output=out)
    assert not (tmp_path / "train.corpus").exists()


def test_two_files_of_one_stem_do_not_share_a_corpus(tmp_path: Path) -> None:
    """The second would replace the first's."""
    negforge.run(TITLE, scored(), layout="ids", output=tmp_path / "train.jsonl")
    with pytest.raises(UsageError, match="belongs to"):
        negforge.run(TITLE, scored(), layout="ids", output=tmp_path / "train.parquet")


def test_another_form_of_file_is_refused(tmp_path: Path) -> None:
    """CSV has no lists."""
    with pytest.raises(UsageError):
        negforge.run(TITLE, scored(), output=tmp_path / "train.csv")
