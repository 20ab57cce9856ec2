"""Pipelines go on where they stopped: what nothing changed for is skipped, what was broken off goes on, nothing is torn."""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import negforge
from negforge import journal, plugins, registry, resuming, runner
from negforge.corpus import file_digest
from negforge.digests import input_digest, option_digest
from negforge.encoders import Encoder, files_of
from negforge.engine import ordered_map
from negforge.journal import Journal, Kept
from negforge.pipeline import load, plan, run_steps
from negforge.report import Counts, Report
from negforge.rerankers import Reranker
from negforge.runner import stage_of
from negforge.store import Dataset
from tests.children import negatives
from tests.conftest import ROOT
from tests.models import static_model
from tests.shell import Children, call, good, run

FILE = """
[[stage]]
name = "pairs"
use = "ingest pairs"
input = "pairs.jsonl"

[[stage]]
name = "corpus"
use = "ingest corpus"
input = "corpus.jsonl"

[[stage]]
name = "mine"
use = "generate mine.random"
input = "@pairs"
corpus = "@corpus"
num_negatives = 3

[[stage]]
name = "best"
use = "filter top"
input = "@mine"
by = "draw"
k = 2

[[stage]]
name = "dataset"
use = "dedupe exact"
input = "@best"
output = "out/dataset"

[[stage]]
name = "triplets"
use = "export sentence-transformers"
input = "@dataset"
output = "out/triplets.parquet"
"""
STAGES = ["pairs", "corpus", "mine", "best", "dataset", "triplets"]


def fill(here: Path) -> None:
    """A pipeline over the sample's pairs and corpus."""
    here.mkdir(exist_ok=True)
    (here / "p.toml").write_text(FILE, encoding="utf-8")
    shutil.copy(ROOT / "sample_data" / "pairs.jsonl", here)
    shutil.copy(ROOT / "sample_data" / "beir" / "corpus.jsonl", here)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a pipeline in it, and a cache of its own."""
    monkeypatch.setenv("NEGFORGE_CACHE", str(tmp_path / "cache"))
    fill(tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def reports(*settings: str, resume: bool = True, **flags: Any) -> dict[str, Report]:
    """Run the pipeline; its reports by stage."""
    steps = load("p.toml", {"workers": 1, **flags}, list(settings))
    return {step.name: report for step, report in zip(steps, run_steps(steps, resume=resume), strict=True)}


def ran(*settings: str, **flags: Any) -> list[str]:
    """Run the pipeline; the stages that were not skipped."""
    return [name for name, report in reports(*settings, **flags).items() if not report.skipped]


def files(folder: Path) -> dict[Path, int]:
    """Every file with its time of change, locks aside."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file() and path.name != "lock"}


# -- what is skipped ---------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("folder")
def test_a_rerun_starts_at_the_first_stage_that_something_changed_for() -> None:
    """Options, seeds and content decide; batches, workers, memory and times of files do not (argilla-io/distilabel#880)."""
    assert ran() == STAGES
    assert ran() == []
    assert ran(batch_size=7, max_memory="300MB") == []
    assert ran(workers=2) == []
    assert ran("best.k=1") == STAGES[3:]
    assert ran("best.k=1") == []
    assert ran("mine.seed=4") == STAGES[2:]
    os.utime("pairs.jsonl", ns=(1, 1))
    assert ran() == STAGES[4:], "the rows of each variant are kept, but an output holds those of the last run"
    lines = Path("pairs.jsonl").read_bytes().splitlines(keepends=True)
    Path("pairs.jsonl").write_bytes(b"".join(lines[:-1]))
    assert ran() == ["pairs", *STAGES[2:]]


@pytest.mark.usefixtures("folder")
def test_skipped_stages_report_what_they_made_and_touch_no_file() -> None:
    """The counts and digests are those of the run that made the rows (Eventual-Inc/Daft#3112)."""
    first = reports()
    before = files(Path())
    second = reports()
    assert files(Path()) == before
    for name, report in second.items():
        assert report.counts == first[name].counts
        assert report.outcome.digests == first[name].outcome.digests
        assert report.outcome.place == first[name].outcome.place
        assert report.document()["unchanged"]
    assert Dataset(Path("out/dataset")).versions() == [1]


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", ["triplets.parquet", "triplets.provenance.parquet"])
@pytest.mark.parametrize("harm", ["remove", "alter", "truncate"])
def test_an_output_that_is_not_what_was_written_is_made_again(harm: str, name: str) -> None:
    """A file is known by its bytes, not by its name and time, and so is what lies beside it."""
    reports()
    path = Path("out") / name
    good_bytes = path.read_bytes()
    if harm == "remove":
        path.unlink()
    else:
        path.write_bytes(good_bytes[:-1] + b"?" if harm == "alter" else good_bytes[:-9])
    assert ran() == ["triplets"]
    assert path.read_bytes() == good_bytes


@pytest.mark.usefixtures("folder")
def test_a_dataset_that_moved_on_or_was_harmed_is_published_again() -> None:
    """HEAD must hold the rows of this run; a shard must have the bytes of its manifest."""
    reports()
    reports("best.k=1")
    assert Dataset(Path("out/dataset")).versions() == [1, 2]
    assert ran() == ["dataset", "triplets"]
    assert Dataset(Path("out/dataset")).versions() == [1, 2, 3]
    shard = next(Path("out/dataset/data/v3").iterdir())
    shard.write_bytes(shard.read_bytes()[:-1] + b"?")
    assert ran() == ["dataset"]
    assert Dataset(Path("out/dataset")).versions() == [1, 2, 3, 4], "what cannot be read is made again, not called unchanged"


