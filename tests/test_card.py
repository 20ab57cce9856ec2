"""The card and Croissant: what they say follows from the manifests, and nothing in data steers them."""

from __future__ import annotations

import json
import re
import shlex
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from negforge.card import card_text, front_of
from negforge.contents import Contents
from negforge.records import NEGATIVES
from negforge.sinks import split_dropped
from negforge.store import Dataset
from tests.children import negatives, write
from tests.conftest import ROOT
from tests.shell import good

ROWS = 60
VILE = st.sampled_from(
    [
        "`",
        "```",
        "|",
        "<!--",
        "-->",
        "<!-- negforge: end -->",
        "<script>",
        "![x](http://e.vil)",
        "\n\n# x",
        "\n```\n",
        "\\|",
        "\x1b[2J",
        "&lt;",
        "www.e.vil",
        "---\n",
    ]
)


def card(path: Path) -> str:
    """A dataset's card."""
    return (path / "README.md").read_text(encoding="utf-8")


def contents(frame: pl.DataFrame, batch: int) -> dict[str, Any]:
    """What is gathered of a table that comes in batches."""
    found = Contents(NEGATIVES)
    for piece in frame.iter_slices(batch):
        kept, dropped = split_dropped(piece)
        found.add(kept, kept.filter(pl.col("label") == "negative"))
        found.add_dropped(dropped)
    return found.document()


# -- what a version holds ------------------------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(batch=st.integers(1, 80), seed=st.integers(0, 99))
def test_contents_do_not_depend_on_order_or_batches(batch: int, seed: int) -> None:
    """Counts and the rows shown are those of the table, however it comes."""
    frame = negatives(ROWS).with_columns(operator=pl.format("mine.toy{}", pl.int_range(ROWS) % 3))
    assert contents(frame.sample(fraction=1, shuffle=True, seed=seed), batch) == contents(frame, ROWS)


def test_contents_are_counts_of_the_rows() -> None:
    """Labels by operator, evidence of what is published, drops by operator and reason; examples of each operator."""
    frame = negatives(ROWS).with_columns(operator=pl.format("mine.toy{}", pl.int_range(ROWS) % 2))
    found = contents(frame, 7)
    kept, dropped = split_dropped(frame)
    counted = kept.group_by("operator", "label").len()
    assert {(one["operator"], one["label"], one["rows"]) for one in found["labels"]} == {*counted.iter_rows()}
    assert found["evidence"] == [{"evidence": "not-known-positive", "rows": kept.filter(pl.col("label") == "negative").height}]
    assert found["drops"] == [{"by": "filter toy", "reason": "low", "rows": dropped.height}]
    assert {one["operator"] for one in found["examples"]} == {"mine.toy0", "mine.toy1"}
    assert len(found["examples"]) == 3


def test_a_column_of_counts_that_is_none_is_left_out() -> None:
    """Ten thousand names and more are no names of operators, and are not held."""
    frame = negatives(16_000, words=0).with_columns(operator=pl.format("mine.{}", pl.int_range(16_000)))
    found = contents(frame, 1000)
    assert "labels" not in found
    assert len(json.dumps(found)) < 10_000


# -- the card ------------------------------------------------------------------------------------------------------------


def test_a_card_says_what_a_person_wants_to_know(tmp_path: Path) -> None:
    """Stages, counts, reasons, examples, loading, licence; and YAML that the Hub knows."""
    write(tmp_path / "set", negatives(ROWS))
    text = card(tmp_path / "set")
    for said in (
        "`mine.toy` | `unknown`",
        "`filter toy` | `low` | 12",
        "negative  wrong a ",
        'load_dataset("PATH", "v1"',
        "pl.read_parquet",
        "Not stated.",
    ):
        assert said in text
    assert front_of(text)["size_categories"] == ["n<1K"]
    assert front_of(text)["tags"] == ["negforge", "hard-negatives"]


def test_a_card_says_what_was_not_verified(tmp_path: Path) -> None:
    """Nothing is claimed of rows that no verifier saw."""
    write(tmp_path / "set", negatives(ROWS))
    assert "**Nothing was verified**" in card(tmp_path / "set")


