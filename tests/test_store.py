"""A dataset folder under every accident: what any reader sees, what the next writer finds, what never changes."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

from negforge import rng, sinks, store
from negforge.errors import InputError, StorageError, UsageError
from negforge.records import CORPUS, DROP_NAMES, NEGATIVES
from negforge.runner import EXPORT
from negforge.sinks import Outcome, split_dropped
from negforge.store import Dataset, DatasetSink
from tests.children import negatives, write
from tests.conftest import ROOT
from tests.shell import Children, call

os.environ.setdefault("HF_HUB_OFFLINE", "1")
ROWS = 60
NO_SHRINK = (Phase.explicit, Phase.reuse, Phase.generate)  # each example writes and loads a dataset


# -- helpers -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Any]:
    """`load_dataset` as a person calls it, with a cache of its own."""
    import datasets

    datasets.disable_progress_bars()

    def load(path: Path, *name: str, **options: Any) -> Any:
        return datasets.load_dataset(str(path), *name, cache_dir=str(tmp_path / "hub-cache"), **{"split": "train", **options})

    return load


def published(frame: pl.DataFrame, *labels: str) -> pl.DataFrame:
    """The rows of a table that its dataset shows: not dropped, of a label that is kept."""
    return split_dropped(frame)[0].filter(pl.col("label").is_in(["negative", *labels]))


def ids(mark: str, rows: int = ROWS) -> set[str]:
    """The ids that a version of that mark shows."""
    return {*published(negatives(rows, mark))["id"]}


def read(path: Path, version: int | None = None) -> pl.DataFrame:
    """All rows of a version, as a stage reads them."""
    return pl.concat(Dataset(path).source(version).batches(1000), how="diagonal")


def plain(path: Path, version: int) -> pl.DataFrame:
    """A version as Polars reads it without negforge."""
    return pl.concat([pl.read_parquet(shard) for shard in sorted((path / "data" / f"v{version}").iterdir())])


def tree(path: Path, keep: Callable[[str], bool] = lambda _: True) -> dict[str, tuple[int, int, int]]:
    """Every file and folder below, with what a rewrite would change: modification time, inode, size."""
    found = {}
    for one in [path, *path.rglob("*")]:
        name = str(one.relative_to(path))
        if keep(name):
            stat = one.stat()
            found[name] = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
    return found


def digests(folder: Path) -> dict[str, str]:
    """The files of a folder by content."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def stages(path: Path) -> list[str]:
    """The stage folders in a dataset."""
    return [entry.name for entry in (path / ".negforge").iterdir() if entry.name.startswith("stage-")]


def front(path: Path) -> dict[str, Any]:
    """The YAML of a dataset's card."""
    found: dict[str, Any] = yaml.safe_load((path / "README.md").read_text(encoding="utf-8").split("---\n")[1])
    return found


# -- killed at any moment ----------------------------------------------------------------------------------------------


def nothing(path: Path) -> None:
    """A first write."""


def old_version(path: Path) -> None:
    """A write over a version."""
    write(path, negatives(ROWS, "old"), mark="old")


def old_version_and_ruins(path: Path) -> None:
    """A write over a version, a claim that was never committed, and a stage."""
    old_version(path)
    dataset = Dataset(path)
    (path / ".negforge" / "v2" / "dropped").mkdir(parents=True)
    shutil.copytree(path / "data" / "v1", path / "data" / "v2")
    ruin = dataset.inner / "stage-ruin"
    (ruin / "data").mkdir(parents=True)
    (ruin / "lock").touch()
    (ruin / "data" / "train-00000-of-00001.parquet").write_bytes(b"half")


def all_of_one(found: list[str]) -> str:
    """The mark of the version whose rows these are, every one of them."""
    mark = found[0].partition("-")[0]
    assert sorted(found) == sorted(ids(mark))
    return mark


def marks_seen(path: Path, load: Callable[..., Any]) -> dict[str, str | None]:
    """Which version each reader sees, whole; None where it sees none."""
    seen: dict[str, str | None] = dict.fromkeys(("negforge", "polars", "datasets"))
    newest = Dataset(path).newest() if path.exists() else None
    if newest is not None:
        every = read(path)["id"].to_list()
        seen["negforge"] = every[0].partition("-")[0]
        assert sorted(every) == sorted(negatives(ROWS, str(seen["negforge"]))["id"])
        seen["polars"] = all_of_one(plain(path, newest)["id"].to_list())
    else:
        with pytest.raises(InputError):
            Dataset(path).source()
    try:
        seen["datasets"] = all_of_one(load(path)["id"])
    except (FileNotFoundError, ValueError) as error:  # what it raises for a card whose files are not there, or no folder
        assert newest is None or seen["negforge"] != "old", error
    return seen


@pytest.mark.parametrize("before", [nothing, old_version, old_version_and_ruins])
@pytest.mark.parametrize("part", [0, 1])
def test_a_writer_killed_at_any_moment_leaves_the_old_version_or_the_new(
    tmp_path: Path, children: Children, load: Callable[..., Any], before: Callable[[Path], None], part: int
) -> None:
    """After each kill every reader sees one whole version; the next writer clears up, reuses no number, and publishes.

    Answers Eventual-Inc/Daft#3576 (half-written files after a worker's death) and ray-project/ray#55043 (files lost).
    """
    random_ = random.Random(f"{before.__name__} {part}")
    trial = tmp_path / "trial"
    before(trial)
    (whole,) = children.run({"path": trial, "mark": "new"})
    moments = sorted(random_.sample(range(1, whole["moments"] + 1), 8))
    jobs = [{"at": moment} for moment in moments] + [{"delay": random_.uniform(0.2, 1) * whole["seconds"]}]
    seen = set()
    for number, job in enumerate(jobs):
        path = tmp_path / f"set-{number}"
        before(path)
        (died,) = children.run({"path": path, "mark": "new", **job})
        assert died["killed"] or "delay" in job
        claims = {int(one.name[1:]) for one in path.glob(".negforge/v*")} | {int(one.name[1:]) for one in path.glob("data/v*")}
        committed = Dataset(path).versions() if path.exists() else []
        found = marks_seen(path, load)
        seen.add(found["negforge"])
        assert found["negforge"] in (None, "old", "new")
        assert (found["negforge"] is None) == (before is nothing and found["negforge"] != "new")
        bytes_before = {version: digests(path / "data" / f"v{version}") for version in committed}

        outcome = write(path, negatives(ROWS, "next"), mark="next")
        assert outcome.version is not None
        assert outcome.version > max([0, *claims])
        assert not outcome.unchanged
        assert {*marks_seen(path, load).values()} == {"next"}
        for version, before_ in bytes_before.items():
            assert digests(path / "data" / f"v{version}") == before_
        kept = [*committed, outcome.version]
        assert {one.name for one in (path / "data").iterdir()} == {f"v{version}" for version in kept}
        inner = {one.name: {entry.name for entry in one.iterdir()} for one in (path / ".negforge").iterdir() if one.is_dir()}
        assert {name for name, entries in inner.items() if entries} == {f"v{version}" for version in kept}
        assert all(entries <= {"manifest.json", "dropped"} for entries in inner.values())
        assert {one.name for one in path.iterdir()} == {"README.md", ".negforge", "data"}
        assert {one.name for one in (path / ".negforge").iterdir() if one.is_file()} == {"HEAD", "lock"}
    assert seen >= ({None} if before is nothing else {"old"})