@pytest.mark.usefixtures("folder")
def test_a_skipped_dataset_gets_its_card_and_head_back() -> None:
    """What follows from the manifests is healed by a run that skips the stage."""
    reports()
    card = Path("out/dataset/README.md").read_text(encoding="utf-8")
    Path("out/dataset/README.md").unlink()
    Path("out/dataset/.negforge/HEAD").write_text("v9\n", encoding="utf-8")
    assert ran() == []
    assert Path("out/dataset/README.md").read_text(encoding="utf-8") == card
    assert Path("out/dataset/.negforge/HEAD").read_text(encoding="utf-8") == "v1\n"


@pytest.mark.usefixtures("folder")
def test_without_resuming_all_is_made_and_nothing_is_kept(tmp_path: Path) -> None:
    """--no-resume neither reads nor writes stages; the rows are the same."""
    anew = reports(resume=False)
    assert not (tmp_path / "cache" / "stages").exists()
    kept = reports()
    assert [one.outcome.digests for one in anew.values()] == [one.outcome.digests for one in kept.values()]
    assert not any(report.skipped for report in reports(resume=False).values())


def test_a_pipe_is_read_each_time(folder: Path) -> None:
    """What comes on standard input is not known before it is read; what follows from equal rows is skipped."""
    data = (folder / "pairs.jsonl").read_bytes()
    words = ["run", "p.toml", "--set", "pairs.input=-", "--workers", "1", "--json", "-q"]
    first, second = (json.loads(run(*words, data=data, cwd=folder).out) for _ in range(2))
    assert [one["name"] for one in first if one["skipped"]] == []
    assert [one["name"] for one in second if not one["skipped"]] == ["pairs"]
    other = json.loads(run(*words, data=data.splitlines(keepends=True)[0], cwd=folder).out)
    assert [one["name"] for one in other if one["skipped"]] == ["corpus"]


@pytest.mark.usefixtures("folder")
def test_the_code_of_an_operator_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another source of the same version is another stage: who edits an operator, or a file it imports, sees what it does."""
    monkeypatch.setenv(plugins.ENVIRONMENT, str(tmp_path / "own"))
    own, words = tmp_path / "own" / "filter" / "best.py", tmp_path / "own" / "_words.py"
    own.parent.mkdir(parents=True)
    shutil.copy(registry.OURS.folder / "filter" / "top.py", own)
    words.write_text("WORDS = 1\n", encoding="utf-8")
    Path("p.toml").write_text(FILE.replace("filter top", "filter best"), encoding="utf-8")
    assert ran() == STAGES
    assert ran() == []
    for path in (own, words):
        path.write_text(path.read_text(encoding="utf-8") + "# edited\n", encoding="utf-8")
        assert ran() == STAGES[3:], "what was made before stands; later stages name the source in their lineage"


def test_the_versions_of_what_computes_count(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Rows made before and after an upgrade do not mix; of what encodes, only where something is encoded."""
    negatives(3).write_parquet(tmp_path / "rows.parquet")
    model = str(static_model(tmp_path / "model"))

    def keys() -> list[str | None]:
        found = []
        for title, options in (("score edit-distance", {}), ("score dense", {"model": model})):
            stage, faults = stage_of(title, [str(tmp_path / "rows.parquet")], options)
            assert stage is not None, faults
            found.append(resuming.stage_key(stage))
        return found

    before, real = keys(), metadata.version
    assert None not in before
    changed = {}
    for package in ("numpy", "rapidfuzz", "model2vec", "faiss-cpu"):
        monkeypatch.setattr(metadata, "version", lambda name, one=package: "99" if name == one else real(name))
        changed[package] = [now != then for now, then in zip(keys(), before, strict=True)]
    assert changed == {"numpy": [True, True], "rapidfuzz": [True, True], "model2vec": [False, True], "faiss-cpu": [False, True]}


