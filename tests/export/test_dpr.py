"""DPR's records: a question with positive, random and hard negative contexts."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import negforge
from negforge.errors import InputError, UsageError
from negforge.rng import text_ids
from negforge.runner import EXPORT
from negforge.sinks import FileSink
from tests.export.cases import row, rows_of, scored, table
from tests.shell import call, good

TITLE = "export dpr"
CTXS = ("positive_ctxs", "negative_ctxs", "hard_negative_ctxs")


def mixed() -> pl.DataFrame:
    """An anchor with texts of BM25, of chance, and of both, in which chance comes first."""
    rows = [
        row("a", "chosen", draw=0),
        row("a", "both", draw=0, operator="mine.random"),
        row("a", "both", draw=1),
        row("a", "chance", draw=1, operator="mine.random"),
        row("b", "chance", draw=0, operator="mine.random"),
    ]
    return table(*rows)


def test_the_keys_are_those_of_a_real_file(tmp_path: Path, real_data: Path) -> None:
    """Of a record and of a context, with their types, in Natural Questions as DPR publishes it; its `dataset` is optional there."""
    with gzip.open(real_data / "dpr_nq_sample" / "sample.json.gz") as handle:
        real = json.load(handle)
    out = tmp_path / "train.json"
    negforge.run(TITLE, scored(), scores="score_x", output=out)
    ours = json.loads(out.read_text())
    assert isinstance(ours, list)
    for one in ours:
        assert [name for name in one if name != "q_id"] == [name for name in real[0] if name != "dataset"]
        assert all(isinstance(one[name], type(real[0][name])) for name in one if name in real[0])
        for ctx in (ctx for name in CTXS for ctx in one[name]):
            wanted = real[0]["hard_negative_ctxs"][0]
            assert list(ctx) == list(wanted)
            assert [type(value) for value in ctx.values()] == [type(value) for value in wanted.values()]


def test_a_record_is_an_anchor(tmp_path: Path) -> None:
    """Best first; ids of the corpus where there are any, else digests of the texts; a record a line where the file is .jsonl."""
    for name in ("train.json", "train.jsonl"):
        negforge.run(TITLE, scored(), scores="score_x", output=tmp_path / name.replace("train", name.rpartition(".")[2]))
    records = rows_of(tmp_path / "json.json")
    assert records == rows_of(tmp_path / "jsonl.jsonl")
    one = {record["q_id"]: record for record in records}
    plain = {"title": "", "title_score": 0}
    assert one["a"]["positive_ctxs"] == [
        {**plain, "text": "positive s1", "score": 0.5, "passage_id": "p-s1"},
        {**plain, "text": "positive s2", "score": 0.75, "passage_id": "p-s2"},
    ]
    assert one["a"]["negative_ctxs"] == []
    assert one["a"]["hard_negative_ctxs"] == [{**plain, "text": f"text {at}", "score": at / 8, "passage_id": f"n{at}"} for at in range(3)]
    assert one["b"]["hard_negative_ctxs"][0]["passage_id"] == text_ids(pl.Series(["lonely"]))[0]


def test_without_scores_there_is_no_number() -> None:
    """Null, and not a zero that a trainer would take for a score."""
    records = negforge.run(TITLE, scored()).kept.to_dicts()
    assert {ctx["score"] for one in records for name in CTXS for ctx in one[name]} == {None}


def test_what_chance_drew_is_not_hard() -> None:
    """A text that was chosen as well is; whatever is named by --easy is not. Provenance lists the first kind, then the second."""
    made = negforge.run(TITLE, mixed())
    held = {one["q_id"]: [[ctx["text"] for ctx in one[name]] for name in CTXS[1:]] for one in made.kept.to_dicts()}
    assert held == {"a": [["chance"], ["chosen", "both"]], "b": [["chance"], []]}
    ids = dict(made.asides["provenance"].select("anchor_id", "ids").rows())
    texts = dict(mixed().select("id", "negative").rows())
    assert [texts[one] for one in ids["a"]] == ["chance", "chosen", "both"]
    made = negforge.run(TITLE, mixed(), easy=["mine.bm25", "mine.random"])
    assert made.kept["hard_negative_ctxs"].list.len().to_list() == [0, 0]


def test_answers_come_from_a_column() -> None:
    """Of texts or of lists of texts; each once, in the order of the sources; none where there is no column."""
    frame = table(row("a", "x", source="s1"), row("a", "x", source="s2"), row("b", "y", source="s3"))
    assert negforge.run(TITLE, frame).kept["answers"].to_list() == [[], []]
    for values, wanted in (
        ([["one", "two"], ["two", "three"], None], {"a": ["one", "two", "three"], "b": []}),
        (["one", "one", "z"], {"a": ["one"], "b": ["z"]}),
    ):
        made = negforge.run(TITLE, frame.with_columns(pl.Series("gold", values)), answers="gold")
        assert dict(made.kept.select("q_id", "answers").rows()) == wanted
    with pytest.raises(InputError, match="'gold' is not in the table"):
        negforge.run(TITLE, frame, answers="gold")
    with pytest.raises(InputError, match="'draw' holds no texts"):
        negforge.run(TITLE, frame, answers="draw")


@pytest.mark.parametrize("rows", [0, 1, 5])
def test_a_file_is_one_document_of_json(tmp_path: Path, rows: int) -> None:
    """With no rows, with one, and with rows of many batches."""
    frame = table(*(row(f"a{at}", "wrong") for at in range(5)))
    negforge.run(TITLE, frame.head(rows), output=tmp_path / "train.json", batch_size=1)
    assert len(json.loads((tmp_path / "train.json").read_text())) == rows


def test_rows_that_come_in_pieces_are_one_array(tmp_path: Path) -> None:
    """As they do where they are many: commas between, empty pieces too."""
    sink = FileSink(EXPORT, tmp_path / "train.json", clustered=False)
    for at in (0, 2, 0, 1, 3):
        sink.write(pl.DataFrame({"number": range(at)}, schema={"number": pl.Int64}))
    sink.finish([], {})
    assert [one["number"] for one in rows_of(tmp_path / "train.json")] == [0, 1, 0, 0, 1, 2]


def test_the_order_of_rows_is_that_of_no_batch(pairs: pl.DataFrame, corpus: pl.DataFrame, tmp_path: Path) -> None:
    """Any batch size and worker count writes the same bytes."""
    mined = [negforge.run(f"generate mine.{miner}", pairs, corpus=corpus, num_negatives=2).kept for miner in ("bm25", "random")]
    frame = pl.concat(mined, how="diagonal")
    written: list[Any] = []
    for number, how in enumerate([{"batch_size": 3, "workers": 2}, {"batch_size": 10_000}]):
        out = tmp_path / str(number) / "train.json"
        negforge.run(TITLE, frame.sample(fraction=1, shuffle=True, seed=number), output=out, **how)
        written.append((out.read_bytes(), pl.read_parquet(out.with_name("train.provenance.parquet")).rows()))
    assert written[0] == written[1]
    assert all(one["negative_ctxs"] and one["hard_negative_ctxs"] for one in rows_of(out))


def test_json_is_written_for_trainers_alone(tmp_path: Path) -> None:
    """DPR's file is replaced by a rerun and left alone if nothing changed; that of others is not; no other stage writes .json."""
    source, out = tmp_path / "in.parquet", tmp_path / "train.json"
    scored().write_parquet(source)
    good("export", "dpr", source, "-o", out)
    before = out.stat().st_mtime_ns
    assert "unchanged" in good("export", "dpr", source, "-o", out).err
    assert out.stat().st_mtime_ns == before
    good("export", "dpr", source, "--n", "1", "-o", out)
    assert all(len(one["hard_negative_ctxs"]) == 1 for one in rows_of(out))
    mine = tmp_path / "mine.json"
    mine.write_text('[{"mine": 1}]')
    told = call("export", "dpr", source, "-o", mine)
    assert (told.code, mine.read_text()) == (2, '[{"mine": 1}]')
    assert "no provenance beside it" in told.err
    for words in (("export", "jsonl"), ("export", "sentence-transformers"), ("filter", "top", "--k", "1"), ("export", "flag-embedding")):
        told = call(*words[:2], source, *words[2:], "-o", tmp_path / "x.json")
        assert told.code == 2, words
        assert not (tmp_path / "x.json").exists()
    with pytest.raises(UsageError):
        negforge.run(TITLE, scored(), output=tmp_path / "train.parquet")


def test_a_pipeline_writes_it_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is told before any work of a stage that does not."""
    monkeypatch.chdir(tmp_path)
    scored().write_parquet(tmp_path / "in.parquet")
    stage = '[[stage]]\nname = "{}"\nuse = "{}"\ninput = "in.parquet"\noutput = "{}"\n'
    (tmp_path / "p.toml").write_text(stage.format("one", TITLE, "train.json"))
    good("run", tmp_path / "p.toml")
    assert len(rows_of(tmp_path / "train.json")) == 2
    (tmp_path / "q.toml").write_text(stage.format("one", "export jsonl", "other.json"))
    told = call("run", tmp_path / "q.toml")
    assert told.code == 2
    assert "stage 'one': cannot write other.json" in told.err