def test_ruins_of_an_uncommitted_version_vanish_in_one_step(tmp_path: Path, children: Children, load: Callable[..., Any]) -> None:
    """A first writer dies after its shards were in place; however its follower dies, nobody sees half of them."""
    write(tmp_path / "whole", negatives(ROWS, "new"), shards=8)
    for at in range(1, 30):
        path = tmp_path / f"set-{at}"
        shutil.copytree(tmp_path / "whole", path)
        (path / ".negforge" / "v1" / "manifest.json").unlink()
        (path / ".negforge" / "HEAD").unlink()
        (died,) = children.run({"path": path, "mark": "next", "at": at})
        assert died["killed"]
        left = [*path.glob("data/v1/*")]
        assert len(left) in (0, 8)


def test_writers_at_once_get_a_version_each_and_lose_no_row(tmp_path: Path, children: Children, load: Callable[..., Any]) -> None:
    """Four processes begin one dataset together: four versions, each whole, and none of the stages of the others removed.

    Answers huggingface/datasets#7600 (concurrent pushes) and Eventual-Inc/Daft#3112 (idempotent writes).
    """
    path = tmp_path / "set"
    marks = "abcd"
    found = children.run(*({"path": path, "mark": mark} for mark in marks))
    assert [one["code"] for one in found] == [0, 0, 0, 0]
    assert sorted(one["version"] for one in found) == [1, 2, 3, 4]
    for mark, one in zip(marks, found, strict=True):
        assert all_of_one(plain(path, one["version"])["id"].to_list()) == mark
        assert {*load(path, f"v{one['version']}")["id"]} == ids(mark)
    assert front(path)["configs"][0] == {
        "config_name": "v4", "default": True, "data_files": [{"split": "train", "path": "data/v4/train-*"}]
    }  # fmt: skip
    assert stages(path) == []


def test_a_living_writers_stage_is_left_alone(tmp_path: Path, children: Children) -> None:
    """While one writer stages, another begins, publishes and ends; the first one then gets the next version."""
    path = tmp_path / "set"
    slow = DatasetSink(NEGATIVES, path, shards=None, keep_labels=[])
    slow.write(negatives(ROWS, "slow"))
    (quick,) = children.run({"path": path, "mark": "quick"})
    assert quick["version"] == 1
    assert len(stages(path)) == 1
    assert slow.finish([{"stage": "generate mine.toy", "version": 1, "counts": {}}], {}).version == 2
    assert [all_of_one(plain(path, version)["id"].to_list()) for version in (1, 2)] == ["quick", "slow"]


def test_a_number_given_up_is_not_given_again(tmp_path: Path) -> None:
    """A person deletes the newest version's manifest folder: its number stays taken, and HEAD goes back."""
    path = tmp_path / "set"
    for mark in "ab":
        write(path, negatives(ROWS, mark), mark=mark)
    shutil.rmtree(path / ".negforge" / "v2")
    assert write(path, negatives(ROWS, "a"), mark="a").unchanged
    assert (path / ".negforge" / "HEAD").read_text(encoding="utf-8") == "v1\n"
    assert write(path, negatives(ROWS, "c"), mark="c").version == 3