def test_any_source_of_ours_counts(tmp_path: Path) -> None:
    """Whichever file is edited, renamed or gone: an operator may import what it likes of ours."""
    shutil.copytree(registry.OURS.folder, tmp_path / "negforge", ignore=shutil.ignore_patterns("__pycache__"))
    path = tmp_path / "negforge" / "filter" / "top.py"

    def code() -> str:
        return resuming._code.__wrapped__(tmp_path / "negforge")

    found = [resuming._code(), code()]
    assert found[0] == found[1]
    path.write_text(path.read_text(encoding="utf-8") + "# edited\n", encoding="utf-8")
    found.append(code())
    path.rename(path.with_name("other.py"))
    found.append(code())
    path.with_name("other.py").unlink()
    found.append(code())
    assert len({*found}) == 4


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", ["pairs.jsonl", "corpus.jsonl"])
def test_an_input_that_changes_while_it_is_read_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else rows of the other content would be skipped over once the first one is back; nothing is published or kept of them."""
    monkeypatch.chdir(tmp_path)
    pl.DataFrame({"anchor": ["a", "b"], "positive": ["c", "d"]}).write_ndjson("pairs.jsonl")
    pl.DataFrame({"id": ["1", "2", "3"], "text": ["c", "d", "e"]}).write_ndjson("corpus.jsonl")
    stage = 'name = "s"\nuse = "generate mine.random"\ninput = "pairs.jsonl"\ncorpus = "corpus.jsonl"\noutput = "out.parquet"\n'
    Path("p.toml").write_text(f"[[stage]]\n{stage}", encoding="utf-8")
    before, real = Path(name).read_bytes(), runner._Run.plan

    def edited(self: Any) -> Any:
        Path(name).write_bytes(before.splitlines(keepends=True)[0])
        return real(self)

    with monkeypatch.context() as patched:
        patched.setattr(runner._Run, "plan", edited)
        made = call("run", "p.toml")
    assert made.code == 3
    assert f"an input changed while the stage read it\n  at:   {name}" in made.err
    assert not Path("out.parquet").exists()
    Path(name).write_bytes(before)
    good("run", "p.toml")
    assert pl.read_parquet("out.parquet").height == 2


def test_a_file_that_changes_within_a_tick_is_read_again(tmp_path: Path) -> None:
    """The memory of digests trusts no time of change that is still fresh."""
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"one")
    stamp = path.stat().st_mtime_ns
    first = file_digest(path)
    path.write_bytes(b"two")
    os.utime(path, ns=(stamp, stamp))
    assert file_digest(path) != first
    old = stamp - 10_000_000_000
    os.utime(path, ns=(old, old))
    known = file_digest(path)
    path.write_bytes(b"own")
    os.utime(path, ns=(old, old))
    assert file_digest(path) != known, "an editor that puts the time back does not fool it"


@pytest.mark.usefixtures("folder")
def test_the_cache_is_kept_below_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries used longest ago go first; a run never stumbles over what is gone."""
    reports()
    entries = len([*(tmp_path / "cache" / "stages").iterdir()])
    monkeypatch.setenv("NEGFORGE_CACHE_LIMIT", "1")
    assert entries == len(STAGES)
    assert ran("best.k=1") == STAGES
    monkeypatch.setenv("NEGFORGE_CACHE_LIMIT", "1GB")
    assert ran("best.k=1") == []


@pytest.mark.usefixtures("folder")
def test_a_plan_keeps_nothing_from_being_removed(tmp_path: Path) -> None:
    """A stage counts as used when a run takes its rows, not when `--dry-run` looks whether one would."""
    reports()
    for path in (tmp_path / "cache" / "stages").rglob("*"):
        os.utime(path, ns=(1, 1))
    before = files(tmp_path / "cache" / "stages")
    assert all(step["skipped"] for step in plan(load("p.toml", {}, [])))
    assert files(tmp_path / "cache" / "stages") == before
    assert ran() == []
    entries = [*(tmp_path / "cache" / "stages").iterdir()]
    assert all(max(path.stat().st_mtime_ns for path in one.iterdir()) > 1 for one in entries)


def test_what_a_run_has_use_for_is_not_trimmed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stage that is done is kept while a later one of the same run may read it; afterwards it may go."""
    seen: list[int] = []

    def done(step: Any, report: Report) -> None:
        with monkeypatch.context() as other:
            other.setenv("NEGFORGE_CACHE_LIMIT", "1")
            resuming.trim()
        seen.append(len([*(folder.parent / "cache" / "stages").iterdir()]))

    run_steps(load("p.toml", {"workers": 1}, []), done=done)
    assert seen == [1, 2, 3, 4, 5, 6]
    monkeypatch.setenv("NEGFORGE_CACHE_LIMIT", "1")
    resuming.trim()
    assert not [*(folder.parent / "cache" / "stages").iterdir()]


@pytest.mark.usefixtures("folder")
def test_a_limit_that_is_no_size_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a fault of whoever set it."""
    monkeypatch.setenv("NEGFORGE_CACHE_LIMIT", "banana")
    done = call("run", "p.toml")
    assert done.code == 2
    assert "error: NEGFORGE_CACHE_LIMIT: a size is written like 512MB or 2GiB" in done.err


@pytest.mark.usefixtures("folder")
def test_our_own_code_and_what_verifiers_declare_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """A later negforge, or a verifier that proves something else, makes stages anew."""
    reports()
    monkeypatch.setattr(resuming, "_code", lambda: "later")
    assert ran()[:3] == STAGES[:3]
    verifiers = registry.operators("verify")
    twin = {name: type("Twin", (), {"declared": {**one.declared, "proves": ("negative",)}})() for name, one in verifiers.items()}
    listed = registry.operators
    monkeypatch.setattr(registry, "operators", lambda verb: twin if verb == "verify" else listed(verb))
    key = [resuming.stage_key(step.stage) for step in load("p.toml", {}, [])[:1]]
    monkeypatch.setattr(registry, "operators", listed)
    assert key != [resuming.stage_key(step.stage) for step in load("p.toml", {}, [])[:1]]


