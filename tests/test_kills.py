"""`kill -9` at seeded moments of whatever publishes: `check` finds the old or the new version whole, and a rerun succeeds.

A kind of work is a job of `tests/children.py` and a line in KINDS here. With the forty kills of pipelines in
`tests/test_resuming.py` and the forty of pushes in `tests/test_hub.py` a run of the suite has two hundred.
Answers Eventual-Inc/Daft#3576 (half-written files after a worker's death) and ray-project/ray#55043 (files lost).
"""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from negforge.checking import Checked, check
from negforge.store import Dataset
from tests.children import negatives, write
from tests.shell import Children
from tests.test_store import plain, published, stages

ROWS = 60
AT_ONCE = 4
KINDS = {"write": 80, "merge": 40}  # kills of each
PARTS = 4  # tests of each, so that they spread over workers


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two datasets of negatives that share half their rows, judged differently."""
    folder = tmp_path_factory.mktemp("tables")
    whole = negatives(ROWS, "new")
    write(folder / "a", whole[: 2 * ROWS // 3])
    write(folder / "b", whole[ROWS // 3 :].with_columns(score_more=whole["score_toy"][ROWS // 3 :]))
    return [str(folder / name) for name in "ab"]


def old(path: Path) -> None:
    """The version that is there before."""
    write(path, negatives(ROWS, "old"), mark="old")


def looked_at(path: Path) -> tuple[Checked, str] | None:
    """What a check finds, and whose rows the newest version holds, all of them; None where there is no version."""
    newest = Dataset(path).newest() if path.exists() else None
    if newest is None:
        return None
    (checked,) = check(str(path))
    mark = plain(path, newest)["id"][0].partition("-")[0]
    assert {*plain(path, newest)["id"]} == {*published(negatives(ROWS, mark))["id"]}
    return checked, mark


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("work", KINDS)
def test_killed_at_seeded_moments(tmp_path: Path, children: Children, tables: list[str], work: str, part: int) -> None:
    """The newest version is the old one or the new one, whole; only HEAD and the card may be behind; the rerun is clean."""
    job: dict[str, Any] = {"job": work, "mark": "new", "inputs": tables, "memory": 1 if part % 2 else None, "shards": 1 << part % 3}
    first = part == 0  # nothing is there yet
    if not first:
        old(tmp_path / "before")
        shutil.copytree(tmp_path / "before", tmp_path / "whole")
    (whole,) = children.run({**job, "path": tmp_path / "whole"})
    draw = random.Random(f"{work} {part}")
    kills = KINDS[work] // PARTS
    moments = [draw.randint(1, whole["moments"]) for _ in range(kills)]
    paths = [tmp_path / f"set-{number}" for number in range(kills)]
    if not first:
        for path in paths:
            shutil.copytree(tmp_path / "before", path)
    for start in range(0, kills, AT_ONCE):
        batch = [{**job, "path": path, "at": at} for path, at in zip(paths[start:], moments[start : start + AT_ONCE], strict=False)]
        assert all(died["killed"] for died in children.run(*batch))
    seen = set()
    for path in paths:
        found = looked_at(path)
        if found is None:
            assert first
            continue
        checked, mark = found
        seen.add(mark)
        assert mark in ({"new"} if first else {"old", "new"})
        assert {finding.law for finding in checked.findings} <= {"derived"}
        assert mark == "new" or not checked.findings
    assert seen <= {"old", "new"}
    for start in range(0, kills, AT_ONCE):
        again = [{**job, "path": path} for path in paths[start : start + AT_ONCE]]
        assert [done["code"] for done in children.run(*again)] == [0] * len(again)
    for path in paths:
        found = looked_at(path)
        assert found is not None
        assert (found[1], found[0].findings, found[0].notes) == ("new", [], [])
        assert stages(path) == []
        assert len(Dataset(path).versions()) == (1 if first else 2)


def test_six_writers_at_once_make_six_versions(tmp_path: Path, children: Children) -> None:
    """Of six processes that write one dataset at once, three of them killed, the others' versions are whole, each its own.

    Answers huggingface/datasets#7600 (concurrent pushes).
    """
    path = tmp_path / "set"
    done = children.run(*({"path": path, "mark": mark} for mark in "abcdef"))
    assert sorted(one["version"] for one in done) == [1, 2, 3, 4, 5, 6]
    jobs = [{"path": path, "mark": mark, **({"at": 25} if mark in "gik" else {})} for mark in "ghijkl"]
    done = children.run(*jobs)
    assert [one["killed"] for one in done] == [True, False] * 3
    assert len(Dataset(path).versions()) == 9
    assert {finding.law for one in check(str(path), every=True) for finding in one.findings} <= {"derived"}
    write(path, negatives(ROWS, "m"), mark="m")
    assert [(one.findings, one.notes) for one in check(str(path), every=True)] == [([], [])] * 10