def test_all_of_a_version_is_on_the_disk_before_it_is_committed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file and every folder that names one is synced before the rename that makes the version."""
    path = tmp_path / "set"
    steps: list[str] = []
    sync, rename, replace = os.fsync, os.rename, os.replace

    def place(name: str) -> str:
        return re.sub(r"stage-[0-9a-f]+", "stage", str(Path(name).relative_to(path)))

    def syncing(handle: int) -> None:
        steps.append(f"sync {place(str(Path(f'/proc/self/fd/{handle}').readlink()))}")
        sync(handle)

    def moving(inner: Callable[[Any, Any], None]) -> Callable[[Any, Any], None]:
        def move(old: Path, new: Path) -> None:
            steps.append(f"move {place(str(new))}")
            inner(old, new)

        return move

    monkeypatch.setattr(os, "fsync", syncing)
    monkeypatch.setattr(os, "rename", moving(rename))
    monkeypatch.setattr(os, "replace", moving(replace))
    write(path, negatives(ROWS), shards=2)
    commit = steps.index("move .negforge/v1/manifest.json")
    moved = steps.index("move data/v1")
    shards = [f"sync .negforge/stage/data/train-{number:05d}-of-00002.parquet" for number in range(2)]
    dropped = "sync .negforge/stage/beside/dropped"
    assert {*shards, "sync .negforge/stage/data", f"{dropped}/train-00000-of-00001.parquet"} <= {*steps[:moved]}
    assert dropped in steps[: steps.index("move .negforge/v1/dropped")]
    assert {"sync data", "sync .negforge/v1", "sync .negforge", "sync ."} <= {*steps[moved:commit]}
    assert steps[commit - 1] == "sync .negforge/stage/manifest.json"
    assert steps[commit + 1] == "sync .negforge/v1"
    assert steps.index("move README.md") < moved
    assert "move README.md" in steps[commit:]


# -- an equal rerun ----------------------------------------------------------------------------------------------------


def outside(name: str) -> bool:
    """What a rerun must not touch: all but the folder of stages and its lock."""
    return name not in (".negforge", ".negforge/lock")


def test_an_equal_rerun_touches_nothing(tmp_path: Path) -> None:
    """Equal rows of equal stages, in other batches and under another memory limit: no file is new, moved or touched.

    Answers Eventual-Inc/Daft#3112 (idempotent writes).
    """
    path = tmp_path / "set"
    frame = negatives(ROWS)
    assert write(path, frame).version == 1
    before = tree(path, outside)
    again = write(path, frame, batch=7, max_memory=4000)
    assert (again.version, again.unchanged) == (1, True)
    assert tree(path, outside) == before
    assert stages(path) == []


@pytest.mark.parametrize("change", ["rows", "dropped", "stages", "keep_labels"])
def test_another_table_is_another_version(tmp_path: Path, change: str) -> None:
    """A kept row, a dropped row, a stage or the labels kept: each alone makes a new version."""
    path = tmp_path / "set"
    frame = negatives(ROWS)
    write(path, frame)
    condemned = pl.col("dropped_by").is_not_null()
    others = {
        "rows": frame.with_columns(negative=pl.when(pl.col("id") == "a-0").then(pl.lit("else")).otherwise("negative")),
        "dropped": frame.with_columns(drop_value=pl.when(condemned).then(pl.lit("0.5"))),
    }
    mark, labels = "x" if change == "stages" else "", ["unknown"] if change == "keep_labels" else []
    outcome = write(path, others.get(change, frame), mark=mark, keep_labels=labels)
    assert (outcome.version, outcome.unchanged) == (2, False)


def test_a_rerun_over_a_damaged_version_makes_it_again(tmp_path: Path) -> None:
    """Equal rows are no reason to leave a version that lost a shard."""
    path = tmp_path / "set"
    write(path, negatives(ROWS))
    next((path / "data" / "v1").iterdir()).unlink()
    assert write(path, negatives(ROWS)).version == 2
    assert {*read(path)["id"]} == {*negatives(ROWS)["id"]}


@pytest.mark.parametrize("name", ["README.md", ".negforge/HEAD"])
@pytest.mark.parametrize("harm", ["deleted", "stale"])
def test_head_and_card_are_healed(tmp_path: Path, name: str, harm: str) -> None:
    """An equal rerun derives what is gone or old, and leaves the rest."""
    path = tmp_path / "set"
    write(path, negatives(ROWS, "old"), mark="old")
    stale = (path / name).read_bytes()
    write(path, negatives(ROWS))
    right = (path / name).read_bytes()
    (path / name).unlink() if harm == "deleted" else (path / name).write_bytes(stale)
    before = tree(path, lambda one: one.endswith("parquet"))
    assert write(path, negatives(ROWS)).unchanged
    assert (path / name).read_bytes() == right
    assert tree(path, lambda one: one.endswith("parquet")) == before


# -- the card ----------------------------------------------------------------------------------------------------------


def test_a_persons_words_stay(tmp_path: Path, load: Callable[..., Any]) -> None:
    """Own text above and below, own keys to the letter, own configs: a new version and a rerun change only what is ours."""
    path = tmp_path / "set"
    write(path, negatives(ROWS, "old"), mark="old")
    card = path / "README.md"
    text = card.read_text(encoding="utf-8").replace("# set\n", "# Contrariness \u00e6\u00f8\u00e5\n\nMine.\n") + "\n## Use\n\nWith care.\n"
    own = "# who made it\nlicense: cc-by-4.0\nlanguage:\n- no\ntags: [hard, 'no']\n"
    text = text.replace("---\nconfigs:\n", f"---\n{own}configs:\n- config_name: mine\n  data_files: own/*.parquet\n  default: true\n", 1)
    card.write_text(text, encoding="utf-8")
    (path / "own").mkdir()
    pl.DataFrame({"x": [1]}).write_parquet(path / "own" / "x.parquet")
    write(path, negatives(ROWS))
    new = card.read_text(encoding="utf-8")
    assert new.startswith(f"---\n{own}configs:\n")
    assert "# Contrariness \u00e6\u00f8\u00e5\n\nMine.\n" in new
    assert new.endswith("\n## Use\n\nWith care.\n")
    assert new.count("negforge: begin") == 1
    assert [config["config_name"] for config in front(path)["configs"]] == ["v2", "v1", "mine"]
    assert {*load(path)["id"]} == ids("a")
    assert load(path, "mine")["x"] == [1]
    before = tree(path, outside)
    assert write(path, negatives(ROWS)).unchanged
    assert tree(path, outside) == before


@pytest.mark.parametrize(
    "text",
    [
        "---\nlicense: [mit\n---\nMine.\n",
        "---\n- a list\n---\nMine.\n",
        "Mine.\n",
        "\ufeff---\nlicense: mit\n---\r\nMine.\n",
        "---\n---\nMine.\n",
        "",
    ],
    ids=["broken", "list", "none", "windows", "blank", "empty"],
)
def test_any_card_becomes_one_that_loads(tmp_path: Path, load: Callable[..., Any], text: str) -> None:
    """Whatever a person left there, its words are kept and `load_dataset` reads the newest version."""
    path = tmp_path / "set"
    write(path, negatives(ROWS, "old"), mark="old")
    (path / "README.md").write_text(text, encoding="utf-8", newline="")
    write(path, negatives(ROWS))
    new = (path / "README.md").read_text(encoding="utf-8")
    assert all(line in new for line in ("Mine.", "license: mit" if "license: mit" in text else "") if text)
    assert "[mit" in new or "[mit" not in text
    assert {*load(path)["id"]} == ids("a")
    assert write(path, negatives(ROWS)).unchanged
    assert (path / "README.md").read_text(encoding="utf-8") == new


def test_bytes_of_a_card_that_are_no_text_stay(tmp_path: Path) -> None:
    """A card in Latin-1 keeps its bytes."""
    path = tmp_path / "set"
    write(path, negatives(ROWS, "old"), mark="old")
    with (path / "README.md").open("ab") as card:
        card.write("\n\u00e6rlig\n".encode("latin-1"))
    write(path, negatives(ROWS))
    assert (path / "README.md").read_bytes().endswith("\n\u00e6rlig\n".encode("latin-1"))


def test_without_a_card_only_negatives_are_read(tmp_path: Path, load: Callable[..., Any]) -> None:
    """The card is deleted: no reader meets a dropped row, nor one of another label; hidden folders are no data."""
    path = tmp_path / "set"
    write(path, negatives(ROWS))
    (path / "README.md").unlink()
    rows = load(path)
    assert {*rows["label"]} == {"negative"}
    assert {*rows["id"]} == ids("a")
    assert not {*rows.column_names} & {*DROP_NAMES}


# -- what datasets sees ------------------------------------------------------------------------------------------------


def test_every_version_loads_by_name_and_as_a_stream(tmp_path: Path, load: Callable[..., Any]) -> None:
    """The newest by default, an older one by its name, both as a stream, one stream shard a file, in the order of the shards."""
    path = tmp_path / "set"
    write(path, negatives(ROWS, "old"), mark="old", shards=4)
    write(path, negatives(ROWS))
    for name, version, mark in (((), 2, "a"), (("v2",), 2, "a"), (("v1",), 1, "old")):
        order = plain(path, version)["id"].to_list()
        assert {*order} == ids(mark)
        assert load(path, *name)["id"] == order
        stream = load(path, *name, streaming=True)
        assert [row["id"] for row in stream] == order
        assert stream.num_shards == 4


def test_a_new_version_is_seen_in_the_same_process(tmp_path: Path, load: Callable[..., Any]) -> None:
    """As many rows, of as many bytes, from the same place: the reader's cache does not serve the old ones.

    Answers huggingface/datasets#2956 (stale cache for changed local files).
    """
    path = tmp_path / "set"
    for mark in ("a", "b", "c"):
        write(path, negatives(ROWS, mark), mark=mark)
        assert {*load(path)["id"]} == ids(mark)
    assert {*load(path, "v1")["id"]} == ids("a")


def test_a_dataset_moved_elsewhere_still_loads(tmp_path: Path, load: Callable[..., Any]) -> None:
    """Nothing in it knows where it lies."""
    write(tmp_path / "one", negatives(ROWS))
    (tmp_path / "one").rename(tmp_path / "two")
    assert {*load(tmp_path / "two")["id"]} == ids("a")
    assert read(tmp_path / "two").height == ROWS
    assert write(tmp_path / "two", negatives(ROWS)).unchanged


def test_loading_fails_until_the_first_version_is_there(tmp_path: Path, load: Callable[..., Any]) -> None:
    """A writer at work, or dead: no guess is made of its stage."""
    path = tmp_path / "set"
    sink = DatasetSink(NEGATIVES, path, shards=2, keep_labels=[])
    sink.write(negatives(ROWS))
    with pytest.raises(FileNotFoundError):
        load(path)
    with pytest.raises(InputError, match="no version yet"):
        Dataset(path).source()
    sink.abort()
    with pytest.raises(FileNotFoundError):
        load(path)
    assert write(path, negatives(ROWS)).version == 1
    assert {*load(path)["id"]} == ids("a")


CELLS: dict[str, tuple[pl.DataType, st.SearchStrategy[Any]]] = {
    "whole": (pl.Int64(), st.integers(-9, 9)),
    "small": (pl.UInt8(), st.integers(0, 9)),
    "decimal": (pl.Float32(), st.floats(width=32, allow_nan=False)),
    "switch": (pl.Boolean(), st.booleans()),
    "day": (pl.Date(), st.dates()),
    "moment": (pl.Datetime("us"), st.datetimes()),
    "words": (pl.List(pl.String()), st.lists(st.text(max_size=3), max_size=3)),
    "numbers": (pl.List(pl.Float64()), st.lists(st.floats(allow_nan=False), max_size=3)),
    "record": (
        pl.Struct({"start": pl.Int64, "old": pl.String}),
        st.fixed_dictionaries({"start": st.integers(0, 9), "old": st.text(max_size=3)}),
    ),
    "edges": (
        pl.List(pl.Struct({"head": pl.String, "n": pl.Int64})),
        st.lists(st.fixed_dictionaries({"head": st.text(max_size=3), "n": st.integers(0, 9)}), max_size=2),
    ),
    "kind": (pl.Categorical(), st.sampled_from(["x", "y"])),
    "void": (pl.Null(), st.none()),
}


@settings(max_examples=12, deadline=None, phases=NO_SHRINK, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_dataset_info_is_what_datasets_itself_finds(tmp_path: Path, load: Callable[..., Any], data: st.DataObject) -> None:
    """Features, number of rows and of bytes in the card are those that `datasets` computes from the files alone."""
    import datasets

    nulls = data.draw(st.booleans())
    rows = data.draw(st.integers(2, 40))
    columns = {
        name: pl.Series(name, data.draw(st.lists(st.none() | cell if nulls else cell, min_size=rows, max_size=rows)), dtype=dtype)
        for name, (dtype, cell) in CELLS.items()
    }
    frame = pl.DataFrame({"id": [str(number) for number in range(rows)], "text": ["x" * (number % 9) for number in range(rows)], **columns})
    path = tmp_path / f"set-{len([*tmp_path.iterdir()])}"
    with groups_of(data.draw(st.integers(2, 20)), 1 << 30):
        sink = DatasetSink(CORPUS, path, shards=1, keep_labels=[])
        sink.write(frame)
        sink.finish([], {})
    info = front(path)["dataset_info"][0]
    split = info["splits"][0]
    bare = load(Path("parquet"), data_files=str(path / "data" / "v1" / "*.parquet"))
    assert datasets.Features._from_yaml_list(info["features"]) == bare.features
    assert (split["num_examples"], split["num_bytes"]) == (rows, bare.info.splits["train"].num_bytes)
    assert info["download_size"] == sum(one.stat().st_size for one in (path / "data" / "v1").iterdir())
    assert info["dataset_size"] == split["num_bytes"]
    assert_frame_equal(pl.DataFrame(load(path).to_polars()), pl.DataFrame(bare.to_polars()))


@contextmanager
def groups_of(rows: int, size: int) -> Iterator[None]:
    """Row groups of so many rows or bytes."""
    before = sinks.ROWS_A_GROUP, sinks.BYTES_A_GROUP
    sinks.ROWS_A_GROUP, sinks.BYTES_A_GROUP = rows, size
    try:
        yield
    finally:
        sinks.ROWS_A_GROUP, sinks.BYTES_A_GROUP = before


# -- plain readers -----------------------------------------------------------------------------------------------------


def test_plain_readers_find_negatives_and_nothing_else(tmp_path: Path) -> None:
    """Polars, pandas and DuckDB read the folder with no code of ours: only `negative` rows, no drop block, all rows once."""
    import duckdb
    import pandas as pd

    path = tmp_path / "set"
    write(path, negatives(ROWS), shards=4)
    pattern = str(path / "data" / "v1" / "*.parquet")
    found = {
        "polars": pl.read_parquet(pattern)["id"].to_list(),
        "lazy": pl.scan_parquet(path / "data" / "v1").collect()["id"].to_list(),
        "pandas": pd.read_parquet(path / "data" / "v1")["id"].to_list(),
        "duckdb": [row[0] for row in duckdb.connect().execute(f"select id from read_parquet('{pattern}')").fetchall()],
    }
    for reader, seen in found.items():
        assert sorted(seen) == sorted(ids("a")), reader
    labels = duckdb.connect().execute(f"select distinct label from read_parquet('{pattern}')").fetchall()
    assert labels == [("negative",)]
    assert not {*pl.read_parquet_schema(next((path / "data" / "v1").iterdir()))} & {*DROP_NAMES}


def test_types_are_those_that_every_reader_knows(tmp_path: Path) -> None:
    """No large_string and no large_list in any shard, the dropped ones included.

    Answers huggingface/datasets#6834 and huggingface/datasets#7765.
    """
    path = tmp_path / "set"
    write(path, negatives(ROWS))
    files = [*path.rglob("*.parquet")]
    assert len(files) == 2
    for file in files:
        schema = pq.read_schema(file)
        assert "large" not in str(schema.types)
        assert schema.field("negative").type == pa.string()
        assert schema.field("evidence").type.value_type == pa.string()


def test_labels_that_are_kept_are_published(tmp_path: Path, load: Callable[..., Any]) -> None:
    """With `--keep-labels unknown` those rows are in the shards, the positive ones beside, and none is lost."""
    path = tmp_path / "set"
    frame = negatives(ROWS)
    write(path, frame, keep_labels=["unknown"])
    assert {*load(path)["label"]} == {"negative", "unknown"}
    assert {*load(path)["id"]} == {*published(frame, "unknown")["id"]}
    manifest = Dataset(path).manifest(1)
    lost = frame["dropped_by"].is_not_null().sum()
    assert manifest["dropped"]["rows"] == lost
    assert manifest["rows"] + lost + manifest["dropped"]["other_labels"] == ROWS
    assert_frame_equal(read(path).select(frame.columns).sort("id"), frame.sort("id"))


def test_a_row_without_a_label_is_not_lost(tmp_path: Path) -> None:
    """Null is not `negative`: the row stands beside, unpublished."""
    path = tmp_path / "set"
    frame = negatives(3).with_columns(label=pl.lit(None, pl.String))
    write(path, frame)
    assert plain(path, 1).height == 0
    assert read(path).height == 3


# -- shards and order --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dropped", [False, True], ids=["two anchors", "no kept row"])
def test_shards_without_rows_load(tmp_path: Path, load: Callable[..., Any], dropped: bool) -> None:
    """Eight shards for two anchors, or for none: the empty ones have no row group, and every reader takes them."""
    path = tmp_path / "set"
    frame = negatives(6)
    if dropped:
        frame = frame.with_columns(dropped_by=pl.lit("filter toy"), drop_reason=pl.lit("low"))
    write(path, frame, shards=8)
    shards = sorted((path / "data" / "v1").iterdir())
    assert [shard.name for shard in shards] == [f"train-{number:05d}-of-00008.parquet" for number in range(8)]
    for shard in shards:
        metadata = pq.read_metadata(shard)
        assert (metadata.num_rows == 0) == (metadata.num_row_groups == 0)
    expected = {*published(frame)["id"]}
    assert {*pl.read_parquet(path / "data" / "v1" / "*.parquet")["id"]} == expected
    assert {row["id"] for row in load(path, streaming=True)} == expected
    assert load(path, streaming=True).features == load(Path("parquet"), data_files=str(shards[0]), streaming=True).features
    assert read(path).height == 6
    card = (path / "README.md").read_text(encoding="utf-8")
    assert ("It has no kept rows" in card) == dropped
    if dropped:  # `datasets` has no table for a split without rows; what matters is that it serves no other version's
        with pytest.raises(ValueError, match="corresponds to no data"):
            load(path)
    else:
        assert {*load(path)["id"]} == expected


def test_a_version_without_rows_hides_the_one_before(tmp_path: Path, load: Callable[..., Any]) -> None:
    """All rows were dropped this time: no reader is given those of the last version."""
    path = tmp_path / "set"
    write(path, negatives(ROWS))
    write(path, negatives(ROWS).with_columns(dropped_by=pl.lit("filter all"), drop_reason=pl.lit("low")))
    assert [*load(path, streaming=True)] == []
    assert {*load(path, "v1")["id"]} == ids("a")


def test_a_table_without_any_row_is_a_version(tmp_path: Path) -> None:
    """Empty in, empty out, with its columns."""
    path = tmp_path / "set"
    write(path, negatives(3).clear(), shards=2)
    assert plain(path, 1).columns == split_dropped(negatives(3))[0].columns
    assert split_dropped(read(path))[0].height == 0


def test_the_number_of_shards_is_inherited(tmp_path: Path) -> None:
    """Unless told, a version has as many shards as its parent; told otherwise, it and its children have that many."""
    path = tmp_path / "set"
    found = []
    for mark, shards in (("a", 4), ("b", None), ("c", 2), ("d", None)):
        write(path, negatives(ROWS, mark), mark=mark, shards=shards)
        version = Dataset(path).newest()
        assert version is not None
        found.append((len([*(path / "data" / f"v{version}").iterdir()]), Dataset(path).manifest(version)["parent"]))
    assert found == [(4, None), (4, 1), (2, 2), (2, 3)]


@pytest.mark.parametrize("shards", [3, 6, 12])
def test_shards_come_in_powers_of_two(tmp_path: Path, shards: int) -> None:
    """Another number is refused before anything is written."""
    with pytest.raises(UsageError, match="not a power of two"):
        DatasetSink(NEGATIVES, tmp_path / "set", shards=shards, keep_labels=[])
    assert [*tmp_path.iterdir()] == []


def test_a_large_table_is_cut_into_shards_by_its_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the batches, the first version has as many shards as its bytes ask for."""
    monkeypatch.setattr(store, "SHARD_BYTES", 1500)
    found = []
    for batch in (1, 7, ROWS):
        write(tmp_path / f"set-{batch}", negatives(ROWS), batch=batch)
        found.append(digests(tmp_path / f"set-{batch}" / "data" / "v1"))
    assert len(found[0]) == 4
    assert found[0] == found[1] == found[2]