def test_the_commands_of_a_card_make_the_version_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pasted with the tables put in, they give the rows_digest that the card says."""
    monkeypatch.chdir(tmp_path)
    pairs, corpus = ROOT / "sample_data/pairs.jsonl", ROOT / "sample_data/beir/corpus.jsonl"
    good("ingest", "pairs", pairs, "-o", "pairs.parquet")
    good("ingest", "corpus", corpus, "-o", "corpus.parquet")
    good("generate", "mine.bm25", "pairs.parquet", "--corpus", "corpus.parquet", "-n", "3", "--seed", "5", "-o", "mined.parquet")
    good("filter", "top", "mined.parquet", "--k", "2", "--keep-labels", "positive", "-o", "set")
    text = card(tmp_path / "set")
    digest = re.findall(r"`rows_digest` `([0-9a-f]{32})`", text)
    assert digest == [Dataset(tmp_path / "set").manifest(1)["digests"]["rows_digest"]]
    assert "`known-positive` looked at the candidates" in text
    (block,) = re.findall(r"```sh\n(.*?)\n```", text, re.DOTALL)
    table = str(pairs)
    for number, command in enumerate(block.replace("CORPUS", "corpus.parquet").replace("DIR", "again").split(" \\\n  | ")):
        words = [table if word == "INPUT" else word for word in shlex.split(command)[1:]]
        words = words if number == 0 else [*words[:2], table, *words[2:]]
        table = f"{number}.parquet"
        good(*words, *([] if "-o" in words else ["-o", table]))
    assert Dataset(tmp_path / "again").manifest(1)["digests"]["rows_digest"] == digest[0]


@settings(max_examples=40, deadline=None)
@given(parts=st.lists(VILE | st.text(max_size=8), min_size=1, max_size=6))
def test_nothing_in_data_steers_the_card(parts: list[str]) -> None:
    """Texts, names and options full of Markdown and HTML make no heading, link, image or tag, and a rewrite changes nothing."""
    vile = "".join(parts)
    frame = negatives(4).with_columns(pl.lit(vile).alias(name) for name in ("anchor", "negative", "operator", "drop_reason"))
    frame = frame.with_columns(evidence=pl.concat_list(pl.lit(vile)), label=pl.lit("negative"))
    manifest = {**_manifest(3), "contents": contents(frame, 2)}
    manifest["stages"] = [{"stage": vile, "version": 1, "options": {"text": vile}, "seed": 0, "counts": {"kept": 1, "dropped": {vile: 1}}}]
    text = card_text("set", [manifest], "")
    assert card_text("set", [manifest], text) == text
    plain = card_text("set", [{**manifest, "contents": contents(negatives(4), 2)}], "")
    kinds = {token.type for token in _tokens(text)}
    assert not kinds & {"link_open", "image", "html_inline"}
    assert sum(token.type == "heading_open" for token in _tokens(text)) == sum(token.type == "heading_open" for token in _tokens(plain))
    assert sum(token.type == "html_block" for token in _tokens(text)) == 2
    assert "\x1b" not in text


def _tokens(text: str) -> list[Any]:
    found = []
    for token in MarkdownIt("gfm-like", {"linkify": False}).parse(text.split("---\n", 2)[2]):
        found += [token, *(token.children or [])]
    return found


def _manifest(rows: int) -> dict[str, Any]:
    shard = {"path": "data/v1/train-00000-of-00001.parquet", "rows": rows, "bytes": 5, "sha256": "0" * 64}
    return {
        "format": 1,
        "version": 1,
        "kind": "negatives",
        "created": "2026-11-01T00:00:00+00:00",
        "tool": {"negforge": "0.1.0"},
        "rows": rows,
        "memory_bytes": 9,
        "columns": [{"name": "anchor", "dtype": "string"}],
        "shards": [shard],
        "dropped": {"rows": 0, "other_labels": 0, "shards": []},
        "digests": {"rows_digest": "0" * 32},
        "keep_labels": [],
        "clustered": True,
        "stages": [],
    }


@pytest.mark.parametrize(
    ("rows", "size"), [(0, "n<1K"), (999, "n<1K"), (1000, "1K<n<10K"), (99_999, "10K<n<100K"), (10**9, "1B<n<10B"), (10**12, "n>1T")]
)
def test_sizes_are_those_the_hub_knows(rows: int, size: str) -> None:
    """size_categories, from the rows; a card of a billion rows is as small as any, and as quick."""
    begun = time.process_time()
    text = card_text("set", [_manifest(rows)], "")
    assert front_of(text)["size_categories"] == [size]
    assert len(text) < 5000
    assert time.process_time() - begun < 1


def test_a_manifest_of_before_has_a_card(tmp_path: Path) -> None:
    """Without counts by operator there is a card, without those tables."""
    assert "| operator |" not in card_text("set", [_manifest(3)], "")


# -- Croissant -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shards", [1, 4])
def test_croissant_is_valid_and_reads_the_rows(tmp_path: Path, shards: int) -> None:
    """`mlcroissant` finds no error, and reads the rows that the version has; every file has its sha256."""
    import mlcroissant

    path = tmp_path / "set"
    edit = pl.struct(start=pl.lit(1), end=pl.lit(2), old=pl.lit("a"), new=pl.lit("b"))
    write(path, negatives(ROWS).with_columns(edit=edit, day=pl.lit("2020-01-01").str.to_date(), flag=pl.lit(value=True)), shards=shards)
    (path / "croissant.json").write_text(good("show", path, "--croissant").out, encoding="utf-8")
    found = mlcroissant.Dataset(jsonld=str(path / "croissant.json"))
    assert not found.metadata.ctx.issues.errors
    expected = pl.read_parquet(path / "data/v1/*.parquet")
    assert sorted(one["v1/negative"].decode() for one in found.records("v1")) == sorted(expected["negative"])
    files = {
        one["@id"]: one["sha256"]
        for one in json.loads((path / "croissant.json").read_text(encoding="utf-8"))["distribution"]
        if "sha256" in one
    }
    assert files == {one["path"]: one["sha256"] for one in Dataset(path).manifest(1)["shards"]}
