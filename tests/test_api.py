"""The Python call runs the same stages, with rows in memory where no output is named."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import negforge
from negforge import InputError, StorageError, UsageError
from tests.shell import good


@pytest.fixture(scope="module")
def mined(pairs: pl.DataFrame, corpus: pl.DataFrame) -> negforge.Result:
    """Mined negatives in memory."""
    return negforge.run("generate mine.bm25", pairs, corpus=corpus, num_negatives=3)


def test_rows_come_back(mined: negforge.Result, pairs: pl.DataFrame) -> None:
    """Without an output the result holds kept rows and dropped rows, and the report their counts."""
    counts = mined.report.counts
    assert mined.kept.height == counts["kept"]
    assert mined.dropped.height == sum(counts["dropped"].values())
    assert counts["seen"] == pairs.height
    assert "dropped_by" not in mined.kept.columns
    assert mined.report.outcome.place == "memory"


def test_an_output_takes_the_rows(mined: negforge.Result, tmp_path: Path) -> None:
    """With an output, a path of any kind, the rows are there and not in memory; both digests agree."""
    made = negforge.run("filter top", mined.kept, k=1, output=tmp_path / "set")
    again = negforge.run("filter top", mined.kept, k=1)
    assert made.kept.is_empty()
    assert made.report.outcome.version == 1
    assert made.report.outcome.digests == again.report.outcome.digests
    twice = negforge.run("filter top", mined.kept, k=1, output=tmp_path / "set")
    assert twice.report.outcome.unchanged


def test_stages_chain_in_memory(mined: negforge.Result) -> None:
    """What one stage hands back another takes."""
    best = negforge.run("filter top", mined.kept, k=1)
    assert best.kept.group_by("anchor_id").agg(pl.col("negative").filter(pl.col("label") == "negative").n_unique())["negative"].max() == 1
    triplets = negforge.run("export sentence-transformers", best.kept)
    assert triplets.kept.columns == ["anchor", "positive", "negative"]
    assert triplets.asides["provenance"].height == triplets.kept.height


def test_what_an_export_leaves_out_is_dropped(mined: negforge.Result) -> None:
    """Rows that did not fit come back as dropped rows with their reason, not as a table of another name."""
    made = negforge.run("export sentence-transformers", mined.kept)
    assert made.dropped["drop_reason"].unique().to_list() == ["label-positive"]
    assert made.dropped.height == (mined.kept["label"] == "positive").sum() > 0
    assert set(made.asides) == {"provenance"}


def test_inputs_are_left_as_they_were(pairs: pl.DataFrame, corpus: pl.DataFrame) -> None:
    """Neither the input nor a side input changes."""
    before, side = pairs.clone(), corpus.clone()
    negforge.run("generate mine.random", pairs, corpus=corpus)
    assert_frame_equal(pairs, before)
    assert_frame_equal(corpus, side)


def test_files_and_frames_mix(pairs: pl.DataFrame, tmp_path: Path) -> None:
    """Paths may be `Path`s, for inputs and side inputs alike, and several inputs are one table."""
    pairs.head(3).write_ndjson(tmp_path / "a.jsonl")
    negforge.run("ingest corpus", Path("sample_data/beir/corpus.jsonl"), output=tmp_path / "corpus.parquet")
    made = negforge.run("generate mine.random", tmp_path / "a.jsonl", pairs[3:5], corpus=tmp_path / "corpus.parquet")
    assert made.report.counts["seen"] == 5


def test_an_option_may_be_named_like_a_parameter(tmp_path: Path) -> None:
    """`title` is an option of `ingest corpus`, and not the name of the stage."""
    pl.DataFrame({"id": ["1"], "text": ["t"], "heading": ["h"]}).write_ndjson(tmp_path / "c.jsonl")
    assert negforge.run("ingest corpus", tmp_path / "c.jsonl", title="heading").kept["title"].to_list() == ["h"]


@pytest.mark.parametrize(
    ("title", "options", "words"),
    [
        ("generate mine.bm52", {}, ["there is no operator 'generate mine.bm52'", "did you mean mine.bm25?"]),
        ("generat mine.bm25", {}, ["there is no verb 'generat'"]),
        ("filter top", {}, ["--k is missing"]),
        ("filter top", {"k": 1, "oder": "auto"}, ["filter top has no option 'oder'", "did you mean order?"]),
        ("filter top", {"k": 0, "limit": 0}, ["the call has 2 faults", "--k takes", "--limit takes"]),
        ("generate mine.random", {}, ["generate mine.random needs --corpus"]),
    ],
)
def test_every_fault_is_a_usage_error(title: str, options: dict[str, object], words: list[str], pairs: pl.DataFrame) -> None:
    """Unknown, missing and wrong options are refused together, with the nearest name."""
    with pytest.raises(UsageError) as caught:
        negforge.run(title, pairs, output=None, **options)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_no_input_is_an_error() -> None:
    """A call never waits for standard input of its own accord."""
    with pytest.raises(UsageError, match="there is no input"):
        negforge.run("filter top", k=1)


@pytest.mark.parametrize("name", ["x.tsv", "x.json", "x.jsonl.gz"])
def test_a_format_that_is_not_written_is_refused_first(name: str, tmp_path: Path, pairs: pl.DataFrame) -> None:
    """Before any work, and nothing is made."""
    with pytest.raises(UsageError, match="cannot write"):
        negforge.run("ingest pairs", pairs, output=tmp_path / name)
    assert not any(tmp_path.iterdir())


def test_bad_data_and_bad_places_have_errors_of_their_own(tmp_path: Path, pairs: pl.DataFrame) -> None:
    """InputError for what cannot be read, StorageError for what cannot be written; nothing is left behind."""
    with pytest.raises(InputError):
        negforge.run("ingest pairs", tmp_path / "nothing.jsonl")
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StorageError):
        negforge.run("ingest pairs", pairs, output=tmp_path / "file" / "x.parquet")
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


def test_tables_are_merged_in_memory_and_on_disk(mined: negforge.Result, pairs: pl.DataFrame, corpus: pl.DataFrame, tmp_path: Path) -> None:
    """Frames, files and datasets; the rows are those of the command line."""
    negforge.run("filter top", mined.kept, k=1, output=tmp_path / "one.parquet")
    negforge.run("generate mine.random", pairs, corpus=corpus, output=tmp_path / "set")
    made = negforge.merge(tmp_path / "one.parquet", tmp_path / "set")
    good("merge", tmp_path / "one.parquet", tmp_path / "set", "-o", tmp_path / "both.parquet")
    assert made.kept.sort("id").equals(pl.read_parquet(tmp_path / "both.parquet").sort("id")[made.kept.columns])
    again = negforge.merge(
        tmp_path / "set", tmp_path / "one.parquet", mined.kept.clear(), output=tmp_path / "again", shards=2, max_memory="1GiB"
    )
    assert again.report.outcome.digests["rows_digest"] == made.report.outcome.digests["rows_digest"]
    assert (again.kept.is_empty(), len([*(tmp_path / "again/data/v1").iterdir()])) == (True, 2)


def test_a_merge_is_refused_as_on_the_command_line(mined: negforge.Result, tmp_path: Path) -> None:
    """Every fault of the call at once, before any work."""
    negforge.run("filter top", mined.kept, k=1, output=tmp_path / "one.parquet")
    with pytest.raises(UsageError) as caught:
        negforge.merge(tmp_path / "one.parquet", output=tmp_path / "one.parquet", scores="hihger", shards=2)
    assert all(word in str(caught.value) for word in ("is also an input", "did you mean higher?", "--shards is for a dataset folder"))
    with pytest.raises(UsageError, match="--max-memory takes a size"):
        negforge.merge(tmp_path / "one.parquet", max_memory="lots")
    with pytest.raises(UsageError, match="there is no input"):
        negforge.merge()


def test_tables_are_looked_after(mined: negforge.Result, tmp_path: Path) -> None:
    """`check`, `diff`, `log` and `show` give what their commands print as JSON."""
    for k in (1, 2):
        negforge.run("filter top", mined.kept, k=k, output=tmp_path / "set")
    found = negforge.check(tmp_path / "set", every=True)
    assert [(one.name, one.findings) for one in found] == [(f"{tmp_path}/set@v{number}", []) for number in (2, 1)]
    change = negforge.diff(tmp_path / "set", rows=1)
    assert change.document() == json.loads(good("diff", tmp_path / "set", "--rows", "1", "--json").out)
    assert change.document() == negforge.diff(f"{tmp_path}/set@v1", tmp_path / "set", rows=1).document()
    assert negforge.log(tmp_path / "set") == json.loads(good("log", tmp_path / "set", "--json").out)
    assert negforge.show(f"{tmp_path}/set@v1") == json.loads(good("show", f"{tmp_path}/set@v1", "--json").out)
    shard = next((tmp_path / "set/data/v1").iterdir())
    shard.write_bytes(shard.read_bytes()[:-1])
    assert [len(one.findings) > 0 for one in negforge.check(tmp_path / "set", every=True)] == [False, True]
    with pytest.raises(InputError, match="there is no folder"):
        negforge.log(tmp_path / "nothing")


def test_importing_the_package_is_light() -> None:
    """`import negforge` loads neither Polars nor PyArrow; the first call does."""
    import subprocess
    import sys

    code = "import sys, negforge; print([one for one in ('polars', 'pyarrow', 'numpy', 'pydantic', 'typer') if one in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