def test_rows_stand_in_the_order_of_their_hash(tmp_path: Path) -> None:
    """Shards hold ranges of the top bits of hash64(anchor_id); within, (hash, anchor_id, operator, draw, id)."""
    path = tmp_path / "set"
    frame = negatives(300).sample(fraction=1, shuffle=True, seed=1)
    write(path, frame, shards=4, batch=11)
    expected = published(frame).with_columns(key=pl.Series(rng.hash64(published(frame)["anchor_id"])))
    expected = expected.sort("key", "anchor_id", "operator", "draw", "id")
    assert plain(path, 1)["id"].to_list() == expected["id"].to_list()
    for number, shard in enumerate(sorted((path / "data" / "v1").iterdir())):
        mine = expected.filter(pl.col("key") // (1 << 62) == number)
        assert pl.read_parquet(shard)["id"].to_list() == mine["id"].to_list()
        assert mine.height > 0


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.integers(0, 120),
    batch=st.integers(1, 50),
    shards=st.sampled_from([1, 2, 8]),
    memory=st.sampled_from([1, 20_000]),
    seed=st.integers(0, 9),
)
def test_the_bytes_do_not_depend_on_batches_or_memory(tmp_path: Path, rows: int, batch: int, shards: int, memory: int, seed: int) -> None:
    """One table, shuffled, in any batches, spilled to disk or not: the same bytes in every shard, the dropped ones too."""
    frame = negatives(rows)
    number = len([*tmp_path.iterdir()])
    one, other = tmp_path / f"set-{number}", tmp_path / f"set-{number + 1}"
    with groups_of(20, 3000):
        write(one, frame, shards=shards)
        write(other, frame.sample(fraction=1, shuffle=True, seed=seed), shards=shards, batch=batch, max_memory=memory)
    assert digests(one / "data" / "v1") == digests(other / "data" / "v1")
    if any(frame["dropped_by"].is_not_null()):
        assert digests(one / ".negforge" / "v1" / "dropped") == digests(other / ".negforge" / "v1" / "dropped")
    manifests = [Dataset(path).manifest(1) for path in (one, other)]
    assert manifests[0]["digests"] == manifests[1]["digests"]
    assert manifests[0]["memory_bytes"] == manifests[1]["memory_bytes"]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    positions=st.lists(st.none() | st.integers(-(2**62), 2**62) | st.integers(0, 50), min_size=1, max_size=60),
    memory=st.sampled_from([1, 1 << 30]),
)
def test_position_is_the_reading_order(tmp_path: Path, positions: list[int | None], memory: int) -> None:
    """Rows with a `position` are cut contiguously by it, evenly; reading the shards one after the other gives its order."""
    path = tmp_path / f"set-{len([*tmp_path.iterdir()])}"
    frame = split_dropped(negatives(len(positions)))[0].with_columns(label=pl.lit("negative")).head(len(positions))
    frame = frame.with_columns(position=pl.Series(positions[: frame.height], dtype=pl.Int64))
    write(path, frame, shards=4, batch=3, max_memory=memory)
    assert_frame_equal(plain(path, 1).select("position"), frame.select(pl.col("position").sort(nulls_last=True)))
    sizes = [pq.read_metadata(shard).num_rows for shard in sorted((path / "data" / "v1").iterdir())]
    assert max(sizes) - min(sizes) <= 1
    assert not Dataset(path).manifest(1)["clustered"]