@pytest.mark.usefixtures("folder")
def test_a_tampered_shard_is_not_skipped_over() -> None:
    """A stage that reads a dataset knows it by its files, not by its manifest alone."""
    good("ingest", "pairs", "pairs.jsonl", "-q", "-o", "in")
    words = ["run", "p.toml", "--set", "mine.input=in", "--set", "pairs.output=out/pairs.parquet", "-q"]
    good(*words)
    shard = next(Path("in/data/v1").iterdir())
    shard.write_bytes(shard.read_bytes()[:-1] + b"?")
    assert call(*words).code == 3


# -- journals ----------------------------------------------------------------------------------------------------------


def _work(batch: pl.DataFrame) -> tuple[pl.DataFrame, Counts]:
    """Two rows for each, with counts of every sort."""
    made = pl.concat([batch, batch.with_columns(pl.col("n") + 0.5)]).sort("n").with_columns(pl.lit(None, pl.String).alias("none"))
    counts = Counts(seen=batch.height, kept=made.height)
    counts.dropped["odd"] += int((batch["n"] % 2 == 1).sum())
    counts.per_unit.update([2] * batch.height)
    return made, counts


class Stopped(Exception):  # noqa: N818 - it stands for an interrupt
    """The work was broken off."""


def _stopping(after: int) -> Callable[[pl.DataFrame], tuple[pl.DataFrame, Counts]]:
    calls = 0

    def work(batch: pl.DataFrame) -> tuple[pl.DataFrame, Counts]:
        nonlocal calls
        calls += 1
        if calls > after:
            raise Stopped
        return _work(batch)

    return work


def _all(results: Iterator[tuple[pl.DataFrame, Counts]]) -> tuple[pl.DataFrame, Counts]:
    counts, frames = Counts(), []
    for frame, one in results:
        counts.add(one)
        frames.append(frame)
    return pl.concat(frames), counts


@given(st.integers(1, 60), st.integers(1, 20), st.lists(st.tuples(st.integers(0, 6), st.integers(1, 20)), max_size=4), st.booleans())
def test_work_broken_off_any_number_of_times_gives_the_same_rows(
    tmp_path_factory: pytest.TempPathFactory, rows: int, size: int, stops: list[tuple[int, int]], small: bool
) -> None:
    """Whatever the batches of each attempt; no batch that was written down is worked on again."""
    frame = pl.DataFrame({"n": [float(number) for number in range(rows)]})
    whole = _all(ordered_map(_work, frame.iter_slices(size), 1))
    folder = tmp_path_factory.mktemp("journal")
    before = journal._SEGMENT_SECONDS
    journal._SEGMENT_SECONDS = 0.0 if small else 1e9
    try:
        done = 0
        for after, batch in stops:
            found = Journal(folder)
            assert found.rows == done, "an attempt that ends in order loses nothing at all"
            if after:  # the first is the rest of a batch that was made in part
                done = min(rows, done + (-done % batch or batch) + (after - 1) * batch)
            try:
                _all(found.mapped(_stopping(after), frame.iter_slices(batch), 1))
            except Stopped:
                continue
        made = _all(Journal(folder).mapped(_work, frame.iter_slices(size), 1))
    finally:
        journal._SEGMENT_SECONDS = before
    assert made[0].equals(whole[0])
    assert made[1] == whole[1]