def test_a_column_called_position_of_another_kind_is_only_a_column(tmp_path: Path) -> None:
    """Where the kind declares no `position`, a person's own column of that name orders nothing."""
    path = tmp_path / "set"
    frame = pl.DataFrame({"id": ["x", "y"], "text": ["t", "u"], "position": ["last", "first"]})
    sink = DatasetSink(CORPUS, path, shards=2, keep_labels=[])
    sink.write(frame)
    sink.finish([], {})
    assert_frame_equal(plain(path, 1).sort("id"), frame)


def test_an_export_keeps_its_order_and_its_drops(tmp_path: Path) -> None:
    """A layout without ids stands in the shards as it came, its provenance beside it, what it dropped with the dropped rows."""
    path = tmp_path / "set"
    layout = pl.DataFrame({"anchor": [f"a{number}" for number in range(50)], "negative": ["n"] * 50})
    origin = pl.DataFrame({"row": range(50), "id": [f"i{number}" for number in range(50)]})
    lost = negatives(5).filter(pl.col("dropped_by").is_not_null())
    sink = DatasetSink(EXPORT, path, shards=2, keep_labels=[], max_memory=1)
    for start in range(0, 50, 9):
        sink.write(layout[start : start + 9])
        sink.aside("provenance", origin[start : start + 9])
    sink.aside("dropped", lost)
    outcome = sink.finish([], {})
    assert (outcome.rows, outcome.dropped) == (50, 1)
    assert_frame_equal(plain(path, 1), layout)
    assert_frame_equal(pl.read_parquet(path / ".negforge" / "v1" / "provenance" / "*.parquet"), origin)
    assert pl.read_parquet(path / ".negforge" / "v1" / "dropped" / "*.parquet")["id"].to_list() == lost["id"].to_list()
    assert Dataset(path).manifest(1)["dropped"]["rows"] == 1
    assert {one.name for one in (path / ".negforge" / "v1").iterdir()} == {"manifest.json", "dropped", "provenance"}


def test_write_then_read_is_identity(tmp_path: Path) -> None:
    """Every row and every column comes back, kept rows first; anchors stand together unless rows of other labels stand apart."""
    path = tmp_path / "set"
    frame = negatives(200).with_columns(own=pl.Series(["\U0001f600\n" * (n % 3) or None for n in range(200)], dtype=pl.String))
    write(path, frame, shards=2)
    back = read(path)
    assert_frame_equal(back.select(frame.columns).sort("id"), frame.sort("id"))
    source = Dataset(path).source()
    assert (source.kind, source.clustered) == ("negatives", False)
    only = frame.with_columns(label=pl.lit("negative"))
    write(path, only)
    source = Dataset(path).source()
    kept = split_dropped(pl.concat(source.batches(7), how="diagonal"))[0]
    assert source.clustered
    assert kept["anchor_id"].rle().len() == kept["anchor_id"].n_unique()


# -- tampering ---------------------------------------------------------------------------------------------------------


def flip(path: Path) -> None:
    """One bit changes, the size does not."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def truncate(path: Path) -> None:
    """The end is gone."""
    path.write_bytes(path.read_bytes()[:-10])


def remove(path: Path) -> None:
    """The file is gone."""
    path.unlink()


@pytest.mark.parametrize("harm", [flip, truncate, remove])
@pytest.mark.parametrize("place", ["data/v1/train-00001-of-00002.parquet", ".negforge/v1/dropped/train-00000-of-00001.parquet"])
def test_a_file_that_is_not_the_published_one_is_refused(tmp_path: Path, harm: Callable[[Path], None], place: str) -> None:
    """Changed, cut off or gone: exit 3, naming the file and what to do."""
    path = tmp_path / "set"
    write(path, negatives(ROWS), shards=2)
    harm(path / place)
    with pytest.raises(InputError, match="is not the file v1 was published with") as error:
        read(path)
    assert error.value.exit_code == 3
    assert "restore it" in error.value.mend


def manifest_with(path: Path, **changes: Any) -> None:
    """Change the first version's manifest."""
    place = path / ".negforge" / "v1" / "manifest.json"
    place.write_text(json.dumps({**json.loads(place.read_text(encoding="utf-8")), **changes}), encoding="utf-8")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"format": 1}', '{"format": 1, "shards": 3}'])