@pytest.mark.parametrize("harm", ["rows", "description", "number", "gone", "bit"])
def test_a_torn_segment_and_all_after_it_are_made_again(harm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A segment is believed if its rows have the digest it was written with (huggingface/datatrove#301)."""
    monkeypatch.setattr(journal, "_SEGMENT_SECONDS", 0.0)
    frame = pl.DataFrame({"n": [float(number) for number in range(30)]})
    with pytest.raises(Stopped):
        _all(Journal(tmp_path).mapped(_stopping(5), frame.iter_slices(3), 1))
    rows, said = tmp_path / "00002-0.arrow", tmp_path / "00002.json"
    if harm == "rows":
        rows.write_bytes(rows.read_bytes()[:-20])
    elif harm == "bit":
        data = bytearray(rows.read_bytes())
        data[len(data) // 2] ^= 1
        rows.write_bytes(data)
    elif harm == "description":
        said.write_text(said.read_text(encoding="utf-8")[:-5], encoding="utf-8")
    elif harm == "number":
        said.write_text(said.read_text(encoding="utf-8").replace('"rows_in": 3', '"rows_in": 9'), encoding="utf-8")
    else:
        said.unlink()
    found = Journal(tmp_path)
    assert found.rows == 6
    assert _all(found.mapped(_work, frame.iter_slices(10), 1))[0].equals(_all(ordered_map(_work, frame.iter_slices(7), 1))[0])


# -- killed at any moment ----------------------------------------------------------------------------------------------


@pytest.mark.timeout(1200)
def test_a_pipeline_killed_at_any_moment_goes_on_and_tears_nothing(
    tmp_path: Path, children: Children, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty kills -9, two to a run: what stands is whole, the end is the same, and finished segments are not made twice."""
    monkeypatch.setenv("NEGFORGE_CACHE", str(tmp_path / "cache"))
    whole = tmp_path / "whole"
    fill(whole)
    (done,) = children.run({"job": "run", "path": whole, "file": "p.toml", "batch": 24, "cache": str(tmp_path / "cache-whole")})
    moments = done["moments"]
    expected = Dataset(whole / "out/dataset").manifest(1)["digests"]
    triplets = (whole / "out/triplets.parquet").read_bytes()
    draw, kills, resumed = random.Random(5), 0, 0
    for number in range(20):
        here = tmp_path / f"set-{number}"
        fill(here)
        job = {"job": "run", "path": here, "file": "p.toml", "cache": str(tmp_path / f"cache-{number}")}
        for within in (moments, moments // 4):  # what is left of a run that goes on takes fewer
            (died,) = children.run({**job, "batch": draw.choice([16, 24, 80]), "at": draw.randrange(1, within)})
            kills += died["killed"]
            dataset = Dataset(here / "out/dataset")
            for version in dataset.versions():
                assert sum(frame.height for frame in dataset.source(version).batches(50)) > 0
            assert not (here / "out/triplets.parquet").exists() or pl.read_parquet(here / "out/triplets.parquet").height > 0
        (last,) = children.run({**job, "batch": 24})
        assert last["code"] == 0, last
        resumed += last["resumed"] > 0 or last["skipped"] > 0
        dataset = Dataset(here / "out/dataset")  # the number of a version that was killed stays taken
        assert dataset.manifest(dataset.newest() or 0)["digests"] == expected
        assert (here / "out/triplets.parquet").read_bytes() == triplets
    assert kills >= 35
    assert resumed >= 15


SOURCES = {
    "jsonl": 'use = "ingest pairs"\ninput = ["a.jsonl", "b.jsonl.gz"]\nmax_bad_rows = 40',
    "csv": 'use = "ingest pairs"\ninput = "a.csv"\nmax_bad_rows = 40',
    "json": 'use = "ingest pairs"\ninput = ["a.json", "b.jsonl.gz"]\nmax_bad_rows = 40',
    "parquet": 'use = "ingest pairs"\ninput = ["a.parquet", "a.arrow", "b.jsonl.gz"]\nmax_bad_rows = 40',
    "spans": 'use = "ingest corpus"\ninput = "texts.jsonl"\nspan_words = 6',
    "continuations": 'use = "ingest continuations"\ninput = "texts.jsonl"\nspan_words = 6',
    "dedupe": 'use = "dedupe exact"\ninput = "negatives.parquet"',
    "export": 'use = "export sentence-transformers"\ninput = "negatives.parquet"\nkeep_labels = ["unknown"]',
}


def sources(here: Path, name: str) -> None:
    """A stage over tables with every sort of row: equal ones, bad ones, lists of none to three, values that widen a column."""
    here.mkdir()
    (here / "p.toml").write_text(f'[[stage]]\nname = "one"\n{SOURCES[name]}\noutput = "out.parquet"\n', encoding="utf-8")
    draw, lines, lists = random.Random(1), [], []
    for n in range(300):
        row: dict[str, Any] = {"id": f"p{n}", "anchor": f"question {n // 2}", "positive": f"answer {n}", "more": n}
        row |= {"more": n / 7} if n > 120 else {}
        row |= {"late": {"x": n}} if n > 200 else {}
        line = json.dumps(row) if n % 29 else draw.choice(["{", json.dumps({**row, "positive": " "}), json.dumps({**row, "more": "x"})])
        lines += [line, "" if n % 13 else json.dumps(row)]
        listed = [f"answer {n} {one}" for one in range(draw.randrange(4))]
        lists.append(json.dumps({"id": f"l{n}", "anchor": f"other {n}", "positive": listed}))
    (here / "a.jsonl").write_text("\n".join([*lines, "{", "{"]), encoding="utf-8")
    (here / "b.jsonl.gz").write_bytes(gzip.compress("\n".join(lists).encode()))
    rows = [json.loads(line) for line in lines if line not in ("", "{") and "x" not in json.loads(line).values()]
    (here / "a.json").write_text(json.dumps(["no object", *rows]), encoding="utf-8")
    table = pl.DataFrame(rows, infer_schema_length=None)
    table.write_parquet(here / "a.parquet", row_group_size=70)
    table.with_columns(pl.format("arrow-{}", "id").alias("id")).write_ipc(here / "a.arrow", record_batch_size=50)
    cells = table.select("id", "anchor", pl.col("positive").str.replace("answer", 'an "answer",\non two lines'))
    text = cells.write_csv()
    (here / "a.csv").write_text(text.replace("\np7,", "\np7,ragged,row,").replace("\np150,", '\np150,"x"y,'), encoding="utf-8")
    texts = [" ".join(draw.choices(["It rains.", "We go home", "and stay", "there. Then"], k=9)) for _ in range(120)]
    (here / "texts.jsonl").write_text("\n".join(json.dumps({"id": f"t{n}", "text": one}) for n, one in enumerate(texts)), encoding="utf-8")
    made = negatives(300).with_columns(pl.col("negative").str.replace_all(r"w\d+", "w"))
    made.with_columns(negative=pl.format("wrong {}", pl.int_range(300) % 2)).write_parquet(here / "negatives.parquet")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", SOURCES)
def test_a_stage_killed_while_it_reads_keys_or_lays_out_goes_on(tmp_path: Path, children: Children, name: str) -> None:
    """Kills -9, two to a run: rows, drops and counts are those of an undisturbed run, and nothing written down is done again."""
    sources(tmp_path / "given", name)

    def job(place: str, **more: Any) -> dict[str, Any]:
        known = {"job": "run", "path": tmp_path / place, "file": "p.toml", "cache": str(tmp_path / f"cache-{place}"), "held": 1500}
        return {**known, "workers": 0 if "ingest" in SOURCES[name] else 1, **more}

    shutil.copytree(tmp_path / "given", tmp_path / "whole")
    (whole,) = children.run(job("whole", batch=24))
    assert whole["code"] == 0
    assert whole["resumed"] == 0
    draw, kills, resumed = random.Random(name), 0, 0
    places = [f"set-{number}" for number in range(4)]
    for place in places:
        shutil.copytree(tmp_path / "given", tmp_path / place)
    for share in (2, 4):
        at = [draw.randrange(whole["moments"] // 10, whole["moments"] // share) for _ in places]
        kills += sum(
            one["killed"]
            for one in children.run(*(job(p, at=one, batch=draw.choice([16, 24, 70])) for p, one in zip(places, at, strict=True)))
        )
    for place, last in zip(places, children.run(*(job(place, batch=24) for place in places)), strict=True):
        assert last["code"] == 0
        assert last["made"] == whole["made"]
        if not last["skipped"]:
            assert last["added"] + last["resumed"] == whole["added"]
            assert (last["worked"] < whole["worked"]) == (last["resumed"] > 0)
        resumed += last["resumed"] > 0
        for path in (tmp_path / "whole").glob("out.*"):
            assert (tmp_path / place / path.name).read_bytes() == path.read_bytes()
    assert kills >= 5
    assert resumed >= 1


PREPARING = {
    "generate": 'use = "generate perturb.number"\ninput = ["one.jsonl", "two.jsonl"]',
    "mine": 'use = "generate mine.random"\ninput = ["one.jsonl", "two.jsonl"]\ncorpus = "texts.jsonl"\nnum_negatives = 2',
    "verify": 'use = "verify known-positive"\ninput = "negatives.parquet"\npositives = "one.jsonl"',
    "dedupe": 'use = "dedupe exact"\ninput = ["negatives.parquet", "others.parquet"]',
    "beir": 'use = "ingest beir"\ninput = "beir"',
}


def preparing(here: Path, name: str) -> None:
    """A stage that does much before its first row: it checks the ids of several sources, reads side tables, indexes, decides."""
    (here / "beir" / "qrels").mkdir(parents=True)
    (here / "p.toml").write_text(f'[[stage]]\nname = "one"\n{PREPARING[name]}\noutput = "out.parquet"\n', encoding="utf-8")
    pairs = [
        {"id": f"p{n}", "anchor_id": f"q{n // 2}", "anchor": f"question {n // 2}", "positive": f"It has {n} lakes."} for n in range(200)
    ]
    pairs = [{**pair, "positive_id": f"t{n}"} for n, pair in enumerate(pairs)]  # some of which no text has
    texts = [{"_id": f"t{n}", "id": f"t{n}", "title": "Lakes", "text": f"It has {n} lakes."} for n in range(150)]
    queries = [{"_id": f"q{n}", "text": f"question {n}"} for n in range(90)]
    judged = [f"q{n % 80}\tt{n}\t{n % 3}" for n in range(150)]
    for file, rows in {"one": pairs[:120], "two": pairs[100:], "texts": texts, "beir/corpus": texts, "beir/queries": queries}.items():
        (here / f"{file}.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    (here / "beir" / "qrels" / "train.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *judged]), encoding="utf-8")
    made = negatives(300).with_columns(negative=pl.format("It has {} lakes.", pl.int_range(300) % 90))
    made.head(200).write_parquet(here / "negatives.parquet")
    made.tail(150).write_parquet(here / "others.parquet")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", PREPARING)
def test_what_a_stage_made_before_its_first_row_is_not_made_again(tmp_path: Path, children: Children, name: str) -> None:
    """Kills -9 at any moment: what is there whole is taken, of an index what is there in part, and the end is the same."""
    preparing(tmp_path / "given", name)

    def job(place: str, **more: Any) -> dict[str, Any]:
        known = {"job": "run", "path": tmp_path / place, "file": "p.toml", "cache": str(tmp_path / f"cache-{place}"), "held": 1500}
        return {**known, "batch": 80, "workers": 0 if name in ("dedupe", "beir") else 1, **more}

    shutil.copytree(tmp_path / "given", tmp_path / "whole")
    (whole,) = children.run(job("whole"))
    assert whole["code"] == 0
    draw, once = random.Random(name), whole["prepared"].keys() - {"index"}
    indexed = whole["prepared"].get("index", 0)
    kills: list[dict[str, Any]] = [{"at": draw.randrange(1, whole["moments"])} for _ in range(6)]
    kills += [{"kept": key} for key in sorted(once)] + [{"index": indexed // part} for part in (2, 4) if indexed]
    places = [f"set-{number}" for number in range(len(kills))]
    for place in places:
        shutil.copytree(tmp_path / "given", tmp_path / place)
    died = children.run(*(job(place, **kill) for place, kill in zip(places, kills, strict=True)))
    assert all(one["killed"] for one in died[6:])
    left = [{path.parent.name for path in (tmp_path / f"cache-{place}").rglob("whole.json")} for place in places]
    before = [sum(_rows_in(path) for path in (tmp_path / f"cache-{place}").rglob("*-rows/[0-9]*.json")) for place in places]
    assert all(kill["kept"] in there for kill, there in zip(kills, left, strict=True) if "kept" in kill)
    assert all(0 < rows < indexed for kill, rows in zip(kills, before, strict=True) if "index" in kill)
    for place, there, rows, last in zip(places, left, before, children.run(*map(job, places)), strict=True):
        assert last["code"] == 0
        assert last["made"] == whole["made"]
        assert (tmp_path / place / "out.parquet").read_bytes() == (tmp_path / "whole" / "out.parquet").read_bytes()
        if last["skipped"]:
            continue
        assert not [*(tmp_path / f"cache-{place}").rglob("whole.json")], "it lies there no longer than the stage is unfinished"
        assert last["prepared"].keys() - {"index"} == once - there
        assert last["prepared"].get("index", 0) + rows == indexed


def _rows_in(segment: Path) -> int:
    return sum(result["rows_in"] for result in json.loads(segment.read_text(encoding="utf-8"))["results"])


@pytest.mark.parametrize("harm", ["rows", "more", "gone", "bit", "description", "note"])
def test_what_was_kept_is_whole_or_not_there(harm: str, tmp_path: Path) -> None:
    """A folder in which one byte is not as it was left is empty; so is one whose making failed."""
    path = tmp_path / "kept"
    with Kept(path) as kept:
        (kept.path / "x").write_bytes(b"rows")
        kept.leave({"n": 1})
    assert Kept(path).note == {"n": 1}
    if harm == "rows":
        (path / "x").write_bytes(b"row")
    elif harm == "bit":
        (path / "x").write_bytes(b"rowt")
    elif harm == "more":
        (path / "y").touch()
    elif harm == "gone":
        (path / "x").unlink()
    elif harm == "note":
        (path / "whole.json").write_text((path / "whole.json").read_text(encoding="utf-8").replace('"n": 1', '"n": 2'), encoding="utf-8")
    else:
        (path / "whole.json").write_text("{", encoding="utf-8")
    with pytest.raises(Stopped), Kept(path) as torn:
        assert torn.note is None
        assert not [*path.iterdir()]
        (path / "x").write_bytes(b"half")
        raise Stopped
    assert not path.exists()


# -- commands as stages, and back --------------------------------------------------------------------------------------


def test_a_command_prints_itself_as_a_stage() -> None:
    """What was given, under its key, typed; nothing is done, and the inputs need not be there."""
    done = good(
        *("generate", "mine.bm25", "my pairs.parquet", "@odd.parquet", "--corpus", "c.parquet", "-n", "8", "--no-verify"),
        *("--max-memory", "2GiB", "--rename", 'a"b=c', "-o", "out/x.parquet", "--as-stage"),
    )
    (stage,) = tomllib.loads(done.out)["stage"]
    assert stage == {
        "name": "mine-bm25",
        "use": "generate mine.bm25",
        "input": ["my pairs.parquet", "./@odd.parquet"],
        "corpus": "c.parquet",
        "num_negatives": 8,
        "verify": False,
        "rename": ['a"b=c'],
        "max_memory": 2 << 30,
        "output": "out/x.parquet",
    }
    assert done.err == ""
    assert tomllib.loads(good("filter", "top", "--k", "2", "--as-stage").out)["stage"][0]["input"] == "-"


def test_a_command_that_is_wrong_is_no_stage() -> None:
    """Faults are told as without --as-stage."""
    assert call("filter", "top", "x.parquet", "--k", "0", "--as-stage").code == 2
    assert call("filter", "top", "x.parquet", "--k", "1", "--to", "csv", "--as-stage").code == 2


@pytest.mark.usefixtures("folder")
def test_the_commands_of_a_plan_make_what_the_pipeline_makes(tmp_path: Path) -> None:
    """`run --dry-run` gives each stage as a command line; run one after the other they give the same digests."""
    planned = json.loads(good("run", "p.toml", "--workers", "1", "--dry-run", "--json").out)
    assert sorted(path.name for path in Path().iterdir()) == ["corpus.jsonl", "p.toml", "pairs.jsonl"]
    assert [step["rows_in"] for step in planned] == [80, 162, 80, 240, 240, 240]
    assert [step.get("slots") for step in planned] == [None, None, 240, None, None, None]
    made = reports()
    (tmp_path / "other").mkdir()
    for name in ("pairs.jsonl", "corpus.jsonl"):
        shutil.copy(name, tmp_path / "other")
    script = "\n".join(step["command"] for step in planned)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run(
        ["bash", "-euc", f'negforge() {{ {sys.executable} -m negforge "$@"; }}\n{script}'],
        cwd=tmp_path / "other",
        check=True,
        env=environment,
    )
    manifest = Dataset(tmp_path / "other" / "out" / "dataset").manifest(1)
    assert manifest["digests"] == made["dataset"].outcome.digests
    assert (tmp_path / "other" / "out" / "triplets.parquet").read_bytes() == Path("out/triplets.parquet").read_bytes()


@pytest.mark.usefixtures("folder")
def test_a_plan_says_what_would_be_skipped_and_harms_nothing() -> None:
    """For people a block a stage, each value with its origin; the plan itself makes and heals nothing."""
    reports()
    Path("out/dataset/README.md").unlink()
    before = files(Path())
    shown = good("run", "p.toml", "--workers", "1", "--dry-run", "--set", "best.k=1").out
    assert files(Path()) == before
    assert shown.count("would be skipped, nothing it depends on has changed") == 3
    assert "[best] filter top\n" in shown
    assert "  k            1      --set\n" in shown
    assert "rows in: about 240" in shown


def test_a_stage_is_known_by_what_its_model_is(tmp_path: Path) -> None:
    """A checkpoint trained anew in the old place is another one; the same one elsewhere is not."""
    pairs = pl.DataFrame({"anchor": ["a"], "positive": ["b"]})
    pairs.write_ndjson(tmp_path / "pairs.jsonl")
    pl.DataFrame({"id": ["1"], "text": ["b"]}).write_ndjson(tmp_path / "corpus.jsonl")

    def key(model: Path) -> str | None:
        stage, faults = stage_of(
            "generate mine.dense", [str(tmp_path / "pairs.jsonl")], {"corpus": str(tmp_path / "corpus.jsonl"), "model": str(model)}
        )
        assert stage is not None, faults
        return resuming.stage_key(stage)

    one, same, other = (static_model(tmp_path / name / "checkpoint", seed=seed) for name, seed in (("a", 1), ("b", 1), ("c", 2)))
    assert None is not key(one) == key(same) != key(other)
    before = key(one)
    static_model(one, seed=3)
    assert key(one) != before
    shutil.rmtree(one)
    assert key(one) is None  # the stage itself says what is wrong


def test_vectors_are_known_with_the_ids_beside_them(tmp_path: Path) -> None:
    """Who swaps two ids gives both texts another vector: the stage is made again, and its rows have other ids."""
    pl.DataFrame({"id": ["1"], "anchor_id": ["q"], "anchor": ["a"], "positive": ["b"]}).write_ndjson(tmp_path / "pairs.jsonl")
    pl.DataFrame({"id": ["1", "2", "3"], "text": ["b", "c", "d"]}).write_ndjson(tmp_path / "corpus.jsonl")
    for name, names, vectors in (("c", "123", [[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]]), ("a", "q", [[1.0, 0.0]])):
        np.save(tmp_path / f"{name}.npy", np.array(vectors, dtype=np.float32))
        (tmp_path / f"{name}.ids").write_text("\n".join(names), encoding="utf-8")
    given: dict[str, Any] = {"corpus": str(tmp_path / "corpus.jsonl"), "num_negatives": 1}
    given |= {"corpus_vectors": tmp_path / "c.npy", "anchor_vectors": tmp_path / "a.npy"}

    def made() -> tuple[str | None, list[str], list[str]]:
        stage, faults = stage_of("generate mine.dense", [str(tmp_path / "pairs.jsonl")], given)
        assert stage is not None, faults
        found = negforge.run("generate mine.dense", str(tmp_path / "pairs.jsonl"), **given).kept.filter(pl.col("label") == "negative")
        return resuming.stage_key(stage), found["negative"].to_list(), found["id"].to_list()

    key, texts, ids = made()
    assert made() == (key, texts, ids)
    (tmp_path / "c.ids").write_text("1\n3\n2", encoding="utf-8")
    other = made()
    assert (texts, other[1]) == (["c"], ["d"])
    assert key != other[0]
    assert ids != other[2]


def test_what_a_glob_or_a_dataset_holds_is_part_of_an_option(tmp_path: Path) -> None:
    """As of a file: two runs with another content there give rows of other ids."""
    (tmp_path / "a.jsonl").write_text("1", encoding="utf-8")
    dataset = tmp_path / "made"
    found = []
    for number in range(2):
        negforge.run("dedupe exact", negatives(3 + number), output=str(dataset))
        (tmp_path / "b.jsonl").write_text(str(number), encoding="utf-8")
        found += [option_digest(tmp_path / "*.jsonl"), option_digest(dataset)]
    found.append(option_digest(Path(f"{dataset}@v1")))
    assert found[1] == found[4]
    assert len({*found}) == 4


def test_what_lies_behind_a_link_counts(tmp_path: Path) -> None:
    """Of a model, and of a folder that is read, such as BEIR's with its qrels elsewhere."""
    (tmp_path / "elsewhere").mkdir()
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "linked").symlink_to(tmp_path / "elsewhere")
    (folder / "modules.json").write_text("[]", encoding="utf-8")
    found = []
    for number in range(2):
        (tmp_path / "elsewhere" / "weights").write_text(str(number), encoding="utf-8")
        found.append((files_of(folder), input_digest(str(folder))))
    assert [name for name, _ in found[0][0]] == ["linked/weights", "modules.json"]
    assert found[0][0] != found[1][0]
    assert found[0][1] != found[1][1]


def test_only_what_is_declared_to_name_an_encoder_is_one() -> None:
    """Any other option is looked for neither in folders nor on the Hub."""
    assert resuming.models_of(registry.find("score", "span")) == {"model": Encoder}
    assert resuming.models_of(registry.find("score", "cross-encoder")) == {"reranker": Reranker}
    assert all(resuming.models_of(one) == {"model": Encoder} for one in registry.our_operators() if "model" in one.options())
    assert resuming.models_of(registry.find("score", "overlap")) == {}