def test_a_damaged_manifest_is_refused_by_readers_and_writers(tmp_path: Path, text: str) -> None:
    """It is told apart from a version that was never there, and a writer says so before it works."""
    path = tmp_path / "set"
    write(path, negatives(ROWS))
    (path / ".negforge" / "v1" / "manifest.json").write_text(text, encoding="utf-8")
    for act in (lambda: Dataset(path).source(), lambda: DatasetSink(NEGATIVES, path, shards=None, keep_labels=[])):
        with pytest.raises(InputError) as error:
            act()
        assert error.value.exit_code == 3
    assert stages(path) == []


@pytest.mark.parametrize(
    "place", ["../../secret.parquet", "/etc/passwd", "data/v1/../../secret.parquet", "data/v2/train.parquet", "data", ""]
)
@pytest.mark.parametrize("where", ["shards", "dropped"])
def test_a_manifest_names_no_file_outside_its_version(tmp_path: Path, place: str, where: str) -> None:
    """A path that leaves the folder is damage: neither read nor sent anywhere, even if the file is there and its digest right."""
    path = tmp_path / "in" / "set"
    write(path, negatives(ROWS))
    document = path / ".negforge" / "v1" / "manifest.json"
    manifest = json.loads(document.read_text(encoding="utf-8"))
    file = (manifest["shards"] if where == "shards" else manifest["dropped"]["shards"])[0]
    shutil.copy(path / file["path"], tmp_path / "secret.parquet")
    shutil.copy(path / file["path"], tmp_path / "in" / "secret.parquet")
    file["path"] = place
    document.write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(InputError, match="the manifest of v1 is damaged") as caught:
        read(path)
    assert "is no file of v1" in caught.value.where


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("stages", [5]),
        ("stages", {}),
        ("columns", 5),
        ("digests", 5),
        ("kind", ["x"]),
        ("keep_labels", None),
        ("tool", 5),
        ("report", 5),
        ("dropped", {"rows": 0, "shards": []}),
        ("rows", True),
    ],
)
def test_a_manifest_of_wrong_types_is_damaged(tmp_path: Path, key: str, value: Any) -> None:
    """Every command that reads it says so, exit 3, and none has a traceback."""
    path = tmp_path / "set"
    write(path, negatives(ROWS))
    document = path / ".negforge" / "v1" / "manifest.json"
    document.write_text(json.dumps({**json.loads(document.read_text(encoding="utf-8")), key: value}), encoding="utf-8")
    for words in ("show", "log", "filter top --k 1"):
        done = call(*words.split(), path)
        assert done.code == 3, done.err
        assert "the manifest of v1 is damaged" in done.err


def test_a_newer_format_is_refused_by_readers_and_writers(tmp_path: Path) -> None:
    """An older negforge neither reads nor writes what it does not understand; nothing in the folder changes."""
    path = tmp_path / "set"
    write(path, negatives(ROWS))
    manifest_with(path, format=store.FORMAT + 1)
    before = tree(path)
    for act in (lambda: read(path), lambda: write(path, negatives(ROWS, "b"))):
        with pytest.raises(InputError, match="upgrade negforge") as error:
            act()
        assert error.value.exit_code == 3
    assert tree(path) == before


@pytest.mark.parametrize("version", [0, 2, 9])
def test_a_version_that_is_not_there_is_named_with_those_that_are(tmp_path: Path, version: int) -> None:
    """No other version is read in its place."""
    path = tmp_path / "set"
    write(path, negatives(ROWS))
    with pytest.raises(InputError, match=f"has no version v{version}") as error:
        Dataset(path).source(version)
    assert "it has v1" in error.value.where


def test_the_command_line_says_3_for_a_tampered_dataset(tmp_path: Path) -> None:
    """The exit code reaches the shell."""
    from negforge.cli import app

    path = tmp_path / "set"
    write(path, negatives(ROWS))
    flip(next((path / "data" / "v1").iterdir()))
    result = CliRunner().invoke(app, ["dedupe", "exact", str(path), "-o", str(tmp_path / "out")])
    assert result.exit_code == 3
    assert "is not the file v1 was published with" in result.stderr


# -- the disk says no --------------------------------------------------------------------------------------------------


@contextmanager
def disk(path: Path, size: str) -> Iterator[Path]:
    """A small disk of its own; the test is skipped where one cannot be mounted."""
    path.mkdir()
    if (
        os.geteuid() != 0
        or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)], capture_output=True, check=False).returncode
    ):
        pytest.skip("only root may mount a small disk")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def test_a_full_disk_leaves_the_old_version(tmp_path: Path, load: Callable[..., Any], capfd: pytest.CaptureFixture[str]) -> None:
    """Wherever it fills up, in partitions, shards or a manifest: exit 5, no stage left, the old version as it was."""
    with disk(tmp_path / "disk", "1m") as small:
        path = small / "set"
        write(path, negatives(ROWS))
        before = digests(path / "data" / "v1")
        filler = small / "filler"
        for spare in (0, 4, 20, 60, 120, 250):
            with filler.open("wb") as handle:
                with pytest.raises(OSError, match="No space left"):
                    while True:
                        os.write(handle.fileno(), b"x" * 4096)
                handle.truncate(max(0, handle.tell() - spare * 1024))
            for memory in (1, None):
                with pytest.raises(StorageError, match="No space left") as error:
                    write(path, negatives(4000, f"b{spare}", words=30), mark=f"{spare}{memory}", batch=400, max_memory=memory)
                assert error.value.exit_code == 5
                assert "free some space" in error.value.mend
                assert Dataset(path).versions() == [1]
                assert stages(path) == []
                assert [one.name for one in (path / "data").iterdir()] == ["v1"]
                assert digests(path / "data" / "v1") == before
                assert {*load(path)["id"]} == ids("a")
            filler.unlink()
        assert (write(path, negatives(ROWS, "c")).version or 0) >= 2
    assert "Traceback" not in capfd.readouterr().err


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """A folder nobody may write to."""
    if os.geteuid() == 0:  # permissions do not bind root; a disk mounted for reading does
        subprocess.run(["mount", "-o", "remount,ro", str(path)], check=True)
        try:
            yield
        finally:
            subprocess.run(["mount", "-o", "remount,rw", str(path)], check=True)
    else:
        path.chmod(0o555)
        try:
            yield
        finally:
            path.chmod(0o755)


def test_a_folder_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    """No permission, or a file where a folder should be: exit 5, and the version there still reads."""
    with disk(tmp_path / "disk", "4m") if os.geteuid() == 0 else kept(tmp_path / "disk") as place:
        path = place / "set"
        write(path, negatives(ROWS))
        with locked(place), locked(path / ".negforge") if os.geteuid() else kept():
            for target in (path, place / "new"):
                with pytest.raises(StorageError) as error:
                    write(target, negatives(ROWS, "b"))
                assert error.value.exit_code == 5
            assert read(path).height == ROWS
        assert write(path, negatives(ROWS, "b")).version == 2


@contextmanager
def kept(path: Path | None = None) -> Iterator[Path]:
    """A folder as it is."""
    if path is not None:
        path.mkdir()
    yield path or Path()


def test_the_command_line_says_5_where_it_cannot_write(tmp_path: Path) -> None:
    """The exit code reaches the shell, and the message is no traceback."""
    from negforge.cli import app

    (tmp_path / "file").touch()
    write(tmp_path / "set", negatives(ROWS))
    result = CliRunner().invoke(app, ["dedupe", "exact", str(tmp_path / "set"), "-o", str(tmp_path / "file" / "out")])
    assert result.exit_code == 5
    assert "cannot write" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("name", ["file", "folder"])
def test_what_is_not_ours_is_not_written_to(tmp_path: Path, name: str) -> None:
    """A file, or a folder of other things, is refused and stays as it was."""
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine.txt").touch()
    before = tree(tmp_path)
    with pytest.raises(UsageError):
        DatasetSink(NEGATIVES, tmp_path / name, shards=None, keep_labels=[])
    assert tree(tmp_path) == before


@pytest.mark.parametrize("memory", [1, None])
def test_giving_up_leaves_no_stage(tmp_path: Path, memory: int | None) -> None:
    """`abort`, once or twice, spilled or not: what was there before is there, and a folder that is new goes."""
    old = tmp_path / "old"
    write(old, negatives(ROWS, "old"), mark="old")
    before = tree(old, outside)
    for path in (old, tmp_path / "new"):
        sink = DatasetSink(NEGATIVES, path, shards=None, keep_labels=[], max_memory=memory)
        sink.write(negatives(ROWS))
        sink.abort()
        sink.abort()
    assert stages(old) == []
    assert tree(old, outside) == before
    assert [one.name for one in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize("left", ["another writer", "a claim", "a card of a person"])
def test_giving_up_takes_nothing_of_others(tmp_path: Path, left: str) -> None:
    """A first writer that gives up leaves the folder while another is at work, a number is taken, or a person wrote there."""
    path = tmp_path / "set"
    sink = DatasetSink(NEGATIVES, path, shards=None, keep_labels=[])
    other = DatasetSink(NEGATIVES, path, shards=None, keep_labels=[]) if left == "another writer" else None
    if left == "a claim":
        (path / ".negforge" / "v1").mkdir()
    if left == "a card of a person":
        with (path / "README.md").open("a", encoding="utf-8") as card:
            card.write("\nMine.\n")
    sink.abort()
    assert (path / "README.md").exists()
    if other is not None:
        other.write(negatives(ROWS))
        assert other.finish([], {}).version == 1
    else:
        assert write(path, negatives(ROWS)).version == (2 if left == "a claim" else 1)
    assert ("Mine." in (path / "README.md").read_text(encoding="utf-8")) == (left == "a card of a person")


def test_writers_begin_and_give_up_at_once(tmp_path: Path) -> None:
    """Processes that begin a first version and give it up, beside one that publishes: it always can, and its version stays."""
    rounds = 12
    command = [sys.executable, "-m", "tests.children", "begin_and_give_up", str(tmp_path), str(rounds)]
    quitters = [subprocess.Popen(command, cwd=ROOT) for _ in range(3)]
    for number in range(rounds):
        path = tmp_path / f"set-{number}"
        time.sleep(0.1)
        assert write(path, negatives(3), mark=str(number)).version == 1
        (tmp_path / f"done-{number}").touch()
    assert [quitter.wait(timeout=60) for quitter in quitters] == [0, 0, 0]
    for number in range(rounds):
        assert read(tmp_path / f"set-{number}").height == 3
        assert stages(tmp_path / f"set-{number}") == []


# -- memory ------------------------------------------------------------------------------------------------------------


def peak_bytes(command: list[str]) -> int:
    """The most anonymous memory a child held, looked at from outside."""
    child = subprocess.Popen([sys.executable, "-m", "tests.children", *command], cwd=ROOT)
    peak = 0
    while child.poll() is None:
        try:
            status = Path(f"/proc/{child.pid}/status").read_text(encoding="ascii")
        except OSError:
            break
        found = re.search(r"RssAnon:\s+(\d+) kB", status)
        peak = max(peak, int(found[1]) * 1024 if found else 0)
        time.sleep(0.01)
    assert child.wait() == 0
    return peak


def test_memory_is_flat_in_rows(tmp_path: Path) -> None:
    """Twice the rows, all of them spilled, add next to nothing to the memory held, and it stays near its limit.

    Answers pola-rs/polars#25607 (streaming that still runs out of memory).
    """
    small, large = (peak_bytes(["write_much", str(tmp_path / f"set-{size}"), str(size)]) for size in (150, 300))
    assert large < 1.3 * small
    assert large < 400_000_000
    assert Dataset(tmp_path / "set-300").manifest(1)["rows"] > 0


def test_few_rows_of_large_batches_do_not_keep_the_batches(tmp_path: Path) -> None:
    """One row of a hundred is dropped: what is held of it is that row, not the texts of the hundred."""
    peak = peak_bytes(["drop_few", str(tmp_path / "set")])
    assert peak < 500_000_000


def test_readers_meet_no_half_version_while_writers_work(tmp_path: Path) -> None:
    """A reader that looks all the time while versions come sees whole ones only."""
    path = tmp_path / "set"
    write(path, negatives(ROWS, "0"), mark="0")
    done = threading.Event()
    seen: list[str] = []

    def look() -> None:
        while not done.is_set():
            newest = Dataset(path).newest()
            assert newest is not None
            seen.append(all_of_one(plain(path, newest)["id"].to_list()))

    reader = threading.Thread(target=look)
    reader.start()
    for number in range(1, 6):
        write(path, negatives(ROWS, str(number)), mark=str(number), shards=4)
    done.set()
    reader.join()
    assert seen == sorted(seen)
    assert np.unique(seen).size > 1
    assert isinstance(write(path, negatives(ROWS, "5"), mark="5"), Outcome)
